"""/easel check: reads what an interaction tells of its channel, and says what that means.

It owns the reading; the words stand in `bot.checkup`.
"""

from bot import checkup, panels
from bot.catalog import Complaint
from bot.intake import Intake
from bot.moderation import Moderation
from cogs.interactions import Interaction, place, whisper


async def show(
    interaction: Interaction, guild_id: int, *, intake: Intake, moderation: Moderation
) -> None:
    """Put the findings where the answer to this interaction stands."""
    where = place(interaction)
    rules = await moderation.rules(guild_id)
    barred = await moderation.barred(guild_id)
    if isinstance(rules, Complaint):
        await whisper(interaction, rules)
        return
    found = checkup.Channel(
        place=where,
        house=rules.house,
        mute=rules.mute,
        barred=intake.refuses(where) or barred,
        age_restricted=bool(getattr(interaction.channel, "nsfw", False)),
    )
    lines = checkup.lines(found, locale=str(interaction.locale))
    await interaction.edit_original_response(view=panels.paragraphs(lines))
