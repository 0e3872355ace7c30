"""Stand-in pictures: a prompt, a ratio and reference images become a PNG that says what it is.

Owns the drawing. It never fetches, waits or keeps anything: the same job gives the same bytes.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image

LONG_EDGE = {"1K": 1024, "2K": 2048}


class UnreadableReferenceError(ValueError):
    """A reference image cannot be read; `number` counts from 1."""

    def __init__(self, number: int) -> None:
        super().__init__(f"reference image {number} cannot be read")
        self.number = number


@dataclass(frozen=True, slots=True)
class PaintJob:
    """What to paint. `seed` varies pictures of the same prompt."""

    prompt: str
    aspect_ratio: str = "1:1"
    resolution: str = "1K"
    references: tuple[bytes, ...] = ()
    seed: int = 0


def is_picture(data: bytes) -> bool:
    """Whether these bytes begin like a PNG, JPEG, WebP or GIF."""
    return data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8")) or (
        data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    )


def paint(job: PaintJob) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (1024, 1024), "teal").save(out, "PNG", compress_level=1)
    return out.getvalue()
