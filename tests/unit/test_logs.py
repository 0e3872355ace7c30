"""What a log line shows, and above all what it never shows."""

import asyncio
import io
import json
import logging
import re
import subprocess
import sys

import pytest
import sqlalchemy as sa
import structlog

from bot import logs

TOKEN = "aW50ZXJhY3Rpb246MTQwMDAwMDAwMDAwMDAwMDAwMDpTRUNSRVQ"
KEY = "sk-live-0123456789abcdef"
PLAIN = "MTQwMDAwMDAwMDAw.GabcdE.configured-bot-token-0123456789"


@pytest.fixture(params=["console", "json"])
def style(request):
    return request.param


class Stderr:
    """All that was written to stderr so far."""

    def __init__(self, capsys):
        self._capsys = capsys
        self._text = ""

    def getvalue(self):
        self._text += self._capsys.readouterr().err
        return self._text


@pytest.fixture
def written(capsys):
    """What reaches stderr; the loggers are as they were afterwards."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    yield Stderr(capsys)
    root.handlers, root.level = before
    structlog.reset_defaults()


def configure(style, *, level="INFO", secrets=()):
    logs.configure(level=level, style=style, secrets=secrets)
    return structlog.get_logger("bot.test")


LEAKS = [
    (f"https://discord.com/api/v10/webhooks/123/{TOKEN}/messages/@original", TOKEN),
    (f"PATCH /webhooks/123/{TOKEN}?wait=true failed", TOKEN),
    (f"https://discord.com/api/v10/interactions/123/{TOKEN}/callback", TOKEN),
    (f"the key {KEY} is refused", KEY),
    (f"hi-{KEY}", KEY),
    (f"Authorization: Bearer {PLAIN}", PLAIN),
    (f"{{'Authorization': 'Bot {PLAIN}', 'Accept': '*/*'}}", PLAIN),
    (f'{{"authorization": "{PLAIN}"}}', PLAIN),
    (f"<CIMultiDict('Authorization', 'Bearer {PLAIN}')>", PLAIN),
    (f"sent Bearer {PLAIN}", PLAIN),
    ("postgresql://easel:hunter2@db/easel is gone", "hunter2"),
]


def fail(text):
    raise OSError(text) from ValueError(text)


@pytest.mark.parametrize(("text", "secret"), LEAKS)
class TestSecretsAreHidden:
    def test_in_the_event(self, written, style, text, secret):
        configure(style).info(text)
        self.check(written, secret)

    def test_in_a_value(self, written, style, text, secret):
        configure(style).info("event", cause=text)
        self.check(written, secret)

    def test_deep_in_a_value(self, written, style, text, secret):
        configure(style).info("event", jobs=[{"url": text}], error=OSError(text))
        self.check(written, secret)

    def test_in_a_bound_context_variable(self, written, style, text, secret):
        log = configure(style)
        with structlog.contextvars.bound_contextvars(job=text):
            log.info("event")
        self.check(written, secret)

    def test_in_a_traceback(self, written, style, text, secret):
        log = configure(style)
        try:
            fail(text)
        except OSError:
            log.exception("loop.round_failed")
        assert "OSError" in written.getvalue()
        self.check(written, secret)

    def test_in_arguments_of_a_library(self, written, style, text, secret):
        configure(style)
        logging.getLogger("library").warning("calling %s with %r", text, {"url": text})
        assert "calling" in written.getvalue()
        self.check(written, secret)

    def test_in_a_traceback_of_a_library(self, written, style, text, secret):
        configure(style)
        try:
            fail(text)
        except OSError:
            logging.getLogger("library").exception("request to %s failed", text)
        assert "Traceback" in written.getvalue()
        self.check(written, secret)

    @staticmethod
    def check(written, secret):
        assert secret not in written.getvalue()
        assert "[hidden]" in written.getvalue()


@pytest.mark.parametrize("text", [text for text, _ in LEAKS])
def test_a_line_of_json_stays_json_and_around_a_secret_all_is_kept(written, text):
    configure("json").info("event", cause=f'before "{text}" after', more={"quoted": f'"{text}"'})
    line = json.loads(written.getvalue())
    assert line["event"] == "event"
    assert line["cause"].startswith('before "')
    assert line["cause"].endswith(" after")


def test_a_configured_secret_is_hidden_without_any_sign_of_being_one(written, style):
    log = configure(style, secrets={PLAIN, "pa ss/word"})
    log.info("event", cause=f"<{PLAIN}>", other=["pa ss/word"])
    assert PLAIN not in written.getvalue()
    assert "pa ss/word" not in written.getvalue()


def test_a_configured_secret_too_short_to_be_one_ruins_no_word(written, style):
    configure(style, secrets={"demo", ""}).info("demonstration")
    assert "demonstration" in written.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "the disk-full task-handling ask-someone",
        "Bot is ready, Bearer of news",
        "authorization failed",
        "https://discord.com/api/v10/channels/1/messages/2",
        "https://api.hiapi.ai/v1/tasks/tk-hiapi-01",
        "at 12:30 someone@example.org wrote",
    ],
)
def test_what_is_no_secret_stays(written, style, text):
    configure(style).info(text)
    assert text in written.getvalue()


def test_each_line_has_time_level_logger_event_and_context(written):
    log = configure("json")
    with structlog.contextvars.bound_contextvars(job="abc"):
        log.info("job.settled", end="pictures")
    line = json.loads(written.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "job.settled",
        "end": "pictures",
        "job": "abc",
        "level": "info",
        "logger": "bot.test",
    }


def test_the_level_holds_for_us_and_for_libraries(written, style):
    log = configure(style, level="WARNING")
    log.info("quiet")
    logging.getLogger("library").info("quiet")
    log.warning("loud")
    assert "quiet" not in written.getvalue()
    assert "loud" in written.getvalue()


@pytest.mark.parametrize(
    "name",
    ["discord.http", "discord.webhook.async_", "discord.gateway", "aiohttp.access"],
)
def test_libraries_that_write_tokens_are_never_at_debug(written, style, name):
    log = configure(style, level="DEBUG")
    log.debug("ours")
    logging.getLogger(name).debug("PATCH %s", TOKEN)
    assert not logging.getLogger(name).isEnabledFor(logging.DEBUG)
    assert "ours" in written.getvalue()
    assert TOKEN not in written.getvalue()


def test_what_is_done_on_purpose_is_not_warned_of(written, style):
    configure(style)
    logging.getLogger("discord.client").warning("No PyNaCl: voice will NOT be supported")
    logging.getLogger("discord.state").warning("Guilds intent seems to be disabled.")
    assert not written.getvalue()
    logging.getLogger("discord.client").warning("anything else")
    assert "anything else" in written.getvalue()


def test_configuring_twice_writes_each_line_once(written, style):
    configure(style)
    configure(style).info("once")
    assert written.getvalue().count("once") == 1


def test_a_further_handler_gets_the_events_as_dictionaries(written):
    seen = []

    class Keeper(logging.Handler):
        def emit(self, record):
            seen.append(record.msg)

    log = configure("console", level="WARNING")
    logs.add_handler(Keeper(level=logging.INFO))
    log.info("job.settled", job="abc")
    assert seen[0]["event"] == "job.settled"
    assert seen[0]["job"] == "abc"
    assert not written.getvalue(), "the stream keeps its own level"


def test_a_cause_is_what_the_database_said_without_statement_values_and_address(written):
    configure("json")
    engine = sa.create_engine("sqlite://")
    with engine.connect() as conn, pytest.raises(sa.exc.OperationalError) as failed:
        conn.execute(sa.text("SELECT :prompt FROM nowhere"), {"prompt": "a heliotrope"})
    busy = sa.exc.TimeoutError("no connection became free", code="3o7r")
    for error in (failed.value, busy, ValueError("first\n  second")):
        structlog.get_logger("bot.test").error("row.not_written", cause=str(error))
    assert [json.loads(line)["cause"] for line in written.getvalue().splitlines()] == [
        "(sqlite3.OperationalError) no such table: nowhere",
        "no connection became free",
        "first second",
    ]


class Endless:
    """Whoever wants to see it falls over."""

    def __repr__(self) -> str:
        return repr(self)


class TestSeveralLinesAtATime:
    async def test_quiet_lines_wait_a_moment_and_come_in_their_order(self, written, style):
        log = configure(style)
        for number in range(3):
            log.info("event", number=number)
        assert written.getvalue() == ""
        await asyncio.sleep(logs.BUNDLE_SECONDS + 0.1)
        lines = written.getvalue().splitlines()
        assert [re.search(r"number\W+(\d)", line)[1] for line in lines] == ["0", "1", "2"]

    async def test_a_warning_takes_what_waits_along_at_once(self, written, style):
        log = configure(style)
        log.info("before")
        log.warning("trouble")
        lines = written.getvalue().splitlines()
        assert ["before" in lines[0], "trouble" in lines[1], len(lines)] == [True, True, 2]

    async def test_a_bundle_that_is_full_does_not_wait(self, written, style):
        log = configure(style)
        for number in range(logs.BUNDLE + 1):
            log.info("event", number=number)
        assert len(written.getvalue().splitlines()) == logs.BUNDLE

    async def test_an_error_is_told_with_what_raised_it(self, written, style):
        log = configure(style)
        log.info("before")
        try:
            fail("no room")
        except OSError:
            log.exception("loop.round_failed")
        assert "no room" in written.getvalue()

    async def test_a_line_of_a_library_that_cannot_be_made_loses_no_other(self, written, style):
        log = configure(style)
        log.info("before")
        logging.getLogger("library").info("%d pictures", "two")
        log.warning("after")
        said = written.getvalue()
        assert "before" in said
        assert "after" in said

    async def test_a_line_of_a_library_belongs_to_where_it_was_said(self, written):
        log = configure("json")
        library = logging.getLogger("library")
        with structlog.contextvars.bound_contextvars(reply="one"):
            log.info("ours")
        library.info("outside")
        with structlog.contextvars.bound_contextvars(reply="two"):
            library.info("inside")
        with structlog.contextvars.bound_contextvars(reply="three"):
            log.warning("trouble")
        said = [json.loads(line) for line in written.getvalue().splitlines()]
        assert [line.get("reply") for line in said] == ["one", None, "two", "three"]

    async def test_a_line_that_cannot_be_made_at_all_silences_nobody(self, written):
        log = configure("json")
        log.info("before", value=Endless())
        log.info("quiet")
        log.warning("after")
        log.warning("last")
        said = written.getvalue()
        assert [word in said for word in ("quiet", "after", "last")] == [True, True, True]

    async def test_nobody_reads_any_more(self, written, monkeypatch):
        gone = io.StringIO()
        monkeypatch.setattr(sys, "stderr", gone)
        log = configure("json")
        gone.close()
        log.warning("trouble")  # raises nothing
        assert written.getvalue() == ""

    def test_where_no_loop_runs_nothing_waits(self, written, style):
        configure(style).info("event")
        assert "event" in written.getvalue()

    def test_the_end_of_the_process_writes_what_waits(self):
        script = (
            "import asyncio, structlog\n"
            "from bot import logs\n"
            "logs.configure(level='INFO', style='json')\n"
            "async def main(): structlog.get_logger().info('the last words')\n"
            "asyncio.run(main())\n"
        )
        ran = subprocess.run(  # noqa: S603 - our own words
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert json.loads(ran.stderr)["event"] == "the last words"
