"""A reply's arrows: claimed for delivery under a lease, then delivered, parked or given up.

It owns who may show a reply and when; it never reads a picture.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa

from bot.ledger import rows, schema
from bot.ledger.prepared import prepared
from bot.ledger.schema import replies
from bot.model import Delivery, Reply, Rung, Target


def claim_reply(
    conn: sa.Connection, *, worker: str, now: datetime, lease: timedelta
) -> Reply | None:
    """Lease the longest waiting reply whose jobs all have an outcome."""
    values = {"now": now, "lease_owner": worker, "lease_until": now + lease}
    row = conn.execute(_CLAIM, values).mappings().one_or_none()
    return None if row is None else rows.with_jobs(conn, row)


_NOW = sa.bindparam("now", type_=schema.Instant)
_NEXT = (
    sa.select(replies.c.id)
    .where(
        replies.c.delivery == Delivery.OPEN,
        replies.c.unsettled == 0,
        replies.c.due_at <= _NOW,
        sa.or_(replies.c.lease_until.is_(None), replies.c.lease_until <= _NOW),
    )
    .order_by(replies.c.due_at)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_CLAIM = prepared(
    sa.update(replies)
    .where(replies.c.id == _NEXT.scalar_subquery(), replies.c.delivery == Delivery.OPEN)
    .values(attempts=replies.c.attempts + 1)
    .returning(replies)
)


def renew(conn: sa.Connection, reply_id: str, *, worker: str, until: datetime) -> bool:
    """Keep the lease on a reply while its delivery is under way."""
    return _mine(conn, reply_id, worker, lease_until=until)


def postpone(
    conn: sa.Connection,
    reply_id: str,
    *,
    worker: str,
    due_at: datetime,
    trouble: str,
    attempts: int | None = None,
) -> bool:
    """Give up the lease and try again at `due_at`; only so many `attempts` count, if given."""
    counted = {} if attempts is None else {"attempts": attempts}
    return _mine(
        conn,
        reply_id,
        worker,
        due_at=due_at,
        trouble=trouble,
        lease_owner=None,
        lease_until=None,
        **counted,
    )


def close(
    conn: sa.Connection,
    reply_id: str,
    *,
    worker: str,
    delivery: Delivery,
    now: datetime,
    trouble: str | None = None,
) -> bool:
    """open -> delivered | parked | undeliverable. The token is not needed any more: erased.

    A reply that a press brings back goes parked | undeliverable -> open -> delivered.
    """
    return _mine(
        conn,
        reply_id,
        worker,
        delivery=delivery,
        delivered_at=now,
        token=None,
        trouble=trouble,
        lease_owner=None,
        lease_until=None,
    )


def step_on(
    conn: sa.Connection, reply_id: str, *, worker: str, rung: Rung | None, now: datetime
) -> bool:
    """Write down that the card is about to be shown by this route; None: that it was not."""
    return _mine(conn, reply_id, worker, rung=rung, rung_at=now)


# Unfinished, or finished and postponed: nobody is about to show it, and nobody may have shown it.
_WAITS = sa.or_(
    replies.c.unsettled > 0,
    sa.and_(replies.c.attempts > 0, replies.c.lease_until.is_(None), replies.c.rung.is_(None)),
)


def note(conn: sa.Connection, reply_id: str) -> bool:
    """Write down that the card of a reply that waits is about to become a note."""
    noted = conn.execute(
        sa.update(replies)
        .where(
            replies.c.id == reply_id,
            replies.c.delivery == Delivery.OPEN,
            _WAITS,
        )
        .values(noted=True)
    )
    return bool(noted.rowcount)


def note_stands(conn: sa.Connection, reply_id: str) -> bool:
    """Write down that Discord took the note."""
    noted = sa.update(replies).where(replies.c.id == reply_id, replies.c.noted.is_(True))
    return bool(conn.execute(noted.values(note_stands=True)).rowcount)


def note_stood(conn: sa.Connection, reply_id: str) -> bool:
    """Whether it was written down that Discord took the note."""
    return bool(conn.scalar(sa.select(replies.c.note_stands).where(replies.c.id == reply_id)))


def due_for_note(conn: sa.Connection, *, now: datetime, before: datetime) -> list[Reply]:
    """Replies that wait, that only their token reaches and whose token dies before this time.

    Those noted already come last: whoever noted them may have died before it told Discord.
    """
    found = conn.scalars(
        sa.select(replies.c.id)
        .where(
            replies.c.token.is_not(None),
            replies.c.token_expires_at > now,
            replies.c.token_expires_at <= before,
            replies.c.delivery == Delivery.OPEN,
            _WAITS,
            sa.or_(replies.c.private.is_(True), replies.c.present.is_(False)),
        )
        .order_by(replies.c.noted, replies.c.token_expires_at)
        .limit(20)
    ).all()
    loaded = (rows.load_reply(conn, reply_id) for reply_id in found)
    return [reply for reply in loaded if reply is not None]


KEPT = frozenset({Delivery.PARKED, Delivery.UNDELIVERABLE})


def reopen(
    conn: sa.Connection,
    reply_id: str,
    *,
    target: Target,
    now: datetime,
    of: frozenset[Delivery] = KEPT | {Delivery.OPEN},
) -> Reply | None:
    """A button was pressed: the reply gets the click's token; parked | undeliverable -> open.

    None if there is nothing to show: the reply is unknown, someone else's, or was delivered.
    """
    moved = conn.scalar(
        sa.update(replies)
        .where(
            replies.c.id == reply_id,
            replies.c.user_id == target.user_id,
            replies.c.delivery.in_(sorted(of)),
        )
        .values(
            delivery=Delivery.OPEN,
            noted=False,
            note_stands=False,
            token=target.token,
            token_expires_at=target.token_expires_at,
            message_id=target.message_id,
            upload_limit=target.upload_limit,
            due_at=now,
            attempts=0,
            # Where every route was tried in vain, the new token is to be tried first again.
            rung=sa.case((replies.c.delivery == Delivery.OPEN, replies.c.rung), else_=None),
            # Whoever delivers at this moment does so with the old token: the new one is not theirs.
            lease_owner=None,
            lease_until=None,
        )
        .returning(replies.c.id)
    )
    return None if moved is None else rows.load_reply(conn, reply_id)


def forget_message(conn: sa.Connection, reply_id: str, *, message_id: int) -> bool:
    """A reply's message was deleted; a copy of it elsewhere is another message."""
    forgotten = conn.execute(
        sa.update(replies)
        .where(replies.c.id == reply_id, replies.c.message_id == message_id)
        .values(message_id=None)
    )
    return bool(forgotten.rowcount)


def erase_tokens(conn: sa.Connection, *, now: datetime) -> int:
    """Forget the interaction tokens that are dead by now."""
    return conn.execute(
        sa.update(replies)
        .where(replies.c.token.is_not(None), replies.c.token_expires_at <= now)
        .values(token=None)
    ).rowcount


def _mine(conn: sa.Connection, reply_id: str, worker: str, **values: object) -> bool:
    return bool(conn.execute(_MINE, values | {"this": reply_id, "worker": worker}).rowcount)


# Built once, like every statement that a delivery needs: see bot.ledger.verbs.
_MINE = prepared(
    sa.update(replies).where(
        replies.c.id == sa.bindparam("this"),
        replies.c.delivery == Delivery.OPEN,
        replies.c.lease_owner == sa.bindparam("worker"),
    )
)
