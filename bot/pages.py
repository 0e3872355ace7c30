"""Words of what comes afterwards: history, lineage, defaults, help.

It owns every sentence of those; it never imports discord and never fetches anything.
"""

from dataclasses import dataclass
from datetime import datetime

from bot import cards, i18n, render
from bot.catalog import Model
from bot.errors import WORDS, Code
from bot.i18n import N_, Option, _, ngettext
from bot.ledger.history import Kin, Slice
from bot.model import Delivery, Job, Kind, Reply, Sort, State, Taste, short_id

PROMPT_SHOWN = 110
OPTION_SHOWN = 90
TEXT_LIMIT = 60  # of what is looked for: it stands in the ids of buttons
DEFAULT = "default"  # the choice of having none


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a history. `prompt` and `alt` are the person's own text: escape them.

    `state` is empty where nothing is to be said of it.
    """

    reply_id: str
    short_id: str
    prompt: str
    facts: str
    state: str
    link: str | None
    thumbnail: bytes | None
    spoiler: bool
    alt: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a history, from 0 to `last`. `text` is what the person looked for: escape it."""

    rows: tuple[Row, ...]
    heading: str
    notes: tuple[str, ...]
    number: int
    last: int
    sort: Sort
    text: str


@dataclass(frozen=True, slots=True)
class Pick:
    """One default that is chosen from several: (value, label) pairs, and the value that counts."""

    field: str
    label: str
    options: tuple[tuple[str, str], ...]
    chosen: str


@dataclass(frozen=True, slots=True)
class Toggle:
    """One default that is on or off."""

    field: str
    label: str
    on: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """A person's defaults, to be looked at and changed."""

    heading: str
    words: str
    picks: tuple[Pick, ...]
    toggles: tuple[Toggle, ...]
    sparing: str
    spared: tuple[Toggle, ...]
    reset: str


# --- history --------------------------------------------------------------------------------------


def link(reply: Reply) -> str | None:
    """Where a reply's message stands, if others could see it there too and Easel knows it."""
    target = reply.target
    # What was posted anew stands in a message whose id nobody wrote down.
    if target.private or target.message_id is None or reply.rung is not None:
        return None
    where = target.guild_id or "@me"
    return f"https://discord.com/channels/{where}/{target.channel_id}/{target.message_id}"


def first_picture(reply: Reply) -> Job | None:
    """The job whose picture stands for the whole reply."""
    return next((job for job in reply.jobs if job.outcome and job.outcome.pictures), None)


def row(reply: Reply, *, jump: str | None, thumbnail: bytes | None) -> Row:
    """One entry; `jump` leads to its message."""
    job = reply.jobs[0]
    count = len(reply.jobs)
    pictures = ngettext("{count} picture", "{count} pictures", count)
    facts = [
        _KINDS[job.request.kind],
        job.request.aspect_ratio,
        job.request.resolution,
        *([pictures.format(count=count)] if count > 1 else []),
        *([_("private")] if reply.target.private else []),
        _ago(reply.created_at),
    ]
    return Row(
        reply_id=reply.id,
        short_id=short_id(job.id),
        prompt=render.clean(job.request.prompt, limit=PROMPT_SHOWN) or "…",
        facts=" · ".join(facts),
        state=state(reply),
        link=jump,
        thumbnail=thumbnail,
        spoiler=reply.spoiler,
        alt=render.clean(job.request.prompt, limit=render.ALT_SHOWN),
    )


def state(reply: Reply) -> str:
    """What has become of a reply, in a few words; none where all of it was made and shown."""
    if reply.delivery in _OVER:
        return _(_OVER[reply.delivery])
    if not reply.settled:
        running = any(job.state in (State.SUBMITTING, State.SUBMITTED) for job in reply.jobs)
        return _("Being made") if running else _("In the queue")
    made = sum(bool(job.outcome and job.outcome.pictures) for job in reply.jobs)
    if not made:
        code = next((job.outcome.code for job in reply.jobs if job.outcome), None)
        return _(WORDS[code or Code.FAILED].title)
    if reply.delivery in (Delivery.PARKED, Delivery.UNDELIVERABLE):
        return _("Ready, not shown yet: open it here")
    if made < len(reply.jobs):
        return _("{made} of {count} ready").format(made=made, count=len(reply.jobs))
    return ""


