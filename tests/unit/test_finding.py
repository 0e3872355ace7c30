"""The images of a message: every place they stand in, and addresses that are not Discord's."""

import discord
import pytest

from bot import fetch
from bot.media import Media, Trouble
from cogs import finding
from cogs.offers import KEPT, LIFE, Offers
from cogs.sparing import Whose
from tests.flow.studio import MovedClock, image

CDN = "https://cdn.discordapp.com/attachments/5"
SIGNED = "?ex=69300000&is=692f0000&hm=abc"
PROXY = "https://images-ext-1.discordapp.net/external/h4sh"


async def unreachable(url):
    raise fetch.Unreachable(f"nothing is called here: {url}")


MEDIA = Media(fetch=unreachable)


def attachment(name="a.png", *, number=1, **changes):
    url = f"{CDN}/{number}/{name}{SIGNED}"
    return {
        "id": str(number),
        "filename": name,
        "size": 1000,
        "url": url,
        "proxy_url": url.replace("cdn.discordapp.com", "media.discordapp.net"),
        "content_type": {"png": "image/png", "gif": "image/gif"}.get(name[-3:], "image/jpeg"),
        **changes,
    }


def message(*, flags=0, **parts):
    """A message as Discord tells of it."""
    data = {
        "id": "77",
        "channel_id": "5",
        "type": 0,
        "author": {"id": "9", "username": "someone", "discriminator": "0", "avatar": None},
        "content": "",
        "attachments": [],
        "embeds": [],
        "components": [],
        "flags": flags,
        "mentions": [],
        "mention_roles": [],
        "mention_everyone": False,
        "pinned": False,
        "tts": False,
        "timestamp": "2026-03-14T12:00:00+00:00",
        "edited_timestamp": None,
        **parts,
    }
    client = discord.Client(intents=discord.Intents.none())
    channel = client.get_partial_messageable(5)
    return discord.Message(state=client._connection, channel=channel, data=data)


def found(**parts):
    return finding.images(message(**parts), media=MEDIA)


def names(images):
    return [image.filename for image in images]


def urls(images):
    return [image.reference.url for image in images]


def gallery(*urls, **media):
    items = [
        {"media": {"url": url, **media}, "description": None, "spoiler": False} for url in urls
    ]
    return {"type": 12, "id": 1, "items": items}


# --- where images stand ---------------------------------------------------------------------------


def test_attachments_in_their_order_with_what_discord_tells():
    first, second = found(
        attachments=[attachment(width=640, height=480), attachment("b.jpg", number=2)]
    )
    assert first.label == "a.png · 640\u00d7480"
    assert (first.size, first.content_type, first.problem) == (1000, "image/png", None)
    assert first.reference.url == f"{CDN}/1/a.png{SIGNED}"
    assert (first.reference.channel_id, first.reference.message_id) == (5, 77)
    assert second.label == "b.jpg"


def test_files_that_are_no_images_are_not_counted():
    files = [("a.txt", "text/plain"), ("b.mp4", "video/mp4"), ("c", None)]
    assert (
        found(
            attachments=[
                attachment(name, number=n, content_type=kind)
                for n, (name, kind) in enumerate(files)
            ]
        )
        == ()
    )


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.gif", "image/gif"),
        ("a.svg", "image/svg+xml"),
        ("a.avif", "image/avif"),
        ("a.gif", None),
        ("a.svg", None),
    ],
)
def test_an_image_of_another_kind_is_named(name, kind):
    [image] = found(attachments=[attachment(name, content_type=kind)])
    assert image.problem.problem == "{name} is not an image that can be used."
    assert dict(image.problem.values) == {"name": f"`{name}`"}


def test_an_image_that_is_too_large_is_named():
    [image] = found(attachments=[attachment(size=10 * 1024 * 1024 + 1)])
    assert "too large" in image.problem.problem
    [image] = found(attachments=[attachment(size=10 * 1024 * 1024)])
    assert image.problem is None


def test_link_previews_by_discords_copy_alone():
    evil = "https://evil.example/steal.png"
    embeds = [
        {
            "type": "image",
            "thumbnail": {"url": evil, "proxy_url": f"{PROXY}/https/e.example/1.png"},
        },
        {
            "type": "rich",
            "image": {
                "url": evil,
                "proxy_url": f"{PROXY}/https/e.example/2",
                "width": 8,
                "height": 9,
            },
            "thumbnail": {"url": evil, "proxy_url": f"{PROXY}/https/e.example/3.webp"},
        },
    ]
    images = found(embeds=embeds)
    assert urls(images) == [
        f"{PROXY}/https/e.example/1.png",
        f"{PROXY}/https/e.example/2",
        f"{PROXY}/https/e.example/3.webp",
    ]
    assert [image.problem for image in images] == [None] * 3
    assert images[1].label == "2 · 8\u00d79"


