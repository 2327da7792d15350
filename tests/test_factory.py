"""The factory: services and their leases, preload, status and health, with scripted engines and with the real ones."""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.asking import asked, pair
from tests.conftest import ROOT, SAMPLE
from tests.fakes import ScriptedTranscriber, ToneSynthesizer
from tests.graphics_cards import GB, cards
from tests.releases import offers
from tests.reports import engine_json
from vt import languages
from vt.domain import Cancel, Dropped, Wishes, Word
from vt.dubbing import pipeline
from vt.engines import whisper
from vt.engines.candidate import Candidate, Choice
from vt.engines.definition import Site, TtsEngine
from vt.engines.model_spec import ModelSpec
from vt.engines.protocols import EngineInfo, Heard, Synthesizer, Transcriber, Voice
from vt.engines.registry import BUILT_IN
from vt.errors import InputError, LanguageError, ModelBusy, ModelUnavailable, SettingsError, UnknownModel
from vt.factory import AIServiceFactory, SttService
from vt.languages import Language
from vt.model_files import bundle
from vt.model_files.hub import Hub
from vt.model_files.hub import of as hub_of
from vt.models.cache import CacheObserver, ModelCache
from vt.models.catalogue import Catalogue
from vt.models.latest_choices import KEPT_SECONDS, LatestChoices, Served
from vt.settings import Settings
from vt.system import machine

MB = 2**20
LONG = 10.0
SILENCE = np.zeros(16_000, np.int16)
INFO = EngineInfo("scripted", "stt", "MIT", "nowhere")
BUNDLED_KEY = "stt_whisper_base_cpu_2_false"

HEALTH = {"status", "cache_enabled", "device", "cached_models", "memory_usage_mb", "torch_cuda_available"}
STATUS = {
    "cache_enabled",
    "preload_enabled",
    "total_cached_models",
    "total_memory_mb",
    "device",
    "cpu_threads",
    "models",
    "budget_mb",
    "memory",
    "hits",
    "misses",
    "loads",
    "evictions",
}
MODEL = {
    "cache_key",
    "model_type",
    "model_name",
    "device",
    "load_time_seconds",
    "memory_usage_mb",
    "state",
    "leases",
    "idle_seconds",
}


FASTER = {"translation_engine": "apertium", "tts_engine": "espeak-ng"}


def settings(**fields: object) -> Settings:
    """Make settings that no environment has a part in, and that choose the fastest engines."""
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    return Settings.model_validate({**defaults, "cpu_threads": 2, "engines": "embedded", **FASTER, **fields})


class Scripted(Catalogue):
    """Real voices and translators, and recognisers from a script: the first is configured, others stand in."""

    def __init__(self, settings: Settings, *names: str) -> None:
        super().__init__(settings, cards=cards)
        self.names = names or ("only",)
        self.made: list[ScriptedTranscriber] = []
        self.before_load: Callable[[], object] = lambda: None
        self.lacking: tuple[str, ...] = ()
        self.lacks: set[str] = set()
        self.looks = 0
        """How often somebody had the candidates listed, for which a real catalogue looks at the disk."""

    def stt(self, language: Language | None, model: str | None = None) -> Sequence[Candidate[Transcriber]]:
        """List the scripted candidates; one whose name begins with "bad" cannot be loaded."""
        del language, model
        self.looks += 1
        return [self._candidate(name) for name in self.names]

    def missing(self) -> tuple[str, ...]:
        return self.lacking

    def closed(self) -> list[bool]:
        return [model.closed for model in self.made]

    def _candidate(self, name: str) -> Candidate[Transcriber]:
        spec: ModelSpec[Transcriber] = ModelSpec(f"stt_{name}", "stt", name, "cpu", lambda: self._load(name), 100 * MB)

        def obstacle() -> str | None:
            return f"The model {name} is not there." if name in self.lacks else None

        return Candidate(INFO, spec, obstacle=obstacle, insists=True, language=languages.ENGLISH)

    def _load(self, name: str) -> Transcriber:
        self.before_load()
        if name.startswith("bad"):
            raise ValueError("bad header")
        self.made.append(ScriptedTranscriber([Heard((Word(0.0, 1.0, "Hello."),))]))
        return self.made[-1]


class Bench:
    """Factories that are all closed at the end."""

    def __init__(self) -> None:
        self.factories: list[AIServiceFactory] = []

    def scripted(
        self, *names: str, clock: Callable[[], float] = time.monotonic, **fields: object
    ) -> tuple[AIServiceFactory, Scripted]:
        chosen = settings(**fields)
        catalogue = Scripted(chosen, *names)
        self.factories.append(AIServiceFactory(chosen, catalogue=catalogue, make_cache=impatient, clock=clock))
        return self.factories[-1], catalogue

    def real(self, **fields: object) -> AIServiceFactory:
        self.factories.append(AIServiceFactory(settings(**fields)))
        return self.factories[-1]


def impatient(settings: Settings, observer: CacheObserver) -> ModelCache:
    return ModelCache(
        (settings.cache_budget_mb or 1000) * MB,
        enabled=settings.cache_enabled,
        reclaim=lambda: None,
        patience_seconds=0.0,
        idle_seconds=settings.cache_idle_seconds,
        observer=observer,
    )


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    for factory in bench.factories:
        factory.close()


def python(script: str, cwd: Path, **environment: str) -> str:
    """Run a script in a process of its own, in an environment that says nothing else."""
    names = {field.alias for field in Settings.model_fields.values()}
    bare = {name: value for name, value in os.environ.items() if name not in names}
    argv = [sys.executable, "-c", script]
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**bare, "PYTHONPATH": str(ROOT), **environment},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def models(factory: AIServiceFactory) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = factory.get_model_status()["models"]
    return found


# Services and their leases


def test_the_first_call_loads_a_later_one_finds_and_neither_holds_a_lease(bench: Bench) -> None:
    factory, catalogue = bench.scripted()
    factory.get_stt_service()
    factory.get_stt_service("en", "only")
    (model,) = models(factory)
    assert (model["state"], model["leases"], len(catalogue.made)) == ("ready", 0, 1)
    status = factory.get_model_status()
    assert (status["loads"], status["misses"], status["hits"]) == (1, 1, 1)


