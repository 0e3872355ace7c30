"""Stand-in pictures depend on the prompt, the shape and the references, and say what they are."""

import io
import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from sandbox import glyphs, painter, palette, scenery
from sandbox.painter import PaintJob


def painted(prompt="a red fox", **job) -> Image.Image:
    image = Image.open(io.BytesIO(painter.paint(PaintJob(prompt, **job))))
    image.load()
    return image


def flat(colour, size=(300, 200), kind="PNG", *, mode="RGB", **extra) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, colour).save(out, kind, **extra)
    return out.getvalue()


def apart(one, other) -> float:
    """The mean difference of two pictures of one size, 0 to 255."""
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


def near(image, colour, *, within=24) -> Image.Image:
    """White where the picture has about that colour."""
    away = ImageChops.difference(image, Image.new("RGB", image.size, colour)).split()
    red, green, blue = (part.point(lambda value: 255 * (value <= within)) for part in away)
    return ImageChops.darker(ImageChops.darker(red, green), blue)


def count_near(image, colour, *, within=24) -> int:
    return near(image, colour, within=within).histogram()[255]


@pytest.mark.parametrize(
    ("ratio", "resolution", "size"),
    [
        ("1:1", "1K", (1024, 1024)),
        ("16:9", "1K", (1024, 576)),
        ("9:16", "1K", (576, 1024)),
        ("21:9", "1K", (1024, 439)),
        ("4:5", "1K", (819, 1024)),
        ("3:2", "2K", (2048, 1365)),
        ("auto", "1K", (1024, 1024)),
    ],
)
def test_the_long_edge_follows_the_resolution(ratio, resolution, size):
    image = painted(aspect_ratio=ratio, resolution=resolution)
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", size)


@pytest.mark.parametrize(
    ("reference", "size"),
    [((300, 200), (1024, 683)), ((200, 300), (683, 1024)), ((900, 100), (1024, 341))],
)
def test_auto_takes_the_first_references_ratio(reference, size):
    references = (flat("red", reference), flat("blue", (50, 50)))
    assert painted(aspect_ratio="auto", references=references).size == size


def test_a_turned_photograph_counts_as_it_is_seen():
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter
    photo = flat("red", (300, 200), "JPEG", exif=exif)
    assert painted(aspect_ratio="auto", references=(photo,)).size == (683, 1024)


def test_the_same_job_gives_the_same_bytes_and_another_seed_another_picture():
    job = PaintJob("a lighthouse", aspect_ratio="21:9", seed=3)
    assert painter.paint(job) == painter.paint(job)
    assert apart(painted(aspect_ratio="21:9", seed=1), painted(aspect_ratio="21:9", seed=2)) > 1


def test_the_prompt_shows():
    pictures = [
        painted(prompt, aspect_ratio="21:9")
        for prompt in ("a red fox", "a blue fox", "a fox at night", "a boat on the sea", "狐", "熊")
    ]
    for at, one in enumerate(pictures):
        for other in pictures[at + 1 :]:
            assert apart(one, other) > 1


def test_words_are_read():
    reading = palette.read("two black cats and a red house by the sea at night", seed=1)
    assert [(each.name, each.colour) for each in reading.subjects] == [
        ("cat", palette.COLOURS["black"]),
        ("cat", palette.COLOURS["black"]),
        ("house", palette.COLOURS["red"]),
    ]
    assert (reading.setting, reading.mood) == ("sea", palette.MOODS["night"])
    assert palette.read("a boat", seed=1).setting == "sea"
    assert palette.read("a winter night", seed=1).mood.dark
    assert palette.read("purple haze", seed=1).mood not in palette.MOODS.values()
    assert palette.read("nothing known", seed=1, invent=False).subjects == ()


@pytest.fixture(scope="module")
def empty():
    return painted("sunny meadow", aspect_ratio="21:9")


@pytest.mark.parametrize("name", glyphs.KINDS)
def test_every_subject_can_be_drawn_and_seen(name, empty):
    assert apart(painted(f"sunny meadow {name}", aspect_ratio="21:9"), empty) > 0.2


