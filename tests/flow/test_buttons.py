"""Again, Retry and Delete: pressed by anybody, twice, in the next process, a month later.

discord.py swallows what such a button raises, so each press is looked at for its acknowledgement.
"""

from dataclasses import replace
from datetime import timedelta

import discord
import pytest
import sqlalchemy as sa

from bot.ledger import schema
from bot.model import Reference
from tests.flow.studio import ACK, eventually, image, painted

RED = image("red")


async def finished(studio, prompt="a red fox", **options):
    """An ask whose final card stands."""
    result = await studio.imagine(prompt, **options)
    await studio.finish()
    return result


async def press(studio, result, label, *, who=None):
    """Press a button of an answer; the press is acknowledged whatever comes of it."""
    pressed = await (who or studio.member).click(result.response, label=label)
    assert pressed.acknowledged
    return pressed


def refusal(pressed) -> str:
    """What only the presser reads."""
    found = [message for message in (pressed.response, *pressed.followups) if message is not None]
    [said] = [message for message in found if message.ephemeral]
    return said.content


async def replies(studio) -> int:
    query = sa.select(sa.func.count()).select_from(schema.replies)
    return await studio.app.ledger.run(lambda conn: conn.scalar(query))


async def asks_the_same(studio, first, second) -> None:
    """The second reply is made from the first one and asks for the same thing."""
    before, after = await studio.reply(first), await studio.reply(second)
    assert after.made_from == before.id
    assert [job.request for job in after.jobs] == [job.request for job in before.jobs]
    assert {job.id for job in after.jobs}.isdisjoint(job.id for job in before.jobs)


# --- again ----------------------------------------------------------------------------------------


async def test_again_makes_a_new_message_with_the_same_request(studio):
    first = await finished(studio, aspect_ratio="16:9", resolution="2K", count=2)
    before = studio.shown(first).text
    second = await press(studio, first, "Again")
    assert second.deferred
    await studio.finish()
    await asks_the_same(studio, first, second)
    assert len(studio.shown(second).gallery) == 2
    assert studio.shown(first).text == before
    assert [message.id for message in studio.messages()] == [first.response.id, second.response.id]
    assert len(studio.hiapi.tasks.bills) == await studio.counted() == 4


async def test_whoever_presses_is_the_one_who_asks(studio):
    first = await finished(studio)
    friend = studio.someone("friend")
    second = await press(studio, first, "Again", who=friend)
    await studio.finish()
    await asks_the_same(studio, first, second)
    assert (await studio.reply(second)).target.user_id == friend.id
    assert f"<@{friend.id}>" in studio.shown(second).text
    # It is the friend's to delete, and not the first one's.
    told = await press(studio, second, "Delete")
    assert refusal(told).startswith("**This picture is not yours to delete.**")
    await press(studio, second, "Delete", who=friend)
    assert [message.id for message in studio.messages()] == [first.response.id]


async def test_again_of_again(studio):
    first = await finished(studio)
    second = await press(studio, first, "Again")
    await studio.finish()
    third = await press(studio, second, "Again")
    await studio.finish()
    await asks_the_same(studio, second, third)
    assert studio.shown(third).gallery


async def test_a_prompt_that_came_from_a_file_is_asked_again_in_full(studio):
    first = await finished(studio, "A castle.", prompt_file=("prompt.txt", b"On a hill."))
    second = await press(studio, first, "Again")
    await studio.finish()
    assert studio.tasks[1].order.prompt == "A castle.\n\nOn a hill."
    await asks_the_same(studio, first, second)


async def test_retry_on_a_card_of_failure(studio):
    first = await finished(studio, "a fox [fail]", count=2)
    assert studio.shown(first).heading == "The picture could not be made"
    second = await press(studio, first, "Retry")
    await asks_the_same(studio, first, second)
    await studio.submit()
    for task in studio.tasks[2:]:
        task.fate = replace(task.fate, error=None)
    await studio.finish()
    assert len(studio.shown(second).gallery) == 2


async def test_a_private_picture_is_asked_for_again_in_private(studio):
    neighbour = studio.someone("neighbour")
    first = await finished(studio, private=True)
    second = await press(studio, first, "Again")
    assert second.ephemeral
    await studio.finish()
    assert studio.shown(second).gallery
    assert studio.messages(viewer=neighbour) == []
    assert (await studio.reply(second)).target.private


async def test_a_private_picture_is_nobody_elses_to_ask_for(studio):
    """The id of a button is no secret to whoever writes an own client."""
    first = await finished(studio, private=True)
    forged = await finished(studio, who=(forger := studio.someone("forger")))
    ids = [(await studio.reply(result)).id for result in (first, forged)]
    exchange_buttons(studio, forged, *ids)
    pressed = await press(studio, forged, "Again", who=forger)
    assert refusal(pressed).startswith("**The bot does not remember this picture.**")
    assert await replies(studio) == 2


