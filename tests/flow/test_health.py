"""/healthz and /readyz as a supervisor sees them."""

import aiohttp
import pytest

from bot import app as apps
from bot import web
from bot.alarms import Alarm
from tests import lines


async def ask(app, path: str) -> tuple[int, dict[str, str]]:
    address = f"http://127.0.0.1:{app.web.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        return answer.status, await answer.json()


async def test_alive_but_not_ready_before_the_login(studio, clock):
    async with apps.opened(studio.app.settings, clock=clock, shard_count=1) as app:
        assert await ask(app, "/healthz") == (200, {"status": "ok"})
        status, told = await ask(app, "/readyz")
        assert (status, told["status"]) == (503, "not ready")
        assert "not logged in" in told["cause"]

        await studio.env.restart_bot(app.bot)
        assert await ask(app, "/readyz") == (200, {"status": "ready"})


async def test_not_ready_while_the_ledger_does_not_answer(studio):
    assert await ask(studio.app, "/readyz") == (200, {"status": "ready"})
    await studio.app.ledger.__aexit__()
    status, told = await ask(studio.app, "/readyz")
    assert (status, told["cause"]) == (503, "the ledger does not answer")
    assert await ask(studio.app, "/healthz") == (200, {"status": "ok"})


@pytest.fixture
def logging_as_in_earnest():
    with lines.configured():
        yield


@pytest.mark.usefixtures("logging_as_in_earnest")
async def test_a_full_disk_is_told_to_whoever_asks_and_is_over_by_itself(open_studio):
    async with open_studio() as studio:
        app, watch = studio.app, studio.app.watch
        await watch.pulse.step()
        await limit(app.ledger, pages=1)  # SQLite then keeps to as many as there are
        for _ in range(40):
            asked = await studio.imagine("a fox " * 500, private=True)
            if not asked.deferred:
                break
        assert "cannot write" in studio.said(asked)
        cause = {"status": "not ready", "cause": "the ledger cannot be written"}
        assert await ask(app, "/readyz") == (503, cause)
        await watch.pulse.step()
        assert [each.alarm for each in watch.alarms.active] == [Alarm.LEDGER_UNWRITABLE]

        await limit(app.ledger, pages=2**30)
        await watch.pulse.step()
        assert await ask(app, "/readyz") == (200, {"status": "ready"})
        assert watch.alarms.active == ()


async def limit(ledger, *, pages: int) -> None:
    """Let SQLite's file grow to so many pages: what a full disk is to it."""
    await ledger.run(lambda conn: conn.exec_driver_sql(f"PRAGMA max_page_count={pages}").fetchall())


async def test_nothing_else_is_served(studio):
    await studio.imagine("a secret garden", private=True)
    address = f"http://127.0.0.1:{studio.app.web.port}"
    async with aiohttp.ClientSession() as session:
        for path in ("/", "/metrics", "/hiapi/callback/", "/..%2fetc/passwd"):
            async with session.get(address + path) as answer:
                assert answer.status in (404, 405)
                assert "secret garden" not in await answer.text()
        async with session.post(f"{address}/readyz") as answer:
            assert answer.status == 405


async def test_a_nonce_is_proven_and_nothing_else_is_said(studio):
    nonce, key = "n" * 32, studio.app.settings.discord_token.get_secret_value()
    status, told = await ask(studio.app, f"/readyz?nonce={nonce}")
    assert (status, told) == (200, {"status": "ready", "proof": web.proof(nonce, key=key)})
    assert web.proof(nonce, key="another") != told["proof"] != web.proof("m" * 32, key=key)
    for refused in ("", "n" * 15, "n" * 65, "<script>alert(1)</script>", "nonce%0d%0aSet-Cookie:1"):
        assert await ask(studio.app, f"/readyz?nonce={refused}") == (200, {"status": "ready"})
