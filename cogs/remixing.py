"""Remix by menu and button: a message's images, a person's avatar or a card's pictures, in a form.

It owns the form and its way back into a request; it never decides what may be asked for.
"""

import discord
from discord import app_commands

from bot import i18n
from bot.catalog import Complaint
from bot.i18n import N_
from bot.intake import Intake
from bot.media import Media
from bot.model import Kind, Reference, Request
from bot.render import Verb
from bot.tastes import Tastes
from cogs import asking, finding, remix_form, sparing
from cogs.finding import Found
from cogs.forms import Filled
from cogs.interactions import Interaction, whisper
from cogs.offers import Offers, delivered
from cogs.sparing import Whose

_OLD = Complaint(
    N_("This form is too old, or the bot was restarted."),
    N_("Nothing was started. Open the form again from the Apps menu of the message."),
)
_GONE = Complaint(
    N_("The pictures of this message are gone."),
    N_("Nothing was started. If you kept one, hand it in with /remix."),
)


class Remixing:
    """What the menus, the button and the form do; its methods are their answers."""

    def __init__(self, *, intake: Intake, media: Media, tastes: Tastes) -> None:
        self._intake, self._media, self._tastes = intake, media, tastes
        self._offers = Offers(clock=intake.clock)
        self.menus = (
            app_commands.ContextMenu(name=N_("Remix"), callback=self.remix_message),
            app_commands.ContextMenu(name=N_("Remix avatar"), callback=self.remix_avatar),
        )

    async def remix_message(self, interaction: Interaction, message: discord.Message) -> None:
        """The images of any message that a person sees."""
        found = finding.images(message, media=self._media)
        whose = Whose(sparing.author(message), sparing.MESSAGES)
        await self._open(interaction, found, whose, private=message.flags.ephemeral)

    async def remix_avatar(
        self, interaction: Interaction, person: discord.Member | discord.User
    ) -> None:
        """A person's avatar here: the server's own, else theirs, else the one Discord gives."""
        found = finding.avatar(person, media=self._media)
        whose = Whose(person.id, sparing.AVATARS)
        await self._open(interaction, (found,) if found else (), whose, private=False)

    async def press(self, interaction: Interaction, reply_id: str) -> None:
        """Remix this: the pictures of a finished card, which comes along with the press."""
        pictures = delivered(interaction, media=self._media)
        private = interaction.message is not None and interaction.message.flags.ephemeral
        whose = await sparing.asker(interaction, reply_id, self._intake)
        await self._open(interaction, pictures, whose, private=private, reply_id=reply_id)

    async def submitted(self, interaction: Interaction, filled: Filled) -> None:
        """The form came back: a request, or the person's words with the reason why not."""
        typed = filled.texts.get(remix_form.PROMPT, "")
        key, _sep, reply_id = filled.about.partition("-")
        if reply_id:
            offered, missing = _usable(delivered(interaction, media=self._media)), _GONE
            whose = await sparing.asker(interaction, reply_id, self._intake)
        else:
            (offered, whose), missing = self._offers.find(key, user_id=interaction.user.id), _OLD
        chosen = filled.choices.get(remix_form.IMAGES) or ("0",)
        picked = [offered[int(n)] for n in chosen if int(n) < len(offered)]
        if len(picked) < len(chosen):
            await whisper(interaction, missing, typed=typed)
            return
        may = await sparing.allowed(interaction, whose, intake=self._intake, tastes=self._tastes)
        if isinstance(may, Complaint):
            await whisper(interaction, may, typed=typed)
            return
        given = filled.files.get(remix_form.MORE, ())
        model = self._intake.catalog.remix
        options = filled.choices.get(remix_form.OPTIONS, ())
        request = Request(
            kind=Kind.REMIX,
            model=model.id,
            prompt=typed,
            aspect_ratio=next(iter(filled.choices.get(remix_form.RATIO, ())), model.default_ratio),
            resolution=model.resolutions[-1]
            if remix_form.SHARP in options
            else model.default_resolution,
            references=(
                *(found.reference for found in picked),
                *(Reference(url=file.url, filename=file.filename) for file in given),
            ),
        )
        wish = asking.Wish(
            request=request,
            images=(*picked, *given),
            private=remix_form.PRIVATE in options,
            spoiler=remix_form.SPOILER in options,
            show_references=remix_form.SHOW in options,
            made_from=reply_id or None,
            made_by=Verb.REMIX if reply_id else None,
            typed=typed,
        )
        await asking.ask(interaction, wish, intake=self._intake)

    async def _open(
        self,
        interaction: Interaction,
        found: tuple[Found, ...],
        whose: Whose,
        *,
        private: bool,
        reply_id: str = "",
    ) -> None:
        usable = _usable(found)
        house = await sparing.allowed(interaction, whose, intake=self._intake, tastes=self._tastes)
        if not usable and not isinstance(house, Complaint):
            nothing = _GONE if reply_id else finding.NOTHING
            house = next((each.problem for each in found if each.problem), nothing)
        if isinstance(house, Complaint):
            await whisper(interaction, house)
            return
        # What a card shows comes along with the form; other images have no room in its id.
        key = ""
        if not reply_id:
            key = self._offers.keep(usable, user_id=interaction.user.id, whose=whose)
        with i18n.use(str(interaction.locale)):
            form = remix_form.RemixForm(
                f"{key}-{reply_id}",
                usable,
                model=self._intake.catalog.remix,
                left_out=tuple(each.filename for each in found if each not in usable),
                private=private or house.private,
                house=house,
                card=bool(reply_id),
            )
        await interaction.response.send_modal(form)


def _usable(found: tuple[Found, ...]) -> tuple[Found, ...]:
    return tuple(each for each in found if each.problem is None)
