"""What anybody may do about somebody else's public picture: report it, once, with a reason.

It owns who may report what, and the list that moderators read; it never posts anything, which
`bot.journal` does once the report stands in the ledger.
"""

import asyncio
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot import render
from bot.catalog import Complaint
from bot.clock import Clock
from bot.i18n import N_
from bot.ledger import reports, verbs
from bot.ledger.ledger import Ledger, LedgerError
from bot.ledger.reports import Report
from bot.model import Reply

log = structlog.get_logger(__name__)

REASON_LIMIT = 300  # characters
# A form can only be opened in place of the acknowledgement, for which Discord waits 3 s.
READ_LIMIT = timedelta(seconds=1)
# Of one person: enough for a bad evening, too few to bury what others report.
MOST, WITHIN = 20, timedelta(days=1)
LISTED, LISTED_FOR = 10, timedelta(days=30)

_UNKNOWN = Complaint(
    N_("The bot does not remember this picture."), N_("Tell a moderator of this server instead.")
)
_YOURS = Complaint(N_("This picture is yours."), N_("Use Delete if nobody should see it any more."))
_AGAIN = Complaint(
    N_("You have reported this picture already."), N_("One report is enough: it is kept.")
)
_EMPTY = Complaint(N_("Your report has no reason."), N_("Say in a few words what is wrong."))
_MANY = Complaint(
    N_("You have reported a lot today."), N_("Tell a moderator directly, or come back tomorrow.")
)
_UNREADABLE = Complaint(
    N_("The bot cannot look this up right now."), N_("Please try again in a minute.")
)
_UNWRITABLE = Complaint(
    N_("The bot cannot write this down right now."),
    N_("Nothing was reported. Please try again in a minute."),
)


class Reporting:
    """The door of the cogs to reports."""

    def __init__(self, *, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def opens(self, reply_id: str, *, user_id: int) -> Complaint | None:
        """Why this person cannot report this picture, before they write down why."""
        try:
            async with asyncio.timeout(READ_LIMIT.total_seconds()):
                reply = await self._ledger.run(verbs.reply_of, reply_id)
                known = await self._ledger.run(reports.known, reply_id, user_id=user_id)
        except (TimeoutError, SQLAlchemyError, LedgerError) as error:
            log.error("report.not_read", reply=reply_id, cause=str(error) or "too slow")
            return _UNREADABLE
        return _refusal(reply, user_id) or (_AGAIN if known else None)

    async def report(self, reply_id: str, *, user_id: int, reason: str) -> Report | Complaint:
        """Write a report down, or say why not. What is returned as a report is kept."""
        told = render.clean(reason, limit=REASON_LIMIT)
        if not told:
            return _EMPTY
        try:
            reply = await self._ledger.run(verbs.reply_of, reply_id)
            refused = _refusal(reply, user_id)
            if refused is not None or reply is None:
                return refused or _UNKNOWN
            report = Report(
                reply_id=reply_id,
                user_id=user_id,
                # Where the bot is only somebody's guest it can tell no moderator.
                guild_id=reply.target.guild_id if reply.target.present else None,
                at=self._clock(),
                reason=told,
            )
            kept = await self._ledger.run(reports.keep, report, since=report.at - WITHIN, most=MOST)
        except (SQLAlchemyError, LedgerError) as error:
            log.error("report.not_written", reply=reply_id, cause=str(error))
            return _UNWRITABLE
        if not kept:
            return _MANY if kept is None else _AGAIN
        # Not the reason: no prompt is logged either.
        log.info("report.received", reply=reply_id, user=user_id, server=report.guild_id)
        return report

    async def open(self, guild_id: int) -> list[tuple[Report, Reply]] | Complaint:
        """The last reports of a server's pictures that still stand, newest first."""
        try:
            return await self._ledger.run(
                reports.recent, guild_id, since=self._clock() - LISTED_FOR, limit=LISTED
            )
        except (SQLAlchemyError, LedgerError) as error:
            log.error("reports.not_read", server=guild_id, cause=str(error))
            return _UNREADABLE


def _refusal(reply: Reply | None, user_id: int) -> Complaint | None:
    if reply is None or not any(job.outcome and job.outcome.pictures for job in reply.jobs):
        return _UNKNOWN
    if reply.target.user_id == user_id:
        return _YOURS
    return _UNKNOWN if reply.target.private else None
