"""Whole lives of requests that race: asked, withdrawn, cancelled, sent, settled twice at once.

Whatever races, no account is ever seen above one of its limits, and in the end each holds what its
jobs' rows add up to: to the picture, the millionth of a dollar and the attempt.
"""

import asyncio
import dataclasses
import multiprocessing
import queue
import random
import threading
from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.allowance import Account, Allowances, Caps, Full, own_account, scopes_of
from bot.errors import OPERATORS, Code
from bot.ledger import asks, schema, verbs
from bot.ledger import queue as queued
from bot.ledger.ledger import Ledger
from bot.model import End, Outcome, Reply, State
from tests import build

LEASE = timedelta(minutes=1)
ENDS = {
    "pictures": build.pictures(),
    "failed": build.failure(),
    "refused": build.failure(Code.REFUSED_PROMPT, end=End.REFUSED),
    "model gone": build.failure(Code.MODEL_GONE, end=End.REFUSED),
    "unknown": build.failure(Code.LOST, end=End.UNKNOWN),
}
FATES = ["waits", "withdrawn", "cancelled", "expired", *ENDS]


@dataclasses.dataclass(frozen=True)
class Wish:
    """One request and what becomes of it, or of whichever job is next by then."""

    user: int
    guild: int | None
    count: int
    price: int | None
    fate: str

    def reply(self, number: int) -> Reply:
        reply = build.reply(
            count=self.count, user_id=self.user, guild_id=self.guild, interaction_id=number
        )
        return reply.evolve(jobs=tuple(job.evolve(price=self.price) for job in reply.jobs))


async def live(ledger, wish: Wish, reply: Reply, limits, *, worker: str):
    """Let a request live as far as its fate says; what the ledger said at its door."""
    answer = await ledger.run(asks.receive, reply, limits=limits)
    if answer == reply and wish.fate == "withdrawn":
        await ledger.run(verbs.withdraw, reply.id, now=build.NOW)
    elif answer == reply:
        await ledger.run(verbs.confirm, reply.id, message_id=7, private=False, now=build.NOW)
        if wish.fate == "cancelled":
            await ledger.run(queued.cancel, reply.id, user_id=wish.user, now=build.NOW)
        elif wish.fate == "expired":
            outcome = Outcome(end=End.EXPIRED, code=Code.EXPIRED)
            await asyncio.gather(*(settle(ledger, job.id, outcome) for job in reply.jobs))
        elif wish.fate in ENDS:
            await send(ledger, worker=worker, outcome=ENDS[wish.fate], count=wish.count)
    return answer


async def send(ledger, *, worker: str, outcome: Outcome, count: int):
    claim = {"worker": worker, "now": build.NOW, "lease": LEASE, "body": lambda _: b"{}"}
    for _ in range(count):
        job = await ledger.run(verbs.begin, **claim)
        if job is not None:
            # Twice at once, as a callback and the poller would.
            await asyncio.gather(*(settle(ledger, job.id, outcome) for _ in range(2)))


async def settle(ledger, job_id: str, outcome: Outcome):
    return await ledger.run(verbs.settle, job_id, outcome=outcome, now=build.NOW)


def accounts(conn):
    """Every account with its pictures, millionths of a dollar and attempts."""
    found = conn.execute(sa.select(schema.spending))
    return {
        Account(row.scope, row.period): (row.pictures, row.micros, row.attempts) for row in found
    }


def recounted(conn):
    """The same, from the jobs themselves; accounts that came to nothing are left out."""
    sums: dict[str, Counter[Account]] = {
        name: Counter() for name in ("pictures", "micros", "tried")
    }
    query = sa.select(schema.jobs, schema.replies.c.guild_id, schema.replies.c.present).join(
        schema.replies, schema.replies.c.id == schema.jobs.c.reply_id
    )
    for row in conn.execute(query):
        scopes = scopes_of(row.guild_id, row.user_id, present=row.present)
        outcome = row.outcome and Outcome.load(row.outcome)
        sent = row.first_post_at is not None
        gone = row.state == State.WITHDRAWN or (outcome is not None and not sent)
        without = outcome is not None and outcome.end in (End.FAILED, End.REFUSED)
        if not gone and not without:
            for scope in scopes:
                for form in ("%Y-%m-%d", "%Y-%m"):
                    account = Account(scope, f"{row.created_at:{form}}")
                    sums["pictures"][account] += 1
                    sums["micros"][account] += row.price or 0
        came = outcome is not None and outcome.end is End.PICTURES
        excused = without and outcome.code in OPERATORS
        if not gone and not came and not excused:
            sums["tried"][Account(scopes[-1], f"{row.created_at:%Y-%m-%d}")] += 1
    touched = set().union(*sums.values())
    return {each: tuple(sums[name][each] for name in sums) for each in touched}


def overshot(found, allowances: Allowances, wishes):
    """The accounts that stand above one of their limits, which must never be seen."""
    most = {
        limit.account: (limit.pictures, limit.micros, limit.attempts)
        for wish in wishes
        for limit in allowances.limits(wish.reply(1).target, at=build.NOW)
    }
    return [
        (account, counted, most[account])
        for account, counted in found.items()
        if any(had > may for had, may in zip(counted, most[account], strict=True))
    ]


async def check(ledger, allowances, wishes):
    found = await ledger.run(accounts)
    assert overshot(found, allowances, wishes) == []
    assert {each: counted for each, counted in found.items() if any(counted)} == await ledger.run(
        recounted
    )


