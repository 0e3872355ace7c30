"""The animals of stand-in pictures.

Owns how an animal looks, about twenty units tall with its foot at the origin; it never decides
where one goes.
"""

from __future__ import annotations

from sandbox import palette, pen
from sandbox.palette import Colour, darker, hexed, lighter

INK = hexed("1d1b26")
CREAM = hexed("fbf3e4")


def _body(pencil: pen.Pen, coat: Colour, *, chest: Colour) -> None:
    pencil.smooth(((-5.2, 0.2), (-4.6, 5), (-2.6, 10.5), (2.6, 10.5), (4.6, 5), (5.2, 0.2)), coat)
    pencil.smooth(((-2.0, 1.6), (-2.5, 6.5), (0, 11), (2.5, 6.5), (2.0, 1.6)), chest)
    for side in (-1, 1):
        pencil.oval((side * 1.9, 0.7), 1.6, 0.95, darker(coat, by=0.12))
    pencil.line(((0, 0.6), (0, 3.6)), darker(coat, by=0.35), width=0.22)


def _face(pencil: pen.Pen, *, eye: float = 12.9, nose: float = 11.1, apart: float = 1.9) -> None:
    for side in (-1, 1):
        pencil.oval((side * apart, eye), 0.52, 0.66, INK)
        pencil.oval((side * apart + 0.18, eye + 0.24), 0.18, 0.2, CREAM)
    pencil.oval((0, nose), 0.66, 0.48, INK)


def _pointed_ears(pencil: pen.Pen, coat: Colour, *, inner: Colour, high: float = 18.6) -> None:
    for side in (-1, 1):
        outer = ((side * 4.4, 13.2), (side * 3.9, high), (side * 0.9, 15.6))
        pencil.shape(outer, coat)
        pencil.shape(((side * 3.7, 14.4), (side * 3.5, high - 1.6), (side * 1.9, 15.6)), inner)


def _tail(pencil: pen.Pen, coat: Colour, *, tip: Colour) -> None:
    pencil.smooth(((4, 0.4), (8.4, 0.6), (10.8, 4), (9.6, 8.6), (7.6, 6.4), (6.6, 3.6)), coat)
    pencil.smooth(((10.7, 4.6), (9.6, 8.8), (7.7, 6.6), (9.2, 6.3)), tip)


def fox(pencil: pen.Pen, coat: Colour) -> None:
    """Sitting, with a white-tipped brush."""
    _tail(pencil, darker(coat, by=0.1), tip=CREAM)
    _body(pencil, coat, chest=CREAM)
    _pointed_ears(pencil, coat, inner=INK, high=19.4)
    pencil.smooth(((-5.4, 12.6), (-3.2, 15.6), (0, 16.3), (3.2, 15.6), (5.4, 12.6), (0, 9.7)), coat)
    for side in (-1, 1):
        cheek = (
            (side * 5.2, 12.5),
            (side * 2.6, 12.7),
            (side * 0.6, 11.4),
            (0, 9.8),
            (side * 2.4, 10.6),
        )
        pencil.smooth(cheek, CREAM)
    _face(pencil, eye=13.3, nose=10.5, apart=2.0)


def wolf(pencil: pen.Pen, coat: Colour) -> None:
    """A fox's bigger, greyer cousin."""
    _tail(pencil, darker(coat, by=0.2), tip=darker(coat, by=0.4))
    _body(pencil, coat, chest=lighter(coat, by=0.55))
    _pointed_ears(pencil, darker(coat, by=0.15), inner=darker(coat, by=0.5))
    pencil.smooth(((-5.0, 12.4), (-3.4, 15.6), (0, 16.4), (3.4, 15.6), (5.0, 12.4), (0, 9.3)), coat)
    muzzle = ((-2.4, 12.2), (0, 13.6), (2.4, 12.2), (1.3, 9.9), (-1.3, 9.9))
    pencil.smooth(muzzle, lighter(coat, by=0.6))
    _face(pencil, eye=13.4, nose=11.2)


