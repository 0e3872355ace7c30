"""A small bot on real discord.py for the stand-in's tests, and the two of them together."""

# ruff: noqa: ARG001, ARG002, ARG003 - discord.py fixes the names and number of arguments

import asyncio
import contextlib
import io
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import discord
from discord import app_commands
from discord.ext import commands

from sandbox.wirecord import launch, server

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (64).to_bytes(4) + (48).to_bytes(4) + bytes(2000)


class Again(
    discord.ui.DynamicItem[discord.ui.Button], template=re.compile(r"job:again:(?P<job>\w+)")
):
    """A button that lives as long as its message."""

    def __init__(self, job):
        self.job = job
        super().__init__(discord.ui.Button(label="Again", custom_id=f"job:again:{job}"))

    @classmethod
    async def from_custom_id(cls, interaction, item, match):
        return cls(match["job"])

    async def callback(self, interaction):
        interaction.client.presses.append(self.job)
        await interaction.client.pressed(interaction)


class Ask(discord.ui.Modal, title="Again"):
    """A form with a text and a file."""

    words = discord.ui.TextInput(label="Words", custom_id="words")
    picture = discord.ui.Label(
        text="Picture", component=discord.ui.FileUpload(custom_id="picture", required=False)
    )

    async def on_submit(self, interaction):
        files = [await upload.read() for upload in self.picture.component.values]
        interaction.client.forms.append((self.words.value, files))
        await interaction.response.edit_message(view=card("changed"))


def card(text="a card", *, picture=None, job="j1"):
    view = discord.ui.LayoutView(timeout=None)
    box = discord.ui.Container(discord.ui.TextDisplay(text))
    if picture:
        box.add_item(discord.ui.MediaGallery(discord.MediaGalleryItem(f"attachment://{picture}")))
    box.add_item(discord.ui.ActionRow(Again(job)))
    view.add_item(box)
    return view


def file(data=PNG, name="out.png"):
    return discord.File(io.BytesIO(data), filename=name)


class Painter(commands.AutoShardedBot):
    """Answers with whatever the test gives: `asked` and `pressed` take the interaction."""

    def __init__(self, **options):
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=discord.Intents.none(),
            **options,
        )
        self.seen, self.presses, self.forms, self.failures = [], [], [], []
        self.resumed = 0

    async def setup_hook(self):
        self.add_dynamic_items(Again)
        self.tree.add_command(app_commands.Command(name="paint", description="-", callback=paint))
        self.tree.add_command(app_commands.ContextMenu(name="Edit this", callback=edit_this))
        self.tree.error(self.failed)
        await self.tree.sync()

    async def before_identify_hook(self, shard_id, *, initial=False):
        """Shards need not wait five seconds for each other here."""

    async def asked(self, interaction):
        await interaction.response.defer(thinking=True)
        await interaction.edit_original_response(view=card(picture="out.png"), attachments=[file()])

    async def pressed(self, interaction):
        await interaction.response.send_message("pressed", ephemeral=True)

    async def on_shard_resumed(self, shard_id):
        self.resumed += 1

    async def failed(self, interaction, error):
        self.failures.append(getattr(error, "original", error))


@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
async def paint(
    interaction: discord.Interaction,
    prompt: str,
    image1: discord.Attachment | None = None,
    image2: discord.Attachment | None = None,
) -> None:
    client = interaction.client
    client.seen.append(interaction)
    client.images = [await i.read() for i in (image1, image2) if i is not None]
    await client.asked(interaction)


async def edit_this(interaction: discord.Interaction, message: discord.Message) -> None:
    interaction.client.targets = [message]
    await interaction.response.send_message("yes", ephemeral=True)


@dataclass
class Pair:
    """The stand-in and the bot in it."""

    discord: server.Wirecord
    bot: Painter
    tasks: list = field(default_factory=list)

    async def ask(self, answer=None, **how):
        """A command answered by `answer(interaction)`, acknowledged or failed."""
        if answer is not None:
            self.bot.asked = answer
        asked = await self.discord.command("paint", {"prompt": "a cat"}, **how)
        await until(lambda: asked.acked is not None or asked.refusals or self.bot.failures)
        return asked


async def until(condition, *, seconds=10.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (discord.py has no event for most of it)
            await asyncio.sleep(0.005)


async def deferred(interaction):
    await interaction.response.defer(thinking=True)


async def deferred_privately(interaction):
    await interaction.response.defer(thinking=True, ephemeral=True)


async def refusal(call):
    """The HTTP error that a call of discord.py ends with: status and code."""
    try:
        await call
    except discord.HTTPException as error:
        return error.status, error.code
    return None


@asynccontextmanager
async def pair(*, shards=1, **changes):
    """Both, connected."""
    async with server.Wirecord(keep_bytes=True, shards=shards, **changes) as running:
        with launch.aimed(running.base):
            bot = Painter()
            async with bot:
                await bot.login(server.TOKEN)
                connecting = asyncio.create_task(bot.connect())
                try:
                    await running.gateway.ready(shards=shards)
                    yield Pair(running, bot)
                finally:
                    connecting.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await connecting
