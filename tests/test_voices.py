"""Voices and engines by name, over HTTP, for gradio_client and on the command line: one server, real speech."""

from __future__ import annotations

import io
import json
import wave
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.conftest import SAMPLE, vt
from tests.films import ffmpeg
from tests.servers import Server, running
from tests.test_factory import settings
from vt.api import make_api
from vt.factory import AIServiceFactory
from vt.services import Services

VOICES = "/api/v1/voices"
VOICE = {"id", "language", "name", "gender", "engine", "licence"}
ESPEAK = {"language": "es", "name": "Spanish", "gender": "", "engine": "espeak-ng", "licence": "GPL-3.0-or-later"}
ASKED = {"voice": "espeak-ng-es", "tts_engine": "espeak-ng", "translation_engine": "apertium"}


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    film = tmp_path_factory.mktemp("films") / "talk.mp4"
    ffmpeg("-i", SAMPLE, "-t", "8", "-c", "copy", film)
    return film


def refused(answer: Any, status: int) -> str:  # noqa: ANN401 (of httpx, or of what Starlette's client is made of)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    return str(answer.json()["detail"])


def test_voices_are_listed_with_language_gender_engine_and_licence(server: Server) -> None:
    found = server.json("GET", VOICES)
    assert set(found) == {"voices"}
    assert all(set(voice) == VOICE for voice in found["voices"])
    ids = [voice["id"] for voice in found["voices"]]
    assert len(ids) == len(set(ids)) > 100
    spanish = [voice for voice in found["voices"] if voice["language"] == "es"]
    for named in ("es", "Spanish", "español", "spa"):
        assert server.json("GET", f"{VOICES}?language={named}")["voices"] == spanish
    assert server.json("GET", f"{VOICES}?language=gl")["voices"] == []
    assert "Did you mean es (Spanish)" in refused(server.ask("GET", f"{VOICES}?language=spansh"), 422)


def test_a_voice_is_heard_as_a_wav_file_and_again_while_others_speak(server: Server) -> None:
    answer = server.ask("GET", f"{VOICES}/espeak-ng-es/sample").raise_for_status()
    assert answer.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(answer.content)) as file:
        assert 1 < file.getnframes() / file.getframerate() < 10
    assert server.ask("GET", f"{VOICES}/espeak-ng-es/sample").content == answer.content


def test_a_voice_that_there_is_not_is_not_found_and_the_nearest_are_named(server: Server) -> None:
    assert "Near are: espeak-ng-es" in refused(server.ask("GET", f"{VOICES}/espeak-es/sample"), 404)
    refused(server.ask("GET", f"{VOICES}/{'x' * 201}/sample"), 422)
    refused(server.ask("GET", f"{VOICES}/%00%0a/sample"), 404)


@pytest.mark.soak
def test_a_voice_whose_model_is_not_here_is_not_fetched_for_a_stranger(tmp_path: Path) -> None:
    away = {"VT_ENGINES": "auto", "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hub")}
    with running(tmp_path / "server", **away) as server:
        assert "mms-tts-spa" in {voice["id"] for voice in server.json("GET", f"{VOICES}?language=es")["voices"]}
        answer = server.ask("GET", f"{VOICES}/mms-tts-spa/sample")
    assert "its model has not been downloaded here" in refused(answer, 503)
    assert not list((tmp_path / "hub").rglob("*.safetensors"))


def test_who_has_as_many_voices_speak_as_one_may_waits_for_more_and_hears_what_was_spoken() -> None:
    chosen = settings()
    with closing(AIServiceFactory(chosen)) as factory:
        services = Services(chosen, factory)
        client, address = TestClient(make_api(services)), "testclient"
        assert client.get(f"{VOICES}/espeak-ng-es/sample").status_code == 200
        with ExitStack() as speaking:
            for _ in range(4):
                speaking.enter_context(services.listeners.held(address))
            answer = client.get(f"{VOICES}/espeak-ng-fr/sample")
            told = refused(answer, 429)
            assert "Too many samples of voices at a time" in told
            assert services.samples.refusal(told)
            assert client.get(f"{VOICES}/espeak-ng-es/sample").status_code == 200
        assert client.get(f"{VOICES}/espeak-ng-fr/sample").status_code == 200


def test_no_sentence_of_the_service_tells_where_its_models_lie(tmp_path: Path) -> None:
    chosen = settings(whisper_model=str(tmp_path / "whisper"), data_dir=tmp_path, fallback=False, preload_models=False)
    with closing(AIServiceFactory(chosen)) as factory:
        services = Services(chosen, factory)
        services.preload()
        client = TestClient(make_api(services))
        assert factory.wait_for_preload(180)
        told = [client.get("/health").json(), client.get("/ready").json()]
        (failed,) = (model for model in told[1]["models"] if model["state"] == "failed")
        assert failed["why"].startswith("The folder whisper of the Whisper model is not there.")
        assert any("The folder whisper of the Whisper model" in note for note in told[0]["notes"])
        assert str(tmp_path) not in json.dumps(told)
        assert str(tmp_path) in " ".join(factory.notes())


