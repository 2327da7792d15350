"""The jobs' database: in the data folder; beside it where that is a bucket; and no job is lost with it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import ROOT, SAMPLE
from tests.servers import Server, running, wait_for
from tests.test_recovery import EDITS, Life, Times, shown
from vt.cli import doctor
from vt.domain import JobState
from vt.errors import InputError, JobNotFound, StorageError
from vt.factory import AIServiceFactory
from vt.jobs import database_place, recovery
from vt.jobs.executors.local import LocalExecutor
from vt.jobs.folder_notes import FolderNotes
from vt.jobs.store import DataFolder, Store, Submission, new_id
from vt.services import JobBackend
from vt.settings import Settings
from vt.system import disk


@dataclass(frozen=True)
class Mount:
    """As psutil lists one."""

    mountpoint: str
    fstype: str


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder on a mounted bucket; the folder for temporary files is another one."""
    folder = tmp_path / "bucket"
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: [Mount("/", "ext4"), Mount(str(folder), "fuse.hf")])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return folder / "data"


def settings(data: Path, database: Path | None = None) -> Settings:
    return Settings(data_dir=data, database_dir=database, engines="embedded")


@pytest.mark.parametrize(
    ("mounts", "is_there"),
    [
        ([("/", "ext4")], False),
        ([("/", "overlay"), ("/a", "fuse.gcsfuse")], True),
        ([("/", "overlay"), ("/a/b", "fuse")], True),
        ([("/", "overlay"), ("/a/b/cd", "fuse.s3fs")], False),
        ([("/a", "fuse.s3fs"), ("/a/b", "ext4"), ("/", "ext4")], False),
        ([("/", "ext4"), ("/a", "ext4"), ("/a", "fuse.s3fs")], True),
        ([("/", "fuse.fuse-overlayfs")], False),
        ([("/", "ext4"), ("/a", "fuseblk")], False),
        ([], False),
    ],
)
def test_a_file_system_of_a_program_is_known_by_the_mount_that_a_path_is_seen_through(
    mounts: list[tuple[str, str]], is_there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: [Mount(*one) for one in mounts])
    assert disk.is_of_a_program(Path("/a/b/c")) is is_there


def test_the_database_is_in_the_data_folder_or_where_it_is_wanted_for_each_data_folder_another(tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    assert database_place.database(settings(data)) == data / "vt.db"
    wanted = {database_place.database(settings(one, elsewhere)) for one in (data, tmp_path / "other")}
    assert len(wanted) == 2
    assert {place.parent for place in wanted} == {elsewhere}


def test_where_the_data_folder_is_a_bucket_the_database_is_in_a_private_folder_of_the_machine(bucket: Path) -> None:
    known = settings(bucket)
    place = database_place.database(known)
    assert not place.is_relative_to(bucket)
    database_place.prepare(place, known)
    database_place.prepare(place, known)
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    assert place.parent.parent == Path(tempfile.gettempdir())


def test_a_folder_that_somebody_else_has_put_there_is_not_taken(bucket: Path, tmp_path: Path) -> None:
    known = settings(bucket)
    place = database_place.database(known)
    place.parent.parent.mkdir()
    place.parent.symlink_to(tmp_path)
    with pytest.raises(StorageError, match="belongs to somebody else: name another one in VT_DATABASE_DIR"):
        database_place.prepare(place, known)
    place.parent.unlink()
    place.parent.touch()
    with pytest.raises(StorageError, match="cannot be made"):
        database_place.prepare(place, known)


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.DONE, JobState.FAILED, JobState.CANCELLED])
def test_a_machine_that_is_lost_with_its_database_costs_no_job(bucket: Path, state: JobState) -> None:
    known = settings(bucket)
    place = database_place.database(known)
    database_place.prepare(place, known)
    with closing(Life(bucket, database=place)) as before:
        job = before.store.get(before.in_state(state))
    assert not list(bucket.glob("*.db*"))
    shutil.rmtree(place.parent)
    database_place.prepare(place, known)
    with closing(Life(bucket, database=place)) as after:
        assert shown(after.store.get(job.id)) == shown(job)


