"""The texts for people: all of them collected, translated where shown, English where not known."""

import ast
import asyncio
import re
import string
from pathlib import Path

import pytest
from babel.messages import pofile

from bot import i18n
from bot.errors import WORDS
from tests import catalogues

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


def test_the_template_is_what_make_messages_writes():
    fresh = catalogues.written(catalogues.collected())
    assert fresh == TEMPLATE.read_bytes(), "run 'make messages' and commit the result"


def test_make_messages_writes_what_is_tested():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(
        r"^messages:.*\n\t\$\(BIN\)/python -m tests.catalogues$", makefile, re.MULTILINE
    )


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
        if isinstance(node, ast.Call | ast.ClassDef)
        # Its keywords are the names of options, and what they say is collected from there.
        and not (isinstance(node, ast.Call) and called(node) == "describe")
        and (
            (
                isinstance(node, ast.Call)
                and called(node)
                in {"send_message", "send", "edit_message", "edit_original_response"}
                and any(isinstance(each, ast.Constant) for each in node.args)
            )
            or any(
                keyword.arg in {"heading", "content", "label", "title", "placeholder", "text"}
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


HEADER = 'msgid ""\nmsgstr ""\n"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'


@pytest.fixture
def german(tmp_path, monkeypatch):
    """A folder of catalogues with `de` and `pt_BR` in it."""
    for locale, queue in (("de", "In der Warteschlange"), ("pt_BR", "Na fila")):
        folder = tmp_path / locale / "LC_MESSAGES"
        folder.mkdir(parents=True)
        (folder / "easel.po").write_text(
            f'{HEADER}msgid "In the queue"\nmsgstr "{queue}"\n\n'
            'msgid "Show"\nmsgstr ""\n\n'
            '#, fuzzy\nmsgid "Again"\nmsgstr "Wieder"\n\n'
            'msgctxt "option"\nmsgid "count"\nmsgstr "anzahl"\n\n'
            'msgid "{count} image"\nmsgid_plural "{count} images"\n'
            'msgstr[0] "{count} Bild"\nmsgstr[1] "{count} Bilder"\n',
            encoding="utf-8",
        )
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


@pytest.mark.parametrize("text", ["not in there", "Show", "Again", "count", ""])
@pytest.mark.usefixtures("german")
def test_a_text_that_is_not_translated_for_sure_stays_english(text):
    with i18n.use("de"):
        assert i18n._(text) == text


@pytest.mark.parametrize("locale", ["../de", "de/../de", "/", "de\0", "LC_MESSAGES"])
@pytest.mark.usefixtures("german")
def test_a_locale_opens_no_file_that_is_no_catalogue(locale):
    with i18n.use(locale):
        assert i18n._("In the queue") == "In the queue"


@pytest.mark.usefixtures("german")
def test_a_text_in_a_context_is_another_text():
    with i18n.use("de"):
        assert i18n.pgettext("option", "count") == "anzahl"
        assert i18n.pgettext("menu", "count") == "count"
        assert i18n.pgettext("option", "In the queue") == "In the queue"


def test_a_catalogue_without_plural_forms_is_refused():
    with pytest.raises(ValueError, match="plural"):
        i18n.read('msgid "a"\nmsgstr "b"\n')


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


# Filling in ---------------------------------------------------------------------------------


def placeholders(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_message_can_be_filled_in(collected):
    for text in collected:
        names = placeholders(text)
        assert all(name.isidentifier() for name in names), text
        text.format(**dict.fromkeys(names, "x"))
