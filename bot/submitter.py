"""Sends queued jobs to HiAPI: queued -> submitting -> submitted, or settled when it says no.

It owns the first and every repeated POST of a job; it never looks at a task again afterwards.

The bytes of a request are frozen before the first POST and resent as they are under the same
idempotency key, so an answer that was lost is asked for again and nothing is billed twice. The
key lives about 24 hours: a job whose first POST is older is never sent again. While HiAPI says of
every POST that it made no task, the job is as good as in the queue: it may be taken back, and
expires.
"""

import functools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import hiapi
import structlog

from bot import quotes
from bot.catalog import Catalog
from bot.claims import Claims
from bot.clock import Clock
from bot.errors import WORDS, Code
from bot.hiapi import faults, verdict, wire
from bot.hiapi.budget import Budget
from bot.hiapi.client import Client
from bot.ledger import ending, leases, verbs
from bot.ledger.ledger import Ledger
from bot.ledger.unsent import Oldest
from bot.ledger.watching import UnderWay
from bot.model import End, Job, Outcome, State
from bot.pauses import NEVER, Pause

log = structlog.get_logger(__name__)

T = TypeVar("T")

LEASE = timedelta(seconds=120)
KEY_LIFE = timedelta(hours=23)  # about 24 h at the server; the hour is kept in hand
FIRST_RESEND = timedelta(seconds=2)
LONGEST_RESEND = timedelta(seconds=60)
HALT = timedelta(seconds=60)


