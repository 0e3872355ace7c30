"""What moderators set, on both databases: rules, the record of changes, blocks."""

import asyncio
from datetime import timedelta

import pytest

from bot.house import Hands, House
from bot.ledger import servers
from bot.ledger.servers import ALL, EVERYWHERE
from tests.build import NOW

HOUR = timedelta(hours=1)
MODERATOR, PERSON, SERVER = 7, 44, 33


async def change(ledger, guild_id=SERVER, **rules):
    return await ledger.run(servers.change, guild_id, user_id=MODERATOR, rules=rules, now=NOW)


async def blocked(ledger, *, guild_id=SERVER, user_id=PERSON, now=NOW):
    return await ledger.run(servers.blocked, guild_id=guild_id, user_id=user_id, now=now)


async def test_a_server_that_set_nothing_has_the_standard_rules(ledger):
    assert await ledger.run(servers.house, SERVER) == House()
    assert await ledger.run(servers.recent_changes, SERVER) == []


async def test_every_kind_of_rule_comes_back_as_it_was_set(ledger):
    rules = House(
        channels=frozenset({2**60, 5}),
        roles=frozenset({6}),
        caps="100/day",
        member_caps="$1.50/month",
        role_caps=((8, "50/day"), (9, "")),
        blocked_words=("b\u00f6se", "\u574f"),
        imagine_ratio="16:9",
        private=True,
        hands=Hands.OWNER,
        remix_messages=False,
    )
    await change(ledger, **rules.dump())
    assert await ledger.run(servers.house, SERVER) == rules
    assert await ledger.run(servers.house, SERVER + 1) == House()


async def test_each_change_is_recorded_and_no_other(ledger):
    await change(ledger, private=True, hands="owner")
    await change(ledger, private=True, hands="everyone")
    recorded = await ledger.run(servers.recent_changes, SERVER)
    assert [(each.name, each.before, each.after) for each in recorded] == [
        ("hands", "owner", None),
        ("hands", None, "owner"),
        ("private", None, True),
    ]
    assert {(each.user_id, each.at) for each in recorded} == {(MODERATOR, NOW)}


async def test_two_that_change_different_rules_at_once_change_both(ledger):
    await asyncio.gather(
        *(change(ledger, **rule) for rule in [{"private": True}, {"caps": "1/day"}])
    )
    house = await ledger.run(servers.house, SERVER)
    assert (house.private, house.caps) == (True, "1/day")


async def test_of_two_that_saw_the_same_and_change_it_at_once_one_counts(ledger):
    """Whoever comes second did not see what would be overwritten."""
    mark = House().mark(["blocked_words"])
    written = await asyncio.gather(
        *(
            ledger.run(
                servers.change,
                SERVER,
                user_id=MODERATOR,
                rules={"blocked_words": (word,)},
                now=NOW,
                mark=mark,
            )
            for word in ("one", "two")
        )
    )
    assert sum(house is None for house in written) == 1
    assert await ledger.run(servers.house, SERVER) in written
    assert len(await ledger.run(servers.recent_changes, SERVER)) == 1


@pytest.mark.parametrize(
    ("guild_id", "user_id", "stands"),
    [
        (SERVER, PERSON, True),
        (SERVER, ALL, True),
        (EVERYWHERE, PERSON, True),
        (SERVER + 1, PERSON, False),
        (SERVER + 1, ALL, False),
        (SERVER, PERSON + 1, False),
        (EVERYWHERE, PERSON + 1, False),
    ],
)
async def test_a_block_holds_for_whom_it_was_set(ledger, guild_id, user_id, stands):
    await ledger.run(servers.block, guild_id=guild_id, user_id=user_id, reason="spam", now=NOW)
    found = await blocked(ledger)
    assert (found is not None) is stands


