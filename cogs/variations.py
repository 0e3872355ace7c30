"""The same once more, or with one thing changed: Again, another ratio, 2K, another model.

It owns what those buttons ask for; it never decides whether that may be made.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.catalog import SHARP, Complaint
from bot.i18n import N_
from bot.intake import Intake
from bot.model import Reply
from bot.presses import Verb
from cogs import asking
from cogs.buttons import Press, bound
from cogs.interactions import Interaction, whisper

_NO_SUCCESSOR = Complaint(
    N_("There is no other model to use any more."), N_("Retry, or ask again with a command.")
)


def presses(intake: Intake) -> Mapping[Verb, Press]:
    """What the buttons do that ask for a picture at once."""
    return {
        Verb.AGAIN: bound(intake, _again),
        Verb.RATIO: bound(intake, _ratio),
        Verb.SHARP: bound(intake, _sharp),
        Verb.SUCCESSOR: bound(intake, _successor),
    }


def another(reply: Reply, *, by: str) -> asking.Wish:
    """The wish that asks once more for what this reply asked for; `by` is what was pressed."""
    return asking.Wish(
        request=reply.jobs[0].request,
        count=len(reply.jobs),
        private=reply.target.private,
        spoiler=reply.spoiler,
        show_references=reply.show_references,
        made_from=reply.id,
        made_by=by,
    )


async def found(interaction: Interaction, intake: Intake, reply_id: str) -> Reply | None:
    """The reply of a pressed card; None once the person was told why it cannot be asked again."""
    found = await intake.wish(reply_id, user_id=interaction.user.id)
    if isinstance(found, Complaint):
        await whisper(interaction, found)
        return None
    return found


async def _again(interaction: Interaction, intake: Intake, reply_id: str) -> None:
    if reply := await found(interaction, intake, reply_id):
        await asking.ask(interaction, another(reply, by=Verb.AGAIN), intake=intake)


async def _ratio(interaction: Interaction, intake: Intake, reply_id: str) -> None:
    data: Any = interaction.data
    [ratio] = data["values"]
    if reply := await found(interaction, intake, reply_id):
        # Two ratios are two wishes, however fast they are chosen.
        wish = another(reply, by=f"{Verb.RATIO}:{ratio}")
        changed = replace(wish, request=replace(wish.request, aspect_ratio=ratio))
        await asking.ask(interaction, changed, intake=intake)


async def _sharp(interaction: Interaction, intake: Intake, reply_id: str) -> None:
    if reply := await found(interaction, intake, reply_id):
        wish = another(reply, by=Verb.SHARP)
        changed = replace(wish, request=replace(wish.request, resolution=SHARP))
        await asking.ask(interaction, changed, intake=intake)


async def _successor(interaction: Interaction, intake: Intake, reply_id: str) -> None:
    if reply := await found(interaction, intake, reply_id):
        wish = another(reply, by=Verb.SUCCESSOR)
        model = intake.catalog.instead(wish.request)
        if model is None:
            await whisper(interaction, _NO_SUCCESSOR)
            return
        changed = replace(wish, request=replace(wish.request, model=model.id))
        await asking.ask(interaction, changed, intake=intake)
