"""What a person may ask for: checked, allowed, counted and written down before Discord is answered.

It owns received -> queued | withdrawn; it never talks to HiAPI, and to Discord only through what
the cogs report.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot import pending, policy
from bot.allowance import Allowances, Full, Limit, Prices
from bot.catalog import Catalog, Complaint
from bot.clock import Clock
from bot.house import Hands, House
from bot.houses import Houses
from bot.i18n import N_
from bot.ledger import asks, deliveries, queue, verbs
from bot.ledger.ledger import Ledger, LedgerError
from bot.ledger.privacy import ANONYMOUS
from bot.ledger.servers import ALL, EVERYWHERE, Block
from bot.model import Delivery, Reference, Reply, Request, Target, open_reply, storable
from bot.policy import Place, Policy
from bot.questions import Question, Questions
from bot.references import References
from bot.render import Card

log = structlog.get_logger(__name__)

# Discord waits 3 s for an acknowledgement; the ledger may have one of them.
INSERT_LIMIT = timedelta(seconds=1)
Written = Reply | asks.Refusal | None


@dataclass(frozen=True, slots=True)
class Ask:
    """A command as it came from Discord, before anything was promised.

    `unfinished`: the rest of the prompt stands in a file that is read after the acknowledgement.
    References that HiAPI could not fetch are renewed after it, too.
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
    confirmed: bool = False  # its person knows what it costs


_UNKNOWN = Complaint(
    N_("The bot does not remember this picture."), N_("Ask for it again with a command.")
)


_UNFINISHED = Complaint(
    N_("This picture is not finished yet."), N_("Please try again when it is there.")
)


_UNWRITABLE = Complaint(
    N_("The bot cannot write your request down right now."),
    N_("Nothing was started. Please try again in a minute."),
)


