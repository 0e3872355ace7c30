"""/help: what the bot does, by example.

It owns the command; the words stand in `bot.pages`.
"""

from discord import app_commands
from discord.ext import commands

from bot import pages, panels
from cogs.interactions import Interaction


class Help(commands.Cog):
    """Says it privately, in the reader's language."""

    def __init__(self, *, day_limit: int, waiting: int) -> None:
        self._day_limit = day_limit
        self._waiting = waiting

    @app_commands.command(description="What I can do, with examples")
    async def help(self, interaction: Interaction) -> None:
        lines = pages.help_lines(
            day_limit=self._day_limit, waiting=self._waiting, locale=str(interaction.locale)
        )
        await interaction.response.send_message(view=panels.paragraphs(lines), ephemeral=True)
