"""How people are forgotten, wired: a part of the composition root.

It owns who hears of an erasure and what becomes of the cards that waited; it never decides what
is somebody's.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot import pending
from bot.clock import Clock
from bot.dossiers import Dossiers
from bot.houses import Houses
from bot.keeper import Keeper
from bot.ledger import files
from bot.ledger.ledger import Ledger
from bot.ledger.privacy import Erased
from bot.loops import Loop
from bot.messenger import Messenger
from bot.model import Reply
from bot.past import Past
from bot.progress import Progress
from bot.pruner import Pruner
from bot.recent import Recent
from bot.settings import Settings
from bot.tastes import Tastes

# While SQLite's log of changes is emptied nobody else writes: rather later than long.
SWEEP_WAIT_MS = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting:
    """The door to one's own data, and the rounds that forget by themselves."""

    dossiers: Dossiers
    pruner: Pruner
    loops: tuple[Loop, ...]


def wired(
    settings: Settings,
    clock: Clock,
    *,
    ledger: Ledger,
    keeper: Keeper,
    houses: Houses,
    messenger: Messenger,
    progress: Progress,
    recent: Recent,
    tastes: Tastes,
    past: Past,
) -> Forgetting:
    """All of it, over one ledger and one folder."""
    path = files.sqlite_path(settings.database_url)

    async def taken_back(reply: Reply) -> None:
        """Let a card that waited say that nothing comes; nobody minds if Discord refuses."""
        await progress.release(reply.id)
        begun = sum(job.first_post_at is not None and not job.turned_away for job in reply.jobs)
        wordless = replace(reply.jobs[0].request, prompt="", references=())
        silent = reply.evolve(jobs=tuple(job.evolve(request=wordless) for job in reply.jobs))
        # Of what was erased nothing can be asked for again.
        card = replace(pending.cancelled(silent, begun=begun), rows=())
        await messenger.edit(reply.target, card, attempts=1)

    async def forgotten(user_id: int, erased: Erased, before: Sequence[Reply]) -> None:
        recent.forget(user_id)
        tastes.forget(user_id)
        past.forget(erased.job_ids)
        await asyncio.gather(*map(taken_back, before))

    pruner = Pruner(
        ledger=ledger,
        keeper=keeper,
        clock=clock,
        days=settings.retention_days,
        sweep=lambda: path is None or files.sweep(path, wait_ms=SWEEP_WAIT_MS),
    )
    return Forgetting(
        dossiers=Dossiers(
            ledger=ledger,
            keeper=keeper,
            houses=houses,
            clock=clock,
            days=settings.retention_days,
            sweep=pruner.sweep,
            forgotten=forgotten,
            addresses=(settings.privacy_url, settings.terms_url),
        ),
        pruner=pruner,
        loops=(
            Loop("recent", recent.step, interval=60.0),
            Loop("pruner", pruner.step, interval=600.0),
        ),
    )
