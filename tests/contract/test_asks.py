"""The door of the ledger on both databases: one wish per press, one share per person, under races.

Times are handed in; races are real, run by `asyncio.gather` on one ledger.
"""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot import model
from bot.allowance import UNLIMITED, Allowances, Caps, Spent
from bot.ledger import asks, deliveries, queue, schema, servers, verbs
from bot.model import State
from tests import build

NOW = build.NOW
SECOND = timedelta(seconds=1)
PERSON = 44


async def receive(ledger, reply, *, most=10_000, **limits):
    return await ledger.run(asks.receive, reply, limits=build.limits(reply, most), **limits)


async def shown(ledger):
    """A reply whose card has a button."""
    reply = build.reply()
    await receive(ledger, reply)
    await ledger.run(verbs.confirm, reply.id, message_id=7, private=False, now=NOW)
    for job in reply.jobs:
        await ledger.run(verbs.settle, job.id, outcome=build.pictures(), now=NOW)
    return reply


async def confirm(ledger, reply):
    moved = await ledger.run(verbs.confirm, reply.id, message_id=8, private=False, now=NOW)
    assert moved == len(reply.jobs)


async def test_an_error_carries_no_word_of_a_prompt_into_the_log(ledger):
    def twice(conn, reply):
        row = {"name": "a", "value": reply.jobs[0].request.prompt}
        for _ in range(2):
            conn.execute(sa.insert(schema.facts), row)

    reply = build.reply()
    with pytest.raises(sa.exc.IntegrityError) as raised:
        await ledger.run(twice, reply)
    assert "INSERT INTO facts" in str(raised.value), "what was tried is told"
    assert reply.jobs[0].request.prompt not in str(raised.value)


def press(pressed, *, after=0.0, by=None, **changes):
    """What a press of the button of a reply asks for, so many seconds later."""
    reply = build.reply(now=NOW + after * SECOND, **changes)
    return reply.evolve(made_from=pressed.id, made_by=by)


def rows(conn):
    tables = (schema.replies, schema.jobs)
    return tuple(conn.scalar(sa.select(sa.func.count()).select_from(each)) for each in tables)


async def test_presses_of_one_person_that_race_are_one_wish(ledger):
    pressed = await shown(ledger)
    before = await ledger.run(build.counted)
    wishes = [press(pressed, count=2) for _ in range(12)]
    taken = await asyncio.gather(*(receive(ledger, wish) for wish in wishes))
    [won] = [reply for reply in taken if reply is not None]
    assert won in wishes
    assert await ledger.run(rows) == (2, 3)
    assert await ledger.run(build.counted) == before + 2


async def test_presses_of_several_people_that_race_are_a_wish_each(ledger):
    pressed = await shown(ledger)
    wishes = [press(pressed, user_id=person) for person in range(1, 6) for _ in range(3)]
    taken = await asyncio.gather(*(receive(ledger, wish) for wish in wishes))
    people = sorted(reply.target.user_id for reply in taken if reply is not None)
    assert people == [1, 2, 3, 4, 5]


# What a press writes down: the verb, and of a select what was chosen.
PRESSES = ["again", "edit", "remix", "2k", "successor", "ratio:16:9", "ratio:9:16"]


@pytest.mark.parametrize("by", PRESSES)
async def test_every_button_pressed_twice_at_once_is_one_wish(ledger, by):
    pressed = await shown(ledger)
    wishes = [press(pressed, by=by) for _ in range(4)]
    taken = await asyncio.gather(*(receive(ledger, wish) for wish in wishes))
    [won] = [reply for reply in taken if reply is not None]
    await confirm(ledger, won)
    assert await receive(ledger, press(pressed, by=by, after=4.9)) is None
    assert await receive(ledger, press(pressed, by=by, after=5)) is not None
    assert await ledger.run(rows) == (3, 3)


async def test_every_button_of_a_card_has_a_wish_of_its_own(ledger):
    pressed = await shown(ledger)
    wishes = [press(pressed, by=by) for by in PRESSES for _ in range(2)]
    taken = await asyncio.gather(*(receive(ledger, wish) for wish in wishes))
    assert sorted(reply.made_by for reply in taken if reply is not None) == sorted(PRESSES)


