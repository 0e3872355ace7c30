"""What a fault means for a job: try again, end it, or stop the whole stage.

It owns the reading of refusals and failures into `errors.Code`; it never acts on one.
"""

import re
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Literal

import hiapi

from bot import errors, model
from bot.hiapi import faults, wire

Action = Literal["resend", "refuse", "halt"]

KEY_BUSY_WAIT = 5.0
"""Seconds until a create whose first try is still under way is asked about again."""

# No code for moderation is documented: the vendor's own tools go by words in the message.
_POLICY = re.compile(r"policy|safety|moderat|nsfw")
# Where the status speaks of the key, only words that cannot be about a key's own rules count.
_CONTENT = re.compile(r"content.{0,3}policy|safety|moderat|nsfw")
_REFERENCE = re.compile(
    r"input_?urls?\b|image_?urls?\b|(?:reference|input|source)[ _-]images?\b"
    r"|\b(?:invalid|unsupported|corrupt(?:ed)?) images?\b"
    r"|(?:download|fetch|load|open|read|decode)\w*\b.{0,40}\bimages?\b"
    r"|\bimages?\b.{0,40}\b(?:download|fetch|reach|unreachable|inaccessible|decode|corrupt|format)"
)
# An image of theirs, not one handed in.
_PRODUCT = re.compile(r"generated|output|result|response|returned")
_MODEL = re.compile(
    r"model_not_found|no available channel|(?:unknown|invalid|unsupported|no such) model\b"
    r"|\bmodel\b.{0,60}\b(?:not found|not exist|not available|unavailable|retired|offline)\b"
)
# Looked for in the code alone: a message may quote a prompt, and no prompt may stop the stage.
_NO_CREDIT = re.compile(r"insufficient_\w*(?:quota|balance|credit|fund)")

