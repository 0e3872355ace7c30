"""Commands at a fixed rate, whatever the bot makes of it, and what became of each.

It owns the schedule and the figures; it never starts a bot.
"""

import asyncio
import itertools
import math
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench import process
from bench.stage import Stage
from sandbox.wirecord import asking
from sandbox.wirecord.interactions import Asked

PEOPLE = 1000  # so many that nobody reaches the limits of one person, which are not measured here
CHANNELS = 20
DRAIN_SECONDS = 60.0
REST_SECONDS = 0.5  # for the last writes after the last picture

numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Life:
    """One command: milliseconds until it was acknowledged, and from the task's end to the picture.

    `ended`, `shown`: `time.monotonic()`.
    """

    sent: float
    ack: float | None
    ended: float | None
    shown: float | None
    pictures: int  # how often its picture was put up

    @property
    def shown_after(self) -> float | None:
        if self.shown is None or self.ended is None:
            return None
        return (self.shown - self.ended) * 1000


@dataclass(frozen=True, slots=True)
class Round:
    """The figures of one round. Times in milliseconds, memory in megabytes; p50, p95, p99."""

    jobs: int
    ack: tuple[float, float, float]
    shown: tuple[float, float, float]
    throughput: float
    cpu: float
    idle: float
    peak: float
    requests: float
    edits: float
    lost: int
    duplicated: int
    twice: int


async def ask(stage: Stage, *, rate: float, jobs: int) -> list[Asked]:
    """Send the commands on schedule: late ones follow at once, none is left out."""
    asked = []
    begun = time.monotonic()
    for number in range(jobs):
        pause = begun + number / rate - time.monotonic()
        if pause > 0:
            await asyncio.sleep(pause)
        asked.append(await command(stage))
    return asked


async def command(stage: Stage, *, user: int | None = None) -> Asked:
    """One /imagine, by one of many people (or by this one) in one of many channels."""
    number = next(numbers)
    return await stage.discord.command(
        "imagine",
        {"prompt": f"{number}: a heron at dawn, in the manner of an old postcard"},
        user=asking.USER + number % PEOPLE if user is None else user,
        channel=asking.CHANNEL + number % CHANNELS,
    )


async def acknowledged(asked: Sequence[Asked], *, seconds: float = DRAIN_SECONDS) -> None:
    """Wait until every command has its acknowledgement and a moment for what follows it."""
    deadline = time.monotonic() + seconds
    for each in asked:
        while each.acked is None:
            if time.monotonic() > deadline:
                raise TimeoutError("a command was not acknowledged")
            await asyncio.sleep(0.05)
    await asyncio.sleep(REST_SECONDS)


async def drain(asked: Sequence[Asked], *, seconds: float = DRAIN_SECONDS) -> None:
    """Wait until every command has its picture, or for so many seconds."""
    deadline = time.monotonic() + seconds
    for each in asked:
        while not (each.message and each.message.attachments):
            if time.monotonic() > deadline:
                return
            await asyncio.sleep(0.05)
    await asyncio.sleep(REST_SECONDS)


def lives(stage: Stage, asked: Sequence[Asked]) -> list[Life]:
    """What became of the commands."""
    offset = time.monotonic() - time.time()
    ends = {task.order.prompt: task.ends_at + offset for task in stage.hiapi.tasks.all}
    return [_life(each, ends) for each in asked]


def _life(asked: Asked, ends: dict[str, float]) -> Life:
    shows = [edit.at for edit in asked.edits if edit.files]
    return Life(
        sent=asked.sent,
        ack=None if asked.acked is None else asked.ack_seconds * 1000,
        ended=ends.get(prompt(asked)),
        shown=shows[0] if shows else None,
        pictures=len(shows) + len(asked.followups),
    )


def prompt(asked: Asked) -> str:
    """The words of a command: they tell which task is its own."""
    return str(asked.event["data"]["options"][0]["value"])


async def measure(stage: Stage, *, rate: float, jobs: int) -> Round:
    """One round: ask, wait for everything, count."""
    idle, _ = process.memory(stage.pid)
    cpu = process.cpu_seconds(stage.pid)
    async with process.sampled(stage.pid) as samples:
        asked = await ask(stage, rate=rate, jobs=jobs)
        await drain(asked)
    cpu = process.cpu_seconds(stage.pid) - cpu
    peak = max(megabytes for _, megabytes in samples)
    return summary(stage, asked, cpu=cpu, idle=idle, peak=max(peak, process.memory(stage.pid)[1]))


def summary(stage: Stage, asked: Sequence[Asked], *, cpu: float, idle: float, peak: float) -> Round:
    """The figures of these commands."""
    found = lives(stage, asked)
    shown = sorted(life.shown for life in found if life.shown is not None)
    bills = Counter(task.order.prompt for task in stage.hiapi.tasks.all)
    span = shown[-1] - shown[0] if len(shown) > 1 else math.inf
    return Round(
        jobs=len(asked),
        ack=cuts([life.ack for life in found if life.ack is not None]),
        shown=cuts([life.shown_after for life in found if life.shown_after is not None]),
        throughput=(len(shown) - 1) / span,
        cpu=cpu * 1000 / len(asked),
        idle=idle,
        peak=peak,
        requests=requests(stage) / len(asked),
        edits=sum(each.message.written for each in asked if each.message) / len(asked),
        lost=sum(1 for life in found if life.shown is None),
        duplicated=sum(1 for life in found if life.pictures > 1) + _strays(stage, asked),
        twice=sum(1 for each in asked if bills[prompt(each)] > 1),
    )


def _strays(stage: Stage, asked: Sequence[Asked]) -> int:
    """Messages beyond one answer for each command."""
    channels = {each.channel.id for each in asked}
    posted = sum(len(stage.discord.messages.all(channel)) for channel in channels)
    answered = sum(1 for each in stage.discord.interactions.all() if each.message is not None)
    return posted - answered


def requests(stage: Stage) -> int:
    """How many requests HiAPI's limit would have counted."""
    asked = stage.hiapi.tasks.requests
    return asked["create"] + asked["list"] + asked["detail"]


def cuts(values: Sequence[float]) -> tuple[float, float, float]:
    """p50, p95, p99: the value below which (or at which) so many lie."""
    if not values:
        return math.nan, math.nan, math.nan
    ordered = sorted(values)

    def at(share: float) -> float:
        return ordered[math.ceil(share * len(ordered)) - 1]

    return at(0.5), at(0.95), at(0.99)


def median(rounds: Sequence[Round]) -> Round:
    """The median of each figure; what must be zero is summed."""

    def middle(name: str) -> float:
        return statistics.median(getattr(each, name) for each in rounds)

    def all_of(name: str) -> list[tuple[float, float, float]]:
        return [getattr(each, name) for each in rounds]

    def middles(name: str) -> tuple[float, float, float]:
        each = [statistics.median(values) for values in zip(*all_of(name), strict=True)]
        return each[0], each[1], each[2]

    return Round(
        jobs=sum(each.jobs for each in rounds),
        ack=middles("ack"),
        shown=middles("shown"),
        **{n: middle(n) for n in ("throughput", "cpu", "idle", "peak", "requests", "edits")},
        **{n: sum(getattr(each, n) for each in rounds) for n in ("lost", "duplicated", "twice")},
    )