class Submitter:
    """One `step()` sends one job. Several may run at once; the ledger's lease keeps them apart."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        client: Client,
        budget: Budget,
        catalog: Catalog,
        clock: Clock,
        worker: str,
        running_limit: int,
        queue_max_age: timedelta,
        callback_url: Callable[[str], str] | None,
        submitted: Callable[[UnderWay], None],
        settled: Callable[[str], None],
        held: Callable[[], None],
        at_once: int = 1,
        pause: Pause = NEVER,
    ) -> None:
        """`at_once`: how many rounds may run at once, for what is claimed ahead of them."""
        self._ledger = ledger
        self._client = client
        self._budget = budget
        self._catalog = catalog
        self._clock = clock
        self._worker = worker
        self._running_limit = running_limit
        self._queue_max_age = queue_max_age
        self._callback_url = callback_url
        self._held = held
        self._submitted = submitted
        self._pause = pause
        self._settled = settled
        self._halted_until: datetime | None = None
        self._halted_by: Code | None = None
        self._claims: Claims[Job] = Claims(most=at_once, life=LEASE / 2, give_back=self._give_back)

    @property
    def held_by(self) -> Code | None:
        """Why nothing is sent at present: the account or the key is refused; or None."""
        return self._halted_by

    async def step(self) -> int:
        """Send the next job whose turn it is, if the request budget has room. Returns 0 or 1."""
        now = self._clock()
        halted_until = self._halted_until
        if (halted_until is not None and now < halted_until) or not self._budget.room():
            return 0
        if halted_until is not None:
            # One job asks whether the account is well again; the others wait for the answer.
            self._halted_until = now + HALT
        with self._claims.serving():
            job = None
            try:
                job, at = await self._next(now)
            finally:
                # Nobody asked. What another round heard meanwhile is left as it is.
                if job is None and halted_until is not None and self._halted_until == now + HALT:
                    self._halted_until = halted_until
            if job is None:
                return 0
            with structlog.contextvars.bound_contextvars(job=job.id):
                await self._send(job, new=job.first_post_at == at)
        return 1

    async def _next(self, now: datetime) -> tuple[Job | None, datetime]:
        """The job to send, and when it was claimed."""
        claimed = await self._claims.take(now=now)
        return claimed or (await self._claim(self._ledger.run, now), now)

    def _claim(self, way: Callable[..., T], now: datetime) -> T:
        return way(
            verbs.begin,
            worker=self._worker,
            now=now,
            lease=LEASE,
            running_limit=self._running_limit,
            oldest=self._oldest(now),
            body=functools.partial(self._body, now=now),
        )

    def _oldest(self, now: datetime) -> Oldest:
        """What was turned away ends before its key does, also if its claim is served late."""
        return Oldest(asked=now - self._queue_max_age, sent=now - KEY_LIFE + LEASE)

    def claim_ahead(self) -> None:
        """A job is being queued: whoever is free will send the next one, so claim it at once."""
        if self._halted_until is not None or not self._claims.room():
            return
        # What cannot be sent at once stays in the queue, where it may be taken back.
        if self._budget.room() > self._claims.waiting:
            now = self._clock()
            self._claims.put(self._claim(self._ledger.ask, now), at=now)

    async def _give_back(self, job: Job, at: datetime) -> None:
        await self._ledger.run(leases.give_back, job.id, worker=self._worker, until=at + LEASE)

    async def expire(self) -> int:
        """Settle the jobs that waited too long for a POST that counts. Returns how many."""
        now = self._clock()
        expired = await self._ledger.run(ending.expire, oldest=self._oldest(now), now=now)
        for reply_id in expired:
            log.warning("job.expired", reply=reply_id)
            self._settled(reply_id)
        return len(expired)

    async def _send(self, job: Job, *, new: bool) -> None:
        now = self._clock()
        if job.state is State.QUEUED:
            # After a long outage the queue is taken up before `expire` has looked through it.
            await self._settle(job, Outcome(end=End.EXPIRED, code=Code.EXPIRED))
            return
        if new:
            waited = round((now - job.created_at).total_seconds(), 3)
            log.info("job.submitting", model=job.request.model, waited=waited)
        if job.first_post_at is None or now - job.first_post_at > KEY_LIFE:
            await self._settle(job, Outcome(end=End.UNKNOWN, code=Code.LOST, detail="key too old"))
            return
        try:
            created = await self._client.create(job.body or b"", key=job.id)
        except hiapi.HiAPIError as error:
            await self._refused(job, error)
            return
        self._resume()
        now = self._clock()
        if await self._ledger.run(verbs.submitted, job.id, task_id=created.task_id, now=now):
            log.info("job.submitted", task=created.task_id, replay=created.idempotent_replay)
            model = job.request.model
            self._submitted(UnderWay(job.id, job.reply_id, model, created.task_id, now))

    def _body(self, job: Job, *, now: datetime) -> bytes | None:
        """The request that a queued job becomes; None for one that waited too long to be sent."""
        if now - job.created_at > self._queue_max_age:
            return None
        return wire.encode(
            model=job.request.model,
            input=self._catalog.of(job.request).input(job.request),
            callback_url=self._callback_url(job.id) if self._callback_url else None,
        )

    async def _refused(self, job: Job, error: hiapi.HiAPIError) -> None:
        judged = verdict.judge(error)
        said = quotes.without(faults.redact(str(error)), job.request.prompt)
        if judged.operator and judged.action != "halt":
            words = WORDS[judged.code].operator
            log.error("job.alarm", code=judged.code, model=job.request.model, cause=words)
        if judged.action != "halt" and self._halted_until is not None:
            # It says nothing of the account: another job asks at once, or one that HiAPI always
            # fails at would keep all of them waiting.
            self._halted_until = self._clock()
        if judged.action == "refuse":
            # Another body under this key: a task was made of it, and may be billed.
            taken = isinstance(error, hiapi.IdempotencyKeyMismatchError)
            outcome = Outcome(
                end=End.UNKNOWN if taken else End.REFUSED,
                code=judged.code,
                detail=said,
            )
            await self._settle(job, outcome)
            return
        pause = min(FIRST_RESEND * 2 ** min(job.attempts, 10), LONGEST_RESEND)
        if judged.after is not None:
            pause = max(pause, timedelta(seconds=judged.after))
        if judged.action == "halt":
            self._halt(judged.code)
            pause = HALT
        log.warning("job.resend", code=judged.code, cause=said, seconds=pause.total_seconds())
        now = self._clock()
        again: dict[str, Any] = {"worker": self._worker, "due_at": now + pause}
        if not judged.turned_away:
            await self._ledger.run(verbs.resend_at, job.id, **again)
        elif reply_id := await self._ledger.run(ending.turned_away, job.id, **again, now=now):
            self._ended(job, reply_id, Outcome(end=End.CANCELLED))

    def _halt(self, code: Code) -> None:
        """Every other job would hear the same: hold the queue, tell the operator once."""
        self._halted_until = self._clock() + HALT
        if self._halted_by is None:
            self._halted_by = code
            log.error("submitter.halted", code=code, cause=WORDS[code].operator)
            self._held()

    def _resume(self) -> None:
        self._halted_until = None
        if self._halted_by is not None:
            log.info("submitter.resumed", code=self._halted_by)
            self._halted_by = None
            self._held()

    async def _settle(self, job: Job, outcome: Outcome) -> None:
        reply_id = await self._ledger.run(
            verbs.settle, job.id, outcome=outcome, now=self._clock(), pause=self._pause
        )
        if reply_id is not None:  # or somebody else settled it, and said so
            self._ended(job, reply_id, outcome)

    def _ended(self, job: Job, reply_id: str, outcome: Outcome) -> None:
        told = {"end": outcome.end, "code": outcome.code, "cause": outcome.detail}
        log.warning("job.settled", **told, model=job.request.model)
        self._settled(reply_id)
