"""Within HiAPI's 60 requests a minute: how many pictures, and how late their end is noticed.

It owns the standing queue and its targets; it takes ten minutes of real time and no less.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

from bench import load, stage
from bench.report import Section, Target
from bench.stage import Setup
from sandbox import tasks
from sandbox.wirecord.interactions import Asked

TOO_MANY = HTTPStatus.TOO_MANY_REQUESTS
WAITING = 20  # commands that stand in the queue at any time
WARM_UP = 60.0  # seconds: until the first tasks have ended
LEAST = {False: 45, True: 55}  # pictures a minute by polling, and with callbacks
LATEST = 3.0  # seconds until a task's end is noticed, by polling


@dataclass(frozen=True, slots=True)
class Found:
    """`rate`: pictures a minute. `delays`: seconds from end to picture, p50, p95, p99."""

    rate: float
    delays: tuple[float, float, float]
    requests: float
    refused: int
    lost: int


def seconds() -> tasks.Stages:
    """A task of 20 to 40 seconds."""
    whole = random.uniform(20, 40)  # noqa: S311 - no secret
    return whole * 0.2, whole * 0.7, whole * 0.1


SETUP = Setup(seconds=seconds, poll_every=5.0, limited=True)


def budget(*, minutes: float) -> list[Section]:
    """Polling and callbacks at the same time, each with a HiAPI of its own."""
    return [asyncio.run(_budget(minutes=minutes))]


async def _budget(*, minutes: float) -> Section:
    polling, callbacks = await asyncio.gather(
        _measure(SETUP, minutes=minutes), _measure(replace(SETUP, callbacks=True), minutes=minutes)
    )
    section = Section(
        "6. Within 60 requests a minute",
        f"{minutes:g} minutes, tasks of 20-40 s, {WAITING} commands always in the queue; both "
        "ways at the same time. The first minute is not counted.",
    )
    for name, found in (("polling", polling), ("callbacks", callbacks)):
        p50, p95, p99 = found.delays
        section.lines.append(
            f"- {name}: {found.rate:.1f} pictures a minute, shown {p50:.2f} / {p95:.2f} / "
            f"{p99:.2f} s after the task's end (p50 / p95 / p99), {found.requests:.2f} requests "
            f"per job, {found.refused} refused by HiAPI's limit, {found.lost} lost"
        )
        least = LEAST[found is callbacks]
        section.targets.append(
            Target(f"{name}: at least {least} a minute", f"{found.rate:.1f}", found.rate >= least)
        )
    section.targets.append(
        Target(
            f"polling: noticed within {LATEST:g} s (median)",
            f"{polling.delays[0]:.2f} s",
            polling.delays[0] < LATEST,
        )
    )
    return section


async def _measure(setup: Setup, *, minutes: float) -> Found:
    async with stage.opened(setup) as opened:
        asked: list[Asked] = []
        begun = time.monotonic()
        end = begun + minutes * 60
        while time.monotonic() < end:
            while len(asked) - opened.hiapi.tasks.created < WAITING:
                asked.append(await load.command(opened))
                await asyncio.sleep(0)
            await asyncio.sleep(0.1)
        # What HiAPI knows by now must come; the queue is cut off with the bot.
        sent = {task.order.prompt for task in opened.hiapi.tasks.all}
        requests = load.requests(opened)
        mine = [each for each in asked if load.prompt(each) in sent]
        await load.drain(mine, seconds=120)
        return _found(opened, mine, requests=requests, window=(begun + WARM_UP, end))


def _found(
    opened: stage.Stage, mine: Sequence[Asked], *, requests: int, window: tuple[float, float]
) -> Found:
    begun, end = window
    lives = load.lives(opened, mine)
    counted = [life for life in lives if life.shown and begun <= life.shown < end]
    delays = load.cuts([(life.shown_after or 0) / 1000 for life in counted])
    answers = opened.hiapi.tasks.answers
    return Found(
        rate=len(counted) * 60 / (end - begun),
        delays=delays,
        requests=requests / len(mine),
        refused=sum(
            count
            for (_, status), count in answers.items()
            if status == HTTPStatus.TOO_MANY_REQUESTS
        ),
        lost=sum(1 for life in lives if life.shown is None),
    )
