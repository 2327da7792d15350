"""Captions and the film that they belong to: lines behind its end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests import films
from tests.asking import asked
from tests.captions import timed
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer, UpperCaseTranslator
from vt.domain import Cancel
from vt.dubbing.pipeline import dub
from vt.errors import SubtitleError


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of two seconds."""
    return films.film(tmp_path_factory.mktemp("film") / "talk.mp4")


def dubbed(film: Path, folder: Path, content: str | bytes, factory: FakeFactory | None = None) -> dict[str, Any]:
    """Return the report of a dub from subtitles."""
    told = folder / "talk.srt"
    told.write_bytes(content.encode() if isinstance(content, str) else content)
    request = asked(film, "es", source_language="en", subtitles=told)
    result = dub(request, factory or FakeFactory(ScriptedTranscriber([]), ToneSynthesizer()), folder)
    report: dict[str, Any] = json.loads(next(each for each in result.files if each.suffix == ".json").read_text())
    return report


@pytest.mark.soak
@pytest.mark.parametrize("before", ["We go home.", "We go home and"])
def test_one_line_behind_the_end_is_left_out_with_a_note(film: Path, tmp_path: Path, before: str) -> None:
    report = dubbed(film, tmp_path, timed((0.2, 1, "It is late."), (1.2, 1.9, before), (2.3, 4, "made by volunteers")))
    assert [each["source_text"] for each in report["segments"]] == ["It is late.", before]
    assert any('left out: 1; the first is "made by volunteers"' in note for note in report["notes"])


def test_lines_of_which_many_are_behind_the_end_are_refused_as_another_films(film: Path, tmp_path: Path) -> None:
    with pytest.raises(SubtitleError, match=r"^The subtitles do not belong to this film: it ends after 2\.0 s"):
        dubbed(film, tmp_path, timed((0.2, 1, "It is late."), (3, 4, "We go home."), (5, 6, "Come.")))
    with pytest.raises(SubtitleError, match="do not belong to this film"):
        dubbed(film, tmp_path, timed((3, 4, "We go home.")))


def test_two_lines_of_many_behind_the_end_are_left_out(film: Path, tmp_path: Path) -> None:
    lines = [(at * 0.09, at * 0.09 + 0.08, f"Line {at}.") for at in range(20)]
    report = dubbed(film, tmp_path, timed(*lines, (3, 4, "The end."), (5, 6, "Made by volunteers.")))
    assert len(report["segments"]) == 20


def test_the_encoding_that_was_found_is_noted_and_speakers_show_in_no_report(film: Path, tmp_path: Path) -> None:
    content = timed((0.2, 1.0, "ANNA: The café is shut, isn’t it?"), (1.0, 1.9, "- It is “shut”."))
    report = dubbed(film, tmp_path, content.encode("cp1252"))
    assert "The subtitles are not in UTF-8: they were read as Windows-1252." in report["notes"]
    assert [each["source_text"] for each in report["segments"]] == ["The café is shut, isn’t it?", "It is “shut”."]
    assert "speaker" not in report["segments"][0]


class _Recording(UpperCaseTranslator):
    """Keeps what it was asked to translate."""

    asked: tuple[str, ...] = ()

    def translate(
        self, sentences: Sequence[str], cancel: Cancel, budgets: Sequence[float] | None = None
    ) -> Iterator[str]:
        self.asked += tuple(sentences)
        yield from super().translate(sentences, cancel, budgets)


def test_captions_in_capitals_are_translated_in_small_letters_and_shown_as_they_are(film: Path, tmp_path: Path) -> None:
    factory = FakeFactory(ScriptedTranscriber([]), ToneSynthesizer())
    factory.translated = recording = _Recording()
    report = dubbed(film, tmp_path, timed((0.2, 1.9, "WE HAVE ONE QUESTION: WHY?")), factory)
    assert recording.asked == ("We have one question: why?",)
    assert [line["source_text"] for line in report["segments"]] == ["WE HAVE ONE QUESTION: WHY?"]
