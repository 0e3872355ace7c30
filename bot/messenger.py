"""Puts a card where it belongs in Discord: by the interaction's token, else by the bot's own.

It owns the routes, the retries of a broken connection and what each refusal means; it never
decides what a card says and never touches the ledger.

discord.py retries 429 and most 5xx itself, but not 503, a reset or a lost connection on Linux,
and it would upload empty files at a second attempt. So every attempt here builds view and files
anew, and edits, which may be repeated safely, are repeated.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import aiohttp
import discord
import structlog
from discord.http import MultipartParameters, handle_message_parameters
from discord.webhook.async_ import async_context

from bot import cards
from bot.clock import Clock
from bot.model import Target
from bot.render import Card

T = TypeVar("T")

log = structlog.get_logger(__name__)

ATTEMPTS = 4
FIRST_PAUSE = 0.5
SECONDS = 90.0  # for one upload, which discord.py itself would give five minutes

# Discord's codes (developer documentation, "Opcodes and status codes").
TOKEN_DEAD = {50027, 10015, 10062}
MESSAGE_GONE = {10008}
TOO_LARGE = {40005, 50045}
OBJECTIONABLE = {200000, 240000}
BAD_FORM = {50035}


class Result(StrEnum):
    """What became of an attempt to show a card."""

    SHOWN = "shown"
    TOO_LARGE = "too_large"  # make the files smaller and come again
    OBJECTIONABLE = "objectionable"  # AutoMod took offence at the words: leave them out
    GONE = "gone"  # the message was deleted: never post it again
    NOWHERE = "nowhere"  # no route is left
    LATER = "later"  # Discord is out of order: come again


@dataclass(frozen=True, slots=True)
class Shown:
    """The result, and the operator's words for it."""

    result: Result
    trouble: str = ""


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

    async def show(self, target: Target, card: Card, *, attempts: int = ATTEMPTS) -> Shown:
        """Edit the reply into this card by the first route that works."""
        return await self._scoped(self._show(target, card, attempts))

    async def knows(self, target: Target) -> bool | None:
        """Whether Discord has our answer to this interaction; None if the token tells nothing."""
        return await self._scoped(self._knows(target))

    async def _scoped(self, work: Coroutine[Any, Any, T]) -> T:
        # Every call into discord.py runs in the context that `bind` captured; see there.
        return await asyncio.create_task(work, context=self._scope.copy())

    async def _show(self, target: Target, card: Card, attempts: int) -> Shown:
        shown = Shown(Result.NOWHERE, "the token is dead and the bot may not edit here itself")
        if target.token_lives(self._clock()):
            shown = await self._attempts(lambda: self._by_token(target, card), attempts)
            if shown.result is not Result.NOWHERE:
                return shown
        # A private message can only be reached through its token.
        if target.present and not target.private and target.message_id is not None:
            return await self._attempts(lambda: self._by_bot(target, card), attempts)
        return shown

    async def _attempts(self, call: Callable[[], Awaitable[None]], attempts: int) -> Shown:
        pause = FIRST_PAUSE
        for attempt in range(1, attempts + 1):
            try:
                async with asyncio.timeout(SECONDS):
                    await call()
            except discord.DiscordServerError as error:
                trouble = f"Discord answered {error.status}"
            except discord.HTTPException as error:
                return judge(error)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                trouble = f"{type(error).__name__}: {error}"
            else:
                return Shown(Result.SHOWN)
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
                session=client.http._HTTPClient__session,  # type: ignore[attr-defined]  # noqa: SLF001
                proxy=client.http.proxy,
                proxy_auth=client.http.proxy_auth,
                payload=form.payload,
                multipart=form.multipart,
                files=form.files,
            )

    async def _by_bot(self, target: Target, card: Card) -> None:
        client = self._bound()
        with _form(card) as form:
            await client.http.edit_message(target.channel_id, target.message_id or 0, params=form)

    async def _knows(self, target: Target) -> bool | None:
        client = self._bound()
        try:
            async with asyncio.timeout(SECONDS):
                await async_context.get().get_original_interaction_response(
                    target.application_id,
                    target.token or "",
                    session=client.http._HTTPClient__session,  # type: ignore[attr-defined]  # noqa: SLF001
                    proxy=client.http.proxy,
                    proxy_auth=client.http.proxy_auth,
                )
        except discord.HTTPException as error:
            if error.code in (10015, 10062, 10008):
                return False
            return None
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
        return True

    def _bound(self) -> discord.Client:
        if self._client is None:
            raise RuntimeError("the messenger is used before the bot has logged in")
        return self._client


@contextmanager
def _form(card: Card) -> Iterator[MultipartParameters]:
    """The form of one attempt; its buffers are closed after it.

    discord.File.close() leaves the buffer in a reference cycle: without closing the buffer
    itself, every picture would live until the next full garbage collection.
    """
    files = cards.files(card)
    try:
        with handle_message_parameters(
            view=cards.CardView(card),
            attachments=files,
            allowed_mentions=discord.AllowedMentions.none(),
        ) as form:
            yield form
    finally:
        for file in files:
            file.fp.close()


def judge(error: discord.HTTPException) -> Shown:
    """What a refusal by Discord means for a reply (developer documentation, error codes)."""
    trouble = f"Discord answered {error.status} (code {error.code})"
    if error.code in MESSAGE_GONE:
        return Shown(Result.GONE, trouble)
    if error.status == 413 or error.code in TOO_LARGE:  # noqa: PLR2004
        return Shown(Result.TOO_LARGE, trouble)
    if error.code in OBJECTIONABLE:
        return Shown(Result.OBJECTIONABLE, trouble)
    if error.status in (429, 500, 502, 503, 504):
        return Shown(Result.LATER, trouble)
    return Shown(Result.NOWHERE, trouble)
