"""The buildings, vessels, plants and other things of stand-in pictures.

Owns how a thing looks, about twenty units tall with its foot at the origin; it never decides where
one goes.
"""

from __future__ import annotations

import math

from sandbox import palette, pen
from sandbox.palette import Colour, darker, hexed, lighter

INK = hexed("1d1b26")
CREAM = hexed("fbf3e4")
GLASS = hexed("ffe3a1")
WOOD = hexed("7a4f33")

# --- buildings ------------------------------------------------------------------------------------


def house(pencil: pen.Pen, walls: Colour) -> None:
    """A cottage with a lit window."""
    roof = darker(hexed("9c4a3a") if walls != hexed("9c4a3a") else WOOD, by=0.05)
    pencil.box(3.4, 11, 5.4, 17, darker(walls, by=0.3))
    pencil.box(-7, 0, 7, 9.4, walls)
    pencil.box(3.2, 0, 7, 9.4, darker(walls, by=0.12))
    pencil.shape(((-8.6, 9), (0, 16.4), (8.6, 9)), roof)
    pencil.shape(((0, 16.4), (8.6, 9), (4.0, 9)), darker(roof, by=0.16))
    pencil.box(-1.3, 0, 1.7, 5.4, WOOD)
    pencil.oval((1.1, 2.6), 0.24, 0.24, GLASS)
    for left in (-5.4, 3.2):
        pencil.box(left, 3.2, left + 2.6, 6.2, GLASS)
        pencil.line(((left + 1.3, 3.2), (left + 1.3, 6.2)), WOOD, width=0.25)
        pencil.line(((left, 4.7), (left + 2.6, 4.7)), WOOD, width=0.25)
    pencil.oval((0, 11.6), 1.2, 1.2, GLASS)


def castle(pencil: pen.Pen, walls: Colour) -> None:
    """Towers, battlements and flags."""
    roof = hexed("5a5fa8")
    for left, right, high in ((-9, -5.4, 13), (5.4, 9, 13), (-2.6, 2.6, 17)):
        pencil.box(left, 0, right, high, walls)
        pencil.box(right - (right - left) * 0.3, 0, right, high, darker(walls, by=0.14))
        middle = (left + right) / 2
        pencil.shape(((left - 0.7, high), (middle, high + 5.4), (right + 0.7, high)), roof)
        pencil.line(((middle, high + 5.2), (middle, high + 8)), INK, width=0.2)
        flag = ((middle, high + 8), (middle + 2.4, high + 7.3), (middle, high + 6.5))
        pencil.shape(flag, hexed("d8463f"))
        pencil.box(middle - 0.5, high - 4, middle + 0.5, high - 1.8, GLASS)
    pencil.box(-8, 0, 8, 8, lighter(walls, by=0.08))
    for notch in range(-4, 4):
        pencil.box(notch * 2 + 0.35, 8, notch * 2 + 1.65, 9.3, lighter(walls, by=0.08))
    pencil.smooth(((-1.9, -0.2), (-1.9, 3), (0, 5.4), (1.9, 3), (1.9, -0.2)), WOOD)


def lighthouse(pencil: pen.Pen, stripes: Colour) -> None:
    """Striped, on its rock."""
    pencil.smooth(((-8, -0.6), (-5.4, 2), (0, 3.2), (5.6, 1.8), (8.4, -0.6)), hexed("5d5a66"))
    for band in range(6):
        low, high = 2.2 + band * 2.5, 2.2 + (band + 1) * 2.5
        wide, thin = 3.2 - band * 0.24, 3.2 - (band + 1) * 0.24
        colour = stripes if band % 2 else CREAM
        pencil.shape(((-wide, low), (wide, low), (thin, high), (-thin, high)), colour)
        pencil.shape(
            ((wide * 0.4, low), (wide, low), (thin, high), (thin * 0.4, high)),
            darker(colour, by=0.13),
        )
    pencil.box(-2.6, 17.0, 2.6, 17.8, INK)
    pencil.box(-1.5, 17.8, 1.5, 20.4, GLASS)
    pencil.shape(((-2.1, 20.3), (0, 22.8), (2.1, 20.3)), darker(stripes, by=0.2))


# --- vessels --------------------------------------------------------------------------------------


def boat(pencil: pen.Pen, hull: Colour) -> None:
    """A small sailing boat."""
    pencil.line(((0, 2.6), (0, 18.6)), WOOD, width=0.45)
    pencil.smooth(((0.7, 3.8), (0.7, 17.8), (4.6, 10.4), (8.2, 4.2)), CREAM)
    pencil.smooth(
        ((-0.6, 4.2), (-0.6, 15.6), (-3.4, 9.4), (-5.8, 4.4)), palette.mix(CREAM, hull, share=0.25)
    )
    pencil.shape(((0, 18.6), (2.6, 18.0), (0, 17.3)), hexed("d8463f"))
    pencil.shape(((-8.6, 3.4), (9.2, 3.4), (6.4, 0), (-6.2, 0)), hull)
    pencil.shape(((-8.6, 3.4), (9.2, 3.4), (8.7, 2.7), (-8.0, 2.7)), lighter(hull, by=0.5))
    pencil.oval((0.2, -0.1), 8.4, 0.42, lighter(palette.COLOURS["cyan"], by=0.75))


