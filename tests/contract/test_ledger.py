"""The ledger's contract, the same on SQLite and PostgreSQL: arrows, counts, turns and leases.

Times are handed in and moved by hand; races are real, run by `asyncio.gather` on one ledger.
"""

import asyncio
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import model
from bot.allowance import Account, Full
from bot.errors import Code
from bot.ledger import asks, budgets, deliveries, ending, queue, schema, verbs, watching
from bot.ledger.unsent import Oldest
from bot.model import ARROWS, Delivery, End, State
from tests import build

NOW = build.NOW
LEASE = timedelta(seconds=60)
SECOND = timedelta(seconds=1)


def everything(conn):
    """All rows of all tables, to see what a verb changed."""
    return {
        table.name: [dict(row) for row in conn.execute(sa.select(table)).mappings()]
        for table in (schema.jobs, schema.replies, schema.spending)
    }


def counted(conn, day="2026-03-14"):
    return build.counted(conn, day)


def unsettled(conn, reply_id):
    return conn.scalar(sa.select(schema.replies.c.unsettled).where(schema.replies.c.id == reply_id))


async def received(ledger, *, now=NOW, **changes):
    reply = build.reply(now=now, **changes)
    assert await ledger.run(asks.receive, reply, limits=build.limits(reply, 10_000)) == reply
    return reply


async def queued(ledger, *, now=NOW, **changes):
    reply = await received(ledger, now=now, **changes)
    assert await ledger.run(verbs.confirm, reply.id, message_id=77, private=False, now=now) == len(
        reply.jobs
    )
    return reply


async def claim(ledger, *, worker="ada", now=NOW, **limits):
    return await ledger.run(verbs.claim_queued, worker=worker, now=now, lease=LEASE, **limits)


async def freeze(ledger, job_id, *, worker="ada", body=b"{}", now=NOW):
    return await ledger.run(verbs.freeze, job_id, worker=worker, body=body, now=now)


async def begin(ledger, *, worker="ada", now=NOW, body=lambda _: b"{}"):
    return await ledger.run(verbs.begin, worker=worker, now=now, lease=LEASE, body=body)


async def settle(ledger, job_id, *, outcome=None, now=NOW):
    outcome = outcome or build.pictures()
    return await ledger.run(verbs.settle, job_id, outcome=outcome, now=now)


async def claim_reply(ledger, *, worker="ada", now=NOW):
    return await ledger.run(deliveries.claim_reply, worker=worker, now=now, lease=LEASE)


async def close(ledger, reply_id, *, worker="ada", delivery=Delivery.DELIVERED, now=NOW):
    return await ledger.run(deliveries.close, reply_id, worker=worker, delivery=delivery, now=now)


async def job_in(ledger, state):
    """The only job, brought to a state by its verbs; ada holds its lease while it waits."""
    reply = await received(ledger)
    job = reply.jobs[0]
    if state is State.WITHDRAWN:
        await ledger.run(verbs.withdraw, reply.id, now=NOW)
    if state in {State.RECEIVED, State.WITHDRAWN}:
        return job
    await ledger.run(verbs.confirm, reply.id, message_id=77, private=False, now=NOW)
    await claim(ledger)
    if state is State.QUEUED:
        return job
    await freeze(ledger, job.id)
    if state is State.SUBMITTING:
        return job
    await ledger.run(verbs.submitted, job.id, task_id="task-1", now=NOW)
    if state is State.SETTLED:
        await settle(ledger, job.id)
    return job


async def ready(ledger, *, now=NOW, **changes):
    """A reply whose jobs all have an outcome."""
    reply = await queued(ledger, now=now, **changes)
    for job in reply.jobs:
        await settle(ledger, job.id, now=now)
    return reply


