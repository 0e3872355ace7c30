"""The bot's process, killed at every arrow and started again: delivered once, billed once.

Each play is a story on a scene of its own: real processes, SIGKILL, one ledger file. They wait far
more than they work, so a few are performed at once, and each test waits for its own.
"""

import asyncio
import functools
import random
import sqlite3
import struct
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from bot.errors import WORDS, Code
from bot.ledger.ledger import Ledger
from sandbox import faults as hiapi_faults
from sandbox.wirecord import faults as discord_faults
from tests.flow import accounts, process
from tests.flow.process import ACK, DAY, MINUTE, ORIGINAL, Scene, eventually

AT_ONCE = 8
ABANDONED = 61.0  # from this age on a row that was never confirmed counts as abandoned

Play = Callable[[Path, Path], Awaitable[None]]
PLAYS: dict[str, Play] = {}


def play(story: Callable[..., Awaitable[None]] | None = None, *, title: str = "", **hiapi: object):
    """Register a story; `hiapi` are options of HiAPI's stand-in."""
    if story is None:
        return functools.partial(play, title=title, **hiapi)

    async def perform(folder: Path, ledger: Path) -> None:
        async with process.opened(folder, ledger=ledger, **hiapi) as scene:
            await story(scene)

    name = getattr(story, "__name__", "")
    PLAYS[title or name.replace("_", " ")] = perform
    return story


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def performed(request, tmp_path_factory):
    """The plays that were asked for, under way."""
    folder = tmp_path_factory.mktemp("crash")
    ledger = folder / "empty.db"
    Ledger(f"sqlite:///{ledger}").migrate()
    turn = asyncio.Semaphore(AT_ONCE)

    async def perform(title: str, number: int) -> None:
        async with turn, asyncio.timeout(90):
            await PLAYS[title](folder / str(number), ledger)

    here = [item for item in request.session.items if item.module is request.module]
    titles = [item.callspec.params["title"] for item in here]
    tasks = {
        title: asyncio.create_task(perform(title, number)) for number, title in enumerate(titles)
    }
    yield tasks
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


# --- every arrow of the ledger --------------------------------------------------------------------


async def never_promised(scene: Scene, moment: str) -> None:
    """Discord has no acknowledgement: nobody waits, nothing may be made."""
    first = await scene.start(kill=moment)
    asked = await scene.imagine()
    await first.dies()
    await scene.start(ahead=ABANDONED)
    await scene.delivered()
    assert asked.acked is None
    assert not scene.tasks
    assert scene.counted == 0
    assert [reply["delivery"] for reply in scene.replies] in ([], ["withdrawn"])


for moment in ("inside:receive", "after:receive"):
    play(functools.partial(never_promised, moment=moment), title=moment)


async def promised(scene: Scene, moment: str, *, ahead: float = 0.0, **settings: object) -> None:
    first = await scene.start(kill=moment, **settings)
    asked = await scene.imagine()
    await first.dies()
    assert asked.acked
    second = await scene.start(ahead=ahead, **settings)
    # Leases of the dead are freed at the start: nothing waits until they run out.
    assert first.running.pid not in scene.leaseholders
    await scene.delivered()
    assert scene.pictured(asked)
    assert len(scene.tasks) == 1
    assert scene.counted == 1
    await second.stop()


# The first claim joins the confirmation's transaction, and is taken back with it.
for moment in ("before:confirm", "inside:confirm", "inside:begin"):
    play(functools.partial(promised, moment=moment, ahead=ABANDONED), title=moment)
for moment in (
    *("after:confirm", "after:begin"),
    *("before:submitted", "inside:submitted", "after:submitted"),
    *("before:settle", "inside:settle", "after:settle"),
    *("inside:claim_reply", "after:claim_reply"),
    *("before:close", "inside:close", "after:close"),
):
    play(functools.partial(promised, moment=moment), title=moment)


async def called_back(scene: Scene, moment: str) -> None:
    port = process.free_port()
    address = f"http://127.0.0.1:{port}"
    settings = {"web_port": port, "public_url": address, "hiapi_webhook_secret": SECRET}
    await promised(scene, moment, **settings)


SECRET = "a signing key of the account"
for moment in ("before:settle_heard", "inside:settle_heard", "after:settle_heard"):
    play(
        functools.partial(called_back, moment=moment),
        title=moment,
        webhook_secret=SECRET,
        callback_delays=(0.5, 1.0, 2.0),
    )


