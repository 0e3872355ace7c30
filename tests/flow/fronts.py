"""What stands before the bot in earnest: a proxy with TLS and a certificate made for the test.

Owns the proxy; it passes what it is told to pass and answers 404 to the rest, as a proxy does.
"""

import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web


@dataclass(frozen=True)
class Certificate:
    """For `localhost`, signed by itself."""

    chain: Path
    key: Path

    @property
    def trusted(self) -> ssl.SSLContext:
        """Trust in this certificate alone."""
        return ssl.create_default_context(cafile=str(self.chain))

    @property
    def shown(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain, self.key)
        return context


def certified(folder: Path, *, days: int = 90, name: str = "localhost") -> Certificate:
    folder.mkdir(parents=True, exist_ok=True)
    made = Certificate(folder / "chain.pem", folder / "key.pem")
    options = ["-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    about = ["-days", str(days), "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    where = ["-keyout", str(made.key), "-out", str(made.chain)]
    subprocess.run(  # noqa: S603 - ours
        ["openssl", "req", *options, *about, *where],  # noqa: S607 - whichever is installed
        check=True,
        capture_output=True,
    )
    return made


@dataclass(eq=False)
class Proxy:
    """Passes paths that begin with one of `passed` to `port` of this machine."""

    passed: tuple[str, ...] = ("/readyz", "/hiapi/callback/")
    target: int = 0
    url: str = ""
    seen: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.seen.append(request.path)
        if not request.path.startswith(self.passed):
            return web.Response(status=404)
        headers = {k: v for k, v in request.headers.items() if k.lower() != "host"}
        url = f"http://127.0.0.1:{self.target}{request.path_qs}"
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method, url, data=await request.read(), headers=headers
            ) as answer,
        ):
            return web.Response(status=answer.status, body=await answer.read())


@asynccontextmanager
async def proxied(certificate: Certificate, **options) -> AsyncIterator[Proxy]:
    proxy = Proxy(**options)
    runner = web.ServerRunner(web.Server(proxy.handle))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificate.shown).start()
        proxy.url = f"https://localhost:{runner.addresses[0][1]}"
        yield proxy
    finally:
        await runner.cleanup()
