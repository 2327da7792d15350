"""Whisper, NLLB and MMS from folders and from a hub: tiny models in the real formats through the whole pipeline."""

from __future__ import annotations

import json
import re
import socket
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SAMPLE, vt
from tests.films import ffmpeg
from tests.hub_server import HubServer
from tests.servers import Server, free_port, running, wait_for
from tests.test_factory import settings
from tests.tiny_models import tiny_nllb, tiny_whisper
from tests.tiny_voices import tiny_vits
from vt import languages
from vt.domain import Cancel
from vt.errors import Cancelled, ModelUnavailable, UnknownModel
from vt.factory import AIServiceFactory
from vt.model_files.download import Source
from vt.model_files.hub import Hub
from vt.models.catalogue import Catalogue
from vt.services import Services

PATIENCE, AT_ONCE = 60.0, 15.0


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny model of each kind, each in a folder as the hub gives it."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("whisper", "nllb", "mms")}
    tiny_whisper(folders["whisper"])
    tiny_nllb(folders["nllb"])
    tiny_vits(folders["mms"])
    return folders


@pytest.fixture(scope="module")
def dub(models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any], Path]:
    """The sample's beginning, dubbed by the three of them without a network: what was said, the report, and where."""
    folder = tmp_path_factory.mktemp("dub")
    film = folder / SAMPLE.name
    ffmpeg("-t", "10", "-i", SAMPLE, "-c", "copy", film)
    own = {f"VT_{name.upper()}_MODEL": str(path) for name, path in models.items()}
    own |= {"VT_TRANSLATION_ENGINE": "nllb", "VT_TTS_ENGINE": "mms"}
    done = vt("translate", film, "--to", "es", cwd=folder, VT_DATA_DIR=str(folder / "data"), **own)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads((folder / "out" / f"{SAMPLE.stem}.es.report.json").read_text(encoding="utf-8"))
    return done.stdout, report, folder


def test_the_three_engines_dub_a_film_from_folders_and_the_report_says_so(
    dub: tuple[str, dict[str, Any], Path],
) -> None:
    _, report, _ = dub
    engines = report["engines"]
    assert [engines[stage]["engine"] for stage in ("stt", "translation", "tts")] == ["whisper", "nllb", "mms"]
    assert all(engine["fallback_reason"] is None for engine in engines.values())
    assert report["segments"]


def test_the_language_is_detected_and_told_with_its_probability(dub: tuple[str, dict[str, Any], Path]) -> None:
    said, report, _ = dub
    assert (report["source"]["language"], report["source"]["language_detected"]) == ("en", True)
    assert "The film speaks English, as far as was heard (probability" in said


def test_licences_that_forbid_commercial_use_are_told(dub: tuple[str, dict[str, Any], Path]) -> None:
    said, report, _ = dub
    assert sum("CC-BY-NC-4.0" in note for note in report["notes"]) == 2
    assert said.count("CC-BY-NC-4.0") == 2


def test_the_conversion_is_told_and_kept_in_the_data_folder(dub: tuple[str, dict[str, Any], Path]) -> None:
    said, _, folder = dub
    assert "Converting nllb" in said
    assert [path.name for path in (folder / "data" / "models").glob("nllb*")]


@pytest.mark.soak
def test_models_of_a_hub_are_fetched_converted_kept_and_used(models: dict[str, Path], tmp_path: Path) -> None:
    repositories = {
        "Systran/faster-whisper-tiny": models["whisper"],
        "facebook/nllb-200-distilled-600M": models["nllb"],
        "facebook/mms-tts-spa": models["mms"],
    }
    told: list[str] = []
    with HubServer(repositories) as hub:
        factory = _factory(tmp_path, hub.endpoint)
        factory.tell(told.append)
        names = ["tiny", "facebook/nllb-200-distilled-600M", "facebook/mms-tts-spa"]
        keys = factory.fetch(names)
        assert keys == (
            "stt_whisper_tiny_cpu_2_false",
            "translation_nllb_nllb-200-distilled-600M_cpu_2_false",
            "tts_mms_mms-tts-spa_cpu_2_false",
        )
        asked = len(hub.requests)
    assert sum(sentence.startswith("Downloading the model") for sentence in told) == 3
    translator = factory.get_translation_service("en", "es", "facebook/nllb-200-distilled-600M")
    assert list(translator.translate(["A man.", "", "Two men."], Cancel()))[1] == ""
    assert factory.get_tts_service("es").choice.info.name == "mms"
    assert factory.get_stt_service("fr", "tiny").choice.fallback_reason is None
    assert len(hub.requests) == asked
    factory.close()


