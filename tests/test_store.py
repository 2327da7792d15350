"""The jobs in their database: every step that exists and none else, and nothing lost to kills, threads or time."""

from __future__ import annotations

import fcntl
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import Connection, event
from sqlalchemy.pool import Pool

from vt.domain import NO_EDITS, Edit, Edits, Job, JobSpec, JobState, Stage, Wishes
from vt.errors import InputError, JobNotFound, Outdated, QueueFull, StorageError, TooManyJobs, VtError, WrongState
from vt.jobs.store import DEATHS, ID, KEY_KEPT, MIGRATIONS, DataFolder, Share, Store, Submission, new_id
from vt.translatable import LanguageName, Message

ROOT = Path(__file__).parent.parent
GALICIAN = LanguageName("gl", "Galician")
MANY = 10_000
BIRTH = datetime(2026, 1, 1, 12, 0, 0, 123000, tzinfo=UTC)
SPEC = JobSpec(file="мой фильм.mp4", target_language="es")


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = BIRTH
        self.seconds = 0.0

    def __call__(self) -> datetime:
        return self.now

    def elapsed(self) -> float:
        """Tell the seconds that have passed, whatever the clock on the wall was set to."""
        return self.seconds

    def pass_by(self, **time: float) -> None:
        self.now += timedelta(**time)
        self.seconds += timedelta(**time).total_seconds()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    with closing(Store(tmp_path / "vt.db", clock, elapsed=clock.elapsed)) as store:
        yield store


def queued(store: Store, spec: JobSpec = SPEC) -> str:
    return store.create(new_id(), spec, MANY).id


def claimed(store: Store) -> Job:
    job = store.claim()
    assert job is not None
    return job


def in_state(store: Store, state: JobState) -> str:
    """Lead a job to a state, by the steps of a worker."""
    job_id = queued(store)
    if state != JobState.QUEUED:
        assert claimed(store).id == job_id
    if state == JobState.DONE:
        store.finish(job_id)
    elif state == JobState.FAILED:
        store.fail(job_id, "It broke.")
    elif state == JobState.CANCELLED:
        store.cancel(job_id)
    return job_id


