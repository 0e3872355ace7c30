"""A server's rules in words, and out of words: what moderators read, and what they typed.

It owns those words and what a typed rule must look like; it never keeps a rule or follows one.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from bot import cards, i18n, render
from bot.allowance import Caps
from bot.catalog import Complaint
from bot.house import WORDS_LIMIT, Hands, House
from bot.i18n import N_, _, ngettext
from bot.ledger.servers import Block, Change

ROLES_LIMIT = 10  # roles with limits of their own: the panel has 4,000 characters
DAYS_LIMIT = 3650
BLOCKS_SHOWN = 15
REASON_SHOWN = 60
NONE = "\u2013"  # no word: it would have to fit nouns of every gender and number

NAMES = {
    "channels": N_("Channels"),
    "roles": N_("Roles"),
    "caps": N_("Limit of the whole server"),
    "member_caps": N_("Limit of each member"),
    "role_caps": N_("Limits of roles"),
    "blocked_words": N_("Words that are not allowed"),
    "imagine_ratio": N_("Ratio for /imagine"),
    "remix_ratio": N_("Ratio for /remix"),
    "resolution": N_("Resolution"),
    "private": N_("Private by default"),
    "hands": N_("Buttons of others' pictures"),
    "remix_messages": N_("Remix of others' messages"),
    "remix_avatars": N_("Remix of others' avatars"),
    "log_channel": N_("Log channel"),
    "log_language": N_("Language of the log"),
    "retention_days": N_("Requests are forgotten"),
}
# Which of them stand together, in the order of the buttons that change them.
_GROUPS = (
    ("channels", "roles"),
    ("caps", "member_caps", "role_caps"),
    ("blocked_words", "retention_days"),
    ("imagine_ratio", "remix_ratio", "resolution", "private"),
    ("hands", "remix_messages", "remix_avatars"),
    ("log_channel", "log_language"),
)
# What the log may be written in, by Discord's names, in their own words.
LANGUAGES = {
    "en-US": "English",
    "de": "Deutsch",
    "es-ES": "Español",
    "fr": "Français",
    "ja": "日本語",
    "ko": "한국어",
    "pt-BR": "Português do Brasil",
    "zh-CN": "简体中文",
}
_UNREADABLE = (
    N_("The bot cannot read the limit of the whole server."),
    N_("The bot cannot read the limit of each member."),
    N_("The bot cannot read the limit of the role."),
)
_LIKE_THESE = N_(
    "Write limits like these: 100/day or $5/month, or several with commas between them."
)
_NO_ROLE = Complaint(
    N_("A role's limit needs its role."), N_("Choose the role that the limit is for.")
)
_MANY_ROLES = Complaint(
    N_("No more roles can have limits of their own."), N_("Empty the limit of another role first.")
)
_DAYS = Complaint(
    N_("The bot cannot read this number of days."),
    N_("Write a whole number from 1 to {limit}, or nothing."),
    (("limit", DAYS_LIMIT),),
)
_MANY_WORDS = Complaint(
    N_("These are too many words."), N_("At most {limit} can be kept."), (("limit", WORDS_LIMIT),)
)


def language(locale: str) -> str:
    """The language of a locale of Discord's, as LANGUAGES names it; English where it is none."""
    near = (each for each in LANGUAGES if each.partition("-")[0] == locale.partition("-")[0])
    return locale if locale in LANGUAGES else next(near, "en-US")


def rules(
    house: House, changes: Sequence[Change], *, days: int, locale: str, mute: bool = False
) -> tuple[str, ...]:
    """Every rule with what is set, and the last changes: paragraphs of Discord's markdown.

    `days` until requests are forgotten are the bot's own, 0 for never. `mute`: Discord lets the
    bot write no more to the log channel.
    """
    with i18n.use(locale):
        told = {name: f"**{_(NAMES[name])}**: {value}" for name, value in _values(house, days)}
        parts = ["### " + _("Rules of this server")]
        parts += ["\n".join(told[each] for each in group if each in told) for group in _GROUPS]
        if mute:
            parts.append(
                "⚠️ "
                + _("The bot cannot write to {channel}.").format(channel=f"<#{house.log_channel}>")
                + " "
                + _("Allow it View Channel and Send Messages there, then set the channel again.")
            )
        if changes:
            last = [f"**{_('Last changes')}**"]
            last += [
                " · ".join((f"-# {_(NAMES[each.name])}", *_who(each.user_id), _ago(each.at)))
                for each in changes
                if each.name in NAMES
            ]
            parts.append("\n".join(last))
        return tuple(parts)


