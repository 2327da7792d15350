"""The fallback chain: scripted engines that are there, too large, out of reach, broken or of the wrong language."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from tests.reports import engine_json
from vt.domain import Cancel
from vt.engines.candidate import Candidate, Choice
from vt.engines.model_spec import ModelSpec
from vt.engines.protocols import EngineInfo
from vt.errors import Cancelled, LanguageError, ModelBusy, ModelUnavailable, StorageError
from vt.model_files.preparation import Preparations
from vt.models.cache import ModelCache
from vt.models.fallback import FallbackChain
from vt.translatable import Message

MB = 2**20
INFO = EngineInfo("scripted", "stt", "MIT", "nowhere")
PROGRAM = EngineInfo("program", "stt", "MIT", "nowhere")


class Engine:
    """A model that is nothing."""

    def close(self) -> None:
        """Hold nothing."""


class Stage:
    """A cache, a hub, and candidates to try; remembers what was loaded and how often the hub was asked."""

    def __init__(self, budget_mb: int = 1000) -> None:
        self.cache = ModelCache(budget_mb * MB, reclaim=lambda: None, patience_seconds=0.0)
        self.preparations = Preparations()
        self.loaded: list[str] = []
        self.broken: set[str] = set()
        self.hub_asked = 0
        self.hub_silent = False

    def hub(self) -> str | None:
        self.hub_asked += 1
        return "the model hub does not answer" if self.hub_silent else None

    def candidate(
        self,
        name: str,
        mb: int = 100,
        *,
        info: EngineInfo = INFO,
        unfit: str | None = None,
        lack: str | None = None,
        downloads: bool = False,
        insists: bool = False,
        is_process: bool = False,
        prepare: Callable[[Cancel], None] | None = None,
    ) -> Candidate[Engine]:
        spec = ModelSpec(f"stt_{name}", "stt", name, "cpu", lambda: self._load(name), mb * MB)
        obstacle: Callable[[], str | None] = lambda: lack  # noqa: E731
        return Candidate(info, spec, is_process, unfit, obstacle, downloads, insists, prepare)

    def _load(self, name: str) -> Engine:
        self.loaded.append(name)
        if name in self.broken:
            raise ValueError("unexpected end of file")
        return Engine()

    def shared(self, make: Callable[[Cancel], object]) -> Callable[[Cancel], None]:
        """Return a preparation that all who want the same files share."""
        return lambda cancel: self.preparations.run("files", make, cancel)

    def choose(
        self,
        *candidates: Candidate[Engine],
        load: bool = True,
        fallback: bool = True,
        cancel: Cancel | None = None,
    ) -> Choice:
        chain = FallbackChain(self.cache, self.hub, fallback=fallback)
        return chain.choose(candidates, load=load, cancel=cancel)[1]


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.cache.close()


def test_the_configured_model_is_taken_without_a_reason_where_it_can_be_had(stage: Stage) -> None:
    assert stage.choose(stage.candidate("large"), stage.candidate("small")) == Choice(INFO, "large", "cpu", None)
    assert stage.loaded == ["large"]


def test_a_model_that_is_not_there_is_replaced_by_the_next_and_the_reason_is_told(stage: Stage) -> None:
    choice = stage.choose(stage.candidate("large", lack="The folder /m is not there."), stage.candidate("small"))
    assert choice == Choice(INFO, "small", "cpu", Message("The folder /m is not there."))
    assert engine_json(choice) == {
        "engine": "scripted",
        "model": "small",
        "device": "cpu",
        "fallback_reason": "The folder /m is not there.",
    }


def test_every_candidate_that_was_passed_over_gives_its_reason_once(stage: Stage) -> None:
    candidates = [
        stage.candidate("a", lack="A is not there."),
        stage.candidate("b", lack="A is not there."),
        stage.candidate("c", 5000),
    ]
    choice = stage.choose(*candidates, stage.candidate("program", is_process=True, info=PROGRAM))
    assert choice.info is PROGRAM
    assert choice.fallback_reason == (
        "A is not there. The model c needs about 5000 MB, more than the 1000 MB for models."
    )


def test_a_smaller_model_must_fit_the_memory_but_the_configured_one_may_load_alone(stage: Stage) -> None:
    assert stage.choose(stage.candidate("giant", 5000, insists=True), stage.candidate("small")).model == "giant"
    assert stage.choose(stage.candidate("larger", 5000), stage.candidate("small")).model == "small"


def test_the_hub_is_asked_only_for_what_has_to_be_downloaded(stage: Stage) -> None:
    stage.choose(stage.candidate("local"), stage.candidate("far", downloads=True))
    assert stage.hub_asked == 0
    stage.choose(stage.candidate("far", downloads=True))
    assert stage.hub_asked == 1


def test_out_of_reach_of_the_hub_a_model_that_is_present_stands_in_and_later_gives_way_again(stage: Stage) -> None:
    stage.hub_silent = True
    candidates = stage.candidate("far", downloads=True), stage.candidate("near")
    assert stage.choose(*candidates).fallback_reason == (
        "The model far cannot be downloaded: the model hub does not answer."
    )
    stage.hub_silent = False
    assert stage.choose(*candidates) == Choice(INFO, "far", "cpu", None)


def test_models_that_cannot_be_downloaded_share_one_sentence_whatever_stands_between_them(stage: Stage) -> None:
    stage.hub_silent = True
    first, second, third = (stage.candidate(name, downloads=True) for name in ("large", "middle", "small"))
    choice = stage.choose(first, stage.candidate("giant", 5000), second, third, stage.candidate("near"))
    assert choice.fallback_reason == (
        "The models large, middle and small cannot be downloaded: the model hub does not answer. "
        "The model giant needs about 5000 MB, more than the 1000 MB for models."
    )


def test_a_resident_model_never_waits_for_the_hub_nor_for_its_files(stage: Stage) -> None:
    stage.choose(stage.candidate("far", downloads=True))
    stage.hub_silent, asked = True, stage.hub_asked
    gone = stage.candidate("far", downloads=True, lack="The folder is not there.")
    assert stage.choose(gone, stage.candidate("near")) == Choice(INFO, "far", "cpu", None)
    assert stage.hub_asked == asked
    assert stage.loaded == ["far"]


def test_a_model_that_fails_to_load_is_replaced_and_the_next_request_tries_it_anew(stage: Stage) -> None:
    stage.broken.add("large")
    candidates = stage.candidate("large"), stage.candidate("small")
    reason = "The model large cannot be loaded: unexpected end of file."
    assert stage.choose(*candidates) == Choice(INFO, "small", "cpu", Message(reason))
    stage.broken.clear()
    assert stage.choose(*candidates) == Choice(INFO, "large", "cpu", None)
    assert stage.loaded == ["large", "small", "large"]


def test_without_fallback_whatever_is_wrong_with_the_configured_model_is_an_error(stage: Stage) -> None:
    stage.hub_silent = True
    stage.broken.add("broken")
    wrong = {
        "is not there": stage.candidate("absent", lack="It is not there."),
        "cannot be downloaded": stage.candidate("far", downloads=True),
        "cannot be loaded": stage.candidate("broken"),
        "more than": stage.candidate("giant", 5000),
    }
    for words, candidate in wrong.items():
        with pytest.raises(ModelUnavailable, match=f"{words}.* VT_FALLBACK=false allows nothing in its place"):
            stage.choose(candidate, stage.candidate("small"), fallback=False)
    assert stage.choose(stage.candidate("large"), stage.candidate("small"), fallback=False).model == "large"


def test_where_no_candidate_serves_all_reasons_are_in_the_error(stage: Stage) -> None:
    stage.broken.add("b")
    with pytest.raises(ModelUnavailable) as caught:
        stage.choose(stage.candidate("a", lack="A is not there."), stage.candidate("b"))
    assert str(caught.value) == "A is not there. The model b cannot be loaded: unexpected end of file."


def test_a_model_that_does_not_know_the_language_gives_way_to_one_that_does(stage: Stage) -> None:
    choice = stage.choose(stage.candidate("large", unfit="Large has no Italian."), stage.candidate("small"))
    assert (choice.model, choice.fallback_reason) == ("small", "Large has no Italian.")


def test_where_nobody_knows_the_language_it_is_the_languages_fault(stage: Stage) -> None:
    with pytest.raises(LanguageError, match=r"^A is not there\. B has no Italian\.$"):
        stage.choose(stage.candidate("a", lack="A is not there."), stage.candidate("b", unfit="B has no Italian."))


def test_memory_that_is_in_use_is_no_reason_to_take_a_lesser_model(stage: Stage) -> None:
    held = stage.candidate("held", 900)
    with stage.cache.lease(held.spec), pytest.raises(ModelBusy):
        stage.choose(stage.candidate("large", 500), stage.candidate("small", 50))


def test_choosing_without_loading_loads_nothing(stage: Stage) -> None:
    assert stage.choose(stage.candidate("a", lack="A is not there."), stage.candidate("b"), load=False).model == "b"
    assert stage.loaded == []


def test_an_engine_that_is_a_process_is_not_among_the_models_in_memory(stage: Stage) -> None:
    assert stage.choose(stage.candidate("program", is_process=True)).model == "program"
    assert stage.cache.snapshot().entries == ()


def test_many_who_ask_at_once_for_a_broken_model_all_get_the_one_that_stands_in(stage: Stage) -> None:
    stage.broken.add("large")
    choices: list[Choice] = []

    def ask() -> None:
        choices.append(stage.choose(stage.candidate("large"), stage.candidate("small")))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert [choice.model for choice in choices] == ["small"] * 16
    assert stage.loaded.count("small") == 1


# Files are got ready before the lease


def test_files_are_got_ready_before_the_load_and_not_again_while_the_model_is_in_memory(stage: Stage) -> None:
    steps: list[str] = []
    candidate = stage.candidate("far", prepare=lambda _: steps.append(f"prepared, {stage.loaded} loaded"))
    for _ in range(2):
        stage.choose(candidate)
    assert steps == ["prepared, [] loaded"]
    stage.cache.clear()
    stage.choose(candidate)
    assert steps == ["prepared, [] loaded", "prepared, ['far'] loaded"]


def test_a_lease_gets_the_files_of_an_evicted_model_ready_again(stage: Stage) -> None:
    steps: list[str] = []
    candidate = stage.candidate("far", prepare=lambda _: steps.append("prepared"))
    stage.choose(candidate)
    stage.cache.clear()
    with FallbackChain(stage.cache, stage.hub, fallback=True).lease(candidate):
        assert steps == ["prepared", "prepared"]


def test_files_that_cannot_be_had_give_way_to_the_next_candidate(stage: Stage) -> None:
    def gone(_: Cancel) -> None:
        raise FileNotFoundError(2, "No such file or directory", "/models/far")

    def refused(_: Cancel) -> None:
        raise StorageError("The disk is full.")

    choice = stage.choose(
        stage.candidate("far", prepare=gone), stage.candidate("farther", prepare=refused), stage.candidate("near")
    )
    assert choice.model == "near"
    assert choice.fallback_reason == (
        "The model far cannot be loaded: No such file or directory: /models/far. The disk is full."
    )
    assert "/models" not in Message(choice.fallback_reason).with_file_names({})
    assert stage.loaded == ["near"]


def test_all_who_ask_at_once_share_one_preparation_beside_which_other_models_load(stage: Stage) -> None:
    go, times, choices = threading.Event(), list[int](), list[Choice]()

    def make(_: Cancel) -> None:
        times.append(1)
        assert go.wait(10)

    # The same files on two devices, as a preload and a job may want them.
    wanted = [stage.candidate(name, prepare=stage.shared(make)) for name in ("far_cpu", "far_cuda")] * 2
    threads = [threading.Thread(target=lambda one=one: choices.append(stage.choose(one))) for one in wanted]
    for thread in threads:
        thread.start()
    while stage.preparations.waiting("files") < 4:
        threading.Event().wait(0.01)
    assert stage.choose(stage.candidate("near")).model == "near"
    go.set()
    for thread in threads:
        thread.join(10)
    assert sorted(choice.model for choice in choices) == ["far_cpu", "far_cpu", "far_cuda", "far_cuda"]
    assert (len(times), sorted(stage.loaded)) == (1, ["far_cpu", "far_cuda", "near"])


def test_a_cancel_while_files_are_got_ready_ends_only_the_waiting_of_the_one_who_cancels(stage: Stage) -> None:
    go, cancel, ended = threading.Event(), Cancel(), list[object]()
    candidate = stage.candidate("far", prepare=stage.shared(lambda _: go.wait(10)))

    def ask(own: Cancel) -> None:
        try:
            ended.append(stage.choose(candidate, cancel=own).model)
        except Cancelled:
            ended.append("cancelled")

    threads = [threading.Thread(target=ask, args=(own,)) for own in (cancel, Cancel())]
    for thread in threads:
        thread.start()
    while stage.preparations.waiting("files") < 2:
        threading.Event().wait(0.01)
    cancel.set()
    threads[0].join(10)
    assert ended == ["cancelled"]
    go.set()
    threads[1].join(10)
    assert ended == ["cancelled", "far"]