@pytest.mark.parametrize(
    "media",
    [
        {"url": "https://evil.example/a.png"},
        {"url": "https://evil.example/a.png", "proxy_url": "https://evil.example/b.png"},
        # What stands in `url` is the sender's word, whatever it looks like.
        {"url": f"{CDN}/1/a.png"},
        {"url": "a.png", "proxy_url": ""},
        {"url": "https://[::1/a.png", "proxy_url": "https://[::1/a.png"},
        {"proxy_url": None},
        {},
    ],
)
def test_a_preview_without_a_copy_of_discords_is_no_image(media):
    assert found(embeds=[{"type": "rich", "image": media, "thumbnail": media}]) == ()


def test_a_preview_of_another_kind_is_named():
    embed = {"url": "https://e.example/a.gif", "proxy_url": f"{PROXY}/https/e.example/a.gif"}
    [image] = found(embeds=[{"type": "image", "thumbnail": embed}])
    assert image.problem is not None


def test_components_however_deep_they_stand():
    components = [
        {
            "type": 17,
            "id": 1,
            "components": [
                {"type": 10, "id": 2, "content": "hello"},
                gallery(f"{CDN}/1/one.png{SIGNED}", content_type="image/png", width=3, height=2),
                {
                    "type": 9,
                    "id": 4,
                    "components": [{"type": 10, "id": 5, "content": "beside"}],
                    "accessory": {"type": 11, "id": 6, "media": {"url": f"{CDN}/2/two.webp"}},
                },
                {"type": 13, "id": 7, "file": {"url": f"{CDN}/3/three.jpg"}, "name": "three.jpg"},
                {"type": 1, "id": 8, "components": [{"type": 2, "style": 2, "custom_id": "x"}]},
            ],
        },
        gallery("https://evil.example/x.png", proxy_url=f"{PROXY}/https/evil.example/x.png"),
    ]
    images = found(components=components)
    assert names(images) == ["one.png", "two.webp", "three.jpg", "x.png"]
    assert images[0].label == "one.png · 3\u00d72"
    assert urls(images)[3] == f"{PROXY}/https/evil.example/x.png"


def test_components_of_strangers_addresses_are_no_images():
    components = [
        gallery("https://evil.example/x.png", "http://127.0.0.1/x.png", "https://[::1/x.png"),
        {"type": 13, "id": 7, "file": {"url": f"{CDN}/3/list.txt", "content_type": "text/plain"}},
        gallery(f"{CDN}/4/film.mp4"),
    ]
    assert found(components=components) == ()


def forward(**parts):
    snapshot = {
        "type": 0,
        "content": "",
        "embeds": [],
        "attachments": [],
        "timestamp": "2026-03-14T12:00:00+00:00",
        "edited_timestamp": None,
        "flags": 0,
        "mentions": [],
        "mention_roles": [],
        **parts,
    }
    return [{"message": snapshot}]


def test_a_forwarded_message_gives_its_images():
    images = found(
        message_snapshots=forward(
            attachments=[attachment()], components=[gallery(f"{CDN}/2/b.png", f"{CDN}/3/c.png")]
        )
    )
    assert names(images) == ["a.png", "b.png", "c.png"]
    # The forward is what can be asked for again; the original may be out of reach.
    assert {image.reference.message_id for image in images} == {77}


def test_an_empty_message_or_forward_has_none():
    assert found() == ()
    assert found(message_snapshots=forward()) == ()


def test_the_same_image_twice_is_one():
    file = attachment()
    images = found(
        attachments=[file, attachment("b.png", number=2)],
        embeds=[
            {"type": "rich", "image": {"url": "attachment://a.png", "proxy_url": file["proxy_url"]}}
        ],
        components=[gallery(file["url"].replace(SIGNED, "?ex=1&is=0&hm=2"))],
    )
    assert names(images) == ["a.png", "b.png"]


def test_thirty_images_are_all_found():
    images = found(attachments=[attachment(f"{n}.png", number=n) for n in range(30)])
    assert names(images) == [f"{n}.png" for n in range(30)]


def test_a_private_message_cannot_be_asked_for_again():
    [image] = found(flags=64, attachments=[attachment()])
    assert image.reference.message_id is None


