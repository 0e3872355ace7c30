"""The question before a request that costs much: its words, its two buttons, and their answers.

It owns what the person sees of it; it never decides what is asked about, nor what a yes brings.
"""

import re

import aiohttp
import discord
import structlog
from discord.ext import commands

from bot import i18n
from bot.catalog import Complaint
from bot.i18n import N_
from bot.questions import Answer, GoOn, Question, Questions
from cogs.interactions import CONTENT_LIMIT, Interaction, hand_back, pressed, refusal, whisper

log = structlog.get_logger(__name__)

_ID = re.compile(r"confirm:(?P<answer>yes|no):(?P<key>[0-9a-f]{16})")
_ASKED = 2  # lines of the question; below them stand the person's words
_LATE = Complaint(
    N_("This question is too old, or the bot was restarted."),
    N_("Nothing was made and nothing was counted. Please ask again."),
)
_NO = Complaint(N_("All right."), N_("Nothing was made and nothing was counted."))
_STRANGE = Complaint(
    N_("This question is for somebody else."),
    N_("Ask for a picture of your own with a command."),
)


def words(interaction: Interaction, prompt: str) -> str:
    """What this person would have to type again; of a pressed button nothing."""
    return "" if interaction.type is discord.InteractionType.component else prompt


async def put(
    interaction: Interaction,
    question: Question,
    go_on: GoOn,
    *,
    words: str,
    questions: Questions,
) -> None:
    """Ask privately. A yes goes on with its own press; this question goes once that is answered."""

    async def said_yes(press: Interaction) -> None:
        try:
            await go_on(press)
        finally:
            # Without an answer the words must still stand somewhere.
            if press.response.is_done():
                await _take_away(interaction)

    key = questions.keep(said_yes, user_id=interaction.user.id, interaction_id=interaction.id)
    if key is None:
        log.info("command.replayed", interaction=interaction.id)
        return
    log.info("question.asked", interaction=interaction.id, price=question.price)
    text = refusal(interaction, question.words(), typed=words)
    with i18n.use(str(interaction.locale)):
        view = _buttons(key, price=question.price)
    await interaction.response.send_message(text, view=view, ephemeral=True)
    await hand_back(interaction, text, typed=words)


async def _take_away(interaction: Interaction) -> None:
    try:
        await interaction.delete_original_response()
    except (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError) as error:
        log.info("question.stays", interaction=interaction.id, cause=str(error))


def _buttons(key: str, *, price: str) -> discord.ui.View:
    yes: discord.ui.Button[discord.ui.View] = discord.ui.Button(
        label=i18n._("Make it for {price}").format(price=price),
        style=discord.ButtonStyle.primary,
        custom_id=f"confirm:yes:{key}",
    )
    no: discord.ui.Button[discord.ui.View] = discord.ui.Button(
        label=i18n._("No"), custom_id=f"confirm:no:{key}"
    )
    view = discord.ui.View(timeout=None).add_item(yes).add_item(no)
    view.stop()  # discord.py need not remember it: the cog hears the presses
    return view


class Confirming(commands.Cog):
    """Hears the two buttons, also those from before a restart."""

    def __init__(self, *, questions: Questions) -> None:
        self._questions = questions

    @commands.Cog.listener()
    async def on_interaction(self, interaction: Interaction) -> None:
        match = pressed(interaction, _ID)
        if match is None:
            return
        try:
            await self._answered(interaction, match["key"], yes=match["answer"] == "yes")
        except discord.HTTPException as error:
            log.warning("question.failed", interaction=interaction.id, cause=str(error))

    async def _answered(self, interaction: Interaction, key: str, *, yes: bool) -> None:
        taken = self._questions.take(key, user_id=interaction.user.id)
        if taken is Answer.STRANGE:
            await whisper(interaction, _STRANGE)
        elif taken is Answer.TWICE:
            await interaction.response.defer()
        elif not yes:
            await _close(interaction, _NO)
        elif taken is Answer.LATE:
            await _close(interaction, _LATE)
        elif not isinstance(taken, Answer):
            await taken(interaction)


async def _close(interaction: Interaction, told: Complaint) -> None:
    """Say this in place of the question; the words below it stay, and the buttons go."""
    content = interaction.message.content if interaction.message is not None else ""
    text = "\n".join((refusal(interaction, told), *content.split("\n")[_ASKED:]))
    if len(text) <= CONTENT_LIMIT:
        await interaction.response.edit_message(content=text, view=None)
        return
    await interaction.response.edit_message(view=None)
    await whisper(interaction, told)
