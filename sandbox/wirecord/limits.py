"""Rate limits: a bucket per route and top-level resource, and one for the whole bot.

Owns the counting and its headers; it never waits. Real time counts here, because clients sleep.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.wirecord import faults, wire


@dataclass(frozen=True, slots=True)
class Bucket:
    """So many requests per so many seconds; `name` is what X-RateLimit-Bucket says."""

    name: str
    limit: int
    seconds: float


# Observed figures; Discord publishes none. Routes that are not named have no bucket.
BUCKETS: Mapping[str, Bucket] = {
    "webhook": Bucket("c0ffee01webhook", 5, 2.0),
    "say": Bucket("c0ffee02say", 5, 5.0),
    "edit": Bucket("c0ffee03edit", 5, 5.0),
    "delete": Bucket("c0ffee04delete", 5, 1.0),
    "look": Bucket("c0ffee05look", 50, 1.0),
}


class Limits:
    """Counts requests. `global_per_second=None` and an empty `buckets` switch it off."""

    def __init__(
        self,
        *,
        buckets: Mapping[str, Bucket] = BUCKETS,
        global_per_second: int | None = 50,
    ) -> None:
        self._buckets, self._global = buckets, global_per_second
        self._windows: dict[tuple[str, str], tuple[int, float]] = {}

    def enter(
        self, bucket: str, major: str, *, counted: bool
    ) -> tuple[dict[str, str], wire.Answer | None]:
        """Headers for the answer, and the refusal if it is one request too many.

        `major` is the channel, or the webhook's token; `counted`: whether the bot's own limit
        applies (interaction routes are exempt).
        """
        now = time.monotonic()
        if counted and self._global is not None:
            used, ends = self._window(("", ""), now, 1.0)
            if used > self._global:
                return {}, faults.limited(ends - now, everywhere=True)
        rule = self._buckets.get(bucket)
        if rule is None:
            return {}, None
        used, ends = self._window((bucket, major), now, rule.seconds)
        headers = {
            "X-RateLimit-Bucket": rule.name,
            "X-RateLimit-Limit": str(rule.limit),
            "X-RateLimit-Remaining": str(max(0, rule.limit - used)),
            "X-RateLimit-Reset": f"{time.time() + ends - now:.3f}",
            "X-RateLimit-Reset-After": f"{ends - now:.3f}",
        }
        return headers, faults.limited(ends - now) if used > rule.limit else None

    def _window(self, key: tuple[str, str], now: float, seconds: float) -> tuple[int, float]:
        used, ends = self._windows.get(key, (0, 0.0))
        if ends <= now:
            used, ends = 0, now + seconds
            if len(self._windows) > 4096:  # noqa: PLR2004 (a bound on memory, not on behaviour)
                self._windows = {k: w for k, w in self._windows.items() if w[1] > now}
        self._windows[key] = used + 1, ends
        return used + 1, ends


OFF = Limits(buckets={}, global_per_second=None)
