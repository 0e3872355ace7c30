"""Everything kept about a person: handed out as it is, erased so that the sums still hold.

It owns what becomes of each column of a person's rows (a test holds it to the schema); it never
touches a file: whoever erases also forgets the files of `Erased` and sweeps the database.
"""

import json
import re
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.ledger import budgets, rows, verbs
from bot.ledger.schema import blocks, changes, jobs, preferences, replies, reports, spending
from bot.model import Delivery, End, Kind, Outcome, Reply, State

ANONYMOUS = 0
"""The person whom the rows of all erased people belong to; no id of Discord is 0."""

# What stays of a row: states, times, models and counts, so that pictures and money add up, and
# the task's number, by which the operator finds it on HiAPI's bill.
STAYS = {
    "replies": frozenset(
        {"id", "application_id", "guild_id", "token_expires_at", "private", "present"}
        | {"upload_limit", "created_at", "delivery", "unsettled", "due_at", "attempts"}
        | {"delivered_at", "noted", "note_stands", "spoiler", "show_references"}
    ),
    "jobs": frozenset(
        {"id", "reply_id", "slot", "state", "kind", "model", "aspect_ratio", "resolution"}
        | {"created_at", "turn", "due_at", "first_post_at", "attempts", "task_id", "task_status"}
        | {"submitted_at", "settled_at", "price", "posts", "turned_away"}
    ),
    "changes": frozenset({"id", "guild_id", "at", "name", "before", "after"}),
    # Whoever may not ask may not ask either after they had themselves erased.
    "blocks": frozenset({"guild_id", "user_id", "at", "until", "reason"}),
}
# What is written in place of the rest. Two columns differ by row: `interaction_id`, which must
# stay unique, and `outcome`, of which the end and the code stay.
BLANKS: dict[str, dict[str, Any]] = {
    "replies": {
        "user_id": ANONYMOUS,
        "channel_id": 0,
        "message_id": None,
        "token": None,
        "locale": "en-US",
        "lease_owner": None,
        "lease_until": None,
        "rung": None,
        "rung_at": None,
        "made_from": None,
        "made_by": None,
        "trouble": None,
    },
    "jobs": {
        "user_id": ANONYMOUS,
        "prompt": "",
        "unfinished": False,
        "refs": [],
        "body": None,
        "lease_owner": None,
        "lease_until": None,
    },
    "changes": {"user_id": ANONYMOUS},
    "blocks": {"by_user": ANONYMOUS},
}
BY_ROW = {
    "replies": frozenset({"interaction_id"}),
    "jobs": frozenset({"outcome"}),
    "changes": frozenset(),
    "blocks": frozenset(),
}
# Tables of which a person's rows go altogether, and tables that hold nobody's.
DROPPED = frozenset({"preferences", "reports"})
NOBODYS = frozenset({"servers", "facts", "spending"})
# Handed out to nobody: they open something, say only which process was at work, or who blocked.
WITHHELD = frozenset({"token", "lease_owner", "lease_until", "by_user"})
AT_ONCE = 500  # replies that one statement blanks: databases bound their parameters


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased, and whose kept files must go: originals by job, references by digest."""

    replies: int
    jobs: int
    cancelled: int  # jobs that were under way
    job_ids: tuple[str, ...]
    digests: tuple[str, ...]


def erase(conn: sa.Connection, user_id: int, *, now: datetime) -> Erased:
    """Cancel what a person has under way, then blank whatever tells of them.

    What was sent to HiAPI stays counted, for it may be billed; what was not is uncounted. Nothing
    of theirs is shown any more, and no late answer brings anything back.
    """
    mine = sa.select(replies.c.id).where(replies.c.user_id == user_id).order_by(replies.c.id)
    reply_ids = conn.scalars(mine.with_for_update()).all()
    conn.execute(
        sa.update(replies)
        .where(
            replies.c.user_id == user_id,
            replies.c.delivery.in_([Delivery.OPEN, Delivery.PARKED]),
        )
        .values(delivery=Delivery.CANCELLED, delivered_at=now)
    )
    found = conn.execute(
        sa.select(jobs.c.id, jobs.c.state, jobs.c.refs)
        .where(jobs.c.user_id == user_id)
        .order_by(jobs.c.id)
        .with_for_update()
    ).all()
    live = [row.id for row in found if row.state not in (State.SETTLED, State.WITHDRAWN)]
    for job_id in live:
        verbs.settle(conn, job_id, outcome=Outcome(end=End.CANCELLED), now=now)
    blank(conn, reply_ids)
    digests = digests_of(row.refs for row in found)
    digests -= in_use(conn, digests)
    for table in (preferences, reports):
        conn.execute(sa.delete(table).where(table.c.user_id == user_id))
    conn.execute(sa.update(changes).where(changes.c.user_id == user_id).values(user_id=ANONYMOUS))
    conn.execute(sa.update(blocks).where(blocks.c.by_user == user_id).values(by_user=ANONYMOUS))
    # This month's accounts stay: else whoever has used up a limit had only to be erased.
    budgets.fold(conn, budgets.past(conn, user_id=user_id, before=f"{now:%Y-%m}"))
    return Erased(
        replies=len(reply_ids),
        jobs=len(found),
        cancelled=len(live),
        job_ids=tuple(row.id for row in found),
        digests=tuple(sorted(digests)),
    )


def blank(conn: sa.Connection, reply_ids: Sequence[str]) -> list[str]:
    """Let these finished replies and their jobs be nobody's; the ids of the jobs."""
    blanked: list[str] = []
    for start in range(0, len(reply_ids), AT_ONCE):
        ids = list(reply_ids[start : start + AT_ONCE])
        found = conn.execute(_THEIR_JOBS, {"ids": ids}).all()
        blanked += (row.id for row in found)
        ended = [
            {
                "this": row.id,
                "said": Outcome(End(row.outcome["end"]), code=row.outcome["code"]).dump(),
            }
            for row in found
            if row.outcome
        ]
        if ended:
            conn.execute(_OUTCOME, ended)
        # Below zero no id of Discord is, and two of these never meet.
        numbers = [{"this": each, "number": -1 - secrets.randbits(62)} for each in ids]
        conn.execute(_INTERACTION, numbers)
        conn.execute(_BLANK_JOBS, {"ids": ids})
        conn.execute(_BLANK_REPLIES, {"ids": ids})
    return blanked


