"""A remix again a day later: every source of its images, each made impossible in turn.

Discord's addresses expire here as they do there, and HiAPI's stand-in fetches no private ones.
"""

import asyncio
import dataclasses
from urllib.parse import urlsplit

import aiohttp
import pytest
import sqlalchemy as sa

from bot import images
from bot.ledger import schema
from bot.model import Delivery, Reference
from sandbox.wirecord import asking, faults
from tests.flow import wired
from tests.flow.studio import eventually, image, painted

RED = image("red", size=(640, 480))
HANDED_IN = {"prompt": "as a mosaic", "image1": ("a.png", RED)}
FOLLOW_UP = "POST /webhooks/{app}/{token}"
GONE = "**The images you handed in are not kept that long.**\nUse /remix and hand them in again."
FOREIGN = "**The images of this picture are someone else's and cannot be used again.**"
ALONE = {"owners": {"1": asking.USER}, "channel": asking.CHANNEL + 9}


@pytest.fixture
def open_wired(tmp_path):
    return lambda **changes: wired.opened(tmp_path, **changes)


async def remixed(world, options=HANDED_IN, **how):
    """A finished remix whose images lie a day and an hour back."""
    first = await world.command("remix", options, **how)
    assert len(wired.galleries(first.message)) == 1, first.text
    world.clock.move(wired.DAY + 3600)
    world.fetched.clear()
    return first


def pictured(world, asked, *references: bytes) -> bool:
    """Whether the answer shows what HiAPI made of these images."""
    [attachment] = asked.message.attachments
    return world.discord.cdn.read(attachment.id) == painted(world.tasks[-1], *references)


async def amended(world, asked, **changes) -> None:
    """The references of an ask, changed as another way of asking would have written them."""
    reply = await world.reply(asked)
    refs = [
        dataclasses.replace(each, **changes).dump() for each in reply.jobs[0].request.references
    ]
    query = sa.update(schema.jobs).where(schema.jobs.c.reply_id == reply.id).values(refs=refs)
    await world.app.ledger.run(lambda conn: conn.execute(query))


async def nothing_came_of(world, pressed, *, said) -> None:
    """Refused privately; nothing is counted, asked for or left standing."""
    answers = [m for m in (pressed.message, *pressed.followups) if m and not m.deleted]
    assert [(m.ephemeral, m.text) for m in answers if m is not pressed.source] == [(True, said)]
    assert len(world.tasks) == await world.counted() == 1
    reply = await world.reply(pressed)
    assert reply is None or reply.delivery is Delivery.WITHDRAWN


# --- each source ----------------------------------------------------------------------------------


async def test_an_address_that_lives_is_used_as_it_is(open_wired):
    async with open_wired() as world:
        first = await world.command("remix", HANDED_IN)
        [address] = world.fetched
        world.clock.move(12 * 3600)
        again = await world.press(first.message, "again")
        assert world.fetched == [address] * 2
        assert again.followups == []
        assert pictured(world, again, RED)


async def test_an_address_that_may_die_in_the_queue_is_renewed(open_wired):
    async with open_wired() as world:
        first = await world.command("remix", HANDED_IN)
        world.clock.move(wired.DAY - 3600)
        again = await world.press(first.message, "again")
        assert len(set(world.fetched)) == 2
        assert pictured(world, again, RED)


async def test_an_address_that_may_die_in_the_queue_is_better_than_none(open_wired):
    async with open_wired(keep_originals_days=0) as world:
        first = await world.command("remix", HANDED_IN)
        world.clock.move(wired.DAY - 3600)
        again = await world.press(first.message, "again")
        assert len(set(world.fetched)) == 1
        assert pictured(world, again, RED)


@pytest.mark.parametrize("private", [False, True])
async def test_kept_images_are_uploaded_where_only_their_owner_sees_them(open_wired, private):
    async with open_wired() as world:
        first = await remixed(world, HANDED_IN | {"private": private})
        again = await world.press(first.message, "again")
        [address] = world.fetched
        [upload] = again.followups
        assert upload.ephemeral
        assert upload.text == "The images for your new picture"
        assert str(upload.attachments[0].id) in address
        assert "/ephemeral-attachments/" in address
        assert again.message.ephemeral == private
        assert pictured(world, again, RED)
        assert again.refusals == []


