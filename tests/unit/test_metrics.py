"""What is counted of the stages' log lines, and what a scrape says of it."""

import json
import logging
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from bot import alarms, events, journal
from bot.metrics import CLOSED, Metrics, Now, Spend, free_bytes
from bot.model import State
from bot.version import Version
from tests import lines

ROOT = Path(__file__).parents[2]
BUILD = Version("0.7.1", "0123456789")
MIDNIGHT = datetime(2026, 3, 15, tzinfo=UTC)
log = structlog.get_logger("bot.test")


@pytest.fixture
def metrics():
    with lines.configured():
        found = Metrics(BUILD)
        with events.heard(found.listen):
            yield found


def samples(metrics, now=None, *, free=None):
    """All figures of a scrape by name and labels."""
    standing = {"no_credit": True, "key_refused": False}
    text = metrics.scrape(now, alarms=standing, free=free or {}).decode()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def one(metrics, name, **labels):
    return samples(metrics).get((f"easel_{name}", *sorted(labels.items())), 0.0)


def test_a_jobs_way_is_counted_as_its_lines_tell(metrics):
    log.info("reply.received", reply="r", kind="remix", jobs=["a", "b"])
    log.info("reply.queued", reply="r", jobs=2, seconds=0.2)
    log.info("job.submitting", job="a", model="m", waited=4.0)
    told = {"end": "pictures", "code": None, "cause": "", "model": "m"}
    log.info("job.settled", job="a", **told, by="callback", seconds=9, late=0.4)
    log.info("reply.delivered", jobs=["a"], cause=None, seconds=1.5)

    assert one(metrics, "jobs_received_total", kind="remix") == 2
    assert one(metrics, "acknowledgement_seconds_sum") == pytest.approx(0.2)
    assert one(metrics, "queue_wait_seconds_sum") == 4
    assert one(metrics, "jobs_settled_total", model="m", end="pictures", code="") == 1
    assert one(metrics, "render_seconds_sum", model="m") == 9
    assert one(metrics, "detection_delay_seconds_sum", by="callback") == pytest.approx(0.4)
    assert one(metrics, "delivery_seconds_sum") == 1.5
    assert one(metrics, "replies_closed_total", outcome="delivered") == 1


def test_a_job_that_never_ran_has_no_times(metrics):
    log.warning("job.settled", end="refused", code="bad_request", cause="no", model="m")
    assert one(metrics, "jobs_settled_total", model="m", end="refused", code="bad_request") == 1
    assert one(metrics, "render_seconds_count", model="m") == 0
    assert one(metrics, "detection_delay_seconds_count", by="") == 0


def test_what_never_began_ends_too(metrics):
    log.info("reply.received", reply="r", kind="imagine", jobs=list("abcdefg"))
    log.info("reply.cancelled", reply="r", taken_back=3, begun=1)
    log.info("reply.withdrawn", reply="s", why="refused", jobs=2)
    log.warning("job.expired", reply="t")
    log.warning("reply.interrupted", why="the token is dead", jobs=1)
    assert one(metrics, "jobs_settled_total", model="", end="cancelled", code="") == 3
    assert one(metrics, "jobs_settled_total", model="", end="withdrawn", code="") == 2
    assert one(metrics, "jobs_settled_total", model="", end="expired", code="expired") == 1
    assert one(metrics, "jobs_settled_total", model="", end="expired", code="interrupted") == 1


@pytest.mark.parametrize("event", CLOSED)
def test_every_end_of_a_reply_is_counted_by_its_name(metrics, event):
    log.info(event, reply="r")
    assert one(metrics, "replies_closed_total", outcome=CLOSED[event]) == 1


def test_a_line_at_error_is_counted_once_by_its_event(metrics):
    log.error("picture.lost", cause="gone")
    log.warning("picture.unfit")
    assert one(metrics, "errors_total", event="picture.lost") == 1
    assert one(metrics, "errors_total", event="picture.unfit") == 0


