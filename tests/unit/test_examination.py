"""What the doctor says of settings, clocks, databases and disks, and how it says it."""

import json
import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from rich.console import Console

from bot.ledger import schema
from bot.ledger.desk import Entry
from bot.ledger.ledger import Ledger
from bot.ledger.servers import ALL, EVERYWHERE, Block
from bot.model import Delivery, End, State
from bot.operate import clocks, configuration, doctor, findings, storage, tables
from bot.operate.findings import Level
from bot.settings import Settings, SettingsError
from tests import build

NOW = build.NOW
PRICES = (
    "gpt-image-2-pro@1K=0.04, gpt-image-2-pro@2K=0.08, "
    "gpt-image-2-image-to-image-pro@1K=0.04, gpt-image-2-image-to-image-pro@2K=0.08, "
    "gpt-image-2/text-to-image@1K=0.02, gpt-image-2/text-to-image@2K=0.04, "
    "gpt-image-2/image-to-image@1K=0.02, gpt-image-2/image-to-image@2K=0.04"
)
NOWHERE = Path("/proc/nowhere")  # not even root makes a folder there


def settings(**changes):
    needed = {
        "discord_token": "discord-token-of-a-bot",
        "hiapi_api_key": "sk-key-of-an-account",
        "allowed_servers": {"1"},
    }
    return Settings(**needed | changes)


# Settings -----------------------------------------------------------------------------------


def configured(*, env_file=NOWHERE, contained=False, **changes):
    return configuration.check(settings(**changes), env_file=env_file, contained=contained)


def test_what_goes_together_is_ok():
    [found] = configured()
    assert found.level is Level.OK
    public = {"public_url": "https://easel.example", "web_host": "0.0.0.0"}  # noqa: S104
    [found] = configured(contained=True, **public)
    assert found.level is Level.OK


@pytest.mark.parametrize(
    ("changes", "level", "part"),
    [
        ({"hiapi_poll_every": 1.0}, Level.ERROR, "60 of the 60 requests"),
        ({"hiapi_poll_every": 2.0}, Level.WARNING, "30 of the 60 requests"),
        ({"hiapi_requests_per_minute": 12}, Level.ERROR, "12 of the 12 requests"),
        ({"bot_caps": "0/day"}, Level.WARNING, "nobody gets a picture"),
        ({"allowed_servers": {"*"}, "bot_caps": "500/day"}, Level.WARNING, "500 pictures a day"),
        ({"allowed_servers": {"*"}, "bot_caps": ""}, Level.WARNING, "without an end"),
        ({"bot_caps": "9/day, $1/day"}, Level.ERROR, "BOT_CAPS names dollars, but PRICES"),
        ({"member_caps": "$1/month"}, Level.ERROR, "MEMBER_CAPS names dollars, but PRICES"),
        (
            {"outsider_caps": "$1/day", "prices": PRICES.replace("gpt-image-2-pro@2K", "a@2K")},
            *(Level.ERROR, "does not say what costs gpt-image-2-pro@2K."),
        ),
        ({"prices": f"{PRICES}, gpt-image-2@1K=0.04"}, Level.WARNING, "gpt-image-2@1K, which"),
        ({"prices": "gpt-image-2-pro@3K=0.04"}, Level.WARNING, "gpt-image-2-pro@3K, which"),
        ({"confirm_above": "0.5"}, Level.WARNING, "CONFIRM_ABOVE is given, but PRICES"),
        (
            {"confirm_above": "0.32", "prices": PRICES},
            Level.WARNING,
            "at most $0.32",
        ),
        ({"refusals_pause_after": 51}, Level.WARNING, "FAILED_PER_DAY stops a person before"),
        ({"public_url": "https://e.example", "web_port": 0}, Level.ERROR, "WEB_PORT is 0"),
        ({"web_port": 9000, "admin_port": 9000}, Level.ERROR, "are both 9000"),
        (
            {"web_port": 9000, "admin_port": 9000, "web_host": "0.0.0.0"},  # noqa: S104
            *(Level.ERROR, "are both 9000"),
        ),
        ({"hiapi_trusted_hosts": {"10.0.0.1"}}, Level.WARNING, "private addresses"),
    ],
)
def test_what_does_not_go_together_is_named_with_its_fix(changes, level, part):
    found = next(each for each in configured(**changes) if part in each.what)
    assert found.level is level
    assert found.fix


