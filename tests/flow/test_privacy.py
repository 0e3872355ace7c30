"""/privacy: what is kept, as a file, erased; for the person alone, wherever they are."""

import asyncio
import io
import json
import shutil
import sqlite3
import threading
import zipfile
from contextlib import closing

import pytest
import sqlalchemy as sa
from simcord.actors import _visible_message

from bot import dossiers, messenger, pickup
from bot.ledger import files, schema
from bot.ledger import privacy as rows
from bot.model import Delivery, Taste
from sandbox import faults, painter
from tests.flow import abroad
from tests.flow.abroad import FRIEND, OWNER, PLACES
from tests.flow.studio import START, eventually, image
from tests.flow.test_history import Shown, history, press, refused
from tests.flow.test_notes import finish_task, noted
from tests.flow.test_notes import press as show
from tests.flow.test_preferences import prompts, suggested

RED = image("red")
SECRET = "a secret heron"


async def privacy(studio, *, who=None) -> Shown:
    result = await (who or studio.member).slash(studio.channel, "privacy")
    assert result.ephemeral
    return Shown(result)


def packed(*messages):
    """The files of an export: by name, their bytes; records that stand in several are joined."""
    found: dict[str, bytes] = {}
    for message in messages:
        for attachment in message.attachments:
            with zipfile.ZipFile(io.BytesIO(attachment)) as box:
                assert box.testzip() is None
                for name in box.namelist():
                    assert name == dossiers.LINES or name not in found
                    found[name] = found.get(name, b"") + box.read(name)
    return found


class Files:
    """A message's attachments as bytes."""

    def __init__(self, studio, message):
        self.attachments = [studio.env.backend.cdn.get(each.url) for each in message.attachments]


async def exported(studio, shown, *, who=None):
    pressed = await press(studio, shown, "Export", who=who)
    assert all(message.ephemeral for message in pressed.followups)
    return packed(*(Files(studio, message) for message in pressed.followups)), pressed


def records(found):
    return [json.loads(line) for line in found[dossiers.LINES].decode().splitlines()]


async def everything(studio):
    def read(conn):
        tables = (schema.replies, schema.jobs, schema.preferences, schema.reports)
        return str([conn.execute(sa.select(table)).all() for table in tables])

    return await studio.app.ledger.run(read)


async def erase(studio, shown):
    await press(studio, shown, "Erase")
    assert shown.text.startswith("### Erase everything about you?")
    await press(studio, shown, "Erase it for good")


# --- to be read -----------------------------------------------------------------------------------


async def test_whoever_asked_for_nothing_reads_so(studio):
    shown = await privacy(studio)
    assert "- no requests" in shown.text
    assert set(shown.buttons) == {"Export", "Erase"}


async def test_the_panel_counts_what_is_kept(studio):
    await studio.imagine(count=2)
    await studio.remix(image1=("red.png", RED))
    await studio.finish()
    await studio.app.tastes.change(studio.member.id, {"spoiler": True})
    report = {"reply_id": "a", "user_id": studio.member.id, "at": studio.clock(), "reason": "-"}
    await studio.app.ledger.run(lambda conn: conn.execute(sa.insert(schema.reports).values(report)))
    text = (await privacy(studio)).text
    since = int(START.timestamp())
    assert f"- 2 requests and 3 pictures since <t:{since}:D>" in text
    assert "- 4 kept files, 0.1 MB" in text
    assert "- your choices in /preferences" in text
    assert "- 1 report of yours" in text
    assert "Requests are forgotten 365 days after they ended." in text
    assert "HiAPI, which makes the pictures, got your prompts and images." in text
    assert "https://" not in text
    # And nobody else's.
    assert "no requests" in (await privacy(studio, who=studio.someone("other"))).text


