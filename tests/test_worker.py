"""The queue at work: whatever happens to a job, its state says so, and its folder holds what it should and no more."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.asking import asked
from vt.domain import NO_EDITS, Cancel, Edit, Edits, Job, JobRequest, JobSpec, JobState, Progress, Stage, Wishes
from vt.dubbing.artifacts import Artifacts, fingerprint
from vt.errors import EngineError, JobNotFound, ModelBusy, QueueFull, StorageError, TooMuchKept, VtError, WrongState
from vt.jobs.store import DEATHS, DataFolder, Store, new_id
from vt.jobs.watchdog import Patience, Watchdog
from vt.jobs.worker import Worker

SPEC = JobSpec(file="ein Film.mp4", target_language="es")
PATIENCE = 10.0
"""Seconds: only what hangs takes so long."""

Act = Callable[["Run"], None]


class Run:
    """One run of a job, as its executor sees it."""

    def __init__(
        self, request: JobRequest, folder: Path, on_progress: Callable[[Progress], None], cancel: Cancel
    ) -> None:
        self.request, self.folder, self.tell, self.cancel = request, folder, on_progress, cancel
        self.job_id = folder.name
        self.over = threading.Event()

    def until_cancelled(self) -> None:
        """Work like a model between two batches: until the end is asked for, and no longer."""
        stopped = threading.Event()
        self.cancel.add(stopped.set)
        assert stopped.wait(PATIENCE)
        self.cancel.check()


class Acting:
    """An executor whose runs do what they are told to, one after the other, and then write a film."""

    def __init__(self, *acts: Act) -> None:
        self.acts = list(acts)
        self.runs: list[Run] = []
        self.changed = threading.Condition()

    def run(
        self, request: JobRequest, folder: Path, on_progress: Callable[[Progress], None], cancel: Cancel
    ) -> Sequence[Path]:
        run = Run(request, folder, on_progress, cancel)
        (folder / "work").mkdir(exist_ok=True)
        with self.changed:
            self.runs.append(run)
            act = self.acts.pop(0) if self.acts else None
            self.changed.notify_all()
        try:
            if act:
                act(run)
            film = folder / "work" / "input.es.mp4"
            film.write_text(f"run {len(self.runs)}")
            return [film]
        finally:
            run.over.set()

    def began(self, count: int) -> Run:
        """Wait until so many runs have begun, and return the latest of them."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.runs) >= count, PATIENCE)
            return self.runs[count - 1]


def with_threads(begin: Callable[[], Worker]) -> tuple[Worker, list[threading.Thread]]:
    """Return a worker that has just begun, and its threads."""
    before = set(threading.enumerate())
    worker = begin()
    return worker, [thread for thread in threading.enumerate() if thread not in before]


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.seconds = 0.0

    def __call__(self) -> datetime:
        return self.now

    def elapsed(self) -> float:
        return self.seconds


class Bench:
    """A data folder with its store, and the workers that a test has begun on it."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.data = DataFolder(folder)
        self.store = Store(self.data.database, self.clock, elapsed=self.clock.elapsed)
        self.workers: list[Worker] = []

    def keep(self, store: Store) -> None:
        """Have the jobs kept by another store from now on."""
        self.store.close()
        self.store = store

    def worker(self, executor: Acting | None = None, *, begins: bool = True, **settings: Any) -> Worker:  # noqa: ANN401
        worker = Worker(self.store, self.data, executor or Acting(), **settings)
        if begins:
            self.workers.append(worker)
            worker.begin()
        return worker

    def film(self) -> str:
        """Put a film into a new job's folder."""
        job_id = new_id()
        self.data.job(job_id).mkdir()
        self.data.input(job_id).write_text("film")
        return job_id

    def submitted(self, worker: Worker) -> str:
        return worker.submit(self.film(), SPEC).id

    def waits_for(self, job_id: str, *states: JobState) -> Job:
        """Wait until a job is in one of these states, or over where none is named, and nobody works on it."""
        wanted = states or tuple(state for state in JobState if state.is_over)
        until = time.monotonic() + PATIENCE
        while (job := self.store.get(job_id)).state not in wanted:
            assert time.monotonic() < until, job
            time.sleep(0.002)
        return job

    def holds(self, job_id: str) -> set[str]:
        """Return what lies in a job's folder, with folders' names, but for its record."""
        folder = self.data.job(job_id)
        # os.walk and not rglob: what is removed at this moment is no error.
        walked = [(Path(place), [*folders, *files]) for place, folders, files in os.walk(folder)]
        return {str((place / name).relative_to(folder)) for place, names in walked for name in names} - {"job.json"}

    def comes_to_hold(self, job_id: str, *names: str) -> None:
        """Wait until a job's folder holds just this: it is tidied once its state is known."""
        until = time.monotonic() + PATIENCE
        while self.holds(job_id) != set(names):
            assert time.monotonic() < until, self.holds(job_id)
            time.sleep(0.002)

    def close(self) -> None:
        for worker in self.workers:
            worker.close()
        self.store.close()
        self.data.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(Bench(tmp_path / "data")) as bench:
        yield bench


