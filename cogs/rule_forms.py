"""The forms in which moderators set a server's rules, and the rules in what comes back.

It owns labels and layout; it never decides what a rule may be.
"""

from typing import Any

import discord

from bot import charter, i18n
from bot.catalog import Catalog, Complaint
from bot.house import Hands, House
from bot.i18n import N_, _
from bot.model import Kind
from cogs import log_form
from cogs.forms import TEXT_LIMIT, Filled, Form
from cogs.forms import add as _add

# Which form sets which rules, and what its button says.
FIELDS = {
    "places": ("channels", "roles"),
    "limits": ("caps", "member_caps", "role_caps"),
    "words": ("blocked_words", "retention_days"),
    "pictures": (
        *("imagine_ratio", "remix_ratio", "resolution"),
        *("private", "hands", "remix_messages", "remix_avatars"),
    ),
    log_form.NAME: log_form.RULES,
}
TITLES = {
    "places": N_("Places and roles"),
    "limits": N_("Limits"),
    "words": N_("Words and retention"),
    "pictures": N_("Pictures"),
    log_form.NAME: log_form.TITLE,
}
CHOSEN_LIMIT = 25  # what a select of Discord's holds
CAPS_LIMIT = 100  # characters
KINDS = ("text", "news", "voice", "stage_voice", "forum", "media")
DEFAULT = "default"


def form(name: str, house: House, catalog: Catalog, *, locale: str) -> Form:
    """The form with what is set now; its id holds the mark of that."""
    with i18n.use(locale):
        made = Form(name, about=house.mark(FIELDS[name]), title=_(TITLES[name]))
        if name == "places":
            channels: Any = discord.ui.ChannelSelect(
                **_several("channels"),
                channel_types=[discord.ChannelType[kind] for kind in KINDS],
                default_values=[discord.Object(each) for each in sorted(house.channels)],
            )
            _add(made, _("Channels"), channels, _("Only there; choose none for everywhere."))
            roles: Any = discord.ui.RoleSelect(
                **_several("roles"),
                default_values=[discord.Object(each) for each in sorted(house.roles)],
            )
            _add(made, _("Roles"), roles, _("Only for them; choose none for everybody."))
        elif name == "limits":
            said = _("Such as 100/day, $5/month; empty for none.")
            _add(made, _("The whole server"), _text("server", house.caps), said)
            _add(made, _("Each member"), _text("member", house.member_caps), said)
            role: Any = discord.ui.RoleSelect(custom_id="role", required=False, min_values=0)
            _add(made, _("A role with a limit of its own"), role)
            said = _("Instead of each member's; empty takes it away.")
            _add(made, _("Limit of each member with that role"), _text("cap", ""), said)
        elif name == "words":
            words: Any = discord.ui.TextInput(
                custom_id="words",
                style=discord.TextStyle.paragraph,
                default="\n".join(house.blocked_words)[:TEXT_LIMIT],
                required=False,
                max_length=TEXT_LIMIT,
            )
            said = _("One a line. Write word* for all that begins like it.")
            _add(made, _("Words that are not allowed"), words, said)
            said = _("Counts only if sooner than for the whole bot; empty for the same.")
            days = _text("days", str(house.retention_days or ""))
            _add(made, _("Days until requests are forgotten"), days, said)
        else:
            _pictures(made, house, catalog)
        return made


def rules(filled: Filled, house: House) -> dict[str, Any] | Complaint:
    """What was filled in as rules, or what is wrong with it."""
    texts, choices = filled.texts, filled.choices
    if filled.name == "places":
        return {name: frozenset(map(int, choices.get(name, ()))) for name in FIELDS["places"]}
    if filled.name == "limits":
        return charter.limits(
            house,
            server=texts.get("server", ""),
            member=texts.get("member", ""),
            roles=map(int, choices.get("role", ())),
            role=texts.get("cap", ""),
        )
    if filled.name == "words":
        return charter.words(texts.get("words", ""), days=texts.get("days", ""))
    ticked = choices.get("options", ())
    picked = {name: choices.get(name, (DEFAULT,))[0] for name in FIELDS["pictures"][:3]}
    return {
        **{name: None if value == DEFAULT else value for name, value in picked.items()},
        "private": "private" in ticked,
        "hands": Hands.OWNER if "hands" in ticked else Hands.EVERYONE,
        "remix_messages": "remix_messages" in ticked,
        "remix_avatars": "remix_avatars" in ticked,
    }


def _pictures(made: Form, house: House, catalog: Catalog) -> None:
    imagine, remix = (catalog.offered(kind)[0] for kind in (Kind.IMAGINE, Kind.REMIX))
    picks = {
        "imagine_ratio": (_("Ratio for /imagine"), imagine.ratios, house.imagine_ratio),
        "remix_ratio": (_("Ratio for /remix"), remix.ratios, house.remix_ratio),
        "resolution": (_("Resolution"), imagine.resolutions, house.resolution),
    }
    for name, (label, values, chosen) in picks.items():
        options = [discord.SelectOption(label=_("default"), value=DEFAULT)]
        options += [discord.SelectOption(label=value, value=value) for value in values]
        for option in options:
            option.default = option.value == (chosen if chosen in values else DEFAULT)
        _add(made, label, discord.ui.Select(custom_id=name, options=options))
    ticks = {
        "private": (_("Private by default"), house.private),
        "hands": (_("Buttons for whoever asked, and moderators"), house.hands is Hands.OWNER),
        "remix_messages": (_("Members may remix others' messages"), house.remix_messages),
        "remix_avatars": (_("Members may remix others' avatars"), house.remix_avatars),
    }
    boxes = [
        discord.CheckboxGroupOption(label=label, value=name, default=on)
        for name, (label, on) in ticks.items()
    ]
    group: Any = discord.ui.CheckboxGroup(
        custom_id="options", options=boxes, required=False, min_values=0
    )
    _add(made, _("Options"), group)


def _several(name: str) -> dict[str, Any]:
    limits = {"min_values": 0, "max_values": CHOSEN_LIMIT}
    return {"custom_id": name, "required": False, **limits}


def _text(name: str, default: str) -> "discord.ui.TextInput[Form]":
    return discord.ui.TextInput(
        custom_id=name, default=default, required=False, max_length=CAPS_LIMIT
    )
