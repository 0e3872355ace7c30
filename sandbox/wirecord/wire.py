"""Answers and refusals as Discord words them, and JSON as it writes it.

Owns the shapes; it never decides what is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Exactly this, without a charset: discord.py takes anything else for text.
JSON = "application/json"


def dumps(value: object) -> str:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


# With the content type that Discord sends there: discord.py would parse JSON out of nothing.
NOTHING = Answer(204, content_type="text/html; charset=utf-8")


def answer(value: object, *, status: int = 200) -> Answer:
    """A JSON answer."""
    return Answer(status, dumps(value).encode())


class RefusedError(Exception):
    """What a route raises to refuse: `status`, Discord's `code` and message."""

    def __init__(
        self,
        status: int,
        *,
        code: int = 0,
        message: str = "",
        errors: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{status}/{code} {message}")
        self.status, self.code = status, code
        body: dict[str, Any] = {"message": message, "code": code}
        if errors:
            body["errors"] = dict(errors)
        self.answer = answer(body, status=status)


def unknown_interaction() -> RefusedError:
    """The callback came too late, or nobody asked."""
    return RefusedError(404, code=10062, message="Unknown interaction")


def unknown_webhook() -> RefusedError:
    """No such token, or one whose interaction was never acknowledged."""
    return RefusedError(404, code=10015, message="Unknown Webhook")


def expired_token() -> RefusedError:
    """A token older than 15 minutes."""
    return RefusedError(401, code=50027, message="Invalid Webhook Token")


def unknown_message() -> RefusedError:
    """Deleted, never there, or private and asked for by the channel's route."""
    return RefusedError(404, code=10008, message="Unknown Message")


def already_acknowledged() -> RefusedError:
    """A second callback for one interaction."""
    text = "Interaction has already been acknowledged."
    return RefusedError(400, code=40060, message=text)


def too_large() -> RefusedError:
    """A file over its limit, or the whole request over 25 MiB."""
    return RefusedError(413, code=40005, message="Request entity too large")


def malformed(where: str, complaint: str, *, code: str = "BASE_TYPE_BAD") -> RefusedError:
    """A body Discord does not take: `where` is a dotted path into it."""
    nested: dict[str, Any] = {"_errors": [{"code": code, "message": complaint}]}
    for part in reversed(where.split(".")):
        nested = {part: nested}
    return RefusedError(400, code=50035, message="Invalid Form Body", errors=nested)
