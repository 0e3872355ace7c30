"""Taking a request back: as far as that goes, said honestly, and nothing follows the card."""

import asyncio

import pytest
import sqlalchemy as sa

from bot.ledger import queue, verbs
from sandbox import faults
from tests.flow.studio import ORIGINAL, eventually, image
from tests.flow.test_editing import opened, submit

NOTHING_MADE = "Nothing was made and nothing was counted."
CANCEL = ("Cancel", "Don't show it", "Don't show them")
ONE_COUNTS = "1 picture was begun already: it counts, but it will not be shown."


async def progress(studio) -> None:
    """One round of small edits, three seconds later, carried through."""
    studio.clock.move(3)
    await studio.app.progress.step()
    await eventually(lambda: not studio.app.progress._edits)


async def asked(studio, prompt="a red fox", **options):
    """An ask whose waiting card, with its button, is shown."""
    result = await studio.imagine(prompt, **options)
    await progress(studio)
    return result


async def cancel(studio, result, *, who=None):
    [label] = [label for label in labels(result) if label in CANCEL]
    pressed = await (who or studio.member).click(result.response, label=label)
    assert pressed.acknowledged
    return pressed


def whispered(pressed) -> str:
    """The one sentence that only the presser reads."""
    [said] = pressed.followups
    assert said.ephemeral
    return said.content


async def stays_cancelled(studio, result) -> None:
    """Whatever still happens, the card stays as it is and no other message comes."""
    card, edits = studio.shown(result).text, len(studio.sent("PATCH", "*"))
    messages = [message.id for message in studio.messages(viewer=studio.member)]
    for _ in range(10):
        studio.app.progress.changed((await studio.reply(result)).id)
        await studio.submit()
        await studio.look()
        await studio.deliver()
        await progress(studio)
        await studio.app.progress.note()
    assert studio.shown(result).text == card
    assert len(studio.sent("PATCH", "*")) == edits
    assert [message.id for message in studio.messages(viewer=studio.member)] == messages
    assert studio.shown(result).heading == "Cancelled"
    assert not studio.shown(result).gallery
    assert (await studio.reply(result)).delivery == "cancelled"


@pytest.mark.parametrize("count", [1, 4])
async def test_what_is_queued_is_taken_back_without_a_trace(studio, count):
    result = await asked(studio, count=count)
    assert await studio.counted() == count
    await cancel(studio, result)
    assert studio.shown(result).heading == "Cancelled"
    assert NOTHING_MADE in studio.shown(result).text
    assert "Cancel" not in labels(result)
    assert await studio.counted() == 0
    await stays_cancelled(studio, result)
    assert studio.tasks == ()
    assert not studio.hiapi.tasks.requests["create"]
    assert (await studio.reply(result)).target.token is None


async def test_what_runs_counts_and_is_not_shown(studio):
    result = await asked(studio)
    await studio.submit()
    await progress(studio)
    await cancel(studio, result)
    assert ONE_COUNTS in studio.shown(result).text
    assert await studio.states() == ["submitted"]
    await stays_cancelled(studio, result)
    # The tracker followed it to its end all the same.
    assert await studio.states() == ["settled"]
    [job] = (await studio.reply(result)).jobs
    assert job.outcome.end == "pictures"
    assert studio.app.tracker._live == {}
    assert await studio.counted() == 1


async def test_some_queued_and_some_running(studio):
    result = await asked(studio, count=4)
    await studio.app.submitter.step()
    await cancel(studio, result)
    assert ONE_COUNTS in studio.shown(result).text
    assert await studio.counted() == 1
    await stays_cancelled(studio, result)
    assert len(studio.tasks) == len(studio.hiapi.tasks.bills) == 1
    ends = [job.outcome.end for job in (await studio.reply(result)).jobs]
    assert sorted(ends) == ["cancelled"] * 3 + ["pictures"]


