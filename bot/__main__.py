"""The command line: run, demo, migrate.

It owns exit codes, signals and the words an operator reads; it never holds a stage.
"""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, NoReturn

import structlog
import typer

from bot import logs, settings

log = structlog.get_logger(__name__)

cli = typer.Typer(
    help="Easel: a Discord bot that turns /imagine and /remix into finished pictures.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@cli.command()
def run() -> None:
    """Run the bot on Discord, with the settings of the environment and .env."""
    configured = _load()
    raise typer.Exit(asyncio.run(_run(configured)))


@cli.command()
def demo(
    prompt: Annotated[str | None, typer.Option(help="Make one picture without a browser.")] = None,
    image: Annotated[
        list[Path] | None,
        typer.Option(help="A reference image; makes it a remix. May be repeated."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the picture is written.")] = Path("easel.png"),
    port: Annotated[int, typer.Option(help="The page's port; 0 takes any.")] = 8765,
) -> None:
    """Try everything without Discord or a key: a simulated Discord and a stand-in for HiAPI."""
    try:
        # Late, because only the demo needs the simulated Discord and its many parts.
        from sandbox import world  # noqa: PLC0415
    except ModuleNotFoundError as error:
        _fail(f"The demo needs {error.name}: get Easel's repository and run 'make demo' there.")
    if prompt is None:
        logs.configure(level="INFO", style="console")
        code = asyncio.run(_until_signal(world.serve(port=port)))
    else:
        logs.configure(level="WARNING", style="console")
        code = asyncio.run(world.once(prompt=prompt, images=tuple(image or ()), out=out))
    raise typer.Exit(code)


@cli.command()
def migrate() -> None:
    """Bring the database to this version of Easel (SQLite does so at start by itself)."""
    from bot.ledger.ledger import Ledger, LedgerError  # noqa: PLC0415 - a second to import

    configured = _load()
    try:
        Ledger(configured.database_url).migrate()
    except LedgerError as error:
        _fail(str(error))
    typer.echo("The database is up to date.")


def _load() -> settings.Settings:
    try:
        configured = settings.load()
    except settings.SettingsError as error:
        _fail(str(error))
    logs.configure(
        level=configured.log_level, style=configured.log_format, secrets=configured.secrets()
    )
    return configured


def _fail(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(2)


async def _run(configured: settings.Settings) -> int:
    """Log in, work until a signal or a fatal refusal by Discord, leave in order."""
    # A second to import, which `migrate` and `--help` need not wait for.
    import aiohttp  # noqa: PLC0415
    import discord  # noqa: PLC0415

    from bot import app  # noqa: PLC0415
    from bot.ledger.ledger import LedgerError  # noqa: PLC0415
    from bot.web import WebError  # noqa: PLC0415

    try:
        async with app.opened(configured) as easel, easel.bot:
            try:
                await easel.bot.login(configured.discord_token.get_secret_value())
            except discord.LoginFailure:
                typer.echo("Discord refuses DISCORD_TOKEN: copy it anew from the portal.", err=True)
                return 2
            except aiohttp.ClientError as error:
                typer.echo(f"Discord is out of reach: {error}.", err=True)
                return 1
            await easel.sync()
            await easel.start()
            log.info("easel.started", web_port=easel.web.port)
            try:
                return await _until_signal(easel.bot.connect())
            finally:
                await easel.stop()
                log.info("easel.stopped")
    except (LedgerError, WebError) as error:
        typer.echo(str(error), err=True)
        return 2


async def _until_signal(work: Coroutine[object, object, None]) -> int:
    """Do the work until it ends (1: it should not) or SIGINT or SIGTERM asks to stop (0)."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
        return 0
    stopping.cancel()
    await working
    return 1


def main() -> None:
    """The entry point."""
    cli()


if __name__ == "__main__":
    main()
