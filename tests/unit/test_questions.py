"""Questions about a price: when one is asked, what it says, and for how long it is remembered."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import render
from bot.allowance import MICROS, UNLIMITED, Account, Limit, Spent
from bot.ledger.ledger import Ledger
from bot.model import open_reply
from bot.questions import KEPT, LIFE, Answer, Question, Questions
from tests import build
from tests.flow.studio import MovedClock

ME, OTHER = 44, 55


def questions(clock=None, *, above=Decimal(1)):
    # Nothing here asks the ledger.
    return Questions(
        ledger=Ledger("sqlite:///nowhere.db"), clock=clock or MovedClock(), above=above
    )


def reply(*, price, count):
    return open_reply(build.request(), build.target(), count=count, now=build.NOW, price=price)


async def go_on(_press):
    """Nobody presses here."""


@given(
    above=st.integers(0, 10 * MICROS),
    price=st.integers(0, 3 * MICROS) | st.none(),
    count=st.integers(1, 4),
)
def test_it_is_asked_exactly_where_all_pictures_together_cost_more(above, price, count):
    asked = questions(above=Decimal(above) / MICROS).needed(reply(price=price, count=count))
    assert asked is ((price or 0) * count > above)


@given(price=st.integers(0, 10**12), count=st.integers(1, 4))
def test_without_a_setting_nobody_is_asked(price, count):
    assert not questions(above=None).needed(reply(price=price, count=count))


amounts = st.integers(0, 10**9)


@given(
    micros=st.integers(1, 10**9),
    limit=st.none() | st.tuples(amounts | st.just(UNLIMITED), amounts | st.just(UNLIMITED)),
    spent=st.tuples(amounts, amounts),
    locale=st.sampled_from(["en-US", "de", "ja", "pt-BR"]),
)
def test_it_always_reads_as_two_lines_without_a_gap(micros, limit, spent, locale):
    at = Account("member:1:2", "2026-03-14")
    most = limit and Limit(at, build.NOW, pictures=limit[0], micros=limit[1])
    question = Question("2 × model, 1K", micros, most, Spent(pictures=spent[0], micros=spent[1]))
    text = render.complaint(question.words(), locale=locale)
    assert question.price in text
    assert question.pictures in text
    assert len(text.split("\n")) == 2
    assert "{" not in text
    assert "-" not in text.replace("-ci", ""), "nothing below zero is left"


@pytest.mark.parametrize(
    ("seconds", "found"), [(0, True), (599.9, True), (600, False), (86400, False)]
)
def test_it_is_remembered_for_ten_minutes(seconds, found):
    clock = MovedClock()
    asked = questions(clock)
    key = asked.keep(go_on, user_id=ME, interaction_id=1)
    clock.move(seconds)
    assert asked.take(key, user_id=ME) is (go_on if found else Answer.LATE)


def test_it_is_answered_once_and_by_its_person_alone():
    asked = questions()
    key = asked.keep(go_on, user_id=ME, interaction_id=1)
    assert asked.take(key, user_id=OTHER) is Answer.STRANGE
    assert asked.take(key, user_id=ME) is go_on
    assert asked.take(key, user_id=ME) is Answer.TWICE
    assert asked.take("0" * 16, user_id=ME) is Answer.LATE


def test_an_interaction_asks_once_also_after_its_answer():
    clock = MovedClock()
    asked = questions(clock)
    key = asked.keep(go_on, user_id=ME, interaction_id=1)
    assert asked.keep(go_on, user_id=ME, interaction_id=1) is None
    assert asked.take(key, user_id=ME) is go_on
    assert asked.keep(go_on, user_id=ME, interaction_id=1) is None
    assert asked.keep(go_on, user_id=ME, interaction_id=2) not in (None, key)


@given(steps=st.lists(st.integers(0, 400), min_size=1, max_size=40))
def test_it_holds_no_more_than_it_may_and_nothing_that_is_over(steps):
    clock = MovedClock()
    asked = questions(clock)
    live = []
    for number, seconds in enumerate(steps):
        clock.move(seconds)
        live = [at for at in live if clock() - at < LIFE] + [clock()]
        asked.keep(go_on, user_id=ME, interaction_id=number)
        assert len(asked) == len(live)


def test_the_oldest_goes_first_where_there_are_too_many():
    asked = questions()
    keys = [asked.keep(go_on, user_id=ME, interaction_id=n) for n in range(KEPT + 1)]
    assert len(asked) == KEPT
    assert asked.take(keys[0], user_id=ME) is Answer.LATE
    assert asked.take(keys[1], user_id=ME) is go_on


def test_a_life_is_shorter_than_the_token_that_takes_the_question_away():
    assert timedelta(minutes=15) - LIFE >= timedelta(minutes=4)
