"""Commands, tokens and callbacks: real discord.py against the stand-in for Discord."""

import asyncio
import hashlib

import discord
import pytest

from sandbox.wirecord import asking, server
from sandbox.wirecord.interactions import COMPONENT
from tests.contract import wirecord_bot
from tests.contract.wirecord_bot import (
    PNG,
    card,
    deferred,
    deferred_privately,
    file,
    refusal,
    until,
)


@pytest.fixture
async def pair():
    async with wirecord_bot.pair() as both:
        yield both


async def test_the_bot_logs_in_and_tells_its_commands(pair):
    assert pair.bot.user.id == pair.bot.application_id == server.APPLICATION
    assert [c["name"] for c in pair.discord.commands] == ["paint", "Edit this"]
    assert [o["type"] for o in pair.discord.commands[0]["options"]] == [3, 11, 11]


async def test_a_wrong_token_is_refused():
    async with server.Wirecord(token="another") as running:
        with wirecord_bot.launch.aimed(running.base):
            bot = wirecord_bot.Painter()
            async with bot:
                with pytest.raises(discord.LoginFailure):
                    await bot.login(server.TOKEN)
        assert running.log.invalid == 1


async def test_a_command_is_deferred_and_edited_with_a_file(pair):
    asked = await pair.ask(attachments=[("cat.png", PNG)])
    message = await asked.pictured()
    assert asked.answered == 5
    assert 0 < asked.ack_seconds < 3
    assert [edit.how for edit in asked.edits] == ["original"]
    upload = asked.edits[0].files[0]
    assert (upload.filename, upload.size) == ("out.png", len(PNG))
    assert upload.sha256 == hashlib.sha256(PNG).hexdigest()
    assert (message.attachments[0].width, message.attachments[0].height) == (64, 48)
    assert message.text == "a card"
    assert pair.bot.images == [PNG]
    assert pair.discord.cdn.read(message.attachments[0].id) == PNG


async def test_a_file_in_a_gallery_is_not_among_the_attachments(pair):
    await (await pair.ask()).pictured()
    seen = await pair.bot.seen[0].original_response()
    assert seen.attachments == []
    gallery = next(
        c for c in seen.components[0].children if isinstance(c, discord.MediaGalleryComponent)
    )
    assert gallery.items[0].media.url.startswith(pair.discord.origin + "/cdn/attachments/")
    assert await pair.bot.http.get_from_cdn(gallery.items[0].media.url) == PNG


async def test_the_bot_sees_where_and_who(pair):
    await pair.ask(
        deferred,
        locale="de",
        guild_locale="fr",
        owners={"1": asking.USER},
        attachment_size_limit=50_000_000,
        app_permissions=0,
        user=asking.USER,
    )
    seen = pair.bot.seen[0]
    assert (seen.locale, seen.guild_locale) == (discord.Locale.german, discord.Locale.french)
    assert seen.is_user_integration()
    assert not seen.is_guild_integration()
    assert seen.filesize_limit == 50_000_000
    assert seen.guild_id == asking.GUILD
    assert seen.channel_id == asking.CHANNEL
    assert seen.user.id == asking.USER
    assert not seen.app_permissions.attach_files
    assert seen.namespace.prompt == "a cat"
    assert abs((discord.utils.utcnow() - seen.created_at).total_seconds()) < 2


async def test_direct_messages_and_other_peoples_conversations(pair):
    await pair.ask(deferred, guild=None)
    await pair.ask(deferred, guild=None, context=2, owners={"1": asking.USER})
    direct, private = pair.bot.seen
    assert direct.context.dm_channel
    assert isinstance(direct.channel, discord.DMChannel)
    assert private.context.private_channel
    assert isinstance(private.channel, discord.GroupChannel)
    assert private.guild_id is None


async def test_the_defer_tells_the_message_and_whether_it_is_private(pair):
    told = []

    async def answer(interaction):
        told.append(await interaction.response.defer(thinking=True))

    asked = await pair.ask(answer)
    await pair.ask(answer, hidden=True)
    await until(lambda: len(told) == 2)
    assert told[0].message_id == asked.message.id
    assert told[0].is_thinking()
    assert [t.is_ephemeral() for t in told] == [False, True]


async def test_a_late_acknowledgement_is_refused(pair):
    async def answer(interaction):
        pair.discord.move_clock(3.1)
        await interaction.response.defer(thinking=True)

    asked = await pair.ask(answer)
    await until(lambda: pair.bot.failures)
    assert (pair.bot.failures[0].status, pair.bot.failures[0].code) == (404, 10062)
    assert asked.refusals == [("callback", 404, 10062)]
    # What was never acknowledged has no webhook.
    seen = pair.bot.seen[0]
    assert await refusal(seen.edit_original_response(content="x")) == (404, 10015)


async def test_an_old_event_comes_with_its_age(pair):
    asked = await pair.ask(deferred, age=5)
    assert asked.refusals == [("callback", 404, 10062)]
    assert (discord.utils.utcnow() - pair.bot.seen[0].created_at).total_seconds() > 4


async def test_a_second_acknowledgement_is_refused(pair):
    asked = await pair.ask(deferred)
    await pair.discord.replay(asked)
    await until(lambda: pair.bot.failures)
    assert (pair.bot.failures[0].status, pair.bot.failures[0].code) == (400, 40060)
    assert len(pair.bot.seen) == 2


async def test_a_token_dies_after_fifteen_minutes_but_the_channel_lives(pair):
    asked = await pair.ask(deferred)
    seen = pair.bot.seen[0]
    pair.discord.move_clock(899)
    await seen.edit_original_response(content="in time")
    pair.discord.move_clock(2)
    assert await refusal(seen.edit_original_response(content="late")) == (401, 50027)
    assert await refusal(seen.followup.send("late")) == (401, 50027)
    partial = pair.bot.get_partial_messageable(asking.CHANNEL).get_partial_message(asked.message.id)
    await partial.edit(content="by channel")
    assert asked.message.content == "by channel"
    assert [edit.how for edit in asked.edits] == ["original", "channel"]
    assert pair.discord.log.invalid == 2


