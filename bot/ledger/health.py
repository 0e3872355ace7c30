"""A look at a database as it is: can it be reached and written, which version, is it whole.

It owns the questions; it never changes a row, and never makes or upgrades a database.
"""

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from bot.ledger import files, ledger, migrate, schema

STEPS = 10_000  # of SQLite's machine between two looks at the clock


@dataclass(frozen=True, slots=True)
class Health:
    """What was found. `version` is None for an empty database, `damage` for a sound one."""

    version: str | None
    known: bool  # whether this Easel knows that version
    writable: bool
    journal: str = ""  # SQLite's journal mode
    damage: str | None = None
    checked: bool = True  # whether there was time to look through all of it
    fact: str | None = None  # the one that was asked for, of a current database

    @property
    def current(self) -> bool:
        return self.version == schema.HEAD


def examine(url: str, *, seconds: float, fact: str = "") -> Health | None:
    """Look at the database for so long at most (blocking); None if there is no file yet.

    `fact` names one whose value is to be brought along.

    Raises LedgerError with one sentence if it cannot be reached or read.
    """
    path = files.sqlite_path(url)
    try:
        if path is None:
            return _postgres(url, seconds=seconds, fact=fact)
        return _sqlite(path, seconds=seconds, fact=fact) if path.exists() else None
    except (sqlite3.Error, psycopg.Error, OSError) as error:
        cause = " ".join(str(error).split())
        raise ledger.LedgerError(f"it cannot be used: {cause}") from error


def _sqlite(path: Path, *, seconds: float, fact: str) -> Health:
    deadline = time.monotonic() + seconds
    address = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(address, uri=True, timeout=2, isolation_level=None)) as conn:
        tables = {name for (name,) in conn.execute("SELECT name FROM sqlite_master")}
        version = None
        if "alembic_version" in tables:
            row = conn.execute("SELECT version_num FROM alembic_version").fetchone()
            version = None if row is None else str(row[0])
        value = None
        if version == schema.HEAD:
            value = conn.execute("SELECT value FROM facts WHERE name = ?", [fact]).fetchone()
        [(journal,)] = conn.execute("PRAGMA journal_mode").fetchall()
        writable = _takes_a_write(conn)
        conn.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
        try:
            [(found,)] = conn.execute("PRAGMA quick_check(1)").fetchall()
        except sqlite3.OperationalError as error:
            if "interrupted" not in str(error):
                raise
            return _health(version, writable=writable, journal=journal, checked=False, fact=value)
        damage = None if found == "ok" else found
        return _health(version, writable=writable, journal=journal, damage=damage, fact=value)


def _takes_a_write(conn: sqlite3.Connection) -> bool:
    """Whether a change is taken; it is taken back. One who waits for the bot's turn may too."""
    try:
        conn.execute("BEGIN IMMEDIATE")
        conn.execute("PRAGMA user_version = 0")
        conn.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        return "locked" in str(error)
    return True


def _postgres(url: str, *, seconds: float, fact: str) -> Health:
    address = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, connect_timeout=max(2, int(seconds))) as conn:
        conn.execute("SELECT set_config('statement_timeout', %s, false)", [f"{seconds * 1000:.0f}"])
        row = conn.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
        version = None
        if row is not None and row[0]:
            row = conn.execute("SELECT version_num FROM alembic_version").fetchone()
            version = None if row is None else str(row[0])
        value = None
        if version == schema.HEAD:
            value = conn.execute("SELECT value FROM facts WHERE name = %s", [fact]).fetchone()
        writable = True
        try:
            if version is None:
                conn.execute("CREATE TABLE easel_doctor (nothing integer)")
            else:
                conn.execute("UPDATE facts SET value = value WHERE name = ''")
        except (psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.InsufficientPrivilege):
            writable = False
        conn.rollback()
    return _health(version, writable=writable, fact=value)


def _health(
    version: str | None,
    *,
    writable: bool,
    journal: str = "",
    damage: str | None = None,
    checked: bool = True,
    fact: tuple[Any, ...] | None = None,
) -> Health:
    try:
        migrate.check(version)
        known = True
    except ledger.LedgerError:
        known = False
    return Health(version, known, writable, journal, damage, checked, fact[0] if fact else None)
