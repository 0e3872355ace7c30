"""What /privacy says, in words: what is kept, what others hold, what an erasure does.

It owns those sentences; it never counts and never erases.
"""

from bot import i18n
from bot.dossiers import Dossier, Export
from bot.i18n import N_, _, ngettext
from bot.ledger.privacy import Erased

MEGABYTE = 1024 * 1024

# The buttons of the panel, and of the question that comes before an erasure.
EXPORT, ERASE, REALLY, KEEP = "export", "erase", "really", "keep"
LABELS = {
    EXPORT: N_("Export"),
    ERASE: N_("Erase"),
    REALLY: N_("Erase it for good"),
    KEEP: N_("Keep it"),
}


def buttons(*verbs: str, locale: str) -> tuple[tuple[str, str], ...]:
    """These buttons with their labels."""
    with i18n.use(locale):
        return tuple((verb, _(LABELS[verb])) for verb in verbs)


def panel(dossier: Dossier, *, addresses: tuple[str, str], locale: str) -> tuple[str, ...]:
    """What is kept, where and how long: paragraphs of Discord's markdown."""
    with i18n.use(locale):
        parts = ["### " + _("What I keep about you") + "\n" + "\n".join(_kept(dossier))]
        parts.append(f"**{_('How long')}**\n" + "\n".join(_how_long(dossier)))
        elsewhere = (
            _("Discord has the messages. Delete under a picture removes its message."),
            _(
                "HiAPI, which makes the pictures, got your prompts and images. Its picture links "
                "expire after about a week. It does not say what else it keeps. I cannot delete "
                "anything there."
            ),
        )
        parts.append(
            f"**{_('What others hold')}**\n" + "\n".join(f"- {line}" for line in elsewhere)
        )
        policy, terms = addresses
        links = [f"[{_('Privacy policy')}](<{policy}>)"] if policy else []
        links += [f"[{_('Terms of use')}](<{terms}>)"] if terms else []
        if links:
            parts.append(" · ".join(links))
        return tuple(parts)


def _kept(dossier: Dossier) -> list[str]:
    told = dossier.summary
    if told.since is None:
        lines = [_("no requests")]
    else:
        requests = ngettext("{count} request", "{count} requests", told.requests)
        pictures = ngettext("{count} picture", "{count} pictures", told.pictures)
        lines = [
            _("{requests} and {pictures} since {since}").format(
                requests=requests.format(count=told.requests),
                since=f"<t:{int(told.since.timestamp())}:D>",
                pictures=pictures.format(count=told.pictures),
            ),
        ]
    files = dossier.files
    if files.files:
        line = ngettext(
            "{count} kept file, {size} MB", "{count} kept files, {size} MB", files.files
        )
        size = f"{max(files.size / MEGABYTE, 0.1):.1f}"
        lines.append(line.format(count=files.files, size=size))
    if told.defaults:
        lines.append(_("your choices in /preferences"))
    if told.reports:
        line = ngettext("{count} report of yours", "{count} reports of yours", told.reports)
        lines.append(line.format(count=told.reports))
    lines.append(_("how much you used, by day and month"))
    return [f"- {line}" for line in lines]


def _how_long(dossier: Dossier) -> list[str]:
    lines = [_("Requests stay until you erase them.")]
    if dossier.days:
        line = ngettext(
            "Requests are forgotten {count} day after they ended.",
            "Requests are forgotten {count} days after they ended.",
            dossier.days,
        )
        lines = [line.format(count=dossier.days)]
    if dossier.days_here is not None:
        line = ngettext(
            "In this server after {count} day.",
            "In this server after {count} days.",
            dossier.days_here,
        )
        lines.append(line.format(count=dossier.days_here))
    return [*lines, _("Their buttons then stop working. Totals stay, without your name.")]


def question(dossier: Dossier, *, locale: str) -> tuple[str, ...]:
    """What is asked once more before an erasure: what goes, what stays."""
    with i18n.use(locale):
        goes = [
            _("your prompts, and the images and pictures that I kept"),
            _("your history; the buttons under your pictures stop working"),
            _("your choices in /preferences, also that others may not remix you"),
        ]
        if dossier.summary.under_way:
            line = ngettext(
                "{count} picture under way is cancelled; if it was begun, it counts",
                "{count} pictures under way are cancelled; those that were begun count",
                dossier.summary.under_way,
            )
            goes.append(line.format(count=dossier.summary.under_way))
        stays = (
            _("messages in Discord: if they should go too, press Delete under them first"),
            _("what HiAPI has"),
            _("counts, times and models, without your name; until the month ends, what you used"),
            _("a block or a pause, if there is one"),
        )
        return (
            "### " + _("Erase everything about you?"),
            f"**{_('This goes')}**\n" + "\n".join(f"- {line}" for line in goes),
            f"**{_('This stays')}**\n" + "\n".join(f"- {line}" for line in stays),
            _("It cannot be undone. You can export everything first."),
        )


def erased(done: Erased, *, locale: str) -> tuple[str, ...]:
    """What an erasure came to."""
    with i18n.use(locale):
        line = ngettext(
            "{count} request was erased.", "{count} requests were erased.", done.replies
        )
        lines = [line.format(count=done.replies)]
        if done.cancelled:
            line = ngettext(
                "{count} picture under way was cancelled.",
                "{count} pictures under way were cancelled.",
                done.cancelled,
            )
            lines.append(line.format(count=done.cancelled))
        lines.append(_("All I still know is what you used this month."))
        lines.append(_("A block or a pause stays, if there is one."))
        return "### " + _("Erased"), "\n".join(lines)


def exported(made: Export, *, locale: str) -> str:
    """What is said beside the files."""
    with i18n.use(locale):
        lines = [_("Everything I keep about you, one record a line, with the kept files.")]
        if made.left_out:
            line = ngettext(
                "{count} kept file had no room here: press Original under its picture.",
                "{count} kept files had no room here: press Original under their pictures.",
                made.left_out,
            )
            lines.append(line.format(count=made.left_out))
        return "\n".join(lines)
