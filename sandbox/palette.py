"""Reading a prompt for a picture: the mood it names, its colours, its setting and its subjects.

Owns words and colours only; it never draws.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

Colour = tuple[int, int, int]

_WORDS = re.compile(r"[^\W\d_]+")
_MOST_SUBJECTS = 5
_LOOK_BACK = 2


def hexed(text: str) -> Colour:
    """`rrggbb` as a colour."""
    return int(text[0:2], 16), int(text[2:4], 16), int(text[4:6], 16)


def mix(first: Colour, second: Colour, *, share: float) -> Colour:
    """Between two colours: 0 is all `first`, 1 all `second`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def darker(colour: Colour, *, by: float = 0.25) -> Colour:
    """The colour with `by` of its light gone."""
    return mix(colour, (12, 12, 30), share=by)


def lighter(colour: Colour, *, by: float = 0.25) -> Colour:
    """The colour `by` of the way to a warm white."""
    return mix(colour, (255, 252, 244), share=by)


@dataclass(frozen=True, slots=True)
class Mood:
    """The light of a picture: three colours of sky from the top down, far and near land."""

    top: Colour
    middle: Colour
    horizon: Colour
    far: Colour
    near: Colour
    light: Colour
    dark: bool = False
    cloudy: bool = True

    def tinted(self, colour: Colour, *, share: float) -> Mood:
        """The same light through coloured glass."""
        return replace(
            self,
            top=mix(self.top, darker(colour, by=0.45 if self.dark else 0.1), share=share),
            middle=mix(self.middle, colour, share=share),
            horizon=mix(self.horizon, lighter(colour, by=0.5), share=share),
            far=mix(self.far, colour, share=share),
            near=mix(self.near, darker(colour, by=0.55), share=share),
        )


def _mood(sky: str, land: str, light: str, *, dark: bool = False, cloudy: bool = True) -> Mood:
    top, middle, horizon = (hexed(each) for each in sky.split())
    far, near = (hexed(each) for each in land.split())
    return Mood(top, middle, horizon, far, near, hexed(light), dark, cloudy)


MOODS: Mapping[str, Mood] = {
    "day": _mood("3f93d6 8cc9ee fdf1d6", "9cc7b4 2f6e50", "fff6c8"),
    "dawn": _mood("5d78c0 f0a8ab ffe3b0", "a996bd 403c68", "fff0c4"),
    "dusk": _mood("33296b d2577c ffb766", "a2597f 2b1c40", "ffe2a0"),
    "night": _mood("090e2e 1c2762 4d5498", "39427c 0c1230", "fdf7de", dark=True, cloudy=False),
    "storm": _mood("39475a 667788 b1b9bb", "74838a 26323b", "e8ecee"),
    "winter": _mood("7fabd8 c3dcf0 fff3ea", "b9cfe4 eff5fb", "fffaf0"),
    "autumn": _mood("d98d55 f4c88a fff1d2", "cf8f56 75331f", "fff2c0"),
    "desert": _mood("4fa3c7 f3cf9d ffe9c2", "e0a873 a8623a", "fff4cf", cloudy=False),
    "space": _mood("04030f 170b36 3b1a63", "4b2a78 120a2a", "ffe9c9", dark=True, cloudy=False),
    "neon": _mood("100a2c 561a78 ff5aa8", "6b2a8f 0d0922", "ffd1f0", dark=True, cloudy=False),
}

_MOOD_WORDS: Mapping[str, str] = {
    "day": "day sunny noon summer spring bright morning",
    "dawn": "dawn sunrise pastel misty fog foggy dreamy",
    "dusk": "dusk sunset evening twilight golden warm",
    "night": "night midnight moon moonlit moonlight stars starry dark lantern",
    "storm": "storm stormy rain rainy cloudy thunder grey gray gloomy",
    "winter": "winter snow snowy ice icy frozen arctic christmas",
    "autumn": "autumn fall october harvest rustic",
    "desert": "desert dune dunes sahara canyon cactus",
    "space": "space galaxy cosmos cosmic planet planets nebula mars astronaut orbit",
    "neon": "neon cyberpunk synthwave vaporwave futuristic hologram",
}
_SETTING_WORDS: Mapping[str, str] = {
    "sea": "sea ocean lake river harbour harbor beach coast island water waves bay pier underwater",
    "forest": "forest woods wood jungle pine pines trees woodland grove",
    "city": "city street town skyline tokyo london paris york buildings skyscraper cyberpunk neon",
    "peaks": "mountain mountains alps peak peaks summit everest fjord cliff",
    "dunes": "desert dune dunes sahara",
    "meadow": "meadow garden field flowers grass park spring farm",
    "space": "space galaxy cosmos planet planets nebula mars orbit",
}
_SUBJECT_WORDS: Mapping[str, str] = {
    "fox": "fox foxes vixen",
    "cat": "cat cats kitten kittens kitty tiger lion lynx",
    "dog": "dog dogs puppy puppies corgi hound retriever",
    "wolf": "wolf wolves husky coyote",
    "bear": "bear bears panda teddy",
    "rabbit": "rabbit rabbits bunny bunnies hare",
    "owl": "owl owls",
    "bird": "bird birds seagull gull swallow eagle raven crow parrot dragon",
    "fish": "fish goldfish koi salmon",
    "whale": "whale whales orca dolphin",
    "house": "house houses cottage cabin home hut barn",
    "castle": "castle palace fortress temple",
    "lighthouse": "lighthouse tower beacon",
    "boat": "boat boats ship ships sailboat yacht sail pirate",
    "tree": "tree oak maple willow bonsai",
    "flower": "flower flowers rose tulip sunflower daisy",
    "mushroom": "mushroom mushrooms toadstool",
    "robot": "robot robots android droid mech",
    "balloon": "balloon balloons airship zeppelin",
    "rocket": "rocket rockets spaceship spacecraft shuttle",
    "cup": "coffee tea cup mug latte espresso",
    "person": "person man woman girl boy child wizard witch knight princess king queen astronaut",
}
COLOURS: Mapping[str, Colour] = {
    "red": hexed("d8403a"),
    "crimson": hexed("b3243b"),
    "scarlet": hexed("e0392b"),
    "orange": hexed("ee8434"),
    "amber": hexed("f2a93b"),
    "yellow": hexed("f4cb45"),
    "gold": hexed("e0b04a"),
    "golden": hexed("e8b64c"),
    "green": hexed("4fa35c"),
    "emerald": hexed("2f9e72"),
    "teal": hexed("2b9c9a"),
    "turquoise": hexed("3bb8b2"),
    "cyan": hexed("47c2d8"),
    "blue": hexed("3f78d0"),
    "navy": hexed("27407f"),
    "indigo": hexed("4b4aa8"),
    "purple": hexed("8353b5"),
    "violet": hexed("9a63c9"),
    "pink": hexed("ee8fb2"),
    "magenta": hexed("d0489a"),
    "brown": hexed("8a5a3b"),
    "black": hexed("2b2b36"),
    "white": hexed("f4f1ea"),
    "grey": hexed("8d959d"),
    "gray": hexed("8d959d"),
    "silver": hexed("b9c2ca"),
}
_COUNTS: Mapping[str, int] = {"two": 2, "pair": 2, "couple": 2, "three": 3, "four": 4, "five": 5}