def test_whoever_cancels_a_download_is_free_at_once_and_others_go_on_with_it(
    models: dict[str, Path], tmp_path: Path
) -> None:
    going, line_is_free = threading.Event(), threading.Event()

    def slow_line(_name: str, _sent: int) -> None:
        going.set()
        line_is_free.wait(PATIENCE)

    first, outcomes = Cancel(), dict[str, object]()
    with HubServer({"facebook/mms-tts-spa": models["mms"]}) as hub:
        hub.on_chunk = slow_line
        catalogue = _catalogue(tmp_path, hub.endpoint)
        factory = AIServiceFactory(catalogue.settings, catalogue=catalogue)

        def ask(name: str, cancel: Cancel) -> None:
            try:
                outcomes[name] = factory.tts_service(languages.SPANISH, cancel=cancel).choice.info.name
            except Cancelled as error:
                outcomes[name] = error

        crew = [
            threading.Thread(target=ask, args=(name, cancel)) for name, cancel in (("first", first), ("next", Cancel()))
        ]
        crew[0].start()
        assert going.wait(PATIENCE)
        crew[1].start()
        wait_for(lambda: catalogue.preparations.waiting("mms-tts-spa") == 2)
        assert "mms-tts-spa" in str(factory.news())
        assert factory.news() in factory.notes()
        assert str(tmp_path) in str(factory.news())
        assert not any(str(tmp_path) in note for note in Services(settings(), factory).health()["notes"])
        first.set()
        crew[0].join(AT_ONCE)
        assert isinstance(outcomes["first"], Cancelled)
        line_is_free.set()
        crew[1].join(PATIENCE)
        assert factory.news() is None
        factory.close()
        assert len(hub.asked("/revision/main")) == len(hub.asked("/store/")) == 1
    assert outcomes["next"] == "mms"


