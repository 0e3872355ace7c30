"""Everything kept about a person, into a file or out of the database.

It owns the file's form and what an erasure does beyond the rows; which columns those are,
`bot.ledger.privacy` says.
"""

import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bot import clock
from bot.ledger import files, privacy
from bot.ledger.privacy import Erased
from bot.operate import opening

LINES = "easel.jsonl"


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What an erasure left to say."""

    erased: Erased
    kept_files: int  # files that were removed
    swept: bool  # whether SQLite's log of changes was emptied
    copies: tuple[Path, ...]  # files beside the database that still hold it
    postgres: bool


def export(user_id: int, target: Path) -> int:
    """Write a zip of everything kept about a person; returns how many records it holds."""
    lines = opening.run(privacy.records, user_id, now=clock.system())
    try:
        handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        opening.fail(f"{target} is there already: choose another name.")
    except OSError as error:
        opening.fail(f"{target} cannot be written: {error.strerror}.")
    with os.fdopen(handle, "wb") as out, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(LINES, "\n".join(lines) + "\n")
    return len(lines) - 1


def erase(user_id: int) -> Aftermath:
    """Erase a person's rows, forget their kept files, and sweep what SQLite still has of them."""
    where = opening.storage()
    erased = opening.run(privacy.erase, user_id, now=clock.system())
    kept = forget(where.keep_folder, erased.job_ids, digests=erased.digests)
    path = files.sqlite_path(where.database_url)
    return Aftermath(
        erased=erased,
        kept_files=kept,
        swept=path is None or files.sweep(path),
        copies=() if path is None else tuple(files.copies(path)),
        postgres=path is None,
    )


def forget(folder: Path | None, job_ids: Iterable[str], *, digests: Iterable[str]) -> int:
    """Remove the kept originals of these jobs and these references; how many files went.

    The one place that reaches the keeper from here: `Keeper(folder=folder, ...).forget(...)`.
    No file is kept by this version.
    """
    del folder, job_ids, digests
    return 0
