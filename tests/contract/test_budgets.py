"""Counters that hold when requests race, on both databases."""

import asyncio
import multiprocessing
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.allowance import Account, Counted, Full, Limit, Spent
from bot.ledger import budgets, schema
from bot.ledger.ledger import Ledger

TOMORROW = datetime(2026, 3, 15, tzinfo=UTC)
NEXT_MONTH = datetime(2026, 4, 1, tzinfo=UTC)
BOT = Account("bot", "2026-03-14")
MONTH = Account("bot", "2026-03")
MEMBER = Account("member:1:2", "2026-03-14")


def limit(account: Account, **most: int) -> Limit:
    return Limit(account, NEXT_MONTH if account is MONTH else TOMORROW, **most)


async def reserve(ledger, *limits, pictures=1, micros=0):
    return await ledger.run(budgets.reserve, limits, own=MEMBER, pictures=pictures, micros=micros)


async def spent(ledger, account=BOT):
    return await ledger.run(budgets.spent, account)


async def test_a_reservation_is_counted_everywhere(ledger):
    limits = [limit(BOT, pictures=9), limit(MONTH), limit(MEMBER)]
    assert await reserve(ledger, *limits, pictures=2, micros=30_000) is None
    for account, attempts in ((BOT, 0), (MONTH, 0), (MEMBER, 2)):
        assert await spent(ledger, account) == Spent(2, 30_000, attempts)


async def test_a_reservation_that_is_foreseen_is_what_becomes_of_it(ledger):
    """Whatever is counted already and whatever the limits: the same answer, and nothing raised."""

    @settings(max_examples=60, deadline=None)
    @given(
        counted=st.lists(st.integers(0, 4), min_size=3, max_size=3),
        most=st.lists(st.tuples(*[st.integers(0, 8)] * 3), min_size=3, max_size=3),
        pictures=st.integers(1, 4),
        micros=st.integers(0, 4),
    )
    def compare(conn, counted, most, pictures, micros):
        conn.execute(sa.delete(schema.spending))
        accounts = (BOT, MONTH, MEMBER)
        for account, number in zip(accounts, counted, strict=True):
            budgets.reserve(conn, [limit(account)], own=account, pictures=number, micros=number)
        limits = [
            limit(account, pictures=each[0], micros=each[1], attempts=each[2])
            for account, each in zip(accounts, most, strict=True)
        ]
        before = [budgets.spent(conn, account) for account in accounts]
        how = {"own": MEMBER, "pictures": pictures, "micros": micros}
        said = budgets.foresee(conn, limits, **how)
        assert [budgets.spent(conn, account) for account in accounts] == before
        assert budgets.reserve(conn, limits, **how) == said

    await ledger.run(compare)


async def test_without_limits_nothing_is_counted(ledger):
    assert await reserve(ledger) is None
    assert await spent(ledger) == Spent()


@pytest.mark.parametrize(
    ("most", "counted"),
    [
        ({"pictures": 3}, Counted.PICTURES),
        ({"micros": 50_000}, Counted.MICROS),
        ({"attempts": 3}, Counted.ATTEMPTS),
    ],
)
async def test_what_would_break_one_limit_is_counted_nowhere(ledger, most, counted):
    limits = [limit(BOT), limit(MEMBER, **most), limit(MONTH)]
    assert await reserve(ledger, *limits, pictures=2, micros=30_000) is None
    before = [await spent(ledger, account) for account in (BOT, MONTH, MEMBER)]
    full = await reserve(ledger, *limits, pictures=2, micros=30_000)
    assert full == Full(limits[1], counted, Spent(2, 30_000, 2))
    assert [await spent(ledger, account) for account in (BOT, MONTH, MEMBER)] == before


async def test_what_is_exactly_the_limit_is_allowed(ledger):
    most = limit(BOT, pictures=4, micros=40_000, attempts=4)
    assert await reserve(ledger, most, pictures=4, micros=40_000) is None
    assert isinstance(await reserve(ledger, most, pictures=1), Full)


async def test_a_limit_of_nothing_refuses_and_counts_nothing(ledger):
    full = await reserve(ledger, limit(BOT, pictures=0))
    assert full == Full(limit(BOT, pictures=0), Counted.PICTURES, Spent())
    assert await spent(ledger) == Spent()


async def test_what_is_given_back_may_be_reserved_again(ledger):
    most = limit(BOT, pictures=2)
    await reserve(ledger, most, pictures=2, micros=7)
    await ledger.run(budgets.give_back, [BOT], pictures=1, micros=7)
    assert await spent(ledger) == Spent(pictures=1, micros=0, attempts=0)
    assert await reserve(ledger, most) is None
    assert isinstance(await reserve(ledger, most), Full)


