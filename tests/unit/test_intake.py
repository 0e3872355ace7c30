"""The door: what a person is told and what stands in the ledger never contradict each other."""

import asyncio
import sqlite3
from contextlib import closing

import sqlalchemy as sa

from bot import clock
from bot.catalog import Catalog, Complaint
from bot.intake import Ask, Intake
from bot.ledger.ledger import Ledger
from bot.ledger.schema import days, jobs
from bot.model import State
from bot.policy import Place, Policy
from tests import build


async def test_a_row_written_too_late_is_taken_back(tmp_path):
    path = tmp_path / "easel.db"
    async with Ledger(f"sqlite:///{path}") as ledger:
        intake = Intake(
            ledger=ledger,
            catalog=Catalog(),
            policy=Policy(
                allowed_servers=frozenset({"*"}), allow_dms=False, allow_user_install=False
            ),
            day_limit=10,
            clock=clock.system,
            queued=lambda _reply_id: None,
        )
        ask = Ask(
            request=build.request(),
            target=build.target(),
            place=Place(guild_id=1, installed=True, bot_dm=False),
        )
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            told = await intake.receive(ask)
            other.execute("ROLLBACK")

        assert isinstance(told, Complaint)

        def state(conn: sa.Connection) -> tuple[list[str], int | None]:
            return list(conn.scalars(sa.select(jobs.c.state))), conn.scalar(sa.select(days.c.jobs))

        async with asyncio.timeout(5):
            while await ledger.run(state) != ([State.WITHDRAWN], 0):  # noqa: ASYNC110 (no event)
                await asyncio.sleep(0.01)
