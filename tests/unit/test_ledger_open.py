"""Opening a SQLite ledger, its one writer, and what is heard when the file lets it down."""

import asyncio
import contextlib
import os
import re
import sqlite3
import stat
import threading
import time
from contextlib import closing

import pytest
import sqlalchemy as sa
import structlog
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from bot.ledger import migrate, schema, verbs, watching
from bot.ledger import writer as writer_module
from bot.ledger.ledger import Ledger, LedgerAwayError, LedgerError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "easel.db"


@pytest.fixture
async def ledger(path):
    async with Ledger(f"sqlite:///{path}", lock_wait_ms=50) as opened:
        yield opened


async def refusal(url):
    """The sentence that a ledger which cannot be opened leaves for the operator."""
    with pytest.raises(LedgerError) as caught:
        async with Ledger(url, lock_wait_ms=50):
            pass
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


async def keep(ledger, *names, value="1"):
    """Ask for all facts in one go, so that the writer takes them as one batch."""
    return await asyncio.gather(
        *(ledger.run(verbs.keep_fact, name, value=value) for name in names),
        return_exceptions=True,
    )


@contextlib.asynccontextmanager
async def held(ledger):
    """Keep the writer busy, so that what is asked for meanwhile becomes one batch."""
    entered, release = threading.Event(), threading.Event()

    def hold(_conn):
        entered.set()
        assert release.wait(10)

    holding = asyncio.create_task(ledger.run(hold))
    await asyncio.to_thread(entered.wait)
    try:
        yield
    finally:
        release.set()
        await holding


async def asked(*coroutines):
    """The calls as tasks that have reached the writer's queue."""
    tasks = [asyncio.create_task(each) for each in coroutines]
    await asyncio.sleep(0)
    return tasks


