"""Pictures: what the header parser reads, and that fitting keeps its promises."""

import io
import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st
from PIL import Image

from bot import images

NOISE = random.Random(7)  # noqa: S311 - noise, not secrets


def noise(mode, width=160, height=120):
    """Make a picture no encoder can shrink much."""
    depth = {"L": 1, "P": 1, "I;16": 2, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    return Image.frombytes(mode, (width, height), NOISE.randbytes(width * height * depth))


def encode(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def decode(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010E] = "taken at home"
    return tags


def palette():
    image = noise("P")
    image.putpalette(NOISE.randbytes(768))
    return encode(image, "PNG", transparency=3)


def animation():
    frames = [noise("RGBA") for _ in range(3)]
    return encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)


SAMPLES = {
    "png rgb": encode(noise("RGB"), "PNG"),
    "png rgba": encode(noise("RGBA"), "PNG"),
    "png palette": palette(),
    "png grey": encode(noise("L"), "PNG"),
    "png grey alpha": encode(noise("LA"), "PNG"),
    "png 16 bit": encode(noise("I;16"), "PNG"),
    "jpeg": encode(noise("RGB"), "JPEG", quality=95),
    "jpeg grey": encode(noise("L"), "JPEG", quality=95),
    "jpeg cmyk": encode(noise("CMYK"), "JPEG", quality=95),
    "jpeg progressive": encode(noise("RGB"), "JPEG", quality=95, progressive=True),
    "jpeg exif": encode(noise("RGB"), "JPEG", quality=95, exif=exif(1), icc_profile=b"p" * 70_000),
    "webp lossy": encode(noise("RGB"), "WEBP", quality=95),
    "webp lossless": encode(noise("RGB"), "WEBP", lossless=True),
    "webp alpha": encode(noise("RGBA"), "WEBP", lossless=True),
    "webp animated": animation(),
}
KINDS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}

each_sample = pytest.mark.parametrize("data", SAMPLES.values(), ids=SAMPLES)


def png(*chunks):
    """Put together a PNG whose checksums are right, whatever else is wrong with it."""
    body = b"\x89PNG\r\n\x1a\n"
    for name, content in (*chunks, (b"IEND", b"")):
        check = zlib.crc32(name + content)
        body += struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)
    return body


def header(width, height):
    return b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_header_says_format_and_size(name):
    seen = images.probe(SAMPLES[name])
    assert seen == images.Probe(format=name.split()[0], width=160, height=120)


@hypothesis.given(
    st.integers(1, 300), st.integers(1, 300), st.sampled_from(["PNG", "JPEG", "WEBP"])
)
@hypothesis.settings(deadline=None, max_examples=40)
def test_the_header_parser_agrees_with_pillow(width, height, kind):
    data = encode(Image.new("RGB", (width, height), "teal"), kind)
    seen = images.probe(data)
    assert (seen.width, seen.height) == decode(data).size == (width, height)


def test_a_picture_that_fits_is_left_alone_and_never_loads_pillow():
    code = (
        "import sys; from bot import images; data = sys.stdin.buffer.read();"
        "fitted = images.fit(data, limit=len(data)); assert fitted.data is data;"
        "assert not fitted.reencoded; assert fitted.extension == 'png', fitted.extension;"
        "assert 'PIL' not in sys.modules"
    )
    root = Path(images.__file__).parents[1]
    data = SAMPLES["png rgba"]
    subprocess.run([sys.executable, "-c", code], input=data, check=True, cwd=root)  # noqa: S603


@each_sample
@pytest.mark.parametrize("share", [0.9, 0.5, 0.2, 0.06])
def test_fit_stays_under_the_limit_in_every_mode(data, share):
    limit = int(len(data) * share)
    fitted = images.fit(data, limit=limit)
    assert fitted.reencoded
    assert len(fitted.data) <= limit
    again = decode(fitted.data)
    assert again.format == KINDS[fitted.extension]
    assert again.size == (fitted.width, fitted.height)
    assert not again.getexif()
    assert "icc_profile" not in again.info


@hypothesis.given(data=st.sampled_from(list(SAMPLES.values())), limit=st.integers(0, 60_000))
@hypothesis.settings(deadline=None, max_examples=40)
def test_fit_never_exceeds_any_limit(data, limit):
    try:
        assert len(images.fit(data, limit=limit).data) <= limit
    except images.CannotFit:
        assert limit < 1000


