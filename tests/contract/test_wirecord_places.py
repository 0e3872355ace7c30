"""Where the app is a guest: real discord.py against the stand-in, as a person's own app."""

import discord
import pytest

from sandbox.wirecord import asking, places
from tests.contract import wirecord_bot
from tests.contract.wirecord_bot import PNG, deferred, file, refusal, until

MINE = {"1": asking.USER}
FRIEND = asking.USER + 1
EVERYTHING = places.ALL_PERMISSIONS
GUEST_PLACES = {
    "server": {"owners": MINE},
    "group": {"guild": None, "context": 2, "owners": MINE},
    "friends": {"guild": None, "context": 2, "other": FRIEND, "owners": MINE},
}


@pytest.fixture
async def pair():
    async with wirecord_bot.pair() as both:
        both.discord.limits_off()
        yield both


@pytest.mark.parametrize("place", GUEST_PLACES)
async def test_in_a_guests_place_only_the_token_works(pair, place):
    asked = await pair.ask(deferred, **GUEST_PLACES[place])
    seen = pair.bot.seen[0]
    assert seen.is_user_integration()
    assert not seen.is_guild_integration()
    assert seen.app_permissions.attach_files
    assert not seen.app_permissions.send_messages
    channel = pair.bot.get_partial_messageable(asked.channel.id)
    message = channel.get_partial_message(asked.message.id)
    for call in (
        channel.send("x"),
        message.edit(content="x"),
        message.fetch(),
        message.delete(),
        pair.bot.http.get_channel(asked.channel.id),
    ):
        assert await refusal(call) == (403, 50001)
    await seen.edit_original_response(content="by token")
    assert asked.message.text == "by token"
    pair.discord.move_clock(900)
    assert await refusal(seen.edit_original_response(content="late")) == (401, 50027)
    again = await pair.discord.command("paint", {"prompt": "x"}, **GUEST_PLACES[place])
    await again.acknowledged()
    assert again.token != asked.token


async def test_a_group_and_a_friend_are_places_of_their_own(pair):
    await pair.ask(deferred, **GUEST_PLACES["group"])
    await pair.ask(deferred, **GUEST_PLACES["friends"])
    group, friends = pair.bot.seen
    assert group.context.private_channel
    assert friends.context.private_channel
    assert isinstance(group.channel, discord.GroupChannel)
    assert isinstance(friends.channel, discord.DMChannel)
    assert friends.channel.id != group.channel.id


@pytest.mark.parametrize(
    ("missing", "owners", "private"),
    [
        (0, MINE, False),
        (places.USE_EXTERNAL_APPS, MINE, True),
        (places.SEND_MESSAGES, MINE, True),
        (places.ATTACH_FILES, MINE, False),
        (places.USE_EXTERNAL_APPS, {"0": asking.GUILD, "1": asking.USER}, False),
    ],
)
async def test_who_may_not_bring_an_app_gets_its_answers_alone(pair, missing, owners, private):
    told = []

    async def answer(interaction):
        told.append(await interaction.response.defer(thinking=True))
        await interaction.edit_original_response(attachments=[file()])
        told.append(await interaction.followup.send("more", wait=True))

    asked = await pair.ask(answer, owners=owners, permissions=EVERYTHING & ~missing)
    await until(lambda: len(told) == 2)
    assert told[0].is_ephemeral() is private
    assert told[1].flags.ephemeral is private
    seen = pair.bot.seen[0]
    assert seen.permissions.value == EVERYTHING & ~missing
    [attachment] = (await seen.original_response()).attachments
    assert ("/ephemeral-attachments/" in attachment.url) is private
    assert await pair.bot.http.get_from_cdn(attachment.url) == PNG
    await seen.delete_original_response()
    assert asked.message.deleted
    assert await refusal(pair.bot.http.get_from_cdn(attachment.url)) == (404, 0)


async def test_edits_do_not_count_as_follow_ups_and_a_press_has_five_of_its_own(pair):
    message = await (await pair.ask(owners=MINE)).pictured()
    seen = pair.bot.seen[0]
    for number in range(5):
        sent = await seen.followup.send(str(number), wait=True)
        await sent.edit(content=f"{number} again")
        await seen.edit_original_response(content=None)
    assert await refusal(seen.followup.send("6")) == (400, 40094)

    async def pressed(interaction):
        pair.bot.seen.append(interaction)
        await interaction.response.defer()

    pair.bot.pressed = pressed
    await (await pair.discord.click(message, "job:again:j1")).acknowledged()
    await pair.bot.seen[-1].followup.send("fresh")


async def test_a_component_belongs_to_who_brought_the_app_whoever_presses(pair):
    message = await (await pair.ask(owners=MINE)).pictured()

    async def pressed(interaction):
        pair.bot.seen.append(interaction)
        await interaction.response.defer(thinking=True)

    pair.bot.pressed = pressed
    press = await pair.discord.click(message, "job:again:j1", user=FRIEND)
    await press.acknowledged()
    seen = pair.bot.seen[-1]
    assert seen.user.id == FRIEND
    assert press.event["authorizing_integration_owners"] == {"1": str(asking.USER)}
    assert not seen.is_user_integration()
    assert not seen.is_guild_integration()
    assert press.alone


async def test_no_direct_message_reaches_who_shares_no_server(pair):
    asked = await pair.ask(deferred, guild=None, owners=MINE)
    channel = await pair.bot.http.start_private_message(asking.USER)
    assert int(channel["id"]) == asked.channel.id
    direct = pair.bot.get_partial_messageable(asked.channel.id)
    assert await refusal(direct.send("x")) == (403, 50278)
    # Its own message there the bot may still edit.
    await direct.get_partial_message(asked.message.id).edit(content="by the bot")
    assert asked.message.text == "by the bot"
    await pair.ask(deferred)  # in a server with the bot
    await direct.send("now it does")


async def test_a_channel_whose_past_may_not_be_read_looks_empty(pair):
    asked = await pair.ask(deferred)
    channel = pair.bot.get_partial_messageable(asked.channel.id)
    message = channel.get_partial_message(asked.message.id)
    assert [each.id async for each in channel.history()] == [message.id]
    asked.channel.history = False
    assert [each async for each in channel.history()] == []
    assert await refusal(message.fetch()) == (403, 50013)
    await message.edit(content="still its own")
    assert asked.message.text == "still its own"


@pytest.mark.parametrize("locale", [str(locale) for locale in discord.Locale])
async def test_every_locale_of_discord_arrives(pair, locale):
    await pair.ask(deferred, locale=locale)
    assert str(pair.bot.seen[0].locale) == locale


async def test_time_may_pass_without_ids_of_the_future(pair):
    asked = await pair.ask(deferred)
    pair.discord.move_clock(900, ids=False)
    seen = pair.bot.seen[0]
    assert await refusal(seen.edit_original_response(content="late")) == (401, 50027)
    later = await pair.ask(deferred)
    assert later.id > asked.id
    age = discord.utils.utcnow() - pair.bot.seen[1].created_at
    assert abs(age.total_seconds()) < 2
    await pair.bot.seen[1].edit_original_response(content="in time")
