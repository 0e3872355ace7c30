"""What can go wrong on demand: the kinds of fault, and ready-made ones to hand to `StandIn.fault`.

Owns the description of faults only; it never draws or applies one.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from sandbox import contract

Route = Literal["create", "detail", "list", "file", "task", "callback"]


LIFETIME = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer `answer` in place of the true one; with `after`, once the true work is done."""

    answer: contract.Answer
    after: bool = False


@dataclass(frozen=True, slots=True)
class DatedReply:
    """As `Reply`, built from the stand-in's clock (Unix seconds) when it is sent."""

    build: Callable[[float], contract.Answer]


@dataclass(frozen=True, slots=True)
class Drop:
    """Cut the connection without a byte; with `after`, once the true work is done.

    On a connection used before, some clients (aiohttp is one) send a GET again by themselves.
    """

    after: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """Hold the request for real seconds or until an event.

    On create this is between taking the Idempotency-Key and making the task, the very window in
    which the same key is answered 409.
    """

    until: float | asyncio.Event


@dataclass(frozen=True, slots=True)
class Drip:
    """Send the true answer's body piece by piece over about `seconds` real seconds.

    With `cut` the connection breaks half-way.
    """

    seconds: float
    pieces: int = 10
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Flood:
    """Stream `size` bytes under `content_type`, `head` first, with no Content-Length."""

    size: int = 60 * 1024 * 1024
    content_type: str = "image/png"
    head: bytes = b""


@dataclass(frozen=True, slots=True)
class Fate:
    """How a task goes: `pace` stretches its stages, `strange` replaces the word `handling`.

    `output` replaces the items of a success; a `{url}` in an item's `url` becomes the picture's
    address. `ready_after` and `file` spoil the first reads of the picture, or all of them;
    `lifetime` is for how many seconds after the task's end its address is good.
    """

    error: tuple[str, str] | None = None
    never: bool = False
    strange: str = ""
    pace: float = 1.0
    output: tuple[object, ...] | None = None
    ready_after: int = 0
    file: contract.Answer | None = None
    lifetime: int = LIFETIME


@dataclass(frozen=True, slots=True)
class Trick:
    """How a task's callback goes.

    `copies` are sent at once; `early` sends before the create answer (the task then ends at
    once); `forged` sends a wrongly signed lie first; `age` is how old every try's timestamp is;
    `silent` sends nothing genuine at all.
    """

    copies: int = 1
    early: bool = False
    forged: bool = False
    age: float = 0.0
    silent: bool = False


RequestFault = Reply | DatedReply | Drop | Pause | Drip | Flood
Fault = RequestFault | Fate | Trick


# --- ready-made: refusals -------------------------------------------------------------------------


def status(code: int, *, message: str = "", error_code: str = "", after: bool = False) -> Reply:
    """Any status in the task API's envelope; `status(500, after=True)` makes the task first."""
    text = message or f"stand-in answers {code}"
    return Reply(contract.problem(code, message=text, error_code=error_code), after=after)


def raw(
    body: bytes,
    *,
    code: int = 200,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
    after: bool = False,
) -> Reply:
    """Any bytes at all: HTML, half a JSON document, a list, a redirect."""
    return Reply(contract.Answer(code, body, headers or {}, content_type), after=after)


def rate_limited(
    *, retry_after: float = 1, as_date: bool = False, task_envelope: bool = False
) -> DatedReply:
    """429 with Retry-After in seconds or as an HTTP-date, in the gateway's or the task envelope."""

    def build(now: float) -> contract.Answer:
        wait = http_date(now + retry_after) if as_date else f"{retry_after:g}"
        headers = {"Retry-After": wait}
        if task_envelope:
            return contract.problem(429, message="too many requests", headers=headers)
        return contract.gateway(429, code="rate_limit_exceeded", headers=headers)

    return DatedReply(build)


def http_date(moment: float) -> str:
    """Unix seconds as an HTTP-date."""
    # Imported here: email.utils drags in sockets and charsets for the one rare form.
    from email.utils import formatdate  # noqa: PLC0415

    return formatdate(moment, usegmt=True)


