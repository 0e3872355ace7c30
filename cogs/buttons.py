"""Buttons that outlive the process: their ids name the reply, so any process can answer them.

It owns what a press means in Discord; it never decides what may be shown, made or taken back.
"""

import re
from collections.abc import Awaitable, Callable, Mapping

import discord
import structlog
from discord.ext import commands

from bot import cards
from bot.catalog import Complaint
from bot.i18n import N_
from bot.intake import Intake
from bot.presses import Verb
from cogs.interactions import Interaction, place, pressed, target, whisper

log = structlog.get_logger(__name__)

Press = Callable[[Interaction, str], Awaitable[None]]

MESSAGE_GONE = 10008  # Discord's code
# Whose these are is judged where they are answered; anybody may report.
JUDGED = {Verb.SHOW, Verb.CANCEL, Verb.DELETE, Verb.REPORT}
_ID = re.compile(cards.CUSTOM_ID)
_UNANSWERED = Complaint(
    N_("This button does not work any more."), N_("Ask for the picture again with a command.")
)
_REFUSED = Complaint(
    N_("Discord did not let the bot do that."),
    N_("It may lack a permission here. Try again, or ask a moderator."),
)
_GONE = Complaint(N_("This message is gone already."), N_("There is nothing left to delete."))


class Buttons(commands.Cog):
    """Hands every press of a card's button or select to what answers it.

    A listener and no item of discord.py's: what a listener raises reaches the one place that
    excuses the bot, what an item raises is only logged.
    """

    def __init__(self, *, intake: Intake, presses: Mapping[Verb, Press]) -> None:
        self._intake = intake
        self._presses = presses

    @commands.Cog.listener()
    async def on_interaction(self, interaction: Interaction) -> None:
        match = pressed(interaction, _ID)
        if match is None:
            return
        verb = Verb(match["verb"])
        press = self._presses.get(verb)
        if press is None:
            await whisper(interaction, _UNANSWERED)
            return
        try:
            if verb not in JUDGED:
                complaint = await self._intake.hands(
                    match["reply"],
                    place(interaction),
                    user_id=interaction.user.id,
                    moderates=interaction.permissions.manage_messages,
                )
                if complaint is not None:
                    await whisper(interaction, complaint)
                    return
            await press(interaction, match["reply"])
        except discord.HTTPException as error:
            log.warning("button.failed", button=verb, cause=str(error))
            await _regret(interaction)


async def _regret(interaction: Interaction) -> None:
    """Say that Discord refused something, unless it refuses that as well."""
    try:
        await whisper(interaction, _REFUSED)
    except discord.HTTPException as error:
        log.warning("button.no_regret", interaction=interaction.id, cause=str(error))


def bound(intake: Intake, press: Callable[[Interaction, Intake, str], Awaitable[None]]) -> Press:
    """An answer to a press, with the door that it goes through."""
    return lambda interaction, reply_id: press(interaction, intake, reply_id)


def presses(intake: Intake) -> Mapping[Verb, Press]:
    """What the buttons of the first cards do: the reply's id is their second argument."""
    return {
        Verb.SHOW: bound(intake, _show),
        Verb.CANCEL: bound(intake, _cancel),
        Verb.DELETE: bound(intake, _delete),
    }


async def _show(interaction: Interaction, intake: Intake, reply_id: str) -> None:
    await interaction.response.defer()
    complaint = await intake.show(reply_id, target(interaction, intake, private=True))
    if complaint is not None:
        await whisper(interaction, complaint)


async def _cancel(interaction: Interaction, intake: Intake, reply_id: str) -> None:
    await interaction.response.defer()
    cancelled = await intake.cancel(reply_id, user_id=interaction.user.id)
    if isinstance(cancelled, Complaint):
        # A card that nothing could reach any more waits still: this press brings a token for it.
        place = target(interaction, intake, private=True)
        if await intake.show(reply_id, place, kept=True) is not None:
            await whisper(interaction, cancelled)
        return
    await interaction.edit_original_response(view=cards.CardView(cancelled))


async def _delete(interaction: Interaction, intake: Intake, reply_id: str) -> None:
    moderates = interaction.guild_id is not None and interaction.permissions.manage_messages
    complaint = None
    if not moderates:
        asked = interaction.message.interaction_metadata if interaction.message else None
        complaint = await intake.own(
            reply_id, user_id=interaction.user.id, asked_by=asked.user.id if asked else None
        )
    if complaint is not None:
        await whisper(interaction, complaint)
        return
    await interaction.response.defer()
    try:
        await interaction.delete_original_response()
    except discord.NotFound as error:
        if error.code != MESSAGE_GONE:
            raise
        await whisper(interaction, _GONE)
    if interaction.message is not None:
        await intake.gone(reply_id, message_id=interaction.message.id)
