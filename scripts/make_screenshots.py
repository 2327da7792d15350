"""Take the screenshots of the README: a real server, a real browser, and the sample dubbed into Spanish."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from tests.browsers import CHROMIUM
from tests.servers import running

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
DESKTOP, PHONE = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=844)
_SETTLED_MS = 800.0
_SEEN = """async () => {
  for (const film of document.querySelectorAll('video')) {
    film.muted = true;
    await film.play();
    film.pause();
    film.currentTime = 4;
    await new Promise(done => film.addEventListener('seeked', done, {once: true}));
  }
}"""
"""Stops every player at a moment at which somebody speaks."""


def take(page: Page, name: str) -> None:
    """Keep what the page shows now."""
    page.evaluate("scrollTo(0, 0)")
    page.evaluate(_SEEN)
    page.wait_for_timeout(_SETTLED_MS)
    page.screenshot(path=DOCS / f"{name}.png")


def desktop(browser: Browser, url: str) -> Any:  # noqa: ANN401 (what a browser keeps)
    """Take the way from a film to its dub, and return what the browser remembers of it."""
    page = browser.new_page(viewport=DESKTOP)
    page.goto(url)
    page.click("#vt-sample")
    page.wait_for_selector(".vt-facts video")
    take(page, "upload")
    page.click("#vt-go:enabled")
    page.click("#vt-start")
    page.wait_for_selector(".vt-lines [data-save]:not([data-busy])")
    take(page, "translate")
    page.get_by_role("tab", name="Models").click()
    page.wait_for_function("() => document.querySelector('#vt-models')?.textContent.includes('stt_')")
    take(page, "models")
    return page.context.storage_state()


def phone(browser: Browser, url: str, memory: Any) -> None:  # noqa: ANN401
    """Take the same at night, on a phone, by somebody who comes back."""
    page = browser.new_page(viewport=PHONE, color_scheme="dark", storage_state=memory, device_scale_factor=1)
    page.goto(url)
    page.wait_for_selector(".vt-lines")
    take(page, "phone-translate")
    page.evaluate("document.querySelector('.vt-chart').scrollIntoView()")
    page.wait_for_timeout(_SETTLED_MS)
    page.screenshot(path=DOCS / "phone-lines.png")
    page.get_by_role("tab").first.click()
    take(page, "phone-upload")


def main() -> int:
    """Take them all."""
    DOCS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        phone(browser, server.url, desktop(browser, server.url))
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
