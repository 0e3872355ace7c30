"""HiAPI's task API as bytes: requests written, answers read, faults named.

It owns every field name of the contract and trusts none of its types; it never does I/O, waits or
decides what to do about a fault.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Literal
from urllib.parse import urlsplit

import hiapi

from bot.hiapi import faults, fields

TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
"""What a task id may look like (use `fullmatch`): safe in a path, a log line and a query."""

Progress = Literal["queued", "handling", "archiving", "success", "fail"]

_PROGRESS: Mapping[str, Progress] = {
    "queued": "queued",
    "handling": "handling",
    "archiving": "archiving",
    "success": "success",
    "fail": "fail",
}
_ERROR_CODES = range(400, 600)
_REPLAY = 300  # seconds, either way
_LONGEST_TIMESTAMP = 12  # digits
_UNFIT_IN_URL = re.compile(r"[\s\x00-\x20\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. `at` is when it arrived: a dated `Retry-After` counts from there."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    at: datetime


@dataclass(frozen=True, slots=True)
class Picture:
    """An image of a finished task. `expires_at` None: unknown, so fetch it at once."""

    url: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What the server says is left: `remaining` of `limit` requests until `reset`."""

    limit: int
    remaining: int
    reset: datetime


def encode(*, model: str, input: Mapping[str, object], callback_url: str | None) -> bytes:  # noqa: A002 (the contract's word)
    """The body of `POST /v1/tasks`: compact, keys sorted, so equal requests are equal bytes.

    Keep the result: the server hashes the raw body, and a resend must be the same bytes.
    """
    body: dict[str, object] = {"model": model, "input": dict(input)}
    if callback_url:
        # At top level: inside `input` it is rejected.
        body["callback"] = {"url": callback_url, "when": "final"}
    text = json.dumps(
        body, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
    )
    # Half a surrogate pair can come out of a chat client's JSON and is no text at all.
    return text.encode("utf-8", "replace")


def created(answer: Answer) -> hiapi.CreatedTask:
    """The new task's id; `idempotent_replay` if the key had already made it.

    Raises `faults.AnswerError`; `BadAnswerError` means the task may exist all the same.
    """
    data = _data(answer)
    if not _is_task_id(data.get("taskId")):
        raise _unusable(answer, "no usable taskId")
    replay = fields.header(answer.headers, "Idempotent-Replay").strip().lower() == "true"
    return hiapi.CreatedTask.from_dict(data, idempotent_replay=replay)


def task(answer: Answer) -> hiapi.Task:
    """The task of `GET /v1/tasks/{id}`. Raises `faults.AnswerError`."""
    data = _data(answer)
    if not _is_task_id(data.get("taskId")):
        raise _unusable(answer, "no usable taskId")
    return _task(data)


def page(answer: Answer) -> hiapi.TaskPage:
    """One page of `GET /v1/tasks`, newest first. Raises `faults.AnswerError`.

    A row without a usable id is left out: one bad row must not hide ninety-nine good ones.
    """
    data = _data(answer)
    rows = data.get("tasks")
    if not isinstance(rows, list):
        raise _unusable(answer, "no list of tasks")
    known = [row for row in rows if isinstance(row, dict) and _is_task_id(row.get("taskId"))]
    return hiapi.TaskPage(
        items=[_task(row) for row in known],
        page=fields.whole(data.get("page")),
        size=fields.whole(data.get("size")),
        total=fields.whole(data.get("total")),
        raw=data,
    )


def callback(body: bytes) -> hiapi.Task:
    """The task of a callback: its body is the bare task, without an envelope.

    Verify the raw bytes first. Raises `faults.BadAnswerError`.
    """
    data = _object(body)
    if data is None or not _is_task_id(data.get("taskId")):
        raise faults.BadAnswerError("the callback holds no task", status=200)
    return _task(data)


def signed(body: bytes, *, secret: str, timestamp: str, signature: str, now: datetime) -> bool:
    """Whether a callback's headers prove that it comes from whoever knows the secret, just now.

    Contract section 4: hex HMAC-SHA256 over the timestamp, a full stop and the raw bytes, at most
    300 s old or ahead. The vendor's `verify_webhook` goes by the same rule, but parses the body
    too, and then one verdict stands for two findings.
    """
    if not (timestamp.isascii() and timestamp.isdecimal() and signature.isascii()):
        return False
    if len(timestamp) > _LONGEST_TIMESTAMP or abs(int(now.timestamp()) - int(timestamp)) > _REPLAY:
        return False
    message = timestamp.encode() + b"." + body
    wanted = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, signature.lower())


def error(answer: Answer) -> faults.AnswerError:
    """The fault an unsuccessful answer stands for, from either error envelope or the bare status.

    A known `error_code` beats the status, as in the vendor's client. Where HTTP says 200 and the
    body's `code` says otherwise, the body is right.
    """
    envelope = _object(answer.body) or {}
    # The gateway in front of the task API has an envelope of its own: {"error": {...}}.
    gateway = envelope.get("error")
    inner = gateway if isinstance(gateway, dict) else {}
    error_code = fields.text(envelope.get("error_code"))
    status = _true_status(answer.status, envelope)
    message = (
        fields.text(envelope.get("message"))
        or fields.text(inner.get("message"))
        or fields.text(gateway)
        or f"HTTP {status}"
    )
    told = error_code or fields.text(inner.get("code")) or fields.text(inner.get("type"))
    return faults.kind(status, error_code=error_code or None)(
        faults.redact(message),
        status=status,
        error_code=faults.redact(told) or None,
        body=_excerpt(answer.body),
        retry_after=fields.retry_after(answer.headers, now=answer.at),
    )


