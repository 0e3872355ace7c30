"""What the operator's page tells at one moment, gathered and put into words.

It owns the figures and how fresh they are; it never draws anything, and never holds a prompt.
Looking costs the ledger little: what is under way is read at most every two seconds, what is past
at most every ten or, over a day, every sixty, however many look; and nothing waits for a look.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.admin import charts, spending
from bot.admin.charts import Chart
from bot.admin.spending import Bill
from bot.alarms import WORDS_OF, Alarms
from bot.allowance import Caps
from bot.clock import Clock
from bot.errors import WORDS, Code
from bot.hiapi.budget import Budget
from bot.ledger import costs, overview
from bot.ledger.ledger import Ledger, LedgerError
from bot.ledger.overview import Count, Failed, Took
from bot.metrics import Now
from bot.model import End, Job

log = structlog.get_logger(__name__)

NOW_FRESH = timedelta(seconds=2)
BILL_FRESH = timedelta(seconds=10)
PAST_FRESH = {1: timedelta(seconds=10), 24: timedelta(seconds=60)}  # by the hours looked back
PATIENCE = 3.0  # seconds for the ledger to tell what is,
PATIENCE_PAST = 10.0  # and what was: 1.5 s for a day of 200,000 jobs
FAILURES = 10
PICTURES = 12
PICTURES_SINCE = timedelta(days=1)
# What the page can look back on: hours, and minutes to a column of its charts.
SPANS = {1: 2, 24: 30}
# Failures that are no fault of the service nor of the bot.
PEOPLES = frozenset({Code.REFUSED_PROMPT, Code.BAD_REFERENCE, Code.BAD_REQUEST})
GOOD, THEIRS, BAD = "good", "theirs", "bad"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Model:
    """How a model did: `theirs` were refused for what was asked, and count neither way."""

    name: str
    made: int
    failed: int
    theirs: int

    @property
    def rate(self) -> float | None:
        """The share of good ones among what was the service's and the bot's to do."""
        tried = self.made + self.failed
        return self.made / tried if tried else None


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that ended badly, without a word of the person's."""

    id: str
    at: datetime
    what: str
    model: str
    code: str
    words: str


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A picture that was made in the open."""

    id: str
    at: datetime
    what: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """An alarm that stands."""

    title: str
    cause: str
    advice: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that the page shows. `now` None: the ledger does not answer.

    `priced`: the operator said what at least some pictures cost.
    """

    at: datetime
    hours: int
    now: Now | None
    priced: bool
    bill: Bill | None = None
    troubles: tuple[Trouble, ...]
    charts: tuple[Chart, ...] = ()
    models: tuple[Model, ...] = ()
    failures: tuple[Failure, ...] = ()
    exhibits: tuple[Exhibit, ...] = ()


@dataclass(frozen=True, slots=True)
class _Past:
    """What the ledger tells of so many hours, in columns that begin at `since`."""

    since: datetime
    counts: list[Count]
    took: list[Took]
    overall: Took | None
    failures: list[Failed]
    public: list[Job]


class _Kept(Generic[T]):
    """One answer for all who ask within its time; whoever comes while it is asked for waits."""

    def __init__(self, ask: Callable[[], Awaitable[T]], *, fresh: timedelta, clock: Clock) -> None:
        self._ask = ask
        self._fresh = fresh
        self._clock = clock
        self._asking = asyncio.Lock()
        self._answer: tuple[datetime, T] | None = None

    async def get(self) -> T:
        async with self._asking:
            now = self._clock()
            if self._answer is None or now - self._answer[0] >= self._fresh:
                self._answer = now, await self._ask()
            return self._answer[1]


