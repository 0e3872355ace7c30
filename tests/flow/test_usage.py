"""/usage and /easel usage: what was used, what is left, and when it starts again."""

from tests.flow.test_history import Shown

PRICES = "gpt-image-2-pro@1K=0.04, gpt-image-2-pro@2K=0.08"


async def usage(studio, *, who=None):
    result = await (who or studio.member).slash(studio.channel, "usage")
    assert result.ephemeral
    return [item["content"] for item in Shown(result).inside if "content" in item]


async def test_without_limits_and_prices_pictures_are_counted(studio):
    heading, today, _month, *_ = await usage(studio)
    assert heading == "### What was used"
    assert today.startswith("**You today**\nPictures: 0\n")
    await studio.imagine(count=2)
    _, today, *rest = await usage(studio)
    assert today.startswith("**You today**\nPictures: 2\n")
    assert "**You this month**\nPictures: 2" in rest
    assert "$" not in today
    [_, others, *_] = await usage(studio, who=studio.someone("other"))
    assert "Pictures: 0" in others


async def test_what_is_left_of_each_limit_and_when_it_starts_again(open_studio):
    caps = {"member_caps": "5/day, $1/month", "server_caps": "100/month", "failed_per_day": 3}
    async with open_studio(prices=PRICES, **caps) as studio:
        await studio.imagine(resolution="2K")
        await studio.finish()
        await studio.imagine("a fox [fail]")
        await studio.finish()
        said = await usage(studio)
        [today] = [each for each in said if each.startswith("**You today**")]
        assert today.split("\n") == [
            "**You today**",
            "Pictures: 1 of 5, 4 left · Cost: $0.08",
            "Requests without a picture: 1 of 3",
        ]
        [month] = [each for each in said if each.startswith("**You this month**")]
        assert "Pictures: 1 · Cost: $0.08 of $1.00, $0.92 left" in month
        [server] = [each for each in said if each.startswith("**This server this month**")]
        assert "Pictures: 1 of 100, 99 left" in server
        assert not any("This server today" in each for each in said)
        [_heading, *told, anew] = said
        assert [each.split("\n")[0] for each in told] == [
            "**You today**",
            "**You this month**",
            "**This server this month**",
            "**Everybody together, today**",
        ]
        assert anew == "-# A new day starts <t:1773532800:R>, a new month on <t:1775001600:D>."
        # Another process reads the same.
        async with studio.restarted():
            assert await usage(studio) == said
