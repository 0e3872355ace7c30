"""The scenarios: which bot, which load, and what was promised of it.

It owns the targets; it never touches a socket.
"""

import asyncio
import itertools
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench import ledger, load, process, stage
from bench.load import Round
from bench.report import Section, Target
from bench.stage import Setup
from bot.ledger.ledger import Ledger
from sandbox import tasks
from sandbox.wirecord import asking

BARE = Setup(bot="bare")
POLLING = Setup()
CALLBACKS = Setup(callbacks=True)
FINISHED = 100_000

# What was promised.
ACK_MS = 25.0  # p99, or twice the bare bot's if that is more
CPU_TIMES = 1.5  # the bare bot's
IDLE_MB, PEAK_MB, FLIGHT_MB = 110, 150, 100
SHOWN_MS = (30, 100)  # p50, p99, with callbacks
RATE = 100  # pictures a second
REQUESTS = 1.3  # per job
CHANGE = 10  # per cent


@contextmanager
def past() -> Iterator[Path]:
    """A ledger that has seen a lot."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "past.db"
        asyncio.run(_fill(f"sqlite:///{path}"))
        yield path


async def _fill(url: str) -> None:
    async with Ledger(url) as opened:
        for _ in range(0, FINISHED, 10_000):
            await opened.run(ledger.finish, 10_000)


def lifelike() -> Callable[[], tasks.Stages]:
    """Tasks of 8 to 30 seconds, which HiAPI's own pages quote for a picture; the same each time."""
    die = random.Random(20)  # noqa: S311 - no secret

    def seconds() -> tasks.Stages:
        whole = die.uniform(8, 30)
        return whole * 0.2, whole * 0.7, whole * 0.1

    return seconds


async def once(setup: Setup, *, rate: float, seconds: float) -> Round:
    """One round with a fresh bot and fresh stand-ins."""
    async with stage.opened(setup) as opened:
        return await load.measure(opened, rate=rate, jobs=round(rate * seconds))


def even(*, rounds: int, seconds: float) -> list[Section]:
    """20 commands a second: Easel and the bare bot in turns, with tasks as long as HiAPI's."""
    setups = {"bare": BARE, "polling": POLLING, "callbacks": CALLBACKS}
    found: dict[str, list[Round]] = {name: [] for name in setups}
    for _ in range(rounds):
        for name, setup in setups.items():
            timed = replace(setup, seconds=lifelike())
            found[name].append(asyncio.run(once(timed, rate=20, seconds=seconds)))
    medians = {name: load.median(each) for name, each in found.items()}
    bare, polling, callbacks = medians.values()
    section = Section(
        "1. Twenty a second",
        f"{rounds} rounds of {seconds:g} s each, in turns; tasks of 8-30 s, evenly spread.",
    )
    section.rows = list(medians.items())
    section.targets = [
        *_quick(medians),
        *(
            Target(
                f"{name}: CPU per job at most 1.5 times the bare bot's",
                f"{each.cpu:.1f} ms, limit {CPU_TIMES * bare.cpu:.1f}: {each.cpu / bare.cpu:.2f}",
                each.cpu <= CPU_TIMES * bare.cpu,
            )
            for name, each in (("polling", polling), ("callbacks", callbacks))
        ),
        *_small(bare, polling, callbacks),
        _seen(callbacks),
        whole(*medians.values()),
    ]
    return [section]