def cat(pencil: pen.Pen, coat: Colour) -> None:
    """Upright, with a curled tail and whiskers."""
    tail = ((4.2, 0.8), (7.2, 1.0), (8.6, 3.4), (7.9, 6.6), (8.9, 8.8))
    pencil.line(tail, darker(coat, by=0.12), width=1.5)
    _body(pencil, coat, chest=lighter(coat, by=0.45))
    _pointed_ears(pencil, coat, inner=hexed("e9a3a0"), high=18.0)
    pencil.oval((0, 12.9), 4.6, 3.7, coat)
    for side in (-1, 1):
        pencil.oval((side * 1.0, 11.3), 1.2, 0.95, lighter(coat, by=0.5))
        for lift in (-0.35, 0.25):
            pencil.line(((side * 1.9, 11.3), (side * 5.6, 11.3 + lift * 2)), CREAM, width=0.1)
    for stripe in (-1.1, 0, 1.1):
        pencil.line(((stripe, 16.2), (stripe * 0.8, 14.9)), darker(coat, by=0.3), width=0.4)
    _face(pencil, eye=13.2, nose=11.9)


def dog(pencil: pen.Pen, coat: Colour) -> None:
    """Floppy ears and a red collar."""
    pencil.line(((4.2, 1.4), (7.2, 3.2), (8.0, 6.4)), darker(coat, by=0.1), width=1.4)
    _body(pencil, coat, chest=lighter(coat, by=0.6))
    pencil.oval((0, 13.2), 4.3, 3.9, coat)
    pencil.oval((0, 11.6), 2.3, 1.9, lighter(coat, by=0.6))
    for side in (-1, 1):
        ear = (
            (side * 3.2, 16.4),
            (side * 5.4, 15),
            (side * 5.9, 11),
            (side * 4.3, 10.2),
            (side * 3.5, 13.5),
        )
        pencil.smooth(ear, darker(coat, by=0.35))
    pencil.smooth(
        ((-3.0, 9.6), (0, 8.7), (3.0, 9.6), (2.9, 8.8), (0, 7.9), (-2.9, 8.8)), hexed("d4423e")
    )
    pencil.oval((0, 7.9), 0.7, 0.7, hexed("f0c24b"))
    _face(pencil, eye=13.8, nose=12.4, apart=1.7)
    pencil.smooth(((-0.6, 10.9), (0, 9.7), (0.6, 10.9)), hexed("e77e86"))


def bear(pencil: pen.Pen, coat: Colour) -> None:
    """Round ears, round belly."""
    for side in (-1, 1):
        pencil.oval((side * 3.7, 16.4), 1.7, 1.7, coat)
        pencil.oval((side * 3.7, 16.4), 0.95, 0.95, lighter(coat, by=0.4))
    pencil.oval((0, 5.2), 6.2, 5.8, coat)
    pencil.oval((0, 4.9), 3.8, 4.0, lighter(coat, by=0.3))
    pencil.oval((0, 13.3), 5.0, 4.4, coat)
    pencil.oval((0, 11.8), 2.4, 1.9, lighter(coat, by=0.5))
    for side in (-1, 1):
        pencil.oval((side * 4.0, 0.9), 2.3, 1.5, darker(coat, by=0.2))
        pencil.oval((side * 5.5, 6.4), 1.5, 2.9, darker(coat, by=0.12))
    _face(pencil, eye=14.2, nose=12.4)


def rabbit(pencil: pen.Pen, coat: Colour) -> None:
    """Long ears up."""
    for side in (-1, 1):
        ear = (
            (side * 1.0, 15),
            (side * 1.5, 21.5),
            (side * 3.0, 22.4),
            (side * 3.6, 19.5),
            (side * 2.8, 15),
        )
        pencil.smooth(ear, coat)
        inner = ((side * 1.8, 16), (side * 2.1, 20.6), (side * 2.9, 20.6), (side * 2.6, 16))
        pencil.smooth(inner, hexed("eba7ab"))
    pencil.oval((5.0, 2.4), 1.9, 1.8, lighter(coat, by=0.7))
    _body(pencil, coat, chest=lighter(coat, by=0.6))
    pencil.oval((0, 12.9), 4.1, 3.7, coat)
    for side in (-1, 1):
        pencil.oval((side * 0.9, 11.4), 1.2, 1.0, lighter(coat, by=0.6))
    _face(pencil, eye=13.4, nose=12.0)


