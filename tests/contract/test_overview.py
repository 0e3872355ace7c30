"""What the operator's page reads of the ledger, the same on SQLite and PostgreSQL."""

from datetime import timedelta

import pytest

from bot.errors import Code
from bot.ledger import asks, deliveries, overview, queue, verbs
from bot.ledger.overview import Live
from bot.model import Delivery, End, Outcome, State
from tests import build

NOW = build.NOW
HOUR = timedelta(hours=1)
LEASE = timedelta(seconds=60)


async def asked(ledger, *, now=NOW, model="nano-banana-pro", private=False, count=1, **changes):
    """A reply whose jobs wait in the queue."""
    reply = build.reply(
        asks=build.request(model=model), now=now, count=count, private=private, **changes
    )
    await ledger.run(asks.receive, reply, day_limit=1000, now=now)
    await ledger.run(verbs.confirm, reply.id, message_id=7, private=private, now=now)
    return reply


async def ended(ledger, *, now=NOW, outcome=None, delivery=Delivery.DELIVERED, **options):
    """The job of a reply that was brought to its end."""
    reply = await asked(ledger, now=now, **options)
    told = outcome or build.pictures()
    for job in reply.jobs:
        await ledger.run(verbs.settle, job.id, outcome=told, now=now)
    if delivery is not None:
        await ledger.run(deliveries.claim_reply, worker="ada", now=now, lease=LEASE)
        assert await ledger.run(
            deliveries.close, reply.id, worker="ada", delivery=delivery, now=now
        )
    return reply.jobs[0]


async def test_nothing_is_under_way_in_an_empty_ledger(ledger):
    states = dict.fromkeys(overview.LIVE, 0)
    assert await ledger.run(overview.live, now=NOW) == Live(states, None, 0, 0)
    assert await ledger.run(overview.ended, since=NOW - HOUR) == []
    assert await ledger.run(overview.public, since=NOW - HOUR, limit=5) == []


async def test_what_is_under_way_is_counted_by_state(ledger):
    await asked(ledger, count=2)
    await asked(ledger, now=NOW + timedelta(seconds=5))
    await ended(ledger)
    await ended(ledger, delivery=None)
    job = await ledger.run(verbs.claim_queued, worker="ada", now=NOW, lease=LEASE)
    await ledger.run(verbs.freeze, job.id, worker="ada", body=b"{}", now=NOW)

    found = await ledger.run(overview.live, now=NOW)
    assert found.states == {
        State.RECEIVED: 0,
        State.QUEUED: 2,
        State.SUBMITTING: 1,
        State.SUBMITTED: 0,
    }
    assert found.oldest_queued_at == NOW
    assert found.undelivered == 1
    # What never began is not counted on the day: the two that ended did not.
    assert found.day_pictures == 3


async def test_what_ended_comes_newest_first_and_holds_no_prompt(ledger):
    failure = build.failure(Code.TIMED_OUT)
    old = await ended(ledger, now=NOW - 2 * HOUR)
    first = await ended(ledger, model="a", outcome=failure)
    second = await ended(ledger, model="b", now=NOW + timedelta(seconds=1))
    found = await ledger.run(overview.ended, since=NOW - HOUR)
    assert [(job.id, job.model, job.end, job.code) for job in found] == [
        (second.id, "b", End.PICTURES, None),
        (first.id, "a", End.FAILED, Code.TIMED_OUT),
    ]
    assert old.id not in {job.id for job in found}
    assert "heron" not in repr(found)


async def test_of_each_model_only_the_newest_are_read(ledger):
    for model in ("a", "b"):
        for second in range(3):
            await ended(ledger, model=model, now=NOW + timedelta(seconds=second))
    found = await ledger.run(overview.ended, since=NOW - HOUR, most=2)
    assert sorted((job.model, (job.settled_at - NOW).seconds) for job in found) == [
        ("a", 1),
        ("a", 2),
        ("b", 1),
        ("b", 2),
    ]


HIDDEN = {
    "private": {"private": True},
    "in direct messages": {"guild_id": None},
    "not shown yet": {"delivery": None},
    "behind a Show button": {"delivery": Delivery.PARKED},
    "without a way to show it": {"delivery": Delivery.UNDELIVERABLE},
    "failed": {"outcome": build.failure()},
    "taken back": {"outcome": Outcome(end=End.CANCELLED)},
}


@pytest.mark.parametrize("how", HIDDEN.values(), ids=HIDDEN)
async def test_what_is_not_public_is_never_shown(ledger, how):
    shown = await ended(ledger)
    hidden = await ended(ledger, **how)
    found = await ledger.run(overview.public, since=NOW - HOUR, limit=5)
    assert [job.id for job in found] == [shown.id]
    assert (await ledger.run(overview.public_job, shown.id)).id == shown.id
    assert await ledger.run(overview.public_job, hidden.id) is None


async def test_a_blurred_picture_is_never_shown(ledger):
    reply = build.reply()
    reply = reply.evolve(spoiler=True)
    await ledger.run(asks.receive, reply, day_limit=1000, now=NOW)
    await ledger.run(verbs.confirm, reply.id, message_id=7, private=False, now=NOW)
    await ledger.run(verbs.settle, reply.jobs[0].id, outcome=build.pictures(), now=NOW)
    await ledger.run(deliveries.claim_reply, worker="ada", now=NOW, lease=LEASE)
    await ledger.run(deliveries.close, reply.id, worker="ada", delivery=Delivery.DELIVERED, now=NOW)
    assert await ledger.run(overview.public, since=NOW - HOUR, limit=5) == []
    assert await ledger.run(overview.public_job, reply.jobs[0].id) is None


async def test_what_was_cancelled_while_it_was_made_is_never_shown(ledger):
    reply = await asked(ledger)
    job = await ledger.run(verbs.claim_queued, worker="ada", now=NOW, lease=LEASE)
    await ledger.run(verbs.freeze, job.id, worker="ada", body=b"{}", now=NOW)
    await ledger.run(queue.cancel, reply.id, user_id=44, now=NOW)
    await ledger.run(verbs.settle, job.id, outcome=build.pictures(), now=NOW)
    assert await ledger.run(overview.public, since=NOW - HOUR, limit=5) == []


async def test_the_newest_public_pictures_come_first_and_not_more_than_asked_for(ledger):
    made = [
        await ended(ledger, model=model, now=NOW + timedelta(seconds=second))
        for second, model in enumerate("abab")
    ]
    found = await ledger.run(overview.public, since=NOW - HOUR, limit=3)
    assert [job.id for job in found] == [job.id for job in reversed(made)][:3]
