"""HiAPI's callbacks over real HTTP, on the app's own server: what they do and never do."""

import asyncio
import dataclasses
import json
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from bot import web
from bot.callbacks import Callbacks
from bot.ledger import schema, verbs
from bot.model import new_id
from sandbox import callbacks as wire
from sandbox import faults
from tests.flow.studio import ORIGINAL, Studio, eventually

SECRET = "the-secret-of-the-account"
MIB = 1024 * 1024


@dataclass
class Line:
    """The way from the picture service to the app's own server."""

    studio: Studio
    session: aiohttp.ClientSession

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.studio.app.web.port}{web.CALLBACK_PATH}"

    async def send(self, job_id, body, *, secret=SECRET, age=0, headers=None, method="POST") -> int:
        """A callback made by hand, `age` seconds old; the status it is answered with."""
        stamp = str(int(self.studio.clock().timestamp()) - age)
        signed = {
            wire.TIMESTAMP: stamp,
            wire.SIGNATURE: wire.sign(secret, timestamp=stamp, body=body) if secret else "",
        }
        sent = signed if headers is None else headers
        sent = {name: value for name, value in sent.items() if value}
        url = self.address + job_id
        async with self.session.request(method, url, data=body, headers=sent) as answer:
            return answer.status

    async def submitted(self, prompt="a red fox", **options):
        """An ask whose task runs at the picture service: the result, its job, its task."""
        result = await self.studio.imagine(prompt, **options)
        await self.studio.submit()
        [job] = (await self.studio.reply(result)).jobs
        return result, job, self.studio.hiapi.tasks.by_key(job.id)

    def told(self, task, **changes) -> bytes:
        """What a callback says of a task at the moment."""
        view = task.view(self.studio.clock().timestamp(), origin=self.studio.hiapi.base_url)
        return json.dumps(view | changes).encode()

    async def everything(self) -> list:
        """All rows, to see that nothing changed."""

        def read(conn: sa.Connection) -> list:
            tables = (schema.jobs, schema.replies, schema.spending)
            return [[dict(row) for row in conn.execute(sa.select(t)).mappings()] for t in tables]

        return await self.studio.app.ledger.run(read)

    @property
    def reads(self) -> int:
        """How often the picture service was asked how things stand."""
        asked = self.studio.hiapi.tasks.requests
        return asked["list"] + asked["detail"]

    @property
    def answers(self) -> dict[int, int]:
        """How the picture service's own callbacks were answered."""
        told = self.studio.hiapi.tasks.answers
        return {status: n for (route, status), n in told.items() if route == "callback"}

    def finals(self) -> int:
        return len(
            [each for each in self.studio.sent("PATCH", ORIGINAL) if each.json["attachments"]]
        )


@pytest.fixture
def lined(open_studio):
    """Opens a studio whose picture service calls back; `ours` and `theirs` are the secrets.

    `silent`: it does not call by itself, so that only what a test sends by hand arrives.
    """

    @asynccontextmanager
    async def opened(*, ours=SECRET, theirs=SECRET, silent=False, **changes) -> AsyncIterator[Line]:
        changes = {"hiapi_webhook_secret": ours} | changes if ours else changes
        async with open_studio(**changes) as studio, aiohttp.ClientSession() as session:
            line = Line(studio, session)
            # The port is known only now: nobody could have put it into PUBLIC_URL before.
            studio.app.submitter._callback_url = lambda job_id: line.address + job_id
            studio.hiapi._caller = dataclasses.replace(studio.hiapi._caller, secret=theirs)
            if silent:
                studio.hiapi.fault(faults.Trick(silent=True), times=1000)
            yield line

    return opened


def unsigned(lined, *, silent=False):
    return lined(ours="", theirs="", silent=silent)


# --- signed ---------------------------------------------------------------------------------------


async def test_the_address_names_the_job(open_studio):
    async with open_studio(public_url="https://easel.example.net/") as studio:
        result = await studio.imagine()
        await studio.submit()
        [job] = (await studio.reply(result)).jobs
        address = f"https://easel.example.net/hiapi/callback/{job.id}"
        assert json.loads(job.body)["callback"] == {"url": address, "when": "final"}


