"""Values for tests: a request, a target, a reply, an outcome, each whole and easy to vary.

It owns no state but a counter, so that two replies never answer the same interaction by accident.
"""

import itertools
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from bot import model
from bot.allowance import UNLIMITED, Allowances, Caps, Limit
from bot.errors import Code
from bot.ledger import schema

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)

_snowflakes = itertools.count(1_400_000_000_000_000_000)


def request(**changes: Any) -> model.Request:
    values: dict[str, Any] = {
        "kind": model.Kind.IMAGINE,
        "model": "nano-banana-pro",
        "prompt": "a heron at dawn",
        "aspect_ratio": "16:9",
        "resolution": "2K",
    }
    return model.Request(**values | changes)


def target(*, now: datetime = NOW, **changes: Any) -> model.Target:
    values: dict[str, Any] = {
        "application_id": 11,
        "interaction_id": next(_snowflakes),
        "channel_id": 22,
        "guild_id": 33,
        "user_id": 44,
        "token": "interaction-token",
        "token_expires_at": now + model.TOKEN_LIFE,
        "private": False,
        "present": True,
        "upload_limit": 10 * 1024 * 1024,
        "locale": "en-GB",
    }
    return model.Target(**values | changes)


def reply(
    *,
    count: int = 1,
    now: datetime = NOW,
    asks: model.Request | None = None,
    unfinished: bool = False,
    **changes: Any,
) -> model.Reply:
    """A new reply with `count` received jobs; further keywords go to its target."""
    return model.open_reply(
        asks or request(),
        target(now=now, **changes),
        count=count,
        now=now,
        unfinished=unfinished,
    )


def pictures(*urls: str) -> model.Outcome:
    """A good outcome: one picture, or as many as there are addresses."""
    found = urls or ("https://pictures.example/heron.png",)
    return model.Outcome(
        end=model.End.PICTURES, pictures=tuple(model.Picture(url=url) for url in found)
    )


def failure(code: Code = Code.FAILED, *, end: model.End = model.End.FAILED) -> model.Outcome:
    return model.Outcome(end=end, code=code, detail="as the test wants it")


def limits(reply: model.Reply, most: int = UNLIMITED) -> tuple[Limit, ...]:
    """What a reply touches, with so many pictures a day for the whole bot."""
    return Allowances(bot=Caps(day_pictures=most)).limits(reply.target, at=reply.created_at)


def counted(conn: sa.Connection, day: str | None = None) -> int:
    """How many pictures the bot's account has of a day, or of all days."""
    spending = schema.spending
    query = sa.select(sa.func.sum(spending.c.pictures)).where(spending.c.scope == "bot")
    each = sa.func.length(spending.c.period) == len("2026-03-14")
    return conn.scalar(query.where(each if day is None else spending.c.period == day)) or 0
