"""Which Easel this is: its version, and the commit it was made from, where that is known.

It owns where that is looked for, each time somebody asks; it never runs git and asks no network.
"""

import os
import re
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAME = "easel"
COMMIT = "EASEL_COMMIT"  # of the environment: an image has no git folder
SHORT = 10  # characters
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Version:
    """`commit` is empty where nobody knows it."""

    number: str
    commit: str = ""

    def __str__(self) -> str:
        return f"{self.number} ({self.commit})" if self.commit else self.number


def read(root: Path = ROOT) -> Version:
    """The version of the Easel in this folder."""
    commit = os.environ.get(COMMIT) or _head(root / ".git")
    known = re.fullmatch(r"[0-9a-f]{7,64}", commit.strip())
    return Version(_number(root / "pyproject.toml"), known[0][:SHORT] if known else "")


def _number(project: Path) -> str:
    """A clone says it of itself; what was installed elsewhere, its package says."""
    try:
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
    except (OSError, ValueError, LookupError):
        pass
    try:
        return metadata.version(NAME)
    except metadata.PackageNotFoundError:
        return UNKNOWN


def _head(git: Path) -> str:
    """The commit that is checked out, or nothing (gitrepository-layout(5))."""
    try:
        if git.is_file():  # a worktree's, which says where its own folder is
            git = git.parent / git.read_text("utf-8").strip().removeprefix("gitdir: ")
        head = (git / "HEAD").read_text("utf-8").strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        common = git / "commondir"
        refs = git / common.read_text("utf-8").strip() if common.is_file() else git
        if (refs / name).is_file():
            return (refs / name).read_text("utf-8")
        packed = re.search(
            rf"^([0-9a-f]+) {re.escape(name)}$",
            (refs / "packed-refs").read_text("utf-8"),
            re.MULTILINE,
        )
    except (OSError, ValueError):
        return ""
    return packed[1] if packed else ""
