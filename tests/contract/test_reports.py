"""Reports, on both databases: once each, however many press at once; nothing private is listed."""

import asyncio
from datetime import timedelta

import pytest

from bot.catalog import Complaint
from bot.ledger import asks, deliveries, privacy, reports, verbs
from bot.ledger.reports import Report
from bot.model import Delivery
from bot.reporting import LISTED, LISTED_FOR, MOST, Reporting
from tests import build
from tests.build import NOW

LEASE = timedelta(seconds=60)
SERVER, ASKER, READER = 33, 44, 55


@pytest.fixture
def reporting(ledger):
    return Reporting(ledger=ledger, clock=lambda: NOW)


async def shown(ledger, *, outcome=None, message_id=700, **changes):
    """A reply that was delivered."""
    reply = build.reply(message_id=message_id, **changes)
    private = reply.target.private
    await ledger.run(asks.receive, reply, limits=build.limits(reply, 100))
    await ledger.run(verbs.confirm, reply.id, message_id=message_id, private=private, now=NOW)
    ended = outcome or build.pictures()
    await ledger.run(verbs.settle, reply.jobs[0].id, outcome=ended, now=NOW)
    await ledger.run(deliveries.claim_reply, worker="ada", now=NOW, lease=LEASE)
    done = {"delivery": Delivery.DELIVERED, "now": NOW}
    assert await ledger.run(deliveries.close, reply.id, worker="ada", trouble=None, **done)
    return reply


async def kept(ledger, reply_id, *, user_id=READER):
    return await ledger.run(reports.report_of, reply_id, user_id=user_id)


async def test_two_presses_at_once_are_one_report(ledger, reporting):
    reply = await shown(ledger)
    said = await asyncio.gather(
        *(
            reporting.report(reply.id, user_id=READER, reason=f"press {number}")
            for number in range(8)
        )
    )
    [first] = [each for each in said if isinstance(each, Report)]
    assert {each.problem for each in said if isinstance(each, Complaint)} == {
        "You have reported this picture already."
    }
    assert await kept(ledger, reply.id) == first


async def test_several_people_report_the_same_picture(ledger, reporting):
    reply = await shown(ledger)
    for person in (READER, READER + 1):
        assert await reporting.opens(reply.id, user_id=person) is None
        await reporting.report(reply.id, user_id=person, reason="rude")
        assert await reporting.opens(reply.id, user_id=person) is not None
    found = await reporting.open(SERVER)
    assert {report.user_id for report, _ in found} == {READER, READER + 1}
    assert await reporting.open(SERVER + 1) == []


@pytest.mark.parametrize(
    ("changes", "who", "problem"),
    [
        ({"private": True}, READER, "The bot does not remember this picture."),
        ({"private": True}, ASKER, "This picture is yours."),
        ({}, ASKER, "This picture is yours."),
        ({"outcome": build.failure()}, READER, "The bot does not remember this picture."),
    ],
)
async def test_what_cannot_be_reported(ledger, reporting, changes, who, problem):
    reply = await shown(ledger, **changes)
    assert (await reporting.opens(reply.id, user_id=who)).problem == problem
    assert (await reporting.report(reply.id, user_id=who, reason="x")).problem == problem
    assert await kept(ledger, reply.id, user_id=who) is None


async def test_what_is_unknown_and_a_reason_of_nothing(ledger, reporting):
    assert isinstance(await reporting.opens("a" * 16, user_id=READER), Complaint)
    assert isinstance(await reporting.report("a" * 16, user_id=READER, reason="x"), Complaint)
    reply = await shown(ledger)
    said = await reporting.report(reply.id, user_id=READER, reason=" \u200b\n ")
    assert said.problem == "Your report has no reason."
    assert await kept(ledger, reply.id) is None


async def test_a_reason_is_one_line_of_a_bounded_length(ledger, reporting):
    reply = await shown(ledger)
    report = await reporting.report(reply.id, user_id=READER, reason="a\n\u202eb" + "x" * 999)
    assert report.reason.startswith("a bx")
    assert len(report.reason) == 300


async def test_one_person_cannot_bury_the_others(ledger):
    now = NOW
    reporting = Reporting(ledger=ledger, clock=lambda: now)
    for number in range(MOST):
        reply = await shown(ledger, message_id=700 + number)
        assert isinstance(await reporting.report(reply.id, user_id=READER, reason="x"), Report)
    last = await shown(ledger)
    said = await reporting.report(last.id, user_id=READER, reason="x")
    assert said.problem == "You have reported a lot today."
    assert isinstance(await reporting.report(last.id, user_id=READER + 1, reason="x"), Report)
    assert len(await reporting.open(SERVER)) == LISTED
    now += timedelta(days=1)
    assert isinstance(await reporting.report(last.id, user_id=READER, reason="x"), Report)
    now += LISTED_FOR
    assert await reporting.open(SERVER) == []


async def test_where_the_bot_is_a_guest_the_operator_is_told(ledger, reporting):
    reply = await shown(ledger, present=False)
    report = await reporting.report(reply.id, user_id=READER, reason="x")
    assert report.guild_id is None
    assert await reporting.open(SERVER) == []


async def test_what_was_deleted_is_listed_no_more(ledger, reporting):
    reply = await shown(ledger)
    await reporting.report(reply.id, user_id=READER, reason="x")
    assert len(await reporting.open(SERVER)) == 1
    await ledger.run(deliveries.forget_message, reply.id, message_id=700)
    assert await reporting.open(SERVER) == []


async def test_a_report_goes_with_its_reporter_and_names_no_erased_asker(ledger, reporting):
    first, second = await shown(ledger), await shown(ledger, message_id=701)
    for reply in (first, second):
        await reporting.report(reply.id, user_id=READER, reason="x")
    await ledger.run(privacy.erase, READER, now=NOW)
    assert await kept(ledger, first.id) is None
    await reporting.report(first.id, user_id=READER + 1, reason="x")
    await ledger.run(privacy.erase, ASKER, now=NOW)
    assert await reporting.open(SERVER) == []
    # It can be reported no more: nothing is known of it.
    assert isinstance(await reporting.opens(first.id, user_id=READER + 2), Complaint)
