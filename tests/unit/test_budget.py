"""The budget under a clock moved by hand: nothing here waits for real time."""

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.hiapi import wire
from bot.hiapi.budget import Budget

NOW = datetime(2026, 11, 5, 12, 0, tzinfo=UTC)
WINDOW = 60.0


class Alarm:
    def __init__(self, call):
        self.call = call

    def cancel(self):
        self.call = None


class HandClock:
    """Monotonic seconds that move only when told, and what is to be called when."""

    def __init__(self):
        self.now = 1000.0
        self.rung = 0
        self._alarms = []
        self._order = itertools.count()

    def monotonic(self):
        return self.now

    def later(self, seconds, call):
        assert seconds > 0
        alarm = Alarm(call)
        heapq.heappush(self._alarms, (self.now + seconds, next(self._order), alarm))
        return alarm

    async def sleep(self, seconds):
        if seconds > 0:
            woken = asyncio.get_running_loop().create_future()
            self.later(seconds, lambda: woken.done() or woken.set_result(None))
            await woken

    @property
    def pending(self):
        return sum(alarm.call is not None for _, _, alarm in self._alarms)

    async def advance(self, seconds):
        """Move on, ringing every alarm on the way at its own moment."""
        end = self.now + seconds
        await settle()
        while self._alarms and self._alarms[0][0] <= end:
            self.now, _, alarm = heapq.heappop(self._alarms)
            if alarm.call is not None:
                self.rung += 1
                alarm.call()
                await settle()
        self.now = end
        await settle()


async def settle():
    for _ in range(6):
        await asyncio.sleep(0)


class Office:
    """People who use a budget: each notes when it began and leaves after its time."""

    def __init__(self, **figures):
        self.clock = HandClock()
        figures = {"per_minute": 60, "concurrency": 1000, "window": WINDOW} | figures
        self.budget = Budget(monotonic=self.clock.monotonic, later=self.clock.later, **figures)
        self.starts = []
        self.pauses = []
        self.running = 0
        self.most_at_once = 0
        self.tasks = []

    async def visit(self, lane, number, *, hold=0.0):
        slot = self.budget.poll() if lane == "poll" else self.budget.submit()
        async with slot:
            self.starts.append((self.clock.now, lane, number))
            self.running += 1
            self.most_at_once = max(self.most_at_once, self.running)
            try:
                await self.clock.sleep(hold)
            finally:
                self.running -= 1

    def send(self, lane, count=1, *, hold=0.0):
        tasks = [asyncio.create_task(self.visit(lane, n, hold=hold)) for n in range(count)]
        self.tasks += tasks
        return tasks

    def began(self, lane=None):
        return [number for _, each, number in self.starts if lane in (None, each)]

    def pause(self, seconds):
        self.pauses.append((self.clock.now, self.clock.now + min(seconds, 60)))
        self.budget.pause(seconds)

    def rate(self, remaining, *, limit=60, resets_in=30.0):
        rate = wire.RateLimit(limit, remaining, NOW + timedelta(seconds=resets_in))
        self.budget.observe(rate, now=NOW)


