"""Results of benchmarks: what they reach, how they are kept and shown, and what counts as changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import compare, fits, run
from benchmarks.results import KEPT, Result, Verdict, leave_out, shown
from benchmarks.run import Benchmark, Outcome
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("values", "more", "verdict"),
    [
        ((1.0,), False, Verdict.GOAL),
        ((1.5,), False, Verdict.FLOOR),
        ((1.9, 2.1, 9.0), False, Verdict.MISSED),
        ((2.5,), True, Verdict.GOAL),
        ((1.5,), True, Verdict.MISSED),
    ],
)
def test_the_median_reaches_the_goal_the_floor_or_neither(
    values: tuple[float, ...], more: bool, verdict: Verdict
) -> None:
    bounds = (2.0, 2.5) if more else (2.0, 1.0)
    assert Result("seconds", values, "s", *bounds, more=more).verdict == verdict


def test_a_figure_without_a_floor_and_a_goal_reaches_nothing() -> None:
    assert Result("seconds", (1.0,)).verdict == Verdict.NONE
    assert Result("seconds", (1.0,), goal=0.5).verdict == Verdict.MISSED


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234.5, "1,234"),
        (12.34, "12.3"),
        (1.234, "1.23"),
        (0.0123, "0.0123"),
        (0.0, "0"),
        (-2.5, "-2.5"),
        (-1e-6, "0"),
        (3, "3"),
    ],
)
def test_a_figure_has_as_many_places_as_say_something(value: float, text: str) -> None:
    assert shown(value) == text


def test_what_misses_a_bound_by_little_does_not_look_as_if_it_reached_it() -> None:
    assert Result("ratio", (0.99953,), floor=0.95, goal=1, more=True).figure == "0.99953"
    assert Result("ratio", (1.00047,), floor=0.95, goal=1, more=True).figure == "1"


def test_what_is_kept_is_read_again() -> None:
    one = Result("seconds", (1.0, 2.0), "s", 3.0, 2.0, more=True)
    none = Result("left open", (0.0,), floor=0)
    for result in (one, none):
        assert Result.read(json.loads(json.dumps(result.kept()))) == result
    assert none.kept() == {"name": "left open", "values": (0.0,), "floor": 0}
    outcome = Outcome("store", "More jobs", "command", 2.0, 0.3, "", ("a peer: why",), (one,))
    assert Outcome.read(json.loads(json.dumps(outcome.kept()))) == outcome
    assert outcome.is_loaded


def test_why_something_was_left_out_is_kept_without_whose_home_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEPT, str(tmp_path / "kept"))
    leave_out(f"other: {Path.home()}/.cache/other.wav is not there")
    (line,) = (tmp_path / "kept").read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == {"left_out": "other: ~/.cache/other.wav is not there"}


def test_a_page_shows_what_was_measured_what_failed_and_what_the_machine_did_besides() -> None:
    good = Result("seconds", (1.0, 1.5, 2.0), "s", 2.0, 1.0)
    bad = Result("ratio", (9.0,), "", 2.0)
    kept: dict[str, Any] = {"began": "today", "minutes": 3.0, "quick": False, "machine": {"memory": "8 GiB"}}
    kept["benchmarks"] = [
        Outcome("store", "More jobs", "python -m one", 90.0, 0.0, "", (), (good,), "today, commit 1").kept(),
        Outcome(
            "page", "The page", "python -m two", 2.0, 0.4, "It ended with exit code 1.", ("safari",), (bad,)
        ).kept(),
    ]
    page = run.page(kept)
    assert "| seconds | 1.5 s | 1 to 2 in 3 | floor at most 2, goal at most 1 | floor |" in page
    told = "0 reach all that is wanted. 1 hold their floor and miss their goal: seconds (store). "
    assert f"Of 2 figures that have a floor or a goal, {told}1 miss their floor: ratio (page)." in page
    assert "today, commit 1, 1.5 minutes." in page
    assert "**Beside other work, which took 40% of the processors.**" in page
    assert "**It ended with exit code 1.**" in page
    assert "- Not run: safari" in page
    assert page.index("`python -m one`") < page.index("`python -m two`")


@pytest.mark.soak
def test_a_benchmark_runs_in_a_process_of_its_own_and_its_results_are_kept() -> None:
    outcome = run.run(Benchmark("store", "More jobs", ("--jobs", "1")), quick=False)
    assert outcome.failed == ""
    assert {"get, with 1 jobs", "start, with 1 jobs"} <= {one.name for one in outcome.results}
    assert outcome.command == ".venv/bin/python -m benchmarks.store --jobs 1"


def test_a_benchmark_that_fails_or_takes_too_long_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "busy", lambda: 0.0)  # or seconds go by in which the machine is watched
    assert run.run(Benchmark("store", "More jobs", ("--nonsense",)), quick=False).failed == "It ended with exit code 2."
    assert "stopped" in run.run(Benchmark("store", "More jobs", minutes=0.001), quick=False).failed


def test_every_benchmark_is_there_and_what_is_quick_is_chosen() -> None:
    assert all((ROOT / "benchmarks" / f"{one.module}.py").is_file() for one in run.BENCHMARKS)
    assert len({one.title for one in run.BENCHMARKS}) == len(run.BENCHMARKS)
    quick, usual, every = (
        run.chosen(None, quick=True),
        run.chosen(None, quick=False),
        run.chosen(None, quick=False, long=True),
    )
    assert 0 < len(quick) < len(usual) < len(every) == len(run.BENCHMARKS)
    assert all(not one.is_long for one in usual)
    assert [one.module for one in run.chosen(["ray"], quick=False)] == ["ray"]
    assert [one.module for one in run.chosen(["store"], quick=False)] == ["store"]


def kept_in(file: Path, **results: Result) -> Path:
    outcome = Outcome("store", "More jobs", "command", 1.0, 0.0, "", (), tuple(results.values()))
    file.write_text(json.dumps({"benchmarks": [outcome.kept()]}), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("old", "new", "more", "told"),
    [
        ((1.0, 1.1), (2.0, 2.1), False, "worse"),
        ((1.0, 1.1), (2.0, 2.1), True, "better"),
        ((1.0, 2.0), (1.9, 2.1), False, ""),  # the values lie among each other
        ((1.0, 1.001), (1.01, 1.011), False, ""),  # apart, and too little to count
        ((1.0,), (1.05,), False, ""),  # measured once: the noise is not known
        ((1.0,), (1.2,), False, "worse"),
        ((0.0,), (2.0,), False, "worse"),
        ((-1.0,), (9.0,), False, "worse"),
        ((9.0,), (-1.0,), False, "better"),
        ((-48.0,), (-34.0,), False, "worse"),
    ],
)
def test_only_what_changed_by_more_than_the_noise_is_a_change(
    old: tuple[float, ...], new: tuple[float, ...], more: bool, told: str, tmp_path: Path
) -> None:
    files = [
        kept_in(tmp_path / f"{name}.json", one=Result("one", values, more=more))
        for name, values in (("old", old), ("new", new))
    ]
    argv = [str(ROOT / "benchmarks" / "compare"), *map(str, files)]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ended.stderr == ""
    assert ended.stdout.startswith(told or "0 of 1 figures changed")
    assert ended.returncode == (told == "worse")


def test_what_is_new_or_gone_is_told_and_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    old = compare.read(kept_in(tmp_path / "old.json", one=Result("one", (1.0,))))
    assert list(old) == ["More jobs: one"]
    (tmp_path / "other.json").write_text("[]", encoding="utf-8")
    argv = [sys.executable, "-m", "benchmarks.compare", str(tmp_path / "old.json"), str(tmp_path / "other.json")]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    assert ended.returncode == 1
    assert "is no results.json of benchmarks/run" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_exponent_says_how_something_grows() -> None:
    assert fits.exponent([1, 10, 100], [2.0, 20.0, 200.0]) == 1
    assert fits.exponent([1, 10, 100], [5.0, 5.0, 5.0]) == 0
    assert fits.exponent([1, 2, 4], [1.0, 4.0, 16.0]) == 2


def test_the_readme_says_where_a_figure_misses_what_is_wanted() -> None:
    (title, name), text = next(iter(run.SHOWN.items()))
    outcome = Outcome("one", title, "command", 1.0, 0.0, results=(Result(name, (0.9,), floor=1, goal=2, more=True),))
    said = run.readme({"benchmarks": [outcome.kept()]})
    assert said == f"- {text.format('0.9')} (missed: at least 1, goal at least 2)"


def test_what_a_reader_has_to_know_stands_below_the_command() -> None:
    noted = next(one for one in run.BENCHMARKS if one.note)
    outcome = Outcome(noted.module, noted.title, noted.command(), 1.0, 0.0)
    kept = {"began": "today", "minutes": 1.0, "quick": False, "machine": {}, "benchmarks": [outcome.kept()]}
    assert f"`{noted.command()}`\n\n{noted.note}\n" in run.page(kept)


def test_each_figure_of_the_readme_is_one_that_a_benchmark_gives() -> None:
    # That the README has this list is held by the test of all that is generated.
    kept = json.loads(run.KEPT_AS.read_text(encoding="utf-8"))
    assert len(run.readme(kept).splitlines()) == len(run.SHOWN)
