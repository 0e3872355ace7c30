"""Discord refusing the finished card: what is tried next, and what is never tried."""

import asyncio
import json
from datetime import timedelta

import aiohttp
import discord
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from bot import delivery
from bot.errors import WORDS, Code
from bot.ledger import schema
from tests.flow.studio import MESSAGE, ORIGINAL, eventually, painted

CHANNEL = "/channels/*/messages"
DM = "/users/@me/channels"


async def settled(studio, **options):
    """An ask whose picture is made and waits to be shown."""
    result = await studio.imagine("a red fox", **options)
    await studio.settle()
    return result


async def delivered_once(studio, result) -> None:
    """The picture stands in the one message that answered the command."""
    assert (await studio.reply(result)).delivery == "delivered"
    assert studio.file(result) == painted(studio.tasks[0])
    assert [message.id for message in studio.messages(viewer=studio.member)] == [result.response.id]
    assert studio.sent("POST", CHANNEL) == studio.sent("POST", DM) == []
    assert await studio.deliver() == 0


@pytest.mark.parametrize(("status", "code"), [(401, 50027), (404, 10015), (404, 10062), (404, 0)])
async def test_a_token_that_died_early_leaves_the_bots_own(studio, status, code):
    result = await settled(studio)
    studio.env.inject_error("PATCH", ORIGINAL, status=status, code=code, times=None)
    await studio.deliver()
    assert len(studio.sent("PATCH", ORIGINAL)) == 1
    assert len(studio.sent("PATCH", MESSAGE)) == 1
    await delivered_once(studio, result)


async def test_a_token_that_is_too_old_is_not_even_tried(studio):
    result = await studio.imagine("a red fox")
    await studio.submit()
    studio.clock.move(14 * 60 + 31)
    await studio.env.advance_time(14 * 60 + 31)
    await studio.finish()
    assert studio.sent("PATCH", ORIGINAL) == []
    await delivered_once(studio, result)


async def test_a_token_is_used_until_shortly_before_its_end(studio):
    result = await studio.imagine("a red fox")
    await studio.submit()
    studio.clock.move(14 * 60)
    await studio.finish()
    assert len(studio.sent("PATCH", ORIGINAL)) == 1
    assert studio.sent("PATCH", MESSAGE) == []
    await delivered_once(studio, result)


async def test_a_direct_message_is_reached_after_its_token_died(studio):
    person = studio.env.create_user("friend")
    result = await person.slash("imagine", prompt="a red fox")
    studio.clock.move(16 * 60)
    await studio.finish()
    assert studio.shown(result).gallery
    assert len(person.dm_channel.history()) == 1


async def test_a_message_that_somebody_deleted_is_not_posted_again(studio):
    result = await settled(studio)
    studio.env.backend.delete_message(studio.channel.id, result.response.id)
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "undeliverable"
    assert studio.messages() == []
    assert studio.sent("POST", CHANNEL) == studio.sent("POST", DM) == []
    studio.clock.move(3600)
    assert await studio.deliver() == 0


async def test_a_file_that_is_too_large_comes_smaller(studio):
    result = await settled(studio)
    studio.env.inject_error("PATCH", ORIGINAL, status=413, code=40005)
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "delivered"
    [first, second] = studio.sent("PATCH", ORIGINAL)
    assert first.json["attachments"][0]["filename"].endswith(".png")
    assert second.json["attachments"][0]["filename"].endswith(".webp")
    assert len(studio.file(result)) <= len(painted(studio.tasks[0])) // 2
    assert len(studio.shown(result).gallery) == 1


async def test_a_picture_that_discord_takes_at_no_size_is_linked_or_explained(studio):
    result = await settled(studio)
    studio.env.inject_error("PATCH", ORIGINAL, status=413, code=40005, times=2)
    await studio.deliver()
    assert studio.shown(result).heading == "Your picture is too large for Discord"
    assert (await studio.reply(result)).delivery == "delivered"


async def test_words_that_automod_blocks_are_left_out(studio):
    result = await settled(studio)
    studio.env.inject_error("PATCH", ORIGINAL, status=400, code=200000)
    await studio.deliver()
    await delivered_once(studio, result)
    assert "red fox" not in json.dumps(studio.sent("PATCH", ORIGINAL)[-1].json)
    assert studio.shown(result).heading == "Here is your picture"
    assert f"<@{studio.member.id}>" in studio.shown(result).text


async def test_a_card_that_discord_finds_ill_formed_becomes_a_simple_one(studio):
    result = await settled(studio)
    studio.env.inject_error("PATCH", ORIGINAL, status=400, code=50035)
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "delivered"
    assert [item["type"] for item in result.response.components] == [10, 12]
    assert "red fox" not in json.dumps(result.response.components)


async def test_what_may_not_be_edited_is_posted_with_a_nonce(studio):
    result = await settled(studio)
    studio.env.inject_error("PATCH", "*", status=403, code=50001, times=None)
    await studio.deliver()
    reply = await studio.reply(result)
    assert reply.delivery == "delivered"
    [post] = studio.sent("POST", CHANNEL)
    assert post.json["nonce"].endswith(reply.id)
    assert len(post.json["nonce"]) <= 25
    assert post.json["enforce_nonce"] is True
    assert post.json["allowed_mentions"] == {"parse": []}
    assert await studio.deliver() == 0
    assert len(studio.messages()) == 1


async def test_where_nothing_may_be_posted_the_person_is_told_directly(studio):
    result = await settled(studio)
    studio.env.inject_error("PATCH", "*", status=403, code=50013, times=None)
    studio.env.inject_error("POST", f"/channels/{studio.channel.id}/*", status=403, times=None)
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "delivered"
    [told] = (
        studio.env.create_user("x")
        ._env.backend.messages[studio.env.backend.get_dm_channel(studio.member.id).id]
        .values()
    )
    assert told.attachments


