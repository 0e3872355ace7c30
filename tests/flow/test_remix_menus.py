"""Remix from the Apps menu and from a card: what the form offers, what becomes of it."""

from datetime import timedelta

import pytest
from simcord import results

from sandbox import world
from tests.flow.studio import ACK, image, painted

RED, GREEN, BLUE = image("red"), image("green", kind="JPEG"), image("blue", kind="WEBP")
COLOURS = ("red", "green", "blue", "white", "black", "yellow")
PROMPT = "as a stained glass window"


def field(form, custom_id):
    """A field of an open form, or None, and the label around it."""
    for label in form.modal["components"]:
        if label["component"]["custom_id"] == custom_id:
            return label["component"] | {"about": label.get("description")}
    return None


def offered(form):
    """What the list of images says, in order."""
    return [option["label"] for option in field(form, "images")["options"]]


async def menu(studio, target, *, who=None, name="Remix"):
    return await (who or studio.member).context_menu(studio.channel, name, target)


async def submit(studio, form, *, who=None, prompt=PROMPT, ratio="auto", **fields):
    """Send the form; the images that are picked at first, if nothing else is said."""
    images = field(form, "images")
    if images and "images" not in fields:
        fields["images"] = [each["value"] for each in images["options"] if each.get("default")]
    values = {"prompt": prompt, "ratio": [ratio], **fields}
    return await (who or studio.member).submit_modal(form, values)


def refusal(result) -> str:
    """What only this person reads, which is all there is to read."""
    found = [each for each in (result.response, *result.followups) if each is not None]
    [said] = [each for each in found if each.ephemeral]
    return said.content


async def nothing_came_of_it(studio, *, jobs=0):
    assert await studio.submit() == 0
    assert [state for state in await studio.states() if state != "withdrawn"] == ["settled"] * jobs
    assert await studio.counted() == jobs
    assert len(studio.tasks) == jobs


async def carded(studio, **options):
    """A finished card."""
    result = await studio.imagine(**options)
    await studio.finish()
    return result


# --- the message menu -----------------------------------------------------------------------------


async def test_one_image_is_not_asked_for_and_becomes_a_picture(studio):
    message = await studio.member.send(studio.channel, attachments=[("photo.png", RED)])
    form = await menu(studio, message)
    assert form.modal["title"] == "Remix photo.png"
    assert field(form, "images") is None
    assert not field(form, "options")["options"][1].get("default")
    result = await submit(studio, form)
    await studio.finish()
    [task] = studio.tasks
    assert (task.order.prompt, task.order.aspect_ratio, task.order.resolution) == (
        PROMPT,
        "auto",
        "1K",
    )
    assert studio.file(result) == painted(task, RED)
    assert not result.ephemeral
    reply = await studio.reply(result)
    assert (reply.made_from, reply.made_by) == (None, None)
    [reference] = reply.jobs[0].request.references
    assert (reference.channel_id, reference.message_id) == (studio.channel.id, message.id)


async def test_several_images_in_the_order_they_were_picked_then_the_uploads(studio):
    files = [("a.png", RED), ("b.jpg", GREEN), ("c.webp", BLUE)]
    message = await studio.member.send(studio.channel, "look", attachments=files)
    form = await menu(studio, message)
    assert form.modal["title"] == "Remix"
    assert offered(form) == ["1. a.png", "2. b.jpg", "3. c.webp"]
    white = image("white")
    result = await submit(
        studio, form, images=["2", "0"], ratio="16:9", more=[("w.png", white), ("r.png", RED)]
    )
    await studio.finish()
    [task] = studio.tasks
    assert task.order.aspect_ratio == "16:9"
    assert studio.file(result) == painted(task, BLUE, RED, white, RED)
    assert " · 4 images · " in studio.shown(result).footer


