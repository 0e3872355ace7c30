"""The rules of servers, answered from memory: they are asked for before each acknowledgement.

It owns how long a rule is believed and the way in which one is changed; it never says what a rule
means, which `bot.house` does.
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.clock import Clock
from bot.house import House
from bot.ledger import servers
from bot.ledger.ledger import Ledger, LedgerError

log = structlog.get_logger(__name__)

# Another process may have changed them.
FRESH = timedelta(seconds=30)
SERVERS = 5_000


class Houses:
    """What moderators set, by server."""

    def __init__(self, *, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._known: OrderedDict[int, tuple[House, datetime]] = OrderedDict()

    async def of(self, guild_id: int | None) -> House:
        """The rules of a server, those last known where the ledger fails. Raises LedgerError and
        SQLAlchemyError where nothing is known: without its rules nothing may be spent there.
        """
        if guild_id is None:
            return House()
        known = self._known.get(guild_id)
        if known is not None and self._clock() - known[1] < FRESH:
            return known[0]
        try:
            return self._know(guild_id, await self._ledger.run(servers.house, guild_id))
        except (SQLAlchemyError, LedgerError) as error:
            if known is None:
                raise
            log.warning("house.not_read", server=guild_id, cause=str(error))
            return known[0]

    async def change(
        self, guild_id: int, *, user_id: int, mark: str | None = None, **rules: Any
    ) -> House | None:
        """Set some rules of a server and record who did. Raises as the ledger does.

        None if these rules are no longer as they were at `mark`: somebody else was first.
        """
        house = await self._ledger.run(
            servers.change, guild_id, user_id=user_id, rules=rules, now=self._clock(), mark=mark
        )
        if house is None:
            return None
        log.info("house.changed", server=guild_id, user=user_id, rules=sorted(rules))
        return self._know(guild_id, house)

    def _know(self, guild_id: int, house: House) -> House:
        self._known[guild_id] = (house, self._clock())
        self._known.move_to_end(guild_id)
        while len(self._known) > SERVERS:
            self._known.popitem(last=False)
        return house
