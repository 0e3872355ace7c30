"""What a message may carry, where it may go: real discord.py against the stand-in."""

import discord
import pytest
from discord.ext import commands

from sandbox.wirecord import asking
from tests.contract import wirecord_bot
from tests.contract.wirecord_bot import PNG, card, deferred, file, refusal

MIB = 1024 * 1024


@pytest.fixture
async def pair():
    async with wirecord_bot.pair() as both:
        both.discord.limits_off()
        yield both


@pytest.fixture
async def asked(pair):
    return await pair.ask(deferred, attachment_size_limit=10 * MIB)


@pytest.fixture
def edit(pair, asked):  # noqa: ARG001 (there is nothing to edit before)
    """Edit the answer by its token."""
    return pair.bot.seen[0].edit_original_response


@pytest.fixture
async def channel(pair, asked):
    return pair.bot.get_partial_messageable(asked.channel.id)


async def test_a_file_over_its_limit_is_refused_and_changes_nothing(asked, edit):
    await edit(content="before")
    too_large = refusal(edit(content="after", attachments=[file(bytes(10 * MIB + 1))]))
    assert await too_large == (413, 40005)
    assert asked.message.content == "before"
    assert asked.refusals == [("edit", 413, 40005)]
    await edit(attachments=[file(bytes(10 * MIB))])
    assert asked.message.attachments[0].size == 10 * MIB


async def test_a_request_over_25_mib_is_refused(asked, edit):
    three = [file(bytes(9 * MIB), f"{n}.png") for n in range(3)]
    assert await refusal(edit(attachments=three)) == (413, 40005)
    assert asked.message.loading


async def test_at_most_ten_files(edit):
    eleven = [file(name=f"{n}.png") for n in range(11)]
    assert await refusal(edit(attachments=eleven)) == (400, 30015)


async def test_what_is_not_listed_is_removed_and_what_is_not_said_stays(pair, asked, edit):
    await edit(attachments=[file(name="a.png"), file(name="b.png")])
    first = asked.message.attachments[0]
    kept = (await pair.bot.seen[0].original_response()).attachments
    await edit(attachments=[kept[1], file(b"new", "c.png")])
    assert [f.filename for f in asked.message.attachments] == ["b.png", "c.png"]
    assert pair.discord.cdn.read(first.id) is None
    await edit(content="words")
    assert len(asked.message.attachments) == 2
    await edit(attachments=[])
    assert asked.message.attachments == []


async def test_descriptions_are_kept(asked, edit):
    await edit(attachments=[discord.File(wirecord_bot.io.BytesIO(PNG), "a.png", description="alt")])
    assert asked.message.attachments[0].description == "alt"


async def test_components_v2_is_a_one_way_door(pair, asked, edit):
    await edit(view=card())
    assert asked.message.v2
    assert await refusal(edit(content="words", view=None)) == (400, 50035)
    partial = pair.bot.get_partial_messageable(asked.channel.id).get_partial_message(
        asked.message.id
    )
    http = pair.bot.http
    with discord.http.handle_message_parameters(flags=discord.MessageFlags()) as form:
        assert await refusal(http.edit_message(asked.channel.id, partial.id, params=form)) == (
            400,
            50035,
        )
    assert asked.message.text == "a card"


async def test_the_first_version_turns_into_the_second_only_emptied(asked, edit):
    await edit(content="words")
    assert await refusal(edit(view=card())) == (400, 50035)
    await edit(content=None, embeds=[], view=card())
    assert asked.message.text == "a card"


def row(*ids):
    return discord.ui.ActionRow(*(discord.ui.Button(label="x", custom_id=i) for i in ids))


def layout(*items):
    view = discord.ui.LayoutView(timeout=None)
    for item in items:
        view.add_item(item)
    return view


