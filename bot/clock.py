"""The time, handed to whoever needs it, so that tests move it instead of waiting.

It owns the one place that reads the machine's clock; it never sleeps.
"""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)
