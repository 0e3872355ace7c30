"""What the ledger knows of a person: their defaults, and what they asked for last.

It owns the table of preferences and the reading of prompts; it never says who else may see them.
"""

from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa

from bot.ledger.dialects import INSERTS
from bot.ledger.prepared import prepared
from bot.ledger.schema import jobs, preferences, replies
from bot.model import Delivery, Taste

# A prompt may have 20,000 characters; whoever looks for one of theirs types its beginning.
BEGINNING = 400
# Somebody may have pressed Again for weeks: no more rows than this are read for their last words.
ROWS = 500

_COLUMNS = tuple(preferences.c[field.name] for field in fields(Taste))


@dataclass(frozen=True, slots=True)
class Said:
    """What one reply was asked for: the prompt's beginning, and whether that is all of it."""

    reply_id: str
    job_id: str
    prompt: str
    whole: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Sayings:
    """A person's last replies, and their last prompts without repetition, both newest first."""

    replies: tuple[Said, ...] = ()
    prompts: tuple[Said, ...] = ()


def taste(conn: sa.Connection, user_id: int) -> Taste:
    """A person's defaults; those of the models if they never chose any."""
    row = conn.execute(_TASTE, {"this": user_id}).mappings().one_or_none()
    return Taste() if row is None else Taste(**row)


def choosers(conn: sa.Connection, *, most: int) -> frozenset[int] | None:
    """Everybody who ever chose defaults and did not take that back; None if they are more."""
    found = conn.scalars(sa.select(preferences.c.user_id).limit(most + 1)).all()
    return None if len(found) > most else frozenset(found)


def change(conn: sa.Connection, user_id: int, /, **changes: str | bool | None) -> Taste:
    """Write only these fields of a person's defaults, so that two changes at once both hold."""
    blank = {field.name: field.default for field in fields(Taste)}
    insert = INSERTS[conn.dialect.name](preferences).values({"user_id": user_id} | blank | changes)
    conn.execute(insert.on_conflict_do_update(index_elements=["user_id"], set_=changes))
    return taste(conn, user_id)


def forget(conn: sa.Connection, user_id: int) -> None:
    """Give a person the models' defaults again."""
    conn.execute(sa.delete(preferences).where(preferences.c.user_id == user_id))


def sayings(conn: sa.Connection, user_id: int, *, most: int) -> Sayings:
    """The last `most` replies and the last `most` different prompts of a person."""
    last: list[Said] = []
    prompts: dict[tuple[str, int], Said] = {}
    for row in conn.execute(_SAID, {"this": user_id}):
        said = Said(
            reply_id=row.id,
            job_id=row.job_id,
            prompt=row.beginning,
            whole=row.length <= BEGINNING,
            at=row.created_at,
        )
        if len(last) < most:
            last.append(said)
        # Two long prompts that only differ far behind may be told apart by their length.
        prompts.setdefault((said.prompt, row.length), said)
        if len(prompts) == most and len(last) == most:
            break
    return Sayings(replies=tuple(last), prompts=tuple(prompts.values()))


def prompt_of(conn: sa.Connection, reply_id: str, *, user_id: int) -> str | None:
    """The whole prompt of a person's own reply, None if it is unknown or someone else's."""
    prompt: str | None = conn.scalar(_PROMPT, {"this": reply_id, "user": user_id})
    return prompt


_THIS: sa.BindParameter[object] = sa.bindparam("this")
_TASTE = prepared(sa.select(*_COLUMNS).where(preferences.c.user_id == _THIS))
_SAID = (
    sa.select(
        replies.c.id,
        replies.c.created_at,
        jobs.c.id.label("job_id"),
        sa.func.substr(jobs.c.prompt, 1, BEGINNING).label("beginning"),
        sa.func.length(jobs.c.prompt).label("length"),
    )
    .join(jobs, sa.and_(jobs.c.reply_id == replies.c.id, jobs.c.slot == 0))
    .where(replies.c.user_id == _THIS, replies.c.delivery != Delivery.WITHDRAWN)
    .order_by(replies.c.created_at.desc(), replies.c.id.desc())
    .limit(ROWS)
)
_PROMPT = (
    sa.select(jobs.c.prompt)
    .join(replies, replies.c.id == jobs.c.reply_id)
    .where(
        replies.c.id == _THIS,
        replies.c.user_id == sa.bindparam("user"),
        replies.c.delivery != Delivery.WITHDRAWN,
    )
    .order_by(jobs.c.slot)
    .limit(1)
)