def test_a_question_that_may_come_and_a_pause_that_may_come_are_fine():
    [found] = configured(confirm_above="0.31", prices=PRICES, refusals_pause_after=50)
    assert found.level is Level.OK


def test_a_limit_in_dollars_holds_once_all_that_can_be_asked_for_has_its_price():
    [found] = configured(bot_caps="$5/month", prices=PRICES)
    assert found.level is Level.OK
    alone = {"imagine_successor": "", "remix_successor": ""}
    pro = ", ".join(each for each in PRICES.split(", ") if "/" not in each)
    [found] = configured(bot_caps="$5/month", prices=pro.lower(), **alone)
    assert found.level is Level.OK, "1k is 1K"
    assert configuration.unpriced(settings(bot_caps="$5/month", prices=pro))
    larger = configuration.unpriced(
        settings(bot_caps="$5/month", prices=PRICES, imagine_model="gpt-image-2/text-to-image")
    )
    assert larger.endswith(
        "what costs gpt-image-2/text-to-image@4K, gpt-image-2/image-to-image@4K."
    )


def test_every_server_with_a_low_limit_and_a_bare_loopback_are_fine():
    assert configured(allowed_servers={"*"})[0].level is Level.OK
    apart = {"web_port": 9000, "admin_port": 9000, "web_host": "127.0.0.2"}
    assert configured(**apart)[0].level is Level.OK
    assert configured(public_url="https://e.example")[0].level is Level.OK
    [found] = configured(public_url="https://e.example", contained=True)
    assert (found.level, found.fix) == (Level.WARNING, "WEB_HOST=0.0.0.0")


def test_a_file_of_secrets_that_others_may_read_and_a_slip_of_the_pen(tmp_path):
    env_file = tmp_path / ".env"
    env_file.write_text(
        "WEBPORT=9000\nPOSTGRES_PASSWORD=x\nEASEL_DOMAIN=x\nlog_level=INFO\nDAILY_LIMIT=5\n"
    )
    env_file.chmod(0o644)
    readable, slip, strange = configured(env_file=env_file)
    assert readable.fix == "chmod 600 .env"
    assert (slip.what, slip.fix) == (
        "WEBPORT in .env is no setting of Easel, and does nothing.",
        "Did you mean WEB_PORT?",
    )
    assert strange.what.startswith("DAILY_LIMIT in .env is no setting")
    assert "delete the line" in strange.fix


def test_what_is_missing_is_to_be_given_and_what_is_wrong_to_be_corrected():
    wrong = SettingsError(
        "", (("WEB_PORT", "takes a whole number"), ("DISCORD_TOKEN", "is missing"))
    )
    port, token = configuration.unreadable(wrong)
    assert port.fix.startswith("Correct it")
    assert token.fix.startswith("Give it")
    [file] = configuration.unreadable(SettingsError(".env is no text.", fix="Save it."))
    assert (file.what, file.fix) == (".env is no text.", "Save it.")


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({}, Level.OK),
        ({"public_url": "https://e.example"}, Level.WARNING),
        ({"hiapi_webhook_secret": "0123456789abcdef"}, Level.WARNING),
        ({"hiapi_webhook_secret": "a" * 64}, Level.WARNING),
        ({"hiapi_webhook_secret": "0123456789abcdef" * 4}, Level.OK),
        (
            {"hiapi_webhook_secret": "0123456789abcdef" * 4, "public_url": "https://e.example"},
            Level.OK,
        ),
    ],
)
def test_a_webhook_secret_is_weighed(changes, level):
    [found] = configuration.webhook_secret(settings(**changes))
    assert found.level is level
    secret = changes.get("hiapi_webhook_secret")
    assert not secret or secret not in found.what + found.fix


