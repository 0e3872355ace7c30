"""The path that every command takes: check, write down, acknowledge, complete, queue.

It owns the order of those steps; it never decides what may be asked for.
"""

import functools
import time
from dataclasses import dataclass, replace

import aiohttp
import discord
import structlog

from bot import cards, discord_bot
from bot.catalog import Complaint
from bot.intake import Ask, Intake
from bot.model import Reply, Request
from bot.questions import Question
from cogs import confirming, handing, uploads
from cogs.interactions import Interaction, hand_back, place, refusal, target, whisper
from cogs.reuploads import Reupload

log = structlog.get_logger(__name__)

RETRY_PAUSE = 1.0  # seconds that discord.py waits at least before it tries a second time


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a command, a button or a form asks for.

    `images` are those of the request's references that were handed in or found just now.
    `made_from` and `made_by` are the reply and its button, where one was pressed. `typed` is what
    was written into a form, which is closed by then: a refusal hands the words back. `confirmed`:
    the person was told what it costs, and said yes.
    """

    request: Request
    images: tuple[uploads.Image, ...] = ()
    prompt_file: discord.Attachment | None = None
    count: int = 1
    private: bool = False
    spoiler: bool = False
    show_references: bool = False
    made_from: str | None = None
    made_by: str | None = None
    typed: str = ""
    confirmed: bool = False


async def ask(interaction: Interaction, wish: Wish, *, intake: Intake) -> None:
    """Take a wish through to the queue, or answer privately why not."""
    complaint = uploads.check(wish.images, wish.prompt_file)
    if complaint is not None:
        await whisper(interaction, complaint, typed=wish.typed)
        return
    where = place(interaction)
    received = await intake.receive(
        Ask(
            request=handing.owned(wish.request, wish.images, user_id=interaction.user.id),
            target=target(interaction, intake, private=wish.private, where=where),
            place=where,
            count=wish.count,
            unfinished=wish.prompt_file is not None,
            made_from=wish.made_from,
            made_by=wish.made_by,
            spoiler=wish.spoiler,
            show_references=wish.show_references,
            confirmed=wish.confirmed,
        )
    )
    if received is None:
        log.info("command.replayed", interaction=interaction.id)
        if wish.made_from is not None:  # the second press of a button: one wish, silently
            await interaction.response.defer()
    elif isinstance(received, Complaint):
        await whisper(interaction, received, typed=wish.typed)
    elif isinstance(received, Question):
        # Whatever refuses it after the answer hands the words back, for the question goes then.
        words = confirming.words(interaction, wish.request.prompt)
        sure = replace(wish, confirmed=True, typed=words)
        go_on = functools.partial(ask, wish=sure, intake=intake)
        await confirming.put(interaction, received, go_on, words=words, questions=intake.questions)
    else:
        await _acknowledge(interaction, wish, intake, received)


async def _acknowledge(interaction: Interaction, wish: Wish, intake: Intake, reply: Reply) -> None:
    private = reply.target.private
    began = time.monotonic()
    try:
        taken = await interaction.response.defer(ephemeral=private, thinking=True)
    except (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError) as error:
        # After an error of Discord's discord.py tries again, and may then hear of its first try.
        first = time.monotonic() - began < RETRY_PAUSE
        if discord_bot.unanswerable(error) and first:
            await intake.withdraw(reply, why=f"Discord refused the acknowledgement ({error})")
        else:
            # Whether Discord took it is unknown: the row stays, and recovery asks Discord.
            log.warning("reply.acknowledgement_unknown", reply=reply.id, cause=str(error))
        return
    upload = Reupload(interaction, reply, clock=intake.clock)
    complaint = await handing.complete(
        wish.images, wish.prompt_file, intake=intake, reply=reply, upload=upload
    )
    # Discord may make an answer private that was not asked to be.
    hidden = bool(taken and taken.is_ephemeral()) or private
    if complaint is not None:
        # In this order: a crash in between leaves no spinner that nobody ends.
        try:
            await _take_back(
                interaction, complaint, private=hidden, carded=upload.carded, typed=wish.typed
            )
        finally:
            await intake.withdraw(reply, why="the upload was refused")
        return
    await intake.confirm(reply, message_id=taken.message_id if taken else None, private=hidden)


async def _take_back(
    interaction: Interaction, complaint: Complaint, *, private: bool, carded: bool, typed: str
) -> None:
    """Refuse after the acknowledgement: a public answer goes, the reason is said privately."""
    if not private and not carded:
        await whisper(interaction, complaint, typed=typed)
        return
    text = refusal(interaction, complaint, typed=typed)
    if not private:
        await interaction.followup.send(text, ephemeral=True)
        await interaction.delete_original_response()
    elif carded:
        await interaction.edit_original_response(view=cards.words(text))
    else:
        await interaction.edit_original_response(content=text)
    await hand_back(interaction, text, typed=typed)
