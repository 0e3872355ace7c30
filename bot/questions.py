"""What costs more than the operator lets pass without a question, until its person said yes.

It owns the question's figures and the memory of what waits for an answer, bounded in number and
time; it never writes a request down and never sends a message.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.allowance import MICROS, UNLIMITED, Limit, Spent, dollars, own_account
from bot.catalog import Complaint
from bot.clock import Clock
from bot.i18n import N_
from bot.ledger import asks
from bot.ledger.asks import Refusal
from bot.ledger.ledger import Ledger, LedgerError
from bot.model import Reply

log = structlog.get_logger(__name__)

KEPT = 500  # questions; each holds a prompt of 20,000 characters at most
LIFE = timedelta(minutes=10)
READ_LIMIT = timedelta(seconds=1)  # of the three that Discord waits

# What is done with the press that said yes.
GoOn = Callable[[Any], Awaitable[None]]

_UNREADABLE = Complaint(
    N_("The bot cannot look up what this costs right now."),
    N_("Nothing was started. Please try again in a minute."),
)


@dataclass(frozen=True, slots=True)
class Question:
    """What a request would buy, for how many millionths of a dollar, and its person's day."""

    pictures: str
    micros: int
    limit: Limit | None
    spent: Spent

    @property
    def price(self) -> str:
        return f"${dollars(self.micros)}"

    def words(self) -> Complaint:
        """The question, in the two lines of a refusal."""
        problem = N_("This would cost {price}: {pictures}.")
        bought = (("price", self.price), ("pictures", self.pictures))
        if self.limit is not None and self.limit.micros < UNLIMITED:
            left = f"${dollars(max(self.limit.micros - self.spent.micros, 0))}"
        elif self.limit is not None and self.limit.pictures < UNLIMITED:
            pictures = max(self.limit.pictures - self.spent.pictures, 0)
            asked = N_("Pictures left for you today: {left}. Shall it be made?")
            return Complaint(problem, asked, (*bought, ("left", pictures)))
        else:
            return Complaint(problem, N_("Shall it be made?"), bought)
        asked = N_("Left for you today: {left}. Shall it be made?")
        return Complaint(problem, asked, (*bought, ("left", left)))


class Answer(Enum):
    """Why an answer brings nothing."""

    LATE = auto()  # too old, or asked before a restart
    TWICE = auto()  # it was answered already
    STRANGE = auto()  # somebody else's question


@dataclass(frozen=True, slots=True)
class _Waiting:
    user_id: int
    interaction_id: int
    until: datetime
    go_on: GoOn | None  # None once it was answered


class Questions:
    """`above` is how many dollars may be spent without a question; None is any."""

    def __init__(self, *, ledger: Ledger, clock: Clock, above: Decimal | None) -> None:
        self._ledger = ledger
        self._clock = clock
        self._above = None if above is None else int(above * MICROS)
        self._kept: OrderedDict[str, _Waiting] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def needed(self, reply: Reply) -> bool:
        """Whether its person has to be asked first. What nobody named a price of is not asked."""
        return self._above is not None and _cost(reply) > self._above

    async def about(
        self, reply: Reply, *, limits: Sequence[Limit], member_limit: int
    ) -> Question | Complaint | Refusal:
        """The question, or what would stand against the request anyway; nothing is reserved."""
        try:
            async with asyncio.timeout(READ_LIMIT.total_seconds()):
                found = await self._ledger.run(
                    asks.foresee, reply, limits=limits, member_limit=member_limit
                )
        except (TimeoutError, SQLAlchemyError, LedgerError) as error:
            log.error("question.not_read", cause=str(error) or "too slow")
            return _UNREADABLE
        if not isinstance(found, Spent):
            return found
        own = own_account(reply.target, at=reply.created_at)
        limit = next((each for each in limits if each.account == own), None)
        return Question(_pictures(reply), _cost(reply), limit, found)

    def keep(self, go_on: GoOn, *, user_id: int, interaction_id: int) -> str | None:
        """Wait for an answer; the key to find it by, or None if this interaction asked already."""
        self._sweep()
        if any(each.interaction_id == interaction_id for each in self._kept.values()):
            return None
        key = secrets.token_hex(8)
        self._kept[key] = _Waiting(user_id, interaction_id, self._clock() + LIFE, go_on)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return key

    def take(self, key: str, *, user_id: int) -> GoOn | Answer:
        """What goes on with a yes, once; or why nothing does."""
        self._sweep()
        kept = self._kept.get(key)
        if kept is None:
            return Answer.LATE
        if kept.user_id != user_id:
            return Answer.STRANGE
        if kept.go_on is None:
            return Answer.TWICE
        self._kept[key] = replace(kept, go_on=None)
        return kept.go_on

    def _sweep(self) -> None:
        now = self._clock()
        for key in [key for key, each in self._kept.items() if each.until <= now]:
            del self._kept[key]


def _pictures(reply: Reply) -> str:
    """Every part of the price, in no language."""
    request = reply.jobs[0].request
    return f"{len(reply.jobs)} × {request.model}, {request.resolution}"


def _cost(reply: Reply) -> int:
    return sum(job.price or 0 for job in reply.jobs)
