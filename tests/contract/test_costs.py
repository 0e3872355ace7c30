"""What the operator's page reads of money, the same on SQLite and PostgreSQL."""

from datetime import timedelta

from bot.allowance import Spent
from bot.ledger import asks, costs, overview, queue, verbs
from bot.ledger.costs import Cost
from tests import build

NOW = build.NOW
MIDNIGHT = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
LEASE = timedelta(seconds=60)


async def asked(ledger, *, now=NOW, model="a", price=40_000, count=1, **changes):
    reply = build.reply(asks=build.request(model=model), now=now, count=count, **changes)
    reply = reply.evolve(jobs=tuple(job.evolve(price=price) for job in reply.jobs))
    await ledger.run(asks.receive, reply, limits=build.limits(reply))
    await ledger.run(verbs.confirm, reply.id, message_id=7, private=False, now=now)
    return reply


async def sent(ledger, *, now=NOW, outcome=None, **options):
    """A job that was sent, and ended if there is an outcome."""
    reply = await asked(ledger, now=now, **options)
    job = await ledger.run(verbs.claim_queued, worker="ada", now=now, lease=LEASE)
    await ledger.run(verbs.freeze, job.id, worker="ada", body=b"{}", now=now)
    if outcome is not None:
        await ledger.run(verbs.settle, job.id, outcome=outcome, now=NOW)
    return reply


async def of_models(ledger):
    def look(conn):
        return costs.of_models(conn, models=overview.models(conn), day=MIDNIGHT)

    return await ledger.read(look)


async def test_an_empty_ledger_cost_nothing(ledger):
    assert await ledger.read(costs.totals, now=NOW) == costs.Totals(Spent(), Spent())
    assert await of_models(ledger) == []
    assert await ledger.read(costs.servers, now=NOW, limit=5) == []


async def test_what_models_cost_is_what_the_counters_hold(ledger):
    await sent(ledger, outcome=build.pictures())
    await sent(ledger, outcome=build.failure())
    await sent(ledger, model="b", price=None, outcome=build.pictures())
    await sent(ledger, now=MIDNIGHT - timedelta(seconds=1), outcome=build.pictures())
    await sent(ledger, price=80_000)
    gone = await asked(ledger)
    await ledger.run(queue.cancel, gone.id, user_id=gone.target.user_id, now=NOW)
    await asked(ledger, count=2)
    assert await of_models(ledger) == [Cost("a", 4, 200_000, 0), Cost("b", 1, 0, 1)]
    found = await ledger.read(costs.totals, now=NOW)
    assert (found.day.pictures, found.day.micros) == (5, 200_000)
    assert (found.month.pictures, found.month.micros) == (6, 240_000)


async def test_servers_come_by_what_they_spent_this_month(ledger):
    await asked(ledger, guild_id=1, count=3, price=None)
    await asked(ledger, guild_id=2, price=10_000)
    await asked(ledger, guild_id=3, price=90_000, now=MIDNIGHT - timedelta(hours=1))
    await asked(ledger, guild_id=4, now=NOW - timedelta(days=60))
    found = await ledger.read(costs.servers, now=NOW, limit=2)
    assert [(each.guild_id, each.day.pictures, each.month.micros) for each in found] == [
        (3, 0, 90_000),
        (2, 1, 10_000),
    ]
    assert len(await ledger.read(costs.servers, now=NOW, limit=9)) == 3