class TestArrows:
    """Each verb moves a job from the states that it names and from no other."""

    CALLS = {  # noqa: RUF012 - a table, never changed
        "confirm": lambda job: (
            verbs.confirm,
            job.reply_id,
            {"message_id": 88, "private": True, "now": NOW},
        ),
        "withdraw": lambda job: (verbs.withdraw, job.reply_id, {"now": NOW}),
        "amend": lambda job: (verbs.amend, job.reply_id, {"prompt": "more"}),
        "freeze": lambda job: (verbs.freeze, job.id, {"worker": "ada", "body": b"1", "now": NOW}),
        "resend_at": lambda job: (verbs.resend_at, job.id, {"worker": "ada", "due_at": NOW}),
        "submitted": lambda job: (verbs.submitted, job.id, {"task_id": "task-2", "now": NOW}),
        "note_status": lambda job: (verbs.note_status, {job.id: "running"}, {}),
        "settle": lambda job: (verbs.settle, job.id, {"outcome": build.failure(), "now": NOW}),
        "expire": lambda _: (ending.expire, None, {"oldest": Oldest(NOW + LEASE), "now": NOW}),
    }
    MOVES = {  # noqa: RUF012 - as above
        ("confirm", State.RECEIVED): State.QUEUED,
        ("withdraw", State.RECEIVED): State.WITHDRAWN,
        ("amend", State.RECEIVED): State.RECEIVED,
        ("freeze", State.QUEUED): State.SUBMITTING,
        ("resend_at", State.SUBMITTING): State.SUBMITTING,
        ("submitted", State.SUBMITTING): State.SUBMITTED,
        ("note_status", State.SUBMITTED): State.SUBMITTED,
        ("settle", State.RECEIVED): State.SETTLED,
        ("settle", State.QUEUED): State.SETTLED,
        ("settle", State.SUBMITTING): State.SETTLED,
        ("settle", State.SUBMITTED): State.SETTLED,
        ("expire", State.QUEUED): State.SETTLED,
    }

    @pytest.mark.parametrize("state", State)
    @pytest.mark.parametrize("name", CALLS)
    async def test_a_verb_moves_only_from_its_own_states(self, ledger, name, state):
        job = await job_in(ledger, state)
        before = await ledger.run(everything)
        verb, first, keywords = self.CALLS[name](job)
        result = await ledger.run(verb, *([] if first is None else [first]), **keywords)
        after = await ledger.run(everything)
        wanted = self.MOVES.get((name, state))
        if wanted is None:
            assert not result
            assert after == before
        else:
            assert result
            assert after != before
            assert (await ledger.run(verbs.job_of, job.id)).state is wanted
            assert wanted is state or wanted in ARROWS[state]

    def test_every_arrow_has_a_verb(self):
        moves = {(before, after) for (_, before), after in self.MOVES.items() if before != after}
        assert moves == {(before, after) for before in State for after in ARROWS[before]}

    @pytest.mark.parametrize("name", CALLS)
    async def test_an_unknown_id_moves_nothing(self, ledger, name):
        verb, first, keywords = self.CALLS[name](build.reply().jobs[0])
        result = await ledger.run(verb, *([] if first is None else [first]), **keywords)
        assert not result

    @pytest.mark.parametrize("name", ["freeze", "resend_at"])
    async def test_a_verb_of_the_lease_holder_moves_nothing_for_others(self, ledger, name):
        job = await job_in(ledger, State.QUEUED if name == "freeze" else State.SUBMITTING)
        verb, first, keywords = self.CALLS[name](job)
        assert not await ledger.run(verb, first, **keywords | {"worker": "bob"})

    async def test_a_job_that_nobody_claimed_cannot_be_frozen(self, ledger):
        reply = await queued(ledger)
        assert not await freeze(ledger, reply.jobs[0].id)

    @pytest.mark.parametrize("name", ["confirm", "withdraw", "settle"])
    async def test_of_many_at_once_one_wins(self, ledger, name):
        reply = await received(ledger)
        verb, first, keywords = self.CALLS[name](reply.jobs[0])
        results = await asyncio.gather(*(ledger.run(verb, first, **keywords) for _ in range(12)))
        assert sum(bool(result) for result in results) == 1
        if name == "settle":
            assert await ledger.run(unsettled, reply.id) == 0

    async def test_a_late_confirmation_changes_no_message(self, ledger):
        reply = await queued(ledger)
        late = {"message_id": 99, "private": True, "now": NOW}
        assert await ledger.run(verbs.confirm, reply.id, **late) == 0
        kept = await ledger.run(verbs.reply_of, reply.id)
        assert (kept.target.message_id, kept.target.private) == (77, False)

    async def test_confirmation_and_withdrawal_race_to_one_end(self, ledger):
        for _ in range(10):
            reply = await received(ledger, count=4)
            confirmed, withdrawn = await asyncio.gather(
                ledger.run(verbs.confirm, reply.id, message_id=7, private=False, now=NOW),
                ledger.run(verbs.withdraw, reply.id, now=NOW),
            )
            assert sorted([confirmed, withdrawn]) == [0, 4]


class TestValues:
    """What goes in comes out."""

    async def test_a_reply_comes_back_whole(self, ledger):
        asks = build.request(
            kind=model.Kind.REMIX,
            prompt="a 🦩 in “Zürich”\nat night",
            references=(
                model.Reference(url="https://cdn.example/a.png?ex=1&is=2", filename="ä.png"),
                model.Reference(url="https://cdn.example/b.webp", filename="b.webp"),
            ),
        )
        reply = await received(
            ledger, count=4, asks=asks, guild_id=None, user_id=2**62, private=True, present=False
        )
        assert await ledger.run(verbs.reply_of, reply.id) == reply
        assert await ledger.run(verbs.job_of, reply.jobs[2].id) == reply.jobs[2]

    async def test_a_job_remembers_its_whole_life(self, ledger):
        reply = await queued(ledger)
        await claim(ledger)
        await freeze(ledger, reply.jobs[0].id, body=b"\x00\xff{}", now=NOW + SECOND)
        job_id = reply.jobs[0].id
        await ledger.run(verbs.submitted, job_id, task_id="tk-1", now=NOW + 2 * SECOND)
        await ledger.run(verbs.note_status, {job_id: "running"})
        outcome = model.Outcome(
            end=End.PICTURES,
            pictures=(
                model.Picture(url="https://a.example/1.png", expires_at=NOW + LEASE),
                model.Picture(url="https://a.example/2.png"),
            ),
            detail="tout va bien",
        )
        settled_at = NOW + timedelta(seconds=3, microseconds=1)
        assert await settle(ledger, job_id, outcome=outcome, now=settled_at) == reply.id
        assert await ledger.run(verbs.job_of, job_id) == reply.jobs[0].evolve(
            state=State.SETTLED,
            body=b"\x00\xff{}",
            first_post_at=NOW + SECOND,
            task_id="tk-1",
            task_status="running",
            submitted_at=NOW + 2 * SECOND,
            settled_at=settled_at,
            outcome=outcome,
        )

    async def test_an_outcome_with_a_code_comes_back(self, ledger):
        reply = await queued(ledger)
        outcome = build.failure(Code.NO_CREDIT, end=End.REFUSED)
        await settle(ledger, reply.jobs[0].id, outcome=outcome)
        assert (await ledger.run(verbs.job_of, reply.jobs[0].id)).outcome == outcome

    async def test_confirmation_keeps_what_discord_said(self, ledger):
        reply = await received(ledger)
        said = {"message_id": 2**60, "private": True, "now": NOW}
        await ledger.run(verbs.confirm, reply.id, **said)
        target = (await ledger.run(verbs.reply_of, reply.id)).target
        assert (target.message_id, target.private) == (2**60, True)

    async def test_a_prompt_is_completed_before_it_is_queued(self, ledger):
        reply = build.reply(count=2, unfinished=True)
        await ledger.run(asks.receive, reply, limits=build.limits(reply, 9))
        assert await ledger.run(verbs.amend, reply.id, prompt="all of it") == 2
        kept = await ledger.run(verbs.reply_of, reply.id)
        assert {(job.request.prompt, job.unfinished) for job in kept.jobs} == {("all of it", False)}

    async def test_what_nobody_wrote_is_none(self, ledger):
        assert await ledger.run(verbs.reply_of, "nothing") is None
        assert await ledger.run(verbs.job_of, "nothing") is None
        assert await ledger.run(queue.standing, "nothing") is None
        assert await ledger.run(verbs.fact, "nothing") is None

    async def test_a_fact_takes_the_place_of_its_last_value(self, ledger):
        await ledger.run(verbs.keep_fact, "commands", value="one")
        await ledger.run(verbs.keep_fact, "commands", value="two")
        await ledger.run(verbs.keep_fact, "other", value="")
        assert await ledger.run(verbs.fact, "commands") == "two"
        assert await ledger.run(verbs.fact, "other") == ""

    async def test_two_jobs_never_share_a_task(self, ledger):
        reply = await queued(ledger, count=2)
        for job in reply.jobs:
            await claim(ledger)
            await freeze(ledger, job.id)
        await ledger.run(verbs.submitted, reply.jobs[0].id, task_id="same", now=NOW)
        with pytest.raises(sa.exc.IntegrityError):
            await ledger.run(verbs.submitted, reply.jobs[1].id, task_id="same", now=NOW)
        assert (await ledger.run(verbs.job_of, reply.jobs[1].id)).state is State.SUBMITTING


