"""The panel of a server's rules: its buttons open forms, and what is submitted is set.

It owns that way; who may go it is looked at again at each step. It never decides what a rule is.
"""

import re
from collections.abc import Mapping
from typing import Any

import discord
import structlog

from bot import charter, i18n, panels
from bot.catalog import Catalog, Complaint
from bot.i18n import N_
from bot.moderation import Moderation
from cogs import log_form, rule_forms
from cogs.forms import Filled, Handler
from cogs.history import Control
from cogs.interactions import Interaction, place, whisper

log = structlog.get_logger(__name__)

_NOT_YOURS = Complaint(
    N_("Only moderators can see and change these rules."),
    N_("It takes the permission Manage Server, in a server that added the bot."),
)


async def moderated(interaction: Interaction, *, typed: str = "") -> int | None:
    """The server whose rules this person may set; None once they were told that they may not."""
    allowed = place(interaction).installed and interaction.permissions.manage_guild
    if not allowed:
        await whisper(interaction, _NOT_YOURS, typed=typed)
    return interaction.guild_id if allowed else None


async def show(interaction: Interaction, moderation: Moderation, guild_id: int) -> None:
    """Put the panel where the answer to this interaction stands."""
    rules = await moderation.rules(guild_id)
    if isinstance(rules, Complaint):
        await whisper(interaction, rules)
        return
    locale = str(interaction.locale)
    lines = charter.rules(
        rules.house, rules.changes, days=rules.days, locale=locale, mute=rules.mute
    )
    with i18n.use(locale):
        buttons = tuple((name, i18n._(title)) for name, title in rule_forms.TITLES.items())
    await interaction.edit_original_response(view=panels.rules(lines, buttons))


def handlers(moderation: Moderation) -> Mapping[str, Handler]:
    """Who takes the forms on when they are submitted."""

    async def submitted(interaction: Interaction, filled: Filled) -> None:
        typed = "\n".join(filter(None, filled.texts.values()))
        await interaction.response.defer()
        guild_id = await moderated(interaction, typed=typed)
        if guild_id is None:
            return
        found = await moderation.rules(guild_id)
        wanted: Any = found
        if not isinstance(found, Complaint):
            log_channel = filled.name == log_form.NAME
            wanted = (
                log_form.rules(filled) if log_channel else rule_forms.rules(filled, found.house)
            )
        if not isinstance(wanted, Complaint):
            user = interaction.user.id
            wanted = await moderation.change(guild_id, wanted, user_id=user, mark=filled.about)
        if isinstance(wanted, Complaint):
            await whisper(interaction, wanted, typed=typed)
            return
        await show(interaction, moderation, guild_id)

    return dict.fromkeys(rule_forms.FIELDS, submitted)


def opener(moderation: Moderation, catalog: Catalog) -> Control:
    """The class that answers the panel's buttons."""

    class Opener(
        discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
        template=re.compile(panels.RULES_ID),
    ):
        def __init__(self, item: discord.ui.Button[discord.ui.View], *, form: str) -> None:
            super().__init__(item)
            self._form = form

        @classmethod
        async def from_custom_id(
            cls, _interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str]
        ) -> "Opener":
            assert isinstance(item, discord.ui.Button)  # noqa: S101 - no other kind has this id
            return cls(item, form=match["form"])

        async def callback(self, interaction: Interaction) -> None:
            try:
                await self._open(interaction)
            except discord.HTTPException as error:
                log.warning("rules.not_opened", cause=str(error))

        async def _open(self, interaction: Interaction) -> None:
            guild_id = await moderated(interaction)
            if guild_id is None:
                return
            rules = await moderation.rules(guild_id)
            if isinstance(rules, Complaint):
                await whisper(interaction, rules)
                return
            locale = str(interaction.locale)
            if self._form == log_form.NAME:
                theirs = str(interaction.guild_locale or "")
                form = log_form.form(rules.house, locale=locale, server_locale=theirs)
            else:
                form = rule_forms.form(self._form, rules.house, catalog, locale=locale)
            await interaction.response.send_modal(form)

    return Opener
