"""The operator's listener over real HTTP: who is let in, and what is never shown."""

import asyncio
import base64
import os
import re
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web

from bot.admin.guard import HEADERS, MINUTE, TRIES
from bot.admin.server import STATIC, AdminError
from sandbox import faults
from tests import lines
from tests.flow.studio import image
from tests.flow.test_notes import finish_task, noted, press

ROOT = Path(__file__).parents[2]
PASSWORD = "a long pass:word, with signs"
PATHS = ["/", "/?hours=24", "/live", "/live?hours=1", "/metrics"] + [f"/static/{n}" for n in STATIC]
NOBODYS = "/picture/aaaaaaaaaaaaaaaa"


@pytest.fixture(autouse=True)
def logging_as_in_earnest():
    with lines.configured():
        yield


@pytest.fixture
def open_admin(open_studio, monkeypatch):
    """What opens a studio with the operator's page."""
    monkeypatch.setattr("bot.admin.guard.PENALTY", 0.0)

    @asynccontextmanager
    async def opened(**changes):
        async with open_studio(admin_port=0, **changes) as studio:
            yield studio

    return opened


def address(studio, path="/"):
    return f"http://127.0.0.1:{studio.app.watch.admin.port}{path}"


def login(password=PASSWORD, name="operator"):
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}


async def ask(url, **options):
    """The status, the headers and the text of one answer."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            options.pop("method", "GET"), url, allow_redirects=False, **options
        ) as answer,
    ):
        return answer.status, answer.headers, await answer.text(errors="replace")


# Who may look --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST"])
async def test_this_machine_sees_every_page_by_its_own_name(open_admin, name):
    async with open_admin() as studio:
        for path in PATHS:
            headers = {"Host": f"{name}:{studio.app.watch.admin.port}"}
            status, told, _ = await ask(address(studio, path), headers=headers)
            assert status == 200, path
            assert {key: told[key] for key in HEADERS} == HEADERS


@pytest.mark.parametrize(
    "name",
    ["attacker.example", "127.0.0.1.attacker.example", "10.0.0.1:8081", "localhost.", "0.0.0.0"],  # noqa: S104
)
async def test_another_name_for_this_machine_is_refused(open_admin, name):
    async with open_admin() as studio:
        for path in [*PATHS, NOBODYS, "/nothing"]:
            status, told, text = await ask(address(studio, path), headers={"Host": name})
            assert (status, told["Cache-Control"]) == (421, "no-store"), path
            assert "easel_" not in text


@pytest.mark.parametrize("name", ["", "user@localhost", "[::1", "localhost/x"])
async def test_a_host_that_cannot_be_read_is_refused(open_admin, name):
    async with open_admin() as studio:
        status, _, text = await ask(address(studio, "/metrics"), headers={"Host": name})
        assert status in (400, 421)
        assert "easel_" not in text


TRACES = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Host": "easel.example.net",
    "X-Forwarded-Proto": "https",
    "x-forwarded-anything": "",
    "Forwarded": "for=203.0.113.7",
    "Via": "1.1 proxy",
    "X-Real-IP": "127.0.0.1",
    "CF-Connecting-IP": "203.0.113.7",
    "True-Client-IP": "203.0.113.7",
}


@pytest.mark.parametrize("trace", TRACES)
async def test_whatever_came_through_a_proxy_needs_the_password(open_admin, trace):
    forwarded = {trace: TRACES[trace]}
    async with open_admin() as studio:
        for path in [*PATHS, NOBODYS, "/nothing"]:
            status, _, text = await ask(address(studio, path), headers=forwarded)
            assert status == 403, path
            assert "ADMIN_PASSWORD" in text
            # No password that anybody thinks of lets them in where there is none.
            status, _, _ = await ask(address(studio, path), headers=forwarded | login(""))
            assert status == 403, path
    async with open_admin(admin_password=PASSWORD) as studio:
        for path in PATHS:
            assert (await ask(address(studio, path), headers=forwarded))[0] == 401
            assert (await ask(address(studio, path), headers=forwarded | login()))[0] == 200


async def test_an_old_protocol_is_taken_for_a_proxys(open_admin):
    async with open_admin() as studio:
        reader, writer = await asyncio.open_connection("127.0.0.1", studio.app.watch.admin.port)
        writer.write(b"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert b" 403 " in answer.splitlines()[0]
    assert b"easel_" not in answer


@asynccontextmanager
async def proxied(target):
    """A small real reverse proxy on a port of its own, which tells whom it speaks for."""

    async def pass_on(request):
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        headers |= {"X-Forwarded-For": "203.0.113.7", "Via": "1.1 proxy"}
        url = f"{target}{request.path_qs}"
        async with session.request(
            request.method, url, headers=headers, data=await request.read(), allow_redirects=False
        ) as answer:
            return web.Response(status=answer.status, body=await answer.read())

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", pass_on)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


def paths_of(studio):
    """Every path that the operator's listener knows, with something in its gaps."""
    resources = studio.app.watch.admin._runner.app.router.resources()
    known = [resource.canonical for resource in resources]
    assert len(known) >= 5
    return [
        re.sub(r"\{job\}", "aaaaaaaaaaaaaaaa", path).replace("{name}", "live.js") for path in known
    ]


