"""The HiAPI stand-in keeps to the contract: create, keys, reading, limits, files."""

import asyncio
import json
import re

import pytest
from hiapi import HiAPI, IdempotencyKeyMismatchError, NotFoundError, TaskFailed

from sandbox import contract, faults, hiapi
from tests.contract import standin
from tests.contract.standin import PNG, START, order


@pytest.fixture
async def api():
    async with standin.opened() as caller:
        yield caller


async def test_create_answers_with_nothing_but_a_task_id(api):
    seen = await api.create()
    assert (seen.status, seen.json["code"], seen.json["message"]) == (200, 200, "success")
    assert list(seen.json["data"]) == ["taskId"]
    assert re.fullmatch(r"tk-hiapi-[0-9A-HJKMNP-TV-Z]{26}", seen.json["data"]["taskId"])
    assert "Idempotent-Replay" not in seen.headers
    assert api.standin.tasks.created == len(api.standin.tasks.bills) == 1


async def test_status_follows_the_clock_and_completed_is_zero_until_the_end(api):
    task_id = await api.made()
    seen = []
    for moment in (0, 0.9, 1, 2.9, 3, 3.9):
        api.clock.now = START + moment
        task = await api.detail(task_id)
        assert task["completed"] == 0
        assert "output" not in task
        assert "error" not in task
        seen.append(task["status"])
    assert seen == ["queued", "queued", "handling", "handling", "archiving", "archiving"]
    api.clock.now = START + 4
    task = await api.detail(task_id)
    assert task == {
        "taskId": task_id,
        "model": "gpt-image-2-pro",
        "status": "success",
        "created": START,
        "completed": START + 4,
        "storage": "temp",
        "output": [{"url": task["output"][0]["url"], "type": "image", "expireAt": START + 604_804}],
    }


async def test_each_task_may_take_its_own_time():
    times = iter(((0, 0, 0), (0, 60, 0)))
    async with standin.opened(seconds=lambda: next(times)) as api:
        assert (await api.detail(await api.made()))["status"] == "success"
        assert (await api.detail(await api.made()))["status"] == "handling"


@pytest.mark.parametrize(
    ("path", "headers"), [("/v1/tasks", {}), ("/v1/tasks/x", {}), ("/v1/tasks?page=1", {})]
)
@pytest.mark.parametrize("key", ["", "Bearer sk-other", "sk-sandbox"])
async def test_a_wrong_key_is_refused_in_the_gateways_envelope(api, path, headers, key):
    seen = await api.call("GET", path, headers={**headers, "Authorization": key})
    assert seen.status == 401
    assert seen.json["error"]["code"] == "permission_denied"
    assert "code" not in seen.json


async def test_an_unknown_task_is_404_in_the_task_envelope(api):
    seen = await api.call("GET", "/v1/tasks/tk-hiapi-nobody")
    assert (seen.status, seen.json["code"], seen.json["data"]) == (404, 404, None)
    assert (await api.call("GET", "/v2/anything")).status == 404


async def test_only_json_is_read(api):
    raw = json.dumps(order()).encode()
    wrong = await api.call("POST", "/v1/tasks", raw=raw, headers={"Content-Type": "text/plain"})
    none = await api.call("POST", "/v1/tasks", raw=raw, headers={"Content-Type": ""})
    charset = {"Content-Type": "application/json; charset=utf-8"}
    assert wrong.status == 415
    assert none.status == (await api.call("POST", "/v1/tasks", raw=raw, headers=charset)).status
    assert none.status == 200