class TestWindow:
    async def test_as_many_as_allowed_start_and_the_rest_wait_for_the_window(self):
        office = Office(per_minute=3)
        office.send("submit", 5)
        await settle()
        assert office.began() == [0, 1, 2]
        await office.clock.advance(WINDOW - 0.1)
        assert office.began() == [0, 1, 2]
        await office.clock.advance(0.1)
        assert office.began() == [0, 1, 2, 3, 4]

    async def test_it_tells_how_many_started_within_the_window(self):
        clock = HandClock()
        budget = Budget(per_minute=5, window=WINDOW, monotonic=clock.monotonic, later=clock.later)
        for _ in range(3):
            async with budget.submit():
                pass
        async with budget.poll():
            assert budget.used == 4
        clock.now += WINDOW
        assert budget.used == 0

    async def test_the_window_rolls(self):
        office = Office(per_minute=2)
        office.send("submit")
        await office.clock.advance(40)
        office.send("submit", 2)
        await office.clock.advance(20)
        assert len(office.starts) == 3
        office.send("submit")
        await office.clock.advance(39)
        assert len(office.starts) == 3
        await office.clock.advance(1)
        assert len(office.starts) == 4

    async def test_no_more_at_once_than_allowed(self):
        office = Office(concurrency=2)
        office.send("submit", 5, hold=1.0)
        await office.clock.advance(1.0)
        assert office.most_at_once == 2
        assert len(office.starts) == 4

    async def test_first_come_first_served_and_polls_before_submits(self):
        office = Office(concurrency=1)
        office.send("submit", 3, hold=1.0)
        await settle()
        office.send("poll", 2, hold=1.0)
        await office.clock.advance(10)
        assert [(lane, number) for _, lane, number in office.starts] == [
            ("submit", 0),
            ("poll", 0),
            ("poll", 1),
            ("submit", 1),
            ("submit", 2),
        ]

    async def test_an_error_inside_gives_the_place_back(self):
        office = Office(concurrency=1)
        with pytest.raises(LookupError):
            async with office.budget.submit():
                raise LookupError
        assert office.budget.room() == 1

    def test_a_budget_of_nothing_is_a_mistake(self):
        with pytest.raises(ValueError, match="nothing"):
            Budget(per_minute=0)


class TestReserve:
    async def test_submits_leave_the_reserve_alone(self):
        office = Office(per_minute=10)
        office.budget.reserve = 4
        office.send("submit", 10)
        await settle()
        assert office.began("submit") == [0, 1, 2, 3, 4, 5]
        office.send("poll", 5)
        await settle()
        assert office.began("poll") == [0, 1, 2, 3]

    async def test_polls_already_made_are_the_reserve_spent(self):
        office = Office(per_minute=10)
        office.send("poll", 6)
        await settle()
        office.budget.reserve = 4
        assert office.budget.room() == 4

    async def test_giving_the_reserve_up_lets_waiting_submits_in(self):
        office = Office(per_minute=10)
        office.budget.reserve = 4
        office.send("submit", 10)
        await settle()
        office.budget.reserve = 0
        await settle()
        assert len(office.began("submit")) == 10

    async def test_slow_submits_leave_polls_a_place(self):
        office = Office(concurrency=3)
        office.budget.reserve = 4
        office.send("submit", 5, hold=50)
        await settle()
        assert office.budget.room() == 0
        office.send("poll")
        await settle()
        assert (len(office.began("submit")), office.began("poll")) == (2, [0])

    async def test_a_reserve_of_everything_leaves_submits_one(self):
        office = Office(per_minute=5)
        office.budget.reserve = 12
        assert (office.budget.reserve, office.budget.room()) == (4, 1)


class TestRoom:
    async def test_it_counts_the_submits_that_could_start_now(self):
        office = Office(per_minute=10, concurrency=4)
        assert office.budget.room() == 4
        office.send("submit", 3)
        await settle()
        assert office.budget.room() == 4
        office.send("submit", 5)
        await settle()
        assert office.budget.room() == 2
        await office.clock.advance(WINDOW)
        assert office.budget.room() == 4

    async def test_none_while_paused_or_while_others_wait(self):
        office = Office(per_minute=1)
        office.budget.pause(5)
        assert office.budget.room() == 0
        await office.clock.advance(5)
        assert office.budget.room() == 1
        office.send("poll", 2)
        await settle()
        assert office.budget.room() == 0


class TestPause:
    async def test_nothing_starts_until_it_is_over(self):
        office = Office()
        office.budget.pause(7)
        office.send("poll")
        office.send("submit")
        await office.clock.advance(6.9)
        assert office.starts == []
        await office.clock.advance(0.1)
        assert len(office.starts) == 2

    async def test_the_later_end_holds_and_sixty_seconds_are_the_most(self):
        office = Office()
        office.budget.pause(3600)
        office.budget.pause(1)
        office.budget.pause(-5)
        office.send("poll")
        await office.clock.advance(59.9)
        assert office.starts == []
        await office.clock.advance(0.1)
        assert len(office.starts) == 1

    async def test_a_pause_during_a_wait_for_the_window_counts(self):
        office = Office(per_minute=1)
        office.send("poll", 2)
        await office.clock.advance(WINDOW - 1)
        office.budget.pause(10)
        await office.clock.advance(9.9)
        assert len(office.starts) == 1
        await office.clock.advance(0.1)
        assert len(office.starts) == 2


