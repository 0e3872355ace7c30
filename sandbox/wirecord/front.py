"""What surrounds every request: the log, faults, the bot's token, limits, body, and sending.

Owns the socket's side of REST and CDN; it never knows what a route does.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter, deque
from dataclasses import dataclass, field

from aiohttp import web

from sandbox.wirecord import faults, limits, multipart, rest, wire
from sandbox.wirecord.cdn import Cdn
from sandbox.wirecord.gateway import LINGER, Gateway

API, CDN, GATEWAY = "/api/v10", "/cdn", "/gateway"
REQUEST_LIMIT = 25 * 1024 * 1024
INVALID = frozenset({401, 403, 429})
UNAUTHORIZED = wire.RefusedError(401, message="401: Unauthorized").answer
NO_ROUTE = wire.RefusedError(404, message="404: Not Found").answer


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the log keeps it: no token in `path`; status 0: no answer was sent."""

    at: float  # time.monotonic()
    method: str
    path: str
    route: str
    status: int
    seconds: float
    size: int


@dataclass(slots=True)
class Log:
    """The last requests, and counts of all: by route, by (route, status), of invalid ones."""

    requests: deque[Request]
    routes: Counter[str] = field(default_factory=Counter)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    invalid: int = 0  # what Discord counts towards its ban: 401, 403, 429 unless shared

    def add(self, request: Request, *, shared: bool) -> None:
        """Keep it."""
        self.requests.append(request)
        self.routes[request.route] += 1
        self.statuses[request.route, request.status] += 1
        if request.status in INVALID and not shared:
            self.invalid += 1


class Front:
    """Handles a request from its first byte to its last."""

    def __init__(
        self,
        *,
        token: str,
        table: rest.Table,
        gateway: Gateway,
        cdn: Cdn,
        limit: limits.Limits,
        planted: faults.Faults,
        log: Log,
        keep_bytes: bool,
        digests: bool,
    ) -> None:
        self._authorization = f"Bot {token}"
        self._table, self._gateway, self._cdn, self.limit = table, gateway, cdn, limit
        self._planted, self._log = planted, log
        self._keep_bytes, self._digests = keep_bytes, digests

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Everything arrives here."""
        started = time.monotonic()
        method, path = request.method, request.path
        route: rest.Route | None = None
        at: dict[str, str] = {}
        token: str | None = None
        if path == GATEWAY:
            name = line = "GET /gateway-socket"
        elif path.startswith(CDN):
            name, line = "GET /cdn", f"{method} {path}"
        else:
            found = self._table.find(method, path.removeprefix(API))
            name, line = "nowhere", f"{method} {path}"
            if found is not None:
                route, at = found
                token = at.get("token")
                name, line = route.name, f"{method} {path.removeprefix(API)}"
                if token is not None:
                    line = line.replace(token, ":token")
        fault = self._planted.draw(route=name, line=line, token=token)
        answer: wire.Answer | None = None
        try:
            if not _early(fault):
                if path == GATEWAY:
                    return await self._gateway.handle(request)
                answer = await self._work(request, route, at, fault)
            if isinstance(fault, faults.Reply):
                answer = fault.answer
            return await self._send(request, fault, answer)
        finally:
            status = answer.status if answer and not _mute(fault) else 0
            shared = answer is not None and answer.headers.get("X-RateLimit-Scope") == "shared"
            size = request.content_length or 0
            path = line.partition(" ")[2]
            took = time.monotonic() - started
            self._log.add(Request(started, method, path, name, status, took, size), shared=shared)

    async def _work(
        self,
        request: web.BaseRequest,
        route: rest.Route | None,
        at: dict[str, str],
        fault: faults.Fault | None,
    ) -> wire.Answer:
        late = fault.seconds if isinstance(fault, faults.Slow) and not fault.after else 0.0
        if request.path.startswith(CDN):
            await asyncio.sleep(late)
            return self._cdn.serve(request.path.removeprefix(CDN), request.query_string)
        headers: dict[str, str] = {}
        refused: wire.Answer | None = NO_ROUTE
        if route is not None:
            refused = None
            if route.own and request.headers.get("Authorization") != self._authorization:
                refused = UNAUTHORIZED
            else:
                major = at.get(route.major, "")
                headers, refused = self.limit.enter(route.bucket, major, counted=route.own)
        try:
            body = await self._body(request, wanted=refused is None)
            # All of it is here: who hangs up now does not keep it from being carried out.
            await asyncio.sleep(late)
            if refused is not None or route is None:
                plain = refused or NO_ROUTE
            else:
                plain = route.work(rest.Call(at, request.query_string, body))
        except wire.RefusedError as error:
            plain = error.answer
        if not headers:
            return plain
        return wire.Answer(
            plain.status, plain.body, plain.content_type, {**headers, **plain.headers}
        )

    async def _body(self, request: web.BaseRequest, *, wanted: bool) -> multipart.Body:
        """Read all of it, also what is not wanted: the client would see a broken pipe."""
        if not request.can_read_body:
            return multipart.Body()
        large = (request.content_length or 0) > REQUEST_LIMIT
        border = multipart.boundary(request.headers.get("Content-Type", ""))
        stream = request.content
        if large or not wanted:
            while await stream.readany():
                pass
            if large:
                raise wire.too_large()
            return multipart.Body()
        if border is None:
            return multipart.Body(multipart.load(await stream.read()))
        reader = multipart.Reader(border, keep=self._keep_bytes, digest=self._digests)
        while chunk := await stream.readany():
            reader.feed(chunk)
        return reader.finish()

    async def _send(
        self, request: web.BaseRequest, fault: faults.Fault | None, answer: wire.Answer | None
    ) -> web.StreamResponse:
        match fault:
            case faults.Reset():
                _break(request, reset=True)
                return web.Response()
            case faults.HangUp():
                _break(request, reset=False)
                return web.Response()
            case faults.Silence():
                await asyncio.Event().wait()  # until the server stops
            case faults.Slow(seconds, after=True):
                await asyncio.sleep(seconds)
        if answer is None:
            raise RuntimeError("no answer was made")
        headers = {"Content-Type": answer.content_type, **answer.headers}
        return web.Response(status=answer.status, body=answer.body, headers=headers)


def _early(fault: faults.Fault | None) -> bool:
    """Whether the request is not to be carried out at all."""
    if isinstance(fault, faults.Slow) or fault is None:
        return False
    return not fault.after


def _mute(fault: faults.Fault | None) -> bool:
    return isinstance(fault, (faults.Reset, faults.HangUp, faults.Silence))


def _break(request: web.BaseRequest, *, reset: bool) -> None:
    if request.transport is None:
        return
    if reset:
        raw = request.transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
    request.transport.abort()