async def test_what_is_done_already_counts_too(open_studio):
    """One of two is ready, none runs: saying that nothing was made would be a lie."""
    async with open_studio(member_running=1) as studio:
        result = await asked(studio, count=2)
        await studio.submit()
        studio.clock.move(10)
        await studio.look()
        assert sorted(await studio.states()) == ["queued", "settled"]
        await cancel(studio, result)
        assert ONE_COUNTS in studio.shown(result).text
        assert NOTHING_MADE not in studio.shown(result).text
        assert await studio.counted() == 1
        await stays_cancelled(studio, result)


async def test_two_that_run_are_said_in_the_plural(studio):
    result = await asked(studio, count=2)
    await studio.submit()
    await cancel(studio, result)
    words = "2 pictures were begun already: they count, but they will not be shown."
    assert words in studio.shown(result).text


@pytest.mark.parametrize(
    "answer", [faults.out_of_quota(), faults.unavailable()], ids=["402", "503"]
)
async def test_what_hiapi_turned_away_is_taken_back_without_a_trace(studio, answer):
    """It waits for a better moment; nobody buys it for somebody who went."""
    studio.hiapi.fault(answer, on="create")
    result = await studio.imagine("a red fox")
    await studio.submit()
    assert await studio.states() == ["submitting"]
    await progress(studio)
    await cancel(studio, result)
    assert NOTHING_MADE in studio.shown(result).text
    assert await studio.counted() == 0
    studio.clock.move(61)
    await stays_cancelled(studio, result)
    assert studio.hiapi.tasks.requests["create"] == 1


class Verb:
    """Holds up one verb of the ledger, before or after it has done its work."""

    def __init__(self, studio, monkeypatch, verb, *, after: bool) -> None:
        self.reached, self.let_go = asyncio.Event(), asyncio.Event()
        self._run, self._verb, self._after = studio.app.ledger.run, verb, after
        monkeypatch.setattr(studio.app.ledger, "run", self)

    async def __call__(self, verb, *args, **kwargs):
        if verb is not self._verb or self.reached.is_set():
            return await self._run(verb, *args, **kwargs)
        done = await self._run(verb, *args, **kwargs) if self._after else None
        self.reached.set()
        await self.let_go.wait()
        return done if self._after else await self._run(verb, *args, **kwargs)


async def test_a_cancel_just_before_the_request_is_frozen_stops_it(studio, monkeypatch):
    result = await asked(studio)
    beginning = Verb(studio, monkeypatch, verbs.begin, after=False)
    sending = asyncio.create_task(studio.app.submitter.step())
    await beginning.reached.wait()
    await cancel(studio, result)
    beginning.let_go.set()
    await sending
    assert NOTHING_MADE in studio.shown(result).text
    assert studio.hiapi.tasks.requests["create"] == 0
    assert await studio.counted() == 0
    await stays_cancelled(studio, result)
    assert studio.tasks == ()


async def test_a_cancel_just_after_the_request_is_frozen_counts(studio, monkeypatch):
    result = await asked(studio)
    beginning = Verb(studio, monkeypatch, verbs.begin, after=True)
    sending = asyncio.create_task(studio.app.submitter.step())
    await beginning.reached.wait()
    await cancel(studio, result)
    beginning.let_go.set()
    await sending
    assert ONE_COUNTS in studio.shown(result).text
    assert len(studio.hiapi.tasks.bills) == await studio.counted() == 1
    await stays_cancelled(studio, result)


async def test_what_is_turned_away_after_the_cancel_is_bought_for_nobody(studio, monkeypatch):
    result = await asked(studio)
    studio.hiapi.fault(faults.unavailable(), on="create")
    beginning = Verb(studio, monkeypatch, verbs.begin, after=True)
    sending = asyncio.create_task(studio.app.submitter.step())
    await beginning.reached.wait()
    await cancel(studio, result)
    beginning.let_go.set()
    await sending
    studio.clock.move(61)
    await stays_cancelled(studio, result)
    assert await studio.states() == ["settled"]
    assert studio.hiapi.tasks.requests["create"] == 1
    assert studio.hiapi.tasks.bills == []
    assert await studio.counted() == 0


