"""Buttons that outlive the process: their ids name the reply, so any process can answer them.

It owns what a press means in Discord; it never decides whether there is something to show.
"""

import re

import discord
import structlog

from bot import cards
from bot.intake import Intake
from cogs import asking

log = structlog.get_logger(__name__)


Button = type[discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]]]


def show_button(intake: Intake) -> Button:
    """The class that answers Show, the intake inside: discord.py keeps classes, not objects."""

    class Show(
        discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
        template=rf"{cards.SHOW}(?P<reply>[a-z2-7]{{16}})",
    ):
        def __init__(self, reply_id: str) -> None:
            super().__init__(discord.ui.Button(custom_id=f"{cards.SHOW}{reply_id}"))
            self._reply_id = reply_id

        @classmethod
        async def from_custom_id(
            cls,
            _interaction: asking.Interaction,
            _item: discord.ui.Item[discord.ui.View],
            match: re.Match[str],
        ) -> "Show":
            return cls(match["reply"])

        async def callback(self, interaction: asking.Interaction) -> None:
            try:
                await interaction.response.defer()
            except discord.HTTPException as error:
                log.warning("button.not_acknowledged", button="show", cause=str(error))
                return
            complaint = await intake.show(
                self._reply_id, asking.target(interaction, intake, private=True)
            )
            if complaint is not None:
                await asking.whisper(interaction, complaint)

    return Show
