"""A person at the demo's page: types commands, hands in files, looks at what the bot answers.

It owns how the page is worked, by what a person sees of it; it never reaches behind the page.
"""

import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import ConsoleMessage, Locator, Page, expect

SECONDS = 20.0  # until the page must show what is waited for
SOON, TRIES = 1000.0, 6  # milliseconds until a list is open, and presses that may be needed

# The headings of all cards in the order in which the page showed them, once each.
_WATCH = """
() => {
  window.seen = [];
  const look = () => {
    for (const heading of document.querySelectorAll(".channel-message h3"))
      if (!window.seen.includes(heading.textContent)) window.seen.push(heading.textContent);
  };
  new MutationObserver(look).observe(document.body, {
    subtree: true, childList: true, characterData: true,
  });
}
"""

# Whether the newest message has a picture that is drawn.
_DRAWN = """
() => {
  const picture = [...document.querySelectorAll(".channel-message")].pop()?.querySelector(
    "img.gallery-image");
  return Boolean(picture?.complete && picture.naturalWidth);
}
"""

# Whether the bot has said what it suggests for what was typed; while messages change the page may
# give the question up.
_SUGGESTED = """
() => ["answered", "failed"].includes(window.simcordPreview.commandPicker.autocomplete.state)
"""

# The colour in the middle of the picture's left and of its right half.
_COLOURS = """
picture => {
  const canvas = document.createElement("canvas");
  canvas.width = picture.naturalWidth;
  canvas.height = picture.naturalHeight;
  const pen = canvas.getContext("2d", {willReadFrequently: true});
  pen.drawImage(picture, 0, 0);
  const at = share => [...pen.getImageData(
    Math.round(canvas.width * share), Math.round(canvas.height * SHARE), 1, 1).data].slice(0, 3);
  return [at(0.25), at(0.75)];
}
"""


@dataclass
class Visitor:
    """One open page. `errors` is what its console complained of."""

    page: Page
    errors: list[str] = field(default_factory=list)

    async def arrive(self, url: str) -> None:
        self.page.set_default_timeout(SECONDS * 1000)
        expect.set_options(timeout=SECONDS * 1000)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._listen)
        await self.page.goto(url)
        await self.page.evaluate(_WATCH)

    def _listen(self, line: ConsoleMessage) -> None:
        where = line.location["url"]
        # The page brings no icon of its own, and browsers ask for one.
        if line.type == "error" and not where.endswith("/favicon.ico"):
            self.errors.append(f"{line.text} ({where})")

    async def ask(
        self, command: str, *, files: dict[str, Path] | None = None, **options: str
    ) -> None:
        """Choose the command in the composer, fill in its options, press Send."""
        await self.page.get_by_role("textbox", name="Message").fill(f"/{command}")
        await self.page.locator(".command-entry").filter(has_text=f"/{command}").click()
        for name, value in options.items():
            await self._fill(name, value)
        for name, path in (files or {}).items():
            await self._add(name)
            await self.page.locator(f"input[type=file][data-option={name}]").set_input_files(path)
        await self.page.get_by_role("button", name="Send", exact=True).click()
        # The page is ready for the next command when its composer is back.
        await expect(self.page.get_by_role("textbox", name="Message")).to_be_visible()

    async def _fill(self, name: str, value: str) -> None:
        await self._add(name)
        field_ = self.page.locator(f"input.command-option-input[data-option={name}]")
        await field_.focus()
        heading = self.page.locator(".command-popup-heading")
        if await field_.get_attribute("role") != "combobox":
            await field_.fill(value)
        elif "MATCHING" in (await heading.text_content() or ""):
            # Whatever is typed is suggested for, and counts as it is typed.
            await field_.fill(value)
            await self.page.wait_for_function(_SUGGESTED)
        else:
            choice = self.page.locator(".command-suggestion")
            await choice.filter(has_text=re.compile(f"^{re.escape(value)}")).first.click()

    async def _add(self, name: str) -> None:
        """Bring up an option that the composer does not show by itself."""
        if await self.page.locator(f".command-pill[data-option={name}]").count():
            return
        await self.page.locator(".command-ghost").click()
        await self.page.locator(f".command-suggestion[data-value={name}]").click()

    async def suggested(self, command: str, option: str, typed: str) -> list[str]:
        """What is suggested for an option once this much of it is typed; nothing is sent."""
        await self.page.get_by_role("textbox", name="Message").fill(f"/{command}")
        await self.page.locator(".command-entry").filter(has_text=f"/{command}").click()
        await self._fill(option, typed)
        return await self.page.locator(".command-suggestion-label").all_text_contents()

    # --- pressing and filling in ------------------------------------------------------------------

    async def press(self, button: str, *, on: Locator | None = None) -> None:
        """Press a button of a message, the newest one unless said otherwise."""
        place = self.message if on is None else on
        await self._rest()
        await place.get_by_role("button", name=button, exact=True).click()

    async def choose(self, *values: str, of: Locator) -> None:
        """Open a select and press the entries that hold these words; of several, apply them."""
        opened = self.page.locator(".select-list:popover-open")
        # The page takes one press at a time, and closes a list when its message is drawn anew.
        for _ in range(TRIES):
            await self._rest()
            await of.press("Enter")
            with contextlib.suppress(AssertionError):
                await expect(opened).to_be_visible(timeout=SOON)
                break
        for value in values:
            await opened.locator(".select-option").filter(has_text=value).first.click()
        if await (apply := opened.get_by_role("button", name="Apply")).count():
            await apply.click()
        await expect(opened).to_have_count(0)

    async def becomes(self, name: str) -> None:
        """Look at the page as somebody else."""
        await self._rest()
        await self.page.get_by_role("combobox", name="Viewing as").select_option(label=name)
        await self._rest()

    async def _rest(self) -> None:
        """Until the page is done with what was pressed last: it takes one press at a time."""
        await self.page.wait_for_function("() => window.simcordPreview.ready")

    @property
    def form(self) -> Locator:
        """The form that lies over the channel."""
        return self.page.get_by_role("dialog")

    def field(self, name: str) -> Locator:
        """One field of the form, by the id that the bot gave it."""
        return self.form.locator(f".modal-field[data-custom-id={name}]")

    async def offers(self, *words: str) -> None:
        """All of these stand in the form."""
        for each in words:
            await expect(self.form).to_contain_text(each)

    async def submit(self) -> None:
        """Send the form off; it must be gone then."""
        await self.form.get_by_role("button", name="Submit").click()
        await expect(self.form).to_have_count(0)

    # --- looking ----------------------------------------------------------------------------------

    @property
    def message(self) -> Locator:
        """The newest message in the channel."""
        return self.page.locator("article.channel-message").last

    async def sees(self, text: str) -> None:
        await expect(self.message).to_contain_text(text)

    async def picture(self) -> Locator:
        """The picture of the newest message, once it is there and drawn."""
        await self.page.wait_for_function(_DRAWN)
        return self.message.locator("img.gallery-image")

    async def headings(self) -> list[str]:
        """The headings that the page has shown so far, in their order."""
        return await self.page.evaluate("window.seen")

    async def colours(self, picture: Locator, *, height: float) -> list[list[int]]:
        """What is seen at a quarter and at three quarters of the width, this share down."""
        return await picture.evaluate(_COLOURS.replace("SHARE", str(height)))