def balloon(pencil: pen.Pen, cloth: Colour) -> None:
    """A hot-air balloon."""
    for x in (-1.5, 1.5):
        pencil.line(((x, 2.4), (x * 2.2, 7)), WOOD, width=0.18)
    pencil.smooth(
        ((-1.8, 6), (-6.6, 11.6), (-5.6, 18), (0, 20.6), (5.6, 18), (6.6, 11.6), (1.8, 6)), cloth
    )
    pencil.smooth(
        ((-0.9, 6.1), (-2.9, 12), (-2.4, 18), (0, 20.5), (2.4, 18), (2.9, 12), (0.9, 6.1)), CREAM
    )
    pencil.smooth(
        ((-0.35, 6.1), (-1.0, 12), (-0.8, 18), (0, 20.5), (0.8, 18), (1.0, 12), (0.35, 6.1)), cloth
    )
    pencil.smooth(
        ((3.0, 7.4), (5.2, 12), (4.4, 18), (5.7, 17.6), (6.5, 11.6)), darker(cloth, by=0.14)
    )
    pencil.shape(((-1.8, 2.6), (1.8, 2.6), (1.4, 0), (-1.4, 0)), WOOD)
    pencil.box(-1.9, 2.3, 1.9, 2.8, darker(WOOD, by=0.3))


def rocket(pencil: pen.Pen, trim: Colour) -> None:
    """Climbing on its flame."""
    pencil.smooth(((-1.9, 4), (-1.2, 0.6), (0, -3.4), (1.2, 0.6), (1.9, 4)), hexed("f39a35"))
    pencil.smooth(((-1.0, 4), (-0.5, 1.6), (0, -0.8), (0.5, 1.6), (1.0, 4)), hexed("ffe28a"))
    for side in (-1, 1):
        pencil.smooth(
            ((side * 2.4, 8.4), (side * 5.2, 5), (side * 5.0, 2.4), (side * 2.4, 4.4)),
            darker(trim, by=0.1),
        )
    pencil.smooth(
        ((-2.5, 3.8), (-3.0, 10), (-2.1, 15.6), (0, 19.4), (2.1, 15.6), (3.0, 10), (2.5, 3.8)),
        CREAM,
    )
    pencil.smooth(
        ((0.9, 3.8), (1.6, 10), (1.0, 16), (0.4, 18.6), (2.1, 15.6), (3.0, 10), (2.5, 3.8)),
        darker(CREAM, by=0.14),
    )
    pencil.smooth(((-2.0, 15.6), (-1.1, 18), (0, 19.6), (1.1, 18), (2.0, 15.6)), trim)
    pencil.oval((0, 12.2), 1.55, 1.55, trim)
    pencil.oval((0, 12.2), 1.1, 1.1, hexed("9fd6ee"))
    pencil.box(-2.1, 3.4, 2.1, 4.4, darker(trim, by=0.3))


# --- plants ---------------------------------------------------------------------------------------


def tree(pencil: pen.Pen, leaves: Colour) -> None:
    """A round-crowned tree."""
    pencil.smooth(((-1.6, 0), (-0.9, 4), (-1.0, 9), (1.0, 9), (0.9, 4), (1.7, 0)), WOOD)
    pencil.line(((0, 6.6), (3.0, 10)), WOOD, width=0.6)
    for x, y, size, shade in (
        (-4.2, 10.4, 3.6, 0.22),
        (4.4, 10.6, 3.5, 0.26),
        (0, 11, 4.8, 0.14),
        (-2.8, 14.2, 3.9, 0.04),
        (2.9, 14.0, 3.8, 0.1),
        (0, 16.4, 3.5, 0.0),
    ):
        pencil.oval((x, y), size, size * 0.92, darker(leaves, by=shade))
    for x, y in ((-3.2, 15.4), (-0.8, 17.6), (-5.0, 11.6), (1.6, 14.8)):
        pencil.oval((x, y), 1.2, 0.8, lighter(leaves, by=0.18))


def flower(pencil: pen.Pen, petals: Colour) -> None:
    """One bloom on a long stem."""
    green = hexed("4b8f55")
    pencil.line(((0, 0), (0.5, 6), (0, 12)), green, width=0.6)
    for side, low in ((-1, 3.0), (1, 5.0)):
        pencil.smooth(
            ((0.3, low), (side * 2.4, low + 2.6), (side * 4.8, low + 2.9), (side * 2.6, low + 0.6)),
            green,
        )
    for turn in range(9):
        angle = math.tau * turn / 9
        shade = darker(petals, by=0.06 * (turn % 2))
        pencil.oval((3.0 * math.cos(angle), 14.4 + 3.0 * math.sin(angle)), 1.75, 1.75, shade)
    pencil.oval((0, 14.4), 2.2, 2.2, hexed("8a5526") if petals != hexed("8a5526") else GLASS)
    pencil.oval((-0.3, 14.7), 1.5, 1.5, hexed("a86a31"))


