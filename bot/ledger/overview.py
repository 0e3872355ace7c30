"""The ledger as its operator looks at it: what is under way, what ended lately, what may be shown.

It owns reading alone, and bounds it: an index leads each statement to the rows that it looks at,
and of what is finished it takes only the newest. It never changes a row.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.errors import Code
from bot.ledger import rows
from bot.ledger.schema import days, jobs, replies
from bot.model import Delivery, End, Job, Kind, Outcome, State

LIVE = (State.RECEIVED, State.QUEUED, State.SUBMITTING, State.SUBMITTED)
# Of each model at most so many finished jobs are read at a time, newest first.
MOST = 5_000


@dataclass(frozen=True, slots=True)
class Live:
    """What is under way. `undelivered`: replies whose outcome waits to be shown."""

    states: dict[State, int]
    oldest_queued_at: datetime | None
    undelivered: int
    day_pictures: int


def live(conn: sa.Connection, *, now: datetime) -> Live:
    """Everything that is not finished, counted."""
    counted = {State(row.state): int(row.jobs) for row in conn.execute(_STATES)}
    day = now.date().isoformat()
    return Live(
        states={state: counted.get(state, 0) for state in LIVE},
        oldest_queued_at=conn.scalar(_OLDEST),
        undelivered=int(conn.scalar(_UNDELIVERED) or 0),
        day_pictures=int(conn.scalar(_DAY, {"day": day}) or 0),
    )


_STATES = (
    sa.select(jobs.c.state, sa.func.count().label("jobs"))
    .where(jobs.c.state.in_(LIVE))
    .group_by(jobs.c.state)
)
_OLDEST = sa.select(sa.func.min(jobs.c.created_at)).where(jobs.c.state == State.QUEUED)
_UNDELIVERED = sa.select(sa.func.count()).where(
    replies.c.delivery == Delivery.OPEN, replies.c.unsettled == 0
)
_DAY = sa.select(days.c.jobs).where(days.c.day == sa.bindparam("day"))


@dataclass(frozen=True, slots=True)
class Ended:
    """A finished job without a word of the person's."""

    id: str
    kind: Kind
    model: str
    aspect_ratio: str
    resolution: str
    created_at: datetime
    settled_at: datetime
    end: End
    code: Code | None


def ended(conn: sa.Connection, *, since: datetime, most: int = MOST) -> list[Ended]:
    """The jobs settled since then, newest first, at most `most` of each model."""
    found = [
        row
        for model in _models(conn)
        for row in conn.execute(_ENDED, {"model": model, "since": since, "most": most})
    ]
    found.sort(key=lambda row: row.settled_at, reverse=True)
    return [_ended(row) for row in found]


def _ended(row: Any) -> Ended:
    outcome = Outcome.load(row.outcome)
    return Ended(
        id=row.id,
        kind=Kind(row.kind),
        model=row.model,
        aspect_ratio=row.aspect_ratio,
        resolution=row.resolution,
        created_at=row.created_at,
        settled_at=row.settled_at,
        end=outcome.end,
        code=outcome.code,
    )


def _models(conn: sa.Connection) -> list[str]:
    """Every model that ever ended a job: one step in the index for each."""
    found: list[str] = []
    while (model := conn.scalar(_NEXT_MODEL, {"after": found[-1] if found else ""})) is not None:
        found.append(model)
    return found


_NEXT_MODEL = sa.select(sa.func.min(jobs.c.model)).where(jobs.c.model > sa.bindparam("after"))
_SINCE = sa.bindparam("since", type_=jobs.c.settled_at.type)
_NEWEST = (
    sa.select(jobs)
    .where(jobs.c.model == sa.bindparam("model"), jobs.c.settled_at >= _SINCE)
    .order_by(jobs.c.settled_at.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_ENDED = _NEWEST.with_only_columns(
    jobs.c.id,
    jobs.c.kind,
    jobs.c.model,
    jobs.c.aspect_ratio,
    jobs.c.resolution,
    jobs.c.created_at,
    jobs.c.settled_at,
    jobs.c.outcome,
)


def public(conn: sa.Connection, *, since: datetime, limit: int, most: int = 200) -> list[Job]:
    """The newest pictures that stand openly in a server's channel, at most `limit`.

    Never one that was asked for privately, blurred, in direct messages, or taken back. Looks at
    the newest `most` jobs of each model.
    """
    found = [
        rows.job(row)
        for model in _models(conn)
        for row in conn.execute(
            _PUBLIC, {"model": model, "since": since, "most": most, "shown": limit}
        ).mappings()
    ]
    found.sort(key=lambda job: job.settled_at or job.created_at, reverse=True)
    return found[:limit]


def public_job(conn: sa.Connection, job_id: str) -> Job | None:
    """A job with a picture that may be shown by the same rule, or None."""
    row = conn.execute(_ONE_PUBLIC, {"this": job_id}).mappings().one_or_none()
    return None if row is None else rows.job(row)


_OPENLY = sa.and_(
    replies.c.delivery == Delivery.DELIVERED,
    replies.c.private.is_(False),
    replies.c.spoiler.is_(False),
    replies.c.guild_id.is_not(None),
)
_newest = _NEWEST.with_only_columns(jobs.c.id).subquery()
_SHOWABLE = (
    sa.select(jobs)
    .join(replies, replies.c.id == jobs.c.reply_id)
    .where(_OPENLY, jobs.c.outcome["end"].as_string() == End.PICTURES)
)
_PUBLIC = (
    _SHOWABLE.where(jobs.c.id.in_(sa.select(_newest.c.id)))
    .order_by(jobs.c.settled_at.desc())
    .limit(sa.bindparam("shown", type_=sa.Integer))
)
_ONE_PUBLIC = _SHOWABLE.where(jobs.c.id == sa.bindparam("this"))
