"""What members reported, and who does not want their messages or avatar remixed."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "reports",
        sa.Column("reply_id", sa.String(16), primary_key=True),
        sa.Column("user_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("guild_id", sa.BigInteger),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    for name in ("spare_messages", "spare_avatar"):
        op.add_column(
            "preferences",
            sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false()),
        )
