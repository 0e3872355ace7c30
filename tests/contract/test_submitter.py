"""Sending jobs: whatever goes wrong on the way, one task, one bill. The same on both databases.

HiAPI is the stand-in behind real sockets; its clock, the ledger's and the submitter's are one and
moved by hand.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from bot.catalog import IMAGINE, Catalog
from bot.errors import WORDS, Code
from bot.hiapi.budget import Budget
from bot.hiapi.client import Client
from bot.ledger import asks, ending, queue, schema, verbs
from bot.ledger.ledger import Ledger
from bot.ledger.watching import UnderWay
from bot.model import End, Job, State
from bot.submitter import LEASE, Submitter
from sandbox import faults
from sandbox.hiapi import StandIn
from tests import build
from tests.contract.standin import until
from tests.flow.studio import START, MovedClock

HOUR = 3600


@dataclass
class Desk:
    """A queue, those who send from it, and the picture service."""

    clock: MovedClock
    ledger: Ledger
    hiapi: StandIn
    client: Client
    budget: Budget
    submitted: list[UnderWay] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    held: list[Code | None] = field(default_factory=list)
    _people: itertools.count = field(default_factory=lambda: itertools.count(1))

    def submitter(
        self,
        name: str = "ada",
        *,
        at_once: int = 1,
        queue_max_age: timedelta = timedelta(hours=2),
    ) -> Submitter:
        made = Submitter(
            ledger=self.ledger,
            client=self.client,
            budget=self.budget,
            catalog=Catalog(),
            clock=self.clock,
            worker=name,
            running_limit=1000,
            queue_max_age=queue_max_age,
            callback_url="https://easel.example.net/hiapi/callback/{}".format,
            submitted=self.submitted.append,
            settled=self.settled.append,
            held=lambda: self.held.append(made.held_by),
            at_once=at_once,
        )
        return made

    async def ask(self, prompt: str = "a heron") -> str:
        """Another person's job in the queue; its id."""
        now = self.clock()
        wish = build.request(model=IMAGINE.id, prompt=prompt)
        reply = build.reply(now=now, asks=wish, user_id=next(self._people))
        await self.ledger.run(asks.receive, reply, limits=build.limits(reply, 1000))
        await self.ledger.run(verbs.confirm, reply.id, message_id=1, private=False, now=now)
        return reply.jobs[0].id

    async def job(self, job_id: str) -> Job:
        return await self.ledger.run(verbs.job_of, job_id)

    async def counted(self) -> int:
        return await self.ledger.run(build.counted)

    @property
    def sent(self) -> int:
        return self.hiapi.tasks.requests["create"]


@pytest.fixture
async def desk(ledger) -> AsyncIterator[Desk]:
    clock = MovedClock()
    budget = Budget(per_minute=600, concurrency=10, monotonic=lambda: clock().timestamp())
    async with (
        StandIn(
            clock=lambda: clock().timestamp(), requests_per_minute=None, concurrency=None
        ) as hiapi,
        Client(api_key="sk-sandbox", base_url=hiapi.base_url, budget=budget, now=clock) as client,
    ):
        yield Desk(clock, ledger, hiapi, client, budget)


async def test_what_a_callback_settled_during_the_post_is_not_told_twice(desk):
    job_id = await desk.ask()
    desk.hiapi.fault(faults.body_code(400), on="create")
    send = desk.client.create

    async def overtaken(body, *, key):
        await desk.ledger.run(verbs.settle, job_id, outcome=build.pictures(), now=desk.clock())
        return await send(body, key=key)

    desk.client.create = overtaken
    with capture_logs() as logs:
        assert await desk.submitter().step() == 1
    assert (await desk.job(job_id)).outcome == build.pictures()
    assert "job.submitting" in {line["event"] for line in logs}
    assert "job.settled" not in {line["event"] for line in logs}
    assert desk.settled == []


