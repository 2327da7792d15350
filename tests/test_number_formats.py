"""A number that a translation took over is written as its readers write numbers, and nothing else is touched."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.asking import asked
from tests.conftest import SAMPLE
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from vt.dubbing.pipeline import dub
from vt.text import subtitles
from vt.text.number_formats import localized

TABLE = Path(__file__).parent / "data" / "written.tsv"
ROWS = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]]


def _with_plain_spaces(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize("target", sorted({row[3] for row in ROWS}))
def test_numbers_of_a_translation_are_written_as_in_the_table(target: str) -> None:
    for source, language, translation, to, expected in ROWS:
        if to == target:
            assert _with_plain_spaces(localized(source, translation, language, to)) == expected, source


def test_the_table_is_large_enough_to_mean_something() -> None:
    assert len(ROWS) >= 60


def test_a_space_within_a_number_lets_no_line_end() -> None:
    assert localized("12,500 people", "12,500 personnes", "en", "fr") == "12\u00a0500 personnes"


def test_what_is_rewritten_once_stays_as_it_is() -> None:
    for source, language, translation, to, _ in ROWS:
        once = localized(source, translation, language, to)
        assert localized(source, once, language, to) == once


def test_only_as_many_numbers_are_rewritten_as_the_source_has() -> None:
    assert localized("1,500 people", "1,500 personas, 1,500", "en", "es") == "1500 personas, 1,500"


def test_separators_that_a_translator_mixed_are_put_right_where_the_source_has_the_same_digits() -> None:
    source = "The house cost 2,300,000 dollars."
    assert localized(source, "La casa cuesta 2,300.000 dólares.", "en", "es") == "La casa cuesta 2.300.000 dólares."
    assert localized(source, "La casa cuesta 2,400.000 dólares.", "en", "es") == "La casa cuesta 2,400.000 dólares."
    assert localized("2,300,000.500 kg", "2,300.000,500 kg", "en", "es") == "2,300.000,500 kg"


@pytest.mark.parametrize(
    "piece", ["1,500 ", "1,500,", "1.5", "1 500 ", "Python 3.11 ", "http://a/1.5", "192.168.1.", "1,"]
)
@pytest.mark.parametrize("language", ["en", "es", "fr"])
def test_a_long_text_takes_time_in_proportion(piece: str, language: str) -> None:
    text = piece * (100_000 // len(piece))
    began = time.process_time()
    localized(text, text, language, "es" if language == "en" else "en")
    assert time.process_time() - began < 5


def test_a_number_with_a_space_in_it_is_not_cut_by_the_end_of_a_line() -> None:
    number, padding = "12\u00a0500", "Il y avait bien plus de monde, soit " * 2
    sentence = f"{padding}{number} personnes et encore {number} autres personnes"
    shown = [cue.text for cue in subtitles.cues([subtitles.Cue(0.0, 9.0, sentence)])]
    assert "".join(shown).count(number) == 2


@pytest.mark.soak
def test_the_dub_and_its_subtitles_have_the_numbers_of_their_language(tmp_path: Path) -> None:
    told = tmp_path / "told.srt"
    told.write_text("1\n00:00:00,000 --> 00:00:02,000\nThere were 1,500 people.\n", encoding="utf-8")
    voice = ToneSynthesizer()
    request = asked(SAMPLE, "es", source_language="en", subtitles=told)
    result = dub(request, FakeFactory(ScriptedTranscriber([]), voice), tmp_path)
    shown = next(file for file in result.files if file.name.endswith(".es.srt"))
    assert "THERE WERE 1500 PEOPLE." in shown.read_text(encoding="utf-8")
    assert {text for text, _ in voice.asked} == {"THERE WERE 1500 PEOPLE."}
