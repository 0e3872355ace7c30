"""No statement of the loops reads a whole table: finished jobs stay, and must cost nothing."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.errors import Code
from bot.ledger import (
    asks,
    costs,
    deliveries,
    ending,
    overview,
    queue,
    refusals,
    schema,
    verbs,
    watching,
)
from bot.ledger.ledger import Ledger
from bot.ledger.unsent import ANY_AGE
from bot.model import Delivery
from bot.pauses import Pause
from tests import build

NOW = build.NOW
LEASE = timedelta(seconds=60)


def claim_queued(conn):
    return verbs.claim_queued(conn, worker="ada", now=NOW, lease=LEASE)


def claim_reply(conn):
    return deliveries.claim_reply(conn, worker="ada", now=NOW, lease=LEASE)


def due_for_note(conn):
    return deliveries.due_for_note(conn, now=NOW, before=NOW)


def durations(conn):
    return watching.durations(conn, model="any")


def erase_tokens(conn):
    return deliveries.erase_tokens(conn, now=NOW)


def expire(conn):
    return ending.expire(conn, oldest=ANY_AGE, now=NOW)


def head(conn):
    return queue.head(conn, limit=5)


def unacknowledged(conn):
    return verbs.unacknowledged(conn, before=NOW)


def refused(conn):
    """What settling a refusal of the content adds."""
    outcome = build.failure(Code.REFUSED_PROMPT)
    pause = Pause(after=1)
    refusals.strike(conn, "any", user_id=1, outcome=outcome, pause=pause, now=NOW)


def overview_live(conn):
    return overview.live(conn)


WITHIN = {"models": ["any"], "since": NOW}


def overview_counts(conn):
    return overview.counts(conn, **WITHIN, step=LEASE)


def overview_failures(conn):
    return overview.failures(conn, **WITHIN, limit=5)


def overview_public(conn):
    return overview.public(conn, **WITHIN, limit=5)


def costs_totals(conn):
    return costs.totals(conn, now=NOW)


def costs_of_models(conn):
    return costs.of_models(conn, models=["any"], day=NOW)


def overview_public_job(conn):
    return overview.public_job(conn, "any")


INDEXES = {
    claim_queued: {"ix_jobs_queue", "ix_jobs_person"},
    claim_reply: {"ix_replies_work"},
    due_for_note: {"ix_replies_work"},
    durations: {"ix_jobs_settled"},
    erase_tokens: {"ix_replies_token"},
    expire: {"ix_jobs_queue"},
    head: {"ix_jobs_queue"},
    refused: {"ix_jobs_person"},
    unacknowledged: {"ix_jobs_queue"},
    watching.live: {"ix_jobs_queue"},
    overview_live: {"ix_jobs_queue", "ix_replies_work"},
    overview.models: {"ix_jobs_settled"},
    overview_counts: {"ix_jobs_settled"},
    overview_failures: {"ix_jobs_settled"},
    overview_public: {"ix_jobs_settled"},
    overview_public_job: set(),
    costs_totals: set(),  # by the key of the table itself
    costs_of_models: {"ix_jobs_queue", "ix_jobs_settled"},
}


def plan(conn, verb):
    """What SQLite says about each statement that the verb sends."""
    sent = []

    def note(_conn, _cursor, statement, parameters, *_):
        sent.append((statement, parameters))

    sa.event.listen(conn, "before_cursor_execute", note)
    verb(conn)
    sa.event.remove(conn, "before_cursor_execute", note)
    return [
        row.detail
        for statement, parameters in sent
        for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
    ]


async def sqlalchemys(folder):
    """A ledger's tables, by a connection that lets SQLAlchemy's events see all that is sent."""
    async with Ledger(f"sqlite:///{folder}/easel.db") as ledger:
        return sa.create_engine(ledger.url)


async def planned(folder, verb):
    with (await sqlalchemys(folder)).begin() as conn:
        return plan(conn, verb)


@pytest.mark.parametrize("verb", INDEXES, ids=lambda verb: verb.__name__)
async def test_a_loop_finds_its_rows_by_an_index(verb, tmp_path):
    lines = await planned(tmp_path, verb)
    assert lines
    scanned = {line.split()[1] for line in lines if line.startswith("SCAN")}
    assert not scanned & set(schema.metadata.tables)
    assert set(re.findall(r"\bix_\w+", " ".join(lines))) == INDEXES[verb]


async def test_the_last_durations_are_read_in_order_and_not_sorted(tmp_path):
    lines = await planned(tmp_path, durations)
    assert lines == ["SEARCH jobs USING INDEX ix_jobs_settled (model=?)"]


async def test_the_tasks_under_way_are_read_without_their_words_and_bytes(tmp_path):
    """They may be megabytes, and are read every few seconds."""
    sent = []
    with (await sqlalchemys(tmp_path)).begin() as conn:
        sa.event.listen(conn, "before_cursor_execute", lambda *about: sent.append(about[2]))
        watching.live(conn)
    [statement] = sent
    assert not re.search(r"\b(prompt|body|refs)\b", statement)


async def test_an_end_that_is_no_refusal_of_the_content_costs_no_statement_more(tmp_path):
    """Nothing is counted where nothing can follow: each settling is on everybody's way."""

    def settle(conn, code, **more):
        reply = build.reply(now=NOW)
        asks.receive(conn, reply, limits=build.limits(reply))
        sent = []
        sa.event.listen(conn, "before_cursor_execute", note := lambda *args: sent.append(args[2]))
        verbs.settle(conn, reply.jobs[0].id, outcome=build.failure(code), now=NOW, **more)
        sa.event.remove(conn, "before_cursor_execute", note)
        return sent

    with (await sqlalchemys(tmp_path)).begin() as conn:
        plain = settle(conn, Code.FAILED)
        assert len(plain) > 2
        assert settle(conn, Code.FAILED, pause=Pause(after=1)) == plain
        assert settle(conn, Code.REFUSED_PROMPT) == plain
        counted = settle(conn, Code.REFUSED_PROMPT, pause=Pause(after=9))
        assert counted[: len(plain)] == plain
        assert len(counted) == len(plain) + 2


