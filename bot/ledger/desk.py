"""What an operator may do with single jobs while the bot runs: look, bring forward, give up.

It owns these verbs and their guards; it never makes a request to HiAPI possible that the stages
would not make by themselves: the same bytes under the same key, or none.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from bot.errors import Code
from bot.ledger import rows, verbs
from bot.ledger.privacy import ANONYMOUS
from bot.ledger.schema import jobs, replies
from bot.ledger.unsent import UNSENT
from bot.model import Delivery, End, Job, Outcome, State


@dataclass(frozen=True, slots=True)
class Entry:
    """A job with what an operator wants to know of its row and of its reply's."""

    job: Job
    delivery: Delivery
    private: bool
    guild_id: int | None
    trouble: str | None
    due_at: datetime
    lease_owner: str | None
    lease_until: datetime | None


class Requeued(StrEnum):
    """What came of bringing a job forward."""

    SENDING = "sending"  # due now: its request goes out, or goes out again
    SHOWING = "showing"  # its reply is open and due now
    HELD = "held"  # a process is at work on it this moment
    UNCONFIRMED = "unconfirmed"  # Discord has not taken the acknowledgement yet
    MADE = "made"  # HiAPI is at work on it
    PARKED = "parked"  # it waits behind the Show button of its note
    SHOWN = "shown"  # nothing is left to do
    NOTHING = "nothing"  # it was taken back or ended without anything that could be shown
    ERASED = "erased"  # its person is not known any more
    GONE = "gone"  # no such job


class GivenUp(StrEnum):
    """What came of giving a job up."""

    UNCOUNTED = "uncounted"  # it was never sent: nobody pays for it
    UNKNOWN = "unknown"  # it was sent: HiAPI may bill it
    OVER = "over"  # it has an outcome already
    GONE = "gone"  # no such job


def listing(
    conn: sa.Connection,
    *,
    states: Collection[State] = (),
    user_id: int | None = None,
    limit: int = 50,
) -> list[Entry]:
    """The newest jobs first; without states those of every state."""
    query = _ENTRIES.order_by(jobs.c.created_at.desc(), jobs.c.id).limit(limit)
    if states:
        query = query.where(jobs.c.state.in_(states))
    if user_id is not None:
        query = query.where(jobs.c.user_id == user_id)
    return [_entry(row) for row in conn.execute(query).mappings()]


def entry(conn: sa.Connection, job_id: str) -> Entry | None:
    """One job, or None."""
    row = conn.execute(_ENTRIES.where(jobs.c.id == job_id)).mappings().one_or_none()
    return None if row is None else _entry(row)


def named(conn: sa.Connection, beginning: str, *, limit: int = 10) -> list[str]:
    """The ids of the jobs that begin so; a card shows the first six characters."""
    like = jobs.c.id.startswith(beginning.lower(), autoescape=True)
    return list(conn.scalars(sa.select(jobs.c.id).where(like).order_by(jobs.c.id).limit(limit)))


_ENTRIES = sa.select(
    jobs,
    replies.c.delivery,
    replies.c.private,
    replies.c.guild_id,
    replies.c.trouble,
).join(replies, replies.c.id == jobs.c.reply_id)


def _entry(row: sa.RowMapping) -> Entry:
    return Entry(
        job=rows.job(row),
        delivery=Delivery(row["delivery"]),
        private=row["private"],
        guild_id=row["guild_id"],
        trouble=row["trouble"],
        due_at=row["due_at"],
        lease_owner=row["lease_owner"],
        lease_until=row["lease_until"],
    )


def requeue(conn: sa.Connection, job_id: str, *, now: datetime) -> Requeued:
    """Make a waiting job due now, or open its reply to be shown again.

    Nothing is asked for anew: a job that was sent goes out under its own key, whose age the
    submitter looks at; one that has ended keeps its outcome.
    """
    row = conn.execute(_STATES, {"this": job_id}).one_or_none()
    if row is None:
        return Requeued.GONE
    if row.user_id == ANONYMOUS:
        return Requeued.ERASED
    match State(row.state):
        case State.QUEUED | State.SUBMITTING:
            due = conn.execute(_DUE_JOB, {"this": job_id, "now": now, "due_at": now})
            return Requeued.SENDING if due.rowcount else Requeued.HELD
        case State.SETTLED:
            return _show_again(conn, row, now=now)
        case other:
            return _ELSEWHERE[other]


