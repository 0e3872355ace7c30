"""The public web server: HiAPI's callbacks, kept files, is the process alive and ready for work.

It owns the listener and the limits of a request; it never shows anything about jobs or people, but
a kept file to whoever has its signed address.
"""

import asyncio
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Protocol

from aiohttp import web

from bot import images
from bot.links import PATH as KEPT_PATH
from bot.links import TOKEN

Check = Callable[[], Awaitable[str | None]]

CALLBACK_PATH = "/hiapi/callback/"
BODY_LIMIT = 1024 * 1024
BODY_SECONDS = 10.0
# What may be handed to /readyz to be proven: nothing that could do harm in anybody's log.
NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
TIMESTAMP = "X-HiAPI-Timestamp"
SIGNATURE = "X-HiAPI-Signature"


class Callback(Protocol):
    """Takes a callback in and returns the status to answer with."""

    def __call__(
        self, job_id: str, *, body: bytes, timestamp: str, signature: str
    ) -> Awaitable[HTTPStatus]: ...


Kept = Callable[[str], Awaitable[bytes | None]]
"""The file that a token opens, or None."""


def proof(nonce: str, *, key: str) -> str:
    """What only a process with this secret can answer to a nonce: it tells nothing of the secret.

    `python -m bot doctor` sees by it that an address leads to this bot and to no other.
    """
    return hmac.new(key.encode(), f"easel readyz {nonce}".encode(), hashlib.sha256).hexdigest()


class WebError(Exception):
    """The address cannot be listened on; the message is one sentence for the operator."""


class WebServer:
    """`/healthz` answers while the event loop runs; `/readyz` when `check` finds nothing amiss."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        check: Check,
        callback: Callback,
        kept: Kept,
        key: str = "",
    ) -> None:
        """`key` is the secret by which `/readyz?nonce=...` proves who answers."""
        self._host = host
        self._port = port
        self._check = check
        self._callback = callback
        self._kept = kept
        self._key = key
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port that is really listened on (the setting may be 0: any)."""
        assert self._runner is not None  # noqa: S101 - asked only of a started server
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        app = web.Application(client_max_size=BODY_LIMIT)
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.post(CALLBACK_PATH + "{job:[a-z2-7]{16}}", self._called),
                web.get(KEPT_PATH + f"{{token:{TOKEN}}}", self._opened),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self.stop()
            where = f"WEB_HOST {self._host} and WEB_PORT {self._port}"
            raise WebError(f"{where} cannot be listened on: {error.strerror or error}.") from error

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _called(self, request: web.Request) -> web.Response:
        """The raw bytes are what was signed: they are read before anybody parses them."""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413)
        except TimeoutError:
            return web.Response(status=408)
        status = await self._callback(
            request.match_info["job"],
            body=body,
            timestamp=request.headers.get(TIMESTAMP, ""),
            signature=request.headers.get(SIGNATURE, ""),
        )
        return web.Response(status=status)

    async def _opened(self, request: web.Request) -> web.Response:
        """A kept picture; whatever is wrong with an address, it looks as if there were nothing."""
        data = await self._kept(request.match_info["token"])
        kind = images.sniff(data[: images.HEAD_BYTES]) if data is not None else None
        if data is None or kind is None:
            return web.Response(status=404)
        return web.Response(
            body=data,
            content_type=f"image/{kind}",
            headers={
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "default-src 'none'",
                "Cache-Control": "private, no-store",
                "X-Robots-Tag": "noindex",
            },
        )

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, request: web.Request) -> web.Response:
        nonce = request.query.get("nonce", "")
        told = (
            {"proof": proof(nonce, key=self._key)} if self._key and NONCE.fullmatch(nonce) else {}
        )
        trouble = await self._check()
        if trouble is None:
            return web.json_response({"status": "ready", **told})
        return web.json_response({"status": "not ready", "cause": trouble, **told}, status=503)
