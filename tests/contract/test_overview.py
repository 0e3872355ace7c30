"""What the operator's page reads of the ledger, the same on SQLite and PostgreSQL."""

import asyncio
import threading
from datetime import timedelta

import pytest

from bot.errors import Code
from bot.ledger import asks, deliveries, overview, queue, verbs
from bot.ledger.overview import Count, Live, Took
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
    await ledger.run(asks.receive, reply, limits=build.limits(reply))
    await ledger.run(verbs.confirm, reply.id, message_id=7, private=private, now=now)
    return reply


async def ended(ledger, *, now=NOW, took=0, outcome=None, delivery=Delivery.DELIVERED, **options):
    """The job of a reply that was brought to its end now, `took` seconds after it was asked for."""
    reply = await asked(ledger, now=now - timedelta(seconds=took), **options)
    told = outcome or build.pictures()
    for job in reply.jobs:
        await ledger.run(verbs.settle, job.id, outcome=told, now=now)
    if delivery is not None:
        await ledger.run(deliveries.claim_reply, worker="ada", now=now, lease=LEASE)
        assert await ledger.run(
            deliveries.close, reply.id, worker="ada", delivery=delivery, now=now
        )
    return reply.jobs[0]


STEP = timedelta(minutes=2)


async def public(ledger, *, limit=5):
    def look(conn):
        known = overview.models(conn)
        return overview.public(conn, models=known, since=NOW - HOUR, limit=limit)

    return await ledger.read(look)


async def test_nothing_is_in_an_empty_ledger(ledger):
    states = dict.fromkeys(overview.LIVE, 0)
    assert await ledger.read(overview.live) == Live(states, None, 0)
    assert await ledger.read(overview.models) == []
    within = {"models": [], "since": NOW - HOUR}
    assert await ledger.read(overview.counts, **within, step=STEP) == []
    assert await ledger.read(overview.took, **within, step=STEP) == []
    assert await ledger.read(overview.failures, **within, limit=5) == []
    assert await public(ledger) == []


async def test_what_is_under_way_is_counted_by_state(ledger):
    await asked(ledger, count=2)
    await asked(ledger, now=NOW + timedelta(seconds=5))
    await ended(ledger)
    await ended(ledger, delivery=None)
    job = await ledger.run(verbs.claim_queued, worker="ada", now=NOW, lease=LEASE)
    await ledger.run(verbs.freeze, job.id, worker="ada", body=b"{}", now=NOW)

    found = await ledger.read(overview.live)
    assert found.states == {
        State.RECEIVED: 0,
        State.QUEUED: 2,
        State.SUBMITTING: 1,
        State.SUBMITTED: 0,
    }
    assert found.oldest_queued_at == NOW
    assert found.undelivered == 1


async def test_what_ended_is_counted_by_model_end_and_column(ledger):
    since = NOW - timedelta(minutes=6)
    early, late = since + timedelta(seconds=1), NOW - timedelta(seconds=1)
    await ended(ledger, model="a", now=since - timedelta(seconds=1))
    await ended(ledger, model="a", now=early, count=2)
    await ended(ledger, model="a", now=late)
    await ended(ledger, model="a", now=late, outcome=build.failure(Code.TIMED_OUT))
    await ended(ledger, model="b", now=late, outcome=Outcome(end=End.CANCELLED))
    models = await ledger.read(overview.models)
    assert models == ["a", "b"]
    found = await ledger.read(overview.counts, models=models, since=since, step=STEP)
    assert set(found) == {
        Count("a", 0, End.PICTURES, None, 2),
        Count("a", 2, End.PICTURES, None, 1),
        Count("a", 2, End.FAILED, Code.TIMED_OUT, 1),
        Count("b", 2, End.CANCELLED, None, 1),
    }


async def test_what_never_began_is_not_among_what_ended(ledger):
    reply = build.reply(asks=build.request(model="a"), now=NOW)
    await ledger.run(asks.receive, reply, limits=build.limits(reply))
    await ledger.run(verbs.withdraw, reply.id, now=NOW)
    within = {"models": ["a"], "since": NOW - HOUR, "step": STEP}
    assert await ledger.read(overview.counts, **within) == []


