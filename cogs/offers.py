"""The images that an open form offers: kept until it comes back, or found on the card anew.

It owns this memory alone, bounded in number and time; a form whose images it no longer has is out
of date, which its sender is told.
"""

import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.clock import Clock
from bot.media import Media
from cogs import finding
from cogs.finding import Found
from cogs.interactions import Interaction
from cogs.sparing import Whose

KEPT = 500  # forms; each offers 25 images at most, about 10 kB in all
LIFE = timedelta(minutes=30)  # nobody writes a prompt for longer


@dataclass(frozen=True, slots=True)
class _Offer:
    images: tuple[Found, ...]
    user_id: int
    until: datetime
    whose: Whose


# How delivery names a card's pictures, which may stand beside the images they were made from.
_DELIVERED = re.compile(r"(?:SPOILER_)?[a-z2-7]{6}-\d\.\w+")


def delivered(interaction: Interaction, *, media: Media) -> tuple[Found, ...]:
    """The pictures of the card that was pressed, with the addresses they have now."""
    message = interaction.message
    found = finding.images(message, media=media) if message is not None else ()
    return tuple(each for each in found if _DELIVERED.fullmatch(each.filename)) or found


class Offers:
    """Images by the key that stands in a form's id."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, _Offer] = OrderedDict()

    def keep(self, images: tuple[Found, ...], *, user_id: int, whose: Whose) -> str:
        """Remember them for the person who opens the form; the key to find them by."""
        key = secrets.token_hex(8)
        self._kept[key] = _Offer(images, user_id, self._clock() + LIFE, whose)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return key

    def find(self, key: str, *, user_id: int) -> tuple[tuple[Found, ...], Whose]:
        """What this person's form offered, and whose it is; nothing if it is too old or was before
        a restart.
        """
        offer = self._kept.get(key)
        if offer is None or offer.user_id != user_id or offer.until < self._clock():
            return (), Whose()
        return offer.images, offer.whose
