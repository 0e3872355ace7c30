"""/imagine: a picture from words."""

import discord
from discord import app_commands
from discord.ext import commands

from bot import catalog
from bot.catalog import Complaint
from bot.intake import Intake
from bot.model import Kind
from bot.recent import Recent
from bot.tastes import Tastes
from cogs import asking, options, suggesting
from cogs.interactions import Interaction, whisper


class Imagine(commands.Cog):
    """Turns the options of /imagine into a request."""

    def __init__(self, *, intake: Intake, tastes: Tastes, recently: Recent) -> None:
        self._intake = intake
        self._tastes = tastes
        self._recently = recently

    @app_commands.command(description="Make a picture from your words")
    @app_commands.describe(
        prompt="What the picture should show",
        aspect_ratio="Width to height (default 1:1)",
        resolution="1K is quicker, 2K is sharper (default 1K)",
        count="How many pictures to make, 1 to 4 (default 1)",
        private="Show the picture to you alone",
        spoiler="Blur the picture until somebody clicks it",
        prompt_file="A .txt file whose text is added to the prompt, for long ones",
    )
    @app_commands.choices(
        aspect_ratio=options.choices(catalog.IMAGINE.ratios, default=catalog.IMAGINE.default_ratio),
        resolution=options.choices(
            catalog.IMAGINE.resolutions, default=catalog.IMAGINE.default_resolution
        ),
    )
    async def imagine(
        self,
        interaction: Interaction,
        prompt: str,
        aspect_ratio: str | None = None,
        resolution: str | None = None,
        count: app_commands.Range[int, 1, 4] = 1,
        private: bool | None = None,
        spoiler: bool | None = None,
        prompt_file: discord.Attachment | None = None,
    ) -> None:
        given = options.Given(
            aspect_ratio=aspect_ratio, resolution=resolution, private=private, spoiler=spoiler
        )
        settled = await options.settle(
            interaction,
            given,
            Kind.IMAGINE,
            prompt,
            intake=self._intake,
            tastes=self._tastes,
            recently=self._recently,
        )
        if isinstance(settled, Complaint):
            await whisper(interaction, settled)
            return
        chosen, words = settled
        wish = options.wish(chosen, Kind.IMAGINE, words, prompt_file=prompt_file, count=count)
        await asking.ask(interaction, wish, intake=self._intake)

    @imagine.autocomplete("prompt")
    async def _suggest(
        self, interaction: Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        return await suggesting.suggestions(interaction, typed, recently=self._recently)
