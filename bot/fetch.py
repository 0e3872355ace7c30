"""Downloading one picture from an address somebody else chose, within hard limits.

It owns what may be called and how much may come back; it never retries, never decodes a picture,
and never connects to an address that is neither public nor trusted.
"""

# ruff: noqa: N818 - an error here is named after what is wrong, so that a raise reads as a sentence

import asyncio
import contextlib
import dataclasses
import http
import ipaddress
import socket
from types import TracebackType
from typing import ClassVar, Self

import aiohttp
import yarl
from aiohttp import abc

from bot import images

MAX_REDIRECTS = 3

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({403, 404, 410})
_CONNECT_SECONDS = 10.0
_READ_BYTES = 256 * 1024  # what one download may buffer is about twice this

_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Public by their numbers alone: Azure's metadata service, and the protocol assignments (Oracle's
# metadata service among them), which older Pythons take for global.
_INTERNAL = ipaddress.IPv4Network("168.63.129.16/32"), ipaddress.IPv4Network("192.0.0.0/24")


class FetchError(Exception):
    """Base of all: the picture did not arrive. Messages hold no query string (it may be signed).

    FetchError
     +-- Blocked       the address is not allowed
     +-- Gone          403, 404, 410                      (retry)
     +-- TooLarge      over the byte limit
     +-- NotAPicture   a page, or another format
     +-- Unreachable   network, time, any other status    (retry)

    `retry`: whether the same address may answer differently soon. `status`: the HTTP status, if
    one arrived.
    """

    retry: ClassVar[bool] = False

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Blocked(FetchError):
    """The address is one we do not call: whoever gave it is at fault."""


class Gone(FetchError):
    """The link expired or never existed: whoever gave it is at fault.

    A fresh link of a CDN may answer 404 for about 2 s, so a short retry is worth it.
    """

    retry = True


class TooLarge(FetchError):
    """The body is over the limit: the server is at fault, or our limit is."""


class NotAPicture(FetchError):
    """The server answered 200 with something else than PNG, JPEG or WebP: it is at fault."""


class Unreachable(FetchError):
    """The network, the time or the server failed us; nobody's input is at fault."""

    retry = True


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """A downloaded picture; `format` is read from the first bytes, not from the headers."""

    data: bytes
    format: images.Format


class PublicOnly(abc.AbstractResolver):
    """A resolver whose answers hold public addresses alone.

    aiohttp connects to exactly what its resolver answered, so a name that changes its mind after a
    check (DNS rebinding) gains nothing. IP literals never come here: `Fetcher` checks those.
    """

    def __init__(self, inner: abc.AbstractResolver, *, trusted: frozenset[str]) -> None:
        self._inner = inner
        self._trusted = trusted

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[abc.ResolveResult]:
        """Resolve like the inner resolver. Raises `Blocked` if no public address is left."""
        try:
            answers = await self._inner.resolve(host, port, family)
        except ValueError:  # a label too long, an empty one, a NUL: not an OSError to aiohttp
            raise Blocked("the address has no valid host name") from None
        if not _trusts(self._trusted, host, port):
            answers = [answer for answer in answers if is_public(answer["host"])]
        if not answers:
            raise Blocked(f"{host} has no public address")
        return answers

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._inner.close()


