"""vt beside programs of others: what is told of commands that work, fail or hang."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import peers
from benchmarks.peers import Way, in_turns
from benchmarks.programs import Program, ProgramError, run

HANGS = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import signal; signal.pause()'])"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_command_that_works_is_measured_with_its_memory(tmp_path: Path) -> None:
    cost = run(python("print(sum(range(100_000)))"), tmp_path, 60)
    assert 0 < cost.seconds < 60
    assert cost.peak_bytes > 0


def test_a_command_that_fails_is_told_by_the_last_line_it_printed(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"^No matching distribution$"):
        run(python("import sys; print('much', flush=True); sys.exit('No matching distribution\\n\\n')"), tmp_path, 60)


def test_a_command_that_hangs_with_a_child_is_ended_at_its_limit(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="it was ended after"):
        run(python(HANGS), tmp_path, 0.2)


def test_programs_see_nothing_of_the_path_on_which_vt_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run(python("import os, sys; sys.exit('PYTHONPATH' in os.environ)"), tmp_path, 60)


def test_a_program_that_fails_is_left_out_and_the_others_run_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    works, fails = Way("works", python("pass")), Way("fails", python("import sys; sys.exit('no voice')"))
    assert in_turns([works, fails], tmp_path, 2) == [works]
    assert len(works.costs) == 2
    assert "Not run: fails: no voice" in capsys.readouterr().out


def test_environments_lie_in_the_cache_by_name_and_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Program("dub", "1.0").folder == tmp_path / "vt-benchmarks" / "peers" / "dub-1.0"


def test_what_is_said_is_read_from_captions_without_their_times(tmp_path: Path) -> None:
    captions = tmp_path / "talk.srt"
    captions.write_text("1\n00:00:00,000 --> 00:00:01,500\nOne is 1.\n\n2\n00:00:02,000 --> 00:00:03,000\nTwo.\n")
    assert peers.spoken(captions).split() == ["One", "is", "1.", "Two."]
