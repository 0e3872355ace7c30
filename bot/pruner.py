"""Forgets what is older than it may be kept: in the ledger, and what lies beside it as files.

It owns when and how much at a time; which rows those are, `bot.ledger.retention` says. Several
processes may prune at once: whoever comes second to a row finds it forgotten.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog

from bot.clock import Clock
from bot.keeper import Keeper
from bot.ledger import budgets, privacy, retention
from bot.ledger.ledger import Ledger
from bot.ledger.retention import Ages, Pruned

log = structlog.get_logger(__name__)

# A round looks for so many replies, beside all writing, and blanks so many in one transaction:
# whoever else wants to write waits for one of those, 2 ms in the middle on SQLite, 14 ms at the
# 99th percentile, in a ledger of 100,000 jobs on two busy cores.
LOOK = 500
AT_ONCE = 25
RECORDS = 200
ACCOUNTS = 50
# What waits behind a Show button, or could not be shown, is kept for its person at least so long.
# By then its picture is gone at HiAPI, which keeps it for about a week.
UNSEEN = timedelta(days=30)
# Accounts of a month that may still be given something back are nobody's business to fold: a job
# may wait a week in the queue and a day at HiAPI.
LATE = timedelta(days=10)


class Pruner:
    """One `step()` is one bounded round. `days` 0 keeps everything but where a server says less.

    `sweep` empties what the database still holds of erased rows outside its tables; False if that
    must be tried again.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        keeper: Keeper,
        clock: Clock,
        days: int,
        sweep: Callable[[], bool],
    ) -> None:
        self._ledger = ledger
        self._keeper = keeper
        self._clock = clock
        self._days = days
        self._sweep = sweep
        self._owed = False

    async def step(self) -> int:
        """Forget a bounded number of what is too old. Returns how many rows."""
        ages = Ages(now=self._clock(), days=self._days, unseen=UNSEEN)
        pruned = await self._replies(ages)
        records = await self._ledger.run(retention.tidy, ages, limit=RECORDS)
        folded = await self._accounts(ages)
        if pruned or records or folded:
            self._owed = True
            log.info("ledger.pruned", replies=pruned, records=records, accounts=folded)
        elif self._owed:
            await self.sweep()
        return pruned + records + folded

    async def sweep(self) -> bool:
        """Empty what still holds erased rows, now or, where a reader is in the way, later."""
        self._owed = not await asyncio.to_thread(self._sweep)
        return not self._owed

    async def _replies(self, ages: Ages) -> int:
        ids = await self._ledger.read(retention.due, ages, limit=LOOK)
        gone: list[Pruned] = []
        for start in range(0, len(ids), AT_ONCE):
            part = ids[start : start + AT_ONCE]
            gone.append(await self._ledger.run(retention.prune, part, ages=ages))
            await self._keeper.forget(gone[-1].job_ids)
        digests = frozenset[str]().union(*(each.digests for each in gone))
        if digests:
            used = await self._ledger.read(privacy.in_use, digests)
            await self._keeper.forget((), digests=digests - used)
        return sum(each.replies for each in gone)

    async def _accounts(self, ages: Ages) -> int:
        if not self._days:
            return 0
        month = ages.now - max(timedelta(days=self._days), LATE)
        past = await self._ledger.read(budgets.past, before=f"{month:%Y-%m}", limit=ACCOUNTS)
        return await self._ledger.run(budgets.fold, past) if past else 0
