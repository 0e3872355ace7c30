"""What a page does when pictures hang, are broken or many; and the words of rows and choices."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import pytest

from bot import clock, i18n, images, pages, past, pending
from bot.catalog import IMAGINE, RATIOS, REMIX, Model
from bot.ledger import asks, verbs
from bot.ledger.ledger import Ledger
from bot.model import Delivery, Kind, Sort, State, Taste, short_id
from cogs import options
from tests import build
from tests.flow.studio import image

NOW = build.NOW
PERSON = 44
VIEWER = past.Viewer(user_id=PERSON, guild_id=33, locale="en-US", upload_limit=10**7)
OTHER_MODEL = Model(
    id="other", kind=Kind.IMAGINE, ratios=("1:1", "3:2"), default_ratio="3:2", resolutions=("1K",)
)


@dataclass
class Found:
    job: object
    data: bytes


class Shelf:
    """Pictures that come at once, broken, or never; it counts how many are asked for at once."""

    def __init__(self, data=None, *, hangs=()):
        self.data = data or image()
        self.hangs = hangs
        self.asked = 0
        self.at_once = 0
        self.most = 0

    async def pictures(self, reply):
        self.asked += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            if reply.jobs[0].request.prompt in self.hangs:
                await asyncio.Event().wait()
            for _ in range(3):
                await asyncio.sleep(0)
            return [Found(job, self.data) for job in reply.jobs]
        finally:
            self.at_once -= 1


async def stands(_target):
    return True


async def waiting(reply):
    return pending.waiting(reply, now=NOW, expected=timedelta(seconds=30))


def door(ledger, shelf, *, look=stands):
    return past.Past(
        ledger=ledger, pictures=shelf, stands=look, waiting=waiting, clock=clock.system
    )


@pytest.fixture
async def ledger(tmp_path):
    async with Ledger(f"sqlite:///{tmp_path / 'easel.db'}") as opened:
        yield opened


async def made(ledger, prompt="a fox"):
    reply = build.reply(asks=build.request(prompt=prompt))
    await ledger.run(asks.receive, reply, limits=build.limits(reply, 100))
    await ledger.run(verbs.confirm, reply.id, message_id=7, private=False, now=NOW)
    for job in reply.jobs:
        await ledger.run(verbs.settle, job.id, outcome=build.pictures(), now=NOW)
    return reply


async def page(opened):
    return await opened.page(VIEWER, number=0, sort=Sort.ALL, text="")


async def test_a_picture_that_hangs_does_not_hold_up_the_page(ledger, monkeypatch):
    monkeypatch.setattr(past, "PATIENCE", timedelta(seconds=0.3))
    for prompt in ("slow", "quick"):
        await made(ledger, prompt)
    shown = await page(door(ledger, Shelf(hangs=("slow",))))
    assert {row.prompt: row.thumbnail is not None for row in shown.rows} == {
        "slow": False,
        "quick": True,
    }


async def test_a_look_that_hangs_leaves_the_link(ledger, monkeypatch):
    async def forever(_target):
        await asyncio.Event().wait()

    monkeypatch.setattr(past, "PATIENCE", timedelta(seconds=0.05))
    await made(ledger)
    [row] = (await page(door(ledger, Shelf(), look=forever))).rows
    assert row.link == "https://discord.com/channels/33/22/7"


@pytest.mark.parametrize("data", [b"no picture", image()[:40], image(size=(1, 1))[:-12]])
async def test_a_broken_picture_is_a_row_of_text(ledger, data):
    await made(ledger)
    [row] = (await page(door(ledger, Shelf(data)))).rows
    assert row.thumbnail is None


async def test_thumbnails_are_made_five_at_a_time_and_once(ledger):
    for number in range(7):
        await made(ledger, f"fox {number}")
    shelf = Shelf()
    opened = door(ledger, shelf)
    several = await asyncio.gather(*(page(opened) for _ in range(3)))
    assert shelf.most <= past.AT_ONCE
    assert several[0] == several[1] == several[2]
    asked = shelf.asked
    await page(opened)
    assert shelf.asked == asked


async def test_what_was_fetched_but_fits_nowhere_is_lost_in_words(ledger):
    reply = await made(ledger)
    opened = await door(ledger, Shelf(b"no picture")).open(VIEWER, reply.id)
    assert opened.card.shots == ()
    assert opened.card.heading == "The picture was made but could not be fetched"


# --- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "ending"),
    [
        (0, "1 min ago"),
        (3599, "59 min ago"),
        (7200, "2 h ago"),
        (86_400, "1 day ago"),
        (10 * 86_400, "10 days ago"),
    ],
)
@pytest.mark.parametrize("prompt", ["", "a fox", "x" * 20_000, "😀" * 500, "\n\u202e"])
def test_a_choice_says_what_which_and_when_in_a_hundred_characters(prompt, seconds, ending):
    at = NOW - timedelta(seconds=seconds)
    choice = pages.suggestion(prompt, "abcdef" + "2" * 10, at, now=NOW)
    assert len(choice) <= 100
    assert choice.endswith(f" · ABCDEF · {ending}")


def test_a_message_posted_anew_has_no_known_place():
    reply = build.reply()
    assert pages.link(reply) is None, "it was never acknowledged"
    known = build.reply(message_id=7)
    assert pages.link(known) == "https://discord.com/channels/33/22/7"
    assert pages.link(build.reply(message_id=7, guild_id=None)).startswith(
        "https://discord.com/channels/@me/"
    )
    assert pages.link(build.reply(message_id=7, private=True)) is None
    assert pages.link(known.evolve(rung="channel")) is None


@pytest.mark.parametrize("delivery", Delivery)
def test_every_state_of_a_reply_has_words(delivery):
    reply = build.reply(count=2).evolve(delivery=delivery)
    job = reply.jobs[0]
    for jobs in (reply.jobs, (job.evolve(state="settled", outcome=build.failure()),)):
        with i18n.use("en-US"):
            assert pages.state(reply.evolve(jobs=jobs))
    shown = build.reply().evolve(delivery=Delivery.DELIVERED)
    jobs = (shown.jobs[0].evolve(state=State.SETTLED, outcome=build.pictures()),)
    assert pages.state(shown.evolve(jobs=jobs)) == "", "what is there goes without saying"
    assert short_id(job.id) == pages.row(reply, jump=None, thumbnail=None).short_id


# --- defaults -------------------------------------------------------------------------------------


def fields(panel):
    return {pick.field: pick for pick in panel.picks}


def test_a_model_is_chosen_only_where_there_are_several():
    one = {Kind.IMAGINE: (IMAGINE,), Kind.REMIX: (REMIX,)}
    panel = pages.panel(Taste(), one, locale="en-US")
    assert set(fields(panel)) == {"imagine_ratio", "remix_ratio", "resolution"}
    two = {Kind.IMAGINE: (IMAGINE, OTHER_MODEL), Kind.REMIX: (REMIX,)}
    pick = fields(pages.panel(Taste(imagine_model="other"), two, locale="en-US"))["imagine_model"]
    assert pick.chosen == "other"
    assert [value for value, _ in pick.options] == [pages.DEFAULT, IMAGINE.id, "other"]


def test_every_default_fits_its_select_and_its_column():
    panel = pages.panel(Taste(), {Kind.IMAGINE: (IMAGINE,), Kind.REMIX: (REMIX,)}, locale="en-US")
    for pick in panel.picks:
        assert len(pick.options) <= 25
        assert all(len(value) <= 16 for value, _ in pick.options)
    assert {value for value, _ in fields(panel)["imagine_ratio"].options} == {"default", *RATIOS}


@pytest.mark.parametrize(
    ("given", "taste", "expected"),
    [
        ({}, {}, ("gpt-image-2-pro", "1:1", "1K")),
        ({}, {"imagine_ratio": "16:9", "resolution": "2K"}, ("gpt-image-2-pro", "16:9", "2K")),
        ({"aspect_ratio": "3:2"}, {"imagine_ratio": "16:9"}, ("gpt-image-2-pro", "3:2", "1K")),
        ({}, {"imagine_model": "other"}, ("other", "3:2", "1K")),
        # What the chosen model does not take falls back to its own.
        (
            {"model": "other"},
            {"imagine_ratio": "16:9", "resolution": "2K"},
            ("other", "3:2", "1K"),
        ),
        ({}, {"imagine_model": "gone"}, ("gpt-image-2-pro", "1:1", "1K")),
        # What was chosen is not bent: the catalogue's check says what is wrong with it.
        ({"model": "other", "aspect_ratio": "16:9"}, {}, ("other", "16:9", "1K")),
    ],
)
def test_what_was_chosen_wins_then_the_person_then_the_model(given, taste, expected):
    chosen = options.chosen(
        options.Given(**given),
        Kind.IMAGINE,
        taste=Taste(**taste),
        offered=(IMAGINE, OTHER_MODEL),
    )
    assert (chosen.model.id, chosen.aspect_ratio, chosen.resolution) == expected


@pytest.mark.parametrize("given", [None, False, True])
@pytest.mark.parametrize("taste", [False, True])
def test_off_is_a_choice_too(given, taste):
    names = ("private", "spoiler", "show_references")
    chosen = options.chosen(
        options.Given(**dict.fromkeys(names, given)),
        Kind.REMIX,
        taste=Taste(**dict.fromkeys(names, taste)),
        offered=(REMIX,),
    )
    expected = taste if given is None else given
    assert [getattr(chosen, name) for name in names] == [expected] * 3


# --- thumbnails -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(("size", "small"), [((400, 100), (192, 48)), ((20, 30), (20, 30))])
def test_a_thumbnail_keeps_the_shape_and_never_grows(kind, size, small):
    made = images.thumbnail(image(kind=kind, size=size), side=192)
    seen = images.probe(made)
    assert (seen.format, seen.width, seen.height) == ("webp", *small)
