"""What the ledger owes PostgreSQL alone: versions, pooled threads, deadlocks."""

import asyncio
import threading

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from bot.ledger import ledger as ledger_module
from bot.ledger import schema, trouble, verbs
from bot.ledger.ledger import Ledger, LedgerAwayError, LedgerError


@pytest.fixture
async def migrated(empty_postgres):
    await asyncio.to_thread(Ledger(empty_postgres).migrate)
    async with Ledger(empty_postgres) as opened:
        yield opened


async def refusal(url):
    with pytest.raises(LedgerError) as caught:
        async with Ledger(url):
            pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def test_a_database_that_is_not_migrated_names_the_command(empty_postgres):
    assert await refusal(empty_postgres) == (
        "The database is not at this version of Easel: run 'python -m bot migrate' first."
    )


async def test_migrating_twice_changes_nothing(migrated, empty_postgres):
    await migrated.run(verbs.keep_fact, "a", value="1")
    await asyncio.to_thread(Ledger(empty_postgres).migrate)
    assert await migrated.run(verbs.fact, "a") == "1"


async def test_a_newer_database_is_refused(migrated, empty_postgres):
    def pretend(conn):
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    await migrated.run(pretend)
    expected = (
        "The database was written by a newer version of Easel (migration 9999): "
        "start that version, or restore a copy."
    )
    assert await refusal(empty_postgres) == expected
    with pytest.raises(LedgerError, match="newer version"):
        Ledger(empty_postgres).migrate()


async def test_a_server_that_does_not_answer_is_one_sentence():
    sentence = await refusal("postgresql://easel:secret@127.0.0.1:1/easel")
    assert sentence.startswith("DATABASE_URL cannot be opened: connection failed")
    assert "secret" not in sentence


async def test_what_passes_by_itself_is_told_from_what_somebody_must_change(empty_postgres):
    url = sa.make_url(empty_postgres)
    with pytest.raises(LedgerAwayError):
        await asyncio.to_thread(Ledger("postgresql://easel:x@127.0.0.1:1/easel").migrate)
    with psycopg.connect(empty_postgres, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {url.database} CONNECTION LIMIT 0")
        admin.execute("CREATE ROLE guest LOGIN PASSWORD 'right'")
        try:
            crowded = url.set(username="guest", password="right")
            with pytest.raises(LedgerAwayError, match="too many connections"):
                Ledger(crowded.render_as_string(hide_password=False)).migrate()
        finally:
            admin.execute("DROP ROLE guest")
            admin.execute(f"ALTER DATABASE {url.database} CONNECTION LIMIT -1")
    for wrong in (url.set(username="nobody"), url.set(database="nowhere")):
        with pytest.raises(LedgerError, match="does not exist") as caught:
            Ledger(wrong.render_as_string(hide_password=False)).migrate()
        assert type(caught.value) is LedgerError


@pytest.mark.parametrize(
    ("words", "away"),
    [
        ("FATAL:  the database system is starting up", True),
        ("FATAL:  sorry, too many clients already", True),
        ("could not translate host name", True),
        ('FATAL:  password authentication failed for user "easel"', False),
        ("fe_sendauth: no password supplied", False),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1"', False),
    ],
)
def test_the_words_of_a_failed_connection_tell_whether_it_may_heal(words, away):
    error = sa.exc.OperationalError(None, None, psycopg.OperationalError(f"connection: {words}"))
    assert trouble.passes(error) is away
    with pytest.raises(LedgerError, match="DATABASE_URL cannot be opened"):
        Ledger("postgresql://easel:secret@127.0.0.1:1/easel").migrate()


async def test_the_migrated_tables_are_those_of_the_schema(migrated):
    def differences(conn):
        return compare_metadata(MigrationContext.configure(conn), schema.metadata)

    assert await migrated.run(differences) == []


async def test_verbs_that_lock_each_other_out_are_run_again(migrated):
    for name in ("a", "b"):
        await migrated.run(verbs.keep_fact, name, value="")
    meeting = threading.Barrier(2)
    runs = []

    def add(conn, letter, first, second):
        for name in (first, second):
            changed = (schema.facts.c.value + letter).label("value")
            conn.execute(
                sa.update(schema.facts).where(schema.facts.c.name == name).values(value=changed)
            )
            if name == first and len(runs) < 2:
                runs.append(letter)
                meeting.wait(10)

    await asyncio.gather(migrated.run(add, "x", "a", "b"), migrated.run(add, "y", "b", "a"))
    assert sorted(runs) == ["x", "y"]
    for name in ("a", "b"):
        assert sorted(await migrated.run(verbs.fact, name)) == ["x", "y"]


async def test_a_caller_that_is_cancelled_is_served_all_the_same(migrated, empty_postgres):
    release = threading.Event()

    def hold(_conn):
        assert release.wait(10)

    async with Ledger(empty_postgres) as ledger:
        threads = range(ledger_module.POSTGRES_CONNECTIONS)
        holding = [asyncio.create_task(ledger.run(hold)) for _ in threads]
        waiting = asyncio.create_task(ledger.run(verbs.keep_fact, "a", value="1"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        release.set()
        await asyncio.gather(*holding)
    assert await migrated.run(verbs.fact, "a") == "1"


async def test_closing_finishes_what_was_asked_for(migrated, empty_postgres):
    async with Ledger(empty_postgres) as ledger:
        tasks = [
            asyncio.create_task(ledger.run(verbs.keep_fact, f"fact {number}", value="1"))
            for number in range(30)
        ]
        await asyncio.sleep(0)
    assert await asyncio.gather(*tasks) == [None] * 30
    with pytest.raises(LedgerError, match="the ledger is closed"):
        await ledger.run(verbs.fact, "a")
    assert await migrated.run(verbs.fact, "fact 29") == "1"


async def test_a_broken_connection_is_replaced(migrated):
    def end_all(conn):
        conn.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    await asyncio.gather(*(migrated.run(verbs.fact, "a") for _ in range(16)))
    await migrated.run(end_all)
    assert await asyncio.gather(*(migrated.run(verbs.fact, "a") for _ in range(16))) == [None] * 16
