"""Everything kept about a person, into a file or out of the database.

It owns the file's form and what an erasure does beyond the rows; which columns those are,
`bot.ledger.privacy` says.
"""

import asyncio
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

from bot import clock, dossiers
from bot.dossiers import LINES
from bot.environment import Storage
from bot.keeper import Keeper
from bot.ledger import files, privacy
from bot.ledger.files import Progress
from bot.ledger.privacy import Erased, Summary
from bot.operate import opening

NOTHING = "Nothing is kept about {}: is the id right?"


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What an erasure left to say."""

    erased: Erased
    kept_files: int  # files that were removed
    swept: bool  # whether SQLite's log of changes was emptied
    copies: tuple[Path, ...]  # files beside the database that still hold it
    postgres: bool


@dataclass(frozen=True, slots=True)
class Exported:
    """How much a file holds."""

    records: int
    files: int


def known(user_id: int) -> Summary | None:
    """How much is kept about a person; None where nothing is."""
    if len(opening.run(privacy.records, user_id, now=clock.system())) == 1:
        return None  # but the line that says whose they are
    return opening.run(privacy.summary, user_id)


def export(user_id: int, target: Path, *, progress: Progress) -> Exported:
    """Write a zip of everything kept about a person, whole or not at all; never over a file."""
    where = opening.storage()
    lines = opening.run(privacy.records, user_id, now=clock.system())
    if len(lines) == 1:
        opening.fail(NOTHING.format(user_id), code=1)
    kept = opening.run(privacy.files_of, user_id)
    try:
        handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        opening.fail(f"{target} is there already: choose another name.", code=1)
    except OSError as error:
        opening.fail(f"{target} cannot be written: {error.strerror}.", code=1)
    try:
        with (
            os.fdopen(handle, "wb") as out,
            zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed,
        ):
            packed.writestr(LINES, "\n".join(lines) + "\n")
            count = asyncio.run(_pack(packed, _keeper(where), kept, progress=progress))
    except OSError as error:
        target.unlink(missing_ok=True)
        opening.fail(f"{target} cannot be written: {error.strerror}.", code=1)
    return Exported(records=len(lines) - 1, files=count)


async def _pack(
    packed: zipfile.ZipFile, keeper: Keeper, kept: privacy.Files, *, progress: Progress
) -> int:
    """The kept files under names that the records tell; one at a time is in memory."""
    wanted = [*dossiers.kept_names(kept)]
    count = 0
    for done, (shelf, told, name) in enumerate(wanted, start=1):
        data = await keeper.read(shelf, name)
        if data is not None:
            packed.writestr(dossiers.entry(shelf, told, data), data, zipfile.ZIP_STORED)
            count += 1
        progress(done, len(wanted))
    return count


def erase(user_id: int, *, progress: Progress) -> Aftermath:
    """Erase a person's rows, forget their kept files, and sweep what SQLite still has of them."""
    where = opening.storage()
    progress(0, 3)
    erased = opening.run(privacy.erase, user_id, now=clock.system())
    progress(1, 3)
    kept = asyncio.run(_keeper(where).forget(erased.job_ids, digests=erased.digests))
    progress(2, 3)
    path = files.sqlite_path(where.database_url)
    swept = path is None or files.sweep(path)  # it waits for whoever reads
    progress(3, 3)
    return Aftermath(
        erased=erased,
        kept_files=kept,
        swept=swept,
        copies=() if path is None else tuple(files.copies(path)),
        postgres=path is None,
    )


def _keeper(where: Storage) -> Keeper:
    return Keeper(
        folder=where.keep_folder,
        days=where.keep_originals_days,
        megabytes=where.keep_megabytes,
        clock=clock.system,
    )
