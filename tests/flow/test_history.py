"""/history and /job: pages, one picture again, after a restart, a month later, for its owner alone.

discord.py swallows what a control raises, so each press is looked at for its acknowledgement.
"""

import io
import re
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import Image

from bot import past
from bot.ledger import schema
from bot.model import Delivery, short_id
from tests.flow.studio import ORIGINAL, image, painted
from tests.flow.test_hostile_prompts import MARKUP, PROMPTS

RED = image("red")


@dataclass(frozen=True)
class Shown:
    """What stands in a private answer: its entries, controls and texts."""

    result: Any

    @property
    def message(self) -> Any:
        return self.result.response

    @property
    def inside(self) -> list[dict]:
        [box] = self.message.components
        return box["components"]

    @property
    def rows(self) -> list[str]:
        """The text of each entry; the heading is none."""
        return [text_of(item) for item in self.inside if item["type"] in (9, 10)][1:]

    @property
    def heading(self) -> str:
        return text_of(self.inside[0])

    @property
    def thumbnails(self) -> list[dict]:
        return [item["accessory"] for item in self.inside if item["type"] == 9]

    @property
    def buttons(self) -> dict[str, bool]:
        """The labels of the buttons, and whether one can press them."""
        return {
            button["label"]: not button.get("disabled", False)
            for item in self.inside
            if item["type"] == 1
            for button in item["components"]
            if button["type"] == 2
        }

    @property
    def text(self) -> str:
        return "\n".join(text_of(item) for item in self.inside if item["type"] in (9, 10))

    @property
    def gallery(self) -> list[dict]:
        return [shot for item in self.inside if item["type"] == 12 for shot in item["items"]]


def text_of(item) -> str:
    return item["content"] if item["type"] == 10 else item["components"][0]["content"]


async def history(studio, *, who=None, channel=None, **options) -> Shown:
    result = await (who or studio.member).slash(channel or studio.channel, "history", **options)
    assert result.ephemeral
    return Shown(result)


async def job(studio, given, *, who=None, channel=None) -> Shown:
    result = await (who or studio.member).slash(channel or studio.channel, "job", id=given)
    assert result.ephemeral
    return Shown(result)


async def press(studio, shown, label, *, who=None) -> Any:
    pressed = await (who or studio.member).click(shown.message, label=label)
    assert pressed.acknowledged
    return pressed


async def short(studio, result) -> str:
    return short_id((await studio.reply(result)).jobs[0].id)


async def change(studio, result, **values) -> None:
    reply = await studio.reply(result)
    update = sa.update(schema.replies).where(schema.replies.c.id == reply.id).values(**values)
    await studio.app.ledger.run(lambda conn: conn.execute(update))


async def many(studio, count) -> list:
    asked = []
    for number in range(count):
        asked.append(await studio.imagine(f"fox {number}"))
        studio.clock.move(60)
    await studio.finish()
    return asked


def refused(result) -> str:
    found = [message for message in (result.response, *result.followups) if message is not None]
    return next(message.content for message in found if message.content)


# --- pages ----------------------------------------------------------------------------------------


async def test_an_empty_history_says_how_to_begin(studio):
    shown = await history(studio)
    assert shown.rows == []
    assert "/imagine prompt: a fox in the snow" in shown.heading
    assert shown.buttons == {}


@pytest.mark.parametrize("count", [1, 5, 6])
async def test_a_page_has_five_entries_newest_first(studio, count):
    asked = await many(studio, count)
    shown = await history(studio)
    ids = [await short(studio, result) for result in reversed(asked)][:5]
    assert [row.split("\n")[0] for row in shown.rows] == [
        f"**fox {number}**" for number in reversed(range(count))
    ][:5]
    for row, own in zip(shown.rows, ids, strict=True):
        assert row.split("\n")[2].startswith(f"[{own}](https://discord.com/channels/")
    assert shown.buttons == ({} if count <= 5 else {"Previous": False, "Next": True})
    assert len(shown.thumbnails) == min(count, 5)


async def test_twenty_three_are_paged_to_the_end_and_back(studio):
    await many(studio, 23)
    shown = await history(studio)
    seen = list(shown.rows)
    for _ in range(4):
        assert shown.buttons["Next"]
        await press(studio, shown, "Next")
        seen += shown.rows
    assert [row.split("\n")[0] for row in seen] == [f"**fox {n}**" for n in reversed(range(23))]
    assert shown.buttons == {"Previous": True, "Next": False}
    assert "page 5 of 5" in shown.heading
    await press(studio, shown, "Previous")
    assert "page 4 of 5" in shown.heading


