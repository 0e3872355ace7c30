"""What an address in a setting may look like, what in it is secret, and what is reached by this
machine alone.

It owns the rules and their words; it never calls an address.
"""

import ipaddress
import re
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

LAST_PORT = 65_535
SQLITE, POSTGRESQL = "sqlite:///", "postgresql://"
# What may follow the user and password of a server: host, port, database, options.
_SERVER = re.compile(r"(?:\[[^/?@]+\]|[^/:?@]*)(?::(?P<port>\d*))?(?:[/?].*)?")
# Up to the last @, for a mistyped password is secret too.
_PASSWORD = re.compile(r"\w+://[^:/@]*:(.+)@")
_PASSWORD_OPTION = re.compile(r"[?&]password=([^&]+)")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def plain(value: str, *, example: str, travels: str) -> str:
    """A web address without its last slash; plain http is for this machine alone."""
    try:
        parts = urlsplit(value)
        whole = parts.scheme in ("https", "http") and parts.hostname and parts.port != 0
    except ValueError:
        whole = False
    if not whole or parts.query or parts.fragment:
        raise ValueError(f"must be an address such as {example}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not carry a user or password: they would be logged")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError(f"must be https: {travels} would travel in the clear")
    return value.rstrip("/")


def page(value: str) -> str:
    """The https address of a page that people are sent to. Raises ValueError."""
    try:
        parts = urlsplit(value)
        whole = parts.scheme == "https" and parts.hostname and parts.port != 0
    except ValueError:
        whole = False
    # What would end a link of Discord's early must be written as %xx.
    if not whole or not value.isascii() or not value.isprintable() or set(value) & set("<>() "):
        raise ValueError("must be an https address such as https://example.net/privacy")
    return value


def secret(value: SecretStr, *, user: str = "") -> SecretStr:
    """An https address that is itself a secret: nothing of it may stand in a refusal.

    `user` says what is missing where the address must carry a user.
    """
    text = value.get_secret_value()
    try:
        parts = urlsplit(text)
        near = is_loopback(parts.hostname or "") and parts.scheme == "http"
        whole = parts.hostname and (parts.scheme == "https" or near) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or not text.isascii() or " " in text:
        raise ValueError("must be an https address")
    if user and not parts.username:
        raise ValueError(f"must be {user}")
    return value


def database(value: str) -> str:
    """The address of a database: a file of SQLite's, or a PostgreSQL. Raises ValueError.

    Nothing of it may stand in a refusal: what was mistyped may be a part of the password.
    """
    if value.startswith("postgres://"):
        value = value.replace("postgres://", POSTGRESQL, 1)
    if value.startswith(SQLITE):
        if value.removeprefix(SQLITE).partition("?")[0] in ("", ":memory:"):
            raise ValueError(f"must name a file, such as {SQLITE}data/easel.db")
        return value
    if not value.startswith(POSTGRESQL):
        raise ValueError(f"must begin with {SQLITE} or {POSTGRESQL}")
    user, _, server = value.removeprefix(POSTGRESQL).rpartition("@")
    if "@" in user:
        raise ValueError("has more than one @: in the password write it as %40")
    match = _SERVER.fullmatch(server)
    if match is None or int(match["port"] or 0) > LAST_PORT:
        raise ValueError(
            f"names a port that is none: write {POSTGRESQL}user:password@host/name, with @, : and "
            "/ of the password as %40, %3A and %2F"
        )
    return value


def passwords(url: str) -> frozenset[str]:
    """The password in a database's address, as it stands there and as it is meant."""
    match = _PASSWORD.match(url)
    found = {*_PASSWORD_OPTION.findall(url), *([match[1]] if match else [])}
    return frozenset(found | {unquote(each) for each in found})
