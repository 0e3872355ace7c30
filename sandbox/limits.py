"""HiAPI's rate limit: requests over a rolling minute and requests at once.

Owns the counting and its headers; it never sends an answer.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

MINUTE = 60.0


@dataclass(slots=True)
class Limit:
    """`per_minute` and `at_once`; None is no limit. A refused request is not counted."""

    per_minute: int | None
    at_once: int | None
    open: int = 0
    _seen: deque[float] = field(default_factory=deque)

    def enter(self, now: float) -> int | None:
        """Count one request in; returns the seconds to wait if it is refused. Pair with `leave`."""
        if self.at_once is not None and self.open >= self.at_once:
            return 1
        if self.per_minute is not None:
            self._forget(now)
            if len(self._seen) >= self.per_minute:
                return max(1, math.ceil(self._seen[0] + MINUTE - now))
            self._seen.append(now)
        self.open += 1
        return None

    def leave(self) -> None:
        """The request was answered."""
        self.open -= 1

    def headers(self, now: float) -> dict[str, str]:
        """The X-RateLimit headers; none without a limit per minute."""
        if self.per_minute is None:
            return {}
        self._forget(now)
        frees = self._seen[0] + MINUTE if self._seen else now
        return {
            "X-RateLimit-Limit": str(self.per_minute),
            "X-RateLimit-Remaining": str(max(0, self.per_minute - len(self._seen))),
            "X-RateLimit-Reset": str(math.ceil(frees)),
        }

    def _forget(self, now: float) -> None:
        while self._seen and self._seen[0] <= now - MINUTE:
            self._seen.popleft()
