"""Downloads: what may be called, how much may come back, and which error says so."""

import asyncio
import gzip
import socket
import time

import pytest
from aiohttp import abc, web

from bot import fetch

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
JPEG = b"\xff\xd8\xff\xe0" + b"j" * 500
WEBP = b"RIFF\x00\x02\x00\x00WEBPVP8 " + b"w" * 500


class Site:
    """A plain http server on loopback, with one page at any path, that counts its requests."""

    def __init__(self, page):
        self.page = page
        self.seen = []

    async def __aenter__(self):
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        self.host = f"127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_):
        await self._runner.cleanup()

    async def _answer(self, request):
        self.seen.append(request)
        return await self.page(request)

    def url(self, path="/picture.png"):
        return f"http://{self.host}{path}"


class Wire:
    """A server that says its bytes whatever HTTP thinks of them, then drips or hangs up."""

    def __init__(self, *parts, pause=0.0, endless=b""):
        self.parts, self.pause, self.endless = parts, pause, endless

    async def __aenter__(self):
        self._talks = []
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.host = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self.sent = 0
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    def _accept(self, reader, writer):
        self._talks.append(asyncio.create_task(self._talk(reader, writer)))

    async def _talk(self, reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            for part in self.parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(self.pause)
            while self.endless:
                writer.write(self.endless)
                await writer.drain()
                self.sent += len(self.endless)
        finally:
            writer.close()

    def url(self):
        return f"http://{self.host}/picture.png?sig=secret"


class Names(abc.AbstractResolver):
    """A resolver that knows what it is told; several answers for one name come in turn."""

    def __init__(self, **names):
        self.names = {name.replace("_", "."): list(answers) for name, answers in names.items()}
        self.closed = False

    async def resolve(self, host, port=0, family=socket.AF_INET):  # noqa: ARG002 - its interface
        if host.lower() not in self.names:
            raise OSError(f"no such name: {host}")
        turns = self.names[host.lower()]
        addresses = turns.pop(0) if len(turns) > 1 else turns[0]
        return [
            abc.ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self):
        self.closed = True


def say(body=PNG, **options):
    async def page(_request):
        return web.Response(body=body, **options)

    return page


async def load(page, *, path="/picture.png", **options):
    async with Site(page) as site, fetch.Fetcher(trusted=frozenset({site.host}), **options) as get:
        return await get.fetch(site.url(path))


async def load_wire(*parts, pause=0.0, endless=b"", **options):
    async with (
        Wire(*parts, pause=pause, endless=endless) as wire,
        fetch.Fetcher(trusted=frozenset({wire.host}), **options) as get,
    ):
        try:
            return await get.fetch(wire.url())
        finally:
            assert wire.sent < 20_000_000


async def refuse(url, **options):
    async with fetch.Fetcher(**options) as get:
        with pytest.raises(fetch.Blocked) as caught:
            await get.fetch(url)
    assert not caught.value.retry
    return caught.value


@pytest.mark.parametrize(("body", "kind"), [(PNG, "png"), (JPEG, "jpeg"), (WEBP, "webp")])
async def test_a_picture_arrives_whole(body, kind):
    assert await load(say(body, content_type="image/png")) == fetch.Picture(body, kind)


async def test_a_large_picture_arrives_whole_without_a_length():
    body = PNG * 200

    async def page(request):
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for at in range(0, len(body), 70_000):
            await response.write(body[at : at + 70_000])
        return response

    assert (await load(page)).data == body


@pytest.mark.parametrize("kind", ["application/octet-stream", "text/plain", "image/gif", ""])
async def test_the_bytes_win_over_a_vague_or_wrong_image_type(kind):
    assert (await load(say(headers={"Content-Type": kind}))).format == "png"


async def test_connections_are_kept():
    async with Site(say()) as site, fetch.Fetcher(trusted=frozenset({site.host})) as get:
        for _ in range(5):
            await get.fetch(site.url())
        assert len({request.transport.get_extra_info("peername") for request in site.seen}) == 1
        assert all(request.headers["Accept-Encoding"] == "identity" for request in site.seen)


async def test_a_signed_address_is_sent_as_it_was_given():
    path = "/a%2Fb/%7Ec.png?X-Amz-Credential=AK%2F2025%2Fs3&e=a+b%20c%7E&ex=66&hm=%2b==&"
    async with Site(say()) as site, fetch.Fetcher(trusted=frozenset({site.host})) as get:
        await get.fetch(site.url(path))
        assert site.seen[0].raw_path == path


async def test_an_address_that_needs_quoting_is_quoted():
    async with Site(say()) as site, fetch.Fetcher(trusted=frozenset({site.host})) as get:
        await get.fetch(site.url("/a picture\r\n of é.png"))
        assert site.seen[0].raw_path == "/a%20picture%20of%20%C3%A9.png"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0177.0.0.1",
        "017700000001",
        "0x7f.0.0.1",
        "0x7f000001",
        "127.0.0.1.",
        "①②⑦.⓪.⓪.①",
        "%31%32%37.0.0.1",
        "0.0.0.0",  # noqa: S104 - to be refused, not bound
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "168.63.129.16",
        "192.0.0.192",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::FFFF:7f00:1]",
        "[::ffff:0:127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "[fe80::1%25eth0]",
        "[fd00:ec2::254]",
        "[fec0::1]",
        "[ff0e::1]",
    ],
)
async def test_private_addresses_are_refused_in_every_spelling(host):
    await refuse(f"https://{host}/picture.png")


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"]
)
def test_public_addresses_are_public(address):
    assert fetch.is_public(address)


