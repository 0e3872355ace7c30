"""A person's defaults, answered from memory: what a command takes when an option is left out.

It owns how long the ledger may be waited for and what counts without it; it never decides which
values a model takes. Most people choose nothing: the ids of those who did are kept in memory, so
that nobody else waits for the ledger.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.catalog import Complaint, Model
from bot.clock import Clock
from bot.i18n import N_
from bot.ledger import people
from bot.ledger.ledger import Ledger, LedgerError
from bot.model import Kind, Taste

log = structlog.get_logger(__name__)

# Discord waits 3 s for an acknowledgement; writing the request down may take one of them too.
LOAD_LIMIT = timedelta(seconds=1)
# Another process may have changed them.
FRESH = timedelta(minutes=5)
PEOPLE = 5_000
# Ids of so many who chose something are kept (about 7 MB); of more, the ledger is asked for all.
CHOOSERS = 100_000
# What may not be seen can be shown later; what was seen cannot be taken back.
UNREADABLE = Taste(private=True, spare_messages=True, spare_avatar=True)

_TROUBLE = Complaint(
    N_("The bot cannot reach your defaults right now."), N_("Please try again in a minute.")
)
# Whoever reads it is told no more than that: neither who chose what, nor when.
_SPARED = Complaint(
    N_("This picture is not there to be remixed by others."),
    N_("Please choose another one, or hand an image of your own in with /remix."),
)


class Tastes:
    """The door of the cogs to what people chose as their defaults."""

    def __init__(
        self, *, ledger: Ledger, clock: Clock, offered: Callable[[Kind], tuple[Model, ...]]
    ) -> None:
        self.offered = offered
        self._ledger = ledger
        self._clock = clock
        self._known: OrderedDict[int, tuple[Taste, datetime]] = OrderedDict()
        self._choosers: frozenset[int] | None = None  # None: anybody may be one
        self._loading: dict[int, asyncio.Task[Taste]] = {}

    async def step(self) -> int:
        """Learn who has chosen anything; other processes' people too. Returns how many came."""
        before = self._choosers or frozenset()
        self._choosers = await self._ledger.run(people.choosers, most=CHOOSERS)
        return len((self._choosers or before) - before)

    async def of(self, user_id: int) -> Taste:
        """A person's defaults. Where the ledger is slow: those last known, else private ones."""
        taste, at = self._known.get(user_id, (UNREADABLE, None))
        if at is not None and self._clock() - at < FRESH:
            self._known.move_to_end(user_id)
            return taste
        if self._choosers is not None and user_id not in self._choosers:
            return Taste()
        loading = self._loading.get(user_id)
        if loading is None:
            loading = self._loading[user_id] = asyncio.create_task(self._load(user_id))
            loading.add_done_callback(lambda _: self._loading.pop(user_id, None))
        try:
            # It goes on when the time is up: the next question finds its answer.
            return await asyncio.wait_for(asyncio.shield(loading), LOAD_LIMIT.total_seconds())
        except (TimeoutError, SQLAlchemyError, LedgerError) as error:
            log.warning("tastes.not_loaded", user=user_id, cause=str(error) or "too slow")
            loading.add_done_callback(_heard)
            return taste

    async def stored(self, user_id: int) -> Taste | Complaint:
        """A person's defaults as they stand in the ledger, to be looked at and changed."""
        try:
            return self._know(user_id, await self._ledger.run(people.taste, user_id))
        except (SQLAlchemyError, LedgerError) as error:
            log.error("tastes.not_read", user=user_id, cause=str(error))
            return _TROUBLE

    async def change(
        self, user_id: int, changes: Mapping[str, str | bool | None]
    ) -> Taste | Complaint:
        """Write these fields of a person's defaults, or say that it could not be done."""
        try:
            taste = await self._ledger.run(people.change, user_id, **changes)
        except (SQLAlchemyError, LedgerError) as error:
            log.error("tastes.not_written", user=user_id, cause=str(error))
            return _TROUBLE
        if self._choosers is not None:
            self._choosers |= {user_id}
        return self._know(user_id, taste)

    async def reset(self, user_id: int) -> Taste | Complaint:
        """Forget what a person chose, or say that it could not be done."""
        try:
            await self._ledger.run(people.forget, user_id)
        except (SQLAlchemyError, LedgerError) as error:
            log.error("tastes.not_written", user=user_id, cause=str(error))
            return _TROUBLE
        return self._know(user_id, Taste())

    def forget(self, user_id: int) -> None:
        """The person was erased: they chose nothing, whatever is being looked up."""
        self._know(user_id, Taste())
        if self._choosers is not None:
            self._choosers -= {user_id}

    async def spares(self, user_id: int, others: str | None) -> Complaint | None:
        """Why nobody else may remix this person's `messages` or `avatars`, or None.

        Where that cannot be read they are spared: what was sent away cannot be taken back.
        """
        if others is None:
            return None
        taste = await self.of(user_id)
        spared = taste.spare_messages if others == "messages" else taste.spare_avatar
        return _SPARED if spared else None

    async def _load(self, user_id: int) -> Taste:
        asked_at = self._clock()
        taste = await self._ledger.run(people.taste, user_id)
        known = self._known.get(user_id)
        if known is not None and known[1] >= asked_at:
            return known[0]  # it was changed meanwhile
        return self._know(user_id, taste)

    def _know(self, user_id: int, taste: Taste) -> Taste:
        self._known[user_id] = (taste, self._clock())
        self._known.move_to_end(user_id)
        while len(self._known) > PEOPLE:
            self._known.popitem(last=False)
        return taste


def _heard(task: asyncio.Task[Taste]) -> None:
    """Nobody waits for it any more: an error of it was told already."""
    if not task.cancelled():
        task.exception()