def failing(error: Exception) -> Act:
    def act(_: Run) -> None:
        raise error

    return act


def keeping(number: int) -> Act:
    """Finish one piece of work."""

    def act(run: Run) -> None:
        Artifacts(run.folder / "pieces").put_json("piece", fingerprint(number), number)

    return act


def waiting_for(moment: threading.Event | threading.Barrier) -> Act:
    """Work like a model that hears of no cancel."""

    def act(_: Run) -> None:
        moment.wait(PATIENCE)

    return act


# Through


def test_a_job_runs_and_its_results_are_all_that_stays_of_the_work(bench: Bench) -> None:
    worker = bench.worker(acting := Acting())
    job_id = bench.submitted(worker)
    done = bench.waits_for(job_id)
    assert (done.state, done.version, done.fraction, done.error) == (JobState.DONE, 1, 1.0, None)
    assert acting.runs[0].request == asked(bench.data.input(job_id), "es", name=SPEC.file)
    bench.comes_to_hold(job_id, "input", "results-1", "results-1/input.es.mp4")


def test_who_watches_hears_of_every_step_in_order_and_of_the_end_last(bench: Bench) -> None:
    def act(run: Run) -> None:
        for stage in (*[stage for stage in Stage if stage is not Stage.MUX], Stage.SPEAK, Stage.MUX):
            for share in (0.0, 0.5, 1.0):
                run.tell(Progress(stage, share))

    worker = bench.worker(Acting(act), begins=False)
    heard: list[Job] = []
    over = threading.Event()

    def hear(job: Job) -> None:
        heard.append(job)
        if job.state.is_over:
            over.set()

    job_id = bench.submitted(worker)
    with worker.listening(job_id, hear):
        assert bench.store.get(job_id).state == JobState.QUEUED
        bench.workers.append(worker)
        worker.begin()
        assert over.wait(PATIENCE)
    assert [job.state for job in heard] == [*[JobState.RUNNING] * (len(heard) - 1), JobState.DONE]
    fractions = [job.fraction for job in heard]
    assert fractions == sorted(fractions)
    assert {job.stage for job in heard} == {None, "probe", "extract", "transcribe", "translate", "speak", "mix", "mux"}
    before = len(heard)
    worker.edit(job_id, 1, NO_EDITS)
    bench.waits_for(job_id, JobState.DONE)
    assert len(heard) == before


def test_progress_is_written_now_and_then_and_not_with_every_word(bench: Bench) -> None:
    def act(run: Run) -> None:
        for number in range(10_000):
            run.tell(Progress(Stage.TRANSCRIBE, number / 10_000))

    class Counting(Store):
        ticks = 0

        def progress(self, job_id: str, stage: Stage, fraction: float) -> Job:
            self.ticks += 1
            return super().progress(job_id, stage, fraction)

    store = Counting(bench.data.database)
    bench.keep(store)
    bench.waits_for(bench.submitted(bench.worker(Acting(act))))
    assert store.ticks < 20