def short(*, rounds: int, seconds: float) -> list[Section]:
    """The same with tasks of 2.5 s, which spare a bot that polls; and with a long past."""
    with past() as path:
        setups = {
            "bare": BARE,
            "polling": POLLING,
            f"polling, {FINISHED:,} finished": Setup(past=path),
            "callbacks": CALLBACKS,
        }
        found: dict[str, list[Round]] = {name: [] for name in setups}
        for _ in range(rounds):
            for name, setup in setups.items():
                found[name].append(asyncio.run(once(setup, rate=20, seconds=seconds)))
    medians = {name: load.median(each) for name, each in found.items()}
    bare, polling, long, callbacks = medians.values()
    first = Section(
        "1b. Twenty a second, tasks of 2.5 s",
        f"{rounds} rounds of {seconds:g} s each, in turns. Tasks are far shorter than HiAPI's: the "
        "bare bot looks at each only twice.",
    )
    first.rows = [(name, each) for name, each in medians.items() if each is not long]
    ratios = [f"{each.cpu / bare.cpu:.2f}" for each in (polling, callbacks)]
    first.lines = [
        f"- CPU per job, to the bare bot's: polling {ratios[0]}, callbacks {ratios[1]} (no target)"
    ]
    first.targets = [
        *_quick({"bare": bare, "polling": polling, "callbacks": callbacks}),
        *_small(bare, polling, callbacks),
        _seen(callbacks),
        whole(*medians.values()),
    ]
    second = Section(f"5. With {FINISHED:,} finished jobs", "The rounds of section 1b again.")
    second.rows = [("polling", polling), (f"polling, {FINISHED:,} finished", long)]
    for name, before, after in (
        ("ack p50", polling.ack[0], long.ack[0]),
        ("ack p99", polling.ack[2], long.ack[2]),
        ("shown p50", polling.shown[0], long.shown[0]),
        ("CPU per job", polling.cpu, long.cpu),
        ("idle memory", polling.idle, long.idle),
        ("peak memory", polling.peak, long.peak),
    ):
        change = (after / before - 1) * 100
        second.targets.append(
            Target(
                f"{name} at most {CHANGE} % worse",
                f"{before:.1f} -> {after:.1f}: {change:+.0f} %",
                change <= CHANGE,
            )
        )
    return [first, second]


def _quick(medians: dict[str, Round]) -> list[Target]:
    """Acknowledged in time."""
    limit = max(2 * medians["bare"].ack[2], ACK_MS)
    return [
        Target(
            f"{name}: ack p99 at most twice the bare bot's or 25 ms",
            f"{each.ack[2]:.1f} ms, limit {limit:.1f}",
            each.ack[2] <= limit,
        )
        for name, each in medians.items()
        if name != "bare"
    ]


def _small(bare: Round, polling: Round, callbacks: Round) -> list[Target]:
    """Memory."""
    idle, peak = max(polling.idle, callbacks.idle), max(polling.peak, callbacks.peak)
    return [
        Target(f"idle below {IDLE_MB} MB", f"{idle:.0f}", idle < IDLE_MB),
        Target(
            f"peak below {PEAK_MB} MB and below the bare bot's",
            f"{peak:.0f}, bare {bare.peak:.0f}",
            peak < min(PEAK_MB, bare.peak),
        ),
    ]


def _seen(callbacks: Round) -> Target:
    """How soon a picture stands in Discord."""
    return Target(
        f"callbacks: shown p50 below {SHOWN_MS[0]} ms, p99 below {SHOWN_MS[1]} ms",
        f"{callbacks.shown[0]:.0f} / {callbacks.shown[2]:.0f} ms",
        callbacks.shown[0] < SHOWN_MS[0] and callbacks.shown[2] < SHOWN_MS[1],
    )


def burst(*, seconds: float) -> list[Section]:
    """100 commands a second for a few seconds."""
    setups = {"bare": BARE, "polling": POLLING, "callbacks": CALLBACKS}
    section = Section("2. A hundred a second", f"For {seconds:g} s.")
    section.rows = [
        (name, asyncio.run(once(setup, rate=100, seconds=seconds)))
        for name, setup in setups.items()
    ]
    section.targets = [whole(*(each for _, each in section.rows))]
    return [section]


def sustained(*, seconds: float) -> list[Section]:
    """One process, faster and faster, until a backlog grows."""
    return [asyncio.run(_sustained(seconds=seconds))]


RATES = (80, 100, 120, 140, 170, 200)
BEHIND = 1000.0  # ms; who shows pictures this late at the end of a step does not keep up


async def _sustained(*, seconds: float) -> Section:
    section = Section(
        "3. Sustained",
        f"One process with signed callbacks, {seconds:g} s at each rate; a rate holds if the "
        "pictures of the last second are shown within a second (median) and nothing is lost.",
    )
    held = 0
    async with stage.opened(CALLBACKS) as opened:
        for rate in RATES:
            asked = await load.ask(opened, rate=rate, jobs=round(rate * seconds))
            await load.drain(asked)
            found = load.lives(opened, asked)
            last = [life.shown_after for life in found[-rate:] if life.shown_after is not None]
            lost = sum(1 for life in found if life.shown is None)
            ack = load.cuts([life.ack for life in found if life.ack is not None])
            late = load.cuts(last)[0]
            holds = late < BEHIND and not lost
            section.lines.append(
                f"- {rate}/s: ack p50 {ack[0]:.1f}, p99 {ack[2]:.1f} ms; at the end shown after "
                f"{late:.0f} ms; {lost} lost; {'holds' if holds else 'does not hold'}"
            )
            if not holds:
                break
            held = rate
        peak = process.memory(opened.pid)[1]
    section.lines.append(f"- peak {peak:.0f} MB")
    section.targets = [
        Target("100 a second sustained, nothing lost", f"{held}/s holds", held >= RATE)
    ]
    return section