# Clock --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("off", "level", "part"),
    [
        (0, Level.OK, "Within 1 s"),
        (-29, Level.OK, "Within"),
        (40, Level.WARNING, "40 s ahead of HiAPI's"),
        (-90, Level.WARNING, "90 s behind HiAPI's"),
        (241, Level.ERROR, "callbacks are refused"),
        (-3600, Level.ERROR, "3600 s behind"),
    ],
)
def test_a_clock_is_compared_with_the_servers(off, level, part):
    told = format_datetime(NOW - timedelta(seconds=off), usegmt=True)
    after = NOW + timedelta(seconds=1)
    [found] = clocks.check(told, before=NOW, after=after, by="HiAPI")
    assert (found.level, part in found.what) == (level, True), found


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_a_server_without_a_date_is_no_error(date):
    [found] = clocks.check(date, before=NOW, after=NOW, by="HiAPI")
    assert found.level is Level.WARNING


# Database and disk --------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "easel.db"
    Ledger(f"sqlite:///{path}").migrate()
    return path


def database(path):
    return storage.check_database(f"sqlite:///{path}", seconds=5)


def change(path, *statements):
    with closing(sqlite3.connect(path)) as conn:
        for statement in statements:
            conn.execute(statement)
        conn.commit()


def test_a_good_database_is_reached_and_current(path):
    assert [(each.name, each.level) for each in database(path)] == [
        (storage.DATABASE, Level.OK),
        (storage.MIGRATIONS, Level.OK),
    ]
    assert "whole and writable" in database(path)[0].what


@pytest.mark.parametrize(
    ("version", "part", "fix"),
    [("0001", f"needs {schema.HEAD}", "bot migrate"), ("9999", "newer Easel", "that version")],
)
def test_an_older_and_a_newer_database_are_told_apart(path, version, part, fix):
    change(path, f"UPDATE alembic_version SET version_num = '{version}'")  # noqa: S608 - ours
    found = database(path)[-1]
    assert found.level is Level.ERROR
    assert part in found.what
    assert fix in found.fix
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("SELECT version_num FROM alembic_version").fetchone() == (version,)


def test_a_damaged_database_and_one_that_is_none(path, tmp_path):
    torn = bytearray(path.read_bytes())
    torn[8192:40_960] = b"\xa5" * (40_960 - 8192)
    path.write_bytes(torn)
    assert database(path)[0].level is Level.ERROR
    other = tmp_path / "other.db"
    other.write_text("not a database at all, but long enough to be looked at" * 100)
    [found] = database(other)
    assert (found.level, "not a database" in found.what) == (Level.ERROR, True)
    assert found.fix == storage.CHECK_FILE
    [found] = database(tmp_path)
    assert (found.level, found.what) == (Level.ERROR, f"{tmp_path} is a folder.")


def test_a_database_that_others_may_open(path):
    path.chmod(0o644)
    assert database(path)[0].fix == f"chmod 600 {path}"


