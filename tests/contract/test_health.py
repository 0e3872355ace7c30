"""A look at a database changes nothing, and sees what is amiss, on SQLite and PostgreSQL."""

import json

import psycopg
import pytest
import sqlalchemy as sa

from bot import alarms
from bot.ledger import asks, health, schema, verbs
from bot.ledger.ledger import LedgerError
from bot.operate import storage
from bot.operate.findings import Level
from tests import build


async def test_a_database_in_use_is_sound(ledger, ledger_url):
    reply = build.reply()
    await ledger.run(asks.receive, reply, limits=build.limits(reply, 10))
    seen = health.examine(ledger_url, seconds=5)
    assert (seen.version, seen.current, seen.known) == (schema.HEAD, True, True)
    assert (seen.writable, seen.damage, seen.checked) == (True, None, True)
    assert (await ledger.run(verbs.reply_of, reply.id)).jobs == reply.jobs


async def test_the_alarms_that_stand_are_read_from_it(ledger, ledger_url):
    since = build.NOW.timestamp()
    kept = [
        {"alarm": "no_credit", "subject": "", "active": True, "since": since, "cause": "402"},
        {"alarm": "model_unavailable", "subject": "m", "active": False, "since": 0, "cause": ""},
        {"alarm": "of_another_version", "subject": "", "active": True, "since": 0, "cause": ""},
    ]
    await ledger.run(verbs.keep_fact, alarms.FACT, value=json.dumps(kept))
    [reached, version, alarm] = storage.check_database(ledger_url, seconds=5)
    assert (reached.level, version.level) == (Level.OK, Level.OK)
    assert (alarm.name, alarm.level) == ("Alarms", Level.ERROR)
    assert alarm.what == f"HiAPI is out of credit, since {build.NOW:%Y-%m-%d %H:%M} UTC: 402."
    assert "Top the account up" in alarm.fix


def test_an_empty_postgresql_needs_migrations(empty_postgres):
    seen = health.examine(empty_postgres, seconds=5)
    assert (seen.version, seen.current, seen.writable) == (None, False, True)
    [reached, version] = storage.check_database(empty_postgres, seconds=5)
    assert (reached.level, version.level) == (Level.OK, Level.ERROR)
    assert version.what.startswith("It is empty, this Easel needs")
    assert "bot migrate" in version.fix
    with psycopg.connect(empty_postgres) as conn:
        tables = conn.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert tables.fetchone() == (0,), "nothing was made"


def test_a_postgresql_that_takes_no_write(empty_postgres):
    name = sa.make_url(empty_postgres).database
    with psycopg.connect(empty_postgres, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    [found, *_] = storage.check_database(empty_postgres, seconds=5)
    assert (found.level, "not written" in found.what) == (Level.ERROR, True)


def test_a_postgresql_without_that_database_is_said(empty_postgres):
    absent = sa.make_url(empty_postgres).set(database="nowhere")
    with pytest.raises(LedgerError, match="does not exist") as caught:
        health.examine(absent.render_as_string(hide_password=False), seconds=5)
    assert "\n" not in str(caught.value)
