"""What was asked for so far, for the one who asked: pages of it, one request again, its lineage.

It owns what is looked up for that and how long it may take; it never changes a request and never
makes a thumbnail before somebody looks.
"""

import asyncio
import contextvars
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot import i18n, images, pages, pending, presses, render
from bot.catalog import Complaint
from bot.clock import Clock
from bot.errors import Code
from bot.i18n import N_
from bot.ledger import history
from bot.ledger.history import Kin
from bot.ledger.ledger import Ledger, LedgerError
from bot.model import Delivery, Job, Reply, Sort, Target, short_id
from bot.pages import Page
from bot.render import Card, Shot

T = TypeVar("T")

log = structlog.get_logger(__name__)

SIZE = 5  # entries of a page
SIDE = 192  # pixels of a thumbnail
AT_ONCE = 5  # thumbnails that are made at a time
THUMBNAILS = 500  # that are kept for paging back, a few kilobytes each
# Beyond this a page comes without the thumbnails and the looks at messages that are not there yet.
PATIENCE = timedelta(seconds=6)
REQUEST_BYTES = 24 * 1024 * 1024

_ID = re.compile(r"[a-z2-7]{4,16}")
_TROUBLE = Complaint(
    N_("The bot cannot look this up right now."), N_("Please try again in a minute.")
)


class Found(Protocol):
    """The picture of one job."""

    @property
    def job(self) -> Job: ...
    @property
    def data(self) -> bytes: ...


class Pictures(Protocol):
    """Where the pictures of finished jobs are found; what can be had nowhere is missing."""

    def pictures(self, reply: Reply) -> Coroutine[Any, Any, Sequence[Found]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks, where, in which language, and how much a file may weigh there (bytes)."""

    user_id: int
    guild_id: int | None
    locale: str
    upload_limit: int


@dataclass(frozen=True, slots=True)
class Opened:
    """One request as a card; `adopt` where the card that is opened should become the live one."""

    reply_id: str
    card: Card
    adopt: bool = False


class Past:
    """The door of the cogs to what was. Everything is read on behalf of a viewer."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        pictures: Pictures,
        stands: Callable[[Target], Awaitable[bool | None]],
        waiting: Callable[[Reply], Awaitable[Card]],
        clock: Clock,
    ) -> None:
        self.clock = clock
        self._ledger = ledger
        self._pictures = pictures
        self._stands = stands
        self._waiting = waiting
        self._scope = contextvars.copy_context()
        self._thumbnails: OrderedDict[str, bytes] = OrderedDict()
        self._making = asyncio.Semaphore(AT_ONCE)
        # As at delivery: what is too large costs seconds of CPU and hundreds of megabytes.
        self._fitting = asyncio.Semaphore(1)

    async def page(self, viewer: Viewer, *, number: int, sort: Sort, text: str) -> Page | Complaint:
        """A page of the viewer's own requests, newest first."""
        text = render.clean(text, limit=pages.TEXT_LIMIT)
        try:
            found = await self._ledger.run(
                history.page, viewer.user_id, number=number, size=SIZE, sort=sort, text=text
            )
        except (SQLAlchemyError, LedgerError) as error:
            log.error("past.not_read", cause=str(error))
            return _TROUBLE
        jumps, thumbnails = await asyncio.gather(
            self._jumps(found.replies),
            _within(
                {
                    job.id: self._thumbnail(reply, job)
                    for reply in found.replies
                    if (job := pages.first_picture(reply)) is not None and _may_be_seen(reply)
                }
            ),
        )
        with i18n.use(viewer.locale):
            rows = tuple(
                pages.row(
                    reply,
                    jump=jumps.get(reply.id),
                    thumbnail=thumbnails.get(job.id) if job else None,
                )
                for reply in found.replies
                for job in (pages.first_picture(reply),)
            )
            return pages.page(found, rows, size=SIZE, sort=sort, text=text)

    def forget(self, job_ids: Iterable[str]) -> None:
        """Their person was erased: thumbnails of these jobs go."""
        for job_id in job_ids:
            self._thumbnails.pop(job_id, None)

    async def find(self, viewer: Viewer, given: str) -> str | Complaint:
        """The id of the viewer's own reply that is meant, or why that is not clear.

        Of words it is the newest one whose prompt contains them.
        """
        wanted, text = given.strip().lower(), render.clean(given, limit=pages.TEXT_LIMIT)
        try:
            found: Sequence[str] = ()
            if _ID.fullmatch(wanted):
                found = await self._ledger.run(history.named, wanted, user_id=viewer.user_id)
            if not found and text:
                newest = await self._ledger.run(
                    history.page, viewer.user_id, number=0, size=1, sort=Sort.ALL, text=text
                )
                found = [reply.id for reply in newest.replies]
        except (SQLAlchemyError, LedgerError) as error:
            log.error("past.not_read", cause=str(error))
            return _TROUBLE
        if len(found) > 1:
            return Complaint(
                N_("Several of your pictures have an id that begins with {id}."),
                N_("Type more of it, or choose one from the list."),
                (("id", wanted.upper()),),
            )
        return found[0] if found else _unknown(given)

    async def open(self, viewer: Viewer, reply_id: str) -> Opened | Complaint:
        """One request of the viewer's own as a card, as it stands now, with its lineage."""
        try:
            reply = await self._ledger.run(history.own, reply_id, user_id=viewer.user_id)
            if reply is None:
                return _unknown("")
            kin = await self._ledger.run(
                history.kin, reply, viewer_id=viewer.user_id, guild_id=viewer.guild_id
            )
        except (SQLAlchemyError, LedgerError) as error:
            log.error("past.not_read", cause=str(error))
            return _TROUBLE
        known = (reply, *kin.ancestors, *kin.children)
        jumps = await self._jumps(known)
        # Whoever reads it now may have changed their language since.
        reply = reply.evolve(target=replace(reply.target, locale=viewer.locale))
        adopt = self._wants_adoption(reply)
        with i18n.use(viewer.locale):
            card = await self._card(reply, viewer)
            notes = _notes(reply, kin, jumps, moves=adopt)
        card = replace(card, notes=(*card.notes, *notes), rows=presses.own(card.rows))
        return Opened(reply.id, card, adopt=adopt)

    async def _card(self, reply: Reply, viewer: Viewer) -> Card:
        if reply.delivery is Delivery.WITHDRAWN:
            return pages.never_begun(reply)
        if reply.delivery is Delivery.CANCELLED:
            begun = sum(job.first_post_at is not None for job in reply.jobs)
            return pending.cancelled(reply, begun=begun)
        if not reply.settled:
            return await self._waiting(reply)
        found = {one.job.id: one for one in await self._fetched(reply)}
        jobs = [job for job in reply.jobs if job.id in found]
        lost = {
            job.id: Code.PICTURE_LOST
            for job in reply.jobs
            if job.outcome and job.outcome.pictures and job.id not in found
        }
        try:
            async with self._fitting:
                fitted = await asyncio.to_thread(
                    images.fit_all,
                    [found[job.id].data for job in jobs],
                    each=viewer.upload_limit,
                    total=REQUEST_BYTES,
                )
        except images.ImageError as error:
            log.error("past.unfit", reply=reply.id, cause=f"{type(error).__name__}: {error}")
            return render.finished(
                reply, {}, lost=lost | {job.id: Code.PICTURE_LOST for job in jobs}
            )
        shots = {
            job.id: Shot(
                filename=f"{short_id(job.id).lower()}-{job.slot + 1}.{fit.extension}",
                data=fit.data,
                alt=render.alt_text(job),
            )
            for job, fit in zip(jobs, fitted, strict=True)
        }
        return render.finished(reply, shots, lost=lost)

    def _wants_adoption(self, reply: Reply) -> bool:
        """Whether the live card of a request under way cannot be reached any more, or is a note."""
        if reply.settled or reply.delivery is not Delivery.OPEN:
            return False
        target = reply.target
        public = target.present and not target.private
        return not public and (reply.noted or not target.token_lives(self.clock()))

    async def _thumbnail(self, reply: Reply, job: Job) -> bytes | None:
        if job.id in self._thumbnails:
            self._thumbnails.move_to_end(job.id)
            return self._thumbnails[job.id]
        async with self._making:
            found = await self._fetched(reply.evolve(jobs=(job,)))
            if not found:
                return None
            try:
                made = await asyncio.to_thread(images.thumbnail, found[0].data, side=SIDE)
            except images.ImageError as error:
                log.info("past.no_thumbnail", job=job.id, cause=f"{type(error).__name__}: {error}")
                return None
        self._thumbnails[job.id] = made
        while len(self._thumbnails) > THUMBNAILS:
            self._thumbnails.popitem(last=False)
        return made

    async def _fetched(self, reply: Reply) -> Sequence[Found]:
        # In the context of the process, not of one interaction: connections and their timers
        # outlive whoever asked first (a simulated Discord would wait for them).
        fetching = self._pictures.pictures(reply)
        return await self._scope.copy().run(asyncio.create_task, fetching)

    async def _jumps(self, replies: Sequence[Reply]) -> dict[str, str]:
        """Where the messages of these replies stand, without those that are known to be gone."""
        links = {reply.id: jump for reply in replies if (jump := pages.link(reply)) is not None}
        looks = {reply.id: self._stands(reply.target) for reply in replies if reply.id in links}
        stand = await _within(looks)
        return {
            reply_id: jump for reply_id, jump in links.items() if stand.get(reply_id) is not False
        }


