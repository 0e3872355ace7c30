"""What may be spent: accounts, caps on them, and the price of a picture.

It owns the rules that say which counters a request touches and how far each may go; it never
counts, which `bot.ledger.budgets` does.

Days and months are UTC's. A request touches the whole bot's accounts, then its server's and its
person's in that server, or, outside the servers that have the bot, the person's own.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Self

from bot.model import Request, Target

UNLIMITED = 2**53  # every counter stays below it
MICROS = 1_000_000  # of a dollar

_CAP = re.compile(r"(\$?)(\d{1,9}(?:\.\d{1,6})?)\s*/\s*(day|month)", re.IGNORECASE)


class Counted(StrEnum):
    """What a limit may be on."""

    PICTURES = "pictures"
    MICROS = "micros"
    ATTEMPTS = "attempts"


@dataclass(frozen=True, slots=True)
class Account:
    """One counter: whose (`bot`, `server:1`, `member:1:2`, `person:2`) and when (day or month)."""

    scope: str
    period: str


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that an account may come to; `resets_at` is when its next period begins."""

    account: Account
    resets_at: datetime
    pictures: int = UNLIMITED
    micros: int = UNLIMITED
    attempts: int = UNLIMITED


@dataclass(frozen=True, slots=True)
class Spent:
    """What an account came to so far: money in millionths of a dollar."""

    pictures: int = 0
    micros: int = 0
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Full:
    """The limit that a request would have broken, and on what."""

    limit: Limit
    counted: Counted
    spent: Spent


@dataclass(frozen=True, slots=True)
class Caps:
    """The most in a day and in a month: pictures and money; None is no cap."""

    day_pictures: int | None = None
    month_pictures: int | None = None
    day_micros: int | None = None
    month_micros: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `100/day, $5/month`: pictures or dollars. Raises ValueError with what is wrong."""
        found: dict[str, int] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            match = _CAP.fullmatch(part)
            if match is None or (not match[1] and "." in match[2]):
                raise ValueError(f"takes caps such as 100/day or $5.50/month, not {part!r}")
            name = f"{match[3].lower()}_{'micros' if match[1] else 'pictures'}"
            if name in found:
                raise ValueError(f"names the same cap twice: {part!r}")
            found[name] = int(Decimal(match[2]) * (MICROS if match[1] else 1))
        return cls(**found)

    def least(self, other: Self) -> Self:
        """The stricter of each: whoever may set caps of their own cannot lift those above them."""
        strict: dict[str, int | None] = {}
        for field in fields(self):
            values = [getattr(caps, field.name) for caps in (self, other)]
            strict[field.name] = min((each for each in values if each is not None), default=None)
        return type(self)(**strict)

    @classmethod
    def most(cls, several: Iterable[Self]) -> Self:
        """The most generous of each; no cap is more generous than any."""
        found = list(several)
        best: dict[str, int | None] = {}
        for field in fields(cls):
            values = [getattr(caps, field.name) for caps in found]
            best[field.name] = None if None in values else max(values)
        return cls(**best)

    @property
    def in_dollars(self) -> bool:
        """Whether any of them is on money."""
        return self.day_micros is not None or self.month_micros is not None

    def __str__(self) -> str:
        parts = []
        for period in ("day", "month"):
            pictures, micros = (
                getattr(self, f"{period}_pictures"),
                getattr(self, f"{period}_micros"),
            )
            if pictures is not None:
                parts.append(f"{pictures}/{period}")
            if micros is not None:
                parts.append(f"${dollars(micros)}/{period}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Allowances:
    """The caps of the whole bot, of a server, of a member of one, of a person outside of all."""

    bot: Caps = Caps()
    server: Caps = Caps()
    member: Caps = Caps()
    outsider: Caps = Caps()
    failed_per_day: int = UNLIMITED  # attempts of one person that brought no picture

    def limits(self, target: Target, *, at: datetime) -> tuple[Limit, ...]:
        """Every account that a request from here touches now, with its limits."""
        return self.limits_of(scopes(target), at=at)

    def limits_of(self, scopes: Iterable[str], *, at: datetime) -> tuple[Limit, ...]:
        """The limits of these scopes' accounts, each one's day before its month."""
        return tuple(self._limits(scopes, at))

    def _limits(self, scopes: Iterable[str], at: datetime) -> Iterator[Limit]:
        whose = {"bot": self.bot, "server": self.server, "member": self.member}
        # Told once, for each scope would say the same, and each command waits for it.
        day, month = ((_period(at, each), resets_at(at, each)) for each in ("day", "month"))
        for scope in scopes:
            kind = scope.partition(":")[0]
            caps = whose.get(kind, self.outsider)
            failed = self.failed_per_day if kind in ("member", "person") else UNLIMITED
            for (period, until), pictures, micros, attempts in (
                (day, caps.day_pictures, caps.day_micros, failed),
                (month, caps.month_pictures, caps.month_micros, UNLIMITED),
            ):
                yield Limit(
                    account=Account(scope, period),
                    resets_at=until,
                    pictures=UNLIMITED if pictures is None else pictures,
                    micros=UNLIMITED if micros is None else micros,
                    attempts=attempts,
                )


def scopes(target: Target) -> tuple[str, ...]:
    """Whose accounts a request from here touches, in one order for all."""
    return scopes_of(target.guild_id, target.user_id, present=target.present)


def scopes_of(guild_id: int | None, user_id: int, *, present: bool) -> tuple[str, ...]:
    """The same by a target's parts; `present`: the bot itself is in that server."""
    if guild_id is not None and present:
        return "bot", f"server:{guild_id}", f"member:{guild_id}:{user_id}"
    return "bot", f"person:{user_id}"


def accounts(target: Target, *, at: datetime) -> tuple[Account, ...]:
    """Every account that a request from here touched at that time."""
    return tuple(
        Account(scope, _period(at, period))
        for scope in scopes(target)
        for period in ("day", "month")
    )


def own_account(target: Target, *, at: datetime) -> Account:
    """The account on which a person's failed attempts count: theirs, of this day."""
    return Account(scopes(target)[-1], _period(at, "day"))


def resets_at(at: datetime, period: str) -> datetime:
    """When the next UTC day or month begins."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        return midnight + timedelta(days=1)
    return (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)


def _period(at: datetime, period: str) -> str:
    return f"{at:%Y-%m-%d}" if period == "day" else f"{at:%Y-%m}"


def dollars(micros: int) -> str:
    """An amount as people write it: at least cents, no idle zeros after them."""
    whole, rest = divmod(micros, MICROS)
    digits = f"{rest:06}".rstrip("0").ljust(2, "0")
    return f"{whole}.{digits}"


@dataclass(frozen=True, slots=True)
class Prices:
    """What a picture costs, in millionths of a dollar, by model and resolution."""

    micros: Mapping[tuple[str, str], int]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `model@2K=0.08, ...`. Raises ValueError with what is wrong."""
        found: dict[tuple[str, str], int] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            match = re.fullmatch(r"(\S+)@(\w+)\s*=\s*\$?(\d{1,6}(?:\.\d{1,6})?)", part)
            if match is None:
                raise ValueError(f"takes prices such as gpt-image-2-pro@2K=0.08, not {part!r}")
            found[match[1], match[2].upper()] = int(Decimal(match[3]) * MICROS)
        return cls(found)

    def of(self, request: Request) -> int | None:
        """The price of one picture; None where nobody said."""
        return self.micros.get((request.model, request.resolution))