def test_as_many_jobs_run_at_once_as_may_and_no_more(bench: Bench) -> None:
    together = threading.Barrier(2, timeout=PATIENCE)
    acting = Acting(*[waiting_for(together)] * 4)
    worker = bench.worker(acting, at_once=2)
    ids = [bench.submitted(worker) for _ in range(4)]
    assert {bench.waits_for(job_id).state for job_id in ids} == {JobState.DONE}


def test_each_of_many_jobs_runs_once_and_in_order_of_arrival(bench: Bench) -> None:
    worker = bench.worker(acting := Acting())
    ids = [bench.submitted(worker) for _ in range(30)]
    for job_id in ids:
        bench.waits_for(job_id)
    assert [run.job_id for run in acting.runs] == ids


def test_no_more_jobs_wait_than_may(bench: Bench) -> None:
    worker = bench.worker(acting := Acting(Run.until_cancelled), queue_size=2)
    running = bench.submitted(worker)
    acting.began(1)
    waiting = [bench.submitted(worker) for _ in range(2)]
    with pytest.raises(QueueFull):
        bench.submitted(worker)
    worker.cancel(running)
    assert {bench.waits_for(job_id).state for job_id in waiting} == {JobState.DONE}


# What goes wrong


def test_an_error_fails_the_job_in_words_that_tell_neither_its_id_nor_its_place(bench: Bench) -> None:
    def act(run: Run) -> None:
        said = f"cannot open {run.request.source}"
        raise EngineError(
            "{file} broke in {folder}: {reason}.", file=run.request.source, folder=run.folder, reason=said
        )

    job_id = bench.submitted(bench.worker(Acting(act)))
    failed = bench.waits_for(job_id)
    assert (failed.state, failed.version) == (JobState.FAILED, 0)
    assert failed.error == "ein Film.mp4 broke in the job's folder: cannot open ein Film.mp4."
    assert failed.error.template == "{file} broke in {folder}: {reason}."
    bench.comes_to_hold(job_id, "input")


def test_an_error_that_nobody_foresaw_fails_its_job_alone_and_without_its_details(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    worker = bench.worker(Acting(failing(KeyError("secret"))))
    broken, next_one = bench.submitted(worker), bench.submitted(worker)
    error = bench.waits_for(broken).error
    assert error is not None
    assert "secret" not in error
    assert "Please report it" in error
    assert bench.waits_for(next_one).state == JobState.DONE
    assert "secret" in caplog.text
    assert broken not in caplog.text


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), StorageError("The disk is full: free some space.")]
)
def test_a_full_disk_fails_the_job_and_keeps_what_it_had(bench: Bench, error: Exception) -> None:
    def act(run: Run) -> None:
        keeping(1)(run)
        raise error

    job_id = bench.submitted(bench.worker(Acting(act)))
    assert (bench.waits_for(job_id).error or "").startswith("The disk is full: free some space")
    assert bench.holds(job_id) >= {"pieces"}
    assert Artifacts(bench.data.artifacts(job_id)).get_json("piece", fingerprint(1)) == 1


class Moody(Store):
    """A store that at times finds no room on its disk."""

    refusals = 0

    def finish(self, job_id: str) -> Job:
        self._maybe()
        return super().finish(job_id)

    def progress(self, job_id: str, stage: Stage, fraction: float) -> Job:
        self._maybe()
        return super().progress(job_id, stage, fraction)

    def _maybe(self) -> None:
        if self.refusals:
            self.refusals -= 1
            raise StorageError("The disk is full.")


def test_a_finished_job_is_settled_as_soon_as_the_disk_lets_it(bench: Bench) -> None:
    with closing(Moody(bench.data.database)) as store:
        store.refusals = 3
        bench.keep(store)
        job_id = bench.submitted(bench.worker(retry_seconds=0))
        assert bench.waits_for(job_id).state == JobState.DONE
        assert store.refusals == 0


