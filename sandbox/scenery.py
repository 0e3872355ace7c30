"""Where a stand-in picture takes place: sky and light, hills, sea, woods, towns, peaks, dunes.

Owns the background of the picture; it never draws a subject, a reference or a word.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFilter

from sandbox import palette, pen

HORIZON = 0.60
"""How far down the far edge of sea or land lies."""

_LIT = 0.42
_MASTS = 0.3


def paint(reading: palette.Reading, *, size: tuple[int, int]) -> Image.Image:
    """The whole background, `size` pixels."""
    mood = reading.mood
    image = pen.gradient(size, (mood.top, mood.middle, mood.horizon))
    if mood.dark:
        _stars(image, reading.dice, many=260 if reading.setting == "space" else 130)
    light = _light(image, reading)
    if mood.cloudy:
        _clouds(image, reading)
    match reading.setting:
        case "sea":
            _sea(image, reading, light)
        case "space":
            _planets(image, reading)
        case "city":
            _city(image, reading)
        case "peaks":
            _peaks(image, reading)
            _hills(image, reading, first=0.70, layers=3)
        case "dunes":
            _hills(image, reading, first=0.58, layers=4, wild=0.5)
        case "forest":
            _hills(image, reading, first=0.56, layers=4, wooded=1.0)
        case "meadow":
            _hills(image, reading, first=0.60, layers=3, wooded=0.18)
            _flowers(image, reading)
        case _:
            _hills(image, reading, first=0.52, layers=5, wooded=0.22)
    return image


def _stars(image: Image.Image, dice: random.Random, *, many: int) -> None:
    draw = ImageDraw.Draw(image)
    wide, high = image.size
    for _ in range(many):
        x, y = dice.random() * wide, dice.random() ** 1.4 * high * 0.75
        size = dice.choice((0.6, 0.8, 0.8, 1.1, 1.7)) * min(wide, high) / 900
        shade = round(150 + 105 * dice.random())
        draw.ellipse((x - size, y - size, x + size, y + size), fill=(shade, shade, 255))


def _light(image: Image.Image, reading: palette.Reading) -> pen.Point:
    """Sun or moon; returns where it stands."""
    wide, high = image.size
    short = min(wide, high)
    side = reading.dice.choice((0.24, 0.72, 0.78))
    height = reading.dice.uniform(0.16, 0.30) if reading.mood.dark else 0.36
    centre = (wide * side, high * height)
    colour = reading.mood.light
    pen.glow(image, centre, reach=short * 0.62, colour=colour, strength=0.55)
    pencil = pen.Pen(ImageDraw.Draw(image), *centre, unit=short / 100)
    radius = 7.0 if reading.mood.dark else 8.5
    pencil.oval((0, 0), radius, radius, colour)
    if reading.mood.dark:
        shade = palette.darker(colour, by=0.12)
        for x, y, size in ((-2.4, 1.8, 1.5), (1.8, -1.2, 2.1), (2.2, 3.0, 0.9), (-1.6, -3.2, 1.0)):
            pencil.oval((x, y), size, size, shade)
    return centre


def _clouds(image: Image.Image, reading: palette.Reading) -> None:
    dice = reading.dice
    # A quarter of the size is plenty for something this soft, and sixteen times less to blur.
    wide, high = image.width // 4, image.height // 4
    mask = Image.new("L", (wide, high))
    draw = ImageDraw.Draw(mask)
    short = min(wide, high)
    for _ in range(dice.randint(3, 5)):
        x, y = dice.random() * wide, high * dice.uniform(0.06, 0.40)
        length = short * dice.uniform(0.16, 0.30)
        for puff in range(7):
            along = (puff - 3) / 3
            size = short * dice.uniform(0.025, 0.05) * (1.25 - 0.75 * abs(along))
            middle = x + along * length
            box = (middle - size * 1.6, y - size, middle + size * 1.6, y + size * 0.55)
            draw.ellipse(box, fill=150)
    soft = mask.filter(ImageFilter.GaussianBlur(short / 110)).resize(image.size)
    image.paste(palette.lighter(reading.mood.horizon, by=0.55), (0, 0), soft)


def _ridge(dice: random.Random, *, wild: float) -> list[tuple[float, float, float]]:
    return [
        (
            dice.uniform(0.5, 1.0) * wild / (wave + 1),
            (wave + 1) * dice.uniform(0.7, 1.3),
            dice.random(),
        )
        for wave in range(4)
    ]


def _hills(
    image: Image.Image,
    reading: palette.Reading,
    *,
    first: float,
    layers: int,
    wild: float = 1.0,
    wooded: float = 0.0,
) -> None:
    wide, high = image.size
    dice = reading.dice
    draw = ImageDraw.Draw(image)
    step = max(2, wide // 160)
    for layer in range(layers):
        share = layer / max(1, layers - 1)
        colour = palette.mix(reading.mood.far, reading.mood.near, share=share**0.85)
        waves = _ridge(dice, wild=wild * (0.055 - 0.02 * share))
        base = high * (first + (0.80 - first) * share)
        tops = [
            base
            - high
            * sum(
                size * math.sin(math.tau * (turns * x / wide + start))
                for size, turns, start in waves
            )
            for x in range(0, wide + step, step)
        ]
        outline = [(at * step, top) for at, top in enumerate(tops)]
        if wooded:
            _woods(draw, outline, reading, share=share, dense=wooded, colour=colour)
        draw.polygon([(0, high), *outline, (wide, high)], fill=colour)


def _woods(
    draw: ImageDraw.ImageDraw,
    outline: Sequence[pen.Point],
    reading: palette.Reading,
    *,
    share: float,
    dense: float,
    colour: palette.Colour,
) -> None:
    dice = reading.dice
    short = min(outline[-1][0], outline[0][1] * 1.8) / 100
    tall = 3.2 + 7.5 * share
    for x, y in outline:
        if dice.random() > dense * (0.62 - 0.26 * share):
            continue
        height = tall * dice.uniform(0.7, 1.25)
        pencil = pen.Pen(draw, x + dice.uniform(-1, 1) * short, y + 0.6 * short, unit=short)
        # Firs stand out darker, also where the land is snow.
        toned = palette.mix(colour, reading.mood.near, share=0.16)
        shade = palette.darker(toned, by=0.04 + 0.14 * share * dice.random())
        pine(pencil, height, shade)


def pine(pencil: pen.Pen, height: float, colour: palette.Colour) -> None:
    """A fir of three tiers, `height` units high."""
    half = height * 0.27
    for tier in range(3):
        low = height * (0.08 + 0.27 * tier)
        reach = half * (1 - 0.24 * tier)
        top = min(height, low + height * 0.46)
        pencil.shape(((-reach, low), (reach, low), (0, top)), colour)


def _sea(image: Image.Image, reading: palette.Reading, light: pen.Point) -> None:
    wide, high = image.size
    dice, mood = reading.dice, reading.mood
    top = round(high * HORIZON)
    deep = palette.mix(mood.top, palette.hexed("0f3d5c"), share=0.45)
    shallow = palette.mix(mood.horizon, palette.mix(mood.middle, deep, share=0.35), share=0.62)
    _island(image, reading, top)
    image.paste(
        pen.gradient((wide, high - top), (shallow, palette.mix(shallow, deep, share=0.6), deep)),
        (0, top),
    )
    draw = ImageDraw.Draw(image)
    glint = palette.lighter(mood.light, by=0.2)
    for row in range(46):
        down = (row / 46) ** 1.5
        y = top + (high - top) * down
        tall = max(1.0, high * 0.0011 * (1 + 5 * down))
        under = wide * (0.012 + 0.055 * down)
        x = light[0] + dice.gauss(0, 0.35) * under
        half = under * dice.uniform(0.25, 0.9)
        shine = palette.mix(shallow, glint, share=0.75 - 0.45 * down)
        draw.ellipse((x - half, y - tall, x + half, y + tall), fill=shine)
        for _ in range(3):
            x, half = dice.random() * wide, wide * dice.uniform(0.008, 0.03) * (0.4 + down)
            crest = palette.mix(
                palette.mix(shallow, deep, share=down * 0.8), mood.horizon, share=0.22
            )
            draw.ellipse((x - half, y - tall * 0.7, x + half, y + tall * 0.7), fill=crest)


def _island(image: Image.Image, reading: palette.Reading, top: int) -> None:
    wide, high = image.size
    dice = reading.dice
    pencil = pen.Pen(ImageDraw.Draw(image), 0, top + 1, unit=wide / 100)
    for share, shade in ((0.5, 0.15), (0.3, 0.35)):
        start = dice.uniform(-20, 70)
        length, height = dice.uniform(26, 46), high / wide * dice.uniform(5, 9) * share * 2
        bumps = [
            (
                start + length * at / 8,
                height * math.sin(math.pi * at / 8) * dice.uniform(0.75, 1.15),
            )
            for at in range(9)
        ]
        colour = palette.mix(reading.mood.far, reading.mood.near, share=shade)
        pencil.smooth([*bumps, (start + length / 2, -0.2)], colour)


def _peaks(image: Image.Image, reading: palette.Reading) -> None:
    wide, high = image.size
    dice, mood = reading.dice, reading.mood
    pencil = pen.Pen(ImageDraw.Draw(image), 0, high, unit=high / 100)
    across = wide / high * 100
    snow = palette.mix(palette.hexed("fbfdff"), mood.middle, share=0.25 if mood.dark else 0.08)
    for row, (tall, spread) in enumerate(((62.0, 0.42), (52.0, 0.36))):
        rock = palette.mix(mood.far, mood.near, share=0.16 + 0.28 * row)
        count = 3 + row
        for at in range(count):
            x = across * (at + 0.5 + dice.uniform(-0.22, 0.22)) / count
            top = tall * dice.uniform(0.82, 1.1)
            half = across * spread * dice.uniform(0.7, 0.95)
            pencil.shape(((x - half, 0), (x, top), (x + half, 0)), rock)
            pencil.shape(
                ((x, top), (x + half, 0), (x + half * 0.12, 0)), palette.darker(rock, by=0.16)
            )
            cap = 0.20
            edge = [
                (x - half * cap, top * (1 - cap)),
                (x - half * cap * 0.45, top * (1 - cap * 0.72)),
                (x - half * cap * 0.1, top * (1 - cap * 1.15)),
                (x + half * cap * 0.4, top * (1 - cap * 0.7)),
                (x + half * cap, top * (1 - cap)),
            ]
            pencil.shape(((x, top), *edge), snow)
            pencil.shape(((x, top), *edge[2:]), palette.mix(snow, rock, share=0.22))


def _city(image: Image.Image, reading: palette.Reading) -> None:
    wide, high = image.size
    dice, mood = reading.dice, reading.mood
    draw = ImageDraw.Draw(image)
    short = min(wide, high)
    lamp = palette.hexed("ffd987")
    for layer in range(3):
        share = layer / 2
        colour = palette.mix(mood.far, mood.near, share=0.1 + 0.8 * share)
        ground = high * (0.72 + 0.06 * layer)
        x = -short * 0.05 * dice.random()
        while x < wide:
            width = short * dice.uniform(0.07, 0.13) * (0.8 + 0.35 * share)
            top = ground - high * dice.uniform(0.14, 0.42) * (1 - 0.35 * share)
            draw.rectangle((x, top, x + width, high), fill=colour)
            if dice.random() < _MASTS:
                mast = x + width / 2
                draw.line(
                    (mast, top - short * 0.05, mast, top), fill=colour, width=max(1, short // 300)
                )
            pane = short * 0.011 * (0.8 + 0.35 * share)
            if layer:
                box = (x, top, x + width, high * 0.84)
                _panes(draw, dice, box=box, pane=pane, wall=colour, lamp=lamp)
            x += width * dice.uniform(1.0, 1.25)
    draw.rectangle((0, high * 0.85, wide, high), fill=palette.darker(mood.near, by=0.35))


def _panes(
    draw: ImageDraw.ImageDraw,
    dice: random.Random,
    *,
    box: tuple[float, float, float, float],
    pane: float,
    wall: palette.Colour,
    lamp: palette.Colour,
) -> None:
    left, top, right, low = box
    y = top + pane * 1.4
    while y < low:
        x = left + pane
        while x + pane < right:
            if dice.random() < _LIT:
                lit = palette.mix(wall, lamp, share=dice.uniform(0.45, 0.95))
                draw.rectangle((x, y, x + pane * 0.8, y + pane), fill=lit)
            x += pane * 1.9
        y += pane * 2.3


def _planets(image: Image.Image, reading: palette.Reading) -> None:
    wide, high = image.size
    dice, mood = reading.dice, reading.mood
    short = min(wide, high)
    for _ in range(3):
        spot = (wide * dice.random(), high * dice.uniform(0.05, 0.6))
        cloud = dice.choice(tuple(palette.COLOURS.values())[8:20])
        pen.glow(image, spot, reach=short * dice.uniform(0.35, 0.6), colour=cloud, strength=0.35)
    pencil = pen.Pen(
        ImageDraw.Draw(image), wide * dice.uniform(0.3, 0.5), high * 0.34, unit=short / 100
    )
    body = dice.choice(tuple(palette.COLOURS.values())[:12])
    ring = palette.lighter(body, by=0.5)
    pencil.line(_ring(180, 360), ring, width=1.3)
    pencil.oval((0, 0), 13, 13, body)
    for band in (-6.5, -1.5, 4.0):
        half = math.sqrt(13**2 - band**2) - 0.4
        pencil.oval((0, band), half, 1.2, palette.lighter(body, by=0.22))
    pencil.line(_ring(180, 0), ring, width=1.3)
    _hills(image, reading, first=0.74, layers=2, wild=0.8)
    for _ in range(7):
        hole = (wide * dice.random(), high * dice.uniform(0.84, 0.92))
        pen.Pen(ImageDraw.Draw(image), *hole, unit=short / 100).oval(
            (0, 0), dice.uniform(2, 5), dice.uniform(0.5, 1.2), palette.darker(mood.near, by=0.35)
        )


def _ring(start: float, end: float) -> list[pen.Point]:
    return [
        (x * 1.75, y * 0.42 + x * 0.28)
        for x, y in pen.arc((0, 0), radius=12.5, start=start, end=end, steps=40)
    ]


def _flowers(image: Image.Image, reading: palette.Reading) -> None:
    wide, high = image.size
    dice = reading.dice
    draw = ImageDraw.Draw(image)
    petals = ("f6d04d", "f7f2e8", "ef7f9d", "e4573f", "b98be0")
    for _ in range(150):
        down = dice.random()
        x, y = wide * dice.random(), high * (0.80 + 0.14 * down)
        pencil = pen.Pen(draw, x, y, unit=min(wide, high) / 100 * (0.5 + 0.8 * down))
        pencil.line(((0, -1.4), (0, 0)), palette.lighter(reading.mood.near, by=0.18), width=0.22)
        colour = palette.mix(
            palette.hexed(dice.choice(petals)), reading.mood.near, share=0.2 * (1 - down)
        )
        for turn in range(5):
            angle = math.tau * turn / 5
            pencil.oval((0.55 * math.cos(angle), 0.55 * math.sin(angle)), 0.42, 0.42, colour)
        pencil.oval((0, 0), 0.34, 0.34, palette.hexed("f2b53a"))
