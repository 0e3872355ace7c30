"""Things to do at a moment of a clock that may be real or moved by hand: one heap, one waiter.

Owns when actions start and that their errors surface; it never knows what they do.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Coroutine

Action = Callable[[], Coroutine[None, None, None]]

_LOOK = 0.05
"""Real seconds between looks at the clock while something waits, so a moved one is soon seen."""


class Agenda:
    """A heap of actions by due time. `run` fires them; `settle` fires and finishes what is due."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Action]] = []
        self._order = itertools.count()
        self._under_way: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()

    def at(self, due: float, action: Action) -> None:
        """Do `action` once the clock shows `due` (Unix seconds) or later."""
        heapq.heappush(self._heap, (due, next(self._order), action))
        self._news.set()

    async def run(self) -> None:
        """Fire what falls due, until cancelled."""
        while True:
            self._fire()
            self._news.clear()
            wait = min(_LOOK, max(0.0, self._heap[0][0] - self._clock())) if self._heap else None
            try:
                async with asyncio.timeout(wait):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def settle(self) -> None:
        """Fire everything due now and wait until all that is under way has finished."""
        self._fire()
        while self._under_way:
            await asyncio.gather(*self._under_way)
            self._fire()

    async def stop(self) -> None:
        """Cancel what is under way and forget the rest."""
        self._heap.clear()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _fire(self) -> None:
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            _, _, action = heapq.heappop(self._heap)
            task = asyncio.create_task(action())
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