def test_lines_of_libraries_are_none_of_its_business(metrics):
    before = samples(metrics)
    logging.getLogger("library").error("reply.delivered")
    after = samples(metrics)
    assert {name for name in after if after[name] != before.get(name)} <= {
        name for name in after if "process" in name[0]
    }


def test_requests_to_hiapi_are_counted_by_route_and_status(metrics):
    metrics.requested("create", 429, 0.2)
    metrics.requested("create", 0, 10.0)
    assert one(metrics, "upstream_requests_total", route="create", status="429") == 1
    assert one(metrics, "upstream_requests_total", route="create", status="0") == 1
    assert one(metrics, "upstream_request_seconds_sum", route="create") == pytest.approx(10.2)


def now(**changes):
    values = {
        "states": {State.QUEUED: 3, State.SUBMITTED: 2},
        "oldest_queued": 61.0,
        "undelivered": 1,
        "budget_per_minute": 60,
        "budget_used": 12,
        "spends": (
            Spend(budget="day", unit="pictures", used=7, limit=100, resets_at=MIDNIGHT),
            Spend(budget="day", unit="usd", used=0.5, limit=None, resets_at=MIDNIGHT),
        ),
        "ready": True,
    }
    return Now(**values | changes)


def test_what_is_stands_in_the_scrape_as_it_is_at_that_moment(metrics):
    found = samples(metrics, now())
    assert found["easel_jobs", ("state", "queued")] == 3
    assert found["easel_queue_oldest_seconds",] == 61
    assert found["easel_upstream_budget_used",] == 12
    assert found["easel_spend", ("budget", "day"), ("unit", "pictures")] == 7
    assert found["easel_spend_limit", ("budget", "day"), ("unit", "pictures")] == 100
    assert ("easel_spend_limit", ("budget", "day"), ("unit", "usd")) not in found
    assert found["easel_alarm_active", ("alarm", "no_credit")] == 1
    assert samples(metrics, now(states={State.QUEUED: 0}))["easel_jobs", ("state", "queued")] == 0


def test_every_scrape_says_which_easel_it_is(metrics):
    assert one(metrics, "build_info", version="0.7.1", commit="0123456789") == 1


def test_a_silent_ledger_is_told_and_spoils_nothing_else(metrics):
    samples(metrics, now())
    metrics.requested("page", 200, 0.1)
    found = samples(metrics, None)
    assert found["easel_ledger_answers",] == 0
    assert found["easel_alarm_active", ("alarm", "no_credit")] == 1
    assert found["easel_upstream_requests_total", ("route", "page"), ("status", "200")] == 1
    assert samples(metrics, now())["easel_ledger_answers",] == 1


def test_what_is_free_is_told_of_each_place_also_before_its_folder_is_made(metrics, tmp_path):
    free = free_bytes({"ledger": tmp_path, "kept": tmp_path / "not" / "made"})
    assert set(free) == {"ledger", "kept"}
    found = samples(metrics, free=free)
    disk = os.statvfs(tmp_path)
    for files in free:
        told = found["easel_disk_free_bytes", ("files", files)]
        assert told == pytest.approx(disk.f_bavail * disk.f_frsize, rel=0.2)


async def test_the_event_loops_lag_is_measured(metrics):
    await metrics.nap()
    assert one(metrics, "loop_lag_seconds_count") == 1
    assert 0 <= one(metrics, "loop_lag_seconds_sum") < 5


def test_two_processes_figures_never_mix():
    with lines.configured():
        first, second = Metrics(BUILD), Metrics(BUILD)
        with events.heard(first.listen):
            log.info("reply.withdrawn")
        log.info("reply.withdrawn")
        assert one(first, "replies_closed_total", outcome="withdrawn") == 1
        assert one(second, "replies_closed_total", outcome="withdrawn") == 0


def test_a_listener_that_fails_disturbs_nobody(capsys):
    def broken(event, line):
        raise LookupError(event, line)

    heard = []
    with lines.configured(), events.heard(broken, lambda event, _: heard.append(event)):
        log.info("reply.delivered", jobs=["a"])
    assert heard == ["reply.delivered"]
    assert "LookupError" in capsys.readouterr().err


