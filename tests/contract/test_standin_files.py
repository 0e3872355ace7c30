"""The stand-in's pictures and references: who fetches what, when, and how that can fail."""

import asyncio

import pytest

from sandbox import gallery, painter
from tests.contract import standin
from tests.contract.standin import PNG, START


@pytest.fixture
async def api():
    async with standin.opened() as caller:
        yield caller


async def test_a_picture_is_painted_once_for_all_its_readers():
    jobs = []

    def paint(job):
        jobs.append(job)
        return PNG

    async with standin.opened(seconds=(0, 0, 0), paint=paint) as api:
        task = await api.detail(await api.made("a red fox", aspect_ratio="3:2", resolution="2K"))
        assert jobs == []
        seen = await asyncio.gather(*(api.file(task) for _ in range(5)))
        assert {(one.status, one.headers["Content-Type"], one.body) for one in seen} == {
            (200, "image/png", PNG)
        }
        assert [(job.prompt, job.aspect_ratio, job.resolution) for job in jobs] == [
            ("a red fox", "3:2", "2K")
        ]


async def test_a_picture_is_there_from_its_end_to_its_expiry(api):
    task_id = await api.made()
    api.clock.now += 4
    task = await api.detail(task_id)
    api.clock.now -= 1
    assert (await api.file(task)).status == 404
    api.clock.now = task["output"][0]["expireAt"]
    gone = await api.file(task)
    assert (gone.status, gone.headers["Content-Type"]) == (403, "application/xml")
    assert (await api.call("GET", "/files/guess/0.png")).status == 404


async def test_references_are_fetched_in_order_and_painted_in():
    asked, jobs = [], []

    async def resolve(url):
        asked.append(url)
        return PNG

    def paint(job):
        jobs.append(job)
        return painter.paint(job)

    async with standin.opened(resolve=resolve, paint=paint) as api:
        task_id = await api.made(input_urls=["https://a.example/1", "https://a.example/2"])
        await api.standin.settle()
        assert asked == []
        api.clock.now += 4
        assert (await api.detail(task_id))["status"] == "handling"
        await api.standin.settle()
        task = await api.detail(task_id)
        assert (task["status"], task["completed"]) == ("success", START + 4)
        assert asked == ["https://a.example/1", "https://a.example/2"]
        assert jobs[0].references == (PNG, PNG)
        assert (await api.file(task)).body.startswith(b"\x89PNG")


@pytest.mark.parametrize("trouble", ["gone", "page", "torn"])
async def test_a_bad_reference_fails_the_task_by_its_number(trouble):
    async def resolve(url):
        if url.endswith("1"):
            return PNG
        if trouble == "gone":
            raise gallery.UnfetchableError(url)
        return b"<html>" if trouble == "page" else PNG[:200]

    async with standin.opened(resolve=resolve, paint=painter.paint) as api:
        task_id = await api.made(input_urls=["https://a.example/1", "https://a.example/2"])
        api.clock.now += 3
        await api.standin.settle()
        assert (await api.detail(task_id))["error"] == {
            "code": "TASK_FAILED",
            "message": "could not fetch reference image 2",
        }


async def test_references_come_from_the_web_by_default():
    async with standin.opened(seconds=(0, 0, 0)) as api:
        source = await api.detail(await api.made())
        good = await api.made(input_urls=[source["output"][0]["url"]])
        bad = await api.made(input_urls=[api.standin.base_url + "/files/none/0.png"])
        await api.standin.settle()
        assert (await api.detail(good))["status"] == "success"
        assert (await api.detail(bad))["error"]["message"] == "could not fetch reference image 1"
