"""/job: one of a person's own requests again, as it stands now, with its buttons.

It owns the way of a card into a private answer; it never decides what the card says.
"""

import discord
from discord import app_commands
from discord.ext import commands

from bot import cards, i18n, pages
from bot.catalog import Complaint
from bot.intake import Intake
from bot.past import Past
from bot.recent import Recent
from cogs.interactions import Interaction, target, viewer, whisper


class Job(commands.Cog):
    """Opens one request by its id, or by what was asked for."""

    def __init__(self, *, past: Past, recent: Recent, intake: Intake) -> None:
        self._past = past
        self._recent = recent
        self._intake = intake

    @app_commands.command(description="Open one of your pictures again; only you see it")
    @app_commands.describe(id="Words of its prompt, or the id in the last line of its card")
    async def job(self, interaction: Interaction, id: str) -> None:  # noqa: A002 - people read it
        await interaction.response.defer(ephemeral=True, thinking=True)
        found = await self._past.find(viewer(interaction), id)
        if isinstance(found, Complaint):
            await whisper(interaction, found)
            return
        await show(interaction, found, past=self._past, intake=self._intake)

    @job.autocomplete("id")
    async def _suggest(
        self, interaction: Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        now = self._past.clock()
        found = await self._recent.jobs(interaction.user.id, typed)
        with i18n.use(str(interaction.locale)):
            return [
                app_commands.Choice(
                    name=pages.suggestion(said.prompt, said.job_id, said.at, now=now),
                    value=said.reply_id,
                )
                for said in found
            ]


async def show(interaction: Interaction, reply_id: str, *, past: Past, intake: Intake) -> None:
    """Turn the private answer that was begun into the card of a request."""
    opened = await past.open(viewer(interaction), reply_id)
    if isinstance(opened, Complaint):
        await whisper(interaction, opened)
        return
    files = cards.files(opened.card)
    try:
        await interaction.edit_original_response(
            view=cards.CardView(opened.card),
            attachments=files,
            allowed_mentions=discord.AllowedMentions.none(),
        )
    finally:
        for file in files:
            file.fp.close()
    if opened.adopt:
        # The card that moved is out of reach: from here on this one does.
        await intake.show(reply_id, target(interaction, intake, private=True))