@pytest.mark.parametrize("mood", palette.MOODS)
@pytest.mark.parametrize("setting", ["sea", "forest", "city", "peak", "dune", "meadow", "planet"])
def test_every_mood_goes_with_every_setting(mood, setting):
    image = scenery.paint(palette.read(f"{mood} {setting}", seed=1), size=(300, 200))
    assert max(ImageStat.Stat(image).stddev) > 10


def test_every_word_for_a_subject_has_a_drawing():
    assert set(palette.subject_names()) == set(glyphs.KINDS)


COLOURS = [(255, 0, 255), (0, 255, 0), (0, 255, 255), (255, 255, 0), (255, 0, 0)]


@pytest.mark.parametrize(
    ("count", "ratio"),
    [
        (1, "1:1"),
        (2, "16:9"),
        (2, "1:1"),
        (3, "9:16"),
        (3, "16:9"),
        (4, "1:1"),
        (5, "9:16"),
        (5, "21:9"),
    ],
)
def test_references_are_composed_in_each_of_them_and_in_order(count, ratio):
    references = tuple(flat(colour) for colour in COLOURS[:count])
    image = painted("a dark night", aspect_ratio=ratio, references=references)
    areas = [count_near(image, colour) for colour in COLOURS[:count]]
    assert min(areas) > 0.01 * image.width * image.height
    middles = [_middle(image, colour) for colour in COLOURS[:count]]
    for one, after in itertools.pairwise(middles):
        assert after[1] > one[1] + 20 or after[0] > one[0] + 20


def _middle(image, colour):
    left, top, right, low = near(image, colour).getbbox()
    return (left + right) / 2, (top + low) / 2


@pytest.mark.parametrize("size", [(1, 1), (3000, 2), (2, 3000)])
def test_a_sliver_of_a_reference_is_painted_all_the_same(size):
    painted("x", aspect_ratio="auto", references=(flat("red", size),))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF", "PNG"])
def test_the_usual_formats_are_read(kind):
    data = flat("red", kind=kind)
    assert painter.is_picture(data)
    painted(references=(data,), aspect_ratio="21:9")


@pytest.mark.parametrize("bad", [b"", b"<html>", flat("red")[:60], b"\x89PNG\r\n\x1a\nrubbish"])
def test_a_reference_that_cannot_be_read_is_named_by_its_number(bad):
    with pytest.raises(painter.UnreadableReferenceError) as caught:
        painter.paint(PaintJob("x", references=(flat("red"), bad)))
    assert caught.value.number == 2


def test_an_enormous_reference_is_not_unpacked():
    with pytest.raises(painter.UnreadableReferenceError):
        painter.paint(PaintJob("x", references=(flat(1, (9000, 8000), mode="1"),)))


def test_it_says_what_it_is():
    assert painter.LABEL == "Stand-in picture · not AI"
    for ratio in ("1:1", "9:16", "21:9"):
        image = painted("x", aspect_ratio=ratio)
        strip = image.crop((0, image.height - 24, image.width, image.height))
        # White letters on a dark strip.
        assert ImageStat.Stat(strip.convert("L")).mean[0] < 90
        assert count_near(strip, (255, 255, 255), within=40) > 100


@settings(max_examples=12, deadline=None)
@given(st.text(st.characters(), max_size=200))
def test_any_text_can_be_painted(prompt):
    painted(prompt, aspect_ratio="21:9")


def test_a_lone_half_of_a_surrogate_pair_can_be_painted():
    painted("fox \ud83e", aspect_ratio="21:9")


def test_it_is_quick():
    painted()
    times = []
    for prompt in ("a red fox in a forest", "a boat on the sea", "a castle in the mountains"):
        start = time.perf_counter()
        painted(prompt)
        times.append(time.perf_counter() - start)
    # About 0.1 s each; the rest is room for a busy machine.
    assert min(times) < 0.5
