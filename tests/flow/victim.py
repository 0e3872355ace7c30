"""The bot's own command line, made to die by SIGKILL at a chosen moment, or to run ahead in time.

Owns the moment of death and nothing else: `python -m tests.flow.victim --base URL [--kill MOMENT]
[--ahead SECONDS] run`. A moment is a verb of the ledger and the side of it:

    before:VERB   it was asked for, nothing of it is written
    inside:VERB   it ran, its transaction is not committed
    after:VERB    it is committed, and whoever asked for it does not know yet
"""

import argparse
import asyncio
import functools
import os
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NoReturn

from bot import app, clock
from bot.ledger.ledger import Ledger
from sandbox.wirecord import launch

Ask = Callable[..., asyncio.Future[Any]]


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL cannot be survived")


def doomed(ask: Ask, moment: str) -> Ask:
    """`Ledger.ask`, with which the process dies at `moment`.

    A verb that found nothing to do is no moment: stages ask for work many times a second.
    """
    side, _, name = moment.partition(":")
    assert side in ("before", "inside", "after")

    def asking(
        self: Ledger, verb: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> asyncio.Future[Any]:
        if verb.__name__ != name:
            return ask(self, verb, *args, **kwargs)
        if side == "before":
            die()

        @functools.wraps(verb)
        def cut(*args: Any, **kwargs: Any) -> Any:
            result = verb(*args, **kwargs)
            if result and side == "inside":
                die()
            return result

        def answered(answer: asyncio.Future[Any]) -> None:
            if side == "after" and not answer.cancelled() and answer.result():
                die()

        answer = ask(self, cut, *args, **kwargs)
        answer.add_done_callback(answered)
        return answer

    return asking


def main() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--kill", default="")
    parser.add_argument("--ahead", type=float, default=0.0)
    options, rest = parser.parse_known_args()
    if options.kill:
        Ledger.ask = doomed(Ledger.ask, options.kill)  # type: ignore[method-assign]
    if options.ahead:
        ahead = timedelta(seconds=options.ahead)

        def early() -> datetime:
            return clock.system() + ahead

        app.opened = functools.partial(app.opened, clock=early)
    launch.main(rest)


if __name__ == "__main__":
    main()
