"""Reads the settings from the environment and from `.env`, or says in one sentence what is amiss.

It owns the reading; it never decides what a setting means and never prints a value.
"""

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream
from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot import settings


@dataclass(frozen=True, slots=True)
class Storage:
    """Where the database and the kept files are, and how to speak of them."""

    database_url: str = field(repr=False)
    keep_folder: Path
    keep_originals_days: int
    keep_megabytes: int
    log_level: str
    log_format: str
    secrets: frozenset[str] = field(repr=False)


# In .env for docker compose, which reads the same file.
NEIGHBOURS = frozenset({"EASEL_DOMAIN", "POSTGRES_PASSWORD"})
ENCODING = "utf-8-sig"  # some editors on Windows begin a file with a mark


class _FromEnvironment(settings.Settings, BaseSettings):
    model_config = SettingsConfigDict(
        env_file_encoding=ENCODING,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )


def load(env_file: Path = Path(".env")) -> settings.Settings:
    """Read the environment, then `env_file` for what is missing there. Raises SettingsError."""
    return _read(env_file)


def load_storage(env_file: Path = Path(".env")) -> Storage:
    """Read what the commands need that touch the database alone: no token and no key.

    Raises SettingsError, for a setting that matters to them.
    """
    unused: dict[str, Any] = dict.fromkeys(("discord_token", "hiapi_api_key"), "unused")
    unused["allowed_servers"] = settings.EVERYWHERE
    read = _read(env_file, **unused)
    return Storage(
        database_url=read.database_url,
        keep_folder=read.keep_folder,
        keep_originals_days=read.keep_originals_days,
        keep_megabytes=read.keep_megabytes,
        log_level=read.log_level,
        log_format=read.log_format,
        secrets=read.secrets() - {"unused"},
    )


def strangers(env_file: Path = Path(".env")) -> tuple[str, ...]:
    """The names in `env_file` that are no settings, and so do nothing. Raises as `load` does."""
    known = NEIGHBOURS | {name.upper() for name in settings.Settings.model_fields}
    try:
        return tuple(name for name in _named(env_file) if name.upper() not in known)
    except (UnicodeDecodeError, OSError) as error:
        raise _unreadable(env_file, error) from None


def _read(env_file: Path, **given: Any) -> settings.Settings:
    try:
        _named(env_file)
        return _FromEnvironment(_env_file=env_file, **given)
    except ValidationError as error:
        raise _refusal(error) from None
    except (UnicodeDecodeError, OSError) as error:
        raise _unreadable(env_file, error) from None


def _named(env_file: Path) -> tuple[str, ...]:
    """The names that a file gives. Raises SettingsError for a line that would be dropped."""
    if env_file.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not env_file.is_file():
        return ()
    names = []
    with env_file.open(encoding=ENCODING) as lines:
        for each in parse_stream(lines):
            if each.error or (each.key is not None and each.value is None):
                where = f"{env_file} line {each.original.line}"
                raise settings.SettingsError(
                    f"{where} cannot be read: is a quote or = missing?", fix="Correct that line."
                )
            if each.key is not None:
                names.append(each.key)
    return tuple(names)


def _refusal(error: ValidationError) -> settings.SettingsError:
    complaints = _complaints(error)
    said = "; ".join(f"{name} {complaint}" for name, complaint in complaints)
    return settings.SettingsError(f"{said} (see .env.example).", complaints)


def _unreadable(env_file: Path, error: UnicodeDecodeError | OSError) -> settings.SettingsError:
    if isinstance(error, OSError):
        what = f"{env_file} cannot be read: {error.strerror}."
        if isinstance(error, PermissionError):
            return settings.SettingsError(what, fix="Give it to the user that Easel runs as.")
        return settings.SettingsError(what, fix="It must be a file with a line for each setting.")
    fix = "Save it as UTF-8 in your editor."
    return settings.SettingsError(f"{env_file} is not UTF-8 text.", fix=fix)


MISSING = "is missing"
# What pydantic calls a fault, and what it is called here; in braces what the fault brings along.
PLAIN = {
    "missing": MISSING,
    "bool_parsing": "takes true or false",
    "int_parsing": "takes a whole number",
    "float_parsing": "takes a number",
    "decimal_parsing": "takes a number",
    "finite_number": "takes a number",
    "literal_error": "takes {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "string_too_long": "must have at most {max_length} characters",
}


def _complaints(error: ValidationError) -> tuple[tuple[str, str], ...]:
    """All that is wrong; never the value, which may be a secret."""
    complaints = []
    for fault in error.errors(include_input=False, include_url=False):
        name = str(fault["loc"][0]).upper()
        if plain := PLAIN.get(fault["type"]):
            complaints.append((name, plain.format_map(fault.get("ctx", {}))))
        else:
            reason = fault["msg"].removeprefix("Value error, ")
            complaints.append((name, f"{reason[:1].lower()}{reason[1:]}"))
    return tuple(complaints)