async def test_a_message_that_is_gone_is_forgotten_and_its_copies_are_not_it(ledger):
    reply = await shown(ledger)
    assert not await ledger.run(deliveries.forget_message, reply.id, message_id=99)
    assert (await ledger.run(verbs.reply_of, reply.id)).target.message_id == 7
    assert await ledger.run(deliveries.forget_message, reply.id, message_id=7)
    assert (await ledger.run(verbs.reply_of, reply.id)).target.message_id is None
    assert not await ledger.run(deliveries.forget_message, reply.id, message_id=7)


async def test_presses_of_two_buttons_are_two_wishes(ledger):
    first, second = await shown(ledger), await shown(ledger)
    taken = await asyncio.gather(*(receive(ledger, press(each)) for each in (first, second)))
    assert None not in taken


@pytest.mark.parametrize(("after", "taken"), [(0, False), (4.999, False), (5, True), (60, True)])
async def test_five_seconds_make_two_wishes_of_one(ledger, after, taken):
    pressed = await shown(ledger)
    first = press(pressed)
    assert await receive(ledger, first) == first
    await confirm(ledger, first)
    second = press(pressed, after=after)
    assert await receive(ledger, second) == (second if taken else None)


async def test_a_wish_that_is_not_acknowledged_yet_is_not_made_again(ledger):
    pressed = await shown(ledger)
    first = press(pressed)
    await receive(ledger, first)
    assert await receive(ledger, press(pressed, after=60)) is None
    await confirm(ledger, first)
    assert await receive(ledger, press(pressed, after=60)) is not None


async def test_a_refused_press_may_be_pressed_again_at_once(ledger):
    pressed = await shown(ledger)
    refused = await receive(ledger, press(pressed), member_limit=0)
    assert isinstance(refused, asks.MemberFull)
    assert await receive(ledger, press(pressed)) is not None


async def test_a_press_on_a_reply_that_is_gone_is_an_ask_like_any_other(ledger):
    reply = build.reply().evolve(made_from="z" * 16)
    assert await receive(ledger, reply) == reply


@pytest.mark.parametrize("count", [1, 2, 3, 4])
async def test_asks_of_one_person_that_race_never_pass_the_limit(ledger, count):
    replies = [build.reply(count=count) for _ in range(12)]
    told = await asyncio.gather(*(receive(ledger, each, member_limit=7) for each in replies))
    taken = [each for each in told if not isinstance(each, asks.MemberFull)]
    assert len(taken) == 7 // count
    assert await ledger.run(build.counted) == len(taken) * count
    assert await ledger.run(rows) == (len(taken), len(taken) * count)
    refused = [each for each in told if isinstance(each, asks.MemberFull)]
    assert {each.waiting for each in refused} == {len(taken) * count}


async def test_people_do_not_share_a_limit(ledger):
    replies = [build.reply(user_id=person, count=2) for person in range(6) for _ in range(3)]
    told = await asyncio.gather(*(receive(ledger, each, member_limit=3) for each in replies))
    taken = [each for each in told if not isinstance(each, asks.MemberFull)]
    assert sorted(each.target.user_id for each in taken) == list(range(6))


async def test_presses_and_asks_that_race_share_both_limits(ledger):
    pressed = await shown(ledger)
    before = await ledger.run(build.counted)
    wishes = [press(pressed) for _ in range(6)] + [build.reply() for _ in range(6)]
    told = await asyncio.gather(
        *(receive(ledger, each, member_limit=4, most=before + 3) for each in wishes)
    )
    taken = [each for each in told if each in wishes]
    assert len(taken) == await ledger.run(build.counted) - before == 3
    assert sum(each.made_from is not None for each in taken) <= 1


