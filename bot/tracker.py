"""Learns how tasks end: submitted -> settled, by list pages and single reads.

It owns the in-memory index taskId -> job and when to look again; it never submits and never
fetches a picture.

One page of HiAPI's list answers for a hundred tasks, so tasks are grouped by the page they should
stand on: the list is newest first, hence a task's page follows from how many were submitted
after it. A task alone on a far page, or missing where it should stand, is read by itself.

While callbacks arrive the tracker only sweeps: it looks late and seldom. Where a sweep finds a
task that ended without a callback, it stops trusting them until the next one comes.
"""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import hiapi
import structlog

from bot.clock import Clock
from bot.errors import Code
from bot.hiapi import verdict, wire
from bot.hiapi.budget import Budget
from bot.hiapi.client import Client
from bot.ledger import hearing, verbs
from bot.ledger.hearing import Heard
from bot.ledger.ledger import Ledger
from bot.model import End, Job, Outcome, Picture

log = structlog.get_logger(__name__)

PAGE = 100
# Before anything was observed: pictures are said to take 8-30 s.
FIRST_GUESS = timedelta(seconds=10)
# The first look comes at this share of the median: a few are quicker, and people want a sign.
FIRST_LOOK = 0.5
REMEMBERED = 50
# How often an older task is looked at; past the last line it is given up as unknown.
EAGER = timedelta(minutes=3)  # until this age at every look
PACE = (
    (timedelta(minutes=15), timedelta(seconds=15)),
    (timedelta(hours=1), timedelta(minutes=1)),
    (timedelta(hours=24), timedelta(minutes=5)),
)
# While callbacks are trusted: a first look long after the picture is due, then seldom.
SWEEP_EVERY = timedelta(seconds=30)
SWEEP_LOOK = 3.0
# A task that ended longer ago than this, and of which no callback told, has lost its callback.
CALLBACK_GRACE = timedelta(seconds=10)
# Unsigned callbacks are hints that anybody may send: so many reads they may cost.
HINTS_PER_MINUTE = 6
HINT_EVERY = timedelta(seconds=10)
EARLY_HINTS = 100
# A task that HiAPI does not know may be younger than its list; after this it is lost.
UNKNOWN_GRACE = timedelta(minutes=10)


