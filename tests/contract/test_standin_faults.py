"""The stand-in goes wrong in every way it is asked to, as often as it is asked, and no more."""

import asyncio
import email.utils
import io
import json
import subprocess
import sys

import aiohttp
import pytest
from PIL import Image

from sandbox import faults, words
from tests.contract import standin
from tests.contract.standin import PNG, START, order


@pytest.fixture
async def api():
    async with standin.opened() as caller:
        yield caller


@pytest.fixture
async def quick():
    async with standin.opened(seconds=(0, 0, 0)) as caller:
        yield caller


REFUSALS = {
    "500": (faults.status(500), 500, None),
    "503": (faults.unavailable(), 503, None),
    "402": (faults.out_of_quota(), 402, "INSUFFICIENT_QUOTA"),
    "401": (faults.unauthorized(), 401, None),
    "403": (faults.forbidden(), 403, None),
    "model": (faults.model_unavailable(), 400, "MODEL_UNAVAILABLE"),
    "429": (faults.rate_limited(task_envelope=True), 429, None),
    "body code": (faults.body_code(503, error_code="TASK_TIMEOUT"), 200, "TASK_TIMEOUT"),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refusal_makes_no_task_and_happens_once(api, name):
    fault, status, error_code = REFUSALS[name]
    planted = api.standin.fault(fault, on="create")
    seen = await api.create(key="k")
    assert (seen.status, seen.json.get("error_code")) == (status, error_code)
    assert api.standin.tasks.created == 0
    assert (await api.create(key="k")).status == 200
    assert planted.fired == 1


@pytest.mark.parametrize(
    "fault",
    [
        faults.garbage(after=True),
        faults.html(after=True),
        faults.not_an_object(after=True),
        faults.no_task_id(),
        faults.status(500, after=True),
    ],
)
async def test_an_unreadable_answer_after_the_task_was_made_is_settled_by_its_key(api, fault):
    api.standin.fault(fault, on="create")
    seen = await api.create(key="k")
    assert b"tk-hiapi" not in seen.body
    assert api.standin.tasks.created == 1
    again = await api.create(key="k")
    assert again.headers["Idempotent-Replay"] == "true"
    assert api.standin.tasks.created == 1


@pytest.mark.parametrize("after", [False, True])
async def test_a_connection_dropped_before_or_after(api, after):
    api.standin.fault(faults.Drop(after=after), on="create")
    with pytest.raises(aiohttp.ClientConnectionError):
        await api.create(key="k")
    assert api.standin.tasks.created == int(after)
    assert ("Idempotent-Replay" in (await api.create(key="k")).headers) == after


async def test_retry_after_comes_as_seconds_and_as_a_date(api):
    api.standin.fault(faults.rate_limited(retry_after=7), on="detail")
    api.standin.fault(faults.rate_limited(retry_after=7, as_date=True), on="detail")
    seconds = await api.call("GET", "/v1/tasks/x")
    date = await api.call("GET", "/v1/tasks/x")
    assert seconds.headers["Retry-After"] == "7"
    told = email.utils.parsedate_to_datetime(date.headers["Retry-After"])
    assert told.timestamp() == START + 7
    assert seconds.json["error"]["code"] == "rate_limit_exceeded"


async def test_times_match_and_lifting(api):
    owl = api.standin.fault(faults.unavailable(), on="create", times=2, match="owl")
    assert (await api.create("a fox")).status == 200
    assert [(await api.create("an owl")).status for _ in range(3)] == [503, 503, 200]
    assert owl.fired == 2
    task_id = await api.made("an owl")
    lifted = api.standin.fault(faults.unavailable(), on="detail", times=9, match=task_id)
    assert (await api.call("GET", f"/v1/tasks/{task_id}")).status == 503
    lifted.lift()
    assert (await api.call("GET", f"/v1/tasks/{task_id}")).status == 200
    api.standin.fault(faults.unavailable(), on="list", chance=1)
    assert [(await api.call("GET", "/v1/tasks")).status for _ in range(3)] == [503] * 3
    api.standin.clear_faults()
    assert (await api.call("GET", "/v1/tasks")).status == 200


async def test_chance_is_thrown_from_a_seed():
    runs = []
    for _ in range(2):
        async with standin.opened(seed=7) as api:
            api.standin.fault(faults.unavailable(), on="list", chance=0.4)
            runs.append([(await api.call("GET", "/v1/tasks")).status for _ in range(40)])
    assert runs[0] == runs[1]
    assert 5 < runs[0].count(503) < 30


def test_a_fault_in_the_wrong_place_is_refused(api):
    for what, on in ((faults.Fate(), "create"), (faults.Trick(), "file"), (faults.Drop(), "task")):
        with pytest.raises(ValueError, match=r"belongs|where"):
            api.standin.fault(what, on=on)
    with pytest.raises(ValueError, match="where"):
        api.standin.fault(faults.Drop())


async def test_a_slow_body_still_arrives_whole(quick):
    task = await quick.detail(await quick.made())
    quick.standin.fault(faults.Drip(seconds=0.05), on="file")
    assert (await quick.file(task)).body == PNG


# --- tasks ----------------------------------------------------------------------------------------


async def test_fates(api):
    cases = {
        "strange": faults.strange_status("moderating"),
        "never": faults.never_ends(),
        "fail": faults.fails("STORAGE_UNAVAILABLE", message="disk full"),
        "empty": faults.gives(),
        "thumbnail": faults.thumbnail_first(),
        "odd": faults.odd_items(),
    }
    ids = {}
    for name, fate in cases.items():
        api.standin.fault(fate)
        ids[name] = await api.made(name)
    api.clock.now += 2
    assert (await api.detail(ids["strange"]))["status"] == "moderating"
    api.clock.now += 10_000
    seen = {name: await api.detail(task_id) for name, task_id in ids.items()}
    assert seen["strange"]["status"] == "success"
    assert (seen["never"]["status"], seen["never"]["completed"]) == ("handling", 0)
    assert seen["fail"]["error"] == {"code": "STORAGE_UNAVAILABLE", "message": "disk full"}
    assert seen["empty"]["output"] == []
    assert [item["type"] for item in seen["thumbnail"]["output"]] == ["thumbnail", "image"]
    assert [type(item).__name__ for item in seen["odd"]["output"]] == [
        "NoneType",
        "str",
        "int",
        "dict",
    ]


# --- files ----------------------------------------------------------------------------------------


async def test_files_go_wrong(quick):
    task = await quick.detail(await quick.made())
    quick.standin.fault(faults.not_there(), on="file", times=2)
    assert [(await quick.file(task)).status for _ in range(3)] == [404, 404, 200]
    quick.standin.fault(faults.expired(), on="file")
    assert b"<Error>" in (await quick.file(task)).body
    quick.standin.fault(faults.wrong_type(), on="file")
    assert (await quick.file(task)).headers["Content-Type"] == "text/html"
    quick.standin.fault(faults.wrong_bytes(), on="file")
    assert not (await quick.file(task)).body.startswith(b"\x89PNG")
    quick.standin.fault(faults.redirect("http://169.254.169.254/"), on="file")
    moved = await quick.file(task)
    assert (moved.status, moved.headers["Location"]) == (302, "http://169.254.169.254/")
    quick.standin.fault(faults.Drop(), on="file", times=2)  # aiohttp tries a GET twice
    with pytest.raises(aiohttp.ClientConnectionError):
        await quick.file(task)
    quick.standin.fault(faults.Drip(seconds=0.01, cut=True), on="file")
    with pytest.raises(aiohttp.ClientPayloadError):
        await quick.file(task)


async def test_a_huge_file_streams_and_survives_a_reader_who_leaves(quick):
    task = await quick.detail(await quick.made())
    quick.standin.fault(faults.Flood(), on="file", times=2)
    async with quick.session.get(task["output"][0]["url"]) as answer:
        assert answer.content_length is None
        size = 0
        async for chunk in answer.content.iter_chunked(1 << 20):
            size += len(chunk)
    assert size == 60 * 1024 * 1024
    async with quick.session.get(task["output"][0]["url"]) as answer:
        await answer.content.readexactly(1 << 16)
    assert (await quick.file(task)).status == 200


async def test_a_bomb_is_small_and_claims_to_be_enormous(quick):
    task = await quick.detail(await quick.made())
    quick.standin.fault(faults.bomb(), on="file")
    body = (await quick.file(task)).body
    assert len(body) < 2000
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(body))


