"""Structured logs: one event per line, with the job or reply it belongs to.

It owns the format and the promise that no secret is written; it never decides what is worth a line.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

# Interaction tokens stand in the paths of webhook and callback addresses, keys in headers.
_SECRETS = re.compile(
    r"(?P<path>/(?:webhooks|interactions)/\d+/)[^\s/?\"']+|(?P<key>sk-)[A-Za-z0-9_-]+"
    r"|(?P<auth>(?:Bot|Bearer) )[^\s\"']+"
)


def _redact(match: re.Match[str]) -> str:
    kept = match["path"] or match["key"] or match["auth"]
    return f"{kept}[hidden]"


def _hide_secrets(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _SECRETS.sub(_redact, value)
    return event


def configure(*, level: str, style: str) -> None:
    """Send everything, the libraries' lines included, through one chain to stderr."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    last: list[structlog.types.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        _hide_secrets,
        renderer,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last)
    )
    handler.setLevel(level)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # discord.py warns at each start of what is done on purpose here (see bot.discord_bot).
    logging.getLogger("discord.state").addFilter(
        lambda record: "intent seems to be disabled" not in record.getMessage()
    )
    # At DEBUG these write the addresses that they call, with the interaction tokens inside.
    for name in ("discord.http", "discord.webhook", "discord.gateway", "aiohttp.access"):
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLevelName(level)))


def add_handler(handler: logging.Handler) -> None:
    """Also send the events to `handler`, as dictionaries in `record.msg`, at its own level."""
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(min(root.level, handler.level))
