"""Kokoro: real loading and speaking with a tiny model in ONNX's format, and with the bundled one where it is."""

from __future__ import annotations

import gc
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests import films
from tests.asking import asked
from tests.fakes import FakeFactory, ScriptedTranscriber
from tests.tiny_kokoro import tiny_kokoro
from tests.tiny_onnx import FLOAT16, INT32, INT64
from vt.domain import Cancel, Clip, Word
from vt.dubbing import pipeline
from vt.engines import kokoro, onnx_session
from vt.engines.kokoro import Kokoro
from vt.engines.kokoro_parts import divided
from vt.engines.kokoro_phonemes import phonemes
from vt.engines.protocols import Heard
from vt.errors import Cancelled, EngineError, ModelUnavailable
from vt.media import levels, median_pitch

ROOT = Path(__file__).parent.parent
BUNDLED = Path(sys.prefix) / "share" / "vt" / "models" / "kokoro-82m" / "model.onnx"
SPANISH = "La casa vieja estaba junto al camino, cerca del molino."
bundled = pytest.mark.skipif(not BUNDLED.is_file(), reason="Kokoro's weights are not installed here")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_kokoro(tmp_path_factory.mktemp("kokoro") / "model.onnx")


@pytest.fixture(scope="module")
def engine(file: Path) -> Iterator[Kokoro]:
    spanish = Kokoro(file, "ef_dora", threads=2)
    yield spanish
    spanish.close()


@pytest.fixture(scope="module")
def real() -> Iterator[Kokoro]:
    spanish = Kokoro(BUNDLED, "ef_dora", threads=2)
    yield spanish
    spanish.close()


def said(engine: Kokoro, text: str, rate: float = 1.0) -> Clip:
    (clip,) = engine.speak([(text, rate)], Cancel())
    return clip


def test_importing_the_engine_loads_no_heavy_library() -> None:
    script = "import sys, vt.engines.kokoro\nprint({'onnxruntime', 'torch', 'num2words'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"


def test_loading_and_speaking_write_nothing_and_keep_no_record_for_the_librarys_maker(
    file: Path, tmp_path: Path
) -> None:
    script = (
        "import sys\nfrom vt.domain import Cancel\nfrom vt.engines.kokoro import Kokoro\n"
        "print(len(next(Kokoro(sys.argv[1], 'ef_dora', 1).speak([('hola', 1.0)], Cancel())).samples) > 0)"
    )
    argv = [sys.executable, "-W", "error", "-c", script, str(file)]
    told = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name}
    home = told | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=ROOT, env=home)
    assert (done.stdout, done.stderr) == ("True\n", "")
    assert list(tmp_path.rglob("*")) == []


def test_a_line_is_sound_at_24_khz(engine: Kokoro) -> None:
    clip = said(engine, SPANISH)
    assert clip.sample_rate == 24_000
    assert clip.samples.dtype == np.int16
    assert clip.seconds > 1
    assert np.abs(clip.samples).max() > 1000


EXPORTS: dict[str, dict[str, object]] = {
    "older": {},
    "newer, with frame durations": {"tokens": "input_ids", "sound": "waveform", "durations": True},
    "style in float16": {"style": FLOAT16},
}


@pytest.mark.parametrize("how", EXPORTS.values(), ids=EXPORTS.keys())
def test_any_export_speaks_the_same(engine: Kokoro, tmp_path: Path, how: dict[str, str]) -> None:
    other = Kokoro(tiny_kokoro(tmp_path / "model.onnx", **how), "ef_dora", threads=1)  # type: ignore[arg-type]
    one, two = said(engine, "hola").samples.astype(int), said(other, "hola").samples.astype(int)
    assert len(one) == len(two)
    assert np.abs(one - two).max() < 10


@pytest.mark.parametrize("speed", [INT32, INT64])
def test_an_export_that_takes_whole_speeds_speaks_at_its_own_rate(engine: Kokoro, tmp_path: Path, speed: int) -> None:
    other = Kokoro(tiny_kokoro(tmp_path / "model.onnx", speed=speed), "ef_dora", threads=1)
    assert len({said(other, "hola", rate).seconds for rate in (0.8, 1.0, 1.5)}) == 1
    assert said(other, "hola").seconds == said(engine, "hola").seconds


