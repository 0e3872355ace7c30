"""The command line: run, demo, migrate, and the operator's commands.

It owns exit codes, signals and the words an operator reads; it never holds a stage.
"""

import asyncio
import contextlib
import ctypes
import errno
import gc
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, NoReturn

import structlog
import typer

from bot import environment, logs, settings, version
from bot.operate import commands, configuration, opening

log = structlog.get_logger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM)
HANGUP = getattr(signal, "SIGHUP", None)  # Windows has none
# glibc (malloc.h, mallopt(3)): smaller pieces than this come from the heap, and so much of its free
# end stays with the process. By itself glibc hands a picture's memory back and takes it anew, page
# by page, many times a second.
M_TRIM_THRESHOLD, FREE_BYTES = -1, 16 * 1024 * 1024
M_MMAP_THRESHOLD, HEAP_BYTES = -3, 4 * 1024 * 1024
INTERRUPTED = 130  # what shells report for a command that Ctrl+C ended

cli = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"Easel {version.read()}")
        raise typer.Exit


@cli.callback()
def options(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Say which Easel this is."
        ),
    ] = False,
) -> None:
    """Easel: a Discord bot that turns /imagine and /remix into finished pictures."""


@cli.command()
def run() -> None:
    """Run the bot on Discord, with the settings of the environment and .env."""
    configured = _load()
    if missing := configuration.unpriced(configured):
        _fail(f"{missing} {configuration.PRICE_ALL}")
    _keep_memory()
    raise typer.Exit(asyncio.run(_run(configured)))


