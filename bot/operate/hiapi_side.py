"""HiAPI as this key sees it: reachable, accepted, with which limit, at what time.

It owns one free call, the first page of the task list; it never creates a task.
"""

import ssl
import time

import aiohttp
import hiapi

from bot.clock import Clock
from bot.errors import WORDS, Code
from bot.hiapi import faults, verdict, wire
from bot.operate import clocks, findings
from bot.operate.findings import Finding
from bot.settings import Settings

NAME = "HiAPI key"
BYTES = 1024 * 1024
FIXES = {
    Code.MISCONFIGURED: "Copy the key anew from HiAPI's console into HIAPI_API_KEY.",
    Code.NO_CREDIT: "Top the account up in HiAPI's console.",
}


async def check(settings: Settings, *, clock: Clock, trust: ssl.SSLContext) -> list[Finding]:
    """Ask for one task of the list: that is free, and needs the key."""
    base = settings.hiapi_base_url.rstrip("/").removesuffix("/v1").rstrip("/")
    headers = {
        "Authorization": f"Bearer {settings.hiapi_api_key.get_secret_value()}",
        "Accept": "application/json",
        "User-Agent": "easel",
    }
    before, began = clock(), time.perf_counter()
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session,
            session.get(
                f"{base}/v1/tasks",
                params={"size": 1, "page": 1},
                headers=headers,
                allow_redirects=False,
            ) as response,
        ):
            body = await response.content.read(BYTES)
    except (aiohttp.ClientError, OSError) as error:
        # Its text may hold our headers; its kind does not.
        what = f"HiAPI cannot be reached at {base}: {type(error).__name__}."
        return [findings.error(NAME, what, "Check HIAPI_BASE_URL and this machine's network.")]
    took, after = time.perf_counter() - began, clock()
    answer = wire.Answer(response.status, response.headers, body, after)
    time_told = clocks.check(response.headers.get("Date"), before=before, after=after, by="HiAPI")
    try:
        wire.page(answer)
    except hiapi.HiAPIError as error:
        return [_refused(error), *time_told]
    found = [findings.ok(NAME, f"Accepted, in {took * 1000:.0f} ms (a free call).")]
    return [*found, *_limit(answer, settings), *time_told]


def _refused(error: hiapi.HiAPIError) -> Finding:
    judged = verdict.judge(error)
    words = WORDS[judged.code].operator
    if judged.action == "resend":
        fix = "Wait a little and ask again; HiAPI may be down."
        return findings.warning(NAME, f"HiAPI does not answer as it should: {error}", fix)
    fix = FIXES.get(judged.code, "Check HIAPI_BASE_URL: is HiAPI's API there?")
    if isinstance(error, faults.AuthenticationError | faults.ForbiddenError):
        words = "HiAPI refuses HIAPI_API_KEY"
    return findings.error(NAME, f"{words[:1].upper()}{words[1:]}.", fix)


def _limit(answer: wire.Answer, settings: Settings) -> list[Finding]:
    rate = wire.rate(answer.headers)
    name, mine = "Request limit", settings.hiapi_requests_per_minute
    if rate is None:
        return []
    if rate.limit < mine:
        what = f"HiAPI takes {rate.limit} requests a minute of this key, Easel sends up to {mine}."
        fix = f"HIAPI_REQUESTS_PER_MINUTE={rate.limit}"
        return [findings.warning(name, what, fix)]
    return [findings.ok(name, f"{rate.limit} a minute; Easel keeps to {mine}.")]
