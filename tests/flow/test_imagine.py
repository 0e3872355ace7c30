"""/imagine from the command to the finished card."""

import asyncio
import json

import pytest

from bot import catalog
from bot.model import short_id
from tests.flow.studio import ACK, ORIGINAL, eventually, painted

RATIOS = {"1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"}


async def test_nothing_is_sent_before_discord_took_the_acknowledgement(studio):
    held, let_go = asyncio.Event(), asyncio.Event()

    async def hold(send):
        held.set()
        await let_go.wait()
        return await send()

    studio.wire.hook("POST", ACK, hold)
    asking = asyncio.create_task(studio.imagine())
    await eventually(held.is_set)

    assert await studio.states() == ["received"]
    assert await studio.submit() == 0
    assert not studio.hiapi.tasks.requests

    let_go.set()
    result = await asking
    assert result.deferred
    [ack] = studio.sent("POST", ACK)
    assert ack.json["type"] == 5
    assert await studio.states() == ["queued"]
    assert await studio.submit() == 1
    assert studio.hiapi.tasks.requests["create"] == 1


async def test_the_card_goes_from_the_queue_over_painting_to_the_picture(studio):
    result = await studio.imagine("a red fox")
    assert studio.shown(result).text == ""
    await studio.app.progress.step()
    await eventually(lambda: studio.shown(result).heading == "In the queue")
    assert studio.shown(result).message.components[0]["accent_color"] == 0x8A8F98

    await studio.submit()
    studio.clock.move(3)
    await studio.app.progress.step()
    await eventually(lambda: studio.shown(result).heading == "Starting")
    ready = int(studio.clock().timestamp()) - 3 + 10
    assert f"Expected <t:{ready}:R>." in studio.shown(result).text

    studio.clock.move(2)
    assert await studio.look() == 0
    studio.clock.move(1)
    await studio.app.progress.step()
    await eventually(lambda: studio.shown(result).heading == "Painting")
    assert studio.shown(result).message.components[0]["accent_color"] == 0xD9932B

    await studio.finish()
    assert studio.shown(result).heading == "Here is your picture"
    assert len(studio.messages()) == 1
    assert (await studio.reply(result)).delivery == "delivered"


async def test_the_finished_card(studio):
    result = await studio.imagine("a red fox", aspect_ratio="3:2")
    await studio.finish()

    card = studio.shown(result)
    assert card.message.flags.components_v2
    [box] = card.message.components
    assert (box["type"], box["accent_color"]) == (17, 0x3B8F5C)
    assert card.gallery[0]["description"] == "a red fox"
    assert f"<@{studio.member.id}> · a red fox" in card.text
    [job] = (await studio.reply(result)).jobs
    seconds = round((job.settled_at - job.submitted_at).total_seconds())
    assert seconds == 10
    short = short_id(job.id)
    assert card.footer == f"{short} · 3:2 · 1K · {seconds} s · gpt-image-2-pro"
    assert len(short) == 6
    assert job.id not in card.text.lower()
    assert card.message.attachments[0].filename == f"{short.lower()}-1.png"


async def test_the_picture_is_the_one_that_was_made(studio):
    result = await studio.imagine("a lighthouse in snow", aspect_ratio="16:9", resolution="2K")
    await studio.finish()
    [task] = studio.tasks
    assert studio.file(result) == painted(task)
    [bill] = studio.hiapi.tasks.bills
    assert bill.key == (await studio.reply(result)).jobs[0].id


async def test_every_choice_of_the_models_is_offered_and_no_other(studio):
    [put] = studio.sent("PUT", "/applications/*/commands")
    offered = {
        (command["name"], option["name"]): [choice["value"] for choice in option["choices"]]
        for command in put.json
        for option in command.get("options", ())
        if "choices" in option and command["name"] in ("imagine", "remix")
    }
    assert set(offered) == {
        (command, option)
        for command in ("imagine", "remix")
        for option in ("aspect_ratio", "resolution")
    }
    assert set(offered["imagine", "aspect_ratio"]) == RATIOS
    assert set(offered["remix", "aspect_ratio"]) == {"auto", *RATIOS}
    assert {value: len(values) for value, values in offered.items()} == {
        ("imagine", "aspect_ratio"): 10,
        ("remix", "aspect_ratio"): 11,
        ("imagine", "resolution"): 2,
        ("remix", "resolution"): 2,
    }
    assert offered["imagine", "resolution"] == offered["remix", "resolution"] == ["1K", "2K"]
    assert offered["imagine", "aspect_ratio"][0] == "1:1"
    assert offered["remix", "aspect_ratio"][0] == "auto"


async def test_defaults_are_sent_in_so_many_words(studio):
    result = await studio.imagine("a red fox")
    await studio.submit()
    [job] = (await studio.reply(result)).jobs
    assert json.loads(job.body) == {
        "model": "gpt-image-2-pro",
        "input": {"prompt": "a red fox", "aspect_ratio": "1:1", "resolution": "1K"},
    }


@pytest.mark.parametrize("ratio", catalog.RATIOS)
async def test_each_ratio_reaches_the_service(studio, ratio):
    await studio.imagine(aspect_ratio=ratio, resolution="2K")
    await studio.submit()
    [task] = studio.tasks
    assert (task.order.aspect_ratio, task.order.resolution) == (ratio, "2K")


async def test_a_private_picture_is_seen_by_nobody_else(studio):
    other = studio.someone("neighbour")
    result = await studio.imagine("a secret garden", private=True)
    assert result.ephemeral
    await studio.finish()
    assert studio.shown(result).heading == "Here is your picture"
    assert [message.id for message in studio.messages(viewer=studio.member)] == [result.response.id]
    assert studio.messages(viewer=other) == []
    assert not studio.sent("PATCH", "/channels/*")


async def test_an_answer_that_discord_makes_private_is_kept_private(studio):
    async def hide(send):
        answer = await send()
        answer["interaction"]["response_message_ephemeral"] = True
        return answer

    studio.wire.hook("POST", ACK, hide)
    result = await studio.imagine(private=False)
    assert (await studio.reply(result)).target.private


async def test_the_models_ids_are_settings(open_studio):
    async with open_studio(imagine_model="gpt-image-2-pro@default") as studio:
        result = await studio.imagine()
        await studio.finish()
        assert studio.shown(result).footer.endswith(" · gpt-image-2-pro@default")


async def test_twenty_asks_at_once_each_get_their_own_picture(studio):
    asked = {}
    for number in range(20):
        result = await studio.imagine(f"fox number {number}", aspect_ratio="21:9")
        asked[number] = result
    await studio.finish()
    assert len(studio.tasks) == 20
    by_prompt = {task.order.prompt: task for task in studio.tasks}
    for number in (0, 7, 19):
        assert studio.file(asked[number]) == painted(by_prompt[f"fox number {number}"])
    assert all(studio.shown(result).gallery for result in asked.values())
    finals = [edit for edit in studio.sent("PATCH", ORIGINAL) if edit.json["attachments"]]
    assert len(finals) == 20
