"""Values and headers from the wire, read without trusting their types.

It owns what counts as a text, a number and a moment; it never raises: what cannot be read is
absent.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_WAIT = 60.0
"""Seconds: no answer makes us wait longer than this."""

_LAST_SECOND = 253_402_300_799  # the year 9999, all `datetime` can hold; milliseconds lie beyond


def text(value: object) -> str:
    """A string any database can hold (no NUL, no half surrogate pair); "" for anything else."""
    if not isinstance(value, str):
        return ""
    return value.replace("\x00", "").encode("utf-8", "replace").decode()


def whole(value: object) -> int | None:
    """A count or a Unix time, from a number or its digits; None for what is neither."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return int(number) if 0 <= number <= _LAST_SECOND else None


def moment(value: object) -> datetime | None:
    """A time given in Unix seconds. 0 is how the API writes "none"."""
    seconds = whole(value)
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def header(headers: Mapping[str, str], name: str) -> str:
    """A header's value, "" if absent; names compare without case, whatever the mapping."""
    wanted = name.lower()
    return next((value for key, value in headers.items() if key.lower() == wanted), "")


def retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Seconds to wait by `Retry-After`, which is seconds or an HTTP-date; clamped to 0..60."""
    value = header(headers, "Retry-After")
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
            seconds = (when.replace(tzinfo=when.tzinfo or UTC) - now).total_seconds()
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return None if math.isnan(seconds) else min(max(seconds, 0.0), LONGEST_WAIT)
