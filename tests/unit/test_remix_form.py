"""The remix form: within Discord's limits whatever is in it, in every language."""

import pytest

from bot import fetch, i18n
from bot.catalog import REMIX
from bot.house import House
from bot.media import Media
from bot.model import Reference
from cogs import finding, remix_form
from tests import catalogues

LOCALES = ["en-US", *(name.replace("_", "-") for name in sorted(catalogues.languages()))]


async def unread(_url):
    raise fetch.Gone("nothing is read here")


def found(count):
    return tuple(
        finding.Found(
            reference=Reference(url=f"https://cdn.discordapp.com/{n}", filename="w" * 60),
            content_type="image/png",
            media=Media(fetch=unread),
            pixels="10000\u00d710000",
        )
        for n in range(count)
    )


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("count", [1, 2, 30])
@pytest.mark.parametrize("card", [False, True])
async def test_the_form_fits(locale, count, card):
    with i18n.use(locale):
        form = remix_form.RemixForm(
            f"{'0' * 16}-{'a' * 16}",
            found(count),
            model=REMIX,
            left_out=("x" * 60,) * 9,
            private=True,
            house=House(),
            card=card,
        )
        told = form.to_dict()
        assert i18n._("What should it become?") in [each["label"] for each in told["components"]]
    assert 1 <= len(told["title"]) <= 45
    assert len(told["custom_id"]) <= 100
    assert len(told["components"]) == (4 if count == 1 else 5)
    for label in told["components"]:
        assert 1 <= len(label["label"]) <= 45
        assert len(label.get("description") or "") <= 100
        assert len(label["component"].get("placeholder") or "") <= 100
        options = label["component"].get("options", [])
        assert len(options) <= 25
        assert all(1 <= len(option["label"]) <= 100 for option in options)
        ticked = [option for option in options if option.get("default")]
        assert len(ticked) <= (label["component"].get("max_values") or 1)


@pytest.mark.parametrize("card", [False, True])
async def test_of_the_pictures_of_a_card_one_is_chosen_by_its_place(card):
    form = remix_form.RemixForm(
        "-", found(2), model=REMIX, left_out=(), private=False, house=House(), card=card
    )
    [images, *_] = [each["component"] for each in form.to_dict()["components"]]
    labels = [option["label"] for option in images["options"]]
    assert (labels == ["Picture 1", "Picture 2"]) is card
    assert [bool(option.get("default")) for option in images["options"]] == [not card] * 2