async def test_a_signed_callback_settles_without_a_single_read(lined):
    async with lined() as line:
        result, *_ = await line.submitted()
        line.studio.clock.move(8)
        await line.studio.hiapi.settle()
        assert await line.studio.states() == ["settled"]
        await line.studio.deliver()
        assert line.studio.shown(result).heading == "Here is your picture"
        assert line.answers == {204: 1}
        assert line.reads == 0


async def test_a_signed_failure_settles_too(lined):
    async with lined() as line:
        result, *_ = await line.submitted("a red fox [policy]")
        line.studio.clock.move(8)
        await line.studio.hiapi.settle()
        await line.studio.deliver()
        heading = line.studio.shown(result).heading
        assert heading == "The picture service refused this prompt"


async def test_it_writes_once_durably_and_waits_for_nobody(lined, tmp_path, monkeypatch):
    async with lined(silent=True) as line:
        _, first, _ = await line.submitted("first")
        _, second, task = await line.submitted("second")
        line.studio.clock.move(8)
        # Delivery of the first hangs at the picture's address for as long as this test wants.
        over = asyncio.Event()
        line.studio.hiapi.fault(faults.Pause(over), on="file", times=2)
        await line.studio.hiapi.send_callback(line.studio.hiapi.tasks.by_key(first.id).task_id)
        delivering = asyncio.create_task(line.studio.deliver())
        await eventually(lambda: line.studio.hiapi.tasks.requests["file"])

        ledger, verbs_run = line.studio.app.ledger, []
        run = ledger.run

        async def noted(verb, *args, **kwargs):
            verbs_run.append(verb.__name__)
            return await run(verb, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(ledger, "run", noted)
            began = time.perf_counter()
            assert await line.send(second.id, line.told(task)) == 204
            assert time.perf_counter() - began < 1
            assert verbs_run == ["settle_heard"]
        # Committed before it was answered: another connection sees it.
        with sqlite3.connect(tmp_path / "demo.db") as other:
            query = "SELECT state FROM jobs WHERE id = ?"
            assert other.execute(query, (second.id,)).fetchone() == ("settled",)
        assert line.finals() == 0
        over.set()
        await delivering


async def test_the_median_answer_takes_milliseconds(lined):
    async with lined(silent=True) as line:
        seconds = []
        for _ in range(20):
            _, job, task = await line.submitted()
            line.studio.clock.move(8)
            body = line.told(task)
            began = time.perf_counter()
            assert await line.send(job.id, body) == 204
            seconds.append(time.perf_counter() - began)
        assert sorted(seconds)[10] < 0.1


@pytest.mark.parametrize("age", [300, -300, 0])
async def test_a_signature_of_up_to_five_minutes_counts(lined, age):
    async with lined(silent=True) as line:
        _, job, task = await line.submitted()
        line.studio.clock.move(8)
        assert await line.send(job.id, line.told(task), age=age) == 204
        assert await line.studio.states() == ["settled"]


async def test_an_upper_case_signature_is_the_same_signature(lined):
    async with lined(silent=True) as line:
        _, job, task = await line.submitted()
        line.studio.clock.move(8)
        body, stamp = line.told(task), str(int(line.studio.clock().timestamp()))
        signature = wire.sign(SECRET, timestamp=stamp, body=body).upper()
        headers = {wire.TIMESTAMP: stamp, wire.SIGNATURE: signature}
        assert await line.send(job.id, body, headers=headers) == 204


# --- not credible ---------------------------------------------------------------------------------


def _headers(line, body, **changes):
    stamp = str(int(line.studio.clock().timestamp()))
    signature = wire.sign(SECRET, timestamp=stamp, body=body)
    return {wire.TIMESTAMP: stamp, wire.SIGNATURE: signature} | {
        {"stamp": wire.TIMESTAMP, "signature": wire.SIGNATURE}[name]: value
        for name, value in changes.items()
    }


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"secret": "the-secret-of-the-forger"}, id="wrong secret"),
        pytest.param({"age": 301}, id="a replay of what was signed long ago"),
        pytest.param({"age": -301}, id="signed in the future"),
        pytest.param({"secret": ""}, id="a timestamp alone"),
        pytest.param({"headers": {}}, id="not signed at all"),
        pytest.param({"stamp": ""}, id="a signature alone"),
        pytest.param({"stamp": "soon"}, id="a timestamp that is none"),
        pytest.param({"stamp": "9" * 5000}, id="a timestamp beyond all time"),
        pytest.param({"stamp": "\u0661\u0662\u0663"}, id="foreign digits"),
        pytest.param({"stamp": "1_773_489_608"}, id="digits with underscores"),
        pytest.param({"signature": "\u00e9" * 64}, id="a signature beyond ASCII"),
        pytest.param({"signature": "0" * 64}, id="another signature"),
        pytest.param({"signature": "sha256=" + "0" * 64}, id="a signature with a prefix"),
        pytest.param({"signature": "0"}, id="a short signature"),
    ],
)
async def test_what_is_not_credible_changes_nothing(lined, how):
    async with lined(silent=True) as line:
        _, job, task = await line.submitted()
        line.studio.clock.move(8)
        before, body = await line.everything(), line.told(task)
        if {"stamp", "signature"} & how.keys():
            how = {"headers": _headers(line, body, **how)}
        assert await line.send(job.id, body, **how) == 401
        assert await line.everything() == before
        assert await line.studio.app.tracker.step() == 1  # found by polling, as ever