async def test_a_lowered_limit_only_stops_what_is_new(ledger):
    await reserve(ledger, limit(BOT, pictures=5), pictures=5)
    assert isinstance(await reserve(ledger, limit(BOT, pictures=2)), Full)
    assert (await spent(ledger)).pictures == 5


async def test_a_new_day_begins_at_nothing(ledger):
    today, tomorrow = limit(BOT, pictures=1), limit(Account("bot", "2026-03-15"), pictures=1)
    assert await reserve(ledger, today) is None
    assert isinstance(await reserve(ledger, today), Full)
    assert await reserve(ledger, tomorrow) is None


ACCOUNTS = [Account(scope, period) for scope in ("bot", "m") for period in ("d", "m")]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.tuples(
            st.sets(st.sampled_from(range(4)), min_size=1),
            st.integers(1, 4),
            st.integers(0, 9),
            st.integers(0, 6),
            st.integers(0, 20),
        ),
        max_size=12,
    )
)
async def test_it_counts_as_a_plain_model_does(ledger, steps):
    def clear(conn):
        conn.execute(sa.delete(schema.spending))

    await ledger.run(clear)
    model = dict.fromkeys(ACCOUNTS, (0, 0))
    for chosen, pictures, micros, most, money in steps:
        limits = [limit(ACCOUNTS[each], pictures=most, micros=money) for each in sorted(chosen)]
        fits = all(
            model[each.account][0] + pictures <= most and model[each.account][1] + micros <= money
            for each in limits
        )
        full = await reserve(ledger, *limits, pictures=pictures, micros=micros)
        assert (full is None) is fits
        if fits:
            for each in limits:
                had = model[each.account]
                model[each.account] = (had[0] + pictures, had[1] + micros)
        for account in ACCOUNTS:
            so_far = await spent(ledger, account)
            assert (so_far.pictures, so_far.micros) == model[account]


# --- when requests race ---------------------------------------------------------------------------

WORKERS, EACH, MOST = 4, 60, 100


def _storm(url: str, seed: int, barrier, results) -> None:
    async def storm() -> int:
        async with Ledger(url, lock_wait_ms=30_000) as ledger:
            barrier.wait(30)

            async def one(number: int) -> bool:
                limits = [limit(BOT, pictures=MOST), limit(Account(f"member:{seed}", "d"))]
                if number % 2:
                    limits.reverse()  # two that come from both ends must not lock each other out
                return await reserve(ledger, *limits) is None

            return sum(await asyncio.gather(*(one(number) for number in range(EACH))))

    results.put(asyncio.run(storm()))


async def test_processes_that_race_never_pass_a_limit(ledger_url):
    async with Ledger(ledger_url):
        pass
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(WORKERS), context.Queue()
    workers = [
        context.Process(target=_storm, args=(ledger_url, seed, barrier, results))
        for seed in range(WORKERS)
    ]
    for worker in workers:
        worker.start()
    taken = [await asyncio.to_thread(results.get, True, 60) for _ in workers]
    for worker in workers:
        await asyncio.to_thread(worker.join, 30)
        assert worker.exitcode == 0
    async with Ledger(ledger_url) as ledger:
        assert sum(taken) == MOST == (await spent(ledger)).pictures
        members = [await spent(ledger, Account(f"member:{seed}", "d")) for seed in range(WORKERS)]
        assert sorted(each.pictures for each in members) == sorted(taken)


async def test_a_persons_past_becomes_nobodys_and_adds_up(ledger):
    past = [Account(f"member:1:{user}", "2026-02-11") for user in (2, 12, 0)]
    now = [Account("member:1:2", "2026-03-14"), Account("person:2", "2026-03")]
    others = [Account("bot", "2026-02"), Account("server:1", "2026-02")]
    for account in (*past, *now, *others, Account("person:2", "2026-02")):
        await reserve(ledger, limit(account), pictures=3, micros=5)
    mine = await ledger.run(budgets.past, user_id=2, before="2026-03")
    assert await ledger.run(budgets.fold, mine) == 2
    assert await spent(ledger, past[0]) == Spent()
    assert (await spent(ledger, past[2])).pictures == 6
    assert (await spent(ledger, Account("person:0", "2026-02"))).micros == 5
    for account in (past[1], *now, *others):
        assert (await spent(ledger, account)).pictures == 3
    rest = await ledger.run(budgets.past, before="2026-03")
    assert await ledger.run(budgets.fold, rest) == 1
    assert await ledger.run(budgets.fold, [*mine, *rest]) == 0
    assert (await spent(ledger, past[2])).pictures == 9