def python(script: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start a script of ours as a process of its own."""
    argv = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)


# Ids


def test_ids_are_of_one_form_and_never_the_same() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(ID.fullmatch(job_id) for job_id in ids)


def test_an_id_holds_at_least_128_bits_and_all_letters_are_used() -> None:
    letters = set("".join(new_id() for _ in range(1000)))
    assert len(letters) == 32
    assert len(new_id()) * 5 >= 128


# The data folder


def test_the_data_folder_is_made_and_a_jobs_folder_follows_from_its_id(tmp_path: Path) -> None:
    job_id = new_id()
    with DataFolder(tmp_path / "a" / "data") as folder:
        assert folder.jobs.is_dir()
        assert folder.job(job_id) == tmp_path / "a" / "data" / "jobs" / job_id
        assert folder.input(job_id) == folder.job(job_id) / "input"
        assert folder.database.parent == folder.path
        assert not folder.job(job_id).exists()


def test_a_relative_data_folder_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with DataFolder(Path("data")) as folder:
        monkeypatch.chdir("/")
        assert folder.job(new_id()).parent == tmp_path / "data" / "jobs"


@pytest.mark.parametrize("job_id", ["", "..", "../" * 13, "/etc/passwd", "A" * 26, "a" * 25, "a" * 26 + "\n", "1" * 26])
def test_what_is_no_id_becomes_no_path(tmp_path: Path, job_id: str) -> None:
    with DataFolder(tmp_path) as folder:
        with pytest.raises(JobNotFound):
            folder.job(job_id)
        with pytest.raises(JobNotFound):
            folder.input(job_id)


def test_a_second_owner_of_the_data_folder_is_told_what_to_do(tmp_path: Path) -> None:
    with DataFolder(tmp_path), pytest.raises(StorageError, match="VT_DATA_DIR and PORT") as caught:
        DataFolder(tmp_path)
    assert (str(tmp_path) in caught.value.in_full, str(tmp_path) in str(caught.value)) == (True, False)
    DataFolder(tmp_path).close()


OWNER = """
import sys
from pathlib import Path
from vt.errors import StorageError
from vt.jobs.store import DataFolder

try:
    folder = DataFolder(Path(sys.argv[1]))
except StorageError as error:
    print(error, flush=True)
else:
    print("owner", flush=True)
    sys.stdin.read()
"""


def test_of_two_processes_one_owns_the_data_folder_until_it_dies(tmp_path: Path) -> None:
    with python(OWNER, tmp_path) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "owner\n"
        with python(OWNER, tmp_path) as second:
            assert "in use by another vt server" in second.communicate("")[0]
        first.send_signal(signal.SIGKILL)
        first.wait()
        with python(OWNER, tmp_path) as third:
            assert third.communicate("")[0] == "owner\n"


def test_a_program_that_the_owner_started_does_not_keep_the_folder(tmp_path: Path) -> None:
    with DataFolder(tmp_path):
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    try:
        with DataFolder(tmp_path) as data:
            assert child.poll() is None  # it still runs
            assert data.jobs.is_dir()
    finally:
        child.communicate(b"")


def test_a_data_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match=r"cannot be written .*VT_DATA_DIR"):
        DataFolder(tmp_path / "file" / "data")


def test_a_lock_that_is_no_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(StorageError, match=r"cannot be written .*VT_DATA_DIR"):
        DataFolder(tmp_path)


def test_the_lock_is_one_that_other_programs_can_see(tmp_path: Path) -> None:
    with DataFolder(tmp_path), (tmp_path / "lock").open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


# A job's values


def test_a_new_job_waits_with_all_that_was_asked_for(store: Store) -> None:
    spec = JobSpec("a.mp4", "es", "en", "a.srt", 2, Wishes(voice="ef_dora"))
    job = store.create(new_id(), spec, MANY)
    assert job == store.get(job.id)
    assert job.request == spec
    assert (job.state, job.stage, job.fraction, job.error) == (JobState.QUEUED, None, 0.0, None)
    assert (job.version, job.edits, job.deaths, job.finished_pieces) == (0, NO_EDITS, 0, 0)
    assert job.created_at == job.updated_at == BIRTH


def test_a_job_as_json_has_the_keys_that_are_promised(store: Store, clock: Clock) -> None:
    job_id = queued(store)
    clock.pass_by(seconds=1.5)
    assert claimed(store).as_json() == {
        "id": job_id,
        "state": "running",
        "stage": None,
        "fraction": 0.0,
        "error": None,
        "created_at": "2026-01-01T12:00:00.123Z",
        "updated_at": "2026-01-01T12:00:01.623Z",
        "request": {
            "file": "мой фильм.mp4",
            "target_language": "es",
            "source_language": "auto",
            "subtitles": None,
            "audio_track": None,
            "options": {},
        },
    }


def test_times_of_any_zone_are_kept_as_utc_to_the_millisecond(store: Store, clock: Clock) -> None:
    clock.now = datetime.fromisoformat("2026-06-01T01:00:00.9999+02:00")
    assert store.get(queued(store)).as_json()["created_at"] == "2026-05-31T23:00:00.999Z"


@pytest.mark.parametrize("name", ["", "'; DROP TABLE jobs; --", "../../etc/passwd", "a\0b", "\udcff.mp4", "x" * 5000])
def test_any_name_of_a_film_is_kept_as_it_is(store: Store, name: str) -> None:
    assert store.get(queued(store, replace(SPEC, file=name))).request.file == name


def test_an_unknown_id_is_not_found_by_any_method(store: Store) -> None:
    for job_id in (new_id(), "", "'", "\0", "é" * 26):
        for step in (store.get, store.remove, store.finish, store.cancel, store.put_back):
            with pytest.raises(JobNotFound, match="no such job"):
                step(job_id)
        with pytest.raises(JobNotFound):
            store.edit(job_id, 0, NO_EDITS, MANY)
    assert issubclass(JobNotFound, InputError)


def test_no_error_tells_an_id(store: Store) -> None:
    job_id = queued(store)
    with pytest.raises(WrongState) as caught:
        store.finish(job_id)
    assert job_id not in str(caught.value)
    with pytest.raises(StorageError) as twice:
        store.create(job_id, SPEC, MANY)
    assert job_id not in str(twice.value)
    assert job_id not in str(twice.value.__cause__)


# The queue


def test_jobs_are_claimed_in_the_order_in_which_they_came(store: Store) -> None:
    ids = [queued(store) for _ in range(20)]
    assert [claimed(store).id for _ in ids] == ids
    assert store.claim() is None


def test_a_job_that_is_put_back_keeps_its_place(store: Store) -> None:
    first, second, third = (queued(store) for _ in range(3))
    assert claimed(store).id == first
    assert claimed(store).id == second
    store.put_back(second)
    store.put_back(first)
    assert [claimed(store).id for _ in range(3)] == [first, second, third]


def test_a_job_that_is_put_back_as_the_last_one_lets_others_go_first(store: Store) -> None:
    first, second = queued(store), queued(store)
    claimed(store)
    store.put_back(first, last=True)
    assert [claimed(store).id for _ in range(2)] == [second, first]


def test_no_more_jobs_wait_than_may(store: Store) -> None:
    for _ in range(3):
        store.create(new_id(), SPEC, 3)
    with pytest.raises(QueueFull, match="try again"):
        store.create(new_id(), SPEC, 3)
    assert store.counts()[JobState.QUEUED] == 3
    claimed(store)
    store.create(new_id(), SPEC, 3)


def test_an_edit_waits_in_the_same_bounded_queue(store: Store) -> None:
    job_id = in_state(store, JobState.DONE)
    waiting = queued(store)
    with pytest.raises(QueueFull):
        store.edit(job_id, 1, NO_EDITS, 1)
    assert store.get(job_id).state == JobState.DONE
    store.edit(job_id, 1, NO_EDITS, 2)
    assert [claimed(store).id for _ in range(2)] == [waiting, job_id]


def test_jobs_are_counted_by_state(store: Store) -> None:
    assert store.counts() == dict.fromkeys(JobState, 0)
    for state in reversed(JobState):  # those that wait come last, else they would be claimed
        in_state(store, state)
    assert store.counts() == dict.fromkeys(JobState, 1)


# What came twice


def test_what_is_sent_twice_under_one_key_is_known_for_a_day_and_for_its_sender_alone(
    store: Store, clock: Clock
) -> None:
    sent = Submission("order-1", "digest")
    assert store.submitted("ann", sent) is None
    job = store.create(new_id(), SPEC, MANY, Share("ann", MANY), submission=sent)
    assert store.submitted("ann", sent) == job
    assert store.submitted("ben", sent) is None
    assert store.submitted("ann", Submission("order-2", "digest")) is None
    assert store.submitted("ann", Submission("", "digest")) is None
    with pytest.raises(InputError, match="another request"):
        store.submitted("ann", Submission("order-1", "another"))
    clock.now += KEY_KEPT - timedelta(seconds=1)
    assert store.submitted("ann", sent) == job
    clock.now += timedelta(seconds=1)
    assert store.submitted("ann", sent) is None


def test_the_key_of_a_job_that_was_removed_is_free_again(store: Store) -> None:
    sent = Submission("order-1", "digest")
    store.cancel(store.create(new_id(), SPEC, MANY, submission=sent).id)
    job = store.submitted("", sent)
    assert job is not None
    store.remove(job.id)
    assert store.submitted("", sent) is None


# The queue, as it is told


def test_who_is_before_a_job_is_told_as_it_comes_to_pass(store: Store) -> None:
    ann = [from_visitor(store, replace(ANN, most=9)) for _ in range(3)]
    running = claimed(store).id
    ben, cem = [from_visitor(store, BEN) for _ in range(2)], from_visitor(store, CEM)
    waiting = (*ann[1:], *ben, cem)
    told = {job_id: [job.id for job in store.ahead(job_id)] for job_id in waiting}
    order = [running, *(claimed(store).id for _ in waiting)]
    assert told == {job_id: order[: order.index(job_id)] for job_id in waiting}


def test_the_pace_is_that_of_the_latest_first_runs(store: Store, clock: Clock) -> None:
    assert store.pace() is None
    for film, run in ((10.0, 40.0), (20.0, 20.0)):
        job_id = store.create(new_id(), SPEC, MANY, submission=Submission(seconds=film)).id
        claimed(store)
        clock.seconds += run
        assert store.finish(job_id).seconds == film
    assert store.pace() == pytest.approx(2.0)
    assert store.pace(1) == pytest.approx(1.0)
    store.edit(job_id, 1, NO_EDITS, MANY)
    claimed(store)
    clock.seconds += 500
    store.finish(job_id)
    assert store.pace() == pytest.approx(2.0), "a line that is done again says nothing of a whole film"
    clock.seconds += 7
    assert store.untouched_seconds([job_id, new_id()]) == {job_id: pytest.approx(7.0)}


# Links for others


def test_a_link_leads_to_its_job_until_it_is_taken_back(store: Store) -> None:
    job_id, other = queued(store), queued(store)
    assert store.link_of(job_id) == ""
    secret = store.link(job_id)
    assert store.link(job_id) == store.link_of(job_id) == secret != job_id
    assert store.linked(secret).id == job_id
    assert store.link(other) != secret
    store.unlink(job_id)
    for nowhere in (secret, ""):
        with pytest.raises(JobNotFound):
            store.linked(nowhere)
    assert store.link(job_id) != secret
    for act in (store.link, store.unlink, store.link_of):
        with pytest.raises(JobNotFound):
            act(new_id())


# Visitors

ANN, BEN, CEM = (Share(name, 3) for name in ("192.0.2.1", "192.0.2.2", "2001:db8::"))


def from_visitor(store: Store, share: Share) -> str:
    return store.create(new_id(), SPEC, MANY, share).id


def test_visitors_are_served_in_turn_however_many_jobs_one_of_them_sends(store: Store) -> None:
    ann = [from_visitor(store, replace(ANN, most=9)) for _ in range(4)]
    assert claimed(store).id == ann[0]
    ben, cem = [from_visitor(store, BEN) for _ in range(2)], from_visitor(store, CEM)
    assert [claimed(store).id for _ in range(6)] == [ann[1], ben[0], cem, ann[2], ben[1], ann[3]]


def test_a_visitor_who_comes_again_and_again_with_one_job_takes_no_others_turn(store: Store) -> None:
    ann = [from_visitor(store, replace(ANN, most=9)) for _ in range(3)]
    served = []
    for share in (BEN, CEM, BEN, CEM, BEN, CEM):
        from_visitor(store, share)
        job = claimed(store)
        served.append(job.id)
        store.finish(job.id)
        store.remove(job.id)  # a visitor who is forgotten is not served earlier for that
    assert [served.index(job_id) for job_id in ann] == sorted(served.index(job_id) for job_id in ann)
    assert served.index(ann[2]) <= 5


def test_one_visitor_has_only_so_many_jobs_at_a_time_and_the_others_theirs(store: Store) -> None:
    ids = [from_visitor(store, ANN) for _ in range(3)]
    claimed(store)
    with pytest.raises(TooManyJobs, match="3 are the most") as caught:
        from_visitor(store, ANN)
    assert caught.value.retry_after > 0
    from_visitor(store, BEN)
    for _ in range(9):
        queued(store)  # of nobody, and counted for nobody
    store.finish(ids[0])
    from_visitor(store, ANN)


def test_an_edit_counts_for_who_edits_and_waits_for_its_turn(store: Store) -> None:
    job_id = from_visitor(store, ANN)
    store.finish(claimed(store).id)
    for _ in range(3):
        from_visitor(store, BEN)
    with pytest.raises(TooManyJobs):
        store.edit(job_id, 1, NO_EDITS, MANY, BEN)
    assert store.get(job_id).state == JobState.DONE
    edited = store.edit(job_id, 1, NO_EDITS, MANY, CEM)
    assert edited.visitor == from_job_of(store, CEM).visitor
    assert [claimed(store).id for _ in range(2)][1] == job_id


def from_job_of(store: Store, share: Share) -> Job:
    return store.get(from_visitor(store, share))


def test_no_address_is_kept(store: Store, tmp_path: Path) -> None:
    job = from_job_of(store, ANN)
    assert job.visitor == from_job_of(store, ANN).visitor != from_job_of(store, BEN).visitor
    assert not any(ANN.visitor.encode() in path.read_bytes() for path in tmp_path.glob("vt.db*"))
    with closing(Store(tmp_path / "another.db")) as other:
        assert from_job_of(other, ANN).visitor != job.visitor
    assert "visitor" not in job.as_json()


def test_a_job_that_had_begun_when_the_server_ended_goes_on_before_all_others(store: Store) -> None:
    begun = from_visitor(store, ANN)
    claimed(store)
    waiting = [from_visitor(store, share) for share in (BEN, CEM, ANN)]
    store.put_back(begun)
    assert [claimed(store).id for _ in range(4)] == [begun, *waiting]
    store.put_back(waiting[0], last=True)
    late = from_visitor(store, CEM)
    assert [claimed(store).id for _ in range(2)] == [waiting[0], late]


@pytest.mark.soak
@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(st.integers(0, 4), st.sampled_from(["claim", "finish", "cancel", "later"])), max_size=60))
def test_nobody_waits_for_more_than_one_job_of_each_other_visitor_who_waits(acts: list[int | str]) -> None:
    """Whatever comes in whatever order: jobs of five visitors (numbers), and what becomes of them."""
    with TemporaryDirectory() as folder, closing(Store(Path(folder) / "vt.db")) as store:
        owners: dict[str, int] = {}
        running: list[str] = []

        def heads() -> set[int]:
            jobs = [job for job in store.page(MANY) if job.state == JobState.QUEUED]
            return {owners[job.id] for job in jobs}

        seen: dict[int, list[int]] = {}  # of each visitor who waits: who was served since they began to
        for act in acts:
            if isinstance(act, int):
                job_id = store.create(new_id(), SPEC, MANY, Share(f"visitor {act}", MANY)).id
                owners[job_id] = act
            elif act == "claim" and (job := store.claim()):
                running.append(job.id)
                seen.pop(owners[job.id], None)
                for others in seen.values():
                    others.append(owners[job.id])
                assert all(len(others) == len(set(others)) for others in seen.values()), seen
            elif act == "finish" and running:
                store.finish(running.pop())
            elif act == "later" and running:
                store.put_back(running.pop(), last=True)
            elif act == "cancel" and heads():
                store.cancel(next(job.id for job in store.page(MANY) if job.state == JobState.QUEUED))
            seen = {visitor: seen.get(visitor, []) for visitor in heads()}


# From state to state

STEPS: dict[str, tuple[set[JobState], Callable[[Store, str], object]]] = {
    "progress": ({JobState.RUNNING}, lambda store, job: store.progress(job, Stage.SPEAK, 0.5)),
    "finish": ({JobState.RUNNING}, lambda store, job: store.finish(job)),
    "fail": ({JobState.RUNNING}, lambda store, job: store.fail(job, "It broke.")),
    "put_back": ({JobState.RUNNING}, lambda store, job: store.put_back(job)),
    "died": ({JobState.RUNNING}, lambda store, job: store.died(job, 0)),
    "cancel": ({JobState.QUEUED, JobState.RUNNING}, lambda store, job: store.cancel(job)),
    "edit": ({JobState.DONE}, lambda store, job: store.edit(job, 1, NO_EDITS, MANY)),
    "remove": ({JobState.DONE, JobState.FAILED, JobState.CANCELLED}, lambda store, job: store.remove(job)),
}


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_taken_from_its_own_states_and_refused_in_all_others(
    store: Store, name: str, state: JobState
) -> None:
    allowed, step = STEPS[name]
    job_id = in_state(store, state)
    before = store.get(job_id)
    if state in allowed:
        step(store, job_id)
    else:
        with pytest.raises(WrongState, match=state.value) as caught:
            step(store, job_id)
        assert caught.value.state == state
        assert store.get(job_id) == before


def test_progress_is_kept_when_the_job_goes_back_and_when_it_ends(store: Store, clock: Clock) -> None:
    job_id = in_state(store, JobState.RUNNING)
    clock.pass_by(seconds=1)
    job = store.progress(job_id, Stage.SPEAK, 0.25)
    assert (job.stage, job.fraction, job.updated_at) == ("speak", 0.25, clock.now)
    assert store.put_back(job_id).fraction == 0.25
    claimed(store)
    failed = store.fail(job_id, "It broke.")
    assert (failed.stage, failed.fraction, failed.error) == ("speak", 0.25, "It broke.")


def test_a_sentence_that_is_no_unicode_can_be_said_all_the_same(store: Store) -> None:
    assert store.fail(in_state(store, JobState.RUNNING), "\udcff.mp4 broke.").error == "?.mp4 broke."


def test_a_failure_is_kept_with_the_values_of_its_sentence_until_the_job_runs_again(tmp_path: Path) -> None:
    why = Message(
        "{file} is \udcff after {seconds:.1f} s of {language}.", file="a.mp4", seconds=1.25, language=GALICIAN
    )
    with closing(Store(tmp_path / "vt.db")) as store:
        done = in_state(store, JobState.DONE)
        store.edit(done, 1, NO_EDITS, MANY)
        store.fail(claimed(store).id, why)
    with closing(Store(tmp_path / "vt.db")) as store:
        error = store.get(done).error
        assert error == "a.mp4 is ? after 1.2 s of Galician."
        assert (error.template, dict(error.values)) == (
            "{file} is ? after {seconds:.1f} s of {language}.",
            {"file": "a.mp4", "seconds": 1.25, "language": GALICIAN},
        )
        assert store.edit(done, 1, NO_EDITS, MANY).error is None


@pytest.mark.parametrize(
    "kept", ['{"sentence": "new"}', '{"template": "{a}", "values": {"b": 1}}', '["x"]', '"x"', "7", "{}"]
)
def test_a_failure_of_another_form_is_told_as_a_plain_sentence(tmp_path: Path, kept: str) -> None:
    with closing(Store(tmp_path / "vt.db")) as store:
        failed = in_state(store, JobState.FAILED)
        with closing(sqlite3.connect(tmp_path / "vt.db")) as database, database:
            database.execute("UPDATE jobs SET failure = ?", [kept])
        error = store.get(failed).error
        assert error is not None
        assert (str(error), error.template, dict(error.values)) == ("It broke.", "It broke.", {})


@pytest.mark.parametrize("value", [None, b"x", ValueError("x")])
def test_a_failure_with_a_value_of_an_unknown_type_is_kept_all_the_same(store: Store, value: Any) -> None:  # noqa: ANN401
    why = Message("It broke: {reason}.", reason=value)
    assert store.fail(in_state(store, JobState.RUNNING), why).error == f"It broke: {value}."


def test_a_failure_whose_value_cannot_be_kept_as_it_is_keeps_its_sentence(store: Store) -> None:
    why = Message("After {seconds:.1f} s.", seconds=Decimal("2.5"))  # type: ignore[arg-type]
    assert store.fail(in_state(store, JobState.RUNNING), why).error == "After 2.5 s."


def test_a_failure_of_before_the_values_were_kept_is_still_told(tmp_path: Path) -> None:
    older = MIGRATIONS[: [migration.__name__ for migration in MIGRATIONS].index("m005_failure")]
    Store(tmp_path / "vt.db", migrations=older).close()
    with closing(Store(tmp_path / "vt.db")) as store:
        failed = in_state(store, JobState.FAILED)
        with closing(sqlite3.connect(tmp_path / "vt.db")) as database, database:
            database.execute("UPDATE jobs SET failure = NULL")
        error = store.get(failed).error
        assert error is not None
        assert (str(error), error.template, dict(error.values)) == ("It broke.", "It broke.", {})


def test_an_edit_runs_the_job_again_and_keeps_what_was_edited(store: Store) -> None:
    job_id = in_state(store, JobState.DONE)
    assert (store.get(job_id).version, store.get(job_id).fraction) == (1, 1.0)
    edited = store.edit(job_id, 1, Edits({3: Edit("Hola")}), MANY)
    assert (edited.state, edited.stage, edited.fraction, edited.version) == (JobState.QUEUED, None, 0.0, 1)
    claimed(store)
    done = store.finish(job_id)
    assert (done.version, done.edits, done.mended) == (2, Edits({3: Edit("Hola")}), Edits({3: Edit("Hola")}))


@pytest.mark.parametrize("end", [lambda store, job: store.fail(job, "It broke."), lambda store, job: store.cancel(job)])
def test_results_hold_no_edits_of_a_run_that_came_to_nothing(store: Store, end: Callable[[Store, str], Job]) -> None:
    job_id = in_state(store, JobState.DONE)
    for version, edits in enumerate((Edits({0: Edit("Hola")}), Edits({0: Edit("Adiós")})), 1):
        store.edit(job_id, version, edits, MANY)
        claimed(store)
        if version == 1:
            store.finish(job_id)
    assert end(store, job_id).mended == Edits({0: Edit("Hola")})


def test_of_two_editors_the_second_is_told_to_look_again(store: Store) -> None:
    job_id = in_state(store, JobState.DONE)
    store.edit(job_id, 1, Edits({0: Edit("first")}), MANY)
    with pytest.raises(WrongState):
        store.edit(job_id, 1, Edits({0: Edit("second")}), MANY)
    claimed(store)
    store.finish(job_id)
    with pytest.raises(Outdated, match="load them again"):
        store.edit(job_id, 1, Edits({0: Edit("second")}), MANY)
    assert store.get(job_id).edits == Edits({0: Edit("first")})
    assert store.get(job_id).state == JobState.DONE


# Deaths


def test_three_deaths_in_a_row_without_a_new_piece_fail_the_job(store: Store) -> None:
    job_id = queued(store)
    states = []
    for _ in range(DEATHS):
        claimed(store)
        states.append(store.died(job_id, 7).state)
    assert states == [JobState.QUEUED, JobState.QUEUED, JobState.FAILED]
    assert "died 3 times in a row" in (store.get(job_id).error or "")


def test_a_new_finished_piece_starts_the_count_anew(store: Store) -> None:
    job_id = queued(store)
    for artifacts in (0, 0, 1, 1, 2, 3, 3):
        claimed(store)
        assert store.died(job_id, artifacts).state == JobState.QUEUED
    claimed(store)
    assert store.died(job_id, 3).state == JobState.FAILED


def test_a_clean_stop_never_counts_as_a_death(store: Store) -> None:
    job_id = queued(store)
    for _ in range(2 * DEATHS):
        claimed(store)
        store.put_back(job_id)
    assert store.get(job_id).deaths == 0
    claimed(store)
    assert store.died(job_id, 0).state == JobState.QUEUED


def test_deaths_before_a_run_that_succeeded_are_forgotten(store: Store) -> None:
    job_id = queued(store)
    for _ in range(DEATHS - 1):
        claimed(store)
        store.died(job_id, 9)
    claimed(store)
    store.finish(job_id)
    store.edit(job_id, 1, NO_EDITS, MANY)
    claimed(store)
    assert store.died(job_id, 0).state == JobState.QUEUED


def test_a_restart_puts_the_interrupted_back_in_their_old_order(tmp_path: Path, clock: Clock) -> None:
    with closing(Store(tmp_path / "vt.db", clock, elapsed=clock.elapsed)) as store:
        ids = [queued(store) for _ in range(4)]
        for _ in range(3):
            claimed(store)
        store.finish(ids[1])
    with closing(Store(tmp_path / "vt.db", clock, elapsed=clock.elapsed)) as store:
        left = store.recover({ids[0]: 5, ids[2]: 5}.__getitem__)
        assert [job.id for job in left] == [ids[0], ids[2]]
        assert {job.state for job in left} == {JobState.QUEUED}
        assert {(job.deaths, job.finished_pieces) for job in left} == {(1, 5)}
        assert [claimed(store).id for _ in range(3)] == [ids[0], ids[2], ids[3]]


def test_a_restart_after_a_clean_stop_finds_nothing_to_recover(store: Store) -> None:
    for state in (JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.QUEUED):
        in_state(store, state)
    assert store.recover(lambda _: 0) == []


# Lists


def test_pages_show_the_newest_first(store: Store, clock: Clock) -> None:
    ids = []
    for _ in range(7):
        ids.append(queued(store))
        clock.pass_by(seconds=1)
    pages = [store.page(3, offset) for offset in (0, 3, 6, 9)]
    assert [job.id for page in pages for job in page] == ids[::-1]
    assert [len(page) for page in pages] == [3, 3, 1, 0]


def test_only_jobs_that_are_over_expire_and_only_with_time(store: Store, clock: Clock) -> None:
    ids = {state: in_state(store, state) for state in reversed(JobState)}
    assert store.expired(timedelta()) == []
    clock.pass_by(hours=1)
    over = {ids[state] for state in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)}
    assert set(store.expired(timedelta(minutes=59))) == over
    assert store.expired(timedelta(minutes=61)) == []
    store.edit(ids[JobState.DONE], 1, NO_EDITS, MANY)
    assert set(store.expired(timedelta(days=-99))) == over - {ids[JobState.DONE]}


def test_a_removed_job_is_gone_from_everywhere(store: Store) -> None:
    gone, stays = in_state(store, JobState.DONE), in_state(store, JobState.DONE)
    store.remove(gone)
    with pytest.raises(JobNotFound):
        store.get(gone)
    assert store.versions() == {stays: 1}
    assert [job.id for job in store.page(9)] == [stays]
    assert store.expired(timedelta(days=-1)) == [stays]


def multiply(path: Path, times: int) -> None:
    """Copy the only job so many times, with ids and places of their own."""
    columns = "state, stage, fraction, error, created_ms, updated_ms, request, version, edits, deaths, finished_pieces"
    with closing(sqlite3.connect(path)) as database:
        rows = [(new_id(), place) for place in range(2, times + 2)]
        copy = f"INSERT INTO jobs (id, place, {columns}) SELECT ?, ?, {columns} FROM jobs WHERE place = 1"  # noqa: S608
        database.executemany(copy, rows)
        database.commit()


def test_a_thousand_finished_jobs_are_in_no_queries_way(tmp_path: Path, clock: Clock) -> None:
    with closing(Store(tmp_path / "vt.db", clock, elapsed=clock.elapsed)) as store:
        in_state(store, JobState.DONE)
    multiply(tmp_path / "vt.db", 999)
    with closing(Store(tmp_path / "vt.db", clock, elapsed=clock.elapsed)) as store:
        waiting = queued(store)
    with closing(Store(tmp_path / "vt.db", clock, elapsed=clock.elapsed)) as store:
        assert store.counts()[JobState.DONE] == 1000
        assert len(store.page(100, 950)) == 51
        assert len(store.versions()) == 1001
        assert claimed(store).id == waiting


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("SELECT id FROM jobs WHERE state = 'queued' ORDER BY begun DESC, turn, place LIMIT 1", "jobs_by_queue"),
        ("SELECT count(*) FROM jobs WHERE visitor = 'a' AND state NOT IN ('done')", "jobs_by_visitor"),
        ("SELECT count(*) FROM jobs WHERE state = 'queued'", "COVERING INDEX"),
        ("SELECT max(place) FROM jobs", "jobs_by_place"),
        ("SELECT id FROM jobs WHERE state IN ('done', 'failed') AND touched_ms < 5", "jobs_by_age"),
        ("SELECT * FROM jobs ORDER BY created_ms DESC, id DESC LIMIT 9", "jobs_by_birth"),
    ],
)
def test_every_query_finds_its_index(store: Store, tmp_path: Path, query: str, index: str) -> None:
    assert store.counts()
    with closing(sqlite3.connect(tmp_path / "vt.db")) as database:
        plan = " ".join(row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {query}"))
    assert index in plan
    assert "TEMP B-TREE" not in plan


# Threads and processes


def in_threads(count: int, work: Any) -> None:  # noqa: ANN401
    """Run `work(number)` in so many threads at once, and raise what one of them raised."""
    trouble: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 (raised below)
            trouble.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if trouble:
        raise trouble[0]


def test_a_job_that_is_still_at_work_elsewhere_is_passed_over(store: Store) -> None:
    first, second = queued(store), queued(store)
    besides = store.claim(besides=[first])
    assert besides is not None
    assert besides.id == second
    assert store.claim(besides=[first]) is None
    assert claimed(store).id == first


def test_no_job_is_ever_claimed_twice(store: Store) -> None:
    ids = {queued(store) for _ in range(60)}
    taken: list[str] = []

    def work(_: int) -> None:
        while job := store.claim():
            taken.append(job.id)

    in_threads(8, work)
    assert sorted(taken) == sorted(ids)


def test_many_threads_may_do_everything_at_once(store: Store) -> None:
    def work(_: int) -> None:
        for _ in range(5):
            job_id = queued(store)
            job = claimed(store)
            store.progress(job.id, Stage.SPEAK, 0.5)
            assert store.obstacle() is None
            store.finish(job.id)
            assert store.get(job_id).request == SPEC
            assert sum(store.counts().values()) <= 40

    in_threads(8, work)
    assert store.counts() == {**dict.fromkeys(JobState, 0), JobState.DONE: 40}


def test_the_queue_never_overflows_however_many_come_at_once(store: Store) -> None:
    refused: list[QueueFull] = []

    def work(_: int) -> None:
        for _ in range(5):
            try:
                store.create(new_id(), SPEC, 10)
            except QueueFull as error:
                refused.append(error)

    in_threads(8, work)
    assert (store.counts()[JobState.QUEUED], len(refused)) == (10, 30)


WORKER = """
import sys
from pathlib import Path
from vt.domain import JobSpec
from vt.jobs.store import Store, new_id

store = Store(Path(sys.argv[1]))
print("open", flush=True)
while True:
    job = store.create(new_id(), JobSpec("film.mp4", "es"), 10**6)
    print("queued", job.id, flush=True)
    job = store.claim()
    store.progress(job.id, Stage.SPEAK, 0.5)
    store.finish(job.id)
    print("done", job.id, flush=True)
"""


@pytest.mark.parametrize("seed", range(4))
def test_what_a_killed_server_has_said_holds_after_the_kill(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    with python(WORKER, tmp_path / "vt.db") as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(dice.randint(1, 40))]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
    said: dict[str, str] = {}
    for word, job_id in (line.split() for line in told[1:] if line.endswith("\n")):
        said[job_id] = word
    with closing(Store(tmp_path / "vt.db")) as store:
        store.recover(lambda _: 0)
        assert set(said) <= set(store.versions())
        assert len(store.versions()) <= len(said) + 1
        for job_id, word in said.items():
            if word == "done":
                assert store.get(job_id).state == JobState.DONE
        assert store.counts()[JobState.RUNNING] == 0


# Migrations

OLDEST = """
CREATE TABLE migrations (name TEXT PRIMARY KEY, at_ms INTEGER);
INSERT INTO migrations VALUES ('m001_jobs', 1767268800000);
CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    stage TEXT, fraction REAL NOT NULL, error TEXT, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
    request TEXT NOT NULL, version INTEGER NOT NULL, edits TEXT NOT NULL, deaths INTEGER NOT NULL,
    finished_pieces INTEGER NOT NULL, place INTEGER NOT NULL
);
CREATE INDEX jobs_by_queue ON jobs (state, place);
CREATE INDEX jobs_by_place ON jobs (place);
CREATE INDEX jobs_by_age ON jobs (state, updated_ms);
CREATE INDEX jobs_by_birth ON jobs (created_ms, id);
CREATE TABLE heartbeat (one INTEGER PRIMARY KEY CHECK (one = 1), at_ms INTEGER);
INSERT INTO heartbeat VALUES (1, 0);
INSERT INTO jobs VALUES ('aaaaaaaaaaaaaaaaaaaaaaaaaa', 'done', 'mux', 1.0, NULL, 1767268800123, 1767268801623,
    '{"file": "talk.mp4", "target_language": "es", "source_language": "auto", "subtitles": null, "audio_track": null,
      "options": {}}', 3, '{"0": {"text": "Hola"}}', 0, 0, 1);
