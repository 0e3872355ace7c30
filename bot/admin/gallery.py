"""Small versions of recent pictures, for the operator's page alone.

It owns which picture may be shown there, asked of the ledger each time, and a small store of what
was made smaller; it never shows a private one and never keeps an original.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot import images
from bot.clock import Clock
from bot.ledger import overview
from bot.ledger.ledger import Ledger, LedgerError
from bot.model import Job

log = structlog.get_logger(__name__)

SIDE = 320  # pixels
STORED = 60
# What could not be had is not asked for again within this time.
AGAIN = timedelta(minutes=2)


Find = Callable[[Job], Awaitable[bytes | None]]


class Gallery:
    """`find` brings the bytes of a job's picture, or None where it is not to be had any more."""

    def __init__(self, *, ledger: Ledger, find: Find, clock: Clock) -> None:
        self._ledger = ledger
        self._find = find
        self._clock = clock
        self._stored: OrderedDict[str, bytes] = OrderedDict()
        self._missing: OrderedDict[str, datetime] = OrderedDict()
        # Decoding costs memory, and there is no hurry.
        self._making = asyncio.Semaphore(2)

    async def small(self, job_id: str) -> bytes | None:
        """A picture as a small WebP; None if there is none that may be shown."""
        try:
            job = await self._ledger.read(overview.public_job, job_id)
        except (SQLAlchemyError, LedgerError) as error:
            log.warning("admin.no_ledger", cause=str(error))
            return None
        if job is None:
            return None
        async with self._making:
            if job_id in self._stored:
                self._stored.move_to_end(job_id)
                return self._stored[job_id]
            missed = self._missing.get(job_id)
            if missed is not None and self._clock() - missed < AGAIN:
                return None
            return await self._make(job)

    async def _make(self, job: Job) -> bytes | None:
        data = await self._find(job)
        if data is not None:
            try:
                small = await asyncio.to_thread(images.thumbnail, data, side=SIDE)
            except images.ImageError as error:
                log.info("admin.no_picture", job=job.id, cause=str(error))
            else:
                self._stored[job.id] = small
                if len(self._stored) > STORED:
                    self._stored.popitem(last=False)
                return small
        self._missing[job.id] = self._clock()
        if len(self._missing) > STORED:
            self._missing.popitem(last=False)
        return None
