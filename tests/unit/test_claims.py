"""What is claimed ahead is served once, in order, while its lease is young, and never too much."""

import asyncio
from datetime import timedelta

from bot.claims import Claims
from tests.build import NOW

LIFE = timedelta(seconds=15)


def found(row):
    claim = asyncio.get_running_loop().create_future()
    claim.set_result(row)
    return claim


def claims_of(most, *, given_back=None):
    """Claims; what was given back of them stands in that list."""

    async def give_back(row, at):
        assert given_back is not None, f"{row} was given back"
        given_back.append((row, at))

    return Claims(most=most, life=LIFE, give_back=give_back)


async def test_the_first_that_found_something_comes_first():
    claims = claims_of(9)
    for second, row in enumerate((None, "a", None, "b")):
        claims.put(found(row), at=NOW + timedelta(seconds=second))
    assert await claims.take(now=NOW) == ("a", NOW + timedelta(seconds=1))
    assert (await claims.take(now=NOW))[0] == "b"
    assert await claims.take(now=NOW) is None


async def test_an_old_claim_is_given_back():
    given_back = []
    claims = claims_of(9, given_back=given_back)
    claims.put(found("old"), at=NOW)
    claims.put(found("young"), at=NOW + timedelta(seconds=1))
    assert (await claims.take(now=NOW + LIFE))[0] == "young"
    assert given_back == [("old", NOW)]


async def test_no_more_are_asked_for_than_can_be_served():
    claims = claims_of(2)
    assert claims.room()
    with claims.serving():
        assert claims.room()
        claims.put(found(None), at=NOW)
        assert not claims.room()
        await claims.take(now=NOW)
        assert claims.room()
        with claims.serving():
            assert not claims.room()
    assert claims.room()


async def test_one_answer_goes_to_one_of_two_who_wait():
    claims = claims_of(9)
    late = asyncio.get_running_loop().create_future()
    claims.put(late, at=NOW)
    taking = [asyncio.create_task(claims.take(now=NOW)) for _ in range(2)]
    await asyncio.sleep(0)
    late.set_result("a")
    assert await asyncio.gather(*taking) == [("a", NOW), None]


async def test_a_claim_that_failed_keeps_nobody_from_the_next_one():
    claims = claims_of(9)
    broken, ended = (asyncio.get_running_loop().create_future() for _ in range(2))
    broken.set_exception(OSError("the disk is full"))
    ended.cancel()
    for claim in (broken, ended, found("a")):
        claims.put(claim, at=NOW)
    assert await claims.take(now=NOW) == ("a", NOW)
    assert claims.waiting == 0


async def test_whoever_stops_waiting_leaves_the_claim_as_it_is():
    claims = claims_of(9)
    late = asyncio.get_running_loop().create_future()
    claims.put(late, at=NOW)
    taking = asyncio.create_task(claims.take(now=NOW))
    await asyncio.sleep(0)
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    assert not late.done()
