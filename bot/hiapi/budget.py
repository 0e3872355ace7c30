"""The one request allowance of a HiAPI key: so many a minute, so many at once, shared by all.

It owns when a request may start; it never makes one, and it knows nothing of tasks or jobs.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from bot.hiapi import wire

WINDOW = 60.5
"""Seconds. Half a second more than the server's minute: two requests do not travel equally fast."""

LONGEST_HOLD = 60.0
"""Seconds. Whatever the server says, nothing stands still for longer without asking it again."""

_MINUTE = timedelta(minutes=1)
_SAME_RESET = 1.0  # resets are whole seconds: closer together, they name the same moment

Lane = Literal["poll", "submit"]


class Timer(Protocol):
    """What `later` gives back."""

    def cancel(self) -> object: ...


Later = Callable[[float, Callable[[], None]], Timer]
"""Calls a function after so many seconds, as the event loop's `call_later` does."""


def _on_the_loop(seconds: float, call: Callable[[], None]) -> Timer:
    return asyncio.get_running_loop().call_later(seconds, call)


@dataclass(slots=True, eq=False)
class _Start:
    """A request that began at `at`. `void`: it never went out, and counts no longer."""

    at: float
    lane: Lane
    void: bool = False


class Allowance:
    """So many times a minute, not more; whoever comes beyond is turned away, not kept waiting."""

    def __init__(self, times: int) -> None:
        self._taken: deque[datetime] = deque(maxlen=times)

    def take(self, now: datetime) -> bool:
        """Whether there is room for one more now; if so, it is taken."""
        if len(self._taken) == self._taken.maxlen and now - self._taken[0] < _MINUTE:
            return False
        self._taken.append(now)
        return True


