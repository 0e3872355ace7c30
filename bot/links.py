"""Addresses under PUBLIC_URL that each open one kept file for a while, and nothing else.

It owns what such an address holds and how long it is good; it never reads a file. Nobody can make
one up, and none tells whose file it is: an address is a signed name and the time of its end.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass
from datetime import timedelta

from bot.clock import Clock
from bot.keeper import Shelf

PATH = "/kept/"
KEY_BYTES = 32
# Which shelf, the file's name, when it ends in Unix seconds; a SHA-256 over them follows. With two
# bytes that say nothing it is base64 without an end to fill up, so that no two tokens are the same.
_SAID = struct.Struct(">B2x32sQ")
_SHELVES = (Shelf.ORIGINALS, Shelf.REFERENCES)
TOKEN = r"[A-Za-z0-9_-]{100}"  # noqa: S105 - what a token looks like: 75 bytes in base64


@dataclass(frozen=True, slots=True)
class Links:
    """Makes and reads addresses. `key` are 32 random bytes; an empty `public_url` makes none."""

    public_url: str
    key: bytes
    life: timedelta
    clock: Clock

    def address(self, shelf: Shelf, name: str) -> str | None:
        """The address of a kept file from now on, or None if nobody could reach it.

        `ex` only tells the end in the way that Discord's addresses tell theirs.
        """
        if not self.public_url:
            return None
        ends = int((self.clock() + self.life).timestamp())
        said = _SAID.pack(_SHELVES.index(shelf), bytes.fromhex(name), ends)
        token = base64.urlsafe_b64encode(said + self._sign(said)).decode()
        return f"{self.public_url}{PATH}{token}?ex={ends:x}"

    def read(self, token: str) -> tuple[Shelf, str] | None:
        """Which file a token opens now, or None: forged, out of date or none of ours."""
        try:
            raw = base64.b64decode(token, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        said, signature = raw[: _SAID.size], raw[_SAID.size :]
        if not hmac.compare_digest(signature, self._sign(said)):
            return None
        shelf, name, ends = _SAID.unpack(said)
        if ends <= self.clock().timestamp():
            return None
        return _SHELVES[shelf], name.hex()

    def _sign(self, said: bytes) -> bytes:
        return hmac.digest(self.key, said, hashlib.sha256)
