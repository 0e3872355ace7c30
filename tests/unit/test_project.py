"""The project as a whole: imports do nothing, files stay small, documents say what is so."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from discord import app_commands

from bot import model
from bot.errors import WORDS, Code
from cogs.imagine import Imagine
from cogs.remix import Remix

ROOT = Path(__file__).parents[2]
PACKAGES = ("bot", "cogs", "sandbox")
# A page of a database's history runs when Alembic calls it, and at no other time.
NOT_IMPORTED = "bot/ledger/migrations"


def modules():
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if not path.relative_to(ROOT).as_posix().startswith(NOT_IMPORTED):
                yield path


def name(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def text(file):
    return (ROOT / file).read_text(encoding="utf-8")


def tracked():
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - the git of whoever runs the tests
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return [ROOT / entry for entry in listed.stdout.decode().split("\0") if entry]


# Importing ----------------------------------------------------------------------------------

# All is imported once, so that libraries have done what they do; then only our own modules are
# forgotten and imported again under watch.
WATCH = """
import importlib, json, os, sys, threading
names, packages = json.loads(sys.argv[1])
for name in names:
    importlib.import_module(name)
for name in [n for n in sys.modules if n.partition(".")[0] in packages]:
    del sys.modules[name]

done = []
# What importing itself does; and pydantic asks for its plug-ins whenever a model is defined.
QUIET = {"import", "compile", "exec", "marshal.loads", "os.listdir", "sys._getframe",
         "sys._getframemodulename", "code.__new__", "builtins.id", "object.__getattr__",
         "object.__setattr__", "object.__delattr__"}
PYDANTIC = "PYDANTIC_DISABLE_PLUGINS"

def watch(event, args):
    if event in QUIET:
        return
    if event == "open" and str(args[0]).endswith((".py", ".pyc")):
        return
    done.append(f"{event} {args[0] if args else ''}")

def read(key):
    if key != PYDANTIC:
        done.append(f"environment {key}")

class Environment(dict):
    def __getitem__(self, key):
        read(key)
        return super().__getitem__(key)
    def get(self, key, default=None):
        read(key)
        return super().get(key, default)
    def __contains__(self, key):
        read(key)
        return super().__contains__(key)

os.environ = Environment(os.environ)
threading.Thread.start = lambda thread: done.append(f"thread {thread.name}")
sys.addaudithook(watch)
sys.dont_write_bytecode = True
for name in names:
    importlib.import_module(name)
