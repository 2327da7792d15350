"""Whisper's own translation of what it hears: when it serves, what becomes of the lines, and what the report says."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import films
from tests.asking import asked, pair
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer, UpperCaseTranslator
from tests.reports import engine_json
from tests.sounds import pcm, speech
from tests.test_factory import settings
from tests.tiny_models import tiny_whisper
from vt import languages
from vt.domain import Cancel, Edit, Edits, Wishes, Word
from vt.dubbing import pipeline
from vt.dubbing.artifacts import Artifacts
from vt.engines import whisper, whisper_repetitions, whisper_stretches
from vt.engines.protocols import Heard
from vt.engines.whisper import RATE, Whisper
from vt.engines.whisper_translation import INFO, WhisperTranslation
from vt.errors import EngineError, LanguageError
from vt.factory import AIServiceFactory, Choice, SttService, TranslationService

GERMAN = ("Der Hund und die Katze sind gute Freunde.", "Das ist der letzte Satz in diesem Film.")
BASE = Path(sys.prefix) / "share" / "vt" / "models" / "whisper-base"
BY_WHISPER = Wishes(translation_engine="whisper")
SOUND = pcm(speech(3.0, RATE, -20.0))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return films.film(tmp_path_factory.mktemp("film") / "film.mp4")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A multilingual Whisper that knows one German sentence."""
    return tiny_whisper(tmp_path_factory.mktemp("tiny") / "whisper", language="de", says=GERMAN[0])


@pytest.fixture
def factory(tiny: Path) -> Iterator[AIServiceFactory]:
    with closing(AIServiceFactory(settings(whisper_model=str(tiny)))) as made:
        yield made


# Who translates


def test_german_is_translated_by_whisper_where_the_film_is_heard(factory: AIServiceFactory) -> None:
    factory.check(*pair("de", "en"))
    served = engine_json(factory.translation_service(*pair("de", "en"), listening=True).choice)
    assert (served["engine"], served["route"]) == ("whisper", [{"engine": "whisper", "from": "de", "to": "en"}])
    assert served["fallback_reason"] == "No text translator here knows German to English."
    assert factory.health_check()["status"] == "healthy"


@pytest.mark.parametrize(("codes", "hears"), [(("de", "en"), False), (("de", "fr"), True), (("ja", "eo"), True)])
def test_it_serves_neither_subtitles_nor_another_target(
    factory: AIServiceFactory, codes: tuple[str, str], hears: bool
) -> None:
    with pytest.raises(LanguageError, match="Nobody here translates"):
        factory.check(*pair(*codes), hears=hears)


def test_without_a_multilingual_model_no_german_is_translated() -> None:
    with closing(AIServiceFactory(settings(whisper_model="tiny.en", fallback=False))) as factory:
        with pytest.raises(LanguageError):
            factory.check(*pair("de", "en"))
        with pytest.raises(LanguageError):
            factory.translation_service(*pair("de", "en"), listening=True)


def test_without_a_fallback_it_is_an_error_that_says_why(tiny: Path) -> None:
    with (
        closing(AIServiceFactory(settings(whisper_model=str(tiny), fallback=False))) as factory,
        pytest.raises(LanguageError, match="No text translator here knows German to English"),
    ):
        factory.check(*pair("de", "en"))


def test_recognition_and_translation_share_one_model_in_memory(factory: AIServiceFactory) -> None:
    factory.get_stt_service("de")
    service = factory.translation_service(*pair("de", "en"), listening=True)
    assert len(list(service.translate_sound(SOUND, [(0.0, 1.5), (1.5, 3.0)], Cancel()))) == 2
    status = factory.get_model_status()
    assert (status["loads"], status["total_cached_models"]) == (1, 1)


def test_whoever_asks_for_it_by_name_has_it_where_it_can_serve(factory: AIServiceFactory) -> None:
    first = factory.translation_service(*pair("es", "en"), engine="whisper", listening=True).choice
    assert (first.info, first.fallback_reason) == (INFO, None)
    words = factory.translation_service(*pair("es", "en"), engine="whisper").choice
    assert words.info.name == "apertium"
    assert words.fallback_reason == "whisper translates what it hears, and here nothing is heard."
    into_spanish = factory.translation_service(*pair("en", "es"), engine="whisper", listening=True).choice
    assert into_spanish.info.name == "firefox"
    assert "into English only, not into Spanish" in str(into_spanish.fallback_reason)


