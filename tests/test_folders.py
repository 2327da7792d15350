"""Work folders that leave nothing behind, whatever ends the work, and files that appear whole."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vt.errors import InputError, StorageError
from vt.system.folders import deliver, unwritable, work_folder

ROOT = Path(__file__).parent.parent
HOLDER = """
import signal, sys
from pathlib import Path
from vt.system.folders import work_folder
signal.signal(signal.SIGINT, signal.default_int_handler)  # which whoever runs the tests may have ignored
with work_folder(Path(sys.argv[1])) as folder:
    (folder / "half.mp4").write_bytes(b"x" * 1000)
    print(folder, flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(parent: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Run another process that holds a work folder in `parent` until its stdin ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(parent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# The end of the work


def test_a_work_folder_is_a_folder_in_its_parent_that_takes_files(tmp_path: Path) -> None:
    with work_folder(tmp_path) as folder:
        assert folder.parent == tmp_path
        (folder / "piece").write_text("of work")
        assert (folder / "piece").read_text() == "of work"


def test_a_work_folder_is_gone_after_success_with_all_that_it_holds(tmp_path: Path) -> None:
    with work_folder(tmp_path) as folder:
        (folder / "deep" / "er").mkdir(parents=True)
        (folder / "deep" / "er" / "file").write_text("x")
    assert names(tmp_path) == set()


@pytest.mark.parametrize("reason", [ValueError("bad"), KeyboardInterrupt(), OSError(errno.EIO, "broken")])
def test_a_work_folder_is_gone_after_an_exception_which_goes_on(tmp_path: Path, reason: BaseException) -> None:
    with pytest.raises(type(reason)) as caught, work_folder(tmp_path) as folder:
        (folder / "half").write_text("x")
        raise reason
    assert caught.value is reason
    assert names(tmp_path) == set()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_a_storage_error_that_names_the_folder(tmp_path: Path, code: int) -> None:
    with pytest.raises(StorageError, match="is full") as caught, work_folder(tmp_path):
        raise OSError(code, os.strerror(code))
    assert str(tmp_path) in str(caught.value)
    assert names(tmp_path) == set()


def test_a_write_to_a_full_device_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError), work_folder(tmp_path), Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"x")


def test_a_parent_that_was_there_stays_with_what_it_held(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with work_folder(tmp_path):
        pass
    assert names(tmp_path) == {"mine"}


def test_an_empty_parent_that_was_there_stays(tmp_path: Path) -> None:
    parent = tmp_path / "out"
    parent.mkdir()
    with pytest.raises(ValueError, match="bad"), work_folder(parent):
        raise ValueError("bad")
    assert parent.is_dir()


def test_parents_that_were_made_are_removed_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bad"), work_folder(tmp_path / "a" / "b" / "c"):
        assert (tmp_path / "a" / "b" / "c").is_dir()
        raise ValueError("bad")
    assert names(tmp_path) == set()


def test_parents_that_were_made_stay_when_they_hold_results(tmp_path: Path) -> None:
    parent = tmp_path / "a" / "b"
    with work_folder(parent) as folder:
        (folder / "result").write_text("x")
        deliver([folder / "result"], parent)
    assert names(parent) == {"result"}


def test_a_made_parent_stays_when_somebody_else_put_a_file_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bad"), work_folder(tmp_path / "a" / "b"):
        (tmp_path / "a" / "theirs").write_text("x")
        raise ValueError("bad")
    assert names(tmp_path) == {"a"}
    assert names(tmp_path / "a") == {"theirs"}


def test_a_relative_parent_is_taken_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with work_folder(Path("out/deep")) as folder:
        (folder / "file").write_text("x")
        assert (tmp_path / "out" / "deep").is_dir()
    assert names(tmp_path) == set()


# Other processes


def test_the_orphan_of_a_killed_process_is_swept_by_the_next(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, orphan):
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (orphan / "half.mp4").exists()
    with work_folder(tmp_path) as folder:
        assert names(tmp_path) == {folder.name}
    assert names(tmp_path) == set()


def test_what_a_killed_sweeper_left_of_an_orphan_is_swept_too(tmp_path: Path) -> None:
    (tmp_path / ".vt-work-abc").mkdir()
    (tmp_path / ".vt-work-abc" / "half.mp4").write_text("x")
    with work_folder(tmp_path) as folder:
        assert names(tmp_path) == {folder.name}


def test_the_folder_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, theirs):
        with work_folder(tmp_path):
            assert (theirs / "half.mp4").exists()
        assert (theirs / "half.mp4").exists()
        process.communicate()
        assert process.returncode == 0
        assert not theirs.exists()


def test_a_process_that_is_told_to_stop_removes_its_folder(tmp_path: Path) -> None:
    with holder(tmp_path / "made") as (process, theirs):
        assert theirs.exists()
        process.send_signal(signal.SIGINT)
        process.wait()
    assert names(tmp_path) == set()


def test_two_work_folders_of_one_process_do_not_meet(tmp_path: Path) -> None:
    with work_folder(tmp_path) as first:
        (first / "file").write_text("first")
        with work_folder(tmp_path) as second:
            assert first != second
        assert (first / "file").read_text() == "first"


def test_many_work_folders_at_once_in_one_parent_never_sweep_each_other(tmp_path: Path) -> None:
    trouble: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(40):
                with work_folder(tmp_path / "out") as folder:
                    (folder / "file").write_text("x")
                    assert (folder / "file").read_text() == "x"
        except BaseException as error:  # noqa: BLE001 (reported by the test)
            trouble.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == []
    # Who finds a parent that another has made leaves it to that one, who may have ended before.
    assert [path for path in tmp_path.rglob("*") if path.name != "out"] == []


def test_a_parent_that_goes_while_it_is_looked_at_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, is_dir = tmp_path / "out", Path.is_dir
    there.mkdir()

    def gone_at_once(path: Path) -> bool:
        if path == there and is_dir(path):
            monkeypatch.setattr(Path, "is_dir", is_dir)
            there.rmdir()
        return is_dir(path)

    monkeypatch.setattr(Path, "is_dir", gone_at_once)
    with work_folder(there) as folder:
        assert folder.parent == there


def test_other_files_with_a_name_like_ours_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".vt-work-notes.txt").write_text("mine")
    with work_folder(tmp_path):
        pass
    assert names(tmp_path) == {".vt-work-notes.txt"}