@dataclass(slots=True)
class Watched:
    """A task under way. `rank` counts submissions up to it; `due_at` is the next look."""

    job: Job
    task_id: str
    rank: int
    submitted_at: datetime
    due_at: datetime
    alone: bool = False  # not found on its page last time: read it by itself


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
    ) -> None:
        self._ledger = ledger
        self._client = client
        self._budget = budget
        self._clock = clock
        self._every = every
        self._settled = settled
        self._moved = moved
        self._live: dict[str, Watched] = {}
        self._rank = 0
        self._next_list_at: datetime | None = None
        self._durations: dict[str, deque[timedelta]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self._by_job: dict[str, Watched] = {}
        self._trusting = False
        self._hints: deque[datetime] = deque(maxlen=HINTS_PER_MINUTE)
        self._hinted_at: dict[str, datetime] = {}
        self._early: deque[str] = deque(maxlen=EARLY_HINTS)

    async def load(self, models: tuple[str, ...]) -> None:
        """Rebuild the index and the observed durations from the ledger: once, at start."""
        for model in models:
            found = await self._ledger.run(verbs.durations, model=model, limit=REMEMBERED)
            self._durations[model].extend(found)
        for job in await self._ledger.run(verbs.live):
            self.add(job)

    def add(self, job: Job) -> None:
        """Begin to watch a job that has a task."""
        if job.task_id is None or job.submitted_at is None or job.task_id in self._live:
            return
        self._rank += 1
        watched = Watched(
            job=job,
            task_id=job.task_id,
            rank=self._rank,
            submitted_at=job.submitted_at,
            due_at=job.submitted_at if job.id in self._early else self._first_look(job),
        )
        self._live[job.task_id] = self._by_job[job.id] = watched
        self._reserve()

    async def told(self, job_id: str, task: hiapi.Task) -> Heard:
        """Settle a job from a verified callback, in one durable write."""
        outcome = outcome_of(task)
        if outcome is None:
            return Heard.FOREIGN
        said = await self._ledger.run(
            hearing.settle_heard,
            job_id,
            task_id=task.task_id,
            model=task.model,
            outcome=outcome,
            now=self._clock(),
        )
        if said.heard in (Heard.SETTLED, Heard.REPEATED):
            self._trust(trusting=True)
        if said.heard is Heard.SETTLED and said.reply_id is not None:
            watched = self._by_job.get(job_id)
            if watched is not None:
                self._remember(watched, outcome)
                self._forget(watched)
            self._tell(job_id, said.reply_id, outcome, by="callback")
        return said.heard

    async def hinted(self, job_id: str) -> None:
        """An unsigned callback says that this job is over: look soon, if that is within reason."""
        now = self._clock()
        watched = self._by_job.get(job_id)
        if watched is None:
            # Its POST may still be under way; only then is the hint worth remembering.
            if await self._ledger.run(hearing.is_submitting, job_id):
                self._early.append(job_id)
            return
        last = self._hinted_at.get(job_id)
        full = len(self._hints) == HINTS_PER_MINUTE and now - self._hints[0] < timedelta(minutes=1)
        if full or (last is not None and now - last < HINT_EVERY):
            return
        self._hints.append(now)
        self._hinted_at[job_id] = now
        watched.due_at = now
        watched.alone = True
        self._next_list_at = None

    def job_of(self, task_id: str) -> Job | None:
        """The live job behind a task, from memory."""
        watched = self._live.get(task_id)
        return None if watched is None else watched.job

    def expected(self, model: str) -> timedelta:
        """How long a picture of this model takes: the median of the last ones."""
        seen = self._durations[model]
        return sorted(seen)[len(seen) // 2] if seen else FIRST_GUESS

    def _first_look(self, job: Job) -> datetime:
        submitted_at = job.submitted_at or self._clock()
        expected = self.expected(job.request.model)
        if self._trusting:
            return submitted_at + max(expected * SWEEP_LOOK, SWEEP_EVERY)
        return submitted_at + expected * FIRST_LOOK

    def _trust(self, *, trusting: bool) -> None:
        """Begin or cease to rely on callbacks, and plan the next looks anew."""
        if trusting is self._trusting:
            return
        self._trusting = trusting
        now = self._clock()
        if trusting:
            log.info("callbacks.arriving", cause="polling falls back to a slow sweep")
        else:
            log.error("callbacks.silent", cause="a task ended untold: polling as if without them")
        for watched in self._live.values():
            watched.due_at = max(now, self._first_look(watched.job)) if trusting else now
        self._reserve()

    async def step(self) -> int:
        """Look at what is due. Returns how many jobs were settled."""
        now = self._clock()
        due = [watched for watched in self._live.values() if watched.due_at <= now]
        if not due or (self._next_list_at is not None and now < self._next_list_at):
            return 0
        self._next_list_at = now + self._every
        settled = 0
        try:
            for number, expected in sorted(self._pages(due).items()):
                if number == 1 or len(expected) > 1:
                    settled += await self._read_page(number, expected)
                else:
                    settled += await self._read_one(expected[0])
        except hiapi.HiAPIError as error:
            judged = verdict.judge(error)
            pause = timedelta(seconds=judged.after or 0)
            self._next_list_at = self._clock() + max(pause, self._every)
            log.warning("tracker.read_failed", code=judged.code, cause=str(error))
        return settled

    def _pages(self, due: list[Watched]) -> dict[int, list[Watched]]:
        """Group by the list page on which each task should stand; single reads are pages too."""
        pages: dict[int, list[Watched]] = defaultdict(list)
        for watched in due:
            number = (self._rank - watched.rank) // PAGE + 1
            # A negative number is nobody's page: it stands for one single read.
            pages[-watched.rank if watched.alone else number].append(watched)
        return pages

    async def _read_page(self, number: int, expected: list[Watched]) -> int:
        page = await self._client.page(number, size=PAGE)
        settled = 0
        statuses: dict[str, str] = {}
        for task in page.items:
            watched = self._live.get(task.task_id)
            if watched is not None:
                settled += await self._learn(watched, task, statuses)
        for watched in expected:
            if watched.task_id in self._live and watched.task_id not in {
                task.task_id for task in page.items
            }:
                watched.alone = True
        await self._note(statuses)
        return settled

    async def _read_one(self, watched: Watched) -> int:
        now = self._clock()
        try:
            task = await self._client.task(watched.task_id)
        except hiapi.NotFoundError:
            if now - watched.submitted_at < UNKNOWN_GRACE:
                watched.due_at = now + self._every
                return 0
            outcome = Outcome(end=End.UNKNOWN, code=Code.LOST, detail="HiAPI knows no such task")
            return await self._settle(watched, outcome)
        statuses: dict[str, str] = {}
        settled = await self._learn(watched, task, statuses)
        await self._note(statuses)
        return settled

    async def _learn(self, watched: Watched, task: hiapi.Task, statuses: dict[str, str]) -> int:
        """Take in what one read says of a task; 1 if that ended its job."""
        now = self._clock()
        outcome = outcome_of(task)
        if outcome is not None:
            ended = task.completed_at
            late = ended is None or now.timestamp() - ended > CALLBACK_GRACE.total_seconds()
            if self._trusting and late:
                self._trust(trusting=False)
            self._remember(watched, outcome)
            return await self._settle(watched, outcome)
        age = now - watched.submitted_at
        pace = SWEEP_EVERY if self._trusting else self._every
        if age >= EAGER:
            pace = next((every for limit, every in PACE if age < limit), timedelta(0))
        if not pace:
            outcome = Outcome(end=End.UNKNOWN, code=Code.LOST, detail="no end after 24 hours")
            return await self._settle(watched, outcome)
        watched.due_at = now + pace
        if task.status != watched.job.task_status:
            watched.job = watched.job.evolve(task_status=task.status)
            statuses[watched.job.id] = task.status
        return 0

    async def _note(self, statuses: dict[str, str]) -> None:
        if not statuses:
            return
        await self._ledger.run(verbs.note_status, statuses)
        for watched in list(self._live.values()):
            if watched.job.id in statuses:
                log.info("job.stage", job=watched.job.id, status=watched.job.task_status)
                self._moved(watched.job.reply_id)

    async def _settle(self, watched: Watched, outcome: Outcome) -> int:
        job = watched.job
        reply_id = await self._ledger.run(verbs.settle, job.id, outcome=outcome, now=self._clock())
        self._forget(watched)
        if reply_id is None:
            return 0
        self._tell(job.id, reply_id, outcome, by="poll")
        return 1

    def _forget(self, watched: Watched) -> None:
        self._live.pop(watched.task_id, None)
        self._by_job.pop(watched.job.id, None)
        self._hinted_at.pop(watched.job.id, None)
        self._reserve()

    def _remember(self, watched: Watched, outcome: Outcome) -> None:
        """Let a finished picture teach how long the next one takes."""
        if outcome.pictures:
            took = self._clock() - watched.submitted_at
            self._durations[watched.job.request.model].append(took)

    def _tell(self, job_id: str, reply_id: str, outcome: Outcome, *, by: str) -> None:
        log.info(
            "job.settled",
            job=job_id,
            end=outcome.end,
            code=outcome.code,
            cause=outcome.detail,
            by=by,
        )
        self._settled(reply_id)

    def _reserve(self) -> None:
        """Keep one list read per round and page for ourselves while tasks are in flight."""
        pages = -(-len(self._live) // PAGE)
        every = SWEEP_EVERY if self._trusting else self._every
        self._budget.reserve = int(timedelta(minutes=1) / every) * pages


def outcome_of(task: hiapi.Task) -> Outcome | None:
    """How a task ended, or None while it runs. Unknown statuses run (contract section 2)."""
    if task.status == "success":
        pictures = tuple(
            Picture(url=picture.url, expires_at=picture.expires_at)
            for picture in wire.pictures(task)
        )
        if pictures:
            return Outcome(end=End.PICTURES, pictures=pictures)
        return Outcome(end=End.FAILED, code=Code.NO_PICTURE, detail="success without an image")
    if task.status == "fail":
        return Outcome(end=End.FAILED, code=verdict.judge_task(task), detail=wire.reason(task))
    return None
