"""Whose the images of a remix are, and whether that person lets others have them.

It owns the finding of that person; what they chose, `bot.tastes` knows, and what a server's
moderators set, `bot.house`.
"""

import asyncio
from dataclasses import dataclass

import discord

from bot.catalog import Complaint
from bot.house import House
from bot.intake import Intake
from bot.model import Reply
from bot.tastes import Tastes
from cogs.interactions import Interaction, place

MESSAGES, AVATARS = "messages", "avatars"


@dataclass(frozen=True, slots=True)
class Whose:
    """The person whose images these are, and of which kind: `messages` or `avatars`.

    `card`: they came with the button of a card, which the server's rules on messages do not mean.
    """

    user_id: int | None = None
    kind: str | None = None
    card: bool = False

    def others(self, interaction: Interaction) -> str | None:
        """The kind, unless it is the asker's own."""
        return self.kind if self.user_id not in (None, interaction.user.id) else None


def author(message: discord.Message) -> int:
    """Whose a message is: a bot's answer to a command belongs to whoever typed that."""
    asked = message.interaction_metadata
    return asked.user.id if asked is not None else message.author.id


async def asker(interaction: Interaction, reply_id: str, intake: Intake) -> Whose:
    """Whose the pictures of a card are: who asked for them, as Discord tells it, else the ledger.

    Nobody's once the request is forgotten.
    """
    message = interaction.message
    if message is not None and message.interaction_metadata is not None:
        return Whose(message.interaction_metadata.user.id, MESSAGES, card=True)
    reply = await intake.visible(reply_id, user_id=interaction.user.id)
    found = reply.target.user_id if isinstance(reply, Reply) else None
    return Whose(found, MESSAGES, card=True)


async def allowed(
    interaction: Interaction, whose: Whose, *, intake: Intake, tastes: Tastes
) -> House | Complaint:
    """The rules for a form about these images, or why it stays closed: the server's, the person's.

    Asked before it opens and again when it comes back: either may have changed meanwhile.
    """
    others = whose.others(interaction)
    ruled = None if whose.card else others
    house, spared = await asyncio.gather(
        intake.opens(place(interaction), others=ruled), tastes.spares(whose.user_id or 0, others)
    )
    if isinstance(house, Complaint):
        return house
    return spared or house
