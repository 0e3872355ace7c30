"""The operator's page in a real browser: light, dark, on a phone, checked for everybody's use."""

import re
from contextlib import asynccontextmanager
from importlib import resources

import pytest
from playwright.async_api import expect

from bot.admin import server
from sandbox import faults
from sandbox import world as worlds
from tests import lines
from tests.browser.conftest import PACE

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
# All that axe knows of WCAG 2.2 at A and AA, and its own best practices.
CHECK = """
async () => (await axe.run(document, {rules: {"target-size": {enabled: true}}})).violations.map(
  one => `${one.id}: ${one.help} (${one.nodes.map(node => node.target).join("; ")})`)
"""


@pytest.fixture(autouse=True)
def logging_as_in_earnest():
    with lines.configured():
        yield


@pytest.fixture
def look(tmp_path, open_browser, monkeypatch):
    """What opens the operator's page of a bot at work."""
    monkeypatch.setattr(server, "EVERY", 0.2)

    @asynccontextmanager
    async def opened(*, path="", settings=None, **window):
        async with worlds.opened(
            tmp_path, clock=worlds.hurried(PACE), admin_port=0, **settings or {}
        ) as world:
            url = f"http://127.0.0.1:{world.app.watch.admin.port}/{path}"
            async with open_browser(url, **window) as visitor:
                yield world, visitor.page

    return opened


async def ask(world, prompt, **options):
    return await world.member.slash(world.channel, "imagine", prompt=prompt, **options)


async def busy(world, page):
    """All parts of the page have something to show."""
    for prompt in ("a fox", "a lake [policy]", "a boat [fail]"):
        await ask(world, prompt)
    pictures = page.locator("#pictures img")
    await expect(pictures).to_have_count(1)
    await expect(page.locator("#failures li")).to_have_count(2)
    world.hiapi.fault(faults.out_of_quota(), on="create", times=1000)
    await ask(world, "one that waits")
    await expect(page.locator(".trouble")).to_contain_text("HiAPI is out of credit")
    await pictures.scroll_into_view_if_needed()  # it is loaded when somebody comes near
    await expect(pictures).not_to_have_js_property("naturalWidth", 0)


async def complaints(page):
    """What axe finds wrong with the page as it stands."""
    axe = resources.files("axe_playwright_python") / "axe.min.js"
    await page.evaluate(axe.read_text(encoding="utf-8"))
    return await page.evaluate(CHECK)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", [{}, PHONE], ids=["desk", "phone"])
async def test_the_page_is_for_everybody(look, scheme, window):
    async with look(color_scheme=scheme, **window) as (world, page):
        assert await complaints(page) == [], "with nothing to show"
        await busy(world, page)
        assert await complaints(page) == []
        assert (
            await page.evaluate("document.documentElement.scrollWidth")
            <= (page.viewport_size["width"])
        )


async def test_light_and_dark_differ(look):
    grounds = []
    for scheme in ("light", "dark"):
        async with look(color_scheme=scheme) as (_, page):
            grounds.append(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
    light, dark = ([int(part) for part in re.findall(r"\d+", ground)] for ground in grounds)
    assert sum(light) > 600
    assert sum(dark) < 150


async def test_the_figures_move_by_themselves(look):
    async with look() as (world, page):
        await expect(page.locator("#pictures")).to_contain_text("None that was made in the open")
        await ask(world, "a red fox")
        await expect(page.locator("#pictures img")).to_have_count(1)
        await expect(page.locator("#spend")).to_contain_text("1 of")
        await expect(page.locator("#servers")).to_contain_text("1 picture")
        await expect(page.locator("rect.good")).to_have_count(1)
        await expect(page.locator("#models")).to_contain_text("100.0 %")


async def test_what_somebody_is_in_is_left_alone_and_comes_after(look):
    async with look() as (world, page):
        await ask(world, "a red fox")
        await expect(page.locator("#models table")).to_be_visible()
        await page.locator("#models .wide").focus()
        await ask(world, "a boat [fail]")
        await expect(page.locator("#failures li")).to_have_count(1)
        await expect(page.locator("#models")).to_contain_text("100.0 %")
        await page.locator("nav a").first.focus()
        await expect(page.locator("#models")).to_contain_text("50.0 %")


async def test_it_works_without_scripts(look):
    async with look(java_script_enabled=False, path="?hours=24") as (_, page):
        await expect(page.locator("h1")).to_have_text("Easel")
        await expect(page.locator("nav [aria-current]")).to_have_text("Last 24 hours")
        await page.get_by_role("link", name="Last hour").click()
        await expect(page.locator("nav [aria-current]")).to_have_text("Last hour")


async def test_a_password_opens_it_with_all_its_parts(look):
    password = "twelve characters and more"
    window = {"http_credentials": {"username": "operator", "password": password}}
    async with look(settings={"admin_password": password}, **window) as (world, page):
        await ask(world, "a red fox")
        picture = page.locator("#pictures img")
        await expect(picture).to_have_count(1)
        await picture.scroll_into_view_if_needed()
        # Not by a function that is waited for: the page's own policy forbids what that needs.
        await expect(picture).to_have_js_property("complete", True)
        assert await picture.evaluate("img => img.naturalWidth") > 0


async def test_it_says_when_easel_does_not_answer_and_goes_on_when_it_does(look):
    async with look() as (world, page):
        status = page.get_by_role("status")

        async def broken(route):
            await route.fulfill(status=200, content_type="text/html", body="<p>nothing</p>")

        await expect(status).to_have_text("")
        await page.route("**/live*", broken)
        await expect(status).to_contain_text("Easel does not answer")
        await page.unroute("**/live*")
        await expect(status).to_have_text("")
        await ask(world, "a red fox")
        await expect(page.locator("#pictures img")).to_have_count(1)
