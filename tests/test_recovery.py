"""Whatever becomes of the database, the jobs' folders tell of the jobs, and no film is thrown away."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import ROOT
from vt.domain import Cancel, Edit, Edits, Job, JobRequest, JobSpec, JobState, Progress, Wishes
from vt.errors import FolderTaken, InputError, JobNotFound, StorageError
from vt.jobs import records, recovery
from vt.jobs.recovery import repair
from vt.jobs.removals import Removals
from vt.jobs.store import UNNAMED, DataFolder, Store, Submission, damage, new_id
from vt.jobs.worker import Worker
from vt.translatable import Message

SPEC = JobSpec("ein Film.mp4", "es", "en", "ein Film.srt", 2, Wishes("ef_dora"))
EDITS = Edits({3: Edit(text="¡Hola!")})
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Nobody:
    """Runs no job."""

    def run(
        self, request: JobRequest, folder: Path, on_progress: Callable[[Progress], None], cancel: Cancel
    ) -> Sequence[Path]:
        raise NotImplementedError


class Times:
    """The clock on the wall, which anybody may set, and the seconds that really pass."""

    def __init__(self) -> None:
        self.wall, self.seconds = NOW, 1e6

    def pass_by(self, hours: float) -> None:
        self.wall += timedelta(hours=hours)
        self.seconds += hours * 3600


class Life:
    """A server's life: from a start to a death, with a worker that runs nothing by itself."""

    def __init__(self, folder: Path, times: Times | None = None, database: Path | None = None) -> None:
        times = times or Times()
        self.data = DataFolder(folder, database)
        self.store = recovery.open_store(
            self.data, lambda path: Store(path, lambda: times.wall, elapsed=lambda: times.seconds)
        )
        self.worker = Worker(self.store, self.data, Nobody(), at_once=0)
        self.worker.begin()

    def submitted(self, visitor: str = "", submission: Submission = UNNAMED) -> str:
        job_id = new_id()
        self.data.job(job_id).mkdir()
        self.data.input(job_id).write_text("film")
        return self.worker.submit(job_id, SPEC, visitor, submission=submission).id

    def done(self) -> str:
        job_id = self.submitted()
        self.finishes(job_id)
        return job_id

    def finishes(self, job_id: str) -> None:
        assert self.store.claim()
        self.run_ends(job_id, lambda: self.store.finish(job_id))

    def run_ends(self, job_id: str, change: Callable[[], Job]) -> None:
        """Do as the worker does when a run has ended."""
        results = self.data.results(job_id, self.store.get(job_id).version + 1)
        results.mkdir()
        (results / "input.es.mp4").write_text("dub")
        self.changed(change)

    def changed(self, change: Callable[[], Job]) -> None:
        """Change a job in the database and in the record in its folder, as the worker does."""
        job = change()
        records.write(self.data.job(job.id), records.of(job))

    def in_state(self, state: JobState) -> str:
        if state is JobState.DONE:
            return self.done()
        job_id = self.submitted()
        if state is JobState.CANCELLED:
            self.worker.cancel(job_id)
        elif state is not JobState.QUEUED:
            assert self.store.claim()
        if state is JobState.FAILED:
            self.changed(lambda: self.store.fail(job_id, Message("{file} broke.", file="a.mp4")))
        return job_id

    def close(self) -> None:
        self.worker.close()
        self.store.close()
        self.data.close()


@contextmanager
def life(folder: Path, times: Times | None = None) -> Iterator[Life]:
    with closing(Life(folder, times)) as found:
        yield found


def lose(folder: Path, how: str) -> None:
    """Have the database go as a power cut or a careless hand has it go."""
    for path in folder.glob("vt.db*"):
        path.unlink()
    if how == "empty":
        (folder / "vt.db").touch()


def shown(job: Job) -> tuple[object, ...]:
    return (
        job.id,
        job.state,
        job.error and job.error.as_json(),
        job.created_at,
        job.request,
        job.version,
        job.edits,
        job.mended,
    )


# A database that is lost


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_start_without_a_database_finds_every_job_in_its_folder(tmp_path: Path, how: str) -> None:
    with life(tmp_path) as before:
        edited = before.done()
        for state in (JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.QUEUED, JobState.QUEUED):
            before.in_state(state)
        before.worker.edit(edited, 1, EDITS)
        jobs = {job.id: shown(job) for job in before.store.page(99)}
    lose(tmp_path, how)
    with life(tmp_path) as after:
        assert {job.id: shown(job) for job in after.store.page(99)} == jobs
        assert all(after.data.input(job_id).read_text() == "film" for job_id in jobs)
        assert after.data.results(edited, 1).is_dir()
    assert recovery.kept_aside(tmp_path) is None


