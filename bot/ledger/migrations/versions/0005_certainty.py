"""What is certain: which POSTs made no task, and which notes Discord took."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    for name in ("posts", "turned_away"):
        op.add_column("jobs", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
    op.add_column(
        "replies", sa.Column("note_stands", sa.Boolean, nullable=False, server_default=sa.false())
    )
    # Of what is under way nobody wrote down how it went: a task may be there, and a note stands.
    op.execute("UPDATE jobs SET posts = 1 WHERE state = 'submitting'")
    op.execute("UPDATE replies SET note_stands = noted")
