"""The question before a request that costs much: by every way in, answered in every way.

The prices of these tests: 4 cents a picture at 1K, 8 at 2K; a remix 5 and 10.
"""

import asyncio
import re
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.ledger import servers
from bot.questions import LIFE
from cogs.interactions import CONTENT_LIMIT
from sandbox import faults
from sandbox.wirecord.interactions import DEFER, DEFER_UPDATE, UPDATE
from tests.flow import abroad, test_editing, test_remix_menus
from tests.flow.abroad import FRIEND, OWNER, PLACES
from tests.flow.studio import ACK, ORIGINAL, image, painted
from tests.flow.test_buttons import replies

PRICES = (
    "gpt-image-2-pro@1K=0.04, gpt-image-2-pro@2K=0.08, gpt-image-2/text-to-image@1K=0.02, "
    "gpt-image-2-image-to-image-pro@1K=0.05, gpt-image-2-image-to-image-pro@2K=0.10"
)
RED = image("red")
MINUTES = LIFE.total_seconds()
TOO_LATE = "**This question is too old, or the bot was restarted.**"


@pytest.fixture
def ask_above(open_studio):
    """What opens a studio that asks above so many dollars."""

    def opened(above="0.10", **changes):
        return open_studio(prices=PRICES, confirm_above=Decimal(above), **changes)

    return opened


@pytest.fixture
def open_abroad(tmp_path, empty_ledger):
    """The same over real sockets, where several people press at once."""
    shutil.copy(empty_ledger, tmp_path / "demo.db")
    return lambda **changes: abroad.opened(tmp_path, **changes)


@pytest.fixture
def costly():
    """What costs 32 cents."""
    return {"count": 4, "resolution": "2K"}


def labels(message):
    return [item["label"] for row in message.components for item in row["components"]]


async def asked(studio, result, price, *, pictures=None):
    """The answer is a private question, and nothing came of the request so far."""
    said = studio.said(result)
    asks = re.fullmatch(r"\*\*This would cost (.+): (.+)\.\*\*", said.partition("\n")[0])
    assert asks is not None, said
    assert asks[1] == price
    assert pictures in (None, asks[2])
    assert labels(result.response) == [f"Make it for {price}", "No"]
    return said


async def make(studio, result, *, who=None):
    """Press the first button of a question."""
    [label, _no] = labels(result.response)
    return await (who or studio.member).click(result.response, label=label)


async def nothing(studio, *, before=0):
    """Nothing was written down, reserved or sent."""
    assert await replies(studio) == before
    assert await studio.counted() == before
    assert await studio.submit() == 0
    assert len(studio.tasks) == before


def private(studio):
    """What the member alone sees at present."""
    return [each for each in studio.messages(viewer=studio.member) if each.flags.ephemeral]


# Whether it is asked --------------------------------------------------------------------------


async def test_what_costs_as_much_as_that_is_not_asked_and_what_costs_more_is(ask_above):
    async with ask_above("0.12") as studio:
        assert (await studio.imagine(count=3)).deferred
        four = await studio.imagine(count=4)
        await asked(studio, four, "$0.16", pictures="4 × gpt-image-2-pro, 1K")
        await asked(studio, await studio.imagine(count=2, resolution="2K"), "$0.16")
        assert await studio.counted() == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"confirm_above": Decimal(0), "prices": "other@1K=9"},
        {"prices": "gpt-image-2-pro@1K=9"},
        {"confirm_above": Decimal(0), "prices": "gpt-image-2-pro@1K=0"},
    ],
    ids=["unpriced", "unset", "free"],
)
async def test_nobody_is_asked_about_what_has_no_price_or_where_nothing_is_set(
    open_studio, changes
):
    async with open_studio(**changes) as studio:
        assert (await studio.imagine(count=4)).deferred


