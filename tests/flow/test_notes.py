"""Private pictures that outlive their token: a note with a Show button, then the picture."""

import pytest

from tests.flow.studio import ORIGINAL, eventually, painted

LATE = 14 * 60  # seconds; a minute before the token dies


async def noted(studio, prompt: str = "a secret garden [forever]"):
    """A private ask whose card became a note."""
    result = await studio.imagine(prompt, private=True)
    await studio.submit()
    studio.clock.move(LATE)
    assert await studio.app.progress.note() == 1
    await eventually(lambda: not studio.app.progress._edits)
    assert studio.shown(result).heading == "Still working on it"
    return result


async def press(studio, result, *, who=None):
    [button] = [
        part
        for item in studio.shown(result)._inside
        if item["type"] == 1
        for part in item["components"]
    ]
    assert button["label"] == "Show"
    return await (who or studio.member).click(
        result.response.message, custom_id=button["custom_id"]
    )


async def finish_task(studio) -> None:
    """Let a task that runs for ever end now."""
    [task] = studio.tasks
    task.ready_at = studio.clock().timestamp()
    await studio.settle(seconds=400)


async def test_pressed_before_the_picture_is_there(studio):
    result = await noted(studio)
    studio.clock.move(5 * 60)
    await press(studio, result)
    await studio.app.progress.step()
    await eventually(lambda: not studio.app.progress._edits)
    await finish_task(studio)
    await studio.deliver()
    assert studio.file(result) == painted(studio.tasks[0])
    assert (await studio.reply(result)).delivery == "delivered"
    assert studio.messages(viewer=studio.someone("onlooker")) == []


async def test_pressed_after_the_picture_is_there(studio):
    result = await noted(studio)
    studio.clock.move(5 * 60)
    await finish_task(studio)
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "parked"
    assert studio.shown(result).heading == "Still working on it"
    assert studio.sent("POST", "/channels/*") == studio.sent("POST", "/users/*") == []

    await press(studio, result)
    await studio.deliver()
    assert studio.file(result) == painted(studio.tasks[0])
    assert (await studio.reply(result)).delivery == "delivered"


async def test_pressed_after_a_restart(studio):
    result = await noted(studio)
    async with studio.restarted():
        studio.clock.move(5 * 60)
        await finish_task(studio)
        await studio.deliver()
        await press(studio, result)
        await studio.deliver()
        assert studio.shown(result).heading == "Here is your picture"


async def test_pressed_twice(studio):
    result = await noted(studio)
    studio.clock.move(5 * 60)
    await finish_task(studio)
    await studio.deliver()
    await press(studio, result)
    second = await press(studio, result)
    await studio.deliver()
    assert second.acknowledged
    assert studio.shown(result).heading == "Here is your picture"
    assert len(studio.hiapi.tasks.bills) == 1
    assert await studio.deliver() == 0


async def test_a_note_is_written_once(studio):
    await noted(studio)
    edits = len(studio.sent("PATCH", ORIGINAL))
    assert await studio.app.progress.note() == 0
    assert len(studio.sent("PATCH", ORIGINAL)) == edits


@pytest.mark.parametrize("private", [True, False])
async def test_who_does_not_need_a_note_gets_none(studio, private):
    result = await studio.imagine("a red fox", private=private)
    if private:
        await studio.finish()
    else:
        await studio.submit()
    studio.clock.move(LATE)
    assert await studio.app.progress.note() == 0
    assert studio.shown(result).heading != "Still working on it"


async def test_a_private_picture_that_nobody_noted_comes_directly(studio):
    result = await studio.imagine("a secret garden", private=True)
    await studio.submit()
    studio.clock.move(20 * 60)
    await studio.finish()
    assert (await studio.reply(result)).delivery == "delivered"
    direct = studio.env.backend.get_dm_channel(studio.member.id)
    [told] = studio.env.backend.messages[direct.id].values()
    assert studio.env.backend.cdn.get(told.attachments[0]["url"]) == painted(studio.tasks[0])
    assert studio.messages() == []