async def test_a_private_answer_is_reached_by_its_token_alone(pair):
    asked = await pair.ask(deferred_privately)
    assert asked.ephemeral
    channel = pair.bot.get_partial_messageable(asking.CHANNEL)
    partial = channel.get_partial_message(asked.message.id)
    assert await refusal(partial.edit(content="x")) == (404, 10008)
    assert await refusal(partial.fetch()) == (404, 10008)
    assert [m async for m in channel.history()] == []
    await pair.bot.seen[0].edit_original_response(content="by token", attachments=[file()])
    assert asked.message.content == "by token"
    shown = await pair.bot.seen[0].original_response()
    assert "/ephemeral-attachments/" in shown.attachments[0].url


async def test_the_first_follow_up_completes_a_spinner(pair):
    asked = await pair.ask(deferred)
    sent = await pair.bot.seen[0].followup.send("done", ephemeral=True, wait=True)
    assert sent.id == asked.message.id
    assert not asked.ephemeral
    assert asked.followups == []


async def test_follow_ups_end_at_five_where_only_the_person_installed_it(pair):
    asked = await pair.ask(deferred, owners={"1": asking.USER})
    seen = pair.bot.seen[0]
    await seen.edit_original_response(content="x")
    pair.discord.limits_off()
    for number in range(5):
        await seen.followup.send(str(number))
    assert await refusal(seen.followup.send("6")) == (400, 40094)
    await seen.edit_original_response(content="still editable")
    assert len(asked.followups) == 5
    channel = pair.bot.get_partial_messageable(asking.CHANNEL)
    assert await refusal(channel.send("x")) == (403, 50001)


async def test_deleting_the_answer(pair):
    asked = await pair.ask(deferred)
    seen = pair.bot.seen[0]
    await seen.delete_original_response()
    assert asked.message.deleted
    assert await refusal(seen.edit_original_response(content="x")) == (404, 10008)
    said = await seen.followup.send("why", ephemeral=True, wait=True)
    assert said.flags.ephemeral
    assert [m.id for m in asked.followups] == [said.id]


async def test_a_press_of_a_dynamic_button_brings_a_fresh_token(pair):
    asked = await pair.ask()
    message = await asked.pictured()
    assert message.custom_ids == ["job:again:j1"]
    pair.discord.move_clock(3600)
    pressed = await pair.discord.click(message, "job:again:j1", locale="fr")
    answer = await pressed.shown()
    assert pair.bot.presses == ["j1"]
    assert (pressed.kind, answer.content, answer.ephemeral) == (COMPONENT, "pressed", True)
    with pytest.raises(LookupError):
        await pair.discord.click(message, "job:none")


async def test_a_press_may_update_its_message(pair):
    async def pressed(interaction):
        await interaction.response.edit_message(view=card("changed"), attachments=[])

    pair.bot.pressed = pressed
    message = await (await pair.ask()).pictured()
    press = await pair.discord.click(message, "job:again:j1")
    assert await press.shown() is message
    assert (message.text, message.attachments) == ("changed", [])


async def test_a_form_is_opened_and_sent(pair):
    async def pressed(interaction):
        await interaction.response.send_modal(wirecord_bot.Ask(custom_id="ask"))

    pair.bot.pressed = pressed
    message = await (await pair.ask()).pictured()
    press = await pair.discord.click(message, "job:again:j1")
    await press.acknowledged()
    assert press.form["custom_id"] == "ask"
    sent = await pair.discord.submit(press, {"words": "a dog", "picture": [("dog.png", PNG)]})
    await sent.acknowledged()
    assert pair.bot.forms == [("a dog", [PNG])]
    assert message.text == "changed"


async def test_a_menu_carries_the_whole_message(pair):
    message = await (await pair.ask()).pictured()
    asked = await pair.discord.menu("Edit this", message)
    await asked.shown()
    assert pair.bot.targets[0].id == message.id
    assert pair.bot.targets[0].author.id == pair.bot.user.id


async def test_choices_while_typing(pair):
    command = pair.bot.tree.get_command("paint")

    async def choose(_, current):
        return [discord.app_commands.Choice(name=current.upper(), value=current)]

    command.autocomplete("prompt")(choose)
    typed = await pair.discord.complete("paint", {"prompt": "ca"}, focused="prompt")
    await typed.acknowledged()
    assert typed.choices == [{"name": "CA", "value": "ca"}]
    assert typed.message is None


async def test_links_are_signed_and_expire(pair):
    await pair.ask(deferred, attachments=[("cat.png", PNG)])
    url = pair.bot.seen[0].namespace.image1.url
    http = pair.bot.http
    assert await http.get_from_cdn(url) == PNG
    assert await refusal(http.get_from_cdn(url.replace("hm=", "hm=0"))) == (404, 0)
    pair.discord.move_clock(25 * 3600)
    assert await refusal(http.get_from_cdn(url)) == (404, 0)


async def test_many_at_once(pair):
    asked = await asyncio.gather(
        *(
            pair.discord.command("paint", {"prompt": str(n), "image2": ("cat.png", PNG)})
            for n in range(40)
        )
    )
    await asyncio.gather(*(one.pictured() for one in asked))
    assert len({one.message.id for one in asked}) == 40
    for one in asked:
        pair.discord.forget(one)
    assert len(pair.discord.interactions) == 0
    assert pair.discord.messages.all(asking.CHANNEL) == []
    assert len(pair.discord.cdn) == 0
