"""What axe-core finds on a page: what those who do not see it, or use no mouse, would miss."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from playwright.sync_api import Page

Look = tuple[str, int, int]
"""A theme, and the width and height of a window."""
WIDE, NARROW = (1280, 900), (390, 844)
_FIND = """async () => {
  const told = node => `${node.target.join(' ')} (${node.any[0]?.message})`;
  const {violations} = await axe.run(document, {resultTypes: ['violations']});
  return violations.map(one => `${one.id}: ${one.nodes.slice(0, 5).map(told).join('; ')}`);
}"""


def findings(page: Page, view: str, looks: Sequence[Look]) -> list[str]:
    """Return what axe-core finds on a page as it stands, each with the view and how it was looked at."""
    if not page.evaluate("window.axe !== undefined"):
        page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = []
    for theme, width, height in looks:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce")
        page.evaluate("dark => document.body.classList.toggle('dark', dark)", theme == "dark")  # as Gradio does
        page.evaluate("() => Promise.all(document.getAnimations().map(one => one.finished.catch(() => null)))")
        found += [f"{view}, {theme}, {width} wide: {one}" for one in page.evaluate(_FIND)]
    page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    return found