async def test_a_thumbnail_is_small_and_shows_the_picture(studio):
    result = await studio.imagine()
    await studio.finish()
    shown = await history(studio)
    [thumbnail] = shown.thumbnails
    data = studio.env.backend.cdn.get(thumbnail["media"]["url"])
    with Image.open(io.BytesIO(data)) as small, Image.open(io.BytesIO(studio.file(result))) as all_:
        assert small.format == "WEBP"
        assert max(small.size) <= past.SIDE
        assert abs(small.width / small.height - all_.width / all_.height) < 0.05
    assert thumbnail["description"] == "a red fox"


async def test_nothing_is_made_small_before_somebody_looks(studio):
    await many(studio, 2)
    assert not studio.app.past._thumbnails


async def test_a_spoilered_picture_is_one_in_the_history_too(studio):
    await many(studio, 2)
    result = await studio.imagine("a secret")
    await studio.finish()
    await change(studio, result, spoiler=True)
    shown = await history(studio)
    assert [bool(each.get("spoiler")) for each in shown.thumbnails] == [True, False, False]


async def test_where_no_picture_can_be_had_the_words_remain(open_studio):
    async with open_studio(keep_originals_days=0) as studio:
        for number in range(2):
            await studio.imagine(f"fox {number}", private=True)
        await studio.finish()
        await lose_pictures(studio)
        shown = await history(studio)
        assert len(shown.rows) == 2
        assert shown.thumbnails == []


async def test_what_is_neither_kept_nor_at_hiapi_is_read_from_its_message(open_studio):
    async with open_studio(keep_originals_days=0) as studio:
        await many(studio, 2)
        await lose_pictures(studio)
        assert len((await history(studio)).thumbnails) == 2


async def lose_pictures(studio) -> None:
    """HiAPI's addresses died."""

    def lose(conn):
        for job_id, outcome in conn.execute(sa.select(schema.jobs.c.id, schema.jobs.c.outcome)):
            if outcome:
                for picture in outcome["pictures"]:
                    picture["url"] += ".gone"
                change = sa.update(schema.jobs).where(schema.jobs.c.id == job_id)
                conn.execute(change.values(outcome=outcome))

    await studio.app.ledger.run(lose)


async def test_kinds_and_words(studio):
    await studio.imagine("A Red Fox")
    await studio.imagine("an ÉCLAIR [fail]")
    await studio.remix("a fox as a mosaic", image1=("red.png", RED))
    await studio.finish()
    for options, expected in [
        ({"kind": "imagine"}, 2),
        ({"kind": "remix"}, 1),
        ({"kind": "failed"}, 1),
        ({"text": "FOX"}, 2),
        ({"text": "éclair", "kind": "failed"}, 1),
        ({"text": "fox", "kind": "failed"}, 0),
        ({"text": "%"}, 0),
    ]:
        shown = await history(studio, **options)
        assert len(shown.rows) == expected, options
    shown = await history(studio, kind="failed")
    assert "The picture could not be made" in shown.rows[0]
    shown = await history(studio, text="nothing like it")
    assert "Nothing matches “nothing like it”. Try /history without options." in shown.heading
    assert shown.heading.count("nothing like it") == 1
    shown = await history(studio, text="*fox*", kind="failed")
    assert "“\\*fox\\*”" in shown.heading
    shown = await history(studio, who=studio.someone("other"), kind="failed")
    assert "Nothing of yours has failed." in shown.heading


async def test_what_was_looked_for_holds_on_the_next_page_and_after_a_restart(studio):
    await many(studio, 7)
    await studio.imagine("a heron")
    await studio.finish()
    shown = await history(studio, text="FOX", kind="imagine")
    async with studio.restarted():
        await press(studio, shown, "Next")
        turned = shown
        assert [row.split("\n")[0] for row in turned.rows] == ["**fox 1**", "**fox 0**"]
        assert "“FOX”" in turned.heading