async def test_it_says_for_how_long_here_and_where_the_policy_is(open_studio):
    where = {"privacy_url": "https://example.net/privacy", "terms_url": "https://example.net/t"}
    async with open_studio(retention_days=0, **where) as studio:
        text = (await privacy(studio)).text
        assert "Requests stay until you erase them." in text
        assert "[Privacy policy](<https://example.net/privacy>)" in text
        assert "[Terms of use](<https://example.net/t>)" in text
        guild = studio.channel.guild.id
        await studio.app.intake._houses.change(guild, user_id=1, retention_days=7)
        assert "In this server after 7 days." in (await privacy(studio)).text
        async with studio.restarted(retention_days=5):
            text = (await privacy(studio)).text
            assert "Requests are forgotten 5 days after they ended." in text
            assert "In this server" not in text


# --- to be taken away -----------------------------------------------------------------------------


async def test_the_file_holds_all_that_is_kept_and_nothing_of_others(studio):
    other = studio.someone("other")
    await studio.imagine("somebody else's", who=other)
    await studio.imagine(SECRET)
    await studio.remix("as a mosaic", image1=("red.png", RED))
    await studio.finish()
    found, pressed = await exported(studio, await privacy(studio))
    told = records(found)
    assert told[0]["record"] == "about"
    assert {each["prompt"] for each in told if each["record"] == "jobs"} == {SECRET, "as a mosaic"}
    assert {each["user_id"] for each in told if "user_id" in each} == {studio.member.id}
    assert b"somebody else's" not in found[dossiers.LINES]
    assert b'token":' not in found[dossiers.LINES].replace(b'token_expires_at":', b"")
    originals = [name for name in found if name.startswith("originals/")]
    jobs = [each["id"] for each in told if each["record"] == "jobs"]
    assert sorted(originals) == sorted(f"originals/{job}.png" for job in jobs)
    [reference] = [name for name in found if name.startswith("references/")]
    assert found[reference] == RED
    assert pressed.followups[0].content.startswith("Everything I keep about you")


async def test_an_export_is_split_where_it_does_not_fit(studio):
    """Parts of less than 40 kB: each holds what it can, and what is too much is counted."""
    for _ in range(8):
        await studio.imagine()
    await studio.finish()
    sizes = [
        each.stat().st_size for each in (studio.app.settings.keep_folder / "originals").iterdir()
    ]
    limit = max(sizes) + dossiers.PART_ROOM + 4 * dossiers.ENTRY
    made = await studio.app.forgetting.dossiers.export(studio.member.id, limit=limit)
    assert 2 <= len(made.parts) <= dossiers.PARTS
    assert all(len(part) <= limit for part in made.parts)
    found = packed(type("Parts", (), {"attachments": made.parts}))
    assert len(records(found)) > 16
    originals = [name for name in found if name.startswith("originals/")]
    assert len(originals) + made.left_out == 8
    assert made.left_out > 0
    # Less room than one picture takes: the records all the same, in as many parts as it takes.
    made = await studio.app.forgetting.dossiers.export(
        studio.member.id, limit=dossiers.PART_ROOM + 1500
    )
    assert made.left_out == 8
    found = packed(type("Parts", (), {"attachments": made.parts}))
    assert len([each for each in records(found) if each["record"] == "jobs"]) == 8


async def test_discord_that_takes_no_file_is_told_of(studio):
    await studio.imagine()
    shown = await privacy(studio)

    async def refuse(_send):
        raise messenger.discord.HTTPException(
            type("Answer", (), {"status": 413, "reason": "-"})(), {"code": 40005, "message": "-"}
        )

    studio.wire.hook("POST", "/webhooks/*/*", refuse)
    pressed = await press(studio, shown, "Export")
    assert refused(pressed).startswith("**Discord did not take the files.**")


# --- erased ---------------------------------------------------------------------------------------


async def test_nothing_is_erased_before_the_second_press(studio):
    await studio.imagine(SECRET)
    await studio.finish()
    shown = await privacy(studio)
    await press(studio, shown, "Erase")
    assert "It cannot be undone." in shown.text
    assert set(shown.buttons) == {"Erase it for good", "Export", "Keep it"}
    assert SECRET in await everything(studio)
    await press(studio, shown, "Keep it")
    assert shown.text.startswith("### What I keep about you")
    assert SECRET in await everything(studio)


