"""The path that every command takes: check, write down, acknowledge, complete, queue.

It owns the order of those steps; it never decides what may be asked for.
"""

import time

import aiohttp
import discord
import structlog

from bot import discord_bot, render
from bot.catalog import Complaint
from bot.intake import Ask, Intake
from bot.model import TOKEN_LIFE, Reply, Request, Target
from bot.policy import Place
from cogs import uploads

log = structlog.get_logger(__name__)

# What one file may weigh: Discord tells more to people with Nitro, and then refuses it.
UPLOAD_CAP = 24 * 1024 * 1024
REFUSALS = (10062, 40060)  # no such interaction; somebody acknowledged it already
RETRY_PAUSE = 1.0  # seconds that discord.py waits at least before it tries a second time

Interaction = discord.Interaction[discord.Client]


async def ask(
    interaction: Interaction,
    *,
    intake: Intake,
    request: Request,
    images: tuple[discord.Attachment, ...] = (),
    prompt_file: discord.Attachment | None = None,
    count: int = 1,
    private: bool,
    made_from: str | None = None,
) -> None:
    """Take a command through to the queue, or answer privately why not."""
    complaint = uploads.check(images, prompt_file)
    if complaint is not None:
        await whisper(interaction, complaint)
        return
    received = await intake.receive(
        Ask(
            request=request,
            target=target(interaction, intake, private=private),
            place=_place(interaction),
            count=count,
            unfinished=prompt_file is not None,
            made_from=made_from,
        )
    )
    if received is None:
        log.info("command.replayed", interaction=interaction.id)
        if made_from is not None:  # the second press of a button: one wish, silently
            await interaction.response.defer()
    elif isinstance(received, Complaint):
        await whisper(interaction, received)
    else:
        await _acknowledge(interaction, intake, received, images, prompt_file)


async def _acknowledge(
    interaction: Interaction,
    intake: Intake,
    reply: Reply,
    images: tuple[discord.Attachment, ...],
    prompt_file: discord.Attachment | None,
) -> None:
    private = reply.target.private
    began = time.monotonic()
    try:
        taken = await interaction.response.defer(ephemeral=private, thinking=True)
    except (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError) as error:
        code = getattr(error, "code", None)
        # After an error of Discord's discord.py tries again, and may then hear of its first try.
        first = time.monotonic() - began < RETRY_PAUSE
        if code in REFUSALS and first:
            await intake.withdraw(reply, why=f"Discord refused the acknowledgement ({code})")
        else:
            # Whether Discord took it is unknown: the row stays, and recovery asks Discord.
            log.warning("reply.acknowledgement_unknown", reply=reply.id, cause=str(error))
        return
    complaint = await uploads.look(images)
    if complaint is None and prompt_file is not None:
        rest = await uploads.text(prompt_file)
        complaint = rest if isinstance(rest, Complaint) else await intake.complete(reply, rest)
    # Discord may make an answer private that was not asked to be.
    hidden = bool(taken and taken.is_ephemeral()) or private
    if complaint is not None:
        # In this order: a crash in between leaves no spinner that nobody ends.
        try:
            await _take_back(interaction, complaint, private=hidden)
        finally:
            await intake.withdraw(reply, why="the upload was refused")
        return
    await intake.confirm(reply, message_id=taken.message_id if taken else None, private=hidden)


async def _take_back(interaction: Interaction, complaint: Complaint, *, private: bool) -> None:
    """Refuse after the acknowledgement: a public spinner goes, the reason is said privately."""
    if private:
        text = render.complaint(complaint, locale=str(interaction.locale))
        await interaction.edit_original_response(content=text)
        return
    await whisper(interaction, complaint)


async def whisper(interaction: Interaction, complaint: Complaint) -> None:
    """Tell the person privately, whatever was answered so far."""
    text = render.complaint(complaint, locale=str(interaction.locale))
    await discord_bot.whisper(interaction, text)


def target(interaction: Interaction, intake: Intake, *, private: bool) -> Target:
    """Where the answer to this interaction goes."""
    # The token's age is measured on Discord's clock, its end is kept on ours.
    age = discord.utils.utcnow() - interaction.created_at
    place = _place(interaction)
    return Target(
        application_id=interaction.application_id,
        interaction_id=interaction.id,
        channel_id=interaction.channel_id or 0,
        guild_id=interaction.guild_id,
        user_id=interaction.user.id,
        token=interaction.token,
        token_expires_at=intake.clock() - age + TOKEN_LIFE,
        private=private,
        present=place.installed or place.bot_dm,
        upload_limit=min(interaction.filesize_limit, UPLOAD_CAP),
        locale=str(interaction.locale),
    )


def _place(interaction: Interaction) -> Place:
    only_theirs = interaction.is_user_integration() and not interaction.is_guild_integration()
    return Place(
        guild_id=interaction.guild_id,
        installed=interaction.guild_id is not None and not only_theirs,
        bot_dm=interaction.guild_id is None and bool(interaction.context.dm_channel),
    )
