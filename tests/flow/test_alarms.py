"""Alarms of the whole bot, as they reach a webhook or a channel, and as they do not."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from bot import alarms as rules
from bot import senders
from sandbox import faults
from tests import lines


@pytest.fixture(autouse=True)
def logging_as_in_earnest():
    with lines.configured():
        yield


@asynccontextmanager
async def webhook(*, status=204, hold=None):
    """A real listener; yields its address and the bodies that came."""
    came = []

    async def take(request):
        came.append(await request.json())
        if hold is not None:
            await hold.wait()
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/hooks/very-secret-token", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hooks/very-secret-token", came
    finally:
        await runner.cleanup()


async def test_an_empty_account_is_told_once_over_a_restart_and_so_is_its_end(open_studio, clock):
    async with webhook() as (address, came), open_studio(alarm_webhook=address) as studio:
        planted = studio.hiapi.fault(faults.out_of_quota(), on="create", times=1000)
        await studio.imagine()
        for _ in range(3):
            await studio.submit()
            await studio.app.watch.alarms.step()
            clock.move(61)
        [told] = came
        assert told["alarm"] == "no_credit"
        assert told["state"] == "active"
        assert told["content"] == told["text"]
        assert "HiAPI is out of credit" in told["content"]
        assert "Top the account up" in told["advice"]
        assert told["allowed_mentions"] == {"parse": []}

        async with studio.restarted() as app:
            await studio.submit()
            await app.watch.alarms.step()
            assert len(came) == 1

            planted.lift()
            clock.move(rules.REST.total_seconds())
            await studio.submit()
            await app.watch.alarms.step()
            await app.watch.alarms.step()
        assert [each["state"] for each in came] == ["active", "over"]


async def test_a_model_that_is_gone_is_told_with_its_name(open_studio):
    async with webhook() as (address, came), open_studio(alarm_webhook=address) as studio:
        await studio.imagine("a fox [unavailable]")
        await studio.finish()
        await studio.app.watch.alarms.step()
    assert [(each["alarm"], each["subject"]) for each in came] == [
        ("model_unavailable", "gpt-image-2-pro")
    ]


async def test_a_reply_that_cannot_be_shown_is_told_without_a_word_of_the_prompt(open_studio):
    async with webhook() as (address, came), open_studio(alarm_webhook=address) as studio:
        result = await studio.imagine("a very private wish")
        await studio.settle()
        studio.env.inject_error("*", "*", status=403, code=50013, times=None)
        await studio.deliver()
        reply = await studio.reply(result)
        assert reply.delivery == "undeliverable"
        await studio.app.watch.alarms.step()
    [told] = came
    assert told["alarm"] == "undeliverable"
    assert reply.id in told["cause"]
    assert "wish" not in str(told)


async def test_a_card_that_somebody_deleted_is_no_alarm(open_studio):
    async with webhook() as (address, came), open_studio(alarm_webhook=address) as studio:
        result = await studio.imagine()
        await studio.settle()
        studio.env.backend.delete_message(studio.channel.id, result.response.id)
        await studio.deliver()
        assert (await studio.reply(result)).delivery == "undeliverable"
        assert await studio.app.watch.alarms.step() == 0
    assert came == []


@pytest.mark.parametrize("status", [400, 404, 500, 302])
async def test_a_webhook_that_fails_stops_nothing(open_studio, status):
    async with (
        webhook(status=status) as (address, came),
        open_studio(alarm_webhook=address) as studio,
    ):
        await studio.imagine("a fox [unavailable]")
        await studio.finish()
        assert await studio.app.watch.alarms.step() == 0
        result = await studio.imagine("a heron")
        await studio.finish()
        assert studio.shown(result).heading == "Here is your picture"
        assert len(came) == 1


async def test_a_webhook_that_never_answers_is_left_alone(open_studio, monkeypatch):
    monkeypatch.setattr(senders, "SECONDS", 0.05)
    hold = asyncio.Event()
    async with webhook(hold=hold) as (address, came), open_studio(alarm_webhook=address) as studio:
        await studio.imagine("a fox [unavailable]")
        await studio.finish()
        assert await studio.app.watch.alarms.step() == 0
        assert len(came) == 1
        hold.set()


async def test_a_webhook_that_is_gone_raises_nothing(open_studio):
    async with open_studio(alarm_webhook="http://127.0.0.1:9/nobody") as studio:
        await studio.imagine("a fox [unavailable]")
        await studio.finish()
        assert await studio.app.watch.alarms.step() == 0


async def test_the_address_of_the_webhook_is_never_written(open_studio, capsys):
    with lines.configured(level="DEBUG"):
        async with open_studio(alarm_webhook="http://127.0.0.1:9/very-secret-token") as studio:
            await studio.imagine("a fox [unavailable]")
            await studio.finish()
            await studio.app.watch.alarms.step()
    written = capsys.readouterr().err
    assert "alarm.not_sent" in written
    assert "very-secret-token" not in written


async def test_a_channel_hears_of_it_from_the_bot_itself(open_studio, clock):
    async with open_studio() as studio:
        channel = studio.member.guild.create_text_channel("operators")
        async with studio.restarted(alarm_channel=channel.id) as app:
            planted = studio.hiapi.fault(faults.unauthorized(), on="create", times=1000)
            await studio.imagine()
            await studio.submit()
            assert await app.watch.alarms.step() == 1
            planted.lift()
            clock.move(rules.REST.total_seconds())
            await studio.submit()
            assert await app.watch.alarms.step() == 1
        said = [message.content for message in channel.history()]
        assert len(said) == 2
        assert "HiAPI refuses the key" in said[0]
        assert "Check HIAPI_API_KEY" in said[0]
        assert "HiAPI takes the key again" in said[1]


async def test_a_channel_that_may_not_be_written_in_stops_nothing(open_studio):
    async with open_studio(alarm_channel=12345) as studio:
        await studio.imagine("a fox [unavailable]")
        await studio.finish()
        assert await studio.app.watch.alarms.step() == 0
        result = await studio.imagine("a heron")
        await studio.finish()
        assert studio.shown(result).heading == "Here is your picture"
