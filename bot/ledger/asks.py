"""How an ask enters the ledger: once, within the day's count and the person's share of the queue.

It owns the guards at the door; it never moves a job that is inside.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.ledger import rows, schema
from bot.ledger.schema import days, jobs, replies
from bot.ledger.verbs import INSERTS, NO_LIMIT
from bot.model import Reply, State

# Two presses of one button on one card by one person within this time are one wish.
DOUBLE_PRESS = timedelta(seconds=5)

_THIS: sa.BindParameter[Any] = sa.bindparam("this")


@dataclass(frozen=True, slots=True)
class DayFull:
    """The whole bot has taken its jobs of this day; it starts anew at `resets_at`."""

    resets_at: datetime


@dataclass(frozen=True, slots=True)
class MemberFull:
    """A person has as many jobs waiting as one person may."""

    waiting: int


def receive(
    conn: sa.Connection,
    reply: Reply,
    *,
    day_limit: int,
    now: datetime,
    member_limit: int = NO_LIMIT,
) -> Reply | DayFull | MemberFull | None:
    """Write a reply and its jobs as `received` and count them; None if this interaction is known.

    None also for the second press of a button. The guards hold when requests race: the day's
    count is one statement, an interaction is taken once, and whoever has raised the day's count
    holds its row, so that one person's asks are counted one after the other. They count on the
    day of `reply.created_at`.
    """
    dialect = conn.dialect.name
    if reply.made_from is not None and _pressed_twice(conn, reply):
        return None
    if conn.scalar(_ADD_REPLY[dialect], rows.reply_columns(reply)) is None:
        return None
    day = reply.created_at.date().isoformat()
    wanted = len(reply.jobs)
    count = {"this": day, "wanted": wanted, "most": day_limit}
    if not conn.execute(_COUNT, count).rowcount:
        conn.execute(_ADD_DAY[dialect], {"day": day, "jobs": 0})
        if not conn.execute(_COUNT, count).rowcount:
            conn.execute(_DROP_REPLY, {"this": reply.id})
            midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
            return DayFull(resets_at=midnight + timedelta(days=1))
    waiting = int(conn.scalar(_WAITING, {"this": reply.target.user_id}) or 0)
    if waiting + wanted > member_limit:
        conn.execute(_DROP_REPLY, {"this": reply.id})
        conn.execute(_COUNT, {"this": day, "wanted": -wanted, "most": day_limit})
        return MemberFull(waiting=waiting)
    conn.execute(_ADD_JOBS, [rows.job_columns(job) for job in reply.jobs])
    return reply


_ADD_REPLY = {
    dialect: insert(replies)
    .on_conflict_do_nothing(index_elements=["interaction_id"])
    .returning(replies.c.id)
    for dialect, insert in INSERTS.items()
}
_ADD_DAY = {
    dialect: insert(days).on_conflict_do_nothing(index_elements=["day"])
    for dialect, insert in INSERTS.items()
}
_ADD_JOBS = sa.insert(jobs)
_DROP_REPLY = sa.delete(replies).where(replies.c.id == _THIS)
_WANTED = sa.bindparam("wanted", type_=sa.Integer)
_COUNT = (
    sa.update(days)
    .where(days.c.day == _THIS, days.c.jobs + _WANTED <= sa.bindparam("most"))
    .values(jobs=days.c.jobs + _WANTED)
)
_WAITING = sa.select(sa.func.count()).where(
    jobs.c.user_id == _THIS, jobs.c.state.in_([State.RECEIVED, State.QUEUED])
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


_LOCK = sa.select(replies.c.id).where(replies.c.id == _THIS).with_for_update()
_SAME = (
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