def _may_be_seen(reply: Reply) -> bool:
    """Whether a person gets to see what was made: of what they cancelled they were told no."""
    return reply.delivery not in (Delivery.CANCELLED, Delivery.WITHDRAWN)


def _notes(reply: Reply, kin: Kin, jumps: dict[str, str], *, moves: bool) -> list[str]:
    """What an opened card says beyond what it said where it was shown."""
    notes = []
    if not reply.settled and reply.delivery is Delivery.OPEN and not moves:
        notes.append(pages.elsewhere())
    lineage = pages.lineage(reply, kin, jumps)
    if lineage is not None:
        notes.append(lineage)
    if reply.id in jumps:
        notes.append(pages.shown_at(jumps[reply.id]))
    return notes


async def _within(work: dict[str, Awaitable[T]]) -> dict[str, T]:
    """What comes of these within PATIENCE, by name; the rest is given up."""
    tasks = {name: asyncio.ensure_future(each) for name, each in work.items()}
    if tasks:
        _, late = await asyncio.wait(tasks.values(), timeout=PATIENCE.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
    return {name: task.result() for name, task in tasks.items() if not task.cancelled()}


def _unknown(given: str) -> Complaint:
    if not given:
        return Complaint(
            N_("The bot does not know this picture of yours."),
            N_("Find yours with /history."),
        )
    return Complaint(
        N_("You have no picture with the id or the words {id}."),
        N_("An id begins the last line of a card. /history has all of yours."),
        (("id", f"`{render.clean(given, limit=20).replace('`', '')}`"),),
    )