async def test_what_would_be_refused_anyway_is_not_asked(ask_above, costly):
    async with ask_above(member_caps="$0.30/day") as studio:
        assert "This would go beyond your budget" in studio.said(await studio.imagine(**costly))
        assert "Your prompt is empty" in studio.said(await studio.imagine(" ", **costly))
        await nothing(studio)


async def test_who_may_not_ask_is_not_asked_either(ask_above, costly):
    async with ask_above(member_waiting=3) as studio:
        assert "Only 3 of your pictures may wait" in studio.said(await studio.imagine(**costly))
        await studio.app.ledger.run(
            servers.block,
            guild_id=servers.EVERYWHERE,
            user_id=studio.member.id,
            reason="spam",
            now=studio.clock(),
        )
        assert "The people who run this bot have blocked you." in studio.said(
            await studio.imagine(**costly)
        )
        await nothing(studio)


@pytest.mark.parametrize(
    ("caps", "left"),
    [
        ("", "Shall it be made?"),
        ("$1/day", "Left for you today: $0.96. Shall it be made?"),
        ("9/day", "Pictures left for you today: 8. Shall it be made?"),
        ("9/day, $1/day", "Left for you today: $0.96. Shall it be made?"),
        ("9/month", "Shall it be made?"),
    ],
)
async def test_it_says_what_is_left_of_the_day(ask_above, costly, caps, left):
    async with ask_above(member_caps=caps) as studio:
        await studio.imagine()
        said = await asked(studio, await studio.imagine("a heron", **costly), "$0.32")
        assert said.split("\n")[1:] == [left, "Your words:", "```", "a heron", "```"]


# Yes ------------------------------------------------------------------------------------------


async def test_a_yes_goes_on_as_the_command_would_have(ask_above, costly):
    async with ask_above() as studio:
        result = await studio.imagine("a heron", spoiler=True, aspect_ratio="16:9", **costly)
        await asked(studio, result, "$0.32")
        await nothing(studio)
        assert studio.messages(viewer=studio.someone("onlooker")) == []
        yes = await make(studio, result)
        assert yes.deferred
        assert not yes.ephemeral
        await studio.finish()
        reply = await studio.reply(yes)
        request = reply.jobs[0].request
        assert (request.prompt, request.aspect_ratio) == ("a heron", "16:9")
        assert (reply.spoiler, reply.target.private, len(reply.jobs)) == (True, False, 4)
        assert len(studio.shown(yes).gallery) == 4
        # The question is gone, the picture stands.
        assert [each.id for each in studio.messages(viewer=studio.member)] == [yes.response.id]
        assert await studio.counted() == len(studio.hiapi.tasks.bills) == 4


async def test_a_private_one_stays_private(ask_above, costly):
    async with ask_above() as studio:
        yes = await make(studio, await studio.imagine(private=True, **costly))
        assert yes.ephemeral
        await studio.finish()
        assert len(studio.shown(yes).gallery) == 4
        assert studio.messages(viewer=studio.someone("onlooker")) == []


async def test_files_of_the_command_are_read_after_the_yes(ask_above):
    async with ask_above("0.01") as studio:
        words = ("more.txt", b"with a red hat")
        yes = await make(studio, await studio.remix("a heron", image1=("a.png", RED)))
        also = await make(studio, await studio.imagine("a heron", prompt_file=words))
        await studio.finish()
        assert studio.file(yes) == painted(studio.tasks[0], RED)
        assert (await studio.reply(also)).jobs[0].request.prompt == "a heron\n\nwith a red hat"


async def made(studio, result):
    """The question answered with yes, and everything finished."""
    yes = await make(studio, result)
    await studio.finish()
    assert (await studio.reply(yes)).delivery == "delivered"
    return yes


async def by_again(studio, card):
    return await studio.member.click(card.response, label="Again")


async def by_sharp(studio, card):
    return await studio.member.click(card.response, label="Make it 2K")


async def by_ratio(studio, card):
    return await studio.member.select(card.response, ["4:5"])


async def by_edit(studio, card):
    return await test_editing.submit(
        studio, await test_editing.opened(studio, card), prompt="a stork"
    )


