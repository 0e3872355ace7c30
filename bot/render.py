"""A reply as plain card values: which words, in which order, in the reader's language.

It owns every sentence of a card; it never imports discord and never fetches anything.
"""

import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot import i18n, pauses, presses
from bot.catalog import Catalog, Complaint
from bot.errors import WORDS, Code
from bot.faces import Card as Card  # noqa: PLC0414 - whoever asks for cards asks here
from bot.faces import Shot as Shot  # noqa: PLC0414
from bot.faces import Tone as Tone  # noqa: PLC0414
from bot.i18n import _, ngettext
from bot.model import Delivery, End, Job, Kind, Reply, State, short_id
from bot.presses import Row
from bot.presses import Verb as Verb  # noqa: PLC0414 - a word of cards, kept there for its rows

# A card holds 4,000 characters in all; escaping may double a prompt.
PROMPT_SHOWN = 700
ALT_SHOWN = 1000
LINKS_SHOWN = 1600
# Up to here a place is a number; the queue moves too fast for more to be worth an edit.
PLACES_SHOWN = 20
# From this age on a card says that the picture may not come at all.
OVERDUE = timedelta(minutes=10)

_MODELS = Catalog()


@dataclass(frozen=True, slots=True)
class Place:
    """A waiting reply's place in the queue (0 is next) and when its picture may be expected.

    `own` is how many pictures of the same person must end before it may begin at all.
    """

    ahead: int
    ready_at: datetime
    own: int = 0


