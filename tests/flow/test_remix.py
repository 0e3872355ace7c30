"""/remix: images in order, and prompts that come out of a file."""

import json

import pytest

from tests.flow.studio import image, painted

RED, GREEN, BLUE = image("red"), image("green", kind="JPEG"), image("blue", kind="WEBP")


async def test_one_image_becomes_a_picture_that_depends_on_it(studio):
    result = await studio.remix("as a mosaic", image1=("photo.png", RED))
    await studio.finish()
    [task] = studio.tasks
    assert studio.file(result) == painted(task, RED)
    assert studio.file(result) != painted(task, BLUE)
    assert " · auto · 1K · 1 image · " in studio.shown(result).footer


async def test_five_images_keep_their_order(studio):
    images = [image(colour) for colour in ("red", "green", "blue", "white", "black")]
    named = {f"image{n}": (f"{n}.png", data) for n, data in enumerate(images, start=1)}
    result = await studio.remix(**dict(reversed(named.items())), aspect_ratio="4:5")
    await studio.finish()
    [task] = studio.tasks
    assert [url.rpartition("/")[2] for url in task.order.input_urls] == [
        f"{n}.png" for n in range(1, 6)
    ]
    assert studio.file(result) == painted(task, *images)
    assert " · 4:5 · 1K · 5 images · " in studio.shown(result).footer


async def test_a_gap_between_images_is_no_image(studio):
    result = await studio.remix(
        image1=("a.jpg", GREEN), image3=("c.webp", BLUE), resolution="2K", aspect_ratio="16:9"
    )
    await studio.finish()
    [task] = studio.tasks
    [job] = (await studio.reply(result)).jobs
    assert json.loads(job.body)["input"] == {
        "prompt": "as a mosaic",
        "aspect_ratio": "16:9",
        "resolution": "2K",
        "input_urls": list(task.order.input_urls),
    }
    assert [url.rpartition("/")[2] for url in task.order.input_urls] == ["a.jpg", "c.webp"]
    assert studio.file(result) == painted(task, GREEN, BLUE)


async def test_the_default_ratio_is_said_to_the_service(studio):
    await studio.remix(image1=("a.png", RED))
    await studio.submit()
    [task] = studio.tasks
    assert (task.order.aspect_ratio, task.order.resolution) == ("auto", "1K")
    assert task.order.model == "gpt-image-2-image-to-image-pro"


async def test_a_private_remix_shows_neither_picture_nor_images(studio):
    other = studio.someone("neighbour")
    await studio.remix(image1=("a.png", RED), private=True)
    await studio.finish()
    assert studio.messages(viewer=other) == []
    assert len(studio.messages(viewer=studio.member)) == 1


# --- the prompt file ------------------------------------------------------------------------------


def text_file(text: str | bytes, name: str = "prompt.txt") -> tuple[str, bytes]:
    return name, text.encode() if isinstance(text, str) else text


async def test_a_file_is_added_to_the_prompt(studio):
    result = await studio.imagine("A castle.", prompt_file=text_file("\nOn a hill.\nAt night. \n"))
    assert result.deferred
    await studio.submit()
    [task] = studio.tasks
    assert task.order.prompt == "A castle.\n\nOn a hill.\nAt night."
    [job] = (await studio.reply(result)).jobs
    assert not job.unfinished


async def test_a_file_completes_a_remix_too(studio):
    await studio.remix("Mix.", image1=("a.png", RED), prompt_file=text_file("Into one."))
    await studio.submit()
    assert studio.tasks[0].order.prompt == "Mix.\n\nInto one."


async def test_a_file_may_be_the_whole_prompt(studio):
    await studio.imagine("  ", prompt_file=text_file("Only this."))
    await studio.submit()
    assert studio.tasks[0].order.prompt == "Only this."


async def test_a_byte_order_mark_is_no_part_of_the_prompt(studio):
    await studio.imagine(" ", prompt_file=text_file(b"\xef\xbb\xbfGr\xc3\xbc\xc3\x9fe", "P.TXT"))
    await studio.submit()
    assert studio.tasks[0].order.prompt == "Grüße"


@pytest.mark.parametrize(
    ("typed", "written"),
    [("", "x" * 20_000), ("12345678", "x" * 19_990), ("", "😀" * 10_000), ("", "é" * 20_000)],
)
async def test_twenty_thousand_characters_are_allowed(studio, typed, written):
    result = await studio.imagine(typed or " ", prompt_file=text_file(written))
    assert result.deferred
    await studio.submit()
    prompt = studio.tasks[0].order.prompt
    assert prompt == (f"{typed}\n\n{written}" if typed else written)
    assert len(prompt.encode("utf-16-le")) == 2 * 20_000


@pytest.mark.parametrize(
    ("typed", "written"),
    [("", "x" * 20_001), ("12345678", "x" * 19_991), ("", "😀" * 10_000 + "x")],
)
async def test_one_more_is_too_long(studio, typed, written):
    result = await studio.imagine(typed or " ", prompt_file=text_file(written))
    assert "too long: 20001 characters, 20000 are allowed" in studio.said(result)
    await nothing_came_of_it(studio)


@pytest.mark.parametrize(
    ("file", "problem", "fix"),
    [
        (text_file("ok", "prompt.pdf"), "`prompt.pdf` is not a text file", "as a .txt file"),
        (text_file("ok", "txt"), "`txt` is not a text file", "as a .txt file"),
        (text_file(b"caf\xe9"), "`prompt.txt` is not plain text", "as a UTF-8 text file"),
        (text_file("castle".encode("utf-16")), "is not plain text", "as a UTF-8 text file"),
        (text_file("castle".encode("utf-16-le")), "is not plain text", "as a UTF-8 text file"),
        (text_file(b"x" * (200 * 1024 + 1)), "is too large for a prompt", "shorten the file"),
        (text_file(" \n\t"), "Your prompt is empty", "Describe the picture"),
        (text_file(b""), "Your prompt is empty", "Describe the picture"),
        (text_file("x", "a`b@everyone.pdf"), "`a_b@everyone.pdf`", ".txt"),
    ],
)
async def test_a_file_that_is_no_prompt(studio, file, problem, fix):
    result = await studio.imagine(" ", prompt_file=file)
    said = studio.said(result)
    assert problem in said
    assert fix in said
    await nothing_came_of_it(studio)


async def test_a_file_that_cannot_be_read_from_discord(studio):
    studio.env.backend.cdn.get = lambda _url: None
    result = await studio.imagine(" ", prompt_file=text_file("A castle."))
    assert "`prompt.txt` could not be read from Discord" in studio.said(result)
    await nothing_came_of_it(studio)


async def nothing_came_of_it(studio) -> None:
    """No row is waiting, nothing is counted, HiAPI was not asked, no spinner is left."""
    assert await studio.submit() == 0
    assert not studio.hiapi.tasks.requests
    assert set(await studio.states()) <= {"withdrawn"}
    assert await studio.counted() == 0
    assert studio.messages() == []