async def test_a_job_becomes_a_task(desk):
    job_id = await desk.ask()
    assert await desk.submitter().step() == 1
    found = await desk.job(job_id)
    [task] = desk.hiapi.tasks.all
    assert (found.state, found.task_id) == (State.SUBMITTED, task.task_id)
    assert found.first_post_at == found.submitted_at == START
    assert json.loads(found.body)["callback"]["url"].endswith(f"/hiapi/callback/{job_id}")
    assert [each.job_id for each in desk.submitted] == [job_id]
    assert await desk.submitter().step() == 0


PASSING = {
    "429 in the gateway's form": (faults.rate_limited(retry_after=7), 7),
    "429 with a date": (faults.rate_limited(retry_after=7, as_date=True), 7),
    "429 in the task API's form": (faults.rate_limited(retry_after=7, task_envelope=True), 7),
    "429 without a word": (faults.status(429), 2),
    "503": (faults.unavailable(), 2),
    "500 after the task was made": (faults.status(500, after=True), 2),
    "502 and a proxy's page": (faults.html(after=True), 2),
    "cut off before": (faults.Drop(), 2),
    "cut off after the task was made": (faults.Drop(after=True), 2),
    "cut off within the answer": (faults.Drip(seconds=0.02, pieces=4, cut=True), 2),
    "half an answer": (faults.garbage(after=True), 2),
    "a list": (faults.not_an_object(after=True), 2),
    "success without a task": (faults.no_task_id(), 2),
    "409, the first try is still under way": (
        faults.status(409, error_code="IDEMPOTENCY_KEY_PROCESSING"),
        5,
    ),
}


@pytest.mark.parametrize(("fault", "seconds"), PASSING.values(), ids=PASSING)
async def test_a_fault_that_passes_costs_time_and_nothing_else(desk, fault, seconds):
    job_id = await desk.ask()
    submitter = desk.submitter()
    desk.hiapi.fault(fault, on="create")
    assert await submitter.step() == 1
    frozen = await desk.job(job_id)
    assert (frozen.state, frozen.attempts) == (State.SUBMITTING, 1)
    desk.clock.move(seconds - 0.01)
    assert await submitter.step() == 0
    desk.clock.move(5)
    assert await submitter.step() == 1
    found = await desk.job(job_id)
    assert found.state is State.SUBMITTED
    assert (found.body, found.first_post_at) == (frozen.body, frozen.first_post_at)
    assert desk.sent == 2
    assert [bill.key for bill in desk.hiapi.tasks.bills] == [job_id]


async def test_a_slow_answer_is_waited_for(desk):
    job_id = await desk.ask()
    desk.hiapi.fault(faults.Drip(seconds=0.1, pieces=5), on="create")
    assert await desk.submitter().step() == 1
    assert (await desk.job(job_id)).state is State.SUBMITTED
    assert desk.sent == 1


async def test_an_answer_that_never_ends_is_given_up_and_asked_for_again(desk):
    job_id = await desk.ask()
    never = asyncio.Event()
    desk.hiapi.fault(faults.Pause(never), on="create")
    async with Client(
        api_key="sk-sandbox",
        base_url=desk.hiapi.base_url,
        budget=desk.budget,
        now=desk.clock,
        total=0.05,
    ) as hasty:
        desk.client = hasty
        submitter = desk.submitter()
        await submitter.step()
        assert (await desk.job(job_id)).state is State.SUBMITTING
        never.set()
        await until(lambda: desk.hiapi.tasks.all)
        desk.clock.move(5)
        await submitter.step()
    assert (await desk.job(job_id)).state is State.SUBMITTED
    assert len(desk.hiapi.tasks.bills) == 1


async def test_the_pauses_between_tries_grow_up_to_a_minute(desk):
    await desk.ask()
    submitter = desk.submitter()
    desk.hiapi.fault(faults.Drop(), on="create", times=1000)
    tries = []
    for second in range(200):
        if await submitter.step():
            tries.append(second)
        desk.clock.move(1)
    assert tries == [0, 2, 6, 14, 30, 62, 122, 182]


