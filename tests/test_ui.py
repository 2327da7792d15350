"""What the page is made of: its words, what a browser remembers, uploads that go, and text that stays text."""

from __future__ import annotations

import string
import time
from pathlib import Path
from typing import Any

import pytest

from vt.errors import UploadGone
from vt.store import new_id
from vt.ui import parts, uploads
from vt.ui.scripts import MOST_JOBS
from vt.ui.shared import Memory, Subject
from vt.ui.uploads import KEPT_SECONDS, TAKEN_SECONDS
from vt.ui.words import LANGUAGES, Words, translations

ENGLISH = Words("en")
LINE = {
    "id": 0, "start": 1.0, "end": 3.0, "source_text": "<b>Hi</b>", "text": "'\"><script>", "tempo": 1.2,
    "placed_start": 1.0, "placed_end": 3.0,
}  # fmt: skip


def test_every_word_is_there_in_every_language_with_the_same_places_for_values() -> None:
    words = translations().translations
    assert set(words) == set(LANGUAGES)
    for key, english in words["en"].items():
        spanish = words["es"][key]
        fields = [{name for _, name, *_ in string.Formatter().parse(said) if name} for said in (english, spanish)]
        assert fields[0] == fields[1], key
        assert not {"'", '"'} & set(english + spanish), f"{key} would end an attribute"


@pytest.mark.parametrize("kept", [None, [], "x", {"jobs": "x"}, {"jobs": [1, "../../etc"], "view": 7}])
def test_a_memory_that_is_none_is_an_empty_one(kept: Any) -> None:  # noqa: ANN401
    assert Memory.of(kept) == Memory()


def test_a_memory_has_the_latest_job_first_and_not_too_many() -> None:
    ids = [new_id() for _ in range(MOST_JOBS + 1)]
    memory = Memory()
    for job_id in ids:
        memory = memory.with_job(job_id)
    assert (memory.jobs[0], len(memory.jobs), memory.view) == (ids[-1], MOST_JOBS, ids[-1])
    assert Memory.of(memory.kept()) == memory
    gone = memory.without(ids[-1])
    assert (gone.view, ids[-1] in gone.jobs) == ("", False)


def test_an_upload_goes_by_its_age_and_sooner_where_a_job_has_it(tmp_path: Path) -> None:
    uploaded = tmp_path / "uploads"
    for name in ("waiting", "taken"):
        (uploaded / name).mkdir(parents=True)
        (uploaded / name / "film.mp4").write_bytes(b"film")
    job = tmp_path / "input"
    uploads.take(uploaded / "taken" / "film.mp4", job)
    assert job.samefile(uploaded / "taken" / "film.mp4")

    def left() -> set[str]:
        return {path.name for path in uploaded.iterdir()}

    uploads.sweep(uploaded, time.time() + TAKEN_SECONDS - 60)
    assert left() == {"waiting", "taken"}
    uploads.sweep(uploaded, time.time() + TAKEN_SECONDS + 60)
    assert left() == {"waiting"}
    uploads.sweep(uploaded, time.time() + KEPT_SECONDS + 60)
    assert left() == set()
    assert job.read_bytes() == b"film"


def test_what_was_uploaded_for_a_job_goes_with_it_and_nothing_else_does(tmp_path: Path) -> None:
    uploaded = tmp_path / "uploads"
    for name in ("taken", "waiting"):
        (uploaded / name).mkdir(parents=True)
        (uploaded / name / "film.mp4").write_bytes(b"film")
    job = tmp_path / "input"
    uploads.take(uploaded / "taken" / "film.mp4", job)
    uploads.drop(uploaded, job)
    assert [path.parent.name for path in uploaded.rglob("*.mp4")] == ["waiting"]


@pytest.mark.parametrize("held", [None, "x", {}, {"name": "film", "job_id": "../../etc"}])
def test_a_page_that_holds_no_film_holds_none(held: Any) -> None:  # noqa: ANN401
    assert Subject.of(held) is None


def test_a_page_holds_a_film_as_it_was_given() -> None:
    film = Subject("talk.mp4", 3.5, ("Track 1", "Track 2"), "en", True, new_id(), "en", "es")
    assert Subject.of({**film.kept(), "tracks": list(film.tracks)}) == film
    assert Subject.of({"name": "x", "seconds": "y", "tracks": 7}) == Subject("x", 0.0)


def test_an_upload_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(UploadGone, match="upload it again"):
        uploads.take(tmp_path / "gone.mp4", tmp_path / "input")


def test_what_people_and_films_say_stays_text() -> None:
    report = {"source": {"language": "en", "duration_seconds": 4.0}, "target_language": "es", "segments": [LINE],
              "timing": {"speech_overlap": 1.0, "max_tempo": 1.2, "off_by_more_than_0_3s": 0.0}}  # fmt: skip
    assert "<script>" not in parts.chart(ENGLISH, report)
    assert "<img" not in parts.film_line("<img src=x>.mp4", 3.0)
    assert "<img" not in parts.trouble("No", "<img src=x>")


@pytest.mark.parametrize(("seconds", "said"), [(7.4, "0:07"), (59.6, "1:00"), (750, "12:30"), (3723, "1:02:03")])
def test_times_are_read_as_on_a_player(seconds: float, said: str) -> None:
    assert parts.clock(seconds) == said