async def test_outside_of_servers_only_the_operators_word_holds(ledger):
    await ledger.run(servers.block, guild_id=SERVER, user_id=PERSON, reason="spam", now=NOW)
    assert await blocked(ledger, guild_id=None) is None
    await ledger.run(servers.block, guild_id=EVERYWHERE, user_id=PERSON, reason="abuse", now=NOW)
    assert (await blocked(ledger, guild_id=None)).reason == "abuse"
    assert (await blocked(ledger)).reason == "abuse"


@pytest.mark.parametrize(("guild_id", "user_id"), [(EVERYWHERE, PERSON), (SERVER, ALL)])
async def test_what_the_operator_set_moderators_neither_see_nor_lift(ledger, guild_id, user_id):
    key = {"guild_id": guild_id, "user_id": user_id}
    await ledger.run(servers.block, **key, reason="abuse", now=NOW)
    await ledger.run(servers.block, guild_id=SERVER, user_id=PERSON, reason="spam", now=NOW)
    assert [
        each.reason for each in await ledger.run(servers.all_blocks, guild_id=SERVER, now=NOW)
    ] == ["spam"]
    assert not await ledger.run(servers.unblock, **key)
    assert await ledger.run(servers.unblock, guild_id=SERVER, user_id=PERSON)
    assert (await blocked(ledger)).reason == "abuse"
    assert await ledger.run(servers.operators_blocks, now=NOW) == [
        servers.Block(guild_id, user_id, "abuse", None)
    ]
    assert await ledger.run(servers.lift, **key, now=NOW)
    assert await blocked(ledger) is None
    assert await ledger.run(servers.operators_blocks, now=NOW) == []


async def test_the_operator_lifts_nothing_that_moderators_set(ledger):
    await ledger.run(servers.block, guild_id=SERVER, user_id=PERSON, reason="spam", now=NOW)
    for key in ((EVERYWHERE, PERSON), (SERVER, ALL)):
        guild_id, user_id = key
        assert not await ledger.run(servers.lift, guild_id=guild_id, user_id=user_id, now=NOW)
    assert (await blocked(ledger)).reason == "spam"


async def test_the_operators_blocks_are_listed_people_first_and_the_newest_first(ledger):
    keys = [(SERVER, ALL), (EVERYWHERE, 1), (EVERYWHERE, 2), (SERVER + 1, ALL)]
    for number, (guild_id, user_id) in enumerate(keys):
        key = {"guild_id": guild_id, "user_id": user_id}
        await ledger.run(servers.block, **key, reason="spam", now=NOW + number * HOUR)
    key = {"guild_id": EVERYWHERE, "user_id": 3}
    await ledger.run(servers.block, **key, reason="over", now=NOW, until=NOW + HOUR)
    found = await ledger.run(servers.operators_blocks, now=NOW + 9 * HOUR)
    assert [(each.guild_id, each.user_id) for each in found] == [
        (EVERYWHERE, 2),
        (EVERYWHERE, 1),
        (SERVER + 1, ALL),
        (SERVER, ALL),
    ]


async def test_a_pause_ends_by_itself_and_a_block_when_it_is_lifted(ledger):
    await ledger.run(
        servers.block, guild_id=SERVER, user_id=PERSON, reason="pause", now=NOW, until=NOW + HOUR
    )
    assert (await blocked(ledger)).until == NOW + HOUR
    assert await blocked(ledger, now=NOW + HOUR) is None
    assert await ledger.run(servers.all_blocks, guild_id=SERVER, now=NOW + HOUR) == []
    await ledger.run(servers.block, guild_id=SERVER, user_id=PERSON, reason="for good", now=NOW)
    assert (await blocked(ledger, now=NOW + 9999 * HOUR)).reason == "for good"
    [only] = await ledger.run(servers.all_blocks, guild_id=SERVER, now=NOW)
    assert only.reason == "for good"
    assert await ledger.run(servers.unblock, guild_id=SERVER, user_id=PERSON)
    assert not await ledger.run(servers.unblock, guild_id=SERVER, user_id=PERSON)
    assert await blocked(ledger) is None
