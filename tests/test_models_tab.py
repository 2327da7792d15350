"""The tab Models as somebody sees it: headless Chromium before a real server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browsers import page_of
from tests.conftest import SAMPLE
from tests.films import ffmpeg
from tests.servers import Server


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few seconds of the sample."""
    target = tmp_path_factory.mktemp("talk") / "talk.mp4"
    ffmpeg("-i", SAMPLE, "-t", "8", "-c", "copy", target)
    return target


def test_the_model_that_was_just_used_is_in_the_table_and_goes_when_it_is_unloaded(
    server: Server, browser: Browser, talk: Path
) -> None:
    server.json("DELETE", "/api/v1/models/cache")
    with page_of(browser, server.url) as page:
        page.get_by_role("tab", name="Models").click()
        table = page.locator("#vt-models")
        expect(page.locator(".vt-memory")).to_contain_text("MB for models")
        expect(table).not_to_contain_text("whisper")
        assert server.ended(server.submit(talk, target_language="es"))["state"] == "done"
        (key,) = filter(re.compile("stt_").match, server.keys())
        row = table.get_by_role("row").filter(has_text=key)
        expect(row).to_be_visible()
        expect(row).to_contain_text("ready")
        expect(page.get_by_label("Model", exact=True)).to_have_value(key)
        page.get_by_role("button", name="Unload this model").click()
        expect(page.locator("#vt-effect")).to_contain_text(f"Unloaded: {key}.")
        expect(table).not_to_contain_text(key)
        expect(page.get_by_label("Model", exact=True)).not_to_have_value(key)
    kept = server.keys()
    assert key not in kept
