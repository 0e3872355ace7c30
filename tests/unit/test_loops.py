"""A stage's loop: wakes, survives, pauses, stops. Time is virtual here: nothing waits for it."""

import asyncio
import selectors

import pytest
import structlog

from bot import loops
from bot.loops import Loop


class _Jump(selectors.SelectSelector):
    """A selector that moves the loop's clock instead of waiting for it."""

    def __init__(self):
        super().__init__()
        self.now = 0.0

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everything waits, and nothing will ever happen"
            self.now += timeout
        return ready


class _VirtualTime(asyncio.SelectorEventLoop):
    def __init__(self):
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self):
        return self._jump.now


def play(scene):
    """Run a coroutine function under virtual time."""
    with asyncio.Runner(loop_factory=_VirtualTime) as runner:
        return runner.run(scene())


def now():
    return asyncio.get_running_loop().time()


class Script:
    """A step that does what it is told, in order, and then idles; it notes when it was called."""

    def __init__(self, *acts):
        self.acts = list(acts)
        self.times = []

    async def __call__(self):
        self.times.append(round(now(), 3))
        act = self.acts.pop(0) if self.acts else 0
        if isinstance(act, BaseException):
            raise act
        return await act() if callable(act) else act


def test_a_loop_goes_on_at_once_while_rows_move_and_rests_when_none_do():
    async def scene():
        step = Script(1, 3, 0, 1, 0)
        loop = Loop("stage", step, interval=10)
        loop.start()
        await asyncio.sleep(25)
        await loop.stop(grace=0)
        return step.times

    assert play(scene) == [0, 0, 0, 10, 10, 20]


def test_a_wake_up_ends_the_rest():
    async def scene():
        step = Script()
        loop = Loop("stage", step, interval=60)
        loop.start()
        await asyncio.sleep(7)
        loop.wake()
        await asyncio.sleep(1)
        await loop.stop(grace=0)
        return step.times

    assert play(scene) == [0, 7]


def test_a_wake_up_during_a_round_is_not_lost():
    async def scene():
        async def woken_meanwhile():
            loop.wake()
            return 0

        step = Script(woken_meanwhile)
        loop = Loop("stage", step, interval=60)
        loop.start()
        await asyncio.sleep(1)
        await loop.stop(grace=0)
        return step.times

    assert play(scene) == [0, 0]


def test_many_wake_ups_make_one_round():
    async def scene():
        step = Script()
        loop = Loop("stage", step, interval=60)
        loop.start()
        await asyncio.sleep(1)
        for _ in range(100):
            loop.wake()
        await asyncio.sleep(1)
        await loop.stop(grace=0)
        return step.times

    assert play(scene) == [0, 1]


def test_a_wake_up_before_the_start_does_no_harm():
    async def scene():
        step = Script()
        loop = Loop("stage", step, interval=60)
        loop.wake()
        loop.start()
        await asyncio.sleep(1)
        await loop.stop(grace=0)
        return step.times

    assert play(scene) == [0]


def test_errors_are_survived_with_growing_pauses_and_named_in_the_log():
    async def scene():
        step = Script(*(OSError("the disk is full") for _ in range(4)), 1, OSError("again"))
        loop = Loop("stage", step, interval=60)
        loop.start()
        await asyncio.sleep(9)
        await loop.stop(grace=0)
        return step.times

    with structlog.testing.capture_logs() as lines:
        times = play(scene)
    # 0.5, 1, 2, 4 s; the round that succeeds resets the pause.
    assert times == [0, 0.5, 1.5, 3.5, 7.5, 7.5, 8.0]
    assert [line["retry_in"] for line in lines] == [0.5, 1, 2, 4, 0.5]
    assert {(line["event"], line["loop"]) for line in lines} == {("loop.round_failed", "stage")}


def test_the_pause_has_a_limit():
    async def scene():
        step = Script(*(OSError() for _ in range(20)))
        loop = Loop("stage", step, interval=60)
        loop.start()
        await asyncio.sleep(300)
        await loop.stop(grace=0)
        return [after - before for before, after in zip(step.times, step.times[1:], strict=False)]

    with structlog.testing.capture_logs():
        assert max(play(scene)) == loops.LONGEST_PAUSE


def test_wake_ups_do_not_cut_the_pause_after_an_error_short():
    async def scene():
        async def fails_and_wakes():
            loop.wake()
            raise OSError

        step = Script(fails_and_wakes)
        loop = Loop("stage", step, interval=60)
        loop.start()
        await asyncio.sleep(0.1)
        loop.wake()
        await asyncio.sleep(1)
        await loop.stop(grace=0)
        return step.times

    with structlog.testing.capture_logs():
        assert play(scene) == [0, 0.5]


def test_a_cancelled_future_inside_a_step_does_not_end_the_worker():
    async def scene():
        async def waits_for_what_is_cancelled():
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future

        step = Script(waits_for_what_is_cancelled)
        loop = Loop("stage", step, interval=60)
        loop.start()
        await asyncio.sleep(1)
        await loop.stop(grace=0)
        return step.times

    with structlog.testing.capture_logs() as lines:
        assert play(scene) == [0, 0.5]
    assert [line["event"] for line in lines] == ["loop.round_failed"]


def test_a_stop_lets_the_round_under_way_finish():
    finished = []

    async def scene():
        async def slow():
            await asyncio.sleep(5)
            finished.append(now())
            return 1

        step = Script(slow)
        loop = Loop("stage", step, interval=60)
        loop.start()
        await asyncio.sleep(1)
        await loop.stop(grace=20)
        return step.times, now()

    times, ended = play(scene)
    assert finished == [5]
    assert times == [0], "nothing new is begun after the stop, although rows moved"
    assert ended == 5