async def test_the_bytes_are_signed_not_their_meaning(lined):
    async with lined(silent=True) as line:
        _, job, task = await line.submitted()
        line.studio.clock.move(8)
        body = line.told(task)
        headers = _headers(line, body)
        same = json.dumps(json.loads(body), indent=1).encode()
        assert await line.send(job.id, same, headers=headers) == 401
        assert await line.send(job.id, body, headers=headers) == 204


async def test_a_forged_success_before_the_true_failure(lined):
    async with lined() as line:
        result, *_ = await line.submitted("a red fox [forged] [fail]")
        line.studio.clock.move(8)
        await line.studio.hiapi.settle()
        assert line.answers == {401: 1, 204: 1}
        await line.studio.deliver()
        assert line.studio.shown(result).heading == "The picture could not be made"


@pytest.mark.parametrize(("ours", "theirs"), [(SECRET, ""), ("", SECRET)])
async def test_a_secret_on_one_side_only_is_said_once(lined, ours, theirs):
    async with lined(ours=ours, theirs=theirs) as line:
        tasks = [(await line.submitted())[2] for _ in range(3)]
        line.studio.clock.move(8)
        with capture_logs() as logs:
            await line.studio.hiapi.settle()
            for task in tasks * 5:
                assert await line.studio.hiapi.send_callback(task.task_id) == 401
        told = [entry for entry in logs if entry["event"].startswith("callback")]
        assert [(entry["event"], entry["log_level"]) for entry in told] == [
            ("callback.mismatch", "error")
        ]
        assert "HIAPI_WEBHOOK_SECRET" in told[0]["cause"]
        assert await line.studio.states() == ["submitted"] * 3
        await line.studio.look()
        assert await line.studio.states() == ["settled"] * 3


# --- not a callback -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"task=done", id="a form"),
        pytest.param(b'{"taskId"', id="half a document"),
        pytest.param(b"\xff\xfe{}", id="no text"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"tk-hiapi-01"', id="a string"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[" * 100_000, id="deeply nested"),
        pytest.param(b'{"a":' * 50_000 + b"1" + b"}" * 50_000, id="deeply nested and whole"),
        pytest.param(b'{"status": "success"}', id="without a task"),
        pytest.param(b'{"taskId": 7, "status": "success"}', id="a number for a task"),
        pytest.param(b'{"taskId": "../x", "status": "success"}', id="a path for a task"),
        pytest.param(b'{"taskId": "tk-1", "status": ["success"]}', id="a list for a status"),
        pytest.param(b'{"code": 200, "data": {"taskId": "tk-1"}}', id="an envelope"),
    ],
)
@pytest.mark.parametrize("secret", [SECRET, ""])
async def test_what_is_no_task_is_refused(lined, body, secret):
    async with lined(ours=secret, theirs=secret) as line:
        _, job, _ = await line.submitted()
        before = await line.everything()
        headers = None if secret else {}
        assert await line.send(job.id, body, headers=headers) == 400
        assert await line.everything() == before


