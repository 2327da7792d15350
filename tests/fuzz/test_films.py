"""Some damaged files in each run of the suite; ten thousand by hand: `python -m tests.fuzz --cases 10000`."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import mutations, run, seeds
from tests.fuzz.harness import Act, Bench, Case
from vt import media
from vt.errors import MediaError, ToolError

CASES = 5
SEED = 1811


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return seeds.make(tmp_path_factory.mktemp("seeds"))


def test_every_damaged_file_ends_in_a_documented_error_or_a_right_result() -> None:
    summary = run(CASES, seed=SEED, dubbed=0.1, tell=print)
    assert summary.failures == []
    assert summary.cases == CASES
    # Which of them are accepted hangs on the version of ffmpeg that makes them.
    assert {"inspected", "dubbed"} & set(summary.outcomes)
    assert {"MediaError", "SubtitleError"} & set(summary.outcomes)


ONCE_WRONG = [(33, 139, 0.15), (77, 78, 1.0), (77, 115, 1.0), (77, 83, 1.0), (33, 1035, 0.15)]
"""Seed, number and share: a sound of nothing, a track that nobody can copy, a film that ends before its sound."""


@pytest.mark.soak
def test_what_was_once_wrong_is_right(tmp_path: Path) -> None:
    with closing(Bench(tmp_path)) as bench:
        for seed, number, dubbed in ONCE_WRONG:
            assert bench.ended(bench.case(seed, number, dubbed))[1] == []


@pytest.mark.soak
def test_a_case_is_the_same_whenever_it_is_made(tmp_path: Path) -> None:
    with closing(Bench(tmp_path)) as bench:
        twice = [bench.case(7, 30, 1.0), bench.case(7, 30, 1.0)]
        assert twice[0] == twice[1]
        assert len({bench.case(7, number, 0.5).content for number in range(20)}) > 15


@pytest.mark.soak
def test_every_seed_is_a_film_as_it_comes(made: list[Path]) -> None:
    for path in made:
        assert media.probe(path).seconds == pytest.approx(1.5, abs=0.8), path.name


@pytest.mark.soak
def test_the_boxes_and_elements_of_files_are_seen(made: list[Path]) -> None:
    files = {path.name: path.read_bytes() for path in made}
    kinds = {piece.kind for piece in mutations.pieces(files["texts.mp4"])}
    assert {b"ftyp", b"moov", b"trak", b"stsd", b"stco", b"mdat"} <= kinds
    kinds = {piece.kind for piece in mutations.pieces(files["texts.mkv"])}
    assert {bytes.fromhex(kind) for kind in ("1a45dfa3", "18538067", "1549a966", "1654ae6b", "ae", "1f43b675")} <= kinds


def test_every_way_of_mutation_changes_a_film(made: list[Path]) -> None:
    contents = [path.read_bytes() for path in made]
    for name, way in mutations.WAYS.items():
        tried = [way(content, contents, Random(number)) for number, content in enumerate(contents)]
        assert sum(after != before for after, before in zip(tried, contents, strict=True)) > len(contents) / 2, name


def wrong(bench: Bench, act: Act) -> list[str]:
    """Return what a bench finds wrong with a case that does something of its own."""
    return bench.ended(Case(0, 0, "a.mp4", (), b"", None, is_dubbed=False), act)[1]


@pytest.mark.soak
def test_what_must_not_be_is_seen(tmp_path: Path) -> None:
    """Whoever looks for faults has to be shown some: the harness is tried with each kind of them."""
    with closing(Bench(tmp_path)) as bench:

        def raises(error: Exception) -> list[str]:
            def act(*_: object) -> str:
                raise error

            return wrong(bench, act)

        def leaves(*_: object) -> str:
            (tmp_path / "data" / "jobs" / "left").mkdir()
            return "inspected"

        def forks(*_: object) -> str:
            os.posix_spawn("/bin/sleep", ["sleep", "3"], {})
            return "inspected"

        assert raises(KeyError("x"))[0].startswith("KeyError")
        assert "no documented error" in raises(ToolError("It failed."))[0]
        assert "the sentence holds" in raises(MediaError(f"{tempfile.gettempdir()}/x is bad"))[0]
        assert wrong(bench, leaves) == ["left behind: ['jobs/left']"]
        assert wrong(bench, forks)[0].startswith("orphans")
        assert wrong(bench, lambda *_: "inspected")[0].startswith("orphans")
        os.wait()
        assert wrong(bench, lambda *_: "inspected") == []
