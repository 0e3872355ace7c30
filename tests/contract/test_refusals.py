"""Refusals of the content, counted where they settle, and the pause they lead to."""

import asyncio
from datetime import timedelta

import pytest

from bot import pauses
from bot.errors import Code
from bot.ledger import asks, hearing, privacy, servers, verbs
from bot.ledger.servers import EVERYWHERE
from bot.model import End, Outcome
from bot.pauses import Pause
from tests import build

NOW = build.NOW
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
PAUSE = Pause(after=3, length=2 * HOUR)
ME, OTHER = 44, 55


async def submitted(ledger, *, now=NOW, count=1, user_id=ME, **changes):
    """A request whose tasks are under way."""
    reply = build.reply(now=now, count=count, user_id=user_id, **changes)
    taken = await ledger.run(asks.receive, reply, limits=build.limits(reply))
    assert taken == reply
    await ledger.run(verbs.confirm, reply.id, message_id=1, private=False, now=now)
    for _ in reply.jobs:
        job = await ledger.run(
            verbs.begin, worker="ada", now=now, lease=HOUR, body=lambda _job: b"{}"
        )
        assert job.reply_id == reply.id
        await ledger.run(verbs.submitted, job.id, task_id=f"tk-{job.id}", now=now)
    return reply


def failure(code=Code.REFUSED_PROMPT, end=End.FAILED):
    return build.failure(code, end=end)


async def settled(ledger, reply, *, now=NOW, outcome=None, pause=PAUSE):
    """Every job of the request ends so; the outcomes that the ledger holds then."""
    for job in reply.jobs:
        await ledger.run(verbs.settle, job.id, outcome=outcome or failure(), now=now, pause=pause)
    kept = await ledger.run(verbs.reply_of, reply.id)
    return [job.outcome for job in kept.jobs]


async def refused(ledger, *, now=NOW, pause=PAUSE, **changes):
    """A request that is refused: the outcome of its last picture."""
    return (
        await settled(ledger, await submitted(ledger, now=now, **changes), now=now, pause=pause)
    )[-1]


async def blocked(ledger, *, user_id=ME, guild_id=33, now=NOW):
    return await ledger.run(servers.blocked, guild_id=guild_id, user_id=user_id, now=now)


async def test_the_last_but_one_warns_and_the_last_one_pauses_everywhere(ledger):
    outcomes = [await refused(ledger) for _ in range(3)]
    assert [(each.warned, each.paused_until) for each in outcomes] == [
        (False, None),
        (True, None),
        (False, NOW + PAUSE.length),
    ]
    assert {each.code for each in outcomes} == {Code.REFUSED_PROMPT}
    for guild_id in (33, 34, None):
        found = await blocked(ledger, guild_id=guild_id)
        assert (found.guild_id, found.reason) == (EVERYWHERE, pauses.REASON)
        assert found.until == NOW + PAUSE.length
    assert await blocked(ledger, user_id=OTHER) is None
    assert await ledger.run(servers.all_blocks, guild_id=33, now=NOW) == []
    assert [each.user_id for each in await ledger.run(servers.operators_blocks, now=NOW)] == [ME]
    assert await blocked(ledger, now=NOW + PAUSE.length) is None


async def test_the_next_ask_meets_it(ledger):
    for _ in range(3):
        await refused(ledger)
    reply = build.reply(user_id=ME)
    found = await ledger.run(asks.receive, reply, limits=build.limits(reply))
    assert found.until == NOW + PAUSE.length


async def test_four_pictures_of_one_request_are_one_refusal(ledger):
    assert not (await refused(ledger, count=4)).warned
    assert (await refused(ledger, count=4)).warned
    assert await blocked(ledger) is None
    outcomes = await settled(ledger, await submitted(ledger, count=4))
    assert [each.paused_until for each in outcomes] == [NOW + PAUSE.length, None, None, None]


async def test_only_refusals_of_the_content_count(ledger):
    for code in Code:
        if code is not Code.REFUSED_PROMPT:
            reply = await submitted(ledger)
            assert (await settled(ledger, reply, outcome=failure(code)))[0] == failure(code)
    await settled(ledger, await submitted(ledger), outcome=build.pictures())
    assert not (await refused(ledger)).warned


async def test_what_is_refused_at_once_counts_like_what_is_refused_later(ledger):
    for end in (End.REFUSED, End.FAILED, End.REFUSED):
        reply = await submitted(ledger)
        last = await settled(ledger, reply, outcome=failure(end=end))
    assert last[0].paused_until


async def test_a_callback_counts_like_a_look(ledger):
    for _ in range(3):
        reply = await submitted(ledger)
        [job] = reply.jobs
        said = await ledger.run(
            hearing.settle_heard,
            job.id,
            task_id=f"tk-{job.id}",
            model=job.request.model,
            outcome=failure(),
            now=NOW,
            pause=PAUSE,
        )
        assert said.reply_id == reply.id
    assert await blocked(ledger)


async def test_settled_twice_it_counts_once(ledger):
    for _ in range(2):
        reply = await submitted(ledger)
        for _ in range(3):
            await settled(ledger, reply)
    assert await blocked(ledger) is None


async def test_older_ones_are_forgotten_after_a_day(ledger):
    await refused(ledger)
    await refused(ledger, now=NOW + SECOND)
    later = NOW + DAY
    # The first one is a day old now, the second is not.
    assert (await refused(ledger, now=later)).warned
    assert (await refused(ledger, now=later + SECOND)).warned
    assert (await refused(ledger, now=later + SECOND)).paused_until


