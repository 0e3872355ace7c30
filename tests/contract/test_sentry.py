"""What reaches Sentry: a real client against a listener that keeps what it is sent."""

import asyncio
import json
import logging
import subprocess
import sys

import pytest
import sentry_sdk
import structlog
from aiohttp import web

from bot import sentry
from tests import lines

PROMPT = "a prompt that nobody else should read"


@pytest.fixture
async def reports():
    """The listener's address as a DSN, and the reports that came."""
    came = []

    async def take(request):
        came.append((await request.read()).decode())
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/api/1/envelope/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    with lines.configured():
        sentry.start(f"http://the-key@127.0.0.1:{runner.addresses[0][1]}/1")
        yield came
        sentry_sdk.init()
    await runner.cleanup()


async def sent(came):
    """All that was sent so far, as one text, and the last event."""
    await asyncio.to_thread(sentry_sdk.flush, 5)
    assert came, "nothing was sent"
    return "".join(came), json.loads(came[-1].splitlines()[2])


def fail(prompt):
    local = f"Bearer {prompt}"
    raise LookupError(prompt, local) from ValueError(prompt)


async def test_a_defect_is_told_by_its_kind_and_place(reports):
    log = structlog.get_logger("bot.test")
    try:
        fail(PROMPT)
    except LookupError:
        with structlog.contextvars.bound_contextvars(job="abcdefgh", prompt=PROMPT):
            log.exception("loop.round_failed", loop="delivery", cause=PROMPT)
    text, event = await sent(reports)
    assert event["message"] == "loop.round_failed"
    assert event["tags"] == {"job": "abcdefgh", "loop": "delivery", "logger": "bot.test"}
    values = event["exception"]["values"]
    assert [value["type"] for value in values] == ["ValueError", "LookupError"]
    assert values[-1]["stacktrace"]["frames"][-1]["function"] == "fail"
    assert "prompt" not in text
    assert "Bearer" not in text


async def test_a_librarys_line_is_told_without_its_text(reports):
    try:
        fail(PROMPT)
    except LookupError:
        logging.getLogger("library").exception("could not %s", PROMPT, extra={"prompt": PROMPT})
    text, event = await sent(reports)
    assert event["message"] == "a line of library"
    assert event["logger"] == "library"
    assert PROMPT not in text


async def test_what_is_no_error_is_not_told(reports):
    structlog.get_logger("bot.test").warning("reply.postponed")
    structlog.get_logger("bot.test").error("picture.lost", cause=PROMPT)
    text, event = await sent(reports)
    assert event["message"] == "picture.lost"
    assert "postponed" not in text
    assert PROMPT not in text
    assert len(reports) == 1


async def test_the_machines_name_and_its_modules_stay_here(reports):
    structlog.get_logger("bot.test").error("picture.lost")
    _, event = await sent(reports)
    assert set(event) <= {*sentry._KEPT, "exception"}


def test_a_dsn_that_is_none_is_refused_in_one_sentence():
    with pytest.raises(sentry.SentryError, match=r"^SENTRY_DSN is not a DSN"):
        sentry.start("https://key@sentry.example.net/")


def test_without_the_client_it_is_said_how_to_get_it():
    code = (
        "import sys; sys.modules['sentry_sdk'] = None\n"
        "from bot import sentry\n"
        "try: sentry.start('https://key@sentry.example.net/1')\n"
        "except sentry.SentryError as error: print(error)"
    )
    ran = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert "pip install 'easel[sentry]'" in ran.stdout


def test_the_client_is_not_imported_where_nobody_asked_for_it():
    code = "import sys; import bot.app, bot.sentry; print('sentry_sdk' in sys.modules)"
    ran = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert ran.stdout.strip() == "False"
