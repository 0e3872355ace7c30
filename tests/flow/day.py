"""A busy day on a fast clock: three servers, forty people, every way in which a request can end.

Owns who asks for what and when, and the weather: `python -m tests.flow.day [REQUESTS]`. The day is
the last of a month, crosses midnight, and the process is replaced in the middle of it. Now and then
everything stands still and the books are compared (see `books`): they must agree to the cent and
the job.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import discord

from bot import messenger, pickup
from sandbox import faults, painter
from sandbox import world as worlds
from tests import lines
from tests.flow import books
from tests.flow.studio import ACK, MovedClock, Studio, eventually, image

MORNING = datetime(2026, 3, 31, 8, tzinfo=UTC)
HOURS = 24.0
SERVERS = (16, 12, 9)  # members of each
OUTSIDERS = 3  # people who ask in direct messages
PACE = (1.0, 6.0, 1.0)  # seconds of a task's stages
STEP = 3.0  # seconds from one look to the next while anything is new,
LULL = 600.0  # and at most, while nothing happens
# Each with its share: words that HiAPI's stand-in takes as an order to fail, or to be strange.
WORDS = (
    ("", 68),
    ("[fail]", 6),
    ("[policy]", 6),
    ("[timeout]", 3),
    ("[empty]", 3),
    ("[storage]", 2),
    ("[slow]", 5),
    ("[busy]", 1),
    ("[broken]", 1),
    ("[late]", 1),
    ("[unavailable]", 1),
)
WEATHER = (
    ("create", 0.03, faults.unavailable()),
    ("create", 0.02, faults.status(500, after=True)),
    ("create", 0.02, faults.Drop(after=True)),
    ("create", 0.01, faults.Drop()),
    ("create", 0.02, faults.rate_limited(retry_after=0)),
    ("create", 0.01, faults.garbage(after=True)),
    ("list", 0.03, faults.unavailable()),
    ("file", 0.03, faults.not_there()),
)
DOOMED = "[doomed]"  # HiAPI never answers a request with this word: after 23 hours nobody knows
FOREVER = "[forever]"  # a task that never ends


@dataclass(frozen=True)
class Person:
    """Somebody, and where they ask; `server` is None in direct messages."""

    actor: Any
    server: int | None

    @property
    def id(self) -> int:
        return int(self.actor.id)


@dataclass(eq=False)
class Day:
    """One run of it; `dice` make it repeatable, as far as ids do."""

    studio: Studio
    requests: int
    dice: random.Random
    folder: Path
    hands: random.Random  # apart from the dice: how often they are thrown depends on what happens
    people: list[Person] = field(default_factory=list)
    rooms: list[Any] = field(default_factory=list)
    moderators: list[Any] = field(default_factory=list)
    open: list[tuple[Person, Any]] = field(default_factory=list)
    said: Counter[str] = field(default_factory=Counter)
    did: Counter[str] = field(default_factory=Counter)
    amiss: list[str] = field(default_factory=list)
    scraped: list[books.Scrape] = field(default_factory=list)
    compared: int = 0
    caps_since: str = ""
    accepted: int = 0
    _losing: bool = False  # the next acknowledgement
    _outage: tuple[Any, datetime] | None = None

    # --- the play ---------------------------------------------------------------------------------

    async def play(self) -> None:
        """The whole day, with another process from its middle on."""
        self._settle_in()
        plan = self._plan()
        # Some requests into the new day the process ends; the next one has other limits.
        midnight = (MORNING + timedelta(days=1)).replace(hour=0)
        half = sum(each[0] < midnight for each in plan) + 5
        blocked = self.people[3]
        reason = {"member": blocked.actor, "reason": "a break"}
        await self._ask_things(plan[:half], compare_every=max(1, half // 3))
        await self.moderators[0].slash(self.rooms[0], "easel block", **reason)
        await self._ask(blocked, "a fox", {})
        await self._compare("before the process ends")
        self.scraped.append(await books.scrape(self.studio))
        async with self.studio.restarted(**later(self.requests)):
            self.caps_since = f"{self.studio.clock():%Y-%m-%d}"
            await self._round()
            await self._ask_things(plan[half:], compare_every=max(1, (len(plan) - half) // 2))
            await self._until(MORNING + timedelta(hours=HOURS))
            await self._compare("at the end of the day, with work under way")
            await self._come_to_rest()
            await self._compare("when all is over")

    def _settle_in(self) -> None:
        env = self.studio.env
        manage = discord.Permissions(manage_guild=True)
        for place, members in enumerate(SERVERS):
            guild = self.studio.channel.guild if place == 0 else env.create_guild(f"server {place}")
            self.rooms.append(
                self.studio.channel if place == 0 else guild.create_text_channel("art")
            )
            role = guild.create_role("mods", permissions=manage)
            self.moderators.append(guild.add_member(env.create_user(f"mod{place}"), roles=[role]))
            for number in range(members):
                user = env.create_user(f"p{place}x{number}")
                self.people.append(Person(guild.add_member(user), place))
        self.people += [
            Person(env.create_user(f"out{number}"), None) for number in range(OUTSIDERS)
        ]
        for route, chance, what in WEATHER:
            self.studio.hiapi.fault(what, on=route, chance=chance)
        self.studio.hiapi.fault(faults.Drop(), on="create", times=10**6, match=DOOMED)

    def _plan(self) -> list[tuple[datetime, Person, str, dict[str, Any]]]:
        """Requests in bursts over the day, one of them over midnight; few people ask for most."""
        dice, found = self.dice, []
        midnight = (MORNING + timedelta(days=1)).replace(hour=0)
        busy = [1 / (1 + place % 10) for place in range(len(self.people))]
        # A job that nobody knows the end of needs 23 hours; one that never ends lasts the day.
        first = MORNING + timedelta(minutes=1)
        found = [
            (first, self.people[1], f"a fox {DOOMED}", {}),
            (first, self.people[2], f"a fox {FOREVER}", {"count": 2}),
            (first, self.people[7], "a fox [unavailable]", {}),
        ]
        while len(found) < self.requests:
            at = MORNING + timedelta(hours=dice.uniform(0.1, HOURS - 0.2))
            if len(found) % 5 == 0:
                at = midnight - timedelta(seconds=dice.uniform(0, 40))
            for _ in range(dice.randint(1, 9)):
                [person] = dice.choices(self.people, busy)
                at += timedelta(seconds=dice.expovariate(0.2))
                for _ in range(dice.choice((1, 1, 1, 1, 2, 5))):
                    found.append((at, person, *self._wish()))
        return sorted(found[: self.requests], key=lambda each: each[0])

    def _wish(self) -> tuple[str, dict[str, Any]]:
        dice = self.dice
        [word] = dice.choices([word for word, _ in WORDS], [share for _, share in WORDS])
        options: dict[str, Any] = {}
        [count] = dice.choices((1, 2, 3, 4), (70, 14, 6, 10))
        if count > 1:
            options["count"] = count
        if dice.random() < 0.25:
            options["resolution"] = "2K"
        if dice.random() < 0.15:
            options["private"] = True
        if dice.random() < 0.08:
            options["image1"] = ("a.png", PICTURE)
        animal = dice.choice(("fox", "heron", "boat", "lake", "tree"))
        return f"a {animal} {word}".strip(), options

    async def _ask_things(self, plan: list[Any], *, compare_every: int) -> None:
        for number, (at, person, prompt, options) in enumerate(plan, 1):
            await self._until(at)
            await self._weather(number)
            await self._ask(person, prompt, options)
            if self.dice.random() < 0.5:
                await self._round()
            await self._press()
            if number % compare_every == 0 and number < len(plan):
                await self._compare(f"after {number} of {len(plan)}")

    async def _weather(self, number: int) -> None:
        """Now and then an acknowledgement is lost, and once HiAPI takes nothing for a while."""
        if number % 40 == 5:
            self.studio.env.inject_error("POST", ACK, status=404, code=10062)
            self.did["acknowledgement lost"] += 1
            self._losing = True
        now = self.studio.clock()
        if self._outage is None and number > 10 and not self.did["outage"]:
            fault = self.studio.hiapi.fault(faults.out_of_quota(), on="create", times=10**6)
            self._outage = fault, now + timedelta(minutes=40)
            self.did["outage"] += 1
            # More than may wait; and private ones, whose tokens die before they expire.
            for count in (4, 2):
                options = {"count": count, "private": True}
                await self._ask(self.people[6], "a fox", options)

    async def _ask(self, person: Person, prompt: str, options: dict[str, Any]) -> None:
        command = "remix" if "image1" in options else "imagine"
        asking = {"prompt": prompt, **options}
        if person.server is None:
            result = await person.actor.slash(command, **asking)
        else:
            result = await person.actor.slash(self.rooms[person.server], command, **asking)
        self.did["asked"] += 1
        await asyncio.sleep(0)
        written = await self.studio.reply(result)
        losing, self._losing = self._losing, False
        if written is not None:
            self.accepted += 1
            self.open.append((person, result))
            return
        if losing:
            self.said["not heard"] += 1
            return
        refusal = self.studio.said(result).partition("\n")[0].strip("*")
        kind = books.refusal(refusal)
        self.said[kind] += 1
        if kind in books.EXHAUSTED:
            model = "gpt-image-2-image-to-image-pro" if command == "remix" else "gpt-image-2-pro"
            price = PRICED.get((model, options.get("resolution", "1K")), 0)
            why = books.unjustified(
                self.books,
                kind,
                settings=self.studio.app.settings,
                at=self.studio.clock(),
                whose=(self._guild(person), person.id),
                asked=(options.get("count", 1), price),
            )
            self.amiss += [f"{self.studio.clock()} {why}"] if why else []

    def _guild(self, person: Person) -> int | None:
        return None if person.server is None else int(self.rooms[person.server].guild.id)

    async def _press(self) -> None:
        """Some press Cancel, early or late, or Show on the note that a private card became."""
        if not self.open or self.hands.random() >= 0.12:
            return
        newest = range(max(0, len(self.open) - 6), len(self.open))
        person, result = self.open.pop(self.hands.choice(newest))
        if not any(_has(result.response, label) for label in (*CANCEL, "Show")):
            self.studio.clock.move(STEP)
            await self._cards()
        before = await self.studio.reply(result)
        assert before is not None
        if before.delivery == "parked" and _has(result.response, "Show"):
            await person.actor.click(result.response, label="Show")
            self.did["pressed Show"] += 1
        elif not before.settled and any(_has(result.response, label) for label in CANCEL):
            label = next(label for label in CANCEL if _has(result.response, label))
            await person.actor.click(result.response, label=label)
            self.did["pressed Cancel"] += 1

    # --- time -------------------------------------------------------------------------------------

    async def _until(self, moment: datetime) -> None:
        """Let time pass: in short steps while something moves, in long ones in a lull."""
        while (left := (moment - self.studio.clock()).total_seconds()) > 0:
            self.studio.clock.move(min(left, self._pause()))
            await self._round()

    def _pause(self) -> float:
        if not books.moving(self.folder / "demo.db", without=(FOREVER, DOOMED)):
            return LULL
        return STEP if self._outage is None else 20 * STEP

    async def _round(self) -> None:
        """One round of every stage."""
        if self._outage is not None and self.studio.clock() >= self._outage[1]:
            self._outage[0].lift()
            self._outage = None
        app = self.studio.app
        await app.submitter.expire()
        await self.studio.submit()
        await self.studio.look()
        await self._cards()
        await self.studio.deliver()
        await app.progress.note()
        await app.recovery.step()
        await app.watch.alarms.step()

    async def _cards(self) -> None:
        await self.studio.app.progress.step()
        await eventually(lambda: not self.studio.app.progress._edits, every=0.001)

    async def _come_to_rest(self) -> None:
        """Until only that is under way which never ends."""
        for _ in range(1000):
            if not books.moving(self.folder / "demo.db", without=(FOREVER,)):
                return
            self.studio.clock.move(self._pause())
            await self._round()
        raise AssertionError(f"never at rest: {await self.studio.states()}")

    # --- the books --------------------------------------------------------------------------------

    @property
    def books(self) -> books.Books:
        return books.read(self.folder / "demo.db")

    async def _compare(self, when: str) -> None:
        """Stand still; let what is kept for a minute grow stale; then compare everything."""
        self.studio.clock.move(61)
        people = self.dice.sample(self.people, 4)
        seen = books.Seen(
            books=self.books,
            studio=self.studio,
            prices=PRICED,
            earlier=tuple(self.scraped),
            rooms=tuple(self.rooms),
            moderators=tuple(self.moderators),
            people=tuple((each.actor, self._guild(each)) for each in people),
            accepted=self.accepted,
            reopened=self.did["pressed Show"],
            caps_since=self.caps_since,
        )
        self.amiss += [f"{when} ({self.studio.clock()}): {each}" for each in await seen.amiss()]
        self.compared += 1

    def table(self) -> Iterator[str]:
        """What happened, a line each."""
        found = self.books
        ends = Counter(job["end"] or job["state"] for job in found.jobs)
        rows: list[tuple[str, object]] = [
            ("asked", self.did["asked"]),
            ("taken", self.accepted),
            ("refused", dict(self.said)),
            ("jobs", dict(ends)),
            ("replies", dict(Counter(reply["delivery"] for reply in found.replies))),
            ("tasks made by HiAPI", len(self.studio.hiapi.tasks.bills)),
            ("sent again", sum(job["attempts"] > 0 for job in found.jobs)),
            ("also", {name: times for name, times in self.did.items() if name != "asked"}),
            ("spent", {each: str(sums) for each, sums in sorted(found.whole_bot.items())}),
            ("books compared", self.compared),
            ("amiss", len(self.amiss)),
        ]
        yield from (f"{name:<20}  {value}" for name, value in rows)
        yield from self.amiss


PICTURE = image("red")
PRICED = {
    ("gpt-image-2-pro", "1K"): 41_000,
    ("gpt-image-2-pro", "2K"): 83_500,
    ("gpt-image-2-image-to-image-pro", "1K"): 39_999,
}


def settings(requests: int) -> dict[str, Any]:
    """Limits so near that each of them is met on such a day: of pictures at first."""
    each = requests / (sum(SERVERS) + OUTSIDERS)
    ample = _ample(requests)
    return {
        "prices": ", ".join(
            f"{model}@{size}={micros / 1e6:.6f}" for (model, size), micros in PRICED.items()
        ),
        "bot_caps": f"{round(requests * 0.22 * ample)}/day, ${requests}.00/month",
        "server_caps": f"{round(requests * 0.085 * ample)}/day",
        "member_caps": f"{max(5, round(each * 1.5))}/day, ${max(0.25, each * 0.07):.2f}/day",
        "outsider_caps": "4/day",
        "failed_per_day": max(4, round(requests / 40)),
        "member_running": 3,
        "member_waiting": 5,
        "queue_max_age": 1200,
        "hiapi_requests_per_minute": 100_000,
        "hiapi_poll_every": 5.0,
        "admin_port": 0,
    }


def later(requests: int) -> dict[str, Any]:
    """What the operator changes with the restart: limits of money."""
    ample = _ample(requests)
    return {
        "bot_caps": f"{requests}/day, ${requests * 0.0088 * ample:.2f}/month",
        "server_caps": f"${requests * 0.0045 * ample:.2f}/day",
    }


def _ample(requests: int) -> float:
    """On a long day limits are met late: most of it is to be spent on pictures, not refusals."""
    return 1.0 if requests < 500 else 2.2


CANCEL = ("Cancel", "Don't show it", "Don't show them")  # once it has begun, it reads so


def _has(message: Any, label: str) -> bool:
    """Whether a message has this button now."""
    if message is None:
        return False
    inside = [item for box in message.components for item in box.get("components", [])]
    rows = [item for row in inside for item in row.get("components", ())]
    return any(item.get("label") == label for item in rows)


@contextmanager
def hurried() -> Iterator[None]:
    """Small pictures and no real pauses, as in every flow test."""
    before = messenger.FIRST_PAUSE, pickup.PAUSES, painter.LONG_EDGE
    messenger.FIRST_PAUSE = 0.001
    pickup.PAUSES = (0.0, 0.001, 0.001)
    painter.LONG_EDGE = {"1K": 48, "2K": 64}
    try:
        yield
    finally:
        messenger.FIRST_PAUSE, pickup.PAUSES, painter.LONG_EDGE = before


@asynccontextmanager
async def lived(folder: Path, *, requests: int, seed: int) -> AsyncIterator[Day]:
    """A whole day, played; everything is still up, to be looked at."""
    clock = MovedClock(MORNING)
    with lines.configured(), hurried():
        async with worlds.opened(
            folder, clock=clock, seconds=PACE, start=False, **settings(requests)
        ) as world:
            studio = Studio(
                world=world, clock=clock, app=world.app, channel=world.channel, member=world.member
            )
            dice, hands = (random.Random(f"{seed} {what}") for what in ("plan", "hands"))  # noqa: S311 - a die that can be thrown again
            day = Day(studio=studio, requests=requests, dice=dice, folder=folder, hands=hands)
            await day.play()
            yield day


async def _main(folder: Path, *, requests: int, seed: int) -> bool:
    began = time.monotonic()
    async with lived(folder, requests=requests, seed=seed) as day:
        told = [f"seed {seed}, {time.monotonic() - began:.0f} s", *day.table()]
        sys.stdout.write("\n".join(told) + "\n")
        return bool(day.amiss)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.flow.day", description=__doc__)
    parser.add_argument("requests", nargs="?", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_main(Path(folder), requests=options.requests, seed=options.seed))


if __name__ == "__main__":
    sys.exit(main())