class TestDays:
    """BOT_CAPS is never passed, and what was never sent is not counted."""

    async def test_a_full_day_takes_nothing_and_the_next_one_does(self, ledger):
        evening = datetime(2026, 3, 14, 23, 59, tzinfo=UTC)
        first, second = build.reply(count=2, now=evening), build.reply(count=2, now=evening)
        assert await ledger.run(asks.receive, first, limits=build.limits(first, 3)) == first
        full = await ledger.run(asks.receive, second, limits=build.limits(second, 3))
        assert full.limit.resets_at == datetime(2026, 3, 15, tzinfo=UTC)
        assert full.spent.pictures == 2
        assert await ledger.run(verbs.reply_of, second.id) is None
        assert await ledger.run(counted) == 2
        morning = evening + 2 * LEASE
        third = build.reply(count=2, now=morning)
        assert await ledger.run(asks.receive, third, limits=build.limits(third, 3)) == third
        assert await ledger.run(counted, "2026-03-15") == 2

    async def test_a_request_that_found_the_day_full_may_come_again(self, ledger):
        reply = build.reply()
        assert isinstance(
            await ledger.run(asks.receive, reply, limits=build.limits(reply, 0)),
            Full,
        )
        assert await ledger.run(asks.receive, reply, limits=build.limits(reply, 1)) == reply

    @pytest.mark.parametrize(("count", "fit"), [(1, 10), (3, 3), (4, 2)])
    async def test_requests_that_race_never_pass_the_limit(self, ledger, count, fit):
        replies = [build.reply(count=count, user_id=user) for user in range(40)]
        results = await asyncio.gather(
            *(ledger.run(asks.receive, reply, limits=build.limits(reply, 10)) for reply in replies)
        )
        taken = [result for result in results if isinstance(result, model.Reply)]
        assert len(taken) == fit
        assert all(isinstance(each, Full) for each in results if each not in taken)
        assert await ledger.run(counted) == fit * count
        assert len((await ledger.run(everything))["jobs"]) == fit * count

    async def test_an_interaction_is_taken_once(self, ledger):
        first = await received(ledger, count=2)
        again = build.reply(interaction_id=first.target.interaction_id)
        assert await ledger.run(asks.receive, again, limits=build.limits(again, 10)) is None
        assert await ledger.run(verbs.reply_of, again.id) is None
        assert await ledger.run(counted) == 2

    async def test_a_known_interaction_is_known_on_a_full_day_too(self, ledger):
        first = await received(ledger)
        again = build.reply(interaction_id=first.target.interaction_id)
        assert await ledger.run(asks.receive, again, limits=build.limits(again, 1)) is None

    async def test_an_interaction_that_races_itself_is_taken_once(self, ledger):
        replies = [build.reply(interaction_id=number % 10) for number in range(60)]
        results = await asyncio.gather(
            *(ledger.run(asks.receive, reply, limits=build.limits(reply, 100)) for reply in replies)
        )
        taken = [result for result in results if result is not None]
        assert sorted(reply.target.interaction_id for reply in taken) == list(range(10))
        assert await ledger.run(counted) == 10

    async def test_what_was_withdrawn_is_not_counted(self, ledger):
        reply = await received(ledger, count=3)
        await received(ledger)
        assert await ledger.run(verbs.withdraw, reply.id, now=NOW) == 3
        assert await ledger.run(counted) == 1
        kept = await ledger.run(verbs.reply_of, reply.id)
        assert (kept.delivery, kept.target.token) == (Delivery.WITHDRAWN, None)

    @pytest.mark.parametrize("state", [State.RECEIVED, State.QUEUED])
    async def test_what_ends_before_its_first_post_is_not_counted(self, ledger, state):
        job = await job_in(ledger, state)
        await settle(ledger, job.id, outcome=build.failure(end=End.CANCELLED))
        await settle(ledger, job.id, outcome=build.failure(end=End.CANCELLED))
        assert await ledger.run(counted) == 0

    @pytest.mark.parametrize("state", [State.SUBMITTING, State.SUBMITTED])
    @pytest.mark.parametrize(
        ("outcome", "pictures", "attempts"),
        [
            (build.pictures(), 1, 0),
            (build.failure(Code.REFUSED_PROMPT, end=End.REFUSED), 0, 1),
            (build.failure(Code.FAILED), 0, 1),
            # Nobody's fault but the operator's.
            (build.failure(Code.NO_CREDIT, end=End.REFUSED), 0, 0),
            # It may have been billed.
            (build.failure(Code.LOST, end=End.UNKNOWN), 1, 1),
            (model.Outcome(end=End.CANCELLED), 1, 1),
        ],
    )
    async def test_what_was_sent_is_charged_if_it_may_be_billed(
        self, ledger, state, outcome, pictures, attempts
    ):
        job = await job_in(ledger, state)
        await settle(ledger, job.id, outcome=outcome)
        own = Account("member:33:44", "2026-03-14")
        assert await ledger.run(counted) == pictures
        spent = await ledger.run(budgets.spent, own)
        assert (spent.pictures, spent.attempts) == (pictures, attempts)

    async def test_it_is_taken_out_of_the_day_that_counted_it(self, ledger):
        midnight = datetime(2026, 3, 15, tzinfo=UTC)
        reply = build.reply(now=midnight - SECOND)
        await ledger.run(asks.receive, reply, limits=build.limits(reply, 9))
        other = await received(ledger, now=midnight - SECOND)
        await ledger.run(verbs.withdraw, reply.id, now=midnight + LEASE)
        await settle(ledger, other.jobs[0].id, now=midnight + LEASE)
        assert await ledger.run(counted) == 0
        assert await ledger.run(counted, "2026-03-15") in {None, 0}


