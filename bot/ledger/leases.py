"""Leases of processes that are gone, or go, and of rows that nobody came for.

It owns the name of a worker and what follows from it; it never judges a lease by its age, which
the claims do.
"""

import os
import secrets
import socket
from datetime import datetime

import sqlalchemy as sa

from bot.ledger.schema import jobs, replies


def worker_name() -> str:
    """A name for this process: host, pid, and eight random digits, for a pid comes again."""
    return f"{socket.gethostname()[:32]}:{os.getpid()}:{secrets.token_hex(4)}"


def free(conn: sa.Connection, *, worker: str) -> int:
    """Free what processes of this host left that are not alive any more. Returns how many rows.

    Without it a restart after a crash would wait for leases to run out. A lease of another host
    is left alone.
    """
    freed = 0
    for table in (jobs, replies):
        owners = conn.scalars(
            sa.select(table.c.lease_owner).where(table.c.lease_owner.is_not(None)).distinct()
        ).all()
        for owner in owners:
            if _is_dead(owner, worker):
                freed += conn.execute(
                    sa.update(table)
                    .where(table.c.lease_owner == owner)
                    .values(lease_owner=None, lease_until=None)
                ).rowcount
    return freed


def leave(conn: sa.Connection, *, worker: str) -> int:
    """Free all that this process holds: it works no more. Returns how many rows.

    Its successor may have another host's name, as in a new container, and would have to wait.
    """
    return sum(
        conn.execute(
            sa.update(table)
            .where(table.c.lease_owner == worker)
            .values(lease_owner=None, lease_until=None)
        ).rowcount
        for table in (jobs, replies)
    )


def give_back(conn: sa.Connection, row_id: str, *, worker: str, until: datetime) -> bool:
    """End the lease of a job or a reply that lasts until then: another of ours is left alone."""
    return any(
        conn.execute(
            sa.update(table)
            .where(
                table.c.id == row_id,
                table.c.lease_owner == worker,
                table.c.lease_until == until,
            )
            .values(lease_owner=None, lease_until=None)
        ).rowcount
        for table in (jobs, replies)
    )


def _is_dead(owner: str, worker: str) -> bool:
    host, _, rest = owner.partition(":")
    pid = rest.partition(":")[0]
    mine, _, my_rest = worker.partition(":")
    if owner == worker or host != mine or not pid.isdecimal():
        return False
    if pid == my_rest.partition(":")[0]:
        return True  # our pid under another name: we are its successor
    if os.name == "nt":
        return False  # there the 0 below would not ask, but interrupt
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False
