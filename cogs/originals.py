"""Original and Send to DMs: a finished picture once more, for whoever may see its card.

It owns the private answers to the two buttons; it never finds a picture and never keeps one.
"""

import io
from collections.abc import Mapping, Sequence

import discord
import structlog

from bot import i18n, render
from bot.archive import Archive, Found
from bot.catalog import Complaint
from bot.copies import Copies
from bot.i18n import N_, _, ngettext
from bot.intake import Intake
from bot.model import Reply
from bot.render import Verb
from cogs.buttons import Press
from cogs.interactions import UPLOAD_CAP, Interaction, whisper

log = structlog.get_logger(__name__)

_GONE = Complaint(
    N_("This picture is not kept any more."),
    N_("Save it from the card, or ask for it again."),
)
_NOT_TAKEN = Complaint(
    N_("Discord did not take the files."), N_("Please press the button again in a minute.")
)


def answers(intake: Intake, *, archive: Archive, copies: Copies) -> Mapping[Verb, Press]:
    """What the two buttons do: the reply's id is their second argument."""

    async def original(interaction: Interaction, reply_id: str) -> None:
        found = await _found(interaction, reply_id, intake, archive)
        if found is not None:
            await _hand_over(interaction, *found, archive=archive)

    async def dm(interaction: Interaction, reply_id: str) -> None:
        found = await _found(interaction, reply_id, intake, archive)
        if found is None:
            return
        complaint = await copies.send(*found, user_id=interaction.user.id)
        if complaint is not None:
            await _say(interaction, complaint)
            return
        with i18n.use(str(interaction.locale)):
            await interaction.edit_original_response(content=_("Sent."))

    return {Verb.ORIGINAL: original, Verb.DM: dm}


async def _found(
    interaction: Interaction, reply_id: str, intake: Intake, archive: Archive
) -> tuple[Reply, tuple[Found, ...]] | None:
    """Acknowledge the press and find the pictures; None if the person was told why not."""
    reply = await intake.shown(reply_id, user_id=interaction.user.id)
    if isinstance(reply, Complaint):
        await whisper(interaction, reply)
        return None
    await interaction.response.defer(ephemeral=True, thinking=True)
    found = await archive.pictures(reply, seen=_addresses(interaction.message))
    if not found:
        await _say(interaction, _GONE)
        return None
    return reply, found


async def _hand_over(
    interaction: Interaction, reply: Reply, found: Sequence[Found], *, archive: Archive
) -> None:
    """Answer with the originals, over as many messages as they need."""
    limit = min(interaction.filesize_limit, UPLOAD_CAP)
    with i18n.use(str(interaction.locale)):
        first, *more = _messages(found, limit=limit, archive=archive)
    try:
        await interaction.edit_original_response(
            content=first[0], attachments=_files(first[1], reply)
        )
        for text, pictures in more:
            await interaction.followup.send(text, files=_files(pictures, reply), ephemeral=True)
    except discord.HTTPException as error:
        log.warning("original.not_sent", reply=reply.id, cause=str(error))
        await _say(interaction, _NOT_TAKEN)


def _messages(
    found: Sequence[Found], *, limit: int, archive: Archive
) -> list[tuple[str, list[Found]]]:
    """What to say and which files to put beside it, message by message."""
    fitting = [each for each in found if len(each.data) <= limit]
    lines = []
    if count := sum(not each.original for each in found):
        lines.append(
            ngettext(
                "The original of {count} picture is not kept any more: this is what Discord has.",
                "The originals of {count} pictures are not kept any more: this is what "
                "Discord has.",
                count,
            ).format(count=count)
        )
    for each in found:
        if each in fitting:
            continue
        link = archive.link(each)
        if link is None:
            lines.append(_("The original is too large for Discord."))
        else:
            lines.append(
                _("Too large for Discord: [the original]({link}), for a while.").format(link=link)
            )
    if not lines:
        lines.append(ngettext("The original.", "The originals.", len(found)))
    messages: list[tuple[str, list[Found]]] = [("\n".join(lines), [])]
    for each in fitting:
        inside = messages[-1][1]
        if sum(len(other.data) for other in inside) + len(each.data) > UPLOAD_CAP:
            inside = []
            messages.append(("", inside))
        inside.append(each)
    return messages


def _files(found: Sequence[Found], reply: Reply) -> list[discord.File]:
    return [
        discord.File(io.BytesIO(each.data), filename=each.filename, spoiler=reply.spoiler)
        for each in found
    ]


async def _say(interaction: Interaction, complaint: Complaint) -> None:
    text = render.complaint(complaint, locale=str(interaction.locale))
    await interaction.edit_original_response(content=text, attachments=[])


def _addresses(message: discord.Message | None) -> tuple[str, ...]:
    """The files of the card that was pressed, at addresses that Discord signed just now."""
    if message is None:
        return ()
    shown = [
        item.media.url
        for component in message.components
        for each in [component, *getattr(component, "children", ())]
        for item in getattr(each, "items", ())
    ]
    return (*shown, *(attachment.url for attachment in message.attachments))