async def test_a_job_that_is_resent_comes_before_one_that_was_never_sent(desk):
    first = await desk.ask()
    submitter = desk.submitter()
    desk.hiapi.fault(faults.unavailable(), on="create")
    await submitter.step()
    await desk.ask()
    desk.clock.move(2)
    await submitter.step()
    assert [each.job_id for each in desk.submitted] == [first]


# --- the account or the key is refused ------------------------------------------------------------

HALTS = {
    Code.NO_CREDIT: faults.out_of_quota(),
    Code.MISCONFIGURED: faults.unauthorized(),
}


@pytest.mark.parametrize("code", HALTS)
async def test_a_refused_account_holds_the_queue_and_is_told_of_once(desk, code):
    jobs = [await desk.ask() for _ in range(20)]
    submitter = desk.submitter()
    planted = desk.hiapi.fault(HALTS[code], on="create", times=1000)
    with capture_logs() as logs:
        for _ in range(300):
            await submitter.step()
            desk.clock.move(1)
    alarms = [entry for entry in logs if entry["log_level"] == "error"]
    assert [(entry["event"], entry["cause"]) for entry in alarms] == [
        ("submitter.halted", WORDS[code].operator)
    ]
    assert desk.sent == 5  # one a minute
    assert desk.held == [code]
    assert submitter.held_by is code
    # The one that was tried is tried again: the others were never sent.
    states = [(await desk.job(job_id)).state for job_id in jobs]
    assert sorted(states) == [State.QUEUED] * 19 + [State.SUBMITTING]
    assert not desk.settled

    planted.lift()
    desk.clock.move(61)
    while await submitter.step():
        pass
    assert desk.held == [code, None]
    assert submitter.held_by is None
    assert len(desk.hiapi.tasks.bills) == len(desk.submitted) == 20


@pytest.mark.parametrize(
    "answer", [faults.unavailable(), faults.body_code(400)], ids=["5xx", "400"]
)
async def test_an_answer_that_says_nothing_of_the_account_keeps_nobody_waiting(desk, answer):
    planted = desk.hiapi.fault(faults.out_of_quota(), on="create", times=1000)
    await desk.ask("a heron that HiAPI chokes on")
    submitter = desk.submitter()
    await submitter.step()
    assert submitter.held_by is Code.NO_CREDIT
    planted.lift()
    desk.hiapi.fault(answer, on="create", times=1000, match="chokes")
    others = [await desk.ask() for _ in range(3)]
    desk.clock.move(61)
    while await submitter.step():
        pass
    assert submitter.held_by is None
    assert [(await desk.job(other)).state for other in others] == [State.SUBMITTED] * 3


async def test_after_a_halt_one_asks_for_all(desk):
    for _ in range(20):
        await desk.ask()
    submitter = desk.submitter()
    desk.hiapi.fault(faults.out_of_quota(), on="create", times=1000)
    await submitter.step()
    desk.clock.move(61)
    moved = await asyncio.gather(*(submitter.step() for _ in range(8)))
    assert sum(moved) == 1
    assert desk.sent == 2
    desk.hiapi.clear_faults()
    desk.clock.move(61)
    moved = await asyncio.gather(*(submitter.step() for _ in range(8)))
    assert sum(moved) == 1
    moved = await asyncio.gather(*(submitter.step() for _ in range(8)))
    assert sum(moved) == 8


async def test_while_the_queue_is_held_and_empty_the_next_job_asks_at_once(desk):
    submitter = desk.submitter()
    await desk.ask()
    desk.hiapi.fault(faults.status(402), on="create")
    await submitter.step()
    await desk.ledger.run(lambda conn: conn.execute(sa.update(schema.jobs).values(state="settled")))
    desk.clock.move(61)
    assert await submitter.step() == 0
    await desk.ask()
    assert await submitter.step() == 1
    assert submitter.held_by is None


