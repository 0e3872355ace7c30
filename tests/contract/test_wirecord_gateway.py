"""Sessions, shards and replay: real discord.py against the stand-in's gateway."""

import asyncio
import contextlib

import aiohttp
import pytest

from sandbox.wirecord import faults, server
from tests.contract import wirecord_bot
from tests.contract.wirecord_bot import deferred, until

OTHER_SHARD = server.asking.GUILD + (1 << 22)


@pytest.fixture
async def pair():
    async with wirecord_bot.pair() as both:
        yield both


async def test_events_missed_on_a_broken_line_are_replayed(pair):
    await pair.ask(deferred)
    pair.discord.gateway.cut()
    missed = [await pair.discord.command("paint", {"prompt": str(n)}) for n in range(3)]
    assert pair.discord.gateway.connected == []
    assert [one.reached for one in missed] == [1, 1, 1]
    for one in missed:
        await one.acknowledged()
    await until(lambda: pair.bot.resumed == 1)
    assert [seen.namespace.prompt for seen in pair.bot.seen] == ["a cat", "0", "1", "2"]
    assert pair.discord.gateway.identifies == 1


async def test_the_client_comes_back_when_asked_to(pair):
    pair.discord.gateway.reconnect()
    await until(lambda: pair.bot.resumed == 1)
    await pair.ask(deferred)


async def test_a_close_code_that_allows_it_is_resumed(pair):
    await pair.discord.gateway.close(4000)
    await until(lambda: pair.bot.resumed == 1)
    await pair.ask(deferred)


async def test_an_invalid_session_identifies_anew(pair):
    pair.discord.gateway.invalidate()
    await until(lambda: pair.discord.gateway.identifies == 2)
    await pair.discord.gateway.ready()
    await pair.ask(deferred)
    assert pair.bot.resumed == 0


async def test_a_session_that_was_forgotten_while_away_identifies_anew(pair):
    pair.discord.gateway.cut()
    pair.discord.gateway.sessions.clear()
    await until(lambda: pair.discord.gateway.identifies == 2)
    await pair.discord.gateway.ready()
    await pair.ask(deferred)


async def test_a_goodbye_ends_the_session(pair):
    await pair.bot.close()
    await pair.discord.gateway.gone()
    assert pair.discord.gateway.sessions == {}
    lost = await pair.discord.command("paint", {"prompt": "nobody"})
    assert lost.reached == 0


async def test_heartbeats_are_answered():
    async with wirecord_bot.pair(heartbeat_seconds=0.05) as both:
        await until(lambda: both.discord.gateway.heartbeats > 3)
        await until(lambda: both.bot.latency < 1)


async def test_each_shard_gets_its_own_servers():
    async with wirecord_bot.pair(shards=2) as both:
        first = await both.ask(deferred)
        second = await both.ask(deferred, guild=OTHER_SHARD, channel=99)
        direct = await both.ask(deferred, guild=None)
        assert [one.reached for one in (first, second, direct)] == [1, 1, 1]
        numbers = {session.shard: session.number for session in both.discord.gateway.connected}
        assert numbers == {0: 3, 1: 2}
        assert {s.id for s in both.bot.shards.values()} == {0, 1}


async def test_two_sessions_of_one_shard_both_hear_and_one_wins(pair):
    second = wirecord_bot.Painter()
    async with second:
        await second.login(server.TOKEN)
        connecting = asyncio.create_task(second.connect())
        await pair.discord.gateway.ready(shards=2)
        second.asked = pair.bot.asked = deferred
        asked = await pair.discord.command("paint", {"prompt": "x"})
        await until(lambda: pair.bot.failures or second.failures)
        assert asked.reached == 2
        assert asked.acked is not None
        assert asked.refusals == [("callback", 400, 40060)]
        connecting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await connecting


async def test_a_refused_line_can_be_made_up(pair):
    fault = pair.discord.fault(faults.Reset(), on="GET /gateway-socket", times=1)
    pair.discord.gateway.cut()
    await until(lambda: pair.bot.resumed == 1 or pair.discord.gateway.identifies == 2)
    assert fault.fired == 1


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"op": 2, "d": {"token": "wrong"}}, 4004),
        ({"op": 2, "d": {"token": server.TOKEN, "shard": [2, 2]}}, 4010),
        ({"op": 3, "d": {}}, 4003),
        ({"op": 99, "d": {}}, 4001),
    ],
)
async def test_what_a_client_must_not_say(frame, code):
    async with (
        server.Wirecord() as running,
        aiohttp.ClientSession() as session,
        session.ws_connect(running.gateway.url) as line,
    ):
        assert (await line.receive_json())["op"] == 10
        await line.send_json(frame)
        assert (await line.receive()).data == code
