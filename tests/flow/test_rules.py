"""/easel: moderators set their server's rules, and the next request feels them."""

import discord
import pytest
from simcord import SetupError

from bot.allowance import Caps
from bot.ledger import servers
from tests.flow.studio import image
from tests.flow.test_history import Shown
from tests.flow.test_remix_menus import field

RED = image("red")
FORMS = {
    "places": "Places and roles",
    "limits": "Limits",
    "words": "Words and retention",
    "pictures": "Pictures",
    "log": "Log channel",
}


@pytest.fixture
def moderator(studio):
    return moderating(studio)


def moderating(studio, name="mod"):
    role = studio.member.guild.create_role(
        f"{name}s", permissions=discord.Permissions(manage_guild=True)
    )
    return studio.member.guild.add_member(studio.env.create_user(name), roles=[role])


async def easel(studio, who, command, **options):
    result = await who.slash(studio.channel, f"easel {command}", **options)
    assert result.ephemeral
    return Shown(result)


async def opened(shown, who, form):
    return await who.click(shown.message, label=FORMS[form])


async def fill(studio, who, form, **values):
    """Open the panel and one of its forms, fill it in, and look at what is said."""
    shown = await easel(studio, who, "settings")
    result = await who.submit_modal(await opened(shown, who, form), values)
    assert result.acknowledged
    return shown, result


async def house(studio):
    return await studio.app.ledger.run(servers.house, studio.channel.guild.id)


async def refusal(studio, who=None, prompt="a fox", **options):
    said = studio.said(await studio.imagine(prompt, who=who, **options))
    assert said.startswith("**")
    return said


# Who may ------------------------------------------------------------------------------------------


async def test_the_panel_tells_every_rule_in_words(studio, moderator):
    shown = await easel(studio, moderator, "settings")
    assert "**Channels**: everywhere" in shown.text
    assert "**Limit of each member**: \u2013\n" in shown.text
    assert "Last changes" not in shown.text
    assert (
        "**Words that are not allowed**: \u2013\n**Requests are forgotten**: after 365"
        in shown.text
    )
    assert list(shown.buttons) == list(FORMS.values())


async def test_a_plain_member_is_not_even_shown_the_commands(studio):
    with pytest.raises(SetupError):
        await easel(studio, studio.member, "settings")


async def test_whoever_manages_the_server_no_more_changes_nothing(studio, moderator):
    """Discord's own settings may show the command to anybody: the bot looks for itself."""
    shown = await easel(studio, moderator, "settings")
    form = await opened(shown, moderator, "words")
    [role] = [each for name, each in studio.member.guild.roles.items() if name == "mods"]
    role._role.permissions = 0
    late = await moderator.submit_modal(form, {"words": "badword"})
    assert "Only moderators can see and change these rules." in late.followups[0].content
    assert "badword" in late.followups[0].content
    pressed = await opened(shown, moderator, "words")
    assert "Only moderators" in studio.said(pressed)
    assert (await house(studio)).blocked_words == ()


# Each rule, set and felt --------------------------------------------------------------------------


async def test_channels_and_roles(studio, moderator):
    other = studio.channel.guild.create_text_channel("other")
    artists = studio.channel.guild.create_role("artists")
    shown, _ = await fill(studio, moderator, "places", channels=[other])
    assert f"**Channels**: <#{other.id}>" in shown.text
    assert f"<@{moderator.id}>" in shown.text
    assert "Pictures are not made in this channel." in await refusal(studio)
    assert (await studio.member.slash(other, "imagine", prompt="a fox")).deferred
    await fill(studio, moderator, "places", roles=[artists])
    assert f"<@&{artists.id}>" in await refusal(studio)
    artist = studio.member.guild.add_member(studio.env.create_user("artist"), roles=[artists])
    assert (await studio.imagine(who=artist)).deferred
    shown, _ = await fill(studio, moderator, "places")
    assert "**Channels**: everywhere\n**Roles**: everybody" in shown.text
    assert (await studio.imagine()).deferred


async def test_limits_of_the_server_its_members_and_a_role(studio, moderator):
    artists = studio.channel.guild.create_role("artists")
    shown, _ = await fill(
        studio, moderator, "limits", server="4/day", member="1/day", role=[artists], cap="2/day"
    )
    assert "**Limit of the whole server**: 4/day\n**Limit of each member**: 1/day" in shown.text
    artist = studio.member.guild.add_member(studio.env.create_user("artist"), roles=[artists])
    await studio.imagine()
    assert (
        "This would go beyond your limit for pictures, which is 1. Used so far: 1."
        in await refusal(studio)
    )
    await studio.imagine(who=artist, count=2)
    assert "which is 2. Used so far: 2." in await refusal(studio, artist)
    await studio.imagine(who=studio.someone("third"))
    assert "This server has used up its pictures" in await refusal(studio, studio.someone("last"))
    # The role's limit goes with an empty one.
    await fill(studio, moderator, "limits", server="", member="1/day", role=[artists], cap="")
    assert (await house(studio)).role_caps == ()
    assert "which is 1. Used so far: 2." in await refusal(studio, artist)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"server": "100 a day"}, "The bot cannot read the limit of the whole server."),
        ({"member": "1/day, 2/day"}, "The bot cannot read the limit of each member."),
        ({"cap": "lots"}, "The bot cannot read the limit of the role."),
        ({"cap": "5/day"}, "A role's limit needs its role."),
    ],
)
async def test_a_limit_that_cannot_be_read_comes_back(studio, moderator, typed, said):
    _, result = await fill(studio, moderator, "limits", **typed)
    [told] = result.followups
    assert told.ephemeral
    assert said in told.content
    assert next(iter(typed.values())) in told.content
    assert (await house(studio)).caps_of([]) == Caps()


