"""A job's arrows, each one guarded statement: zero rows means that someone else was first.

It owns when a job may move and what moves with it (the reply's count, the accounts); it never
waits and never looks at the clock: the time is handed in.

Statements stand beside their verbs and are built once: building one takes six times as long as
running it. Their parameters (`this`, `before`, ...) are named apart from the columns they set.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot import allowance
from bot.allowance import Account
from bot.errors import OPERATORS, Code
from bot.ledger import budgets, refusals, rows, schema
from bot.ledger.dialects import INSERTS
from bot.ledger.prepared import prepared
from bot.ledger.schema import facts, jobs, replies
from bot.ledger.unsent import ANY_AGE, TOO_OLD, UNSENT, Oldest
from bot.model import ARROWS, Delivery, End, Job, Outcome, Reference, Reply, State
from bot.pauses import NEVER, Pause

# More than anybody will ever have at once.
NO_LIMIT = 2**31 - 1

_THIS: sa.BindParameter[Any] = sa.bindparam("this")
_BEFORE: sa.BindParameter[Any] = sa.bindparam("before")
_NOW = sa.bindparam("now", type_=schema.Instant)


def confirm(
    conn: sa.Connection, reply_id: str, *, message_id: int | None, private: bool, now: datetime
) -> int:
    """received -> queued: Discord took the acknowledgement. Returns how many jobs moved."""
    waiting = _lock_received(conn, reply_id)
    if not waiting:
        return 0
    turn = _next_turn(conn, waiting[0].user_id)
    for offset, row in enumerate(waiting):
        _moved(conn, row.id, State.RECEIVED, State.QUEUED, turn=turn + offset, due_at=now)
    conn.execute(_REPLY, {"this": reply_id, "message_id": message_id, "private": private})
    return len(waiting)


_REPLY = prepared(sa.update(replies).where(replies.c.id == _THIS))


def _lock_received(conn: sa.Connection, reply_id: str) -> Sequence[Any]:
    """The jobs of a reply that are still `received`, locked in one order for who comes second."""
    return conn.execute(_LOCK_RECEIVED, {"this": reply_id}).all()


_LOCK_RECEIVED = prepared(
    sa.select(jobs.c.id, jobs.c.user_id, jobs.c.created_at, jobs.c.price)
    .where(jobs.c.reply_id == _THIS, jobs.c.state == State.RECEIVED)
    .order_by(jobs.c.slot)
    .with_for_update()
)


def _next_turn(conn: sa.Connection, user_id: int) -> int:
    """The turn after this person's last live job, but not before the turn that is served now.

    That is the head of the queue or, when nobody waits, the last turn under way: who was served
    much meanwhile must not find a newcomer's whole queue before their next job.
    """
    last, now = conn.execute(_TURNS, {"this": user_id}).one()
    return max(-1 if last is None else last, -1 if now is None else now - 1) + 1


_UNDER_WAY = [State.SUBMITTING, State.SUBMITTED]
_LAST_TURN = sa.select(sa.func.max(jobs.c.turn)).where(
    jobs.c.user_id == _THIS, jobs.c.state.in_([State.QUEUED, *_UNDER_WAY])
)
_HEAD_TURN = sa.select(sa.func.min(jobs.c.turn)).where(jobs.c.state == State.QUEUED)
_TURN_UNDER_WAY = sa.select(sa.func.max(jobs.c.turn)).where(jobs.c.state.in_(_UNDER_WAY))
_TURNS = prepared(
    sa.select(
        _LAST_TURN.scalar_subquery(),
        sa.func.coalesce(_HEAD_TURN.scalar_subquery(), _TURN_UNDER_WAY.scalar_subquery()),
    )
)


def amend(
    conn: sa.Connection,
    reply_id: str,
    *,
    prompt: str,
    references: Sequence[Reference] | None = None,
) -> int:
    """Complete jobs that are still `received`: the rest of a prompt, addresses that live."""
    values: dict[str, Any] = {"prompt": prompt, "unfinished": False}
    if references is not None:
        values["refs"] = [each.dump() for each in references]
    return conn.execute(
        sa.update(jobs)
        .where(jobs.c.reply_id == reply_id, jobs.c.state == State.RECEIVED)
        .values(values)
    ).rowcount


def withdraw(conn: sa.Connection, reply_id: str, *, now: datetime) -> int:
    """received -> withdrawn: Discord never took the acknowledgement. The jobs are uncounted."""
    gone = _lock_received(conn, reply_id)
    if not gone:
        return 0
    conn.execute(
        sa.update(jobs)
        .where(jobs.c.reply_id == reply_id, jobs.c.state == State.RECEIVED)
        .values(state=State.WITHDRAWN, settled_at=now)
    )
    reply = conn.execute(
        sa.update(replies)
        .where(replies.c.id == reply_id)
        .values(delivery=Delivery.WITHDRAWN, token=None)
        .returning(*_WHOSE)
    ).one()
    for row in gone:
        _refund(conn, reply, row.created_at, micros=row.price or 0, attempts=1)
    return len(gone)


def unacknowledged(conn: sa.Connection, *, before: datetime) -> list[Reply]:
    """Replies whose jobs are still `received` although they were written before this time."""
    found = conn.scalars(
        sa.select(jobs.c.reply_id)
        .where(jobs.c.state == State.RECEIVED, jobs.c.created_at < before)
        .distinct()
        .limit(100)
    ).all()
    loaded = (rows.load_reply(conn, reply_id) for reply_id in found)
    return [reply for reply in loaded if reply is not None]


def claim_queued(
    conn: sa.Connection,
    *,
    worker: str,
    now: datetime,
    lease: timedelta,
    running_limit: int = NO_LIMIT,
    oldest: Oldest = ANY_AGE,
) -> Job | None:
    """Lease the next job to submit: a POST to repeat before a new one, then people in turn.

    Whoever has `running_limit` jobs under way is passed over until one of them ends; what was
    turned away and is older than `oldest` is left to `ending.expire`.
    """
    leased = {"now": now, "lease_owner": worker, "lease_until": now + lease}
    values = {"running_limit": running_limit, **leased, **oldest.values}
    found = conn.execute(_CLAIM, values).mappings()
    row = found.one_or_none()
    return None if row is None else rows.job(row)


def _next(state: State) -> sa.Select[tuple[str]]:
    """The job of this state whose turn it is."""
    return (
        sa.select(jobs.c.id)
        .where(
            jobs.c.state == state,
            jobs.c.due_at <= _NOW,
            sa.or_(jobs.c.lease_until.is_(None), jobs.c.lease_until <= _NOW),
        )
        .order_by(jobs.c.turn, jobs.c.created_at, jobs.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


_OTHERS, _HELD = jobs.alias("others"), jobs.alias("held")


def _running(user: sa.ColumnElement[int]) -> sa.ScalarSelect[int]:
    """What a person has under way."""
    theirs = sa.and_(_OTHERS.c.user_id == user, _OTHERS.c.state.in_(_UNDER_WAY))
    return sa.select(sa.func.count()).select_from(_OTHERS).where(theirs).scalar_subquery()


# Who is at the limit by jobs that a submitter holds at this moment. Found once for a claim: who has
# a thousand in the queue must not have them searched for each of the thousand.
_LIMIT: sa.BindParameter[int] = sa.bindparam("running_limit")
_AT_LIMIT = (
    sa.select(_HELD.c.user_id)
    .where(_HELD.c.state == State.QUEUED, _HELD.c.lease_until > _NOW)
    .group_by(_HELD.c.user_id)
    .having(sa.func.count() + _running(_HELD.c.user_id) >= _LIMIT)
)
_AGAIN = _next(State.SUBMITTING).where(sa.not_(sa.and_(UNSENT, TOO_OLD)))
_FAIR = _next(State.QUEUED).where(
    _running(jobs.c.user_id) < _LIMIT, jobs.c.user_id.not_in(_AT_LIMIT)
)
_CLAIM = prepared(
    sa.update(jobs)
    .where(
        jobs.c.id == sa.func.coalesce(_AGAIN.scalar_subquery(), _FAIR.scalar_subquery()),
        jobs.c.state.in_([State.SUBMITTING, State.QUEUED]),
    )
    .values(posts=jobs.c.posts + sa.case((jobs.c.state == State.SUBMITTING, 1), else_=0))
    .returning(jobs)
)


def freeze(conn: sa.Connection, job_id: str, *, worker: str, body: bytes, now: datetime) -> bool:
    """queued -> submitting: from here on these bytes, and no others, are this job's request."""
    guards = {"this": job_id, "before": State.QUEUED, "worker": worker}
    frozen = {"state": State.SUBMITTING, "body": body, "first_post_at": now, "posts": 1}
    return bool(conn.execute(_MINE, {**guards, **frozen}).rowcount)


