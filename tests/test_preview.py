"""The first minute as a preview: where it ends, what it says of itself, and the whole film after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests import films
from tests.conftest import vt
from tests.films import ffmpeg
from tests.test_jobs import SPEC, Desk
from vt import media
from vt.domain import Background, Edit, Edits, Finish, JobState
from vt.jobs.new_lines import NewLine

WANTED = replace(SPEC, preview=True)
LATE = "1\n00:01:05,000 --> 00:01:06,000\nToo late.\n"
EARLY = f"1\n00:00:02,000 --> 00:00:04,000\nGood day to you.\n\n{LATE.replace('1', '2', 1)}"
KINDS = {"avi": ("mpeg4", "libmp3lame"), "flv": ("flv1", "adpcm_swf")}


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 70 s: a tone that rests for two seconds from the 50th on."""
    target = tmp_path_factory.mktemp("long") / "long.mp4"
    picture = ("-f", "lavfi", "-i", "color=gray:size=32x32:rate=5:duration=70")
    sound = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=16000:duration=70")
    rests = ("-af", "volume=enable='between(t,50,52)':volume=0")
    ffmpeg(*picture, *sound, *rests, *films.H264, *films.AAC, target)
    return target


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with closing(Desk(tmp_path / "data")) as desk:
        yield desk


@pytest.mark.soak
def test_a_preview_ends_where_it_is_quiet_says_what_it_is_and_what_it_made_serves_the_whole_film(
    desk: Desk, long: Path
) -> None:
    job = desk.over(desk.submit(long, WANTED))
    assert (job.state, job.error, job.seconds) == (JobState.DONE, None, 60.0)
    report = desk.jobs.dub_report(job.id)
    assert 50 < report.source.duration_seconds < 52
    assert report.source.file == "holiday.final.mkv"
    said = f"This is a preview: the first {report.source.duration_seconds:.0f} seconds of the film."
    assert str(desk.jobs.remarks(job.id)[0]) == said
    film = desk.jobs.film(job.id)
    assert film.name == "holiday.final.preview.es.mp4"
    assert abs(media.probe(film.path).seconds - report.source.duration_seconds) < 0.3
    assert len(desk.jobs.outline(job.id, of_dub=False)) == pytest.approx(20 * report.source.duration_seconds, abs=2)
    spoken = list(desk.voice.asked)

    whole = desk.over(desk.again(job.id, SPEC))
    assert (whole.state, whole.request.preview) == (JobState.DONE, False)
    assert desk.jobs.film(whole.id).name == "holiday.final.es.mp4"
    assert round(desk.jobs.dub_report(whole.id).source.duration_seconds) == 70
    assert desk.voice.asked == spoken, "something was spoken twice"


@pytest.mark.soak
def test_what_was_changed_in_a_preview_holds_in_the_whole_film_and_is_changed_further_there(
    desk: Desk, long: Path
) -> None:
    def changed(job_id: str, changes: Edits, *new: NewLine) -> None:
        desk.jobs.edit(job_id, desk.jobs.lines(job_id).version, changes, new=new)
        assert desk.over(job_id).error is None

    def texts(job_id: str) -> list[str]:
        return [line.text for line in desk.jobs.lines(job_id).segments]

    preview = desk.over(desk.submit(long, replace(WANTED, finish=Finish(background=Background.NONE)))).id
    changed(preview, Edits({1: Edit(text="BY HAND.")}), NewLine(0.6, 0.8, "", "NEW."))
    whole = desk.over(desk.again(preview, SPEC)).id
    assert texts(whole) == ["WELL NOW.", "NEW.", "BY HAND.", "SO LONG."]
    changed(whole, Edits({3: Edit(text="LAST.")}))
    assert texts(whole) == ["WELL NOW.", "NEW.", "BY HAND.", "LAST."]
    assert [kept.take.text for kept in desk.jobs.takes(whole).of_line(3)] == ["LAST.", "SO LONG."]
    with desk.jobs.draft() as draft:
        desk.jobs.reuse(draft, preview, replace(SPEC, target_language="fr"))
        assert draft.edits == Edits(of_preview=True)


@pytest.mark.soak
def test_subtitles_inside_the_whole_film_serve_a_preview(desk: Desk, long: Path, tmp_path: Path) -> None:
    text, film = tmp_path / "talk.srt", tmp_path / "film.mkv"
    text.write_text(EARLY)
    ffmpeg("-i", long, "-i", text, "-map", "0", "-map", "1", "-c", "copy", film)
    job_id = desk.submit(film, replace(WANTED, subtitles="track:1", source_language="en"))
    assert desk.over(job_id).error is None
    assert [line.text for line in desk.jobs.lines(job_id).segments] == ["GOOD DAY TO YOU."]
    assert not [note for note in desk.jobs.remarks(job_id) if "were left out" in note]


@pytest.mark.soak
def test_where_nobody_speaks_in_the_first_minute_that_is_said_with_the_films_name(desk: Desk, long: Path) -> None:
    with desk.jobs.draft() as draft:
        draft.film.write_bytes(long.read_bytes())
        draft.subtitles.write_text(LATE)
        job_id = desk.jobs.submit(draft, replace(WANTED, subtitles="talk.srt", source_language="en")).id
    error = desk.over(job_id).error
    assert error == "Nobody speaks in the first minute of holiday.final.mkv: dub the whole film."


def test_a_film_that_is_no_longer_than_a_preview_is_dubbed_whole(desk: Desk, tmp_path: Path) -> None:
    job = desk.jobs.get(desk.submit(films.film(tmp_path / "short.mp4"), WANTED))
    assert (job.request.preview, job.request.as_json()["options"]) == (False, {})


@pytest.mark.parametrize("kind", KINDS)
def test_the_beginning_of_a_film_has_its_picture_and_all_its_sounds(kind: str, tmp_path: Path) -> None:
    film, beginning = tmp_path / f"film.{kind}", tmp_path / "beginning"
    video, audio = KINDS[kind]
    sounds = ("-map", "1", "-map", "1") if kind != "flv" else ("-map", "1")
    codecs = ("-c:v", video, "-c:a", audio, "-ar", "44100")
    ffmpeg(*films.PICTURE, *films.SOUND, "-map", "0", *sounds, *codecs, film)
    info = media.probe(film)
    media.beginning(info, 1.0, beginning)
    found = media.probe(beginning)
    assert (len(found.audio), found.video is not None) == (len(info.audio), True)
    assert 0.9 <= found.seconds <= 1.2


@pytest.mark.soak
def test_the_files_of_a_preview_take_the_place_of_no_others(tmp_path: Path) -> None:
    film, text = films.film(tmp_path / "talk.mp4"), tmp_path / "talk.srt"
    text.write_text("1\n00:00:00,200 --> 00:00:01,800\nGood day to you.\n")
    done = vt("translate", film, "--to", "es", "--from", "en", "--subtitles", text, "--preview", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name.removeprefix("talk.preview.") for path in (tmp_path / "out").iterdir()} == {
        "es.mp4", "en.srt", "es.srt", "en.vtt", "es.vtt", "es.report.json",
    }  # fmt: skip