@pytest.mark.parametrize(
    "text", ["x" * 60, "*" * 60, "a:b:all:9", "\\", "@everyone <@1>", "😀" * 60]
)
async def test_any_text_may_be_looked_for(studio, text):
    for number in range(6):
        await studio.imagine(f"{text} {number}")
        studio.clock.move(1)
    await studio.finish()
    shown = await history(studio, text=text)
    assert len(shown.rows) == 5
    await press(studio, shown, "Next")
    assert len(shown.rows) == 1
    assert not MARKUP.search(shown.heading.partition("“")[2].replace("\\\\", ""))


async def test_a_page_belongs_to_whoever_turns_it(studio):
    """The id of a control is no secret: whoever presses one sees their own pictures."""
    await many(studio, 6)
    stranger = studio.someone("stranger")
    for number in range(6):
        await studio.imagine(f"owl {number}", who=stranger, private=True)
        studio.clock.move(1)
    await studio.finish()
    shown = await history(studio, who=stranger)
    await press(studio, shown, "Next", who=stranger)
    [row] = shown.rows
    assert row.startswith("**owl 0**")
    mine = await history(studio, text="owl")
    assert mine.rows == []
    assert studio.messages(viewer=studio.someone("neighbour"))[-1].id != shown.message.id


async def test_a_private_picture_is_in_its_owners_history_without_a_link(studio):
    await studio.imagine("a secret", private=True)
    await studio.finish()
    shown = await history(studio)
    [row] = shown.rows
    assert "private" in row
    assert "https://" not in row
    assert len(shown.thumbnails) == 1


async def test_a_deleted_message_has_no_link(studio):
    kept, gone = await many(studio, 2)
    await press(studio, Shown(gone), "Delete")
    shown = await history(studio)
    assert "https://" not in shown.rows[0]
    assert str(kept.response.id) in shown.rows[1]
    opened = await job(studio, await short(studio, gone))
    assert opened.gallery
    assert "https://discord.com" not in opened.text


async def test_a_hostile_prompt_is_only_a_prompt_here_too(studio):
    asked = []
    for prompt in PROMPTS.values():
        asked.append(await studio.imagine(prompt, aspect_ratio="16:9", count=2))
        studio.clock.move(1)
    await studio.finish(seconds=600)
    before = len(studio.sent("PATCH", ORIGINAL))
    shown = await history(studio)
    rows = list(shown.rows)
    while shown.buttons["Next"]:
        await press(studio, shown, "Next")
        rows += shown.rows
    assert len(rows) == len(PROMPTS)
    for row in rows:
        words = row.split("\n")[0][2:-2]
        assert not MARKUP.search(words.replace("\\\\", ""))
        assert not re.search("[\u200b\u2060\u202a-\u202e\u2066-\u2069\ufeff\x00-\x1f]", words)
    stored = studio.env.backend.get_message(studio.channel.id, shown.message.id)
    assert stored.ping_user_ids == stored.ping_role_ids == []
    assert not stored.mention_everyone
    for result in asked:
        assert len((await job(studio, await short(studio, result))).gallery) == 2
    edits = studio.sent("PATCH", ORIGINAL)[before:]
    assert len(edits) >= len(PROMPTS) + 5
    for edit in edits:
        assert characters(edit.json) <= 4000
        assert len(list(walk(edit.json["components"]))) <= 40


async def test_the_longest_page_fits(studio):
    """Every row at its longest: escaped throughout, private, several, in the longest state."""
    for _ in range(6):
        await studio.imagine("*" * 300 + " [fail]", count=4, aspect_ratio="21:9", resolution="2K")
        studio.clock.move(1)
    await studio.finish(seconds=600)
    shown = await history(studio, text="*" * 60, kind="failed")
    assert len(shown.rows) == 5
    [edit] = studio.sent("PATCH", ORIGINAL)[-1:]
    assert 1500 < characters(edit.json) <= 4000
    assert len(list(walk(edit.json["components"]))) <= 40


def characters(form) -> int:
    return sum(len(each["content"]) for each in walk(form["components"]) if "content" in each)


def walk(found):
    for each in found:
        yield each
        yield from walk(each.get("components", []))
        if "accessory" in each:
            yield each["accessory"]


# --- one picture again ----------------------------------------------------------------------------


async def test_a_finished_picture_is_shown_again_with_live_buttons(studio):
    result = await studio.imagine(count=2, private=True)
    await studio.finish()
    async with studio.restarted():
        opened = await job(studio, (await short(studio, result)).lower()[:4])
        assert len(opened.gallery) == 2
        data = {studio.env.backend.cdn.get(shot["media"]["url"]) for shot in opened.gallery}
        assert data == {painted(task) for task in studio.tasks}
        pressed = await press(studio, opened, "Again")
        assert pressed.ephemeral
        await studio.finish()
        reply = await studio.reply(pressed)
        assert reply.made_from == (await studio.reply(result)).id
        assert reply.target.private


