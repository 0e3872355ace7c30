"""The final accounts: the ledger, HiAPI's bills and Discord's messages must tell the same story.

Owns what "exactly once" means; it never waits and never changes anything.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bot.errors import WORDS, Code
from sandbox.wirecord.interactions import DEFER, Asked

if TYPE_CHECKING:
    from tests.flow.process import Scene

Row = dict[str, Any]


def amiss(scene: Scene) -> list[str]:
    """All that contradicts: an empty list for a scene in which everything happened once."""
    jobs = {job["reply_id"]: job for job in scene.jobs}
    replies = {reply["interaction_id"]: reply for reply in scene.replies}
    bills = Counter(bill.key for bill in scene.hiapi.tasks.bills)
    posted = Counter(message.id for message in scene.messages())
    found: list[str] = []
    for asked in scene.asked:
        reply = replies.pop(asked.id, None)
        job = jobs[reply["id"]] if reply else None
        billed = bills.pop(job["id"], 0) if job else 0
        stands = posted.pop(asked.message.id, 0) if asked.message else 0
        if reply and asked.acked is not None and reply["delivery"] == "withdrawn":
            complaints = _taken_back(asked, billed=billed)
            for message in asked.followups:
                posted.pop(message.id, 0)
        elif asked.acked is not None and asked.answered == DEFER:
            complaints = _promised(asked, reply, job, billed=billed, stands=stands)
        else:
            complaints = _not_promised(reply, billed=billed)
        found += [f"{asked.id}: {complaint} ({job} {reply})" for complaint in complaints]
    found += [f"nobody asked for {reply}" for reply in replies.values()]
    found += [f"message {number} answers nobody" for number in posted]
    found += [f"billed for nothing: {key}" for key in bills]
    charged = sum(_charged(job) for job in jobs.values())
    if scene.counted != charged:
        found.append(f"{scene.counted} counted, {charged} charged")
    return found


def _charged(job: Row) -> bool:
    """What was sent is charged, unless it is known to have brought no picture."""
    if job["first_post_at"] is None:
        return False
    ended = json.loads(job["outcome"])["end"] if job["outcome"] else None
    return ended not in ("failed", "refused")


def _not_promised(reply: Row | None, *, billed: int) -> Iterator[str]:
    """Discord has no acknowledgement, or a refusal in its place: nothing may be owed."""
    if billed:
        yield "billed without an acknowledgement"
    if reply is not None and reply["delivery"] != "withdrawn":
        yield "not withdrawn"


def _taken_back(asked: Asked, *, billed: int) -> Iterator[str]:
    """Refused after all, for an upload: somebody must have been told, and no spinner stays."""
    told = [*asked.followups, asked.message]
    if not any(message and message.text and not message.deleted for message in told):
        yield "refused without a word"
    if asked.message is not None and asked.message.loading and not asked.message.deleted:
        yield "spins for ever"
    if billed:
        yield "billed although refused"


def _promised(
    asked: Asked, reply: Row | None, job: Row | None, *, billed: int, stands: int
) -> Iterator[str]:
    """Somebody sees a spinner: it must end, once, and be paid for once."""
    if reply is None or job is None or asked.message is None:
        yield "acknowledged and not written down"
        return
    outcome = json.loads(job["outcome"])["end"] if job["outcome"] else None
    complaints = {
        "the answer is gone": stands != 1,
        "spins for ever": asked.message.loading,
        "not delivered": reply["delivery"] not in ("delivered", "parked"),
        "has no picture": outcome == "pictures"
        and not asked.message.attachments
        and WORDS[Code.PICTURE_LOST].title not in asked.text,
        "has a picture of nothing": outcome != "pictures" and bool(asked.message.attachments),
        f"billed {billed} times": billed != (job["task_id"] is not None),
        "its token was kept": reply["token"] is not None,
        "still leased": bool(job["lease_owner"] or reply["lease_owner"]),
        "a second message": bool(asked.followups),
    }
    yield from (complaint for complaint, holds in complaints.items() if holds)
