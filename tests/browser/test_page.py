"""What a person sees on the demo's page, from the command to the picture."""

import asyncio
import re
import signal
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import expect

ROOT = Path(__file__).parents[2]
PICTURE = "Here is your picture"


def swatch(folder: Path, name: str, colour: tuple[int, int, int]) -> Path:
    """A picture of one colour, as a file to hand in."""
    path = folder / name
    Image.new("RGB", (400, 400), colour).save(path)
    return path


def near(seen: list[int], colour: tuple[int, int, int]) -> bool:
    return all(abs(a - b) < 40 for a, b in zip(seen, colour, strict=True))


async def test_a_command_becomes_a_picture_before_ones_eyes(visit):
    async with visit() as visitor:
        await visitor.ask("imagine", prompt="a red fox in the snow", aspect_ratio="16:9")
        await visitor.sees(PICTURE)

        *waiting, last = await visitor.headings()
        assert last == PICTURE
        assert len(waiting) >= 2, "the waiting was not shown as it went on"
        await visitor.sees("16:9")
        picture = await visitor.picture()
        assert await picture.get_attribute("alt") == "a red fox in the snow"
        width, height = await picture.evaluate("one => [one.naturalWidth, one.naturalHeight]")
        assert width / height == pytest.approx(16 / 9, abs=0.02)


async def test_references_are_found_again_in_the_remix_in_their_order(visit, tmp_path):
    pink, green = (240, 20, 200), (20, 220, 60)
    files = {
        "image1": swatch(tmp_path, "pink.png", pink),
        "image2": swatch(tmp_path, "green.png", green),
    }
    async with visit() as visitor:
        await visitor.ask("remix", prompt="both on one wall", aspect_ratio="16:9", files=files)
        picture = await visitor.picture()
        await visitor.sees("2 images")
        left, right = await visitor.colours(picture, height=0.4)
        assert near(left, pink), left
        assert near(right, green), right


async def test_a_private_picture_says_that_nobody_else_sees_it(visit):
    async with visit() as visitor:
        await visitor.ask("imagine", prompt="a secret garden", private="True")
        await visitor.picture()
        await visitor.sees("Only you can see this")


async def test_a_file_that_is_no_image_is_refused_privately(visit, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("no picture at all", encoding="utf-8")
    async with visit() as visitor:
        await visitor.ask("remix", prompt="make it blue", files={"image1": notes})
        await visitor.sees("notes.txt is not an image that can be used.")
        await visitor.sees("Only you can see this")


async def test_text_that_calls_itself_an_image_is_refused_privately(visit, tmp_path):
    disguised = tmp_path / "notes.png"
    disguised.write_text("no picture at all", encoding="utf-8")
    async with visit() as visitor:
        await visitor.ask("remix", prompt="make it blue", files={"image1": disguised})
        await visitor.sees("notes.png cannot be read as an image.")
        await visitor.sees("Only you can see this")
        # The public acknowledgement is gone: this is all there is.
        await expect(visitor.page.locator("article.channel-message")).to_have_count(1)


async def test_a_refused_prompt_ends_in_a_card_that_says_so(visit):
    async with visit() as visitor:
        await visitor.ask("imagine", prompt="a fox [policy]")
        await visitor.sees("The picture service refused this prompt")
        await visitor.sees("Reword it and ask again.")
        await expect(visitor.message.locator("img.gallery-image")).to_have_count(0)


async def test_several_commands_may_be_under_way_at_once(visit):
    async with visit() as visitor:
        for prompt in ("a cat", "a boat", "a tree"):
            await visitor.ask("imagine", prompt=prompt)
        await expect(visitor.page.locator("img.gallery-image")).to_have_count(3)


async def test_four_pictures_come_while_another_ask_is_cancelled(visit):
    # One after the other, so that the second ask surely waits long enough to be taken back.
    async with visit({"member_running": 1, "seconds": (2.0, 6.0, 2.0)}) as visitor:
        await visitor.ask("imagine", prompt="a red fox in the snow", count="4")
        await visitor.ask("imagine", prompt="a lighthouse at night")
        await visitor.sees("of your other pictures")
        await visitor.message.get_by_role("button", name="Cancel").click()
        await visitor.sees("Cancelled")
        await visitor.sees("Nothing was made and nothing was counted.")
        await expect(visitor.message.get_by_role("button", name="Cancel")).to_have_count(0)

        first = visitor.page.locator("article.channel-message").first
        await expect(first.locator("img.gallery-image")).to_have_count(4)
        await expect(first).to_contain_text("Here are your pictures")
        await expect(first.get_by_role("button", name="Again")).to_be_visible()
        await expect(visitor.message).to_contain_text("Cancelled")


async def test_on_a_phone_nothing_sticks_out(visit):
    prompt = "a very long prompt about an incomprehensibilityunbreakablewordwithoutend " * 6
    async with visit(viewport={"width": 390, "height": 844}, is_mobile=True) as visitor:
        await visitor.ask("imagine", prompt=prompt)
        await visitor.picture()
        card = await visitor.message.locator(".component-container").bounding_box()
        assert card is not None
        assert card["x"] >= 0
        assert card["x"] + card["width"] <= 390
        assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_the_demo_starts_as_a_process_and_stops_at_a_signal(open_browser):
    demo = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "demo", "--port", "0"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(20):
            greeting = (await demo.stdout.readline()).decode()
        url = re.search(r"http://127\.0\.0\.1:\d+/#\S+", greeting)
        assert url, greeting
        async with open_browser(url[0]) as visitor:
            await visitor.ask("imagine", prompt="an owl at night")
            picture = await visitor.picture()
            assert await picture.evaluate("one => [one.naturalWidth, one.naturalHeight]") == [
                1024,
                1024,
            ]
            *waiting, last = await visitor.headings()
            assert waiting
            assert last == PICTURE

            # With a job under way and the page still open.
            await visitor.ask("imagine", prompt="another owl [slow]")
            began = time.monotonic()
            demo.send_signal(signal.SIGTERM)
            said = (await asyncio.wait_for(demo.communicate(), 10))[1].decode()
            took = time.monotonic() - began
            visitor.errors.clear()  # the page misses its demo
    finally:
        if demo.returncode is None:
            demo.kill()
            await demo.wait()
    assert demo.returncode == 0, said
    assert took < 3
    assert "Traceback" not in said