class TestFile:
    async def test_it_is_created_for_its_owner_only(self, path):
        before = os.umask(0o022)
        try:
            async with Ledger(f"sqlite:///{path}") as ledger:
                await keep(ledger, "a")
                files = sorted(path.parent.iterdir())
                assert [file.name for file in files] == ["easel.db", "easel.db-shm", "easel.db-wal"]
                assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        finally:
            os.umask(before)

    async def test_a_file_that_others_could_read_is_closed_to_them(self, path):
        path.parent.mkdir()
        path.touch(0o644)
        path.chmod(0o644)
        async with Ledger(f"sqlite:///{path}"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_the_command_line_creates_it_for_its_owner_only_too(self, path):
        Ledger(f"sqlite:///{path}").migrate()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with closing(sqlite3.connect(path)) as conn:
            assert conn.execute("SELECT version_num FROM alembic_version").fetchall() == [
                (schema.HEAD,)
            ]

    async def test_what_was_written_is_there_after_reopening(self, path):
        async with Ledger(f"sqlite:///{path}") as ledger:
            await keep(ledger, "a")
        async with Ledger(f"sqlite:///{path}") as ledger:
            assert await ledger.run(verbs.fact, "a") == "1"

    async def test_every_commit_reaches_the_disk(self, ledger):
        def pragmas(conn):
            names = ("journal_mode", "synchronous", "foreign_keys")
            return [conn.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

        assert await ledger.run(pragmas) == ["wal", 2, 1]

    async def test_but_for_those_that_the_world_can_tell_again(self, ledger, monkeypatch):
        def synchronous(conn):
            return conn.exec_driver_sql("PRAGMA synchronous").scalar()

        monkeypatch.setattr(writer_module, "RECOVERABLE", writer_module.RECOVERABLE | {synchronous})
        assert await ledger.run(synchronous) == 1
        async with held(ledger):
            together = await asked(
                ledger.run(verbs.keep_fact, "a", value="1"), ledger.run(synchronous)
            )
        assert (await asyncio.gather(*together))[1] == 2
        assert await ledger.run(synchronous) == 1


class TestRefusals:
    @pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///"])
    async def test_a_database_in_memory_is_refused(self, url):
        assert await refusal(url) == "DATABASE_URL must name a file: sqlite:///data/easel.db"

    @pytest.mark.parametrize("url", ["", "easel.db", "mysql://a/b", "postgres://a/b", "sqlit:///a"])
    async def test_a_database_that_easel_does_not_know_is_refused(self, url):
        expected = "DATABASE_URL must begin with sqlite:/// or postgresql://"
        assert await refusal(url) == expected

    async def test_a_folder_in_place_of_the_file_is_refused(self, path):
        path.mkdir(parents=True)
        expected = f"DATABASE_URL: {path} cannot be written: Is a directory"
        assert await refusal(f"sqlite:///{path}") == expected

    async def test_a_file_in_place_of_the_folder_is_refused(self, path):
        path.parent.write_text("not a folder")
        expected = f"DATABASE_URL: {path} cannot be written: File exists"
        assert await refusal(f"sqlite:///{path}") == expected

    async def test_a_file_that_is_no_database_is_refused_and_left_alone(self, path):
        path.parent.mkdir()
        path.write_bytes(b"these are not the bytes of a database " * 100)
        expected = "DATABASE_URL cannot be opened: file is not a database"
        assert await refusal(f"sqlite:///{path}") == expected
        with pytest.raises(LedgerError) as caught:
            Ledger(f"sqlite:///{path}").migrate()
        assert not isinstance(caught.value, LedgerAwayError), "it stays so"
        assert path.read_bytes() == b"these are not the bytes of a database " * 100

    async def test_a_damaged_file_is_refused_with_what_to_do(self, path):
        Ledger(f"sqlite:///{path}").migrate()
        torn = bytearray(path.read_bytes())
        torn[100:30_000] = b"\xa5" * 29_900
        path.write_bytes(torn)
        said = await refusal(f"sqlite:///{path}")
        assert said.startswith("DATABASE_URL cannot be opened: database disk image is malformed")
        assert "restore a copy" in said

    async def test_a_file_that_another_program_locks_is_refused(self, path):
        async with Ledger(f"sqlite:///{path}"):
            pass
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("PRAGMA locking_mode=EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")
            expected = "DATABASE_URL cannot be opened: database is locked"
            assert await refusal(f"sqlite:///{path}") == expected
            with pytest.raises(LedgerAwayError):
                Ledger(f"sqlite:///{path}", lock_wait_ms=1).migrate()

    async def test_a_newer_database_is_refused_and_left_alone(self, path):
        async with Ledger(f"sqlite:///{path}"):
            pass
        with closing(sqlite3.connect(path)) as conn, conn:
            conn.execute("UPDATE alembic_version SET version_num = '9999'")
        assert await refusal(f"sqlite:///{path}") == (
            "The database was written by a newer version of Easel (migration 9999): "
            "start that version, or restore a copy."
        )
        assert [file.name for file in path.parent.iterdir()] == ["easel.db"]

    async def test_a_closed_ledger_runs_nothing(self, path):
        ledger = Ledger(f"sqlite:///{path}")
        with pytest.raises(LedgerError, match="the ledger is closed"):
            await ledger.run(verbs.fact, "a")
        async with ledger:
            pass
        with pytest.raises(LedgerError, match="the ledger is closed"):
            await ledger.run(verbs.fact, "a")


class TestMigrations:
    def test_head_is_the_newest_script(self):
        assert ScriptDirectory.from_config(migrate.config()).get_heads() == [schema.HEAD]

    async def test_the_migrated_tables_are_those_of_the_schema(self, ledger):
        def differences(conn):
            return compare_metadata(MigrationContext.configure(conn), schema.metadata)

        assert await ledger.read(differences) == []

    def test_a_copy_is_whole_and_for_its_owner_only(self, path):
        Ledger(f"sqlite:///{path}").migrate()
        with closing(sqlite3.connect(path)) as conn:
            # Not committed into the file itself yet: a plain copy of the file would miss it.
            conn.execute("INSERT INTO facts VALUES ('in the log', '1')")
            conn.commit()
            assert path.with_name("easel.db-wal").stat().st_size > 0
            copy = migrate.copy_file(str(path), "0001")
        assert re.fullmatch(r"easel\.db\.before-0001-\d{8}T\d{6}Z", copy.name)
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        with closing(sqlite3.connect(copy)) as conn:
            assert conn.execute("SELECT name FROM facts").fetchall() == [("in the log",)]

    def test_a_copy_that_cannot_be_made_stops_the_upgrade(self, path):
        with pytest.raises(LedgerError, match=r"could not be copied to .* before its upgrade"):
            migrate.copy_file(str(path), "0001")

    async def test_an_older_database_is_copied_and_then_upgraded(self, path, tmp_path, monkeypatch):
        async with Ledger(f"sqlite:///{path}") as ledger:
            await keep(ledger, "a")
        scripts = tmp_path / "migrations"
        scripts.mkdir()
        for name in (
            "env.py",
            "script.py.mako",
            *(f"versions/{each.name}" for each in (migrate.SCRIPTS / "versions").glob("*.py")),
        ):
            (scripts / name).parent.mkdir(exist_ok=True)
            (scripts / name).write_bytes((migrate.SCRIPTS / name).read_bytes())
        (scripts / "versions" / "next.py").write_text(
            "from alembic import op\n"
            "from bot.ledger import schema\n"
            f"revision, down_revision = 'next', {schema.HEAD!r}\n"
            "def upgrade(): op.bulk_insert(schema.facts, [{'name': 'upgraded', 'value': '1'}])\n"
        )
        monkeypatch.setattr(migrate, "SCRIPTS", scripts)
        monkeypatch.setattr(schema, "HEAD", "next")
        with structlog.testing.capture_logs() as said:
            async with Ledger(f"sqlite:///{path}") as ledger:
                assert await ledger.run(verbs.fact, "upgraded") == "1"
                assert await ledger.run(verbs.fact, "a") == "1"
        (copy,) = path.parent.glob("easel.db.before-*")
        assert [line["copy"] for line in said if line["event"] == "ledger.copied"] == [str(copy)]
        with closing(sqlite3.connect(copy)) as conn:
            assert conn.execute("SELECT name FROM facts").fetchall() == [("a",)]

    async def test_a_migration_that_fails_leaves_the_database_as_it_was(
        self, path, tmp_path, monkeypatch
    ):
        scripts = tmp_path / "migrations"
        (scripts / "versions").mkdir(parents=True)
        (scripts / "env.py").write_bytes((migrate.SCRIPTS / "env.py").read_bytes())
        (scripts / "versions" / "bad.py").write_text(
            "from alembic import op\n"
            "revision, down_revision = 'bad', None\n"
            "def upgrade():\n"
            "    op.execute('CREATE TABLE half (id INTEGER)')\n"
            "    op.execute('INSERT INTO nowhere VALUES (1)')\n"
        )
        with monkeypatch.context() as patch:
            patch.setattr(migrate, "SCRIPTS", scripts)
            expected = "DATABASE_URL cannot be opened: no such table: nowhere"
            assert await refusal(f"sqlite:///{path}") == expected
        with closing(sqlite3.connect(path)) as conn:
            assert conn.execute("SELECT name FROM sqlite_master").fetchall() == []
        async with Ledger(f"sqlite:///{path}") as ledger:
            assert await ledger.run(watching.live) == []


class TestTrouble:
    """A database that fails says so to all who asked, and works on when it can."""

    async def test_a_lock_is_heard_by_the_whole_batch_and_by_no_later_one(self, ledger, path):
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            for error in await keep(ledger, "a", "b", "c"):
                assert isinstance(error, sa.exc.OperationalError)
                assert str(error.orig) == "database is locked"
            other.execute("ROLLBACK")
        assert await keep(ledger, "a", "b", "c") == [None] * 3

    async def test_a_short_lock_is_waited_for(self, path):
        async with Ledger(f"sqlite:///{path}", lock_wait_ms=10_000) as ledger:
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN EXCLUSIVE")
                waiting = asyncio.create_task(ledger.run(verbs.keep_fact, "a", value="1"))
                assert await asyncio.wait([waiting], timeout=0.005) == (set(), {waiting})
                other.execute("ROLLBACK")
                await waiting
            assert await ledger.run(verbs.fact, "a") == "1"

    async def test_two_ledgers_share_a_file(self, ledger, path):
        async with Ledger(f"sqlite:///{path}") as second:
            names = [f"fact {number}" for number in range(40)]
            pairs = zip(names[::2], names[1::2], strict=True)
            for one, other in pairs:
                assert await asyncio.gather(keep(ledger, one), keep(second, other)) == [
                    [None],
                    [None],
                ]
            assert await asyncio.gather(*(ledger.run(verbs.fact, name) for name in names)) == [
                "1"
            ] * len(names)

    async def test_two_ledgers_never_read_what_the_other_is_about_to_change(self, path):
        def count(conn):
            seen = int(verbs.fact(conn, "count") or 0)
            time.sleep(0.001)  # long enough for the other to want the same row
            verbs.keep_fact(conn, "count", value=str(seen + 1))

        url = f"sqlite:///{path}"
        async with Ledger(url) as one, Ledger(url) as other:
            await asyncio.gather(*(ledger.run(count) for ledger in (one, other) for _ in range(20)))
            assert await one.run(verbs.fact, "count") == "40"

    @pytest.mark.parametrize("names", [("big",), ("small", "big", "little")])
    async def test_a_full_disk_is_heard_by_who_needs_the_room(self, ledger, names):
        def fill(conn):
            """No page more than there is: what SQLite meets on a full disk."""
            pages = conn.exec_driver_sql("PRAGMA page_count").scalar()
            conn.exec_driver_sql(f"PRAGMA max_page_count = {pages + 1}")

        def unfill(conn):
            conn.exec_driver_sql("PRAGMA max_page_count = 4294967294")

        await ledger.run(fill)
        async with held(ledger):
            tasks = await asked(
                *(
                    ledger.run(verbs.keep_fact, name, value="x" * (100_000 * (name == "big")))
                    for name in names
                )
            )
        for name, result in zip(
            names, await asyncio.gather(*tasks, return_exceptions=True), strict=True
        ):
            if name == "big":
                assert str(result.orig) == "database or disk is full"
            else:
                assert result is None
                assert await ledger.run(verbs.fact, name) == ""
        assert await ledger.run(verbs.fact, "big") is None
        await ledger.run(unfill)
        assert await keep(ledger, "big", value="x" * 100_000) == [None]

    async def test_a_database_that_may_not_be_written_is_heard_by_all(self, ledger):
        def read_only(conn):
            conn.exec_driver_sql("PRAGMA query_only = 1")

        await ledger.run(read_only)
        for _ in range(2):
            for error in await keep(ledger, "a", "b"):
                assert str(error.orig) == "attempt to write a readonly database"

    async def test_a_damaged_page_is_heard_by_who_reads_it_and_by_no_later_batch(self, path):
        async with Ledger(f"sqlite:///{path}") as ledger:
            await keep(ledger, "big", value="x" * 100_000)
        with closing(sqlite3.connect(path)) as conn:
            (root,) = conn.execute(
                "SELECT rootpage FROM sqlite_master WHERE name='facts'"
            ).fetchone()
            (size,) = conn.execute("PRAGMA page_size").fetchone()
        with path.open("r+b") as file:
            file.seek((root - 1) * size)
            file.write(b"\xff" * size)
        async with Ledger(f"sqlite:///{path}") as ledger:
            with pytest.raises(sa.exc.DatabaseError, match="malformed"):
                await ledger.run(verbs.fact, "big")
            assert await ledger.run(watching.live) == []


class TestWriter:
    """One writer for all: what one caller does, no other feels."""

    async def test_a_verb_that_fails_takes_only_itself_back(self, ledger):
        def fail(conn):
            verbs.keep_fact(conn, "half", value="1")
            raise ValueError("a defect")

        def misspell(conn):
            verbs.keep_fact(conn, "half", value="1")
            conn.exec_driver_sql("SELECT * FROM nowhere")

        async with held(ledger):
            tasks = await asked(
                ledger.run(verbs.keep_fact, "first", value="1"),
                ledger.run(fail),
                ledger.run(verbs.keep_fact, "second", value="1"),
                ledger.run(misspell),
                ledger.run(verbs.keep_fact, "third", value="1"),
            )
        first, failed, second, misspelt, third = await asyncio.gather(
            *tasks, return_exceptions=True
        )
        assert (first, second, third) == (None, None, None)
        assert isinstance(failed, ValueError)
        assert isinstance(misspelt, sa.exc.OperationalError)
        for name in ("first", "second", "third"):
            assert await ledger.run(verbs.fact, name) == "1"
        assert await ledger.run(verbs.fact, "half") is None

    async def test_a_verb_that_fails_alone_takes_itself_back(self, ledger):
        def fail(conn):
            verbs.keep_fact(conn, "half", value="1")
            raise ValueError("a defect")

        with pytest.raises(ValueError, match="a defect"):
            await ledger.run(fail)
        assert await ledger.run(verbs.fact, "half") is None

    async def test_a_batch_is_one_transaction_and_answered_after_its_commit(self, ledger, path):
        seen = []

        def look(_conn):
            with closing(sqlite3.connect(path)) as other:
                seen.append(other.execute("SELECT count(*) FROM facts").fetchone()[0])

        names = [f"fact {number}" for number in range(writer_module.BATCH - 1)]
        async with held(ledger):
            tasks = await asked(
                *(ledger.run(verbs.keep_fact, name, value="1") for name in names),
                ledger.run(look),
                ledger.run(look),
            )
        await asyncio.gather(*tasks)
        assert seen == [0, len(names)]

    async def test_a_caller_that_is_cancelled_is_served_and_stops_nobody(self, ledger):
        async with held(ledger):
            tasks = await asked(
                ledger.run(verbs.keep_fact, "cancelled", value="1"),
                ledger.run(verbs.keep_fact, "patient", value="1"),
            )
            tasks[0].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert results[1] is None
        assert await ledger.run(verbs.fact, "cancelled") == "1"

    async def test_closing_finishes_what_was_asked_for(self, path):
        names = [f"fact {number}" for number in range(3 * writer_module.BATCH)]
        async with Ledger(f"sqlite:///{path}") as ledger:
            tasks = await asked(*(ledger.run(verbs.keep_fact, name, value="1") for name in names))
        assert await asyncio.gather(*tasks) == [None] * len(names)
        async with Ledger(f"sqlite:///{path}") as ledger:
            assert await ledger.run(verbs.fact, names[-1]) == "1"

    async def test_what_is_asked_for_while_closing_is_refused(self, path):
        async with contextlib.AsyncExitStack() as stack:
            ledger = await stack.enter_async_context(Ledger(f"sqlite:///{path}"))
            async with held(ledger):
                (closing_ledger,) = await asked(stack.aclose())
                with pytest.raises(LedgerError, match="the ledger is closed"):
                    await ledger.run(verbs.fact, "a")
            await closing_ledger

    async def test_a_caller_whose_loop_is_gone_stops_nobody(self, ledger):
        entered, release = threading.Event(), threading.Event()

        def hold(_conn):
            entered.set()
            assert release.wait(10)

        async def leave():
            (task,) = await asked(ledger.run(hold))
            await asyncio.to_thread(entered.wait)
            task.cancel()

        await asyncio.to_thread(asyncio.run, leave())
        release.set()
        assert await keep(ledger, "a") == [None]