def test_text_translators_come_first_where_they_know_the_languages(factory: AIServiceFactory) -> None:
    choice = factory.translation_service(*pair("es", "en"), listening=True).choice
    assert (choice.info.name, choice.fallback_reason) == ("apertium", None)


def test_the_languages_name_it_for_all_that_is_heard_and_for_english(factory: AIServiceFactory) -> None:
    offers = {offer.language.code: offer for offer in factory.offers()}
    assert "whisper" in offers["de"].translate_from
    assert "whisper" in offers["ja"].translate_from
    assert [code for code, offer in offers.items() if "whisper" in offer.translate_to] == ["en"]
    assert "whisper" not in offers["en"].translate_from


def test_words_are_refused_by_what_translates_sound_and_sound_by_what_translates_words(
    factory: AIServiceFactory,
) -> None:
    service = factory.translation_service(*pair("de", "en"), listening=True)
    with pytest.raises(LanguageError, match="not text"):
        list(service.translate(["Guten Tag."], Cancel()))
    with pytest.raises(EngineError, match="translates text, not sound"):
        list(factory.get_translation_service("es", "en").translate_sound(SOUND, [(0.0, 1.0)], Cancel()))


@pytest.mark.soak
def test_what_it_only_writes_down_in_german_is_not_spoken_as_english(factory: AIServiceFactory, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    films.ffmpeg(*films.PICTURE, "-f", "lavfi", "-i", "anoisesrc=d=2:c=pink:a=0.5", *films.H264, *films.AAC, path)
    report = pipeline.dub(asked(path, "en", "de"), factory, tmp_path).report.as_json()
    assert {line["text"] for line in report["segments"]} == {""}
    assert INFO.remark in report["notes"]
    assert any("stays silent" in note or "stay silent" in note for note in report["notes"])


# What becomes of the lines


class Overheard(UpperCaseTranslator):
    """Translates sound into prepared answers, and remembers which stretches it was asked for."""

    def __init__(self, answers: Sequence[str]) -> None:
        super().__init__()
        self.answers = answers
        self.asked: list[tuple[float, float]] = []

    def translate_sound(
        self, samples: NDArray[np.float32], stretches: Sequence[tuple[float, float]], cancel: Cancel
    ) -> Iterator[str]:
        """Yield an answer for each stretch."""
        assert len(samples) == pytest.approx(2 * RATE, rel=0.05)
        for number, stretch in enumerate(stretches):
            cancel.check()
            self.asked.append(stretch)
            yield self.answers[number % len(self.answers)]


class German(FakeFactory):
    """Hears German, which only a translator of sound knows."""

    def __init__(self, *answers: str) -> None:
        words = [word for line in GERMAN for word in line.split()]
        said = tuple(Word(0.1 * at, 0.1 * at + 0.08, f" {word}") for at, word in enumerate(words))
        super().__init__(ScriptedTranscriber([Heard(said)]), ToneSynthesizer())
        self.overheard = Overheard(answers)

    def check(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
        """Refuse nothing."""

    def stt_service(self, *_: Any, **__: Any) -> SttService:  # noqa: ANN401
        return SttService(Choice(whisper.INFO, "base"), lambda: nullcontext(self.heard), languages.get("de"), True)

    def translation_service(
        self,
        *_: Any,  # noqa: ANN401
        listening: bool = False,
        **__: Any,  # noqa: ANN401
    ) -> TranslationService:
        if not listening:
            raise LanguageError("Nobody here translates German to English.")
        return TranslationService(Choice(INFO, "base"), lambda: nullcontext(self.overheard))


def dubbed(film: Path, folder: Path, served: German, edits: dict[int, Edit] | None = None) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    request = asked(film, "en", "de", edits=Edits(edits or {}))
    return pipeline.dub(request, served, folder, artifacts=Artifacts(folder / "pieces")).report.as_json()


def test_each_sentence_keeps_its_words_and_times_and_is_said_in_english(film: Path, tmp_path: Path) -> None:
    served = German("Dog and cat are friends.", "This is the last.")
    report = dubbed(film, tmp_path, served)
    lines = [(line["source_text"], line["text"]) for line in report["segments"]]
    assert lines == [(GERMAN[0], "Dog and cat are friends."), (GERMAN[1], "This is the last.")]
    assert [(line["start"], line["end"]) for line in report["segments"]] == [
        pytest.approx(stretch, abs=0.001) for stretch in served.overheard.asked
    ]
    assert report["engines"]["translation"]["engine"] == "whisper"
    assert INFO.remark in report["notes"]


@pytest.mark.soak
def test_where_nothing_comes_the_line_is_silent_and_that_is_told(film: Path, tmp_path: Path) -> None:
    report = dubbed(film, tmp_path, German("Dog and cat are friends.", ""))
    assert [line["text"] for line in report["segments"]] == ["Dog and cat are friends.", ""]
    silent = "1 sentence could not be translated and stays silent: write what is to be said."
    assert silent in report["notes"]
    mended = dubbed(film, tmp_path, German(), {1: Edit(text="This is the last.")})
    assert silent not in mended["notes"]


@pytest.mark.soak
def test_what_was_translated_before_a_kill_is_not_translated_again(film: Path, tmp_path: Path) -> None:
    dubbed(film, tmp_path, German("One.", "Two."))
    for path in (tmp_path / "pieces").glob("texts-*"):
        path.unlink()
    later = German("Three.", "Four.")
    assert [line["text"] for line in dubbed(film, tmp_path, later)["segments"]] == ["One.", "Two."]
    assert later.overheard.asked == []


@pytest.mark.soak
def test_a_mended_source_text_that_nobody_translates_is_refused_in_a_sentence(film: Path, tmp_path: Path) -> None:
    dubbed(film, tmp_path, German("One.", "Two."))
    with pytest.raises(LanguageError, match="change what is spoken instead"):
        dubbed(film, tmp_path, German(), {0: Edit(source_text="Der Hund schläft auf dem Sofa.")})
    mended = dubbed(film, tmp_path, German(), {0: Edit(text="The dog sleeps.")})
    assert [line["text"] for line in mended["segments"]] == ["The dog sleeps.", "Two."]


# What is believed


@pytest.mark.parametrize(("text", "once"), [
    ("The dog sleeps. The dog sleeps.", "The dog sleeps."), ("No, no, no.", "No, no, no."), ("", ""),
    ("It was so so good.", "It was so so good."), ("One of us. one of us! One of us", "One of us."),
])  # fmt: skip
def test_what_goes_round_in_circles_is_said_once(text: str, once: str) -> None:
    assert whisper_repetitions.once(text) == once


def test_a_stretch_is_widened_into_pauses_and_not_into_its_neighbours() -> None:
    found = whisper_stretches.widened([(0.1, 1.0), (1.1, 2.0), (5.0, 6.0)], 6.1)
    assert found == [(0.0, 1.1), (1.0, 2.2), (4.8, 6.1)]


def test_a_closed_model_is_an_error_for_whoever_asks_for_a_translation(tiny: Path) -> None:
    model = Whisper(str(tiny), 2, vad=False)
    model.close()
    with pytest.raises(EngineError):
        list(WhisperTranslation(model, languages.get("de")).translate_sound(SOUND, [(0.0, 2.0)], Cancel()))


def test_the_real_model_says_in_english_what_is_said_in_german(tmp_path: Path) -> None:
    if not BASE.is_dir():
        pytest.skip("the multilingual Whisper is not here")
    said = "Das ist ein Buch über die Geschichte von Deutschland."
    samples = films.decoded(films.spoken(said, "de", tmp_path / "line.wav"), RATE)
    model = Whisper(str(BASE), 2, vad=False)
    german = languages.get("de")
    (text,) = model.translate(samples, german, [(0.0, len(samples) / RATE)], Cancel())
    assert "the history of Germany" in text
    assert list(model.translate(np.zeros(3 * RATE, np.int16), german, [(0.0, 3.0)], Cancel())) == [""]