@pytest.mark.parametrize("status", ["queued", "handling", "archiving", "moderating", ""])
async def test_a_task_that_still_runs_is_refused(lined, status):
    async with lined() as line:
        _, job, task = await line.submitted()
        assert await line.send(job.id, line.told(task, status=status)) == 400
        assert await line.studio.states() == ["submitted"]


async def test_odd_fields_do_not_hide_the_picture(lined):
    async with lined(silent=True) as line:
        result, job, task = await line.submitted()
        line.studio.clock.move(8)
        [picture] = json.loads(line.told(task))["output"]
        odd = {"output": [None, 7, {"type": "thumbnail"}, picture], "created": "soon", "error": []}
        assert await line.send(job.id, line.told(task, completed=0, **odd)) == 204
        await line.studio.deliver()
        assert line.studio.shown(result).heading == "Here is your picture"


async def test_a_body_of_a_mebibyte_and_not_a_byte_more(lined):
    async with lined() as line:
        _, job, _ = await line.submitted()
        assert await line.send(job.id, b" " * MIB) == 400
        assert await line.send(job.id, b" " * (MIB + 1)) == 413

        async def endless():
            for _ in range(40):
                yield b" " * 64 * 1024

        async with line.session.post(line.address + job.id, data=endless()) as answer:
            assert answer.status == 413
        assert await line.studio.states() == ["submitted"]


async def test_a_body_that_drips_is_cut_off(lined, monkeypatch):
    monkeypatch.setattr(web, "BODY_SECONDS", 0.05)
    async with lined() as line:
        _, job, _ = await line.submitted()
        over = asyncio.Event()

        async def dripping():
            yield b"{"
            await over.wait()

        began = time.perf_counter()
        async with line.session.post(line.address + job.id, data=dripping()) as answer:
            assert answer.status == 408
        assert time.perf_counter() - began < 2
        over.set()


# --- not ours -------------------------------------------------------------------------------------


async def test_a_job_that_is_not_ours(lined):
    async with lined(silent=True) as line:
        _, job, task = await line.submitted()
        line.studio.clock.move(8)
        before = await line.everything()
        assert await line.send(new_id(), line.told(task)) == 404
        for name in (job.id.upper(), job.id[:-1], job.id + "a", "..%2f" + job.id[4:]):
            assert await line.send(name, line.told(task)) == 404
        assert await line.send(job.id, b"", method="GET") == 405
        assert await line.everything() == before


async def test_a_task_or_model_that_is_not_the_jobs(lined):
    async with lined(silent=True) as line:
        _, job, task = await line.submitted("one")
        _, _, other = await line.submitted("two")
        line.studio.clock.move(8)
        before = await line.everything()
        assert await line.send(job.id, line.told(other)) == 409
        assert await line.send(job.id, line.told(task, model="another-model")) == 409
        assert await line.send(job.id, line.told(task, model="")) == 409
        assert await line.everything() == before


async def test_a_job_that_was_never_sent(lined):
    async with lined(silent=True) as line:
        _, _, task = await line.submitted()
        result = await line.studio.imagine("still in the queue")
        [waiting] = (await line.studio.reply(result)).jobs
        line.studio.clock.move(8)
        before = await line.everything()
        assert await line.send(waiting.id, line.told(task)) == 409
        assert await line.everything() == before


async def test_a_flood_of_refusals_writes_a_line_a_minute(lined):
    async with lined(silent=True) as line:
        _, job, task = await line.submitted()
        body = line.told(task, status="success")
        with capture_logs() as logs:
            for _ in range(50):
                await line.send(job.id, body, secret="guess")
                await line.send(job.id, b"{}")
                await line.send(new_id(), body)
            assert len(logs) == 3
            line.studio.clock.move(60)
            await line.send(job.id, body, secret="guess")
        assert len(logs) == 4


# --- more than once, too soon, not at all ---------------------------------------------------------


