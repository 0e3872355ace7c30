"""How far this machine's clock is from a server's, by the `Date` of an answer.

It owns what a difference means for callbacks; it never sets a clock.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from bot.operate import findings
from bot.operate.findings import Finding

NAME = "Clock"
NOTABLE = timedelta(seconds=30)
# A callback is believed for 300 s (contract section 4); a minute of that is for its way.
HARMFUL = timedelta(seconds=240)
# `Date` has whole seconds: what it names is over half a second ago on average.
HALF = timedelta(seconds=0.5)


def check(date: str | None, *, before: datetime, after: datetime, by: str) -> list[Finding]:
    """Compare the `Date` of an answer with our time between the request and the answer."""
    if date is None:
        return [findings.warning(NAME, f"{by} does not say what time it is.", "Nothing to do.")]
    try:
        theirs = parsedate_to_datetime(date).astimezone(UTC) + HALF
    except ValueError:
        return [findings.warning(NAME, f"{by} tells a time nobody can read.", "Nothing to do.")]
    skew = before + (after - before) / 2 - theirs
    off = abs(skew)
    if off <= NOTABLE:
        return [findings.ok(NAME, f"Within {max(1, round(off.total_seconds()))} s of {by}'s.")]
    way = "ahead of" if skew > timedelta(0) else "behind"
    what = f"This machine's clock is {round(off.total_seconds())} s {way} {by}'s."
    fix = "Let the machine set its clock by NTP (timedatectl set-ntp true)."
    if off < HARMFUL:
        return [findings.warning(NAME, what, fix)]
    what += " Signed callbacks are refused, and Discord's tokens seem to live too long or short."
    return [findings.error(NAME, what, fix)]
