"""The queue as people see it: places, the jobs at its head, and taking a request back.

It owns what a waiting card says of the queue and the cancel; it never lets a job out of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bot.ledger import rows, verbs
from bot.ledger.prepared import prepared
from bot.ledger.schema import jobs, replies
from bot.ledger.unsent import UNSENT
from bot.model import Delivery, End, Outcome, Reply, State


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a queued job stands: `ahead` jobs of others and its own person are served before it.

    Whoever has as many pictures under way as one person may is passed over, so what waits for
    that is not counted; `own` is how many pictures of the same person must end before this one
    may begin (0: it waits for its turn alone).
    """

    ahead: int
    own: int = 0


def standing(
    conn: sa.Connection, job_id: str, *, running_limit: int = verbs.NO_LIMIT
) -> Standing | None:
    """Where a job stands in the queue, or None if it is not in it."""
    mine = conn.execute(_MINE, {"this": job_id}).one_or_none()
    if mine is None:
        return None
    values = {
        "this": job_id,
        "turn": mine.turn,
        "at": mine.created_at,
        "user": mine.user_id,
        "most": running_limit,
    }
    row = conn.execute(_STANDING, values).one()
    before_mine = min(row.own, max(0, running_limit - row.under_way))
    own = max(0, row.under_way + row.own - running_limit + 1)
    return Standing(ahead=int(row.others) + before_mine, own=own)


@dataclass(frozen=True, slots=True)
class Seen:
    """A reply as it is now, and where its first queued job stands (None: it has none)."""

    reply: Reply
    first: Standing | None

    @property
    def waits(self) -> bool:
        """Whether its card is still one that waits."""
        return not self.reply.settled and self.reply.delivery is Delivery.OPEN


def seen(
    conn: sa.Connection, reply_ids: Sequence[str], *, running_limit: int = verbs.NO_LIMIT
) -> list[Seen | None]:
    """What the waiting cards of these replies tell of, in this order; None for an unknown id."""
    found: list[Seen | None] = []
    for reply_id in reply_ids:
        reply = rows.load_reply(conn, reply_id)
        if reply is None:
            found.append(None)
            continue
        job = next((job for job in reply.jobs if job.state is State.QUEUED), None)
        first = None if job is None else standing(conn, job.id, running_limit=running_limit)
        found.append(Seen(reply, first))
    return found


# Built once, like every statement that cards need again and again: see bot.ledger.verbs.
_UNDER_WAY = jobs.c.state.in_([State.SUBMITTING, State.SUBMITTED])
_MINE = prepared(
    sa.select(jobs.c.turn, jobs.c.created_at, jobs.c.user_id).where(
        jobs.c.id == sa.bindparam("this"), jobs.c.state == State.QUEUED
    )
)
_USER = sa.bindparam("user", type_=sa.BigInteger)
_waiting = (
    sa.select(jobs.c.user_id, sa.func.count().label("jobs"))
    .where(
        jobs.c.state == State.QUEUED,
        sa.tuple_(jobs.c.turn, jobs.c.created_at, jobs.c.id)
        < sa.tuple_(
            sa.bindparam("turn", type_=jobs.c.turn.type),
            sa.bindparam("at", type_=jobs.c.created_at.type),
            sa.bindparam("this", type_=jobs.c.id.type),
        ),
    )
    .group_by(jobs.c.user_id)
    .cte("waiting")
)
_running = (
    sa.select(jobs.c.user_id, sa.func.count().label("jobs"))
    .where(_UNDER_WAY)
    .group_by(jobs.c.user_id)
    .cte("running")
)
_free = sa.bindparam("most", type_=sa.Integer) - sa.func.coalesce(_running.c.jobs, 0)
_served = sa.case(
    (_waiting.c.jobs <= _free, _waiting.c.jobs), (_free > 0, _free), else_=sa.literal(0)
)
_STANDING = prepared(
    sa.select(
        sa.select(sa.func.coalesce(sa.func.sum(_served), 0))
        .select_from(_waiting.outerjoin(_running, _running.c.user_id == _waiting.c.user_id))
        .where(_waiting.c.user_id != _USER)
        .scalar_subquery()
        .label("others"),
        sa.func.coalesce(
            sa.select(_waiting.c.jobs).where(_waiting.c.user_id == _USER).scalar_subquery(), 0
        ).label("own"),
        sa.func.coalesce(
            sa.select(_running.c.jobs).where(_running.c.user_id == _USER).scalar_subquery(), 0
        ).label("under_way"),
    )
)


def head(conn: sa.Connection, *, limit: int, running_limit: int = verbs.NO_LIMIT) -> list[str]:
    """The replies of the first `limit` jobs that may be served, in the order of serving."""
    values = {"count": limit, "most": running_limit}
    return list(dict.fromkeys(conn.scalars(_HEAD, values)))


_in_order = (jobs.c.turn, jobs.c.created_at, jobs.c.id)
_ranked = (
    sa.select(
        jobs.c.reply_id,
        *_in_order,
        jobs.c.user_id,
        sa.func.row_number().over(partition_by=jobs.c.user_id, order_by=_in_order).label("rank"),
    )
    .where(jobs.c.state == State.QUEUED)
    .subquery()
)
_HEAD = prepared(
    sa.select(_ranked.c.reply_id)
    .outerjoin(_running, _running.c.user_id == _ranked.c.user_id)
    .where(_ranked.c.rank <= _free)
    .order_by(_ranked.c.turn, _ranked.c.created_at, _ranked.c.id)
    .limit(sa.bindparam("count", type_=sa.Integer))
)


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A request that was taken back: jobs that never began, and jobs that did and so count."""

    reply: Reply
    taken_back: int
    begun: int


def cancel(conn: sa.Connection, reply_id: str, *, user_id: int, now: datetime) -> Cancelled | None:
    """open -> cancelled: what is unsent settles uncounted, what runs goes on and is not shown.

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
        .where(jobs.c.reply_id == reply_id, UNSENT)
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
