"""What a person hands in with a command: reference images and prompt files, checked.

It owns the checks by name and size before the acknowledgement and by content after it; it never
keeps a file itself.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import aiohttp
import discord

from bot import images
from bot.catalog import REFERENCE_BYTES, REFERENCE_TYPES, Complaint
from bot.i18n import N_
from bot.media import Trouble

TEXT_BYTES = 200 * 1024
SECONDS = 20.0

# Keeps an image for later presses; the name to find it by, or None if it cannot be kept.
Keep = Callable[[bytes], Awaitable[str | None]]


class Image(Protocol):
    """An image that was handed in or found; `size` in bytes, as far as Discord tells it."""

    @property
    def filename(self) -> str: ...
    @property
    def content_type(self) -> str | None: ...
    @property
    def size(self) -> int: ...

    async def read(self) -> bytes | Trouble: ...


def check(
    references: tuple[Image, ...], prompt_file: discord.Attachment | None
) -> Complaint | None:
    """What Discord's own words about the files already tell: type by name, and size."""
    for reference in references:
        kind = (reference.content_type or "").partition(";")[0].strip().lower()
        if kind not in REFERENCE_TYPES:
            return _not_an_image(reference)
        if reference.size > REFERENCE_BYTES:
            return _too_large(reference)
    if prompt_file is None:
        return None
    if not prompt_file.filename.lower().endswith(".txt"):
        fix = N_("Attach the prompt as a .txt file.")
        return Complaint(N_("{name} is not a text file."), fix, _named(prompt_file))
    if prompt_file.size > TEXT_BYTES:
        return Complaint(
            N_("{name} is too large for a prompt."),
            N_("A prompt has at most 20,000 characters: shorten the file."),
            _named(prompt_file),
        )
    return None


async def look(references: tuple[Image, ...], *, keep: Keep) -> list[str | None] | Complaint:
    """Read each reference once: its name may promise an image that its bytes are not.

    What `keep` gives for the bytes of each, in their order.
    """
    digests: list[str | None] = []
    # One limit for all of them: an ask that stays unconfirmed for a minute counts as abandoned.
    deadline = asyncio.get_running_loop().time() + SECONDS
    for reference in references:
        data = await _read(reference, deadline=deadline)
        if isinstance(data, Trouble):
            return _TROUBLES[data](reference)
        try:
            images.probe(data)
        except images.TooManyPixels:
            return Complaint(
                N_("{name} has too many pixels."),
                N_("An image may have up to {limit} megapixels. Make it smaller and ask again."),
                (*_named(reference), ("limit", images.MAX_PIXELS // 10**6)),
            )
        except images.ImageError:
            return _damaged(reference)
        digests.append(await keep(data))
    return digests


async def text(prompt_file: discord.Attachment) -> str | Complaint:
    """The text of a prompt file, or why it cannot be used."""
    data = await _read(prompt_file, deadline=asyncio.get_running_loop().time() + SECONDS)
    if isinstance(data, Trouble):
        return _unreadable(prompt_file)
    try:
        read = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _not_text(prompt_file)
    # No text holds one, but UTF-16 without its mark is full of them; PostgreSQL takes none.
    return _not_text(prompt_file) if "\0" in read else read


async def _read(attachment: Image, *, deadline: float) -> bytes | Trouble:
    try:
        async with asyncio.timeout_at(deadline):
            return await attachment.read()
    except (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError):
        return Trouble.GONE


def _not_an_image(attachment: Image) -> Complaint:
    fix = N_("Attach a PNG, JPEG or WebP file.")
    return Complaint(N_("{name} is not an image that can be used."), fix, _named(attachment))


def _too_large(image: Image) -> Complaint:
    limit = _mb(REFERENCE_BYTES)
    size = _mb(image.size) if image.size > REFERENCE_BYTES else f"> {limit}"
    return Complaint(
        N_("{name} is too large: {size} MB."),
        N_("An image may have up to {limit} MB. Make it smaller and ask again."),
        (*_named(image), ("size", size), ("limit", limit)),
    )


def _damaged(attachment: Image) -> Complaint:
    fix = N_("It is damaged or of another kind: save it as PNG, JPEG or WebP and attach it again.")
    return Complaint(N_("{name} cannot be read as an image."), fix, _named(attachment))


def _not_text(attachment: discord.Attachment) -> Complaint:
    fix = N_("Save the prompt as a UTF-8 text file and attach it again.")
    return Complaint(N_("{name} is not plain text."), fix, _named(attachment))


def _unreadable(attachment: Image) -> Complaint:
    fix = N_("Attach it again.")
    return Complaint(N_("{name} could not be read from Discord."), fix, _named(attachment))


def _named(attachment: Image) -> tuple[tuple[str, object], ...]:
    # In a code span no name can ping, link or break out; backticks cannot stand in one.
    return (("name", f"`{attachment.filename.replace('`', '_')[:80]}`"),)


_TROUBLES = dict(zip(Trouble, (_unreadable, _too_large, _damaged), strict=True))


def _mb(size: int) -> str:
    return f"{size / 1024 / 1024:.1f}".removesuffix(".0")
