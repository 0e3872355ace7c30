"""The operator's verbs, the same on SQLite and PostgreSQL: nothing is ever asked for anew."""

from datetime import timedelta

import pytest

from bot.ledger import asks, deliveries, desk, ending, privacy, queue, verbs
from bot.ledger.desk import GivenUp, Requeued
from bot.model import Delivery, End, State
from tests import build

NOW = build.NOW
LEASE = timedelta(seconds=60)
SHOWABLE = {"delivered": False, "undeliverable": True}


async def queued(ledger, **changes):
    reply = build.reply(**changes)
    await ledger.run(asks.receive, reply, limits=build.limits(reply, 100))
    await ledger.run(verbs.confirm, reply.id, message_id=7, private=False, now=NOW)
    return reply


async def sent(ledger, *, task_id=None, **changes):
    """A job whose request has left once; it has a task if that is named."""
    reply = await queued(ledger, **changes)
    job = reply.jobs[0].id
    await ledger.run(verbs.claim_queued, worker="ada", now=NOW, lease=LEASE)
    await ledger.run(verbs.freeze, job, worker="ada", body=b"{}", now=NOW)
    if task_id:
        await ledger.run(verbs.submitted, job, task_id=task_id, now=NOW)
    else:
        later = NOW + timedelta(hours=1)
        await ledger.run(verbs.resend_at, job, worker="ada", due_at=later)
    return reply


async def ended(ledger, delivery, outcome=None):
    """A reply whose outcome is known, at the end of its way."""
    reply = await sent(ledger, task_id="tk-1")
    outcome = outcome or build.pictures()
    await ledger.run(verbs.settle, reply.jobs[0].id, outcome=outcome, now=NOW)
    await ledger.run(deliveries.claim_reply, worker="ada", now=NOW, lease=LEASE)
    how = {"worker": "ada", "delivery": delivery, "now": NOW, "trouble": "no way"}
    await ledger.run(deliveries.close, reply.id, **how)
    return reply


async def requeue(ledger, reply, *, now=NOW):
    return await ledger.run(desk.requeue, reply.jobs[0].id, now=now)


async def give_up(ledger, reply, *, now=NOW):
    return await ledger.run(desk.give_up, reply.jobs[0].id, words="it is stuck", now=now)


async def counted(ledger):
    return await ledger.run(build.counted)


async def state(ledger, reply):
    found = await ledger.run(verbs.reply_of, reply.id)
    return found.jobs[0].state, found.delivery


# Requeue ------------------------------------------------------------------------------------


async def test_a_late_request_goes_out_now_with_the_same_bytes(ledger):
    reply = await sent(ledger)
    assert await ledger.run(verbs.claim_queued, worker="bea", now=NOW, lease=LEASE) is None
    assert await requeue(ledger, reply) is Requeued.SENDING
    again = await ledger.run(verbs.claim_queued, worker="bea", now=NOW, lease=LEASE)
    assert (again.id, again.body, again.state) == (reply.jobs[0].id, b"{}", State.SUBMITTING)


async def test_what_a_process_holds_is_left_to_it_until_its_lease_is_over(ledger):
    reply = await queued(ledger)
    await ledger.run(verbs.claim_queued, worker="ada", now=NOW, lease=LEASE)
    assert await requeue(ledger, reply) is Requeued.HELD
    assert await requeue(ledger, reply, now=NOW + LEASE) is Requeued.SENDING


async def test_an_undeliverable_reply_is_shown_again_and_not_made_again(ledger):
    reply = await ended(ledger, Delivery.UNDELIVERABLE)
    assert await requeue(ledger, reply) is Requeued.SHOWING
    claimed = await ledger.run(deliveries.claim_reply, worker="bea", now=NOW, lease=LEASE)
    assert (claimed.id, claimed.attempts) == (reply.id, 1)
    assert await ledger.run(verbs.claim_queued, worker="bea", now=NOW, lease=LEASE) is None
    assert await requeue(ledger, reply) is Requeued.HELD


async def test_a_postponed_reply_is_due_at_once(ledger):
    reply = await sent(ledger, task_id="tk-1")
    await ledger.run(verbs.settle, reply.jobs[0].id, outcome=build.pictures(), now=NOW)
    await ledger.run(deliveries.claim_reply, worker="ada", now=NOW, lease=LEASE)
    later = NOW + timedelta(minutes=2)
    await ledger.run(deliveries.postpone, reply.id, worker="ada", due_at=later, trouble="busy")
    assert await requeue(ledger, reply) is Requeued.SHOWING
    assert await ledger.run(deliveries.claim_reply, worker="bea", now=NOW, lease=LEASE)


async def test_a_picture_that_came_after_a_cancel_can_be_shown_after_all(ledger):
    reply = await sent(ledger, task_id="tk-1")
    await ledger.run(queue.cancel, reply.id, user_id=44, now=NOW)
    await ledger.run(verbs.settle, reply.jobs[0].id, outcome=build.pictures(), now=NOW)
    assert await requeue(ledger, reply) is Requeued.SHOWING
    assert await state(ledger, reply) == (State.SETTLED, Delivery.OPEN)


async def test_what_was_taken_back_in_the_queue_stays_so(ledger):
    reply = await queued(ledger)
    await ledger.run(queue.cancel, reply.id, user_id=44, now=NOW)
    assert await requeue(ledger, reply) is Requeued.NOTHING
    assert await state(ledger, reply) == (State.SETTLED, Delivery.CANCELLED)


