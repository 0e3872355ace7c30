"""How a finished card reaches its person when the straight way is closed, also after a crash.

Discord is simulated, so it forgets nonces and knows no user install: what is sent is looked at,
and a reply of a user install is made by hand.
"""

import asyncio
import json
from datetime import timedelta
from typing import Any

import discord
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from bot.delivery import LEASE
from bot.ladder import NONCE_LIFE
from bot.ledger import deliveries, schema
from bot.model import Rung, short_id
from tests.flow.studio import MESSAGE, ORIGINAL, eventually, painted

CHANNEL = "/channels/*/messages"
DM = "/users/@me/channels"
CLOSED = {"status": 403, "code": 50001, "times": None}


def server_error() -> discord.DiscordServerError:
    class Answer:
        status, reason = 503, "Service Unavailable"

    return discord.DiscordServerError(Answer(), {"code": 0, "message": "upstream connect error"})


async def settled(studio, prompt="a red fox", **options):
    """An ask whose picture is made and waits to be shown."""
    result = await studio.imagine(prompt, **options)
    await studio.settle()
    return result


async def unreachable(studio, **options):
    """The same, where the bot may edit nothing that stands in the channel."""
    result = await settled(studio, **options)
    studio.env.inject_error("PATCH", "*", **CLOSED)
    return result


def told_directly(studio) -> list[Any]:
    """The bot's direct messages to whoever asked."""
    channel = studio.env.backend.get_dm_channel(studio.member.id)
    found = studio.env.backend.messages.get(channel.id, {})
    return [message for message in found.values() if message.author_id != studio.member.id]


class Sending:
    """What happens to new messages between the bot and Discord."""

    def __init__(self, studio) -> None:
        self._http = studio.app.bot.http
        self._send = self._http.send_message
        self._http.send_message = self._take
        self.before = self.after = None
        self.taken = 0

    async def _take(self, *args, **kwargs):
        self.taken += 1
        if self.before is not None:
            await self.before()
        answer = await self._send(*args, **kwargs)
        if self.after is not None:
            await self.after()
        return answer


# --- a new message --------------------------------------------------------------------------------


async def test_the_rung_and_its_time_are_written_before_anything_is_sent(studio):
    result = await unreachable(studio)
    sending, written = Sending(studio), []

    async def look() -> None:
        reply = await studio.reply(result)
        written.append((reply.rung, reply.rung_at, reply.delivery))

    sending.before = look
    await studio.deliver()
    assert written == [(Rung.CHANNEL, studio.clock(), "open")]


async def test_what_goes_out_carries_the_picture_and_an_enforced_nonce(studio):
    result = await unreachable(studio)
    await studio.deliver()
    reply = await studio.reply(result)
    assert (reply.delivery, reply.rung) == ("delivered", Rung.CHANNEL)
    [post] = studio.sent("POST", CHANNEL)
    assert post.json["nonce"] == f"c{reply.id}"
    assert len(post.json["nonce"]) <= 25
    assert post.json["enforce_nonce"] is True
    [posted] = studio.messages()
    data = studio.env.backend.cdn.get(posted.attachments[0].url)
    assert data == painted(studio.tasks[0])


async def test_the_routes_are_tried_in_order_and_each_once(studio):
    result = await unreachable(studio)
    studio.env.inject_error("POST", f"/channels/{studio.channel.id}/messages", **CLOSED)
    await studio.deliver()
    routes = [("PATCH", ORIGINAL), ("PATCH", MESSAGE), ("POST", CHANNEL), ("POST", DM)]
    # Refused in the channel, taken in the direct messages.
    assert [len(studio.sent(*route)) for route in routes] == [1, 1, 2, 1]
    reply = await studio.reply(result)
    assert (reply.delivery, reply.rung) == ("delivered", Rung.DM)
    assert studio.sent("POST", CHANNEL)[1].json["nonce"] == f"d{reply.id}"
    assert len(told_directly(studio)) == 1


