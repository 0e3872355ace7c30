"""What the tests of the HiAPI stand-in share: a clock moved by hand, a client, a receiver."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from sandbox import hiapi, painter

START = 1_790_000_000.0
SECRET = "demo-secret-0123456789"
PNG = painter.paint(painter.PaintJob(prompt="a tree", aspect_ratio="21:9"))


@dataclass
class Clock:
    now: float = START

    def __call__(self) -> float:
        return self.now


async def until(condition: Callable[[], object]) -> None:
    """Wait, two real seconds at most, for something another task is about to do."""
    async with asyncio.timeout(2):
        while not condition():  # noqa: ASYNC110 (the server has no event to wait on)
            await asyncio.sleep(0.001)


@dataclass
class Caller:
    """A raw client: it shows what is on the wire and interprets nothing."""

    session: aiohttp.ClientSession
    standin: hiapi.StandIn
    clock: Clock

    async def call(self, method, path, *, body=None, raw=None, key=None, headers=None):
        sent = {"Authorization": "Bearer sk-sandbox"}
        if body is not None or raw is not None:
            sent["Content-Type"] = "application/json"
        if key is not None:
            sent["Idempotency-Key"] = key
        sent = {name: value for name, value in (sent | (headers or {})).items() if value}
        data = json.dumps(body).encode() if body is not None else raw
        async with self.session.request(
            method,
            self.standin.base_url + path,
            data=data,
            headers=sent,
            allow_redirects=False,
            skip_auto_headers=["Content-Type"],
        ) as answer:
            return Seen(answer.status, dict(answer.headers), await answer.read())

    async def create(self, prompt="a red fox", *, key=None, callback=None, **given):
        return await self.call("POST", "/v1/tasks", body=order(prompt, callback, **given), key=key)

    async def made(self, prompt="a red fox", **given) -> str:
        seen = await self.create(prompt, **given)
        assert seen.status == 200, seen
        return seen.json["data"]["taskId"]

    async def detail(self, task_id):
        return (await self.call("GET", f"/v1/tasks/{task_id}")).json["data"]

    async def file(self, task):
        address = task["output"][0]["url"].removeprefix(self.standin.base_url)
        return await self.call("GET", address, headers={"Authorization": ""})


@dataclass(frozen=True)
class Seen:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


def order(prompt="a red fox", callback=None, **given):
    body = {"model": "gpt-image-2-pro", "input": {"prompt": prompt, **given}}
    if "input_urls" in given:
        body["model"] = "gpt-image-2-image-to-image-pro"
    if callback:
        body["callback"] = {"url": callback, "when": "final"}
    return body


@asynccontextmanager
async def opened(**changes) -> AsyncIterator[Caller]:
    """A stand-in on a hand-moved clock whose tasks take 1 + 2 + 1 of its seconds."""
    clock = Clock()
    given = {
        "clock": clock,
        "seconds": (1, 2, 1),
        "requests_per_minute": None,
        "concurrency": None,
        "webhook_secret": SECRET,
        "paint": lambda _: PNG,
    }
    async with hiapi.StandIn(**{**given, **changes}) as standin, aiohttp.ClientSession() as session:
        yield Caller(session, standin, clock)


@dataclass(frozen=True)
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Receiver:
    """A callback address that answers `statuses` in turn, then 204."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    got: list[Received] = field(default_factory=list)

    async def handle(self, request):
        self.got.append(Received(dict(request.headers), await request.read()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 204)


@asynccontextmanager
async def receiving(handle=None) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", handle or receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield receiver
    finally:
        await runner.cleanup()
