"""Personal defaults, suggested prompts and /help, as people meet them."""

import asyncio
import threading

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from bot import catalog, tastes
from bot.ledger import people, servers
from bot.ledger.schema import jobs
from bot.model import Taste
from tests.flow.studio import image
from tests.flow.test_history import Shown, characters, press, refused, walk

RED = image("red")


async def panel(studio, *, who=None) -> Shown:
    result = await (who or studio.member).slash(studio.channel, "preferences")
    assert result.ephemeral
    return Shown(result)


def chosen(shown) -> dict[str, str]:
    """What each select of the panel stands at."""
    return {
        menu["custom_id"].rpartition(":")[2]: next(
            option["value"] for option in menu["options"] if option.get("default")
        )
        for menu in walk(shown.message.components)
        if menu["type"] == 3
    }


def on(shown) -> set[str]:
    return {
        button["label"]
        for button in walk(shown.message.components)
        if button["type"] == 2 and button["custom_id"].endswith(":off")
    }


async def pick(studio, shown, field, value):
    picked = await studio.member.select(shown.message, [value], custom_id=f"taste:pick:{field}")
    assert picked.acknowledged


async def request(studio, result):
    return (await studio.reply(result)).jobs[0].request


async def test_the_panel_begins_with_the_models_defaults(studio):
    shown = await panel(studio)
    assert chosen(shown) == {
        "imagine_ratio": "default",
        "remix_ratio": "default",
        "resolution": "default",
    }
    assert on(shown) == set()
    assert len(list(walk(shown.message.components))) <= 40


async def test_what_is_chosen_counts_where_an_option_is_left_out(studio):
    shown = await panel(studio)
    await pick(studio, shown, "imagine_ratio", "16:9")
    await pick(studio, shown, "remix_ratio", "3:2")
    await pick(studio, shown, "resolution", "2K")
    for label in ("Private", "Spoiler", "Show my images"):
        await press(studio, shown, label)
    assert chosen(shown) == {"imagine_ratio": "16:9", "remix_ratio": "3:2", "resolution": "2K"}
    assert on(shown) == {"Private", "Spoiler", "Show my images"}
    made = await studio.imagine()
    remixed = await studio.remix(image1=("red.png", RED))
    assert made.ephemeral
    assert remixed.ephemeral
    for result, ratio in ((made, "16:9"), (remixed, "3:2")):
        asked, reply = await request(studio, result), await studio.reply(result)
        assert (asked.aspect_ratio, asked.resolution) == (ratio, "2K")
        assert reply.target.private
        assert reply.spoiler
        assert reply.show_references
    # Whoever says otherwise is heard, and nobody else is meant.
    explicit = await studio.imagine(aspect_ratio="1:1", resolution="1K", private=False)
    others = await studio.imagine(who=studio.someone("other"))
    for result in (explicit, others):
        asked = await request(studio, result)
        assert (asked.aspect_ratio, asked.resolution) == ("1:1", "1K")
        assert not result.ephemeral


async def test_the_panel_works_after_a_restart_and_can_be_reset(studio):
    shown = await panel(studio)
    await press(studio, shown, "Private")
    async with studio.restarted():
        assert (await studio.imagine()).ephemeral
        await pick(studio, shown, "imagine_ratio", "4:5")
        assert on(shown) == {"Private"}
        await press(studio, shown, "Reset all")
        assert on(shown) == set()
        assert chosen(shown)["imagine_ratio"] == "default"
        result = await studio.imagine()
        assert not result.ephemeral
        assert (await request(studio, result)).aspect_ratio == "1:1"


async def test_the_models_own_default_can_be_chosen_again(studio):
    shown = await panel(studio)
    await pick(studio, shown, "imagine_ratio", "16:9")
    await pick(studio, shown, "imagine_ratio", "default")
    assert (await request(studio, await studio.imagine())).aspect_ratio == "1:1"


