"""Mixed speech: what is in the target language already is kept, and nothing of one language is taken for another."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import films
from tests.asking import asked, pair
from tests.conftest import SAMPLE
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from vt import languages, media
from vt.domain import NO_WISHES, Cancel, Edit, Edits, Wishes, Word
from vt.dubbing import pipeline
from vt.engines.protocols import Heard
from vt.engines.whisper import RATE, Whisper
from vt.engines.whisper_stretches import stretches_of_sentences
from vt.errors import InputError, LanguageError
from vt.languages import Language
from vt.text import identification, sentences

ENGLISH = "My grandmother always told us this story."
SPANISH = "El mar guarda los secretos de todos los pescadores."
BASE = Path(sys.prefix) / "share" / "vt" / "models" / "whisper-base"
CLOSE = [  # a language, and the others that come nearest to it
    ("es", "Las arenas son blanquecinas de grano medio y tiene muy poca asistencia.", "pt ca gl it fr ro en"),
    ("pt", "A minha avó contava sempre esta história quando eu era pequeno.", "es gl ca it fr ro en"),
    ("ca", "La meva àvia sempre ens explicava aquesta història quan érem petits.", "es pt fr oc it ro en"),
    ("no", "Min bestemor fortalte alltid denne historien da jeg var liten.", "da sv nn is de nl en"),
    ("da", "Min bedstemor fortalte altid denne historie, da jeg var lille.", "no sv nn is de nl en"),
    ("sv", "Min mormor berättade alltid den här historien när jag var liten.", "no da nn is de nl en"),
    ("de", "Der hinter diesem Portal liegende Raum wurde als Leichenhalle genutzt.", "nl lb af da sv no en"),
    ("nl", "Mijn grootmoeder vertelde altijd dit verhaal toen ik klein was.", "de af lb da sv no en"),
    ("fr", "Sous le consulat il devient conservateur des eaux et forêts.", "ca es it pt oc ro en"),
    ("en", "Kate and Peter Smith met Juan Carlos Fernández de la Cruz in Los Angeles.", "es pt it fr de nl ca"),
]  # fmt: skip


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return films.film(tmp_path_factory.mktemp("film") / "film.mp4")


def told(*lines: str) -> list[Heard]:
    """Make a script of lines that are said one after another within two seconds."""
    words = [word for line in lines for word in line.split()]
    step = 1.9 / len(words)
    return [Heard(tuple(Word(step * at, step * (at + 0.9), f" {word}") for at, word in enumerate(words)))]


def dubbed(film: Path, folder: Path, *lines: str, **request: Any) -> dict[str, Any]:  # noqa: ANN401 (a request's fields)
    factory = FakeFactory(ScriptedTranscriber(told(*lines)), ToneSynthesizer())
    return pipeline.dub(asked(film, "es", **request), factory, folder).report.as_json()


def texts(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(line["source_text"], line["text"]) for line in report["segments"]]


@pytest.mark.parametrize(("language", "text", "others"), CLOSE)
def test_no_sentence_is_taken_for_one_in_a_language_that_is_close(language: str, text: str, others: str) -> None:
    assert [other for other in others.split() if identification.is_in(text, *pair(other, language))] == []


@pytest.mark.parametrize(("text", "language", "film_speaks"), [
    (SPANISH, "es", "en"),
    (SPANISH, "es", "de"),
    ("Mi casa es tu casa.", "es", "en"),
    ("To be or not to be, that is the question.", "en", "es"),
    ("Sous le consulat il devient conservateur des eaux et forêts.", "fr", "es"),
    ("今日はとてもいい天気ですね。", "ja", "en"),
])  # fmt: skip
def test_a_sentence_in_another_language_is_known_by_its_words(text: str, language: str, film_speaks: str) -> None:
    assert identification.is_in(text, *pair(language, film_speaks))
    assert not identification.is_in(text, *pair(film_speaks, language))


@pytest.mark.parametrize("text", ["", "...", "Hasta la vista, baby!", "Sí, señor.", "Mi casa, tu casa.", "No. No!",
                                  "Los Angeles, San Francisco, Santa Barbara, San Diego."])  # fmt: skip
def test_too_few_words_or_mere_names_tell_nothing(text: str) -> None:
    assert not identification.is_in(text, languages.SPANISH, languages.ENGLISH)


def test_what_is_in_the_target_language_already_is_spoken_as_it_is_and_told_of(film: Path, tmp_path: Path) -> None:
    report = dubbed(film, tmp_path, ENGLISH, SPANISH, ENGLISH)
    assert texts(report) == [(ENGLISH, ENGLISH.upper()), (SPANISH, SPANISH), (ENGLISH, ENGLISH.upper())]
    assert "1 sentence is in Spanish already and was kept." in report["notes"]


def test_it_is_kept_where_subtitles_say_it(film: Path, tmp_path: Path) -> None:
    cues = [f"00:00:0{at},000 --> 00:00:0{at},800\n{text}\n" for at, text in enumerate([SPANISH, ENGLISH])]
    (tmp_path / "talk.srt").write_text("\n".join(f"{at + 1}\n{cue}" for at, cue in enumerate(cues)), encoding="utf-8")
    report = dubbed(film, tmp_path, ENGLISH, subtitles=tmp_path / "talk.srt", source_language="en")
    assert texts(report) == [(SPANISH, SPANISH), (ENGLISH, ENGLISH.upper())]


def test_a_source_text_that_somebody_mends_is_kept_where_it_is_in_the_target_language(
    film: Path, tmp_path: Path
) -> None:
    report = dubbed(film, tmp_path, SPANISH, ENGLISH, edits=Edits({1: Edit(source_text=SPANISH)}))
    assert texts(report) == [(SPANISH, SPANISH), (SPANISH, SPANISH)]
    assert "2 sentences are in Spanish already and were kept." in report["notes"]


def test_where_all_is_in_the_source_language_nothing_is_told(film: Path, tmp_path: Path) -> None:
    assert not [note for note in dubbed(film, tmp_path, ENGLISH, ENGLISH)["notes"] if "kept" in note]


# What is heard in another language


class Guess(ScriptedTranscriber):
    """Takes everything for Nynorsk, as surely as it is told."""

    def __init__(self, sure: float, *lines: str) -> None:
        super().__init__(told(*lines) if lines else [])
        self.sure = sure

    def detect(self, samples: NDArray[np.float32]) -> tuple[Language, float]:
        del samples
        return languages.get("nn"), self.sure


class NoNynorsk(FakeFactory):
    """Refuses Nynorsk."""

    def check(
        self, source: Language | None, target: Language | None, *, hears: bool = True, wishes: Wishes = NO_WISHES
    ) -> None:
        super().check(source, target, hears=hears, wishes=wishes)
        if source == languages.get("nn"):
            raise LanguageError("Nobody here translates Norwegian Nynorsk to Spanish.")


@pytest.mark.parametrize(
    ("sure", "lines", "why"),
    [(0.3, (), "no speech found"), (0.3, (ENGLISH,), "Nobody here"), (0.95, (), "Nobody here")],
    ids=["music", "unsure of speech", "sure"],
)
def test_a_language_that_is_guessed_where_nobody_speaks_is_not_what_a_film_is_refused_for(
    film: Path, tmp_path: Path, sure: float, lines: tuple[str, ...], why: str
) -> None:
    with pytest.raises(InputError, match=why):
        pipeline.dub(asked(film, "es"), NoNynorsk(Guess(sure, *lines), ToneSynthesizer()), tmp_path)


def test_each_sentence_of_a_window_reaches_to_its_neighbours() -> None:
    (run,) = told("One two three.", "Four five six.")
    stretches = list(stretches_of_sentences((0.0, 5.0), run.words))
    assert [len(words) for _, words in stretches] == [3, 3]
    (first, second) = (stretch for stretch, _ in stretches)
    assert first == (0.0, run.words[3].start)
    assert second == (run.words[2].end, 5.0)


@pytest.fixture(scope="module")
def base() -> Whisper:
    if not BASE.is_dir():
        pytest.skip("the multilingual Whisper is not here")
    return Whisper(str(BASE), 2, vad=False)


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.int16]:
    """Ten seconds of the sample film."""
    info = media.probe(SAMPLE)
    return media.extract(info, info.audio[0], tmp_path_factory.mktemp("sample") / "pcm")[: 10 * RATE]


def heard(model: Whisper, samples: NDArray[np.int16], language: str) -> list[str]:
    found = [run for run in model.transcribe(samples, languages.get(language), Cancel()) if isinstance(run, Heard)]
    words = sorted((word for run in found for word in run.words), key=lambda word: word.start)
    return [segment.text for segment in sentences.sentences(words)]


def of(lines: Sequence[str], language: str, film_speaks: str) -> list[str]:
    return [line for line in lines if identification.is_in(line, *pair(language, film_speaks))]


def test_a_sentence_in_another_language_is_heard_in_its_own(
    base: Whisper, english: NDArray[np.int16], tmp_path: Path
) -> None:
    pause = np.zeros(RATE, np.int16)
    text = "Mi abuela siempre decía que el mar guarda los secretos de todos los pescadores."
    line = films.decoded(films.spoken(text, "es", tmp_path / "line.wav"), RATE)
    lines = heard(base, np.concatenate([english, pause, line, pause]), "en")
    assert "pescadores" in " ".join(of(lines, "es", "en"))
    assert "grandmother" not in " ".join(lines)


def test_a_film_in_one_language_is_heard_in_that_alone(base: Whisper, english: NDArray[np.int16]) -> None:
    lines = heard(base, english, "en")
    assert lines
    assert not [code for code in ("es", "fr", "de", "it", "nl") if of(lines, code, "en")]
