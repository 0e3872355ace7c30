"""The queue as people see it: places, the jobs at its head, and taking a request back.

It owns what a waiting card says of the queue and the cancel; it never lets a job out of it.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bot.ledger import rows, verbs
from bot.ledger.schema import jobs, replies
from bot.model import Delivery, End, Outcome, Reply, State


def queue_place(conn: sa.Connection, job_id: str) -> int | None:
    """How many queued jobs are served before this one, or None if it is not in the queue."""
    mine = conn.execute(
        sa.select(jobs.c.turn, jobs.c.created_at).where(
            jobs.c.id == job_id, jobs.c.state == State.QUEUED
        )
    ).one_or_none()
    if mine is None:
        return None
    ahead = sa.tuple_(jobs.c.turn, jobs.c.created_at, jobs.c.id) < sa.tuple_(
        sa.literal(mine.turn),
        sa.literal(mine.created_at, jobs.c.created_at.type),
        sa.literal(job_id),
    )
    count = sa.select(sa.func.count()).where(jobs.c.state == State.QUEUED, ahead)
    return int(conn.scalar(count) or 0)


def head(conn: sa.Connection, *, limit: int) -> list[str]:
    """The replies of the first `limit` queued jobs, in the order they are served."""
    found = conn.scalars(
        sa.select(jobs.c.reply_id)
        .where(jobs.c.state == State.QUEUED)
        .order_by(jobs.c.turn, jobs.c.created_at, jobs.c.id)
        .limit(limit)
    )
    return list(dict.fromkeys(found))


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
