"""What was spent, as its operator looks at it: the whole bot's accounts, models, servers.

It owns reading alone; counters are raised and lowered by `bot.ledger.budgets`. Money is in
millionths of a dollar. What a model came to is added up from the jobs themselves.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bot.allowance import Account, Spent
from bot.ledger import budgets, overview
from bot.ledger.schema import jobs, spending
from bot.model import End, State


@dataclass(frozen=True, slots=True)
class Totals:
    """What the whole bot came to on this UTC day and in this month."""

    day: Spent
    month: Spent


def totals(conn: sa.Connection, *, now: datetime) -> Totals:
    """Both accounts of the whole bot."""
    return Totals(
        *(budgets.spent(conn, Account("bot", f"{now:{form}}")) for form in ("%Y-%m-%d", "%Y-%m"))
    )


@dataclass(frozen=True, slots=True)
class Cost:
    """What a model's pictures come to; `unpriced` of them have no price and cost nothing here."""

    model: str
    pictures: int
    micros: int
    unpriced: int


def of_models(conn: sa.Connection, *, models: list[str], day: datetime) -> list[Cost]:
    """What counts of the jobs asked for since this midnight, by model, most first.

    It is what the counters hold: jobs under way are reserved, and what was sent stays charged
    unless it is known to have brought no picture.
    """
    found: dict[str, list[int]] = {}
    for query in (_UNDER_WAY, _ENDED):
        for model, *counted in conn.execute(query, {"models": models, "day": day}):
            sums = found.setdefault(model, [0, 0, 0])
            found[model] = [so_far + int(more) for so_far, more in zip(sums, counted, strict=True)]
    costs = [Cost(model, *counted) for model, counted in found.items()]
    return sorted(costs, key=lambda cost: (-cost.micros, -cost.pictures, cost.model))


_DAY = sa.bindparam("day", type_=jobs.c.created_at.type)
_SUMS = (
    sa.select(
        jobs.c.model,
        sa.func.count(),
        sa.func.coalesce(sa.func.sum(jobs.c.price), 0),
        sa.func.count() - sa.func.count(jobs.c.price),
    )
    .where(jobs.c.created_at >= _DAY)
    .group_by(jobs.c.model)
)
_UNDER_WAY = _SUMS.where(jobs.c.state.in_(overview.LIVE))
# What was asked for today ended today: so an index by model and end leads there.
_ENDED = _SUMS.where(
    jobs.c.model.in_(sa.bindparam("models", expanding=True)),
    jobs.c.settled_at >= _DAY,
    jobs.c.state == State.SETTLED,
    jobs.c.first_post_at.is_not(None),
    jobs.c.outcome["end"].as_string().not_in([End.FAILED, End.REFUSED]),
)


@dataclass(frozen=True, slots=True)
class Spender:
    """What a server came to today and this month."""

    guild_id: int
    day: Spent
    month: Spent


def servers(conn: sa.Connection, *, now: datetime, limit: int) -> list[Spender]:
    """The servers that came to most this month: by dollars, then by pictures."""
    found = conn.execute(
        sa.select(spending.c.scope, spending.c.pictures, spending.c.micros, spending.c.attempts)
        .where(
            spending.c.scope.startswith(_SERVER, autoescape=True),
            spending.c.period == f"{now:%Y-%m}",
            spending.c.pictures > 0,
        )
        .order_by(spending.c.micros.desc(), spending.c.pictures.desc(), spending.c.scope)
        .limit(limit)
    ).all()
    return [
        Spender(
            guild_id=int(scope.removeprefix(_SERVER)),
            day=budgets.spent(conn, Account(scope, f"{now:%Y-%m-%d}")),
            month=Spent(*counted),
        )
        for scope, *counted in found
    ]


_SERVER = "server:"
