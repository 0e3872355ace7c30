"""People of several languages: what Discord lists to them, and how they are answered."""

import json
import re
import shutil
import unicodedata

import discord
import pytest

from bot import i18n
from bot.intake import Intake
from bot.translator import Translator
from tests import catalogues
from tests.flow.test_history import Shown
from tests.flow.test_permissions import denied

PUT = "/applications/*/commands"
LOCALES = ["de", "es-419", "es-ES", "fr", "ja", "ko", "pt-BR", "zh-CN"]
ENGLISH = ["en-US", "en-GB", "sv-SE", "zh-TW"]


@pytest.fixture
def speak(studio):
    """Sets the language that the person's Discord is in from now on."""
    locale = {"now": "en-US"}

    def tell(event, payload):
        if event == "INTERACTION_CREATE":
            payload["locale"] = locale["now"]

    # Before the bot hears of it: simcord's people all speak English.
    studio.env.backend.subscribers.insert(0, tell)
    return lambda now: locale.update(now=now)


def labels(message):
    """What the buttons and selects of a message say."""
    return [
        button.get("label") or button["placeholder"]
        for box in message.components
        for row in box.get("components", [])
        for button in row.get("components", [])
    ]


# What Discord lists -------------------------------------------------------------------------


class Remembering(Translator):
    """Translates, and keeps what it was asked."""

    def __init__(self):
        self.asked = set()

    async def translate(self, text, locale, context):
        self.asked.add((context.location.name, text.extras.get("template", text.message)))
        return await super().translate(text, locale, context)


async def payloads(studio, translator):
    tree = studio.app.bot.tree
    return [
        await command.get_translated_payload(tree, translator) for command in tree.get_commands()
    ]


def parts(payload):
    """A command, its options and theirs, its choices."""
    yield payload
    for inner in (*payload.get("options", []), *payload.get("choices", [])):
        yield from parts(inner)


def told(part, field, locale):
    return (part.get(f"{field}_localizations") or {}).get(locale) or part.get(field) or ""


def allowed(name):
    """Discord's rule for the name of an option: small letters and digits of any script, - and _."""
    return (
        1 <= len(name) <= 32
        and name == name.lower()
        and all(c in "-_" or unicodedata.category(c)[0] in "LN" for c in name)
        # A text in another normal form is another text to Discord.
        and name == unicodedata.normalize("NFC", name)
    )


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("bild_1", True),
        ("縦横比", True),
        ("プロンプト", True),
        ("", False),
        ("Bild", False),
        ("ein bild", False),
        ("bild!", False),
        ("b" * 33, False),
        ("re\u0301solution", False),
    ],
)
def test_the_rule_for_names(name, good):
    assert allowed(name) is good


@pytest.mark.parametrize("locale", LOCALES)
async def test_what_discord_lists_keeps_its_rules(studio, locale):
    for payload in await payloads(studio, Translator()):
        menu = payload.get("type") in (2, 3)
        assert len(told(payload, "name", locale)) <= 32
        for part in parts(payload):
            if "description" in part and not menu:
                assert 1 <= len(told(part, "description", locale)) <= 100
            if "value" in part:
                assert 1 <= len(told(part, "name", locale)) <= 100
            options = [told(option, "name", locale) for option in part.get("options", [])]
            assert all(map(allowed, options)), options
            assert len(options) == len(set(options)), options
            choices = [told(choice, "name", locale) for choice in part.get("choices", [])]
            assert len(choices) == len(set(choices)), choices


async def test_the_longest_words_of_all_languages_fit_together(studio):
    for payload in await payloads(studio, Translator()):
        longest = 0
        for part in parts(payload):
            for field in ("name", "description"):
                longest += max(len(told(part, field, locale)) for locale in ("en-US", *LOCALES))
            longest += len(str(part.get("value", "")))
        assert longest <= 8000


