"""A loop that calls one stage's `step()` again and again: start, stop, wake, survive errors.

It owns the waiting between rounds; it never knows what a round does.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger(__name__)

Excuse = Callable[[BaseException], bool]
"""Whether an error is told of elsewhere, once for all whom it stops."""

# After a failed round a loop waits this long, doubling up to the limit: a broken database must
# not fill the log, and a passing fault must not stop the bot.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0


class Loop:
    """Runs `step` in `workers` tasks. A step does one bounded round and returns rows moved.

    A worker rests until `wake()`; of those that rest, one looks by itself after `interval` seconds,
    and the others rest on, for they would look for the same row. A wake-up tells of one row, hence
    of one round; a round that time began is followed by another at once for as long as rows move,
    and brings in a worker more, because nobody knows how many there are. After a failed round only
    time and `stop()` end the pause: a wake-up changes nothing about what is broken.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], Awaitable[int]],
        *,
        interval: float,
        workers: int = 1,
    ) -> None:
        self.name = name
        self._step = step
        self._interval = interval
        self._workers = workers
        self._tasks: list[asyncio.Task[None]] = []
        self._resting: list[_Rest] = []
        self._watch: _Rest | None = None  # who looks when the interval is over
        self._owed = 0  # wake-ups that came while nobody rested
        self._stopping = asyncio.Event()

    def start(self, *, excused: Excuse = lambda _: False) -> None:
        """Begin. A round that fails is logged with its traceback, unless its error is excused."""
        self._stopping.clear()
        self._tasks = [
            asyncio.create_task(self._run(excused), name=f"{self.name}-{number}")
            for number in range(self._workers)
        ]

    def wake(self) -> None:
        """There may be a row: one worker looks now instead of at the end of its interval.

        One, because the others would look for the same row. Where all are at work, the first
        that ends its round looks again.
        """
        if self._resting:
            self._resting.pop().end(woken=True)
        else:
            self._owed += 1

    async def stop(self, *, grace: float) -> None:
        """Let the rounds under way finish for at most `grace` seconds, then cancel them."""
        self._stopping.set()
        while self._resting:
            self.wake()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=grace)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        self._tasks = []

    async def _run(self, excused: Excuse) -> None:
        pause = FIRST_PAUSE
        woken = False
        while not self._stopping.is_set():
            told = self._owed
            try:
                moved = await self._step()
            # The one place besides the web handler and the tree hook that catches all: a stage
            # that dies silently would leave every later job spinning.
            except (Exception, asyncio.CancelledError) as error:
                if isinstance(error, asyncio.CancelledError) and _cancelled():
                    raise
                if not excused(error):
                    log.exception("loop.round_failed", loop=self.name, retry_in=pause)
                await self._wait(self._stopping, pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            if moved and not woken and self._resting:
                self._resting.pop().end(woken=False)
            if not moved:
                # Nothing is left of what was told before the round.
                self._owed = max(0, self._owed - told)
            if self._owed:
                self._owed -= 1
                woken = True
            elif (woken or not moved) and not self._stopping.is_set():
                woken = await self._rest()

    async def _rest(self) -> bool:
        """Wait for a wake-up or the end of the interval; whether it was a wake-up."""
        rest = _Rest()
        # Wake-ups take the last of the list, and so the one who watches at the very end.
        self._resting.append(rest)
        self._watch = self._watch or rest
        try:
            while not rest.ended:
                rest.event.clear()
                await self._wait(rest.event, self._interval if self._watch is rest else None)
                if self._watch is rest and not rest.event.is_set():
                    break
        finally:
            if rest in self._resting:
                self._resting.remove(rest)
            if self._watch is rest:
                # Handed on before the round, which may be a long one.
                self._watch = self._resting[0] if self._resting else None
                if self._watch is not None:
                    self._watch.event.set()
        return rest.woken

    async def _wait(self, event: asyncio.Event, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()


class _Rest:
    """One worker's rest. It ends by `end`; an event alone only lets the worker look up."""

    __slots__ = ("ended", "event", "woken")

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.ended = self.woken = False

    def end(self, *, woken: bool) -> None:
        self.ended, self.woken = True, woken
        self.event.set()


def _cancelled() -> bool:
    """Whether this task was told to end, or only something that it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
