"""When the tracker looks, at what cost, and what it makes of what it sees.

HiAPI is the stand-in behind real sockets; its clock, the ledger's and the tracker's are one and
moved by hand.
"""

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import hiapi
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from bot.catalog import IMAGINE, Catalog
from bot.errors import Code
from bot.hiapi import wire
from bot.hiapi.budget import Budget
from bot.hiapi.client import Client
from bot.ledger import asks, schema, verbs
from bot.ledger.hearing import Heard
from bot.ledger.ledger import Ledger
from bot.model import End, Job, State
from bot.submitter import Submitter
from bot.tracker import ALONE, Tracker
from sandbox import faults
from sandbox.hiapi import StandIn
from tests import build
from tests.flow.studio import START, MovedClock

SECONDS = (1.0, 18.0, 1.0)
EVERY = timedelta(seconds=5)
DAY = 24 * 3600


@dataclass
class Post:
    """A tracker at its post: jobs go in, looks are made by hand, what they cost is counted."""

    clock: MovedClock
    ledger: Ledger
    hiapi: StandIn
    budget: Budget
    client: Client
    submitter: Submitter
    tracker: Tracker
    settled: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    _numbers: itertools.count = field(default_factory=itertools.count)

    async def submit(self, count: int = 1, *, prompt: str = "a heron") -> list[Job]:
        """Bring so many jobs to the picture service; the tracker watches them."""
        ids = []

        def write(conn: sa.Connection) -> None:
            for _ in range(count):
                wish = build.request(model=IMAGINE.id, prompt=prompt)
                reply = build.reply(now=self.clock(), asks=wish, user_id=next(self._numbers))
                asks.receive(conn, reply, limits=build.limits(reply, 1_000_000))
                verbs.confirm(conn, reply.id, message_id=1, private=False, now=self.clock())
                ids.append(reply.jobs[0].id)

        await self.ledger.run(write)
        while await self.submitter.step():
            pass
        return [await self.job(job_id) for job_id in ids]

    async def strangers(self, count: int) -> None:
        """So many tasks of somebody else who uses the same account."""
        for _ in range(count):
            fields = {"prompt": "not ours", "aspect_ratio": "1:1", "resolution": "1K"}
            body = wire.encode(model=IMAGINE.id, input=fields, callback_url=None)
            await self.client.create(body, key=f"stranger-{next(self._numbers)}")

    async def look(self, *, after: float = 0.0) -> tuple[int, int]:
        """Look once, so many seconds from now: how many pages and how many single tasks it read."""
        self.clock.move(after)
        before = dict(self.hiapi.tasks.requests)
        await self.tracker.step()
        asked = self.hiapi.tasks.requests
        return tuple(asked[route] - before.get(route, 0) for route in ("list", "detail"))

    async def job(self, job_id: str) -> Job:
        return await self.ledger.run(verbs.job_of, job_id)

    async def count(self, state: State) -> int:
        query = sa.select(sa.func.count()).where(schema.jobs.c.state == state)
        return await self.ledger.run(lambda conn: conn.scalar(query))

    def another_tracker(self, client: Client | None = None) -> Tracker:
        return Tracker(
            ledger=self.ledger,
            client=client or self.client,
            budget=self.budget,
            clock=self.clock,
            every=EVERY,
            settled=self.settled.append,
            moved=self.moved.append,
        )


class SlowClient(Client):
    """Each page takes a while by the clock of the tests."""

    def __init__(self, *, clock: MovedClock, seconds: float = 0.4, **settings: object) -> None:
        super().__init__(now=clock, **settings)
        self._hands = clock
        self._seconds = seconds

    async def page(self, number: int = 1, *, size: int = 100) -> hiapi.TaskPage:
        self._hands.move(self._seconds)
        return await super().page(number, size=size)


