"""The demo: the real bot in a simulated Discord, with the stand-in for HiAPI behind it.

Owns the simulated server, its page in the browser and the headless run; it never replaces a part
of the bot.
"""

import asyncio
import io
import json
import logging
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import simcord
from discord import Permissions
from PIL import Image
from simcord import _clock as simcord_clock
from simcord.preview import Preview

from bot import app, fetch, images, logs, settings
from bot import clock as clocks
from bot.app import App
from bot.catalog import REFERENCE_LIMIT
from bot.clock import Clock
from bot.errors import WORDS, Code
from sandbox import gallery
from sandbox.hiapi import StandIn

# Quick enough to be fun, slow enough that each stage is seen: replies are edited every 3 s at most.
SECONDS = (3.0, 5.0, 2.0)
# Without a browser nobody watches, so time runs faster. The bot first looks at a task after 5 s
# and then every 2 s (its loops wait in real seconds): no stage here is so short that it misses it.
HEADLESS_PACE = 4.0
HEADLESS_SECONDS = (8.0, 4.0, 4.0)
PATIENCE = 60.0  # real seconds until the headless run gives up
GRACE = 1.0  # real seconds for work under way when the demo is stopped
# Looks at the running tasks must leave room for new pictures, and the real 60 hardly would.
REQUESTS_PER_MINUTE = 600

# Which log line says that a reply or its job is in which state.
STATES = {
    "reply.received": "received",
    "reply.queued": "queued",
    "job.submitting": "submitting",
    "job.resend": "waiting to submit again",
    "job.submitted": "submitted",
    "job.stage": "stage",
    "job.settled": "settled",
    "reply.postponed": "waiting to deliver again",
    "reply.delivered": "delivered",
    "reply.undeliverable": "undeliverable",
    "reply.withdrawn": "withdrawn",
}
LAST = ("delivered", "undeliverable", "withdrawn")
DETAILS = ("reply", "job", "task", "status", "end", "code", "cause")


# What the simulated Discord calls its own, and where Discord keeps what a person has at first.
CDN = "cdn.simcord.invalid"
AVATARS = "https://cdn.discordapp.com/embed/avatars/"
AVATAR_COLOURS = ("#5865f2", "#747f8d", "#3ba55c", "#faa61a", "#ed4245", "#eb459e")

Files = Callable[[str], Awaitable[fetch.Picture]]


class DemoError(Exception):
    """The demo cannot do what it was asked to; the message is for the person at the terminal."""


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
    files: Files
    hiapi: StandIn
    channel: simcord.ChannelHandle
    member: simcord.MemberActor
    others: tuple[simcord.MemberActor, ...] = ()  # as whom the page can be looked at, too


def hurried(pace: float) -> Clock:
    """The machine's clock from now on, `pace` times as fast."""
    began = clocks.system()
    return lambda: began + (clocks.system() - began) * pace


@asynccontextmanager
async def opened(
    folder: Path,
    *,
    seconds: tuple[float, float, float] = SECONDS,
    clock: Clock = clocks.system,
    start: bool = True,
    company: bool = False,
    **changes: Any,
) -> AsyncIterator[World]:
    """A simulated server with one channel and one member, the bot in it, the loops running.

    All of them go by `clock`. Without `start` the loops stand still, for whoever would rather call
    each stage's `step()`. With `company` the member moderates the server and is not alone in it.
    `changes` are settings that differ from the demo's own.
    """
    discord: list[simcord.Env] = []

    async def resolve(url: str) -> bytes:
        # Uploads in the simulated Discord have addresses that no network knows.
        if url.startswith(AVATARS):
            return _first_avatar(url)
        data: bytes | None = discord[0].backend.cdn.get(url) if discord else None
        if data is None:
            raise gallery.UnfetchableError(url)
        return data

    async def files(url: str) -> fetch.Picture:
        try:
            data = await resolve(url)
        except gallery.UnfetchableError:
            raise fetch.Gone("the simulated Discord has no such file") from None
        kind = images.sniff(data)
        if kind is None:
            raise fetch.NotAPicture("the file is none that Easel takes")
        return fetch.Picture(data=data, format=kind)

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
                "discord_trusted_hosts": frozenset({CDN}),
                "database_url": f"sqlite:///{folder / 'demo.db'}",
                "keep_folder": folder / "kept",
                "web_port": 0,
                "admin_port": None,
                **changes,
            }
        )
        async with (
            app.opened(configured, clock=clock, shard_count=1, discord_files=files) as easel,
            simcord.run(easel.bot, check_errors=False, settle_timeout=PATIENCE) as env,
        ):
            discord.append(env)
            env.backend.clock = _SharedClock(clock)
            env.backend.edit_bot_profile("Easel")
            guild = env.create_guild("Easel demo")
            channel = guild.create_text_channel("art", topic="Type /imagine or /remix below.")
            may = Permissions(manage_guild=True, manage_messages=True)
            roles = [guild.create_role("moderators", permissions=may)] if company else []
            member = guild.add_member(env.create_user("you"), roles=roles)
            others = (guild.add_member(env.create_user("friend")),) if company else ()
            await easel.sync()
            if start:
                await easel.start()
            try:
                yield World(
                    app=easel,
                    env=env,
                    files=files,
                    hiapi=hiapi,
                    channel=channel,
                    member=member,
                    others=others,
                )
            finally:
                await easel.stop(grace=GRACE)


