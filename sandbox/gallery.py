"""Pictures of the stand-in: fetches the references of a task, paints, keeps the latest paintings.

Owns everything slow about a picture and does it off the event loop; it never answers a request.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import aiohttp

from sandbox import painter, tasks

Paint = Callable[[painter.PaintJob], bytes]
Resolve = Callable[[str], Awaitable[bytes]]

REFERENCE_LIMIT = 30 * 1024 * 1024
REFERENCE_SECONDS = 15.0
_KEPT = 48
_CHUNK = 64 * 1024


class UnfetchableError(Exception):
    """A reference address gave no usable picture. A resolver raises this, or any of `_FAILURES`."""


_FAILURES = (UnfetchableError, aiohttp.ClientError, OSError, LookupError, ValueError)


class Gallery:
    """Paints a task's picture once, at its first read; at handling for one with references."""

    def __init__(self, *, paint: Paint, resolve: Resolve) -> None:
        self._paint = paint
        self._resolve = resolve
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="painter")
        self._painted: OrderedDict[str, asyncio.Future[bytes]] = OrderedDict()

    async def gather(self, task: tasks.Task) -> None:
        """Fetch the task's references and paint; leaves `failure` or `picture` on the task."""
        fetches = (self._resolve(url) for url in task.order.input_urls)
        fetched = await asyncio.gather(*fetches, return_exceptions=True)
        references: list[bytes] = []
        for number, result in enumerate(fetched, start=1):
            if isinstance(result, bytes) and painter.is_picture(result):
                references.append(result)
            elif isinstance(result, BaseException) and not isinstance(result, _FAILURES):
                raise result
            else:
                task.failure = _unusable(number)
                return
        try:
            task.picture = await self._in_thread(_job(task, tuple(references)))
        except painter.UnreadableReferenceError as exc:
            task.failure = _unusable(exc.number)

    async def picture(self, task: tasks.Task) -> bytes:
        """The PNG of a successful task; concurrent readers share one painting."""
        if task.picture is not None:
            return task.picture
        painting = self._painted.get(task.task_id)
        if painting is None:
            painting = asyncio.ensure_future(self._in_thread(_job(task, ())))
            self._painted[task.task_id] = painting
            # Painting again gives the same bytes, so only the latest are worth their memory.
            while len(self._painted) > _KEPT:
                self._painted.popitem(last=False)
        return await asyncio.shield(painting)

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, job: painter.PaintJob) -> bytes:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._paint, job)


def web_resolver(session: aiohttp.ClientSession) -> Resolve:
    """The default: a plain GET with a size cap and a time limit."""

    async def resolve(url: str) -> bytes:
        limit = aiohttp.ClientTimeout(total=REFERENCE_SECONDS)
        async with session.get(url, timeout=limit) as answer:
            answer.raise_for_status()
            body = bytearray()
            async for chunk in answer.content.iter_chunked(_CHUNK):
                body += chunk
                if len(body) > REFERENCE_LIMIT:
                    raise UnfetchableError("reference image is too large")
            return bytes(body)

    return resolve


def _unusable(number: int) -> tuple[str, str]:
    return "TASK_FAILED", f"could not fetch reference image {number}"


def _job(task: tasks.Task, references: tuple[bytes, ...]) -> painter.PaintJob:
    return painter.PaintJob(
        prompt=task.order.prompt,
        aspect_ratio=task.order.aspect_ratio,
        resolution=task.order.resolution,
        references=references,
        # By what is random of the id: its beginning is the time.
        seed=zlib.crc32(task.task_id[-16:].encode()),
    )
