"""What follows a verb joins its transaction, and costs it nothing where it fails."""

import asyncio
import sqlite3
import threading
from contextlib import asynccontextmanager, closing
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.ledger import asks, deliveries, verbs
from bot.ledger.ledger import Ledger
from bot.model import State
from tests import build

NOW = build.NOW
LEASE = timedelta(seconds=60)


@asynccontextmanager
async def held(ledger):
    """While this lasts, the writer of an SQLite ledger is at work for somebody else."""
    release = threading.Event()
    entered = asyncio.get_running_loop().create_future()

    def hold(_conn):
        entered.get_loop().call_soon_threadsafe(entered.set_result, None)
        assert release.wait(10)

    holding = ledger.ask(hold)
    await entered
    try:
        yield
    finally:
        release.set()
        await holding


@pytest.fixture
async def path(tmp_path, sqlite_template):
    path = tmp_path / "easel.db"
    path.write_bytes(sqlite_template.read_bytes())
    return path


@pytest.fixture
async def sqlite(path):
    async with Ledger(f"sqlite:///{path}") as opened:
        yield opened


async def received(ledger):
    reply = build.reply()
    await ledger.run(asks.receive, reply, limits=build.limits(reply, 1000))
    return reply


def confirm(ledger, reply):
    return ledger.ask(verbs.confirm, reply.id, message_id=1, private=False, now=NOW)


def claim(conn, *, body=lambda _job: b"{}"):
    return verbs.begin(conn, worker="ada", now=NOW, lease=LEASE, body=body)


async def test_it_finds_what_the_verb_made_ready_before_anybody_else_does(sqlite, path):
    reply = await received(sqlite)
    seen, claims = [], []

    def claim_and_look(conn):
        job = claim(conn)
        with closing(sqlite3.connect(path)) as other:
            seen.extend(other.execute("SELECT state FROM jobs"))
        return job

    sqlite.follow({verbs.confirm: lambda: claims.append(sqlite.ask(claim_and_look))})
    async with held(sqlite):
        confirming = confirm(sqlite, reply)
    assert await confirming == 1
    [job] = [await each for each in claims]
    assert (job.id, job.state) == (reply.jobs[0].id, State.SUBMITTING)
    assert seen == [("received",)]


async def test_that_it_fails_is_its_own_matter(sqlite):
    reply, claims = await received(sqlite), []

    def fail(_job):
        raise ValueError("a defect")

    sqlite.follow({verbs.confirm: lambda: claims.append(sqlite.ask(claim, body=fail))})
    async with held(sqlite):
        confirming = confirm(sqlite, reply)
    assert await confirming == 1
    with pytest.raises(ValueError, match="a defect"):
        await claims[0]
    # What it had leased before it failed is free.
    assert await sqlite.run(claim)
    assert len(claims) == 1


async def test_a_verb_that_failed_left_it_nothing_to_find(sqlite):
    reply, claims = await received(sqlite), []
    sqlite.follow({verbs.confirm: lambda: claims.append(sqlite.ask(claim))})
    async with held(sqlite):
        confirming = sqlite.ask(
            verbs.confirm, reply.id, message_id=object(), private=False, now=NOW
        )
    with pytest.raises(sa.exc.DBAPIError):
        await confirming
    assert await claims[0] is None


async def test_of_two_that_follow_each_finds_its_own(sqlite):
    replies, claims = [await received(sqlite) for _ in range(2)], []
    sqlite.follow({verbs.confirm: lambda: claims.append(sqlite.ask(claim))})
    async with held(sqlite):
        confirming = [confirm(sqlite, reply) for reply in replies]
    await asyncio.gather(*confirming)
    found = {(await each).reply_id for each in claims}
    assert found == {reply.id for reply in replies}


async def test_nobody_follows_any_more(sqlite):
    claims = []
    sqlite.follow({verbs.confirm: lambda: claims.append(sqlite.ask(claim))})
    sqlite.follow({})
    assert await confirm(sqlite, await received(sqlite)) == 1
    assert claims == []


async def test_a_ledger_that_closes_answers_what_followed(path):
    async with Ledger(f"sqlite:///{path}") as ledger:
        reply, claims = await received(ledger), []
        ledger.follow({verbs.confirm: lambda: claims.append(ledger.ask(claim))})
        confirming = confirm(ledger, reply)
    assert await confirming == 1
    assert (await claims[0]).id == reply.jobs[0].id


async def test_on_postgresql_nobody_follows(ledger_url):
    """There it would be as likely to come before, and find nothing."""
    async with Ledger(ledger_url) as ledger:
        claims = []
        ledger.follow({verbs.confirm: lambda: claims.append(ledger.ask(claim))})
        assert await confirm(ledger, await received(ledger)) == 1
        assert len(claims) == (not ledger_url.startswith("postgresql"))
        await asyncio.gather(*claims)


async def test_a_reply_is_claimed_with_its_last_outcome_and_no_sooner(sqlite):
    reply, claims = build.reply(count=2), []
    await sqlite.run(asks.receive, reply, limits=build.limits(reply, 1000))
    options = {"worker": "ada", "now": NOW, "lease": LEASE}
    sqlite.follow(
        {verbs.settle: lambda: claims.append(sqlite.ask(deliveries.claim_reply, **options))}
    )
    for job in reply.jobs:
        await sqlite.run(verbs.settle, job.id, outcome=build.failure(), now=NOW)
    assert await claims[0] is None
    assert (await claims[1]).id == reply.id
