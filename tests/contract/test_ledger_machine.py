"""Random lives of many jobs under several workers, beside a model of a few dictionaries.

The clock is moved by hand across a midnight, leases run out, the ledger is reopened; after every
step the rows must be what the model says, and each change of state one of `model.ARROWS`.
"""

import asyncio
import dataclasses
import functools
import shutil
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.allowance import Full
from bot.errors import Code
from bot.ledger import asks, deliveries, ending, queue, schema, verbs
from bot.ledger.ledger import Ledger
from bot.ledger.unsent import Oldest
from bot.model import ARROWS, Delivery, End, Outcome, State
from tests import build

DAY_LIMIT = 14
LEASE = timedelta(seconds=30)
START = datetime(2026, 3, 14, 23, 57, tzinfo=UTC)
SENT = {State.QUEUED, State.SUBMITTING, State.SUBMITTED}
LIVE = {State.RECEIVED, State.QUEUED, State.SUBMITTING, State.SUBMITTED}

picks = st.integers(0, 1000)
workers = st.sampled_from(["ada", "bob"])
# Mostly whoever holds the lease, or most steps would only be refused.
callers = st.sampled_from(["its holder", "its holder", "its holder", "ada", "bob"])
seconds = st.integers(0, 45).map(lambda number: timedelta(seconds=number))
closings = st.sampled_from([Delivery.DELIVERED, Delivery.PARKED, Delivery.UNDELIVERABLE])
outcomes = st.sampled_from(
    [
        build.pictures(),
        build.failure(),
        build.failure(Code.LOST, end=End.UNKNOWN),
        build.failure(end=End.CANCELLED),
    ]
)


@dataclasses.dataclass
class Leased:
    """What jobs and replies have in common: when they are due and who holds them."""

    due_at: datetime
    owner: str | None = None
    until: datetime | None = None
    attempts: int = 0

    def free(self, now):
        return self.due_at <= now and (self.until is None or self.until <= now)

    def caller(self, name):
        return self.owner or "ada" if name == "its holder" else name

    def release(self):
        self.owner = self.until = None


@dataclasses.dataclass
class Job(Leased):
    id: str = ""
    reply_id: str = ""
    day: str = ""
    state: State = State.RECEIVED
    body: bytes | None = None
    task: str | None = None
    status: str | None = None
    outcome: Outcome | None = None
    first_post_at: datetime | None = None
    posts: int = 0
    turned_away: int = 0

    @property
    def unsent(self):
        """HiAPI made no task of it, and may not be about to."""
        return self.task is None and self.posts == self.turned_away

    def counts(self):
        """BOT_CAPS counts what may yet be billed or was."""
        if self.state is State.WITHDRAWN:
            return False
        if self.state is not State.SETTLED:
            return True
        return not self.unsent and self.outcome.end not in (End.FAILED, End.REFUSED)


@dataclasses.dataclass
class Reply(Leased):
    delivery: Delivery = Delivery.OPEN
    noted: bool = False
    token_until: datetime | None = None


