"""Waiting until something became true, without polling.

Owns the waiters; it never knows what they wait for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Watch:
    """`changed()` makes every waiter look again."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def changed(self) -> None:
        """Something may have become true."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_result(None)

    async def until(self, met: Callable[[], bool], *, seconds: float) -> None:
        """Wait until `met()`; raises TimeoutError after `seconds` of real time."""
        async with asyncio.timeout(seconds):
            while not met():
                waiter = asyncio.get_running_loop().create_future()
                self._waiting.append(waiter)
                await waiter