def test_a_failure_is_told_of_even_where_the_disk_has_no_room_for_one_more_word(bench: Bench) -> None:
    reserve = bench.data.path / "reserve"

    class Full(Store):
        """A store on a full disk: room comes only with what is given back."""

        def fail(self, job_id: str, sentence: str) -> Job:
            self._find_room()
            return super().fail(job_id, sentence)

        def remove(self, job_id: str) -> None:
            self._find_room()
            super().remove(job_id)

        def _find_room(self) -> None:
            if reserve.exists():
                raise StorageError("The disk is full.")

    store = Full(bench.data.database)
    bench.keep(store)
    worker = bench.worker(Acting(failing(StorageError("The disk is full."))), retry_seconds=3600)
    assert reserve.stat().st_size >= 2**20
    job_id = bench.submitted(worker)
    assert bench.waits_for(job_id).error == "The disk is full."
    assert not reserve.exists()
    bench.data.reserve()
    worker.remove(job_id)
    assert not bench.data.job(job_id).exists()


def test_progress_that_cannot_be_noted_is_missed_by_nobody(bench: Bench) -> None:
    with closing(Moody(bench.data.database)) as store:
        store.refusals = 1
        bench.keep(store)
        job_id = bench.submitted(bench.worker(Acting(lambda run: run.tell(Progress(Stage.PROBE, 0.0)))))
        assert bench.waits_for(job_id).state == JobState.DONE


def test_a_job_that_finds_no_memory_waits_behind_the_others_and_is_tried_again(bench: Bench) -> None:
    acting = Acting(Run.until_cancelled, failing(ModelBusy("All memory is in use.")))
    worker = bench.worker(acting, retry_seconds=0)
    first = bench.submitted(worker)
    acting.began(1)
    unlucky, other = bench.submitted(worker), bench.submitted(worker)
    worker.cancel(first)
    assert {bench.waits_for(job_id).state for job_id in (unlucky, other)} == {JobState.DONE}
    assert [run.job_id for run in acting.runs] == [first, unlucky, other, unlucky]
    assert bench.store.get(unlucky).deaths == 0


def test_a_job_that_finds_no_memory_is_given_a_pause_which_the_servers_end_cuts_short(bench: Bench) -> None:
    acting = Acting(*[failing(ModelBusy("All memory is in use."))] * 99)
    worker, started = with_threads(lambda: bench.worker(acting, retry_seconds=3600))
    job_id = bench.submitted(worker)
    run = acting.began(1)
    assert run.over.wait(PATIENCE)
    bench.waits_for(job_id, JobState.QUEUED)
    with acting.changed:
        assert not acting.changed.wait_for(lambda: len(acting.runs) > 1, 0.3)
    worker.close()
    for thread in started:
        thread.join(PATIENCE)
        assert not thread.is_alive()


# Cancelling


def test_a_cancel_is_final_at_once_and_reaches_what_runs(bench: Bench) -> None:
    worker = bench.worker(acting := Acting(Run.until_cancelled))
    job_id = bench.submitted(worker)
    run = acting.began(1)
    assert worker.cancel(job_id).state == JobState.CANCELLED
    assert run.over.wait(PATIENCE)
    bench.comes_to_hold(job_id, "input")
    assert bench.store.get(job_id).state == JobState.CANCELLED
    with pytest.raises(WrongState):
        worker.cancel(job_id)


def test_what_a_model_still_brings_after_a_cancel_is_thrown_away(bench: Bench) -> None:
    go_on = threading.Event()

    def deaf(run: Run) -> None:
        assert go_on.wait(PATIENCE)
        run.tell(Progress(Stage.SPEAK, 0.5))

    worker = bench.worker(acting := Acting(deaf))
    job_id, next_one = bench.submitted(worker), bench.submitted(worker)
    acting.began(1)
    worker.cancel(job_id)
    assert bench.store.get(job_id).state == JobState.CANCELLED
    go_on.set()
    bench.waits_for(next_one)
    assert (bench.store.get(job_id).state, bench.store.get(job_id).stage) == (JobState.CANCELLED, None)
    assert bench.holds(job_id) == {"input"}


