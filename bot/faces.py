"""A card as a value: its words, its pictures, what can be pressed; and how to show less of it.

It owns what is left of a card where Discord objects; it never chooses a word.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.presses import Row

_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")


class Tone(StrEnum):
    """What a card shows, hence its colour."""

    WAITING = "waiting"
    WORKING = "working"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture in the gallery: the bytes to upload, their name, and words for the blind."""

    filename: str
    data: bytes
    alt: str
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """What a reply shows at one moment. `prompt` is the person's own text: escape it."""

    reply_id: str
    tone: Tone
    heading: str
    asked_by: int
    prompt: str | None
    notes: tuple[str, ...]
    footer: str
    shots: tuple[Shot, ...] = ()
    rows: tuple[Row, ...] = ()  # what can be pressed
    spoiler: bool = False  # the pictures are blurred until somebody clicks them
    lineage: str | None = None  # what it was made from, in Discord's markdown
    plain: bool = False  # one text and one gallery, for when Discord refuses the rest
    made_from: tuple[Shot, ...] = ()  # a second gallery, smaller, under a title
    made_from_title: str = ""

    def quiet(self) -> "Card":
        """The same without a word of the person's or a link: what is left when AutoMod objects."""
        shots = tuple(replace(shot, alt="") for shot in self.shots)
        notes = tuple(_LINK.sub(r"\1", note) for note in self.notes)
        lineage = self.lineage and _LINK.sub(r"\1", self.lineage)
        return replace(self, prompt=None, shots=shots, notes=notes, lineage=lineage)

    def simple(self) -> "Card":
        """The least that shows the pictures: what is left when Discord refuses the card."""
        return replace(self.quiet(), notes=(), rows=(), lineage=None, plain=True)