INSERT INTO jobs VALUES ('bbbbbbbbbbbbbbbbbbbbbbbbbb', 'running', 'speak', 0.5, NULL, 1767268800124, 1767268801624,
    '{"file": "film.mp4", "target_language": "fr", "source_language": "en", "subtitles": "film.srt", "audio_track": 2,
      "options": {"burn": true, "voice": "ef_dora", "tts_engine": 7}}', 0, '{}', 1, 40, 2);
"""
"""What the first released schema left on a disk. It never changes, whatever becomes of the schema."""


def schema(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return each table's columns and each index's, whatever white space made them."""
    with closing(sqlite3.connect(path)) as database:
        names = database.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
        return {name: database.execute(f"PRAGMA {kind}_info({name})").fetchall() for kind, name in names}


def test_a_database_of_the_oldest_schema_is_brought_up_to_date_with_its_jobs(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db")) as database:
        database.executescript(OLDEST)
    with closing(Store(tmp_path / "old.db")) as store:
        done = store.get("a" * 26)
        assert (done.state, done.version, done.edits) == (JobState.DONE, 3, Edits({0: Edit("Hola")}))
        assert done.mended == done.edits
        assert done.request == JobSpec("talk.mp4", "es")
        assert done.as_json()["updated_at"] == "2026-01-01T12:00:01.623Z"
        (left,) = store.recover(lambda _: 40)
        assert (left.id, left.state, left.deaths) == ("b" * 26, JobState.QUEUED, 2)
        assert left.request == JobSpec("film.mp4", "fr", "en", "film.srt", 2, Wishes("ef_dora"))
    Store(tmp_path / "new.db").close()
    assert schema(tmp_path / "old.db") == schema(tmp_path / "new.db")


def test_each_migration_runs_once_in_a_databases_life(tmp_path: Path, clock: Clock) -> None:
    runs: list[str] = []

    def m900_colour(connection: Connection) -> None:
        runs.append("colour")
        connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'")

    Store(tmp_path / "vt.db", clock, elapsed=clock.elapsed).close()
    for _ in range(3):
        Store(tmp_path / "vt.db", clock, migrations=[*MIGRATIONS, m900_colour]).close()
    assert runs == ["colour"]
    with closing(sqlite3.connect(tmp_path / "vt.db")) as database:
        names = [name for (name,) in database.execute("SELECT name FROM migrations ORDER BY name")]
    assert names == [*(migration.__name__ for migration in MIGRATIONS), "m900_colour"]


def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    def m900_half(connection: Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN colour TEXT")
        connection.exec_driver_sql("ALTER TABLE nowhere ADD COLUMN colour TEXT")

    with closing(Store(tmp_path / "vt.db")) as store:
        job_id = queued(store)
    before = schema(tmp_path / "vt.db")
    with pytest.raises(StorageError, match="nowhere"):
        Store(tmp_path / "vt.db", migrations=[*MIGRATIONS, m900_half])
    assert schema(tmp_path / "vt.db") == before
    with closing(Store(tmp_path / "vt.db")) as store:
        assert set(store.versions()) == {job_id}


def test_a_database_newer_than_the_program_is_left_alone(tmp_path: Path) -> None:
    def m900_later(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE later (one INTEGER)")

    Store(tmp_path / "vt.db", migrations=[*MIGRATIONS, m900_later]).close()
    before = (tmp_path / "vt.db").read_bytes()
    with pytest.raises(StorageError, match=r"newer version of vt .*m900_later"):
        Store(tmp_path / "vt.db")
    assert (tmp_path / "vt.db").read_bytes() == before


def test_every_migration_has_a_name_of_its_own_and_a_line_on_what_it_does() -> None:
    names = [migration.__name__ for migration in MIGRATIONS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(rf"m{number:03}_[a-z_]+", name) for number, name in enumerate(names, 1))
    assert all(migration.__doc__ for migration in MIGRATIONS)


# What goes wrong


def test_a_file_that_is_no_database_is_named_and_kept(tmp_path: Path) -> None:
    (tmp_path / "vt.db").write_bytes(b"these are my holiday photos" * 1000)
    with pytest.raises(StorageError, match=r"database is damaged .*nothing was changed") as caught:
        Store(tmp_path / "vt.db")
    assert str(tmp_path) in caught.value.in_full
    assert (tmp_path / "vt.db").read_bytes() == b"these are my holiday photos" * 1000


def test_a_database_with_a_page_overwritten_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "vt.db"
    with closing(Store(path)) as store:
        for _ in range(50):
            queued(store)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StorageError, match="damaged"):
        Store(path)
    assert path.read_bytes() == bytes(content)


def test_a_database_that_a_kill_left_empty_is_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "vt.db").touch()
    with closing(Store(tmp_path / "vt.db")) as store:
        assert store.obstacle() is None


def test_a_database_in_no_folder_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be used"):
        Store(tmp_path / "nowhere" / "vt.db")


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the database like another program that writes to it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_database_that_another_program_holds_can_be_read_but_not_written(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "vt.db", patience=0.01)) as store:
        job_id = queued(store)
        with held(tmp_path / "vt.db"):
            assert store.get(job_id).state == JobState.QUEUED
            assert store.obstacle()
            with pytest.raises(StorageError, match="held by another program"):
                store.claim()
        assert store.obstacle() is None
        assert claimed(store).id == job_id


