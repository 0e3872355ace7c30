"""`jobs list | show | requeue | give-up`: an operator's look at single jobs, while the bot runs.

It owns the words for what the ledger's verbs answer; it never moves a row by itself.
"""

from typing import Annotated

import typer

from bot import clock
from bot.ledger import desk
from bot.ledger.desk import GivenUp, Requeued
from bot.model import State
from bot.operate import opening, tables

cli = typer.Typer(
    help="Look at single jobs, bring them forward, or give them up; safe while the bot runs.",
    no_args_is_help=True,
)

Id = Annotated[str, typer.Argument(help="A job's id, or as much of its beginning as is needed.")]

DONE = frozenset({Requeued.SENDING, Requeued.SHOWING})
REQUEUED = {
    Requeued.SENDING: "Due now. Its request goes out under the same key as before: nothing is "
    "billed twice.",
    Requeued.SHOWING: "Its reply is open again; the bot shows it within seconds.",
    Requeued.HELD: "A process is at work on it at this moment: wait a minute or two.",
    Requeued.UNCONFIRMED: "Discord has not confirmed it yet; the bot decides about it by itself.",
    Requeued.MADE: "HiAPI is at work on it; the bot looks at it by itself.",
    Requeued.PARKED: "It waits behind the Show button of its note: only that person can open it.",
    Requeued.SHOWN: "It is shown already. Again or Retry on its card asks anew.",
    Requeued.NOTHING: "There is nothing to show. Retry on its card asks anew.",
    Requeued.ERASED: "What its person had was erased: nobody can be shown anything.",
    Requeued.GONE: "There is no such job.",
}
GIVEN_UP = {
    GivenUp.UNCOUNTED: "Given up and taken out of the day's count: it was never sent. The bot "
    "tells its person.",
    GivenUp.UNKNOWN: "Given up, outcome unknown; it stays counted, for HiAPI may bill it. The bot "
    "tells its person.",
    GivenUp.OVER: "It is over already.",
    GivenUp.GONE: "There is no such job.",
}


@cli.command("list")
def listed(
    state: Annotated[
        list[State] | None, typer.Option(help="Only jobs in this state. May be repeated.")
    ] = None,
    user: Annotated[
        int | None,
        # 0 has the jobs of everybody who was erased.
        typer.Option(min=0, max=opening.LARGEST_ID, help="Only jobs of this person (id)."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    *,
    as_json: opening.AsJson = False,
) -> None:
    """List jobs, the newest first."""
    found = opening.run(desk.listing, states=state or (), user_id=user, limit=limit)
    if as_json:
        typer.echo(tables.jobs_json(found))
        return
    out = tables.console()
    if not found:
        out.print("No job is like that.")
        return
    out.print(tables.jobs(found, now=clock.system()))


@cli.command()
def show(
    job: Id,
    *,
    prompt: Annotated[bool, typer.Option("--prompt", help="Show the prompt too.")] = False,
    as_json: opening.AsJson = False,
) -> None:
    """Show what is known of one job."""
    entry = opening.run(desk.entry, _whole(job))
    if entry is None:
        opening.fail("There is no such job.", code=1)
    if as_json:
        typer.echo(tables.jobs_json([entry], prompt=prompt))
        return
    tables.console().print(tables.job(entry, now=clock.system(), prompt=prompt))


@cli.command()
def requeue(job: Id) -> None:
    """Bring a waiting job forward, or have a finished one shown again. Never billed twice."""
    said = opening.run(desk.requeue, _whole(job), now=clock.system())
    if said not in DONE:
        opening.fail(REQUEUED[said], code=1)
    typer.echo(REQUEUED[said])


@cli.command("give-up")
def give_up(
    job: Id,
    words: Annotated[str, typer.Option(help="Why, for the ledger.")] = "given up by the operator",
) -> None:
    """Settle a job that is stuck; its card then says that it will not come."""
    said = opening.run(desk.give_up, _whole(job), words=words[:500], now=clock.system())
    if said in (GivenUp.OVER, GivenUp.GONE):
        opening.fail(GIVEN_UP[said], code=1)
    typer.echo(GIVEN_UP[said])


def _whole(beginning: str) -> str:
    """The whole id of the one job that begins so; ends the command if it is not one."""
    found = opening.run(desk.named, beginning) if beginning else []
    if not found:
        opening.fail("There is no such job.", code=1)
    if len(found) > 1:
        opening.fail(f"Several jobs begin so: {', '.join(found)}.", code=1)
    return found[0]