print(json.dumps(done))
"""


def test_importing_any_module_does_nothing():
    wanted = json.dumps([[name(path) for path in modules()], PACKAGES])
    ran = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", WATCH, wanted], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert json.loads(ran.stdout) == []
    assert ran.stderr == ""


# Size ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", modules(), ids=name)
def test_a_module_can_be_read_in_one_sitting(path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= (150 if path.is_relative_to(ROOT / "cogs") else 400)


@pytest.mark.parametrize("path", modules(), ids=name)
def test_a_module_says_what_it_owns(path):
    assert re.match(r'"""[^"]+\.', path.read_text(encoding="utf-8"))


def test_no_module_has_a_name_that_says_nothing():
    assert not {path.stem for path in modules()} & {"utils", "helpers", "constants", "common"}


# States and failures ------------------------------------------------------------------------


def arrows(document, heading):
    """The arrows of the diagram under a heading, as pairs of names; `[*]` is outside."""
    part = text(document).partition(heading)[2]
    diagram = re.search(r"```mermaid\nstateDiagram-v2\n(.*?)```", part, re.DOTALL)[1]
    return set(re.findall(r"^ *(\S+) --> ([^\s:]+)", diagram, re.MULTILINE))


def test_the_diagram_of_a_job_is_the_table_of_arrows():
    drawn = {arrow for arrow in arrows("ARCHITECTURE.md", "### A job") if "[*]" not in arrow}
    assert drawn == {(state, after) for state, end in model.ARROWS.items() for after in end}


def test_the_diagram_of_a_reply_has_every_state_of_delivery():
    drawn = arrows("ARCHITECTURE.md", "### A reply")
    assert {state for arrow in drawn for state in arrow} - {"[*]"} == set(model.Delivery)


def test_the_readme_names_every_state_of_a_job():
    part = text("README.md").partition("## What becomes of a job")[2].partition("\n## ")[0]
    assert part
    for state in [*model.State, *model.Delivery]:
        assert re.search(rf"\b{state}\b", part), state


def test_the_arrows_are_closed_and_reach_everything():
    assert set(model.ARROWS) == set(model.State)
    reached, fresh = set(), {model.State.RECEIVED}
    while fresh:
        reached |= fresh
        fresh = set().union(*(model.ARROWS[state] for state in fresh)) - reached
    assert reached == set(model.State)
    ends = {state for state, after in model.ARROWS.items() if not after}
    assert ends == {model.State.SETTLED, model.State.WITHDRAWN}


def test_every_way_to_fail_has_words():
    assert set(WORDS) == set(Code)
    for words in WORDS.values():
        assert words.advice.endswith(".")
        assert not words.title.endswith("."), "a title takes no full stop"
        assert words.operator[0].islower() or words.operator.startswith("HiAPI")


def test_every_way_to_fail_stands_in_the_drawing_of_errors():
    drawing = text("bot/errors.py").partition('"""\n\n')[0]
    assert {code.name for code in Code} <= set(re.findall(r"\b[A-Z_]{4,}\b", drawing))


# Documents ----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [Imagine.imagine, Remix.remix], ids=lambda c: c.name)
def test_the_readme_has_every_option_of_every_command(command: app_commands.Command):
    part = text("README.md").partition(f"### /{command.name}\n")[2].partition("\n#")[0]
    listed = re.findall(r"^\| `(\w+)`", part, re.MULTILINE)
    assert listed == [option.name for option in command.parameters]


def test_architecture_names_every_module():
    part = text("ARCHITECTURE.md").partition("## Modules")[2].partition("\n## ")[0]
    listed = set(re.findall(r"`([a-z0-9_/]+(?:\.py|/))`", part))
    for package in ("bot", "cogs"):
        for path in (ROOT / package).iterdir():
            module = path.name + "/" if path.is_dir() else path.name
            if not module.startswith("__init__") and (path.is_file() or [*path.glob("*.py")]):
                assert f"{package}/{module}" in listed


def test_architecture_names_no_module_that_is_gone():
    for named in re.findall(r"`((?:bot|cogs|sandbox|tests)/[\w/]*(?:\.py)?)`", documents()):
        assert (ROOT / named).exists(), named


def documents():
    return "\n".join(
        text(file) for file in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md")
    )


def test_the_links_of_the_documents_lead_somewhere():
    for target in re.findall(r"(?<!!)\[[^]]*\]\((?!https?:|#)([^)#]+)", documents()):
        assert (ROOT / target).exists(), target


def test_every_verb_of_the_makefile_is_known_to_contributors():
    verbs = re.findall(r"^([a-z]+):.*##", text("Makefile"), re.MULTILINE)
    assert len(verbs) > 5
    for verb in set(verbs) - {"help"}:
        assert f"`make {verb}" in text("CONTRIBUTING.md"), verb


def test_the_changelog_keeps_its_form():
    headings = re.findall(r"^#+ .*", text("CHANGELOG.md"), re.MULTILINE)
    assert headings[:2] == ["# Changelog", "## [Unreleased]"]
    kinds = "Added|Changed|Deprecated|Removed|Fixed|Security"
    version = r"## \[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}"
    for heading in headings[2:]:
        assert re.fullmatch(rf"{version}|### ({kinds})", heading), heading


# What is committed --------------------------------------------------------------------------


@pytest.mark.parametrize("lock", ["run", "dev"])
def test_the_locks_name_versions_and_hashes_and_no_source(lock):
    lines = text(f"requirements/{lock}.lock").splitlines()
    requirement = r"[a-z0-9.-]+(\[[a-z,]+\])?==\S+( ; .+)? \\"
    for line in lines:
        assert re.fullmatch(rf"{requirement}|    --hash=sha256:[0-9a-f]{{64}}( \\)?| +#.*", line)
    assert "://" not in text(f"requirements/{lock}.lock")


def test_what_runs_is_locked_to_the_same_versions_as_what_is_tested():
    pins = {
        lock: dict(re.findall(r"^(\S+?)(==\S+)", text(f"requirements/{lock}.lock"), re.MULTILINE))
        for lock in ("run", "dev")
    }
    assert pins["run"].items() <= pins["dev"].items()


def test_no_file_names_a_place_on_somebodys_machine():
    # Put together here, so that this file does not name one itself.
    places = re.compile(rb"(?<![\w.:/])/(?:%s)/" % b"|".join([b"work", b"root", b"home", b"Users"]))
    for path in tracked():
        if path.is_file() and path.suffix not in (".png", ".webp", ".jpg"):
            found = places.search(path.read_bytes())
            assert found is None, f"{path.relative_to(ROOT)}: {found}"


def test_no_secret_file_is_committed():
    assert not {".env", "data"} & {path.relative_to(ROOT).parts[0] for path in tracked()}


def test_the_image_gets_no_secret_and_no_history():
    ignored = text(".dockerignore").splitlines()
    assert ignored[0] == "*", "nothing but what is named"
    assert not {".env", ".git", "data"} & {line.removeprefix("!").strip("/") for line in ignored}


def test_the_image_is_built_from_the_lock_with_its_hashes():
    build = text("Dockerfile")
    assert "--require-hashes" in build
    assert "requirements/run.lock" in build
    assert re.search(r"^USER (?!root)", build, re.MULTILINE)
    assert re.search(r'^CMD \["', build, re.MULTILINE)


def test_pre_commit_runs_what_make_check_runs():
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", text("Makefile"), re.MULTILINE)[1]
    commands = [line.strip().replace("$(BIN)/", ".venv/bin/") for line in recipe.splitlines()]
    entries = re.findall(r"^ +entry: (.+)$", text(".pre-commit-config.yaml"), re.MULTILINE)
    assert entries == commands