async def test_ten_copies_at_once_settle_and_deliver_once(lined):
    async with lined() as line:
        line.studio.hiapi.fault(faults.Trick(copies=10))
        _, _, task = await line.submitted()
        line.studio.clock.move(8)
        with capture_logs() as logs:
            await line.studio.hiapi.settle()
        assert [entry["event"] for entry in logs].count("job.settled") == 1
        assert line.answers == {204: 10}
        await line.studio.deliver()
        for _ in range(3):
            line.studio.clock.move(60)
            assert await line.studio.hiapi.send_callback(task.task_id) == 204
            await line.studio.look()
            assert await line.studio.deliver() == 0
        assert line.finals() == 1
        assert len(line.studio.messages()) == 1


async def test_a_callback_that_contradicts_the_first_changes_nothing(lined):
    async with lined() as line:
        result, job, task = await line.submitted()
        line.studio.clock.move(8)
        await line.studio.hiapi.settle()
        lie = line.told(task, status="fail", error={"code": "TASK_FAILED", "message": "no"})
        assert await line.send(job.id, lie) == 204
        await line.studio.deliver()
        assert line.studio.shown(result).heading == "Here is your picture"


async def test_a_callback_after_polling_found_out(lined):
    async with lined(silent=True) as line:
        _, job, task = await line.submitted()
        line.studio.clock.move(8)
        await line.studio.look()
        await line.studio.deliver()
        assert await line.send(job.id, line.told(task)) == 204
        assert await line.studio.deliver() == 0
        assert line.finals() == 1


async def test_a_callback_before_the_create_answer_counts(lined):
    async with lined() as line:
        result, job, _ = await line.submitted("a red fox [early]")
        assert job.state == "settled"
        assert line.answers == {204: 1}
        await line.studio.deliver()
        assert line.studio.shown(result).heading == "Here is your picture"
        assert line.reads == 0
        assert not line.studio.app.tracker._live
        assert len(line.studio.hiapi.tasks.bills) == 1


async def test_a_callback_whose_create_answer_is_lost_saves_the_job(lined):
    async with lined() as line:
        line.studio.hiapi.fault(faults.Drop(after=True), on="create")
        result, _, _ = await line.submitted("a red fox [early]")
        line.studio.clock.move(60)
        assert await line.studio.submit() == 0
        await line.studio.deliver()
        assert line.studio.shown(result).heading == "Here is your picture"
        assert line.studio.hiapi.tasks.requests["create"] == 1


