"""The bot as a process of its own between two stand-ins, to be killed and started again.

Owns the processes and their end; whether all is well at the end, `accounts` decides.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.hiapi import StandIn
from sandbox.tasks import Task
from sandbox.wirecord.interactions import Asked
from sandbox.wirecord.messages import Message
from sandbox.wirecord.server import TOKEN, Wirecord
from tests.flow import accounts

ROOT = Path(__file__).parents[2]
ACK = "POST /interactions/*/callback"
ORIGINAL = "* /webhooks/*/@original"
MINUTE = 60.0
DAY = 24 * 3600.0


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


async def eventually(met: Callable[[], object], *, seconds: float = 40.0, every=0.03) -> None:
    """Wait until it holds, looked at many times a second."""
    async with asyncio.timeout(seconds):
        while not met():  # noqa: ASYNC110 (files and stand-ins tell nobody when they change)
            await asyncio.sleep(every)


@dataclass(eq=False)
class Process:
    """One run of the bot. `began` is `time.monotonic()`."""

    running: asyncio.subprocess.Process
    log: Path
    began: float

    @property
    def output(self) -> str:
        return self.log.read_text()

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it logged so far, a line each; other lines are left out."""
        lines = (line for line in self.output.splitlines() if line.startswith("{"))
        return [json.loads(line) for line in lines if line.endswith("}")]

    def said(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.events if line.get("event") == event]

    async def ended(self, *, seconds: float = 60.0) -> int:
        """Wait for its end; the exit status, negative for a signal."""
        return await asyncio.wait_for(self.running.wait(), seconds)

    async def dies(self) -> None:
        """Wait until it has killed itself."""
        status = await self.ended()
        assert status == -signal.SIGKILL, self.output

    async def kill(self) -> None:
        self.running.send_signal(signal.SIGKILL)
        await self.dies()

    async def stop(self, *, seconds: float = 60.0) -> float:
        """End it by SIGTERM; how long that took. It must leave in order."""
        began = time.monotonic()
        self.running.send_signal(signal.SIGTERM)
        assert await self.ended(seconds=seconds) == 0, self.output
        assert "Traceback" not in self.output, self.output
        return time.monotonic() - began


