"""Edit prompt: a form with the prompt and the options of a card, and what it is submitted as.

It owns the form; it never decides what may be made.
"""

from collections.abc import Mapping
from dataclasses import replace

import discord

from bot import i18n
from bot.catalog import SHARP, Catalog, Model
from bot.errors import Code
from bot.i18n import _
from bot.intake import Intake
from bot.model import Reply, Request
from bot.presses import Verb
from cogs import asking, prompts
from cogs.buttons import Press, bound
from cogs.forms import TEXT_LIMIT, Filled, Form, Handler
from cogs.interactions import Interaction
from cogs.variations import another, found

FORM = "edit"
LABEL_LIMIT, DESCRIPTION_LIMIT = 45, 100  # Discord's, for a field of a form


def presses(intake: Intake) -> Mapping[Verb, Press]:
    """Who opens the form."""
    return {Verb.EDIT: bound(intake, _open)}


def handlers(intake: Intake) -> Mapping[str, Handler]:
    """Who takes the form on when it is submitted."""
    return {FORM: lambda interaction, filled: _edited(interaction, intake, filled)}


async def _open(interaction: Interaction, intake: Intake, reply_id: str) -> None:
    if reply := await found(interaction, intake, reply_id):
        with i18n.use(str(interaction.locale)):
            form = _form(reply, intake.catalog)
        await interaction.response.send_modal(form)


async def _edited(interaction: Interaction, intake: Intake, filled: Filled) -> None:
    reply = await found(interaction, intake, filled.about)
    if reply is None:
        return
    wish, catalog = another(reply, by=Verb.EDIT), intake.catalog
    before, ticked = wish.request, filled.choices.get("options", ())
    file = next(iter(filled.files.get("file", ())), None)
    request = replace(
        before,
        model=_chosen(filled, "model", before.model),
        prompt="" if file else prompts.joined(before.prompt, filled.texts.get("prompt", "")),
        aspect_ratio=_chosen(filled, "ratio", before.aspect_ratio),
    )
    sharp = SHARP if "2k" in ticked else catalog.of(request).default_resolution
    changed = replace(
        wish,
        request=replace(request, resolution=sharp),
        prompt_file=file,
        private="private" in ticked,
        spoiler="spoiler" in ticked,
    )
    await asking.ask(interaction, changed, intake=intake)


def _chosen(filled: Filled, field: str, otherwise: str) -> str:
    return next(iter(filled.choices.get(field, ())), otherwise)


def _form(reply: Reply, catalog: Catalog) -> Form:
    request = reply.jobs[0].request
    shown, rest = prompts.head(request.prompt), ""
    if shown != request.prompt:
        count = len(request.prompt) - len(shown)
        rest = _("The beginning. Change it as you like: the {count} characters after it stay.")
        rest = rest.format(count=count)
    models = _models(reply, catalog)
    ratios = dict.fromkeys(ratio for model in models for ratio in model.ratios)
    form = Form(FORM, about=reply.id, title=_("Edit prompt"))
    text: discord.ui.TextInput[Form] = discord.ui.TextInput(
        custom_id="prompt",
        style=discord.TextStyle.paragraph,
        default=shown,
        required=False,
        max_length=TEXT_LIMIT,
    )
    _add(form, _("Prompt"), text, rest)
    upload: discord.ui.FileUpload[Form] = discord.ui.FileUpload(custom_id="file", required=False)
    said = _("A .txt file with a prompt of up to 20,000 characters, in place of the one above.")
    _add(form, _("Or a text file"), upload, said)
    _add(form, _("Ratio"), _select("ratio", tuple(ratios), request.aspect_ratio))
    _add(form, _("Options"), _options(reply, request))
    if len(models) > 1:
        names = tuple(model.id for model in models)
        _add(form, _("Model"), _select("model", names, catalog.of(request).id))
    return form


def _models(reply: Reply, catalog: Catalog) -> tuple[Model, ...]:
    """The models to choose from: those on offer, its own, and what replaces an unavailable one."""
    request = reply.jobs[0].request
    codes = {job.outcome.code for job in reply.jobs if job.outcome}
    instead = catalog.instead(request) if Code.MODEL_GONE in codes else None
    known = (*catalog.offered(request.kind), catalog.of(request), instead)
    return tuple(dict.fromkeys(model for model in known if model is not None))


def _add(form: Form, name: str, field: discord.ui.Item[Form], said: str = "") -> None:
    description = said[:DESCRIPTION_LIMIT] or None
    form.add_item(
        discord.ui.Label(text=name[:LABEL_LIMIT], component=field, description=description)
    )


def _select(name: str, values: tuple[str, ...], default: str) -> "discord.ui.Select[Form]":
    options = [
        discord.SelectOption(label=value[:100], value=value[:100], default=value == default)
        for value in values
    ]
    return discord.ui.Select(custom_id=name, options=options)


def _options(reply: Reply, request: Request) -> "discord.ui.CheckboxGroup[Form]":
    sharper = _("{resolution}: sharper, takes longer")
    ticks = {
        "2k": (sharper.format(resolution=SHARP), request.resolution == SHARP),
        "private": (_("Show the picture to me alone"), reply.target.private),
        "spoiler": (_("Blur it until somebody clicks it"), reply.spoiler),
    }
    options = [
        discord.CheckboxGroupOption(label=label, value=value, default=ticked)
        for value, (label, ticked) in ticks.items()
    ]
    return discord.ui.CheckboxGroup(
        custom_id="options", options=options, required=False, min_values=0
    )
