"""What a person asked, and how the bot answered: callbacks, and the token's routes after them.

Owns deadlines, tokens and the fate of each interaction; it never builds a person's event.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.wirecord import messages, multipart, places, wire
from sandbox.wirecord.messages import EPHEMERAL, Edit, Message
from sandbox.wirecord.snowflakes import Clock
from sandbox.wirecord.watch import Watch

ACK_SECONDS = 3.0
TOKEN_SECONDS = 900.0
FOLLOWUPS = 5  # of an app that only the person installed

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
SAY, DEFER, DEFER_UPDATE, UPDATE, CHOICES, FORM = 4, 5, 6, 7, 8, 9
# Which callbacks each kind of interaction takes (documentation, "Interaction Callback Type").
_TAKEN = {
    COMMAND: {SAY, DEFER, FORM},
    COMPONENT: {SAY, DEFER, DEFER_UPDATE, UPDATE, FORM},
    AUTOCOMPLETE: {CHOICES},
    MODAL: {SAY, DEFER, DEFER_UPDATE, UPDATE},
}
MOST_CHOICES = 25

Json = dict[str, Any]


@dataclass(slots=True, eq=False)
class Asked:
    """One interaction and all that came of it. `sent`, `acked`: `time.monotonic()`."""

    id: int
    token: str
    kind: int
    event: Json
    channel: places.Channel
    user_id: int
    created: float  # by Discord's clock
    file_limit: int
    hidden: bool  # every answer is made private, whatever the bot says
    alone: bool  # only the person installed the app
    source: Message | None = None  # the message whose component was pressed
    reached: int = 0  # gateway sessions that got it
    sent: float = 0.0
    acked: float | None = None
    answered: int = 0  # the callback's type
    message: Message | None = None
    followups: list[Message] = field(default_factory=list)
    form: Json | None = None
    choices: list[Json] | None = None
    refusals: list[tuple[str, int, int]] = field(default_factory=list)  # what, status, code
    watch: Watch = field(default_factory=Watch)

    @property
    def edits(self) -> list[Edit]:
        """Every writing of the answer, by token and by channel."""
        return list(self.message.edits) if self.message else []

    @property
    def ephemeral(self) -> bool:
        return self.message is not None and self.message.ephemeral

    @property
    def text(self) -> str:
        """What the answer says now."""
        return self.message.text if self.message else ""

    @property
    def ack_seconds(self) -> float:
        """From the event to the callback; raises ValueError while there is none."""
        if self.acked is None:
            raise ValueError("not acknowledged")
        return self.acked - self.sent

    async def until(self, met: Callable[[], bool], *, seconds: float = 10.0) -> Asked:
        """Wait until `met()`, looked at after each change; raises TimeoutError."""
        await self.watch.until(met, seconds=seconds)
        return self

    async def acknowledged(self, *, seconds: float = 5.0) -> Asked:
        """Wait for the callback."""
        return await self.until(lambda: self.acked is not None, seconds=seconds)

    async def shown(self, *, seconds: float = 10.0) -> Message:
        """Wait for an answer that is no spinner; the message."""
        await self.until(
            lambda: self.message is not None and not self.message.loading, seconds=seconds
        )
        return self._answer()

    async def pictured(self, *, seconds: float = 10.0) -> Message:
        """Wait for an answer that carries a file; the message."""
        await self.until(
            lambda: self.message is not None and bool(self.message.attachments), seconds=seconds
        )
        return self._answer()

    def _answer(self) -> Message:
        if self.message is None:
            raise LookupError("no message")
        return self.message


class Interactions:
    """All interactions, by id and by token."""

    def __init__(self, *, application_id: int, store: messages.Messages, clock: Clock) -> None:
        self._application_id, self._store, self._clock = application_id, store, clock
        self._by_id: dict[int, Asked] = {}
        self._by_token: dict[str, Asked] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def all(self) -> list[Asked]:
        """Every interaction that was not forgotten, oldest first."""
        return list(self._by_id.values())

    def add(self, asked: Asked) -> None:
        """From now on it may be answered."""
        self._by_id[asked.id] = asked
        self._by_token[asked.token] = asked

    def forget(self, asked: Asked) -> None:
        """Lose all memory of it and its messages."""
        self._by_id.pop(asked.id, None)
        self._by_token.pop(asked.token, None)
        for message in (asked.message, *asked.followups):
            if message is not None:
                self._store.forget(message)

    def by_token(self, token: str) -> Asked | None:
        """Whose token this is."""
        return self._by_token.get(token)

    # --- the callback -----------------------------------------------------------------------------

    def respond(self, interaction_id: int, token: str, body: multipart.Body) -> Json:
        """Take the callback; the body of `with_response`. Raises RefusedError."""
        asked = self._by_id.get(interaction_id)
        if asked is None or asked.token != token:
            raise wire.unknown_interaction()
        try:
            if asked.acked is not None:
                raise wire.already_acknowledged()
            if self._clock() - asked.created > ACK_SECONDS:
                raise wire.unknown_interaction()
            kind = int(body.payload.get("type", 0))
            if kind not in _TAKEN[asked.kind] or (
                kind in (DEFER_UPDATE, UPDATE) and not asked.source
            ):
                raise wire.malformed(
                    "type", f"Interaction callback type {kind} is not possible here"
                )
            data: Json = body.payload.get("data") or {}
            self._take(asked, kind, multipart.Body(data, body.files))
        except wire.RefusedError as refused:
            self._refused(asked, "callback", refused)
            raise
        asked.acked, asked.answered = time.monotonic(), kind
        asked.watch.changed()
        return self._response(asked)

    def _take(self, asked: Asked, kind: int, body: multipart.Body) -> None:
        data = body.payload
        private = asked.hidden or bool(int(data.get("flags") or 0) & EPHEMERAL)
        if kind == DEFER:
            if int(data.get("flags") or 0) & ~EPHEMERAL:
                raise wire.malformed(
                    "data.flags", "Only EPHEMERAL can be set on a deferred response"
                )
            self._link(
                asked, self._store.spinner(asked.channel, ephemeral=private, asked_by=_who(asked))
            )
        elif kind == SAY:
            self._link(asked, self._post(asked, body, how="callback", private=private))
        elif kind == UPDATE and asked.source is not None:
            self._store.edit(asked.source, body, limit=asked.file_limit, how="callback")
            self._link(asked, asked.source)
        elif kind == DEFER_UPDATE and asked.source is not None:
            self._link(asked, asked.source)
        elif kind == CHOICES:
            choices = data.get("choices") or []
            if len(choices) > MOST_CHOICES:
                raise wire.malformed("data.choices", f"Must be {MOST_CHOICES} or fewer in length.")
            asked.choices = choices
        elif kind == FORM:
            if not 1 <= len(data.get("components") or []) <= 5:  # noqa: PLR2004
                raise wire.malformed("data.components", "Must be between 1 and 5 in length.")
            asked.form = data

    def _response(self, asked: Asked) -> Json:
        told: Json = {"id": str(asked.id), "type": asked.kind}
        resource: Json = {"type": asked.answered}
        if asked.message is not None and asked.answered != CHOICES:
            told |= {
                "response_message_id": str(asked.message.id),
                "response_message_loading": asked.message.loading,
                "response_message_ephemeral": asked.message.ephemeral,
            }
            if asked.answered in (SAY, UPDATE):
                resource["message"] = self._store.view(asked.message)
        return {"interaction": told, "resource": resource}

    # --- the token's routes -----------------------------------------------------------------------

    def read(self, application_id: int, token: str, which: str) -> Json:
        """GET of one of the token's messages."""
        return self._store.view(self._message(self._alive(application_id, token), which))

    def edit(self, application_id: int, token: str, which: str, body: multipart.Body) -> Json:
        """PATCH of one of the token's messages."""
        asked = self._alive(application_id, token)
        try:
            message = self._message(asked, which)
            how = "original" if which == "@original" else "token"
            self._store.edit(message, body, limit=asked.file_limit, how=how)
        except wire.RefusedError as refused:
            self._refused(asked, "edit", refused)
            raise
        return self._store.view(message)

    def delete(self, application_id: int, token: str, which: str) -> None:
        """DELETE of one of the token's messages."""
        self._store.delete(self._message(self._alive(application_id, token), which))

    def follow_up(self, application_id: int, token: str, body: multipart.Body) -> Json:
        """POST to the token: a new message, or the spinner's end."""
        asked = self._alive(application_id, token)
        try:
            message = self._followed_up(asked, body)
        except wire.RefusedError as refused:
            self._refused(asked, "followup", refused)
            raise
        return self._store.view(message)

    def _followed_up(self, asked: Asked, body: multipart.Body) -> Message:
        if asked.message is not None and asked.message.loading and not asked.message.deleted:
            # Documented, deprecated, and still so: the first follow-up completes the spinner
            # and its own flag for being private counts for nothing.
            self._store.edit(asked.message, body, limit=asked.file_limit, how="followup")
            return asked.message
        if asked.alone and len(asked.followups) >= FOLLOWUPS:
            text = "Maximum number of follow up messages reached"
            raise wire.RefusedError(400, code=40094, message=text)
        private = asked.hidden or bool(int(body.payload.get("flags") or 0) & EPHEMERAL)
        message = self._post(asked, body, how="followup", private=private)
        asked.followups.append(message)
        message.watches.append(asked.watch)
        asked.watch.changed()
        return message

    def _alive(self, application_id: int, token: str) -> Asked:
        asked = self._by_token.get(token)
        if asked is None or application_id != self._application_id or asked.acked is None:
            raise wire.unknown_webhook()
        if self._clock() - asked.created >= TOKEN_SECONDS:
            refused = wire.expired_token()
            self._refused(asked, "token", refused)
            raise refused
        return asked

    def _message(self, asked: Asked, which: str) -> Message:
        message = asked.message
        if which != "@original" and (message is None or which != str(message.id)):
            message = next((m for m in asked.followups if which == str(m.id)), None)
        if message is None or message.deleted:
            raise wire.unknown_message()
        return message

    def _post(self, asked: Asked, body: multipart.Body, *, how: str, private: bool) -> Message:
        return self._store.post(
            asked.channel,
            body,
            limit=asked.file_limit,
            how=how,
            ephemeral=private,
            asked_by=_who(asked),
        )

    def _link(self, asked: Asked, message: Message) -> None:
        asked.message = message
        message.watches.append(asked.watch)

    def _refused(self, asked: Asked, what: str, refused: wire.RefusedError) -> None:
        asked.refusals.append((what, refused.status, refused.code))
        asked.watch.changed()


def _who(asked: Asked) -> Json:
    """The interaction's metadata on its messages."""
    return {
        "id": str(asked.id),
        "type": asked.kind,
        "user": places.user(asked.user_id),
        "authorizing_integration_owners": asked.event["authorizing_integration_owners"],
    }
