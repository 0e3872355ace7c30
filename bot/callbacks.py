"""HiAPI's callbacks: verified, matched with their job, written once, answered.

It owns what a callback may do; it never fetches a picture and never reads a task.

    signed      the verified body settles the job
    unsigned    anybody could have sent it: a hint at most, the tracker reads the task itself

The answers follow the contract (section 4): any 2xx ends HiAPI's retries, anything else brings
the same callback again after about 1, 5 and 20 minutes.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from http import HTTPStatus

import hiapi
import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.clock import Clock
from bot.hiapi import wire
from bot.ledger.hearing import Heard
from bot.ledger.ledger import LedgerError

log = structlog.get_logger(__name__)

ANSWERS = {
    Heard.SETTLED: HTTPStatus.NO_CONTENT,
    Heard.REPEATED: HTTPStatus.NO_CONTENT,
    Heard.UNKNOWN: HTTPStatus.NOT_FOUND,
    Heard.FOREIGN: HTTPStatus.CONFLICT,
}
# Anybody may knock, and as often as they like: so often each kind of refusal is worth a line.
LINE_EVERY = timedelta(minutes=1)


class Callbacks:
    """Takes one callback at a time; any number may come at once and in any order."""

    def __init__(
        self,
        *,
        secret: str | None,
        clock: Clock,
        told: Callable[[str, hiapi.Task], Awaitable[Heard]],
        hinted: Callable[[str, str], Awaitable[None]],
    ) -> None:
        self._secret = secret
        self._clock = clock
        self._told = told
        self._hinted = hinted
        self._warned: set[str] = set()
        self._said: dict[str, datetime] = {}

    async def receive(
        self, job_id: str, *, body: bytes, timestamp: str, signature: str
    ) -> HTTPStatus:
        """The status to answer with, once whatever it changes is committed."""
        if not self._credible(body, timestamp, signature):
            return HTTPStatus.UNAUTHORIZED
        try:
            task = wire.callback(body)
        except hiapi.HiAPIError as error:
            self._say("callback.malformed", job=job_id, cause=str(error))
            return HTTPStatus.BAD_REQUEST
        if not task.is_terminal:
            return HTTPStatus.BAD_REQUEST
        try:
            if self._secret is None:
                await self._hinted(job_id, task.task_id)
                return HTTPStatus.NO_CONTENT
            heard = await self._told(job_id, task)
        except (SQLAlchemyError, LedgerError) as error:
            self._say("callback.not_written", job=job_id, cause=str(error))
            return HTTPStatus.SERVICE_UNAVAILABLE
        if heard in (Heard.UNKNOWN, Heard.FOREIGN):
            self._say("callback.refused", job=job_id, task=task.task_id, heard=heard)
        return ANSWERS[heard]

    def _credible(self, body: bytes, timestamp: str, signature: str) -> bool:
        """Signed as the settings say it must be; a mismatch between the two sides is no guess."""
        signed = bool(timestamp or signature)
        if signed and self._secret is None:
            self._warn("callbacks are signed, but HIAPI_WEBHOOK_SECRET is not set: refused")
            return False
        if not signed and self._secret is not None:
            self._warn("a callback came unsigned, but HIAPI_WEBHOOK_SECRET is set: refused")
            return False
        if self._secret is None:
            return True
        holds = wire.signed(
            body, secret=self._secret, timestamp=timestamp, signature=signature, now=self._clock()
        )
        if not holds:
            self._say("callback.unverified", cause="wrong signature, or signed too long ago")
        return holds

    def _warn(self, sentence: str) -> None:
        """Once for each kind of mismatch: only somebody who changes the settings ends it."""
        if sentence not in self._warned:
            self._warned.add(sentence)
            log.error("callback.mismatch", cause=sentence)

    def _say(self, event: str, **about: object) -> None:
        """A line for the operator, unless one like it was written a moment ago."""
        now = self._clock()
        last = self._said.get(event)
        if last is None or now - last >= LINE_EVERY:
            self._said[event] = now
            log.warning(event, **about)