_FINAL = (
    hiapi.InvalidRequestError,
    hiapi.ModelUnavailableError,
    hiapi.TaskFailedError,
    hiapi.IdempotencyKeyMismatchError,
)
# By the contract (section 5) these come before a task is made.
_BEFORE = (
    faults.AuthenticationError,
    faults.NoCreditError,
    faults.ForbiddenError,
    faults.RateLimitedError,
    faults.ServiceUnavailableError,
)
_TASK_CODES = {
    "TASK_TIMEOUT": errors.Code.TIMED_OUT,
    "STORAGE_UNAVAILABLE": errors.Code.NOT_STORED,
    "MODEL_UNAVAILABLE": errors.Code.MODEL_GONE,
}
_OPERATORS = frozenset(
    {errors.Code.MODEL_GONE, errors.Code.NO_CREDIT, errors.Code.MISCONFIGURED, errors.Code.INTERNAL}
)
_TRY_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
_NO_SUCH_API = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
_OUR_DEFECTS = frozenset({HTTPStatus.CONFLICT, HTTPStatus.UNSUPPORTED_MEDIA_TYPE})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a create that failed.

    `action`: "resend" the same bytes under the same key later; "refuse": this job ends with
    `code`; "halt": the stage stops for a while and this job stays queued. `code` is also what a
    job that is given up ends with. `after`: seconds the server asked for, if it did.
    `operator`: someone has to be told. `turned_away`: HiAPI said that it made no task.
    """

    code: errors.Code
    action: Action
    after: float | None = None
    operator: bool = False
    turned_away: bool = False


def judge(error: hiapi.HiAPIError) -> Verdict:
    """The verdict on a failed `POST /v1/tasks`, by the contract's table of synchronous errors.

    Resending is safe because the key makes it so: an unknown outcome (network, 5xx, an answer
    that cannot be read) is settled by the same bytes, never by a refusal.
    """
    if isinstance(error, hiapi.APIConnectionError):
        return Verdict(errors.Code.BUSY, "resend")
    if not isinstance(error, hiapi.APIError):
        return _refuse(errors.Code.INTERNAL)
    after = error.retry_after if isinstance(error, faults.AnswerError) else None
    later = _halt(error, after=after) or _resend(error, after=after)
    return replace(later, turned_away=_made_no_task(error)) if later else _refuse(_cause(error))


def judge_task(task: hiapi.Task) -> errors.Code:
    """Why a finished task gave no picture: its error, or a success without an image."""
    if task.succeeded:
        return errors.Code.NO_PICTURE
    code = (task.error.code if task.error else None) or ""
    message = (task.error.message if task.error else None) or ""
    if code in _TASK_CODES:
        return _TASK_CODES[code]
    otherwise = errors.Code.BAD_REQUEST if code == "INVALID_REQUEST" else errors.Code.FAILED
    return _by_words(f"{code} {message}".lower(), otherwise=otherwise)


def outcome(task: hiapi.Task) -> model.Outcome | None:
    """How a task ended, or None while it runs. Unknown statuses run (contract section 2)."""
    if not task.is_terminal:
        return None
    pictures = wire.pictures(task) if task.succeeded else ()
    if not pictures:
        detail = "success without an image" if task.succeeded else wire.reason(task)
        return model.Outcome(end=model.End.FAILED, code=judge_task(task), detail=detail)
    return model.Outcome(
        end=model.End.PICTURES,
        pictures=tuple(
            model.Picture(url=each.url, expires_at=each.expires_at) for each in pictures
        ),
        seconds=wire.seconds(task),
    )


def _halt(error: hiapi.APIError, *, after: float | None) -> Verdict | None:
    """Faults every next job would meet too."""
    code: errors.Code | None = None
    if error.status == HTTPStatus.PAYMENT_REQUIRED or _NO_CREDIT.search(_code(error)):
        code = errors.Code.NO_CREDIT
    elif error.status == HTTPStatus.UNAUTHORIZED:
        code = errors.Code.MISCONFIGURED
    elif error.status == HTTPStatus.FORBIDDEN and not _CONTENT.search(_words(error)):
        # One prompt that a gateway forbids must not stop everybody's.
        code = errors.Code.MISCONFIGURED
    elif HTTPStatus.MULTIPLE_CHOICES <= error.status < HTTPStatus.BAD_REQUEST:
        # The address is not the API's: the key is not sent after a redirect.
        code = errors.Code.MISCONFIGURED
    return Verdict(code, "halt", after, operator=True) if code else None


def _resend(error: hiapi.APIError, *, after: float | None) -> Verdict | None:
    """Faults that pass, and outcomes nobody knows."""
    code: errors.Code | None = None
    if error.status == HTTPStatus.TOO_MANY_REQUESTS:
        code = errors.Code.BUSY
    elif isinstance(error, hiapi.IdempotencyKeyProcessingError):
        code, after = errors.Code.BUSY, KEY_BUSY_WAIT if after is None else after
    elif isinstance(error, hiapi.TaskTimeoutError):
        code = errors.Code.TIMED_OUT
    elif isinstance(error, hiapi.StorageUnavailableError):
        code = errors.Code.NOT_STORED
    elif not _is_final(error) and (error.status in _TRY_LATER or _is_unknown(error.status)):
        code = errors.Code.BUSY
    return Verdict(code, "resend", after) if code else None


def _made_no_task(error: hiapi.APIError) -> bool:
    """Rejected before anything was done, in HiAPI's own words: a proxy's page proves nothing."""
    return isinstance(error, _BEFORE) and (error.body or "").startswith("{")


def _is_final(error: hiapi.APIError) -> bool:
    """Refused in so many words, whatever the status: a gateway has 503 for a missing model too."""
    return isinstance(error, _FINAL) or _code(error) == "model_not_found"


def _is_unknown(status: int) -> bool:
    return status < HTTPStatus.MULTIPLE_CHOICES or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _cause(error: hiapi.APIError) -> errors.Code:
    """Why this one job is refused."""
    match error:
        case hiapi.ModelUnavailableError():
            return errors.Code.MODEL_GONE
        case hiapi.IdempotencyKeyMismatchError():
            return errors.Code.INTERNAL
        case hiapi.TaskFailedError():
            return _by_words(_words(error), otherwise=errors.Code.FAILED)
    if error.status in _OUR_DEFECTS:
        return errors.Code.INTERNAL
    words = _words(error)
    if _MODEL.search(words):
        return errors.Code.MODEL_GONE
    missing = error.status in _NO_SUCH_API
    return _by_words(
        words, otherwise=errors.Code.MISCONFIGURED if missing else errors.Code.BAD_REQUEST
    )


def _by_words(words: str, *, otherwise: errors.Code) -> errors.Code:
    if _POLICY.search(words):
        return errors.Code.REFUSED_PROMPT
    if _REFERENCE.search(words) and not _PRODUCT.search(words):
        return errors.Code.BAD_REFERENCE
    return otherwise


def _code(error: hiapi.APIError) -> str:
    return (error.error_code or "").lower()


def _words(error: hiapi.APIError) -> str:
    return f"{_code(error)} {error.message}".lower()


def _refuse(code: errors.Code) -> Verdict:
    return Verdict(code, "refuse", operator=code in _OPERATORS)
