"""The commands as Discord knows them, and what a person reads when one of them is defective."""

import importlib
import json
import pkgutil

import discord
import pytest
from discord import app_commands
from structlog.testing import capture_logs

import cogs
from bot.errors import WORDS, Code
from bot.intake import Intake
from tests.flow.studio import ACK, ORIGINAL

EXCUSE = f"**{WORDS[Code.INTERNAL].title}**\n{WORDS[Code.INTERNAL].advice}"
PUT = "/applications/*/commands"


def test_every_cog_can_be_imported():
    names = [module.name for module in pkgutil.iter_modules(cogs.__path__)]
    assert {"imagine", "remix"} <= set(names)
    for name in names:
        importlib.import_module(f"cogs.{name}")


async def test_names_do_not_clash_and_texts_fit(studio):
    commands = studio.app.bot.tree.get_commands()
    names = [(command.name, type(command)) for command in commands]
    assert len(names) == len(set(names))
    [group] = [command for command in commands if isinstance(command, app_commands.Group)]
    assert len(group.commands) <= 25
    for command in (*(each for each in commands if each is not group), *group.commands):
        told = command.to_dict(studio.app.bot.tree)
        if isinstance(command, app_commands.ContextMenu):
            assert 1 <= len(command.name) <= 32
            continue
        options = told["options"]
        assert len(options) <= 25
        assert len({option["name"] for option in options}) == len(options)
        for part in (told, *options):
            assert 1 <= len(part["name"]) <= 32
            assert part["name"] == part["name"].lower()
            assert 1 <= len(part["description"]) <= 100
            assert len(part.get("choices", [])) <= 25
        # What must be given comes before what may be left out, or Discord refuses the command.
        required = [option.get("required", False) for option in options]
        assert required == sorted(required, reverse=True)
        assert len(json.dumps(told)) < 8000


@pytest.mark.parametrize(
    ("settings", "installs", "contexts"),
    [
        ({"allow_user_install": True}, [0, 1], [0, 1, 2]),
        ({"allow_user_install": False}, [0], [0, 1]),
        ({"allow_user_install": False, "allow_dms": False}, [0], [0]),
    ],
)
async def test_menus_are_offered_where_commands_are(open_studio, settings, installs, contexts):
    async with open_studio(**settings) as studio:
        [put] = studio.sent("PUT", PUT)
        told = {each["name"]: each for each in put.json}
        assert {"Remix": 3, "Remix avatar": 2}.items() <= {
            name: each["type"] for name, each in told.items()
        }.items()
        # Rules are a server's own.
        rules = told.pop("easel")
        assert (rules["integration_types"], rules["contexts"]) == ([0], [0])
        for each in told.values():
            assert sorted(each["integration_types"]) == installs
            assert sorted(each["contexts"]) == contexts


async def test_commands_do_not_ask_for_rights_or_intents(studio):
    assert studio.app.bot.intents == discord.Intents.none()
    assert studio.app.bot.allowed_mentions.to_dict() == {"parse": []}
    [put] = studio.sent("PUT", PUT)
    asked = {command["name"]: command["default_member_permissions"] for command in put.json}
    manage = discord.Permissions(manage_guild=True).value
    assert asked.pop("easel") == manage
    assert set(asked.values()) == {None}
    assert not any(command["nsfw"] for command in put.json)


async def test_discord_is_told_only_what_changed(studio):
    assert len(studio.sent("PUT", PUT)) == 1
    assert await studio.app.sync() is False
    async with studio.restarted() as same:
        assert await same.sync() is False
        assert len(studio.sent("PUT", PUT)) == 1
        async with studio.restarted(allow_dms=False) as other:
            assert await other.sync() is True
            assert await other.sync() is False
            assert len(studio.sent("PUT", PUT)) == 2


async def test_a_sync_that_failed_is_done_again(studio):
    async with studio.restarted(allow_dms=False) as app:
        studio.env.inject_error("PUT", PUT, status=500)
        with pytest.raises(discord.HTTPException):
            await app.sync()
        assert await app.sync() is True


async def test_a_closed_ledger_is_no_riddle_to_the_person(studio):
    await studio.app.ledger.__aexit__()
    with capture_logs() as logs:
        result = await studio.imagine()
    assert "cannot write your request down right now" in studio.said(result)
    assert [line["event"] for line in logs] == ["house.not_read"]
    assert not studio.hiapi.tasks.requests


@pytest.mark.parametrize("private", [False, True])
async def test_a_defect_before_the_acknowledgement(studio, monkeypatch, private):
    async def defective(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(Intake, "receive", defective)
    with capture_logs() as logs:
        result = await studio.imagine(private=private)
    assert studio.said(result) == EXCUSE
    [line] = [line for line in logs if line["event"] == "command.failed"]
    assert isinstance(line["exc_info"], ZeroDivisionError)
    assert line["interaction"] == result._interaction.id


@pytest.mark.parametrize("private", [False, True])
async def test_a_defect_after_the_acknowledgement(studio, private):
    async def close_the_ledger(send):
        taken = await send()
        await studio.app.ledger.__aexit__()
        return taken

    studio.wire.hook("POST", ACK, close_the_ledger)
    with capture_logs() as logs:
        result = await studio.imagine(private=private)
    assert studio.said(result) == EXCUSE
    assert [line["log_level"] for line in logs if line["event"] == "command.failed"] == ["error"]
    assert studio.messages(viewer=studio.someone("onlooker")) == []

    # Who was told to ask again does not get the picture all the same.
    async with studio.restarted() as app:
        assert await studio.states() == ["received"]
        studio.clock.move(61)
        assert await app.recovery.step() == 1
        assert await studio.states() == ["withdrawn"]
        assert await studio.counted() == 0


async def test_an_excuse_that_discord_refuses_is_at_least_a_log_line(studio, monkeypatch):
    async def defective(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Intake, "receive", defective)
    studio.env.inject_error("POST", ACK, status=404, code=10062)
    with capture_logs() as logs:
        await studio.imagine()
    assert [line["event"] for line in logs] == ["command.failed", "command.no_excuse"]


@pytest.mark.parametrize(("status", "code"), [(404, 10062), (400, 40060)])
async def test_an_answer_that_discord_does_not_take_is_no_defect(studio, status, code):
    studio.env.inject_error("POST", ACK, status=status, code=code)
    with capture_logs() as logs:
        result = await studio.imagine(" ")
    assert not result.acknowledged
    assert len(studio.sent("POST", ACK)) == 1  # nobody can be told, least of all of a defect
    told = [(line["event"], line["log_level"]) for line in logs]
    assert told == [("command.unanswerable", "warning")]


async def test_one_defect_does_not_stop_the_next_command(studio, monkeypatch):
    async def defective(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(Intake, "receive", defective)
        await studio.imagine()
    result = await studio.imagine("a red fox")
    await studio.finish()
    assert studio.shown(result).gallery


async def test_commands_that_come_together_are_all_taken(studio):
    people = [studio.someone(f"person {number}") for number in range(8)]
    for person in people:
        await studio.imagine(f"for {person.name}", who=person)
    await studio.finish()
    assert {task.order.prompt for task in studio.tasks} == {f"for {p.name}" for p in people}
    assert len({edit.path for edit in studio.sent("PATCH", ORIGINAL)}) == 8
