"""Drafts of edits are spoken ahead: which, for how long, and that the edit finds them and makes the very same dub."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests import films
from tests.fakes import ToneSynthesizer
from tests.servers import wait_for
from tests.test_jobs import LINES, SPEC, Desk
from vt.domain import Cancel, Clip, Edit, Edits, JobState, SpeakerEdit
from vt.dubbing.idle_services import IdleServices
from vt.errors import Cancelled, InputError, JobNotFound, Outdated, TooManyRequests, WrongState
from vt.jobs.job_service import Jobs
from vt.jobs.new_lines import NewLine
from vt.jobs.speaking_ahead import EACH_SECONDS, drafts_of
from vt.jobs.store import new_id
from vt.settings import Settings

PATIENCE = 30.0
OTHER = Edits({1: Edit(text="ANOTHER LINE.")})


class Held(ToneSynthesizer):
    """Waits at each line of `held` until it may go on, or is cancelled."""

    def __init__(self, *held: str) -> None:
        super().__init__(0.02)
        self.held = held
        self.begun: list[str] = []
        """Those of them that were begun."""
        self.may_go_on = threading.Event()

    def speak(self, lines: Sequence[tuple[str, float]], cancel: Cancel) -> Iterator[Clip]:
        for line in lines:
            if line[0] in self.held and not self.may_go_on.is_set():
                self._hold(line[0], cancel)
            yield from super().speak([line], cancel)

    def _hold(self, text: str, cancel: Cancel) -> None:
        cancel.add(self.may_go_on.set)
        self.begun.append(text)
        assert self.may_go_on.wait(PATIENCE)
        cancel.remove(self.may_go_on.set)
        if cancel.is_set:
            self.may_go_on.clear()
        cancel.check()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return films.film(tmp_path_factory.mktemp("film") / "film.mp4")


@pytest.fixture
def voice() -> Held:
    return Held("HELD.", "HELD TOO.")


@pytest.fixture
def desk(tmp_path: Path, voice: Held) -> Iterator[Desk]:
    with closing(Desk(tmp_path / "data", voice)) as desk:
        yield desk


def drafted(desk: Desk, job: str, changes: Edits, new: Sequence[NewLine] = ()) -> bool:
    """Have a draft spoken ahead, some time after the one before."""
    desk.now += 1.0
    return desk.jobs.speak_ahead(job, desk.jobs.get(job).version, changes, new)


def spoken(desk: Desk, job: str, changes: Edits, new: Sequence[NewLine] = ()) -> None:
    """Have a draft spoken ahead, and wait until it is."""
    assert drafted(desk, job, changes, new)
    wait_for(lambda: not desk.ahead.is_speaking)


def saved(desk: Desk, job: str, changes: Edits, new: Sequence[NewLine] = ()) -> None:
    desk.jobs.edit(job, desk.jobs.get(job).version, changes, new=new)
    assert desk.over(job).state is JobState.DONE


def says(text: str) -> Edits:
    return Edits({1: Edit(text=text)})


def spoken_once(voice: ToneSynthesizer) -> set[str]:
    """Return what was spoken for edits, after a check that nothing was spoken twice at one rate."""
    takes = [take for take in voice.asked if take[0] not in LINES]
    assert len(takes) == len(set(takes))
    return {text for text, _ in takes}


def sounds(desk: Desk, job: str) -> list[bytes]:
    """Return how the lines of a dub sound, and how the whole does."""
    takes = desk.jobs.takes(job)
    lines = [takes.sound(line, takes.of_line(line)[0].take.id) for line in range(len(takes.lines))]
    return [*lines, desk.jobs.film(job).path.read_bytes()]


@pytest.mark.parametrize(
    ("changes", "new"),
    [
        (OTHER, ()),
        (says("A LINE THAT IS SO VERY LONG THAT IT HAS TO BE HURRIED TO FIT INTO ITS TIME AT ALL."), ()),
        (Edits({0: Edit(text=""), 1: Edit(text="ANOTHER.", start=0.9)}), ()),
        (says("ANOTHER."), [NewLine(0.6, 0.8, "", "NEW.")]),
    ],
)
def test_an_edit_that_was_spoken_ahead_is_not_spoken_again_and_its_dub_is_the_very_same(
    desk: Desk, film: Path, tmp_path: Path, voice: Held, changes: Edits, new: Sequence[NewLine]
) -> None:
    with closing(Desk(tmp_path / "without", ToneSynthesizer(0.02))) as without:
        plain = without.dubbed(film)
        saved(without, plain, changes, new)
        wanted = sounds(without, plain)
    job = desk.dubbed(film)
    before = desk.jobs.get(job)
    spoken(desk, job, changes, new)
    asked = list(voice.asked)
    assert (desk.jobs.get(job), drafts_of(desk.data.folder(job)) is not None) == (before, True)
    saved(desk, job, changes, new)
    again = {text for text, _ in voice.asked[len(asked) :]}
    assert again <= set(LINES)  # neighbours may have to make room
    assert sounds(desk, job) == wanted
    assert drafts_of(desk.data.folder(job)) is None


@pytest.mark.soak
def test_of_a_jobs_drafts_the_newest_is_spoken_and_none_waits_behind_another_ones(
    desk: Desk, film: Path, voice: Held
) -> None:
    job, other = desk.dubbed(film), desk.dubbed(film)
    assert drafted(desk, job, says("HELD."))
    wait_for(lambda: voice.begun)
    assert not drafted(desk, other, OTHER)
    assert drafted(desk, job, says("HELD TOO."))
    wait_for(lambda: voice.begun == ["HELD.", "HELD TOO."])
    assert drafted(desk, job, says("HELD TOO."))  # what is spoken already is not begun again
    voice.may_go_on.set()
    wait_for(lambda: not desk.ahead.is_speaking)
    assert spoken_once(voice) == {"HELD TOO."}
    assert voice.begun == ["HELD.", "HELD TOO."]
    spoken(desk, other, OTHER)


def test_an_edit_waits_for_its_own_words_which_are_spoken_once(desk: Desk, film: Path, voice: Held) -> None:
    job = desk.dubbed(film)
    assert drafted(desk, job, says("HELD."))
    wait_for(lambda: voice.begun)
    desk.jobs.edit(job, 1, says("HELD."))
    wait_for(lambda: desk.jobs.get(job).state is JobState.RUNNING)
    voice.may_go_on.set()
    assert desk.over(job).state is JobState.DONE
    assert voice.begun == ["HELD."]
    assert spoken_once(voice) == {"HELD."}
    assert desk.jobs.lines(job).segments[1].text == "HELD."


@pytest.mark.soak
def test_an_edit_waits_for_no_other_words_and_a_job_for_none_at_all(desk: Desk, film: Path, voice: Held) -> None:
    job = desk.dubbed(film)
    begun: tuple[Callable[[], object], ...] = (lambda: saved(desk, job, OTHER), lambda: desk.dubbed(film))
    for count, begin in enumerate(begun, 1):
        assert drafted(desk, job, says("HELD."))
        wait_for(lambda: len(voice.begun) == count)  # noqa: B023
        begin()
    assert "HELD." not in [text for text, _ in voice.asked]


@pytest.mark.soak
def test_nothing_is_spoken_while_a_job_runs_nor_by_a_voice_that_is_not_there_or_busy(
    desk: Desk, film: Path, voice: Held
) -> None:
    job = desk.dubbed(film)
    voice.held = ("HELD.",)
    other = desk.dubbed(film)
    desk.jobs.edit(other, 1, says("HELD."))
    wait_for(lambda: voice.begun)
    assert not drafted(desk, job, OTHER)
    with pytest.raises(WrongState):
        drafted(desk, other, OTHER)
    voice.may_go_on.set()
    desk.over(other)
    desk.factory.is_idle = False
    before = list(voice.asked)
    spoken(desk, job, OTHER)
    assert voice.asked == before


def test_no_model_is_taken_but_the_voice_and_what_would_take_one_is_called_off(
    desk: Desk, film: Path, voice: Held
) -> None:
    job = desk.dubbed(film)
    asked, translated = list(voice.asked), list(desk.factory.translated.budgets)
    spoken(desk, job, Edits({1: Edit(source_text="Something else is said.")}))
    assert (voice.asked, desk.factory.translated.budgets) == (asked, translated)
    services = IdleServices(desk.factory)
    refused: tuple[Callable[[], object], ...] = (
        services.get_diarization_service,
        services.get_overlap_service,
        services.get_separation_service,
        services.stt_service,
        services.translation_service,
        lambda: services.other_translations(desk.factory.voice(SPEC.target)),  # type: ignore[arg-type]
    )
    for ask in refused:
        with pytest.raises(Cancelled):
            ask()


def test_drafts_are_refused_as_edits_are_and_those_that_are_large_are_not_spoken(desk: Desk, film: Path) -> None:
    job = desk.dubbed(film)
    with pytest.raises(JobNotFound):
        desk.jobs.speak_ahead(new_id(), 1, OTHER)
    with pytest.raises(Outdated):
        desk.jobs.speak_ahead(job, 7, OTHER)
    with pytest.raises(TooManyRequests):
        desk.jobs.speak_ahead(job, 1, OTHER)
    desk.now += EACH_SECONDS
    with pytest.raises(InputError, match="no line 9"):
        desk.jobs.speak_ahead(job, 1, Edits({9: Edit(text="x")}))
    many = Edits({line: Edit(text="x") for line in range(9)})
    assert not any(drafted(desk, job, one) for one in (says("x" * 401), many, Edits({}, {0: SpeakerEdit("tone-es")})))
    elsewhere = Jobs(Settings(), desk.factory, desk.data, desk.store, desk.worker)  # as where a cluster speaks
    assert not elsewhere.speak_ahead(job, 1, OTHER)
    desk.free = 0
    assert not drafted(desk, job, OTHER)


@pytest.mark.soak
def test_what_is_never_saved_is_bounded_and_goes_with_the_next_version(desk: Desk, film: Path, voice: Held) -> None:
    job = desk.dubbed(film)
    desk.ahead.most_bytes = 200_000
    for number in range(12):
        spoken(desk, job, says(f"THIS IS DRAFT {number}."))
    drafts = drafts_of(desk.data.folder(job))
    assert drafts
    assert 2 < len([path for path in drafts.iterdir() if path.name.startswith("take")]) < 24
    saved(desk, job, says("THIS IS DRAFT 11."))
    assert len(spoken_once(voice)) == 12
    assert not drafts.exists()


@pytest.mark.soak
def test_a_draft_ends_with_the_server_and_with_its_job_and_gets_into_no_log(
    tmp_path: Path, film: Path, caplog: pytest.LogCaptureFixture
) -> None:
    voice = Held("HELD.", "BROKEN.")
    with caplog.at_level(logging.DEBUG), closing(Desk(tmp_path / "data", voice)) as desk:
        removed, job = desk.dubbed(film), desk.dubbed(film)
        assert drafted(desk, removed, says("HELD."))
        wait_for(lambda: voice.begun)
        desk.jobs.remove(removed)
        assert (desk.ahead.is_speaking, desk.folders) == (False, {job})
        assert drafted(desk, job, says("HELD."))
        wait_for(lambda: len(voice.begun) == 2)
        desk.jobs.close()
        assert not desk.ahead.is_speaking
        assert not drafted(desk, job, OTHER)
    assert "HELD" not in caplog.text


class Broken(ToneSynthesizer):
    """Fails at one text."""

    def speak(self, lines: Sequence[tuple[str, float]], cancel: Cancel) -> Iterator[Clip]:
        if any(text == "BROKEN." for text, _ in lines):
            raise RuntimeError("BROKEN.")
        yield from super().speak(lines, cancel)


@pytest.mark.soak
def test_a_voice_that_fails_at_a_draft_speaks_the_next_one(
    tmp_path: Path, film: Path, caplog: pytest.LogCaptureFixture
) -> None:
    voice = Broken(0.02)
    with closing(Desk(tmp_path / "data", voice)) as desk:
        job = desk.dubbed(film)
        spoken(desk, job, says("BROKEN."))
        assert "a draft could not be spoken ahead: RuntimeError" in caplog.text
        assert "BROKEN" not in caplog.text
        spoken(desk, job, OTHER)
        assert voice.asked[-1][0] == "ANOTHER LINE."
