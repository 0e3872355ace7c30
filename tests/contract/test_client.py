"""Our client beside the vendor's own, over every fault the stand-in knows: same class, same values.

Where the two differ on purpose, the table says so: ours trusts less.
"""

import asyncio
import dataclasses
import inspect
import itertools
import json
from datetime import UTC, datetime

import hiapi
import pytest
from aiohttp import web

from bot.hiapi import faults as ours
from bot.hiapi import wire
from bot.hiapi.budget import Budget
from bot.hiapi.client import Client
from sandbox import faults
from sandbox.hiapi import StandIn

KEY = "sk-sandbox-0123456789"
INPUT = {"prompt": "a red fox", "aspect_ratio": "1:1", "resolution": "1K"}
MODEL = "gpt-image-2-pro"
SMALL_FLOOD = faults.Flood(size=6 * 1024 * 1024)

# Every fault by name. `SAME`: both clients must agree. `STRICTER`: the vendor's takes it for a
# success, ours does not.
SAME, STRICTER = "same", "stricter"
REPLIES = {
    "status": (lambda: faults.status(418), SAME),
    "status-500-after": (lambda: faults.status(500, after=True), SAME),
    "status-502": (lambda: faults.status(502), SAME),
    "status-504": (lambda: faults.status(504), SAME),
    "status-404": (lambda: faults.status(404), SAME),
    "status-409-no-code": (lambda: faults.status(409), SAME),
    "status-415": (lambda: faults.status(415), SAME),
    "invalid": (lambda: faults.status(400, error_code="INVALID_REQUEST"), SAME),
    "task-failed": (lambda: faults.status(400, error_code="TASK_FAILED"), SAME),
    "task-timeout": (lambda: faults.status(504, error_code="TASK_TIMEOUT"), SAME),
    "storage": (lambda: faults.status(500, error_code="STORAGE_UNAVAILABLE"), SAME),
    "key-busy": (lambda: faults.status(409, error_code="IDEMPOTENCY_KEY_PROCESSING"), SAME),
    "key-mismatch": (lambda: faults.status(422, error_code="IDEMPOTENCY_KEY_MISMATCH"), SAME),
    "unheard-of": (lambda: faults.status(400, error_code="SOMETHING_NEW"), SAME),
    "raw": (lambda: faults.raw(b"not json"), SAME),
    "raw-not-utf8": (lambda: faults.raw(b"\xff\xfe{}"), SAME),
    "raw-empty": (lambda: faults.raw(b""), STRICTER),
    "raw-null-data": (lambda: faults.raw(b'{"code": 200, "data": null}'), STRICTER),
    "rate_limited": (faults.rate_limited, SAME),
    "rate_limited-date": (lambda: faults.rate_limited(retry_after=9, as_date=True), SAME),
    "rate_limited-task": (lambda: faults.rate_limited(task_envelope=True), SAME),
    "unavailable": (faults.unavailable, SAME),
    "out_of_quota": (faults.out_of_quota, SAME),
    "unauthorized": (faults.unauthorized, SAME),
    "forbidden": (faults.forbidden, SAME),
    "model_unavailable": (faults.model_unavailable, SAME),
    "garbage": (faults.garbage, SAME),
    "html": (faults.html, SAME),
    "html-200": (lambda: faults.html(code=200), SAME),
    "not_an_object": (faults.not_an_object, SAME),
    "no_task_id": (faults.no_task_id, STRICTER),
    "body_code": (lambda: faults.body_code(402), STRICTER),
    "body_code-500": (lambda: faults.body_code(500, error_code="STORAGE_UNAVAILABLE"), STRICTER),
    "not_there": (faults.not_there, SAME),
    "expired": (faults.expired, SAME),
    "wrong_type": (faults.wrong_type, SAME),
    "wrong_bytes": (faults.wrong_bytes, SAME),
    "bomb": (lambda: faults.bomb(edge=1000), SAME),
    "redirect-nowhere": (lambda: faults.raw(b"", code=302), SAME),
    "drop": (faults.Drop, SAME),
    "drop-after": (lambda: faults.Drop(after=True), SAME),
    "pause": (lambda: faults.Pause(until=0.02), SAME),
    "drip": (lambda: faults.Drip(seconds=0.05), SAME),
    "flood": (lambda: SMALL_FLOOD, SAME),
}
FATES = {
    "fails": faults.fails,
    "fails-policy": lambda: faults.fails(message="rejected by content policy"),
    "never_ends": faults.never_ends,
    "strange_status": faults.strange_status,
    "gives": faults.gives,
    "thumbnail_first": faults.thumbnail_first,
    "odd_items": faults.odd_items,
}
ELSEWHERE = {"redirect": "test_the_key_does_not_follow_a_redirect"}


