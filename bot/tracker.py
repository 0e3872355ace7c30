"""Learns how tasks end: submitted -> settled, by list pages and single reads.

It owns the in-memory index taskId -> job and when to look again; it never submits and never
fetches a picture.

One page of HiAPI's list answers for a hundred tasks, so tasks are grouped by the page they should
stand on: the list is newest first, hence a task's page follows from how many were submitted
after it. A task that is missing there is sought a little further on, for others may use the
account too; one that stands alone on a far page, or on none, is read by itself.

While callbacks arrive in time the tracker only sweeps: it looks late and seldom. Where a task ended
without one, or with a late one (HiAPI repeats a lost one after a minute), it trusts none until the
next that is in time.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import hiapi
import structlog

from bot.clock import Clock
from bot.durations import REMEMBERED, Durations
from bot.errors import Code
from bot.hiapi import faults, verdict, wire
from bot.hiapi.budget import Allowance, Budget
from bot.hiapi.client import Client
from bot.ledger import hearing, verbs, watching
from bot.ledger.hearing import Heard
from bot.ledger.ledger import Ledger
from bot.ledger.watching import UnderWay
from bot.model import End, Outcome
from bot.pauses import NEVER, Pause

log = structlog.get_logger(__name__)

PAGE = 100
# The first look comes at this share of the median: a few are quicker, and people want a sign.
FIRST_LOOK = 0.5
# How often an older task is looked at; past the last line it is given up as unknown.
EAGER = timedelta(minutes=3)  # until this age at every look
PACE = (
    (timedelta(minutes=15), timedelta(seconds=15)),
    (timedelta(hours=1), timedelta(minutes=1)),
    (timedelta(hours=24), timedelta(minutes=5)),
)
# A look that took several reads is followed by a longer pause: the reads after the first may use
# this share of the requests, the rest is for new pictures.
SHARE = 0.2
# A task missing from its page is sought on so many further ones, then read by itself; so many of
# these at one look.
FURTHER = 2
ALONE = 5
# While callbacks are trusted: a first look long after the picture is due, then seldom.
SWEEP_EVERY = timedelta(seconds=30)
SWEEP_LOOK = 3.0
# A task that ended so many seconds ago, and of which no callback told, has lost its first one.
CALLBACK_GRACE = 10.0
# Unsigned callbacks are hints that anybody may send: so many reads they may cost a minute, and so
# many questions to the ledger whether a job is under way whose task is not known yet.
HINTED_READS = 6
HINTED_QUESTIONS = 60
HINT_EVERY = timedelta(seconds=10)
EARLY_HINTS = 100
# A task that HiAPI does not know may be younger than its list; after this it is lost.
UNKNOWN_GRACE = timedelta(minutes=10)
MINUTE = timedelta(minutes=1)


@dataclass(slots=True, eq=False)
class Watched:
    """A task under way. `rank` counts submissions up to it; `due_at` is the next look."""

    about: UnderWay
    rank: int
    due_at: datetime
    status: str | None
    missed: int = 0  # pages in a row on which it should have stood
    hinted_at: datetime | None = None

    @property
    def task_id(self) -> str:
        return self.about.task_id

    @property
    def alone(self) -> bool:
        """It stands on no page where it could be looked for: read it by itself."""
        return self.missed > FURTHER


class Tracker:
    """One `step()` looks once at the tasks that are due, for at most one request per page."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        client: Client,
        budget: Budget,
        clock: Clock,
        every: timedelta,
        settled: Callable[[str], None],
        moved: Callable[[str], None],
        pause: Pause = NEVER,
    ) -> None:
        self._ledger = ledger
        self._client = client
        self._budget = budget
        self._clock = clock
        self._every = every
        self._settled = settled
        self._moved = moved
        self._pause = pause
        self._live: dict[str, Watched] = {}
        self._by_job: dict[str, Watched] = {}
        self._rank = 0
        self._paused_until = self._next_look_at = clock()
        self.durations = Durations()
        self._trusting = False
        self._hinted: deque[Watched] = deque()
        self._early: deque[str] = deque(maxlen=EARLY_HINTS)
        self._reads = Allowance(HINTED_READS)
        self._questions = Allowance(HINTED_QUESTIONS)
        self._stages: dict[str, str] = {}  # job id -> what was learned since the last note

    async def load(self, models: tuple[str, ...]) -> None:
        """Rebuild the index and the observed durations from the ledger: once, at start."""
        for model in models:
            found = await self._ledger.read(watching.durations, model=model, limit=REMEMBERED)
            self.durations.add(model, found)
        await self.adopt()

    async def adopt(self) -> int:
        """Begin to watch the tasks that other processes began. Returns how many that are.

        At the start they are the last process's; later those of one beside us, which may stop or
        be killed at any time. Whoever settles one second finds it settled.
        """
        live = await self._ledger.read(watching.live)
        known = len(self._live)
        for each in live:
            self.add(each)
        return len(self._live) - known

    def add(self, about: UnderWay) -> None:
        """Begin to watch a job that has a task."""
        if about.task_id in self._live:
            return
        self._rank += 1
        due_at = self._first_look(about)
        watched = Watched(about, rank=self._rank, due_at=due_at, status=about.status)
        self._live[about.task_id] = self._by_job[about.job_id] = watched
        self._reserve()
        if about.job_id in self._early:
            self._early.remove(about.job_id)
            self._follow(watched)

    async def told(self, job_id: str, task: hiapi.Task) -> Heard:
        """Settle a job from a verified callback, in one durable write."""
        if (outcome := verdict.outcome(task)) is None:
            return Heard.FOREIGN
        outcome = await self._unquoted(job_id, outcome)
        now = self._clock()
        said = await self._ledger.run(
            hearing.settle_heard,
            job_id,
            task_id=task.task_id,
            model=task.model,
            outcome=outcome,
            now=now,
            pause=self._pause,
        )
        watched = self._by_job.get(job_id)
        if said.heard is Heard.SETTLED and watched is not None:
            self._remember(watched, outcome)
            self._forget(watched)
        in_time = (wire.late(task, now=now) or 0) <= CALLBACK_GRACE
        if said.heard is Heard.SETTLED or (in_time and said.heard is Heard.REPEATED):
            self._trust(trusting=in_time, late=not in_time)
        if said.reply_id is not None:
            self._tell(job_id, said.reply_id, outcome, by="callback", **wire.course(task, now=now))
        return said.heard

    async def hinted(self, job_id: str, task_id: str) -> None:
        """An unsigned callback says that this task is over: look soon, if that is within reason."""
        watched = self._by_job.get(job_id)
        if watched is not None:
            if watched.task_id == task_id:
                self._follow(watched)
        elif (
            job_id not in self._early
            and self._questions.take(self._clock())
            # Its POST may still be under way; only then is the hint worth remembering.
            and await self._ledger.run(hearing.is_under_way, job_id)
        ):
            self._early.append(job_id)

    def _follow(self, watched: Watched) -> None:
        """Read this task at the next step, if hints have not cost too much already."""
        now = self._clock()
        last = watched.hinted_at
        if (last is None or now - last >= HINT_EVERY) and self._reads.take(now):
            watched.hinted_at = now
            self._hinted.append(watched)

    def _first_look(self, about: UnderWay) -> datetime:
        expected = self.durations.expected(about.model)
        if self._trusting:
            return about.submitted_at + max(expected * SWEEP_LOOK, SWEEP_EVERY)
        return about.submitted_at + expected * FIRST_LOOK

    def _trust(self, *, trusting: bool, late: bool = False) -> None:
        """Begin or cease to rely on callbacks, and plan the next looks anew."""
        if trusting is self._trusting:
            return
        self._trusting, now = trusting, self._clock()
        if trusting:
            log.info("callbacks.arriving", cause="polling falls back to a slow sweep")
        elif late:
            log.warning("callbacks.late", cause="polling until one comes in time")
        else:
            log.error("callbacks.silent", cause="a task ended untold: polling as if without them")
        for watched in self._live.values():
            watched.due_at = max(now, self._first_look(watched.about)) if trusting else now
        self._reserve()

    async def step(self) -> int:
        """Look at what is due. Returns how many jobs were settled."""
        now = self._clock()
        if now < self._paused_until:
            return 0
        settled = 0
        try:
            while self._hinted:
                settled += await self._read_one(self._hinted.popleft(), now)
            if now >= self._next_look_at:
                settled += await self._look(now)
        except hiapi.HiAPIError as error:
            judged = verdict.judge(error)
            pause = timedelta(seconds=judged.after or 0)
            self._paused_until = self._clock() + max(pause, self._every)
            log.warning("tracker.read_failed", code=judged.code, cause=str(error))
        await self._note()
        return settled

    async def _look(self, now: datetime) -> int:
        """Read the pages on which due tasks should stand, then those that stand on none."""
        due = [watched for watched in self._live.values() if watched.due_at <= now]
        if not due:
            return 0
        self._next_look_at = now + self._every
        pages: dict[int, list[Watched]] = defaultdict(list)
        alone: list[Watched] = []
        for watched in due:
            page = (self._rank - watched.rank) // PAGE + 1
            (alone if watched.alone else pages[page]).append(watched)
        reads = settled = 0
        while pages:
            number = min(pages)
            expected = pages.pop(number)
            if number > 1 and len(expected) == 1:
                alone += expected
                continue
            reads += 1
            try:
                settled += await self._read_page(number, expected, pages, now)
            except (faults.BadAnswerError, faults.ServerError) as error:
                log.warning("tracker.page_failed", page=number, cause=str(error))
                alone += expected
        # What a page told of meanwhile is not due any more. The longest due come first, so that
        # one that cannot be read does not keep the others from being read.
        alone += [watched for watched in due if watched.alone]
        waiting = {each for each in alone if each.task_id in self._live and each.due_at <= now}
        for watched in sorted(waiting, key=lambda each: (each.due_at, each.rank))[:ALONE]:
            watched.due_at = now + self._every
            settled += await self._read_one(watched, now)
            reads += 1
        self._next_look_at = now + self._interval(reads)
        return settled

    def _interval(self, reads: int) -> timedelta:
        """The time from a look that took so many reads to the next one."""
        each = MINUTE / (SHARE * self._budget.per_minute)
        return self._every + max(0, reads - 1) * each

    async def _read_page(
        self, number: int, expected: list[Watched], pages: dict[int, list[Watched]], now: datetime
    ) -> int:
        """Read a page; what should stand there and does not is put down for the next one."""
        newest = self._rank
        page = await self._client.page(number, size=PAGE)
        found: dict[str, hiapi.Task] = {}
        for place, task in enumerate(page.items):
            watched = self._live.get(task.task_id)
            if watched is not None:
                # Others may use the account too: where it stands tells its rank.
                watched.rank = newest - (number - 1) * PAGE - place
                watched.missed = 0
                found[task.task_id] = task
        # All at once: the ledger then writes them in one transaction.
        learning = (self._learn(self._live[name], task, now) for name, task in found.items())
        settled = sum(await asyncio.gather(*learning))
        ends_here = len(page.items) < PAGE
        for watched in expected:
            if watched.task_id not in found and watched.task_id in self._live:
                watched.missed = FURTHER + 1 if ends_here else watched.missed + 1
                if not watched.alone:
                    pages[number + 1].append(watched)
        return settled

    async def _read_one(self, watched: Watched, now: datetime) -> int:
        if watched.task_id not in self._live:
            return 0
        try:
            task = await self._client.task(watched.task_id)
        except hiapi.NotFoundError:
            if now - watched.about.submitted_at < UNKNOWN_GRACE:
                watched.due_at = now + self._every
                return 0
            outcome = Outcome(end=End.UNKNOWN, code=Code.LOST, detail="HiAPI knows no such task")
            return await self._settle(watched, outcome)
        return await self._learn(watched, task, now)

    async def _learn(self, watched: Watched, task: hiapi.Task, now: datetime) -> int:
        """Take in what one read says of a task; 1 if that ended its job. The look began at `now`:
        however long it takes, the next one finds all of them due.
        """
        if (outcome := verdict.outcome(task)) is not None:
            at = self._clock()
            # If its callback came after all, or to another process, the row does not move.
            if not await self._settle(watched, outcome, **wire.course(task, now=at)):
                return 0
            self._remember(watched, outcome)
            late = wire.late(task, now=at)
            if late is None or late > CALLBACK_GRACE:
                self._trust(trusting=False)
            return 1
        age = now - watched.about.submitted_at
        pace = SWEEP_EVERY if self._trusting else self._every
        if age >= EAGER:
            pace = next((every for limit, every in PACE if age < limit), timedelta(0))
        if not pace:
            outcome = Outcome(end=End.UNKNOWN, code=Code.LOST, detail="no end after 24 hours")
            return await self._settle(watched, outcome)
        watched.due_at = now + pace
        if task.status != watched.status:
            watched.status = self._stages[watched.about.job_id] = task.status
        return 0

    async def _note(self) -> None:
        """Write down the stages that were learned; pages and pictures come before."""
        stages, self._stages = self._stages, {}
        if stages:
            await self._ledger.run(verbs.note_status, stages)
        for job_id in stages:
            watched = self._by_job.get(job_id)
            if watched is not None:
                log.info("job.stage", job=job_id, status=watched.status)
                self._moved(watched.about.reply_id)

    async def _settle(self, watched: Watched, outcome: Outcome, **about: object) -> int:
        job_id = watched.about.job_id
        outcome = await self._unquoted(job_id, outcome)
        reply_id = await self._ledger.run(
            verbs.settle, job_id, outcome=outcome, now=self._clock(), pause=self._pause
        )
        self._forget(watched)
        if reply_id is None:
            return 0
        self._tell(job_id, reply_id, outcome, by="poll", **about | {"model": watched.about.model})
        return 1

    async def _unquoted(self, job_id: str, outcome: Outcome) -> Outcome:
        """Without what HiAPI repeats of a prompt, which stands in no index and no log line."""
        if outcome.detail:
            return await self._ledger.run(verbs.unquoted, job_id, outcome=outcome)
        return outcome

    def _forget(self, watched: Watched) -> None:
        self._live.pop(watched.task_id, None)
        self._by_job.pop(watched.about.job_id, None)
        self._reserve()

    def _remember(self, watched: Watched, outcome: Outcome) -> None:
        if outcome.seconds is not None:  # however late it was found
            self.durations.add(watched.about.model, [timedelta(seconds=outcome.seconds)])

    def _tell(self, job_id: str, reply_id: str, outcome: Outcome, **about: object) -> None:
        told = {"end": outcome.end, "code": outcome.code, "cause": outcome.detail}
        log.info("job.settled", job=job_id, **told, **about)
        self._settled(reply_id)

    def _reserve(self) -> None:
        """Keep the reads of a minute for ourselves while tasks are in flight."""
        pages = -(-len(self._live) // PAGE)
        every = max(SWEEP_EVERY if self._trusting else self._every, self._interval(pages))
        self._budget.reserve = int(MINUTE * pages / every)
