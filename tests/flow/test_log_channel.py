"""The log channel and reports: what moderators are told, what never, and when Discord says no."""

import discord
import pytest
import simcord
import sqlalchemy as sa

from bot import events
from bot.journal import MESSAGE, PAUSE, REST, TRIES, WAITING
from bot.ledger import schema
from bot.model import short_id
from tests import lines
from tests.flow.studio import Shown as Card
from tests.flow.test_hostile_prompts import MARKUP, PROMPTS
from tests.flow.test_rules import easel, fill, moderating

POST = "/channels/{}/messages"


@pytest.fixture(autouse=True)
def logging_as_in_earnest():
    with lines.configured():
        yield


@pytest.fixture
def moderator(studio):
    return moderating(studio)


@pytest.fixture
def reader(studio):
    return studio.someone("reader")


@pytest.fixture
async def log(studio, moderator):
    """A log channel that was set in the panel; what that itself tells is read already."""
    channel = studio.member.guild.create_text_channel("log")
    await chosen(studio, moderator, channel)
    await written(studio)
    studio.clock.move(PAUSE.total_seconds())
    return channel


async def chosen(studio, who, *channels, language="en-US"):
    return await fill(studio, who, "log", log_channel=list(channels), log_language=[language])


async def written(studio):
    """Have everything posted that waits."""
    count = 0
    for _ in range(20):
        count += await studio.app.journal.step()
        studio.clock.move(PAUSE.total_seconds())
    return count


def told(channel):
    return [message.content for message in channel.history()]


async def made(studio, prompt="a red fox", **options):
    result = await studio.imagine(prompt, **options)
    await studio.finish()
    return result


async def report(card, who, reason="this is rude"):
    form = await who.click(card.response, label="Report")
    return await who.submit_modal(form, {"reason": reason})


def answer(result):
    """What whoever pressed is told, alone."""
    found = [each for each in (result.response, *result.followups) if each is not None]
    [said] = [each for each in found if each.ephemeral]
    return said.content


def jump(studio, card):
    where = f"{studio.member.guild.id}/{studio.channel.id}/{card.response.id}"
    return f"https://discord.com/channels/{where}"


# What is told ------------------------------------------------------------------------------------


async def test_it_is_set_in_the_panel_with_who_and_when(studio, moderator):
    channel = studio.member.guild.create_text_channel("log")
    shown, _ = await chosen(studio, moderator, channel, language="de")
    assert f"**Log channel**: <#{channel.id}>\n**Language of the log**: Deutsch" in shown.text
    assert f"-# Log channel · <@{moderator.id}>" in shown.text
    await written(studio)
    [line] = told(channel)
    assert line.startswith("**Regeln geändert**")
    assert f"<@{moderator.id}>" in line
    shown, _ = await chosen(studio, moderator)
    assert "**Log channel**: \u2013" in shown.text
    await made(studio)
    assert await written(studio) == 0


async def test_a_public_picture_is_told_with_the_way_to_it(studio, log):
    card = await made(studio, count=2)
    await written(studio)
    name = short_id((await studio.reply(card)).jobs[0].id)
    assert told(log)[-1] == (
        f"**Made** · <@{studio.member.id}> · 2 pictures · gpt-image-2-pro · 1:1 · 1K · "
        f"[{name}]({jump(studio, card)})\n-# a red fox"
    )
    for entry in studio.sent("POST", POST.format(log.id)):
        assert entry.json["allowed_mentions"] == {"parse": []}


async def test_nothing_private_and_no_common_failure_is_told(studio, log):
    before = told(log)
    await made(studio, "a secret heron", private=True)
    await made(studio, "a fox [fail]")
    assert await written(studio) == 0
    assert told(log) == before


async def test_a_prompt_that_the_service_refused_is_told_without_the_prompt(studio, log):
    await made(studio, "a worse fox [policy]")
    await written(studio)
    assert told(log)[-1].startswith(
        f"**Refused by the picture service** · <@{studio.member.id}> · "
    )
    assert "worse" not in told(log)[-1]


