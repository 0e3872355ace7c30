"""Original and Send to DMs: of today, of last month, after a restart, and when nothing is left."""

import io
import re

import aiohttp
import pytest
import sqlalchemy as sa
from PIL import Image

from bot.ledger import schema
from bot.model import short_id
from sandbox.wirecord import asking, faults
from tests.flow import wired
from tests.flow.studio import eventually, painted
from tests.flow.test_buttons import finished
from tests.flow.test_buttons import press as press_simulated

NO_LONGER = "The original of 1 picture is not kept any more: this is what Discord has."
NOTHING = "**This picture is not kept any more.**\nSave it from the card, or ask for it again."
UNKNOWN = "**The bot does not remember this picture.**"
BLOCKED = "**Discord does not let the bot write to you.**"
CDN = "GET /cdn"
FOX = {"prompt": "a red fox"}


@pytest.fixture
def open_wired(tmp_path):
    return lambda **changes: wired.opened(tmp_path, **changes)


@pytest.fixture
async def world(open_wired):
    async with open_wired() as opened:
        yield opened


def files(world, *messages) -> list[bytes]:
    return [world.discord.cdn.read(each.id) for m in messages for each in m.attachments]


def direct(world, user=asking.USER):
    """What stands in a person's direct messages with the bot."""
    return world.discord.messages.all(world.discord.places.direct(user).id)


# --- original -------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [0, 29])
async def test_the_original_is_what_hiapi_made(world, days):
    shown = await world.command("imagine", FOX)
    world.clock.move(days * wired.DAY)
    pressed = await world.press(shown.message, "original")
    assert pressed.ephemeral
    assert pressed.text == "The original."
    assert files(world, pressed.message) == [painted(world.tasks[0])]
    job = (await world.reply(shown)).jobs[0]
    assert pressed.message.attachments[0].filename == f"{short_id(job.id).lower()}-1.png"


async def test_the_original_of_a_picture_that_was_made_smaller(world):
    shown = await world.command("imagine", FOX, attachment_size_limit=60_000)
    pressed = await world.press(shown.message, "original")
    assert files(world, shown.message) != files(world, pressed.message)
    assert files(world, pressed.message) == [painted(world.tasks[0])]


async def test_all_originals_of_a_card_in_their_order(world):
    shown = await world.command("imagine", FOX | {"count": 3})
    pressed = await world.press(shown.message, "original")
    assert pressed.text == "The originals."
    made = {task.task_id: painted(task) for task in world.tasks}
    jobs = (await world.reply(shown)).jobs
    assert files(world, pressed.message) == [made[job.task_id] for job in jobs]


async def test_anybody_who_sees_the_card_may_have_it_and_nobody_else_sees_that(world):
    shown = await world.command("imagine", FOX)
    pressed = await world.press(shown.message, "original", user=wired.STRANGER)
    assert pressed.ephemeral
    assert files(world, pressed.message) == [painted(world.tasks[0])]


@pytest.mark.parametrize("verb", ["original", "dm"])
async def test_a_private_picture_is_its_owners_alone(world, verb):
    shown = await world.command("imagine", FOX | {"private": True})
    pressed = await world.press(shown.message, verb, user=wired.STRANGER)
    assert pressed.ephemeral
    assert pressed.text.startswith(UNKNOWN)
    assert files(world, pressed.message) == []
    assert direct(world, wired.STRANGER) == []
    await world.press(shown.message, verb)
    assert len(direct(world)) == (verb == "dm")


async def test_when_it_is_not_kept_any_more_the_delivered_file_is_offered(world):
    shown = await world.command("imagine", FOX, attachment_size_limit=60_000)
    world.clock.move(31 * wired.DAY)
    await world.app.keeper.step()
    pressed = await world.press(shown.message, "original")
    assert pressed.text == NO_LONGER
    assert files(world, pressed.message) == files(world, shown.message)
    assert files(world, pressed.message) != [painted(world.tasks[0])]


async def test_hiapi_is_asked_while_its_address_lives(open_wired):
    async with open_wired(keep_originals_days=0) as world:
        shown = await world.command("imagine", FOX, attachment_size_limit=60_000)
        pressed = await world.press(shown.message, "original")
        assert pressed.text == "The original."
        assert files(world, pressed.message) == [painted(world.tasks[0])]


