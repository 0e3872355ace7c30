"""What people do: commands, presses, forms, each as the event Discord makes of it.

Owns the shape of INTERACTION_CREATE; it never looks at what the bot answers.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from sandbox.wirecord import components, messages, places
from sandbox.wirecord.cdn import Cdn
from sandbox.wirecord.interactions import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL, Asked
from sandbox.wirecord.messages import Message
from sandbox.wirecord.snowflakes import Clock

FILE_LIMIT = 20 * 1024 * 1024  # since September 2026
USER, GUILD, CHANNEL = ((300_000_000_000 + n) << 22 for n in (300, 400, 500))
SUBCOMMAND, STRING, INTEGER, BOOLEAN, ATTACHMENT, NUMBER = 1, 3, 4, 5, 11, 10
FILE_UPLOAD = 19
PRIVATE_CHANNEL = 2
# Who lacks one of these in a server that did not add the app gets every answer privately
# (documentation, "Installation Context" and "Permissions").
OUTSIDE = places.SEND_MESSAGES | places.USE_EXTERNAL_APPS
SINGLE = frozenset({4, 21, 23})  # components of a form with one value: text, radio, checkbox

Json = dict[str, Any]
File = tuple[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Who asks, where, and under which circumstances.

    `guild=None` is a direct message with the bot, or (context 2) somebody else's conversation:
    with `other`, or a group's.
    `owners`: who installed the app here, {"0": guild, "1": user}; by default the guild alone. A
    press and a form belong to whoever their message belongs to, whoever presses.
    `permissions`: the person's; without those to send messages or to use external apps every
    answer of an app that only they installed is made private. `hidden`: it is, whatever the cause.
    `app_permissions`: by default what Discord documents for the place.
    `age`: how many seconds ago it happened (a late or replayed event).
    """

    user: int = USER
    guild: int | None = GUILD
    channel: int | None = None
    locale: str = "en-US"
    guild_locale: str = "en-US"
    owners: Mapping[str, int] | None = None
    attachment_size_limit: int = FILE_LIMIT
    app_permissions: int | None = None
    permissions: int = places.ALL_PERMISSIONS
    context: int | None = None
    other: int | None = None
    hidden: bool = False
    age: float = 0.0


class Circumstances(TypedDict, total=False):
    """A setting's fields as keywords."""

    user: int
    guild: int | None
    channel: int | None
    locale: str
    guild_locale: str
    owners: Mapping[str, int] | None
    attachment_size_limit: int
    app_permissions: int | None
    permissions: int
    context: int | None
    other: int | None
    hidden: bool
    age: float


