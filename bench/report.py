"""Figures as Markdown: tables, targets met or missed, and the page they stand on.

It owns the wording of the page; it never measures anything.
"""

import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench import process
from bench.load import Round

COLUMNS: Mapping[str, str] = {
    "ack p50 / p95 / p99": "ms from the command's event to its acknowledgement",
    "shown p50 / p95 / p99": "ms from the task's end to the picture in Discord",
    "rate": "pictures per second",
    "CPU": "ms of the bot's process per job",
    "idle, peak": "resident MB at rest and at most",
    "requests": "to HiAPI per job",
    "edits": "of a command's message per job, the last one included",
    "lost, double, billed twice": "jobs",
}
INTRODUCTION = """\
# What Easel costs

Written by `make bench`. The bot is a process of its own on real sockets, between a stand-in for
Discord and one for HiAPI that share another process. Commands come on a fixed schedule, whatever
the bot makes of it; every picture has 1.5 MB. The bare bot (`bench/bare.py`) does the same work
without a ledger; rounds of both alternate, and figures of several rounds are their medians.
"""


@dataclass(frozen=True, slots=True)
class Target:
    """What was promised, and what came of it."""

    promise: str
    figure: str
    met: bool


@dataclass(slots=True)
class Section:
    """A scenario's part of the page."""

    title: str
    words: str
    rows: list[tuple[str, Round]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)

    def text(self) -> str:
        """The section, its heading included."""
        parts = [f"## {self.title}", f"{stamp()} {self.words}"]
        if self.rows:
            parts.append(table(self.rows))
        if self.lines:
            parts.append("\n".join(self.lines))
        if self.targets:
            parts.append("\n".join(_verdict(target) for target in self.targets))
        return "\n\n".join(parts)


def table(rows: Sequence[tuple[str, Round]]) -> str:
    """One line for each kind of bot."""
    lines = [_line(["", *COLUMNS]), _line(["---"] * (len(COLUMNS) + 1))]
    lines += [_line([name, *cells(figures)]) for name, figures in rows]
    return "\n".join(lines)


def cells(figures: Round) -> list[str]:
    """A round's figures as the table has them."""
    return [
        " / ".join(f"{value:.1f}" for value in figures.ack),
        " / ".join(f"{value:.0f}" for value in figures.shown),
        f"{figures.throughput:.1f}",
        f"{figures.cpu:.1f}",
        f"{figures.idle:.0f}, {figures.peak:.0f}",
        f"{figures.requests:.2f}",
        f"{figures.edits:.2f}",
        f"{figures.lost}, {figures.duplicated}, {figures.twice}",
    ]


def write(path: Path, sections: Iterable[Section]) -> None:
    """Put the sections on the page; what was not measured this time stays as it was."""
    kept = dict(_split(path.read_text(encoding="utf-8"))) if path.exists() else {}
    for section in sections:
        kept[section.title] = section.text()
    legend = "\n".join(f"- **{name}**: {words}" for name, words in COLUMNS.items())
    text = "\n\n".join([INTRODUCTION, legend, *(kept[title].strip() for title in sorted(kept))])
    path.write_text(text.replace("\n\n\n", "\n\n") + "\n", encoding="utf-8")


def stamp() -> str:
    """When, with which command, and on what machine."""
    # Where it was written says nothing about the figures.
    words = " ".join(sys.argv[1:]).partition(" --out")[0]
    command = f"python -m bench.run {words}".rstrip()
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, `{command}`; {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, Linux {platform.release()}, "
        f"load {process.load()}."
    )


def _split(text: str) -> Iterable[tuple[str, str]]:
    for part in text.split("\n## ")[1:]:
        yield part.partition("\n")[0], f"## {part}"


def _line(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"


def _verdict(target: Target) -> str:
    return f"- {'met' if target.met else '**missed**'}: {target.promise} ({target.figure})"
