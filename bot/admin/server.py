"""The second listener: the operator's page, its parts, and /metrics.

It owns the paths and the templates; who may look is decided by `bot.admin.guard`.
"""

import os
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

import aiohttp_jinja2
import jinja2
from aiohttp import web

from bot import metrics
from bot.admin import spending
from bot.admin.board import SPANS, View
from bot.admin.guard import Guard

HERE = Path(__file__).parent
STATIC = {
    "style.css": "text/css",
    "live.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
EVERY = 3.0  # seconds between two looks of an open page


class AdminError(Exception):
    """The address cannot be listened on; the message is one sentence for the operator."""


class AdminServer:
    """Serves GET and nothing else: there is nothing to change here."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        guard: Guard,
        view: Callable[[int], Awaitable[View]],
        scrape: Callable[[], Awaitable[bytes]],
        small: Callable[[str], Awaitable[bytes | None]],
    ) -> None:
        self._host = host
        self._port = port
        self._guard = guard
        self._view = view
        self._scrape = scrape
        self._small = small
        self._runner: web.AppRunner | None = None
        self._files: dict[str, bytes] = {}

    @property
    def port(self) -> int:
        """The port that is really listened on (the setting may be 0: any)."""
        assert self._runner is not None  # noqa: S101 - asked only of a started server
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Raises AdminError if the address cannot be listened on."""
        self._files = {name: (HERE / "static" / name).read_bytes() for name in STATIC}
        filters: dict[str, Callable[..., str]] = {
            "long": long,
            "ago": ago,
            "within": within,
            "number": number,
            "money": spending.money,
            "amount": spending.amount,
        }
        app = web.Application(middlewares=[self._guard.middleware])
        aiohttp_jinja2.setup(
            app,
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
            filters=filters,
        )
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/live", self._live),
                web.get("/metrics", self._metrics),
                web.get("/picture/{job:[a-z2-7]{16}}", self._picture),
                web.get("/static/{name}", self._static),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self.stop()
            where = f"ADMIN_HOST {self._host} and ADMIN_PORT {self._port}"
            # asyncio's own words are long; a name that is not found has no number of the system's.
            known = error.errno is not None and error.errno > 0
            reason = os.strerror(error.errno or 0).lower() if known else error.strerror or error
            raise AdminError(
                f"{where} cannot be listened on: {reason}; another port or 'off' will do."
            ) from error

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _page(self, request: web.Request) -> web.Response:
        return await self._render("page.html", request)

    async def _live(self, request: web.Request) -> web.Response:
        return await self._render("live.html", request)

    async def _render(self, template: str, request: web.Request) -> web.Response:
        asked = request.query.get("hours", "")
        hours = int(asked) if asked.isdecimal() and asked.isascii() else min(SPANS)
        view = await self._view(hours if hours in SPANS else min(SPANS))
        context = {"view": view, "spans": tuple(SPANS), "every": int(EVERY * 1000)}
        return aiohttp_jinja2.render_template(template, request, context)

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=await self._scrape(), headers={"Content-Type": metrics.TYPE})

    async def _picture(self, request: web.Request) -> web.Response:
        small = await self._small(request.match_info["job"])
        if small is None:
            raise web.HTTPNotFound
        return web.Response(body=small, content_type="image/webp")

    async def _static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._files:
            raise web.HTTPNotFound
        return web.Response(body=self._files[name], content_type=STATIC[name], charset="utf-8")


def long(seconds: float) -> str:
    """A time as people say it: `45 s`, `3 min`, `2 h 5 min`, `4 d`."""
    whole = int(seconds)
    if whole < 120:  # noqa: PLR2004 - two minutes
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 120:  # noqa: PLR2004 - two hours
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} d"  # noqa: PLR2004


def number(value: float) -> str:
    """`1,234` or `0.25`; whole numbers to the last digit."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"


def within(then: datetime, now: datetime) -> str:
    """How long until then."""
    return f"in {long(max(0.0, (then - now).total_seconds()))}"


def ago(then: datetime, now: datetime) -> str:
    """How long ago that was."""
    return f"{long(max(0.0, (now - then).total_seconds()))} ago"
