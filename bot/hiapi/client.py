"""HiAPI's three calls over aiohttp: create a task, read one, read a page.

It owns the session and its limits; it never retries (the ledger decides that), never follows a
redirect, and never starts a request without the budget's leave.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Protocol, Self, TypeVar

import aiohttp
import hiapi

from bot import clock
from bot.hiapi import budget, faults, wire

BODY_LIMIT = 4 * 1024 * 1024
"""Bytes of an answer, unpacked: far above a page of a hundred tasks. More is cut and unusable."""

KEY_LIMIT = 255
"""Bytes of an `Idempotency-Key`."""

# A 429 must cost time even where the server does not say how much.
_PAUSE_AFTER_429 = 5.0
_LEAST_PAUSE_AFTER_429 = 1.0

_SHORTEST_SECRET = 8  # what is shorter may be part of an honest word

T = TypeVar("T")


class Observe(Protocol):
    """Told of every request: `route` is create, task or page; `status` 0 is no answer at all."""

    def __call__(self, route: str, status: int, seconds: float) -> None: ...


def _nobody(route: str, status: int, seconds: float) -> None:
    """Observe nothing."""


class Client:
    """The API of one key, as an async context manager; every call is one request.

    `base_url` may carry `/v1` or not. `total` and `connect` are seconds, waiting for the budget
    not included. Calls raise `faults.AnswerError` for an answer that is no success and
    `hiapi.APIConnectionError` where none came; neither holds the key.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str,
        budget: budget.Budget,
        now: clock.Clock = clock.system,
        observe: Observe = _nobody,
        total: float = 60.0,
        connect: float = 10.0,
    ) -> None:
        self._tasks_url = base_url.rstrip("/").removesuffix("/v1").rstrip("/") + "/v1/tasks"
        self._api_key = api_key
        self._budget = budget
        self._now = now
        self._observe = observe
        self._timeout = aiohttp.ClientTimeout(total=total, connect=connect)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={
                "Authorization": f"Bearer {self._api_key}",
                "Accept": "application/json",
                "User-Agent": "easel",
            },
            connector=aiohttp.TCPConnector(limit=0),  # the budget is the limit
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_once,),
            timeout=self._timeout,
            trust_env=False,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def create(self, body: bytes, *, key: str) -> hiapi.CreatedTask:
        """Send `body` (of `wire.encode`) once, under the Idempotency-Key `key`.

        After any error but a clear refusal the task may exist: send the same bytes and key again.
        """
        if not key.isprintable() or not 0 < len(key.encode()) <= KEY_LIMIT:
            raise ValueError("an Idempotency-Key is 1 to 255 bytes without control characters")
        return await self._send(
            "create",
            wire.created,
            leave=self._budget.submit(),
            method="POST",
            url=self._tasks_url,
            body=body,
            headers={"Content-Type": "application/json", "Idempotency-Key": key},
        )

    async def task(self, task_id: str) -> hiapi.Task:
        """Read one task; `hiapi.NotFoundError` for an unknown one."""
        if not wire.TASK_ID.fullmatch(task_id):
            raise ValueError("not a task id")  # it goes into a path
        url = f"{self._tasks_url}/{task_id}"
        return await self._send("task", wire.task, leave=self._budget.poll(), url=url)

    async def page(self, number: int = 1, *, size: int = 100) -> hiapi.TaskPage:
        """Read one page of the account's tasks, newest first; `size` is 1 to 100."""
        # Out of range the server falls back to ten without a word.
        query = {"page": number, "size": min(max(size, 1), 100)}
        return await self._send(
            "page", wire.page, leave=self._budget.poll(), url=self._tasks_url, query=query
        )

    async def _send(
        self,
        route: str,
        read: Callable[[wire.Answer], T],
        *,
        leave: AbstractAsyncContextManager[None],
        url: str,
        method: str = "GET",
        query: Mapping[str, int] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        if self._session is None:
            raise RuntimeError("the client is not open")
        async with leave:
            began = time.perf_counter()
            status = 0
            try:
                async with self._session.request(
                    method, url, params=query, data=body, headers=headers, allow_redirects=False
                ) as response:
                    told = await _read(response)
                    status = response.status
            except (aiohttp.ClientError, OSError) as error:  # a timeout is an OSError too
                # `from None`: what aiohttp raises holds our headers, and with them the key.
                raise _no_answer(error) from None
            finally:
                self._observe(route, status, time.perf_counter() - began)
            answer = wire.Answer(status, response.headers, self._without_key(told), self._now())
            # Both while our place is still held, so that nobody slips in before the brake.
            self._budget.observe(wire.rate(answer.headers), now=answer.at)
            try:
                return read(answer)
            except faults.AnswerError as error:
                self._brake(error)
                raise

    def _brake(self, error: faults.AnswerError) -> None:
        """Hold all requests where the server asks for it; its 409 is about one key only."""
        match error:
            case faults.RateLimitedError(retry_after=None):
                self._budget.pause(_PAUSE_AFTER_429)
            case faults.RateLimitedError(retry_after=float(seconds)):
                self._budget.pause(max(seconds, _LEAST_PAUSE_AFTER_429))
            case faults.ServiceUnavailableError(retry_after=float(seconds)):
                self._budget.pause(seconds)

    def _without_key(self, body: bytes) -> bytes:
        """A server may quote the key it refuses; it must not reach a log by way of an error."""
        if len(self._api_key) < _SHORTEST_SECRET:
            return body
        return body.replace(self._api_key.encode(), b"<key>")


async def _once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Stop aiohttp from repeating a read on a lost connection: the budget counts every request."""
    try:
        return await handler(request)
    except aiohttp.ClientError as error:
        raise _no_answer(error) from None


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, cut just past the limit: what is cut no longer parses."""
    body = bytearray()
    async for piece in response.content.iter_chunked(64 * 1024):
        body += piece
        if len(body) > BODY_LIMIT:
            break
    return bytes(body)


def _no_answer(error: Exception) -> hiapi.APIConnectionError:
    return hiapi.APIConnectionError(faults.redact(f"no answer: {type(error).__name__}: {error}"))