# --- between the arrows: on the wire --------------------------------------------------------------


@play
async def while_discord_takes_the_acknowledgement(scene):
    slow = scene.discord.fault(discord_faults.Slow(2.0, after=True), on=ACK)
    first = await scene.start()
    asked = await scene.imagine()
    await asked.acknowledged()
    assert slow.fired
    await first.kill()
    await scene.start(ahead=ABANDONED)
    await scene.delivered()
    assert scene.pictured(asked)


@play
async def during_the_post(scene):
    gate = asyncio.Event()
    held = scene.hiapi.fault(hiapi_faults.Pause(gate), on="create")
    first = await scene.start()
    asked = await scene.imagine()
    await eventually(lambda: held.fired)
    await first.kill()
    gate.set()
    await eventually(lambda: scene.tasks)
    second = await scene.start()
    await scene.delivered()
    assert scene.pictured(asked)
    assert scene.hiapi.tasks.requests["create"] == 2
    assert [line["replay"] for line in second.said("job.submitted")] == [True]


@play
async def during_a_post_that_outlives_the_restart(scene):
    gate = asyncio.Event()
    held = scene.hiapi.fault(hiapi_faults.Pause(gate), on="create")
    first = await scene.start()
    asked = await scene.imagine()
    await eventually(lambda: held.fired)
    await first.kill()
    second = await scene.start()
    await eventually(lambda: second.said("job.resend"))
    gate.set()
    await scene.delivered()
    assert scene.pictured(asked)
    assert scene.hiapi.tasks.answers["create", 409]


@play
async def after_a_post_whose_answer_was_lost(scene):
    scene.hiapi.fault(hiapi_faults.Drop(after=True), on="create")
    await promised(scene, "after:resend_at")


@play
async def during_the_download(scene):
    gate = asyncio.Event()
    held = scene.hiapi.fault(hiapi_faults.Pause(gate), on="file")
    first = await scene.start()
    asked = await scene.imagine()
    await eventually(lambda: held.fired)
    await first.kill()
    gate.set()
    await scene.start()
    await scene.delivered()
    assert scene.pictured(asked)


def noise(_job: object) -> bytes:
    """A PNG that no packing makes smaller: far more than the sockets between take at once."""
    width, height = 1600, 1600
    line = random.Random(1).randbytes(3 * width)  # noqa: S311 (a repeatable die)
    rows = b"".join(b"\0" + line[n % 97 :] + line[: n % 97] for n in range(height))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 0)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


async def uploading(scene: Scene, *, seconds: float, after: bool):
    """Bring a picture to where its upload is under way: process, ask, the slow answer."""
    gate = asyncio.Event()
    held = scene.hiapi.fault(hiapi_faults.Pause(gate), on="file")
    first = await scene.start()
    asked = await scene.imagine()
    # From the download on no other edit of this answer is under way.
    await eventually(lambda: held.fired)
    slow = scene.discord.fault(discord_faults.Slow(seconds, after=after), on=ORIGINAL, about=asked)
    gate.set()
    await eventually(lambda: slow.fired)
    return first, asked


async def killed_while_uploading(scene: Scene, *, after: bool) -> None:
    first, asked = await uploading(scene, seconds=3.0, after=after)
    if after:
        await asked.pictured()
    await first.kill()
    assert scene.pictured(asked) is after
    await scene.start()
    await scene.delivered()
    assert scene.pictured(asked)
    assert len(asked.message.attachments) == 1


play(
    functools.partial(killed_while_uploading, after=False),
    title="during the upload",
    paint=noise,
)
play(
    functools.partial(killed_while_uploading, after=True),
    title="after the upload, before Discord's answer",
    paint=noise,
)


async def refused_upload(scene: Scene, moment: str, *, private: bool) -> None:
    """The file is no text: whatever happens, nobody waits for a picture that will not come."""
    first = await scene.start(kill=moment)
    options = {"prompt_file": ("prompt.txt", b"\xff\xfe\xff"), "private": private}
    asked = await scene.imagine(options=options)
    await first.dies()
    await scene.start(ahead=ABANDONED)
    await scene.delivered()
    assert asked.message.deleted is not private
    assert not scene.tasks
    assert scene.counted == 0


