"""The bot as Discord sees it: intents, cogs, and the one place that turns a defect into a reply.

It owns the gateway client; it never knows how a picture is made.
"""

import hashlib
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot import i18n
from bot.errors import WORDS, Code
from bot.translator import Translator

log = structlog.get_logger(__name__)


# Discord's codes: no such interaction any more; somebody answered it already.
UNANSWERABLE = (10062, 40060)


class Tree(app_commands.CommandTree["EaselBot"]):
    """Commands, with the words for whatever nobody foresaw."""

    async def on_error(
        self, interaction: discord.Interaction["EaselBot"], error: app_commands.AppCommandError
    ) -> None:
        cause = getattr(error, "original", error)
        if unanswerable(cause):
            log.warning("command.unanswerable", interaction=interaction.id, cause=str(cause))
            return
        log.error("command.failed", interaction=interaction.id, exc_info=cause)
        await excuse(interaction)


def unanswerable(error: BaseException) -> bool:
    """Whether Discord takes no answer: a moment too late, or somebody else was first.

    No defect of the bot's, and nobody who could be told of one.
    """
    return isinstance(error, discord.HTTPException) and error.code in UNANSWERABLE


async def excuse(interaction: discord.Interaction["EaselBot"]) -> None:
    """Tell the person privately that the bot is at fault, as far as Discord still lets us."""
    words = WORDS[Code.INTERNAL]
    with i18n.use(str(interaction.locale)):
        text = f"**{i18n._(words.title)}**\n{i18n._(words.advice)}"
    try:
        await whisper(interaction, text)
    except discord.HTTPException as refused:
        log.warning("command.no_excuse", interaction=interaction.id, cause=str(refused))


async def whisper(interaction: discord.Interaction[Any], text: str) -> None:
    """Tell the person, alone if that is possible, whatever was answered so far.

    Raises discord.HTTPException.
    """
    if not interaction.response.is_done():
        await interaction.response.send_message(text, ephemeral=True)
        return
    spinner = interaction.response.type is discord.InteractionResponseType.deferred_channel_message
    if spinner:
        # What follows a spinner takes its place, in public if it is; what follows one that was
        # deleted may be refused. So the spinner ends first and goes last.
        await interaction.edit_original_response(content="\u2026")
    try:
        await interaction.followup.send(text, ephemeral=True)
    except discord.HTTPException:
        # Where the bot is a guest Discord takes five follow-ups (40094), edits without end.
        if not spinner:
            raise
        await interaction.edit_original_response(content=text)
        return
    if spinner:
        await interaction.delete_original_response()


class EaselBot(commands.AutoShardedBot):
    """`ready` is called once, when the bot is logged in and its commands stand."""

    def __init__(
        self,
        *,
        cogs: Sequence[commands.Cog],
        menus: Sequence[app_commands.ContextMenu],
        buttons: Sequence[type[discord.ui.DynamicItem[Any]]],
        ready: Callable[["EaselBot"], Awaitable[None]],
        allow_dms: bool,
        allow_user_install: bool,
        shard_count: int | None = None,
    ) -> None:
        super().__init__(
            # There are no text commands; a prefix must be given all the same.
            command_prefix=commands.when_mentioned,
            help_command=None,
            # Interactions need no intent, and without one no server is kept in memory.
            intents=discord.Intents.none(),
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            shard_count=shard_count,
            tree_cls=Tree,
            allowed_contexts=app_commands.AppCommandContext(
                guild=True, dm_channel=allow_dms, private_channel=allow_user_install
            ),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=allow_user_install),
        )
        self._own_cogs = cogs
        self._menus = menus
        self._buttons = buttons
        self._on_login = ready
        self._translator = Translator()

    async def setup_hook(self) -> None:
        await self.tree.set_translator(self._translator)
        for cog in self._own_cogs:
            await self.add_cog(cog)
        for menu in self._menus:
            self.tree.add_command(menu)
        self.add_dynamic_items(*self._buttons)
        await self._on_login(self)

    async def on_error(self, event_method: str, /, *args: Any, **_: Any) -> None:
        """What a listener raised: the operator reads it, and whoever waits is not left alone."""
        interaction = next((each for each in args if isinstance(each, discord.Interaction)), None)
        log.error(
            "listener.failed",
            listener=event_method,
            interaction=interaction and interaction.id,
            exc_info=sys.exception(),
        )
        if interaction is not None:
            await excuse(interaction)

    async def fingerprint(self) -> str:
        """A hash of all commands, in all languages: Discord is told again when it changes."""
        described = [
            await command.get_translated_payload(self.tree, self._translator)
            for command in self.tree.get_commands()
        ]
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