class People:
    """Makes interactions out of what people do; `commands` are the bot's own, as it synced them."""

    def __init__(
        self,
        *,
        application_id: int,
        places_: places.Places,
        store: messages.Messages,
        cdn: Cdn,
        clock: Clock,
    ) -> None:
        self.commands: dict[int | None, list[Json]] = {}
        self._application_id, self._places, self._store = application_id, places_, store
        self._cdn, self._clock = cdn, clock

    def command(
        self,
        name: str,
        options: Mapping[str, object],
        *,
        setting: Setting,
        attachments: Sequence[File] = (),
        focused: str | None = None,
    ) -> Asked:
        """A slash command ("group sub" for a subcommand); `focused` makes it an autocomplete."""
        channel = self._channel(setting)
        root, *path = name.split()
        known = self._known(root, setting.guild)
        described = _described(known, path)
        values = dict(options)
        free = [
            o["name"]
            for o in described.values()
            if o["type"] == ATTACHMENT and o["name"] not in values
        ]
        if len(attachments) > len(free):
            raise LookupError(f"/{name} takes {len(free)} more files, not {len(attachments)}")
        values |= dict(zip(free, attachments, strict=False))
        resolved: Json = {}
        given = [
            self._option(key, value, described=described, resolved=resolved, channel=channel)
            for key, value in values.items()
        ]
        for option in given:
            if option["name"] == focused:
                option["focused"] = True
        for part in reversed(path):
            given = [{"name": part, "type": SUBCOMMAND, "options": given}]
        for level in _groups(given, len(path)):
            level["type"] = 2
        data = _command_data(root, known, kind=1) | {"options": given}
        if resolved:
            data["resolved"] = {"attachments": resolved}
        kind = COMMAND if focused is None else AUTOCOMPLETE
        return self._asked(kind, data, setting=setting, channel=channel)

    def menu(self, name: str, target: Message | int, *, setting: Setting) -> Asked:
        """A context menu's entry, on a message or (by id) on a person."""
        known = self._known(name, setting.guild)
        resolved: Json
        if isinstance(target, Message):
            kind, target_id = 3, target.id
            resolved = {"messages": {str(target_id): self._store.view(target)}}
        else:
            kind, target_id = 2, target
            resolved = {"users": {str(target): places.user(target)}}
        data = _command_data(name, known, kind=kind)
        data |= {"target_id": str(target_id), "resolved": resolved}
        return self._asked(COMMAND, data, setting=setting, channel=self._channel(setting))

    def click(
        self, message: Message, custom_id: str, *, values: Sequence[str], setting: Setting
    ) -> Asked:
        """A press of a button, or a choice of a select's `values`. Raises LookupError."""
        if message.deleted:
            raise LookupError("the message is deleted")
        component = components.find(message.components, custom_id)
        data: Json = {"custom_id": custom_id, "component_type": component["type"]}
        data["id"] = component["id"]
        if component["type"] in components.SELECTS:
            data["values"] = list(values)
        asked = self._asked(
            COMPONENT, data, setting=setting, channel=message.channel, source=message
        )
        asked.event["message"] = self._store.view(message)
        return asked

    def submit(self, opened: Asked, values: Mapping[str, object], *, setting: Setting) -> Asked:
        """A form that `opened` brought up, sent with these values by custom_id."""
        if opened.form is None:
            raise LookupError("there is no form to submit")
        resolved: Json = {}
        parts = [
            self._filled(part, values, resolved=resolved, channel=opened.channel)
            for part in opened.form["components"]
        ]
        data: Json = {"custom_id": opened.form["custom_id"], "components": parts}
        data["resolved"] = {"attachments": resolved} if resolved else {}
        asked = self._asked(
            MODAL, data, setting=setting, channel=opened.channel, source=opened.source
        )
        if opened.source is not None:
            asked.event["message"] = self._store.view(opened.source)
        return asked

    # --- parts ------------------------------------------------------------------------------------

    def _channel(self, setting: Setting) -> places.Channel:
        if setting.guild is not None:
            present = setting.owners is None or "0" in setting.owners
            channel_id = CHANNEL if setting.channel is None else setting.channel
            return self._places.server_channel(channel_id, guild_id=setting.guild, present=present)
        if setting.context == PRIVATE_CHANNEL:
            default = CHANNEL + 1 if setting.other is None else CHANNEL + 2
            return self._places.private(setting.channel or default, other=setting.other)
        return self._places.direct(setting.user)

    def _known(self, name: str, guild: int | None) -> Json:
        for scope in (guild, None):
            for command in self.commands.get(scope, []):
                if command["name"] == name:
                    return command
        return {}

    def _option(
        self,
        name: str,
        value: object,
        *,
        described: Mapping[str, Json],
        resolved: Json,
        channel: places.Channel,
    ) -> Json:
        if isinstance(value, tuple):
            value = self._hand_in(value, resolved, channel)
            return {"name": name, "type": ATTACHMENT, "value": value}
        kind = described.get(name, {}).get("type") or _guess(value)
        return {"name": name, "type": kind, "value": value}

    def _hand_in(self, file: File, resolved: Json, channel: places.Channel) -> str:
        attachment = self._cdn.give(file[0], file[1], channel_id=channel.id)
        resolved[str(attachment.id)] = self._cdn.view(attachment)
        return str(attachment.id)

    def _filled(
        self, part: Json, values: Mapping[str, Any], *, resolved: Json, channel: places.Channel
    ) -> Json:
        """A component of a form as it comes back."""
        back: Json = {"type": part["type"], "id": part.get("id", 0)}
        if "component" in part:
            inner = self._filled(part["component"], values, resolved=resolved, channel=channel)
            return back | {"component": inner}
        if "components" in part:
            inner_parts = part["components"]
            return back | {
                "components": [
                    self._filled(p, values, resolved=resolved, channel=channel) for p in inner_parts
                ]
            }
        if "custom_id" not in part:
            return back
        back["custom_id"] = part["custom_id"]
        value = values.get(part["custom_id"])
        if part["type"] == FILE_UPLOAD:
            back["values"] = [self._hand_in(file, resolved, channel) for file in value or ()]
        elif part["type"] in SINGLE:
            back["value"] = part.get("value", "") if value is None and part["type"] == 4 else value  # noqa: PLR2004
        else:
            back["values"] = list(value or ())
        return back

    def _asked(
        self,
        kind: int,
        data: Json,
        *,
        setting: Setting,
        channel: places.Channel,
        source: Message | None = None,
    ) -> Asked:
        guild = channel.guild_id
        owners = setting.owners or _owners(channel, source, setting.user)
        alone = "0" not in owners
        lacking = guild is not None and setting.permissions & OUTSIDE != OUTSIDE
        if alone or guild is not None:
            self._places.saw(setting.user, shared=not alone)
        may = setting.app_permissions
        if may is None:
            may = _app_permissions(channel, alone=alone)
        made = Asked(
            id=self._clock.mint(age=setting.age),
            token=secrets.token_urlsafe(96),
            kind=kind,
            event={},
            channel=channel,
            user_id=setting.user,
            created=self._clock() - setting.age,
            file_limit=setting.attachment_size_limit,
            hidden=setting.hidden or (alone and lacking),
            alone=alone,
            source=source,
        )
        context = {"guild": 0, "dm": 1, "private": 2}[channel.kind]
        event: Json = {
            "id": str(made.id),
            "application_id": str(self._application_id),
            "type": kind,
            "token": made.token,
            "version": 1,
            "data": data,
            "channel": channel.view(),
            "channel_id": str(channel.id),
            "locale": setting.locale,
            "app_permissions": str(may),
            "attachment_size_limit": setting.attachment_size_limit,
            "authorizing_integration_owners": {key: str(value) for key, value in owners.items()},
            "context": context if setting.context is None else setting.context,
            "entitlements": [],
            "entitlement_sku_ids": [],
        }
        if guild is None:
            event["user"] = places.user(setting.user)
        else:
            event["member"] = places.member(setting.user, permissions=setting.permissions)
            event["guild_id"] = str(guild)
            event["guild_locale"] = setting.guild_locale
            event["guild"] = {"id": str(guild), "locale": setting.guild_locale, "features": []}
        made.event.update(event)
        return made


