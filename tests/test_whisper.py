"""Whisper, the real bundled models, on the sample film."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
from faster_whisper import BatchedInferencePipeline
from numpy.typing import NDArray

from tests.sounds import noise, pcm, silence
from vt import languages, media
from vt.domain import Cancel, Dropped, Word
from vt.engines import whisper
from vt.engines.protocols import Heard
from vt.engines.whisper import RATE, Whisper
from vt.engines.whisper_steps import Checking
from vt.errors import Cancelled, EngineError, ModelUnavailable
from vt.media import levels
from vt.model_files import bundle
from vt.system.graphics import Memory

ROOT = Path(__file__).parent.parent
TINY = str(bundle.ROOT / "whisper-tiny.en")
SAMPLES = ROOT / "samples"
FILM = SAMPLES / "sense_and_sensibility.mp4"
SAID = FILM.with_suffix(".txt").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def engine() -> Whisper:
    return Whisper(TINY, 2, vad=False)


@pytest.fixture(scope="session")
def with_vad() -> Whisper:
    return Whisper(TINY, 2, vad=True)


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.int16]:
    """The sound of the sample film."""
    info = media.probe(FILM)
    return media.extract(info, info.audio[0], tmp_path_factory.mktemp("sample") / "pcm")


@pytest.fixture(scope="session")
def part(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """The first seconds of it, up to a pause."""
    cut = levels.quietest(levels.levels(samples, RATE), 5.0, 9.0)
    return samples[: int(cut * RATE)]


@pytest.fixture(scope="session")
def part_once(engine: Whisper, part: NDArray[np.int16]) -> list[Heard | Dropped]:
    """What the model hears in the part."""
    return heard(engine, part)


def heard(engine: Whisper, samples: NDArray[np.generic]) -> list[Heard | Dropped]:
    return list(engine.transcribe(samples, languages.ENGLISH, Cancel()))


def words(found: list[Heard | Dropped]) -> list[Word]:
    return [word for run in found if isinstance(run, Heard) for word in run.words]


def texts(found: list[Heard | Dropped]) -> list[str]:
    return [word.text for word in words(found)]


def normalised(text: str) -> str:
    text = re.sub(r"\bmr\b", "mister", text.lower().replace("-", " "))
    return " ".join(re.sub(r"[^a-z' ]", " ", text).split())


def error_rate(found: list[Heard | Dropped], said: str = SAID) -> float:
    return float(jiwer.wer(normalised(said), normalised("".join(word.text for word in words(found)))))


def in_order(found: list[Heard | Dropped], seconds: float) -> None:
    """Check the times of all words; a run that was heard at a second look may come behind later ones."""
    runs = sorted((run.words for run in found if isinstance(run, Heard)), key=lambda run: run[0].start)
    times = [moment for run in runs for word in run for moment in (word.start, word.end)]
    assert all(0 <= moment <= seconds + 0.05 for moment in times)
    assert all(before <= after + 1e-6 for before, after in pairwise(times))


def stretches(found: list[Heard | Dropped]) -> list[tuple[float, float]]:
    return [(run.start, run.end) for run in found if isinstance(run, Dropped)]


# Hearing


@pytest.fixture(scope="session")
def once(engine: Whisper, samples: NDArray[np.int16]) -> list[Heard | Dropped]:
    """What the model hears in the sample."""
    return heard(engine, samples)


def test_the_sample_is_heard_almost_without_an_error(once: list[Heard | Dropped]) -> None:
    assert error_rate(once) < 0.15


def test_every_word_has_its_time_in_order_and_inside_the_film(
    once: list[Heard | Dropped], samples: NDArray[np.int16]
) -> None:
    in_order(once, len(samples) / RATE)
    assert all(0 <= word.probability <= 1 for word in words(once))
    assert all(word.text.strip() for word in words(once))


def test_the_words_lie_where_the_sound_is(once: list[Heard | Dropped], samples: NDArray[np.int16]) -> None:
    spoken = np.concatenate([samples[int(word.start * RATE) : int(word.end * RATE)] for word in words(once)])
    assert np.sqrt(np.mean(spoken.astype(np.float64) ** 2)) > np.sqrt(np.mean(samples.astype(np.float64) ** 2))


def test_words_carry_their_punctuation(once: list[Heard | Dropped]) -> None:
    assert sum(word.text.rstrip().endswith(".") for word in words(once)) >= 3


def test_voice_activity_detection_hears_the_same_words(
    with_vad: Whisper, part: NDArray[np.int16], part_once: list[Heard | Dropped]
) -> None:
    found = heard(with_vad, part)
    assert error_rate(found, "".join(texts(part_once))) < 0.15
    in_order(found, len(part) / RATE)


@pytest.mark.soak
def test_a_film_longer_than_the_model_looks_at_once_is_heard_whole(engine: Whisper, samples: NDArray[np.int16]) -> None:
    times = -(-180 * RATE // len(samples))
    long = np.tile(samples, times)
    found = heard(engine, long)
    assert error_rate(found, f"{SAID} " * times) < 0.15
    in_order(found, len(long) / RATE)
    runs = [run.words for run in found if isinstance(run, Heard)]
    assert len(runs) >= len(long) / RATE / 30
    assert max(run[-1].end - run[0].start for run in runs) <= 30.0


# Silence and what is no speech


def test_speech_without_a_pause_is_heard_whole_also_where_its_windows_meet(
    engine: Whisper, samples: NDArray[np.int16]
) -> None:
    level = levels.levels(samples, RATE)
    frames = samples[: len(level) * RATE // 50].reshape(-1, RATE // 50)
    breathless = np.tile(frames[level > np.percentile(level, 99) - 22].ravel(), 2)[2 * RATE : 29 * RATE]
    found = "".join(texts(heard(engine, breathless)))
    # The first window ends within "power"; what is missed is heard later, but behind all else.
    assert " might be prudently in his power to do for them. He was not an" in found
    assert found.count("He was not") == 2  # as often as it is said: at the beginning, and beside that place


def test_a_long_silence_between_speech_is_dropped_and_the_words_behind_it_keep_their_time(
    engine: Whisper, part: NDArray[np.int16], part_once: list[Heard | Dropped]
) -> None:
    length = len(part) / RATE
    found = heard(engine, np.concatenate([part, pcm(silence(12, RATE)), part]))
    ((start, end),) = stretches(found)
    assert start == pytest.approx(length, abs=1.0)
    assert end == pytest.approx(length + 12, abs=1.0)
    assert texts(found) == texts(part_once) * 2
    in_order(found, 2 * length + 12)
    assert words(found)[-1].end == pytest.approx(words(part_once)[-1].end + length + 12, abs=0.7)


@pytest.fixture(scope="session", params=[False, True], ids=["without detection", "with detection"])
def closed(request: pytest.FixtureRequest) -> Whisper:
    """An engine whose model is gone: whoever asks it gets an error."""
    engine = Whisper(TINY, 2, vad=request.param)
    engine.close()
    return engine


def test_a_closed_model_is_an_error_for_whoever_asks_it(closed: Whisper, samples: NDArray[np.int16]) -> None:
    with pytest.raises(EngineError):
        heard(closed, samples)


@pytest.mark.parametrize("seconds", [4.5, 20.0, 75.0])
def test_silence_is_dropped_without_asking_the_model(closed: Whisper, seconds: float) -> None:
    (found,) = heard(closed, pcm(silence(seconds, RATE)))
    assert isinstance(found, Dropped)
    assert (found.start, found.end) == (0.0, seconds)
    assert found.text == ""
    assert found.reason


def test_faint_noise_is_dropped_without_asking_the_model(closed: Whisper) -> None:
    (found,) = heard(closed, pcm(noise(10, RATE, -80)))
    assert isinstance(found, Dropped)


@pytest.mark.parametrize("count", [0, 1, 100, RATE])
def test_a_moment_of_silence_is_nothing(closed: Whisper, count: int) -> None:
    assert heard(closed, np.zeros(count, np.int16)) == []


def test_loud_noise_is_not_taken_for_speech(engine: Whisper) -> None:
    assert words(heard(engine, pcm(noise(10, RATE, -20)))) == []


class Doubting(BatchedInferencePipeline):  # type: ignore[misc]
    """Takes windows of a length or more for no speech, as Whisper at times does where one begins within a sentence."""

    longest_heard = 6.0

    def forward(
        self, _features: object, _tokenizer: object, about: list[dict[str, float]], _options: object
    ) -> list[list[dict[str, Any]]]:
        return [[self._part(**one)] for one in about]

    def _part(self, offset: float, duration: float) -> dict[str, Any]:
        is_heard = duration < self.longest_heard
        word = {"start": offset + 1.0, "end": offset + 1.5, "word": " Well.", "probability": 0.9}
        return {
            **{"text": " Well.", "words": [word], "compression_ratio": 1.0},
            **{"no_speech_prob": 0.1 if is_heard else 0.7, "avg_logprob": -0.2 if is_heard else -0.6},
        }


def test_a_long_window_that_seems_to_hold_no_speech_is_heard_once_more_in_halves(
    engine: Whisper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faster_whisper.BatchedInferencePipeline", Doubting)
    found = words(heard(engine, pcm(noise(10, RATE, -20))))
    assert {word.start > 5 for word in found} == {False, True}
    monkeypatch.setattr(Doubting, "longest_heard", 0.0)
    assert stretches(heard(engine, pcm(noise(10, RATE, -20)))) == [(0.0, 10.0)]


# Threads


def test_two_threads_at_once_are_both_right(
    engine: Whisper, part: NDArray[np.int16], part_once: list[Heard | Dropped]
) -> None:
    results: list[list[Heard | Dropped]] = []
    floats = part.astype(np.float32) / 32768
    threads = [threading.Thread(target=lambda: results.append(heard(engine, floats))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [texts(found) for found in results] == [texts(part_once)] * 2


@pytest.mark.soak
def test_a_second_caller_is_heard_though_the_first_has_not_ended(engine: Whisper, part: NDArray[np.int16]) -> None:
    first = engine.transcribe(part, languages.ENGLISH, Cancel())
    assert isinstance(first, Generator)
    next(found for found in first if isinstance(found, Heard))
    second = threading.Thread(target=heard, args=(engine, part[: 2 * RATE]), daemon=True)
    second.start()
    second.join(60)
    assert not second.is_alive()
    first.close()


def test_a_prompt_tells_how_a_name_is_spelt_to_one_caller_alone(engine: Whisper, part: NDArray[np.int16]) -> None:
    moment = part[: round(4.6 * RATE)]
    told, plain = heard(engine.prompted("Mr. Jon Dashwoode"), moment), heard(engine, moment)
    assert "Jon Dashwoode" in "".join(texts(told)) and "Jon Dashwoode" not in "".join(texts(plain))


def test_a_cancel_ends_the_hearing_and_frees_the_model(
    engine: Whisper, part: NDArray[np.int16], part_once: list[Heard | Dropped]
) -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        list(engine.transcribe(part, languages.ENGLISH, cancel))
    assert texts(heard(engine, part)) == texts(part_once)


# Models that cannot be loaded


def unloadable(folder: Path) -> str:
    """Return the sentence with which a model is refused."""
    with pytest.raises(ModelUnavailable) as caught:
        Whisper(str(folder), 1, vad=False)
    sentence = str(caught.value)
    assert str(folder) in sentence
    assert "\n" not in sentence
    assert len(sentence) < 500
    return sentence


def broken(folder: Path, name: str, content: bytes | None, model: str = TINY) -> Path:
    """Make a folder of links to a bundled model's files, but for one that has other content or is missing."""
    folder.mkdir(parents=True)
    for file in Path(model).iterdir():
        if file.name != name:
            (folder / file.name).symlink_to(file)
        elif content is not None:
            (folder / name).write_bytes(content)
    return folder