def _values(house: House, days: int) -> Iterator[tuple[str, str]]:
    everywhere, everybody = _("everywhere"), _("everybody")
    own = _("default")
    yield "channels", " ".join(f"<#{each}>" for each in sorted(house.channels)) or everywhere
    yield "roles", " ".join(f"<@&{each}>" for each in sorted(house.roles)) or everybody
    yield "caps", house.caps or NONE
    yield "member_caps", house.member_caps or NONE
    yield "role_caps", " · ".join(f"<@&{role}> {caps}" for role, caps in house.role_caps) or NONE
    count = len(house.blocked_words)
    words = ngettext("{count} word", "{count} words", count).format(count=count)
    yield "blocked_words", words if count else NONE
    yield "imagine_ratio", house.imagine_ratio or own
    yield "remix_ratio", house.remix_ratio or own
    yield "resolution", house.resolution or own
    yield "private", _("yes") if house.private else _("no")
    owner = house.hands is Hands.OWNER
    yield "hands", _("for whoever asked, and moderators") if owner else _("for everybody")
    yield "remix_messages", _("allowed") if house.remix_messages else _("not allowed")
    yield "remix_avatars", _("allowed") if house.remix_avatars else _("not allowed")
    yield "log_channel", f"<#{house.log_channel}>" if house.log_channel else NONE
    if house.log_channel:
        yield "log_language", LANGUAGES[language(house.log_language or "")]
    yield "retention_days", _forgotten(house.retention_days, days)


def _forgotten(here: int | None, everywhere: int) -> str:
    """After how many days requests are forgotten, and whose rule that is: the sooner one's."""
    counts = [days for days in (here, everywhere) if days]
    if not counts:
        return _("never (the bot's rule)")
    count = min(counts)
    if count == here:
        said = ngettext("after {count} day", "after {count} days", count)
    else:
        said = ngettext(
            "after {count} day (the bot's rule)", "after {count} days (the bot's rule)", count
        )
    return said.format(count=count)


def blocks(found: Sequence[Block], *, locale: str) -> tuple[str, ...]:
    """Who may not ask, why, until when, and who says so."""
    with i18n.use(locale):
        lines = [
            f"<@{block.user_id}> · {ends(block.until)} · {_plain(block.reason)}{_by(block)}"
            for block in found[:BLOCKS_SHOWN]
        ]
        if len(found) > BLOCKS_SHOWN:
            lines.append(
                "-# "
                + _("The first {shown} of {count}.").format(shown=BLOCKS_SHOWN, count=len(found))
            )
        return "### " + _("Blocked members"), "\n".join(lines) or _("Nobody is blocked.")


def _by(block: Block) -> str:
    by = "".join(_who(block.by_user or 0))
    return " · " + _("by {moderator}").format(moderator=by) if by else ""


def ends(until: datetime | None) -> str:
    """When a block ends, in the language in use."""
    if until is None:
        return _("until somebody lifts it")
    return _("until {time}").format(time=f"<t:{int(until.timestamp())}:f>")


def _who(user_id: int) -> tuple[str, ...]:
    """Nobody once the person was forgotten, who is 0 then."""
    return (f"<@{user_id}>",) if user_id else ()


def _ago(at: datetime) -> str:
    return f"<t:{int(at.timestamp())}:R>"


def _plain(text: str) -> str:
    """Somebody's words so that Discord makes nothing of them."""
    return cards.escape(render.clean(text, limit=REASON_SHOWN))


def limits(
    house: House, *, server: str, member: str, roles: Iterable[int], role: str
) -> dict[str, Any] | Complaint:
    """The typed limits as rules; an empty limit of a role takes it away."""
    read = []
    for text, unreadable in zip((server, member, role), _UNREADABLE, strict=True):
        try:
            read.append(str(Caps.parse(text)))
        except ValueError:
            return Complaint(unreadable, _LIKE_THESE)
    chosen = next(iter(roles), None)
    if chosen is None and role.strip():
        return _NO_ROLE
    kept = {each: limit for each, limit in house.role_caps if each != chosen}
    if chosen is not None and read[2]:
        kept[chosen] = read[2]
    if len(kept) > ROLES_LIMIT:
        return _MANY_ROLES
    return {"caps": read[0], "member_caps": read[1], "role_caps": tuple(kept.items())}


def words(text: str, *, days: str) -> dict[str, Any] | Complaint:
    """The typed words, one a line, each once, and days as rules."""
    found = tuple(dict.fromkeys(filter(None, (line.strip() for line in text.splitlines()))))
    if len(found) > WORDS_LIMIT:
        return _MANY_WORDS
    kept = _number(days.strip())
    if days.strip() and kept is None:
        return _DAYS
    return {"blocked_words": found, "retention_days": kept}


def _number(typed: str) -> int | None:
    """A number of days; a long one is not even read, for Python takes its time over it."""
    fits = typed.isascii() and typed.isdecimal() and len(typed) <= len(str(DAYS_LIMIT))
    return int(typed) if fits and 1 <= int(typed) <= DAYS_LIMIT else None
