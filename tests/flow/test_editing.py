"""Edit prompt: what the form shows, what it is submitted as, and everything that can be wrong."""

import discord
import pytest

from bot.ledger import verbs
from cogs import prompts
from sandbox import faults
from tests.flow.studio import image, painted
from tests.flow.test_buttons import (
    exchange_buttons,
    finished,
    press,
    refusal,
    refusal_or_none,
    replies,
)
from tests.flow.test_variations import BASE, labels

RED = image("red")


async def opened(studio, result, *, who=None):
    """The form of a card, as the presser sees it."""
    shown = await press(studio, result, "Edit prompt", who=who)
    assert shown.modal is not None
    return shown


def fields(shown):
    """The fields of a form by their names, with the labels around them."""
    return {each["component"]["custom_id"]: each for each in shown.modal["components"]}


def said(shown):
    return fields(shown)["prompt"]["component"]["value"]


def ticked(shown):
    options = fields(shown)["options"]["component"]["options"]
    return {option["value"] for option in options if option.get("default")}


def chosen(shown, name="ratio"):
    options = fields(shown)[name]["component"]["options"]
    return [option["value"] for option in options if option.get("default")]


async def submit(studio, shown, *, who=None, **values):
    """Submit a form as Discord does: what is not changed comes back as it was shown."""
    filled = {"prompt": said(shown), "ratio": chosen(shown), "options": sorted(ticked(shown))}
    if "model" in fields(shown):
        filled["model"] = chosen(shown, "model")
    done = await (who or studio.member).submit_modal(shown, filled | values)
    assert done.acknowledged
    return done


def prompt_of(studio, index=-1):
    return studio.tasks[index].order.prompt


# --- what it shows and does -----------------------------------------------------------------------


async def test_the_form_shows_what_was_asked_for(studio):
    first = await finished(
        studio, "a heron", aspect_ratio="3:2", resolution="2K", private=True, spoiler=True
    )
    shown = await opened(studio, first)
    reply = await studio.reply(first)
    assert shown.modal["custom_id"] == f"form:edit:{reply.id}"
    assert list(fields(shown)) == ["prompt", "file", "ratio", "options"]
    assert said(shown) == "a heron"
    assert chosen(shown) == ["3:2"]
    assert ticked(shown) == {"2k", "private", "spoiler"}
    assert await replies(studio) == 1, "opening a form asks for nothing"


async def test_another_prompt_with_other_options(studio):
    first = await finished(studio, "a heron", count=2)
    shown = await opened(studio, first)
    assert ticked(shown) == set()
    second = await submit(
        studio, shown, prompt="two herons", ratio=["16:9"], options=["2k", "spoiler"]
    )
    await studio.finish()
    before, after = await studio.reply(first), await studio.reply(second)
    assert (after.made_from, after.made_by) == (before.id, "edit")
    assert (after.spoiler, after.target.private, len(after.jobs)) == (True, False, 2)
    request = after.jobs[0].request
    assert (request.prompt, request.aspect_ratio, request.resolution) == (
        "two herons",
        "16:9",
        "2K",
    )
    assert len(studio.shown(second).gallery) == 2
    assert "Another version of" in studio.shown(second).text


async def test_an_edited_picture_may_be_private(studio):
    neighbour = studio.someone("neighbour")
    first = await finished(studio)
    second = await submit(studio, await opened(studio, first), options=["private"])
    assert second.ephemeral
    await studio.finish()
    assert studio.shown(second).gallery
    assert [message.id for message in studio.messages(viewer=neighbour)] == [first.response.id]


async def test_a_remix_keeps_its_images(studio):
    first = await studio.remix(image1=("a.png", RED), show_images=True)
    await studio.finish()
    shown = await opened(studio, first)
    assert chosen(shown) == ["auto"]
    second = await submit(studio, shown, prompt="as a stained glass window")
    await studio.finish()
    picture, beside = studio.shown(second).gallery
    data = studio.env.backend.cdn.get(picture["media"]["url"])
    assert data == painted(studio.tasks[1], RED)
    # What the person let others see once they see again.
    assert beside["media"]["content_type"] == "image/webp"


async def test_a_failed_card_can_be_edited(studio):
    first = await finished(studio, "a fox [fail]")
    second = await submit(studio, await opened(studio, first), prompt="a fox")
    await studio.finish()
    assert studio.shown(second).gallery


async def test_the_form_speaks_no_more_than_discord_takes(studio):
    first = await finished(studio, prompt_file=("long.txt", b"x " * 9_000))
    shown = await opened(studio, first)
    for each in shown.modal["components"]:
        assert len(each["label"]) <= 45
        assert len(each.get("description") or "") <= 100


# --- long prompts ---------------------------------------------------------------------------------


