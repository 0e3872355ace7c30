"""The doctor against stand-ins on real sockets: each thing that can be wrong, and nothing wrong."""

import asyncio
import json
import os
import socket
import sys
from contextlib import asynccontextmanager, closing
from email.utils import formatdate
from time import time

import aiohttp
import pytest
from aiohttp import web

from bot import clock, version
from bot.operate import alarming, discord_side, doctor, hiapi_side, listener, reach, trial
from bot.operate.findings import Level
from bot.settings import Settings
from sandbox import painter
from sandbox.hiapi import StandIn
from sandbox.wirecord import launch, server
from tests.flow import fronts
from tests.flow.process import ROOT, free_port
from tests.flow.test_alarms import webhook

SECRET = "a-signing-key-that-nobody-guesses-0123456789"
PASSWORD = "hunter-two-hunter-two"
PNG = painter.paint(painter.PaintJob(prompt="a pebble", aspect_ratio="1:1"))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return fronts.certified(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
async def hiapi():
    options = {"seconds": (0.1, 0.3, 0.1), "paint": lambda _: PNG, "webhook_secret": SECRET}
    async with StandIn(**options) as running:
        yield running


@pytest.fixture
async def discord():
    async with server.Wirecord() as running:
        yield running


def settings(**changes):
    needed = {
        "discord_token": server.TOKEN,
        "hiapi_api_key": "sk-sandbox",
        "allowed_servers": {"*"},
        "web_port": free_port(),
        "admin_port": None,
        "hiapi_webhook_secret": SECRET,
    }
    return Settings(**needed | changes)


def rows(found):
    return {each.name: each for each in found}


# HiAPI --------------------------------------------------------------------------------------


async def asked_hiapi(certificate, **changes):
    return rows(
        await hiapi_side.check(settings(**changes), clock=clock.system, trust=certificate.trusted)
    )


async def test_a_good_key_costs_nothing_to_check(hiapi, certificate):
    found = await asked_hiapi(certificate, hiapi_base_url=hiapi.base_url)
    assert {name: each.level for name, each in found.items()} == {
        "HiAPI key": Level.OK,
        "Request limit": Level.OK,
        "Clock": Level.OK,
    }
    assert hiapi.tasks.all == ()
    assert dict(hiapi.tasks.requests) == {"list": 1}


async def test_a_wrong_key_and_a_limit_that_is_lower_than_ours(hiapi, certificate):
    found = await asked_hiapi(
        certificate, hiapi_base_url=hiapi.base_url, hiapi_api_key="sk-another-key"
    )
    assert found["HiAPI key"].level is Level.ERROR
    assert "console" in found["HiAPI key"].fix
    found = await asked_hiapi(
        certificate, hiapi_base_url=hiapi.base_url, hiapi_requests_per_minute=600
    )
    assert found["Request limit"].fix == "HIAPI_REQUESTS_PER_MINUTE=60"


async def test_a_dead_port_and_something_that_is_no_hiapi(discord, certificate):
    found = await asked_hiapi(certificate, hiapi_base_url=f"http://127.0.0.1:{free_port()}")
    assert found["HiAPI key"].level is Level.ERROR
    assert "cannot be reached" in found["HiAPI key"].what
    found = await asked_hiapi(certificate, hiapi_base_url=discord.origin)
    assert found["HiAPI key"].level is not Level.OK


@pytest.mark.parametrize(("off", "level"), [(0, "ok"), (60, "warning"), (-400, "error")])
async def test_a_clock_that_is_off_is_found_by_the_date(certificate, off, level):
    async def listed(_request):
        headers = {"Date": formatdate(time() - off, usegmt=True)}
        return web.json_response({"code": 200, "data": {"tasks": []}}, headers=headers)

    runner = web.ServerRunner(web.Server(listed))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        found = await asked_hiapi(certificate, hiapi_base_url=base)
    finally:
        await runner.cleanup()
    assert found["Clock"].level == level


# Discord ------------------------------------------------------------------------------------


@asynccontextmanager
async def portal(discord, **told):
    """Discord's stand-in, but for these answers; names are the paths, with _ for each slash."""

    async def handle(request):
        name = request.path.removeprefix("/").replace("/", "_").replace("@", "")
        async with (
            aiohttp.ClientSession() as session,
            session.get(discord.base + request.path, headers=request.headers) as answer,
        ):
            status, said = answer.status, await answer.json()
        if name in told:
            status, said = 200, said | told[name] if status == 200 else told[name]
        # Discord names no charset, and discord.py looks closely.
        headers = {"Content-Type": "application/json"}
        return web.Response(status=status, body=json.dumps(said).encode(), headers=headers)

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        with launch.aimed(f"http://127.0.0.1:{runner.addresses[0][1]}"):
            yield
    finally:
        await runner.cleanup()


async def asked_discord(**changes):
    return rows(await discord_side.check(settings(**changes), clock=clock.system))


async def test_a_good_token_names_its_bot(discord):
    with launch.aimed(discord.base):
        found = await asked_discord()
    assert {name: each.level for name, each in found.items()} == dict.fromkeys(
        ("Discord token", "Intents", "Application", "Clock"), Level.OK
    )
    assert str(server.APPLICATION) in found["Discord token"].what
    assert not discord.gateway.sessions, "it does not connect"


async def test_a_token_that_is_refused_and_a_discord_that_is_away(discord):
    with launch.aimed(discord.base):
        found = await asked_discord(discord_token="wrong.token")
    assert [*found] == ["Discord token"]
    assert "reset the token" in found["Discord token"].fix
    with launch.aimed(f"http://127.0.0.1:{free_port()}"):
        found = await asked_discord()
    assert "cannot be reached" in found["Discord token"].what


@pytest.mark.parametrize(
    ("told", "name", "level", "part"),
    [
        ({"flags": 1 << 19}, "Intents", Level.WARNING, "message content"),
        ({"flags": 1 << 12 | 1 << 15}, "Intents", Level.WARNING, "presence, server members"),
        (
            {"interactions_endpoint_url": "https://elsewhere.example"},
            *("Application", Level.ERROR, "instead of to this bot"),
        ),
        ({"bot_require_code_grant": True}, "Application", Level.ERROR, "code grant"),
        ({"integration_types_config": {"0": {}}}, "Application", Level.WARNING, "themselves"),
        ({"integration_types_config": {"1": {}}}, "Application", Level.WARNING, "servers add"),
    ],
)
async def test_an_application_that_is_set_up_otherwise(discord, told, name, level, part):
    async with portal(discord, applications_me=told):
        found = await asked_discord(allow_user_install=True)
    assert (found[name].level, part in found[name].what) == (level, True), found
    assert "developer portal" in found[name].fix


async def test_a_bot_that_may_hardly_connect_any_more(discord):
    limit = {"total": 1000, "remaining": 0, "reset_after": 7_200_000, "max_concurrency": 1}
    async with portal(discord, gateway_bot={"session_start_limit": limit}):
        found = await asked_discord()
    assert (found["Sessions"].level, "2 h" in found["Sessions"].what) == (Level.ERROR, True)


async def test_a_server_that_the_bot_is_not_in(discord):
    async with portal(discord, users_me_guilds=[{"id": "111"}]):
        found = await asked_discord(allowed_servers={"111", "222"})
        assert found["Servers"].level is Level.WARNING
        assert "not in 222," in found["Servers"].what
        found = await asked_discord(allowed_servers={"111"})
        assert found["Servers"].level is Level.OK


# Alarms -------------------------------------------------------------------------------------


async def alarmed(certificate, *, test=False, **changes):
    return rows(await alarming.check(settings(**changes), trust=certificate.trusted, test=test))


async def test_alarms_that_are_sent_nowhere_are_a_warning(certificate):
    found = await alarmed(certificate)
    assert (found["Alarms"].level, "sent nowhere" in found["Alarms"].what) == (Level.WARNING, True)
    assert await alarmed(certificate, alarm_channel=12345) == {}


async def test_a_webhook_is_reached_without_a_word_and_takes_a_test(certificate):
    async with webhook() as (address, came):
        found = await alarmed(certificate, alarm_webhook=address)
        assert (found["ALARM_WEBHOOK"].level, came) == (Level.OK, [])
        found = await alarmed(certificate, alarm_webhook=address, test=True)
        assert found["ALARM_WEBHOOK"].level is Level.OK
        assert [body["content"] for body in came] == [alarming.TEST]
    async with webhook(status=404) as (address, _):
        found = await alarmed(certificate, alarm_webhook=address, test=True)
        assert found["ALARM_WEBHOOK"].level is Level.ERROR


@pytest.mark.parametrize("test", [False, True])
@pytest.mark.parametrize(
    "address",
    ["https://nosuch.invalid/very-secret-token", f"https://localhost:{free_port()}/very-secret"],
)
async def test_a_webhook_that_nobody_answers_is_an_error_and_still_a_secret(
    certificate, address, test
):
    found = await alarmed(certificate, alarm_webhook=address, test=test)
    assert found["ALARM_WEBHOOK"].level is Level.ERROR
    assert not [part for part in ("nosuch", "localhost", "very") if part in str(found)]


async def test_a_channel_for_alarms_is_there_and_can_be_written_to(discord):
    room = discord.places.server_channel(77, guild_id=1, present=True)
    with launch.aimed(discord.base):
        found = await asked_discord(alarm_channel=12345)
        assert found["ALARM_CHANNEL"].level is Level.ERROR
        assert "knows no channel 12345" in found["ALARM_CHANNEL"].what
        found = await asked_discord(alarm_channel=77)
        assert (found["ALARM_CHANNEL"].level, discord.messages.all(77)) == (Level.OK, [])
        tested = await discord_side.check(
            settings(alarm_channel=77), clock=clock.system, alarm=True
        )
        assert rows(tested)["ALARM_CHANNEL"].level is Level.OK
        [message] = discord.messages.all(77)
        assert message.text == alarming.TEST
        room.present = False
        for alarm in (False, True):
            tested = await discord_side.check(
                settings(alarm_channel=77), clock=clock.system, alarm=alarm
            )
            assert "may not write" in rows(tested)["ALARM_CHANNEL"].what


# PUBLIC_URL ---------------------------------------------------------------------------------


def anywhere(_address):
    """Count this machine as public."""
    return True


async def reached(certificate, read, *, running=False, public=anywhere):
    found = await reach.check(
        read, clock=clock.system, trust=certificate.trusted, public=public, running=running
    )
    return rows(found)


@asynccontextmanager
async def served(certificate, **options):
    """A proxy before a listener of the doctor's own, and the settings of both."""
    async with fronts.proxied(certificate, **options) as proxy:
        read = settings(public_url=proxy.url)
        proxy.target = read.web_port
        async with listener.opened(read, clock=clock.system) as ours:
            assert ours is not None
            yield read, proxy


async def test_a_proxy_that_leads_here_is_ok_as_seen_from_here(certificate):
    async with served(certificate) as (read, proxy):
        found = await reached(certificate, read)
    assert {name: each.level for name, each in found.items()} == {
        "PUBLIC_URL": Level.OK,
        "TLS": Level.OK,
        "Callbacks": Level.OK,
    }
    assert "Seen from here" in found["PUBLIC_URL"].what
    assert "signed" in found["Callbacks"].what
    assert len(proxy.seen) == 2


@pytest.mark.parametrize(
    ("passed", "wrong", "right"),
    [("/hiapi/callback/", "PUBLIC_URL", "Callbacks"), ("/readyz", "Callbacks", "PUBLIC_URL")],
)
async def test_a_proxy_that_keeps_something_back(certificate, passed, wrong, right):
    async with served(certificate, passed=(passed,)) as (read, _):
        found = await reached(certificate, read)
    assert (found[wrong].level, found[right].level) == (Level.ERROR, Level.OK)
    assert "404" in found[wrong].what
    assert "/hiapi/callback/" in found[wrong].fix


async def test_an_address_that_leads_to_another_bot(certificate):
    async with served(certificate) as (read, _):
        mine = read.model_copy(
            update={"discord_token": settings(discord_token="b" * 20).discord_token}
        )
        found = await reached(certificate, mine)
    assert "not to this bot" in found["PUBLIC_URL"].what


async def test_a_bot_that_was_started_with_another_signing_key(certificate):
    async with served(certificate) as (read, _):
        other = settings(hiapi_webhook_secret="another" * 5).hiapi_webhook_secret
        found = await reached(certificate, read.model_copy(update={"hiapi_webhook_secret": other}))
    assert found["Callbacks"].level is Level.ERROR
    assert "does not believe" in found["Callbacks"].what


async def test_certificates_that_a_stranger_would_refuse(certificate, tmp_path):
    for other in (
        fronts.certified(tmp_path / "unknown"),
        fronts.certified(tmp_path / "named", name="elsewhere.example"),
    ):
        async with served(other) as (read, proxy):
            found = await reached(certificate, read)
            assert list(found) == ["TLS"]
            assert found["TLS"].level is Level.ERROR
            assert "refused" in found["TLS"].what
            assert proxy.seen == [], "nothing is sent to whoever that is"


async def test_a_certificate_that_ends_soon(tmp_path):
    short = fronts.certified(tmp_path / "short", days=3)
    async with served(short) as (read, _):
        found = await reached(short, read)
    assert found["TLS"].level is Level.WARNING
    assert "2 days" in found["TLS"].what


@pytest.mark.parametrize(
    ("url", "name", "part"),
    [
        ("", "PUBLIC_URL", "Empty"),
        ("http://localhost:8080", "PUBLIC_URL", "plain http"),
        ("https://easel.invalid", "PUBLIC_URL", "does not resolve"),
        ("https://127.0.0.1", "PUBLIC_URL", "no public address"),
        ("https://localhost", "PUBLIC_URL", "no public address"),
    ],
)
async def test_addresses_that_lead_nowhere(certificate, url, name, part):
    found = await reached(certificate, settings(public_url=url), public=reach.is_public)
    assert list(found) == [name]
    assert part in found[name].what
    assert (found[name].level is Level.OK) is (url == "")


async def test_a_port_where_nothing_or_no_tls_is(certificate, hiapi):
    dead = settings(public_url=f"https://localhost:{free_port()}")
    assert (await reached(certificate, dead))["TLS"].level is Level.ERROR
    plain = settings(public_url=hiapi.base_url.replace("http://127.0.0.1", "https://localhost"))
    assert "does not speak TLS" in (await reached(certificate, plain))["TLS"].what


async def test_the_port_is_free_the_bots_or_somebody_elses(hiapi):
    read = settings()
    async with listener.opened(read, clock=clock.system) as ours:
        assert ours is not None
        async with listener.opened(read, clock=clock.system) as second:
            assert second is None
        assert (await listener.neighbour(read)).level is Level.OK
    other = settings(web_port=int(hiapi.base_url.rpartition(":")[2]))
    async with listener.opened(other, clock=clock.system) as ours:
        assert ours is None
    assert (await listener.neighbour(other)).level is Level.ERROR


async def test_the_operators_port_is_free_the_bots_or_somebody_elses():
    assert await listener.check_admin(settings(), running=False) == []
    read = settings(admin_port=free_port())
    [found] = await listener.check_admin(read, running=False)
    assert (found.level, "is free" in found.what) == (Level.OK, True)
    with closing(socket.create_server(("127.0.0.1", read.admin_port))):
        [found] = await listener.check_admin(read, running=False)
        assert (found.level, found.fix[:28]) == (Level.ERROR, "Is Easel already running? Ot")
        [found] = await listener.check_admin(read, running=True)
        assert found.level is Level.OK
    for host in ("192.0.2.1", "no-such-host.invalid"):
        abroad = settings(admin_port=free_port(), admin_host=host, admin_password="x" * 12)
        [found] = await listener.check_admin(abroad, running=False)
        assert (found.level, host in found.what) == (Level.ERROR, True)


# One real task ------------------------------------------------------------------------------


async def tried(read, *, grace=10.0):
    if not read.public_url:
        return await trial.check(read, clock=clock.system, listener=None)
    async with listener.opened(read, clock=clock.system) as ours:
        return await trial.check(read, clock=clock.system, listener=ours, grace=grace)


async def test_a_real_task_and_its_signed_callback(hiapi):
    read = settings(hiapi_base_url=hiapi.base_url)
    read = read.model_copy(update={"public_url": f"http://127.0.0.1:{read.web_port}"})
    [found] = await tried(read)
    assert (found.level, "callback came through, signed" in found.what) == (Level.OK, True), found
    assert "billed" in found.what
    assert len(hiapi.tasks.all) == 1
    assert hiapi.tasks.answers["callback", 204] == 1


async def test_a_callback_that_is_not_believed(hiapi):
    read = settings(hiapi_base_url=hiapi.base_url, hiapi_webhook_secret="another" * 5)
    read = read.model_copy(update={"public_url": f"http://127.0.0.1:{read.web_port}"})
    [found] = await tried(read, grace=0.2)
    assert (found.level, "HIAPI_WEBHOOK_SECRET" in found.fix) == (Level.ERROR, True)
    assert "billed" in found.what
    assert hiapi.tasks.answers["callback", 401] == 1


async def test_without_an_address_the_picture_alone_is_seen(hiapi):
    [found] = await tried(settings(hiapi_base_url=hiapi.base_url))
    assert (found.level, "A picture was made" in found.what) == (Level.OK, True)


async def test_nothing_is_spent_where_the_callback_could_not_be_seen(hiapi):
    read = settings(hiapi_base_url=hiapi.base_url, public_url="https://easel.example")
    async with listener.opened(read, clock=clock.system):
        [found] = await tried(read)
    assert (found.level, hiapi.tasks.all) == (Level.ERROR, ())


async def test_a_key_that_is_refused_makes_no_picture(hiapi):
    [found] = await tried(settings(hiapi_base_url=hiapi.base_url, hiapi_api_key="sk-another"))
    assert (found.level, "made no picture" in found.what) == (Level.ERROR, True)
    assert "sk-another" not in found.what


# All of it ----------------------------------------------------------------------------------


async def test_every_check_is_made_although_others_fail(hiapi, discord, certificate, tmp_path):
    read = settings(
        hiapi_base_url=hiapi.base_url,
        discord_token="wrong.token.wrong",
        public_url="https://easel.invalid",
        database_url=f"sqlite:///{tmp_path / 'easel.db'}",
    )
    with launch.aimed(discord.base):
        found = rows(
            await doctor.examine(
                read, env_file=tmp_path / ".env", trust=certificate.trusted, public=anywhere
            )
        )
    assert {name for name, each in found.items() if each.level is Level.ERROR} == {
        "Discord token",
        "PUBLIC_URL",
    }
    assert found["HiAPI key"].level is found["Database"].level is Level.OK


async def test_a_check_that_takes_too_long_is_a_finding():
    async def hang():
        await asyncio.Event().wait()

    [found] = await doctor._within("Slow", hang(), seconds=0.01)
    assert (found.name, found.level) == ("Slow", Level.ERROR)


async def test_a_check_that_breaks_is_a_finding_and_keeps_no_other_from_being_made(
    hiapi, certificate, tmp_path
):
    async def nonsense(_request):
        return web.json_response(["not what Discord says"])

    runner = web.ServerRunner(web.Server(nonsense))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        read = settings(
            hiapi_base_url=hiapi.base_url, database_url=f"sqlite:///{tmp_path / 'easel.db'}"
        )
        with launch.aimed(f"http://127.0.0.1:{runner.addresses[0][1]}"):
            found = rows(
                await doctor.examine(read, env_file=tmp_path / ".env", trust=certificate.trusted)
            )
    finally:
        await runner.cleanup()
    assert found["Discord token"].level is Level.ERROR
    assert "report it" in found["Discord token"].fix
    assert found["HiAPI key"].level is found["Database"].level is Level.OK


async def examined(discord, folder, *options, **changes):
    """`python -m bot doctor` as a process: its status and what it printed."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DISCORD_TOKEN": server.TOKEN,
        "HIAPI_API_KEY": "sk-sandbox",
        "ALLOWED_SERVERS": "*",
        "WEB_PORT": str(free_port()),
        "ADMIN_PORT": "off",
        "NO_COLOR": "1",
        **changes,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "sandbox.wirecord.launch", "--base", discord.base, "doctor", *options),
        cwd=folder,
        env={name: value for name, value in environment.items() if value},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, aside = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, printed.decode(), aside.decode()


async def test_all_is_well_as_a_process(discord, hiapi, tmp_path):
    status, printed, aside = await examined(discord, tmp_path, HIAPI_BASE_URL=hiapi.base_url)
    assert status == 0, printed + aside
    assert printed.splitlines()[0] == f"Easel {version.read()}"
    assert "0 errors" in printed
    assert "error " not in printed
    assert max(map(len, printed.splitlines())) <= 80
    assert "\x1b" not in printed
    assert "Easel" in printed, "the bot's name at Discord"
    assert "No privileged intent is on" in " ".join(printed.split())
    assert not list(tmp_path.iterdir()), "it makes nothing"


async def test_what_is_wrong_is_told_by_status_and_names_and_without_secrets(
    discord, hiapi, tmp_path
):
    wrong = {
        "DISCORD_TOKEN": "wrong.token.of.a.bot",
        "HIAPI_API_KEY": "sk-wrong-key-of-an-account",
        "HIAPI_BASE_URL": hiapi.base_url,
        "DATABASE_URL": f"postgresql://easel:{PASSWORD}@127.0.0.1:{free_port()}/easel",
        "HIAPI_WEBHOOK_SECRET": SECRET,
    }
    status, printed, aside = await examined(discord, tmp_path, "--json", **wrong)
    assert status == 1, printed + aside
    found = {each["name"]: each for each in json.loads(printed)}
    for name in ("Discord token", "HiAPI key", "Database"):
        assert found[name]["level"] == "error"
        assert found[name]["fix"]
    secrets = (wrong["DISCORD_TOKEN"], wrong["HIAPI_API_KEY"], PASSWORD, SECRET)
    assert not [secret for secret in secrets if secret in printed + aside]


async def test_each_missing_setting_is_named(discord, tmp_path):
    (tmp_path / ".env").write_text("WEB_PORT=eighty\n")
    missing = {"DISCORD_TOKEN": "", "ALLOWED_SERVERS": "", "WEB_PORT": ""}
    status, printed, _ = await examined(discord, tmp_path, **missing)
    assert status == 2
    for name in ("DISCORD_TOKEN is missing", "ALLOWED_SERVERS is missing", "WEB_PORT takes a"):
        assert name in printed
    assert "HIAPI_API_KEY" not in printed


async def test_a_paid_check_asks_first(discord, hiapi, tmp_path):
    status, printed, aside = await examined(
        discord, tmp_path, "--paid", HIAPI_BASE_URL=hiapi.base_url
    )
    assert status == 1
    assert "bills it" in printed + aside
    assert hiapi.tasks.all == ()
    status, printed, _ = await examined(
        discord, tmp_path, "--paid", "--yes", HIAPI_BASE_URL=hiapi.base_url
    )
    assert status == 0
    assert "A picture was made" in " ".join(printed.split())
    assert len(hiapi.tasks.all) == 1
