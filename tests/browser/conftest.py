"""A real browser before the real demo: each test opens the page as a person would."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import async_playwright

from sandbox import world as worlds
from tests.browser.visitor import Visitor

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
PACE = 4.0  # nobody watches: what takes the demo ten seconds takes two and a half

Visit = Callable[..., AbstractAsyncContextManager[Visitor]]


@pytest.fixture(scope="session")
def chromium() -> str:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"these tests need a browser: none of {', '.join(BROWSERS)} is installed")
    return path


@pytest.fixture
def open_browser(chromium: str) -> Visit:
    """What opens an address in a window of its own; the page must not complain of anything."""

    @asynccontextmanager
    async def opened(url: str, **window: Any) -> AsyncIterator[Visitor]:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=chromium, args=list(ARGUMENTS)
            )
            try:
                options = {"viewport": {"width": 1000, "height": 800}, **window}
                visitor = Visitor(await browser.new_page(**options))
                await visitor.arrive(url)
                yield visitor
                assert visitor.errors == []
            finally:
                await browser.close()

    return opened


@pytest.fixture
def visit(tmp_path, open_browser: Visit) -> Visit:
    """What starts a demo, by other settings if need be, and opens its page."""

    @asynccontextmanager
    async def opened(
        settings: dict[str, Any] | None = None, **window: Any
    ) -> AsyncIterator[Visitor]:
        async with (
            worlds.opened(tmp_path, clock=worlds.hurried(PACE), **settings or {}) as world,
            worlds.page(world) as url,
            open_browser(url, **window) as visitor,
        ):
            yield visitor

    return opened
