"""Who may ask, and where: yes, or a complaint with the reason and the fix.

It owns the rules; it never counts, which the ledger does, and never asks Discord anything.
"""

from dataclasses import dataclass

from bot.catalog import Complaint
from bot.i18n import N_
from bot.settings import EVERYWHERE


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command was typed. `installed` is whether this server itself added the bot.

    `theirs` is whether the person who asks installed the bot for themselves. A press belongs to
    whoever brought the bot along, so on another person's card it is not.
    """

    guild_id: int | None
    installed: bool
    bot_dm: bool
    theirs: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's rules: servers by id or `*`, direct messages, user installs."""

    allowed_servers: frozenset[str]
    allow_dms: bool
    allow_user_install: bool

    def check(self, place: Place) -> Complaint | None:
        """Why nobody may ask here, or None."""
        if self._allows(place):
            return None
        if place.guild_id is not None and place.installed:
            return Complaint(
                N_("This server is not on the bot's list."),
                N_("Ask the person who runs the bot to add server {server}."),
                (("server", place.guild_id),),
            )
        if place.bot_dm:
            return Complaint(
                N_("The bot does not take requests in direct messages."),
                N_("Use it in a server that has it."),
            )
        if self.allow_user_install:
            return Complaint(
                N_("Here the bot only works for the person who brought it."),
                N_("Add it to your own account, then ask with a command."),
            )
        return Complaint(
            N_("The bot only works in servers that added it."),
            N_("Ask a moderator to add it here, or use it elsewhere."),
        )

    def _allows(self, place: Place) -> bool:
        if place.bot_dm:
            return self.allow_dms
        if place.theirs and self.allow_user_install:
            return True
        listed = self.allowed_servers & {EVERYWHERE, str(place.guild_id)}
        return place.guild_id is not None and place.installed and bool(listed)
