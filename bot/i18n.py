"""Every text a person reads passes through here: gettext catalogues, one per language.

It owns the choice of the language; it never formats for Discord and never holds a text itself.

Catalogues are read as they are written and committed, from `locale/<language>/LC_MESSAGES/
easel.po`: there is nothing to compile, hence nothing that can be stale. Read is the form in which
`make messages` writes them, one text per line; a test holds this reading to Babel's.
"""

import ast
import gettext
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DOMAIN = "easel"
# The names of options stand apart in the catalogues: Discord is strict about their letters.
OPTION = "option"
CATALOGUES = Path(__file__).with_name("locale")

_locale: ContextVar[str] = ContextVar("easel_locale", default="en-US")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The texts of one language by context and message id; which form a number takes in it."""

    texts: Mapping[tuple[str | None, str], tuple[str, ...]]
    form: Callable[[int], int]

    def find(self, message: str, *, context: str | None = None, form: int = 0) -> str | None:
        """A text in this language, or None."""
        texts = self.texts.get((context, message), ())
        return texts[form] if form < len(texts) else None


def read(text: str) -> Catalogue:
    """A catalogue as `make messages` writes it. Raises ValueError if it names no plural forms."""
    texts = {}
    for entry in text.split("\n\n"):
        found = dict(re.findall(r'^(msg\S+) (".*")$', entry, re.MULTILINE))
        fields = {name: str(ast.literal_eval(quoted)) for name, quoted in found.items()}
        forms = tuple(told for name, told in fields.items() if name.startswith("msgstr"))
        if "#, fuzzy" not in entry and fields.get("msgid") and all(forms):
            texts[fields.get("msgctxt"), fields["msgid"]] = forms
    plural = re.search(r"plural=(.+?);", text)
    if plural is None:
        raise ValueError("the catalogue names no plural forms")
    return Catalogue(texts=texts, form=gettext.c2py(plural[1]))


@cache
def _catalogue(locale: str) -> Catalogue | None:
    """The catalogue of a Discord locale (`de`, `pt-BR`, ...) or of its language, or None."""
    # A locale comes from outside: only what is there is opened.
    known = {path.parts[-3]: path for path in CATALOGUES.glob(f"*/LC_MESSAGES/{DOMAIN}.po")}
    names = (locale.replace("-", "_"), locale.partition("-")[0])
    path = next((known[name] for name in names if name in known), None)
    return None if path is None else read(path.read_text(encoding="utf-8"))


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
    catalogue = _catalogue(_locale.get())
    return (catalogue and catalogue.find(message)) or message


def pgettext(context: str, message: str) -> str:
    """The message in the locale in use, as one says it in this context."""
    catalogue = _catalogue(_locale.get())
    return (catalogue and catalogue.find(message, context=context)) or message


def ngettext(one: str, many: str, count: int) -> str:
    """The message in the grammatical number that `count` asks for in the locale in use."""
    catalogue = _catalogue(_locale.get())
    told = catalogue and catalogue.find(one, form=catalogue.form(count))
    return told or (one if count == 1 else many)


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a command as a value of a sentence: as Discord calls it in the locale in use."""

    name: str

    def __str__(self) -> str:
        return pgettext(OPTION, self.name)


def N_(message: str) -> str:  # noqa: N802 - the name that gettext tools look for
    """Mark a message for the catalogues where it stands, to be translated where it is shown."""
    return message
