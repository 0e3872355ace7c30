"""/history: a person's own pictures, page by page.

It owns the command and the controls of a page; it never reads anything for anybody but the one
who presses: an id that was passed on shows its new owner their own pictures.
"""

import re
from typing import Any

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot import i18n, pages, panels
from bot.catalog import Complaint
from bot.intake import Intake
from bot.model import Sort
from bot.past import Past
from cogs import job
from cogs.interactions import Interaction, viewer, whisper

log = structlog.get_logger(__name__)

Control = type[discord.ui.DynamicItem[Any]]


class History(commands.Cog):
    """Shows the first page; the controls show the others."""

    def __init__(self, *, past: Past) -> None:
        self._past = past

    @app_commands.command(description="Look through your pictures; only you see them")
    @app_commands.describe(
        kind="Only those of one kind (default everything)",
        text="Only those whose prompt contains this",
    )
    @app_commands.choices(
        kind=[app_commands.Choice(name=name, value=sort) for sort, name in pages.SORTS.items()]
    )
    async def history(
        self,
        interaction: Interaction,
        kind: str = Sort.ALL,
        text: app_commands.Range[str, 0, pages.TEXT_LIMIT] = "",
    ) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await _show(interaction, self._past, number=0, sort=Sort(kind), text=text)


async def _show(
    interaction: Interaction, past: Past, *, number: int, sort: Sort, text: str
) -> None:
    """Put a page into the message that was answered with or that was pressed."""
    page = await past.page(viewer(interaction), number=number, sort=sort, text=text)
    if isinstance(page, Complaint):
        await whisper(interaction, page)
        return
    with i18n.use(str(interaction.locale)):
        view = panels.history(
            page, back=i18n._("Previous"), on=i18n._("Next"), choose=i18n._("Open one…")
        )
    files = panels.thumbnails(page)
    await interaction.edit_original_response(view=view, attachments=files)


def controls(past: Past, intake: Intake) -> tuple[Control, Control]:
    """The classes that answer the controls of a page: Previous and Next, Open."""

    class Turn(
        discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
        template=re.compile(panels.TURN_ID),
    ):
        def __init__(self, item: discord.ui.Button[discord.ui.View], match: re.Match[str]) -> None:
            super().__init__(item)
            self._match = match

        @classmethod
        async def from_custom_id(
            cls, _interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str]
        ) -> "Turn":
            assert isinstance(item, discord.ui.Button)  # noqa: S101 - no other kind has this id
            return cls(item, match)

        async def callback(self, interaction: Interaction) -> None:
            match = self._match
            try:
                await interaction.response.defer()
                await _show(
                    interaction,
                    past,
                    number=int(match["page"]),
                    sort=Sort(match["sort"]),
                    text=match["text"],
                )
            except discord.HTTPException as error:
                log.warning("history.not_turned", cause=str(error))

    class Open(
        discord.ui.DynamicItem[discord.ui.Select[discord.ui.View]],
        template=re.compile(panels.OPEN_ID),
    ):
        @classmethod
        async def from_custom_id(
            cls, _interaction: Interaction, item: discord.ui.Item[Any], _match: re.Match[str]
        ) -> "Open":
            assert isinstance(item, discord.ui.Select)  # noqa: S101 - no other kind has this id
            return cls(item)

        async def callback(self, interaction: Interaction) -> None:
            try:
                await interaction.response.defer(ephemeral=True, thinking=True)
                await job.show(interaction, self.item.values[0], past=past, intake=intake)
            except discord.HTTPException as error:
                log.warning("history.not_opened", cause=str(error))

    return Turn, Open