for moment in ("before:withdraw", "after:withdraw"):
    for private in (False, True):
        told = "privately" if private else "publicly"
        play(
            functools.partial(refused_upload, moment=moment, private=private),
            title=f"a file refused {told}, {moment}",
        )


@play
async def a_late_edit_does_not_cover_the_picture(scene):
    """Discord carries out the edit of a waiting card only when the picture is there."""
    first = await scene.start()
    slow = scene.discord.fault(discord_faults.Slow(11.0), on=ORIGINAL)
    asked = await scene.imagine()
    await eventually(lambda: slow.fired)
    await asked.until(lambda: scene.pictured(asked))
    # The stray edit covers it, and is covered in turn.
    await asked.until(lambda: asked.message.written == 2)
    assert not scene.pictured(asked)
    await asked.until(lambda: asked.message.written == 3, seconds=30.0)
    await scene.delivered()
    assert scene.pictured(asked)
    await first.stop()


@play
async def an_acknowledgement_that_discord_answers_with_an_error(scene):
    """discord.py repeats it, and hears that somebody has acknowledged: that was itself."""
    fault = discord_faults.refuse(500, after=True)
    scene.discord.fault(fault, on=ACK)
    first = await scene.start()
    asked = await scene.imagine()
    await asked.until(lambda: bool(asked.refusals))
    assert [code for *_, code in asked.refusals] == [40060]
    await first.stop()
    await scene.start(ahead=ABANDONED)
    await scene.delivered()
    assert scene.pictured(asked)


# --- new messages: the answer itself cannot be edited ---------------------------------------------


async def posted_anew(scene: Scene, moment: str, *, ahead: float = 0.0) -> None:
    """Neither token nor bot may edit the answer: the card goes to the channel, once."""
    gone = discord_faults.refuse(404, code=10015)
    forbidden = discord_faults.refuse(403, code=50013)
    scene.discord.fault(gone, on=f"PATCH {ORIGINAL[2:]}", times=100)
    scene.discord.fault(forbidden, on="PATCH /channels/*", times=100)
    first = await scene.start(kill=moment)
    asked = await scene.imagine()
    await first.dies()
    await scene.start(ahead=ahead)
    await scene.quiet()
    [card] = [m for m in scene.messages() if m is not asked.message]
    assert len(card.attachments) == 1
    assert len(scene.hiapi.tasks.bills) == 1
    assert [reply["delivery"] for reply in scene.replies] == ["delivered"]


for moment in ("before:step_on", "inside:step_on", "after:step_on"):
    play(functools.partial(posted_anew, moment=moment), title=f"posting anew, {moment}")
play(functools.partial(posted_anew, moment="before:close"), title="posted anew, nonce alive")
play(
    functools.partial(posted_anew, moment="before:close", ahead=3 * MINUTE),
    title="posted anew, nonce forgotten",
)


def shows(asked) -> list[str]:
    """The Show buttons of a card."""
    return [each for each in asked.message.custom_ids if each.startswith("job:show:")]


@play
async def between_a_note_and_its_button(scene):
    done = asyncio.Event()
    scene.hiapi.fault(hiapi_faults.Pause(done), on="list", times=1000)
    first = await scene.start()
    asked = await scene.imagine(options={"private": True})
    await eventually(lambda: scene.tasks)
    await first.kill()
    # The token has a minute left: the note is written down, and does not reach Discord.
    second = await scene.start(kill="after:note", ahead=14 * MINUTE)
    await second.dies()
    assert shows(asked) == []
    third = await scene.start(ahead=14 * MINUTE)
    await asked.until(lambda: bool(shows(asked)), seconds=15)
    await eventually(lambda: scene.replies[0]["note_stands"])
    await third.kill()
    done.set()
    await scene.start(ahead=16 * MINUTE)
    await scene.quiet()
    assert [reply["delivery"] for reply in scene.replies] == ["parked"]
    await scene.discord.click(asked.message, shows(asked)[0])
    await asked.pictured()
    await scene.delivered()


# --- again and again, and all at once -------------------------------------------------------------