def _first_avatar(url: str) -> bytes:
    """The picture of a person who chose none: plain, in the colour of its number."""
    number = int(re.sub(r"\D", "", url.removeprefix(AVATARS).partition("?")[0]) or 0)
    out = io.BytesIO()
    Image.new("RGB", (256, 256), AVATAR_COLOURS[number % len(AVATAR_COLOURS)]).save(out, "PNG")
    return out.getvalue()


# --- in the browser -------------------------------------------------------------------------------


async def serve(*, port: int) -> int:
    """Keep the demo's page up until it is closed or this is cancelled; prints its address."""
    logs.add_handler(_Spoken())
    with tempfile.TemporaryDirectory(prefix="easel-demo-") as folder:
        async with (
            opened(Path(folder), admin_port=0, company=True) as world,
            _preview(world, port=port) as preview,
        ):
            admin = world.app.watch.admin
            sys.stdout.write(
                f"Easel's demo is at {preview.url}\n"
                f"Its operator's page is at http://127.0.0.1:{admin.port if admin else 0}/\n"
                "Open the first in a browser and type /imagine or /remix.\n"
                "Stop it with Ctrl+C.\n"
            )
            sys.stdout.flush()
            await preview.wait_closed()
    return 0


@asynccontextmanager
async def page(
    world: World, *, port: int = 0, channel: simcord.ChannelHandle | None = None
) -> AsyncIterator[str]:
    """The channel, or another one, as a page in the browser, kept fresh; yields its address."""
    async with _preview(world, port=port, channel=channel) as preview:
        yield preview.url


@asynccontextmanager
async def _preview(
    world: World, *, port: int, channel: simcord.ChannelHandle | None = None
) -> AsyncIterator[Preview]:
    people = [world.member, *world.others]
    preview = world.env.preview(
        channel or world.channel, viewers=people, layout="channel", port=port
    )
    _keep_fresh(preview)
    try:
        await preview.__aenter__()
    except simcord.SetupError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        reason = os.strerror(error.__cause__.errno or 0).lower()
        raise DemoError(
            f"Port {port} cannot be used ({reason}): choose another with --port."
        ) from error
    try:
        yield preview
    finally:
        await preview.close()


def _keep_fresh(preview: Preview) -> None:
    """Publish what has changed whenever the page looks, which it does twice a second.

    The page itself publishes only after its own actions. `Preview.refresh()` would do so too, but
    whatever a person does while it runs, or before the page has seen what it published, is turned
    down, and the first of these breaks the page for good.
    """
    env, tell = preview.env, preview._page_payload  # noqa: SLF001
    seen: dict[str, int] = {}

    def look(page: Any) -> dict[str, Any]:
        events = len(env.backend.transcript)
        idle = env._operation_task is None and page.pinned_snapshot is None  # noqa: SLF001
        if idle and seen.get(page.id) != events:
            seen[page.id] = events
            preview._advance_presentation_time()  # noqa: SLF001
            preview._publish(page, reason="refresh")  # noqa: SLF001
        return tell(page)

    preview._page_payload = look  # type: ignore[method-assign]  # noqa: SLF001


