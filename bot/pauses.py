"""Whose prompts are refused again and again pauses for a while: the rule, and how it is told.

It owns the rule and its words; it never counts, which `bot.ledger.refusals` does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.i18n import _
from bot.model import Job

WITHIN = timedelta(hours=24)  # how long a refusal counts
# What the ledger holds as the reason of such a pause, which is told in the words of whoever asks:
# never rename it.
REASON = "too many refused prompts"


@dataclass(frozen=True, slots=True)
class Pause:
    """So many refused requests within a day pause a person for so long; 0 pauses nobody."""

    after: int = 0
    length: timedelta = timedelta(hours=24)


NEVER = Pause()


def began(jobs: Iterable[Job]) -> bool:
    """Whether one of these refusals paused their person."""
    return any(job.outcome is not None and job.outcome.paused_until is not None for job in jobs)


def advice(words: str, jobs: Sequence[Job]) -> tuple[str, ...]:
    """What a card of failure says: to ask again is no advice to whoever is paused."""
    told = notes(jobs)
    return told if began(jobs) else (words, *told)


def notes(jobs: Iterable[Job]) -> tuple[str, ...]:
    """What a card says of it, in the language in use: the pause that began, or the last warning."""
    outcomes = [job.outcome for job in jobs if job.outcome is not None]
    ends = [each.paused_until for each in outcomes if each.paused_until is not None]
    if ends:
        until = f"<t:{int(max(ends).timestamp())}:f>"
        words = _("Too many of your prompts were refused: you are paused until {time}.")
        return (words.format(time=until),)
    if any(each.warned for each in outcomes):
        return (_("One more prompt refused within a day, and you are paused for a while."),)
    return ()
