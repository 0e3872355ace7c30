"""The subjects a stand-in picture can have: each one's drawing, colour, place and size.

Owns the table that `sandbox/palette.py` reads prompts for; it never draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from sandbox import animals, pen, things
from sandbox.palette import Colour, hexed


@dataclass(frozen=True, slots=True)
class Kind:
    """A subject's drawing, its own colour, where it belongs, its size beside others, its light."""

    draw: Callable[[pen.Pen, Colour], None]
    colour: Colour
    place: Literal["ground", "sky", "water", "shore"] = "ground"
    scale: float = 1.0
    lamp: pen.Point | None = None


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "fox": Kind(animals.fox, hexed("e2752f")),
        "wolf": Kind(animals.wolf, hexed("7b8494"), scale=1.08),
        "cat": Kind(animals.cat, hexed("d99a55"), scale=0.92),
        "dog": Kind(animals.dog, hexed("c98d54")),
        "bear": Kind(animals.bear, hexed("7d5538"), scale=1.12),
        "rabbit": Kind(animals.rabbit, hexed("c9b8a6"), scale=0.82),
        "owl": Kind(animals.owl, hexed("8f6b4a"), scale=0.85),
        "bird": Kind(animals.bird, hexed("4d6fae"), place="sky", scale=0.7),
        "fish": Kind(animals.fish, hexed("ef7d3c"), place="water", scale=0.75),
        "whale": Kind(animals.whale, hexed("3f5f8f"), place="water", scale=1.15),
        "house": Kind(things.house, hexed("efdcc0"), scale=1.15, lamp=(0, 6)),
        "castle": Kind(things.castle, hexed("b9b3bd"), scale=1.2, lamp=(0, 14)),
        "lighthouse": Kind(
            things.lighthouse, hexed("d0443d"), place="shore", scale=1.05, lamp=(0, 19)
        ),
        "boat": Kind(things.boat, hexed("9a4a35"), place="water", scale=1.1),
        "balloon": Kind(things.balloon, hexed("d8483f"), place="sky", scale=1.1),
        "rocket": Kind(things.rocket, hexed("d8483f"), place="sky", scale=1.2, lamp=(0, 1)),
        "tree": Kind(things.tree, hexed("4f8f4e"), scale=1.35),
        "flower": Kind(things.flower, hexed("e86f8b"), scale=0.9),
        "mushroom": Kind(things.mushroom, hexed("cf3f38"), scale=0.8),
        "robot": Kind(things.robot, hexed("8fa3b5")),
        "cup": Kind(things.cup, hexed("c45a48"), scale=0.85),
        "person": Kind(things.person, hexed("3f5a8a")),
    }
)
