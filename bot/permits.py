"""What the bot may do in a channel of a server, and what an answer there takes.

It owns the names of Discord's permissions, what each is for, and the refusal where one is missing;
it never asks Discord: every interaction tells what the app may do where it came from.

An answer stands by its token for 15 minutes, whatever the bot may do; the files in it need Attach
Files all the same. A public answer that comes later is the bot's own edit or message, for which it
must see the channel and write there. So all of these are asked for before anything is spent: a
picture may be late, and would then have been paid for and not be shown. Whether Discord lets a
private answer have files without Attach Files is not documented; it is taken to refuse. Read
Message History is not asked for: without it only what may have been sent already is not repeated.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from bot.catalog import Complaint
from bot.i18n import N_, Option, _


class Permit(StrEnum):
    """One permission, by Discord's own name of it in the API."""

    VIEW = "view_channel"
    SEND = "send_messages"
    SEND_IN_THREADS = "send_messages_in_threads"
    ATTACH = "attach_files"
    HISTORY = "read_message_history"


# As Discord's settings call them.
NAMES = {
    Permit.VIEW: N_("View Channel"),
    Permit.SEND: N_("Send Messages"),
    Permit.SEND_IN_THREADS: N_("Send Messages in Threads"),
    Permit.ATTACH: N_("Attach Files"),
    Permit.HISTORY: N_("Read Message History"),
}
PURPOSES = {
    Permit.VIEW: N_("for pictures that take longer than 15 minutes"),
    Permit.SEND: N_("for pictures that take longer than 15 minutes"),
    Permit.SEND_IN_THREADS: N_("for pictures that take longer than 15 minutes"),
    Permit.ATTACH: N_("for the pictures themselves"),
    Permit.HISTORY: N_("to find the images of older messages again"),
}


@dataclass(frozen=True, slots=True)
class Named:
    """Permissions as a value of a sentence: their names in the language it is formatted in."""

    permits: tuple[Permit, ...]

    def __str__(self) -> str:
        return ", ".join(_(NAMES[each]) for each in self.permits)


def needed(*, private: bool, thread: bool) -> tuple[Permit, ...]:
    """What an answer takes; in a thread, Send Messages does not count."""
    if private:
        return (Permit.ATTACH,)
    return (Permit.VIEW, Permit.SEND_IN_THREADS if thread else Permit.SEND, Permit.ATTACH)


def lacking(has: Iterable[Permit], *, private: bool, thread: bool) -> Complaint | None:
    """Why an answer cannot stand here, or None: every missing permission and where to add it."""
    held = set(has)
    missing = tuple(each for each in needed(private=private, thread=thread) if each not in held)
    if not missing:
        return None
    values = (("permissions", Named(missing)),)
    problem = N_("The bot lacks a permission in this channel: {permissions}.")
    if Permit.ATTACH in missing:
        return Complaint(
            problem,
            N_(
                "Nothing was started. A moderator can switch it on under Edit Channel → "
                "Permissions, for the bot's role."
            ),
            values,
        )
    return Complaint(
        problem,
        N_(
            "Nothing was started. A moderator can switch it on under Edit Channel → Permissions, "
            "for the bot's role. With {private}: True you can ask here already."
        ),
        (*values, ("private", Option("private"))),
    )