def test_a_service_holds_a_lease_for_the_length_of_a_with(bench: Bench) -> None:
    factory, catalogue = bench.scripted()
    with factory.get_stt_service() as engine:
        assert engine is catalogue.made[0]
        assert models(factory)[0]["leases"] == 1
    assert models(factory)[0]["leases"] == 0


def test_a_method_holds_a_lease_while_its_items_come(bench: Bench) -> None:
    factory, _ = bench.scripted()
    heard = factory.get_stt_service().transcribe(SILENCE, Cancel())
    assert models(factory)[0]["leases"] == 0
    next(heard)
    assert models(factory)[0]["leases"] == 1
    assert list(heard) == []
    assert models(factory)[0]["leases"] == 0


def test_a_service_for_whichever_language_is_spoken_hears_the_one_that_it_detects() -> None:
    class Listening(ScriptedTranscriber):
        heard: Language | None = None

        def transcribe(
            self, samples: NDArray[np.float32], language: Language, cancel: Cancel
        ) -> Iterator[Heard | Dropped]:
            self.heard = language
            return super().transcribe(samples, language, cancel)

    model = Listening([])
    service = SttService(Choice(INFO, "one"), lambda: nullcontext(model), None, True)
    assert list(service.transcribe(SILENCE, Cancel())) == []
    assert model.heard == languages.ENGLISH


def test_a_method_called_inside_a_with_uses_its_lease(bench: Bench) -> None:
    factory, catalogue = bench.scripted()
    service = factory.get_stt_service()
    with service as engine, service as again:
        assert engine is again
        list(service.transcribe(SILENCE, Cancel()))
        assert models(factory)[0]["leases"] == 1
    assert catalogue.made[0].calls == 1


def test_a_generator_that_outlives_its_with_keeps_the_model_to_its_end(bench: Bench) -> None:
    factory, catalogue = bench.scripted()
    service = factory.get_stt_service()
    with service:
        heard = service.transcribe(SILENCE, Cancel())
        next(heard)
    assert factory.clear_cache().retiring == ("stt_only",)
    assert catalogue.closed() == [False]
    heard.close()  # type: ignore[attr-defined]
    assert catalogue.closed() == [True]


def test_a_generator_dropped_by_another_thread_gives_its_lease_back(bench: Bench) -> None:
    factory, _ = bench.scripted()
    heard = factory.get_stt_service().transcribe(SILENCE, Cancel())
    next(heard)
    thread = threading.Thread(target=heard.close)  # type: ignore[attr-defined]
    thread.start()
    thread.join(LONG)
    assert models(factory)[0]["leases"] == 0


def test_two_threads_hold_a_lease_each(bench: Bench) -> None:
    factory, _ = bench.scripted()
    service, seen = factory.get_stt_service(), []

    def work() -> None:
        with service:
            seen.append(models(factory)[0]["leases"])

    with service:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(LONG)
    assert seen == [2]


def test_a_service_loads_again_what_was_evicted_since(bench: Bench) -> None:
    factory, catalogue = bench.scripted()
    service = factory.get_stt_service()
    factory.clear_cache()
    with service as engine:
        assert engine is catalogue.made[1]


def test_a_service_that_is_kept_does_not_pin_a_model_that_has_gone(bench: Bench) -> None:
    factory, catalogue = bench.scripted()
    service = factory.get_stt_service()
    with service:
        pass
    model = weakref.ref(catalogue.made.pop())
    factory.clear_cache()
    gc.collect()
    assert model() is None


def test_clearing_in_use_retires_clearing_twice_and_closing_in_use_harm_nobody(bench: Bench) -> None:
    factory, catalogue = bench.scripted()
    with factory.get_stt_service():
        assert factory.clear_cache().retiring == factory.clear_cache().retiring == ("stt_only",)
        factory.close()
        assert catalogue.closed() == [False]
    assert catalogue.closed() == [True]
    with pytest.raises(ModelUnavailable, match="shutting down"):
        factory.get_stt_service()


def test_evicting_one_model_by_its_key_tells_what_became_of_it(bench: Bench) -> None:
    factory, _ = bench.scripted()
    factory.get_stt_service()
    assert factory.evict_model("stt_only").outcome == "freed"
    assert factory.evict_model("stt_only").outcome == "unknown"


# A warm model and the disk


class Warm:
    """A factory with a clock of its own, whose small model stands in for one that is not there and is warm."""

    def __init__(self, bench: Bench, *names: str) -> None:
        self.now = 100.0
        self.factory, self.catalogue = bench.scripted(*(names or ("model", "small")), clock=lambda: self.now)
        self.catalogue.lacks.add("model")
        for _ in range(2):  # the first call loads, which is a change
            self.factory.get_stt_service()

    def model(self) -> str:
        return self.factory.get_stt_service().choice.model

    def looks(self) -> int:
        """Ask once more, and return how often that had the candidates listed."""
        before = self.catalogue.looks
        self.factory.get_stt_service()
        return self.catalogue.looks - before


def test_a_warm_model_is_served_without_a_look_at_the_disk_and_counts_as_used(bench: Bench) -> None:
    warm = Warm(bench)
    before = warm.factory.get_model_status()
    services = [warm.factory.get_stt_service() for _ in range(5)]
    assert [warm.looks() for _ in range(3)] == [0, 0, 0]
    assert {str(service.choice.fallback_reason) for service in services} == {"The model model is not there."}
    assert warm.factory.get_model_status()["hits"] == before["hits"] + 8
    with services[-1] as model:
        assert model is warm.catalogue.made[0]


def test_another_wish_is_looked_for_by_itself(bench: Bench) -> None:
    warm = Warm(bench)
    before = warm.catalogue.looks
    warm.factory.get_stt_service("en")
    warm.factory.get_stt_service("auto", "small")
    assert warm.catalogue.looks == before + 2


