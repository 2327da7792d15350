"""The tab Models as somebody sees it: headless Chromium before a real server."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, expect

from tests.browsers import page_of
from tests.conftest import SAMPLE, SECRETS
from tests.films import ffmpeg
from tests.hub_server import HubServer
from tests.servers import Server, running


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few seconds of the sample."""
    target = tmp_path_factory.mktemp("talk") / "talk.mp4"
    ffmpeg("-i", SAMPLE, "-t", "8", "-c", "copy", target)
    return target


@pytest.mark.soak
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


VOICE = "facebook/mms-tts-spa"
PATIENCE = 60.0


@pytest.mark.soak
def test_a_model_is_downloaded_in_sight_cancelled_fetched_again_and_removed_once_that_is_confirmed(
    browser: Browser, tmp_path: Path
) -> None:
    voice, go_on = tmp_path / "voice", threading.Event()
    voice.mkdir()
    for name, size in (("config.json", 100), ("vocab.json", 100), ("model.safetensors", 200_000)):
        (voice / name).write_bytes(b"x" * size)
    tokens: dict[str, tuple[str, ...]] = {SECRETS["HF_TOKEN"]: ()}
    with HubServer({VOICE: voice}, tokens=tokens, on_chunk=lambda _, sent: sent and go_on.wait(PATIENCE)) as hub:
        own = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "0", **SECRETS}
        with running(tmp_path / "server", VT_ENGINES="auto", **own) as server, page_of(browser, server.url) as page:
            expect.set_options(timeout=1000 * PATIENCE)
            page.get_by_role("tab", name="Models").click()
            page.get_by_label("Token").fill(SECRETS["VT_ADMIN_TOKEN"])
            page.keyboard.press("Enter")
            files, downloads, effect = (page.locator(place) for place in ("#vt-files", "#vt-downloading", "#vt-effect"))
            expect(files).to_contain_text("tiny.en")
            assert not files.get_by_role("button").count(), "what set-up has put here is not removed"

            def download() -> None:
                page.click("#vt-wanted input")
                page.keyboard.press("Control+a")
                page.keyboard.type(VOICE)
                page.locator("#vt-wanted [role=option]").filter(has_text=VOICE).first.click()
                page.get_by_role("button", name="Download", exact=True).click()

            download()
            expect(downloads).to_contain_text("mms-tts-spa")
            stop = page.get_by_role("button", name=f"Cancel the download of {VOICE}")
            stop.press("Enter")
            expect(effect).to_contain_text(f"The download was cancelled: {VOICE}.")
            expect(downloads).not_to_contain_text("mms-tts-spa")
            row = files.get_by_role("row").filter(has_text=VOICE)
            expect(row).to_contain_text("half downloaded")
            expect(page.locator("#vt-managed")).to_contain_text("was cancelled by whoever runs this server")
            go_on.set()
            download()
            expect(row).to_contain_text("here")
            asked: list[str] = []
            answers = ["dismiss", "accept"]

            def answer(dialog: Dialog) -> None:
                asked.append(dialog.message)
                getattr(dialog, answers[len(asked) - 1])()

            page.on("dialog", answer)
            remove = row.get_by_role("button", name=f"Remove {VOICE} from the disk")
            remove.press("Enter")
            remove.press("Enter")
            expect(effect).to_contain_text(f"Removed from the disk: {VOICE}.")
            expect(row).to_have_count(0)
            assert [f"Remove {VOICE} from the disk? 0.2 MB come free." in one for one in asked] == [True, True]
            said = page.content()
        assert not any(secret in said for secret in (*SECRETS.values(), str(tmp_path)))
        assert not list((tmp_path / "hub" / "hub").glob("models--*"))
