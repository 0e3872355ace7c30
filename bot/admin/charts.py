"""Charts as shapes in a box of 100 by 100, for a template to draw.

It owns the geometry; it never knows what is counted. Words stand around the box, not in it: it is
stretched to whatever width there is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

SIDE = 100.0
GAP = 0.25  # of a bar's width


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A rectangle and what it stands for."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line through the values that are there, as two SVG paths: its strokes and its dots."""

    kind: str
    strokes: str
    dots: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What a template draws. `ticks` are the words beside the box from the top down."""

    name: str
    summary: str
    legend: tuple[tuple[str, str], ...]
    ticks: tuple[str, ...]
    times: tuple[str, ...]
    bars: tuple[Bar, ...] = ()
    lines: tuple[Line, ...] = ()


def ceiling(value: float) -> float:
    """The next round number from `value` on: 1, 2 or 5 times a power of ten, at least 1."""
    if value <= 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)


def stacks(
    columns: Sequence[Sequence[int]], *, kinds: Sequence[str], titles: Sequence[str], top: float
) -> tuple[Bar, ...]:
    """Bars upon each other: one column per time, its parts from the ground up."""
    width = SIDE / max(1, len(columns))
    bars = []
    for place, (column, title) in enumerate(zip(columns, titles, strict=True)):
        ground = SIDE
        for part, kind in zip(column, kinds, strict=True):
            height = SIDE * part / top
            ground -= height
            if part:
                bars.append(
                    Bar(
                        x=_tidy((place + GAP / 2) * width),
                        y=_tidy(ground),
                        width=_tidy(width * (1 - GAP)),
                        height=_tidy(height),
                        kind=kind,
                        title=title,
                    )
                )
    return tuple(bars)


def line(values: Sequence[float | None], *, kind: str, top: float) -> Line:
    """A line from value to value; where one is missing it is interrupted."""
    width = SIDE / max(1, len(values))
    strokes, dots = [], []
    begun = False
    for place, value in enumerate(values):
        if value is None:
            begun = False
            continue
        at = f"{_tidy((place + 0.5) * width)} {_tidy(SIDE - SIDE * value / top)}"
        strokes.append(f"{'L' if begun else 'M'}{at}")
        dots.append(f"M{at}h0")
        begun = True
    return Line(kind=kind, strokes="".join(strokes), dots="".join(dots))


def _tidy(number: float) -> float:
    return round(number, 2)
