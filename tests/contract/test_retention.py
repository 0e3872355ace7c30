"""What is too old is forgotten, and nothing else: on both databases, by several at once."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.allowance import Account
from bot.keeper import Keeper
from bot.ledger import (
    budgets,
    deliveries,
    history,
    privacy,
    retention,
    schema,
    servers,
    verbs,
)
from bot.ledger.ledger import Ledger
from bot.ledger.retention import Ages
from bot.model import Delivery, End, Outcome, Picture, State
from bot.pruner import UNSEEN, Pruner
from tests import build
from tests.contract.test_privacy import (
    DIGEST,
    LEASE,
    ME,
    NOW,
    OTHER,
    SHARED,
    TRACES,
    asked,
    everything,
    finished,
    queued,
    received,
    submitted,
    submitting,
)

DAY = timedelta(days=1)


def ages(days=30, *, after=DAY * 30):
    return Ages(now=NOW + after, days=days, unseen=UNSEEN)


async def prune(ledger, days=30, *, after=DAY * 30):
    now = ages(days, after=after)
    due = await ledger.read(retention.due, now, limit=100)
    return await ledger.run(retention.prune, due, ages=now)


async def rows(ledger, table, *columns):
    found = await ledger.run(lambda conn: conn.execute(sa.select(*columns or [table])).all())
    return sorted(found)


async def owners(ledger):
    return [row.user_id for row in await rows(ledger, schema.replies, schema.replies.c.user_id)]


async def test_what_is_too_old_is_blanked_as_an_erasure_does_it(ledger):
    old = await finished(ledger, asked())
    assert (await prune(ledger, after=DAY * 30 - timedelta(microseconds=1))).replies == 0
    pruned = await prune(ledger)
    assert pruned.replies == 1
    assert pruned.job_ids == (old.jobs[0].id,)
    assert pruned.digests == {DIGEST, SHARED}
    left = await ledger.run(everything)
    accounts = left.pop("spending")
    told = str(left)
    for trace in (*TRACES, str(ME), "990099", DIGEST):
        assert trace not in told, trace
    # Counts, money, models and HiAPI's task stay.
    [job] = left["jobs"]
    assert (job["state"], job["outcome"]["end"]) == (State.SETTLED, "pictures")
    assert job["task_id"] == f"tk-{old.id}"
    assert {row["pictures"] for row in accounts} == {1}
    assert (await prune(ledger)).replies == 0


async def test_nothing_goes_where_nobody_set_an_end(ledger):
    await finished(ledger, asked())
    assert (await prune(ledger, 0, after=DAY * 4000)).replies == 0


@pytest.mark.parametrize("begin", [received, queued, submitting, submitted])
async def test_what_is_under_way_is_never_too_old(ledger, begin):
    reply = await begin(ledger, asked())
    before = await ledger.run(everything)
    assert (await prune(ledger, 1, after=DAY * 4000)).replies == 0
    # Nor is it if somebody thinks so.
    gone = await ledger.run(retention.prune, [reply.id], ages=ages(1, after=DAY * 4000))
    assert gone.replies == 0
    assert await ledger.run(everything) == before


@pytest.mark.parametrize("delivery", retention.UNSEEN)
async def test_what_was_not_seen_yet_waits_for_its_person(ledger, delivery):
    await finished(ledger, asked(), delivery)
    assert (await prune(ledger, 1, after=UNSEEN - timedelta(seconds=1))).replies == 0
    assert (await prune(ledger, 1, after=UNSEEN)).replies == 1


async def test_what_was_taken_back_or_never_begun_goes_too(ledger):
    gone = await received(ledger, asked())
    await ledger.run(verbs.withdraw, gone.id, now=NOW)
    await finished(ledger, asked(), Delivery.CANCELLED)
    assert (await prune(ledger)).replies == 2


async def test_a_server_shortens_it_for_itself_and_never_lengthens_it(ledger):
    strict = await finished(ledger, asked(guild_id=1))
    lax = await finished(ledger, asked(guild_id=2))
    plain = await finished(ledger, asked(guild_id=3))
    guest = await finished(ledger, asked(guild_id=1, present=False))
    for guild_id, days in ((1, 7), (2, 300)):
        rules = {"retention_days": days}
        await ledger.run(servers.change, guild_id, user_id=OTHER, rules=rules, now=NOW)
    assert (await prune(ledger, after=DAY * 7)).job_ids == (strict.jobs[0].id,)
    after = await prune(ledger)
    assert set(after.job_ids) == {each.jobs[0].id for each in (lax, plain, guest)}


async def test_a_servers_word_counts_where_the_operator_set_none(ledger):
    await finished(ledger, asked(guild_id=2))
    strict = await finished(ledger, asked(guild_id=1))
    await ledger.run(servers.change, 1, user_id=OTHER, rules={"retention_days": 7}, now=NOW)
    assert (await prune(ledger, 0, after=DAY * 7)).job_ids == (strict.jobs[0].id,)


async def test_a_press_that_comes_first_keeps_it_and_one_that_comes_second_finds_nothing(ledger):
    first = await finished(ledger, asked(), Delivery.PARKED)
    second = await finished(ledger, asked(), Delivery.PARKED)
    late = ages(1, after=UNSEEN)
    due = await ledger.read(retention.due, late, limit=10)
    assert set(due) == {first.id, second.id}
    click = build.target(user_id=ME, now=late.now)
    assert await ledger.run(deliveries.reopen, first.id, target=click, now=late.now)
    assert (await ledger.run(retention.prune, due, ages=late)).job_ids == (second.jobs[0].id,)
    assert await ledger.run(deliveries.reopen, second.id, target=click, now=late.now) is None
    kept = await ledger.run(verbs.reply_of, first.id)
    assert kept.jobs[0].request.prompt == "a secret heron"


async def test_several_at_once_forget_each_row_once(ledger):
    for _ in range(20):
        await finished(ledger, asked())
    due = await ledger.read(retention.due, ages(), limit=100)
    orders = (due, due[::-1], due, due[5:] + due[:5])
    gone = await asyncio.gather(
        *(ledger.run(retention.prune, order, ages=ages()) for order in orders)
    )
    named = [job_id for each in gone for job_id in each.job_ids]
    assert len(named) == len(set(named)) == 20
    assert await owners(ledger) == [privacy.ANONYMOUS] * 20


async def test_an_erasure_and_a_pruner_at_once(ledger):
    for _ in range(10):
        await finished(ledger, asked())
        await finished(ledger, asked(OTHER))
    due = await ledger.read(retention.due, ages(), limit=100)
    pruned, erased = await asyncio.gather(
        ledger.run(retention.prune, due, ages=ages()),
        ledger.run(privacy.erase, ME, now=NOW + DAY * 30),
    )
    assert pruned.replies in (10, 20)
    assert pruned.replies + erased.replies >= 20
    assert await owners(ledger) == [privacy.ANONYMOUS] * 20


async def test_an_erasure_while_a_callback_settles(ledger):
    """Whichever is first, nothing of the person is left and the picture stays counted."""
    for _ in range(5):
        reply = await submitted(ledger, asked())
        outcome = Outcome(end=End.PICTURES, pictures=(Picture("https://secret-url/3"),))
        await asyncio.gather(
            ledger.run(verbs.settle, reply.jobs[0].id, outcome=outcome, now=NOW),
            ledger.run(privacy.erase, ME, now=NOW),
        )
    left = await ledger.run(everything)
    accounts = left.pop("spending")
    assert not any(trace in str(left) for trace in TRACES)
    assert {row["unsettled"] for row in left["replies"]} == {0}
    assert {row["pictures"] for row in accounts if row["scope"] == "bot"} == {5}


async def test_an_erasure_while_it_is_being_delivered(ledger):
    reply = await submitted(ledger, asked())
    await ledger.run(verbs.settle, reply.jobs[0].id, outcome=build.pictures(), now=NOW)
    claimed = await ledger.run(deliveries.claim_reply, worker="ada", now=NOW, lease=LEASE)
    assert claimed.id == reply.id
    how = {"worker": "ada", "delivery": Delivery.DELIVERED, "now": NOW, "trouble": "secret-way"}
    await asyncio.gather(
        ledger.run(privacy.erase, ME, now=NOW), ledger.run(deliveries.close, reply.id, **how)
    )
    left = await ledger.run(everything)
    left.pop("spending")
    assert not any(trace in str(left) for trace in (*TRACES, str(ME)))


async def test_nobody_is_told_of_a_forgotten_ancestor(ledger):
    old = await finished(ledger, asked(private=False))
    reply = build.reply(user_id=OTHER)
    child = await received(ledger, reply.evolve(made_from=old.id))
    see = {"viewer_id": OTHER, "guild_id": 33}
    await ledger.run(verbs.confirm, child.id, message_id=1, private=False, now=NOW)
    await ledger.run(lambda conn: conn.execute(sa.update(schema.replies).values(private=False)))
    assert len((await ledger.run(history.kin, child, **see)).ancestors) == 1
    await prune(ledger)
    assert (await ledger.run(history.kin, child, **see)).ancestors == ()


async def test_records_go_in_time_and_what_still_holds_stays(ledger):
    for guild_id in (1, 2):
        await ledger.run(servers.change, guild_id, user_id=ME, rules={"retention_days": 7}, now=NOW)
    until = NOW + DAY
    for user_id, end in ((1, until), (2, None), (3, NOW + DAY * 90)):
        who = {"guild_id": 1, "user_id": user_id, "reason": "spam", "now": NOW, "until": end}
        await ledger.run(servers.block, **who)
    report = {"user_id": ME, "guild_id": 1, "at": NOW, "reason": "a secret heron"}
    await ledger.run(
        lambda conn: conn.execute(sa.insert(schema.reports).values(reply_id="a", **report))
    )

    async def tidy(days, after):
        return await ledger.run(retention.tidy, ages(days, after=after), limit=100)

    assert await tidy(30, timedelta(hours=23)) == 0
    assert await tidy(30, DAY * 7) == 2, "a block that is over, and a report of that server"
    assert [row.user_id for row in await rows(ledger, schema.blocks)] == [2, 3]
    assert await rows(ledger, schema.reports) == []
    # Moderators cannot shorten the record of what they changed.
    assert await tidy(0, DAY * 4000) == 1, "the other block"
    assert len(await rows(ledger, schema.changes)) == 2
    assert await tidy(30, DAY * 30) == 2
    assert await rows(ledger, schema.changes) == []


async def test_a_block_that_is_set_anew_meanwhile_stays(ledger):
    who = {"guild_id": 1, "user_id": ME, "reason": "spam"}
    for _ in range(10):
        await ledger.run(servers.block, **who, now=NOW, until=NOW + DAY)
        await asyncio.gather(
            ledger.run(retention.tidy, ages(30, after=DAY * 2), limit=100),
            ledger.run(servers.block, **who, now=NOW + DAY * 2),
        )
        assert len(await rows(ledger, schema.blocks)) == 1


# --- money ----------------------------------------------------------------------------------------

PEOPLE = st.sampled_from(["member:1:7", "member:1:8", "member:2:7", "person:7", "person:10"])
PERIODS = st.sampled_from(["2026-01", "2026-02", "2026-02-28", "2026-03", "2026-03-01"])
SPENT = st.tuples(st.integers(0, 10**6), st.integers(0, 10**12), st.integers(0, 100))
BOOKS = st.dictionaries(st.tuples(PEOPLE, PERIODS), SPENT, max_size=12)
WHO = st.sampled_from([None, 7, 8, 10])


async def sums(ledger):
    """What was spent, in dollars, by period and server."""
    found: dict[tuple[str, str], tuple[int, Decimal, int]] = {}
    for row in await rows(ledger, schema.spending):
        where = (row.period, row.scope.rpartition(":")[0])
        so_far = found.get(where, (0, Decimal(0), 0))
        dollars = Decimal(row.micros) / 1_000_000
        found[where] = (
            so_far[0] + row.pictures,
            so_far[1] + dollars,
            so_far[2] + row.attempts,
        )
    return {where: each for where, each in found.items() if any(each)}


async def test_folding_keeps_the_sums_to_the_cent_whoever_folds_at_once(ledger):
    @settings(max_examples=25, deadline=None)
    @given(books=BOOKS, who=st.lists(WHO, min_size=1, max_size=3))
    def holds(books, who):
        # Hypothesis is not asynchronous, and this test's loop runs already.
        asyncio.run(check(books, who))

    async def check(books, who):
        async with Ledger(url) as opened:
            await opened.run(lambda conn: conn.execute(sa.delete(schema.spending)))
            for (scope, period), (pictures, micros, attempts) in books.items():
                row = {"scope": scope, "period": period, "pictures": pictures}
                row |= {"micros": micros, "attempts": attempts}
                await opened.run(
                    lambda conn, row=row: conn.execute(sa.insert(schema.spending).values(row))
                )
            before = await sums(opened)
            looks = [
                await opened.run(budgets.past, before="2026-03", user_id=user_id) for user_id in who
            ]
            folded = await asyncio.gather(*(opened.run(budgets.fold, look) for look in looks))
            assert sum(folded) == len({account for look in looks for account in look})
            assert await sums(opened) == before
            left = {
                row.scope for row in await rows(opened, schema.spending) if row.period < "2026-03"
            }
            assert all(scope.endswith(":0") for scope in left) or None not in who

    url = ledger.url.render_as_string(hide_password=False)
    await asyncio.to_thread(holds)


async def test_a_person_whose_number_ends_like_anothers_keeps_their_account(ledger):
    mine, others = Account("person:7", "2026-01"), Account("member:1:17", "2026-01")
    for account in (mine, others):
        row = {"scope": account.scope, "period": account.period}
        values = row | {"pictures": 1, "micros": 1, "attempts": 0}
        await ledger.run(
            lambda conn, values=values: conn.execute(sa.insert(schema.spending).values(values))
        )
    assert await ledger.run(budgets.past, before="2026-03", user_id=7) == [mine]


# --- the stage ------------------------------------------------------------------------------------


class Moved:
    """A clock that stands where it is put."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


