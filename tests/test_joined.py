"""Which dubs can share one file, and where that is kept until one of them changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from vt.domain import NO_EDITS, Finish, Fit, Job, JobSpec, JobState
from vt.errors import InputError
from vt.jobs import joined
from vt.jobs.job_folder import JobFolder
from vt.jobs.joined import Dub

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def dub(folder: Path, language: str, film: bytes = b"film", version: int = 1, **more: Any) -> Dub:  # noqa: ANN401 (of its request)
    """Return a dub of a film that came by itself."""
    place = JobFolder(folder / f"{language}-{len(list(folder.iterdir()))}")
    place.path.mkdir()
    place.film.write_bytes(film)
    spec = replace(JobSpec("talk.mp4", language), **more)
    job = Job(place.path.name, JobState.DONE, None, 1.0, None, NOW, NOW, spec, version, NO_EDITS, NO_EDITS, 0, 0, "")
    return Dub(job, place, place.result(version, f"{language}.mp4"))


def test_dubs_of_a_film_share_a_file_also_where_it_came_twice(tmp_path: Path) -> None:
    dubs = [dub(tmp_path, "es"), dub(tmp_path, "fr")]
    joined.check(dubs)
    assert joined.name(dubs) == "talk.es+fr.mp4"


@pytest.mark.parametrize(
    ("language", "film", "more", "sentence"),
    [
        ("es", b"film", {}, "Each language"),
        ("fr", b"filn", {}, "same film"),
        ("fr", b"films", {}, "same film"),
        ("fr", b"film", {"preview": True}, "same film"),
        ("fr", b"film", {"finish": Finish(burn="both")}, "picture"),
        ("fr", b"film", {"finish": Finish(fit=Fit.PICTURE)}, "picture"),
    ],
)
def test_what_is_no_other_dub_of_the_film_shares_none(
    language: str, film: bytes, more: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=sentence):
        joined.check([dub(tmp_path, "es"), dub(tmp_path, language, film, **more)])


def test_a_newer_version_of_any_dub_has_another_place_and_the_old_one_is_left_over(tmp_path: Path) -> None:
    first, second = dub(tmp_path, "es"), dub(tmp_path, "fr")
    place = joined.place([first, second])
    newer = replace(second, job=replace(second.job, version=2))
    assert place.parent == first.folder.path
    assert joined.place([first, newer]) != place
    place.touch()
    assert place not in first.folder.leftovers(1)
    assert place in first.folder.leftovers(2)