class Fetcher:
    """Downloads pictures over one connection pool: `async with Fetcher(...) as fetcher`.

    `trusted` names hosts as `host` or `host:port` (IPv6 in brackets) that may be private, plain
    http and on any port. `max_bytes` limits one body, `seconds` one download with its redirects.
    The pool holds 100 connections; callers that want less memory in use fetch less at once.
    """

    def __init__(
        self,
        *,
        trusted: frozenset[str] = frozenset(),
        max_bytes: int = 50 * 1024 * 1024,
        seconds: float = 60.0,
        resolver: abc.AbstractResolver | None = None,
    ) -> None:
        self._trusted = frozenset(entry.lower() for entry in trusted)
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._inner = resolver
        self._resolver: PublicOnly | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        inner = self._inner or aiohttp.DefaultResolver()
        self._resolver = PublicOnly(inner, trusted=self._trusted)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=self._resolver),
            cookie_jar=aiohttp.DummyCookieJar(),
            # Bodies are taken as they come: nothing is inflated, so nothing can be a zip bomb.
            auto_decompress=False,
            headers={
                "Accept": "image/png,image/jpeg,image/webp,*/*;q=0.1",
                "Accept-Encoding": "identity",
                "User-Agent": "Easel",
            },
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            read_bufsize=_READ_BYTES,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
        if self._resolver is not None:
            await self._resolver.close()

    async def fetch(self, url: str) -> Picture:
        """Download the picture at `url`, once. Raises a `FetchError`."""
        parsed = _parse(url)
        # `from None`: aiohttp's messages may quote the whole URL, and tracebacks are logged.
        try:
            async with asyncio.timeout(self._seconds):
                return await self._follow(parsed)
        except TimeoutError:
            raise Unreachable(f"{_name(parsed)} took too long") from None
        except aiohttp.InvalidURL:
            raise Blocked(f"{_name(parsed)} is not a valid address") from None
        except (aiohttp.ClientError, OSError) as error:
            reason = type(error).__name__
            raise Unreachable(f"{_name(parsed)} is out of reach: {reason}") from None

    async def _follow(self, url: yarl.URL) -> Picture:
        if self._session is None:
            raise RuntimeError("use `async with Fetcher(...)`")
        for _ in range(MAX_REDIRECTS + 1):
            self._check(url)
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    return await self._read(response, url=url)
                # Without a Location this is the same address again, and ends as too many.
                target = _parse(response.headers.get("Location", ""), base=url)
            if target.scheme != url.scheme:
                raise Blocked(f"{_name(url)} redirects to another scheme")
            url = target
        raise Unreachable(f"{_name(url)} comes after more than {MAX_REDIRECTS} redirects")

    def _check(self, url: yarl.URL) -> None:
        """Refuse what must not be called at all; names are checked once resolved."""
        host = url.raw_host or ""
        if url.raw_user is not None or url.raw_password is not None:
            raise Blocked(f"{_name(url)} carries credentials")
        if url.scheme not in ("http", "https"):
            raise Blocked(f"{_name(url)} is not https")
        if _trusts(self._trusted, url.host_subcomponent or "", url.port or 0):
            return
        if url.scheme != "https" or not url.is_default_port():
            raise Blocked(f"{_name(url)} is not https on port 443")
        if _looks_numeric(host) and not is_public(host):
            raise Blocked(f"{_name(url)} is not at a public address")

    async def _read(self, response: aiohttp.ClientResponse, *, url: yarl.URL) -> Picture:
        status, name = response.status, _name(url)
        if status in _GONE:
            raise Gone(f"{name} answered {status}", status=status)
        if status != http.HTTPStatus.OK:
            raise Unreachable(f"{name} answered {status}", status=status)
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise NotAPicture(f"{name} sent an encoded body", status=status)
        # An image type that disagrees with the bytes is common and harmless: the bytes win.
        if any(word in response.content_type for word in ("html", "xml", "json")):
            raise NotAPicture(f"{name} sent a document", status=status)
        if (response.content_length or 0) > self._max_bytes:
            raise TooLarge(f"{name} has more than {self._max_bytes} bytes", status=status)
        try:
            head = await response.content.readexactly(images.HEAD_BYTES)
        except asyncio.IncompleteReadError:
            raise NotAPicture(f"{name} is all but empty", status=status) from None
        kind = images.sniff(head)
        if kind is None:
            raise NotAPicture(f"{name} is not PNG, JPEG or WebP", status=status)
        chunks, size = [head], len(head)
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > self._max_bytes:
                raise TooLarge(f"{name} has more than {self._max_bytes} bytes", status=status)
            chunks.append(chunk)
        return Picture(data=b"".join(chunks), format=kind)


def is_public(address: str) -> bool:
    """Tell whether this IP literal is a public unicast address; False for anything else.

    An IPv4 address inside an IPv6 one (mapped, NAT64) is judged as itself; 6to4 is refused.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip in _NAT64:
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        elif ip not in _UNICAST_V6 or ip.sixtofour is not None:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _INTERNAL)


def _looks_numeric(host: str) -> bool:
    """Tell whether a system resolver would read `host` as an address in any spelling.

    That is a colon anywhere, or a last label that is decimal, octal or hexadecimal; no public
    top-level domain is one.
    """
    last = host.rstrip(".").rpartition(".")[2].lower()
    return ":" in host or last.isdecimal() or last.startswith("0x")


def _trusts(trusted: frozenset[str], host: str, port: int) -> bool:
    host = host.lower()
    return host in trusted or f"{host}:{port}" in trusted


def _parse(text: str, *, base: yarl.URL | None = None) -> yarl.URL:
    """Parse, keeping the spelling: requoting could break a signature over the raw query."""
    plain = text.isascii() and text.isprintable() and " " not in text
    with contextlib.suppress(ValueError):
        url = yarl.URL(text, encoded=plain)
        if base is not None:
            url = base.join(url)
        if url.raw_host:  # parsed only now, so bad ports and brackets show here
            return url
    where = f"{_name(base)} redirects to" if base is not None else "this is"
    raise Blocked(f"{where} an address that is not valid")


def _name(url: yarl.URL) -> str:
    """Name the address in messages and logs: without credentials and query."""
    return f"{url.raw_host}{url.raw_path}"[:160]
