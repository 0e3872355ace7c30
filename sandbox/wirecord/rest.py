"""Discord's REST routes: which there are, what each needs, and whom it asks.

Owns the table and the reading of its arguments; it never touches a socket.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from sandbox.wirecord import asking, gateway, interactions, messages, multipart, places, wire

CHANNEL_FILE_LIMIT = 10 * 1024 * 1024
MOST_COMMANDS = 130  # 100 chat commands, 15 on messages, 15 on people

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read: the path's arguments, the query, the body."""

    at: Mapping[str, str]
    query: str
    body: multipart.Body

    def number(self, name: str) -> int:
        """An id of the path; 404 for what is none."""
        text = self.at[name]
        if not text.isascii() or not text.isdigit():
            raise wire.malformed(
                name, f'Value "{text[:40]}" is not snowflake.', code="NUMBER_TYPE_COERCE"
            )
        return int(text)

    def asked(self, name: str) -> str | None:
        """An argument of the query."""
        return parse_qs(self.query).get(name, [None])[0]


Work = Callable[[Call], wire.Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """One route. `own`: needs the bot's token and counts towards its limit."""

    method: str
    template: str
    work: Work
    own: bool = True
    bucket: str = ""
    major: str = ""  # the path argument that splits the bucket

    @property
    def name(self) -> str:
        """How faults and counts name it."""
        return f"{self.method} {self.template}"


class Table:
    """Finds the route of a path in a few steps."""

    def __init__(self, routes: list[Route]) -> None:
        self._routes: dict[tuple[str, int, str], list[tuple[list[str], Route]]] = {}
        for route in routes:
            parts = route.template.split("/")[1:]
            self._routes.setdefault((route.method, len(parts), parts[0]), []).append((parts, route))

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route and its arguments; None if there is none."""
        given = path.split("/")[1:]
        for parts, route in self._routes.get((method, len(given), given[0]), ()):
            found = {
                part[1:-1]: value
                for part, value in zip(parts, given, strict=True)
                if part[0] == "{" and value
            }
            literal = all(
                part == value or part[0] == "{" for part, value in zip(parts, given, strict=True)
            )
            if literal and len(found) == sum(part[0] == "{" for part in parts):
                return route, found
        return None


class Rest:
    """The work behind every route."""

    def __init__(
        self,
        *,
        bot: Json,
        people: asking.People,
        asked: interactions.Interactions,
        store: messages.Messages,
        places_: places.Places,
        gateway_: gateway.Gateway,
        shards: int,
        changed: Callable[[], None],
    ) -> None:
        self._bot, self._people, self._asked, self._store = bot, people, asked, store
        self._places, self._gateway, self._shards, self._changed = (
            places_,
            gateway_,
            shards,
            changed,
        )
        self.table = Table(self._routes())

    def _routes(self) -> list[Route]:
        hook, token = (
            "/webhooks/{app}/{token}",
            {"own": False, "bucket": "webhook", "major": "token"},
        )
        room = "/channels/{channel}"
        commands = "/applications/{app}/commands"
        in_guild = "/applications/{app}/guilds/{guild}/commands"
        return [
            Route("GET", "/users/@me", lambda _: wire.answer(self._bot)),
            Route(
                "GET", "/users/{user}", lambda call: wire.answer(places.user(call.number("user")))
            ),
            Route("GET", "/oauth2/applications/@me", self._application),
            Route("GET", "/applications/@me", self._application),
            Route("GET", "/gateway", self._where, own=False),
            Route("GET", "/gateway/bot", self._where),
            Route("PUT", commands, self._sync),
            Route("PUT", in_guild, self._sync),
            Route("GET", commands, self._list),
            Route("GET", in_guild, self._list),
            Route("POST", "/interactions/{id}/{token}/callback", self._callback, own=False),
            Route("POST", hook, self._follow_up, **token),  # type: ignore[arg-type] # a mixed dict
            Route("GET", hook + "/messages/{message}", self._hook_get, **token),  # type: ignore[arg-type]
            Route("PATCH", hook + "/messages/{message}", self._hook_edit, **token),  # type: ignore[arg-type]
            Route("DELETE", hook + "/messages/{message}", self._hook_delete, **token),  # type: ignore[arg-type]
            Route("POST", "/users/@me/channels", self._open_direct),
            Route("GET", room, self._channel),
            Route("POST", room + "/typing", self._typing),
            Route("POST", room + "/messages", self._say, bucket="say", major="channel"),
            Route("GET", room + "/messages", self._history, bucket="look", major="channel"),
            Route("GET", room + "/messages/{message}", self._look, bucket="look", major="channel"),
            Route(
                "PATCH", room + "/messages/{message}", self._edit, bucket="edit", major="channel"
            ),
            Route(
                "DELETE",
                room + "/messages/{message}",
                self._delete,
                bucket="delete",
                major="channel",
            ),
        ]

    # --- the application --------------------------------------------------------------------------

    def _application(self, _: Call) -> wire.Answer:
        return wire.answer(
            {
                "id": self._bot["id"],
                "name": self._bot["username"],
                "description": "",
                "icon": None,
                "bot_public": True,
                "bot_require_code_grant": False,
                "owner": places.user(asking.USER),
                "verify_key": "0" * 64,
                "team": None,
                "flags": 0,
                "bot": self._bot,
                "integration_types_config": {"0": {}, "1": {}},
            }
        )

    def _where(self, _: Call) -> wire.Answer:
        limits = {
            "total": 1000,
            "remaining": max(0, 1000 - self._gateway.identifies),
            "reset_after": 86_400_000,
            "max_concurrency": 1,
        }
        told = {"url": self._gateway.url, "shards": self._shards, "session_start_limit": limits}
        return wire.answer(told)

    def _sync(self, call: Call) -> wire.Answer:
        listed = call.body.payload.get("")
        if not isinstance(listed, list) or len(listed) > MOST_COMMANDS:
            raise wire.malformed("commands", "Only lists are allowed.")
        guild = call.number("guild") if "guild" in call.at else None
        kept = []
        for command in listed:
            made = {"type": 1, "description": "", "default_member_permissions": None, **command}
            made |= {
                "id": str(places.steady(f"{guild}/{made['type']}/{made['name']}")),
                "application_id": self._bot["id"],
                "version": "1",
            }
            if guild is not None:
                made["guild_id"] = str(guild)
            kept.append(made)
        self._people.commands[guild] = kept
        self._changed()
        return wire.answer(kept)

    def _list(self, call: Call) -> wire.Answer:
        guild = call.number("guild") if "guild" in call.at else None
        return wire.answer(self._people.commands.get(guild, []))

    # --- interactions -----------------------------------------------------------------------------

    def _callback(self, call: Call) -> wire.Answer:
        told = self._asked.respond(call.number("id"), call.at["token"], call.body)
        if call.asked("with_response") in ("1", "true"):
            return wire.answer(told)
        return wire.NOTHING

    def _follow_up(self, call: Call) -> wire.Answer:
        app, token = call.number("app"), call.at["token"]
        return wire.answer(self._asked.follow_up(app, token, call.body))

    def _hook_get(self, call: Call) -> wire.Answer:
        app, token = call.number("app"), call.at["token"]
        return wire.answer(self._asked.read(app, token, call.at["message"]))

    def _hook_edit(self, call: Call) -> wire.Answer:
        app, token = call.number("app"), call.at["token"]
        return wire.answer(self._asked.edit(app, token, call.at["message"], call.body))

    def _hook_delete(self, call: Call) -> wire.Answer:
        self._asked.delete(call.number("app"), call.at["token"], call.at["message"])
        return wire.NOTHING

    # --- channels ---------------------------------------------------------------------------------

    def _open_direct(self, call: Call) -> wire.Answer:
        recipient = str(call.body.payload.get("recipient_id", ""))
        if not recipient.isdigit():
            raise wire.malformed("recipient_id", "This field is required")
        return wire.answer(self._places.open_direct(int(recipient)).view())

    def _channel(self, call: Call) -> wire.Answer:
        return wire.answer(self._places.reachable(call.number("channel")).view())

    def _typing(self, call: Call) -> wire.Answer:
        self._places.reachable(call.number("channel"), sending=True)
        return wire.NOTHING

    def _say(self, call: Call) -> wire.Answer:
        channel = self._places.reachable(call.number("channel"), sending=True)
        message = self._store.post(channel, call.body, limit=CHANNEL_FILE_LIMIT, how="channel")
        self._changed()
        return wire.answer(self._store.view(message))

    def _history(self, call: Call) -> wire.Answer:
        channel = self._places.reachable(call.number("channel"))
        # Without Read Message History this is no refusal (documentation, "Get Channel Messages").
        said = self._store.all(channel.id) if channel.history else []
        found = [m for m in said if not m.ephemeral]
        for name in ("before", "after", "around"):
            mark = int(call.asked(name) or 0)
            if mark and name != "around":
                found = [m for m in found if (m.id < mark if name == "before" else m.id > mark)]
        most = min(100, int(call.asked("limit") or 50))
        chosen = found[:most] if call.asked("after") else found[-most:]
        return wire.answer([self._store.view(message) for message in reversed(chosen)])

    def _look(self, call: Call) -> wire.Answer:
        message = self._public(call)
        if not message.channel.history:
            raise wire.RefusedError(403, code=50013, message="Missing Permissions")
        return wire.answer(self._store.view(message))

    def _edit(self, call: Call) -> wire.Answer:
        message = self._public(call)
        self._store.edit(message, call.body, limit=CHANNEL_FILE_LIMIT, how="channel")
        self._changed()
        return wire.answer(self._store.view(message))

    def _delete(self, call: Call) -> wire.Answer:
        self._store.delete(self._public(call))
        self._changed()
        return wire.NOTHING

    def _public(self, call: Call) -> messages.Message:
        channel = self._places.reachable(call.number("channel"))
        return self._store.public(channel.id, call.number("message"))