async def test_what_a_model_takes_no_more_falls_back(studio):
    await studio.app.tastes.change(
        studio.member.id, {"imagine_ratio": "7:1", "resolution": "8K", "imagine_model": "gone"}
    )
    asked = await request(studio, await studio.imagine())
    assert asked.aspect_ratio == catalog.IMAGINE.default_ratio
    assert asked.resolution == catalog.IMAGINE.default_resolution
    assert asked.model == catalog.IMAGINE.id
    assert chosen(await panel(studio))["imagine_ratio"] == "default"


# --- suggested prompts ----------------------------------------------------------------------------


async def suggested(studio, typed="", *, who=None, command="imagine"):
    who = who or studio.member
    return await who.autocomplete(studio.channel, command, "prompt", typed)


async def test_own_prompts_are_suggested_to_their_owner_alone(studio):
    stranger = studio.someone("stranger")
    await studio.imagine("a Red Fox", private=True)
    studio.clock.move(1)
    await studio.imagine("an owl")
    for command in ("imagine", "remix"):
        found = await suggested(studio, command=command)
        assert [each["value"] for each in found] == ["an owl", "a Red Fox"]
    assert [each["value"] for each in await suggested(studio, "FOX")] == ["a Red Fox"]
    assert await suggested(studio, "heron") == []
    assert await suggested(studio, who=stranger) == []
    # What was just asked for is known at once.
    studio.clock.move(1)
    await studio.imagine("a heron")
    assert [each["value"] for each in await suggested(studio, "heron")] == ["a heron"]


@pytest.mark.parametrize(
    "prompt",
    ["fox " * 100, "two\nlines", "😀" * 101, "a\u202eb", "x" * 6000],
    ids=["long", "lines", "emoji", "direction", "longest"],
)
async def test_what_a_choice_cannot_hold_comes_out_to_the_letter(studio, prompt):
    await studio.imagine(prompt)
    [choice] = await suggested(studio)
    assert 1 <= len(choice["name"]) <= 100
    assert choice["value"].startswith("recent:")
    result = await studio.imagine(choice["value"])
    first, second = await studio.app.ledger.run(prompts)
    assert first == second == (await request(studio, result)).prompt
    # Suggested once, by where it was said last.
    assert len(await suggested(studio)) == 1


def prompts(conn):
    return list(conn.scalars(sa.select(jobs.c.prompt)))


async def test_the_rest_of_a_prompt_file_is_suggested_too(studio):
    await studio.imagine("A castle.", prompt_file=("prompt.txt", b"On a hill."))
    [choice] = await suggested(studio, "hill")
    result = await studio.imagine(choice["value"])
    assert (await request(studio, result)).prompt == "A castle.\n\nOn a hill."


async def test_nobody_resolves_what_someone_else_said(studio):
    result = await studio.imagine("a secret " * 30, private=True)
    token = f"recent:{(await studio.reply(result)).id}"
    stranger = studio.someone("stranger")
    for given in (token, "recent:" + "a" * 16):
        told = await studio.imagine(given, who=stranger)
        assert refused(told).startswith("**The bot does not know this earlier prompt of yours.**")
        assert await studio.reply(told) is None


async def test_no_more_than_twenty_five_are_suggested(studio):
    for number in range(27):
        await studio.imagine(f"fox {number}")
        studio.clock.move(1)
    found = await suggested(studio)
    assert [each["value"] for each in found] == [f"fox {n}" for n in range(26, 1, -1)]


# --- a ledger that hangs --------------------------------------------------------------------------


