"""/preferences: what a person's commands take when an option is left out.

It owns the command and the controls of its panel; each changes what the presser wants, and
nobody else's.
"""

import re
from collections.abc import Mapping
from typing import Any

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot import pages, panels
from bot.catalog import Complaint
from bot.model import Kind, Taste
from bot.tastes import Tastes
from cogs.history import Control
from cogs.interactions import Interaction, whisper

log = structlog.get_logger(__name__)

RESET = "reset"


class Preferences(commands.Cog):
    """Shows the panel."""

    def __init__(self, *, tastes: Tastes) -> None:
        self._tastes = tastes

    @app_commands.command(description="Choose what counts when you leave an option out")
    async def preferences(self, interaction: Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await _show(interaction, self._tastes, await self._tastes.stored(interaction.user.id))


async def _show(interaction: Interaction, tastes: Tastes, taste: Taste | Complaint) -> None:
    if isinstance(taste, Complaint):
        await whisper(interaction, taste)
        return
    offered = {kind: tastes.offered(kind) for kind in Kind}
    panel = pages.panel(taste, offered, locale=str(interaction.locale))
    await interaction.edit_original_response(view=panels.preferences(panel))


async def _change(
    interaction: Interaction, tastes: Tastes, changes: Mapping[str, str | bool | None]
) -> None:
    """Write a change and show the panel as it is then; no change at all takes all back."""
    try:
        await interaction.response.defer()
        person = interaction.user.id
        taste = await (tastes.change(person, changes) if changes else tastes.reset(person))
        await _show(interaction, tastes, taste)
    except discord.HTTPException as error:
        log.warning("preferences.not_shown", cause=str(error))


def controls(tastes: Tastes) -> tuple[Control, Control]:
    """The classes that answer the panel's controls: what is picked, what is turned on or off."""

    class Picked(
        discord.ui.DynamicItem[discord.ui.Select[discord.ui.View]],
        template=re.compile(panels.PICK_ID),
    ):
        def __init__(self, item: discord.ui.Select[discord.ui.View], *, field: str) -> None:
            super().__init__(item)
            self._field = field

        @classmethod
        async def from_custom_id(
            cls, _interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str]
        ) -> "Picked":
            assert isinstance(item, discord.ui.Select)  # noqa: S101 - no other kind has this id
            return cls(item, field=match["field"])

        async def callback(self, interaction: Interaction) -> None:
            value = self.item.values[0]
            chosen = None if value == pages.DEFAULT else value
            await _change(interaction, tastes, {self._field: chosen})

    class Turned(
        discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
        template=re.compile(panels.TOGGLE_ID),
    ):
        def __init__(
            self, item: discord.ui.Button[discord.ui.View], *, field: str, on: bool
        ) -> None:
            super().__init__(item)
            self._field = field
            self._on = on

        @classmethod
        async def from_custom_id(
            cls, _interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str]
        ) -> "Turned":
            assert isinstance(item, discord.ui.Button)  # noqa: S101 - no other kind has this id
            return cls(item, field=match["field"], on=match["on"] == "on")

        async def callback(self, interaction: Interaction) -> None:
            changes = {} if self._field == RESET else {self._field: self._on}
            await _change(interaction, tastes, changes)

    return Picked, Turned
