"""The operator's documents: whatever they tell somebody to type, set or open is there."""

import re
import shlex
from pathlib import Path

import discord
import pytest
import typer
from typer.exceptions import TyperException

from bot import links, web
from bot.__main__ import cli
from bot.alarms import Alarm
from bot.ledger import privacy
from bot.settings import Settings

ROOT = Path(__file__).parents[2]
GUIDES = ("README.md", "docs/operate.md")
TEMPLATES = ("docs/privacy-policy.md", "docs/terms.md")
# Words in capitals that are to be replaced, with something that may stand there.
STAND_FOR = {"PERSON": "1", "SERVER": "1", "ID": "1", "JOB": "abc", "PATH": "copies"}
# In .env, but for Compose alone.
COMPOSE = {"EASEL_DOMAIN", "POSTGRES_PASSWORD"}
PLACES = {"APPLICATION_ID", "YOUR_SERVER"}


def text(file):
    return (ROOT / file).read_text(encoding="utf-8")


def code(file):
    """All that stands as code in a document: the lines of its blocks, and what is between ticks."""
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text(file), re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^ *```\w*\n.*?^ *```", "", text(file), flags=re.MULTILINE | re.DOTALL)
    yield from (line.strip() for block in blocks for line in block.splitlines())
    yield from (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", rest))


def commands(file):
    """What follows `python -m bot`, and the README's table of commands."""
    for span in code(file):
        _, found, rest = span.partition("python -m bot ")
        if found and not rest.startswith("..."):
            yield rest.removesuffix("` in").replace("[--image FILE ...]", "--image a.png")
    table = text(file).partition("## Operating\n")[2].partition("\n## ")[0]
    for cell in re.findall(r"^\| (`.+?`) \|", table, re.MULTILINE):
        yield from re.findall(r"`([^`]+)`", cell)


def parsed(line):
    """The context of a command line, as the command line itself reads it; nothing is done."""
    words = [STAND_FOR.get(word, word) for word in shlex.split(line)]
    command = typer.main.get_command(cli)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    return command.make_context(command.name, words)


@pytest.mark.parametrize("file", GUIDES)
def test_every_command_is_there_with_these_options(file):
    lines = {*commands(file)}
    assert len(lines) > 5
    for line in lines:
        assert parsed(line), line


@pytest.mark.parametrize(
    "line", ["doctors", "jobs move JOB", "backup", "erase --user PERSON --now", "export --user X"]
)
def test_a_command_that_is_not_there_would_be_noticed(line):
    with pytest.raises((KeyError, TyperException)):
        parsed(line)


def test_the_guide_names_every_command():
    root = typer.main.get_command(cli)
    told = {line.split()[0] for line in commands("docs/operate.md")}
    assert {*root.commands} - told == {"demo", "run"}  # `make run`
    jobs = {line.split()[1] for line in commands("docs/operate.md") if line.startswith("jobs ")}
    assert jobs == {*root.commands["jobs"].commands}


@pytest.mark.parametrize("file", GUIDES)
def test_every_verb_of_make_is_there(file):
    makefile = text("Makefile")
    verbs = {*re.findall(r"^([a-z]+):", makefile, re.MULTILINE)}
    assert "RUN := $(VENV)/run.stamp" in makefile
    used = [span.partition("#")[0].split()[1:] for span in code(file) if span.startswith("make ")]
    assert used
    for words in used:
        [verb] = [word for word in words if "=" not in word]
        assert verb in verbs | {".venv/run.stamp"}, verb


@pytest.mark.parametrize("file", GUIDES)
def test_every_setting_is_one(file):
    named = {
        word
        for span in code(file)
        for word in re.findall(r"(?<![\w$])[A-Z][A-Z0-9]*_[A-Z0-9_]+\b", span)
    }
    known = {name.upper() for name in Settings.model_fields}
    assert named & known
    assert named <= known | COMPOSE | PLACES, named - known
    for name in COMPOSE:
        assert f"${{{name}:-" in text("compose.yaml")


def test_each_alarm_has_its_section():
    part = text("docs/operate.md").partition("## 11. Alarms")[2].partition("\n## ")[0]
    assert re.findall(r"^### `(\w+)`$", part, re.MULTILINE) == [*Alarm]


def test_each_line_of_the_doctor_is_one():
    part = text("docs/operate.md").partition("## 12. ")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.+?`) \|", part, re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "bot/operate").glob("*.py"))
    assert len(named) > 10
    assert {name for name in named if f'"{name}"' not in source} == set()


# Discord ------------------------------------------------------------------------------------


def test_the_invitation_asks_for_what_the_guide_lists_and_no_more():
    table = text("docs/operate.md").partition("| Permission |")[2].partition("\n\n")[0]
    names = re.findall(r"^ *\| ([A-Z][\w ]+) \|", table, re.MULTILINE)
    flags = {name.lower().replace(" ", "_"): True for name in names}
    wanted = discord.Permissions(**flags)
    for file in GUIDES:
        assert {*re.findall(r"permissions=(\d+)", text(file))} == {str(wanted.value)}
        for name in names:
            assert name in " ".join(text(file).split())
        assert {*re.findall(r"scope=([\w.+]+)", text(file))} == {"bot+applications.commands"}
    # What a late answer takes: see `bot.ladder` and `bot.messenger`.
    needed = discord.Permissions(
        view_channel=True,
        send_messages=True,
        send_messages_in_threads=True,
        attach_files=True,
        read_message_history=True,
    )
    assert wanted == needed


# Files --------------------------------------------------------------------------------------


def anchors(file):
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text(file), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("file", [*GUIDES, *TEMPLATES])
def test_links_lead_to_files_and_headings(file):
    for target, anchor in re.findall(r"\[[^]]*\]\((?!https?:)([^)#]*)#?([^)]*)\)", text(file)):
        path = (ROOT / file).parent / target if target else ROOT / file
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path.resolve().relative_to(ROOT)), anchor


def test_every_profile_of_compose_is_one():
    there = {*re.findall(r"profiles: \[(\w+)\]", text("compose.yaml"))}
    named = {each for file in GUIDES for each in re.findall(r"--profile (\w+)", text(file))}
    assert named == there


def test_what_a_proxy_lets_through_is_what_the_web_server_has():
    passed = re.search(r"@easel path (.+)", text("deploy/Caddyfile"))[1].split()
    assert passed == [f"{web.CALLBACK_PATH}*", f"{links.PATH}*", "/readyz"]
    part = text("docs/operate.md").partition("## 6. ")[2].partition("\n## ")[0]
    for path in passed:
        assert f"`{path.removesuffix('*')}`" in part


def test_the_unit_runs_what_the_guide_installs():
    unit = dict(re.findall(r"^(\w+)=(.+)$", text("deploy/easel.service"), re.MULTILINE))
    guide = text("docs/operate.md")
    home = unit["WorkingDirectory"]
    assert f"useradd --system --home-dir {home}" in guide
    assert f"-o {unit['User']} -g {unit['Group']} .env.example {home}/.env" in guide
    python, run = unit["ExecStart"].split(" ", 1)
    assert f"sudo -u {unit['User']} {python} -m bot doctor" in guide
    owner = f"-o {unit['User']} -g {unit['Group']}"
    assert f"install -d -m 700 {owner} copies" in guide
    assert f"sudo -u {unit['User']} {python} -m bot backup copies" in guide
    assert f"install -m 600 {owner} copies/easel-DATE.db data/easel.db" in guide
    assert run == "-m bot run"
    assert (ROOT / unit["Documentation"].removeprefix("file:///opt/easel/")).is_file()
    assert unit["RestartPreventExitStatus"] == "2"


# Templates ----------------------------------------------------------------------------------


@pytest.mark.parametrize("file", TEMPLATES)
def test_what_is_to_be_filled_in_stands_at_the_top(file):
    head, _, body = text(file).partition("\nSince ")
    listed = re.findall(r"^\| \[([A-Z ]+)\] \|", head, re.MULTILINE)
    assert len(listed) == len({*listed})
    assert {*re.findall(r"\[([A-Z][A-Z ]+)\](?!\()", body + text(file).splitlines()[0])} == {
        *listed
    }


# What the policy calls the rows of each table that tells of people. A new table needs a line.
ROWS = {
    "replies": "Your request",
    "jobs": "The pictures that were made",
    "preferences": "Your choices in `/preferences`",
    "spending": "How many pictures you used",
    "blocks": "Who is blocked or paused",
    "changes": "who changed its rules",
    "reports": "Reports of pictures",
}


def test_the_policy_tells_of_every_table_with_people_in_it():
    assert {*privacy.STAYS, *privacy.DROPPED, "spending"} == {*ROWS}
    kept = text("docs/privacy-policy.md").partition("## What is kept")[2].partition("\n## ")[0]
    for words in ROWS.values():
        assert words in kept