def test_what_somebody_else_changes_on_the_disk_is_noticed_within_seconds(bench: Bench) -> None:
    warm = Warm(bench)
    warm.catalogue.lacks.clear()
    assert warm.model() == "small"
    warm.now += KEPT_SECONDS
    assert warm.model() == "model"
    assert warm.factory.health_check()["status"] == "healthy"


def test_a_download_that_has_ended_is_noticed_at_once(bench: Bench) -> None:
    warm = Warm(bench)
    warm.catalogue.preparations.run("model", lambda _: warm.catalogue.lacks.clear(), Cancel())
    assert warm.model() == "model"


@pytest.mark.parametrize("how", ["cleared", "evicted"])
def test_a_model_that_was_freed_is_looked_for_anew_at_once(bench: Bench, how: str) -> None:
    warm = Warm(bench)
    warm.catalogue.lacks.clear()
    if how == "cleared":
        warm.factory.clear_cache()
    else:
        warm.factory.evict_model("stt_small")
    assert warm.model() == "model"


def test_a_model_that_leaves_while_it_is_in_use_serves_no_new_request(bench: Bench) -> None:
    warm = Warm(bench)
    with warm.factory.get_stt_service():
        warm.factory.clear_cache()
        warm.catalogue.lacks.clear()
        assert warm.model() == "model"


def test_a_better_model_that_could_not_be_loaded_is_tried_again_by_every_request(bench: Bench) -> None:
    warm = Warm(bench, "bad", "small")
    tries: list[str] = []
    warm.catalogue.before_load = lambda: tries.append("load")
    assert [warm.model() for _ in range(3)] == ["small"] * 3
    assert len(tries) == 3


def test_what_found_too_little_memory_for_its_work_gives_way_though_it_is_warm(bench: Bench) -> None:
    warm = Warm(bench, "large", "small")
    spent = warm.factory.get_stt_service().choice
    assert warm.factory.stt_service(None, after=spent).choice.model == "small"
    assert warm.model() == "large"


def test_what_is_kept_of_wishes_is_bounded() -> None:
    latest = LatestChoices(lambda: (0,), lambda: 0.0)
    spec: ModelSpec[Transcriber] = ModelSpec("stt_one", "stt", "one", "cpu", lambda: ScriptedTranscriber([]), 0)
    served = Served(Candidate(INFO, spec), Choice(INFO, "one"), "stt_one")
    for number in range(1000):
        latest.keep((number,), served, latest.now())
    assert latest.find((999,)) is served
    assert sum(latest.find((number,)) is not None for number in range(1000)) < 300


def test_memory_that_stays_in_use_is_said_with_what_holds_it(bench: Bench) -> None:
    factory, catalogue = bench.scripted(cache_budget_mb=120)
    with factory.get_stt_service():
        catalogue.names = ("another",)
        with pytest.raises(ModelBusy, match=r"held by stt_only \(1 lease"):
            factory.get_stt_service()


def test_a_budget_smaller_than_any_model_loads_one_at_a_time(bench: Bench) -> None:
    factory, catalogue = bench.scripted(cache_budget_mb=10)
    factory.get_stt_service()
    catalogue.names = ("another",)
    factory.get_stt_service()
    assert [model["cache_key"] for model in models(factory)] == ["stt_another"]


def test_without_caching_the_call_loads_nothing_and_each_use_loads_and_frees(bench: Bench) -> None:
    factory, catalogue = bench.scripted(cache_enabled=False)
    service = factory.get_stt_service()
    assert catalogue.made == []
    for _ in range(2):
        list(service.transcribe(SILENCE, Cancel()))
    assert catalogue.closed() == [True, True]
    assert factory.get_model_status()["total_cached_models"] == 0


def test_idle_models_go_by_themselves_after_their_time(bench: Bench) -> None:
    factory, catalogue = bench.scripted(cache_idle_seconds=0.01)
    factory.get_stt_service()
    deadline = time.monotonic() + LONG
    while models(factory) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert catalogue.made[0].closed


# Choices


def test_what_stands_in_is_told_in_the_answer_and_the_health_until_the_wish_is_met(bench: Bench) -> None:
    factory, catalogue = bench.scripted("model", "small")
    catalogue.lacks.add("model")
    choice = factory.get_stt_service().choice
    assert (choice.model, choice.fallback_reason) == ("small", "The model model is not there.")
    assert factory.health_check()["status"] == "degraded"
    assert factory.notes() == ("The model model is not there.",)
    catalogue.lacks.clear()
    assert factory.get_stt_service().choice.fallback_reason is None
    assert factory.health_check()["status"] == "healthy"


def test_a_model_that_one_caller_asked_for_in_vain_is_no_matter_of_health(bench: Bench) -> None:
    factory, catalogue = bench.scripted("model", "small")
    catalogue.lacks.add("model")
    assert factory.get_stt_service("auto", "model").choice.fallback_reason
    assert factory.health_check()["status"] == "healthy"


def test_a_stage_without_any_engine_is_unhealthy_and_said_so(bench: Bench) -> None:
    factory, catalogue = bench.scripted()
    catalogue.lacking = ("Nothing here speaks: install espeak-ng.",)
    assert factory.health_check()["status"] == "unhealthy"
    assert factory.notes() == ("Nothing here speaks: install espeak-ng.",)


def test_by_default_nothing_stands_in_for_anything(bench: Bench) -> None:
    factory = bench.real(translation_engine="auto", tts_engine="auto")
    stt, translation, tts = factory.get_stt_service(), factory.get_translation_service(), factory.get_tts_service("es")
    assert [engine_json(choice) for choice in (stt.choice, translation.choice, tts.choice)] == [
        {"engine": "whisper", "model": "base", "device": "cpu", "fallback_reason": None},
        {
            "engine": "firefox > apertium",
            "model": "en-pt > pt-es",
            "device": "cpu",
            "fallback_reason": None,
            "route": [
                {"engine": "firefox", "from": "en", "to": "pt"},
                {"engine": "apertium", "from": "pt", "to": "es"},
            ],
        },
        {"engine": "kokoro", "model": "kokoro-82m", "device": "cpu", "fallback_reason": None, "voice": "ef_dora"},
    ]
    assert [model["cache_key"] for model in models(factory)] == [
        BUNDLED_KEY,
        "translation_firefox_en-pt_cpu_2_false",
        "tts_kokoro_kokoro-82m_cpu_2_false",
    ]
    assert factory.health_check()["status"] == "healthy"


