"""What an operator must know at once: said once when it begins, once when it is over.

It owns which troubles are alarms, their words, and when they are said; it never mends anything,
and whatever happens to a message, no stage hears of it.

    alarm              begins with                            is over with
    no_credit          HiAPI answers 402                      a job that HiAPI takes
    key_refused        HiAPI answers 401 or 403               a job that HiAPI takes
    model_unavailable  HiAPI says so of a job                 a picture by that model
    callbacks_silent   a sweep finds what none told of, or    a callback in time
                       five jobs end untold after the start
    undeliverable      no way was left to show a reply,       a delivery, after ten quiet minutes
                       or minutes passed in trying
    ledger_unwritable  the ledger takes no write              a write that it takes

Stages tell of these in their log lines (`bot.events`). What stands and what was said is kept in
the ledger, so a restart says nothing twice. Trouble that comes and goes is said no more often
than every five minutes, and then how it is at that moment.
"""

import json
from collections.abc import Awaitable, Callable, Collection
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import structlog

from bot.clock import Clock
from bot.errors import WORDS, Code
from bot.events import Line
from bot.ledger import verbs
from bot.ledger.ledger import Ledger
from bot.messenger import Result
from bot.model import End

log = structlog.get_logger(__name__)

FACT = "alarms"
# Between two messages about the same alarm.
REST = timedelta(minutes=5)
# After a message that nobody took.
RETRY = timedelta(minutes=1)
QUIET = timedelta(minutes=10)
# So many jobs in a row whose end no callback told, before the first callback ever came.
UNTOLD = 5
CAUSE = 300  # characters: a message in Discord ends at 2,000


class Alarm(StrEnum):
    """Kept in the ledger, so a value is never renamed."""

    NO_CREDIT = "no_credit"
    KEY_REFUSED = "key_refused"
    MODEL_UNAVAILABLE = "model_unavailable"
    CALLBACKS_SILENT = "callbacks_silent"
    UNDELIVERABLE = "undeliverable"
    LEDGER_UNWRITABLE = "ledger_unwritable"


@dataclass(frozen=True, slots=True)
class Phrases:
    """What the operator reads: what is wrong, what to do, and what it says when it is over."""

    title: str
    advice: str
    over: str


