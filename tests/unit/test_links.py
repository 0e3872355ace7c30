"""Signed addresses: each opens its one file until its end, and nobody can make one up."""

import base64
import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from bot import links
from bot.keeper import Shelf
from bot.links import Links
from bot.references import ends_after
from tests.build import NOW

NAME = "0f" * 32


def opened(now=NOW, *, key=bytes(range(32)), url="https://easel.example"):
    return Links(public_url=url, key=key, life=timedelta(hours=4), clock=lambda: now)


def token_of(address):
    return urlsplit(address).path.removeprefix(links.PATH)


@pytest.mark.parametrize("shelf", Shelf)
def test_an_address_opens_its_file(shelf):
    address = opened().address(shelf, NAME)
    assert address.startswith("https://easel.example/kept/")
    assert re.fullmatch(links.TOKEN, token_of(address))
    assert opened().read(token_of(address)) == (shelf, NAME)


def test_it_ends_when_it_says():
    address = opened().address(Shelf.REFERENCES, NAME)
    last = NOW + timedelta(hours=4)
    assert ends_after(address, last)
    assert not ends_after(address, last + timedelta(seconds=1))
    assert opened(last - timedelta(seconds=1)).read(token_of(address))
    assert opened(last).read(token_of(address)) is None


def test_the_end_in_the_query_decides_nothing():
    token = token_of(opened().address(Shelf.REFERENCES, NAME))
    assert opened(NOW + timedelta(days=1)).read(token) is None


def test_every_changed_bit_closes_it():
    token = token_of(opened().address(Shelf.REFERENCES, NAME))
    raw = base64.urlsafe_b64decode(token)
    for at in range(len(raw)):
        forged = bytes([*raw[:at], raw[at] ^ 1, *raw[at + 1 :]])
        assert opened().read(base64.urlsafe_b64encode(forged).decode()) is None


def test_every_changed_character_closes_it():
    token = token_of(opened().address(Shelf.REFERENCES, NAME))
    for at, was in enumerate(token):
        other = "A" if was != "A" else "B"
        assert opened().read(token[:at] + other + token[at + 1 :]) is None


def test_another_key_opens_nothing():
    token = token_of(opened(key=bytes(32)).address(Shelf.REFERENCES, NAME))
    assert opened().read(token) is None


@pytest.mark.parametrize("token", ["", "=", "A" * 100, "a" * 99, "ä" * 100, "../" * 33, "A" * 500])
def test_what_is_no_token_opens_nothing(token):
    assert opened().read(token) is None


def test_without_a_public_address_there_is_none():
    assert opened(url="").address(Shelf.REFERENCES, NAME) is None