@play
async def killed_again_and_again(scene):
    moments = ("before:confirm", "inside:confirm", "before:submitted", "after:submitted")
    moments += ("before:settle", "before:close", "before:close")
    asked = None
    for number, moment in enumerate(moments):
        victim = await scene.start(kill=moment, ahead=ABANDONED * number)
        asked = asked or await scene.imagine()
        await victim.dies()
    await scene.start(ahead=ABANDONED * len(moments))
    await scene.delivered()
    assert scene.pictured(asked)
    assert len(scene.tasks) == 1
    assert scene.counted == 1


async def crowd(scene: Scene, *, unheard: discord_faults.Fault):
    """Twenty asks in every state at once; the process, and the gates that hold some of them.

    Of the last three acknowledgements two are `unheard`.
    """
    posting, fetching = asyncio.Event(), asyncio.Event()
    scene.hiapi.fault(hiapi_faults.Fate(pace=40), on="task", times=2, match="painting")
    fetches = scene.hiapi.fault(hiapi_faults.Pause(fetching), on="file", times=2, match="fetching")
    first = await scene.start()
    done = [await scene.imagine("done") for _ in range(2)]
    for asked in done:
        await asked.pictured(seconds=40)
    held = [await scene.imagine("fetching") for _ in range(2)]
    held.append(await scene.imagine("uploading"))
    slow = scene.discord.fault(discord_faults.Slow(5.0), on=ORIGINAL, about=held[-1], times=9)
    held += [await scene.imagine("painting") for _ in range(2)]
    await eventually(lambda: len(scene.tasks) == 7)
    await eventually(lambda: fetches.fired == 2 and slow.fired)
    # Eight of these are posted, the rest finds no hand free.
    scene.hiapi.fault(hiapi_faults.Pause(posting), on="create", times=99, match="posting")
    held += [await scene.imagine("posting") for _ in range(10)]
    for asked in held:
        await asked.acknowledged()
    scene.discord.fault(unheard, on=ACK, times=2)
    scene.discord.fault(discord_faults.Slow(2.0, after=True), on=ACK, times=1)
    for _ in range(3):
        await scene.imagine("received")

    def states() -> dict[str, int]:
        return dict(Counter(job["state"] for job in scene.jobs))

    expected = {"received", "queued", "submitting", "submitted", "settled"}
    await eventually(lambda: states().keys() == expected and sum(states().values()) == 20)
    assert {reply["delivery"] for reply in scene.replies} == {"open", "delivered"}
    return first, posting, fetching


@play
async def twenty_jobs_in_every_state_killed(scene):
    first, posting, fetching = await crowd(scene, unheard=discord_faults.Silence())
    await first.kill()
    posting.set()
    fetching.set()
    await scene.start(ahead=ABANDONED)
    await scene.delivered(seconds=60)


@play
async def twenty_jobs_in_every_state_stopped(scene):
    first, posting, fetching = await crowd(scene, unheard=discord_faults.Slow(2.0))
    fetching.set()
    # The posts hang until the grace is over.
    assert await first.stop() < 30
    posting.set()
    assert not scene.leaseholders  # neither of replies nor of jobs whose POST was cut
    finished = [reply for reply in scene.replies if reply["delivery"] == "delivered"]
    assert len(finished) >= 4
    assert not [reply for reply in finished if reply["token"]]
    second = await scene.start(ahead=ABANDONED)
    await scene.delivered(seconds=60)
    assert sum(map(scene.pictured, scene.asked)) == 20
    await second.stop()


# --- leaving in order, and two processes at once --------------------------------------------------


@play(paint=noise)
async def sigterm_finishes_an_upload(scene):
    first, asked = await uploading(scene, seconds=2.0, after=False)
    assert await first.stop() < 15
    assert scene.pictured(asked)
    assert not accounts.amiss(scene)


@play
async def a_start_after_sigterm_goes_on(scene):
    scene.hiapi.fault(hiapi_faults.Fate(pace=6), on="task")
    first = await scene.start()
    asked = await scene.imagine()
    await eventually(lambda: first.said("job.submitted"))
    assert await first.stop() < 15
    assert [job["state"] for job in scene.jobs] == ["submitted"]
    await scene.start()
    await scene.delivered()
    assert scene.pictured(asked)


