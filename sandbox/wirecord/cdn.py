"""Files as Discord keeps them: signed addresses that expire, bytes where they were kept.

Owns attachments and their addresses; it never looks into a file beyond its first bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import mimetypes
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from sandbox.wirecord import multipart, wire
from sandbox.wirecord.snowflakes import Clock

LIFE = 24 * 3600.0
_PNG = b"\x89PNG\r\n\x1a\n"
GONE = wire.Answer(404, b"This content is no longer available.", "text/plain")


@dataclass(slots=True, eq=False)
class Attachment:
    """One file of a message or of an option. `ephemeral`: Discord removes it by itself some day."""

    id: int
    channel_id: int
    filename: str
    size: int
    sha256: str = ""
    width: int | None = None
    height: int | None = None
    description: str | None = None
    ephemeral: bool = False

    @property
    def content_type(self) -> str | None:
        """After the name alone: Discord does not look into a file either."""
        return mimetypes.guess_type(self.filename)[0]

    @property
    def path(self) -> str:
        """Below the CDN's root, unsigned."""
        folder = "ephemeral-attachments" if self.ephemeral else "attachments"
        return f"/{folder}/{self.channel_id}/{self.id}/{self.filename}"


class Cdn:
    """Everything anybody uploaded. `origin` is set once the server knows its port."""

    def __init__(self, *, clock: Clock, life: float = LIFE) -> None:
        self.origin = ""
        self._clock, self._life = clock, life
        self._key = secrets.token_bytes(16)
        self._files: dict[int, tuple[Attachment, bytes]] = {}

    def __len__(self) -> int:
        return len(self._files)

    def describe(self, upload: multipart.Upload, *, channel_id: int, ephemeral: bool) -> Attachment:
        """An upload of the bot, as an attachment that is not stored yet."""
        width, height = _size(upload.head)
        return Attachment(
            id=self._clock.mint(),
            channel_id=channel_id,
            filename=upload.filename,
            size=upload.size,
            sha256=upload.sha256,
            width=width,
            height=height,
            ephemeral=ephemeral,
        )

    def store(self, attachment: Attachment, data: bytes) -> None:
        """Serve these bytes for it from now on."""
        self._files[attachment.id] = attachment, data

    def give(self, filename: str, data: bytes, *, channel_id: int) -> Attachment:
        """A file that a person hands in with a command or a form."""
        width, height = _size(data)
        made = Attachment(
            id=self._clock.mint(),
            channel_id=channel_id,
            filename=filename,
            size=len(data),
            width=width,
            height=height,
            ephemeral=True,
        )
        self.store(made, data)
        return made

    def remove(self, attachment_id: int) -> None:
        """Let a file vanish, as ephemeral ones do."""
        self._files.pop(attachment_id, None)

    def read(self, attachment_id: int) -> bytes | None:
        """A file's bytes; None if it is gone or its bytes were not kept."""
        found = self._files.get(attachment_id)
        return found[1] if found else None

    def url(self, attachment: Attachment) -> str:
        """A fresh signed address."""
        now = int(self._clock())
        signed = f"ex={now + int(self._life):x}&is={now:x}"
        return f"{self.origin}{attachment.path}?{signed}&hm={self._sign(attachment.path, signed)}&"

    def view(self, attachment: Attachment) -> dict[str, Any]:
        """An attachment object."""
        url = self.url(attachment)
        shown: dict[str, Any] = {
            "id": str(attachment.id),
            "filename": attachment.filename,
            "size": attachment.size,
            "url": url,
            "proxy_url": url,
        }
        if attachment.content_type:
            shown["content_type"] = attachment.content_type
        if attachment.width is not None:
            shown |= {"width": attachment.width, "height": attachment.height}
        if attachment.description is not None:
            shown["description"] = attachment.description
        if attachment.ephemeral:
            shown["ephemeral"] = True
        return shown

    def media(self, attachment: Attachment) -> dict[str, Any]:
        """The same file as a component's resolved media item."""
        url = self.url(attachment)
        return {
            "id": str(self._clock.mint()),
            "url": url,
            "proxy_url": url,
            "width": attachment.width,
            "height": attachment.height,
            "placeholder": None,
            "placeholder_version": None,
            "content_type": attachment.content_type,
            "loading_state": 2,
            "flags": 0,
            "attachment_id": str(attachment.id),
        }

    def serve(self, path: str, query: str) -> wire.Answer:
        """What a GET of a path below the CDN's root brings."""
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        signed = f"ex={asked.get('ex', '')}&is={asked.get('is', '')}"
        if not hmac.compare_digest(asked.get("hm", ""), self._sign(path, signed)):
            return GONE
        if int(asked["ex"], 16) <= self._clock():
            return GONE
        parts = path.split("/")
        found = self._files.get(int(parts[3]))
        if found is None:
            return GONE
        attachment, data = found
        return wire.Answer(200, data, attachment.content_type or "application/octet-stream")

    def _sign(self, path: str, signed: str) -> str:
        return hmac.new(self._key, f"{path}?{signed}".encode(), hashlib.sha256).hexdigest()


def _size(head: bytes) -> tuple[int, int] | tuple[None, None]:
    """A PNG's width and height; other formats tell none here."""
    if head.startswith(_PNG) and len(head) >= 24:  # noqa: PLR2004 (signature, IHDR, two sizes)
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    return None, None
