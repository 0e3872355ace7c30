"""The faults waiting for their occasion: for the next N that match, or by the throw of a die.

Owns the drawing of faults; it never applies one: the front, the tasks and the callbacks do that.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from sandbox import faults


@dataclass(slots=True, eq=False)
class Planted:
    """One fault in the book: `left` uses remain (None: no end), `fired` were used."""

    what: faults.Fault
    on: faults.Route
    left: int | None
    chance: float
    match: str
    fired: int = 0

    def lift(self) -> None:
        """Stop this fault; what it already did stays done."""
        self.left = 0


@dataclass(slots=True)
class FaultBook:
    """Faults waiting for their request; the first one planted that matches is the one used."""

    dice: random.Random
    _planted: list[Planted] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether nothing is planted, so that nobody need describe their occasion."""
        return not self._planted

    def plant(
        self,
        what: faults.Fault,
        *,
        on: faults.Route | None = None,
        times: int | None = None,
        chance: float | None = None,
        match: str = "",
    ) -> Planted:
        """Add one fault: once by default, `times` matches, or each match with `chance` (0..1)."""
        place = on or _natural_place(what)
        if isinstance(what, faults.Fate) != (place == "task"):
            raise ValueError("a Fate belongs on 'task', and nothing else does")
        if isinstance(what, faults.Trick) != (place == "callback"):
            raise ValueError("a Trick belongs on 'callback', and nothing else does")
        left = times if times is not None or chance is not None else 1
        entry = Planted(what, place, left, 1.0 if chance is None else chance, match)
        self._planted.append(entry)
        return entry

    def clear(self) -> None:
        """Forget every fault."""
        self._planted.clear()

    def draw(self, on: faults.Route, *, about: Iterable[str] = ()) -> faults.Fault | None:
        """Use up and return the fault for this occasion; `about` is where `match` is looked for."""
        if not self._planted:
            return None
        self._planted = [entry for entry in self._planted if entry.left != 0]
        words = tuple(about)
        for entry in self._planted:
            if entry.on != on or not any(entry.match in word for word in words or ("",)):
                continue
            if entry.chance < 1.0 and self.dice.random() >= entry.chance:
                continue
            if entry.left is not None:
                entry.left -= 1
            entry.fired += 1
            return entry.what
        return None

    def draw_fate(self, *, about: Iterable[str]) -> faults.Fate | None:
        """The fate planted for a new task, if any."""
        drawn = self.draw("task", about=about)
        return drawn if isinstance(drawn, faults.Fate) else None

    def draw_trick(self, *, about: Iterable[str]) -> faults.Trick | None:
        """The trick planted for a task's callback, if any."""
        drawn = self.draw("callback", about=about)
        return drawn if isinstance(drawn, faults.Trick) else None


def _natural_place(what: faults.Fault) -> faults.Route:
    if isinstance(what, faults.Fate):
        return "task"
    if isinstance(what, faults.Trick):
        return "callback"
    raise ValueError("say where: on='create', 'detail', 'list' or 'file'")