async def test_what_runs_does_not_wait(ledger):
    reply = build.reply(count=3)
    await receive(ledger, reply, member_limit=3)
    await confirm(ledger, reply)
    assert isinstance(await receive(ledger, build.reply(), member_limit=3), asks.MemberFull)
    lease = {"worker": "ada", "now": NOW, "lease": 60 * SECOND}
    job = await ledger.run(verbs.claim_queued, **lease)
    assert isinstance(await receive(ledger, build.reply(), member_limit=3), asks.MemberFull)
    await ledger.run(verbs.freeze, job.id, worker="ada", body=b"{}", now=NOW)
    assert await receive(ledger, build.reply(), member_limit=3) is not None


async def test_cancels_and_asks_that_race_keep_the_count_true(ledger):
    old = [build.reply(count=2) for _ in range(4)]
    for reply in old:
        await receive(ledger, reply)
        await confirm(ledger, reply)
    new = [build.reply(count=2) for _ in range(8)]
    await asyncio.gather(
        *(ledger.run(queue.cancel, reply.id, user_id=PERSON, now=NOW) for reply in old),
        *(receive(ledger, reply, member_limit=8) for reply in new),
    )

    def waiting(conn):
        states = [State.RECEIVED, State.QUEUED]
        query = sa.select(sa.func.count()).where(schema.jobs.c.state.in_(states))
        return conn.scalar(query)

    assert await ledger.run(build.counted) == await ledger.run(waiting) <= 8


async def test_cancels_race_claims_and_freezes_without_a_lie(ledger):
    """What a cancel says was begun is what a submitter was allowed to send."""
    replies = [build.reply(count=3) for _ in range(4)]
    for reply in replies:
        await receive(ledger, reply)
        await confirm(ledger, reply)
    sent: set[str] = set()

    async def submit(worker):
        lease = {"worker": worker, "now": NOW, "lease": 60 * SECOND}
        while (job := await ledger.run(verbs.claim_queued, **lease)) is not None:
            if await ledger.run(verbs.freeze, job.id, worker=worker, body=b"{}", now=NOW):
                sent.add(job.id)

    async def cancel(reply):
        return await ledger.run(queue.cancel, reply.id, user_id=PERSON, now=NOW)

    *cancelled, _, _ = await asyncio.gather(
        *(cancel(reply) for reply in replies), submit("ada"), submit("bob")
    )
    for said, reply in zip(cancelled, replies, strict=True):
        assert said.begun == len(sent & {job.id for job in reply.jobs})
        assert said.begun + said.taken_back == 3
    assert await ledger.run(build.counted) == len(sent)


# What would be said ---------------------------------------------------------------------------


GUARDS = {
    "nothing": {},
    "the day": {"caps": Caps(day_pictures=2)},
    "the month's money": {"caps": Caps(month_micros=100_000)},
    "the queue": {"member_limit": 2},
    "attempts": {"failed": 2},
    "a block": {"guild_id": servers.EVERYWHERE},
    "a moderator's block": {"guild_id": 33},
}


@pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS)
async def test_what_would_be_said_is_what_is_said_and_writes_nothing(ledger, guard):
    rules = Allowances(bot=guard.get("caps", Caps()), failed_per_day=guard.get("failed", UNLIMITED))
    limit = guard.get("member_limit", 10)
    for _ in range(2):
        reply = build.reply()
        reply = reply.evolve(jobs=tuple(job.evolve(price=40_000) for job in reply.jobs))
        how = {"limits": rules.limits(reply.target, at=NOW), "member_limit": limit}
        assert await ledger.run(asks.receive, reply, **how) == reply
    if "guild_id" in guard:
        whom = {"guild_id": guard["guild_id"], "user_id": PERSON}
        await ledger.run(servers.block, **whom, reason="spam", now=NOW)
    reply = reply.evolve(id="another", target=build.target())
    jobs = tuple(job.evolve(id=model.new_id(), reply_id="another") for job in reply.jobs)
    reply = reply.evolve(jobs=jobs)
    before = await ledger.run(rows), await ledger.run(build.counted)
    said = await ledger.run(asks.foresee, reply, **how)
    assert (await ledger.run(rows), await ledger.run(build.counted)) == before
    received = await ledger.run(asks.receive, reply, **how)
    if guard:
        assert said == received
    else:
        assert (said, received) == (Spent(pictures=2, micros=80_000, attempts=2), reply)
