"""Messages: what was said where, every edit of it, and the rules an edit keeps to.

Owns the store and the shape of a message object; it never knows tokens or who may edit.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from sandbox.wirecord import components, multipart, places, snowflakes, wire
from sandbox.wirecord.cdn import Attachment, Cdn
from sandbox.wirecord.watch import Watch

EPHEMERAL, LOADING, SUPPRESS_EMBEDS = 1 << 6, 1 << 7, 1 << 2
SETTABLE = components.V2_FLAG | SUPPRESS_EMBEDS
NONCE_SECONDS = 300.0
MOST_FILES, MOST_CONTENT, MOST_EMBEDS, MOST_EMBED_TEXT, MOST_NONCE = 10, 2000, 10, 6000, 25

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Edit:
    """One accepted writing. `at` is `time.monotonic()`; `how`: callback, original, token, channel.

    `payload` is what the bot sent, parsed; `files` what it uploaded with it.
    """

    at: float
    how: str
    payload: Json
    files: tuple[multipart.Upload, ...]


@dataclass(slots=True, eq=False)
class Message:
    """One message as it stands. `edits` begins with what created it (a spinner has no such one)."""

    id: int
    channel: places.Channel
    created: float
    content: str = ""
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    flags: int = 0
    nonce: str | None = None
    edited: float | None = None
    deleted: bool = False
    asked_by: Json | None = None  # the interaction's metadata; None for a plain message
    edits: deque[Edit] = field(default_factory=deque)
    written: int = 0  # how many edits there were, kept or not
    watches: list[Watch] = field(default_factory=list)

    @property
    def ephemeral(self) -> bool:
        return bool(self.flags & EPHEMERAL)

    @property
    def loading(self) -> bool:
        """Whether it is a spinner still."""
        return bool(self.flags & LOADING)

    @property
    def v2(self) -> bool:
        return bool(self.flags & components.V2_FLAG)

    @property
    def text(self) -> str:
        """Everything it says: content, or the text displays, a line each."""
        return "\n".join(filter(None, [self.content, *components.texts(self.components)]))

    @property
    def custom_ids(self) -> list[str]:
        """What can be pressed on it."""
        return components.custom_ids(self.components)

    def changed(self) -> None:
        """Tell everybody who waits for this message."""
        for watch in self.watches:
            watch.changed()


class Messages:
    """All messages, by id and by channel.

    `keep_bytes`: whether the CDN serves what the bot uploads. `keep_edits`: how many edits each
    message remembers (None: all).
    """

    def __init__(
        self,
        *,
        bot: Json,
        cdn: Cdn,
        clock: snowflakes.Clock,
        keep_bytes: bool,
        keep_edits: int | None,
    ) -> None:
        self._bot, self._cdn, self._clock = bot, cdn, clock
        self._keep_bytes, self._keep_edits = keep_bytes, keep_edits
        self._by_id: dict[int, Message] = {}
        self._by_channel: dict[int, dict[int, Message]] = {}
        self._nonces: dict[tuple[int, str], tuple[Message, float]] = {}

    # --- reading ----------------------------------------------------------------------------------

    def find(self, message_id: int) -> Message | None:
        """A message by id, deleted ones included."""
        return self._by_id.get(message_id)

    def all(self, channel_id: int) -> list[Message]:
        """Everything in a channel that was not deleted, private messages included, oldest first."""
        return [m for m in self._by_channel.get(channel_id, {}).values() if not m.deleted]

    def public(self, channel_id: int, message_id: int) -> Message:
        """What the channel's routes reach. Raises RefusedError for private and deleted ones."""
        message = self._by_channel.get(channel_id, {}).get(message_id)
        if message is None or message.deleted or message.ephemeral:
            raise wire.unknown_message()
        return message

    def view(self, message: Message) -> Json:
        """A message object; addresses in it are freshly signed."""
        files = {attachment.id: attachment for attachment in message.attachments}
        inlined = self._inlined(message)

        def media(attachment_id: int) -> Json | None:
            found = files.get(attachment_id)
            return self._cdn.media(found) if found else None

        shown: Json = {
            "id": str(message.id),
            "channel_id": str(message.channel.id),
            "type": 0,
            "author": self._bot,
            "content": message.content,
            "embeds": self._embeds(message),
            "attachments": [self._cdn.view(f) for f in message.attachments if f.id not in inlined],
            "components": components.render(message.components, media=media),
            "flags": message.flags,
            "mentions": [],
            "mention_roles": [],
            "mention_everyone": False,
            "pinned": False,
            "tts": False,
            "timestamp": snowflakes.iso(message.created),
            "edited_timestamp": snowflakes.iso(message.edited) if message.edited else None,
        }
        if message.nonce is not None:
            shown["nonce"] = message.nonce
        if message.asked_by is not None:
            shown |= {
                "type": 20 if message.asked_by["type"] == 2 else 0,  # noqa: PLR2004 (a command's answer)
                "webhook_id": self._bot["id"],
                "application_id": self._bot["id"],
                "interaction_metadata": message.asked_by,
            }
        return shown

    # --- writing ----------------------------------------------------------------------------------

    def spinner(self, channel: places.Channel, *, ephemeral: bool, asked_by: Json) -> Message:
        """The message that says the bot is thinking."""
        flags = LOADING | (EPHEMERAL if ephemeral else 0)
        return self._keep(self._blank(channel, flags=flags, asked_by=asked_by))

    def post(
        self,
        channel: places.Channel,
        body: multipart.Body,
        *,
        limit: int,
        how: str,
        ephemeral: bool = False,
        asked_by: Json | None = None,
    ) -> Message:
        """A new message, or the one that was posted with the same enforced nonce before."""
        payload = body.payload
        nonce = str(payload["nonce"]) if payload.get("nonce") is not None else None
        if nonce is not None and len(nonce) > MOST_NONCE:
            raise wire.malformed("nonce", f"Must be {MOST_NONCE} or fewer in length.")
        if nonce is not None and payload.get("enforce_nonce"):
            known = self._known(channel.id, nonce)
            if known is not None:
                return known
        message = self._blank(channel, flags=EPHEMERAL if ephemeral else 0, asked_by=asked_by)
        message.nonce = nonce
        self._write(message, body, limit=limit, how=how)
        if nonce is not None:
            self._nonces[channel.id, nonce] = message, self._clock()
        return self._keep(message)

    def edit(self, message: Message, body: multipart.Body, *, limit: int, how: str) -> None:
        """Write over a message; it is a spinner no longer. Raises RefusedError."""
        self._write(message, body, limit=limit, how=how)
        message.flags &= ~LOADING
        message.edited = self._clock()
        message.changed()

    def delete(self, message: Message) -> None:
        """Take it away; its files vanish too."""
        message.deleted = True
        self._drop_files(message.attachments)
        message.changed()

    def forget(self, message: Message) -> None:
        """Lose all memory of it, so that a long benchmark stays flat."""
        self._by_id.pop(message.id, None)
        self._by_channel.get(message.channel.id, {}).pop(message.id, None)
        self._drop_files(message.attachments)

    def _blank(self, channel: places.Channel, *, flags: int, asked_by: Json | None) -> Message:
        return Message(
            id=self._clock.mint(),
            channel=channel,
            created=self._clock(),
            flags=flags,
            asked_by=asked_by,
            edits=deque(maxlen=self._keep_edits),
        )

    def _keep(self, message: Message) -> Message:
        self._by_id[message.id] = message
        self._by_channel.setdefault(message.channel.id, {})[message.id] = message
        return message

    def _known(self, channel_id: int, nonce: str) -> Message | None:
        now = self._clock()
        if len(self._nonces) > 4096:  # noqa: PLR2004 (a bound on memory, not on behaviour)
            fresh = {k: v for k, v in self._nonces.items() if now - v[1] < NONCE_SECONDS}
            self._nonces = fresh
        message, at = self._nonces.get((channel_id, nonce), (None, 0.0))
        return message if now - at < NONCE_SECONDS else None

    def _write(self, message: Message, body: multipart.Body, *, limit: int, how: str) -> None:
        """Check everything, then change the message: a refused edit changes nothing."""
        payload = body.payload
        if any(upload.size > limit for upload in body.files):
            raise wire.too_large()
        if body.files and not message.channel.files:
            text = "File uploads have been limited for this guild. Please try again later."
            raise wire.RefusedError(403, code=400001, message=text)
        forbidden = message.channel.forbids
        if forbidden is not None and forbidden in str(payload):
            text = "Message was blocked by automatic moderation"
            raise wire.RefusedError(400, code=200000, message=text)
        flags = _flags(message, payload)
        v2 = bool(flags & components.V2_FLAG)
        content = str(payload["content"] or "") if "content" in payload else message.content
        embeds = list(payload["embeds"] or []) if "embeds" in payload else message.embeds
        _check_words(content, embeds, v2=v2)
        attachments, uploaded = self._attachments(message, body)

        def by_name(filename: str) -> Attachment | None:
            return next((file for file in attachments if file.filename == filename), None)

        parts = message.components
        if "components" in payload:
            parts = components.accept(payload["components"] or [], v2=v2, find_file=by_name)
        if not (content or embeds or parts or attachments):
            raise wire.RefusedError(400, code=50006, message="Cannot send an empty message")
        self._drop_files([file for file in message.attachments if file not in attachments])
        if self._keep_bytes:
            for attachment, upload in uploaded:
                self._cdn.store(attachment, upload.data)
        message.flags, message.content, message.embeds = flags, content, embeds
        message.components, message.attachments = parts, attachments
        message.edits.append(Edit(time.monotonic(), how, payload, body.files))
        message.written += 1

    def _attachments(
        self, message: Message, body: multipart.Body
    ) -> tuple[list[Attachment], list[tuple[Attachment, multipart.Upload]]]:
        """What the message carries afterwards (reference, "Editing Message Attachments")."""
        uploads = {upload.index: upload for upload in body.files}
        existing = {str(attachment.id): attachment for attachment in message.attachments}
        listed = body.payload.get("attachments")
        wanted = list(message.attachments) if listed is None else []
        uploaded: list[tuple[Attachment, multipart.Upload]] = []
        entries = listed if listed is not None else [{"id": index} for index in uploads]
        for number, entry in enumerate(entries):
            if str(entry.get("id")) in existing:
                wanted.append(existing[str(entry["id"])])
                continue
            upload = uploads.get(int(entry.get("id", -1)))
            if upload is None:
                raise wire.malformed(f"attachments.{number}.id", "Attachment data was not found.")
            made = self._cdn.describe(
                upload, channel_id=message.channel.id, ephemeral=message.ephemeral
            )
            made.description = entry.get("description")
            uploaded.append((made, upload))
            wanted.append(made)
        if len(wanted) > MOST_FILES:
            text = "Maximum number of attachments in a message reached (10)"
            raise wire.RefusedError(400, code=30015, message=text)
        return wanted, uploaded

    def _drop_files(self, attachments: list[Attachment]) -> None:
        for attachment in attachments:
            self._cdn.remove(attachment.id)

    def _inlined(self, message: Message) -> set[int]:
        """Files that show inside a component or an embed: they are not listed as attachments."""
        inlined = {
            int(media["attachment_id"])
            for component in components.walk(message.components)
            for media in components.media_of(component)
            if "attachment_id" in media
        }
        named = {url.removeprefix(components.PREFIX) for url in _embed_urls(message.embeds)}
        return inlined | {file.id for file in message.attachments if file.filename in named}

    def _embeds(self, message: Message) -> list[Json]:
        files = {file.filename: file for file in message.attachments}
        shown: list[Json] = []
        for embed in message.embeds:
            made = {"type": "rich", **embed}
            for place in ("image", "thumbnail"):
                url = str((embed.get(place) or {}).get("url", ""))
                found = files.get(url.removeprefix(components.PREFIX))
                if found is not None:
                    made[place] = self._cdn.media(found)
            shown.append(made)
        return shown


