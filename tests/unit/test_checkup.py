"""What /easel check says of a channel, for whatever is found there."""

import pytest

from bot import checkup
from bot.house import House
from bot.permits import NAMES, PURPOSES, Permit
from bot.policy import Place, barred

PLACE = Place(guild_id=7, installed=True, bot_dm=False, channel_ids=(1,))


def said(*, locale="en-US", house=House(), place=PLACE, **found):  # noqa: B008 - it is frozen
    found = {"mute": False, "barred": None, "age_restricted": False} | found
    channel = checkup.Channel(place=place, house=house, **found)
    return "\n".join(checkup.lines(channel, locale=locale))


@pytest.mark.parametrize("restricted", [False, True])
def test_an_age_restricted_channel_is_called_one(restricted):
    text = said(age_restricted=restricted)
    assert ("🔞 This channel is age-restricted." in text) is restricted
    assert ("This channel is not age-restricted." in text) is not restricted
    assert "age-restricted channels only" in text


def test_a_log_that_cannot_be_written_is_no_good_news():
    assert "log channel" not in said()
    house = House(log_channel=5)
    assert "✅ What happens is told in <#5>." in said(house=house)
    assert "❌ The bot cannot write to the log channel <#5>." in said(house=house, mute=True)


def test_roles_are_named_whoever_looks():
    """A moderator who lacks them asks for the server, not for themselves."""
    text = said(house=House(roles=frozenset({3, 4})))
    assert "<@&3> <@&4>" in text
    assert "❌" not in text


def test_what_stands_against_the_server_stands_there_with_its_remedy():
    text = said(barred=barred("spam", until=None, server=True))
    assert "❌ **The people who run this bot have blocked this server.** Reason: spam" in text


@pytest.mark.parametrize("locale", ["de", "es-ES", "fr", "ja", "ko", "pt-BR", "zh-CN", "en-US"])
def test_all_of_it_fits_a_message(locale):
    place = Place(guild_id=7, installed=True, bot_dm=False, permits=frozenset())
    house = House(
        channels=frozenset(10**18 + n for n in range(25)),
        roles=frozenset(10**18 + n for n in range(25)),
        log_channel=10**18,
    )
    text = said(
        locale=locale,
        house=house,
        place=place,
        mute=True,
        barred=barred("x" * 200, until=None, server=True),
    )
    assert len(text) < 4000
    assert text.count("❌") == 6 if locale == "en-US" else "❌" in text


def test_permissions_for_the_same_purpose_share_a_line():
    purpose = PURPOSES[Permit.VIEW]
    assert f"✅ **View Channel**, **Send Messages**: {purpose}" in said()
    mute = Place(
        guild_id=7, installed=True, bot_dm=False, permits=frozenset(Permit) - {Permit.SEND}
    )
    apart = f"✅ **View Channel**: {purpose}\n❌ **Send Messages**: {purpose}"
    assert apart in said(place=mute)


def test_in_a_thread_the_threads_permission_is_looked_at():
    place = Place(guild_id=7, installed=True, bot_dm=False, thread=True)
    assert NAMES[Permit.SEND_IN_THREADS] in said(place=place)
    assert f"**{NAMES[Permit.SEND]}**" not in said(place=place)
