"""OpenAI's own client, and whoever means harm, before a real server: recordings heard, and texts spoken."""

from __future__ import annotations

import base64
import http.client
import io
import json
import threading
import wave
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, nullcontext
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import numpy as np
import openai
import pytest
from openai import OpenAI
from starlette.testclient import TestClient

from tests.conftest import SAMPLE
from tests.fakes import choice
from tests.films import SOUND, decoded, ffmpeg, streams
from tests.servers import Server, wait_for
from tests.test_factory import settings
from vt import languages
from vt.answers.speaking import Speech, speak
from vt.api import FOREIGN_SHAPES, BodyLimits, ErrorShapes, make_api
from vt.domain import Cancel, Clip
from vt.engines.protocols import Synthesizer, Voice
from vt.errors import Cancelled
from vt.factory import AIServiceFactory
from vt.models.services import TtsService
from vt.services import Services
from vt.web.multipart import FORM_BYTES

KEY = "sk-never-to-be-logged-4711"
TRANSCRIPTIONS, SPEECH = "/v1/audio/transcriptions", "/v1/audio/speech"
SAID = "leisure to consider"
SPOKEN: dict[str, Any] = {"model": "tts-1", "voice": "alloy", "input": "The weather is very fine in the garden today."}
PATIENCE = 60


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence of the sample."""
    sound = tmp_path_factory.mktemp("sound") / "talk.mp3"
    ffmpeg("-i", SAMPLE, "-t", "4.6", "-vn", "-c:a", "libmp3lame", sound)
    return sound


@pytest.fixture(scope="module")
def long_talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So much speech that it is not heard to its end before somebody has left."""
    sound = tmp_path_factory.mktemp("sound") / "long.m4a"
    ffmpeg("-stream_loop", "40", "-i", SAMPLE, "-t", "1200", "-vn", "-c", "copy", sound)
    return sound


def refused(server: Server, status: int, route: str, method: str = "POST", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Ask for what is refused, and return the error, which has OpenAI's shape."""
    answer = server.ask(method, route, headers={"Authorization": f"Bearer {KEY}", **more.pop("headers", {})}, **more)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json"), answer.text
    (error,) = answer.json().values()
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"] and error["type"] == "invalid_request_error"
    return dict(error)


def folders(server: Server) -> set[Path]:
    """Return the folders of jobs, and of recordings that are being heard."""
    return set((server.folder / "data" / "jobs").iterdir())


# Hearing


@pytest.mark.filterwarnings("ignore:deprecated")  # of the client: OpenAI is about to give the route up
def test_a_recording_is_written_down_in_each_form_that_openai_has(client: OpenAI, talk: Path) -> None:
    def heard(form: Any, **more: Any) -> Any:  # noqa: ANN401 (the client has an overload for each form)
        return client.audio.transcriptions.create(model="whisper-1", file=talk, response_format=form, **more)

    plain = heard("json", language="en", prompt="Mr. Jon Dashwoode", temperature=0)
    assert f"Jon Dashwoode had then {SAID}" in plain.text and plain.usage.seconds == 5
    assert heard("text").strip() == client.audio.translations.create(model="tiny.en", file=talk).text
    subtitles = heard("srt")
    assert SAID in " ".join(subtitles.split()) and "00:00:01," in subtitles.split("-->")[0]
    assert heard("vtt").startswith("WEBVTT\n")
    told = heard("verbose_json", timestamp_granularities=["word", "segment"])
    assert (told.language, round(told.duration, 1), SAID in told.text) == ("english", 4.6, True)
    assert [word.word for word in told.words][:3] == ["And", "Mr.", "John"]
    assert all(0 <= word.start <= word.end <= told.duration for word in told.words)
    assert told.segments[0].text.startswith("And Mr. John") and -1 < told.segments[0].avg_logprob < 0


def test_a_streamed_transcript_grows_to_the_whole(client: OpenAI, talk: Path) -> None:
    events = list(client.audio.transcriptions.create(model="gpt-4o-transcribe", file=talk, stream=True))
    assert {event.type for event in events[:-1]} == {"transcript.text.delta"}
    assert events[-1].type == "transcript.text.done" and SAID in events[-1].text
    assert "".join(event.delta for event in events[:-1] if event.type == "transcript.text.delta") == events[-1].text


def test_sound_without_speech_is_an_empty_text(client: OpenAI, tmp_path: Path) -> None:
    ffmpeg(*SOUND, tmp_path / "tone.wav")
    told: Any = client.audio.transcriptions.create(
        model="whisper-1", file=tmp_path / "tone.wav", response_format="verbose_json"
    )
    assert (told.text, told.segments, told.duration) == ("", [], 2.0)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"", "empty.wav"),
        (b"\0" * 5000, "zeros.wav"),
        (b"#EXTM3U\nfile:///etc/passwd\n", "list.m3u8"),
        (b"RIFF\xff\xff\xff\xffWAVEfmt ", "cut.wav"),
    ],
)
def test_what_is_no_recording_is_refused_by_the_name_that_its_sender_gave_it(
    server: Server, content: bytes, name: str
) -> None:
    files = {"file": (f"../../../etc/{name}", content)}
    told = refused(server, 400, TRANSCRIPTIONS, files=files, data={"model": "whisper-1"})["message"]
    assert name in told and str(server.folder) not in told and "root:" not in told


