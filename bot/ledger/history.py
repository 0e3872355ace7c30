"""What a person asked for so far, page by page, and what came of what.

It owns who may read which reply; it never changes a row. A person sees all of their own. Of
somebody else's they see what stands in public in the same server, and nothing tells of the rest.
"""

import unicodedata
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot.ledger import rows
from bot.ledger.privacy import ANONYMOUS
from bot.ledger.schema import jobs, replies
from bot.model import Delivery, End, Kind, Reply, Sort, State

# Text is looked for in so many of a person's replies, the newest: a search reads every prompt.
SEARCHED = 2_000
KIN = 3  # ancestors and children that are named; the other children are counted


@dataclass(frozen=True, slots=True)
class Slice:
    """One page: its number (from 0, moved to the last one if there are fewer), of how many in all.

    `cut`: text was looked for in the newest SEARCHED replies only, and there are more.
    """

    replies: tuple[Reply, ...]
    number: int
    total: int
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Kin:
    """Where a reply came from (nearest first) and what was made of it, as far as one may know."""

    ancestors: tuple[Reply, ...] = ()
    children: tuple[Reply, ...] = ()
    more: int = 0  # children beyond those named


def page(
    conn: sa.Connection, user_id: int, *, number: int, size: int, sort: Sort, text: str = ""
) -> Slice:
    """A page of a person's own replies, newest first.

    `text` is found in any case of any script, so it is compared here: what LOWER knows of other
    letters than ASCII's differs between databases, and SQLite's knows nothing.
    """
    mine = _sorted(_OWN.where(replies.c.user_id == user_id), sort)
    newest = mine.order_by(replies.c.created_at.desc(), replies.c.id.desc())
    if not text:
        total = int(conn.scalar(sa.select(sa.func.count()).select_from(mine.subquery())) or 0)
        number = _within(number, total, size)
        found = list(conn.scalars(newest.limit(size).offset(number * size)))
        return Slice(_loaded(conn, found), number=number, total=total)
    wanted = fold(text)
    looked = 0
    matching: list[str] = []
    searched = newest.add_columns(jobs.c.prompt).limit(SEARCHED + 1)
    for row in conn.execute(searched.execution_options(yield_per=100)):
        looked += 1
        if looked <= SEARCHED and wanted in fold(row.prompt):
            matching.append(row.id)
    number = _within(number, len(matching), size)
    found = matching[number * size : (number + 1) * size]
    return Slice(_loaded(conn, found), number=number, total=len(matching), cut=looked > SEARCHED)


def fold(text: str) -> str:
    """Text as it is compared: without case, and composed or not alike."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def own(conn: sa.Connection, reply_id: str, *, user_id: int) -> Reply | None:
    """A person's own reply, None if it is unknown or someone else's."""
    reply = rows.load_reply(conn, reply_id)
    return reply if reply is not None and reply.target.user_id == user_id else None


def named(conn: sa.Connection, prefix: str, *, user_id: int) -> list[str]:
    """The ids of a person's own replies whose id, or a job's, begins so; two are enough to ask."""
    found = conn.scalars(
        sa.select(replies.c.id)
        .distinct()
        .join(jobs, jobs.c.reply_id == replies.c.id)
        .where(
            replies.c.user_id == user_id,
            sa.or_(
                jobs.c.id.startswith(prefix, autoescape=True),
                replies.c.id == prefix,
            ),
        )
        .limit(2)
    )
    return list(found)


def kin(conn: sa.Connection, reply: Reply, *, viewer_id: int | None, guild_id: int | None) -> Kin:
    """The lineage of a reply as this person may know it in this server.

    `viewer_id` None is a card that everybody in the server reads: there one's own private
    pictures are not told of either. A line ends at the first ancestor that may not be known.
    """
    allowed = _visible(viewer_id=viewer_id, guild_id=guild_id)
    ancestors: list[Reply] = []
    above, seen = reply.made_from, {reply.id}
    while above is not None and above not in seen and len(ancestors) < KIN:
        seen.add(above)
        if conn.scalar(sa.select(replies.c.id).where(replies.c.id == above, allowed)) is None:
            break
        ancestors += _loaded(conn, [above])
        above = ancestors[-1].made_from
    below = sa.select(replies.c.id).where(replies.c.made_from == reply.id, allowed)
    count = int(conn.scalar(sa.select(sa.func.count()).select_from(below.subquery())) or 0)
    first = conn.scalars(below.order_by(replies.c.created_at, replies.c.id).limit(KIN)).all()
    return Kin(
        ancestors=tuple(ancestors),
        children=_loaded(conn, list(first)),
        more=count - len(first),
    )


def _visible(*, viewer_id: int | None, guild_id: int | None) -> sa.ColumnElement[bool]:
    """Which replies somebody may know of: their own, and what stands in public in this server."""
    public = sa.and_(
        replies.c.private.is_(False),
        replies.c.delivery == Delivery.DELIVERED,
        replies.c.guild_id == guild_id if guild_id is not None else sa.false(),
        replies.c.user_id != ANONYMOUS,
    )
    mine = replies.c.user_id == viewer_id if viewer_id is not None else sa.false()
    return sa.and_(replies.c.delivery != Delivery.WITHDRAWN, sa.or_(mine, public))


def _sorted(mine: sa.Select[Any], sort: Sort) -> sa.Select[Any]:
    if sort in (Sort.IMAGINE, Sort.REMIX):
        return mine.where(jobs.c.kind == Kind(sort.value))
    if sort is Sort.FAILED:
        return mine.where(
            replies.c.unsettled == 0,
            replies.c.delivery != Delivery.CANCELLED,
            ~sa.exists().where(
                _OTHERS.c.reply_id == replies.c.id,
                _OTHERS.c.state == State.SETTLED,
                _OTHERS.c.outcome["end"].as_string() == End.PICTURES,
            ),
        )
    return mine


def _within(number: int, total: int, size: int) -> int:
    return max(0, min(number, (total - 1) // size))


def _loaded(conn: sa.Connection, ids: list[str]) -> tuple[Reply, ...]:
    loaded = (rows.load_reply(conn, reply_id) for reply_id in ids)
    return tuple(reply for reply in loaded if reply is not None)


_OTHERS = jobs.alias()
_OWN: sa.Select[Any] = (
    sa.select(replies.c.id)
    .join(jobs, sa.and_(jobs.c.reply_id == replies.c.id, jobs.c.slot == 0))
    .where(replies.c.delivery != Delivery.WITHDRAWN)
)
