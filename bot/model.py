"""The values that travel along the pipeline, and the table of arrows between a job's states.

It owns the words job, reply, request, reference and outcome; it never does I/O.
"""

import base64
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from bot import quotes
from bot.errors import Code

# An interaction token lives 15 minutes; the last 30 s are kept in hand for a slow edit.
TOKEN_LIFE = timedelta(minutes=15)
TOKEN_MARGIN = timedelta(seconds=30)


class Kind(StrEnum):
    """What a person asked for."""

    IMAGINE = "imagine"
    REMIX = "remix"


class State(StrEnum):
    """Where a job is. Stored in the ledger, so a value is never renamed."""

    RECEIVED = "received"  # the row exists, Discord has not confirmed the acknowledgement
    QUEUED = "queued"  # acknowledged, waiting for its turn
    SUBMITTING = "submitting"  # the bytes are frozen, the first POST may have left
    SUBMITTED = "submitted"  # HiAPI named a task
    SETTLED = "settled"  # there is an outcome, good or bad
    WITHDRAWN = "withdrawn"  # Discord never took the acknowledgement: nobody waits for it


ARROWS: dict[State, frozenset[State]] = {
    State.RECEIVED: frozenset({State.QUEUED, State.WITHDRAWN, State.SETTLED}),
    State.QUEUED: frozenset({State.SUBMITTING, State.SETTLED}),
    State.SUBMITTING: frozenset({State.SUBMITTED, State.SETTLED}),
    State.SUBMITTED: frozenset({State.SETTLED}),
    State.SETTLED: frozenset(),
    State.WITHDRAWN: frozenset(),
}


class Delivery(StrEnum):
    """Where a reply is. Stored in the ledger, so a value is never renamed."""

    OPEN = "open"  # jobs are under way, or their outcome waits to be shown
    DELIVERED = "delivered"  # the final card stands in Discord
    PARKED = "parked"  # private, its token died: kept until the person asks to see it
    CANCELLED = "cancelled"  # the person took it back: what still comes is not shown
    UNDELIVERABLE = "undeliverable"  # no way is left to show it; kept for the person's history
    WITHDRAWN = "withdrawn"  # the command was never acknowledged


class Rung(StrEnum):
    """A route that cannot be taken twice, hence must be written down before it is taken."""

    EDIT = "edit"  # of a private card: what stands there nobody can look at once its token died
    CHANNEL = "channel"
    DM = "dm"


class End(StrEnum):
    """How a job ended."""

    PICTURES = "pictures"
    FAILED = "failed"  # the task ran and failed
    REFUSED = "refused"  # HiAPI took no task
    CANCELLED = "cancelled"  # the person took it back
    EXPIRED = "expired"  # it never left the queue
    UNKNOWN = "unknown"  # nobody can say: an operator must look


def new_id() -> str:
    """80 random bits as 16 base32 characters: idempotency key, callback path, part of nonces."""
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()


def short_id(job_id: str) -> str:
    """What a card shows of a job id: enough to tell jobs apart, too little to open one."""
    return job_id[:6].upper()


def picture_name(job_id: str, slot: int) -> str:
    """The name of a job's picture as a file, without its extension."""
    return f"{short_id(job_id).lower()}-{slot + 1}"


@dataclass(frozen=True, slots=True)
class Reference:
    """An image that a person handed in; `url` is where HiAPI will fetch it.

    Addresses die. `digest` (SHA-256 in hex) names the bytes that Easel kept of it; `channel_id`
    and `message_id` name the message it was found in, which gives a fresh address. `owner` is who
    handed it in: nobody else is shown it unless that person says so.
    """

    url: str
    filename: str
    digest: str | None = None
    channel_id: int | None = None
    message_id: int | None = None
    owner: int | None = None

    def dump(self) -> dict[str, Any]:
        return {
            name: value
            for name in ("url", "filename", "digest", "channel_id", "message_id", "owner")
            if (value := getattr(self, name)) is not None
        }

    @classmethod
    def load(cls, raw: dict[str, Any]) -> Self:
        return cls(**raw)


class Sort(StrEnum):
    """What a history may be narrowed down to. Part of buttons' ids, so a value is never renamed."""

    ALL = "all"
    IMAGINE = "imagine"
    REMIX = "remix"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Taste:
    """What a person wants when they do not say otherwise; None is the model's own default."""

    imagine_ratio: str | None = None
    remix_ratio: str | None = None
    resolution: str | None = None
    imagine_model: str | None = None
    remix_model: str | None = None
    private: bool = False
    spoiler: bool = False
    show_references: bool = False
    spare_messages: bool = False  # others shall not remix this person's messages
    spare_avatar: bool = False

    def ratio(self, kind: Kind) -> str | None:
        return self.imagine_ratio if kind is Kind.IMAGINE else self.remix_ratio

    def model(self, kind: Kind) -> str | None:
        return self.imagine_model if kind is Kind.IMAGINE else self.remix_model