_OVER = {Delivery.CANCELLED: N_("Cancelled"), Delivery.WITHDRAWN: N_("Never begun")}


def page(found: Slice, rows: tuple[Row, ...], *, size: int, sort: Sort, text: str) -> Page:
    """A page with its heading, or a friendly word where there is nothing."""
    last = max(0, (found.total - 1) // size)
    if found.total:
        notes = [
            ngettext("{count} request", "{count} requests", found.total).format(count=found.total),
            _("page {number} of {last}").format(number=found.number + 1, last=last + 1),
        ]
        if sort is not Sort.ALL:
            notes.append(_(SORTS[sort]))
    elif text:
        words = _("Nothing matches “{text}”. Try /history without options.")
        notes = [words.format(text=cards.escape(text))]
    elif sort is Sort.FAILED:
        notes = [_("Nothing of yours has failed.")]
    elif sort is not Sort.ALL:
        notes = [_("Nothing of yours matches. Try /history without options.")]
    else:
        told = _("Nothing here yet. Try this: /imagine {prompt}: a fox in the snow")
        notes = [told.format(prompt=Option("prompt"))]
    if found.cut:
        notes.append(_("only your newest requests were searched"))
    return Page(
        rows=rows,
        heading=_("Your pictures"),
        notes=tuple(notes),
        number=found.number,
        last=last,
        sort=sort,
        text=text,
    )


_KINDS = {Kind.IMAGINE: "/imagine", Kind.REMIX: "/remix"}
SORTS = {
    Sort.ALL: N_("everything"),
    Sort.IMAGINE: N_("made with /imagine"),
    Sort.REMIX: N_("made with /remix"),
    Sort.FAILED: N_("failed"),
}


def suggestion(prompt: str, job_id: str, at: datetime, *, now: datetime) -> str:
    """One of a person's jobs as a choice of 100 characters: Discord shows no timestamps there."""
    age = int((now - at).total_seconds())
    if age < _HOUR:
        when = _("{count} min ago").format(count=max(1, age // _MINUTE))
    elif age < _DAY:
        when = _("{count} h ago").format(count=age // _HOUR)
    else:
        count = age // _DAY
        when = ngettext("{count} day ago", "{count} days ago", count).format(count=count)
    end = f" · {short_id(job_id)} · {when}"
    return (render.clean(prompt, limit=100 - len(end)) + end)[:100]


_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


# --- one job --------------------------------------------------------------------------------------


def lineage(reply: Reply, kin: Kin, jumps: dict[str, str]) -> str | None:
    """Where a reply came from and what was made of it, on one line; `jumps` by reply id."""

    def named(other: Reply) -> str:
        short = short_id(other.jobs[0].id)
        return f"[{short}]({jumps[other.id]})" if other.id in jumps else short

    parts = []
    if kin.ancestors:
        parts.append(render.descent(reply, " ← ".join(named(each) for each in kin.ancestors)))
    if kin.children:
        line = ", ".join(named(each) for each in kin.children)
        if kin.more:
            line = _("{line} and {count} more").format(line=line, count=kin.more)
        parts.append(_("Made into {line}").format(line=line))
    return " · ".join(parts) or None


def shown_at(jump: str) -> str:
    return _("[Jump to it]({link})").format(link=jump)


def elsewhere() -> str:
    """Of a card that does not move, because the one that does stands somewhere else."""
    return _("This is how it stands now. It will be shown where you asked for it.")


def never_begun(reply: Reply) -> render.Card:
    """A request that Discord never took."""
    return render.Card(
        reply_id=reply.id,
        tone=render.Tone.FAILED,
        heading=_("Never begun"),
        asked_by=reply.target.user_id,
        prompt=render.clean(reply.jobs[0].request.prompt, limit=render.PROMPT_SHOWN),
        notes=(_("Nothing was made and nothing was counted. Please ask again."),),
        footer=short_id(reply.jobs[0].id),
    )


def _ago(time: datetime) -> str:
    return f"<t:{int(time.timestamp())}:R>"


# --- defaults -------------------------------------------------------------------------------------


def panel(taste: Taste, offered: dict[Kind, tuple[Model, ...]], *, locale: str) -> Panel:
    """A person's defaults; the models only where there is something to choose."""
    with i18n.use(locale):
        picks = [
            *(_ratio(kind, taste, models[0]) for kind, models in offered.items()),
            _pick(
                "resolution",
                _("Resolution"),
                next(iter(offered.values()))[0].resolutions,
                default=next(iter(offered.values()))[0].default_resolution,
                chosen=taste.resolution,
            ),
            *(
                _pick(
                    f"{kind}_model",
                    _("Model for {command}").format(command=_KINDS[kind]),
                    tuple(model.id for model in models),
                    default=models[0].id,
                    chosen=taste.model(kind),
                )
                for kind, models in offered.items()
                if len(models) > 1
            ),
        ]
        return Panel(
            heading=_("Your defaults"),
            words=_("Used when you leave an option out; what you set in a command wins."),
            picks=tuple(picks),
            toggles=(
                Toggle("private", _("Private"), taste.private),
                Toggle("spoiler", _("Spoiler"), taste.spoiler),
                Toggle("show_references", _("Show my images"), taste.show_references),
            ),
            sparing=_("Keep others from remixing"),
            spared=(
                Toggle("spare_messages", _("My messages and pictures"), taste.spare_messages),
                Toggle("spare_avatar", _("My avatar"), taste.spare_avatar),
            ),
            reset=_("Reset all"),
        )


def _ratio(kind: Kind, taste: Taste, model: Model) -> Pick:
    return _pick(
        f"{kind}_ratio",
        _("Ratio for {command}").format(command=_KINDS[kind]),
        model.ratios,
        default=model.default_ratio,
        chosen=taste.ratio(kind),
    )


def _pick(
    field: str, label: str, values: tuple[str, ...], *, default: str, chosen: str | None
) -> Pick:
    own = _("{value} (default)").format(value=default)
    options = ((DEFAULT, own), *((value, value) for value in values))
    # What a model took once and does not any more counts as not chosen.
    return Pick(
        field=field,
        label=label,
        options=options,
        chosen=chosen if chosen in values else DEFAULT,
    )


# --- help -----------------------------------------------------------------------------------------


def help_lines(*, day_limit: int | None, waiting: int, locale: str) -> tuple[str, ...]:
    """What the bot does, by example: paragraphs of Discord's markdown."""
    prompt = Option("prompt")
    with i18n.use(locale):
        parts = (
            (
                "### " + _("What I can do"),
                _("I make pictures from your words, and from your images."),
            ),
            (
                f"**{_('Try one of these')}**",
                f"`/imagine {prompt}: {_('a fox in the snow, watercolour')}`",
                f"`/imagine {prompt}: {_('a poster for a jazz night')}  {Option('count')}: 4`",
                f"`/remix {prompt}: {_('the first image as a mosaic')}  {Option('image1')}: …`",
                f"`/history {Option('text')}: {_('fox')}`",
            ),
            (
                f"**{_('Shortcuts')}**",
                _("The buttons under a picture work for months."),
                _("While you type a prompt, your last ones are suggested."),
                _("Right-click or hold a message or a person and choose Apps to remix it."),
            ),
            (
                f"**{_('Who sees what')}**",
                _("`private` shows a picture to you alone."),
                _("`spoiler` blurs it until somebody clicks it."),
                _("`/preferences` makes either your default."),
                _("`/privacy` says what I keep about you; there you can erase it."),
                _("**Report** under a picture tells the moderators of its server."),
            ),
            (
                f"**{_('Where is my picture?')}**",
                _("`/history` has all of yours, including private ones."),
                _("`/job` opens one of them by words of its prompt, or by the id on its card."),
            ),
            (
                f"**{_('Limits')}**",
                _("{count} of your pictures may wait at a time.").format(count=waiting),
                *(
                    [
                        _("I make at most {count} a day for everybody together.").format(
                            count=day_limit
                        )
                    ]
                    if day_limit is not None
                    else []
                ),
                _("`/usage` says what you used and what is left."),
                _("A prompt may have 20,000 characters: put a long one into a text file."),
                _("Moderators set the rules of their server with `/easel settings`."),
            ),
        )
        return tuple("\n".join(part) for part in parts)
