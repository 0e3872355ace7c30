"""Another ratio, 2K, another model: pressed by anybody, twice, in the next process, a month later.

Again and Delete, which came first, have their tests in test_buttons.
"""

from dataclasses import replace

import pytest

from bot.errors import WORDS, Code
from bot.model import short_id
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

RED = image("red")
BASE = "gpt-image-2/text-to-image"
BASE_REMIX = "gpt-image-2/image-to-image"


async def choose(studio, result, ratio, *, who=None):
    """Choose in the one select of an answer."""
    chosen = await (who or studio.member).select(result.response, [ratio])
    assert chosen.acknowledged
    return chosen


async def changed(studio, first, second, *, by, **changes):
    """The second reply asks for the same as the first but for these changes."""
    before, after = await studio.reply(first), await studio.reply(second)
    assert (after.made_from, after.made_by) == (before.id, by)
    assert [job.request for job in after.jobs] == [
        replace(job.request, **changes) for job in before.jobs
    ]
    kept = ("spoiler", "show_references")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
    assert after.target.private is before.target.private


def labels(studio, result):
    """What can be pressed on an answer, row by row."""
    rows = [item for item in studio.shown(result)._inside if item["type"] == 1]
    return [
        [item.get("label") or item["placeholder"] for item in row["components"]] for row in rows
    ]


def options(studio, result):
    rows = [item for item in studio.shown(result)._inside if item["type"] == 1]
    [select] = [item for row in rows for item in row["components"] if item["type"] == 3]
    return [option["value"] for option in select["options"]]


# --- what stands on a card ------------------------------------------------------------------------


async def test_a_finished_card_in_order(studio):
    result = await finished(studio, aspect_ratio="4:5")
    assert labels(studio, result) == [
        ["Again", "Edit prompt", "Remix this", "Make it 2K"],
        ["Original", "Send to DMs", "Report", "Delete"],
        ["Another ratio…"],
    ]
    assert "4:5" not in options(studio, result)
    assert len(options(studio, result)) == 9


async def test_what_is_2k_already_offers_no_2k(studio):
    result = await finished(studio, resolution="2K")
    assert labels(studio, result)[0] == ["Again", "Edit prompt", "Remix this"]


async def test_a_failed_card_in_order(studio):
    result = await finished(studio, "a fox [fail]")
    assert labels(studio, result) == [["Retry", "Edit prompt", "Delete"]]


async def test_a_card_made_by_a_button_leads_to_the_one_before(studio):
    first = await finished(studio)
    second = await press(studio, first, "Again")
    await studio.finish()
    before = await studio.reply(first)
    lineage = studio.shown(second).text.split("\n")[-2]
    place = f"{studio.member.guild.id}/{studio.channel.id}/{first.response.id}"
    name = short_id(before.jobs[0].id)
    assert lineage == f"-# Another version of [{name}](https://discord.com/channels/{place})"
    assert "Another version of" not in studio.shown(first).text


async def test_after_delete_nothing_leads_there(studio):
    first = await finished(studio)
    second = await press(studio, first, "Again")
    before = await studio.reply(first)
    await press(studio, first, "Delete")
    assert (await studio.reply(first)).target.message_id is None
    await studio.finish()
    assert f"-# Another version of {short_id(before.jobs[0].id)}\n" in studio.shown(second).text


async def test_a_private_card_names_nothing_private(studio):
    first = await finished(studio, private=True)
    second = await press(studio, first, "Again")
    await studio.finish()
    assert "Another version of" not in studio.shown(second).text
    assert second.ephemeral


async def test_a_spoiler_stays_one_whatever_is_made_of_it(studio):
    first = await finished(studio, spoiler=True)
    second = await choose(studio, first, "16:9")
    await studio.finish()
    for result in (first, second):
        [shot] = studio.shown(result).gallery
        assert shot["spoiler"]
        assert shot["media"]["url"].rpartition("/")[2].startswith("SPOILER_")
        assert (await studio.reply(result)).spoiler


async def test_what_a_person_lets_others_see_is_kept(studio):
    first = await studio.remix(image1=("a.png", RED), show_images=True, spoiler=True)
    await studio.finish()
    reply = await studio.reply(first)
    assert (reply.show_references, reply.spoiler) == (True, True)
    second = await press(studio, first, "Make it 2K")
    await changed(studio, first, second, by="2k", resolution="2K")


# --- another ratio --------------------------------------------------------------------------------


async def test_another_ratio(studio):
    first = await finished(studio, count=2, resolution="2K")
    second = await choose(studio, first, "16:9")
    await studio.finish()
    await changed(studio, first, second, by="ratio:16:9", aspect_ratio="16:9")
    assert [task.order.aspect_ratio for task in studio.tasks] == ["1:1"] * 2 + ["16:9"] * 2
    assert len(studio.shown(second).gallery) == 2


