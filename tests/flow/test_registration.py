"""Where Discord is told to offer every command on the tree, by the operator's settings."""

import shutil

import pytest

from tests.flow import abroad

GUILD_INSTALL, USER_INSTALL = 0, 1
SERVERS, DIRECT, ELSEWHERE = 0, 1, 2
MANAGE_SERVER = 1 << 5


@pytest.fixture
def open_abroad(tmp_path, empty_ledger):
    shutil.copy(empty_ledger, tmp_path / "demo.db")
    return lambda **changes: abroad.opened(tmp_path, **changes)


@pytest.mark.parametrize(
    ("dms", "user_install", "installs", "contexts"),
    [
        (False, False, [GUILD_INSTALL], [SERVERS]),
        (True, False, [GUILD_INSTALL], [SERVERS, DIRECT]),
        (False, True, [GUILD_INSTALL, USER_INSTALL], [SERVERS, ELSEWHERE]),
        (True, True, [GUILD_INSTALL, USER_INSTALL], [SERVERS, DIRECT, ELSEWHERE]),
    ],
)
async def test_commands_are_offered_where_they_would_be_answered(
    open_abroad, dms, user_install, installs, contexts
):
    async with open_abroad(allow_dms=dms, allow_user_install=user_install) as far:
        told = await far.discord.synced()
        on_the_tree = {(each.name, kind(each)) for each in far.app.bot.tree.get_commands()}
        on_the_tree |= {(each.name, kind(each)) for each in menus(far.app.bot.tree)}
        assert {(each["name"], each["type"]) for each in told} == on_the_tree
        assert {"imagine", "remix"} <= {each["name"] for each in told}
        for each in told:
            if each["name"] == "easel":
                # For moderators, in servers that added the bot.
                assert each["integration_types"] == [GUILD_INSTALL]
                assert each["contexts"] == [SERVERS]
                assert each["default_member_permissions"] == MANAGE_SERVER
                continue
            assert sorted(each["integration_types"]) == installs, each["name"]
            assert sorted(each["contexts"]) == contexts, each["name"]


async def test_other_settings_are_told_to_discord_and_the_same_are_not(open_abroad):
    async with open_abroad(allow_user_install=False) as far:
        assert await far.app.sync() is False
    async with open_abroad(allow_user_install=True) as far:
        assert far.discord.counts["PUT /applications/{app}/commands", 200] == 1
        assert await far.app.sync() is False


def menus(tree):
    return [each for each in tree.get_commands() if kind(each) != 1]


def kind(command):
    """1: typed, 2: on a person, 3: on a message."""
    return command.type.value if hasattr(command, "type") else 1