def test_a_child_that_outlives_its_parent_does_not_hold_the_folder(tmp_path: Path) -> None:
    """A lock would be inherited by programs that are started meanwhile, were it not closed for them."""
    with work_folder(tmp_path) as folder:
        child = subprocess.Popen(["sleep", "30"])
        assert not any(fd.readlink() == folder / "lock" for fd in _open_files(child.pid))
    child.kill()
    child.wait()


def _open_files(pid: int) -> list[Path]:
    return [fd for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink()]


# Folders that cannot be written


@pytest.mark.parametrize(
    "parent", ["file", "file/below", "/proc", "/proc/none/below", "/dev/null", "dangling", "n" * 300, "a/" + "n" * 300]
)
def test_a_parent_that_cannot_be_written_is_an_input_error_that_names_it(tmp_path: Path, parent: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    wanted = r"cannot be written .* choose another one\.$"
    with pytest.raises(InputError, match=wanted) as caught, work_folder(tmp_path / parent):
        pytest.fail("there is no folder to work in")
    assert str(tmp_path / parent) in str(caught.value)
    assert names(tmp_path) == {"file", "dangling"}
    assert (tmp_path / "file").read_text() == "mine"


def test_a_full_disk_is_told_apart_from_a_folder_that_is_not_ours() -> None:
    assert isinstance(unwritable(Path("x"), OSError(errno.ENOSPC, "full")), StorageError)
    assert isinstance(unwritable(Path("x"), OSError(errno.EACCES, "denied")), InputError)


# Delivery


def test_delivered_files_replace_their_namesakes_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "film.mp4").write_text("old")
    (target / "other.mp4").write_text("other")
    (tmp_path / "film.mp4").write_text("new")
    assert deliver([tmp_path / "film.mp4"], target) == [target / "film.mp4"]
    assert (target / "film.mp4").read_text() == "new"
    assert (target / "other.mp4").read_text() == "other"
    assert not (tmp_path / "film.mp4").exists()


def test_files_are_delivered_in_their_order(tmp_path: Path) -> None:
    with work_folder(tmp_path) as folder:
        files = [folder / name for name in ("b", "a", "c")]
        for file in files:
            file.write_text(file.name)
        assert deliver(files, tmp_path) == [tmp_path / name for name in ("b", "a", "c")]
    assert names(tmp_path) == {"a", "b", "c"}


def test_a_reader_of_the_old_file_keeps_what_it_reads(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "film").write_text("old")
    (tmp_path / "film").write_text("new")
    with (tmp_path / "out" / "film").open() as reader:
        deliver([tmp_path / "film"], tmp_path / "out")
        assert reader.read() == "old"


def test_a_link_is_replaced_and_what_it_points_at_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("old")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "film").symlink_to(tmp_path / "precious")
    (tmp_path / "film").write_text("new")
    deliver([tmp_path / "film"], tmp_path / "out")
    assert (tmp_path / "precious").read_text() == "old"
    assert (tmp_path / "out" / "film").read_text() == "new"


def test_a_folder_in_the_place_of_a_result_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "out" / "film").mkdir(parents=True)
    (tmp_path / "film").write_text("new")
    with pytest.raises(InputError, match="film"):
        deliver([tmp_path / "film"], tmp_path / "out")
