"""The tour in docs/: it shows every scene of its script, and nothing else."""

from PIL import Image

from tests.browser import tour

LIMIT = 3_000_000  # bytes of all pictures together: everybody who clones it carries them


def test_the_tour_names_every_scene_and_each_has_its_picture():
    assert (tour.DOCS / "tour.md").read_text(encoding="utf-8") == tour.page(), "run make tour"
    pictures = {path.stem: path for path in (tour.DOCS / "tour").iterdir()}
    assert set(pictures) == {scene.name for scene in tour.SCENES}, "run make tour"
    for path in pictures.values():
        with Image.open(path) as picture:
            picture.verify()
    assert sum(path.stat().st_size for path in pictures.values()) < LIMIT


def test_a_picture_is_replaced_only_if_more_than_a_second_on_it_has_changed(tmp_path):
    old, same, other = (tmp_path / f"{name}.png" for name in ("old", "same", "other"))
    picture = Image.new("RGB", (400, 300), "#313338")
    picture.save(old)
    picture.paste("white", (10, 10, 14, 16))
    picture.save(same)
    picture.paste("white", (10, 10, 40, 30))
    picture.save(other)
    before = old.read_bytes()
    assert not tour.keep(same, old)
    assert old.read_bytes() == before
    assert tour.keep(other, old)
    assert old.read_bytes() == other.read_bytes()