TEXT = "gpt-image-2-pro"
REMIX = "gpt-image-2-image-to-image-pro"
URLS = ["https://cdn.example/1.png"]
HOOK = {"url": "https://bot.example/hook"}
BAD_BODIES = {
    "not json": b"{",
    "not an object": b"[]",
    "no model": {"input": {"prompt": "x"}},
    "no input": {"model": "gpt-image-2-pro"},
    "no prompt": {"model": "gpt-image-2-pro", "input": {}},
    "blank prompt": order(" \n"),
    "prompt of 20001": order("x" * 20_001),
    "unknown ratio": order(aspect_ratio="2:1"),
    "auto without references": order(aspect_ratio="auto"),
    "4K": order(resolution="4K"),
    "number for a word": order(resolution=1),
    "unknown input key": order(quality="high"),
    "references for text-to-image": order(input_urls=URLS) | {"model": TEXT},
    "no references": {"model": REMIX, "input": {"prompt": "x"}},
    "empty references": order(input_urls=[]),
    "six references": order(input_urls=URLS * 6),
    "references as text": order(input_urls="https://cdn.example/1.png"),
    "a path for a reference": order(input_urls=["/etc/passwd"]),
    "credentials in a reference": order(input_urls=["https://me:pw@cdn.example/1.png"]),
    "callback inside input": order() | {"input": {"prompt": "x", "callback": HOOK}},
    "callback as text": order() | {"callback": "https://bot.example"},
    "callback without address": order() | {"callback": {"when": "final"}},
    "callback of another scheme": order() | {"callback": {"url": "ftp://bot.example"}},
    "callback at another time": order() | {"callback": HOOK | {"when": "all"}},
    "unknown route": order() | {"route": "pro"},
    "unknown storage": order() | {"storage": "forever"},
    "unknown field": order() | {"n": 2},
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
async def test_a_bad_request_is_refused_and_bills_nothing(api, body):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    seen = await api.call("POST", "/v1/tasks", raw=raw, key="k")
    assert (seen.status, seen.json["error_code"]) == (400, "INVALID_REQUEST")
    assert (seen.json["code"], seen.json["data"]) == (400, None)
    assert api.standin.tasks.bills == []
    # The key is not burnt: the mended request goes through.
    assert (await api.create(key="k")).status == 200


async def test_an_unknown_route_is_told_the_routes_there_are(api):
    seen = await api.call("POST", "/v1/tasks", body=order() | {"route": "pro"})
    assert "default" in seen.json["message"]
    for same in ("", "default"):
        seen = await api.call("POST", "/v1/tasks", body=order() | {"route": same})
        assert "route" not in await api.detail(seen.json["data"]["taskId"])


async def test_a_route_is_echoed_with_the_resolved_name():
    models = {"wide": contract.Rules(("1:1",), "1:1", routes=("default", "ext"))}
    async with standin.opened(models=models) as api:
        body = {"model": "wide", "input": {"prompt": "x"}}
        for sent, route in (({"route": "ext"}, "ext"), ({"model": "wide@ext"}, None)):
            seen = await api.call("POST", "/v1/tasks", body=body | sent)
            task = await api.detail(seen.json["data"]["taskId"])
            assert (task["model"], task.get("route")) == ("wide@ext", route)


async def test_an_unknown_model_is_unavailable(api):
    seen = await api.call("POST", "/v1/tasks", body=order() | {"model": "dall-e"})
    assert (seen.status, seen.json["error_code"]) == (400, "MODEL_UNAVAILABLE")


async def test_everything_the_models_allow_is_accepted(api):
    await api.made("x" * 20_000)
    for ratio in contract.RATIOS:
        for resolution in ("1K", "2K"):
            await api.made(aspect_ratio=ratio, resolution=resolution)
    await api.made(input_urls=URLS * 5, aspect_ratio="auto", resolution="2K")


# --- Idempotency-Key ------------------------------------------------------------------------------


async def test_the_same_key_and_bytes_replay_the_first_task(api):
    first, again = await api.create(key="k"), await api.create(key="k")
    assert again.status == 200
    assert again.json == first.json
    assert again.headers["Idempotent-Replay"] == "true"
    assert len(api.standin.tasks.bills) == 1
    assert api.standin.tasks.by_key("k").task_id == first.json["data"]["taskId"]


async def test_other_bytes_under_a_used_key_are_a_mismatch(api):
    await api.create(key="k")
    same_meaning = json.dumps(order(), indent=1).encode()
    seen = await api.call("POST", "/v1/tasks", raw=same_meaning, key="k")
    assert (seen.status, seen.json["error_code"]) == (422, "IDEMPOTENCY_KEY_MISMATCH")
    assert api.standin.tasks.created == 1


async def test_a_key_in_flight_is_told_to_come_back(api):
    gate = asyncio.Event()
    api.standin.fault(faults.Pause(gate), on="create")
    first = asyncio.create_task(api.create(key="k"))
    await standin.until(lambda: api.standin.tasks.requests["create"])
    early = await api.create(key="k")
    assert (early.status, early.json["error_code"]) == (409, "IDEMPOTENCY_KEY_PROCESSING")
    assert early.headers["Retry-After"] == "5"
    gate.set()
    made = await first
    again = await api.create(key="k")
    assert again.json == made.json
    assert api.standin.tasks.created == 1


async def test_a_key_lives_a_day(api):
    first = await api.made(key="k")
    api.clock.now += 86_399
    assert await api.made(key="k") == first
    api.clock.now += 1
    assert await api.made(key="k") != first
    assert len(api.standin.tasks.bills) == 2


async def test_a_key_is_measured_in_bytes(api):
    assert (await api.create(key="k" * 255)).status == 200
    assert (await api.create(key="k" * 256)).status == 400
    assert (await api.create(key="é" * 128)).status == 400


async def test_a_failed_task_is_replayed_too(api):
    first = await api.made("a fox [fail]", key="k")
    api.clock.now += 10
    assert await api.made("a fox [fail]", key="k") == first


# --- list -----------------------------------------------------------------------------------------


async def test_list_shows_the_newest_first_without_the_input(api):
    ids = []
    for moment in range(12):
        api.clock.now = START + moment
        ids.append(await api.made())
    data = (await api.call("GET", "/v1/tasks")).json["data"]
    assert (data["page"], data["size"], data["total"]) == (1, 10, 12)
    assert [task["taskId"] for task in data["tasks"]] == ids[:1:-1]
    assert data["tasks"][-1] == await api.detail(ids[2])
    rest = (await api.call("GET", "/v1/tasks?page=2&size=10")).json["data"]
    assert [task["taskId"] for task in rest["tasks"]] == [ids[1], ids[0]]
    assert (await api.call("GET", "/v1/tasks?page=3")).json["data"]["tasks"] == []


@pytest.mark.parametrize(
    ("query", "page", "size"),
    [
        ("size=500", 1, 10),
        ("size=101", 1, 10),
        ("size=100", 1, 100),
        ("size=0&page=0", 1, 10),
        ("size=-1&page=-3", 1, 10),
        ("size=many&page=first", 1, 10),
        ("size=1&page=2", 2, 1),
    ],
)
async def test_sizes_out_of_range_become_the_default(api, query, page, size):
    data = (await api.call("GET", f"/v1/tasks?{query}")).json["data"]
    assert (data["page"], data["size"]) == (page, size)


# --- limits ---------------------------------------------------------------------------------------


async def test_requests_a_minute_are_limited_over_a_rolling_window():
    async with standin.opened(requests_per_minute=3) as api:
        first = await api.create()
        assert first.headers["X-RateLimit-Limit"] == "3"
        assert first.headers["X-RateLimit-Remaining"] == "2"
        assert first.headers["X-RateLimit-Reset"] == str(int(START) + 60)
        api.clock.now += 20
        await api.create()
        await api.create()
        refused = await api.create()
        assert refused.status == 429
        assert refused.json["error"]["code"] == "rate_limit_exceeded"
        assert refused.headers["Retry-After"] == "40"
        assert refused.headers["X-RateLimit-Remaining"] == "0"
        api.clock.now += 40
        assert (await api.create()).status == 200
        assert (await api.create()).status == 429
        assert api.standin.tasks.created == 4
        assert api.standin.tasks.answers["create", 429] == 2


async def test_requests_at_once_are_limited():
    async with standin.opened(concurrency=2) as api:
        gate = asyncio.Event()
        api.standin.fault(faults.Pause(gate), on="list", times=2)
        held = [asyncio.create_task(api.call("GET", "/v1/tasks")) for _ in range(2)]
        await standin.until(lambda: api.standin.tasks.requests["list"] == 2)
        refused = await api.call("GET", "/v1/tasks")
        assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
        gate.set()
        assert {(await each).status for each in held} == {200}
        assert (await api.call("GET", "/v1/tasks")).status == 200


async def test_files_and_wrong_keys_do_not_count():
    async with standin.opened(requests_per_minute=2, seconds=(0, 0, 0)) as api:
        task = await api.detail(await api.made())
        assert [(await api.file(task)).status for _ in range(4)] == [200] * 4


# --- the vendor's own client ----------------------------------------------------------------------


async def test_the_vendors_client_is_content():
    async with hiapi.StandIn(
        seconds=(0, 0.02, 0), requests_per_minute=None, paint=lambda _: PNG
    ) as server:
        client = HiAPI(api_key="sk-sandbox", base_url=server.base_url, timeout=5)
        server.fault(faults.rate_limited(retry_after=0, as_date=True), on="create")
        server.fault(faults.rate_limited(retry_after=0), on="detail")
        await asyncio.to_thread(_use, client)
        assert server.tasks.created == 2


def _use(client):
    given = {"prompt": "a boat", "aspect_ratio": "16:9"}
    task = client.tasks.run(
        model="gpt-image-2-pro", input=given, idempotency_key="k", poll_interval=0.01, timeout=5
    )
    assert task.succeeded
    assert task.output[0].type == "image"
    assert task.completed_at >= task.created_at
    again = client.tasks.create(model="gpt-image-2-pro", input=given, idempotency_key="k")
    assert (again.task_id, again.idempotent_replay) == (task.task_id, True)
    with pytest.raises(IdempotencyKeyMismatchError):
        client.tasks.create(model="gpt-image-2-pro", input={"prompt": "x"}, idempotency_key="k")
    with pytest.raises(NotFoundError):
        client.tasks.retrieve("tk-hiapi-nobody")
    with pytest.raises(TaskFailed, match="content policy"):
        client.tasks.run(
            model="gpt-image-2-pro", input={"prompt": "[policy]"}, poll_interval=0.01, timeout=5
        )
    page = client.tasks.list(size=1)
    assert (page.total, page.size, len(page.items)) == (2, 1, 1)