def exchange_buttons(studio, result, theirs: str, own: str) -> None:
    """Put the id of another reply into the buttons of an answer."""
    [box] = studio.env.backend.get_message(studio.channel.id, result.response.id).components
    for row in box["components"]:
        for item in row.get("components", []):
            item["custom_id"] = item["custom_id"].replace(own, theirs)


async def test_a_reply_that_the_bot_forgot(studio):
    first = await finished(studio)
    exchange_buttons(studio, first, "a" * 16, (await studio.reply(first)).id)
    pressed = await press(studio, first, "Again")
    assert refusal(pressed) == (
        "**The bot does not remember this picture.**\nAsk for it again with a command."
    )
    pressed = await press(studio, first, "Delete", who=studio.someone("stranger"))
    assert refusal(pressed).startswith("**This picture is not yours to delete.**")
    assert await replies(studio) == 1
    # Whose command it answers Discord still knows.
    await press(studio, first, "Delete")
    assert studio.messages() == []


# --- again, with images ---------------------------------------------------------------------------


async def signed(studio, result, *, ends_in: timedelta) -> None:
    """Give the images of an ask the kind of address that Discord gives them."""
    reply = await studio.reply(result)
    ex = int((studio.clock() + ends_in).timestamp())
    [reference] = reply.jobs[0].request.references
    url = f"{reference.url}?ex={ex:x}&is=68f0&hm=abcd"
    data = studio.env.backend.cdn.get(reference.url)
    find = studio.env.backend.cdn.get
    studio.env.backend.cdn.get = lambda wanted: data if wanted == url else find(wanted)
    refs = [Reference(url=url, filename=reference.filename).dump()]
    await studio.app.ledger.run(
        lambda conn: conn.execute(
            sa.update(schema.jobs).where(schema.jobs.c.reply_id == reply.id).values(refs=refs)
        )
    )


async def remixed(studio):
    result = await studio.remix(image1=("a.png", RED))
    await studio.finish()
    return result


async def test_a_remix_again_while_its_images_live(studio):
    first = await remixed(studio)
    await signed(studio, first, ends_in=timedelta(hours=23))
    second = await press(studio, first, "Again")
    await studio.finish()
    await asks_the_same(studio, first, second)
    assert studio.file(second) == painted(studio.tasks[1], RED)


@pytest.mark.parametrize("ends_in", [timedelta(days=-20), timedelta(minutes=29)])
async def test_a_remix_again_when_its_images_are_gone_or_soon_will_be(studio, ends_in):
    first = await remixed(studio)
    await signed(studio, first, ends_in=ends_in)
    pressed = await press(studio, first, "Again")
    assert refusal(pressed) == (
        "**The images you handed in are not kept that long.**\nUse /remix and hand them in again."
    )
    assert await replies(studio) == await studio.counted() == 1


async def test_a_remix_again_whose_images_have_an_address_without_end(studio):
    first = await remixed(studio)
    studio.clock.move(30 * 86400)
    second = await press(studio, first, "Again")
    assert second.deferred


# --- twice ----------------------------------------------------------------------------------------


async def test_a_press_whose_first_is_not_answered_yet_is_the_same_wish(studio):
    """Whether Discord took the first one's answer is unknown until recovery has asked."""
    first = await finished(studio)
    studio.env.inject_error("POST", ACK, status=500)
    await studio.member.click(first.response, label="Again")
    studio.clock.move(10)
    second = await press(studio, first, "Again")
    assert refusal_or_none(second) is None
    assert await replies(studio) == 2
    assert await studio.counted() == 2


@pytest.mark.parametrize(("seconds", "made"), [(0, 1), (4.9, 1), (6, 2)])
async def test_a_second_press_within_five_seconds_is_the_same_wish(studio, seconds, made):
    first = await finished(studio)
    await press(studio, first, "Again")
    studio.clock.move(seconds)
    again = await press(studio, first, "Again")
    assert refusal_or_none(again) is None
    await studio.finish()
    assert len(studio.tasks) == await studio.counted() == 1 + made
    assert len(studio.messages()) == 1 + made


def refusal_or_none(pressed) -> str | None:
    found = [message for message in (pressed.response, *pressed.followups) if message is not None]
    return next((message.content for message in found if message.ephemeral), None)


async def test_two_people_have_a_wish_each(studio):
    first = await finished(studio)
    await press(studio, first, "Again")
    await press(studio, first, "Again", who=studio.someone("friend"))
    await studio.finish()
    assert len(studio.tasks) == 3


