"""Puts cards into Discord: edits by token or by the bot, posts in channels and direct messages.

It owns the routes, the retries of a broken connection and what each refusal means; it never
decides which route to take, what a card says, and never touches the ledger.

discord.py retries 429 and most 5xx itself, but not 503, a reset or a lost connection on Linux,
and it would upload empty files at a second attempt. So every attempt here builds view and files
anew. Edits may be repeated safely and are. A post is tried once: for how long its nonce keeps a
second one from showing is the caller's business.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, Literal, TypeVar

import aiohttp
import discord
import structlog
from discord.http import MultipartParameters, handle_message_parameters
from discord.webhook.async_ import async_context

from bot import cards
from bot.attachments import Media, media_of
from bot.clock import Clock
from bot.model import Target
from bot.render import Card

T = TypeVar("T")
Call = Callable[[], Awaitable[int | None]]  # gives the id of a new message

log = structlog.get_logger(__name__)

ATTEMPTS = 4
FIRST_PAUSE = 0.5
SECONDS = 90.0  # for one upload, which discord.py itself would give five minutes
READ_SECONDS = 20.0  # for one download

# One of ours is looked for among the messages written since it may have been sent.
LOOK_AHEAD = 100  # messages to a page, the most that Discord gives
LOOK_PAGES = 10


class Result(StrEnum):
    """What became of an attempt to show a card."""

    SHOWN = "shown"
    TOO_LARGE = "too_large"  # make the files smaller and come again
    NO_FILES = "no_files"  # Discord takes none there: link instead
    OBJECTIONABLE = "objectionable"  # AutoMod took offence: leave out what is not needed
    REFUSED = "refused"  # Discord finds the card ill-formed: send a simpler one
    GONE = "gone"  # the message was deleted: never post it again
    NOWHERE = "nowhere"  # no route is left
    NOTED = "noted"  # the note with its Show button stands, and nothing else is to come
    LATER = "later"  # Discord is out of order: come again


# What Discord's codes mean for a reply (developer documentation, "Opcodes and status codes"), and
# what the status does where the code says nothing.
CODES = {
    10008: Result.GONE,
    40005: Result.TOO_LARGE,
    50035: Result.REFUSED,
    50045: Result.TOO_LARGE,
    200000: Result.OBJECTIONABLE,
    240000: Result.OBJECTIONABLE,
    400001: Result.NO_FILES,
}
STATUSES = {413: Result.TOO_LARGE} | dict.fromkeys((429, 500, 502, 503, 504), Result.LATER)


@dataclass(frozen=True, slots=True)
class Shown:
    """The result, and the operator's words for it."""

    result: Result
    trouble: str = ""
    message_id: int | None = None  # of a new message


@dataclass(frozen=True, slots=True)
class Spinner:
    """An acknowledgement that Discord took: its message, and whether only one person sees it."""

    message_id: int
    private: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """A message of ours that holds `marker` and was sent between these times, if at all.

    `besides` is an older one that stands there and may hold it too. `direct`: these are direct
    messages, which can always be read.
    """

    channel_id: int
    marker: str
    since: datetime
    until: datetime
    besides: int | None
    direct: bool