def unavailable() -> Reply:
    """503: the platform is busy, nothing was processed."""
    return status(503, message="platform busy")


def out_of_quota() -> Reply:
    """402: the balance is too low, no task made, nothing billed."""
    return status(402, message="insufficient balance", error_code="INSUFFICIENT_QUOTA")


def unauthorized() -> Reply:
    """401 in the gateway's envelope."""
    return Reply(contract.gateway(401, code="permission_denied"))


def forbidden() -> Reply:
    """403 in the gateway's envelope."""
    return Reply(contract.gateway(403, code="permission_denied"))


def model_unavailable() -> Reply:
    """400 MODEL_UNAVAILABLE."""
    return status(400, message="model is not available", error_code="MODEL_UNAVAILABLE")


# --- ready-made: unreadable answers ---------------------------------------------------------------


def garbage(*, after: bool = False) -> Reply:
    """HTTP 200 whose JSON stops half-way."""
    return raw(b'{"code": 200, "data": {"taskId"', after=after)


def html(*, code: int = 502, after: bool = False) -> Reply:
    """A proxy's HTML page."""
    page = b"<html><body><h1>Bad Gateway</h1></body></html>"
    return raw(page, code=code, content_type="text/html", after=after)


def not_an_object(*, after: bool = False) -> Reply:
    """HTTP 200 with a JSON list."""
    return raw(b'["unexpected"]', after=after)


def no_task_id(*, after: bool = True) -> Reply:
    """HTTP 200 success without a taskId; by default the task does exist."""
    return Reply(contract.success({}), after=after)


def body_code(code: int, *, error_code: str = "", message: str = "refused") -> Reply:
    """HTTP 200 whose body says another code."""
    told = contract.problem(code, message=message, error_code=error_code)
    return Reply(contract.Answer(200, told.body))


# --- ready-made: tasks ----------------------------------------------------------------------------


def fails(code: str = "TASK_FAILED", *, message: str = "task failed") -> Fate:
    """The task ends in `fail`."""
    return Fate(error=(code, message))


def never_ends() -> Fate:
    """The task stays in `handling`."""
    return Fate(never=True)


def strange_status(word: str = "moderating") -> Fate:
    """A status nobody documented stands in for `handling`."""
    return Fate(strange=word)


def gives(*output: object) -> Fate:
    """Success with these items; `gives()` is the empty success."""
    return Fate(output=output)


def thumbnail_first() -> Fate:
    """Success whose first item is no image; the picture is the second."""
    return gives(
        {"url": "{url}?kind=thumbnail", "type": "thumbnail", "expireAt": 0},
        {"url": "{url}", "type": "image"},
    )


def odd_items() -> Fate:
    """Success with items that are no objects around the picture."""
    return gives(None, "picture", 7, {"url": "{url}", "type": "image"})


# --- ready-made: files ----------------------------------------------------------------------------


def not_there() -> Reply:
    """404, as a file host that has not caught up gives."""
    return raw(b"not found", code=404, content_type="text/plain")


def expired() -> Reply:
    """403 with the XML an object store sends for an address past its time."""
    return Reply(EXPIRED)


def wrong_type() -> Reply:
    """An HTML page where the picture should be."""
    return raw(b"<html>not a picture</html>", content_type="text/html")


def wrong_bytes() -> Reply:
    """Says image/png, is not."""
    return raw(b"certainly no picture " * 64, content_type="image/png")


def bomb(*, edge: int = 60_000) -> Reply:
    """A small PNG that claims `edge` x `edge` pixels."""
    header = struct.pack(">IIBBBBB", edge, edge, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(3 * edge + 1))), (b"IEND", b""))
    body = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks:
        body += struct.pack(">I", len(data)) + kind + data
        body += struct.pack(">I", zlib.crc32(kind + data))
    return raw(body, content_type="image/png")


def redirect(url: str) -> Reply:
    """302 to `url`."""
    return raw(b"", code=302, content_type="text/plain", headers={"Location": url})


EXPIRED = contract.Answer(
    403,
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code>'
    b"<Message>Request has expired</Message></Error>",
    content_type="application/xml",
)