async def test_through_a_proxy_no_path_of_the_operator_is_reached(open_admin):
    async with open_admin() as studio:
        await studio.imagine("a secret garden")
        await studio.finish()
        inside = f"http://127.0.0.1:{studio.app.watch.admin.port}"
        public = f"http://127.0.0.1:{studio.app.web.port}"
        for target, refused in ((inside, {403}), (public, {404})):
            async with proxied(target) as proxy:
                for path in [*paths_of(studio), *PATHS, NOBODYS]:
                    for method in ("GET", "HEAD", "POST"):
                        status, _, text = await ask(proxy + path, method=method)
                        assert status in refused, (target, method, path)
                        assert "easel_" not in text
                        assert "<html" not in text


async def test_the_public_listener_serves_none_of_it_by_any_spelling(open_admin):
    async with open_admin(admin_password=PASSWORD) as studio:
        public = f"http://127.0.0.1:{studio.app.web.port}"
        for path in [*paths_of(studio), *PATHS, NOBODYS]:
            for odd in (path, f"/{path}", f"{path}/", f"/hiapi/callback/..{path}", f"/%2e{path}"):
                status, _, text = await ask(public + odd, headers=login())
                assert status in (404, 405), odd
                assert "easel_" not in text
        assert (await ask(f"{public}/healthz"))[0] == 200


# The password ----------------------------------------------------------------------------------


async def test_with_a_password_nobody_is_let_in_without_it(open_admin):
    wrong = {
        "none": {},
        "another": login("a long pass:word, with sign"),
        "half of it": login("a long pass"),
        "empty": login(""),
        "no base64": {"Authorization": "Basic ???"},
        "another scheme": {"Authorization": f"Bearer {PASSWORD}"},
        "only the name": {"Authorization": "Basic " + base64.b64encode(b"operator").decode()},
        "no text": {"Authorization": "Basic " + base64.b64encode(b"a:\xff\xfe").decode()},
    }
    async with open_admin(admin_password=PASSWORD) as studio:
        for path in [*PATHS, NOBODYS, "/nothing"]:
            status, told, text = await ask(address(studio, path))
            assert status == 401, path
            assert told["WWW-Authenticate"].startswith("Basic realm=")
            assert "easel_" not in text
        for headers in wrong.values():
            assert (await ask(address(studio), headers=headers))[0] == 401
        for name in ("", "operator", "ärger"):
            assert (await ask(address(studio), headers=login(name=name)))[0] == 200


async def test_with_the_password_another_name_will_do(open_admin):
    async with open_admin(admin_password=PASSWORD) as studio:
        headers = {"Host": "admin.example.net"} | login()
        assert (await ask(address(studio), headers=headers))[0] == 200


