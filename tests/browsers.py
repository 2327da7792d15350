"""A real browser without a window: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Error, Page, Route, sync_playwright

CHROMIUM = "/usr/bin/chromium"
_FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-gpu"]


# Not for the whole session: while Playwright lives, an event loop counts as running in this thread, and asyncio.run()
# fails.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for all tests of a module; it is there after about a second."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield chromium
        chromium.close()


@contextmanager
def page_of(browser: Browser, url: str) -> Iterator[Page]:
    """Open a page with a profile of its own, and see at its end that no script failed and nobody else was asked."""
    here = urlsplit(url).netloc
    errors: list[Error] = []
    elsewhere: list[str] = []

    def pass_on(route: Route) -> None:
        asked = urlsplit(route.request.url)
        if asked.scheme in ("http", "https") and asked.netloc != here:
            elsewhere.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        context.route("**/*", pass_on)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(error))  # noqa: PLW0108 (it marks what it is given)
        page.goto(url)
        yield page
    assert (errors, elsewhere) == ([], [])
