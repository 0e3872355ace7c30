"""Options of enums: the values a model takes, the default first.

It owns how a choice reads; it never knows which values there are.
"""

from discord import app_commands

from bot import i18n


def choices(values: tuple[str, ...], *, default: str) -> list[app_commands.Choice[str]]:
    """Options of an enum, the default marked and first."""
    ordered = [default, *(value for value in values if value != default)]
    mark = i18n.N_("{value} (default)")
    marked = app_commands.locale_str(
        mark.format(value=default), template=mark, values={"value": default}
    )
    return [
        app_commands.Choice(name=marked if value == default else value, value=value)
        for value in ordered
    ]