@dataclass(frozen=True)
class Machines:
    """Machines that use one bucket in turn, each with a disk of its own."""

    bucket: Path
    disks: Path

    def database(self, name: str) -> Path:
        (self.disks / name).mkdir(parents=True, exist_ok=True)
        return self.disks / name / "jobs.db"

    def runs(self, name: str, times: Times | None = None) -> closing[Life]:
        return closing(Life(self.bucket, times, self.database(name)))


@pytest.fixture
def machines(tmp_path: Path) -> Machines:
    return Machines(tmp_path / "data", tmp_path / "disks")


def test_a_database_that_is_older_than_the_bucket_is_not_believed(machines: Machines) -> None:
    with machines.runs("a") as life:
        queued, removed = life.submitted(), life.in_state(JobState.CANCELLED)
    with machines.runs("b") as life:
        life.finishes(queued)
        life.worker.remove(removed)
        newer = life.done()
    with machines.runs("a") as life:
        assert {job.id: job.state for job in life.store.page(9)} == dict.fromkeys((queued, newer), JobState.DONE)
        edited = life.worker.edit(newer, 1, EDITS)
    with closing(sqlite3.connect(f"{machines.database('a')}.outdated")) as outdated:
        assert outdated.execute("SELECT state FROM jobs WHERE id = ?", (queued,)).fetchone() == ("queued",)
    with machines.runs("b") as life:
        assert shown(life.store.get(newer)) == shown(edited)


def test_a_database_that_nobody_else_has_followed_is_kept(machines: Machines) -> None:
    with machines.runs("a") as life:
        life.in_state(JobState.RUNNING)
    with machines.runs("a") as life:
        (job,) = life.store.page(9)
        assert (job.state, job.deaths) == (JobState.QUEUED, 1)
    assert [path.name for path in machines.database("a").parent.iterdir()] == ["jobs.db"]


def test_a_database_in_the_folder_goes_where_the_folder_goes_and_needs_no_word(tmp_path: Path) -> None:
    with closing(Life(tmp_path / "one")) as life:
        life.in_state(JobState.RUNNING)
    assert not (tmp_path / "one" / "database-word").exists()
    shutil.copytree(tmp_path / "one", tmp_path / "other")
    with closing(Life(tmp_path / "other")) as life:
        assert [job.deaths for job in life.store.page(9)] == [1]


def test_a_database_in_the_folder_is_not_believed_where_one_apart_came_after_it(machines: Machines) -> None:
    with closing(Life(machines.bucket)) as life:
        job_id = life.submitted()
    with machines.runs("a") as life:
        life.finishes(job_id)
    with closing(Life(machines.bucket)) as life:
        assert life.store.get(job_id).state is JobState.DONE
        life.worker.edit(job_id, 1, EDITS)
    with closing(Life(machines.bucket)) as life:
        assert life.store.get(job_id).state is JobState.QUEUED
    with machines.runs("a") as life:
        assert life.store.get(job_id).state is JobState.QUEUED
    assert len(recovery.repair(machines.bucket).restored) == 1


class Died(BaseException):
    """The machine's end."""


