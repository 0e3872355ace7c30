"""The composition root: opens every part in order, wires them, closes them in reverse.

It alone names concrete classes; it never does a stage's work.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot import clock as clocks
from bot import doors, events, fetch, forgetting, keeping, serving, version
from bot import watch as watches
from bot.allowance import Prices
from bot.archive import Archive
from bot.catalog import REFERENCE_BYTES
from bot.clock import Clock
from bot.delivery import Deliverer
from bot.discord_bot import EaselBot
from bot.fetch import Fetcher
from bot.hiapi.budget import Budget
from bot.hiapi.client import Client
from bot.houses import Houses
from bot.intake import Intake
from bot.journal import Journal
from bot.keeper import Keeper
from bot.ladder import Ladder
from bot.ledger import hearing, leases, overview, verbs
from bot.ledger.ledger import Followers, Ledger, LedgerError
from bot.ledger.watching import UnderWay
from bot.loops import Loop
from bot.media import Media
from bot.messenger import Messenger
from bot.metrics import Metrics
from bot.moderation import Moderation
from bot.past import Past
from bot.policy import Policy
from bot.progress import Progress
from bot.questions import Questions
from bot.recent import Recent
from bot.recovery import Recovery
from bot.reporting import Reporting
from bot.settings import Settings
from bot.submitter import Submitter
from bot.tastes import Tastes
from bot.tracker import Tracker
from bot.usage import Usage
from bot.watch import Watch
from bot.web import CALLBACK_PATH, WebServer
from cogs import uploads

log = structlog.get_logger(__name__)

SUBMITTERS = 8
LAST_EDITS = 2.0  # seconds that edits of waiting cards may still take at the end
DELIVERERS = 6  # each holds the pictures of one reply in memory
COMMANDS_FACT = "commands"


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """One process of Easel, opened. `start` sets the loops going, `stop` lets them finish."""

    settings: Settings
    clock: Clock
    bot: EaselBot
    ledger: Ledger
    intake: Intake
    past: Past
    recent: Recent
    tastes: Tastes
    submitter: Submitter
    tracker: Tracker
    progress: Progress
    deliverer: Deliverer
    recovery: Recovery
    messenger: Messenger
    journal: Journal
    keeper: Keeper
    forgetting: forgetting.Forgetting
    archive: Archive
    web: WebServer
    watch: Watch
    loops: tuple[Loop, ...]
    followers: Followers  # of the ledger's verbs, while the loops run
    worker: str  # whose leases are those of the stages

    async def start(self) -> None:
        """Begin to work; the bot must be logged in."""
        await self.tracker.load(self.intake.catalog.ids)
        self.ledger.follow(self.followers)
        for loop in self.loops:
            loop.start(excused=self.ledger.excuses)

    async def stop(self, *, grace: float = 20.0) -> dict[str, int]:
        """Take nothing new, let the rounds under way finish for at most `grace` seconds.

        Returns what is left for the next start: jobs by state, and replies that wait to be shown.
        """
        self.intake.closing = True
        self.ledger.follow({})
        await asyncio.gather(*(loop.stop(grace=grace) for loop in self.loops))
        await self.progress.stop(grace=LAST_EDITS)
        try:
            # What was claimed and not taken up, or not finished, is the next process's at once.
            await self.ledger.run(leases.leave, worker=self.worker)
            left = await self.ledger.read(overview.live)
        except (SQLAlchemyError, LedgerError) as error:
            log.warning("leases.kept", cause=str(error))  # they run out by themselves
            return {}
        return {str(state): jobs for state, jobs in left.states.items()} | {
            "undelivered": left.undelivered
        }

    async def sync(self) -> bool:
        """Tell Discord of the commands if they changed since it was last told."""
        fingerprint = await self.bot.fingerprint()
        if await self.ledger.run(verbs.fact, COMMANDS_FACT) == fingerprint:
            return False
        await self.bot.tree.sync()
        await self.ledger.run(verbs.keep_fact, COMMANDS_FACT, value=fingerprint)
        log.info("commands.synced")
        return True


@asynccontextmanager
async def opened(
    settings: Settings,
    *,
    clock: Clock = clocks.system,
    shard_count: int | None = None,
    discord_files: Callable[[str], Awaitable[fetch.Picture]] | None = None,
) -> AsyncIterator[App]:
    """Open all parts of one process. Raises LedgerError if the database cannot be used.

    `discord_files` fetches an address of Discord's, for a Discord that is on no network; it raises
    what `Fetcher.fetch` raises.
    """
    worker = leases.worker_name()
    catalog = settings.catalog()
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(Ledger(settings.database_url))
        await ledger.run(leases.free, worker=worker)
        budget = Budget(
            per_minute=settings.hiapi_requests_per_minute,
            concurrency=settings.hiapi_concurrency,
        )
        metrics = Metrics(version.read())
        client = await stack.enter_async_context(
            Client(
                api_key=settings.hiapi_api_key.get_secret_value(),
                base_url=settings.hiapi_base_url,
                budget=budget,
                now=clock,
                observe=metrics.requested,
            )
        )
        fetcher = await stack.enter_async_context(Fetcher(trusted=settings.hiapi_trusted_hosts))
        if discord_files is None:
            files = Fetcher(
                trusted=settings.discord_trusted_hosts,
                max_bytes=REFERENCE_BYTES,
                seconds=uploads.SECONDS,
            )
            discord_files = (await stack.enter_async_context(files)).fetch
        media = Media(fetch=discord_files, trusted=settings.discord_trusted_hosts)
        messenger = Messenger(clock=clock)
        kept = await keeping.wired(
            settings, clock, ledger=ledger, fetcher=fetcher, messenger=messenger
        )

        # The stages do not know each other: each is handed what to call when a row has moved.
        def queued(reply_id: str) -> None:
            submitting.wake()
            progress.changed(reply_id)

        def submitted(about: UnderWay) -> None:
            tracker.add(about)
            progress.changed(about.reply_id)

        def settled(reply_id: str) -> None:
            delivering.wake()
            # Where it was one of several, the card says how many are ready.
            progress.changed(reply_id)

        tracker = Tracker(
            ledger=ledger,
            client=client,
            budget=budget,
            clock=clock,
            every=timedelta(seconds=settings.hiapi_poll_every),
            settled=settled,
            pause=settings.pause(),
            moved=lambda reply_id: progress.changed(reply_id),  # noqa: PLW0108 - made below
        )
        progress = Progress(
            ledger=ledger,
            messenger=messenger,
            clock=clock,
            expected=tracker.durations.expected,
            held=lambda: submitter.held_by,
            wait=lambda ahead: timedelta(minutes=ahead / settings.hiapi_requests_per_minute),
            running_limit=settings.member_running,
        )
        recent = Recent(ledger=ledger, clock=clock)
        houses = Houses(ledger=ledger, clock=clock)
        journal = Journal(
            ledger=ledger,
            houses=houses,
            messenger=messenger,
            clock=clock,
            operator_channel=settings.alarm_channel,
        )
        stack.enter_context(events.heard(journal.listen))
        tastes = Tastes(ledger=ledger, clock=clock, offered=catalog.offered)
        await tastes.step()
        intake = Intake(
            ledger=ledger,
            catalog=catalog,
            policy=Policy(
                allowed_servers=settings.allowed_servers,
                allow_dms=settings.allow_dms,
                allow_user_install=settings.allow_user_install,
            ),
            allowances=settings.allowances(),
            prices=Prices.parse(settings.prices),
            houses=houses,
            member_limit=settings.member_waiting,
            references=kept.references,
            questions=Questions(ledger=ledger, clock=clock, above=settings.confirm_above),
            clock=clock,
            queued=queued,
            released=progress.release,
            asked=recent.changed,
        )
        past = Past(
            ledger=ledger,
            pictures=kept.archive,
            stands=messenger.stands,
            waiting=progress.card,
            clock=clock,
        )
        forget = forgetting.wired(
            settings,
            clock,
            ledger=ledger,
            keeper=kept.keeper,
            houses=houses,
            messenger=messenger,
            progress=progress,
            recent=recent,
            tastes=tastes,
            past=past,
        )
        submitter = Submitter(
            ledger=ledger,
            client=client,
            budget=budget,
            catalog=catalog,
            clock=clock,
            worker=worker,
            running_limit=settings.member_running,
            queue_max_age=timedelta(seconds=settings.queue_max_age),
            callback_url=(
                f"{settings.public_url}{CALLBACK_PATH}{{}}".format if settings.public_url else None
            ),
            submitted=submitted,
            settled=settled,
            held=progress.all_changed,
            at_once=SUBMITTERS,
            pause=settings.pause(),
        )
        deliverer = Deliverer(
            ledger=ledger,
            fetcher=fetcher,
            messenger=messenger,
            ladder=Ladder(ledger=ledger, messenger=messenger, clock=clock, worker=worker),
            keeper=kept.keeper,
            references=kept.references,
            catalog=catalog,
            clock=clock,
            worker=worker,
            release=progress.release,
            at_once=DELIVERERS,
        )
        recovery = Recovery(
            ledger=ledger, messenger=messenger, clock=clock, queued=queued, settled=settled
        )
        submitting = Loop("submitter", submitter.step, interval=1.0, workers=SUBMITTERS)
        tracking = Loop("tracker", tracker.step, interval=0.5)
        showing = Loop("progress", progress.step, interval=0.5)
        delivering = Loop("delivery", deliverer.step, interval=1.0, workers=DELIVERERS)

        bot = doors.gateway(
            settings,
            doors.Doors(
                intake=intake,
                past=past,
                recent=recent,
                tastes=tastes,
                dossiers=forget.dossiers,
                media=media,
                archive=kept.archive,
                copies=kept.copies,
                usage=Usage(
                    ledger=ledger,
                    allowances=settings.allowances(),
                    houses=houses,
                    clock=clock,
                ),
                moderation=Moderation(
                    ledger=ledger,
                    houses=houses,
                    clock=clock,
                    stopped=journal.stopped,
                    days=settings.retention_days,
                ),
                reporting=Reporting(ledger=ledger, clock=clock),
            ),
            messenger=messenger,
            shard_count=shard_count,
        )
        web = serving.wired(
            settings,
            clock,
            ledger=ledger,
            messenger=messenger,
            tracker=tracker,
            archive=kept.archive,
        )
        await web.start()
        stack.push_async_callback(web.stop)
        watch = await stack.enter_async_context(
            watches.opened(
                settings,
                clock,
                ledger=ledger,
                budget=budget,
                archive=kept.archive,
                messenger=messenger,
                metrics=metrics,
            )
        )
        yield App(
            settings=settings,
            clock=clock,
            bot=bot,
            ledger=ledger,
            intake=intake,
            past=past,
            recent=recent,
            tastes=tastes,
            submitter=submitter,
            tracker=tracker,
            progress=progress,
            deliverer=deliverer,
            recovery=recovery,
            messenger=messenger,
            journal=journal,
            keeper=kept.keeper,
            forgetting=forget,
            archive=kept.archive,
            web=web,
            watch=watch,
            loops=(
                submitting,
                tracking,
                showing,
                delivering,
                Loop("expiry", submitter.expire, interval=30.0),
                Loop("notes", progress.note, interval=10.0),
                Loop("recovery", recovery.step, interval=15.0),
                Loop("adoption", tracker.adopt, interval=15.0),
                Loop("journal", journal.step, interval=2.0),
                Loop("checkpoint", ledger.checkpoint, interval=15.0),
                Loop("tastes", tastes.step, interval=60.0),
                Loop("keeper", kept.keeper.step, interval=600.0),
                *forget.loops,
                *watch.loops,
            ),
            worker=worker,
            followers={
                verbs.confirm: submitter.claim_ahead,
                verbs.settle: deliverer.claim_ahead,
                hearing.settle_heard: deliverer.claim_ahead,
            },
        )
