"""`block | unblock | blocks`: who may not ask anywhere, by the operator's own word.

It owns the words for that; it never moves a row by itself. What moderators block in their server is
theirs, and neither listed nor lifted here.
"""

from datetime import timedelta
from typing import Annotated

import typer

from bot import clock
from bot.ledger import servers
from bot.ledger.servers import ALL, EVERYWHERE
from bot.operate import opening, tables

REASON_LIMIT = 200  # characters
HOURS_LIMIT = 24 * 365

User = Annotated[
    int | None,
    typer.Option("--user", min=1, max=opening.LARGEST_ID, help="A person's Discord id."),
]
Server = Annotated[
    int | None,
    typer.Option("--server", min=1, max=opening.LARGEST_ID, help="A server's Discord id."),
]


def register(cli: typer.Typer) -> None:
    """Add these commands to the command line."""
    cli.command()(block)
    cli.command()(unblock)
    cli.command()(blocks)


def block(
    user: User = None,
    server: Server = None,
    hours: Annotated[
        int | None,
        typer.Option(min=1, max=HOURS_LIMIT, help="How long; left out, until you lift it."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; told to them.")] = "",
) -> None:
    """Let a person, or a whole server, ask for nothing more; moderators cannot lift that."""
    guild_id, user_id = _whom(user, server)
    now = clock.system()
    until = None if hours is None else now + timedelta(hours=hours)
    given = reason.strip()
    opening.run(
        servers.block,
        guild_id=guild_id,
        user_id=user_id,
        reason=given[:REASON_LIMIT],
        now=now,
        until=until,
    )
    who = tables.who(guild_id, user_id)
    end = f"until {until:%Y-%m-%d %H:%M} UTC" if until else "until you lift it"
    typer.echo(
        f"The {who} is blocked {end}, from the next request on. What is under way already is still "
        "made."
    )
    if len(given) > REASON_LIMIT:
        typer.echo(f"The reason was cut to {REASON_LIMIT} characters.", err=True)


def unblock(user: User = None, server: Server = None) -> None:
    """Lift such a block, or a pause after refused prompts, which then counts anew."""
    guild_id, user_id = _whom(user, server)
    if not opening.run(servers.lift, guild_id=guild_id, user_id=user_id, now=clock.system()):
        opening.fail("There is no such block: see 'blocks'.", code=1)
    typer.echo("Lifted. What a server's moderators blocked there stays blocked.")


def blocks(*, as_json: opening.AsJson = False) -> None:
    """List who may not ask by your word, or is paused after refused prompts."""
    now = clock.system()
    found = opening.run(servers.operators_blocks, now=now)
    if as_json:
        typer.echo(tables.blocks_json(found))
        return
    out = tables.console()
    if not found:
        out.print("Nobody is blocked.")
        return
    out.print(tables.blocks(found, now=now))


def _whom(user: int | None, server: int | None) -> tuple[int, int]:
    """The two ids that such a block is kept under; ends the command if it is not one of them."""
    if user is not None and server is None:
        return EVERYWHERE, user
    if server is None or user is not None:
        opening.fail("Give either --user or --server.")
    return server, ALL
