"""HiAPI's callbacks: signing, the four tries, and the tricks played with them.

Owns what goes to a callback address and when it is tried again; it never changes a task.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp

from sandbox import agenda, faults, tasks

TIMESTAMP = "X-HiAPI-Timestamp"
SIGNATURE = "X-HiAPI-Signature"
_FORGER = "a-secret-the-forger-made-up"


def sign(secret: str, *, timestamp: str, body: bytes) -> str:
    """Lowercase hex HMAC-SHA256 over `timestamp + "." + body`, keyed with the account's secret."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Sends a task's callback and, without a 2xx in time, again after each of `delays` seconds."""

    session: aiohttp.ClientSession
    book: tasks.TaskBook
    agenda: agenda.Agenda
    clock: Callable[[], float]
    origin: str
    secret: str
    delays: Sequence[float]
    timeout: float

    async def call(self, task: tasks.Task) -> None:
        """The callback of a task that has just ended, with its trick."""
        if task.trick.forged:
            await self.send(task, faults.Trick(forged=True))
        if not task.trick.silent:
            copies = (self._attempt(task, tried=0) for _ in range(task.trick.copies))
            await asyncio.gather(*copies)

    async def send(self, task: tasks.Task, trick: faults.Trick) -> int:
        """One POST now, never retried; returns the receiver's status, 0 for none.

        A forged one tells of a success that is not so, signed with a secret that is not the
        account's.
        """
        now = self.clock()
        told = task.view(now, origin=self.origin)
        if trick.forged:
            lie = {"url": f"{self.origin}/files/forged/0.png", "type": "image", "expireAt": 0}
            told = {**told, "status": "success", "completed": int(now), "output": [lie]}
        body = json.dumps(told).encode()
        headers = {"Content-Type": "application/json"}
        if self.secret:
            stamp = str(int(now - trick.age))
            secret = _FORGER if trick.forged else self.secret
            headers[TIMESTAMP] = stamp
            headers[SIGNATURE] = sign(secret, timestamp=stamp, body=body)
        status = await self._post(task.order.callback_url, body, headers)
        self.book.requests["callback"] += 1
        self.book.answers["callback", status] += 1
        return status

    async def _attempt(self, task: tasks.Task, *, tried: int) -> None:
        status = await self.send(task, faults.Trick(age=task.trick.age))
        if 200 <= status < 300 or tried >= len(self.delays):  # noqa: PLR2004 (any 2xx)
            return
        due = self.clock() + self.delays[tried]
        self.agenda.at(due, lambda: self._attempt(task, tried=tried + 1))

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        try:
            async with self.session.post(
                url,
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self.timeout),
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0