@pytest.mark.parametrize(
    ("fields", "param", "status"),
    [
        ({"model": "../../etc/passwd"}, "model", 404),
        ({"model": "Systran/faster-whisper-large-v3"}, "model", 404),
        ({"model": "large-v3"}, "model", 404),
        ({"model": ""}, "model", 400),
        ({"model": "whisper-1", "language": "klingon"}, "language", 400),
        ({"model": "whisper-1", "response_format": "docx"}, "response_format", 400),
        ({"model": "whisper-1", "response_format": "srt", "stream": "true"}, "response_format", 400),
        ({"model": "whisper-1", "temperature": "nan"}, "temperature", 400),
        ({"model": "whisper-1", "stream": "perhaps"}, "stream", 400),
        ({"model": "whisper-1", "timestamp_granularities[]": "word"}, "timestamp_granularities", 400),
    ],
)
def test_a_field_that_cannot_be_used_is_named(
    server: Server, talk: Path, fields: dict[str, str], param: str, status: int
) -> None:
    files = {"file": ("talk.mp3", talk.read_bytes())}
    assert refused(server, status, TRANSCRIPTIONS, files=files, data=fields)["param"] == param


def test_a_recording_has_to_come_and_in_the_one_field_for_it(server: Server) -> None:
    before = folders(server)
    assert refused(server, 400, TRANSCRIPTIONS, files={"model": (None, "whisper-1")})["param"] == "file"
    files = {"subtitles": ("talk.srt", b"1\n")}
    assert "files go into file" in refused(server, 400, TRANSCRIPTIONS, files=files)["message"]
    refused(server, 400, TRANSCRIPTIONS, json={"model": "whisper-1"})
    refused(server, 400, TRANSCRIPTIONS, data={"x" * 20_000: "x"}, files={"file": (None, "x" * 20_000)})
    assert folders(server) <= before


# Speaking


@pytest.mark.parametrize(
    ("form", "codec"),
    [("mp3", "mp3"), ("opus", "opus"), ("aac", "aac"), ("flac", "flac"), ("wav", "pcm_s16le"), ("pcm", "")],
)
def test_a_text_is_spoken_in_each_format(client: OpenAI, tmp_path: Path, form: Any, codec: str) -> None:  # noqa: ANN401
    path = tmp_path / f"speech.{form}"
    asked = SPOKEN | {"response_format": form, "instructions": "Whisper."}
    with client.audio.speech.with_streaming_response.create(**asked) as answer:
        answer.stream_to_file(path)
        assert answer.headers["x-ignored-parameters"] == "instructions"
    if codec:
        assert [stream["codec_name"] for stream in streams(path)] == [codec]
    samples = decoded(path, 24_000) if codec else memoryview(path.read_bytes()).cast("h")
    assert 2 < len(samples) / 24_000 < 5
    assert max(samples) > 2000


def length(client: OpenAI, **asked: Any) -> float:  # noqa: ANN401
    """Return how long it takes to say something, in seconds."""
    return len(client.audio.speech.create(**(SPOKEN | {"response_format": "pcm"} | asked)).content) / 48_000


def test_speech_is_as_fast_as_is_asked_for_far_beyond_what_a_voice_does(client: OpenAI) -> None:
    usual = length(client)
    assert 3 < usual / length(client, speed=4.0) < 5
    assert 3 < length(client, speed=0.25) / usual < 5


def test_a_voice_of_openai_speaks_the_language_of_the_text_and_one_of_this_server_its_own(client: OpenAI) -> None:
    text = {"input": "El señor Dashwood tuvo entonces tiempo para pensar en lo que podía hacer por ellas."}
    assert length(client, **text) == length(client, voice="espeak-ng-es", **text)
    assert length(client, **text) != length(client, voice="espeak-ng-de", **text)
    assert length(client, model="espeak-ng", voice={"id": "espeak-ng-es"}, **text) == length(client, **text)