class Board:
    """Gathers what is from the parts of one process, and what was from the ledger."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        clock: Clock,
        budget: Budget,
        alarms: Alarms,
        caps: Caps,
        priced: bool,
        ready: Callable[[], bool],
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._budget = budget
        self._alarms = alarms
        self._caps = caps
        self._priced = priced
        self._ready = ready
        self._now = _Kept(self._ask_now, fresh=NOW_FRESH, clock=clock)
        self._bill = _Kept(self._ask_bill, fresh=BILL_FRESH, clock=clock)
        self._past = {
            hours: _Kept(self._asking_past(hours), fresh=PAST_FRESH[hours], clock=clock)
            for hours in SPANS
        }

    async def now(self) -> Now | None:
        """What is under way, or None if the ledger does not answer."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._now.get()
        except (TimeoutError, SQLAlchemyError, LedgerError) as error:
            self._say(error)
            return None

    async def view(self, hours: int) -> View:
        """All that the page shows of so many hours, one of `SPANS`."""
        now = await self.now()
        at = self._clock()
        troubles = tuple(
            Trouble(
                title=WORDS_OF[each.alarm].title + (f" ({each.subject})" if each.subject else ""),
                cause=each.cause,
                advice=WORDS_OF[each.alarm].advice,
                since=datetime.fromtimestamp(each.since, tz=at.tzinfo),
            )
            for each in self._alarms.active
        )
        try:
            async with asyncio.timeout(PATIENCE_PAST):
                past = await self._past[hours].get() if now is not None else None
                bill = await self._bill.get() if now is not None else None
        except (TimeoutError, SQLAlchemyError, LedgerError) as error:
            self._say(error)
            past = None
        if past is None:
            return View(at=at, hours=hours, now=None, priced=self._priced, troubles=troubles)
        return View(
            at=at,
            hours=hours,
            now=now,
            priced=self._priced,
            bill=bill,
            troubles=troubles,
            charts=_charts(past, hours=hours),
            models=_models(past.counts),
            failures=tuple(_failure(job) for job in past.failures),
            exhibits=tuple(_exhibit(job) for job in past.public),
        )

    def _say(self, error: Exception) -> None:
        # An open page asks every three seconds.
        if not self._ledger.excuses(error):
            log.warning("admin.no_ledger", cause=str(error) or "too slow")

    async def _ask_now(self) -> Now:
        at = self._clock()
        live, totals = await self._ledger.read(_now, now=at)
        oldest = live.oldest_queued_at
        return Now(
            states=live.states,
            oldest_queued=0.0 if oldest is None else max(0.0, (at - oldest).total_seconds()),
            undelivered=live.undelivered,
            budget_per_minute=self._budget.per_minute,
            budget_used=self._budget.used,
            spends=spending.spends(totals, caps=self._caps, at=at, priced=self._priced),
            ready=self._ready(),
        )

    async def _ask_bill(self) -> Bill:
        return await self._ledger.read(_bill, now=self._clock())

    def _asking_past(self, hours: int) -> Callable[[], Awaitable[_Past]]:
        async def ask() -> _Past:
            now = self._clock()
            step = timedelta(minutes=SPANS[hours])
            # Columns end at whole steps, so that a bar keeps its jobs while it wanders to the left.
            since = now - (now - _whole(now)) % step + step - timedelta(hours=hours)
            return await self._ledger.read(_past, now=now, since=since, step=step)

        return ask


