"""Which route a finished card takes: edit by token, edit as the bot, channel, direct message.

It owns the order of the routes and what is written down before a message is sent; it never makes
a card.

    edit by token   while it lives: needs nothing else, works everywhere
    edit as the bot the same message; public, where the bot itself is a member
    channel         a new message with a nonce; public, where the bot itself is a member
    direct message  a new message with a nonce, to the person who asked

Edits may be repeated, so nothing is written before one. A new message may not: the rung is
written down first, and whoever comes back after a crash sends again only while Discord still
knows the nonce, or after looking for the message where that is possible; a look that fails for a
moment is repeated later. A private card never takes the channel, and once its token died nobody can
look whether it was edited: so that is written down before, and after a crash no direct message
repeats it. A message that somebody deleted is not posted again by any route. Whatever ends with a
new message ends with the waiting card's end.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from bot.clock import Clock
from bot.ledger import deliveries
from bot.ledger.ledger import Ledger
from bot.messenger import Messenger, Result, Shown, Sought
from bot.model import Reply, Rung, short_id
from bot.render import Card

log = structlog.get_logger(__name__)

# Discord remembers a nonce for "a few minutes"; one of them is kept in hand.
NONCE_LIFE = timedelta(minutes=2)
# How long after the last try to send it a message may still come to stand.
LATE = timedelta(minutes=3)
# How far Discord's clock, by which messages are numbered, may be from ours.
SKEW = timedelta(seconds=10)


class Ladder:
    """Climbs for one reply at a time, under the lease of `worker`."""

    def __init__(self, *, ledger: Ledger, messenger: Messenger, clock: Clock, worker: str) -> None:
        self._ledger = ledger
        self._messenger = messenger
        self._clock = clock
        self._worker = worker

    async def climb(self, reply: Reply, card: Card) -> Shown:
        """Show the card by the first route that works; NOWHERE if none did, NOTED if none may."""
        if reply.rung in (None, Rung.EDIT):
            shown = await self._edit(reply, card)
            if shown.result is not Result.NOWHERE:
                return shown
            log.warning("reply.not_editable", cause=shown.trouble)
        if reply.noted and await self._ledger.run(deliveries.note_stood, reply.id):
            # A Show button stands where only this person sees it: the picture waits behind it.
            return Shown(Result.NOTED, "the note with the Show button stands")
        if reply.rung is Rung.EDIT:
            return Shown(Result.NOWHERE, "it may stand already, and nobody may look: not repeated")
        return await self.post_anew(reply, card)

    async def _edit(self, reply: Reply, card: Card) -> Shown:
        """Edit what stands; of a private card that is written down for as long as it may stand."""
        target, now = reply.target, self._clock()
        marks = reply.rung is None and target.private and target.token_lives(now)
        if marks and not await self._step_on(reply, Rung.EDIT, now):
            return Shown(Result.LATER, "the lease was lost before sending")
        shown = await self._messenger.edit(target, card)
        if marks and shown.result is not Result.SHOWN:
            await self._step_on(reply, None, now)
        return shown

    async def _step_on(self, reply: Reply, rung: Rung | None, now: datetime) -> bool:
        return await self._ledger.run(
            deliveries.step_on, reply.id, worker=self._worker, rung=rung, now=now
        )

    async def post_anew(self, reply: Reply, card: Card) -> Shown:
        """Show the card as a new message: in the channel if it is public, else directly.

        What waited for it until then goes.
        """
        shown = await self._send(reply, card)
        if shown.result is Result.SHOWN:
            await self._messenger.delete(reply.target)
        return shown

    async def _send(self, reply: Reply, card: Card) -> Shown:
        public = reply.target.present and not reply.target.private
        if public and reply.rung is not Rung.DM:
            shown = await self._post(reply, card, Rung.CHANNEL, reply.target.channel_id)
            if shown.result is not Result.NOWHERE or self._sent_unseen(reply, Rung.CHANNEL):
                return shown
            log.warning("reply.not_postable", cause=shown.trouble)
        channel = await self._messenger.direct_channel(reply.target.user_id)
        if isinstance(channel, Shown):
            return channel
        return await self._post(reply, card, Rung.DM, channel)

    async def _post(self, reply: Reply, card: Card, rung: Rung, channel_id: int) -> Shown:
        now = self._clock()
        if reply.rung is rung and not _nonce_lives(reply, now):
            found = await self._messenger.find(_sought(reply, rung, channel_id))
            if isinstance(found, Shown):
                return replace(found, trouble=f"it may have been sent already: {found.trouble}")
            if found:
                return Shown(Result.SHOWN, "it stood there already")
        if reply.rung is not rung or not _nonce_lives(reply, now):
            written = await self._ledger.run(
                deliveries.step_on, reply.id, worker=self._worker, rung=rung, now=now
            )
            if not written:
                return Shown(Result.LATER, "the lease was lost before sending")
        return await self._messenger.post(channel_id, card, nonce=f"{rung[0]}{reply.id}")

    def _sent_unseen(self, reply: Reply, rung: Rung) -> bool:
        """Whether an earlier try may have sent by this rung: the next one could show it twice."""
        return reply.rung is rung


def _nonce_lives(reply: Reply, now: datetime) -> bool:
    return reply.rung_at is not None and now - reply.rung_at < NONCE_LIFE


def _sought(reply: Reply, rung: Rung, channel_id: int) -> Sought:
    """The message that an earlier try by this rung may have sent."""
    begun = reply.rung_at or reply.created_at
    return Sought(
        channel_id=channel_id,
        marker=short_id(reply.jobs[0].id),
        since=begun - SKEW,
        until=begun + NONCE_LIFE + LATE + SKEW,
        # The waiting card may stand in the same place and holds the same short id.
        besides=reply.target.message_id,
        direct=rung is Rung.DM or reply.target.guild_id is None,
    )
