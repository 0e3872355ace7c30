"""The path that every command takes: check, write down, acknowledge, complete, queue.

It owns the order of those steps; it never decides what may be asked for.
"""

import time
from dataclasses import dataclass, replace

import aiohttp
import discord
import structlog

from bot import cards, render
from bot.catalog import Complaint
from bot.intake import Ask, Intake
from bot.model import Reply, Request
from cogs import uploads
from cogs.interactions import Interaction, place, target, whisper
from cogs.reuploads import Reupload

log = structlog.get_logger(__name__)

REFUSALS = (10062, 40060)  # no such interaction; somebody acknowledged it already
RETRY_PAUSE = 1.0  # seconds that discord.py waits at least before it tries a second time


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a command, a button or a form asks for.

    `images` are the request's references in their order, if they were handed in just now.
    `made_from` and `made_by` are the reply and its button, where one was pressed.
    """

    request: Request
    images: tuple[discord.Attachment, ...] = ()
    prompt_file: discord.Attachment | None = None
    count: int = 1
    private: bool = False
    spoiler: bool = False
    show_references: bool = False
    made_from: str | None = None
    made_by: str | None = None


async def ask(interaction: Interaction, wish: Wish, *, intake: Intake) -> None:
    """Take a wish through to the queue, or answer privately why not."""
    complaint = uploads.check(wish.images, wish.prompt_file)
    if complaint is not None:
        await whisper(interaction, complaint)
        return
    received = await intake.receive(
        Ask(
            request=_owned(wish, interaction.user.id),
            target=target(interaction, intake, private=wish.private),
            place=place(interaction),
            count=wish.count,
            unfinished=wish.prompt_file is not None,
            made_from=wish.made_from,
            made_by=wish.made_by,
            spoiler=wish.spoiler,
            show_references=wish.show_references,
        )
    )
    if received is None:
        log.info("command.replayed", interaction=interaction.id)
        if wish.made_from is not None:  # the second press of a button: one wish, silently
            await interaction.response.defer()
    elif isinstance(received, Complaint):
        await whisper(interaction, received)
    else:
        await _acknowledge(interaction, wish, intake, received)


async def _acknowledge(interaction: Interaction, wish: Wish, intake: Intake, reply: Reply) -> None:
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
    upload = Reupload(interaction, reply, clock=intake.clock)
    complaint = await _complete(wish, intake, reply, upload)
    # Discord may make an answer private that was not asked to be.
    hidden = bool(taken and taken.is_ephemeral()) or private
    if complaint is not None:
        # In this order: a crash in between leaves no spinner that nobody ends.
        try:
            await _take_back(interaction, complaint, private=hidden, carded=upload.carded)
        finally:
            await intake.withdraw(reply, why="the upload was refused")
        return
    await intake.confirm(reply, message_id=taken.message_id if taken else None, private=hidden)


def _owned(wish: Wish, user_id: int) -> Request:
    """The request, whose images are this person's if they were handed in or picked just now."""
    if not wish.images:
        return wish.request
    references = tuple(replace(each, owner=user_id) for each in wish.request.references)
    return replace(wish.request, references=references)


async def _complete(wish: Wish, intake: Intake, reply: Reply, upload: Reupload) -> Complaint | None:
    """Read what was handed in, and let every image have an address that HiAPI can fetch."""
    digests = await uploads.look(wish.images, keep=intake.references.keep)
    if isinstance(digests, Complaint):
        return digests
    rest = await uploads.text(wish.prompt_file) if wish.prompt_file is not None else None
    if isinstance(rest, Complaint):
        return rest
    handed_in = reply.jobs[0].request.references
    if wish.images:
        pairs = zip(handed_in, digests, strict=True)
        handed_in = tuple(replace(each, digest=digest) for each, digest in pairs)
    references = await intake.references.renew(
        handed_in,
        user_id=reply.target.user_id,
        upload=upload,
        limit=reply.target.upload_limit,
    )
    if isinstance(references, Complaint):
        return references
    return await intake.complete(reply, rest=rest, references=references)


async def _take_back(
    interaction: Interaction, complaint: Complaint, *, private: bool, carded: bool
) -> None:
    """Refuse after the acknowledgement: a public answer goes, the reason is said privately."""
    text = render.complaint(complaint, locale=str(interaction.locale))
    if private and carded:
        await interaction.edit_original_response(view=cards.words(text))
    elif private:
        await interaction.edit_original_response(content=text)
    elif carded:
        await interaction.followup.send(text, ephemeral=True)
        await interaction.delete_original_response()
    else:
        await whisper(interaction, complaint)
