"""What becomes of an ask whose acknowledgement Discord refused, or may have taken."""

import asyncio

import aiohttp
import pytest

from bot.errors import WORDS, Code
from tests.flow.studio import ACK, ORIGINAL, eventually, painted


async def withdrawn(studio) -> None:
    """Nothing was made, nothing is counted, and no recovery brings it back."""
    assert await studio.states() == ["withdrawn"]
    assert await studio.counted() == 0
    studio.clock.move(61)
    assert await studio.app.recovery.step() == 0
    assert await studio.submit() == 0
    assert await studio.deliver() == 0
    assert not studio.hiapi.tasks.requests


@pytest.mark.parametrize(("status", "code"), [(404, 10062), (400, 40060)])
async def test_an_ask_that_discord_does_not_let_us_have(studio, status, code):
    studio.env.inject_error("POST", ACK, status=status, code=code)
    result = await studio.imagine()
    assert not result.acknowledged
    assert len(studio.sent("POST", ACK)) == 1
    await withdrawn(studio)


async def test_an_acknowledgement_that_comes_too_late(studio):
    async def late(send):
        studio.clock.move(3)
        return await send()

    studio.wire.hook("POST", ACK, late)
    result = await studio.imagine()
    assert not result.acknowledged
    await withdrawn(studio)


async def test_an_ask_that_another_process_answered_first(studio):
    async def outrun(send):
        await send()
        return await send()

    studio.wire.hook("POST", ACK, outrun)
    await studio.imagine()
    await withdrawn(studio)


async def fail_before(_send):
    raise aiohttp.ClientOSError(104, "Connection reset by peer")


async def fail_after(send):
    await send()
    raise aiohttp.ServerDisconnectedError


@pytest.mark.parametrize("private", [False, True])
async def test_an_acknowledgement_that_never_arrived(studio, private):
    studio.wire.hook("POST", ACK, fail_before)
    result = await studio.imagine(private=private)
    assert not result.acknowledged
    assert await studio.states() == ["received"]
    assert await studio.submit() == 0
    studio.clock.move(59)
    assert await studio.app.recovery.step() == 0
    studio.clock.move(2)
    assert await studio.app.recovery.step() == 1
    await withdrawn(studio)


async def test_an_acknowledgement_that_discord_failed_to_take(studio):
    studio.env.inject_error("POST", ACK, status=500)
    await studio.imagine()
    assert await studio.states() == ["received"]
    studio.clock.move(61)
    assert await studio.app.recovery.step() == 1
    await withdrawn(studio)


@pytest.mark.parametrize("private", [False, True])
async def test_an_acknowledgement_whose_answer_was_lost(studio, private):
    studio.wire.hook("POST", ACK, fail_after)
    result = await studio.imagine(private=private)
    assert result.deferred
    assert await studio.states() == ["received"]
    studio.clock.move(61)
    assert await studio.app.recovery.step() == 1
    reply = await studio.reply(result)
    assert reply.target.message_id == result.response.id
    assert reply.target.private is private
    await studio.finish()
    assert studio.file(result) == painted(studio.tasks[0])
    assert await studio.counted() == 1


async def test_a_recovered_answer_is_reached_after_its_token_died(studio):
    studio.wire.hook("POST", ACK, fail_after)
    result = await studio.imagine()
    studio.clock.move(61)
    await studio.app.recovery.step()
    studio.clock.move(15 * 60)
    await studio.finish()
    assert studio.shown(result).gallery
    assert len(studio.messages()) == 1


async def test_discord_out_of_order_decides_nothing(studio):
    studio.wire.hook("POST", ACK, fail_after)
    await studio.imagine()
    studio.clock.move(61)
    studio.env.inject_error("GET", ORIGINAL, status=503, times=2)
    assert await studio.app.recovery.step() == 0
    assert await studio.app.recovery.step() == 0
    assert await studio.states() == ["received"]
    assert await studio.app.recovery.step() == 1
    assert await studio.states() == ["queued"]


async def test_an_ask_whose_token_died_before_anybody_asked(studio):
    studio.wire.hook("POST", ACK, fail_after)
    result = await studio.imagine()
    studio.clock.move(15 * 60)
    assert await studio.app.recovery.step() == 1
    [job] = (await studio.reply(result)).jobs
    assert (job.state, job.outcome.code) == ("settled", Code.INTERRUPTED)
    assert await studio.counted() == 0
    await studio.deliver()
    assert not studio.hiapi.tasks.requests
    told = studio.messages()[-1]
    assert WORDS[Code.INTERRUPTED].title in str(told.components)


async def test_a_prompt_file_that_was_not_read_is_not_guessed(studio):
    studio.wire.hook("POST", ACK, fail_after)
    result = await studio.imagine("Half a prompt", prompt_file=("p.txt", b"the other half"))
    studio.clock.move(61)
    assert await studio.app.recovery.step() == 1
    assert await studio.counted() == 0
    await studio.deliver()
    assert studio.shown(result).heading == WORDS[Code.INTERRUPTED].title
    assert not studio.hiapi.tasks.requests


async def test_recovery_leaves_what_is_still_being_answered(studio):
    held, let_go = asyncio.Event(), asyncio.Event()

    async def hold(send):
        held.set()
        await let_go.wait()
        return await send()

    studio.wire.hook("POST", ACK, hold)
    asking = asyncio.create_task(studio.imagine())
    await eventually(held.is_set)
    assert await studio.app.recovery.step() == 0
    let_go.set()
    await asking
    assert await studio.states() == ["queued"]
