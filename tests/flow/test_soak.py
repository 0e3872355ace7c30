"""A minute of storm: everything fails a little, all the time, and nothing is lost or done twice."""

import sys

import pytest

from tests.flow import accounts, soak


@pytest.mark.timeout(400)
async def test_a_minute_of_storm(tmp_path):
    storm = await soak.run(tmp_path, seconds=60)
    sys.stdout.write("\n".join(storm.table()) + "\n")
    assert not accounts.amiss(storm.scene)
    assert not storm.defects()
    assert len(storm.scene.asked) > 60
    assert sum(map(storm.scene.pictured, storm.scene.asked)) > len(storm.scene.asked) / 2
