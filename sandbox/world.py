"""The demo: the real bot in a simulated Discord, with the stand-in for HiAPI behind it.

Owns the simulated server, its page in the browser and the headless run; it never replaces a part
of the bot.
"""

import asyncio
import json
import logging
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import simcord
from simcord import _clock as simcord_clock

from bot import app, logs, settings
from bot import clock as clocks
from bot.app import App
from bot.clock import Clock
from sandbox import gallery
from sandbox.hiapi import StandIn

# Quick enough to be fun, slow enough that each stage is seen.
SECONDS = (2.0, 4.0, 1.0)
HEADLESS_SECONDS = (0.3, 0.9, 0.3)
PATIENCE = 120.0  # seconds until the headless run gives up
# Looks at the running tasks must leave room for new pictures, and the real 60 hardly would.
REQUESTS_PER_MINUTE = 600

# Which log line says that a reply or its job is in which state.
STATES = {
    "reply.received": "received",
    "reply.queued": "queued",
    "job.submitting": "submitting",
    "job.submitted": "submitted",
    "job.stage": "stage",
    "job.settled": "settled",
    "reply.delivered": "delivered",
    "reply.undeliverable": "undeliverable",
    "reply.withdrawn": "withdrawn",
}


class _SharedClock(simcord_clock.Clock):
    """The simulated Discord and the bot read the same clock, so ages and dates agree."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def now(self) -> datetime:
        return self._clock()


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that is up while the demo runs."""

    app: App
    env: simcord.Env
    hiapi: StandIn
    channel: simcord.ChannelHandle
    member: simcord.MemberActor


@asynccontextmanager
async def opened(
    folder: Path,
    *,
    seconds: tuple[float, float, float] = SECONDS,
    clock: Clock = clocks.system,
    start: bool = True,
    **changes: Any,
) -> AsyncIterator[World]:
    """A simulated server with one channel and one member, the bot in it, the loops running.

    All of them go by `clock`. Without `start` the loops stand still, for whoever would rather call
    each stage's `step()`. `changes` are settings that differ from the demo's own.
    """
    discord: list[simcord.Env] = []

    async def resolve(url: str) -> bytes:
        # Uploads in the simulated Discord have addresses that no network knows.
        data: bytes | None = discord[0].backend.cdn.get(url) if discord else None
        if data is None:
            raise gallery.UnfetchableError(url)
        return data

    def unix_seconds() -> float:
        return clock().timestamp()

    async with StandIn(
        seconds=seconds,
        requests_per_minute=changes.setdefault("hiapi_requests_per_minute", REQUESTS_PER_MINUTE),
        resolve=resolve,
        clock=unix_seconds,
    ) as hiapi:
        host = hiapi.base_url.removeprefix("http://")
        configured = settings.Settings(
            **{
                "discord_token": "demo",
                "hiapi_api_key": "sk-sandbox",
                "allowed_servers": frozenset({settings.EVERYWHERE}),
                "allow_dms": True,
                "hiapi_base_url": hiapi.base_url,
                "hiapi_poll_every": 1.0,
                "hiapi_trusted_hosts": frozenset({host}),
                "database_url": f"sqlite:///{folder / 'demo.db'}",
                "web_port": 0,
                **changes,
            }
        )
        async with (
            app.opened(configured, clock=clock, shard_count=1) as easel,
            simcord.run(easel.bot, check_errors=False) as env,
        ):
            discord.append(env)
            env.backend.clock = _SharedClock(clock)
            env.backend.edit_bot_profile("Easel")
            guild = env.create_guild("Easel demo")
            channel = guild.create_text_channel("art")
            member = guild.add_member(env.create_user("you"))
            await easel.sync()
            if start:
                await easel.start()
            try:
                yield World(app=easel, env=env, hiapi=hiapi, channel=channel, member=member)
            finally:
                await easel.stop()


async def serve(*, port: int) -> None:
    """Keep the demo's page up until cancelled; prints its address."""
    with tempfile.TemporaryDirectory(prefix="easel-demo-") as folder:
        async with opened(Path(folder)) as world:
            async with page(world, port=port) as url:
                sys.stdout.write(f"Easel's demo is at {url}\nStop it with Ctrl+C.\n")
                sys.stdout.flush()
                await asyncio.Event().wait()


@asynccontextmanager
async def page(world: World, *, port: int = 0) -> AsyncIterator[str]:
    """The channel as a page in the browser, kept fresh; yields its address."""
    async with world.env.preview(
        world.channel, viewers=[world.member], layout="channel", port=port
    ) as preview:
        following = asyncio.create_task(_follow(world.env, preview))
        try:
            yield preview.url
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def _follow(env: simcord.Env, preview: simcord.Preview) -> None:
    """Show each change without a click: the page itself only looks after its own actions."""
    seen = 0
    while True:
        await asyncio.sleep(0.2)
        if len(env.backend.transcript) != seen:
            seen = len(env.backend.transcript)
            await preview.refresh()


class _States(logging.Handler):
    """Writes the bot's own log lines about states as JSON lines, and knows when all is over."""

    def __init__(self) -> None:
        super().__init__(level=logging.INFO)
        self.last: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def emit(self, record: logging.LogRecord) -> None:
        event = record.msg if isinstance(record.msg, dict) else {}
        state = STATES.get(str(event.get("event")))
        if state is None:
            return
        line = {"state": state}
        line |= {
            key: event[key]
            for key in ("reply", "job", "status", "end", "code", "cause")
            if event.get(key)
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        if state in ("delivered", "undeliverable", "withdrawn") and not self.last.done():
            self.last.set_result(state)


async def once(*, prompt: str, images: tuple[Path, ...], out: Path) -> int:
    """One command through the whole pipeline; 0 only if its picture was delivered to `out`."""
    states = _States()
    logs.add_handler(states)
    with tempfile.TemporaryDirectory(prefix="easel-demo-") as folder:
        async with opened(Path(folder), seconds=HEADLESS_SECONDS) as world:
            options: dict[str, Any] = {
                f"image{number}": (path.name, path.read_bytes())
                for number, path in enumerate(images, start=1)
            }
            command = "remix" if images else "imagine"
            result = await world.member.slash(world.channel, command, prompt=prompt, **options)
            if not result.deferred:
                said = result.response.content if result.response else "no answer"
                sys.stderr.write(f"{said}\n")
                return 1
            try:
                async with asyncio.timeout(PATIENCE):
                    last = await states.last
            except TimeoutError:
                sys.stderr.write("The picture did not come in time.\n")
                return 1
            files = result.response.attachments if result.response else []
            if last != "delivered" or not files:
                return 1
            picture = world.env.backend.cdn.get(files[0].url) or b""
            out.write_bytes(picture)
            return 0 if picture else 1
