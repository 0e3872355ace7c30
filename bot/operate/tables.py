"""Findings, jobs and blocks as tables for a terminal of 80 columns, a file or a pipe.

It owns the looks and the last look for secrets; it never decides what is shown.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.allowance import dollars
from bot.ledger.desk import Entry
from bot.ledger.servers import ALL, Block
from bot.model import State, short_id
from bot.operate.findings import Finding, Level

HIDDEN = "[hidden]"
SHORTEST = 6  # a secret that is shorter may be part of an honest word
STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "bold red"}


def console(*, stderr: bool = False) -> Console:
    """One that colours only for a terminal, and not where NO_COLOR is set."""
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def clean(text: str, *, secrets: Collection[str] = ()) -> str:
    """Text that cannot steer a terminal and holds none of these secrets."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST:
            text = text.replace(secret, HIDDEN)
    return "".join(
        char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text
    )


def examined(found: Sequence[Finding], *, secrets: Collection[str]) -> Table:
    """The doctor's table: what is so, and below it what to do."""
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("Check", no_wrap=True)
    table.add_column("What is so, and what to do", overflow="fold")
    for each in found:
        said = Text(clean(each.what, secrets=secrets))
        if each.fix:
            said.append(f"\n-> {clean(each.fix, secrets=secrets)}", style="bold")
        table.add_row(Text(each.level, style=STYLES[each.level]), Text(each.name), said)
    return table


def as_json(found: Iterable[Finding], *, secrets: Collection[str]) -> str:
    """The same for scripts, a list of objects."""
    return _json(
        {key: clean(value, secrets=secrets) for key, value in asdict(each).items()}
        for each in found
    )


def _json(told: Iterable[dict[str, object]]) -> str:
    return json.dumps([*told], indent=2, ensure_ascii=False)


def summary(found: Sequence[Finding]) -> str:
    """How many of which, in one line."""
    counts = {level: sum(each.level is level for each in found) for level in Level}
    return ", ".join(
        f"{count} {level}{'s' if level is not Level.OK and count != 1 else ''}"
        for level, count in counts.items()
    )


def jobs(entries: Sequence[Entry], *, now: datetime) -> Table:
    """Two lines a job, for ids are long; they stand whole, as the other commands take them."""
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False)
    for heading in ("Job\n ", "State\n and end", "Reply\n and where it is", "Person\n ", "Age\n "):
        table.add_column(heading, no_wrap=True)
    for each in entries:
        end = each.job.outcome.end if each.job.outcome else "-"
        table.add_row(
            each.job.id,
            f"{each.job.state}\n {end}",
            f"{each.job.reply_id}\n {each.delivery}",
            str(each.job.user_id),
            age(now - each.job.created_at),
        )
    return table


def blocks(found: Sequence[Block], *, now: datetime) -> Table:
    """Who may not ask, for how long yet, and why."""
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False)
    table.add_column("Who", no_wrap=True)
    table.add_column("For", no_wrap=True)
    table.add_column("Why", overflow="fold")
    for each in found:
        left = age(each.until - now) if each.until else "until lifted"
        table.add_row(who(each.guild_id, each.user_id), left, Text(clean(each.reason)))
    return table


def blocks_json(found: Iterable[Block]) -> str:
    """The same for scripts."""
    return _json(
        {
            "server": str(each.guild_id) if each.user_id == ALL else None,
            "person": None if each.user_id == ALL else str(each.user_id),
            "until": each.until and each.until.isoformat(),
            "reason": each.reason,
        }
        for each in found
    )


def who(guild_id: int, user_id: int) -> str:
    """Whom a block is for."""
    return f"server {guild_id}" if user_id == ALL else f"person {user_id}"


def age(passed: timedelta) -> str:
    """`42 s`, `5 min`, `3 h`, `12 d`."""
    seconds = max(0, int(passed.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def job(entry: Entry, *, now: datetime, prompt: bool) -> Table:
    """All that an operator may see of one job; the prompt only where it was asked for."""
    one, request = entry.job, entry.job.request
    told: dict[str, object] = {
        "Job": f"{one.id} (on its card: {short_id(one.id)})",
        "Reply": f"{one.reply_id}, {entry.delivery}{', private' if entry.private else ''}",
        "Person": one.user_id,
        "Server": entry.guild_id or "none",
        "State": f"{one.state}, {age(now - one.created_at)} old",
        "Request": f"{request.kind}: {request.model}, {request.aspect_ratio}, {request.resolution}",
        "Images": len(request.references),
        "Price": "unknown" if one.price is None else f"${dollars(one.price)}",
        "Sent first": _at(one.first_post_at),
        "Sends again": one.attempts,
        "Task": f"{one.task_id} ({one.task_status or 'not looked at'})" if one.task_id else "none",
        "Settled": _at(one.settled_at),
    }
    if one.outcome is not None:
        code = f", {one.outcome.code}" if one.outcome.code else ""
        detail = f": {one.outcome.detail}" if one.outcome.detail else ""
        told["Outcome"] = f"{one.outcome.end}{code}{detail}"
    if one.state in (State.QUEUED, State.SUBMITTING):
        told["Due"] = _at(entry.due_at)
        told["Held by"] = entry.lease_owner or "nobody"
    if entry.trouble:
        told["Trouble"] = entry.trouble
    told["Prompt"] = request.prompt if prompt else f"{len(request.prompt)} characters (--prompt)"
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in told.items():
        table.add_row(name, Text(clean(str(value))))
    return table


def jobs_json(entries: Iterable[Entry], *, prompt: bool = False) -> str:
    """Jobs for scripts. Ids are strings, for they do not fit everybody's numbers."""
    return _json(
        _told(each) | ({"prompt": each.job.request.prompt} if prompt else {}) for each in entries
    )


def _told(entry: Entry) -> dict[str, object]:
    one, request, outcome = entry.job, entry.job.request, entry.job.outcome
    return {
        "job": one.id,
        "reply": one.reply_id,
        "person": str(one.user_id),
        "server": None if entry.guild_id is None else str(entry.guild_id),
        "state": one.state,
        "delivery": entry.delivery,
        "private": entry.private,
        "outcome": outcome and outcome.end,
        "code": outcome and outcome.code,
        "detail": outcome.detail if outcome else "",
        "trouble": entry.trouble,
        "kind": request.kind,
        "model": request.model,
        "aspect_ratio": request.aspect_ratio,
        "resolution": request.resolution,
        "images": len(request.references),
        "price": None if one.price is None else dollars(one.price),
        "task": one.task_id,
        "created_at": one.created_at.isoformat(),
        "first_post_at": one.first_post_at and one.first_post_at.isoformat(),
        "settled_at": one.settled_at and one.settled_at.isoformat(),
    }


def _at(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "never"
