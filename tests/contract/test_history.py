"""A person's replies on both databases: in order, by page, by kind, by text; and what came of what.

Whatever is read here belongs to the person who reads, or stands in public in the same server.
"""

from datetime import timedelta

import pytest

from bot.errors import Code
from bot.ledger import asks, deliveries, history, queue, verbs
from bot.model import Delivery, End, Kind, Reference, Sort
from tests import build

NOW = build.NOW
SECOND = timedelta(seconds=1)
PERSON, OTHER = 44, 55
HERE, ELSEWHERE = 33, 34


async def asked(ledger, prompt="a heron", *, age=0.0, made_from=None, remix=False, **changes):
    """A reply that was asked for so many seconds ago and is confirmed."""
    now = NOW - age * SECOND
    request = build.request(prompt=prompt)
    if remix:
        images = (Reference(url="https://cdn.example/a.png", filename="a.png"),)
        request = build.request(prompt=prompt, kind=Kind.REMIX, references=images)
    reply = build.reply(asks=request, now=now, **changes)
    reply = reply.evolve(made_from=made_from and made_from.id)
    await ledger.run(asks.receive, reply, day_limit=10_000, now=now)
    private = reply.target.private
    await ledger.run(verbs.confirm, reply.id, message_id=7, private=private, now=now)
    return reply


async def settled(ledger, reply, *outcomes):
    for job, outcome in zip(reply.jobs, outcomes, strict=True):
        await ledger.run(verbs.settle, job.id, outcome=outcome, now=NOW)
    return reply


async def delivered(ledger, *outcomes, delivery=Delivery.DELIVERED, **changes):
    outcomes = outcomes or (build.pictures(),)
    reply = await settled(ledger, await asked(ledger, count=len(outcomes), **changes), *outcomes)
    later = NOW + 10 * SECOND
    while await ledger.run(deliveries.claim_reply, worker="ada", now=later, lease=60 * SECOND):
        pass
    await ledger.run(deliveries.close, reply.id, worker="ada", delivery=delivery, now=NOW)
    return reply


async def page(ledger, *, user_id=PERSON, number=0, size=5, sort=Sort.ALL, text=""):
    return await ledger.run(history.page, user_id, number=number, size=size, sort=sort, text=text)


def ids(found):
    return [reply.id for reply in found]