def test_a_tokenizer_is_parsed_once_however_often_its_model_is_loaded(tmp_path: Path) -> None:
    for file in Path(TINY).iterdir():
        (tmp_path / file.name).symlink_to(file)
    before = whisper.parsed_tokenizer.cache_info().misses
    for _ in range(3):
        Whisper(str(tmp_path), 2, vad=False).close()
    assert whisper.parsed_tokenizer.cache_info().misses == before + 1


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    unloadable(tmp_path)


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    unloadable(tmp_path / "none")


def test_a_model_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    with Path(TINY, "model.bin").open("rb") as file:
        unloadable(broken(tmp_path / "model", "model.bin", file.read(1_000_000)))


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", bytes(range(256)) * 100])
def test_a_model_of_other_bytes_is_refused(tmp_path: Path, content: bytes) -> None:
    unloadable(broken(tmp_path / "model", "model.bin", content))


@pytest.mark.parametrize("name", ["model.bin", "tokenizer.json"])
def test_a_model_without_one_of_its_files_is_refused_and_nothing_is_downloaded(tmp_path: Path, name: str) -> None:
    began = time.monotonic()
    assert name in unloadable(broken(tmp_path / "model", name, None))
    assert time.monotonic() - began < 5


def test_a_model_with_a_broken_tokenizer_is_refused(tmp_path: Path) -> None:
    unloadable(broken(tmp_path / "model", "tokenizer.json", b"{"))