WORDS_OF: dict[Alarm, Phrases] = {
    Alarm.NO_CREDIT: Phrases(
        "HiAPI is out of credit",
        "Top the account up in HiAPI's console. Jobs wait in the queue meanwhile, and one of "
        "them asks again every minute.",
        "HiAPI takes jobs again",
    ),
    Alarm.KEY_REFUSED: Phrases(
        "HiAPI refuses the key",
        "Check HIAPI_API_KEY and its permissions, then restart Easel. Jobs wait in the queue "
        "meanwhile.",
        "HiAPI takes the key again",
    ),
    Alarm.MODEL_UNAVAILABLE: Phrases(
        "A model is not available",
        "Look for it in HiAPI's console; set IMAGINE_MODEL or REMIX_MODEL to another one. "
        "Requests for it fail meanwhile.",
        "The model makes pictures again",
    ),
    Alarm.CALLBACKS_SILENT: Phrases(
        "HiAPI's callbacks do not arrive",
        "See whether PUBLIC_URL is reached from outside, and whether HIAPI_WEBHOOK_SECRET is the "
        "account's. Easel polls meanwhile: pictures come some seconds later.",
        "HiAPI's callbacks arrive again",
    ),
    Alarm.UNDELIVERABLE: Phrases(
        "A finished picture could not be shown",
        "See the log lines with this reply's id: they say why. Often the bot lost its permissions "
        "in a channel. Where Discord or the picture's host is out of order, Easel tries on.",
        "Finished pictures are shown again",
    ),
    Alarm.LEDGER_UNWRITABLE: Phrases(
        "The ledger cannot be written",
        "Is the disk full, is the database up? Commands are refused meanwhile, and what was "
        "begun waits. It goes on by itself.",
        "The ledger is written again",
    ),
}
_CODES = {
    Code.NO_CREDIT: Alarm.NO_CREDIT,
    Code.MISCONFIGURED: Alarm.KEY_REFUSED,
    Code.MODEL_GONE: Alarm.MODEL_UNAVAILABLE,
}
_BEGINNINGS = {
    "callbacks.silent": Alarm.CALLBACKS_SILENT,
    "ledger.failing": Alarm.LEDGER_UNWRITABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One alarm: since when it stands or is over, why, and what was said of it last.

    `subject` is what it is about, such as a model. Times are Unix seconds: it is kept as JSON.
    """

    alarm: Alarm
    subject: str = ""
    active: bool = False
    since: float = 0.0
    last: float = 0.0  # when it last happened
    cause: str = ""
    said: bool = False
    said_at: float = 0.0

    @property
    def key(self) -> str:
        return f"{self.alarm} {self.subject}".strip()

    @property
    def worth_keeping(self) -> bool:
        """Whether a restart must know of it."""
        return self.active or self.said


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One message to the operator. `since` is when what it tells of began."""

    alarm: Alarm
    subject: str
    active: bool
    title: str
    cause: str
    advice: str
    since: datetime

    @property
    def text(self) -> str:
        """The message as people read it."""
        about = f" ({self.subject})" if self.subject else ""
        lines = [f"{'⚠️' if self.active else '✅'} Easel: {self.title}{about}."]
        if self.active:
            lines += [f"Cause: {self.cause}." if self.cause else "", self.advice]
        return "\n".join(filter(None, lines))


Send = Callable[[Note], Awaitable[bool]]


class Alarms:
    """Hears the stages, keeps what stands, and has every sender say it."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        clock: Clock,
        senders: Collection[Send],
        callbacks_expected: bool,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._senders = senders
        self._expects = callbacks_expected
        self._standing: dict[str, Standing] = {}
        self._kept = "[]"
        self._untold = 0
        self._retry_at = clock()

    @property
    def active(self) -> tuple[Standing, ...]:
        """The alarms that stand, oldest first."""
        standing = (each for each in self._standing.values() if each.active)
        return tuple(sorted(standing, key=lambda each: each.since))

    @property
    def figures(self) -> dict[str, bool]:
        """Of every alarm whether it stands."""
        standing = {each.alarm for each in self.active}
        return {alarm: alarm in standing for alarm in Alarm}

    async def load(self) -> None:
        """Remember what stood and what was said before the last stop: once, at start."""
        kept = await self._ledger.run(verbs.fact, FACT)
        self._kept = kept or "[]"
        for raw in json.loads(self._kept):
            if raw["alarm"] not in set(Alarm):
                continue  # of another version
            each = Standing(**{**raw, "alarm": Alarm(raw["alarm"]), "last": raw["since"]})
            if each.alarm is not Alarm.CALLBACKS_SILENT or self._expects:
                self._standing.setdefault(each.key, each)

    def listen(self, event: str, line: Line) -> None:
        """Take in what a log line says; see `bot.events`."""
        match event:
            case "submitter.halted" | "job.alarm":
                self._blame(line["code"], line)
            case "tracker.read_failed" if line.get("code") != Code.MODEL_GONE:
                self._blame(line["code"], line)
            case "job.submitted":
                self._end(Alarm.NO_CREDIT)
                self._end(Alarm.KEY_REFUSED)
            case "job.settled":
                self._settled(line)
            case "callbacks.silent" | "ledger.failing":
                self._begin(_BEGINNINGS[event], cause=line.get("cause"))
            case "callbacks.arriving":
                self._expects = False  # to have them at all; from now on the tracker tells
                self._end(Alarm.CALLBACKS_SILENT)
            # Where somebody deleted the message, nobody waits for it.
            case "reply.undeliverable" | "reply.held_up" if line.get("result") != Result.GONE:
                cause = f"reply {line.get('reply', '?')}: {line.get('cause')}"
                self._begin(Alarm.UNDELIVERABLE, cause=cause)
            case "reply.delivered":
                self._end(Alarm.UNDELIVERABLE, quiet=QUIET)
            case "ledger.well":
                self._end(Alarm.LEDGER_UNWRITABLE)

    async def step(self) -> int:
        """Say what is not said yet, keep what changed. Returns how many messages were taken."""
        now = self._clock()
        said = 0
        if now >= self._retry_at:
            for each in list(self._standing.values()):
                if (
                    each.active == each.said
                    or now.timestamp() - each.said_at < REST.total_seconds()
                ):
                    continue
                if not await self._say(each):
                    self._retry_at = now + RETRY
                    break
                said += 1
                # It may have gone on while it was said.
                current = self._standing[each.key]
                self._put(replace(current, said=each.active, said_at=now.timestamp()))
        kept = json.dumps([_kept(each) for each in self._standing.values() if each.worth_keeping])
        if kept != self._kept:
            await self._ledger.run(verbs.keep_fact, FACT, value=kept)
            self._kept = kept
        return said

    def _blame(self, code: str, line: Line) -> None:
        alarm = _CODES.get(Code(code))
        if alarm is not None:
            subject = line.get("model", "") if alarm is Alarm.MODEL_UNAVAILABLE else ""
            self._begin(
                alarm, subject=subject, cause=line.get("cause") or WORDS[Code(code)].operator
            )

    def _settled(self, line: Line) -> None:
        model = str(line.get("model", ""))
        if line.get("code") == Code.MODEL_GONE:
            cause = WORDS[Code.MODEL_GONE].operator
            self._begin(Alarm.MODEL_UNAVAILABLE, subject=model, cause=cause)
        elif line.get("end") == End.PICTURES:
            self._end(Alarm.MODEL_UNAVAILABLE, subject=model)
        if self._expects and line.get("by") == "poll":
            self._untold += 1
            if self._untold == UNTOLD:
                cause = f"{UNTOLD} jobs ended and none was told of since the start"
                self._begin(Alarm.CALLBACKS_SILENT, cause=cause)

    def _begin(self, alarm: Alarm, *, subject: str = "", cause: object = "") -> None:
        now = self._clock().timestamp()
        known = self._of(alarm, subject)
        if known.active:
            self._put(replace(known, last=now))
            return
        log.warning("alarm.raised", alarm=alarm, subject=subject or None)
        self._put(replace(known, active=True, since=now, last=now, cause=str(cause or "")[:CAUSE]))

    def _end(self, alarm: Alarm, *, subject: str = "", quiet: timedelta = timedelta(0)) -> None:
        known = self._of(alarm, subject)
        now = self._clock().timestamp()
        if known.active and now - known.last >= quiet.total_seconds():
            log.info("alarm.over", alarm=alarm, subject=subject or None)
            self._put(replace(known, active=False, since=now))

    def _of(self, alarm: Alarm, subject: str) -> Standing:
        fresh = Standing(alarm=alarm, subject=subject)
        return self._standing.get(fresh.key, fresh)

    def _put(self, standing: Standing) -> None:
        self._standing[standing.key] = standing

    async def _say(self, standing: Standing) -> bool:
        """Whether anybody took the message; with nobody to tell, the log and the page do."""
        note = _note(standing)
        taken = [await send(note) for send in self._senders]
        return any(taken) or not taken


def _kept(standing: Standing) -> dict[str, object]:
    """What the ledger keeps: not when it last happened, or every time would be a write."""
    return {name: value for name, value in asdict(standing).items() if name != "last"}


def _note(standing: Standing) -> Note:
    words = WORDS_OF[standing.alarm]
    return Note(
        alarm=standing.alarm,
        subject=standing.subject,
        active=standing.active,
        title=words.title if standing.active else words.over,
        cause=standing.cause.rstrip("."),
        advice=words.advice,
        since=datetime.fromtimestamp(standing.since, tz=UTC),
    )