async def test_an_entry_of_a_page_is_opened(studio):
    await many(studio, 3)
    shown = await history(studio)
    second = (await studio.app.ledger.run(newest))[1]
    async with studio.restarted():
        opened = await studio.member.select(shown.message, [second])
        assert opened.ephemeral
        assert "fox 1" in Shown(opened).text
        assert Shown(opened).gallery


def newest(conn):
    query = sa.select(schema.replies.c.id).order_by(schema.replies.c.created_at.desc())
    return list(conn.scalars(query))


async def test_nobody_is_offered_to_report_their_own_picture(studio):
    result = await studio.imagine()
    await studio.finish()
    assert "Report" in Shown(result).buttons
    opened = await job(studio, await short(studio, result))
    assert "Report" not in opened.buttons
    assert list(opened.buttons)[-1] == "Delete"


async def test_a_failure_is_shown_again_with_retry(studio):
    result = await studio.imagine("a fox [fail]")
    await studio.finish()
    opened = await job(studio, await short(studio, result))
    assert "The picture could not be made" in opened.text
    assert "Retry" in opened.buttons


async def test_what_is_under_way_tells_its_stage_and_can_be_cancelled(studio):
    result = await studio.imagine()
    queued = await job(studio, await short(studio, result))
    assert queued.text.startswith("### In the queue")
    assert "It will be shown where you asked for it." in queued.text
    await press(studio, queued, "Cancel")
    assert queued.text.startswith("### Cancelled")
    opened = await job(studio, await short(studio, result))
    assert opened.text.startswith("### Cancelled")
    assert not opened.gallery
    assert await studio.counted() == 0


async def test_a_cancelled_picture_is_not_shown_after_all(studio):
    result = await studio.imagine()
    await studio.submit()
    opened = await job(studio, await short(studio, result))
    await press(studio, opened, "Don't show it")
    await studio.settle()
    opened = await job(studio, await short(studio, result))
    assert not opened.gallery
    shown = await history(studio)
    assert "Cancelled" in shown.rows[0]
    assert shown.thumbnails == []


@pytest.mark.parametrize("delivery", [Delivery.PARKED, Delivery.UNDELIVERABLE])
async def test_a_private_picture_whose_note_is_lost_is_reached_here(studio, delivery):
    result = await studio.imagine("a secret", private=True)
    await studio.settle()
    await change(studio, result, delivery=delivery, token=None, noted=True)
    shown = await history(studio)
    assert "Ready, not shown yet" in shown.rows[0]
    opened = await job(studio, await short(studio, result))
    assert len(opened.gallery) == 1


async def test_a_private_picture_under_way_goes_on_in_the_card_that_was_opened(studio):
    result = await studio.imagine("a secret", private=True)
    await studio.submit()
    studio.clock.move(14 * 60 + 10)
    await studio.app.progress.note()
    studio.clock.move(60)
    opened = await job(studio, await short(studio, result))
    await studio.finish()
    assert len(opened.gallery) == 1
    assert (await studio.reply(result)).delivery is Delivery.DELIVERED


@pytest.mark.parametrize("private", [True, False])
async def test_an_address_that_died_leaves_the_words_or_what_discord_has(open_studio, private):
    async with open_studio(keep_originals_days=0) as studio:
        result = await studio.imagine(private=private)
        await studio.finish()
        await lose_pictures(studio)
        opened = await job(studio, await short(studio, result))
        assert bool(opened.gallery) is not private
        assert (str(result.response.id) in opened.text) is not private
        assert ("Retry" in opened.buttons) is private


@pytest.mark.parametrize(
    "given", ["", "q", "abc", "%%%%%%", "zzzzzz", "ABC123", "@everyone", "a" * 16]
)
async def test_an_id_that_is_none_is_refused_in_words(studio, given):
    await many(studio, 1)
    result = await studio.member.slash(studio.channel, "job", id=given)
    assert result.ephemeral
    assert refused(result).startswith("**")
    assert "@everyone" not in refused(result).replace("`@everyone`", "")


