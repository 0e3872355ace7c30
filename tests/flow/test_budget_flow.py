"""Ten minutes under HiAPI's limit: how many pictures, how soon noticed, never a 429.

The stand-in, its limit and all sockets are real; only the time is moved by hand.
"""

import asyncio
import heapq
import itertools
import random
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.callbacks import Callbacks
from bot.catalog import IMAGINE, Catalog
from bot.hiapi.budget import Budget
from bot.hiapi.client import Client
from bot.ledger import asks, schema, verbs
from bot.ledger.ledger import Ledger
from bot.submitter import Submitter
from bot.tracker import Tracker
from bot.web import CALLBACK_PATH, WebServer
from sandbox.hiapi import StandIn
from tests import build
from tests.flow.studio import START, MovedClock

SECRET = "a-secret-of-the-account"
TICK = 0.5
SUBMITTERS = 8


@dataclass
class Timer:
    """One thing to do later."""

    call: Callable[[], None] | None

    def cancel(self) -> None:
        self.call = None


@dataclass
class Wheel:
    """Timers that go off when the clock is moved past them."""

    clock: MovedClock
    _timers: list[tuple[float, int, Timer]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def monotonic(self) -> float:
        return (self.clock() - START).total_seconds()

    def later(self, seconds: float, call: Callable[[], None]) -> Timer:
        timer = Timer(call)
        heapq.heappush(self._timers, (self.monotonic() + seconds, next(self._numbers), timer))
        return timer

    def move(self, seconds: float) -> None:
        self.clock.move(seconds)
        while self._timers and self._timers[0][0] <= self.monotonic():
            _, _, timer = heapq.heappop(self._timers)
            if timer.call is not None:
                timer.call()


@dataclass
class Plant:
    """Submitters and the tracker at work on a backlog, moved half a second at a time."""

    wheel: Wheel
    ledger: Ledger
    budget: Budget
    submitter: Submitter
    tracker: Tracker
    hiapi: StandIn
    in_flight: list[int] = field(default_factory=list)
    _idle: int = 0
    _workers: list[asyncio.Task[None]] = field(default_factory=list)
    _tick: asyncio.Event = field(default_factory=asyncio.Event)

    async def fill(self, jobs: int) -> None:
        """A standing backlog, each job another person's."""

        def write(conn: sa.Connection) -> None:
            for number in range(jobs):
                wish = build.request(model=IMAGINE.id, prompt=f"heron {number}")
                reply = build.reply(now=START, asks=wish, user_id=number + 1)
                asks.receive(conn, reply, day_limit=1_000_000, now=START)
                verbs.confirm(conn, reply.id, message_id=None, private=False, now=START)

        await self.ledger.run(write)

    def start(self) -> None:
        steps = [self.submitter.step] * SUBMITTERS + [self.tracker.step]
        self._workers = [asyncio.create_task(self._work(step)) for step in steps]

    async def _work(self, step: Callable[[], Awaitable[int]]) -> None:
        while True:
            if not await step():
                self._idle += 1
                await self._tick.wait()
                self._idle -= 1

    async def run(self, seconds: float) -> None:
        for _ in range(int(seconds / TICK)):
            await self._quiet()
            self.in_flight.append(len(self.tracker._live))
            self.wheel.move(TICK)
            await self.hiapi.settle()
            tick, self._tick = self._tick, asyncio.Event()
            tick.set()
        await self._quiet()

    async def _quiet(self) -> None:
        """Until everybody waits for time to pass."""
        for _ in range(3):
            await asyncio.sleep(0)
        while self._idle + self._queued() < len(self._workers):
            assert not any(worker.done() for worker in self._workers)
            await asyncio.sleep(0.0005)  # the ledger's thread and the sockets are at work

    def _queued(self) -> int:
        waiting = self.budget._waiting.values()
        return sum(not place.done() for lane in waiting for place in lane)

    async def stop(self) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    # --- looking ----------------------------------------------------------------------------------

    async def settled(self) -> list[float]:
        """Seconds after the start at which jobs were settled."""
        query = sa.select(schema.jobs.c.settled_at).where(schema.jobs.c.settled_at.is_not(None))
        found = await self.ledger.run(lambda conn: list(conn.scalars(query)))
        return sorted((at - START).total_seconds() for at in found)

    async def delays(self) -> list[float]:
        """Seconds from the end of each task to its job's."""
        query = sa.select(schema.jobs.c.task_id, schema.jobs.c.settled_at).where(
            schema.jobs.c.settled_at.is_not(None)
        )
        found = await self.ledger.run(lambda conn: list(conn.execute(query)))
        tasks = {task.task_id: task for task in self.hiapi.tasks.all}
        return [at.timestamp() - tasks[task_id].ends_at for task_id, at in found]

    @property
    def requests(self) -> int:
        return sum(self.hiapi.tasks.requests[route] for route in ("create", "list", "detail"))

    @property
    def refused(self) -> int:
        told = self.hiapi.tasks.answers
        return sum(n for (_, status), n in told.items() if status == HTTPStatus.TOO_MANY_REQUESTS)


@asynccontextmanager
async def plant(
    folder: Path,
    *,
    per_minute: int = 60,
    callbacks: bool = False,
    handling: tuple[float, float] = (16.0, 36.0),
) -> AsyncIterator[Plant]:
    clock = MovedClock()
    wheel = Wheel(clock)
    dice = random.Random(7)  # noqa: S311 - a repeatable die
    async with AsyncExitStack() as stack:
        hiapi = await stack.enter_async_context(
            StandIn(
                clock=lambda: clock().timestamp(),
                seconds=lambda: (2.0, dice.uniform(*handling), 2.0),
                requests_per_minute=per_minute,
                webhook_secret=SECRET if callbacks else "",
            )
        )
        ledger = Ledger(f"sqlite:///{folder / 'easel.db'}")
        sa.event.listen(ledger._engine, "connect", _hurry)
        await stack.enter_async_context(ledger)
        budget = Budget(
            per_minute=per_minute,
            concurrency=10,
            monotonic=wheel.monotonic,
            later=wheel.later,
        )
        client = await stack.enter_async_context(
            Client(api_key="sk-sandbox", base_url=hiapi.base_url, budget=budget, now=clock)
        )
        tracker = Tracker(
            ledger=ledger,
            client=client,
            budget=budget,
            clock=clock,
            every=timedelta(seconds=5),
            settled=lambda _: None,
            moved=lambda _: None,
        )
        receiver = Callbacks(secret=SECRET, clock=clock, told=tracker.told, hinted=tracker.hinted)
        web = WebServer(
            host="127.0.0.1", port=0, check=_well, callback=receiver.receive, kept=_nothing
        )
        await web.start()
        stack.push_async_callback(web.stop)
        address = f"http://127.0.0.1:{web.port}{CALLBACK_PATH}{{}}".format
        submitter = Submitter(
            ledger=ledger,
            client=client,
            budget=budget,
            catalog=Catalog(),
            clock=clock,
            worker="plant",
            running_limit=10_000,
            queue_max_age=timedelta(days=1),
            callback_url=address if callbacks else None,
            submitted=tracker.add,
            settled=lambda _: None,
            held=lambda: None,
        )
        made = Plant(wheel, ledger, budget, submitter, tracker, hiapi)
        stack.push_async_callback(made.stop)
        yield made


def _hurry(connection: Any, _record: object) -> None:
    """Nothing here survives a power failure anyway."""
    connection.execute("PRAGMA synchronous=OFF")


async def _nothing(_token: str) -> None:
    """Nothing is kept here."""


async def _well() -> str | None:
    return None


async def work(
    folder: Path, *, jobs: int, seconds: float, **how: object
) -> tuple[Plant, list[float], list[float]]:
    """A backlog worked on for so long: when jobs were settled, and how late that was noticed."""
    async with plant(folder, **how) as works:
        await works.fill(jobs)
        works.start()
        await works.run(seconds)
        await works.stop()
        assert works.refused == 0
        assert works.hiapi.tasks.created == len({bill.key for bill in works.hiapi.tasks.bills})
        return works, await works.settled(), await works.delays()


async def test_ten_minutes_of_polling_leave_room_for_45_pictures_a_minute(tmp_path):
    works, settled, delays = await work(tmp_path, jobs=700, seconds=600)
    assert len([at for at in settled if at >= 60]) >= 45 * 9
    assert statistics.median(delays) < 3
    assert max(delays) < 6
    assert works.hiapi.tasks.requests["detail"] == 0


async def test_signed_callbacks_leave_room_for_55_pictures_a_minute(tmp_path):
    works, settled, delays = await work(tmp_path, jobs=700, seconds=600, callbacks=True)
    assert len([at for at in settled if at >= 60]) >= 55 * 9
    assert max(delays) <= TICK
    asked = works.hiapi.tasks.requests
    assert asked["list"] + asked["detail"] < 10


async def test_slow_pictures_do_not_let_the_looks_starve_the_queue(tmp_path):
    works, _, _ = await work(tmp_path, jobs=600, seconds=600, handling=(240.0, 360.0))
    assert works.hiapi.tasks.created >= 45 * 10


async def test_a_thousand_tasks_at_once_cost_little_more_than_their_creation(tmp_path):
    works, settled, _ = await work(tmp_path, jobs=1000, seconds=50, per_minute=6000)
    assert len(settled) == 1000
    assert max(works.in_flight) > 950
    assert works.requests <= 1.3 * 1000
