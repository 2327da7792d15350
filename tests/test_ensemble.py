"""A dub with several speakers: each line in its speaker's voice, all equally loud; and one voice as ever."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import films
from tests.asking import asked
from tests.captions import timed
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from vt import languages, media
from vt.domain import Edit, Edits, JobRequest, SpeakerEdit, Wishes
from vt.dubbing.artifacts import Artifacts
from vt.dubbing.pipeline import dub
from vt.dubbing.report import DubReport
from vt.engines.protocols import Voice
from vt.models.services import TtsService
from vt.text import captions

RATE = 16_000
LINES = (
    (0.5, 3.0, "ANNA: Good morning, and welcome to our talk."),
    (3.5, 6.0, "BEN: Thank you very much for the invitation."),
    (6.5, 9.0, "ANNA: How was your journey across the sea?"),
    (9.5, 11.5, "BEN: It was rather long, I am afraid."),
)


def buzz(hertz: float, loudness: float = 0.2) -> Any:  # noqa: ANN401 (a timbre)
    """Return a timbre with the harmonics of a voice."""

    def timbre(count: int, rate: int) -> NDArray[np.float64]:
        at = np.arange(count) / rate
        return np.asarray(loudness * sum(np.sin(2 * np.pi * hertz * n * at) / n for n in range(1, 8)) / 2)

    return timbre


HEIGHTS = {"woman": 200.0, "man": 100.0, "deep": 75.0}


class Choir(ToneSynthesizer):
    """Speaks with a woman's voice, or with those of men, which are much louder."""

    def __init__(self, voice: str = "woman") -> None:
        super().__init__(timbre=buzz(HEIGHTS[voice], 0.05 if voice == "woman" else 0.4))
        self.others: dict[str, Choir] = {}

    def speaking(self, voice_id: str) -> Choir:
        """Return the same engine with another voice."""
        return self.others.setdefault(voice_id, Choir(voice_id))


class ChoirFactory(FakeFactory):
    """Serves the choir."""

    def voices(self) -> Sequence[Voice]:
        """List the voices."""
        genders = {name: "female" if name == "woman" else "male" for name in HEIGHTS}
        return [Voice(name, languages.SPANISH, name, gender, "tone", "none") for name, gender in genders.items()]


def factory(engine: ToneSynthesizer | None = None) -> FakeFactory:
    make = FakeFactory if engine else ChoirFactory
    return make(ScriptedTranscriber([]), engine or Choir())


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a film in which Anna's voice is low, and Ben's is high: nobody is what they are called."""
    target = tmp_path_factory.mktemp("film") / "talk.wav"
    at = np.arange(12 * RATE) / RATE
    hertz = np.where((at < 3.2) | ((at > 6.2) & (at < 9.2)), 110.0, 220.0)
    wave = sum(np.sin(2 * np.pi * np.cumsum(hertz) * n / RATE) / n for n in range(1, 8))
    pcm = np.asarray(4000 * wave).astype(np.int16)
    target.with_suffix(".pcm").write_bytes(pcm.tobytes())
    films.ffmpeg("-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", target.with_suffix(".pcm"), target)
    return target


def request_for(film: Path, folder: Path, lines: Sequence[tuple[float, float, str]] = LINES) -> JobRequest:
    told = folder / "talk.srt"
    told.write_text(timed(*lines))
    return asked(film, "es", source_language="en", subtitles=told)


def dubbed(request: JobRequest, folder: Path, served: FakeFactory) -> tuple[dict[str, Any], list[float | None]]:
    """Return the report of a dub, and how high each of its lines is, in hertz."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    result = dub(request, served, work, artifacts=Artifacts(folder / "pieces"))
    sound = films.decoded(result.files[0], RATE)
    report = result.report.as_json()
    placed = [(line["placed_start"], line["placed_end"]) for line in report["segments"]]
    return report, [media.median_pitch(sound, RATE, [slot]) if slot[0] < slot[1] else None for slot in placed]


def level(sound: NDArray[np.int16]) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(sound.astype(float) ** 2))))


def test_each_line_is_spoken_by_a_voice_of_its_speakers_gender_as_the_film_sounds(film: Path, tmp_path: Path) -> None:
    report, pitches = dubbed(request_for(film, tmp_path), tmp_path, factory())
    assert pitches == [pytest.approx(hertz, rel=0.03) for hertz in (100, 200, 100, 200)]
    assert [line["speaker"] for line in report["segments"]] == [0, 1, 0, 1]
    assert report["speakers"] == [
        {"id": 0, "label": "ANNA", "seconds": 5.0, "voice": "man"},
        {"id": 1, "label": "BEN", "seconds": 4.5, "voice": "woman"},
    ]


