"""The copy of a SQLite file in use: whole, of one moment, its owner's alone, and without tokens."""

import asyncio
import os
import sqlite3
import stat
from contextlib import closing

import pytest

from bot import keeping
from bot.ledger import asks, files, verbs
from bot.ledger.ledger import Ledger, LedgerError
from tests import build

NOW = build.NOW
TOKEN = "a-token-that-opens-something"
KEY = "a-key-of-addresses-that-open-kept-files"


def quiet(_done, _total):
    """A progress that nobody looks at."""


async def asked(ledger, count, **changes):
    replies = [build.reply(token=f"{TOKEN}-{n}", **changes) for n in range(count)]
    await asyncio.gather(
        *(
            ledger.run(asks.receive, reply, limits=build.limits(reply, 10_000_000))
            for reply in replies
        )
    )


@pytest.fixture
def path(tmp_path, sqlite_template):
    path = tmp_path / "easel.db"
    path.write_bytes(sqlite_template.read_bytes())
    return path


@pytest.fixture
async def ledger(path):
    async with Ledger(f"sqlite:///{path}") as opened:
        yield opened


def counts(path):
    """Jobs, and what the day's count says of them: in one transaction each, so always the same."""
    with closing(sqlite3.connect(path)) as conn:
        return conn.execute(
            "SELECT (SELECT count(*) FROM jobs), (SELECT sum(pictures) FROM spending"
            " WHERE scope = 'bot' AND length(period) = 10)"
        ).fetchone()


async def test_a_copy_is_of_one_moment_while_the_bot_writes(ledger, path, tmp_path):
    request = build.request(prompt="p" * 20_000)
    await asked(ledger, 300, asks=request)
    over, beside = asyncio.Event(), []

    async def write():
        while not over.is_set():
            await asked(ledger, 3, asks=request)
            beside.append(1)

    seen, began, target = [], [], tmp_path / "copy.db"
    loop = asyncio.get_running_loop()
    first = asyncio.Event()

    def progress(done, total):
        seen.append((done, total))
        # The copying waits here until the bot has written: it must not be seen in the copy.
        if len(seen) == 1:
            before = len(beside)
            began.append(counts(path)[0])
            loop.call_soon_threadsafe(first.set)
            while len(beside) < before + 3:
                os.sched_yield()

    writing = asyncio.create_task(write())
    copying = asyncio.create_task(asyncio.to_thread(files.backup, path, target, progress=progress))
    await first.wait()
    size = await copying
    over.set()
    await writing

    jobs, counted = counts(target)
    now, _ = counts(path)
    assert jobs == counted
    assert 300 <= jobs <= began[0] < now, "what came after the first page is not in it"
    assert len(seen) > 2
    assert all(done <= total for done, total in seen)
    assert seen[-1][0] == seen[-1][1]
    assert size == target.stat().st_size


async def test_no_byte_of_a_token_is_in_the_copy(ledger, path, tmp_path):
    await asked(ledger, 50)
    await ledger.run(verbs.keep_fact, keeping.LINKS_FACT, value=KEY)
    with closing(sqlite3.connect(path)) as conn:
        # What another program deletes stays in pages that nobody uses.
        conn.execute("PRAGMA secure_delete=OFF")
        conn.execute("CREATE TABLE other (text TEXT)")
        conn.execute("INSERT INTO other VALUES (?)", [f"{TOKEN}-freed" * 3000])
        conn.commit()
        conn.execute("DROP TABLE other")
        conn.commit()
    assert any(TOKEN.encode() in each.read_bytes() for each in tmp_path.glob("easel.db*"))
    folder = tmp_path / "copies"
    folder.mkdir()
    files.backup(path, folder / "copy.db", progress=quiet)
    assert [each.name for each in folder.iterdir()] == ["copy.db"], "nothing beside it"
    assert TOKEN.encode() not in (folder / "copy.db").read_bytes()
    assert b"a heron at dawn" in (folder / "copy.db").read_bytes()
    assert KEY.encode() not in (folder / "copy.db").read_bytes()
    with closing(sqlite3.connect(folder / "copy.db")) as conn:
        assert conn.execute("PRAGMA journal_mode").fetchone() == ("delete",), "one file is all"
    assert stat.S_IMODE((folder / "copy.db").stat().st_mode) == 0o600


async def test_a_bot_starts_on_the_copy(ledger, path, tmp_path):
    reply = build.reply()
    await ledger.run(asks.receive, reply, limits=build.limits(reply, 10))
    files.backup(path, tmp_path / "copy.db", progress=quiet)
    async with Ledger(f"sqlite:///{tmp_path / 'copy.db'}") as copied:
        found = await copied.run(verbs.reply_of, reply.id)
    assert found.jobs == reply.jobs
    assert found.target.token is None


def test_nothing_is_written_over_and_nothing_is_left_half_done(path, tmp_path):
    target = tmp_path / "copy.db"
    target.write_text("mine")
    with pytest.raises(LedgerError, match="is there already"):
        files.backup(path, target, progress=quiet)
    assert target.read_text() == "mine"
    with pytest.raises(LedgerError, match="There is no database"):
        files.backup(tmp_path / "none.db", tmp_path / "new.db", progress=quiet)
    with pytest.raises(LedgerError, match="cannot be written"):
        files.backup(path, tmp_path / "nowhere" / "new.db", progress=quiet)

    def stop(_done, _total):
        raise sqlite3.OperationalError("disk I/O error")

    with pytest.raises(LedgerError, match="disk I/O error"):
        files.backup(path, tmp_path / "new.db", progress=stop)
    assert not list(tmp_path.glob("new.db*"))


async def test_an_operators_ledger_makes_and_upgrades_nothing(path, tmp_path):
    absent = tmp_path / "absent.db"
    with pytest.raises(LedgerError, match="there is no database"):
        async with Ledger(f"sqlite:///{absent}", as_it_is=True):
            pass
    assert not absent.exists()
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("UPDATE alembic_version SET version_num = '0001'")
        conn.commit()
    with pytest.raises(LedgerError, match="migrate"):
        async with Ledger(f"sqlite:///{path}", as_it_is=True):
            pass
    assert not list(tmp_path.glob("*.before-*"))
