"""Says that the ledger takes no writes: when that begins, now and then while it lasts, at its end.

It owns those lines, which stand for all that fails meanwhile; it never decides what is trouble,
which the ledger does, and never mends any.
"""

from datetime import datetime, timedelta

import structlog

from bot.clock import Clock
from bot.ledger.ledger import Ledger

log = structlog.get_logger(__name__)

AGAIN = timedelta(minutes=5)


class Pulse:
    """Looks after the ledger of one process, by a loop of its own. Idle while all is well."""

    def __init__(self, *, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._well = False
        self._since: datetime | None = None
        self._said = clock()

    async def step(self) -> int:
        """Ask the ledger whether it takes a write, where anybody doubts it. Returns 0."""
        told = self._ledger.trouble
        if self._well and not told:
            return 0
        cause = await self._ledger.probe()
        now = self._clock()
        if cause:
            if self._since is None or now - self._said >= AGAIN:
                self._since = self._since or now
                self._said = now
                log.error("ledger.failing", cause=cause, seconds=self._lasted(now))
        elif self._since is not None or not self._well:
            # Also at the start: what stood before it may be over by now.
            log.info("ledger.well", seconds=self._lasted(now))
            self._since = None
        else:
            log.warning("ledger.stumbled", cause=told)
        self._well = not cause
        return 0

    def _lasted(self, now: datetime) -> int | None:
        return None if self._since is None else round((now - self._since).total_seconds())
