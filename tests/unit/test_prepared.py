"""A marked statement says and finds what SQLAlchemy would have it say and find."""

import sqlite3

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from bot.ledger import prepared, schema
from bot.ledger.prepared import prepared as marked
from tests.build import NOW

things = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("at", schema.Instant),
    sa.Column("raw", sa.LargeBinary),
    sa.Column("data", sa.JSON),
    sa.Column("tries", sa.Integer, nullable=False, default=3),
)
ROW = {
    "id": 1,
    "name": "a 'heron' ? %s :name",
    "open": True,
    "at": NOW,
    "raw": b"\0\xff",
    "data": {"a": [1, None]},
}
ADD = marked(sa.insert(things))
ALL = marked(sa.select(things).order_by(things.c.id))
ONE = marked(sa.select(things.c.name, things.c.at).where(things.c.id == sa.bindparam("this")))
NAMED = marked(sa.select(things.c.id).where(things.c.name.in_(["b", "c"])).order_by(things.c.id))
RENAME = marked(sa.update(things).where(things.c.id == sa.bindparam("this")))
TAKE = marked(RENAME.values(tries=things.c.tries - 1).returning(things.c.tries, things.c.open))


@pytest.fixture
def conn():
    engine = sa.create_engine("sqlite://")
    with engine.connect() as opened:
        things.create(opened)
        yield prepared.Connection(opened, opened.connection.driver_connection)


def plain(conn, statement, parameters=None):
    """The same by SQLAlchemy's own execution."""
    return conn._conn.execute(statement, parameters)


def add(conn, *names):
    conn.execute(ADD, [{**ROW, "id": number, "name": name} for number, name in enumerate(names, 1)])


class TestWhatItFinds:
    def test_every_type_comes_back_as_it_was(self, conn):
        conn.execute(ADD, ROW)
        assert conn.execute(ALL).mappings().one_or_none() == {**ROW, "tries": 3}
        assert plain(conn, sa.select(things)).mappings().one() == {**ROW, "tries": 3}

    def test_nothing_is_nothing_in_every_type(self, conn):
        conn.execute(ADD, ROW | dict.fromkeys(("at", "raw"), None))
        found = conn.execute(ALL).one()
        assert (found.at, found.raw) == (None, None)

    @given(st.text(), st.binary(), st.booleans(), st.integers(-(2**62), 2**62))
    def test_whatever_it_holds_sqlalchemy_reads_the_same(self, text, raw, flag, number):
        # Half a surrogate pair is kept out of the ledger at its door.
        text = text.encode("utf-8", "replace").decode()
        engine = sa.create_engine("sqlite://")
        with engine.connect() as opened:
            things.create(opened)
            conn = prepared.Connection(opened, opened.connection.driver_connection)
            row = {**ROW, "id": number, "name": text, "raw": raw, "open": flag, "data": [text]}
            conn.execute(ADD, row)
            ours, theirs = conn.execute(ALL).one(), plain(conn, sa.select(things)).one()
            assert tuple(ours) == tuple(theirs)

    def test_columns_are_read_by_name_and_unpacked_in_order(self, conn):
        conn.execute(ADD, ROW)
        found = conn.execute(ONE, {"this": 1}).first()
        assert (found.name, found.at) == tuple(found) == (ROW["name"], NOW)
        assert conn.execute(ONE, {"this": 2}).first() is None
        assert conn.scalar(ONE, {"this": 1}) == ROW["name"]
        assert conn.scalar(ONE, {"this": 2}) is None

    def test_a_list_in_the_statement_keeps_its_values(self, conn):
        add(conn, "a", "b", "c")
        assert conn.scalars(NAMED).all() == [2, 3]
        assert list(conn.scalars(NAMED)) == [2, 3]

    def test_one_is_neither_none_nor_two(self, conn):
        with pytest.raises(sa.exc.NoResultFound):
            conn.execute(ALL).one()
        assert conn.execute(ALL).one_or_none() is None
        assert conn.execute(ALL).mappings().one_or_none() is None
        add(conn, "a", "b")
        for found in (conn.execute(ALL), conn.execute(ALL).mappings()):
            with pytest.raises(sa.exc.MultipleResultsFound):
                found.one_or_none()


class TestWhatItChanges:
    def test_values_are_set_by_name_and_rows_counted(self, conn):
        add(conn, "a", "b")
        assert conn.execute(RENAME, {"this": 2, "name": "c"}).rowcount == 1
        # The same statement for other names is another one.
        assert conn.execute(RENAME, {"this": 2, "at": None, "open": False}).rowcount == 1
        assert conn.execute(RENAME, {"this": 3, "name": "c"}).rowcount == 0
        assert [(row.name, row.open) for row in conn.execute(ALL)] == [("a", True), ("c", False)]

    def test_what_a_change_returns_is_read_like_any_row(self, conn):
        add(conn, "a")
        assert tuple(conn.execute(TAKE, {"this": 1}).one()) == (2, True)

    def test_a_refusal_is_sqlalchemys_and_tells_no_value(self, conn):
        conn.execute(ADD, ROW)
        with pytest.raises(sa.exc.IntegrityError) as refused:
            conn.execute(ADD, ROW)
        assert isinstance(refused.value.orig, sqlite3.IntegrityError)
        assert "heron" not in str(refused.value)

    def test_a_forgotten_value_is_an_error_and_no_null(self, conn):
        with pytest.raises(sa.exc.InvalidRequestError):
            conn.execute(ONE)


def test_what_is_not_marked_goes_to_sqlalchemy(conn):
    add(conn, "a")
    found = conn.execute(sa.select(things.c.name))
    assert isinstance(found, sa.Result)
    assert conn.scalar(sa.select(sa.func.count()).select_from(things)) == 1
