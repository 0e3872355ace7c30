"""Every text a person reads passes through here: gettext catalogues, one per Discord locale.

It owns the choice of the language; it never formats for Discord and never holds a text itself.
"""

import gettext
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

DOMAIN = "easel"
CATALOGUES = Path(__file__).with_name("locale")

_locale: ContextVar[str] = ContextVar("easel_locale", default="en-US")


@cache
def _catalogue(locale: str) -> gettext.NullTranslations:
    """The catalogue of a Discord locale (`de`, `pt-BR`, ...), or of its language, or English."""
    names = [locale.replace("-", "_"), locale.partition("-")[0]]
    return gettext.translation(DOMAIN, CATALOGUES, names, fallback=True)


@contextmanager
def use(locale: str) -> Iterator[None]:
    """Words made inside are in this locale; it follows the task, not the process."""
    token = _locale.set(locale)
    try:
        yield
    finally:
        _locale.reset(token)


def _(message: str) -> str:
    """The message in the locale in use."""
    return _catalogue(_locale.get()).gettext(message)


def ngettext(one: str, many: str, count: int) -> str:
    """The message in the grammatical number that `count` asks for in the locale in use."""
    return _catalogue(_locale.get()).ngettext(one, many, count)


def N_(message: str) -> str:  # noqa: N802 - the name that gettext tools look for
    """Mark a message for the catalogues where it stands, to be translated where it is shown."""
    return message