async def test_a_model_that_is_gone_ends_the_job_with_an_alarm(desk):
    job_id = await desk.ask()
    desk.hiapi.fault(faults.model_unavailable(), on="create")
    with capture_logs() as logs:
        await desk.submitter().step()
    alarms = [entry for entry in logs if entry["event"] == "job.alarm"]
    assert [entry["cause"] for entry in alarms] == [WORDS[Code.MODEL_GONE].operator]
    found = await desk.job(job_id)
    assert (found.outcome.end, found.outcome.code) == (End.REFUSED, Code.MODEL_GONE)
    assert desk.settled == [found.reply_id]
    other = await desk.ask()
    await desk.submitter().step()
    assert (await desk.job(other)).state is State.SUBMITTED


async def test_a_key_that_was_used_for_other_bytes_stays_charged(desk):
    """A task was made under it, whatever of: only the operator can look what became of that."""
    job_id = await desk.ask()
    mismatch = faults.status(422, message="used", error_code="IDEMPOTENCY_KEY_MISMATCH")
    desk.hiapi.fault(mismatch, on="create")
    with capture_logs() as logs:
        await desk.submitter().step()
    found = await desk.job(job_id)
    assert (found.outcome.end, found.outcome.code) == (End.UNKNOWN, Code.INTERNAL)
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["job.alarm"]
    assert await desk.counted() == 1


# --- age ------------------------------------------------------------------------------------------


async def test_a_key_is_used_for_23_hours(desk):
    job_id = await desk.ask()
    submitter = desk.submitter()
    desk.hiapi.fault(faults.Drop(after=True), on="create")
    await submitter.step()
    desk.clock.move(23 * HOUR)
    await submitter.step()
    assert (await desk.job(job_id)).state is State.SUBMITTED
    assert len(desk.hiapi.tasks.bills) == 1


async def test_a_key_older_than_that_is_never_used_again(desk):
    job_id = await desk.ask()
    submitter = desk.submitter()
    desk.hiapi.fault(faults.Drop(after=True), on="create")
    await submitter.step()
    desk.clock.move(23 * HOUR + 1)
    assert await submitter.step() == 1
    found = await desk.job(job_id)
    assert (found.outcome.end, found.outcome.code) == (End.UNKNOWN, Code.LOST)
    assert desk.sent == 1
    assert desk.settled == [found.reply_id]
    assert await desk.counted() == 1


async def test_only_what_was_never_sent_expires_and_is_given_back(desk):
    sent = await desk.ask()
    submitter = desk.submitter()
    desk.hiapi.fault(faults.Drop(), on="create")
    await submitter.step()
    old = await desk.ask()
    desk.clock.move(2 * HOUR)
    young = await desk.ask()
    assert await submitter.expire() == 0
    desk.clock.move(1)
    assert await submitter.expire() == 1
    found = await desk.job(old)
    assert (found.outcome.end, found.outcome.code) == (End.EXPIRED, Code.EXPIRED)
    assert [(await desk.job(job_id)).state for job_id in (sent, young)] == ["submitting", "queued"]
    assert await desk.counted() == 2
    assert await submitter.expire() == 0


# --- turned away ----------------------------------------------------------------------------------

TURNED_AWAY = {
    "401": faults.unauthorized(),
    "402": faults.out_of_quota(),
    "403": faults.forbidden(),
    "429": faults.rate_limited(),
    "503": faults.unavailable(),
}
UNCERTAIN = {
    "500": faults.status(500),
    "a proxy's 503": faults.html(code=503),
    "no answer": faults.Drop(),
    "no task id": faults.no_task_id(after=False),
}


async def turned_away(desk, *answers, submitter=None):
    """A job whose first POSTs were answered so, a minute apart."""
    job_id = await desk.ask()
    submitter = submitter or desk.submitter()
    for answer in answers:
        planted = desk.hiapi.fault(answer, on="create")
        assert await submitter.step() == 1
        planted.lift()
        desk.clock.move(61)
    assert (await desk.job(job_id)).state is State.SUBMITTING
    return job_id