class Intake:
    """The only door from the cogs to the rest."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        catalog: Catalog,
        policy: Policy,
        allowances: Allowances,
        prices: Prices,
        houses: Houses,
        member_limit: int,
        references: References,
        questions: Questions,
        clock: Clock,
        queued: Callable[[str], None],
        released: Callable[[str], Awaitable[object]],
        asked: Callable[[int], None] = lambda _user_id: None,
    ) -> None:
        self.catalog = catalog
        self.references = references
        self.questions = questions
        self.clock = clock
        self.closing = False
        self._ledger = ledger
        self._policy = policy
        self._allowances = allowances
        self._prices = prices
        self._houses = houses
        self._member_limit = member_limit
        self._queued = queued
        self._released = released
        self._asked = asked
        self._undoing: set[asyncio.Future[None]] = set()

    def refuses(self, place: Place) -> Complaint | None:
        """Why nothing may be asked for here and now, whatever it is."""
        if self.closing:
            return Complaint(N_("The bot is being restarted."), N_("Please try again in a minute."))
        return self._policy.check(place)

    async def receive(self, ask: Ask) -> Reply | Complaint | Question | None:
        """Write the ask down as `received`: a reply, or why not, or None for a replayed event.

        Or, for what costs much, nothing but a question that its person has to answer first.

        Nothing here waits for more than INSERT_LIMIT: the acknowledgement comes right after.
        """
        # A button may ask for a model that was in use when its card was made.
        request = self.catalog.current(replace(ask.request, prompt=storable(ask.request.prompt)))
        house = await self.house(ask.place)
        if isinstance(house, Complaint):
            return house
        complaint = (
            self.refuses(ask.place)
            or ask.place.lacks(private=ask.target.private)
            or house.admits(channel_ids=ask.place.channel_ids, role_ids=ask.place.role_ids)
            or self.catalog.check(request, unfinished=ask.unfinished)
            or house.refuses(request.prompt)
        )
        if complaint is None:
            complaint = await self.references.check(request.references, user_id=ask.target.user_id)
        if complaint is not None:
            return complaint
        now = self.clock()
        allowances = house.narrows(self._allowances, role_ids=ask.place.role_ids)
        reply = open_reply(
            request,
            ask.target,
            count=ask.count,
            now=now,
            # After a crash nobody must send what has no address yet.
            unfinished=ask.unfinished or self.references.stale(request.references),
            made_from=ask.made_from,
            made_by=ask.made_by,
            spoiler=ask.spoiler,
            show_references=ask.show_references,
            price=self._prices.of(request),
        )
        limits, member_limit = allowances.limits(reply.target, at=now), self._member_limit
        if not ask.confirmed and self.questions.needed(reply):
            said = await self.questions.about(reply, limits=limits, member_limit=member_limit)
            return said if isinstance(said, Question | Complaint) else self._refusal(said)
        written = await self._written(reply, limits)
        return self._refusal(written) if isinstance(written, asks.Refusal) else written

    async def _written(self, reply: Reply, limits: tuple[Limit, ...]) -> Written | Complaint:
        """What the ledger says to a new reply, or that it says nothing in time."""
        try:
            writing = self._ledger.ask(
                asks.receive, reply, limits=limits, member_limit=self._member_limit
            )
            await asyncio.wait([writing], timeout=INSERT_LIMIT.total_seconds())
            if writing.done():
                if isinstance(written := writing.result(), Reply):
                    kind, jobs = written.jobs[0].request.kind, [job.id for job in written.jobs]
                    log.info("reply.received", reply=reply.id, kind=kind, jobs=jobs)
                return written
        except (SQLAlchemyError, LedgerError) as error:
            log.error("reply.not_written", reply=reply.id, cause=str(error))
        else:
            log.error("reply.not_written", reply=reply.id, cause="too slow")
            self._take_back(reply, writing)
        return _UNWRITABLE

    async def house(self, place: Place) -> House | Complaint:
        """The rules of the server where somebody asks; without them nothing is spent there."""
        try:
            async with asyncio.timeout(INSERT_LIMIT.total_seconds()):
                return await self._houses.of(place.guild_id if place.installed else None)
        except (TimeoutError, SQLAlchemyError, LedgerError) as error:
            log.error("house.not_read", server=place.guild_id, cause=str(error) or "too slow")
            return _UNWRITABLE

    async def opens(self, place: Place, *, others: str | None) -> House | Complaint:
        """The rules for a form that is opened here, or why it stays closed.

        `others`: it is about others' `messages` or `avatars`, not about one's own.
        """
        house = await self.house(place)
        if isinstance(house, Complaint):
            return house
        # Whether the answer will be private is not known yet.
        return self.refuses(place) or place.lacks(private=True) or house.spares(others) or house

    async def hands(
        self, reply_id: str, place: Place, *, user_id: int, moderates: bool
    ) -> Complaint | None:
        """Why this person may not press what stands on a card here, or None."""
        house = await self.house(place)
        if isinstance(house, Complaint):
            return house
        if house.hands is Hands.EVERYONE or moderates:
            return None
        reply = await self._find(reply_id)
        if isinstance(reply, Complaint):
            return reply  # whose it is nobody knows, or not now
        if reply.target.user_id == user_id:
            return None
        return Complaint(
            N_("In this server the buttons are for whoever asked."),
            N_("Ask for a picture of your own with a command."),
        )

    def _refusal(self, written: asks.Refusal) -> Complaint:
        """What the ledger's guards said, in words."""
        if isinstance(written, Full):
            return policy.exhausted(written)
        if isinstance(written, Block):
            whole, here = written.user_id == ALL, written.guild_id != EVERYWHERE
            return policy.barred(written.reason, until=written.until, moderated=here, server=whole)
        return Complaint(
            N_("Only {limit} of your pictures may wait at a time; waiting now: {waiting}."),
            N_("Ask for fewer, wait until some have begun, or cancel one."),
            (("waiting", written.waiting), ("limit", self._member_limit)),
        )

    def _take_back(self, reply: Reply, writing: asyncio.Future[Written]) -> None:
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

    async def complete(
        self, reply: Reply, *, rest: str | None, references: Sequence[Reference]
    ) -> Complaint | None:
        """Complete a `received` reply, or say what is wrong with it.

        `rest` is the text of the prompt file, if there is one; `references` are those of the
        request, with the digests and addresses they have by now.
        """
        first, prompt = reply.jobs[0], reply.jobs[0].request.prompt
        if rest is not None:
            prompt = storable(f"{prompt.strip()}\n\n{rest.strip()}".strip())
        request = replace(first.request, prompt=prompt, references=tuple(references))
        if request == first.request and not first.unfinished:
            return None
        target = reply.target
        house = await self._houses.of(target.guild_id if target.present else None)
        complaint = self.catalog.check(request) or house.refuses(prompt)
        if complaint is None:
            await self._ledger.run(
                verbs.amend, reply.id, prompt=prompt, references=request.references
            )
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
            self._asked(reply.target.user_id)
            self._queued(reply.id)

    async def show(self, reply_id: str, target: Target, *, kept: bool = False) -> Complaint | None:
        """A button was pressed: the reply goes on with the click's token, or why not.

        `kept`: only if it is finished and could not be shown for want of a token.
        """
        states = deliveries.KEPT if kept else deliveries.KEPT | {Delivery.OPEN}
        try:
            reply = await self._ledger.run(
                deliveries.reopen, reply_id, target=target, now=self.clock(), of=states
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
        reply = await self.visible(reply_id, user_id=user_id)
        if isinstance(reply, Complaint):
            return reply
        references = reply.jobs[0].request.references
        return await self.references.check(references, user_id=user_id) or reply

    async def visible(self, reply_id: str, *, user_id: int) -> Reply | Complaint:
        """A reply that this person may see: a private one is only its owner's."""
        reply = await self._find(reply_id)
        if isinstance(reply, Reply) and reply.target.private and reply.target.user_id != user_id:
            return _UNKNOWN
        return reply

    async def shown(self, reply_id: str, *, user_id: int) -> Reply | Complaint:
        """A finished reply whose pictures this person may have: not one that was taken back."""
        reply = await self.visible(reply_id, user_id=user_id)
        if isinstance(reply, Complaint):
            return reply
        if reply.delivery in (Delivery.CANCELLED, Delivery.WITHDRAWN):
            return _UNKNOWN
        return reply if reply.settled else _UNFINISHED

    async def own(
        self, reply_id: str, *, user_id: int, asked_by: int | None = None
    ) -> Complaint | None:
        """Why this person may not delete this reply, or None if it is theirs.

        `asked_by` is whose command Discord says the message answers, for what is forgotten here.
        """
        reply = await self._find(reply_id)
        if isinstance(reply, Reply) and reply.target.user_id == user_id:
            return None
        if reply is _UNKNOWN and asked_by == user_id:
            return None
        if isinstance(reply, Complaint) and reply is not _UNKNOWN:
            return reply
        return Complaint(
            N_("This picture is not yours to delete."),
            N_("Ask the person who made it, or a moderator."),
        )

    async def gone(self, reply_id: str, *, message_id: int) -> None:
        """A message of a reply was deleted: nothing leads there any more."""
        try:
            await self._ledger.run(deliveries.forget_message, reply_id, message_id=message_id)
        except (SQLAlchemyError, LedgerError) as error:
            log.warning("reply.not_forgotten", reply=reply_id, cause=str(error))

    async def _find(self, reply_id: str) -> Reply | Complaint:
        # Nothing is acknowledged yet, and a form can only be opened in place of that.
        reading = self._ledger.run(verbs.reply_of, reply_id)
        try:
            reply = await asyncio.wait_for(reading, INSERT_LIMIT.total_seconds())
        except (TimeoutError, SQLAlchemyError, LedgerError) as error:
            log.error("reply.not_found", reply=reply_id, cause=str(error) or "too slow")
            return Complaint(
                N_("The bot cannot look this up right now."), N_("Please try again in a minute.")
            )
        # Of what was erased or grew too old nothing is left that could be asked for again.
        return _UNKNOWN if reply is None or reply.target.user_id == ANONYMOUS else reply

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
                N_("Please try again in a minute."),
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
        return pending.cancelled(cancelled.reply, begun=cancelled.begun)

    async def withdraw(self, reply: Reply, *, why: str) -> None:
        """Discord did not take the acknowledgement, or the person was told no: nothing is made."""
        gone = await self._ledger.run(verbs.withdraw, reply.id, now=self.clock())
        log.info("reply.withdrawn", reply=reply.id, why=why, jobs=gone)