def test_a_job_that_ran_when_the_database_was_lost_waits_again(tmp_path: Path) -> None:
    with life(tmp_path) as before:
        running = before.in_state(JobState.RUNNING)
    lose(tmp_path, "missing")
    with life(tmp_path) as after:
        assert after.store.get(running).state == JobState.QUEUED
        claimed = after.store.claim()
        assert claimed is not None
        assert claimed.id == running


def test_an_old_copy_of_the_database_takes_no_newer_job_away(tmp_path: Path) -> None:
    with life(tmp_path) as before:
        old = before.done()
    copy = (tmp_path / "vt.db").read_bytes()
    with life(tmp_path) as before:
        newer = before.done()
    lose(tmp_path, "missing")
    (tmp_path / "vt.db").write_bytes(copy)
    with life(tmp_path) as after:
        assert {job.id: job.state for job in after.store.page(9)} == {old: JobState.DONE, newer: JobState.DONE}


@pytest.mark.parametrize("record", [None, b"", b"{}", b"[" * 100_000, b'{"format": 2}', b"\xff"])
@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_folder_that_a_new_database_can_make_nothing_of_is_kept_aside_for_ever(
    tmp_path: Path, how: str, record: bytes | None
) -> None:
    with life(tmp_path) as before:
        job_id = before.done()
        before.data.folder(job_id).record.unlink()
        if record is not None:
            before.data.folder(job_id).record.write_bytes(record)
    lose(tmp_path, how)
    for _ in range(3):
        with life(tmp_path) as after:
            assert after.store.page(9) == []
            assert not any(after.data.jobs.iterdir())
            assert (after.data.aside / job_id / "input").read_text() == "film"
            assert (after.data.aside / job_id / "results-1" / "input.es.mp4").read_text() == "dub"
    assert "kept-aside, in the data folder: 1." in (recovery.kept_aside(tmp_path) or "")
    assert repair(tmp_path).unclear == 1
    assert (tmp_path / "kept-aside" / job_id / "input").exists()


def test_what_is_kept_aside_never_takes_the_place_of_what_lies_there(tmp_path: Path) -> None:
    name = new_id()
    for number in range(3):
        lose(tmp_path, "missing")
        (tmp_path / "jobs" / name).mkdir(parents=True)
        (tmp_path / "jobs" / name / "input").write_text(str(number))
        life(tmp_path).__enter__().close()
    assert sorted(path.read_text() for path in (tmp_path / "kept-aside").glob("*/input")) == ["0", "1", "2"]