async def test_the_options_of_the_form(studio):
    neighbour = studio.someone("neighbour")
    message = await studio.member.send(studio.channel, attachments=[("a.png", RED)])
    form = await menu(studio, message)
    result = await submit(studio, form, options=["sharp", "private", "spoiler", "show"])
    assert result.ephemeral
    await studio.finish()
    assert studio.tasks[0].order.resolution == "2K"
    reply = await studio.reply(result)
    assert (reply.target.private, reply.spoiler, reply.show_references) == (True, True, True)
    assert [each.id for each in studio.messages(viewer=neighbour)] == [message.id]


async def test_five_are_picked_at_first_and_a_sixth_is_refused_with_the_words_given_back(studio):
    files = [(f"{colour}.png", image(colour)) for colour in COLOURS]
    message = await studio.member.send(studio.channel, attachments=files)
    form = await menu(studio, message)
    images = field(form, "images")
    assert images["max_values"] == 5
    assert [each["default"] for each in images["options"]] == [True] * 5 + [False]
    result = await submit(studio, form, more=[("more.png", RED)])
    assert refusal(result) == (
        "**This takes 1 to 5 images, you handed in 6.**\nAttach the images you want to remix.\n"
        f"Your words:\n```\n{PROMPT}\n```"
    )
    await nothing_came_of_it(studio)


@pytest.mark.parametrize("prompt", ["long " * 600, "with ```a fence``` in it", "é" * 4000])
async def test_words_that_do_not_fit_into_the_refusal_come_back_as_a_prompt_file(studio, prompt):
    files = [(f"{colour}.png", image(colour)) for colour in COLOURS]
    message = await studio.member.send(studio.channel, attachments=files)
    result = await submit(
        studio, await menu(studio, message), prompt=prompt, more=[("more.png", RED)]
    )
    told, words = result.response, result.followups[-1]
    assert told.content.startswith("**This takes 1 to 5 images")
    assert told.ephemeral
    assert words.ephemeral
    [file] = words.attachments
    assert file.filename == "prompt.txt"
    assert studio.env.backend.cdn.get(file.url).decode() == prompt
    await nothing_came_of_it(studio)


async def test_thirty_images_are_offered_as_far_as_the_list_goes(studio):
    files = [(f"{n}.png", RED) for n in range(30)]
    message = await studio.member.send(studio.channel, attachments=files)
    form = await menu(studio, message)
    assert len(offered(form)) == 25
    assert field(form, "images")["about"] == "The first 25 of 30."
    result = await submit(studio, form, images=["24"])
    await studio.finish()
    [reference] = (await studio.reply(result)).jobs[0].request.references
    assert reference.filename == "24.png"


async def test_what_cannot_be_used_is_named_and_left_out(studio):
    files = [("moves.gif", image(kind="GIF")), ("a.png", RED), ("notes.txt", b"no image")]
    message = await studio.member.send(studio.channel, attachments=files)
    form = await menu(studio, message)
    assert field(form, "prompt")["about"] == "Cannot be used: moves.gif"
    result = await submit(studio, form)
    await studio.finish()
    assert studio.file(result) == painted(studio.tasks[0], RED)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([], "**There is no image in this message.**"),
        ([("notes.txt", b"x")], "**There is no image in this message.**"),
        ([("a.gif", b"GIF89a")], "**`a.gif` is not an image that can be used.**"),
        ([("a.svg", b"<svg/>")], "**`a.svg` is not an image that can be used.**"),
    ],
)
async def test_a_message_without_an_image_that_can_be_used(studio, files, said):
    message = await studio.member.send(studio.channel, "only words", attachments=files)
    form = await menu(studio, message)
    assert form.modal is None
    assert refusal(form).startswith(said)


async def test_an_image_by_its_name_alone_is_found_out_before_anything_is_spent(studio):
    message = await studio.member.send(studio.channel, attachments=[("a.png", b"no picture" * 9)])
    result = await submit(studio, await menu(studio, message))
    assert refusal(result).startswith("**`a.png` cannot be read as an image.**")
    assert refusal(result).endswith(f"Your words:\n```\n{PROMPT}\n```")
    await nothing_came_of_it(studio)
    assert [each.id for each in studio.messages()] == [message.id]