@pytest.mark.parametrize("address", ["", "example.com", "1.1.1", "0x1.1.1.1", "1.1.1.1 "])
def test_what_is_no_address_is_not_public(address):
    assert not fetch.is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "picture.png",
        "/picture.png",
        "//example.com/picture.png",
        "https:///picture.png",
        "https://",
        "http://example.com/picture.png",
        "http://example.com:443/picture.png",
        "ftp://example.com/picture.png",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "https://example.com:8443/picture.png",
        "https://example.com:0/picture.png",
        "https://example.com:99999/picture.png",
        "https://example.com:x/picture.png",
        "https://user@example.com/picture.png",
        "https://user:word@example.com/picture.png",
        "https://:word@example.com/picture.png",
        "https://[::1/picture.png",
        "https://good.example\\@evil.example/picture.png",
    ],
)
async def test_addresses_outside_the_rules_are_refused(url):
    await refuse(url, resolver=Names())


@pytest.mark.parametrize("host", ["a" * 70 + ".example", "a..example"])
async def test_impossible_names_are_refused(host):
    await refuse(f"https://{host}/picture.png")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"])
async def test_a_name_with_a_private_address_is_refused(address):
    error = await refuse(
        "https://pictures.example/a?sig=secret", resolver=Names(pictures_example=[[address]])
    )
    assert "pictures.example" in str(error)


async def test_the_system_resolver_is_guarded_too():
    await refuse("https://localhost/picture.png")


async def test_a_name_that_changes_its_mind_is_refused_at_connect_time():
    names = Names(rebind_example=[["1.1.1.1"], ["127.0.0.1"]])
    guard = fetch.PublicOnly(names, trusted=frozenset())
    assert [one["host"] for one in await guard.resolve("rebind.example", 443)] == ["1.1.1.1"]
    with pytest.raises(fetch.Blocked):
        await guard.resolve("rebind.example", 443)


async def test_private_answers_among_public_ones_are_left_out():
    names = Names(mixed_example=[["10.0.0.1", "1.1.1.1", "::ffff:127.0.0.1", "2606:4700::1111"]])
    guard = fetch.PublicOnly(names, trusted=frozenset())
    answers = await guard.resolve("mixed.example", 443)
    assert [one["host"] for one in answers] == ["1.1.1.1", "2606:4700::1111"]