def test_a_stop_cancels_what_outlasts_the_grace():
    cancelled = []

    async def scene():
        async def endless():
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                cancelled.append(now())
                raise

        loop = Loop("stage", Script(endless), interval=60)
        loop.start()
        await asyncio.sleep(1)
        await loop.stop(grace=20)

    play(scene)
    assert cancelled == [21]


@pytest.mark.parametrize("fault", [None, OSError("broken")])
def test_a_stop_does_not_wait_for_a_rest_or_a_pause(fault):
    async def scene():
        step = Script(*([fault] * 8 if fault else []))
        loop = Loop("stage", step, interval=3600)
        loop.start()
        await asyncio.sleep(20.1)
        await loop.stop(grace=100)
        return now()

    with structlog.testing.capture_logs():
        assert play(scene) == pytest.approx(20.1)


def test_a_stop_without_a_start_is_nothing_and_a_loop_can_start_again():
    async def scene():
        step = Script()
        loop = Loop("stage", step, interval=60)
        await loop.stop(grace=0)
        for _ in range(2):
            loop.start()
            await asyncio.sleep(1)
            await loop.stop(grace=0)
        return step.times

    assert play(scene) == [0, 1]


def test_several_workers_take_rounds_side_by_side_and_a_wake_up_is_for_one():
    async def scene():
        at_once = 0
        most = 0
        calls = []

        async def step():
            nonlocal at_once, most
            calls.append(now())
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(1)
            at_once -= 1
            return 0

        loop = Loop("stage", step, interval=60, workers=3)
        loop.start()
        await asyncio.sleep(10)
        loop.wake()
        await asyncio.sleep(5)
        for _ in range(3):
            loop.wake()
        await asyncio.sleep(5)
        await loop.stop(grace=5)
        return calls, most

    calls, most = play(scene)
    assert calls == [0, 0, 0, 10, 15, 15, 15]
    assert most == 3


def test_of_those_who_rest_one_looks_at_each_interval_however_long_a_round_lasts():
    async def scene():
        calls = []

        async def step():
            calls.append(now())
            # The first look that time began lasts longer than the others take together.
            await asyncio.sleep(35 if len(calls) == 4 else 0)
            return 0

        loop = Loop("stage", step, interval=10, workers=3)
        loop.start()
        await asyncio.sleep(65)
        await loop.stop(grace=0)
        return calls

    assert play(scene) == [0, 0, 0, 10, 20, 30, 40, 50, 60]


def test_rows_that_time_finds_bring_in_those_who_rest():
    async def scene():
        rows = 0
        at_once = most = 0

        async def step():
            nonlocal rows, at_once, most
            if not rows:
                return 0
            rows -= 1
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(1)
            at_once -= 1
            return 1

        loop = Loop("stage", step, interval=10, workers=3)
        loop.start()
        await asyncio.sleep(5)
        rows = 30
        await asyncio.sleep(30)
        await loop.stop(grace=0)
        return rows, most

    assert play(scene) == (0, 3)


def test_a_wake_up_is_not_lost_on_the_one_who_watches():
    async def scene():
        calls = []

        async def step():
            calls.append(now())
            return 0

        loop = Loop("stage", step, interval=10, workers=2)
        loop.start()
        await asyncio.sleep(3)
        for _ in range(2):
            loop.wake()
        await asyncio.sleep(15)
        await loop.stop(grace=0)
        return calls

    assert play(scene) == [0, 0, 3, 3, 13]


def test_a_wake_up_while_all_are_at_work_is_taken_by_who_finds_nothing_first():
    async def scene():
        calls = []

        async def step():
            calls.append(now())
            await asyncio.sleep(len(calls))
            return 0

        loop = Loop("stage", step, interval=60, workers=2)
        loop.start()
        await asyncio.sleep(0.5)
        loop.wake()
        await asyncio.sleep(10)
        await loop.stop(grace=5)
        return calls

    assert play(scene) == [0, 0, 1]


def test_a_wake_up_is_owed_one_round_even_while_all_are_at_work():
    async def scene():
        rows = 3
        calls = []

        async def step():
            nonlocal rows
            calls.append(now())
            if not rows:
                return 0
            rows -= 1
            await asyncio.sleep(1)
            return 1

        loop = Loop("stage", step, interval=60)
        loop.start()
        await asyncio.sleep(10)
        assert rows == 0
        calls.clear()
        for _ in range(2):
            rows += 1
            loop.wake()
            await asyncio.sleep(0.5)
        await asyncio.sleep(10)
        await loop.stop(grace=0)
        return calls

    # One round for each row, and none to learn that there is no third.
    assert play(scene) == [10, 11]


def test_one_worker_that_fails_leaves_the_others_at_work():
    async def scene():
        calls = []

        async def step():
            calls.append(now())
            if len(calls) == 1:
                raise OSError
            return 0

        loop = Loop("stage", step, interval=60, workers=2)
        loop.start()
        await asyncio.sleep(0.1)
        before = list(calls)
        await asyncio.sleep(1)
        await loop.stop(grace=0)
        return before, calls

    with structlog.testing.capture_logs():
        assert play(scene) == ([0, 0], [0, 0, 0.5])


def test_an_error_that_is_told_of_elsewhere_is_not_logged_and_pauses_all_the_same():
    async def scene():
        step = Script(OSError("away"), OSError("away"), LookupError("a defect"))
        loop = Loop("stage", step, interval=60)
        with structlog.testing.capture_logs() as told:
            loop.start(excused=lambda error: isinstance(error, OSError))
            await asyncio.sleep(10)
            await loop.stop(grace=0)
        return step.times, told

    times, [told] = play(scene)
    assert times == [0, 0.5, 1.5, 3.5]
    assert (told["event"], told["exc_info"]) == ("loop.round_failed", True)