@pytest.mark.parametrize(
    ("delivery", "said"),
    [(Delivery.DELIVERED, Requeued.SHOWN), (Delivery.PARKED, Requeued.PARKED)],
)
async def test_what_stands_or_waits_for_its_person_is_left_alone(ledger, delivery, said):
    reply = await ended(ledger, delivery)
    assert await requeue(ledger, reply) is said
    assert await state(ledger, reply) == (State.SETTLED, delivery)


async def test_what_is_under_way_elsewhere_is_left_alone(ledger):
    fresh = build.reply()
    await ledger.run(asks.receive, fresh, limits=build.limits(fresh, 100))
    made = await sent(ledger, task_id="tk-1")
    assert await requeue(ledger, fresh) is Requeued.UNCONFIRMED
    assert await requeue(ledger, made) is Requeued.MADE
    assert await ledger.run(desk.requeue, "nosuchjob", now=NOW) is Requeued.GONE


async def test_what_was_erased_is_not_brought_back(ledger):
    reply = await ended(ledger, Delivery.UNDELIVERABLE)
    await ledger.run(privacy.erase, 44, now=NOW)
    assert await requeue(ledger, reply) is Requeued.ERASED
    assert await state(ledger, reply) == (State.SETTLED, Delivery.UNDELIVERABLE)


# Give up ------------------------------------------------------------------------------------


async def test_giving_up_what_was_never_sent_uncounts_it(ledger):
    reply = await queued(ledger)
    assert await counted(ledger) == 1
    assert await give_up(ledger, reply) is GivenUp.UNCOUNTED
    assert await counted(ledger) == 0
    claimed = await ledger.run(deliveries.claim_reply, worker="ada", now=NOW, lease=LEASE)
    [job] = claimed.jobs
    assert (job.outcome.end, job.outcome.detail) == (End.EXPIRED, "it is stuck")
    assert await give_up(ledger, reply) is GivenUp.OVER


@pytest.mark.parametrize("task_id", [None, "tk-1"])
async def test_giving_up_what_was_sent_keeps_it_counted(ledger, task_id):
    reply = await sent(ledger, task_id=task_id)
    assert await give_up(ledger, reply) is GivenUp.UNKNOWN
    assert await counted(ledger) == 1
    late = await ledger.run(verbs.settle, reply.jobs[0].id, outcome=build.pictures(), now=NOW)
    assert late is None
    claimed = await ledger.run(deliveries.claim_reply, worker="ada", now=NOW, lease=LEASE)
    assert claimed.jobs[0].outcome.end is End.UNKNOWN


async def test_giving_up_what_was_turned_away_uncounts_it(ledger):
    reply = await queued(ledger)
    job = reply.jobs[0].id
    await ledger.run(verbs.claim_queued, worker="ada", now=NOW, lease=LEASE)
    await ledger.run(verbs.freeze, job, worker="ada", body=b"{}", now=NOW)
    await ledger.run(ending.turned_away, job, worker="ada", due_at=NOW, now=NOW)
    assert await give_up(ledger, reply) is GivenUp.UNCOUNTED
    assert await counted(ledger) == 0


async def test_giving_up_what_is_sent_again_after_it_was_turned_away_keeps_it_counted(ledger):
    reply = await queued(ledger)
    job = reply.jobs[0].id
    await ledger.run(verbs.claim_queued, worker="ada", now=NOW, lease=LEASE)
    await ledger.run(verbs.freeze, job, worker="ada", body=b"{}", now=NOW)
    await ledger.run(ending.turned_away, job, worker="ada", due_at=NOW, now=NOW)
    await ledger.run(verbs.claim_queued, worker="bea", now=NOW, lease=LEASE)
    assert await give_up(ledger, reply) is GivenUp.UNKNOWN
    assert await counted(ledger) == 1


async def test_a_sender_that_holds_a_job_which_is_given_up_sends_nothing(ledger):
    reply = await queued(ledger)
    await ledger.run(verbs.claim_queued, worker="ada", now=NOW, lease=LEASE)
    assert await give_up(ledger, reply) is GivenUp.UNCOUNTED
    job = reply.jobs[0].id
    assert not await ledger.run(verbs.freeze, job, worker="ada", body=b"{}", now=NOW)
    assert await ledger.run(desk.give_up, "nosuchjob", words="", now=NOW) is GivenUp.GONE


# Looking ------------------------------------------------------------------------------------


async def test_the_list_is_newest_first_and_can_be_narrowed(ledger):
    older = await queued(ledger, user_id=1)
    newer = build.reply(now=NOW + timedelta(seconds=1), user_id=2)
    await ledger.run(asks.receive, newer, limits=build.limits(newer, 100))

    async def listed(**narrowed):
        return [each.job.reply_id for each in await ledger.run(desk.listing, **narrowed)]

    assert await listed() == [newer.id, older.id]
    assert await listed(states=[State.QUEUED]) == [older.id]
    assert await listed(user_id=2) == [newer.id]
    assert await listed(limit=1) == [newer.id]


async def test_a_job_is_found_by_what_its_card_shows(ledger):
    job = (await queued(ledger)).jobs[0]
    assert await ledger.run(desk.named, job.id[:6].upper()) == [job.id]
    assert await ledger.run(desk.named, "%") == []
    assert (await ledger.run(desk.entry, job.id)).delivery is Delivery.OPEN