async def test_what_a_command_needs_is_looked_up_at_once(studio, monkeypatch):
    """Each look-up may take a second, and Discord waits three for all of them and the rest."""
    await studio.app.ledger.run(people.change, studio.member.id, spoiler=True)
    await studio.app.tastes.step()
    result = await studio.imagine("a fox")
    studio.clock.move(6 * 60)  # what is in memory is too old by then
    run, asked, answered = studio.app.ledger.run, set(), []

    async def slow(verb, *args, **settings):
        if verb in {people.prompt_of, people.taste, servers.house}:
            asked.add(verb)
            for _ in range(20):
                await asyncio.sleep(0)
            answered.append(len(asked))
        return await run(verb, *args, **settings)

    monkeypatch.setattr(studio.app.ledger, "run", slow)
    again = await studio.imagine(f"recent:{(await studio.reply(result)).id}")
    assert (await studio.reply(again)).spoiler
    assert answered == [3, 3, 3]


async def test_whoever_chose_nothing_costs_no_question_to_the_ledger(studio):
    chooser = studio.someone("chooser")
    shown = await panel(studio, who=chooser)
    await chooser.click(shown.message, label="Private")
    async with studio.restarted() as app:
        await app.ledger.__aexit__()
        with capture_logs() as logs:
            assert await app.tastes.of(studio.member.id) == Taste()
            assert not logs
            # Theirs is not known yet and cannot be read now.
            assert await app.tastes.of(chooser.id) == tastes.UNREADABLE
            assert [line["event"] for line in logs] == ["tastes.not_loaded"]


async def test_what_another_process_wrote_is_noticed(studio):
    other = studio.someone("other")
    assert await studio.app.tastes.of(other.id) == Taste()
    await studio.app.ledger.run(people.change, other.id, private=True)
    assert await studio.app.tastes.step() == 1
    assert await studio.app.tastes.of(other.id) == Taste(private=True)
    assert await studio.app.tastes.step() == 0


async def test_more_choosers_than_are_kept_are_all_asked_for(studio, monkeypatch):
    monkeypatch.setattr(tastes, "CHOOSERS", 1)
    several = [studio.member.id, studio.someone("other").id]
    for who in several:
        await studio.app.ledger.run(people.change, who, spoiler=True)
    await studio.app.tastes.step()
    for who in several:
        assert await studio.app.tastes.of(who) == Taste(spoiler=True)
    assert await studio.app.tastes.of(studio.someone("third").id) == Taste()


async def test_suggestions_and_defaults_do_not_wait_for_a_ledger_that_hangs(studio):
    await studio.imagine("a fox")
    known, chooser = studio.someone("known"), studio.someone("chooser")
    await studio.app.ledger.run(people.change, chooser.id, spoiler=True)
    await studio.app.tastes.step()
    await studio.imagine("an owl", who=known)
    assert len(await suggested(studio, who=known)) == 1
    free = threading.Event()
    hanging = studio.app.ledger.run(lambda _conn: free.wait(30))
    task = asyncio.create_task(hanging)
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    try:
        began = loop.time()
        # Never looked up before: nothing yet. Known: from memory, at once.
        assert await studio.app.recent.prompts(studio.member.id, "") == []
        assert loop.time() - began < 2
        began = loop.time()
        assert len(await studio.app.recent.prompts(known.id, "")) == 1
        assert loop.time() - began < 0.5
        # Whoever chose nothing waits for nothing; what somebody chose is private till it is read.
        assert await studio.app.tastes.of(studio.someone("new").id) == Taste()
        assert await studio.app.tastes.of(chooser.id) == tastes.UNREADABLE
    finally:
        free.set()
        await task
    # What was begun then is there now.
    found = await suggested(studio)
    assert [each["value"] for each in found] == ["a fox"]


# --- help -----------------------------------------------------------------------------------------


async def test_help_is_short_and_names_every_command(studio):
    result = await studio.member.slash(studio.channel, "help")
    assert result.ephemeral
    shown = Shown(result)
    assert characters({"components": shown.message.components}) < 2000
    for command in ("imagine", "remix", "history", "job", "preferences", "privacy", "usage"):
        assert f"`/{command}" in shown.text
    # Its examples are such as can be typed.
    assert {"imagine", "remix", "history", "job", "preferences", "privacy", "usage", "help"} == set(
        studio.member.available_commands(studio.channel)
    )
