"""The tour: every card, form and page once, photographed in the simulated Discord.

`python -m tests.browser.tour` plays the scenes and writes docs/tour.md with its pictures. It owns
the scenes, their captions and the size of their pictures; it never judges what they show.
"""

import asyncio
import random
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops
from playwright.async_api import Browser, async_playwright, expect

from sandbox import world as worlds
from tests import lines
from tests.browser import rounds
from tests.browser.conftest import ARGUMENTS, BROWSERS, PACE
from tests.browser.stage import README, Hands, Play, Scene, Stage
from tests.browser.visitor import Visitor

DOCS = Path(__file__).parents[2] / "docs"
# What a page may be like; the last one is photographed half as large again.
WIDE, PHONE = {"width": 1000, "height": 1500}, {"width": 390, "height": 1500}
CLOSE = {"width": 1000, "height": 1501}
NOTABLE, SAME = 24, 0.0005  # shades of grey, and the share of pixels: less is a changed minute
QUICK = (0.5, 1.0, 0.5)
SLOW = (2.0, 600.0, 1.0)  # seconds of the stages, where one of them is to be looked at

INTRODUCTION = """\
What a person sees, photographed by `make tour` in the simulated Discord of `make demo`. The
pictures on the cards are painted by the stand-in for HiAPI."""


SCENES = (
    Scene(
        "queued",
        "In the queue",
        "The place in the queue, when to expect the picture, and a way back.",
    ),
    Scene(
        "own",
        "Behind your own pictures",
        "A person's own pictures are made a few at a time; the card says how many come first.",
    ),
    Scene(
        "painting",
        "Being made",
        "The card follows the picture service and says when the picture is due.",
    ),
    Scene(
        "finished",
        "One picture",
        "The finished card: what was asked, the picture, and what can be done next.",
    ),
    Scene("four", "Four pictures", "`count: 4` puts all of them on one card."),
    Scene(
        "remix",
        "A remix with its images",
        "`show_images: True` shows what was handed in beside the result, in its order.",
    ),
    Scene("spoiler", "A spoiler", "`spoiler: True` covers the picture until somebody clicks it."),
    Scene("private", "A private picture", "`private: True`: nobody else sees the card."),
    Scene(
        "edit-form",
        "Edit prompt",
        "The form comes with the prompt, the ratio and the options of the card.",
    ),
    Scene(
        "remix-form",
        "Remix this",
        "The form offers the card's pictures and takes more from the device.",
    ),
    Scene(
        "ratio",
        "Another ratio…",
        "The same prompt in another shape: choose one, and a new card comes.",
    ),
    Scene("original", "Original", "The picture as the service made it, to the one who pressed."),
    Scene("failed", "It failed", "What happened, what helps, and the two ways to try again."),
    Scene(
        "policy",
        "Refused by the service",
        "The content rules said no; the words can be changed at once.",
    ),
    Scene(
        "unavailable",
        "The model is unavailable",
        "Another model is named and asked only if somebody presses for it.",
    ),
    Scene(
        "refused",
        "Refused before anything is spent",
        "What is wrong with a command is said privately, with the fix.",
    ),
    Scene("cancelled", "Cancelled in the queue", "Nothing had begun, so nothing is counted."),
    Scene(
        "cancelled-late",
        "Cancelled while being made",
        "What has begun cannot be stopped; the card says so honestly.",
    ),
    Scene(
        "note",
        "A private picture that takes long",
        "Discord lets a bot write privately for 15 minutes. Show brings the rest.",
    ),
    Scene(
        "history", "/history", "A person's own requests, newest first; each can be opened again."
    ),
    Scene("job", "/job", "One of them again, with its buttons and what it was made from."),
    Scene("preferences", "/preferences", "What counts where an option is left out."),
    Scene("help", "/help", "What the bot does, by example."),
    *rounds.SCENES,
    Scene("phone-finished", "On a phone: a finished card", "The same card, 390 pixels wide."),
    Scene("phone-edit-form", "On a phone: Edit prompt", "The form fits, too."),
    Scene("phone-history", "On a phone: /history", "The same list, one thumbnail below the other."),
    *rounds.PHONE_SCENES,
)


async def _waiting(stage: Stage) -> None:
    visitor = stage.visitor
    await visitor.ask("imagine", prompt="a red fox in the snow")
    await visitor.sees("Painting")
    await stage.shoot("painting")
    await visitor.ask("imagine", prompt="a lighthouse at night")
    await visitor.sees("of your other pictures")
    await stage.shoot("own")
    await visitor.press("Cancel")
    await visitor.sees("Nothing was made")
    await stage.shoot("cancelled")
    await visitor.press("Don't show it", on=stage.cards.first)
    await expect(stage.cards.first).to_contain_text("Cancelled")
    await stage.shoot("cancelled-late", stage.cards.first)


