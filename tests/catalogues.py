"""Collects the texts for people and brings every catalogue up to them; `make messages` runs it.

It owns what `bot/locale/` looks like, byte for byte; it never translates. What no longer stands in
the code leaves the catalogues, and what is new comes in untranslated: nothing is guessed.
"""

import ast
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from babel import Locale
from babel.messages import Catalog, extract, pofile
from babel.messages.catalog import Message

from bot.i18n import CATALOGUES, DOMAIN, OPTION

ROOT = Path(__file__).parents[1]
TEMPLATE = CATALOGUES / f"{DOMAIN}.pot"
# Whose arguments hold texts, beside gettext's own names.
KEYWORDS = {**extract.DEFAULT_KEYWORDS, "N_": None, "locale_str": None}
SHORT = "At most 100 characters."
NAME = "An option: small letters, digits, - and _, at most 32 in all."
MENU = "An entry of a menu, at most 32 characters."
CHOICE = "One of the values of an option, at most 100 characters."


@dataclass(frozen=True, slots=True)
class Found:
    """A text where it stands; several ids are the grammatical numbers of one."""

    line: int
    ids: tuple[str, ...]
    context: str | None = None
    comments: tuple[str, ...] = ()


def marked(source: str) -> Iterator[Found]:
    """The texts inside `_()`, `N_()` and their like."""
    told = extract.extract(
        "python", io.BytesIO(source.encode()), keywords=KEYWORDS, comment_tags=("Translators:",)
    )
    for line, message, comments, context in told:
        ids = (message,) if isinstance(message, str) else tuple(message)
        yield Found(line, ids, context, tuple(comments))
    yield from _inside(ast.parse(source))


def _inside(tree: ast.Module) -> Iterator[Found]:
    """The marked texts within f-strings, which Babel takes for plain strings before Python 3.12."""
    strings = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    for node in (inner for string in strings for inner in ast.walk(string)):
        if isinstance(node, ast.Call) and _name(node) in {"_", "N_", "ngettext"}:
            ids = tuple(text for text in map(_text, node.args) if text is not None)
            if ids:
                yield Found(node.lineno, ids)


def listed(source: str) -> Iterator[Found]:
    """What Discord lists of commands: descriptions, and the names of options, menus, choices."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            yield from _called(node)
        elif isinstance(node, ast.ClassDef):  # a group of commands
            yield from _said(node.keywords, {"description"}, SHORT)
        elif isinstance(node, ast.AsyncFunctionDef):
            yield from _options(node)


def _called(node: ast.Call) -> Iterator[Found]:
    name = _name(node)
    if name == "describe":
        yield from _said(node.keywords, None, SHORT)
    elif name in {"command", "Group"}:
        yield from _said(node.keywords, {"description"}, SHORT)
    elif name in {"context_menu", "ContextMenu"}:
        yield from _said(node.keywords, {"name"}, MENU)
    elif name == "Choice":
        yield from _said(node.keywords, {"name"}, CHOICE)


def _options(function: ast.AsyncFunctionDef) -> Iterator[Found]:
    """The options of a command are what its function takes after the interaction."""
    decorators = [node for node in function.decorator_list if isinstance(node, ast.Call)]
    if not any(_name(node) == "command" for node in decorators):
        return
    names = {argument.arg: argument.arg for argument in function.args.args}
    for node in decorators:
        if _name(node) == "rename":
            names |= {keyword.arg: _text(keyword.value) for keyword in node.keywords}
    method = function.args.args[0].arg == "self"
    for name in [*names.values()][2 if method else 1 :]:
        yield Found(function.lineno, (name,), OPTION, (NAME,))


def _said(keywords: list[ast.keyword], names: set[str] | None, comment: str) -> Iterator[Found]:
    for keyword in keywords:
        text = _text(keyword.value)
        if text is not None and (names is None or keyword.arg in names):
            yield Found(keyword.value.lineno, (text,), None, (comment,))


def _name(node: ast.Call) -> str | None:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)


def _text(node: ast.expr) -> str | None:
    """A text as it stands, or inside a mark."""
    if isinstance(node, ast.Call) and node.args and _name(node) in {"N_", "locale_str"}:
        return _text(node.args[0])
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def collected() -> Catalog:
    """All texts for people, in the order of files and lines."""
    template = Catalog(charset="utf-8")
    for folder in ("bot", "cogs"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            finds = [*marked(source), *(listed(source) if folder == "cogs" else ())]
            for found in sorted(finds, key=lambda found: found.line):
                message = found.ids[0] if len(found.ids) == 1 else found.ids
                template.add(message, auto_comments=found.comments, context=found.context)
    return template


def languages() -> dict[str, Path]:
    """The catalogues by language, as gettext writes it (`de`, `pt_BR`)."""
    paths = sorted(CATALOGUES.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))
    return {path.parts[-3]: path for path in paths}


def load(path: Path) -> Catalog:
    """A catalogue as a translator left it."""
    with path.open("rb") as file:
        return pofile.read_po(file, locale=path.parts[-3])


def forms(message: Message) -> tuple[str, ...]:
    """The texts of a message in a catalogue, one for each grammatical number."""
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ("",))


def brought_up(catalogue: Catalog, template: Catalog) -> Catalog:
    """The catalogue with the template's texts and no others."""
    catalogue.update(template, no_fuzzy_matching=True, update_header_comment=False)
    catalogue.obsolete.clear()
    return catalogue


def written(catalogue: Catalog, *, language: str | None = None) -> bytes:
    """A catalogue's file: no date, no path, no version; one text per line."""
    out = io.BytesIO()
    pofile.write_po(out, catalogue, width=0, no_location=True, omit_header=True)
    return _header(language) + out.getvalue().rstrip(b"\n") + b"\n"


def _header(language: str | None) -> bytes:
    if language is None:
        return b""
    told = Catalog(locale=language)
    lines = (
        f"Language: {language}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        f"Plural-Forms: {told.plural_forms}",
    )
    quoted = "".join(f'"{line}\\n"\n' for line in lines)
    return f'# {Locale.parse(language).english_name}\nmsgid ""\nmsgstr ""\n{quoted}\n'.encode()


def main(new: list[str]) -> None:
    """Write the template and every catalogue; languages named on the command line begin empty."""
    template = collected()
    TEMPLATE.write_bytes(written(template))
    for language in new:
        path = CATALOGUES / language / "LC_MESSAGES" / f"{DOMAIN}.po"
        path.parent.mkdir(parents=True)
        path.write_bytes(written(Catalog(locale=language), language=language))
    for language, path in languages().items():
        catalogue = brought_up(load(path), template)
        path.write_bytes(written(catalogue, language=language))
        missing = sum(not all(forms(message)) for message in catalogue if message.id)
        sys.stdout.write(f"{language}: {missing} of {len(catalogue)} to be translated\n")


if __name__ == "__main__":
    main(sys.argv[1:])