async def test_a_statement_is_compiled_once_however_many_jobs_there_are(tmp_path):
    """One that was built or named anew for each job would be held for ever."""

    def live(conn, *, end):
        reply = build.reply(now=NOW, count=2)
        asks.receive(conn, reply, limits=build.limits(reply))
        verbs.confirm(conn, reply.id, message_id=1, private=False, now=NOW)
        for _ in reply.jobs:
            options = {"worker": "ada", "now": NOW, "lease": LEASE}
            job = verbs.begin(conn, **options, body=lambda _job: b"{}")
            verbs.submitted(conn, job.id, task_id=f"task of {job.id}", now=NOW)
            verbs.note_status(conn, {job.id: "handling"})
            queue.seen(conn, [reply.id])
            verbs.settle(conn, job.id, outcome=end, now=NOW)
        deliveries.claim_reply(conn, **options)
        deliveries.renew(conn, reply.id, worker="ada", until=NOW)
        deliveries.close(conn, reply.id, worker="ada", delivery=Delivery.DELIVERED, now=NOW)
        return len(conn._plans)

    async with Ledger(f"sqlite:///{tmp_path}/easel.db") as ledger:
        ends = (build.pictures(), build.failure())
        for end in ends:
            compiled = await ledger.run(live, end=end)
        assert compiled > 10
        for end in ends:
            assert await ledger.run(live, end=end) == compiled


async def test_a_long_queue_of_one_person_is_passed_over_in_one_go(tmp_path):
    """Their jobs wait for each other's end: whoever claims must not count them for each of them."""

    def wait(conn, first, last):
        for number in range(first, last):
            reply = build.reply(now=NOW, user_id=1, interaction_id=number)
            asks.receive(conn, reply, limits=build.limits(reply, 10**6))
            verbs.confirm(conn, reply.id, message_id=1, private=False, now=NOW)

    def steps(conn):
        """About how many instructions of SQLite's machine a claim takes that finds nothing."""
        hundreds = 0

        def count():
            nonlocal hundreds
            hundreds += 1

        database = conn.connection.driver_connection
        database.set_progress_handler(count, 100)
        claimed = verbs.claim_queued(conn, worker="eve", now=NOW, lease=LEASE, running_limit=1)
        database.set_progress_handler(None, 0)
        assert claimed is None
        return hundreds

    async with Ledger(f"sqlite:///{tmp_path}/easel.db") as ledger:
        await ledger.run(wait, 0, 101)
        assert await ledger.run(claim_queued)
        few = await ledger.run(steps)
        await ledger.run(wait, 101, 401)
        assert await ledger.run(steps) < 6 * few
