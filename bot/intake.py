"""What a person may ask for: checked, allowed, counted and written down before Discord is answered.

It owns received -> queued | withdrawn; it never talks to HiAPI, and to Discord only through what
the cogs report.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot import render
from bot.catalog import Catalog, Complaint
from bot.clock import Clock
from bot.i18n import N_
from bot.ledger import asks, deliveries, queue, verbs
from bot.ledger.ledger import Ledger, LedgerError
from bot.model import Reference, Reply, Request, Target, open_reply
from bot.policy import Place, Policy
from bot.render import Card

log = structlog.get_logger(__name__)

# Discord waits 3 s for an acknowledgement; the ledger may have one of them.
INSERT_LIMIT = timedelta(seconds=1)
# HiAPI fetches an image when it paints, which may be a long queue away.
REFERENCE_MARGIN = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Ask:
    """A command as it came from Discord, before anything was promised.

    `unfinished`: the rest of the prompt stands in a file that is read after the acknowledgement.
    """

    request: Request
    target: Target
    place: Place
    count: int = 1
    unfinished: bool = False
    made_from: str | None = None  # the reply whose button asks
    made_by: str | None = None  # which of its buttons
    spoiler: bool = False
    show_references: bool = False


_UNKNOWN = Complaint(
    N_("The bot does not remember this picture."), N_("Ask for it again with a command.")
)


class Intake:
    """The only door from the cogs to the rest."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        catalog: Catalog,
        policy: Policy,
        day_limit: int,
        member_limit: int,
        clock: Clock,
        queued: Callable[[str], None],
        released: Callable[[str], Awaitable[None]],
    ) -> None:
        self.catalog = catalog
        self.clock = clock
        self.closing = False
        self._ledger = ledger
        self._policy = policy
        self._day_limit = day_limit
        self._member_limit = member_limit
        self._queued = queued
        self._released = released
        self._undoing: set[asyncio.Future[None]] = set()

    async def receive(self, ask: Ask) -> Reply | Complaint | None:
        """Write the ask down as `received`: a reply, or why not, or None for a replayed event.

        Nothing here waits for more than INSERT_LIMIT: the acknowledgement comes right after.
        """
        if self.closing:
            return Complaint(N_("The bot is being restarted."), N_("Please try again in a minute."))
        request = replace(ask.request, prompt=_storable(ask.request.prompt))
        complaint = self._policy.check(ask.place) or self.catalog.check(
            request, unfinished=ask.unfinished
        )
        if complaint is not None:
            return complaint
        now = self.clock()
        reply = open_reply(
            request,
            ask.target,
            count=ask.count,
            now=now,
            unfinished=ask.unfinished,
            made_from=ask.made_from,
            made_by=ask.made_by,
            spoiler=ask.spoiler,
            show_references=ask.show_references,
        )
        writing = asyncio.ensure_future(
            self._ledger.run(
                asks.receive,
                reply,
                day_limit=self._day_limit,
                member_limit=self._member_limit,
                now=now,
            )
        )
        try:
            written = await asyncio.wait_for(asyncio.shield(writing), INSERT_LIMIT.total_seconds())
        except (TimeoutError, SQLAlchemyError, LedgerError) as error:
            log.error("reply.not_written", reply=reply.id, cause=str(error) or "too slow")
            if not writing.done():
                self._take_back(reply, writing)
            return Complaint(
                N_("The bot cannot write your request down right now."),
                N_("Nothing was started. Please try again in a minute."),
            )
        if isinstance(written, asks.DayFull):
            return Complaint(
                N_("The bot has made all the pictures it may make today."),
                N_("It starts again {reset}."),
                (("reset", f"<t:{int(written.resets_at.timestamp())}:R>"),),
            )
        if isinstance(written, asks.MemberFull):
            return Complaint(
                N_("Only {limit} of your pictures may wait at a time; waiting now: {waiting}."),
                N_("Ask for fewer, wait until some have begun, or cancel one."),
                (("waiting", written.waiting), ("limit", self._member_limit)),
            )
        if written is not None:
            named = [job.id for job in reply.jobs]
            log.info("reply.received", reply=reply.id, kind=request.kind, jobs=named)
        return written

    def _take_back(
        self, reply: Reply, writing: asyncio.Future[Reply | asks.DayFull | asks.MemberFull | None]
    ) -> None:
        """The person was told no while the row was still being written: undo it once it stands."""

        async def undo() -> None:
            try:
                if await writing == reply:
                    await self.withdraw(reply, why="it was written too late")
            except (SQLAlchemyError, LedgerError) as error:
                log.warning("reply.never_written", reply=reply.id, cause=str(error))

        task = asyncio.ensure_future(undo())
        self._undoing.add(task)
        task.add_done_callback(self._undoing.discard)

    async def complete(self, reply: Reply, rest: str) -> Complaint | None:
        """Append the text of the prompt file to a `received` reply, or say what is wrong."""
        request = reply.jobs[0].request
        prompt = _storable(f"{request.prompt.strip()}\n\n{rest.strip()}".strip())
        complaint = self.catalog.check(replace(request, prompt=prompt))
        if complaint is None:
            await self._ledger.run(verbs.amend, reply.id, prompt=prompt)
        return complaint

    async def confirm(self, reply: Reply, *, message_id: int | None, private: bool) -> None:
        """Discord took the acknowledgement: the jobs join the queue."""
        now = self.clock()
        moved = await self._ledger.run(
            verbs.confirm, reply.id, message_id=message_id, private=private, now=now
        )
        if moved:
            seconds = round((now - reply.created_at).total_seconds(), 3)
            log.info("reply.queued", reply=reply.id, jobs=moved, seconds=seconds)
            self._queued(reply.id)

    async def show(self, reply_id: str, target: Target) -> Complaint | None:
        """A Show button was pressed: the reply goes on with the click's token, or why not."""
        try:
            reply = await self._ledger.run(
                deliveries.reopen, reply_id, target=target, now=self.clock()
            )
        except (SQLAlchemyError, LedgerError) as error:
            log.error("reply.not_reopened", reply=reply_id, cause=str(error))
            return Complaint(
                N_("The bot cannot look your picture up right now."),
                N_("Please press Show again in a minute."),
            )
        if reply is None:
            return Complaint(
                N_("There is nothing left to show here."),
                N_("The picture was shown already, or it is someone else's."),
            )
        log.info("reply.reopened", reply=reply.id)
        self._queued(reply.id)
        return None

    async def wish(self, reply_id: str, *, user_id: int) -> Reply | Complaint:
        """What the reply of a pressed Again asked for, or why it cannot be asked again."""
        reply = await self._find(reply_id)
        if isinstance(reply, Complaint):
            return reply
        if reply.target.private and reply.target.user_id != user_id:
            return _UNKNOWN
        if any(_is_gone(reference, self.clock()) for reference in reply.jobs[0].request.references):
            return Complaint(
                N_("The images you handed in are not kept that long."),
                N_("Use /remix and hand them in again."),
            )
        return reply

    async def own(self, reply_id: str, *, user_id: int) -> Complaint | None:
        """Why this person may not delete this reply, or None if it is theirs."""
        reply = await self._find(reply_id)
        if isinstance(reply, Reply) and reply.target.user_id == user_id:
            return None
        if isinstance(reply, Complaint) and reply is not _UNKNOWN:
            return reply
        return Complaint(
            N_("This picture is not yours to delete."),
            N_("Ask the person who made it, or a moderator."),
        )

    async def _find(self, reply_id: str) -> Reply | Complaint:
        try:
            return await self._ledger.run(verbs.reply_of, reply_id) or _UNKNOWN
        except (SQLAlchemyError, LedgerError) as error:
            log.error("reply.not_found", reply=reply_id, cause=str(error))
            return Complaint(
                N_("The bot cannot look this up right now."), N_("Please try again in a minute.")
            )

    async def cancel(self, reply_id: str, *, user_id: int) -> Card | Complaint:
        """Take a request back as far as that goes: the card that says how far, or why not."""
        try:
            cancelled = await self._ledger.run(
                queue.cancel, reply_id, user_id=user_id, now=self.clock()
            )
        except (SQLAlchemyError, LedgerError) as error:
            log.error("reply.not_cancelled", reply=reply_id, cause=str(error))
            return Complaint(
                N_("The bot cannot cancel anything right now."),
                N_("Please press Cancel again in a minute."),
            )
        if cancelled is None:
            return Complaint(
                N_("There is nothing to cancel here."),
                N_("The picture is finished already, or it is someone else's."),
            )
        log.info(
            "reply.cancelled",
            reply=reply_id,
            taken_back=cancelled.taken_back,
            begun=cancelled.begun,
        )
        # No small edit may come after the card that the press itself brings.
        await self._released(reply_id)
        return render.cancelled(cancelled.reply, begun=cancelled.begun)

    async def withdraw(self, reply: Reply, *, why: str) -> None:
        """Discord did not take the acknowledgement, or the person was told no: nothing is made."""
        await self._ledger.run(verbs.withdraw, reply.id, now=self.clock())
        log.info("reply.withdrawn", reply=reply.id, why=why)


def _storable(text: str) -> str:
    """The text without what a database or the wire cannot hold: NUL, half a surrogate pair."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def _is_gone(reference: Reference, now: datetime) -> bool:
    """Whether Discord's signed address of an image is dead: `ex` is its end in hex seconds."""
    expires = parse_qs(urlsplit(reference.url).query).get("ex", [""])[0]
    try:
        return int(expires, 16) < now.timestamp() + REFERENCE_MARGIN.total_seconds()
    except ValueError:
        return False
