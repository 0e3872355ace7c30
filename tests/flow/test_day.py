"""A busy day: ledger, budgets, figures, page and words agree to the cent and the job."""

import sys

import pytest

from tests.flow import books, day

SEED = 5
REQUESTS = 240
ENDS = {"pictures", "failed", "refused", "unknown", "expired", "cancelled", None}


@pytest.mark.timeout(300)
async def test_a_busy_day_adds_up(tmp_path):
    async with day.lived(tmp_path, requests=REQUESTS, seed=SEED) as lived:
        sys.stdout.write("\n".join([f"seed {SEED}", *lived.table()]) + "\n")
        assert lived.amiss == []
        assert lived.compared >= 6
        # The day had all of it, or its agreement would say little.
        found = lived.books
        assert {job["end"] for job in found.jobs} == ENDS
        assert {job["state"] for job in found.jobs} == {"settled", "submitted", "withdrawn"}
        assert {"delivered", "cancelled", "withdrawn", "parked"} <= {
            each["delivery"] for each in found.replies
        }
        assert set(books.WORDS.values()) <= set(lived.said)
        assert set(found.whole_bot) == {
            "2026-03",
            "2026-03-31",
            "2026-04",
            "2026-04-01",
        }
        assert sum(job["attempts"] > 0 for job in found.jobs) > REQUESTS / 50
        assert {job["price"] for job in found.jobs} == {*day.PRICED.values(), None}
