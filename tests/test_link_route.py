"""The route for films by link, without a server: how many come at once, and what ends them."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from vt.domain import Cancel
from vt.errors import StorageError
from vt.factory import AIServiceFactory
from vt.services import Services
from vt.settings import Settings
from vt.ui.gateway.links import LinkRoute, Obtain

PATH = "/films/link"


def told(answer: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.raise_for_status().text.splitlines()]


def without_free(sentence: str) -> str:
    """Return a refusal without how much room there is: that is another a moment later."""
    return re.sub(r"\d+ MB are free", "", sentence)


@contextmanager
def services(folder: Path, **more: Any) -> Iterator[Services]:  # noqa: ANN401 (of the settings)
    chosen = Settings(data_dir=folder / "data", preload_models=False, engines="embedded", **more)
    with closing(Services(chosen, AIServiceFactory(chosen))) as made:
        yield made


async def asked(served: Services, obtain: Obtain, count: int) -> list[httpx.Response]:
    """Ask for so many films at once, each from an address of its own, and return the answers."""
    app = FastAPI()
    app.router.routes.append(LinkRoute(served, obtain).route())

    async def ask(number: int) -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(f"192.0.2.{number}", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.post(PATH, json={"link": "https://films.example/a"})

    return await asyncio.gather(*map(ask, range(count)))


def test_only_a_few_films_come_at_once_whoever_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    all_here = threading.Barrier(4)

    def obtain(link: str, folder: Path, *_: object) -> tuple[Path, str]:
        all_here.wait(60)
        (folder / "film").write_text(link)
        return folder / "film", "film.mp4"

    with services(tmp_path) as served:
        answers = asyncio.run(asked(served, obtain, 6))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 429, 429]
    paths = [Path(told(answer)[-1]["path"]) for answer in answers if answer.status_code == 200]
    assert {path.read_text() for path in paths} == {"https://films.example/a"}
    assert {path.parent for path in paths} == set((tmp_path / "uploads").iterdir())


def test_a_disk_that_fills_up_meanwhile_ends_the_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))

    def obtain(_: str, folder: Path, __: object, cancel: Cancel, on_bytes: Any) -> tuple[Path, str]:  # noqa: ANN401
        (folder / "film").write_bytes(b"film")
        on_bytes(4, 2**60)
        raise AssertionError(f"it went on, and {cancel.is_set}")

    with services(tmp_path) as served:
        (answer,) = asyncio.run(asked(served, obtain, 1))
        with pytest.raises(StorageError) as full:
            served.jobs.check_reserve(tmp_path, 2**60)
    assert told(answer)[-1] == {"refused": str(full.value)}
    assert list((tmp_path / "uploads").iterdir()) == []


@pytest.mark.parametrize("is_wanted", [True, False])
def test_where_yt_dlp_is_missing_the_page_takes_no_links_and_the_log_says_so_once(
    is_wanted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    with caplog.at_level(logging.WARNING), services(tmp_path, links=is_wanted) as served:
        served.begin()
    assert not served.takes_links
    assert [record.message.count("yt-dlp is not here") for record in caplog.records] == [1] * is_wanted