@contextmanager
def small_disk(pages: int) -> Iterator[None]:
    """Let no database that is opened meanwhile grow beyond so many pages: SQLite's own way to a full disk."""

    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(Pool, "connect", limit)
    try:
        yield
    finally:
        event.remove(Pool, "connect", limit)


def test_a_full_disk_is_told_in_a_sentence_and_takes_nothing_away(tmp_path: Path) -> None:
    with small_disk(pages=20), closing(Store(tmp_path / "vt.db")) as store:
        job_id = queued(store)
        with pytest.raises(StorageError, match=r"The disk of .* is full: free some space") as caught:
            store.create(new_id(), replace(SPEC, file="x" * 200_000), MANY)
        assert caught.value.__cause__ is not None
        assert "xxx" not in str(caught.value.__cause__)
        assert set(store.versions()) == {job_id}
        assert claimed(store).id == job_id


def test_health_is_told_that_a_store_cannot_be_written(store: Store, tmp_path: Path) -> None:
    assert store.obstacle() is None
    with closing(sqlite3.connect(tmp_path / "vt.db")) as other:
        other.execute("DROP TABLE heartbeat")
        other.commit()
    assert store.obstacle()


# Any order of steps


@settings(deadline=None, max_examples=25, stateful_step_count=40, suppress_health_check=list(HealthCheck))
class AnyOrder(RuleBasedStateMachine):
    """The store against a model of it: a dict of what each job must look like, and a list of who waits."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.clock = Clock()
        self.store = self.opened()
        self.states: dict[str, JobState] = {}
        self.versions: dict[str, int] = {}
        self.places: dict[str, int] = {}
        self.deaths: dict[str, tuple[int, int]] = {}
        self.next = 0

    def opened(self) -> Store:
        return Store(Path(self.folder.name) / "vt.db", self.clock, elapsed=self.clock.elapsed)

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def last(self) -> int:
        self.next += 1
        return self.next

    @rule()
    def create(self) -> None:
        job_id = queued(self.store)
        self.states[job_id], self.versions[job_id] = JobState.QUEUED, 0
        self.places[job_id], self.deaths[job_id] = self.last(), (0, 0)

    @rule()
    def claim(self) -> None:
        waiting = [job_id for job_id, state in self.states.items() if state == JobState.QUEUED]
        job = self.store.claim()
        assert (job.id if job else None) == min(waiting, key=self.places.__getitem__, default=None)
        if job:
            self.states[job.id] = JobState.RUNNING

    @precondition(lambda self: self.states)
    @rule(data=st.data(), step=st.sampled_from(["progress", "finish", "fail", "cancel", "back", "last", "edit"]))
    def step(self, data: st.DataObject, step: str) -> None:
        job_id = data.draw(st.sampled_from(list(self.states)))  # by age: ids are drawn by chance
        try:
            state = self.take(step, job_id)
        except WrongState as error:
            sources = {"cancel": (JobState.QUEUED, JobState.RUNNING), "edit": (JobState.DONE,)}
            assert self.states[job_id] == error.state
            assert error.state not in sources.get(step, (JobState.RUNNING,))
            return
        self.states[job_id] = state
        if step == "finish":
            self.versions[job_id] += 1
            self.deaths[job_id] = (0, 0)
        if step in ("edit", "last"):
            self.places[job_id] = self.last()

    def take(self, step: str, job_id: str) -> JobState:
        store = self.store
        steps = {
            "progress": lambda: store.progress(job_id, Stage.SPEAK, 0.5),
            "finish": lambda: store.finish(job_id),
            "fail": lambda: store.fail(job_id, "It broke."),
            "cancel": lambda: store.cancel(job_id),
            "back": lambda: store.put_back(job_id),
            "last": lambda: store.put_back(job_id, last=True),
            "edit": lambda: store.edit(job_id, self.versions[job_id], NO_EDITS, MANY),
        }
        targets = {
            "progress": JobState.RUNNING,
            "finish": JobState.DONE,
            "fail": JobState.FAILED,
            "cancel": JobState.CANCELLED,
        }
        steps[step]()
        return targets.get(step, JobState.QUEUED)

    @precondition(lambda self: self.states)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(list(self.states)))  # by age: ids are drawn by chance
        try:
            self.store.remove(job_id)
        except WrongState:
            assert not self.states[job_id].is_over
        else:
            assert self.states.pop(job_id).is_over

    @rule(artifacts=st.integers(0, 3))
    def die(self, artifacts: int) -> None:
        self.store.close()
        self.store = self.opened()
        running = {job_id for job_id, state in self.states.items() if state == JobState.RUNNING}
        for job in self.store.recover(lambda _: artifacts):
            running.remove(job.id)
            deaths, before = self.deaths[job.id]
            deaths = 1 if artifacts > before else deaths + 1
            self.deaths[job.id] = (deaths, artifacts)
            self.states[job.id] = JobState.FAILED if deaths >= DEATHS else JobState.QUEUED
        assert not running

    @rule(seconds=st.integers(0, 100))
    def wait(self, seconds: int) -> None:
        self.clock.pass_by(seconds=seconds)

    @invariant()
    def the_store_holds_what_the_model_holds(self) -> None:
        jobs = {job.id: job for job in self.store.page(MANY)}
        assert {job_id: job.state for job_id, job in jobs.items()} == self.states
        assert all(job.version == self.versions[job_id] for job_id, job in jobs.items())
        assert all((job.deaths, job.finished_pieces) == self.deaths[job_id] for job_id, job in jobs.items())
        assert all((job.error is not None) == (job.state == JobState.FAILED) for job in jobs.values())


TestAnyOrder = AnyOrder.TestCase


def test_every_error_of_the_store_is_a_sentence() -> None:
    for error in (JobNotFound(), WrongState(JobState.DONE), Outdated(), QueueFull()):
        assert isinstance(error, VtError)
        assert str(error).endswith(".")


def test_interrupted_jobs_go_on_in_their_old_order_whatever_was_served_since(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "vt.db")) as store:
        first = queued(store)
        store.claim()
        store.died(first, 0)
        store.claim()
        second = queued(store)
        store.claim()
        store.recover(lambda _: 1)
        assert [job.id for job in (store.claim(), store.claim()) if job] == [first, second]
