"""/usage: what a person used, what is left, and when it starts again.

It owns the command; the words stand in `bot.usage`.
"""

from discord import app_commands
from discord.ext import commands

from bot import panels
from bot.catalog import Complaint
from bot.usage import Usage as Door
from cogs.interactions import Interaction, place, whisper


class Usage(commands.Cog):
    """Says it privately."""

    def __init__(self, *, usage: Door) -> None:
        self._usage = usage

    @app_commands.command(description="What you used today and this month, and what is left")
    async def usage(self, interaction: Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        lines = await self._usage.own(
            place(interaction), user_id=interaction.user.id, locale=str(interaction.locale)
        )
        if isinstance(lines, Complaint):
            await whisper(interaction, lines)
            return
        await interaction.edit_original_response(view=panels.paragraphs(lines))