async def _making(stage: Stage) -> None:
    visitor = stage.visitor
    await visitor.ask("imagine", prompt="a red fox in the snow", aspect_ratio="3:2")
    await stage.made("a red fox in the snow")
    await stage.shoot("finished")
    first = stage.cards.first
    await visitor.press("Edit prompt")
    await stage.shoot_form("edit-form")
    await visitor.form.get_by_role("button", name="Cancel").click()
    await first.get_by_role("combobox").press("Enter")
    await stage.shoot("ratio")
    await visitor.page.keyboard.press("Escape")
    await visitor.press("Original")
    await expect(stage.cards).to_have_count(2)
    await stage.shoot("original")

    await visitor.ask("imagine", prompt="an owl on a lantern", count="4")
    await stage.made("an owl on a lantern", "Here are your pictures")
    await stage.shoot("four")
    await visitor.press("Remix this")
    await stage.shoot_form("remix-form")
    await visitor.form.get_by_role("button", name="Cancel").click()

    files = {"image1": _swatch(stage.folder, "sun.png", "#f2b134")}
    files["image2"] = _swatch(stage.folder, "sea.png", "#2a7f9e")
    await visitor.ask(
        "remix",
        prompt="both as posters on one wall",
        aspect_ratio="16:9",
        show_images="True",
        files=files,
    )
    await stage.made("both as posters on one wall")
    await stage.shoot("remix")
    await visitor.ask("imagine", prompt="the end of the story", aspect_ratio="16:9", spoiler="True")
    await stage.made("the end of the story")
    await stage.shoot("spoiler")
    await visitor.ask("imagine", prompt="a secret garden", aspect_ratio="16:9", private="True")
    await stage.made("a secret garden")
    await stage.shoot("private")
    await visitor.press("Again")
    await expect(stage.cards).to_have_count(7)
    await stage.made("a secret garden")

    await visitor.ask("history")
    await visitor.sees("page 1 of 2")
    await stage.shoot("history")
    await visitor.choose("a secret garden", of=visitor.message.get_by_role("combobox"))
    await expect(stage.cards).to_have_count(9)
    await visitor.sees("Another version of")
    await stage.shoot("job")
    await visitor.ask("preferences")
    await visitor.sees("Your defaults")
    await stage.shoot("preferences")
    await visitor.ask("help")
    await visitor.sees("What I can do")
    await stage.shoot("help")


async def _failing(stage: Stage) -> None:
    visitor = stage.visitor
    await visitor.ask("imagine", prompt="a boat in a bottle [fail]")
    await visitor.sees("could not be made")
    await stage.shoot("failed")
    await visitor.ask("imagine", prompt="a duel at dawn [policy]")
    await visitor.sees("refused this prompt")
    await stage.shoot("policy")
    await visitor.ask("imagine", prompt="a quiet harbour [unavailable]")
    await visitor.sees("not available right now")
    await stage.shoot("unavailable")
    notes = stage.folder / "notes.txt"
    notes.write_text("no picture at all", encoding="utf-8")
    await visitor.ask("remix", prompt="make it blue", files={"image1": notes})
    await visitor.sees("not an image")
    await stage.shoot("refused")
    notes.unlink()


async def _queueing(stage: Stage) -> None:
    visitor = stage.visitor
    await visitor.ask("imagine", prompt="a poster for a jazz night", count="3")
    await visitor.ask("imagine", prompt="a paper boat in the rain")
    await visitor.sees("before yours")
    await stage.shoot("queued")


async def _noted(stage: Stage) -> None:
    visitor = stage.visitor
    await visitor.ask("imagine", prompt="a cathedral of glass", private="True")
    await visitor.sees("Painting")
    stage.clock.jump(timedelta(minutes=13, seconds=35))
    await visitor.sees("Still working on it")
    await stage.shoot("note")


async def _phone(stage: Stage) -> None:
    visitor = stage.visitor
    await visitor.ask("imagine", prompt="a red fox in the snow", aspect_ratio="3:2")
    await stage.made("a red fox in the snow")
    await stage.shoot("phone-finished")
    await visitor.press("Edit prompt")
    await stage.shoot_form("phone-edit-form")
    await visitor.form.get_by_role("button", name="Cancel").click()
    await visitor.ask("imagine", prompt="an owl on a lantern above the rooftops of an old town")
    await stage.made("an owl on a lantern above the rooftops of an old town")
    await visitor.ask("history")
    await visitor.sees("2 requests")
    await stage.shoot("phone-history")


