"""What several places do with a disk: a full one is told from a broken one, and a second name costs no space."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from vt.errors import StorageError
from vt.system import disk


@pytest.mark.parametrize(("number", "full"), [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EIO, False)])
def test_a_full_disk_is_told_from_one_that_fails(number: int, full: bool) -> None:
    error = OSError(number, os.strerror(number))
    assert disk.is_full(error) is full
    with pytest.raises(StorageError if full else OSError), disk.translated():
        raise error
    with (
        pytest.raises(StorageError, match="is full" if full else "It broke"),
        disk.translated(lambda _: StorageError("It broke.")),
    ):
        raise error


def test_a_second_name_takes_no_space(tmp_path: Path) -> None:
    (tmp_path / "film").write_text("film")
    disk.link_or_copy(tmp_path / "film", tmp_path / "second")
    assert (tmp_path / "second").samefile(tmp_path / "film")


def test_where_no_link_can_be_made_the_file_is_copied_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "film").write_text("film")
    (tmp_path / "taken").write_text("older")  # a link cannot replace a file
    disk.link_or_copy(tmp_path / "film", tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "film"
    assert not (tmp_path / "taken").samefile(tmp_path / "film")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film", "taken"]


def test_what_is_not_there_gets_no_second_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        disk.link_or_copy(tmp_path / "film", tmp_path / "second")
    assert not list(tmp_path.iterdir())
