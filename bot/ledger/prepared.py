"""The statements of a job's life, run by SQLite's driver as SQLAlchemy compiled them.

It owns the way of a marked statement past SQLAlchemy's execution, and is a connection to whatever
runs on it; it never holds a statement, and never changes what one means.

A process that sleeps between two commands finds its caches cold each time, and then a statement's
way through SQLAlchemy costs four times what SQLite and the driver need. Types, SQL and defaults
stay SQLAlchemy's: it compiles each statement once, for the names of its parameters.
"""

import collections
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

MARK = "easel_prepared"

S = TypeVar("S", bound=sa.Executable)
Values = Mapping[str, Any]


def prepared(statement: S) -> S:
    """Mark a statement that is built once and needed by every job."""
    return statement.execution_options(**{MARK: True})


class _Plan:
    """One statement for one set of parameter names: its SQL, and how values go in and come out."""

    def __init__(self, statement: Any, names: Sequence[str], dialect: sa.Dialect) -> None:
        self.statement = statement  # held, so that its id stays its own
        compiled = statement.compile(dialect=dialect, column_keys=list(names))
        state = compiled.construct_expanded_state(dict.fromkeys(names))
        self.sql = state.statement
        defaults = {column.key: column.default.arg for column in compiled.prefetch}
        self._given: list[tuple[str, Callable[[Any], Any] | None]] = []
        self._constants: dict[int, Any] = {}
        for place, name in enumerate(state.positiontup):
            # Those of a list of values are named by the list's expansion, the others by their type.
            process = state.processors.get(name)
            if name in compiled.binds:
                process = compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect)
            if name not in names:
                value = defaults.get(name, state.parameters[name])
                self._constants[place] = value if process is None else process(value)
            self._given.append((name, process))
        columns = list(getattr(statement, "exported_columns", ()))
        self.keys = [str(column.key) for column in columns]
        # The columns are known only now: a class could not name them, and mypy cannot see them.
        row = collections.namedtuple("row", self.keys, rename=True)  # type: ignore[misc] # noqa: PYI024
        self.make: Callable[[Iterable[Any]], Any] = row._make
        processors = [c.type.dialect_impl(dialect).result_processor(dialect, None) for c in columns]
        self._out = [(place, each) for place, each in enumerate(processors) if each is not None]

    def bound(self, values: Values) -> list[Any]:
        """The values as the driver wants them."""
        constants = self._constants
        return [
            constants[place]
            if place in constants
            else values[name]
            if process is None
            else process(values[name])
            for place, (name, process) in enumerate(self._given)
        ]

    def read(self, raw: tuple[Any, ...]) -> tuple[Any, ...]:
        """A row of the driver's as SQLAlchemy would hand it out."""
        if not self._out:
            return raw
        values = list(raw)
        for place, process in self._out:
            values[place] = process(values[place])
        return tuple(values)


class Found:
    """What a statement found: as much of `sqlalchemy.Result` as the verbs use."""

    def __init__(self, plan: _Plan, rows: list[tuple[Any, ...]], rowcount: int) -> None:
        self._plan = plan
        self._rows = [plan.read(row) for row in rows]
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Any]:
        return map(self._plan.make, self._rows)

    def all(self) -> list[Any]:
        return list(self)

    def first(self) -> Any:
        return next(iter(self), None)

    def one_or_none(self) -> Any:
        if len(self._rows) > 1:
            raise sa.exc.MultipleResultsFound
        return self.first()

    def one(self) -> Any:
        if not self._rows:
            raise sa.exc.NoResultFound
        return self.one_or_none()

    def scalars(self) -> "_Scalars":
        return _Scalars([row[0] for row in self._rows])

    def mappings(self) -> "_Mappings":
        return _Mappings([dict(zip(self._plan.keys, row, strict=True)) for row in self._rows])


class _Scalars:
    def __init__(self, values: list[Any]) -> None:
        self._values = values

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def all(self) -> list[Any]:
        return self._values


class _Mappings(_Scalars):
    def one_or_none(self) -> Any:
        if len(self._values) > 1:
            raise sa.exc.MultipleResultsFound
        return self._values[0] if self._values else None


class Connection:
    """SQLAlchemy's connection, past which the marked statements go to its driver's."""

    def __init__(self, conn: sa.Connection, database: sqlite3.Connection) -> None:
        self.dialect = conn.dialect
        self._conn = conn
        self._database = database
        self._plans: dict[tuple[int, tuple[str, ...]], _Plan] = {}

    def execute(self, statement: Any, parameters: Any = None) -> Any:
        many = parameters if isinstance(parameters, list) else None
        values: Values = (many[0] if many else parameters) or {}
        key = id(statement), tuple(values)
        plan = self._plans.get(key)
        if plan is None:
            if not statement.get_execution_options().get(MARK):
                return self._conn.execute(statement, parameters)
            plan = self._plans[key] = _Plan(statement, key[1], self.dialect)
        try:
            if many is not None:
                cursor = self._database.executemany(plan.sql, map(plan.bound, many))
            else:
                cursor = self._database.execute(plan.sql, plan.bound(values))
            return Found(plan, cursor.fetchall(), cursor.rowcount)
        except sqlite3.Error as error:
            raise sa.exc.DBAPIError.instance(plan.sql, None, error, sqlite3.Error) from error

    def scalar(self, statement: Any, parameters: Any = None) -> Any:
        row = self.execute(statement, parameters).first()
        return None if row is None else row[0]

    def scalars(self, statement: Any, parameters: Any = None) -> Any:
        return self.execute(statement, parameters).scalars()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)