def test_a_link_among_the_jobs_leads_nobody_out_of_the_data_folder(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    with life(tmp_path / "other") as other:
        job_id = other.done()
        other.data.job(job_id).rename(elsewhere)
    (tmp_path / "data" / "jobs").mkdir(parents=True)
    (tmp_path / "data" / "jobs" / job_id).symlink_to(elsewhere)
    with life(tmp_path / "data") as after:
        assert after.store.page(9) == []
        assert not any(after.data.jobs.iterdir())
    assert (elsewhere / "input").read_text() == "film"


# What a record says is held against what is there


def test_a_job_whose_results_are_gone_is_done_again(tmp_path: Path) -> None:
    with life(tmp_path) as before:
        job_id = before.done()
        (before.data.results(job_id, 1) / "input.es.mp4").unlink()
        before.data.results(job_id, 1).rmdir()
    lose(tmp_path, "missing")
    with life(tmp_path) as after:
        assert (after.store.get(job_id).state, after.store.get(job_id).version) == (JobState.QUEUED, 0)


def test_a_job_whose_film_is_gone_says_so(tmp_path: Path) -> None:
    with life(tmp_path) as before:
        job_id = before.submitted()
        before.data.input(job_id).unlink()
    lose(tmp_path, "missing")
    with life(tmp_path) as after:
        job = after.store.get(job_id)
        assert job.state == JobState.FAILED
        assert "send it again" in (job.error or "")


@pytest.mark.parametrize("kept", [{"sentence": "of the future"}, {"template": "{a}", "values": {"b": 1}}, ["x"], 7, {}])
def test_a_record_whose_failure_is_damaged_still_says_the_sentence(tmp_path: Path, kept: object) -> None:
    with life(tmp_path) as before:
        job_id = before.submitted()
        before.store.claim()
        failed = before.store.fail(job_id, Message("The film {file} broke.", file="a.mp4"))
        records.write(before.data.job(job_id), records.of(failed))
        file = before.data.folder(job_id).record
        whole = json.loads(file.read_text(encoding="ascii"))
        assert whole["failure"] == {"template": "The film {file} broke.", "values": {"file": "a.mp4"}}
        file.write_text(json.dumps(whole | {"failure": kept}), encoding="ascii")
    lose(tmp_path, "missing")
    with life(tmp_path) as after:
        job = after.store.get(job_id)
        assert (job.state, job.error) == (JobState.FAILED, "The film a.mp4 broke.")


def test_results_that_are_newer_than_their_record_are_those_of_the_job(tmp_path: Path) -> None:
    with life(tmp_path) as before:
        job_id = before.done()
        before.data.results(job_id, 1).rename(before.data.results(job_id, 2))
    lose(tmp_path, "missing")
    with life(tmp_path) as after:
        assert (after.store.get(job_id).state, after.store.get(job_id).version) == (JobState.DONE, 2)
        assert after.data.results(job_id, 2).is_dir()


def test_jobs_of_a_version_that_wrote_no_records_get_theirs_at_the_start(tmp_path: Path) -> None:
    with life(tmp_path) as before:
        ids = [before.done(), before.submitted()]
        for job_id in ids:
            before.data.folder(job_id).record.unlink()
        jobs = {job.id: shown(job) for job in before.store.page(9)}
    life(tmp_path).__enter__().close()
    lose(tmp_path, "empty")
    with life(tmp_path) as after:
        assert {job.id: shown(job) for job in after.store.page(9)} == jobs


# Removing


@pytest.mark.parametrize("row_is_gone", [False, True])
@pytest.mark.parametrize("database_is_lost", [False, True])
def test_a_removal_that_a_death_cut_short_is_finished_and_never_undone(
    tmp_path: Path, row_is_gone: bool, database_is_lost: bool
) -> None:
    with life(tmp_path) as before:
        job_id, other = before.done(), before.done()
        records.mark_removed(before.data.job(job_id))
        if row_is_gone:
            before.store.remove(job_id)
    if database_is_lost:
        lose(tmp_path, "missing")
    with life(tmp_path) as after:
        assert [job.id for job in after.store.page(9)] == [other]
        assert {path.name for path in after.data.jobs.iterdir()} == {other}
        assert not after.data.aside.exists()


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.DONE])
def test_a_job_that_was_to_be_removed_in_a_moment_when_the_server_was_killed_is_removed_at_the_next_start(
    tmp_path: Path, state: JobState
) -> None:
    with life(tmp_path) as before:
        job_id = before.in_state(state)
        kept = before.done() if state is JobState.DONE else before.in_state(JobState.CANCELLED)
        for one in (job_id, kept):
            records.announce_removal(before.data.job(one))
        records.withdraw_removal(before.data.job(kept))
    with life(tmp_path) as after:
        assert [job.id for job in after.store.page(9)] == [kept]
        assert {path.name for path in after.data.jobs.iterdir()} == {kept}


