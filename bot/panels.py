"""Pages of history and the panel of defaults as Discord components.

It owns their layout, their ids and the escaping; it never decides what to say. The ids hold all
that is needed to answer them, so any process does, at any time.
"""

import io

import discord

from bot.cards import escape
from bot.model import Sort
from bot.pages import Page, Panel, Pick, Row, Toggle

# What the ids of a history's and a panel's controls look like.
TURN_ID = rf"history:(?:back|on):(?P<page>\d{{1,6}}):(?P<sort>{'|'.join(Sort)}):(?P<text>.{{0,60}})"
OPEN_ID = r"history:open"
PICK_ID = r"taste:pick:(?P<field>(?:imagine|remix)_(?:ratio|model)|resolution)"
PRIVACY_ID = r"privacy:(?P<verb>export|erase|really|keep):(?P<user>\d{1,20})"
RULES_ID = r"rules:(?P<form>places|limits|words|pictures|log)"
TOGGLE_ID = (
    r"taste:turn:(?P<field>private|spoiler|show_references|spare_messages|spare_avatar|reset)"
    r":(?P<on>on|off)"
)

Box = discord.ui.Container[discord.ui.LayoutView]
Actions = discord.ui.ActionRow[discord.ui.LayoutView]


def history(page: Page, *, back: str, on: str, choose: str) -> discord.ui.LayoutView:
    """A page of a history; the words are those of its controls."""
    box: Box = discord.ui.Container()
    notes = list(page.notes)
    if page.text and page.rows:
        notes.append(f"“{escape(page.text)}”")
    box.add_item(discord.ui.TextDisplay(f"### {page.heading}\n-# {' · '.join(notes)}"))
    for row in page.rows:
        box.add_item(_entry(row))
    if page.rows:
        menu: discord.ui.Select[discord.ui.LayoutView] = discord.ui.Select(
            custom_id="history:open",
            placeholder=choose,
            options=[
                discord.SelectOption(
                    label=f"{row.short_id} · {row.prompt}"[:100], value=row.reply_id
                )
                for row in page.rows
            ],
        )
        box.add_item(_actions(menu))
    if page.last:
        box.add_item(
            _actions(
                _turn(page, "back", page.number - 1, label=back),
                _turn(page, "on", page.number + 1, label=on),
            )
        )
    return _view(box)


def thumbnails(page: Page) -> list[discord.File]:
    """The uploads of a page, for one attempt: a file is empty after its first use."""
    return [
        discord.File(io.BytesIO(row.thumbnail), filename=_filename(row))
        for row in page.rows
        if row.thumbnail is not None
    ]


def _entry(row: Row) -> discord.ui.Item[discord.ui.LayoutView]:
    # A bare address would fill two lines of a phone.
    name = f"[{row.short_id}]({row.link})" if row.link is not None else row.short_id
    last = f"{row.state} · {name}" if row.state else name
    text: discord.ui.TextDisplay[discord.ui.LayoutView] = discord.ui.TextDisplay(
        f"**{escape(row.prompt)}**\n{row.facts}\n{last}"
    )
    if row.thumbnail is None:
        return text
    return discord.ui.Section(
        text,
        accessory=discord.ui.Thumbnail(
            f"attachment://{_filename(row)}", description=row.alt or None, spoiler=row.spoiler
        ),
    )


def _filename(row: Row) -> str:
    return f"{row.reply_id}.webp"


def _turn(
    page: Page, verb: str, number: int, *, label: str
) -> discord.ui.Button[discord.ui.LayoutView]:
    return discord.ui.Button(
        label=label,
        disabled=not 0 <= number <= page.last,
        custom_id=f"history:{verb}:{max(number, 0)}:{page.sort}:{page.text}",
    )


def preferences(panel: Panel) -> discord.ui.LayoutView:
    """A person's defaults with the controls that change them."""
    box: Box = discord.ui.Container()
    box.add_item(discord.ui.TextDisplay(f"### {panel.heading}\n{panel.words}"))
    box.add_item(discord.ui.Separator(visible=False))
    for pick in panel.picks:
        box.add_item(discord.ui.TextDisplay(f"**{pick.label}**"))
        box.add_item(_actions(_pick(pick)))
    toggles = [_toggle(toggle) for toggle in panel.toggles]
    box.add_item(_actions(*toggles))
    box.add_item(discord.ui.Separator(visible=False))
    box.add_item(discord.ui.TextDisplay(f"**{panel.sparing}**"))
    box.add_item(_actions(*(_toggle(toggle) for toggle in panel.spared)))
    reset: discord.ui.Button[discord.ui.LayoutView] = discord.ui.Button(
        label=panel.reset, custom_id="taste:turn:reset:on"
    )
    # It takes back all of the above, so it stands beside none of it.
    box.add_item(discord.ui.Separator())
    box.add_item(_actions(reset))
    return _view(box)


def _pick(pick: Pick) -> discord.ui.Select[discord.ui.LayoutView]:
    return discord.ui.Select(
        custom_id=f"taste:pick:{pick.field}",
        options=[
            discord.SelectOption(label=label[:100], value=value, default=value == pick.chosen)
            for value, label in pick.options
        ],
    )


def _toggle(toggle: Toggle) -> discord.ui.Button[discord.ui.LayoutView]:
    # The id says what a press makes of it: pressed twice, it is still what it said.
    return discord.ui.Button(
        label=toggle.label,
        emoji="✅" if toggle.on else "⬜",
        style=discord.ButtonStyle.success if toggle.on else discord.ButtonStyle.secondary,
        custom_id=f"taste:turn:{toggle.field}:{'off' if toggle.on else 'on'}",
    )


def rules(lines: tuple[str, ...], buttons: tuple[tuple[str, str], ...]) -> discord.ui.LayoutView:
    """A server's rules, with the buttons that open their forms: which form, and its label."""
    box = _told(lines)
    openers: list[discord.ui.Button[discord.ui.LayoutView]] = [
        discord.ui.Button(label=label, custom_id=f"rules:{form}") for form, label in buttons
    ]
    box.add_item(_actions(*openers))
    return _view(box)


def privacy(
    lines: tuple[str, ...], buttons: tuple[tuple[str, str], ...], *, user_id: int
) -> discord.ui.LayoutView:
    """What is kept about a person, with the buttons that are theirs alone: verb and label."""
    box = _told(lines)
    pressed: list[discord.ui.Button[discord.ui.LayoutView]] = [
        discord.ui.Button(
            label=label,
            custom_id=f"privacy:{verb}:{user_id}",
            style=discord.ButtonStyle[_STYLES.get(verb, "secondary")],
        )
        for verb, label in buttons
    ]
    if pressed:
        box.add_item(_actions(*pressed))
    return _view(box)


_STYLES = {"really": "danger"}


def paragraphs(lines: tuple[str, ...]) -> discord.ui.LayoutView:
    """Plain words, one below the other."""
    return _view(_told(lines))


def _told(lines: tuple[str, ...]) -> Box:
    box: Box = discord.ui.Container()
    for line in lines:
        if box.children:
            box.add_item(discord.ui.Separator(visible=False))
        box.add_item(discord.ui.TextDisplay(line))
    return box


def _actions(*items: discord.ui.Item[discord.ui.LayoutView]) -> Actions:
    row: Actions = discord.ui.ActionRow()
    for item in items:
        row.add_item(item)
    return row


def _view(box: Box) -> discord.ui.LayoutView:
    view = discord.ui.LayoutView(timeout=None)
    view.add_item(box)
    return view