@pytest.fixture
async def post(tmp_path) -> AsyncIterator[Post]:
    clock = MovedClock()
    settled, moved = [], []
    budget = Budget(per_minute=60_000, concurrency=10, monotonic=lambda: clock().timestamp())
    async with (
        StandIn(
            clock=lambda: clock().timestamp(),
            seconds=SECONDS,
            requests_per_minute=None,
            concurrency=None,
        ) as hiapi,
        Ledger(f"sqlite:///{tmp_path / 'easel.db'}") as ledger,
        Client(api_key="sk-sandbox", base_url=hiapi.base_url, budget=budget, now=clock) as client,
    ):
        tracker = Tracker(
            ledger=ledger,
            client=client,
            budget=budget,
            clock=clock,
            every=EVERY,
            settled=settled.append,
            moved=moved.append,
        )
        submitter = Submitter(
            ledger=ledger,
            client=client,
            budget=budget,
            catalog=Catalog(),
            clock=clock,
            worker="post",
            running_limit=1000,
            queue_max_age=timedelta(hours=2),
            callback_url=None,
            submitted=tracker.add,
            settled=settled.append,
            held=lambda: None,
        )
        yield Post(clock, ledger, hiapi, budget, client, submitter, tracker, settled, moved)


# --- when it looks --------------------------------------------------------------------------------


async def test_the_first_look_comes_at_half_the_time_that_pictures_are_said_to_take(post):
    await post.submit()
    assert await post.look(after=4.9) == (0, 0)
    assert await post.look(after=0.1) == (1, 0)


async def test_the_first_look_follows_what_was_observed(post):
    for _ in range(3):
        await post.submit()
        while post.tracker._live:
            await post.look(after=1)
    expected = post.tracker.durations.expected(IMAGINE.id)
    assert timedelta(seconds=20) <= expected <= timedelta(seconds=25)

    await post.submit()
    assert await post.look(after=expected.total_seconds() / 2 - 0.1) == (0, 0)
    assert await post.look(after=0.1) == (1, 0)

    heir = post.another_tracker()
    await heir.load((IMAGINE.id,))
    assert heir.durations.expected(IMAGINE.id) == expected
    assert len(heir._live) == 1


async def test_how_late_a_picture_was_found_does_not_teach_how_long_it_takes(post):
    [found_late] = await post.submit()
    await post.look(after=300)
    assert (await post.job(found_late.id)).state is State.SETTLED
    assert post.tracker.durations.expected(IMAGINE.id) == timedelta(seconds=20)
    heir = post.another_tracker()
    await heir.load((IMAGINE.id,))
    assert heir.durations.expected(IMAGINE.id) == timedelta(seconds=20)


async def test_between_two_looks_lies_the_time_that_was_set(post):
    await post.submit(2)
    assert await post.look(after=5) == (1, 0)
    assert await post.look(after=4.9) == (0, 0)
    assert await post.look(after=0.1) == (1, 0)


async def test_a_look_that_takes_a_while_keeps_no_task_from_the_next_one(post):
    await post.submit(250)
    url = post.hiapi.base_url
    async with SlowClient(
        api_key="sk-sandbox", base_url=url, budget=post.budget, clock=post.clock
    ) as client:
        post.tracker = post.another_tracker(client)
        await post.tracker.adopt()
        assert await post.look(after=5) == (3, 0)
        assert await post.look(after=EVERY.total_seconds() - 3 * 0.4 + 0.1) == (3, 0)


async def test_how_late_a_task_was_found_counts_until_it_was_found(post):
    [job] = await post.submit()
    url = post.hiapi.base_url
    async with SlowClient(
        api_key="sk-sandbox", base_url=url, budget=post.budget, clock=post.clock, seconds=15
    ) as client:
        post.tracker = post.another_tracker(client)
        await post.tracker.adopt()
        with capture_logs() as lines:
            await post.look(after=10)
    # Ended 20 s after it was submitted, read after 25.
    [late] = [line["late"] for line in lines if line["event"] == "job.settled"]
    assert late == pytest.approx(5, abs=1)
    assert (await post.job(job.id)).state is State.SETTLED


async def test_what_others_began_is_found_while_the_ledger_writes(post):
    """It is looked for every few seconds, beside whoever waits for an acknowledgement."""
    await post.submit(2)
    heir, written = post.another_tracker(), threading.Event()
    writing = asyncio.create_task(post.ledger.run(lambda _: written.wait(30)))
    try:
        assert await asyncio.wait_for(heir.adopt(), timeout=20) == 2
        assert not writing.done()
    finally:
        written.set()
        await writing