async def test_the_second_press_erases_and_nothing_comes_back(studio):
    card = await studio.imagine(SECRET)
    await studio.remix(SECRET, image1=("red.png", RED))
    await studio.finish()
    other = studio.someone("other")
    await studio.imagine("somebody else's", who=other)
    await studio.finish()
    await studio.app.tastes.change(studio.member.id, {"private": True, "spare_avatar": True})
    # All that is remembered of them is remembered now.
    assert len(await suggested(studio)) == 1
    await history(studio)
    kept = studio.app.settings.keep_folder
    before = sum(1 for each in kept.rglob("*") if each.is_file())
    assert before == 4
    shown = await privacy(studio)
    await erase(studio, shown)
    assert shown.text.startswith("### Erased\n2 requests were erased.") or (
        "2 requests were erased." in shown.text
    )
    assert shown.buttons == {}
    left = await everything(studio)
    assert SECRET not in left
    assert str(studio.member.id) not in left
    assert "somebody else's" in left
    assert sum(1 for each in kept.rglob("*") if each.is_file()) == 1
    path = files.sqlite_path(studio.app.settings.database_url)
    told = b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))
    assert SECRET.encode() not in told
    # From memory neither.
    assert await suggested(studio) == []
    assert await studio.app.tastes.of(studio.member.id) == Taste()
    assert (await history(studio)).rows == []
    assert not studio.app.past._thumbnails
    # The buttons of the card that stands still say so, before anything is spent.
    for label in ("Again", "Original", "Make it 2K", "Edit prompt"):
        pressed = await studio.member.click(card.response, label=label)
        assert refused(pressed).startswith("**The bot does not remember this picture.**"), label
    assert await studio.counted() == 3
    # And once more there is nothing.
    again = await privacy(studio)
    assert "no requests" in again.text
    await erase(studio, again)
    assert "0 requests were erased." in again.text
    assert "A block or a pause stays, if there is one." in again.text


async def test_the_card_of_somebody_erased_can_be_deleted_by_them_alone(studio):
    card = await studio.imagine()
    await studio.finish()
    await erase(studio, await privacy(studio))
    stranger = studio.someone("stranger")
    pressed = await stranger.click(card.response, label="Delete")
    assert refused(pressed).startswith("**This picture is not yours to delete.**")
    await studio.member.click(card.response, label="Delete")
    assert studio.messages() == []


async def test_what_is_under_way_is_cancelled_and_its_card_says_so(studio):
    waiting = await studio.imagine(SECRET)
    sent = await studio.imagine(SECRET, private=True)
    await studio.app.submitter.step()
    shown = await privacy(studio)
    await press(studio, shown, "Erase")
    assert "- 2 pictures under way are cancelled; those that were begun count" in shown.text
    await press(studio, shown, "Erase it for good")
    assert "2 pictures under way were cancelled." in shown.text
    headings = {studio.shown(each).heading for each in (waiting, sent)}
    assert headings == {"Cancelled"}
    assert SECRET not in studio.shown(waiting).text
    # HiAPI goes on; what it says changes nothing, and what was sent counts.
    await studio.submit()
    studio.clock.move(10)
    await studio.look()
    await studio.deliver()
    assert studio.shown(waiting).heading == studio.shown(sent).heading == "Cancelled"
    assert await studio.counted() == 1
    assert SECRET not in str(vars(studio.app.tracker))
    assert SECRET not in await everything(studio)


async def test_what_hiapi_turned_away_is_no_picture_that_was_begun(studio):
    studio.hiapi.fault(faults.unavailable(), on="create")
    waiting = await studio.imagine(SECRET)
    await studio.submit()
    await erase(studio, await privacy(studio))
    assert "Nothing was made and nothing was counted." in studio.shown(waiting).text
    assert await studio.counted() == 0


