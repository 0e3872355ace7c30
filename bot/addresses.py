"""What an address in a setting may look like, and what is reached by this machine alone.

It owns the rules and their words; it never calls an address.
"""

import ipaddress
from urllib.parse import urlsplit

from pydantic import SecretStr


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
