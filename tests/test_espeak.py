"""espeak-ng, the real program: rates, awkward texts, order, and no process left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

from vt.domain import Cancel, Clip
from vt.engines import espeak
from vt.engines.espeak import Espeak
from vt.errors import Cancelled, ToolError

SENTENCE = "La casa es roja, y el jardín que la rodea es grande y está lleno de flores."
VERY_LONG = "una casa roja y grande " * 4000


@pytest.fixture
def engine() -> Espeak:
    return Espeak("es", 2)


def generated(engine: Espeak, lines: list[tuple[str, float]]) -> Generator[Clip, None, None]:
    """Speak as a generator that can be closed, as a listener does who leaves."""
    clips = engine.speak(lines, Cancel())
    assert isinstance(clips, Generator)
    return clips


def spoken(engine: Espeak, *texts: str, rate: float = 1.0) -> list[Clip]:
    return list(engine.speak([(text, rate) for text in texts], Cancel()))


def own_espeaks() -> list[Path]:
    """Return the espeak-ng processes that this process has started and that still run."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        try:
            children = (task / "children").read_text().split()
        except OSError:  # the thread has ended meanwhile
            continue
        for pid in children:
            try:
                if (Path("/proc") / pid / "comm").read_text().startswith("espeak"):
                    found.append(Path("/proc") / pid)
            except OSError:  # it has ended meanwhile
                continue
    return found


def test_a_sentence_is_spoken_at_the_native_rate(engine: Espeak) -> None:
    (clip,) = spoken(engine, SENTENCE)
    assert clip.sample_rate == espeak.NATIVE_RATE == 22_050
    assert clip.samples.dtype == np.int16
    assert 3.0 < clip.seconds < 7.0
    assert int(np.abs(clip.samples.astype(np.int32)).max()) > 5000


def test_there_is_no_silence_around_a_sentence(engine: Espeak) -> None:
    (clip,) = spoken(engine, SENTENCE)
    loud = np.flatnonzero(np.abs(clip.samples.astype(np.int32)) > 300)
    assert loud[0] / clip.sample_rate < 0.06
    assert (len(clip.samples) - loud[-1]) / clip.sample_rate < 0.1


@pytest.mark.parametrize("rate", [0.8, 0.9, 1.1, 1.25, 1.5])
def test_a_rate_makes_a_sentence_so_many_times_as_short(engine: Espeak, rate: float) -> None:
    ((usual,), (quick,)) = (spoken(engine, SENTENCE, rate=pace) for pace in (1.0, rate))
    assert quick.seconds == pytest.approx(usual.seconds / rate, rel=0.06)


@pytest.mark.parametrize("rate", [0.01, 100.0])
def test_a_rate_beyond_what_the_program_can_is_the_nearest_that_it_can(engine: Espeak, rate: float) -> None:
    assert len(spoken(engine, "Hola.", rate=rate)[0].samples) > 0


@pytest.mark.parametrize("text", ["", " ", "\n", ".", "...", "?!", "—", "«»", "🎬", "\u200b"])
def test_a_text_with_nothing_to_say_is_an_empty_or_short_clip(engine: Espeak, text: str) -> None:
    (clip,) = spoken(engine, text)
    assert clip.sample_rate == 22_050
    assert clip.seconds < 1.5


SAID_AS_IT_STANDS = {
    "an option": ("--help la casa", "help la casa"),
    "an option with a file": ("-f /etc/passwd", "f barra etc passwd"),
    "a break": ('<break time="20s"/> la casa', "break time 20 s la casa"),
    "a sound file": ('<audio src="/etc/passwd">casa</audio>', "audio src etc passwd casa audio"),
    "phonemes": ("[[a a a a]] la casa", "a a a a la casa"),
    "a voice": ('<voice name="en">la casa</voice>', "voice name en la casa voice"),
}


@pytest.mark.parametrize(("text", "words"), SAID_AS_IT_STANDS.values(), ids=SAID_AS_IT_STANDS.keys())
def test_text_is_spoken_and_never_obeyed(engine: Espeak, text: str, words: str) -> None:
    ((clip,), (plain,)) = (spoken(engine, text), spoken(engine, words))
    assert clip.seconds < 3 * plain.seconds + 1
    assert clip.seconds > 0.4 * plain.seconds


def test_what_is_said_of_markup_is_about_what_is_said_without_it(engine: Espeak) -> None:
    slow, plain = spoken(engine, '<prosody rate="x-slow">La casa es roja.</prosody>', "La casa es roja.")
    assert slow.seconds > plain.seconds  # the signs and words of the tag are read out


@pytest.mark.parametrize("text", ["[[k'asa]]", "[[[k'asa]]]", "[[k'asa", "[[[[k'asa]]]]"])
def test_two_brackets_begin_no_command_in_phonemes(engine: Espeak, text: str) -> None:
    bracketed, plain = spoken(engine, f"la {text}", f"la {text.replace('[', '[ ')}")
    assert bracketed.seconds == pytest.approx(plain.seconds, abs=0.02)


@pytest.mark.parametrize("text", ["a\x00b", "la casa \x1b[31m roja", "\ufeffla casa", "la\u2028casa", "😀 la casa 🏠"])
def test_signs_that_nobody_says_are_no_trouble(engine: Espeak, text: str) -> None:
    assert len(spoken(engine, text)) == 1


def test_lines_of_one_text_are_one_clip(engine: Espeak) -> None:
    (clip,) = spoken(engine, "La casa\nes roja\n\ny grande.")
    assert clip.seconds > 1.0


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_clips_come_in_the_order_of_the_lines_with_several_threads(threads: int) -> None:
    texts = ["casa " * (1 + number * 5 % 7) for number in range(15)]
    one_by_one = [clip.seconds for text in texts for clip in spoken(Espeak("es", 1), text)]
    assert [clip.seconds for clip in spoken(Espeak("es", threads), *texts)] == one_by_one


def test_no_lines_make_no_clips(engine: Espeak) -> None:
    assert spoken(engine) == []


def test_only_a_few_lines_are_spoken_ahead_of_the_listener(engine: Espeak) -> None:
    clips = generated(engine, [("casa", 1.0)] * 1000)
    began = time.monotonic()
    next(clips)
    clips.close()
    assert time.monotonic() - began < 5


def test_a_listener_who_leaves_early_leaves_no_process_behind(engine: Espeak) -> None:
    clips = generated(engine, [("casa", 1.0), *[("una casa roja y grande " * 60, 1.0)] * 50])
    next(clips)
    clips.close()
    assert own_espeaks() == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("espeak")]


def test_a_cancel_from_another_thread_ends_the_speech_at_once(engine: Espeak) -> None:
    cancel = Cancel()
    timer = threading.Timer(0.3, cancel.set)
    timer.start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        list(engine.speak([(VERY_LONG, 1.0)] * 8, cancel))
    assert time.monotonic() - began < 3
    assert own_espeaks() == []
    timer.join()


def test_a_voice_that_does_not_exist_is_an_error_in_one_line() -> None:
    with pytest.raises(ToolError, match="espeak-ng") as caught:
        spoken(Espeak("qqq", 1), "Hola.")
    assert "\n" not in str(caught.value)


def test_closing_frees_nothing_so_it_may_happen_twice_and_the_engine_speaks_on(engine: Espeak) -> None:
    (before,) = spoken(engine, "Hola.")
    engine.close()
    engine.close()
    (behind,) = spoken(engine, "Hola.")
    assert np.array_equal(before.samples, behind.samples)