@pytest.mark.parametrize(
    ("fields", "param", "status"),
    [
        ({"input": ""}, "input", 400),
        ({"input": "x" * 4097}, "input", 400),
        ({"input": ["x"]}, "input", 400),
        ({"voice": "nobody"}, "voice", 400),
        ({"voice": "../../etc/passwd"}, "voice", 400),
        ({"voice": {"id": 4}}, "voice", 400),
        ({"voice": None}, "voice", 400),
        ({"voice": "espeak-ng-es", "model": "kokoro"}, "voice", 400),
        ({"model": "babel"}, "model", 404),
        ({"response_format": "exe"}, "response_format", 400),
        ({"response_format": ["mp3"]}, "response_format", 400),
        ({"speed": 4.1}, "speed", 400),
        ({"speed": "fast"}, "speed", 400),
        ({"stream_format": "ws"}, "stream_format", 400),
        ({"input": "..."}, None, 400),
    ],
)
def test_what_cannot_be_spoken_is_refused_and_the_field_named(
    server: Server, fields: dict[str, Any], param: str | None, status: int
) -> None:
    assert refused(server, status, SPEECH, json=SPOKEN | fields)["param"] == param


def test_speech_comes_as_events_that_hold_the_same_sound(server: Server) -> None:
    wav = SPOKEN | {"response_format": "wav"}
    whole = server.ask("POST", SPEECH, json=wav).raise_for_status().content
    answer = server.ask("POST", SPEECH, json=wav | {"stream_format": "sse"}).raise_for_status()
    assert answer.headers["content-type"].startswith("text/event-stream")
    *deltas, last = (json.loads(event.removeprefix("data: ")) for event in answer.text.strip().split("\n\n"))
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert b"".join(base64.b64decode(event["audio"]) for event in deltas) == whole
    assert last == {
        "type": "speech.audio.done", "usage": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    }  # fmt: skip


def test_bodies_that_are_no_requests_are_refused_and_odd_letters_are_not_said(server: Server) -> None:
    for body in (b"", b"[]", b"{", b"null", b'{"input": NaN}', b"[" * 40_000, b"\xff\xfe"):
        refused(server, 400, SPEECH, content=body)
    odd = json.dumps(SPOKEN | {"input": "\0Good \ud800morning\x1b[31m to [[all]] of you."}).encode()
    answer = server.ask("POST", SPEECH, content=odd).raise_for_status()
    assert answer.headers["content-type"] == "audio/mpeg"


def test_wav_is_read_as_it_comes(client: OpenAI) -> None:
    with wave.open(io.BytesIO(client.audio.speech.create(**SPOKEN, response_format="wav").content)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)


# What there is


def test_models_and_voices_are_listed_as_clients_expect_them(client: OpenAI, server: Server) -> None:
    names = [model.id for model in client.models.list()]
    assert {"whisper-1", "tiny.en", "tts-1", "espeak-ng"} <= set(names) and "large-v3" not in names
    assert client.models.retrieve("tts-1").object == "model"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("nothing/of/the/kind")
    assert caught.value.code == "model_not_found"
    voices = server.json("GET", "/v1/audio/voices")["voices"]
    assert {"alloy", "espeak-ng-es"} <= {voice["id"] for voice in voices}
    assert all({"id", "name"} <= set(voice) for voice in voices)


def test_every_refusal_has_openais_shape_whoever_refuses(server: Server) -> None:
    refused(server, 404, "/v1/nothing", "GET")
    refused(server, 405, SPEECH, "GET")
    refused(server, 413, SPEECH, content=b"x" * (2 * 2**20 + 1))
    refused(server, 403, SPEECH, headers={"Origin": "https://elsewhere.example"}, json=SPOKEN)
    refused(server, 421, "/v1/models", "GET", headers={"Host": "elsewhere.example"})
    assert server.ask("GET", "/api/v1/nothing").headers["content-type"] == "application/problem+json"


# Limits


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    chosen = settings(data_dir=tmp_path / "data")
    with closing(Services(chosen, AIServiceFactory(chosen))) as made:
        yield made


def test_who_has_as_much_at_work_as_one_may_is_told_when_to_come_again(services: Services) -> None:
    api = TestClient(ErrorShapes(make_api(services), FOREIGN_SHAPES))
    with ExitStack() as working:
        for _ in range(8):
            working.enter_context(services.answers.held("testclient"))
        for route, error in ((TRANSCRIPTIONS, "error"), (SPEECH, "error"), ("/libre/translate", "error")):
            answer = api.post(route, content=b"never read")
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
            assert error in answer.json()
    assert api.post(SPEECH, json=SPOKEN).status_code == 200
    assert services.answers.at_work == 0


