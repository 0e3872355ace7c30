"""Faults to come: for the next N requests that match, or by the throw of a die.

Owns the kinds of faults and when each is due; it never touches a socket: the front does.
"""

from __future__ import annotations

import fnmatch
import random
from dataclasses import dataclass, field

from sandbox.wirecord import wire


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer instead of the real one; `after`: although the request was carried out."""

    answer: wire.Answer
    after: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset (RST), before or after the request was carried out."""

    after: bool = False


@dataclass(frozen=True, slots=True)
class HangUp:
    """The connection is closed (FIN) without an answer."""

    after: bool = False


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer ever comes; the line stays open."""

    after: bool = False


@dataclass(frozen=True, slots=True)
class Slow:
    """The answer is real, and late; `after`: the work is done at once, only the answer waits.

    Whoever hangs up meanwhile has asked all the same: the work is done when its time comes.
    """

    seconds: float
    after: bool = False


Fault = Reply | Reset | HangUp | Silence | Slow


def refuse(status: int, *, code: int = 0, message: str = "made up", after: bool = False) -> Reply:
    """Discord's own kind of error."""
    return Reply(wire.RefusedError(status, code=code, message=message).answer, after)


def too_many(
    *, retry_after: float, via: bool = True, everywhere: bool = False, shared: bool = False
) -> Reply:
    """A 429 as Discord sends it; without `via` as a proxy or Cloudflare would."""
    return Reply(limited(retry_after, via=via, everywhere=everywhere, shared=shared))


def banned(*, retry_after: int = 3600) -> Reply:
    """Cloudflare's 429: no JSON, no Via."""
    headers = {"Retry-After": str(retry_after)}
    return Reply(wire.Answer(429, b"error code: 1015", "text/html", headers))


def broken(*, status: int = 503) -> Reply:
    """A server error with a page instead of JSON."""
    return Reply(wire.Answer(status, b"<html>upstream connect error</html>", "text/html"))


def limited(
    retry_after: float, *, via: bool = True, everywhere: bool = False, shared: bool = False
) -> wire.Answer:
    """The answer to one request too many."""
    scope = "global" if everywhere else "shared" if shared else "user"
    headers = {"Retry-After": str(max(1, round(retry_after))), "X-RateLimit-Scope": scope}
    if via:
        headers["Via"] = "1.1 google"
    if everywhere:
        headers["X-RateLimit-Global"] = "true"
    said = {
        "message": "You are being rate limited.",
        "retry_after": round(retry_after, 3),
        "global": everywhere,
    }
    plain = wire.answer(said, status=429)
    return wire.Answer(429, plain.body, plain.content_type, headers)


@dataclass(slots=True, eq=False)
class Planted:
    """One fault: `left` uses remain (None: no end), `fired` were used."""

    what: Fault
    on: str
    left: int | None
    chance: float
    token: str | None
    dice: random.Random
    fired: int = 0

    def lift(self) -> None:
        """Stop it; what it did stays done."""
        self.left = 0


@dataclass(slots=True)
class Faults:
    """The faults that wait; the first one planted that matches is the one used."""

    _planted: list[Planted] = field(default_factory=list)

    def plant(
        self,
        what: Fault,
        *,
        on: str,
        times: int | None = None,
        chance: float | None = None,
        seed: int = 0,
        token: str | None = None,
    ) -> Planted:
        """Add one: once by default, `times` requests, or each with `chance` (0..1)."""
        left = times if times is not None or chance is not None else 1
        dice = random.Random(seed)  # noqa: S311 (a repeatable die)
        entry = Planted(what, on, left, 1.0 if chance is None else chance, token, dice)
        self._planted.append(entry)
        return entry

    def clear(self) -> None:
        """Forget all of them."""
        self._planted.clear()

    def draw(self, *, route: str, line: str, token: str | None) -> Fault | None:
        """Use up the fault due for a request: its route's name or its line may match."""
        if not self._planted:
            return None
        self._planted = [entry for entry in self._planted if entry.left != 0]
        for entry in self._planted:
            if entry.token is not None and entry.token != token:
                continue
            if not (fnmatch.fnmatchcase(line, entry.on) or entry.on == route):
                continue
            if entry.chance < 1.0 and entry.dice.random() >= entry.chance:
                continue
            if entry.left is not None:
                entry.left -= 1
            entry.fired += 1
            return entry.what
        return None
