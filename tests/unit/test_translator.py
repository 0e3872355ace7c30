"""Which part of a command is translated, and how."""

import discord
import pytest
from discord import app_commands
from discord.app_commands import TranslationContext
from discord.app_commands import TranslationContextLocation as Part

from bot.translator import Translator

GERMAN = discord.Locale.german


async def say(text, part, *, locale=GERMAN, data=None, **extras):
    said = app_commands.locale_str(text, **extras)
    return await Translator().translate(said, locale, TranslationContext(part, data))


@app_commands.context_menu(name="Cancel")
async def menu(_interaction: discord.Interaction, _message: discord.Message) -> None: ...


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (Part.command_description, "Abbrechen"),
        (Part.group_description, "Abbrechen"),
        (Part.parameter_description, "Abbrechen"),
        (Part.choice_name, "Abbrechen"),
        (Part.command_name, None),
        (Part.group_name, None),
        (Part.parameter_name, None),  # it is the name of no option
    ],
)
async def test_what_is_typed_stays_and_the_rest_is_translated(part, said):
    assert await say("Cancel", part) == said


async def test_an_entry_of_a_menu_is_read_and_not_typed():
    assert await say("Cancel", Part.command_name, data=menu) == "Abbrechen"


async def test_the_name_of_an_option_is_another_text_than_the_word():
    assert await say("resolution", Part.parameter_name) == "auflösung"
    assert await say("resolution", Part.choice_name) is None


@pytest.mark.parametrize("locale", [discord.Locale.american_english, discord.Locale.swedish])
async def test_english_is_not_told_twice(locale):
    assert await say("Cancel", Part.choice_name, locale=locale) is None


async def test_values_are_filled_in_after_the_translation():
    template = "{value} (default)"
    values = {"value": "1:1 {x}"}
    said = await say(template.format(**values), Part.choice_name, template=template, values=values)
    assert said == "1:1 {x} (Standard)"


async def test_braces_without_values_are_just_braces():
    assert await say("{not} a value", Part.choice_name) is None
