"""Ids and times as Discord makes them, after a clock that a test may move.

Owns the clock and the counter behind the ids; it never sleeps.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime

EPOCH_MS = 1_420_070_400_000  # the first second of 2015


class Clock:
    """Unix seconds from `source`, plus whatever `move` added."""

    def __init__(self, source: Callable[[], float]) -> None:
        self._source, self._offset, self._held = source, 0.0, 0.0
        self._numbers = itertools.count(1)

    def __call__(self) -> float:
        """Now, in Unix seconds."""
        return self._source() + self._offset

    def move(self, seconds: float, *, ids: bool = True) -> None:
        """Let this much time pass at once; new ids do not tell of it without `ids`."""
        self._offset += seconds
        if not ids:
            self._held += seconds

    def mint(self, *, age: float = 0.0) -> int:
        """A new id, made `age` seconds ago."""
        return snowflake(self() - self._held - age) | (next(self._numbers) & 0x3FFFFF)


def snowflake(seconds: float) -> int:
    """The least id of that moment."""
    return (int(seconds * 1000) - EPOCH_MS) << 22


def iso(seconds: float) -> str:
    """A moment as Discord writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()