# --- whatever hypothesis thinks of, in two ledgers at once ----------------------------------------

wishes = st.builds(
    Wish,
    user=st.sampled_from([1, 2]),
    guild=st.sampled_from([1, 2, None]),
    count=st.integers(1, 4),
    price=st.sampled_from([None, 10, 30]),
    fate=st.sampled_from(FATES),
)
numbers = st.none() | st.integers(0, 12)
money = st.none() | st.integers(0, 200)
caps = st.builds(Caps, numbers, numbers, money, money)
rules = st.builds(
    Allowances, bot=caps, server=caps, member=caps, outsider=caps, failed_per_day=st.integers(0, 12)
)


@pytest.fixture
async def pair(ledger_url):
    """Two ledgers on one database: as two processes would have, each with threads of its own."""
    async with (
        Ledger(ledger_url, lock_wait_ms=30_000) as one,
        Ledger(ledger_url, lock_wait_ms=30_000) as other,
    ):
        yield one, other


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(allowances=rules, script=st.lists(wishes, min_size=2, max_size=12))
async def test_whatever_races_no_limit_is_passed_and_the_rows_agree(pair, allowances, script):
    def clear(conn):
        for table in (schema.jobs, schema.replies, schema.spending):
            conn.execute(sa.delete(table))

    await pair[0].run(clear)
    replies = [wish.reply(number) for number, wish in enumerate(script, start=1)]
    answers = await asyncio.gather(
        *(
            live(
                pair[number % 2],
                wish,
                reply,
                allowances.limits(reply.target, at=build.NOW),
                worker=f"worker {number % 2}",
            )
            for number, (wish, reply) in enumerate(zip(script, replies, strict=True))
        )
    )
    await check(pair[0], allowances, script)
    for reply, answer in zip(replies, answers, strict=True):
        assert answer == reply or isinstance(answer, Full)
        if isinstance(answer, Full):
            # It was this person's or place's limit, and it says what stood against it then.
            assert answer.limit in allowances.limits(reply.target, at=build.NOW)
            had = getattr(answer.spent, answer.counted)
            own = answer.limit.account == own_account(reply.target, at=build.NOW)
            more = {
                "pictures": len(reply.jobs),
                "micros": sum(job.price or 0 for job in reply.jobs),
                "attempts": len(reply.jobs) if own else 0,
            }
            assert had + more[answer.counted] > getattr(answer.limit, answer.counted)


# --- many workers, and somebody who looks on all the while ---------------------------------------

WORKERS, EACH = 4, 40
BUSY = Allowances(
    bot=Caps.parse("90/day, 100/month, $3/day"),
    server=Caps.parse("45/day, $2.50/month"),
    member=Caps.parse("14/day, $0.60/day, 16/month"),
    outsider=Caps.parse("6/day"),
    failed_per_day=12,
)


def storm_of(seed: int) -> list[Wish]:
    chance = random.Random(seed)  # noqa: S311 - the same each time
    return [
        Wish(
            user=chance.randint(1, 5),
            guild=chance.choice([1, 1, 2, None]),
            count=chance.randint(1, 4),
            price=chance.choice([None, 20_000, 40_000]),
            fate=chance.choice(FATES),
        )
        for _ in range(EACH)
    ]


def _storm(url: str, seed: int, barrier, results) -> None:
    """Half of the wishes at a time, and after each a look at every account."""

    async def storm():
        script = storm_of(seed)
        seen, full = [], Counter()
        async with Ledger(url, lock_wait_ms=60_000) as ledger:
            barrier.wait(60)
            slots = asyncio.Semaphore(EACH // 2)

            async def one(number, wish):
                async with slots:
                    reply = wish.reply(1000 * (seed + 1) + number)
                    limits = BUSY.limits(reply.target, at=build.NOW)
                    answer = await live(ledger, wish, reply, limits, worker=f"worker {seed}")
                    if isinstance(answer, Full):
                        full[answer.limit.account.scope.partition(":")[0], answer.counted] += 1
                    seen.extend(overshot(await ledger.read(accounts), BUSY, every))

            every = [wish for other in range(WORKERS) for wish in storm_of(other)]
            await asyncio.gather(*(one(*each) for each in enumerate(script)))
        return seen, full

    told = None
    try:
        told = asyncio.run(storm())
    finally:
        results.put(told)


@pytest.mark.parametrize("kind", ["processes", "threads"])
async def test_a_storm_is_never_seen_above_a_limit(ledger_url, kind):
    if kind == "processes":
        context = multiprocessing.get_context("spawn")
        barrier, results, worker = context.Barrier(WORKERS), context.Queue(), context.Process
    else:
        barrier, results, worker = threading.Barrier(WORKERS), queue.Queue(), threading.Thread
    crew = [
        worker(target=_storm, args=(ledger_url, seed, barrier, results), daemon=True)
        for seed in range(WORKERS)
    ]
    for each in crew:
        each.start()
    told = [await asyncio.to_thread(results.get, True, 120) for _ in crew]
    for each in crew:
        await asyncio.to_thread(each.join, 60)
    assert None not in told, "a worker failed: it says why above"
    refused: Counter[tuple[str, str]] = Counter()
    for seen, full in told:
        assert seen == []
        refused += full
    # It was a storm: several kinds of limits stood in its way.
    assert len(refused) >= 3, refused
    async with Ledger(ledger_url) as ledger:
        await check(ledger, BUSY, [wish for seed in range(WORKERS) for wish in storm_of(seed)])