async def test_when_nothing_is_left_it_is_said(world):
    shown = await world.command("imagine", FOX)
    world.clock.move(31 * wired.DAY)
    for attachment in shown.message.attachments:
        world.discord.cdn.remove(attachment.id)
    for verb in ("original", "dm"):
        pressed = await world.press(shown.message, verb)
        assert pressed.ephemeral
        assert pressed.text == NOTHING
    assert direct(world) == []


async def test_what_one_message_cannot_hold_is_linked(open_wired):
    async with open_wired(public_url=wired.PUBLIC) as world:
        shown = await world.command("imagine", FOX)
        pressed = await world.press(shown.message, "original", attachment_size_limit=60_000)
        assert files(world, pressed.message) == []
        [link] = re.findall(r"\((https://easel.example/kept/\S+)\)", pressed.text)
        assert await world.resolve(link) == painted(world.tasks[0])
        # Neither the job's id nor the reply's can be read from it.
        reply = await world.reply(shown)
        assert reply.id not in link
        assert reply.jobs[0].id not in link
        world.clock.move(5 * 3600)
        with pytest.raises(aiohttp.ClientResponseError):
            await world.resolve(link)


async def test_what_neither_fits_nor_can_be_linked(world):
    shown = await world.command("imagine", FOX)
    pressed = await world.press(shown.message, "original", attachment_size_limit=60_000)
    assert pressed.text == "The original is too large for Discord."


async def test_discord_takes_no_file(world):
    shown = await world.command("imagine", FOX)
    patch = "PATCH /webhooks/{app}/{token}/messages/{message}"
    world.discord.fault(faults.refuse(413, code=40005), on=patch)
    pressed = await world.press(shown.message, "original")
    assert pressed.text.startswith("**Discord did not take the files.**")


async def test_a_request_that_was_taken_back_has_nothing_to_give(world):
    shown = await world.command("imagine", FOX)
    cancelled = await begun(world)
    await world.app.intake.cancel((await world.reply(cancelled)).id, user_id=asking.USER)
    await forge(world, shown, cancelled)
    for verb in ("original", "dm"):
        pressed = await world.press(shown.message, verb)
        assert pressed.text.startswith(UNKNOWN)


async def begun(world):
    """A command that is written down, and no more."""
    asked = await world.discord.command("imagine", FOX)
    await asked.acknowledged()
    await eventually(world.idle)
    return asked


async def forge(world, shown, other) -> None:
    """Put the id of another reply into the buttons of a card, as an own client could."""
    own, theirs = [(await world.reply(each)).id for each in (shown, other)]
    for part in shown.message.components[0]["components"]:
        for item in part.get("components", []):
            item["custom_id"] = item["custom_id"].replace(own, theirs)


# --- send to dms ----------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [0, 40])
async def test_the_card_is_sent_to_whoever_presses(world, days):
    shown = await world.command("imagine", FOX | {"count": 2})
    world.clock.move(days * wired.DAY)
    pressed = await world.press(shown.message, "dm", user=wired.STRANGER)
    assert pressed.ephemeral
    assert pressed.text == "Sent."
    [copy] = direct(world, wired.STRANGER)
    assert direct(world) == []
    assert files(world, copy) == files(world, shown.message)
    assert [len(each) for each in wired.galleries(copy)] == [2]
    assert "a red fox" in copy.text
    # The copy's own buttons work as the card's do, from where it stands.
    again = await world.press(copy, "original", user=wired.STRANGER, guild=None)
    assert len(files(world, again.message)) == 2


async def test_what_is_blurred_on_the_card_is_blurred_in_the_copy(world):
    asked = await begun(world)
    of_this = schema.replies.c.interaction_id == asked.id
    query = sa.update(schema.replies).where(of_this).values(spoiler=True)
    await world.app.ledger.run(lambda conn: conn.execute(query))
    await world.finish()
    await world.press(asked.message, "dm")
    [copy] = direct(world)
    assert [item["spoiler"] for item in wired.galleries(copy)[0]] == [True]
    original = await world.press(asked.message, "original")
    for message in (copy, original.message):
        assert message.attachments[0].filename.startswith("SPOILER_")


