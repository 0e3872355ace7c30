"""One real task from here to its callback: what no free check can show.

It owns that one request, which HiAPI bills; it never writes to the ledger.
"""

import asyncio
import time

import hiapi

from bot import model
from bot.clock import Clock
from bot.hiapi import verdict, wire
from bot.hiapi.budget import Budget
from bot.hiapi.client import Client
from bot.operate import findings
from bot.operate.findings import Finding
from bot.operate.listener import Listener
from bot.settings import Settings
from bot.web import CALLBACK_PATH

NAME = "Paid trial"
PROMPT = "a small grey pebble on white paper"
LOOK_EVERY = 2.0
LONGEST = 240.0
# Seconds that a callback may come after its task was seen to have ended.
CALLBACK_GRACE = 20.0
COST = "One picture was billed; it is not counted in BOT_CAPS."


async def check(
    settings: Settings,
    *,
    clock: Clock,
    listener: Listener | None,
    longest: float = LONGEST,
    grace: float = CALLBACK_GRACE,
) -> list[Finding]:
    """Have one picture made, and wait for its callback if there is an address for it."""
    if settings.public_url and listener is None:
        what = "Not made: the running bot has the port where the callback would arrive."
        return [findings.error(NAME, what, "Stop the bot for this one check.")]
    budget = Budget(
        per_minute=settings.hiapi_requests_per_minute, concurrency=settings.hiapi_concurrency
    )
    job_id = model.new_id()
    if listener is not None:
        listener.waiting_for = job_id
    began = time.monotonic()
    async with Client(
        api_key=settings.hiapi_api_key.get_secret_value(),
        base_url=settings.hiapi_base_url,
        budget=budget,
        now=clock,
    ) as client:
        try:
            created = await client.create(_body(settings, job_id), key=job_id)
            task = await _ended(client, created.task_id, until=began + longest)
        except hiapi.HiAPIError as error:
            what = f"HiAPI made no picture: {error}."
            return [findings.error(NAME, what, "See HiAPI's console; IMAGINE_MODEL may be gone.")]
    took = time.monotonic() - began
    if task is None:
        what = f"The task has not ended after {longest:.0f} s."
        return [findings.warning(NAME, f"{what} {COST}", "Look it up in HiAPI's console.")]
    outcome = verdict.outcome(task)
    if outcome is None or not outcome.pictures:
        detail = outcome.detail if outcome else "no outcome"
        return [findings.error(NAME, f"The task failed: {detail}.", "Try again in a few minutes.")]
    made = f"A picture was made in {took:.0f} s."
    if not settings.public_url or listener is None:
        return [findings.ok(NAME, f"{made} {COST}")]
    return [await _called_back(settings, listener, made=made, grace=grace)]


def _body(settings: Settings, job_id: str) -> bytes:
    chosen = settings.catalog().model(model.Kind.IMAGINE)
    request = model.Request(
        kind=model.Kind.IMAGINE,
        model=chosen.id,
        prompt=PROMPT,
        aspect_ratio="1:1",
        resolution="1K",
    )
    url = f"{settings.public_url}{CALLBACK_PATH}{job_id}" if settings.public_url else None
    return wire.encode(model=chosen.id, input=chosen.input(request), callback_url=url)


async def _ended(client: Client, task_id: str, *, until: float) -> hiapi.Task | None:
    """The task once it has ended; None if it has not by then."""
    while time.monotonic() < until:
        await asyncio.sleep(LOOK_EVERY)
        task = await client.task(task_id)
        if task.is_terminal:
            return task
    return None


async def _called_back(
    settings: Settings, listener: Listener, *, made: str, grace: float
) -> Finding:
    try:
        async with asyncio.timeout(grace):
            await listener.heard.wait()
    except TimeoutError:
        what = f"{made} But HiAPI's callback did not arrive, or was not believed. {COST}"
        fix = "Compare HIAPI_WEBHOOK_SECRET with HiAPI's console; look into the proxy's log."
        return findings.error(NAME, what, fix)
    how = "signed, " if settings.hiapi_webhook_secret else ""
    return findings.ok(NAME, f"{made} HiAPI's callback came through, {how}as it should. {COST}")
