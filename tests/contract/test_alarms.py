"""Alarms: said once, kept over a restart, over when they are over."""

import json
from datetime import timedelta

import pytest
import structlog

from bot.alarms import FACT, QUIET, REST, RETRY, UNTOLD, WORDS_OF, Alarm, Alarms
from bot.ledger import verbs
from tests import build


class Clock:
    def __init__(self):
        self.now = build.NOW

    def __call__(self):
        return self.now

    def move(self, by: timedelta):
        self.now += by


class Operator:
    """Whoever is told; `takes` is whether the message arrives."""

    def __init__(self):
        self.notes = []
        self.takes = True
        self.tries = 0

    async def send(self, note):
        self.tries += 1
        if self.takes:
            self.notes.append(note)
        return self.takes

    @property
    def told(self):
        return [(note.alarm, note.active) for note in self.notes]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def operator():
    return Operator()


@pytest.fixture
def make(ledger, clock, operator):
    async def made(*, expected=False, senders=None):
        found = Alarms(
            ledger=ledger,
            clock=clock,
            senders=[operator.send] if senders is None else senders,
            callbacks_expected=expected,
        )
        await found.load()
        return found

    return made


HALT = {"code": "no_credit", "cause": "the account is empty"}
SETTLED = {"end": "pictures", "code": None, "model": "m", "by": "poll"}
BEGIN_AND_END = {
    Alarm.NO_CREDIT: (("submitter.halted", HALT), ("job.submitted", {})),
    Alarm.KEY_REFUSED: (("submitter.halted", {"code": "misconfigured"}), ("job.submitted", {})),
    Alarm.MODEL_UNAVAILABLE: (
        ("job.alarm", {"code": "model_gone", "model": "m", "cause": "gone"}),
        ("job.settled", SETTLED),
    ),
    Alarm.CALLBACKS_SILENT: (("callbacks.silent", {"cause": "untold"}), ("callbacks.arriving", {})),
    Alarm.UNDELIVERABLE: (
        ("reply.undeliverable", {"reply": "r", "cause": "no permission"}),
        ("reply.delivered", {}),
    ),
    Alarm.LEDGER_UNWRITABLE: (
        ("ledger.failing", {"cause": "database or disk is full"}),
        ("ledger.well", {}),
    ),
}


@pytest.mark.parametrize("alarm", Alarm)
async def test_each_is_said_once_and_once_more_when_it_is_over(make, clock, operator, alarm):
    begin, end = BEGIN_AND_END[alarm]
    alarms = await make()
    for _ in range(3):
        alarms.listen(*begin)
        await alarms.step()
    assert operator.told == [(alarm, True)]
    assert [each.alarm for each in alarms.active] == [alarm]
    assert WORDS_OF[alarm].title in operator.notes[0].text
    assert WORDS_OF[alarm].advice in operator.notes[0].text

    clock.move(max(QUIET, REST))
    for _ in range(3):
        alarms.listen(*end)
        await alarms.step()
    assert operator.told == [(alarm, True), (alarm, False)]
    assert alarms.active == ()
    assert WORDS_OF[alarm].over in operator.notes[1].text


@pytest.mark.parametrize("alarm", Alarm)
async def test_a_restart_says_nothing_twice_and_still_knows_when_it_is_over(
    make, clock, operator, alarm
):
    begin, end = BEGIN_AND_END[alarm]
    before = await make(expected=True)
    before.listen(*begin)
    await before.step()

    after = await make(expected=True)
    assert [each.alarm for each in after.active] == [alarm]
    after.listen(*begin)
    await after.step()
    assert operator.told == [(alarm, True)]

    clock.move(max(QUIET, REST))
    after.listen(*end)
    await after.step()
    assert operator.told == [(alarm, True), (alarm, False)]


async def test_it_stands_out_in_the_log_where_nobody_else_is_told(make):
    alarms = await make(senders=[])
    with structlog.testing.capture_logs() as told:
        alarms.listen("submitter.halted", HALT)
        alarms.listen("job.submitted", {})
    levels = [(line["log_level"], line["event"]) for line in told]
    assert levels == [("warning", "alarm.raised"), ("info", "alarm.over")]


async def test_what_was_raised_but_not_said_before_a_stop_is_said_after_it(make, operator):
    operator.takes = False
    before = await make()
    before.listen("submitter.halted", HALT)
    await before.step()
    operator.takes = True
    after = await make()
    await after.step()
    assert operator.told == [(Alarm.NO_CREDIT, True)]