class Pair:
    """The stand-in, the vendor's client in a thread, and ours, with one account between them."""

    def __init__(self, server, client, budget):
        self.server = server
        self.client = client
        self.budget = budget
        self.vendor = hiapi.HiAPI(KEY, base_url=server.base_url, max_retries=0, timeout=5)
        self._keys = (f"job-{number}" for number in itertools.count())

    async def create(self, *, by, key=None, **more):
        fields = {**INPUT, **more}
        key = key or next(self._keys)
        if by == "vendor":
            call = self.vendor.tasks.create
            return await asyncio.to_thread(call, model=MODEL, input=fields, idempotency_key=key)
        body = wire.encode(model=MODEL, input=fields, callback_url=None)
        return await self.client.create(body, key=key)

    async def detail(self, task_id, *, by):
        if by == "vendor":
            return await asyncio.to_thread(self.vendor.tasks.retrieve, task_id)
        return await self.client.task(task_id)

    async def list(self, *, by):
        if by == "vendor":
            return await asyncio.to_thread(self.vendor.tasks.list, page=1, size=100)
        return await self.client.page(1, size=100)

    async def both(self, route, task_id):
        calls = {
            "create": self.create,
            "detail": lambda *, by: self.detail(task_id, by=by),
            "list": self.list,
        }
        return [await outcome(calls[route](by=by)) for by in ("vendor", "ours")]


async def outcome(call):
    try:
        return await call
    except hiapi.HiAPIError as error:
        return error


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (the stand-in counts, it does not call)
            await asyncio.sleep(0.001)


def values(thing):
    """A vendor's value without what it keeps of the raw bytes, and without what must differ."""
    told = dataclasses.asdict(thing)

    def strip(each):
        if isinstance(each, dict):
            return {name: strip(value) for name, value in each.items() if name != "raw"}
        return [strip(item) for item in each] if isinstance(each, list) else each

    return strip(told)


def open_client(server, budget, **more):
    return Client(api_key=KEY, base_url=server.base_url, budget=budget, **more)


def roomy():
    return Budget(per_minute=10_000, concurrency=100)


class Hands:
    """A clock moved by hand, from a whole second on."""

    def __init__(self):
        self.now = 1_790_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
async def clock():
    return Hands()


@pytest.fixture
async def pair(clock):
    budget = roomy()
    async with (
        StandIn(api_key=KEY, requests_per_minute=None, concurrency=None, clock=clock) as server,
        open_client(server, budget, now=lambda: datetime.fromtimestamp(clock(), UTC)) as client,
    ):
        yield Pair(server, client, budget)


def test_every_fault_of_the_stand_in_is_in_the_tables():
    made = {
        name
        for name, each in vars(faults).items()
        if inspect.isfunction(each)
        and not name.startswith("_")
        and each.__annotations__.get("return") in {"Reply", "DatedReply", "Fate"}
    }
    assert made <= {name.split("-")[0] for name in (*REPLIES, *FATES)} | ELSEWHERE.keys()


