"""Every language's catalogue: complete, up to date, and true to what the English says."""

import re
import string

import discord
import pytest
from babel.messages import Catalog, pofile

from bot import i18n
from bot.i18n import OPTION
from tests import catalogues
from tests.catalogues import ROOT, forms

LANGUAGES = catalogues.languages()
# Discord's locales that are not answered in English, and whose catalogue they read.
LOCALES = {
    "de": "de",
    "es-419": "es",
    "es-ES": "es",
    "fr": "fr",
    "ja": "ja",
    "ko": "ko",
    "pt-BR": "pt_BR",
    "zh-CN": "zh_CN",
}
# What a translation keeps: markup, times, commands, file kinds, lines.
KEPT = re.compile(
    r"\*\*|__|~~|`|\]\(|<[t@#:]|\n|(?<![A-Za-z\d.}])[/.][a-z]+(?![a-z])|PNG|JPEG|WebP|UTF-8|Discord"
)
MENTION = re.compile(r"\b(?:[Pp]ress|[Uu]se|with|after|button) ([A-Z]\w+(?: prompt)?)")
# How a language quotes what stands on a button.
QUOTES = {
    "de": "„{}“",
    "es": "«{}»",
    "fr": "« {} »",
    "ja": "「{}」",
    "ko": "\u2018{}\u2019",
    "pt_BR": "“{}”",
    "zh_CN": "“{}”",
}
# What it never says here: the other form of address, the other ending, marks that are not its own.
NEVER = {
    "fr": re.compile(r"'|\b(?:tu|te|toi|ton|ta|tes|tien|tienne)\b", re.IGNORECASE),
    "ja": re.compile(r"[!?]|(?<!\])\("),
    "ko": re.compile(r"니다|당신"),
    "zh_CN": re.compile(r"[!?]|(?<!\])\(|您"),
}


@pytest.fixture(scope="module")
def template():
    return catalogues.collected()


