"""What is kept of pictures and references, wired: a part of the composition root.

It owns how these parts hang together; it never reads or writes a file itself.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from bot.archive import Archive
from bot.clock import Clock
from bot.copies import Copies
from bot.fetch import Fetcher
from bot.keeper import Keeper
from bot.ledger import verbs
from bot.ledger.ledger import Ledger
from bot.links import KEY_BYTES, Links
from bot.messenger import Messenger
from bot.references import References
from bot.settings import Settings

LINKS_FACT = "links"
LINK_MARGIN = timedelta(hours=2)  # what a kept image is linked for, beyond the longest queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is kept of pictures and references, and the ways to have them again."""

    keeper: Keeper
    archive: Archive
    references: References
    copies: Copies


async def wired(
    settings: Settings, clock: Clock, *, ledger: Ledger, fetcher: Fetcher, messenger: Messenger
) -> Kept:
    """All of it, over one folder and one key."""
    keeper = Keeper(
        folder=settings.keep_folder,
        days=settings.keep_originals_days,
        megabytes=settings.keep_megabytes,
        clock=clock,
    )
    queue_max_age = timedelta(seconds=settings.queue_max_age)
    key = await ledger.run(verbs.settled_fact, LINKS_FACT, value=secrets.token_hex(KEY_BYTES))
    links = Links(
        # Nothing is kept, so nothing must be promised.
        public_url=settings.public_url if keeper.keeps else "",
        key=bytes.fromhex(key),
        life=queue_max_age + LINK_MARGIN,
        clock=clock,
    )
    references = References(
        keeper=keeper,
        fetcher=fetcher,
        messenger=messenger,
        links=links,
        clock=clock,
        queue_max_age=queue_max_age,
    )
    return Kept(
        keeper=keeper,
        archive=Archive(
            keeper=keeper, links=links, fetcher=fetcher, messenger=messenger, clock=clock
        ),
        references=references,
        copies=Copies(messenger=messenger, references=references),
    )