def status(task: hiapi.Task) -> Progress:
    """How far a task is. A word we do not know counts as still running."""
    return _PROGRESS.get(task.status, "handling")


def pictures(task: hiapi.Task) -> tuple[Picture, ...]:
    """The images among a task's output, in order; thumbnails, frames and odd items are left out."""
    return tuple(
        Picture(item.url, fields.moment(item.expire_at))
        for item in task.output
        if item.type == "image" and _is_web_url(item.url)
    )


def reason(task: hiapi.Task) -> str:
    """Why a task failed, in the service's words, redacted: for the log and the operator."""
    said = (task.error.code, task.error.message) if task.error else ()
    return faults.redact(": ".join(filter(None, said))) or "no reason given"


def seconds(task: hiapi.Task) -> int | None:
    """How long a finished task took by the service's own clock, or None if it does not say."""
    if task.completed_at is None or task.created_at is None:
        return None
    return max(0, task.completed_at - task.created_at)


def late(task: hiapi.Task, *, now: datetime) -> float | None:
    """The seconds between a task's end and `now`, or None if the service does not say."""
    if task.completed_at is None:
        return None
    return round(max(0.0, now.timestamp() - task.completed_at), 3)


def course(task: hiapi.Task, *, now: datetime) -> dict[str, object]:
    """A finished task for the log: its model and, where known, what it took and how late it is."""
    known = {"late": late(task, now=now), "seconds": seconds(task)}
    told = {name: value for name, value in known.items() if value is not None}
    return {"model": task.model.partition("@")[0], **told}


def rate(headers: Mapping[str, str]) -> RateLimit | None:
    """The `X-RateLimit-*` headers (reset in Unix seconds), or None unless all three can be read."""
    limit = fields.whole(fields.header(headers, "X-RateLimit-Limit"))
    remaining = fields.whole(fields.header(headers, "X-RateLimit-Remaining"))
    reset = fields.moment(fields.header(headers, "X-RateLimit-Reset"))
    if limit is None or remaining is None or reset is None:
        return None
    return RateLimit(limit, remaining, reset)


def _data(answer: Answer) -> dict[str, object]:
    """The `data` object of a success; raises for everything else."""
    envelope = _object(answer.body)
    if answer.status != HTTPStatus.OK:
        raise error(answer)
    if envelope is None:
        raise _unusable(answer, "not a JSON object")
    # Left out, the code is not a contradiction; anything but 200 is.
    if envelope.get("code", HTTPStatus.OK) not in (HTTPStatus.OK, "200"):
        raise error(answer)
    data = envelope.get("data")
    if not isinstance(data, dict):
        raise _unusable(answer, "no data object")
    return data


def _object(body: bytes) -> dict[str, object] | None:
    try:
        parsed = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):  # RecursionError: a megabyte of brackets
        return None
    return parsed if isinstance(parsed, dict) else None


def _unusable(answer: Answer, why: str) -> faults.BadAnswerError:
    return faults.BadAnswerError(
        f"the answer cannot be used: {why}",
        status=answer.status,
        body=_excerpt(answer.body),
        retry_after=fields.retry_after(answer.headers, now=answer.at),
    )


def _true_status(status: int, envelope: Mapping[str, object]) -> int:
    code = fields.whole(envelope.get("code")) or 0
    return code if status == HTTPStatus.OK and code in _ERROR_CODES else status


def _excerpt(body: bytes) -> str | None:
    """The start of a body, redacted: what an operator needs to see of an unknown answer."""
    return faults.redact(body[:8192].decode("utf-8", "replace")) or None


def _task(data: Mapping[str, object]) -> hiapi.Task:
    """A task by the vendor's own parser, fed only what it can digest."""
    return hiapi.Task.from_dict(_digestible(data, _TASK_FIELDS))


def _digestible(
    data: Mapping[str, object], readers: Mapping[str, Callable[[object], object]]
) -> dict[str, object]:
    known = {name: read(data[name]) for name, read in readers.items() if name in data}
    return {**data, **known}


def _output(value: object) -> list[dict[str, object]]:
    items = value if isinstance(value, list) else []
    return [_digestible(item, _ITEM_FIELDS) for item in items if isinstance(item, dict)]


def _task_error(value: object) -> dict[str, object] | None:
    if isinstance(value, str):
        return {"message": value}
    return _digestible(value, _ERROR_FIELDS) if isinstance(value, dict) else None


def _text_or_none(value: object) -> str | None:
    return fields.text(value) or None


def _is_task_id(value: object) -> bool:
    return isinstance(value, str) and TASK_ID.fullmatch(value) is not None


def _is_web_url(value: object) -> bool:
    if not isinstance(value, str) or _UNFIT_IN_URL.search(value):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # half an IPv6 address, a port out of range
        return False


_TASK_FIELDS: Mapping[str, Callable[[object], object]] = {
    "model": fields.text,
    "status": fields.text,
    "created": fields.whole,
    "completed": fields.whole,
    "storage": _text_or_none,
    "route": _text_or_none,
    "output": _output,
    "error": _task_error,
}
_ITEM_FIELDS = {"url": fields.text, "type": fields.text, "expireAt": fields.whole}
_ERROR_FIELDS = {"code": _text_or_none, "message": _text_or_none}
