"""The stand-in's callbacks: what they carry, how they are signed, when they come again."""

import asyncio

import pytest
from aiohttp import web
from hiapi import WebhookVerificationError, verify_webhook

from sandbox import callbacks, faults
from tests.contract import standin
from tests.contract.standin import SECRET, START


@pytest.fixture
async def receiver():
    async with standin.receiving() as receiver:
        yield receiver


@pytest.fixture
async def api():
    async with standin.opened() as caller:
        yield caller


async def ended(api, *, after=4.0):
    api.clock.now += after
    await api.standin.settle()


def verified(received, *, now):
    return verify_webhook(
        received.body,
        signature=received.headers["X-HiAPI-Signature"],
        timestamp=received.headers["X-HiAPI-Timestamp"],
        secret=SECRET,
        now=now,
    )


def test_the_contracts_test_vector():
    body = b'{"taskId":"tk-hiapi-01K5ZX9Q7RAB3C4D5E6F7G8H9J","status":"success"}'
    signature = callbacks.sign(SECRET, timestamp="1790000000", body=body)
    assert signature == "45979ce75d75f15589c0f485dfa72198e422437ae6e9fbdd4d0726a4708d6310"


async def test_a_callback_is_the_bare_signed_task(api, receiver):
    task_id = await api.made(callback=receiver.url)
    await ended(api, after=3.9)
    assert receiver.got == []
    await ended(api, after=0.1)
    [received] = receiver.got
    assert received.json == await api.detail(task_id)
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["X-HiAPI-Timestamp"] == str(int(START) + 4)
    assert verified(received, now=START + 4).succeeded


async def test_a_moved_clock_is_noticed_without_help(api, receiver):
    await api.made(callback=receiver.url)
    api.clock.now += 4
    await standin.until(lambda: receiver.got)


async def test_without_a_secret_nothing_is_signed(receiver):
    async with standin.opened(webhook_secret="") as api:
        await api.made(callback=receiver.url)
        await ended(api)
    assert not [name for name in receiver.got[0].headers if name.startswith("X-HiAPI")]


async def test_a_failure_carries_its_error(api, receiver):
    await api.made("a fox [fail]", callback=receiver.url)
    await ended(api, after=3)
    told = receiver.got[0].json
    assert (told["status"], told["error"]["code"]) == ("fail", "TASK_FAILED")
    assert "output" not in told


async def test_a_task_with_references_calls_back_too(receiver):
    async def resolve(_):
        return standin.PNG

    async with standin.opened(resolve=resolve) as api:
        await api.made(callback=receiver.url, input_urls=["https://a.example/1"])
        await ended(api)
        assert [each.json["status"] for each in receiver.got] == ["success"]


async def test_four_tries_each_signed_afresh_then_silence(api, receiver):
    receiver.statuses = [500, 302, 401, 503]
    await api.made(callback=receiver.url)
    moment, stamps = START + 4, []
    for delay in (4, 60, 300, 1200, 5000):
        await ended(api, after=delay)
        stamps.append(len(receiver.got))
    assert stamps == [1, 2, 3, 4, 4]
    for received, later in zip(receiver.got, (0, 60, 360, 1560), strict=True):
        assert received.headers["X-HiAPI-Timestamp"] == str(int(moment + later))
        assert verified(received, now=moment + later)
    assert len({received.body for received in receiver.got}) == 1


async def test_a_2xx_ends_the_tries(api, receiver):
    receiver.statuses = [500]
    await api.made(callback=receiver.url)
    for delay in (4, 60, 300, 1200):
        await ended(api, after=delay)
    assert len(receiver.got) == 2
    assert api.standin.tasks.answers["callback", 204] == 1


async def test_a_slow_or_absent_receiver_counts_as_no_answer():
    async def hang(_):
        await asyncio.sleep(5)
        return web.Response()

    async with standin.receiving(hang) as slow, standin.opened(callback_timeout=0.05) as api:
        await api.made(callback=slow.url)
        await api.made(callback="http://127.0.0.1:1/nobody")
        await ended(api)
        assert api.standin.tasks.answers["callback", 0] == 2


# --- tricks ---------------------------------------------------------------------------------------


async def test_duplicates_come_at_once(api, receiver):
    api.standin.fault(faults.Trick(copies=5))
    task_id = await api.made(callback=receiver.url)
    await ended(api)
    assert [each.json["taskId"] for each in receiver.got] == [task_id] * 5


async def test_an_early_callback_comes_before_the_create_answer(api):
    order = []

    async def handle(request):
        order.append(("callback", (await request.json())["status"]))
        return web.Response()

    async with standin.receiving(handle) as receiver:
        api.standin.fault(faults.Trick(early=True))
        task_id = await api.made(callback=receiver.url)
        order.append(("created", (await api.detail(task_id))["status"]))
    assert order == [("callback", "success"), ("created", "success")]


async def test_a_forged_one_fails_verification_and_precedes_the_true_one(api, receiver):
    api.standin.fault(faults.Trick(forged=True))
    await api.made("a fox [fail]", callback=receiver.url)
    await ended(api, after=3)
    forged, true = receiver.got
    assert (forged.json["status"], true.json["status"]) == ("success", "fail")
    with pytest.raises(WebhookVerificationError, match="signature"):
        verified(forged, now=START + 3)
    assert verified(true, now=START + 3)


async def test_a_stale_one_is_signed_but_old(api, receiver):
    api.standin.fault(faults.Trick(age=301))
    await api.made(callback=receiver.url)
    await ended(api)
    with pytest.raises(WebhookVerificationError, match="tolerance"):
        verified(receiver.got[0], now=START + 4)
    assert verified(receiver.got[0], now=START + 4 - 301)


async def test_a_silent_task_never_calls(api, receiver):
    api.standin.fault(faults.Trick(silent=True))
    await api.made(callback=receiver.url)
    for delay in (4, 60, 300, 1200):
        await ended(api, after=delay)
    assert receiver.got == []


async def test_one_can_be_sent_by_hand(api, receiver):
    task_id = await api.made(callback=receiver.url)
    await ended(api)
    receiver.statuses = [401]
    assert await api.standin.send_callback(task_id, trick=faults.Trick(forged=True)) == 401
    assert await api.standin.send_callback(task_id) == 204
    assert len(receiver.got) == 3
    with pytest.raises(LookupError):
        await api.standin.send_callback("tk-hiapi-nobody")