@play
async def an_upgrade_with_two_processes(scene):
    """The new process starts before the old one stops: one acknowledges, nothing is done twice."""
    scene.hiapi.fault(hiapi_faults.Fate(pace=10), on="task", match="long", times=99)
    old = await scene.start()
    await scene.imagine("long before")
    await eventually(lambda: scene.tasks)
    new = await scene.start()
    for number in range(6):
        asked = await scene.imagine(f"long {number}" if number % 2 else f"short {number}")
        assert asked.reached == 2
    for asked in scene.asked:
        await asked.acknowledged()
    await eventually(lambda: len(scene.tasks) == 7)
    callbacks = scene.discord.counts
    answers = {status: n for (route, status), n in callbacks.items() if route.endswith("callback")}
    assert answers == {200: 7}
    # Whatever only the old one knows of, the new one must take over.
    await old.stop()
    await scene.delivered(seconds=60)
    assert sum(map(scene.pictured, scene.asked)) == 7
    assert await new.stop() < 15  # now all its lines are written
    sent = len(old.said("job.submitted")) + len(new.said("job.submitted"))
    assert sent == 7
    assert len(old.said("reply.delivered")) + len(new.said("reply.delivered")) == 7


@play
async def a_process_that_dies_beside_another(scene):
    """The one that lives finishes the work of the one that was killed, without a restart."""
    scene.hiapi.fault(hiapi_faults.Fate(pace=10), on="task", times=99)
    one = await scene.start()
    two = await scene.start()
    for _ in range(6):
        await scene.imagine()
    await eventually(lambda: len(one.said("job.submitted") + two.said("job.submitted")) == 6)
    await one.kill()
    await scene.delivered(seconds=60)


# --- what is too old ------------------------------------------------------------------------------


@play
async def a_key_past_its_life_is_never_sent_again(scene):
    scene.hiapi.fault(hiapi_faults.Drop(after=True), on="create")
    first = await scene.start(kill="after:resend_at")
    asked = await scene.imagine()
    await first.dies()
    second = await scene.start(ahead=DAY)
    await scene.quiet()
    assert scene.hiapi.tasks.requests["create"] == 1
    assert WORDS[Code.LOST].title in asked.text
    assert len(scene.messages()) == 1
    [told] = second.said("job.settled")
    assert (told["end"], told["code"]) == ("unknown", "lost")
    assert told["level"] in ("warning", "error")


@play
async def a_job_that_waited_too_long_is_not_sent(scene):
    first = await scene.start(kill="after:confirm")
    asked = await scene.imagine()
    await first.dies()
    await scene.start(ahead=3 * 3600, queue_max_age=7200)
    await scene.delivered()
    assert not scene.hiapi.tasks.requests["create"]
    assert scene.counted == 0
    assert WORDS[Code.EXPIRED].title in asked.text


# --- a start that cannot be -----------------------------------------------------------------------


async def refused(scene: Scene, sentence: str, *, code: int = 2) -> None:
    """The start fails with this sentence and leaves everything as it was."""
    before = scene.database.read_bytes()
    failed = await scene.spawn()
    assert await failed.ended() == code, failed.output
    assert sentence in failed.output
    said = [line for line in failed.output.splitlines() if not line.startswith("{")]
    assert len(said) == 1, failed.output
    assert "Traceback" not in failed.output
    assert scene.database.read_bytes() == before
    assert not scene.discord.gateway.identifies
    assert [path.name for path in scene.folder.iterdir() if "before" in path.name] == []


@play
async def a_newer_database(scene):
    with closing(sqlite3.connect(scene.database)) as conn, conn:
        conn.execute("UPDATE alembic_version SET version_num = '9999'")
    await refused(scene, "written by a newer version of Easel (migration 9999)")


@play
async def a_locked_database(scene):
    with closing(sqlite3.connect(scene.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await refused(scene, "DATABASE_URL cannot be opened: database is locked", code=1)


@play
async def a_database_that_may_only_be_read(scene):
    # The format's write version: a file above 2 is for reading, whoever opens it.
    with scene.database.open("r+b") as file:
        file.seek(18)
        file.write(b"\x03")
    await refused(scene, "DATABASE_URL cannot be opened: attempt to write a readonly database")


@play
async def discord_out_of_order_at_the_start(scene):
    down = scene.discord.fault(discord_faults.broken(), on="GET /users/@me", times=100)
    failed = await scene.spawn()
    assert await failed.ended() == 1, failed.output
    assert "Traceback" not in failed.output
    assert "Discord answers 503: try again later." in failed.output
    down.lift()
    await scene.start()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("title", PLAYS)
async def test_play(title, performed):
    await performed[title]
