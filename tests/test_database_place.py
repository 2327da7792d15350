"""The jobs' database: in the data folder; beside it where that is a bucket; and no job is lost with it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT, SAMPLE
from tests.servers import Server, running, wait_for
from tests.test_recovery import Life, shown
from vt.cli import doctor
from vt.domain import JobState
from vt.errors import StorageError
from vt.factory import AIServiceFactory
from vt.jobs import database_place, recovery
from vt.jobs.executors.local import LocalExecutor
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
    kept, bucket, machine = (tmp_path / name for name in ("kept", "bucket", "machine"))
    captions = "1\n00:00:01,000 --> 00:00:04,000\nGood evening, and welcome.\n"
    order = {"target_language": "es", "source_language": "en"}

    def sent(server: Server) -> str:
        files = {"file": ("a.mp4", SAMPLE.read_bytes()), "subtitles": ("a.srt", captions.encode())}
        answer = server.ask("POST", "/api/v1/jobs", files=files, data=order)
        assert answer.status_code == 202, answer.text
        job: str = answer.json()["id"]
        return job

    def start(place: Path) -> AbstractContextManager[Server]:
        place.mkdir()
        return running(place, VT_DATA_DIR=str(bucket / "data"), TMPDIR=str(place))

    with mounted(kept, bucket), start(machine) as server:
        done = sent(server)
        assert server.ended(done)["state"] == "done"
        film = server.ask("GET", f"/api/v1/jobs/{done}/video").content
        assert not list(bucket.glob("data/*.db"))
        assert list(machine.glob("vt-database-*/*.db"))
        under_way = sent(server)
        server.process.kill()
    shutil.rmtree(machine)
    with mounted(kept, bucket), start(machine) as server:
        assert server.ended(under_way)["state"] == "done"
        assert server.ask("GET", f"/api/v1/jobs/{done}").json()["state"] == "done"
        assert server.ask("GET", f"/api/v1/jobs/{done}/video").content == film