WRONG = {
    "an unknown file": lambda: layout(
        discord.ui.MediaGallery(discord.MediaGalleryItem("attachment://nowhere.png"))
    ),
    "ids twice": lambda: layout(row("a", "a")),
    "an id too long": lambda: layout(row("a"), _long_id()),
    "too much text": lambda: layout(
        discord.ui.TextDisplay("x" * 2500), discord.ui.TextDisplay("y" * 1501)
    ),
    "no address": lambda: layout(
        discord.ui.MediaGallery(discord.MediaGalleryItem("ftp://example.org/x.png"))
    ),
    "an empty gallery": lambda: layout(discord.ui.MediaGallery()),
    "an empty row": lambda: layout(discord.ui.ActionRow()),
}


def _long_id():
    made = row("b")
    made.children[0]._underlying.custom_id = "x" * 101
    return made


@pytest.mark.parametrize("name", WRONG)
async def test_components_that_are_refused(asked, edit, name):
    assert await refusal(edit(view=WRONG[name]())) == (400, 50035)
    assert asked.message.loading


async def test_at_most_forty_components(pair, asked):
    text = {"type": 10, "content": "x"}
    http, flags = pair.bot.http, 1 << 15
    for count, outcome in ((40, None), (41, (400, 50035))):
        route = discord.http.Route("POST", f"/channels/{asked.channel.id}/messages")
        form = {"flags": flags, "components": [text] * count}
        assert await refusal(http.request(route, json=form)) == outcome


async def test_lengths_and_emptiness(channel):
    assert await refusal(channel.send("x" * 2001)) == (400, 50035)
    assert await refusal(channel.send("")) == (400, 50006)
    embed = discord.Embed(description="x" * 3500)
    assert await refusal(channel.send(embeds=[embed, embed])) == (400, 50035)


async def test_an_embeds_picture_is_not_among_the_attachments(channel):
    embed = discord.Embed(description="x").set_image(url="attachment://out.png")
    sent = await channel.send(embed=embed, file=file())
    assert sent.attachments == []
    assert sent.embeds[0].image.url.startswith("http://127.0.0.1")


async def test_a_nonce_holds_for_five_minutes(pair, channel):
    first = await channel.send("once", nonce="job-1")
    again = await channel.send("twice", nonce="job-1")
    other = await channel.send("other", nonce="job-2")
    assert first.id == again.id != other.id
    assert again.content == "once"
    pair.discord.move_clock(301)
    late = await channel.send("late", nonce="job-1")
    assert late.id != first.id
    assert await refusal(channel.send("x", nonce="x" * 26)) == (400, 50035)


async def test_a_channel_is_read_back(pair, asked, channel):
    sent = [await channel.send(str(n)) for n in range(3)]
    await sent[1].delete()
    await sent[0].edit(content="changed")
    # The spinner of the command is public, so it stands in the channel too.
    assert [m.content async for m in channel.history(limit=2)] == ["2", "changed"]
    assert [m.id async for m in channel.history(before=sent[0])] == [asked.message.id]
    assert [m.content async for m in channel.history(after=sent[0])] == ["2"]
    assert (await channel.fetch_message(sent[2].id)).author.id == pair.bot.user.id
    assert await refusal(channel.fetch_message(sent[1].id)) == (404, 10008)
    assert [m.content for m in pair.discord.messages.all(asked.channel.id)][1:] == ["changed", "2"]


async def test_direct_messages_and_who_refuses_them(pair):
    person = await pair.bot.fetch_user(asking.USER)
    sent = await person.send("hello")
    place = pair.discord.places.direct(asking.USER)
    assert [m.id for m in pair.discord.messages.all(place.id)] == [sent.id]
    pair.discord.refuse_direct(asking.USER)
    assert await refusal(person.send("hello")) == (403, 50007)
    stranger = await pair.bot.fetch_user(asking.USER + 1)
    pair.discord.refuse_direct(stranger.id, code=50278, at="open")
    assert await refusal(stranger.send("hello")) == (403, 50278)


async def test_an_unknown_channel(pair):
    assert await refusal(pair.bot.get_partial_messageable(7).send("x")) == (404, 10003)


async def test_an_unknown_route(pair):
    with pytest.raises(discord.NotFound):
        await pair.bot.http.request(discord.http.Route("GET", "/guilds/1/nothing"))
    assert isinstance(pair.bot, commands.AutoShardedBot)
