"""Engines that are elsewhere give the answers of the same engines here, in the same order, from many pieces."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as searching
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.clusters import PATIENCE, STATE, InThread, LocalHost, ScriptedNodes, cluster, comes
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer, choice
from tests.test_factory import settings
from vt import languages
from vt.cluster.engines import pieces
from vt.cluster.hosts import Hosts
from vt.cluster.services import ClusterServices
from vt.domain import Cancel, Clip, Dropped, Word
from vt.engines.protocols import Heard, ManyVoiced, Translator
from vt.errors import Cancelled, EngineError, ModelUnavailable
from vt.factory import AIServiceFactory
from vt.media import SPEECH_RATE
from vt.models.services import TranslationService, TtsService

ENGLISH, SPANISH = languages.ENGLISH, languages.SPANISH
SECONDS = 120
SOUND = np.arange(SECONDS * SPEECH_RATE, dtype=np.int32)
"""Each sample says where it is."""
HEARD = (Heard((Word(0.0, 1.0, "Hello."), Word(1.0, 1.5, "You."))), Dropped(2.0, 3.0, "", "music"), Heard(()))
MOMENTS = st.lists(
    st.tuples(st.integers(0, 100 * (SECONDS - 3)), st.integers(1, 300)).map(
        lambda pair: (pair[0] / 100, (pair[0] + pair[1]) / 100)
    ),
    max_size=150,
)


class SoundTranslator:
    """Translates text by shouting, with its budget behind it, and sound into what is around it."""

    def translate(
        self, sentences: Sequence[str], cancel: Cancel, budgets: Sequence[float] | None = None
    ) -> Iterator[str]:
        for place, sentence in enumerate(sentences):
            cancel.check()
            yield f"{sentence.upper()} {budgets[place]}" if budgets else sentence.upper()

    def translate_sound(
        self, samples: NDArray[Any], stretches: Sequence[tuple[float, float]], cancel: Cancel
    ) -> Iterator[str]:
        for start, end in stretches:
            cancel.check()
            part = _part(samples, max(0.0, start - 0.2), end + 0.2)
            yield f"{_nearly(part[0])}-{_nearly(part[-1])}"

    def close(self) -> None:
        """Do nothing."""


class Embedder:
    """Tells of each moment where it begins, and how much of it there is, with a little behind it."""

    def embed(
        self, samples: NDArray[Any], moments: Sequence[tuple[float, float]], cancel: Cancel
    ) -> Iterator[NDArray[np.float32]]:
        for start, end in moments:
            cancel.check()
            part = _part(samples, start, end + 0.015)
            yield np.array([_nearly(part[0]), _nearly(part[-1])], np.float32)

    def close(self) -> None:
        """Do nothing."""


class OverlapFinder:
    """Hears two at once at every full tenth of a minute of the film; sound that is not there is silence."""

    def overlaps(
        self, samples: NDArray[Any], starts: Sequence[float], cancel: Cancel
    ) -> Iterator[list[tuple[float, float]]]:
        for start in starts:
            cancel.check()
            first = round(start * SPEECH_RATE)
            part = samples[first : first + 10 * SPEECH_RATE]
            places = np.flatnonzero(part % (6 * SPEECH_RATE) == 0) / SPEECH_RATE
            yield [(float(at) + start, float(at) + start + 0.5) for at in places]

    def close(self) -> None:
        """Do nothing."""


class ManyVoices(ToneSynthesizer):
    """Speaks with any of several voices: the longer its name, the slower."""

    def speaking(self, voice_id: str) -> ToneSynthesizer:
        return ToneSynthesizer(0.001 * len(voice_id), sample_rate=8_000)


class Factory(FakeFactory):
    """Serves the engines of this file."""

    def __init__(self, translator: Translator | None = None) -> None:
        super().__init__(ScriptedTranscriber(HEARD), ManyVoices(0.002, sample_rate=8_000))
        self.embedder, self.overlap_finder = Embedder(), OverlapFinder()
        self.translator = translator or SoundTranslator()

    def get_model_status(self) -> dict[str, Any]:
        """Return what hosts are asked for now and then."""
        return dict(STATE)

    def translation_service(self, *_: object, **__: object) -> TranslationService:
        return TranslationService(choice("upper case", "translation"), lambda: nullcontext(self.translator))

    def tts_service(self, *_: object, voice: str = "", **__: object) -> TtsService:
        voices = ManyVoices(0.002, sample_rate=8_000)
        engine = voices.speaking(voice) if voice else voices
        return TtsService(replace(choice("tone", "tts"), voice=voice), lambda: nullcontext(engine))


def _part(samples: NDArray[Any], start: float, end: float) -> NDArray[Any]:
    return samples[int(start * SPEECH_RATE) : int(end * SPEECH_RATE)]


def _nearly(sample: int) -> int:
    """Return where a sample is, in milliseconds: times that were moved may be off by one sample."""
    return round(int(sample) / (SPEECH_RATE / 1000))


@pytest.fixture(scope="module")
def own() -> Factory:
    return Factory()


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    with cluster(ScriptedNodes("one", "two", "three", make=lambda _: LocalHost(Factory()))) as running:
        yield running


@pytest.fixture(scope="module")
def elsewhere(hosts: Hosts) -> ClusterServices:
    return ClusterServices(AIServiceFactory(settings()), hosts)


# The same as here


@searching(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.text("ab ", max_size=9), st.floats(0.5, 2)), max_size=120))
def test_lines_are_spoken_as_they_are_here(
    elsewhere: ClusterServices, own: Factory, lines: list[tuple[str, float]]
) -> None:
    there = list(elsewhere.tts_service(SPANISH).speak(lines, Cancel()))
    here = list(own.tts_service(SPANISH).speak(lines, Cancel()))
    assert same(there, here)


def same(there: Sequence[Clip], here: Sequence[Clip]) -> bool:
    return [one.sample_rate for one in there] == [one.sample_rate for one in here] and all(
        np.array_equal(one.samples, other.samples) for one, other in zip(there, here, strict=True)
    )


@searching(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.text("abc", min_size=1, max_size=5), st.floats(1, 90)), max_size=300), st.booleans())
def test_sentences_are_translated_as_they_are_here_each_with_its_own_budget(
    elsewhere: ClusterServices, own: Factory, asked: list[tuple[str, float]], has_budgets: bool
) -> None:
    sentences, budgets = [text for text, _ in asked], [length for _, length in asked] if has_budgets else None
    there = list(elsewhere.translation_service(ENGLISH, SPANISH).translate(sentences, Cancel(), budgets))
    assert there == list(own.translation_service(ENGLISH, SPANISH).translate(sentences, Cancel(), budgets))


@searching(max_examples=30, deadline=None)
@given(MOMENTS)
def test_voices_are_told_apart_by_the_same_sound_as_here(
    elsewhere: ClusterServices, own: Factory, moments: list[tuple[float, float]]
) -> None:
    there = list(elsewhere.get_diarization_service().embed(SOUND, moments, Cancel()))  # type: ignore[arg-type]
    here = list(own.get_diarization_service().embed(SOUND, moments, Cancel()))  # type: ignore[arg-type]
    assert len(there) == len(here)
    assert all(np.allclose(one, other, atol=1) for one, other in zip(there, here, strict=True))


@searching(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2 * (SECONDS - 5)).map(lambda half: half / 2), max_size=120, unique=True).map(sorted))
def test_two_at_once_are_heard_when_they_are_heard_here(
    elsewhere: ClusterServices, own: Factory, starts: list[float]
) -> None:
    there = list(elsewhere.get_overlap_service().overlaps(SOUND, starts, Cancel()))  # type: ignore[arg-type]
    here = list(own.get_overlap_service().overlaps(SOUND, starts, Cancel()))  # type: ignore[arg-type]
    assert [len(found) for found in there] == [len(found) for found in here]
    assert np.allclose([pair for found in there for pair in found], [pair for found in here for pair in found])


@searching(max_examples=30, deadline=None)
@given(MOMENTS.map(sorted))
def test_sound_is_translated_with_what_is_around_it_as_it_is_here(
    elsewhere: ClusterServices, own: Factory, stretches: list[tuple[float, float]]
) -> None:
    there = list(elsewhere.translation_service(ENGLISH, SPANISH).translate_sound(SOUND, stretches, Cancel()))
    here = list(own.translation_service(ENGLISH, SPANISH).translate_sound(SOUND, stretches, Cancel()))
    assert len(there) == len(here)
    for one, other in zip(there, here, strict=True):
        assert np.allclose([int(at) for at in one.split("-")], [int(at) for at in other.split("-")], atol=1, rtol=0)


def test_a_film_is_heard_as_it_is_here(elsewhere: ClusterServices) -> None:
    service = elsewhere.stt_service(None)
    assert list(service.hearing(ENGLISH).transcribe(SOUND, Cancel())) == [*HEARD]
    assert service.detect(SOUND) == (ENGLISH, 0.75)
    assert (service.language, service.detects, service.choice) == (ENGLISH, True, choice("scripted", "stt"))
    assert service.at_once == 6


def test_a_model_of_many_voices_speaks_with_each_of_them_elsewhere_too(elsewhere: ClusterServices) -> None:
    lines = [("Hola.", 1.0), ("Adiós.", 1.5)]
    with elsewhere.tts_service(SPANISH) as engine:
        assert isinstance(engine, ManyVoiced)
        for name in ("Ana", "Inés"):
            here = ManyVoices().speaking(name).speak(lines, Cancel())
            assert same(list(engine.speaking(name).speak(lines, Cancel())), list(here))
        assert not same(list(engine.speak(lines, Cancel())), list(engine.speaking("Ana").speak(lines, Cancel())))


def test_what_is_done_elsewhere_is_named_as_it_is_there(elsewhere: ClusterServices) -> None:
    assert elsewhere.translation_service(ENGLISH, SPANISH).choice == choice("upper case", "translation")
    assert elsewhere.tts_service(SPANISH).choice == choice("tone", "tts")
    assert elsewhere.get_diarization_service().choice == choice("scripted voices", "diarization")
    assert elsewhere.get_overlap_service().choice == choice("scripted overlaps", "diarization")


def test_large_sound_lies_in_the_store_of_the_cluster_and_only_what_a_piece_needs_of_it() -> None:
    nodes = ScriptedNodes("one", make=lambda _: LocalHost(Factory()))
    with cluster(nodes) as hosts:
        service = ClusterServices(AIServiceFactory(settings()), hosts).get_diarization_service()
        moments = [(float(at), at + 2.0) for at in (10, 20, 100, 110)]
        assert len(list(service.embed(SOUND, moments, Cancel()))) == 4  # type: ignore[arg-type]
        assert [length // SPEECH_RATE for length in nodes.stored] == [15, 15]


# Several pieces at a time


@pytest.mark.parametrize(
    ("items", "least", "most", "at_once", "sizes"),
    [
        (0, 2, 8, 4, []),
        (6, 8, 32, 6, [1, 1, 1, 1, 1, 1]),
        (5, 8, 32, 2, [3, 2]),
        (100, 1, 8, 4, [8] * 9 + [7, 5, 4, 3, 2, 1, 1, 1, 1, 1, 1, 1]),
        (100, 2, 8, 4, [8] * 9 + [7, 5, 4, 3, 2, 2, 2, 2, 1]),
        (64, 8, 32, 4, [16, 12, 9, 8, 8, 8, 3]),
        (1000, 8, 32, 200, [5] * 200),
    ],
)
def test_the_last_pieces_are_small_but_not_too_small(
    items: int, least: int, most: int, at_once: int, sizes: list[int]
) -> None:
    found = list(pieces(range(items), range(least, most + 1), at_once))
    assert [item for part in found for item in part] == list(range(items))
    assert [len(part) for part in found] == sizes


class Scene(SoundTranslator):
    """Translates the first sentence at once, and waits at all others, as it is told."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []

    def translate(
        self, sentences: Sequence[str], cancel: Cancel, budgets: Sequence[float] | None = None
    ) -> Iterator[str]:
        del budgets
        for sentence in sentences:
            self.begun.append(sentence)
            if sentence == "bad":
                comes(lambda: len(self.begun) == 6)
                raise EngineError("That cannot be translated.")
            if sentence != "first":
                self._wait(cancel)
                self.ended.append(sentence)
            cancel.check()
            yield sentence

    def _wait(self, cancel: Cancel) -> None:
        stopped = threading.Event()
        cancel.add(stopped.set)
        assert stopped.wait(PATIENCE)
        cancel.remove(stopped.set)


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def stage(scene: Scene) -> Iterator[Hosts]:
    with cluster(ScriptedNodes("one", "two", "three", make=lambda _: LocalHost(Factory(scene)))) as running:
        yield running


