"""A database that is full, locked or away: told from a defect, said once, and over when it is."""

import asyncio
import itertools
import sqlite3
from contextlib import asynccontextmanager, closing
from datetime import timedelta

import pytest
import sqlalchemy as sa
import structlog

from bot.ledger import trouble, verbs
from bot.ledger.ledger import Ledger
from bot.loops import Loop
from bot.pulse import AGAIN, Pulse
from tests import build


class Clock:
    def __init__(self):
        self.now = build.NOW

    def __call__(self):
        return self.now


class Disk:
    """The file under a ledger, filled and emptied by SQLite's own limit on a real file."""

    def __init__(self, ledger):
        self._ledger = ledger

    async def fill(self):
        await self._pragma("PRAGMA max_page_count=1")  # SQLite takes the pages that there are

    async def empty(self):
        await self._pragma("PRAGMA max_page_count=1073741823")

    async def _pragma(self, text):
        await self._ledger.run(lambda conn: conn.exec_driver_sql(text).fetchall())


class Cable:
    """The way to a PostgreSQL server; `cut` ends what runs over it and refuses what is new."""

    def __init__(self, url):
        self._socket = f"{url.query['host']}/.s.PGSQL.{url.query.get('port', 5432)}"
        self._url = url
        self._server = None
        self._port = 0
        self._ends = []

    @property
    def url(self):
        own = self._url.set(host="127.0.0.1", port=self._port, query={})
        return own.render_as_string(hide_password=False)

    async def join(self):
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self):
        self._server.close()
        for end in self._ends:
            end.close()
        self._ends.clear()

    async def _carry(self, reader, writer):
        inner_reader, inner_writer = await asyncio.open_unix_connection(self._socket)
        self._ends += [writer, inner_writer]
        await asyncio.gather(_pass_on(reader, inner_writer), _pass_on(inner_reader, writer))


async def _pass_on(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.fixture
async def sqlite(tmp_path):
    async with Ledger(f"sqlite:///{tmp_path / 'easel.db'}", lock_wait_ms=50) as opened:
        yield opened


@pytest.fixture
async def cable(postgres_server):
    cable = Cable(sa.make_url(postgres_server).set(database="easel"))
    await cable.join()
    yield cable
    await cable.cut()


async def write(ledger, name="a fact"):
    await ledger.run(verbs.keep_fact, name, value="x" * 3_000)


async def write_on(ledger):
    """As many requests as find room, and one more."""
    for name in itertools.count():
        await write(ledger, f"fact {name}")


@asynccontextmanager
async def heard(ledger, clock):
    """A pulse that stood well before, and the lines since then."""
    pulse = Pulse(ledger=ledger, clock=clock)
    await pulse.step()
    with structlog.testing.capture_logs() as told:
        yield pulse, told


def events(told):
    return [(line["log_level"], line["event"]) for line in told]


async def test_a_full_disk_is_said_once_now_and_then_and_when_it_is_over(sqlite):
    clock, disk = Clock(), Disk(sqlite)
    async with heard(sqlite, clock) as (pulse, told):
        await disk.fill()
        await pulse.step()
        assert told == []  # nobody wrote yet, and nothing was asked of the disk
        for _ in range(3):
            with pytest.raises(sa.exc.OperationalError):
                await write_on(sqlite)
            await pulse.step()
        assert events(told) == [("error", "ledger.failing")]
        assert told[0]["cause"] == sqlite.trouble == "database or disk is full"

        # What finds room where others do not ends nothing.
        await sqlite.run(verbs.fact, "a fact")
        await pulse.step()
        assert sqlite.trouble
        clock.now += AGAIN
        await pulse.step()
        assert events(told) == [("error", "ledger.failing")] * 2
        assert told[1]["seconds"] == AGAIN.total_seconds()

        await disk.empty()
        clock.now += timedelta(seconds=5)
        await pulse.step()
        await pulse.step()
        assert events(told)[2:] == [("info", "ledger.well")]
        assert sqlite.trouble == ""


async def test_the_write_that_asks_for_room_leaves_nothing(sqlite):
    await write(sqlite)
    assert await sqlite.probe() == ""
    assert await sqlite.run(verbs.fact, trouble.ROOM) is None


async def test_a_moments_lock_is_one_quiet_line(sqlite, tmp_path):
    async with heard(sqlite, Clock()) as (pulse, told):
        with closing(sqlite3.connect(tmp_path / "easel.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(sa.exc.OperationalError):
                await write(sqlite)
        await pulse.step()
        await pulse.step()
        assert events(told) == [("warning", "ledger.stumbled")]
        assert told[0]["cause"] == "database is locked"


async def test_a_defect_is_no_trouble_of_the_database(ledger):
    for statement in ("SELECT nothing FROM nowhere", "no SQL at all"):
        with pytest.raises(sa.exc.DBAPIError) as failed:
            await ledger.run(lambda conn, text=statement: conn.execute(sa.text(text)))
        assert not ledger.excuses(failed.value)
    assert not ledger.excuses(ValueError("a defect"))
    assert ledger.trouble == ""


async def test_a_server_that_is_away_is_one_line_however_many_loops_need_it(cable):
    clock, tried = Clock(), asyncio.Event()
    async with Ledger(cable.url) as ledger, heard(ledger, clock) as (pulse, told):
        await write(ledger)

        async def step():
            try:
                await write(ledger)
            except sa.exc.SQLAlchemyError:
                tried.set()
                raise
            return 0

        loops = [Loop(f"stage {number}", step, interval=0.01) for number in range(4)]
        await cable.cut()
        for loop in loops:
            loop.start(excused=ledger.excuses)
        await tried.wait()
        for _ in range(3):
            await pulse.step()
        for loop in loops:
            await loop.stop(grace=5)
        assert events(told) == [("error", "ledger.failing")]
        assert "\n" not in told[0]["cause"]

        await cable.join()
        await pulse.step()
        assert events(told)[1:] == [("info", "ledger.well")]
        await write(ledger)