async def test_a_strangers_address_is_never_called(studio):
    """What a link preview shows is Discord's copy, or nothing."""
    poster = studio.someone("poster")
    copy = f"https://{world.CDN}/external/abc/https/evil.example/a.png"
    studio.env.backend.cdn._blobs[copy] = RED
    stored = studio.env.backend.create_message(
        studio.channel.id,
        poster.id,
        "https://evil.example/a.png",
        embeds=[
            {"type": "image", "thumbnail": {"url": "https://evil.example/a.png"}},
            {
                "type": "image",
                "thumbnail": {"url": "https://evil.example/b.png", "proxy_url": copy},
            },
        ],
    )
    message = results.to_discord_message(studio.env, stored)
    result = await submit(studio, await menu(studio, message))
    await studio.finish()
    [task] = studio.tasks
    assert task.order.input_urls == (copy,)
    assert studio.file(result) == painted(task, RED)


async def test_a_forwarded_message(studio):
    message = await studio.member.send(studio.channel, attachments=[("a.png", RED)])
    forwarded = await studio.member.forward(message, studio.channel)
    result = await submit(studio, await menu(studio, forwarded))
    await studio.finish()
    assert studio.file(result) == painted(studio.tasks[0], RED)


async def test_the_bots_own_card_from_the_menu(studio):
    card = await carded(studio)
    picture = studio.file(card)
    friend = studio.someone("friend")
    form = await menu(studio, card.response, who=friend)
    result = await submit(studio, form, who=friend)
    await studio.finish()
    assert studio.file(result) == painted(studio.tasks[1], picture)
    assert (await studio.reply(result)).target.user_id == friend.id


# --- the avatar menu ------------------------------------------------------------------------------


async def test_an_avatar_becomes_a_picture(studio):
    friend = studio.someone("friend")
    form = await menu(studio, friend, name="Remix avatar")
    assert form.modal["title"] == "Remix friend.png"
    result = await submit(studio, form)
    await studio.finish()
    [task] = studio.tasks
    [url] = task.order.input_urls
    assert url.startswith(world.AVATARS)
    assert studio.shown(result).gallery
    assert studio.file(result) == painted(task, (await studio.world.files(url)).data)


async def test_an_avatar_of_their_own_is_taken_as_a_still_picture(studio):
    friend = studio.someone("friend")
    studio.env.backend.get_user(friend.id).avatar = "a_" + "0" * 32
    form = await menu(studio, friend, name="Remix avatar")
    result = await submit(studio, form, more=[("a.png", RED)])
    assert refusal(result).startswith("**`friend.png` could not be read from Discord.**")
    [job] = (await studio.reply(result)).jobs
    avatar, _upload = job.request.references
    assert avatar.url == (
        f"https://cdn.discordapp.com/avatars/{friend.id}/a_{'0' * 32}.png?size=1024"
    )
    await nothing_came_of_it(studio)


# --- Remix this -----------------------------------------------------------------------------------


async def press(studio, card, *, who=None):
    return await (who or studio.member).click(card.response, label="Remix this")


@pytest.mark.parametrize("stranger", [False, True])
async def test_a_card_is_remixed_by_whoever_sees_it(studio, stranger):
    card = await carded(studio)
    picture = studio.file(card)
    who = studio.someone("stranger") if stranger else studio.member
    form = await press(studio, card, who=who)
    result = await submit(studio, form, who=who, more=[("a.png", RED)])
    await studio.finish()
    assert studio.file(result) == painted(studio.tasks[1], picture, RED)
    before, after = await studio.reply(card), await studio.reply(result)
    assert (after.made_from, after.made_by) == (before.id, "remix")
    assert after.target.user_id == who.id
    assert [each.id for each in studio.messages()] == [card.response.id, result.response.id]


