"""Whose prompts are refused again and again is warned, paused, told so, and let in again."""

import re

import pytest

from bot.ledger import servers
from sandbox import faults
from tests.flow.test_callbacks import lined as lined  # noqa: PLC0414 - a fixture
from tests.flow.test_rules import easel, moderating

HOUR = 3600
WARNED = "One more prompt refused within a day, and you are paused for a while."
PAUSED = re.compile(r"Too many of your prompts were refused: you are paused until <t:\d+:f>\.")
TOLD = "**You are paused: too many of your prompts were refused.**\nYou can ask again <t:"


@pytest.fixture
def strict(open_studio):
    """What opens a studio that pauses for two hours after the third refusal."""

    def opened(**changes):
        return open_studio(refusals_pause_after=3, refusals_pause_hours=2, **changes)

    return opened


async def refused(studio, prompt="a fox [policy]", **options):
    """The card of a request whose content is refused."""
    result = await studio.imagine(prompt, **options)
    assert result.deferred
    await studio.finish()
    shown = studio.shown(result)
    assert shown.heading == "The picture service refused this prompt"
    return shown.text


async def paused(studio):
    """What stands against this person's next request, or None."""
    result = await studio.imagine()
    return None if result.deferred else studio.said(result)


async def test_the_cards_warn_and_say_it_and_the_next_request_meets_it(strict):
    async with strict() as studio:
        first, second, third = [await refused(studio) for _ in range(3)]
        assert WARNED not in first
        assert not PAUSED.search(first)
        assert WARNED in second
        assert not PAUSED.search(second)
        assert WARNED not in third
        assert PAUSED.search(third)
        # Whoever is paused is not told to ask again.
        assert "Reword it and ask again." in second
        assert "Reword it and ask again." not in third
        said = await paused(studio)
        assert said.startswith(TOLD)
        assert (await studio.imagine(who=studio.someone("other"))).deferred
        # The time on the card is the time at which it ends.
        until = int(re.search(r"<t:(\d+):f>", third)[1])
        assert f"<t:{until}:R>" in said
        studio.clock.move(until - studio.clock().timestamp() - 1)
        assert (await paused(studio)).startswith(TOLD)
        studio.clock.move(1)
        assert await paused(studio) is None


async def test_a_button_is_no_way_around_it(strict):
    async with strict() as studio:
        good = await studio.imagine()
        await studio.finish()
        for _ in range(3):
            await refused(studio)
        pressed = await studio.member.click(good.response, label="Again")
        assert studio.said(pressed).startswith(TOLD)
        direct = await studio.member.user.slash("imagine", prompt="a fox")
        assert not direct.deferred


async def test_a_refusal_of_the_request_itself_counts(strict):
    async with strict() as studio:
        for _ in range(3):
            studio.hiapi.fault(faults.status(400, message="blocked by safety policy"), on="create")
            last = await refused(studio, "a fox")
        assert PAUSED.search(last)
        assert (await paused(studio)).startswith(TOLD)
        assert studio.tasks == ()


async def test_a_refusal_by_a_signed_callback_counts(lined):
    async with lined(refusals_pause_after=2) as line:
        for _ in range(2):
            await line.submitted("a red fox [policy]")
            line.studio.clock.move(8)
            await line.studio.hiapi.settle()
        assert line.reads == 0
        assert (await paused(line.studio)).startswith(TOLD)


async def test_several_pictures_of_one_request_are_one_refusal(strict):
    async with strict() as studio:
        assert WARNED not in await refused(studio, count=4)
        assert WARNED in await refused(studio, count=4)
        assert PAUSED.search(await refused(studio, count=4))


async def test_what_fails_for_another_reason_pauses_nobody(strict):
    async with strict() as studio:
        for word in ("fail", "timeout", "storage", "empty", "unavailable"):
            await studio.imagine(f"a fox [{word}]")
            await studio.finish()
        assert await paused(studio) is None


async def test_a_pause_outlives_a_restart_and_moderators_have_no_part_in_it(strict):
    async with strict() as studio:
        moderator = moderating(studio)
        for _ in range(3):
            await refused(studio)
        async with studio.restarted():
            assert (await paused(studio)).startswith(TOLD)
            assert "Nobody is blocked." in (await easel(studio, moderator, "blocks")).text
            again = await moderator.slash(studio.channel, "easel unblock", member=studio.member)
            assert "This member is not blocked." in studio.said(again)
            assert (await paused(studio)).startswith(TOLD)
            await studio.app.ledger.run(
                servers.lift,
                guild_id=servers.EVERYWHERE,
                user_id=studio.member.id,
                now=studio.clock(),
            )
            assert await paused(studio) is None


async def test_where_the_setting_is_0_nobody_is_paused(open_studio):
    async with open_studio(refusals_pause_after=0) as studio:
        for _ in range(12):
            text = await refused(studio)
        assert WARNED not in text
        assert await paused(studio) is None


async def test_a_picture_among_refused_ones_says_it_too(strict):
    async with strict() as studio:
        for _ in range(2):
            await refused(studio)
        studio.hiapi.fault(faults.status(400, message="blocked by safety policy"), on="create")
        result = await studio.imagine("a fox", count=2)
        await studio.finish()
        shown = studio.shown(result)
        assert len(shown.gallery) == 1
        assert PAUSED.search(shown.text)
