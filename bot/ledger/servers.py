"""What moderators set: a server's rules with the record of every change, and who may not ask.

It owns those rows; it never knows what a rule means.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.house import House
from bot.ledger import schema
from bot.ledger.dialects import INSERTS
from bot.ledger.prepared import prepared
from bot.ledger.schema import blocks, changes, servers

EVERYWHERE = 0  # the guild of a block that the operator set
ALL = 0  # the user of a block of a whole server
CHANGES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Change:
    """Who set which rule to what, and when; the values are as JSON holds them."""

    user_id: int
    at: datetime
    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Block:
    """Why somebody may not ask; `until` is None until somebody lifts it."""

    guild_id: int
    user_id: int
    reason: str
    until: datetime | None
    by_user: int | None = None  # nobody: the bot itself, its operator, or somebody forgotten


def house(conn: sa.Connection, guild_id: int) -> House:
    """The rules of a server; a server that set nothing has the standard ones."""
    raw = conn.scalar(_RULES, {"this": guild_id})
    return House.load(raw or {})


def change(
    conn: sa.Connection,
    guild_id: int,
    *,
    user_id: int,
    rules: dict[str, Any],
    now: datetime,
    mark: str | None = None,
) -> House | None:
    """Set some rules of a server, each with a record; two that change at once change both.

    None, and nothing is changed, if these rules are no longer as they were at `mark`.
    """
    insert = INSERTS[conn.dialect.name](servers)
    conn.execute(
        insert.values(guild_id=guild_id, rules={}, changed_at=now).on_conflict_do_nothing(
            index_elements=["guild_id"]
        )
    )
    # Locked, so that whoever comes second changes what the first one left.
    raw = dict(conn.scalar(_RULES.with_for_update(), {"this": guild_id}) or {})
    found = House.load(raw)
    if mark is not None and found.mark(rules) != mark:
        return None
    old = found.dump()
    new = House.load({**raw, **rules}).dump()
    changed = [name for name in rules if old.get(name) != new.get(name)]
    for name in changed:
        values = {"before": old.get(name), "after": new.get(name), "name": name}
        conn.execute(
            sa.insert(changes).values(guild_id=guild_id, user_id=user_id, at=now, **values)
        )
    if changed:
        conn.execute(
            sa.update(servers)
            .where(servers.c.guild_id == guild_id)
            .values(rules=new, changed_at=now)
        )
    return House.load(new)


def recent_changes(
    conn: sa.Connection, guild_id: int, *, limit: int = CHANGES_SHOWN
) -> list[Change]:
    """The last changes of a server's rules, newest first."""
    found = conn.execute(
        sa.select(
            changes.c.user_id, changes.c.at, changes.c.name, changes.c.before, changes.c.after
        )
        .where(changes.c.guild_id == guild_id)
        .order_by(changes.c.id.desc())
        .limit(limit)
    )
    return [Change(*row) for row in found]


def block(
    conn: sa.Connection,
    *,
    guild_id: int,
    user_id: int,
    reason: str,
    now: datetime,
    until: datetime | None = None,
    by_user: int | None = None,
) -> None:
    """Let somebody ask no more, in a server or everywhere; in place of an earlier word on it."""
    values = {"at": now, "until": until, "by_user": by_user, "reason": reason}
    insert = INSERTS[conn.dialect.name](blocks).values(guild_id=guild_id, user_id=user_id, **values)
    conn.execute(insert.on_conflict_do_update(index_elements=["guild_id", "user_id"], set_=values))


def pause(
    conn: sa.Connection, *, user_id: int, reason: str, now: datetime, until: datetime
) -> bool:
    """Pause a person everywhere, in the bot's own name; False where the operator said more."""
    values = {"at": now, "until": until, "by_user": None, "reason": reason}
    insert = INSERTS[conn.dialect.name](blocks)
    added = insert.values(guild_id=EVERYWHERE, user_id=user_id, **values).on_conflict_do_update(
        index_elements=["guild_id", "user_id"], set_=values, where=blocks.c.until < until
    )
    return conn.scalar(added.returning(blocks.c.user_id)) is not None


def lift(conn: sa.Connection, *, guild_id: int, user_id: int, now: datetime) -> bool:
    """End a block in the operator's name, so that refusals count anew; False if there was none."""
    ended = sa.update(blocks).where(
        blocks.c.guild_id == guild_id, blocks.c.user_id == user_id, _holds
    )
    # `now` is what the block is compared with; the columns get the same under names of their own.
    values = {"now": now, "at": now, "until": now}
    return bool(conn.execute(ended, values).rowcount)


def unblock(conn: sa.Connection, *, guild_id: int, user_id: int) -> bool:
    """Lift what moderators set, never what the operator did; False if there was nothing."""
    gone = sa.delete(blocks).where(
        blocks.c.guild_id == guild_id,
        blocks.c.user_id == user_id,
        sa.and_(blocks.c.guild_id != EVERYWHERE, blocks.c.user_id != ALL),
    )
    return bool(conn.execute(gone).rowcount)


def blocked(
    conn: sa.Connection, *, guild_id: int | None, user_id: int, now: datetime
) -> Block | None:
    """What stands against an ask from here by this person, the operator's word first."""
    values = {"guild": guild_id or EVERYWHERE, "user": user_id, "now": now}
    row = conn.execute(_BLOCKED, values).first()
    return None if row is None else Block(*row)


def operators_blocks(conn: sa.Connection, *, now: datetime) -> list[Block]:
    """Every block that moderators have no part in, people before servers, newest first."""
    found = conn.execute(
        sa.select(*_BLOCK)
        .where(sa.or_(blocks.c.guild_id == EVERYWHERE, blocks.c.user_id == ALL), _holds)
        .order_by(blocks.c.guild_id != EVERYWHERE, blocks.c.at.desc()),
        {"now": now},
    )
    return [Block(*row) for row in found]


def all_blocks(conn: sa.Connection, *, guild_id: int, now: datetime) -> list[Block]:
    """Every block that a server's moderators set and that still holds."""
    found = conn.execute(
        sa.select(*_BLOCK)
        .where(blocks.c.guild_id == guild_id, blocks.c.user_id != ALL, _holds)
        .order_by(blocks.c.at.desc()),
        {"now": now},
    )
    return [Block(*row) for row in found]


_RULES = prepared(sa.select(servers.c.rules).where(servers.c.guild_id == sa.bindparam("this")))
_BLOCK = (
    blocks.c.guild_id,
    blocks.c.user_id,
    blocks.c.reason,
    blocks.c.until,
    blocks.c.by_user,
)
_holds = sa.or_(
    blocks.c.until.is_(None), blocks.c.until > sa.bindparam("now", type_=schema.Instant)
)
_GUILD = sa.bindparam("guild", type_=sa.BigInteger)
_BLOCKED = prepared(
    sa.select(*_BLOCK)
    .where(
        sa.or_(
            sa.and_(
                blocks.c.guild_id.in_([EVERYWHERE, _GUILD]),
                blocks.c.user_id == sa.bindparam("user", type_=sa.BigInteger),
            ),
            sa.and_(blocks.c.guild_id == _GUILD, _GUILD != EVERYWHERE, blocks.c.user_id == ALL),
        ),
        _holds,
    )
    .order_by(blocks.c.guild_id, blocks.c.user_id)
    .limit(1)
)
