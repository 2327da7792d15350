"""Translations that fit their time: what the translator is told of that, and what is known of the voice by then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import films
from tests.asking import asked
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from vt.domain import Edit, Edits, Word
from vt.dubbing import pipeline
from vt.dubbing.artifacts import Artifacts
from vt.engines.protocols import Heard
from vt.models.speaking_rates import USUAL, Paces
from vt.settings import Settings

SAID = [(0.2, "Well"), (0.4, "now."), (0.9, "Good"), (1.1, "day."), (1.5, "So"), (1.7, "long.")]
SCRIPT = [Heard(tuple(Word(start, start + 0.15, f" {text}") for start, text in SAID))]
SECONDS_A_CHARACTER = 0.1


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return films.film(tmp_path_factory.mktemp("film") / "film.mp4")


def factory(heeds: bool = True, **settings: bool) -> FakeFactory:
    voice = ToneSynthesizer(SECONDS_A_CHARACTER)
    return FakeFactory(ScriptedTranscriber(SCRIPT), voice, Settings(**settings), heeds)  # type: ignore[arg-type]


def dub(factory: FakeFactory, film: Path, folder: Path, edits: dict[int, Edit] | None = None) -> list[float]:
    """Dub a film, what was translated before left aside, and return the room in seconds of each line."""
    work, artifacts = folder / "work", Artifacts(folder / "pieces")
    work.mkdir(parents=True, exist_ok=True)
    for path in [*(folder / "pieces").glob("texts-*"), *(folder / "pieces").glob("batch-*")]:
        path.unlink()
    request = asked(film, "es", edits=Edits(edits or {}))
    report = pipeline.dub(request, factory, work, artifacts=artifacts).report.as_json()
    return [line["room_seconds"] for line in report["segments"]]


def at(pace: float, rooms: Sequence[float]) -> list[object]:
    return [pytest.approx(pace * room, abs=0.1) for room in rooms]


def test_a_voice_is_known_by_what_it_has_spoken() -> None:
    paces = Paces()
    assert paces.of("anna") == USUAL
    paces.learn("anna", 100, 5.0)
    paces.learn("anna", 20, 3.0)
    paces.learn("bert", 0, 0.0)
    assert (paces.of("anna"), paces.of("bert")) == (15.0, USUAL)


@pytest.mark.soak
def test_the_translator_is_told_how_much_there_is_time_for_by_the_voice_that_will_speak(
    film: Path, tmp_path: Path
) -> None:
    served = factory()
    rooms = dub(served, film, tmp_path / "first")
    count = len(served.translated.budgets)
    dub(served, film, tmp_path / "second")
    first, second = served.translated.budgets[0], served.translated.budgets[count]
    assert first == at(USUAL, rooms)
    assert second == at(1 / SECONDS_A_CHARACTER, rooms)


@pytest.mark.soak
def test_lines_that_will_be_crowded_are_asked_for_again_with_the_time_that_there_is_at_a_tempo_of_1_2(
    film: Path, tmp_path: Path
) -> None:
    served = factory()
    rooms = dub(served, film, tmp_path / "first")  # in which the voice turns out to be slow
    dub(served, film, tmp_path / "second")
    _, _, again = served.translated.budgets
    assert again
    assert set(again) <= {round(1.2 / SECONDS_A_CHARACTER * room, 1) for room in rooms}


def test_a_job_that_goes_on_asks_for_the_same_lengths_whatever_was_learnt_meanwhile(film: Path, tmp_path: Path) -> None:
    served = factory()
    dub(served, film, tmp_path)
    dub(served, film, tmp_path)
    first, second = served.translated.budgets
    assert first == second


def test_a_line_that_is_translated_again_has_the_time_of_its_own_place(film: Path, tmp_path: Path) -> None:
    served = factory()
    rooms = dub(served, film, tmp_path, {1: Edit(source_text="Good evening.")})
    assert served.translated.budgets == [at(USUAL, rooms), at(USUAL, rooms[1:2])]


@pytest.mark.soak
@pytest.mark.parametrize("served", [factory(fit_translations=False), factory(heeds=False)])
def test_nothing_is_told_where_the_switch_is_off_or_there_is_no_choice(
    served: FakeFactory, film: Path, tmp_path: Path
) -> None:
    dub(served, film, tmp_path)
    assert served.translated.budgets == [None]