async def test_nothing_in_flight_costs_nothing(post):
    assert await post.look(after=3600) == (0, 0)


async def test_the_pace_slows_with_age(post):
    post.hiapi.fault(faults.never_ends())
    await post.submit()
    reads = []
    for minutes in (3, 12, 45, 60):
        before = post.hiapi.tasks.requests["list"]
        for _ in range(minutes * 12):
            await post.look(after=5)
        reads.append(round((post.hiapi.tasks.requests["list"] - before) / minutes, 1))
    assert reads[0] == pytest.approx(12, abs=0.5)
    assert reads[1:] == [pytest.approx(4, abs=0.3), pytest.approx(1, abs=0.1), 0.2]


# --- what a look costs ----------------------------------------------------------------------------


async def test_250_tasks_are_read_as_three_pages(post):
    await post.submit(250)
    assert await post.look(after=10) == (3, 0)
    assert await post.look(after=10) == (3, 0)
    assert await post.count(State.SETTLED) == 250
    assert len(set(post.settled)) == len(post.settled) == 250


@pytest.mark.parametrize(
    ("per_minute", "reads", "seconds"), [(60, 1, 5), (60, 3, 15), (6000, 1, 5), (6000, 10, 5.45)]
)
async def test_a_look_at_many_pages_is_followed_by_a_longer_pause(post, per_minute, reads, seconds):
    post.budget._per_minute = per_minute
    assert post.tracker._interval(reads) == timedelta(seconds=seconds)


async def test_a_task_alone_on_a_far_page_is_read_by_itself(post):
    post.hiapi.fault(faults.never_ends())
    await post.submit()
    await post.submit(150)
    while len(post.tracker._live) > 1:
        await post.look(after=5)
    assert await post.look(after=60) == (0, 1)


async def test_tasks_that_another_user_pushed_on_are_sought_one_page_further(post):
    await post.submit(10)
    await post.strangers(150)
    assert await post.look(after=5) == (2, 0)
    assert await post.count(State.SUBMITTED) == 10
    # Where they stood tells where to look next: page 1 is not read in vain again.
    assert await post.look(after=15) == (1, 0)
    assert await post.count(State.SETTLED) == 10


async def test_tasks_that_another_user_scattered_over_the_pages_are_all_found(post):
    for _ in range(10):
        await post.submit(2)
        await post.strangers(25)
    pages, singles = await post.look(after=20)
    assert pages + singles <= 4
    assert await post.count(State.SETTLED) == 20


async def test_a_task_pushed_over_the_edge_of_its_page_is_read_by_itself(post):
    await post.submit(100)
    await post.strangers(1)
    assert await post.look(after=20) == (1, 1)
    assert await post.count(State.SETTLED) == 100


async def test_tasks_pushed_over_several_edges_are_not_missed(post):
    await post.submit(200)
    await post.strangers(3)
    # 97 stand on the first page, 100 on the second, and the three oldest begin a third.
    pages, singles = await post.look(after=20)
    assert (pages, singles) in {(3, 0), (2, 1), (2, 3)}
    assert await post.count(State.SETTLED) == 200


async def test_tasks_that_the_list_does_not_show_are_read_a_few_at_a_time(post):
    await post.submit(12)
    empty = faults.raw(b'{"code": 200, "data": {"page": 1, "size": 100, "total": 0, "tasks": []}}')
    planted = post.hiapi.fault(empty, on="list", times=1000)
    assert await post.look(after=5) == (1, ALONE)
    assert await post.look(after=6) == (0, ALONE)
    assert await post.look(after=15) == (0, ALONE)
    assert await post.count(State.SETTLED) == ALONE
    planted.lift()
    # A page that is read for others shows them again, all at once.
    await post.submit()
    pages, _ = await post.look(after=20)
    assert pages == 1
    assert await post.count(State.SETTLED) == 13


# --- what it makes of it --------------------------------------------------------------------------