@pytest.mark.parametrize("route", [TRANSCRIPTIONS, "/v1/audio/translations"])
def test_a_recording_may_be_as_large_as_a_film_and_an_endless_one_is_cut_off(services: Services, route: str) -> None:
    api = TestClient(ErrorShapes(BodyLimits(make_api(services), max_upload_mb=1), FOREIGN_SHAPES))
    told = api.post(route, headers={"Content-Length": str(2**20 + FORM_BYTES + 1)}, content=b"")
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while taken < 64 * 2**20:
            taken += 2**16
            yield b"x" * 2**16

    untold = api.post(route, content=endless(), headers={"Content-Type": "multipart/form-data; boundary=x"})
    for answer in (told, untold):
        assert "error" in answer.json() and answer.status_code in (400, 413)
    assert told.status_code == 413


# Beside others


@pytest.mark.soak
def test_who_leaves_has_the_work_stopped_and_the_recording_removed(server: Server, long_talk: Path) -> None:
    place, before = urlsplit(server.url), folders(server)
    line = http.client.HTTPConnection(str(place.hostname), place.port, timeout=PATIENCE)
    form = httpx.Request("POST", server.url, data={"model": "whisper-1"}, files={"file": long_talk.read_bytes()})
    line.request("POST", TRANSCRIPTIONS, form.read(), {"Content-Type": form.headers["content-type"]})

    def leases() -> int:
        models = server.json("GET", "/api/v1/models")["model_cache"]["models"]
        return sum(model["leases"] for model in models if model["model_type"] == "stt")

    wait_for(leases)
    line.close()
    left = f'vt_http_requests_total{{method="POST",route="{TRANSCRIPTIONS}",status="499"}}'
    wait_for(lambda: left in server.ask("GET", "/metrics").text)  # nothing was answered
    wait_for(lambda: not leases())
    wait_for(lambda: folders(server) <= before)


@pytest.mark.soak
def test_a_job_that_is_heard_and_a_recording_beside_it_take_turns(
    server: Server, client: OpenAI, talk: Path, long_talk: Path
) -> None:
    job = server.submit(long_talk, target_language="es")

    def at() -> tuple[str, float]:
        found = server.json("GET", f"/api/v1/jobs/{job}")
        return found["stage"], found["fraction"]

    wait_for(lambda: at()[0] == "transcribe")
    before = at()
    assert SAID in client.audio.transcriptions.create(model="whisper-1", file=talk).text
    assert client.audio.speech.create(**SPOKEN).content
    assert at()[0] == "transcribe"  # long before the job gave the model back
    wait_for(lambda: at() > before)
    server.ask("DELETE", f"/api/v1/jobs/{job}")


def test_the_key_that_clients_send_is_in_no_log(server: Server, client: OpenAI) -> None:
    client.models.list()
    assert KEY not in server.log + server.said and "Traceback" not in server.log + server.said


class Halting:
    """A voice that says its second line only once it is told to."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def speak(self, lines: Sequence[tuple[str, float]], cancel: Cancel) -> Iterator[Clip]:
        del cancel
        for number, _ in enumerate(lines):
            assert not number or self.go.wait(PATIENCE)
            yield Clip((9000 * np.sin(np.arange(24_000) / 9)).astype(np.int16), 24_000)

    def get_sample_service(self, voice: Voice, cancel: Cancel | None = None) -> TtsService:
        del voice, cancel
        return TtsService(choice("halting", "tts"), lambda: nullcontext(cast(Synthesizer, self)))


@pytest.mark.parametrize("form", ["mp3", "opus", "pcm"])
def test_a_sentence_is_sent_before_the_next_one_is_spoken(form: str) -> None:
    voice, taken = Halting(), list[bytes]()
    voices = [Voice("v", languages.ENGLISH, "V", "", "halting", "MIT")]
    asked = Speech("One is said. And two is said as well.", voices, form)

    def take(chunk: bytes) -> None:
        taken.append(chunk)
        if sum(map(len, taken)) > 2000:
            voice.go.set()

    speak(asked, voice, Cancel(), take)
    assert sum(map(len, taken)) > 5000


def test_who_leaves_ends_the_program_that_encodes() -> None:
    voice, cancel = Halting(), Cancel()
    asked = Speech("One. Two.", [Voice("v", languages.ENGLISH, "V", "", "halting", "MIT")], "pcm")

    def leave(_: bytes) -> None:
        cancel.set()
        voice.go.set()

    with pytest.raises(Cancelled):
        speak(asked, voice, cancel, leave)
