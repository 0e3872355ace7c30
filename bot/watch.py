"""The operator's half of the composition root: figures, alarms, and the page that shows them.

It wires what looks on; it never gives the stages anything, and they work without it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from bot import events
from bot.admin.board import Board
from bot.admin.gallery import Find, Gallery
from bot.admin.guard import Guard
from bot.admin.server import AdminServer
from bot.alarms import Alarms, Send
from bot.archive import Archive
from bot.clock import Clock
from bot.hiapi.budget import Budget
from bot.ledger import files, verbs
from bot.ledger.ledger import Ledger
from bot.loops import Loop
from bot.messenger import Messenger
from bot.metrics import Metrics, free_bytes
from bot.model import Job
from bot.pulse import Pulse
from bot.senders import Channel, Webhook
from bot.settings import Settings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What looks on. `admin` is None where there is to be no page."""

    metrics: Metrics
    alarms: Alarms
    pulse: Pulse
    admin: AdminServer | None
    loops: tuple[Loop, ...]


@asynccontextmanager
async def opened(
    settings: Settings,
    clock: Clock,
    *,
    ledger: Ledger,
    budget: Budget,
    archive: Archive,
    messenger: Messenger,
    metrics: Metrics,
) -> AsyncIterator[Watch]:
    """Listen, and serve the page. Raises AdminError if its address cannot be listened on."""
    async with AsyncExitStack() as stack:
        database = files.sqlite_path(settings.database_url)
        if database is not None and stack.enter_context(files.shared(database)):
            cause = "another Easel works on it: stop one of them, unless this is an upgrade"
            log.warning("easel.not_alone", database=str(database), cause=cause)
        alarms = Alarms(
            ledger=ledger,
            clock=clock,
            senders=await _senders(stack, settings, messenger=messenger),
            # Unsigned ones are hints, of which nobody can say that they were missed.
            callbacks_expected=bool(settings.public_url and settings.hiapi_webhook_secret),
        )
        await alarms.load()
        pulse = Pulse(ledger=ledger, clock=clock)
        board = Board(
            ledger=ledger,
            clock=clock,
            budget=budget,
            alarms=alarms,
            caps=settings.allowances().bot,
            priced=bool(settings.prices.strip()),
            ready=lambda: messenger.ready,
        )
        gallery = Gallery(ledger=ledger, find=_finding(archive, ledger=ledger), clock=clock)
        admin = _admin(
            settings, clock, board=board, alarms=alarms, metrics=metrics, gallery=gallery
        )
        if admin is not None:
            await admin.start()
            stack.push_async_callback(admin.stop)
        stack.enter_context(events.heard(metrics.listen, alarms.listen))
        yield Watch(
            metrics=metrics,
            alarms=alarms,
            pulse=pulse,
            admin=admin,
            loops=(
                Loop("pulse", pulse.step, interval=2.0),
                Loop("alarms", alarms.step, interval=2.0),
                Loop("lag", metrics.nap, interval=1.0),
            ),
        )


async def _senders(
    stack: AsyncExitStack, settings: Settings, *, messenger: Messenger
) -> tuple[Send, ...]:
    senders: list[Send] = []
    if settings.alarm_webhook is not None:
        webhook = Webhook(settings.alarm_webhook.get_secret_value())
        senders.append((await stack.enter_async_context(webhook)).send)
    if settings.alarm_channel is not None:
        senders.append(Channel(settings.alarm_channel, messenger=messenger).send)
    return tuple(senders)


def _finding(archive: Archive, *, ledger: Ledger) -> Find:
    """Where a picture for the page comes from: wherever it still is."""

    async def find(job: Job) -> bytes | None:
        reply = await ledger.read(verbs.reply_of, job.reply_id)
        if reply is None:
            return None
        found = await archive.pictures(reply.evolve(jobs=(job,)))
        return found[0].data if found else None

    return find


def _folders(settings: Settings) -> dict[str, Path]:
    """Where files are written, by what they are."""
    database = files.sqlite_path(settings.database_url)
    folders = {"ledger": database.parent} if database is not None else {}
    return folders | ({"kept": settings.keep_folder} if settings.keep_originals_days else {})


def _admin(
    settings: Settings,
    clock: Clock,
    *,
    board: Board,
    alarms: Alarms,
    metrics: Metrics,
    gallery: Gallery,
) -> AdminServer | None:
    """The operator's listener, if there is to be one."""
    if settings.admin_port is None:
        return None

    folders = _folders(settings)

    async def scrape() -> bytes:
        free = await asyncio.to_thread(free_bytes, folders)
        return metrics.scrape(await board.now(), alarms=alarms.figures, free=free)

    password = settings.admin_password
    return AdminServer(
        host=settings.admin_host,
        port=settings.admin_port,
        guard=Guard(password=password.get_secret_value() if password else None, clock=clock),
        view=board.view,
        scrape=scrape,
        small=gallery.small,
    )
