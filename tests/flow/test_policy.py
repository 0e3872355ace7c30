"""Who may ask where, and how much a day."""

from datetime import datetime, timedelta

import pytest
import simcord

from tests.flow.studio import START


async def test_a_server_that_is_not_on_the_list(open_studio):
    async with open_studio(allowed_servers=frozenset({"4711"})) as studio:
        result = await studio.imagine()
        assert not result.deferred
        assert "This server is not on the bot's list" in studio.said(result)
        assert f"add server {studio.member.guild.id}" in studio.said(result)
        assert await studio.states() == []
        assert await studio.counted() == 0


async def test_of_two_servers_only_the_listed_one_is_served(studio):
    other = studio.env.create_guild("Elsewhere")
    there, stranger = other.create_text_channel("art"), studio.env.create_user("stranger")
    member = other.add_member(stranger)
    only_here = frozenset({str(studio.member.guild.id)})
    async with studio.restarted(allowed_servers=only_here):
        refused = await member.slash(there, "imagine", prompt="a red fox")
        assert "not on the bot's list" in studio.said(refused)
        taken = await studio.imagine()
        await studio.finish()
        assert studio.shown(taken).gallery
        assert len(studio.tasks) == 1


async def test_two_servers_get_their_pictures_side_by_side(studio):
    other = studio.env.create_guild("Elsewhere")
    there = other.create_text_channel("art")
    member = other.add_member(studio.env.create_user("stranger"))
    here = await studio.imagine("a fox here")
    elsewhere = await member.slash(there, "imagine", prompt="a fox there")
    await studio.finish()
    assert "a fox here" in studio.shown(here).text
    assert "a fox there" in studio.shown(elsewhere).text
    assert (await studio.reply(elsewhere)).target.guild_id == other.id
    assert elsewhere.response.channel_id == there.id


async def test_direct_messages_where_they_are_allowed(studio):
    person = studio.env.create_user("friend")
    result = await person.slash("imagine", prompt="a red fox")
    assert (await studio.reply(result)).target.guild_id is None
    await studio.finish()
    assert studio.shown(result).heading == "Here is your picture"


async def test_direct_messages_are_not_offered_where_they_are_not_allowed(open_studio):
    async with open_studio(allow_dms=False) as studio:
        person = studio.env.create_user("friend")
        assert person.available_commands() == ()
        assert {"imagine", "remix"} <= set(studio.member.available_commands(studio.channel))
        with pytest.raises(simcord.SetupError):
            await person.slash("imagine", prompt="a red fox")


async def test_a_command_from_before_direct_messages_were_closed(studio):
    person = studio.env.create_user("friend")
    async with studio.restarted(allow_dms=False):
        result = await person.slash("imagine", prompt="a red fox")
        assert "does not take requests in direct messages" in studio.said(result)
        assert "Use it in a server" in studio.said(result)
        assert await studio.states() == []


async def test_the_days_pictures_run_out_and_come_back(open_studio):
    async with open_studio(bot_caps="2/day") as studio:
        assert (await studio.imagine()).deferred
        assert (await studio.imagine(who=studio.someone("other"))).deferred
        refused = await studio.imagine()
        assert "has made all the pictures it may make for now" in studio.said(refused)
        midnight = datetime(START.year, START.month, START.day, tzinfo=START.tzinfo)
        midnight += timedelta(days=1)
        assert f"You can ask again <t:{int(midnight.timestamp())}:R>." in studio.said(refused)
        assert len(await studio.states()) == 2
        assert await studio.counted() == 2

        studio.clock.move((midnight - START).total_seconds() - 1)
        assert not (await studio.imagine()).deferred
        studio.clock.move(1)
        assert (await studio.imagine()).deferred


async def test_the_count_outlives_the_process(open_studio):
    async with open_studio(bot_caps="1/day") as studio:
        await studio.imagine()
        await studio.finish()
        async with studio.restarted():
            refused = await studio.imagine()
            assert "all the pictures it may make for now" in studio.said(refused)
            assert await studio.counted() == 1


async def test_what_never_began_is_given_back(open_studio):
    async with open_studio(bot_caps="1/day", queue_max_age=60) as studio:
        refused = await studio.remix(image1=("text.png", b"no picture"))
        assert "cannot be read as an image" in studio.said(refused)
        expired = await studio.imagine()
        assert await studio.counted() == 1
        studio.clock.move(61)
        assert await studio.app.submitter.expire() == 1
        assert await studio.counted() == 0
        await studio.deliver()
        assert studio.shown(expired).heading == "Your request waited too long"
        assert (await studio.imagine()).deferred


async def test_no_picture_a_day_means_none(open_studio):
    async with open_studio(bot_caps="0/day") as studio:
        assert "all the pictures" in studio.said(await studio.imagine())