async def test_words_of_a_prompt_open_the_newest_that_has_them(studio):
    for prompt in ("a fox by the pond", "a heron by the Pond", "a fox in the snow"):
        await studio.imagine(prompt)
        await studio.finish()
    assert "a heron by the Pond" in (await job(studio, "the pond")).text
    assert "a fox in the snow" in (await job(studio, "fox")).text
    # They are nobody else's.
    told = await studio.someone("other").slash(studio.channel, "job", id="fox")
    assert "no picture with the id or the words `fox`" in refused(told)


async def test_nobody_opens_what_is_someone_elses(studio):
    result = await studio.imagine("a secret", private=True)
    await studio.finish()
    reply = await studio.reply(result)
    stranger = studio.someone("stranger")
    unknown = await studio.member.slash(studio.channel, "job", id="zzzzzz")
    for given in (reply.id, reply.jobs[0].id, short_id(reply.jobs[0].id)):
        told = await stranger.slash(studio.channel, "job", id=given)
        said = refused(told)
        assert "secret" not in said
        # The same words as for an id that there never was.
        shape = re.sub(r"`\S+`", "``", said)
        assert shape == re.sub(r"`\S+`", "``", refused(unknown))


# --- lineage --------------------------------------------------------------------------------------


async def line(studio, **second):
    """A picture, and what a friend made of it."""
    friend = studio.someone("friend")
    first = await studio.imagine()
    await studio.finish()
    made = await press(studio, Shown(first), "Again", who=friend)
    await studio.finish()
    if second:
        await change(studio, made, **second)
    return first, made, friend


async def test_lineage_leads_both_ways(studio):
    first, second, friend = await line(studio)
    opened = await job(studio, await short(studio, first))
    assert f"Made into [{await short(studio, second)}](https://discord.com" in opened.text
    theirs = await job(studio, await short(studio, second), who=friend)
    assert f"Another version of [{await short(studio, first)}](https://discord.com" in theirs.text


@pytest.mark.parametrize(
    "hidden",
    [{"private": True}, {"guild_id": 7}, {"guild_id": None}, {"delivery": Delivery.PARKED}],
    ids=str,
)
async def test_lineage_is_silent_about_what_others_may_not_know(studio, hidden):
    first, second, friend = await line(studio, **hidden)
    opened = await job(studio, await short(studio, first))
    assert "Made into" not in opened.text
    assert await short(studio, second) not in opened.text
    # Whoever made it knows where it came from, which is public here.
    theirs = await job(studio, await short(studio, second), who=friend)
    assert f"Another version of [{await short(studio, first)}]" in theirs.text


async def test_the_longest_lineage_fits(studio):
    prompt = "*" * 20_000
    first = await studio.imagine("*" * 5_000, prompt_file=("more.txt", prompt[:14_000].encode()))
    await studio.finish()
    for _ in range(2):
        await press(studio, Shown(first), "Again")
        studio.clock.move(6)
    made = await press(studio, Shown(first), "Again")
    await studio.finish()
    for _ in range(5):
        studio.clock.move(6)
        await press(studio, Shown(made), "Again")
    await studio.finish()
    before = len(studio.sent("PATCH", ORIGINAL))
    opened = await job(studio, await short(studio, made))
    assert "and 2 more" in opened.text
    [edit] = studio.sent("PATCH", ORIGINAL)[before:]
    assert characters(edit.json) <= 4000


# --- suggestions ----------------------------------------------------------------------------------


async def test_own_jobs_are_suggested_by_words_and_by_id(studio):
    await many(studio, 3)
    secret = await studio.imagine("a heron", private=True)
    await studio.finish()
    studio.clock.move(7200)
    own = await studio.member.autocomplete(studio.channel, "job", "id", "")
    assert [each["name"].split(" · ")[0] for each in own] == ["a heron", "fox 2", "fox 1", "fox 0"]
    assert own[0]["name"] == f"a heron · {await short(studio, secret)} · 2 h ago"
    found = await studio.member.autocomplete(studio.channel, "job", "id", "HERON")
    assert found == [own[0]]
    found = await studio.member.autocomplete(
        studio.channel, "job", "id", await short(studio, secret)
    )
    assert found == [own[0]]
    opened = await job(studio, found[0]["value"])
    assert len(opened.gallery) == 1
    stranger = studio.someone("stranger")
    assert await stranger.autocomplete(studio.channel, "job", "id", "") == []