def test_cuda_without_a_graphics_processor_falls_to_the_cpu_with_a_reason_or_is_an_error() -> None:
    for fallback, device in ((True, "cuda"), (False, "cuda"), (False, "auto")):
        chosen = settings(device=device, fallback=fallback)
        factory = AIServiceFactory(chosen, catalogue=Catalogue(chosen, cards=cards))
        if not fallback and device == "cuda":
            with pytest.raises(ModelUnavailable, match="DEVICE is cuda, but no graphics processor was found"):
                factory.get_stt_service()
        else:
            choice = factory.get_stt_service().choice
            reason = "DEVICE is cuda, but no graphics processor was found." if device == "cuda" else None
            assert (choice.device, choice.fallback_reason) == ("cpu", reason)
        assert factory.health_check()["device"] == "cpu"
        factory.close()


@pytest.mark.parametrize(("device", "key"), [("auto", "cuda"), ("cuda", "cuda"), ("cpu", "cpu")])
def test_with_a_graphics_processor_the_setting_decides(device: str, key: str) -> None:
    catalogue = Catalogue(settings(device=device, vad=True), cards=lambda: cards(8 * GB))
    assert catalogue.stt(None)[0].spec.key == f"stt_whisper_base_{key}_2_true"
    assert catalogue.device == key


def copied(folder: Path) -> Path:
    shutil.copytree(bundle.ROOT / "whisper-tiny.en", folder)
    return folder


def test_a_model_in_a_folder_is_loaded_under_a_key_of_its_own(bench: Bench, tmp_path: Path) -> None:
    folder = copied(tmp_path / "my model")
    factory = bench.real(whisper_model=str(folder))
    service = factory.get_stt_service()
    assert service.choice.fallback_reason is None
    (model,) = models(factory)
    assert re.fullmatch(r"stt_whisper_my-model-[0-9a-f]{8}_cpu_2_false", model["cache_key"])
    assert bench.real(whisper_model=f"{folder}/../my model").get_stt_service().choice == service.choice


def damaged(kind: str, folder: Path) -> str:
    """Make a folder whose model cannot be loaded, and return a part of the sentence that says so."""
    if kind == "missing folder":
        return "is not there"
    copied(folder)
    weights = folder / "model.bin"
    if kind == "missing file":
        weights.unlink()
    elif kind == "truncated file":
        os.truncate(weights, 1_000_000)
    elif kind == "wrong format":
        weights.write_bytes(b"PK\x03\x04" + bytes(1_000_000))
    else:
        (folder / "vocabulary.txt").write_text("one\ntwo\n")
        return "holds no Whisper model"
    return "cannot be loaded"


@pytest.mark.parametrize(
    "kind", ["missing folder", "missing file", "truncated file", "wrong format", "another vocabulary"]
)
def test_a_folder_without_a_good_model_gives_way_to_the_bundled_one_or_is_an_error(
    bench: Bench, tmp_path: Path, kind: str
) -> None:
    words = damaged(kind, tmp_path / "model")
    factory = bench.real(whisper_model=str(tmp_path / "model"))
    choice = factory.get_stt_service().choice
    assert choice.model == "base"
    assert choice.fallback_reason is not None
    assert words in choice.fallback_reason
    assert str(tmp_path / "model") in choice.fallback_reason
    assert [model["cache_key"] for model in models(factory)] == [BUNDLED_KEY]
    with pytest.raises(ModelUnavailable, match=words):
        bench.real(whisper_model=str(tmp_path / "model"), fallback=False).get_stt_service()


