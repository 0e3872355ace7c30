"""Rows to values and values to rows.

It owns which column holds which field; it never decides anything.
"""

from typing import Any

import sqlalchemy as sa

from bot.ledger import schema
from bot.ledger.prepared import prepared
from bot.model import Delivery, Job, Kind, Outcome, Reference, Reply, Request, Rung, State, Target

Row = sa.RowMapping


def job_columns(job: Job) -> dict[str, Any]:
    """A new job as the columns of its row."""
    return {
        "id": job.id,
        "reply_id": job.reply_id,
        "slot": job.slot,
        "user_id": job.user_id,
        "state": job.state,
        "kind": job.request.kind,
        "model": job.request.model,
        "prompt": job.request.prompt,
        "unfinished": job.unfinished,
        "aspect_ratio": job.request.aspect_ratio,
        "resolution": job.request.resolution,
        "refs": [reference.dump() for reference in job.request.references],
        "created_at": job.created_at,
        "price": job.price,
        "due_at": job.created_at,
    }


def reply_columns(reply: Reply) -> dict[str, Any]:
    """A new reply as the columns of its row."""
    target = reply.target
    return {
        "id": reply.id,
        "interaction_id": target.interaction_id,
        "application_id": target.application_id,
        "channel_id": target.channel_id,
        "guild_id": target.guild_id,
        "user_id": target.user_id,
        "message_id": target.message_id,
        "token": target.token,
        "token_expires_at": target.token_expires_at,
        "private": target.private,
        "present": target.present,
        "upload_limit": target.upload_limit,
        "locale": target.locale,
        "created_at": reply.created_at,
        "delivery": reply.delivery,
        "unsettled": len(reply.jobs),
        "due_at": reply.created_at,
        "noted": reply.noted,
        "made_from": reply.made_from,
        "made_by": reply.made_by,
        "spoiler": reply.spoiler,
        "show_references": reply.show_references,
    }


def job(row: Row) -> Job:
    return Job(
        id=row["id"],
        reply_id=row["reply_id"],
        slot=row["slot"],
        user_id=row["user_id"],
        state=State(row["state"]),
        request=Request(
            kind=Kind(row["kind"]),
            model=row["model"],
            prompt=row["prompt"],
            aspect_ratio=row["aspect_ratio"],
            resolution=row["resolution"],
            references=tuple(Reference.load(raw) for raw in row["refs"]),
        ),
        created_at=row["created_at"],
        price=row["price"],
        unfinished=row["unfinished"],
        body=row["body"],
        first_post_at=row["first_post_at"],
        turned_away=row["state"] == State.SUBMITTING and row["posts"] == row["turned_away"],
        attempts=row["attempts"],
        task_id=row["task_id"],
        task_status=row["task_status"],
        submitted_at=row["submitted_at"],
        settled_at=row["settled_at"],
        outcome=Outcome.load(row["outcome"]) if row["outcome"] else None,
    )


def reply(row: Row, jobs: tuple[Job, ...]) -> Reply:
    return Reply(
        id=row["id"],
        target=Target(
            application_id=row["application_id"],
            interaction_id=row["interaction_id"],
            channel_id=row["channel_id"],
            guild_id=row["guild_id"],
            user_id=row["user_id"],
            token=row["token"],
            token_expires_at=row["token_expires_at"],
            private=row["private"],
            present=row["present"],
            upload_limit=row["upload_limit"],
            locale=row["locale"],
            message_id=row["message_id"],
        ),
        delivery=Delivery(row["delivery"]),
        created_at=row["created_at"],
        jobs=jobs,
        attempts=row["attempts"],
        rung=Rung(row["rung"]) if row["rung"] else None,
        rung_at=row["rung_at"],
        noted=row["noted"],
        made_from=row["made_from"],
        made_by=row["made_by"],
        spoiler=row["spoiler"],
        show_references=row["show_references"],
    )


def load_reply(conn: sa.Connection, reply_id: str) -> Reply | None:
    """A reply with its jobs in slot order, or None."""
    row = conn.execute(_REPLY, {"id": reply_id}).mappings().one_or_none()
    return None if row is None else with_jobs(conn, row)


def with_jobs(conn: sa.Connection, row: Row) -> Reply:
    """A reply, of which the row is at hand, with its jobs in slot order."""
    found = conn.execute(_JOBS, {"reply_id": row["id"]}).mappings()
    return reply(row, tuple(job(each) for each in found))


_REPLY = prepared(sa.select(schema.replies).where(schema.replies.c.id == sa.bindparam("id")))
_JOBS = prepared(
    sa.select(schema.jobs)
    .where(schema.jobs.c.reply_id == sa.bindparam("reply_id"))
    .order_by(schema.jobs.c.slot)
)