async def test_every_change_of_stage_is_told_once(post):
    [job] = await post.submit()
    await post.look(after=5)
    await post.look(after=5)
    assert post.moved == [job.reply_id]
    assert (await post.job(job.id)).task_status == "handling"


async def test_a_stage_that_cannot_be_written_costs_one_look(post):
    [job] = await post.submit()
    await post.ledger.run(lambda conn: conn.execute(sa.text("ALTER TABLE jobs RENAME TO gone")))
    with pytest.raises(sa.exc.OperationalError):
        await post.look(after=5)
    await post.ledger.run(lambda conn: conn.execute(sa.text("ALTER TABLE gone RENAME TO jobs")))
    # It is not tried again: one that can never be written would stop every look from here on.
    await post.look(after=5)
    assert post.moved == []
    await post.look(after=10)
    assert post.settled == [job.reply_id]


@pytest.mark.parametrize("word", ["moderating", "completed", "SUCCESS", ""])
async def test_a_status_nobody_documented_is_no_end(post, word):
    post.hiapi.fault(faults.strange_status(word))
    [job] = await post.submit()
    await post.look(after=10)
    assert (await post.job(job.id)).state is State.SUBMITTED
    await post.look(after=10)
    assert (await post.job(job.id)).outcome.end is End.PICTURES


async def test_a_task_unknown_to_hiapi_is_given_time_before_it_is_lost(post):
    [job] = await post.submit()
    nothing = faults.raw(b'{"code": 200, "data": {"tasks": []}}')
    post.hiapi.fault(nothing, on="list", times=1000)
    post.hiapi.fault(faults.status(404), on="detail", times=1000)
    while post.clock() < START + timedelta(minutes=10) - timedelta(seconds=5):
        await post.look(after=5)
    assert (await post.job(job.id)).state is State.SUBMITTED
    assert post.hiapi.tasks.requests["detail"] <= 120
    await post.look(after=5)
    found = await post.job(job.id)
    assert (found.outcome.end, found.outcome.code) == (End.UNKNOWN, Code.LOST)
    assert post.settled == [job.reply_id]


async def test_a_task_that_hiapi_shows_in_time_is_not_lost(post):
    [job] = await post.submit()
    nothing = faults.raw(b'{"code": 200, "data": {"tasks": []}}')
    post.hiapi.fault(nothing, on="list", times=3)
    post.hiapi.fault(faults.status(404), on="detail", times=3)
    for _ in range(5):
        await post.look(after=5)
    assert (await post.job(job.id)).outcome.end is End.PICTURES


async def test_a_429_on_the_list_stops_the_looks_as_long_as_it_asks(post):
    await post.submit(3)
    post.hiapi.fault(faults.rate_limited(retry_after=30), on="list")
    assert await post.look(after=20) == (1, 0)
    assert await post.look(after=29) == (0, 0)
    assert await post.count(State.SETTLED) == 0
    assert await post.look(after=1) == (1, 0)
    assert await post.count(State.SETTLED) == 3


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(faults.garbage(), id="garbage"),
        pytest.param(faults.not_an_object(), id="a list"),
        pytest.param(faults.html(), id="a proxy's page"),
        pytest.param(faults.raw(b'{"code":200,"data":{"tasks":7}}'), id="tasks that are none"),
        pytest.param(faults.status(500), id="500"),
    ],
)
async def test_while_the_list_is_broken_tasks_are_read_by_themselves(post, fault):
    await post.submit(7)
    planted = post.hiapi.fault(fault, on="list", times=1000)
    assert await post.look(after=20) == (1, ALONE)
    assert await post.count(State.SETTLED) == ALONE
    planted.lift()
    assert await post.look(after=25) == (1, 0)
    assert await post.count(State.SETTLED) == 7


async def test_one_task_that_cannot_be_read_does_not_hide_the_others(post):
    post.hiapi.fault(faults.never_ends())
    [poisoned] = await post.submit()
    nothing = faults.raw(b'{"code": 200, "data": {"tasks": []}}')
    post.hiapi.fault(nothing, on="list", times=1)
    post.hiapi.fault(faults.status(500), on="detail", match=poisoned.task_id, times=1000)
    assert await post.look(after=5) == (1, 1)
    await post.submit(3)
    for _ in range(5):
        await post.look(after=5)
    assert await post.count(State.SETTLED) == 3


