"""Another process takes over at any moment: everything is shown once and made once."""

import asyncio
from contextlib import AsyncExitStack

import aiohttp
import sqlalchemy as sa
from structlog.testing import capture_logs

from bot.ledger import schema, watching
from sandbox import faults
from tests.flow.studio import ACK, ORIGINAL, eventually, painted


async def shown_once(studio, *results) -> None:
    """Each ask has its picture in its one message, made by one task and paid once."""
    assert len(studio.tasks) == len(studio.hiapi.tasks.bills) == len(results)
    assert len(studio.messages(viewer=studio.member)) == len(results)
    keys = {bill.key: bill.task_id for bill in studio.hiapi.tasks.bills}
    for result in results:
        reply = await studio.reply(result)
        assert reply.delivery == "delivered"
        [job] = reply.jobs
        task = studio.hiapi.tasks.find(keys[job.id])
        assert studio.file(result) == painted(task)
    assert await studio.submit() == await studio.look() == await studio.deliver() == 0


async def test_while_jobs_are_queued(studio):
    first = await studio.imagine("first")
    second = await studio.imagine("second", private=True)
    async with studio.restarted():
        assert await studio.states() == ["queued", "queued"]
        await studio.finish()
        await shown_once(studio, first, second)


async def test_while_a_task_runs(studio):
    result = await studio.imagine("a red fox")
    await studio.submit()
    [task] = studio.tasks
    async with studio.restarted() as app:
        watched, job = app.tracker._live[task.task_id], (await studio.reply(result)).jobs[0]
        assert watched.about == watching.UnderWay(
            job.id, job.reply_id, job.request.model, task.task_id, job.submitted_at
        )
        await studio.finish()
        assert app.tracker._live == {}
        await shown_once(studio, result)


async def test_while_a_picture_waits_to_be_shown(studio):
    result = await studio.imagine("a red fox")
    await studio.settle()
    async with studio.restarted():
        assert await studio.deliver() == 1
        await shown_once(studio, result)


async def test_after_everything_was_shown(studio):
    result = await studio.imagine("a red fox")
    await studio.finish()
    edits = len(studio.sent("PATCH", "*"))
    async with studio.restarted():
        await studio.finish()
        await shown_once(studio, result)
        assert len(studio.sent("PATCH", "*")) == edits


async def test_while_a_request_to_the_service_is_under_way(studio):
    let_go = asyncio.Event()
    studio.hiapi.fault(faults.Pause(let_go), on="create")
    result = await studio.imagine("a red fox")
    sending = asyncio.create_task(studio.app.submitter.step())
    await eventually(lambda: studio.hiapi.tasks.requests["create"])
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert await studio.states() == ["submitting"]
    async with studio.restarted():
        # The first try still runs at the service: the same key must wait for it.
        assert await studio.submit() == 1
        assert studio.tasks == ()
        let_go.set()
        await eventually(lambda: studio.tasks)
        studio.clock.move(5)
        await studio.finish()
        await shown_once(studio, result)


async def test_while_the_card_is_being_edited(studio):
    arrived = asyncio.Event()

    async def arrive_and_hang(send):
        await send()
        arrived.set()
        await asyncio.Event().wait()

    result = await studio.imagine("a red fox")
    await studio.settle()
    studio.wire.hook("PATCH", ORIGINAL, arrive_and_hang)
    showing = asyncio.create_task(studio.app.deliverer.step())
    await eventually(arrived.is_set)
    showing.cancel()
    await asyncio.gather(showing, return_exceptions=True)
    assert (await studio.reply(result)).delivery == "open"
    async with studio.restarted():
        await studio.finish()
        await shown_once(studio, result)


