"""What the cogs may call, and the gateway client made of it: every command, button and form.

It owns the list of what people can do; it never opens anything and never does a stage's work.
"""

from dataclasses import dataclass

from bot.archive import Archive
from bot.copies import Copies
from bot.discord_bot import EaselBot
from bot.dossiers import Dossiers
from bot.intake import Intake
from bot.media import Media
from bot.messenger import Messenger
from bot.moderation import Moderation
from bot.past import Past
from bot.recent import Recent
from bot.render import Verb
from bot.reporting import Reporting
from bot.settings import Settings
from bot.tastes import Tastes
from bot.usage import Usage
from cogs import (
    buttons,
    editing,
    history,
    originals,
    preferences,
    privacy,
    remix_form,
    rules,
    variations,
)
from cogs.buttons import Buttons
from cogs.confirming import Confirming
from cogs.easel import Easel
from cogs.forms import Forms
from cogs.help import Help
from cogs.history import History
from cogs.imagine import Imagine
from cogs.job import Job as JobCommand
from cogs.preferences import Preferences
from cogs.privacy import Privacy
from cogs.remix import Remix
from cogs.remixing import Remixing
from cogs.reports import Reports
from cogs.usage import Usage as UsageCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """What the cogs may call."""

    intake: Intake
    past: Past
    recent: Recent
    tastes: Tastes
    dossiers: Dossiers
    media: Media
    archive: Archive
    copies: Copies
    usage: Usage
    moderation: Moderation
    reporting: Reporting


def gateway(
    settings: Settings, doors: Doors, *, messenger: Messenger, shard_count: int | None
) -> EaselBot:
    """The gateway client with every command, button and form."""
    intake, moderation = doors.intake, doors.moderation

    async def ready(bot: EaselBot) -> None:
        messenger.bind(bot)

    reports = Reports(reporting=doors.reporting)
    remixing = Remixing(intake=intake, media=doors.media, tastes=doors.tastes)
    presses = {
        **buttons.presses(intake),
        **variations.presses(intake),
        **editing.presses(intake),
        **originals.answers(intake, archive=doors.archive, copies=doors.copies),
        Verb.REMIX: remixing.press,
        **reports.presses,
    }
    forms = {
        **editing.handlers(intake),
        remix_form.NAME: remixing.submitted,
        **rules.handlers(moderation),
        **reports.handlers,
    }
    return EaselBot(
        cogs=(
            Imagine(intake=intake, tastes=doors.tastes, recently=doors.recent),
            Remix(intake=intake, tastes=doors.tastes, recently=doors.recent),
            Buttons(intake=intake, presses=presses),
            Confirming(questions=intake.questions),
            Forms(handlers=forms),
            History(past=doors.past),
            JobCommand(past=doors.past, recent=doors.recent, intake=intake),
            Preferences(tastes=doors.tastes),
            Privacy(dossiers=doors.dossiers),
            UsageCommand(usage=doors.usage),
            Easel(
                intake=intake,
                usage=doors.usage,
                moderation=moderation,
                reporting=doors.reporting,
            ),
            Help(day_limit=settings.allowances().bot.day_pictures, waiting=settings.member_waiting),
        ),
        menus=(*remixing.menus, *reports.menus),
        buttons=(
            *history.controls(doors.past, intake),
            *preferences.controls(doors.tastes),
            privacy.control(doors.dossiers),
            rules.opener(moderation, intake.catalog),
        ),
        ready=ready,
        allow_dms=settings.allow_dms,
        allow_user_install=settings.allow_user_install,
        shard_count=shard_count,
    )
