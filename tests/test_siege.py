"""A server that is killed again and again loses no job, does nothing twice, and leaves nothing behind."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.conftest import SAMPLE
from tests.films import ffmpeg
from tests.servers import running, said, start_app
from tests.sieges import FAULTS, Siege, besiege

JOBS = 1
LONGEST_LIFE, SHORT_LIFE = 4.0, 2.0
"""In seconds: long enough for most servers to finish some piece | for few to finish all jobs."""


def test_a_server_that_is_killed_at_random_moments_ends_every_job_as_in_peace(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    ffmpeg("-t", "8", "-i", SAMPLE, "-c", "copy", film)
    seed = random.SystemRandom().randrange(10**9)
    assert besiege(tmp_path / "siege", film, JOBS, seed, LONGEST_LIFE, print).kills >= 1


@pytest.mark.soak
def test_databases_that_are_lost_empty_or_damaged_between_two_lives_of_a_server_lose_no_job(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    ffmpeg("-t", "12", "-i", SAMPLE, "-c", "copy", film)
    siege = Siege(tmp_path / "siege", film, random.Random(1), SHORT_LIFE)
    siege.begin(len(FAULTS))
    for fault in FAULTS:
        siege.befall(fault)
        siege.goes_on()
    siege.longest = 600.0
    assert not siege.goes_on()
    assert siege.toll.jobs >= len(FAULTS)


@pytest.mark.soak
def test_a_second_server_says_that_the_data_folder_has_an_owner_and_ends(tmp_path: Path) -> None:
    with running(tmp_path / "first"):
        second = start_app(tmp_path / "second", VT_DATA_DIR=str(tmp_path / "first" / "data"))
        assert second.wait(60) == 1
        (line,) = said(tmp_path / "second").splitlines()
        assert line.startswith("vt: The data folder ")
        assert "in use by another vt server" in line
        assert "VT_DATA_DIR" in line