@pytest.mark.parametrize("route", ["create", "detail", "list"])
@pytest.mark.parametrize("name", REPLIES)
async def test_a_fault_is_the_same_fault_to_both(pair, route, name):
    task_id = (await pair.create(by="ours")).task_id
    build, agreement = REPLIES[name]
    pair.server.fault(build(), on=route, times=2)
    vendor, own = await pair.both(route, task_id)
    if agreement is STRICTER:
        assert not isinstance(vendor, hiapi.HiAPIError)
        assert isinstance(own, ours.AnswerError)
    elif not isinstance(vendor, hiapi.HiAPIError):
        assert type(own) is type(vendor)
        if route != "create":
            assert values(own) == values(vendor)
    else:
        assert isinstance(own, type(vendor))
        if isinstance(vendor, hiapi.APIError):
            assert isinstance(own, ours.AnswerError)
            assert own.status == vendor.status
            assert vendor.error_code in (None, own.error_code)


@pytest.mark.parametrize("name", FATES)
async def test_a_task_reads_the_same_to_both_at_every_stage(pair, clock, name):
    pair.server.fault(FATES[name]())
    task_id = (await pair.create(by="ours")).task_id
    for seconds in (0, 2, 3, 60):
        clock.now += seconds
        vendor, own = await pair.both("detail", task_id)
        assert values(own) == values(vendor)
        listed_by_vendor, listed = await pair.both("list", task_id)
        assert values(listed) == values(listed_by_vendor)


async def test_the_picture_of_a_finished_task(pair, clock):
    pair.server.fault(faults.odd_items())
    task_id = (await pair.create(by="ours")).task_id
    clock.now += 60
    task = await pair.detail(task_id, by="ours")
    (picture,) = wire.pictures(task)
    assert picture.url.startswith(pair.server.base_url)
    assert picture.expires_at.timestamp() > clock.now
    assert wire.status(task) == "success"


@pytest.mark.parametrize(
    "odd",
    [
        {"output": 7},
        {"output": True},
        {"output": [{"url": None, "type": 7, "expireAt": "1790000000"}]},
        {"error": "text"},
        {"error": ["list"]},
        {"status": {"is": "odd"}},
        {"completed": "0", "created": "yesterday"},
        {"model": None},
    ],
)
async def test_types_the_contract_does_not_know_break_nothing(pair, odd):
    data = {"taskId": "tk-1", "model": "m", "status": "success", "created": 1, **odd}
    body = json.dumps({"code": 200, "data": data}).encode()
    pair.server.fault(faults.raw(body), on="detail")
    task = await pair.detail("tk-1", by="ours")
    assert task.task_id == "tk-1"
    assert wire.pictures(task) == ()


class TestIdempotency:
    async def test_the_same_key_is_the_same_task_to_both(self, pair):
        first = await pair.create(by="ours", key="job-a")
        again = await pair.create(by="ours", key="job-a")
        assert (again.task_id, first.idempotent_replay) == (first.task_id, False)
        assert again.idempotent_replay
        theirs = await pair.create(by="vendor", key="job-b")
        assert not theirs.idempotent_replay
        assert len(pair.server.tasks.bills) == 2

    async def test_other_bytes_under_the_same_key(self, pair):
        await pair.create(by="ours", key="job-a")
        vendor = await outcome(pair.create(by="vendor", key="job-a", prompt="another"))
        own = await outcome(pair.create(by="ours", key="job-a", prompt="another"))
        assert type(vendor) is hiapi.IdempotencyKeyMismatchError
        assert isinstance(own, hiapi.IdempotencyKeyMismatchError)

    async def test_a_key_still_under_way(self, pair):
        held = asyncio.Event()
        pair.server.fault(faults.Pause(until=held), on="create")
        first = asyncio.create_task(pair.create(by="ours", key="job-a"))
        await until(lambda: pair.server.tasks.requests["create"])
        own = await outcome(pair.create(by="ours", key="job-a"))
        held.set()
        assert isinstance(own, hiapi.IdempotencyKeyProcessingError)
        assert own.retry_after == 5.0
        assert pair.budget.room() == 99  # one key's business: nobody else waits
        assert (await first).task_id

    @pytest.mark.parametrize("key", ["", "a" * 256, "ä" * 128, "a\nb", "a\x00"])
    async def test_a_key_the_contract_forbids_is_never_sent(self, pair, key):
        with pytest.raises(ValueError, match="Idempotency-Key"):
            await pair.client.create(b"{}", key=key)
        assert pair.server.tasks.requests["create"] == 0