async def test_the_name_of_a_command_is_the_same_in_all_languages(studio):
    typed = [p for p in await payloads(studio, Translator()) if p.get("type", 1) == 1]
    assert {"imagine", "remix"} <= {payload["name"] for payload in typed}
    for payload in typed:
        assert not payload["name_localizations"]
        for option in payload["options"]:
            if option["type"] in (1, 2):  # a command in a group, a group in a group
                assert not option.get("name_localizations")


async def test_all_that_discord_lists_is_in_the_catalogues(studio):
    remembering = Remembering()
    await payloads(studio, remembering)
    listed = {(m.context, m.id) for m in catalogues.collected()}
    values = {
        str(part["value"])
        for payload in await payloads(studio, Translator())
        for part in parts(payload)
        if "value" in part
    }
    for location, text in remembering.asked:
        if location in ("command_name", "group_name") or text in values:
            continue
        context = "option" if location == "parameter_name" else None
        assert (context, text) in listed, f"'{text}' is found by no tool: put it inside N_()"


async def test_discord_is_told_in_all_languages(studio):
    [put] = studio.sent("PUT", PUT)
    imagine = next(command for command in put.json if command["name"] == "imagine")
    assert set(imagine["description_localizations"]) == set(LOCALES)
    assert imagine["description_localizations"]["de"] == "Ein Bild aus deinen Worten machen"
    ratio = next(option for option in imagine["options"] if option["name"] == "aspect_ratio")
    assert ratio["name_localizations"]["ja"] == "縦横比"
    assert ratio["choices"][0]["name_localizations"]["fr"] == "1:1 (par défaut)"
    assert not ratio["choices"][1].get("name_localizations")


@pytest.mark.parametrize("locale", ["en-US", *LOCALES])
async def test_what_people_are_told_to_type_is_called_as_discord_lists_it(studio, speak, locale):
    listed = {
        option["name"]: told(option, "name", locale)
        for payload in await payloads(studio, Translator())
        for option in payload.get("options", [])
    }
    speak(locale)
    examples = Shown(await studio.member.slash(studio.channel, "help")).text
    examples += Shown(await studio.member.slash(studio.channel, "history")).text
    typed = [
        (command, re.findall(r"(\w+): ", options))
        for command, options in re.findall(r"/([a-z]+) ([^`\n]+: [^`\n]+)", examples)
    ]
    assert typed == [
        ("imagine", [listed["prompt"]]),
        ("imagine", [listed["prompt"], listed["count"]]),
        ("remix", [listed["prompt"], listed["image1"]]),
        ("history", [listed["text"]]),
        ("imagine", [listed["prompt"]]),
    ]
    locked = denied(studio, "send_messages")
    refused = studio.said(await studio.member.slash(locked, "imagine", prompt="a fox"))
    assert f"{listed['private']}: True" in refused


async def test_a_new_translation_reaches_discord(studio, monkeypatch, tmp_path):
    assert await studio.app.sync() is False
    copy = shutil.copytree(i18n.CATALOGUES, tmp_path / "locale")
    german = copy / "de/LC_MESSAGES/easel.po"
    text = german.read_text(encoding="utf-8")
    better = text.replace("Ein Bild aus deinen Worten machen", "Ein Bild nach deinen Worten")
    assert better != text
    german.write_text(better, encoding="utf-8")
    monkeypatch.setattr(i18n, "CATALOGUES", copy)
    i18n._catalogue.cache_clear()
    try:
        assert await studio.app.sync() is True
        assert await studio.app.sync() is False
    finally:
        i18n._catalogue.cache_clear()
    assert "Ein Bild nach deinen Worten" in json.dumps(studio.sent("PUT", PUT)[-1].json)