async def test_a_cancel_while_the_request_is_under_way_counts(studio):
    let_go = asyncio.Event()
    studio.hiapi.fault(faults.Pause(let_go), on="create")
    result = await asked(studio)
    sending = asyncio.create_task(studio.app.submitter.step())
    await eventually(lambda: studio.hiapi.tasks.requests["create"])
    await cancel(studio, result)
    let_go.set()
    await sending
    assert ONE_COUNTS in studio.shown(result).text
    await stays_cancelled(studio, result)
    assert await studio.states() == ["settled"]


async def test_cancels_that_race_the_submitters_agree_with_what_was_sent(studio):
    """Whoever comes first: what the card says is what the service has billed."""
    results = [await asked(studio, f"fox {number}", count=2) for number in range(6)]
    replies = [await studio.reply(result) for result in results]
    cancels = [studio.app.intake.cancel(r.id, user_id=studio.member.id) for r in replies]
    cards, _ = await asyncio.gather(
        asyncio.gather(*cancels),
        asyncio.gather(*(studio.app.submitter.step() for _ in range(8))),
    )
    await studio.submit()
    billed = {bill.key for bill in studio.hiapi.tasks.bills}
    for card, reply in zip(cards, replies, strict=True):
        begun = len(billed & {job.id for job in reply.jobs})
        assert (NOTHING_MADE in card.notes) is (begun == 0)
        if begun:
            assert card.notes[0].startswith(f"{begun} picture")
    assert await studio.counted() == len(billed)


async def test_the_second_press_hears_that_nothing_is_left(studio):
    result = await asked(studio, count=2)
    await cancel(studio, result)
    assert (await at_once(studio, result)).problem == "There is nothing to cancel here."
    assert await studio.counted() == 0


async def test_two_presses_at_once_cancel_once(studio):
    result = await asked(studio, count=3)
    pressed = await asyncio.gather(*(at_once(studio, result) for _ in range(5)))
    assert sum(not hasattr(answer, "problem") for answer in pressed) == 1
    assert await studio.counted() == 0


async def at_once(studio, result):
    reply = await studio.reply(result)
    return await studio.app.intake.cancel(reply.id, user_id=studio.member.id)


async def test_a_stranger_is_told_so_privately(studio):
    result = await asked(studio)
    pressed = await cancel(studio, result, who=studio.someone("stranger"))
    assert whispered(pressed).startswith("**There is nothing to cancel here.**")
    assert studio.shown(result).heading == "In the queue"
    await studio.finish()
    assert studio.shown(result).gallery


async def test_a_press_that_comes_after_the_end_changes_nothing(studio):
    """The page may not have been refreshed: the press is sent, the outcome is known already."""
    result = await asked(studio)
    await studio.settle()
    pressed = await cancel(studio, result)
    assert whispered(pressed).startswith("**There is nothing to cancel here.**")
    await studio.deliver()
    assert studio.shown(result).heading == "Here is your picture"


async def test_it_works_in_the_next_process(studio):
    result = await asked(studio, count=2)
    await studio.app.submitter.step()
    async with studio.restarted():
        await cancel(studio, result)
        assert ONE_COUNTS in studio.shown(result).text
        assert await studio.counted() == 1
        await stays_cancelled(studio, result)


async def test_what_was_cancelled_stays_so_in_the_next_process(studio):
    result = await asked(studio)
    await studio.submit()
    await cancel(studio, result)
    async with studio.restarted():
        await stays_cancelled(studio, result)
        assert await studio.states() == ["settled"]


async def test_a_private_reply_is_cancelled_in_private(studio):
    result = await asked(studio, private=True)
    await cancel(studio, result)
    assert NOTHING_MADE in studio.shown(result).text
    assert studio.messages(viewer=studio.someone("neighbour")) == []
    await stays_cancelled(studio, result)


async def test_a_remix_is_cancelled_like_anything_else(studio):
    result = await studio.remix(image1=("a.png", image()))
    await progress(studio)
    await cancel(studio, result)
    await stays_cancelled(studio, result)
    assert studio.tasks == ()


