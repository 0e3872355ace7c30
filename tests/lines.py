"""The log as a running bot has it, for tests of what hears its lines; afterwards it is as before.

It owns the setting up and the taking down; it never looks at a line.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from bot import logs


@contextmanager
def configured(*, level: str = "CRITICAL") -> Iterator[None]:
    """Log as `run` does, at this level."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    logs.configure(level=level, style="json")
    # A logger that remembered this set-up would keep it beyond this test.
    structlog.configure(cache_logger_on_first_use=False)
    try:
        yield
    finally:
        root.handlers, root.level = before
        structlog.reset_defaults()
