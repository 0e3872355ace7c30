"""Which Easel this is, as a clone, a worktree, an image and an installed package tell it."""

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from bot import version

ROOT = Path(__file__).parents[2]
NUMBER = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]


def git(folder, *words):
    who = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
    done = subprocess.run(  # noqa: S603 - the git of whoever runs the tests
        ["git", "-C", folder, *who, *words],  # noqa: S607 - as above
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path, monkeypatch):
    monkeypatch.delenv(version.COMMIT, raising=False)
    folder = tmp_path / "clone"
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[project]\nname = "easel"\nversion = "0.7.1"\n')
    git(folder, "init", "--quiet", "--initial-branch=some/branch")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=one")
    return folder


def test_a_clone_knows_its_version_and_its_commit(clone):
    commit = git(clone, "rev-parse", "HEAD")[:10]
    assert version.read(clone) == version.Version("0.7.1", commit)
    assert str(version.read(clone)) == f"0.7.1 ({commit})"


@pytest.mark.parametrize("words", [["pack-refs", "--all"], ["checkout", "--quiet", "--detach"]])
def test_however_git_keeps_it(clone, words):
    git(clone, *words)
    assert version.read(clone).commit == git(clone, "rev-parse", "HEAD")[:10]


def test_a_worktree_has_a_commit_of_its_own(clone, tmp_path):
    tree = tmp_path / "tree"
    git(clone, "worktree", "add", "--quiet", "-b", "other", tree)
    git(tree, "commit", "--quiet", "--allow-empty", "--message=two")
    assert version.read(tree).commit == git(tree, "rev-parse", "HEAD")[:10]
    assert version.read(tree).commit != version.read(clone).commit


def test_an_image_is_told_its_commit(clone, monkeypatch):
    monkeypatch.setenv(version.COMMIT, "0123456789abcdef0123456789abcdef01234567")
    assert version.read(clone).commit == "0123456789"
    monkeypatch.setenv(version.COMMIT, "no commit; at all")
    assert version.read(clone).commit == ""


def test_what_nobody_knows_is_left_out(tmp_path, monkeypatch):
    monkeypatch.delenv(version.COMMIT, raising=False)
    try:
        installed = metadata.version(version.NAME)
    except metadata.PackageNotFoundError:
        installed = version.UNKNOWN
    assert str(version.read(tmp_path)) == installed


def test_the_command_line_says_it():
    said = subprocess.run(
        [sys.executable, "-m", "bot", "--version"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert said.stdout == f"Easel {version.read()}\n"
    assert said.stdout.startswith(f"Easel {NUMBER}")


def test_the_image_takes_both_along():
    build = (ROOT / "Dockerfile").read_text("utf-8")
    assert "COPY pyproject.toml" in build
    assert f"ENV {version.COMMIT}=$COMMIT" in build
    assert "!pyproject.toml" in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