def _owners(channel: places.Channel, source: Message | None, user: int) -> Mapping[str, int]:
    """Who authorized it: what a message came from decides for its components."""
    if source is not None and source.asked_by is not None:
        kept: Mapping[str, str] = source.asked_by["authorizing_integration_owners"]
        return {key: int(value) for key, value in kept.items()}
    return {"1": user} if channel.kind == "private" else {"0": channel.guild_id or 0}


def _app_permissions(channel: places.Channel, *, alone: bool) -> int:
    """What the app may do there."""
    if channel.kind == "dm":
        return places.GUEST | places.USE_EXTERNAL_EMOJIS
    if alone:
        return places.GUEST
    return places.ALL_PERMISSIONS


def _command_data(name: str, known: Json, *, kind: int) -> Json:
    data: Json = {"id": known.get("id") or str(places.steady(name)), "name": name, "type": kind}
    if known.get("guild_id"):
        data["guild_id"] = known["guild_id"]
    return data


def _described(known: Json, path: Sequence[str]) -> dict[str, Json]:
    """The options of a command or of one of its subcommands, by name."""
    options = known.get("options") or []
    for part in path:
        options = next((o.get("options") or [] for o in options if o["name"] == part), [])
    return {option["name"]: option for option in options}


def _groups(given: list[Json], depth: int) -> Iterator[Json]:
    """The outer levels of a nested command: those above its last name are groups."""
    for _ in range(depth - 1):
        yield given[0]
        given = given[0]["options"]


def _guess(value: object) -> int:
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, int):
        return INTEGER
    return NUMBER if isinstance(value, float) else STRING
