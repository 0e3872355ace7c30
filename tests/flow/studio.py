"""The whole bot in a simulated Discord, moved by hand: its clock, its stages, its wire.

It owns the ways in which a flow test acts and looks; it never replaces a part of the bot.
"""

import asyncio
import fnmatch
import io
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import simcord
import sqlalchemy as sa
from PIL import Image
from simcord.types import HttpLogEntry

from bot import app as apps
from bot.app import App
from bot.ledger import rows, schema
from bot.model import Reply
from sandbox import painter
from sandbox.tasks import Task
from sandbox.world import World
from tests import build

START = datetime(2026, 3, 14, 12, tzinfo=UTC)
ACK = "/interactions/*/*/callback"
ORIGINAL = "/webhooks/*/*/messages/@original"
MESSAGE = "/channels/*/messages/*"

Send = Callable[[], Awaitable[Any]]
Hook = Callable[[Send], Awaitable[Any]]


class MovedClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now

    def __call__(self) -> datetime:
        return self._now

    def move(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Shown:
    """One message as a person sees it: its texts, its pictures, its colour."""

    message: simcord.ResponseMessage

    @property
    def _inside(self) -> list[dict[str, Any]]:
        return [item for box in self.message.components for item in box.get("components", [])]

    @property
    def text(self) -> str:
        """All that is written on it."""
        texts = [item["content"] for item in self._inside if item["type"] == 10]
        return "\n".join([*filter(None, [self.message.content]), *texts])

    @property
    def heading(self) -> str:
        return self.text.partition("\n")[0].removeprefix("### ")

    @property
    def gallery(self) -> list[dict[str, Any]]:
        """The items of its gallery, with `media` and `description`."""
        return [shot for item in self._inside if item["type"] == 12 for shot in item["items"]]

    @property
    def footer(self) -> str:
        return self.text.rpartition("\n")[2].removeprefix("-# ").replace("\\", "")


class Wire:
    """What travels over Discord's interaction routes, to be held up, cut or answered late.

    A hook is used once: it gets the sending of one matching request as a function.
    """

    def __init__(self, env: simcord.Env) -> None:
        adapter = env._webhook_adapter
        self._send = adapter.request
        self._hooks: list[tuple[str, str, Hook]] = []
        adapter.request = self._request

    def hook(self, method: str, path: str, hook: Hook) -> None:
        self._hooks.append((method, path, hook))

    async def _request(self, route: Any, *args: Any, **kwargs: Any) -> Any:
        path = route.url.partition("?")[0].partition("/api/v10")[2]
        for entry in self._hooks:
            method, pattern, hook = entry
            if route.method == method and fnmatch.fnmatch(path, pattern):
                self._hooks.remove(entry)
                return await hook(lambda: self._send(route, *args, **kwargs))
        return await self._send(route, *args, **kwargs)


@dataclass
class Studio:
    """A world whose loops stand still; `app` is the process that works in it at the moment."""

    world: World
    clock: MovedClock
    app: App
    channel: simcord.ChannelHandle
    member: simcord.MemberActor
    _wire: Wire | None = field(default=None, repr=False)
    _told: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        def remember(event: str, payload: Any) -> None:
            if event == "INTERACTION_CREATE":
                self._told.append(payload)

        self.env.backend.subscribers.append(remember)

    @property
    def env(self) -> simcord.Env:
        return self.world.env

    @property
    def hiapi(self) -> Any:
        return self.world.hiapi

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks of the picture service, oldest first."""
        return self.world.hiapi.tasks.all

    @property
    def interactions(self) -> list[dict[str, Any]]:
        """What the gateway told the bot of commands, to be told again."""
        return self._told

    @property
    def wire(self) -> Wire:
        self._wire = self._wire or Wire(self.env)
        return self._wire

    # --- acting -----------------------------------------------------------------------------------

    def someone(self, name: str) -> simcord.MemberActor:
        """Another member of the server."""
        return self.member.guild.add_member(self.env.create_user(name))

    async def imagine(self, prompt: str = "a red fox", *, who: Any = None, **options: Any) -> Any:
        return await (who or self.member).slash(self.channel, "imagine", prompt=prompt, **options)

    async def remix(self, prompt: str = "as a mosaic", *, who: Any = None, **options: Any) -> Any:
        return await (who or self.member).slash(self.channel, "remix", prompt=prompt, **options)

    async def submit(self) -> int:
        """Send everything that may be sent now; how many."""
        sent = 0
        while await self.app.submitter.step():
            sent += 1
        return sent

    async def look(self) -> int:
        """Let the picture service do what is due, then look at the tasks once."""
        await self.hiapi.settle()
        return await self.app.tracker.step()

    async def deliver(self) -> int:
        """Show every reply that waits to be shown now; how many were tried."""
        tried = 0
        while await self.app.deliverer.step():
            tried += 1
        return tried

    async def settle(self, *, seconds: float = 60) -> None:
        """Move everything on until nothing is under way at the picture service."""
        for _ in range(int(seconds)):
            await self.submit()
            await self.look()
            if not await self._running():
                return
            self.clock.move(1)
        raise AssertionError(f"still under way after {seconds} s: {await self.states()}")

    async def finish(self, *, seconds: float = 60) -> None:
        """Move everything on until all that was asked for is shown."""
        await self.settle(seconds=seconds)
        await self.deliver()

    @asynccontextmanager
    async def restarted(self, **changes: Any) -> AsyncIterator[App]:
        """Another process on the same database takes the place of this one, which just stops."""
        settings = self.app.settings.model_copy(update=changes)
        async with apps.opened(
            settings, clock=self.clock, shard_count=1, discord_files=self.world.files
        ) as app:
            await self.env.restart_bot(app.bot)
            self._wire = None
            await app.tracker.load((settings.imagine_model, settings.remix_model))
            self.app = app
            yield app

    # --- looking ----------------------------------------------------------------------------------

    async def reply(self, result: Any) -> Reply | None:
        """What the ledger holds of a command, or None."""

        def find(conn: sa.Connection) -> Reply | None:
            of_this = schema.replies.c.interaction_id == result._interaction.id
            reply_id = conn.scalar(sa.select(schema.replies.c.id).where(of_this))
            return None if reply_id is None else rows.load_reply(conn, reply_id)

        return await self.app.ledger.run(find)

    async def states(self) -> list[str]:
        """The state of every job, oldest first."""
        query = sa.select(schema.jobs.c.state).order_by(schema.jobs.c.created_at, schema.jobs.c.id)
        return await self.app.ledger.run(lambda conn: list(conn.scalars(query)))

    async def counted(self) -> int:
        """How many pictures the bot counts for today."""
        today = self.clock().date().isoformat()
        return await self.app.ledger.run(build.counted, today)

    def shown(self, result: Any) -> Shown:
        """The answer to a command as it stands now."""
        assert result.response is not None, "there is no answer"
        return Shown(result.response)

    def said(self, result: Any) -> str:
        """The one sentence said privately, wherever it stands."""
        found = [result.response, *result.followups]
        private = [message for message in found if message is not None]
        assert [message.ephemeral for message in private] == [True], private
        return private[0].content

    def sent(self, method: str, path: str) -> list[HttpLogEntry]:
        """The requests that reached Discord."""
        return [
            entry
            for entry in self.env.http_requests
            if entry.method == method and fnmatch.fnmatch(entry.path, path)
        ]

    def file(self, result: Any) -> bytes:
        """The one picture of an answer."""
        [shot] = self.shown(result).gallery
        data = self.env.backend.cdn.get(shot["media"]["url"])
        assert data is not None
        return data

    def messages(self, *, viewer: Any = None) -> list[Any]:
        return self.channel.history(viewer=viewer)

    async def _running(self) -> bool:
        busy = schema.jobs.c.state.in_(["queued", "submitting", "submitted"])
        query = sa.select(sa.func.count()).where(busy)
        return bool(await self.app.ledger.run(lambda conn: conn.scalar(query)))


def painted(task: Task, *references: bytes) -> bytes:
    """The picture that the stand-in paints for a task."""
    return painter.paint(
        painter.PaintJob(
            prompt=task.order.prompt,
            aspect_ratio=task.order.aspect_ratio,
            resolution=task.order.resolution,
            references=references,
            seed=zlib.crc32(task.task_id[-16:].encode()),
        )
    )


def image(colour: str = "red", *, kind: str = "PNG", size: tuple[int, int] = (24, 16)) -> bytes:
    """A small picture to hand in."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


async def eventually(
    true: Callable[[], Awaitable[Any] | Any], *, within: float = 20.0, every: float = 0.01
) -> Any:
    """Ask again and again until it is true; what it said. Fails after `within` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        answer = true()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return answer
        assert loop.time() < deadline, f"not true within {within} s"
        await asyncio.sleep(every)