async def test_a_connection_that_breaks_costs_one_look(post):
    await post.submit(2)
    post.hiapi.fault(faults.Drop(), on="list")
    await post.look(after=20)
    assert await post.count(State.SETTLED) == 0
    assert await post.look(after=5) == (1, 0)
    assert await post.count(State.SETTLED) == 2


async def test_a_task_that_never_ends_is_given_up_after_a_day(post):
    post.hiapi.fault(faults.never_ends())
    [job] = await post.submit()
    for _ in range(12):
        await post.look(after=7000)
    assert (await post.job(job.id)).state is State.SUBMITTED
    await post.look(after=DAY - 12 * 7000)
    found = await post.job(job.id)
    assert (found.outcome.end, found.outcome.code) == (End.UNKNOWN, Code.LOST)
    assert await post.look(after=3600) == (0, 0)


async def test_a_picture_that_comes_after_23_hours_still_counts(post):
    post.hiapi.fault(faults.Fate(pace=23 * 3600 / 20))
    [job] = await post.submit()
    for _ in range(24):
        await post.look(after=3600)
    assert (await post.job(job.id)).outcome.end is End.PICTURES


async def test_requests_are_reserved_while_tasks_are_in_flight_and_not_longer(post):
    assert post.budget.reserve == 0
    await post.submit()
    assert post.budget.reserve == 12
    await post.submit(100)
    assert 20 < post.budget.reserve <= 24
    await post.look(after=20)
    assert post.budget.reserve == 0


# --- callbacks ------------------------------------------------------------------------------------


async def told(post: Post, job: Job) -> Heard:
    """A verified callback, as the receiver hands it on."""
    return await post.tracker.told(job.id, await post.client.task(job.task_id))


async def test_while_callbacks_come_tasks_are_looked_at_late_and_seldom(post):
    [first] = await post.submit()
    others = await post.submit(5)
    post.clock.move(20)
    assert await told(post, first) is Heard.SETTLED
    assert post.budget.reserve == 2
    # Three times the median and never before 30 s.
    assert await post.look(after=39) == (0, 0)
    assert await post.look(after=1) == (1, 0)
    assert await post.count(State.SETTLED) == 1 + len(others)


async def test_a_task_that_ended_untold_ends_the_trust_and_the_next_callback_renews_it(post):
    first, silent, running = await post.submit(3)
    post.clock.move(20)
    await told(post, first)
    await post.look(after=40)
    assert (await post.job(silent.id)).state is State.SETTLED
    assert not post.tracker._trusting

    [later] = await post.submit()
    assert await post.look(after=30) == (1, 0)
    assert (await post.job(later.id)).state is State.SETTLED

    [again] = await post.submit()
    post.clock.move(20)
    await told(post, again)
    assert post.tracker._trusting
    assert (await post.job(running.id)).state is State.SETTLED


async def test_a_callback_that_comes_late_renews_no_trust(post):
    """HiAPI's first try was lost; whoever trusted the second would know of each a minute late."""
    [job] = await post.submit()
    while (await post.job(job.id)).state is not State.SETTLED:
        await post.look(after=1)
    post.clock.move(60)
    assert await told(post, job) is Heard.REPEATED
    assert not post.tracker._trusting


async def test_what_is_told_late_ends_the_trust_without_an_alarm(post):
    first, late, running = await post.submit(3)
    post.clock.move(20)
    await told(post, first)
    post.clock.move(15)
    with capture_logs() as lines:
        assert await told(post, late) is Heard.SETTLED
    assert not post.tracker._trusting
    assert {"callbacks.late"} <= {line["event"] for line in lines}
    assert "error" not in {line["log_level"] for line in lines}
    assert await post.look() == (1, 0)
    assert (await post.job(running.id)).state is State.SETTLED


async def test_a_repetition_of_what_was_told_in_time_ends_no_trust(post):
    [job] = await post.submit()
    post.clock.move(20)
    await told(post, job)
    post.clock.move(60)
    assert await told(post, job) is Heard.REPEATED
    assert post.tracker._trusting


