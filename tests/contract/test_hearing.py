"""What a callback may do to a job, the same on SQLite and PostgreSQL."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.ledger import asks, deliveries, hearing, schema, verbs
from bot.ledger.hearing import Heard, Hearing
from bot.model import End, Outcome, State
from tests import build

NOW = build.NOW
LATER = NOW + timedelta(seconds=20)
LEASE = timedelta(seconds=60)
TASK = "tk-hiapi-01"
MODEL = "nano-banana-pro"


async def job_in(ledger, state: State, *, model=MODEL, task_id=TASK):
    """A job brought to this state by its verbs."""
    reply = build.reply(asks=build.request(model=model))
    job = reply.jobs[0]
    await ledger.run(asks.receive, reply, limits=build.limits(reply, 1000))
    steps = [
        (verbs.confirm, (reply.id,), {"message_id": 7, "private": False, "now": NOW}),
        (verbs.claim_queued, (), {"worker": "ada", "now": NOW, "lease": LEASE}),
        (verbs.freeze, (job.id,), {"worker": "ada", "body": b"{}", "now": NOW}),
        (verbs.submitted, (job.id,), {"task_id": task_id, "now": NOW}),
        (verbs.settle, (job.id,), {"outcome": build.pictures(), "now": NOW}),
    ]
    order = [State.RECEIVED, State.QUEUED, None, State.SUBMITTING, State.SUBMITTED, State.SETTLED]
    for verb, args, kwargs in steps[: order.index(state)]:
        await ledger.run(verb, *args, **kwargs)
    assert (await ledger.run(verbs.job_of, job.id)).state is state
    return job


async def hear(ledger, job_id, *, task_id=TASK, model=MODEL, outcome=None) -> Hearing:
    return await ledger.run(
        hearing.settle_heard,
        job_id,
        task_id=task_id,
        model=model,
        outcome=outcome or build.pictures(),
        now=LATER,
    )


async def everything(ledger):
    def read(conn):
        tables = (schema.jobs, schema.replies, schema.spending)
        return [[dict(row) for row in conn.execute(sa.select(t)).mappings()] for t in tables]

    return await ledger.run(read)


async def test_it_settles_a_submitted_job(ledger):
    job = await job_in(ledger, State.SUBMITTED)
    assert await hear(ledger, job.id) == Hearing(Heard.SETTLED, job.reply_id)
    found = await ledger.run(verbs.job_of, job.id)
    assert (found.state, found.settled_at) == (State.SETTLED, LATER)
    assert found.outcome == build.pictures()
    ready = await ledger.run(deliveries.claim_reply, worker="bo", now=LATER, lease=LEASE)
    assert ready.id == job.reply_id


async def test_it_settles_a_job_whose_create_answer_is_still_on_its_way(ledger):
    job = await job_in(ledger, State.SUBMITTING)
    assert (await hear(ledger, job.id)).heard is Heard.SETTLED
    found = await ledger.run(verbs.job_of, job.id)
    assert (found.state, found.task_id, found.submitted_at) == (State.SETTLED, TASK, NOW)
    # The answer comes after all, and changes nothing any more.
    assert not await ledger.run(verbs.submitted, job.id, task_id=TASK, now=LATER)
    assert (await ledger.run(verbs.job_of, job.id)).state is State.SETTLED


async def test_a_failure_is_heard_as_well(ledger):
    job = await job_in(ledger, State.SUBMITTED)
    assert (await hear(ledger, job.id, outcome=build.failure())).heard is Heard.SETTLED
    assert (await ledger.run(verbs.job_of, job.id)).outcome.end is End.FAILED


async def test_an_unknown_job(ledger):
    await job_in(ledger, State.SUBMITTED)
    before = await everything(ledger)
    assert await hear(ledger, "a" * 16) == Hearing(Heard.UNKNOWN)
    assert await everything(ledger) == before


@pytest.mark.parametrize("state", [State.SUBMITTED, State.SETTLED])
async def test_another_task_than_the_jobs_own(ledger, state):
    job = await job_in(ledger, state)
    before = await everything(ledger)
    assert await hear(ledger, job.id, task_id="tk-hiapi-02") == Hearing(Heard.FOREIGN)
    assert await everything(ledger) == before


@pytest.mark.parametrize("state", [State.SUBMITTING, State.SUBMITTED])
async def test_another_model_than_the_jobs_own(ledger, state):
    job = await job_in(ledger, state)
    before = await everything(ledger)
    for model in ("", "nano-banana", "nano-banana-pro2", "@nano-banana-pro"):
        assert await hear(ledger, job.id, model=model) == Hearing(Heard.FOREIGN)
    assert await everything(ledger) == before


@pytest.mark.parametrize("ours", [MODEL, f"{MODEL}@default", f"{MODEL}@fast"])
@pytest.mark.parametrize("theirs", [MODEL, f"{MODEL}@fast"])
async def test_a_route_is_no_other_model(ledger, ours, theirs):
    job = await job_in(ledger, State.SUBMITTED, model=ours)
    assert (await hear(ledger, job.id, model=theirs)).heard is Heard.SETTLED


@pytest.mark.parametrize("state", [State.RECEIVED, State.QUEUED])
async def test_a_job_that_was_never_sent(ledger, state):
    job = await job_in(ledger, state)
    before = await everything(ledger)
    assert await hear(ledger, job.id) == Hearing(Heard.FOREIGN)
    assert await everything(ledger) == before


async def test_a_job_that_ended_before_it_was_sent(ledger):
    job = await job_in(ledger, State.QUEUED)
    await ledger.run(verbs.settle, job.id, outcome=build.failure(), now=NOW)
    before = await everything(ledger)
    assert await hear(ledger, job.id) == Hearing(Heard.FOREIGN)
    assert await everything(ledger) == before


async def test_what_was_heard_already_changes_nothing(ledger):
    job = await job_in(ledger, State.SUBMITTED)
    await hear(ledger, job.id)
    before = await everything(ledger)
    failure = Outcome(end=End.FAILED)
    assert await hear(ledger, job.id, outcome=failure) == Hearing(Heard.REPEATED)
    assert await everything(ledger) == before


async def test_a_task_belongs_to_one_job_only(ledger):
    await job_in(ledger, State.SUBMITTED)
    other = await job_in(ledger, State.SUBMITTING)
    assert await hear(ledger, other.id) == Hearing(Heard.FOREIGN)
    assert (await ledger.run(verbs.job_of, other.id)).state is State.SUBMITTING


@pytest.mark.parametrize("state", [State.SUBMITTING, State.SUBMITTED])
async def test_of_ten_at_once_one_settles(ledger, state):
    job = await job_in(ledger, state)
    said = await asyncio.gather(*(hear(ledger, job.id) for _ in range(10)))
    assert sorted(each.heard for each in said) == [Heard.REPEATED] * 9 + [Heard.SETTLED]
    [[reply_id]] = [[each.reply_id for each in said if each.reply_id]]
    assert reply_id == job.reply_id
    unsettled = sa.select(schema.replies.c.unsettled)
    assert await ledger.run(lambda conn: conn.scalar(unsettled)) == 0


async def test_a_race_with_the_create_answer_and_with_a_poll_settles_once(ledger):
    for _ in range(10):
        job = await job_in(ledger, State.SUBMITTING, task_id="unused")
        task_id = f"tk-{job.id}"
        said, answered = await asyncio.gather(
            hear(ledger, job.id, task_id=task_id),
            ledger.run(verbs.submitted, job.id, task_id=task_id, now=LATER),
        )
        assert said.heard is Heard.SETTLED
        assert answered in (True, False)
        found = await ledger.run(verbs.job_of, job.id)
        assert (found.state, found.task_id) == (State.SETTLED, task_id)

        job = await job_in(ledger, State.SUBMITTED, task_id=f"{task_id}-2")
        said, polled = await asyncio.gather(
            hear(ledger, job.id, task_id=f"{task_id}-2"),
            ledger.run(verbs.settle, job.id, outcome=build.pictures(), now=LATER),
        )
        assert [said.reply_id, polled].count(job.reply_id) == 1
        assert said.heard in (Heard.SETTLED, Heard.REPEATED)


@pytest.mark.parametrize("state", [s for s in State if s is not State.WITHDRAWN])
async def test_only_a_job_that_was_sent_and_has_not_ended_is_under_way(ledger, state):
    job = await job_in(ledger, state)
    expected = state in (State.SUBMITTING, State.SUBMITTED)
    assert await ledger.run(hearing.is_under_way, job.id) is expected
    assert not await ledger.run(hearing.is_under_way, "a" * 16)