async def test_a_remix_in_another_ratio_keeps_its_images(studio):
    first = await studio.remix(image1=("a.png", RED))
    await studio.finish()
    second = await choose(studio, first, "9:16")
    await studio.finish()
    await changed(studio, first, second, by="ratio:9:16", aspect_ratio="9:16")
    assert studio.file(second) == painted(studio.tasks[1], RED)


async def test_two_ratios_at_once_are_two_wishes_and_one_twice_is_one(studio):
    first = await finished(studio)
    for ratio in ("16:9", "9:16", "16:9", "9:16"):
        await choose(studio, first, ratio)
    await studio.finish()
    assert [task.order.aspect_ratio for task in studio.tasks] == ["1:1", "16:9", "9:16"]
    assert await studio.counted() == 3


# --- 2K -------------------------------------------------------------------------------------------


async def test_2k(studio):
    first = await finished(studio, aspect_ratio="3:2")
    second = await press(studio, first, "Make it 2K")
    await studio.finish()
    await changed(studio, first, second, by="2k", resolution="2K")
    assert "Make it 2K" not in labels(studio, second)[0]


# --- every button ---------------------------------------------------------------------------------

VERBS = {"Again": {}, "Make it 2K": {"resolution": "2K"}, "ratio": {"aspect_ratio": "21:9"}}


async def use(studio, result, label, **how):
    if label == "ratio":
        return await choose(studio, result, "21:9", **how)
    return await press(studio, result, label, **how)


@pytest.mark.parametrize("label", VERBS)
async def test_twice_at_once_is_one_job(studio, label):
    first = await finished(studio)
    await use(studio, first, label)
    again = await use(studio, first, label)
    assert refusal_or_none(again) is None
    await studio.finish()
    assert len(studio.tasks) == await studio.counted() == 2
    studio.clock.move(6)
    await use(studio, first, label)
    assert await replies(studio) == 3


@pytest.mark.parametrize("label", VERBS)
async def test_another_member_asks_for_themselves(studio, label):
    friend = studio.someone("friend")
    first = await finished(studio)
    second = await use(studio, first, label, who=friend)
    await studio.finish()
    assert (await studio.reply(second)).target.user_id == friend.id
    assert f"<@{friend.id}>" in studio.shown(second).text


@pytest.mark.parametrize("label", VERBS)
@pytest.mark.parametrize("days", [0, 30])
async def test_in_the_next_process_and_a_month_later(studio, label, days):
    first = await finished(studio)
    async with studio.restarted():
        studio.clock.move(days * 86400)
        second = await use(studio, first, label)
        await studio.finish()
        before, after = await studio.reply(first), await studio.reply(second)
        assert after.jobs[0].request == replace(before.jobs[0].request, **VERBS[label])
        assert studio.shown(second).gallery


@pytest.mark.parametrize("label", VERBS)
async def test_a_private_card_is_nobody_elses(studio, label):
    first = await finished(studio, private=True)
    forged = await finished(studio, who=(forger := studio.someone("forger")))
    ids = [(await studio.reply(result)).id for result in (first, forged)]
    exchange_buttons(studio, forged, *ids)
    told = await use(studio, forged, label, who=forger)
    assert refusal(told).startswith("**The bot does not remember this picture.**")
    assert await replies(studio) == 2


@pytest.mark.parametrize("label", VERBS)
async def test_a_model_that_was_retired_since_gives_way_to_the_one_in_use(studio, label):
    first = await finished(studio)
    async with studio.restarted(imagine_model=BASE):
        second = await use(studio, first, label)
        await studio.finish()
        assert studio.tasks[1].order.model == BASE
        assert studio.shown(second).footer.endswith(BASE)


async def test_a_retired_model_whose_ratio_is_not_taken_today_says_so(studio):
    first = await finished(studio, aspect_ratio="4:5", resolution="2K")
    async with studio.restarted(imagine_model=BASE):
        told = await press(studio, first, "Again")
        assert refusal(told).startswith(f"**{BASE} does not make 4:5 pictures at 2K.**")
        assert await replies(studio) == await studio.counted() == 1


async def test_a_button_that_nothing_answers_says_so(studio):
    """A card of a version that knew more."""
    first = await finished(studio)
    studio.app.bot.get_cog("Buttons")._presses.pop("2k")
    told = await press(studio, first, "Make it 2K")
    assert refusal(told).startswith("**This button does not work any more.**")


