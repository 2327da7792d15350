"""A few films put together as no program would in each run of the suite; 300 by hand: `python -m tests.fuzz`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.films import ffmpeg, film
from tests.fuzz import container_harness, containers
from tests.fuzz.containers import Container

CASES = 2
SEED = 16


def test_every_film_put_together_as_no_program_would_is_refused_or_dubbed_at_its_length() -> None:
    summary = container_harness.run(CASES, seed=SEED, tell=print)
    assert summary.failures == []
    assert summary.cases == CASES
    assert summary.outcomes["dubbed"] >= CASES // 2


@pytest.mark.soak
def test_a_container_is_the_same_whenever_it_is_made(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    sources = containers.make_sources(tmp_path / "sources")
    made = []
    for place in range(2):
        (tmp_path / str(place)).mkdir()
        case = containers.make(sources, SEED, 3, tmp_path / str(place))
        made.append((case.ways, case.path.read_bytes()))
    assert made[0] == made[1]


def test_what_ffmpeg_decodes_of_a_film_is_as_long_as_its_longest_track(tmp_path: Path) -> None:
    late = ["-f", "lavfi", "-i", "sine=duration=3"]
    ffmpeg("-i", film(tmp_path / "a.mp4"), *late, "-map", "0", "-map", "1", "-c:v", "copy", tmp_path / "b.mkv")
    assert container_harness.decoded_seconds(tmp_path / "b.mkv") == pytest.approx(3.0, abs=0.05)


def test_a_film_that_ffmpeg_decodes_longer_than_its_dub_is_told(tmp_path: Path) -> None:
    short, long = film(tmp_path / "a.mp4"), tmp_path / "b.mp4"
    ffmpeg("-stream_loop", "1", "-i", short, "-c", "copy", long)
    assert container_harness.wrong_length(short, short) == []
    (told,) = container_harness.wrong_length(long, short)
    assert told.startswith("the dub lasts 2.0")


def test_what_is_no_film_ends_in_a_documented_error(tmp_path: Path) -> None:
    (tmp_path / "a.mkv").write_bytes(b"nothing" * 100)
    assert container_harness.ended(Container(0, 0, (), tmp_path / "a.mkv")) == ("MediaError", [])
