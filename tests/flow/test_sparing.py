"""Whoever wants to be left alone is: others remix neither their messages nor their avatar."""

import asyncio
import threading

import pytest
from simcord.actors import _visible_message

from bot.ledger import people
from bot.model import Taste
from tests.flow.studio import image
from tests.flow.test_history import press
from tests.flow.test_preferences import on, panel
from tests.flow.test_remix_menus import carded, field, menu, nothing_came_of_it, refusal, submit

RED = image("red")
SPARED = "**This picture is not there to be remixed by others.**"
AVATAR = "Remix avatar"


@pytest.fixture
def friend(studio):
    return studio.someone("friend")


async def posted(studio, who):
    return await who.send(studio.channel, "look", attachments=[("red.png", RED)])


async def choose(studio, who, **changes):
    """What another process of the bot was told."""
    await studio.app.ledger.run(people.change, who.id, **changes)
    await studio.app.tastes.step()


async def test_the_panel_turns_it_on_and_off_for_oneself_alone(studio, friend):
    shown = await panel(studio, who=friend)
    assert on(shown) == set()
    for label in ("My messages and pictures", "My avatar"):
        await press(studio, shown, label, who=friend)
    assert on(shown) == {"My messages and pictures", "My avatar"}
    spared = Taste(spare_messages=True, spare_avatar=True)
    assert await studio.app.tastes.of(friend.id) == spared
    assert on(await panel(studio)) == set()
    await press(studio, shown, "Reset all", who=friend)
    assert await studio.app.tastes.of(friend.id) == Taste()


async def test_messages_are_spared_and_the_avatar_is_not(studio, friend):
    message = await posted(studio, friend)
    await studio.app.tastes.change(friend.id, {"spare_messages": True})
    assert refusal(await menu(studio, message)).startswith(SPARED)
    assert field(await menu(studio, friend, name=AVATAR), "prompt")
    # Theirs alone, and their own they may.
    assert field(await menu(studio, message, who=friend), "prompt")
    assert field(await menu(studio, await posted(studio, studio.member)), "prompt")
    await studio.app.tastes.change(friend.id, {"spare_messages": False})
    assert field(await menu(studio, message), "prompt")


async def test_the_avatar_is_spared_and_messages_are_not(studio, friend):
    message = await posted(studio, friend)
    await studio.app.tastes.change(friend.id, {"spare_avatar": True})
    assert refusal(await menu(studio, friend, name=AVATAR)).startswith(SPARED)
    assert field(await menu(studio, friend, name=AVATAR, who=friend), "prompt")
    assert field(await menu(studio, message), "prompt")


@pytest.mark.parametrize("how", ["message", "avatar", "card"])
async def test_who_says_so_while_the_form_is_open_is_heard(studio, friend, how):
    jobs = 0
    if how == "message":
        form = await menu(studio, await posted(studio, friend))
    elif how == "avatar":
        form = await menu(studio, friend, name=AVATAR)
    else:
        card = await carded(studio, who=friend)
        jobs = 1
        form = await studio.member.click(card.response, label="Remix this")
    await choose(studio, friend, spare_messages=True, spare_avatar=True)
    said = refusal(await submit(studio, form, prompt="my own words"))
    assert said.startswith(SPARED)
    assert "my own words" in said
    await nothing_came_of_it(studio, jobs=jobs)


async def test_the_servers_rule_is_looked_at_again_too(studio, friend):
    form = await menu(studio, await posted(studio, friend))
    houses = studio.app.intake._houses
    await houses.change(studio.channel.guild.id, user_id=1, remix_messages=False)
    said = refusal(await submit(studio, form))
    assert said.startswith("**In this server you can only remix your own messages.**")
    await nothing_came_of_it(studio)


async def test_the_bots_cards_belong_to_whoever_asked(studio, friend):
    card = await carded(studio, who=friend)
    mine = await carded(studio)
    await studio.app.tastes.change(friend.id, {"spare_messages": True})
    assert refusal(await menu(studio, card.response)).startswith(SPARED)
    pressed = await studio.member.click(card.response, label="Remix this")
    assert refusal(pressed).startswith(SPARED)
    assert field(await menu(studio, card.response, who=friend), "prompt")
    assert field(await friend.click(card.response, label="Remix this"), "prompt")
    assert field(await menu(studio, mine.response, who=friend), "prompt")
    # What is asked for in words is no picture of theirs.
    assert (await studio.member.click(card.response, label="Again")).deferred


async def test_a_card_that_tells_nobody_belongs_to_whom_the_ledger_names(studio, friend):
    """Posted anew, a card answers no command as far as Discord knows."""
    card = await carded(studio, who=friend)
    await studio.app.tastes.change(friend.id, {"spare_messages": True})
    _visible_message(studio.member, card.response).interaction_metadata = None
    assert refusal(await studio.member.click(card.response, label="Remix this")).startswith(SPARED)
    assert field(await friend.click(card.response, label="Remix this"), "prompt")


async def test_after_a_restart_it_holds_from_the_first_press(studio, friend):
    message = await posted(studio, friend)
    await studio.app.tastes.change(friend.id, {"spare_messages": True, "spare_avatar": True})
    async with studio.restarted():
        assert refusal(await menu(studio, message)).startswith(SPARED)
        assert refusal(await menu(studio, friend, name=AVATAR)).startswith(SPARED)


async def test_an_erasure_takes_it_back(studio, friend):
    message = await posted(studio, friend)
    await studio.app.tastes.change(friend.id, {"spare_messages": True})
    assert refusal(await menu(studio, message)).startswith(SPARED)
    await studio.app.forgetting.dossiers.erase(friend.id)
    assert field(await menu(studio, message), "prompt")


async def test_a_ledger_that_hangs_spares_choosers_and_keeps_nobody_else_waiting(studio, friend):
    chooser = studio.someone("chooser")
    plain = await posted(studio, friend)
    assert field(await menu(studio, plain), "prompt")  # the server's rules are known by now
    await choose(studio, chooser, spoiler=True)
    free = threading.Event()
    task = asyncio.create_task(studio.app.ledger.run(lambda _conn: free.wait(30)))
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    try:
        began = loop.time()
        assert field(await menu(studio, plain), "prompt")
        assert loop.time() - began < 0.8
        # The simulated Discord does not wait as long as people do.
        assert await studio.app.tastes.spares(chooser.id, "messages") is not None
        assert loop.time() - began < 2.5
    finally:
        free.set()
        await task
    assert await studio.app.tastes.spares(chooser.id, "messages") is None
