"""The SQLite file itself: copied while the bot writes, swept after an erasure.

It owns what stands in the file besides its rows; it never decides whose rows those are.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from bot.ledger import ledger

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

Progress = Callable[[int, int], None]
"""Told how many pages are done, and of how many."""

PAGES = 256  # copied between two calls of the progress
KEYS = ("links",)
"""Facts that open something: the key of addresses of kept files. The next start makes a new one."""

SWEEP_WAIT_MS = 10_000
CHECKPOINT_SECONDS = 0.05  # between two tries while another checkpoint is under way


def sqlite_path(url: str) -> Path | None:
    """The file behind a `DATABASE_URL`; None for another kind of database."""
    parsed = sa.make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


@contextlib.contextmanager
def shared(path: Path) -> Iterator[bool]:
    """Whether another bot works on this database; the next one learns of us while this lasts.

    By a lock on a file beside it, which ends with the process whatever ends that. It is never
    waited for. Where there are no such locks, nobody is known.
    """
    try:
        handle = os.open(path.with_name(f"{path.name}.run"), os.O_CREAT | os.O_RDWR, 0o600)
    except OSError:
        yield False
        return
    try:
        yield fcntl is not None and _others(handle)
    finally:
        os.close(handle)


def _others(handle: int) -> bool:
    """All hold the lock together; so whoever gets it alone for a moment is alone."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        others = False
    except OSError:
        others = True
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return others


def backup(source: Path, target: Path, *, progress: Progress) -> int:
    """Copy the database as it is at this moment, without tokens; returns the copy's bytes.

    The bot may go on writing meanwhile. The copy is its owner's alone, is checked, and stands
    under its name only when it is whole. Raises LedgerError; never writes over a file.
    """
    if not source.is_file():
        raise ledger.LedgerError(
            f"There is no database at {source.absolute()}: run this in the bot's folder."
        )
    if target.exists():
        raise ledger.LedgerError(f"{target} is there already: choose another name.")
    part = target.with_name(f"{target.name}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        raise ledger.LedgerError(
            f"{part} is there already: delete it, if no other backup is running."
        ) from None
    except OSError as error:
        raise ledger.LedgerError(f"{part} cannot be written: {error.strerror}.") from error
    try:
        _copy(source, part, progress=progress)
        _without_tokens(part)
        _settle(part)
        part.rename(target)
    except (OSError, sqlite3.Error) as error:
        raise ledger.LedgerError(f"The database could not be copied: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


def _copy(source: Path, part: Path, *, progress: Progress) -> None:
    def told(_status: int, remaining: int, total: int) -> None:
        progress(total - remaining, total)

    with closing(sqlite3.connect(source, timeout=30, isolation_level=None)) as old:
        # One snapshot for all steps: otherwise each write of the bot would begin the copy anew.
        old.execute("BEGIN")
        old.execute("SELECT count(*) FROM sqlite_master").fetchone()
        with closing(sqlite3.connect(part)) as new:
            old.backup(new, pages=PAGES, progress=told)
        old.execute("COMMIT")


def _without_tokens(part: Path) -> None:
    """Take out what opens something, and every trace of it; then look the copy over."""
    with closing(sqlite3.connect(part, isolation_level=None)) as copy:
        # In memory, or the journal beside the copy would hold what is taken out of it.
        for pragma in ("journal_mode=MEMORY", "temp_store=MEMORY", "secure_delete=ON"):
            copy.execute(f"PRAGMA {pragma}").fetchall()
        tables = {name for (name,) in copy.execute("SELECT name FROM sqlite_master")}
        if "replies" in tables:
            copy.execute("UPDATE replies SET token = NULL WHERE token IS NOT NULL")
            copy.executemany("DELETE FROM facts WHERE name = ?", [[name] for name in KEYS])
        copy.execute("VACUUM")
        [(found,)] = copy.execute("PRAGMA quick_check(1)").fetchall()
        if found != "ok":
            raise ledger.LedgerError(f"The database is damaged, and so would be its copy: {found}")


def _settle(path: Path) -> None:
    """Wait until the disk has it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(path: Path, *, wait_ms: int = SWEEP_WAIT_MS) -> bool:
    """Move the log of changes into the file and empty it: it still holds what was erased.

    False if another connection was in the way for `wait_ms`, in which nobody else can write; then
    it is done at the bot's end.
    """
    until = time.monotonic() + wait_ms / 1000
    with closing(sqlite3.connect(path, timeout=wait_ms / 1000)) as conn:
        while True:
            with contextlib.suppress(sqlite3.OperationalError):
                busy, _, _ = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if not busy:
                    return True
            if time.monotonic() >= until:
                return False
            time.sleep(CHECKPOINT_SECONDS)  # SQLite itself waits for all but another checkpoint


def copies(path: Path) -> list[Path]:
    """Copies of the database beside it, made before an upgrade: an erasure does not reach them."""
    with contextlib.suppress(OSError):
        return sorted(path.parent.glob(f"{path.name}.before-*"))
    return []