class TestTurns:
    """People are served in turn, however much one of them asks for."""

    async def test_who_asks_for_much_alternates_with_who_asks_for_little(self, ledger):
        for number in range(5):
            await queued(ledger, count=4, user_id=1, now=NOW + number * SECOND)
        later = NOW + LEASE
        await queued(ledger, count=3, user_id=2, now=later)
        served = [(await claim(ledger, now=later)).user_id for _ in range(23)]
        assert served == [1, 2, 1, 2, 1, 2, *[1] * 17]
        assert await claim(ledger, now=later) is None

    async def test_who_was_served_much_does_not_wait_for_all_of_a_newcomer(self, ledger):
        busy = await queued(ledger, count=4, user_id=1)
        for job in busy.jobs:
            await claim(ledger)
            await freeze(ledger, job.id)
            await ledger.run(verbs.submitted, job.id, task_id=job.id, now=NOW)
        await queued(ledger, count=4, user_id=2, now=NOW + SECOND)
        await queued(ledger, count=1, user_id=1, now=NOW + 2 * SECOND)
        served = [(await claim(ledger, now=NOW + LEASE)).user_id for _ in range(3)]
        assert 1 in served

    async def test_a_reply_keeps_its_slots_in_order(self, ledger):
        reply = await queued(ledger, count=4)
        assert [(await claim(ledger)).slot for _ in reply.jobs] == [0, 1, 2, 3]

    async def test_who_is_passed_over_stands_before_nobody(self, ledger):
        """Whatever is served until nothing more may be: each stood as far back as it came."""
        under_way = {1: 2, 2: 1, 3: 0}
        for user_id, count in under_way.items():
            if count:
                for job in (await queued(ledger, count=count, user_id=user_id)).jobs:
                    await claim(ledger)
                    await freeze(ledger, job.id)
                    await ledger.run(verbs.submitted, job.id, task_id=job.id, now=NOW)
        replies = [
            await queued(ledger, count=3, user_id=user_id, now=NOW + user_id * SECOND)
            for user_id in under_way
        ]
        stood = {
            job.id: await ledger.run(queue.standing, job.id, running_limit=2)
            for reply in replies
            for job in reply.jobs
        }
        served = []
        while (job := await claim(ledger, now=NOW + LEASE, running_limit=2)) is not None:
            await freeze(ledger, job.id, now=NOW + LEASE)
            await ledger.run(verbs.submitted, job.id, task_id=job.id, now=NOW)
            served.append(job.id)
        assert [stood[job_id].ahead for job_id in served] == list(range(len(served)))
        assert {job_id for job_id, each in stood.items() if not each.own} == set(served)
        assert [stood[job.id].own for job in replies[0].jobs] == [1, 2, 3]
        assert [stood[job.id].own for job in replies[2].jobs] == [0, 0, 1]

    async def test_the_place_in_the_queue_is_how_many_are_served_before(self, ledger):
        first = await queued(ledger, count=3, user_id=1)
        second = await queued(ledger, count=2, user_id=2, now=NOW + SECOND)
        places = {}
        for job in first.jobs + second.jobs:
            places[job.id] = (await ledger.run(queue.standing, job.id)).ahead
        later = NOW + LEASE
        order = []
        for _ in range(5):
            job = await claim(ledger, now=later)
            order.append(job.id)
            assert await ledger.run(queue.standing, job.id) == queue.Standing(ahead=0)
            await freeze(ledger, job.id, now=later)
            assert await ledger.run(queue.standing, job.id) is None
        assert [places[job_id] for job_id in order] == [0, 1, 2, 3, 4]

    @settings(
        max_examples=100,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        events=st.lists(
            st.one_of(
                st.tuples(st.just("ask"), st.integers(1, 3), st.integers(1, 4)),
                st.tuples(st.just("serve"), st.integers(1, 6), st.none()),
                st.tuples(st.just("finish"), st.integers(1, 6), st.none()),
            ),
            max_size=25,
        )
    )
    async def test_nobody_who_waits_is_passed_over(self, ledger, events):
        """While two people wait, no stretch of time serves one of them two jobs more."""
        history = await ledger.run(serve, events)
        for one, other in ((1, 2), (1, 3), (2, 3)):
            leads = [0]
            for served, waiting in history:
                if waiting >= {one, other}:
                    leads.append(leads[-1] + (served == one) - (served == other))
                    assert max(leads) - min(leads) <= 2
                else:
                    leads = [0]


