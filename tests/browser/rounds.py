"""The tour's scenes of moderators, of the operator, and of what a person may decide about themself.

It owns those scenes; `tests.browser.tour` plays them.
"""

from typing import Any

from playwright.async_api import expect

from tests.browser.stage import Play, Scene, Stage
from tests.browser.visitor import Visitor

PRICES = "gpt-image-2-pro@1K=0.04, gpt-image-2-pro@2K=0.08"

SCENES = (
    Scene(
        "warned",
        "Before a pause",
        "Whose prompts are refused again and again is warned first.",
    ),
    Scene("paused", "Paused", "Then the card says until when, and so does the next command."),
    Scene("paused-command", "A command while paused", "Nothing is spent."),
    Scene(
        "confirm",
        "A question before an expensive request",
        "What costs more than the operator chose is made only after a yes.",
    ),
    Scene("privacy", "/privacy", "What is kept, for how long, and what others hold."),
    Scene("privacy-erase", "Erase", "What goes and what stays; asked once more."),
    Scene("privacy-erased", "Erased", "What an erasure came to."),
    Scene("report-form", "Report", "Under anybody's public picture: tell the moderators why."),
    Scene("reports", "/easel reports", "Moderators read the reports, with links to the cards."),
    Scene("settings", "/easel settings", "Every rule in words; each button opens a form."),
    Scene("check", "/easel check", "What the bot may do in this channel, and what it lacks."),
    Scene("log-form", "Log channel", "Where moderators may follow along, and in which language."),
    Scene(
        "words-form", "Words and retention", "What may not be asked for, and when it is forgotten."
    ),
    Scene("log", "In the log channel", "Pictures, refusals, reports and changed rules, as lines."),
    Scene("operator", "The operator's page", "What waits, what fails, and what is spent."),
    Scene("operator-dark", "The operator's page, dark", "As the browser prefers it."),
)
PHONE_SCENES = (
    Scene("phone-preferences", "On a phone: /preferences", "One control below the other."),
    Scene("phone-privacy", "On a phone: /privacy", "The same words."),
    Scene("phone-settings", "On a phone: /easel settings", "The rules one by one."),
)


async def refused(stage: Stage) -> None:
    visitor = stage.visitor
    await visitor.ask("imagine", prompt="a duel at dawn [policy]")
    await visitor.sees("One more")
    await stage.shoot("warned")
    await visitor.ask("imagine", prompt="a duel at noon [policy]")
    await visitor.sees("paused until")
    await stage.shoot("paused")
    await visitor.ask("imagine", prompt="a duel at dusk")
    await visitor.sees("You can ask again")
    await stage.shoot("paused-command")


async def asked(stage: Stage) -> None:
    visitor = stage.visitor
    await visitor.ask("imagine", prompt="a poster for a jazz night", count="4", resolution="2K")
    await visitor.sees("This would cost")
    await stage.shoot("confirm")
    await visitor.press("No")
    await visitor.sees("Nothing was made")


async def erasing(stage: Stage) -> None:
    visitor = stage.visitor
    await visitor.ask("imagine", prompt="a red fox in the snow")
    await stage.made("a red fox in the snow")
    await visitor.ask("privacy")
    await visitor.sees("What I keep about you")
    await stage.shoot("privacy")
    await visitor.press("Erase")
    await visitor.sees("Erase everything about you?")
    await stage.shoot("privacy-erase")
    await visitor.press("Erase it for good")
    await visitor.sees("was erased")
    await stage.shoot("privacy-erased")


