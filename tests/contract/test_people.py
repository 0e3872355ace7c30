"""A person's defaults and last prompts, on both databases."""

import asyncio

import pytest

from bot.ledger import asks, people, verbs
from bot.model import Taste
from tests import build
from tests.contract.test_history import NOW, OTHER, PERSON, SECOND, asked


async def test_whoever_chose_nothing_has_the_models_defaults(ledger):
    assert await ledger.run(people.taste, PERSON) == Taste()


async def test_a_change_changes_nothing_else(ledger):
    await ledger.run(people.change, PERSON, imagine_ratio="16:9", private=True)
    after = await ledger.run(people.change, PERSON, resolution="2K", imagine_ratio=None)
    assert after == Taste(resolution="2K", private=True)
    assert await ledger.run(people.taste, PERSON) == after
    assert await ledger.run(people.taste, OTHER) == Taste()
    await ledger.run(people.forget, PERSON)
    assert await ledger.run(people.taste, PERSON) == Taste()


async def test_changes_that_race_all_hold(ledger):
    wanted = Taste(
        imagine_ratio="16:9",
        remix_ratio="auto",
        resolution="2K",
        imagine_model="one",
        remix_model="two",
        private=True,
        spoiler=True,
        show_references=True,
    )
    names = Taste.__dataclass_fields__
    changes = ({name: getattr(wanted, name)} for name in names)
    await asyncio.gather(*(ledger.run(people.change, PERSON, **each) for each in changes))
    assert await ledger.run(people.taste, PERSON) == wanted


async def sayings(ledger, *, most=25):
    return await ledger.run(people.sayings, PERSON, most=most)


async def test_prompts_are_told_once_and_replies_each(ledger):
    for age, prompt in enumerate(["a fox", "a heron", "a fox", "an owl"]):
        await asked(ledger, prompt, age=age)
    await asked(ledger, "not mine", user_id=OTHER)
    said = await sayings(ledger)
    assert [each.prompt for each in said.replies] == ["a fox", "a heron", "a fox", "an owl"]
    assert [each.prompt for each in said.prompts] == ["a fox", "a heron", "an owl"]
    assert said.prompts[0] == said.replies[0]


async def test_many_of_the_same_do_not_hide_the_others(ledger):
    await asked(ledger, "an owl", age=100)
    for age in range(30):
        await asked(ledger, "a fox", age=age)
    said = await sayings(ledger)
    assert len(said.replies) == 25
    assert [each.prompt for each in said.prompts] == ["a fox", "an owl"]


async def test_of_a_long_prompt_the_beginning_is_told(ledger):
    prompt = "😀" * people.BEGINNING
    short = await asked(ledger, prompt, age=1)
    long = await asked(ledger, prompt + "!")
    found = (await sayings(ledger)).prompts
    assert [(each.prompt, each.whole) for each in found] == [(prompt, False), (prompt, True)]
    for reply in (short, long):
        whole = await ledger.run(people.prompt_of, reply.id, user_id=PERSON)
        assert whole == reply.jobs[0].request.prompt


async def test_a_prompt_is_told_to_its_owner_alone(ledger):
    reply = await asked(ledger)
    assert await ledger.run(people.prompt_of, reply.id, user_id=OTHER) is None
    assert await ledger.run(people.prompt_of, "z" * 16, user_id=PERSON) is None


async def test_what_was_never_acknowledged_was_not_said(ledger):
    reply = build.reply()
    await ledger.run(asks.receive, reply, day_limit=10, now=NOW)
    await ledger.run(verbs.withdraw, reply.id, now=NOW)
    assert await sayings(ledger) == people.Sayings()
    assert await ledger.run(people.prompt_of, reply.id, user_id=PERSON) is None


@pytest.mark.parametrize("count", [1, 25])
async def test_no_more_than_asked_for(ledger, count):
    for age in range(count + 2):
        await asked(ledger, f"fox {age}", age=float(age))
    said = await sayings(ledger, most=count)
    assert [each.prompt for each in said.prompts] == [f"fox {age}" for age in range(count)]
    assert said.prompts[0].at == NOW
    assert said.prompts[-1].at == NOW - (count - 1) * SECOND
