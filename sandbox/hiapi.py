"""A stand-in for HiAPI's async task API: real sockets, the whole contract, no picture model.

Owns the routes and ties task book, faults, limits, callbacks and gallery together; it never calls
the real service. `sandbox/words.py` lists the words a prompt may hold to make things go wrong.

Run by hand: `python -m sandbox.hiapi --port 8090 [--secret ...]`
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import aiohttp
from aiohttp import web

from sandbox import (
    agenda,
    callbacks,
    contract,
    faultbook,
    faults,
    front,
    gallery,
    limits,
    painter,
    tasks,
    words,
)

BODY_LIMIT = 10 * 1024 * 1024
_DEFAULT_SIZE, _LARGEST_SIZE = 10, 100


class StandIn:
    """The server, as an async context manager. `base_url` holds once it is entered.

    `seconds` are a task's (queued, handling, archiving), or a function giving them per task.
    `clock` gives Unix seconds and may be moved by hand: statuses follow it on the next read,
    callbacks within a twentieth of a second, or at once with `settle()`.
    `resolve` fetches a reference's bytes; `paint` runs in a thread.
    """

    base_url: str

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str = "sk-sandbox",
        webhook_secret: str = "",
        seconds: tasks.Stages | Callable[[], tasks.Stages] = (1.0, 4.0, 0.5),
        requests_per_minute: int | None = 60,
        concurrency: int | None = 10,
        resolve: gallery.Resolve | None = None,
        paint: gallery.Paint = painter.paint,
        clock: Callable[[], float] = time.time,
        callback_delays: Sequence[float] = (60, 300, 1200),
        callback_timeout: float = 10.0,
        models: Mapping[str, contract.Rules] = contract.MODELS,
        seed: int = 0,
    ) -> None:
        self.tasks = tasks.TaskBook()
        self._host, self._port, self._secret = host, port, webhook_secret
        self._seconds, self._clock, self._models = seconds, clock, models
        self._resolve, self._paint = resolve, paint
        self._delays, self._callback_timeout = callback_delays, callback_timeout
        self._faults = faultbook.FaultBook(random.Random(seed))  # noqa: S311 (a repeatable die)
        self._front = front.Front(
            api_key=api_key,
            clock=clock,
            book=self.tasks,
            limit=limits.Limit(requests_per_minute, concurrency),
            planted=self._faults,
        )
        self._busy: set[bytes] = set()

    # --- life -------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, backlog=1024).start()
        self.base_url = f"http://{self._host}:{self._runner.addresses[0][1]}"
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self._agenda = agenda.Agenda(clock=self._clock)
        resolve = self._resolve or gallery.web_resolver(self._session)
        self._gallery = gallery.Gallery(paint=self._paint, resolve=resolve)
        self._caller = callbacks.Caller(
            session=self._session,
            book=self.tasks,
            agenda=self._agenda,
            clock=self._clock,
            origin=self.base_url,
            secret=self._secret,
            delays=self._delays,
            timeout=self._callback_timeout,
        )
        self._pump = asyncio.create_task(self._agenda.run())
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)
        await self._agenda.stop()
        await self._runner.cleanup()
        await self._session.close()
        self._gallery.close()

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=BODY_LIMIT)
        guarded, router = self._front.guarded, app.router
        router.add_post("/v1/tasks", guarded("create", self._create))
        router.add_get("/v1/tasks", guarded("list", self._list), allow_head=False)
        router.add_get("/v1/tasks/{id}", guarded("detail", self._detail), allow_head=False)
        router.add_get("/files/{token}/0.png", self._front.public("file", self._serve))
        router.add_route("*", "/{rest:.*}", self._nowhere)
        return app

    # --- by hand ----------------------------------------------------------------------------------

    def fault(
        self,
        what: faults.Fault,
        *,
        on: faults.Route | None = None,
        times: int | None = None,
        chance: float | None = None,
        match: str = "",
    ) -> faultbook.Planted:
        """Make the next matching occasion go wrong, the next `times`, or each with `chance`.

        `match` is looked for in the request's path and the prompt. Returns the planted fault:
        `.fired` counts its uses, `.lift()` ends it.
        """
        return self._faults.plant(what, on=on, times=times, chance=chance, match=match)

    def clear_faults(self) -> None:
        """Forget every planted fault."""
        self._faults.clear()

    async def settle(self) -> None:
        """Do everything due by the clock (references, callbacks) and wait until it is done."""
        await self._agenda.settle()

    async def send_callback(self, task_id: str, *, trick: faults.Trick | None = None) -> int:
        """Send a task's callback now, once; returns the receiver's status, 0 for none."""
        task = self.tasks.find(task_id)
        if task is None:
            raise LookupError(task_id)
        return await self._caller.send(task, trick or faults.Trick())

    # --- create -----------------------------------------------------------------------------------

    async def _create(self, request: web.Request, pause: front.Pause) -> contract.Answer:
        if "Content-Type" in request.headers and request.content_type != "application/json":
            return contract.problem(415, message="Content-Type must be application/json")
        try:
            raw = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return contract.problem(413, message="request body is larger than 10 MB")
        key = request.headers.get("Idempotency-Key", "")
        if len(key.encode("utf-8", "surrogateescape")) > contract.KEY_LIMIT:
            raise contract.invalid("Idempotency-Key is longer than 255 bytes")
        if key and (known := self._known(key, raw)):
            return known
        try:
            order = contract.read_order(raw, models=self._models)
            asked = words.found(order.prompt)
            self._refuse(order, asked, raw)
            await pause()
            task = self._open(order, asked, key)
        finally:
            self.tasks.release(key)
        if task.trick.early:
            await self._end_now(task)
        return contract.success({"taskId": task.task_id})

    def _known(self, key: str, raw: bytes) -> contract.Answer | None:
        state, task = self.tasks.claim(key, raw=raw, now=self._clock())
        if state == "processing":
            return contract.problem(
                409,
                message="an earlier request with this Idempotency-Key is still running",
                error_code="IDEMPOTENCY_KEY_PROCESSING",
                headers={"Retry-After": "5"},
            )
        if state == "mismatch":
            return contract.problem(
                422,
                message="this Idempotency-Key was used with another body",
                error_code="IDEMPOTENCY_KEY_MISMATCH",
            )
        if task is None:
            return None
        return contract.success({"taskId": task.task_id}, headers={"Idempotent-Replay": "true"})

    def _refuse(self, order: contract.Order, asked: tuple[str, ...], raw: bytes) -> None:
        for word in asked:
            if word == words.UNAVAILABLE and not order.model.endswith(words.RETIRING):
                continue
            if word in words.REFUSALS:
                raise contract.RejectedError(words.REFUSALS[word].answer)
            if word == words.BUSY and raw not in self._busy:
                self._busy.add(raw)
                answer = faults.rate_limited(retry_after=2).build(self._clock())
                raise contract.RejectedError(answer)

    def _open(self, order: contract.Order, asked: tuple[str, ...], key: str) -> tasks.Task:
        about = (order.prompt,)
        trick = self._faults.draw_trick(about=about) if order.callback_url else None
        task = self.tasks.open(
            order,
            now=self._clock(),
            stages=self._seconds() if callable(self._seconds) else self._seconds,
            fate=self._faults.draw_fate(about=about) or words.fate(asked),
            trick=trick or words.trick(asked),
            key=key,
        )
        if not task.trick.early:
            if order.input_urls and not task.fate.never:
                self._agenda.at(task.starts_at, lambda: self._gather(task))
            else:
                self._expect_end(task)
        return task

    # --- what happens to a task later -------------------------------------------------------------

    async def _gather(self, task: tasks.Task) -> None:
        begun = self._clock()
        await self._gallery.gather(task)
        # Counted from the moment handling was due: a clock moved by hand may be far past it.
        task.ready_at = task.starts_at + self._clock() - begun
        if not task.trick.early:
            self._expect_end(task)

    async def _end_now(self, task: tasks.Task) -> None:
        if task.order.input_urls:
            await self._gather(task)
        if task.order.callback_url and not task.fate.never:
            await self._caller.call(task)

    def _expect_end(self, task: tasks.Task) -> None:
        if task.order.callback_url and not task.fate.never:
            self._agenda.at(task.ends_at, lambda: self._caller.call(task))

    # --- reading ----------------------------------------------------------------------------------

    async def _detail(self, request: web.Request, pause: front.Pause) -> contract.Answer:
        await pause()
        task = self.tasks.find(request.match_info["id"])
        if task is None:
            return contract.problem(404, message="task not found")
        return contract.success(task.view(self._clock(), origin=self.base_url))

    async def _list(self, request: web.Request, pause: front.Pause) -> contract.Answer:
        await pause()
        page = _number(request.query.get("page", ""), default=1, most=None)
        size = _number(request.query.get("size", ""), default=_DEFAULT_SIZE, most=_LARGEST_SIZE)
        now = self._clock()
        rows = [task.view(now, origin=self.base_url) for task in self.tasks.page(page, size=size)]
        total = self.tasks.created
        return contract.success({"page": page, "size": size, "total": total, "tasks": rows})

    async def _serve(self, request: web.Request, pause: front.Pause) -> contract.Answer:
        await pause()
        task = self.tasks.find(request.match_info["token"])
        now = self._clock()
        if task is None or task.status(now) != "success":
            return faults.not_there().answer
        task.reads += 1
        if task.reads <= task.fate.ready_after:
            return faults.not_there().answer
        if now >= task.expires:
            return faults.EXPIRED
        if task.fate.file is not None:
            return task.fate.file
        return contract.Answer(200, await self._gallery.picture(task), content_type="image/png")

    async def _nowhere(self, request: web.Request) -> web.StreamResponse:
        self.tasks.requests["nowhere"] += 1
        answer = contract.problem(404, message=f"no route {request.method} {request.path}")
        return self._front.send("nowhere", answer)


def _number(text: str, *, default: int, most: int | None) -> int:
    """A query number; anything not between 1 and `most` is the default, never the nearest."""
    if not text.isascii() or not text.isdigit() or len(text) > 9:  # noqa: PLR2004 (a sane page)
        return default
    value = int(text)
    return default if value < 1 or (most is not None and value > most) else value


async def _serve_until_stopped(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no loop signal handlers.
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with StandIn(
        host=options.host,
        port=options.port,
        api_key=options.key,
        webhook_secret=options.secret,
        seconds=tuple(options.seconds),
        requests_per_minute=options.per_minute or None,
        concurrency=options.at_once or None,
    ) as standin:
        sys.stdout.write(f"HiAPI stand-in at {standin.base_url} (key {options.key})\n")
        sys.stdout.flush()
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until Ctrl+C."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.hiapi", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--key", default="sk-sandbox", help="the API key to accept")
    parser.add_argument("--secret", default="", help="sign callbacks with this")
    parser.add_argument(
        "--seconds",
        type=float,
        nargs=3,
        default=(1.0, 4.0, 0.5),
        metavar=("QUEUED", "HANDLING", "ARCHIVING"),
    )
    parser.add_argument("--per-minute", type=int, default=60, help="requests a minute, 0: any")
    parser.add_argument("--at-once", type=int, default=10, help="requests at once, 0: any")
    asyncio.run(_serve_until_stopped(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