async def test_a_round_forgets_files_and_sweeps_when_all_is_done(ledger, tmp_path):
    clock = Moved(NOW)
    keeper = Keeper(folder=tmp_path / "kept", days=3650, megabytes=10, clock=clock)
    old = await finished(ledger, asked())
    await keeper.keep_original(old.jobs[0].id, b"a picture")
    shared, mine = await keeper.keep_reference(b"both had it"), await keeper.keep_reference(b"mine")
    swept = []

    def sweep():
        swept.append(clock.now)
        return len(swept) > 1

    def named(digests):
        refs = [{"url": "https://x/1", "filename": "a.png", "digest": each} for each in digests]
        return lambda conn: conn.execute(
            sa.update(schema.jobs).where(schema.jobs.c.reply_id == old.id).values(refs=refs)
        )

    await ledger.run(named([shared, mine]))
    clock.now = NOW + DAY * 25
    young = await submitted(ledger, asked(OTHER, now=clock.now))
    await ledger.run(
        lambda conn: conn.execute(
            sa.update(schema.jobs)
            .where(schema.jobs.c.reply_id == young.id)
            .values(refs=[{"url": "https://x/1", "filename": "a.png", "digest": shared}])
        )
    )
    pruner = Pruner(ledger=ledger, keeper=keeper, clock=clock, days=30, sweep=sweep)
    assert await pruner.step() == 0
    assert swept == []
    clock.now = NOW + DAY * 30
    # The row of the reply; February's accounts are none of these.
    assert await pruner.step() == 1
    assert await keeper.original(old.jobs[0].id) is None
    assert await keeper.reference(mine) is None
    assert await keeper.reference(shared) == b"both had it"
    # Once nothing is left to do, and again until nobody is in the way.
    for times in (1, 2, 2):
        assert await pruner.step() == 0
        assert len(swept) == times


async def test_accounts_are_folded_after_their_last_refund_can_have_come(ledger, tmp_path):
    keeper = Keeper(folder=tmp_path, days=0, megabytes=1, clock=lambda: NOW)
    reply = await finished(ledger, asked(guild_id=33))
    clock = Moved(NOW.replace(month=4, day=10))
    pruner = Pruner(ledger=ledger, keeper=keeper, clock=clock, days=1, sweep=lambda: True)
    # Of March still: a job of its last day may end in April.
    assert await pruner.step() == 1, "the reply"
    scopes = {row.scope for row in await rows(ledger, schema.spending)}
    assert f"member:33:{ME}" in scopes
    clock.now = NOW.replace(month=4, day=11)
    assert await pruner.step() == 2, "a day and a month"
    scopes = {row.scope for row in await rows(ledger, schema.spending)}
    assert scopes == {"bot", "server:33", "member:33:0"}
    assert reply.target.user_id == ME
