"""Brings the database to the newest version with Alembic.

It owns the upgrade and the copy made before it; it never runs while a verb does.
"""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from bot.ledger import ledger

SCRIPTS = Path(__file__).with_name("migrations")


def config() -> Config:
    """Alembic's settings, without a file: the scripts are part of the package."""
    settings = Config()
    settings.set_main_option("script_location", str(SCRIPTS))
    return settings


def check(version: str | None) -> None:
    """Refuse a database that was written by a newer Easel."""
    if version is None:
        return
    try:
        ScriptDirectory.from_config(config()).get_revision(version)
    except CommandError as error:
        raise ledger.LedgerError(
            f"The database was written by a newer version of Easel (migration {version}): "
            "start that version, or restore a copy."
        ) from error


def upgrade(engine: sa.Engine) -> None:
    """Run all migrations that are missing, in one transaction where the database can."""
    settings = config()
    with engine.begin() as conn:
        settings.attributes["connection"] = conn
        command.upgrade(settings, "head")


def copy_file(database: str | None, version: str) -> Path:
    """A consistent copy of the SQLite file beside it, taken before its version changes."""
    source = Path(database or "")
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    target = source.with_name(f"{source.name}.before-{version}-{stamp}")
    try:
        target.touch(0o600)
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)
    except (OSError, sqlite3.Error) as error:
        raise ledger.LedgerError(
            f"The database could not be copied to {target} before its upgrade: {error}"
        ) from error
    return target
