"""Up to four pictures for one ask: one message, one task and one bill each, honest about gaps."""

import asyncio
import io

import pytest
from PIL import Image

from bot import delivery
from sandbox import faults
from tests.flow.studio import ORIGINAL, eventually, image, painted

FILLING = image("red")


async def asked(studio, command, count, **options):
    """An ask for so many pictures by one of the two commands."""
    if command == "remix":
        return await studio.remix(image1=("a.png", FILLING), count=count, **options)
    return await studio.imagine(count=count, **options)


def files(studio, result) -> list[bytes]:
    """The pictures of an answer, as its gallery shows them."""
    urls = [shot["media"]["url"] for shot in studio.shown(result).gallery]
    return [studio.env.backend.cdn.get(url) for url in urls]


def image_of_noise(edge: int) -> bytes:
    """A PNG that no compression makes smaller."""
    out = io.BytesIO()
    Image.merge("RGB", [Image.effect_noise((edge, edge), 100) for _ in "RGB"]).save(out, "PNG")
    return out.getvalue()


async def tasks_in_slot_order(studio, result):
    return [studio.hiapi.tasks.by_key(job.id) for job in (await studio.reply(result)).jobs]


@pytest.mark.parametrize("command", ["imagine", "remix"])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
async def test_each_picture_has_its_own_task_and_all_stand_in_one_message(studio, command, count):
    references = [FILLING] if command == "remix" else []
    result = await asked(studio, command, count)
    await studio.finish()
    tasks = await tasks_in_slot_order(studio, result)
    assert files(studio, result) == [painted(task, *references) for task in tasks]
    keys = [bill.key for bill in studio.hiapi.tasks.bills]
    assert sorted(keys) == sorted(job.id for job in (await studio.reply(result)).jobs)
    assert len({task.task_id for task in tasks}) == len(keys) == count
    assert await studio.counted() == count
    assert [message.id for message in studio.messages()] == [result.response.id]
    plural = "s" if count > 1 else ""
    verb = "are" if count > 1 else "is"
    assert studio.shown(result).heading == f"Here {verb} your picture{plural}"
    names = [attachment.filename for attachment in result.response.attachments]
    assert [name.rpartition("-")[2] for name in names] == [f"{n}.png" for n in range(1, count + 1)]


async def test_the_gallery_keeps_the_slots_whoever_is_ready_first(studio):
    result = await studio.imagine(count=4)
    await studio.submit()
    tasks = await tasks_in_slot_order(studio, result)
    for task, stages in zip(tasks, [(9.0,), (6.0,), (3.0,), (0.0,)], strict=True):
        task.stages = (*stages, 6.0, 1.0)
    await studio.finish()
    assert files(studio, result) == [painted(task) for task in tasks]


@pytest.mark.parametrize("count", [0, 5])
async def test_no_more_than_four_are_offered(studio, count):
    [put] = studio.sent("PUT", "/applications/*/commands")
    asking = [command for command in put.json if command["name"] in ("imagine", "remix")]
    assert len(asking) == 2
    for command in asking:
        [option] = [each for each in command["options"] if each["name"] == "count"]
        assert not option["min_value"] <= count <= option["max_value"]


async def test_the_waiting_card_tells_how_many_are_ready(studio):
    result = await studio.imagine(count=3)
    await studio.submit()
    slow, *_ = await tasks_in_slot_order(studio, result)
    slow.stages = (1.0, 30.0, 1.0)
    await shown_progress(studio)
    assert "0 of 3 ready." in studio.shown(result).text
    studio.clock.move(10)
    await studio.look()
    await shown_progress(studio)
    assert "2 of 3 ready." in studio.shown(result).text
    assert not studio.shown(result).gallery


async def test_a_failed_picture_is_not_called_ready(studio):
    result = await studio.imagine(count=2)
    await studio.submit()
    failing, running = await tasks_in_slot_order(studio, result)
    failing.failure = ("TASK_FAILED", "task failed")
    running.stages = (1.0, 30.0, 1.0)
    studio.clock.move(10)
    await studio.look()
    await shown_progress(studio)
    assert "0 of 2 ready, 1 failed." in studio.shown(result).text


async def test_between_two_of_its_pictures_a_reply_tells_its_place(open_studio):
    """One is done, none runs, the rest waits for room: its heading does not step back."""
    async with open_studio(member_running=1) as studio:
        result = await studio.imagine(count=2)
        await studio.submit()
        studio.clock.move(10)
        await studio.look()
        await shown_progress(studio)
        card = studio.shown(result)
        assert card.heading == "Painting"
        assert "1 of 2 ready." in card.text
        assert "Yours is next." in card.text
        edits = len(studio.sent("PATCH", ORIGINAL))
        for _ in range(2):
            await shown_progress(studio)
        assert len(studio.sent("PATCH", ORIGINAL)) == edits


