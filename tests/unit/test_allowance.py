"""Which counters a request touches, how far each may go, and when it begins anew."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.allowance import UNLIMITED, Allowances, Caps, Prices, accounts, dollars, resets_at
from tests import build

AT = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
IN_SERVER = {"guild_id": 7, "user_id": 9, "present": True}
# A user install in a server that has not added the bot: the server's members owe it nothing.
ELSEWHERE = {"guild_id": 7, "user_id": 9, "present": False}
IN_DM = {"guild_id": None, "user_id": 9, "present": True}


@pytest.mark.parametrize(
    ("text", "caps"),
    [
        ("", Caps()),
        ("100/day", Caps(day_pictures=100)),
        (" 100 / day , $5.50/month,", Caps(day_pictures=100, month_micros=5_500_000)),
        ("0/day", Caps(day_pictures=0)),
        ("$0.000001/DAY, 7/month", Caps(day_micros=1, month_pictures=7)),
    ],
)
def test_caps_are_read_as_people_write_them(text, caps):
    assert Caps.parse(text) == caps


@pytest.mark.parametrize(
    "text",
    ["100", "day", "1.5/day", "-1/day", "5/week", "1/day, 2/day", "$/day", "€5/day", "1e9/day"],
)
def test_what_cannot_be_meant_is_refused(text):
    with pytest.raises(ValueError, match=r"takes caps|twice"):
        Caps.parse(text)


AMOUNTS = st.none() | st.integers(0, 10**9 - 1)


@given(st.builds(Caps, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS))
def test_caps_are_written_as_they_are_read(caps):
    assert Caps.parse(str(caps)) == caps


@pytest.mark.parametrize(
    ("place", "scopes"),
    [
        (IN_SERVER, {"bot", "server:7", "member:7:9"}),
        (ELSEWHERE, {"bot", "person:9"}),
        (IN_DM, {"bot", "person:9"}),
    ],
)
def test_who_pays_depends_on_the_place(place, scopes):
    touched = accounts(build.target(**place), at=AT)
    assert {account.scope for account in touched} == scopes
    assert {account.period for account in touched} == {"2026-12-31", "2026-12"}
    assert len(touched) == 2 * len(scopes)


def test_every_account_has_the_limits_of_its_kind():
    allowed = Allowances(
        bot=Caps.parse("100/day"),
        server=Caps.parse("$5/month"),
        member=Caps.parse("3/day"),
        outsider=Caps.parse("1/day"),
        failed_per_day=4,
    )
    limits = {
        (each.account.scope, each.account.period): each
        for each in allowed.limits(build.target(**IN_SERVER), at=AT)
    }
    assert limits["bot", "2026-12-31"].pictures == 100
    assert limits["bot", "2026-12"].pictures == UNLIMITED
    assert limits["server:7", "2026-12"].micros == 5_000_000
    member = limits["member:7:9", "2026-12-31"]
    assert (member.pictures, member.attempts) == (3, 4)
    assert limits["member:7:9", "2026-12"].attempts == UNLIMITED
    outside = allowed.limits(build.target(**IN_DM), at=AT)
    assert [each.pictures for each in outside] == [100, UNLIMITED, 1, UNLIMITED]
    assert [each.account for each in outside] == list(accounts(build.target(**IN_DM), at=AT))


def test_periods_end_where_the_next_begins():
    new_year = datetime(2027, 1, 1, tzinfo=UTC)
    assert resets_at(AT, "day") == resets_at(AT, "month") == new_year
    assert resets_at(new_year, "day") == datetime(2027, 1, 2, tzinfo=UTC)
    assert resets_at(new_year, "month") == datetime(2027, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("micros", "text"),
    [(0, "0.00"), (1, "0.000001"), (70_000, "0.07"), (1_500_000, "1.50"), (12_345_000, "12.345")],
)
def test_money_reads_as_money(micros, text):
    assert dollars(micros) == text


def test_prices_are_by_model_and_resolution():
    prices = Prices.parse("nano-banana-pro@2K = 0.08, gpt-image-2/text-to-image@1K=$0.03")
    assert prices.of(build.request()) == 80_000
    assert prices.of(build.request(resolution="1K")) is None
    assert prices.of(build.request(model="gpt-image-2/text-to-image", resolution="1K")) == 30_000


@pytest.mark.parametrize("text", ["model=1", "@1K=1", "m@1K=", "m@1K=-1", "m@1K 1"])
def test_a_price_that_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match="takes prices"):
        Prices.parse(text)
