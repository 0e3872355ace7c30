"""The one thread that writes to an SQLite file: many verbs a transaction, answers after COMMIT.

It owns the thread, the transactions and which verbs share one; it never opens the database and
never holds a statement.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from bot.ledger import deliveries, prepared, verbs

# A connection with this option begins and ends its transactions itself.
BY_HAND = "by_hand"
# More verbs than this in one transaction would keep the first of them waiting.
BATCH = 64
# So long the log of changes may grow before a commit itself moves it into the file, which keeps
# everybody waiting for as many pages: 128 MiB. `Ledger.checkpoint` comes long before.
LOG_PAGES = 32_768
# Every commit outlives the process. These need not outlive the machine's power as well, which costs
# a write to the disk each: recovery asks Discord what was acknowledged, the same key asks HiAPI for
# the task's name, a page tells stages, and a reply that was leased to nobody is claimed again.
# With any other verb in its transaction, and with the next such one, they reach the disk too.
RECOVERABLE = frozenset(
    {
        verbs.confirm,
        verbs.submitted,
        verbs.note_status,
        deliveries.claim_reply,
        deliveries.renew,
    }
)


class Writer:
    """Runs what is asked for in the order of asking. One event loop asks; `close` ends it."""

    def __init__(self, engine: sa.Engine, *, failed: Callable[[BaseException], object]) -> None:
        """`failed` is told of every error, by the thread."""
        self._engine = engine
        self._failed = failed
        self._waiting: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="ledger", daemon=True)
        self._thread.start()

    def ask(
        self, verb: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> asyncio.Future[Any]:
        """The future of a verb's result: what is asked for in one breath is one transaction."""
        call = _Call(asyncio.get_running_loop(), verb, args, kwargs)
        self._waiting.put(call)
        return call.future

    async def close(self) -> None:
        """Run what was asked for, and end the thread."""
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)

    def _write(self) -> None:
        with self._engine.connect().execution_options(**{BY_HAND: True}) as conn:
            conn.begin()  # one that lasts: the real ones are begun and ended inside it, by hand
            database = conn.connection.driver_connection
            assert isinstance(database, sqlite3.Connection)  # noqa: S101 - the engine's driver
            database.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
            transactions = _Transactions(conn, database, failed=self._failed)
            while True:
                batch = [self._waiting.get()]
                with contextlib.suppress(queue.Empty):
                    while len(batch) < BATCH and batch[-1] is not None:
                        batch.append(self._waiting.get_nowait())
                calls = [call for call in batch if call is not None]
                if calls:
                    transactions.run(calls)
                    _tell(calls)
                if batch[-1] is None:
                    return


class _Call:
    """A verb that waits for the writer, and the future of whoever asked."""

    __slots__ = ("args", "error", "future", "kwargs", "lasting", "loop", "result", "verb")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        verb: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self.loop = loop
        self.verb = verb
        self.args = args
        self.kwargs = kwargs
        self.lasting = verb not in RECOVERABLE
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None


class _RolledBackError(Exception):
    """One verb's failure, `error`, ended the whole transaction."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


class _Transactions:
    """BEGIN and COMMIT without SQLAlchemy, to which one pair costs as much as three statements.

    Raises its errors all the same, for that is what callers expect of a ledger.
    """

    def __init__(
        self,
        conn: sa.Connection,
        database: sqlite3.Connection,
        *,
        failed: Callable[[BaseException], object],
    ) -> None:
        self._conn = prepared.Connection(conn, database)
        self._database = database
        self._failed = failed
        self._lasting: bool | None = None

    def run(self, calls: list[_Call]) -> None:
        """Run the calls in one transaction; a call that fails takes only itself back.

        Failures are rare: rather than guard each call by a savepoint, the others are run again.
        """
        pending = calls
        while pending:
            try:
                self._attempt(pending)
            except _RolledBackError as rolled:
                self._failed(rolled.error)
                pending = [call for call in pending if call.error is None]
            except BaseException as error:  # noqa: BLE001 - whoever asked must hear of it
                # Locked, read-only, no room for the commit: true of all of them.
                self._failed(error)
                for call in pending:
                    call.error = call.error or error
                return
            else:
                return

    def _attempt(self, calls: list[_Call]) -> None:
        database = self._database
        try:
            self._last(any(call.lasting for call in calls))
            # IMMEDIATE: two processes on one file then wait for each other instead of failing.
            database.execute("BEGIN IMMEDIATE")
            for call in calls:
                try:
                    call.result = call.verb(self._conn, *call.args, **call.kwargs)
                except BaseException as error:
                    call.error = error
                    raise _RolledBackError(error) from error
            database.execute("COMMIT")
        except BaseException as error:
            if database.in_transaction:
                database.rollback()
            if isinstance(error, sqlite3.Error):
                raise sa.exc.OperationalError("a transaction", None, error) from error
            raise

    def _last(self, lasting: bool) -> None:
        """Whether the next transactions shall outlive the machine's power."""
        if lasting is not self._lasting:
            self._database.execute(f"PRAGMA synchronous={'FULL' if lasting else 'NORMAL'}")
            self._lasting = lasting


def _tell(calls: list[_Call]) -> None:
    for loop in {call.loop for call in calls}:
        mine = [call for call in calls if call.loop is loop]
        # A loop that was closed meanwhile has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_answer, mine)


def _answer(calls: list[_Call]) -> None:
    for call in calls:
        if call.future.done():
            continue
        if call.error is not None:
            call.future.set_exception(call.error)
        else:
            call.future.set_result(call.result)
