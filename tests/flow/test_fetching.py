"""The host of HiAPI's pictures out of order: what is paid for is waited for, then shown."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from bot import alarms, delivery, pickup
from bot.errors import Code
from sandbox import faults
from tests.flow.studio import ORIGINAL, eventually, painted
from tests.flow.test_failures import failed_with
from tests.flow.test_ladder import button, told_directly

EVER = 10**6  # times
MINUTE = 60
HOUR = 3600


async def waited(studio, *, seconds: float) -> None:
    """So much time passes, and the bot tries whenever it is due."""
    for _ in range(int(seconds // MINUTE)):
        studio.clock.move(MINUTE)
        await studio.deliver()


PASSING = {
    "503": faults.html(code=503),
    "429": faults.rate_limited(),
    "cut off": faults.Drop(),
    "not there yet": faults.not_there(),
    "not allowed yet": faults.expired(),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
async def test_a_host_that_fails_for_minutes_costs_neither_the_picture_nor_a_bill(studio, fault):
    planted = studio.hiapi.fault(fault, on="file", times=EVER)
    result = await studio.imagine()
    await studio.finish()
    await waited(studio, seconds=10 * MINUTE)
    assert (await studio.reply(result)).delivery == "open"
    planted.lift()
    await waited(studio, seconds=2 * MINUTE)
    assert (await studio.reply(result)).delivery == "delivered"
    assert studio.file(result) == painted(studio.tasks[0])
    assert len(studio.hiapi.tasks.bills) == 1
    assert len(studio.messages()) == 1


async def test_a_host_that_fails_for_hours_costs_no_picture_either(studio):
    planted = studio.hiapi.fault(faults.html(code=503), on="file", times=EVER)
    result = await studio.imagine()
    await studio.finish()
    await waited(studio, seconds=5 * HOUR)
    planted.lift()
    await waited(studio, seconds=2 * MINUTE)
    assert studio.file(result) == painted(studio.tasks[0])


async def test_the_others_of_a_reply_wait_for_the_one_that_does_not_come(studio):
    planted = studio.hiapi.fault(faults.html(code=503), on="file", times=EVER)
    result = await studio.imagine(count=3)
    await studio.finish()
    assert planted.fired == len(pickup.PAUSES)
    await studio.deliver()
    assert studio.sent("PATCH", ORIGINAL) == []
    planted.lift()
    await waited(studio, seconds=MINUTE)
    assert len(studio.shown(result).gallery) == 3
    assert len(studio.sent("PATCH", ORIGINAL)) == 1


async def test_while_an_earlier_edit_may_still_come_it_is_waited_for_longer(studio):
    await studio.imagine()
    await studio.submit()
    studio.clock.move(9)
    studio.env.inject_error("PATCH", ORIGINAL, status=500)
    await studio.app.progress.step()
    await eventually(lambda: not studio.app.progress._edits)
    planted = studio.hiapi.fault(faults.html(code=503), on="file", times=EVER)
    assert await studio.look() == 1
    assert await studio.deliver() == 1
    planted.lift()
    studio.clock.move(delivery.AGAIN.total_seconds() - 1)
    assert await studio.deliver() == 0
    studio.clock.move(1)
    assert await studio.deliver() == 1


async def test_a_host_that_never_answers_is_given_up_after_hours(studio):
    studio.hiapi.fault(faults.html(code=503), on="file", times=EVER)
    result = await studio.imagine()
    await studio.finish()
    await waited(studio, seconds=6 * HOUR - 5 * MINUTE)
    assert (await studio.reply(result)).delivery == "open"
    await waited(studio, seconds=10 * MINUTE)
    await failed_with(studio, result, Code.PICTURE_LOST)


async def test_a_file_that_is_not_there_is_given_up_sooner(studio):
    studio.hiapi.fault(faults.not_there(), on="file", times=EVER)
    result = await studio.imagine()
    await studio.finish()
    await waited(studio, seconds=10 * MINUTE)
    assert (await studio.reply(result)).delivery == "open"
    await waited(studio, seconds=10 * MINUTE)
    await failed_with(studio, result, Code.PICTURE_LOST)


async def test_a_bot_that_was_down_for_longer_still_tries_for_minutes(studio):
    result = await studio.imagine()
    await studio.settle()
    studio.clock.move(10 * HOUR)
    planted = studio.hiapi.fault(faults.html(code=503), on="file", times=EVER)
    await waited(studio, seconds=5 * MINUTE)
    planted.lift()
    await waited(studio, seconds=2 * MINUTE)
    assert studio.file(result) == painted(studio.tasks[0])


async def test_an_address_past_its_time_is_given_up_whatever_it_answers(studio):
    studio.hiapi.fault(faults.html(code=503), on="file", times=EVER)
    result = await studio.imagine()
    await studio.finish()
    studio.clock.move(timedelta(days=8).total_seconds())
    await studio.deliver()
    await failed_with(studio, result, Code.PICTURE_LOST)


async def test_an_operator_is_told_early_and_once(studio):
    studio.hiapi.fault(faults.html(code=503), on="file", times=EVER)
    await studio.imagine()
    with capture_logs() as logs:
        await studio.finish()
        await waited(studio, seconds=7 * MINUTE)
        [told] = [entry for entry in logs if entry["log_level"] == "error"]
        await waited(studio, seconds=HOUR)
    assert [entry for entry in logs if entry["log_level"] == "error"] == [told]
    assert told["event"] == "reply.held_up"
    assert "503" in told["cause"]


async def test_it_is_an_alarm_until_pictures_are_shown_again(studio):
    studio.app.watch.alarms.listen("reply.held_up", {"reply": "abc", "cause": "it answered 503"})
    [standing] = studio.app.watch.alarms.active
    assert standing.alarm is alarms.Alarm.UNDELIVERABLE
    assert "it answered 503" in standing.cause
    studio.clock.move(11 * MINUTE)
    studio.app.watch.alarms.listen("reply.delivered", {})
    assert studio.app.watch.alarms.active == ()


async def test_what_the_host_took_of_time_is_not_discords(studio):
    planted = studio.hiapi.fault(faults.html(code=503), on="file", times=EVER)
    result = await studio.imagine(private=True)
    await studio.finish()
    await waited(studio, seconds=HOUR)
    planted.lift()
    studio.env.inject_error("POST", "/channels/*/messages", status=503)
    await waited(studio, seconds=4 * MINUTE)
    assert (await studio.reply(result)).delivery == "delivered"
    assert len(told_directly(studio)) == 1


async def test_before_its_token_dies_a_private_reply_that_waits_becomes_a_note(studio):
    planted = studio.hiapi.fault(faults.html(code=503), on="file", times=EVER)
    result = await studio.imagine(private=True)
    await studio.finish()
    await waited(studio, seconds=13 * MINUTE)
    assert await studio.app.progress.note() == 0
    studio.clock.move(30)
    assert await studio.app.progress.note() == 1
    await eventually(lambda: studio.shown(result).heading == "Still working on it")
    await waited(studio, seconds=HOUR)
    assert (await studio.reply(result)).delivery == "open"
    planted.lift()
    await waited(studio, seconds=2 * MINUTE)
    assert (await studio.reply(result)).delivery == "parked"
    assert told_directly(studio) == []

    await studio.member.click(result.response.message, custom_id=button(studio, result))
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "delivered"
    assert studio.file(result) == painted(studio.tasks[0])


async def test_a_private_picture_that_comes_before_its_token_dies_replaces_the_note(studio):
    planted = studio.hiapi.fault(faults.html(code=503), on="file", times=EVER)
    result = await studio.imagine(private=True)
    await studio.finish()
    await waited(studio, seconds=13 * MINUTE)
    studio.clock.move(30)
    assert await studio.app.progress.note() == 1
    planted.lift()
    studio.clock.move(30)
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "delivered"
    assert studio.file(result) == painted(studio.tasks[0])
