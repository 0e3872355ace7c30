"""What moderators may read and change: their server's rules, and who may not ask there.

It owns how long the ledger may be waited for; it never decides who is a moderator, which Discord's
permissions do, nor what a rule means.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot import policy
from bot.catalog import Complaint
from bot.clock import Clock
from bot.house import House
from bot.houses import Houses
from bot.i18n import N_
from bot.ledger import servers
from bot.ledger.ledger import Ledger, LedgerError
from bot.ledger.servers import Block, Change

log = structlog.get_logger(__name__)

# A form can only be opened in place of the acknowledgement, for which Discord waits 3 s.
READ_LIMIT = timedelta(seconds=1)
CHANGES_SHOWN = 5

_UNREADABLE = Complaint(
    N_("The bot cannot read the rules right now."), N_("Please try again in a minute.")
)
_UNWRITABLE = Complaint(
    N_("The bot cannot write this down right now."),
    N_("Nothing was changed. Please try again in a minute."),
)
_MEANWHILE = Complaint(
    N_("Somebody else changed these rules meanwhile."),
    N_("Nothing of yours was written. Open the rules again to see them."),
)
_NO_BLOCK = Complaint(N_("This member is not blocked."), N_("There is nothing to lift."))


@dataclass(frozen=True, slots=True)
class Rules:
    """A server's rules as they stand in the ledger, with their last changes, newest first."""

    house: House
    changes: tuple[Change, ...]
    days: int = 0  # after which the bot itself forgets requests; 0: never
    mute: bool = False  # Discord lets the bot write no more to the log channel


class Moderation:
    """The door of the cogs to what moderators set."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        houses: Houses,
        clock: Clock,
        stopped: Callable[[int, int | None], bool],
        days: int,
    ) -> None:
        self._ledger = ledger
        self._houses = houses
        self._clock = clock
        self._stopped = stopped
        self._days = days

    async def rules(self, guild_id: int) -> Rules | Complaint:
        """The rules of a server as they are now, not as they are remembered."""
        try:
            async with asyncio.timeout(READ_LIMIT.total_seconds()):
                house = await self._ledger.run(servers.house, guild_id)
                changes = await self._ledger.run(
                    servers.recent_changes, guild_id, limit=CHANGES_SHOWN
                )
        except (TimeoutError, SQLAlchemyError, LedgerError) as error:
            log.error("rules.not_read", server=guild_id, cause=str(error) or "too slow")
            return _UNREADABLE
        mute = self._stopped(guild_id, house.log_channel)
        return Rules(house, tuple(changes), days=self._days, mute=mute)

    async def barred(self, guild_id: int) -> Complaint | None:
        """Why nobody in this server may ask, by the operator's word; or that nobody knows now."""
        try:
            async with asyncio.timeout(READ_LIMIT.total_seconds()):
                found = await self._ledger.run(
                    servers.blocked, guild_id=guild_id, user_id=servers.ALL, now=self._clock()
                )
        except (TimeoutError, SQLAlchemyError, LedgerError) as error:
            log.error("block.not_read", server=guild_id, cause=str(error) or "too slow")
            return _UNREADABLE
        if found is None:
            return None
        return policy.barred(found.reason, until=found.until, server=True)

    async def change(
        self, guild_id: int, rules: Mapping[str, Any], *, user_id: int, mark: str
    ) -> Complaint | None:
        """Set these rules if they are still as they were at `mark`, or say why not."""
        try:
            house = await self._houses.change(guild_id, user_id=user_id, mark=mark, **rules)
        except (SQLAlchemyError, LedgerError) as error:
            log.error("rules.not_written", server=guild_id, cause=str(error))
            return _UNWRITABLE
        return _MEANWHILE if house is None else None

    async def block(
        self, guild_id: int, user_id: int, *, by_user: int, reason: str, hours: int | None
    ) -> Complaint | None:
        """Let a member ask no more here, for some hours or until somebody lifts it."""
        now = self._clock()
        try:
            await self._ledger.run(
                servers.block,
                guild_id=guild_id,
                user_id=user_id,
                reason=reason,
                now=now,
                until=None if hours is None else now + timedelta(hours=hours),
                by_user=by_user,
            )
        except (SQLAlchemyError, LedgerError) as error:
            log.error("block.not_written", server=guild_id, cause=str(error))
            return _UNWRITABLE
        log.info("member.blocked", server=guild_id, user=user_id, by=by_user, hours=hours)
        return None

    async def unblock(self, guild_id: int, user_id: int, *, by_user: int) -> Complaint | None:
        """Let a member ask again here, or say why that cannot be done."""
        try:
            lifted = await self._ledger.run(servers.unblock, guild_id=guild_id, user_id=user_id)
        except (SQLAlchemyError, LedgerError) as error:
            log.error("block.not_lifted", server=guild_id, cause=str(error))
            return _UNWRITABLE
        if lifted:
            log.info("member.unblocked", server=guild_id, user=user_id, by=by_user)
        return None if lifted else _NO_BLOCK

    async def blocks(self, guild_id: int) -> list[Block] | Complaint:
        """Who may not ask here."""
        try:
            return await self._ledger.run(servers.all_blocks, guild_id=guild_id, now=self._clock())
        except (SQLAlchemyError, LedgerError) as error:
            log.error("blocks.not_read", server=guild_id, cause=str(error))
            return _UNREADABLE
