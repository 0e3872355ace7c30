"""Shows finished replies: settled -> delivered | parked | undeliverable.

It owns fitting the pictures, the final card and when to come again; it never asks HiAPI about a
task.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from bot import images, pickup, render
from bot.catalog import Catalog
from bot.claims import Claims
from bot.clock import Clock
from bot.errors import Code
from bot.fetch import Fetcher
from bot.keeper import Keeper
from bot.ladder import Ladder
from bot.ledger import deliveries, leases, verbs
from bot.ledger.ledger import Ledger
from bot.ledger.privacy import ANONYMOUS
from bot.messenger import Messenger, Result, Shown
from bot.model import TOKEN_MARGIN, Delivery, Job, Reply, picture_name
from bot.pickup import Fetched, Pickup
from bot.references import References
from bot.render import Card, Shot

log = structlog.get_logger(__name__)

T = TypeVar("T")

LEASE = timedelta(seconds=30)
RENEW_EVERY = LEASE / 3
# The whole request may have 25 MiB, text and form included.
REQUEST_BYTES = 24 * 1024 * 1024
FIRST_POSTPONE = timedelta(seconds=5)
LONGEST_POSTPONE = timedelta(minutes=2)
# When an earlier edit may still come, the final one is repeated so much later: once Discord has
# answered or dropped whatever it had.
AGAIN = timedelta(seconds=15)
ATTEMPTS = 12  # about a quarter of an hour of Discord being out of order
# The bot may edit its own card for ever: after that quarter it tries now and then, for a day.
SLOW_POSTPONE = timedelta(minutes=10)
PUBLIC_ATTEMPTS = ATTEMPTS + timedelta(days=1) // SLOW_POSTPONE
HELD_UP = 6  # at this attempt, after about three minutes, an operator is told


class Deliverer:
    """One `step()` brings one reply to an end. Several may run at once, a lease each."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        fetcher: Fetcher,
        messenger: Messenger,
        ladder: Ladder,
        catalog: Catalog,
        keeper: Keeper,
        references: References,
        clock: Clock,
        worker: str,
        release: Callable[[str], Awaitable[bool]],
        at_once: int = 1,
    ) -> None:
        """`at_once`: how many rounds may run at once, for what is claimed ahead of them."""
        self._ledger = ledger
        self._pickup = Pickup(fetcher=fetcher, keeper=keeper, clock=clock)
        self._messenger = messenger
        self._ladder = ladder
        self._catalog = catalog
        self._keeper = keeper
        self._references = references
        self._clock = clock
        self._worker = worker
        self._release = release
        # One large picture at a time: re-encoding costs seconds of CPU and hundreds of megabytes.
        self._fitting = asyncio.Semaphore(1)
        self._claims: Claims[Reply] = Claims(
            most=at_once, life=LEASE / 2, give_back=self._give_back
        )

    async def step(self) -> int:
        """Deliver the reply that has waited longest. Returns 0 or 1."""
        if not self._messenger.ready:
            return 0
        now = self._clock()
        with self._claims.serving():
            claimed = await self._claims.take(now=now)
            reply = claimed[0] if claimed else await self._claim(self._ledger.run, now)
            if reply is None:
                return 0
            with structlog.contextvars.bound_contextvars(reply=reply.id), self._held(reply):
                stray = await self._release(reply.id)
                await self._deliver(reply, stray=stray)
        return 1

    def _claim(self, way: Callable[..., T], now: datetime) -> T:
        return way(deliveries.claim_reply, worker=self._worker, now=now, lease=LEASE)

    def claim_ahead(self) -> None:
        """A job is being settled: whoever is free will show its reply, so claim it at once."""
        if self._messenger.ready and self._claims.room():
            now = self._clock()
            self._claims.put(self._claim(self._ledger.ask, now), at=now)

    async def _give_back(self, reply: Reply, at: datetime) -> None:
        await self._ledger.run(leases.give_back, reply.id, worker=self._worker, until=at + LEASE)

    @contextmanager
    def _held(self, reply: Reply) -> Iterator[None]:
        """Renew the lease while the work inside goes on."""
        loop = asyncio.get_running_loop()

        # No task: most deliveries are over long before, and each would pay for it.
        timer: asyncio.TimerHandle

        def renew() -> None:
            nonlocal timer
            until = self._clock() + LEASE
            renewal = self._ledger.ask(deliveries.renew, reply.id, worker=self._worker, until=until)
            renewal.add_done_callback(_heard)
            timer = loop.call_later(RENEW_EVERY.total_seconds(), renew)

        timer = loop.call_later(RENEW_EVERY.total_seconds(), renew)
        try:
            yield
        finally:
            timer.cancel()

    async def _deliver(self, reply: Reply, *, stray: bool) -> None:
        fetched = await self._pickup.fetch(reply)
        if fetched.trouble:
            # From then on it costs none of the attempts that Discord has.
            uncounted = reply.attempts - 1 if reply.attempts > pickup.ATTEMPTS else None
            pause = max(_pause(reply), AGAIN) if stray else _pause(reply)
            await self._postpone(reply, pause, trouble=fetched.trouble, attempts=uncounted)
            return
        limit = reply.target.upload_limit
        parent = (
            await self._ledger.run(verbs.reply_of, reply.made_from) if reply.made_from else None
        )
        card = await self._card(reply, fetched, parent, limit=limit)
        beside = await self._references.shots(reply) if fetched.found else ()
        card = render.beside(card, beside, locale=reply.target.locale)
        shown = await self._ladder.climb(reply, card)
        if shown.result is Result.TOO_LARGE and card.shots:
            largest = max(len(shot.data) for shot in card.shots)
            log.warning("reply.too_large", size=largest, cause=shown.trouble)
            card = await self._card(reply, fetched, parent, limit=min(limit, largest) // 2)
            shown = await self._ladder.climb(reply, card)
        if shown.result in (Result.TOO_LARGE, Result.NO_FILES) and card.shots:
            log.warning("reply.linked", cause=shown.trouble)
            card = self._linked(reply, parent, too_large=shown.result is Result.TOO_LARGE)
            shown = await self._ladder.climb(reply, card)
        for lessened in (Card.quiet, Card.simple):
            if shown.result is Result.OBJECTIONABLE:
                log.warning("reply.objectionable", cause=shown.trouble)
                card = lessened(card)
                shown = await self._ladder.climb(reply, card)
        if shown.result is Result.REFUSED:
            shown = await self._simplify(reply, card, shown)
        # Nobody waits for the files: the card stands already.
        if not reply.target.private:
            await self._keep(fetched)
            await self._close(reply, shown, stray=stray)
            return
        # A public card may be edited again; a private one whose token died is beyond knowing. So
        # that it was shown is written down first, and what was erased in between is forgotten.
        await self._close(reply, shown, stray=stray)
        await self._keep(fetched)
        await self._let_go(reply)

    async def _keep(self, fetched: Fetched) -> None:
        for job_id, data in fetched.found.items():
            await self._keeper.keep_original(job_id, data)

    def _covered(self, reply: Reply, shown: Shown) -> bool:
        """Whether an earlier edit, if it came now, would cover what was shown, and can be undone.

        An edit is safe to repeat; a new message is out of its reach.
        """
        edited = shown.result is Result.SHOWN and shown.message_id is None
        target = reply.target
        public = target.present and not target.private
        return edited and (public or target.token_lives(self._clock(), margin=AGAIN + TOKEN_MARGIN))

    async def _simplify(self, reply: Reply, card: Card, shown: Shown) -> Shown:
        """Discord finds the card ill-formed: the picture must come all the same."""
        log.error("reply.card_refused", cause=shown.trouble)
        shown = await self._ladder.climb(reply, card.simple())
        if shown.result is not Result.REFUSED:
            return shown
        log.error("reply.simple_card_refused", cause=shown.trouble)
        return await self._ladder.post_anew(reply, card.simple())

    async def _card(
        self, reply: Reply, fetched: Fetched, parent: Reply | None, *, limit: int
    ) -> Card:
        if fetched.too_large:
            return self._linked(reply, parent)
        found, lost = fetched.found, fetched.lost
        jobs = [job for job in reply.jobs if job.id in found]
        try:
            fitted = await self._fitted([found[job.id] for job in jobs], limit=limit)
        except images.CannotFit as error:
            log.warning("picture.unfit", cause=str(error))
            return self._linked(reply, parent)
        except images.ImageError as error:
            log.error("picture.unfit", cause=f"{type(error).__name__}: {error}")
            unfit = {job.id: Code.PICTURE_LOST for job in jobs}
            return render.finished(
                reply, {}, lost=lost | unfit, catalog=self._catalog, parent=parent
            )
        shots = {
            job.id: Shot(
                filename=f"{picture_name(job.id, job.slot)}.{fit.extension}",
                data=fit.data,
                alt=render.alt_text(job),
                link=_link(job) if fit.reencoded else None,
            )
            for job, fit in zip(jobs, fitted, strict=True)
        }
        return render.finished(reply, shots, lost=lost, catalog=self._catalog, parent=parent)

    def _linked(self, reply: Reply, parent: Reply | None, *, too_large: bool = True) -> Card:
        return render.linked(
            reply, _links(reply), too_large=too_large, catalog=self._catalog, parent=parent
        )

    async def _fitted(self, pictures: list[bytes], *, limit: int) -> list[images.Fitted]:
        """The pictures within their limits; most are so already, and wait for no large one."""
        if images.fits(pictures, each=limit, total=REQUEST_BYTES):
            return images.fit_all(pictures, each=limit, total=REQUEST_BYTES)
        async with self._fitting:
            return await asyncio.to_thread(
                images.fit_all, pictures, each=limit, total=REQUEST_BYTES
            )

    async def _close(self, reply: Reply, shown: Shown, *, stray: bool) -> None:
        now = self._clock()
        if stray and self._covered(reply, shown):
            await self._postpone(reply, AGAIN, trouble="an earlier edit may come after this one")
            return
        if reply.attempts < _attempts(reply, shown.result):
            await self._postpone(reply, _pause(reply), trouble=shown.trouble)
            return
        delivery = Delivery.UNDELIVERABLE
        if shown.result is Result.SHOWN:
            delivery = Delivery.DELIVERED
        elif shown.result is Result.NOTED:
            delivery = Delivery.PARKED
        closed = await self._ledger.run(
            deliveries.close,
            reply.id,
            worker=self._worker,
            delivery=delivery,
            now=now,
            trouble=shown.trouble or None,
        )
        if not closed:
            await self._let_go(reply)
            return
        if delivery is Delivery.UNDELIVERABLE:
            log.error("reply.undeliverable", result=shown.result, cause=shown.trouble)
            return
        event = "reply.delivered" if delivery is Delivery.DELIVERED else "reply.parked"
        log.info(
            event,
            server=reply.target.guild_id,
            jobs=[job.id for job in reply.jobs],
            cause=shown.trouble or None,
            seconds=round((now - reply.ready_at).total_seconds(), 3),
        )

    async def _postpone(
        self, reply: Reply, pause: timedelta, *, trouble: str, attempts: int | None = None
    ) -> None:
        """Come again after a pause; only so many `attempts` count by then, if given."""
        log.warning("reply.postponed", cause=trouble, seconds=round(pause.total_seconds()))
        if reply.attempts == HELD_UP:
            log.error("reply.held_up", cause=trouble)
        postponed = await self._ledger.run(
            deliveries.postpone,
            reply.id,
            worker=self._worker,
            due_at=self._clock() + pause,
            trouble=trouble,
            attempts=attempts,
        )
        if not postponed:
            await self._let_go(reply)

    async def _let_go(self, reply: Reply) -> None:
        """Where somebody was first and erased the person, what was kept just now goes too."""
        now = await self._ledger.run(verbs.reply_of, reply.id)
        if now is None or now.target.user_id == ANONYMOUS:
            await self._keeper.forget(job.id for job in reply.jobs)


def _heard(renewal: asyncio.Future[bool]) -> None:
    """What is under way has no part in a renewal that failed, and the next one may succeed."""
    if not renewal.cancelled() and renewal.exception() is not None:
        log.warning("reply.not_renewed", cause=str(renewal.exception()))


def _pause(reply: Reply) -> timedelta:
    """How long a reply waits for its next attempt: ever longer."""
    if reply.attempts >= ATTEMPTS:
        return SLOW_POSTPONE
    longer: int = 2 ** (reply.attempts - 1)
    return min(FIRST_POSTPONE * longer, LONGEST_POSTPONE)


def _attempts(reply: Reply, result: Result) -> int:
    """How many attempts such a result leaves a reply; none where another would change nothing."""
    if result is Result.LATER and reply.target.present and not reply.target.private:
        return PUBLIC_ATTEMPTS
    return ATTEMPTS if result in (Result.LATER, Result.TOO_LARGE) else 0


def _links(reply: Reply) -> tuple[str, ...]:
    """The addresses of a reply's pictures, as far as a card may hold them."""
    found = (_link(job) for job in reply.jobs if job.outcome and job.outcome.pictures)
    return tuple(link for link in found if link is not None)


def _link(job: Job) -> str | None:
    """The original's address, if it may stand in a card: https and without a bracket."""
    assert job.outcome is not None  # noqa: S101 - only jobs with pictures come here
    url = job.outcome.pictures[0].url
    return url if url.startswith("https://") and not set(url) & set("()<> ") else None
