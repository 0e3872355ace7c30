"""Which jobs HiAPI made no task of for certain, and which are too old to be sent.

It owns these two conditions; it never changes a row.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from bot.ledger.schema import Instant, jobs
from bot.model import State

# It has no task, and nothing was sent, or all that was sent was turned away. Whoever claims a job
# counts its POST in the same statement, so while one may be under way this does not hold.
UNSENT = sa.and_(
    jobs.c.state.in_([State.RECEIVED, State.QUEUED, State.SUBMITTING]),
    jobs.c.posts == jobs.c.turned_away,
)
_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Oldest:
    """What was asked for, or first sent, before these times is too old to be sent."""

    asked: datetime = _EVER
    sent: datetime = _EVER

    @property
    def values(self) -> dict[str, datetime]:
        """The parameters of TOO_OLD."""
        return {"oldest_asked": self.asked, "oldest_sent": self.sent}


ANY_AGE = Oldest()
TOO_OLD = sa.or_(
    jobs.c.created_at < sa.bindparam("oldest_asked", type_=Instant),
    jobs.c.first_post_at < sa.bindparam("oldest_sent", type_=Instant),
)
