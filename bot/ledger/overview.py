"""The ledger as its operator looks at it: what is under way, what ended lately, what may be shown.

It owns reading alone: an index leads each statement to the rows that it looks at, and what is many
is counted by the database. It never changes a row.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from bot.errors import Code
from bot.ledger import rows
from bot.ledger.schema import jobs, replies
from bot.model import Delivery, End, Job, Kind, State

LIVE = (State.RECEIVED, State.QUEUED, State.SUBMITTING, State.SUBMITTED)


@dataclass(frozen=True, slots=True)
class Live:
    """What is under way. `undelivered`: replies whose outcome waits to be shown."""

    states: dict[State, int]
    oldest_queued_at: datetime | None
    undelivered: int


def live(conn: sa.Connection) -> Live:
    """Everything that is not finished, counted."""
    counted = {State(row.state): int(row.jobs) for row in conn.execute(_STATES)}
    return Live(
        states={state: counted.get(state, 0) for state in LIVE},
        oldest_queued_at=conn.scalar(_OLDEST),
        undelivered=int(conn.scalar(_UNDELIVERED) or 0),
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


@dataclass(frozen=True, slots=True)
class Count:
    """How many jobs of a model ended one way in one column of time, 0 being the oldest."""

    model: str
    column: int
    end: End
    code: Code | None
    jobs: int


def counts(
    conn: sa.Connection, *, models: list[str], since: datetime, step: timedelta
) -> list[Count]:
    """What ended since then, counted in columns of `step`."""
    values = {"models": models, "since": since, "step": step // _MICROSECOND}
    return [
        Count(row.model, int(row.column), End(row.end), _code(row.code), int(row.jobs))
        for row in conn.execute(_COUNTS, values)
    ]


_MICROSECOND = timedelta(microseconds=1)
_SINCE = sa.bindparam("since", type_=jobs.c.settled_at.type)
_END = jobs.c.outcome["end"].as_string()
_CODE = jobs.c.outcome["code"].as_string()
# Times are whole microseconds in the ledger, so that the database can reckon with them.
_SETTLED, _CREATED, _FROM = (
    sa.type_coerce(time, sa.BigInteger) for time in (jobs.c.settled_at, jobs.c.created_at, _SINCE)
)
_COLUMN = ((_SETTLED - _FROM) // sa.bindparam("step", type_=sa.BigInteger)).label("column")
# With the models by name an index leads to the newest of each.
_WITHIN = sa.and_(
    jobs.c.model.in_(sa.bindparam("models", expanding=True)), jobs.c.settled_at >= _SINCE
)
_COUNTS = (
    sa.select(
        jobs.c.model, _COLUMN, _END.label("end"), _CODE.label("code"), sa.func.count().label("jobs")
    )
    .where(_WITHIN, _END.is_not(None))  # what was withdrawn never began, and so did not end
    .group_by(jobs.c.model, "column", "end", "code")
)


@dataclass(frozen=True, slots=True)
class Took:
    """How long the pictures of one column of time took from asking, in seconds."""

    column: int
    median: float
    most: float  # 95 of 100 were there by then


def took(conn: sa.Connection, *, models: list[str], since: datetime, step: timedelta) -> list[Took]:
    """How long pictures took that came since then, in columns of `step`."""
    values = {"models": models, "since": since, "step": step // _MICROSECOND}
    found: dict[int, list[int]] = {}
    for row in conn.execute(_TOOK, values):
        found.setdefault(int(row.column), []).append(int(row.took))
    return [
        Took(column, min(both) / 1_000_000, max(both) / 1_000_000)
        for column, both in sorted(found.items())
    ]


_ranked = (
    sa.select(
        _COLUMN,
        (_SETTLED - _CREATED).label("took"),
        sa.func.row_number().over(partition_by=_COLUMN, order_by=_SETTLED - _CREATED).label("at"),
        sa.func.count().over(partition_by=_COLUMN).label("of"),
    )
    .where(_WITHIN, _END == End.PICTURES)
    .subquery()
)
_TOOK = sa.select(_ranked.c.column, _ranked.c.took).where(
    _ranked.c.at.in_([(_ranked.c.of + 1) // 2, _ranked.c.of - _ranked.c.of // 20])
)


@dataclass(frozen=True, slots=True)
class Failed:
    """A job that ended badly, without a word of the person's."""

    id: str
    kind: Kind
    model: str
    aspect_ratio: str
    resolution: str
    settled_at: datetime
    code: Code


def failures(
    conn: sa.Connection, *, models: list[str], since: datetime, limit: int
) -> list[Failed]:
    """The last jobs with a reason for their failure, newest first."""
    found = [
        Failed(
            id=row.id,
            kind=Kind(row.kind),
            model=row.model,
            aspect_ratio=row.aspect_ratio,
            resolution=row.resolution,
            settled_at=row.settled_at,
            code=Code(row.code),
        )
        for model in models
        for row in conn.execute(_FAILED, {"model": model, "since": since, "shown": limit})
    ]
    found.sort(key=lambda job: job.settled_at, reverse=True)
    return found[:limit]


def _code(value: str | None) -> Code | None:
    return None if value is None else Code(value)


# One model at a time, so that its index gives the order and few rows are read.
_of_model = sa.and_(jobs.c.model == sa.bindparam("model"), jobs.c.settled_at >= _SINCE)
_newest_first = jobs.c.settled_at.desc()
_shown = sa.bindparam("shown", type_=sa.Integer)
_FAILED = (
    sa.select(
        jobs.c.id,
        jobs.c.kind,
        jobs.c.model,
        jobs.c.aspect_ratio,
        jobs.c.resolution,
        jobs.c.settled_at,
        _CODE.label("code"),
    )
    .where(_of_model, _CODE.is_not(None))
    .order_by(_newest_first)
    .limit(_shown)
)


def models(conn: sa.Connection) -> list[str]:
    """Every model that a job was ever asked of: one step in the index for each."""
    found: list[str] = []
    while (model := conn.scalar(_NEXT_MODEL, {"after": found[-1] if found else ""})) is not None:
        found.append(model)
    return found


_NEXT_MODEL = sa.select(sa.func.min(jobs.c.model)).where(jobs.c.model > sa.bindparam("after"))


def public(conn: sa.Connection, *, models: list[str], since: datetime, limit: int) -> list[Job]:
    """The newest pictures that stand openly in a server's channel.

    Never one that was asked for privately, blurred, in direct messages, or taken back.
    """
    found = [
        rows.job(row)
        for model in models
        for row in conn.execute(
            _PUBLIC, {"model": model, "since": since, "shown": limit}
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
_SHOWABLE = (
    sa.select(jobs)
    .join(replies, replies.c.id == jobs.c.reply_id)
    .where(_OPENLY, _END == End.PICTURES)
)
_PUBLIC = _SHOWABLE.where(_of_model).order_by(_newest_first).limit(_shown)
_ONE_PUBLIC = _SHOWABLE.where(jobs.c.id == sa.bindparam("this"))
