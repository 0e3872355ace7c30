"""A pencil over Pillow: shapes in small local units, smooth outlines, soft light.

Owns the mapping from a picture's own units to pixels; it never knows what it draws.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from sandbox import palette

Point = tuple[float, float]

_STEPS = 10
"""Straight pieces between two points of a smooth outline."""


@dataclass(frozen=True, slots=True)
class Pen:
    """Draws with the origin at (`x`, `y`) pixels, y upwards, one unit being `unit` pixels."""

    draw: ImageDraw.ImageDraw
    x: float
    y: float
    unit: float
    flip: bool = False

    def at(self, point: Point) -> Point:
        """A local point in pixels."""
        across = -point[0] if self.flip else point[0]
        return self.x + across * self.unit, self.y - point[1] * self.unit

    def shape(self, points: Iterable[Point], colour: palette.Colour) -> None:
        """A polygon with straight edges."""
        self.draw.polygon([self.at(point) for point in points], fill=colour)

    def smooth(self, points: Sequence[Point], colour: palette.Colour) -> None:
        """A closed outline that passes through the points in curves."""
        self.shape(rounded(points), colour)

    def oval(self, centre: Point, wide: float, high: float, colour: palette.Colour) -> None:
        """An ellipse by its centre and half axes."""
        x, y = self.at(centre)
        across, up = wide * self.unit, high * self.unit
        self.draw.ellipse((x - across, y - up, x + across, y + up), fill=colour)

    def box(
        self, left: float, low: float, right: float, high: float, colour: palette.Colour
    ) -> None:
        """An upright rectangle."""
        self.shape(((left, low), (right, low), (right, high), (left, high)), colour)

    def line(self, points: Sequence[Point], colour: palette.Colour, *, width: float) -> None:
        """A stroke with round joints."""
        placed = [self.at(point) for point in points]
        wide = max(1, round(width * self.unit))
        self.draw.line(placed, fill=colour, width=wide, joint="curve")
        for x, y in (placed[0], placed[-1]):
            half = wide / 2
            self.draw.ellipse((x - half, y - half, x + half, y + half), fill=colour)


def rounded(points: Sequence[Point]) -> list[Point]:
    """A closed Catmull-Rom curve through the points."""
    outline: list[Point] = []
    count = len(points)
    for at in range(count):
        before, start = points[at - 1], points[at]
        end, after = points[(at + 1) % count], points[(at + 2) % count]
        for step in range(_STEPS):
            t = step / _STEPS
            outline.append(
                (
                    _between(before[0], start[0], end[0], after[0], t),
                    _between(before[1], start[1], end[1], after[1], t),
                )
            )
    return outline


def _between(before: float, start: float, end: float, after: float, t: float) -> float:
    return 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t * t
        + (3 * start - before - 3 * end + after) * t * t * t
    )


def gradient(size: tuple[int, int], stops: Sequence[palette.Colour]) -> Image.Image:
    """Top to bottom through the colours."""
    strip = Image.new("RGB", (1, 64))
    last = len(stops) - 1
    for row in range(64):
        place = row / 63 * last
        at = min(int(place), last - 1)
        share = place - at
        eased = share * share * (3 - 2 * share)
        strip.putpixel((0, row), palette.mix(stops[at], stops[at + 1], share=eased))
    return strip.resize(size, Image.Resampling.BICUBIC)


def glow(
    image: Image.Image, centre: Point, *, reach: float, colour: palette.Colour, strength: float
) -> None:
    """Light a round spot of `reach` pixels, strongest in its middle."""
    edge = max(2, round(reach * 2))
    # Pillow's radial gradient is dark in the middle: turned over and steepened it is a lamp.
    lamp = Image.radial_gradient("L").point(
        [round(255 * strength * max(0.0, 1 - value / 180) ** 2) for value in range(256)]
    )
    mask = lamp.resize((edge, edge), Image.Resampling.BILINEAR)
    image.paste(colour, (round(centre[0] - reach), round(centre[1] - reach)), mask)


def arc(centre: Point, *, radius: float, start: float, end: float, steps: int = 12) -> list[Point]:
    """Points along a circle from `start` to `end` degrees, counter-clockwise from the right."""
    turns = (math.radians(start + (end - start) * step / steps) for step in range(steps + 1))
    return [
        (centre[0] + radius * math.cos(turn), centre[1] + radius * math.sin(turn)) for turn in turns
    ]