async def test_trust_covers_a_host_or_one_port_of_it():
    names = Names(cdn_internal=[["127.0.0.1"]])
    async with Site(say()) as site:
        for trusted in ("CDN.internal", f"cdn.internal:{site.port}"):
            async with fetch.Fetcher(trusted=frozenset({trusted}), resolver=names) as get:
                assert await get.fetch(f"http://cdn.INTERNAL:{site.port}/a")
        for trusted in ("internal", "cdn.internal:1", f"other:{site.port}"):
            await refuse(
                f"http://cdn.internal:{site.port}/a", trusted=frozenset({trusted}), resolver=names
            )
        assert len(site.seen) == 2
    assert names.closed


async def test_an_unknown_name_is_worth_a_retry():
    async with fetch.Fetcher(resolver=Names()) as get:
        with pytest.raises(fetch.Unreachable) as caught:
            await get.fetch("https://nowhere.example/a?sig=secret")
    assert caught.value.retry


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed(status):
    async def page(request):
        if request.path == "/picture.png":
            return web.Response(body=PNG)
        return web.Response(status=status, headers={"Location": "/picture.png?sig=%2F"})

    assert (await load(page, path="/old/")).data == PNG


async def test_a_redirect_to_an_untrusted_private_host_is_refused():
    async with Site(say()) as inside:

        async def page(_request):
            raise web.HTTPFound(inside.url())

        with pytest.raises(fetch.Blocked):
            await load(page)
        assert inside.seen == []


@pytest.mark.parametrize(
    "target",
    [
        "https://127.0.0.1/a",
        "https://example.com/a",  # even upwards: the vendor named another scheme
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "//user:word@example.com/a",
        "http://[::1/",
    ],
)
async def test_a_redirect_outside_the_rules_is_refused(target):
    with pytest.raises(fetch.Blocked):
        await load(say(b"", status=302, headers={"Location": target}))


@pytest.mark.parametrize("headers", [{}, {"Location": ""}, {"Location": "/picture.png"}])
async def test_redirects_without_end_are_left_after_three(headers):
    async with Site(say(b"", status=302, headers=headers)) as site:
        async with fetch.Fetcher(trusted=frozenset({site.host})) as get:
            with pytest.raises(fetch.Unreachable):
                await get.fetch(site.url())
        assert len(site.seen) == 1 + fetch.MAX_REDIRECTS


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, fetch.Gone),
        (404, fetch.Gone),
        (410, fetch.Gone),
        (206, fetch.Unreachable),
        (401, fetch.Unreachable),
        (429, fetch.Unreachable),
        (500, fetch.Unreachable),
        (503, fetch.Unreachable),
    ],
)
async def test_other_statuses_are_errors_that_carry_them(status, kind):
    page = say(b"<Error><Code>AccessDenied</Code></Error>", status=status, content_type="text/xml")
    with pytest.raises(fetch.FetchError) as caught:
        await load(page, path="/picture.png?sig=secret")
    assert type(caught.value) is kind
    assert caught.value.status == status
    assert caught.value.retry
    assert "secret" not in str(caught.value)
    assert "/picture.png" in str(caught.value)


@pytest.mark.parametrize(
    "page",
    [
        say(b"<!doctype html><p>Sign in</p>", content_type="text/html"),
        say(b"<!doctype html><p>Sign in</p>", content_type="image/png"),
        say(PNG, content_type="text/html"),
        say(b"<svg xmlns='http://www.w3.org/2000/svg'/>", content_type="image/svg+xml"),
        say(b'{"error": "no"}' * 9, content_type="application/json"),
        say(b"GIF89a" + bytes(99), content_type="image/gif"),
        say(b"RIFF\x00\x02\x00\x00WAVEfmt " + bytes(99)),
        say(b"\x89PNG"),
        say(b""),
        say(gzip.compress(bytes(5_000_000)), headers={"Content-Encoding": "gzip"}),
        say(PNG, headers={"Content-Encoding": "br"}),
        say(gzip.compress(PNG)),
    ],
)
async def test_whatever_is_no_picture_is_refused(page):
    with pytest.raises(fetch.NotAPicture) as caught:
        await load(page)
    assert not caught.value.retry


