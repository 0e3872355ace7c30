"""Database, migrations and disk, as they are at this moment.

It owns the words for what `bot.ledger.health` finds, but for alarms (`alarming`); it never makes or
changes anything.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bot import alarms
from bot.ledger import files, health, schema
from bot.ledger.ledger import LedgerError
from bot.operate import alarming, findings
from bot.operate.findings import Finding

DATABASE, MIGRATIONS, DISK = "Database", "Migrations", "Disk"
LITTLE, TOO_LITTLE = 1024**3, 100 * 1024**2
CHECK_SERVER = "See that the server runs, and correct host, port, user or password in DATABASE_URL."
CHECK_FILE = "Let this user read and write the file; if it is damaged, restore a copy."
MIGRATE = "Stop the bot and run 'python -m bot migrate'."


def check_database(url: str, *, seconds: float) -> list[Finding]:
    """Reach it, read its version and the alarms in it, see whether it takes a write (blocking)."""
    path = files.sqlite_path(url)
    if path is not None and path.is_dir():
        fix = f"Name a file in it: DATABASE_URL=sqlite:///{path / 'easel.db'}"
        return [findings.error(DATABASE, f"{path} is a folder.", fix)]
    try:
        seen = health.examine(url, seconds=seconds, fact=alarms.FACT)
    except LedgerError as error:
        said = str(error)
        said = f"{said[:1].upper()}{said[1:]}{'' if said.endswith(tuple('.?!')) else '.'}"
        return [findings.error(DATABASE, said, CHECK_SERVER if path is None else CHECK_FILE)]
    if seen is None:
        assert path is not None  # noqa: S101 - only a file can be missing
        return [_unborn(path)]
    return [*_state(seen, path), *_version(seen), *alarming.standing(seen.fact)]


def _unborn(path: Path) -> Finding:
    """There is no file yet: can one be made?"""
    trouble = _untakeable(_standing(path.parent))
    if trouble:
        fix = "Choose another place in DATABASE_URL, or give this user the folder."
        return findings.error(DATABASE, f"{path} cannot be made: {trouble}.", fix)
    return findings.ok(DATABASE, f"{path} is not there yet; the first start makes it.")


def _state(seen: health.Health, path: Path | None) -> Iterator[Finding]:
    if seen.damage:
        fix = "Stop the bot and restore a copy; keep the damaged file."
        yield findings.error(DATABASE, f"It is damaged: {seen.damage}.", fix)
        return
    if not seen.writable:
        fix = "Give this user the right to write it."
        yield findings.error(DATABASE, "It can be read and not written.", fix)
        return
    others = stat.S_IRWXG | stat.S_IRWXO if os.name == "posix" else 0
    if path is not None and path.stat().st_mode & others:
        what = f"Others on this machine may open {path}, which holds prompts and tokens."
        yield findings.warning(DATABASE, what, f"chmod 600 {path}")
    if path is not None and seen.journal != "wal" and seen.version is not None:
        what = f"Its journal is {seen.journal}, not WAL: readers and the bot wait for each other."
        yield findings.warning(DATABASE, what, "Start the bot once; is it on a network drive?")
    if not seen.checked:
        yield findings.ok(DATABASE, "Reached and writable; too large to look through in time.")
    else:
        whole = ", whole" if path is not None else ""
        yield findings.ok(DATABASE, f"Reached{whole} and writable.")


def _version(seen: health.Health) -> Iterator[Finding]:
    if seen.current:
        yield findings.ok(MIGRATIONS, f"At {seen.version}, as this Easel needs it.")
    elif not seen.known:
        what = f"It is at {seen.version}: a newer Easel wrote it."
        yield findings.error(MIGRATIONS, what, "Start that version, or restore a copy.")
    else:
        stands = f"at {seen.version}" if seen.version else "empty"
        what = f"It is {stands}, this Easel needs {schema.HEAD}."
        yield findings.error(MIGRATIONS, what, MIGRATE)


def check_disk(url: str, *, keep_folder: Path | None) -> list[Finding]:
    """Room where the database and the kept files stand (blocking)."""
    database = files.sqlite_path(url)
    folders = [folder for folder in (database and database.parent, keep_folder) if folder]
    found = []
    for folder in dict.fromkeys(folders):
        there = _standing(folder)
        trouble = _untakeable(there)
        if trouble:
            fix = "Give this user the folder, or choose another one."
            found.append(findings.error(DISK, f"{there} takes no file: {trouble}.", fix))
            continue
        found.append(_room(folder, shutil.disk_usage(there).free))
    return found


def _room(folder: Path, free: int) -> Finding:
    size = f"{free / 1024**3:.1f} GiB" if free >= LITTLE else f"{free / 1024**2:.0f} MiB"
    what = f"{size} free for {folder}."
    if free >= LITTLE:
        return findings.ok(DISK, what)
    fix = "Make room: without it nothing can be written down, and no command is taken."
    return (findings.warning if free >= TOO_LITTLE else findings.error)(DISK, what, fix)


def _standing(folder: Path) -> Path:
    """The folder, or the first one above it that is there."""
    return next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())


def _untakeable(folder: Path) -> str:
    """Why no file can be made in it; empty if one can. Rights alone do not tell: it is tried."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or type(error).__name__