def test_a_job_that_waits_is_cancelled_and_never_run(bench: Bench) -> None:
    worker = bench.worker(acting := Acting(Run.until_cancelled))
    first, waiting = bench.submitted(worker), bench.submitted(worker)
    acting.began(1)
    worker.cancel(waiting)
    worker.cancel(first)
    bench.waits_for(bench.submitted(worker))
    assert waiting not in {run.job_id for run in acting.runs}


def test_a_cancelled_job_that_is_edited_waits_until_its_old_run_has_left_the_folder(bench: Bench) -> None:
    go_on = threading.Event()
    acting = Acting(lambda _: None, waiting_for(go_on))
    worker = bench.worker(acting, at_once=2)
    job_id = bench.submitted(worker)
    bench.waits_for(job_id)
    worker.edit(job_id, 1, NO_EDITS)
    acting.began(2)
    worker.cancel(job_id)
    worker.edit(job_id, 1, Edits({0: Edit(text="Hola")}))
    bench.waits_for(bench.submitted(worker))  # the other thread is free, and passes the job over
    assert (bench.store.get(job_id).state, len(acting.runs)) == (JobState.QUEUED, 3)
    go_on.set()
    assert bench.waits_for(job_id).version == 2
    assert acting.runs[-1].request.edits == Edits({0: Edit(text="Hola")})


def test_a_job_removed_while_it_runs_is_gone_whatever_its_run_still_writes(bench: Bench) -> None:
    def writing(run: Run) -> None:
        with suppress(VtError):
            run.until_cancelled()
        keeping(1)(run)

    worker = bench.worker(acting := Acting(writing))
    job_id = bench.submitted(worker)
    run = acting.began(1)
    worker.remove(job_id)
    assert run.over.wait(PATIENCE)
    bench.waits_for(bench.submitted(worker))
    assert not bench.data.job(job_id).exists()
    with pytest.raises(JobNotFound):
        worker.remove(job_id)


# Edits


def test_an_edit_runs_the_job_again_with_the_old_results_there_until_the_new_ones_are(bench: Bench) -> None:
    seen: list[set[str]] = []
    acting = Acting(lambda _: None, lambda run: seen.append(bench.holds(run.job_id)))
    worker = bench.worker(acting)
    job_id = bench.submitted(worker)
    bench.waits_for(job_id)
    worker.edit(job_id, 1, Edits({3: Edit(text="Hola", start=1.5)}))
    assert bench.waits_for(job_id, JobState.DONE).version == 2
    assert "results-1/input.es.mp4" in seen[0]
    bench.comes_to_hold(job_id, "input", "results-2", "results-2/input.es.mp4")
    assert acting.runs[1].request.edits == Edits({3: Edit(text="Hola", start=1.5)})


def test_an_edit_that_fails_leaves_the_old_results(bench: Bench) -> None:
    worker = bench.worker(Acting(lambda _: None, failing(EngineError("It broke."))))
    job_id = bench.submitted(worker)
    bench.waits_for(job_id)
    worker.edit(job_id, 1, Edits({3: Edit(text="Hola")}))
    failed = bench.waits_for(job_id, JobState.FAILED)
    assert (failed.version, failed.mended) == (1, NO_EDITS)
    bench.comes_to_hold(job_id, "input", "results-1", "results-1/input.es.mp4")


# Ends and beginnings


def test_a_server_that_ends_puts_its_jobs_back_and_the_next_one_goes_on_without_counting_a_death(
    bench: Bench,
) -> None:
    worker = bench.worker(acting := Acting(*[Run.until_cancelled] * 2), at_once=2)
    ids = [bench.submitted(worker) for _ in range(3)]
    acting.began(2)
    worker.close()
    assert [bench.store.get(job_id).state for job_id in ids] == [JobState.QUEUED] * 3
    bench.worker(after := Acting())
    assert {bench.waits_for(job_id).state for job_id in ids} == {JobState.DONE}
    assert [run.job_id for run in after.runs] == ids
    assert [bench.store.get(job_id).deaths for job_id in ids] == [0, 0, 0]