async def test_words(studio, moderator):
    shown, _ = await fill(studio, moderator, "words", words="badword\n\n  worse*  \nbadword")
    assert "**Words that are not allowed**: 2 words" in shown.text
    assert "badword" not in shown.text
    said = await refusal(studio, prompt="a B A D W O R D")
    assert said.startswith("**`B A D W O R D` is not allowed here.**\nReword it")
    assert "**`worsening` is not allowed" in await refusal(studio, prompt="the worsening")
    assert (await studio.imagine("a fox")).deferred
    form = await opened(shown, moderator, "words")
    assert field(form, "words")["value"] == "badword\nworse*"
    many = "\n".join(f"w{number}" for number in range(201))
    _, result = await fill(studio, moderator, "words", words=many)
    assert "These are too many words." in result.followups[0].content
    assert len((await house(studio)).blocked_words) == 2


async def test_days_until_requests_are_forgotten(studio, moderator):
    shown, _ = await fill(studio, moderator, "words", words="badword", days=" 30 ")
    assert "**Requests are forgotten**: after 30 days" in shown.text
    assert (await house(studio)).retention_days == 30
    assert field(await opened(shown, moderator, "words"), "days")["value"] == "30"
    _, result = await fill(studio, moderator, "words", words="badword", days="ever")
    assert "The bot cannot read this number of days." in result.followups[0].content
    shown, _ = await fill(studio, moderator, "words", words="badword")
    assert "**Requests are forgotten**: after 365 days (the bot's rule)" in shown.text
    assert (await house(studio)).retention_days is None


# More than one ------------------------------------------------------------------------------------


async def test_the_rules_outlive_the_process_and_so_does_the_panel(studio, moderator):
    shown, _ = await fill(studio, moderator, "words", words="badword")
    async with studio.restarted():
        assert "`badword` is not allowed" in await refusal(studio, prompt="badword")
        form = await opened(shown, moderator, "limits")
        await moderator.submit_modal(form, {"member": "5/day"})
        assert "**Limit of each member**: 5/day" in shown.text
        assert "1 word" in shown.text


async def test_two_moderators_at_once(studio, moderator):
    second = moderating(studio, "second")
    shown = [await easel(studio, who, "settings") for who in (moderator, second)]
    words = await opened(shown[0], moderator, "words")
    limits = await opened(shown[1], second, "limits")
    late = await opened(shown[1], second, "words")
    # Different rules: both count.
    await moderator.submit_modal(words, {"words": "badword"})
    await second.submit_modal(limits, {"member": "5/day"})
    assert (await house(studio)).blocked_words == ("badword",)
    assert (await house(studio)).member_caps == "5/day"
    # The same: the second did not see what the first one wrote, and is told with the words back.
    result = await second.submit_modal(late, {"words": "other"})
    [told] = result.followups
    assert "Somebody else changed these rules meanwhile." in told.content
    assert "other" in told.content
    assert (await house(studio)).blocked_words == ("badword",)
    both = await easel(studio, moderator, "settings")
    assert f"<@{moderator.id}>" in both.text
    assert f"<@{second.id}>" in both.text


# Blocks and usage ---------------------------------------------------------------------------------


async def test_a_blocked_member_may_not_ask_until_it_is_lifted(studio, moderator):
    shown = await easel(studio, moderator, "blocks")
    assert "Nobody is blocked." in shown.text
    shown = await easel(studio, moderator, "block", member=studio.member, reason="too *many*")
    line = f"<@{studio.member.id}> · until somebody lifts it · too \\*many\\*"
    assert f"{line} · by <@{moderator.id}>" in shown.text
    assert "**A moderator has blocked you here.**\nReason: too *many*" in await refusal(studio)
    assert (await studio.imagine(who=studio.someone("other"))).deferred
    async with studio.restarted():
        assert "**A moderator has blocked you here.**\nReason: too *many*" in await refusal(studio)
        await easel(studio, moderator, "unblock", member=studio.member)
        assert (await studio.imagine()).deferred
        again = await moderator.slash(studio.channel, "easel unblock", member=studio.member)
        assert "This member is not blocked." in studio.said(again)


async def test_a_block_for_some_hours_ends_by_itself(studio, moderator):
    await easel(studio, moderator, "block", member=studio.member, reason="a break.", hours=2)
    until = int(studio.clock().timestamp()) + 2 * 3600
    said = f"**A moderator has blocked you here until <t:{until}:f>.**\nReason: a break"
    assert (await refusal(studio)) == said
    studio.clock.move(2 * 3600)
    assert (await studio.imagine()).deferred
    assert "Nobody is blocked." in (await easel(studio, moderator, "blocks")).text