def storable(text: str) -> str:
    """The text without what a database or the wire cannot hold: NUL, half a surrogate pair."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


@dataclass(frozen=True, slots=True)
class Request:
    """One picture as a person asked for it, complete and checked by `bot.catalog`."""

    kind: Kind
    model: str
    prompt: str
    aspect_ratio: str
    resolution: str
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished image at HiAPI; `expires_at` is when its address dies, if the API said so."""

    url: str
    expires_at: datetime | None = None

    def dump(self) -> dict[str, Any]:
        return {"url": self.url, "expires_at": self.expires_at and self.expires_at.isoformat()}

    @classmethod
    def load(cls, raw: dict[str, Any]) -> Self:
        expires_at = raw.get("expires_at")
        return cls(
            url=raw["url"], expires_at=datetime.fromisoformat(expires_at) if expires_at else None
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: pictures, or a code with the operator's detail (redacted, never shown)."""

    end: End
    pictures: tuple[Picture, ...] = ()
    code: Code | None = None
    detail: str = ""
    seconds: int | None = None  # what its pictures took, by the picture service's own clock
    warned: bool = False  # one more refusal like this pauses the person
    paused_until: datetime | None = None  # the pause that this refusal brought

    def unquoted(self, prompt: str) -> Self:
        """The same without what its detail repeats of the prompt: details are logged."""
        return replace(self, detail=quotes.without(self.detail, prompt)) if self.detail else self

    def dump(self) -> dict[str, Any]:
        raw: dict[str, Any] = {
            "end": self.end,
            "pictures": [picture.dump() for picture in self.pictures],
            "code": self.code,
            "detail": self.detail,
        }
        if self.seconds is not None:
            raw["seconds"] = self.seconds
        if self.warned:
            raw["warned"] = True
        if self.paused_until is not None:
            raw["paused_until"] = self.paused_until.isoformat()
        return raw

    @classmethod
    def load(cls, raw: dict[str, Any]) -> Self:
        return cls(
            end=End(raw["end"]),
            pictures=tuple(Picture.load(picture) for picture in raw["pictures"]),
            code=Code(raw["code"]) if raw["code"] else None,
            detail=raw["detail"],
            seconds=raw.get("seconds"),
            warned=raw.get("warned", False),
            paused_until=datetime.fromisoformat(raw["paused_until"])
            if raw.get("paused_until")
            else None,
        )


@dataclass(frozen=True, slots=True)
class Target:
    """Where a reply belongs in Discord, and the key that edits it while it lives.

    `token` is a bearer secret for 15 minutes and is erased from the ledger when it dies.
    """

    application_id: int
    interaction_id: int
    channel_id: int
    guild_id: int | None
    user_id: int
    token: str | None = field(repr=False)
    token_expires_at: datetime
    private: bool
    present: bool  # the bot itself is in the channel, so its own token may edit there
    upload_limit: int  # bytes per file that Discord takes in answer to this interaction
    locale: str
    message_id: int | None = None

    def token_lives(self, now: datetime, *, margin: timedelta = TOKEN_MARGIN) -> bool:
        return self.token is not None and now < self.token_expires_at - margin


@dataclass(frozen=True, slots=True)
class Job:
    """One picture wanted by one person: a row of the ledger, tied to at most one task."""

    id: str
    reply_id: str
    slot: int
    user_id: int
    state: State
    request: Request
    created_at: datetime
    price: int | None = None  # millionths of a dollar that were reserved; None: unknown
    unfinished: bool = False  # a prompt file is not read yet, or an image has no address
    body: bytes | None = field(default=None, repr=False)
    first_post_at: datetime | None = None
    turned_away: bool = False  # it was sent, and HiAPI said of every POST that it made no task
    attempts: int = 0
    task_id: str | None = None
    task_status: str | None = None
    submitted_at: datetime | None = None
    settled_at: datetime | None = None
    outcome: Outcome | None = None

    def evolve(self, **changes: Any) -> Self:
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Reply:
    """The bot's message that answers one command, with its 1-4 jobs in slot order."""

    id: str
    target: Target
    delivery: Delivery
    created_at: datetime
    jobs: tuple[Job, ...]
    made_from: str | None = None  # the reply whose button asked for this one
    made_by: str | None = None  # which of its buttons
    spoiler: bool = False  # its pictures are blurred until somebody clicks them
    show_references: bool = False  # the person lets others see the images they handed in
    attempts: int = 0
    rung: Rung | None = None
    rung_at: datetime | None = None
    noted: bool = False  # its card became a note with a Show button

    @property
    def settled(self) -> bool:
        return all(job.state is State.SETTLED for job in self.jobs)

    @property
    def ready_at(self) -> datetime:
        """When it could be shown: its last outcome came, or later somebody pressed Show."""
        asked = self.target.token_expires_at - TOKEN_LIFE
        return max(asked, *(job.settled_at for job in self.jobs if job.settled_at is not None))

    def evolve(self, **changes: Any) -> Self:
        return replace(self, **changes)


def open_reply(
    request: Request,
    target: Target,
    *,
    count: int,
    now: datetime,
    unfinished: bool = False,
    made_from: str | None = None,
    made_by: str | None = None,
    spoiler: bool = False,
    show_references: bool = False,
    price: int | None = None,
) -> Reply:
    """A new reply with `count` jobs that ask for the same thing, all just received."""
    reply_id = new_id()
    jobs = tuple(
        Job(
            id=new_id(),
            reply_id=reply_id,
            slot=slot,
            user_id=target.user_id,
            state=State.RECEIVED,
            request=request,
            created_at=now,
            price=price,
            unfinished=unfinished,
        )
        for slot in range(count)
    )
    return Reply(
        id=reply_id,
        target=target,
        delivery=Delivery.OPEN,
        created_at=now,
        jobs=jobs,
        made_from=made_from,
        made_by=made_by,
        spoiler=spoiler,
        show_references=show_references,
    )
