"""Buttons that outlive the process: their ids name the reply, so any process can answer them.

It owns what a press means in Discord; it never decides what may be shown, made or taken back.
"""

import re
from collections.abc import Awaitable, Callable, Mapping

import discord
import structlog

from bot import cards
from bot.catalog import Complaint
from bot.intake import Intake
from bot.render import Verb
from cogs import asking
from cogs.interactions import Interaction, target, whisper

log = structlog.get_logger(__name__)

Button = type[discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]]]
Press = Callable[[Interaction, str], Awaitable[None]]


def presses(intake: Intake) -> Mapping[Verb, Press]:
    """What the buttons of the first cards do: the reply's id is their second argument."""

    def bound(press: Callable[[Interaction, Intake, str], Awaitable[None]]) -> Press:
        return lambda interaction, reply_id: press(interaction, intake, reply_id)

    return {
        Verb.SHOW: bound(_show),
        Verb.CANCEL: bound(_cancel),
        Verb.AGAIN: bound(_again),
        Verb.DELETE: bound(_delete),
    }


def button(presses: Mapping[Verb, Press]) -> Button:
    """The class that answers every press, its answers inside: discord.py keeps classes."""

    class CardButton(
        discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template=cards.CUSTOM_ID
    ):
        def __init__(self, verb: Verb, reply_id: str) -> None:
            super().__init__(discord.ui.Button(custom_id=cards.custom_id(verb, reply_id)))
            self._verb = verb
            self._reply_id = reply_id

        @classmethod
        async def from_custom_id(
            cls,
            _interaction: Interaction,
            _item: discord.ui.Item[discord.ui.View],
            match: re.Match[str],
        ) -> "CardButton":
            return cls(Verb(match["verb"]), match["reply"])

        async def callback(self, interaction: Interaction) -> None:
            try:
                await presses[self._verb](interaction, self._reply_id)
            except discord.HTTPException as error:
                # discord.py only logs what a button raises; the cause belongs beside its name.
                log.warning("button.failed", button=self._verb, cause=str(error))

    return CardButton


async def _show(interaction: Interaction, intake: Intake, reply_id: str) -> None:
    await interaction.response.defer()
    complaint = await intake.show(reply_id, target(interaction, intake, private=True))
    if complaint is not None:
        await whisper(interaction, complaint)


async def _cancel(interaction: Interaction, intake: Intake, reply_id: str) -> None:
    await interaction.response.defer()
    cancelled = await intake.cancel(reply_id, user_id=interaction.user.id)
    if isinstance(cancelled, Complaint):
        # A card that nothing could reach any more waits still: this press brings a token for it.
        place = target(interaction, intake, private=True)
        if await intake.show(reply_id, place, kept=True) is not None:
            await whisper(interaction, cancelled)
        return
    await interaction.edit_original_response(view=cards.CardView(cancelled))


async def _again(interaction: Interaction, intake: Intake, reply_id: str) -> None:
    wish = await intake.wish(reply_id, user_id=interaction.user.id)
    if isinstance(wish, Complaint):
        await whisper(interaction, wish)
        return
    again = asking.Wish(
        request=wish.jobs[0].request,
        count=len(wish.jobs),
        private=wish.target.private,
        spoiler=wish.spoiler,
        show_references=wish.show_references,
        made_from=reply_id,
        made_by=Verb.AGAIN,
    )
    await asking.ask(interaction, again, intake=intake)


async def _delete(interaction: Interaction, intake: Intake, reply_id: str) -> None:
    moderates = interaction.guild_id is not None and interaction.permissions.manage_messages
    complaint = None if moderates else await intake.own(reply_id, user_id=interaction.user.id)
    if complaint is not None:
        await whisper(interaction, complaint)
        return
    await interaction.response.defer()
    await interaction.delete_original_response()