async def test_blocks_are_told_with_their_reason(studio, log, moderator):
    await easel(studio, moderator, "block", member=studio.member, reason="too *many*", hours=2)
    await written(studio)
    assert told(log)[-1].startswith(
        f"**Blocked** · <@{studio.member.id}> · by <@{moderator.id}> · until <t:"
    )
    assert told(log)[-1].endswith("\n> too \\*many\\*")
    await easel(studio, moderator, "unblock", member=studio.member)
    await written(studio)
    assert told(log)[-1] == f"**Unblocked** · <@{studio.member.id}> · by <@{moderator.id}>"


async def test_a_rule_is_told_by_its_name_alone(studio, log, moderator):
    await fill(studio, moderator, "words", words="badword")
    await written(studio)
    assert "Words that are not allowed" in told(log)[-1]
    assert "badword" not in "\n".join(told(log))


async def test_in_a_thread_the_link_leads_there(studio, log):
    backend = studio.env.backend
    made_thread = backend.create_thread(studio.channel.id, "paint", studio.member.id)
    thread = simcord.ChannelHandle(studio.env, studio.member.guild, made_thread)
    result = await studio.member.slash(thread, "imagine", prompt="a fox")
    await studio.finish()
    await written(studio)
    assert f"/{thread.id}/{result.response.id})" in told(log)[-1]


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
async def test_a_hostile_prompt_and_reason_are_only_words(studio, log, reader, prompt):
    card = await made(studio, prompt)
    await report(card, reader, reason=prompt[:300].strip() or "x")
    await written(studio)
    text = "\n".join(told(log))
    assert len(told(log)) >= 2
    for line in text.split("\n"):
        if line.startswith("-# ") and "/easel block" not in line:
            assert not MARKUP.search(line.removeprefix("-# "))
        if line.startswith("> "):
            assert not MARKUP.search(line.removeprefix("> "))
    for entry in studio.sent("POST", POST.format(log.id)):
        assert entry.json["allowed_mentions"] == {"parse": []}
        assert len(entry.json["content"]) <= 2000


# Busy, and in trouble -----------------------------------------------------------------------------


async def test_a_busy_server_is_told_in_few_messages(studio, log):
    before = len(told(log))
    for _ in range(30):
        await studio.imagine("a fox")
    await studio.finish(seconds=600)
    posted = await written(studio)
    new = told(log)[before:]
    assert len(new) == posted < 10
    assert sum(text.count("**Made**") for text in new) == 30
    assert all(len(text) <= MESSAGE for text in new)


async def test_too_much_is_counted_and_reports_are_kept(studio, log):
    card = await made(studio)
    await written(studio)
    reply = await studio.reply(card)
    server = studio.member.guild.id
    for _ in range(WAITING + 7):
        line = {"server": server, "reply": reply.id}
        studio.app.journal.listen("reply.delivered", line)
    who = studio.someone("reader")
    await report(card, who)
    before = len(told(log))
    await written(studio)
    text = "\n".join(told(log)[before:])
    assert text.count("**Made**") == WAITING - 1
    assert "**Report**" in text
    assert text.endswith("-# 8 more pictures are not listed here.")


@pytest.mark.parametrize(("status", "code"), [(403, 50001), (403, 50013), (404, 10003)])
async def test_a_channel_that_refuses_is_left_alone_and_moderators_see_it(
    studio, log, moderator, status, code
):
    path = POST.format(log.id)
    studio.env.inject_error("POST", path, status=status, code=code, times=1)
    count = len(studio.sent("POST", path))
    await made(studio)
    assert await written(studio) == 0
    assert len(studio.sent("POST", path)) == count + 1
    await made(studio)
    assert await written(studio) == 0
    assert len(studio.sent("POST", path)) == count + 1
    shown = await easel(studio, moderator, "settings")
    assert f"The bot cannot write to <#{log.id}>." in shown.text
    # Set again, it is tried again.
    await chosen(studio, moderator, log)
    assert await written(studio) == 1
    shown = await easel(studio, moderator, "settings")
    assert "cannot write" not in shown.text


