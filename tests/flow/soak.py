"""A storm: people ask all the time, everything around the bot fails, the bot itself is killed.

Owns the weather and the table at the end: `python -m tests.flow.soak [SECONDS]`. Afterwards the
ledger, HiAPI's bills and Discord's messages must tell the same story (see `accounts`).
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox import faults as hiapi
from sandbox import painter
from sandbox.wirecord import asking
from sandbox.wirecord import faults as discord
from sandbox.wirecord.interactions import DEFER, Asked
from tests.flow import accounts, process
from tests.flow.process import ACK, ORIGINAL, Scene, eventually

SECRET = "a signing key of the account"
ABANDONED = 61.0
PEOPLE, ROOMS = 40, 12
QUIET = 150.0  # seconds after the storm
# Lines that name a defect, whatever the weather.
DEFECTS = ("loop.round_failed", "progress.failed", "command.failed", "job.alarm")

# Every edge: what happens there, and in how many of a hundred requests.
HIAPI = (
    ("create", 2.0, hiapi.rate_limited(retry_after=1)),
    ("create", 1.0, hiapi.rate_limited(retry_after=1, as_date=True, task_envelope=True)),
    ("create", 2.0, hiapi.unavailable()),
    ("create", 2.0, hiapi.status(500, after=True)),
    ("create", 1.0, hiapi.html()),
    ("create", 1.0, hiapi.garbage(after=True)),
    ("create", 1.0, hiapi.no_task_id()),
    ("create", 1.0, hiapi.Drop()),
    ("create", 1.5, hiapi.Drop(after=True)),
    ("create", 2.0, hiapi.Pause(1.5)),
    ("list", 2.0, hiapi.rate_limited(retry_after=1)),
    ("list", 2.0, hiapi.unavailable()),
    ("list", 1.0, hiapi.garbage()),
    ("list", 1.0, hiapi.not_an_object()),
    ("list", 2.0, hiapi.Drop()),
    ("list", 2.0, hiapi.Pause(1.5)),
    ("detail", 3.0, hiapi.status(500)),
    ("detail", 3.0, hiapi.Drop()),
    ("file", 4.0, hiapi.not_there()),
    ("file", 2.0, hiapi.unavailable()),
    ("file", 2.0, hiapi.Drop()),
    ("file", 1.0, hiapi.Drip(0.5, cut=True)),
    ("file", 0.5, hiapi.wrong_bytes()),
    ("file", 2.0, hiapi.Pause(1.5)),
    ("task", 2.0, hiapi.fails()),
    ("task", 1.0, hiapi.gives()),
    ("task", 2.0, hiapi.strange_status()),
    ("task", 2.0, hiapi.thumbnail_first()),
    ("task", 3.0, hiapi.Fate(pace=6)),
    ("callback", 5.0, hiapi.Trick(copies=4)),
    ("callback", 3.0, hiapi.Trick(early=True)),
    ("callback", 3.0, hiapi.Trick(forged=True)),
    ("callback", 2.0, hiapi.Trick(silent=True)),
    ("callback", 1.0, hiapi.Trick(age=900)),
)
EDIT, LOOK = f"PATCH{ORIGINAL[1:]}", f"GET{ORIGINAL[1:]}"
DISCORD = (
    *((on, 1.0, discord.Reset()) for on in (ACK, EDIT, LOOK)),
    *((on, 1.0, discord.Reset(after=True)) for on in (ACK, EDIT)),
    *((on, 1.0, discord.HangUp(after=True)) for on in (ACK, EDIT)),
    *((on, 1.0, discord.refuse(500)) for on in (ACK, EDIT, LOOK)),
    *((on, 1.0, discord.refuse(502, after=True)) for on in (ACK, EDIT)),
    *((on, 1.0, discord.broken()) for on in (ACK, EDIT, LOOK)),
    *((on, 1.0, discord.too_many(retry_after=0.5)) for on in (ACK, EDIT)),
    *((on, 1.0, discord.Slow(1.5)) for on in (ACK, EDIT)),
    *((on, 1.0, discord.Slow(1.5, after=True)) for on in (ACK, EDIT)),
    ("GET /cdn/*", 2.0, discord.refuse(503)),
    ("GET /cdn/*", 2.0, discord.Reset()),
)


@dataclass(eq=False)
class Storm:
    """One run of it over a scene; `dice` make it repeatable, as far as time allows."""

    scene: Scene
    seconds: float
    rate: float
    settings: dict[str, object]
    dice: random.Random
    events: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    pictured_after: list[float] = field(default_factory=list)
    _watching: set[asyncio.Task[None]] = field(default_factory=set)

    async def blow(self) -> None:
        """Faults on; people ask; the process dies twice and loses its line once; faults off."""
        self._plant()
        await self.scene.start(**self.settings)
        self.began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._people())
            group.create_task(self._strokes())
            group.create_task(self._strangers())
        self.scene.hiapi.clear_faults()
        self.scene.discord.faults.clear()

    async def calm(self) -> None:
        """Wait until nothing is under way. What was never confirmed is left to a later start."""
        waiting = (
            "SELECT 1 FROM replies WHERE delivery = 'open' AND NOT EXISTS (SELECT 1 FROM jobs "
            "WHERE reply_id = replies.id AND state = 'received') LIMIT 1"
        )
        await eventually(lambda: not self.scene.rows(waiting), seconds=QUIET, every=0.5)
        await self.scene.processes[-1].stop()
        last = await self.scene.start(ahead=ABANDONED, **self.settings)
        await self.scene.quiet(seconds=QUIET)
        await last.stop()
        for task in self._watching:
            task.cancel()

    # --- what happens -----------------------------------------------------------------------------

    def _plant(self) -> None:
        """Each kind has its own die; what is thrown on one route adds up to 5-10 %."""
        for on, percent, what in HIAPI:
            self.scene.hiapi.fault(what, on=on, chance=percent / 100)
        for number, (on, percent, fault) in enumerate(DISCORD):
            self.scene.discord.fault(fault, on=on, chance=percent / 100, seed=number)

    async def _people(self) -> None:
        picture = painter.paint(painter.PaintJob("a reference"))
        while self._left > 0:
            someone = self.dice.randrange(PEOPLE)
            circumstances = {
                "user": asking.USER + someone,
                "channel": asking.CHANNEL + someone % ROOMS,
                "options": {"private": self.dice.random() < 0.25},
            }
            prompt = f"number {len(self.scene.asked)}"
            if self.dice.random() < 0.2:
                files = [("one.png", picture)] * self.dice.randint(1, 2)
                asked = await self.scene.remix(prompt, attachments=files, **circumstances)
            else:
                asked = await self.scene.imagine(prompt, **circumstances)
            self._watch(asked)
            await asyncio.sleep(self.dice.expovariate(self.rate))

    def _watch(self, asked: Asked) -> None:
        async def watching() -> None:
            await asked.pictured(seconds=3600)
            self.pictured_after.append(time.monotonic() - asked.sent)

        task = asyncio.create_task(watching())
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    async def _strokes(self) -> None:
        """Two SIGKILLs, and between them a line that breaks, its events replayed."""
        for share, stroke in ((0.25, self._kill), (0.5, self._cut), (0.75, self._kill)):
            await asyncio.sleep(max(0.0, self._left - (1 - share) * self.seconds))
            await stroke()

    async def _kill(self) -> None:
        await self.scene.processes[-1].kill()
        self._note("killed")
        await self.scene.start(**self.settings)
        self._note("started again")

    async def _cut(self) -> None:
        gateway = self.scene.discord.gateway
        self.scene.discord.gateway.cut()
        self._note("line cut")
        for asked in self.dice.sample(self.scene.asked, k=min(10, len(self.scene.asked))):
            await self.scene.discord.replay(asked)
        await eventually(lambda: any(session.resumes for session in gateway.connected))
        self._note("resumed, ten old events and all new ones replayed")

    async def _strangers(self) -> None:
        """Callbacks that nobody ordered: forged, repeated, long after or before the time."""
        while self._left > 0:
            await asyncio.sleep(0.5)
            tasks = [task for task in self.scene.tasks[-60:] if task.order.callback_url]
            if tasks:
                trick = hiapi.Trick(forged=self.dice.random() < 0.5)
                name = self.dice.choice(tasks).task_id
                await self.scene.hiapi.send_callback(name, trick=trick)

    @property
    def _left(self) -> float:
        return self.began + self.seconds - time.monotonic()

    def _note(self, event: str) -> None:
        self.events.append(f"{time.monotonic() - self.began:5.1f} s  {event}")

    # --- the table --------------------------------------------------------------------------------

    def defects(self) -> list[str]:
        """Lines of the log that no weather excuses."""
        lines = [line for process_ in self.scene.processes for line in process_.events]
        found = [line for line in lines if line["event"] in DEFECTS or "exception" in line]
        return [json.dumps(line) for line in found]

    def table(self) -> Iterator[str]:
        """What happened, a line each."""
        scene = self.scene
        asked = scene.asked
        promised = [each for each in asked if each.acked is not None and each.answered == DEFER]
        deliveries = Counter(reply["delivery"] for reply in scene.replies)
        ends = Counter(
            json.loads(job["outcome"])["end"] if job["outcome"] else job["state"]
            for job in scene.jobs
        )
        rows: list[tuple[str, object]] = [
            ("seconds of storm", round(self.seconds)),
            ("commands asked", len(asked)),
            ("  acknowledged", len(promised)),
            ("  never acknowledged", len(asked) - len(promised)),
            ("replies", dict(deliveries)),
            ("jobs", dict(ends)),
            ("cards with a picture", sum(map(scene.pictured, asked))),
            ("tasks billed", len(scene.hiapi.tasks.bills)),
            ("jobs counted", scene.counted),
            ("acknowledged after (s)", _spread([each.ack_seconds for each in promised])),
            ("pictured after (s)", _spread(self.pictured_after)),
            ("HiAPI's answers", _answers(scene.hiapi.tasks.answers)),
            ("Discord's answers", _answers(scene.discord.counts)),
            ("accounts amiss", len(accounts.amiss(scene))),
            ("defects logged", len(self.defects())),
        ]
        width = max(len(name) for name, _ in rows)
        yield from (f"{name:<{width}}  {value}" for name, value in rows)
        yield from self.events


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "-"
    ordered = sorted(values)
    marks = (ordered[int(len(ordered) * share)] for share in (0.5, 0.95))
    median, most = marks
    return f"median {median:.2f}, 95 % {most:.2f}, longest {ordered[-1]:.2f}"


def _answers(counts: Counter[Any]) -> str:
    """Statuses by kind of answer; 0 is a connection that broke."""
    sums: Counter[int] = Counter()
    for (_, status), number in counts.items():
        sums[status] += number
    return ", ".join(f"{status}: {number}" for status, number in sorted(sums.items()))


async def run(folder: Path, *, seconds: float, rate: float = 3.0, seed: int = 1) -> Storm:
    """A whole storm and the calm after it."""
    dice = random.Random(seed)  # noqa: S311 (a repeatable die)
    small = painter.paint(painter.PaintJob("a picture"))
    port = process.free_port()
    settings: dict[str, object] = {
        "web_port": port,
        "public_url": f"http://127.0.0.1:{port}",
        "hiapi_webhook_secret": SECRET,
        "bot_caps": "1000000/day",
    }
    hiapi_options = {
        "seconds": lambda: (0.2, dice.uniform(0.5, 4.0), 0.2),
        "concurrency": None,
        "webhook_secret": SECRET,
        "callback_delays": (1, 3, 8),
        "paint": lambda _job: small,
        "seed": seed,
    }
    async with process.opened(folder, **hiapi_options) as scene:
        storm = Storm(scene, seconds, rate, settings, dice)
        await storm.blow()
        await storm.calm()
        return storm


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.flow.soak", description=__doc__)
    parser.add_argument("seconds", nargs="?", type=float, default=600.0)
    parser.add_argument("--rate", type=float, default=3.0, help="commands a second")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        storm = asyncio.run(
            run(Path(folder), seconds=options.seconds, rate=options.rate, seed=options.seed)
        )
        found = [*accounts.amiss(storm.scene), *storm.defects()]
        sys.stdout.write("\n".join([*storm.table(), *found]) + "\n")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
