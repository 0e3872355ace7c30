"""The stage of a measurement: stand-ins for Discord and HiAPI, and a bot as a process of its own.

It owns starting and ending them; it never measures anything.
"""

import asyncio
import io
import os
import random
import secrets
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from PIL import Image

from sandbox import tasks
from sandbox.hiapi import StandIn
from sandbox.wirecord import server

ROOT = Path(__file__).parents[1]
SIDE = 707  # pixels; three bytes each and incompressible: 1.5 MB
IDLE_SECONDS = 1.5  # from being ready to being at rest
START_SECONDS = 60.0
SECRET = secrets.token_hex(16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What is measured. `seconds`: a task's queued, handling and archiving.

    `past`: a ledger to begin with. `limited`: HiAPI's 60 requests a minute and 10 at once.
    `extra`: settings of Easel besides those that every measurement needs.
    """

    bot: Literal["easel", "bare"] = "easel"
    callbacks: bool = False
    seconds: tasks.Stages | Callable[[], tasks.Stages] = (0.4, 1.8, 0.3)
    poll_every: float = 2.0
    past: Path | None = None
    limited: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A running bot between its two stand-ins."""

    setup: Setup
    discord: server.Wirecord
    hiapi: StandIn
    pid: int
    log: Path


def noise() -> bytes:
    """A picture of 1.5 MB that cannot be made smaller by packing."""
    pixels = random.Random(0).randbytes(SIDE * SIDE * 3)  # noqa: S311 - any noise will do
    out = io.BytesIO()
    Image.frombytes("RGB", (SIDE, SIDE), pixels).save(out, "PNG", compress_level=0)
    return out.getvalue()


@asynccontextmanager
async def opened(setup: Setup) -> AsyncIterator[Stage]:
    """Start everything and wait until the bot is ready and at rest; end it all afterwards."""
    picture = noise()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with (
            server.Wirecord(digests=False, keep_requests=10) as discord,
            StandIn(
                webhook_secret=SECRET,
                seconds=setup.seconds,
                requests_per_minute=60 if setup.limited else None,
                concurrency=10 if setup.limited else None,
                paint=lambda _: picture,
            ) as hiapi,
        ):
            log = folder / "bot.log"
            process = await _start(setup, discord, hiapi, folder, log)
            try:
                await _ready(discord, process, log)
                await asyncio.sleep(IDLE_SECONDS)
                yield Stage(setup=setup, discord=discord, hiapi=hiapi, pid=process.pid, log=log)
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()


async def _start(
    setup: Setup, discord: server.Wirecord, hiapi: StandIn, folder: Path, log: Path
) -> asyncio.subprocess.Process:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DISCORD_TOKEN": server.TOKEN,
        "HIAPI_API_KEY": "sk-sandbox",
        "HIAPI_BASE_URL": hiapi.base_url,
    }
    if setup.bot == "bare":
        command = ["-m", "bench.bare"]
        environment["DISCORD_BASE"] = discord.base
    else:
        command = ["-m", "sandbox.wirecord.launch", "--base", discord.base, "run"]
        environment |= _settings(setup, hiapi, folder)
    with log.open("wb") as lines:
        return await asyncio.create_subprocess_exec(
            sys.executable, *command, cwd=folder, env=environment, stdout=lines, stderr=lines
        )


def _settings(setup: Setup, hiapi: StandIn, folder: Path) -> dict[str, str]:
    database = folder / "easel.db"
    if setup.past is not None:
        shutil.copyfile(setup.past, database)
    port = _free_port()
    settings = {
        "ALLOWED_SERVERS": "*",
        "BOT_CAPS": "1000000/day",
        "HIAPI_TRUSTED_HOSTS": hiapi.base_url.removeprefix("http://"),
        "HIAPI_POLL_EVERY": str(setup.poll_every),
        "DATABASE_URL": f"sqlite:///{database}",
        "WEB_PORT": str(port),
        "ADMIN_PORT": "0",
    }
    if not setup.limited:
        settings["HIAPI_REQUESTS_PER_MINUTE"] = "100000"
    if setup.callbacks:
        settings["PUBLIC_URL"] = f"http://127.0.0.1:{port}"
        settings["HIAPI_WEBHOOK_SECRET"] = SECRET
    return settings | setup.extra


def _free_port() -> int:
    """A port that was free a moment ago: the callbacks' address must be known beforehand."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _ready(discord: server.Wirecord, process: asyncio.subprocess.Process, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not discord.gateway.connected:
        if process.returncode is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the bot did not start:\n{_tail(log)}")
        await asyncio.sleep(0.05)


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8")[-4000:]