def begin(
    conn: sa.Connection,
    *,
    worker: str,
    now: datetime,
    lease: timedelta,
    body: Callable[[Job], bytes | None],
    running_limit: int = NO_LIMIT,
    oldest: Oldest = ANY_AGE,
) -> Job | None:
    """Claim the next job to submit and freeze its request with it: one transaction, not two.

    `body` makes the request of a queued job and must be a pure function of it; for None the job
    stays queued under the lease.
    """
    job = claim_queued(
        conn, worker=worker, now=now, lease=lease, running_limit=running_limit, oldest=oldest
    )
    if job is None or job.state is not State.QUEUED:
        return job
    request = body(job)
    if request is None or not freeze(conn, job.id, worker=worker, body=request, now=now):
        return job
    return job.evolve(state=State.SUBMITTING, body=request, first_post_at=now)


def resend_at(conn: sa.Connection, job_id: str, *, worker: str, due_at: datetime) -> bool:
    """Give up the lease on a job whose POST must be repeated later with the same bytes."""
    values = {"this": job_id, "before": State.SUBMITTING, "worker": worker, "due_at": due_at}
    return bool(conn.execute(_RESEND, {**values, **_UNLEASED}).rowcount)


def submitted(conn: sa.Connection, job_id: str, *, task_id: str, now: datetime) -> bool:
    """submitting -> submitted: HiAPI named a task."""
    return _moved(
        conn,
        job_id,
        State.SUBMITTING,
        State.SUBMITTED,
        task_id=task_id,
        submitted_at=now,
        **_UNLEASED,
    )