BUNDLED_SCRIPT = """
import sys
sys.prefix = {prefix!r}
from vt.errors import VtError
from vt.factory import get_ai_factory
try:
    choice = get_ai_factory().get_stt_service().choice
    print(choice.model, choice.fallback_reason)
except VtError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (("whisper-base", "whisper-tiny.en"), r"base None"),
        (("whisper-tiny.en",), r"tiny\.en Whisper base is not here, or not whole: run scripts/setup models\."),
        (
            ("whisper-base changed", "whisper-tiny.en"),
            r"tiny\.en Whisper base in .* cannot be used: config\.json changed",
        ),
        ((), r"Whisper base is not here, or not whole: run scripts/setup models\."),
    ],
)
def test_embedded_hears_with_the_best_of_the_bundled_models_that_is_whole(
    tmp_path: Path, there: tuple[str, ...], said: str
) -> None:
    for name, _, changed in (one.partition(" ") for one in there):
        folder = tmp_path / "share" / "vt" / "models" / name
        folder.mkdir(parents=True)
        for file in (bundle.ROOT / name).iterdir():
            (folder / file.name).symlink_to(file)
        if changed:
            config = (folder / "config.json").read_text(encoding="utf-8")
            (folder / "config.json").unlink()
            (folder / "config.json").write_text(config.replace("1", "2", 1), encoding="utf-8")
    told = python(BUNDLED_SCRIPT.format(prefix=str(tmp_path)), tmp_path, VT_ENGINES="embedded")
    assert re.match(said, told), told


@pytest.mark.parametrize("name", ["small", "large-v3", "Systran/faster-whisper-base.en"])
def test_a_model_that_is_not_on_this_machine_gives_way_to_the_bundled_one(bench: Bench, name: str) -> None:
    factory = bench.real()
    choice = factory.get_stt_service("auto", name).choice
    assert choice.model == "base"
    assert re.fullmatch(
        rf"The model {Path(name).name}(-\w+)? cannot be downloaded: VT_ENGINES=embedded allows no downloads\.",
        str(choice.fallback_reason),
    )


def test_a_name_that_no_model_bears_is_an_error_that_lists_the_known_ones(bench: Bench) -> None:
    with pytest.raises(ModelUnavailable, match=r"smal is not known: known are tiny\.en, .* turbo"):
        bench.real().get_stt_service("auto", "smal")
    with pytest.raises(
        ModelUnavailable, match=r"opus is not known: known are facebook/nllb-200-distilled-600M, .* other hub ids"
    ):
        bench.real().get_translation_service("en", "es", "opus")


def test_languages_that_nobody_serves_are_refused_before_anything_is_loaded(bench: Bench) -> None:
    factory = bench.real(whisper_model="tiny.en", fallback=False)
    for source, target, words in (
        ("fr", "es", "French cannot be heard here"),
        ("en", "ja", "Nobody here translates English to Japanese"),
        ("en", "gl", "Galician cannot be spoken here" if offers("apertium-en-gl") else "English to Galician"),
        ("auto", "en", "speaks English already"),
    ):
        with pytest.raises(LanguageError, match=words):
            factory.check(languages.spoken(source), languages.get(target))
    factory.check(None, languages.SPANISH)
    factory.check(*pair("es", "en"), hears=False)
    assert models(factory) == []


# Preload


def test_the_preload_goes_in_order_in_the_background_and_a_second_call_joins_it(bench: Bench) -> None:
    factory, catalogue = bench.scripted(preload_languages=("es", "fr"))
    begun, go = threading.Event(), threading.Event()

    def before_load() -> None:
        begun.set()
        assert go.wait(LONG)

    catalogue.before_load = before_load
    first = factory.preload_default_models()
    assert [item.name for item in first] == ["stt_only", "apertium eng-spa", "espeak-ng es", "espeak-ng fr-fr"]
    assert begun.wait(LONG)
    states = [item.state for item in factory.preload_default_models()]
    assert states == ["loading", "queued", "queued", "queued"]
    assert not factory.wait_for_preload(0.0)
    go.set()
    assert factory.wait_for_preload(LONG)
    assert [item.state for item in factory.preload_status()] == ["ready"] * 4
    assert len(catalogue.made) == 1
    assert factory.health_check()["status"] == "healthy"


def test_a_preload_that_fails_says_why_goes_on_and_only_degrades(bench: Bench) -> None:
    factory, _ = bench.scripted("bad", preload_languages=("es", "xx", "gl"))
    factory.preload_default_models()
    assert factory.wait_for_preload(LONG)
    recognition, translation, spanish, unknown, galician = factory.preload_status()
    assert (recognition.state, recognition.why) == ("failed", "The model bad cannot be loaded: bad header.")
    assert (translation.state, spanish.state) == ("ready", "ready")
    assert (unknown.state, galician.state) == ("failed", "failed")
    assert "Galician cannot be spoken here" in str(galician.why)
    assert factory.health_check()["status"] == "degraded"
    assert recognition.why in factory.notes()


def test_what_stood_in_during_the_preload_is_named_by_what_it_is(bench: Bench) -> None:
    factory, _ = bench.scripted("bad", "small")
    assert factory.preload_default_models()[0].name == "stt_bad"
    assert factory.wait_for_preload(LONG)
    assert (factory.preload_status()[0].name, factory.preload_status()[0].state) == ("stt_small", "ready")


def test_without_caching_the_preload_is_skipped_with_a_warning(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    factory, catalogue = bench.scripted(cache_enabled=False)
    assert factory.preload_default_models() == factory.preload_status() == ()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "MODEL_CACHE_ENABLED is false" in caplog.text
    assert catalogue.made == []


def test_clearing_during_the_preload_leaves_a_factory_that_works(bench: Bench) -> None:
    factory, catalogue = bench.scripted()
    catalogue.before_load = factory.clear_cache
    factory.preload_default_models()
    assert factory.wait_for_preload(LONG)
    catalogue.before_load = lambda: None
    with factory.get_stt_service() as engine:
        assert engine is catalogue.made[-1]


# Status


def test_health_and_status_have_just_the_promised_keys(bench: Bench) -> None:
    factory, _ = bench.scripted()
    factory.get_stt_service()
    assert set(factory.health_check()) == HEALTH
    assert set(factory.get_model_status()) == STATUS
    assert set(models(factory)[0]) == MODEL
    json.dumps([factory.health_check(), factory.get_model_status()])


def test_health_and_status_answer_at_once_while_a_model_loads_and_show_it(bench: Bench) -> None:
    factory, catalogue = bench.scripted()
    begun, go = threading.Event(), threading.Event()

    def before_load() -> None:
        begun.set()
        assert go.wait(LONG)

    catalogue.before_load = before_load
    thread = threading.Thread(target=factory.get_stt_service)
    thread.start()
    assert begun.wait(LONG)
    taken = []
    for _ in range(50):
        began = time.perf_counter()
        factory.health_check()
        taken.append(time.perf_counter() - began)
    assert statistics.median(taken) < 0.005
    status = factory.get_model_status()
    assert (status["total_cached_models"], status["models"][0]["state"]) == (0, "loading")
    go.set()
    thread.join(LONG)
    assert factory.get_model_status()["total_cached_models"] == 1


def test_the_metrics_are_fed_by_the_factorys_own_cache(bench: Bench) -> None:
    factory, _ = bench.scripted()
    with factory.get_stt_service():
        text = factory.metrics.exposition().decode()
    assert 'vt_model_leases{kind="stt"} 1.0' in text
    assert "vt_model_loads_total 1.0" in text


def test_the_budget_is_the_setting_or_half_of_the_memory_there_is(bench: Bench) -> None:
    assert bench.real(cache_budget_mb=321).get_model_status()["budget_mb"] == 321.0
    half = machine.memory_limit() / 2 / MB
    assert bench.real().get_model_status()["budget_mb"] == pytest.approx(half, abs=0.1)


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"engines": "embedded"}, "VT_ENGINES"), ({"engines": "auto", "hub_offline": True}, "HF_HUB_OFFLINE")],
)
def test_where_no_network_is_allowed_the_hub_is_not_asked(fields: dict[str, object], words: str) -> None:
    hub: Hub = hub_of(settings(hub_endpoint="http://hub.invalid", **fields))
    assert str(hub.obstacle()).startswith(words)


# The one factory of the process


def test_many_threads_get_one_factory_and_other_settings_are_refused(tmp_path: Path) -> None:
    script = """