async def long(studio, length):
    """A finished picture whose prompt has this length."""
    text = ("lighthouse " * 2_000)[: length - 3].rstrip().ljust(length - 3, "y")
    first = await finished(studio, "a", prompt_file=("prompt.txt", text.encode()))
    assert len(prompt_of(studio)) == length
    return first, prompt_of(studio)


@pytest.mark.parametrize("length", [4_000, 4_001, 20_000])
async def test_a_long_prompt_comes_back_whole_if_it_is_not_changed(studio, length):
    first, whole = await long(studio, length)
    shown = await opened(studio, first)
    assert whole.startswith(said(shown))
    description = fields(shown)["prompt"].get("description")
    if length > 4_000:
        assert f"the {length - len(said(shown))} characters after it stay" in description
    else:
        assert said(shown) == whole
        assert description is None
    await submit(studio, shown, ratio=["16:9"])
    await studio.finish()
    assert prompt_of(studio) == whole


@pytest.mark.parametrize("length", [4_001, 20_000])
async def test_a_changed_beginning_keeps_the_rest(studio, length):
    first, whole = await long(studio, length)
    shown = await opened(studio, first)
    head = said(shown)
    await submit(studio, shown, prompt=f"b{head[1:]}")
    await studio.finish()
    assert prompt_of(studio) == f"b{whole[1:]}"


async def test_a_file_takes_the_place_of_the_whole_prompt(studio):
    first, _ = await long(studio, 20_000)
    shown = await opened(studio, first)
    text = "the whole story " * 1_000
    await submit(studio, shown, prompt="ignored", file=[("new.txt", text.encode())])
    await studio.finish()
    assert prompt_of(studio) == text.strip()


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("new.png", RED, "is not a text file"),
        ("new.txt", b"\xff\xfe\x00\x01", "is not plain text"),
        ("new.txt", b"x" * 20_001, "too long: 20001 characters"),
        ("new.txt", b"x" * 300_000, "is too large for a prompt"),
        ("new.txt", b" \n ", "Your prompt is empty"),
    ],
)
async def test_a_file_that_cannot_be_used_is_refused_and_costs_nothing(studio, name, data, words):
    first = await finished(studio)
    done = await submit(studio, await opened(studio, first), file=[(name, data)])
    assert words in refusal(done)
    await studio.finish()
    assert len(studio.tasks) == await studio.counted() == 1
    assert [message.id for message in studio.messages()] == [first.response.id]


async def test_a_beginning_that_grew_too_long_is_refused(studio):
    first, _ = await long(studio, 20_000)
    shown = await opened(studio, first)
    done = await submit(studio, shown, prompt=said(shown) + " more")
    assert refusal(done).startswith("**Your prompt is too long: 20005 characters,")
    assert await replies(studio) == 1


async def test_an_emptied_prompt_is_refused(studio):
    first = await finished(studio)
    done = await submit(studio, await opened(studio, first), prompt="")
    assert refusal(done).startswith("**Your prompt is empty.**")
    assert await replies(studio) == await studio.counted() == 1


# --- who, when, how often -------------------------------------------------------------------------


async def test_another_member_asks_for_themselves(studio):
    friend = studio.someone("friend")
    first = await finished(studio)
    shown = await opened(studio, first, who=friend)
    second = await submit(studio, shown, who=friend, prompt="a blue fox")
    assert (await studio.reply(second)).target.user_id == friend.id


async def test_a_form_submitted_twice_at_once_is_one_job(studio):
    first = await finished(studio)
    forms = [await opened(studio, first) for _ in range(2)]
    told = [await submit(studio, shown, prompt="a blue fox") for shown in forms]
    assert refusal_or_none(told[1]) is None
    await studio.finish()
    assert len(studio.tasks) == await studio.counted() == 2


@pytest.mark.parametrize("days", [0, 30])
async def test_a_form_is_opened_and_submitted_in_different_processes(studio, days):
    first = await finished(studio)
    async with studio.restarted():
        studio.clock.move(days * 86400)
        shown = await opened(studio, first)
        async with studio.restarted():
            second = await submit(studio, shown, prompt="a blue fox")
            await studio.finish()
            assert prompt_of(studio) == "a blue fox"
            assert studio.shown(second).gallery


async def test_a_private_prompt_is_shown_to_nobody_else(studio):
    first = await finished(studio, "a secret", private=True)
    forged = await finished(studio, who=(forger := studio.someone("forger")))
    ids = [(await studio.reply(result)).id for result in (first, forged)]
    exchange_buttons(studio, forged, *ids)
    told = await press(studio, forged, "Edit prompt", who=forger)
    assert told.modal is None
    assert refusal(told).startswith("**The bot does not remember this picture.**")