async def test_guessing_ends_after_a_few_tries_even_for_the_right_one(open_admin, clock):
    async with open_admin(admin_password=PASSWORD) as studio:
        for guess in range(TRIES):
            assert (await ask(address(studio), headers=login(str(guess))))[0] == 401
        status, told, _ = await ask(address(studio), headers=login())
        assert (status, told["Retry-After"]) == (429, "60")
        clock.move(MINUTE.total_seconds())
        assert (await ask(address(studio), headers=login()))[0] == 200


async def test_many_guesses_at_once_are_no_way_around_that(open_admin):
    async with open_admin(admin_password=PASSWORD) as studio:
        guesses = (ask(address(studio), headers=login(str(guess))) for guess in range(4 * TRIES))
        statuses = [status for status, _, _ in await asyncio.gather(*guesses)]
        assert statuses.count(401) == TRIES
        assert statuses.count(429) == 3 * TRIES


async def test_a_page_without_any_password_is_no_guess(open_admin):
    async with open_admin(admin_password=PASSWORD) as studio:
        for _ in range(2 * TRIES):
            assert (await ask(address(studio)))[0] == 401
        assert (await ask(address(studio), headers=login()))[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_there_is_nothing_to_change(open_admin, method):
    async with open_admin() as studio:
        for path in PATHS:
            assert (await ask(address(studio, path), method=method))[0] == 405


# Listening ----------------------------------------------------------------------------------------


async def test_there_is_no_listener_where_there_is_to_be_none(studio):
    assert studio.app.watch.admin is None


async def test_a_port_that_is_taken_is_said_in_one_sentence(open_admin):
    async with open_admin() as studio:
        port = studio.app.watch.admin.port
        with pytest.raises(AdminError, match=rf"ADMIN_PORT {port} cannot be listened on: .*'off'"):
            async with studio.restarted(admin_port=port):
                pass


async def test_the_process_says_so_too_and_ends(open_admin, tmp_path):
    async with open_admin() as studio:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DISCORD_TOKEN": "token",
            "HIAPI_API_KEY": "sk-key",
            "ALLOWED_SERVERS": "*",
            "WEB_PORT": "0",
            "ADMIN_PORT": str(studio.app.watch.admin.port),
        }
        bot = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "run"),
            cwd=tmp_path,
            env=environment,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(bot.communicate(), 30)
    assert bot.returncode == 1, "whoever has the port may be on its way out"
    assert re.fullmatch(
        r"ADMIN_HOST 127\.0\.0\.1 and ADMIN_PORT \d+ cannot be listened on: "
        r"address already in use; another port or 'off' will do\.",
        said.decode().splitlines()[-1],
    )
    assert "Traceback" not in said.decode()


# What is shown ----------------------------------------------------------------------------------


async def test_the_page_shows_what_is_and_was(open_admin, clock):
    async with open_admin(bot_caps="50/day") as studio:
        good = await studio.imagine("a red fox", count=2)
        await studio.imagine("a fox [policy]")
        await studio.imagine("a fox [fail]")
        await studio.finish()
        await studio.imagine("one that waits")
        clock.move(30)
        _, _, page = await ask(address(studio))
        text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
        assert "waiting 1 longest 30 s" in text
        assert "3 of 50" in text
        assert "made: 2 refused: 1 failed: 1" in text
        assert "gpt-image-2-pro 66.7 % 2 1 1" in text
        assert "The task was refused by content policy" in text
        assert "The task ended in failure" in text
        jobs = (await studio.reply(good)).jobs
        assert set(re.findall(r'src="picture/(\w+)"', page)) == {job.id for job in jobs}
        for job in jobs:
            status, told, _ = await ask(address(studio, f"/picture/{job.id}"))
            assert (status, told["Content-Type"]) == (200, "image/webp")


async def test_no_prompt_no_name_and_no_private_picture_is_ever_shown(open_admin):
    async with open_admin() as studio:
        hidden = [
            await studio.imagine("PROMPT in secret", private=True),
            await studio.remix("PROMPT and an image", image1=("NAME.png", image()), private=True),
            await studio.imagine("PROMPT [policy]"),
        ]
        await studio.finish()
        for path in PATHS:
            _, _, text = await ask(address(studio, path))
            assert "PROMPT" not in text
            assert "NAME" not in text
            assert str(studio.member.id) not in text
            assert 'src="picture/' not in text
        for result in hidden:
            for job in (await studio.reply(result)).jobs:
                assert (await ask(address(studio, f"/picture/{job.id}")))[0] == 404


