"""Structured logs: one event per line, with the job or reply it belongs to.

It owns the format and the promise that no secret is written; it never decides what is worth a line.
"""

import asyncio
import contextlib
import io
import logging
import logging.handlers
import re
import sys
from collections.abc import Collection
from typing import NoReturn

import structlog

_HIDDEN = "[hidden]"
# Whatever ends a secret inside a line: a backslash stands before a quote that JSON has escaped.
_END = r"\s\"'\\"
# Interaction tokens stand in the paths of webhook and callback addresses, keys in headers.
_SECRETS = re.compile(
    rf"(?P<path>/(?:webhooks|interactions)/\d+/)[^{_END}/?]+"
    rf"|(?P<key>\b(?<![A-Za-z0-9]-)(?:hi-)?sk-)[\w-]+"
    rf"|(?P<login>://[^{_END}/:@]*:)[^{_END}/@]+(?=@)"
    rf"|(?P<header>(?i:authorization)[\"'\\]*\s*[:=,]\s*[\"'\\]*(?:\w+ +)?)[^{_END},}}]+"
    rf"|(?P<scheme>\b(?:Bot|Bearer) +)[^{_END},}}]{{16,}}"
)
# Each of these stands in whatever the pattern finds: looking for them first takes a tenth of it.
_SIGNS = ("/webhooks/", "/interactions/", "sk-", "://", "Bot ", "Bearer ")
# What SQLAlchemy adds to a database's words: its statement, what people wrote in it, an address.
_ADDED = re.compile(r"\s+(?:\[SQL: |\(Background on this error at: )")
_LEVELS = logging.getLevelNamesMapping()
BUNDLE, BUNDLE_SECONDS = 32, 0.25  # lines, and how long the first of them waits
_SHORTEST = 8  # a configured secret that is shorter may be part of an honest word

# Said at every start of what is done on purpose: no intent (see bot.discord_bot), no voice.
_NOT_NEWS = ("intent seems to be disabled", "voice will NOT be supported")
# At DEBUG these write the addresses that they call and the events that they read, with the
# interaction tokens inside.
_TALKATIVE = ("discord.http", "discord.webhook", "discord.gateway", "aiohttp.access")


def configure(*, level: str, style: str, secrets: Collection[str] = ()) -> None:
    """Send everything, the libraries' lines included, through one chain to stderr.

    `style` is `console` or `json`. `secrets` are hidden wherever they stand; what only looks like
    a key or a token is hidden too.
    """
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            _plain_cause,
            _hand_over,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = _Bundle(_Formatter(shared, style=style, secrets=secrets))
    handler.setLevel(level)
    # No line names a thread or a process; finding out takes a sixth of its time.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("discord.state", "discord.client"):
        logging.getLogger(name).addFilter(_is_news)
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLevelName(level)))


def add_handler(handler: logging.Handler) -> None:
    """Also send the events to `handler`, as dictionaries in `record.msg`, at its own level."""
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(min(root.level, handler.level))


def remove_handler(handler: logging.Handler) -> None:
    """Send nothing to `handler` any more."""
    logging.getLogger().removeHandler(handler)


def _plain_cause(
    _logger: logging.Logger, _method: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Keep of an error what it says itself, on one line: alarms hand it on to people."""
    cause = event.get("cause")
    if isinstance(cause, str) and ("\n" in cause or "(Background" in cause):
        event["cause"] = " ".join(_ADDED.split(cause, maxsplit=1)[0].split())
    return event


def _hand_over(logger: logging.Logger, _method: str, event: structlog.types.EventDict) -> NoReturn:
    """Give an event to the handlers as it is, at the end of the chain.

    `logger.info` would do so too, and spend half the time of a line on where in the code it is.
    """
    level = _LEVELS[event["level"].upper()]
    logger.handle(logging.LogRecord(logger.name, level, "", 0, event, None, None))
    raise structlog.DropEvent


class _Bundle(logging.handlers.MemoryHandler):
    """Writes several lines at a time; at once from WARNING on, and where no event loop runs.

    A process that sleeps between two lines finds its caches cold for each: a line that is made
    alone costs twice what it costs behind another. The end of the process writes what waits; a
    process that is killed takes the last quarter of a second of its quiet lines with it.
    """

    def __init__(self, formatter: logging.Formatter) -> None:
        self._made = io.StringIO()
        self._lines = logging.StreamHandler(self._made)
        self._lines.setFormatter(formatter)
        super().__init__(capacity=BUNDLE, flushLevel=logging.WARNING)
        self._stream = sys.stderr

    def shouldFlush(self, record: logging.LogRecord) -> bool:  # noqa: N802 - logging's name
        """A library's line is made here, where its reply and its time are known."""
        return super().shouldFlush(record) or not isinstance(record.msg, dict)

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        if len(self.buffer) == 1:
            try:
                asyncio.get_running_loop().call_later(BUNDLE_SECONDS, self.flush)
            except RuntimeError:
                self.flush()

    def flush(self) -> None:
        self.acquire()
        try:
            waiting, self.buffer = self.buffer, []
            for record in waiting:
                # The one error that a stream's handler lets through: of a value without an end.
                with contextlib.suppress(RecursionError):
                    self._lines.handle(record)
            lines = self._made.getvalue()
            self._made.seek(0)
            self._made.truncate()
            # Whoever read them may be gone: no reason for the bot to stop.
            with contextlib.suppress(OSError, ValueError):
                self._stream.write(lines)
                self._stream.flush()
        finally:
            self.release()


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Renders a line, then hides: so nothing is missed, however deep in a value it stood."""

    def __init__(
        self,
        before: list[structlog.types.Processor],
        *,
        style: str,
        secrets: Collection[str],
    ) -> None:
        renderer: structlog.types.Processor = (
            structlog.processors.JSONRenderer()
            if style == "json"
            else structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        )
        # For the lines of libraries.
        super().__init__(
            foreign_pre_chain=before,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
        self._renderer = renderer
        # The longest first: one may be a part of another.
        self._secrets = sorted(
            (secret for secret in secrets if len(secret) >= _SHORTEST), key=len, reverse=True
        )

    def format(self, record: logging.LogRecord) -> str:
        line = self._ours(record.msg) if isinstance(record.msg, dict) else super().format(record)
        for secret in self._secrets:
            line = line.replace(secret, _HIDDEN)
        if "authorization" in line.lower() or any(sign in line for sign in _SIGNS):
            line = _SECRETS.sub(_hide, line)
        return line

    def _ours(self, event: structlog.types.EventDict) -> str:
        """An event of ours needs nothing added; other handlers get it too, hence the copy."""
        event = structlog.processors.format_exc_info(None, "", dict(event))
        return str(self._renderer(None, "", event))


def _hide(match: re.Match[str]) -> str:
    return f"{match[match.lastgroup or 0]}{_HIDDEN}"


def _is_news(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    return not any(words in text for words in _NOT_NEWS)