def ids(message):
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def placeholders(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def faults(catalogue):
    """What is wrong with a catalogue, one line each."""
    found = [f"gone: {key}" for key in catalogue.obsolete]
    for message in catalogue:
        if not message.id:
            continue
        source, texts = ids(message)[-1], forms(message)
        said = {word for text in texts for word in _faults(source, text)}
        if len(texts) != (catalogue.num_plurals if message.pluralizable else 1):
            said.add("forms")
        if message.fuzzy:
            said.add("fuzzy")
        found += [f"{kind}: {source}" for kind in sorted(said)]
    return found


def _faults(source, text):
    if not text:
        return ["missing"]
    found = []
    try:
        if placeholders(text) != placeholders(source):
            found.append("values")
    except ValueError:
        found.append("braces")
    if text != text.strip() or "  " in text:
        found.append("blanks")
    if sorted(KEPT.findall(text)) != sorted(KEPT.findall(source)):
        found.append("kept")
    ends = source.endswith((".", "…"))
    if ends != text.endswith((".", "。", "…")) and not source.endswith("..."):
        found.append("full stop")
    if text == source and len(re.findall(r"[a-z]{2,}", re.sub(r"\{\w+\}", "", source))) > 2:
        found.append("English")
    return found


# What is committed --------------------------------------------------------------------------


def test_every_language_that_is_promised_is_there():
    assert set(LANGUAGES) == set(LOCALES.values())
    assert set(LOCALES) <= {locale.value for locale in discord.Locale}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_is_what_make_messages_writes(language, template):
    path = LANGUAGES[language]
    fresh = catalogues.written(
        catalogues.brought_up(catalogues.load(path), template), language=language
    )
    assert fresh == path.read_bytes(), "run 'make messages' and commit the result"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_says_all_that_the_english_says(language, template):
    catalogue = catalogues.load(LANGUAGES[language])
    assert {(m.context, ids(m)) for m in catalogue} == {(m.context, ids(m)) for m in template}
    assert faults(catalogue) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_bot_reads_a_catalogue_as_babel_does(language):
    path = LANGUAGES[language]
    ours, babel = i18n.read(path.read_text(encoding="utf-8")), catalogues.load(path)
    assert ours.texts == {(m.context, ids(m)[0]): forms(m) for m in babel if m.id}
    told = [ours.form(number) for number in range(200)]
    assert set(told) <= set(range(babel.num_plurals))


@pytest.mark.parametrize(("locale", "language"), LOCALES.items())
def test_discords_locales_find_their_language(locale, language):
    expected = i18n.read(LANGUAGES[language].read_text(encoding="utf-8"))
    with i18n.use(locale):
        assert i18n._("Cancel") == expected.find("Cancel")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_button_is_called_the_same_in_a_sentence(language):
    catalogue = catalogues.load(LANGUAGES[language])
    mentions = [
        (message, catalogue.get(label).string)
        for message in catalogue
        for label in MENTION.findall(ids(message)[-1])
        if catalogue.get(label)
    ]
    assert mentions
    for message, label in mentions:
        assert all(QUOTES[language].format(label) in text for text in forms(message))


@pytest.mark.parametrize(("language", "never"), NEVER.items())
def test_a_language_keeps_its_form_of_address_and_its_marks(language, never):
    texts = [text for message in catalogues.load(LANGUAGES[language]) for text in forms(message)]
    assert [text for text in texts[1:] if never.search(text)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_option_is_called_the_same_in_a_sentence(language):
    catalogue = catalogues.load(LANGUAGES[language])
    mentions = [
        (message, name)
        for message in catalogue
        if isinstance(message.id, str)
        for name in re.findall(r"`([a-z_0-9]+)`", message.id)
    ]
    assert mentions
    for message, name in mentions:
        assert f"`{catalogue.get(name, context=OPTION).string}`" in message.string


def test_the_glossary_calls_buttons_as_the_catalogues_do():
    text = (ROOT / "docs/translating.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    head = next(row for row in rows if row[0] == "English")
    assert set(head[1:]) == set(LANGUAGES)
    for name, path in LANGUAGES.items():
        catalogue, column = catalogues.load(path), head.index(name)
        buttons = [row for row in rows if len(row) == len(head) and catalogue.get(row[0])]
        assert {"Cancel", "Show", "Again", "Retry", "Delete"} <= {row[0] for row in buttons}
        for row in buttons:
            assert row[column] == catalogue.get(row[0]).string


# What these tests find ----------------------------------------------------------------------


def catalogue_of(text):
    header = 'msgid ""\nmsgstr ""\n"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'
    return pofile.read_po([*(header + text).splitlines(keepends=True)], locale="de")


@pytest.mark.parametrize(
    ("kind", "source", "text"),
    [
        ("missing", "Show", ""),
        ("values", "Expected {time}.", "Erwartet."),
        ("values", "Expected {time}.", "Erwartet {zeit}."),
        ("values", "Nothing.", "Nichts {time}."),
        ("braces", "Expected {time}.", "Erwartet {time."),
        ("blanks", "Show", "Anzeigen "),
        ("blanks", "Show it", "Zeig  es"),
        ("kept", "**Show**", "Anzeigen"),
        ("kept", "[It]({link}) is there.", "Es ist da: {link}."),
        ("kept", "Back <t:1:R>.", "Zurück."),
        ("kept", "Use /remix.", "Nimm /mischen."),
        ("kept", "A .txt file.", "Eine Datei."),
        ("full stop", "Nothing.", "Nichts"),
        ("full stop", "Nothing", "Nichts."),
        ("full stop", "Another…", "Anderes"),
        ("English", "Nothing was ever made", "Nothing was ever made"),
    ],
)
def test_a_bad_translation_is_found(kind, source, text):
    catalogue = Catalog(locale="de")
    catalogue.add(source, text)
    assert f"{kind}: {source}" in faults(catalogue)


def test_a_bad_plural_a_guess_and_a_leftover_are_found():
    two = 'msgid "{count} a"\nmsgid_plural "{count} b"\nmsgstr[0] "{count} A"\nmsgstr[1] "'
    assert faults(catalogue_of(two + '{count} B"\n')) == []
    assert faults(catalogue_of(two + '"\n')) == ["missing: {count} b"]
    assert faults(catalogue_of(two + '{zahl} B"\n')) == ["values: {count} b"]
    assert faults(catalogue_of('#, fuzzy\nmsgid "Show"\nmsgstr "Zeigen"\n')) == ["fuzzy: Show"]
    assert faults(catalogue_of('#~ msgid "Show"\n#~ msgstr "Zeigen"\n')) == ["gone: Show"]


# How catalogues are brought up --------------------------------------------------------------


def test_what_is_new_comes_in_empty_and_what_is_gone_leaves(template):
    catalogue = catalogue_of(
        'msgid "In the queue"\nmsgstr "Drin"\n\nmsgid "In the line"\nmsgstr "Davor"\n'
    )
    text = catalogues.written(catalogues.brought_up(catalogue, template), language="de").decode()
    assert 'msgid "In the queue"\nmsgstr "Drin"' in text
    assert "Davor" not in text
    assert "fuzzy" not in text
    assert 'msgid "Painting"\nmsgstr ""' in text
    assert not re.search(r"^#:|^#~|Date|Babel|Translator", text, re.MULTILINE)


SOURCE = """
class Menu(app_commands.Group, name="menu", description="What it groups"):
    @app_commands.command(description=N_("What it does"))
    @app_commands.describe(first="What is first", second=locale_str("What is second"))
    @app_commands.rename(second="other")
    @app_commands.choices(first=[app_commands.Choice(name="One of them", value="x")])
    async def order(self, interaction, first: str, second: str = "a default") -> None:
        await self.follow(_("Said"), text="unsaid")

    async def helper(self, interaction, third: str) -> None: ...

menu = app_commands.ContextMenu(name="On a message", callback=order)
"""


def test_a_text_within_an_f_string_is_found():
    source = """f"**{_('Bold')}** {ngettext('{n} a', '{n} b', 2)} {_(words.title)} {len('not')}" """
    assert {found.ids for found in catalogues.marked(source)} == {("Bold",), ("{n} a", "{n} b")}


def test_what_discord_lists_is_found_by_where_it_stands():
    found = {(f.context, *f.ids) for f in (*catalogues.listed(SOURCE), *catalogues.marked(SOURCE))}
    assert found == {
        (None, "What it groups"),
        (None, "What it does"),
        (None, "What is first"),
        (None, "What is second"),
        (None, "One of them"),
        (None, "Said"),
        (None, "On a message"),
        ("option", "first"),
        ("option", "other"),
    }
