"""A person's last prompts as Discord suggests them while they type.

It owns how they are named; it never remembers one, which `bot.recent` does.
"""

from discord import app_commands

from bot import recent, render
from bot.recent import Recent
from cogs.interactions import Interaction

CHOICE_LIMIT = 100  # characters of a choice's name, and of its value


async def suggestions(
    interaction: Interaction, typed: str, *, recently: Recent
) -> list[app_commands.Choice[str]]:
    """The person's last prompts that contain what they typed; nobody else sees them."""
    found = []
    for said in await recently.prompts(interaction.user.id, typed):
        name = render.clean(said.prompt, limit=CHOICE_LIMIT)
        # What a choice cannot hold to the letter is named by where it was said.
        exact = said.whole and name == said.prompt
        if name:
            value = said.prompt if exact else recent.token(said)
            found.append(app_commands.Choice(name=name, value=value))
    return found
