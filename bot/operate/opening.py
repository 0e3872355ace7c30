"""Settings and ledger for the commands that work on the database alone.

It owns how such a command begins and how it fails; it never asks for a token or a key, and never
makes or upgrades a database.
"""

import asyncio
from collections.abc import Callable
from typing import Annotated, Concatenate, NoReturn, ParamSpec, TypeVar

import sqlalchemy as sa
import typer
from sqlalchemy.exc import SQLAlchemyError

from bot import environment, logs, settings
from bot.ledger.ledger import Ledger, LedgerError
from bot.operate import tables

LARGEST_ID = 2**63 - 1  # what both databases hold

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

P = ParamSpec("P")
T = TypeVar("T")


def fail(sentence: str, *, code: int = 2) -> NoReturn:
    """End the command with one sentence on stderr."""
    typer.echo(sentence, err=True)
    raise typer.Exit(code)


def storage() -> environment.Storage:
    """Where the database is. Ends the command with 2 if that cannot be read."""
    try:
        read = environment.load_storage()
    except settings.SettingsError as error:
        fail(str(error))
    logs.configure(level=read.log_level, style=read.log_format, secrets=read.secrets)
    return read


def run(verb: Callable[Concatenate[sa.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one verb on the database as it is. Ends the command with 2 if that cannot be used."""
    where = storage()

    async def once() -> T:
        async with Ledger(where.database_url, as_it_is=True) as ledger:
            return await ledger.run(verb, *args, **kwargs)

    try:
        return asyncio.run(once())
    except LedgerError as error:
        fail(tables.clean(str(error), secrets=where.secrets))
    except SQLAlchemyError as error:
        cause = " ".join(str(getattr(error, "orig", error)).split())
        fail(tables.clean(f"DATABASE_URL cannot be used: {cause}", secrets=where.secrets))