async def test_pressed_twice_it_comes_once(world):
    shown = await world.command("imagine", FOX)
    for _ in range(2):
        assert (await world.press(shown.message, "dm")).text == "Sent."
    assert len(direct(world)) == 1


@pytest.mark.parametrize(("code", "at"), [(50007, "send"), (50278, "open")])
async def test_whoever_takes_no_messages_is_told_so(world, code, at):
    world.discord.refuse_direct(asking.USER, code=code, at=at)
    shown = await world.command("imagine", FOX)
    pressed = await world.press(shown.message, "dm")
    assert pressed.ephemeral
    assert pressed.text == (
        f"{BLOCKED}\nAllow direct messages in the privacy settings of a server that has the bot."
    )
    assert direct(world) == []


async def test_discord_is_out_of_order(world):
    shown = await world.command("imagine", FOX)
    world.discord.fault(faults.broken(), on="POST /channels/{channel}/messages", times=9)
    pressed = await world.press(shown.message, "dm")
    assert pressed.text.startswith("**Discord did not take the message.**")


async def test_a_picture_too_large_for_a_message_is_made_smaller(world):
    shown = await world.command("imagine", FOX)
    refused = faults.refuse(413, code=40005)
    world.discord.fault(refused, on="POST /channels/{channel}/messages")
    pressed = await world.press(shown.message, "dm")
    assert pressed.text == "Sent."
    [data] = files(world, direct(world)[0])
    assert len(data) <= len(painted(world.tasks[0])) // 2
    assert Image.open(io.BytesIO(data)).size == Image.open(io.BytesIO(painted(world.tasks[0]))).size


# --- both -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["original", "dm"])
async def test_a_picture_that_is_not_finished(world, verb):
    shown = await world.command("imagine", FOX)
    await forge(world, shown, await begun(world))
    [custom_id] = [each for each in shown.message.custom_ids if f":{verb}:" in each]
    pressed = await world.discord.click(shown.message, custom_id)
    await pressed.acknowledged()
    assert pressed.ephemeral
    assert pressed.text.startswith("**This picture is not finished yet.**")


async def test_no_button_asks_discord_or_hiapi_where_the_disk_has_it(world):
    shown = await world.command("imagine", FOX)
    before = world.discord.counts[(CDN, 200)], sum(task.reads for task in world.tasks)
    await world.press(shown.message, "original")
    await world.press(shown.message, "dm")
    assert (world.discord.counts[(CDN, 200)], sum(task.reads for task in world.tasks)) == before


# --- without a press ------------------------------------------------------------------------------

LOOK = "GET /channels/{channel}/messages/{message}"


async def found(world, asked):
    """What the archive has of an ask, by its source, when no card of it was pressed."""
    pictures = await world.app.archive.pictures(await world.reply(asked))
    return [(each.source, each.original) for each in pictures]


async def test_the_archive_goes_from_place_to_place(world):
    shown = await world.command("imagine", FOX)
    assert await found(world, shown) == [("kept", True)]
    await world.app.keeper.forget([(await world.reply(shown)).jobs[0].id])
    assert await found(world, shown) == [("hiapi", True)]
    world.clock.move(31 * wired.DAY)
    assert await found(world, shown) == [("delivered", False)]
    world.discord.fault(faults.refuse(403, code=50001), on=LOOK)
    assert await found(world, shown) == []
    world.discord.messages.delete(shown.message)
    assert await found(world, shown) == []


async def test_the_archive_looks_for_no_private_card(world):
    shown = await world.command("imagine", FOX | {"private": True})
    world.clock.move(31 * wired.DAY)
    assert await found(world, shown) == []
    assert not any(name == LOOK for name, _ in world.discord.counts)


@pytest.mark.parametrize("days", [0, 30])
async def test_both_work_in_the_next_process_and_a_month_later(studio, days):
    first = await finished(studio)
    made = studio.file(first)
    async with studio.restarted():
        studio.clock.move(days * 86400)
        original = await press_simulated(studio, first, "Original")
        assert original.ephemeral
        [attachment] = original.response.attachments
        assert studio.env.backend.cdn.get(attachment.url) == made
        sent = await press_simulated(studio, first, "Send to DMs")
        assert sent.response.content == "Sent."