def clean(text: str, *, limit: int) -> str:
    """One line of at most `limit` characters, without control and direction characters."""
    kept = (
        " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c
        for c in text
        # Format characters reorder or hide text; the joiner is what emoji are built with.
        if unicodedata.category(c) not in ("Cf", "Cs", "Co") or c == "\u200d"
    )
    line = " ".join("".join(kept).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def waiting(
    reply: Reply,
    *,
    now: datetime,
    expected: timedelta,
    place: Place | None = None,
    held: Code | None = None,
) -> Card:
    """The card of a reply whose jobs are under way; `held` is why no job is sent at present."""
    with i18n.use(reply.target.locale):
        cancel = presses.cancel()
        ready = sum(bool(job.outcome and job.outcome.end is End.PICTURES) for job in reply.jobs)
        notes = (_("{done} of {count} ready.").format(done=ready, count=len(reply.jobs)),)
        running = [job for job in reply.jobs if job.state is State.SUBMITTED]
        if not running:
            # Of several some may be over: the others wait like a new request.
            over = any(job.state is State.SETTLED for job in reply.jobs)
            return _card(
                reply,
                tone=Tone.WAITING,
                heading=_("In the queue"),
                notes=(*(notes if over else ()), *_queued(place, held, now)),
                rows=cancel,
            )
        started = min(job.submitted_at or now for job in running)
        stages = {
            "handling": _("Painting"),
            "archiving": _("Putting the picture away for you"),
        }
        heading = next(
            (stages[job.task_status] for job in running if job.task_status in stages),
            _("Waiting for the painter"),
        )
        if now > started + max(OVERDUE, 2 * expected):
            note = _("This takes far longer than usual. If it still comes, you will see it here.")
        elif now > started + 2 * expected:
            note = _("This takes longer than usual. It is still under way.")
        elif now > started + expected:
            note = _("It should come any moment now.")
        else:
            note = _("Expected {time}.").format(time=_in(started + expected))
        return _card(
            reply,
            tone=Tone.WORKING,
            heading=heading,
            notes=(*(notes if len(reply.jobs) > 1 else ()), note),
            rows=cancel,
        )


def _queued(place: Place | None, held: Code | None, now: datetime) -> tuple[str, ...]:
    """Where a reply stands in the queue; beyond PLACES_SHOWN only that it is far."""
    if held is not None:
        return (_held(held),)
    if place is None:
        return (_("Your picture begins as soon as it is your turn."),)
    if place.own > PLACES_SHOWN:
        where = _("It waits for more than {count} of your own.").format(count=PLACES_SHOWN)
        return (where,)
    if place.ahead > PLACES_SHOWN and not place.own:
        return (_("More than {count} pictures are before yours.").format(count=PLACES_SHOWN),)
    if place.own:
        where = ngettext(
            "It begins when {count} of your other pictures is done.",
            "It begins when {count} of your other pictures are done.",
            place.own,
        ).format(count=place.own)
    elif place.ahead == 0:
        where = _("Yours is next.")
    else:
        where = ngettext(
            "{count} picture is before yours.",
            "{count} pictures are before yours.",
            place.ahead,
        ).format(count=place.ahead)
    if place.ready_at <= now:
        # Others of the person's own may have to end first: no guess is better than a past one.
        return (where,)
    return (where, _("Expected {time}.").format(time=_in(place.ready_at)))


def _in(time: datetime) -> str:
    """A time as Discord counts down to it."""
    return f"<t:{int(time.timestamp())}:R>"


def cancelled(reply: Reply, *, begun: int) -> Card:
    """What a cancel came to, honestly: what was begun cannot be stopped and counts."""
    with i18n.use(reply.target.locale):
        if begun:
            note = ngettext(
                "{count} picture was begun already: it counts, but it will not be shown.",
                "{count} pictures were begun already: they count, but they will not be shown.",
                begun,
            ).format(count=begun)
        else:
            note = _("Nothing was made and nothing was counted.")
        return _card(reply, tone=Tone.WAITING, heading=_("Cancelled"), notes=(note,))


def note(reply: Reply) -> Card:
    """What a card becomes before its only token dies: a button that brings it back to life."""
    with i18n.use(reply.target.locale):
        return replace(
            _card(
                reply,
                tone=Tone.WORKING,
                heading=_("Your picture takes longer"),
                notes=(_("Discord lets me write here for 15 minutes. Press Show for the rest."),),
            ),
            rows=presses.show(),
        )


def _held(code: Code) -> str:
    """Why the queue stands still, in the person's words."""
    return _("{reason}. Your request waits and goes on by itself.").format(
        reason=_(WORDS[code].title)
    )


def finished(
    reply: Reply,
    shots: dict[str, Shot],
    *,
    lost: dict[str, Code],
    catalog: Catalog = _MODELS,
    parent: Reply | None = None,
) -> Card:
    """The final card. `shots` are pictures by job id; `lost` is why a settled job has none.

    `parent` is the reply whose button asked for this one; it is named where that tells nothing.
    """
    with i18n.use(reply.target.locale):
        failures = [
            lost.get(job.id) or (job.outcome.code if job.outcome else None) or Code.FAILED
            for job in reply.jobs
            if job.id not in shots
        ]
        if not shots:
            return _failed(reply, failures[0], catalog, lineage=_lineage(reply, parent))
        notes = [*pauses.notes(reply.jobs)]
        if failures:
            notes.append(
                ngettext(
                    "{count} picture is missing: {reason}.",
                    "{count} pictures are missing: {reason}.",
                    len(failures),
                ).format(count=len(failures), reason=_(WORDS[failures[0]].title).rstrip("."))
            )
        links = tuple(shot.link for shot in shots.values() if shot.link)
        notes += [
            _(
                "Made smaller to fit Discord. [The original]({link}) is there for a few days."
            ).format(link=link)
            for link in _fitting(links)
        ]
        if links and not _fitting(links):
            notes.append(_("Made smaller to fit Discord."))
        heading = _("Here is your picture") if len(shots) == 1 else _("Here are your pictures")
        return _card(
            reply,
            tone=Tone.FINISHED,
            heading=heading,
            notes=tuple(notes),
            shots=tuple(shots[job.id] for job in reply.jobs if job.id in shots),
            rows=presses.under_pictures(reply, catalog),
            lineage=_lineage(reply, parent),
        )


def _failed(reply: Reply, code: Code, catalog: Catalog, *, lineage: str | None) -> Card:
    words, successor = WORDS[code], catalog.instead(reply.jobs[0].request)
    notes = [*pauses.advice(_(words.advice), reply.jobs)]
    if code is Code.MODEL_GONE and successor is not None:
        notes.append(
            _("Or let {model} make it now, as it is or after Edit prompt.").format(
                model=successor.id
            )
        )
    return _card(
        reply,
        tone=Tone.FAILED,
        heading=_(words.title),
        notes=tuple(notes),
        rows=presses.under_failure(reply, catalog, code=code),
        lineage=lineage,
    )


def _lineage(reply: Reply, parent: Reply | None) -> str | None:
    """What a reply was made from, if all who see it may see that too, or could have."""
    if parent is None or parent.target.private or parent.delivery is not Delivery.DELIVERED:
        return None
    here, there = reply.target, parent.target
    if there.guild_id != here.guild_id:
        return None
    if there.guild_id is None and there.channel_id != here.channel_id:
        return None
    name = short_id(parent.jobs[0].id)
    # What was posted anew stands elsewhere than its message; what was deleted has none.
    if there.message_id is not None and parent.rung is None:
        place = f"{there.guild_id or '@me'}/{there.channel_id}/{there.message_id}"
        name = f"[{name}](https://discord.com/channels/{place})"
    return _("Made from {picture}").format(picture=name)


def beside(card: Card, references: tuple[Shot, ...], *, locale: str) -> Card:
    """A card with pictures that also shows what they were made from, if there is anything."""
    if not card.shots or not references:
        return card
    with i18n.use(locale):
        return replace(card, made_from=references, made_from_title=_("Made from"))


def linked(
    reply: Reply,
    links: tuple[str, ...],
    *,
    too_large: bool = True,
    catalog: Catalog = _MODELS,
    parent: Reply | None = None,
) -> Card:
    """The final card where Discord takes no file: where the pictures can be fetched.

    `too_large`: because of their size, so that smaller ones would be taken.
    """
    with i18n.use(reply.target.locale):
        links = _fitting(links)
        heading = _("Your picture is too large for Discord")
        if links and not too_large:
            heading = _("Here is your picture") if len(links) == 1 else _("Here are your pictures")
        notes = tuple(
            _("[The original]({link}) is there for a few days.").format(link=link) for link in links
        )
        return _card(
            reply,
            tone=Tone.FINISHED,
            heading=heading,
            notes=notes or (_("Ask for it again at a lower resolution."),),
            rows=presses.under_links(reply, catalog),
            lineage=_lineage(reply, parent),
        )


def _fitting(links: tuple[str, ...]) -> tuple[str, ...]:
    """The links, if a card has room for all of them; a signed address can be very long."""
    return links if sum(map(len, links)) <= LINKS_SHOWN else ()


def alt_text(job: Job) -> str:
    """What a screen reader says of a picture."""
    return clean(job.request.prompt, limit=ALT_SHOWN)


def complaint(said: Complaint, *, locale: str) -> str:
    """A refusal as two lines: what is wrong, what to do."""
    with i18n.use(locale):
        values = dict(said.values)
        return f"**{_(said.problem).format(**values)}**\n{_(said.fix).format(**values)}"


def _card(
    reply: Reply,
    *,
    tone: Tone,
    heading: str,
    notes: tuple[str, ...],
    shots: tuple[Shot, ...] = (),
    rows: tuple[Row, ...] = (),
    lineage: str | None = None,
) -> Card:
    return Card(
        reply_id=reply.id,
        tone=tone,
        heading=heading,
        asked_by=reply.target.user_id,
        prompt=clean(reply.jobs[0].request.prompt, limit=PROMPT_SHOWN),
        notes=notes,
        footer=_footer(reply),
        shots=shots,
        rows=rows,
        spoiler=reply.spoiler,
        lineage=lineage,
    )


def _footer(reply: Reply) -> str:
    """Model, ratio, resolution, references, time taken, short id."""
    job = reply.jobs[0]
    request = job.request
    parts = [request.model, request.aspect_ratio, request.resolution]
    if request.kind is Kind.REMIX:
        count = len(request.references)
        parts.append(ngettext("{count} image", "{count} images", count).format(count=count))
    took = [
        (job.settled_at - job.submitted_at).total_seconds()
        for job in reply.jobs
        if job.outcome and job.outcome.end is End.PICTURES and job.settled_at and job.submitted_at
    ]
    if reply.settled and took:
        parts.append(_("{seconds} s").format(seconds=max(1, round(max(took)))))
    parts.append(short_id(job.id))
    return " · ".join(parts)