async def test_how_long_pictures_took_is_told_by_column(ledger):
    since = NOW - timedelta(minutes=6)
    for seconds in range(1, 21):
        await ended(ledger, now=NOW - timedelta(seconds=60), took=seconds)
    await ended(ledger, now=since, took=1.5)
    await ended(ledger, now=NOW, took=500, outcome=build.failure())
    values = {"models": await ledger.read(overview.models), "since": since}
    assert await ledger.read(overview.took, **values, step=STEP) == [
        Took(0, 1.5, 1.5),
        Took(2, 10.0, 19.0),
    ]
    [overall] = await ledger.read(overview.took, **values, step=HOUR)
    assert (overall.median, overall.most) == (10.0, 19.0)


async def test_the_last_failures_come_newest_first_and_hold_no_prompt(ledger):
    made = [
        await ended(
            ledger, model=model, now=NOW + timedelta(seconds=second), outcome=build.failure()
        )
        for second, model in enumerate("abab")
    ]
    await ended(ledger, model="a", now=NOW + HOUR)
    await ended(ledger, model="a", now=NOW - 2 * HOUR, outcome=build.failure())
    found = await ledger.read(overview.failures, models=["a", "b"], since=NOW - HOUR, limit=3)
    assert [job.id for job in found] == [job.id for job in reversed(made)][:3]
    assert {job.code for job in found} == {Code.FAILED}
    assert "heron" not in repr(found)


async def test_looking_sees_what_is_committed_and_holds_nobody_up(ledger):
    looking, looked = threading.Event(), threading.Event()

    def slow(conn):
        before = overview.live(conn).states[State.QUEUED]
        looking.set()
        assert looked.wait(10)
        return before

    look = asyncio.ensure_future(ledger.read(slow))
    await asyncio.to_thread(looking.wait, 10)
    await asyncio.wait_for(asked(ledger), 5)
    assert not look.done()
    looked.set()
    assert await look == 0
    assert (await ledger.read(overview.live)).states[State.QUEUED] == 1


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
    found = await public(ledger, limit=5)
    assert [job.id for job in found] == [shown.id]
    assert (await ledger.read(overview.public_job, shown.id)).id == shown.id
    assert await ledger.read(overview.public_job, hidden.id) is None


async def test_a_blurred_picture_is_never_shown(ledger):
    reply = build.reply()
    reply = reply.evolve(spoiler=True)
    await ledger.run(asks.receive, reply, limits=build.limits(reply))
    await ledger.run(verbs.confirm, reply.id, message_id=7, private=False, now=NOW)
    await ledger.run(verbs.settle, reply.jobs[0].id, outcome=build.pictures(), now=NOW)
    await ledger.run(deliveries.claim_reply, worker="ada", now=NOW, lease=LEASE)
    await ledger.run(deliveries.close, reply.id, worker="ada", delivery=Delivery.DELIVERED, now=NOW)
    assert await public(ledger, limit=5) == []
    assert await ledger.read(overview.public_job, reply.jobs[0].id) is None


async def test_what_was_cancelled_while_it_was_made_is_never_shown(ledger):
    reply = await asked(ledger)
    job = await ledger.run(verbs.claim_queued, worker="ada", now=NOW, lease=LEASE)
    await ledger.run(verbs.freeze, job.id, worker="ada", body=b"{}", now=NOW)
    await ledger.run(queue.cancel, reply.id, user_id=44, now=NOW)
    await ledger.run(verbs.settle, job.id, outcome=build.pictures(), now=NOW)
    assert await public(ledger, limit=5) == []


async def test_the_newest_public_pictures_come_first_and_not_more_than_asked_for(ledger):
    made = [
        await ended(ledger, model=model, now=NOW + timedelta(seconds=second))
        for second, model in enumerate("abab")
    ]
    found = await public(ledger, limit=3)
    assert [job.id for job in found] == [job.id for job in reversed(made)][:3]
