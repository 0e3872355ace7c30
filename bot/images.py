"""What a picture is: its format, its size in pixels, and making it fit an upload limit.

It owns all work on pixels; it never touches the network, nor the event loop: callers run it with
`asyncio.to_thread`.
"""

# ruff: noqa: N818 - an error here is named after what is wrong, so that a raise reads as a sentence

import dataclasses
import io
import struct
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from PIL import Image

# Pillow costs about 10 MB of memory once imported, and most pictures fit as they are: it is
# imported by the functions that decode, never at the top of this module.

Format = Literal["png", "jpeg", "webp"]

MAX_PIXELS = 40_000_000
HEAD_BYTES = 12  # as many as `sniff` needs

_EXTENSIONS: dict[Format, str] = {"png": "png", "jpeg": "jpg", "webp": "webp"}
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_JPEG_END = b"\xff\xd9"
_JPEG_MARK = 0xFF
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a body
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0-15, not DHT, JPG, DAC
_JPEG_SEGMENTS = 1000  # a hostile file may hold millions of empty ones
_SIDES = {"WEBP": 16_383, "JPEG": 65_500}  # pixels a side, the encoders' own maxima
_MATTE = (255, 255, 255)

# Tried from the top until one is small enough: (encoder, quality, scale). JPEG follows WebP because
# WebP's encoder gives up on large noisy pictures ("partition 0 overflow") at any size limit.
_STEPS: tuple[tuple[Literal["WEBP", "JPEG"], int, float], ...] = (
    ("WEBP", 92, 1.0),
    ("WEBP", 85, 1.0),
    ("WEBP", 75, 1.0),
    ("JPEG", 82, 1.0),
    ("JPEG", 70, 1.0),
    ("WEBP", 80, 0.75),
    ("WEBP", 80, 0.5),
    ("JPEG", 75, 0.5),
    ("WEBP", 80, 0.35),
    ("WEBP", 75, 0.25),
    ("WEBP", 60, 0.125),
)


class ImageError(Exception):
    """A picture cannot be used. Trying again with the same bytes never helps."""


class BadPicture(ImageError):
    """The bytes are no PNG, JPEG or WebP we would decode: their sender is at fault."""


class TooManyPixels(BadPicture):
    """More than `MAX_PIXELS`: a decompression bomb, or an honest picture that is too large."""


class CannotFit(ImageError):
    """Even the smallest rendering is over the limit: the limit is at fault, not the picture."""


@dataclasses.dataclass(frozen=True, slots=True)
class Probe:
    """What a picture's header says; width and height in pixels, before any EXIF rotation."""

    format: Format
    width: int
    height: int


@dataclasses.dataclass(frozen=True, slots=True)
class Fitted:
    """A picture within its limit; `extension` has no dot, width and height are pixels."""

    data: bytes
    extension: str
    width: int
    height: int
    reencoded: bool


def sniff(head: bytes) -> Format | None:
    """Tell the format from the first `HEAD_BYTES` bytes, None if it is none of ours."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    return None


def extension(kind: Format) -> str:
    """What a file of this format is called behind its dot."""
    return _EXTENSIONS[kind]


def probe(data: bytes) -> Probe:
    """Read the header alone, without decoding (and without Pillow).

    Raises `BadPicture` for another format, a file that stops early or no pixels, and
    `TooManyPixels` for more than `MAX_PIXELS` of them. Damaged pixels inside go unnoticed.
    """
    kind = sniff(data)
    try:
        match kind:
            case "png":
                width, height = _png_size(data)
            case "jpeg":
                width, height = _jpeg_size(data)
            case "webp":
                width, height = _webp_size(data)
            case None:
                raise BadPicture("not a PNG, JPEG or WebP picture")
    except (struct.error, IndexError):
        raise BadPicture(f"the {kind} header stops early") from None
    if not width or not height:
        raise BadPicture(f"a {kind} picture of {width}x{height} pixels")
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 10**6
        raise TooManyPixels(f"{width}x{height} pixels are more than {limit} megapixels")
    return Probe(format=kind, width=width, height=height)


def fit(data: bytes, *, limit: int) -> Fitted:
    """Give the picture as it is if it has at most `limit` bytes, else its best smaller rendering.

    A rendering is WebP or JPEG, upright, without metadata; of an animation it is the first frame.
    Transparency is kept, except where only JPEG can hold that many pixels in a row: then on white.
    Rendering takes about 11 bytes of memory a pixel, 25 with transparency, and 0.1 s of CPU a
    megapixel and step: callers do few at once. Raises `BadPicture`, `CannotFit`.
    """
    seen = probe(data)
    if len(data) <= limit:
        return Fitted(data, _EXTENSIONS[seen.format], seen.width, seen.height, reencoded=False)
    for fitted in _renderings(_decode(data, seen)):
        if len(fitted.data) <= limit:
            return fitted
    raise CannotFit(f"{seen.width}x{seen.height} pixels do not fit into {limit} bytes")


def thumbnail(data: bytes, *, side: int) -> bytes:
    """The picture as WebP with at most `side` pixels a side, upright, without metadata.

    Takes memory and CPU as `fit` does. Raises `BadPicture`.
    """
    from PIL import Image  # noqa: PLC0415 - see the top

    image = _decode(data, probe(data))
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "WEBP", quality=80, method=2)
    return out.getvalue()


def fits(pictures: Sequence[bytes], *, each: int, total: int) -> bool:
    """Tell whether `fit_all` would take all as they are, for which it needs no thread."""
    sizes = [len(picture) for picture in pictures]
    return max(sizes, default=0) <= each and sum(sizes) <= total


def fit_all(pictures: Sequence[bytes], *, each: int, total: int) -> list[Fitted]:
    """Fit several pictures into one request: each at most `each` bytes, all at most `total`.

    The shares are fair: the smallest picture is served first and what it leaves goes to the larger
    ones. The order is kept. Raises what `fit` raises, for the first picture that fails.
    """
    fitted: dict[int, Fitted] = {}
    left = total
    by_size = sorted(range(len(pictures)), key=lambda index: len(pictures[index]))
    for done, index in enumerate(by_size):
        share = left // (len(pictures) - done)
        fitted[index] = fit(pictures[index], limit=min(each, share))
        left -= len(fitted[index].data)
    return [fitted[index] for index in range(len(pictures))]


def _png_size(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR" or data.rfind(_PNG_END) < 0:
        raise BadPicture("the PNG picture is cut off")
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Walk the segments up to the frame header: it may stand behind EXIF and colour profiles."""
    at = 2
    for _ in range(_JPEG_SEGMENTS):
        mark, marker = data[at], data[at + 1]
        if mark != _JPEG_MARK:
            break
        if marker == _JPEG_MARK:  # padding before a marker
            at += 1
        elif marker in _JPEG_BARE:
            at += 2
        elif marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            # Searched from here on: an EXIF thumbnail before it has an end of its own.
            if data.rfind(_JPEG_END, at) < 0:
                raise BadPicture("the JPEG picture is cut off")
            return width, height
        elif marker in (0xD9, 0xDA):  # the picture ends or begins without a frame header
            break
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    raise BadPicture("the JPEG header is damaged")


