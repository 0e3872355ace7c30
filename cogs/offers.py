"""The images that an open form offers, kept until it comes back.

It owns this memory alone, bounded in number and time; a form whose images it no longer has is out
of date, which its sender is told.
"""

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.clock import Clock
from cogs.finding import Found

KEPT = 500  # forms; each offers 25 images at most, about 10 kB in all
LIFE = timedelta(minutes=30)  # nobody writes a prompt for longer


@dataclass(frozen=True, slots=True)
class _Offer:
    images: tuple[Found, ...]
    user_id: int
    until: datetime


class Offers:
    """Images by the key that stands in a form's id."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, _Offer] = OrderedDict()

    def keep(self, images: tuple[Found, ...], *, user_id: int) -> str:
        """Remember them for the person who opens the form; the key to find them by."""
        key = secrets.token_hex(8)
        self._kept[key] = _Offer(images, user_id, self._clock() + LIFE)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return key

    def find(self, key: str, *, user_id: int) -> tuple[Found, ...]:
        """What this person's form offered; nothing if it is too old or was before a restart."""
        offer = self._kept.get(key)
        if offer is None or offer.user_id != user_id or offer.until < self._clock():
            return ()
        return offer.images