def mushroom(pencil: pen.Pen, cap: Colour) -> None:
    """Spotted."""
    pencil.smooth(((-2.2, 0), (-1.8, 4.6), (-2.4, 9), (2.4, 9), (1.8, 4.6), (2.4, 0)), CREAM)
    pencil.smooth(
        ((0.6, 0), (0.6, 5), (0.9, 9), (2.4, 9), (1.8, 4.6), (2.4, 0)), darker(CREAM, by=0.14)
    )
    pencil.smooth(((-7.4, 8.2), (-6.2, 12.8), (0, 16.6), (6.2, 12.8), (7.4, 8.2), (0, 7.0)), cap)
    pencil.smooth(((-6.8, 8.2), (0, 9.1), (6.8, 8.2), (0, 7.0)), darker(CREAM, by=0.24))
    for x, y, size in ((-3.6, 11.6, 1.2), (0.3, 13.6, 1.5), (4.0, 11.0, 1.1), (0.6, 10.2, 0.7)):
        pencil.oval((x, y), size, size * 0.86, CREAM)


# --- and the rest ---------------------------------------------------------------------------------


def robot(pencil: pen.Pen, metal: Colour) -> None:
    """Square and friendly."""
    dark = darker(metal, by=0.35)
    for side in (-1, 1):
        pencil.box(side * 2.4 - 0.9, 0.6, side * 2.4 + 0.9, 4, dark)
        pencil.oval((side * 2.5, 0.7), 1.8, 0.9, darker(metal, by=0.5))
        pencil.line(((side * 4.4, 9), (side * 6.6, 6.6), (side * 6.4, 4.2)), dark, width=1.1)
        pencil.oval((side * 6.4, 3.9), 1.0, 1.0, metal)
    pencil.box(-4.4, 3.6, 4.4, 10.6, metal)
    pencil.box(1.8, 3.6, 4.4, 10.6, darker(metal, by=0.12))
    pencil.box(-2.6, 5, 2.6, 8.4, dark)
    for x, colour in ((-1.5, "e2574c"), (0.0, "f2c14e"), (1.5, "5fbf77")):
        pencil.oval((x, 6.7), 0.55, 0.55, hexed(colour))
    pencil.box(-0.9, 10.6, 0.9, 11.6, dark)
    pencil.box(-3.9, 11.4, 3.9, 17, lighter(metal, by=0.15))
    pencil.box(-3.1, 12.6, 3.1, 16, INK)
    for side in (-1, 1):
        pencil.oval((side * 1.4, 14.5), 0.8, 0.8, hexed("6fe3f0"))
    pencil.line(((-1.1, 13.2), (1.1, 13.2)), hexed("6fe3f0"), width=0.3)
    pencil.line(((0, 17), (0, 19)), dark, width=0.35)
    pencil.oval((0, 19.3), 0.7, 0.7, hexed("e2574c"))


def cup(pencil: pen.Pen, glaze: Colour) -> None:
    """Steaming, on a saucer."""
    for x in (-2.2, 0.4, 3.0):
        pencil.line(
            ((x, 12.6), (x - 0.7, 14.4), (x + 0.6, 16.2), (x, 18)),
            lighter(glaze, by=0.8),
            width=0.4,
        )
    pencil.oval((0, 1.0), 8.6, 1.3, lighter(glaze, by=0.4))
    pencil.oval((6.4, 7.4), 2.8, 3.0, glaze)
    pencil.oval((6.4, 7.4), 1.6, 1.8, lighter(glaze, by=0.55))
    pencil.smooth(((-6, 11), (-5.6, 5), (-3, 1.4), (3, 1.4), (5.6, 5), (6, 11)), glaze)
    pencil.oval((0, 11), 6.0, 1.5, lighter(glaze, by=0.35))
    pencil.oval((0, 10.8), 5.3, 1.15, hexed("5a3420"))


def person(pencil: pen.Pen, coat: Colour) -> None:
    """A walker in a long coat and scarf, seen from behind."""
    for side in (-1, 1):
        pencil.box(side * 1.2 - 0.7, 0, side * 1.2 + 0.7, 4, INK)
    pencil.smooth(((-3.6, 2.6), (-2.9, 8), (-2.6, 13), (2.6, 13), (2.9, 8), (3.6, 2.6)), coat)
    pencil.smooth(
        ((0.4, 2.6), (0.7, 8), (0.6, 13), (2.6, 13), (2.9, 8), (3.6, 2.6)), darker(coat, by=0.14)
    )
    for side in (-1, 1):
        pencil.line(
            ((side * 2.5, 12), (side * 3.7, 8), (side * 3.3, 5.4)), darker(coat, by=0.1), width=1.2
        )
    pencil.oval((0, 15.8), 2.3, 2.5, hexed("4a3226"))
    pencil.smooth(
        ((-2.3, 13.6), (0, 14.3), (2.3, 13.6), (2.2, 12.5), (0, 12.9), (-2.2, 12.5)),
        hexed("e0b04a"),
    )
    pencil.smooth(((1.2, 13.2), (4.8, 12.0), (5.4, 9.8), (3.4, 10.8), (1.4, 12.3)), hexed("e0b04a"))