async def _readme(stage: Stage) -> None:
    visitor = stage.visitor
    await visitor.ask("imagine", prompt="a red fox under an old oak at dusk", aspect_ratio="3:2")
    await stage.made("a red fox under an old oak at dusk")
    await stage.shoot(README)


# What is played in one go, with the demo's settings for it and the width of the page.
PLAYS: tuple[tuple[Play, dict[str, Any], dict[str, int]], ...] = (
    (_making, {"seconds": QUICK, "member_running": 4}, WIDE),
    (_waiting, {"seconds": SLOW, "member_running": 1, "pace": 1.0}, WIDE),
    (_queueing, {"seconds": SLOW, "hiapi_requests_per_minute": 2, "member_running": 9}, WIDE),
    (_failing, {"seconds": QUICK}, WIDE),
    (_noted, {"seconds": (2.0, 9000.0, 1.0)}, WIDE),
    *((play, {"seconds": QUICK, **settings}, WIDE) for play, settings in rounds.PLAYS),
    (_phone, {"seconds": QUICK}, PHONE),
    *((play, {"seconds": QUICK, **settings}, PHONE) for play, settings in rounds.PHONE_PLAYS),
    (_readme, {"seconds": QUICK}, CLOSE),
)


@asynccontextmanager
async def _staged(
    browser: Browser, settings: dict[str, Any], window: dict[str, int], *, folder: Path
) -> AsyncIterator[Stage]:
    changes = dict(settings)
    clock = Hands(changes.pop("pace", PACE))
    seen = changes.pop("seen", None)  # another channel than that of the commands
    with tempfile.TemporaryDirectory(prefix="easel-tour-") as data:
        async with (
            worlds.opened(Path(data), clock=clock, **changes) as world,
            AsyncExitStack() as up,
        ):
            channel = world.member.guild.create_text_channel(seen) if seen else None
            url = await up.enter_async_context(worlds.page(world, channel=channel))
            context = await browser.new_context(
                viewport=window,
                is_mobile=window is PHONE,
                device_scale_factor=1.5 if window is CLOSE else 1,
            )
            visitor = Visitor(await context.new_page())
            await visitor.arrive(url)
            try:
                yield Stage(visitor=visitor, world=world, clock=clock, folder=folder)
            finally:
                await context.close()


def _swatch(folder: Path, name: str, colour: str) -> Path:
    path = folder / name
    Image.new("RGB", (400, 300), colour).save(path)
    return path


def page(scenes: tuple[Scene, ...] = SCENES) -> str:
    """docs/tour.md, as it must read."""
    parts = [
        "# A tour of Easel",
        INTRODUCTION,
    ]
    for scene in scenes:
        parts += [f"## {scene.title}", scene.words, f"![{scene.title}](tour/{scene.name}.png)"]
    return "\n\n".join(parts) + "\n"


def keep(new: Path, old: Path) -> bool:
    """Put a picture into its place unless only a second or a minute on it has changed."""
    if old.exists():
        with Image.open(old) as one, Image.open(new) as other:
            if one.size == other.size:
                apart = ImageChops.difference(one.convert("L"), other.convert("L"))
                changed = sum(apart.point(lambda grey: grey > NOTABLE and 255).histogram()[255:])
                if changed / (one.width * one.height) < SAME:
                    return False
    shutil.copyfile(new, old)
    return True


async def tour(only: tuple[str, ...] = ()) -> list[str]:
    """Play everything, or these plays by name; the names of the pictures that have changed."""
    # The ids on the cards are the same in every run, and so are the stand-in's pictures.
    secrets.token_bytes = random.Random(2026).randbytes  # type: ignore[assignment]  # noqa: S311
    secrets.randbits = random.Random(2026).getrandbits  # noqa: S311
    path = next(filter(None, map(shutil.which, BROWSERS)))
    target = DOCS / "tour"
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="easel-tour-") as shots:
        folder = Path(shots)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
            for play, settings, window in PLAYS:
                if not only or play.__name__ in only:
                    async with _staged(browser, settings, window, folder=folder) as stage:
                        await play(stage)
            await browser.close()
        shown = [scene.name for scene in SCENES if (folder / f"{scene.name}.png").exists()]
        changed = [name for name in shown if keep(folder / f"{name}.png", target / f"{name}.png")]
        if (folder / f"{README}.png").exists():
            changed += [README] * keep(folder / f"{README}.png", DOCS / f"{README}.png")
    (DOCS / "tour.md").write_text(page(), encoding="utf-8")
    return changed


def main() -> None:
    with lines.configured():  # the log channel hears what is logged
        changed = asyncio.run(tour(tuple(sys.argv[1:])))
    sys.stdout.write(f"docs/tour.md: {len(SCENES)} scenes, {len(changed)} changed\n")


if __name__ == "__main__":
    main()