@pytest.mark.soak
def test_a_job_is_served_by_whom_it_names_and_shows_that(server: Server, talk: Path) -> None:
    job = server.submit(talk, target_language="es", **ASKED)
    assert server.ended(job)["request"]["options"] == ASKED
    engines = server.json("GET", f"/api/v1/jobs/{job}/report")["engines"]
    assert (engines["tts"]["engine"], engines["translation"]["engine"]) == ("espeak-ng", "apertium")
    form = {"from_job": (None, job), "target_language": (None, "fr")}
    again = server.json("POST", "/api/v1/jobs", files=form)
    assert again["request"]["options"] == {name: ASKED[name] for name in ("tts_engine", "translation_engine")}
    server.ask("DELETE", f"/api/v1/jobs/{again['id']}")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"voice": "espeak-es"}, "No voice goes by the name 'espeak-es' here. Near are: espeak-ng-es"),
        ({"voice": "espeak-ng-fr"}, "The voice espeak-ng-fr speaks French, not Spanish. Voices for Spanish: "),
        ({"voice": "v" * 9000}, "voice has to be a name of at most 200 characters"),
        ({"tts_engine": "festival"}, "no engine goes by the name 'festival': use auto, "),
        ({"translation_engine": "babelfish"}, "no engine goes by the name 'babelfish': use auto, "),
        ({"voice": "espeak-ng-es", "tts_engine": "mms"}, "name only one of them"),
    ],
)
def test_who_is_not_there_is_refused_before_the_job_is_taken(
    server: Server, talk: Path, fields: dict[str, str], said: str
) -> None:
    before = set((server.folder / "data" / "jobs").iterdir())
    with talk.open("rb") as film:
        form = {"target_language": "es", **fields}
        answer = server.ask("POST", "/api/v1/jobs", files={"file": ("talk.mp4", film)}, data=form)
    assert said in refused(answer, 422)
    assert set((server.folder / "data" / "jobs").iterdir()) <= before


# The command line


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.soak
def test_a_film_is_dubbed_by_the_voice_that_the_command_line_names(talk: Path, tmp_path: Path) -> None:
    options = ["--voice", "espeak-ng-es", "--tts-engine", "espeak-ng", "--translation-engine", "apertium"]
    done = vt("translate", talk, "--to", "es", *options, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads((tmp_path / "out" / "talk.es.report.json").read_text(encoding="utf-8"))
    assert report["engines"]["tts"]["engine"] == "espeak-ng"
    for option, said in (("--voice", "Near are: espeak-ng-es"), ("--tts-engine", "use auto, ")):
        refusal = vt("translate", talk, "--to", "es", option, "espeak-es", cwd=tmp_path)
        assert (refusal.returncode, said in refusal.stderr, refusal.stderr.count("\n")) == (2, True, 1)


def test_the_command_line_lists_voices_and_languages_for_people_and_for_programs(tmp_path: Path) -> None:
    listed = vt("voices", "Spanish", "--json", cwd=tmp_path)
    assert {"id": "espeak-ng-es", **ESPEAK} in rows(listed.stdout)
    assert {row["language"] for row in rows(listed.stdout)} == {"es"}
    assert "espeak-ng-es  es" in vt("voices", "es", cwd=tmp_path).stdout
    assert vt("voices", "gl", cwd=tmp_path).stdout == "No voice speaks that here.\n"
    assert (vt("voices", "gl", "--json", cwd=tmp_path).stdout, vt("voices", "spansh", cwd=tmp_path).returncode) == (
        "",
        2,
    )
    table, served = vt("languages", cwd=tmp_path), rows(vt("languages", "--json", cwd=tmp_path).stdout)
    assert next(row for row in served if row["code"] == "es")["speak"][-1] == "espeak-ng"
    assert len(table.stdout.splitlines()) == len(served) + 1


@pytest.mark.soak
def test_what_trade_may_not_use_is_said_to_be_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    trade = {"VT_LICENCES": "commercial", "VT_ENGINES": "auto", "HF_HUB_OFFLINE": "1"}
    for command in ("voices", "languages", "doctor"):
        said = vt(command, cwd=tmp_path, **trade).stdout
        assert "VT_LICENCES=commercial leaves out nllb" in said, command
        assert "mms-tts" not in said
    assert "mms-tts-spa" in vt("voices", "es", cwd=tmp_path, VT_ENGINES="auto", HF_HUB_OFFLINE="1").stdout
