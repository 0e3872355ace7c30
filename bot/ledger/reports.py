"""Who reported which reply to the moderators, once each, and why.

It owns those rows; it never knows who reads them, and never shows a private reply.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bot.ledger import rows
from bot.ledger.dialects import INSERTS
from bot.ledger.schema import replies, reports
from bot.model import Delivery, Reply


@dataclass(frozen=True, slots=True)
class Report:
    """One person's word on one reply; without a server it is the operator's to read."""

    reply_id: str
    user_id: int
    guild_id: int | None
    at: datetime
    reason: str


def keep(conn: sa.Connection, report: Report, *, since: datetime, most: int) -> bool | None:
    """Write a report down. False if this person reported this reply before; None, and nothing is
    written, if they reported `most` replies since then.
    """
    if known(conn, report.reply_id, user_id=report.user_id):
        return False
    mine = sa.and_(reports.c.user_id == report.user_id, reports.c.at > since)
    count = conn.scalar(sa.select(sa.func.count()).select_from(reports).where(mine))
    if (count or 0) >= most:
        return None
    insert = INSERTS[conn.dialect.name](reports).values(
        reply_id=report.reply_id,
        user_id=report.user_id,
        guild_id=report.guild_id,
        at=report.at,
        reason=report.reason,
    )
    # Two presses at once: the second one finds what the first one wrote.
    written = insert.on_conflict_do_nothing(index_elements=["reply_id", "user_id"])
    # Asked back, because of a lone insert the driver does not count rows on both databases.
    return conn.execute(written.returning(reports.c.reply_id)).first() is not None


def known(conn: sa.Connection, reply_id: str, *, user_id: int) -> bool:
    """Whether this person reported this reply."""
    return report_of(conn, reply_id, user_id=user_id) is not None


def report_of(conn: sa.Connection, reply_id: str, *, user_id: int) -> Report | None:
    """One person's report of a reply, or None."""
    this = sa.and_(reports.c.reply_id == reply_id, reports.c.user_id == user_id)
    row = conn.execute(sa.select(*_COLUMNS).where(this)).first()
    return None if row is None else Report(*row)


def recent(
    conn: sa.Connection, guild_id: int, *, since: datetime, limit: int
) -> list[tuple[Report, Reply]]:
    """The newest reports of a server whose cards still stand, as far as Easel knows."""
    found = conn.execute(
        sa.select(*_COLUMNS)
        .join(replies, replies.c.id == reports.c.reply_id)
        .where(
            reports.c.guild_id == guild_id,
            reports.c.at > since,
            replies.c.delivery == Delivery.DELIVERED,
            replies.c.private.is_(False),
            replies.c.message_id.is_not(None),
        )
        .order_by(reports.c.at.desc(), reports.c.reply_id, reports.c.user_id)
        .limit(limit)
    ).all()
    listed = [(Report(*row), rows.load_reply(conn, row.reply_id)) for row in found]
    return [(report, reply) for report, reply in listed if reply is not None]


_COLUMNS = (
    reports.c.reply_id,
    reports.c.user_id,
    reports.c.guild_id,
    reports.c.at,
    reports.c.reason,
)
