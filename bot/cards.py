"""Card values as Discord components: one V2 container with text, gallery and footer.

It owns layout and escaping; it never decides what to say. Everything is built fresh per message,
because views and files are used up by sending them.
"""

import io
import re

import discord

from bot.render import Card, Tone

COLOURS = {
    Tone.WAITING: discord.Colour(0x8A8F98),
    Tone.WORKING: discord.Colour(0xD9932B),
    Tone.FINISHED: discord.Colour(0x3B8F5C),
    Tone.FAILED: discord.Colour(0xC4473A),
}
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


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
        box: discord.ui.Container[CardView] = discord.ui.Container(accent_colour=COLOURS[card.tone])
        box.add_item(discord.ui.TextDisplay(f"### {card.heading}\n{_byline(card)}"))
        if card.shots:
            gallery: discord.ui.MediaGallery[CardView] = discord.ui.MediaGallery()
            for shot in card.shots:
                gallery.add_item(
                    media=f"attachment://{shot.filename}", description=shot.alt or None
                )
            box.add_item(gallery)
        if card.notes:
            box.add_item(discord.ui.TextDisplay("\n".join(card.notes)))
        box.add_item(discord.ui.Separator())
        box.add_item(discord.ui.TextDisplay(f"-# {escape(card.footer)}"))
        self.add_item(box)


def _byline(card: Card) -> str:
    who = f"<@{card.asked_by}>"
    return f"{who} · {escape(card.prompt)}" if card.prompt else who


def files(card: Card) -> list[discord.File]:
    """The card's pictures as uploads, for one attempt: a file is empty after its first use."""
    return [
        discord.File(io.BytesIO(shot.data), filename=shot.filename, description=shot.alt or None)
        for shot in card.shots
    ]