async def test_after_a_while_it_is_tried_once_more_by_itself(studio, log):
    path = POST.format(log.id)
    studio.env.inject_error("POST", path, status=403, code=50013, times=1)
    await made(studio)
    assert await written(studio) == 0
    studio.clock.move(REST.total_seconds())
    await made(studio)
    assert await written(studio) == 1


async def test_discord_out_of_order_costs_tries_and_no_line(studio, log):
    path = POST.format(log.id)
    before = len(told(log))
    await made(studio)
    studio.env.inject_error("POST", path, status=503, code=0, times=TRIES - 1)
    assert await written(studio) == 1
    assert len(told(log)) == before + 1
    nonces = [entry.json["nonce"] for entry in studio.sent("POST", path)[-TRIES:]]
    assert len(set(nonces)) == 1


async def test_a_ledger_that_fails_for_a_while_costs_no_line(studio, log, moderator):
    await easel(studio, moderator, "block", member=studio.member, reason="rude")
    await made(studio, who=studio.someone("other"))
    before = len(told(log))
    away, back = (
        sa.text(f"ALTER TABLE {name} RENAME TO {other}")
        for name, other in (("jobs", "away"), ("away", "jobs"))
    )
    await studio.app.ledger.run(lambda conn: conn.execute(away) and None)
    assert await written(studio) == 0
    await studio.app.ledger.run(lambda conn: conn.execute(back) and None)
    assert await written(studio) == 1
    [line] = told(log)[before:]
    assert line.startswith("**Blocked**")
    assert "**Made**" in line


async def test_words_that_automod_refuses_are_left_out(studio, log):
    card = await made(studio)
    studio.env.inject_error("POST", POST.format(log.id), status=400, code=200000, times=1)
    assert await written(studio) == 1
    assert told(log)[-1].endswith(f"({jump(studio, card)})")


async def test_a_log_that_cannot_be_written_holds_up_no_picture(studio, log):
    studio.env.inject_error("POST", POST.format(log.id), status=403, code=50001, times=None)
    card = await made(studio)
    assert studio.shown(card).heading == "Here is your picture"
    await studio.app.journal.step()
    card = await made(studio)
    assert studio.shown(card).heading == "Here is your picture"


# Reports ------------------------------------------------------------------------------------------


async def test_a_report_reaches_moderators_with_all_they_need(studio, log, moderator, reader):
    card = await made(studio)
    result = await report(card, reader)
    assert answer(result) == "Thank you. Your report is kept, and the moderators here can read it."
    await written(studio)
    last = told(log)[-1]
    assert f"<@{reader.id}> reported" in last
    assert f"({jump(studio, card)}) of <@{studio.member.id}>" in last
    assert "> this is rude" in last
    assert "/easel block" in last
    shown = await easel(studio, moderator, "reports")
    assert jump(studio, card) in shown.text
    assert f"<@{reader.id}>: this is rude" in shown.text
    # Once the card is gone there is nothing to do any more.
    await studio.member.click(card.response, label="Delete")
    assert "Nothing was reported." in (await easel(studio, moderator, "reports")).text


async def test_without_a_log_channel_the_report_is_listed(studio, moderator, reader):
    assert "Nothing was reported." in (await easel(studio, moderator, "reports")).text
    card = await made(studio)
    await report(card, reader, reason="*rude*")
    assert await written(studio) == 0
    assert "\\*rude\\*" in (await easel(studio, moderator, "reports")).text