class TestObserve:
    async def test_what_we_knew_changes_nothing(self):
        office = Office()
        office.send("submit", 10)
        await settle()
        office.rate(50)
        office.budget.observe(None, now=NOW)
        assert office.budget.room() == 50

    async def test_where_fewer_remain_only_those_start(self):
        office = Office()
        office.rate(2)
        office.send("submit", 5)
        await office.clock.advance(29.9)
        assert office.began() == [0, 1]

    async def test_after_the_reset_one_asks_and_the_answer_opens_the_rest(self):
        office = Office()
        office.rate(0)
        office.send("submit", 5, hold=1.0)
        await office.clock.advance(30.5)
        assert office.began() == [0]
        office.rate(59)
        await office.clock.advance(0)
        assert office.began() == [0, 1, 2, 3, 4]

    async def test_after_the_reset_an_answer_may_also_hold_us_again(self):
        office = Office()
        office.rate(0)
        office.send("submit", 5, hold=1.0)
        await office.clock.advance(30.5)
        office.rate(0, resets_in=20)
        await office.clock.advance(19)
        assert office.began() == [0]
        await office.clock.advance(1)
        assert office.began() == [0, 1]

    async def test_an_asking_request_without_an_answer_holds_nobody_for_ever(self):
        office = Office()
        office.rate(0)
        office.send("submit", 5, hold=1.0)
        await office.clock.advance(31)
        assert office.began() == [0, 1, 2, 3, 4]

    async def test_a_cancelled_asking_request_holds_nobody_for_ever(self):
        office = Office()
        office.rate(0)
        first, *_ = office.send("submit", 3)
        await office.clock.advance(29)
        first.cancel()
        await office.clock.advance(1)
        assert office.began() == [1, 2]

    async def test_an_older_answer_does_not_raise_the_figure(self):
        office = Office()
        office.rate(2)
        office.rate(9)
        assert office.budget.room() == 2

    async def test_requests_still_travelling_are_taken_off(self):
        office = Office()
        office.send("submit", 4, hold=5)
        await settle()
        office.rate(10)  # the answer of one of the four
        assert office.budget.room() == 7

    async def test_the_reserve_holds_for_the_servers_figure_too(self):
        office = Office()
        office.budget.reserve = 12
        office.rate(5)
        office.send("submit")
        office.send("poll")
        await settle()
        assert (office.began("submit"), office.began("poll")) == ([], [0])

    async def test_after_the_reset_a_submit_may_ask_even_from_the_reserve(self):
        office = Office()
        office.budget.reserve = 12
        office.rate(0)
        office.send("submit")
        await office.clock.advance(30)
        assert office.began("submit") == [0]

    async def test_a_reset_in_the_past_holds_nobody(self):
        office = Office()
        office.rate(0, resets_in=-5)
        assert office.budget.room() == 60


class TestCancel:
    async def test_one_who_gave_up_waiting_takes_nothing(self):
        office = Office(per_minute=2, concurrency=1)
        _, second, _ = office.send("submit", 3, hold=1.0)
        await settle()
        second.cancel()
        await office.clock.advance(1.0)
        assert office.began() == [0, 2]

    async def test_one_let_in_but_cancelled_before_noticing_gives_everything_back(self):
        office = Office(per_minute=1)
        office.budget.pause(5)
        (task,) = office.send("submit")
        await settle()
        # In one turn of the loop: the pause ends, the place is granted, the task is cancelled.
        office.clock.now += 5
        office.budget.reserve = 0
        task.cancel()
        await settle()
        assert office.starts == []
        assert office.budget.room() == 1
        await office.clock.advance(WINDOW)
        assert office.budget.room() == 1

    async def test_what_was_given_back_is_also_given_back_to_the_servers_figure(self):
        office = Office()
        office.budget.pause(5)
        (task,) = office.send("submit")
        office.rate(3)
        await settle()
        office.clock.now += 5
        office.budget.reserve = 0
        task.cancel()
        await settle()
        assert office.budget.room() == 3

    async def test_what_was_given_back_late_is_not_counted_twice(self):
        office = Office(per_minute=1)
        office.budget.pause(5)
        (task,) = office.send("submit")
        await settle()
        office.clock.now += 5
        office.budget.reserve = 0
        office.clock.now += WINDOW
        task.cancel()
        await settle()
        assert office.budget.room() == 1
        office.send("submit", 2)
        await settle()
        assert len(office.starts) == 1

    async def test_when_nobody_waits_no_timer_runs(self):
        office = Office(per_minute=1)
        office.send("submit", 3)
        await settle()
        assert office.clock.pending == 1
        for task in office.tasks:
            task.cancel()
        await settle()
        await office.clock.advance(WINDOW)
        assert office.clock.pending == 0


