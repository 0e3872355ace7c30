"""What is kept about a person: handed out whole, erased without a trace, on both databases."""

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.ledger import asks, deliveries, ending, files, hearing, privacy, schema, servers, verbs
from bot.model import Delivery, End, Outcome, Picture, Reference, State
from tests import build

NOW = build.NOW
LEASE = timedelta(seconds=60)
ME, OTHER = 4_400_000_000_000_044, 5_500_000_000_000_055
DIGEST, SHARED = "d" * 64, "e" * 64
TRACES = ("secret heron", "secret-token", "secret-url", "secret-detail", "secret.png", "secret-way")


def asked(user_id=ME, **changes):
    refs = tuple(
        Reference(url=f"https://secret-url/{digest}", filename="secret.png", digest=digest)
        for digest in (DIGEST, SHARED)
    )
    request = build.request(kind="remix", prompt="a secret heron", references=refs)
    return build.reply(
        asks=request, user_id=user_id, token="secret-token", message_id=990_099, **changes
    )


async def received(ledger, reply):
    await ledger.run(asks.receive, reply, limits=build.limits(reply, 100))
    return reply


async def queued(ledger, reply):
    await received(ledger, reply)
    await ledger.run(verbs.confirm, reply.id, message_id=990_099, private=True, now=NOW)
    return reply


async def submitting(ledger, reply):
    await queued(ledger, reply)
    job = await ledger.run(verbs.claim_queued, worker="ada", now=NOW, lease=LEASE)
    await ledger.run(verbs.freeze, job.id, worker="ada", body=b'{"p":"a secret heron"}', now=NOW)
    return reply


async def submitted(ledger, reply):
    await submitting(ledger, reply)
    await ledger.run(verbs.submitted, reply.jobs[0].id, task_id=f"tk-{reply.id}", now=NOW)
    return reply


async def finished(ledger, reply, delivery=Delivery.DELIVERED):
    await submitted(ledger, reply)
    picture = Picture("https://secret-url/1")
    outcome = Outcome(end=End.PICTURES, pictures=(picture,), detail="secret-detail")
    await ledger.run(verbs.settle, reply.jobs[0].id, outcome=outcome, now=NOW)
    await ledger.run(deliveries.claim_reply, worker="ada", now=NOW, lease=LEASE)
    how = {"worker": "ada", "delivery": delivery, "now": NOW, "trouble": "secret-way"}
    await ledger.run(deliveries.close, reply.id, **how)
    return reply


def everything(conn):
    tables = schema.metadata.sorted_tables
    return {t.name: [dict(row) for row in conn.execute(sa.select(t)).mappings()] for t in tables}


async def erase(ledger, user_id=ME):
    return await ledger.run(privacy.erase, user_id, now=NOW)


@pytest.mark.parametrize("table", schema.metadata.sorted_tables, ids=lambda table: table.name)
def test_it_is_decided_what_becomes_of_every_column(table):
    """A new column or table has its place in bot/ledger/privacy.py: kept, blanked or dropped."""
    if table.name in privacy.DROPPED | privacy.NOBODYS:
        assert ("user_id" in table.c) is (table.name in privacy.DROPPED)
        return
    stays, blanks = privacy.STAYS[table.name], set(privacy.BLANKS[table.name])
    by_row = privacy.BY_ROW[table.name]
    assert stays | blanks | by_row == set(table.c.keys())
    assert len(stays) + len(blanks) + len(by_row) == len(table.c)


async def test_nothing_of_a_person_is_left_and_the_counts_still_add_up(ledger):
    for begin in (finished, submitted, submitting, queued, received):
        await begin(ledger, asked())
    await ledger.run(lambda conn: conn.execute(sa.insert(schema.preferences).values(likes(ME))))
    erased = await erase(ledger)
    assert (erased.replies, erased.jobs, erased.cancelled) == (5, 5, 4)
    assert set(erased.digests) == {DIGEST, SHARED}

    left = await ledger.run(everything)
    # This month's accounts must outlive an erasure, or it would lift every limit.
    accounts = left.pop("spending")
    assert {row["scope"] for row in accounts if str(ME) in row["scope"]} != set()
    told = str(left)
    for trace in (*TRACES, str(ME), "990099", DIGEST):
        assert trace not in told, trace
    assert len(left["jobs"]) == len(left["replies"]) == 5
    assert {row["user_id"] for row in left["jobs"] + left["replies"]} == {privacy.ANONYMOUS}
    assert {row["state"] for row in left["jobs"]} == {State.SETTLED}
    assert {row["unsettled"] for row in left["replies"]} == {0}
    # What was sent may be billed and stays counted; what was not is uncounted.
    assert {row["pictures"] for row in accounts} == {3}
    assert sum(row["task_id"] is not None for row in left["jobs"]) == 2
    assert sorted(row["outcome"]["end"] for row in left["jobs"]) == ["cancelled"] * 4 + ["pictures"]
    # What is left can still be read as what it is.
    for row in left["replies"]:
        assert (await ledger.run(verbs.reply_of, row["id"])).settled


def likes(user_id):
    return {"user_id": user_id, "private": True, "spoiler": False, "show_references": False}