@pytest.mark.parametrize("size", whisper.BUNDLED)
def test_a_bundled_model_is_refused_where_one_byte_of_it_is_another(tmp_path: Path, size: str) -> None:
    folder = tmp_path / "share" / "vt" / "models" / f"whisper-{size}"
    config = bytearray((bundle.ROOT / folder.name / "config.json").read_bytes())
    config[len(config) // 2] ^= 1
    broken(folder, "config.json", bytes(config), str(bundle.ROOT / folder.name))
    script = (
        f"import sys; sys.prefix = {str(tmp_path)!r}\n"
        f"from vt.engines import whisper; whisper.Whisper(str(whisper.bundled({size!r})), 1, vad=False)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT)
    assert f"ModelUnavailable: Whisper {size} in {folder} cannot be used: config.json changed" in done.stderr


# The larger of the bundled models


@pytest.fixture(scope="session")
def base() -> Whisper:
    return Whisper(str(bundle.ROOT / "whisper-base"), 2, vad=False)


@pytest.mark.soak
def test_base_hears_the_sample_without_an_error(base: Whisper, samples: NDArray[np.int16]) -> None:
    assert error_rate(heard(base, samples)) < 0.05


@pytest.mark.soak
def test_base_tells_which_language_is_spoken(base: Whisper, part: NDArray[np.int16], tmp_path: Path) -> None:
    said = "La casa de mi hermana está cerca del río, y todos los días trabajamos en el jardín con nuestros amigos."
    subprocess.run(["espeak-ng", "-v", "es", "-w", tmp_path / "spanish.wav", said], check=True)
    info = media.probe(tmp_path / "spanish.wav")
    spanish = media.extract(info, info.audio[0], tmp_path / "pcm")
    for sounds, language in ((part, languages.ENGLISH), (spanish, languages.SPANISH)):
        found, probability = base.detect(sounds)
        assert found == language
        assert probability > 0.8


@pytest.mark.parametrize(
    ("card", "at_once"),
    [
        (None, 1),
        (Memory(80 * 2**30, 0), 24),
        (Memory(8 * 2**30, 0), 10),
        (Memory(8 * 2**30, 7 * 2**30), 1),
        (Memory(8 * 2**30, 8 * 2**30), 1),
    ],
)
def test_as_many_windows_go_together_as_half_of_the_free_memory_of_a_card_takes(
    card: Memory | None, at_once: int
) -> None:
    assert whisper.windows_at_once(3 * 2**29, card) == at_once


class Stepping:
    """Notes its steps, and is cancelled while it makes one of them."""

    def __init__(self, cancelled_in: str) -> None:
        self.cancel, self.made, self._cancelled_in = Cancel(), list[str](), cancelled_in

    def encode(self, _: object) -> str:
        return self._step("encode")

    def generate(self) -> str:
        return self._step("generate")

    def add_word_timestamps(self, *_: object) -> str:
        return self._step("times")

    def _step(self, name: str) -> str:
        self.made.append(name)
        if name == self._cancelled_in:
            self.cancel.set()
        return name


@pytest.mark.parametrize(("during", "made"), [("encode", 1), ("generate", 2), ("times", 3)])
def test_a_cancel_is_heard_before_the_next_step_of_a_window(during: str, made: int) -> None:
    model = Stepping(during)
    checking = Checking(model, model.cancel)
    with pytest.raises(Cancelled) if made < 3 else nullcontext():
        checking.encode(np.zeros(1, np.float32))
        checking.generate()
        checking.add_word_timestamps([], None)
    assert model.made == ["encode", "generate", "times"][:made]