@pytest.mark.parametrize(("status", "code"), [(401, 0), (403, 50013), (404, 10003)])
async def test_no_refusal_is_tried_again(studio, status, code):
    result = await settled(studio)
    studio.env.inject_error("*", "*", status=status, code=code, times=None)
    before = len(studio.env.http_requests)
    await studio.deliver()
    # By token, as the bot, in the channel, and the opening of the direct messages.
    assert len(studio.env.http_requests) - before == 4
    assert (await studio.reply(result)).delivery == "undeliverable"
    for _ in range(5):
        studio.clock.move(600)
        assert await studio.deliver() == 0
    assert len(studio.env.http_requests) - before == 4


async def test_a_person_who_takes_no_direct_messages(studio):
    result = await unreachable(studio, private=True)
    studio.clock.move(16 * 60)
    studio.env.inject_error("POST", CHANNEL, status=403, code=50007, times=None)
    with capture_logs() as logs:
        await studio.deliver()
    reply = await studio.reply(result)
    assert (reply.delivery, reply.rung) == ("undeliverable", Rung.DM)
    assert "50007" in next(e["cause"] for e in logs if e["event"] == "reply.undeliverable")
    assert len(studio.sent("POST", CHANNEL)) == 1
    assert reply.jobs[0].outcome.pictures


async def test_a_private_picture_goes_to_the_person_alone(studio):
    result = await settled(studio, private=True)
    studio.clock.move(16 * 60)
    await studio.deliver()
    assert (await studio.reply(result)).rung is Rung.DM
    assert studio.messages(viewer=studio.someone("neighbour")) == []
    [told] = told_directly(studio)
    assert told.attachments
    assert studio.sent("POST", f"/channels/{studio.channel.id}/messages") == []


async def test_a_message_that_was_deleted_is_posted_by_no_route(studio):
    result = await settled(studio)
    studio.clock.move(16 * 60)
    studio.env.backend.delete_message(studio.channel.id, result.response.id)
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "undeliverable"
    assert studio.sent("POST", CHANNEL) == studio.sent("POST", DM) == []


# --- a crash, or silence, around the sending ------------------------------------------------------


async def crashed(studio, *, sent: bool):
    """A process that dies while it posts, before or after Discord took the message."""
    result = await unreachable(studio)
    sending, never, reached = Sending(studio), asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        reached.set()
        await never.wait()

    if sent:
        sending.after = hang
    else:
        sending.before = hang
    dying = asyncio.create_task(studio.app.deliverer.step())
    await eventually(reached.is_set)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    # The send outlives the step that asked for it: a real crash would end it too.
    for task in asyncio.all_tasks():
        if "Messenger" in str(task.get_coro()):
            task.cancel()
    sending.before = sending.after = None
    return result


@pytest.mark.parametrize("sent", [True, False])
async def test_within_the_nonces_life_it_is_sent_again_under_the_same_nonce(studio, sent):
    result = await crashed(studio, sent=sent)
    studio.clock.move(LEASE.total_seconds() + 1)
    assert await studio.deliver() == 1
    reply = await studio.reply(result)
    assert reply.delivery == "delivered"
    posts = studio.sent("POST", CHANNEL)
    assert {post.json["nonce"] for post in posts} == {f"c{reply.id}"}
    assert len(posts) == 1 + sent  # Discord itself would answer the second with the first


@pytest.mark.parametrize("pause", [NONCE_LIFE, timedelta(hours=5)])
async def test_later_it_looks_first_and_finds_its_message(studio, pause):
    result = await crashed(studio, sent=True)
    studio.clock.move(pause.total_seconds())
    assert await studio.deliver() == 1
    assert (await studio.reply(result)).delivery == "delivered"
    assert len(studio.sent("POST", CHANNEL)) == 1
    assert len(studio.messages()) == 1


async def test_later_it_looks_first_and_finds_nothing_but_the_waiting_card(studio):
    result = await crashed(studio, sent=False)
    studio.clock.move(NONCE_LIFE.total_seconds())
    began = studio.clock()
    [waiting] = studio.messages()
    assert await studio.deliver() == 1
    reply = await studio.reply(result)
    assert (reply.delivery, reply.rung_at) == ("delivered", began)
    assert len(studio.sent("POST", CHANNEL)) == 1
    [posted] = studio.messages()
    assert posted.id != waiting.id
    assert posted.attachments


