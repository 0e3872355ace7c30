"""How a finished card reaches its person where only the stand-in with real sockets can tell.

The simulated Discord of `test_ladder` knows no nonces, takes every file, and refuses to tell of a
channel whose past the bot may not read; Discord says of such a one that it is empty.
"""

import asyncio

import discord
import pytest
import sqlalchemy as sa

from bot import delivery, messenger
from bot.ledger import schema
from sandbox import painter
from sandbox.wirecord import asking, faults, multipart
from tests.flow import wired
from tests.flow.studio import eventually
from tests.flow.wired import galleries

SAY = "POST /channels/*/messages"
LOOK = "GET /channels/{channel}/messages"
FORGOTTEN = 400  # seconds after which Discord knows no nonce any more


@pytest.fixture
async def world(tmp_path, monkeypatch):
    monkeypatch.setattr(painter, "LONG_EDGE", {"1K": 160, "2K": 320})
    monkeypatch.setattr(messenger, "FIRST_PAUSE", 0.001)
    async with wired.opened(tmp_path) as opened:
        yield opened


@pytest.fixture
async def desk(world):
    """Where nothing can be shown by an edit."""
    world.discord.fault(faults.refuse(403, code=50001), on="PATCH *", times=100)
    return world


async def made(desk, *, private=False, **how):
    """An ask whose picture is made and waits to be shown."""
    options = {"prompt": "a red fox", "private": private}
    asked = await desk.discord.command("imagine", options, **how)
    await asked.acknowledged()
    await eventually(desk.idle)
    while await desk.app.submitter.step():
        pass
    for _ in range(60):
        await desk.hiapi.settle()
        await desk.app.tracker.step()
        if (await desk.reply(asked)).settled:
            return asked
        desk.clock.move(1)
    raise AssertionError("still under way after a minute")


def chat(desk, asked, count):
    """Other things that are said there now."""
    for number in range(count):
        body = multipart.Body({"content": f"line {number}"})
        desk.discord.messages.post(asked.message.channel, body, limit=0, how="channel")


def pictures(desk, channel_id):
    return [each for each in desk.discord.messages.all(channel_id) if galleries(each)]


async def lost(desk, *, sent):
    """A round in which the answer to the new message is lost, or the message itself."""
    desk.discord.fault(faults.HangUp(after=sent), on=SAY)
    await desk.app.deliverer.step()


async def later(desk, asked):
    """The next round, when Discord has forgotten the nonce; what the ledger says then."""
    desk.clock.move(FORGOTTEN)
    await desk.app.deliverer.step()
    return await desk.reply(asked)


# --- a message that may have been sent ------------------------------------------------------------


@pytest.mark.parametrize("sent", [True, False])
async def test_behind_a_page_of_other_messages_it_is_found_or_known_to_be_missing(desk, sent):
    asked = await made(desk)
    chat(desk, asked, 150)
    await lost(desk, sent=sent)
    assert (await later(desk, asked)).delivery == "delivered"
    assert len(pictures(desk, asked.message.channel.id)) == 1


async def test_what_was_said_long_after_is_not_read(desk):
    asked = await made(desk)
    await lost(desk, sent=False)
    desk.clock.move(3600)
    chat(desk, asked, 100 * (messenger.LOOK_PAGES + 1))
    assert (await later(desk, asked)).delivery == "delivered"
    assert len(pictures(desk, asked.message.channel.id)) == 1
    assert desk.discord.log.routes[LOOK] == 1


async def test_a_look_ends_and_nothing_is_repeated_on_a_guess(desk):
    asked = await made(desk)
    chat(desk, asked, 100 * messenger.LOOK_PAGES)
    await lost(desk, sent=True)
    assert (await later(desk, asked)).delivery == "undeliverable"
    assert len(pictures(desk, asked.message.channel.id)) == 1


async def test_a_channel_whose_past_may_not_be_read_only_looks_empty(desk):
    asked = await made(desk)
    asked.message.channel.history = False
    await lost(desk, sent=True)
    assert (await later(desk, asked)).delivery == "undeliverable"
    assert len(pictures(desk, asked.message.channel.id)) == 1


@pytest.mark.parametrize("guild", [{}, {"guild": None}], ids=["server", "direct"])
async def test_where_it_may_be_read_an_empty_channel_is_empty(desk, guild):
    asked = await made(desk, **guild)
    await lost(desk, sent=False)
    assert (await later(desk, asked)).delivery == "delivered"
    assert len(pictures(desk, asked.message.channel.id)) == 1


@pytest.mark.parametrize("sent", [True, False])
async def test_direct_messages_can_always_be_read(desk, sent):
    asked = await made(desk, private=True)
    desk.clock.move(16 * 60)
    await lost(desk, sent=sent)
    assert (await later(desk, asked)).delivery == "delivered"
    assert len(pictures(desk, desk.discord.places.direct(asking.USER).id)) == 1
    assert pictures(desk, asked.message.channel.id) == []


@pytest.mark.parametrize(
    "trouble",
    [faults.broken(), faults.banned(), faults.Reset(), faults.HangUp()],
    ids=["503", "429", "reset", "hangup"],
)
@pytest.mark.parametrize("sent", [True, False])
async def test_a_look_that_fails_is_repeated_and_ends_nothing(desk, trouble, sent):
    asked = await made(desk)
    await lost(desk, sent=sent)
    planted = desk.discord.fault(trouble, on=LOOK, times=1000)
    assert (await later(desk, asked)).delivery == "open"
    planted.lift()
    assert (await later(desk, asked)).delivery == "delivered"
    assert len(pictures(desk, asked.message.channel.id)) == 1


