"""The demo without a browser, as a process: one command in, a picture and its states out."""

import io
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
STAGES = ["queued", "handling", "archiving"]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - the arguments are the tests' own
        [sys.executable, "-m", "bot", "demo", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def demo(*arguments: str) -> tuple[int, list[dict[str, str]], str]:
    """Exit status, the states that were told, what was said on stderr."""
    process = start(*arguments)
    told, said = process.communicate(timeout=60)
    return process.returncode, [json.loads(line) for line in told.splitlines()], said


def check_course(told: list[dict[str, str]], *, stages: list[str]) -> None:
    """Every state in its order; on a busy machine the bot may look too late to see a stage."""
    assert [line["state"] for line in told if line["state"] != "stage"] == [
        *("received", "queued", "submitting", "submitted", "settled", "delivered")
    ]
    seen = [line["status"] for line in told if line["state"] == "stage"]
    assert seen
    assert seen == [stage for stage in stages if stage in seen]
    assert [line["state"] for line in told][4:-2] == ["stage"] * len(seen)


@pytest.fixture
def reference(tmp_path) -> Path:
    path = tmp_path / "pink.png"
    Image.new("RGB", (300, 200), (240, 20, 200)).save(path)
    return path


def test_a_prompt_becomes_a_file(tmp_path):
    out = tmp_path / "fox.png"
    status, told, said = demo("--prompt", "a red fox in the snow", "--out", str(out))
    assert (status, said) == (0, "")
    check_course(told, stages=STAGES)
    # All of it is about one reply with one job.
    assert len({line["reply"] for line in told if "reply" in line}) == 1
    assert len({line["job"] for line in told if "job" in line}) == 1
    with Image.open(out) as picture:
        assert (picture.format, picture.size) == ("PNG", (1024, 1024))


def test_two_references_become_a_remix(tmp_path, reference):
    out = tmp_path / "remix.png"
    images = ["--image", str(reference)] * 2
    status, told, said = demo("--prompt", "both on a wall", *images, "--out", str(out))
    assert (status, said) == (0, "")
    check_course(told, stages=STAGES)
    with Image.open(out) as picture:
        # The first reference gives the ratio, and its colour is in the picture.
        assert picture.width > picture.height
        colours = picture.convert("RGB").resize((60, 40), Image.Resampling.NEAREST).getcolors(2400)
    assert any(abs(r - 240) + abs(g - 20) + abs(b - 200) < 60 for _, (r, g, b) in colours)


def test_a_refused_prompt_leaves_no_file_and_says_why(tmp_path):
    out = tmp_path / "none.png"
    status, told, said = demo("--prompt", "a fox [policy]", "--out", str(out))
    assert status != 0
    assert not out.exists()
    check_course(told, stages=STAGES[:2])
    assert told[-2]["end"] == "failed"
    assert one_sentence(said).startswith("The picture service refused this prompt.")


def broken(folder: Path) -> Path:
    whole = io.BytesIO()
    Image.effect_noise((200, 200), 50).save(whole, "PNG")
    path = folder / "broken.png"
    path.write_bytes(whole.getvalue()[:2000])
    return path


def text(folder: Path) -> Path:
    path = folder / "notes.txt"
    path.write_text("no picture at all", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: folder / "gone.png", "gone.png cannot be read: No such file"),
        (lambda folder: folder, "cannot be read: Is a directory."),
        (text, "notes.txt is not an image that can be used."),
        (broken, "broken.png"),
    ],
    ids=["missing", "a folder", "text", "cut off"],
)
def test_an_image_that_cannot_be_used_is_named(tmp_path, make, sentence):
    out = tmp_path / "none.png"
    image = make(tmp_path)
    status, _, said = demo("--prompt", "a fox", "--image", str(image), "--out", str(out))
    assert status != 0
    assert sentence in one_sentence(said)
    assert not out.exists()


def test_six_images_are_too_many(tmp_path, reference):
    images = ["--image", str(reference)] * 6
    status, told, said = demo("--prompt", "a fox", *images, "--out", str(tmp_path / "none.png"))
    assert status != 0
    assert told == []
    assert one_sentence(said) == "A remix takes up to 5 images; 6 were given."


@pytest.mark.parametrize(
    ("out", "sentence"),
    [("nowhere/fox.png", "there is no folder"), (".", "is a folder")],
    ids=["no folder", "a folder"],
)
def test_a_place_that_cannot_be_written_is_named_at_once(tmp_path, out, sentence):
    status, told, said = demo("--prompt", "a fox", "--out", str(tmp_path / out))
    assert status != 0
    assert told == []
    assert sentence in one_sentence(said)


def test_images_without_a_prompt_are_asked_about(reference):
    status, _, said = demo("--image", str(reference))
    assert status != 0
    assert one_sentence(said) == "--image needs --prompt."


def test_a_file_without_a_prompt_is_asked_about():
    status, _, said = demo("--out", "fox.png")
    assert status == 2
    assert one_sentence(said) == "--out needs --prompt."


def test_an_empty_prompt_is_refused_in_the_bots_own_words(tmp_path):
    status, _, said = demo("--prompt", " ", "--out", str(tmp_path / "none.png"))
    assert status != 0
    assert one_sentence(said).startswith("Your prompt is empty.")


def test_a_port_in_use_is_one_sentence():
    first = start("--port", "0")
    try:
        port = re.search(r"127\.0\.0\.1:(\d+)/", first.stdout.readline())[1]
        status, _, said = demo("--port", port)
        assert status != 0
        assert one_sentence(said).startswith(f"Port {port} cannot be used")
    finally:
        began = time.monotonic()
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=10)
    assert first.returncode == 0
    assert time.monotonic() - began < 3


def test_an_interrupted_picture_is_no_success(tmp_path):
    out = tmp_path / "none.png"
    process = start("--prompt", "a fox", "--out", str(out))
    assert "received" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)
    assert process.returncode != 0
    assert said == ""
    assert not out.exists()


def one_sentence(said: str) -> str:
    """What was said, which must be one line and no traceback."""
    assert said.count("\n") == 1, said
    assert "Traceback" not in said
    return said.strip()
