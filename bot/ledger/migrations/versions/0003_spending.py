"""What was reserved and spent; what moderators set, who changed it, who may not ask."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "spending",
        sa.Column("scope", sa.String(64), primary_key=True),
        sa.Column("period", sa.String(10), primary_key=True),
        sa.Column("pictures", sa.BigInteger, nullable=False),
        sa.Column("micros", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
    )
    # What was counted today stays counted: for the whole bot, which had the only limit.
    op.execute(
        "INSERT INTO spending (scope, period, pictures, micros, attempts)"
        " SELECT 'bot', day, jobs, 0, 0 FROM days"
    )
    op.execute(
        "INSERT INTO spending (scope, period, pictures, micros, attempts)"
        " SELECT 'bot', substr(day, 1, 7), sum(jobs), 0, 0 FROM days GROUP BY substr(day, 1, 7)"
    )
    op.drop_table("days")
    op.add_column("jobs", sa.Column("price", sa.BigInteger))
    op.create_table(
        "servers",
        sa.Column("guild_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("rules", sa.JSON, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("guild_id", sa.BigInteger, nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("before", sa.JSON),
        sa.Column("after", sa.JSON),
    )
    op.create_index("ix_changes_guild_id", "changes", ["guild_id"])
    op.create_table(
        "blocks",
        sa.Column("guild_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("user_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger),
        sa.Column("by_user", sa.BigInteger),
        sa.Column("reason", sa.Text, nullable=False),
    )