# --- prompt words ---------------------------------------------------------------------------------


async def test_every_prompt_word_is_in_the_table_and_known():
    listed = {
        line.split("`")[1].strip("[]") for line in words.__doc__.splitlines() if "`[" in line[:6]
    }
    known = words.FATES.keys() | words.TRICKS.keys() | words.REFUSALS.keys() | {words.BUSY}
    assert listed == known
    assert words.found("A [Slow] fox [unheard] [twice]") == ("slow", "twice")


async def test_words_of_refusal(api):
    assert (await api.create("[quota]")).json["error_code"] == "INSUFFICIENT_QUOTA"
    assert (await api.create("[unavailable]")).json["error_code"] == "MODEL_UNAVAILABLE"
    busy = [await api.create("a fox [busy]", key="k") for _ in range(2)]
    assert [seen.status for seen in busy] == [429, 200]
    assert busy[0].headers["Retry-After"] == "2"


async def test_words_of_fate(api):
    ids = {word: await api.made(f"a fox [{word}]") for word in words.FATES}
    api.clock.now += 4
    seen = {word: await api.detail(task_id) for word, task_id in ids.items()}
    assert {word for word, task in seen.items() if task["status"] == "fail"} == {
        "fail",
        "policy",
        "timeout",
        "storage",
    }
    assert "policy" in seen["policy"]["error"]["message"]
    assert seen["timeout"]["error"]["code"] == "TASK_TIMEOUT"
    assert {word for word, task in seen.items() if task["completed"] == 0} == {"slow", "forever"}
    assert not (await api.file(seen["broken"])).body.startswith(b"\x89PNG")
    assert [(await api.file(seen["late"])).status for _ in range(3)] == [404, 404, 200]
    assert (await api.file(seen["expired"])).status == 403
    api.clock.now += 20
    assert (await api.detail(ids["slow"]))["status"] == "success"


async def test_words_of_callbacks(api):
    async with standin.receiving() as receiver:
        for prompt in ("[silent]", "[twice] a fox", "[forged] an owl"):
            await api.made(prompt, callback=receiver.url)
        api.clock.now += 4
        await api.standin.settle()
        assert len(receiver.got) == 4
        await api.made("[early]", callback=receiver.url)
        assert len(receiver.got) == 5


# --- by hand --------------------------------------------------------------------------------------


async def test_it_runs_as_a_program():
    command = (sys.executable, "-m", "sandbox.hiapi", "--port", "0", "--secret", "s")
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    try:
        async with asyncio.timeout(10):
            line = (await process.stdout.readline()).decode()
        url = line.split()[3]
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                url + "/v1/tasks",
                data=json.dumps(order()),
                headers={"Authorization": "Bearer sk-sandbox", "Content-Type": "application/json"},
            ) as answer,
        ):
            assert answer.status == 200
    finally:
        process.terminate()
        assert await process.wait() == 0
