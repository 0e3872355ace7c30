"""PUBLIC_URL as it is seen from here: name, address, certificate, and who answers behind it.

It owns the calls to our own address; it never claims that HiAPI sees the same.
"""

import asyncio
import hashlib
import hmac
import secrets
import socket
import ssl
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp

from bot import web
from bot.clock import Clock
from bot.fetch import is_public
from bot.operate import findings
from bot.operate.findings import Finding
from bot.settings import Settings

NAME, TLS, CALLBACKS = "PUBLIC_URL", "TLS", "Callbacks"
SEEN_FROM = "Seen from here; only --paid shows whether HiAPI gets through too."
THROUGH = "Let the proxy pass /readyz, /hiapi/callback/ and /kept/ to WEB_HOST:WEB_PORT."
SOON = timedelta(days=14)
BYTES = 64 * 1024
UNASKED = "a" * 16  # the form of a job's id, and no job's
HTTPS = 443


async def check(
    settings: Settings,
    *,
    clock: Clock,
    trust: ssl.SSLContext,
    public: Callable[[str], bool] = is_public,
    running: bool,
) -> list[Finding]:
    """Follow PUBLIC_URL to whoever answers. `running`: it is the bot, not the doctor itself."""
    if not settings.public_url:
        return [findings.ok(NAME, "Empty: Easel looks at its tasks every few seconds instead.")]
    parts = urlsplit(settings.public_url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        what = "It is plain http on this machine, where HiAPI cannot call."
        return [findings.error(NAME, what, "Give the https address of your proxy, or leave it.")]
    port = parts.port or HTTPS
    resolved = await _resolve(host, port, public)
    if isinstance(resolved, Finding):
        return [resolved]
    shaken = await _shake(host, port, trust=trust, now=clock())
    if shaken.level is findings.Level.ERROR:
        return [shaken]
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=trust),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "easel-doctor"},
    ) as session:
        try:
            answered = await _ask(session, settings, resolved, running=running)
            called = await _call(session, settings, clock=clock)
        except (aiohttp.ClientError, OSError) as error:
            what = f"{host} breaks off: {type(error).__name__}."
            return [shaken, findings.error(NAME, what, THROUGH)]
    return [answered, shaken, called]


async def _resolve(host: str, port: int, public: Callable[[str], bool]) -> str | Finding:
    """The addresses of a name, as text; or what is wrong with them."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        fix = "Add a DNS record for it, or correct PUBLIC_URL."
        return findings.error(NAME, f"{host} does not resolve.", fix)
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    private = [address for address in addresses if not public(address)]
    if private:
        what = f"{host} leads to {', '.join(private)}, which is no public address."
        return findings.error(NAME, what, "Point its DNS record at your proxy's public address.")
    return ", ".join(addresses)


async def _shake(host: str, port: int, *, trust: ssl.SSLContext, now: datetime) -> Finding:
    """The certificate, as a stranger without exceptions sees it."""
    try:
        _, writer = await asyncio.open_connection(host, port, ssl=trust, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        fix = "Serve the whole chain (fullchain.pem) of a certificate for this name."
        return findings.error(TLS, f"The certificate is refused: {error.verify_message}.", fix)
    except (ssl.SSLError, ConnectionError) as error:
        said = getattr(error, "reason", None) or type(error).__name__
        what = f"{host}:{port} does not speak TLS: {said}."
        return findings.error(TLS, what, "Is the proxy running, and is this its https port?")
    except OSError as error:
        what = f"Nothing answers at {host}:{port}: {error.strerror or type(error).__name__}."
        return findings.error(TLS, what, "Open the port in the firewall; start the proxy.")
    certificate = writer.get_extra_info("peercert") or {}
    writer.close()
    ends = certificate.get("notAfter")
    if not isinstance(ends, str):
        return findings.ok(TLS, "The certificate is accepted.")
    left = timedelta(seconds=ssl.cert_time_to_seconds(ends) - now.timestamp())
    what = f"The certificate is accepted, for {left.days} days more."
    if left < SOON:
        return findings.warning(TLS, what, "Renew it, and see why that did not happen by itself.")
    return findings.ok(TLS, what)


async def _ask(
    session: aiohttp.ClientSession, settings: Settings, addresses: str, *, running: bool
) -> Finding:
    """Whether this very bot answers behind the address."""
    nonce = secrets.token_urlsafe(24)
    url = f"{settings.public_url}/readyz"
    async with session.get(url, params={"nonce": nonce}, allow_redirects=False) as response:
        body = await response.content.read(BYTES)
        status = response.status
    wanted = web.proof(nonce, key=settings.discord_token.get_secret_value())
    if wanted.encode() not in body:
        what = f"It leads to {addresses}, but not to this bot (HTTP {status})."
        if running:
            what += " What listens at WEB_PORT may be another program or an older Easel."
        return findings.error(NAME, what, THROUGH)
    who = "the running bot" if running else "this process"
    what = f"It leads to {addresses} and there to {who}. {SEEN_FROM}"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return findings.warning(NAME, f"{what} It is not ready yet.", "See its log for the cause.")
    return findings.ok(NAME, what)


async def _call(session: aiohttp.ClientSession, settings: Settings, *, clock: Clock) -> Finding:
    """Whether a callback comes through, and with our secret: one that says nothing at all."""
    body, headers = b"doctor", {"Content-Type": "application/json"}
    secret = settings.hiapi_webhook_secret
    if secret is not None:
        stamp = str(int(clock().timestamp()))
        signed = hmac.new(
            secret.get_secret_value().encode(), f"{stamp}.".encode() + body, hashlib.sha256
        )
        headers |= {web.TIMESTAMP: stamp, web.SIGNATURE: signed.hexdigest()}
    url = f"{settings.public_url}{web.CALLBACK_PATH}{UNASKED}"
    began = time.perf_counter()
    async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
        status = response.status
    took = f"in {(time.perf_counter() - began) * 1000:.0f} ms"
    if status == HTTPStatus.BAD_REQUEST:
        how = "signed with this secret" if secret else "unsigned"
        return findings.ok(CALLBACKS, f"They come through, {how}, {took}.")
    if status == HTTPStatus.UNAUTHORIZED:
        what = "The running bot does not believe one that is signed with this secret."
        fix = "Restart it with these settings; and see whether a proxy drops X-HiAPI headers."
        return findings.error(CALLBACKS, what, fix)
    return findings.error(CALLBACKS, f"They do not come through (HTTP {status}).", THROUGH)
