"""What an answer takes in a channel: every set of permissions against every kind of answer."""

import itertools

import discord
import pytest

from bot import i18n
from bot.permits import NAMES, PURPOSES, Permit, lacking, needed
from bot.policy import Place
from bot.render import complaint

SETS = [
    frozenset(each) for n in range(len(Permit) + 1) for each in itertools.combinations(Permit, n)
]


def test_each_is_a_permission_of_discords_with_a_name_and_a_purpose():
    for permit in Permit:
        assert getattr(discord.Permissions(**{permit: True}), permit)
    assert set(NAMES) == set(PURPOSES) == set(Permit)


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("thread", [False, True])
def test_exactly_what_is_missing_is_named(private, thread):
    takes = needed(private=private, thread=thread)
    for has in SETS:
        said = lacking(has, private=private, thread=thread)
        missing = [NAMES[each] for each in takes if each not in has]
        assert (said is None) is not missing
        if said is not None:
            problem = complaint(said, locale="en-US").partition("\n")[0]
            assert problem == (
                f"**The bot lacks a permission in this channel: {', '.join(missing)}.**"
            )


def test_a_thread_takes_its_own_permission_to_write():
    assert Permit.SEND not in needed(private=False, thread=True)
    assert Permit.SEND_IN_THREADS not in needed(private=False, thread=False)


def test_history_is_never_a_reason_to_refuse():
    has = set(Permit) - {Permit.HISTORY}
    for private, thread in itertools.product([False, True], repeat=2):
        assert lacking(has, private=private, thread=thread) is None


def test_a_private_answer_is_offered_only_where_it_would_do():
    for missing, offered in ((Permit.SEND, True), (Permit.ATTACH, False)):
        said = lacking(set(Permit) - {missing}, private=False, thread=False)
        assert ("private" in said.fix) is offered
        alone = lacking(set(Permit) - {missing}, private=True, thread=False)
        assert (alone is None) is offered


def test_the_names_are_read_in_the_readers_language():
    said = lacking((), private=True, thread=False)
    with i18n.use("de"):
        assert i18n._(NAMES[Permit.ATTACH]) in complaint(said, locale="de")
    assert "Attach Files" not in complaint(said, locale="de")


def test_only_a_server_that_has_the_bot_is_asked():
    """A guest has its token and nothing else; in direct messages nothing can be switched on."""
    nothing = frozenset()
    for place, looked_at in (
        (Place(guild_id=7, installed=True, bot_dm=False, permits=nothing), True),
        (Place(guild_id=7, installed=False, bot_dm=False, permits=nothing), False),
        (Place(guild_id=None, installed=False, bot_dm=True, permits=nothing), False),
    ):
        assert (place.lacks(private=False) is not None) is looked_at
