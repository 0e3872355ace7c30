"""Options of commands: how their values read, and what counts where one is left out.

It owns the order: what was chosen, then the person's default, then the model's. It never knows
which values there are.
"""

import asyncio
from dataclasses import dataclass

import discord
from discord import app_commands

from bot import i18n, recent, render
from bot.catalog import Complaint, Model
from bot.model import Kind, Reference, Request, Taste
from bot.recent import Recent
from bot.tastes import Tastes
from cogs.asking import Wish
from cogs.interactions import Interaction

CHOICE_LIMIT = 100  # characters of a choice's name, and of its value


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


def chosen(given: Given, kind: Kind, *, taste: Taste, offered: tuple[Model, ...]) -> Chosen:
    """What was chosen, else the person's default if the model takes it, else the model's own.

    The first model on offer is the default one.
    """
    wanted = given.model or taste.model(kind)
    model = next((model for model in offered if model.id == wanted), offered[0])
    ratio, resolution = taste.ratio(kind), taste.resolution
    resolution = (
        given.resolution
        or (resolution if resolution in model.resolutions else None)
        or model.default_resolution
    )
    return Chosen(
        model=model,
        aspect_ratio=given.aspect_ratio
        or (ratio if ratio in model.ratios_at(resolution) else None)
        or model.default_ratio,
        resolution=resolution,
        private=taste.private if given.private is None else given.private,
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
    tastes: Tastes,
    recently: Recent,
) -> tuple[Chosen, str] | Complaint:
    """What counts of a command's options, and the prompt that a suggestion stands for.

    Both are looked up at once: the acknowledgement waits for them.
    """
    person = interaction.user.id
    taste, words = await asyncio.gather(tastes.of(person), recently.resolve(person, prompt))
    if isinstance(words, Complaint):
        return words
    return chosen(given, kind, taste=taste, offered=tastes.offered(kind)), words


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


async def suggestions(
    interaction: Interaction, typed: str, *, recently: Recent
) -> list[app_commands.Choice[str]]:
    """The person's last prompts that contain what they typed; nobody else sees them."""
    found = []
    for said in await recently.prompts(interaction.user.id, typed):
        name = render.clean(said.prompt, limit=CHOICE_LIMIT)
        # What a choice cannot hold to the letter is named by where it was said.
        exact = said.whole and name == said.prompt
        if name:
            value = said.prompt if exact else recent.token(said)
            found.append(app_commands.Choice(name=name, value=value))
    return found
