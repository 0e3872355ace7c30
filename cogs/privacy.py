"""/privacy: what is kept about a person, to be read, taken away as a file, or erased.

It owns the command and its buttons, whose ids name the person: nobody else can use them.
"""

import io
import re
from typing import Any

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot import disclosure, panels
from bot.catalog import Complaint
from bot.dossiers import Dossier, Dossiers
from bot.i18n import N_
from cogs.history import Control
from cogs.interactions import UPLOAD_CAP, Interaction, place, whisper

log = structlog.get_logger(__name__)

_NOT_YOURS = Complaint(
    N_("This is about somebody else."), N_("Type /privacy to see what is kept about you.")
)
_NOT_TAKEN = Complaint(
    N_("Discord did not take the files."), N_("Please press the button again in a minute.")
)


class Privacy(commands.Cog):
    """Tells it privately."""

    def __init__(self, *, dossiers: Dossiers) -> None:
        self._dossiers = dossiers

    @app_commands.command(description="What is kept about you; export it or erase it")
    async def privacy(self, interaction: Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await _tell(interaction, self._dossiers)


async def _tell(interaction: Interaction, dossiers: Dossiers) -> None:
    dossier = await _of(interaction, dossiers)
    if dossier is not None:
        locale = str(interaction.locale)
        lines = disclosure.panel(dossier, addresses=dossiers.addresses, locale=locale)
        await _show(interaction, lines, disclosure.EXPORT, disclosure.ERASE)


async def _ask(interaction: Interaction, dossiers: Dossiers) -> None:
    dossier = await _of(interaction, dossiers)
    if dossier is not None:
        lines = disclosure.question(dossier, locale=str(interaction.locale))
        await _show(interaction, lines, disclosure.REALLY, disclosure.EXPORT, disclosure.KEEP)


async def _erase(interaction: Interaction, dossiers: Dossiers) -> None:
    erased = await dossiers.erase(interaction.user.id)
    if isinstance(erased, Complaint):
        await whisper(interaction, erased)
        return
    await _show(interaction, disclosure.erased(erased, locale=str(interaction.locale)))


async def _export(interaction: Interaction, dossiers: Dossiers) -> None:
    limit = min(interaction.filesize_limit, UPLOAD_CAP)
    made = await dossiers.export(interaction.user.id, limit=limit)
    if isinstance(made, Complaint):
        await whisper(interaction, made)
        return
    said = disclosure.exported(made, locale=str(interaction.locale))
    try:
        for number, part in enumerate(made.parts, start=1):
            name = "easel.zip" if len(made.parts) == 1 else f"easel-{number}.zip"
            file = discord.File(io.BytesIO(part), filename=name)
            await interaction.followup.send(said if number == 1 else "", file=file, ephemeral=True)
    except discord.HTTPException as error:
        log.warning("privacy.not_sent", parts=len(made.parts), cause=str(error))
        await whisper(interaction, _NOT_TAKEN)


async def _of(interaction: Interaction, dossiers: Dossiers) -> Dossier | None:
    """What is kept about whoever asks; None once they were told that it cannot be said now."""
    where = place(interaction)
    guild_id = where.guild_id if where.installed else None
    dossier = await dossiers.of(interaction.user.id, guild_id=guild_id)
    if isinstance(dossier, Complaint):
        await whisper(interaction, dossier)
        return None
    return dossier


async def _show(interaction: Interaction, lines: tuple[str, ...], *verbs: str) -> None:
    buttons = disclosure.buttons(*verbs, locale=str(interaction.locale))
    view = panels.privacy(lines, buttons, user_id=interaction.user.id)
    await interaction.edit_original_response(view=view)


_ANSWERS = {
    disclosure.EXPORT: _export,
    disclosure.ERASE: _ask,
    disclosure.REALLY: _erase,
    disclosure.KEEP: _tell,
}


def control(dossiers: Dossiers) -> Control:
    """The class that answers the buttons."""

    class Pressed(
        discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
        template=re.compile(panels.PRIVACY_ID),
    ):
        def __init__(
            self, item: discord.ui.Button[discord.ui.View], *, verb: str, user_id: int
        ) -> None:
            super().__init__(item)
            self._verb = verb
            self._user_id = user_id

        @classmethod
        async def from_custom_id(
            cls, _interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str]
        ) -> "Pressed":
            assert isinstance(item, discord.ui.Button)  # noqa: S101 - no other kind has this id
            return cls(item, verb=match["verb"], user_id=int(match["user"]))

        async def callback(self, interaction: Interaction) -> None:
            try:
                if interaction.user.id != self._user_id:
                    await whisper(interaction, _NOT_YOURS)
                    return
                await interaction.response.defer()
                await _ANSWERS[self._verb](interaction, dossiers)
            except discord.HTTPException as error:
                log.warning("privacy.not_answered", button=self._verb, cause=str(error))

    return Pressed
