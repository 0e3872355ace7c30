"""Card values as Discord components: one V2 container with text, gallery and footer.

It owns layout and escaping; it never decides what to say. Everything is built fresh per message,
because views and files are used up by sending them.
"""

import io
import re

import discord

from bot.presses import Choice, Row, Verb
from bot.render import Card, Shot, Tone

COLOURS = {
    Tone.WAITING: discord.Colour(0x8A8F98),
    Tone.WORKING: discord.Colour(0xD9932B),
    Tone.FINISHED: discord.Colour(0x3B8F5C),
    Tone.FAILED: discord.Colour(0xC4473A),
}
# The picture is the loudest thing on its card: only what brings it forward stands out.
STYLES = {Verb.SHOW: discord.ButtonStyle.primary}
# What the id of any button looks like. It names the reply, so it outlives every process.
CUSTOM_ID = rf"job:(?P<verb>{'|'.join(Verb)}):(?P<reply>[a-z2-7]{{16}})"

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def custom_id(verb: Verb, reply_id: str) -> str:
    """The id of a button, as CUSTOM_ID reads it."""
    return f"job:{verb}:{reply_id}"


def escape(text: str) -> str:
    """Someone's text so that Discord shows it as it is: no markup, link, mention or emoji code.

    A backslash before a punctuation mark is its plain self in Discord's markdown, and no link,
    mention or timestamp survives one in its middle.
    """
    return _PUNCTUATION.sub(r"\\\1", text)


class CardView(discord.ui.LayoutView):
    """A card as it is sent."""

    def __init__(self, card: Card) -> None:
        super().__init__(timeout=None)
        if card.plain:
            self.add_item(discord.ui.TextDisplay(f"{card.heading}\n-# {escape(card.footer)}"))
            if card.shots:
                self.add_item(_gallery(card))
            return
        box: discord.ui.Container[CardView] = discord.ui.Container(accent_colour=COLOURS[card.tone])
        box.add_item(discord.ui.TextDisplay(f"### {card.heading}\n{_byline(card)}"))
        if card.shots:
            box.add_item(_gallery(card))
        if card.made_from:
            box.add_item(discord.ui.TextDisplay(f"-# {card.made_from_title}"))
            box.add_item(_gallery(card, card.made_from))
        if card.notes:
            # Air between the person's words and the bot's, which else read as one paragraph.
            box.add_item(discord.ui.Separator(visible=False))
            box.add_item(discord.ui.TextDisplay("\n".join(card.notes)))
        for row in card.rows:
            box.add_item(_row(row, card.reply_id))
        box.add_item(discord.ui.Separator())
        lineage = f"-# {card.lineage}\n" if card.lineage else ""
        box.add_item(discord.ui.TextDisplay(f"{lineage}-# {escape(card.footer)}"))
        self.add_item(box)


def _row(row: Row, reply_id: str) -> "discord.ui.ActionRow[CardView]":
    """A row as it is sent. What answers it is found by its id: nothing here is ever called."""
    shown: discord.ui.ActionRow[CardView] = discord.ui.ActionRow()
    if isinstance(row, Choice):
        options = [discord.SelectOption(label=value, value=value) for value in row.values]
        return shown.add_item(
            discord.ui.Select(
                placeholder=row.label, options=options, custom_id=custom_id(row.verb, reply_id)
            )
        )
    for press in row:
        shown.add_item(
            discord.ui.Button(
                label=press.label,
                style=STYLES.get(press.verb, discord.ButtonStyle.secondary),
                custom_id=custom_id(press.verb, reply_id),
            )
        )
    return shown


def words(text: str) -> discord.ui.LayoutView:
    """A few words where a card stood: a message with components takes no other text any more."""
    view = discord.ui.LayoutView(timeout=None)
    return view.add_item(discord.ui.TextDisplay(text))


def _gallery(
    card: Card, shots: tuple[Shot, ...] | None = None
) -> discord.ui.MediaGallery[CardView]:
    gallery: discord.ui.MediaGallery[CardView] = discord.ui.MediaGallery()
    for shot in card.shots if shots is None else shots:
        gallery.add_item(
            media=f"attachment://{_filename(card, shot)}",
            description=shot.alt or None,
            spoiler=card.spoiler,
        )
    return gallery


def _filename(card: Card, shot: Shot) -> str:
    """The name of an upload; its beginning is what blurs it outside the gallery, too."""
    return f"SPOILER_{shot.filename}" if card.spoiler else shot.filename


def _byline(card: Card) -> str:
    who = f"<@{card.asked_by}>"
    return f"{who} · {escape(card.prompt)}" if card.prompt else who


class _Upload(io.BytesIO):
    """A picture's bytes as a file. aiohttp asks for its buffer only to learn its size."""

    def getbuffer(self) -> memoryview:
        return memoryview(self.getvalue())  # the same bytes; a buffer to write to is a copy


def files(card: Card) -> list[discord.File]:
    """The card's pictures as uploads, for one attempt: a file is empty after its first use."""
    return [
        discord.File(
            _Upload(shot.data),
            filename=_filename(card, shot),
            description=shot.alt or None,
        )
        for shot in (card.shots if card.plain else (*card.shots, *card.made_from))
    ]