def note_status(conn: sa.Connection, statuses: dict[str, str]) -> int:
    """Remember the stage of running tasks (job id -> status) for their cards."""
    changed = 0
    for job_id, status in sorted(statuses.items()):  # in one order: two of these never deadlock
        fitting = status[: schema.STATUS_LENGTH]
        values = {"this": job_id, "before": State.SUBMITTED, "task_status": fitting}
        changed += conn.execute(_JOB, values).rowcount
    return changed


def settle(
    conn: sa.Connection, job_id: str, *, outcome: Outcome, now: datetime, pause: Pause = NEVER
) -> str | None:
    """Any live state -> settled. Returns the reply's id if that moved, None if it was settled.

    What ends unsent, or without a picture, is given back to every account; an attempt is given
    back where the picture came, or where it was not the person's nor the service's fault that it
    did not. What nobody knows the end of stays charged. What was refused for its content counts
    towards a `pause` of its person.
    """
    values = {"this": job_id, "outcome": outcome.dump(), "settled_at": now}
    row = conn.execute(_SETTLE, {**values, **_UNLEASED}).one_or_none()
    if row is None:
        return None
    reply = conn.execute(_ONE_LESS, {"this": row.reply_id, "due_at": now}).one()
    sent = row.first_post_at is not None
    if sent and outcome.end is End.PICTURES:
        own = Account(_scopes(reply)[-1], f"{row.created_at:%Y-%m-%d}")
        budgets.give_back(conn, [own], attempts=1)
    elif not sent or outcome.end in (End.FAILED, End.REFUSED):
        kept = sent and outcome.code not in OPERATORS
        _refund(conn, reply, row.created_at, micros=row.price or 0, attempts=0 if kept else 1)
        if pause.after and outcome.code is Code.REFUSED_PROMPT:
            whose = reply.user_id
            refusals.strike(conn, job_id, user_id=whose, outcome=outcome, pause=pause, now=now)
    return str(row.reply_id)