def _whole(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _now(conn: Any, *, now: datetime) -> tuple[overview.Live, costs.Totals]:
    return overview.live(conn), costs.totals(conn, now=now)


def _bill(conn: Any, *, now: datetime) -> Bill:
    return spending.bill(conn, models=overview.models(conn), now=now)


def _past(conn: Any, *, now: datetime, since: datetime, step: timedelta) -> _Past:
    """All of it in one look."""
    models = overview.models(conn)
    within: dict[str, Any] = {"models": models, "since": since}
    overall = overview.took(conn, **within, step=timedelta(days=2))
    return _Past(
        since=since,
        counts=overview.counts(conn, **within, step=step),
        took=overview.took(conn, **within, step=step),
        overall=overall[0] if overall else None,
        failures=overview.failures(conn, **within, limit=FAILURES),
        public=overview.public(conn, models=models, since=now - PICTURES_SINCE, limit=PICTURES),
    )


def _kind(count: Count) -> str | None:
    """How jobs count; None for what people took back and what never began."""
    if count.end is End.PICTURES:
        return GOOD
    if count.end in (End.CANCELLED, End.EXPIRED):
        return None
    return THEIRS if count.code in PEOPLES else BAD


def _models(counts: Sequence[Count]) -> tuple[Model, ...]:
    counted: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for count in counts:
        kind = _kind(count)
        if kind is not None:
            counted[count.model][kind] += count.jobs
    return tuple(
        Model(name=name, made=found[GOOD], failed=found[BAD], theirs=found[THEIRS])
        for name, found in sorted(counted.items())
    )


def _failure(job: Failed) -> Failure:
    return Failure(
        id=job.id,
        at=job.settled_at,
        what=f"{job.kind}, {job.aspect_ratio}, {job.resolution}",
        model=job.model,
        code=job.code,
        words=WORDS[job.code].operator,
    )


def _exhibit(job: Job) -> Exhibit:
    asked = job.request
    return Exhibit(
        id=job.id,
        at=job.settled_at or job.created_at,
        what=f"{asked.kind}, {asked.aspect_ratio}, {asked.resolution}",
    )


def _charts(past: _Past, *, hours: int) -> tuple[Chart, ...]:
    step = timedelta(minutes=SPANS[hours])
    number = timedelta(hours=hours) // step
    begins = [past.since + step * place for place in range(number)]
    times = (
        f"{begins[0]:%H:%M}",
        f"{begins[number // 2]:%H:%M}",
        f"{past.since + timedelta(hours=hours):%H:%M} UTC",
    )
    return (
        _throughput(past, begins, times=times, minutes=SPANS[hours]),
        _latency(past, number, times=times),
    )


def _throughput(
    past: _Past, begins: list[datetime], *, times: tuple[str, ...], minutes: int
) -> Chart:
    kinds = (GOOD, THEIRS, BAD)
    columns = [[0, 0, 0] for _ in begins]
    for count in past.counts:
        kind = _kind(count)
        if kind is not None and count.column < len(columns):
            columns[count.column][kinds.index(kind)] += count.jobs
    top = charts.ceiling(max(map(sum, columns)))
    good, theirs, bad = map(sum, zip(*columns, strict=True))
    return Chart(
        name=f"Pictures per {minutes} minutes",
        summary=f"{good} made, {theirs} refused for what was asked, {bad} failed",
        legend=((GOOD, f"made: {good}"), (THEIRS, f"refused: {theirs}"), (BAD, f"failed: {bad}")),
        ticks=(f"{top:g}", f"{top / 2:g}", "0"),
        times=times,
        bars=charts.stacks(
            columns,
            kinds=kinds,
            titles=[
                f"{begin:%H:%M}: {made} made, {refused} refused, {failed} failed"
                for begin, (made, refused, failed) in zip(begins, columns, strict=True)
            ],
            top=top,
        ),
    )


def _latency(past: _Past, number: int, *, times: tuple[str, ...]) -> Chart:
    halves: list[float | None] = [None] * number
    most = halves.copy()
    for took in past.took:
        if took.column < number:
            halves[took.column], most[took.column] = took.median, took.most
    top = charts.ceiling(max((value for value in most if value is not None), default=0))
    overall = past.overall
    middle, late = (
        (f"{overall.median:.1f} s", f"{overall.most:.1f} s") if overall else ("none", "none")
    )
    return Chart(
        name="Seconds from asking to the picture",
        summary=f"median {middle}, 95 of 100 within {late}",
        legend=(("median", f"median: {middle}"), ("most", f"95 of 100 within: {late}")),
        ticks=(f"{top:g} s", f"{top / 2:g} s", "0 s"),
        times=times,
        lines=(
            charts.line(most, kind="most", top=top),
            charts.line(halves, kind="median", top=top),
        ),
    )
