"""Copies of finished cards: sent once more, as direct messages, to whoever asked for one.

It owns that message and what its refusals mean; it never finds the pictures, and never decides
who may have them.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from bot import images, render
from bot.archive import Found
from bot.catalog import Complaint
from bot.i18n import N_
from bot.messenger import Messenger, Result, Shown
from bot.model import Reply
from bot.references import References
from bot.render import Card, Shot

log = structlog.get_logger(__name__)

# What the bot itself may send per file (Discord's reference, "Uploading Files"), and per message.
FILE_BYTES = 10 * 1024 * 1024
MESSAGE_BYTES = 24 * 1024 * 1024

BLOCKED = Complaint(
    N_("Discord does not let the bot write to you."),
    N_("Allow direct messages in the privacy settings of a server that has the bot."),
)
_LATER = Complaint(
    N_("Discord did not take the message."), N_("Please press the button again in a minute.")
)
_TOO_LARGE = Complaint(
    N_("The pictures are too large for a direct message."), N_("Use the button Original instead.")
)


class Copies:
    """Sends copies; a second one within a few minutes is the first one."""

    def __init__(self, *, messenger: Messenger, references: References) -> None:
        self._messenger = messenger
        self._references = references
        # One at a time: fitting large pictures costs seconds of CPU and hundreds of megabytes.
        self._fitting = asyncio.Semaphore(1)

    async def send(self, reply: Reply, found: Sequence[Found], *, user_id: int) -> Complaint | None:
        """Send this person the reply's card with the pictures found, or say why that fails."""
        channel = await self._messenger.direct_channel(user_id)
        if isinstance(channel, Shown):
            return _complaint(channel)
        beside = await self._references.shots(reply)
        limit = FILE_BYTES
        try:
            card = await self._card(reply, found, limit=limit)
            card = render.beside(card, beside, locale=reply.target.locale)
            shown = await self._post(channel, card, reply)
            if shown.result is Result.TOO_LARGE:
                largest = max(len(shot.data) for shot in card.shots)
                card = await self._card(reply, found, limit=min(limit, largest) // 2)
                shown = await self._post(channel, card, reply)
        except images.ImageError as error:
            log.warning("copy.unfit", reply=reply.id, cause=str(error))
            return _TOO_LARGE
        if shown.result is Result.OBJECTIONABLE:
            shown = await self._post(channel, card.quiet(), reply)
        if shown.result is Result.REFUSED:
            shown = await self._post(channel, card.simple(), reply)
        if shown.result is Result.SHOWN:
            log.info("copy.sent", reply=reply.id)
            return None
        return _complaint(shown)

    async def _post(self, channel_id: int, card: Card, reply: Reply) -> Shown:
        return await self._messenger.post(channel_id, card, nonce=f"copy:{reply.id}")

    async def _card(self, reply: Reply, found: Sequence[Found], *, limit: int) -> Card:
        pictures = [each.data for each in found]
        async with self._fitting:
            fitted = await asyncio.to_thread(
                images.fit_all, pictures, each=limit, total=MESSAGE_BYTES
            )
        shots = {
            each.job.id: Shot(
                filename=replace(each, extension=fit.extension).filename,
                data=fit.data,
                alt=render.alt_text(each.job),
            )
            for each, fit in zip(found, fitted, strict=True)
        }
        return render.finished(reply, shots, lost={})


def _complaint(shown: Shown) -> Complaint:
    log.warning("copy.not_sent", result=shown.result, cause=shown.trouble)
    if shown.result is Result.NOWHERE:
        return BLOCKED
    return _TOO_LARGE if shown.result is Result.TOO_LARGE else _LATER
