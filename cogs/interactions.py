"""What an interaction tells: who asks, where, and until when the answer may be edited.

It owns the reading of Discord's interactions and the private word; it never asks for a picture.
"""

import io
import re
from typing import Any

import discord

from bot import discord_bot, i18n, render
from bot.catalog import Complaint
from bot.intake import Intake
from bot.model import TOKEN_LIFE, Target
from bot.past import Viewer
from bot.permits import Permit
from bot.policy import Place

# What one file may weigh: Discord tells more to people with Nitro, and then refuses it.
UPLOAD_CAP = 24 * 1024 * 1024
CONTENT_LIMIT = 2000  # characters of a message
FENCE = "```"
# The keys of an interaction's authorizing owners (documentation, "Application Integration Types").
GUILD_INSTALL, USER_INSTALL = 0, 1

Interaction = discord.Interaction[discord.Client]


async def whisper(interaction: Interaction, complaint: Complaint, *, typed: str = "") -> None:
    """Tell the person privately, whatever was answered so far, with the words they `typed`."""
    text = refusal(interaction, complaint, typed=typed)
    await discord_bot.whisper(interaction, text)
    await hand_back(interaction, text, typed=typed)


def refusal(interaction: Interaction, complaint: Complaint, *, typed: str = "") -> str:
    """A refusal with the words it would lose, if they fit."""
    locale = str(interaction.locale)
    text = render.complaint(complaint, locale=locale)
    with i18n.use(locale):
        back = f"{text}\n{i18n._('Your words:')}\n```\n{typed}\n```"
    fits = typed.strip() and FENCE not in typed and len(back) <= CONTENT_LIMIT
    return back if fits else text


async def hand_back(interaction: Interaction, told: str, *, typed: str) -> None:
    """Send the words that did not fit into what was `told`, as a file that a prompt may be."""
    if not typed.strip() or typed in told:
        return
    with i18n.use(str(interaction.locale)):
        text = i18n._("Your words:")
    file = discord.File(io.BytesIO(typed.encode("utf-8", "replace")), "prompt.txt")
    await interaction.followup.send(text, file=file, ephemeral=True)


def pressed(interaction: Interaction, ids: re.Pattern[str]) -> re.Match[str] | None:
    """What the id of a pressed button or select tells, if it is one of these."""
    if interaction.type is not discord.InteractionType.component:
        return None
    data: Any = interaction.data
    return ids.fullmatch(data["custom_id"])


def target(
    interaction: Interaction, intake: Intake, *, private: bool, where: Place | None = None
) -> Target:
    """Where the answer to this interaction goes; `where` is its place, if that is known."""
    # The token's age is measured on Discord's clock, its end is kept on ours.
    age = discord.utils.utcnow() - interaction.created_at
    where = where or place(interaction)
    return Target(
        application_id=interaction.application_id,
        interaction_id=interaction.id,
        channel_id=interaction.channel_id or 0,
        guild_id=interaction.guild_id,
        user_id=interaction.user.id,
        token=interaction.token,
        token_expires_at=intake.clock() - age + TOKEN_LIFE,
        private=private,
        present=where.installed or where.bot_dm,
        upload_limit=min(interaction.filesize_limit, UPLOAD_CAP),
        locale=str(interaction.locale),
    )


def viewer(interaction: Interaction) -> Viewer:
    """Who looks at what was."""
    return Viewer(
        user_id=interaction.user.id,
        guild_id=interaction.guild_id,
        locale=str(interaction.locale),
        upload_limit=min(interaction.filesize_limit, UPLOAD_CAP),
    )


def place(interaction: Interaction) -> Place:
    """Where the person is, as the policy sees it."""
    # Not is_user_integration(): a button belongs to whoever brought the bot along, and where
    # somebody else presses it, that would say no although the bot is a guest there.
    owners = interaction._integration_owners  # noqa: SLF001
    guest = USER_INSTALL in owners and GUILD_INSTALL not in owners
    return Place(
        guild_id=interaction.guild_id,
        installed=interaction.guild_id is not None and not guest,
        bot_dm=interaction.guild_id is None and bool(interaction.context.dm_channel),
        theirs=interaction.is_user_integration(),
        channel_ids=_channels(interaction),
        # Not Member.roles: those are looked up in a server that is not kept in memory.
        role_ids=tuple(getattr(interaction.user, "_roles", ())),
        thread=isinstance(interaction.channel, discord.Thread),
        permits=_permits(interaction.app_permissions),
    )


def _permits(has: discord.Permissions) -> frozenset[Permit]:
    """What the bot may do here, by what came with the interaction. An administrator may all."""
    held = (each for each in Permit if has.administrator or getattr(has, each))
    return frozenset(held)


def _channels(interaction: Interaction) -> tuple[int, ...]:
    """The channel, and of a thread the one it belongs to."""
    parent = getattr(interaction.channel, "parent_id", None)
    return tuple(each for each in (interaction.channel_id, parent) if each is not None)
