"""The whole bot in this process, on the stand-in for Discord over real sockets, moved by hand.

It owns what the simulated Discord cannot tell: addresses that expire, galleries whose files are
no attachments, people who take no messages; it never replaces a part of the bot.
"""

import asyncio
import contextlib
import dataclasses
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import aiohttp
import sqlalchemy as sa

from bot import app as apps
from bot import fetch, settings
from bot.app import App
from bot.ledger import rows, schema
from sandbox import gallery, painter
from sandbox.hiapi import StandIn
from sandbox.wirecord import asking, launch, limits, server
from sandbox.wirecord.components import walk
from tests import build
from tests.flow.studio import MovedClock, eventually

DAY = 24 * 3600
PUBLIC = "https://easel.example"


@dataclasses.dataclass
class Wired:
    """Both stand-ins and the process that works between them; its loops stand still."""

    discord: server.Wirecord
    hiapi: StandIn
    clock: MovedClock
    app: App
    fetched: list[str] = dataclasses.field(default_factory=list)

    async def command(self, name, options=None, **how):
        """A command, taken through to its end or to its refusal."""
        return await self.through(await self.discord.command(name, options or {}, **how))

    async def press(self, message, verb, **how):
        """A press of a button of a card, taken through to its end or to its refusal."""
        [custom_id] = [each for each in message.custom_ids if each.startswith(f"job:{verb}:")]
        return await self.through(await self.discord.click(message, custom_id, **how))

    async def through(self, asked):
        """Let the bot answer, then do all that the answer asks of the stages."""
        await asked.acknowledged()
        await eventually(self.idle)
        await self.finish()
        return asked

    async def finish(self):
        for _ in range(60):
            while await self.app.submitter.step():
                pass
            await self.hiapi.settle()
            await self.app.tracker.step()
            if not await self._count("queued", "submitting", "submitted"):
                break
            self.clock.move(1)
        while await self.app.deliverer.step():
            pass

    async def reply(self, asked):
        """What the ledger holds of a command, or None."""

        def find(conn):
            of_this = schema.replies.c.interaction_id == asked.id
            reply_id = conn.scalar(sa.select(schema.replies.c.id).where(of_this))
            return None if reply_id is None else rows.load_reply(conn, reply_id)

        return await self.app.ledger.run(find)

    async def counted(self):
        """How many pictures were counted, over all days."""
        return await self.app.ledger.run(build.counted)

    @property
    def tasks(self):
        return self.hiapi.tasks.all

    async def idle(self) -> bool:
        """Whether every interaction is answered for good, as far as the ledger knows."""
        return not await self._count("received") and not self.answering()

    def answering(self) -> list[asyncio.Task]:
        """What discord.py still does about commands, presses and forms."""
        names = ("CommandTree-invoker", "discord-ui", "discord.py")
        return [task for task in asyncio.all_tasks() if task.get_name().startswith(names)]

    async def _count(self, *states: str) -> int:
        query = sa.select(sa.func.count()).where(schema.jobs.c.state.in_(states))
        return await self.app.ledger.run(lambda conn: conn.scalar(query))

    async def resolve(self, url: str) -> bytes:
        """How HiAPI fetches a reference: public addresses alone, one of which is the bot's own."""
        self.fetched.append(url)
        parts = urlsplit(url)
        if url.startswith(PUBLIC):
            url = f"http://127.0.0.1:{self.app.web.port}{parts.path}?{parts.query}"
        elif not url.startswith(self.discord.origin) and not fetch.is_public(parts.hostname or ""):
            raise gallery.UnfetchableError(f"{parts.hostname} is not public")
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            answer.raise_for_status()
            return await answer.read()

    @asynccontextmanager
    async def restarted(self, **changes):
        """Another process in the place of this one, which has ended already."""
        changed = self.app.settings.model_copy(update=changes)
        async with process(self.discord, changed, self.clock) as self.app:
            yield self


def galleries(message) -> list[list[dict]]:
    """The items of each gallery of a message."""
    return [part["items"] for part in walk(message.components) if part.get("type") == 12]


@asynccontextmanager
async def process(discord, configured, clock):
    """A process of Easel, logged in and connected."""
    with launch.aimed(discord.base):
        async with apps.opened(configured, clock=clock, shard_count=1) as app, app.bot:
            await app.bot.login(server.TOKEN)
            connecting = asyncio.create_task(app.bot.connect())
            await discord.gateway.ready()
            try:
                yield app
            finally:
                connecting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await connecting
                await app.bot.close()
                await discord.gateway.gone()


@asynccontextmanager
async def opened(folder, **changes):
    """Everything, on clocks that only the test moves."""
    clock = MovedClock(datetime.now(UTC))

    def seconds() -> float:
        return clock().timestamp()

    found: list[Wired] = []

    async def resolve(url: str) -> bytes:
        return await found[0].resolve(url)

    async with (
        server.Wirecord(clock=seconds, keep_bytes=True, limit=limits.OFF) as discord,
        StandIn(
            seconds=(0.1, 0.1, 0.1),
            requests_per_minute=None,
            resolve=resolve,
            clock=seconds,
            paint=painter.paint,
        ) as hiapi,
    ):
        configured = settings.Settings(
            **{
                "discord_token": server.TOKEN,
                "hiapi_api_key": "sk-sandbox",
                "allowed_servers": frozenset({settings.EVERYWHERE}),
                "allow_dms": True,
                "allow_user_install": True,
                "hiapi_base_url": hiapi.base_url,
                "hiapi_poll_every": 1.0,
                "hiapi_requests_per_minute": 6000,
                "hiapi_trusted_hosts": frozenset({hiapi.base_url.removeprefix("http://")}),
                "database_url": f"sqlite:///{folder / 'easel.db'}",
                "keep_folder": folder / "kept",
                "web_port": 0,
                "admin_port": None,
                **changes,
            }
        )
        async with process(discord, configured, clock) as app:
            found.append(Wired(discord=discord, hiapi=hiapi, clock=clock, app=app))
            yield found[0]


STRANGER = asking.USER + (7 << 22)