async def test_a_press_that_discord_tells_of_twice_is_one(studio):
    first = await finished(studio)
    second = await press(studio, first, "Again")
    studio.clock.move(60)
    studio.app.bot._connection.parse_interaction_create(studio.interactions[-1])
    await studio.finish()
    await eventually(lambda: len(studio.messages()) == 2)
    assert await replies(studio) == len(studio.tasks) == 2
    assert studio.shown(second).gallery


# --- later ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [0, 30])
async def test_buttons_work_in_the_next_process_and_a_month_later(studio, days):
    first = await finished(studio)
    async with studio.restarted():
        studio.clock.move(days * 86400)
        second = await press(studio, first, "Again")
        await studio.finish()
        await asks_the_same(studio, first, second)
        assert studio.shown(second).gallery
        await press(studio, first, "Delete")
        assert [message.id for message in studio.messages()] == [second.response.id]


# --- within the rules -----------------------------------------------------------------------------


async def test_a_press_counts_for_the_day_like_a_command(open_studio):
    async with open_studio(bot_caps="3/day") as studio:
        first = await finished(studio, count=2)
        pressed = await press(studio, first, "Again")
        assert "all the pictures it may make for now" in refusal(pressed)
        assert await studio.counted() == 2
        assert await replies(studio) == 1


async def test_a_press_waits_in_line_like_a_command(open_studio):
    async with open_studio(member_waiting=2) as studio:
        first = await finished(studio, count=2)
        await studio.imagine("another")
        pressed = await press(studio, first, "Again")
        assert refusal(pressed).startswith("**Only 2 of your pictures may wait at a time;")
        assert await studio.counted() == 3


async def test_a_press_is_bound_to_where_the_bot_may_be_used(studio):
    first = await finished(studio)
    async with studio.restarted(allowed_servers=frozenset({"1"})):
        pressed = await press(studio, first, "Again")
        command = await studio.imagine()
        assert refusal(pressed) == studio.said(command)
        assert await replies(studio) == 1


async def test_a_press_is_refused_while_the_bot_stops(studio):
    first = await finished(studio)
    studio.app.intake.closing = True
    pressed = await press(studio, first, "Again")
    assert refusal(pressed).startswith("**The bot is being restarted.**")


@pytest.mark.parametrize("label", ["Again", "Delete"])
async def test_a_press_while_the_ledger_is_down_is_answered(studio, monkeypatch, label):
    first = await finished(studio)

    async def failing(*_args, **_kwargs):
        raise sa.exc.OperationalError("SELECT", {}, Exception("disk I/O error"))

    monkeypatch.setattr(studio.app.ledger, "run", failing)
    pressed = await press(studio, first, label)
    assert refusal(pressed).startswith("**The bot cannot look this up right now.**")
    assert [message.id for message in studio.messages()] == [first.response.id]


# --- delete ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", ["a red fox", "a fox [fail]"])
async def test_whoever_asked_may_delete(studio, prompt):
    result = await finished(studio, prompt)
    await press(studio, result, "Delete")
    assert studio.messages() == []


async def test_a_private_card_is_deleted_too(studio):
    result = await finished(studio, private=True)
    await press(studio, result, "Delete")
    assert studio.messages(viewer=studio.member) == []


async def test_a_stranger_may_not_delete(studio):
    result = await finished(studio)
    pressed = await press(studio, result, "Delete", who=studio.someone("stranger"))
    assert refusal(pressed) == (
        "**This picture is not yours to delete.**\nAsk the person who made it, or a moderator."
    )
    assert [message.id for message in studio.messages()] == [result.response.id]


async def test_a_moderator_may_delete(studio):
    result = await finished(studio)
    moderator = studio.someone("moderator")
    role = studio.member.guild.create_role(
        "moderators", permissions=discord.Permissions(manage_messages=True)
    )
    studio.env.backend.add_member_role(studio.member.guild.id, moderator.id, role.id)
    await press(studio, result, "Delete", who=moderator)
    assert studio.messages() == []


@pytest.mark.parametrize(("status", "code"), [(404, 10008), (403, 50001), (500, 0)])
async def test_a_message_that_cannot_be_deleted_leaves_no_failure_behind(studio, status, code):
    result = await finished(studio)
    studio.env.inject_error("DELETE", "*", status=status, code=code)
    await press(studio, result, "Delete")
    # It may be pressed once more.
    await press(studio, result, "Delete")
    assert studio.messages() == []


async def test_what_was_deleted_is_remembered_and_not_shown_again(studio):
    result = await finished(studio)
    await press(studio, result, "Delete")
    assert (await studio.reply(result)).delivery == "delivered"
    assert await studio.deliver() == await studio.submit() == 0
    assert studio.messages() == []
