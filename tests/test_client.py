"""The endpoints of gradio_client against a real server, on real speech."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file

from tests.conftest import SAMPLE, TRANSCRIPT
from tests.films import AAC, H264, PICTURE, SOUND, ffmpeg
from tests.servers import Server, wait_for


@pytest.fixture(scope="module")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client that keeps what it downloads in a folder of its own."""
    found = Client(server.url, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))
    yield found
    found.close()


def jobs(server: Server) -> set[str]:
    return {path.name for path in (server.folder / "data" / "jobs").iterdir()}


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def test_the_sample_is_translated_with_progress_on_the_way_and_nothing_is_left(client: Client, server: Server) -> None:
    before = jobs(server)
    wished = {"voice": "espeak-ng-es", "translation_engine": "apertium"}
    job = client.submit(handle_file(SAMPLE), "es", **wished, api_name="/translate")
    film, subtitles, report = job.result(timeout=180)
    assert report["engines"]["tts"]["engine"] == "espeak-ng"
    assert Path(film).name == "sense_and_sensibility.es.mp4"
    assert [Path(path).suffix for path in subtitles] == [".srt", ".vtt", ".srt", ".vtt"]
    assert all(Path(path).stat().st_size for path in (film, *subtitles))
    assert (report["target_language"], len(report["segments"])) == ("es", 5)
    told = {said for said, *_ in job.outputs()[:-1]}
    assert all(re.fullmatch(r"[\w ]+: \d+ %", said) for said in told)
    assert any(said.startswith("Listening") for said in told) or any(said.startswith("Speaking") for said in told)
    wait_for(lambda: jobs(server) <= before)


def test_a_subtitle_track_of_the_film_may_stand_in_place_of_listening(client: Client, tmp_path: Path) -> None:
    (tmp_path / "es.srt").write_text("1\n00:00:00,200 --> 00:00:01,500\nLa casa de mi amigo es grande.\n")
    film, tagged = tmp_path / "talk.mkv", ["-c:s", "srt", "-metadata:s:s:0", "language=spa"]
    maps = ["-map", "0", "-map", "1", "-map", "2"]
    ffmpeg(*PICTURE, *SOUND, "-i", tmp_path / "es.srt", *maps, *H264, *AAC, *tagged, film)
    report = client.predict(handle_file(film), "en", subtitles="track:1", api_name="/translate")[2]
    assert (report["engines"]["stt"], report["source"]["language"]) == (None, "es")
    with pytest.raises(Exception, match=r"^talk\.mkv has no subtitle track 2: those that hold text are track:1"):
        client.predict(handle_file(film), "en", subtitles="track:2", api_name="/translate")


def test_the_sample_is_transcribed_and_nothing_more(client: Client) -> None:
    text, subtitles = client.predict(handle_file(SAMPLE), api_name="/transcribe")
    said, heard = words(TRANSCRIPT.read_text(encoding="utf-8")), words(text)
    assert len(set(said) ^ set(heard)) <= 4
    assert [Path(path).name for path in subtitles] == ["sense_and_sensibility.en.srt", "sense_and_sensibility.en.vtt"]
    assert "-->" in Path(subtitles[0]).read_text(encoding="utf-8")


def test_a_call_that_is_cancelled_takes_its_job_along(client: Client, server: Server) -> None:
    before = jobs(server)
    job = client.submit(handle_file(SAMPLE), "fr", api_name="/translate")
    wait_for(job.outputs)
    wait_for(lambda: jobs(server) - before)
    job.cancel()
    wait_for(lambda: jobs(server) <= before)
    assert not job.outputs()[-1][2]


def test_a_call_whose_client_vanishes_takes_its_job_along_while_that_waits(server: Server, tmp_path: Path) -> None:
    long = tmp_path / "long.m4a"
    ffmpeg("-stream_loop", "39", "-i", SAMPLE, "-vn", "-c:a", "copy", long)
    first, before = server.submit(long, target_language="es"), jobs(server)
    with httpx.Client(base_url=f"{server.url}/gradio_api", timeout=60) as vanishing:
        with SAMPLE.open("rb") as film:
            (path,) = vanishing.post("/upload", files={"files": ("talk.mp4", film)}).raise_for_status().json()
        data = [{"path": path, "meta": {"_type": "gradio.FileData"}}, "auto", None]
        called = vanishing.post("/call/transcribe", json={"data": data}).raise_for_status().json()
        with vanishing.stream("GET", f"/call/transcribe/{called['event_id']}") as told:
            assert any("Waiting for its turn" in line for line in told.iter_lines())
            (waiting,) = jobs(server) - before
    wait_for(lambda: waiting not in jobs(server))
    assert server.json("GET", f"/api/v1/jobs/{first}")["state"] == "running"
    server.ask("DELETE", f"/api/v1/jobs/{first}").raise_for_status()


def test_what_cannot_be_done_is_said_in_a_sentence(client: Client, tmp_path: Path) -> None:
    notes = tmp_path / "notes.mp4"
    notes.write_text("this is no film")
    with pytest.raises(Exception, match=r"^notes\.mp4 is not a video or audio file"):
        client.predict(handle_file(notes), "es", api_name="/translate")
    with pytest.raises(Exception, match=r"^No voice goes by the name 'espeak-es' here\. Near are: espeak-ng-es"):
        client.predict(handle_file(SAMPLE), "es", voice="espeak-es", api_name="/translate")
    with pytest.raises(Exception, match=r"^Unknown language \"xx\""):
        client.predict(handle_file(SAMPLE), "xx", api_name="/translate")


def test_the_endpoints_are_described_with_names_types_and_examples(client: Client) -> None:
    described = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(described) == {
        "/translate", "/transcribe", "/languages", "/voices", "/models", "/preload", "/clear_cache", "/health",
    }  # fmt: skip
    given = {row["parameter_name"]: row for row in described["/translate"]["parameters"]}
    wishes = ["voice", "tts_engine", "translation_engine"]
    assert list(given) == [
        "video",
        "target_language",
        "source_language",
        "subtitles",
        "audio_track",
        *wishes,
        "speakers",
        "mark_speakers",
        "background",
        "literal",
        "burn",
    ]
    assert [given[name]["parameter_default"] for name in (*wishes, "speakers")] == ["", "", "", "auto"]
    assert given["mark_speakers"]["parameter_default"] is False
    assert (given["target_language"]["python_type"]["type"], given["target_language"]["example_input"]) == ("str", "es")
    assert given["source_language"]["parameter_default"] == "auto"
    assert [row["label"] for row in described["/translate"]["returns"]] == ["video", "subtitles", "report"]


def test_models_are_listed_and_cleared(client: Client, server: Server) -> None:
    key = server.warm()
    listed = client.predict(api_name="/models")["model_cache"]["models"]
    assert key in {model["cache_key"] for model in listed}
    assert key in client.predict(api_name="/clear_cache")["freed"]
    assert "espeak-ng-es" in {voice["id"] for voice in client.predict("es", api_name="/voices")}
    assert "es" in {row["code"] for row in client.predict(api_name="/languages") if row["speak"]}
