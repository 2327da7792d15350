"""Lines that would be hurried are spoken in a shorter wording; the report says so, and why a line is hurried still."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import films
from tests.asking import asked
from tests.captions import timed
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer, choice
from vt.domain import Cancel, Edit, Edits, Finish, JobRequest
from vt.dubbing.artifacts import Artifacts
from vt.dubbing.pipeline import dub
from vt.models.services import TranslationService

LINES = {
    "The house is large.": "La casa es grande.",
    "We went there by the river, and came home late.": "Fuimos allí por el río y volvimos tarde a casa.",
    "It rained all day, so we stayed in the town.": "Llovió todo el día, pues, eh, y nos quedamos en la ciudad.",
    "Then we slept.": "Luego dormimos bien.",
    "In the morning the sun shone upon the hills.": "Por la mañana el sol brillaba en las colinas.",
}
SLOTS = [(0.5, 1.6), (2.4, 4.9), (5.2, 6.7), (6.9, 8.0), (11.0, 13.4)]
"""There is time for every line but the third."""
FULL, SHORT = (
    "Llovió todo el día, pues, eh, y nos quedamos en la ciudad.",
    "Llovió todo el día y nos quedamos en la ciudad.",
)


class Dictionary:
    """Translates by a table."""

    def __init__(self, table: Mapping[str, str]) -> None:
        self.table = table
        self.asked: list[str] = []

    def translate(
        self, sentences: Sequence[str], cancel: Cancel, budgets: Sequence[float] | None = None
    ) -> Iterator[str]:
        """Yield what the table has for each sentence, else the sentence."""
        del cancel, budgets
        for sentence in sentences:
            self.asked.append(sentence)
            yield self.table.get(sentence, sentence)

    def close(self) -> None:
        """Do nothing."""


def serving(translator: Dictionary) -> TranslationService:
    return TranslationService(choice("other", "translation"), lambda: nullcontext(translator))


def factory(table: Mapping[str, str], *others: Mapping[str, str]) -> FakeFactory:
    served = FakeFactory(ScriptedTranscriber([]), ToneSynthesizer(0.05))
    served.translated = Dictionary(table)  # type: ignore[assignment]
    served.others = [serving(Dictionary(other)) for other in others]
    return served


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("film") / "talk.wav"
    films.ffmpeg("-f", "lavfi", "-i", "sine=220:d=14", target)
    return target


def request_for(film: Path, folder: Path) -> JobRequest:
    told = folder / "talk.srt"
    told.write_text(timed(*((*slot, text) for slot, text in zip(SLOTS, LINES, strict=True))))
    return asked(film, "es", source_language="en", subtitles=told)


def dubbed(request: JobRequest, folder: Path, served: FakeFactory) -> dict[str, Any]:
    work = folder / "work"
    work.mkdir(exist_ok=True)
    return dub(request, served, work, artifacts=Artifacts(folder / "pieces")).report.as_json()


@pytest.mark.soak
def test_a_hurried_line_is_spoken_without_its_fillers_and_all_others_in_full(film: Path, tmp_path: Path) -> None:
    report = dubbed(request_for(film, tmp_path), tmp_path, factory(LINES))
    texts = [line["text"] for line in report["segments"]]
    assert texts == [*list(LINES.values())[:2], SHORT, *list(LINES.values())[3:]]
    assert [line.get("shortened") for line in report["segments"]] == [None, None, FULL, None, None]
    assert report["timing"]["above_1_2"] == 0
    assert "1 line is spoken in a shorter wording, as there is no time to say it in full." in report["notes"]
    assert SHORT in (tmp_path / "work" / "talk.es.vtt").read_text(encoding="utf-8").replace("\n", " ")


@pytest.mark.soak
def test_no_line_is_shortened_where_every_one_is_to_be_spoken_in_full(film: Path, tmp_path: Path) -> None:
    wished = replace(request_for(film, tmp_path), finish=Finish(literal=True))
    served = factory(
        LINES, {"It rained all day, so we stayed in the town.": "Llovió y nos quedamos en la ciudad, pues sí."}
    )
    report = dubbed(wished, tmp_path, served)
    assert [line["text"] for line in report["segments"]] == list(LINES.values())
    assert report["segments"][2]["hurried"] == "Every line is to be spoken in full."
    assert report["timing"]["above_1_2"] == pytest.approx(0.2)


PLAIN = LINES | {
    "It rained all day, so we stayed in the town.": "Llovió durante todo el día y nos quedamos en la ciudad."
}
"""Without fillers."""


@pytest.mark.soak
def test_a_line_without_fillers_is_taken_from_another_route_that_says_as_much(film: Path, tmp_path: Path) -> None:
    rain, other = "It rained all day, so we stayed in the town.", "Llovió todo el día: quedamos en la ciudad."
    served = factory(PLAIN, {rain: other} | dict.fromkeys(set(LINES) - {rain}, "No."))
    report = dubbed(request_for(film, tmp_path), tmp_path, served)
    assert [line["text"] for line in report["segments"]] == [
        *list(PLAIN.values())[:2],
        other,
        *list(PLAIN.values())[3:],
    ]
    assert report["segments"][2]["shortened"] == PLAIN[rain]


@pytest.mark.parametrize(
    "other",
    [
        "No llovió todo el día: quedamos en la ciudad.",
        "Llovió 3 días: quedamos en la ciudad.",
        "Llovió todo el día: stayed en la ciudad.",
        "Llovió.",
        "Llovió durante todo el día y entonces nos quedamos en la ciudad.",
    ],
)
def test_what_says_something_else_leaves_words_untranslated_or_is_longer_is_not_taken(
    film: Path, tmp_path: Path, other: str
) -> None:
    served = factory(PLAIN, {"It rained all day, so we stayed in the town.": other})
    report = dubbed(request_for(film, tmp_path), tmp_path, served)
    assert [line["text"] for line in report["segments"]] == list(PLAIN.values())
    hurried = [line.get("hurried") for line in report["segments"]]
    assert hurried == [None, None, "No shorter wording fits.", None, None]


@pytest.mark.soak
def test_fillers_of_the_original_are_left_out_and_what_remains_is_translated(film: Path, tmp_path: Path) -> None:
    rain = "Well, it rained all day, um, so we stayed in the town."
    told = tmp_path / "talk.srt"
    lines = [rain if text.startswith("It rained") else text for text in LINES]
    told.write_text(timed(*((*slot, text) for slot, text in zip(SLOTS, lines, strict=True))))
    table = PLAIN | {rain: FULL.replace("pues, eh", "de verdad"), "It rained all day so we stayed in the town.": SHORT}
    report = dubbed(asked(film, "es", source_language="en", subtitles=told), tmp_path, factory(table))
    assert report["segments"][2]["text"] == SHORT


@pytest.mark.soak
def test_an_edited_line_is_never_shortened_and_the_shortened_ones_stay_as_they_were(film: Path, tmp_path: Path) -> None:
    served = factory(LINES)
    request = request_for(film, tmp_path)
    before = dubbed(request, tmp_path, served)
    spoken = len(served.spoken.asked)
    after = dubbed(replace(request, edits=Edits({0: Edit(text="La casa es muy grande.")})), tmp_path, served)
    assert after["segments"][2:] == before["segments"][2:]
    assert after["segments"][0]["text"] == "La casa es muy grande."
    assert {text for text, _ in served.spoken.asked[spoken:]} == {"La casa es muy grande."}
    written = dubbed(replace(request, edits=Edits({2: Edit(text=FULL)})), tmp_path, served)
    assert written["segments"][2]["text"] == FULL
    assert written["segments"][2]["hurried"] == "Its words were changed by hand."
    assert written["segments"][4] == before["segments"][4]


@pytest.mark.soak
def test_a_job_that_goes_on_words_its_lines_as_before_without_asking_anybody(film: Path, tmp_path: Path) -> None:
    first, again = factory(LINES), factory({})
    before = dubbed(request_for(film, tmp_path), tmp_path, first)
    after = dubbed(request_for(film, tmp_path), tmp_path, again)
    assert after["segments"] == before["segments"]
    assert again.spoken.asked == []
    assert isinstance(again.translated, Dictionary)
    assert again.translated.asked == []
