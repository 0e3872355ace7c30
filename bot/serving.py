"""The public listener, wired: a part of the composition root.

It owns what the listener is handed to answer with; it never answers anything itself.
"""

import asyncio

from sqlalchemy.exc import SQLAlchemyError

from bot.archive import Archive
from bot.callbacks import Callbacks
from bot.clock import Clock
from bot.ledger import verbs
from bot.ledger.ledger import Ledger, LedgerError
from bot.messenger import Messenger
from bot.settings import Settings
from bot.tracker import Tracker
from bot.web import WebServer

PROBE = "commands"  # any fact: whether the ledger answers


def wired(
    settings: Settings,
    clock: Clock,
    *,
    ledger: Ledger,
    messenger: Messenger,
    tracker: Tracker,
    archive: Archive,
) -> WebServer:
    """The public listener, with what it needs to answer."""

    async def check() -> str | None:
        if not messenger.ready:
            return "the bot is not logged in to Discord yet"
        try:
            async with asyncio.timeout(2):
                await ledger.run(verbs.fact, PROBE)
        except (TimeoutError, SQLAlchemyError, LedgerError):
            return "the ledger does not answer"
        # That answer needed no room. The database's own words may name its address: not here.
        return "the ledger cannot be written" if ledger.trouble else None

    secret = settings.hiapi_webhook_secret
    callbacks = Callbacks(
        secret=secret.get_secret_value() if secret else None,
        clock=clock,
        told=tracker.told,
        hinted=tracker.hinted,
    )
    return WebServer(
        host=settings.web_host,
        port=settings.web_port,
        check=check,
        callback=callbacks.receive,
        kept=archive.opened,
        key=settings.discord_token.get_secret_value(),
    )
