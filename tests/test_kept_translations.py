"""A translation that an earlier run has kept: whose it may be, and that no other route's is taken for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests import films
from tests.asking import asked
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from tests.test_factory import settings
from vt.domain import Word
from vt.dubbing import pipeline
from vt.dubbing.artifacts import Artifacts
from vt.engines.protocols import EngineInfo, Heard
from vt.engines.translation_routes import Hop
from vt.factory import Choice

SCRIPT = [Heard((Word(0.1, 0.6, " Good"), Word(0.7, 1.5, " morning.")))]
BARRED = EngineInfo("barred", "translation", licence="CC-BY-NC-4.0", source="tests")
FREE = replace(BARRED, name="free", licence="MIT")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return films.film(tmp_path_factory.mktemp("film") / "film.mp4")


class Translating(FakeFactory):
    """Has the words translated by whom it is told."""

    def __init__(self, choice: Choice, licences: str = "any") -> None:
        super().__init__(ScriptedTranscriber(SCRIPT), ToneSynthesizer(), settings(licences=licences))
        self._translation = choice


def translator(factory: FakeFactory, film: Path, folder: Path, source: str = "") -> tuple[str, int]:
    """Dub with the pieces that are kept, and return who translated, and how often anybody did in this run."""
    place = folder / str(len(list(folder.iterdir())))
    place.mkdir()
    request = asked(film, "es", source or "auto")
    report = pipeline.dub(request, factory, place, artifacts=Artifacts(folder / "pieces")).report.as_json()
    return report["engines"]["translation"]["engine"], len(factory.translated.budgets)


def test_what_trade_may_not_use_is_not_taken_over_from_an_earlier_run(film: Path, tmp_path: Path) -> None:
    assert translator(Translating(Choice(BARRED, "large")), film, tmp_path) == ("barred", 1)
    assert translator(Translating(Choice(FREE, "small")), film, tmp_path) == ("barred", 0)
    assert translator(Translating(Choice(FREE, "small"), "commercial"), film, tmp_path) == ("free", 1)
    assert translator(Translating(Choice(FREE, "small"), "commercial"), film, tmp_path) == ("free", 0)


def test_what_trade_may_use_stays_where_licences_begin_to_count(film: Path, tmp_path: Path) -> None:
    assert translator(Translating(Choice(FREE, "small")), film, tmp_path) == ("free", 1)
    assert translator(Translating(Choice(FREE, "small"), "commercial"), film, tmp_path) == ("free", 0)


@pytest.mark.soak
def test_sentences_of_one_route_are_not_taken_for_those_of_another_whose_models_have_the_same_names(
    film: Path, tmp_path: Path
) -> None:
    first = Hop("free", "en", "pt")
    routes = [(first, Hop(engine, "pt", "es")) for engine in ("free", "other")]
    one, other = (Choice(FREE, "en-pt > pt-es", route=route) for route in routes)
    assert translator(Translating(one), film, tmp_path) == ("free", 1)
    for texts in (tmp_path / "pieces").rglob("texts*"):  # as where the run was killed before all were done
        texts.unlink()
    assert translator(Translating(other), film, tmp_path) == ("free", 1)
