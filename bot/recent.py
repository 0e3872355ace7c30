"""A person's last prompts and jobs, answered from memory: what Discord suggests while they type.

It owns how long the ledger may be waited for; it never tells one person of another.
"""

import asyncio
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.catalog import Complaint
from bot.clock import Clock
from bot.i18n import N_
from bot.ledger import history, people
from bot.ledger.ledger import Ledger, LedgerError
from bot.ledger.people import Said, Sayings

log = structlog.get_logger(__name__)

MOST = 25  # choices that Discord shows
PEOPLE = 1_000
# Discord waits 3 s and asks again with each letter: better an empty list than a late one.
LOAD_LIMIT = timedelta(seconds=0.8)
RESOLVE_LIMIT = timedelta(seconds=1)

# What stands for a prompt that is longer than Discord lets a choice be.
_TOKEN = re.compile(r"recent:(?P<reply>[a-z2-7]{16})")


# Another process, or an operator, may have erased them.
FRESH = timedelta(minutes=5)


@dataclass(slots=True)
class _Memory:
    until: datetime
    sayings: Sayings = field(default_factory=Sayings)
    stale: bool = True


class Recent:
    """The door of the cogs to what a person said last."""

    def __init__(self, *, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._known: OrderedDict[int, _Memory] = OrderedDict()
        self._loading: dict[int, asyncio.Task[None]] = {}

    async def prompts(self, user_id: int, typed: str) -> list[Said]:
        """The person's last prompts that contain what was typed, the newest first."""
        return _containing((await self._sayings(user_id)).prompts, typed)

    async def jobs(self, user_id: int, typed: str) -> list[Said]:
        """The person's last jobs whose prompt contains, or whose id begins with, what was typed."""
        last = (await self._sayings(user_id)).replies
        begun = [said for said in last if said.job_id.startswith(typed.strip().lower() or " ")]
        return begun or _containing(last, typed)

    def changed(self, user_id: int) -> None:
        """The person asked for something: what is known of them is not all any more."""
        if user_id in self._known:
            self._known[user_id].stale = True

    def forget(self, user_id: int) -> None:
        """The person was erased: what is known of them goes, also what is being looked up."""
        self._known.pop(user_id, None)
        loading = self._loading.pop(user_id, None)
        if loading is not None:
            loading.cancel()

    async def step(self) -> int:
        """Forget what is not fresh any more. Returns whose words that were, in number."""
        now = self._clock()
        old = [user_id for user_id, memory in self._known.items() if memory.until <= now]
        for user_id in old:
            del self._known[user_id]
        return len(old)

    async def resolve(self, user_id: int, text: str) -> str | Complaint:
        """The prompt that a chosen suggestion stands for; any other text is the prompt itself."""
        match = _TOKEN.fullmatch(text.strip())
        if match is None:
            return text
        try:
            async with asyncio.timeout(RESOLVE_LIMIT.total_seconds()):
                prompt = await self._ledger.run(people.prompt_of, match["reply"], user_id=user_id)
        except (TimeoutError, SQLAlchemyError, LedgerError) as error:
            log.warning("recent.not_resolved", user=user_id, cause=str(error) or "too slow")
            return Complaint(
                N_("The bot cannot look up your earlier prompt right now."),
                N_("Please try again in a minute, or type the prompt."),
            )
        if prompt is None:
            return Complaint(
                N_("The bot does not know this earlier prompt of yours."),
                N_("Type the prompt, or choose another one from the list."),
            )
        return prompt

    async def _sayings(self, user_id: int) -> Sayings:
        memory = self._known.get(user_id)
        if memory is None or memory.until <= self._clock():
            memory = self._known[user_id] = _Memory(until=self._clock() + FRESH)
        self._known.move_to_end(user_id)
        while len(self._known) > PEOPLE:
            self._known.popitem(last=False)
        loading = self._loading.get(user_id)
        if loading is None and memory.stale:
            loading = self._loading[user_id] = asyncio.create_task(self._load(user_id, memory))
        if loading is not None:
            # It goes on when the time is up: the next letter finds its answer.
            await asyncio.wait({loading}, timeout=LOAD_LIMIT.total_seconds())
        return memory.sayings

    async def _load(self, user_id: int, memory: _Memory) -> None:
        memory.stale = False  # before the look: what is said meanwhile makes it stale again
        try:
            memory.sayings = await self._ledger.run(people.sayings, user_id, most=MOST)
        except (SQLAlchemyError, LedgerError) as error:
            memory.stale = True
            log.warning("recent.not_loaded", user=user_id, cause=str(error))
        finally:
            if self._loading.get(user_id) is asyncio.current_task():
                del self._loading[user_id]


def token(said: Said) -> str:
    """What stands for a prompt that is too long for a choice."""
    return f"recent:{said.reply_id}"


def _containing(said: tuple[Said, ...], typed: str) -> list[Said]:
    wanted = history.fold(typed.strip())
    return [each for each in said if wanted in history.fold(each.prompt)]
