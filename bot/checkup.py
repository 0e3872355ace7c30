"""What stands for and against pictures in one channel, in words for moderators.

It owns those words; it never looks anything up, and never changes anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from bot import i18n, permits
from bot.catalog import Complaint
from bot.house import House
from bot.i18n import _
from bot.permits import NAMES, PURPOSES, Permit
from bot.policy import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel as it is found. `barred`: why nobody in its server may ask, if that is so."""

    place: Place
    house: House
    mute: bool  # Discord lets the bot write no more to the log channel
    barred: Complaint | None
    age_restricted: bool


def lines(found: Channel, *, locale: str) -> tuple[str, ...]:
    """A heading and some paragraphs: permissions, rules, and what counts for adult content."""
    with i18n.use(locale):
        return (
            "### " + _("Pictures in this channel"),
            "\n".join(_permissions(found.place)),
            "\n".join(_rules(found)),
            "\n".join(_age(found)),
        )


def _permissions(place: Place) -> Iterator[str]:
    takes = permits.needed(private=False, thread=place.thread)

    def told(permit: Permit) -> tuple[str, str]:
        return "✅" if permit in place.permits else "❌", PURPOSES[permit]

    # What stands side by side for the same purpose shares a line.
    for (mark, purpose), same in groupby((*takes, Permit.HISTORY), key=told):
        names = ", ".join(f"**{_(NAMES[each])}**" for each in same)
        yield f"{mark} {names}: {_(purpose)}"
    if not {*takes, Permit.HISTORY} <= place.permits:
        yield _("Switch it on under Edit Channel → Permissions, for the bot's role.")


def _rules(found: Channel) -> Iterator[str]:
    place, house = found.place, found.house
    admitted = house.admits(channel_ids=place.channel_ids, role_ids=house.roles)
    yield _judged(found.barred, _("This server may use the bot."))
    yield _judged(admitted, _("The rules of this server allow pictures here."))
    if house.roles:
        who = " ".join(f"<@&{role}>" for role in sorted(house.roles)[:5])
        yield "ℹ️ " + _("For members with one of these roles: {roles}").format(roles=who)
    if house.log_channel is not None:
        where = f"<#{house.log_channel}>"
        if found.mute:
            yield "❌ " + _("The bot cannot write to the log channel {channel}.").format(
                channel=where
            )
        else:
            yield "✅ " + _("What happens is told in {channel}.").format(channel=where)


def _age(found: Channel) -> Iterator[str]:
    yield (
        "🔞 " + _("This channel is age-restricted.")
        if found.age_restricted
        else "ℹ️ " + _("This channel is not age-restricted.")
    )
    yield "-# " + _(
        "HiAPI refuses adult content, but its filter is a machine and may err. Discord allows such "
        "content in age-restricted channels only: keep the bot to those if that matters to you."
    )


def _judged(against: Complaint | None, well: str) -> str:
    if against is None:
        return f"✅ {well}"
    values = dict(against.values)
    problem, fix = _(against.problem).format(**values), _(against.fix).format(**values)
    return f"❌ **{problem}** {fix}"