def test_a_database_in_use_is_fine(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("BEGIN IMMEDIATE")
        assert database(path)[0].level is Level.OK


def test_a_database_that_may_only_be_read(path):
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA journal_mode=DELETE")
    path.chmod(0o400)
    read_only = storage.check_database(f"sqlite:///{path}", seconds=5)
    if os.geteuid():
        assert read_only[0].level is Level.ERROR
    else:  # root may write everything
        assert "not WAL" in read_only[0].what


def test_what_is_not_there_yet_can_be_made_or_not(tmp_path):
    [found] = database(tmp_path / "data" / "easel.db")
    assert (found.level, "first start" in found.what) == (Level.OK, True)
    assert not (tmp_path / "data").exists()
    [found] = database(NOWHERE / "easel.db")
    assert (found.level, "cannot be made" in found.what) == (Level.ERROR, True)


def test_the_disks_of_the_database_and_the_kept_files(tmp_path):
    url = f"sqlite:///{tmp_path / 'easel.db'}"
    [found] = storage.check_disk(url, keep_folder=tmp_path)
    assert (found.level, "GiB free" in found.what) == (Level.OK, True)
    good, bad = storage.check_disk(url, keep_folder=NOWHERE)
    assert (good.level, bad.level) == (Level.OK, Level.ERROR)
    assert storage.check_disk("postgresql://host/easel", keep_folder=None) == []


@pytest.mark.parametrize(
    ("free", "level"),
    [(2 * 1024**3, Level.OK), (500 * 1024**2, Level.WARNING), (1024, Level.ERROR)],
)
def test_little_room_is_said(free, level):
    found = storage._room(Path("data"), free)
    assert found.level is level
    assert "0.0" not in found.what


def test_a_postgresql_that_is_not_there_is_said_without_its_password():
    [found] = storage.check_database("postgresql://easel:hunter-two@127.0.0.1:1/easel", seconds=2)
    assert (found.level, found.fix) == (Level.ERROR, storage.CHECK_SERVER)
    assert "hunter-two" not in found.what
    assert found.what.endswith("accepting TCP/IP connections?")


# The table ----------------------------------------------------------------------------------

LONG = "a-long-host-name." * 12 + "example"
FOUND = [
    findings.ok("Settings", "Complete."),
    findings.warning("PUBLIC_URL", f"{LONG} [bold]has[/bold] \x1b[31msk-secret", "Wait."),
    findings.error("Database", "It is damaged.", "Restore a copy."),
]


def printed(**options):
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - a device
        out = Console(file=nowhere, record=True, markup=False, highlight=False, **options)
        out.print(tables.examined(FOUND, secrets={"sk-secret"}))
        return out.export_text(styles=bool(options.get("force_terminal")))


def test_the_table_fits_80_columns_and_loses_nothing():
    text = printed(width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert LONG in "".join(text.split()), "folded, not cut"
    assert "-> Restore a copy." in text


def test_no_secret_and_no_control_character_is_printed():
    text = printed(width=80)
    assert "sk-secret" not in text
    assert "\x1b" not in text
    assert "[bold]has[/bold]" in text.replace("\n", ""), "text is text and no markup"


def test_scripts_get_json_and_a_status():
    told = json.loads(tables.as_json(FOUND, secrets={"sk-secret"}))
    assert [each["level"] for each in told] == ["ok", "warning", "error"]
    assert "sk-secret" not in str(told)
    assert doctor.status(FOUND) == 1
    assert doctor.status(FOUND[:2]) == 0
    assert tables.summary(FOUND) == "1 ok, 1 warning, 1 error"


def test_a_secret_that_holds_another_is_hidden_whole():
    told = tables.clean("it is secret-longer", secrets={"secret", "secret-longer"})
    assert told == "it is [hidden]"


def test_the_widest_blocks_fit_80_columns_with_whole_ids():
    widest = 2**63 - 1
    found = [
        Block(EVERYWHERE, widest, "w" * 200 + "\x1b[31m", NOW + timedelta(days=365)),
        Block(widest, ALL, "[bold]", None),
    ]
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - a device
        out = Console(file=nowhere, record=True, markup=False, width=80)
        out.print(tables.blocks(found, now=NOW))
        text = out.export_text()
    assert max(map(len, text.splitlines())) <= 80
    assert f"person {widest}" in text
    assert f"server {widest}" in text
    assert "until lifted" in text
    assert text.count("w") >= 200
    assert "\x1b" not in text
    assert "[bold]" in text


def test_the_widest_jobs_fit_80_columns_with_whole_ids():
    reply = build.reply(user_id=2**63 - 1, now=NOW - timedelta(minutes=119))
    cancelled = build.failure(end=End.CANCELLED)
    [job] = reply.evolve(
        jobs=tuple(
            each.evolve(state=State.SUBMITTING, outcome=cancelled, user_id=2**63 - 1)
            for each in reply.jobs
        )
    ).jobs
    entry = Entry(
        job=job,
        delivery=Delivery.UNDELIVERABLE,
        private=False,
        guild_id=None,
        trouble="no way \x1b[31m",
        due_at=NOW,
        lease_owner=None,
        lease_until=None,
    )
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - a device
        out = Console(file=nowhere, record=True, width=80)
        out.print(tables.jobs([entry], now=NOW))
        out.print(tables.job(entry, now=NOW, prompt=False))
        text = out.export_text()
    assert max(map(len, text.splitlines())) <= 80
    for whole in (job.id, job.reply_id, str(2**63 - 1), "undeliverable", "submitting", "119 min"):
        assert whole in text, whole
    assert "\x1b" not in text
    assert job.request.prompt not in text
    assert " cancelled, " in text
    [told] = json.loads(tables.jobs_json([entry]))
    assert (told["job"], told["person"], told["outcome"]) == (job.id, str(2**63 - 1), "cancelled")
    assert job.request.prompt not in str(told)
