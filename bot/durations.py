"""How long pictures take, by the last ones of each model.

It owns what is remembered of them and the guess before the first; it never measures one.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from datetime import timedelta

# Before anything was observed: pictures are said to take 8-30 s.
FIRST_GUESS = timedelta(seconds=10)
REMEMBERED = 50


class Durations:
    """The last fifty of each model."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[timedelta]] = defaultdict(lambda: deque(maxlen=REMEMBERED))

    def add(self, model: str, took: Iterable[timedelta]) -> None:
        """Remember finished pictures, the oldest first."""
        self._seen[model].extend(took)

    def expected(self, model: str) -> timedelta:
        """How long a picture of this model takes: the median of the last ones."""
        seen = self._seen[model]
        return sorted(seen)[len(seen) // 2] if seen else FIRST_GUESS