async def test_the_pictures_of_a_card_are_picked_from(studio):
    card = await carded(studio, count=4)
    pictures = [
        studio.env.backend.cdn.get(shot["media"]["url"]) for shot in studio.shown(card).gallery
    ]
    form = await press(studio, card)
    assert len(offered(form)) == 4
    result = await submit(studio, form, images=["3", "1"])
    await studio.finish()
    assert studio.file(result) == painted(studio.tasks[4], pictures[3], pictures[1])


async def test_a_private_card_is_remixed_in_private_unless_its_owner_says_otherwise(studio):
    card = await carded(studio, private=True)
    form = await press(studio, card)
    ticked = [each["value"] for each in field(form, "options")["options"] if each.get("default")]
    assert ticked == ["private"]
    result = await submit(studio, form, options=ticked)
    assert result.ephemeral
    await studio.finish()
    assert studio.messages(viewer=studio.someone("neighbour")) == []
    assert studio.shown(result).gallery


async def test_a_press_and_a_form_each_in_another_process_a_month_later(studio):
    card = await carded(studio)
    picture = studio.file(card)
    studio.clock.move(30 * 86400)
    async with studio.restarted():
        form = await press(studio, card)
    async with studio.restarted():
        result = await submit(studio, form)
        await studio.finish()
        assert studio.file(result) == painted(studio.tasks[1], picture)
        assert (await studio.reply(result)).made_from == (await studio.reply(card)).id


async def test_the_pictures_vanish_between_form_and_submission(studio):
    card = await carded(studio)
    form = await press(studio, card)
    studio.env.backend.cdn._blobs.clear()
    result = await submit(studio, form)
    assert "could not be read from Discord" in refusal(result)
    assert PROMPT in refusal(result)
    await nothing_came_of_it(studio, jobs=1)


async def test_the_card_loses_its_pictures_between_form_and_submission(studio):
    card = await carded(studio)
    form = await press(studio, card)
    stored = studio.env.backend.get_message(studio.channel.id, card.response.id)
    stored.components, stored.attachments = [], []
    result = await submit(studio, form)
    assert refusal(result).startswith("**The pictures of this message are gone.**")
    assert PROMPT in refusal(result)
    await nothing_came_of_it(studio, jobs=1)


async def test_a_form_that_is_submitted_twice_within_a_moment_is_one_wish(studio):
    card = await carded(studio)
    first, second = await press(studio, card), await press(studio, card)
    await submit(studio, first)
    again = await submit(studio, second)
    assert again.acknowledged
    assert again.followups == []
    await studio.finish()
    assert len(studio.tasks) == 2


# --- what a form does not outlive -----------------------------------------------------------------


async def opened_form(studio):
    message = await studio.member.send(studio.channel, attachments=[("a.png", RED)])
    return await menu(studio, message), message


async def test_a_form_of_the_menu_after_a_restart(studio):
    form, _message = await opened_form(studio)
    async with studio.restarted():
        result = await submit(studio, form)
        assert refusal(result) == (
            "**This form is too old, or the bot was restarted.**\n"
            "Nothing was started. Open the form again from the Apps menu of the message.\n"
            f"Your words:\n```\n{PROMPT}\n```"
        )
        await nothing_came_of_it(studio)


@pytest.mark.parametrize(("minutes", "taken"), [(29, True), (31, False)])
async def test_a_form_is_open_for_half_an_hour(studio, minutes, taken):
    form, _message = await opened_form(studio)
    studio.clock.move(timedelta(minutes=minutes).total_seconds())
    result = await submit(studio, form)
    assert result.deferred is taken
    assert (await studio.submit() == 1) is taken


async def test_a_deleted_message_whose_image_discord_still_has(studio):
    form, message = await opened_form(studio)
    await studio.member.delete(message)
    result = await submit(studio, form)
    await studio.finish()
    assert studio.file(result) == painted(studio.tasks[0], RED)