def _embed_urls(embeds: list[Json]) -> list[str]:
    parts = (embed.get(place) or {} for embed in embeds for place in ("image", "thumbnail"))
    return [str(part.get("url", "")) for part in parts]


def _flags(message: Message, payload: Json) -> int:
    if "flags" not in payload:
        return message.flags
    asked = int(payload["flags"] or 0)
    if message.v2 and not asked & components.V2_FLAG:
        raise wire.malformed("flags", "MessageFlags.IS_COMPONENTS_V2 cannot be removed")
    return (message.flags & ~SETTABLE) | (asked & SETTABLE)


def _check_words(content: str, embeds: list[Json], *, v2: bool) -> None:
    for name, value in (("content", content), ("embeds", embeds)):
        if v2 and value:
            text = f"The '{name}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
            raise wire.malformed(name, text)
    if len(content) > MOST_CONTENT:
        raise wire.malformed("content", f"Must be {MOST_CONTENT} or fewer in length.")
    if len(embeds) > MOST_EMBEDS:
        raise wire.malformed("embeds", f"Must be {MOST_EMBEDS} or fewer in length.")
    if sum(_length(embed) for embed in embeds) > MOST_EMBED_TEXT:
        raise wire.malformed("embeds", f"Embed size exceeds maximum size of {MOST_EMBED_TEXT}")


def _length(embed: Json) -> int:
    words = [embed.get("title"), embed.get("description")]
    words += [(embed.get("footer") or {}).get("text"), (embed.get("author") or {}).get("name")]
    for item in embed.get("fields") or []:
        words += [item.get("name"), item.get("value")]
    return sum(len(word or "") for word in words)