def test_a_higher_rate_makes_a_shorter_line(engine: Kokoro) -> None:
    lengths = [said(engine, SPANISH, rate).seconds for rate in (0.01, 0.8, 1.0, 1.2, 1.5, 100.0)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] < 3 * lengths[2]


def test_a_line_sounds_the_same_alone_and_in_the_middle_of_others(engine: Kokoro, file: Path) -> None:
    lines = [("buenos días", 1.0), ("son 24 personas, ¿no?", 1.1), ("hasta luego", 0.9)]
    among = list(engine.speak(lines, Cancel()))[1]
    assert np.array_equal(among.samples, said(engine, *lines[1]).samples)
    assert np.array_equal(among.samples, said(Kokoro(file, "ef_dora", threads=1), *lines[1]).samples)


def test_each_voice_sounds_different(file: Path) -> None:
    for language in {one.language_code for one in kokoro.VOICES}:
        ids = [one.id for one in kokoro.VOICES if one.language_code == language]
        heard = {said(Kokoro(file, one, 1), "casa").samples.tobytes() for one in ids}
        assert len(heard) == len(ids)


@pytest.mark.parametrize("text", ["", " ", "…?!", "😀🎉", "漢字かな", "مرحبا", "\n\t", "\x00", "- ' -", "«»()"])
def test_a_line_with_nothing_to_say_is_an_empty_clip(engine: Kokoro, text: str) -> None:
    clip = said(engine, text)
    assert (len(clip.samples), clip.sample_rate) == (0, 24_000)


def test_every_line_gives_a_clip_in_order(engine: Kokoro) -> None:
    texts = ["casa " * (1 + number * 5 % 7) if number % 4 else "😀" for number in range(40)]
    one_by_one = [said(engine, text).seconds for text in texts]
    assert [clip.seconds for clip in engine.speak([(text, 1.0) for text in texts], Cancel())] == one_by_one
    assert list(engine.speak([], Cancel())) == []


LONG = {
    "without a mark": "una casa roja " * 143,
    "without a space": "a" * 2000,
    "with clauses": "la casa es roja, y grande; " * 75,
    "with sentences": "La casa es roja. Es muy grande. " * 63,
    "of numbers": "1 " * 1000,
    "of marks": "(" * 1000 + "casa" + ")" * 1000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
def test_a_line_of_2_000_characters_is_spoken_in_parts_that_the_model_can_take(engine: Kokoro, text: str) -> None:
    usual, slow = engine.parts([(text, 1.0), (text, 0.5)], Cancel())
    assert max(len(part) for part, _ in usual) <= 200
    assert max(len(part) for part, _ in slow) <= 110
    whole = "".join(part for part, _ in usual).replace(" ", "")
    assert "".join(part for part, _ in slow).replace(" ", "") == whole
    assert said(engine, text).seconds > 0.05


def test_a_long_line_is_divided_behind_a_sentence_or_else_a_clause_and_pauses_there() -> None:
    text = "ˈuno dˈos, tɾˈes kwˈatɾo. θˈinko sˈɛis, sjˈete ˈotʃo; nwˈeve djˈeθ."
    assert divided(text, 60) == ["ˈuno dˈos, tɾˈes kwˈatɾo.", "θˈinko sˈɛis, sjˈete ˈotʃo; nwˈeve djˈeθ."]
    assert divided("ˈuno dˈos tɾˈes, kwˈatɾo θˈinko", 20) == ["ˈuno dˈos tɾˈes,", "kwˈatɾo θˈinko"]
    assert divided("a" * 10, 4) == ["aaa", "aaa", "aaaa"]
    assert divided("ˈa. ˈ, .", 4) == ["ˈa."]


def test_signs_that_the_model_does_not_know_are_left_out(file: Path) -> None:
    hindi, letter = Kokoro(file, "hf_alpha", threads=1), "ड़"
    assert "r\u0329" in phonemes([letter], "hi", Cancel())[0]  # a consonant that makes a syllable
    ((part, _),) = next(hindi.parts([(letter, 1.0)], Cancel()))
    assert "r" in part
    assert set(part) <= set(kokoro.signs())
    assert said(hindi, letter).seconds > 0


def test_a_cancel_ends_the_speech_within_a_part(engine: Kokoro) -> None:
    cancel = Cancel()
    clips = engine.speak([(SPANISH, 1.0)] * 1000, cancel)
    next(clips)
    cancel.set()
    with pytest.raises(Cancelled):
        list(clips)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("kokoro")]
    assert said(engine, "hola").seconds > 0


