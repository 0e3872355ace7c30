"""How a setting may be spelled in the environment: lists, ports, words in any case.

It owns the way from text to value; it never says which settings there are.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

OFF = "off"


def _split(value: object) -> object:
    """`a, b` from the environment as a list; anything else as it is."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _port(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.lower() == OFF:
        return None
    if not digits(value):
        raise ValueError(f"takes a port or {OFF}")
    return value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def digits(text: str) -> bool:
    """Whether that is a number of plain digits, such as an id."""
    return text.isascii() and text.isdecimal()


CommaSeparated = Annotated[frozenset[str], NoDecode, BeforeValidator(_split)]
Port = Annotated[int, Field(ge=0, le=65_535)]
PortOrOff = Annotated[Port | None, BeforeValidator(_port)]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)]
LogFormat = Annotated[Literal["console", "json"], BeforeValidator(_lower)]
