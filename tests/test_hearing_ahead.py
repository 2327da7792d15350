"""Several chunks of a long film are recognised at the same time: what comes of it is what one after the other gives."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.asking import asked
from tests.clusters import PATIENCE, InThread, comes
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer, choice
from vt import languages
from vt.domain import Cancel, Dropped, Progress, Word
from vt.dubbing.artifacts import Artifacts
from vt.dubbing.recognition import Heard, Recognition
from vt.dubbing.run import Run
from vt.engines import protocols
from vt.errors import Cancelled, EngineError
from vt.languages import Language
from vt.media import SPEECH_RATE, MediaInfo, Track
from vt.models.services import SttService

MINUTES = 18
SOUND = np.repeat(np.arange(60 * MINUTES, dtype=np.int16), SPEECH_RATE)
"""Each sample says in which second it is."""
CHUNKS = 4
"""That it is cut into."""


class Listener:
    """Hears every minute of the film what second it is, and music behind it; in several chunks at the same time."""

    def __init__(self, at_once: int) -> None:
        """The first so many chunks are heard once all of them are there, or whoever else waits with them."""
        self.at_once = threading.Barrier(at_once)
        self._lock = threading.Lock()
        self.begun: list[int] = []
        """The seconds at which the chunks begin that it was given."""
        self.fails_at: int | None = None

    def transcribe(
        self, samples: NDArray[Any], language: Language, cancel: Cancel
    ) -> Iterator[protocols.Heard | Dropped]:
        del language
        cancel.check()
        with self._lock:
            self.begun.append(int(samples[0]))
            is_early = len(self.begun) <= self.at_once.parties
        if is_early:
            self.at_once.wait(PATIENCE)
        if self.fails_at is not None and self.fails_at in samples[:: SPEECH_RATE // 2]:
            raise EngineError("The chunk cannot be heard.")
        for at in range(0, len(samples) - SPEECH_RATE, 60 * SPEECH_RATE):
            cancel.check()
            start = at / SPEECH_RATE
            yield protocols.Heard((Word(start, start + 0.5, f"Second {samples[at]}."),))
            yield Dropped(start + 0.5, start + 0.75, "", f"music at {samples[at]}")

    def detect(self, samples: NDArray[Any]) -> tuple[Language, float]:
        del samples
        return languages.ENGLISH, 0.9

    def close(self) -> None:
        """Do nothing."""


def heard(
    listener: Listener, folder: Path, at_once: int, cancel: Cancel | None = None, told: list[Progress] | None = None
) -> Heard:
    """Return what is heard in the sound, in so many chunks at the same time."""
    factory = FakeFactory(ScriptedTranscriber([]), ToneSynthesizer())
    progress: list[Progress] = [] if told is None else told
    run = Run(asked(folder / "film.mp4", "es"), factory, Artifacts(folder), cancel or Cancel(), progress.append)
    track = Track(0, "aac", "", "", 60.0 * MINUTES, 1)
    info = MediaInfo(folder / "film.mp4", 60.0 * MINUTES, None, 0.0, (track,), (), ())
    stt = SttService(
        choice("listener", "stt"),
        lambda: nullcontext(listener),
        languages.ENGLISH,
        detects=True,
        at_once=at_once,
    )
    return Recognition(run, info, track, SOUND, "sound").heard(stt, info.seconds)


@pytest.fixture(scope="module")
def one_by_one(tmp_path_factory: pytest.TempPathFactory) -> Heard:
    listener = Listener(1)
    found = heard(listener, tmp_path_factory.mktemp("one by one"), 1)
    assert len(listener.begun) == CHUNKS
    assert len(found.transcript.segments) >= MINUTES
    return found


@pytest.mark.parametrize("at_once", [2, 3, 4])
def test_several_chunks_at_once_give_what_one_after_the_other_gives(
    at_once: int, one_by_one: Heard, tmp_path: Path
) -> None:
    told: list[Progress] = []
    listener = Listener(at_once)
    assert heard(listener, tmp_path, at_once, told=told) == one_by_one
    assert len(listener.begun) == len(set(listener.begun)) == CHUNKS
    assert told[-1].fraction == 1.0


def test_more_threads_than_chunks_are_no_trouble(one_by_one: Heard, tmp_path: Path) -> None:
    assert heard(Listener(CHUNKS), tmp_path, 16) == one_by_one


def test_what_was_finished_before_is_not_heard_again(one_by_one: Heard, tmp_path: Path) -> None:
    listener = Listener(2)
    listener.fails_at = 60 * MINUTES - 1
    with pytest.raises(EngineError, match="cannot be heard"):
        heard(listener, tmp_path, 2)
    finished = set(sorted(listener.begun)[:-1])
    again = Listener(1)
    assert heard(again, tmp_path, 1) == one_by_one
    assert not finished & set(again.begun)


def test_a_cancel_ends_all_chunks_that_are_being_heard(tmp_path: Path) -> None:
    cancel, listener = Cancel(), Listener(4)
    hearing = InThread(lambda: heard(listener, tmp_path, 3, cancel))
    comes(lambda: len(listener.begun) == 3)
    cancel.set()
    listener.at_once.wait(PATIENCE)
    with pytest.raises(Cancelled):
        hearing.result()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("vt-hear")]
