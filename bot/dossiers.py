"""What is kept about a person, for that person: told, handed out as files, erased.

It owns how that is asked for while the bot runs, and that nothing in this process's memory brings
back what was erased; which columns are somebody's, `bot.ledger.privacy` says.
"""

import asyncio
import io
import zipfile
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot import images
from bot.catalog import Complaint
from bot.clock import Clock
from bot.houses import Houses
from bot.i18n import N_
from bot.keeper import Keeper, Shelf, Weight, original_name
from bot.ledger import privacy
from bot.ledger.ledger import Ledger, LedgerError
from bot.ledger.privacy import Erased, Files, Summary
from bot.model import Reply

log = structlog.get_logger(__name__)

LINES = "easel.jsonl"
PARTS = 5  # files of one export: a guest of a server is let say so much after its answer
PART_ROOM = 16 * 1024  # bytes that are left free for what stands around a file
ENTRY = 512  # bytes of a zip for each file in it, beside its own

_TROUBLE = Complaint(
    N_("The bot cannot look this up right now."), N_("Please try again in a minute.")
)
_BUSY = Complaint(
    N_("Your file is being made already."), N_("Please wait for it before you ask for another.")
)
_NOT_ERASED = Complaint(
    N_("The bot cannot erase anything right now."),
    N_("Nothing was erased. Please try again in a minute."),
)


@dataclass(frozen=True, slots=True)
class Dossier:
    """What is kept about a person, in numbers. `days` 0: until they erase it."""

    summary: Summary
    files: Weight
    days: int
    days_here: int | None  # where this server keeps things for a shorter time


@dataclass(frozen=True, slots=True)
class Export:
    """Everything that is kept as zips, each within the limit; how many kept files had no room."""

    parts: tuple[bytes, ...]
    left_out: int


class Dossiers:
    """The door of the cogs to what is kept about the person who asks.

    `forgotten` is told of each erasure, with the person, what went, and what was open before.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        keeper: Keeper,
        houses: Houses,
        clock: Clock,
        days: int,
        sweep: Callable[[], Awaitable[bool]],
        forgotten: Callable[[int, Erased, Sequence[Reply]], Awaitable[None]],
        addresses: tuple[str, str] = ("", ""),
    ) -> None:
        self.addresses = addresses  # of the policy on privacy, and of the terms
        self._ledger = ledger
        self._keeper = keeper
        self._houses = houses
        self._clock = clock
        self._days = days
        self._sweep = sweep
        self._forgotten = forgotten
        # A zip stands in memory as a whole.
        self._packing = asyncio.Semaphore(1)
        self._exporting: set[int] = set()

    async def of(self, user_id: int, *, guild_id: int | None) -> Dossier | Complaint:
        """What is kept about this person; `guild_id` where the bot belongs to the server."""
        try:
            summary = await self._ledger.read(privacy.summary, user_id)
            files = await self._ledger.read(privacy.files_of, user_id)
            house = await self._houses.of(guild_id)
        except (SQLAlchemyError, LedgerError) as error:
            log.error("dossier.not_read", user=user_id, cause=str(error))
            return _TROUBLE
        here = house.retention_days
        return Dossier(
            summary=summary,
            files=await self._keeper.weigh(files.job_ids, digests=files.digests),
            days=self._days,
            days_here=here if here is not None and (here < self._days or not self._days) else None,
        )

    async def export(self, user_id: int, *, limit: int) -> Export | Complaint:
        """Everything kept about this person, as zips of at most `limit` bytes each."""
        if user_id in self._exporting:
            return _BUSY
        self._exporting.add(user_id)
        try:
            async with self._packing:
                lines = await self._ledger.read(privacy.records, user_id, now=self._clock())
                files = await self._ledger.read(privacy.files_of, user_id)
                made = await self._packed(lines, files, limit=limit - PART_ROOM)
        except (SQLAlchemyError, LedgerError) as error:
            log.error("dossier.not_read", user=user_id, cause=str(error))
            return _TROUBLE
        finally:
            self._exporting.discard(user_id)
        log.info("dossier.exported", user=user_id, records=len(lines) - 1, parts=len(made.parts))
        return made

    async def erase(self, user_id: int) -> Erased | Complaint:
        """Cancel what is under way and forget this person, here and in what this process knows."""
        try:
            before = await self._ledger.run(privacy.under_way, user_id)
            erased = await self._ledger.run(privacy.erase, user_id, now=self._clock())
        except (SQLAlchemyError, LedgerError) as error:
            log.error("dossier.not_erased", user=user_id, cause=str(error))
            return _NOT_ERASED
        files = await self._keeper.forget(erased.job_ids, digests=erased.digests)
        await self._forgotten(user_id, erased, before)
        swept = await self._sweep()
        # Nothing is said of whom it was about.
        log.info("dossier.erased", jobs=erased.jobs, files=files, swept=swept)
        return erased

    async def _packed(self, lines: Sequence[str], files: Files, *, limit: int) -> Export:
        """The records first; then what is kept, the oldest first, as far as there is room."""
        parts = await asyncio.to_thread(_records, lines, limit=limit)
        left_out = 0
        box = _Box(parts.pop())
        for shelf, told, name in kept_names(files):
            data = await self._keeper.read(shelf, name)
            if data is None:
                continue
            if box.size + len(data) + ENTRY > limit:
                if len(parts) + 1 >= PARTS or len(data) + ENTRY > limit:
                    left_out += 1
                    continue
                parts.append(box.close())
                box = _Box()
            await asyncio.to_thread(box.add, entry(shelf, told, data), data)
        return Export(parts=(*parts, box.close()), left_out=left_out)


class _Box:
    """A zip that is still open. Pictures are packed as they are: they are compressed already."""

    def __init__(self, begun: bytes = b"") -> None:
        self._out = io.BytesIO()
        self._out.write(begun)
        self._zip = zipfile.ZipFile(self._out, "a")
        self.size = len(begun)  # bytes, with what the list of its files will take

    def add(self, name: str, data: bytes) -> None:
        self._zip.writestr(name, data, zipfile.ZIP_STORED)
        self.size += len(data) + ENTRY

    def close(self) -> bytes:
        self._zip.close()
        return self._out.getvalue()


def _records(lines: Sequence[str], *, limit: int) -> list[bytes]:
    """The records as zips within the limit: nearly always one."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(LINES, "\n".join(lines) + "\n")
    if out.tell() <= limit or len(lines) == 1:
        return [out.getvalue()]
    half = len(lines) // 2
    return [*_records(lines[:half], limit=limit), *_records(lines[half:], limit=limit)]


def kept_names(files: Files) -> Iterable[tuple[Shelf, str, str]]:
    """Where a person's files may stand: their shelf, the name in an export, the name there."""
    yield from ((Shelf.ORIGINALS, job_id, original_name(job_id)) for job_id in files.job_ids)
    yield from ((Shelf.REFERENCES, digest, digest) for digest in files.digests)


def entry(shelf: Shelf, told: str, data: bytes) -> str:
    """A kept file's name in an export, which the records tell."""
    return f"{shelf}/{told}.{images.sniff(data[: images.HEAD_BYTES]) or 'bin'}"