async def test_a_picture_that_is_nowhere_is_missing_and_asked_for_once(open_admin, clock):
    async with open_admin(keep_originals_days=0) as studio:
        result = await studio.imagine()
        await studio.finish()
        studio.env.backend.delete_message(studio.channel.id, result.response.id)
        [job] = (await studio.reply(result)).jobs
        planted = studio.hiapi.fault(faults.status(404), on="file", times=100)
        for _ in range(3):
            assert (await ask(address(studio, f"/picture/{job.id}")))[0] == 404
        assert planted.fired == 1
        planted.lift()
        clock.move(121)
        assert (await ask(address(studio, f"/picture/{job.id}")))[0] == 200


async def test_a_silent_ledger_is_said_and_breaks_no_page(open_admin):
    async with open_admin() as studio:
        await studio.app.ledger.__aexit__()
        for path in ("/", "/live", "/?hours=24"):
            status, _, text = await ask(address(studio, path))
            assert (status, "The ledger does not answer" in text) == (200, True)
            for nothing in ("Nothing was", "Nothing ended", "None in", "None that", "no limit"):
                assert nothing not in text, nothing
        status, _, text = await ask(address(studio, "/metrics"))
        assert (status, "easel_ledger_answers 0.0" in text) == (200, True)
        assert (await ask(address(studio, NOBODYS)))[0] == 404


async def test_alarms_stand_on_the_page_until_they_are_over(open_admin, clock):
    async with open_admin() as studio:
        planted = studio.hiapi.fault(faults.out_of_quota(), on="create", times=100)
        await studio.imagine()
        await studio.submit()
        assert "HiAPI is out of credit" in (await ask(address(studio)))[2]
        assert (
            'easel_alarm_active{alarm="no_credit"} 1.0'
            in (await ask(address(studio, "/metrics")))[2]
        )
        planted.lift()
        clock.move(61)
        await studio.submit()
        assert "HiAPI is out of credit" not in (await ask(address(studio)))[2]


async def test_looking_often_reads_the_ledger_seldom(open_admin):
    async with open_admin() as studio:
        ledger, verbs = studio.app.ledger, []
        read = ledger.read

        async def counted(verb, *args, **kwargs):
            verbs.append(verb.__name__)
            return await read(verb, *args, **kwargs)

        ledger.read = counted
        await asyncio.gather(*(ask(address(studio, "/live")) for _ in range(20)))
        assert sorted(verbs) == ["_bill", "_now", "_past"]


PRICES = "gpt-image-2-pro@1K=0.04"


async def spending(studio):
    """The words of the page's parts about money, each without its tags."""
    _, _, text = await ask(address(studio, "/live"))
    parts = {}
    for part in ("spend", "costs", "servers"):
        found = re.search(rf'<section id="{part}".*?</section>', text, re.DOTALL)[0]
        parts[part] = " ".join(re.sub(r"<[^>]*>", " ", found).split())
    return parts


async def test_money_is_shown_against_its_budgets_by_model_and_by_server(open_admin):
    caps = {"bot_caps": "10/day, $2.50/month", "server_caps": "5/month"}
    async with open_admin(prices=PRICES, **caps) as studio:
        await studio.imagine(count=2)
        await studio.imagine("a boat [fail]")
        await studio.finish()
        told = await spending(studio)
        assert "Today starts again 15 Mar, 00:00 UTC , in" in told["spend"]
        assert "Pictures 2 of 10" in told["spend"]
        assert "Dollars $0.08, no limit This month starts again 1 Apr," in told["spend"]
        assert told["spend"].endswith("Pictures 2, no limit Dollars $0.08 of $2.50 3 %")
        assert "gpt-image-2-pro 2 $0.08 0" in told["costs"]
        server = studio.channel.guild.id
        assert told["servers"].endswith(f"{server} 2 pictures $0.08 2 pictures $0.08")
        _, _, text = await ask(address(studio, "/metrics"))
        for line in (
            'easel_spend{budget="day",unit="pictures"} 2.0',
            'easel_spend{budget="month",unit="usd"} 0.08',
            'easel_spend_limit{budget="day",unit="pictures"} 10.0',
            'easel_spend_limit{budget="month",unit="usd"} 2.5',
        ):
            assert line in text.splitlines(), line
        assert 'easel_spend_limit{budget="day",unit="usd"}' not in text


