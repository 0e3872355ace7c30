"""The bot as somebody's own app: guest in servers and conversations, forced to be private."""

import io
import shutil

import pytest
from PIL import Image

from bot import i18n, messenger, pickup
from sandbox import painter
from sandbox.wirecord import faults, places
from sandbox.wirecord.interactions import FOLLOWUPS
from tests.flow import abroad
from tests.flow.abroad import FRIEND, GUEST, MINE, PLACES
from tests.flow.studio import eventually, image

SERVER = GUEST["server"]
SILENCED = {**SERVER, "permissions": places.ALL_PERMISSIONS & ~places.USE_EXTERNAL_APPS}
LATE = 14 * 60  # seconds; a minute before the token dies


@pytest.fixture
def open_abroad(tmp_path, monkeypatch, empty_ledger):
    shutil.copy(empty_ledger, tmp_path / "demo.db")
    # The pauses between attempts are the bot's only real waiting.
    monkeypatch.setattr(messenger, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(pickup, "PAUSES", (0.0, 0.001, 0.001))
    monkeypatch.setattr(painter, "LONG_EDGE", {"1K": 160, "2K": 320})
    return lambda **changes: abroad.opened(tmp_path, **changes)


@pytest.fixture
async def far(open_abroad):
    async with open_abroad() as running:
        yield running


def pictures(asked):
    return asked.message.attachments


def heading(asked):
    return asked.text.partition("\n")[0].removeprefix("### ")


# Pictures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
async def test_imagine_ends_with_its_picture_wherever_the_person_is(far, place):
    asked = await far.ask(PLACES[place])
    await far.cards()
    await far.finish()
    [file] = pictures(asked)
    assert Image.open(io.BytesIO(far.discord.cdn.read(file.id))).size == (160, 160)
    assert heading(asked) == "Here is your picture"
    assert (await far.reply(asked)).delivery == "delivered"
    assert not asked.ephemeral
    assert asked.followups == []
    assert asked.refusals == []
    assert {edit.how for edit in asked.edits} == {"original"}
    assert far.posts() == []
    assert far.bills == 1


@pytest.mark.parametrize("place", PLACES)
async def test_remix_ends_with_its_picture_wherever_the_person_is(far, place):
    asked = await far.remix(PLACES[place], ("a.png", image("red")), ("b.png", image("blue")))
    await far.finish()
    assert len(pictures(asked)) == 1
    assert "2 images" in asked.text
    assert (await far.reply(asked)).delivery == "delivered"
    assert asked.refusals == []
    assert far.bills == 1


async def test_several_pictures_need_no_follow_up(far):
    asked = await far.ask(SERVER, options={"count": 4})
    await far.finish()
    assert len(pictures(asked)) == 4
    assert asked.followups == []


@pytest.mark.parametrize("place", PLACES)
async def test_the_ledger_knows_whether_the_bot_is_a_guest(far, place):
    reply = await far.reply(await far.ask(PLACES[place]))
    assert reply.target.present is (place == "direct")
    assert not reply.target.private


# Forced to be private -----------------------------------------------------------------------------


async def test_a_forced_private_reply_is_private_from_then_on(far):
    asked = await far.ask(SILENCED)
    assert asked.ephemeral
    reply = await far.reply(asked)
    assert reply.target.private
    await far.cards()
    await far.submit()
    far.pass_time(LATE)
    assert await far.note() == 1
    assert heading(asked) == "Still working on it"
    far.pass_time(2 * 60)
    await far.finish()
    assert (await far.reply(asked)).delivery == "parked"
    assert pictures(asked) == []

    press = await far.press(asked.message, "show")
    await eventually(far.app.deliverer.step)
    assert len(pictures(asked)) == 1
    assert press.edits[-1].how == "original"
    assert (await far.reply(asked)).delivery == "delivered"
    assert far.posts() == []
    assert far.bills == 1


@pytest.mark.parametrize("denied", [places.USE_EXTERNAL_APPS, places.SEND_MESSAGES])
async def test_a_forced_private_picture_in_time_is_seen_by_one_alone(far, denied):
    asked = await far.ask(SERVER, permissions=places.ALL_PERMISSIONS & ~denied)
    await far.finish()
    assert len(pictures(asked)) == 1
    assert asked.ephemeral
    again = await far.press(asked.message, "again")
    await far.taken(again)
    assert (await far.reply(again)).target.private


async def test_again_is_private_where_discord_has_come_to_force_it(far):
    asked = await far.ask(SERVER)
    await far.finish()
    again = await far.press(asked.message, "again", permissions=SILENCED["permissions"])
    await far.taken(again)
    assert again.ephemeral
    assert (await far.reply(again)).target.private


# After the token ----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", GUEST)
async def test_a_public_reply_of_a_guest_becomes_a_note_before_its_token_dies(far, place):
    asked = await far.ask(GUEST[place])
    await far.cards()
    await far.submit()
    far.pass_time(LATE)
    assert await far.note() == 1
    assert heading(asked) == "Still working on it"
    assert not asked.ephemeral
    far.pass_time(2 * 60)
    await far.finish()
    assert (await far.reply(asked)).delivery == "parked"

    # Somebody else's press shows nothing, tells them alone, and takes nothing from the owner.
    other = await far.press(asked.message, "show", who=FRIEND)
    await eventually(lambda: other.followups)
    assert [message.ephemeral for message in other.followups] == [True]
    assert pictures(asked) == []

    await far.press(asked.message, "show")
    await eventually(far.app.deliverer.step)
    assert len(pictures(asked)) == 1
    assert not asked.ephemeral
    assert (await far.reply(asked)).delivery == "delivered"
    assert far.posts() == []
    assert far.bills == 1


async def test_a_show_before_the_picture_brings_a_new_quarter_of_an_hour_and_a_new_note(far):
    asked = await far.ask(SERVER)
    await far.submit()
    far.pass_time(LATE)
    assert await far.note() == 1
    far.pass_time(5 * 60)
    await far.press(asked.message, "show")
    reply = await eventually(lambda: open_again(far, asked))
    left = (reply.target.token_expires_at - far.clock()).total_seconds()
    assert 14.5 * 60 < left <= 15 * 60
    assert await far.note() == 0
    await far.cards()
    assert heading(asked) != "Still working on it"
    far.pass_time(LATE)
    assert await far.note() == 1
    assert heading(asked) == "Still working on it"


async def open_again(far, asked):
    reply = await far.reply(asked)
    return reply if not reply.noted else None


async def test_in_the_bots_own_direct_messages_its_own_token_ends_the_card(far):
    asked = await far.ask(PLACES["direct"])
    await far.cards()
    await far.submit()
    far.pass_time(LATE)
    assert await far.note() == 0
    far.pass_time(2 * 60)
    await far.finish()
    assert len(pictures(asked)) == 1
    assert asked.edits[-1].how == "channel"
    assert far.posts() == []


async def test_a_note_goes_without_the_words_that_the_server_forbids(far):
    asked = await far.ask(SERVER, prompt="a forbidden word")
    await far.submit()
    far.pass_time(LATE)
    objects = far.discord.fault(
        forbidding(200000), on="PATCH /webhooks/*/@original", times=1, about=asked
    )
    assert await far.note() == 1
    assert objects
    assert heading(asked) == "Still working on it"
    assert "forbidden" not in asked.text


@pytest.mark.parametrize("place", GUEST)
async def test_a_card_that_nobody_could_reach_in_time_shows_its_picture_at_a_press(far, place):
    asked = await far.ask(GUEST[place])
    await far.cards()
    await far.submit()
    # The process was down while a note could be written.
    far.pass_time(16 * 60)
    await far.finish()
    assert (await far.reply(asked)).delivery == "undeliverable"
    assert pictures(asked) == []

    other = await far.press(asked.message, "cancel", who=FRIEND)
    await eventually(lambda: other.followups)
    assert (await far.reply(asked)).delivery == "undeliverable"

    press = await far.press(asked.message, "cancel")
    await eventually(far.app.deliverer.step)
    assert len(pictures(asked)) == 1
    assert press.followups == []
    assert (await far.reply(asked)).delivery == "delivered"
    assert far.bills == 1


async def test_a_lost_note_leaves_a_card_whose_press_shows_the_picture(far):
    """Somebody without a server in common gets no direct message; the operator hears of it."""
    asked = await far.ask(SILENCED)
    await far.cards()
    await far.submit()
    far.pass_time(LATE)
    far.discord.fault(forbidding(0), on="PATCH /webhooks/*/@original", about=asked, times=1)
    assert await far.note() == 1
    far.pass_time(2 * 60)
    await far.finish()
    assert (await far.reply(asked)).delivery == "undeliverable"
    await far.press(asked.message, "cancel")
    await eventually(far.app.deliverer.step)
    assert len(pictures(asked)) == 1


# Buttons ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
async def test_cancel_goes_by_the_presss_token(far, place):
    asked = await far.ask(PLACES[place])
    await far.cards()
    far.pass_time(20 * 60)
    press = await far.press(asked.message, "cancel")
    await eventually(lambda: heading(asked) == "Cancelled")
    assert press.edits[-1].how == "original"
    assert (await far.reply(asked)).delivery == "cancelled"
    await far.finish()
    assert far.bills == 0


@pytest.mark.parametrize("place", PLACES)
async def test_again_brings_a_second_picture(far, place):
    asked = await far.ask(PLACES[place])
    await far.finish()
    far.pass_time(3600)
    again = await far.press(asked.message, "again")
    await far.taken(again)
    await far.finish()
    assert len(pictures(again)) == 1
    assert again.message is not asked.message
    assert len(pictures(asked)) == 1
    assert (await far.reply(again)).target.present is (place == "direct")


@pytest.mark.parametrize("place", PLACES)
async def test_delete_goes_by_the_presss_token(far, place):
    asked = await far.ask(PLACES[place])
    await far.finish()
    far.pass_time(3600)
    other = await far.press(asked.message, "delete", who=FRIEND, permissions=0)
    assert (await other.shown()).ephemeral
    assert not asked.message.deleted
    await far.press(asked.message, "delete")
    await eventually(lambda: asked.message.deleted)
    assert not any(route.startswith("DELETE /channels") for route, _ in far.discord.counts)


@pytest.mark.parametrize("place", GUEST)
async def test_nobody_spends_by_another_persons_app(far, place):
    asked = await far.ask(GUEST[place])
    await far.finish()
    again = await far.press(asked.message, "again", who=FRIEND)
    refused = await again.shown()
    assert refused.ephemeral
    assert refused.text.startswith("**Here the bot only works for the person who brought it.**")
    assert await far.rows() == 1


# Settings -----------------------------------------------------------------------------------------


ONLY_WHERE_ADDED = "**The bot only works in servers that added it.**"
NO_DIRECT = "**The bot does not take requests in direct messages.**"
NOT_LISTED = "**This server is not on the bot's list.**"
AT_HOME = {"owners": {"0": abroad.asking.GUILD}}


@pytest.mark.parametrize(
    ("changes", "place", "words"),
    [
        *(({"allow_user_install": False}, GUEST[name], ONLY_WHERE_ADDED) for name in GUEST),
        ({"allow_user_install": False, "allow_dms": False}, PLACES["direct"], NO_DIRECT),
        ({"allow_dms": False}, PLACES["direct"], NO_DIRECT),
        ({"allow_dms": False}, {"guild": None}, NO_DIRECT),
        ({"allowed_servers": frozenset({"7"}), "allow_user_install": False}, AT_HOME, NOT_LISTED),
        ({"allowed_servers": frozenset({"7"})}, AT_HOME, NOT_LISTED),
    ],
)
async def test_the_operators_settings_refuse_privately_and_nothing_is_written(
    open_abroad, changes, place, words
):
    async with open_abroad(**changes) as far:
        asked = await far.ask(place)
        assert asked.ephemeral
        assert asked.text.startswith(words)
        assert asked.followups == []
        await far.finish()
        assert (await far.rows(), far.bills) == (0, 0)


async def test_whose_own_app_it_is_may_use_it_in_a_server_that_is_not_listed(open_abroad):
    async with open_abroad(allowed_servers=frozenset({"7"})) as far:
        both = {"owners": {"0": abroad.asking.GUILD, **MINE}}
        asked = await far.ask(both)
        await far.finish()
        assert len(pictures(asked)) == 1
        # The bot is a member there, so its own token may edit.
        assert (await far.reply(asked)).target.present


# Five follow-ups ----------------------------------------------------------------------------------


async def test_refusals_and_whispers_take_at_most_one_follow_up_per_press(far):
    asked = await far.ask(SERVER)
    await far.cards()
    await far.finish()
    [again] = [each for each in asked.message.custom_ids if ":again:" in each]
    cancel = again.replace(":again:", ":cancel:")
    show = again.replace(":again:", ":show:")
    asked.message.components.append(buttons(cancel, show))
    presses = [
        await far.discord.click(asked.message, each) for each in (cancel, show) * 2 * FOLLOWUPS
    ]
    for press in presses:
        await eventually(lambda press=press: press.followups)
    assert [len(press.followups) for press in presses] == [1] * len(presses)
    assert all(press.refusals == [] for press in presses)
    assert all(message.ephemeral for press in presses for message in press.followups)


async def test_a_replayed_command_is_answered_once_and_takes_no_follow_up(far):
    asked = await far.ask(SERVER)
    for _ in range(2 * FOLLOWUPS):
        await far.discord.replay(asked)
    await far.finish()
    assert len(pictures(asked)) == 1
    assert asked.followups == []
    assert far.bills == 1


@pytest.mark.parametrize("place", [SERVER, SILENCED])
async def test_an_upload_that_is_refused_late_is_told_in_one_message(far, place):
    asked = await far.remix(place, ("a.png", b"not an image"))
    await eventually(lambda: told(asked))
    [said] = told(asked)
    assert said.ephemeral
    assert far.bills == 0


@pytest.mark.parametrize("place", [SERVER, SILENCED])
async def test_without_a_follow_up_left_the_answer_itself_says_it(far, place):
    far.discord.fault(forbidding(40094), on="POST /webhooks/*", times=1)
    asked = await far.remix(place, ("a.png", b"not an image"))
    await eventually(lambda: told(asked))
    [said] = told(asked)
    assert said is asked.message
    assert "image" in said.text
    assert asked.followups == []


def told(asked):
    """What the person reads in the end: no spinner, no dots, nothing that was deleted."""
    messages = [asked.message, *asked.followups]
    return [each for each in messages if not each.deleted and len(each.text) > 1]


def buttons(*custom_ids):
    """More buttons for a card, of presses that no longer fit it."""
    made = [{"type": 2, "style": 2, "label": "x", "custom_id": each} for each in custom_ids]
    return {"type": 1, "components": [{**each, "id": 90 + n} for n, each in enumerate(made)]}


def forbidding(code):
    return faults.refuse(400, code=code)


# Languages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", ["de", "ja", "pt-BR"])
async def test_the_locale_reaches_every_card_and_refusal(far, locale):
    asked = await far.ask(SERVER, locale=locale)
    assert (await far.reply(asked)).target.locale == locale
    await far.submit()
    far.pass_time(LATE)
    assert await far.note() == 1
    assert heading(asked) == said("Still working on it", locale)
    await far.finish()
    assert heading(asked) == said("Here is your picture", locale)
    refused = await (await far.press(asked.message, "again", who=FRIEND, locale=locale)).shown()
    assert said("Here the bot only works for the person who brought it.", locale) in refused.text

    again = await far.press(asked.message, "again", locale="fr")
    await far.taken(again)
    await far.submit()
    far.pass_time(10 * 60)  # after one slow picture the bot looks for the next one less often
    await far.finish()
    # The words are in the language of whoever pressed, not of whoever asked first.
    assert heading(again) == said("Here is your picture", "fr")


def said(words, locale):
    """These words in another language than English."""
    with i18n.use(locale):
        translated = i18n._(words)
    assert translated != words
    return translated
