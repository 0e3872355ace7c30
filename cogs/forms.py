"""Forms (Discord's modals): their ids, what was filled in, and who takes it on.

It owns the reading of a submitted form; it never keeps one. An id says which form it is and what
it is about, so any process can take it on, also after a restart: discord.py itself would drop it.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import discord
import structlog
from discord.ext import commands

from bot.catalog import Complaint
from bot.i18n import N_
from bot.model import TOKEN_LIFE
from cogs.interactions import Interaction, whisper

log = structlog.get_logger(__name__)

TITLE_LIMIT = 45
TEXT_LIMIT = 4000

_ID = re.compile(r"form:(?P<name>[a-z]+):(?P<about>.*)", re.DOTALL)
_STALE = Complaint(
    N_("This form is out of date."), N_("Open it again from the picture or the command.")
)


class Form(discord.ui.Modal):
    """A form as it is opened. `name` chooses its handler, `about` is handed to it."""

    def __init__(self, name: str, *, about: str, title: str) -> None:
        super().__init__(
            title=title[:TITLE_LIMIT],
            custom_id=f"form:{name}:{about}",
            # discord.py would remember a form that nobody submits for ever.
            timeout=TOKEN_LIFE.total_seconds(),
        )


def add(made: Form, label: str, field: discord.ui.Item[Form], said: str = "") -> None:
    """Put a field into a form under a label, both cut to what Discord takes."""
    made.add_item(
        discord.ui.Label(text=label[:45], component=field, description=said[:100] or None)
    )


@dataclass(frozen=True, slots=True)
class Filled:
    """What a person submitted, by the custom_id of each field; an empty field is empty here."""

    name: str
    about: str
    texts: Mapping[str, str]
    choices: Mapping[str, tuple[str, ...]]
    files: Mapping[str, tuple[discord.Attachment, ...]]


Handler = Callable[[Interaction, Filled], Awaitable[None]]


class Forms(commands.Cog):
    """Hands every submitted form to its handler."""

    def __init__(self, *, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers

    @commands.Cog.listener()
    async def on_interaction(self, interaction: Interaction) -> None:
        if interaction.type is not discord.InteractionType.modal_submit:
            return
        filled = read(interaction)
        handler = self._handlers.get(filled.name) if filled is not None else None
        try:
            if filled is None or handler is None:
                await whisper(interaction, _STALE)
            else:
                await handler(interaction, filled)
        except discord.HTTPException as error:
            log.warning("form.failed", form=filled and filled.name, cause=str(error))


def read(interaction: Interaction) -> Filled | None:
    """The fields of a submitted form (Discord's documentation, "Modal Submit Interaction Data")."""
    data: Any = interaction.data
    match = _ID.fullmatch(data["custom_id"])
    if match is None:
        return None
    uploaded = data.get("resolved", {}).get("attachments", {})
    texts: dict[str, str] = {}
    choices: dict[str, tuple[str, ...]] = {}
    files: dict[str, tuple[discord.Attachment, ...]] = {}
    for field in _fields(data["components"]):
        name = field["custom_id"]
        if field["type"] == discord.ComponentType.text_input.value:
            texts[name] = field.get("value") or ""
        elif field["type"] == discord.ComponentType.file_upload.value:
            files[name] = tuple(
                discord.Attachment(data=uploaded[each], state=interaction._state)  # noqa: SLF001 - there is no other way to one
                for each in field.get("values", ())
            )
        elif "values" in field:
            choices[name] = tuple(field["values"] or ())
        else:
            chosen = field.get("value")
            choices[name] = (str(chosen),) if chosen is not None else ()
    return Filled(
        name=match["name"], about=match["about"], texts=texts, choices=choices, files=files
    )


def _fields(components: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The filled-in fields without what labels or rows stand around them."""
    for component in components:
        if "custom_id" in component:
            yield component
        inside = component.get("components") or [component.get("component")]
        yield from _fields([each for each in inside if each is not None])
