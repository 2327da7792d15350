"""Pieces of work: named by what made them, there whole or not at all, and made once."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vt.domain import Clip
from vt.dubbing.artifacts import Artifacts, count, fingerprint
from vt.errors import StorageError

ROOT = Path(__file__).parent.parent
MARK = fingerprint("a piece")
OTHER = fingerprint("another piece")

# Nothing here depends on how fast the machine is.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def once(value: Any) -> Callable[[], Any]:  # noqa: ANN401
    """Make a value, and object to making it again."""
    left = [value]
    return left.pop


def writes(content: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(content)

    return make


def never(path: Path) -> None:
    raise AssertionError(f"{path} was made again")


def python(script: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start a script of ours as a process of its own."""
    argv = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT)


# Fingerprints


def test_a_fingerprint_is_the_same_in_every_version_and_process() -> None:
    parts: tuple[Any, ...] = ("input", {"rate": 0.1, "text": "¿Qué?", "to": None}, [1, True])
    canonical = '["input",{"rate":0.1,"text":"\\u00bfQu\\u00e9?","to":null},[1,true]]'
    assert fingerprint(*parts) == hashlib.sha256(canonical.encode()).hexdigest()
    script = f"from vt.dubbing.artifacts import fingerprint\nprint(fingerprint(*{parts!r}), end='')"
    with python(script) as process:
        assert process.communicate()[0] == fingerprint(*parts)


def test_the_order_of_keys_does_not_matter() -> None:
    assert fingerprint({"a": 1, "b": {"c": 2, "d": 3}}) == fingerprint({"b": {"d": 3, "c": 2}, "a": 1})


@patient
@given(st.dictionaries(st.text(), values), st.randoms(use_true_random=False))
def test_no_order_of_keys_ever_matters(value: dict[str, Any], dice: random.Random) -> None:
    shuffled = list(value.items())
    dice.shuffle(shuffled)
    assert fingerprint(dict(shuffled)) == fingerprint(value)


@patient
@given(st.lists(values, max_size=3), st.lists(values, max_size=3))
def test_two_fingerprints_are_equal_exactly_where_the_parts_are(one: list[Any], two: list[Any]) -> None:
    def written(parts: list[Any]) -> str:
        return json.dumps(parts, sort_keys=True)

    assert (fingerprint(*one) == fingerprint(*two)) == (written(one) == written(two))


@patient
@given(values)
def test_what_comes_back_from_json_has_the_fingerprint_of_what_went_in(value: object) -> None:
    assert fingerprint(json.loads(json.dumps(value))) == fingerprint(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "two"),
    [(("ab", "c"), ("a", "bc")), (("a",), ("a", None)), ((1,), ("1",)), ((1,), (True,)), ((["a"],), ("a",))],
)
def test_different_parts_never_run_into_each_other(one: tuple[Any, ...], two: tuple[Any, ...]) -> None:
    assert fingerprint(*one) != fingerprint(*two)


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        fingerprint(float("nan"))


def test_text_that_is_no_unicode_has_a_fingerprint_too() -> None:
    assert fingerprint(os.fsdecode(b"film\xff.mp4")) != fingerprint("film.mp4")


# Values and sound


def test_a_piece_is_made_once_and_found_by_the_next_who_opens(tmp_path: Path) -> None:
    make = once({"words": [1, 2.5, "drei", None]})
    for _ in range(2):
        assert Artifacts(tmp_path).json("heard", MARK, make) == {"words": [1, 2.5, "drei", None]}


@patient
@given(values.filter(lambda value: value is not None))
def test_any_json_comes_back_as_it_was(value: object) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        Artifacts(Path(folder)).put_json("heard", MARK, value)  # type: ignore[arg-type]
        assert Artifacts(Path(folder)).get_json("heard", MARK) == value


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    artifacts.put_json("heard", MARK, 1)
    assert artifacts.get_json("heard", OTHER) is None
    assert artifacts.get_json("said", MARK) is None
    assert artifacts.get_clip("spoken", MARK) is None


def test_none_is_no_piece(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="None"):
        Artifacts(tmp_path).put_json("heard", MARK, None)