async def by_remix(studio, card):
    form = await studio.member.click(card.response, label="Remix this")
    return await test_remix_menus.submit(studio, form, prompt="a stork")


WAYS = {
    by_again: ("again", "$0.04", False),
    by_sharp: ("2k", "$0.08", False),
    by_ratio: ("ratio:4:5", "$0.04", False),
    by_edit: ("edit", "$0.04", True),
    by_remix: ("remix", "$0.05", True),
}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_every_way_in_asks_and_goes_on(ask_above, way):
    by, price, typed = WAYS[way]
    async with ask_above("0") as studio:
        card = await made(studio, await studio.imagine("a heron"))
        result = await way(studio, card)
        said = await asked(studio, result, price)
        assert ("```\na stork\n```" in said) is typed
        await nothing(studio, before=1)
        yes = await made(studio, result)
        reply = await studio.reply(yes)
        assert reply.made_from == (await studio.reply(card)).id
        assert reply.made_by.lower() == by
        assert await studio.counted() == 2


async def test_the_successor_of_a_model_that_is_gone_asks_as_well(ask_above):
    async with ask_above("0") as studio:
        studio.hiapi.fault(faults.model_unavailable(), on="create")
        failed = await made(studio, await studio.imagine("a heron"))
        label = next(
            item["label"]
            for item in studio.shown(failed)._inside
            if item["type"] == 1
            for item in item["components"]
            if item["label"].startswith("Use ")
        )
        result = await studio.member.click(failed.response, label=label)
        await asked(studio, result, "$0.02")
        await made(studio, result)
        assert studio.tasks[-1].order.model == "gpt-image-2/text-to-image"


async def test_an_image_from_the_apps_menu_asks_as_well(ask_above):
    async with ask_above("0") as studio:
        message = await studio.member.send(studio.channel, attachments=[("photo.png", RED)])
        form = await test_remix_menus.menu(studio, message)
        result = await test_remix_menus.submit(studio, form)
        await asked(studio, result, "$0.05")
        yes = await made(studio, result)
        assert studio.file(yes) == painted(studio.tasks[0], RED)


# No, twice, late, somebody else ---------------------------------------------------------------


async def test_a_no_ends_it_and_gives_the_words_back(ask_above, costly):
    async with ask_above() as studio:
        result = await studio.imagine("a heron", **costly)
        no = await studio.member.click(result.response, label="No")
        assert no.acknowledged
        [left] = private(studio)
        assert left.content == (
            "**All right.**\nNothing was made and nothing was counted.\n"
            "Your words:\n```\na heron\n```"
        )
        assert left.components == []
        await nothing(studio)


async def test_a_press_that_discord_tells_of_twice_is_one_request(ask_above, costly):
    async with ask_above() as studio:
        result = await studio.imagine("a heron", **costly)
        # The first press takes the question away at its end, so the second comes meanwhile.
        second = []

        async def between(send):
            answered = await send()
            press = dict(studio.interactions[-1])
            studio.app.bot._connection.parse_interaction_create(press)
            second.append(press["id"])
            return answered

        studio.wire.hook("POST", ACK, between)
        yes = await make(studio, result)
        assert yes.deferred
        assert len(second) == 1
        assert await replies(studio) == 1
        await studio.finish()
        assert len(studio.hiapi.tasks.bills) == await studio.counted() == 4


async def test_three_presses_at_once_are_one_request(open_abroad):
    async with open_abroad(prices=PRICES, confirm_above=Decimal("0.01")) as far:
        question = await far.ask(PLACES["server"])
        yes, _no = question.message.custom_ids
        presses = await asyncio.gather(
            *(far.discord.click(question.message, yes, user=OWNER) for _ in range(3))
        )
        for press in presses:
            await press.acknowledged()
        assert sorted(press.answered for press in presses) == [DEFER, DEFER_UPDATE, DEFER_UPDATE]
        assert await far.rows() == 1
        await far.finish()
        [made] = [press for press in presses if press.answered == DEFER]
        assert len((await made.pictured()).attachments) == far.bills == 1
        await question.until(lambda: question.message.deleted)