@pytest.mark.parametrize(("status", "code"), [(401, 0), (403, 50001), (404, 10003)])
async def test_where_it_may_not_look_it_sends_nothing_again(desk, status, code):
    asked = await made(desk)
    await lost(desk, sent=True)
    desk.discord.fault(faults.refuse(status, code=code), on=LOOK, times=100)
    assert (await later(desk, asked)).delivery == "undeliverable"
    assert len(pictures(desk, asked.message.channel.id)) == 1


# --- the waiting card of what came as a new message -----------------------------------------------


@pytest.mark.parametrize("pause", [10, FORGOTTEN])
@pytest.mark.parametrize("private", [False, True])
async def test_where_the_answer_to_a_new_message_was_lost_the_waiting_card_goes_too(
    world, private, pause
):
    asked = await made(world, private=private)
    world.discord.fault(faults.refuse(400, code=50035), on="PATCH *", times=2)
    await lost(world, sent=True)
    waiting = asked.message
    assert not waiting.deleted
    world.clock.move(pause)
    await world.app.deliverer.step()
    assert (await world.reply(asked)).delivery == "delivered"
    direct = world.discord.places.direct(asking.USER)
    [posted] = world.discord.messages.all(direct.id if private else waiting.channel.id)
    assert len(galleries(posted)) == 1
    assert waiting.deleted


async def test_a_card_that_can_be_edited_no_more_goes_when_the_picture_came_elsewhere(desk):
    asked = await made(desk)
    desk.clock.move(16 * 60)
    desk.discord.fault(faults.broken(), on="DELETE /channels/*")
    await desk.app.deliverer.step()
    assert (await desk.reply(asked)).delivery == "delivered"
    [posted] = desk.discord.messages.all(asked.message.channel.id)
    assert len(galleries(posted)) == 1


async def test_nothing_asks_discord_to_delete_what_nobody_can_reach(desk):
    asked = await made(desk, private=True)
    desk.clock.move(16 * 60)
    await desk.app.deliverer.step()
    assert (await desk.reply(asked)).delivery == "delivered"
    assert not [each for each in desk.discord.log.requests if each.route.startswith("DELETE")]


# --- servers that take no files -------------------------------------------------------------------


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("private", [False, True])
async def test_where_discord_takes_no_files_the_picture_is_linked(
    world, monkeypatch, private, late
):
    # The stand-in has no address that a card may hold: that takes https.
    monkeypatch.setattr(delivery, "_link", lambda job: job.outcome.pictures[0].url)
    asked = await made(world, private=private)
    asked.message.channel.files = False
    if late:
        world.clock.move(16 * 60)
    await world.app.deliverer.step()
    assert (await world.reply(asked)).delivery == "delivered"
    direct = world.discord.messages.all(world.discord.places.direct(asking.USER).id)
    if private and late:  # nothing but a direct message is left, which takes files
        assert [len(galleries(each)) for each in direct] == [1]
        return
    [job] = (await world.reply(asked)).jobs
    assert asked.message.text.startswith("### Here is your picture")
    assert f"[The original]({job.outcome.pictures[0].url})" in asked.message.text
    assert direct == []
    assert world.discord.messages.all(asked.message.channel.id) == [asked.message]


# --- servers whose AutoMod objects ----------------------------------------------------------------


async def test_where_automod_blocks_links_what_was_made_from_a_picture_comes(world):
    first = await world.command("imagine", {"prompt": "a red fox"})
    first.message.channel.forbids = "https://"
    for verb in ("again", "2k"):
        asked = await world.press(first.message, verb)
        assert (await world.reply(asked)).delivery == "delivered"
        assert len(galleries(asked.message)) == 1
        # All that can be pressed on it still is there.
        verbs = [each.split(":")[1] for each in asked.message.custom_ids]
        assert {"edit", "original", "delete"} <= set(verbs)


@pytest.mark.parametrize("takes", ["smaller", "nothing"])
async def test_where_automod_blocks_links_a_large_picture_comes_without(world, monkeypatch, takes):
    monkeypatch.setattr(delivery, "_link", lambda _job: "https://cdn.example/x.png")
    asked = await made(world)
    asked.message.channel.forbids = "https://"
    asked.message.channel.files = takes == "smaller"
    world.discord.fault(faults.refuse(413, code=40005), on="PATCH *")
    await world.app.deliverer.step()
    assert (await world.reply(asked)).delivery == "delivered"
    assert len(galleries(asked.message)) == (takes == "smaller")
    assert "The original is there for a few days." in asked.message.text
    assert any(each.startswith("job:original:") for each in asked.message.custom_ids)


async def test_what_automod_blocks_twice_comes_with_nothing_but_the_picture(world):
    asked = await made(world)
    asked.message.channel.forbids = "<@"
    await world.app.deliverer.step()
    assert (await world.reply(asked)).delivery == "delivered"
    assert len(galleries(asked.message)) == 1
    assert asked.message.custom_ids == []


async def test_no_token_outlives_its_end_in_the_operators_words(world, monkeypatch):
    """What stands between the bot and Discord answers with what is no HTTP."""
    asked = await made(world)
    token = (await world.reply(asked)).target.token

    async def babble(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 xyz nonsense\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as middlebox:
        port = middlebox.sockets[0].getsockname()[1]
        with monkeypatch.context() as patch:
            patch.setattr(discord.http.Route, "BASE", f"http://127.0.0.1:{port}/api/v10")
            await world.app.deliverer.step()
    trouble = await world.app.ledger.run(
        lambda conn: conn.scalar(sa.select(schema.replies.c.trouble))
    )
    assert trouble.startswith("ClientResponseError: ")
    assert token not in trouble
