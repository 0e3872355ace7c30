"""Every way in which a picture can fail to come, in the words that a person reads."""

import re
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from bot import delivery
from bot.errors import WORDS, Code
from bot.model import short_id
from sandbox import faults
from tests.flow.studio import image, painted

# What upstream says, in any of its forms; none of it is for people.
RAW = re.compile(
    r"provider|upstream|stand-in|TASK_|MODEL_UNAV|STORAGE_|INVALID_|insufficient|http|tk-hiapi"
    r"|Traceback|Error\b|\b[45]\d\d\b|content policy|127\.0\.0\.1|sk-",
    re.IGNORECASE,
)


async def failed_with(studio, result, code: Code) -> None:
    """The card says what the words for people say, and nothing else."""
    card = studio.shown(result)
    reply = await studio.reply(result)
    [job] = reply.jobs
    assert (reply.delivery, job.state) == ("delivered", "settled")
    words = WORDS[code]
    heading, byline, advice, *more, footer = card.text.split("\n")
    assert heading == f"### {words.title}"
    assert byline.startswith(f"<@{studio.member.id}>")
    assert advice == words.advice
    # Only where a model is unavailable there is more to say.
    instead = studio.app.intake.catalog.instead(job.request).id
    assert [instead in line for line in more] == [True] * (code is Code.MODEL_GONE)
    assert card.footer.startswith(f"{short_id(job.id)} · ")
    assert card.gallery == card.message.attachments == []
    assert card.message.components[0]["accent_color"] == 0xC4473A
    prompt = byline.partition(" · ")[2]
    assert not RAW.search(card.text.replace(prompt, "").replace(footer, ""))
    assert job.id not in card.text.lower()
    assert job.id[6:] not in card.text.lower()


FATES = {
    "[fail]": Code.FAILED,
    "[policy]": Code.REFUSED_PROMPT,
    "[timeout]": Code.TIMED_OUT,
    "[storage]": Code.NOT_STORED,
    "[empty]": Code.NO_PICTURE,
    "[broken]": Code.PICTURE_LOST,
    "[expired]": Code.PICTURE_LOST,
    "[unavailable]": Code.MODEL_GONE,
}


@pytest.mark.parametrize("word", FATES)
async def test_a_task_that_goes_wrong(studio, word):
    result = await studio.imagine(f"a fox {word}")
    await studio.finish()
    await failed_with(studio, result, FATES[word])
    # What HiAPI made is charged, whether or not it can be fetched; what it did not make is not.
    assert await studio.counted() == (FATES[word] is Code.PICTURE_LOST)


FILES = {
    "a page": faults.wrong_type(),
    "a bomb": faults.bomb(),
    "half a picture": faults.raw(image()[:-12], content_type="image/png"),
    "a redirect to a stranger": faults.redirect("http://169.254.169.254/latest/meta-data"),
    "a flood": faults.Flood(size=60 * 1024 * 1024),
}


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
async def test_a_picture_that_is_none(studio, file):
    studio.hiapi.fault(file, on="file", times=9)
    result = await studio.imagine()
    await studio.finish()
    await failed_with(studio, result, Code.PICTURE_LOST)


@pytest.mark.parametrize("count", [1, 2])
async def test_a_picture_too_large_to_be_fetched_is_linked(studio, monkeypatch, count):
    # The stand-in's addresses are plain http, which no card may hold.
    monkeypatch.setattr(delivery, "_link", lambda job: f"https://cdn.invalid/{job.slot}.png")
    studio.hiapi.fault(faults.Flood(size=60 * 1024 * 1024, head=image()), on="file")
    result = await studio.imagine(count=count)
    await studio.finish()
    card = studio.shown(result)
    assert (await studio.reply(result)).delivery == "delivered"
    assert card.heading == "Your picture is too large for Discord"
    for slot in range(count):
        assert f"(https://cdn.invalid/{slot}.png)" in card.text


async def test_a_picture_that_was_shown_before_is_shown_again_as_it_was_kept(studio):
    # The process died between the two: it is kept, and not written down as shown.
    studio.hiapi.fault(faults.wrong_type(), on="file", times=9)
    result = await studio.imagine()
    await studio.submit()
    [job] = (await studio.reply(result)).jobs
    assert await studio.app.keeper.keep_original(job.id, image())
    await studio.finish()
    reply = await studio.reply(result)
    assert reply.delivery == "delivered"
    assert studio.file(result) == image()


REFUSALS = {
    Code.BAD_REQUEST: faults.status(400, message="resolution 2K", error_code="INVALID_REQUEST"),
    Code.MODEL_GONE: faults.model_unavailable(),
    Code.REFUSED_PROMPT: faults.status(400, message="blocked by safety policy"),
    Code.BAD_REFERENCE: faults.status(400, message="could not fetch input_urls[0]"),
    Code.INTERNAL: faults.status(422, message="mismatch", error_code="IDEMPOTENCY_KEY_MISMATCH"),
    Code.MISCONFIGURED: faults.status(404, message="no such route"),
    Code.FAILED: faults.status(500, message="no", error_code="TASK_FAILED"),
}


@pytest.mark.parametrize("code", REFUSALS)
async def test_a_request_that_is_refused(studio, code):
    studio.hiapi.fault(REFUSALS[code], on="create")
    result = await studio.imagine()
    await studio.finish()
    await failed_with(studio, result, code)
    assert studio.tasks == ()


