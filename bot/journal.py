"""The log channel: what moderators of a server want to see pass by, posted behind all else.

It owns the queue in memory, the bundling and when posting to a channel ends; it never holds up a
stage, which only writes its log line (`bot.events`), and it never posts anything private. What
waits here is lost with the process; reports stand in the ledger before.

    line                                  entry
    reply.delivered                       a public picture, or a prompt that the service refused
    report.received                       a report; outside servers, to the operator's channel
    house.changed                         which rules somebody set
    member.blocked, member.unblocked      who, by whom, until when
"""

import asyncio
import hashlib
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot import entries
from bot.clock import Clock
from bot.entries import Line as Entry
from bot.events import Line
from bot.houses import Houses
from bot.ledger import reports, servers, verbs
from bot.ledger.ledger import Ledger, LedgerError
from bot.messenger import Messenger, Result

log = structlog.get_logger(__name__)

OPERATOR = 0  # whoever runs the bot, where no server's moderators can be told
WAITING = 100  # entries of one server; further pictures are only counted
SERVERS = 1_000
AT_ONCE = 8  # servers that are written to at the same time
MESSAGE = 1_900  # characters; a message in Discord ends at 2,000
# Between two messages to one channel: what happens meanwhile is one message.
PAUSE = timedelta(seconds=5)
# After Discord was out of order; its nonce is remembered for a few minutes.
RETRY, TRIES = timedelta(seconds=20), 4
# For how long a channel that Discord refused is left alone, unless somebody sets it again.
REST = timedelta(hours=1)

# Which lines are listened for, and what is kept of each until it is posted: ids, no text.
HEARD = {
    "reply.delivered": ("server", "reply"),
    "report.received": ("server", "reply", "user"),
    "house.changed": ("server", "user", "rules"),
    "member.blocked": ("server", "user", "by"),
    "member.unblocked": ("server", "user", "by"),
}


@dataclass(frozen=True, slots=True)
class _Message:
    """Words on their way: the same nonce goes with each try."""

    text: str
    quiet: str
    nonce: str


@dataclass(slots=True)
class _Desk:
    """What waits for one server."""

    lines: deque[tuple[str, Line]] = field(default_factory=deque)
    left_out: int = 0
    message: _Message | None = None
    tries: int = 0
    due_at: datetime | None = None