async def test_where_no_route_is_left_the_picture_is_kept(studio):
    result = await settled(studio)
    studio.env.inject_error("*", "*", status=403, code=50013, times=None)
    await studio.deliver()
    reply = await studio.reply(result)
    assert reply.delivery == "undeliverable"
    assert reply.jobs[0].outcome.pictures
    assert await studio.deliver() == 0


async def test_a_private_picture_never_takes_the_channel(studio):
    result = await settled(studio, private=True)
    studio.clock.move(20 * 60)
    studio.env.inject_error("POST", DM, status=403, code=50007)
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "undeliverable"
    assert studio.sent("PATCH", "*") == studio.sent("POST", CHANNEL) == []
    assert studio.messages() == []


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_discord_out_of_order_for_a_while(studio, status):
    result = await settled(studio)
    studio.env.inject_error("PATCH", ORIGINAL, status=status, times=3)
    for pause in (0, 5, 10):
        studio.clock.move(pause)
        assert await studio.deliver() == 1
        assert (await studio.reply(result)).delivery == "open"
    studio.clock.move(19)
    assert await studio.deliver() == 0
    studio.clock.move(1)
    assert await studio.deliver() == 1
    assert len(studio.sent("PATCH", ORIGINAL)) == 4
    await delivered_once(studio, result)


async def passing(studio, *, hours: float) -> int:
    """So much time passes, and the bot tries whenever it is due; how often it did."""
    tried = 0
    for _ in range(int(hours * 30)):
        tried += await studio.deliver()
        studio.clock.move(120)
    return tried


async def test_discord_out_of_order_for_hours(studio):
    result = await settled(studio)
    studio.env.inject_error("PATCH", "*", status=503, times=None)
    with capture_logs() as logs:
        assert 10 <= await passing(studio, hours=0.4) <= 14
        assert await passing(studio, hours=20) <= 120
    assert (await studio.reply(result)).delivery == "open"
    # Who runs the bot is told early, and once.
    errors = [entry["event"] for entry in logs if entry["log_level"] == "error"]
    assert errors == ["reply.held_up"]
    studio.env.backend.faults.clear()
    assert await passing(studio, hours=0.4) == 1
    await delivered_once(studio, result)


async def test_discord_out_of_order_for_good(studio):
    result = await settled(studio)
    studio.env.inject_error("PATCH", "*", status=503, times=None)
    await passing(studio, hours=23)
    assert (await studio.reply(result)).delivery == "open"
    await passing(studio, hours=5)
    reply = await studio.reply(result)
    assert reply.delivery == "undeliverable"
    assert reply.jobs[0].outcome.pictures


async def test_a_private_card_is_not_tried_for_longer_than_its_token_lives(studio):
    result = await settled(studio, private=True)
    studio.env.inject_error("*", "*", status=503, times=None)
    assert await passing(studio, hours=1) == 12
    reply = await studio.reply(result)
    assert (reply.delivery, reply.attempts) == ("undeliverable", 12)
    assert reply.jobs[0].outcome.pictures


def server_error() -> discord.DiscordServerError:
    class Answer:
        status, reason = 503, "Service Unavailable"

    return discord.DiscordServerError(Answer(), {"code": 0, "message": "upstream connect error"})


BROKEN = {
    "reset": aiohttp.ClientOSError(104, "Connection reset by peer"),
    "closed": aiohttp.ServerDisconnectedError(),
    "503": server_error(),
    "timeout": TimeoutError(),
}


@pytest.mark.parametrize("error", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("arrived", [False, True])
async def test_a_broken_connection_is_tried_again_with_the_whole_file(studio, error, arrived):
    async def break_off(send):
        if arrived:
            await send()
        raise error

    result = await settled(studio)
    for _ in range(3):
        studio.wire.hook("PATCH", ORIGINAL, break_off)
    assert await studio.deliver() == 1
    await delivered_once(studio, result)


async def test_a_failure_is_shown_by_the_same_routes(studio):
    result = await studio.imagine("a fox [fail]")
    await studio.settle()
    studio.env.inject_error("PATCH", ORIGINAL, status=401, code=50027)
    await studio.deliver()
    assert studio.shown(result).heading == WORDS[Code.FAILED].title
    assert len(studio.sent("PATCH", MESSAGE)) == 1


async def test_a_lease_that_once_cannot_be_renewed_is_renewed_the_next_time(studio, monkeypatch):
    monkeypatch.setattr(delivery, "RENEW_EVERY", timedelta(milliseconds=5))
    result = await settled(studio)
    hangs, go_on = asyncio.Event(), asyncio.Event()

    async def hang(send):
        hangs.set()
        await go_on.wait()
        return await send()

    async def renamed(before: str, after: str) -> None:
        statement = sa.text(f"ALTER TABLE {before} RENAME TO {after}")
        await studio.app.ledger.run(lambda conn: conn.execute(statement))

    async def leased_until():
        query = sa.select(schema.replies.c.lease_until)
        return await studio.app.ledger.run(lambda conn: conn.scalar(query))

    studio.wire.hook("PATCH", ORIGINAL, hang)
    with capture_logs() as logs:
        delivering = asyncio.create_task(studio.app.deliverer.step())
        await hangs.wait()
        await renamed("replies", "gone")
        await eventually(lambda: any(entry["event"] == "reply.not_renewed" for entry in logs))
        await renamed("gone", "replies")
    studio.clock.move(20)
    until = studio.clock() + delivery.LEASE

    async def renewed() -> bool:
        return await leased_until() == until

    await eventually(renewed)
    go_on.set()
    assert await delivering == 1
    await delivered_once(studio, result)
