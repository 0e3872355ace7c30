"""Caps of the bot, a server, a member and an outsider, as people meet them."""

import asyncio
from datetime import timedelta

from bot.allowance import Account
from bot.ledger import budgets
from tests.flow.studio import ACK

DAY = timedelta(days=1).total_seconds()


async def spent(studio, scope, period="2026-03-14"):
    return await studio.app.ledger.run(budgets.spent, Account(scope, period))


async def refused(studio, **options) -> str:
    result = await studio.imagine("a fox", **options)
    await asyncio.sleep(0)
    return studio.said(result)


async def test_a_members_cap_stops_one_and_not_the_other(open_studio):
    async with open_studio(member_caps="2/day") as studio:
        await studio.imagine("a fox", count=2)
        said = await refused(studio)
        assert said.startswith(
            "**This would go beyond your limit for pictures, which is 2. Used so far: 2.**"
        )
        assert "<t:" in said
        other = await studio.imagine("a fox", who=studio.someone("other"))
        assert other.deferred
        studio.clock.move(DAY)
        assert (await studio.imagine("a fox")).deferred


async def test_a_servers_cap_stops_all_of_it(open_studio):
    async with open_studio(server_caps="3/month") as studio:
        await studio.imagine("a fox", count=3)
        assert "This server has used up its pictures" in await refused(
            studio, who=studio.someone("other")
        )


async def test_money_is_reserved_by_the_price_and_runs_out(open_studio):
    prices = "gpt-image-2-pro@1K=0.04, gpt-image-2-pro@2K=0.08"
    async with open_studio(member_caps="$0.10/day", prices=prices) as studio:
        await studio.imagine("a fox", resolution="2K")
        said = await refused(studio)
        assert said.startswith("**This would go beyond your budget of $0.10. Used so far: $0.08.**")
        await studio.finish()
        guild = studio.channel.guild.id
        own = await spent(studio, f"member:{guild}:{studio.member.id}")
        assert (own.pictures, own.micros, own.attempts) == (1, 80_000, 0)
        assert (await spent(studio, "bot", "2026-03")).micros == 80_000


async def test_what_failed_is_given_back_and_counts_as_an_attempt(open_studio):
    async with open_studio(member_caps="1/day", failed_per_day=2) as studio:
        for _ in range(2):
            await studio.imagine("a fox [fail]")
            await studio.finish()
        guild = studio.channel.guild.id
        own = await spent(studio, f"member:{guild}:{studio.member.id}")
        assert (own.pictures, own.attempts) == (0, 2)
        assert "Too many of your requests brought no picture" in await refused(studio)
        assert (await studio.imagine("a fox", who=studio.someone("other"))).deferred


async def test_a_cancel_gives_back_what_was_not_sent_and_charges_what_was(open_studio):
    async with open_studio(member_running=1) as studio:
        first = await studio.imagine("first")
        second = await studio.imagine("second")
        await studio.app.submitter.step()
        for result in (first, second):
            reply = await studio.reply(result)
            await studio.app.intake.cancel(reply.id, user_id=studio.member.id)
        assert await studio.counted() == 1
        await studio.settle()
        own = await spent(studio, f"member:{studio.channel.guild.id}:{studio.member.id}")
        assert (own.pictures, own.attempts) == (1, 0)


async def test_what_discord_did_not_take_is_given_back(studio):
    studio.env.inject_error("POST", ACK, status=404, code=10062)
    await studio.imagine("a fox")
    own = await spent(studio, f"member:{studio.channel.guild.id}:{studio.member.id}")
    assert (own.pictures, own.attempts) == (0, 0)
    assert await studio.counted() == 0


async def test_caps_outlive_the_process(open_studio):
    async with open_studio(member_caps="1/day") as studio:
        await studio.imagine("a fox")
        async with studio.restarted():
            assert "beyond your limit" in await refused(studio)