def serve(conn, events):
    """Play asks, services and ends in one transaction and drain the queue after.

    Returns the history: who was served, and who waited at that moment.
    """
    now = NOW
    waiting = {1: 0, 2: 0, 3: 0}
    running = deque()
    history = []
    for what, number, count in [*events, ("serve", 1000, None), ("finish", 1000, None)]:
        now += SECOND
        if what == "ask":
            reply = build.reply(count=count, user_id=number, now=now)
            asks.receive(conn, reply, limits=build.limits(reply, 10**9))
            verbs.confirm(conn, reply.id, message_id=1, private=False, now=now)
            waiting[number] += count
            continue
        for _ in range(number):
            if what == "finish" and running:
                verbs.settle(conn, running.popleft(), outcome=build.pictures(), now=now)
            if what == "serve" and any(waiting.values()):
                job = verbs.claim_queued(conn, worker="ada", now=now, lease=LEASE)
                who = {user for user, jobs in waiting.items() if jobs}
                history.append((job.user_id, who))
                waiting[job.user_id] -= 1
                verbs.freeze(conn, job.id, worker="ada", body=b"", now=now)
                verbs.submitted(conn, job.id, task_id=job.id, now=now)
                running.append(job.id)
    return history


class TestLeases:
    """What one worker holds, no other gets, until its time is over."""

    async def test_a_live_lease_keeps_others_away_and_an_expired_one_does_not(self, ledger):
        reply = await queued(ledger)
        assert (await claim(ledger)).id == reply.jobs[0].id
        assert await claim(ledger, worker="bob", now=NOW + LEASE - SECOND) is None
        assert (await claim(ledger, worker="bob", now=NOW + LEASE)).id == reply.jobs[0].id
        assert not await freeze(ledger, reply.jobs[0].id, worker="ada")
        assert await freeze(ledger, reply.jobs[0].id, worker="bob")

    async def test_a_worker_that_died_after_its_post_leaves_the_bytes_to_the_next(self, ledger):
        reply = await queued(ledger)
        await claim(ledger)
        await freeze(ledger, reply.jobs[0].id, body=b"frozen")
        assert await claim(ledger, worker="bob") is None
        again = await claim(ledger, worker="bob", now=NOW + LEASE)
        assert (again.state, again.body) == (State.SUBMITTING, b"frozen")
        assert not await freeze(ledger, again.id, worker="bob", body=b"other")
        assert (await ledger.run(verbs.job_of, again.id)).body == b"frozen"

    async def test_workers_that_claim_at_once_never_get_the_same_job(self, ledger):
        for user in range(10):
            await queued(ledger, count=3, user_id=user)
        claims = await asyncio.gather(*(claim(ledger, worker=f"w{n}") for n in range(60)))
        got = [job.id for job in claims if job is not None]
        while (job := await claim(ledger)) is not None:
            got.append(job.id)
        assert len(got) == len(set(got)) == 30

    async def test_workers_that_claim_at_once_never_get_the_same_reply(self, ledger):
        for user in range(20):
            await ready(ledger, user_id=user)
        claims = await asyncio.gather(*(claim_reply(ledger, worker=f"w{n}") for n in range(40)))
        got = [reply.id for reply in claims if reply is not None]
        while (reply := await claim_reply(ledger)) is not None:
            got.append(reply.id)
        assert len(got) == len(set(got)) == 20

    async def test_a_post_to_repeat_comes_when_due_and_before_a_new_one(self, ledger):
        first = await queued(ledger, user_id=1)
        await claim(ledger)
        await freeze(ledger, first.jobs[0].id)
        second = await queued(ledger, user_id=2, now=NOW + SECOND)
        third = await queued(ledger, user_id=3, now=NOW + 2 * SECOND)
        due = NOW + 10 * SECOND
        assert await ledger.run(verbs.resend_at, first.jobs[0].id, worker="ada", due_at=due)
        assert (await claim(ledger, now=due - SECOND)).id == second.jobs[0].id
        again = await claim(ledger, worker="bob", now=due)
        assert (again.id, again.attempts) == (first.jobs[0].id, 1)
        assert (await claim(ledger, now=due)).id == third.jobs[0].id

    async def test_to_begin_is_to_claim_and_to_freeze_at_once(self, ledger):
        [asked] = (await queued(ledger)).jobs
        begun = await begin(ledger, body=lambda job: job.id.encode())
        found = await ledger.run(verbs.job_of, asked.id)
        assert begun == found
        assert (found.state, found.first_post_at) == (State.SUBMITTING, NOW)
        assert found.body == asked.id.encode()
        assert await begin(ledger, worker="eve") is None, "ada holds it"
        assert await ledger.run(verbs.submitted, asked.id, task_id="task-1", now=NOW)

    async def test_a_job_without_a_request_stays_queued_with_whoever_began_it(self, ledger):
        [asked] = (await queued(ledger)).jobs
        begun = await begin(ledger, body=lambda _: None)
        assert (begun.id, begun.state, begun.body) == (asked.id, State.QUEUED, None)
        assert await begin(ledger, worker="eve", body=lambda _: None) is None
        assert not await freeze(ledger, asked.id, worker="eve")
        assert await settle(ledger, asked.id)

    async def test_a_post_to_repeat_keeps_its_bytes(self, ledger):
        await job_in(ledger, State.SUBMITTING)
        later = NOW + 2 * LEASE
        begun = await begin(ledger, worker="eve", now=later, body=lambda _: b"other")
        assert (begun.state, begun.body, begun.first_post_at) == (State.SUBMITTING, b"{}", NOW)

    async def test_workers_that_begin_at_once_never_get_the_same_job(self, ledger):
        asked = await queued(ledger, count=3)
        workers = [f"worker-{number}" for number in range(6)]
        begun = await asyncio.gather(*(begin(ledger, worker=worker) for worker in workers))
        got = [job.id for job in begun if job is not None]
        assert sorted(got) == sorted(job.id for job in asked.jobs)

    async def test_a_settled_job_is_never_claimed(self, ledger):
        reply = await queued(ledger)
        await settle(ledger, reply.jobs[0].id)
        assert await claim(ledger, now=NOW + 2 * LEASE) is None

    async def test_the_longest_waiting_reply_comes_first(self, ledger):
        later = await ready(ledger, now=NOW + SECOND)
        early = await ready(ledger)
        claimed = [(await claim_reply(ledger, now=NOW + LEASE)).id for _ in range(2)]
        assert claimed == [early.id, later.id]

    async def test_a_reply_is_renewed_by_its_holder_only(self, ledger):
        reply = await ready(ledger)
        await claim_reply(ledger)
        until = NOW + 3 * LEASE
        assert not await ledger.run(deliveries.renew, reply.id, worker="bob", until=until)
        assert await ledger.run(deliveries.renew, reply.id, worker="ada", until=until)
        assert await claim_reply(ledger, worker="bob", now=NOW + 2 * LEASE) is None
        taken = await claim_reply(ledger, worker="bob", now=until)
        assert (taken.id, taken.attempts) == (reply.id, 2)
        assert not await ledger.run(deliveries.renew, reply.id, worker="ada", until=until)
        assert not await close(ledger, reply.id, worker="ada")
        assert await close(ledger, reply.id, worker="bob")