class _Spoken(logging.Handler):
    """Writes the bot's states as short lines for the eye."""

    def __init__(self) -> None:
        super().__init__(level=logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        line = _told(record)
        if line is not None:
            state = line.pop("status", line.pop("state"))
            details = "  ".join(f"{name} {value}" for name, value in line.items())
            sys.stderr.write(f"{clocks.system():%H:%M:%S}  {state:<11} {details}\n")


# --- without a browser ----------------------------------------------------------------------------


def uploads(images: tuple[Path, ...]) -> tuple[tuple[str, bytes], ...]:
    """Read the files for /remix: (name, bytes) each. Raises DemoError."""
    if len(images) > REFERENCE_LIMIT:
        raise DemoError(f"A remix takes up to {REFERENCE_LIMIT} images; {len(images)} were given.")
    try:
        return tuple((image.name, image.read_bytes()) for image in images)
    except OSError as error:
        raise DemoError(f"{error.filename} cannot be read: {error.strerror}.") from error


def check(prompt: str, out: Path) -> None:
    """Raise DemoError for what could only go wrong, before a picture is waited for."""
    try:
        prompt.encode()
    except UnicodeEncodeError as error:
        raise DemoError("The prompt is not written in UTF-8.") from error
    if not out.parent.is_dir():
        raise DemoError(f"{out} cannot be written: there is no folder {out.parent}.")
    if out.is_dir():
        raise DemoError(f"{out} is a folder: name a file for the picture.")


async def once(*, prompt: str, images: tuple[tuple[str, bytes], ...], out: Path) -> int:
    """One command through the whole pipeline; 0 once its picture was delivered and written."""
    states = _Lines()
    logs.add_handler(states)
    with tempfile.TemporaryDirectory(prefix="easel-demo-") as folder:
        async with opened(
            Path(folder), seconds=HEADLESS_SECONDS, clock=hurried(HEADLESS_PACE)
        ) as world:
            try:
                async with asyncio.timeout(PATIENCE):
                    picture = await _picture(world, states, prompt=prompt, images=images)
            except TimeoutError:
                raise DemoError("The picture did not come in time.") from None
            try:
                await asyncio.to_thread(out.write_bytes, picture)
            except OSError as error:
                raise DemoError(f"{out} cannot be written: {error.strerror}.") from error
    return 0


async def _picture(
    world: World, states: "_Lines", *, prompt: str, images: tuple[tuple[str, bytes], ...]
) -> bytes:
    """Ask, wait for the end, and take the picture out of the reply. Raises DemoError."""
    options: dict[str, Any] = {f"image{number}": image for number, image in enumerate(images, 1)}
    command = "remix" if images else "imagine"
    result = await world.member.slash(world.channel, command, prompt=prompt, **options)
    answers = [*result.followups, *([result.response] if result.response else [])]
    refusals = [answer.content for answer in answers if answer.content]
    if refusals:
        raise DemoError(_plain(refusals[0]))
    last = await states.last
    files = result.response.attachments if result.response else []
    picture = world.env.backend.cdn.get(files[0].url) if files else None
    if last["state"] != "delivered" or not picture:
        words = WORDS[Code(states.code or Code.FAILED)]
        raise DemoError(f"{words.title}. {words.advice}")
    return picture


def _plain(text: str) -> str:
    """A refusal on one line, without Discord's markup."""
    lines = re.sub(r"\*\*|`", "", text).splitlines()
    return " ".join(line if line.endswith(".") else f"{line}." for line in lines)


class _Lines(logging.Handler):
    """Writes the bot's states as JSON lines, and knows when all is over and why."""

    def __init__(self) -> None:
        super().__init__(level=logging.INFO)
        self.last: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
        self.code: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        line = _told(record)
        if line is None:
            return
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        self.code = line.get("code", self.code)
        if line["state"] in LAST and not self.last.done():
            self.last.set_result(line)


def _told(record: logging.LogRecord) -> dict[str, str] | None:
    """What one of the bot's own log lines says about a state, if it is about one."""
    event = record.msg if isinstance(record.msg, dict) else {}
    state = STATES.get(str(event.get("event")))
    if state is None:
        return None
    return {"state": state} | {name: str(event[name]) for name in DETAILS if event.get(name)}
