"""Rows that a stage claims ahead of its rounds: in the transaction that makes them ready.

It owns how many such claims may wait and for how long; it never claims anything by itself.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Generic, TypeVar

T = TypeVar("T")


class Claims(Generic[T]):
    """At most `most` claims, those included that are being served.

    A claim that nobody served for `life` is given back, and then it is anybody's.
    """

    def __init__(
        self,
        *,
        most: int,
        life: timedelta,
        give_back: Callable[[T, datetime], Awaitable[object]],
    ) -> None:
        """`give_back` ends the lease of what was found by a claim of that time."""
        self._most = most
        self._life = life
        self._give_back = give_back
        self._serving = 0
        self._asked: deque[tuple[datetime, asyncio.Future[T | None]]] = deque()

    @property
    def waiting(self) -> int:
        """How many were asked for and taken by nobody yet."""
        return len(self._asked)

    def room(self) -> bool:
        """Whether somebody is free to serve one more at once."""
        return self._serving + self.waiting < self._most

    def put(self, claim: asyncio.Future[T | None], *, at: datetime) -> None:
        """A claim was asked for at that time; it may turn out to have found nothing."""
        self._asked.append((at, claim))

    async def take(self, *, now: datetime) -> tuple[T, datetime] | None:
        """The first fresh claim that found something, and when it was asked for.

        A claim that failed found nothing: whoever comes claims for themselves, and hears what is
        still in the way. Raises what `give_back` raises.
        """
        while self._asked:
            at, claim = self._asked.popleft()
            if not claim.done():
                await asyncio.wait([claim])
            if claim.cancelled() or claim.exception() is not None:
                continue
            found = claim.result()
            if found is None:
                continue
            if now - at < self._life:
                return found, at
            await self._give_back(found, at)
        return None

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Within this, one who could serve does."""
        self._serving += 1
        try:
            yield
        finally:
            self._serving -= 1