@dataclass(eq=False)
class WatchedCancel(Cancel):
    """Shows what would be called at a cancel."""

    hooks: list[Callable[[], None]] = field(default_factory=list)

    def add(self, hook: Callable[[], None]) -> None:
        self.hooks.append(hook)
        super().add(hook)

    def remove(self, hook: Callable[[], None]) -> None:
        self.hooks.remove(hook)
        super().remove(hook)


def test_a_listener_who_leaves_leaves_nothing_behind(engine: Kokoro) -> None:
    cancel = WatchedCancel()
    clips = engine.speak([(SPANISH, 1.0)] * 1000, cancel)
    assert isinstance(clips, Generator)
    next(clips)
    assert cancel.hooks
    clips.close()
    assert not cancel.hooks
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("kokoro")]


def test_two_listeners_at_once_do_not_disturb_each_other(engine: Kokoro) -> None:
    lines = [(f"una línea {number}", 1.0) for number in range(12)]
    alone = [clip.samples for clip in engine.speak(lines, Cancel())]
    heard: dict[int, list[Clip]] = {}

    def speak(number: int) -> None:
        heard[number] = list(engine.speak(lines, Cancel()))

    threads = [threading.Thread(target=speak, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(heard) == 2
    for clips in heard.values():
        assert all(np.array_equal(clip.samples, samples) for clip, samples in zip(clips, alone, strict=True))


def test_a_missing_broken_or_foreign_file_is_an_error_in_one_line(tmp_path: Path, file: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(file.read_bytes()[:300])
    empty = tmp_path / "empty.onnx"
    empty.write_bytes(b"")
    foreign = tiny_kokoro(tmp_path / "foreign.onnx", tokens="words")
    for path in (broken, empty, foreign, tmp_path / "none.onnx", tmp_path):
        with pytest.raises(ModelUnavailable, match="Kokoro") as caught:
            Kokoro(path, "ef_dora", threads=1)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


def test_without_onnx_runtime_for_graphics_cards_cuda_is_an_error_in_one_line(file: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("ONNX Runtime can compute on a graphics card here")
    with pytest.raises(ModelUnavailable, match="cuda"):
        Kokoro(file, "ef_dora", threads=1, device="cuda")


def test_each_language_has_a_default_voice() -> None:
    languages = ("en", "es", "fr", "it", "pt", "hi")
    defaults = [kokoro.default_voice(code) for code in languages]
    assert [one.id for one in defaults if one] == ["af_heart", "ef_dora", "ff_siwis", "if_sara", "pf_dora", "hf_alpha"]
    assert kokoro.default_voice("de") is None
    assert {one.language_code for one in kokoro.VOICES} == set(languages)


def test_the_voices_are_whole_and_each_has_its_own_vectors() -> None:
    all_styles = [kokoro.styles(one) for one in kokoro.VOICES]
    for style in all_styles:
        assert style.shape == (510, 256)
        assert style.dtype == np.float32
        assert 0.5 < np.abs(style).max() < 5
    assert not any(np.allclose(one, other) for one, other in itertools.combinations(all_styles, 2))
    assert (ROOT / "vt" / "engines" / "kokoro-voices.bin").stat().st_size < 5_000_000


def test_the_estimate_grows_with_the_file_and_the_threads_up_to_a_bound(file: Path, tmp_path: Path) -> None:
    reckoned = [kokoro.estimated_bytes(file, threads) for threads in (1, 2, 4, 64)]
    assert reckoned[0] < reckoned[1] < reckoned[2] == reckoned[3]
    assert kokoro.estimated_bytes(file, 2, "cuda") < reckoned[1]  # nothing is there twice
    assert kokoro.estimated_bytes(tmp_path / "none.onnx", 2) == 0


def test_a_line_alone_gets_all_threads_from_a_session_of_its_own_that_is_loaded_once(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, load = list[int](), onnx_session.load

    def counted(model: str, path: Path, threads: int, device: str) -> object:
        loaded.append(threads)
        return load(model, path, threads, device)

    monkeypatch.setattr(onnx_session, "load", counted)
    spanish = Kokoro(file, "ef_dora", threads=2)
    several = [clip.samples for clip in spanish.speak([("casa", 1.0), ("camino", 1.0)], Cancel())]
    assert loaded == [1]
    assert np.array_equal(said(spanish.speaking("ef_dora"), "casa").samples, several[0])
    assert np.array_equal(said(spanish, "camino").samples, several[1])
    assert loaded == [1, 2]
    spanish.close()


def test_a_line_alone_is_spoken_where_the_file_has_gone_since_it_was_loaded(file: Path, tmp_path: Path) -> None:
    gone = tmp_path / "model.onnx"
    gone.write_bytes(file.read_bytes())
    with closing(Kokoro(gone, "ef_dora", threads=2)) as spanish:
        gone.unlink()
        assert len(said(spanish, "casa").samples)


def sessions() -> int:
    """Return how many models ONNX Runtime has in memory."""
    from onnxruntime import InferenceSession

    gc.collect()
    # isinstance would ask each object for its class, and some objects of torch warn when they are asked anything.
    return sum(type(one) is InferenceSession for one in gc.get_objects())


@pytest.mark.soak
def test_closing_lets_go_of_the_model_and_may_happen_twice(file: Path) -> None:
    before = sessions()
    closed = Kokoro(file, "ef_dora", threads=1)
    assert sessions() == before + 1
    closed.close()
    assert sessions() == before
    closed.close()
    with pytest.raises(EngineError):
        said(closed, "hola")


@bundled
@pytest.mark.soak
@pytest.mark.parametrize("rate", [0.8, 1.2])
def test_a_rate_makes_a_sentence_so_many_times_as_short(real: Kokoro, rate: float) -> None:
    usual, quick = real.speak([(SPANISH, 1.0), (SPANISH, rate)], Cancel())
    assert quick.seconds == pytest.approx(usual.seconds / rate, rel=0.15)


@bundled
@pytest.mark.soak
def test_a_question_for_yes_or_no_ends_higher_than_the_same_words_as_a_statement(real: Kokoro) -> None:
    lines = [("Lei è tornata a casa.", 1.0), ("Lei è tornata a casa?", 1.0)]
    ends = [
        median_pitch(clip.samples, clip.sample_rate, [(clip.seconds - 0.5, clip.seconds)])
        for clip in real.speaking("if_sara").speak(lines, Cancel())
    ]
    assert ends[0] is not None
    assert ends[1] is not None
    assert 12 * np.log2(ends[1] / ends[0]) > 2


@bundled
@pytest.mark.soak
def test_a_spanish_line_pauses_where_the_original_paused(real: Kokoro, tmp_path: Path) -> None:
    said = [("When", 0.5), ("it", 0.9), ("rained,", 1.2), ("we", 2.9), ("went", 3.2), ("back", 3.5), ("home.", 3.9)]
    script = [Heard(tuple(Word(start, start + 0.3, f" {text}") for text, start in said))]
    film = tmp_path / "talk.wav"
    films.ffmpeg("-f", "lavfi", "-i", "sine=220:d=6", film)
    factory = FakeFactory(ScriptedTranscriber(script), real)  # type: ignore[arg-type]
    result = pipeline.dub(asked(film, "es", "en"), factory, tmp_path)
    sound = films.decoded(result.files[0], 16_000)
    (first, second) = levels.sounding(sound, 16_000, gap=0.35, pad=0.0)
    assert first[1] == pytest.approx(1.5, abs=0.4)
    assert second[0] == pytest.approx(2.9, abs=0.3)


@bundled
def test_spanish_is_spoken_in_order_without_silence_around_it(real: Kokoro) -> None:
    short, long = real.speak([("Hola, buenos días.", 1.0), (SPANISH, 1.0)], Cancel())
    assert 0.7 < short.seconds < 2.5 < long.seconds < 5
    for clip in (short, long):
        loud = np.flatnonzero(np.abs(clip.samples) > 300)
        assert loud[0] / clip.sample_rate < 0.1
        assert (len(clip.samples) - loud[-1]) / clip.sample_rate < 0.2


@bundled
def test_a_cancel_ends_a_part_that_takes_seconds(real: Kokoro) -> None:
    cancel = Cancel()
    timer = threading.Timer(0.5, cancel.set)
    timer.start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        list(real.speak([(f"{SPANISH} {SPANISH} {SPANISH}", 1.0)] * 20, cancel))
    assert time.monotonic() - began < 10  # all of it takes a minute and more
    timer.join()
