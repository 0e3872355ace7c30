"""What the tour's pictures are taken with: the camera, the clock, and a scene's three words.

It owns how a picture is taken and how large it may be; it never knows what is played.
"""

import asyncio
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image
from playwright.async_api import Locator

from sandbox import world as worlds
from sandbox.world import World
from tests.browser.conftest import PACE
from tests.browser.visitor import Visitor

README = "demo"  # the picture that the README begins with
COLOURS = 256  # of a palette: a quarter of the bytes, and hardly to be seen
BEGAN = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)  # on every card, so that a second run is the same
PICTURE = "Here is your picture"


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture of the tour: its file's name, its heading and what to see in it."""

    name: str
    title: str
    words: str


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a group of scenes is played: the page, the world behind it, and the camera."""

    visitor: Visitor
    world: World
    clock: "Hands"
    folder: Path

    async def shoot(self, name: str, what: Locator | None = None) -> None:
        """A scene's picture: the newest message, unless something else is pointed at."""
        place = self.visitor.message if what is None else what
        await self.visitor.page.wait_for_function(_STILL)
        await self._take(name, lambda: place.screenshot(animations="disabled"))

    async def shoot_page(self, name: str) -> None:
        """A whole page, as far as it can be scrolled."""
        page = self.visitor.page
        # In all its colours: a palette would give up the few dots of a chart for the pictures.
        await self._take(
            name,
            lambda: page.screenshot(animations="disabled", full_page=True),
            colours=None,
        )

    async def shoot_all(self, name: str) -> None:
        """All messages that the page shows."""
        await self.visitor.page.wait_for_function(_STILL)
        first, last = [await each.bounding_box() for each in (self.cards.first, self.cards.last)]
        assert first is not None
        assert last is not None
        clip = {**first, "height": last["y"] + last["height"] - first["y"]}
        page = self.visitor.page
        await self._take(name, lambda: page.screenshot(animations="disabled", clip=clip))

    async def _take(
        self, name: str, take: Callable[[], Awaitable[bytes]], *, colours: int | None = COLOURS
    ) -> None:
        await self.visitor.page.mouse.move(0, 0)
        taken, before = await take(), b""
        while taken != before:  # the page may still scroll or turn an image up
            before, taken = taken, await take()
        shot = Image.open(io.BytesIO(taken))
        small = shot.convert("RGB")
        if name != README and colours is not None:
            small = small.quantize(colours)
        await asyncio.to_thread(small.save, self.folder / f"{name}.png", optimize=True)

    async def made(self, prompt: str, heading: str = PICTURE) -> None:
        """Until the newest message is this one, and has its picture."""
        await self.visitor.sees(prompt)
        await self.visitor.sees(heading)
        await self.visitor.picture()

    async def rest(self) -> None:
        """Nothing has the focus, which else brings up what the page offers for it."""
        await self.visitor.page.evaluate("document.activeElement?.blur()")

    async def shoot_form(self, name: str) -> None:
        """A form with all its fields, where a person would scroll."""
        await self.visitor.form.evaluate(_UNFOLD)
        await self.rest()
        await self.shoot(name, self.visitor.form)

    @property
    def cards(self) -> Locator:
        return self.visitor.page.locator("article.channel-message")


# Nothing is under way, and each picture that is there is drawn.
_STILL = """
() => window.simcordPreview.ready && [...document.querySelectorAll("img")].every(
  one => one.complete && one.naturalWidth)
"""


class Hands:
    """A clock that began at BEGAN, goes `pace` times as fast as ours and can be moved on."""

    def __init__(self, pace: float = PACE) -> None:
        self._now = worlds.hurried(pace)
        self._moved = BEGAN - self._now()

    def __call__(self) -> datetime:
        return self._now() + self._moved

    def jump(self, by: timedelta) -> None:
        self._moved += by


_UNFOLD = """
form => {
  form.style.maxHeight = "none";
  form.querySelector(".modal-body").style.maxHeight = "none";
}
"""

Play = Callable[[Stage], Awaitable[None]]