async def test_moderators_see_who_used_most(studio, moderator):
    assert "Nobody yet." in (await easel(studio, moderator, "usage")).text
    other = studio.someone("other")
    await studio.imagine()
    await studio.imagine(who=other, count=3)
    shown = await easel(studio, moderator, "usage")
    assert "**This server today**\nPictures: 4" in shown.text
    most = shown.text.partition("**Most used this month**\n")[2]
    assert most == f"<@{other.id}> · 3 pictures\n<@{studio.member.id}> · 1 picture"


# Defaults, hands and others' images ---------------------------------------------------------------

# What the form has ticked at first.
TICKED = ["remix_messages", "remix_avatars"]


async def pictures(studio, who, **values):
    standard = {name: ["default"] for name in ("imagine_ratio", "remix_ratio", "resolution")}
    return await fill(studio, who, "pictures", **{**standard, "options": TICKED, **values})


async def asked_for(studio, result):
    request = (await studio.reply(result)).jobs[0].request
    return request.aspect_ratio, request.resolution, result.ephemeral


async def test_the_servers_defaults_come_after_a_persons_own(studio, moderator):
    await pictures(
        studio,
        moderator,
        imagine_ratio=["16:9"],
        remix_ratio=["3:2"],
        resolution=["2K"],
        options=[*TICKED, "private"],
    )
    assert await asked_for(studio, await studio.imagine()) == ("16:9", "2K", True)
    remixed = await studio.remix(image1=("red.png", RED))
    assert await asked_for(studio, remixed) == ("3:2", "2K", True)
    said = await studio.imagine(aspect_ratio="1:1", resolution="1K", private=False)
    assert await asked_for(studio, said) == ("1:1", "1K", False)
    await studio.app.tastes.change(studio.member.id, {"imagine_ratio": "4:5", "resolution": "1K"})
    assert await asked_for(studio, await studio.imagine()) == ("4:5", "1K", True)
    message = await studio.member.send(studio.channel, "look", attachments=[("red.png", RED)])
    form = await studio.member.context_menu(studio.channel, "Remix", message)
    assert chosen(form, "ratio") == ["3:2"]
    assert chosen(form, "options") == ["sharp", "private"]
    # The form shows what is set, and all of it can be taken back.
    shown, _ = await pictures(studio, moderator)
    form = await opened(shown, moderator, "pictures")
    assert chosen(form, "imagine_ratio") == ["default"]
    assert chosen(form, "options") == TICKED
    other = await studio.imagine(who=studio.someone("other"))
    assert await asked_for(studio, other) == ("1:1", "1K", False)


def chosen(form, name):
    options = field(form, name)["options"]
    return [option["value"] for option in options if option.get("default")]


async def test_buttons_for_whoever_asked_and_moderators_alone(studio, moderator):
    asked = await studio.imagine()
    await studio.finish()
    stranger = studio.someone("stranger")
    assert (await stranger.click(asked.response, label="Again")).deferred
    await pictures(studio, moderator, options=[*TICKED, "hands"])
    for label in ("Again", "Edit prompt", "Remix this"):
        said = studio.said(await stranger.click(asked.response, label=label))
        assert said.startswith("**In this server the buttons are for whoever asked.**")
    studio.clock.move(60)
    assert (await studio.member.click(asked.response, label="Again")).deferred
    deleting = studio.channel.guild.create_role(
        "janitors", permissions=discord.Permissions(manage_messages=True)
    )
    janitor = studio.channel.guild.add_member(studio.env.create_user("j"), roles=[deleting])
    assert (await janitor.click(asked.response, label="Again")).deferred


async def test_others_messages_and_avatars_are_spared_and_ones_own_are_not(studio, moderator):
    friend = studio.someone("friend")
    theirs = await friend.send(studio.channel, "look", attachments=[("red.png", RED)])
    mine = await studio.member.send(studio.channel, "look", attachments=[("red.png", RED)])
    card = await studio.imagine()
    await studio.finish()
    await pictures(studio, moderator, options=["remix_avatars"])
    for message in (theirs, card.response):
        who = studio.member if message is theirs else friend
        said = studio.said(await who.context_menu(studio.channel, "Remix", message))
        assert said.startswith("**In this server you can only remix your own messages.**")
    for message in (mine, card.response):
        assert field(await studio.member.context_menu(studio.channel, "Remix", message), "prompt")
    assert field(await studio.member.context_menu(studio.channel, "Remix avatar", friend), "prompt")
    await pictures(studio, moderator, options=["remix_messages"])
    assert field(await studio.member.context_menu(studio.channel, "Remix", theirs), "prompt")
    said = studio.said(await studio.member.context_menu(studio.channel, "Remix avatar", friend))
    assert said.startswith("**In this server you can only remix your own avatar.**")
    assert field(
        await studio.member.context_menu(studio.channel, "Remix avatar", studio.member), "prompt"
    )
