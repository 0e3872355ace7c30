"""What the operator's page tells of money: budgets, what models and servers cost, what is unknown.

It owns how the counters become figures for the page and for a scrape; it never counts, and never
guesses a price that nobody said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bot.allowance import MICROS, Caps, Spent, dollars, resets_at
from bot.ledger import costs
from bot.ledger.costs import Cost, Totals
from bot.metrics import Spend

SERVERS = 8
PERIODS = ("day", "month")
PICTURES, USD = "pictures", "usd"


@dataclass(frozen=True, slots=True)
class Share:
    """What a server came to; `name` is its id, or says that it is all the others."""

    name: str
    today: Spent
    month: Spent


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What was spent today by model, and today and this month by server.

    `unpriced` of today's pictures have no price, so that dollars are too low by them.
    """

    totals: Totals
    models: tuple[Cost, ...]
    shares: tuple[Share, ...]

    @property
    def pictures(self) -> int:
        return sum(cost.pictures for cost in self.models)

    @property
    def unpriced(self) -> int:
        return sum(cost.unpriced for cost in self.models)


def spends(totals: Totals, *, caps: Caps, at: datetime, priced: bool) -> tuple[Spend, ...]:
    """Every budget of the whole bot, in pictures and in dollars.

    Dollars are left out where nothing has a price and nothing was spent or limited in them.
    """
    found = []
    for period, spent in zip(PERIODS, (totals.day, totals.month), strict=True):
        reset = resets_at(at, period)
        most = getattr(caps, f"{period}_pictures")
        found.append(
            Spend(budget=period, unit=PICTURES, used=spent.pictures, limit=most, resets_at=reset)
        )
        limit = getattr(caps, f"{period}_micros")
        if priced or limit is not None or totals.month.micros:
            found.append(
                Spend(
                    budget=period,
                    unit=USD,
                    used=spent.micros / MICROS,
                    limit=None if limit is None else limit / MICROS,
                    resets_at=reset,
                )
            )
    return tuple(found)


def bill(conn: sa.Connection, *, models: list[str], now: datetime) -> Bill:
    """All of it in one look."""
    totals = costs.totals(conn, now=now)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return Bill(
        totals=totals,
        models=tuple(costs.of_models(conn, models=models, day=midnight)),
        shares=_shares(totals, costs.servers(conn, now=now, limit=SERVERS)),
    )


def _shares(totals: Totals, servers: Sequence[costs.Spender]) -> tuple[Share, ...]:
    """The servers that came to most, and the rest, so that they add up to everything."""
    found = [Share(str(each.guild_id), each.day, each.month) for each in servers]
    rest = Share(
        "Others and direct messages",
        _less(totals.day, [each.today for each in found]),
        _less(totals.month, [each.month for each in found]),
    )
    return (*found, rest) if rest.month.pictures or rest.month.micros else tuple(found)


def _less(total: Spent, parts: Sequence[Spent]) -> Spent:
    # Never below zero, where something was given back between two of these looks.
    return Spent(
        pictures=max(0, total.pictures - sum(part.pictures for part in parts)),
        micros=max(0, total.micros - sum(part.micros for part in parts)),
    )


def money(micros: int) -> str:
    """An amount as the page writes it: `$1,234.50`."""
    whole, _, cents = dollars(micros).partition(".")
    return f"${int(whole):,}.{cents}"


def amount(value: float, unit: str) -> str:
    """A budget's figure in its unit: `1,234` pictures or `$0.25`."""
    return money(round(value * MICROS)) if unit == USD else f"{int(value):,}"
