"""How an ask enters the ledger: once, within the day's count and the person's share of the queue.

It owns the guards at the door; it never moves a job that is inside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from bot.allowance import Full, Limit, Spent, own_account
from bot.ledger import budgets, rows, schema, servers
from bot.ledger.dialects import INSERTS
from bot.ledger.prepared import prepared
from bot.ledger.schema import jobs, replies
from bot.ledger.servers import Block
from bot.ledger.verbs import NO_LIMIT
from bot.model import Reply, State

# Two presses of one button on one card by one person within this time are one wish.
DOUBLE_PRESS = timedelta(seconds=5)

_THIS: sa.BindParameter[Any] = sa.bindparam("this")


@dataclass(frozen=True, slots=True)
class MemberFull:
    """A person has as many jobs waiting as one person may."""

    waiting: int


Refusal = Block | Full | MemberFull
"""What the guards say instead."""


def receive(
    conn: sa.Connection,
    reply: Reply,
    *,
    limits: Sequence[Limit] = (),
    member_limit: int = NO_LIMIT,
) -> Reply | Refusal | None:
    """Write a reply and its jobs as `received` and reserve them; None if this interaction is known.

    None also for the second press of a button. The guards hold when requests race: counters are
    raised by one statement each or not at all, an interaction is taken once, and whoever has raised
    a counter holds its row, so that one person's asks are counted one after the other. `limits`
    are those of `reply.created_at`.
    """
    dialect = conn.dialect.name
    target = reply.target
    guild_id = target.guild_id if target.present else None
    barred = servers.blocked(conn, guild_id=guild_id, user_id=target.user_id, now=reply.created_at)
    if barred is not None:
        return barred
    if reply.made_from is not None and _pressed_twice(conn, reply):
        return None
    if conn.scalar(_ADD_REPLY[dialect], rows.reply_columns(reply)) is None:
        return None
    cost = {
        "pictures": len(reply.jobs),
        "micros": sum(job.price or 0 for job in reply.jobs),
    }
    own = own_account(reply.target, at=reply.created_at)
    full = budgets.reserve(conn, limits, own=own, **cost)
    if full is not None:
        conn.execute(_DROP_REPLY, {"this": reply.id})
        return full
    waiting = int(conn.scalar(_WAITING, {"this": reply.target.user_id}) or 0)
    if waiting + len(reply.jobs) > member_limit:
        conn.execute(_DROP_REPLY, {"this": reply.id})
        touched = [limit.account for limit in limits]
        budgets.give_back(conn, touched, **cost)
        budgets.give_back(conn, [own], attempts=len(reply.jobs))
        return MemberFull(waiting=waiting)
    conn.execute(_ADD_JOBS, [rows.job_columns(job) for job in reply.jobs])
    return reply


def foresee(
    conn: sa.Connection,
    reply: Reply,
    *,
    limits: Sequence[Limit] = (),
    member_limit: int = NO_LIMIT,
) -> Spent | Refusal:
    """What `receive` would say of a reply now, without writing anything.

    If nothing stands against it, what its person's own account came to today.
    """
    target = reply.target
    guild_id = target.guild_id if target.present else None
    barred = servers.blocked(conn, guild_id=guild_id, user_id=target.user_id, now=reply.created_at)
    if barred is not None:
        return barred
    own = own_account(target, at=reply.created_at)
    micros = sum(job.price or 0 for job in reply.jobs)
    full = budgets.foresee(conn, limits, own=own, pictures=len(reply.jobs), micros=micros)
    if full is not None:
        return full
    waiting = int(conn.scalar(_WAITING, {"this": target.user_id}) or 0)
    if waiting + len(reply.jobs) > member_limit:
        return MemberFull(waiting=waiting)
    return budgets.spent(conn, own)


_ADD_REPLY = {
    dialect: prepared(
        insert(replies)
        .on_conflict_do_nothing(index_elements=["interaction_id"])
        .returning(replies.c.id)
    )
    for dialect, insert in INSERTS.items()
}
_ADD_JOBS = prepared(sa.insert(jobs))
_DROP_REPLY = prepared(sa.delete(replies).where(replies.c.id == _THIS))
_WAITING = prepared(
    sa.select(sa.func.count()).where(
        jobs.c.user_id == _THIS, jobs.c.state.in_([State.RECEIVED, State.QUEUED])
    )
)


def _pressed_twice(conn: sa.Connection, reply: Reply) -> bool:
    """Whether this person's last press of the same button is answered already or just now.

    The pressed reply is locked first, so that two presses that race are seen one by one.
    """
    conn.execute(_LOCK, {"this": reply.made_from}).all()
    values = {
        "this": reply.made_from,
        "verb": reply.made_by,
        "user": reply.target.user_id,
        "since": reply.created_at - DOUBLE_PRESS,
    }
    return conn.scalar(_SAME, values) is not None


_LOCK = prepared(sa.select(replies.c.id).where(replies.c.id == _THIS).with_for_update())
_SAME = prepared(
    sa.select(replies.c.id)
    .join(jobs, jobs.c.reply_id == replies.c.id)
    .where(
        replies.c.made_from == _THIS,
        replies.c.made_by.is_not_distinct_from(sa.bindparam("verb", type_=sa.String)),
        replies.c.user_id == sa.bindparam("user"),
        sa.or_(
            replies.c.created_at > sa.bindparam("since", type_=schema.Instant),
            jobs.c.state == State.RECEIVED,
        ),
    )
    .limit(1)
)