async def cancel(desk, job_id):
    job = await desk.job(job_id)
    return await desk.ledger.run(queue.cancel, job.reply_id, user_id=job.user_id, now=desk.clock())


@pytest.mark.parametrize("answer", TURNED_AWAY.values(), ids=TURNED_AWAY)
async def test_what_was_turned_away_is_taken_back_like_what_was_never_sent(desk, answer):
    job_id = await turned_away(desk, answer, answer)
    cancelled = await cancel(desk, job_id)
    assert (cancelled.taken_back, cancelled.begun) == (1, 0)
    assert await desk.counted() == 0
    desk.clock.move(HOUR)
    assert await desk.submitter().step() == 0
    assert desk.sent == 2
    assert desk.hiapi.tasks.bills == []


@pytest.mark.parametrize("answer", UNCERTAIN.values(), ids=UNCERTAIN)
async def test_what_may_have_been_made_counts_though_it_was_turned_away_later(desk, answer):
    job_id = await turned_away(desk, faults.unavailable(), answer, faults.unavailable())
    cancelled = await cancel(desk, job_id)
    assert (cancelled.taken_back, cancelled.begun) == (0, 1)
    assert await desk.counted() == 1
    assert await desk.submitter().step() == 1
    assert (await desk.job(job_id)).state is State.SUBMITTED


async def test_a_job_whose_sender_died_counts_though_it_was_turned_away_before(desk):
    job_id = await turned_away(desk, faults.unavailable())
    async with hung(desk) as sending:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        cancelled = await cancel(desk, job_id)
    assert (cancelled.taken_back, cancelled.begun) == (0, 1)
    assert await desk.counted() == 1


@pytest.mark.parametrize("answer", TURNED_AWAY.values(), ids=TURNED_AWAY)
async def test_what_is_taken_back_during_its_post_and_turned_away_is_not_sent_again(desk, answer):
    job_id = await desk.ask()
    send = desk.client.create

    async def taken_back(body, *, key):
        assert (await cancel(desk, job_id)).begun == 1
        return await send(body, key=key)

    desk.client.create = taken_back
    desk.hiapi.fault(answer, on="create")
    assert await desk.submitter().step() == 1
    found = await desk.job(job_id)
    assert (found.state, found.outcome.end) == (State.SETTLED, End.CANCELLED)
    assert desk.settled == [found.reply_id]
    assert await desk.counted() == 0
    desk.clock.move(HOUR)
    assert await desk.submitter().step() == 0
    assert desk.sent == 1


async def test_a_cancel_and_an_answer_that_come_at_once_leave_nothing_to_send(desk):
    for _ in range(20):
        job_id = await desk.ask()
        job = await desk.ledger.run(
            verbs.begin,
            worker="ada",
            now=desk.clock(),
            lease=LEASE,
            body=lambda _: b"{}",
        )
        now = desk.clock()
        again = {"worker": "ada", "due_at": now, "now": now}
        await asyncio.gather(
            desk.ledger.run(ending.turned_away, job.id, **again), cancel(desk, job_id)
        )
        assert (await desk.job(job_id)).outcome.end is End.CANCELLED
        assert await desk.counted() == 0


async def test_a_cancel_and_a_claim_that_come_at_once_agree(desk):
    for _ in range(20):
        job_id = await turned_away(desk, faults.unavailable())
        claimed, cancelled = await asyncio.gather(
            desk.ledger.run(verbs.claim_queued, worker="ada", now=desk.clock(), lease=LEASE),
            cancel(desk, job_id),
        )
        assert cancelled.begun == (claimed is not None)
        assert await desk.counted() == cancelled.begun
        await desk.ledger.run(verbs.settle, job_id, outcome=build.failure(), now=desk.clock())


