"""How voices sound before one is chosen: one sentence, spoken once, by nobody else, and never for a download."""

from __future__ import annotations

import io
import threading
import wave
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes import ToneSynthesizer
from tests.test_factory import settings
from vt import languages
from vt.domain import Cancel, Clip
from vt.dubbing.voice_samples import Samples, sentence, sentences
from vt.engines.candidate import Candidate
from vt.engines.definition import Site, TtsEngine
from vt.engines.model_spec import ModelSpec
from vt.engines.protocols import EngineInfo, Synthesizer, Voice
from vt.engines.registry import BUILT_IN
from vt.errors import ModelBusy, ModelUnavailable, UnknownModel, VtError
from vt.factory import AIServiceFactory
from vt.languages import Language
from vt.models.catalogue import Catalogue
from vt.ui.tabs.voices import why_unheard
from vt.ui.words import Words

MB = 2**20


class Tones(TtsEngine):
    """Speaks Spanish with three voices, each by a synthesizer that a test has made."""

    info = EngineInfo("tones", "tts", licence="CC-BY-NC-4.0", source="tests")

    def __init__(self, synthesizer: Synthesizer, *, downloads: bool = False) -> None:
        self._synthesizer, self._downloads = synthesizer, downloads

    def voices(self, site: Site) -> Sequence[Voice]:
        del site
        return [
            Voice(f"tones-{name}", languages.SPANISH, name, "female", "tones", self.info.licence)
            for name in ("a", "b", "c")
        ]

    def candidates(self, site: Site, language: Language, voice: str | None = None) -> Sequence[Candidate[Synthesizer]]:
        spec = ModelSpec(site.key("tts", "tones", "one", "cpu"), "tts", "one", "cpu", lambda: self._synthesizer, MB)
        unfit = None if language.code == "es" else "Tones are Spanish."
        return [
            Candidate(self.info, spec, unfit=unfit, voice=voice or "tones-a", downloads=self._downloads, prepare=_fail)
        ]

    def spoken(self, site: Site, *, reachable: bool) -> Collection[str]:
        del site, reachable
        return {"es"}


def _fail(_: Cancel) -> None:
    raise AssertionError("nothing is prepared for a sample")


class Endless(ToneSynthesizer):
    """Speaks until it is told to stop."""

    def speak(self, lines: Sequence[tuple[str, float]], cancel: Cancel) -> Iterator[Clip]:
        stopped = threading.Event()
        cancel.add(stopped.set)
        stopped.wait()
        cancel.check()
        yield from super().speak(lines, cancel)


def with_tones(synthesizer: Synthesizer, *, downloads: bool = False) -> AIServiceFactory:
    chosen = settings()
    table = BUILT_IN.with_first(Tones(synthesizer, downloads=downloads))
    return AIServiceFactory(chosen, catalogue=Catalogue(chosen, engines=table))


def test_a_voice_says_its_sentence_once_and_whoever_asks_again_hears_what_was_kept() -> None:
    voice = ToneSynthesizer()
    with closing(with_tones(voice)) as factory:
        samples = Samples(factory)
        assert samples.kept("tones-b") is None
        spoken = samples.of("tones-b")
        assert samples.of("tones-b") is samples.kept("tones-b") is spoken
    assert voice.asked == [(sentence(languages.get("es")), 1.0)]
    with wave.open(io.BytesIO(spoken)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, voice.sample_rate)
        assert file.getnframes() == round(len(sentence(languages.get("es"))) * 0.05 * voice.sample_rate)


def test_of_many_who_ask_for_one_voice_at_a_time_all_hear_it_and_it_speaks_once() -> None:
    voice, began = ToneSynthesizer(), threading.Barrier(8)
    with closing(with_tones(voice)) as factory:
        samples, heard = Samples(factory), list[bytes]()

        def ask() -> None:
            began.wait()
            heard.append(samples.of("tones-a"))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (len(heard), len(set(heard)), len(voice.asked)) == (8, 1, 1)