visits = st.lists(
    st.tuples(
        st.floats(0, 30),  # seconds after the one before
        st.sampled_from(["poll", "submit"]),
        st.floats(0, 20),  # how long it holds its place
        st.none() | st.floats(0, 90),  # when it is cancelled
    ),
    max_size=40,
)


async def _run(plan, *, per_minute, concurrency, reserve, pauses):
    office = Office(per_minute=per_minute, concurrency=concurrency)
    office.budget.reserve = reserve
    for seconds, length in pauses:
        office.clock.later(seconds + 0.001, lambda length=length: office.pause(length))
    sent = []
    for number, (gap, lane, hold, cancel) in enumerate(plan):
        await office.clock.advance(gap)
        task = asyncio.create_task(office.visit(lane, number, hold=hold))
        sent.append((task, lane, number, cancel))
        await settle()
        if cancel is not None:
            office.clock.later(cancel + 0.001, task.cancel)
    await office.clock.advance(WINDOW * (len(plan) + 10))
    return office, sent


@given(
    plan=visits,
    per_minute=st.integers(1, 8),
    concurrency=st.integers(1, 4),
    reserve=st.integers(0, 10),
    pauses=st.lists(st.tuples(st.floats(0, 300), st.floats(0, 80)), max_size=3),
)
@settings(max_examples=150, deadline=None)
def test_whatever_arrives_the_rules_hold_and_everyone_is_served(
    plan, per_minute, concurrency, reserve, pauses
):
    office, sent = asyncio.run(
        _run(plan, per_minute=per_minute, concurrency=concurrency, reserve=reserve, pauses=pauses)
    )
    assert office.most_at_once <= concurrency
    for index, (moment, lane, _) in enumerate(office.starts):
        window = [each for each in office.starts[: index + 1] if each[0] + WINDOW > moment]
        assert len(window) <= per_minute
        assert not any(begin < moment < end for begin, end in office.pauses)
        polls = sum(each == "poll" for _, each, _ in window)
        if lane == "submit":
            assert len(window) - polls + max(polls, office.budget.reserve) <= per_minute
    for lane in ("poll", "submit"):
        assert office.began(lane) == sorted(office.began(lane))
    for task, _, number, cancel in sent:
        assert task.done()
        assert number in office.began() or cancel is not None
    assert office.running == 0
    assert office.clock.pending == 0
    kept = 1 if office.budget.reserve and concurrency > 1 else 0
    assert office.budget.room() == min(concurrency - kept, per_minute - office.budget.reserve)


async def test_the_real_clock_and_the_loops_own_timer():
    budget = Budget(per_minute=2, window=0.05)
    began = time.monotonic()
    for _ in range(5):
        async with budget.poll():
            pass
    assert time.monotonic() - began >= 0.1


async def test_six_thousand_a_minute_cost_little():
    office = Office(per_minute=6000, concurrency=50)
    began = time.process_time()
    office.send("submit", 12_000)
    for expected in (6000, 12_000):
        while len(office.starts) < expected:  # noqa: ASYNC110 (turns of the loop, not time)
            await asyncio.sleep(0)
        await office.clock.advance(WINDOW)
    assert len(office.starts) == 12_000
    assert time.process_time() - began < 3.0
    assert office.clock.rung < 12_000