def test_whoever_cancels_is_free_at_once_of_a_hub_that_says_nothing_at_all(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        factory = _factory(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}", Hub(lambda: True))
        cancel, outcomes = Cancel(), list[object]()

        def ask() -> None:
            try:
                factory.tts_service(languages.SPANISH, cancel=cancel)
            except Cancelled as error:
                outcomes.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        line, _ = silent.accept()
        cancel.set()
        thread.join(AT_ONCE)
        assert len(outcomes) == 1
        line.close()
        factory.close()


@pytest.mark.soak
def test_a_server_says_in_its_log_what_it_downloads_how_large_it_is_and_how_to_avoid_it(
    models: dict[str, Path], tmp_path: Path
) -> None:
    repositories = {
        "Systran/faster-whisper-small": models["whisper"],
        "facebook/nllb-200-distilled-600M": models["nllb"],
        "facebook/mms-tts-spa": models["mms"],
    }
    own = {"VT_WHISPER_MODEL": "small", "VT_NLLB_MODEL": "facebook/nllb-200-distilled-600M", "LOG_LEVEL": "WARNING"}
    with HubServer(repositories) as hub, _server(tmp_path, hub.endpoint, PORT=str(free_port()), **own) as server:
        assert [model["state"] for model in server.preloaded()] == ["ready"] * 3
        health = server.json("GET", "/health")
        assert (health["status"], health["notes"]) == ("healthy", [])
        lines = server.log.splitlines()
    for name in repositories:
        (line,) = (line for line in lines if f"Downloading the model {name} " in line)
        assert re.search(r": \d[\d.]* MB, into .* set VT_ENGINES=embedded, or run `vt fetch` ahead", line)


@pytest.mark.soak
def test_a_server_whose_models_cannot_be_had_is_degraded_and_says_what_stands_in(tmp_path: Path) -> None:
    with HubServer({}) as hub, _server(tmp_path, hub.endpoint) as server:
        assert [model["state"] for model in server.preloaded()] == ["ready"] * 3
        answer = server.ask("GET", "/health")
        health = answer.json()
        assert (answer.status_code, health["status"]) == (200, "degraded")
        assert health["ai_service_factory"]["status"] == "degraded"
        for name in ("faster-whisper-medium", "nllb-200-1.3B", "mms-tts-spa"):
            assert any(name in note for note in health["notes"]), name
        assert server.ask("GET", "/ready").status_code == 200


@pytest.mark.soak
def test_a_server_whose_preload_failed_is_degraded_and_says_why(tmp_path: Path) -> None:
    own = {"VT_ENGINES": "embedded", "VT_FALLBACK": "false", "VT_MMS_MODEL": "/no/voice"}
    with _server(tmp_path, "http://127.0.0.1:9", **own) as server:
        assert [model["state"] for model in server.preloaded()] == ["ready", "ready", "failed"]
        answer = server.ask("GET", "/health")
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert any("/no/voice" in note for note in answer.json()["notes"])


@pytest.mark.soak
def test_an_embedded_server_that_has_preloaded_is_healthy(tmp_path: Path) -> None:
    with _server(tmp_path, "http://127.0.0.1:9", VT_ENGINES="embedded", VT_TTS_ENGINE="auto") as server:
        assert [model["state"] for model in server.preloaded()] == ["ready"] * 3
        health = server.json("GET", "/health")
        assert (health["status"], health["notes"]) == ("healthy", [])


def test_a_language_without_an_mms_voice_is_spoken_by_the_next_which_stands_in_for_nobody(tmp_path: Path) -> None:
    with HubServer({}) as hub:
        factory = _factory(tmp_path, hub.endpoint)
        choice = factory.tts_service(languages.get("ja"), engine="auto").choice
        assert choice.info.name == "espeak-ng"
        assert choice.fallback_reason is None
        factory.close()


def test_what_the_hub_does_not_have_is_an_error_that_names_it(tmp_path: Path) -> None:
    with HubServer({}) as hub:
        factory = _factory(tmp_path, hub.endpoint)
        with pytest.raises(ModelUnavailable, match=r"facebook/nllb-200-1\.3B"):
            factory.fetch(["facebook/nllb-200-1.3B"])
        with pytest.raises(UnknownModel, match="No model goes by the name 'someone/else' here"):
            factory.fetch(["someone/else"])
        factory.close()


def test_every_language_says_which_engines_serve_it_without_torch_being_asked() -> None:
    offers = {offer.language.code: offer for offer in Catalogue(settings(engines="auto")).offers(reachable=True)}
    swahili, spanish = offers["sw"], offers["es"]
    assert (swahili.hear, swahili.translate_to, swahili.speak) == (("whisper",), ("nllb",), ("mms", "espeak-ng"))
    assert spanish.translate_to == ("nllb", "apertium")
    assert spanish.speak == ("kokoro", "mms", "espeak-ng")
    here = {offer.language.code: offer for offer in Catalogue(settings()).offers(reachable=False)}
    assert (here["sw"].hear, here["sw"].translate_to, here["sw"].speak) == (("whisper",), (), ("espeak-ng",))


def _factory(folder: Path, endpoint: str, hub: Hub | None = None) -> AIServiceFactory:
    catalogue = _catalogue(folder, endpoint)
    return AIServiceFactory(catalogue.settings, catalogue=catalogue, hub=hub)


def _catalogue(folder: Path, endpoint: str) -> Catalogue:
    known = settings(
        engines="auto", hub_endpoint=endpoint, data_dir=folder / "data", whisper_model="tiny.en",
        translation_engine="nllb", tts_engine="mms",
    )  # fmt: skip
    return Catalogue(known, source=Source(endpoint, folder=folder / "hub", tries=1))


def _server(folder: Path, endpoint: str, **settings: str) -> AbstractContextManager[Server]:
    """Run a server that may download, and preloads."""
    hub = {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "hub"), "HF_HUB_OFFLINE": "0"}
    own = {"VT_ENGINES": "auto", "PRELOAD_MODELS": "true", "VT_TTS_ENGINE": "mms", **hub}
    return running(folder, **{**own, **settings})