@pytest.mark.parametrize("answer", TURNED_AWAY.values(), ids=TURNED_AWAY)
async def test_what_was_only_turned_away_expires_with_the_queue_and_is_given_back(desk, answer):
    """Also where a submitter comes before the sweep."""
    job_id = await turned_away(desk, answer)
    neighbour = await desk.ask()
    desk.clock.move(2 * HOUR + 1)
    submitter = desk.submitter()
    assert await submitter.step() == 1, "the neighbour, for the queue is swept job by job"
    assert desk.sent == 1
    assert await submitter.expire() == 1
    for each in (job_id, neighbour):
        found = await desk.job(each)
        assert (found.outcome.end, found.outcome.code) == (End.EXPIRED, Code.EXPIRED)
    assert await desk.counted() == 0
    assert sorted(desk.settled) == sorted(
        [(await desk.job(each)).reply_id for each in (job_id, neighbour)]
    )


async def test_what_was_only_turned_away_is_not_lost_with_its_key(desk):
    submitter = desk.submitter(queue_max_age=timedelta(days=7))
    job_id = await turned_away(desk, faults.out_of_quota(), submitter=submitter)
    desk.clock.move(23 * HOUR)
    assert await submitter.step() == 0
    assert await submitter.expire() == 1
    assert (await desk.job(job_id)).outcome.end is End.EXPIRED
    assert desk.sent == 1
    assert await desk.counted() == 0


# --- several submitters ---------------------------------------------------------------------------


async def test_two_submitters_share_the_queue_and_make_each_task_once(desk):
    jobs = [await desk.ask() for _ in range(30)]
    ada, bo = desk.submitter("ada"), desk.submitter("bo")

    async def work(submitter: Submitter) -> int:
        sent = 0
        while await submitter.step():
            sent += 1
        return sent

    sent = await asyncio.gather(*(work(each) for each in (ada, bo, ada, bo)))
    assert sum(sent) == desk.sent == 30
    assert sorted(bill.key for bill in desk.hiapi.tasks.bills) == sorted(jobs)
    assert {(await desk.job(job_id)).state for job_id in jobs} == {State.SUBMITTED}


@asynccontextmanager
async def hung(desk) -> AsyncIterator[asyncio.Task]:
    """Ada sends the only job and hears nothing for as long as the block runs."""
    answer, before = asyncio.Event(), desk.sent
    desk.hiapi.fault(faults.Pause(answer), on="create")
    sending = asyncio.create_task(desk.submitter("ada").step())
    await until(lambda: desk.sent > before)
    yield sending
    answer.set()
    await asyncio.gather(sending, return_exceptions=sending.cancelled())


async def test_a_job_under_way_is_left_to_its_sender(desk):
    await desk.ask()
    async with hung(desk):
        desk.clock.move(LEASE.total_seconds() - 1)
        assert await desk.submitter("bo").step() == 0
    assert desk.sent == 1


async def test_a_sender_that_outlives_its_lease_makes_no_second_task(desk):
    job_id = await desk.ask()
    async with hung(desk):
        desk.clock.move(LEASE.total_seconds())
        # HiAPI answers 409: the first request with this key is still under way.
        assert await desk.submitter("bo").step() == 1
    found = await desk.job(job_id)
    assert found.state is State.SUBMITTED
    assert found.task_id == desk.hiapi.tasks.all[0].task_id
    desk.clock.move(HOUR)
    assert await desk.submitter("bo").step() == 0
    assert len(desk.hiapi.tasks.bills) == 1
    assert len(desk.submitted) == 1


async def test_the_task_of_a_sender_that_died_is_found_again(desk):
    job_id = await desk.ask()
    answer = asyncio.Event()
    desk.hiapi.fault(faults.Pause(answer), on="create")
    sending = asyncio.create_task(desk.submitter("ada").step())
    await until(lambda: desk.sent)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    answer.set()
    await until(lambda: desk.hiapi.tasks.all)
    desk.clock.move(LEASE.total_seconds())
    assert await desk.submitter("bo").step() == 1
    assert (await desk.job(job_id)).task_id == desk.hiapi.tasks.all[0].task_id
    assert len(desk.hiapi.tasks.bills) == 1


