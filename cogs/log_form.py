"""The form in which moderators choose the log channel, and the rules in what comes back.

It owns labels and layout; it never decides what is written there.
"""

from typing import Any

import discord

from bot import charter, i18n
from bot.house import House
from bot.i18n import N_, _
from cogs.forms import Filled, Form, add

NAME = "log"
RULES = ("log_channel", "log_language")
TITLE = N_("Log channel")
KINDS = (discord.ChannelType.text, discord.ChannelType.news)


def form(house: House, *, locale: str, server_locale: str) -> Form:
    """The form with what is set now, in the server's own language where nothing is."""
    with i18n.use(locale):
        made = Form(NAME, about=house.mark(RULES), title=_(TITLE))
        chosen = [discord.Object(house.log_channel)] if house.log_channel else []
        channel: Any = discord.ui.ChannelSelect(
            custom_id="log_channel",
            required=False,
            min_values=0,
            max_values=1,
            channel_types=list(KINDS),
            default_values=chosen,
        )
        said = _(
            "Public pictures, reports and rule changes are told there; choose none for no log."
        )
        add(made, _("Log channel"), channel, said)
        wanted = house.log_language or charter.language(server_locale)
        language: Any = discord.ui.Select(
            custom_id="log_language",
            options=[
                discord.SelectOption(label=name, value=value, default=value == wanted)
                for value, name in charter.LANGUAGES.items()
            ],
        )
        add(made, _("Language of the log"), language)
        return made


def rules(filled: Filled) -> dict[str, Any]:
    """What was filled in as rules."""
    channel = next(iter(filled.choices.get("log_channel", ())), None)
    language = next(iter(filled.choices.get("log_language", ())), None)
    return {
        "log_channel": int(channel) if channel else None,
        "log_language": charter.language(language or "") if channel else None,
    }
