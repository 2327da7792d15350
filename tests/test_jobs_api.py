"""Jobs over HTTP: a real server, real speech, real results, and whatever else may arrive in a request."""

from __future__ import annotations

import json
import re
import select
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pysubs2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.conftest import SAMPLE, SECRETS, vt
from tests.films import AAC, H264, PICTURE, SOUND, ffmpeg, streams
from tests.servers import Server, running, wait_for
from vt.cli import client

MB = 2**20
JOBS = "/api/v1/jobs"
UNKNOWN = "a" * 26
JOB = {"id", "state", "stage", "fraction", "error", "created_at", "updated_at", "request"}
SEGMENT = {
    "id", "start", "end", "source_text", "text", "slot_seconds", "room_seconds", "natural_seconds", "tempo",
    "placed_start", "placed_end", "overflow_seconds",
}  # fmt: skip
REPORT = {
    "source", "target_language", "base_rate", "engines", "stages", "total_seconds", "segments", "dropped", "timing",
    "loudness", "notes",
}  # fmt: skip
ES = {"target_language": "es"}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films: `talk.mp4` of a few seconds, `long.m4a` of five minutes, and what is none."""
    folder = tmp_path_factory.mktemp("films")
    ffmpeg("-i", SAMPLE, "-t", "8", "-c", "copy", folder / "talk.mp4")
    ffmpeg("-stream_loop", "9", "-i", SAMPLE, "-vn", "-c", "copy", folder / "long.m4a")
    ffmpeg("-i", SAMPLE, "-t", "1", "-an", "-c", "copy", folder / "silent.mp4")
    (folder / "letter.mp4").write_text("Dear Sir, this is no film.")
    (folder / "empty.mp4").touch()
    return folder


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes little: films of 1 MB and six minutes, and no second job in its queue."""
    own = {"VT_MAX_UPLOAD_MB": "1", "VT_MAX_DURATION_MINUTES": "6", "VT_QUEUE_SIZE": "1", "PRELOAD_MODELS": "true"}
    with running(tmp_path_factory.mktemp("narrow"), **own) as server:
        yield server


@pytest.fixture(scope="module")
def done(server: Server, films: Path) -> str:
    """A job that has results."""
    job = server.submit(films / "talk.mp4", **ES)
    assert server.ended(job)["state"] == "done"
    return job


@pytest.fixture
def at_work(server: Server, films: Path) -> Iterator[str]:
    """A job that runs for longer than any test looks at it."""
    job = server.submit(films / "long.m4a", **ES)
    wait_for(lambda: server.json("GET", f"{JOBS}/{job}")["stage"] == "transcribe")
    yield job
    server.ask("DELETE", f"{JOBS}/{job}")


