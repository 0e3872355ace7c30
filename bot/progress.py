"""Keeps the waiting cards true: queued, painting, nearly there.

It owns the small edits before the final one; it drops them whenever they would be in the way, and
never edits a reply once delivery has taken it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from bot import pending
from bot.clock import Clock
from bot.errors import Code
from bot.ledger import deliveries, queue
from bot.ledger.ledger import Ledger
from bot.messenger import Messenger, Result
from bot.model import Reply, State
from bot.render import Card

log = structlog.get_logger(__name__)

# Discord allows about 5 edits per 2 s and token; one per 3 s leaves the final edit room.
APART = timedelta(seconds=3)
AT_ONCE = 5
# All cards together: pictures come first, and nobody reads a card that changes at once again.
A_SECOND = 5
SECOND = timedelta(seconds=1)
NOTE_ATTEMPTS = 4
# So long before a token dies notes are written, and no progress is shown by it any more.
NOTE_BEFORE = timedelta(seconds=90)
# So long the final card waits for an edit under way: once sent, an edit cannot be called back, and
# Discord might carry it out after the final card.
OVERTAKEN = 3.0
# So long an edit of which no answer was heard may still be carried out.
STRAY = timedelta(seconds=10)


class Progress:
    """One `step()` edits the cards that changed, a handful at most.

    It is not woken: what changes again within a moment, or ends, is edited once.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        messenger: Messenger,
        clock: Clock,
        expected: Callable[[str], timedelta],
        held: Callable[[], Code | None],
        wait: Callable[[int], timedelta],
        running_limit: int,
    ) -> None:
        self._ledger = ledger
        self._messenger = messenger
        self._clock = clock
        self._expected = expected
        self._held = held
        self._wait = wait
        self._running_limit = running_limit
        self._places: dict[str, pending.Place] = {}
        self._head_at: datetime | None = None
        self._changed: dict[str, datetime] = {}  # reply id -> when it may be edited
        self._shown: dict[str, tuple[Card, datetime]] = {}
        self._edits: dict[str, asyncio.Task[None]] = {}
        self._looking: set[str] = set()  # the replies whose cards are being written
        self._begun: deque[datetime] = deque(maxlen=A_SECOND)
        self._noted: set[str] = set()  # by this process, among those due
        self._stray: dict[str, datetime] = {}  # reply id -> when an edit was last given up
        self._dead: dict[str, str | None] = {}  # reply id -> the token that edits nothing any more

    async def card(self, reply: Reply) -> Card:
        """How the card of a reply that is under way reads now."""
        now = self._clock()
        [seen] = await self._ledger.run(queue.seen, [reply.id], running_limit=self._running_limit)
        return pending.waiting(
            reply,
            now=now,
            expected=self._expected(reply.jobs[0].request.model),
            place=None if seen is None else self._place(seen.reply, seen.first, now),
            held=self._held(),
        )

    def changed(self, reply_id: str) -> None:
        """Something about this reply may look different now."""
        at = self._clock()
        if reply_id in self._shown:
            at = max(at, self._shown[reply_id][1] + APART)
        self._plan(reply_id, at)

    def _plan(self, reply_id: str, at: datetime) -> None:
        """Look at this card then, or earlier if that was planned already."""
        self._changed[reply_id] = min(at, self._changed.get(reply_id, at))

    def all_changed(self) -> None:
        """The queue stopped or goes on: every card that was shown may read differently."""
        for reply_id in list(self._shown):
            self.changed(reply_id)

    async def release(self, reply_id: str) -> bool:
        """The final card comes: drop what is planned for this reply, await what is under way.

        True if Discord may carry out an earlier edit after it: then it is to be shown once more.
        """
        self._changed.pop(reply_id, None)
        self._forget(reply_id)
        self._looking.discard(reply_id)
        # It stays on the list until it is over: a note and the final card may both wait for it.
        edit = self._edits.get(reply_id)
        if edit is not None:
            await self._finish([edit], seconds=OVERTAKEN)
        given_up = self._stray.pop(reply_id, None)
        return given_up is not None and self._clock() - given_up < STRAY

    async def stop(self, *, grace: float) -> None:
        """Let the edits under way finish for at most `grace` seconds, then cancel them."""
        if self._edits:
            await self._finish(list(self._edits.values()), seconds=grace)

    async def _finish(self, edits: list[asyncio.Task[None]], *, seconds: float) -> None:
        _, late = await asyncio.wait(edits, timeout=seconds)
        for edit in late:
            edit.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def step(self) -> int:
        """Begin at most AT_ONCE edits of cards that are due. Returns how many."""
        now = self._clock()
        await self._watch_head(now)
        # A first card is a person's first sign; then come those nearest to the front.
        due = sorted(
            (reply_id in self._shown, self._ahead(reply_id), at, reply_id)
            for reply_id, at in self._changed.items()
            if at <= now and reply_id not in self._edits
        )
        chosen = [reply_id for *_, reply_id in due[: self._room(now)]]
        if not chosen:
            return 0
        self._looking = set(chosen)
        found = await self._ledger.run(queue.seen, chosen, running_limit=self._running_limit)
        # While the rows were read, a reply may have been delivered or cancelled.
        looked, self._looking = self._looking, set()
        begun = 0
        for reply_id, seen in zip(chosen, found, strict=True):
            if reply_id not in looked:
                continue
            self._changed.pop(reply_id, None)
            if seen is None or not seen.waits:
                self._forget(reply_id)
                continue
            begun += self._edit(seen.reply, now, self._place(seen.reply, seen.first, now))
        return begun

    async def _watch_head(self, now: datetime) -> None:
        """Each job that leaves the queue moves all behind it; only the first places are shown."""
        if self._head_at is not None and now - self._head_at < APART:
            return
        self._head_at = now
        head = await self._ledger.run(
            queue.head, limit=pending.PLACES_SHOWN, running_limit=self._running_limit
        )
        # Those that wait for pictures of their own person stand in no such row.
        own = sorted((place.own, reply_id) for reply_id, place in self._places.items() if place.own)
        for reply_id in [*head, *(each for _, each in own[: pending.PLACES_SHOWN])]:
            self.changed(reply_id)

    def _ahead(self, reply_id: str) -> int:
        place = self._places.get(reply_id)
        return 0 if place is None else place.ahead + place.own

    def _place(
        self, reply: Reply, first: queue.Standing | None, now: datetime
    ) -> pending.Place | None:
        """Where a reply stands; the expected time is kept for as long as the place is."""
        if first is None:
            self._places.pop(reply.id, None)
            return None
        known = self._places.get(reply.id)
        if known is None or (known.ahead, known.own) != (first.ahead, first.own):
            queued = [job for job in reply.jobs if job.state is State.QUEUED]
            # Ready with its last picture; of one person's pictures `limit` are made at a time.
            behind, limit = len(queued) - 1, self._running_limit
            rounds = 1 + -(-(first.own + behind) // limit) if first.own else 1 + behind // limit
            wait = self._wait(first.ahead + behind)
            ready_at = now + wait + rounds * self._expected(queued[0].request.model)
            known = pending.Place(ahead=first.ahead, own=first.own, ready_at=ready_at)
            self._places[reply.id] = known
        return known

    def _forget(self, reply_id: str) -> None:
        self._shown.pop(reply_id, None)
        self._places.pop(reply_id, None)
        self._dead.pop(reply_id, None)

    def _room(self, now: datetime) -> int:
        """How many edits may begin now."""
        recent = sum(1 for at in self._begun if now - at < SECOND)
        return max(0, min(AT_ONCE - len(self._edits), A_SECOND - recent))

    def _edit(self, reply: Reply, now: datetime, place: pending.Place | None) -> int:
        if reply.noted or not reply.target.token_lives(now, margin=NOTE_BEFORE):
            return 0
        if self._dead.get(reply.id) == reply.target.token:
            return 0  # too many requests for what is not there get a bot banned
        model = reply.jobs[0].request.model
        expected = self._expected(model)
        card = pending.waiting(reply, now=now, expected=expected, place=place, held=self._held())
        self._look_again(reply, now=now, expected=expected, place=place)
        if reply.id in self._shown and self._shown[reply.id][0] == card:
            return 0
        self._shown[reply.id] = (card, now)
        self._begun.append(now)
        self._begin(reply, card, attempts=1)
        return 1

    def _begin(self, reply: Reply, card: Card, *, attempts: int, note: bool = False) -> None:
        """Edit in a task of its own, which `release` can end before the final card."""
        showing = self._show(reply, card, attempts, note=note)
        edit = asyncio.create_task(showing, name=f"progress-{reply.id}")
        self._edits[reply.id] = edit
        edit.add_done_callback(lambda done: self._done(reply.id, done))

    def _look_again(
        self, reply: Reply, *, now: datetime, expected: timedelta, place: pending.Place | None
    ) -> None:
        """A card may age without anything happening: come back when its words change."""
        started = pending.began(reply, expected=expected, place=place)
        if started is None:
            return
        ages = (expected, 2 * expected, max(pending.OVERDUE, 2 * expected))
        later = [started + age for age in ages if started + age >= now]
        if later:
            self._plan(reply.id, max(min(later) + timedelta(seconds=1), now + APART))

    async def note(self) -> int:
        """Turn cards that only a dying token reaches into notes with a Show button.

        Those are private ones, and all where the bot is a guest.
        """
        now = self._clock()
        due = await self._ledger.run(deliveries.due_for_note, now=now, before=now + NOTE_BEFORE)
        noted = 0
        self._noted &= {reply.id for reply in due}
        for reply in due:
            if reply.id in self._noted:
                continue
            stray = await self.release(reply.id)
            # Written first: whoever delivers meanwhile must know that a note may stand there.
            # Begun at once after: whoever delivers later must find it under way.
            if await self._ledger.run(deliveries.note, reply.id):
                if not stray:
                    self._noted.add(reply.id)
                log.info("reply.noted", reply=reply.id)
                self._begin(reply, pending.note(reply), attempts=NOTE_ATTEMPTS, note=True)
                noted += 1
        return noted

    async def _show(self, reply: Reply, card: Card, attempts: int, *, note: bool) -> None:
        try:
            shown = await self._messenger.edit(reply.target, card, attempts=attempts)
            if shown.result is Result.OBJECTIONABLE:
                shown = await self._messenger.edit(reply.target, card.quiet(), attempts=attempts)
        except asyncio.CancelledError:
            self._give_up(reply.id)
            raise
        if shown.result is Result.SHOWN:
            if note:
                await self._ledger.run(deliveries.note_stands, reply.id)
            return
        if shown.result is Result.LATER:
            self._give_up(reply.id)
        elif shown.result in (Result.GONE, Result.NOWHERE):
            self._dead[reply.id] = reply.target.token
        # A note comes again with the next round; any other card with the next change.
        self._noted.discard(reply.id)
        log.info("progress.not_shown", reply=reply.id, cause=shown.trouble)

    def _give_up(self, reply_id: str) -> None:
        """No answer was heard: Discord may have the edit, and carry it out any moment."""
        now = self._clock()
        recent = {each: at for each, at in self._stray.items() if now - at < STRAY}
        self._stray = recent | {reply_id: now}

    def _done(self, reply_id: str, edit: asyncio.Task[None]) -> None:
        if self._edits.get(reply_id) is not edit:
            return
        del self._edits[reply_id]
        if not edit.cancelled() and edit.exception() is not None:
            log.error("progress.failed", reply=reply_id, exc_info=edit.exception())
