"""The pictures of a finished reply, picked up where HiAPI put them: had, waited for, or lost.

It owns how often and for how long an address is tried, and when a picture counts as lost; it never
makes a card, and never decides when to come again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus

import structlog

from bot import images
from bot.clock import Clock
from bot.errors import Code
from bot.fetch import Fetcher, FetchError, TooLarge
from bot.keeper import Keeper
from bot.model import Job, Reply

log = structlog.get_logger(__name__)

# A fresh address on HiAPI's CDN can answer 404 for about two seconds.
PAUSES = (0.0, 2.0, 4.0)
# A picture is paid for and its address lives for days: so long its host may be out of order, and
# so often it is tried at least, for a bot may have been away for longer.
PATIENCE = timedelta(hours=6)
ATTEMPTS = 8
# So long a host that answers may say that there is no such file.
FRESH = timedelta(minutes=15)


@dataclass(slots=True)
class Fetched:
    """The first picture of each job that has one, by job id; and why others have none."""

    found: dict[str, bytes] = field(default_factory=dict)
    lost: dict[str, Code] = field(default_factory=dict)
    too_large: bool = False  # one of them is more than is ever fetched
    trouble: str = ""  # why one of them is waited for, and the others with it


class Pickup:
    """Fetches the pictures of one reply at a time; what was kept of them stands in for a loss."""

    def __init__(self, *, fetcher: Fetcher, keeper: Keeper, clock: Clock) -> None:
        self._fetcher = fetcher
        self._keeper = keeper
        self._clock = clock

    async def fetch(self, reply: Reply) -> Fetched:
        """What there is of the pictures now."""
        fetched = Fetched()
        lost: dict[str, str] = {}
        # Whoever comes again waited already.
        pauses = PAUSES if reply.attempts <= 1 else PAUSES[:1]
        for job in reply.jobs:
            if job.outcome is None or not job.outcome.pictures:
                continue
            try:
                data = await self._picture(job.id, job.outcome.pictures[0].url, pauses)
                images.probe(data)
                fetched.found[job.id] = data
            except TooLarge as error:
                log.warning("picture.unfit", job=job.id, cause=str(error))
                fetched.too_large = True
            except (FetchError, images.ImageError) as error:
                if self._may_pass(reply, job, error):
                    fetched.trouble = str(error)
                    return fetched
                lost[job.id] = f"{type(error).__name__}: {error}"
        for job_id, cause in lost.items():
            log.error("picture.lost", job=job_id, cause=cause)
            fetched.lost[job_id] = Code.PICTURE_LOST
        return fetched

    def _may_pass(self, reply: Reply, job: Job, error: Exception) -> bool:
        """Whether the address that failed so may still give the picture, and is waited for."""
        now, outcome = self._clock(), job.outcome
        if outcome is None or not isinstance(error, FetchError) or not error.retry:
            return False
        expires_at = outcome.pictures[0].expires_at
        if expires_at is not None and expires_at <= now:
            return False
        # A fresh file may not be served yet; a host that is too busy or broken says so otherwise.
        status = error.status or HTTPStatus.SERVICE_UNAVAILABLE  # silence is as good as that
        if status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS:
            return job.settled_at is not None and now - job.settled_at < FRESH
        return now - reply.ready_at < PATIENCE or reply.attempts <= ATTEMPTS

    async def _picture(self, job_id: str, url: str, pauses: Sequence[float]) -> bytes:
        """The picture where HiAPI put it; else as it was kept by an earlier attempt to show it.

        HiAPI's file may be gone by the time a parked reply is asked for. Raises FetchError.
        """
        try:
            return await self._fetch(url, pauses)
        except FetchError:
            kept = await self._keeper.original(job_id)
            if kept is None:
                raise
            return kept

    async def _fetch(self, url: str, pauses: Sequence[float]) -> bytes:
        for pause in pauses[1:]:
            try:
                return (await self._fetcher.fetch(url)).data
            except FetchError as error:
                if not error.retry:
                    raise
                log.info("picture.retry", cause=str(error), seconds=pause)
                await asyncio.sleep(pause)
        return (await self._fetcher.fetch(url)).data
