"""Who may ask, and where: yes, or a complaint with the reason and the fix.

It owns the rules; it never counts, which the ledger does, and never asks Discord anything.
"""

from dataclasses import dataclass
from datetime import datetime

from bot import permits
from bot.allowance import Counted, Full, dollars
from bot.catalog import Complaint
from bot.i18n import N_
from bot.pauses import REASON
from bot.permits import Permit
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
    channel_ids: tuple[int, ...] = ()  # of a thread its channel's too
    role_ids: tuple[int, ...] = ()
    thread: bool = False
    permits: frozenset[Permit] = frozenset(Permit)  # what the bot may do; asked in servers alone

    def lacks(self, *, private: bool) -> Complaint | None:
        """Why an answer cannot stand here, or None. A guest has its token and nothing else."""
        if not self.installed:
            return None
        return permits.lacking(self.permits, private=private, thread=self.thread)


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


_EXHAUSTED = {
    "bot": {
        Counted.PICTURES: N_("The bot has made all the pictures it may make for now."),
        Counted.MICROS: N_("The bot has spent all the money it may spend for now."),
    },
    "server": {
        Counted.PICTURES: N_("This server has used up its pictures for now."),
        Counted.MICROS: N_("This server has used up its budget for now."),
    },
}
_OWN = {
    Counted.PICTURES: N_(
        "This would go beyond your limit for pictures, which is {limit}. Used so far: {used}."
    ),
    Counted.MICROS: N_("This would go beyond your budget of {limit}. Used so far: {used}."),
    Counted.ATTEMPTS: N_("Too many of your requests brought no picture today."),
}


def exhausted(full: Full) -> Complaint:
    """Which limit stands against a request, and when it begins anew."""
    scope = full.limit.account.scope.partition(":")[0]
    problem = _EXHAUSTED.get(scope, _OWN).get(full.counted, _OWN[full.counted])
    if full.counted is Counted.MICROS:
        used, limit = f"${dollars(full.spent.micros)}", f"${dollars(full.limit.micros)}"
    else:
        used, limit = str(full.spent.pictures), str(full.limit.pictures)
    values = (
        ("used", used),
        ("limit", limit),
        ("time", f"<t:{int(full.limit.resets_at.timestamp())}:R>"),
    )
    fewer = full.counted is Counted.PICTURES and full.spent.pictures < full.limit.pictures
    fix = N_("Ask for fewer, or again {time}.") if fewer else N_("You can ask again {time}.")
    return Complaint(problem, fix, values)


# Who says no to whom: until a time, and without an end.
_BLOCKED = {
    "moderator": (
        N_("A moderator has blocked you here until {time}."),
        N_("A moderator has blocked you here."),
    ),
    "operator": (
        N_("The people who run this bot have blocked you until {time}."),
        N_("The people who run this bot have blocked you."),
    ),
    "server": (
        N_("The people who run this bot have blocked this server until {time}."),
        N_("The people who run this bot have blocked this server."),
    ),
}


def barred(
    reason: str, *, until: datetime | None, moderated: bool = False, server: bool = False
) -> Complaint:
    """Why this person, or this whole `server`, may ask for nothing, and who says so.

    `moderated`: a moderator of the server does, else whoever runs the bot.
    """
    if until is not None and reason == REASON and not (moderated or server):
        return Complaint(
            N_("You are paused: too many of your prompts were refused."),
            N_("You can ask again {time}."),
            (("time", f"<t:{int(until.timestamp())}:R>"),),
        )
    whose = "server" if server else "moderator" if moderated else "operator"
    ending, endless = _BLOCKED[whose]
    said = reason.strip().rstrip(".")
    values = [("reason", said)]
    if until is not None:
        values.append(("time", f"<t:{int(until.timestamp())}:f>"))
    return Complaint(
        endless if until is None else ending,
        N_("Reason: {reason}") if said else N_("Ask the people who run the bot."),
        tuple(values),
    )
