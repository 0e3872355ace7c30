"""The words and forms of a server's rules: within Discord's limits, in every language."""

from dataclasses import fields

import pytest

from bot import charter, i18n, panels
from bot.allowance import Caps
from bot.catalog import IMAGINE, REMIX, Catalog, Complaint
from bot.house import Hands, House
from bot.ledger.servers import Block, Change
from cogs import log_form, rule_forms
from tests.build import NOW
from tests.unit.test_remix_form import LOCALES

BIG = 2**63 - 1
FULL_CAPS = str(Caps(999_999_999, 999_999_999, 10**15 - 1, 10**15 - 1))
FULL = House(
    channels=frozenset(range(BIG - 25, BIG)),
    roles=frozenset(range(BIG - 25, BIG)),
    caps=FULL_CAPS,
    member_caps=FULL_CAPS,
    role_caps=tuple((BIG - n, FULL_CAPS) for n in range(charter.ROLES_LIMIT)),
    blocked_words=("badword",) * 200,
    imagine_ratio="16:9",
    remix_ratio="3:2",
    resolution="2K",
    private=True,
    hands=Hands.OWNER,
    remix_messages=False,
    remix_avatars=False,
    log_channel=BIG,
    log_language="pt-BR",
)


def test_every_rule_has_a_name_and_a_form():
    names = {field.name for field in fields(House)}
    assert set(charter.NAMES) == names
    assert {name for form in rule_forms.FIELDS.values() for name in form} == names


@pytest.mark.parametrize(
    ("here", "everywhere", "told"),
    [
        (None, 365, "after 365 days (the bot's rule)"),
        (None, 0, "never (the bot's rule)"),
        (30, 365, "after 30 days"),
        (30, 0, "after 30 days"),
        (900, 365, "after 365 days (the bot's rule)"),
    ],
)
def test_whose_rule_it_is_when_requests_are_forgotten(here, everywhere, told):
    lines = charter.rules(House(retention_days=here), (), days=everywhere, locale="en-US")
    assert f"**Requests are forgotten**: {told}" in "\n".join(lines).split("\n")


@pytest.mark.parametrize("locale", LOCALES)
def test_the_panel_fits_whatever_is_set(locale):
    changes = [Change(BIG, NOW, name, None, None) for name in list(charter.NAMES)[:5]]
    lines = charter.rules(FULL, changes, days=365, locale=locale, mute=True)
    assert sum(map(len, lines)) <= 4000
    with i18n.use(locale):
        buttons = [i18n._(title) for title in rule_forms.TITLES.values()]
    assert all(1 <= len(label) <= 45 for label in buttons)
    assert panels.rules(lines, (("words", buttons[2]),)).total_children_count <= 40


def test_a_change_of_somebody_who_was_forgotten_names_nobody():
    [*_, last] = charter.rules(
        House(), [Change(0, NOW, "private", None, True)], days=365, locale="en-US"
    )
    assert "<@" not in last
    assert "Private by default \u00b7 <t:" in last


@pytest.mark.parametrize("locale", LOCALES)
def test_the_blocks_fit(locale):
    blocks = [Block(1, BIG, "*" * 200, NOW, BIG)] * 30 + [Block(1, BIG, "*" * 200, None, BIG)] * 30
    for found in (blocks, blocks[::-1]):
        assert sum(map(len, charter.blocks(found, locale=locale))) <= 4000


@pytest.mark.parametrize("house", [House(), FULL], ids=["nothing", "everything"])
@pytest.mark.parametrize("form", list(rule_forms.FIELDS))
@pytest.mark.parametrize("locale", LOCALES)
async def test_a_form_fits_and_is_not_cut(locale, form, house):
    catalog = Catalog.with_ids(imagine=IMAGINE.id, remix=REMIX.id)
    if form == log_form.NAME:
        made = log_form.form(house, locale=locale, server_locale=locale)
    else:
        made = rule_forms.form(form, house, catalog, locale=locale)
    told = made.to_dict()
    assert 1 <= len(told["title"]) <= 45
    assert len(told["custom_id"]) <= 100
    assert 1 <= len(told["components"]) <= 5
    for label in told["components"]:
        # What is cut would be as long as it may be.
        assert 1 <= len(label["label"]) < 45
        assert len(label.get("description") or "") < 100
        options = label["component"].get("options", [])
        assert len(options) <= 25
        assert all(1 <= len(option["label"]) <= 100 for option in options)
        assert len(label["component"].get("value") or "") <= 4000


def test_the_log_speaks_every_language_and_the_servers_own_at_first():
    languages = {path.parts[-3] for path in i18n.CATALOGUES.glob("*/LC_MESSAGES/*.po")}
    spoken = {name.replace("-", "_") for name in charter.LANGUAGES} - {"en_US"}
    assert {name.partition("_")[0] for name in spoken} == {
        name.partition("_")[0] for name in languages
    }
    told = {"en-GB": "en-US", "es-419": "es-ES", "fr": "fr", "nl": "en-US", "": "en-US"}
    for locale, wanted in told.items():
        assert charter.language(locale) == wanted
        form = log_form.form(House(), locale="en-US", server_locale=locale).to_dict()
        options = form["components"][1]["component"]["options"]
        assert [each["value"] for each in options if each.get("default")] == [wanted]


def test_no_more_roles_than_the_panel_holds():
    full = charter.limits(FULL, server="", member="", roles=[1], role="5/day")
    assert isinstance(full, Complaint)
    changed = charter.limits(FULL, server="", member="", roles=[BIG], role="5/day")
    assert dict(changed["role_caps"])[BIG] == "5/day"
    gone = charter.limits(FULL, server="", member="", roles=[BIG], role=" ")
    assert BIG not in dict(gone["role_caps"])
    assert len(gone["role_caps"]) == charter.ROLES_LIMIT - 1


def test_a_mark_tells_of_these_rules_and_no_others():
    one = House(private=True)
    assert one.mark(["private"]) != House().mark(["private"])
    assert one.mark(["roles"]) == House().mark(["roles"])
    assert House.load(FULL.dump()).mark(charter.NAMES) == FULL.mark(charter.NAMES)


@pytest.mark.parametrize(
    ("typed", "days"), [("", None), ("  ", None), ("1", 1), (" 30 ", 30), ("3650", 3650)]
)
def test_days_until_requests_are_forgotten(typed, days):
    assert charter.words("", days=typed) == {"blocked_words": (), "retention_days": days}


@pytest.mark.parametrize("typed", ["0", "-1", "1.5", "3651", "1" * 5000, "week", "\u0663", "1 2"])
def test_days_that_are_none_are_refused(typed):
    assert isinstance(charter.words("fox", days=typed), Complaint)


@pytest.mark.parametrize("locale", LOCALES)
def test_a_rule_that_is_not_set_is_a_dash_for_nouns_have_genders(locale):
    told = "\n".join(charter.rules(House(), (), days=365, locale=locale)).splitlines()
    for name in ("caps", "member_caps", "role_caps", "blocked_words", "log_channel"):
        with i18n.use(locale):
            assert f"**{i18n._(charter.NAMES[name])}**: \u2013" in told


def test_every_rule_stands_on_the_panel_beside_those_of_its_form():
    told = charter.rules(FULL, (), days=365, locale="en-US")
    for name in charter.NAMES.values():
        assert sum(f"**{name}**" in part for part in told) == 1, name
    [words] = [part for part in told if "Words that are not allowed" in part]
    assert "Requests are forgotten" in words