@pytest.mark.parametrize("label", [*VERBS, "Edit prompt", "Delete"])
async def test_a_defect_of_the_bot_is_excused(studio, monkeypatch, label):
    first = await finished(studio)

    async def broken(*_args, **_kwargs):
        raise ZeroDivisionError

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(studio.app.ledger, "run", broken)
        told = await use(studio, first, label)
    words = WORDS[Code.INTERNAL]
    assert refusal(told) == f"**{words.title}**\n{words.advice}"


@pytest.mark.parametrize(("status", "code"), [(403, 50001), (403, 50013)])
async def test_a_lost_permission_is_said(studio, status, code):
    first = await finished(studio)
    studio.env.inject_error("DELETE", "*", status=status, code=code)
    told = await press(studio, first, "Delete")
    assert refusal(told).startswith("**Discord did not let the bot do that.**")
    assert (await studio.reply(first)).target.message_id == first.response.id


async def test_a_message_that_somebody_else_deleted_meanwhile_is_said_to_be_gone(studio):
    first = await finished(studio)
    studio.env.inject_error("DELETE", "*", status=404, code=10008)
    told = await press(studio, first, "Delete")
    assert refusal(told).startswith("**This message is gone already.**")
    assert (await studio.reply(first)).target.message_id is None


# --- the successor --------------------------------------------------------------------------------


async def unavailable(studio, *, remix=False, **how):
    """An ask whose model is not available."""
    studio.hiapi.fault(faults.model_unavailable(), on="create", times=how.get("count", 1))
    ask = studio.remix(image1=("a.png", RED), **how) if remix else studio.imagine(**how)
    result = await ask
    await studio.finish()
    return result


@pytest.mark.parametrize("remix", [False, True])
async def test_the_successor_makes_what_the_model_could_not(studio, remix):
    first = await unavailable(studio, remix=remix)
    model = BASE_REMIX if remix else BASE
    assert labels(studio, first) == [["Retry", "Edit prompt", f"Use {model}", "Delete"]]
    second = await press(studio, first, f"Use {model}")
    await studio.finish()
    await changed(studio, first, second, by="successor", model=model)
    assert [task.order.model for task in studio.tasks] == [model]
    assert studio.shown(second).footer.endswith(f" · {model}")
    # The next ones of it stay with it.
    third = await press(studio, second, "Again")
    await studio.finish()
    await changed(studio, second, third, by="again")


@pytest.mark.parametrize(
    ("how", "ratio"),
    [
        ({"aspect_ratio": "4:5", "resolution": "2K"}, "4:5"),
        ({"aspect_ratio": "5:4", "resolution": "2K"}, "5:4"),
        ({"remix": True, "resolution": "2K"}, "auto"),
    ],
)
async def test_a_rule_of_the_successor_that_is_broken_is_named_and_nothing_spent(
    studio, how, ratio
):
    first = await unavailable(studio, **how)
    counted = await studio.counted()
    model = BASE_REMIX if how.get("remix") else BASE
    told = await press(studio, first, f"Use {model}")
    problem, fix = refusal(told).split("\n")
    assert problem == f"**{model} does not make {ratio} pictures at 2K.**"
    assert "16:9" in fix
    assert await replies(studio) == 1
    assert await studio.counted() == counted
    assert studio.tasks == ()


async def test_the_successor_twice_at_once_is_one_job(studio):
    first = await unavailable(studio)
    for _ in range(2):
        await press(studio, first, f"Use {BASE}")
    await studio.finish()
    assert len(studio.tasks) == 1


async def test_retry_asks_the_same_model_again(studio):
    first = await unavailable(studio)
    second = await press(studio, first, "Retry")
    await studio.finish()
    await changed(studio, first, second, by="again")
    assert studio.tasks[0].order.model == "gpt-image-2-pro"


async def test_a_successor_that_fails_too_names_no_further_one(studio):
    first = await unavailable(studio)
    studio.hiapi.fault(faults.model_unavailable(), on="create")
    second = await press(studio, first, f"Use {BASE}")
    await studio.finish()
    assert labels(studio, second) == [["Retry", "Edit prompt", "Delete"]]


async def test_without_a_successor_none_is_named(open_studio):
    async with open_studio(imagine_successor="") as studio:
        first = await unavailable(studio)
        assert labels(studio, first) == [["Retry", "Edit prompt", "Delete"]]


async def test_a_successor_that_was_taken_out_of_the_settings_since(studio):
    first = await unavailable(studio)
    async with studio.restarted(imagine_successor=""):
        told = await press(studio, first, f"Use {BASE}")
        assert refusal(told).startswith("**There is no other model to use any more.**")
        assert await replies(studio) == 1


async def test_the_demo_shows_it_with_a_word(studio):
    first = await finished(studio, "a fox [unavailable]")
    second = await press(studio, first, f"Use {BASE}")
    await studio.finish()
    assert studio.shown(second).gallery