async def test_an_edit_under_way_ends_before_the_card_that_says_cancelled(studio):
    result = await asked(studio)
    hanging, let_go = asyncio.Event(), asyncio.Event()

    async def hang(send):
        hanging.set()
        await let_go.wait()
        return await send()

    await studio.submit()
    studio.clock.move(3)
    studio.wire.hook("PATCH", ORIGINAL, hang)
    await studio.app.progress.step()
    await hanging.wait()
    cancelling = asyncio.create_task(at_once(studio, result))
    await eventually(lambda: studio.app.progress._edits)
    await asyncio.wait({cancelling}, timeout=0.1)
    assert not cancelling.done()
    let_go.set()
    await cancelling
    assert not studio.app.progress._edits


async def test_a_card_that_is_being_written_when_the_cancel_comes_is_not_sent(studio, monkeypatch):
    """What progress read before the cancel may not be shown after it."""
    result = await studio.imagine("a red fox")
    reading = Verb(studio, monkeypatch, queue.seen, after=True)
    showing = asyncio.create_task(studio.app.progress.step())
    await reading.reached.wait()
    await at_once(studio, result)
    # Something else about it moves meanwhile.
    studio.app.progress.changed((await studio.reply(result)).id)
    reading.let_go.set()
    await showing
    await eventually(lambda: not studio.app.progress._edits)
    assert studio.sent("PATCH", ORIGINAL) == []


async def test_the_next_ask_takes_the_room_that_the_cancel_left(open_studio):
    async with open_studio(member_waiting=1, member_running=1) as studio:
        first = await asked(studio, "first")
        refused = await studio.imagine("refused")
        assert "Only 1 of your pictures may wait" in studio.said(refused)
        await cancel(studio, first)
        second = await studio.imagine("second")
        assert await studio.submit() == 1
        await studio.finish()
        assert studio.shown(second).gallery
        assert [task.order.prompt for task in studio.tasks] == ["second"]


async def test_a_cancel_that_cannot_be_written_says_so_and_may_be_pressed_again(
    studio, monkeypatch
):
    result = await asked(studio)
    run = studio.app.ledger.run

    async def failing(verb, *args, **kwargs):
        if verb is queue.cancel:
            raise sa.exc.OperationalError("UPDATE", {}, Exception("disk I/O error"))
        return await run(verb, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(studio.app.ledger, "run", failing)
        pressed = await cancel(studio, result)
    assert whispered(pressed).startswith("**The bot cannot cancel anything right now.**")
    await cancel(studio, result)
    assert NOTHING_MADE in studio.shown(result).text


async def test_a_cancelled_card_that_discord_does_not_take_stays_cancelled(studio):
    result = await asked(studio)
    studio.env.inject_error("PATCH", ORIGINAL, status=500)
    await cancel(studio, result)
    assert (await studio.reply(result)).delivery == "cancelled"
    pressed = await cancel(studio, result)
    assert whispered(pressed).startswith("**There is nothing to cancel here.**")
    assert await studio.submit() == 0


@pytest.mark.parametrize("private", [False, True])
async def test_what_was_taken_back_is_asked_again_in_other_words(studio, private):
    """The usual reason to cancel is a slip in the prompt."""
    first = await asked(studio, "a red fix", private=private)
    await cancel(studio, first)
    form = await opened(studio, first)
    second = await submit(studio, form, prompt="a red fox")
    third = await studio.member.click(first.response, label="Again")
    await studio.finish()
    assert studio.shown(second).gallery
    assert studio.shown(third).gallery
    prompts = [task.order.prompt for task in studio.tasks]
    assert sorted(prompts) == ["a red fix", "a red fox"]
    assert (await studio.reply(second)).target.private is private
    assert studio.shown(first).heading == "Cancelled"
    await studio.member.click(first.response, label="Delete")
    seen = [message.id for message in studio.messages(viewer=studio.member)]
    assert seen == [second.response.id, third.response.id]


def labels(result) -> list[str]:
    """What the buttons of an answer say."""
    [box] = result.response.components
    rows = [item for item in box["components"] if item["type"] == 1]
    return [button["label"] for row in rows for button in row["components"]]