import threading
from vt import settings
from vt.errors import SettingsError
from vt.factory import get_ai_factory
found = []
threads = [threading.Thread(target=lambda: found.append(get_ai_factory())) for _ in range(32)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(found), len(set(map(id, found))), get_ai_factory(settings.load()) is found[0])
try:
    get_ai_factory(settings.Settings(VAD=True))
except SettingsError as error:
    print(error)
"""
    assert python(script, tmp_path).splitlines() == [
        "32 1 True",
        "The factory of this process was made with other settings already.",
    ]


def test_asking_for_health_and_status_never_imports_torch_and_writes_no_log(tmp_path: Path) -> None:
    script = """
import sys
from vt.factory import get_ai_factory
f = get_ai_factory()
print(sorted(f.health_check()))
print(sorted(f.get_model_status()))
print(sorted({"torch", "transformers"} & set(sys.modules)))
"""
    health, status, heavy = python(script, tmp_path).splitlines()
    assert (health, status, heavy) == (str(sorted(HEALTH)), str(sorted(STATUS)), "[]")
    assert list(tmp_path.iterdir()) == []


# The real model


def test_the_script_of_the_pages_shows_how_much_faster_a_warm_model_is_and_loads_it_once(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "API.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n((?:(?!```).)*?get_stt_service\(\"auto\".*?)```", page, re.DOTALL)
    counted = "status = factory.get_model_status()\nprint(status['loads'], status['hits'])\n"
    said, counts = python(f"{script}\n{counted}", tmp_path).splitlines()
    assert re.fullmatch(r"cold [\d.]+ s, warm [\d,]+ microseconds: [\d,]+ times as fast", said), said
    # How much faster it is depends on the machine; that the second call loads nothing does not.
    assert counts.split() == ["1", "1"]


MEMORY_SCRIPT = """
import json
from vt.system import machine
from vt.factory import get_ai_factory
factory = get_ai_factory()
readings = []
for _ in range(3):
    before = machine.resident_bytes()
    factory.get_stt_service()
    loaded = machine.resident_bytes()
    told = factory.get_model_status()["total_memory_mb"] * 2**20
    factory.clear_cache()
    readings.append((before, loaded, told, machine.resident_bytes()))
