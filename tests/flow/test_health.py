"""/healthz and /readyz as a supervisor sees them."""

import aiohttp

from bot import app as apps
from bot import web


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
