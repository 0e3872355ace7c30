"""Discord as this token sees it: accepted, for which application, set up how.

It owns a few calls over REST with discord.py; it never connects to the gateway.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import discord
from discord.http import Route

from bot.clock import Clock
from bot.operate import alarming, clocks, findings
from bot.operate.findings import Finding
from bot.settings import EVERYWHERE, Settings

TOKEN, INTENTS, APPLICATION = "Discord token", "Intents", "Application"
PORTAL = "Discord's developer portal"
# The privileged ones, each with its flag for a small bot beside it.
PRIVILEGED = {"presence": 3 << 12, "server members": 3 << 14, "message content": 3 << 18}
FEW_STARTS = 10
PAGE = 200  # servers in one answer


async def check(settings: Settings, *, clock: Clock, alarm: bool = False) -> list[Finding]:
    """Log in over REST and read what the application is. `alarm`: send one to ALARM_CHANNEL."""
    dated: list[tuple[str | None, datetime]] = []

    async def ended(
        _session: object, _context: object, told: aiohttp.TraceRequestEndParams
    ) -> None:
        dated.append((told.response.headers.get("Date"), clock()))

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(ended)
    client = discord.Client(intents=discord.Intents.none(), http_trace=trace)
    before = clock()
    try:
        await client.login(settings.discord_token.get_secret_value())
        date, after = dated[0]
        application: dict[str, Any] = await client.http.request(Route("GET", "/applications/@me"))
        _, _, starts = await client.http.get_bot_gateway()
        servers = await _servers(client, settings)
        channel = await _channel(client, settings, test=alarm)
    except discord.LoginFailure:
        fix = f"Under Bot in {PORTAL}, reset the token and copy it into DISCORD_TOKEN."
        return [findings.error(TOKEN, "Discord refuses DISCORD_TOKEN.", fix)]
    except discord.HTTPException as error:
        what = f"Discord answers HTTP {error.status}."
        return [findings.error(TOKEN, what, "Try again later; see discordstatus.com.")]
    except (discord.GatewayNotFound, aiohttp.ClientError, OSError) as error:
        what = f"Discord cannot be reached: {type(error).__name__}."
        return [findings.error(TOKEN, what, "Check this machine's network and DNS.")]
    finally:
        await client.close()
    name = client.user.name if client.user else "unknown"
    return [
        findings.ok(TOKEN, f"Accepted; it is that of {name} ({application['id']})."),
        _intents(int(application.get("flags") or 0)),
        *_application(application, settings),
        *_starts(starts["remaining"], timedelta(milliseconds=starts["reset_after"])),
        *servers,
        *channel,
        *clocks.check(date, before=before, after=after, by="Discord"),
    ]


def _intents(flags: int) -> Finding:
    on = [name for name, bits in PRIVILEGED.items() if flags & bits]
    if not on:
        return findings.ok(INTENTS, "No privileged intent is on, and Easel needs none.")
    what = f"On, though Easel needs none: {', '.join(on)}."
    return findings.warning(INTENTS, what, f"Under Bot in {PORTAL}, switch them off.")


def _application(application: dict[str, Any], settings: Settings) -> Iterator[Finding]:
    fine = True
    if application.get("interactions_endpoint_url"):
        fine = False
        what = "Discord sends commands to a web address instead of to this bot."
        fix = f"Under General Information in {PORTAL}, empty the Interactions Endpoint URL."
        yield findings.error(APPLICATION, what, fix)
    if application.get("bot_require_code_grant"):
        fine = False
        what = "Invitations need a code grant, which Easel does not offer: nobody can add it."
        fix = f"Under Bot in {PORTAL}, switch off Requires OAuth2 Code Grant."
        yield findings.error(APPLICATION, what, fix)
    kinds = application.get("integration_types_config")
    if isinstance(kinds, dict):
        if settings.allow_user_install and "1" not in kinds:
            fine = False
            what = "ALLOW_USER_INSTALL is on, but Discord lets nobody install it for themselves."
            fix = f"Under Installation in {PORTAL}, tick User Install."
            yield findings.warning(APPLICATION, what, fix)
        if "0" not in kinds:
            fine = False
            what = "Discord does not let servers add the bot."
            fix = f"Under Installation in {PORTAL}, tick Guild Install."
            yield findings.warning(APPLICATION, what, fix)
    if fine:
        yield findings.ok(APPLICATION, "Set up so that commands come to this bot.")


def _starts(remaining: int, resets_in: timedelta) -> Iterator[Finding]:
    """Discord lets a bot begin 1000 sessions a day; a restart loop uses them up."""
    if remaining < FEW_STARTS:
        hours = max(1, round(resets_in / timedelta(hours=1)))
        what = f"The bot may connect {remaining} times more within {hours} h."
        fix = "Does something restart it in a loop? Stop that, or the token is reset."
        yield (findings.warning if remaining else findings.error)("Sessions", what, fix)


async def _servers(client: discord.Client, settings: Settings) -> list[Finding]:
    """Whether the bot is in the servers that may use it."""
    wanted = settings.allowed_servers - {EVERYWHERE}
    if not wanted or EVERYWHERE in settings.allowed_servers:
        return []
    listed = await client.http.get_guilds(PAGE, with_counts=False)
    joined = {str(server["id"]) for server in listed}
    missing = sorted(wanted - joined)
    if not missing:
        return [findings.ok("Servers", f"The bot is in all {len(wanted)} that may use it.")]
    if len(listed) == PAGE:
        return []  # there are more, and reading them all is not worth it
    what = f"The bot is not in {', '.join(missing)}, which ALLOWED_SERVERS names."
    fix = "Invite it with the link in the README, or correct the id."
    return [findings.warning("Servers", what, fix)]


async def _channel(client: discord.Client, settings: Settings, *, test: bool) -> list[Finding]:
    """Whether the bot may write in ALARM_CHANNEL: it types there, or sends a test."""
    if settings.alarm_channel is None:
        return []
    name = alarming.CHANNEL
    try:
        if test:
            channel = client.get_partial_messageable(settings.alarm_channel)
            await channel.send(alarming.TEST, allowed_mentions=discord.AllowedMentions.none())
            return [findings.ok(name, alarming.ARRIVED)]
        # Discord takes that only of who may send there.
        await client.http.send_typing(settings.alarm_channel)
    except discord.NotFound:
        what = f"Discord knows no channel {settings.alarm_channel}."
        return [findings.error(name, what, "Copy the channel's id anew (developer mode).")]
    except discord.Forbidden:
        what = f"The bot may not write in {settings.alarm_channel}."
        fix = "Give it View Channel and Send Messages there."
        return [findings.error(name, what, fix)]
    return [findings.ok(name, "The bot may write there; 'doctor --alarm' sends a test.")]
