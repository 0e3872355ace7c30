"""The other ways through the demo's page: forms, buttons under a card, history, preferences."""

import re
from pathlib import Path

from PIL import Image
from playwright.async_api import expect

PICTURE = "Here is your picture"
# What both forms have is called the same in both.
OPTIONS = (
    "Ratio",
    "2K: sharper, takes longer",
    "Show the picture to me alone",
    "Blur it until somebody clicks it",
)
# Nobody looks at the waiting here: the stages are as short as the bot's own pace allows.
QUICK = {"seconds": (0.5, 1.0, 0.5)}


def swatch(folder: Path, name: str, colour: tuple[int, int, int]) -> Path:
    path = folder / name
    Image.new("RGB", (400, 400), colour).save(path)
    return path


async def test_pictures_of_a_card_and_an_upload_are_remixed_in_a_form(visit, tmp_path):
    green = (20, 220, 60)
    async with visit(QUICK) as visitor:
        await visitor.ask("imagine", prompt="a red fox", count="2")
        await visitor.sees("Here are your pictures")
        await visitor.press("Remix this")
        await expect(visitor.form).to_contain_text("Images, in this order")
        await visitor.offers(*OPTIONS)

        # Of the two, of which none is picked at first, the second one.
        await visitor.choose("Picture 2", of=visitor.field("images").get_by_role("combobox"))
        await visitor.field("prompt").locator("textarea").fill("side by side")
        await visitor.choose("16:9", of=visitor.field("ratio").get_by_role("combobox"))
        await visitor.field("options").get_by_text("Show these images").click()
        upload = visitor.field("more").locator("input[type=file]")
        await upload.set_input_files(swatch(tmp_path, "green.png", green))
        await expect(visitor.form).to_contain_text("green.png")
        await visitor.submit()

        await expect(visitor.page.locator("article.channel-message")).to_have_count(2)
        picture = (await visitor.picture()).first
        await visitor.sees("side by side")
        await visitor.sees("2 images")
        await visitor.sees("From these images")
        await expect(visitor.message.locator("img.gallery-image")).to_have_count(3)
        _, right = await visitor.colours(picture, height=0.4)
        assert all(abs(a - b) < 40 for a, b in zip(right, green, strict=True)), right


async def test_a_form_comes_with_the_prompt_and_makes_another_card_of_it(visit):
    async with visit(QUICK) as visitor:
        await visitor.ask("imagine", prompt="a *red* fox", aspect_ratio="3:2")
        await visitor.picture()
        await visitor.press("Edit prompt")
        prompt = visitor.field("prompt").locator("textarea")
        await expect(prompt).to_have_value("a *red* fox")
        await expect(visitor.field("ratio")).to_contain_text("3:2")
        await visitor.offers(*OPTIONS)
        await prompt.fill("a *blue* fox")
        await visitor.submit()

        await expect(visitor.page.locator("article.channel-message")).to_have_count(2)
        await visitor.picture()
        await visitor.sees("a *blue* fox")
        await visitor.sees("3:2")
        await visitor.sees("Another version of")


async def test_of_a_prompt_beyond_the_form_the_rest_stays(visit, tmp_path):
    words = tmp_path / "prompt.txt"
    words.write_text("a long story of a fox, " * 300 + "the end", encoding="utf-8")
    async with visit(QUICK) as visitor:
        await visitor.ask("imagine", prompt="Once,", files={"prompt_file": words})
        await visitor.picture()
        await visitor.press("Edit prompt")
        await expect(visitor.field("prompt")).to_contain_text("characters after it stay")
        prompt = visitor.field("prompt").locator("textarea")
        shown = await prompt.input_value()
        assert len(shown) < 4000
        await prompt.fill(f"Twice upon a time. {shown}")
        await visitor.submit()

        await expect(visitor.page.locator("article.channel-message")).to_have_count(2)
        picture = await visitor.picture()
        await visitor.sees("Twice upon a time. Once,")
        assert await picture.get_attribute("alt")
        # What was not shown went along: the next form's rest is as long as the last one's.
        await visitor.press("Edit prompt")
        await expect(visitor.field("prompt")).to_contain_text("characters after it stay")
        await visitor.form.get_by_role("button", name="Cancel").click()


async def test_what_is_made_of_a_private_picture_is_private_and_can_be_deleted(visit):
    async with visit(QUICK) as visitor:
        await visitor.ask("imagine", prompt="a secret garden", private="True")
        await visitor.picture()
        await visitor.press("Again")
        cards = visitor.page.locator("article.channel-message")
        await expect(cards).to_have_count(2)
        await visitor.picture()
        await expect(cards.filter(has_text="Only you can see this")).to_have_count(2)

        await visitor.press("Original")
        await expect(cards).to_have_count(3)
        await expect(cards.filter(has_text="Only you can see this")).to_have_count(3)

        await visitor.press("Delete", on=cards.nth(1))
        await expect(cards).to_have_count(2)