@pytest.mark.parametrize(
    "place",
    [
        (Path, "replace", 1),
        (recovery, "_put_outdated_aside", 1),
        (recovery, "_go_on", 1),
        (FolderNotes, "name_owner", 1),
        (Store, "go_on", 1),
        (recovery, "_restored", 1),
        (recovery, "_restored", 2),
        (Store, "settle", 1),
    ],
    ids=str,
)
@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize("goes_on", ["a", "b"])
def test_a_death_while_an_outdated_database_is_made_anew_costs_nothing(
    machines: Machines, place: tuple[Any, str, int], is_before: bool, goes_on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with machines.runs("a") as life:
        life.done()
        queued = life.submitted()
    with machines.runs("b") as life:
        life.finishes(queued)
        life.in_state(JobState.FAILED)
        life.worker.edit(queued, 1, EDITS)
        jobs = {job.id: shown(job) for job in life.store.page(9)}
    whole, count = getattr(*place[:2]), 0

    def dies(*arguments: Any) -> Any:  # noqa: ANN401 (of any of these)
        nonlocal count
        count += 1
        result = None if is_before and count == place[2] else whole(*arguments)
        if count == place[2]:
            raise Died
        return result

    with monkeypatch.context() as patch:
        patch.setattr(*place[:2], dies)
        life = Life.__new__(Life)
        with pytest.raises(Died):
            life.__init__(machines.bucket, None, machines.database("a"))  # type: ignore[misc]
        life.data.close()
    with machines.runs(goes_on) as life:
        assert {job.id: shown(job) for job in life.store.page(9)} == jobs


def test_a_word_that_cannot_be_kept_is_an_error(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(FolderNotes, "name_owner", fails)
    refused = pytest.raises(StorageError, match=r"cannot be written \(Input/output error\)")
    with DataFolder(machines.bucket, machines.database("a")) as data, refused:
        recovery.open_store(data)


@pytest.mark.parametrize("damage", [b"", b"\xff\x00", b"x" * 32])
def test_a_word_that_is_damaged_is_nobodys(machines: Machines, damage: bytes) -> None:
    with machines.runs("a") as life:
        job_id = life.submitted()
    with machines.runs("b") as life:
        life.finishes(job_id)
    (machines.bucket / "database-word").write_bytes(damage)
    for name in "ab":
        with machines.runs(name) as life:
            assert life.store.get(job_id).state is JobState.DONE


def test_keys_limits_links_and_ages_go_on_with_a_new_database(machines: Machines) -> None:
    times = Times()
    with machines.runs("a", times) as life:
        job_id = life.submitted("192.0.2.1", Submission("my key", "digest", 60.0, "ana"))
        life.finishes(job_id)
        link = life.worker.link(job_id)
        others = life.worker.link(life.done())
        life.worker.unlink(life.store.linked(others).id)
        times.pass_by(20)
    shutil.rmtree(machines.disks)
    with machines.runs("b", times) as life:
        known = life.store.submitted("192.0.2.1", Submission("my key", "digest", 60.0))
        assert known is not None
        assert (known.id, known.seconds) == (job_id, 60.0)
        assert life.store.submitted("192.0.2.2", Submission("my key", "digest")) is None
        with pytest.raises(InputError, match="another request"):
            life.store.submitted("192.0.2.1", Submission("my key", "other"))
        assert life.store.of_visitor("192.0.2.1") == [job_id]
        assert life.store.of_person("ana") == [job_id]
        assert life.store.of_person("") == life.store.of_person("ben") == []
        assert life.store.linked(link).id == job_id
        with pytest.raises(JobNotFound):
            life.store.linked(others)
        assert life.store.untouched_seconds([job_id]) == {job_id: 20 * 3600}
        times.pass_by(51)
        life.worker.expire()
        assert life.store.get(job_id)
        times.pass_by(2)
        life.worker.expire()
        assert not life.store.page(9)


def test_nothing_in_the_bucket_tells_a_visitor_a_person_or_a_key(machines: Machines) -> None:
    with machines.runs("a") as life:
        life.submitted("192.0.2.1", Submission("my key", "digest", person="the key of ana"))
    for file in machines.bucket.rglob("*"):
        content = file.read_bytes() if file.is_file() else b""
        assert b"192.0.2.1" not in content
        assert b"my key" not in content
        assert b"the key of ana" not in content


def test_a_record_of_an_earlier_version_is_read_and_its_job_is_as_old_as_the_database(machines: Machines) -> None:
    new = {"seconds", "deaths", "finished_pieces", "submission", "digest", "link", "touched_ms", "ran_ms", "person"}
    times = Times()
    with machines.runs("a", times) as life:
        job_id = life.done()
        times.pass_by(70)
        file = life.data.folder(job_id).record
        kept = json.loads(file.read_text())
        assert new < set(kept)
        file.write_text(json.dumps({name: value for name, value in kept.items() if name not in new}))
    with machines.runs("b", times) as life:
        assert life.store.get(job_id).state is JobState.DONE
        assert life.store.untouched_seconds([job_id]) == {job_id: 0.0}


def test_of_two_folders_with_one_link_it_leads_to_one_and_both_jobs_are_there(machines: Machines) -> None:
    with machines.runs("a") as life:
        job_id = life.done()
        link = life.worker.link(job_id)
        shutil.copytree(life.data.job(job_id), life.data.job(new_id()))
    with machines.runs("b") as life:
        assert len(life.store.page(9)) == 2
        assert life.store.linked(link)


def test_server_doctor_and_repair_agree_on_where_it_is(bucket: Path) -> None:
    known = settings(bucket)
    place = database_place.database(known)
    with closing(AIServiceFactory(known)) as factory:
        JobBackend(known, factory, LocalExecutor(factory)).close()
    assert place.is_file()
    assert not list((bucket / "jobs").iterdir())
    told = next(one.told for one in doctor.examine(known, obstacle=lambda: None) if one.name == "jobs")
    assert told == f"kept in {bucket}, their database in {place.parent}"
    assert recovery.repair(bucket, database=place).told == [
        "No job was missing in the database.",
        "Jobs that it knew already: 0.",
    ]


@contextmanager
def mounted(kept: Path, place: Path) -> Iterator[None]:
    """Mount a bucket that keeps only what was closed; at the end of the block its machine dies."""
    for folder in (kept, place):
        folder.mkdir(exist_ok=True)
    with subprocess.Popen([sys.executable, "-m", "tests.forgetful", str(kept), str(place)], cwd=ROOT) as serving:
        try:
            wait_for(lambda: os.path.ismount(place) or serving.poll() is not None)
            assert serving.poll() is None
            yield
        finally:
            serving.kill()
            subprocess.run(["umount", "-l", str(place)], check=False)


@pytest.mark.soak
def test_on_a_slow_bucket_that_forgets_what_was_not_closed_no_job_is_lost_with_the_machine(tmp_path: Path) -> None:
    pytest.importorskip("mfusepy")
    if not Path("/dev/fuse").exists() or os.getuid():
        pytest.skip("to mount takes root, and FUSE")
    kept, bucket, machine, other = (tmp_path / name for name in ("kept", "bucket", "machine", "other"))
    captions = "1\n00:00:01,000 --> 00:00:04,000\nGood evening, and welcome.\n"
    order = {"target_language": "es", "source_language": "en"}

    def sent(server: Server, key: str = "") -> str:
        files = {"file": ("a.mp4", SAMPLE.read_bytes()), "subtitles": ("a.srt", captions.encode())}
        headers = {"Idempotency-Key": key} if key else {}
        answer = server.ask("POST", "/api/v1/jobs", files=files, data=order, headers=headers)
        assert answer.status_code == 202, answer.text
        job: str = answer.json()["id"]
        return job

    def start(place: Path) -> AbstractContextManager[Server]:
        place.mkdir(exist_ok=True)
        return running(place, VT_DATA_DIR=str(bucket / "data"), TMPDIR=str(place))

    with mounted(kept, bucket), start(machine) as server:
        done = sent(server)
        assert server.ended(done)["state"] == "done"
        film = server.ask("GET", f"/api/v1/jobs/{done}/video").content
        assert not list(bucket.glob("data/*.db"))
        assert list(machine.glob("vt-database-*/*.db"))
        under_way = sent(server, "once")
        server.process.kill()
    with mounted(kept, bucket), start(other) as server:
        assert server.ended(under_way)["state"] == "done"
        record = bucket / "data" / "jobs" / under_way / "job.json"
        wait_for(lambda: '"state": "done"' in record.read_text())  # a moment later: else it would be done once more
        server.process.kill()
    with mounted(kept, bucket), start(machine) as server:
        assert server.json("GET", f"/api/v1/jobs/{under_way}")["state"] == "done"
        assert sent(server, "once") == under_way
        assert server.ask("GET", f"/api/v1/jobs/{done}").json()["state"] == "done"
        assert server.ask("GET", f"/api/v1/jobs/{done}/video").content == film