class Journal:
    """Hears what happens and writes it into log channels, one `step()` a message each."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        houses: Houses,
        messenger: Messenger,
        clock: Clock,
        operator_channel: int | None,
    ) -> None:
        self._ledger = ledger
        self._houses = houses
        self._messenger = messenger
        self._clock = clock
        self._operator_channel = operator_channel
        self._desks: dict[int, _Desk] = {}
        self._stopped: dict[int, tuple[int, datetime]] = {}  # the channel, and since when

    def listen(self, event: str, line: Line) -> None:
        """Take in what a log line says; see `bot.events`."""
        if event not in HEARD:
            return
        if event == "house.changed" and "log_channel" in line["rules"]:
            # Whoever sets it may have mended it.
            self._stopped.pop(line["server"], None)
        server = line.get("server")
        if server is None and event != "report.received":
            return
        self._put(server or OPERATOR, event, {name: line[name] for name in HEARD[event]})

    def stopped(self, server: int, channel_id: int | None) -> bool:
        """Whether Discord lets the bot write no more to this log channel, as far as was tried."""
        if server not in self._stopped:
            return False
        channel, since = self._stopped[server]
        return channel == channel_id and self._clock() - since < REST

    async def step(self) -> int:
        """Write at most one message to each of some servers. Returns how many were written."""
        if not self._messenger.ready:
            return 0
        now = self._clock()
        due = [
            server
            for server, desk in self._desks.items()
            if desk.due_at is None or desk.due_at <= now
        ]
        written = await asyncio.gather(*(self._serve(server) for server in due[:AT_ONCE]))
        return sum(written)

    def _put(self, server: int, event: str, line: Line) -> None:
        desk = self._desks.get(server)
        if desk is None:
            if len(self._desks) >= SERVERS:
                return
            desk = self._desks[server] = _Desk()
        if len(desk.lines) >= WAITING:
            picture = next((each for each in desk.lines if each[0] == "reply.delivered"), None)
            desk.left_out += 1
            if event == "reply.delivered" or picture is None:
                return
            desk.lines.remove(picture)
        desk.lines.append((event, line))

    async def _serve(self, server: int) -> int:
        """Write what fits into one message; 0 where nothing was or can be written."""
        desk = self._desks[server]
        try:
            channel, language = await self._where(server)
            if channel is None or self.stopped(server, channel):
                del self._desks[server]
                return 0
            if desk.message is None:
                desk.message = await self._bundled(desk, server, language)
        except (SQLAlchemyError, LedgerError) as error:
            log.warning("journal.not_read", server=server, cause=str(error))
            desk.due_at = self._clock() + RETRY
            return 0
        if desk.message is None:
            if not desk.lines:
                del self._desks[server]
            return 0
        return await self._post(server, desk, channel)

    async def _where(self, server: int) -> tuple[int | None, str]:
        if server == OPERATOR:
            return self._operator_channel, "en-US"
        house = await self._houses.of(server)
        return house.log_channel, house.log_language or "en-US"

    async def _post(self, server: int, desk: _Desk, channel: int) -> int:
        assert desk.message is not None  # noqa: S101 - the caller has just bundled it
        message = desk.message
        shown = await self._messenger.say(channel, message.text, nonce=message.nonce)
        if shown.result is Result.OBJECTIONABLE and message.quiet != message.text:
            shown = await self._messenger.say(channel, message.quiet, nonce=f"{message.nonce}q")
        now = self._clock()
        if shown.result is Result.LATER and desk.tries < TRIES - 1:
            desk.tries += 1
            desk.due_at = now + RETRY
            return 0
        desk.message, desk.tries, desk.due_at = None, 0, now + PAUSE
        if shown.result in (Result.NOWHERE, Result.GONE):
            # Never asked again by itself: Discord locks out who insists.
            self._stopped[server] = (channel, now)
            del self._desks[server]
            log.warning("journal.stopped", server=server, channel=channel, cause=shown.trouble)
            return 0
        if shown.result is not Result.SHOWN:
            log.error("journal.not_written", server=server, cause=shown.trouble)
            return 0
        return 1

    async def _bundled(self, desk: _Desk, server: int, language: str) -> _Message | None:
        """As many of the waiting entries as one message holds, oldest first."""
        texts: list[str] = []
        quiet: list[str] = []
        taken: list[tuple[str, Line]] = []
        while desk.lines:
            event, line = desk.lines[0]
            try:
                entry = await self._entry(event, line, language)
            except (SQLAlchemyError, LedgerError):
                desk.lines.extendleft(reversed(taken))
                raise
            if entry is not None and len("\n".join([*texts, entry.text])) > MESSAGE:
                break
            # Nobody but this takes from the left; a full desk gives up pictures meanwhile.
            if desk.lines and desk.lines[0] == (event, line):
                taken.append(desk.lines.popleft())
            if entry is not None:
                texts.append(entry.text)
                quiet.append(entry.quiet)
        if desk.left_out and not desk.lines:
            more = entries.left_out(desk.left_out, language=language)
            desk.left_out = 0
            texts.append(more.text)
            quiet.append(more.quiet)
        if not texts:
            return None
        text = "\n".join(texts)
        told = f"{server} {self._clock().timestamp()} {text}"
        nonce = hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:24]
        return _Message(text, "\n".join(quiet), nonce)

    async def _entry(self, event: str, line: Line, language: str) -> Entry | None:
        """The words of one line, with what the ledger knows of it now."""
        match event:
            case "reply.delivered":
                reply = await self._ledger.read(verbs.reply_of, line["reply"])
                return None if reply is None else entries.made(reply, language=language)
            case "report.received":
                return await self._reported(line["reply"], line["user"], language=language)
            case "house.changed":
                return entries.changed(line["user"], line["rules"], language=language)
            case "member.unblocked":
                return entries.unblocked(line["user"], by=line["by"], language=language)
        return await self._blocked(line["server"], line["user"], by=line["by"], language=language)

    async def _reported(self, reply_id: str, user_id: int, *, language: str) -> Entry | None:
        report = await self._ledger.read(reports.report_of, reply_id, user_id=user_id)
        if report is None:  # its person was erased meanwhile
            return None
        if report.guild_id is None:
            return entries.to_operator(report)
        reply = await self._ledger.read(verbs.reply_of, reply_id)
        return entries.reported(report, reply, language=language)

    async def _blocked(self, server: int, user_id: int, *, by: int, language: str) -> Entry | None:
        found = await self._ledger.read(servers.all_blocks, guild_id=server, now=self._clock())
        block = next((each for each in found if each.user_id == user_id), None)
        if block is None:  # lifted again
            return None
        return entries.blocked(
            user_id, by=by, until=block.until, reason=block.reason, language=language
        )
