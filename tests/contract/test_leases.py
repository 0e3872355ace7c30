"""Which leases a new process may free, with real processes, on both databases."""

import os
import signal
import socket
import subprocess
import sys
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.ledger import asks, deliveries, leases, schema, verbs
from tests import build

NOW = build.NOW
LEASE = timedelta(seconds=60)
HOST = socket.gethostname()[:32]


@pytest.fixture
def living():
    """Another process that lives."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.fixture
def dead():
    """The pid of a process that was killed and is gone."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return process.pid


async def leased(ledger, owner: str) -> None:
    """A job and a finished reply in the hands of this worker."""
    waiting, finished = build.reply(), build.reply()
    for reply in (waiting, finished):
        await ledger.run(asks.receive, reply, limits=build.limits(reply, 1000))
    await ledger.run(verbs.settle, finished.jobs[0].id, outcome=build.failure(), now=NOW)
    await ledger.run(verbs.confirm, waiting.id, message_id=1, private=False, now=NOW)
    assert await ledger.run(verbs.claim_queued, worker=owner, now=NOW, lease=LEASE)
    assert await ledger.run(deliveries.claim_reply, worker=owner, now=NOW, lease=LEASE)


async def owners(ledger) -> list[str]:
    def read(conn: sa.Connection) -> list[str]:
        tables = (schema.jobs, schema.replies)
        return [o for t in tables for o in conn.scalars(sa.select(t.c.lease_owner)) if o]

    return sorted(await ledger.run(read))


async def freed(ledger, owner: str, *, worker: str = "") -> bool:
    """Whether a process that starts frees the leases of this owner, all of them or none."""
    await leased(ledger, owner)
    rows = await ledger.run(leases.free, worker=worker or leases.worker_name())
    assert rows in (0, 2)
    assert await owners(ledger) == ([] if rows else [owner] * 2)
    return rows == 2


async def test_a_process_that_is_gone(ledger, dead):
    assert await freed(ledger, f"{HOST}:{dead}:12345678")
    # And its work can be taken up at once.
    assert await ledger.run(verbs.claim_queued, worker="heir", now=NOW, lease=LEASE)
    assert await ledger.run(deliveries.claim_reply, worker="heir", now=NOW, lease=LEASE)


async def test_a_process_that_lives(ledger, living):
    assert not await freed(ledger, f"{HOST}:{living.pid}:12345678")


async def test_a_process_that_lives_and_belongs_to_somebody_else(ledger):
    assert not await freed(ledger, f"{HOST}:1:12345678")


async def test_a_process_of_another_host(ledger, dead):
    assert not await freed(ledger, f"elsewhere:{dead}:12345678")


async def test_our_own_leases(ledger):
    worker = leases.worker_name()
    assert not await freed(ledger, worker, worker=worker)


async def test_the_last_process_with_our_pid(ledger):
    # In a container every start has the pid 1.
    assert await freed(ledger, f"{HOST}:{os.getpid()}:12345678")


@pytest.mark.parametrize("owner", ["ada", f"{HOST}:x:1", f"{HOST}::1", f"{HOST}:-1:1", ":7:1"])
async def test_an_owner_that_is_no_worker_of_ours(ledger, owner):
    assert not await freed(ledger, owner)


@pytest.mark.parametrize("pid", [2**40, 10**30])
async def test_a_pid_that_no_machine_gives(ledger, pid):
    assert await freed(ledger, f"{HOST}:{pid}:12345678")


async def test_names_differ_from_start_to_start_and_fit(ledger):
    first, second = leases.worker_name(), leases.worker_name()
    assert first != second
    assert first.startswith(f"{HOST}:{os.getpid()}:")
    assert len(first) <= schema.jobs.c.lease_owner.type.length
    assert await owners(ledger) == []


async def test_who_leaves_holds_nothing_any_more(ledger):
    worker = leases.worker_name()
    await leased(ledger, "another:1:aa")
    await leased(ledger, worker)
    assert await ledger.run(leases.leave, worker=worker) == 2
    assert await owners(ledger) == ["another:1:aa"] * 2
    # Both are there for the next process, at once.
    assert await ledger.run(verbs.claim_queued, worker="bo", now=NOW, lease=LEASE)
    assert await ledger.run(deliveries.claim_reply, worker="bo", now=NOW, lease=LEASE)
    assert await ledger.run(leases.leave, worker=worker) == 0


async def test_only_the_lease_that_was_meant_is_given_back(ledger):
    reply = build.reply()
    await ledger.run(asks.receive, reply, limits=build.limits(reply, 1000))
    await ledger.run(verbs.confirm, reply.id, message_id=1, private=False, now=NOW)
    job = await ledger.run(verbs.claim_queued, worker="ada", now=NOW, lease=LEASE)

    def give_back(worker, until):
        return ledger.run(leases.give_back, job.id, worker=worker, until=until)

    until = NOW + LEASE
    assert not await give_back("bo", until)
    assert not await give_back("ada", until + timedelta(microseconds=1))  # claimed once more
    assert await owners(ledger) == ["ada"]
    assert await give_back("ada", until)
    assert await owners(ledger) == []
    assert not await give_back("ada", until)
    await ledger.run(verbs.settle, job.id, outcome=build.failure(), now=NOW)
    await ledger.run(deliveries.claim_reply, worker="ada", now=NOW, lease=LEASE)
    assert await ledger.run(leases.give_back, reply.id, worker="ada", until=until)
    assert await owners(ledger) == []
