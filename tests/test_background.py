"""What is heard under the dub: the original, turned down where somebody speaks, its room, and how parts of it join."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import films
from tests.asking import asked
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from tests.sounds import pcm, speech
from vt.domain import Background, Cancel, Clip, Finish, Placement, Word
from vt.dubbing import background, ducking, pipeline, track
from vt.dubbing.artifacts import Artifacts, fingerprint
from vt.dubbing.background import Ducked, Original, Room
from vt.dubbing.report import DubbedLine
from vt.dubbing.track import DubTrack, Level, Spoken
from vt.engines.protocols import Heard, VoiceRemover
from vt.errors import ModelUnavailable
from vt.media import SoundFormat, room_tone
from vt.settings import LOUDNESS, Settings

RATE = 48_000
VOICE_RATE = 22_050
LINES = [(3.0, 5.0), (9.0, 11.0), (11.4, 12.6), (16.0, 18.0)]
FILM = 22.0
PAUSES = [(0.5, 2.5), (6.0, 8.5), (13.5, 15.5), (19.0, 21.5)]
HERTZ = (2000, 3000)
"""Of the music, on the left and on the right."""

Sound = NDArray[np.float64]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a film in which somebody speaks four lines while two tones sound all the time, one on each side."""
    folder = tmp_path_factory.mktemp("film")
    said = films.spoken("one two three four five six seven", "en", folder / "said.wav")
    parts = [
        f"[0:a]atrim=0:{end - start},aresample={RATE},adelay={start * 1000:.0f},apad,atrim=0:{FILM}[line{number}]"
        for number, (start, end) in enumerate(LINES)
    ]
    names = "".join(f"[line{number}]" for number in range(len(LINES)))
    tones = "|".join(f"0.12*sin(2*PI*{hertz}*t)" for hertz in HERTZ)
    parts += [
        f"{names}amix=inputs={len(LINES)}:normalize=0,pan=stereo|c0=c0|c1=c0[speech]",
        f"aevalsrc={tones}:s={RATE}:d={FILM}[music];[speech][music]amix=inputs=2:normalize=0[all]",
    ]
    picture = ["-f", "lavfi", "-i", f"testsrc2=size=64x36:rate=25:duration={FILM}"]
    chosen = ["-filter_complex", ";".join(parts), "-map", "1:v", "-map", "[all]"]
    films.ffmpeg("-i", said, *picture, *chosen, *films.H264, "-c:a", "aac", "-b:a", "192k", folder / "film.mp4")
    return folder / "film.mp4"


@dataclass(frozen=True)
class Dubbed:
    """A dub, and what is heard in it, shape (n, 2)."""

    result: pipeline.Result
    dub: Sound
    original: Sound

    @property
    def channels(self) -> int:
        return int(next(one["channels"] for one in films.streams(self.result.files[0]) if one["codec_type"] == "audio"))


def dubbed(
    film: Path,
    folder: Path,
    wanted: Background | None,
    artifacts: Artifacts | None = None,
    remover: VoiceRemover | None = None,
    **settings: str,
) -> Dubbed:
    folder.mkdir(exist_ok=True)
    heard = [
        Heard((Word(start, (start + end) / 2, " Hello"), Word((start + end) / 2, end, f" world {number}.")))
        for number, (start, end) in enumerate(LINES)
    ]
    voice = ToneSynthesizer(0.1, timbre=lambda count, rate: speech(count / rate, rate, -20.0)[:count])
    request = asked(film, "es", finish=Finish(background=wanted))
    factory = FakeFactory(ScriptedTranscriber(heard), voice, Settings(**settings))  # type: ignore[arg-type]
    factory.remover = remover
    result = pipeline.dub(request, factory, folder, artifacts=artifacts)
    return Dubbed(result, stereo(result.files[0], 0), stereo(result.files[0], 1))


