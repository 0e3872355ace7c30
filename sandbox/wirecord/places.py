"""Where things are said: servers' channels, direct messages, and what the bot may do there.

Owns the channels by id and the people's objects; it never holds a message.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.wirecord import wire
from sandbox.wirecord.snowflakes import Clock

Kind = Literal["guild", "dm", "private"]

GUILD_TEXT, DM, GROUP = 0, 1, 3
ALL_PERMISSIONS = (1 << 53) - 1
SEND_MESSAGES, EMBED_LINKS, ATTACH_FILES = 1 << 11, 1 << 14, 1 << 15
MENTION_EVERYONE, USE_EXTERNAL_EMOJIS, USE_EXTERNAL_APPS = 1 << 17, 1 << 18, 1 << 50
# What an app may do where it is a guest (documentation, "Interaction Object", app_permissions).
GUEST = ATTACH_FILES | EMBED_LINKS | MENTION_EVERYONE

CANNOT_DM = "Cannot send messages to this user"
NO_MUTUAL = "Cannot send messages to this user due to having no mutual guilds"
DM_REFUSALS = {50007: CANNOT_DM, 50278: NO_MUTUAL}


@dataclass(slots=True, eq=False)
class Channel:
    """A place. `kind`: a server's channel, the bot's own DM, or somebody else's conversation."""

    id: int
    kind: Kind
    guild_id: int | None = None
    recipient: int | None = None  # of a DM; a "private" one without is a group
    present: bool = True  # whether the bot itself is there
    history: bool = True  # whether the bot may read what was said there
    files: bool = True  # whether Discord takes any for this server
    forbids: str | None = None  # what AutoMod lets into no message here

    def view(self) -> dict[str, Any]:
        """The channel object of an interaction or of the channel's route."""
        if self.kind == "guild":
            return {
                "id": str(self.id),
                "type": GUILD_TEXT,
                "name": f"channel-{self.id}",
                "guild_id": str(self.guild_id),
                "position": 0,
                "permissions": str(ALL_PERMISSIONS),
                "permission_overwrites": [],
                "parent_id": None,
                "topic": None,
                "nsfw": False,
                "rate_limit_per_user": 0,
                "last_message_id": None,
                "flags": 0,
            }
        people = [user(self.recipient)] if self.recipient is not None else []
        shown: dict[str, Any] = {"id": str(self.id), "recipients": people, "flags": 0}
        if self.kind == "private" and self.recipient is None:
            return shown | {"type": GROUP, "name": None, "icon": None, "owner_id": None}
        return shown | {"type": DM, "last_message_id": None}


@dataclass(slots=True)
class Places:
    """All channels that were ever named, and who takes no direct messages.

    Nobody does who installed the app for themselves and shares no server with it.
    """

    clock: Clock
    _channels: dict[int, Channel] = field(default_factory=dict)
    _direct: dict[int, Channel] = field(default_factory=dict)
    _refusing: dict[int, tuple[int, str]] = field(default_factory=dict)
    _guests_of: set[int] = field(default_factory=set)  # people seen where the bot is not
    _met: set[int] = field(default_factory=set)  # people seen in servers with the bot

    def server_channel(self, channel_id: int, *, guild_id: int, present: bool) -> Channel:
        """A server's channel; `present`: whether the bot is a member there."""
        channel = self._channels.get(channel_id)
        if channel is None:
            channel = self._channels[channel_id] = Channel(channel_id, "guild", guild_id)
        channel.present = present
        return channel

    def private(self, channel_id: int, *, other: int | None = None) -> Channel:
        """A conversation the bot has no part in: with this other person, or of a group."""
        fresh = Channel(channel_id, "private", recipient=other, present=False)
        return self._channels.setdefault(channel_id, fresh)

    def direct(self, user_id: int) -> Channel:
        """The bot's direct messages with a person."""
        channel = self._direct.get(user_id)
        if channel is None:
            channel = Channel(self.clock.mint(), "dm", recipient=user_id)
            self._direct[user_id] = self._channels[channel.id] = channel
        return channel

    def saw(self, user_id: int, *, shared: bool) -> None:
        """Somebody used the app: in a server that has it, or where only a person brought it."""
        (self._met if shared else self._guests_of).add(user_id)

    def refuse_direct(self, user_id: int, *, code: int, at: str) -> None:
        """Let this person take no direct messages: refused at "open" or at "send"."""
        self._refusing[user_id] = code, at

    def open_direct(self, user_id: int) -> Channel:
        """What the bot's request for a DM channel gives. Raises RefusedError."""
        self._object(user_id, "open")
        return self.direct(user_id)

    def reachable(self, channel_id: int, *, sending: bool = False) -> Channel:
        """The channel, if the bot may act there. Raises RefusedError."""
        channel = self._channels.get(channel_id)
        if channel is None:
            raise wire.RefusedError(404, code=10003, message="Unknown Channel")
        if not channel.present:
            raise wire.RefusedError(403, code=50001, message="Missing Access")
        if sending and channel.recipient is not None:
            self._object(channel.recipient, "send")
        return channel

    def _object(self, user_id: int, occasion: str) -> None:
        stranger = user_id in self._guests_of - self._met
        code, at = self._refusing.get(user_id, (50278, "send") if stranger else (0, ""))
        if at == occasion:
            raise wire.RefusedError(403, code=code, message=DM_REFUSALS.get(code, "Forbidden"))


def user(user_id: int, *, name: str = "", bot: bool = False) -> dict[str, Any]:
    """A user object."""
    return {
        "id": str(user_id),
        "username": name or f"person{user_id % 100_000}",
        "global_name": None if bot else name or f"Person {user_id % 100_000}",
        "discriminator": "0",
        "avatar": None,
        "bot": bot,
        "public_flags": 0,
    }


def member(user_id: int, *, permissions: int = ALL_PERMISSIONS) -> dict[str, Any]:
    """A member object, with all permissions or these."""
    return {
        "user": user(user_id),
        "nick": None,
        "avatar": None,
        "roles": [],
        "joined_at": "2025-01-01T00:00:00+00:00",
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "pending": False,
        "flags": 0,
        "communication_disabled_until": None,
        "permissions": str(permissions),
    }


def steady(name: str) -> int:
    """An id for a name, the same in every run."""
    return (700_000 << 40) | zlib.crc32(name.encode())
