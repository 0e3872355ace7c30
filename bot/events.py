"""What the stages say in their log lines, heard by the parts of Easel that count and warn.

It owns the way from a line to its listeners; it never changes a line and never writes one. A
listener that fails is reported on stderr and disturbs nobody.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bot import logs

Line = Mapping[str, Any]
Listener = Callable[[str, Line], None]


class _Ear(logging.Handler):
    """Hands the structured lines on; the libraries' own lines are text and none of its business."""

    def __init__(self, listeners: tuple[Listener, ...]) -> None:
        super().__init__(level=logging.INFO)
        self._listeners = listeners

    def emit(self, record: logging.LogRecord) -> None:
        line = record.msg
        if not isinstance(line, dict):
            return
        event = str(line.get("event", ""))
        for listener in self._listeners:
            try:
                listener(event, line)
            # What a line may lack or hold otherwise; whoever wrote it is in the middle of a job.
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                self.handleError(record)


@contextmanager
def heard(*listeners: Listener) -> Iterator[None]:
    """Call each listener with every line from INFO on: its event, and its fields."""
    ear = _Ear(listeners)
    logs.add_handler(ear)
    try:
        yield
    finally:
        logs.remove_handler(ear)