async def test_an_image_that_the_service_cannot_fetch(studio):
    result = await studio.remix(image1=("a.png", image()))
    await studio.submit()
    studio.env.backend.cdn._blobs.clear()
    await studio.finish()
    await failed_with(studio, result, Code.BAD_REFERENCE)


async def test_a_task_that_the_service_forgot(studio):
    result = await studio.imagine()
    await studio.submit()
    book = studio.hiapi.tasks
    book._ids.clear()
    book._tasks.clear()
    studio.clock.move(11 * 60)
    await studio.look()
    studio.clock.move(5)
    await studio.look()
    await studio.deliver()
    await failed_with(studio, result, Code.LOST)


async def test_a_task_that_never_ends_is_given_up_after_a_day(studio):
    result = await studio.imagine("a fox [forever]")
    await studio.submit()
    for hours in (0.1, 1, 10, 12.8):
        studio.clock.move(hours * 3600)
        assert await studio.look() == 0
    studio.clock.move(3600)
    assert await studio.look() == 1
    await studio.deliver()
    await failed_with(studio, result, Code.LOST)


async def test_a_status_nobody_documented_keeps_a_task_running(studio):
    result = await studio.imagine("a fox [strange]")
    await studio.submit()
    studio.clock.move(5)
    assert await studio.look() == 0
    [job] = (await studio.reply(result)).jobs
    assert (job.state, job.task_status) == ("submitted", "moderating")
    await studio.app.progress.step()
    await studio.finish()
    assert studio.file(result) == painted(studio.tasks[0])


@pytest.mark.parametrize("word", ["[late]", "[thumbnail]", "[slow]"])
async def test_an_odd_task_still_gives_its_picture(studio, word):
    result = await studio.imagine(f"a fox {word}")
    await studio.finish()
    [task] = studio.tasks
    assert studio.file(result) == painted(task)
    assert len(studio.hiapi.tasks.bills) == 1


RESENT = {
    "busy": faults.unavailable(),
    "broken off": faults.Drop(),
    "broken off after the task was made": faults.Drop(after=True),
    "a proxy's page": faults.html(),
    "a proxy's page after the task was made": faults.html(after=True),
    "half an answer": faults.garbage(after=True),
    "no task id": faults.no_task_id(),
    "failed behind the service": faults.status(504, message="x", error_code="TASK_TIMEOUT"),
}


@pytest.mark.parametrize("fault", RESENT.values(), ids=RESENT)
async def test_a_passing_fault_costs_neither_the_picture_nor_a_second_bill(studio, fault):
    planted = studio.hiapi.fault(fault, on="create", times=2)
    result = await studio.imagine()
    assert await studio.submit() == 1
    assert await studio.states() == ["submitting"]
    studio.clock.move(1)
    assert await studio.submit() == 0
    await studio.finish()
    assert planted.fired == 2
    assert studio.hiapi.tasks.requests["create"] == 3
    [task] = studio.tasks
    assert len(studio.hiapi.tasks.bills) == 1
    assert studio.file(result) == painted(task)


HALTS = {
    Code.NO_CREDIT: faults.out_of_quota(),
    Code.MISCONFIGURED: faults.unauthorized(),
}


@pytest.mark.parametrize("code", HALTS)
async def test_a_refused_account_holds_everybody_and_loses_nobody(studio, code):
    planted = studio.hiapi.fault(HALTS[code], on="create", times=1000)
    with capture_logs() as logs:
        first = await studio.imagine("first")
        second = await studio.imagine("second", who=studio.someone("other"))
        assert await studio.submit() == 1
        studio.clock.move(59)
        assert await studio.submit() == 0
        studio.clock.move(2)
        assert await studio.submit() == 1
    alarms = [line for line in logs if line["event"] == "submitter.halted"]
    assert [line["cause"] for line in alarms] == [WORDS[code].operator]
    assert sorted(await studio.states()) == ["queued", "submitting"]
    assert planted.fired == 2

    await studio.app.progress.step()
    planted.lift()
    studio.clock.move(61)
    await studio.finish()
    assert len(studio.tasks) == 2
    for result, prompt in ((first, "first"), (second, "second")):
        assert studio.shown(result).heading == "Here is your picture"
        assert prompt in studio.shown(result).text


async def test_an_ask_that_waits_too_long_expires_uncounted(studio):
    studio.hiapi.fault(faults.out_of_quota(), on="create", times=1000)
    first = await studio.imagine("first")
    second = await studio.imagine("second")
    await studio.submit()
    assert await studio.counted() == 2
    studio.clock.move(timedelta(hours=2, seconds=1).total_seconds())
    # One was sent and turned away, which is as good as never sent.
    assert await studio.app.submitter.expire() == 2
    assert await studio.counted() == 0
    await studio.deliver()
    for result in (first, second):
        await failed_with(studio, result, Code.EXPIRED)
    assert studio.hiapi.tasks.requests["create"] == 1


async def test_a_request_whose_key_is_too_old_is_never_sent_again(studio):
    studio.hiapi.fault(faults.Drop(after=True), on="create", times=1000)
    result = await studio.imagine()
    await studio.submit()
    studio.clock.move(24 * 3600)
    sent = studio.hiapi.tasks.requests["create"]
    await studio.finish()
    assert studio.hiapi.tasks.requests["create"] == sent
    await failed_with(studio, result, Code.LOST)


def test_every_code_has_words_for_people_without_a_machines_voice():
    for code in Code:
        words = WORDS[code]
        assert words.title
        assert words.advice.endswith(".")
        assert not RAW.search(f"{words.title} {words.advice}")
