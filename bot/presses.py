"""What stands under a card to be pressed: buttons and selects, in rows, in the reader's language.

It owns which of them a card has and what they say; it never knows what a press does.
"""

from dataclasses import dataclass
from enum import StrEnum

from bot import pauses
from bot.catalog import Catalog
from bot.errors import Code
from bot.i18n import _, ngettext
from bot.model import Reply, State

LABEL_LIMIT = 80  # Discord's, for a button


class Verb(StrEnum):
    """What a button of a card does. Part of its id in Discord, so a value is never renamed."""

    SHOW = "show"
    CANCEL = "cancel"
    AGAIN = "again"
    EDIT = "edit"  # opens a form with the prompt
    REMIX = "remix"  # opens a form with the pictures as references
    RATIO = "ratio"  # a select: the same in another ratio
    SHARP = "2k"  # the same in the highest resolution
    SUCCESSOR = "successor"  # the same by the model that takes the place of a retired one
    ORIGINAL = "original"
    DM = "dm"
    DELETE = "delete"
    REPORT = "report"  # opens a form that tells moderators; only under what is public


@dataclass(frozen=True, slots=True)
class Press:
    """A button of a card: what it does and what it says."""

    verb: Verb
    label: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A select of a card: what it does, what it says, and the values to choose from."""

    verb: Verb
    label: str
    values: tuple[str, ...]


# At most five buttons stand beside each other; a select has a row of its own.
Row = tuple[Press, ...] | Choice


def show() -> tuple[Row, ...]:
    return ((Press(Verb.SHOW, _("Show")),),)


def cancel(reply: Reply) -> tuple[Row, ...]:
    """What takes a request back; once all of it has begun, its pictures are made all the same."""
    if any(job.state in (State.RECEIVED, State.QUEUED) for job in reply.jobs):
        return ((Press(Verb.CANCEL, _("Cancel")),),)
    label = ngettext("Don't show it", "Don't show them", len(reply.jobs))
    return ((Press(Verb.CANCEL, label),),)


def under_cancelled() -> tuple[Row, ...]:
    """Under a request that was taken back, most often for a slip in its prompt."""
    return (
        (
            Press(Verb.EDIT, _("Edit prompt")),
            Press(Verb.AGAIN, _("Again")),
            Press(Verb.DELETE, _("Delete")),
        ),
    )


def under_pictures(reply: Reply, catalog: Catalog) -> tuple[Row, ...]:
    """Under a card with pictures: first what makes a new one, then what is done with these."""
    request = reply.jobs[0].request
    make = [
        Press(Verb.AGAIN, _("Again")),
        Press(Verb.EDIT, _("Edit prompt")),
        Press(Verb.REMIX, _("Remix this")),
    ]
    if catalog.sharper(request) is not None:
        make.append(Press(Verb.SHARP, _("Make it 2K")))
    keep = (
        Press(Verb.ORIGINAL, _("Original")),
        Press(Verb.DM, _("Send to DMs")),
        *_report(reply),
        Press(Verb.DELETE, _("Delete")),
    )
    return (tuple(make), keep, *_ratios(reply, catalog))


def under_links(reply: Reply, catalog: Catalog) -> tuple[Row, ...]:
    """Under a card whose pictures Discord did not take."""
    return (
        (
            Press(Verb.AGAIN, _("Again")),
            Press(Verb.EDIT, _("Edit prompt")),
            Press(Verb.ORIGINAL, _("Original")),
            *_report(reply),
            Press(Verb.DELETE, _("Delete")),
        ),
        *_ratios(reply, catalog),
    )


def under_failure(reply: Reply, catalog: Catalog, *, code: Code) -> tuple[Row, ...]:
    """Under a card of failure: what may help, and nothing that cannot.

    Where the model is unavailable another one is named, where the options were not accepted
    another ratio can be chosen. Whoever is paused can ask for nothing.
    """
    successor = catalog.instead(reply.jobs[0].request) if code is Code.MODEL_GONE else None
    named = _("Use {model}").format(model=successor.id)[:LABEL_LIMIT] if successor else ""
    edit, delete = Press(Verb.EDIT, _("Edit prompt")), Press(Verb.DELETE, _("Delete"))
    if pauses.began(reply.jobs):
        return ((delete,),)
    if code is Code.REFUSED_PROMPT:
        # The same words would be refused again, and too many refusals lead to a pause.
        return ((edit, delete),)
    use = (Press(Verb.SUCCESSOR, named),) if successor else ()
    ratios = _ratios(reply, catalog) if code is Code.BAD_REQUEST else ()
    return ((Press(Verb.AGAIN, _("Retry")), edit, *use, delete), *ratios)


def own(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """These rows for the person's eyes alone: nobody reports their own picture."""
    return tuple(
        row
        if isinstance(row, Choice)
        else tuple(press for press in row if press.verb is not Verb.REPORT)
        for row in rows
    )


def _report(reply: Reply) -> tuple[Press, ...]:
    return () if reply.target.private else (Press(Verb.REPORT, _("Report")),)


def _ratios(reply: Reply, catalog: Catalog) -> tuple[Row, ...]:
    others = catalog.other_ratios(reply.jobs[0].request)
    return (Choice(Verb.RATIO, _("Another ratio…"), others),) if others else ()
