"""What was spent and what may still be: counted per scope and period, so that limits hold in races.

It owns the counters; it never knows who is limited to what, nor what a picture costs.

A reservation raises every counter that a request touches or none of them. It is made before the
task; what never began, or brought no picture, is given back. An attempt is reserved with each
picture on the person's account of the day, and given back when the picture comes: what remains
counted are those that failed.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from bot.allowance import Account, Counted, Full, Limit, Spent
from bot.ledger.dialects import INSERTS
from bot.ledger.prepared import prepared
from bot.ledger.schema import spending


def reserve(
    conn: sa.Connection,
    limits: Sequence[Limit],
    *,
    own: Account | None = None,
    pictures: int,
    micros: int,
) -> Full | None:
    """Raise the counters of all these accounts; or of none, and say which limit forbids it."""
    if conn.dialect.name == "postgresql":
        _open(conn, [limit.account for limit in limits])
    raised = _raise(conn, limits, own, pictures=pictures, micros=micros)
    rest = [limit for limit in limits if limit.account not in raised]
    if rest:
        _add(conn, [limit.account for limit in rest])
        raised |= _raise(conn, rest, own, pictures=pictures, micros=micros)
        rest = [limit for limit in rest if limit.account not in raised]
    if not rest:
        return None
    give_back(conn, sorted(raised, key=_order), pictures=pictures, micros=micros)
    if own in raised:
        give_back(conn, [own], attempts=pictures)
    return _full(rest[0], spent(conn, rest[0].account), pictures=pictures, micros=micros)


def foresee(
    conn: sa.Connection, limits: Sequence[Limit], *, own: Account, pictures: int, micros: int
) -> Full | None:
    """The limit that would forbid such a reservation now, if one does; nothing is raised."""
    for limit in limits:
        so_far = spent(conn, limit.account)
        tried = pictures if limit.account == own else 0
        if (
            so_far.pictures + pictures > limit.pictures
            or so_far.micros + micros > limit.micros
            or so_far.attempts + tried > limit.attempts
        ):
            return _full(limit, so_far, pictures=pictures, micros=micros)
    return None


def give_back(
    conn: sa.Connection,
    accounts: Sequence[Account],
    *,
    pictures: int = 0,
    micros: int = 0,
    attempts: int = 0,
) -> None:
    """Lower the counters of these accounts: what was reserved and not used.

    None falls below zero: what an earlier version reserved is not on all of these accounts.
    """
    if accounts:
        _lock(conn, accounts)
        counted = {"pictures": pictures, "micros": micros, "attempts": attempts}
        conn.execute(_lower(len(accounts)), counted | _named(accounts))


def spent(conn: sa.Connection, account: Account) -> Spent:
    """What an account came to so far."""
    row = conn.execute(_SPENT, {"scope": account.scope, "period": account.period}).one_or_none()
    return Spent() if row is None else Spent(*row)


def top(conn: sa.Connection, *, prefix: str, period: str, limit: int) -> list[tuple[str, Spent]]:
    """The scopes that begin like this and came to most pictures in a period, most first."""
    found = conn.execute(
        sa.select(spending.c.scope, *_COUNTED)
        .where(
            spending.c.scope.startswith(prefix, autoescape=True),
            spending.c.period == period,
            spending.c.pictures > 0,
        )
        .order_by(spending.c.pictures.desc(), spending.c.scope)
        .limit(limit)
    )
    return [(scope, Spent(*counted)) for scope, *counted in found]


def past(
    conn: sa.Connection, *, before: str, user_id: int | None = None, limit: int | None = None
) -> list[Account]:
    """Accounts of persons, or of one, in periods that begin before `before` (a month)."""
    theirs = _ANYBODYS if user_id is None else of_person(user_id)
    found = sa.select(spending.c.scope, spending.c.period).where(spending.c.period < before, theirs)
    ordered = found.order_by(spending.c.period, spending.c.scope).limit(limit)
    return [Account(*row) for row in conn.execute(ordered)]


def fold(conn: sa.Connection, accounts: Sequence[Account]) -> int:
    """Let these accounts of persons become nobody's; how many there were.

    What nobody spent adds up as before, also where several do this at once: an account is added by
    whoever takes it away.
    """
    folded = 0
    for account in accounts:
        taken = conn.execute(_TAKE, {"this": account.scope, "then": account.period}).one_or_none()
        if taken is None:
            continue
        folded += 1
        nobodys = account.scope.rpartition(":")[0] + ":0"
        conn.execute(_ADD[conn.dialect.name], {"scope": nobodys, "period": account.period})
        conn.execute(_PUT, {"this": nobodys, "then": account.period, **taken._asdict()})
    return folded


def of_person(user_id: int) -> sa.ColumnElement[bool]:
    """Whether an account is this person's."""
    return sa.or_(
        spending.c.scope == f"person:{user_id}", spending.c.scope.like(f"member:%:{user_id}")
    )


def _raise(
    conn: sa.Connection,
    limits: Sequence[Limit],
    own: Account | None,
    *,
    pictures: int,
    micros: int,
) -> set[Account]:
    """Raise the counters that stay within their limits; which ones those were."""
    if not limits:
        return set()
    accounts = [limit.account for limit in limits]
    _lock(conn, accounts)
    values: dict[str, Any] = {"pictures": pictures, "micros": micros, **_named(accounts)}
    values |= {"own_scope": own and own.scope, "own_period": own and own.period}
    for number, limit in enumerate(limits):
        values |= {
            f"pictures{number}": limit.pictures,
            f"micros{number}": limit.micros,
            f"attempts{number}": limit.attempts,
        }
    found = conn.execute(_guarded(len(limits)), values)
    return {Account(row.scope, row.period) for row in found}