async def test_where_a_waiting_card_with_its_id_stands_it_is_not_taken_for_the_picture(studio):
    result = await studio.imagine("a red fox")
    await studio.submit()
    await studio.app.progress.step()
    reply = await studio.reply(result)
    await eventually(lambda: short_id(reply.jobs[0].id) in studio.shown(result).text)
    await studio.settle()
    studio.env.inject_error("PATCH", "*", **CLOSED)
    studio.env.inject_error("POST", CHANNEL, status=503)
    await studio.deliver()
    assert (await studio.reply(result)).rung is Rung.CHANNEL
    studio.clock.move(NONCE_LIFE.total_seconds())
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "delivered"
    [posted] = studio.messages()
    assert posted.attachments


async def test_where_it_may_not_look_it_does_not_send_again(studio):
    result = await crashed(studio, sent=True)
    studio.env.inject_error("GET", CHANNEL, **CLOSED)
    studio.clock.move(NONCE_LIFE.total_seconds())
    assert await studio.deliver() == 1
    reply = await studio.reply(result)
    assert reply.delivery == "undeliverable"
    assert reply.jobs[0].outcome.pictures
    assert len(studio.sent("POST", CHANNEL)) == 1
    assert studio.sent("POST", DM) == []


async def test_a_post_whose_answer_is_lost_is_tried_once_a_round(studio):
    result = await unreachable(studio)
    sending = Sending(studio)

    async def lost() -> None:
        raise server_error()

    sending.after = lost
    for taken, pause in enumerate((5, 10, 20, 40), 1):
        assert await studio.deliver() == 1
        assert sending.taken == taken
        studio.clock.move(pause)
    # 75 s after the first the nonce still lives; from two minutes on it looks first.
    studio.clock.move(60)
    await studio.deliver()
    assert sending.taken == 4
    assert (await studio.reply(result)).delivery == "delivered"


async def test_the_same_for_direct_messages(studio):
    result = await settled(studio, private=True)
    studio.clock.move(16 * 60)
    sending = Sending(studio)

    async def lost() -> None:
        raise server_error()

    sending.after = lost
    await studio.deliver()
    assert (await studio.reply(result)).rung is Rung.DM
    studio.clock.move(NONCE_LIFE.total_seconds())
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "delivered"
    assert len(told_directly(studio)) == 1


