"""How often a person's requests were refused of late, and the pause that follows.

It owns the count and the warning in the outcome; it never settles a job, and never says what a
refusal is.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot import pauses
from bot.errors import Code
from bot.ledger import schema, servers
from bot.ledger.schema import blocks, jobs
from bot.model import Outcome, State
from bot.pauses import Pause


def strike(
    conn: sa.Connection, job_id: str, *, user_id: int, outcome: Outcome, pause: Pause, now: datetime
) -> None:
    """Count a refusal of the content that was just settled: a warning, a pause, or nothing.

    Requests are counted, not their pictures; a pause, also one that was lifted, begins the count
    anew. It comes after the accounts were given back: whoever has done that holds the row of the
    whole bot's account, so that refusals which settle at once are counted one after the other.
    """
    values = {"user": user_id, "since": now - pauses.WITHIN}
    last = conn.scalar(_LAST, values)
    if last is not None:
        values["since"] = max(last, now - pauses.WITHIN)
    count = int(conn.scalar(_REFUSED, values) or 0)
    told = outcome
    if count >= pause.after:
        until = now + pause.length
        if servers.pause(conn, user_id=user_id, reason=pauses.REASON, now=now, until=until):
            told = replace(outcome, paused_until=until)
    elif count == pause.after - 1:
        told = replace(outcome, warned=True)
    if told is not outcome:
        conn.execute(_TOLD, {"this": job_id, "outcome": told.dump()})


_USER: sa.BindParameter[Any] = sa.bindparam("user", type_=sa.BigInteger)
_LAST = sa.select(blocks.c.at).where(
    blocks.c.guild_id == servers.EVERYWHERE, blocks.c.user_id == _USER
)
_REFUSED = sa.select(sa.func.count(sa.distinct(jobs.c.reply_id))).where(
    jobs.c.user_id == _USER,
    jobs.c.state == State.SETTLED,
    jobs.c.settled_at > sa.bindparam("since", type_=schema.Instant),
    jobs.c.outcome["code"].as_string() == Code.REFUSED_PROMPT,
)
_TOLD = sa.update(jobs).where(jobs.c.id == sa.bindparam("this"))