def _open(conn: sa.Connection, accounts: Sequence[Account]) -> None:
    """Add what is missing before anything is locked.

    Whoever held an account and added another would wait for one who added that and wants the
    first. Whoever waits here holds nothing that anybody locks who is further on.
    """
    if accounts:
        found = conn.execute(_known(len(accounts)), _named(accounts))
        there = {Account(row.scope, row.period) for row in found}
        _add(conn, [each for each in accounts if each not in there])


def _add(conn: sa.Connection, accounts: Sequence[Account]) -> None:
    """Begin these accounts at nothing, those that are there left as they are."""
    if accounts:
        conn.execute(
            _ADD[conn.dialect.name],
            [{"scope": each.scope, "period": each.period} for each in sorted(accounts, key=_order)],
        )


def _lock(conn: sa.Connection, accounts: Sequence[Account]) -> None:
    """Wait for these accounts in one order for all, where they are locked one by one.

    PostgreSQL locks what a statement changes as it comes upon it. Two that change the same
    accounts would lock each other out, and whoever is acknowledged meanwhile waits for the second
    that it takes to notice.
    """
    if len(accounts) > 1 and conn.dialect.name == "postgresql":
        conn.execute(_locked(len(accounts)), _named(accounts)).all()


def _named(accounts: Sequence[Account]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for number, account in enumerate(accounts):
        values |= {f"scope{number}": account.scope, f"period{number}": account.period}
    return values


def _full(limit: Limit, so_far: Spent, *, pictures: int, micros: int) -> Full:
    counted = Counted.ATTEMPTS
    if so_far.pictures + pictures > limit.pictures:
        counted = Counted.PICTURES
    elif so_far.micros + micros > limit.micros:
        counted = Counted.MICROS
    return Full(limit=limit, counted=counted, spent=so_far)


def _order(account: Account) -> tuple[str, str]:
    return account.scope, account.period


def _is(number: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        spending.c.scope == sa.bindparam(f"scope{number}"),
        spending.c.period == sa.bindparam(f"period{number}"),
    )


_PICTURES = sa.bindparam("pictures", type_=sa.BigInteger)
_MICROS = sa.bindparam("micros", type_=sa.BigInteger)
_ATTEMPTS = sa.bindparam("attempts", type_=sa.BigInteger)
# Attempts count on one account alone.
_TRIED = sa.case(
    (
        sa.and_(
            spending.c.scope == sa.bindparam("own_scope", type_=sa.String),
            spending.c.period == sa.bindparam("own_period", type_=sa.String),
        ),
        _PICTURES,
    ),
    else_=0,
)


@cache
def _known(count: int) -> sa.Executable:
    named = sa.or_(*(_is(number) for number in range(count)))
    return prepared(sa.select(spending.c.scope, spending.c.period).where(named))


@cache
def _locked(count: int) -> sa.Executable:
    return prepared(
        sa.select(spending.c.scope)
        .where(sa.or_(*(_is(number) for number in range(count))))
        .order_by(spending.c.scope, spending.c.period)
        .with_for_update()
    )


@cache
def _guarded(count: int) -> sa.Executable:
    """One statement for all accounts, each with its own limits."""

    def within(number: int) -> sa.ColumnElement[bool]:
        return sa.and_(
            _is(number),
            spending.c.pictures + _PICTURES <= sa.bindparam(f"pictures{number}"),
            spending.c.micros + _MICROS <= sa.bindparam(f"micros{number}"),
            spending.c.attempts + _TRIED <= sa.bindparam(f"attempts{number}"),
        )

    return prepared(
        sa.update(spending)
        .where(sa.or_(*(within(number) for number in range(count))))
        .values(
            pictures=spending.c.pictures + _PICTURES,
            micros=spending.c.micros + _MICROS,
            attempts=spending.c.attempts + _TRIED,
        )
        .returning(spending.c.scope, spending.c.period)
    )


@cache
def _lower(count: int) -> sa.Executable:
    return prepared(
        sa.update(spending)
        .where(sa.or_(*(_is(number) for number in range(count))))
        .values(
            pictures=_less(spending.c.pictures, _PICTURES),
            micros=_less(spending.c.micros, _MICROS),
            attempts=_less(spending.c.attempts, _ATTEMPTS),
        )
    )


def _less(counter: sa.ColumnElement[int], by: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.case((counter > by, counter - by), else_=0)


_ADD = {
    dialect: prepared(
        insert(spending)
        .values(pictures=0, micros=0, attempts=0)
        .on_conflict_do_nothing(index_elements=["scope", "period"])
    )
    for dialect, insert in INSERTS.items()
}
_ANYBODYS = sa.or_(
    sa.and_(spending.c.scope.like("member:%"), spending.c.scope.not_like("member:%:0")),
    sa.and_(spending.c.scope.like("person:%"), spending.c.scope != "person:0"),
)
_ONE = (spending.c.scope == sa.bindparam("this", type_=sa.String)) & (
    spending.c.period == sa.bindparam("then", type_=sa.String)
)
_COUNTED = (spending.c.pictures, spending.c.micros, spending.c.attempts)
_SPENT = prepared(
    sa.select(*_COUNTED).where(
        spending.c.scope == sa.bindparam("scope"), spending.c.period == sa.bindparam("period")
    )
)
_TAKE = sa.delete(spending).where(_ONE).returning(*_COUNTED)
_PUT = (
    sa.update(spending)
    .where(_ONE)
    .values(
        pictures=spending.c.pictures + _PICTURES,
        micros=spending.c.micros + _MICROS,
        attempts=spending.c.attempts + _ATTEMPTS,
    )
)
