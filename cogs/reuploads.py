"""Images of a remix handed to Discord once more, where only the person who asks sees them.

It owns that message and the card that must stand before it; it never decides which images.
"""

import io
from collections.abc import Sequence
from datetime import timedelta

import aiohttp
import discord
import structlog

from bot import cards, i18n, pending
from bot.clock import Clock
from bot.i18n import _
from bot.model import Reply
from bot.references import File
from cogs.interactions import Interaction

log = structlog.get_logger(__name__)


class Reupload:
    """Uploads in answer to one acknowledged interaction: `bot.references.Upload`.

    `carded`: the spinner has become the card of a request that waits. What follows a spinner
    would take its place, in public if it is; what follows a card is as private as it says.
    """

    def __init__(self, interaction: Interaction, reply: Reply, *, clock: Clock) -> None:
        self.carded = False
        self._interaction = interaction
        self._reply = reply
        self._clock = clock

    async def __call__(self, files: Sequence[File]) -> tuple[str, ...] | None:
        """The addresses of the files in their order, or None if Discord did not take them."""
        uploads = [discord.File(io.BytesIO(data), filename=name) for name, data in files]
        try:
            if not self.carded:
                card = pending.waiting(self._reply, now=self._clock(), expected=timedelta())
                self.carded = True  # also where the answer is lost: nobody may take it for one
                await self._interaction.edit_original_response(view=cards.CardView(card))
            with i18n.use(str(self._interaction.locale)):
                text = _("The images for your new picture")
            sent = await self._interaction.followup.send(
                text, files=uploads, ephemeral=True, wait=True
            )
        except (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("references.not_uploaded", reply=self._reply.id, cause=str(error))
            return None
        finally:
            for upload in uploads:
                upload.fp.close()
        return tuple(attachment.url for attachment in sent.attachments)