class TestReplies:
    """A reply is ready when all its jobs are, is closed once, and then stays closed."""

    VERBS = {  # noqa: RUF012 - a table, never changed
        "claim_reply": (deliveries.claim_reply, {"now": NOW, "lease": LEASE}),
        "renew": (deliveries.renew, {"until": NOW + LEASE + SECOND}),
        "postpone": (deliveries.postpone, {"due_at": NOW + LEASE, "trouble": "reset"}),
        "close": (deliveries.close, {"delivery": Delivery.PARKED, "now": NOW}),
        "step_on": (deliveries.step_on, {"rung": model.Rung.DM, "now": NOW}),
    }
    CLOSED = (Delivery.DELIVERED, Delivery.PARKED, Delivery.UNDELIVERABLE)

    @pytest.mark.parametrize(
        "situation", ["unsettled", "ready", "claimed", "withdrawn", *CLOSED], ids=str
    )
    @pytest.mark.parametrize("name", VERBS)
    async def test_a_verb_moves_only_from_its_own_states(self, ledger, name, situation):
        reply = await received(ledger)
        if situation == "withdrawn":
            await ledger.run(verbs.withdraw, reply.id, now=NOW)
        elif situation != "unsettled":
            await settle(ledger, reply.jobs[0].id)
        if situation in {"claimed", *self.CLOSED}:
            await claim_reply(ledger)
        if situation in self.CLOSED:
            assert await close(ledger, reply.id, delivery=situation)
        before = await ledger.run(everything)
        verb, keywords = self.VERBS[name]
        args = [] if name == "claim_reply" else [reply.id]
        result = await ledger.run(verb, *args, worker="ada", **keywords)
        if situation == ("ready" if name == "claim_reply" else "claimed"):
            assert result
            assert await ledger.run(everything) != before
        else:
            assert not result
            assert await ledger.run(everything) == before

    @pytest.mark.parametrize("count", [1, 2, 3, 4])
    async def test_a_reply_waits_for_its_last_job(self, ledger, count):
        reply = await queued(ledger, count=count)
        for left, job in zip(reversed(range(count)), reversed(reply.jobs), strict=True):
            assert await claim_reply(ledger) is None
            assert await settle(ledger, job.id) == reply.id
            assert await settle(ledger, job.id, outcome=build.failure()) is None
            assert await ledger.run(unsettled, reply.id) == left
        claimed = await claim_reply(ledger)
        assert claimed.id == reply.id
        assert claimed.settled
        assert [job.outcome for job in claimed.jobs] == [build.pictures()] * count

    @pytest.mark.parametrize("count", [2, 3, 4])
    async def test_jobs_that_settle_at_once_are_all_counted(self, ledger, count):
        replies = [await queued(ledger, count=count, user_id=user) for user in range(6)]
        job_ids = [job.id for reply in replies for job in reply.jobs]
        results = await asyncio.gather(*(settle(ledger, job_id) for job_id in job_ids * 2))
        assert sum(result is not None for result in results) == len(job_ids)
        assert [await ledger.run(unsettled, reply.id) for reply in replies] == [0] * 6
        assert await ledger.run(counted) == 0

    async def test_a_postponed_reply_comes_back_when_due(self, ledger):
        reply = await ready(ledger)
        await claim_reply(ledger)
        due = NOW + 10 * SECOND
        assert await ledger.run(
            deliveries.postpone, reply.id, worker="ada", due_at=due, trouble="503 from Discord"
        )
        row = (await ledger.run(everything))["replies"][0]
        assert (row["trouble"], row["lease_owner"]) == ("503 from Discord", None)
        assert await claim_reply(ledger, now=due - SECOND) is None
        assert (await claim_reply(ledger, worker="bob", now=due)).id == reply.id

    @pytest.mark.parametrize("delivery", CLOSED)
    async def test_a_closed_reply_has_no_token_and_keeps_the_trouble(self, ledger, delivery):
        reply = await ready(ledger)
        await claim_reply(ledger)
        assert await ledger.run(
            deliveries.close,
            reply.id,
            worker="ada",
            delivery=delivery,
            now=NOW + SECOND,
            trouble="403 in the channel",
        )
        kept = await ledger.run(verbs.reply_of, reply.id)
        assert (kept.delivery, kept.target.token) == (delivery, None)
        row = (await ledger.run(everything))["replies"][0]
        assert (row["delivered_at"], row["trouble"]) == (NOW + SECOND, "403 in the channel")
        assert await claim_reply(ledger, now=NOW + 9 * LEASE) is None

    async def test_a_postponed_reply_may_have_its_attempts_left(self, ledger):
        reply = await ready(ledger)
        for attempts in (None, None, 1, None):
            await claim_reply(ledger)
            await ledger.run(
                deliveries.postpone,
                reply.id,
                worker="ada",
                due_at=NOW,
                trouble="503",
                attempts=attempts,
            )
        assert (await ledger.run(verbs.reply_of, reply.id)).attempts == 2

    async def test_a_rung_is_remembered(self, ledger):
        reply = await ready(ledger)
        assert not (await claim_reply(ledger)).rung
        await ledger.run(
            deliveries.step_on, reply.id, worker="ada", rung=model.Rung.CHANNEL, now=NOW + SECOND
        )
        kept = await ledger.run(verbs.reply_of, reply.id)
        assert (kept.rung, kept.rung_at) == (model.Rung.CHANNEL, NOW + SECOND)

    async def test_only_an_open_reply_that_waits_becomes_a_note(self, ledger):
        unfinished = await queued(ledger)
        assert await ledger.run(deliveries.note, unfinished.id)
        assert (await ledger.run(verbs.reply_of, unfinished.id)).noted
        withdrawn = await received(ledger)
        await ledger.run(verbs.withdraw, withdrawn.id, now=NOW)
        for reply in (await ready(ledger), withdrawn):
            assert not await ledger.run(deliveries.note, reply.id)
            assert not (await ledger.run(verbs.reply_of, reply.id)).noted
        assert not await ledger.run(deliveries.note, "nothing")

    async def test_a_finished_reply_becomes_a_note_only_between_two_attempts(self, ledger):
        reply = await ready(ledger, present=False, token_expires_at=NOW + SECOND)

        async def due():
            found = await ledger.run(deliveries.due_for_note, now=NOW, before=NOW + SECOND)
            return [each.id for each in found]

        assert await due() == []
        await claim_reply(ledger)
        assert await due() == []
        assert not await ledger.run(deliveries.note, reply.id)
        await ledger.run(deliveries.postpone, reply.id, worker="ada", due_at=NOW, trouble="503")
        assert await due() == [reply.id]
        assert await ledger.run(deliveries.note, reply.id)
        assert (await claim_reply(ledger)).noted
        assert await due() == []
        # Where its picture may stand already a note would cover it.
        rung = model.Rung.EDIT
        await ledger.run(deliveries.step_on, reply.id, worker="ada", rung=rung, now=NOW)
        await ledger.run(deliveries.postpone, reply.id, worker="ada", due_at=NOW, trouble="503")
        assert await due() == []

    async def test_due_for_a_note_is_what_only_a_dying_token_reaches(self, ledger):
        async def waiting(**changes):
            reply = await received(
                ledger, **{"private": True, "token_expires_at": NOW + SECOND} | changes
            )
            target = reply.target
            await ledger.run(verbs.confirm, reply.id, message_id=7, private=target.private, now=NOW)
            return reply.id

        private = await waiting()
        absent = await waiting(private=False, present=False)
        await waiting(private=False, present=True)
        await waiting(token_expires_at=NOW)
        await waiting(token_expires_at=NOW + 2 * SECOND)
        await waiting(token=None)
        noted = await waiting()
        await ledger.run(deliveries.note, noted)
        finished = await waiting()
        for job in (await ledger.run(verbs.reply_of, finished)).jobs:
            await settle(ledger, job.id)
        due = await ledger.run(deliveries.due_for_note, now=NOW, before=NOW + SECOND)
        assert {reply.id for reply in due} == {private, absent, noted}
        assert due[-1].id == noted  # it may have to be sent again, after those that never were
        assert (
            await ledger.run(deliveries.due_for_note, now=NOW + SECOND, before=NOW + SECOND) == []
        )

    async def test_a_parked_reply_is_shown_with_the_clicks_token(self, ledger):
        reply = await ready(ledger, private=True)
        await claim_reply(ledger)
        await close(ledger, reply.id, delivery=Delivery.PARKED)
        later = NOW + timedelta(hours=1)
        click = build.target(now=later, token="click", message_id=99, upload_limit=5)
        shown = await ledger.run(deliveries.reopen, reply.id, target=click, now=later)
        assert shown.delivery is Delivery.OPEN
        assert shown.target.token == "click"
        assert shown.target.token_expires_at == click.token_expires_at
        assert (shown.target.message_id, shown.target.upload_limit) == (99, 5)
        assert shown.target.interaction_id == reply.target.interaction_id
        again = await claim_reply(ledger, worker="bob", now=later)
        assert (again.id, again.attempts) == (reply.id, 1)
        assert await close(ledger, reply.id, worker="bob", now=later)
        assert await ledger.run(deliveries.reopen, reply.id, target=click, now=later) is None

    async def test_a_note_of_an_unfinished_reply_takes_the_clicks_token(self, ledger):
        reply = await queued(ledger)
        await ledger.run(deliveries.note, reply.id)
        click = build.target(token="click", message_id=99)
        shown = await ledger.run(deliveries.reopen, reply.id, target=click, now=NOW)
        assert (shown.target.token, shown.noted) == ("click", False)
        assert await claim_reply(ledger) is None

    async def test_what_no_route_reached_begins_again_with_the_clicks_token(self, ledger):
        reply = await ready(ledger)
        await claim_reply(ledger)
        await ledger.run(
            deliveries.step_on, reply.id, worker="ada", rung=model.Rung.DM, now=NOW + SECOND
        )
        await close(ledger, reply.id, delivery=Delivery.UNDELIVERABLE)
        click = build.target(token="click")
        shown = await ledger.run(
            deliveries.reopen, reply.id, target=click, now=NOW, of=deliveries.KEPT
        )
        assert (shown.delivery, shown.target.token) == (Delivery.OPEN, "click")
        assert shown.rung is None
        assert (await claim_reply(ledger)).id == reply.id

    async def test_a_press_does_not_make_a_message_under_way_forgotten(self, ledger):
        reply = await ready(ledger)
        await claim_reply(ledger)
        await ledger.run(
            deliveries.step_on, reply.id, worker="ada", rung=model.Rung.DM, now=NOW + SECOND
        )
        click = build.target(token="click")
        kept = deliveries.KEPT
        assert await ledger.run(deliveries.reopen, reply.id, target=click, now=NOW, of=kept) is None
        shown = await ledger.run(deliveries.reopen, reply.id, target=click, now=NOW)
        assert shown.rung is model.Rung.DM

    @pytest.mark.parametrize("delivery", [Delivery.DELIVERED, Delivery.CANCELLED])
    async def test_what_is_over_is_not_shown_again(self, ledger, delivery):
        reply = await ready(ledger)
        await claim_reply(ledger)
        await close(ledger, reply.id, delivery=delivery)
        before = await ledger.run(everything)
        click = build.target(token="click")
        assert await ledger.run(deliveries.reopen, reply.id, target=click, now=NOW) is None
        assert await ledger.run(deliveries.reopen, "nothing", target=click, now=NOW) is None
        assert await ledger.run(everything) == before

    async def test_nobody_is_shown_what_another_asked_for(self, ledger):
        reply = await ready(ledger, user_id=1)
        await claim_reply(ledger)
        await close(ledger, reply.id, delivery=Delivery.PARKED)
        click = build.target(token="click", user_id=2)
        assert await ledger.run(deliveries.reopen, reply.id, target=click, now=NOW) is None

    async def test_dead_tokens_are_erased_and_live_ones_are_not(self, ledger):
        dead = await received(ledger, token_expires_at=NOW)
        alive = await received(ledger, token_expires_at=NOW + SECOND)
        assert await ledger.run(deliveries.erase_tokens, now=NOW) == 1
        assert await ledger.run(deliveries.erase_tokens, now=NOW) == 0
        assert (await ledger.run(verbs.reply_of, dead.id)).target.token is None
        assert (await ledger.run(verbs.reply_of, alive.id)).target.token == "interaction-token"