async def test_yes_and_no_at_once_are_one_answer(open_abroad):
    async with open_abroad(prices=PRICES, confirm_above=Decimal("0.01")) as far:
        question = await far.ask(PLACES["server"])
        presses = await asyncio.gather(
            *(
                far.discord.click(question.message, each, user=OWNER)
                for each in reversed(question.message.custom_ids)
            )
        )
        for press in presses:
            await press.acknowledged()
        declined = question.text.startswith("**All right.**")
        assert await far.rows() == (0 if declined else 1)
        assert sorted(press.answered for press in presses) == (
            [DEFER_UPDATE, UPDATE] if declined else [DEFER, DEFER_UPDATE]
        )


async def test_another_person_cannot_answer(open_abroad):
    """Discord shows it to nobody else; a press that comes all the same takes nothing away."""
    async with open_abroad(prices=PRICES, confirm_above=Decimal("0.01")) as far:
        question = await far.ask(PLACES["server"])
        for custom_id in question.message.custom_ids:
            press = await far.discord.click(question.message, custom_id, user=FRIEND)
            await press.acknowledged()
            assert "This question is for somebody else." in press.text
            assert press.ephemeral
        assert await far.rows() == 0
        yes = await far.discord.click(question.message, question.message.custom_ids[0], user=OWNER)
        await far.taken(yes)
        assert (await far.reply(yes)).target.user_id == OWNER


@pytest.mark.parametrize("place", PLACES)
async def test_wherever_the_person_is(open_abroad, place):
    async with open_abroad(prices=PRICES, confirm_above=Decimal("0.01")) as far:
        question = await far.ask(PLACES[place])
        assert "This would cost $0.04: 1 × gpt-image-2-pro, 1K." in question.text
        yes = await far.discord.click(question.message, question.message.custom_ids[0], user=OWNER)
        await far.taken(yes)
        await far.finish()
        assert len(yes.message.attachments) == 1
        assert far.bills == 1
        assert question.refusals == yes.refusals == []


@pytest.mark.parametrize("answer", ["Make it for $0.32", "No"])
async def test_after_ten_minutes_it_says_so_and_keeps_the_words(ask_above, costly, answer):
    async with ask_above() as studio:
        result = await studio.imagine("a heron", **costly)
        studio.clock.move(MINUTES)
        await studio.member.click(result.response, label=answer)
        [left] = private(studio)
        assert left.content.startswith(TOO_LATE if answer != "No" else "**All right.**")
        assert left.content.endswith("```\na heron\n```")
        assert left.components == []
        await nothing(studio)


async def test_just_before_that_it_still_works(ask_above, costly):
    async with ask_above() as studio:
        result = await studio.imagine("a heron", **costly)
        studio.clock.move(MINUTES - 1)
        assert (await make(studio, result)).deferred
        assert await studio.counted() == 4


async def test_after_a_restart_it_says_so_and_keeps_the_words(ask_above, costly):
    async with ask_above() as studio:
        result = await studio.imagine("a heron", **costly)
        async with studio.restarted():
            await make(studio, result)
            [left] = private(studio)
            assert left.content.startswith(TOO_LATE)
            assert left.content.endswith("```\na heron\n```")
            await nothing(studio)
            # Asked again, it is asked about again.
            assert (await make(studio, await studio.imagine("a heron", **costly))).deferred


async def test_words_that_do_not_fit_come_as_a_file(ask_above, costly):
    long = ("a heron " * 400).strip()
    async with ask_above() as studio:
        result = await studio.imagine(long, **costly)
        assert "Your words" not in result.response.content
        [back] = result.followups
        assert back.ephemeral
        [file] = back.attachments
        assert studio.env.backend.cdn.get(file.url).decode() == long
        await made(studio, result)
        assert studio.tasks[0].order.prompt == long


