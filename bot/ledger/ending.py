"""How a job ends of which HiAPI made no task: turned away and taken back, or too old to be sent.

It owns how a POST is put down as turned away, and these two ends, which cost nobody anything; it
never ends a job of which a task may have been made.
"""

from datetime import datetime

import sqlalchemy as sa

from bot.errors import Code
from bot.ledger import verbs
from bot.ledger.schema import jobs, replies
from bot.ledger.unsent import TOO_OLD, UNSENT, Oldest
from bot.model import Delivery, End, Outcome, State


def turned_away(
    conn: sa.Connection, job_id: str, *, worker: str, due_at: datetime, now: datetime
) -> str | None:
    """Give up the lease on a job whose POST made no task: it is repeated later.

    If the person took it back meanwhile, and no other POST of it may have made one, it ends here
    as cancelled. Returns the reply's id if it did.
    """
    # Locked before the job, as a cancel does: of the two, who comes second sees the first.
    delivery = conn.scalar(_LOCK_REPLY, {"this": job_id})
    values = {"this": job_id, "by": worker, "due_at": due_at}
    row = conn.execute(_TURNED_AWAY, values).one_or_none()
    if row is None or delivery != Delivery.CANCELLED or row.posts != row.turned_away:
        return None
    return verbs.settle(conn, job_id, outcome=Outcome(end=End.CANCELLED), now=now)


_THIS = sa.bindparam("this", type_=sa.String)
_LOCK_REPLY = (
    sa.select(replies.c.delivery)
    .where(replies.c.id == sa.select(jobs.c.reply_id).where(jobs.c.id == _THIS).scalar_subquery())
    .with_for_update()
)
_TURNED_AWAY = (
    sa.update(jobs)
    .where(
        jobs.c.id == _THIS,
        jobs.c.state == State.SUBMITTING,
        jobs.c.lease_owner == sa.bindparam("by", type_=sa.String),
    )
    .values(
        turned_away=jobs.c.turned_away + 1,
        attempts=jobs.c.attempts + 1,
        lease_owner=None,
        lease_until=None,
    )
    .returning(jobs.c.posts, jobs.c.turned_away)
)


def expire(conn: sa.Connection, *, oldest: Oldest, now: datetime) -> list[str]:
    """queued | submitting -> settled (expired): what is too old to be sent. Returns replies."""
    # All jobs are locked before the first one moves, so that this waits for nobody halfway.
    old = conn.scalars(_TOO_OLD, oldest.values).all()
    outcome = Outcome(end=End.EXPIRED, code=Code.EXPIRED)
    settled = (verbs.settle(conn, job_id, outcome=outcome, now=now) for job_id in old)
    return [reply_id for reply_id in settled if reply_id is not None]


_TOO_OLD = (
    sa.select(jobs.c.id)
    .where(UNSENT, jobs.c.state != State.RECEIVED, TOO_OLD)
    .with_for_update(skip_locked=True)
)
