"""The endpoints of gradio_client against a real server, on real speech."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file

from tests.conftest import SAMPLE, TRANSCRIPT
from tests.films import AAC, H264, PICTURE, SOUND, ffmpeg, film
from tests.servers import Server, wait_for
from vt.model_files import bundle


@pytest.fixture(scope="module")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client that keeps what it downloads in a folder of its own."""
    found = Client(server.url, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))
    yield found
    found.close()


def jobs(server: Server) -> set[str]:
    return {path.name for path in (server.folder / "data" / "jobs").iterdir()}


def long_sound(folder: Path) -> Path:
    """Make speech of 20 minutes."""
    ffmpeg("-stream_loop", "39", "-i", SAMPLE, "-vn", "-c:a", "copy", folder / "long.m4a")
    return folder / "long.m4a"


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def test_the_sample_is_translated_with_progress_on_the_way_and_nothing_is_left(client: Client, server: Server) -> None:
    before = jobs(server)
    wished = {"voice": "espeak-ng-es", "translation_engine": "apertium"}
    job = client.submit(handle_file(SAMPLE), "es", **wished, api_name="/translate")
    dub, subtitles, report = job.result(timeout=180)
    assert report["engines"]["tts"]["engine"] == "espeak-ng"
    assert Path(dub).name == "sense_and_sensibility.es.mp4"
    assert [Path(path).suffix for path in subtitles] == [".srt", ".vtt", ".srt", ".vtt"]
    assert all(Path(path).stat().st_size for path in (dub, *subtitles))
    assert (report["target_language"], len(report["segments"])) == ("es", 5)
    told = {said for said, *_ in job.outputs()[:-1]}
    assert all(re.fullmatch(r"[\w ]+: \d+ %", said) for said in told)
    assert any(said.startswith("Listening") for said in told) or any(said.startswith("Speaking") for said in told)
    wait_for(lambda: jobs(server) <= before)


@pytest.mark.soak
def test_a_subtitle_track_of_the_film_may_stand_in_place_of_listening(client: Client, tmp_path: Path) -> None:
    (tmp_path / "es.srt").write_text("1\n00:00:00,200 --> 00:00:01,500\nLa casa de mi amigo es grande.\n")
    talk, tagged = tmp_path / "talk.mkv", ["-c:s", "srt", "-metadata:s:s:0", "language=spa"]
    maps = ["-map", "0", "-map", "1", "-map", "2"]
    ffmpeg(*PICTURE, *SOUND, "-i", tmp_path / "es.srt", *maps, *H264, *AAC, *tagged, talk)
    report = client.predict(handle_file(talk), "en", subtitles="track:1", api_name="/translate")[2]
    assert (report["engines"]["stt"], report["source"]["language"]) == (None, "es")
    with pytest.raises(Exception, match=r"^talk\.mkv has no subtitle track 2: those that hold text are track:1"):
        client.predict(handle_file(talk), "en", subtitles="track:2", api_name="/translate")


@pytest.mark.soak
def test_a_kept_dubs_lines_and_speakers_are_changed_by_call(client: Client, server: Server, tmp_path: Path) -> None:
    if bundle.folder("kokoro-82m") is None:
        pytest.skip("set-up could not put Kokoro here")
    said = "1\n00:00:00,100 --> 00:00:00,900\nANN: It is late.\n\n2\n00:00:01,000 --> 00:00:01,900\nBEN: Go home.\n"
    (tmp_path / "en.srt").write_text(said, encoding="utf-8")
    wished = {"subtitles": handle_file(tmp_path / "en.srt"), "voice": "ann=ef_dora,ben=em_alex", "keep": True}
    report = client.predict(handle_file(film(tmp_path / "talk.mp4")), "es", "en", **wished, api_name="/translate")[2]
    assert told(report) == ([0, 1], [("ANN", "ef_dora"), ("BEN", "em_alex")])
    before = client.predict(report["job"], [], [{"id": 1, "label": "Benjamin", "voice": "em_santa"}], api_name="/edit")
    assert told(before[2]) == ([0, 1], [("ANN", "ef_dora"), ("Benjamin", "em_santa")])
    job = client.submit(report["job"], [{"id": 1, "speaker": 0, "text": "Vete."}], api_name="/edit")
    dub, subtitles, after = job.result(timeout=180)
    assert told(after) == ([0, 0], [("ANN", "ef_dora"), ("Benjamin", "em_santa")])
    assert (after["segments"][1]["text"], after["job"]) == ("Vete.", report["job"])
    assert Path(dub).read_bytes() != Path(before[0]).read_bytes()
    assert "Vete." in Path(subtitles[0]).read_text(encoding="utf-8")
    assert [at for at, *_ in job.outputs()[:-1] if not re.fullmatch(r"[\w :]+: \d+ %", at)] == []
    # A line is cut in two, and the other one removed.
    halves = [{"id": 0, "text": "Es", "end": 0.5}, {"id": 1, "text": "", "source_text": ""}]
    new = [{"start": 0.5, "end": 0.9, "source_text": "late.", "text": "tarde."}]
    after = client.predict(report["job"], halves, [], new, api_name="/edit")[2]
    assert [line["text"] for line in after["segments"]] == ["Es", "tarde.", ""]
    with pytest.raises(Exception, match=r"^The new lines have to be a list such as"):
        client.predict(report["job"], [], [], [{"start": 0.5, "end": 0.9, "words": "x"}], api_name="/edit")
    with pytest.raises(Exception, match=r"^There is no speaker 5: the speakers are 0 to 1, and a line may be given to"):
        client.predict(report["job"], [{"id": 0, "speaker": 5}], [], api_name="/edit")
    with pytest.raises(Exception, match=r"^There is no such job"):
        client.predict("a" * 26, [{"id": 0, "speaker": 0}], [], api_name="/edit")
    server.ask("DELETE", f"/api/v1/jobs/{report['job']}").raise_for_status()


