"""Forms: every kind of field is read, and a form that nobody knows ends in a sentence.

A cog of the test's own opens and takes on forms beside the bot's.
"""

import discord
import pytest
from discord.ext import commands

from bot.errors import WORDS, Code
from cogs.forms import TITLE_LIMIT, Form, Forms
from tests.flow.studio import ACK, image

PARTS = (("a.png", image("red")), ("b.txt", b"words"))


def labelled(name, field):
    return discord.ui.Label(text=name, component=field)


def every_field(about="something: else\nand more"):
    """A form with one field of each kind, as many as a form holds, and then the others."""
    form = Form("all", about=about, title="Everything")
    options = [discord.CheckboxGroupOption(label=name, value=name) for name in ("2k", "private")]
    sizes = [discord.RadioGroupOption(label=name, value=name) for name in ("small", "large")]
    ratios = [discord.SelectOption(label=name, value=name) for name in ("1:1", "16:9")]
    form.add_item(labelled("Text", discord.ui.TextInput(custom_id="text", required=False)))
    form.add_item(
        labelled("Ratio", discord.ui.Select(custom_id="ratio", options=ratios, required=False))
    )
    form.add_item(
        labelled(
            "Options",
            discord.ui.CheckboxGroup(
                custom_id="options", options=options, required=False, min_values=0
            ),
        )
    )
    form.add_item(
        labelled("Size", discord.ui.RadioGroup(custom_id="size", options=sizes, required=False))
    )
    form.add_item(
        labelled(
            "Files",
            discord.ui.FileUpload(custom_id="files", required=False, min_values=0, max_values=3),
        )
    )
    return form


class Desk(commands.Cog):
    """Opens one form by a press, and keeps what came back."""

    def __init__(self, form):
        self.form = form
        self.filled = []
        self.fault = None

    @commands.Cog.listener()
    async def on_interaction(self, interaction):
        if interaction.type is discord.InteractionType.application_command:
            await interaction.response.send_modal(self.form())

    async def take(self, interaction, filled):
        self.filled.append(filled)
        if self.fault is not None:
            raise self.fault
        await interaction.response.send_message("taken", ephemeral=True)


@pytest.fixture
async def desk(studio):
    """A bot with one command, which opens a form, and the forms' own listener."""
    desk = Desk(every_field)
    bot = studio.app.bot
    for name in ("Forms", "Imagine"):
        await bot.remove_cog(name)

    @bot.tree.command(name="imagine", description="Open the form")
    async def imagine(_interaction: discord.Interaction, prompt: str) -> None:
        del prompt

    await bot.add_cog(desk)
    await bot.add_cog(Forms(handlers={"all": desk.take}))
    return desk


async def opened(studio):
    shown = await studio.imagine()
    assert shown.modal is not None
    return shown


async def test_every_kind_of_field_is_read(studio, desk):
    shown = await opened(studio)
    done = await studio.member.submit_modal(
        shown,
        {
            "text": "two\nlines",
            "ratio": ["16:9"],
            "options": ["2k", "private"],
            "size": "large",
            "files": list(PARTS),
        },
    )
    assert studio.said(done) == "taken"
    [filled] = desk.filled
    assert (filled.name, filled.about) == ("all", "something: else\nand more")
    assert filled.texts == {"text": "two\nlines"}
    assert filled.choices == {
        "ratio": ("16:9",),
        "options": ("2k", "private"),
        "size": ("large",),
    }
    files = filled.files["files"]
    assert [file.filename for file in files] == ["a.png", "b.txt"]
    assert [await file.read() for file in files] == [data for _, data in PARTS]


async def test_fields_that_are_left_empty_are_empty(studio, desk):
    await studio.member.submit_modal(await opened(studio), {})
    [filled] = desk.filled
    assert filled.texts == {"text": ""}
    assert filled.choices == {"ratio": (), "options": (), "size": ()}
    assert filled.files == {"files": ()}


async def test_a_single_box_is_a_choice_of_true_or_false(studio, desk):
    def boxes():
        form = Form("all", about="", title="Boxes")
        form.add_item(labelled("Yes", discord.ui.Checkbox(custom_id="yes")))
        form.add_item(labelled("No", discord.ui.Checkbox(custom_id="no")))
        return form

    desk.form = boxes
    await studio.member.submit_modal(await opened(studio), {"yes": True, "no": False})
    [filled] = desk.filled
    assert filled.choices == {"yes": ("True",), "no": ("False",)}
    assert filled.about == ""


@pytest.mark.parametrize("wrong", ["form:gone:x", "form:ALL:x", "settings", "form:all"])
async def test_a_form_that_nobody_knows_is_out_of_date(studio, desk, wrong):
    shown = await opened(studio)
    shown._interaction.modal["custom_id"] = wrong
    done = await studio.member.submit_modal(shown, {})
    assert studio.said(done) == (
        "**This form is out of date.**\nOpen it again from the picture or the command."
    )
    assert desk.filled == []


async def test_a_defect_is_excused(studio, desk):
    desk.fault = ZeroDivisionError()
    done = await studio.member.submit_modal(await opened(studio), {})
    words = WORDS[Code.INTERNAL]
    assert studio.said(done) == f"**{words.title}**\n{words.advice}"


async def test_an_answer_that_discord_refuses_is_not_repeated(studio, desk):
    shown = await opened(studio)
    studio.env.inject_error("POST", ACK, status=404, code=10062)
    done = await studio.member.submit_modal(shown, {})
    assert len(desk.filled) == 1
    assert done.response is None


async def test_what_is_no_form_is_left_alone(studio, desk):
    """A command is an interaction, too."""
    await studio.imagine()
    assert desk.filled == []


def test_a_title_is_cut_to_what_discord_takes():
    assert len(Form("a", about="", title="t" * 100).title) == TITLE_LIMIT
