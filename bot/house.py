"""A server's own rules: what its moderators set, and what follows for one request.

It owns the fields, their defaults and their checks; it never reads or keeps them, which
`bot.ledger.servers` does.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, Self

from bot import words
from bot.allowance import Allowances, Caps
from bot.catalog import Complaint
from bot.i18n import N_
from bot.model import Kind

WORDS_LIMIT = 200


class Hands(StrEnum):
    """Who may press the buttons on somebody else's public card."""

    EVERYONE = "everyone"
    OWNER = "owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The rules of one server. Empty sets and None mean that nothing is set."""

    channels: frozenset[int] = frozenset()  # where the bot may be used; empty: everywhere
    roles: frozenset[int] = frozenset()  # who may use it; empty: everybody
    caps: str = ""  # of the whole server, as `Caps.parse` reads them
    member_caps: str = ""
    role_caps: tuple[tuple[int, str], ...] = ()  # members with this role have these instead
    blocked_words: tuple[str, ...] = ()
    imagine_ratio: str | None = None
    remix_ratio: str | None = None
    resolution: str | None = None
    private: bool = False
    hands: Hands = Hands.EVERYONE
    remix_messages: bool = True
    remix_avatars: bool = True
    log_channel: int | None = None  # where moderators see what happens; see `bot.journal`
    log_language: str | None = None
    retention_days: int | None = None  # counts where it is less than the operator's

    def dump(self) -> dict[str, Any]:
        """As JSON keeps it: what is as it comes is left out."""
        plain = asdict(self)
        standard = asdict(House())
        return {
            name: sorted(value) if isinstance(value, frozenset) else value
            for name, value in plain.items()
            if value != standard[name]
        }

    def mark(self, names: Iterable[str]) -> str:
        """What these rules are now, in short: it tells whether somebody changed them meanwhile."""
        kept = self.dump()
        said = json.dumps({name: kept.get(name) for name in names}, sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def ratio(self, kind: Kind) -> str | None:
        """The ratio that counts here where nobody chose one."""
        return self.imagine_ratio if kind is Kind.IMAGINE else self.remix_ratio

    @classmethod
    def load(cls, raw: dict[str, Any]) -> Self:
        """What `dump` wrote; fields of other versions are passed over."""
        known = {field.name for field in fields(cls)}
        kept = {name: value for name, value in raw.items() if name in known}
        for name in ("channels", "roles"):
            kept[name] = frozenset(kept.get(name, ()))
        kept["role_caps"] = tuple((role, caps) for role, caps in kept.get("role_caps", ()))
        kept["blocked_words"] = tuple(kept.get("blocked_words", ()))
        kept["hands"] = Hands(kept.get("hands", Hands.EVERYONE))
        return cls(**kept)

    def admits(self, *, channel_ids: Iterable[int], role_ids: Iterable[int]) -> Complaint | None:
        """Why nobody, or not this member, may ask here; a thread counts as its channel too."""
        if self.channels and self.channels.isdisjoint(channel_ids):
            where = " ".join(f"<#{channel}>" for channel in sorted(self.channels)[:5])
            return Complaint(
                N_("Pictures are not made in this channel."),
                N_("Ask in one of these: {channels}"),
                (("channels", where),),
            )
        if self.roles and self.roles.isdisjoint(role_ids):
            who = " ".join(f"<@&{role}>" for role in sorted(self.roles)[:5])
            return Complaint(
                N_("Pictures are for members with certain roles here."),
                N_("You need one of these: {roles}"),
                (("roles", who),),
            )
        return None

    def spares(self, others: str | None) -> Complaint | None:
        """Why nobody may remix others' `messages` or `avatars` here; None: what is one's own."""
        if others == "messages" and not self.remix_messages:
            return Complaint(
                N_("In this server you can only remix your own messages."),
                N_("Hand an image in with /remix, or post it yourself."),
            )
        if others == "avatars" and not self.remix_avatars:
            return Complaint(
                N_("In this server you can only remix your own avatar."),
                N_("Hand an image in with /remix."),
            )
        return None

    def refuses(self, prompt: str) -> Complaint | None:
        """Why this prompt is not welcome in this server, or None. Told to its person alone."""
        if not words.blocked(prompt, self.blocked_words):
            return None
        fix = N_("Reword it and ask again. Moderators choose the words.")
        found = words.quoted(prompt, self.blocked_words)
        if found is None:
            return Complaint(N_("This server does not allow a word in your prompt."), fix)
        # As it was typed, but nothing that reorders the sentence around it or is markup.
        shown = "".join(each for each in found if each.isprintable() and each != "`")
        return Complaint(N_("{word} is not allowed here."), fix, (("word", f"`{shown}`"),))

    def caps_of(self, role_ids: Iterable[int]) -> Caps:
        """What one member may spend: the most generous of their roles, else the server's word."""
        held = set(role_ids)
        mine = [Caps.parse(caps) for role, caps in self.role_caps if role in held]
        return Caps.most(mine) if mine else Caps.parse(self.member_caps)

    def narrows(self, allowances: Allowances, *, role_ids: Iterable[int]) -> Allowances:
        """The operator's allowances, made stricter by what this server set."""
        return replace(
            allowances,
            server=allowances.server.least(Caps.parse(self.caps)),
            member=allowances.member.least(self.caps_of(role_ids)),
        )