_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_THEIR_JOBS = (
    sa.select(jobs.c.id, jobs.c.outcome).where(jobs.c.reply_id.in_(_IDS)).order_by(jobs.c.id)
)
_BLANK_JOBS = sa.update(jobs).where(jobs.c.reply_id.in_(_IDS)).values(BLANKS["jobs"])
_BLANK_REPLIES = sa.update(replies).where(replies.c.id.in_(_IDS)).values(BLANKS["replies"])
_OUTCOME = (
    sa.update(jobs)
    .where(jobs.c.id == sa.bindparam("this"))
    .values(outcome=sa.bindparam("said", type_=jobs.c.outcome.type))
)
_INTERACTION = (
    sa.update(replies)
    .where(replies.c.id == sa.bindparam("this"))
    .values(interaction_id=sa.bindparam("number", type_=sa.BigInteger))
)


def in_use(conn: sa.Connection, digests: Collection[str]) -> set[str]:
    """Which of these images somebody's request still names: one that several handed in is kept
    once. Read as text, which takes a tenth of the time that JSON would.
    """
    if not digests:
        return set()
    found: set[str] = set()
    for refs in conn.scalars(_ALL_REFS.execution_options(yield_per=500)):
        found.update(_DIGEST.findall(refs))
    return found & set(digests)


