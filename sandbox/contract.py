"""What HiAPI accepts and how it words its answers: order reading, model rules, both envelopes.

Owns the pure half of the stand-in's request handling. It never touches a socket, a clock or a task.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import urlsplit

RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
PROMPT_LIMIT = 20_000
KEY_LIMIT = 255
"""Bytes, not characters, in an `Idempotency-Key`."""

_TOP_LEVEL = frozenset({"model", "input", "callback", "route", "storage"})


@dataclass(frozen=True, slots=True)
class Rules:
    """What one model takes in `input`; `references` is how many, None for no such field."""

    ratios: tuple[str, ...]
    default_ratio: str
    resolutions: tuple[str, ...] = ("1K", "2K")
    references: tuple[int, int] | None = None
    routes: tuple[str, ...] = ("default",)
    barred: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The ratios that a resolution does not go with."""


_BASE_RATIOS = ("auto", *RATIOS, "1:2", "2:1", "1:3", "3:1", "9:21")
_BASE_2K = ("auto", "5:4", "4:5", "3:1", "1:3", "9:21")

MODELS: Mapping[str, Rules] = MappingProxyType(
    {
        "gpt-image-2-pro": Rules(RATIOS, "1:1"),
        "gpt-image-2-image-to-image-pro": Rules(("auto", *RATIOS), "auto", references=(1, 5)),
        "gpt-image-2/text-to-image": Rules(
            _BASE_RATIOS,
            "auto",
            resolutions=("1K", "2K", "4K"),
            barred={"2K": _BASE_2K, "4K": ("auto", "1:1", "3:1", "1:3", "9:21")},
        ),
        "gpt-image-2/image-to-image": Rules(
            _BASE_RATIOS,
            "auto",
            resolutions=("1K", "2K", "4K"),
            references=(1, 16),
            barred={"2K": _BASE_2K, "4K": ("auto", "3:1", "1:3", "9:21")},
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Order:
    """One accepted create request, every default filled in. `model` is the resolved full name."""

    model: str
    prompt: str
    aspect_ratio: str
    resolution: str = "1K"
    input_urls: tuple[str, ...] = ()
    callback_url: str = ""
    storage: str = "temp"
    route: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished HTTP answer, before any socket: JSON unless `content_type` says otherwise."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


class RejectedError(Exception):
    """The request is refused before any task exists. Carries the answer to send."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body.decode("utf-8", "replace"))
        self.answer = answer


def success(data: object, *, headers: Mapping[str, str] | None = None) -> Answer:
    """HTTP 200 in the `{code, message, data}` envelope."""
    body = {"code": 200, "message": "success", "data": data}
    return Answer(200, json.dumps(body).encode(), headers or {})


def problem(
    status: int,
    *,
    message: str,
    error_code: str = "",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """An error in the task API's envelope; `error_code` is left out when there is none."""
    body: dict[str, object] = {"code": status, "message": message, "data": None}
    if error_code:
        body["error_code"] = error_code
    return Answer(status, json.dumps(body).encode(), headers or {})


def gateway(
    status: int,
    *,
    code: str,
    request_id: str = "req_standin",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """An error in the gateway's own envelope, which carries no `code`/`message`/`data`."""
    body = {"error": {"type": "hiapi_error", "code": code, "request_id": request_id}}
    return Answer(status, json.dumps(body).encode(), headers or {})


def invalid(message: str) -> RejectedError:
    """400 INVALID_REQUEST, ready to raise."""
    return RejectedError(problem(400, message=message, error_code="INVALID_REQUEST"))


def read_order(raw: bytes, *, models: Mapping[str, Rules] = MODELS) -> Order:
    """Check a create request's raw body against the contract; raises `RejectedError`.

    Where the contract is silent (unknown fields) this is the stricter of the two readings, so
    that a client's slip shows here and not in production.
    """
    try:
        body = json.loads(raw)
    except ValueError as exc:
        raise invalid("request body is not valid JSON") from exc
    if not isinstance(body, dict):
        raise invalid("request body must be a JSON object")
    _only(body, allowed=_TOP_LEVEL, where="request body")
    model, route, rules = _model(body, models)
    given = body.get("input")
    if not isinstance(given, dict):
        raise invalid("input must be an object")
    fields = {"prompt", "aspect_ratio", "resolution"}
    if rules.references is not None:
        fields.add("input_urls")
    _only(given, allowed=fields, where="input")
    ratio = _one_of(given, "aspect_ratio", rules.ratios, rules.default_ratio)
    resolution = _one_of(given, "resolution", rules.resolutions, "1K")
    if ratio in rules.barred.get(resolution, ()):
        raise invalid(f"aspect_ratio {ratio} is not available at {resolution}")
    return Order(
        model=model,
        route=route,
        prompt=_prompt(given.get("prompt")),
        aspect_ratio=ratio,
        resolution=resolution,
        input_urls=_input_urls(given.get("input_urls"), rules),
        callback_url=_callback(body.get("callback")),
        storage=_one_of(body, "storage", ("temp", "persistent"), "temp"),
    )


def _model(body: dict[str, Any], models: Mapping[str, Rules]) -> tuple[str, str, Rules]:
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise invalid("model is required")
    given = body.get("route", "")
    if not isinstance(given, str):
        raise invalid("route must be a string")
    base, _, suffix = name.partition("@")
    rules = models.get(base)
    if rules is None:
        message = f"model {base} is not available"
        raise RejectedError(problem(400, message=message, error_code="MODEL_UNAVAILABLE"))
    route = given or suffix or "default"
    if route not in rules.routes:
        raise invalid(f"unknown route {route}; available routes: {', '.join(rules.routes)}")
    if route == "default":
        return base, "", rules
    return f"{base}@{route}", given, rules


def _only(given: dict[str, Any], *, allowed: set[str] | frozenset[str], where: str) -> None:
    unknown = sorted(given.keys() - allowed)
    if unknown:
        raise invalid(f"unknown field in {where}: {', '.join(unknown)}")


def _prompt(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise invalid("input.prompt is required")
    if len(value) > PROMPT_LIMIT:
        raise invalid(f"input.prompt is longer than {PROMPT_LIMIT} characters")
    return value


def _one_of(given: dict[str, Any], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = given.get(name, default)
    if not isinstance(value, str) or value not in allowed:
        raise invalid(f"{name} must be one of: {', '.join(allowed)}")
    return value


def _input_urls(value: object, rules: Rules) -> tuple[str, ...]:
    if rules.references is None:
        return ()
    least, most = rules.references
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise invalid(f"input.input_urls must hold {least} to {most} image URLs")
    if not all(_is_web_address(each) for each in value):
        raise invalid("input.input_urls must hold http(s) URLs without credentials")
    return tuple(cast("list[str]", value))


def _callback(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, dict):
        raise invalid("callback must be an object")
    _only(value, allowed={"url", "when"}, where="callback")
    if not _is_web_address(value.get("url")):
        raise invalid("callback.url must be a valid http(s) URL")
    if value.get("when", "final") != "final":
        raise invalid("callback.when must be: final")
    return cast("str", value["url"])


def _is_web_address(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
