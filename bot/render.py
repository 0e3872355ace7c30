"""A reply as plain card values: which words, in which order, in the reader's language.

It owns every sentence of a card; it never imports discord and never fetches anything.
"""

import unicodedata
from dataclasses import replace

from bot import i18n, pauses, presses
from bot.catalog import Catalog, Complaint
from bot.errors import WORDS, Code
from bot.faces import Card as Card  # noqa: PLC0414 - whoever asks for cards asks here
from bot.faces import Shot as Shot  # noqa: PLC0414
from bot.faces import Tone as Tone  # noqa: PLC0414
from bot.i18n import _, ngettext
from bot.model import Delivery, End, Job, Kind, Reply, short_id
from bot.presses import Row
from bot.presses import Verb as Verb  # noqa: PLC0414 - a word of cards, kept there for its rows

# A card holds 4,000 characters in all; escaping may double a prompt.
PROMPT_SHOWN = 700
# Over pictures it is shorter: they are what a phone should show.
CAPTION_SHOWN = 280
ALT_SHOWN = 1000
LINKS_SHOWN = 1600

_MODELS = Catalog()


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


def caption(text: str) -> str:
    """A prompt over its pictures, cut after a word where words have spaces between them."""
    line = clean(text, limit=CAPTION_SHOWN)
    if not line.endswith("…") or line == clean(text, limit=PROMPT_SHOWN):
        return line
    head = line.rpartition(" ")[0].rstrip(" ,;:-")
    return f"{head}…" if 2 * len(head) > CAPTION_SHOWN else line


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
        return card(
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
    return card(
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
    return descent(reply, name)


def descent(reply: Reply, parent: str) -> str:
    """What a reply is of another one, by the button that asked for it."""
    if reply.made_by == Verb.REMIX:
        return _("Remix of {picture}").format(picture=parent)
    return _("Another version of {picture}").format(picture=parent)


def beside(card: Card, references: tuple[Shot, ...], *, locale: str) -> Card:
    """A card with pictures that also shows what they were made from, if there is anything."""
    if not card.shots or not references:
        return card
    with i18n.use(locale):
        return replace(card, made_from=references, made_from_title=_("From these images"))


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
        return card(
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


def card(
    reply: Reply,
    *,
    tone: Tone,
    heading: str,
    notes: tuple[str, ...],
    shots: tuple[Shot, ...] = (),
    rows: tuple[Row, ...] = (),
    lineage: str | None = None,
) -> Card:
    """What all cards have in common, around a heading and notes in the language in use."""
    prompt = reply.jobs[0].request.prompt
    return Card(
        reply_id=reply.id,
        tone=tone,
        heading=heading,
        asked_by=reply.target.user_id,
        prompt=caption(prompt) if shots else clean(prompt, limit=PROMPT_SHOWN),
        notes=notes,
        footer=_footer(reply),
        shots=shots,
        rows=rows,
        spoiler=reply.spoiler,
        lineage=lineage,
    )


def _footer(reply: Reply) -> str:
    """Short id, ratio, resolution, references, time taken, model: what may be cut comes last."""
    job = reply.jobs[0]
    request = job.request
    parts = [short_id(job.id), request.aspect_ratio, request.resolution]
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
    parts.append(request.model)
    return " · ".join(parts)