class TestSweeps:
    """What the start and the slow loops ask for."""

    async def test_the_unacknowledged_are_those_written_before(self, ledger):
        old = await received(ledger, count=3)
        await received(ledger, now=NOW + SECOND)
        await queued(ledger)
        assert await ledger.run(verbs.unacknowledged, before=NOW) == []
        assert await ledger.run(verbs.unacknowledged, before=NOW + SECOND) == [old]

    async def test_only_what_still_waits_expires(self, ledger):
        sent = await queued(ledger)
        await claim(ledger)
        await freeze(ledger, sent.jobs[0].id)
        old = await queued(ledger, count=2)
        young = await queued(ledger, now=NOW + SECOND)
        later = NOW + LEASE
        expire = {"oldest": Oldest(asked=NOW + SECOND), "now": later}
        assert await ledger.run(ending.expire, **expire) == [old.id, old.id]
        assert await ledger.run(ending.expire, **expire) == []
        expired = await ledger.run(verbs.reply_of, old.id)
        assert {job.outcome for job in expired.jobs} == {
            model.Outcome(end=End.EXPIRED, code=Code.EXPIRED)
        }
        assert (await ledger.run(verbs.job_of, young.jobs[0].id)).state is State.QUEUED
        assert await ledger.run(counted) == 2
        assert (await claim_reply(ledger, now=later)).id == old.id

    async def test_expiry_and_cancelling_at_once_settle_each_job_once(self, ledger):
        for _ in range(5):
            jobs = [(await queued(ledger, user_id=user)).jobs[0] for user in range(8)]
            oldest = Oldest(asked=NOW + LEASE)
            expired, *cancelled = await asyncio.gather(
                ledger.run(ending.expire, oldest=oldest, now=NOW + LEASE),
                *(settle(ledger, job.id) for job in reversed(jobs)),
            )
            again = await ledger.run(ending.expire, oldest=oldest, now=NOW + LEASE)
            assert sorted(expired + again + [each for each in cancelled if each]) == sorted(
                job.reply_id for job in jobs
            )
            assert await ledger.run(counted) == 0

    async def test_live_jobs_are_those_with_a_task_and_no_outcome(self, ledger):
        running = await job_in(ledger, State.SUBMITTED)
        (found,) = await ledger.run(watching.live)
        assert (found.job_id, found.task_id) == (running.id, "task-1")
        await settle(ledger, running.id)
        await queued(ledger)
        assert await ledger.run(watching.live) == []

    async def test_durations_are_those_of_this_models_last_pictures(self, ledger):
        async def took(seconds, *, outcome, model_id="fast", task=True, dated=True):
            reply = await queued(ledger, asks=build.request(model=model_id))
            if task:
                await claim(ledger)
                await freeze(ledger, reply.jobs[0].id)
                await ledger.run(verbs.submitted, reply.jobs[0].id, task_id=reply.id, now=NOW)
            # Found late, which is nothing to learn from.
            now = NOW + (seconds + 60) * SECOND
            outcome = replace(outcome, seconds=seconds if outcome.pictures and dated else None)
            await settle(ledger, reply.jobs[0].id, outcome=outcome, now=now)

        await took(10, outcome=build.pictures())
        await took(30, outcome=build.pictures())
        await took(20, outcome=build.pictures())
        await took(40, outcome=build.pictures(), model_id="slow")
        await took(1, outcome=build.failure())
        await took(86_400, outcome=build.failure(Code.LOST, end=End.UNKNOWN))
        await took(2, outcome=build.failure(end=End.CANCELLED), task=False)
        await took(3, outcome=build.pictures(), dated=False)
        durations = await ledger.run(watching.durations, model="fast")
        assert durations == [30 * SECOND, 20 * SECOND, 10 * SECOND]
        assert await ledger.run(watching.durations, model="fast", limit=2) == durations[:2]
        assert await ledger.run(watching.durations, model="never used") == []

    async def test_a_status_is_kept_for_running_tasks(self, ledger):
        job = await job_in(ledger, State.SUBMITTED)
        waiting = await queued(ledger)
        statuses = {job.id: "handling", waiting.jobs[0].id: "handling", "nothing": "handling"}
        assert await ledger.run(verbs.note_status, statuses) == 1
        assert (await ledger.run(verbs.job_of, job.id)).task_status == "handling"

    async def test_a_status_longer_than_its_column_is_cut(self, ledger):
        job = await job_in(ledger, State.SUBMITTED)
        status = "waiting_for_a_human_to_have_a_look"
        assert await ledger.run(verbs.note_status, {job.id: status}) == 1
        assert (await ledger.run(verbs.job_of, job.id)).task_status == status[:32]
