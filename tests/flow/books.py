"""The books of a day, kept by five hands: rows, counters, HiAPI's tasks, figures, words for people.

Owns what "to the cent and the job" means. It reckons with the ledger's bare rows in plain Python
and shares no rule with the bot; it never changes anything.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.flow.studio import Studio
from tests.flow.test_history import Shown

Row = dict[str, Any]
Account = tuple[str, str]
LIVE = ("received", "queued", "submitting", "submitted")
# Nobody counts these against a person: the operator must mend them.
OPERATORS_FAULTS = ("model_gone", "no_credit", "misconfigured", "internal")
WORDS = {
    "This would go beyond your limit for pictures": "member, pictures",
    "This would go beyond your budget of ": "member, money",
    "This server has used up its pictures": "server, pictures",
    "This server has used up its budget": "server, money",
    "The bot has made all the pictures": "bot, pictures",
    "The bot has spent all the money": "bot, money",
    "Too many of your requests brought no picture": "attempts",
    "Only 5 of your pictures may wait": "waiting",
    "You are paused": "blocked",
    "A moderator has blocked you": "blocked",
    "The people who run this bot have blocked": "blocked",
}
EXHAUSTED = tuple(kind for kind in WORDS.values() if "," in kind)


def refusal(text: str) -> str:
    """What kind of no that is."""
    return next((kind for words, kind in WORDS.items() if text.startswith(words)), text)


@dataclass
class Sums:
    """What one account comes to; money in millionths of a dollar."""

    pictures: int = 0
    micros: int = 0
    attempts: int = 0

    def __str__(self) -> str:
        attempts = f", {self.attempts} attempts" if self.attempts else ""
        return f"{self.pictures} pictures, {money(self.micros)}{attempts}"


@dataclass(frozen=True)
class Books:
    """The rows as they stand in the file, with what follows from them."""

    replies: tuple[Row, ...]
    jobs: tuple[Row, ...]
    spending: Mapping[Account, Sums]

    @cached_property
    def reckoned(self) -> dict[Account, Sums]:
        """What every account must come to, by the jobs alone."""
        whose = {reply["id"]: reply for reply in self.replies}
        found: dict[Account, Sums] = defaultdict(Sums)
        for job in self.jobs:
            reply = whose[job["reply_id"]]
            scopes = ["bot"]
            if reply["guild_id"] is not None and reply["present"]:
                scopes += [f"server:{reply['guild_id']}"]
                scopes += [f"member:{reply['guild_id']}:{reply['user_id']}"]
            else:
                scopes += [f"person:{reply['user_id']}"]
            day = f"{job['at']:%Y-%m-%d}"
            for scope in scopes:
                for period in (day, day[:7]):
                    found[scope, period].pictures += charged(job)
                    found[scope, period].micros += charged(job) * (job["price"] or 0)
            found[scopes[-1], day].attempts += tried(job)
        return found

    @property
    def whole_bot(self) -> dict[str, Sums]:
        return {period: sums for (scope, period), sums in self.reckoned.items() if scope == "bot"}

    def of(self, scope: str, at: datetime, form: str = "%Y-%m-%d") -> Sums:
        return self.reckoned.get((scope, f"{at:{form}}"), Sums())


def charged(job: Row) -> bool:
    """Reserved while it is under way; afterwards if it was sent and may have brought a picture."""
    sent = job["first_post_at"] is not None
    ended_well = job["state"] == "settled" and job["end"] in ("pictures", "unknown")
    return job["state"] in LIVE or (sent and ended_well)


def tried(job: Row) -> bool:
    """Counts as an attempt: under way, or sent in vain by no fault of the operator's."""
    if job["state"] in LIVE:
        return True
    sent = job["first_post_at"] is not None and job["state"] == "settled"
    lost = job["end"] in ("failed", "refused", "unknown") and job["code"] not in OPERATORS_FAULTS
    return sent and lost