async def test_nobody_else_loses_anything(ledger):
    await finished(ledger, asked(OTHER))
    await ledger.run(lambda conn: conn.execute(sa.insert(schema.preferences).values(likes(OTHER))))
    before = await ledger.run(everything)
    await finished(ledger, asked())
    erased = await erase(ledger)
    assert erased.digests == (), "the same image is kept once for both"
    after = await ledger.run(everything)
    for table in ("jobs", "replies", "preferences"):
        others = [row for row in after[table] if row["user_id"] == OTHER]
        assert others == before[table]


async def test_late_answers_bring_nothing_back(ledger):
    sending, made = await submitting(ledger, asked()), await submitted(ledger, asked())
    parked = await finished(ledger, asked(), Delivery.PARKED)
    await erase(ledger)
    before = await ledger.run(everything)
    assert {row["delivery"] for row in before["replies"]} == {Delivery.CANCELLED}

    job = sending.jobs[0].id
    later = NOW + timedelta(seconds=1)
    assert not await ledger.run(verbs.submitted, job, task_id="tk-late", now=NOW)
    assert not await ledger.run(verbs.resend_at, job, worker="ada", due_at=later)
    heard = await ledger.run(
        hearing.settle_heard,
        made.jobs[0].id,
        task_id=f"tk-{made.id}",
        model=made.jobs[0].request.model,
        outcome=build.pictures("https://secret-url/2"),
        now=NOW,
    )
    assert heard.heard is hearing.Heard.REPEATED
    click = build.target(user_id=ME)
    assert await ledger.run(deliveries.reopen, parked.id, target=click, now=NOW) is None
    assert await ledger.run(verbs.claim_queued, worker="ada", now=NOW + LEASE, lease=LEASE) is None
    assert await ledger.run(deliveries.claim_reply, worker="b", now=NOW, lease=LEASE) is None
    assert await ledger.run(everything) == before


async def test_what_was_turned_away_is_erased_uncounted_and_never_sent_again(ledger):
    reply = await submitting(ledger, asked())
    job = reply.jobs[0].id
    again = {"worker": "ada", "due_at": NOW, "now": NOW}
    assert await ledger.run(ending.turned_away, job, **again) is None
    assert (await erase(ledger)).cancelled == 1
    assert await ledger.run(build.counted) == 0
    assert await ledger.run(verbs.claim_queued, worker="ada", now=NOW, lease=LEASE) is None


async def test_erasing_again_or_nobody_changes_nothing(ledger):
    await finished(ledger, asked())
    await erase(ledger)
    before = await ledger.run(everything)
    assert (await erase(ledger)).jobs == 0
    assert await ledger.run(everything) == before


async def test_a_person_gets_everything_but_what_opens_something(ledger):
    mine = await finished(ledger, asked())
    await queued(ledger, asked())
    await queued(ledger, asked(OTHER))
    await ledger.run(lambda conn: conn.execute(sa.insert(schema.preferences).values(likes(ME))))
    who = {"guild_id": 33, "now": NOW}
    await ledger.run(servers.block, **who, user_id=ME, reason="spam", by_user=OTHER)
    await ledger.run(servers.block, **who, user_id=OTHER, reason="spam", by_user=ME)
    await ledger.run(servers.change, 33, user_id=ME, rules={"private": True}, now=NOW)
    lines = await ledger.run(privacy.records, ME, now=NOW)
    told = [json.loads(line) for line in lines]
    assert [line["record"] for line in told] == [
        *("about", "preferences", "changes", "blocks", "replies", "replies", "jobs", "jobs"),
        *("spending", "spending"),
    ]
    assert str(OTHER) not in "".join(lines)
    assert "secret-token" not in "".join(lines)
    [job] = [line for line in told if line.get("id") == mine.jobs[0].id]
    assert job["prompt"] == "a secret heron"
    assert job["body"] == '{"p":"a secret heron"}'
    assert job["created_at"] == NOW.isoformat()
    assert job["outcome"]["pictures"][0]["url"] == "https://secret-url/1"
    assert job["refs"][0]["filename"] == "secret.png"


async def test_the_files_of_a_person_are_named(ledger):
    mine = await finished(ledger, asked())
    await finished(ledger, asked(OTHER))
    found = await ledger.run(privacy.files_of, ME)
    assert found == privacy.Files(job_ids=(mine.jobs[0].id,), digests=(DIGEST, SHARED))


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
async def test_the_bytes_of_the_files_hold_nothing_of_it_any_more(ledger, ledger_url):
    for begin in (finished, submitted, submitting, queued):
        for _ in range(5):
            await begin(ledger, asked())
    path = files.sqlite_path(ledger_url)

    def told():
        return b"".join(each.read_bytes() for each in path.parent.glob("easel.db*"))

    assert all(trace.encode() in told() for trace in TRACES)
    await erase(ledger)
    assert files.sweep(path)
    left = told()
    assert [trace for trace in (*TRACES, DIGEST) if trace.encode() in left] == []
    assert ME.to_bytes(8, "big").lstrip(b"\0") not in left
