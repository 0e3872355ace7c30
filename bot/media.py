"""Pictures that Discord keeps: which addresses are its own, and the bytes behind one.

It owns the answer to whether an address may become a reference; it never calls any other host.
"""

import re
from collections.abc import Awaitable, Callable
from enum import StrEnum
from urllib.parse import urlsplit

import structlog

from bot import fetch

log = structlog.get_logger(__name__)

# What people uploaded, Discord's smaller copies of it, and its copies of pictures from elsewhere.
_OWN = re.compile(
    r"cdn\.discordapp\.com|media\.discordapp\.net|images-ext-\d{1,3}\.discordapp\.net"
)
# What one reader of addresses skips and another takes for the end of the host.
_AMBIGUOUS = re.compile(r"[\s\\\x00-\x20\x7f]")


class Trouble(StrEnum):
    """Why a picture of Discord's did not arrive."""

    GONE = "gone"  # its message was deleted, or Discord does not answer
    TOO_LARGE = "too large"
    NO_PICTURE = "no picture"


class Media:
    """Discord's files. `trusted` names hosts (`host` or `host:port`) that count as Discord's."""

    def __init__(
        self,
        *,
        fetch: Callable[[str], Awaitable[fetch.Picture]],
        trusted: frozenset[str] = frozenset(),
    ) -> None:
        self._fetch = fetch
        self._trusted = trusted

    def owns(self, url: str | None) -> bool:
        """Whether this is an address of Discord's own; nobody else's is ever called."""
        if not url or _AMBIGUOUS.search(url):
            return False
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return False
        if "@" in parts.netloc:
            return False
        if host in self._trusted or f"{host}:{port}" in self._trusted:
            return parts.scheme in ("http", "https")
        return parts.scheme == "https" and port is None and bool(_OWN.fullmatch(host))

    async def read(self, url: str) -> bytes | Trouble:
        """The picture behind an address of Discord's, or why it did not arrive."""
        if not self.owns(url):
            return Trouble.GONE
        try:
            return (await self._fetch(url)).data
        except fetch.TooLarge:
            return Trouble.TOO_LARGE
        except fetch.NotAPicture:
            return Trouble.NO_PICTURE
        except fetch.FetchError as error:
            log.warning("media.not_read", cause=str(error))
            return Trouble.GONE
