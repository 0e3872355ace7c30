"""Stand-in pictures: a prompt, a ratio and reference images become a PNG that says what it is.

Owns the composition, the references' prints and the banner. It never fetches, waits or keeps
anything: the same job gives the same bytes.
"""

from __future__ import annotations

import io
import math
import unicodedata
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from sandbox import glyphs, palette, pen, scenery

LABEL = "Stand-in picture \u00b7 not AI"
LONG_EDGE = {"1K": 1024, "2K": 2048, "4K": 4096}
_FINER = 2
"""Drawn this many times larger, then reduced: Pillow's shapes have no soft edges of their own."""

_MOST_STRETCHED = 3.0
_LARGEST_REFERENCE = 64_000_000
_SHOWN = 120
"""Characters of the prompt looked at for the banner; far more than fit."""

_WIDE = 1.2


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
    """A PNG for the job; raises `UnreadableReferenceError` for bytes that are no picture."""
    references = [_opened(data, number) for number, data in enumerate(job.references, start=1)]
    size = _size(job, references)
    reading = palette.read(job.prompt, seed=job.seed, invent=not references)
    finer = (size[0] * _FINER, size[1] * _FINER)
    image = scenery.paint(reading, size=finer)
    _hang(image, references)
    _place(image, reading, remix=bool(references))
    image = image.reduce(_FINER)
    _vignette(image)
    _banner(image, job.prompt)
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _size(job: PaintJob, references: list[Image.Image]) -> tuple[int, int]:
    if job.aspect_ratio != "auto":
        across, up = (int(part) for part in job.aspect_ratio.split(":"))
        ratio = across / up
    elif references:
        ratio = references[0].width / references[0].height
        ratio = min(_MOST_STRETCHED, max(1 / _MOST_STRETCHED, ratio))
    else:
        ratio = 1.0
    edge = LONG_EDGE[job.resolution]
    return (edge, round(edge / ratio)) if ratio >= 1 else (round(edge * ratio), edge)


def _opened(data: bytes, number: int) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data))
        if image.width * image.height > _LARGEST_REFERENCE:
            raise UnreadableReferenceError(number)
        image.draft("RGB", (LONG_EDGE["1K"], LONG_EDGE["1K"]))
        return ImageOps.exif_transpose(image).convert("RGBA")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as exc:
        raise UnreadableReferenceError(number) from exc


# --- subjects -------------------------------------------------------------------------------------


def _place(image: Image.Image, reading: palette.Reading, *, remix: bool) -> None:
    """Stand the subjects in the picture: the sky's in the sky, the sea's in the sea."""
    wide, high = image.size
    dice = reading.dice
    draw = ImageDraw.Draw(image)
    count = len(reading.subjects)
    unit = min(wide * 0.62, high) * (0.0255 if count == 1 else 0.019) * (0.62 if remix else 1.0)
    start, spread = (0.5, 0.8) if count > 1 else (dice.choice((0.40, 0.58)), 0.0)
    if remix:
        start = 0.5 if count > 1 else 0.82
    for at, subject in enumerate(reading.subjects):
        kind = glyphs.KINDS[subject.name]
        share = start + spread * ((at + 0.5) / count - 0.5)
        place = kind.place
        if place in {"water", "shore"} and reading.setting != "sea":
            place = "ground"
        if place == "sky" and not remix:
            y = high * dice.uniform(0.42, 0.56)
        elif place == "water":
            y = high * dice.uniform(0.72, 0.80)
        elif place == "shore":
            y = high * (scenery.HORIZON + 0.09)
        else:
            y = high * (dice.uniform(0.865, 0.885) if count == 1 else 0.85 + 0.03 * (at % 2))
        x, size = wide * share, unit * kind.scale
        colour = _lit(subject.colour or kind.colour, reading)
        flip = share > 0.5  # noqa: PLR2004 (the middle)
        pencil = pen.Pen(draw, x, y, size, flip)
        if place == "ground":
            if reading.setting == "sea":
                _ashore(pencil, reading)
            pencil.oval((0.4, 0), 8.4, 1.1, palette.darker(reading.mood.near, by=0.45))
        if kind.lamp or reading.mood.dark:
            # A dark coat on a dark hill needs some light behind it.
            spot, light = pencil.at(kind.lamp or (0, 9)), reading.mood.light
            pen.glow(image, spot, reach=size * 17, colour=light, strength=0.42)
        kind.draw(pencil, colour)


def _lit(colour: palette.Colour, reading: palette.Reading) -> palette.Colour:
    return palette.mix(colour, reading.mood.middle, share=0.16 if reading.mood.dark else 0.06)


def _ashore(pencil: pen.Pen, reading: palette.Reading) -> None:
    sand = palette.mix(palette.hexed("d9b886"), reading.mood.near, share=0.3)
    pencil.oval((0, -1.6), 17, 3.2, palette.lighter(sand, by=0.25))
    pencil.oval((0, -1.6), 16, 2.7, sand)


# --- references -----------------------------------------------------------------------------------