def read(path: Path) -> Books:
    """The books as the database's file holds them now."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as conn:
        conn.row_factory = sqlite3.Row
        replies = [dict(row) for row in conn.execute("SELECT * FROM replies")]
        jobs = [dict(row) for row in conn.execute("SELECT * FROM jobs")]
        counters = [dict(row) for row in conn.execute("SELECT * FROM spending")]
    conn.close()
    for job in jobs:
        told = json.loads(job["outcome"]) if job["outcome"] else None
        job["end"], job["code"] = (told["end"], told.get("code")) if told else (None, None)
        job["at"] = _instant(job["created_at"])
        job["over"] = _instant(job["settled_at"])
    return Books(
        tuple(replies),
        tuple(jobs),
        {
            (row["scope"], row["period"]): Sums(row["pictures"], row["micros"], row["attempts"])
            for row in counters
        },
    )


def moving(path: Path, *, without: Sequence[str]) -> bool:
    """Whether anything is under way, or waits to be shown, but jobs with these words."""
    unlike = " AND prompt NOT LIKE ?" * len(without)
    states = ", ".join(f"'{state}'" for state in LIVE)
    jobs = f"SELECT 1 FROM jobs WHERE state IN ({states}){unlike}"  # noqa: S608 - our own words
    shown = "SELECT 1 FROM replies WHERE delivery = 'open' AND unsettled = 0"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as conn:
        found = conn.execute(jobs, [f"%{word}%" for word in without]).fetchone()
        found = found or conn.execute(shown).fetchone()
    conn.close()
    return found is not None


def _instant(micros: int | None) -> Any:
    return (
        None
        if micros is None
        else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    )


def money(micros: int) -> str:
    """An amount as Easel writes it."""
    whole, rest = divmod(micros, 1_000_000)
    digits = f"{rest:06}".rstrip("0")
    return f"${whole:,}.{digits:0<2}"


def caps_of(text: str) -> Iterator[tuple[str, str, int]]:
    """The counter, the period's form and the limit of each cap in a setting."""
    for dollar, number, period in re.findall(r"(\$?)([\d.]+)/(day|month)", text):
        form = "%Y-%m-%d" if period == "day" else "%Y-%m"
        limit = round(float(number) * 1_000_000) if dollar else int(number)
        yield "micros" if dollar else "pictures", form, limit


def scopes_of(guild_id: int | None, user_id: int) -> dict[str, str]:
    """Whose accounts somebody's request touches, by the setting that limits each."""
    if guild_id is None:
        return {"bot": "bot", "outsider": f"person:{user_id}"}
    return {
        "bot": "bot",
        "server": f"server:{guild_id}",
        "member": f"member:{guild_id}:{user_id}",
    }


def unjustified(
    books: Books,
    kind: str,
    *,
    settings: Any,
    at: datetime,
    whose: tuple[int | None, int],
    asked: tuple[int, int],
) -> str | None:
    """Why a refusal for a limit was wrong: no limit of this kind would have been passed."""
    name, _, counted = kind.partition(", ")
    counter = "micros" if counted == "money" else "pictures"
    scopes = scopes_of(*whose)
    setting = name if name in scopes else "outsider"
    wanted = asked[0] * (asked[1] if counter == "micros" else 1)
    for each, form, limit in caps_of(getattr(settings, f"{setting}_caps")):
        used = getattr(books.of(scopes[setting], at, form), each)
        if each == counter and used + wanted > limit:
            return None
    return f"{whose} was refused {asked} for {kind}, and no such limit was met"


@dataclass(frozen=True)
class Scrape:
    """One process's figures by name and labels."""

    samples: Mapping[tuple[str, ...], float]

    def total(self, name: str, **labels: str) -> float:
        return sum(
            value
            for (found, *pairs), value in self.samples.items()
            if found == f"easel_{name}" and labels.items() <= dict(pairs).items()
        )

    def by(self, name: str, *labels: str) -> Counter[tuple[str, ...]]:
        found: Counter[tuple[str, ...]] = Counter()
        for (each, *pairs), value in self.samples.items():
            if each == f"easel_{name}" and value:
                found[tuple(dict(pairs)[label] for label in labels)] += int(value)
        return found


async def fetched(studio: Studio, path: str) -> str:
    port = studio.app.watch.admin.port
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}") as answer,
    ):
        assert answer.status == 200, f"{path} answered {answer.status}"
        return await answer.text()


