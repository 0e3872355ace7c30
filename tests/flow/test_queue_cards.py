"""What waiting cards say of the queue, and how few edits that costs with very many waiting."""

import asyncio
import itertools
import re
from collections import Counter

import pytest

from bot.durations import FIRST_GUESS
from bot.progress import NOTE_BEFORE
from tests.flow.studio import ORIGINAL, eventually

EXPECTED = FIRST_GUESS.total_seconds()


async def progress(studio) -> int:
    """One round of small edits, carried through; how many."""
    begun = await studio.app.progress.step()
    await eventually(lambda: not studio.app.progress._edits)
    return begun


async def all_shown(studio) -> None:
    """Every card that is due is shown, in steps of half a second like the loop's."""
    planned = studio.app.progress._changed
    while any(at <= studio.clock() for at in planned.values()):
        await progress(studio)
        studio.clock.move(0.5)


async def people_ask(studio, count: int, *, first: int = 0):
    """So many people ask, a picture each, in this order."""
    return [await asks(studio, number) for number in range(first, first + count)]


async def asks(studio, number: int):
    studio.clock.move(0.001)  # two that ask at the same instant stand in no order
    return await studio.imagine(f"{number}", who=studio.someone(f"person{number}"))


def edits(studio) -> int:
    return len(studio.sent("PATCH", ORIGINAL))


def place(studio, result) -> int | str | None:
    """How many pictures its card says are before it."""
    text = studio.shown(result).text
    if "Yours is next." in text:
        return 0
    found = re.search(r"(More than )?(\d+) pictures? (?:is|are) before yours\.", text)
    return found and (f">{found[2]}" if found[1] else int(found[2]))


def expected_in(studio, result) -> int:
    """In how many seconds its card expects the picture."""
    [at] = re.findall(r"Expected <t:(\d+):R>\.", studio.shown(result).text)
    return int(at) - int(studio.clock().timestamp())


async def test_the_first_twenty_know_their_place_and_the_others_a_range(studio):
    results = await people_ask(studio, 24)
    await all_shown(studio)
    places = [place(studio, result) for result in results]
    assert places == [*range(21), ">20", ">20", ">20"]
    assert "1 picture is before yours." in studio.shown(results[1]).text
    assert "Expected" not in studio.shown(results[-1]).text


async def test_the_expected_time_follows_from_the_place_and_the_budget(open_studio):
    async with open_studio(hiapi_requests_per_minute=6) as studio:
        results = await people_ask(studio, 4)
        await progress(studio)
        times = [expected_in(studio, result) for result in results]
        assert times == [EXPECTED, EXPECTED + 10, EXPECTED + 20, EXPECTED + 30]


async def test_cards_move_up_when_others_go_first(studio):
    results = await people_ask(studio, 5)
    await all_shown(studio)
    for _ in range(2):
        await studio.app.submitter.step()
    studio.clock.move(3)
    await progress(studio)
    assert [place(studio, result) for result in results[2:]] == [0, 1, 2]
    gone = await studio.reply(results[2])
    await studio.app.intake.cancel(gone.id, user_id=gone.target.user_id)
    studio.clock.move(3)
    await progress(studio)
    assert [place(studio, result) for result in results[3:]] == [0, 1]


async def test_a_range_becomes_a_place_when_the_front_is_near(studio):
    results = await people_ask(studio, 22)
    await all_shown(studio)
    assert place(studio, results[21]) == ">20"
    for _ in range(2):
        await studio.app.submitter.step()
    studio.clock.move(3)
    await all_shown(studio)
    assert place(studio, results[21]) == 19


