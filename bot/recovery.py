"""Finds out what became of asks that a crash left between the row and the acknowledgement.

It owns received -> queued | withdrawn | settled (interrupted) for rows that nobody holds any
more, and forgets dead tokens; it never sends a job to HiAPI.
"""

from collections.abc import Callable
from datetime import timedelta

import structlog

from bot.clock import Clock
from bot.errors import Code
from bot.ledger import deliveries, verbs
from bot.ledger.ledger import Ledger
from bot.messenger import Messenger
from bot.model import End, Outcome, Reply

log = structlog.get_logger(__name__)

# A living process confirms within seconds (Discord gives 3 s, a prompt file a little more).
ABANDONED = timedelta(seconds=60)


class Recovery:
    """One `step()` asks Discord about the asks that were left alone."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        messenger: Messenger,
        clock: Clock,
        queued: Callable[[str], None],
        settled: Callable[[str], None],
    ) -> None:
        self._ledger = ledger
        self._messenger = messenger
        self._clock = clock
        self._queued = queued
        self._settled = settled

    async def step(self) -> int:
        """Decide about every abandoned ask that can be decided now. Returns how many."""
        if not self._messenger.ready:
            return 0
        now = self._clock()
        await self._ledger.run(deliveries.erase_tokens, now=now)
        abandoned = await self._ledger.run(verbs.unacknowledged, before=now - ABANDONED)
        decided = 0
        for reply in abandoned:
            with structlog.contextvars.bound_contextvars(reply=reply.id):
                decided += await self._decide(reply)
        return decided

    async def _decide(self, reply: Reply) -> int:
        now = self._clock()
        if not reply.target.token_lives(now):
            return await self._interrupt(reply, why="the token is dead, Discord cannot be asked")
        spinner = await self._messenger.spinner(reply.target)
        if spinner is None:
            return 0
        if spinner is False:
            gone = await self._ledger.run(verbs.withdraw, reply.id, now=now)
            why = "Discord never took the acknowledgement"
            log.info("reply.withdrawn", why=why, jobs=gone)
            return 1
        if any(job.unfinished for job in reply.jobs):
            return await self._interrupt(reply, why="what belongs to it was not read yet")
        await self._ledger.run(
            verbs.confirm,
            reply.id,
            message_id=spinner.message_id,
            private=spinner.private or reply.target.private,
            now=now,
        )
        log.info("reply.queued", why="Discord had taken the acknowledgement")
        self._queued(reply.id)
        return 1

    async def _interrupt(self, reply: Reply, *, why: str) -> int:
        outcome = Outcome(end=End.EXPIRED, code=Code.INTERRUPTED, detail=why)
        ended = [
            await self._ledger.run(verbs.settle, job.id, outcome=outcome, now=self._clock())
            for job in reply.jobs
        ]
        log.warning("reply.interrupted", why=why, jobs=len(ended) - ended.count(None))
        self._settled(reply.id)
        return 1