@pytest.mark.soak
def test_a_loud_voice_and_a_soft_one_are_equally_loud_in_the_dub(film: Path, tmp_path: Path) -> None:
    report, _ = dubbed(request_for(film, tmp_path), tmp_path, factory())
    sound = films.decoded(tmp_path / "work" / "talk.es.m4a", RATE)
    man, woman = (
        level(sound[int(line["placed_start"] * RATE) : int(line["placed_end"] * RATE)])
        for line in report["segments"][:2]
    )
    assert abs(man - woman) < 4  # as samples the man's is 18 dB louder; to the ear low tones are softer
    assert abs(report["loudness"]["integrated_lufs"] + 16) < 1


def test_a_wish_gives_a_speaker_a_voice_whatever_the_film_sounds_like(film: Path, tmp_path: Path) -> None:
    wished = replace(request_for(film, tmp_path), wishes=Wishes("Anna=woman,2=man"))
    report, pitches = dubbed(wished, tmp_path, factory())
    assert pitches == [pytest.approx(hertz, rel=0.03) for hertz in (200, 100, 200, 100)]
    assert [speaker["voice"] for speaker in report["speakers"]] == ["woman", "man"]


@pytest.mark.soak
def test_one_voice_that_is_wished_for_speaks_for_everybody(film: Path, tmp_path: Path) -> None:
    wished = replace(request_for(film, tmp_path), wishes=Wishes("woman"))
    report, pitches = dubbed(wished, tmp_path, factory())
    assert pitches == [pytest.approx(200, rel=0.03)] * 4
    assert [speaker["voice"] for speaker in report["speakers"]] == ["woman", "woman"]


def spoken_by(served: FakeFactory) -> set[str]:
    """Return what was spoken, by whatever voice."""
    assert isinstance(served.spoken, Choir)
    return {text for voice in (served.spoken, *served.spoken.others.values()) for text, _ in voice.asked}


@pytest.mark.soak
def test_an_engine_of_one_voice_speaks_higher_or_lower_for_the_second_speaker(film: Path, tmp_path: Path) -> None:
    served = factory(ToneSynthesizer(timbre=buzz(160)))
    report, pitches = dubbed(request_for(film, tmp_path), tmp_path, served)
    higher = 160 * 2 ** (3 / 12)
    assert pitches == [pytest.approx(hertz, rel=0.03) for hertz in (160, higher, 160, higher)]
    assert {speaker["voice"] for speaker in report["speakers"]} == {"tone-es"}


@pytest.mark.soak
@pytest.mark.parametrize("how", ["one name", "one speaker"])
def test_with_one_speaker_nothing_is_told_and_one_voice_speaks(film: Path, tmp_path: Path, how: str) -> None:
    request = request_for(film, tmp_path)
    if how == "one speaker":
        request = replace(request, speakers=1)
    else:
        request = request_for(film, tmp_path, [(start, end, text.replace("BEN", "ANNA")) for start, end, text in LINES])
    served = factory()
    report, pitches = dubbed(request, tmp_path, served)
    assert pitches == [pytest.approx(200, rel=0.03)] * 4
    assert "speakers" not in report
    assert all("speaker" not in line for line in report["segments"])
    assert isinstance(served.spoken, Choir)
    assert served.spoken.others == {}


@pytest.mark.soak
def test_an_edit_is_spoken_by_the_lines_own_voice_and_nothing_else_is_spoken_again(film: Path, tmp_path: Path) -> None:
    dubbed(request_for(film, tmp_path), tmp_path, factory())
    edited = replace(request_for(film, tmp_path), edits=Edits({3: Edit(text="No fue largo, la verdad.")}))
    again = factory()
    report, pitches = dubbed(edited, tmp_path, again)
    assert report["segments"][3]["text"] == "No fue largo, la verdad."
    assert pitches[2:] == [pytest.approx(100, rel=0.03), pytest.approx(200, rel=0.03)]
    assert spoken_by(again) == {"No fue largo, la verdad."}


class DearFactory(FakeFactory):
    """Serves a voice that is slow to speak."""

    def tts_service(self, *asked: Any, **more: Any) -> TtsService:  # noqa: ANN401 (as its base takes them)
        service = super().tts_service(*asked, **more)
        dear = replace(service.choice, info=replace(service.choice.info, is_dear=True))
        return TtsService(dear, lambda: nullcontext(self.spoken))