# What is written about them --------------------------------------------------------------------


def described(metrics):
    """Every name that a query may use."""
    known = set()
    for family in metrics.registry.collect():
        ends = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
        known |= {family.name + end for end in ends.get(family.type, [""])}
    return known


def queries():
    """Every query of the alert rules and of the dashboard."""
    rules = (ROOT / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8")
    yield from re.findall(r"expr: (?:>-\n)?((?:.|\n {10})+)", rules)
    board = json.loads((ROOT / "deploy/grafana/easel.json").read_text(encoding="utf-8"))
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def test_every_figure_that_a_rule_or_a_panel_asks_for_exists(metrics):
    known = described(metrics)
    asked = {name for query in queries() for name in re.findall(r"\beasel_\w+", query)}
    assert len(asked) > 20
    assert asked <= known, asked - known


def test_every_figure_has_a_panel(metrics):
    board = (ROOT / "deploy/grafana/easel.json").read_text(encoding="utf-8")
    for family in metrics.registry.collect():
        if "process" not in family.name and family.name != "easel_ledger_answers":
            assert family.name in board, family.name


def test_the_dashboard_has_its_panels_apart_and_in_place():
    board = json.loads((ROOT / "deploy/grafana/easel.json").read_text(encoding="utf-8"))
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_rule_says_what_it_means_and_how_grave_it_is():
    rules = (ROOT / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8")
    each = rules.split("- alert: ")[1:]
    assert len(each) > 10
    for rule in each:
        for part in ("expr:", "severity:", "summary:", "description:"):
            assert part in rule, rule


def test_every_line_that_is_listened_for_is_written_somewhere(metrics):
    written = set()
    for path in (ROOT / "bot").rglob("*.py"):
        written |= set(re.findall(r"""["']([a-z]+\.[a-z_]+)["']""", _without_listeners(path)))
    cases = re.findall(r'"([a-z]+\.[a-z_]+)"', (ROOT / "bot/alarms.py").read_text("utf-8"))
    told = {case for case in cases if not case.startswith("alarm.")}
    assert told >= {"submitter.halted", "callbacks.silent", "reply.undeliverable"}
    wanted = set(metrics._events) | told | set(journal.HEARD)
    assert wanted <= written, wanted - written


def _without_listeners(path):
    """The source of a module that speaks; those that listen would vouch for themselves."""
    return (
        ""
        if path.name in ("metrics.py", "alarms.py", "journal.py")
        else path.read_text(encoding="utf-8")
    )


def test_every_alarm_has_words_and_stands_in_the_drawing():
    assert set(alarms.WORDS_OF) == set(alarms.Alarm)
    for alarm in alarms.Alarm:
        words = alarms.WORDS_OF[alarm]
        assert words.advice.endswith(".")
        assert not words.title.endswith(".")
        assert re.search(rf"^    {alarm} ", alarms.__doc__, re.MULTILINE)


LEDGERS = ("jobs", "queue_oldest_seconds", "replies_undelivered", "spend", "spend_limit")


def test_what_every_process_tells_of_the_one_ledger_is_never_added_up():
    """Two processes see the same rows: of each figure the largest counts, before any sum."""
    names = "|".join((*LEDGERS, "alarm_active"))
    asked = [query for query in queries() if re.search(rf"\beasel_({names})\b", query)]
    assert len(asked) > 10
    for query in asked:
        assert query.removeprefix("sum(").startswith("max"), query
    rules = (ROOT / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8")
    assert all(f"easel_{name}" in rules.partition("groups:")[0] for name in LEDGERS)


def test_a_budget_is_told_of_when_it_is_nearly_used_up_and_when_it_is():
    rules = (ROOT / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8")
    expr = "max by (budget, unit) (easel_spend / (easel_spend_limit > 0))"
    assert f"expr: {expr} >= 0.8 < 1\n" in rules
    assert f"expr: {expr} >= 1\n" in rules