# How people are answered --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("locale", "queued", "painting", "finished", "cancel", "presses", "footer"),
    [
        (
            "de",
            "In der Warteschlange",
            "Wird gemalt",
            "Hier ist dein Bild",
            ("Abbrechen", "Nicht zeigen"),
            ["Noch einmal", "Remix davon", "Original", "Per DM senden", "Löschen"],
            r"\d+ s ·",
        ),
        (
            "ja",
            "順番待ち中",
            "描いています",
            "画像ができました",
            ("キャンセル", "表示しない"),
            ["もう一度", "これをリミックス", "オリジナル", "DM に送る", "削除"],
            r"\d+ 秒 ·",
        ),
    ],
)
async def test_a_card_speaks_the_language_of_who_asked(
    studio, speak, locale, queued, painting, finished, cancel, presses, footer
):
    speak(locale)
    result = await studio.imagine("a red fox")
    await studio.app.progress.step()
    await studio.app.progress.stop(grace=5)
    assert studio.shown(result).heading == queued
    assert cancel[0] in labels(result.response)

    await studio.submit()
    studio.clock.move(5)
    await studio.look()
    await studio.app.progress.step()
    await studio.app.progress.stop(grace=5)
    assert studio.shown(result).heading == painting
    assert cancel[1] in labels(result.response)
    # Discord itself says a time, in the language of whoever looks.
    assert re.search(r"<t:\d+:R>", studio.shown(result).text)

    speak("en-US")  # what others speak does not matter
    await studio.finish()
    assert studio.shown(result).heading == finished
    assert [each for each in labels(result.response) if each in presses] == presses
    assert re.search(footer, studio.shown(result).footer)


@pytest.mark.parametrize(
    ("locale", "problem", "fix"),
    [
        ("de", "Dein Prompt ist leer.", "Beschreib das Bild, das du möchtest, in ein paar Worten."),
        ("ja", "プロンプトが空です。", "ほしい画像を短い言葉で説明してください。"),
        ("es-419", "Tu prompt está vacío.", "Describe en pocas palabras la imagen que quieres."),
        ("pt-BR", "Seu prompt está vazio.", "Descreva em poucas palavras a imagem que você quer."),
        *(
            (locale, "Your prompt is empty.", "Describe the picture you want in a few words.")
            for locale in ENGLISH
        ),
    ],
)
async def test_a_refusal_speaks_the_language_of_who_asked(studio, speak, locale, problem, fix):
    speak(locale)
    assert studio.said(await studio.imagine("   ")) == f"**{problem}**\n{fix}"


async def test_a_language_that_discord_does_not_know_yet_reads_english(studio, speak):
    speak("xx-YY")
    result = await studio.imagine("a red fox")
    await studio.finish()
    assert studio.shown(result).heading == "Here is your picture"


async def test_two_people_are_answered_each_in_their_own_language(studio, speak):
    speak("ko")
    first = await studio.imagine("a red fox")
    speak("zh-CN")
    second = await studio.imagine("a grey owl", who=studio.someone("Wei"))
    await studio.finish()
    assert studio.shown(first).heading == "그림이 완성됐어요"
    assert studio.shown(second).heading == "你的图片来了"


async def test_a_press_is_answered_in_the_language_of_who_pressed(studio, speak):
    speak("de")
    result = await studio.imagine("a red fox")
    await studio.finish()
    speak("fr")
    pressed = await studio.someone("Camille").click(result.response, label="Löschen")
    said = [m.content for m in (pressed.response, *pressed.followups) if m and m.ephemeral]
    assert len(said) == 1
    assert said[0].startswith("**Vous ne pouvez pas supprimer cette image.**")


async def test_an_excuse_speaks_the_language_of_who_asked(studio, speak, monkeypatch):
    async def defective(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Intake, "receive", defective)
    speak("de")
    assert studio.said(await studio.imagine()).startswith("**Im Bot ist etwas schiefgegangen**\n")


def test_the_languages_here_are_those_with_a_catalogue():
    served = {
        locale.value for locale in discord.Locale if i18n._catalogue(locale.value) is not None
    }
    assert served == set(LOCALES)