@pytest.mark.parametrize(("text", "tempo"), [("No mucho.", 0.9), ("No fue tan largo, lo digo con toda franqueza", 1.1)])
@pytest.mark.soak
def test_a_slow_voice_speaks_an_edited_line_once_at_the_rate_that_it_will_have(
    film: Path, tmp_path: Path, text: str, tempo: float
) -> None:
    request = request_for(film, tmp_path)
    for edits in (Edits(), Edits({3: Edit(text=text)})):
        voice = ToneSynthesizer()
        served = DearFactory(ScriptedTranscriber([]), voice)
        report = dub(replace(request, edits=edits), served, tmp_path, artifacts=Artifacts(tmp_path / "pieces")).report
    assert isinstance(report, DubReport)
    line = report.segments[3]
    ((asked_for, rate),) = voice.asked
    assert asked_for == text
    assert rate == pytest.approx(tempo * 1.005 * report.base_rate, abs=1e-3)
    assert line.natural_seconds == pytest.approx(len(text) * 0.05 / report.base_rate, rel=0.02)
    assert line.tempo == pytest.approx(tempo, abs=0.01)


@pytest.mark.soak
def test_where_one_speaker_gets_another_voice_only_their_lines_are_spoken_again(film: Path, tmp_path: Path) -> None:
    dubbed(request_for(film, tmp_path), tmp_path, factory())
    again = factory()
    wished = replace(request_for(film, tmp_path), wishes=Wishes("BEN=deep"))
    report, pitches = dubbed(wished, tmp_path, again)
    assert pitches == [pytest.approx(hertz, rel=0.03) for hertz in (100, 75, 100, 75)]
    assert [speaker["voice"] for speaker in report["speakers"]] == ["man", "deep"]
    assert spoken_by(again) == {line["text"] for line in report["segments"] if line["speaker"] == 1}


@pytest.mark.soak
def test_a_speakers_new_voice_speaks_only_their_lines_and_all_others_stay_as_they_are(
    film: Path, tmp_path: Path
) -> None:
    before, _ = dubbed(request_for(film, tmp_path), tmp_path, factory())
    again = factory()
    edits = Edits(speakers={1: SpeakerEdit(label="Benjamin", voice="deep")})
    report, pitches = dubbed(replace(request_for(film, tmp_path), edits=edits), tmp_path, again)
    assert pitches == [pytest.approx(hertz, rel=0.03) for hertz in (100, 75, 100, 75)]
    assert [(one["label"], one["voice"]) for one in report["speakers"]] == [("ANNA", "man"), ("Benjamin", "deep")]
    assert spoken_by(again) == {line["text"] for line in report["segments"] if line["speaker"] == 1}
    assert [report["segments"][line] for line in (0, 2)] == [before["segments"][line] for line in (0, 2)]


@pytest.mark.soak
def test_a_voice_that_another_speaker_has_already_leaves_that_speakers_lines_as_they_are(
    film: Path, tmp_path: Path
) -> None:
    before, _ = dubbed(request_for(film, tmp_path), tmp_path, factory())
    again = factory()
    edits = Edits(speakers={0: SpeakerEdit(voice="woman")})
    report, pitches = dubbed(replace(request_for(film, tmp_path), edits=edits), tmp_path, again)
    assert pitches == [pytest.approx(200, rel=0.03)] * 4
    assert spoken_by(again) == {line["text"] for line in report["segments"] if line["speaker"] == 0}
    assert [report["segments"][line] for line in (1, 3)] == [before["segments"][line] for line in (1, 3)]


@pytest.mark.soak
def test_a_line_that_is_given_to_another_speaker_is_spoken_by_their_voice(film: Path, tmp_path: Path) -> None:
    dubbed(request_for(film, tmp_path), tmp_path, factory())
    again = factory()
    edits = Edits({2: Edit(speaker=1)})
    report, pitches = dubbed(replace(request_for(film, tmp_path), edits=edits), tmp_path, again)
    assert pitches == [pytest.approx(hertz, rel=0.03) for hertz in (100, 200, 200, 200)]
    assert [line["speaker"] for line in report["segments"]] == [0, 1, 1, 1]
    assert [speaker["seconds"] for speaker in report["speakers"]] == [2.5, 7.0]
    assert spoken_by(again) == {report["segments"][2]["text"]}