class Messenger:
    """Talks to Discord for the stages. `bind` hands it the bot once that is logged in."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._client: discord.Client | None = None
        self._scope = contextvars.Context()

    def bind(self, client: discord.Client) -> None:
        """Use this client, in the context of the caller (which a simulated Discord relies on)."""
        self._client = client
        self._scope = contextvars.copy_context()

    @property
    def ready(self) -> bool:
        return self._client is not None

    async def edit(self, target: Target, card: Card, *, attempts: int = ATTEMPTS) -> Shown:
        """Turn the reply into this card: by its token while that lives, else as the bot."""
        by_token, by_bot = (
            partial(self._by_token, target, card),
            partial(self._by_bot, target, card),
        )
        return await self._scoped(self._reach(target, by_token, by_bot, attempts))

    async def post(self, channel_id: int, card: Card, *, nonce: str) -> Shown:
        """Send the card as a new message of the bot, once."""
        return await self._scoped(self._attempts(lambda: self._post(channel_id, card, nonce), 1))

    async def say(self, channel_id: int, text: str, *, nonce: str) -> Shown:
        """Send plain text as a new message of the bot, once; nobody is mentioned by it."""
        return await self._scoped(self._attempts(lambda: self._say(channel_id, text, nonce), 1))

    async def direct_channel(self, user_id: int) -> int | Shown:
        """The channel of direct messages with a person, or why there is none."""
        return await self._scoped(self._direct_channel(user_id))

    async def find(self, sought: Sought) -> bool | Shown:
        """Whether a message of ours was sent, or why that cannot be told."""
        return await self._scoped(self._find(sought))

    async def delete(self, target: Target) -> None:
        """Remove the reply's message if that is possible; what is in the way is only logged."""
        await self._scoped(self._delete(target))

    async def stands(self, target: Target) -> bool | None:
        """Whether the reply's message is still there; None where the bot may not look."""
        return await self._scoped(self._stands(target))

    async def spinner(self, target: Target) -> Spinner | Literal[False] | None:
        """Our acknowledgement of this interaction if Discord took it and nothing came after it.

        Nothing but the card of a request that waits, that is. False if there is none: a refusal
        or an excuse is an answer too, but nobody waits for more after one. None if the token
        tells nothing.
        """
        return await self._scoped(self._spinner(target))

    async def media(self, channel_id: int, message_id: int) -> tuple[Media, ...] | None:
        """The files and pictures of a message with fresh addresses; None where we may not look.

        A private message is never found. Those that a gallery shows are not listed as attachments.
        """
        return await self._scoped(self._media(channel_id, message_id))

    async def read(self, url: str) -> bytes | None:
        """The bytes behind an address that Discord gave us, or None if it gives none any more."""
        return await self._scoped(self._read(url))

    async def _scoped(self, work: Coroutine[Any, Any, T]) -> T:
        # Every call into discord.py runs in the context that `bind` captured; see there.
        return await asyncio.create_task(work, context=self._scope.copy())

    async def _reach(
        self, target: Target, by_token: Call, by_bot: Call, attempts: int = ATTEMPTS
    ) -> Shown:
        shown = Shown(Result.NOWHERE, "the token is dead and the bot may do nothing here itself")
        if target.token_lives(self._clock()):
            shown = await self._attempts(by_token, attempts)
            if shown.result is not Result.NOWHERE:
                return shown
        # A private message can only be reached through its token.
        if target.present and not target.private and target.message_id is not None:
            return await self._attempts(by_bot, attempts)
        return shown

    async def _attempts(self, call: Call, attempts: int) -> Shown:
        pause = FIRST_PAUSE
        for attempt in range(1, attempts + 1):
            try:
                async with asyncio.timeout(SECONDS):
                    message_id = await call()
            except discord.DiscordServerError as error:
                trouble = f"Discord answered {error.status}"
            except discord.HTTPException as error:
                return judge(error)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                trouble = _cause(error)
            else:
                return Shown(Result.SHOWN, message_id=message_id)
            log.warning("messenger.attempt_failed", attempt=attempt, cause=trouble)
            if attempt < attempts:
                await asyncio.sleep(pause)
                pause *= 2
        return Shown(Result.LATER, trouble)

    async def _by_token(self, target: Target, card: Card) -> None:
        client = self._bound()
        with _form(card) as form:
            # What Interaction.edit_original_response does, with nothing but id and token in hand.
            await async_context.get().edit_original_interaction_response(
                target.application_id,
                target.token or "",
                **_connection(client),
                payload=form.payload,
                multipart=form.multipart,
                files=form.files,
            )

    async def _by_bot(self, target: Target, card: Card) -> None:
        client = self._bound()
        with _form(card) as form:
            await client.http.edit_message(target.channel_id, target.message_id or 0, params=form)

    async def _post(self, channel_id: int, card: Card, nonce: str) -> int:
        client = self._bound()
        with _form(card, nonce=nonce) as form:
            sent = await client.http.send_message(channel_id, params=form)
            return int(sent["id"])

    async def _say(self, channel_id: int, text: str, nonce: str) -> int:
        with handle_message_parameters(
            content=text, nonce=nonce, allowed_mentions=discord.AllowedMentions.none()
        ) as form:
            sent = await self._bound().http.send_message(channel_id, params=form)
            return int(sent["id"])

    async def _direct_channel(self, user_id: int) -> int | Shown:
        client = self._bound()
        found: list[int] = []

        async def opening() -> None:
            found.append(int((await client.http.start_private_message(user_id))["id"]))

        shown = await self._attempts(opening, ATTEMPTS)
        return found[0] if found else shown

    async def _find(self, sought: Sought) -> bool | Shown:
        told: list[bool | Shown] = []

        async def looking() -> None:
            told.append(await self._look(sought))

        shown = await self._attempts(looking, ATTEMPTS)
        return told[0] if told else shown

    async def _look(self, sought: Sought) -> bool | Shown:
        http = self._bound().http
        after, last = map(discord.utils.time_snowflake, (sought.since, sought.until))
        readable = sought.direct
        for _ in range(LOOK_PAGES):
            found = await http.logs_from(sought.channel_id, LOOK_AHEAD, after=after)
            if any(self._is(each, sought) for each in found):
                return True
            if not found and not readable:
                # So does a channel answer where the bot lacks Read Message History.
                await http.get_message(sought.channel_id, sought.besides or 0)
            after, readable = max((int(each["id"]) for each in found), default=after), True
            if len(found) < LOOK_AHEAD or after > last:
                return False
        return Shown(Result.NOWHERE, "more was written there than is read")

    def _is(self, message: Mapping[str, Any], sought: Sought) -> bool:
        own = int(message["author"]["id"]) == self._own_id()
        new = int(message["id"]) != sought.besides
        return own and new and sought.marker in str(message.get("components"))

    async def _delete(self, target: Target) -> None:
        client = self._bound()
        shown = await self._reach(
            target,
            lambda: async_context.get().delete_original_interaction_response(
                target.application_id,
                target.token or "",
                **_connection(client),
            ),
            lambda: client.http.delete_message(target.channel_id, target.message_id or 0),
        )
        if shown.result not in (Result.SHOWN, Result.GONE):
            log.warning("messenger.not_deleted", cause=shown.trouble)

    async def _stands(self, target: Target) -> bool | None:
        if target.message_id is None or not target.present:
            return None
        try:
            await self._bound().http.get_message(target.channel_id, target.message_id)
        except discord.HTTPException as error:
            # A channel that is gone took its messages along.
            return False if error.status == 404 else None  # noqa: PLR2004
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
        return True

    async def _spinner(self, target: Target) -> Spinner | Literal[False] | None:
        client = self._bound()
        try:
            async with asyncio.timeout(SECONDS):
                answer = await async_context.get().get_original_interaction_response(
                    target.application_id,
                    target.token or "",
                    **_connection(client),
                )
        except discord.HTTPException as error:
            if error.code in (10015, 10062, 10008):
                return False
            return None
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
        flags = discord.MessageFlags._from_value(int(answer.get("flags") or 0))  # noqa: SLF001
        waits = flags.loading or flags.components_v2
        return waits and Spinner(int(answer["id"]), private=flags.ephemeral)

    async def _media(self, channel_id: int, message_id: int) -> tuple[Media, ...] | None:
        client = self._bound()
        try:
            async with asyncio.timeout(SECONDS):
                message = await client.http.get_message(channel_id, message_id)
        except (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.info("messenger.cannot_look", cause=str(error))
            return None
        return media_of(message)

    async def _read(self, url: str) -> bytes | None:
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await self._bound().http.get_from_cdn(url)
        except (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None

    def _own_id(self) -> int:
        user = self._bound().user
        return user.id if user is not None else 0

    def _bound(self) -> discord.Client:
        if self._client is None:
            raise RuntimeError("the messenger is used before the bot has logged in")
        return self._client


def _connection(client: discord.Client) -> dict[str, Any]:
    """How discord.py's own client connects: its session with its limits and its end, its proxy."""
    session = client.http._HTTPClient__session  # type: ignore[attr-defined]  # noqa: SLF001
    return {"session": session, "proxy": client.http.proxy, "proxy_auth": client.http.proxy_auth}


def _cause(error: Exception) -> str:
    """Why there was no answer that can be read. The address holds the token: it is left out."""
    told = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return f"{type(error).__name__}: {told}"


@contextmanager
def _form(card: Card, *, nonce: str | None = None) -> Iterator[MultipartParameters]:
    """The form of one attempt; its buffers are closed after it.

    discord.File.close() leaves the buffer in a reference cycle: without closing the buffer
    itself, every picture would live until the next full garbage collection.
    """
    files = cards.files(card)
    try:
        with handle_message_parameters(
            view=cards.CardView(card),
            allowed_mentions=discord.AllowedMentions.none(),
            # An edit lists what stays attached; a new message has only uploads. A nonce makes
            # Discord return the earlier message instead of posting a second one.
            **({"attachments": files} if nonce is None else {"files": files, "nonce": nonce}),
        ) as form:
            yield form
    finally:
        for file in files:
            file.fp.close()


def judge(error: discord.HTTPException) -> Shown:
    """What a refusal by Discord means for a reply."""
    meant = CODES.get(error.code) or STATUSES.get(error.status, Result.NOWHERE)
    trouble = f"Discord answered {error.status} (code {error.code})"
    if meant is Result.REFUSED:
        trouble += f": {error.text[:500]}"
    return Shown(meant, trouble)
