"""The first tables: replies, jobs, days, facts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "replies",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("interaction_id", sa.BigInteger, nullable=False, unique=True),
        sa.Column("application_id", sa.BigInteger, nullable=False),
        sa.Column("channel_id", sa.BigInteger, nullable=False),
        sa.Column("guild_id", sa.BigInteger),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("message_id", sa.BigInteger),
        sa.Column("token", sa.Text),
        sa.Column("token_expires_at", sa.BigInteger, nullable=False),
        sa.Column("private", sa.Boolean, nullable=False),
        sa.Column("present", sa.Boolean, nullable=False),
        sa.Column("upload_limit", sa.BigInteger, nullable=False),
        sa.Column("locale", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("delivery", sa.String(16), nullable=False),
        sa.Column("unsettled", sa.Integer, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("lease_owner", sa.String(64)),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("delivered_at", sa.BigInteger),
        sa.Column("rung", sa.String(16)),
        sa.Column("rung_at", sa.BigInteger),
        sa.Column("made_from", sa.String(16)),
        sa.Column("noted", sa.Boolean, nullable=False),
        sa.Column("trouble", sa.Text),
    )
    op.create_index("ix_replies_made_from", "replies", ["made_from"])
    op.create_index("ix_replies_work", "replies", ["delivery", "unsettled", "due_at"])
    op.create_index(
        "ix_replies_token",
        "replies",
        ["token_expires_at"],
        sqlite_where=sa.text("token IS NOT NULL"),
        postgresql_where=sa.text("token IS NOT NULL"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("reply_id", sa.String(16), sa.ForeignKey("replies.id"), nullable=False),
        sa.Column("slot", sa.Integer, nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("unfinished", sa.Boolean, nullable=False),
        sa.Column("aspect_ratio", sa.String(16), nullable=False),
        sa.Column("resolution", sa.String(16), nullable=False),
        sa.Column("refs", sa.JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("turn", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary),
        sa.Column("first_post_at", sa.BigInteger),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("lease_owner", sa.String(64)),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("task_id", sa.String(100), unique=True),
        sa.Column("task_status", sa.String(32)),
        sa.Column("submitted_at", sa.BigInteger),
        sa.Column("settled_at", sa.BigInteger),
        sa.Column("outcome", sa.JSON),
        sa.UniqueConstraint("reply_id", "slot"),
    )
    op.create_index("ix_jobs_reply_id", "jobs", ["reply_id"])
    op.create_index("ix_jobs_queue", "jobs", ["state", "turn", "created_at", "id"])
    op.create_index("ix_jobs_person", "jobs", ["user_id", "state"])
    op.create_index("ix_jobs_settled", "jobs", ["model", "settled_at"])
    op.create_table(
        "days",
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("jobs", sa.Integer, nullable=False),
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
