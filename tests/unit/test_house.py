"""A server's rules: who is admitted, and what is spent."""

import pytest

from bot.allowance import Allowances, Caps
from bot.house import House


def test_channels_and_roles_admit():
    house = House(channels=frozenset({1, 2}), roles=frozenset({8}))
    assert house.admits(channel_ids=[1], role_ids=[8, 9]) is None
    assert house.admits(channel_ids=[5, 2], role_ids=[8]) is None  # a thread of channel 2
    assert "channel" in house.admits(channel_ids=[5], role_ids=[8]).problem
    assert "roles" in house.admits(channel_ids=[1], role_ids=[9]).problem
    assert House().admits(channel_ids=[5], role_ids=[]) is None


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a BADWORD, please", "`BADWORD` is not allowed here."),
        ("a b4d\u200bw`ord", "`b4dword` is not allowed here."),
        ("one bad" + "w" * 90 + "ord", "This server does not allow a word in your prompt."),
    ],
)
def test_the_refusal_quotes_what_its_person_wrote_and_not_the_rule(prompt, said):
    complaint = House(blocked_words=("badword", "worse*")).refuses(prompt)
    assert complaint.problem.format(**dict(complaint.values)) == said


def test_what_no_rule_names_is_welcome():
    assert House(blocked_words=("badword",)).refuses("a fox") is None


def test_the_most_generous_role_counts_and_else_the_servers_word():
    house = House(member_caps="5/day", role_caps=((1, "10/day, 20/month"), (2, "50/day")))
    assert house.caps_of([]) == Caps.parse("5/day")
    assert house.caps_of([1]) == Caps.parse("10/day, 20/month")
    assert house.caps_of([1, 2]) == Caps.parse("50/day")
    assert House().caps_of([1]) == Caps()


def test_a_server_can_only_be_stricter_than_the_operator():
    operators = Allowances(server=Caps.parse("100/day"), member=Caps.parse("10/day, $1/month"))
    house = House(caps="500/day, 50/month", member_caps="3/day")
    narrowed = house.narrows(operators, role_ids=[])
    assert narrowed.server == Caps.parse("100/day, 50/month")
    assert narrowed.member == Caps.parse("3/day, $1/month")
    assert House().narrows(operators, role_ids=[]) == operators


def test_what_another_version_wrote_is_passed_over():
    assert House.load({"private": True, "no_such_rule": 1}) == House(private=True)
    assert House().dump() == {}
