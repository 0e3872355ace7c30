"""What people write stands in no log line, however much is logged: prompts, files, names, forms."""

import re

import pytest

from bot.ledger import servers
from sandbox import faults
from tests import lines
from tests.flow.studio import image
from tests.flow.test_editing import opened, submit
from tests.flow.test_log_channel import answer, report

# One word of each text that somebody wrote; none is a part of anything else that is logged.
WRITTEN = "heliotrope"


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
async def test_nothing_that_a_person_wrote_is_logged(open_studio, capsys, level):
    with lines.configured(level=level):
        async with open_studio() as studio:
            guild = studio.channel.guild.id
            shown = await studio.imagine(f"a {WRITTEN}")
            await studio.finish()
            for ending in ("[policy]", "[fail]"):
                await studio.imagine(f"a {WRITTEN} {ending}")
                await studio.finish()
            for fault, on in (
                (faults.Fate(error=("TASK_FAILED", f"a {WRITTEN} vase cannot be made")), "task"),
                (faults.status(400, message=f"not allowed: a {WRITTEN} vase"), "create"),
                (faults.status(503, message=f"busy with a {WRITTEN} vase"), "create"),
            ):
                studio.hiapi.fault(fault, on=on)
                await studio.imagine(f"a {WRITTEN} vase")
                await studio.finish()
            await studio.imagine(" ", prompt_file=(f"{WRITTEN}.txt", f"a {WRITTEN}".encode()))
            await studio.imagine(f"a {WRITTEN}", prompt_file=("x.txt", b"\xff"))
            await studio.remix(f"as a {WRITTEN}", image1=(f"{WRITTEN}.png", image()))
            await studio.finish()
            await studio.imagine(f"a {WRITTEN} " * 2000)
            await submit(studio, await opened(studio, shown), prompt=f"a blue {WRITTEN}")
            await studio.finish()
            await studio.member.slash(studio.channel, "history", text=WRITTEN)
            assert "Thank you." in answer(
                await report(shown, studio.someone("reader"), reason=WRITTEN)
            )
            await studio.app.ledger.run(
                servers.block,
                guild_id=guild,
                user_id=studio.member.id,
                reason=WRITTEN,
                now=studio.clock(),
            )
            await studio.imagine(f"a {WRITTEN}")
    written = capsys.readouterr()
    told = written.out + written.err
    assert "job.settled" in told
    assert len(re.findall('"event"', told)) > 20
    assert [line for line in told.splitlines() if WRITTEN in line.lower()] == []