FLIGHT = Setup(seconds=(2.0, 7.0, 1.0), poll_every=5.0)


def flight(*, seconds: float) -> list[Section]:
    """6,000 a minute with 1,000 in flight, by polling."""
    return [asyncio.run(_flight(seconds=seconds))]


async def _flight(*, seconds: float) -> Section:
    section = Section(
        "4. A thousand in flight",
        f"100 commands a second for {seconds:g} s, tasks of 10 s, polled every 5 s.",
    )
    async with stage.opened(FLIGHT) as opened:
        idle, _ = process.memory(opened.pid)
        cpu = process.cpu_seconds(opened.pid)
        async with process.sampled(opened.pid) as samples:
            asked = await load.ask(opened, rate=100, jobs=round(100 * seconds))
            await load.drain(asked)
        cpu = process.cpu_seconds(opened.pid) - cpu
        ends = [life.ended for life in load.lives(opened, asked) if life.ended is not None]
        empty = max(megabytes for at, megabytes in samples if at < min(ends))
        peak = process.memory(opened.pid)[1]
        figures = load.summary(opened, asked, cpu=cpu, idle=idle, peak=peak)
    section.rows = [("polling", figures)]
    section.targets = [
        Target(
            "at most 1.3 requests per job", f"{figures.requests:.2f}", figures.requests <= REQUESTS
        ),
        Target(
            "less than 100 MB above idle while no picture is in hand",
            f"{empty - idle:.0f} MB",
            empty - idle < FLIGHT_MB,
        ),
        whole(figures),
    ]
    return section


CROWD = 1000  # cards of one person in the queue
ENDLESS: tasks.Stages = (1.0, 1e6, 1.0)


def crowd(*, seconds: float) -> list[Section]:
    """One person's thousand cards wait behind a task that does not end; others go on as usual."""
    return [asyncio.run(_crowd(seconds=seconds))]


async def _crowd(*, seconds: float) -> Section:
    section = Section(
        "7. A thousand cards waiting",
        f"One person has {CROWD:,} cards in the queue behind a task that does not end, their "
        f"edits going on; meanwhile 20 commands a second of others for {seconds:g} s, tasks of "
        "8-30 s, signed callbacks. The table is about those others; CPU includes the edits of "
        "the thousand cards.",
    )
    ordinary = lifelike()
    first = itertools.chain([ENDLESS], iter(ordinary, None))
    limits = {"MEMBER_WAITING": str(CROWD), "MEMBER_RUNNING": "1"}
    setup = replace(CALLBACKS, seconds=lambda: next(first), extra=limits)
    async with stage.opened(setup) as opened:
        waiting = [
            await load.command(opened, user=asking.USER + load.PEOPLE) for _ in range(CROWD + 1)
        ]
        await load.acknowledged(waiting)
        edits = sum(each.message.written for each in waiting if each.message)
        figures = await load.measure(opened, rate=20, jobs=round(20 * seconds))
        edits = sum(each.message.written for each in waiting if each.message) - edits
        shown = sum(1 for each in waiting if each.message and each.message.attachments)
    section.rows = [("callbacks", figures)]
    section.lines = [f"- meanwhile {edits} edits of waiting cards; {shown} of them got a picture"]
    section.targets = [
        Target("ack p99 at most 25 ms", f"{figures.ack[2]:.1f} ms", figures.ack[2] <= ACK_MS),
        _seen(figures),
        Target("the thousand cards are kept true", f"{edits} edits", edits > 0),
        Target("none of them passes the task that does not end", f"{shown}", not shown),
        whole(figures),
    ]
    return section


def whole(*rounds: Round) -> Target:
    """Nothing lost, nothing shown or billed twice."""
    lost, doubled, twice = (
        sum(getattr(each, name) for each in rounds) for name in ("lost", "duplicated", "twice")
    )
    return Target(
        "nothing lost, doubled or billed twice",
        f"{lost}, {doubled}, {twice} of {sum(each.jobs for each in rounds)}",
        not lost + doubled + twice,
    )
