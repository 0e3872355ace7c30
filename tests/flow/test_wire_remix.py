"""Remix where the bot is no member: the process itself, Discord and HiAPI on real sockets."""

import pytest

from sandbox.wirecord import asking, components, multipart
from tests.flow import process
from tests.flow.studio import image

FILE_LIMIT = asking.FILE_LIMIT
# A server that only knows the app from the person who brought it along.
FOREIGN = {"guild": 77 << 22, "channel": 78 << 22, "owners": {"1": asking.USER}}
PROMPT = "as a mosaic"


@pytest.fixture
async def scene(tmp_path, empty_ledger):
    async with process.opened(tmp_path, ledger=empty_ledger, keep_bytes=True) as opened:
        host = opened.discord.origin.removeprefix("http://")
        await opened.start(allow_user_install=True, discord_trusted_hosts=host)
        yield opened


def posted(discord, *files):
    """A message of somebody's in the foreign server, its images in a gallery."""
    channel = discord.places.server_channel(
        FOREIGN["channel"], guild_id=FOREIGN["guild"], present=False
    )
    uploads = tuple(
        multipart.Upload(n, name, len(data), "", data[:32], data)
        for n, (name, data) in enumerate(files)
    )
    items = [{"media": {"url": f"attachment://{name}"}} for name, _data in files]
    payload = {
        "flags": components.V2_FLAG,
        "components": [{"type": 17, "components": [{"type": 12, "items": items}]}],
        "attachments": [{"id": n, "filename": name} for n, (name, _data) in enumerate(files)],
    }
    body = multipart.Body(payload, uploads)
    return discord.messages.post(channel, body, limit=FILE_LIMIT, how="channel")


async def sent(scene, opened, *, hidden, **fields):
    """The form that came up, filled in and sent; the message with the picture."""
    await opened.until(lambda: opened.form is not None)
    values = {"prompt": PROMPT, "ratio": ["auto"], **fields}
    asked = await scene.discord.submit(opened, values, hidden=hidden, **FOREIGN)
    scene.asked.append(asked)
    return await asked.pictured(seconds=20)


@pytest.mark.parametrize("hidden", [False, True])
async def test_a_person_remixes_in_a_server_that_did_not_add_the_bot(scene, hidden):
    discord = scene.discord
    message = posted(discord, ("a.png", image("red")), ("b.png", image("blue")))
    opened = await discord.menu("Remix", message, hidden=hidden, **FOREIGN)
    card = await sent(scene, opened, hidden=hidden, images=["1"], more=[("c.png", image("green"))])
    assert card.ephemeral is hidden
    [task] = scene.tasks
    assert [url.partition("?")[0].rpartition("/")[2] for url in task.order.input_urls] == [
        "b.png",
        "c.png",
    ]

    # Its own pictures stand in a gallery and nowhere else, and come along with the press.
    [press] = [each for each in card.custom_ids if each.startswith("job:remix:")]
    opened = await discord.click(card, press, hidden=hidden, **FOREIGN)
    again = await sent(scene, opened, hidden=hidden)
    assert again.ephemeral is hidden
    _first, second = scene.tasks
    assert card.attachments[0].path in second.order.input_urls[0]
    assert [reply["made_by"] for reply in scene.replies] == [None, "remix"]
    assert scene.counted == 2


async def test_a_press_of_somebody_else_on_a_guests_card_opens_no_form(scene):
    discord = scene.discord
    message = posted(discord, ("a.png", image("red")))
    card = await sent(scene, await discord.menu("Remix", message, **FOREIGN), hidden=False)
    [press] = [each for each in card.custom_ids if each.startswith("job:remix:")]
    pressed = await discord.click(card, press, user=asking.USER + 1, **FOREIGN)
    await pressed.acknowledged()
    assert pressed.form is None
    assert pressed.ephemeral
    assert "only works for the person who brought it" in pressed.text


async def test_an_image_that_was_deleted_while_the_form_was_open(scene):
    discord = scene.discord
    message = posted(discord, ("a.png", image("red")))
    opened = await discord.menu("Remix", message, **FOREIGN)
    await opened.until(lambda: opened.form is not None)
    discord.messages.delete(message)
    asked = await discord.submit(opened, {"prompt": PROMPT, "ratio": ["auto"]}, **FOREIGN)
    await asked.until(lambda: bool(asked.followups))
    [said] = asked.followups
    assert said.ephemeral
    assert "`a.png` could not be read from Discord" in said.text
    assert PROMPT in said.text
    await process.eventually(lambda: scene.counted == 0)
    assert scene.tasks == ()


async def test_a_file_over_the_limit_is_not_read_to_its_end(scene):
    discord = scene.discord
    message = posted(discord, ("a.png", image("red") + bytes(10 * 1024 * 1024)))
    opened = await discord.menu("Remix", message, **FOREIGN)
    await opened.until(lambda: opened.form is not None)
    asked = await discord.submit(opened, {"prompt": PROMPT, "ratio": ["auto"]}, **FOREIGN)
    await asked.until(lambda: bool(asked.followups))
    assert "`a.png` is too large: > 10 MB." in asked.followups[0].text
    await process.eventually(lambda: scene.counted == 0)
    assert scene.tasks == ()
