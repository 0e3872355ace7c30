"""/easel: what a server's moderators see and set; Discord shows it to whoever may manage it.

It owns the commands; each looks again at who asks. The words stand in `bot.charter`.
"""

import discord
from discord import app_commands
from discord.ext import commands

from bot import charter, entries, panels
from bot.catalog import Complaint
from bot.intake import Intake
from bot.moderation import Moderation
from bot.reporting import Reporting
from bot.usage import Usage
from cogs import checking, rules
from cogs.interactions import Interaction, whisper

REASON_LIMIT = 200  # characters
HOURS_LIMIT = 24 * 365


class Easel(commands.Cog):
    """Answers moderators, privately."""

    easel = app_commands.Group(
        name="easel",
        description="Rules, usage and blocks of this server, for moderators",
        default_permissions=discord.Permissions(manage_guild=True),
        allowed_contexts=app_commands.AppCommandContext(
            guild=True, dm_channel=False, private_channel=False
        ),
        allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
    )

    def __init__(
        self, *, intake: Intake, usage: Usage, moderation: Moderation, reporting: Reporting
    ) -> None:
        self._intake = intake
        self._usage = usage
        self._moderation = moderation
        self._reporting = reporting

    @easel.command(description="What this server used, and who used most")
    async def usage(self, interaction: Interaction) -> None:
        guild_id = await _begun(interaction)
        if guild_id is None:
            return
        locale = str(interaction.locale)
        await _say(interaction, await self._usage.server(guild_id, locale=locale))

    @easel.command(description="See and change the rules of this server")
    async def settings(self, interaction: Interaction) -> None:
        guild_id = await _begun(interaction)
        if guild_id is not None:
            await rules.show(interaction, self._moderation, guild_id)

    @easel.command(description="What the bot lacks in this channel, and where to switch it on")
    async def check(self, interaction: Interaction) -> None:
        guild_id = await _begun(interaction)
        if guild_id is not None:
            await checking.show(
                interaction, guild_id, intake=self._intake, moderation=self._moderation
            )

    @easel.command(description="Let a member ask for no more pictures here")
    @app_commands.describe(
        member="Who may not ask",
        reason="Why; shown to them",
        hours="How long; left out, until somebody lifts it",
    )
    async def block(
        self,
        interaction: Interaction,
        member: discord.User,
        reason: app_commands.Range[str, 1, REASON_LIMIT],
        hours: app_commands.Range[int, 1, HOURS_LIMIT] | None = None,
    ) -> None:
        guild_id = await _begun(interaction)
        if guild_id is None:
            return
        complaint = await self._moderation.block(
            guild_id, member.id, by_user=interaction.user.id, reason=reason, hours=hours
        )
        await self._blocks(interaction, guild_id, complaint)

    @easel.command(description="Let a blocked member ask again")
    @app_commands.describe(member="Who may ask again")
    async def unblock(self, interaction: Interaction, member: discord.User) -> None:
        guild_id = await _begun(interaction)
        if guild_id is None:
            return
        complaint = await self._moderation.unblock(guild_id, member.id, by_user=interaction.user.id)
        await self._blocks(interaction, guild_id, complaint)

    @easel.command(description="Who may not ask here, and until when")
    async def blocks(self, interaction: Interaction) -> None:
        guild_id = await _begun(interaction)
        if guild_id is not None:
            await self._blocks(interaction, guild_id, None)

    @easel.command(description="Which pictures of this server were reported")
    async def reports(self, interaction: Interaction) -> None:
        guild_id = await _begun(interaction)
        if guild_id is None:
            return
        found = await self._reporting.open(guild_id)
        if isinstance(found, Complaint):
            await whisper(interaction, found)
        else:
            await _say(interaction, entries.listed(found, locale=str(interaction.locale)))

    async def _blocks(
        self, interaction: Interaction, guild_id: int, complaint: Complaint | None
    ) -> None:
        """Say what went wrong, else who is blocked now."""
        found = complaint or await self._moderation.blocks(guild_id)
        if not isinstance(found, Complaint):
            await _say(interaction, charter.blocks(found, locale=str(interaction.locale)))
            return
        await whisper(interaction, found)


async def _begun(interaction: Interaction) -> int | None:
    """The server, acknowledged; None once the person was told that they may not."""
    guild_id = await rules.moderated(interaction)
    if guild_id is not None:
        await interaction.response.defer(ephemeral=True, thinking=True)
    return guild_id


async def _say(interaction: Interaction, lines: tuple[str, ...] | Complaint) -> None:
    if isinstance(lines, Complaint):
        await whisper(interaction, lines)
    else:
        await interaction.edit_original_response(view=panels.paragraphs(lines))
