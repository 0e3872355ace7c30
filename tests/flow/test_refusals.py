"""What is refused before anything is spent: privately, with the problem and the fix."""

import asyncio
import sqlite3
import struct
import zlib
from contextlib import closing

import pytest

from bot.ledger import asks
from sandbox import faults
from tests.flow.studio import ACK, eventually, image

PNG, JPEG, WEBP = image(), image(kind="JPEG"), image(kind="WEBP")
TEXT = b"this is not a picture, whatever its name says"
BIG = PNG + b"\0" * (11 * 1024 * 1024)
BOMB = faults.bomb(edge=20_000).answer.body


def grey(width: int, height: int) -> bytes:
    """A PNG of that many pixels, made without holding them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width // 8 + 2) * height), 1)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


async def nothing_came_of_it(studio) -> None:
    """Nothing waits, nothing counts, the service was not asked, no spinner stands in public."""
    assert await studio.submit() == 0
    assert not studio.hiapi.tasks.requests
    assert set(await studio.states()) <= {"withdrawn"}
    assert await studio.counted() == 0
    assert studio.messages(viewer=studio.someone("onlooker")) == []


@pytest.mark.parametrize("prompt", [" ", "\n\n\n", "\t\u00a0\u2003\n", "\u200b\u2060"])
async def test_a_blank_prompt(studio, prompt):
    result = await studio.imagine(prompt)
    assert not result.deferred
    assert studio.said(result) == (
        "**Your prompt is empty.**\nDescribe the picture you want in a few words."
    )
    assert await studio.states() == []
    await nothing_came_of_it(studio)


@pytest.mark.parametrize("prompt", ["x" * 20_001, "😀" * 20_000, "😀" * 10_000 + "!"])
async def test_a_prompt_that_is_too_long(studio, prompt):
    result = await studio.imagine(prompt)
    assert not result.deferred
    units = len(prompt.encode("utf-16-le")) // 2
    assert f"too long: {units} characters, 20000 are allowed" in studio.said(result)
    assert "Shorten it" in studio.said(result)
    await nothing_came_of_it(studio)


@pytest.mark.parametrize(
    ("name", "data", "problem", "fix"),
    [
        ("notes.txt", PNG, "`notes.txt` is not an image", "Attach a PNG, JPEG or WebP file"),
        ("clip.mp4", PNG, "`clip.mp4` is not an image", "Attach a PNG, JPEG or WebP file"),
        ("dance.gif", PNG, "`dance.gif` is not an image", "Attach a PNG, JPEG or WebP file"),
        ("photo.heic", PNG, "`photo.heic` is not an image", "Attach a PNG, JPEG or WebP file"),
        ("drawing.svg", PNG, "`drawing.svg` is not an image", "Attach a PNG, JPEG or WebP file"),
        ("noname", PNG, "`noname` is not an image", "Attach a PNG, JPEG or WebP file"),
        ("a`b.txt", PNG, "`a_b.txt` is not an image", "Attach a PNG, JPEG or WebP file"),
        ("big.png", BIG, "`big.png` is too large: 11 MB", "up to 10 MB. Make it smaller"),
    ],
    ids=["text", "video", "gif", "heic", "svg", "none", "backtick", "large"],
)
async def test_a_file_whose_name_or_size_tells(studio, name, data, problem, fix):
    result = await studio.remix(image1=("ok.png", PNG), image2=(name, data))
    assert not result.deferred
    assert problem in studio.said(result)
    assert fix in studio.said(result)
    assert await studio.states() == []
    await nothing_came_of_it(studio)


UNREADABLE = [
    ("text.png", TEXT, "`text.png` cannot be read as an image", "save it as PNG"),
    ("empty.png", b"", "`empty.png` cannot be read as an image", "save it as PNG"),
    ("cut.png", PNG[:-9], "`cut.png` cannot be read as an image", "attach it again"),
    ("head.png", PNG[:20], "`head.png` cannot be read as an image", "attach it again"),
    ("cut.jpg", JPEG[:-2], "`cut.jpg` cannot be read as an image", "attach it again"),
    ("cut.webp", WEBP[:-5], "`cut.webp` cannot be read as an image", "attach it again"),
    ("bomb.png", BOMB, "`bomb.png` has too many pixels", "up to 40 megapixels"),
    ("photo.png", grey(8000, 6000), "`photo.png` has too many pixels", "Make it smaller"),
]
NAMES = [name for name, *_ in UNREADABLE]


@pytest.mark.parametrize(("name", "data", "problem", "fix"), UNREADABLE, ids=NAMES)
async def test_a_file_whose_content_tells(studio, name, data, problem, fix):
    result = await studio.remix(image1=("ok.png", PNG), image3=(name, data))
    assert studio.sent("POST", ACK)[0].json["type"] == 5
    assert not studio.sent("POST", ACK)[0].json.get("data")
    assert problem in studio.said(result)
    assert fix in studio.said(result)
    assert await studio.states() == ["withdrawn"]
    await nothing_came_of_it(studio)


@pytest.mark.parametrize(("name", "data", "problem", "fix"), [UNREADABLE[0], UNREADABLE[6]])
async def test_the_same_in_private_answers_in_place(studio, name, data, problem, fix):
    result = await studio.remix(image1=(name, data), private=True)
    assert problem in studio.said(result)
    assert fix in studio.said(result)
    assert result.followups == []
    await nothing_came_of_it(studio)


async def test_a_picture_of_forty_megapixels_is_taken(studio):
    result = await studio.remix(image1=("photo.png", grey(8000, 5000)))
    assert (await studio.reply(result)).jobs[0].state == "queued"


async def test_an_image_is_known_by_content_where_name_and_content_differ(studio):
    await studio.remix(image1=("really-a-jpeg.png", JPEG))
    assert await studio.states() == ["queued"]


async def test_an_image_that_discord_does_not_hand_out(studio):
    studio.env.backend.cdn.get = lambda _url: None
    result = await studio.remix(image1=("lost.png", PNG))
    assert "`lost.png` could not be read from Discord" in studio.said(result)
    await nothing_came_of_it(studio)


async def test_an_upload_that_hangs_is_given_up(studio, monkeypatch):
    from cogs import uploads

    async def hang(_url: str) -> bytes:
        await asyncio.sleep(3600)
        raise AssertionError

    monkeypatch.setattr(uploads, "SECONDS", 0.05)
    studio.app.bot.http.get_from_cdn = hang
    images = {f"image{n}": (f"{n}.png", PNG) for n in range(1, 6)}
    result = await studio.remix(**images)
    assert "`1.png` could not be read from Discord" in studio.said(result)
    await nothing_came_of_it(studio)


async def test_a_command_that_discord_repeats_is_taken_once(studio):
    result = await studio.imagine("a red fox")
    await studio.submit()
    [dispatched] = studio.interactions
    studio.env.backend.emit("INTERACTION_CREATE", dispatched)
    await studio.env.settle()
    assert await studio.states() == ["submitted"]
    assert await studio.counted() == 1
    await studio.finish()
    assert len(studio.tasks) == 1
    assert studio.shown(result).gallery


async def test_while_it_shuts_down_the_bot_takes_nothing_new(studio):
    await studio.app.stop(grace=1)
    result = await studio.imagine()
    assert "being restarted" in studio.said(result)
    assert "try again in a minute" in studio.said(result)
    await nothing_came_of_it(studio)


async def test_a_ledger_that_does_not_answer_in_time(studio, monkeypatch, tmp_path):
    await studio.imagine(" ")  # the rules of the server are known already
    ask, receive = studio.app.ledger.ask, studio.app.intake.receive

    # The simulated Discord must be told what a command may wait for.
    def declared_ask(verb, *args, **kwargs):
        answer = ask(verb, *args, **kwargs)
        if verb is not asks.receive:
            return answer
        reason = "another process holds the database"
        return asyncio.ensure_future(studio.env.external_wait(answer, reason=reason))

    async def declared_receive(ask):
        return await studio.env.external_wait(receive(ask), reason="the ledger is asked")

    monkeypatch.setattr(studio.app.ledger, "ask", declared_ask)

    monkeypatch.setattr(studio.app.intake, "receive", declared_receive)
    with closing(sqlite3.connect(tmp_path / "demo.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        result = await studio.imagine()
        assert not result.acknowledged
        await studio.env.advance_time(1)
        other.execute("ROLLBACK")
    assert "cannot write your request down right now" in studio.said(result)
    assert "Nothing was started" in studio.said(result)

    # The row was written after all; it is taken back, for nobody waits for it.
    await eventually(lambda: withdrawn(studio))
    await nothing_came_of_it(studio)


async def withdrawn(studio) -> bool:
    return await studio.states() == ["withdrawn"]