class Noting:
    """Notes what is asked of the jobs."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def announce_removal(self, job_id: str) -> None:
        self.asked.append(f"announce {job_id}")

    def withdraw_removal(self, job_id: str) -> None:
        self.asked.append(f"withdraw {job_id}")

    def remove(self, job_id: str) -> None:
        self.asked.append(f"remove {job_id}")
        if job_id == "gone":
            raise JobNotFound


def test_a_removal_is_noted_at_once_and_one_that_is_taken_back_is_forgotten() -> None:
    jobs = Noting()
    removals = Removals(lambda: jobs, seconds=3600.0)
    for job_id in ("a", "b", "a", "gone"):
        removals.begin(job_id)
    assert removals.take_back("a")
    assert not removals.take_back("a")
    removals.close()
    assert not removals.take_back("b")
    told = ["announce a", "announce b", "announce gone", "withdraw a", "remove b", "remove gone"]
    assert jobs.asked == told


def test_of_very_many_removals_the_first_ones_wait_no_longer() -> None:
    jobs = Noting()
    removals = Removals(lambda: jobs, seconds=3600.0)
    for number in range(202):
        removals.begin(str(number))
    assert [one for one in jobs.asked if one.startswith("remove")] == ["remove 0", "remove 1"]
    removals.close()
    assert len(jobs.asked) == 2 * 202


class Dying(Store):
    """A store whose server dies as soon as it has forgotten a job."""

    def remove(self, job_id: str) -> None:
        super().remove(job_id)
        raise KeyboardInterrupt


def test_a_job_whose_removal_and_whose_database_were_lost_together_does_not_come_back(tmp_path: Path) -> None:
    with life(tmp_path) as before:
        job_id = before.done()
    with DataFolder(tmp_path) as data, closing(Dying(data.database)) as store:
        with pytest.raises(KeyboardInterrupt):
            Worker(store, data, Nobody(), at_once=0).remove(job_id)
        assert data.input(job_id).exists()
    lose(tmp_path, "missing")
    with life(tmp_path) as after:
        assert after.store.page(9) == []


def test_a_removed_job_does_not_come_back_with_a_new_database(tmp_path: Path) -> None:
    with life(tmp_path) as before:
        before.worker.remove(before.done())
        old, times = before.done(), Times()
    times.pass_by(73)
    with life(tmp_path, times) as before:
        assert before.store.get(old)  # no time has been served yet
        times.pass_by(73)
        before.worker.expire()
    lose(tmp_path, "missing")
    with life(tmp_path) as after:
        assert after.store.page(9) == []


# Repair


def corrupt(path: Path) -> bytes:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    return bytes(content)


@pytest.mark.parametrize("spoil", [corrupt, lambda path: path.write_bytes(b"my holiday photos" * 999)])
def test_a_damaged_database_is_kept_under_another_name_and_a_new_one_made_of_the_folders(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    with life(tmp_path) as before:
        for state in (JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.QUEUED):
            before.in_state(state)
        jobs = {job.id: shown(job) for job in before.store.page(9)}
    spoil(tmp_path / "vt.db")
    spoilt = (tmp_path / "vt.db").read_bytes()
    with pytest.raises(StorageError, match=r"doctor --repair"):
        Store(tmp_path / "vt.db")
    assert "damaged" in (damage(tmp_path / "vt.db") or "")
    first = repair(tmp_path)
    assert {job.id for job in first.restored} == set(jobs)
    assert first.damaged is not None
    assert first.damaged.read_bytes() == spoilt
    assert damage(tmp_path / "vt.db") is None
    again = repair(tmp_path)
    assert (again.restored, again.known, again.damaged, again.unclear) == ((), 4, None, 0)
    with life(tmp_path) as after:
        assert {job.id: shown(job) for job in after.store.page(9)} == jobs


def test_a_repair_brings_back_what_was_kept_aside_once_it_has_its_record_again(tmp_path: Path) -> None:
    with life(tmp_path) as before:
        job_id = before.done()
        record = before.data.folder(job_id).record.rename(tmp_path / "elsewhere")
    lose(tmp_path, "missing")
    life(tmp_path).__enter__().close()
    record.rename(tmp_path / "kept-aside" / job_id / "job.json")
    done = repair(tmp_path)
    assert [job.id for job in done.restored] == [job_id]
    assert not (tmp_path / "kept-aside").exists()


def test_nothing_is_repaired_under_a_servers_hands_or_where_nothing_is(tmp_path: Path) -> None:
    with life(tmp_path / "data"), pytest.raises(FolderTaken):
        repair(tmp_path / "data")
    with pytest.raises(InputError, match="VT_DATA_DIR"):
        repair(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_the_doctor_repairs_by_the_command_that_the_sentence_names(tmp_path: Path) -> None:
    with life(tmp_path / "data") as before:
        done, waiting = before.done(), before.submitted()
    corrupt(tmp_path / "data" / "vt.db")
    argv = [sys.executable, "-m", "vt", "doctor", "--repair"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    said = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert "Jobs that are in the database again: 2 (1 done, 1 queued)." in said
    assert "vt.db.damaged-" in said
    assert done not in said
    with life(tmp_path / "data") as after:
        assert {job.id for job in after.store.page(9)} == {done, waiting}


def test_a_repair_that_is_killed_is_begun_again(tmp_path: Path) -> None:
    with life(tmp_path) as before:
        ids = {before.done() for _ in range(3)}
    corrupt(tmp_path / "vt.db")

    def killed() -> datetime:
        (tmp_path / "vt.db").rename(tmp_path / "vt.db.damaged-1")  # and then it died
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        repair(tmp_path, killed)
    assert {job.id for job in repair(tmp_path).restored} == ids


# Deaths

SUBMITTER = """
import sys
from pathlib import Path
from tests.test_recovery import Life

life = Life(Path(sys.argv[1]))
print("open", flush=True)
while True:
    print(life.done(), flush=True)
    waiting = life.submitted()
    print(waiting, flush=True)
    life.worker.cancel(waiting)
