"""The operator's commands as processes of their own, beside a bot that is at work.

They get the database's address and nothing else: no token and no key.
"""

import asyncio
import json
import os
import re
import resource
import shutil
import socket
import sqlite3
import sys
import zipfile
from contextlib import closing

import pytest

from bot import clock
from bot.ledger import schema
from bot.ledger.ledger import Ledger
from bot.operate import reach
from bot.operate.findings import Level
from bot.settings import Settings
from sandbox.wirecord.server import TOKEN
from tests.flow import fronts, process
from tests.flow.process import ROOT, eventually, free_port


@pytest.fixture
async def scene(tmp_path, empty_ledger):
    async with process.opened(tmp_path / "scene", ledger=empty_ledger) as opened:
        yield opened


async def easel(scene, *command, module=("bot",), largest=None, **changes):
    """Run a command; its status, and all that it printed. `largest`: bytes of a file it writes."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": f"sqlite:///{scene.database}",
        **changes,
    }
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *module, *command),
        cwd=scene.folder,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        preexec_fn=largest
        and (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))),
    )
    printed, _ = await asyncio.wait_for(running.communicate(), 60)
    return running.returncode, printed.decode()


async def pictured(scene):
    """A command that has its picture, and its job."""
    shown = await scene.imagine("a heron that can be shown")
    await eventually(lambda: scene.pictured(shown))
    await scene.delivered()
    return shown, scene.jobs[0]["id"]


async def test_the_doctor_sees_that_the_bot_runs_and_leaves_it_alone(scene):
    port = free_port()
    await scene.start(web_port=port)
    where = {"HIAPI_BASE_URL": scene.hiapi.base_url, "WEB_PORT": str(port), "NO_COLOR": "1"}
    where["ADMIN_PORT"] = "off"
    needed = {"DISCORD_TOKEN": TOKEN, "HIAPI_API_KEY": "sk-sandbox", "ALLOWED_SERVERS": "*"}
    doctor = ("sandbox.wirecord.launch", "--base", scene.discord.base, "doctor")
    status, printed = await easel(scene, module=doctor, **where, **needed)
    told = " ".join(printed.split())
    assert (status, f"runs on 127.0.0.1:{port} and is ready" in told) == (0, True), printed
    assert "Reached, whole and writable" in told


async def test_the_doctor_says_that_the_bot_is_halted(scene):
    await scene.start()
    await scene.imagine("a heron [quota]")
    await eventually(lambda: scene.rows("SELECT value FROM facts WHERE name = 'alarms'"))
    needed = {"DISCORD_TOKEN": TOKEN, "HIAPI_API_KEY": "sk-sandbox", "ALLOWED_SERVERS": "*"}
    where = {"HIAPI_BASE_URL": scene.hiapi.base_url, "WEB_PORT": "0", "ADMIN_PORT": "off"}
    doctor = ("sandbox.wirecord.launch", "--base", scene.discord.base, "doctor")
    status, printed = await easel(scene, module=doctor, **where, **needed, NO_COLOR="1")
    assert (status, "HiAPI is out of credit, since" in printed) == (1, True), printed


async def test_the_doctor_finds_the_running_bot_behind_its_proxy(scene, tmp_path):
    certificate = fronts.certified(tmp_path / "certificate")
    async with fronts.proxied(certificate) as proxy:
        proxy.target = free_port()
        read = Settings(
            discord_token=TOKEN,
            hiapi_api_key="sk-sandbox",
            allowed_servers={"*"},
            public_url=proxy.url,
            web_port=proxy.target,
            hiapi_webhook_secret="a-signing-key-that-nobody-guesses",
        )
        secret = read.hiapi_webhook_secret.get_secret_value()
        where = {"public_url": proxy.url, "web_port": proxy.target}
        await scene.start(**where, hiapi_webhook_secret=secret)
        found = await reach.check(
            read,
            clock=clock.system,
            trust=certificate.trusted,
            public=lambda _: True,
            running=True,
        )
    assert [each.level for each in found] == [Level.OK] * 3, found
    assert "the running bot" in found[0].what
    assert scene.jobs == []


async def test_an_erasure_that_somebody_stands_in_the_way_of_says_so(scene):
    await scene.start()
    shown, _ = await pictured(scene)
    with closing(sqlite3.connect(scene.database, isolation_level=None)) as reader:
        # A long look at the database keeps its log of changes from being emptied.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM jobs").fetchone()
        status, printed = await easel(scene, "erase", "--user", str(shown.user_id), "--yes")
    assert (status, "Run this once more" in printed) == (1, True), printed
    status, printed = await easel(scene, "erase", "--user", str(shown.user_id), "--yes")
    assert (status, "Replies: 0;" in printed) == (0, True), printed
    left = b"".join(each.read_bytes() for each in scene.folder.glob("easel.db*"))
    assert b"a heron" not in left


async def test_looking_and_helping_while_the_bot_works(scene):
    await scene.start()
    shown, job = await pictured(scene)
    status, printed = await easel(scene, "jobs", "list")
    assert (status, job in printed, "pictures" in printed) == (0, True, True), printed
    assert max(map(len, printed.splitlines())) <= 80
    status, printed = await easel(scene, "jobs", "show", job[:6].upper())
    assert (status, "delivered" in printed) == (0, True), printed
    assert "a heron" not in printed
    assert re.search(r"^Price +unknown *$", printed, re.MULTILINE), printed
    for command in (("list",), ("show", job)):
        [told] = json.loads((await easel(scene, "jobs", *command, "--json"))[1])
        assert (told["job"], told["state"], told["outcome"]) == (job, "settled", "pictures")
        assert "a heron" not in str(told)
    assert "a heron" in (await easel(scene, "jobs", "show", job, "--prompt"))[1]
    assert (await easel(scene, "jobs", "list", "--state", "queued"))[1] == "No job is like that.\n"
    status, printed = await easel(scene, "jobs", "requeue", job)
    assert (status, "shown already" in printed) == (1, True), printed
    assert (await easel(scene, "jobs", "requeue", "22222222"))[0] == 1

    # A reply that could not be shown is shown after all, by the running bot, and not made again.
    with closing(sqlite3.connect(scene.database)) as conn:
        conn.execute("UPDATE replies SET delivery = 'undeliverable'")
        conn.commit()
    before = len(shown.message.edits)
    status, printed = await easel(scene, "jobs", "requeue", job)
    assert (status, "open again" in printed) == (0, True), printed
    await eventually(lambda: len(shown.message.edits) > before)
    await scene.quiet()
    assert scene.replies[0]["delivery"] == "delivered"
    assert len(scene.tasks) == 1


async def test_copying_handing_out_and_erasing_while_the_bot_works(scene):
    await scene.start()
    shown, job = await pictured(scene)

    # A copy, without tokens.
    status, printed = await easel(scene, "backup", "copy.db")
    assert (status, "copy.db" in printed) == (0, True), printed
    with closing(sqlite3.connect(scene.folder / "copy.db")) as conn:
        assert conn.execute("SELECT id FROM jobs").fetchall() == [(job,)]
        assert conn.execute("SELECT count(token) FROM replies").fetchone() == (0,)
    assert (await easel(scene, "backup", "copy.db"))[0] == 1

    kept = [each for each in (scene.folder / "data" / "kept").rglob("*") if each.is_file()]
    assert len(kept) == 1

    # Everything of a person, handed out and erased.
    user = str(shown.user_id)
    status, printed = await easel(scene, "export", "--user", user, largest=40_000)
    assert (status, "cannot be written: File too large" in printed) == (1, True), printed
    assert not (scene.folder / f"easel-{user}.zip").exists()
    status, printed = await easel(scene, "export", "--user", user)
    assert (status, "4 records, 1 files" in printed) == (0, True), printed
    assert (await easel(scene, "export", "--user", user))[0] == 1, "it is there already"
    with zipfile.ZipFile(scene.folder / f"easel-{user}.zip") as packed:
        assert packed.read(f"originals/{job}.png") == next(iter(kept)).read_bytes()
        lines = [json.loads(line) for line in packed.read("easel.jsonl").splitlines()]
    assert [line["record"] for line in lines] == [
        *("about", "replies", "jobs", "spending", "spending")
    ]
    status, printed = await easel(scene, "erase", "--user", user)
    assert (status, scene.jobs[0]["user_id"]) == (1, shown.user_id), "it asks first"
    assert re.search(r"\(requests since \d{4}-\d\d-\d\d: 1; pictures: 1\)\?", printed), printed
    status, printed = await easel(scene, "erase", "--user", user, "--yes")
    assert (status, "Replies: 1; jobs: 1," in printed) == (0, True), printed
    assert not any(each.exists() for each in kept)
    left = b"".join(each.read_bytes() for each in scene.folder.glob("easel.db*"))
    assert b"a heron" not in left
    assert scene.counted == 1

    # The bot works on as if nothing had been.
    again = await scene.imagine("a second heron")
    await eventually(lambda: scene.pictured(again))


async def refused(scene, **circumstances):
    """What the running bot says to the next ask."""
    asked = await scene.imagine("a heron", **circumstances)
    return (await asked.shown()).text


async def test_a_person_is_blocked_while_the_bot_works_and_the_block_is_lifted(scene):
    await scene.start(allow_dms=True)
    shown, _ = await pictured(scene)
    who = ("--user", str(shown.user_id))
    assert (await easel(scene, "blocks")) == (0, "Nobody is blocked.\n")
    status, printed = await easel(scene, "block", *who)
    assert status == 0
    assert printed.startswith(f"The person {shown.user_id} is blocked until you lift it, from")
    said = await refused(scene)
    assert said.startswith(
        "**The people who run this bot have blocked you.**\nAsk the people who run"
    )
    assert await refused(scene, guild=None) == said, "everywhere, in direct messages too"
    assert scene.counted == 1
    status, printed = await easel(scene, "blocks")
    assert (status, f"person {shown.user_id}" in printed) == (0, True), printed

    # A shorter word takes the place of the first one, and says why.
    _, printed = await easel(scene, "block", *who, "--hours", "3", "--reason", "w" * 201)
    assert re.search(r"is blocked until \d{4}-\d\d-\d\d \d\d:\d\d UTC,", printed), printed
    assert "The reason was cut to 200 characters." in printed
    await easel(scene, "block", *who, "--hours", "3", "--reason", "too much at once")
    said = await refused(scene)
    assert said.startswith("**The people who run this bot have blocked you until <t:")
    assert said.endswith("\nReason: too much at once")
    assert "  2 h  " in (await easel(scene, "blocks"))[1]
    [told] = json.loads((await easel(scene, "blocks", "--json"))[1])
    assert (told["person"], told["reason"]) == (str(shown.user_id), "too much at once")

    status, printed = await easel(scene, "unblock", *who)
    assert (status, printed.startswith("Lifted.")) == (0, True), printed
    status, printed = await easel(scene, "unblock", *who)
    assert (status, "There is no such block" in printed) == (1, True), printed
    again = await scene.imagine("a second heron")
    await eventually(lambda: scene.pictured(again))


async def test_a_whole_server_is_blocked_and_another_one_is_not(scene):
    await scene.start()
    shown, _ = await pictured(scene)
    server = str(scene.replies[0]["guild_id"])
    assert (await easel(scene, "block", "--server", server))[0] == 0
    assert (await refused(scene)).startswith(
        "**The people who run this bot have blocked this server.**"
    )
    assert (await refused(scene, user=shown.user_id + 1)).startswith("**The people who run")
    elsewhere = await scene.imagine("a second heron", guild=int(server) + 1, channel=77)
    await eventually(lambda: scene.pictured(elsewhere))
    assert f"server {server}" in (await easel(scene, "blocks"))[1]
    await easel(scene, "block", "--server", server, "--hours", "1", "--reason", "a break")
    said = await refused(scene)
    assert said.startswith("**The people who run this bot have blocked this server until <t:")
    assert said.endswith("\nReason: a break")
    assert (await easel(scene, "unblock", "--server", server))[0] == 0
    again = await scene.imagine("a third heron")
    await eventually(lambda: scene.pictured(again))


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ((), "Give either --user or --server."),
        (("--user", "7", "--server", "8"), "Give either --user or --server."),
        (("--user", "0"), "greater than or equal to 1"),
        (("--user", "9223372036854775808"), "less than or equal to"),
    ],
    ids=["nobody", "both", "zero", "huge"],
)
async def test_whom_a_block_is_for_must_be_said(scene, options, part):
    for command in ("block", "unblock"):
        status, printed = await easel(scene, command, *options, NO_COLOR="1")
        assert (status, part in " ".join(printed.split())) == (2, True), printed
    assert (await easel(scene, "block", "--user", "7", "--hours", "0"))[0] == 2
    assert await easel(scene, "blocks") == (0, "Nobody is blocked.\n")


@pytest.mark.parametrize("user", ["99999999999999999999999", "-5"])
async def test_an_id_that_is_none_is_refused_in_words(scene, user):
    for command in (("jobs", "list"), ("export",), ("erase", "--yes")):
        status, printed = await easel(scene, *command, "--user", user, NO_COLOR="1")
        assert (status, "Traceback" in printed) == (2, False), printed
        assert "Invalid value for" in printed


async def test_nothing_is_handed_out_or_erased_of_somebody_who_is_not_known(scene):
    said = "Nothing is kept about 7: is the id right?\n"
    assert await easel(scene, "export", "--user", "7") == (1, said)
    assert not (scene.folder / "easel-7.zip").exists()
    assert await easel(scene, "erase", "--user", "7") == (0, said)


async def test_a_stuck_job_is_given_up_and_its_card_says_so(scene):
    await scene.start()
    asked = await scene.imagine("a heron [forever]")
    await eventually(lambda: [row for row in scene.jobs if row["task_id"]])
    job = scene.jobs[0]["id"]
    status, printed = await easel(scene, "jobs", "requeue", job)
    assert (status, "HiAPI is at work" in printed) == (1, True), printed
    status, printed = await easel(scene, "jobs", "give-up", job, "--words", "it hangs")
    assert (status, "unknown" in printed) == (0, True), printed
    await eventually(lambda: scene.replies[0]["delivery"] == "delivered")
    assert json.loads(scene.jobs[0]["outcome"])["detail"] == "it hangs"
    assert "Nobody knows" in asked.message.text
    assert (await easel(scene, "jobs", "give-up", job))[0] == 1


async def test_commands_on_no_database_an_old_one_and_a_wrong_address(scene):
    status, printed = await easel(scene, "jobs", "list", DATABASE_URL="sqlite:///none.db")
    assert (status, f"no database at {scene.folder / 'none.db'}." in printed) == (2, True), printed
    assert "start it once" in printed
    assert not (scene.folder / "none.db").exists()
    with closing(sqlite3.connect(scene.database)) as conn:
        conn.execute("UPDATE alembic_version SET version_num = '0001'")
        conn.commit()
    status, printed = await easel(scene, "jobs", "list")
    assert (status, "bot migrate" in printed) == (2, True), printed
    address = f"postgresql://easel:hunter-two@127.0.0.1:{free_port()}/easel"
    status, printed = await easel(scene, "jobs", "list", DATABASE_URL=address)
    assert (status, "hunter-two" in printed, "Traceback" in printed) == (2, False, False), printed
    status, printed = await easel(scene, "backup", "copy.db", DATABASE_URL=address)
    assert (status, "--file=easel.dump easel'" in printed) == (2, True), printed
    assert "hunter-two" not in printed
    assert "$" not in printed, "the shell does not know what stands in .env"
    status, printed = await easel(scene, "jobs", "list", DATABASE_URL="mysql://host/easel")
    assert (status, printed.startswith("DATABASE_URL")) == (2, True), printed


async def test_no_bot_is_started_under_a_limit_in_dollars_that_would_not_hold(scene):
    needed = {"DISCORD_TOKEN": TOKEN, "HIAPI_API_KEY": "sk-sandbox", "ALLOWED_SERVERS": "*"}
    caps = {"BOT_CAPS": "$0.05/month", "PRICES": "gpt-image-2@1K=0.04"}
    status, printed = await easel(scene, "run", **needed, **caps)
    assert (status, printed.count("\n")) == (2, 1), printed
    assert (
        "BOT_CAPS names dollars, but PRICES does not say what costs gpt-image-2-pro@1K" in printed
    )
    assert "set limits in pictures" in printed


async def test_a_name_that_is_no_setting_is_said_at_the_start(scene):
    (scene.folder / ".env").write_text("DAILY_LIMIT=5\nEASEL_DOMAIN=easel.example\n")
    bot = await scene.start()
    assert [line["name"] for line in bot.said("settings.unknown")] == ["DAILY_LIMIT"]


async def test_a_start_that_may_succeed_later_ends_with_1_and_is_tried_again(scene):
    """deploy/easel.service starts it again after 1 and not after 2."""
    needed = {"DISCORD_TOKEN": TOKEN, "HIAPI_API_KEY": "sk-sandbox", "ALLOWED_SERVERS": "*"}
    address = f"postgresql://easel:hunter-two@127.0.0.1:{free_port()}/easel"
    status, printed = await easel(scene, "run", **needed, DATABASE_URL=address)
    assert (status, printed.count("\n")) == (1, 1), printed
    assert "DATABASE_URL cannot be opened" in printed
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        status, printed = await easel(scene, "run", **needed, WEB_PORT=port, ADMIN_PORT="off")
    assert (status, "cannot be listened on" in printed) == (1, True), printed
    elsewhere = {"WEB_HOST": "no-such-host.invalid", "ADMIN_PORT": "off"}
    status, printed = await easel(scene, "run", **needed, **elsewhere)
    assert (status, "cannot be listened on" in printed) == (2, True), printed


async def test_migrate_asks_for_no_token_and_no_key(scene):
    for said in (f"The database was made, at {schema.HEAD}.", "The database is up to date."):
        status, printed = await easel(scene, "migrate", DATABASE_URL="sqlite:///new/easel.db")
        assert (status, printed.splitlines()[-1]) == (0, said), printed
    async with Ledger(f"sqlite:///{scene.folder / 'new' / 'easel.db'}", as_it_is=True):
        pass


async def test_a_copy_put_in_place_of_the_database_goes_on_from_there(tmp_path, empty_ledger):
    """As docs/operate.md says it, after the worst end that a process can come to."""
    pace = {"seconds": (0.1, 0.3, 0.1)}
    options = {"ledger": empty_ledger, "seconds": lambda: pace["seconds"]}
    async with process.opened(tmp_path / "scene", **options) as scene:
        bot = await scene.start()
        await pictured(scene)
        pace["seconds"] = (0.1, 5.0, 0.1)
        waiting = await scene.imagine("a heron under way")
        await eventually(lambda: any(job["task_id"] for job in scene.jobs[1:]))
        status, printed = await easel(scene, "backup", "copy.db")
        assert status == 0, printed
        assert not scene.pictured(waiting), "the copy is of a moment when it was under way"
        await scene.delivered()
        pace["seconds"] = (0.1, 0.3, 0.1)
        later = await scene.imagine("a heron that the copy does not know")
        await eventually(lambda: scene.pictured(later))
        await bot.kill()
        assert (scene.folder / "easel.db-wal").stat().st_size > 0

        for path in scene.folder.glob("easel.db*"):
            path.rename(scene.folder / f"set-aside-{path.name}")
        shutil.copy(scene.folder / "copy.db", scene.database)
        assert [job["state"] for job in scene.jobs] == ["settled", "submitted"]
        await scene.start()
        await scene.quiet()
        assert [job["state"] for job in scene.jobs] == ["settled", "settled"]
        assert [reply["delivery"] for reply in scene.replies] == ["delivered", "delivered"]
        assert scene.pictured(waiting)
        assert len(scene.tasks) == 3, "nothing is made again"
        again = await scene.imagine("a heron on the restored ledger")
        await eventually(lambda: scene.pictured(again))