async def test_the_card_stands_before_the_upload_so_that_this_stays_private(open_wired):
    async with open_wired() as world:
        first = await remixed(world)
        again = await world.press(first.message, "again")
        assert "In the queue" in str(again.edits[0].payload)
        assert not again.message.ephemeral
        assert [edit.files for edit in again.edits[:1]] == [()]


async def test_images_that_one_message_cannot_hold_take_two(open_wired):
    padded = [image(c)[:-12] + bytes(9 * 2**20) + image(c)[-12:] for c in ("red", "lime", "blue")]
    given = {f"image{n}": (f"{n}.png", data) for n, data in enumerate(padded, start=1)}
    async with open_wired() as world:
        first = await remixed(world, {"prompt": "mix"} | given)
        again = await world.press(first.message, "again")
        assert [len(message.attachments) for message in again.followups] == [2, 1]
        assert [urlsplit(u).path.rpartition("/")[2] for u in world.tasks[-1].order.input_urls] == [
            "1.png",
            "2.png",
            "3.png",
        ]
        assert pictured(world, again, *padded)


async def test_an_image_found_in_a_message_is_read_there_again(open_wired):
    async with open_wired() as world:
        shown = await world.command("imagine", {"prompt": "a red fox"})
        [attachment] = shown.message.attachments
        fox = world.discord.cdn.read(attachment.id)
        first = await remixed(world)
        await amended(
            world,
            first,
            url=world.discord.cdn.url(attachment),
            channel_id=shown.channel.id,
            message_id=shown.message.id,
            digest=None,
            owner=None,
        )
        world.clock.move(wired.DAY + 3600)
        again = await world.press(first.message, "again")
        assert str(attachment.id) in world.fetched[-1]
        assert again.followups == []
        assert pictured(world, again, fox)


async def test_a_message_that_may_not_be_read_any_more_gives_nothing(open_wired):
    async with open_wired() as world:
        shown = await world.command("imagine", {"prompt": "a red fox"})
        first = await remixed(world)
        await amended(world, first, channel_id=shown.channel.id, message_id=shown.message.id)
        look = "GET /channels/{channel}/messages/{message}"
        refused = world.discord.fault(faults.refuse(403, code=50001), on=look)
        again = await world.press(first.message, "again")
        assert refused.fired == 1
        assert len(again.followups) == 1
        assert pictured(world, again, RED)


@pytest.mark.parametrize("how", ["linked", "refused"])
async def test_a_message_that_was_deleted_gives_nothing(open_wired, how):
    async with open_wired(public_url=wired.PUBLIC if how == "linked" else "") as world:
        first = await remixed(world)
        digest = {} if how == "linked" else {"digest": None}
        await amended(world, first, channel_id=first.channel.id, message_id=1234 << 22, **digest)
        world.discord.fault(faults.refuse(403, code=50013), on=FOLLOW_UP, times=how == "linked")
        again = await world.press(first.message, "again")
        if how == "linked":
            assert world.fetched[-1].startswith(wired.PUBLIC)
            assert pictured(world, again, RED)
        else:
            await nothing_came_of(world, again, said=GONE)


async def test_where_discord_takes_no_upload_the_kept_bytes_are_linked(open_wired):
    async with open_wired(public_url=wired.PUBLIC) as world:
        first = await remixed(world)
        world.discord.fault(faults.refuse(403, code=50013), on=FOLLOW_UP)
        again = await world.press(first.message, "again")
        [address] = world.fetched
        assert address.startswith(f"{wired.PUBLIC}/kept/")
        assert again.followups == []
        assert pictured(world, again, RED)
        # A day later the link is dead like any other address, and the upload works again.
        world.clock.move(wired.DAY)
        third = await world.press(again.message, "again")
        assert len(third.followups) == 1
        assert pictured(world, third, RED)


