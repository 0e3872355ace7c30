"""The texts for people: all of them collected, translated where shown, English where not known."""

import ast
import asyncio
import re
import shlex
import string
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages import Catalog, mofile, pofile

from bot import i18n
from bot.errors import WORDS

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "bot/locale/easel.pot"
# Whose first two arguments a person reads.
FOR_PEOPLE = {"Complaint", "Words"}


@pytest.fixture(scope="module")
def collected():
    """Every message id in the template, a plural form as its singular."""
    with TEMPLATE.open("rb") as file:
        catalogue = pofile.read_po(file)
    return {m.id if isinstance(m.id, str) else m.id[0] for m in catalogue if m.id}


def sources():
    for folder in ("bot", "cogs"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def called(node):
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)


# Collecting ---------------------------------------------------------------------------------


def test_the_template_is_what_make_messages_writes(tmp_path):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"^messages:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)[1]
    program, *options = shlex.split(recipe.replace("\\\n", " "))
    assert program == "$(BIN)/pybabel"
    fresh = tmp_path / "easel.pot"
    options[options.index("-o") + 1] = str(fresh)
    command = [sys.executable, "-m", "babel.messages.frontend", *options]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)  # noqa: S603 - ours
    assert fresh.read_bytes() == TEMPLATE.read_bytes(), "run 'make messages' and commit the result"


def test_the_template_names_no_date_path_or_version():
    text = TEMPLATE.read_text(encoding="utf-8")
    assert not re.search(r"^#:|Date|Babel|/\w+/", text, re.MULTILINE)


def test_every_failure_is_collected(collected):
    for words in WORDS.values():
        assert {words.title, words.advice} <= collected
        assert words.operator not in collected, "the operator reads English"


@pytest.mark.parametrize("name", ["errors", "catalog", "policy", "intake", "uploads"])
def test_marked_constants_are_collected_from_each_module_that_has_them(collected, name):
    (tree,) = (tree for path, tree in sources() if path.stem == name)
    marked = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and called(node) == "N_"
    }
    assert marked
    assert marked <= collected


def test_no_sentence_for_people_stands_unmarked():
    unmarked = [
        f"{path.relative_to(ROOT)}:{argument.lineno} {ast.unparse(argument)[:60]}"
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and called(node) in FOR_PEOPLE
        for argument in node.args[:2]
        if isinstance(argument, ast.Constant | ast.JoinedStr)
    ]
    assert not unmarked


def test_what_is_sent_or_drawn_is_never_a_bare_text():
    bare = [
        f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)[:60]}"
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (
            (
                called(node) in {"send_message", "send", "edit_message", "edit_original_response"}
                and any(isinstance(each, ast.Constant) for each in node.args)
            )
            or any(
                keyword.arg in {"heading", "content", "label", "title"}
                and isinstance(keyword.value, ast.Constant)
                and isinstance(keyword.value.value, str)
                and re.search("[a-z]", keyword.value.value)
                for keyword in node.keywords
            )
        )
    ]
    assert not bare


def test_no_marked_text_is_put_together_before_it_is_translated():
    """An f-string or a sum inside the marks is found by no tool and in no catalogue."""
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and called(node) in {"N_", "_", "ngettext"}
        and node.args
        and isinstance(node.args[0], ast.JoinedStr | ast.BinOp)
    ]
    assert not wrong


# Translating --------------------------------------------------------------------------------


@pytest.fixture
def german(tmp_path, monkeypatch):
    """A folder of catalogues with `de` and `pt_BR` in it."""
    for locale, queue in (("de", "In der Warteschlange"), ("pt_BR", "Na fila")):
        catalogue = Catalog(locale=locale)
        catalogue.add("In the queue", queue)
        catalogue.add(("{count} image", "{count} images"), ("{count} Bild", "{count} Bilder"))
        folder = tmp_path / locale / "LC_MESSAGES"
        folder.mkdir(parents=True)
        with (folder / "easel.mo").open("wb") as file:
            mofile.write_mo(file, catalogue)
    monkeypatch.setattr(i18n, "CATALOGUES", tmp_path)
    i18n._catalogue.cache_clear()
    yield
    i18n._catalogue.cache_clear()


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("de", "In der Warteschlange"),
        ("pt-BR", "Na fila"),
        ("pt", "In the queue"),
        ("en-US", "In the queue"),
        ("en-GB", "In the queue"),
        ("xx-YY", "In the queue"),
        ("", "In the queue"),
    ],
)
@pytest.mark.usefixtures("german")
def test_a_locale_that_is_not_known_reads_english(locale, text):
    with i18n.use(locale):
        assert i18n._("In the queue") == text


@pytest.mark.usefixtures("german")
def test_a_text_that_is_not_translated_stays_english():
    with i18n.use("de"):
        assert i18n._("not in there") == "not in there"


@pytest.mark.parametrize("locale", ["de", "xx"])
@pytest.mark.parametrize(("count", "number"), [(0, 1), (1, 0), (2, 1)])
@pytest.mark.usefixtures("german")
def test_numbers_choose_their_form(locale, count, number):
    forms = {"de": ["{count} Bild", "{count} Bilder"], "xx": ["{count} image", "{count} images"]}
    with i18n.use(locale):
        assert i18n.ngettext("{count} image", "{count} images", count) == forms[locale][number]


@pytest.mark.usefixtures("german")
def test_a_locale_ends_where_its_block_ends():
    with i18n.use("de"):
        with i18n.use("en-US"):
            assert i18n._("In the queue") == "In the queue"
        assert i18n._("In the queue") == "In der Warteschlange"
    assert i18n._("In the queue") == "In the queue"


@pytest.mark.usefixtures("german")
async def test_tasks_side_by_side_keep_their_own_locale():
    both = asyncio.Barrier(2)

    async def read(locale):
        with i18n.use(locale):
            await both.wait()
            return i18n._("In the queue")

    assert await asyncio.gather(read("de"), read("pt-BR")) == ["In der Warteschlange", "Na fila"]


# Catalogues ---------------------------------------------------------------------------------


def placeholders(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def mismatched(catalogue):
    """The messages whose translation asks for other values than the original gives."""
    wrong = []
    for message in catalogue:
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        texts = [message.string] if isinstance(message.string, str) else list(message.string)
        given = set().union(*map(placeholders, ids))
        if message.id and any(text and not placeholders(text) <= given for text in texts):
            wrong.append(ids[0])
    return wrong


def test_a_translation_that_asks_for_unknown_values_is_found():
    catalogue = Catalog(locale="de")
    catalogue.add("Expected {time}.", "Erwartet {time}.")
    catalogue.add("{count} image", "{zahl} Bild")
    catalogue.add(("{count} a", "{count} b"), ("eins", "{zahl} b"))
    assert mismatched(catalogue) == ["{count} image", "{count} a"]


def test_the_committed_catalogues_ask_for_nothing_that_is_not_given():
    for path in TEMPLATE.parent.glob("*/LC_MESSAGES/*.po"):
        with path.open("rb") as file:
            catalogue = pofile.read_po(file)
        assert not mismatched(catalogue), path


def test_every_message_can_be_filled_in(collected):
    for text in collected:
        names = placeholders(text)
        assert all(name.isidentifier() for name in names), text
        text.format(**dict.fromkeys(names, "x"))
