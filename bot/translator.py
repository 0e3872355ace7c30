"""Commands in the reader's language: what their options are called and what they are for.

It owns which part of a command is translated how; it never translates a command's own name, so
that people can tell each other what to type.
"""

import discord
from discord import app_commands
from discord.app_commands import TranslationContextLocation as Part

from bot import i18n

# What is typed reads the same for everybody.
TYPED = {Part.command_name, Part.group_name}


class Translator(app_commands.Translator):
    """Discord's locales through the bot's catalogues; None leaves the English text."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """The text in that locale.

        A locale_str may carry `template` and `values`: then the one is translated, and the others
        are filled in.
        """
        menu = isinstance(context.data, app_commands.ContextMenu)
        if context.location in TYPED and not menu:
            return None
        source = string.extras.get("template", string.message)
        with i18n.use(locale.value):
            if context.location is Part.parameter_name:
                text = str(i18n.Option(source))
            else:
                text = i18n._(source)
        values = string.extras.get("values")
        text = text.format(**values) if values else text
        return None if text == string.message else text