async def test_a_form_about_a_private_picture_is_taken_from_nobody_else(studio):
    first = await finished(studio, "a secret", private=True)
    other = await finished(studio, who=(forger := studio.someone("forger")))
    shown = await opened(studio, other, who=forger)
    theirs, own = [(await studio.reply(result)).id for result in (first, other)]
    modal = shown._interaction.modal
    modal["custom_id"] = modal["custom_id"].replace(own, theirs)
    told = await submit(studio, shown, who=forger)
    assert refusal(told).startswith("**The bot does not remember this picture.**")
    assert await replies(studio) == 2


async def test_a_form_about_a_reply_that_is_forgotten(studio):
    first = await finished(studio)
    shown = await opened(studio, first)
    shown._interaction.modal["custom_id"] = f"form:edit:{'a' * 16}"
    told = await submit(studio, shown)
    assert refusal(told).startswith("**The bot does not remember this picture.**")


async def test_a_form_that_comes_too_late_for_discord_asks_for_nothing(studio):
    """Its token is dead: nothing can be said any more, and nothing may be spent."""
    first = await finished(studio)
    shown = await opened(studio, first)
    studio.env.inject_error("POST", "/interactions/*/*/callback", status=404, code=10062)
    await studio.member.submit_modal(shown, {"prompt": "late", "ratio": ["1:1"]})
    await studio.finish()
    assert len(studio.tasks) == await studio.counted() == 1


async def test_a_submitted_form_is_bound_to_the_limits_of_a_command(open_studio):
    async with open_studio(bot_caps="1/day") as studio:
        first = await finished(studio)
        told = await submit(studio, await opened(studio, first), prompt="a blue fox")
        assert "all the pictures it may make for now" in refusal(told)


# --- models ---------------------------------------------------------------------------------------


async def test_where_the_model_is_unavailable_the_form_lets_people_choose_the_successor(studio):
    studio.hiapi.fault(faults.model_unavailable(), on="create")
    first = await finished(studio, aspect_ratio="4:5", resolution="2K")
    assert f"Use {BASE}" in labels(studio, first)[0]
    shown = await opened(studio, first)
    assert chosen(shown, "model") == ["gpt-image-2-pro"]
    ratios = [each["value"] for each in fields(shown)["ratio"]["component"]["options"]]
    assert {"4:5", "auto", "9:21"} < set(ratios)
    told = await submit(studio, shown, model=[BASE])
    assert refusal(told).startswith(f"**{BASE} does not make 4:5 pictures at 2K.**")
    second = await submit(studio, await opened(studio, first), model=[BASE], ratio=["3:2"])
    await studio.finish()
    [task] = studio.tasks
    assert (task.order.model, task.order.aspect_ratio, task.order.resolution) == (
        BASE,
        "3:2",
        "2K",
    )
    assert studio.shown(second).gallery


async def test_where_both_models_are_offered_the_form_offers_both(open_studio):
    async with open_studio(offer_successors=True) as studio:
        first = await finished(studio)
        shown = await opened(studio, first)
        options = fields(shown)["model"]["component"]["options"]
        assert [each["value"] for each in options] == ["gpt-image-2-pro", BASE]


async def test_a_form_whose_model_was_retired_meanwhile_is_asked_of_the_one_in_use(studio):
    first = await finished(studio)
    shown = await opened(studio, first)
    async with studio.restarted(imagine_model=BASE):
        await submit(studio, shown, prompt="a blue fox")
        await studio.finish()
        assert studio.tasks[1].order.model == BASE


# --- the place ------------------------------------------------------------------------------------


async def test_the_head_of_a_prompt_is_read_from_the_ledger_and_not_from_the_card(studio):
    """The card shows one clean line of it; the form has every line."""
    whole = "a fox\n\nin three lines\n# and a heading"
    first = await finished(studio, "a", prompt_file=("p.txt", whole.encode()))
    assert said(await opened(studio, first)) == f"a\n\n{whole}"
    reply = await studio.app.ledger.run(verbs.reply_of, (await studio.reply(first)).id)
    assert prompts.head(reply.jobs[0].request.prompt) == f"a\n\n{whole}"


async def test_a_moderator_may_not_read_a_private_prompt(studio):
    first = await finished(studio, "a secret", private=True)
    moderator = studio.someone("moderator")
    role = studio.member.guild.create_role(
        "moderators", permissions=discord.Permissions(manage_messages=True)
    )
    studio.env.backend.add_member_role(studio.member.guild.id, moderator.id, role.id)
    own = await finished(studio, who=moderator)
    exchange_buttons(studio, own, (await studio.reply(first)).id, (await studio.reply(own)).id)
    told = await press(studio, own, "Edit prompt", who=moderator)
    assert refusal(told).startswith("**The bot does not remember this picture.**")