async def test_in_the_middle_of_an_acknowledgement(studio):
    async def lost(send):
        await send()
        raise aiohttp.ServerDisconnectedError

    studio.wire.hook("POST", ACK, lost)
    result = await studio.imagine("a red fox")
    async with studio.restarted() as app:
        assert await studio.states() == ["received"]
        studio.clock.move(61)
        assert await app.recovery.step() == 1
        await studio.finish()
        await shown_once(studio, result)


async def test_again_and_again(studio):
    async with AsyncExitStack() as processes:
        results = []
        for number in range(3):
            results.append(await studio.imagine(f"fox {number}"))
            if number == 1:
                await studio.submit()
            await processes.enter_async_context(studio.restarted())
        await studio.finish()
        await shown_once(studio, *results)


async def test_with_its_loops_running(open_studio, clock):
    async with open_studio(start=True) as studio:
        first = await studio.imagine("first")
        await eventually(lambda: studio.tasks)
        await studio.app.stop(grace=5)
        async with studio.restarted() as app:
            second = await studio.imagine("second")
            await app.start()
            try:
                await eventually(lambda: len(studio.tasks) == 2)
                clock.move(30)
                await eventually(lambda: delivered(studio, first, second), within=20)
            finally:
                await app.stop(grace=5)
            assert len(studio.messages()) == 2
            assert len(studio.hiapi.tasks.bills) == 2


async def leaseholders(studio) -> set[str]:
    """Who holds a job or a reply."""

    def read(conn: sa.Connection) -> set[str]:
        tables = (schema.jobs, schema.replies)
        return {owner for each in tables for owner in conn.scalars(sa.select(each.c.lease_owner))}

    return await studio.app.ledger.run(read) - {None}


async def test_what_was_claimed_ahead_and_taken_by_nobody(studio):
    app = studio.app
    app.ledger.follow(app.followers)  # as `start` does; no loop runs that would take it
    first = await studio.imagine("first")
    await studio.submit()
    await studio.look()
    studio.clock.move(10)
    await studio.look()
    second = await studio.imagine("second")
    assert await studio.states() == ["settled", "submitting"]
    assert (await studio.reply(first)).attempts == 1
    assert await leaseholders(studio) == {app.worker}
    await app.stop(grace=1)
    # A successor with another host's name would have to wait until they run out.
    assert await leaseholders(studio) == set()
    async with studio.restarted():
        await studio.finish()
        await shown_once(studio, first, second)


async def test_what_could_not_be_finished_in_time(open_studio):
    async with open_studio(start=True) as studio:
        let_go = asyncio.Event()
        studio.hiapi.fault(faults.Pause(let_go), on="create")
        await studio.imagine("a red fox")
        await eventually(lambda: studio.hiapi.tasks.requests["create"])
        assert await leaseholders(studio) == {studio.app.worker}
        await studio.app.stop(grace=0.01)
        assert await leaseholders(studio) == set()
        assert await studio.states() == ["submitting"]
        let_go.set()


async def test_a_ledger_that_fails_lets_it_stop_all_the_same(studio):
    run = studio.app.ledger.run
    await run(lambda conn: conn.execute(sa.text("ALTER TABLE jobs RENAME TO gone")))
    with capture_logs() as logs:
        await studio.app.stop(grace=1)
    assert [entry["event"] for entry in logs] == ["leases.kept"]


async def delivered(studio, *results) -> bool:
    replies = [await studio.reply(result) for result in results]
    return all(reply.delivery == "delivered" for reply in replies)


async def test_the_time_a_picture_takes_is_remembered(studio):
    await studio.imagine("a red fox")
    await studio.finish()
    before = studio.app.tracker.durations.expected("gpt-image-2-pro")
    assert before.total_seconds() == 8
    studio.clock.move(1)
    for _ in range(2):
        await studio.imagine("a slow fox [slow]")
        await studio.finish(seconds=120)
    learned = studio.app.tracker.durations.expected("gpt-image-2-pro")
    assert learned > before
    async with studio.restarted() as app:
        assert app.tracker.durations.expected("gpt-image-2-pro") == learned