def refused(answer: httpx.Response, status: int) -> str:
    """See that an answer is a problem as all are, and return its sentence."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    body = answer.json()
    assert {"type", "title", "status", "detail"} <= set(body) <= {"type", "title", "status", "detail", "state"}
    assert "Traceback" not in body["detail"]
    assert "/" not in body["detail"].replace("multipart/form-data", "").replace("application/", "")  # no path
    return str(body["detail"])


def by_events(server: Server, job: str) -> list[dict[str, Any]]:
    """Follow a job by server-sent events to its end."""
    with httpx.stream("GET", f"{server.url}{JOBS}/{job}/events", timeout=180) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        return [json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line.startswith("data: ")]


def by_socket(server: Server, job: str) -> list[dict[str, Any]]:
    """Follow a job by a web socket to its end."""
    with connect(f"{server.url.replace('http', 'ws')}{JOBS}/{job}/ws", proxy=None) as line:
        return [json.loads(message) for message in line]


def folders(server: Server) -> set[str]:
    """Return the jobs that have a folder."""
    return {path.name for path in (server.folder / "data" / "jobs").iterdir()}


# The whole way


def test_a_request_that_is_sent_twice_under_one_key_makes_one_job(server: Server, films: Path) -> None:
    before = folders(server)

    def send(target: str = "es", key: str = '"order-4711"') -> httpx.Response:
        with (films / "talk.mp4").open("rb") as film:
            form: dict[str, Any] = {"files": {"file": ("talk.mp4", film)}, "data": {"target_language": target}}
            return server.ask("POST", JOBS, headers={"Idempotency-Key": key}, **form)

    first, second = send(), send(key="order-4711")
    assert (first.status_code, second.status_code) == (202, 202)
    job = first.json()["id"]
    assert second.json()["id"] == job
    assert folders(server) - before == {job}
    assert "another request" in refused(send("fr"), 422)
    assert "idempotency-key" in refused(send(key="x" * 256), 422)
    server.ask("DELETE", f"{JOBS}/{job}")


def test_a_film_is_uploaded_followed_both_ways_and_dubbed(server: Server, films: Path) -> None:
    with (films / "talk.mp4").open("rb") as film:
        answer = server.ask("POST", JOBS, files={"file": ("A talk.mp4", film)}, data=ES)
    job = answer.json()
    assert (answer.status_code, answer.headers["location"], set(job)) == (202, f"{JOBS}/{job['id']}", JOB)
    assert (job["state"], job["error"]) == ("queued", None)
    assert job["request"]["file"] == "A talk.mp4"
    heard: list[dict[str, Any]] = []
    follower = threading.Thread(target=lambda: heard.extend(by_socket(server, job["id"])))
    follower.start()
    told = by_events(server, job["id"])
    follower.join()
    for messages in (told, heard):
        assert all(set(message) == JOB for message in messages)
        assert [message["state"] for message in messages[-2:]] == ["running", "done"]
        fractions = [message["fraction"] for message in messages]
        assert fractions == sorted(fractions)
        assert (fractions[-1], {message["id"] for message in messages}) == (1, {job["id"]})
    # Whoever comes later hears of the end alone.
    assert by_events(server, job["id"]) == by_socket(server, job["id"]) == told[-1:]


def test_the_film_is_given_whole_and_in_parts(server: Server, done: str, tmp_path: Path) -> None:
    route = f"{JOBS}/{done}/video"
    whole = server.ask("GET", route)
    assert (whole.status_code, whole.headers["content-type"], whole.headers["accept-ranges"]) == (
        200,
        "video/mp4",
        "bytes",
    )
    assert 'filename="talk.es.mp4"' in whole.headers["content-disposition"]
    (tmp_path / "film").write_bytes(whole.content)
    assert [stream["codec_type"] for stream in streams(tmp_path / "film")][:3] == ["video", "audio", "audio"]
    size = len(whole.content)
    for asked, part in (("bytes=100-199", slice(100, 200)), ("bytes=-50", slice(size - 50, size))):
        answer = server.ask("GET", route, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (206, whole.content[part])
        assert answer.headers["content-range"] == f"bytes {part.start}-{part.stop - 1}/{size}"
    beyond = server.ask("GET", route, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert "no such part" in refused(beyond, 416)
    assert "bytes=0-999" in refused(server.ask("GET", route, headers={"Range": "lines=1-2"}), 400)
    head = server.ask("HEAD", route)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(size), b"")


@pytest.mark.parametrize("name", ["es.ass", "en.ass", "both.srt", "both.vtt", "both.ass"])
def test_subtitles_that_lie_nowhere_are_made_when_they_are_asked_for(server: Server, done: str, name: str) -> None:
    answer = server.ask("GET", f"{JOBS}/{done}/subtitles/{name}")
    assert answer.status_code == 200
    assert f"filename*=utf-8''talk.{name}" in answer.headers["content-disposition"]
    segments = server.json("GET", f"{JOBS}/{done}/segments")["segments"]
    shown = [event.plaintext for event in pysubs2.SSAFile.from_string(answer.text, format_=name.partition(".")[2])]
    sides = {"es": ["text"], "en": ["source_text"]}.get(name.partition(".")[0], ["text", "source_text"])
    for side in sides:
        assert set(segments[0][side].split()) <= set(" ".join(shown).split())


def test_subtitles_report_and_lines_are_given(server: Server, done: str) -> None:
    for language in ("en", "es"):
        for ending, kind in (("srt", "application/x-subrip"), ("vtt", "text/vtt")):
            answer = server.ask("GET", f"{JOBS}/{done}/subtitles/{language}.{ending}")
            assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, kind)
            assert f'filename="talk.{language}.{ending}"' in answer.headers["content-disposition"]
            assert pysubs2.SSAFile.from_string(answer.text, format_=ending)
    assert "There are" in refused(server.ask("GET", f"{JOBS}/{done}/subtitles/fr.srt"), 404).replace("there", "There")
    refused(server.ask("GET", f"{JOBS}/{done}/subtitles/es.txt"), 422)
    assert "both.ass" in refused(server.ask("GET", f"{JOBS}/{done}/subtitles/fr.ass"), 404)
    assert r"{\kf" in server.ask("GET", f"{JOBS}/{done}/subtitles/en.ass?karaoke=true").text
    assert "form ass only" in refused(server.ask("GET", f"{JOBS}/{done}/subtitles/en.srt?karaoke=true"), 422)
    report = server.json("GET", f"{JOBS}/{done}/report")
    assert (set(report), report["source"]["file"], report["target_language"]) == (REPORT, "talk.mp4", "es")
    answer = server.ask("GET", f"{JOBS}/{done}/segments")
    assert re.fullmatch(r'"\d+"', answer.headers["etag"])
    assert answer.json() == {"segments": report["segments"]}
    assert [set(line) for line in report["segments"]] == [SEGMENT | {"source_words", "confidence"}] * len(
        report["segments"]
    )
    assert [line["id"] for line in report["segments"]] == list(range(len(report["segments"])))


@pytest.mark.parametrize("sound", ["original", "dub"])
def test_the_outline_of_a_sound_is_loud_where_somebody_speaks_and_is_measured_only_once(
    server: Server, done: str, sound: str
) -> None:
    peaks = server.json("GET", f"{JOBS}/{done}/peaks/{sound}")["peaks"]
    report = server.json("GET", f"{JOBS}/{done}/report")
    seconds, line = report["source"]["duration_seconds"], report["segments"][0]
    first, last = ("start", "end") if sound == "original" else ("placed_start", "placed_end")
    spoken = peaks[int(20 * line[first]) : int(20 * line[last])]
    assert abs(len(peaks) - 20 * seconds) <= 3
    assert max(peaks) <= 255 and max(spoken) > 60
    kept = server.folder / "data" / "jobs" / done / f"peaks-{0 if sound == 'original' else 1}.json"
    assert json.loads(kept.read_text()) == peaks
    kept.write_text("[1, 2]")
    assert server.json("GET", f"{JOBS}/{done}/peaks/{sound}")["peaks"] == [1, 2]
    assert server.ask("GET", f"{JOBS}/{done}/peaks/film").status_code == 422


@pytest.mark.soak
def test_sound_alone_comes_back_as_sound(server: Server, films: Path, tmp_path: Path) -> None:
    ffmpeg("-i", films / "talk.mp4", "-vn", "-c", "copy", tmp_path / "talk.m4a")
    job = server.submit(tmp_path / "talk.m4a", target_language="fr", source_language="en", audio_track="1")
    assert server.ended(job)["state"] == "done"
    answer = server.ask("GET", f"{JOBS}/{job}/video")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/mp4")
    assert 'filename="talk.fr.m4a"' in answer.headers["content-disposition"]


@pytest.mark.soak
def test_subtitles_may_come_along_in_place_of_listening(server: Server, films: Path) -> None:
    srt = "1\n00:00:01,000 --> 00:00:04,000\nLa casa es grande.\n"
    with (films / "talk.mp4").open("rb") as film:
        files = {"file": ("talk.mp4", film), "subtitles": ("mine.srt", srt.encode())}
        job = server.json("POST", JOBS, files=files, data={"target_language": "en", "source_language": "es"})
    assert job["request"]["subtitles"] == "mine.srt"
    assert server.ended(job["id"])["state"] == "done"
    report = server.json("GET", f"{JOBS}/{job['id']}/report")
    assert (report["engines"]["stt"], [line["source_text"] for line in report["segments"]]) == (
        None,
        ["La casa es grande."],
    )


@pytest.mark.soak
def test_a_glossary_may_come_along_and_holds_for_further_languages_and_edits(server: Server, films: Path) -> None:
    srt = "1\n00:00:01,000 --> 00:00:04,000\nThe house is large.\n"
    files: dict[str, Any] = {"file": ("talk.mp4", (films / "talk.mp4").read_bytes())}
    files |= {"subtitles": ("mine.srt", srt.encode()), "glossary": ("terms.csv", b"house,caser\xc3\xb3n\nZebra\n")}
    job = server.json("POST", JOBS, files=files, data={**ES, "source_language": "en"})
    assert job["request"]["options"] == {"glossary": "terms.csv"}
    assert server.ended(job["id"])["state"] == "done"
    report = server.json("GET", f"{JOBS}/{job['id']}/report")
    assert "caserón" in report["segments"][0]["text"]
    assert report["glossary"] == {"terms": 2, "unmatched": ["Zebra"], "not_held": []}
    further = {"from_job": (None, job["id"]), "target_language": (None, "pt"), "glossary": (None, "\nhouse,solar\n")}
    again = server.json("POST", JOBS, files=further)
    assert again["request"]["options"] == {"glossary": "glossary"}
    assert server.ended(again["id"])["state"] == "done"
    assert "solar" in server.json("GET", f"{JOBS}/{again['id']}/segments")["segments"][0]["text"]


@pytest.mark.parametrize("as_file", [True, False])
def test_a_glossary_beyond_its_limit_is_refused(server: Server, films: Path, as_file: bool) -> None:
    before, terms = folders(server), b"x" * (64 * 1024 + 1)
    files: dict[str, Any] = {"file": ("talk.mp4", (films / "talk.mp4").read_bytes())}
    files["glossary"] = ("terms.csv", terms) if as_file else (None, terms)
    assert "The glossary is too large: 64 KiB" in refused(server.ask("POST", JOBS, files=files, data=ES), 413)
    wait_for(lambda: folders(server) <= before)


@pytest.mark.soak
def test_several_speakers_are_told_of_with_their_voices(server: Server, films: Path) -> None:
    srt = "1\n00:00:01,000 --> 00:00:03,000\nANNA: The house is large.\n\n"
    srt += "2\n00:00:04,000 --> 00:00:06,000\nBEN: The garden is small.\n"
    with (films / "talk.mp4").open("rb") as film:
        files = {"file": ("talk.mp4", film), "subtitles": ("mine.srt", srt.encode())}
        wished = {**ES, "source_language": "en", "voice": "ben=em_santa,1=ef_dora", "speakers": "2"}
        wished |= {"mark_speakers": "true", "background": "none", "literal": "yes"}
        job = server.json("POST", JOBS, files=files, data=wished)
    options = {"speakers": 2, "mark_speakers": True, "background": "none", "literal": True}
    assert job["request"]["options"] == {"voice": "ben=em_santa,1=ef_dora"} | options
    assert server.ended(job["id"])["state"] == "done"
    report = server.json("GET", f"{JOBS}/{job['id']}/report")
    found = server.json("GET", f"{JOBS}/{job['id']}/segments")
    assert found == {"segments": report["segments"], "speakers": report["speakers"]}
    assert [line["speaker"] for line in found["segments"]] == [0, 1]
    told = [("ANNA", 2.0, "ef_dora"), ("BEN", 2.0, "em_santa")]
    assert [(one["label"], one["seconds"], one["voice"]) for one in found["speakers"]] == told
    change = {"speakers": [{"id": 0, "label": "Ann", "voice": "em_alex"}], "segments": [{"id": 1, "speaker": 0}]}
    etag = server.ask("GET", f"{JOBS}/{job['id']}/segments").headers["etag"]
    answer = server.ask("PATCH", f"{JOBS}/{job['id']}/segments", json=change, headers={"If-Match": etag})
    assert answer.status_code == 202
    assert server.ended(job["id"])["state"] == "done"
    mended = server.json("GET", f"{JOBS}/{job['id']}/segments")
    assert [line["speaker"] for line in mended["segments"]] == [0, 0]
    told = [("Ann", 4.0, "em_alex"), ("BEN", 0.0, "em_santa")]
    assert [(one["label"], one["seconds"], one["voice"]) for one in mended["speakers"]] == told


@pytest.mark.soak
def test_a_subtitle_track_of_the_film_may_stand_in_place_of_listening(server: Server, tmp_path: Path) -> None:
    (tmp_path / "es.srt").write_text("1\n00:00:00,200 --> 00:00:01,500\nLa casa de mi amigo es grande.\n")
    film = tmp_path / "talk.mkv"
    maps = ["-map", "0", "-map", "1", "-map", "2", "-metadata:s:s:0", "language=spa"]
    ffmpeg(*PICTURE, *SOUND, "-i", tmp_path / "es.srt", *maps, *H264, *AAC, "-c:s", "srt", film)
    files = {"file": ("talk.mkv", film.read_bytes())}
    job = server.json("POST", JOBS, files=files, data={"target_language": "en", "subtitles": "track:1"})
    assert job["request"]["subtitles"] == "track:1"
    assert server.ended(job["id"])["state"] == "done"
    report = server.json("GET", f"{JOBS}/{job['id']}/report")
    assert (report["engines"]["stt"], report["source"]["language"]) == (None, "es")
    again = server.json("POST", JOBS, files={"from_job": (None, job["id"]), "target_language": (None, "ca")})
    assert again["request"]["subtitles"] == "track:1"
    for named, said in [("track:3", "talk.mkv has no subtitle track 3"), ("mine.srt", "takes a file, or track:2")]:
        answer = server.ask("POST", JOBS, files=files, data={"target_language": "en", "subtitles": named})
        assert said in refused(answer, 422)


def _are_joined(server: Server, first: str, second: str, folder: Path) -> None:
    """See that two dubs of a film come in one file, which is made once, and what cannot share one."""
    route = f"{JOBS}/{first}/joined"
    answer = server.ask("GET", route, params={"with": second}).raise_for_status()
    assert "''talk.es%2Bca.mp4" in answer.headers["content-disposition"]
    (folder / "both.mp4").write_bytes(answer.content)
    tracks = [(one["codec_type"], one["tags"]["language"]) for one in streams(folder / "both.mp4")[1:]]
    assert tracks[:2] == [("audio", "spa"), ("audio", "cat")]
    assert {("subtitle", "spa"), ("subtitle", "cat")} <= set(tracks)
    again = server.ask("GET", route, params={"with": second})
    assert (again.headers["etag"], again.content) == (answer.headers["etag"], answer.content)
    assert "once" in refused(server.ask("GET", route, params={"with": first}), 422)
    refused(server.ask("GET", route, params={"with": UNKNOWN}), 404)
    refused(server.ask("GET", route), 422)
    refused(server.ask("GET", route, params={"with": [second] * 8}), 422)
    page = server.ask("GET", f"/films/{first}/joined", params={"with": second})
    assert page.content == answer.content
    assert server.ask("GET", f"/films/{first}/joined", params={"with": UNKNOWN}).status_code == 404


@pytest.mark.soak
def test_another_language_takes_over_what_was_heard(server: Server, done: str, tmp_path: Path) -> None:
    job = server.json("POST", JOBS, files={"from_job": (None, done), "target_language": (None, "ca")})
    assert job["request"]["file"] == "talk.mp4"
    assert server.ended(job["id"])["state"] == "done"
    first, second = (server.json("GET", f"{JOBS}/{one}/segments")["segments"] for one in (done, job["id"]))
    assert [line["source_text"] for line in first] == [line["source_text"] for line in second]
    assert [line["text"] for line in first] != [line["text"] for line in second]
    _are_joined(server, done, job["id"], tmp_path)
    # What is left of one does not depend on the other.
    server.ask("DELETE", f"{JOBS}/{job['id']}")
    assert server.ask("GET", f"{JOBS}/{done}/video").status_code == 200


def test_a_file_is_looked_into_and_not_kept(server: Server, films: Path) -> None:
    before = folders(server)
    with (films / "talk.mp4").open("rb") as film:
        found = server.json("POST", "/api/v1/inspect", files={"file": ("../talk.mp4", film)})
    assert set(found) == {"file", "duration_seconds", "video", "audio", "subtitles"}
    assert (found["file"], found["video"]["codec"], len(found["audio"])) == ("talk.mp4", "h264", 1)
    assert found["duration_seconds"] == pytest.approx(8, abs=0.2)
    refused(server.ask("POST", "/api/v1/inspect", files={"file": ("x.mp4", b"no film")}), 422)
    refused(server.ask("POST", "/api/v1/inspect", files={"target_language": (None, "es")}), 422)
    assert folders(server) == before


# Lines that are mended


def mend(server: Server, job: str, *changes: Any, version: str | None = None) -> httpx.Response:  # noqa: ANN401
    """Change lines, as somebody who has read the version that is there now, or another one."""
    etag = version or server.ask("GET", f"{JOBS}/{job}/segments").headers["etag"]
    return server.ask("PATCH", f"{JOBS}/{job}/segments", json={"segments": changes}, headers={"If-Match": etag})


def test_a_line_is_said_otherwise_and_the_others_stay(server: Server, films: Path) -> None:
    job = server.submit(films / "talk.mp4", **ES)
    server.ended(job)
    before = server.ask("GET", f"{JOBS}/{job}/segments")
    answer = mend(server, job, {"id": 0, "text": "Dicho de otro modo."})
    assert (answer.status_code, answer.json()["state"] in ("queued", "running")) == (202, True)
    assert server.ended(job)["state"] == "done"
    after = server.ask("GET", f"{JOBS}/{job}/segments")
    assert after.headers["etag"] != before.headers["etag"]
    assert after.json()["segments"][0]["text"] == "Dicho de otro modo."
    assert after.json()["segments"][1:] == before.json()["segments"][1:]
    assert "Dicho de otro modo." in server.ask("GET", f"{JOBS}/{job}/subtitles/es.srt").text
    takes = server.json("GET", f"{JOBS}/{job}/segments/0/takes")["takes"]
    assert [(take["text"], take["is_present"], take["has_sound"]) for take in takes] == [
        ("Dicho de otro modo.", True, True), (before.json()["segments"][0]["text"], False, True),
    ]  # fmt: skip
    assert set(takes[0]) == {"id", "text", "voice", "seconds", "is_present", "has_sound"}
    sound = server.ask("GET", f"{JOBS}/{job}/segments/0/takes/{takes[1]['id']}/sound")
    assert (sound.headers["content-type"], sound.content[:4]) == ("audio/wav", b"RIFF")
    for wrong in ("9999/takes", f"0/takes/{'0' * 16}/sound"):
        refused(server.ask("GET", f"{JOBS}/{job}/segments/{wrong}"), 404)
    for wrong in ("x/takes", "-1/takes", "0/takes/..%2f..%2fjob.json/sound"):
        assert server.ask("GET", f"{JOBS}/{job}/segments/{wrong}").status_code in (404, 422)
    # Who read the lines before that has to read them again.
    refused(mend(server, job, {"id": 0, "text": "Otra vez."}, version=before.headers["etag"]), 412)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([{"id": 9999, "text": "x"}], "There is no line 9999"),
        ([{"id": -1, "text": "x"}], "greater than or equal to 0"),
        ([{"id": 0, "text": "x"}, {"id": 0, "text": "y"}], "twice"),
        ([{"id": 0, "start": 5.0, "end": 1.0}], "to end after that"),
        ([{"id": 0, "text": "x" * 2001}], "too long"),
        ([{"id": 0, "words": "x"}], "words"),
        ([{"text": "x"}], "id"),
        (["x"], "segments.0"),
        ([], "it names no line and no speaker"),
        ([{"id": 0, "speaker": 7}], "There is no speaker 7"),
        ([{"id": 0, "speaker": -1}], "speaker"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused(server: Server, done: str, changes: list[Any], says: str) -> None:
    assert says in refused(mend(server, done, *changes), 422)
    assert server.json("GET", f"{JOBS}/{done}")["state"] == "done"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([{"id": 1, "label": "Anna"}], "There is no speaker 1"),
        ([{"id": 0, "label": "Anna"}, {"id": 0, "voice": "ef_dora"}], "twice"),
        ([{"id": 0, "voice": "nobody"}], "There is no voice nobody"),
        ([{"id": 0, "label": "\x00"}], "one line of 1 to 80 characters"),
        ([{"id": 0, "label": "\ud800"}], "lone surrogate"),
        ([{"id": 0, "name": "Anna"}], "name"),
        ([{"label": "Anna"}], "id"),
    ],
)
def test_a_change_of_speakers_that_cannot_be_made_is_refused(
    server: Server, done: str, changes: list[Any], says: str
) -> None:
    etag = server.ask("GET", f"{JOBS}/{done}/segments").headers["etag"]
    body = json.dumps({"speakers": changes}).encode()
    headers = {"If-Match": etag, "Content-Type": "application/json"}
    answer = server.ask("PATCH", f"{JOBS}/{done}/segments", content=body, headers=headers)
    assert says in refused(answer, 422)
    assert server.json("GET", f"{JOBS}/{done}")["state"] == "done"


def test_a_change_names_the_version_that_it_was_made_from(server: Server, done: str) -> None:
    body = {"segments": [{"id": 0, "text": "x"}]}
    assert "If-Match" in refused(server.ask("PATCH", f"{JOBS}/{done}/segments", json=body), 428)
    for version in ('"999"', "nonsense", "*", '"-1"'):
        refused(mend(server, done, *body["segments"], version=version), 412)


# While it runs


def test_of_a_job_at_work_there_are_no_results_and_no_lines_to_mend(server: Server, at_work: str) -> None:
    for result in ("video", "subtitles/es.srt", "report", "segments"):
        answer = server.ask("GET", f"{JOBS}/{at_work}/{result}")
        assert refused(answer, 409)
        assert answer.json()["state"] == "running"
    refused(mend(server, at_work, {"id": 0, "text": "x"}, version='"1"'), 409)


def test_a_cancel_is_final_and_a_removal_leaves_nothing(server: Server, at_work: str) -> None:
    following = threading.Thread(target=by_events, args=(server, at_work))
    following.start()
    answer = server.ask("POST", f"{JOBS}/{at_work}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    following.join(60)
    assert not following.is_alive()
    again = server.ask("POST", f"{JOBS}/{at_work}/cancel")
    assert refused(again, 409)
    assert (again.json()["state"], server.json("GET", f"{JOBS}/{at_work}")["state"]) == ("cancelled", "cancelled")
    removed = server.ask("DELETE", f"{JOBS}/{at_work}")
    assert (removed.status_code, removed.content) == (204, b"")
    refused(server.ask("GET", f"{JOBS}/{at_work}"), 404)
    refused(server.ask("DELETE", f"{JOBS}/{at_work}"), 404)
    wait_for(lambda: at_work not in folders(server))


def test_followers_that_vanish_do_no_harm(server: Server, at_work: str) -> None:
    with httpx.stream("GET", f"{server.url}{JOBS}/{at_work}/events", timeout=60) as answer:
        next(answer.iter_lines())
    with connect(f"{server.url.replace('http', 'ws')}{JOBS}/{at_work}/ws", proxy=None) as line:
        line.recv()
        line.send("who are you?")
        line.socket.shutdown(socket.SHUT_RDWR)
    assert server.json("GET", f"{JOBS}/{at_work}")["state"] == "running"
    server.ask("DELETE", f"{JOBS}/{at_work}")
    assert "Traceback" not in server.said + server.log


def test_a_server_that_ends_lets_its_followers_go_and_its_job_goes_on_at_the_next_start(
    films: Path, tmp_path: Path
) -> None:
    ends: list[Exception] = []

    def follow(server: Server, job: str) -> None:
        try:
            by_socket(server, job)
        except ConnectionClosed as closed:
            ends.append(closed)

    with running(tmp_path) as server:
        job = server.submit(films / "long.m4a", **ES)
        wait_for(lambda: server.json("GET", f"{JOBS}/{job}")["stage"] == "transcribe")
        follower = threading.Thread(target=follow, args=(server, job))
        follower.start()
        with httpx.stream("GET", f"{server.url}{JOBS}/{job}/events", timeout=60) as answer:
            next(answer.iter_lines())
            server.end()
        follower.join(60)
        assert (follower.is_alive(), len(ends)) == (False, 1)
        assert "Traceback" not in server.said
    with running(tmp_path) as server:
        assert server.json("GET", f"{JOBS}/{job}")["state"] in ("queued", "running")
        server.json("POST", f"{JOBS}/{job}/cancel")


# What arrives


MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}
PART = b'--x\r\nContent-Disposition: form-data; name="target_language"\r\n\r\nes\r\n'


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"json": ES}, "has to be a multipart form"),
        ({"data": ES}, "has to be a multipart form"),
        ({}, "has to be a multipart form"),
        ({"content": b"garbage", "headers": MULTIPART}, "no whole multipart form"),
        ({"content": PART, "headers": MULTIPART}, "broke off"),
        ({"content": PART * 40 + b"--x--\r\n", "headers": MULTIPART}, "too many fields"),
        ({"content": b"--x--\r\n", "headers": {"Content-Type": "multipart/form-data"}}, "has to be a multipart form"),
        ({"files": {"film": ("talk.mp4", b"x")}}, "a field that takes none"),
        ({"files": {"target_language": (None, "e" * 20_000)}}, "too long"),
        ({"files": {"file": ("x" * 5000, b"x")}}, "no whole multipart form"),
    ],
)
def test_a_body_that_is_no_upload_is_a_bad_request(server: Server, body: dict[str, Any], says: str) -> None:
    before = folders(server)
    assert says in refused(server.ask("POST", JOBS, **body), 400)
    assert folders(server) == before


@pytest.mark.parametrize(
    ("film", "fields", "says"),
    [
        ("talk.mp4", {}, "target_language"),
        (None, ES, "needs a film in the field file"),
        ("talk.mp4", {**ES, "from_job": UNKNOWN}, "or else another job's id"),
        ("talk.mp4", {"target_language": "xx-nonsense"}, "xx-nonsense"),
        ("talk.mp4", {"target_language": "spansh"}, "es"),
        ("talk.mp4", {"target_language": "gl"}, "Galician"),
        ("talk.mp4", {**ES, "source_language": "nonsense"}, "nonsense"),
        ("talk.mp4", {**ES, "source_language": "es"}, "Spanish"),
        ("talk.mp4", {**ES, "tempo": "2"}, "There is no field tempo"),
        ("talk.mp4", {**ES, "voice": "loud"}, "No voice goes by the name 'loud' here. Near are: ef_dora"),
        ("talk.mp4", {**ES, "voice": "1=ef_dora,2=loud"}, "No voice goes by the name 'loud' here"),
        ("talk.mp4", {**ES, "voice": "1=ef_dora,2="}, "named as in 1=em_alex,2=ef_dora"),
        ("talk.mp4", {**ES, "voice": "1=ef_dora,2=espeak-ng-es"}, "several engines (espeak-ng, kokoro)"),
        ("talk.mp4", {**ES, "speakers": "13"}, "neither auto nor a number from 1 to 12: 13"),
        ("talk.mp4", {**ES, "mark_speakers": "maybe"}, "neither true nor false: maybe"),
        ("talk.mp4", {**ES, "background": "loud"}, "is one of auto, none, duck, keep, and not loud"),
        ("talk.mp4", {**ES, "glossary": "\nhouse,casa\nHouse,hogar"}, "Line 3 of the glossary translates House"),
        ("talk.mp4", {**ES, "literal": "maybe"}, "neither true nor false: maybe"),
        ("talk.mp4", {**ES, "fit": "both"}, "one of speech, picture, and not both"),
        ("talk.mp4", {**ES, "burn": "nonsense"}, "nonsense"),
        ("talk.mp4", {**ES, "karaoke": "true"}, "say also in which language"),
        ("talk.mp4", {**ES, "transcribe": "true"}, "leave target_language out"),
        ("talk.mp4", {**ES, "audio_track": "2"}, "track"),
        ("talk.mp4", {**ES, "audio_track": "0"}, "whole number from 1 on"),
        ("talk.mp4", {**ES, "audio_track": "first"}, "whole number from 1 on"),
        ("letter.mp4", ES, "letter.mp4"),
        ("empty.mp4", ES, "is empty"),
        ("silent.mp4", ES, "silent.mp4"),
    ],
)
def test_what_cannot_be_dubbed_is_refused_before_it_is_queued(
    server: Server, films: Path, film: str | None, fields: dict[str, str], says: str
) -> None:
    before = folders(server)
    files: dict[str, Any] = {"file": (film, (films / film).read_bytes())} if film else {}
    files |= {name: (None, value) for name, value in fields.items()}
    assert says in refused(server.ask("POST", JOBS, files=files), 422)
    assert folders(server) == before


def test_subtitles_that_are_none_are_refused(server: Server, films: Path) -> None:
    files = {"file": ("talk.mp4", (films / "talk.mp4").read_bytes()), "subtitles": ("mine.srt", b"\x00\x01 nothing")}
    assert "subtitles hold no times" in refused(
        server.ask("POST", JOBS, files=files, data={**ES, "source_language": "en"}), 422
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd.mp4", "passwd.mp4"),
        ("..\\..\\talk.mp4", "talk.mp4"),
        ("a\nb\x00c.mp4", "abc.mp4"),
        ("ü" * 1500 + ".mp4", "ü" * 98 + ".mp4"),
        ("...", "film"),
    ],
)
def test_a_name_is_for_showing_only_and_never_a_path(server: Server, films: Path, name: str, shown: str) -> None:
    # Written by hand: a client that behaves would not send it.
    form = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    escaped = name.replace("\\", "\\\\").encode()
    film = b'--x\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n%s\r\n--x--\r\n'
    body = form % (b"target_language", b"es") + film % (escaped, (films / "talk.mp4").read_bytes())
    answer = server.ask("POST", JOBS, content=body, headers=MULTIPART)
    assert (answer.status_code, answer.json()["request"]["file"]) == (202, shown)
    server.ask("DELETE", f"{JOBS}/{answer.json()['id']}")


def _upload(server: Server, size: str, body: bytes) -> socket.socket:
    """Begin an upload whose size a header tells, send `body`, and leave the line open."""
    line = socket.create_connection((urlsplit(server.url).hostname or "", urlsplit(server.url).port or 0), timeout=60)
    head = f"POST {JOBS} HTTP/1.1\r\nHost: localhost\r\n{size}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in MULTIPART.items())
    line.sendall(head.encode() + b"\r\n" + body)
    return line


def test_an_upload_that_stops_half_way_leaves_nothing(server: Server) -> None:
    before = folders(server)
    film = b'--x\r\nContent-Disposition: form-data; name="file"; filename="talk.mp4"\r\n\r\n' + b"x" * MB
    with _upload(server, f"Content-Length: {10 * MB}", PART + film):
        wait_for(lambda: folders(server) > before)
    wait_for(lambda: folders(server) == before)
    assert server.ask("GET", "/health").status_code == 200
    assert "Traceback" not in server.said + server.log


def test_a_film_beyond_the_limit_is_refused_before_it_comes_where_its_size_is_told(narrow: Server) -> None:
    with _upload(narrow, f"Content-Length: {3 * MB}", PART) as line:
        assert line.recv(20).startswith(b"HTTP/1.1 413")
    assert folders(narrow) == set()


def test_a_film_beyond_the_limit_is_refused_as_it_comes_where_its_size_is_not_told(narrow: Server) -> None:
    film = PART + b'--x\r\nContent-Disposition: form-data; name="file"; filename="talk.mp4"\r\n\r\n'
    sent = 0
    with _upload(narrow, "Transfer-Encoding: chunked", b"%x\r\n%s\r\n" % (len(film), film)) as line:
        while not select.select([line], [], [], 0)[0]:
            line.sendall(b"10000\r\n" + b"x" * 2**16 + b"\r\n")
            sent += 2**16
            assert sent < 100 * MB
        assert line.recv(20).startswith(b"HTTP/1.1 413")
    wait_for(lambda: folders(narrow) == set())


def test_subtitles_beyond_their_limit_are_refused_as_they_come(server: Server) -> None:
    before = folders(server)
    form = PART + b'--x\r\nContent-Disposition: form-data; name="subtitles"; filename="talk.srt"\r\n\r\n'
    sent = 0
    with _upload(server, "Transfer-Encoding: chunked", b"%x\r\n%s\r\n" % (len(form), form)) as line:
        while not select.select([line], [], [], 0)[0]:
            line.sendall(b"10000\r\n" + b"x" * 2**16 + b"\r\n")
            sent += 2**16
            assert sent < 100 * MB
        answer = line.recv(10_000)
        while b"}" not in answer and (more := line.recv(10_000)):  # the head may come alone
            answer += more
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"The subtitles are too large: 5 MB are the most." in answer
    wait_for(lambda: folders(server) <= before)


def test_subtitles_of_the_worst_kind_hold_nobody_up(server: Server, films: Path) -> None:
    cue = "1\n00:00:01,000 --> 00:00:02,000\n{}\n\n"
    subtitles = cue.format("Well, " + "[" * 1900) * 2500
    files = {"file": ("talk.mp4", (films / "talk.mp4").read_bytes()), "subtitles": ("talk.srt", subtitles)}
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(server.ask("POST", JOBS, files=files, data=ES)))
    asking.start()
    longest = 0.0
    while asking.is_alive():
        began = time.monotonic()
        assert server.ask("GET", "/health").status_code == 200
        longest = max(longest, time.monotonic() - began)
    assert longest < 10  # by an expression of the second degree it would be minutes
    (answer,) = answers
    assert answer.status_code in (202, 422), answer.text
    if answer.status_code == 202:
        server.ask("DELETE", f"{JOBS}/{answer.json()['id']}")


def _small(sound: Path, folder: Path, seconds: int) -> Path:
    """Make sound of so many seconds that takes less than a megabyte."""
    ffmpeg("-stream_loop", "1", "-i", sound, "-t", str(seconds), "-ac", "1", "-b:a", "12k", folder / "small.m4a")
    return folder / "small.m4a"


@pytest.mark.soak
def test_a_film_that_lasts_too_long_is_refused(narrow: Server, films: Path, tmp_path: Path) -> None:
    files = {"file": ("talk.m4a", _small(films / "long.m4a", tmp_path, 7 * 60).read_bytes())}
    assert "VT_MAX_DURATION_MINUTES" in refused(narrow.ask("POST", JOBS, files=files, data=ES), 422)


@pytest.mark.soak
def test_a_visitor_with_as_many_jobs_as_one_may_have_is_told_when_to_come_again(
    server: Server, done: str, at_work: str
) -> None:
    etag = server.ask("GET", f"{JOBS}/{done}/segments").headers["etag"]
    sent: list[str] = []
    try:
        while (answer := server.ask("POST", JOBS, files={"from_job": (None, done)}, data=ES)).status_code == 202:
            sent.append(answer.json()["id"])
            assert len(sent) < 8, at_work
        assert "Too many of your jobs" in refused(answer, 429)
        assert int(answer.headers["retry-after"]) > 0
        mended = {"segments": [{"id": 0, "text": "Hola."}]}
        edited = server.ask("PATCH", f"{JOBS}/{done}/segments", json=mended, headers={"If-Match": etag})
        assert refused(edited, 429) == refused(answer, 429)
    finally:
        for job in sent:
            server.ask("DELETE", f"{JOBS}/{job}")


@pytest.mark.soak
def test_a_full_queue_says_when_to_come_again(narrow: Server, films: Path, tmp_path: Path) -> None:
    running = narrow.submit(_small(films / "long.m4a", tmp_path, 5 * 60), **ES)
    wait_for(lambda: narrow.json("GET", f"{JOBS}/{running}")["stage"] == "transcribe")
    waiting = narrow.submit(films / "talk.mp4", **ES)
    full = narrow.ask("POST", JOBS, files={"file": ("talk.mp4", (films / "talk.mp4").read_bytes())}, data=ES)
    assert refused(full, 503)
    assert int(full.headers["retry-after"]) > 0
    for job in (waiting, running):
        narrow.ask("DELETE", f"{JOBS}/{job}")
    wait_for(lambda: folders(narrow) == set())


# Ids


@pytest.mark.parametrize("job", [UNKNOWN, "x", "A" * 26, "..%2f..%2fetc", "%00", "ä" * 26, "a" * 5000])
def test_an_id_that_is_none_is_not_found_on_every_route(server: Server, job: str) -> None:
    for method, end in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("GET", "/events"),
        ("GET", "/video"),
        ("GET", "/subtitles/es.srt"),
        ("GET", "/report"),
        ("GET", "/segments"),
        ("GET", "/segments/0/takes"),
        ("GET", f"/segments/0/takes/{'0' * 16}/sound"),
    ):
        refused(server.ask(method, f"{JOBS}/{job}{end}"), 404)
    refused(mend(server, job, {"id": 0, "text": "x"}, version='"1"'), 404)


def test_an_unknown_id_closes_a_web_socket_with_a_sentence(server: Server) -> None:
    with connect(f"{server.url.replace('http', 'ws')}{JOBS}/{UNKNOWN}/ws", proxy=None) as line:
        with pytest.raises(ConnectionClosed) as closed:
            line.recv()
        assert closed.value.rcvd
        assert (closed.value.rcvd.code, "no such job" in closed.value.rcvd.reason) == (4404, True)


def test_another_jobs_film_that_is_not_there_is_not_found(server: Server) -> None:
    for job in (UNKNOWN, "../../etc"):
        refused(server.ask("POST", JOBS, files={"from_job": (None, job), "target_language": (None, "es")}), 404)


def test_jobs_are_listed_for_managers_only_and_no_id_is_shown_whole(server: Server, guarded: Server, done: str) -> None:
    assert refused(guarded.ask("GET", JOBS), 401)
    assert refused(server.ask("GET", JOBS, headers={"X-Forwarded-For": "203.0.113.7"}), 403)
    right = {"Authorization": f"Bearer {SECRETS['VT_ADMIN_TOKEN']}"}
    assert guarded.json("GET", JOBS, headers=right) == {"jobs": []}
    listed = server.json("GET", f"{JOBS}?limit=1000")["jobs"]
    assert [job for job in listed if job["id"] == f"{done[:6]}..." and job["state"] == "done"]
    for limit in ("0", "1001", "x"):
        refused(server.ask("GET", f"{JOBS}?limit={limit}"), 422)
    shown = [json.dumps(listed), server.said, server.log]
    shown += [server.ask("GET", route).text for route in ("/metrics", "/health", "/api/v1/models")]
    assert not [text for text in shown if done in text]


@pytest.mark.soak
def test_the_command_line_shows_a_job_fetches_its_results_and_removes_it(
    server: Server, films: Path, tmp_path: Path
) -> None:
    job, here = server.submit(films / "talk.mp4", **ES), ("--url", server.url)
    assert server.ended(job)["state"] == "done"
    shown = vt("jobs", job, *here, cwd=tmp_path)
    assert (shown.returncode, shown.stdout.split()) == (0, [job, "done", "100%", "es", "talk.mp4"]), shown.stderr
    told = json.loads(vt("jobs", job, "--json", *here, cwd=tmp_path).stdout)
    assert (told["id"], told["state"]) == (job, "done")
    assert job[:6] in vt("jobs", *here, cwd=tmp_path).stdout
    fetched = vt("jobs", job, "--fetch", *here, cwd=tmp_path)
    assert fetched.returncode == 0, fetched.stderr
    names = {f"talk.{ending}" for ending in ("es.mp4", "es.srt", "es.vtt", "en.srt", "en.vtt", "es.report.json")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    assert {str(Path("out", name)) for name in names} == set(fetched.stdout.splitlines())
    assert (tmp_path / "out" / "talk.es.mp4").read_bytes() == server.ask("GET", f"{JOBS}/{job}/video").content
    over = vt("jobs", job, "--cancel", *here, cwd=tmp_path)
    assert (over.returncode, len(over.stderr.splitlines())) == (2, 1)
    assert vt("jobs", job, "--remove", *here, cwd=tmp_path).returncode == 0
    gone = vt("jobs", job, *here, cwd=tmp_path)
    assert (gone.returncode, len(gone.stderr.splitlines())) == (2, 1)
    assert vt("jobs", "--remove", *here, cwd=tmp_path).returncode == 2


def test_a_server_gives_a_file_a_name_and_never_a_folder() -> None:
    for given, name in (
        ('inline; filename="talk.es.mp4"', "talk.es.mp4"),
        ("inline; filename*=utf-8''%C3%BC.mp4", "ü.mp4"),
        ('inline; filename="../../etc/passwd"', "passwd"),
        ('inline; filename="..\\\\..\\\\boot.ini"', "boot.ini"),
        ('inline; filename=".."', "es.srt"),
        ("", "es.srt"),
    ):
        assert client.file_name(given, "subtitles/es.srt") == name