async def test_trouble_that_comes_and_goes_is_said_seldom_and_then_as_it_is(make, clock, operator):
    alarms = await make()
    for _ in range(20):
        alarms.listen("submitter.halted", HALT)
        await alarms.step()
        alarms.listen("job.submitted", {})
        await alarms.step()
        clock.move(timedelta(seconds=10))
    assert operator.told == [(Alarm.NO_CREDIT, True)]
    clock.move(REST)
    await alarms.step()
    assert operator.told == [(Alarm.NO_CREDIT, True), (Alarm.NO_CREDIT, False)]


async def test_a_message_nobody_takes_is_tried_again_after_a_while_and_not_before(
    make, clock, operator
):
    operator.takes = False
    alarms = await make()
    alarms.listen("submitter.halted", HALT)
    for _ in range(5):
        assert await alarms.step() == 0
    assert operator.tries == 1
    operator.takes = True
    clock.move(RETRY)
    assert await alarms.step() == 1
    assert operator.told == [(Alarm.NO_CREDIT, True)]


async def test_it_is_enough_that_one_of_two_takes_it(make, operator):
    other = Operator()
    other.takes = False
    alarms = await make(senders=[other.send, operator.send])
    alarms.listen("submitter.halted", HALT)
    assert await alarms.step() == 1
    assert await alarms.step() == 0
    assert other.tries == 1


async def test_models_are_told_apart(make, clock, operator):
    alarms = await make()
    for model in ("m", "n"):
        alarms.listen("job.settled", {"code": "model_gone", "end": "failed", "model": model})
    await alarms.step()
    clock.move(REST)
    alarms.listen("job.settled", SETTLED)
    await alarms.step()
    assert [(note.subject, note.active) for note in operator.notes] == [
        ("m", True),
        ("n", True),
        ("m", False),
    ]
    assert "(n)" in operator.notes[1].text


async def test_one_more_reply_that_cannot_be_shown_keeps_the_alarm_standing(make, clock, operator):
    alarms = await make()
    lost = ("reply.undeliverable", {"reply": "r", "cause": "no"})
    alarms.listen(*lost)
    await alarms.step()
    clock.move(QUIET - timedelta(minutes=1))
    alarms.listen(*lost)
    clock.move(timedelta(minutes=2))
    alarms.listen("reply.delivered", {})
    await alarms.step()
    assert operator.told == [(Alarm.UNDELIVERABLE, True)]


async def test_callbacks_that_never_come_at_all_are_noticed(make, operator):
    alarms = await make(expected=True)
    for _ in range(UNTOLD - 1):
        alarms.listen("job.settled", SETTLED)
    await alarms.step()
    assert operator.told == []
    alarms.listen("job.settled", SETTLED)
    await alarms.step()
    assert operator.told == [(Alarm.CALLBACKS_SILENT, True)]


@pytest.mark.parametrize("expected", [True, False])
async def test_polling_is_no_alarm_where_callbacks_came_or_are_not_expected(
    make, operator, expected
):
    alarms = await make(expected=expected)
    if expected:
        alarms.listen("callbacks.arriving", {})
    for _ in range(3 * UNTOLD):
        alarms.listen("job.settled", SETTLED)
    await alarms.step()
    assert operator.told == []


async def test_silent_callbacks_are_forgotten_once_nobody_expects_any(make):
    before = await make(expected=True)
    before.listen("callbacks.silent", {"cause": "untold"})
    await before.step()
    assert (await make(expected=True)).active
    assert (await make(expected=False)).active == ()


async def test_a_failed_picture_is_no_alarm(make, operator):
    alarms = await make()
    alarms.listen("job.settled", {"code": "refused_prompt", "end": "failed", "model": "m"})
    alarms.listen("job.alarm", {"code": "internal", "cause": "a defect"})
    await alarms.step()
    assert operator.told == []


async def test_a_quiet_operator_costs_the_ledger_one_write_per_change(make, ledger):
    alarms = await make(senders=[])
    alarms.listen("submitter.halted", HALT)
    await alarms.step()
    kept = await ledger.run(verbs.fact, FACT)
    assert [each["alarm"] for each in json.loads(kept)] == ["no_credit"]
    await ledger.run(verbs.keep_fact, FACT, value="untouched")
    for _ in range(3):
        alarms.listen("submitter.halted", HALT)
        await alarms.step()
    assert await ledger.run(verbs.fact, FACT) == "untouched"