class TestNoAnswer:
    async def test_nobody_listens(self, pair):
        await pair.server._runner.cleanup()
        vendor, own = await pair.both("list", "")
        assert type(vendor) is type(own) is hiapi.APIConnectionError

    async def test_too_slow(self, pair):
        pair.server.fault(faults.Pause(until=0.3), on="list", times=2)
        slow = hiapi.HiAPI(KEY, base_url=pair.server.base_url, max_retries=0, timeout=0.05)
        vendor = await outcome(asyncio.to_thread(slow.tasks.list))
        async with open_client(pair.server, roomy(), total=0.05) as client:
            own = await outcome(client.page())
        assert type(vendor) is type(own) is hiapi.APIConnectionError

    async def test_a_lost_connection_is_not_tried_again_behind_the_budgets_back(self, pair):
        task_id = (await pair.create(by="ours")).task_id
        await pair.detail(task_id, by="ours")  # the connection is now a used one
        pair.server.fault(faults.Drop(), on="detail")
        own = await outcome(pair.detail(task_id, by="ours"))
        assert type(own) is hiapi.APIConnectionError
        assert pair.server.tasks.requests["detail"] == 2

    async def test_half_an_answer(self, pair):
        pair.server.fault(faults.Drip(seconds=2.0), on="list")
        reading = asyncio.create_task(outcome(pair.list(by="ours")))
        await until(lambda: pair.server.tasks.answers["list", 200])
        for connection in pair.server._runner.server.connections:
            connection.transport.abort()
        assert type(await reading) is hiapi.APIConnectionError


class TestSecrets:
    async def test_a_server_that_quotes_the_key_does_not_make_us_quote_it(self):
        secret = "plain-words-that-are-a-key"
        body = json.dumps({"code": 401, "message": f"wrong key {secret}"}).encode()
        async with (
            StandIn(api_key=secret) as server,
            Client(api_key=secret, base_url=server.base_url, budget=roomy()) as client,
        ):
            server.fault(faults.raw(body, code=401), on="list")
            own = await outcome(client.page())
        assert isinstance(own, hiapi.AuthenticationError)
        assert own.message == "wrong key <key>"
        assert secret not in f"{own!r} {own} {own.body}"

    async def test_a_wrong_key_is_the_same_to_both(self, pair):
        stranger = hiapi.HiAPI("wrong", base_url=pair.server.base_url, max_retries=0)
        vendor = await outcome(asyncio.to_thread(stranger.tasks.list))
        async with Client(api_key="wrong", base_url=pair.server.base_url, budget=roomy()) as client:
            own = await outcome(client.page())
        assert type(vendor) is hiapi.AuthenticationError
        assert isinstance(own, hiapi.AuthenticationError)

    async def test_the_key_does_not_follow_a_redirect(self, pair):
        async with StandIn(api_key=KEY) as elsewhere:
            pair.server.fault(faults.redirect(f"{elsewhere.base_url}/v1/tasks"), on="list")
            own = await outcome(pair.list(by="ours"))
            assert elsewhere.tasks.requests["list"] == 0
        assert isinstance(own, ours.AnswerError)
        assert own.status == 302

    @pytest.mark.parametrize("task_id", ["", "..", "a/b", "a?b", "a" * 101])
    async def test_an_id_that_is_none_never_becomes_a_path(self, pair, task_id):
        with pytest.raises(ValueError, match="task id"):
            await pair.client.task(task_id)