async def test_a_second_report_is_not_one(studio, log, reader):
    card = await made(studio)
    first = await reader.click(card.response, label="Report")
    second = await reader.click(card.response, label="Report")
    await reader.submit_modal(first, {"reason": "rude"})
    said = answer(await reader.submit_modal(second, {"reason": "ruder"}))
    assert said.startswith("**You have reported this picture already.**")
    third = await reader.click(card.response, label="Report")
    assert answer(third).startswith("**You have reported this picture already.**")
    await written(studio)
    assert "\n".join(told(log)).count("**Report**") == 1


async def test_the_rule_about_others_buttons_stops_no_report(studio, moderator, reader):
    card = await made(studio)
    standard = {name: ["default"] for name in ("imagine_ratio", "remix_ratio", "resolution")}
    await fill(studio, moderator, "pictures", **standard, options=["hands"])
    assert "In this server the buttons are" in answer(
        await reader.click(card.response, label="Again")
    )
    assert "Thank you." in answer(await report(card, reader))


async def test_ones_own_picture_is_not_reported(studio):
    card = await made(studio)
    said = answer(await studio.member.click(card.response, label="Report"))
    assert said.startswith("**This picture is yours.**")


async def test_what_is_private_has_no_report(studio):
    card = await made(studio, private=True)
    rows = [item for item in Card(card.response)._inside if item["type"] == 1]
    assert "Report" not in {each.get("label") for row in rows for each in row["components"]}


async def test_from_the_apps_menu(studio, reader):
    card = await made(studio)
    form = await reader.context_menu(studio.channel, "Report picture", card.response)
    assert "Thank you." in answer(await reader.submit_modal(form, {"reason": "rude"}))
    own = await studio.member.send(studio.channel, "hello")
    said = answer(await reader.context_menu(studio.channel, "Report picture", own))
    assert said.startswith("**This message shows no picture of this bot.**")


async def test_a_report_that_cannot_be_kept_says_so_with_the_words(studio, reader):
    card = await made(studio)
    form = await reader.click(card.response, label="Report")
    await studio.app.ledger.run(schema.reports.drop)
    result = await reader.submit_modal(form, {"reason": "this is rude"})
    assert answer(result).startswith("**The bot cannot write this down right now.**")
    assert "this is rude" in answer(result)


async def test_an_open_form_and_the_button_outlive_the_process(studio, log, reader):
    card = await made(studio)
    form = await reader.click(card.response, label="Report")
    async with studio.restarted():
        assert "Thank you." in answer(await reader.submit_modal(form, {"reason": "rude"}))
        await written(studio)
        assert "**Report**" in told(log)[-1]


async def test_the_reason_is_not_logged(studio, reader):
    heard = []
    card = await made(studio)
    with events.heard(lambda event, line: heard.append((event, str(line)))):
        await report(card, reader, reason="a very particular word")
    assert "report.received" in {event for event, _ in heard}
    assert "particular" not in str(heard)


@pytest.mark.parametrize("named", [True, False])
async def test_outside_servers_the_operator_is_told_by_ids(open_studio, named):
    async with open_studio() as studio:
        channel = studio.member.guild.create_text_channel("alarms")
        async with studio.restarted(alarm_channel=channel.id if named else None):
            card = await made(studio, "a secret heron")
            reply = await studio.reply(card)
            guest = schema.replies.update().values(present=False)
            await studio.app.ledger.run(lambda conn: conn.execute(guest))
            reader = studio.someone("reader")
            said = answer(await report(card, reader, reason="rude"))
            assert said == "Thank you. Your report is kept for the people who run this bot."
            assert await written(studio) == named
            ids = f"Reply {reply.id}, reported by {reader.id}."
            assert [ids in text for text in told(channel)] == [True] * named
            assert "rude" not in str(told(channel))


async def test_a_moderator_no_more_reads_no_reports(studio, moderator):
    [role] = [each for name, each in studio.member.guild.roles.items() if name == "mods"]
    role._role.permissions = discord.Permissions(manage_guild=False).value
    with pytest.raises(simcord.SetupError):
        await easel(studio, moderator, "reports")
