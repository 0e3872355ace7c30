"""The whole bot against Discord's stand-in on real sockets, moved by hand: its clock, its stages.

It owns the places where the bot may be a guest, and how a test acts there; it never replaces a
part of the bot.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot import app as apps
from bot import settings
from bot.app import App
from bot.ledger import rows, schema
from bot.model import Reply
from sandbox.hiapi import StandIn
from sandbox.wirecord import asking, launch, server
from sandbox.wirecord.interactions import Asked
from sandbox.wirecord.messages import Message
from tests.flow.studio import MovedClock, eventually

OWNER = asking.USER
FRIEND = OWNER + 1
MINE = {"1": OWNER}
# Where a person brings the bot along that nobody else has: by name, the circumstances.
GUEST: dict[str, dict[str, Any]] = {
    "server": {"owners": MINE},
    "group": {"guild": None, "context": 2, "owners": MINE},
    "friends": {"guild": None, "context": 2, "other": FRIEND, "owners": MINE},
}
PLACES = {**GUEST, "direct": {"guild": None, "owners": MINE}}


@dataclass
class Abroad:
    """One process of the bot whose loops stand still, with what is around it."""

    discord: server.Wirecord
    hiapi: StandIn
    app: App
    clock: MovedClock

    # --- acting -----------------------------------------------------------------------------------

    async def ask(self, place: dict[str, Any], *, prompt: str = "a red fox", **more: Any) -> Asked:
        """/imagine, acknowledged and in the queue, or refused."""
        options = {"prompt": prompt, **more.pop("options", {})}
        asked = await self.discord.command("imagine", options, **{**place, **more})
        await self.taken(asked)
        return asked

    async def remix(self, place: dict[str, Any], *images: tuple[str, bytes]) -> Asked:
        """/remix with these images, acknowledged and in the queue, or refused."""
        asked = await self.discord.command(
            "remix", {"prompt": "as a mosaic"}, attachments=images, **place
        )
        await self.taken(asked)
        return asked

    async def press(self, message: Message, verb: str, *, who: int = OWNER, **more: Any) -> Asked:
        """Press a card's button of this name, until the bot has answered."""
        [custom_id] = [each for each in message.custom_ids if f":{verb}:" in each]
        asked = await self.discord.click(message, custom_id, user=who, **more)
        return await asked.acknowledged()

    async def taken(self, asked: Asked) -> None:
        """Wait until the bot has done with an ask: queued, or a word that says why not."""
        await asked.acknowledged()

        async def done() -> bool:
            reply = await self.reply(asked)
            if reply is None or reply.delivery == "withdrawn":
                return asked.message is not None and not asked.message.loading
            return reply.jobs[0].state != "received"

        await eventually(done)

    async def submit(self) -> None:
        while await self.app.submitter.step():
            pass

    async def finish(self, *, seconds: int = 60) -> None:
        """Let the picture service end everything, and show it."""
        for _ in range(seconds):
            await self.submit()
            await self.hiapi.settle()
            await self.app.tracker.step()
            if not await self._unsettled():
                break
            self.pass_time(1)
        await self.deliver()

    async def deliver(self) -> None:
        while await self.app.deliverer.step():
            pass

    async def cards(self) -> None:
        """Let the waiting cards be written."""
        await self.app.progress.step()
        await self.written()

    async def written(self) -> None:
        await eventually(lambda: not self.app.progress._edits)

    async def note(self) -> int:
        """Let notes be written where a token is about to die; how many."""
        noted = await self.app.progress.note()
        await self.written()
        return noted

    def pass_time(self, seconds: float) -> None:
        """For the bot, Discord and the picture service alike."""
        self.clock.move(seconds)
        self.discord.move_clock(seconds, ids=False)

    # --- looking ----------------------------------------------------------------------------------

    async def reply(self, asked: Asked) -> Reply | None:
        """What the ledger holds of an ask, or None."""

        def find(conn: sa.Connection) -> Reply | None:
            of_this = schema.replies.c.interaction_id == asked.id
            reply_id = conn.scalar(sa.select(schema.replies.c.id).where(of_this))
            return None if reply_id is None else rows.load_reply(conn, reply_id)

        return await self.app.ledger.run(find)

    async def rows(self) -> int:
        """How many replies were ever written down."""
        query = sa.select(sa.func.count()).select_from(schema.replies)
        return await self.app.ledger.run(lambda conn: conn.scalar(query) or 0)

    @property
    def bills(self) -> int:
        return len(self.hiapi.tasks.bills)

    def posts(self) -> list[str]:
        """Messages that the bot sent by its own token."""
        return [route for route, _ in self.discord.counts if route.startswith("POST /channels")]

    async def _unsettled(self) -> bool:
        busy = schema.jobs.c.state.in_(["queued", "submitting", "submitted"])
        query = sa.select(sa.func.count()).where(busy)
        return bool(await self.app.ledger.run(lambda conn: conn.scalar(query)))


@asynccontextmanager
async def opened(folder: Path, **changes: Any) -> AsyncIterator[Abroad]:
    """All of it, connected; `changes` are settings. Everybody may do everything by default."""
    clock = MovedClock(datetime.now(UTC))
    async with (
        server.Wirecord(keep_bytes=True) as discord,
        StandIn(
            seconds=(1.0, 6.0, 1.0),
            requests_per_minute=600,
            clock=lambda: clock().timestamp(),
        ) as hiapi,
    ):
        discord.limits_off()
        configured = settings.Settings(
            **{
                "discord_token": server.TOKEN,
                "hiapi_api_key": "sk-sandbox",
                "allowed_servers": frozenset({settings.EVERYWHERE}),
                "allow_dms": True,
                "allow_user_install": True,
                "hiapi_base_url": hiapi.base_url,
                "hiapi_trusted_hosts": frozenset({hiapi.base_url.removeprefix("http://")}),
                "hiapi_requests_per_minute": 600,
                "database_url": f"sqlite:///{folder / 'demo.db'}",
                "web_port": 0,
                "admin_port": None,
                **changes,
            }
        )
        with launch.aimed(discord.base):
            async with apps.opened(configured, clock=clock, shard_count=1) as app, app.bot:
                await app.bot.login(server.TOKEN)
                await app.sync()
                await app.tracker.load((configured.imagine_model, configured.remix_model))
                connecting = asyncio.create_task(app.bot.connect())
                try:
                    await discord.gateway.ready()
                    yield Abroad(discord=discord, hiapi=hiapi, app=app, clock=clock)
                finally:
                    connecting.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await connecting
