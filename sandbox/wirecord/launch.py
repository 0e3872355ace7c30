"""Starts the bot's own command line against a stand-in: `... --base URL run`.

Owns the pointing of discord.py at another address, so that the bot needs no hook for it; it never
changes anything else about the bot.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route


@contextmanager
def aimed(base: str) -> Iterator[None]:
    """Within this, discord.py in this process speaks to `base`: REST, webhooks and gateway.

    The CDN needs nothing: its addresses come with the attachments.
    """
    before = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    url = yarl.URL(base)
    socket = url.with_scheme("wss" if url.scheme == "https" else "ws").with_path("/gateway")
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = base.rstrip("/"), socket
    try:
        yield
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = before


def main(arguments: Sequence[str] | None = None) -> None:
    """Everything after `--base URL` goes to the bot's command line as it is."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.wirecord.launch", add_help=False)
    parser.add_argument("--base", required=True, help="such as http://127.0.0.1:8080/api/v10")
    options, rest = parser.parse_known_args(arguments)
    from bot.__main__ import main as easel  # noqa: PLC0415 - `aimed` alone needs no bot

    sys.argv = ["easel", *rest]
    with aimed(options.base):
        easel()


if __name__ == "__main__":
    main()