async def test_a_price_that_nobody_said_is_called_unknown(open_admin):
    async with open_admin(prices=PRICES) as studio:
        await studio.imagine(count=2)
        await studio.imagine(resolution="2K")
        told = await spending(studio)
        assert "Prices unknown for 1 of today's 3 pictures" in told["spend"]
        assert "gpt-image-2-pro 3 $0.08 1" in told["costs"]


async def test_without_prices_no_dollars_are_made_up(open_admin):
    async with open_admin(bot_caps="10/day, $5/month") as studio:
        await studio.imagine()
        told = await spending(studio)
        assert "Dollars unknown of $5.00" in told["spend"]
        assert "no limit in dollars stops anybody" in told["spend"]
        assert "gpt-image-2-pro 1 unknown 1" in told["costs"]
        assert told["servers"].count("unknown") == 2
        assert "$0" not in " ".join(told.values())


async def test_what_servers_came_to_adds_up_with_everybody_else(open_admin):
    async with open_admin() as studio:
        await studio.imagine()
        friend = studio.env.create_user("friend")
        await friend.slash("imagine", prompt="a fox", count=2)
        told = await spending(studio)
        assert "Others and direct messages 2 pictures" in told["servers"]


async def test_the_figures_of_a_whole_job_are_scraped(open_admin):
    async with open_admin() as studio:
        await studio.imagine(count=2)
        await studio.finish()
        _, told, text = await ask(address(studio, "/metrics"))
        assert told["Content-Type"].startswith("text/plain; version=")
        for line in (
            'easel_jobs_received_total{kind="imagine"} 2.0',
            "easel_acknowledgement_seconds_count 1.0",
            "easel_queue_wait_seconds_count 2.0",
            'easel_jobs_settled_total{code="",end="pictures",model="gpt-image-2-pro"} 2.0',
            'easel_render_seconds_count{model="gpt-image-2-pro"} 2.0',
            'easel_detection_delay_seconds_count{by="poll"} 2.0',
            "easel_delivery_seconds_count 1.0",
            'easel_replies_closed_total{outcome="delivered"} 1.0',
            'easel_upstream_requests_total{route="create",status="200"} 2.0',
            'easel_spend{budget="day",unit="pictures"} 2.0',
            "easel_ready 1.0",
        ):
            assert line in text.splitlines(), line


async def test_a_picture_that_waited_behind_a_show_button_was_not_late(open_admin, clock):
    async with open_admin() as studio:
        result = await noted(studio)
        clock.move(5 * 60)
        await finish_task(studio)
        await studio.deliver()
        clock.move(3600)
        await press(studio, result)
        await studio.deliver()
        assert (await studio.reply(result)).delivery == "delivered"
        text = (await ask(address(studio, "/metrics")))[2]
    assert 'easel_replies_closed_total{outcome="parked"} 1.0' in text
    took = re.search(r"easel_delivery_seconds_sum ([\d.]+)", text)[1]
    assert float(took) < 60


async def test_nothing_from_outside_is_loaded(open_admin):
    async with open_admin() as studio:
        await studio.imagine()
        await studio.finish()
        _, told, page = await ask(address(studio))
        for found in re.findall(r'(?:src|href|action)="([^"]*)"', page):
            assert not urlsplit(found).netloc, found
        assert "<style" not in page
        assert " style=" not in page
        assert not re.search(r"<[^>]+ on\w+=", page)
        assert not re.search(r"<script(?![^>]*src=)", page)
        policy = told["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        for name in STATIC:
            _, _, text = await ask(address(studio, f"/static/{name}"))
            assert not re.search(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[a-z]", text), name
