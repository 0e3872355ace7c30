"""The two ways in which an alarm reaches its operator: a webhook, and a channel in Discord.

It owns how a message travels; it never decides what is worth one. A sender answers whether the
message was taken and raises nothing: what is in its way is a line in the log.
"""

import hashlib
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import structlog

from bot.alarms import Note
from bot.messenger import Messenger, Result

log = structlog.get_logger(__name__)

SECONDS = 10.0
DISCORD = ("discord.com", "discordapp.com")


class Webhook:
    """Posts JSON to one address, as an async context manager."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._discord = (urlsplit(address).hostname or "").endswith(DISCORD)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=SECONDS),
            headers={"User-Agent": "easel"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, note: Note) -> bool:
        """Whether the address answered with a success."""
        return await self._post(self._body(note))

    async def say(self, text: str) -> bool:
        """The same for words that are no alarm."""
        return await self._post(self._words(text))

    async def _post(self, body: dict[str, Any]) -> bool:
        assert self._session is not None  # noqa: S101 - used between enter and exit alone
        try:
            async with self._session.post(
                self._address, json=body, allow_redirects=False
            ) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Only its type: what aiohttp raises may hold the address, which is a secret.
            log.warning("alarm.not_sent", by="webhook", cause=type(error).__name__)
            return False
        taken = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
        if not taken:
            log.warning("alarm.not_sent", by="webhook", cause=f"answered {status}")
        return taken

    def _body(self, note: Note) -> dict[str, Any]:
        """What Discord reads, and for anything else the parts by themselves too."""
        body = self._words(note.text)
        if not self._discord:
            body |= {
                "alarm": note.alarm,
                "subject": note.subject,
                "state": "active" if note.active else "over",
                "title": note.title,
                "cause": note.cause,
                "advice": note.advice,
                "since": note.since.isoformat(),
            }
        return body

    def _words(self, text: str) -> dict[str, Any]:
        body: dict[str, Any] = {"content": text, "allowed_mentions": {"parse": []}}
        return body if self._discord else body | {"text": text}


class Channel:
    """Posts as the bot itself, once it is logged in."""

    def __init__(self, channel_id: int, *, messenger: Messenger) -> None:
        self._channel_id = channel_id
        self._messenger = messenger

    async def send(self, note: Note) -> bool:
        """Whether Discord took the message; the same one twice within minutes appears once."""
        if not self._messenger.ready:
            return False
        told = f"{note.alarm} {note.subject} {note.active} {note.since}"
        nonce = hashlib.sha256(told.encode()).hexdigest()[:24]
        shown = await self._messenger.say(self._channel_id, note.text, nonce=nonce)
        if shown.result is not Result.SHOWN:
            log.warning("alarm.not_sent", by="channel", cause=shown.trouble)
        return shown.result is Result.SHOWN
