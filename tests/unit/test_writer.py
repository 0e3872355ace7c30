"""SQLite's one writer: who waits for whose transaction, and how its log reaches the file."""

import asyncio
import contextlib
import shutil
import sqlite3
import time
from contextlib import closing

import pytest
import sqlalchemy as sa

from bot.ledger import verbs
from bot.ledger import writer as writers
from bot.ledger.ledger import Ledger

LONG = 60.0  # seconds that no test waits


@pytest.fixture
def path(tmp_path):
    return tmp_path / "easel.db"


@pytest.fixture
async def ledger(path):
    async with Ledger(f"sqlite:///{path}") as opened:
        yield opened


@pytest.fixture
def patient(monkeypatch):
    """A verb that is patient, and what was committed before each time it ran."""
    seen = []

    def look(conn):
        seen.append(conn.scalar(sa.text("SELECT count(*) FROM facts")))
        return len(seen)

    monkeypatch.setattr(writers, "PATIENT", {look})
    return look, seen


async def fact(ledger, name="a"):
    await ledger.run(verbs.keep_fact, name, value="1")


async def test_a_patient_verb_goes_along_with_the_next_that_is_not(ledger, patient, monkeypatch):
    monkeypatch.setattr(writers, "LINGER", LONG)
    look, seen = patient
    waiting = [ledger.ask(look), ledger.ask(look)]
    await asyncio.sleep(0.05)
    assert seen == []
    await fact(ledger)
    assert [each.result() for each in waiting] == [1, 2]
    # In the order of asking, hence before the other.
    assert seen == [0, 0]


async def test_with_nobody_else_it_begins_after_a_moment(ledger, patient, monkeypatch):
    monkeypatch.setattr(writers, "LINGER", 0.05)
    look, _ = patient
    began = time.monotonic()
    assert await ledger.run(look) == 1
    assert time.monotonic() - began >= 0.05
    assert await ledger.run(look) == 2  # and so does the next


async def test_it_is_done_before_the_ledger_is_closed(path, patient, monkeypatch):
    monkeypatch.setattr(writers, "LINGER", LONG)
    look, _ = patient
    async with Ledger(f"sqlite:///{path}") as ledger:
        waiting = ledger.ask(look)
    assert waiting.result() == 1


async def test_its_failure_is_its_own(ledger, monkeypatch):
    def fail(_conn):
        raise ValueError("a defect")

    monkeypatch.setattr(writers, "PATIENT", {fail})
    monkeypatch.setattr(writers, "LINGER", LONG)
    waiting = ledger.ask(fail)
    await fact(ledger)
    with pytest.raises(ValueError, match="a defect"):
        await waiting
    assert await ledger.run(verbs.fact, "a") == "1"


async def test_a_caller_who_leaves_is_served_all_the_same(ledger, patient, monkeypatch):
    monkeypatch.setattr(writers, "LINGER", LONG)
    look, seen = patient
    ledger.ask(look).cancel()
    await fact(ledger)
    assert seen == [0]


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
