"""Many asks from one person do not keep another waiting, whatever the request budget."""

import pytest

from bot.ledger import queue


def order(studio) -> list[str]:
    return [task.order.prompt for task in studio.tasks]


@pytest.mark.parametrize("before", [0, 1, 3, 5])
async def test_a_latecomer_waits_for_two_at_most(studio, before):
    a, b = studio.member, studio.someone("latecomer")
    for number in range(10):
        await studio.imagine(f"A{number}", who=a)
    for _ in range(before):
        await studio.app.submitter.step()
    await studio.imagine("B", who=b)
    await studio.submit()
    assert len(order(studio)) == 11
    assert order(studio).index("B") <= before + 2
    assert [prompt for prompt in order(studio) if prompt != "B"] == [f"A{n}" for n in range(10)]


async def test_three_people_alternate(studio):
    people = [studio.member, studio.someone("second"), studio.someone("third")]
    for name, person in zip("ABC", people, strict=True):
        for number in range(3):
            await studio.imagine(f"{name}{number}", who=person)
    await studio.submit()
    rounds = [set(order(studio)[start : start + 3]) for start in (0, 3, 6)]
    assert rounds == [{"A0", "B0", "C0"}, {"A1", "B1", "C1"}, {"A2", "B2", "C2"}]


async def test_within_a_budget_that_admits_a_few(open_studio):
    async with open_studio(hiapi_requests_per_minute=16) as studio:
        for number in range(10):
            await studio.imagine(f"A{number}")
        admitted = await studio.submit()
        # Twelve of sixteen requests a minute are kept for looking once something runs.
        assert 1 <= admitted <= 4
        late = await studio.imagine("B", who=studio.someone("latecomer"))
        [job] = (await studio.reply(late)).jobs
        assert (await studio.app.ledger.run(queue.standing, job.id)).ahead <= 2
        assert await studio.submit() == 0
        assert studio.hiapi.tasks.answers["create", 429] == 0

        # The minute is over, on both sides.
        studio.app.submitter._budget._window = 0.0
        studio.clock.move(61)
        await studio.finish(seconds=300)
        assert order(studio).index("B") <= admitted + 2
        assert len(order(studio)) == 11
        assert studio.hiapi.tasks.answers["create", 429] == 0


async def test_a_place_is_kept_over_a_restart(studio):
    for number in range(4):
        await studio.imagine(f"A{number}")
    await studio.imagine("B", who=studio.someone("latecomer"))
    async with studio.restarted():
        await studio.submit()
        assert order(studio).index("B") <= 2
