"""The stand-in's task book: tasks, their status by the clock, idempotency keys, bills, counts.

Pure bookkeeping. It never waits, paints, fetches or sends: a status is worked out when it is read.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from sandbox import contract, faults

Stages = tuple[float, float, float]
"""Seconds spent queued, handling and archiving."""

DAY = 86_400

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(slots=True, eq=False)
class Task:
    """One task. `ready_at` is when its references were in hand: infinity holds it in handling."""

    task_id: str
    order: contract.Order
    created: float
    stages: Stages
    fate: faults.Fate
    trick: faults.Trick
    token: str
    ready_at: float
    failure: tuple[str, str] | None = None
    picture: bytes | None = None
    reads: int = 0

    @property
    def starts_at(self) -> float:
        """When handling begins (Unix seconds)."""
        return self.created + self.stages[0]

    @property
    def handled_at(self) -> float:
        """When handling ends; infinity while that is unknown."""
        return max(self.starts_at + self.stages[1], self.ready_at)

    @property
    def ends_at(self) -> float:
        """When the task is terminal. A failure skips archiving."""
        return self.handled_at if self.error else self.handled_at + self.stages[2]

    @property
    def error(self) -> tuple[str, str] | None:
        """Code and message it fails, or will fail, with."""
        return self.failure or self.fate.error

    @property
    def path(self) -> str:
        """Where its picture is served."""
        return f"/files/{self.token}/0.png"

    @property
    def expires(self) -> int:
        """`expireAt` of its output."""
        return int(self.ends_at) + self.fate.lifetime

    def status(self, now: float) -> str:
        """The word the API shows at `now`."""
        if now < self.starts_at:
            return "queued"
        if now >= self.ends_at:
            return "fail" if self.error else "success"
        return "archiving" if now >= self.handled_at else self.fate.strange or "handling"

    def view(self, now: float, *, origin: str) -> dict[str, object]:
        """The task object of detail, list and callback; it never echoes the input."""
        status = self.status(now)
        told: dict[str, object] = {
            "taskId": self.task_id,
            "model": self.order.model,
            "status": status,
            "created": int(self.created),
            "completed": int(self.ends_at) if status in {"success", "fail"} else 0,
        }
        if self.order.route:
            told["route"] = self.order.route
        if status == "success":
            told["storage"] = self.order.storage
            told["output"] = self._output(origin + self.path)
        elif status == "fail" and self.error:
            told["error"] = {"code": self.error[0], "message": self.error[1]}
        return told

    def _output(self, url: str) -> list[object]:
        if self.fate.output is None:
            return [{"url": url, "type": "image", "expireAt": self.expires}]
        told: list[object] = []
        for item in self.fate.output:
            if isinstance(item, dict):
                address = str(item.get("url", "")).replace("{url}", url)
                told.append({**item, "url": address, "expireAt": self.expires})
            else:
                told.append(item)
        return told


@dataclass(frozen=True, slots=True)
class Bill:
    """What the account pays for: one per task made, none for a replay or a refusal."""

    task_id: str
    model: str
    key: str


@dataclass(slots=True)
class _Claim:
    digest: bytes
    at: float
    task_id: str = ""


KeyState = Literal["new", "processing", "mismatch", "replay"]


@dataclass(slots=True)
class TaskBook:
    """Every task of the account, its bills, and how often each route was asked.

    `requests` counts by route (`create`, `detail`, `list`, `file`, `callback`), `answers` by
    (route, HTTP status), where a dropped connection is status 0.
    """

    bills: list[Bill] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    _tasks: dict[str, Task] = field(default_factory=dict)
    _ids: list[str] = field(default_factory=list)
    _tokens: dict[str, Task] = field(default_factory=dict)
    _claims: dict[str, _Claim] = field(default_factory=dict)

    @property
    def created(self) -> int:
        """How many tasks were made."""
        return len(self._ids)

    @property
    def all(self) -> tuple[Task, ...]:
        """Every task, oldest first."""
        return tuple(self._tasks.values())

    def find(self, *names: str) -> Task | None:
        """The task with one of these names: its id or the token its picture is served under."""
        for name in names:
            task = self._tasks.get(name) or self._tokens.get(name)
            if task is not None:
                return task
        return None

    def by_key(self, key: str) -> Task | None:
        """The task made under an Idempotency-Key."""
        claim = self._claims.get(key)
        return self._tasks.get(claim.task_id) if claim else None

    def page(self, number: int, *, size: int) -> list[Task]:
        """One page, newest first."""
        start = max(0, len(self._ids) - number * size)
        stop = max(0, len(self._ids) - (number - 1) * size)
        return [self._tasks[task_id] for task_id in reversed(self._ids[start:stop])]

    def claim(self, key: str, *, raw: bytes, now: float) -> tuple[KeyState, Task | None]:
        """Take an Idempotency-Key for these raw bytes, or say why not. Keys live 24 hours."""
        digest = hashlib.sha256(raw).digest()
        held = self._claims.get(key)
        if held is None or (held.task_id and now - held.at >= DAY):
            self._claims[key] = _Claim(digest, now)
            return "new", None
        if held.digest != digest:
            return "mismatch", None
        if not held.task_id:
            return "processing", None
        return "replay", self._tasks[held.task_id]

    def release(self, key: str) -> None:
        """Give back a key whose request made no task."""
        claim = self._claims.get(key)
        if claim is not None and not claim.task_id:
            del self._claims[key]

    def open(
        self,
        order: contract.Order,
        *,
        now: float,
        stages: Stages,
        fate: faults.Fate,
        trick: faults.Trick,
        key: str = "",
    ) -> Task:
        """Make one task and its bill."""
        pace = 0.0 if trick.early else fate.pace
        waits = bool(order.input_urls) or fate.never
        task = Task(
            task_id=_task_id(now),
            order=order,
            created=now,
            stages=(stages[0] * pace, stages[1] * pace, stages[2] * pace),
            fate=fate,
            trick=trick,
            token=secrets.token_urlsafe(18),
            ready_at=math.inf if waits else now,
        )
        self._tasks[task.task_id] = task
        self._ids.append(task.task_id)
        self._tokens[task.token] = task
        self.bills.append(Bill(task.task_id, order.model, key))
        if key:
            self._claims[key].task_id = task.task_id
        return task


def _task_id(now: float) -> str:
    """`tk-hiapi-` and a ULID: 48 bits of milliseconds, 80 random ones, in Crockford base 32."""
    number = (int(now * 1000) << 80) | secrets.randbits(80)
    return "tk-hiapi-" + "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))