@dataclass(eq=False)
class Scene:
    """Discord, HiAPI and one ledger file; `start` adds a process to it."""

    discord: Wirecord
    hiapi: StandIn
    folder: Path
    asked: list[Asked] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)

    @property
    def database(self) -> Path:
        return self.folder / "easel.db"

    async def spawn(self, *, kill: str = "", ahead: float = 0.0, **settings: object) -> Process:
        """Start the bot and return at once."""
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DISCORD_TOKEN": TOKEN,
            "HIAPI_API_KEY": "sk-sandbox",
            "HIAPI_BASE_URL": self.hiapi.base_url,
            "HIAPI_TRUSTED_HOSTS": self.hiapi.base_url.removeprefix("http://"),
            "HIAPI_POLL_EVERY": "1",
            "HIAPI_REQUESTS_PER_MINUTE": "6000",
            # One person asks for everything here.
            "MEMBER_RUNNING": "1000",
            "MEMBER_WAITING": "1000",
            "ALLOWED_SERVERS": "*",
            "DATABASE_URL": f"sqlite:///{self.database}",
            "WEB_PORT": "0",
            "ADMIN_PORT": "off",
            "LOG_FORMAT": "json",
            **{name.upper(): str(value) for name, value in settings.items()},
        }
        command = [sys.executable, "-m", "tests.flow.victim", "--base", self.discord.base]
        command += [f"--kill={kill}"] if kill else []
        command += [f"--ahead={ahead}"] if ahead else []
        log = self.folder / f"process-{len(self.processes)}.log"
        with log.open("w") as file:
            running = await asyncio.create_subprocess_exec(
                *command, "run", cwd=self.folder, env=environment, stdout=file, stderr=file
            )
        process = Process(running, log, time.monotonic())
        self.processes.append(process)
        return process

    async def start(self, **options: Any) -> Process:
        """Start the bot and wait until it is in the gateway."""
        known = set(self.discord.gateway.sessions)
        process = await self.spawn(**options)

        def connected() -> bool:
            if process.running.returncode is not None:
                return True
            return any(session.id not in known for session in self.discord.gateway.connected)

        await eventually(connected)
        return process

    async def imagine(self, prompt: str = "a heron", **circumstances: Any) -> Asked:
        options = {"prompt": prompt} | circumstances.pop("options", {})
        asked = await self.discord.command("imagine", options, **circumstances)
        self.asked.append(asked)
        return asked

    async def remix(self, prompt: str, **circumstances: Any) -> Asked:
        options = {"prompt": prompt} | circumstances.pop("options", {})
        asked = await self.discord.command("remix", options, **circumstances)
        self.asked.append(asked)
        return asked

    # --- the accounts -----------------------------------------------------------------------------

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What the ledger's file holds; a process may be at work in it."""
        with closing(sqlite3.connect(self.database, timeout=10)) as conn:
            conn.row_factory = sqlite3.Row
            return [dict(row) for row in conn.execute(query)]

    @property
    def jobs(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM jobs ORDER BY created_at")

    @property
    def replies(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM replies ORDER BY created_at")

    @property
    def leaseholders(self) -> set[int]:
        """The processes, by pid, that hold anything; a lease's owner is host:pid:random."""
        owners = {row["lease_owner"] for row in (*self.jobs, *self.replies)} - {None}
        return {int(owner.split(":")[1]) for owner in owners}

    @property
    def counted(self) -> int:
        query = "SELECT pictures FROM spending WHERE scope = 'bot' AND length(period) = 10"
        return sum(row["pictures"] for row in self.rows(query))

    @property
    def tasks(self) -> tuple[Task, ...]:
        return self.hiapi.tasks.all

    def messages(self) -> list[Message]:
        """Everything that stands anywhere in Discord."""
        channels = {asked.channel.id for asked in self.asked}
        channels |= {self.discord.places.direct(asked.user_id).id for asked in self.asked}
        return [message for channel in channels for message in self.discord.messages.all(channel)]

    def pictured(self, asked: Asked) -> bool:
        return asked.message is not None and bool(asked.message.attachments)

    async def quiet(self, *, seconds: float = 60.0) -> None:
        """Wait until no row of the ledger waits for anything."""
        unfinished = "SELECT id FROM replies WHERE delivery = 'open' LIMIT 1"
        try:
            await eventually(lambda: not self.rows(unfinished), seconds=seconds, every=0.2)
        except TimeoutError:
            raise AssertionError(f"unfinished: {self.jobs} {self.replies}") from None

    async def delivered(self, *, seconds: float = 60.0) -> None:
        """Wait until it is quiet; then everything must have happened exactly once."""
        await self.quiet(seconds=seconds)
        amiss = accounts.amiss(self)
        assert not amiss, "\n".join(amiss)


@asynccontextmanager
async def opened(
    folder: Path, *, ledger: Path | None = None, keep_bytes: bool = False, **hiapi: Any
) -> AsyncIterator[Scene]:
    """A scene without a process; every process started in it ends with it.

    `ledger` is copied to begin with; with `keep_bytes` Discord serves what the bot uploads; the
    rest goes to HiAPI's stand-in.
    """
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 (a moment, and only ours)
    options = {"seconds": (0.1, 0.3, 0.1), "requests_per_minute": None, **hiapi}
    async with AsyncExitStack() as stack:
        standin = await stack.enter_async_context(StandIn(**options))
        discord = await stack.enter_async_context(Wirecord(keep_bytes=keep_bytes))
        scene = Scene(discord, standin, folder)
        if ledger is not None:
            shutil.copy(ledger, scene.database)
        try:
            yield scene
        except BaseException as error:
            error.add_note(report(scene))
            raise
        finally:
            for process in scene.processes:
                if process.running.returncode is None:
                    process.running.kill()
                    await process.running.wait()


def report(scene: Scene) -> str:
    """Every process's output, for the reader of a failed test."""
    parts: Sequence[str] = [f"--- {p.log.name}\n{p.output}" for p in scene.processes]
    return "\n".join(parts)
