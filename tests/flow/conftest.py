"""A studio for each test: real discord.py, the real app, the stand-in over real sockets."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot import messenger, pickup
from bot.ledger.ledger import Ledger
from sandbox import painter
from sandbox import world as worlds
from tests.flow.studio import MovedClock, Studio

# At the first look, five seconds after the submission, a task is being painted; at the second
# it has ended.
SECONDS = (1.0, 6.0, 1.0)

Open = Callable[..., AbstractAsyncContextManager[Studio]]


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory) -> Path:
    """A migrated database without a row: migrating one takes longer than most tests."""
    path = tmp_path_factory.mktemp("ledger") / "empty.db"
    Ledger(f"sqlite:///{path}").migrate()
    return path


@pytest.fixture
def open_studio(tmp_path, clock, monkeypatch, empty_ledger) -> Open:
    """What opens a studio with other settings."""
    shutil.copy(empty_ledger, tmp_path / "demo.db")
    # The pauses between attempts are the bot's only real waiting.
    monkeypatch.setattr(messenger, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(pickup, "PAUSES", (0.0, 0.001, 0.001))
    # Small pictures: painting is most of what a test costs.
    monkeypatch.setattr(painter, "LONG_EDGE", {"1K": 160, "2K": 320})

    @asynccontextmanager
    async def opened(**changes: Any) -> AsyncIterator[Studio]:
        options = {
            "seconds": SECONDS,
            "start": False,
            "hiapi_poll_every": 5.0,
            # One person asks for everything here; what one person may is tested by itself.
            "member_running": 1000,
            "member_waiting": 1000,
            **changes,
        }
        async with worlds.opened(tmp_path, clock=clock, **options) as world:
            yield Studio(
                world=world,
                clock=clock,
                app=world.app,
                channel=world.channel,
                member=world.member,
            )

    return opened


@pytest.fixture
async def studio(open_studio: Open) -> AsyncIterator[Studio]:
    ready: asyncio.Future[Studio] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    # One task opens and closes it: a fixture's two halves run in contexts of their own, and the
    # simulated Discord wants to leave the one that it entered.
    async def hold() -> None:
        async with open_studio() as opened:
            ready.set_result(opened)
            await over.wait()

    holding = asyncio.create_task(hold())
    await asyncio.wait({holding, ready}, return_when=asyncio.FIRST_COMPLETED)
    if holding.done():
        await holding
    yield ready.result()
    over.set()
    await holding