def test_nothing_fits_into_ten_bytes():
    with pytest.raises(images.CannotFit):
        images.fit(SAMPLES["png rgb"], limit=10)


def test_the_first_steps_keep_the_size():
    data = SAMPLES["png rgb"]
    fitted = images.fit(data, limit=len(data) - 1)
    assert (fitted.extension, fitted.width, fitted.height) == ("webp", 160, 120)


def test_transparency_survives():
    image = Image.new("RGBA", (200, 200), (255, 0, 0, 255))
    image.paste(noise("RGB", 150, 150), (0, 0))
    image.paste((0, 0, 0, 0), (150, 0, 200, 200))
    for limit in (20_000, 5_000):
        smaller = decode(images.fit(encode(image, "PNG"), limit=limit).data)
        assert smaller.mode == "RGBA"
        assert smaller.getpixel((smaller.width - 2, 2))[3] < 10
        assert smaller.getpixel((2, 2))[3] > 245


def test_an_alpha_channel_without_transparency_is_dropped():
    image = noise("RGB")
    image.putalpha(255)
    data = encode(image, "PNG")
    assert decode(images.fit(data, limit=len(data) // 2).data).mode == "RGB"


def test_a_row_too_long_for_webp_becomes_jpeg_on_white():
    image = noise("RGBA", 20_000, 4)
    image.paste((0, 0, 0, 0), (0, 0, 64, 4))
    data = encode(image, "PNG")
    fitted = images.fit(data, limit=len(data) // 2)
    assert (fitted.extension, fitted.width) == ("jpg", 20_000)
    assert min(decode(fitted.data).getpixel((20, 2))) > 235


def test_sixteen_bits_of_grey_are_scaled_not_clipped():
    ramp = struct.pack("<160H", *range(0, 65_536, 410)) * 120
    data = encode(Image.frombytes("I;16", (160, 120), ramp), "PNG", compress_level=0)
    middle = decode(images.fit(data, limit=len(data) - 1).data).convert("L").getpixel((80, 60))
    assert middle == pytest.approx(128, abs=6)


def test_a_rotated_photo_is_turned_upright():
    data = encode(noise("RGB"), "JPEG", quality=95, exif=exif(6))
    fitted = images.fit(data, limit=len(data) - 1)
    assert (fitted.width, fitted.height) == decode(fitted.data).size == (120, 160)


def test_an_animation_becomes_its_first_frame():
    data = SAMPLES["webp animated"]
    again = decode(images.fit(data, limit=len(data) - 1).data)
    assert getattr(again, "n_frames", 1) == 1


@pytest.mark.parametrize(("width", "height"), [(50_000, 50_000), (40_000_001, 1), (0, 5), (5, 0)])
def test_bombs_and_empty_pictures_are_refused_by_the_header(width, height):
    with pytest.raises(images.BadPicture):
        images.probe(png(header(width, height)))


def test_a_webp_bomb_is_refused():
    data = bytearray(SAMPLES["webp animated"])
    assert data[12:16] == b"VP8X"
    data[24:30] = b"\xff\xff\xff\xff\xff\xff"
    with pytest.raises(images.BadPicture, match="megapixels"):
        images.probe(bytes(data))


def test_a_bomb_behind_a_second_header_is_refused():
    data = png(header(8, 8), header(9_000, 9_000), (b"IDAT", zlib.compress(bytes(500))))
    assert images.probe(data).width == 8
    with pytest.raises(images.BadPicture, match="behind a smaller header"):
        images.fit(data, limit=len(data) - 1)


@each_sample
@pytest.mark.parametrize("share", [0.999, 0.5, 0.01])
def test_a_cut_off_picture_is_refused(data, share):
    with pytest.raises(images.BadPicture):
        images.probe(data[: int(len(data) * share)])


def test_a_jpeg_cut_off_behind_its_thumbnail_is_refused():
    thumbnail = encode(noise("RGB", 16, 16), "JPEG")
    data = encode(noise("RGB"), "JPEG", comment=thumbnail)
    assert images.probe(data).width == 160
    with pytest.raises(images.BadPicture):
        images.probe(data[:-500])


def test_millions_of_empty_segments_cost_nothing():
    with pytest.raises(images.BadPicture):
        images.probe(b"\xff\xd8" + b"\xff\xe0\0\2" * 2_000_000)


@pytest.mark.parametrize("data", [b"", b"GIF89a" + bytes(40), b"<svg/>", b"\x89PNG\r\n\x1a\n"])
def test_anything_else_is_refused(data):
    with pytest.raises(images.BadPicture):
        images.probe(data)


MAGIC = [
    b"",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    b"\xff\xd8\xff",
    b"RIFF\x40\0\0\0WEBPVP8X",
    b"GIF89a",
]


@hypothesis.given(head=st.sampled_from(MAGIC), tail=st.binary(max_size=200))
def test_random_bytes_are_read_or_refused_and_nothing_else(head, tail):
    try:
        seen = images.probe(head + tail)
    except images.BadPicture:
        return
    assert 0 < seen.width * seen.height <= images.MAX_PIXELS


@hypothesis.given(
    data=st.sampled_from([data for data in SAMPLES.values() if len(data) < 40_000]),
    changes=st.lists(
        st.tuples(st.integers(0, 400) | st.integers(0, 40_000), st.binary(min_size=1, max_size=4)),
        min_size=1,
        max_size=5,
    ),
)
@hypothesis.settings(deadline=None, max_examples=60)
def test_damaged_pictures_are_fitted_or_refused_and_nothing_else(data, changes):
    damaged = bytearray(data)
    for at, piece in changes:
        damaged[at : at + len(piece)] = piece
    try:
        fitted = images.fit(bytes(damaged), limit=len(damaged) // 2)
    except images.ImageError:
        return
    assert len(fitted.data) <= len(damaged) // 2


def test_small_pictures_leave_their_room_to_large_ones():
    small, large = SAMPLES["jpeg grey"], SAMPLES["png rgb"]
    total = len(small) + len(large) // 2
    fitted = images.fit_all([large, small], each=len(large), total=total)
    assert [one.reencoded for one in fitted] == [True, False]
    assert len(fitted[0].data) > total // 3
    assert sum(len(one.data) for one in fitted) <= total


def test_each_picture_keeps_its_own_limit_too():
    data = SAMPLES["png rgb"]
    (fitted,) = images.fit_all([data], each=len(data) // 3, total=10**9)
    assert len(fitted.data) <= len(data) // 3


def test_no_pictures_fit_anywhere():
    assert images.fit_all([], each=1, total=1) == []


@hypothesis.given(
    pictures=st.lists(st.sampled_from(list(SAMPLES.values())), min_size=1, max_size=4),
    each=st.integers(5_000, 80_000),
    total=st.integers(20_000, 200_000),
)
@hypothesis.settings(deadline=None, max_examples=15)
def test_several_pictures_never_exceed_either_limit(pictures, each, total):
    fitted = images.fit_all(pictures, each=each, total=total)
    assert all(len(one.data) <= each for one in fitted)
    assert sum(len(one.data) for one in fitted) <= total


# Thumbnails -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "expected"), [((2000, 1000), (512, 256)), ((10, 3000), (2, 512)), ((40, 30), (40, 30))]
)
def test_a_thumbnail_keeps_the_shape_and_never_grows(size, expected):
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, "PNG")
    seen = images.probe(images.thumbnail(out.getvalue(), side=512))
    assert (seen.format, seen.width, seen.height) == ("webp", *expected)


def test_a_thumbnail_of_something_else_is_refused():
    with pytest.raises(images.BadPicture):
        images.thumbnail(b"no picture", side=512)


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_a_small_version_of_any_picture_is_a_webp_without_metadata(sample):
    small = images.thumbnail(sample, side=64)
    seen = images.probe(small)
    assert seen.format == "webp"
    assert max(seen.width, seen.height) == 64
    assert not decode(small).getexif()


def test_a_small_picture_is_not_made_larger():
    small = images.probe(images.thumbnail(encode(noise("RGB", 20, 10), "PNG"), side=64))
    assert (small.width, small.height) == (20, 10)


def test_a_bomb_is_not_made_smaller():
    with pytest.raises(images.BadPicture):
        images.thumbnail(SAMPLES["png rgb"][:-40], side=64)