def told(report: dict[str, Any]) -> tuple[list[int], list[tuple[str, str]]]:
    """Return who speaks each line of a report, and the names and voices of the speakers."""
    speakers = [(one["label"], one["voice"]) for one in report["speakers"]]
    return [line["speaker"] for line in report["segments"]], speakers


@pytest.mark.soak
def test_a_change_that_is_cancelled_leaves_the_dub_as_it_was(client: Client, server: Server, tmp_path: Path) -> None:
    wished = {"voice": "espeak-ng-es", "keep": True}
    report = client.predict(handle_file(SAMPLE), "es", **wished, api_name="/translate")[2]
    place = f"/api/v1/jobs/{report['job']}"
    first = server.submit(long_sound(tmp_path), target_language="es")
    change = client.submit(report["job"], [{"id": 0, "text": "Nada."}], api_name="/edit")
    wait_for(lambda: server.json("GET", place)["state"] == "queued")
    wait_for(change.outputs)
    change.cancel()
    wait_for(lambda: server.json("GET", place)["state"] == "cancelled")
    assert server.json("GET", f"/api/v1/jobs/{first}")["state"] == "running"
    assert server.json("GET", f"{place}/segments")["segments"] == report["segments"]
    for job in (first, report["job"]):
        server.ask("DELETE", f"/api/v1/jobs/{job}").raise_for_status()


@pytest.mark.soak
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
    first, before = server.submit(long_sound(tmp_path), target_language="es"), jobs(server)
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
    with pytest.raises(Exception, match=r"^Line 2 of the glossary has a translation, but no term before it\.$"):
        client.predict(handle_file(SAMPLE), "es", glossary="house,casa\n,hogar", api_name="/translate")


def test_the_endpoints_are_described_with_names_types_and_examples(client: Client) -> None:
    described = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(described) == {
        "/translate", "/transcribe", "/edit", "/languages", "/voices", "/models", "/preload", "/clear_cache", "/health",
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
        "keep",
        "karaoke",
        "fit",
        "preview",
        "glossary",
    ]
    assert [given[name]["parameter_default"] for name in (*wishes, "speakers")] == ["", "", "", "auto"]
    assert (given["mark_speakers"]["parameter_default"], given["keep"]["parameter_default"]) == (False, False)
    given = {row["parameter_name"]: row for row in described["/edit"]["parameters"]}
    assert [(name, row["parameter_has_default"]) for name, row in given.items()] == [
        ("job", False), ("segments", True), ("speakers", True), ("added", True),
    ]  # fmt: skip
    assert given["segments"]["example_input"] == [{"id": 0, "text": "Hola.", "speaker": 1}]
    given = {row["parameter_name"]: row for row in described["/translate"]["parameters"]}
    assert (given["target_language"]["python_type"]["type"], given["target_language"]["example_input"]) == ("str", "es")
    assert given["source_language"]["parameter_default"] == "auto"
    assert [row["label"] for row in described["/translate"]["returns"]] == ["video", "subtitles", "report"]


def test_models_are_listed_and_cleared(client: Client, server: Server) -> None:
    key = server.warm()
    listed = client.predict(api_name="/models")["model_cache"]["models"]
    assert key in {model["cache_key"] for model in listed}
    cleared = client.predict(api_name="/clear_cache")
    assert key in (*cleared["freed"], *cleared["retiring"])  # a job of another test may still be about to let go of it
    assert "espeak-ng-es" in {voice["id"] for voice in client.predict("es", api_name="/voices")}
    assert "es" in {row["code"] for row in client.predict(api_name="/languages") if row["speak"]}