async def test_a_deleted_message_whose_image_is_gone(studio):
    form, message = await opened_form(studio)
    await studio.member.delete(message)
    studio.env.backend.cdn._blobs.clear()
    result = await submit(studio, form)
    assert refusal(result).startswith("**`a.png` could not be read from Discord.**")
    assert PROMPT in refusal(result)
    await nothing_came_of_it(studio)
    assert studio.messages() == []


async def test_an_upload_that_is_no_image(studio):
    form, _message = await opened_form(studio)
    result = await submit(studio, form, more=[("list.txt", b"no image")])
    assert refusal(result).startswith("**`list.txt` is not an image that can be used.**")
    assert PROMPT in refusal(result)
    await nothing_came_of_it(studio)


async def test_a_form_with_a_blank_prompt(studio):
    form, _message = await opened_form(studio)
    result = await submit(studio, form, prompt=" \u200b ")
    assert refusal(result).startswith("**Your prompt is empty.**")
    await nothing_came_of_it(studio)


async def test_a_refusal_in_private_after_the_acknowledgement_gives_the_words_back(studio):
    form, _message = await opened_form(studio)
    studio.env.backend.cdn._blobs.clear()
    result = await submit(studio, form, options=["private"], prompt="w" * 3000)
    assert result.response.content.startswith("**`a.png` could not be read from Discord.**")
    [words] = result.followups
    assert studio.env.backend.cdn.get(words.attachments[0].url) == b"w" * 3000
    await nothing_came_of_it(studio)


# --- within the rules -----------------------------------------------------------------------------


async def test_a_form_is_not_opened_where_the_bot_may_not_be_used(studio):
    card = await carded(studio)
    message = await studio.member.send(studio.channel, attachments=[("a.png", RED)])
    async with studio.restarted(allowed_servers=frozenset({"1"})):
        asked = [
            await menu(studio, message),
            await menu(studio, studio.member, name="Remix avatar"),
            await press(studio, card),
        ]
        assert [each.modal for each in asked] == [None] * 3
        assert {refusal(each) for each in asked} == {studio.said(await studio.imagine())}


async def test_a_form_counts_for_the_day_like_a_command(open_studio):
    async with open_studio(max_jobs_per_day=0) as studio:
        form, _message = await opened_form(studio)
        result = await submit(studio, form)
        assert "all the pictures it may make today" in refusal(result)
        assert PROMPT in refusal(result)
        await nothing_came_of_it(studio)


async def test_a_form_while_the_bot_stops(studio):
    form, message = await opened_form(studio)
    studio.app.intake.closing = True
    assert refusal(await submit(studio, form)).startswith("**The bot is being restarted.**")
    assert refusal(await menu(studio, message)).startswith("**The bot is being restarted.**")


async def test_an_acknowledgement_that_discord_did_not_take_costs_nothing(studio):
    form, _message = await opened_form(studio)
    studio.env.inject_error("POST", ACK, status=404, code=10062)
    await submit(studio, form)
    assert await studio.states() == ["withdrawn"]
    await nothing_came_of_it(studio)


async def test_a_form_that_cannot_be_opened_leaves_nothing_behind(studio):
    card = await carded(studio)
    studio.env.inject_error("POST", ACK, status=404, code=10062)
    assert (await press(studio, card)).modal is None
    assert (await press(studio, card)).modal is not None
    assert not studio.env.errors


async def test_in_a_direct_message(studio):
    person = studio.env.create_user("friend")
    card = await person.slash("imagine", prompt="a red fox")
    await studio.finish()
    form = await person.click(card.response, label="Remix this")
    values = {"prompt": PROMPT, "ratio": ["auto"], "more": [("a.png", RED)]}
    result = await person.submit_modal(form, values)
    await studio.finish()
    assert studio.file(result) == painted(studio.tasks[1], studio.file(card), RED)
