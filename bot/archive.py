"""The pictures of finished jobs, wherever they can still be had.

It owns the order of the places; it never decides who may see a picture. Ask it for a reply whose
person was checked:

    found = await archive.pictures(reply, seen=addresses)

gives one `Found` per picture, in the order of the jobs' slots. `found.data` are its bytes,
`found.source` where they come from, `found.original` whether they are what HiAPI made, and
`found.filename` what to call them. A picture that can be had nowhere is missing: compare the
jobs' ids, or see whether nothing came at all. Nothing is raised.

    kept       this process's disk, for KEEP_ORIGINALS_DAYS
    hiapi      the address that HiAPI gave, while it lives
    delivered  what stands in Discord, perhaps made smaller: from `seen`, the fresh addresses of a
               card that was pressed, else from the reply's own message where the bot may read it
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import structlog
import yarl

from bot import images
from bot.clock import Clock
from bot.fetch import Fetcher, FetchError
from bot.keeper import Keeper, Shelf, original_name
from bot.links import Links
from bot.messenger import Messenger
from bot.model import Job, Picture, Reply, picture_name

log = structlog.get_logger(__name__)

SPOILER = "SPOILER_"


class Source(StrEnum):
    """Where a picture was found."""

    KEPT = "kept"
    HIAPI = "hiapi"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class Found:
    """The picture of one job, whole and checked to be one."""

    job: Job
    data: bytes
    source: Source
    extension: str

    @property
    def original(self) -> bool:
        """Whether these are the bytes that HiAPI made."""
        return self.source is not Source.DELIVERED

    @property
    def filename(self) -> str:
        return f"{picture_name(self.job.id, self.job.slot)}.{self.extension}"


class Archive:
    """Finds pictures; it keeps nothing itself."""

    def __init__(
        self,
        *,
        keeper: Keeper,
        links: Links,
        fetcher: Fetcher,
        messenger: Messenger,
        clock: Clock,
    ) -> None:
        self._keeper = keeper
        self._links = links
        self._fetcher = fetcher
        self._messenger = messenger
        self._clock = clock

    async def pictures(self, reply: Reply, *, seen: Sequence[str] = ()) -> tuple[Found, ...]:
        """The pictures of a reply that can still be had, in the order of their slots.

        `seen` are addresses of files in a message with this reply's card, as Discord just told
        them. At most one HTTP request per picture and one for the message are made.
        """
        found: list[Found] = []
        delivered: dict[str, str] | None = None
        for job in reply.jobs:
            if job.outcome is None or not job.outcome.pictures:
                continue
            one = await self._original(job, job.outcome.pictures[0])
            if one is None:
                if delivered is None:
                    delivered = await self._delivered(reply, seen)
                one = await self._from_discord(job, delivered)
            if one is not None:
                found.append(one)
        return tuple(found)

    def link(self, found: Found) -> str | None:
        """An address of the original for a message that cannot hold it; None if there is none."""
        outcome = found.job.outcome
        picture = outcome.pictures[0] if outcome is not None and outcome.pictures else None
        if picture is not None and found.source is Source.HIAPI:
            plain = picture.url.startswith("https://") and not set(picture.url) & set("()<> ")
            return picture.url if plain else None
        if found.source is Source.KEPT:
            return self._links.address(Shelf.ORIGINALS, original_name(found.job.id))
        return None

    async def opened(self, token: str) -> bytes | None:
        """The kept file that a token of one of our addresses opens, or None."""
        said = self._links.read(token)
        return None if said is None else await self._keeper.read(*said)

    async def _original(self, job: Job, picture: Picture) -> Found | None:
        data = await self._keeper.original(job.id)
        if data is not None and (found := _checked(job, data, Source.KEPT)) is not None:
            return found
        if not self._lives(picture):
            return None
        try:
            fetched = await self._fetcher.fetch(picture.url)
        except FetchError as error:
            log.info("archive.not_fetched", job=job.id, cause=str(error))
            return None
        return _checked(job, fetched.data, Source.HIAPI)

    async def _delivered(self, reply: Reply, seen: Sequence[str]) -> dict[str, str]:
        """The addresses of the delivered files by their names without extension."""
        addresses = list(seen)
        target = reply.target
        if not addresses and target.message_id and target.present and not target.private:
            media = await self._messenger.media(target.channel_id, target.message_id)
            addresses = [each.url for each in media or ()]
        return {_stem(url): url for url in addresses}

    async def _from_discord(self, job: Job, delivered: dict[str, str]) -> Found | None:
        url = delivered.get(picture_name(job.id, job.slot))
        data = await self._messenger.read(url) if url is not None else None
        return None if data is None else _checked(job, data, Source.DELIVERED)

    def _lives(self, picture: Picture) -> bool:
        return picture.expires_at is None or picture.expires_at > self._clock()


def _stem(url: str) -> str:
    """The name of the file behind an address, as it was before Discord's prefix and ending."""
    name = yarl.URL(url, encoded=True).name
    return name.removeprefix(SPOILER).rpartition(".")[0]


def _checked(job: Job, data: bytes, source: Source) -> Found | None:
    """Whatever the disk or the network brought: a picture, or nothing."""
    try:
        probe = images.probe(data)
    except images.ImageError as error:
        log.warning("archive.no_picture", job=job.id, source=source, cause=str(error))
        return None
    return Found(job=job, data=data, source=source, extension=images.extension(probe.format))
