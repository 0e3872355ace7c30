"""Options of the commands: how a choice reads, and what an option that was not given means.

It owns both; it never knows which values a model takes.
"""

from dataclasses import dataclass

import discord
from discord import app_commands

from bot import i18n
from bot.catalog import Catalog
from bot.model import Kind, Reference, Request
from cogs.asking import Wish


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a person said of a picture besides its words; None is not said."""

    model: str | None = None
    aspect_ratio: str | None = None
    resolution: str | None = None
    private: bool | None = None
    spoiler: bool | None = None
    show_references: bool | None = None


def wish(
    given: Given,
    *,
    kind: Kind,
    prompt: str,
    catalog: Catalog,
    images: tuple[discord.Attachment, ...] = (),
    prompt_file: discord.Attachment | None = None,
    count: int = 1,
) -> Wish:
    """A command as a wish, everything decided: what was given, else the model's own default."""
    offered = {model.id: model for model in catalog.offered(kind)}
    model = offered.get(given.model or "", catalog.model(kind))
    request = Request(
        kind=kind,
        model=model.id,
        prompt=prompt,
        aspect_ratio=given.aspect_ratio or model.default_ratio,
        resolution=given.resolution or model.default_resolution,
        references=tuple(Reference(url=i.url, filename=i.filename) for i in images),
    )
    return Wish(
        request=request,
        images=images,
        prompt_file=prompt_file,
        count=count,
        private=bool(given.private),
        spoiler=bool(given.spoiler),
        show_references=bool(given.show_references),
    )


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
