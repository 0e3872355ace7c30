"""The queue as people see it: places, the jobs at its head, and taking a request back.

It owns what a waiting card says of the queue and the cancel; it never lets a job out of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.ledger import rows, verbs
from bot.ledger.schema import jobs, replies
from bot.model import Delivery, End, Outcome, Reply, State


@dataclass(frozen=True, slots=True)
class Standing:
    """A reply as it is now, and how many queued jobs are served before its first queued one."""

    reply: Reply
    ahead: int | None  # None: none of its jobs is in the queue

    @property
    def waits(self) -> bool:
        """Whether its card is still one that waits."""
        return not self.reply.settled and self.reply.delivery is Delivery.OPEN


def standings(conn: sa.Connection, reply_ids: Sequence[str]) -> list[Standing | None]:
    """What the waiting cards of these replies tell of, in this order; None for an unknown id."""
    found: list[Standing | None] = []
    for reply_id in reply_ids:
        reply = rows.load_reply(conn, reply_id)
        if reply is None:
            found.append(None)
            continue
        job = next((job for job in reply.jobs if job.state is State.QUEUED), None)
        found.append(Standing(reply, None if job is None else queue_place(conn, job.id)))
    return found


def queue_place(conn: sa.Connection, job_id: str) -> int | None:
    """How many queued jobs are served before this one, or None if it is not in the queue."""
    mine = conn.execute(_TURN, {"this": job_id}).one_or_none()
    if mine is None:
        return None
    values = {"turn": mine.turn, "created_at": mine.created_at, "this": job_id}
    return int(conn.scalar(_AHEAD, values) or 0)


# Built once, like every statement that cards need again and again: see bot.ledger.verbs.
_THIS: sa.BindParameter[Any] = sa.bindparam("this")
_TURN = sa.select(jobs.c.turn, jobs.c.created_at).where(
    jobs.c.id == _THIS, jobs.c.state == State.QUEUED
)
_AHEAD = sa.select(sa.func.count()).where(
    jobs.c.state == State.QUEUED,
    sa.tuple_(jobs.c.turn, jobs.c.created_at, jobs.c.id)
    < sa.tuple_(
        sa.bindparam("turn", type_=jobs.c.turn.type),
        sa.bindparam("created_at", type_=jobs.c.created_at.type),
        sa.bindparam("this", type_=jobs.c.id.type),
    ),
)


def head(conn: sa.Connection, *, limit: int) -> list[str]:
    """The replies of the first `limit` queued jobs, in the order they are served."""
    return list(dict.fromkeys(conn.scalars(_HEAD, {"most": limit})))


_HEAD = (
    sa.select(jobs.c.reply_id)
    .where(jobs.c.state == State.QUEUED)
    .order_by(jobs.c.turn, jobs.c.created_at, jobs.c.id)
    .limit(sa.bindparam("most", type_=sa.Integer))
)


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A request that was taken back: jobs that never began, and jobs that did and so count."""

    reply: Reply
    taken_back: int
    begun: int


def cancel(conn: sa.Connection, reply_id: str, *, user_id: int, now: datetime) -> Cancelled | None:
    """open -> cancelled: queued jobs settle uncounted, running ones go on and are not shown.

    None if there is nothing to cancel: unknown, someone else's, or finished.
    """
    closed = conn.scalar(
        sa.update(replies)
        .where(
            replies.c.id == reply_id,
            replies.c.user_id == user_id,
            replies.c.delivery == Delivery.OPEN,
            replies.c.unsettled > 0,
        )
        .values(delivery=Delivery.CANCELLED, delivered_at=now, token=None)
        .returning(replies.c.id)
    )
    if closed is None:
        return None
    waiting = conn.scalars(
        sa.select(jobs.c.id)
        .where(jobs.c.reply_id == reply_id, jobs.c.state.in_([State.RECEIVED, State.QUEUED]))
        .order_by(jobs.c.id)
        .with_for_update()
    ).all()
    outcome = Outcome(end=End.CANCELLED)
    for job_id in waiting:
        verbs.settle(conn, job_id, outcome=outcome, now=now)
    reply = rows.load_reply(conn, reply_id)
    if reply is None:
        return None
    begun = sum(job.first_post_at is not None for job in reply.jobs)
    return Cancelled(reply=reply, taken_back=len(waiting), begun=begun)