async def test_while_the_ledger_fails_hiapi_is_asked_to_come_again(lined, monkeypatch):
    async with lined() as line:
        result, *_ = await line.submitted()
        line.studio.clock.move(8)
        ledger, run = line.studio.app.ledger, line.studio.app.ledger.run

        async def failing(verb, *args, **kwargs):
            if verb.__name__ == "settle_heard":
                raise sa.exc.OperationalError("UPDATE", {}, Exception("disk I/O error"))
            return await run(verb, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(ledger, "run", failing)
            await line.studio.hiapi.settle()
        assert line.answers == {503: 1}
        assert await line.studio.states() == ["submitted"]
        line.studio.clock.move(60)
        await line.studio.hiapi.settle()
        assert line.answers == {503: 1, 204: 1}
        await line.studio.deliver()
        assert line.studio.shown(result).heading == "Here is your picture"


async def test_a_callback_that_meets_no_server_comes_again(lined):
    async with lined() as line:
        result, *_ = await line.submitted()
        await line.studio.app.web.stop()
        line.studio.clock.move(8)
        await line.studio.hiapi.settle()
        assert line.answers == {0: 1}
        [task] = line.studio.tasks
        line.studio.app.web._port = urlsplit(task.order.callback_url).port
        await line.studio.app.web.start()
        line.studio.clock.move(60)
        await line.studio.hiapi.settle()
        assert line.answers == {0: 1, 204: 1}
        await line.studio.deliver()
        assert line.studio.shown(result).heading == "Here is your picture"


async def test_after_a_restart_a_callback_still_finds_its_job(lined):
    async with lined(silent=True) as line:
        result, job, task = await line.submitted()
        async with line.studio.restarted():
            line.studio.clock.move(8)
            assert await line.send(job.id, line.told(task)) == 204
            await line.studio.deliver()
            assert line.studio.shown(result).heading == "Here is your picture"
            assert line.reads == 0


async def test_polling_sleeps_while_callbacks_come_and_wakes_when_they_stop(lined):
    async with lined() as line:

        async def round_of(seconds: int, *, silent: bool = False) -> int:
            """Ten jobs and a look every half second: the reads it took until all were settled."""
            if silent:
                line.studio.hiapi.fault(faults.Trick(silent=True), times=10)
            before = line.reads
            for _ in range(10):
                await line.submitted()
            for _ in range(seconds * 2):
                line.studio.clock.move(0.5)
                await line.studio.look()
            assert set(await line.studio.states()) == {"settled"}
            return line.reads - before

        assert await round_of(10) <= 1  # a first look at half of the expected time
        assert await round_of(10) == 0
        assert await round_of(40, silent=True) <= 2  # the sweep finds out
        assert 1 <= await round_of(12, silent=True) <= 3  # and polling is back
        assert await round_of(10) <= 1
        assert await round_of(10) == 0


# --- unsigned -------------------------------------------------------------------------------------


async def test_an_unsigned_callback_is_only_a_hint(lined):
    async with unsigned(lined) as line:
        result, *_ = await line.submitted()
        line.studio.clock.move(8)
        await line.studio.hiapi.settle()
        assert line.answers == {204: 1}
        assert await line.studio.states() == ["submitted"]
        assert await line.studio.app.tracker.step() == 1
        assert line.studio.hiapi.tasks.requests["detail"] == 1
        await line.studio.deliver()
        assert line.studio.shown(result).heading == "Here is your picture"


async def test_an_unsigned_lie_is_not_believed(lined):
    async with unsigned(lined, silent=True) as line:
        _, job, task = await line.submitted()
        line.studio.clock.move(2)
        trap = {"url": "https://evil.example/0.png", "type": "image"}
        lie = line.told(task, status="success", output=[trap])
        assert await line.send(job.id, lie, headers={}) == 204
        assert await line.studio.app.tracker.step() == 0
        assert await line.studio.states() == ["submitted"]
        line.studio.clock.move(6)
        await line.studio.look()
        await line.studio.deliver()
        reply = (await line.everything())[1][0]
        assert reply["delivery"] == "delivered"
        assert line.studio.hiapi.tasks.requests["file"] == 1


async def test_an_unsigned_callback_before_the_create_answer_is_remembered(lined):
    async with unsigned(lined) as line:
        _, job, _ = await line.submitted("a red fox [early]")
        assert job.state == "submitted"
        assert await line.studio.app.tracker.step() == 1
        assert line.studio.hiapi.tasks.requests["detail"] == 1
        assert not line.studio.app.tracker._early


async def test_unsigned_callbacks_about_nobodys_job_leave_nothing_behind(lined):
    async with unsigned(lined, silent=True) as line:
        _, job, task = await line.submitted()
        before, body = await line.everything(), line.told(task, status="success")
        tracker = line.studio.app.tracker
        receiver = Callbacks(
            secret=None, clock=line.studio.clock, told=tracker.told, hinted=tracker.hinted
        )
        for _ in range(10_000):
            await receiver.receive(new_id(), body=body, timestamp="", signature="")
        for _ in range(50):
            assert await line.send(new_id(), body, headers={}) == 204
        assert await line.everything() == before
        assert len(tracker._early) == len(tracker._hinted) == 0
        assert await tracker.step() == 0
        assert line.reads == 0
        # Whoever floods hides nobody's own picture: the looks go on.
        line.studio.clock.move(8)
        await line.studio.look()
        assert (await line.studio.app.ledger.run(verbs.job_of, job.id)).state == "settled"


async def test_unsigned_callbacks_do_not_put_polling_to_sleep(lined):
    async with unsigned(lined) as line:
        for _ in range(3):
            await line.submitted()
            line.studio.clock.move(8)
            await line.studio.hiapi.settle()
            await line.studio.app.tracker.step()
        assert line.studio.app.tracker.durations.expected("gpt-image-2-pro").total_seconds() == 8
        line.studio.hiapi.fault(faults.Trick(silent=True))
        await line.submitted()
        line.studio.clock.move(8)
        assert await line.studio.look() == 1
