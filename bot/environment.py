"""Reads the settings from the environment and from `.env`, or says in one sentence what is amiss.

It owns the reading; it never decides what a setting means and never prints a value.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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


class _FromEnvironment(settings.Settings, BaseSettings):
    model_config = SettingsConfigDict(
        env_file_encoding="utf-8-sig",  # some editors on Windows begin a file with a mark
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )


def load(env_file: Path = Path(".env")) -> settings.Settings:
    """Read the environment, then `env_file` for what is missing there. Raises SettingsError."""
    try:
        return _FromEnvironment(_env_file=env_file)
    except ValidationError as error:
        raise _refusal(error) from None
    except (UnicodeDecodeError, OSError) as error:
        raise _unreadable(env_file, error) from None


def load_storage(env_file: Path = Path(".env")) -> Storage:
    """Read what the commands need that touch the database alone: no token and no key.

    Raises SettingsError, for a setting that matters to them.
    """
    unused: dict[str, Any] = dict.fromkeys(("discord_token", "hiapi_api_key"), "unused")
    unused["allowed_servers"] = settings.EVERYWHERE
    try:
        read = _FromEnvironment(_env_file=env_file, **unused)
    except ValidationError as error:
        raise _refusal(error) from None
    except (UnicodeDecodeError, OSError) as error:
        raise _unreadable(env_file, error) from None
    return Storage(
        database_url=read.database_url,
        keep_folder=read.keep_folder,
        keep_originals_days=read.keep_originals_days,
        keep_megabytes=read.keep_megabytes,
        log_level=read.log_level,
        log_format=read.log_format,
        secrets=read.secrets() - {"unused"},
    )


def _refusal(error: ValidationError) -> settings.SettingsError:
    complaints = _complaints(error)
    said = "; ".join(f"{name} {complaint}" for name, complaint in complaints)
    return settings.SettingsError(f"{said} (see .env.example).", complaints)


def _unreadable(env_file: Path, error: UnicodeDecodeError | OSError) -> settings.SettingsError:
    if isinstance(error, OSError):
        return settings.SettingsError(f"{env_file} cannot be read: {error.strerror}.")
    return settings.SettingsError(f"{env_file} is not UTF-8 text.")


def _complaints(error: ValidationError) -> tuple[tuple[str, str], ...]:
    """All that is wrong; never the value, which may be a secret."""
    complaints = []
    for fault in error.errors(include_input=False, include_url=False, include_context=False):
        name = str(fault["loc"][0]).upper()
        if fault["type"] == "missing":
            complaints.append((name, "is missing"))
        else:
            reason = fault["msg"].removeprefix("Value error, ")
            complaints.append((name, f"{reason[:1].lower()}{reason[1:]}"))
    return tuple(complaints)