async def test_one_that_fails_is_missed_by_name_and_the_others_are_shown(studio):
    result = await studio.imagine(count=4)
    await studio.submit()
    tasks = await tasks_in_slot_order(studio, result)
    tasks[1].failure = ("TASK_FAILED", "task failed")
    await studio.finish()
    good = [tasks[0], tasks[2], tasks[3]]
    assert files(studio, result) == [painted(task) for task in good]
    card = studio.shown(result)
    assert card.heading == "Here are your pictures"
    assert "1 picture is missing: The picture could not be made." in card.text
    assert (await studio.reply(result)).delivery == "delivered"


async def test_one_that_is_refused_is_missed_like_one_that_fails(studio):
    studio.hiapi.fault(faults.status(400, error_code="INVALID_PARAMETERS"), on="create", times=1)
    result = await studio.imagine(count=2)
    await studio.finish()
    assert len(studio.shown(result).gallery) == len(studio.hiapi.tasks.bills) == 1
    assert "1 picture is missing:" in studio.shown(result).text


async def test_when_all_fail_one_sentence_says_so(studio):
    result = await studio.imagine("a fox [fail]", count=3)
    await studio.finish()
    card = studio.shown(result)
    assert card.heading == "The picture could not be made"
    assert not card.gallery
    assert len(studio.tasks) == 3
    assert (await studio.reply(result)).delivery == "delivered"


async def test_when_all_are_refused_nothing_is_billed(studio):
    studio.hiapi.fault(faults.status(400, error_code="INVALID_PARAMETERS"), on="create", times=4)
    result = await studio.imagine(count=4)
    await studio.finish()
    card = studio.shown(result)
    assert card.heading == "The picture service did not accept these options"
    assert studio.hiapi.tasks.bills == []
    assert [message.id for message in studio.messages()] == [result.response.id]


async def test_the_day_counts_pictures_not_commands(open_studio):
    async with open_studio(bot_caps="5/day") as studio:
        await studio.imagine(count=3)
        assert await studio.counted() == 3
        refused = await studio.imagine(count=3)
        assert "all the pictures it may make for now" in studio.said(refused)
        assert await studio.counted() == 3
        await studio.imagine(count=2)
        assert await studio.counted() == 5


async def test_more_than_may_wait_is_refused_before_anything_is_spent(open_studio):
    async with open_studio(member_waiting=3) as studio:
        result = await studio.imagine(count=4)
        said = studio.said(result)
        assert said.startswith("**Only 3 of your pictures may wait at a time; waiting now: 0.**")
        assert await studio.states() == []
        assert await studio.counted() == 0
        assert await studio.submit() == 0
        assert not studio.hiapi.tasks.requests
        assert studio.messages() == []
        await studio.imagine(count=3)
        assert await studio.submit() == 3


async def test_a_huge_picture_among_four_leaves_the_others_as_they_are(studio, monkeypatch):
    result = await studio.imagine(count=4)
    await studio.submit()
    tasks = await tasks_in_slot_order(studio, result)
    huge = tasks[2].picture = image_of_noise(400)
    small = sum(len(painted(task)) for task in tasks if task is not tasks[2])
    limit = small + len(huge) // 3
    monkeypatch.setattr(delivery, "REQUEST_BYTES", limit)
    await studio.finish()
    shown = files(studio, result)
    assert sum(map(len, shown)) <= limit
    assert [data == painted(task) for data, task in zip(shown, tasks, strict=True)] == [
        True,
        True,
        False,
        True,
    ]


async def test_another_process_goes_on_in_the_middle(studio):
    result = await studio.imagine(count=4)
    for _ in range(2):
        await studio.app.submitter.step()
    assert sorted(await studio.states()) == ["queued", "queued", "submitted", "submitted"]
    async with studio.restarted():
        await studio.finish()
        tasks = await tasks_in_slot_order(studio, result)
        assert files(studio, result) == [painted(task) for task in tasks]
        assert len(studio.hiapi.tasks.bills) == await studio.counted() == 4
        assert [message.id for message in studio.messages()] == [result.response.id]


async def test_all_four_may_be_sent_at_the_same_moment(studio):
    result = await studio.imagine(count=4)
    assert sum(await asyncio.gather(*(studio.app.submitter.step() for _ in range(8)))) == 4
    await studio.finish()
    assert len(studio.shown(result).gallery) == len(studio.hiapi.tasks.bills) == 4


async def shown_progress(studio) -> None:
    studio.clock.move(3)
    await studio.app.progress.step()
    await eventually(lambda: not studio.app.progress._edits)
