"""What the finished card needs: which button asked, spoilers, shown references; preferences."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("replies", sa.Column("made_by", sa.String(16)))
    for name in ("spoiler", "show_references"):
        op.add_column(
            "replies", sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())
        )
    op.create_index("ix_replies_history", "replies", ["user_id", "created_at"])
    op.create_table(
        "preferences",
        sa.Column("user_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("imagine_ratio", sa.String(16)),
        sa.Column("remix_ratio", sa.String(16)),
        sa.Column("resolution", sa.String(16)),
        sa.Column("imagine_model", sa.String(128)),
        sa.Column("remix_model", sa.String(128)),
        sa.Column("private", sa.Boolean, nullable=False),
        sa.Column("spoiler", sa.Boolean, nullable=False),
        sa.Column("show_references", sa.Boolean, nullable=False),
    )