async def test_another_persons_and_an_erased_persons_do_not_count(ledger):
    for _ in range(2):
        await refused(ledger, user_id=OTHER)
        await refused(ledger, user_id=ME)
    await ledger.run(privacy.erase, OTHER, now=NOW)
    await ledger.run(privacy.erase, ME, now=NOW)
    assert not (await refused(ledger, user_id=ME)).warned
    assert await blocked(ledger, user_id=privacy.ANONYMOUS) is None
    assert await ledger.run(servers.operators_blocks, now=NOW) == []


async def test_who_is_paused_stays_so_after_an_erasure_and_the_rows_say_nothing_of_it(ledger):
    replies = [await submitted(ledger) for _ in range(3)]
    for reply in replies:
        await settled(ledger, reply)
    await ledger.run(privacy.erase, ME, now=NOW)
    assert (await blocked(ledger)).until == NOW + PAUSE.length
    last = await ledger.run(verbs.reply_of, replies[-1].id)
    assert last.jobs[0].outcome == Outcome(end=End.FAILED, code=Code.REFUSED_PROMPT)


@pytest.mark.parametrize("pause", [Pause(after=0), None])
async def test_where_nobody_is_paused_nothing_is_counted(ledger, pause):
    for _ in range(5):
        more = {} if pause is None else {"pause": pause}
        [job] = (await submitted(ledger)).jobs
        await ledger.run(verbs.settle, job.id, outcome=failure(), now=NOW, **more)
        assert (await ledger.run(verbs.job_of, job.id)).outcome == failure()
    assert await blocked(ledger) is None


async def test_a_pause_begins_the_count_anew(ledger):
    for _ in range(3):
        await refused(ledger)
    after = NOW + PAUSE.length
    assert not (await refused(ledger, now=after)).warned
    assert (await refused(ledger, now=after)).warned
    assert (await refused(ledger, now=after)).paused_until == after + PAUSE.length


async def test_a_pause_that_the_operator_lifts_begins_the_count_anew_too(ledger):
    waiting = [await submitted(ledger) for _ in range(4)]
    for reply in waiting[:3]:
        await settled(ledger, reply)
    later = NOW + SECOND
    lifting = {"guild_id": EVERYWHERE, "user_id": ME}
    assert await ledger.run(servers.lift, **lifting, now=later)
    assert not await ledger.run(servers.lift, **lifting, now=later)
    assert await blocked(ledger, now=later) is None
    [outcome] = await settled(ledger, waiting[3], now=later + SECOND)
    assert (outcome.warned, outcome.paused_until) == (False, None)


@pytest.mark.parametrize(
    ("until", "expected", "told"),
    [
        (None, None, False),
        (NOW + DAY, NOW + DAY, False),
        (NOW + HOUR, NOW + PAUSE.length, True),
        (NOW - HOUR, NOW + PAUSE.length, True),
    ],
    ids=["without end", "longer", "shorter", "over"],
)
async def test_the_operators_word_is_never_made_shorter(ledger, until, expected, told):
    replies = [await submitted(ledger) for _ in range(3)]
    await ledger.run(
        servers.block,
        guild_id=EVERYWHERE,
        user_id=ME,
        reason="spam",
        now=NOW - DAY,
        until=until,
    )
    for reply in replies:
        [last] = await settled(ledger, reply)
    assert (last.paused_until is not None) is told
    found = await blocked(ledger)
    assert (found.until, found.reason) == (expected, pauses.REASON if told else "spam")


async def test_a_moderators_block_stands_beside_it(ledger):
    replies = [await submitted(ledger) for _ in range(3)]
    await ledger.run(servers.block, guild_id=33, user_id=ME, reason="spam", now=NOW, by_user=OTHER)
    for reply in replies:
        await settled(ledger, reply)
    assert (await blocked(ledger)).reason == pauses.REASON
    assert (await blocked(ledger, now=NOW + DAY)).reason == "spam"
    [seen] = await ledger.run(servers.all_blocks, guild_id=33, now=NOW)
    assert seen.reason == "spam"


@pytest.mark.parametrize("attempt", range(5))
async def test_refusals_that_settle_at_once_are_counted_one_after_the_other(ledger, attempt):
    """Each would see the others too late on PostgreSQL, and nobody would pause."""
    replies = [await submitted(ledger, guild_id=33 + number) for number in range(3)]
    jobs = [reply.jobs[0].id for reply in replies]
    await asyncio.gather(
        *(
            ledger.run(verbs.settle, job, outcome=failure(), now=NOW, pause=PAUSE)
            for job in (jobs if attempt % 2 else reversed(jobs))
        )
    )
    outcomes = [(await ledger.run(verbs.job_of, job)).outcome for job in jobs]
    assert sorted(each.warned for each in outcomes) == [False, False, True]
    assert [each.paused_until for each in outcomes if each.paused_until] == [NOW + PAUSE.length]
    assert await blocked(ledger)


async def test_a_first_refusal_pauses_without_a_warning_where_one_is_enough(ledger):
    outcome = await refused(ledger, pause=Pause(after=1, length=HOUR))
    assert (outcome.warned, outcome.paused_until) == (False, NOW + HOUR)
