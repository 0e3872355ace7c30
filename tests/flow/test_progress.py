"""The card while it waits: true, seldom edited, never in the way of the final one."""

import asyncio
import itertools

from structlog.testing import capture_logs

from tests.flow.studio import ORIGINAL, eventually


async def step(studio) -> None:
    """One round of progress, its edits carried through."""
    await studio.app.progress.step()
    await eventually(lambda: not studio.app.progress._edits)


def edits(studio) -> int:
    return len(studio.sent("PATCH", ORIGINAL))


async def test_edits_stand_at_least_three_seconds_apart(open_studio):
    # Four different cards in six seconds, if nothing held them back.
    async with open_studio(seconds=(1.0, 4.5, 6.0), hiapi_poll_every=1.0) as studio:
        when = []

        async def note(send):
            when.append(studio.clock())
            return await send()

        for _ in range(10):
            studio.wire.hook("PATCH", ORIGINAL, note)
        result = await studio.imagine("a red fox")
        await step(studio)
        seen = [studio.shown(result).heading]
        for _ in range(20):
            await studio.submit()
            await studio.look()
            await step(studio)
            seen.append(studio.shown(result).heading)
            studio.clock.move(0.5)
        assert seen[0] == "In the queue"
        assert seen[-1] == "Saving your picture"
        apart = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(when)]
        assert len(apart) >= 2
        assert min(apart) >= 3


async def test_the_same_card_is_not_sent_twice(studio):
    result = await studio.imagine("a red fox")
    reply = await studio.reply(result)
    for _ in range(3):
        studio.app.progress.changed(reply.id)
        await step(studio)
        studio.clock.move(3)
    assert edits(studio) == 1
    assert studio.shown(result).heading == "In the queue"


async def test_nothing_follows_the_final_card(studio):
    result = await studio.imagine("a red fox")
    reply = await studio.reply(result)
    await step(studio)
    await studio.finish()
    after = edits(studio)
    for _ in range(10):
        studio.app.progress.changed(reply.id)
        await step(studio)
        studio.clock.move(30)
    assert edits(studio) == after
    assert studio.shown(result).heading == "Here is your picture"


async def test_nothing_is_edited_once_the_outcome_is_known(studio):
    result = await studio.imagine("a red fox")
    await studio.settle()
    studio.app.progress.changed((await studio.reply(result)).id)
    await step(studio)
    assert edits(studio) == 0


async def test_a_hanging_edit_does_not_hold_up_the_final_one(studio):
    hanging, cancelled = asyncio.Event(), asyncio.Event()

    async def hang(_send):
        hanging.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    result = await studio.imagine("a red fox")
    studio.wire.hook("PATCH", ORIGINAL, hang)
    await studio.app.progress.step()
    await eventually(hanging.is_set)
    await studio.settle()
    async with asyncio.timeout(5):
        await studio.deliver()
    assert cancelled.is_set()
    assert studio.shown(result).heading == "Here is your picture"
    assert edits(studio) == 1


async def test_a_hanging_edit_holds_up_nobody_elses(studio):
    hanging, let_go = asyncio.Event(), asyncio.Event()

    async def hang(send):
        hanging.set()
        await let_go.wait()
        return await send()

    await studio.imagine("first")
    studio.wire.hook("PATCH", ORIGINAL, hang)
    await studio.app.progress.step()
    await eventually(hanging.is_set)
    second = await studio.imagine("second")
    await studio.app.progress.step()
    await eventually(lambda: studio.shown(second).heading == "In the queue")
    let_go.set()
    await eventually(lambda: not studio.app.progress._edits)


async def test_a_progress_edit_that_is_refused_changes_nothing(studio):
    result = await studio.imagine("a red fox")
    studio.env.inject_error("PATCH", ORIGINAL, status=500)
    await step(studio)
    await studio.finish()
    assert studio.shown(result).heading == "Here is your picture"


async def test_a_spinner_that_somebody_deleted_still_ends_well(studio):
    result = await studio.imagine("a red fox")
    studio.env.backend.delete_message(studio.channel.id, result.response.id)
    await step(studio)
    await studio.finish()
    assert (await studio.reply(result)).delivery == "undeliverable"
    assert studio.messages() == []


async def test_a_card_grows_old_in_words(studio):
    result = await studio.imagine("a red fox [forever]")
    await studio.submit()
    await step(studio)
    assert "Expected <t:" in studio.shown(result).text
    studio.clock.move(11)
    await studio.look()
    await step(studio)
    assert "Any moment now." in studio.shown(result).text
    assert "Expected" not in studio.shown(result).text
    studio.clock.move(10)
    await studio.look()
    await step(studio)
    assert "This takes longer than usual." in studio.shown(result).text
    studio.clock.move(10 * 60)
    await studio.look()
    await step(studio)
    assert "This takes far longer than usual." in studio.shown(result).text


async def test_a_deleted_card_is_let_alone(studio):
    """Its place in the queue moves on, and Discord bans whoever asks on for what is not there."""
    for number in range(8):
        await studio.imagine(f"fox {number}", who=studio.someone(f"m{number}"))
    result = await studio.imagine("a red fox")
    for _ in range(12):
        await step(studio)
        studio.clock.move(1)
    studio.env.backend.delete_message(studio.channel.id, result.response.id)
    with capture_logs() as logs:
        for _ in range(60):
            await studio.app.submitter.step()
            studio.clock.move(3)
            await step(studio)
    assert [entry["event"] for entry in logs].count("progress.not_shown") == 1
    assert (await studio.reply(result)).delivery == "open"