_DIGEST = re.compile(r"[0-9a-f]{64}")
_ALL_REFS = sa.select(sa.cast(jobs.c.refs, sa.Text)).where(
    jobs.c.user_id != ANONYMOUS, jobs.c.kind == Kind.REMIX
)


def digests_of(all_refs: Iterable[list[dict[str, Any]]]) -> set[str]:
    """The images that these lists of references name."""
    return {ref["digest"] for refs in all_refs for ref in refs or () if ref.get("digest")}


@dataclass(frozen=True, slots=True)
class Summary:
    """How much is kept about a person, in numbers; `since` is their first request's time."""

    requests: int
    pictures: int
    since: datetime | None
    under_way: int
    defaults: bool
    reports: int


def summary(conn: sa.Connection, user_id: int) -> Summary:
    """How much is kept about a person."""
    asked = sa.select(sa.func.count(), sa.func.min(replies.c.created_at))
    requests, since = conn.execute(asked.where(replies.c.user_id == user_id)).one()
    theirs = sa.select(sa.func.count()).select_from(jobs).where(jobs.c.user_id == user_id)
    made = jobs.c.outcome["end"].as_string() == End.PICTURES
    over = [State.SETTLED, State.WITHDRAWN]
    reported = sa.select(sa.func.count()).select_from(reports).where(reports.c.user_id == user_id)
    liked = sa.select(preferences.c.user_id).where(preferences.c.user_id == user_id)
    return Summary(
        requests=requests,
        pictures=conn.scalar(theirs.where(jobs.c.state == State.SETTLED, made)) or 0,
        since=since,
        under_way=conn.scalar(theirs.where(jobs.c.state.not_in(over))) or 0,
        defaults=conn.scalar(liked) is not None,
        reports=conn.scalar(reported) or 0,
    )


def under_way(conn: sa.Connection, user_id: int) -> list[Reply]:
    """A person's replies that are open: what an erasure takes back."""
    mine = sa.select(replies.c.id).where(
        replies.c.user_id == user_id, replies.c.delivery == Delivery.OPEN
    )
    loaded = (rows.load_reply(conn, reply_id) for reply_id in conn.scalars(mine).all())
    return [reply for reply in loaded if reply is not None]


def records(conn: sa.Connection, user_id: int, *, now: datetime) -> tuple[str, ...]:
    """Everything kept about a person, one JSON object a line; the first says what it is."""
    about = {
        "record": "about",
        "user_id": user_id,
        "made_at": now.isoformat(),
        "left_out": "tokens, which answer a command for up to 15 minutes",
    }
    lines = [json.dumps(about)]
    for table in (preferences, reports, changes, blocks, replies, jobs):
        query = sa.select(table).where(table.c.user_id == user_id)
        if "created_at" in table.c:
            query = query.order_by(table.c.created_at, table.c.id)
        lines += [_line(table.name, row) for row in conn.execute(query).mappings()]
    counted = sa.select(spending).where(budgets.of_person(user_id)).order_by(spending.c.period)
    lines += [_line("spending", row) for row in conn.execute(counted).mappings()]
    return tuple(lines)


def _line(record: str, row: sa.RowMapping) -> str:
    told = {name: _plain(value) for name, value in row.items() if name not in WITHHELD}
    return json.dumps({"record": record, **told}, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value


@dataclass(frozen=True, slots=True)
class Files:
    """What of a person may be kept as files: originals by job, references by digest."""

    job_ids: tuple[str, ...]
    digests: tuple[str, ...]


def files_of(conn: sa.Connection, user_id: int) -> Files:
    """The files that may be kept of a person, the oldest first."""
    mine = sa.select(jobs.c.id, jobs.c.refs).where(jobs.c.user_id == user_id)
    found = conn.execute(mine.order_by(jobs.c.created_at, jobs.c.id)).all()
    digests = sorted(digests_of(row.refs for row in found))
    return Files(job_ids=tuple(row.id for row in found), digests=tuple(digests))
