"""A database of each earlier version, with work under way in it, brought to this one."""

import sqlalchemy as sa
from alembic import command

from bot.allowance import accounts
from bot.ledger import asks, budgets, deliveries, migrate, rows, schema, verbs
from bot.ledger.ledger import Ledger
from bot.model import Delivery, State
from tests import build
from tests.build import NOW


def written_by(url: str, version: str) -> str:
    """An open reply with a running job, as that version wrote it. Returns the reply's id."""
    engine = sa.create_engine(Ledger(url).url)
    reply = build.reply()
    [job] = reply.jobs
    settings = migrate.config()
    with engine.begin() as conn:
        settings.attributes["connection"] = conn
        command.upgrade(settings, version)
        old = sa.MetaData()
        old.reflect(conn)
        for table, values in (
            ("replies", rows.reply_columns(reply) | {"attempts": 0, "message_id": 7}),
            (
                "jobs",
                rows.job_columns(job)
                | {"attempts": 1, "turn": 0, "state": State.SUBMITTED, "task_id": "tk"},
            ),
        ):
            known = old.tables[table].columns
            columns = [column for column in schema.metadata.tables[table].c if column.name in known]
            typed = sa.table(table, *(sa.column(each.name, each.type) for each in columns))
            kept = {name: value for name, value in values.items() if name in known}
            conn.execute(sa.insert(typed).values(kept))
    engine.dispose()
    return reply.id


async def goes_on(url: str, reply_id: str) -> None:
    async with Ledger(url) as ledger:
        # The same person asks again, before and after what the earlier version never counted ends.
        again = build.reply()
        await ledger.run(asks.receive, again, limits=build.limits(again))
        reply = await ledger.run(verbs.reply_of, reply_id)
        assert (reply.target.message_id, reply.spoiler, reply.made_by) == (7, False, None)
        [job] = reply.jobs
        await ledger.run(verbs.settle, job.id, outcome=build.pictures(), now=NOW)
        lease = {"worker": "ada", "now": NOW, "lease": build.model.TOKEN_MARGIN}
        claimed = await ledger.run(deliveries.claim_reply, **lease)
        assert claimed.id == reply_id
        shown = {"worker": "ada", "delivery": Delivery.DELIVERED, "now": NOW}
        await ledger.run(deliveries.close, reply_id, **shown)
        await ledger.run(verbs.settle, again.jobs[0].id, outcome=build.pictures(), now=NOW)
        for account in accounts(again.target, at=NOW):
            spent = await ledger.run(budgets.spent, account)
            assert min(spent.pictures, spent.micros, spent.attempts) == 0, (account, spent)


async def test_sqlite_is_upgraded_at_the_start_and_goes_on(tmp_path):
    url = f"sqlite:///{tmp_path / 'easel.db'}"
    reply_id = written_by(url, "0001")
    await goes_on(url, reply_id)
    assert len(list(tmp_path.glob("easel.db.before-0001-*"))) == 1


async def test_postgresql_is_upgraded_by_hand_and_goes_on(empty_postgres):
    reply_id = written_by(empty_postgres, "0001")
    Ledger(empty_postgres).migrate()
    await goes_on(empty_postgres, reply_id)