async def test_two_hundred_cards_cost_five_edits_a_second_and_three_seconds_each(open_studio):
    async with open_studio(bot_caps="1000/day") as studio:
        when = remembered(studio)
        await people_ask(studio, 200)
        for second in range(50):
            if second % 2:
                await studio.app.submitter.step()
            for _ in range(3):
                await progress(studio)
            studio.clock.move(1)
        assert edits(studio) == len(when) > 200
        assert max(Counter(at for at, _ in when).values()) == 5
        by_card: dict[str, list[float]] = {}
        for at, reply_id in when:
            by_card.setdefault(reply_id, []).append(at)
        apart = [b - a for times in by_card.values() for a, b in itertools.pairwise(times)]
        assert min(apart) >= 3
        # Everybody was told once before anybody was told twice.
        assert len(by_card) == len({reply_id for _, reply_id in when[:200]}) == 200


def remembered(studio) -> list[tuple[float, str]]:
    """When which reply was edited, from here on."""
    when: list[tuple[float, str]] = []
    send = studio.app.messenger.edit

    async def edit(target, card, *, attempts):
        when.append((studio.clock().timestamp(), card.reply_id))
        return await send(target, card, attempts=attempts)

    studio.app.messenger.edit = edit
    return when


async def test_a_first_card_comes_before_any_refresh_and_the_front_first(studio):
    results = await people_ask(studio, 12)
    await all_shown(studio)
    # All twelve move up, and two new ones wait for their first card.
    await studio.app.submitter.step()
    new = await people_ask(studio, 2, first=12)
    studio.clock.move(3)
    assert await progress(studio) == 5
    assert [place(studio, result) for result in new] == [11, 12]
    told = [place(studio, result) for result in results[1:]]
    # Three more fit: one of those sent, and those nearest to the front.
    assert told[:2] == [0, 1]
    assert told[4:] == [5, 6, 7, 8, 9, 10, 11]


async def test_a_card_that_would_say_the_same_is_not_edited(studio):
    await people_ask(studio, 12)
    await all_shown(studio)
    before = edits(studio)
    for _ in range(2):
        studio.clock.move(3)
        assert await progress(studio) == 0
    assert edits(studio) == before == 12


async def test_an_expected_time_that_has_passed_is_not_left_standing(open_studio):
    """Whoever is next may wait for something else than the queue, such as a picture of theirs."""
    async with open_studio(member_running=1) as studio:
        await studio.imagine("first [forever]")
        waiting = await studio.imagine("second")
        await studio.submit()
        await progress(studio)
        # Another one of theirs has to end first.
        assert expected_in(studio, waiting) == 2 * EXPECTED
        first = edits(studio)
        for _ in range(20):
            studio.clock.move(3)
            await progress(studio)
        text = studio.shown(waiting).text
        assert "It begins when 1 of your other pictures is done." in text
        assert "Expected" not in text
        # The guess goes once; the card of the one that runs grows old twice.
        # The guess goes once; the card of the one that runs grows old twice.
        assert edits(studio) - first == 3


async def test_a_place_counts_nobody_who_is_passed_over(open_studio):
    async with open_studio(member_running=1) as studio:
        busy = studio.someone("busy")
        for number in range(4):
            await studio.imagine(f"{number} [forever]", who=busy)
        assert await studio.submit() == 1
        mine = await studio.imagine("mine")
        second = await studio.imagine("second")
        await all_shown(studio)
        assert place(studio, mine) == 0
        assert "It begins when 1 of your other pictures is done." in studio.shown(second).text


async def test_a_card_that_waits_for_the_persons_own_says_so_and_moves_up(open_studio):
    async with open_studio(member_running=2) as studio:
        results = [await studio.imagine(f"A{number}") for number in range(5)]
        assert await studio.submit() == 2
        await all_shown(studio)
        waits = [re.findall(r"when (\d+) of your", studio.shown(each).text) for each in results]
        assert waits == [[], [], ["1"], ["2"], ["3"]]
        studio.tasks[0].stages = (0.0, 0.0, 0.0)
        studio.tasks[1].stages = (0.0, 600.0, 0.0)
        studio.clock.move(6)
        await studio.look()
        await all_shown(studio)
        assert place(studio, results[2]) == 0
        waits = [re.findall(r"when (\d+) of your", studio.shown(each).text) for each in results[3:]]
        assert waits == [["1"], ["2"]]


