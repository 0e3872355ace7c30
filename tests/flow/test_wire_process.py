"""The real process, Discord's and HiAPI's stand-ins on real sockets: a command to its picture."""

import asyncio
import os
import signal
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot import version
from sandbox.hiapi import StandIn
from sandbox.wirecord import asking, places, server
from tests.flow import process as processes

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def hiapi():
    async with StandIn(seconds=(0.1, 0.3, 0.1)) as running:
        yield running


@pytest.fixture
async def discord():
    async with server.Wirecord() as running:
        yield running


@asynccontextmanager
async def easel(discord, hiapi, folder, **changes):
    """The bot as a process of its own, logged in; ends it whatever the test does."""
    environment = {
        "PATH": os.environ["PATH"],
        "DISCORD_TOKEN": server.TOKEN,
        "HIAPI_API_KEY": "sk-sandbox",
        "HIAPI_BASE_URL": hiapi.base_url,
        "HIAPI_TRUSTED_HOSTS": hiapi.base_url.removeprefix("http://"),
        "HIAPI_POLL_EVERY": "1",
        "ALLOWED_SERVERS": "*",
        "DATABASE_URL": f"sqlite:///{folder / 'easel.db'}",
        "WEB_PORT": "0",
        "ADMIN_PORT": "off",
        "PYTHONPATH": str(ROOT),
        **changes,
    }
    command = ["-m", "sandbox.wirecord.launch", "--base", discord.base, "run"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        await discord.gateway.ready(seconds=20)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        output, _ = await process.communicate()
        sys.stdout.write(output.decode())


async def test_a_command_becomes_a_picture_and_sigterm_ends_well(discord, hiapi, tmp_path):
    async with easel(discord, hiapi, tmp_path) as process:
        assert {"imagine", "remix"} <= {command["name"] for command in discord.commands}
        asked = await discord.command("imagine", {"prompt": "a heron at dawn"}, locale="de")
        await asked.acknowledged()
        assert asked.ack_seconds < 1
        message = await asked.pictured(seconds=20)
        assert not message.ephemeral
        assert message.attachments[0].size > 1000
        assert message.edits[-1].files[0].sha256
        assert "heron" in message.text
        assert "Hier ist dein Bild" in message.text

        process.send_signal(signal.SIGTERM)
        asked_at = time.monotonic()
        assert await asyncio.wait_for(process.wait(), 10) == 0
        assert time.monotonic() - asked_at < 5
    assert discord.log.invalid == 0


@pytest.mark.parametrize("missing", [0, places.USE_EXTERNAL_APPS])
async def test_a_guest_answers_in_a_group_and_in_a_strange_server(
    discord, hiapi, tmp_path, missing
):
    mine = {"1": asking.USER}
    async with easel(discord, hiapi, tmp_path, ALLOW_USER_INSTALL="true"):
        await discord.synced()
        group = await discord.command(
            "imagine", {"prompt": "a heron"}, guild=None, context=2, owners=mine, locale="ja"
        )
        strange = await discord.command(
            "imagine",
            {"prompt": "a bittern"},
            owners=mine,
            locale="pt-BR",
            permissions=places.ALL_PERMISSIONS & ~missing,
        )
        assert not (await group.pictured(seconds=20)).ephemeral
        assert (await strange.pictured(seconds=20)).ephemeral is bool(missing)
        for asked in (group, strange):
            assert {edit.how for edit in asked.edits} == {"original"}
            assert (asked.followups, asked.refusals) == ([], [])
    assert discord.log.invalid == 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
async def test_what_asks_it_to_stop_is_logged_and_so_is_what_is_left(tmp_path, number):
    async with processes.opened(tmp_path, seconds=(30.0, 40.0, 30.0)) as scene:
        process = await scene.start()
        await scene.imagine()
        await processes.eventually(lambda: scene.tasks)
        await processes.eventually(lambda: scene.jobs[0]["state"] == "submitted")
        process.running.send_signal(number)
        if number == signal.SIGHUP:
            # A shell that goes tells it once more.
            await processes.eventually(lambda: process.said("easel.stopping"))
            process.running.send_signal(number)
        assert await process.ended() == 0
        assert [line["signal"] for line in process.said("easel.stopping")] == [number.name]
        [left] = process.said("easel.stopped")
        assert (left["queued"], left["submitted"], left["undelivered"]) == (0, 1, 0)


async def test_what_was_started_to_outlive_its_terminal_does(tmp_path):
    async with processes.opened(tmp_path) as scene:
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        try:
            process = await scene.start()
        finally:
            signal.signal(signal.SIGHUP, before)
        process.running.send_signal(signal.SIGHUP)
        asked = await scene.imagine()
        await asked.pictured(seconds=20)
        await process.stop()


async def test_whoever_starts_beside_another_is_told_and_works_all_the_same(tmp_path):
    async with processes.opened(tmp_path) as scene:
        first = await scene.start()
        second = await scene.start()
        await first.kill()
        third = await scene.start()
        asked = await scene.imagine()
        await asked.pictured(seconds=20)
        for each in (second, third):
            await each.stop()
        last = await scene.start()
        await last.stop()
        [started] = last.said("easel.started")
        assert started["version"] == str(version.read())
        told = [len(each.said("easel.not_alone")) for each in scene.processes]
        assert told == [0, 1, 1, 0]
        [line] = second.said("easel.not_alone")
        assert (line["level"], line["database"]) == ("warning", str(scene.database))