"""


@pytest.mark.parametrize("seed", range(3))
def test_a_submit_that_was_answered_outlives_the_server_and_the_database(tmp_path: Path, seed: int) -> None:
    argv = [sys.executable, "-c", SUBMITTER, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(random.Random(seed).randint(2, 30))]
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
    told = {line.strip() for line in said[1:] if line.endswith("\n")}
    lose(tmp_path, "empty")
    with life(tmp_path) as after:
        assert told <= set(after.store.versions())
        # What was about to be told may be there too, with a record or without one.
        assert len(after.store.versions()) <= len(told) + 2


def test_a_full_disk_costs_a_job_its_record_and_nothing_else(tmp_path: Path) -> None:
    with life(tmp_path) as before:
        job_id = before.submitted()
        before.data.folder(job_id).new_record.mkdir()  # in the way, like no room
        assert before.worker.cancel(job_id).state == JobState.CANCELLED
        before.data.folder(job_id).new_record.rmdir()
        assert json.loads(before.data.folder(job_id).record.read_text())["state"] == "queued"


# Clocks


def expired(folder: Path, times: Times) -> set[str]:
    """Start a server, and return which jobs it lets go at once."""
    with life(folder, times) as now:
        return set(now.store.expired(timedelta(hours=72)))


@pytest.mark.parametrize("years", [10, -10])
def test_a_clock_that_jumps_while_the_server_runs_lets_no_job_go_nor_keeps_one_for_ever(
    tmp_path: Path, years: int
) -> None:
    times = Times()
    with life(tmp_path, times) as now:
        old = now.done()
        times.pass_by(hours=71)
        young = now.done()
        times.wall += timedelta(days=365 * years)
        assert now.store.expired(timedelta(hours=72)) == []
        times.pass_by(hours=1.1)
        assert now.store.expired(timedelta(hours=72)) == [old]
        times.pass_by(hours=72)
        assert now.store.expired(timedelta(hours=72)) == [old, young]


@pytest.mark.parametrize("years", [10, -10])
def test_a_clock_that_jumps_between_two_starts_changes_nothing(tmp_path: Path, years: int) -> None:
    times = Times()
    with life(tmp_path, times) as now:
        old = now.done()
        times.pass_by(hours=71)
        now.done()
    times.wall += timedelta(days=365 * years)
    times.seconds = 5.0  # the machine was started again
    assert expired(tmp_path, times) == set()
    with life(tmp_path, times) as now:
        times.pass_by(hours=1.1)
        assert now.store.expired(timedelta(hours=72)) == [old]


def test_time_in_which_no_server_ran_is_not_counted_and_all_that_one_ran_is(tmp_path: Path) -> None:
    times = Times()
    with life(tmp_path, times) as now:
        job_id = now.done()
    for _ in range(10):
        times.pass_by(hours=24 * 7)
        with life(tmp_path, times) as now:
            assert now.store.expired(timedelta(hours=72)) == []
            times.pass_by(hours=8)
            assert now.store.obstacle() is None  # asked by the server now and then; and killed after that
            if found := now.store.expired(timedelta(hours=72)):
                break
    assert found == [job_id]


def test_jobs_of_an_earlier_version_live_for_another_period_from_then_on(tmp_path: Path) -> None:
    times = Times()
    with life(tmp_path, times) as now:
        job_id = now.done()
    with closing(sqlite3.connect(tmp_path / "vt.db")) as database:
        database.execute("UPDATE jobs SET touched_ms = 0, updated_ms = 0")
        database.commit()
    assert expired(tmp_path, times) == set()
    with life(tmp_path, times) as now:
        times.pass_by(hours=72.1)
        assert now.store.expired(timedelta(hours=72)) == [job_id]


# A database that goes while the server runs


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_health_is_told_of_a_database_that_was_taken_away_and_the_next_start_has_all_jobs(
    tmp_path: Path, how: str
) -> None:
    with life(tmp_path) as now:
        first = now.done()
        assert now.store.obstacle() is None
        lose(tmp_path, how)
        assert "removed or replaced" in (now.store.obstacle() or "")
        second = now.submitted()
    with life(tmp_path) as after:
        assert {job.id for job in after.store.page(9)} == {first, second}


def test_a_database_that_is_overwritten_while_the_server_runs_costs_no_job(tmp_path: Path) -> None:
    with life(tmp_path) as now:
        jobs = {now.done() for _ in range(3)}
        with closing(sqlite3.connect(tmp_path / "vt.db")) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with (tmp_path / "vt.db").open("r+b") as file:
            file.write(b"\xff" * 2**16)
        for ask in (lambda: now.store.page(9), now.submitted, lambda: now.worker.remove(min(jobs))):
            with pytest.raises(StorageError, match=r"damaged .*doctor --repair"):
                ask()
        assert "damaged" in (now.store.obstacle() or "")
    with pytest.raises(StorageError, match="doctor --repair"):
        Store(tmp_path / "vt.db")
    assert {job.id for job in repair(tmp_path).restored} == jobs
