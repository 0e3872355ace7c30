"""Options of commands: how their values read, and what counts where one is left out.

It owns the order: what was chosen, then the person's default, the server's, the model's. It
never knows which values there are.
"""

import asyncio
from dataclasses import dataclass

import discord
from discord import app_commands

from bot import i18n
from bot.catalog import Complaint, Model
from bot.house import House
from bot.intake import Intake
from bot.model import Kind, Reference, Request, Taste
from bot.recent import Recent
from bot.tastes import Tastes
from cogs.asking import Wish
from cogs.interactions import Interaction, place


def choices(values: tuple[str, ...], *, default: str) -> list[app_commands.Choice[str]]:
    """Options of an enum, the default marked and first."""
    ordered = [default, *(value for value in values if value != default)]
    mark = i18n.N_("{value} (default)")
    marked = app_commands.locale_str(
        mark.format(value=default), template=mark, values={"value": default}
    )
    return [
        app_commands.Choice(name=marked if value == default else value, value=value)
        for value in ordered
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a person chose in a command or a form; None is what they left out."""

    model: str | None = None
    aspect_ratio: str | None = None
    resolution: str | None = None
    private: bool | None = None
    spoiler: bool | None = None
    show_references: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What counts."""

    model: Model
    aspect_ratio: str
    resolution: str
    private: bool
    spoiler: bool
    show_references: bool


def chosen(
    given: Given,
    kind: Kind,
    *,
    taste: Taste,
    offered: tuple[Model, ...],
    house: House = House(),  # noqa: B008 - it is frozen
) -> Chosen:
    """What was chosen, else the person's default if the model takes it, else the server's in the
    same way, else the model's own.

    The first model on offer is the default one.
    """
    wanted = given.model or taste.model(kind)
    model = next((model for model in offered if model.id == wanted), offered[0])
    defaults = (taste.resolution, house.resolution)
    resolution = (
        given.resolution
        or next((each for each in defaults if each in model.resolutions), None)
        or model.default_resolution
    )
    ratios = (taste.ratio(kind), house.ratio(kind))
    return Chosen(
        model=model,
        aspect_ratio=given.aspect_ratio
        or next((each for each in ratios if each in model.ratios_at(resolution)), None)
        or model.default_ratio,
        resolution=resolution,
        private=taste.private or house.private if given.private is None else given.private,
        spoiler=taste.spoiler if given.spoiler is None else given.spoiler,
        show_references=(
            taste.show_references if given.show_references is None else given.show_references
        ),
    )


async def settle(
    interaction: Interaction,
    given: Given,
    kind: Kind,
    prompt: str,
    *,
    intake: Intake,
    tastes: Tastes,
    recently: Recent,
) -> tuple[Chosen, str] | Complaint:
    """What counts of a command's options, and the prompt that a suggestion stands for.

    All are looked up at once: the acknowledgement waits for them.
    """
    person = interaction.user.id
    taste, words, house = await asyncio.gather(
        tastes.of(person), recently.resolve(person, prompt), intake.house(place(interaction))
    )
    if isinstance(words, Complaint):
        return words
    if isinstance(house, Complaint):
        return house
    return chosen(given, kind, taste=taste, offered=tastes.offered(kind), house=house), words


def wish(
    chosen: Chosen,
    kind: Kind,
    prompt: str,
    *,
    images: tuple[discord.Attachment, ...] = (),
    prompt_file: discord.Attachment | None = None,
    count: int = 1,
) -> Wish:
    """A command as a wish, everything decided."""
    request = Request(
        kind=kind,
        model=chosen.model.id,
        prompt=prompt,
        aspect_ratio=chosen.aspect_ratio,
        resolution=chosen.resolution,
        references=tuple(Reference(url=i.url, filename=i.filename) for i in images),
    )
    return Wish(
        request=request,
        images=images,
        prompt_file=prompt_file,
        count=count,
        private=chosen.private,
        spoiler=chosen.spoiler,
        show_references=chosen.show_references,
    )
