"""/remix: a picture from words and one to five images."""

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


class Remix(commands.Cog):
    """Turns the options of /remix into a request; the images keep their order."""

    def __init__(self, *, intake: Intake, tastes: Tastes, recently: Recent) -> None:
        self._intake = intake
        self._tastes = tastes
        self._recently = recently

    @app_commands.command(description="Make a picture from your words and up to five images")
    @app_commands.describe(
        prompt="What to make of the images; call them first image, second image, ...",
        image1="The first image",
        image2="A second image",
        image3="A third image",
        image4="A fourth image",
        image5="A fifth image",
        aspect_ratio="Width to height (default auto: as the images suggest)",
        resolution="1K is quicker, 2K is sharper (default 1K)",
        count="How many pictures to make, 1 to 4 (default 1)",
        private="Show the picture to you alone",
        spoiler="Blur the picture until somebody clicks it",
        show_images="Show the images you handed in beside the picture",
        prompt_file="A .txt file whose text is added to the prompt, for long ones",
    )
    @app_commands.choices(
        aspect_ratio=options.choices(catalog.REMIX.ratios, default=catalog.REMIX.default_ratio),
        resolution=options.choices(
            catalog.REMIX.resolutions, default=catalog.REMIX.default_resolution
        ),
    )
    async def remix(
        self,
        interaction: Interaction,
        prompt: str,
        image1: discord.Attachment,
        image2: discord.Attachment | None = None,
        image3: discord.Attachment | None = None,
        image4: discord.Attachment | None = None,
        image5: discord.Attachment | None = None,
        aspect_ratio: str | None = None,
        resolution: str | None = None,
        count: app_commands.Range[int, 1, 4] = 1,
        private: bool | None = None,
        spoiler: bool | None = None,
        show_images: bool | None = None,
        prompt_file: discord.Attachment | None = None,
    ) -> None:
        handed_in = (image1, image2, image3, image4, image5)
        given = options.Given(
            aspect_ratio=aspect_ratio,
            resolution=resolution,
            private=private,
            spoiler=spoiler,
            show_references=show_images,
        )
        settled = await options.settle(
            interaction,
            given,
            Kind.REMIX,
            prompt,
            intake=self._intake,
            tastes=self._tastes,
            recently=self._recently,
        )
        if isinstance(settled, Complaint):
            await whisper(interaction, settled)
            return
        chosen, words = settled
        images = tuple(image for image in handed_in if image is not None)
        wish = options.wish(
            chosen, Kind.REMIX, words, images=images, prompt_file=prompt_file, count=count
        )
        await asking.ask(interaction, wish, intake=self._intake)

    @remix.autocomplete("prompt")
    async def _suggest(
        self, interaction: Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        return await suggesting.suggestions(interaction, typed, recently=self._recently)