def test_no_more_samples_are_kept_than_there_is_room_for_and_those_stay_that_were_heard_last() -> None:
    with closing(with_tones(ToneSynthesizer())) as factory:
        size = len(Samples(factory).of("tones-a"))
        samples = Samples(factory, kept_bytes=2 * size)
        for name in ("tones-a", "tones-b", "tones-a", "tones-c"):
            samples.of(name)
        assert [bool(samples.kept(f"tones-{name}")) for name in "abc"] == [True, False, True]


def test_a_sample_of_a_minute_is_cut_after_seconds() -> None:
    voice = ToneSynthesizer(seconds_a_character=2.0, sample_rate=8000)
    with closing(with_tones(voice)) as factory:
        assert len(Samples(factory).of("tones-a")) == 15 * 8000 * 2 + 44


def test_nothing_is_downloaded_and_nobody_else_speaks_for_a_sample() -> None:
    with (
        closing(with_tones(ToneSynthesizer(), downloads=True)) as factory,
        pytest.raises(ModelUnavailable, match="tones-a cannot be heard yet: its model has not been downloaded here"),
    ):
        Samples(factory).of("tones-a")


def test_whoever_was_told_why_a_voice_was_not_heard_can_be_told_in_another_language() -> None:
    with closing(with_tones(ToneSynthesizer(), downloads=True)) as factory:
        samples = Samples(factory)
        for name in ("tones-a", *(f"nobody-{number}" for number in range(63))):
            with pytest.raises(VtError) as refused, samples.refusals_noted():
                samples.of(name)
            known = samples.refusal(str(refused.value))
            assert known
            assert known.template == refused.value.message.template
        told = "The voice tones-a cannot be heard yet: its model has not been downloaded here."
        assert samples.refusal(told)
        with pytest.raises(UnknownModel), samples.refusals_noted():
            samples.of("one-more")
        assert samples.refusal(told) is None
        assert samples.refusal("whatever somebody sends") is None


def test_the_page_says_what_the_routes_told_and_knows_it_again_where_they_left_out_a_path() -> None:
    spanish = Words("es")
    with closing(with_tones(ToneSynthesizer())) as factory:
        samples, folder = Samples(factory), Path("/srv/models/voice")
        with pytest.raises(ModelUnavailable), samples.refusals_noted():
            raise ModelUnavailable("The folder {folder} holds no model in ONNX's format.", folder=folder)
        told = "The folder voice holds no model in ONNX's format."
        assert why_unheard(spanish, samples, told) == "La carpeta voice no contiene ningún modelo en formato ONNX."
        assert why_unheard(spanish, samples, "Come again.") == "Come again."
        assert why_unheard(spanish, samples, "a" * 9000) == "a" * 500
        for nothing in (None, "", 7, ["x"]):
            assert why_unheard(spanish, samples, nothing) == spanish("voice_failed")


def test_a_voice_that_gets_no_turn_or_gives_no_sound_says_so_and_the_next_one_is_heard() -> None:
    with (
        closing(with_tones(Endless())) as factory,
        pytest.raises(ModelBusy, match="tones-a cannot be heard now: too much else is at work here"),
    ):
        Samples(factory, patience_seconds=0.05).of("tones-a")
    with closing(with_tones(ToneSynthesizer(0.0))) as factory:
        samples = Samples(factory)
        with pytest.raises(ModelUnavailable, match="it gave no sound"):
            samples.of("tones-a")
        assert len(samples.of("espeak-ng-es")) > 44_000


def test_a_voice_that_there_is_not_is_an_error_that_names_the_nearest() -> None:
    with closing(with_tones(ToneSynthesizer())) as factory, pytest.raises(UnknownModel, match="Near are: tones-"):
        Samples(factory).of("tone-d")


def test_every_sentence_is_short_and_of_a_language_that_there_is_and_other_languages_say_their_name() -> None:
    for code, text in sentences().items():
        assert languages.get(code).code == code
        assert 5 <= len(text) <= 90, text
    assert sentence(languages.get("io")) == languages.get("io").native_name
