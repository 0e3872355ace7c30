"""What is claimed ahead is served once, in order, while its lease is young, and never too much."""

import asyncio
from datetime import timedelta

import pytest

from bot.claims import Claims
from tests.build import NOW

LIFE = timedelta(seconds=15)


def found(row):
    claim = asyncio.get_running_loop().create_future()
    claim.set_result(row)
    return claim


async def test_the_first_that_found_something_comes_first():
    claims = Claims(most=9, life=LIFE)
    for second, row in enumerate((None, "a", None, "b")):
        claims.put(found(row), at=NOW + timedelta(seconds=second))
    assert await claims.take(now=NOW) == ("a", NOW + timedelta(seconds=1))
    assert (await claims.take(now=NOW))[0] == "b"
    assert await claims.take(now=NOW) is None


async def test_an_old_claim_is_let_go():
    claims = Claims(most=9, life=LIFE)
    claims.put(found("old"), at=NOW)
    claims.put(found("young"), at=NOW + timedelta(seconds=1))
    assert (await claims.take(now=NOW + LIFE))[0] == "young"


async def test_no_more_are_asked_for_than_can_be_served():
    claims = Claims(most=2, life=LIFE)
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
    claims = Claims(most=9, life=LIFE)
    late = asyncio.get_running_loop().create_future()
    claims.put(late, at=NOW)
    taking = [asyncio.create_task(claims.take(now=NOW)) for _ in range(2)]
    await asyncio.sleep(0)
    late.set_result("a")
    assert await asyncio.gather(*taking) == [("a", NOW), None]


async def test_what_a_claim_raised_reaches_whoever_takes_it():
    claims = Claims(most=9, life=LIFE)
    broken = asyncio.get_running_loop().create_future()
    broken.set_exception(OSError("the disk is full"))
    claims.put(broken, at=NOW)
    with pytest.raises(OSError, match="full"):
        await claims.take(now=NOW)
    assert await claims.take(now=NOW) is None