def test_a_model_that_does_not_listen_holds_up_no_servers_end_and_spoils_nothing_afterwards(bench: Bench) -> None:
    go_on = threading.Event()
    acting = Acting(waiting_for(go_on))
    worker, started = with_threads(lambda: bench.worker(acting, goodbye_seconds=0.05))
    job_id = bench.submitted(worker)
    acting.began(1)
    began = time.monotonic()
    worker.close()
    assert time.monotonic() - began < PATIENCE / 2
    assert bench.store.get(job_id).state == JobState.QUEUED
    bench.worker(after := Acting(Run.until_cancelled))
    after.began(1)
    go_on.set()  # the old thread wakes up in a folder that is another's by now
    for thread in started:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert (bench.store.get(job_id).state, bench.store.get(job_id).deaths) == (JobState.RUNNING, 0)
    assert "work" in bench.holds(job_id)


def test_a_job_is_given_up_after_three_deaths_without_a_new_piece_and_never_after_a_clean_stop(bench: Bench) -> None:
    job_id = bench.submitted(bench.worker(begins=False))
    for deaths, artifacts in enumerate((0, 1, 1, 2, 2, 2), 1):
        job = bench.store.claim()  # by a server that is killed while it works
        assert job is not None
        Artifacts(bench.data.artifacts(job_id)).put_json("piece", fingerprint(artifacts), artifacts)
        bench.worker(at_once=0).close()
        expected = JobState.FAILED if deaths == 6 else JobState.QUEUED
        assert (bench.store.get(job_id).state, deaths) == (expected, deaths)
        worker = bench.worker(acting := Acting(Run.until_cancelled)) if deaths < 6 else None
        if worker:
            acting.began(1)
            worker.close()
    assert f"died {DEATHS} times in a row" in (bench.store.get(job_id).error or "")


def test_a_job_that_a_killed_server_had_begun_is_still_spoken_by_whom_it_was_asked_for(bench: Bench) -> None:
    asked = replace(SPEC, wishes=Wishes(voice="ef_dora"))
    job_id = bench.worker(begins=False).submit(bench.film(), asked).id
    assert bench.store.claim()  # by a server that is killed while it works
    bench.worker(acting := Acting())
    assert bench.waits_for(job_id).state == JobState.DONE
    assert acting.runs[0].request.wishes == Wishes(voice="ef_dora")


def test_a_start_sweeps_what_belongs_to_nobody_and_what_is_half_made(bench: Bench) -> None:
    done, waiting = bench.film(), bench.film()
    bench.store.create(done, SPEC, 9)
    bench.store.claim()
    bench.store.finish(done)
    bench.store.create(waiting, SPEC, 9)
    for job_id in (done, waiting):
        bench.data.subtitles(job_id).write_text("1")
        for name in ("results-1", "results-2", "work", "pieces"):
            (bench.data.job(job_id) / name).mkdir()
            (bench.data.job(job_id) / name / "file").write_text(name)
        (bench.data.job(job_id) / "stray").write_text("?")
    upload = bench.film()  # that broke off: no job came of it
    (bench.data.jobs / "stray").write_text("?")
    bench.store.settle()
    bench.worker(at_once=0)
    kept = {"input", "subtitles", "pieces", "pieces/file"}
    assert bench.holds(done) == kept | {"results-1", "results-1/file"}
    assert bench.holds(waiting) == kept
    assert not bench.data.job(upload).exists()
    assert {path.name for path in bench.data.jobs.iterdir()} == {done, waiting}


def test_old_jobs_go_but_never_one_that_waits_or_runs(bench: Bench) -> None:
    worker = bench.worker(acting := Acting(lambda _: None, Run.until_cancelled))
    old = bench.submitted(worker)
    bench.waits_for(old)
    running, waiting = bench.submitted(worker), bench.submitted(worker)
    acting.began(2)
    bench.clock.seconds += 71 * 3600
    young = bench.submitted(worker)
    worker.cancel(young)
    bench.clock.seconds += 3601
    worker.expire()
    assert not bench.data.job(old).exists()
    assert set(bench.store.versions()) == {running, waiting, young}
    assert bench.data.input(young).exists()


