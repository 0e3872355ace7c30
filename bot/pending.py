"""The cards of a reply before its pictures: waiting, painting, a note, taken back.

It owns every sentence of those; it never imports discord and never fetches anything.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot import i18n, presses, render
from bot.errors import WORDS, Code
from bot.i18n import _, ngettext
from bot.model import End, Reply, State
from bot.render import Card, Tone

# Up to here a place is a number; the queue moves too fast for more to be worth an edit.
PLACES_SHOWN = 20
# From this age on a card says that the picture may not come at all.
OVERDUE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Place:
    """A waiting reply's place in the queue (0 is next) and when its picture may be expected.

    `own` is how many pictures of the same person must end before it may begin at all.
    """

    ahead: int
    ready_at: datetime
    own: int = 0


def began(reply: Reply, *, expected: timedelta, place: Place | None) -> datetime | None:
    """When the last picture of those under way began, or is to begin; None while none is."""
    running = [job for job in reply.jobs if job.state is State.SUBMITTED]
    times = [job.submitted_at for job in running if job.submitted_at is not None]
    if times and place is not None:
        times.append(place.ready_at - expected)
    return max(times, default=None)


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
        running = {job.task_status for job in reply.jobs if job.state is State.SUBMITTED}
        if running:
            started = began(reply, expected=expected, place=place) or now
            notes = [_due(started, expected, now)]
        else:
            notes = [*_queued(place, held, now)]
        over = any(job.state is State.SETTLED for job in reply.jobs)
        # While all of several wait, it goes without saying that none is ready.
        if over or (running and len(reply.jobs) > 1):
            notes.insert(0, _ready(reply))
        return render.card(
            reply,
            tone=Tone.WORKING if running else Tone.WAITING,
            heading=_stage(reply, running),
            notes=tuple(notes),
            rows=presses.cancel(reply),
        )


def _stage(reply: Reply, running: set[str | None]) -> str:
    """How far a reply is; with some of its pictures ready it never steps back."""
    waits = any(job.state not in (State.SUBMITTED, State.SETTLED) for job in reply.jobs)
    if running == {"archiving"} and not waits:
        return ngettext("Saving your picture", "Saving your pictures", len(reply.jobs))
    over = any(job.state is State.SETTLED for job in reply.jobs)
    if running & {"handling", "archiving"} or (running and over) or _made(reply):
        return _("Painting")
    return _("Starting") if running else _("In the queue")


def _made(reply: Reply) -> int:
    return sum(bool(job.outcome and job.outcome.end is End.PICTURES) for job in reply.jobs)


def _ready(reply: Reply) -> str:
    """How many of several are there, and how many will not come."""
    counts = {"done": _made(reply), "count": len(reply.jobs)}
    codes = [
        job.outcome.code
        for job in reply.jobs
        if job.outcome and job.outcome.end is not End.PICTURES
    ]
    if not codes:
        return _("{done} of {count} ready.").format(**counts)
    if set(codes) == {Code.REFUSED_PROMPT}:
        said = _("{done} of {count} ready, {failed} refused.")
    else:
        said = _("{done} of {count} ready, {failed} failed.")
    return said.format(**counts, failed=len(codes))


def _due(started: datetime, expected: timedelta, now: datetime) -> str:
    if now > started + max(OVERDUE, 2 * expected):
        return _("This takes far longer than usual. If it still comes, you will see it here.")
    if now > started + 2 * expected:
        return _("This takes longer than usual. It is still under way.")
    if now > started + expected:
        return _("Any moment now.")
    return _("Expected {time}.").format(time=_in(started + expected))


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


def _held(code: Code) -> str:
    """Why the queue stands still, in the person's words."""
    return _("{reason}. Your request waits and goes on by itself.").format(
        reason=_(WORDS[code].title)
    )


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
        return render.card(
            reply,
            tone=Tone.WAITING,
            heading=_("Cancelled"),
            notes=(note,),
            rows=presses.under_cancelled(),
        )


def note(reply: Reply) -> Card:
    """What a card becomes before its only token dies: a button that brings it back to life."""
    with i18n.use(reply.target.locale):
        return replace(
            render.card(
                reply,
                tone=Tone.WORKING,
                heading=_("Still working on it"),
                notes=(
                    _("Discord stops me from updating this message after 15 minutes."),
                    _("Press Show for your picture."),
                ),
            ),
            rows=presses.show(),
        )
