"""All checks at once, each within its time; a check that fails keeps no other from being made.

It owns their order and their limits; it never decides what a check means.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from bot import clock as clocks
from bot.clock import Clock
from bot.fetch import is_public
from bot.operate import (
    alarming,
    configuration,
    discord_side,
    findings,
    hiapi_side,
    listener,
    reach,
    storage,
    trial,
)
from bot.operate.findings import Finding, Level
from bot.settings import Settings
from bot.web import WebError

SECONDS = 25.0
DATABASE_SECONDS = 8.0

Check = tuple[str, Awaitable[list[Finding]]]


async def examine(
    settings: Settings,
    *,
    env_file: Path,
    paid: bool = False,
    alarm: bool = False,
    clock: Clock = clocks.system,
    trust: ssl.SSLContext | None = None,
    public: Callable[[str], bool] = is_public,
) -> list[Finding]:
    """Everything that can be said of an installation, in a fixed order.

    `paid` has a picture made, `alarm` a test sent. `trust` decides which certificates are
    believed, `public` which addresses count as public.
    """
    trust = trust or ssl.create_default_context()
    url = settings.database_url
    # Where nothing is kept, no room is needed.
    keep_folder = settings.keep_folder if settings.keep_originals_days else None
    checks: list[Check] = [
        (discord_side.TOKEN, discord_side.check(settings, clock=clock, alarm=alarm)),
        (hiapi_side.NAME, hiapi_side.check(settings, clock=clock, trust=trust)),
        ("Network", _network(settings, clock=clock, trust=trust, public=public, paid=paid)),
        (alarming.WEBHOOK, alarming.check(settings, trust=trust, test=alarm)),
        (
            storage.DATABASE,
            asyncio.to_thread(storage.check_database, url, seconds=DATABASE_SECONDS),
        ),
        (storage.DISK, asyncio.to_thread(storage.check_disk, url, keep_folder=keep_folder)),
    ]
    longest = SECONDS + (trial.LONGEST if paid else 0)
    told = await asyncio.gather(
        *(_within(name, work, seconds=longest) for name, work in checks), return_exceptions=True
    )
    found = configuration.check(settings, env_file=env_file)
    for (name, _), said in zip(checks, told, strict=True):
        if isinstance(said, BaseException):
            what = f"The check itself failed: {type(said).__name__}: {said}."
            found.append(findings.error(name, what, "That is a defect of Easel: please report it."))
        else:
            found += said
    return found + configuration.webhook_secret(settings)


async def _within(name: str, work: Awaitable[list[Finding]], *, seconds: float) -> list[Finding]:
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        what = f"No answer within {seconds:.0f} s."
        return [findings.error(name, what, "Check this machine's network; then ask again.")]


async def _network(
    settings: Settings,
    *,
    clock: Clock,
    trust: ssl.SSLContext,
    public: Callable[[str], bool],
    paid: bool,
) -> list[Finding]:
    """The ports, PUBLIC_URL and the paid trial: all need whoever listens here."""
    try:
        async with listener.opened(settings, clock=clock) as ours:
            found = [await _port(settings, ours)]
            running = ours is None and found[0].level is not Level.ERROR
            found += await listener.check_admin(settings, running=running)
            reached = reach.check(
                settings, clock=clock, trust=trust, public=public, running=ours is None
            )
            found += await _within(reach.NAME, reached, seconds=SECONDS)
            if paid:
                found += await trial.check(settings, clock=clock, listener=ours)
            return found
    except WebError as error:
        refused = findings.error(listener.NAME, str(error), "Correct WEB_HOST and WEB_PORT.")
        return [refused, *await listener.check_admin(settings, running=False)]


async def _port(settings: Settings, ours: listener.Listener | None) -> Finding:
    if ours is None:
        return await listener.neighbour(settings)
    if settings.web_port == 0:
        return findings.ok(listener.NAME, "WEB_PORT is 0: each start takes a port that is free.")
    where = f"{settings.web_host}:{settings.web_port}"
    return findings.ok(listener.NAME, f"{where} is free; the bot is not running here.")


def status(found: Sequence[Finding]) -> int:
    """The exit status: 1 if anything is an error, 0 otherwise."""
    return int(any(finding.level is Level.ERROR for finding in found))