def translated(hosts: Hosts, sentences: Sequence[str], cancel: Cancel) -> Iterator[str]:
    services = ClusterServices(AIServiceFactory(settings()), hosts)
    return services.translation_service(ENGLISH, SPANISH).translate(sentences, cancel)


def is_quiet(hosts: Hosts) -> bool:
    """Tell whether no host has a piece, and no thread here waits for one."""
    waiting = [thread for thread in threading.enumerate() if thread.name.startswith("vt-piece")]
    return not waiting and not any(state.pieces for state in hosts.states())


OTHERS = ["a", "b", "c", "d", "e"]


def test_as_many_pieces_are_under_way_as_there_is_room_for(scene: Scene, stage: Hosts) -> None:
    cancel = Cancel()
    texts = InThread(lambda: list(translated(stage, ["x", *OTHERS], cancel)))
    comes(lambda: len(scene.begun) == 6)
    assert [state.pieces for state in stage.states()] == [2, 2, 2]
    cancel.set()
    with pytest.raises(Cancelled):
        texts.result()
    assert is_quiet(stage)
    assert cancel.hook_count == 0


def test_whoever_leaves_early_ends_all_pieces_that_are_under_way(scene: Scene, stage: Hosts) -> None:
    cancel = Cancel()
    texts = translated(stage, ["first", *OTHERS], cancel)
    assert next(texts) == "first"
    comes(lambda: len(scene.begun) == 6)
    texts.close()  # type: ignore[attr-defined]
    assert is_quiet(stage)
    assert sorted(scene.ended) == OTHERS
    assert (cancel.is_set, cancel.hook_count) == (False, 0)


def test_an_error_of_one_piece_comes_through_and_ends_the_others(scene: Scene, stage: Hosts) -> None:
    cancel = Cancel()
    with pytest.raises(EngineError, match="That cannot be translated"):
        list(translated(stage, ["bad", *OTHERS], cancel))
    assert is_quiet(stage)
    assert sorted(scene.ended) == OTHERS
    assert (cancel.is_set, cancel.hook_count) == (False, 0)


def test_nothing_is_sent_where_there_is_nothing_to_do(scene: Scene, stage: Hosts) -> None:
    assert list(translated(stage, [], Cancel())) == []
    assert scene.begun == []


def test_what_nobody_has_elsewhere_is_an_error_before_anything_is_done() -> None:
    factory = Factory()
    factory.embedder = None
    with cluster(ScriptedNodes("one", make=lambda _: LocalHost(factory))) as hosts:
        services = ClusterServices(AIServiceFactory(settings()), hosts)
        with pytest.raises(ModelUnavailable, match="no model that tells speakers apart"):
            services.get_diarization_service()