async def test_a_link_opens_one_picture_until_its_end(open_wired):
    async with open_wired(public_url=wired.PUBLIC) as world:
        first = await remixed(world)
        world.discord.fault(faults.refuse(403, code=50013), on=FOLLOW_UP)
        await world.press(first.message, "again")
        path = urlsplit(world.fetched[0]).path
        base = f"http://127.0.0.1:{world.app.web.port}"
        async with aiohttp.ClientSession() as session:
            async with session.get(base + path) as answer:
                assert (answer.status, await answer.read()) == (200, RED)
                assert answer.content_type == "image/png"
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
            changed = path[:-1] + ("A" if path[-1] != "A" else "B")
            for other in ("/kept/", "/kept", "/kept/..", changed, path[:-1], path + "A"):
                async with session.get(base + other) as answer:
                    assert answer.status == 404, other
            world.clock.move(4 * 3600 + 60)
            async with session.get(base + path) as answer:
                assert (answer.status, await answer.read()) == (404, b"")


@pytest.mark.parametrize("private", [False, True])
async def test_where_nothing_is_possible_it_is_said_before_anything_is_spent(open_wired, private):
    async with open_wired() as world:
        first = await remixed(world, HANDED_IN | {"private": private})
        world.discord.fault(faults.refuse(403, code=50013), on=FOLLOW_UP)
        again = await world.press(first.message, "again")
        await nothing_came_of(world, again, said=GONE)


@pytest.mark.parametrize(
    ("changes", "days"),
    [({"keep_originals_days": 0}, 1), ({}, 31), ({"keep_originals_days": 2}, 3)],
)
async def test_what_is_not_kept_is_said_in_place_of_the_acknowledgement(open_wired, changes, days):
    async with open_wired(public_url=wired.PUBLIC, **changes) as world:
        first = await remixed(world)
        world.clock.move(days * wired.DAY)
        await world.app.keeper.step()
        again = await world.press(first.message, "again")
        assert again.answered == 4
        await nothing_came_of(world, again, said=GONE)


async def test_after_a_restart_too(open_wired):
    async with open_wired() as world:
        await remixed(world)
    # The stand-ins ended with the first process; the ledger and the kept files are what is left.
    async with open_wired() as world:
        reply = await world.app.ledger.run(lambda conn: conn.scalar(sa.select(schema.replies.c.id)))
        card = await world.command("imagine", {"prompt": "a red fox"})
        world.clock.move(wired.DAY + 3600)
        own = (await world.reply(card)).id
        for part in card.message.components[0]["components"]:
            for item in part.get("components", []):
                item["custom_id"] = item["custom_id"].replace(own, reply)
        again = await world.press(card.message, "again")
        assert len(again.followups) == 1
        assert pictured(world, again, RED)


async def test_a_person_with_the_app_alone_has_five_messages_and_one_is_enough(open_wired):
    async with open_wired() as world:
        first = await remixed(world, **ALONE)
        again = await world.press(first.message, "again", **ALONE)
        assert len(again.followups) == 1
        assert pictured(world, again, RED)
        world.clock.move(wired.DAY + 3600)
        world.discord.fault(faults.refuse(400, code=40094), on=FOLLOW_UP)
        refused = await world.press(again.message, "again", **ALONE)
        assert GONE in [message.text for message in refused.followups]


# --- someone else's images ------------------------------------------------------------------------


async def test_nobody_is_shown_the_images_that_someone_else_handed_in(open_wired):
    async with open_wired() as world:
        first = await remixed(world)
        again = await world.press(first.message, "again", user=wired.STRANGER)
        assert again.answered == 4
        assert again.text.startswith(FOREIGN)
        assert len(world.tasks) == await world.counted() == 1


async def test_but_hiapi_may_fetch_them_for_others_too(open_wired):
    async with open_wired(public_url=wired.PUBLIC) as world:
        first = await remixed(world)
        theirs = await world.press(first.message, "again", user=wired.STRANGER)
        assert theirs.followups == []
        assert pictured(world, theirs, RED)
        # Their own picture now, and still not their images.
        world.clock.move(wired.DAY + 3600)
        again = await world.press(theirs.message, "again", user=wired.STRANGER)
        assert again.followups == []
        assert world.fetched[-1].startswith(f"{wired.PUBLIC}/kept/")
        assert pictured(world, again, RED)