async def cut_off(studio, monkeypatch, result) -> None:
    """The process dies after Discord showed the card, before that is written down."""
    run, reached, never = studio.app.ledger.run, asyncio.Event(), asyncio.Event()

    async def stop(verb, *args, **kwargs):
        if verb is deliveries.close:
            reached.set()
            await never.wait()
        return await run(verb, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(studio.app.ledger, "run", stop)
        dying = asyncio.create_task(studio.app.deliverer.step())
        await eventually(reached.is_set)
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
    assert studio.shown(result).gallery
    assert (await studio.reply(result)).delivery == "open"


async def test_a_private_picture_that_was_shown_never_comes_as_a_direct_message_too(
    studio, monkeypatch
):
    result = await settled(studio, private=True)
    await cut_off(studio, monkeypatch, result)
    studio.clock.move(16 * 60)
    await studio.deliver()
    assert told_directly(studio) == []
    assert studio.shown(result).gallery
    reply = await studio.reply(result)
    assert reply.delivery == "undeliverable"
    assert reply.jobs[0].outcome.pictures


async def test_while_its_token_lives_a_private_picture_is_just_shown_again(studio, monkeypatch):
    result = await settled(studio, private=True)
    await cut_off(studio, monkeypatch, result)
    studio.clock.move(LEASE.total_seconds() + 1)
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "delivered"
    assert studio.file(result) == painted(studio.tasks[0])
    assert told_directly(studio) == []


async def test_only_of_a_private_picture_it_is_written_down_that_it_is_being_shown(studio):
    written = {}
    for private in (True, False):
        result = await settled(studio, private=private)

        async def look(send, result=result, private=private):
            written[private] = (await studio.reply(result)).rung
            return await send()

        studio.wire.hook("PATCH", ORIGINAL, look)
        await studio.deliver()
        assert (await studio.reply(result)).delivery == "delivered"
    assert written == {True: Rung.EDIT, False: None}


async def test_a_private_reply_is_closed_before_its_file_is_written(studio, monkeypatch):
    result = await settled(studio, private=True)
    keep, seen = studio.app.keeper.keep_original, []

    async def look(job_id, data):
        seen.append((await studio.reply(result)).delivery)
        return await keep(job_id, data)

    monkeypatch.setattr(studio.app.keeper, "keep_original", look)
    await studio.deliver()
    assert seen == ["delivered"]
    assert await studio.app.keeper.original((await studio.reply(result)).jobs[0].id)


async def test_a_private_picture_that_discord_never_took_comes_directly(studio):
    result = await settled(studio, private=True)
    studio.env.inject_error("PATCH", ORIGINAL, status=503, times=None)
    for _ in range(9):
        await studio.deliver()
        studio.clock.move(120)
    assert (await studio.reply(result)).delivery == "delivered"
    assert len(told_directly(studio)) == 1


# --- cards that Discord does not take -------------------------------------------------------------


async def test_words_that_automod_blocks_are_nowhere_in_the_second_try(studio):
    result = await settled(studio, "a very bad word")
    studio.env.inject_error("PATCH", ORIGINAL, status=400, code=200000)
    await studio.deliver()
    [first, second] = studio.sent("PATCH", ORIGINAL)
    assert json.dumps(first.json).count("very bad word") >= 2  # in the card and as alt text
    assert "very bad word" not in json.dumps(second.json)
    assert len(studio.shown(result).gallery) == 1


async def test_a_card_refused_twice_comes_as_a_new_message_and_the_waiting_one_goes(studio):
    result = await settled(studio)
    studio.env.inject_error("PATCH", ORIGINAL, status=400, code=50035, times=2)
    with capture_logs() as logs:
        await studio.deliver()
    alarms = [entry["event"] for entry in logs if entry["log_level"] == "error"]
    assert alarms == ["reply.card_refused", "reply.simple_card_refused"]
    assert (await studio.reply(result)).delivery == "delivered"
    [posted] = studio.messages()
    assert studio.env.backend.cdn.get(posted.attachments[0].url) == painted(studio.tasks[0])
    assert len(studio.sent("PATCH", ORIGINAL)) == 2
    assert len(studio.sent("DELETE", "*")) == 1


async def test_a_private_card_refused_twice_comes_as_a_direct_message(studio):
    result = await settled(studio, private=True)
    studio.env.inject_error("PATCH", ORIGINAL, status=400, code=50035, times=2)
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "delivered"
    assert len(told_directly(studio)) == 1
    assert studio.messages(viewer=studio.member) == []


async def test_a_file_too_large_for_every_route_is_made_smaller_on_the_last(studio):
    result = await unreachable(studio)
    studio.env.inject_error("POST", CHANNEL, status=413, code=40005)
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "delivered"
    [first, second] = studio.sent("POST", CHANNEL)
    assert first.json["nonce"] == second.json["nonce"]
    assert len(studio.messages()) == 1


# --- after the final card -------------------------------------------------------------------------


async def test_nothing_is_edited_after_the_final_card(studio):
    result = await studio.imagine("a red fox")
    await studio.submit()
    await studio.app.progress.step()
    await studio.finish()
    edits = len(studio.sent("PATCH", "*"))
    reply = await studio.reply(result)
    for _ in range(30):
        studio.app.progress.changed(reply.id)
        studio.clock.move(60)
        assert await studio.app.progress.step() == 0
        assert await studio.app.progress.note() == 0
    studio.app.progress.all_changed()
    await studio.app.progress.step()
    assert len(studio.sent("PATCH", "*")) == edits
    assert studio.shown(result).heading == "Here is your picture"


async def test_progress_edits_that_fail_are_dropped(studio):
    result = await studio.imagine("a red fox")
    studio.env.inject_error("PATCH", ORIGINAL, status=500, times=1)
    assert await studio.app.progress.step() == 1
    await eventually(lambda: not studio.app.progress._edits)
    assert await studio.app.progress.step() == 0
    assert len(studio.sent("PATCH", ORIGINAL)) == 1
    await studio.finish()
    assert studio.shown(result).heading == "Here is your picture"


# --- a note with a Show button --------------------------------------------------------------------


async def noted(studio, result, *, after=14 * 60 - 30):
    """A picture that takes longer than the token lives: its card becomes a note."""
    await studio.submit()
    studio.clock.move(after)
    assert await studio.app.progress.note() == 1
    await eventually(lambda: studio.shown(result).heading == "Still working on it")
    return studio.shown(result)


async def private_ask(studio):
    return await studio.imagine("a red fox [forever]", private=True)


async def finished_at_last(studio):
    """The picture that would never end is ready after all."""
    for task in studio.tasks:
        task.fate = type(task.fate)()
        task.ready_at = task.created
    await studio.settle()


def button(studio, result) -> str:
    """The id of the one button on an answer."""
    [box] = studio.shown(result).message.components
    [row] = [item for item in box["components"] if item["type"] == 1]
    [item] = row["components"]
    assert item["label"] == "Show"
    return item["custom_id"]


async def test_a_private_card_becomes_a_note_before_its_token_dies(studio):
    result = await private_ask(studio)
    await studio.submit()
    studio.clock.move(13 * 60 + 29)
    assert await studio.app.progress.note() == 0
    studio.clock.move(1)
    assert await studio.app.progress.note() == 1
    await eventually(lambda: studio.shown(result).heading == "Still working on it")
    reply = await studio.reply(result)
    assert reply.noted
    assert button(studio, result) == f"job:show:{reply.id}"
    assert await studio.app.progress.note() == 0


async def test_a_note_that_discord_did_not_take_comes_again(studio):
    result = await private_ask(studio)
    await studio.submit()
    studio.clock.move(13 * 60 + 31)
    studio.env.inject_error("PATCH", ORIGINAL, status=502)
    assert await studio.app.progress.note() == 1
    await eventually(lambda: not studio.app.progress._edits)
    studio.clock.move(10)
    assert await studio.app.progress.note() == 1
    await eventually(lambda: studio.shown(result).heading == "Still working on it")
    assert await studio.app.progress.note() == 0


async def test_a_note_that_waits_for_an_older_edit_never_covers_the_picture(studio):
    result = await private_ask(studio)
    await studio.submit()
    studio.clock.move(13 * 60 + 29)
    held, let_go = asyncio.Event(), asyncio.Event()

    async def hold(send):
        held.set()
        await let_go.wait()
        return await send()

    studio.wire.hook("PATCH", ORIGINAL, hold)
    await studio.app.progress.step()
    await held.wait()
    studio.clock.move(2)
    noting = asyncio.create_task(studio.app.progress.note())
    await asyncio.sleep(0)
    # While the note waits for the edit under way, the picture is finished and shown.
    await finished_at_last(studio)
    delivering = asyncio.create_task(studio.deliver())
    # It must not be done before that edit is over, so there is no event to wait for.
    await asyncio.wait({delivering}, timeout=0.2)
    let_go.set()
    await asyncio.gather(noting, delivering)
    await eventually(lambda: not studio.app.progress._edits)
    assert (await studio.reply(result)).delivery == "delivered"
    assert studio.shown(result).gallery


async def test_a_public_card_needs_no_note(studio):
    await studio.imagine("a red fox [forever]")
    await studio.submit()
    studio.clock.move(14 * 60)
    assert await studio.app.progress.note() == 0


async def test_a_picture_that_comes_while_the_token_lives_replaces_the_note(studio):
    result = await private_ask(studio)
    await noted(studio, result, after=13 * 60 + 31)
    await finished_at_last(studio)
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "delivered"
    assert studio.shown(result).gallery
    assert told_directly(studio) == []


async def test_a_picture_that_comes_later_is_parked_behind_the_note(studio):
    result = await private_ask(studio)
    await noted(studio, result)
    studio.clock.move(120)
    await finished_at_last(studio)
    before = len(studio.env.http_requests)
    await studio.deliver()
    reply = await studio.reply(result)
    assert (reply.delivery, reply.target.token) == ("parked", None)
    assert len(studio.env.http_requests) == before
    assert studio.shown(result).heading == "Still working on it"


async def parked(studio):
    """A private picture that waits behind its note."""
    result = await private_ask(studio)
    note = await noted(studio, result)
    studio.clock.move(120)
    await finished_at_last(studio)
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "parked"
    return result, note.message


async def test_show_brings_the_picture_with_a_fresh_token(studio):
    result, note = await parked(studio)
    studio.clock.move(3600)
    await studio.member.click(note, label="Show")
    reply = await studio.reply(result)
    assert reply.delivery == "open"
    assert reply.target.token_lives(studio.clock())
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "delivered"
    [shown] = studio.messages(viewer=studio.member)
    assert shown.id == note.id
    assert shown.attachments
    assert studio.messages(viewer=studio.someone("neighbour")) == []
    assert told_directly(studio) == []


async def test_show_pressed_twice_shows_once(studio):
    result, note = await parked(studio)
    await studio.member.click(note, label="Show")
    await studio.member.click(note, label="Show")
    before = len(studio.sent("PATCH", ORIGINAL))
    assert await studio.deliver() == 1
    assert len(studio.sent("PATCH", ORIGINAL)) == before + 1
    assert (await studio.reply(result)).delivery == "delivered"


async def test_show_pressed_while_it_is_being_shown_is_told_of_once(studio):
    result = await private_ask(studio)
    note = await noted(studio, result, after=13 * 60 + 31)
    await finished_at_last(studio)
    held, let_go = asyncio.Event(), asyncio.Event()

    async def hold(send):
        held.set()
        await let_go.wait()
        return await send()

    studio.wire.hook("PATCH", ORIGINAL, hold)
    with capture_logs() as logs:
        delivering = asyncio.create_task(studio.app.deliverer.step())
        await held.wait()
        await studio.member.click(note.message, label="Show")
        let_go.set()
        await delivering
        assert (await studio.reply(result)).delivery == "open"
        await studio.deliver()
    assert (await studio.reply(result)).delivery == "delivered"
    assert [entry["event"] for entry in logs].count("reply.delivered") == 1


async def test_show_pressed_after_all_was_shown_says_so(studio):
    result, note = await parked(studio)
    reply = await studio.reply(result)
    await studio.member.click(note, label="Show")
    await studio.deliver()
    # A page that was not refreshed may still have the button.
    complaint = await studio.app.intake.show(reply.id, reply.target)
    assert complaint.problem == "There is nothing left to show here."
    assert (await studio.reply(result)).delivery == "delivered"


async def test_show_before_the_picture_is_finished_goes_on_as_a_waiting_card(studio):
    result = await private_ask(studio)
    note = await noted(studio, result)
    studio.clock.move(600)
    await studio.member.click(note.message, label="Show")
    reply = await studio.reply(result)
    assert not reply.noted
    await studio.app.progress.step()
    await eventually(lambda: studio.shown(result).heading == "Starting")
    await finished_at_last(studio)
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "delivered"
    assert studio.shown(result).gallery


async def test_a_second_wait_ends_in_a_second_note(studio):
    result = await private_ask(studio)
    note = await noted(studio, result)
    await studio.member.click(note.message, label="Show")
    assert await studio.app.progress.note() == 0
    studio.clock.move(14 * 60 - 30)
    assert await studio.app.progress.note() == 1
    await eventually(lambda: not studio.app.progress._edits)
    assert button(studio, result)
    studio.clock.move(120)
    await finished_at_last(studio)
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "parked"


async def test_no_picture_waits_behind_a_note_that_never_stood(studio):
    """Discord is out of order for as long as the token could still have written it."""
    result = await private_ask(studio)
    await studio.submit()
    studio.clock.move(14 * 60 - 30)
    studio.env.inject_error("PATCH", ORIGINAL, status=503, times=None)
    for _ in range(6):
        await studio.app.progress.note()
        await eventually(lambda: not studio.app.progress._edits)
        studio.clock.move(10)
    studio.clock.move(60)
    await finished_at_last(studio)
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "delivered"
    [told] = told_directly(studio)
    assert told.attachments


async def test_a_note_that_nobody_saw_stand_is_a_failure_where_no_message_may_come(studio):
    """Show, if it stands all the same, brings the picture; the operator hears of it."""
    result = await private_ask(studio)
    note = await noted(studio, result)
    await eventually(lambda: not studio.app.progress._edits)
    await studio.app.ledger.run(
        lambda conn: conn.execute(sa.update(schema.replies).values(note_stands=False))
    )
    studio.clock.move(120)
    await finished_at_last(studio)
    studio.env.inject_error("POST", "/users/@me/channels", status=403, code=50007, times=1)
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "undeliverable"
    await studio.member.click(note.message, label="Show")
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "delivered"


async def test_show_works_after_a_restart(studio):
    result, note = await parked(studio)
    async with studio.restarted():
        await studio.member.click(note, label="Show")
        await studio.deliver()
        assert (await studio.reply(result)).delivery == "delivered"
        [shown] = studio.messages(viewer=studio.member)
        assert shown.attachments


async def foreign(studio, result) -> None:
    """As in a server where only this person has installed the bot: it is not present there."""
    reply = await studio.reply(result)
    await studio.app.ledger.run(
        lambda conn: conn.execute(
            sa.update(schema.replies).where(schema.replies.c.id == reply.id).values(present=False)
        )
    )


async def test_where_the_bot_is_a_guest_a_public_card_becomes_a_note_too(studio):
    result = await studio.imagine("a red fox [forever]")
    await foreign(studio, result)
    note = await noted(studio, result)
    studio.clock.move(120)
    await finished_at_last(studio)
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "parked"

    # Everybody sees that button; it works for whoever asked.
    before = await studio.reply(result)
    stranger = studio.someone("stranger")
    pressed = await stranger.click(note.message, label="Show")
    [said] = pressed.followups
    assert said.ephemeral
    assert said.content.startswith("**There is nothing left to show here.**")
    assert await studio.reply(result) == before
    assert await studio.deliver() == 0
    assert studio.shown(result).heading == "Still working on it"

    await studio.member.click(note.message, label="Show")
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "delivered"
    assert studio.shown(result).gallery


async def test_where_the_bot_is_a_guest_it_never_writes_into_the_channel(studio):
    result = await settled(studio)
    await foreign(studio, result)
    studio.clock.move(16 * 60)
    await studio.deliver()
    assert (await studio.reply(result)).rung is Rung.DM
    assert studio.sent("PATCH", "*") == []
    assert studio.sent("POST", f"/channels/{studio.channel.id}/messages") == []
    assert len(told_directly(studio)) == 1


async def test_a_press_while_the_ledger_is_down_changes_nothing_and_says_so(studio, monkeypatch):
    result, note = await parked(studio)
    ledger, run = studio.app.ledger, studio.app.ledger.run

    async def failing(verb, *args, **kwargs):
        if verb.__name__ == "reopen":
            raise sa.exc.OperationalError("UPDATE", {}, Exception("disk I/O error"))
        return await run(verb, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "run", failing)
        pressed = await studio.member.click(note, label="Show")
    [said] = pressed.followups
    assert said.content.startswith("**The bot cannot look your picture up right now.**")
    await studio.member.click(note, label="Show")
    await studio.deliver()
    assert (await studio.reply(result)).delivery == "delivered"