@pytest.mark.parametrize("private", [True, False])
async def test_an_erasure_while_its_picture_is_being_shown_keeps_no_file(studio, private):
    await studio.imagine(SECRET, private=private)
    await studio.settle()
    shown = await privacy(studio)
    await press(studio, shown, "Erase")
    fetched = asyncio.Event()
    release = asyncio.Event()
    keep = studio.app.deliverer._keeper.keep_original

    async def held(job_id, data):
        fetched.set()
        await release.wait()
        return await keep(job_id, data)

    studio.app.deliverer._keeper.keep_original = held
    delivering = asyncio.create_task(studio.deliver())
    await fetched.wait()
    await press(studio, shown, "Erase it for good")
    release.set()
    await delivering
    assert not [*(studio.app.settings.keep_folder / "originals").iterdir()]
    assert SECRET not in await everything(studio)


async def test_what_another_process_erased_is_forgotten_here_in_time(studio):
    await studio.imagine(SECRET)
    await studio.finish()
    assert len(await suggested(studio)) == 1
    await studio.app.ledger.run(rows.erase, studio.member.id, now=studio.clock())
    studio.clock.move(5 * 60)
    assert await studio.app.recent.step() == 1
    assert SECRET not in str(vars(studio.app.recent))
    assert await suggested(studio) == []


async def test_nobody_else_can_use_the_buttons(studio):
    await studio.imagine(SECRET)
    shown = await privacy(studio)
    await press(studio, shown, "Erase")
    stranger = studio.someone("stranger")
    mine = str(studio.member.id)
    for verb in ("export", "really", "erase", "keep"):
        theirs = await privacy(studio, who=stranger)
        # Discord hands a press of one's own message on, whatever id a forger gave its button.
        payload = theirs.message.components
        forged = f"privacy:{verb}:{mine}"
        assert forged not in str(payload)
        pressed = await forge(stranger, theirs, forged)
        assert refused(pressed).startswith("**This is about somebody else.**"), verb
    assert SECRET in await everything(studio)


async def forge(who, shown, custom_id):
    """Press a button whose id somebody wrote themselves."""
    stored = _visible_message(who, shown.message)  # as who presses it sees it
    for item in stored.components[0]["components"]:
        if item["type"] == 1:
            item["components"][0]["custom_id"] = custom_id
    return await who.click(shown.message, custom_id=custom_id)


async def test_the_buttons_outlive_the_process(studio):
    await studio.imagine(SECRET)
    await studio.finish()
    shown = await privacy(studio)
    async with studio.restarted():
        found, _ = await exported(studio, shown)
        assert SECRET.encode() in found[dossiers.LINES]
        await press(studio, shown, "Erase")
        async with studio.restarted():
            await press(studio, shown, "Erase it for good")
            assert SECRET not in await everything(studio)


async def test_a_ledger_that_fails_is_said_so_and_nothing_is_half_erased(studio):
    await studio.imagine(SECRET)
    shown = await privacy(studio)
    await press(studio, shown, "Erase")
    database = studio.app.settings.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("DROP TABLE reports")
        pressed = await press(studio, shown, "Erase it for good")
    assert refused(pressed).startswith("**The bot cannot erase anything right now.**")
    assert SECRET in str(await studio.app.ledger.run(prompts))
    pressed = await studio.member.slash(studio.channel, "privacy")
    assert refused(pressed).startswith("**The bot cannot look this up right now.**")


# --- in time --------------------------------------------------------------------------------------