class Budget:
    """At most `per_minute` starts in any `window` seconds and `concurrency` requests at once.

    Two lanes, first come first served in each, polls before submits. `reserve` requests a minute
    are kept for polls: submits may use the rest, and while there is a reserve also one of the
    `concurrency` places fewer, so that slow submits cannot shut polls out.

    `monotonic` gives seconds and `later` the wake-up; both must tell the same time. Belongs to one
    event loop. The figures are the contract's: 60 a minute and 10 at once, polling included.
    """

    def __init__(
        self,
        *,
        per_minute: int = 60,
        concurrency: int = 10,
        window: float = WINDOW,
        monotonic: Callable[[], float] = time.monotonic,
        later: Later = _on_the_loop,
    ) -> None:
        if per_minute < 1 or concurrency < 1:
            raise ValueError("a budget of nothing starts nothing")
        self._per_minute = per_minute
        self._concurrency = concurrency
        self._window = window
        self._monotonic = monotonic
        self._later = later
        self._reserve = 0
        self._running = 0
        self._starts: deque[_Start] = deque()
        self._counts: dict[Lane, int] = {"poll": 0, "submit": 0}
        self._waiting: dict[Lane, deque[asyncio.Future[_Start]]] = {
            "poll": deque(),
            "submit": deque(),
        }
        self._paused_until = -math.inf
        # What the server says is left, where that is less than we think; until it says otherwise.
        self._left: int | None = None
        self._left_until = -math.inf
        self._timer: Timer | None = None
        self._timer_at = math.inf

    @property
    def per_minute(self) -> int:
        """How many requests may start in a minute."""
        return self._per_minute

    @property
    def used(self) -> int:
        """How many requests started within the last minute."""
        self._forget(self._monotonic())
        return self._used

    @property
    def reserve(self) -> int:
        """Requests a minute kept for polls; at least one a minute stays for submits."""
        return self._reserve

    @reserve.setter
    def reserve(self, requests: int) -> None:
        self._reserve = max(0, min(requests, self._per_minute - 1))
        self._admit()

    def poll(self) -> AbstractAsyncContextManager[None]:
        """Wait until a read may start; it is under way for as long as the block runs."""
        return self._slot("poll")

    def submit(self) -> AbstractAsyncContextManager[None]:
        """Wait until a create may start; it is under way for as long as the block runs."""
        return self._slot("submit")

    def room(self) -> int:
        """How many submits could start now without waiting."""
        now = self._monotonic()
        self._forget(now)
        return max(0, self._room("submit", now=now))

    def pause(self, seconds: float) -> None:
        """Start nothing for `seconds` (at most 60): the server answered 429 or `Retry-After`.

        Pauses do not add up; the later end holds.
        """
        until = self._monotonic() + min(max(seconds, 0.0), LONGEST_HOLD)
        self._paused_until = max(self._paused_until, until)

    def observe(self, rate: wire.RateLimit | None, *, now: datetime) -> None:
        """Take in the rate headers of an answer, while its own place is still held.

        Where the server has fewer left than we think, someone else uses the key: go by its
        figure, less what is still travelling, until its reset. After that one request at a time
        asks how things stand, because a server may count by fixed or by rolling minutes.
        """
        if rate is None:
            return
        mono = self._monotonic()
        self._forget(mono)
        until = mono + min((rate.reset - now).total_seconds(), LONGEST_HOLD)
        fewer = max(0, rate.remaining - max(0, self._running - 1))
        if self._left is not None and until <= self._left_until + _SAME_RESET < math.inf:
            self._left = min(self._left, fewer)
        elif until > mono and rate.remaining < self._per_minute - self._used:
            self._left, self._left_until = fewer, until
        else:
            self._left = None
        self._admit()

    @property
    def _used(self) -> int:
        return self._counts["poll"] + self._counts["submit"]

    def _room(self, lane: Lane, *, now: float) -> int:
        """How many of `lane` the rules would let start; below 1 is none."""
        if now < self._paused_until:
            return 0
        kept = max(0, self._reserve - self._counts["poll"]) if lane == "submit" else 0
        places = self._concurrency - self._running
        if lane == "submit" and self._reserve and self._concurrency > 1:
            places -= 1
        room = min(places, self._per_minute - self._used - kept)
        if self._left is None:
            return room
        # An inquiry after the reset is anyone's: were it kept for polls, there might be none.
        return min(room, self._left - (kept if self._left_until < math.inf else 0))

    def _forget(self, now: float) -> None:
        """Let go of what lies outside the window, and of a figure whose time has come."""
        while self._starts and self._starts[0].at + self._window <= now:
            gone = self._starts.popleft()
            if not gone.void:
                self._counts[gone.lane] -= 1
        if self._left is not None and self._left_until <= now:
            self._left, self._left_until = 1, math.inf

    @asynccontextmanager
    async def _slot(self, lane: Lane) -> AsyncIterator[None]:
        await self._enter(lane)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, lane: Lane) -> None:
        # Through the queue even when there is room: whoever waits there comes first.
        place = asyncio.get_running_loop().create_future()
        self._waiting[lane].append(place)
        self._admit()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                # Cancelled between being let in and noticing: nothing was sent, nothing counts.
                self._give_back(place.result())
            raise

    def _give_back(self, start: _Start) -> None:
        now = self._monotonic()
        self._forget(now)
        if start.at + self._window > now:
            start.void = True
            self._counts[start.lane] -= 1
        if self._left is not None:
            self._left += 1
        self._leave()

    def _leave(self) -> None:
        self._running -= 1
        if self._left_until == math.inf and self._left == 0 and not self._running:
            # The inquiry brought no figure: the server has stopped telling.
            self._left = None
        self._admit()

    def _admit(self) -> None:
        """Let in everyone the rules allow now, and set the timer for the next who may be."""
        now = self._monotonic()
        self._forget(now)
        for lane in ("poll", "submit"):
            self._admit_lane(lane, now=now)
        self._set_timer(now)

    def _admit_lane(self, lane: Lane, *, now: float) -> None:
        queue = self._waiting[lane]
        while queue:
            if queue[0].done():  # cancelled while it waited
                queue.popleft()
            elif self._room(lane, now=now) > 0:
                start = _Start(now, lane)
                self._starts.append(start)
                self._counts[lane] += 1
                self._running += 1
                if self._left is not None:
                    self._left -= 1
                queue.popleft().set_result(start)
            else:
                return

    def _set_timer(self, now: float) -> None:
        """One timer, for the first moment at which time alone may change the answer."""
        due = math.inf
        if self._waiting["poll"] or self._waiting["submit"]:
            due = self._next_change(now)
        if due == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, due
        if due < math.inf:
            self._timer = self._later(due - now, self._ring)

    def _next_change(self, now: float) -> float:
        if now < self._paused_until:
            return self._paused_until
        oldest = self._starts[0].at + self._window if self._starts else math.inf
        return min(oldest, self._left_until if self._left is not None else math.inf)

    def _ring(self) -> None:
        self._timer, self._timer_at = None, math.inf
        self._admit()
