"""Which alarms stand, and whether one would arrive where they are sent.

It owns the words for both; it never begins or ends an alarm. The channel in Discord is looked at
where Discord is (`discord_side`).
"""

import asyncio
import json
import ssl
from datetime import UTC, datetime
from urllib.parse import urlsplit

from bot.alarms import WORDS_OF, Alarm
from bot.operate import findings
from bot.operate.findings import Finding
from bot.senders import Webhook
from bot.settings import Settings

STANDING, WEBHOOK, CHANNEL = "Alarms", "ALARM_WEBHOOK", "ALARM_CHANNEL"
TEST = "✅ Easel: a test by doctor. Alarms arrive here."
ARRIVED = "A test was sent there: see whether it has come."
HTTPS, HTTP = 443, 80


def standing(kept: str | None) -> list[Finding]:
    """The alarms that stand, as the ledger keeps them (`bot.alarms`); those of others are left."""
    found = []
    for each in json.loads(kept or "[]"):
        if each["active"] and each["alarm"] in set(Alarm):
            words = WORDS_OF[Alarm(each["alarm"])]
            about = f" ({each['subject']})" if each["subject"] else ""
            since = datetime.fromtimestamp(each["since"], UTC)
            why = f": {each['cause']}" if each["cause"] else ""
            what = f"{words.title}{about}, since {since:%Y-%m-%d %H:%M} UTC{why}."
            found.append(findings.error(STANDING, what, words.advice))
    return found


async def check(settings: Settings, *, trust: ssl.SSLContext, test: bool) -> list[Finding]:
    """Whether anybody is told, and the webhook answers. `test`: send it a message."""
    hook = settings.alarm_webhook
    if hook is None:
        if settings.alarm_channel is not None:
            return []
        what = "They are sent nowhere: cards say that you have been told, and you are not."
        return [findings.warning(STANDING, what, f"Give {CHANNEL} or {WEBHOOK}.")]
    if test:
        async with Webhook(hook.get_secret_value()) as webhook:
            if await webhook.say(TEST):
                return [findings.ok(WEBHOOK, ARRIVED)]
        what = "It took no message."
        return [findings.error(WEBHOOK, what, "Is the address right, and the webhook still there?")]
    return [await _reached(hook.get_secret_value(), trust=trust)]


async def _reached(address: str, *, trust: ssl.SSLContext) -> Finding:
    """Connect and say nothing: what a request would do there nobody knows."""
    parts = urlsplit(address)
    safe = parts.scheme == "https"
    port = parts.port or (HTTPS if safe else HTTP)
    try:
        _, writer = await asyncio.open_connection(parts.hostname, port, ssl=trust if safe else None)
    except OSError as error:
        # Its text may hold the host, which is a part of the secret.
        what = f"Nobody can be reached there: {type(error).__name__}."
        return findings.error(WEBHOOK, what, "Correct the address, or this machine's network.")
    writer.close()
    return findings.ok(WEBHOOK, "Somebody answers there; 'doctor --alarm' sends a test.")
