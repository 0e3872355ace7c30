"""HiAPI's callbacks: verified, matched with their job, written once, answered.

It owns what a callback may do; it never fetches a picture and never reads a task.

    signed      the verified body settles the job
    unsigned    anybody could have sent it: a hint at most, the tracker reads the task itself

The answers follow the contract (section 4): any 2xx ends HiAPI's retries, anything else brings
the same callback again after about 1, 5 and 20 minutes.
"""

from collections.abc import Awaitable, Callable
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


class Callbacks:
    """Takes one callback at a time; any number may come at once and in any order."""

    def __init__(
        self,
        *,
        secret: str | None,
        clock: Clock,
        told: Callable[[str, hiapi.Task], Awaitable[Heard]],
        hinted: Callable[[str], Awaitable[None]],
    ) -> None:
        self._secret = secret
        self._clock = clock
        self._told = told
        self._hinted = hinted
        self._warned: set[str] = set()

    async def receive(
        self, job_id: str, *, body: bytes, timestamp: str, signature: str
    ) -> HTTPStatus:
        """The status to answer with, once whatever it changes is committed."""
        if not self._credible(body, timestamp, signature):
            return HTTPStatus.UNAUTHORIZED
        try:
            task = wire.callback(body)
        except hiapi.HiAPIError as error:
            log.warning("callback.malformed", job=job_id, cause=str(error))
            return HTTPStatus.BAD_REQUEST
        if not task.is_terminal:
            return HTTPStatus.BAD_REQUEST
        try:
            if self._secret is None:
                await self._hinted(job_id)
                return HTTPStatus.NO_CONTENT
            heard = await self._told(job_id, task)
        except (SQLAlchemyError, LedgerError) as error:
            log.error("callback.not_written", job=job_id, cause=str(error))
            return HTTPStatus.SERVICE_UNAVAILABLE
        if heard in (Heard.UNKNOWN, Heard.FOREIGN):
            log.warning("callback.refused", job=job_id, task=task.task_id, heard=heard)
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
        return self._secret is None or self._verified(body, timestamp, signature)

    def _verified(self, body: bytes, timestamp: str, signature: str) -> bool:
        # The vendor's check compares text, and a signature beyond ASCII makes that raise.
        if not (timestamp.isascii() and signature.isascii()):
            return False
        try:
            hiapi.verify_webhook(
                body,
                signature=signature.lower(),
                timestamp=timestamp,
                secret=self._secret or "",
                now=int(self._clock().timestamp()),
            )
        except hiapi.WebhookVerificationError as error:
            log.warning("callback.unverified", cause=str(error))
            return False
        except (AttributeError, TypeError, ValueError, RecursionError):
            # The vendor parses only what it has verified: signed, yet not a task it can read.
            return True
        return True

    def _warn(self, sentence: str) -> None:
        """Once for each kind of mismatch: a flood of callbacks must not fill the log."""
        if sentence not in self._warned:
            self._warned.add(sentence)
            log.error("callback.mismatch", cause=sentence)