print(json.dumps(readings))
"""


def test_the_status_is_true_and_the_memory_goes_back_to_the_system(tmp_path: Path) -> None:
    readings = json.loads(python(MEMORY_SCRIPT, tmp_path))
    for before, loaded, told, _ in readings:
        assert told == pytest.approx(loaded - before, rel=0.25)
    # The first load brings the library along, and that stays.
    for before, loaded, _, after in readings[1:]:
        assert (loaded - after) / (loaded - before) >= 0.8


@pytest.mark.soak
def test_the_estimate_is_near_what_the_bundled_model_takes(tmp_path: Path) -> None:
    # In a process of its own: what other tests left free in this one would be filled first. The first load: later
    # ones find its tokenizer still there.
    (_, _, told, _), *_ = json.loads(python(MEMORY_SCRIPT, tmp_path))
    assert told == pytest.approx(whisper.estimated_bytes(str(bundle.ROOT / "whisper-base")), rel=0.25)


def cut(target: Path, seconds: str) -> Path:
    argv = ["ffmpeg", "-v", "error", "-i", str(SAMPLE), "-t", seconds, "-c:v", "copy", "-c:a", "aac"]
    subprocess.run([*argv, str(target)], check=True)
    return target


def test_the_dub_of_a_second_film_in_the_same_process_loads_nothing(bench: Bench, tmp_path: Path) -> None:
    factory, loads = bench.real(), []
    for name, seconds in (("first", "7"), ("second", "6.9")):  # the same voice: another might need another model
        (tmp_path / name).mkdir()
        film = cut(tmp_path / f"{name}.mp4", seconds)
        result = pipeline.dub(asked(film, "es"), factory, tmp_path / name)
        assert all(engine["fallback_reason"] is None for engine in result.report.as_json()["engines"].values())
        loads.append(factory.get_model_status()["loads"])
    assert loads == [2, 2]  # what hears, and what tells speakers apart


# Engines by name


class Beeps(TtsEngine):
    """Speaks Spanish in tones."""

    info = EngineInfo("beeps", "tts", licence="MIT", source="tests")

    def voices(self, site: Site) -> Sequence[Voice]:
        del site
        return [Voice("beeps-es", languages.SPANISH, "Beeps", "", "beeps", "MIT")]

    def candidates(self, site: Site, language: Language, voice: str | None = None) -> Sequence[Candidate[Synthesizer]]:
        spec = ModelSpec(site.key("tts", "beeps", "one", "cpu"), "tts", "one", "cpu", ToneSynthesizer, MB)
        unfit = None if language.code == "es" else "Beeps are Spanish."
        return [Candidate(self.info, spec, unfit=unfit, voice=voice or "beeps-es")]

    def spoken(self, site: Site, *, reachable: bool) -> Collection[str]:
        del site, reachable
        return {"es"}


def with_beeps(**fields: object) -> AIServiceFactory:
    chosen = settings(**fields)
    return AIServiceFactory(chosen, catalogue=Catalogue(chosen, engines=BUILT_IN.with_first(Beeps())))


@pytest.mark.soak
def test_an_engine_that_stands_in_the_table_serves_a_job_from_end_to_end(tmp_path: Path) -> None:
    with closing(with_beeps(tts_engine="auto")) as factory:
        report = pipeline.dub(asked(SAMPLE, "es"), factory, tmp_path).report.as_json()
        assert [model["cache_key"] for model in models(factory)] == [
            BUNDLED_KEY,
            "diarization_campplus_campplus-zh-en_cpu_2_false",
            "tts_beeps_one_cpu_2_false",
        ]
    told = {"engine": "beeps", "model": "one", "device": "cpu", "fallback_reason": None, "voice": "beeps-es"}
    assert report["engines"]["tts"] == told
    assert report["timing"]["speech_overlap"] > 0


def test_who_is_named_serves_and_another_only_where_it_cannot(bench: Bench) -> None:
    del bench
    with closing(with_beeps(tts_engine="espeak-ng")) as factory:
        assert factory.voice(languages.get("es")).info.name == "espeak-ng"
        assert factory.voice(languages.get("es"), Wishes(tts_engine="beeps")).info.name == "beeps"
        assert factory.voice(languages.get("es"), Wishes(voice="beeps-es")).voice == "beeps-es"
    with closing(with_beeps(tts_engine="beeps")) as factory:
        choice = factory.get_tts_service("fr").choice
        assert (choice.info.name, choice.fallback_reason) == ("kokoro", "Beeps are Spanish.")


def test_who_is_named_and_not_here_gives_way_with_a_sentence_or_is_an_error() -> None:
    with closing(with_beeps()) as factory:
        for source, target, engine, why in (
            ("en", "es", "nllb", "No NLLB model is here yet: vt fetch downloads one."),
            ("es", "ca", "firefox", "firefox does not translate Spanish to Catalan here."),
        ):
            choice = factory.translation_service(*pair(source, target), engine=engine).choice
            assert (choice.info.name != engine, choice.fallback_reason) == (True, why)
        choice = factory.tts_service(languages.get("es"), engine="mms").choice
        assert (choice.info.name, choice.fallback_reason) == (
            "beeps",
            "No MMS voice is here yet: vt fetch downloads one.",
        )
        with pytest.raises(LanguageError, match="espeak-ng has no voice for it"):
            factory.tts_service(languages.get("abi"), engine="mms")
    with closing(with_beeps(fallback=False, tts_engine="mms", translation_engine="nllb")) as factory:
        with pytest.raises(LanguageError, match=r"No NLLB model is here yet.* VT_FALLBACK=false"):
            factory.get_translation_service("en", "es")
        with pytest.raises(LanguageError, match=r"No MMS voice is here yet.* VT_FALLBACK=false"):
            factory.get_tts_service("es")
        with pytest.raises(ModelUnavailable, match="No NLLB model is here yet"):
            factory.fetch([])


def test_further_ways_to_translate_are_those_of_other_routes_and_translate_the_same(bench: Bench) -> None:
    factory = bench.real(engines="embedded")
    taken = factory.translation_service(*pair("en", "es")).choice
    others = factory.other_translations(taken)
    assert others
    assert taken.route not in [other.choice.route for other in others]
    assert all((other.choice.route[0].source, other.choice.route[-1].target) == ("en", "es") for other in others)
    (text,) = others[0].translate(["The house is white."], Cancel())
    assert "casa" in text.lower()
    assert factory.other_translations(replace(taken, route=())) == []


@pytest.mark.soak
def test_who_was_wished_for_in_vain_by_one_job_is_no_matter_of_health(bench: Bench) -> None:
    del bench
    with closing(with_beeps(tts_engine="auto")) as factory:
        assert factory.tts_service(languages.get("es"), engine="mms").choice.fallback_reason
        assert factory.tts_service(languages.get("fr"), engine="beeps").choice.fallback_reason == "Beeps are Spanish."
        assert factory.translation_service(*pair("en", "es"), engine="nllb").choice.fallback_reason
        assert (factory.health_check()["status"], factory.notes()) == ("healthy", ())


def test_a_machine_without_espeak_ng_speaks_nothing_and_is_unhealthy(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = Catalogue(settings())
    assert catalogue.missing() == ()
    monkeypatch.setenv("PATH", "/nowhere")
    assert catalogue.missing()[-1] == "Nothing here speaks: install espeak-ng."


def test_a_data_folder_that_cannot_be_read_hides_fetched_models_and_nothing_else(tmp_path: Path) -> None:
    hidden = Catalogue(settings(data_dir=tmp_path / ("d" * 300)))  # what looks into it gets an error of the system
    assert hidden.hops() == Catalogue(settings(data_dir=tmp_path)).hops()


def test_natural_voices_that_may_not_be_fetched_are_not_among_the_names_of_models() -> None:
    with pytest.raises(UnknownModel, match="Known are: ") as refused:
        Catalogue(settings(kokoro_model="somebody/kokoro")).named("kokoro-82m")
    assert "kokoro" not in str(refused.value).partition("Known are: ")[2]


def test_an_engine_or_voice_that_there_is_not_is_an_error_that_names_the_nearest() -> None:
    with closing(with_beeps()) as factory:
        with pytest.raises(UnknownModel, match=r"'bips-es' here\. Near are: beeps-es"):
            factory.voice(languages.get("es"), Wishes(voice="bips-es"))
        with pytest.raises(LanguageError, match=r"beeps-es speaks Spanish, not French\. Voices for French: .*espeak"):
            factory.voice(languages.get("fr"), Wishes(voice="beeps-es"))
        with pytest.raises(UnknownModel, match=r"'festival': use auto, beeps, .*espeak-ng"):
            factory.voice(languages.get("es"), Wishes(tts_engine="festival"))
        with pytest.raises(InputError, match=r"The voice beeps-es is one of beeps, not of espeak-ng"):
            factory.voice(languages.get("es"), Wishes("beeps-es", "espeak-ng"))
        assert factory.voice(languages.get("es"), Wishes("beeps-es", "auto")).voice == "beeps-es"
        with pytest.raises(UnknownModel, match=r"'babelfish': use auto, llm, nllb, firefox, apertium"):
            factory.check(*pair("en", "es"), wishes=Wishes(translation_engine="babelfish"))


class Multilingual(Scripted):
    """Finds out what is spoken by listening."""

    def stt(self, language: Language | None, model: str | None = None) -> Sequence[Candidate[Transcriber]]:
        return [replace(candidate, language=None) for candidate in super().stt(language, model)]


def test_an_unknown_translation_engine_is_refused_before_the_films_language_is_known() -> None:
    chosen = settings()
    with closing(AIServiceFactory(chosen, catalogue=Multilingual(chosen))) as factory:
        factory.check(None, languages.SPANISH, wishes=Wishes(translation_engine="apertium"))
        with pytest.raises(UnknownModel, match="babelfish"):
            factory.check(None, languages.SPANISH, wishes=Wishes(translation_engine="babelfish"))

    with pytest.raises(SettingsError, match=r"VT_TTS_ENGINE: no engine goes by the name 'festival'"):
        Catalogue(settings(tts_engine="festival"))
    for fields in ({"tts_engine": "mms"}, {"translation_engine": "nllb"}):
        with pytest.raises(SettingsError, match="may not be used: VT_LICENCES=commercial leaves out nllb"):
            Catalogue(settings(licences="commercial", **fields))


def test_what_may_not_be_used_in_trade_is_neither_chosen_nor_offered_nor_preloaded() -> None:
    catalogue = Catalogue(settings(engines="auto", licences="commercial", tts_engine="auto", translation_engine="auto"))
    barred = {"nllb", "mms"}
    for offer in catalogue.offers(reachable=True):
        assert not barred & {*offer.speak, *offer.translate_from, *offer.translate_to}
    assert not barred & {candidate.info.name for candidate in catalogue.wanted()}
    assert not barred & {voice.engine for voice in catalogue.voices()}
    with pytest.raises(UnknownModel, match=r"mms may not be used: VT_LICENCES=commercial leaves out nllb .* and mms"):
        catalogue.tts(languages.get("es"), engine="mms")
    with pytest.raises(UnknownModel, match="No model goes by the name 'facebook/mms-tts-spa'"):
        catalogue.named("facebook/mms-tts-spa")
    (nobody,) = catalogue.tts(languages.get("abi"))
    assert "Abidji cannot be spoken here" in str(nobody.unfit)
    assert "VT_LICENCES=commercial leaves out" in str(nobody.unfit)


def test_who_asks_for_what_nobody_translates_yet_is_told_what_to_fetch() -> None:
    factory = AIServiceFactory(settings(engines="auto"), hub=Hub(lambda: False))
    german = pair("en", "de")
    for ask in (lambda: factory.translation_service(*german), lambda: factory.check(*german, hears=False)):
        with pytest.raises(LanguageError, match="the model hub does not answer") as refused:
            ask()
        assert str(refused.value).endswith("This translation is one download away: vt fetch firefox:en-de.")
    factory.close()


def test_where_no_model_hears_because_set_up_did_not_run_the_sentence_says_what_brings_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("vt.model_files.bundle.ROOTS", (tmp_path,))
    factory = AIServiceFactory(settings(engines="auto"), hub=Hub(lambda: False))
    for ask in (lambda: factory.stt_service(None), lambda: factory.check(None, languages.SPANISH, hears=True)):
        with pytest.raises(ModelUnavailable, match="the model hub does not answer") as refused:
            ask()
        assert str(refused.value).endswith(f"is not here, or not whole: run {bundle.COMMAND}.")
    factory.close()


def test_a_report_says_what_would_translate_better_where_somebody_could_fetch_it() -> None:
    asked = Catalogue(settings(engines="auto", translation_engine="firefox"))
    (first, *_) = asked.translation(*pair("en", "es"))
    assert (
        asked.advice(first.choice(None).route) == "A better translation is one download away: vt fetch firefox:en-es."
    )
    assert asked.advice(asked.translation(*pair("en", "pt"))[0].choice(None).route) == ""
    (nllb, *_) = Catalogue(settings(engines="auto", translation_engine="nllb")).translation(*pair("en", "es"))
    assert asked.advice(nllb.choice(None).route) == ""
    offline = Catalogue(settings(translation_engine="firefox"))
    assert offline.advice(offline.translation(*pair("en", "es"))[0].choice(None).route) == ""


def test_a_model_of_firefox_that_is_not_here_has_a_name_and_is_fetched_only_where_that_is_allowed() -> None:
    asked = Catalogue(settings(engines="auto"))
    (candidate,) = asked.named("firefox:en-de")
    assert candidate.spec.key == "translation_firefox_en-de_cpu_2_false"
    assert candidate.prepare is not None
    with pytest.raises(LanguageError, match="lead to or from English only: fetch firefox:de-en or firefox:en-de"):
        asked.named("firefox:de-fr")
    (offline,) = Catalogue(settings()).named("firefox:en-de")
    assert "VT_ENGINES=embedded allows no downloads" in str(offline.obstacle())


ABSENT_SCRIPT = """
import sys
sys.prefix = {prefix!r}
from vt.factory import get_ai_factory
factory = get_ai_factory()
for choice in (factory.get_translation_service("en", "es").choice, factory.get_tts_service("es").choice):
    print(choice.model, "|", choice.fallback_reason)