def _refund(conn: sa.Connection, reply: Any, at: datetime, *, micros: int, attempts: int) -> None:
    """Give one picture back to every account that it was reserved on."""
    scopes = _scopes(reply)
    touched = [
        Account(scope, f"{at:{period}}") for scope in scopes for period in ("%Y-%m-%d", "%Y-%m")
    ]
    budgets.give_back(conn, touched, pictures=1, micros=micros)
    if attempts:
        budgets.give_back(conn, [touched[-2]], attempts=attempts)


def _scopes(reply: Any) -> tuple[str, ...]:
    return allowance.scopes_of(reply.guild_id, reply.user_id, present=reply.present)


_WHOSE = (replies.c.guild_id, replies.c.user_id, replies.c.present)


_SETTLE = prepared(
    sa.update(jobs)
    .where(
        jobs.c.id == _THIS,
        jobs.c.state.in_([state for state, after in ARROWS.items() if State.SETTLED in after]),
    )
    # Whatever has ended with this time may be billed. A callback has brought a task beforehand.
    .values(
        state=State.SETTLED,
        first_post_at=sa.case(
            (sa.and_(UNSENT, jobs.c.task_id.is_(None)), sa.null()), else_=jobs.c.first_post_at
        ),
    )
    .returning(jobs.c.reply_id, jobs.c.created_at, jobs.c.first_post_at, jobs.c.price)
)
_ONE_LESS = _REPLY.values(unsettled=replies.c.unsettled - 1).returning(*_WHOSE)


def reply_of(conn: sa.Connection, reply_id: str) -> Reply | None:
    """A reply with its jobs, whatever its state."""
    return rows.load_reply(conn, reply_id)


def job_of(conn: sa.Connection, job_id: str) -> Job | None:
    """A job by its id, whatever its state."""
    row = conn.execute(sa.select(jobs).where(jobs.c.id == job_id)).mappings().one_or_none()
    return None if row is None else rows.job(row)


def unquoted(conn: sa.Connection, job_id: str, *, outcome: Outcome) -> Outcome:
    """The outcome without what its detail repeats of this job's prompt."""
    prompt = conn.scalar(sa.select(jobs.c.prompt).where(jobs.c.id == job_id))
    return outcome.unquoted(prompt or "")


def settled_fact(conn: sa.Connection, name: str, *, value: str) -> str:
    """A small fact that is kept once and for all: this value, or the one that was first."""
    insert = INSERTS[conn.dialect.name](facts).values(name=name, value=value)
    conn.execute(insert.on_conflict_do_nothing(index_elements=["name"]))
    return str(conn.scalar(sa.select(facts.c.value).where(facts.c.name == name)))


def fact(conn: sa.Connection, name: str) -> str | None:
    """A small fact kept between starts, or None."""
    return conn.scalar(sa.select(facts.c.value).where(facts.c.name == name))


def keep_fact(conn: sa.Connection, name: str, *, value: str) -> None:
    """Keep a small fact between starts, in place of its last value."""
    insert = INSERTS[conn.dialect.name](facts).values(name=name, value=value)
    conn.execute(insert.on_conflict_do_update(index_elements=["name"], set_={"value": value}))


def _moved(conn: sa.Connection, job_id: str, before: State, after: State, **values: object) -> bool:
    values |= {"this": job_id, "before": before, "state": after}
    return bool(conn.execute(_JOB, values).rowcount)


_JOB = prepared(sa.update(jobs).where(jobs.c.id == _THIS, jobs.c.state == _BEFORE))
_MINE = _JOB.where(jobs.c.lease_owner == sa.bindparam("worker"))
_RESEND = _MINE.values(attempts=jobs.c.attempts + 1)
_UNLEASED = {"lease_owner": None, "lease_until": None}
