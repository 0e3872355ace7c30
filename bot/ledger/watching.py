"""What is read of tasks by whoever waits for their end: which are under way, how long others took.

It owns these two reads and what of a row they need; it never changes a row.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from bot.ledger.prepared import prepared
from bot.ledger.schema import jobs
from bot.model import End, State


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A job with a task, without its words and bytes: they may be long, or erased elsewhere."""

    job_id: str
    reply_id: str
    model: str
    task_id: str
    submitted_at: datetime
    status: str | None = None


def live(conn: sa.Connection) -> list[UnderWay]:
    """Every job with a task that has no outcome yet: what the in-memory index is rebuilt from."""
    return [UnderWay(*row) for row in conn.execute(_LIVE)]


_LIVE = prepared(
    sa.select(
        jobs.c.id,
        jobs.c.reply_id,
        jobs.c.model,
        jobs.c.task_id,
        jobs.c.submitted_at,
        jobs.c.task_status,
    )
    .where(jobs.c.state == State.SUBMITTED)
    .order_by(jobs.c.submitted_at)
)


def durations(conn: sa.Connection, *, model: str, limit: int = 50) -> list[timedelta]:
    """How long this model's last pictures took by HiAPI's clock, however late they were found."""
    recent = (
        sa.select(jobs.c.outcome["seconds"].as_integer())
        .where(jobs.c.model == model, jobs.c.outcome["end"].as_string() == End.PICTURES)
        .order_by(jobs.c.settled_at.desc())
        .limit(limit)
    )
    found = conn.scalars(recent)
    return [timedelta(seconds=seconds) for seconds in found if seconds is not None]
