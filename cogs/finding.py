"""The images of a message or a person that may be handed on, as Discord itself keeps them.

It owns where images stand in a message; it never reads one, and an address that is not Discord's
own is no image here, whoever wrote it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import discord

from bot import render
from bot.catalog import Complaint
from bot.i18n import N_
from bot.media import Media, Trouble
from bot.model import Reference
from cogs import uploads

NAME_SHOWN = 60
AVATAR_SIZE = 1024
NOTHING = Complaint(
    N_("There is no image in this message."),
    N_(
        "Its files, link previews and galleries were looked at, and what it forwards. "
        "Choose a message with a PNG, JPEG or WebP."
    ),
)

# What is shown as an image or may be taken for one; anything else is a file.
_TYPES = {
    **{suffix: f"image/{suffix}" for suffix in ("png", "webp", "gif", "avif", "bmp", "apng")},
    **dict.fromkeys(("jpg", "jpeg", "jfif"), "image/jpeg"),
    **dict.fromkeys(("svg",), "image/svg+xml"),
    **dict.fromkeys(("mp4", "webm", "mov"), "video/*"),
}
# A link preview often has no name; its bytes are looked at before anything is spent.
_UNTOLD = "image/png"

Part = discord.Message | discord.MessageSnapshot


@dataclass(frozen=True, slots=True)
class Found:
    """One image. `size` is in bytes, 0 where Discord does not tell; `pixels` is `640x480`."""

    reference: Reference
    content_type: str
    media: Media = field(repr=False, compare=False)
    size: int = 0
    pixels: str = ""

    @property
    def filename(self) -> str:
        return self.reference.filename

    @property
    def label(self) -> str:
        """What tells it from the others in a list."""
        return " · ".join(filter(None, [self.filename, self.pixels]))

    @property
    def problem(self) -> Complaint | None:
        """Why it cannot be used, as far as Discord's own words about it tell."""
        return uploads.check((self,), None)

    async def read(self) -> bytes | Trouble:
        return await self.media.read(self.reference.url)


def images(message: discord.Message, *, media: Media) -> tuple[Found, ...]:
    """Every image of a message in reading order, each once; some may have a `problem`.

    Attachments, embeds, components and forwarded messages (Discord's documentation, "Message
    Object", "Unfurled Media Item").
    """
    source = None if message.flags.ephemeral else message
    once: dict[str, Found] = {}
    parts: tuple[Part, ...] = (message, *message.message_snapshots)
    for part in parts:
        for found in _images(part, media, source):
            # A file may stand in the list of files and in a gallery, on two hosts of Discord's.
            once.setdefault(urlsplit(found.reference.url).path, found)
    return tuple(once.values())


def avatar(person: discord.User | discord.Member, *, media: Media) -> Found | None:
    """The picture a person goes by here; None where it is not at Discord."""
    asset = person.display_avatar.replace(size=AVATAR_SIZE, format="png", static_format="png")
    if not media.owns(asset.url):
        return None
    name = render.clean(person.display_name, limit=NAME_SHOWN - 4) or str(person.id)
    reference = Reference(url=asset.url, filename=f"{name}.png")
    return Found(reference=reference, content_type="image/png", media=media)


def _images(part: Part, media: Media, source: discord.Message | None) -> Iterator[Found]:
    for file in part.attachments:
        kind = file.content_type or _promised(file.filename)
        yield from _found([file.url, file.proxy_url], kind, media, source, told=file)
    for embed in part.embeds:
        for shown in (embed.image, embed.thumbnail):
            # `url` is what the sender wrote; the proxy's is Discord's own copy of it.
            kind = getattr(shown, "content_type", None) or _promised(shown.url or "") or _UNTOLD
            yield from _found([shown.proxy_url], kind, media, source, told=shown)
    for item in _items(part.components):
        kind = item.content_type or _promised(item.url) or _UNTOLD
        yield from _found([item.url, item.proxy_url], kind, media, source, told=item)


def _items(components: list[discord.Component]) -> Iterator[discord.UnfurledMediaItem]:
    for component in components:
        if isinstance(component, discord.MediaGalleryComponent):
            yield from (item.media for item in component.items)
        elif isinstance(component, discord.ThumbnailComponent | discord.FileComponent):
            yield component.media
        elif isinstance(component, discord.SectionComponent):
            yield from _items([*component.children, component.accessory])
        elif isinstance(component, discord.Container):
            yield from _items(component.children)


def _found(
    urls: list[str | None], kind: str, media: Media, source: discord.Message | None, *, told: object
) -> Iterator[Found]:
    """The image at the first of these addresses that is Discord's own, if there is one."""
    url = next((url for url in urls if url and media.owns(url)), None)
    if url is None or not kind.lower().startswith("image/"):
        return
    name = getattr(told, "filename", None) or unquote(urlsplit(url).path.rpartition("/")[2])
    width, height = getattr(told, "width", None), getattr(told, "height", None)
    yield Found(
        reference=Reference(
            url=url,
            filename=render.clean(name, limit=NAME_SHOWN) or "image",
            channel_id=source.channel.id if source else None,
            message_id=source.id if source else None,
        ),
        content_type=kind,
        media=media,
        size=getattr(told, "size", None) or 0,
        pixels=f"{width}\u00d7{height}" if width and height else "",
    )


def _promised(address: str) -> str:
    """The type that the end of a name promises; empty if it promises none."""
    # Somebody may have written it, so it may be no address at all.
    return _TYPES.get(re.split(r"[?#]", address, maxsplit=1)[0].rpartition(".")[2].lower(), "")