def stereo(path: Path, number: int) -> Sound:
    """Return a sound track of a file at 48 kHz."""
    options = ["-map", f"0:a:{number}", "-ac", "2", "-ar", str(RATE), "-f", "f32le", "pipe:1"]
    return np.frombuffer(films.ffmpeg("-i", path, *options), np.float32).reshape(-1, 2).astype(np.float64)


def cut(sound: Sound, start: float, end: float) -> Sound:
    return sound[round(start * RATE) : round(end * RATE)]


def level(sound: Sound) -> float:
    return float(10 * np.log10(np.mean(sound**2) + 1e-12))


def music(sound: Sound) -> float:
    """Return the level of the left tone in the left channel."""
    left = sound[:, 0]
    turned = np.exp(-2j * np.pi * HERTZ[0] * np.arange(len(left)) / RATE)
    return float(20 * np.log10(2**0.5 * abs(np.mean(left * turned)) + 1e-9))


def rest(sound: Sound) -> Sound:
    """Return a sound without the music."""
    spectra = np.fft.rfft(sound, axis=0)
    hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
    for tone in HERTZ:
        spectra[np.abs(hertz - tone) < 20] = 0
    return np.asarray(np.fft.irfft(spectra, len(sound), axis=0))


# A whole film


@pytest.fixture(scope="module")
def ducked(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Dubbed:
    return dubbed(film, tmp_path_factory.mktemp("ducked"), None)


def test_music_is_kept_in_the_pauses_at_its_level_and_far_below_the_dub_where_that_speaks(ducked: Dubbed) -> None:
    for pause in PAUSES:
        here, there = cut(ducked.dub, *pause), cut(ducked.original, *pause)
        assert level(here) == pytest.approx(level(there), abs=0.5)
        assert music(here) == pytest.approx(music(there), abs=0.5)
    for line in ducked.result.report.segments:
        assert isinstance(line, DubbedLine)
        here = cut(ducked.dub, line.placed_start + 0.05, line.placed_end - 0.05)
        assert level(rest(here)) > music(here) + 12
        assert music(here) < music(cut(ducked.original, line.placed_start + 0.05, line.placed_end - 0.05)) - 17.5


def test_the_original_voice_is_far_down_in_all_of_its_slots_also_where_the_dub_is_silent(ducked: Dubbed) -> None:
    """The dub's lines end before the original's do, and nobody speaks in the breath between two lines."""
    for start, end in [(4.85, 5.0), (10.85, 11.0), (11.05, 11.35), (17.85, 18.0)]:
        original = music(cut(ducked.original, start, end))
        assert music(cut(ducked.dub, start, end)) == pytest.approx(original - background.DUCKED_DB, abs=1.0)


def test_a_dub_over_music_is_as_loud_as_every_dub_in_stereo_and_the_report_says_what_was_kept(ducked: Dubbed) -> None:
    loudness, peak = films.loudness(ducked.result.files[0])
    assert loudness == pytest.approx(-16.0, abs=1.0)
    assert peak <= -1.0
    assert ducked.channels == 2
    assert len([note for note in ducked.result.report.notes if "It can be left out" in note]) == 1


@pytest.mark.soak
def test_music_that_nobody_wants_is_left_out_but_its_dub_is_not_dead_silent(film: Path, tmp_path: Path) -> None:
    made = dubbed(film, tmp_path, Background.NONE)
    for pause in PAUSES:
        assert -75 < level(cut(made.dub, *pause)) < room_tone.LOUDEST_DB
        assert music(cut(made.dub, *pause)) < -80
    assert made.channels == 1
    assert films.loudness(made.result.files[0])[0] == pytest.approx(-16.0, abs=1.0)


@pytest.mark.soak
def test_the_settings_say_how_loud_a_dub_over_music_is_and_the_music_stays_as_it_was(
    film: Path, tmp_path: Path, ducked: Dubbed
) -> None:
    artifacts = Artifacts(tmp_path / "pieces")
    for wanted in ("broadcast", "loud"):
        made = dubbed(film, tmp_path / wanted, Background.DUCK, artifacts, VT_LOUDNESS=wanted)
        assert films.loudness(made.result.files[0])[0] == pytest.approx(LOUDNESS[wanted], abs=1.0)
        lines = [level(rest(cut(sound, 3.1, 4.7))) for sound in (made.dub, ducked.dub)]
        assert (lines[0] > lines[1]) == (wanted == "loud")
    assert music(cut(made.dub, *PAUSES[1])) == pytest.approx(music(cut(made.original, *PAUSES[1])), abs=0.5)


def written(pieces: Path) -> dict[Path, int]:
    """Return when each piece was written; the takes of the lines note each run."""
    return {path: path.stat().st_mtime_ns for path in pieces.iterdir() if not path.name.startswith("takes-")}


@pytest.mark.soak
def test_a_second_run_decodes_and_encodes_nothing_and_is_the_same(film: Path, tmp_path: Path) -> None:
    first = dubbed(film, tmp_path / "first", Background.DUCK, Artifacts(tmp_path / "pieces"))
    kept = written(tmp_path / "pieces")
    second = dubbed(film, tmp_path / "second", Background.DUCK, Artifacts(tmp_path / "pieces"))
    assert written(tmp_path / "pieces") == kept
    assert np.array_equal(first.dub, second.dub)
    assert first.result.report.notes == second.result.report.notes


@pytest.mark.soak
def test_a_film_without_sound_has_nothing_to_keep_and_says_so_where_it_was_asked_for(tmp_path: Path) -> None:
    films.ffmpeg(*films.PICTURE, *films.H264, tmp_path / "film.mp4")
    (tmp_path / "said.srt").write_text("1\n00:00:00,200 --> 00:00:01,800\nGood day.\n", encoding="utf-8")
    for wanted, notes in [(Background.DUCK, 1), (Background.NONE, 0), (None, 0)]:
        request = asked(tmp_path / "film.mp4", "es", "en", tmp_path / "said.srt", finish=Finish(background=wanted))
        (folder := tmp_path / f"out{wanted}").mkdir()
        result = pipeline.dub(request, FakeFactory(ScriptedTranscriber([]), ToneSynthesizer()), folder)
        assert len([note for note in result.report.notes if "no sound to keep" in note]) == notes


# In parts

LONG = 130.0
STARTS = [1.0, 30.0, 58.0, 63.5, 90.0, 118.0, 124.0]


def original(folder: Path, sound: Sound) -> Original:
    """Return an original that sounds like this, shape (n, channels)."""
    path = folder / "original.pcm"
    path.write_bytes(np.asarray(np.clip(sound, -1, 1) * 32767, "<i2").tobytes())
    return Original(path, SoundFormat(RATE, sound.shape[1]), fingerprint("original"), ())


def chord(seconds: float) -> Sound:
    """Return music of steady tones, whose every sample follows from those before it."""
    moments = np.arange(round(seconds * RATE)) / RATE
    left, right = (sum(0.06 * np.sin(2 * np.pi * hertz * moments) for hertz in each) for each in TONES)
    return np.stack([left, right], axis=1)


TONES = ((330, 1250), (440, 1870))


def spoken(artifacts: Artifacts, start: float, seed: int) -> Spoken:
    samples = pcm(speech(2.0, VOICE_RATE, -20, seed))
    artifacts.put_clip("take", fingerprint(start, seed), Clip(samples, VOICE_RATE))
    return Spoken(start, 2.0, "take", fingerprint(start, seed))


def mixed(
    target: Path, artifacts: Artifacts, lines: Sequence[Spoken], under: Ducked | Room, *, is_cut: bool = True
) -> Sound:
    """Return what is heard of lines over a background, in parts or in one piece, at a level that is not corrected."""
    plan = [Placement(line.start, line.end, line.seconds, line.seconds, line.seconds) for line in lines]
    borders = track.cuts(plan, LONG, VOICE_RATE, under.form.rate)
    assert len(borders) > 3
    with DubTrack(
        borders if is_cut else [0, borders[-1]], VOICE_RATE, Level(0.0), artifacts, background=under
    ) as dubbed:
        for line in lines:
            dubbed.add(line)
        dubbed.write(target)
    return stereo(target, 0)


def over(lines: Sequence[Spoken], original: Original) -> Ducked:
    return Ducked(original, tuple(ducking.stretches(((at.start, at.end) for at in lines), [])), 18.0, LONG)


def borders_of(lines: Sequence[Spoken], rate: int) -> list[float]:
    plan = [Placement(line.start, line.end, line.seconds, line.seconds, line.seconds) for line in lines]
    return [at / VOICE_RATE for at in track.cuts(plan, LONG, VOICE_RATE, rate)[1:-1]]


@pytest.mark.soak
def test_music_that_was_cut_joins_without_a_trace(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "pieces")
    lines = [spoken(artifacts, start, seed) for seed, start in enumerate(STARTS)]
    under = over(lines, original(tmp_path, chord(LONG)))
    parts = mixed(tmp_path / "parts.m4a", artifacts, lines, under)
    whole = mixed(tmp_path / "whole.m4a", artifacts, lines, under, is_cut=False)
    shared = min(len(parts), len(whole))
    assert shared == pytest.approx(LONG * RATE, abs=1024)
    for at in borders_of(lines, RATE):
        difference = cut(parts[:shared] - whole[:shared], at - 0.1, at + 0.1)
        assert level(difference) < level(cut(whole, at - 0.1, at + 0.1)) - 40


@pytest.mark.soak
def test_a_room_that_was_cut_joins_without_a_trace(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "pieces")
    lines = [spoken(artifacts, start, seed) for seed, start in enumerate(STARTS)]
    tone = room_tone.tone([0.0, *[1e-8] * 256], 16_000, 24_000)
    under = Room(tone, "room", SoundFormat(24_000, 1), LONG)
    parts = mixed(tmp_path / "parts.m4a", artifacts, lines, under)
    for at in borders_of(lines, 24_000):
        before, here, after = (level(cut(parts, at + off, at + off + 0.03)) for off in (-0.05, -0.015, 0.02))
        assert here == pytest.approx((before + after) / 2, abs=4.0)


def clicks(sound: Sound) -> list[float]:
    """Return the seconds at which there is a step in a sound that holds nothing above 6 kHz."""
    spectra = np.fft.rfft(sound[:, 0])
    spectra[: round(6_000 / RATE * len(sound))] = 0
    high = np.fft.irfft(spectra, len(sound))
    windows = high[: len(high) // 240 * 240].reshape(-1, 240)
    loud = np.flatnonzero(10 * np.log10(np.mean(windows**2, axis=1) + 1e-12) > -75)
    return [round(float(at) * 240 / RATE, 3) for at in loud]


@pytest.mark.soak
def test_no_line_no_cut_and_no_change_of_the_background_makes_a_step(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "pieces")
    lines = []
    for number, start in enumerate(STARTS):
        moments = np.arange(2 * VOICE_RATE) / VOICE_RATE
        abrupt = pcm(0.2 * np.cos(2 * np.pi * 300 * moments))  # as where an engine ends a word in its middle
        artifacts.put_clip("take", fingerprint(number), Clip(abrupt, VOICE_RATE))
        lines.append(Spoken(start, 2.0, "take", fingerprint(number)))
    sound = mixed(tmp_path / "dub.m4a", artifacts, lines, over(lines, original(tmp_path, chord(LONG))))
    assert clicks(sound) == []
    stepped = sound.copy()
    stepped[round(70.0 * RATE) :] += 0.01
    assert clicks(stepped) != []


@pytest.mark.soak
def test_a_changed_line_over_music_costs_one_part(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "pieces")
    lines = [spoken(artifacts, start, seed) for seed, start in enumerate(STARTS)]
    music = original(tmp_path, chord(LONG))
    mixed(tmp_path / "first.m4a", artifacts, lines, over(lines, music))
    before = {path.name for path in (tmp_path / "pieces").glob("stretch-*.aac")}
    lines[4] = spoken(artifacts, STARTS[4] + 0.7, seed=99)
    mixed(tmp_path / "second.m4a", artifacts, lines, over(lines, music))
    assert len({path.name for path in (tmp_path / "pieces").glob("stretch-*.aac")} - before) == 1


def test_a_background_is_read_in_pieces_and_is_silent_behind_its_end(tmp_path: Path) -> None:
    under = Ducked(original(tmp_path, chord(12.0)), (), 18.0, LONG)
    pieces = list(under.samples(5 * RATE, 40 * RATE))
    assert [len(piece) / RATE for piece in pieces] == [10.0, 10.0, 10.0, 5.0]
    together = np.concatenate(pieces)
    assert np.allclose(together[: 7 * RATE], chord(12.0)[5 * RATE :], atol=2 / 32768)
    assert not together[7 * RATE :].any()


# Without the voices


class CentreRemover:
    """Takes out what is the same on both sides; of its first samples it makes no numbers."""

    def without_voices(self, pieces: Iterable[NDArray[np.float32]], cancel: Cancel) -> Iterator[NDArray[np.float32]]:
        for number, piece in enumerate(pieces):
            cancel.check()
            found = piece - piece.mean(axis=1, keepdims=True)
            found[: 0 if number else 100] = np.nan  # as a model may that computes with few bits
            yield found

    def close(self) -> None:
        """Do nothing."""


@pytest.fixture(scope="module")
def wide_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a film whose speech is in the middle, and whose music is opposite on both sides."""
    folder = tmp_path_factory.mktemp("wide")
    speech_and_music = "0.1*sin(2*PI*500*t)*gt(sin(2*PI*t/8)\\,0)"
    tones = f"0.12*sin(2*PI*{HERTZ[0]}*t)"
    sound = f"aevalsrc={speech_and_music}+{tones}|{speech_and_music}-{tones}:s=48000:d={FILM}"
    picture = ["-f", "lavfi", "-i", f"testsrc2=size=64x36:rate=25:duration={FILM}"]
    films.ffmpeg(*picture, "-f", "lavfi", "-i", sound, *films.H264, "-c:a", "aac", "-b:a", "192k", folder / "film.mp4")
    return folder / "film.mp4"


@pytest.mark.soak
def test_the_original_without_its_voices_stays_at_its_level_and_a_little_lower_under_the_dub(
    wide_film: Path, tmp_path: Path
) -> None:
    made = dubbed(wide_film, tmp_path, Background.KEEP, remover=CentreRemover())
    for pause in PAUSES:
        here, there = cut(made.dub, *pause), cut(made.original, *pause)
        assert music(here) == pytest.approx(music(there), abs=0.5)
        assert level(rest(here)) < -60
    line = cut(made.dub, 3.2, 4.6)
    lower = music(cut(made.original, 3.2, 4.6)) - music(line)
    assert background.ACCOMPANIMENT_DB - 0.5 < lower < background.DUCKED_DB
    assert level(rest(line)) > music(line) + 9
    assert not list((tmp_path / "pieces").glob("*.mixed"))


def test_voices_that_nothing_can_take_out_are_refused_before_any_work(film: Path, tmp_path: Path) -> None:
    factory = FakeFactory(ScriptedTranscriber([]), ToneSynthesizer())
    request = asked(film, "es", finish=Finish(background=Background.KEEP))
    with pytest.raises(ModelUnavailable, match="takes voices out"):
        pipeline.check(request, factory)
    with pytest.raises(ModelUnavailable, match="takes voices out"):
        pipeline.dub(request, factory, tmp_path)
    assert factory.heard.calls == 0
