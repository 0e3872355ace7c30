"""Who may see the operator's page: this machine, or whoever has the password.

It owns the checks of a request and the headers of every answer; it never looks at what is asked
for. Without a password only this machine is answered, by its own name, and never through a proxy:
a request that carries any trace of one is refused, whoever sent it.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections import OrderedDict, deque
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Handler

from bot.addresses import is_loopback
from bot.clock import Clock

log = structlog.get_logger(__name__)

# What proxies add; beside these all that begins with X-Forwarded.
FORWARDING = frozenset(
    {"forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip"}
    | {"cf-connecting-ip", "fastly-client-ip", "x-original-forwarded-for", "x-envoy-peer-metadata"}
)
FORWARDED = "x-forwarded"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
# Wrong passwords of one address a minute; beyond that not even the right one is looked at.
TRIES = 10
MINUTE = timedelta(minutes=1)
ADDRESSES = 1000  # that are remembered
PENALTY = 0.5  # seconds that the answer to a wrong password takes


class Guard:
    """A middleware for every request, also for paths that do not exist."""

    def __init__(self, *, password: str | None, clock: Clock) -> None:
        self._password = None if password is None else _digest(password)
        self._clock = clock
        self._wrong: OrderedDict[str, deque[datetime]] = OrderedDict()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        refusal = await self._refuse(request)
        if refusal is not None:
            refusal.headers.update(HEADERS)
            return refusal
        try:
            response = await handler(request)
        except web.HTTPException as error:
            error.headers.update(HEADERS)
            raise
        response.headers.update(HEADERS)
        return response

    async def _refuse(self, request: web.Request) -> web.Response | None:
        """Why this request is not answered, or None."""
        host = _host(request)
        if host is None:
            return _said(HTTPStatus.BAD_REQUEST, "The Host header cannot be read.")
        if self._password is not None:
            # Whoever has the password may use any name: another site's script does not have it.
            return await self._ask(request)
        if _forwarded(request) or not is_loopback(request.remote or ""):
            return _said(
                HTTPStatus.FORBIDDEN,
                "This came through a proxy: set ADMIN_PASSWORD to allow that.",
            )
        if not is_loopback(host):
            # A name that somebody pointed at this machine, so that their page may read ours.
            return _said(
                HTTPStatus.MISDIRECTED_REQUEST,
                "Use 127.0.0.1 or localhost, or set ADMIN_PASSWORD to use another name.",
            )
        return None

    async def _ask(self, request: web.Request) -> web.Response | None:
        peer, now = request.remote or "", self._clock()
        wrong = self._wrong.get(peer, deque())
        if len(wrong) == TRIES and now - wrong[0] < MINUTE:
            refusal = _said(
                HTTPStatus.TOO_MANY_REQUESTS, "Too many wrong passwords: wait a minute."
            )
            refusal.headers["Retry-After"] = str(int(MINUTE.total_seconds()))
            return refusal
        given = _password(request)
        if given is not None and hmac.compare_digest(_digest(given), self._password or b""):
            return None
        if given is not None:
            self._remember(peer, now)
            await asyncio.sleep(PENALTY)
        refusal = _said(
            HTTPStatus.UNAUTHORIZED, "The password is ADMIN_PASSWORD, the name is free."
        )
        refusal.headers["WWW-Authenticate"] = 'Basic realm="Easel", charset="UTF-8"'
        return refusal

    def _remember(self, peer: str, now: datetime) -> None:
        wrong = self._wrong.setdefault(peer, deque(maxlen=TRIES))
        wrong.append(now)
        self._wrong.move_to_end(peer)
        if len(self._wrong) > ADDRESSES:
            self._wrong.popitem(last=False)
        log.warning("admin.wrong_password", peer=peer, tries=len(wrong))


def _said(status: HTTPStatus, sentence: str) -> web.Response:
    return web.Response(status=status, text=f"{sentence}\n")


def _digest(text: str) -> bytes:
    """Of one length whatever the text, so that comparing takes one time."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _host(request: web.Request) -> str | None:
    """The name that the request was sent to, without its port."""
    try:
        parts = urlsplit(f"//{request.host}")
        name, whole = parts.hostname, parts.netloc == request.host and parts.username is None
    except ValueError:
        return None
    return name if whole else None


def _forwarded(request: web.Request) -> bool:
    """Whether anything tells that a proxy sent this. One that leaves no trace is not recognized."""
    if request.version < HttpVersion11:
        return True  # nginx says nothing else of itself, and nobody's browser is that old
    names = (name.lower() for name in request.headers)
    return any(name in FORWARDING or name.startswith(FORWARDED) for name in names)


def _password(request: web.Request) -> str | None:
    """The password of HTTP Basic authentication; None if none was given."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    return decoded.partition(":")[2]