async def test_an_end_without_a_date_is_told_in_time(post):
    [job] = await post.submit()
    post.clock.move(100)
    task = await post.client.task(job.task_id)
    await post.tracker.told(job.id, replace(task, completed_at=None))
    assert post.tracker._trusting


async def test_a_task_that_has_just_ended_may_still_be_told_of(post):
    first, last = await post.submit(2)
    post.clock.move(20)
    await told(post, first)
    post.hiapi.tasks.find(last.task_id).stages = (1.0, 54.0, 0.0)
    await post.look(after=40)
    assert (await post.job(last.id)).state is State.SETTLED
    assert post.tracker._trusting


async def test_a_row_that_a_callback_settled_elsewhere_is_no_lost_callback(post):
    first, elsewhere = await post.submit(2)
    post.clock.move(20)
    await told(post, first)
    # Another process took the callback: this one finds out by itself.
    await post.ledger.run(verbs.settle, elsewhere.id, outcome=build.pictures(), now=post.clock())
    assert await post.look(after=40) == (1, 0)
    assert post.tracker._trusting
    assert not post.tracker._live
    assert elsewhere.reply_id not in post.settled


async def test_a_callback_that_says_running_settles_nothing(post):
    [job] = await post.submit()
    assert await told(post, job) is Heard.FOREIGN
    assert (await post.job(job.id)).state is State.SUBMITTED


async def test_a_hint_brings_one_read_at_once_and_no_other_look(post):
    first, second = await post.submit(2)
    post.clock.move(2)
    await post.tracker.hinted(first.id, first.task_id)
    assert await post.look() == (0, 1)
    assert (await post.job(first.id)).state is State.SUBMITTED
    # It is no longer alone: the next look finds both on the page.
    assert await post.look(after=18) == (1, 0)
    assert (await post.job(second.id)).state is State.SETTLED


async def test_a_hint_does_not_break_the_pause_that_hiapi_asked_for(post):
    [job] = await post.submit()
    post.hiapi.fault(faults.rate_limited(retry_after=30), on="list")
    await post.look(after=20)
    await post.tracker.hinted(job.id, job.task_id)
    assert await post.look(after=29) == (0, 0)
    assert await post.look(after=1) == (0, 1)
    assert (await post.job(job.id)).state is State.SETTLED


async def test_hints_cost_at_most_one_read_in_ten_seconds_for_a_job(post):
    post.hiapi.fault(faults.never_ends())
    [job] = await post.submit()
    reads = 0
    for _ in range(30):
        await post.tracker.hinted(job.id, job.task_id)
        reads += (await post.look(after=1))[1]
    assert reads == 3


async def test_hints_cost_at_most_six_reads_a_minute_in_all(post):
    jobs = await post.submit(20)
    for job in jobs:
        await post.tracker.hinted(job.id, job.task_id)
    assert (await post.look())[1] == 6
    for job in jobs:
        await post.tracker.hinted(job.id, job.task_id)
    assert (await post.look(after=1))[1] == 0
    post.clock.move(59)
    for job in jobs:
        await post.tracker.hinted(job.id, job.task_id)
    assert (await post.look())[1] == 6


async def test_a_hint_about_another_task_is_none(post):
    [job] = await post.submit()
    await post.tracker.hinted(job.id, "tk-hiapi-somebody-elses")
    assert await post.look(after=1) == (0, 0)


async def test_a_flood_of_hints_about_nobodys_job_leaves_nothing_behind(post):
    [job] = await post.submit()
    before = await post.ledger.run(lambda conn: conn.scalar(sa.text("PRAGMA data_version")))
    for number in range(10_000):
        await post.tracker.hinted(f"{number:016d}", job.task_id)
    assert await post.look(after=1) == (0, 0)
    assert len(post.tracker._early) == len(post.tracker._hinted) == 0
    assert len(post.tracker._questions._taken) <= 60
    after = await post.ledger.run(lambda conn: conn.scalar(sa.text("PRAGMA data_version")))
    assert before == after
    assert await post.count(State.SUBMITTED) == 1
