"""What is too old to be kept: found beside all writing, forgotten in small guarded steps.

It owns which rows those are; what becomes of each column, `bot.ledger.privacy` says. It never
touches a file: whoever prunes also forgets the files of `Pruned`.

A reply's age counts from when it was finished (`due_at`, which its last outcome sets), or was last
brought back. What somebody still waits for is never pruned: open replies not at all, and those that
could not be shown not before `unseen`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.ledger import privacy, schema
from bot.ledger.schema import blocks, changes, jobs, replies, reports, servers
from bot.model import Delivery

DAY = timedelta(days=1)
# In place of "for ever" where days are reckoned with.
FOREVER = 1_000_000
SHOWN = (Delivery.DELIVERED, Delivery.CANCELLED, Delivery.WITHDRAWN)
UNSEEN = (Delivery.PARKED, Delivery.UNDELIVERABLE)


@dataclass(frozen=True, slots=True)
class Ages:
    """How long things are kept at this time: everybody's `days` (0: for ever), and what waits
    for its person at least for `unseen`.
    """

    now: datetime
    days: int
    unseen: timedelta

    @property
    def most(self) -> int:
        """Days after which everything goes."""
        return self.days or FOREVER

    def values(self) -> dict[str, Any]:
        micros = schema.Instant().process_bind_param(self.now, None)
        return {"now": self.now, "micros": micros, "most": self.most}


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was pruned, and whose kept files must go: originals by job, references by digest."""

    replies: int = 0
    job_ids: tuple[str, ...] = ()
    digests: frozenset[str] = frozenset()


def due(conn: sa.Connection, ages: Ages, *, limit: int) -> list[str]:
    """Replies that are too old, at most so many. A look: `prune` checks each of them again."""
    shortest = conn.scalar(_SHORTEST) or FOREVER
    days = min(ages.most, shortest)
    if days >= FOREVER:
        return []
    found: list[str] = []
    for delivery in (*SHOWN, *UNSEEN):
        values = {**ages.values(), "delivery": delivery, "rest": limit - len(found)}
        values["newest"] = ages.now - days * DAY
        if delivery in UNSEEN:
            values["newest"] = min(values["newest"], ages.now - ages.unseen)
        query = _DUE_WITHDRAWN if delivery is Delivery.WITHDRAWN else _DUE
        found += conn.scalars(query, values)
        if len(found) >= limit:
            break
    return found


def prune(conn: sa.Connection, reply_ids: Sequence[str], *, ages: Ages) -> Pruned:
    """Blank those of these replies that are too old still; what was brought back stays."""
    values = {**ages.values(), "ids": list(reply_ids), "unseen": ages.now - ages.unseen}
    ids = conn.scalars(_STILL, values).all()
    if not ids:
        return Pruned()
    refs = conn.scalars(_REFS, {"ids": list(ids)}).all()
    return Pruned(
        replies=len(ids),
        job_ids=tuple(privacy.blank(conn, ids)),
        digests=frozenset(privacy.digests_of(refs)),
    )


def tidy(conn: sa.Connection, ages: Ages, *, limit: int) -> int:
    """Delete records that are too old: of changes and reports, and of blocks that are over."""
    values = {**ages.values(), "rest": limit}
    return sum(conn.execute(statement, values).rowcount for statement in _TIDY)


_MOST = sa.bindparam("most", type_=sa.BigInteger)
_NOW = sa.bindparam("now", type_=schema.Instant)
_REST = sa.bindparam("rest", type_=sa.Integer)
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_SET = servers.c.rules["retention_days"].as_integer()
_SHORTEST = sa.select(sa.func.min(_SET))
_MICROS = sa.bindparam("micros", type_=sa.BigInteger)  # now, as the columns have it
_DAY = sa.literal(DAY // timedelta(microseconds=1), sa.BigInteger)


def _older(at: sa.ColumnElement[Any], guild: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Whether a time is past what is kept in this server, which may only be shorter than `most`."""
    own = sa.select(_SET).where(servers.c.guild_id == guild).scalar_subquery()
    days = sa.case((own < _MOST, own), else_=_MOST)
    return sa.type_coerce(at, sa.BigInteger) <= _MICROS - days * _DAY


# A server's word counts where the bot is a part of it.
_HERE = sa.case((replies.c.present.is_(True), replies.c.guild_id), else_=sa.null())
_OVER = sa.and_(replies.c.user_id != privacy.ANONYMOUS, _older(replies.c.due_at, _HERE))
_DUE_WITHDRAWN = (
    sa.select(replies.c.id)
    .where(
        replies.c.delivery == sa.bindparam("delivery", type_=sa.String),
        replies.c.due_at <= sa.bindparam("newest", type_=schema.Instant),
        _OVER,
    )
    .order_by(replies.c.unsettled, replies.c.due_at)
    .limit(_REST)
)
_DUE = _DUE_WITHDRAWN.where(replies.c.unsettled == 0)
# Locked, so that whoever comes second, a press or another process, finds them as they are then.
_STILL = (
    sa.select(replies.c.id)
    .where(
        replies.c.id.in_(_IDS),
        _OVER,
        sa.or_(
            replies.c.delivery == Delivery.WITHDRAWN,
            sa.and_(replies.c.delivery.in_(SHOWN), replies.c.unsettled == 0),
            sa.and_(
                replies.c.delivery.in_(UNSEEN),
                replies.c.unsettled == 0,
                replies.c.due_at <= sa.bindparam("unseen", type_=schema.Instant),
            ),
        ),
    )
    .order_by(replies.c.id)
    .with_for_update()
)
_REFS = sa.select(jobs.c.refs).where(jobs.c.reply_id.in_(_IDS))


def _old_rows(
    table: sa.Table, key: Sequence[sa.Column[Any]], old: sa.ColumnElement[bool]
) -> sa.Delete:
    found = sa.select(*key).where(old).limit(_REST)
    # Said twice: what was written anew meanwhile, such as a second block, is not the row that was
    # found.
    return sa.delete(table).where(sa.tuple_(*key).in_(found), old)


_TIDY = (
    # By the operator's word alone: nobody shortens the record of what they changed.
    _old_rows(changes, [changes.c.id], _older(changes.c.at, sa.null())),
    _old_rows(
        reports, [reports.c.reply_id, reports.c.user_id], _older(reports.c.at, reports.c.guild_id)
    ),
    _old_rows(blocks, [blocks.c.guild_id, blocks.c.user_id], blocks.c.until <= _NOW),
)
