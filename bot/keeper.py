"""The files that Easel keeps for a while: the originals of pictures, the references of remixes.

It owns a folder, its limits of age and size, and who may read it; it never decodes a picture and
never fetches one. What cannot be written is logged and not kept: nothing else depends on it.

    originals/<SHA-256 of the job's id>    references/<SHA-256 of the bytes>

Several processes may share the folder: a file appears whole under its name or not at all. The
size is kept by each process, by its own count and a look at the folder every now and then.
"""

import asyncio
import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import structlog

from bot.clock import Clock
from bot.direct import DirectWriter

log = structlog.get_logger(__name__)

# Down to here the oldest go when there are too many, so that not every file makes room for itself.
ROOM = 0.9
# A file that is being written; one of a process that died is removed after this time.
PART = ".part"
PART_LIFE = timedelta(hours=1)


class Shelf(StrEnum):
    """What kind of file it is: the name of its folder, so a value is never renamed."""

    ORIGINALS = "originals"
    REFERENCES = "references"


@dataclass(frozen=True, slots=True)
class Weight:
    """How many files there are, and their bytes."""

    files: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    size: int
    at: float


class Keeper:
    """Keeps bytes for `days` (0: keeps nothing) within `megabytes` of the disk."""

    def __init__(self, *, folder: Path, days: int, megabytes: int, clock: Clock) -> None:
        self._folder = folder
        self._life = timedelta(days=days)
        self._cap = megabytes * 1024 * 1024
        self._clock = clock
        self._direct = DirectWriter()
        self._used: int | None = None  # bytes, as of the last look and what was written since

    @property
    def keeps(self) -> bool:
        """Whether anything is kept at all."""
        return bool(self._life)

    async def keep_original(self, job_id: str, data: bytes) -> bool:
        """Keep the picture of a job as it came; whether that worked."""
        return await self._keep(Shelf.ORIGINALS, original_name(job_id), data)

    async def original(self, job_id: str) -> bytes | None:
        """The picture of a job as it came, or None if it is not kept (any more)."""
        return await self.read(Shelf.ORIGINALS, original_name(job_id))

    async def keep_reference(self, data: bytes) -> str | None:
        """Keep an image that somebody handed in; its digest, or None if that did not work.

        One that is kept already counts as new again.
        """
        digest = await asyncio.to_thread(_digest, data)
        return digest if await self._keep(Shelf.REFERENCES, digest, data) else None

    async def reference(self, digest: str) -> bytes | None:
        """An image that somebody handed in, or None if it is not kept (any more)."""
        data = await self.read(Shelf.REFERENCES, digest)
        if data is not None and await asyncio.to_thread(_digest, data) != digest:
            log.error("keeper.damaged", file=digest)
            return None
        return data

    async def has_reference(self, digest: str) -> bool:
        """Whether an image that somebody handed in is kept."""
        return await self.has(Shelf.REFERENCES, digest)

    async def has(self, shelf: Shelf, name: str) -> bool:
        """Whether a file is kept, without reading it."""
        return self.keeps and await asyncio.to_thread(self._find, shelf, name) is not None

    async def read(self, shelf: Shelf, name: str) -> bytes | None:
        """A file by its name (64 hexadecimal digits), or None if it is not kept (any more)."""
        return await asyncio.to_thread(self._read, shelf, name) if self.keeps else None

    async def forget(self, job_ids: Iterable[str], *, digests: Iterable[str] = ()) -> int:
        """Remove the originals of these jobs and these references now; how many files went."""
        paths = [self._path(Shelf.ORIGINALS, original_name(job_id)) for job_id in job_ids]
        paths += [self._path(Shelf.REFERENCES, digest) for digest in digests]
        return await asyncio.to_thread(lambda: sum(_remove(path) for path in paths))

    async def weigh(self, job_ids: Iterable[str], *, digests: Iterable[str] = ()) -> Weight:
        """How much is kept of these jobs and references."""
        names = [(Shelf.ORIGINALS, original_name(job_id)) for job_id in job_ids]
        names += [(Shelf.REFERENCES, digest) for digest in digests]
        return await asyncio.to_thread(self._weigh, names) if self.keeps else Weight()

    async def step(self) -> int:
        """Remove what is too old and, oldest first, what is too much; how many files went."""
        return await asyncio.to_thread(self._prune, 0)

    async def _keep(self, shelf: Shelf, name: str, data: bytes) -> bool:
        if not self.keeps or len(data) > self._cap:
            return False
        try:
            await asyncio.to_thread(self._write, shelf, name, data)
        except OSError as error:
            log.error("keeper.not_kept", shelf=shelf, size=len(data), cause=str(error))
            return False
        return True

    def _write(self, shelf: Shelf, name: str, data: bytes) -> None:
        folder = f"{self._folder}/{shelf}"
        path = f"{folder}/{name}"
        now = self._clock().timestamp()
        if shelf is Shelf.REFERENCES:  # they are named by their bytes, and come again and again
            with contextlib.suppress(FileNotFoundError):
                os.utime(path, (now, now))
                return
        if self._used is None or self._used + len(data) > self._cap:
            self._prune(len(data))
        part = f"{folder}/{secrets.token_hex(8)}{PART}"
        try:
            try:
                self._direct.write(part, data, at=now)
            except FileNotFoundError:
                for each in (self._folder, self._folder / shelf):
                    each.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._direct.write(part, data, at=now)
            os.replace(part, path)  # noqa: PTH105 - a path object costs as much as the call
        except OSError:
            _remove(Path(part))
            raise
        self._used = (self._used or 0) + len(data)

    def _find(self, shelf: Shelf, name: str) -> Path | None:
        """The file, if it is there and not too old; the next round removes it then."""
        path = self._path(shelf, name)
        try:
            at = path.stat().st_mtime
        except OSError:
            return None
        return path if at > self._oldest() else None

    def _weigh(self, names: Iterable[tuple[Shelf, str]]) -> Weight:
        found = [path for shelf, name in names if (path := self._find(shelf, name)) is not None]
        sizes = []
        for path in found:
            with contextlib.suppress(OSError):  # it may have gone since
                sizes.append(path.stat().st_size)
        return Weight(files=len(sizes), size=sum(sizes))

    def _read(self, shelf: Shelf, name: str) -> bytes | None:
        path = self._find(shelf, name)
        try:
            return None if path is None else path.read_bytes()
        except OSError as error:
            log.warning("keeper.not_read", shelf=shelf, cause=str(error))
            return None

    def _prune(self, room: int) -> int:
        oldest = self._oldest() if self.keeps else float("inf")
        parts_before = (self._clock() - PART_LIFE).timestamp()
        kept: list[_File] = []
        gone = 0
        for file in self._files():
            too_old = parts_before if file.path.suffix == PART else oldest
            if file.at <= too_old:
                gone += _remove(file.path)
            else:
                kept.append(file)
        used = sum(file.size for file in kept)
        if used + room > self._cap:
            for file in sorted(kept, key=lambda file: file.at):
                if used + room <= self._cap * ROOM:
                    break
                gone += _remove(file.path)
                used -= file.size
        self._used = used
        if gone:
            log.info("keeper.pruned", files=gone, megabytes_left=used // 2**20)
        return gone

    def _files(self) -> Iterator[_File]:
        for shelf in Shelf:
            try:
                entries = [*os.scandir(self._folder / shelf)]
            except OSError:
                continue
            for entry in entries:
                try:
                    seen = entry.stat(follow_symlinks=False)
                except OSError:  # another process was first
                    continue
                yield _File(Path(entry.path), seen.st_size, seen.st_mtime)

    def _oldest(self) -> float:
        return (self._clock() - self._life).timestamp()

    def _path(self, shelf: Shelf, name: str) -> Path:
        return self._folder / shelf / name


def original_name(job_id: str) -> str:
    """The name of a job's original: it tells nobody the id, which is a key at HiAPI."""
    return _digest(job_id.encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _remove(path: Path) -> int:
    try:
        path.unlink()
    except FileNotFoundError:
        return 0
    except OSError as error:
        log.warning("keeper.not_removed", cause=str(error))
        return 0
    return 1
