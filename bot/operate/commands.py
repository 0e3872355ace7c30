"""The operator's commands: doctor, jobs, blocks, backup, export, erase.

It owns their options, questions and exit codes; what they do stands in the modules beside it.
"""

import asyncio
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bot import environment, settings, version
from bot.ledger import files
from bot.ledger.ledger import LedgerError
from bot.ledger.privacy import ANONYMOUS
from bot.operate import barring, configuration, desk, opening, people, tables

ENV_FILE = Path(".env")

User = Annotated[
    int,
    typer.Option(
        "--user", min=ANONYMOUS + 1, max=opening.LARGEST_ID, help="The person's Discord id."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def register(cli: typer.Typer) -> None:
    """Add the operator's commands to the command line."""
    cli.command()(doctor)
    cli.add_typer(desk.cli, name="jobs")
    barring.register(cli)
    cli.command()(backup)
    cli.command()(export)
    cli.command()(erase)


def doctor(
    *,
    paid: Annotated[
        bool, typer.Option("--paid", help="Also make one real picture, which HiAPI bills.")
    ] = False,
    alarm: Annotated[
        bool, typer.Option("--alarm", help="Also send a test to where alarms go.")
    ] = False,
    yes: Yes = False,
    as_json: opening.AsJson = False,
) -> None:
    """Check settings, Discord, HiAPI, PUBLIC_URL, database and disk, and say what to do.

    Exits with 0 if nothing is an error, 1 if something is, 2 if the settings cannot be read.
    """
    # discord.py and aiohttp take a second to import, which the other commands need not wait for.
    from bot import logs  # noqa: PLC0415
    from bot.operate import doctor as examining  # noqa: PLC0415

    out, aside = tables.console(), tables.console(stderr=True)
    secrets: frozenset[str] = frozenset()
    try:
        read = environment.load(ENV_FILE)
    except settings.SettingsError as error:
        found, code = configuration.unreadable(error), 2
    else:
        secrets = read.secrets()
        # Its own table says what is wrong; of the libraries only what they cannot do otherwise.
        logs.configure(level="ERROR", style="console", secrets=secrets)
        if paid and not yes:
            typer.confirm("One picture will be made, and HiAPI bills it. Go on?", abort=True)
        with aside.status("Examining..."):
            found = asyncio.run(examining.examine(read, env_file=ENV_FILE, paid=paid, alarm=alarm))
        code = examining.status(found)
    if as_json:
        typer.echo(tables.as_json(found, secrets=secrets))
    else:
        out.print(f"Easel {version.read()}\n", highlight=False)
        out.print(tables.examined(found, secrets=secrets))
        out.print(f"\n{tables.summary(found)}")
    raise typer.Exit(code)


def backup(
    target: Annotated[
        Path, typer.Argument(help="The copy's name, or a folder in which it gets one.")
    ],
) -> None:
    """Copy the SQLite database while the bot runs: consistent, checked, and without tokens."""
    where = opening.storage()
    source = files.sqlite_path(where.database_url)
    if source is None:
        name = shlex.quote(urlsplit(where.database_url).path.lstrip("/") or "easel")
        opening.fail(
            "The database is PostgreSQL: copy it with its own tool, as its administrator: "
            f"'pg_dump --format=custom --file=easel.dump {name}'. The copy holds tokens for 15 "
            "minutes' worth of commands: keep it as you keep .env."
        )
    if target.is_dir():
        target /= f"easel-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db"
    with _progress("Copying") as progress:
        try:
            size = files.backup(source, target, progress=progress)
        except LedgerError as error:
            opening.fail(str(error), code=1)
    typer.echo(f"{target} ({size / 1024**2:.1f} MiB), without tokens. It holds prompts.")


def export(
    user: User,
    out: Annotated[Path | None, typer.Option(help="The zip file to write.")] = None,
) -> None:
    """Write everything that is kept about a person into a zip file, for them."""
    target = out or Path(f"easel-{user}.zip")
    with _progress("Packing") as progress:
        done = people.export(user, target, progress=progress)
    typer.echo(
        f"{target}: {done.records} records, {done.files} files. It is theirs; delete your copy."
    )


def erase(user: User, *, yes: Yes = False) -> None:
    """Erase a person: their requests are cancelled and blanked; only counts are left."""
    known = people.known(user)
    if known is not None and not yes:
        since = f" since {known.since:%Y-%m-%d}" if known.since else ""
        held = f"requests{since}: {known.requests}; pictures: {known.pictures}"
        typer.confirm(
            f"Erase everything of {user} ({held})? This cannot be taken back.", abort=True
        )
    # Also where nothing is left: an erasure that was not swept is run again.
    with _progress("Erasing") as progress:
        done = people.erase(user, progress=progress)
    told = done.erased
    if known is None:
        typer.echo(people.NOTHING.format(user))
    else:
        typer.echo(
            f"Erased. Replies: {told.replies}; jobs: {told.jobs}, of which under way: "
            f"{told.cancelled}; kept files: {done.kept_files}. What stands in Discord and at HiAPI "
            "is still there."
        )
    if done.postgres:
        typer.echo("PostgreSQL drops the old rows from its files at its next VACUUM.")
    for copy in done.copies:
        typer.echo(f"A copy from before an upgrade still holds it: {copy}", err=True)
    if not done.swept:
        opening.fail(
            "SQLite's log of changes still holds it, for the bot was busy. Run this once more.",
            code=1,
        )


@contextmanager
def _progress(what: str) -> Iterator[files.Progress]:
    """A bar on stderr, where that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    out = tables.console(stderr=True)
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
