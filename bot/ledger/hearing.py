"""What a callback says of a job, taken in and checked by one transaction.

It owns the match of a callback with its job; it never verifies a signature.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from bot.ledger import verbs
from bot.ledger.prepared import prepared
from bot.ledger.schema import jobs
from bot.model import Outcome, State
from bot.pauses import NEVER, Pause


class Heard(StrEnum):
    """What became of a callback."""

    SETTLED = "settled"
    REPEATED = "repeated"  # the job is settled already
    UNKNOWN = "unknown"  # no such job
    FOREIGN = "foreign"  # another task, another model, or a job that was never sent


@dataclass(frozen=True, slots=True)
class Hearing:
    """The verdict, and the reply that is ready to be shown if the job was settled by it."""

    heard: Heard
    reply_id: str | None = None


def settle_heard(
    conn: sa.Connection,
    job_id: str,
    *,
    task_id: str,
    model: str,
    outcome: Outcome,
    now: datetime,
    pause: Pause = NEVER,
) -> Hearing:
    """submitting | submitted -> settled, if this task is the job's own.

    A callback may overtake the answer that names the task: a job whose POST is under way has no
    task yet and takes this one.
    """
    row = conn.execute(_LOCK, {"this": job_id}).one_or_none()
    if row is None:
        return Hearing(Heard.UNKNOWN)
    # A task that was sent along a route is named `model@route`, and so may ours be.
    same = model.partition("@")[0] == row.model.partition("@")[0]
    if not same or row.task_id not in (None, task_id):
        return Hearing(Heard.FOREIGN)
    if row.state == State.SETTLED:
        return Hearing(Heard.REPEATED if row.task_id else Heard.FOREIGN)
    if row.state not in (State.SUBMITTING, State.SUBMITTED):
        return Hearing(Heard.FOREIGN)
    if row.task_id is None:
        taken = conn.scalar(sa.select(jobs.c.id).where(jobs.c.task_id == task_id))
        if taken is not None:
            return Hearing(Heard.FOREIGN)
        conn.execute(
            sa.update(jobs)
            .where(jobs.c.id == job_id)
            .values(task_id=task_id, submitted_at=row.first_post_at)
        )
    reply_id = verbs.settle(conn, job_id, outcome=outcome, now=now, pause=pause)
    return Hearing(Heard.SETTLED, reply_id)


# Built once, for a callback comes with every job: see bot.ledger.verbs.
_LOCK = prepared(
    sa.select(jobs.c.state, jobs.c.task_id, jobs.c.model, jobs.c.first_post_at)
    .where(jobs.c.id == sa.bindparam("this"))
    .with_for_update()
)


def is_under_way(conn: sa.Connection, job_id: str) -> bool:
    """Whether this job has a task or may have one any moment, and no outcome."""
    state = conn.scalar(sa.select(jobs.c.state).where(jobs.c.id == job_id))
    return state in (State.SUBMITTING, State.SUBMITTED)
