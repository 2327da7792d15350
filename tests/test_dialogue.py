"""A conversation of a woman and a man in English comes back in Spanish with a woman's and a man's voice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import films
from tests.asking import asked
from tests.sounds import VOICES, recorded_conversation
from vt import media
from vt.domain import Wishes
from vt.dubbing.artifacts import Artifacts
from vt.dubbing.pipeline import dub
from vt.engines import campplus
from vt.factory import AIServiceFactory
from vt.model_files import bundle
from vt.settings import Settings

RATE = 16_000
PAUSE_SECONDS = 0.4
SPEAKING = VOICES * 2
"""Who says the lines: four, for each costs a second of a real voice, twice."""
WOMAN_ABOVE, MAN_BELOW = 158.0, 150.0
"""Hertz: Dora speaks at 175, Alex at 130."""


@pytest.fixture(scope="module")
def factory() -> Iterator[AIServiceFactory]:
    if bundle.folder("kokoro-82m") is None or bundle.folder(campplus.NAME) is None:
        pytest.skip("set-up could not put Kokoro and CAM++ here")
    with closing(AIServiceFactory(Settings(engines="embedded"))) as made:
        yield made


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float]]:
    """Return a sound file in which both speak in turn, and when each line begins."""
    lines = recorded_conversation(RATE)
    starts, sound, at = list[float](), list[NDArray[np.int16]](), 0.0
    for number, voice in enumerate(SPEAKING):
        sound += [lines[voice][number], np.zeros(round(PAUSE_SECONDS * RATE), np.int16)]
        starts.append(at)
        at += len(lines[voice][number]) / RATE + PAUSE_SECONDS
    target = tmp_path_factory.mktemp("talk") / "talk.wav"
    raw = target.with_suffix(".pcm")
    raw.write_bytes(np.concatenate(sound).tobytes())
    films.ffmpeg("-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", raw, target)
    return target, starts


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for what all dubs of the module share."""
    return tmp_path_factory.mktemp("pieces")


def dubbed(
    factory: AIServiceFactory, film: Path, folder: Path, pieces: Path, voice: str = ""
) -> tuple[dict[str, Any], list[float]]:
    """Return the report of a dub, and how high each of its lines is, in hertz."""
    request = replace(asked(film, "es", source_language="en"), wishes=Wishes(voice))
    result = dub(request, factory, folder, artifacts=Artifacts(pieces))
    report, sound = result.report.as_json(), films.decoded(result.files[0], RATE)
    heights = [
        media.median_pitch(sound, RATE, [(line["placed_start"], line["placed_end"])]) for line in report["segments"]
    ]
    return report, [0.0 if height is None else height for height in heights]


def women(report: dict[str, Any], starts: list[float]) -> list[bool]:
    """Return of each line whether the woman says it in the film."""
    said = [max(n for n, start in enumerate(starts) if start <= line["start"] + 0.3) for line in report["segments"]]
    return [SPEAKING[number] == VOICES[0] for number in said]


@pytest.mark.slow
@pytest.mark.soak
def test_a_womans_lines_are_spoken_by_a_woman_and_a_mans_by_a_man(
    factory: AIServiceFactory, talk: tuple[Path, list[float]], tmp_path: Path, pieces: Path
) -> None:
    report, heights = dubbed(factory, talk[0], tmp_path, pieces)
    assert report["engines"]["tts"]["engine"] == "kokoro"
    assert len(heights) >= len(SPEAKING)
    for height, is_woman in zip(heights, women(report, talk[1]), strict=True):
        assert (height > WOMAN_ABOVE) if is_woman else (height < MAN_BELOW)
    assert [speaker["voice"] for speaker in report["speakers"]] == ["ef_dora", "em_alex"]


@pytest.mark.slow
@pytest.mark.soak
def test_two_men_speak_where_they_are_wished_for(
    factory: AIServiceFactory, talk: tuple[Path, list[float]], tmp_path: Path, pieces: Path
) -> None:
    report, heights = dubbed(factory, talk[0], tmp_path, pieces, voice="1=em_santa,2=em_alex")
    assert all(height < MAN_BELOW + 5 for height in heights)
    assert [speaker["voice"] for speaker in report["speakers"]] == ["em_santa", "em_alex"]
