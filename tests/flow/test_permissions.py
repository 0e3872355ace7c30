"""Before anything is spent the bot looks whether it may answer here, and names what is missing."""

import discord
import pytest
import simcord

from bot.ledger import schema, servers
from bot.permits import NAMES, Permit
from sandbox.wirecord import asking
from tests.flow import wired
from tests.flow.studio import image
from tests.flow.test_history import Shown
from tests.flow.test_rules import easel, moderating

WHERE = "Edit Channel → Permissions"
WITHOUT_FILES = discord.Permissions.all_channel().value & ~discord.Permissions.attach_files.flag


def denied(studio, *names, **options):
    """A channel of the same server in which the bot may do all but these."""
    overwrite = discord.PermissionOverwrite(**dict.fromkeys(names, False))
    guild = studio.member.guild
    return guild.create_text_channel(
        "locked", overwrites={studio.env.bot.user: overwrite}, **options
    )


async def nothing_happened(studio):
    assert await studio.counted() == 0
    assert studio.tasks == ()
    rows = await studio.app.ledger.read(lambda conn: conn.execute(schema.replies.select()).all())
    assert rows == []


@pytest.mark.parametrize("permit", [Permit.VIEW, Permit.SEND, Permit.ATTACH])
async def test_a_missing_permission_is_named_before_anything_is_written(studio, permit):
    channel = denied(studio, permit)
    result = await studio.member.slash(channel, "imagine", prompt="a fox")
    said = studio.said(result)
    assert f"lacks a permission in this channel: {NAMES[permit]}.**" in said
    assert WHERE in said
    await nothing_happened(studio)


async def test_all_that_are_missing_are_named_at_once(studio):
    channel = denied(studio, "send_messages", "attach_files")
    said = studio.said(await studio.member.slash(channel, "imagine", prompt="a fox"))
    assert "Send Messages, Attach Files.**" in said


async def test_a_private_answer_needs_no_right_to_write(studio):
    channel = denied(studio, "view_channel", "send_messages")
    said = studio.said(await studio.member.slash(channel, "imagine", prompt="a fox"))
    assert "private: True" in said
    result = await studio.member.slash(channel, "imagine", prompt="a fox", private=True)
    await studio.finish()
    assert studio.shown(result).gallery


async def test_what_is_not_needed_is_not_asked_for(studio):
    channel = denied(studio, "read_message_history", "embed_links", "mention_everyone")
    result = await studio.member.slash(channel, "imagine", prompt="a fox")
    await studio.finish()
    assert studio.shown(result).gallery


async def test_in_a_thread_it_is_the_threads_permission(studio):
    for name, may in (("send_messages_in_threads", False), ("send_messages", True)):
        channel = denied(studio, name)
        made = studio.env.backend.create_thread(channel.id, "paint", studio.member.id)
        thread = simcord.ChannelHandle(studio.env, studio.member.guild, made)
        result = await studio.member.slash(thread, "imagine", prompt="a fox")
        if may:
            await studio.finish()
            assert studio.shown(result).gallery
        else:
            assert NAMES[Permit.SEND_IN_THREADS] in studio.said(result)


def told(asked):
    """What only this person reads."""
    found = [each for each in (asked.message, *asked.followups) if each and each.ephemeral]
    return "\n".join(each.content for each in found)


@pytest.mark.parametrize("verb", ["again", "2k"])
async def test_a_press_is_refused_like_a_command(tmp_path, verb):
    async with wired.opened(tmp_path) as desk:
        card = (await desk.command("imagine", {"prompt": "a fox"})).message
        asked = await desk.press(card, verb, app_permissions=WITHOUT_FILES)
        assert "lacks a permission in this channel: Attach Files." in told(asked)
        assert len(desk.hiapi.tasks.all) == 1


async def test_no_form_is_opened_for_an_answer_that_cannot_stand(studio):
    channel = denied(studio, "attach_files")
    message = await studio.member.send(channel, attachments=[("photo.png", image("red"))])
    result = await studio.member.context_menu(channel, "Remix", message)
    assert "Attach Files" in studio.said(result)


async def test_an_administrator_may_all(tmp_path):
    async with wired.opened(tmp_path) as desk:
        admin = discord.Permissions(administrator=True).value
        asked = await desk.command("imagine", {"prompt": "a fox"}, app_permissions=admin)
        assert asked.message.attachments


@pytest.mark.parametrize("place", ["dm", "guest"])
async def test_where_nothing_can_be_switched_on_nothing_is_asked_for(tmp_path, place):
    how = {"guild": None} if place == "dm" else {"owners": {"1": asking.USER}}
    settings = {"allow_dms": True, "allow_user_install": True}
    async with wired.opened(tmp_path, **settings) as desk:
        asked = await desk.command("imagine", {"prompt": "a fox"}, app_permissions=0, **how)
        assert asked.message.attachments


# /easel check -------------------------------------------------------------------------------------


async def checked(studio, who, channel=None):
    result = await who.slash(channel or studio.channel, "easel check")
    assert result.ephemeral
    return Shown(result).text


async def test_moderators_see_what_is_well(studio):
    text = await checked(studio, moderating(studio))
    for permit in (Permit.VIEW, Permit.SEND, Permit.ATTACH, Permit.HISTORY):
        assert f"**{NAMES[permit]}**" in text
    assert "❌" not in text
    assert WHERE not in text
    assert "not age-restricted" in text


@pytest.mark.parametrize("permit", [Permit.VIEW, Permit.SEND, Permit.ATTACH, Permit.HISTORY])
async def test_moderators_see_what_is_missing_and_where_to_add_it(studio, permit):
    text = await checked(studio, moderating(studio), denied(studio, permit))
    assert text.count("❌") == 1
    assert f"❌ **{NAMES[permit]}**" in text
    assert WHERE in text


async def test_the_servers_own_rules_are_looked_at_too(studio):
    moderator = moderating(studio)
    guild = studio.channel.guild.id
    other = studio.member.guild.create_text_channel("art")
    await studio.app.intake._houses.change(
        guild, user_id=moderator.id, channels=[other.id], roles=[77], log_channel=other.id
    )
    text = await checked(studio, moderator)
    assert "❌ **Pictures are not made in this channel.**" in text
    assert "<@&77>" in text
    assert f"✅ What happens is told in <#{other.id}>." in text
    assert "not made in this channel" not in await checked(studio, moderator, other)


async def test_a_server_that_the_operator_stopped_is_told_so(studio):
    moderator = moderating(studio)
    await studio.app.ledger.run(
        servers.block,
        guild_id=studio.channel.guild.id,
        user_id=servers.ALL,
        reason="spam",
        now=studio.clock(),
    )
    text = await checked(studio, moderator)
    assert "❌ **The people who run this bot have blocked this server.**" in text


async def test_a_plain_member_may_not_check(studio):
    with pytest.raises(simcord.SetupError):
        await easel(studio, studio.member, "check")
