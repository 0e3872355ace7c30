"""The door: what a person is told and what stands in the ledger never contradict each other."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import clock, model
from bot.allowance import Allowances, Caps, Prices
from bot.catalog import Catalog, Complaint
from bot.fetch import Fetcher
from bot.houses import Houses
from bot.intake import Ask, Intake
from bot.keeper import Keeper
from bot.ledger import verbs
from bot.ledger.ledger import Ledger
from bot.ledger.schema import jobs
from bot.links import Links
from bot.messenger import Messenger
from bot.model import State
from bot.policy import Place, Policy
from bot.questions import Questions
from bot.references import References
from tests import build


async def released(_reply_id: str) -> None:
    """Nothing is shown here."""


def references():
    """Nothing is asked of it here: what these tests ask for has no images."""
    keeper = Keeper(folder=Path("nowhere"), days=0, megabytes=1, clock=clock.system)
    links = Links(public_url="", key=bytes(32), life=timedelta(hours=1), clock=clock.system)
    return References(
        keeper=keeper,
        fetcher=Fetcher(),
        messenger=Messenger(clock=clock.system),
        links=links,
        clock=clock.system,
        queue_max_age=timedelta(hours=2),
    )


def door(ledger, **limits):
    return Intake(
        ledger=ledger,
        catalog=Catalog(),
        policy=Policy(allowed_servers=frozenset({"*"}), allow_dms=False, allow_user_install=False),
        allowances=Allowances(bot=Caps(day_pictures=limits.get("most", 10))),
        prices=Prices({}),
        houses=Houses(ledger=ledger, clock=clock.system),
        member_limit=limits.get("member_limit", 10),
        references=references(),
        questions=Questions(ledger=ledger, clock=clock.system, above=None),
        clock=clock.system,
        queued=lambda _reply_id: None,
        released=released,
    )


def ask(prompt="a heron at dawn", **changes):
    request = model.Request(
        kind=model.Kind.IMAGINE,
        model="gpt-image-2-pro",
        prompt=prompt,
        aspect_ratio="1:1",
        resolution="1K",
    )
    place = Place(guild_id=1, installed=True, bot_dm=False)
    return Ask(request=request, target=build.target(), place=place, **changes)


@pytest.fixture
async def ledger(tmp_path):
    async with Ledger(f"sqlite:///{tmp_path / 'easel.db'}") as opened:
        yield opened


async def test_what_no_database_can_hold_is_left_out(ledger):
    reply = await door(ledger).receive(ask("a\0 red \ud83d fox"))
    assert reply.jobs[0].request.prompt == "a red ? fox"
    assert await ledger.run(verbs.reply_of, reply.id) == reply


async def test_a_person_has_so_many_waiting_and_no_more(ledger):
    intake = door(ledger, most=100, member_limit=5)
    taken = await intake.receive(ask(count=4))
    told = await intake.receive(ask(count=2))
    assert isinstance(told, Complaint)
    assert dict(told.values) == {"waiting": 4, "limit": 5}
    await intake.receive(ask(count=1))
    await intake.cancel(taken.id, user_id=taken.target.user_id)
    assert not isinstance(await intake.receive(ask(count=4)), Complaint)
    assert await ledger.run(counted) == 5  # what was refused or taken back counts for nothing


async def test_asks_of_one_person_that_race_share_one_limit(ledger):
    intake = door(ledger, most=100, member_limit=5)
    told = await asyncio.gather(*(intake.receive(ask(count=2)) for _ in range(20)))
    assert sum(not isinstance(each, Complaint) for each in told) == 2
    assert await ledger.run(counted) == 4


async def test_two_presses_of_one_button_are_one_wish(ledger):
    intake = door(ledger)
    first = await intake.receive(ask())
    wishes = [intake.receive(ask(made_from=first.id)) for _ in range(2)]
    assert sum(reply is None for reply in await asyncio.gather(*wishes)) == 1


def counted(conn):
    return build.counted(conn)


async def test_a_row_written_too_late_is_taken_back(tmp_path):
    path = tmp_path / "easel.db"
    async with Ledger(f"sqlite:///{path}") as ledger:
        intake = door(ledger)
        # The server's rules are known already: only the row is late.
        assert isinstance(await intake.receive(ask(prompt=" ")), Complaint)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            told = await intake.receive(ask())
            other.execute("ROLLBACK")

        assert isinstance(told, Complaint)

        def state(conn: sa.Connection) -> tuple[list[str], int | None]:
            return list(conn.scalars(sa.select(jobs.c.state))), build.counted(conn)

        async with asyncio.timeout(5):
            while await ledger.run(state) != ([State.WITHDRAWN], 0):  # noqa: ASYNC110 (no event)
                await asyncio.sleep(0.01)


async def test_what_stands_on_a_card_is_looked_up_within_a_second_or_not_at_all(tmp_path):
    """Discord waits three; a form can only be opened as the first answer."""
    path = tmp_path / "easel.db"
    async with Ledger(f"sqlite:///{path}") as ledger:
        intake = door(ledger)
        reply = await intake.receive(ask())
        loop = asyncio.get_running_loop()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            began = loop.time()
            told = await asyncio.gather(
                intake.wish(reply.id, user_id=reply.target.user_id),
                intake.own(reply.id, user_id=reply.target.user_id),
            )
            took = loop.time() - began
            other.execute("ROLLBACK")
        assert [each.problem for each in told] == ["The bot cannot look this up right now."] * 2
        assert took < 2
        assert await intake.wish(reply.id, user_id=reply.target.user_id) == reply


async def test_a_model_that_is_not_in_use_is_replaced_before_it_is_written_down(ledger):
    asked = ask()
    old = replace(asked.request, model="retired")
    reply = await door(ledger).receive(replace(asked, request=old))
    assert reply.jobs[0].request == asked.request
