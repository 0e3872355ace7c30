"""A listener of the doctor's own, where no bot is running: the bot's web server and callbacks.

It owns the port while the doctor works; it never writes what a callback says.
"""

import asyncio
import errno
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp
import hiapi

from bot import web
from bot.callbacks import Callbacks
from bot.clock import Clock
from bot.ledger.hearing import Heard
from bot.operate import findings
from bot.operate.findings import Finding
from bot.settings import Settings
from bot.web import WebError, WebServer

NAME, ADMIN = "Web server", "Operator's page"
# Where to knock for a server that listens everywhere.
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - compared, not bound
BYTES = 64 * 1024


@dataclass(eq=False)
class Listener:
    """Answers as the bot would; `told` are the tasks whose callbacks were believed, by job id."""

    told: dict[str, hiapi.Task] = field(default_factory=dict)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    waiting_for: str | None = None

    async def ready(self) -> str | None:
        return None

    async def kept(self, _token: str) -> bytes | None:
        """Nothing: the doctor opens no kept file."""
        return None

    async def take(self, job_id: str, task: hiapi.Task) -> Heard:
        """A signed callback."""
        if job_id != self.waiting_for:
            return Heard.UNKNOWN
        repeated = job_id in self.told
        self.told[job_id] = task
        self.heard.set()
        return Heard.REPEATED if repeated else Heard.SETTLED

    async def hint(self, job_id: str, _task_id: str) -> None:
        """An unsigned one: here it is enough to see that it came."""
        if job_id == self.waiting_for:
            self.heard.set()


@asynccontextmanager
async def opened(settings: Settings, *, clock: Clock) -> AsyncIterator[Listener | None]:
    """Listen at WEB_HOST and WEB_PORT; None if something (the bot, most likely) does already.

    Raises WebError if the address cannot be listened on for another reason.
    """
    listener = Listener()
    secret = settings.hiapi_webhook_secret
    callbacks = Callbacks(
        secret=secret.get_secret_value() if secret else None,
        clock=clock,
        told=listener.take,
        hinted=listener.hint,
    )
    server = WebServer(
        host=settings.web_host,
        port=settings.web_port,
        check=listener.ready,
        callback=callbacks.receive,
        kept=listener.kept,
        key=settings.discord_token.get_secret_value(),
    )
    try:
        await server.start()
    except WebError as error:
        cause = error.__cause__
        if not isinstance(cause, OSError) or cause.errno != errno.EADDRINUSE:
            raise
        yield None
        return
    try:
        yield listener
    finally:
        await server.stop()


async def check_admin(settings: Settings, *, running: bool) -> list[Finding]:
    """Whether the operator's page can be had. `running`: the bot is, and so has its port."""
    host, port = settings.admin_host, settings.admin_port
    if not port or port == settings.web_port:
        return []  # off, any that is free, or held by the doctor itself
    where = f"{host}:{port}"
    try:
        server = await asyncio.start_server(lambda *_: None, host, port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            known = error.errno is not None and error.errno > 0
            why = os.strerror(error.errno or 0) if known else error.strerror or error
            what = f"ADMIN_HOST {host} and ADMIN_PORT {port} cannot be listened on: {why}."
            return [findings.error(ADMIN, what, "Correct ADMIN_HOST and ADMIN_PORT.")]
        if running:
            return [findings.ok(ADMIN, f"{where} is taken, as it is while the bot runs.")]
        fix = "Is Easel already running? Otherwise choose another ADMIN_PORT."
        return [findings.error(ADMIN, f"{where} is taken.", fix)]
    server.close()
    await server.wait_closed()
    return [findings.ok(ADMIN, f"{where} is free.")]


async def neighbour(settings: Settings) -> Finding:
    """Who has the port that the doctor could not take: this bot, or something else?"""
    host = EVERYWHERE.get(settings.web_host, settings.web_host)
    place = f"[{host}]" if ":" in host else host
    nonce = secrets.token_urlsafe(24)
    url = f"http://{place}:{settings.web_port}/readyz"
    wanted = web.proof(nonce, key=settings.discord_token.get_secret_value())
    where = f"{settings.web_host}:{settings.web_port}"
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(url, params={"nonce": nonce}, allow_redirects=False) as response,
        ):
            body = await response.content.read(BYTES)
    except (aiohttp.ClientError, OSError):
        body = b""
    if wanted.encode() not in body:
        what = f"Another program, or a bot with another token, listens on {where}."
        return findings.error(NAME, what, "Stop it, or choose another WEB_PORT.")
    if response.status != HTTPStatus.OK:
        what = f"The bot runs on {where} and is not ready."
        return findings.warning(NAME, what, "See its log; it may have just been started.")
    return findings.ok(NAME, f"The bot runs on {where} and is ready.")