async def test_nothing_is_edited_in_the_last_seconds_of_a_token(studio):
    results = await people_ask(studio, 3)
    await progress(studio)
    before = edits(studio)
    studio.clock.move(15 * 60 - NOTE_BEFORE.total_seconds())
    await studio.app.submitter.step()
    for _ in range(3):
        studio.clock.move(3)
        for result in results:
            studio.app.progress.changed((await studio.reply(result)).id)
        assert await progress(studio) == 0
    assert edits(studio) == before


async def test_the_next_process_tells_the_true_place_too(studio):
    results = await people_ask(studio, 4)
    await progress(studio)
    await studio.app.submitter.step()
    async with studio.restarted():
        studio.clock.move(3)
        await progress(studio)
        assert [place(studio, result) for result in results[1:]] == [0, 1, 2]


# --- what one person may --------------------------------------------------------------------------


def prompts(studio) -> list[str]:
    return [task.order.prompt for task in studio.tasks]


async def test_the_fourth_of_one_person_waits_while_others_pass(open_studio):
    async with open_studio(member_running=3) as studio:
        other = studio.someone("other")
        for number in range(5):
            await studio.imagine(f"A{number}")
        assert await studio.submit() == 3
        for number in range(2):
            await studio.imagine(f"B{number}", who=other)
        assert await studio.submit() == 2
        assert prompts(studio) == ["A0", "A1", "A2", "B0", "B1"]
        assert await studio.submit() == 0
        # One of theirs ends, and one more may begin.
        studio.tasks[0].stages = (0.0, 0.0, 0.0)
        studio.tasks[1].stages = studio.tasks[2].stages = (0.0, 600.0, 0.0)
        studio.clock.move(6)
        await studio.look()
        assert await studio.submit() == 1
        assert prompts(studio)[-1] == "A3"
        assert await studio.submit() == 0


async def test_the_limit_holds_when_all_submitters_race(open_studio):
    async with open_studio(member_running=3) as studio:
        await studio.imagine(count=4)
        await studio.imagine(count=4)
        await asyncio.gather(*(studio.app.submitter.step() for _ in range(8)))
        assert len(studio.tasks) == 3


async def test_what_waits_beyond_the_limit_is_refused_in_words_that_help(open_studio):
    async with open_studio(member_waiting=2) as studio:
        await studio.imagine("first")
        await studio.imagine("second")
        refused = await studio.imagine("third")
        assert studio.said(refused) == (
            "**Only 2 of your pictures may wait at a time; waiting now: 2.**\n"
            "Ask for fewer, wait until some have begun, or cancel one."
        )
        # What runs does not wait, and others have a share of their own.
        await studio.app.submitter.step()
        assert (await studio.imagine("third")).deferred
        assert (await studio.imagine("theirs", who=studio.someone("other"))).deferred
        assert await studio.counted() == 4


@pytest.mark.parametrize("before", [0, 2])
async def test_two_people_alternate_under_the_limit(open_studio, before):
    async with open_studio(member_running=2) as studio:
        other = studio.someone("other")
        for number in range(4):
            await studio.imagine(f"A{number}")
        for _ in range(before):
            await studio.app.submitter.step()
        for number in range(4):
            await studio.imagine(f"B{number}", who=other)
        for _ in range(20):
            await studio.submit()
            running = Counter(
                task.order.prompt[0]
                for task in studio.tasks
                if task.ends_at > studio.clock().timestamp()
            )
            assert max(running.values(), default=0) <= 2
            studio.clock.move(5)
            await studio.look()
        assert sorted(prompts(studio)) == sorted([f"{who}{n}" for who in "AB" for n in range(4)])
        assert {prompt[0] for prompt in prompts(studio)[:4]} == {"A", "B"}
        for who in "AB":
            assert [p for p in prompts(studio) if p[0] == who] == [f"{who}{n}" for n in range(4)]