@pytest.mark.parametrize("text", ["", "heron"])
@pytest.mark.parametrize("count", [0, 1, 5, 6, 23])
async def test_pages_hold_everything_once_newest_first(ledger, count, text):
    # Two of each moment: their order may be any, but must be the same on each page.
    made = [await asked(ledger, age=age // 2) for age in range(count)]
    await asked(ledger, user_id=OTHER)
    seen = []
    for number in range((count + 4) // 5):
        found = await page(ledger, number=number, text=text)
        assert (found.number, found.total, found.cut) == (number, count, False)
        seen += found.replies
    assert sorted(ids(seen)) == sorted(ids(made))
    times = [reply.created_at for reply in seen]
    assert times == sorted(times, reverse=True)
    beyond = await page(ledger, number=99, text=text)
    assert beyond.number == max(0, (count - 1) // 5)
    assert beyond.replies == tuple(seen[beyond.number * 5 :])


async def test_what_was_never_acknowledged_is_not_listed(ledger):
    reply = build.reply()
    await ledger.run(asks.receive, reply, day_limit=10, now=NOW)
    await ledger.run(verbs.withdraw, reply.id, now=NOW)
    assert (await page(ledger)).total == 0
    assert (await page(ledger, text="heron")).total == 0


async def test_kinds_and_failures(ledger):
    words = await delivered(ledger, age=5)
    images = await asked(ledger, remix=True, age=4)
    none = await delivered(ledger, build.failure(), build.failure(Code.LOST), age=3)
    some = await delivered(ledger, build.pictures(), build.failure(), age=2)
    expired = await delivered(ledger, build.failure(Code.EXPIRED, end=End.EXPIRED), age=1)
    waiting = await asked(ledger)
    taken_back = await asked(ledger)
    await ledger.run(queue.cancel, taken_back.id, user_id=PERSON, now=NOW)
    found = {sort: set(ids((await page(ledger, size=10, sort=sort)).replies)) for sort in Sort}
    assert found[Sort.REMIX] == {images.id}
    assert found[Sort.FAILED] == {none.id, expired.id}
    assert found[Sort.ALL] - found[Sort.REMIX] == found[Sort.IMAGINE]
    assert found[Sort.IMAGINE] == set(ids([words, none, some, expired, waiting, taken_back]))
    assert (await page(ledger, sort=Sort.FAILED, text="HERON")).total == 2


@pytest.mark.parametrize(
    ("prompt", "text", "found"),
    [
        ("A Heron at dawn", "hERON", True),
        ("ein Haus an der STRASSE", "straße", True),
        ("ÉCLAIR", "éclair", True),
        ("e\N{COMBINING ACUTE ACCENT}clair", "ÉCL", True),
        ("Ελλάδα ΟΔΟΣ", "οδος", True),
        ("ԵՐԵՎԱՆ", "երեվան", True),
        ("100 % wool", "%", True),
        ("a heron", "%", False),
        ("a heron", "_", False),
        ("snake_case", "_c", True),
        (r"a \ b", "\\", True),
        ("a heron", "'; drop table replies; --", False),
        ("x" * 19_990 + " the end", "THE END", True),
    ],
)
async def test_text_is_found_in_any_case_and_means_only_itself(ledger, prompt, text, found):
    await asked(ledger, prompt)
    assert (await page(ledger, text=text)).total == found


async def test_a_search_ends_and_says_so(ledger, monkeypatch):
    monkeypatch.setattr(history, "SEARCHED", 3)
    await asked(ledger, "an old heron", age=9)
    for age in range(3):
        await asked(ledger, "a fox", age=age)
    found = await page(ledger, text="heron")
    assert (found.total, found.cut) == (0, True)
    assert (await page(ledger, text="fox")).total == 3


# --- by id ----------------------------------------------------------------------------------------


async def test_a_reply_is_found_by_the_beginning_of_any_of_its_ids(ledger):
    reply = await asked(ledger, count=2)
    for given in (reply.jobs[0].id[:6], reply.jobs[1].id[:4], reply.jobs[0].id, reply.id):
        assert await ledger.run(history.named, given, user_id=PERSON) == [reply.id]
    assert await ledger.run(history.own, reply.id, user_id=PERSON) is not None


async def test_nobody_elses_is_found(ledger):
    reply = await asked(ledger)
    for given in (reply.jobs[0].id[:6], reply.jobs[0].id, reply.id):
        assert await ledger.run(history.named, given, user_id=OTHER) == []
    assert await ledger.run(history.own, reply.id, user_id=OTHER) is None
    assert await ledger.run(history.own, "z" * 16, user_id=PERSON) is None


async def test_an_id_may_be_too_short_to_tell(ledger):
    replies = [await asked(ledger) for _ in range(40)]
    begins = {}
    for reply in replies:
        begins.setdefault(reply.jobs[0].id[0], []).append(reply.id)
    first, several = next(item for item in begins.items() if len(item[1]) > 1)
    found = await ledger.run(history.named, first, user_id=PERSON)
    assert len(found) == 2
    assert set(found) <= set(several)


@pytest.mark.parametrize("given", ["%", "_", "____", "%%%%%%"])
async def test_wildcards_are_no_id(ledger, given):
    await asked(ledger)
    assert await ledger.run(history.named, given, user_id=PERSON) == []


# --- lineage --------------------------------------------------------------------------------------


async def kin(ledger, reply, *, viewer_id=PERSON, guild_id=HERE):
    return await ledger.run(history.kin, reply, viewer_id=viewer_id, guild_id=guild_id)


async def test_a_line_goes_up_and_down(ledger):
    first = await delivered(ledger, age=500)
    second = await delivered(ledger, age=400, made_from=first, user_id=OTHER)
    third = await delivered(ledger, age=300, made_from=second)
    children = [await delivered(ledger, age=90 - 10 * n, made_from=third) for n in range(5)]
    found = await kin(ledger, third)
    assert ids(found.ancestors) == ids([second, first])
    assert ids(found.children) == ids(children[: history.KIN])
    assert found.more == 5 - history.KIN
    assert await kin(ledger, children[0]) == await kin(ledger, children[0], viewer_id=None)


@pytest.mark.parametrize(
    "hidden",
    [
        {"private": True},
        {"guild_id": ELSEWHERE},
        {"guild_id": None},
        {"delivery": Delivery.UNDELIVERABLE},
        {"delivery": Delivery.PARKED},
    ],
    ids=str,
)
async def test_what_others_may_not_know_is_not_even_counted(ledger, hidden):
    middle = await delivered(ledger, age=3)
    theirs = await delivered(ledger, age=2, made_from=middle, user_id=OTHER, **hidden)
    mine = await delivered(ledger, age=1, made_from=theirs)
    assert await kin(ledger, middle) == history.Kin()
    # The line ends there: what is beyond would tell of what is between.
    assert await kin(ledger, mine) == history.Kin()
    # Whoever owns it sees it wherever they are, but not on a card that others read.
    for guild_id in (HERE, ELSEWHERE, None):
        seen = await kin(ledger, middle, viewer_id=OTHER, guild_id=guild_id)
        assert ids(seen.children) == [theirs.id]
    assert await kin(ledger, middle, viewer_id=None) == history.Kin()


async def test_what_stands_in_no_server_has_no_neighbours(ledger):
    first = await delivered(ledger, guild_id=None)
    theirs = await delivered(ledger, guild_id=None, made_from=first, user_id=OTHER)
    assert await kin(ledger, first, guild_id=None) == history.Kin()
    assert ids((await kin(ledger, first, viewer_id=OTHER, guild_id=None)).children) == [theirs.id]


async def test_ones_own_are_known_in_any_state_but_what_never_began(ledger):
    first = await delivered(ledger, age=3)
    waiting = await asked(ledger, age=2, made_from=first)
    never = build.reply().evolve(made_from=first.id, made_by="remix")
    await ledger.run(asks.receive, never, day_limit=10, now=NOW)
    await ledger.run(verbs.withdraw, never.id, now=NOW)
    assert ids((await kin(ledger, first)).children) == [waiting.id]


async def test_a_line_that_bites_its_tail_ends(ledger):
    first = await delivered(ledger)
    looped = first.evolve(made_from=first.id)
    assert (await kin(ledger, looped)).ancestors == ()