def _hang(image: Image.Image, references: list[Image.Image]) -> None:
    """The references as numbered prints over the scene, in their order."""
    count = len(references)
    if not count:
        return
    wide, high = image.size
    rows = 1 if count <= 1 or (wide / high > _WIDE and count <= 3) else 2  # noqa: PLR2004
    if wide / high < 1 / _WIDE:
        rows = min(count, 3)
    columns = math.ceil(count / rows)
    room_wide, room_high = wide * 0.92, high * 0.74
    cell = (room_wide / columns, room_high / rows)
    for at, reference in enumerate(references):
        row, column = divmod(at, columns)
        in_row = min(columns, count - row * columns)
        x = wide / 2 + (column - (in_row - 1) / 2) * cell[0]
        y = high * 0.04 + cell[1] * (row + 0.5)
        _hang_one(image, reference, at + 1, (x, y), cell)


def _hang_one(
    image: Image.Image,
    reference: Image.Image,
    number: int,
    centre: pen.Point,
    cell: tuple[float, float],
) -> None:
    room = (max(1, round(cell[0] * 0.80)), max(1, round(cell[1] * 0.80)))
    print_ = ImageOps.contain(reference, room, Image.Resampling.BILINEAR)
    edge = max(4, round(min(room) * 0.035))
    framed = Image.new(
        "RGBA", (print_.width + 2 * edge, print_.height + 2 * edge), (250, 248, 242, 255)
    )
    framed.alpha_composite(print_, (edge, edge))
    turned = framed.rotate(
        (3.2, -2.6, 2.0, -3.4, 2.8)[(number - 1) % 5], Image.Resampling.BILINEAR, expand=True
    )
    left, top = round(centre[0] - turned.width / 2), round(centre[1] - turned.height / 2)
    alpha = turned.getchannel("A")
    # The shadow is blurred small: at this softness nobody can tell.
    small = ImageOps.expand(alpha.reduce(8), border=8).filter(ImageFilter.GaussianBlur(2.5))
    shadow = small.resize((small.width * 8, small.height * 8)).point(lambda value: value * 0.45)
    image.paste((10, 10, 24), (left - 64 + edge // 2, top - 64 + edge), shadow)
    image.paste(turned, (left, top), turned)
    radius = max(22, round(min(image.size) * 0.028))
    badge = (left + radius + edge, top + radius + edge)
    draw = ImageDraw.Draw(image)
    draw.ellipse(_around(badge, radius), fill=(250, 248, 242))
    draw.ellipse(_around(badge, radius * 0.86), fill=(30, 32, 54))
    font = ImageFont.load_default(size=radius * 1.2)
    draw.text(badge, str(number), font=font, fill=(255, 255, 255), anchor="mm")


def _around(centre: pen.Point, radius: float) -> tuple[float, float, float, float]:
    x, y = centre
    return x - radius, y - radius, x + radius, y + radius


# --- finish ---------------------------------------------------------------------------------------


def _vignette(image: Image.Image) -> None:
    ring = Image.radial_gradient("L").point(
        [max(0, round((value - 130) * 0.62)) for value in range(256)]
    )
    image.paste((14, 12, 34), (0, 0), ring.resize(image.size, Image.Resampling.BILINEAR))


def _banner(image: Image.Image, prompt: str) -> None:
    """Says along the bottom what this is, and the first words of what was asked for."""
    wide, high = image.size
    text = max(18.0, min(wide, high) * 0.027, wide * 0.0215)
    label, quote = ImageFont.load_default(size=text), ImageFont.load_default(size=text * 0.92)
    tall = round(text * 2.1)
    pad = round(text * 0.8)
    strip = image.crop((0, high - tall, wide, high))
    strip = Image.blend(strip, Image.new("RGB", strip.size, (16, 17, 30)), 0.80)
    draw = ImageDraw.Draw(strip)
    middle = tall / 2
    draw.rectangle((0, 0, pad * 0.32, tall), fill=(242, 169, 59))
    draw.text((pad, middle), LABEL, font=label, fill=(255, 255, 255), anchor="lm")
    start = pad + label.getlength(LABEL) + pad
    shown = _fitted(_legible(prompt, quote), quote, wide - start - pad)
    draw.text((wide - pad, middle), shown, font=quote, fill=(196, 200, 220), anchor="rm")
    image.paste(strip, (0, high - tall))


def _legible(prompt: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The prompt's first words; what this font only has a box for loses its accent or goes."""
    box = bytes(font.getmask("\U0010ffff"))

    def drawable(letter: str) -> bool:
        return letter == " " or bytes(font.getmask(letter)) != box

    told = ""
    for letter in " ".join(prompt[:400].split())[:_SHOWN]:
        choices = (letter, unicodedata.normalize("NFKD", letter)[:1])
        told += next((each for each in choices if drawable(each)), "")
    return " ".join(told.split())


def _fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float) -> str:
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(text + "\u2026") > room:
        text = text[:-1]
    return text.rstrip() + "\u2026" if text else ""
