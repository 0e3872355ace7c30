"""A whole stand-in for Discord: `async with Wirecord() as discord` and a bot can log in.

Owns the parts' wiring and what a test does by hand; it never calls the real service.

    async with server.Wirecord() as discord:
        # a real process: python -m sandbox.wirecord.launch --base <discord.base> run
        await discord.gateway.ready()
        asked = await discord.command("imagine", {"prompt": "a cat"}, locale="de")
        await asked.acknowledged()
        message = await asked.pictured()
        again = await discord.click(message, message.custom_ids[0])
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, Unpack

from aiohttp import web

from sandbox.wirecord import (
    asking,
    faults,
    front,
    interactions,
    limits,
    messages,
    places,
    rest,
    snowflakes,
    watch,
)
from sandbox.wirecord.cdn import LIFE, Cdn
from sandbox.wirecord.gateway import Gateway
from sandbox.wirecord.interactions import Asked
from sandbox.wirecord.messages import Message

APPLICATION = 300_000_000_200 << 22
TOKEN = "wirecord.token"  # noqa: S105 (made up)
READ_BYTES = 1024 * 1024  # what one connection may buffer before its sender has to wait

File = tuple[str, bytes]


class Wirecord:
    """The server. `base`, `origin` hold once it is entered.

    `clock` gives Unix seconds; `move_clock` adds to it. `keep_bytes`: keep what the bot uploads
    and serve it; without it a file is its name, size and digest. `keep_edits`, `keep_requests`:
    how many are remembered per message and in the log. `limit=limits.OFF`: no rate limits.
    """

    base: str
    origin: str

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str = TOKEN,
        application_id: int = APPLICATION,
        shards: int = 1,
        clock: Callable[[], float] = time.time,
        limit: limits.Limits | None = None,
        heartbeat_seconds: float = 41.25,
        keep_bytes: bool = False,
        digests: bool = True,
        keep_edits: int | None = None,
        keep_requests: int = 10_000,
        link_life: float = LIFE,
    ) -> None:
        self._host, self._port = host, port
        self.clock = snowflakes.Clock(clock)
        self.bot = places.user(application_id, name="Easel", bot=True)
        self.faults = faults.Faults()
        self.log = front.Log(deque(maxlen=keep_requests))
        self.cdn = Cdn(clock=self.clock, life=link_life)
        self.places = places.Places(self.clock)
        self.messages = messages.Messages(
            bot=self.bot,
            cdn=self.cdn,
            clock=self.clock,
            keep_bytes=keep_bytes,
            keep_edits=keep_edits,
        )
        self.interactions = interactions.Interactions(
            application_id=application_id, store=self.messages, clock=self.clock
        )
        self.people = asking.People(
            application_id=application_id,
            places_=self.places,
            store=self.messages,
            cdn=self.cdn,
            clock=self.clock,
        )
        self.gateway = Gateway(token=token, bot=self.bot, heartbeat_seconds=heartbeat_seconds)
        self._watch = watch.Watch()
        table = rest.Rest(
            bot=self.bot,
            people=self.people,
            asked=self.interactions,
            store=self.messages,
            places_=self.places,
            gateway_=self.gateway,
            shards=shards,
            changed=self._watch.changed,
        ).table
        self._front = front.Front(
            token=token,
            table=table,
            gateway=self.gateway,
            cdn=self.cdn,
            limit=limit or limits.Limits(),
            planted=self.faults,
            log=self.log,
            keep_bytes=keep_bytes,
            digests=digests,
        )

    # --- life -------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        # aiohttp's bare server: no router, no middleware, no access log.
        served = web.Server(self._front.handle, access_log=None, read_bufsize=READ_BYTES)
        self._runner = web.ServerRunner(served, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, backlog=2048).start()
        place = f"{self._host}:{self._runner.addresses[0][1]}"
        self.origin = f"http://{place}"
        self.base = self.origin + front.API
        self.cdn.origin = self.origin + front.CDN
        self.gateway.url = f"ws://{place}{front.GATEWAY}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.gateway.stop()
        await self._runner.cleanup()

    # --- what people do ---------------------------------------------------------------------------

    async def command(
        self,
        name: str,
        options: Mapping[str, object] | None = None,
        *,
        attachments: Sequence[File] = (),
        **setting: Unpack[asking.Circumstances],
    ) -> Asked:
        """Use a command; see `asking.Setting` for who, where and how.

        A `(filename, bytes)` among the options is an attachment; `attachments` fill the command's
        free attachment options in order, which needs the command to be synced.
        """
        made = asking.Setting(**setting)
        return self._emit(
            self.people.command(name, options or {}, setting=made, attachments=attachments)
        )

    async def complete(
        self,
        name: str,
        options: Mapping[str, object],
        *,
        focused: str,
        **setting: Unpack[asking.Circumstances],
    ) -> Asked:
        """Type into an option that completes itself; the answer's `choices` tell."""
        made = asking.Setting(**setting)
        return self._emit(self.people.command(name, options, setting=made, focused=focused))

    async def menu(
        self, name: str, target: Message | int, **setting: Unpack[asking.Circumstances]
    ) -> Asked:
        """Use a context menu's entry on a message or a person."""
        return self._emit(self.people.menu(name, target, setting=asking.Setting(**setting)))

    async def click(
        self,
        message: Message,
        custom_id: str,
        *,
        values: Sequence[str] = (),
        **setting: Unpack[asking.Circumstances],
    ) -> Asked:
        """Press a button, or choose `values`. Raises LookupError if that cannot be pressed."""
        made = asking.Setting(**setting)
        return self._emit(self.people.click(message, custom_id, values=values, setting=made))

    async def submit(
        self,
        opened: Asked,
        values: Mapping[str, object],
        **setting: Unpack[asking.Circumstances],
    ) -> Asked:
        """Send the form that an interaction opened: values (or files) by custom_id."""
        return self._emit(self.people.submit(opened, values, setting=asking.Setting(**setting)))

    async def replay(self, asked: Asked) -> int:
        """Send the very same event again; how many sessions got it."""
        return self._dispatch(asked)

    def _emit(self, asked: Asked) -> Asked:
        self.interactions.add(asked)
        asked.sent = time.monotonic()
        asked.reached = self._dispatch(asked)
        return asked

    def _dispatch(self, asked: Asked) -> int:
        guild = asked.channel.guild_id
        return self.gateway.dispatch("INTERACTION_CREATE", asked.event, guild_id=guild)

    # --- by hand ----------------------------------------------------------------------------------

    def move_clock(self, seconds: float, *, ids: bool = True) -> None:
        """Let time pass at once: deadlines, tokens, nonces and links age.

        Whoever reads an id's age off the machine's clock would take ids of later for ids of the
        future; without `ids` new ones stay at the machine's time.
        """
        self.clock.move(seconds, ids=ids)

    def fault(
        self,
        what: faults.Fault,
        *,
        on: str,
        times: int | None = None,
        chance: float | None = None,
        seed: int = 0,
        about: Asked | None = None,
    ) -> faults.Planted:
        """Let requests go wrong: the next one, the next `times`, or each with `chance`.

        `on` is a route's name ("PATCH /webhooks/{app}/{token}/messages/{message}") or a pattern
        over the request's line with its token hidden ("PATCH /webhooks/*/@original", "GET /cdn/*",
        "GET /gateway-socket"). `about` narrows it to one interaction's token.
        """
        token = about.token if about else None
        return self.faults.plant(what, on=on, times=times, chance=chance, seed=seed, token=token)

    def limits_off(self) -> None:
        """Switch rate limits off from here on."""
        self._front.limit = limits.OFF

    def refuse_direct(self, user_id: int, *, code: int = 50007, at: str = "send") -> None:
        """Let a person refuse the bot's direct messages (50007, 50278) at "send" or "open"."""
        self.places.refuse_direct(user_id, code=code, at=at)

    def forget(self, asked: Asked) -> None:
        """Lose all memory of an interaction, so that a long benchmark stays flat."""
        self.interactions.forget(asked)
        for attachment_id in asked.event["data"].get("resolved", {}).get("attachments", {}):
            self.cdn.remove(int(attachment_id))

    async def until(self, met: Callable[[], bool], *, seconds: float = 10.0) -> None:
        """Wait for commands or plain messages; looked at whenever one came. Raises TimeoutError."""
        await self._watch.until(met, seconds=seconds)

    async def synced(self, *, seconds: float = 10.0) -> list[dict[str, Any]]:
        """Wait until the bot told of its global commands; what it told."""
        await self.until(lambda: None in self.people.commands, seconds=seconds)
        return self.commands

    @property
    def commands(self) -> list[dict[str, Any]]:
        """The bot's global commands, as synced."""
        return self.people.commands.get(None, [])

    @property
    def counts(self) -> Counter[tuple[str, int]]:
        """How many requests of a route ended with which status (0: no answer)."""
        return self.log.statuses
