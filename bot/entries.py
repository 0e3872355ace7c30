"""What happened in a server as its moderators read it: lines of the log channel, and reports.

It owns those words in a given language; it never posts them and never reads the ledger.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot import cards, charter, i18n, pages, render
from bot.errors import Code
from bot.i18n import _, ngettext
from bot.ledger.reports import Report
from bot.model import Reply, Rung, short_id

PROMPT_SHOWN = 150
REASON_SHOWN = 100  # of a report in a list of ten, which may hold 4,000 characters


@dataclass(frozen=True, slots=True)
class Line:
    """One entry in Discord's markdown; `quiet` is the same without a word that somebody typed."""

    text: str
    quiet: str


def made(reply: Reply, *, language: str) -> Line | None:
    """A public reply that was shown: its pictures, or that the service refused the prompt.

    None where there is nothing for moderators: it is private, or another kind of failure, or
    stands where they cannot see it.
    """
    if reply.target.private or not reply.target.present or reply.rung is Rung.DM:
        return None
    with i18n.use(language):
        request = reply.jobs[0].request
        count = sum(bool(job.outcome and job.outcome.pictures) for job in reply.jobs)
        who, where = _person(reply.target.user_id), _place(reply)
        if count:
            number = ngettext("{count} picture", "{count} pictures", count).format(count=count)
            facts = (who, number, request.model, request.aspect_ratio, request.resolution, where)
            quiet = f"**{_('Made')}** · " + " · ".join(facts)
            return Line(f"{quiet}\n-# {_typed(request.prompt, PROMPT_SHOWN)}", quiet)
        codes = {job.outcome.code for job in reply.jobs if job.outcome}
        if Code.REFUSED_PROMPT not in codes:
            return None
        # Not the prompt: what a content rule refused is not spread further.
        title = _("Refused by the picture service")
        text = " · ".join((f"**{title}**", who, request.model, where))
        return Line(text, text)


def reported(report: Report, reply: Reply | None, *, language: str) -> Line:
    """A report, with what can be done about it."""
    with i18n.use(language):
        asker = _person(reply.target.user_id) if reply is not None else ""
        where = _place(reply) if reply is not None else short_id(report.reply_id)
        said = _("{reporter} reported {picture} of {asker}.").format(
            reporter=_person(report.user_id), picture=where, asker=asker or "?"
        )
        quiet = f"**{_('Report')}** · {said}"
        do = _("Press Delete under the picture to remove it; /easel block stops whoever made it.")
        why = _typed(report.reason, len(report.reason) + 1)
        return Line(f"{quiet}\n> {why}\n-# {do}", f"{quiet}\n-# {do}")


def to_operator(report: Report) -> Line:
    """A report from where there are no moderators, for whoever runs the bot: ids and no text."""
    text = (
        f"⚠️ Easel: a picture was reported outside the servers that added the bot. "
        f"Reply {report.reply_id}, reported by {report.user_id}."
    )
    return Line(text, text)


def changed(user_id: int, names: Sequence[str], *, language: str) -> Line | None:
    """Rules that were set: which, never to what, for words that are not allowed stand there too."""
    with i18n.use(language):
        known = [_(charter.NAMES[name]) for name in names if name in charter.NAMES]
        text = f"**{_('Rules changed')}** · {_person(user_id)} · {', '.join(known)}"
        return Line(text, text) if known else None


def blocked(user_id: int, *, by: int, until: datetime | None, reason: str, language: str) -> Line:
    """A moderator lets a member ask no more."""
    with i18n.use(language):
        ends = charter.ends(until)
        quiet = f"**{_('Blocked')}** · {_person(user_id)} · {_by(by)} · {ends}"
        return Line(f"{quiet}\n> {_typed(reason, len(reason) + 1)}" if reason else quiet, quiet)


def unblocked(user_id: int, *, by: int, language: str) -> Line:
    """A moderator lets a member ask again."""
    with i18n.use(language):
        text = f"**{_('Unblocked')}** · {_person(user_id)} · {_by(by)}"
        return Line(text, text)


def left_out(count: int, *, language: str) -> Line:
    """How much there was too much of."""
    with i18n.use(language):
        said = ngettext(
            "{count} more picture is not listed here.",
            "{count} more pictures are not listed here.",
            count,
        ).format(count=count)
        return Line(f"-# {said}", f"-# {said}")


def listed(found: Sequence[tuple[Report, Reply]], *, locale: str) -> tuple[str, ...]:
    """The reports that moderators look through: paragraphs of Discord's markdown."""
    with i18n.use(locale):
        told = [
            f"{_place(reply)} · {_person(reply.target.user_id)} · {_at(report.at)}"
            f"\n> {_person(report.user_id)}: {_typed(report.reason, REASON_SHOWN)}"
            for report, reply in found
        ]
        said = "\n".join(told) or _("Nothing was reported.")
        hint = _("The 10 latest from the past 30 days. Deleted pictures are left out.")
        return "### " + _("Reported pictures"), said, f"-# {hint}"


def _person(user_id: int) -> str:
    return f"<@{user_id}>" if user_id else "?"  # 0 once they were forgotten


def _at(moment: datetime) -> str:
    return f"<t:{int(moment.timestamp())}:R>"


def _by(user_id: int) -> str:
    return _("by {moderator}").format(moderator=_person(user_id))


def _place(reply: Reply) -> str:
    """The picture's short id, as a link to its message where Easel knows that."""
    name, link = short_id(reply.jobs[0].id), pages.link(reply)
    if link is None and reply.target.guild_id is not None and reply.rung is Rung.CHANNEL:
        # It was posted anew, in a message whose id nobody wrote down: the channel at least.
        link = f"https://discord.com/channels/{reply.target.guild_id}/{reply.target.channel_id}"
    return name if link is None else f"[{name}]({link})"


def _typed(text: str, limit: int) -> str:
    """Somebody's words so that Discord makes nothing of them."""
    return cards.escape(render.clean(text, limit=limit))