def _webp_size(data: bytes) -> tuple[int, int]:
    if len(data) < 8 + struct.unpack_from("<I", data, 4)[0]:
        raise BadPicture("the WebP picture is cut off")
    match data[12:16]:
        case b"VP8X":
            wide, narrow, high, low = struct.unpack_from("<HBHB", data, 24)
            return 1 + wide + (narrow << 16), 1 + high + (low << 16)
        case b"VP8L" if data[20:21] == b"\x2f":
            bits = struct.unpack_from("<I", data, 21)[0]
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 " if data[23:26] == b"\x9d\x01\x2a":
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
    raise BadPicture("the WebP header is damaged")


def _decode(data: bytes, seen: Probe) -> "Image.Image":
    """Decode to upright RGB, or RGBA where some pixel is transparent, with an empty `info`."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - see the top

    try:
        with Image.open(io.BytesIO(data), formats=(seen.format,)) as opened:
            # Pillow may read another header than `probe` did, in a file made to fool one of them.
            if opened.width * opened.height > MAX_PIXELS:
                raise BadPicture(f"{opened.width}x{opened.height} pixels behind a smaller header")
            opened.load()
            ImageOps.exif_transpose(opened, in_place=True)
            image: Image.Image = opened
            if image.mode.startswith("I"):  # 16 bits of grey: converting would clip, not scale
                image = image.point(lambda value: value * (1 / 256)).convert("L")
            mode = "RGBA" if image.has_transparency_data else "RGB"
            if image.mode != mode:  # converting to the same mode would copy every pixel
                image = image.convert(mode)
    # What Pillow's decoders raise on damaged files; it promises no common base class.
    except (
        OSError,
        SyntaxError,
        ValueError,
        TypeError,
        LookupError,
        EOFError,
        ArithmeticError,
        struct.error,
        Image.DecompressionBombError,
    ) as error:
        raise BadPicture(f"the {seen.format} picture does not decode") from error
    image.info.clear()  # the encoders would copy some of it
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        return image.convert("RGB")
    return image


def _renderings(image: "Image.Image") -> Iterator[Fitted]:
    """Render step by step, best first; a step that cannot hold the picture is left out."""
    from PIL import Image  # noqa: PLC0415 - see the top

    for encoder, quality, scale in _STEPS:
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        if max(size) > _SIDES[encoder]:
            continue
        if encoder == "JPEG" and image.mode == "RGBA" and max(size) <= _SIDES["WEBP"]:
            continue  # a smaller WebP keeps what is transparent
        scaled = image if scale == 1.0 else image.resize(size, Image.Resampling.LANCZOS)
        if encoder == "JPEG" and scaled.mode == "RGBA":
            matted = Image.new("RGB", size, _MATTE)
            matted.paste(scaled, mask=scaled.getchannel("A"))
            scaled = matted
        out = io.BytesIO()
        try:
            # method 2 takes half the time of the default 4 and gives 1 % more bytes
            scaled.save(out, encoder, quality=quality, method=2)
        except (OSError, ValueError):  # see _STEPS
            continue
        extension = "webp" if encoder == "WEBP" else "jpg"
        yield Fitted(out.getvalue(), extension, *size, reencoded=True)
