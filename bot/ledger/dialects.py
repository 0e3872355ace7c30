"""What the two databases say differently.

It owns nothing else; it never holds a table.
"""

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

# An INSERT that can say ON CONFLICT, by the dialect of the connection.
INSERTS: dict[str, Callable[[sa.Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}