_BY_WORD = {
    table: {word: name for name, text in words.items() for word in text.split()}
    for table, words in (
        ("mood", _MOOD_WORDS),
        ("setting", _SETTING_WORDS),
        ("subject", _SUBJECT_WORDS),
    )
}
_AT_SEA = frozenset({"boat", "whale", "fish", "lighthouse"})


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing to draw; no colour means its own."""

    name: str
    colour: Colour | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a prompt asks for, as far as a stand-in can tell."""

    mood: Mood
    setting: str
    subjects: tuple[Subject, ...]
    dice: random.Random


def read(prompt: str, *, seed: int, invent: bool = True) -> Reading:
    """Read a prompt. What it leaves open is settled by dice thrown from prompt and seed.

    With `invent`, a prompt that names no subject is given one.
    """
    words = [word.lower() for word in _WORDS.findall(prompt[:2000])]
    dice = random.Random(zlib.crc32(prompt.encode("utf-8", "replace")) ^ seed)  # noqa: S311
    subjects, spent = _subjects(words)
    moods = _named(words, "mood")
    mood = _chosen(moods) if moods else MOODS[dice.choice(("day", "dawn", "dusk", "day", "autumn"))]
    loose = [word for at, word in enumerate(words) if word in COLOURS and at not in spent]
    if loose:
        mood = mood.tinted(COLOURS[loose[0]], share=0.42)
    elif not moods:
        mood = mood.tinted(dice.choice(tuple(COLOURS.values())[:18]), share=0.14)
    settings = _named(words, "setting")
    if settings:
        setting = settings[0]
    elif any(subject.name in _AT_SEA for subject in subjects):
        setting = "sea"
    else:
        setting = dice.choice(("hills", "hills", "meadow", "peaks"))
    if setting == "meadow" and len(subjects) > 1:
        subjects = tuple(each for each in subjects if each.name != "flower")
    if not subjects and invent:
        subjects = (Subject(dice.choice(("balloon", "tree", "house", "bird"))),)
    return Reading(mood, setting, subjects, dice)


def subject_names() -> frozenset[str]:
    """Every subject a prompt can name."""
    return frozenset(_SUBJECT_WORDS)


def _chosen(names: list[str]) -> Mood:
    """The first mood named, but a dark one wins, and winter only lays snow on the land."""
    skies = [MOODS[name] for name in names if name != "winter"]
    if not skies:
        return MOODS["winter"]
    mood = next((sky for sky in skies if sky.dark), skies[0])
    if "winter" not in names:
        return mood
    snow = MOODS["winter"]
    light = mood.middle if mood.dark else mood.horizon
    return replace(
        mood,
        far=mix(snow.far, mood.far, share=0.6),
        near=mix(snow.near, light, share=0.4 if mood.dark else 0.16),
    )


def _named(words: list[str], table: str) -> list[str]:
    return [_BY_WORD[table][word] for word in words if word in _BY_WORD[table]]


def _subjects(words: list[str]) -> tuple[tuple[Subject, ...], set[int]]:
    """The subjects in order, and the places of colour words that belong to one of them."""
    found: list[Subject] = []
    spent: set[int] = set()
    for at, word in enumerate(words):
        name = _BY_WORD["subject"].get(word)
        if name is None or name in {each.name for each in found}:
            continue
        before = range(max(0, at - _LOOK_BACK), at)
        colours = [place for place in before if words[place] in COLOURS and place not in spent]
        spent.update(colours[-1:])
        subject = Subject(name, COLOURS[words[colours[-1]]] if colours else None)
        count = max((_COUNTS.get(words[place], 1) for place in before), default=1)
        found += [subject] * count
    return tuple(found[:_MOST_SUBJECTS]), spent
