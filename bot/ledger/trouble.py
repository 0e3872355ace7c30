"""What a database cannot help: it is away, full, locked or may not be written.

It owns how such an error is told from a defect, and the write that shows whether it is over; it
never keeps whether anything is amiss, which the ledger does.
"""

import os
import re
import sqlite3

import sqlalchemy as sa

from bot.ledger.schema import facts

# A fact that is never there when anybody looks: so much must find room, 64 KiB.
ROOM, ROOM_BYTES = "room", 32 * 1024

# Primary result codes (sqlite.org/rescode.html).
SQLITE = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
# Those of them that pass at a start: nobody need change anything.
SQLITE_PASSES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL})
PRIMARY = 0xFF
# PostgreSQL's (Appendix A): a broken connection, no resources, a shutdown or start, the system
# below, and a server that only reads.
POSTGRES = ("08", "53", "57P", "58", "25006")
# While it connects, PostgreSQL's client knows no code, only words.
REFUSED = re.compile(r"password|authentication|pg_hba\.conf|does not exist|denied")


def is_trouble(error: BaseException) -> bool:
    """Whether the database is the cause, whatever was asked of it."""
    if isinstance(error, sa.exc.TimeoutError):
        return True  # no connection became free
    raw = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if isinstance(raw, sqlite3.Error):
        return getattr(raw, "sqlite_errorcode", 0) & PRIMARY in SQLITE
    if not isinstance(error, sa.exc.DBAPIError):
        return False
    state = getattr(raw, "sqlstate", None)
    if state is None:  # nobody is there to give one
        return error.connection_invalidated or isinstance(error, sa.exc.OperationalError)
    return str(state).startswith(POSTGRES)


def passes(error: BaseException) -> bool:
    """Whether a start that failed by this may succeed later, without anybody changing anything."""
    if not isinstance(error, sa.exc.OperationalError):
        return isinstance(error, sa.exc.TimeoutError)  # no connection of the pool became free
    if isinstance(error.orig, sqlite3.Error):
        return error.orig.sqlite_errorcode & PRIMARY in SQLITE_PASSES
    return REFUSED.search(str(error.orig)) is None


def words(error: BaseException) -> str:
    """What the database itself says: its first line, for what follows is advice."""
    said = str(getattr(error, "orig", None) or error).strip()
    return said.partition("\n")[0].strip() or type(error).__name__


def take_room(conn: sa.Connection) -> None:
    """Write as much as many requests need, and take it away again."""
    conn.execute(sa.insert(facts).values(name=ROOM, value=os.urandom(ROOM_BYTES).hex()))
    conn.execute(sa.delete(facts).where(facts.c.name == ROOM))