async def test_a_private_remix_is_nobody_elses_to_ask_for(open_wired):
    async with open_wired(public_url=wired.PUBLIC) as world:
        first = await remixed(world, HANDED_IN | {"private": True})
        pressed = await world.press(first.message, "again", user=wired.STRANGER)
        assert pressed.text.startswith("**The bot does not remember this picture.**")
        assert len(world.tasks) == 1


# --- a crash --------------------------------------------------------------------------------------


async def test_what_has_no_address_yet_is_never_sent_by_a_process_that_comes_later(open_wired):
    async with open_wired() as world:
        first = await remixed(world)
        held = world.discord.fault(faults.Slow(60), on=FOLLOW_UP)
        [custom_id] = [each for each in first.message.custom_ids if ":again:" in each]
        again = await world.discord.click(first.message, custom_id)
        await eventually(lambda: held.fired)
        for answering in world.answering():
            answering.cancel()  # it ends here as with its process: nothing is tidied up
        await eventually(lambda: not world.answering())
        # Another process finds it a minute later: the card of a request that waits stands there.
        world.clock.move(61)
        assert await world.app.recovery.step() == 1
        await world.finish()
        assert len(world.tasks) == await world.counted() == 1
        assert again.text.startswith("### The bot was restarted before")
        assert not again.message.deleted


# --- beside the picture ---------------------------------------------------------------------------


async def asked_to_show(world, *, spoiler=False, options=HANDED_IN):
    """A remix whose person lets others see the images, shown."""
    asked = await world.discord.command("remix", options)
    await asked.acknowledged()
    await eventually(world.idle)
    values = {"show_references": True, "spoiler": spoiler}
    query = sa.update(schema.replies).where(schema.replies.c.interaction_id == asked.id)
    await world.app.ledger.run(lambda conn: conn.execute(query.values(**values)))
    await world.finish()
    return asked


async def test_images_are_shown_only_if_the_person_says_so(open_wired):
    async with open_wired() as world:
        hidden = await world.command("remix", HANDED_IN)
        assert len(wired.galleries(hidden.message)) == 1
        assert "From these images" not in hidden.text
        shown = await asked_to_show(world)
        [pictures, references] = wired.galleries(shown.message)
        assert len(pictures) == len(references) == 1
        assert "-# From these images" in shown.text
        [_, small] = shown.message.attachments
        seen = images.probe(world.discord.cdn.read(small.id))
        assert (seen.format, seen.width, seen.height) == ("webp", 512, 384)


async def test_they_are_blurred_like_the_picture(open_wired):
    async with open_wired() as world:
        shown = await asked_to_show(world, spoiler=True)
        assert [[item["spoiler"] for item in each] for each in wired.galleries(shown.message)] == [
            [True],
            [True],
        ]
        assert all(each.filename.startswith("SPOILER_") for each in shown.message.attachments)


async def test_what_cannot_be_read_any_more_is_left_out_and_the_picture_comes(open_wired):
    async with open_wired(keep_originals_days=0) as world:
        shown = await asked_to_show(world)
        # The only address is private, as the bot sees it: it calls no such thing.
        assert len(wired.galleries(shown.message)) == 1
        assert pictured(world, shown, RED)


async def test_another_who_asks_again_shows_nothing_of_it(open_wired):
    async with open_wired(public_url=wired.PUBLIC) as world:
        shown = await asked_to_show(world)
        again = await world.press(shown.message, "again", user=wired.STRANGER)
        assert len(wired.galleries(again.message)) == 1
        mine = await world.press(shown.message, "again")
        assert len(wired.galleries(mine.message)) == 2


def test_a_reference_without_what_came_later_is_read_as_before():
    old = {"url": "https://cdn.example/a.png", "filename": "a.png"}
    assert Reference.load(old).dump() == old


async def test_a_disk_that_keeps_nothing_costs_no_picture(open_wired, tmp_path):
    (tmp_path / "kept").write_text("in the way")
    async with open_wired() as world:
        first = await world.command("remix", HANDED_IN)
        assert pictured(world, first, RED)
        assert (await world.reply(first)).delivery is Delivery.DELIVERED
        await asyncio.sleep(0)