@pytest.mark.soak
def test_a_line_may_be_given_to_somebody_who_was_not_told_apart(film: Path, tmp_path: Path) -> None:
    dubbed(request_for(film, tmp_path), tmp_path, factory())
    again = factory()
    edits = Edits({2: Edit(speaker=2)}, {2: SpeakerEdit(label="Chris", voice="deep")})
    report, pitches = dubbed(replace(request_for(film, tmp_path), edits=edits), tmp_path, again)
    assert pitches == [pytest.approx(hertz, rel=0.03) for hertz in (100, 200, 75, 200)]
    assert report["speakers"][2] == {"id": 2, "label": "Chris", "seconds": 2.5, "voice": "deep"}
    assert spoken_by(again) == {report["segments"][2]["text"]}


@pytest.mark.soak
def test_the_only_speaker_gets_another_voice_and_a_second_one(film: Path, tmp_path: Path) -> None:
    request = replace(request_for(film, tmp_path), speakers=1)
    dubbed(request, tmp_path, factory())
    edits = Edits(speakers={0: SpeakerEdit(voice="deep")})
    report, pitches = dubbed(replace(request, edits=edits), tmp_path, factory())
    assert pitches == [pytest.approx(75, rel=0.03)] * 4
    assert (report["engines"]["tts"]["voice"], "speakers" in report) == ("deep", False)
    edits = Edits({1: Edit(speaker=1)}).over(edits)
    again = factory()
    report, pitches = dubbed(replace(request, edits=edits), tmp_path, again)
    assert [speaker["label"] for speaker in report["speakers"]] == ["1", "2"]
    assert pitches[0] == pitches[2] == pytest.approx(75, rel=0.03)
    assert pitches[1] != pytest.approx(75, rel=0.1)
    assert spoken_by(again) == {report["segments"][1]["text"]}


def test_a_film_that_is_only_written_down_tells_its_speakers_without_voices(film: Path, tmp_path: Path) -> None:
    request = replace(request_for(film, tmp_path), target_language=None)
    report = dub(request, factory(), tmp_path).report.as_json()
    assert [line["speaker"] for line in report["segments"]] == [0, 1, 0, 1]
    assert report["speakers"][0] == {"id": 0, "label": "ANNA", "seconds": 5.0}


@pytest.mark.soak
def test_two_who_speak_at_once_are_dubbed_in_turn_and_the_report_counts_it(film: Path, tmp_path: Path) -> None:
    over = (LINES[0], (1.5, 3.2, "BEN: I am glad to be here."), *LINES[2:])
    report, pitches = dubbed(request_for(film, tmp_path, over), tmp_path, factory())
    lines = report["segments"]
    assert [line["speaker"] for line in lines] == [0, 1, 0, 1]
    assert None not in pitches
    for before, after in itertools.pairwise(lines):
        assert before["placed_end"] <= after["placed_start"]
    assert report["timing"]["overlapping_lines"] == 1
    for line, (start, _, _) in zip(lines, over, strict=True):
        assert abs(line["placed_start"] - start) < 2
    calm, _ = dubbed(request_for(film, tmp_path), tmp_path, factory())
    assert "overlapping_lines" not in calm["timing"]


@pytest.mark.soak
@pytest.mark.parametrize("target", ["es", ""])
def test_subtitles_mark_the_speakers_only_where_that_is_asked_for(film: Path, tmp_path: Path, target: str) -> None:
    plain = request_for(film, tmp_path) if target else replace(request_for(film, tmp_path), target_language=None)
    for name, request in (("plain", plain), ("marked", replace(plain, mark_speakers=True))):
        (tmp_path / name).mkdir()
        dub(request, factory(), tmp_path / name)
    for code in ("en", target or "en"):
        read = [captions.read((tmp_path / name / f"talk.{code}.vtt").read_bytes()) for name in ("marked", "plain")]
        assert [list(dict.fromkeys(each.speaker for each in one.utterances)) for one in read] == [["ANNA", "BEN"], [""]]
        assert (tmp_path / "marked" / f"talk.{code}.srt").read_text().count("BEN: ") == 2
        assert "BEN: " not in (tmp_path / "plain" / f"talk.{code}.srt").read_text()


@pytest.mark.soak
def test_a_wish_for_somebody_who_does_not_speak_is_noted(film: Path, tmp_path: Path) -> None:
    wished = replace(request_for(film, tmp_path), wishes=Wishes("Anna=man,Zoe=woman,3=man"))
    report, _ = dubbed(wished, tmp_path, factory())
    assert "No speaker goes by Zoe, 3; there are 1 (ANNA), 2 (BEN)." in report["notes"]
    report, _ = dubbed(replace(wished, speakers=1), tmp_path, factory())
    assert "Voices were named for several speakers, but only one was told apart." in report["notes"]
