"""The remix form as a person sees it: which images, the prompt, ratio, options, more images.

It owns labels and layout; it never knows where the images were found or what becomes of them.
"""

import discord

from bot import render
from bot.catalog import REFERENCE_LIMIT, Model
from bot.house import House
from bot.i18n import _
from cogs.finding import Found
from cogs.forms import TEXT_LIMIT, Form

NAME = "remix"
CHOICES = 25  # what a select of Discord's holds
LABEL_LIMIT = 100
NAME_IN_TITLE = 30

# The fields, and the values of the options.
IMAGES, PROMPT, RATIO, OPTIONS, MORE = "images", "prompt", "ratio", "options", "more"
SHARP, PRIVATE, SPOILER, SHOW = "sharp", "private", "spoiler", "show"


class RemixForm(Form):
    """The form for these images, in the language in use; an only one is not asked for.

    `left_out` are names of images that cannot be used, `private` is what is ticked at first.
    So are the defaults of the `house`. Of the pictures of a `card` one is chosen: their names
    tell nothing, and rarely all of them are meant.
    """

    def __init__(
        self,
        about: str,
        images: tuple[Found, ...],
        *,
        model: Model,
        left_out: tuple[str, ...],
        private: bool,
        house: House,
        card: bool,
    ) -> None:
        only = images[0].filename if len(images) == 1 else ""
        name = render.clean(only, limit=NAME_IN_TITLE)
        super().__init__(
            NAME,
            about=about,
            title=_("Remix {name}").format(name=name) if only else _("Remix"),
        )
        note = _note(images, left_out)
        if not only:
            self.add_item(_label(_("Images, in this order"), _images(images, card=card), note))
        prompt = discord.ui.TextInput[RemixForm](
            custom_id=PROMPT,
            style=discord.TextStyle.paragraph,
            max_length=TEXT_LIMIT,
            placeholder=_("Call them first image, second image, ..."),
        )
        self.add_item(_label(_("What should it become?"), prompt, note if only else ""))
        self.add_item(_label(_("Ratio"), _ratio(model, house)))
        self.add_item(_label(_("Options"), _options(model, house, private=private)))
        more = discord.ui.FileUpload[RemixForm](
            custom_id=MORE, required=False, min_values=0, max_values=REFERENCE_LIMIT
        )
        limits = _("PNG, JPEG or WebP; {limit} images in all.").format(limit=REFERENCE_LIMIT)
        self.add_item(_label(_("More images"), more, limits))


def _images(images: tuple[Found, ...], *, card: bool) -> discord.ui.Select[RemixForm]:
    shown = images[:CHOICES]
    return discord.ui.Select(
        custom_id=IMAGES,
        min_values=1,
        max_values=min(REFERENCE_LIMIT, len(shown)),
        options=[
            discord.SelectOption(
                label=(
                    _("Picture {number}").format(number=number + 1)
                    if card
                    else f"{number + 1}. {image.label}"
                )[:LABEL_LIMIT],
                value=str(number),
                default=number < REFERENCE_LIMIT and not card,
            )
            for number, image in enumerate(shown)
        ],
    )


def _ratio(model: Model, house: House) -> discord.ui.Select[RemixForm]:
    auto = _("auto: as the images suggest")
    first = house.remix_ratio if house.remix_ratio in model.ratios else model.default_ratio
    return discord.ui.Select(
        custom_id=RATIO,
        options=[
            discord.SelectOption(
                label=auto if ratio == "auto" else ratio,
                value=ratio,
                default=ratio == first,
            )
            for ratio in model.ratios
        ],
    )


def _options(model: Model, house: House, *, private: bool) -> discord.ui.CheckboxGroup[RemixForm]:
    labels = {
        SHARP: _("{resolution}: sharper, takes longer").format(resolution=model.resolutions[-1]),
        PRIVATE: _("Show the picture to me alone"),
        SPOILER: _("Blur it until somebody clicks it"),
        SHOW: _("Show these images beside the result"),
    }
    ticked = {PRIVATE: private, SHARP: house.resolution == model.resolutions[-1]}
    return discord.ui.CheckboxGroup(
        custom_id=OPTIONS,
        required=False,
        min_values=0,
        options=[
            discord.CheckboxGroupOption(label=label, value=value, default=ticked.get(value, False))
            for value, label in labels.items()
        ],
    )


def _note(images: tuple[Found, ...], left_out: tuple[str, ...]) -> str:
    """What the list does not hold, if it does not hold everything."""
    notes = []
    if len(images) > CHOICES:
        count = _("The first {shown} of {count}.").format(shown=CHOICES, count=len(images))
        notes.append(count)
    if left_out:
        notes.append(_("Cannot be used: {names}").format(names=", ".join(left_out)))
    return " ".join(notes)


def _label(
    text: str, field: discord.ui.Item[discord.ui.Modal], note: str = ""
) -> discord.ui.Label[discord.ui.Modal]:
    return discord.ui.Label(
        text=text,
        component=field,
        description=render.clean(note, limit=LABEL_LIMIT) if note else None,
    )
