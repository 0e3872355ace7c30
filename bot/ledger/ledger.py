"""Opens the ledger's database and runs verbs on it: `await ledger.run(verbs.settle, job_id, ...)`.

It owns threads, transactions and the check of the database's version; it never holds a statement
of its own. On SQLite one thread writes (`bot.ledger.writer`), so that a burst of a hundred
commands costs a handful of fsyncs. On PostgreSQL each verb has a pooled connection in a thread of
its own.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import sqlalchemy as sa
import structlog

from bot.ledger import schema, trouble
from bot.ledger.writer import BY_HAND, Writer

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
Followers = Mapping[Callable[..., object], Callable[[], None]]

POSTGRES_CONNECTIONS = 8
LOCK_WAIT_MS = 5_000
# What was written during one is what the next has to do, and that is less each time.
CHECKPOINTS = 5
# Errors are logged, and a statement's values may be somebody's words.
QUIET = {"hide_parameters": True}
READS = "easel_reads"  # a connection's option: its transactions take no lock
# PostgreSQL ends one of two transactions that wait for each other; its verb is run again.
DEADLOCK = "40P01"
DEADLOCK_ATTEMPTS = 5


class LedgerError(Exception):
    """The database cannot be used as it is; the message is one sentence for the operator."""


class LedgerAwayError(LedgerError):
    """The database is out of reach, starting up or busy: later the same may well succeed."""


class Ledger:
    """An open ledger. Use as an async context manager; `run`, `ask` and `read` lead in."""

    def __init__(
        self, url: str, *, lock_wait_ms: int = LOCK_WAIT_MS, as_it_is: bool = False
    ) -> None:
        """`as_it_is`: neither make the database nor bring it to another version."""
        self.url = _url(url)
        self._as_it_is = as_it_is
        self._sqlite = self.url.get_backend_name() == "sqlite"
        if self._sqlite:
            self._engine = _sqlite_engine(self.url, lock_wait_ms)
        else:
            self._engine = _postgres_engine(self.url)
        self._followers: Followers = {}
        self._trouble = ""
        self._writer: Writer | None = None
        self._threads: ThreadPoolExecutor | None = None

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(self._prepare, upgrade=self._sqlite and not self._as_it_is)
        except LedgerError:
            self._engine.dispose()
            raise
        if self._sqlite:
            self._writer = Writer(self._engine, failed=self.excuses)
        else:
            self._threads = ThreadPoolExecutor(POSTGRES_CONNECTIONS, thread_name_prefix="ledger")
        return self

    async def __aexit__(self, *_: object) -> None:
        # Taken away first: a verb asked for from here on is refused, not forgotten in the queue.
        writer, self._writer = self._writer, None
        threads, self._threads = self._threads, None
        if writer is not None:
            await writer.close()
        if threads is not None:
            await asyncio.to_thread(threads.shutdown)
        await asyncio.to_thread(self._engine.dispose)

    async def run(
        self,
        verb: Callable[Concatenate[sa.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run one verb in a transaction and return its result once that is committed.

        A verb whose caller is cancelled meanwhile still runs: it was asked for. Raises what the
        verb raises, and SQLAlchemy's errors for a database that is locked, full or gone.
        """
        answer = self.ask(verb, *args, **kwargs)
        # Shielded, or a verb that waits for its thread would be dropped with its caller.
        return await (answer if self._threads is None else asyncio.shield(answer))

    def ask(
        self,
        verb: Callable[Concatenate[sa.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> asyncio.Future[T]:
        """As `run`, begun at once: on SQLite what is asked for in one breath is one transaction."""
        if self._threads is not None:
            loop = asyncio.get_running_loop()
            return loop.run_in_executor(self._threads, self._transact, verb, args, kwargs)
        if self._writer is None:
            raise LedgerError("the ledger is closed")
        answer = self._writer.ask(verb, args, kwargs)
        follower = self._followers.get(verb)
        if follower is not None:
            follower()
        return answer

    def follow(self, followers: Followers) -> None:
        """Call a verb's follower when it is asked for: what that asks for joins the transaction.

        Only on SQLite, where a transaction, its thread and its wake-ups cost more than what is
        done in it. On PostgreSQL a follower would be as likely to come before.
        """
        self._followers = followers

    async def read(
        self,
        verb: Callable[Concatenate[sa.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a verb that only reads, beside whatever is being written: nobody waits for it.

        For looking on, at what is committed. On SQLite it has a connection of its own.
        """
        if not self._sqlite:
            return await self.run(verb, *args, **kwargs)
        if self._writer is None:
            raise LedgerError("the ledger is closed")
        return await asyncio.to_thread(self._look, verb, args, kwargs)

    @property
    def trouble(self) -> str:
        """Why the database did not take something, in its words; empty while it takes all."""
        return self._trouble

    def excuses(self, error: BaseException) -> bool:
        """Whether an error is the database's trouble and no defect; if so it stands as `trouble`.

        `bot.pulse` tells of that, once for all whose work it stops.
        """
        if not trouble.is_trouble(error):
            return False
        self._trouble = trouble.words(error)
        return True

    async def probe(self) -> str:
        """Write something, and say why that is not taken, if it is not: what stands is over by
        this alone, because many a transaction writes nothing or needs no room.
        """
        try:
            await self.run(trouble.take_room)
        except sa.exc.SQLAlchemyError as error:
            if not self.excuses(error):
                raise
        else:
            self._trouble = ""
        return self._trouble

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
            self.excuses(error)
            raise

    async def checkpoint(self) -> int:
        """On SQLite, move the log of changes into the file while others write. Returns 0.

        To be called now and then: otherwise each thousandth page would do so, in the transaction of
        whoever comes with it. Who writes all the time may keep the log from its end; then the
        writer does it when it has become too long.
        """
        if self._writer is not None:
            await asyncio.to_thread(self._move_log)
        return 0

    def _move_log(self) -> None:
        with self._watched(), closing(self._engine.raw_connection()) as connection:
            for _ in range(CHECKPOINTS):
                _, pages, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if pages == moved:
                    return

    def _look(self, verb: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        with self._watched(), self._engine.connect() as opened:
            conn = opened.execution_options(**{READS: True})
            with conn.begin():
                return verb(conn, *args, **kwargs)

    def _transact(self, verb: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        for _ in range(DEADLOCK_ATTEMPTS - 1):
            try:
                with self._watched(), self._engine.begin() as conn:
                    return verb(conn, *args, **kwargs)
            except sa.exc.OperationalError as error:
                if getattr(error.orig, "sqlstate", None) != DEADLOCK:
                    raise
        with self._watched(), self._engine.begin() as conn:
            return verb(conn, *args, **kwargs)

    def migrate(self) -> str | None:
        """Bring the database to the newest version (blocking; for the command line).

        Returns the version that it was at, None for an empty one.
        """
        return self._prepare(upgrade=True)

    def _prepare(self, *, upgrade: bool) -> str | None:
        """Bring the database to the newest version, or only compare and say so."""
        if self._sqlite:
            file = Path(self.url.database or "")
            if self._as_it_is and not file.is_file():
                raise LedgerError(
                    f"DATABASE_URL: there is no database at {file.absolute()}. Run this in the "
                    "bot's folder; if it never ran, start it once."
                )
            _private_file(self.url.database)
        try:
            with self._engine.connect() as conn:
                version = _version(conn)
                if self._sqlite and version == schema.HEAD:
                    # A file that may only be read opens like any other. This writes, if it may,
                    # and is rolled back.
                    conn.exec_driver_sql("PRAGMA user_version = 0")
            if version != schema.HEAD:
                self._migrate(version, upgrade=upgrade)
        except sa.exc.DBAPIError as error:
            cause = " ".join(str(error.orig).split())
            if (
                getattr(error.orig, "sqlite_errorcode", 0) & trouble.PRIMARY
                == sqlite3.SQLITE_CORRUPT
            ):
                cause += "; restore a copy, and keep the damaged file (docs/operate.md, 14)"
            kind = LedgerAwayError if trouble.passes(error) else LedgerError
            raise kind(f"DATABASE_URL cannot be opened: {cause}") from error
        return version

    def _migrate(self, version: str | None, *, upgrade: bool) -> None:
        # Imported late: Alembic is needed once per upgrade, not in every process.
        from bot.ledger import migrate  # noqa: PLC0415

        migrate.check(version)
        if not upgrade:
            raise LedgerError(
                "The database is not at this version of Easel: run 'python -m bot migrate' first."
            )
        if self._sqlite and version is not None:
            copy = migrate.copy_file(self.url.database, version)
            log.info("ledger.copied", copy=str(copy.absolute()), version=version)
        migrate.upgrade(self._engine)


def _private_file(database: str | None) -> None:
    """Create the file for its owner only: it holds interaction tokens and prompts."""
    if not database or database == ":memory:":
        raise LedgerError("DATABASE_URL must name a file: sqlite:///data/easel.db")
    path = Path(database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise LedgerError(f"DATABASE_URL: {path} cannot be written: {error.strerror}") from error


def _url(text: str) -> sa.URL:
    """The address of a database that Easel knows, with the driver that it uses."""
    drivers = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
    try:
        url = sa.make_url(text)
        return url.set(drivername=drivers[url.get_backend_name()])
    except (sa.exc.ArgumentError, KeyError) as error:
        raise LedgerError("DATABASE_URL must begin with sqlite:/// or postgresql://") from error


def _sqlite_engine(url: sa.URL, lock_wait_ms: int) -> sa.Engine:
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool, **QUIET)

    @sa.event.listens_for(engine, "connect")
    def connected(connection: Any, _record: object) -> None:
        # The driver's own BEGIN comes too late and is deferred; ours is below.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={lock_wait_ms}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",  # what was erased is overwritten, not only forgotten
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begun(conn: sa.Connection) -> None:
        options = conn.get_execution_options()
        if BY_HAND not in options:
            conn.exec_driver_sql("BEGIN" if READS in options else "BEGIN IMMEDIATE")

    return engine


def _postgres_engine(url: sa.URL) -> sa.Engine:
    pool = {"pool_size": POSTGRES_CONNECTIONS, "max_overflow": 0, "pool_pre_ping": True}
    return sa.create_engine(url, **pool, **QUIET)


def _version(conn: sa.Connection) -> str | None:
    """The migration the database stands at, or None for an empty one."""
    if not sa.inspect(conn).has_table("alembic_version"):
        return None
    version = conn.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return None if version is None else str(version)