@functools.cache
def template():
    """A folder with a migrated file, kept until the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="ledger-machine-")
    Ledger(f"sqlite:///{folder.name}/easel.db").migrate()
    return folder


def rows(conn):
    return {
        table.name: conn.execute(sa.select(table)).mappings().all()
        for table in (schema.jobs, schema.replies, schema.spending)
    }


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ledger-machine-"))
        shutil.copy(Path(template().name) / "easel.db", self.folder)
        self.runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self.now = START
        self.number = 0
        self.jobs = {}
        self.replies = {}
        self.asked = []
        self.seen = {}
        self.open()

    def open(self):
        self.ledger = Ledger(f"sqlite:///{self.folder / 'easel.db'}")
        self.runner.run(self.ledger.__aenter__())
        self.found = None

    def teardown(self):
        self.runner.run(self.ledger.__aexit__())
        self.runner.close()
        shutil.rmtree(self.folder)

    def run(self, verb, *args, **kwargs):
        (answer,) = self.run_at_once((verb, args, kwargs))
        return answer

    def run_at_once(self, *calls):
        """Ask for all verbs at once, which makes them one batch, and see what that changed."""

        async def ask():
            answers = await asyncio.gather(
                *(self.ledger.run(verb, *args, **kwargs) for verb, args, kwargs in calls),
                return_exceptions=True,
            )
            return answers, await self.ledger.run(rows)

        answers, self.found = self.runner.run(ask())
        self.follow(self.found)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def job(self, pick, *states):
        """Any job, but three times out of four one that may move from these states."""
        fitting = [job for job in self.jobs.values() if job.state in states]
        choice = fitting if fitting and pick % 4 < 3 else list(self.jobs.values())
        return choice[pick // 4 % len(choice)]

    def reply_id(self, pick):
        """Any reply, but three times out of four one that somebody holds."""
        held = [reply_id for reply_id, reply in self.replies.items() if reply.owner]
        choice = held if held and pick % 4 < 3 else list(self.replies)
        return choice[pick // 4 % len(choice)]

    def jobs_of(self, reply_id):
        return [job for job in self.jobs.values() if job.reply_id == reply_id]

    def counted(self):
        return Counter(job.day for job in self.jobs.values() if job.counts())

    def settled(self, job, outcome):
        job.state, job.outcome = State.SETTLED, outcome
        if job.unsent:
            job.first_post_at = None
        job.release()
        self.replies[job.reply_id].due_at = self.now

    # -- a person asks

    def named(self, reply):
        """Ids in order: they decide who of two comes first, and a failure must come again."""
        self.number += 1
        reply_id = f"reply-{self.number:03}"
        jobs = [
            job.evolve(id=f"job-{self.number:03}-{job.slot}", reply_id=reply_id)
            for job in reply.jobs
        ]
        return reply.evolve(id=reply_id, jobs=tuple(jobs))

    def receive(self, user, count):
        reply = self.named(build.reply(user_id=user, count=count, now=self.now))
        day = self.now.date().isoformat()
        fits = self.counted()[day] + count <= DAY_LIMIT
        answer = self.run(asks.receive, reply, limits=build.limits(reply, DAY_LIMIT))
        assert isinstance(answer, type(reply) if fits else Full)
        if fits:
            self.asked.append(reply)
            self.replies[reply.id] = Reply(self.now, token_until=reply.target.token_expires_at)
            for job in reply.jobs:
                self.jobs[job.id] = Job(self.now, id=job.id, reply_id=reply.id, day=day)

    @precondition(lambda self: self.asked)
    @rule(pick=picks)
    def receive_again(self, pick):
        again = self.asked[pick % len(self.asked)]
        assert self.run(asks.receive, again, limits=build.limits(again, 10**6)) is None

    @precondition(lambda self: self.replies)
    @rule(pick=picks)
    def confirm_one(self, pick):
        self.confirm(self.job(pick, State.RECEIVED).reply_id)

    def confirm(self, reply_id):
        waiting = [job for job in self.jobs_of(reply_id) if job.state is State.RECEIVED]
        moved = self.run(verbs.confirm, reply_id, message_id=7, private=False, now=self.now)
        assert moved == len(waiting)
        for job in waiting:
            job.state, job.due_at = State.QUEUED, self.now

    @precondition(lambda self: self.replies)
    @rule(pick=picks)
    def withdraw(self, pick):
        reply_id = self.job(pick, State.RECEIVED).reply_id
        waiting = [job for job in self.jobs_of(reply_id) if job.state is State.RECEIVED]
        assert self.run(verbs.withdraw, reply_id, now=self.now) == len(waiting)
        if waiting:
            self.replies[reply_id].delivery = Delivery.WITHDRAWN
            self.replies[reply_id].token_until = None
        for job in waiting:
            job.state = State.WITHDRAWN

    # -- workers submit

    def claim(self, worker):
        got = self.run(verbs.claim_queued, worker=worker, now=self.now, lease=LEASE)
        free = [job for job in self.jobs.values() if job.free(self.now)]
        repeated = {job.id for job in free if job.state is State.SUBMITTING}
        wanted = repeated or {job.id for job in free if job.state is State.QUEUED}
        assert (got.id in wanted) if wanted else got is None
        if got is None:
            return None
        self.jobs[got.id].owner, self.jobs[got.id].until = worker, self.now + LEASE
        self.jobs[got.id].posts += got.state is State.SUBMITTING
        return self.jobs[got.id]

    @precondition(lambda self: self.jobs)
    @rule(pick=picks, worker=callers)
    def freeze(self, pick, worker):
        held = [job for job in self.jobs.values() if job.owner and job.state is State.QUEUED]
        job = held[pick % len(held)] if held else self.job(pick)
        self.freeze_for(job, job.caller(worker))

    def freeze_for(self, job, worker):
        body = f"{worker} at {self.now}".encode()
        moved = self.run(verbs.freeze, job.id, worker=worker, body=body, now=self.now)
        assert moved == (job.state is State.QUEUED and job.owner == worker)
        if moved:
            job.state, job.body = State.SUBMITTING, body
            job.first_post_at, job.posts = self.now, 1

    @precondition(lambda self: self.jobs)
    @rule(pick=picks, worker=callers, delay=seconds)
    def resend(self, pick, worker, delay):
        job = self.job(pick, State.SUBMITTING)
        worker = job.caller(worker)
        due_at = self.now + delay
        moved = self.run(verbs.resend_at, job.id, worker=worker, due_at=due_at)
        assert moved == (job.state is State.SUBMITTING and job.owner == worker)
        if moved:
            job.due_at, job.attempts = due_at, job.attempts + 1
            job.release()

    @precondition(lambda self: self.jobs)
    @rule(pick=picks, worker=callers, delay=seconds)
    def turn_away(self, pick, worker, delay):
        job = self.job(pick, State.SUBMITTING)
        self.turn_away_as(job, job.caller(worker), self.now + delay)

    def turn_away_as(self, job, worker, due_at):
        """What was taken back meanwhile ends with it, if no other POST may have made a task."""
        again = {"worker": worker, "due_at": due_at, "now": self.now}
        ended = self.run(ending.turned_away, job.id, **again)
        if job.state is State.SUBMITTING and job.owner == worker:
            job.due_at, job.attempts = due_at, job.attempts + 1
            job.turned_away += 1
            job.release()
            if self.replies[job.reply_id].delivery is Delivery.CANCELLED and job.unsent:
                self.settled(job, Outcome(end=End.CANCELLED))
                assert ended == job.reply_id
                return
        assert ended is None

    @precondition(lambda self: self.asked)
    @rule(pick=picks)
    def cancel(self, pick):
        asked = self.asked[pick % len(self.asked)]
        reply, jobs = self.replies[asked.id], self.jobs_of(asked.id)
        user_id = asked.target.user_id
        got = self.run(queue.cancel, asked.id, user_id=user_id, now=self.now)
        going = any(job.state is not State.SETTLED for job in jobs)
        assert (got is not None) == (reply.delivery is Delivery.OPEN and going)
        if got is None:
            return
        reply.delivery, reply.token_until = Delivery.CANCELLED, None
        waiting = [job for job in jobs if job.state in LIVE and job.unsent]
        for job in waiting:
            self.settled(job, Outcome(end=End.CANCELLED))
        assert got.taken_back == len(waiting)
        assert got.begun == sum(not job.unsent for job in jobs)

    @precondition(lambda self: self.jobs)
    @rule(pick=picks, number=st.integers(1, 12))
    def submit(self, pick, number):
        self.submit_as(self.job(pick, State.SUBMITTING), f"task-{number}")

    def submit_as(self, job, task):
        taken = task in {other.task for other in self.jobs.values()}
        if taken and job.state is State.SUBMITTING:
            with pytest.raises(sa.exc.IntegrityError):
                self.run(verbs.submitted, job.id, task_id=task, now=self.now)
            return
        moved = self.run(verbs.submitted, job.id, task_id=task, now=self.now)
        assert moved == (job.state is State.SUBMITTING)
        if moved:
            job.state, job.task = State.SUBMITTED, task
            job.release()

    # -- tasks end

    @precondition(lambda self: self.jobs)
    @rule(pick=picks, status=st.sampled_from(["pending", "running"]))
    def note_status(self, pick, status):
        job = self.job(pick, State.SUBMITTED)
        moved = self.run(verbs.note_status, {job.id: status, "unknown": status})
        assert moved == (job.state is State.SUBMITTED)
        if moved:
            job.status = status

    @precondition(lambda self: self.jobs)
    @rule(pick=picks, one=outcomes, other=outcomes)
    def settle_twice_at_once(self, pick, one, other):
        self.settle_at_once(self.job(pick, State.SUBMITTING, State.SUBMITTED), one, other)

    def settle_at_once(self, job, one, other):
        first, second = self.run_at_once(
            *(
                (verbs.settle, [job.id], {"outcome": outcome, "now": self.now})
                for outcome in (one, other)
            )
        )
        assert first == (job.reply_id if job.state in LIVE else None)
        assert second is None
        if first is not None:
            self.settled(job, one)

    @precondition(lambda self: self.jobs)
    @rule(pick=picks, outcome=outcomes)
    def settle_and_fail(self, pick, outcome):
        """A crash between the arrow and the commit: it never happened."""
        job = self.job(pick)

        def fail(conn):
            verbs.settle(conn, job.id, outcome=outcome, now=self.now)
            raise TimeoutError

        with pytest.raises(TimeoutError):
            self.run(fail)

    @rule(age=st.sampled_from([timedelta(seconds=45), timedelta(minutes=20)]))
    def expire(self, age):
        before = self.now - age
        due = [
            job
            for job in self.jobs.values()
            if job.state in (State.QUEUED, State.SUBMITTING)
            and job.unsent
            and self._created(job) < before
        ]
        expired = self.run(ending.expire, oldest=Oldest(asked=before), now=self.now)
        assert sorted(expired) == sorted(job.reply_id for job in due)
        for job in due:
            self.settled(job, Outcome(end=End.EXPIRED, code=Code.EXPIRED))

    def _created(self, job):
        return next(reply.created_at for reply in self.asked if reply.id == job.reply_id)

    # -- workers deliver

    @rule(worker=workers)
    def claim_one_reply(self, worker):
        self.claim_reply(worker)

    def claim_reply(self, worker):
        got = self.run(deliveries.claim_reply, worker=worker, now=self.now, lease=LEASE)
        ready = {
            reply_id: reply
            for reply_id, reply in self.replies.items()
            if reply.delivery is Delivery.OPEN
            and reply.free(self.now)
            and all(job.state is State.SETTLED for job in self.jobs_of(reply_id))
        }
        if not ready:
            assert got is None
            return None
        reply = ready[got.id]
        assert reply.due_at == min(each.due_at for each in ready.values())
        assert got.settled
        reply.owner, reply.until = worker, self.now + LEASE
        reply.attempts += 1
        return got.id

    @precondition(lambda self: self.replies)
    @rule(pick=picks, worker=callers, delay=seconds, what=st.sampled_from(["renew", "postpone"]))
    def keep(self, pick, worker, delay, what):
        reply_id = self.reply_id(pick)
        reply = self.replies[reply_id]
        worker = reply.caller(worker)
        later = self.now + delay
        if what == "renew":
            moved = self.run(deliveries.renew, reply_id, worker=worker, until=later)
        else:
            moved = self.run(
                deliveries.postpone, reply_id, worker=worker, due_at=later, trouble="later"
            )
        assert moved == (reply.delivery is Delivery.OPEN and reply.owner == worker)
        if moved and what == "renew":
            reply.until = later
        elif moved:
            reply.due_at = later
            reply.release()

    @precondition(lambda self: self.replies)
    @rule(pick=picks, worker=callers, delivery=closings)
    def close(self, pick, worker, delivery):
        reply_id = self.reply_id(pick)
        self.close_for(reply_id, self.replies[reply_id].caller(worker), delivery)

    def close_for(self, reply_id, worker, delivery):
        reply = self.replies[reply_id]
        moved = self.run(deliveries.close, reply_id, worker=worker, delivery=delivery, now=self.now)
        assert moved == (reply.delivery is Delivery.OPEN and reply.owner == worker)
        if moved:
            reply.delivery, reply.token_until = delivery, None
            reply.release()

    @precondition(lambda self: self.replies)
    @rule(pick=picks)
    def note(self, pick):
        reply_id = self.reply_id(pick)
        reply = self.replies[reply_id]
        moved = self.run(deliveries.note, reply_id)
        unfinished = any(job.state is not State.SETTLED for job in self.jobs_of(reply_id))
        # Finished, it waits only where it was tried in vain and nobody tries just now.
        postponed = reply.attempts > 0 and reply.until is None
        assert moved == (reply.delivery is Delivery.OPEN and (unfinished or postponed))
        reply.noted = reply.noted or moved

    @precondition(lambda self: self.asked)
    @rule(pick=picks, own=st.booleans())
    def show(self, pick, own):
        parked = [
            asked for asked in self.asked if self.replies[asked.id].delivery in deliveries.KEPT
        ]
        asked = (parked or self.asked)[pick % len(parked or self.asked)]
        reply = self.replies[asked.id]
        click = build.target(user_id=asked.target.user_id if own else 0, now=self.now)
        shown = self.run(deliveries.reopen, asked.id, target=click, now=self.now)
        wanted = own and reply.delivery in {Delivery.OPEN, *deliveries.KEPT}
        assert (shown is not None) == wanted
        if wanted:
            reply.delivery, reply.noted = Delivery.OPEN, False
            reply.due_at, reply.attempts = self.now, 0
            reply.release()
            reply.token_until = click.token_expires_at

    @rule()
    def erase_tokens(self):
        dead = [
            reply
            for reply in self.replies.values()
            if reply.token_until is not None and reply.token_until <= self.now
        ]
        assert self.run(deliveries.erase_tokens, now=self.now) == len(dead)
        for reply in dead:
            reply.token_until = None

    # -- time passes, processes die

    @rule(step=st.one_of(seconds, st.just(timedelta(minutes=15))))
    def wait(self, step):
        self.now += step

    @rule()
    def reopen(self):
        self.runner.run(self.ledger.__aexit__())
        self.open()

    # -- several steps in a row, or chance would seldom get far: each may stop on its way

    @initialize(counts=st.lists(st.integers(1, 4), min_size=2, max_size=4))
    def begin(self, counts):
        for user, count in enumerate(counts, start=1):
            self.ask(user, count, confirmed=True)

    @rule(user=st.integers(1, 3), count=st.integers(1, 4), confirmed=st.booleans())
    def ask(self, user, count, confirmed):
        before = len(self.asked)
        self.receive(user, count)
        if confirmed and len(self.asked) > before:
            self.confirm(self.asked[-1].id)

    @precondition(lambda self: any(job.state in SENT for job in self.jobs.values()))
    @rule(worker=workers, steps=st.lists(st.integers(1, 4), min_size=1, max_size=4))
    def send(self, worker, steps):
        for step in steps:
            job = self.claim(worker)
            if job is not None and step > 1 and job.state is State.QUEUED:
                self.freeze_for(job, worker)
            if job is not None and step == 3:
                self.submit_as(job, f"task-{job.id}")
            if job is not None and step > 3:
                self.turn_away_as(job, worker, self.now)

    @precondition(lambda self: any(job.state in SENT for job in self.jobs.values()))
    @rule(pick=picks, outcome=outcomes, worker=workers, closed=st.booleans(), delivery=closings)
    def finish(self, pick, outcome, worker, closed, delivery):
        """All jobs of one reply end, and the reply that waited longest is delivered."""
        for job in self.jobs_of(self.job(pick, State.SUBMITTED, State.SUBMITTING).reply_id):
            self.settle_at_once(job, outcome, outcome)
        reply_id = self.claim_reply(worker)
        if reply_id is not None and closed:
            self.close_for(reply_id, worker, delivery)

    # -- what always holds

    @invariant()
    def rows_are_what_the_model_says(self):
        found = self.found or self.runner.run(self.ledger.run(rows))
        assert {row["id"] for row in found["jobs"]} == set(self.jobs)
        for row in found["jobs"]:
            job = self.jobs[row["id"]]
            assert row["state"] == job.state
            assert (row["body"], row["task_id"], row["task_status"]) == (
                job.body,
                job.task,
                job.status,
            )
            assert row["outcome"] == (job.outcome and job.outcome.dump())
            assert (row["lease_owner"], row["lease_until"]) == (job.owner, job.until)
            assert (row["due_at"], row["attempts"]) == (job.due_at, job.attempts)
            assert (row["posts"], row["turned_away"]) == (job.posts, job.turned_away)
            assert row["first_post_at"] == job.first_post_at
            # Whoever may be sending it holds its lease, or died: it is not taken for unsent.
            if job.state is State.SUBMITTING and job.owner:
                assert not job.unsent
        assert {row["id"] for row in found["replies"]} == set(self.replies)
        for row in found["replies"]:
            reply = self.replies[row["id"]]
            open_jobs = [job for job in self.jobs_of(row["id"]) if job.state is not State.SETTLED]
            assert row["unsettled"] == len(open_jobs)
            assert (row["delivery"], row["noted"]) == (reply.delivery, reply.noted)
            assert (row["token"] is None) == (reply.token_until is None)
            assert (row["lease_owner"], row["lease_until"]) == (reply.owner, reply.until)
            assert (row["due_at"], row["attempts"]) == (reply.due_at, reply.attempts)
        days = {
            row["period"]: row["pictures"]
            for row in found["spending"]
            if row["scope"] == "bot" and len(row["period"]) == len("2026-03-14") and row["pictures"]
        }
        assert days == dict(self.counted())
        assert all(count <= DAY_LIMIT for count in days.values())

    def follow(self, found):
        """Against what was seen before, not against the model: every change is an arrow."""
        for row in found["jobs"]:
            state, task, outcome, body = self.seen.get(row["id"], (State.RECEIVED,) + (None,) * 3)
            assert row["state"] == state or row["state"] in ARROWS[state]
            for before, after in ((task, "task_id"), (outcome, "outcome"), (body, "body")):
                assert before is None or row[after] == before
            self.seen[row["id"]] = (
                State(row["state"]),
                row["task_id"],
                row["outcome"],
                row["body"],
            )
        for row in found["replies"]:
            before = self.seen.get(row["id"], Delivery.OPEN)
            shown = before in deliveries.KEPT and row["delivery"] == Delivery.OPEN
            assert before in {Delivery.OPEN, row["delivery"]} or shown
            self.seen[row["id"]] = row["delivery"]


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(
    max_examples=40,
    stateful_step_count=50,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
