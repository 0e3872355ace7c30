"""Rate limits and everything that goes wrong: how real discord.py takes it."""

import asyncio
import time

import aiohttp
import discord
import pytest

from sandbox.wirecord import faults, limits
from tests.contract import wirecord_bot
from tests.contract.wirecord_bot import card, deferred, file, refusal

EDIT = "PATCH /webhooks/*/@original"


@pytest.fixture
async def pair():
    async with wirecord_bot.pair() as both:
        yield both


@pytest.fixture
async def asked(pair):
    return await pair.ask(deferred)


@pytest.fixture
def edit(pair, asked):  # noqa: ARG001 (there is nothing to edit before)
    return pair.bot.seen[0].edit_original_response


async def test_a_429_with_via_is_waited_out(pair, asked, edit):
    fault = pair.discord.fault(faults.too_many(retry_after=0.1), on=EDIT, times=2)
    await edit(content="x")
    assert fault.fired == 2
    assert asked.message.content == "x"
    assert pair.discord.log.invalid == 2


@pytest.mark.parametrize(
    "fault", [faults.too_many(retry_after=0.1, via=False), faults.banned()], ids=["proxy", "ban"]
)
async def test_a_429_without_via_is_raised_at_once(pair, edit, fault):
    pair.discord.fault(fault, on=EDIT)
    with pytest.raises(discord.HTTPException) as raised:
        await edit(content="x")
    assert raised.value.status == 429


async def test_a_shared_429_does_not_count_as_invalid(pair, edit):
    pair.discord.fault(faults.too_many(retry_after=0.05, shared=True), on=EDIT)
    await edit(content="x")
    assert pair.discord.log.invalid == 0


async def test_a_webhook_takes_five_in_two_seconds(pair, asked, edit):
    begun = time.monotonic()
    for number in range(6):
        await edit(content=str(number))
    assert 1.5 < time.monotonic() - begun < 4
    assert asked.message.written == 6
    # discord.py waited by itself: nothing was refused.
    assert pair.discord.log.invalid == 0
    # Another interaction has a bucket of its own.
    begun = time.monotonic()
    await pair.ask(deferred)
    await pair.bot.seen[1].edit_original_response(content="x")
    assert time.monotonic() - begun < 1


async def test_a_bucket_overrun_is_refused_with_its_figures(pair, asked):
    url = f"{pair.discord.base}/webhooks/{pair.bot.user.id}/{asked.token}/messages/@original"
    async with aiohttp.ClientSession() as session:
        for left in (4, 3, 2, 1, 0):
            async with session.patch(url, json={"content": "x"}) as answer:
                assert answer.status == 200
                assert answer.headers["X-RateLimit-Remaining"] == str(left)
                assert answer.headers["Content-Type"] == "application/json"
        async with session.patch(url, json={"content": "x"}) as answer:
            assert answer.status == 429
            assert answer.headers["Via"]
            said = await answer.json()
            assert 0 < said["retry_after"] <= 2
            assert not said["global"]


async def test_the_whole_bot_has_a_limit():
    strict = limits.Limits(buckets={}, global_per_second=10)
    async with wirecord_bot.pair(limit=strict) as both:
        await asyncio.gather(*(both.bot.fetch_user(n) for n in range(1, 15)))
        assert both.discord.counts["GET /users/{user}", 429] > 0
        # Interactions are exempt.
        await asyncio.gather(*(both.ask(deferred) for _ in range(12)))
        assert both.discord.counts["POST /interactions/{id}/{token}/callback", 429] == 0


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", [faults.Reset, faults.HangUp])
async def test_a_broken_line_is_raised_and_may_have_been_carried_out(
    pair, asked, edit, kind, after
):
    pair.discord.fault(kind(after=after), on=EDIT)
    with pytest.raises((aiohttp.ClientError, ConnectionResetError)) as raised:
        await edit(view=card(picture="out.png"), attachments=[file(bytes(2_000_000))])
    if kind is faults.Reset:
        chain = [raised.value, raised.value.__cause__, raised.value.__context__]
        assert any(isinstance(error, OSError) for error in chain)
    assert asked.message.loading is not after
    assert pair.discord.counts["PATCH /webhooks/{app}/{token}/messages/{message}", 0] == 1


async def test_silence_lasts_until_the_client_gives_up(pair, asked, edit):
    pair.discord.fault(faults.Silence(), on=EDIT)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await edit(content="x")
    assert asked.message.loading


async def test_a_slow_answer(pair, asked, edit):
    pair.discord.fault(faults.Slow(0.3, after=True), on=EDIT)
    slow = asyncio.create_task(edit(content="x"))
    await asked.shown()
    assert not slow.done()
    await slow


async def test_server_errors(pair, asked, edit):
    # The webhook's client retries a 503, the bot's own does not.
    once = pair.discord.fault(faults.broken(status=503), on=EDIT)
    await edit(content="x")
    assert once.fired == 1
    pair.discord.fault(faults.broken(status=503), on="PATCH /channels/*")
    channel = pair.bot.get_partial_messageable(asked.channel.id)
    with pytest.raises(discord.DiscordServerError):
        await channel.get_partial_message(asked.message.id).edit(content="y")
    assert asked.message.content == "x"


async def test_discords_own_refusals_on_demand(pair, edit):
    pair.discord.fault(faults.refuse(400, code=200000, message="blocked"), on=EDIT)
    assert await refusal(edit(content="x")) == (400, 200000)
    assert await refusal(edit(content="x")) is None


async def test_one_interaction_can_be_singled_out(pair, edit):
    other = await pair.ask(deferred)
    pair.discord.fault(faults.refuse(404, code=10008), on=EDIT, times=9, about=other)
    assert await refusal(edit(content="x")) is None
    assert await refusal(pair.bot.seen[1].edit_original_response(content="x")) == (404, 10008)


async def test_by_the_throw_of_a_die_and_the_same_each_time(pair):
    outcomes = []
    for _ in range(2):
        fault = pair.discord.fault(faults.refuse(418), on="GET /users/{user}", chance=0.5, seed=7)
        outcomes.append([await refusal(pair.bot.fetch_user(n)) for n in range(1, 11)])
        fault.lift()
    assert outcomes[0] == outcomes[1]
    assert 0 < fault.fired < 10


async def test_the_log_tells_everything_but_the_token(pair, asked, edit):
    await edit(attachments=[file()])
    last = pair.discord.log.requests[-1]
    assert (last.method, last.status) == ("PATCH", 200)
    assert last.path == f"/webhooks/{pair.bot.user.id}/:token/messages/@original"
    assert last.size > 2000
    assert not any(asked.token in request.path for request in pair.discord.log.requests)
