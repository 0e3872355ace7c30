"""Every answer of HiAPI that is not the one asked for, as a tree of exceptions.

It owns the classes, how they follow from status and `error_code`, and what of their text may be
shown to anyone; it never parses bytes.

    hiapi.HiAPIError
    ├── hiapi.APIConnectionError             no answer: network, DNS, time
    └── hiapi.APIError
        └── AnswerError                      an answer, but no success; adds `retry_after`
            ├── InvalidRequestError          400 or INVALID_REQUEST
            ├── AuthenticationError          401
            ├── NoCreditError                402                                 (ours)
            ├── ForbiddenError               403                                 (ours)
            ├── NotFoundError                404
            ├── IdempotencyKeyProcessingError, IdempotencyKeyMismatchError
            ├── RateLimitedError             429                                 (ours)
            ├── ServiceUnavailableError      503
            ├── ServerError                  any other 5xx                       (ours)
            ├── ModelUnavailableError, TaskFailedError, TaskTimeoutError,
            │   StorageUnavailableError      by `error_code`, whatever the status
            └── BadAnswerError               a 200 that cannot be used           (ours)

A class named like one of the vendor's is one of the vendor's: `except hiapi.NotFoundError` works.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

import hiapi

MESSAGE_LIMIT = 300

_LOOKED_AT = 16 * MESSAGE_LIMIT  # more than this is neither scrubbed nor shown
_UNSPEAKABLE = (
    # An address, also with the slashes escaped as in raw JSON.
    (re.compile(r"[a-z][a-z0-9+.-]{0,15}:(?:\\?/){2}[^\s\"'<>]*", re.IGNORECASE), "<url>"),
    (re.compile(r"data:[\w/\\+.-]{0,60};base64,[^\s\"'<>]*", re.IGNORECASE), "<data>"),
    (re.compile(r"\bbearer\s+[^\s\"',}]+", re.IGNORECASE), "<key>"),
    (re.compile(r"(?:hi-)?sk-[\w*.-]{3,}", re.IGNORECASE), "<key>"),
    (
        re.compile(
            r"(?:signature|token|secret|password|api[_-]?key)[\"']?\s{0,3}[=:]\s{0,3}"
            r"[\"']?[^\s\"'&,}]+",
            re.IGNORECASE,
        ),
        "<secret>",
    ),
)


class AnswerError(hiapi.APIError):
    """HiAPI answered with something else than success.

    `message` and `body` are redacted and short: they may be logged. `retry_after` is what the
    server asked for, in seconds (0..60), or None. `status` is the HTTP status or, where HTTP said
    200, the `code` of the body.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        error_code: str | None = None,
        body: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, status=status, error_code=error_code, body=body)
        self.retry_after = retry_after


class InvalidRequestError(AnswerError, hiapi.InvalidRequestError):
    """The request was not accepted as it stands."""


class AuthenticationError(AnswerError, hiapi.AuthenticationError):
    """The API key is missing, wrong or revoked."""


class NoCreditError(AnswerError):
    """The balance is too low: no task was made, nothing was charged."""


class ForbiddenError(AnswerError):
    """The key may not do this, or not with this model."""


class NotFoundError(AnswerError, hiapi.NotFoundError):
    """No such task, or another account's."""


class RateLimitedError(AnswerError):
    """Too many requests: rejected before anything was done."""


class ServiceUnavailableError(AnswerError, hiapi.ServiceUnavailableError):
    """The platform is busy: rejected before anything was done."""


class ServerError(AnswerError):
    """The server failed; whether it did what was asked is unknown."""


class ModelUnavailableError(AnswerError, hiapi.ModelUnavailableError):
    """The model or its channel is not there."""


class TaskFailedError(AnswerError, hiapi.TaskFailedError):
    """The task was refused at once, before it had an id."""


class TaskTimeoutError(AnswerError, hiapi.TaskTimeoutError):
    """What stands behind HiAPI did not answer in time."""


class StorageUnavailableError(AnswerError, hiapi.StorageUnavailableError):
    """The output could not be stored."""


class IdempotencyKeyProcessingError(AnswerError, hiapi.IdempotencyKeyProcessingError):
    """The first request with this key is still under way: send the same again later."""


class IdempotencyKeyMismatchError(AnswerError, hiapi.IdempotencyKeyMismatchError):
    """The key was used with other bytes: a defect of ours."""


class BadAnswerError(AnswerError):
    """A success that cannot be read. For a create the outcome is unknown: resend the same key."""


_BY_CODE: Mapping[str, type[AnswerError]] = MappingProxyType(
    {
        "INVALID_REQUEST": InvalidRequestError,
        "MODEL_UNAVAILABLE": ModelUnavailableError,
        "TASK_FAILED": TaskFailedError,
        "TASK_TIMEOUT": TaskTimeoutError,
        "STORAGE_UNAVAILABLE": StorageUnavailableError,
        "IDEMPOTENCY_KEY_PROCESSING": IdempotencyKeyProcessingError,
        "IDEMPOTENCY_KEY_MISMATCH": IdempotencyKeyMismatchError,
    }
)
_BY_STATUS: Mapping[int, type[AnswerError]] = MappingProxyType(
    {
        400: InvalidRequestError,
        401: AuthenticationError,
        402: NoCreditError,
        403: ForbiddenError,
        404: NotFoundError,
        429: RateLimitedError,
        503: ServiceUnavailableError,
    }
)


def kind(status: int, *, error_code: str | None) -> type[AnswerError]:
    """The class for an answer. As in the vendor's client, a known `error_code` beats the status."""
    known = _BY_CODE.get(error_code or "") or _BY_STATUS.get(status)
    if known is not None:
        return known
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return BadAnswerError
    return ServerError if status >= HTTPStatus.INTERNAL_SERVER_ERROR else AnswerError


def redact(text: str) -> str:
    """`text` fit for a log: addresses (often signed) and keys replaced, at most 300 characters."""
    text = text[:_LOOKED_AT]
    for pattern, stand_in in _UNSPEAKABLE:
        text = pattern.sub(stand_in, text)
    text = " ".join(text.encode("utf-8", "replace").decode().split())
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"