def owl(pencil: pen.Pen, coat: Colour) -> None:
    """All eyes."""
    pencil.smooth(
        ((-5, 3), (-5.2, 11), (-4.6, 17.2), (0, 16.2), (4.6, 17.2), (5.2, 11), (5, 3), (0, 0.4)),
        coat,
    )
    pencil.oval((0, 6.2), 3.5, 5.0, lighter(coat, by=0.45))
    for row in range(4):
        for column in range(-1, 2):
            pencil.oval((column * 1.6, 3.4 + row * 1.7), 0.45, 0.35, darker(coat, by=0.1))
    for side in (-1, 1):
        pencil.smooth(
            ((side * 4.7, 3), (side * 5.9, 8), (side * 4.8, 12.6), (side * 3.6, 7)), darker(coat)
        )
        pencil.oval((side * 2.2, 13.3), 2.2, 2.2, CREAM)
        pencil.oval((side * 2.1, 13.3), 1.25, 1.25, hexed("f0a92e"))
        pencil.oval((side * 2.0, 13.3), 0.72, 0.72, INK)
        pencil.line(((side * 1.4, 0.6), (side * 1.4, -0.3)), hexed("e8a03a"), width=0.7)
    pencil.shape(((-0.8, 12.2), (0.8, 12.2), (0, 10.4)), hexed("e8a03a"))


def bird(pencil: pen.Pen, coat: Colour) -> None:
    """In flight, wings wide."""
    pencil.smooth(
        ((-1.5, 0.6), (-5, 6.5), (-11, 8.2), (-6.5, 3.6), (-3.2, -0.8)), darker(coat, by=0.15)
    )
    pencil.smooth(
        ((0.5, 0.4), (2.4, 7.4), (8.4, 10.4), (5.8, 4.6), (3.2, -0.4)), lighter(coat, by=0.12)
    )
    pencil.smooth(((-7.6, -2.4), (-2, -1.6), (2.2, -1.3), (5.2, 0.2), (3.4, 1.7), (-1, 1.2)), coat)
    pencil.shape(((-6, -1.4), (-9.6, -2.0), (-8.8, -3.9), (-5.4, -2.6)), darker(coat, by=0.1))
    pencil.shape(((4.9, 0.8), (7.0, 0.2), (4.8, -0.2)), hexed("f0a63a"))
    pencil.oval((4.0, 0.8), 0.34, 0.34, INK)


def fish(pencil: pen.Pen, coat: Colour) -> None:
    """Leaping."""
    pencil.shape(((-5.2, 5), (-9.6, 9), (-8.6, 4.6), (-9.8, 0.8)), darker(coat, by=0.15))
    pencil.smooth(((-6, 5), (-1, 9.2), (5, 8.0), (7.4, 5.0), (5, 2.2), (-1, 1.2)), coat)
    pencil.shape(((-1, 8.6), (1.6, 12), (3.4, 8.2)), darker(coat, by=0.15))
    pencil.smooth(((-3.8, 4.4), (0, 3.2), (5.4, 3.4), (4.4, 2.3), (0, 1.6)), lighter(coat, by=0.5))
    for x, high in ((-3, 5), (-1, 6), (1, 5)):
        pencil.oval((x, high), 0.7, 0.5, lighter(coat, by=0.3))
    pencil.oval((4.9, 6.0), 0.85, 0.85, CREAM)
    pencil.oval((5.1, 6.0), 0.45, 0.45, INK)


def whale(pencil: pen.Pen, coat: Colour) -> None:
    """Half out of the water, blowing."""
    spray = lighter(palette.COLOURS["cyan"], by=0.7)
    for side in (-1, 1):
        jet = (
            (4.4, 9.2),
            (4.4 + side * 0.6, 12.4),
            (4.4 + side * 2.6, 13.4),
            (4.4 + side * 3.6, 12.0),
        )
        pencil.line(jet, spray, width=0.7)
    pencil.smooth(
        ((-8.2, 3), (-12.6, 8.6), (-10.4, 8.8), (-8.8, 7.4), (-7.6, 9.6), (-5.8, 9.4), (-5.8, 4)),
        coat,
    )
    pencil.smooth(
        ((-8.6, 2), (-5, 6.0), (2, 9.0), (8.6, 7.6), (10.6, 3), (9.6, 0), (0, -0.4), (-7, 0)), coat
    )
    pencil.smooth(((0, 0.2), (4, 2.8), (10.4, 3.0), (9.4, 0)), lighter(coat, by=0.65))
    pencil.oval((6.4, 4.5), 0.5, 0.5, INK)
    pencil.oval((6.6, 4.65), 0.17, 0.17, CREAM)