async def test_a_no_where_the_words_leave_no_room_leaves_them_alone(ask_above, costly):
    async with ask_above() as studio:
        probe = len((await studio.imagine("x", **costly)).response.content)
        words = "x" * (CONTENT_LIMIT - probe + 1)
        result = await studio.imagine(words, **costly)
        assert len(result.response.content) == CONTENT_LIMIT
        studio.clock.move(MINUTES)
        late = await make(studio, result)
        assert TOO_LATE in late.followups[0].content
        kept = [each for each in private(studio) if words in each.content]
        assert [each.components for each in kept] == [[]]


# What goes wrong ------------------------------------------------------------------------------


async def test_what_is_used_up_meanwhile_is_refused_and_the_words_come_back(ask_above, costly):
    async with ask_above(member_caps="$0.40/day") as studio:
        result = await studio.imagine("a heron", **costly)
        await studio.imagine(count=2, resolution="1K")
        await studio.imagine(resolution="2K")
        late = await make(studio, result)
        said = studio.said(late)
        assert "This would go beyond your budget of $0.40. Used so far: $0.16." in said
        assert "```\na heron\n```" in said
        assert await studio.counted() == 3
        # The question went: its words stand in the refusal.
        assert [each.id for each in private(studio)] == [late.response.id]


async def test_a_command_that_discord_tells_twice_is_asked_about_once(ask_above, costly):
    async with ask_above() as studio:
        result = await studio.imagine("a heron", **costly)
        count = len(studio.sent("POST", ACK))
        studio.app.bot._connection.parse_interaction_create(studio.interactions[-1])
        yes = await make(studio, result)
        assert yes.deferred
        assert await studio.counted() == 4
        # One answer to the command, one to the press.
        assert len(studio.sent("POST", ACK)) == count + 1


async def test_a_press_that_discord_does_not_let_us_answer_leaves_the_words(ask_above, costly):
    async with ask_above() as studio:
        result = await studio.imagine("a heron", **costly)
        studio.env.inject_error("POST", ACK, status=404, code=10062)
        press = await make(studio, result)
        assert not press.acknowledged
        assert await studio.counted() == 0
        assert await studio.states() == ["withdrawn"] * 4
        [left] = private(studio)
        assert "a heron" in left.content


async def test_a_question_that_was_closed_already_stands_in_nobodys_way(ask_above, costly):
    async with ask_above() as studio:
        result = await studio.imagine("a heron", **costly)
        studio.env.inject_error("DELETE", ORIGINAL, status=404, code=10008)
        yes = await make(studio, result)
        await studio.finish()
        assert len(studio.shown(yes).gallery) == 4


async def test_a_ledger_that_does_not_answer_starts_nothing(ask_above, costly, tmp_path):
    async with ask_above() as studio:
        await studio.imagine()  # the rules of the server are in memory
        await studio.finish()
        with closing(sqlite3.connect(tmp_path / "demo.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            said = studio.said(await studio.imagine("a heron", **costly))
        assert "cannot look up what this costs right now" in said
        assert "Nothing was started. Please try again in a minute." in said
        await nothing(studio, before=1)


async def test_it_is_asked_in_the_persons_language(ask_above, costly):
    async with ask_above() as studio:

        def tell(event, payload):
            if event == "INTERACTION_CREATE":
                payload["locale"] = "de"

        studio.env.backend.subscribers.insert(0, tell)
        result = await studio.imagine("ein Reiher", **costly)
        assert result.response.content.startswith(
            "**Das würde $0.32 kosten: 4 × gpt-image-2-pro, 2K.**"
        )
        assert labels(result.response) == ["Für $0.32 erstellen", "Nein"]


async def test_a_day_later_it_is_still_of_no_use(ask_above, costly):
    async with ask_above() as studio:
        result = await studio.imagine("a heron", **costly)
        studio.clock.move(timedelta(days=1).total_seconds())
        await make(studio, result)
        await nothing(studio)