def test_a_hostile_name_is_one_plain_line():
    [image] = found(attachments=[attachment(filename="a\u202egpj.png\n@everyone" + "x" * 300)])
    assert "\u202e" not in image.filename
    assert "\n" not in image.filename
    assert len(image.filename) <= finding.NAME_SHOWN


# --- whose address --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        f"{CDN}/1/a.png{SIGNED}",
        "https://media.discordapp.net/attachments/1/2/a.png?width=3",
        "https://images-ext-2.discordapp.net/external/x/https/e.example/a.png",
        "https://CDN.discordapp.com/embed/avatars/0.png",
    ],
)
def test_addresses_of_discord(url):
    assert MEDIA.owns(url)


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "a.png",
        "attachment://a.png",
        "http://cdn.discordapp.com/a.png",
        "https://cdn.discordapp.com:8443/a.png",
        "https://cdn.discordapp.com:x/a.png",
        "https://cdn.discordapp.com@evil.example/a.png",
        "https://evil.example@cdn.discordapp.com/a.png",
        "https://evil.example\\@cdn.discordapp.com/a.png",
        "https://evil.example/cdn.discordapp.com/a.png",
        "https://cdn.discordapp.com.evil.example/a.png",
        "https://evilcdn.discordapp.com/a.png",
        "https://xcdn-discordapp.com/a.png",
        "https://images-ext-1.evil.example/a.png",
        "https://images-ext-1xdiscordapp.net/a.png",
        "https://images-ext-.discordapp.net/a.png",
        "https://discordapp.com/a.png",
        "https://cdn.discordapp.com\t.evil.example/a.png",
        "https://cdn.discordapp.com\n/a.png",
        "https://[::1]/a.png",
        "https://[cdn.discordapp.com/a.png",
        "ftp://cdn.discordapp.com/a.png",
        "//cdn.discordapp.com/a.png",
        "https://cdn.discordapp.c\u03bfm/a.png",
    ],
)
async def test_addresses_of_anybody_else_are_never_called(url):
    called = []

    async def remember(url):
        called.append(url)
        return fetch.Picture(data=image(), format="png")

    media = Media(fetch=remember)
    assert not media.owns(url)
    if url is not None:
        assert await media.read(url) is Trouble.GONE
    assert called == []


def test_a_trusted_host_counts_as_discords_on_its_port_alone():
    media = Media(fetch=unreachable, trusted=frozenset({"127.0.0.1:81", "cdn.simcord.invalid"}))
    assert media.owns("http://127.0.0.1:81/cdn/a.png")
    assert media.owns("https://cdn.simcord.invalid/a.png")
    assert not media.owns("http://127.0.0.1:82/cdn/a.png")
    assert not media.owns("http://127.0.0.1/cdn/a.png")


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (fetch.Gone("gone"), Trouble.GONE),
        (fetch.Unreachable("down"), Trouble.GONE),
        (fetch.Blocked("no"), Trouble.GONE),
        (fetch.TooLarge("much"), Trouble.TOO_LARGE),
        (fetch.NotAPicture("text"), Trouble.NO_PICTURE),
    ],
)
async def test_what_cannot_be_read_is_told(error, trouble):
    async def fail(_url):
        raise error

    assert await Media(fetch=fail).read(f"{CDN}/1/a.png") is trouble


async def test_an_image_is_read_as_it_is():
    async def give(_url):
        return fetch.Picture(data=b"bytes", format="png")

    [found] = finding.images(message(attachments=[attachment()]), media=Media(fetch=give))
    assert await found.read() == b"bytes"


# --- what an open form offers ---------------------------------------------------------------------


NOTHING = ((), Whose())


def test_an_offer_is_for_the_person_who_opened_the_form_and_for_half_an_hour():
    clock = MovedClock()
    offers, images = Offers(clock=clock), found(attachments=[attachment()])
    whose = Whose(7, "messages")
    key = offers.keep(images, user_id=1, whose=whose)
    assert offers.find(key, user_id=1) == (images, whose)
    assert offers.find(key, user_id=2) == NOTHING
    assert offers.find("other", user_id=1) == NOTHING
    clock.move(LIFE.total_seconds())
    assert offers.find(key, user_id=1) == (images, whose)
    clock.move(1)
    assert offers.find(key, user_id=1) == NOTHING


def test_the_oldest_offers_go_first():
    offers, images = Offers(clock=MovedClock()), found(attachments=[attachment()])
    keys = [offers.keep(images, user_id=1, whose=Whose()) for _ in range(KEPT + 1)]
    assert offers.find(keys[0], user_id=1) == NOTHING
    assert all(offers.find(key, user_id=1)[0] for key in keys[1:])
