"""The images of a remix, where HiAPI can fetch them: now, and when a button is pressed later.

It owns the order of the sources and whom an image may be shown; it never decides what is asked
for. Addresses die with a day, the images that were handed in with a command even sooner, so a new
request gets, for each of them, the first of

    the address it has           while that lives long enough
    the message it was found in  read again: its addresses are fresh
    the kept bytes, uploaded     in a private answer to the person whose they are
    the kept bytes, linked       under PUBLIC_URL
    the address it has           while that may still do

or the person is told that none is left, before anything is spent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import structlog

from bot import images
from bot.attachments import Media
from bot.catalog import REFERENCE_BYTES, Complaint
from bot.clock import Clock
from bot.fetch import Fetcher, FetchError
from bot.i18n import N_
from bot.keeper import Keeper, Shelf
from bot.links import Links
from bot.messenger import Messenger
from bot.model import Reference, Reply
from bot.render import Shot

log = structlog.get_logger(__name__)

# HiAPI fetches an image when it paints, which may be a long queue away.
REFERENCE_MARGIN = timedelta(minutes=30)
# Discord's addresses live for a day: half of it is the most that can be asked for.
LONGEST_MARGIN = timedelta(hours=12)
# Before an ask that nobody confirms counts as abandoned, which is after a minute.
SECONDS = 25.0
# What one message of Discord's takes, with something to spare for its text.
MESSAGE_BYTES = 24 * 1024 * 1024
EDGE = 512  # pixels of a reference beside the picture made from it

File = tuple[str, bytes]
# Puts files where only the person sees them; their addresses in order, or None if that failed.
Upload = Callable[[Sequence[File]], Awaitable[tuple[str, ...] | None]]

GONE = Complaint(
    N_("The images you handed in are not kept that long."),
    N_("Use /remix and hand them in again."),
)
_FOREIGN = Complaint(
    N_("The images of this picture are someone else's and cannot be used again."),
    N_("Use /remix with images of your own."),
)


class References:
    """Gives references fresh addresses, and their bytes for the card that may show them."""

    def __init__(
        self,
        *,
        keeper: Keeper,
        fetcher: Fetcher,
        messenger: Messenger,
        links: Links,
        clock: Clock,
        queue_max_age: timedelta,
    ) -> None:
        self._keeper = keeper
        self._fetcher = fetcher
        self._messenger = messenger
        self._links = links
        self._clock = clock
        self._margin = min(queue_max_age + REFERENCE_MARGIN, LONGEST_MARGIN)
        self._shrinking = asyncio.Semaphore(1)

    def stale(self, references: Sequence[Reference]) -> bool:
        """Whether some of these may be dead when HiAPI comes for them."""
        return not all(self._lives(reference, self._margin) for reference in references)

    async def check(self, references: Sequence[Reference], *, user_id: int) -> Complaint | None:
        """Why this person cannot ask with these references, as far as this process alone knows.

        No request is made: that a message was deleted, `renew` finds out.
        """
        for reference in references:
            if self._lives(reference, REFERENCE_MARGIN) or reference.message_id is not None:
                continue
            if reference.digest is None or not await self._keeper.has_reference(reference.digest):
                return GONE
            if not _may_see(reference, user_id) and not self._links.public_url:
                return _FOREIGN
        return None

    async def keep(self, data: bytes) -> str | None:
        """Keep an image that was handed in; its digest, or None if it cannot be kept."""
        return await self._keeper.keep_reference(data) if self._keeper.keeps else None

    async def renew(
        self, references: Sequence[Reference], *, user_id: int, upload: Upload, limit: int
    ) -> tuple[Reference, ...] | Complaint:
        """The same references at addresses that HiAPI can fetch, or why there are none.

        `limit` is what `upload` takes per file, in bytes. Takes up to SECONDS and an upload.
        """
        fresh = list(references)
        missing = [at for at, each in enumerate(fresh) if not self._lives(each, self._margin)]
        try:
            async with asyncio.timeout(SECONDS):
                missing = await self._from_messages(fresh, missing)
                missing = await self._by_upload(fresh, missing, user_id, upload, limit)
                missing = await self._by_link(fresh, missing)
        except TimeoutError:
            log.warning("references.too_slow")
            missing = [at for at in missing if fresh[at] is references[at]]
        dead = [fresh[at] for at in missing if not self._lives(fresh[at], REFERENCE_MARGIN)]
        if dead:
            log.info("references.gone", count=len(dead))
            foreign = [each for each in dead if each.digest and not _may_see(each, user_id)]
            return _FOREIGN if foreign else GONE
        return tuple(fresh)

    async def shots(self, reply: Reply) -> tuple[Shot, ...]:
        """Small renderings of a reply's references, if its person lets others see them.

        What cannot be read, or is not that person's to show, is left out.
        """
        if not reply.show_references:
            return ()
        found: list[Shot] = []
        for number, reference in enumerate(reply.jobs[0].request.references, start=1):
            data = None
            if _may_see(reference, reply.target.user_id):
                data = await self._read(reference)
            if data is None:
                continue
            try:
                async with self._shrinking:
                    small = await asyncio.to_thread(images.thumbnail, data, side=EDGE)
            except images.ImageError as error:
                log.info("references.not_shown", cause=str(error))
                continue
            found.append(Shot(filename=f"reference-{number}.webp", data=small, alt=""))
        return tuple(found)

    async def _read(self, reference: Reference) -> bytes | None:
        if reference.digest is not None:
            data = await self._keeper.reference(reference.digest)
            if data is not None:
                return data
        try:
            data = (await self._fetcher.fetch(reference.url)).data
        except FetchError as error:
            log.info("references.not_read", cause=str(error))
            return None
        return data if len(data) <= REFERENCE_BYTES else None

    async def _from_messages(self, fresh: list[Reference], missing: list[int]) -> list[int]:
        """Read the messages that the missing ones were found in; what is missing still."""
        read: dict[tuple[int, int], tuple[Media, ...]] = {}
        for at in missing:
            reference = fresh[at]
            if reference.channel_id is None or reference.message_id is None:
                continue
            where = (reference.channel_id, reference.message_id)
            if where not in read:
                read[where] = await self._messenger.media(*where) or ()
            found = _same(reference, read[where])
            if found is not None and self._lives(replace(reference, url=found.url), self._margin):
                fresh[at] = replace(reference, url=found.url)
        return [at for at in missing if not self._lives(fresh[at], self._margin)]

    async def _by_upload(
        self, fresh: list[Reference], missing: list[int], user_id: int, upload: Upload, limit: int
    ) -> list[int]:
        """Upload what is kept, as many to a message as it takes; what is missing still."""
        batches: list[list[tuple[int, File]]] = []
        size = MESSAGE_BYTES
        for at in missing:
            digest = fresh[at].digest
            if digest is None or not _may_see(fresh[at], user_id):
                continue
            data = await self._keeper.reference(digest)
            if data is None or len(data) > limit:
                continue
            if size + len(data) > MESSAGE_BYTES:
                batches.append([])
                size = 0
            size += len(data)
            batches[-1].append((at, (fresh[at].filename, data)))
        for batch in batches:
            urls = await upload([file for _, file in batch])
            if urls is None or len(urls) != len(batch):
                break  # what one message was refused, the next will be
            for (at, _), url in zip(batch, urls, strict=True):
                fresh[at] = replace(fresh[at], url=url)
                missing = [other for other in missing if other != at]
        return missing

    async def _by_link(self, fresh: list[Reference], missing: list[int]) -> list[int]:
        """Link to what is kept; what is missing still."""
        left: list[int] = []
        for at in missing:
            digest = fresh[at].digest
            url = None
            if digest is not None and await self._keeper.has_reference(digest):
                url = self._links.address(Shelf.REFERENCES, digest)
            if url is None:
                left.append(at)
            else:
                fresh[at] = replace(fresh[at], url=url)
        return left

    def _lives(self, reference: Reference, margin: timedelta) -> bool:
        return ends_after(reference.url, self._clock() + margin)


def ends_after(url: str, time: datetime) -> bool:
    """Whether an address still lives then: a signed one tells its end as `ex`, in hex seconds."""
    expires = parse_qs(urlsplit(url).query).get("ex", [""])[0]
    try:
        return int(expires, 16) >= time.timestamp()
    except ValueError:
        return True


def _may_see(reference: Reference, user_id: int) -> bool:
    """Whether an image may be shown to this person: it is theirs, or was seen in the open."""
    return reference.owner in (None, user_id)


def _same(reference: Reference, media: Sequence[Media]) -> Media | None:
    """The file of a message that a reference means: the same path, else the same name."""
    path = urlsplit(reference.url).path
    for each in media:
        if urlsplit(each.url).path == path:
            return each
    named = [each for each in media if each.filename == reference.filename]
    return named[0] if len(named) == 1 else None