_ELSEWHERE = {
    State.RECEIVED: Requeued.UNCONFIRMED,
    State.SUBMITTED: Requeued.MADE,
    State.WITHDRAWN: Requeued.NOTHING,
}


def _show_again(conn: sa.Connection, row: Any, *, now: datetime) -> Requeued:
    values = {"this": row.reply_id, "now": now}
    match Delivery(row.delivery):
        case Delivery.DELIVERED:
            return Requeued.SHOWN
        case Delivery.PARKED:
            return Requeued.PARKED
        case Delivery.OPEN:
            if row.unsettled:
                return Requeued.MADE
            opened = conn.execute(_DUE_REPLY, {**values, "due_at": now, "attempts": 0})
            return Requeued.SHOWING if opened.rowcount else Requeued.HELD
        case Delivery.UNDELIVERABLE:
            pass
        case Delivery.CANCELLED if row.outcome and row.outcome["pictures"]:
            pass
        case _:
            return Requeued.NOTHING
    opened = conn.execute(_OPEN_AGAIN, {**values, "due_at": now})
    return Requeued.SHOWING if opened.rowcount else Requeued.HELD


_THIS = sa.bindparam("this", type_=sa.String)
_NOW = sa.bindparam("now", type_=jobs.c.due_at.type)
_STATES = (
    sa.select(
        jobs.c.state,
        jobs.c.user_id,
        jobs.c.outcome,
        jobs.c.reply_id,
        replies.c.delivery,
        replies.c.unsettled,
    )
    .join(replies, replies.c.id == jobs.c.reply_id)
    .where(jobs.c.id == _THIS)
)
_DUE_JOB = (
    sa.update(jobs)
    .where(
        jobs.c.id == _THIS,
        jobs.c.state.in_([State.QUEUED, State.SUBMITTING]),
        sa.or_(jobs.c.lease_until.is_(None), jobs.c.lease_until <= _NOW),
    )
    .values(lease_owner=None, lease_until=None)
)
_DUE_REPLY = (
    sa.update(replies)
    .where(
        replies.c.id == _THIS,
        replies.c.delivery == Delivery.OPEN,
        replies.c.unsettled == 0,
        sa.or_(replies.c.lease_until.is_(None), replies.c.lease_until <= _NOW),
    )
    .values(lease_owner=None, lease_until=None)
)
_OPEN_AGAIN = (
    sa.update(replies)
    .where(
        replies.c.id == _THIS,
        replies.c.delivery.in_([Delivery.UNDELIVERABLE, Delivery.CANCELLED]),
        replies.c.user_id != ANONYMOUS,
    )
    # The rung stays: a message that may have been sent is looked for, not sent again.
    .values(
        delivery=Delivery.OPEN,
        attempts=0,
        delivered_at=None,
        trouble=None,
        lease_owner=None,
        lease_until=None,
    )
)


def give_up(conn: sa.Connection, job_id: str, *, words: str, now: datetime) -> GivenUp:
    """Any live state -> settled, with the operator's words as its detail.

    What was never sent, or turned away each time, expires, uncounted. What was sent ends as unknown
    and stays counted; a later answer of HiAPI finds it settled. The bot then shows the card that
    says so.
    """
    row = conn.execute(_LOCK, {"this": job_id}).one_or_none()
    if row is None:
        return GivenUp.GONE
    outcome = Outcome(end=End.UNKNOWN, code=Code.LOST, detail=words)
    if row.unsent:
        outcome = Outcome(end=End.EXPIRED, code=Code.EXPIRED, detail=words)
    if verbs.settle(conn, job_id, outcome=outcome, now=now) is None:
        return GivenUp.OVER
    return GivenUp.UNCOUNTED if row.unsent else GivenUp.UNKNOWN


_LOCK = sa.select(UNSENT.label("unsent")).where(jobs.c.id == _THIS).with_for_update()