class TestBudget:
    async def test_a_429_holds_everybody(self, pair):
        pair.server.fault(faults.rate_limited(retry_after=30), on="list")
        own = await outcome(pair.list(by="ours"))
        assert isinstance(own, ours.RateLimitedError)
        assert (own.retry_after, own.error_code) == (30.0, "rate_limit_exceeded")
        assert pair.budget.room() == 0

    async def test_a_429_without_a_time_holds_everybody_too(self, pair):
        pair.server.fault(faults.status(429), on="list")
        await outcome(pair.list(by="ours"))
        assert pair.budget.room() == 0

    async def test_other_faults_hold_nobody(self, pair):
        pair.server.fault(faults.status(500), on="list")
        await outcome(pair.list(by="ours"))
        assert pair.budget.room() == 100

    async def test_someone_else_on_the_same_key_slows_us_down_before_a_429(self):
        budget = Budget(per_minute=60, concurrency=10)
        async with (
            StandIn(api_key=KEY, requests_per_minute=5) as server,
            open_client(server, budget) as client,
        ):
            pair = Pair(server, client, budget)
            for _ in range(3):
                await pair.list(by="vendor")
            await pair.list(by="ours")
            assert budget.room() == 1
            await pair.list(by="ours")
            assert budget.room() == 0
            assert not any(status == 429 for _, status in server.tasks.answers)

    async def test_every_place_is_given_back(self, pair):
        for name in ("garbage", "drop", "html", "out_of_quota"):
            pair.server.fault(REPLIES[name][0](), on="list")
        async with asyncio.timeout(5), open_client(pair.server, Budget(concurrency=1)) as client:
            for _ in range(4):
                assert isinstance(await outcome(client.page()), hiapi.HiAPIError)
            assert isinstance(await client.page(), hiapi.TaskPage)


class TestClient:
    @pytest.mark.parametrize("tail", ["", "/", "/v1", "/v1/", "/v1//"])
    async def test_the_address_with_and_without_its_version(self, pair, tail):
        async with Client(
            api_key=KEY, base_url=pair.server.base_url + tail, budget=roomy()
        ) as client:
            assert (await client.page()).items == []

    async def test_what_is_asked_for_stays_within_a_page(self, pair):
        await pair.create(by="ours")
        assert (await pair.client.page(1, size=500)).size == 100
        assert (await pair.client.page(number=2, size=0)).size == 1

    async def test_whoever_counts_is_told_of_every_request(self, pair):
        seen = []

        def observe(route, status, seconds):
            assert seconds >= 0
            seen.append((route, status))

        pair.server.fault(faults.Drop(), on="list")
        async with open_client(pair.server, roomy(), observe=observe) as client:
            body = wire.encode(model=MODEL, input=INPUT, callback_url=None)
            task_id = (await client.create(body, key="job-a")).task_id
            await client.task(task_id)
            await outcome(client.task("tk-unknown"))
            await outcome(client.page())
        assert seen == [("create", 200), ("task", 200), ("task", 404), ("page", 0)]

    async def test_a_closed_client_says_so(self, pair):
        client = open_client(pair.server, roomy())
        with pytest.raises(RuntimeError, match="not open"):
            await client.page()

    async def test_an_answer_that_never_ends_is_cut(self):
        sent = 0

        async def endless(request):
            nonlocal sent
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                sent += 65536
                await response.write(b" " * 65536)

        app = web.Application()
        app.router.add_get("/v1/tasks", endless)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with Client(api_key=KEY, base_url=address, budget=roomy()) as client:
            with pytest.raises(ours.BadAnswerError):
                await client.page()
        await runner.cleanup()
        assert sent < 32 * 1024 * 1024
