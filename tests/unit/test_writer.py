"""SQLite's one writer: what reaches the disk with its commit, and how its log reaches the file."""

import asyncio
import contextlib
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.errors import Code
from bot.ledger import asks, deliveries, files, verbs
from bot.ledger import writer as writers
from bot.ledger.ledger import Ledger
from bot.model import Delivery, End, Outcome
from tests import build


@pytest.fixture
def path(tmp_path):
    return tmp_path / "easel.db"


@pytest.fixture
async def ledger(path):
    async with Ledger(f"sqlite:///{path}") as opened:
        yield opened


async def fact(ledger, name="a"):
    await ledger.run(verbs.keep_fact, name, value="1")


def in_file(path, tmp_path):
    """How many facts the file holds by itself, without the log beside it."""
    alone = shutil.copy(path, tmp_path / "alone.db")
    with closing(sqlite3.connect(alone)) as conn:
        return conn.execute("SELECT count(*) FROM facts").fetchone()[0]


async def test_no_commit_moves_the_log_and_a_checkpoint_does(ledger, path, tmp_path):
    await ledger.checkpoint()
    for number in range(1_200):  # some pages each: SQLite by itself moves them at a thousand
        await fact(ledger, f"fact {number}")
    assert in_file(path, tmp_path) == 0
    assert await ledger.checkpoint() == 0
    assert in_file(path, tmp_path) == 1_200


async def test_where_it_grew_too_long_a_commit_moves_it(path, tmp_path, monkeypatch):
    monkeypatch.setattr(writers, "LOG_PAGES", 20)
    async with Ledger(f"sqlite:///{path}") as ledger:
        for number in range(40):
            await fact(ledger, f"fact {number}")
        assert in_file(path, tmp_path) > 10


async def test_while_others_write_and_read_a_checkpoint_harms_nobody(ledger, path, tmp_path):
    await fact(ledger)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM facts").fetchone() == (1,)
        names = [f"fact {number}" for number in range(200)]
        await asyncio.gather(
            *(fact(ledger, name) for name in names), *(ledger.checkpoint() for _ in range(3))
        )
        assert reader.execute("SELECT count(*) FROM facts").fetchone() == (1,)
        reader.execute("COMMIT")
    await ledger.checkpoint()
    assert in_file(path, tmp_path) == 201


async def test_a_checkpoint_while_another_process_has_the_file_changes_nothing(ledger, path):
    await fact(ledger)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await ledger.checkpoint() == 0
        other.execute("ROLLBACK")
    assert await ledger.run(verbs.fact, "a") == "1"


async def test_a_closed_ledger_has_no_log_to_move(path):
    async with contextlib.AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(Ledger(f"sqlite:///{path}"))
    assert await ledger.checkpoint() == 0


@pytest.fixture
def statements():
    """What SQLite is told, by every connection that is opened from here on."""
    told = []

    def listen(connection, _record):
        connection.set_trace_callback(told.append)

    sa.event.listen(sa.Engine, "connect", listen)
    yield told
    sa.event.remove(sa.Engine, "connect", listen)


def reaches_the_disk(statements):
    """Whether the last commit waited for the disk: SQLite goes by the last word on that before."""
    *_, commit = (n for n, told in enumerate(statements) if told == "COMMIT")
    *_, last = (told for told in statements[:commit] if "synchronous=" in told)
    return last.endswith("FULL")


async def test_what_nobody_tells_again_reaches_the_disk(statements, path):
    """A reply that was shown and is open after a power cut may be shown a second time."""
    async with Ledger(f"sqlite:///{path}") as ledger:
        reply = build.reply()
        await ledger.run(asks.receive, reply, limits=build.limits(reply, 10))
        assert reaches_the_disk(statements)
        await ledger.run(verbs.confirm, reply.id, message_id=1, private=False, now=build.NOW)
        assert not reaches_the_disk(statements)  # recovery asks Discord
        [job] = reply.jobs
        outcome = Outcome(end=End.EXPIRED, code=Code.EXPIRED)
        assert await ledger.run(verbs.settle, job.id, outcome=outcome, now=build.NOW)
        assert reaches_the_disk(statements)
        lease = timedelta(seconds=30)
        assert await ledger.run(deliveries.claim_reply, worker="a", now=build.NOW, lease=lease)
        assert not reaches_the_disk(statements)
        shown = {"worker": "a", "delivery": Delivery.DELIVERED, "now": build.NOW, "trouble": None}
        assert await ledger.run(deliveries.close, reply.id, **shown)
        assert reaches_the_disk(statements)


def empty_the_log(path):
    with closing(sqlite3.connect(path, timeout=10)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def test_a_sweep_waits_for_a_checkpoint_under_way(ledger, path):
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM facts").fetchone()
        await fact(ledger)
        # It has to wait for the reader, and so has every other.
        other = asyncio.create_task(asyncio.to_thread(empty_the_log, path))
        await asyncio.sleep(0.2)
        assert not await asyncio.to_thread(files.sweep, path, wait_ms=200)
        swept = asyncio.create_task(asyncio.to_thread(files.sweep, path, wait_ms=10_000))
        await asyncio.sleep(0.3)
        assert not swept.done()
        reader.execute("COMMIT")
    assert await swept
    await other