@cli.command()
def demo(
    prompt: Annotated[str | None, typer.Option(help="Make one picture without a browser.")] = None,
    image: Annotated[
        list[Path] | None,
        typer.Option(help="A reference image; makes it a remix. May be repeated."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the picture is written; left out, easel.png.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The page's port; 0 takes any.")
    ] = 8765,
) -> None:
    """Try everything without Discord or a key: a simulated Discord and a stand-in for HiAPI."""
    try:
        # Late, because only the demo needs the simulated Discord and its many parts.
        from sandbox import world  # noqa: PLC0415
    except ModuleNotFoundError as error:
        _fail(f"The demo needs {error.name}: get Easel's repository and run 'make demo' there.")
    logs.configure(level="WARNING", style="console")
    try:
        if prompt is not None:
            target = out or Path("easel.png")
            world.check(prompt, target)
            images = world.uploads(tuple(image or ()))
            making = world.once(prompt=prompt, images=images, out=target)
            code = asyncio.run(_until_signal(making, stopped=INTERRUPTED))
        elif image or out:
            _fail(f"{'--image' if image else '--out'} needs --prompt.")
        else:
            code = asyncio.run(_until_signal(world.serve(port=port)))
    except world.DemoError as error:
        _fail(str(error), code=1)
    raise typer.Exit(code)


@cli.command()
def migrate() -> None:
    """Bring the database to this version of Easel (SQLite does so at start by itself)."""
    from bot.ledger import schema  # noqa: PLC0415 - as in `_run`
    from bot.ledger.ledger import Ledger, LedgerError  # noqa: PLC0415

    where = opening.storage()
    try:
        version = Ledger(where.database_url).migrate()
    except LedgerError as error:
        _fail(str(error))
    if version is None:
        typer.echo(f"The database was made, at {schema.HEAD}.")
    elif version != schema.HEAD:
        typer.echo(f"The database was brought from {version} to {schema.HEAD}.")
    else:
        typer.echo("The database is up to date.")


commands.register(cli)


def _load() -> settings.Settings:
    try:
        configured = environment.load()
    except settings.SettingsError as error:
        _fail(str(error))
    logs.configure(
        level=configured.log_level, style=configured.log_format, secrets=configured.secrets()
    )
    for name in environment.strangers():
        log.warning("settings.unknown", name=name)
    return configured


def _fail(sentence: str, *, code: int = 2) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(code)


def _keep_memory() -> None:
    """Reuse the memory of pictures, where the C library can be told to."""
    if sys.platform != "linux":
        return
    tell = getattr(ctypes.CDLL(None), "mallopt", None)
    if tell is not None:  # musl has none
        tell(M_TRIM_THRESHOLD, FREE_BYTES)
        tell(M_MMAP_THRESHOLD, HEAP_BYTES)


async def _run(configured: settings.Settings) -> int:
    """Log in, work until a signal or a fatal refusal by Discord, leave in order."""
    # A second to import, which `migrate` and `--help` need not wait for.
    import aiohttp  # noqa: PLC0415
    import discord  # noqa: PLC0415
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from bot import app, sentry  # noqa: PLC0415
    from bot.admin.server import AdminError  # noqa: PLC0415
    from bot.ledger.ledger import LedgerError  # noqa: PLC0415
    from bot.web import WebError  # noqa: PLC0415

    try:
        if configured.sentry_dsn is not None:
            sentry.start(configured.sentry_dsn.get_secret_value())
        async with app.opened(configured) as easel, easel.bot:
            try:
                await easel.bot.login(configured.discord_token.get_secret_value())
                await easel.sync()
            except discord.LoginFailure:
                typer.echo("Discord refuses DISCORD_TOKEN: copy it anew from the portal.", err=True)
                return 2
            except discord.HTTPException as error:
                typer.echo(f"Discord answers {error.status}: try again later.", err=True)
                return 1
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                typer.echo(f"Discord is out of reach: {error}.", err=True)
                return 1
            await easel.start()
            # What stands by now stays: a full collection would look through all of it again, and
            # hold up whoever wants an acknowledgement.
            gc.collect()
            gc.freeze()
            admin = easel.watch.admin
            log.info(
                "easel.started",
                version=str(version.read()),
                web_port=easel.web.port,
                admin_port=admin and admin.port,
            )
            try:
                return await _until_signal(easel.bot.connect())
            finally:
                log.info("easel.stopped", **await easel.stop())
    except (LedgerError, WebError, AdminError, sentry.SentryError) as error:
        typer.echo(str(error), err=True)
        return 1 if _may_pass(error) else 2
    except SQLAlchemyError as error:
        # Later the loops take such errors in; at the start nothing has begun that could go on.
        words = " ".join(str(getattr(error, "orig", error)).split())
        typer.echo(f"DATABASE_URL cannot be used: {words}", err=True)
        return 1 if _may_pass(error) else 2


def _may_pass(error: Exception) -> bool:
    """Whether the same start may succeed later: then it is worth trying again."""
    from bot.ledger import trouble  # noqa: PLC0415 - as in `_run`
    from bot.ledger.ledger import LedgerAwayError  # noqa: PLC0415 - as in `_run`

    if isinstance(error, LedgerAwayError) or trouble.passes(error):
        return True
    # Whoever has the port may be on its way out, and an address may still be on its way.
    return getattr(error.__cause__, "errno", None) in (errno.EADDRINUSE, errno.EADDRNOTAVAIL)


async def _until_signal(work: Coroutine[object, object, int | None], *, stopped: int = 0) -> int:
    """Do the work until a signal asks to stop (`stopped`) or it ends by itself.

    Then its own code counts; None says that it should never have ended, and counts as 1.
    SIGINT and SIGTERM ask, and SIGHUP, unless it was ignored from the start, as nohup has it.
    """
    working = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    asked = False

    def stop(asking: signal.Signals) -> None:
        nonlocal asked
        if asked:
            return
        asked = True
        log.info("easel.stopping", signal=asking.name)
        working.cancel()
        for number in SIGNALS:
            # A second signal ends the process at once, should the orderly end take too long.
            loop.remove_signal_handler(number)
        if HANGUP is not None:
            # A terminal that goes says so more than once.
            loop.remove_signal_handler(HANGUP)
            signal.signal(HANGUP, signal.SIG_IGN)

    # Windows knows no such handlers: there asyncio itself cancels everything at Ctrl+C.
    with contextlib.suppress(NotImplementedError):
        for number in SIGNALS:
            loop.add_signal_handler(number, stop, number)
        if HANGUP is not None and signal.getsignal(HANGUP) is not signal.SIG_IGN:
            loop.add_signal_handler(HANGUP, stop, HANGUP)
    try:
        code = await working
    except asyncio.CancelledError:
        if not asked:
            raise
        return stopped
    return 1 if code is None else code


def main() -> None:
    """The entry point."""
    cli()


if __name__ == "__main__":
    main()