# Work that stands still


class Seconds:
    """A clock of the watchdog's that goes on when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def dog(self, cancel: Cancel) -> Watchdog:
        return Watchdog(cancel, Patience(standstill=60.0, to_heed=60.0), self)


def test_a_job_that_stands_still_fails_with_a_sentence_and_the_next_one_runs(bench: Bench) -> None:
    clock, executor = Seconds(), Acting(Run.until_cancelled)
    worker = bench.worker(executor, watchdog=clock.dog, look_seconds=0.01)
    job_id, next_id = bench.submitted(worker), bench.submitted(worker)
    executor.began(1)
    clock.now = 61.0
    job = bench.waits_for(job_id)
    assert (job.state, job.error) == (
        JobState.FAILED,
        "Nothing went on for 1 minutes, so the job was stopped: try it again.",
    )
    assert bench.waits_for(next_id).state is JobState.DONE


def test_the_films_of_one_visitor_take_only_so_much_those_of_cancelled_jobs_too(bench: Bench) -> None:
    worker = bench.worker(begins=False, visitor_bytes=2 * len("film"))

    def submitted(visitor: str) -> str:
        return worker.submit(bench.film(), SPEC, visitor).id

    first, second = submitted("ann"), submitted("ann")
    for job_id in (first, second):
        worker.cancel(job_id)
    with pytest.raises(TooMuchKept, match="remove jobs that are over"):
        submitted("ann")
    again = new_id()
    bench.data.job(again).mkdir()
    bench.data.input(again).hardlink_to(bench.data.input(first))
    worker.submit(again, SPEC, "ann")  # takes no more room
    for visitor in ("ben", "", "", ""):
        submitted(visitor)
    worker.remove(first)
    with pytest.raises(TooMuchKept):  # the other job has that film still
        submitted("ann")
    worker.remove(second)
    submitted("ann")


def test_a_job_whose_thread_hangs_fails_too_and_the_next_one_runs_in_another(bench: Bench) -> None:
    clock, go = Seconds(), threading.Event()

    def hang(_: Run) -> None:
        go.wait(2 * PATIENCE)

    executor = Acting(hang)
    worker = bench.worker(executor, watchdog=clock.dog, look_seconds=0.01)
    job_id, next_id = bench.submitted(worker), bench.submitted(worker)
    run = executor.began(1)
    clock.now = 61.0
    stopped = threading.Event()
    run.cancel.add(stopped.set)
    assert stopped.wait(PATIENCE)
    assert bench.store.get(job_id).state is JobState.RUNNING
    clock.now = 122.0
    assert bench.waits_for(job_id).state is JobState.FAILED
    assert bench.waits_for(next_id).state is JobState.DONE
    go.set()
    assert run.over.wait(PATIENCE)
    third = bench.submitted(worker)
    assert bench.waits_for(third).state is JobState.DONE
    assert bench.store.get(job_id).state is JobState.FAILED


def test_a_job_whose_thread_hangs_fails_as_soon_as_the_disk_lets_it(bench: Bench) -> None:
    clock, go, tries = Seconds(), threading.Event(), list[str]()

    class FullAtFirst(Store):
        def fail(self, job_id: str, sentence: str) -> Job:
            tries.append(job_id)
            if len(tries) <= 3:
                raise StorageError("The disk is full.")
            return super().fail(job_id, sentence)

    def hang(_: Run) -> None:
        go.wait(4 * PATIENCE)

    bench.store.close()
    bench.store = FullAtFirst(bench.data.database)
    worker = bench.worker(Acting(hang), watchdog=clock.dog, look_seconds=0.01)
    job_id, next_id = bench.submitted(worker), bench.submitted(worker)
    bench.waits_for(job_id, JobState.RUNNING)
    clock.now = 61.0
    until = time.monotonic() + PATIENCE
    while not tries:
        assert time.monotonic() < until
        clock.now += 61.0
        time.sleep(0.02)
    assert bench.waits_for(job_id).state is JobState.FAILED
    assert bench.waits_for(next_id).state is JobState.DONE
    go.set()
