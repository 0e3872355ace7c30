"""Reports of defects to Sentry, where an operator asks for them.

It owns what leaves the machine: the kind of an error, where in the code it arose, the log event
and the ids of job and reply. Never the text of an error, a value, a prompt, a request or a name.
The client is imported only when there is a DSN: it is an optional part of an installation.
"""

import logging
import sys
from typing import TYPE_CHECKING, Any

from bot import logs

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

TAGS = ("job", "reply", "loop", "code", "logger")
OWN = ("sentry_sdk", "urllib3")
FLUSH = 2.0  # seconds that the last reports may take when the process ends


class SentryError(Exception):
    """Nothing can be reported; the message is one sentence for the operator."""


def start(dsn: str) -> None:
    """Report every log line at ERROR or above from now on. Raises SentryError."""
    try:
        import sentry_sdk  # noqa: PLC0415 - optional, and costs memory
        from sentry_sdk.integrations.atexit import AtexitIntegration  # noqa: PLC0415
    except ModuleNotFoundError:
        raise SentryError(
            "SENTRY_DSN is set, but Sentry's client is not installed: pip install 'easel[sentry]'."
        ) from None
    try:
        sentry_sdk.init(
            dsn=dsn,
            before_send=scrubbed,
            default_integrations=False,
            # The last reports still leave when the process ends, without a word on the terminal.
            integrations=[AtexitIntegration(callback=lambda _pending, _seconds: None)],
            auto_enabling_integrations=False,
            include_local_variables=False,
            include_source_context=False,
            max_breadcrumbs=0,
            auto_session_tracking=False,
            shutdown_timeout=FLUSH,
            server_name="",
        )
    except sentry_sdk.utils.BadDsn:
        raise SentryError("SENTRY_DSN is not a DSN as Sentry shows it.") from None
    logs.add_handler(_Reporter())


class _Reporter(logging.Handler):
    """Turns an error line into a report."""

    def __init__(self) -> None:
        super().__init__(level=logging.ERROR)

    def emit(self, record: logging.LogRecord) -> None:
        from sentry_sdk import capture_event, utils  # noqa: PLC0415 - it was imported by `start`

        if record.name.startswith(OWN):
            return  # what cannot be reported would be reported for ever
        line: dict[str, Any] = record.msg if isinstance(record.msg, dict) else {}
        event: Event = {"level": "error", "logger": record.name, "tags": {}}
        # A library's text may hold anything; our own events are fixed words.
        event["message"] = str(line["event"]) if line else f"a line of {record.name}"
        event["tags"] = {name: str(line[name]) for name in TAGS if line.get(name) is not None}
        hint: Hint = {}
        error = _error(line.get("exc_info") or record.exc_info)
        if error is not None:
            told, hint = utils.event_from_exception(error)
            event = {**told, **event}
        capture_event(event, hint)


def _error(told: object) -> BaseException | None:
    """The exception of a log line, in whichever of the usual ways it was given."""
    match told:
        case True:
            return sys.exception()
        case BaseException():
            return told
        case (_, BaseException() as error, _):
            return error
    return None


def scrubbed(event: "Event", _hint: "Hint") -> "Event":
    """The report without anything that a person wrote: only what `_KEPT` names stays."""
    kept: Any = {name: value for name, value in event.items() if name in _KEPT}
    values = (event.get("exception") or {}).get("values") or []
    if values:
        kept["exception"] = {"values": [_bare(value) for value in values]}
    return kept  # type: ignore[no-any-return]


_KEPT = (
    "event_id",
    "timestamp",
    "platform",
    "level",
    "logger",
    "message",
    "tags",
    "release",
    "sdk",
)
_FRAME = ("filename", "function", "module", "lineno", "in_app")


def _bare(value: dict[str, Any]) -> dict[str, Any]:
    """An exception as its type and the places in the code: its text may quote a prompt."""
    frames = (value.get("stacktrace") or {}).get("frames") or []
    places = [{name: frame[name] for name in _FRAME if name in frame} for frame in frames]
    return {
        "type": value.get("type"),
        "module": value.get("module"),
        "stacktrace": {"frames": places},
    }