async def moderating(stage: Stage) -> None:
    visitor = stage.visitor
    await visitor.becomes("friend")
    await visitor.ask("imagine", prompt="a clown with a very wide grin")
    await stage.made("a clown with a very wide grin")
    await visitor.becomes("you")
    await visitor.press("Report")
    await stage.shoot_form("report-form")
    await visitor.field("reason").locator("textarea").fill("It frightens the children here.")
    await visitor.submit()
    await visitor.sees("Thank you")
    await visitor.ask("easel reports")
    await visitor.sees("It frightens")
    await stage.shoot("reports")
    await visitor.ask("easel check")
    await visitor.sees("View Channel")
    await stage.shoot("check")
    await visitor.ask("easel settings")
    await visitor.sees("Rules of this server")
    await _set(visitor, "Limits", member="20/day")
    await visitor.sees("20/day")
    await visitor.press("Words and retention")
    await visitor.field("words").locator("textarea").fill("clown*")
    await visitor.field("days").locator("input").fill("90")
    await stage.shoot_form("words-form")
    await visitor.submit()
    await visitor.sees("after 90 days")
    await stage.rest()
    await stage.shoot("settings")
    await visitor.press("Log channel")
    await stage.shoot_form("log-form")
    await visitor.form.get_by_role("button", name="Cancel").click()


async def _set(visitor: Visitor, form: str, **texts: str) -> None:
    await visitor.press(form)
    for name, text in texts.items():
        await visitor.field(name).locator("input").fill(text)
    await visitor.submit()


async def logged(stage: Stage) -> None:
    """The page shows the log channel; what is told there happens in the other one."""
    world, visitor = stage.world, stage.visitor
    [friend] = world.others
    log = world.member.guild.channels["log"]
    panel = await world.member.slash(world.channel, "easel settings")
    form = await world.member.click(panel.response, label="Log channel")
    await world.member.submit_modal(form, {"log_channel": [log], "log_language": ["en-US"]})
    await friend.slash(world.channel, "imagine", prompt="a lake at night [policy]")
    card = await friend.slash(world.channel, "imagine", prompt="a clown with a very wide grin")
    await visitor.sees("a clown with a very wide grin")
    form = await world.member.click(card.response, label="Report")
    await world.member.submit_modal(form, {"reason": "It frightens the children here."})
    await visitor.sees("It frightens")
    reason = "Clowns, again and again"
    await world.member.slash(world.channel, "easel block", member=friend, reason=reason, hours=48)
    await visitor.sees(reason)
    await stage.shoot_all("log")


async def operating(stage: Stage) -> None:
    visitor, world = stage.visitor, stage.world
    for prompt in ("a fox", "a lake [policy]", "a lighthouse", "a boat [fail]", "an owl"):
        await visitor.ask("imagine", prompt=prompt)
    await expect(stage.cards.filter(has_text="Here is your picture")).to_have_count(3)
    await expect(stage.cards.filter(has_text="refused this prompt")).to_have_count(1)
    await expect(stage.cards.filter(has_text="Retry")).to_have_count(1)
    admin = world.app.watch.admin
    assert admin is not None
    page = visitor.page
    await page.goto(f"http://127.0.0.1:{admin.port}/")
    for name in ("operator", "operator-dark"):
        await page.emulate_media(color_scheme="dark" if name.endswith("dark") else "light")
        for picture in await page.locator("#pictures img").all():
            await picture.scroll_into_view_if_needed()
            await expect(picture).not_to_have_js_property("naturalWidth", 0)
        await stage.shoot_page(name)


async def on_a_phone(stage: Stage) -> None:
    visitor = stage.visitor
    for command, heading in (
        ("preferences", "Your defaults"),
        ("privacy", "What I keep about you"),
        ("easel settings", "Rules of this server"),
    ):
        await visitor.ask(command)
        await visitor.sees(heading)
        await stage.shoot(f"phone-{command.split()[-1]}")


PLAYS: tuple[tuple[Play, dict[str, Any]], ...] = (
    (refused, {"refusals_pause_after": 2}),
    (asked, {"prices": PRICES, "member_caps": "$2/day", "confirm_above": "0.20"}),
    (erasing, {}),
    (moderating, {"company": True}),
    (logged, {"company": True, "seen": "log"}),
    (operating, {"admin_port": 0, "prices": PRICES, "bot_caps": "100/day, $50/month"}),
)
PHONE_PLAYS: tuple[tuple[Play, dict[str, Any]], ...] = ((on_a_phone, {"company": True}),)
