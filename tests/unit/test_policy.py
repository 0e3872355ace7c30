"""Who may ask, and where: every place against every rule."""

import itertools
from dataclasses import replace

import pytest

from bot.policy import Place, Policy

SERVER = Place(guild_id=7, installed=True, bot_dm=False)
OWN_DM = Place(guild_id=None, installed=False, bot_dm=True)
# What a person who installed the bot for themselves can reach beyond those two.
ELSEWHERE = [
    Place(guild_id=7, installed=False, bot_dm=False, theirs=True),
    Place(guild_id=None, installed=False, bot_dm=False, theirs=True),
]
# The same places for somebody else, who presses a button there.
BROUGHT = [replace(place, theirs=False) for place in ELSEWHERE]


def policy(*, servers=frozenset({"7"}), dms=False, user_install=False):
    return Policy(allowed_servers=servers, allow_dms=dms, allow_user_install=user_install)


@pytest.mark.parametrize(
    ("servers", "may"),
    [
        ({"7"}, True),
        ({"7", "8"}, True),
        ({"*"}, True),
        ({"8", "*"}, True),
        ({"8"}, False),
        ({"77"}, False),
        (set(), False),
    ],
)
@pytest.mark.parametrize(("dms", "user_install"), itertools.product([False, True], repeat=2))
def test_a_server_may_ask_if_it_is_on_the_list_whatever_else_is_allowed(
    servers, may, dms, user_install
):
    checked = policy(servers=frozenset(servers), dms=dms, user_install=user_install).check(SERVER)
    assert (checked is None) is may


@pytest.mark.parametrize("user_install", [False, True])
def test_in_a_server_off_the_list_a_persons_own_install_counts(user_install):
    place = replace(SERVER, theirs=True)
    checked = policy(servers=frozenset({"8"}), user_install=user_install).check(place)
    assert (checked is None) is user_install


@pytest.mark.parametrize("place", BROUGHT)
@pytest.mark.parametrize("user_install", [False, True])
def test_what_one_person_brought_another_may_not_use(place, user_install):
    assert policy(servers=frozenset({"*"}), dms=True, user_install=user_install).check(place)


def test_a_refused_server_is_told_its_id():
    complaint = policy(servers=frozenset({"8"})).check(SERVER)
    assert "7" in complaint.fix.format(**dict(complaint.values))


@pytest.mark.parametrize("user_install", [False, True])
@pytest.mark.parametrize("dms", [False, True])
def test_direct_messages_follow_their_own_rule(dms, user_install):
    complaint = policy(dms=dms, user_install=user_install).check(OWN_DM)
    assert (complaint is None) is dms


@pytest.mark.parametrize("place", ELSEWHERE)
@pytest.mark.parametrize("dms", [False, True])
@pytest.mark.parametrize("user_install", [False, True])
@pytest.mark.parametrize("servers", [{"7"}, {"*"}])
def test_elsewhere_only_user_installs_count_and_the_list_of_servers_opens_nothing(
    place, dms, user_install, servers
):
    rules = policy(servers=frozenset(servers), dms=dms, user_install=user_install)
    assert (rules.check(place) is None) is user_install


@pytest.mark.parametrize("place", [SERVER, OWN_DM, *ELSEWHERE, *BROUGHT])
def test_a_refusal_says_what_is_wrong_and_what_to_do(place):
    complaint = policy(servers=frozenset({"8"})).check(place)
    values = dict(complaint.values)
    for sentence in (complaint.problem, complaint.fix):
        assert sentence.format(**values).endswith(".")
