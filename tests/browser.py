"""A real Chromium for tests of the page, and what a page may not do."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from playwright.async_api import Browser, Page, async_playwright
from yarl import URL

NAMES = ("chromium", "chromium-browser", "google-chrome")
# As root in a container Chromium's own sandbox does not start; and it shall speak to nobody but the page.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The installed browser, without a window. Skips the test where there is none."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"no browser is installed: {', '.join(NAMES)}")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass(slots=True)
class Faults:
    """What went wrong in a page: errors of its scripts, and requests to anybody but its own server."""

    origin: str
    seen: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Note the faults of this page from now on."""
        page.on("pageerror", lambda error: self.seen.append(f"{error}"))
        page.on("request", lambda request: self._request(request.url))
        # Refused by the page's own policy (CSP), among others.
        page.on("console", lambda said: self.seen.append(said.text) if "Content Security" in said.text else None)

    def _request(self, url: str) -> None:
        if not url.startswith(f"{self.origin}/"):
            self.seen.append(f"asked {url}")


@asynccontextmanager
async def opened(browser: Browser, address: str, *, dark: bool = False, width: int = 1280) -> AsyncIterator[Page]:
    """A page of its own, with nothing wrong in it at the end."""
    context = await browser.new_context(
        color_scheme="dark" if dark else "light", viewport={"width": width, "height": 900}
    )
    page = await context.new_page()
    faults = Faults(str(URL(address).origin()))
    faults.watch(page)
    try:
        await page.goto(address)
        yield page
    finally:
        await context.close()
    assert not faults.seen