async def test_a_card_that_grew_too_old_says_what_can_no_longer_be_had(studio):
    card = await studio.imagine(SECRET)
    await studio.finish()
    studio.clock.move(364 * 86_400)
    assert await studio.app.forgetting.pruner.step() == 0
    studio.clock.move(86_400)
    assert await studio.app.forgetting.pruner.step() >= 1
    assert SECRET not in await everything(studio)
    for label in ("Again", "Send to DMs", "Make it 2K"):
        pressed = await studio.member.click(card.response, label=label)
        assert refused(pressed).startswith("**The bot does not remember this picture.**"), label
    assert len(studio.tasks) == 1
    assert (await history(studio)).rows == []
    # What needs the message alone goes on, but for whom the server's rules keep from it.
    stranger = studio.someone("stranger")
    assert (await stranger.click(card.response, label="Remix this")).modal
    guild = studio.channel.guild.id
    await studio.app.intake._houses.change(guild, user_id=1, hands="owner")
    pressed = await stranger.click(card.response, label="Remix this")
    assert refused(pressed).startswith("**The bot does not remember this picture.**")


async def test_what_is_being_looked_up_while_somebody_is_erased_is_not_kept(studio):
    await studio.imagine(SECRET)
    free = threading.Event()
    hanging = asyncio.create_task(studio.app.ledger.run(lambda _conn: free.wait(30)))
    await asyncio.sleep(0)
    asking = asyncio.create_task(studio.app.recent.prompts(studio.member.id, ""))
    await eventually(lambda: studio.app.recent._loading)
    erasing = asyncio.create_task(studio.app.forgetting.dossiers.erase(studio.member.id))
    await asyncio.sleep(0)
    free.set()
    await asyncio.gather(hanging, asking, erasing)
    assert SECRET not in str(vars(studio.app.recent))
    assert await suggested(studio) == []


async def test_what_waits_to_be_seen_is_shown_after_a_servers_short_days(studio):
    result = await noted(studio, SECRET)
    guild = studio.channel.guild.id
    await studio.app.intake._houses.change(guild, user_id=1, retention_days=1)
    studio.clock.move(5 * 60)
    await finish_task(studio)
    await studio.deliver()
    assert (await studio.reply(result)).delivery is Delivery.PARKED
    studio.clock.move(20 * 86_400)
    await studio.app.forgetting.pruner.step()
    assert (await studio.reply(result)).jobs[0].request.prompt == SECRET
    studio.clock.move(11 * 86_400)
    await studio.app.forgetting.pruner.step()
    pressed = await show(studio, result)
    assert refused(pressed).startswith("**There is nothing left to show here.**")


# --- anywhere -------------------------------------------------------------------------------------


@pytest.fixture
def open_abroad(tmp_path, monkeypatch, empty_ledger):
    shutil.copy(empty_ledger, tmp_path / "demo.db")
    monkeypatch.setattr(messenger, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(pickup, "PAUSES", (0.0, 0.001, 0.001))
    monkeypatch.setattr(painter, "LONG_EDGE", {"1K": 160, "2K": 320})
    return lambda **changes: abroad.opened(tmp_path, **changes)


@pytest.mark.parametrize("place", PLACES)
async def test_wherever_a_person_is(open_abroad, place):
    async with open_abroad() as far:
        await far.ask(PLACES[place], prompt=SECRET)
        asked = await far.discord.command("privacy", {}, **PLACES[place])
        await asked.acknowledged()
        await abroad.eventually(
            lambda: asked.message and "1 request and 0 pictures since" in asked.text
        )
        assert asked.ephemeral
        pressed = await far.press(asked.message, "export", **PLACES[place])
        await abroad.eventually(lambda: pressed.followups)
        [file] = pressed.followups[0].attachments
        with zipfile.ZipFile(io.BytesIO(far.discord.cdn.read(file.id))) as box:
            assert SECRET.encode() in box.read(dossiers.LINES)
        await far.press(asked.message, "erase", **PLACES[place])
        await abroad.eventually(lambda: "Erase everything about you?" in asked.text)
        stranger = await far.press(asked.message, "really", who=FRIEND, **PLACES[place])
        await abroad.eventually(lambda: "somebody else" in stranger.text)
        assert SECRET in str(await far.app.ledger.run(prompts))
        await far.press(asked.message, "really", who=OWNER, **PLACES[place])
        await abroad.eventually(lambda: "1 request was erased." in asked.text)
        assert SECRET not in str(await far.app.ledger.run(prompts))