"""


def test_without_what_set_up_puts_here_the_next_best_serves_and_says_what_is_missing(tmp_path: Path) -> None:
    told = python(ABSENT_SCRIPT.format(prefix=str(tmp_path)), tmp_path, VT_ENGINES="embedded")
    firefox = "Firefox's English-Portuguese is not here, or not whole: run scripts/setup models."
    kokoro = "Kokoro-82M (int8) is not here, or not whole: run scripts/setup models."
    assert told.splitlines() == [f"eng-spa | {firefox}", f"es | {kokoro}"]


WISHED_SCRIPT = """
import sys
sys.prefix = {prefix!r}
from vt import settings
from vt.models.catalogue import Catalogue
from vt.models.latest_choices import KEPT_SECONDS, LatestChoices, Served
print(*(candidate.info.name for candidate in Catalogue(settings.load()).wanted()))
"""


def test_where_models_may_be_downloaded_what_set_up_has_not_put_here_is_missed_by_nobody(tmp_path: Path) -> None:
    told = python(WISHED_SCRIPT.format(prefix=str(tmp_path)), tmp_path, VT_ENGINES="auto", HF_HUB_OFFLINE="0")
    assert told.split() == ["whisper", "nllb", "kokoro"]


def test_a_preload_of_english_is_no_translation_from_english_to_english() -> None:
    wanted = Catalogue(settings(preload_languages=("en",), translation_engine="auto", tts_engine="auto")).wanted()
    assert [candidate.unfit for candidate in wanted] == [None, None, None]
    assert [(hop.source, hop.target) for hop in wanted[1].choice(None).route][-1][1] == "en"