@pytest.mark.parametrize("samples", [[], [0], [1, -1, 32767, -32768]])
def test_a_clip_comes_back_with_its_samples_and_its_rate(tmp_path: Path, samples: list[int]) -> None:
    Artifacts(tmp_path).put_clip("spoken", MARK, Clip(np.array(samples, np.int16), 22050))
    clip = Artifacts(tmp_path).get_clip("spoken", MARK)
    assert clip is not None
    assert clip.sample_rate == 22050
    assert clip.samples.dtype == np.int16
    assert clip.samples.tolist() == samples


@pytest.mark.parametrize("kind", ["", "Heard", "../heard", "heard/x", "heard-x", "heard.x", "1"])
def test_a_kind_cannot_lead_out_of_the_folder(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ValueError, match="name"):
        Artifacts(tmp_path).put_json(kind, MARK, 1)


@pytest.mark.parametrize("mark", ["", "../x", MARK[:-1], MARK.upper(), MARK + "\n"])
def test_only_a_fingerprint_names_a_piece(tmp_path: Path, mark: str) -> None:
    with pytest.raises(ValueError, match="name"):
        Artifacts(tmp_path).get_json("heard", mark)


# Files


def test_a_file_is_made_once_and_found_by_the_next_who_opens(tmp_path: Path) -> None:
    path = Artifacts(tmp_path).file("speech", MARK, ".pcm", writes(b"sound"))
    assert path.parent == tmp_path
    assert path.suffix == ".pcm"
    assert path.read_bytes() == b"sound"
    assert Artifacts(tmp_path).file("speech", MARK, ".pcm", never) == path


def test_the_maker_of_a_file_may_leave_others_beside_it(tmp_path: Path) -> None:
    def make(path: Path) -> None:
        path.with_suffix(".log").write_text("said")
        path.write_text("made")

    path = Artifacts(tmp_path).file("speech", MARK, ".pcm", make)
    assert path.read_text() == "made"
    assert names(tmp_path) == [f"speech-{MARK}", f"speech-{MARK}.pcm"]


def test_a_maker_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def make(path: Path) -> None:
        path.write_text("half")
        raise LookupError("broken")

    artifacts = Artifacts(tmp_path)
    with pytest.raises(LookupError, match="broken"):
        artifacts.file("speech", MARK, ".pcm", make)
    assert names(tmp_path) == []


