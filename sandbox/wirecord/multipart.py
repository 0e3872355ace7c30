"""Message bodies: plain JSON or multipart, read as they stream in.

Owns the parsing and what is known of an upload (name, size, digest); it keeps the bytes of a file
only if it is told to.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from sandbox.wirecord import wire

_NAME = re.compile(r'\bname="([^"]*)"')
_FILENAME = re.compile(r'\bfilename="([^"]*)"')
_FIELD = re.compile(r"^files\[(\d{1,3})\]$")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.\-]")
HEAD_BYTES = 32


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a request. `data` is empty unless bytes are kept; `head` is its beginning."""

    index: int
    filename: str
    size: int
    sha256: str
    head: bytes
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body: what it says and what it carries."""

    payload: dict[str, Any] = field(default_factory=dict)
    files: tuple[Upload, ...] = ()


def boundary(content_type: str) -> bytes | None:
    """The boundary of a multipart body; None for any other kind of body."""
    kind, _, parameters = content_type.partition(";")
    if kind.strip().lower() != "multipart/form-data":
        return None
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "boundary" and value:
            return value.strip('"').encode()
    raise wire.malformed("body", "multipart without a boundary")


def load(raw: bytes) -> dict[str, Any]:
    """A JSON object; anything else is refused as Discord refuses it."""
    try:
        value = json.loads(raw) if raw else {}
    except ValueError:
        raise wire.RefusedError(
            400, code=50109, message="The request body contains invalid JSON."
        ) from None
    if isinstance(value, list):  # bulk commands are a bare array
        return {"": value}
    if not isinstance(value, dict):
        raise wire.malformed("body", "only dictionaries may be used here")
    return value


class _Part:
    """One part while it streams in: its digest and size, and its bytes where they are wanted."""

    __slots__ = ("chunks", "digest", "filename", "head", "kept", "name", "size")

    def __init__(self, header: bytes, *, keep: bool, digest: bool) -> None:
        text = header.decode("utf-8", "replace")
        name, filename = _NAME.search(text), _FILENAME.search(text)
        self.name = name.group(1) if name else ""
        self.filename = filename.group(1) if filename else None
        self.kept = keep or self.filename is None
        self.digest = hashlib.sha256() if digest and self.filename is not None else None
        self.chunks: list[bytes] = []
        self.head, self.size = b"", 0

    def take(self, view: memoryview) -> None:
        if not view.nbytes:
            return
        self.size += view.nbytes
        if len(self.head) < HEAD_BYTES:
            self.head += bytes(view[: HEAD_BYTES - len(self.head)])
        if self.digest is not None:
            self.digest.update(view)
        if self.kept:
            self.chunks.append(bytes(view))

    def upload(self) -> Upload:
        place = _FIELD.match(self.name)
        if place is None:
            raise wire.malformed(self.name or "files", "a file belongs into files[n]")
        return Upload(
            index=int(place.group(1)),
            filename=_UNSAFE.sub("_", self.filename or "") or "file",
            size=self.size,
            sha256=self.digest.hexdigest() if self.digest else "",
            head=self.head,
            data=b"".join(self.chunks),
        )


class Reader:
    """Takes a multipart body chunk by chunk; `finish` gives what it said."""

    def __init__(self, border: bytes, *, keep: bool, digest: bool) -> None:
        self._border = b"\r\n--" + border
        self._keep, self._digest = keep, digest
        self._rest = b"\r\n"  # so that the first border looks like every other
        self._part: _Part | None = None
        self._parts: list[_Part] = []
        self._between = True  # before a part's header, not inside its content
        self._over = False

    def feed(self, chunk: bytes) -> None:
        """Take the next piece of the body."""
        data = self._rest + chunk if self._rest else chunk
        position = 0
        while not self._over:
            taken = self._header(data, position) if self._between else self._content(data, position)
            if taken is None:
                break
            position = taken
        if not self._between and not self._over:
            # All but what may be the beginning of a border belongs to the part.
            safe = len(data) - len(self._border) + 1
            if safe > position and self._part is not None:
                self._part.take(memoryview(data)[position:safe])
                position = safe
        self._rest = b"" if self._over else data[position:]

    def finish(self) -> Body:
        """The whole body; refused if it ended early or names no payload where it must."""
        if not self._over:
            raise wire.malformed("body", "the multipart body ended early")
        payload: dict[str, Any] = {}
        for part in self._parts:
            if part.filename is None and part.name == "payload_json":
                payload = load(b"".join(part.chunks))
        files = tuple(part.upload() for part in self._parts if part.filename is not None)
        return Body(payload, files)

    def _header(self, data: bytes, position: int) -> int | None:
        """Read border and header; the position of the content, or None for want of more."""
        start = data.find(self._border, position)
        if start < 0:
            return None
        after = start + len(self._border)
        if data[after : after + 2] == b"--":
            self._over = True
            return len(data)
        end = data.find(b"\r\n\r\n", after)
        if end < 0:
            return None
        self._part = _Part(data[after:end], keep=self._keep, digest=self._digest)
        self._parts.append(self._part)
        self._between = False
        return end + 4

    def _content(self, data: bytes, position: int) -> int | None:
        end = data.find(self._border, position)
        if end < 0:
            return None
        if self._part is not None:
            self._part.take(memoryview(data)[position:end])
        self._between = True
        return end
