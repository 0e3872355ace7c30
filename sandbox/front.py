"""What surrounds every request to the stand-in: key check, rate limit, faults, sending, counting.

Owns the socket's side of an answer, broken ones included; it never knows what a route does.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from sandbox import contract, faultbook, faults, limits, tasks

Pause = Callable[[], Awaitable[None]]
Work = Callable[[web.Request, Pause], Awaitable[contract.Answer]]
"""A route's work. It awaits the pause at the point where it may be held up."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """Wraps a route's work: `guarded` for the API, `public` for what needs no key."""

    api_key: str
    clock: Callable[[], float]
    book: tasks.TaskBook
    limit: limits.Limit
    planted: faultbook.FaultBook

    def guarded(self, route: faults.Route, work: Work) -> Handler:
        """A handler that wants the key and keeps to the rate limit."""

        async def handle(request: web.Request) -> web.StreamResponse:
            self.book.requests[route] += 1
            request_id = "req_" + secrets.token_hex(8)
            headers = {"X-Request-Id": request_id}
            if request.headers.get("Authorization") != f"Bearer {self.api_key}":
                refusal = contract.gateway(401, code="permission_denied", request_id=request_id)
                return self.send(route, refusal, headers=headers)
            wait = self.limit.enter(self.clock())
            headers |= self.limit.headers(self.clock())
            if wait is not None:
                headers["Retry-After"] = str(wait)
                refusal = contract.gateway(429, code="rate_limit_exceeded", request_id=request_id)
                return self.send(route, refusal, headers=headers)
            try:
                return await self._answer(route, request, work, headers)
            finally:
                self.limit.leave()

        return handle

    def public(self, route: faults.Route, work: Work) -> Handler:
        """A handler anybody may call, as often as they like."""

        async def handle(request: web.Request) -> web.StreamResponse:
            self.book.requests[route] += 1
            return await self._answer(route, request, work, {})

        return handle

    def send(
        self, route: str, answer: contract.Answer, *, headers: Mapping[str, str] | None = None
    ) -> web.Response:
        """Count an answer and make it aiohttp's."""
        self.book.answers[route, answer.status] += 1
        return web.Response(
            status=answer.status,
            body=answer.body,
            content_type=answer.content_type,
            headers={**(headers or {}), **answer.headers},
        )

    async def _answer(  # noqa: PLR0911 (one return per kind of fault)
        self, route: faults.Route, request: web.Request, work: Work, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        fault = None if self.planted.empty else await self._draw(route, request)
        match fault:
            case faults.Reply(instead, after=False):
                return self.send(route, instead, headers=headers)
            case faults.DatedReply(build):
                return self.send(route, build(self.clock()), headers=headers)
            case faults.Drop(after=False):
                return self._drop(route, request)
            case faults.Flood():
                return await self._flood(route, request, fault)
        try:
            answer = await work(request, _pause(fault))
        except contract.RejectedError as exc:
            answer = exc.answer
        if isinstance(fault, faults.Drop):
            return self._drop(route, request)
        if isinstance(fault, faults.Drip):
            return await self._drip(route, request, answer, fault)
        if isinstance(fault, faults.Reply):
            answer = fault.answer
        return self.send(route, answer, headers=headers)

    async def _draw(self, route: faults.Route, request: web.Request) -> faults.Fault | None:
        about = [request.path]
        if route == "create":
            about.append((await request.read()).decode("utf-8", "replace"))
        task = self.book.find(*request.match_info.values())
        if task is not None:
            about.append(task.order.prompt)
        return self.planted.draw(route, about=about)

    def _drop(self, route: str, request: web.Request) -> web.StreamResponse:
        self.book.answers[route, 0] += 1
        _hang_up(request)
        return web.Response()

    async def _drip(
        self, route: str, request: web.Request, answer: contract.Answer, fault: faults.Drip
    ) -> web.StreamResponse:
        self.book.answers[route, answer.status] += 1
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        response.content_type = answer.content_type
        response.content_length = len(answer.body)
        await response.prepare(request)
        step = max(1, -(-len(answer.body) // fault.pieces))
        for start in range(0, len(answer.body), step):
            await asyncio.sleep(fault.seconds / fault.pieces)
            if fault.cut and start * 2 >= len(answer.body):
                _hang_up(request)
                break
            await response.write(answer.body[start : start + step])
        return response

    async def _flood(
        self, route: str, request: web.Request, fault: faults.Flood
    ) -> web.StreamResponse:
        self.book.answers[route, 200] += 1
        response = web.StreamResponse()
        response.content_type = fault.content_type
        await response.prepare(request)
        piece = bytes(_PIECE)
        await response.write(fault.head)
        for start in range(len(fault.head), fault.size, _PIECE):
            await response.write(piece[: fault.size - start])
        return response


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _pause(fault: faults.Fault | None) -> Pause:
    async def wait() -> None:
        if isinstance(fault, faults.Pause):
            if isinstance(fault.until, asyncio.Event):
                await fault.until.wait()
            else:
                await asyncio.sleep(fault.until)

    return wait