async def scrape(studio: Studio) -> Scrape:
    """What Prometheus would read of the process that works now."""
    text = await fetched(studio, "/metrics")
    return Scrape(
        {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    )


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Everything that tells of the day, at one moment at which nothing moves.

    `earlier` are the last scrapes of processes that are gone: their counters began at nothing, as
    Prometheus knows, and what they counted adds up. `people` are members with their server;
    `accepted` requests were taken, `reopened` parked ones asked for by Show. The limits of now hold
    since this day; what was spent until then had others.
    """

    books: Books
    studio: Studio
    prices: Mapping[tuple[str, str], int]
    earlier: tuple[Scrape, ...]
    rooms: tuple[Any, ...]
    moderators: tuple[Any, ...]
    people: tuple[tuple[Any, int | None], ...]
    accepted: int
    reopened: int
    caps_since: str

    @property
    def at(self) -> datetime:
        return self.studio.clock()

    async def amiss(self) -> list[str]:
        """All that contradicts."""
        latest = await scrape(self.studio)
        return [
            *self._counters(),
            *self._limits(),
            *self._hiapi(),
            *self._figures(latest),
            *await self._view(),
            *self._page(await fetched(self.studio, "/?hours=24")),
            *await self._words(),
        ]

    # --- the ledger -------------------------------------------------------------------------------

    def _counters(self) -> Iterator[str]:
        reckoned, kept = self.books.reckoned, self.books.spending
        for account in sorted({*reckoned, *kept}):
            ours, theirs = reckoned.get(account, Sums()), kept.get(account, Sums())
            if ours != theirs:
                yield f"the counter of {account} holds {theirs}, the rows {ours}"
        if len(self.books.replies) != self.accepted:
            yield f"{len(self.books.replies)} replies written, {self.accepted} accepted"
        for job in self.books.jobs:
            price = self.prices.get((job["model"], job["resolution"]))
            if job["price"] != price:
                yield f"job {job['id']} was priced {job['price']}, not {price}"

    def _limits(self) -> Iterator[str]:
        settings = self.studio.app.settings
        names = {"person": "outsider"}
        for (scope, period), sums in self.books.reckoned.items():
            if period <= self.caps_since[: len(period)]:
                continue
            kind = scope.partition(":")[0]
            for counter, form, limit in caps_of(getattr(settings, f"{names.get(kind, kind)}_caps")):
                daily = len(period) > len("2026-03")
                if daily is ("%d" in form) and getattr(sums, counter) > limit:
                    yield f"{scope} spent {sums} in {period}, over its limit of {limit} {counter}"

    # --- HiAPI ------------------------------------------------------------------------------------

    def _hiapi(self) -> Iterator[str]:
        """One bill for each task, one task for each job that has one, and its end the job's."""
        tasks = self.studio.hiapi.tasks
        bills = Counter(bill.key for bill in tasks.bills)
        jobs = {job["id"]: job for job in self.books.jobs}
        yield from (f"{key} was billed {times} times" for key, times in bills.items() if times > 1)
        yield from (f"billed for no job: {key}" for key in bills.keys() - jobs.keys())
        billed: Counter[str] = Counter()
        owed: Counter[str] = Counter()
        now = self.at.timestamp()
        for job in jobs.values():
            task = tasks.by_key(job["id"])
            day = f"{job['at']:%Y-%m-%d}"
            if task is None:
                if job["task_id"] or job["end"] == "pictures":
                    yield f"job {job['id']} ended {job['end']} and HiAPI made nothing"
                owed[day] += charged(job) and job["end"] != "unknown" and job["state"] not in LIVE
                continue
            if job["task_id"] not in (None, task.task_id):
                yield f"job {job['id']} has the task of another"
            if job["state"] == "withdrawn" or job["end"] in ("cancelled", "expired"):
                yield f"job {job['id']} never began for us ({job['end']}) and was billed"
            good = task.status(now) == "success" and bool(task.view(now, origin="")["output"])
            cost = self.prices.get((task.order.model, task.order.resolution)) or 0
            if job["end"] == "unknown":
                billed[day] += cost  # the price of not knowing: charged, and perhaps rightly so
                owed[day] += job["price"] or 0
            elif job["state"] == "settled":
                if good is not (job["end"] == "pictures"):
                    yield f"job {job['id']} ended {job['end']}, its task {task.status(now)}"
                billed[day] += good * cost
                owed[day] += charged(job) * (job["price"] or 0)
        if +billed != +owed:
            yield f"HiAPI's pictures cost {dict(billed)}, ours {dict(owed)}"

    # --- figures ----------------------------------------------------------------------------------

    def _figures(self, latest: Scrape) -> Iterator[str]:
        """Counters of all processes together, gauges of the one that works."""
        scrapes = (*self.earlier, latest)

        def counted(name: str, *labels: str) -> Counter[tuple[str, ...]]:
            return sum((each.by(name, *labels) for each in scrapes), Counter())

        jobs, replies = self.books.jobs, self.books.replies
        pairs: list[tuple[str, object, object]] = [
            (
                "jobs received",
                counted("jobs_received_total", "kind"),
                Counter((job["kind"],) for job in jobs),
            ),
            (
                "jobs settled",
                counted("jobs_settled_total", "end", "code"),
                Counter(
                    (job["end"] or job["state"], job["code"] or "")
                    for job in jobs
                    if job["state"] not in LIVE
                ),
            ),
            (
                "pictures by model",
                +Counter(
                    {
                        model: sum(
                            each.total("jobs_settled_total", end="pictures", model=model)
                            for each in scrapes
                        )
                        for model, _ in self.prices
                    }
                ),
                Counter(job["model"] for job in jobs if job["end"] == "pictures"),
            ),
            (
                "replies closed",
                counted("replies_closed_total", "outcome"),
                # Whoever pressed Show had theirs parked, and shown after all.
                Counter((each["delivery"],) for each in replies if each["delivery"] != "open")
                + Counter({("parked",): self.reopened}),
            ),
            (
                "requests that create",
                Counter(
                    {
                        int(status): times
                        for (route, status), times in counted(
                            "upstream_requests_total", "route", "status"
                        ).items()
                        if route == "create"
                    }
                ),
                Counter(
                    {
                        status: times
                        for (route, status), times in self.studio.hiapi.tasks.answers.items()
                        if route == "create"
                    }
                ),
            ),
            (
                "jobs under way",
                latest.by("jobs", "state"),
                Counter((job["state"],) for job in jobs if job["state"] in LIVE),
            ),
        ]
        for budget, form in (("day", "%Y-%m-%d"), ("month", "%Y-%m")):
            sums = self.books.of("bot", self.at, form)
            told = latest.total("spend", budget=budget, unit="usd")
            pairs += [
                (
                    f"pictures of the {budget}",
                    latest.total("spend", budget=budget, unit="pictures"),
                    sums.pictures,
                ),
                (f"money of the {budget}", round(told * 1e6), sums.micros),
            ]
        for counter, form, limit in caps_of(self.studio.app.settings.bot_caps):
            labels = {
                "budget": "day" if "%d" in form else "month",
                "unit": "usd" if counter == "micros" else "pictures",
            }
            told = latest.total("spend_limit", **labels)
            pairs.append(
                (f"limit {labels}", round(told * (1e6 if counter == "micros" else 1)), limit)
            )
        yield from _unlike("/metrics", pairs)

    # --- the operator's page ----------------------------------------------------------------------

    async def _view(self) -> list[str]:
        """The values before they become words."""
        admin = self.studio.app.watch.admin
        view = await admin._view(24)
        day, month = (self.books.of("bot", self.at, form) for form in ("%Y-%m-%d", "%Y-%m"))
        pairs: list[tuple[str, object, object]] = [
            ("today", Sums(*_values(view.bill.totals.day)), day),
            ("this month", Sums(*_values(view.bill.totals.month)), month),
            (
                "models",
                {
                    each.model: (each.pictures, each.micros, each.unpriced)
                    for each in view.bill.models
                },
                self._models_today(),
            ),
            (
                "budgets",
                {(each.budget, each.unit): each.used for each in view.now.spends},
                {
                    ("day", "pictures"): day.pictures,
                    ("day", "usd"): day.micros / 1e6,
                    ("month", "pictures"): month.pictures,
                    ("month", "usd"): month.micros / 1e6,
                },
            ),
        ]
        return list(_unlike("the page's values", pairs))

    def _models_today(self) -> dict[str, tuple[int, int, int]]:
        found: dict[str, tuple[int, int, int]] = {}
        for job in self.books.jobs:
            if charged(job) and job["at"].date() == self.at.date():
                pictures, micros, unpriced = found.get(job["model"], (0, 0, 0))
                price = job["price"]
                found[job["model"]] = (
                    pictures + 1,
                    micros + (price or 0),
                    unpriced + (price is None),
                )
        return found

    def _page(self, html: str) -> Iterator[str]:
        parts = {
            name: " ".join(re.sub(r"<[^>]*>", " ", text).split())
            for name, text in re.findall(r'<section id="([\w-]+)"(.*?)</section>', html, re.DOTALL)
        }
        whole = [self.books.of("bot", self.at, form) for form in ("%Y-%m-%d", "%Y-%m")]
        told = re.findall(r"Pictures ([\d,]*\d).*?Dollars (\$[\d,.]*\d)", parts["spend"])
        models = re.findall(r"(gpt\S+) ([\d,]+) (\$[\d,.]+|unknown) ([\d,]+)", parts["costs"])
        made = re.findall(
            r"(gpt\S+) (?:[^\d ]|[\d.]+ %) ([\d,]+) ([\d,]+) ([\d,]+)", parts["models"]
        )
        tiles = re.search(
            r"waiting (\d+) .*? being sent (\d+) .*? being made (\d+) .*? being shown (\d+)",
            parts["now"],
        )
        states = Counter(job["state"] for job in self.books.jobs)
        unshown = sum(
            each["delivery"] == "open" and each["unsettled"] == 0 for each in self.books.replies
        )
        unpriced = sum(each[2] for each in self._models_today().values())
        warned = re.search(r"Prices unknown for ([\d,]+) of", parts["spend"])
        yield from _unlike(
            "the page",
            [
                ("budgets", told, [(f"{each.pictures:,}", money(each.micros)) for each in whole]),
                (
                    "models",
                    {model: (int(a), b, int(c)) for model, a, b, c in models},
                    {
                        model: (count, "unknown" if free == count else money(micros), free)
                        for model, (count, micros, free) in self._models_today().items()
                    },
                ),
                ("unpriced", int(warned[1]) if warned else 0, unpriced),
                ("servers", _servers(parts["servers"]), self._servers()),
                ("ends", {model: tuple(map(int, each)) for model, *each in made}, self._ends()),
                (
                    "now",
                    tuple(map(int, tiles.groups())) if tiles else None,
                    (
                        states["queued"] + states["received"],
                        states["submitting"],
                        states["submitted"],
                        unshown,
                    ),
                ),
            ],
        )

    def _servers(self) -> dict[str, tuple[Sums, Sums]]:
        forms = ("%Y-%m-%d", "%Y-%m")
        found = {}
        for room in self.rooms:
            day, month = (self.books.of(f"server:{room.guild.id}", self.at, form) for form in forms)
            if month.pictures:
                found[str(room.guild.id)] = _plain(day), _plain(month)
        rest = []
        for place, form in enumerate(forms):
            whole = self.books.of("bot", self.at, form)
            others = [each[place] for each in found.values()]
            rest.append(
                Sums(
                    whole.pictures - sum(each.pictures for each in others),
                    whole.micros - sum(each.micros for each in others),
                )
            )
        if rest[1].pictures:
            found["Others and direct messages"] = (rest[0], rest[1])
        return found

    def _ends(self) -> dict[str, tuple[int, int, int]]:
        """Made, failed and refused by model, in the 48 half hours of which this is the last."""
        half = timedelta(minutes=30)
        midnight = self.at.replace(hour=0, minute=0, second=0, microsecond=0)
        since = self.at - (self.at - midnight) % half + half - timedelta(hours=24)
        found: dict[str, list[int]] = {}
        for job in self.books.jobs:
            if job["over"] is None or job["over"] < since or job["end"] is None:
                continue
            if job["end"] in ("cancelled", "expired"):
                continue
            place = 0 if job["end"] == "pictures" else 1
            if job["code"] in ("refused_prompt", "bad_reference", "bad_request"):
                place = 2
            found.setdefault(job["model"], [0, 0, 0])[place] += 1
        return {model: (a, b, c) for model, (a, b, c) in found.items()}

    # --- words for people -------------------------------------------------------------------------

    async def _words(self) -> list[str]:
        found: list[str] = []
        for actor, guild_id in self.people:
            room = next((room for room in self.rooms if room.guild.id == guild_id), None)
            asked = actor.slash("usage") if room is None else actor.slash(room, "usage")
            text = _text(await asked)
            scope = f"person:{actor.id}" if room is None else f"member:{guild_id}:{actor.id}"
            found += self._paragraphs(f"/usage of {scope}", text, "You", scope)
            lost = re.search(r"Requests without a picture: (\d+)", text)
            pair = ("attempts", int(lost[1]) if lost else 0, self.books.of(scope, self.at).attempts)
            found += _unlike(f"/usage of {scope}", [pair])
        for room, moderator in zip(self.rooms, self.moderators, strict=True):
            text = _text(await moderator.slash(room, "easel usage"))
            name = f"/easel usage of {room.guild.id}"
            found += self._paragraphs(name, text, "This server", f"server:{room.guild.id}")
            found += self._most(
                name, text.partition("**Most used this month**\n")[2], room.guild.id
            )
        return found

    def _paragraphs(self, name: str, text: str, whose: str, scope: str) -> Iterator[str]:
        pairs: list[tuple[str, object, object]] = []
        for period, form in (("today", "%Y-%m-%d"), ("this month", "%Y-%m")):
            line = re.search(rf"\*\*{whose} {period}\*\*\n(.*)", text)
            sums = self.books.of(scope, self.at, form)
            pairs.append((period, _said(line[1]) if line else None, _plain(sums)))
        yield from _unlike(name, pairs)

    def _most(self, name: str, text: str, guild_id: int) -> Iterator[str]:
        month = f"{self.at:%Y-%m}"
        sums = {
            scope.rpartition(":")[2]: _plain(each)
            for (scope, period), each in self.books.reckoned.items()
            if scope.startswith(f"member:{guild_id}:") and period == month and each.pictures
        }
        told = {who: _said(line) for who, line in re.findall(r"<@(\d+)> · (.*)", text)}
        most = sorted((each.pictures for each in sums.values()), reverse=True)[:10]
        yield from _unlike(
            name,
            [
                ("members", told, {who: sums.get(who) for who in told}),
                ("the most", sorted((each.pictures for each in told.values()), reverse=True), most),
            ],
        )


def _values(spent: Any) -> tuple[int, int, int]:
    return spent.pictures, spent.micros, spent.attempts


def _plain(sums: Sums) -> Sums:
    """Without attempts, of which nothing is said there."""
    return Sums(sums.pictures, sums.micros)


def _micros(text: str) -> int:
    return round(float(text.replace(",", "").removeprefix("$")) * 1_000_000)


def _said(line: str) -> Sums:
    """What a line of /usage tells was used."""
    pictures = re.search(r"Pictures: (\d+)|^(\d+) pictures?", line)
    cost = re.search(r"(?:Cost: |pictures? · )(\$[\d.]+)", line)
    count = next(filter(None, pictures.groups())) if pictures else -1
    return Sums(int(count), _micros(cost[1]) if cost else 0)


def _servers(text: str) -> dict[str, tuple[Sums, Sums]]:
    spent = r"([\d,]+) pictures? (\$[\d,.]+)"
    found = re.findall(rf"(\d{{15,}}|Others and direct messages) {spent} {spent}", text)
    return {
        name: (
            Sums(int(a.replace(",", "")), _micros(b)),
            Sums(int(c.replace(",", "")), _micros(d)),
        )
        for name, a, b, c, d in found
    }


def _text(result: Any) -> str:
    return "\n".join(item["content"] for item in Shown(result).inside if "content" in item)


def _unlike(where: str, pairs: Iterable[tuple[str, object, object]]) -> Iterator[str]:
    for name, told, true in pairs:
        if told != true:
            yield f"{where} tells of {name} {told}, the rows of {true}"