@pytest.mark.parametrize("suffix", ["", "pcm", "./pcm", ".a/b", ".."])
def test_a_suffix_cannot_lead_out_of_the_folder(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(ValueError, match="suffix"):
        Artifacts(tmp_path).file("speech", MARK, suffix, never)


def test_a_file_without_its_record_is_made_again(tmp_path: Path) -> None:
    Artifacts(tmp_path).file("speech", MARK, ".pcm", writes(b"old"))
    (tmp_path / f"speech-{MARK}").unlink()
    assert Artifacts(tmp_path).file("speech", MARK, ".pcm", writes(b"new")).read_bytes() == b"new"


def test_a_record_without_its_file_is_made_again(tmp_path: Path) -> None:
    Artifacts(tmp_path).file("speech", MARK, ".pcm", writes(b"old")).unlink()
    assert Artifacts(tmp_path).file("speech", MARK, ".pcm", writes(b"new")).read_bytes() == b"new"


# Damage


def damages() -> list[Callable[[Path], None]]:
    def truncated(path: Path) -> None:
        os.truncate(path, path.stat().st_size - 1)

    def emptied(path: Path) -> None:
        os.truncate(path, 0)

    def changed(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)

    def longer(path: Path) -> None:
        path.write_bytes(path.read_bytes() + b"\0")

    return [truncated, emptied, changed, longer]


@pytest.mark.parametrize("damage", damages(), ids=lambda damage: damage.__name__)
def test_a_damaged_value_is_made_again(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    Artifacts(tmp_path).put_json("heard", MARK, [1, 2])
    damage(tmp_path / f"heard-{MARK}")
    assert Artifacts(tmp_path).get_json("heard", MARK) is None
    assert Artifacts(tmp_path).json("heard", MARK, once([3])) == [3]
    assert Artifacts(tmp_path).get_json("heard", MARK) == [3]


@pytest.mark.parametrize("damage", damages(), ids=lambda damage: damage.__name__)
def test_a_damaged_clip_is_not_there(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    Artifacts(tmp_path).put_clip("spoken", MARK, Clip(np.arange(100, dtype=np.int16), 16000))
    damage(tmp_path / f"spoken-{MARK}")
    assert Artifacts(tmp_path).get_clip("spoken", MARK) is None


@pytest.mark.parametrize("damage", damages(), ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("suffix", ["", ".pcm"])
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: Callable[[Path], None], suffix: str) -> None:
    Artifacts(tmp_path).file("speech", MARK, ".pcm", writes(b"old"))
    damage(tmp_path / f"speech-{MARK}{suffix}")
    assert Artifacts(tmp_path).file("speech", MARK, ".pcm", writes(b"new")).read_bytes() == b"new"
    assert Artifacts(tmp_path).file("speech", MARK, ".pcm", never).read_bytes() == b"new"


def test_what_a_killed_writer_left_half_made_is_swept_by_the_next(tmp_path: Path) -> None:
    Artifacts(tmp_path).put_json("heard", MARK, 1)
    (tmp_path / ".new-abc").mkdir()
    (tmp_path / ".new-abc" / "piece").write_text("half")
    (tmp_path / ".new-def").write_text("half")
    Artifacts(tmp_path)
    assert names(tmp_path) == [f"heard-{MARK}"]


KILLED = """
import sys
from pathlib import Path
import numpy as np
from vt.dubbing.artifacts import Artifacts, fingerprint
from vt.domain import Clip

artifacts = Artifacts(Path(sys.argv[1]))
print("open", flush=True)
for number in range(100000):
    name = fingerprint(number)
    artifacts.put_json("heard", name, [number] * 20000)
    artifacts.put_clip("spoken", name, Clip(np.full(50000, number % 1000, np.int16), 16000))
    artifacts.file("speech", name, ".pcm", lambda path: path.write_bytes(bytes([number % 256]) * 50000))
    print(number, flush=True)
"""


@pytest.mark.parametrize("seed", range(6))
def test_a_piece_is_whole_or_not_there_after_a_kill_at_any_moment(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    with python(KILLED, tmp_path) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(dice.randint(1, 8))]
        for _ in range(dice.randint(0, 20000)):  # into the middle of a piece, without looking at a clock
            pass
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
    finished = len(told) - 1  # the first line says that it is open
    artifacts = Artifacts(tmp_path)
    assert not [name for name in names(tmp_path) if name.startswith(".")]
    assert 3 * finished <= count(tmp_path) <= 3 * finished + 3
    for number in range(finished + 1):
        value = artifacts.get_json("heard", fingerprint(number))
        clip = artifacts.get_clip("spoken", fingerprint(number))
        assert value in ([[number] * 20000] if number < finished else [None, [number] * 20000])
        assert clip is None or (len(clip.samples) == 50000 and set(clip.samples.tolist()) == {number})
        assert clip is not None or number == finished
        make = never if number < finished else writes(bytes([number]) * 50000)
        path = artifacts.file("speech", fingerprint(number), ".pcm", make)
        assert path.read_bytes() == bytes([number]) * 50000


# A full disk

LIMITED = """
import resource, sys
from pathlib import Path
from vt.dubbing.artifacts import Artifacts, fingerprint
from vt.errors import StorageError

artifacts = Artifacts(Path(sys.argv[1]))
artifacts.put_json("heard", fingerprint("small"), 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    artifacts.put_json("heard", fingerprint("small"), "x" * 2000)
except StorageError as error:
    print(error, end="")
"""


def test_a_piece_that_does_not_fit_is_an_error_and_what_was_there_stays(tmp_path: Path) -> None:
    with python(LIMITED, tmp_path) as process:
        said = process.communicate()[0]
    assert "cannot be kept (File too large)" in said
    assert str(tmp_path) not in said
    assert names(tmp_path) == [f"heard-{fingerprint('small')}"]
    assert Artifacts(tmp_path).get_json("heard", fingerprint("small")) == 1


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_maker_that_fills_the_disk_is_told_in_a_sentence(tmp_path: Path, code: int) -> None:
    def make(path: Path) -> None:
        path.write_text("half")
        raise OSError(code, os.strerror(code))

    artifacts = Artifacts(tmp_path)
    artifacts.put_json("heard", MARK, 1)
    with pytest.raises(StorageError, match="The disk is full") as caught:
        artifacts.file("speech", MARK, ".pcm", make)
    assert isinstance(caught.value.__cause__, OSError)
    assert names(tmp_path) == [f"heard-{MARK}"]


def test_another_error_of_the_maker_is_its_own(tmp_path: Path) -> None:
    def make(_: Path) -> None:
        (tmp_path / "no such film").read_bytes()

    with pytest.raises(FileNotFoundError, match="no such film"):
        Artifacts(tmp_path).file("speech", MARK, ".pcm", make)


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot be kept") as caught:
        Artifacts(tmp_path / "file" / "pieces")
    assert str(tmp_path) not in str(caught.value)


def test_a_folder_that_was_removed_under_the_writer_is_a_storage_error(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "pieces")
    (tmp_path / "pieces").rmdir()
    with pytest.raises(StorageError, match="cannot be kept"):
        artifacts.put_json("heard", MARK, 1)


# Counting, adopting, pruning


def test_every_kind_of_piece_counts_once_and_half_made_ones_do_not(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    assert count(tmp_path) == 0
    artifacts.put_json("heard", MARK, 1)
    artifacts.put_json("heard", MARK, 2)
    artifacts.put_clip("spoken", MARK, Clip(np.zeros(3, np.int16), 16000))
    artifacts.file("speech", MARK, ".pcm", writes(b"x"))
    (tmp_path / ".new-abc").mkdir()
    (tmp_path / f"speech-{OTHER}.pcm").write_text("without its record")
    assert count(tmp_path) == 3


def test_a_folder_that_is_not_there_holds_no_pieces(tmp_path: Path) -> None:
    assert count(tmp_path / "nowhere") == 0
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_cannot_be_read_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="Not a directory"):
        count(tmp_path / "file")


def test_pieces_that_nobody_asked_for_are_pruned(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    for mark in (MARK, OTHER):
        artifacts.put_json("heard", mark, 1)
        artifacts.file("speech", mark, ".pcm", writes(b"x"))
    again = Artifacts(tmp_path)
    again.get_json("heard", MARK)
    again.file("speech", OTHER, ".pcm", never)
    (tmp_path / "stranger").write_text("x")
    again.prune()
    assert names(tmp_path) == sorted([f"heard-{MARK}", f"speech-{OTHER}", f"speech-{OTHER}.pcm", "stranger"])


def test_of_spared_kinds_those_that_were_used_last_stay_within_their_room(tmp_path: Path) -> None:
    marks = [fingerprint(number) for number in range(4)]
    artifacts = Artifacts(tmp_path)
    for age, mark in enumerate(marks):
        artifacts.put_json("take", mark, "x" * 5000)
        artifacts.put_json("sound", mark, 1)
        os.utime(tmp_path / f"take-{mark}", (1000 - age, 1000 - age))
    used = Artifacts(tmp_path)
    used.get_json("take", marks[3])
    used.prune(("take",), 11_000)
    assert names(tmp_path) == sorted(f"take-{marks[place]}" for place in (0, 1, 3))
    Artifacts(tmp_path).prune(("take",), 6000)
    assert names(tmp_path) == [f"take-{marks[3]}"]


def test_what_was_made_in_this_run_is_not_pruned(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    artifacts.put_json("heard", MARK, 1)
    artifacts.prune()
    assert artifacts.get_json("heard", MARK) == 1


def test_adopted_pieces_are_not_made_again_and_outlive_the_other_folder(tmp_path: Path) -> None:
    other, mine = Artifacts(tmp_path / "other"), Artifacts(tmp_path / "mine")
    other.put_json("heard", MARK, [1])
    other.file("speech", MARK, ".pcm", writes(b"sound"))
    mine.adopt(tmp_path / "other")
    Artifacts(tmp_path / "other").prune()
    assert names(tmp_path / "other") == []
    assert mine.get_json("heard", MARK) == [1]
    assert mine.file("speech", MARK, ".pcm", never).read_bytes() == b"sound"


def test_adopting_takes_no_space_and_no_half_made_piece(tmp_path: Path) -> None:
    Artifacts(tmp_path / "other").put_json("heard", MARK, [1])
    (tmp_path / "other" / ".new-abc").mkdir()
    Artifacts(tmp_path / "mine").adopt(tmp_path / "other")
    assert names(tmp_path / "mine") == [f"heard-{MARK}"]
    assert (tmp_path / "mine" / f"heard-{MARK}").samefile(tmp_path / "other" / f"heard-{MARK}")


def test_a_piece_of_ones_own_is_not_replaced_by_an_adopted_one(tmp_path: Path) -> None:
    Artifacts(tmp_path / "other").put_json("heard", MARK, "theirs")
    mine = Artifacts(tmp_path / "mine")
    mine.put_json("heard", MARK, "mine")
    mine.adopt(tmp_path / "other")
    assert mine.get_json("heard", MARK) == "mine"


def test_a_new_value_for_an_adopted_piece_leaves_the_others_alone(tmp_path: Path) -> None:
    Artifacts(tmp_path / "other").put_json("heard", MARK, "theirs")
    mine = Artifacts(tmp_path / "mine")
    mine.adopt(tmp_path / "other")
    mine.put_json("heard", MARK, "mine")
    assert Artifacts(tmp_path / "other").get_json("heard", MARK) == "theirs"


def test_adopting_from_a_folder_that_is_gone_takes_nothing(tmp_path: Path) -> None:
    Artifacts(tmp_path / "mine").adopt(tmp_path / "gone")
    assert names(tmp_path / "mine") == []


@pytest.mark.skipif(
    not Path("/dev/shm").is_dir() or Path("/dev/shm").stat().st_dev == Path("/tmp").stat().st_dev,  # noqa: S108
    reason="needs a second disk",
)
def test_pieces_from_another_disk_are_copied(tmp_path: Path) -> None:
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        Artifacts(Path(folder)).put_json("heard", MARK, [1])
        mine = Artifacts(tmp_path / "mine")
        mine.adopt(Path(folder))
        assert mine.get_json("heard", MARK) == [1]
        assert names(tmp_path / "mine") == [f"heard-{MARK}"]


# Which film it is


def test_a_film_is_known_by_its_content_wherever_it_lies(tmp_path: Path) -> None:
    for name, content in [("a", b"film"), ("b", b"film"), ("c", b"filn")]:
        (tmp_path / name).write_bytes(content)
    artifacts = Artifacts(tmp_path / "pieces")
    assert artifacts.identity(tmp_path / "a") == hashlib.sha256(b"film").hexdigest()
    assert artifacts.identity(tmp_path / "a") == artifacts.identity(tmp_path / "b")
    assert artifacts.identity(tmp_path / "a") != artifacts.identity(tmp_path / "c")


def test_a_film_is_read_through_once_for_all_its_links(tmp_path: Path) -> None:
    film = tmp_path / "film"
    film.write_bytes(b"film")
    known = Artifacts(tmp_path / "one").identity(film)
    stamp = film.stat().st_mtime_ns
    film.write_bytes(b"milf")  # nobody does this to an upload: it shows here that the content is not looked at again
    os.utime(film, ns=(stamp, stamp))
    (tmp_path / "link").hardlink_to(film)
    other = Artifacts(tmp_path / "two")
    other.adopt(tmp_path / "one")
    assert other.identity(tmp_path / "link") == known


def test_a_film_that_was_changed_is_another_one(tmp_path: Path) -> None:
    film = tmp_path / "film"
    film.write_bytes(b"film")
    artifacts = Artifacts(tmp_path / "pieces")
    before = artifacts.identity(film)
    film.write_bytes(b"another film")
    assert artifacts.identity(film) == hashlib.sha256(b"another film").hexdigest() != before


def test_a_film_that_is_gone_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file"):
        Artifacts(tmp_path / "pieces").identity(tmp_path / "gone")


# Without lasting


def test_pieces_that_need_not_last_are_found_all_the_same(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "pieces", lasting=False)
    assert artifacts.json("heard", MARK, once([1])) == [1]
    assert artifacts.json("heard", MARK, once([2])) == [1]
    assert artifacts.file("speech", MARK, ".pcm", writes(b"x")) == artifacts.file("speech", MARK, ".pcm", never)


def test_a_film_whose_pieces_need_not_last_is_not_read_through(tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"film")
    (tmp_path / "copy").write_bytes(b"film")
    artifacts = Artifacts(tmp_path / "pieces", lasting=False)
    assert artifacts.identity(tmp_path / "film") == artifacts.identity(tmp_path / "film")
    assert artifacts.identity(tmp_path / "film") != artifacts.identity(tmp_path / "copy")
    assert names(tmp_path / "pieces") == []