async def test_a_spoiler_is_covered_until_it_is_clicked(visit):
    async with visit(QUICK) as visitor:
        await visitor.ask("imagine", prompt="who did it", spoiler="True")
        await visitor.picture()
        content = visitor.message.locator(".spoiler-content")
        await expect(content).not_to_have_class(re.compile("is-revealed"))
        await content.get_by_role("button", name=re.compile("Reveal")).click()
        await expect(content).to_have_class(re.compile("is-revealed"))
        await expect(visitor.message.locator(".spoiler-cover")).to_have_count(0)


async def test_another_ratio_and_2k_each_make_another_card(visit):
    async with visit(QUICK) as visitor:
        await visitor.ask("imagine", prompt="a lighthouse")
        await visitor.picture()
        first, cards = visitor.message, visitor.page.locator("article.channel-message")
        await visitor.press("Make it 2K", on=first.first)
        await expect(cards).to_have_count(2)
        await visitor.picture()
        await visitor.sees("1:1 · 2K")
        await expect(visitor.message.get_by_role("button", name="Make it 2K")).to_have_count(0)

        await visitor.choose("16:9", of=cards.first.get_by_role("combobox"))
        await expect(cards).to_have_count(3)
        picture = await visitor.picture()
        await visitor.sees("16:9 · 1K")
        width, height = await picture.evaluate("one => [one.naturalWidth, one.naturalHeight]")
        assert width > 1.7 * height


async def test_history_is_paged_and_opened(visit):
    animals = ("fox", "owl", "cat", "hare", "wolf", "bear")
    async with visit(QUICK | {"member_running": 6}) as visitor:
        for animal in animals:
            await visitor.ask("imagine", prompt=f"one {animal}")
        cards = visitor.page.locator("article.channel-message")
        await expect(cards.filter(has_text=PICTURE)).to_have_count(len(animals))

        await visitor.ask("history")
        await visitor.sees("6 requests · page 1 of 2")
        await visitor.sees("one bear")
        await expect(visitor.message).not_to_contain_text("one fox")
        await expect(visitor.message.get_by_role("button", name="Previous")).to_be_disabled()
        await visitor.press("Next")
        await visitor.sees("page 2 of 2")
        await visitor.sees("one fox")
        await expect(visitor.message.get_by_role("button", name="Next")).to_be_disabled()

        await visitor.choose("one fox", of=visitor.message.get_by_role("combobox"))
        await expect(cards).to_have_count(len(animals) + 2)
        picture = await visitor.picture()
        assert await picture.get_attribute("alt") == "one fox"
        await visitor.sees("Only you can see this")
        await visitor.sees("Jump to it")


async def test_what_is_preferred_counts_where_an_option_is_left_out(visit):
    async with visit(QUICK) as visitor:
        await visitor.ask("preferences")
        await visitor.sees("Your defaults")
        await visitor.choose("16:9", of=visitor.message.get_by_role("combobox").first)
        await visitor.sees("16:9")
        private = visitor.message.get_by_role("button").filter(has_text="Private")
        await private.click()
        await expect(private).to_contain_text("✅")

        await visitor.ask("imagine", prompt="a quiet bay")
        await visitor.picture()
        await visitor.sees("Only you can see this")
        await visitor.sees("16:9 · 1K")


async def test_whoever_looks_can_report_somebody_elses_picture_and_read_the_reports(visit):
    async with visit(QUICK | {"company": True}) as visitor:
        await visitor.becomes("friend")
        await visitor.ask("imagine", prompt="a red fox")
        await visitor.picture()
        await visitor.becomes("you")
        await visitor.press("Report")
        await visitor.offers("What is wrong with it?", "whoever made the picture is not told")
        await visitor.field("reason").locator("textarea").fill("It is too red.")
        await visitor.submit()
        await visitor.sees("Thank you.")
        await visitor.ask("easel reports")
        await visitor.sees("It is too red.")


async def test_help_and_the_last_prompts_are_there_for_whoever_asks(visit):
    async with visit(QUICK) as visitor:
        await visitor.ask("help")
        await visitor.sees("What I can do")
        await visitor.sees("Only you can see this")

        await visitor.ask("imagine", prompt="a red fox in the snow")
        await visitor.picture()
        found = await visitor.suggested("imagine", "prompt", "fox")
        assert found == ["a red fox in the snow"]
