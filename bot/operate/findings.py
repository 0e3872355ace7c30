"""What a check says: a frozen finding with what is so and what to do about it.

It owns the words ok, warning and error; it never prints.
"""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is. Only an error makes the doctor's exit status 1."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the doctor's table; `fix` is empty where nothing is to be done."""

    name: str
    level: Level
    what: str
    fix: str = ""


def ok(name: str, what: str) -> Finding:
    return Finding(name, Level.OK, what)


def warning(name: str, what: str, fix: str) -> Finding:
    return Finding(name, Level.WARNING, what, fix)


def error(name: str, what: str, fix: str) -> Finding:
    return Finding(name, Level.ERROR, what, fix)
