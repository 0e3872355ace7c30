"""The words of /privacy: within Discord's limits in every language, true to what is kept."""

import re
from dataclasses import replace

import pytest

from bot import disclosure, pages, panels
from bot.catalog import IMAGINE, REMIX
from bot.dossiers import Dossier, Export
from bot.keeper import Weight
from bot.ledger.privacy import Erased, Summary
from bot.model import Kind, Taste
from tests.build import NOW
from tests.unit.test_remix_form import LOCALES

BIG = 2**63 - 1
FULL = Dossier(
    summary=Summary(
        requests=BIG, pictures=BIG, since=NOW, under_way=BIG, defaults=True, reports=BIG
    ),
    files=Weight(files=BIG, size=BIG),
    days=3650,
    days_here=3649,
)
LONG = "https://example.net/" + "a" * 400
VERBS = (disclosure.EXPORT, disclosure.ERASE, disclosure.REALLY, disclosure.KEEP)


def english(dossier, **links):
    addresses = links.get("addresses", ("", ""))
    return "\n".join(disclosure.panel(dossier, addresses=addresses, locale="en-US"))


@pytest.mark.parametrize("locale", LOCALES)
def test_everything_fits_whatever_is_kept(locale):
    erased = Erased(replies=BIG, jobs=BIG, cancelled=BIG, job_ids=(), digests=())
    buttons = disclosure.buttons(*VERBS, locale=locale)
    assert all(1 <= len(label) <= 80 for _, label in buttons)
    assert len({label for _, label in buttons}) == len(VERBS)
    for lines in (
        disclosure.panel(FULL, addresses=(LONG, LONG), locale=locale),
        disclosure.question(FULL, locale=locale),
        disclosure.erased(erased, locale=locale),
    ):
        assert sum(map(len, lines)) <= 4000
        view = panels.privacy(lines, buttons, user_id=BIG)
        assert view.total_children_count <= 40
    said = disclosure.exported(Export(parts=(), left_out=BIG), locale=locale)
    assert len(said) <= 2000


@pytest.mark.parametrize("locale", LOCALES)
def test_the_panel_of_defaults_fits(locale):
    offered = {Kind.IMAGINE: (IMAGINE,), Kind.REMIX: (REMIX,)}
    panel = pages.panel(Taste(spare_avatar=True), offered, locale=locale)
    view = panels.preferences(panel)
    assert view.total_children_count <= 40
    assert [toggle.on for toggle in panel.spared] == [False, True]
    assert all(1 <= len(toggle.label) <= 80 for toggle in panel.spared)


def test_what_is_not_kept_is_not_told():
    empty = Dossier(
        summary=Summary(requests=0, pictures=0, since=None, under_way=0, defaults=False, reports=0),
        files=Weight(),
        days=0,
        days_here=None,
    )
    told = english(empty)
    assert "no requests" in told
    for absent in ("kept file", "/preferences", "report", "forgotten", "server", "https://"):
        assert absent not in told, absent
    assert "under way" not in "\n".join(disclosure.question(empty, locale="en-US"))


def test_sizes_and_links():
    assert "1 kept file, 0.1 MB" in english(replace(FULL, files=Weight(files=1, size=1)))
    files = Weight(files=2, size=5 * 1024 * 1024)
    assert "2 kept files, 5.0 MB" in english(replace(FULL, files=files))
    told = english(FULL, addresses=("", "https://example.net/t"))
    assert "[Terms of use](<https://example.net/t>)" in told
    assert "Privacy policy" not in told


@pytest.mark.parametrize("verb", VERBS)
def test_the_ids_of_the_buttons_are_read_again(verb):

    view = panels.privacy(("x",), ((verb, "x"),), user_id=BIG)
    [button] = [item for item in view.walk_children() if hasattr(item, "custom_id")]
    match = re.fullmatch(panels.PRIVACY_ID, button.custom_id)
    assert (match["verb"], int(match["user"])) == (verb, BIG)
