"""What was used and what is left, in words: a person's own, and a server's for its moderators.

It owns those words; it never counts and never decides what is allowed.
"""

from collections.abc import Iterable, Iterator

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot import i18n
from bot.allowance import UNLIMITED, Allowances, Limit, Spent, dollars, scopes_of
from bot.catalog import Complaint
from bot.clock import Clock
from bot.house import House
from bot.houses import Houses
from bot.i18n import N_, _, ngettext
from bot.ledger import budgets
from bot.ledger.ledger import Ledger, LedgerError
from bot.policy import Place

log = structlog.get_logger(__name__)

MEMBERS_SHOWN = 10
# A person who was forgotten: what they spent is nobody's.
NOBODY = "0"

_TROUBLE = Complaint(
    N_("The bot cannot look this up right now."), N_("Please try again in a minute.")
)
_WHOSE = {
    "bot": (N_("Everybody together, today"), N_("Everybody together, this month")),
    "server": (N_("This server today"), N_("This server this month")),
    "member": (N_("You today"), N_("You this month")),
    "person": (N_("You today"), N_("You this month")),
}
_OWN = ("member", "person")

Entry = tuple[Limit, Spent]


class Usage:
    """The door of the cogs to the counters."""

    def __init__(
        self, *, ledger: Ledger, allowances: Allowances, houses: Houses, clock: Clock
    ) -> None:
        self._ledger = ledger
        self._allowances = allowances
        self._houses = houses
        self._clock = clock

    async def own(self, place: Place, *, user_id: int, locale: str) -> tuple[str, ...] | Complaint:
        """What a person used here, and what stands above that with a limit of its own."""
        scopes = scopes_of(place.guild_id, user_id, present=place.installed)
        try:
            house = await self._houses.of(place.guild_id if place.installed else None)
            limits = self._limits(house, scopes, role_ids=place.role_ids)
            entries = await self._ledger.run(_spent, limits)
        except (SQLAlchemyError, LedgerError) as error:
            log.error("usage.not_read", user=user_id, cause=str(error))
            return _TROUBLE
        with i18n.use(locale):
            shown = [each for each in entries if _kind(each) in _OWN or _limited(each)]
            shown.sort(key=lambda each: (_whose(each), not _daily(each)))
            return "### " + _("What was used"), *_paragraphs(shown), _anew(entries)

    async def server(self, guild_id: int, *, locale: str) -> tuple[str, ...] | Complaint:
        """What a server used, and who of it used most this month."""
        try:
            house = await self._houses.of(guild_id)
            limits = self._limits(house, (f"server:{guild_id}",), role_ids=())
            entries = await self._ledger.run(_spent, limits)
            month = limits[-1].account.period
            prefix = f"member:{guild_id}:"
            members = await self._ledger.run(
                budgets.top, prefix=prefix, period=month, limit=MEMBERS_SHOWN
            )
        except (SQLAlchemyError, LedgerError) as error:
            log.error("usage.not_read", server=guild_id, cause=str(error))
            return _TROUBLE
        with i18n.use(locale):
            most = [f"**{_('Most used this month')}**"]
            for scope, spent in members:
                user = scope.removeprefix(prefix)
                who = _("Forgotten members") if user == NOBODY else f"<@{user}>"
                count = spent.pictures
                made = ngettext("{count} picture", "{count} pictures", count).format(count=count)
                cost = (f"${dollars(spent.micros)}",) if spent.micros else ()
                most.append(" · ".join((who, made, *cost)))
            if not members:
                most.append(_("Nobody yet."))
            return (
                "### " + _("What was used"),
                *_paragraphs(entries),
                _anew(entries),
                "\n".join(most),
            )

    def _limits(
        self, house: House, scopes: Iterable[str], *, role_ids: Iterable[int]
    ) -> tuple[Limit, ...]:
        allowances = house.narrows(self._allowances, role_ids=role_ids)
        return allowances.limits_of(scopes, at=self._clock())


def _spent(conn: sa.Connection, limits: Iterable[Limit]) -> list[Entry]:
    return [(limit, budgets.spent(conn, limit.account)) for limit in limits]


def _kind(entry: Entry) -> str:
    return entry[0].account.scope.partition(":")[0]


def _whose(entry: Entry) -> int:
    """One's own comes first, then the server's, then everybody's."""
    return ("member", "person", "server", "bot").index(_kind(entry))


def _daily(entry: Entry) -> bool:
    return len(entry[0].account.period) > len("2026-03")


def _limited(entry: Entry) -> bool:
    return min(entry[0].pictures, entry[0].micros) < UNLIMITED


def _anew(entries: Iterable[Entry]) -> str:
    """When days and months are counted anew, which is the same for all."""
    at = {_daily(each): int(each[0].resets_at.timestamp()) for each in entries}
    words = _("A new day starts {day}, a new month on {month}.")
    return "-# " + words.format(day=f"<t:{at[True]}:R>", month=f"<t:{at[False]}:D>")


def _paragraphs(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        limit, spent = entry
        title = _WHOSE[_kind(entry)][0 if _daily(entry) else 1]
        lines = [f"**{_(title)}**", " · ".join(_counted(limit, spent))]
        if limit.attempts < UNLIMITED:
            lines.append(
                _("Requests without a picture: {used} of {limit}").format(
                    used=spent.attempts, limit=limit.attempts
                )
            )
        elif spent.attempts:
            lines.append(_("Requests without a picture: {used}").format(used=spent.attempts))
        yield "\n".join(lines)


def _counted(limit: Limit, spent: Spent) -> Iterator[str]:
    pictures, money = _plain(spent) if spent.micros else (*_plain(spent), "")
    if limit.pictures < UNLIMITED:
        pictures = _("Pictures: {used} of {limit}, {left} left").format(
            used=spent.pictures,
            limit=limit.pictures,
            left=max(limit.pictures - spent.pictures, 0),
        )
    yield pictures
    if limit.micros < UNLIMITED:
        money = _("Cost: {used} of {limit}, {left} left").format(
            used=f"${dollars(spent.micros)}",
            limit=f"${dollars(limit.micros)}",
            left=f"${dollars(max(limit.micros - spent.micros, 0))}",
        )
    if money:
        yield money


def _plain(spent: Spent) -> tuple[str, ...]:
    pictures = _("Pictures: {used}").format(used=spent.pictures)
    if not spent.micros:
        return (pictures,)
    return pictures, _("Cost: {used}").format(used=f"${dollars(spent.micros)}")
