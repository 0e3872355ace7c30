"""The tables of the ledger, the same on SQLite and PostgreSQL.

It owns column names and indexes; it never holds a statement. A change here needs a migration.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

# The newest migration. A test compares it with the scripts, so that a start need not load Alembic.
HEAD = "0005"
# Characters of a task's status: HiAPI may send any word, and PostgreSQL takes no longer one.
STATUS_LENGTH = 32

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware UTC time as whole microseconds since 1970, so both databases compare it alike."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: object) -> int | None:
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, _dialect: sa.Dialect) -> datetime | None:
        return None if value is None else _EPOCH + value * _MICROSECOND


replies = sa.Table(
    "replies",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("interaction_id", sa.BigInteger, nullable=False, unique=True),
    sa.Column("application_id", sa.BigInteger, nullable=False),
    sa.Column("channel_id", sa.BigInteger, nullable=False),
    sa.Column("guild_id", sa.BigInteger),
    sa.Column("user_id", sa.BigInteger, nullable=False),
    sa.Column("message_id", sa.BigInteger),
    sa.Column("token", sa.Text),
    sa.Column("token_expires_at", Instant, nullable=False),
    sa.Column("private", sa.Boolean, nullable=False),
    sa.Column("present", sa.Boolean, nullable=False),
    sa.Column("upload_limit", sa.BigInteger, nullable=False),
    sa.Column("locale", sa.String(16), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("delivery", sa.String(16), nullable=False),
    # How many jobs have no outcome yet; at 0 the reply is ready for delivery.
    sa.Column("unsettled", sa.Integer, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("lease_owner", sa.String(64)),
    sa.Column("lease_until", Instant),
    sa.Column("delivered_at", Instant),
    # The route by which the card may have been shown already, written before it was taken.
    sa.Column("rung", sa.String(16)),
    sa.Column("rung_at", Instant),
    # The reply whose button asked for this one.
    sa.Column("made_from", sa.String(16), index=True),
    sa.Column("made_by", sa.String(16)),  # which of its buttons that was
    sa.Column("spoiler", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("show_references", sa.Boolean, nullable=False, server_default=sa.false()),
    # The card was to become a note with a Show button before its token died; Discord took it.
    sa.Column("noted", sa.Boolean, nullable=False),
    sa.Column("note_stands", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("trouble", sa.Text),  # the operator's words for the last failed attempt
    sa.Index("ix_replies_work", "delivery", "unsettled", "due_at"),
    sa.Index("ix_replies_history", "user_id", "created_at"),
    sa.Index(
        "ix_replies_token",
        "token_expires_at",
        sqlite_where=sa.text("token IS NOT NULL"),
        postgresql_where=sa.text("token IS NOT NULL"),
    ),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("reply_id", sa.ForeignKey("replies.id"), nullable=False, index=True),
    sa.Column("slot", sa.Integer, nullable=False),
    sa.Column("user_id", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("model", sa.String(128), nullable=False),
    sa.Column("prompt", sa.Text, nullable=False),
    # The rest of the prompt stood in a file that was not read yet.
    sa.Column("unfinished", sa.Boolean, nullable=False),
    sa.Column("aspect_ratio", sa.String(16), nullable=False),
    sa.Column("resolution", sa.String(16), nullable=False),
    sa.Column("refs", sa.JSON, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("price", sa.BigInteger),  # millionths of a dollar; NULL: nobody said
    # The place in the queue: each person's jobs take ascending turns, so that people alternate.
    sa.Column("turn", sa.BigInteger, nullable=False, default=0),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("body", sa.LargeBinary),
    # NULL again for what has ended and was turned away at every POST.
    sa.Column("first_post_at", Instant),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    # POSTs that were begun, and those of them of which HiAPI said that they made no task.
    sa.Column("posts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("turned_away", sa.Integer, nullable=False, server_default="0"),
    sa.Column("lease_owner", sa.String(64)),
    sa.Column("lease_until", Instant),
    sa.Column("task_id", sa.String(100), unique=True),
    sa.Column("task_status", sa.String(STATUS_LENGTH)),
    sa.Column("submitted_at", Instant),
    sa.Column("settled_at", Instant),
    sa.Column("outcome", sa.JSON),
    sa.Index("ix_jobs_queue", "state", "turn", "created_at", "id"),
    sa.Index("ix_jobs_person", "user_id", "state"),
    sa.Index("ix_jobs_settled", "model", "settled_at"),
    sa.UniqueConstraint("reply_id", "slot"),
)

# What was reserved and spent, by whose account (`bot`, `server:1`, ...) and UTC day or month.
spending = sa.Table(
    "spending",
    metadata,
    sa.Column("scope", sa.String(64), primary_key=True),
    sa.Column("period", sa.String(10), primary_key=True),
    sa.Column("pictures", sa.BigInteger, nullable=False),
    sa.Column("micros", sa.BigInteger, nullable=False),  # millionths of a dollar
    sa.Column("attempts", sa.BigInteger, nullable=False),  # pictures that have not come
)

# What a server's moderators set, as `bot.house` reads it.
servers = sa.Table(
    "servers",
    metadata,
    sa.Column("guild_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("rules", sa.JSON, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
)

# Who changed which rule of a server, and when.
changes = sa.Table(
    "changes",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("guild_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("user_id", sa.BigInteger, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("name", sa.String(32), nullable=False),
    sa.Column("before", sa.JSON),
    sa.Column("after", sa.JSON),
)

# Who may not ask: guild 0 is everywhere, user 0 is the whole server.
blocks = sa.Table(
    "blocks",
    metadata,
    sa.Column("guild_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("user_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("until", Instant),  # NULL: until somebody lifts it
    sa.Column("by_user", sa.BigInteger),  # NULL: the bot itself or its operator
    sa.Column("reason", sa.Text, nullable=False),
)

# What a person wants when they do not say otherwise; NULL is the model's own default.
preferences = sa.Table(
    "preferences",
    metadata,
    sa.Column("user_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("imagine_ratio", sa.String(16)),
    sa.Column("remix_ratio", sa.String(16)),
    sa.Column("resolution", sa.String(16)),
    sa.Column("imagine_model", sa.String(128)),
    sa.Column("remix_model", sa.String(128)),
    sa.Column("private", sa.Boolean, nullable=False),
    sa.Column("spoiler", sa.Boolean, nullable=False),
    sa.Column("show_references", sa.Boolean, nullable=False),
    # Whether others shall leave their messages and their avatar alone.
    sa.Column("spare_messages", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("spare_avatar", sa.Boolean, nullable=False, server_default=sa.false()),
)

# Who reported which reply, once, and why.
reports = sa.Table(
    "reports",
    metadata,
    sa.Column("reply_id", sa.String(16), primary_key=True),
    sa.Column("user_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("guild_id", sa.BigInteger),
    sa.Column("at", Instant, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

# Small facts that outlive a process, such as the hash of the commands last sent to Discord.
facts = sa.Table(
    "facts",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
