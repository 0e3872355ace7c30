"""Easel's figures for Prometheus, all named `easel_`: what they are, and how they come about.

It owns every metric and the text that a scrape gets; it never changes anything that it counts.
What happens is counted as the stages say it in their log lines (`bot.events`); what is, such as
the jobs by state, is read from the ledger when somebody asks, and not more often than every few
seconds.
"""

import asyncio
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from bot.events import Line
from bot.model import Kind, State
from bot.version import Version

TYPE = CONTENT_TYPE_LATEST
# How long the loop is asked to sleep, to see by how much it oversleeps.
NAP = 0.05

ACK = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3)
WAITS = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)
RENDERS = (2, 5, 8, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1800)
DELAYS = (0.25, 0.5, 1, 2, 3, 5, 8, 10, 15, 30, 60, 300)
SHOWING = (0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600)
REQUESTS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60)
LAGS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

CLOSED = {
    "reply.delivered": "delivered",
    "reply.parked": "parked",
    "reply.undeliverable": "undeliverable",
    "reply.cancelled": "cancelled",
    "reply.withdrawn": "withdrawn",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """How much of the whole bot's budget is used; `limit` None is no limit.

    `budget` is day or month, in UTC, and begins anew at `resets_at`; `unit` is pictures or usd.
    """

    budget: str
    unit: str
    used: float
    limit: float | None
    resets_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """What is, at one moment, as far as the ledger must tell; seconds where it is a time."""

    states: Mapping[State, int]
    oldest_queued: float
    undelivered: int
    budget_per_minute: int
    budget_used: int
    spends: tuple[Spend, ...]
    ready: bool


class Metrics:
    """The figures of one process, in a registry of their own."""

    def __init__(self, build: Version) -> None:
        self.registry = registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(namespace="easel", registry=registry)

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"easel_{name}", meaning, labels, registry=registry)

        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(f"easel_{name}", meaning, labels, registry=registry)

        def seconds(name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(
                f"easel_{name}_seconds", meaning, labels, buckets=buckets, registry=registry
            )

        self._received = counter("jobs_received", "Pictures asked for.", "kind")
        self._settled = counter("jobs_settled", "Jobs by how they ended.", "model", "end", "code")
        self._closed = counter("replies_closed", "Replies by what became of them.", "outcome")
        self._resent = counter("resends", "POSTs that are to be repeated, by cause.", "code")
        self._errors = counter("errors", "Log lines at ERROR or above, by event.", "event")
        self._acks = seconds("acknowledgement", "From a command to Discord's taking it.", ACK)
        self._waits = seconds("queue_wait", "From a command to its first POST.", WAITS)
        self._renders = seconds(
            "render", "What a task took at HiAPI, by its clock.", RENDERS, "model"
        )
        self._delays = seconds("detection_delay", "From a task's end to our knowing.", DELAYS, "by")
        self._showing = seconds("delivery", "From the last outcome to the finished card.", SHOWING)
        self._requests = counter(
            "upstream_requests", "HiAPI's answers; 0: none.", "route", "status"
        )
        self._took = seconds("upstream_request", "What a request to HiAPI took.", REQUESTS, "route")
        self._lag = seconds("loop_lag", "How much later than asked the event loop wakes.", LAGS)
        self._jobs = gauge("jobs", "Jobs under way by state.", "state")
        self._oldest = gauge("queue_oldest_seconds", "Age of the oldest queued job.")
        self._undelivered = gauge("replies_undelivered", "Replies whose outcome is not shown yet.")
        self._per_minute = gauge("upstream_budget", "Requests to HiAPI allowed a minute.")
        self._used = gauge("upstream_budget_used", "Requests to HiAPI in the last minute.")
        self._spend = gauge("spend", "What of a budget is used or reserved.", "budget", "unit")
        self._limit = gauge("spend_limit", "What a budget holds.", "budget", "unit")
        self._alarm = gauge("alarm_active", "Whether this alarm stands.", "alarm")
        self._free = gauge("disk_free_bytes", "What is free where these files stand.", "files")
        self._ready = gauge("ready", "Whether the bot is logged in to Discord.")
        self._ledger = gauge("ledger_answers", "Whether the ledger answered this scrape.")
        built = gauge("build_info", "Which Easel this is; always 1.", "version", "commit")
        built.labels(build.number, build.commit).set(1)
        # What may be long in coming is there as 0 from the start, or its first rise is not seen.
        for kind in Kind:
            self._received.labels(kind)
        for outcome in CLOSED.values():
            self._closed.labels(outcome)
        self._events: dict[str, Callable[[Line], None]] = {
            "reply.received": self._on_received,
            "reply.queued": lambda line: _observe(self._acks, line.get("seconds")),
            "job.submitting": lambda line: _observe(self._waits, line.get("waited")),
            "job.settled": self._on_settled,
            "job.expired": lambda _: self._ended("expired", 1, code="expired"),
            "reply.interrupted": lambda line: self._ended(
                "expired", line.get("jobs"), code="interrupted"
            ),
            "job.resend": lambda line: self._resent.labels(line.get("code")).inc(),
            **dict.fromkeys(CLOSED, self._on_closed),
        }

    def listen(self, event: str, line: Line) -> None:
        """Count what a log line says; see `bot.events`."""
        counting = self._events.get(event)
        if counting is not None:
            counting(line)
        if line.get("level") in ("error", "critical"):
            self._errors.labels(event).inc()

    def requested(self, route: str, status: int, seconds: float) -> None:
        """Count a request to HiAPI; what `bot.hiapi.client` wants of an observer."""
        self._requests.labels(route, status).inc()
        self._took.labels(route).observe(seconds)

    async def nap(self) -> int:
        """Measure once how late the event loop wakes whoever sleeps."""
        loop = asyncio.get_running_loop()
        due = loop.time() + NAP
        await asyncio.sleep(NAP)
        self._lag.observe(max(0.0, loop.time() - due))
        return 0

    def scrape(
        self, now: Now | None, *, alarms: Mapping[str, bool], free: Mapping[str, int]
    ) -> bytes:
        """All figures as Prometheus reads them. What nobody knows now stays as it was.

        `alarms` says which stand; `free` holds bytes, by what stands in that place.
        """
        for alarm, active in alarms.items():
            self._alarm.labels(alarm).set(active)
        for files, size in free.items():
            self._free.labels(files).set(size)
        self._ledger.set(now is not None)
        if now is not None:
            self._take(now)
        return generate_latest(self.registry)

    def _take(self, now: Now) -> None:
        for state, number in now.states.items():
            self._jobs.labels(state).set(number)
        self._oldest.set(now.oldest_queued)
        self._undelivered.set(now.undelivered)
        self._per_minute.set(now.budget_per_minute)
        self._used.set(now.budget_used)
        for spend in now.spends:
            self._spend.labels(spend.budget, spend.unit).set(spend.used)
            if spend.limit is not None:
                self._limit.labels(spend.budget, spend.unit).set(spend.limit)
        self._ready.set(now.ready)

    def _on_received(self, line: Line) -> None:
        self._received.labels(line.get("kind", "")).inc(len(line.get("jobs", ())))

    def _on_settled(self, line: Line) -> None:
        model = line.get("model", "")
        self._settled.labels(model, line.get("end"), line.get("code") or "").inc()
        _observe(self._renders.labels(model), line.get("seconds"))
        if "late" in line:
            _observe(self._delays.labels(line.get("by", "")), line["late"])

    def _on_closed(self, line: Line) -> None:
        self._closed.labels(CLOSED[line["event"]]).inc()
        match line["event"]:
            case "reply.delivered":
                _observe(self._showing, line.get("seconds"))
            # With what never began, all that was received is told of in the end.
            case "reply.cancelled":
                self._ended("cancelled", line.get("taken_back"))
            case "reply.withdrawn":
                self._ended("withdrawn", line.get("jobs"))

    def _ended(self, end: str, jobs: int | None, *, code: str = "") -> None:
        """Count jobs whose end is told of without their model."""
        self._settled.labels("", end, code).inc(jobs or 0)


def free_bytes(folders: Mapping[str, Path]) -> dict[str, int]:
    """What is free for each folder (blocking), or for what it will stand in once it is made."""
    free = {}
    for files, folder in folders.items():
        whole = folder.absolute()
        there = next((each for each in (whole, *whole.parents) if each.exists()), None)
        if there is not None:
            free[files] = shutil.disk_usage(there).free
    return free


def _observe(histogram: Any, value: object) -> None:
    if isinstance(value, int | float):
        histogram.observe(value)