async def test_an_announced_size_over_the_limit_is_refused_unread():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"
    with pytest.raises(fetch.TooLarge):
        await load_wire(head, max_bytes=50_000, pause=5.0)


async def test_exactly_the_limit_is_allowed():
    assert await load(say(), max_bytes=len(PNG))
    with pytest.raises(fetch.TooLarge):
        await load(say(), max_bytes=len(PNG) - 1)


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n" + PNG, bytes(65_536)),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(PNG), PNG),
            b"10000\r\n" + bytes(65_536) + b"\r\n",
        ),
    ],
)
async def test_an_endless_body_is_cut_off_at_the_limit(head, piece):
    with pytest.raises(fetch.TooLarge):
        await load_wire(head, endless=piece, max_bytes=1_000_000)


async def test_bytes_beyond_the_announced_length_never_join_the_picture():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PNG)
    try:
        picture = await load_wire(head + PNG, endless=bytes(65_536), max_bytes=1_000_000)
    except fetch.Unreachable:
        return  # they came in time to be read as a second, broken answer
    assert picture.data == PNG


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + PNG[:5],
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + PNG,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n" + PNG[:32] + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n" + PNG,
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    ],
)
async def test_a_broken_connection_is_worth_a_retry(start):
    with pytest.raises(fetch.Unreachable) as caught:
        await load_wire(start)
    assert caught.value.retry
    assert "secret" not in str(caught.value)


async def test_a_closed_port_is_worth_a_retry():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        async with fetch.Fetcher(trusted=frozenset({host})) as get:
            with pytest.raises(fetch.Unreachable):
                await get.fetch(f"http://{host}/a")


async def test_a_slow_drip_ends_with_the_time():
    head = b"HTTP/1.1 200 OK\r\n\r\n" + PNG[:20]
    began = time.monotonic()
    with pytest.raises(fetch.Unreachable, match="too long"):
        await load_wire(head, *[b"x"] * 100, pause=0.05, seconds=0.3)
    assert time.monotonic() - began < 1.5


async def test_the_time_covers_all_redirects_together():
    async def page(_request):
        await asyncio.sleep(0.15)
        raise web.HTTPFound("/again")

    began = time.monotonic()
    with pytest.raises(fetch.Unreachable, match="too long"):
        await load(page, seconds=0.25)
    assert time.monotonic() - began < 1.0


async def test_a_cancelled_download_stays_cancelled():
    async with (
        Wire(b"HTTP/1.1 200 OK\r\n\r\n" + PNG, pause=1.0) as wire,
        fetch.Fetcher(trusted=frozenset({wire.host})) as get,
    ):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(get.fetch(wire.url()), 0.1)


@pytest.mark.parametrize("page", [say(status=404), say(b"no"), say(b"", status=302)])
async def test_no_error_tells_the_query_or_its_cause(page):
    with pytest.raises(fetch.FetchError) as caught:
        await load(page, path="/a?sig=secret")
    error = caught.value
    assert "secret" not in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


async def test_a_fetcher_works_only_inside_its_block():
    get = fetch.Fetcher()
    with pytest.raises(RuntimeError, match="async with"):
        await get.fetch("https://example.com/a")


def test_every_error_says_whether_to_retry_and_who_is_at_fault():
    kinds = fetch.FetchError.__subclasses__()
    retried = {kind.__name__ for kind in kinds if kind.retry}
    assert retried == {"Gone", "Unreachable"}
    assert all("fault" in (kind.__doc__ or "") for kind in kinds)
    assert all(kind.__name__ in (fetch.FetchError.__doc__ or "") for kind in kinds)


async def test_proxies_of_the_environment_are_not_used(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert (await load(say())).data == PNG
