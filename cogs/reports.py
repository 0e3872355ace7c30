"""Report: a button and an entry of the Apps menu that tell moderators of somebody's picture.

It owns the form and its answers; it never decides who may report what, and never posts a report.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import discord
from discord import app_commands

from bot import cards, discord_bot, i18n
from bot.catalog import Complaint
from bot.i18n import N_, _
from bot.presses import Verb
from bot.reporting import REASON_LIMIT, Reporting
from cogs.buttons import Press
from cogs.forms import Filled, Form, Handler, add
from cogs.interactions import Interaction, whisper

NAME = "report"
REASON = "reason"

_ID = re.compile(cards.CUSTOM_ID)
_NO_CARD = Complaint(
    N_("This message shows no picture of this bot."),
    N_("Choose one of its cards. For anything else tell a moderator."),
)


class Reports:
    """What the button, the menu and the form do; its methods are their answers."""

    def __init__(self, *, reporting: Reporting) -> None:
        self._reporting = reporting
        self.menus = (app_commands.ContextMenu(name=N_("Report picture"), callback=self.chosen),)
        self.presses: Mapping[Verb, Press] = {Verb.REPORT: self.press}
        self.handlers: Mapping[str, Handler] = {NAME: self.submitted}

    async def chosen(self, interaction: Interaction, message: discord.Message) -> None:
        """A card, found by the buttons that name its reply: nobody but the bot can send those."""
        own = interaction.client.user
        ours = own is not None and message.author.id == own.id
        reply_id = _named(message.components) if ours else None
        if reply_id is None:
            await whisper(interaction, _NO_CARD)
        else:
            await self.press(interaction, reply_id)

    async def press(self, interaction: Interaction, reply_id: str) -> None:
        """Ask for the reason, unless there is one against it already."""
        complaint = await self._reporting.opens(reply_id, user_id=interaction.user.id)
        if complaint is not None:
            await whisper(interaction, complaint)
            return
        with i18n.use(str(interaction.locale)):
            form = Form(NAME, about=reply_id, title=_("Report this picture"))
            text: Any = discord.ui.TextInput(
                custom_id=REASON,
                style=discord.TextStyle.paragraph,
                min_length=1,
                max_length=REASON_LIMIT,
            )
            said = _("Moderators see this with your name; whoever made the picture is not told.")
            add(form, _("What is wrong with it?"), text, said)
        await interaction.response.send_modal(form)

    async def submitted(self, interaction: Interaction, filled: Filled) -> None:
        """The reason came: it is kept, or the person is told why not, with their words."""
        typed = filled.texts.get(REASON, "")
        await interaction.response.defer(ephemeral=True, thinking=True)
        kept = await self._reporting.report(filled.about, user_id=interaction.user.id, reason=typed)
        if isinstance(kept, Complaint):
            await whisper(interaction, kept, typed=typed)
            return
        with i18n.use(str(interaction.locale)):
            told = (
                _("Thank you. Your report is kept for the people who run this bot.")
                if kept.guild_id is None
                else _("Thank you. Your report is kept, and the moderators here can read it.")
            )
        await discord_bot.whisper(interaction, told)


def _named(components: Iterable[Any]) -> str | None:
    """The reply that a card's buttons name, wherever they are nested."""
    for component in components:
        match = _ID.fullmatch(getattr(component, "custom_id", None) or "")
        found = match["reply"] if match else _named(getattr(component, "children", ()))
        if found is not None:
            return found
    return None
