"""The gateway: websockets, sessions and shards, events with numbers, and their replay.

Owns who is connected and what each session has missed; it never knows what an event means.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import struct
import time
import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from sandbox.wirecord import wire
from sandbox.wirecord.watch import Watch

RECONNECT, INVALID, HELLO, ACK = 7, 9, 10, 11
UNKNOWN_OPCODE, NOT_AUTHENTICATED, BAD_TOKEN, BAD_SHARD = 4001, 4003, 4004, 4010
REMEMBERED = 1000  # events a session may miss
RESUMABLE_SECONDS = 120.0  # real ones, after which a lost session is let go
LINGER = struct.pack("ii", 1, 0)

Json = dict[str, Any]


@dataclass(slots=True, eq=False)
class Session:
    """One shard of one process, across its connections. `missed` is what a resume replays."""

    id: str
    shard: int
    count: int
    intents: int
    wire: Connection | None
    number: int = 0
    resumes: int = 0
    lost: float | None = None  # time.monotonic() of the line's end
    remembered: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def emit(self, event: str, data: str) -> None:
        """Send an event, or keep it until the session resumes."""
        self.number += 1
        text = f'{{"t":"{event}","s":{self.number},"op":0,"d":{data}}}'
        self.remembered.append((self.number, text))
        if self.wire is not None:
            self.wire.post(text)

    def replay(self, after: int) -> bool:
        """Send again what came after that number; False if it is too long ago."""
        if self.remembered and after < self.remembered[0][0] - 1:
            return False
        for number, text in self.remembered:
            if number > after and self.wire is not None:
                self.wire.post(text)
        return True


class Connection:
    """One websocket; it compresses as the client asked (`zlib-stream`), or not at all."""

    def __init__(self, socket_: web.WebSocketResponse, request: web.BaseRequest) -> None:
        self.socket, self._transport = socket_, request.transport
        stream = request.query.get("compress") == "zlib-stream"
        self._deflate = zlib.compressobj(level=1) if stream else None
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._writer = asyncio.create_task(self._write())

    def post(self, text: str) -> None:
        """Send it in its turn."""
        self._queue.put_nowait(text)

    def post_op(self, op: int, data: object = None) -> None:
        """Send anything but an event."""
        self.post(wire.dumps({"t": None, "s": None, "op": op, "d": data}))

    def cut(self) -> None:
        """Break the line without a word."""
        if self._transport is not None:
            raw = self._transport.get_extra_info("socket")
            if raw is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
            self._transport.abort()

    def stop(self) -> None:
        """Write no more."""
        self._writer.cancel()

    async def _write(self) -> None:
        while True:
            text = await self._queue.get()
            try:
                if self._deflate is None:
                    await self.socket.send_str(text)
                else:
                    packed = self._deflate.compress(text.encode())
                    await self.socket.send_bytes(packed + self._deflate.flush(zlib.Z_SYNC_FLUSH))
            except ConnectionError:
                return


class Gateway:
    """All sessions. `url` is set once the server knows its port."""

    def __init__(
        self,
        *,
        token: str,
        bot: Json,
        heartbeat_seconds: float,
    ) -> None:
        self.url = ""
        self.sessions: dict[str, Session] = {}
        self.watch = Watch()
        self.identifies = 0
        self.heartbeats = 0
        self.deaf = False  # heartbeats get no answer while this is set
        self._token, self._bot, self._beat = token, bot, heartbeat_seconds
        self._connections: set[Connection] = set()

    # --- by hand ----------------------------------------------------------------------------------

    @property
    def connected(self) -> list[Session]:
        """Sessions with an open line."""
        return [session for session in self.sessions.values() if session.wire is not None]

    async def ready(self, *, shards: int = 1, seconds: float = 10.0) -> None:
        """Wait until so many sessions are connected."""
        await self.watch.until(lambda: len(self.connected) >= shards, seconds=seconds)

    async def gone(self, *, seconds: float = 10.0) -> None:
        """Wait until nobody is connected."""
        await self.watch.until(lambda: not self.connected, seconds=seconds)

    def cut(self, *, shard: int | None = None) -> None:
        """Break lines without a close frame: the client resumes and gets what it missed."""
        for session in self._chosen(shard):
            if session.wire is not None:
                session.wire.cut()
                session.wire, session.lost = None, time.monotonic()
        self.watch.changed()

    def reconnect(self, *, shard: int | None = None) -> None:
        """Ask clients to come back (op 7): they resume."""
        for session in self._chosen(shard):
            if session.wire is not None:
                session.wire.post_op(RECONNECT)

    def invalidate(self, *, resumable: bool = False, shard: int | None = None) -> None:
        """Declare sessions invalid (op 9); without `resumable` they are forgotten."""
        for session in self._chosen(shard):
            if session.wire is not None:
                session.wire.post_op(INVALID, resumable)
            if not resumable:
                self.sessions.pop(session.id, None)

    async def close(self, code: int, *, shard: int | None = None) -> None:
        """Close lines with a code of Discord's (4000: resume, 4004: fatal, ...)."""
        for session in self._chosen(shard):
            line, session.wire, session.lost = session.wire, None, time.monotonic()
            if line is not None:
                await line.socket.close(code=code)

    def dispatch(self, event: str, data: Json, *, guild_id: int | None) -> int:
        """Give an event to every session of the right shard; how many those were."""
        text = wire.dumps(data)
        reached = 0
        self._let_go()
        for session in self.sessions.values():
            if ((guild_id or 0) >> 22) % session.count == session.shard:
                session.emit(event, text)
                reached += 1
        return reached

    def _let_go(self) -> None:
        """Forget sessions that can be resumed no more."""
        latest = time.monotonic() - RESUMABLE_SECONDS
        for session in self._chosen(None):
            if session.lost is not None and session.lost < latest:
                del self.sessions[session.id]

    def _chosen(self, shard: int | None) -> list[Session]:
        return [s for s in self.sessions.values() if shard is None or s.shard == shard]

    # --- a connection -----------------------------------------------------------------------------

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One websocket from HELLO to its end."""
        line = web.WebSocketResponse(compress=False, autoping=True, max_msg_size=0)
        await line.prepare(request)
        connection = Connection(line, request)
        self._connections.add(connection)
        session: Session | None = None
        connection.post_op(HELLO, {"heartbeat_interval": int(self._beat * 1000), "_trace": []})
        try:
            async for message in line:
                if message.type is not WSMsgType.TEXT:
                    continue
                code = 0
                frame = json.loads(message.data)
                match frame.get("op"):
                    case 1:
                        self.heartbeats += 1
                        if not self.deaf:
                            connection.post_op(ACK)
                    case 2:
                        session, code = self._identify(connection, frame["d"])
                    case 6:
                        session, code = self._resume(connection, frame["d"])
                    case 3 | 4 | 8:
                        code = 0 if session else NOT_AUTHENTICATED
                    case _:
                        code = UNKNOWN_OPCODE
                if code:
                    await line.close(code=code)
        finally:
            connection.stop()
            self._connections.discard(connection)
            self._lost(session, connection, code=line.close_code)
        return line

    def _identify(self, connection: Connection, data: Json) -> tuple[Session | None, int]:
        if data.get("token") != self._token:
            return None, BAD_TOKEN
        shard, count = data.get("shard") or (0, 1)
        if not 0 <= shard < count:
            return None, BAD_SHARD
        self.identifies += 1
        session = Session(
            secrets.token_hex(16), shard, count, int(data.get("intents", 0)), connection
        )
        self.sessions[session.id] = session
        ready = {
            "v": 10,
            "user": self._bot,
            "guilds": [],
            "private_channels": [],
            "session_id": session.id,
            "resume_gateway_url": self.url,
            "shard": [shard, count],
            "application": {"id": self._bot["id"], "flags": 0},
            "_trace": [],
        }
        session.emit("READY", wire.dumps(ready))
        self.watch.changed()
        return session, 0

    def _resume(self, connection: Connection, data: Json) -> tuple[Session | None, int]:
        if data.get("token") != self._token:
            return None, BAD_TOKEN
        session = self.sessions.get(str(data.get("session_id")))
        if session is None:
            connection.post_op(INVALID, data=False)
            return None, 0
        if session.wire is not None:
            session.wire.cut()  # the old line is dead, whether or not we noticed
        session.wire, session.lost = connection, None
        if not session.replay(int(data.get("seq") or 0)):
            session.wire = None
            self.sessions.pop(session.id)
            connection.post_op(INVALID, data=False)
            return None, 0
        session.resumes += 1
        session.emit("RESUMED", '{"_trace":[]}')
        self.watch.changed()
        return session, 0

    def _lost(self, session: Session | None, connection: Connection, *, code: int | None) -> None:
        if session is None or session.wire is not connection:
            return
        session.wire, session.lost = None, time.monotonic()
        if code in (WSCloseCode.OK, WSCloseCode.GOING_AWAY):
            # The client said goodbye: the session is over, nothing is kept for it.
            self.sessions.pop(session.id, None)
        self.watch.changed()

    async def stop(self) -> None:
        """Break every line."""
        for connection in list(self._connections):
            connection.cut()
        await asyncio.sleep(0)