# --- claimed ahead of a round ---------------------------------------------------------------------


async def held_by(desk: Desk) -> list[str]:
    """Whose leases there are."""
    query = sa.select(schema.jobs.c.lease_owner).where(schema.jobs.c.lease_owner.is_not(None))
    return await desk.ledger.run(lambda conn: list(conn.scalars(query)))


async def claim_ahead(submitter: Submitter) -> None:
    """As the ledger has it done, and waited for: PostgreSQL serves several verbs at once."""
    submitter.claim_ahead()
    if submitter._claims.waiting:
        await asyncio.wait([claim for _, claim in submitter._claims._asked])


async def test_what_was_claimed_ahead_is_sent_once_and_first(desk):
    jobs = []
    for _ in range(3):
        jobs.append(await desk.ask())
        desk.clock.move(1)
    submitter = desk.submitter(at_once=2)
    for _ in range(3):
        await claim_ahead(submitter)
    assert await desk.submitter("bo").step() == 1  # the third, for nobody was free to have it
    with capture_logs() as logs:
        assert [await submitter.step() for _ in range(3)] == [1, 1, 0]
    assert [each.job_id for each in desk.submitted] == [jobs[2], *jobs[:2]]
    assert sum(entry["event"] == "job.submitting" for entry in logs) == 2
    assert len(desk.hiapi.tasks.bills) == 3


async def test_what_cannot_be_sent_now_stays_in_the_queue(desk):
    for _ in range(3):
        await desk.ask()
    submitter = desk.submitter(at_once=8)
    desk.budget.reserve = 599  # one is left for submitting
    for _ in range(3):
        await claim_ahead(submitter)
    assert len(await held_by(desk)) == 1
    assert await submitter.step() == 1
    await claim_ahead(submitter)
    assert await held_by(desk) == []


async def test_while_the_queue_is_held_nothing_is_claimed_ahead(desk):
    submitter = desk.submitter(at_once=8)
    await desk.ask()
    desk.hiapi.fault(faults.out_of_quota(), on="create")
    await submitter.step()
    await desk.ask()
    await claim_ahead(submitter)
    assert await held_by(desk) == []


async def test_what_a_halt_overtook_is_sent_as_soon_as_the_halt_is_over(desk):
    submitter = desk.submitter(at_once=8)
    refused = await desk.ask()
    desk.hiapi.fault(faults.out_of_quota(), on="create")
    ahead = asyncio.create_task(submitter.step())
    await until(lambda: desk.sent)
    waiting = await desk.ask()
    await claim_ahead(submitter)
    await ahead
    desk.clock.move(60)
    assert [await submitter.step() for _ in range(3)] == [1, 1, 0]
    assert {each.job_id for each in desk.submitted} == {refused, waiting}
    assert submitter.held_by is None


async def test_a_claim_whose_verb_failed_costs_nobody_a_round(desk):
    job_id = await desk.ask()
    submitter = desk.submitter(at_once=8)

    def fail(_conn: sa.Connection, **_: object) -> None:
        raise OSError("the disk is full")

    for _ in range(8):
        submitter._claims.put(desk.ledger.ask(fail), at=desk.clock())
    assert await submitter.step() == 1
    assert [each.job_id for each in desk.submitted] == [job_id]


async def test_a_ledger_that_fails_ends_no_halt_and_begins_none(desk):
    submitter = desk.submitter()
    await desk.ask()
    desk.hiapi.fault(faults.out_of_quota(), on="create")
    await submitter.step()
    desk.clock.move(60)
    await desk.ledger.run(lambda conn: conn.execute(sa.text("ALTER TABLE jobs RENAME TO gone")))
    with pytest.raises(sa.exc.DBAPIError):
        await submitter.step()
    await desk.ledger.run(lambda conn: conn.execute(sa.text("ALTER TABLE gone RENAME TO jobs")))
    assert await submitter.step() == 1
    assert submitter.held_by is None
