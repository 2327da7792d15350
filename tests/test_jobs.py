"""What every face does with jobs: films in, checked before they wait; results out; lines mended; films used again."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import films
from tests.asking import asked
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from vt.domain import (
    NO_EDITS,
    NO_WISHES,
    Background,
    Cancel,
    Clip,
    Edit,
    Edits,
    Finish,
    Fit,
    Job,
    JobSpec,
    JobState,
    Progress,
    SpeakerEdit,
    Wishes,
    Word,
)
from vt.engines.protocols import Heard
from vt.errors import (
    EngineError,
    FilmTooLarge,
    InputError,
    JobNotFound,
    LanguageError,
    MediaError,
    NoSuchResult,
    Outdated,
    StorageError,
    SubtitleError,
    ToolError,
    VtError,
    WrongState,
)
from vt.jobs.executors.local import LocalExecutor
from vt.jobs.job_folder import JobFolder
from vt.jobs.job_service import MB, Jobs, plain_name
from vt.jobs.results import ResultFile, ResultText
from vt.jobs.speaking_ahead import SpeakingAhead
from vt.jobs.store import DataFolder, Store, new_id
from vt.jobs.worker import Worker
from vt.settings import Settings
from vt.system import processes
from vt.system.processes import Child
from vt.ui.words import Words
from vt.web.visitors import PerVisitorSemaphore

PATIENCE = 30.0
SPEC = JobSpec(file="my/../holiday.final.mkv", target_language="es")
WORDS = [(0.2, "Well"), (0.4, "now."), (0.9, "Good"), (1.1, "day."), (1.5, "So"), (1.7, "long.")]
SCRIPT = [Heard(tuple(Word(start, start + 0.15, f" {text}") for start, text in WORDS))]
LINES = ["WELL NOW.", "GOOD DAY.", "SO LONG."]


class Desk:
    """Jobs with all that they stand on, and fakes that hear, translate and speak."""

    def __init__(self, folder: Path, voice: ToneSynthesizer | None = None, **settings: float) -> None:
        self.voice = voice or ToneSynthesizer(0.02)
        self.factory = FakeFactory(ScriptedTranscriber(SCRIPT), self.voice)
        self.data = DataFolder(folder)
        self.store = Store(self.data.database)
        self.now = 0.0
        """What the clock says by which drafts of edits are counted."""
        self.ahead = SpeakingAhead(self.factory, lambda: self.now)
        self.worker = Worker(self.store, self.data, LocalExecutor(self.factory, self.ahead))
        self.free = 10**12
        self.looks = PerVisitorSemaphore(1)
        self.jobs = Jobs(
            Settings(**settings),  # type: ignore[arg-type]
            self.factory,
            self.data,
            self.store,
            self.worker,
            free=lambda _: self.free,
            looks=self.looks,
            ahead=self.ahead,
        )
        self.worker.begin()

    def close(self) -> None:
        self.jobs.close()
        self.worker.close()
        self.store.close()
        self.data.close()

    def submit(self, film: Path, spec: JobSpec = SPEC) -> str:
        with self.jobs.draft() as draft:
            draft.film.write_bytes(film.read_bytes())
            return self.jobs.submit(draft, spec).id

    def again(self, job_id: str, spec: JobSpec) -> str:
        with self.jobs.draft() as draft:
            return self.jobs.submit(draft, self.jobs.reuse(draft, job_id, spec)).id

    def over(self, job_id: str) -> Job:
        until = time.monotonic() + PATIENCE
        while not (job := self.store.get(job_id)).state.is_over:
            assert time.monotonic() < until, job
            time.sleep(0.01)
        return job

    def dubbed(self, film: Path) -> str:
        job = self.over(self.submit(film))
        assert job.state == JobState.DONE, job.error
        return job.id

    @property
    def folders(self) -> set[str]:
        return {path.name for path in self.data.jobs.iterdir()}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return films.film(tmp_path_factory.mktemp("film") / "film.mp4")


@pytest.fixture(scope="module")
def shared(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, str]]:
    """A desk with one dubbed film, for those who only look."""
    with closing(Desk(tmp_path_factory.mktemp("shared") / "data")) as desk:
        yield desk, desk.dubbed(film)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with closing(Desk(tmp_path / "data")) as desk:
        yield desk


# In


def test_a_draft_goes_with_all_that_is_in_it_unless_it_is_submitted(shared: tuple[Desk, str], film: Path) -> None:
    desk, done = shared
    with desk.jobs.draft() as draft:
        draft.film.write_bytes(film.read_bytes())
        assert draft.id in desk.folders
    with pytest.raises(KeyError), desk.jobs.draft():
        raise KeyError
    assert desk.folders == {done}


@pytest.mark.parametrize(
    ("content", "spec", "error", "said"),
    [
        (b"no film", SPEC, MediaError, "holiday.final.mkv is not a video or audio file"),
        (b"", SPEC, MediaError, "holiday.final.mkv is empty"),
        (None, replace(SPEC, target_language="xx-klingon"), LanguageError, "klingon"),
        (None, replace(SPEC, target_language="en"), LanguageError, "already"),
        (None, replace(SPEC, source_language="nonsense"), LanguageError, "nonsense"),
        (None, replace(SPEC, audio_track=7), MediaError, "holiday.final.mkv has no audio track 7"),
        (None, replace(SPEC, subtitles="talk.srt"), SubtitleError, "hold no times"),
    ],
)
def test_what_is_wrong_is_said_before_the_job_waits_and_by_the_names_that_the_user_gave(
    shared: tuple[Desk, str], film: Path, content: bytes | None, spec: JobSpec, error: type[InputError], said: str
) -> None:
    desk, done = shared
    with pytest.raises(error, match=said) as raised, desk.jobs.draft() as draft:
        draft.film.write_bytes(film.read_bytes() if content is None else content)
        draft.subtitles.write_text("\n\n")
        desk.jobs.submit(draft, spec)
    assert str(desk.data.path) not in str(raised.value)
    assert desk.folders == {done}


def test_a_film_that_is_too_long_is_refused_even_where_its_header_says_nothing(film: Path, tmp_path: Path) -> None:
    live = tmp_path / "live.mkv"
    live.write_bytes(films.ffmpeg("-i", film, "-c", "copy", "-f", "matroska", "pipe:1"))
    with closing(Desk(tmp_path / "data", max_duration_minutes=1 / 60)) as desk:
        for long in (film, live):
            with pytest.raises(MediaError, match=r"too long: it lasts 0\.0 minutes.*VT_MAX_DURATION_MINUTES"):
                desk.submit(long)
        assert desk.folders == set()


def test_a_film_that_is_too_large_or_finds_no_room_is_refused_before_it_comes(tmp_path: Path) -> None:
    with closing(Desk(tmp_path / "data", max_upload_mb=1)) as desk:
        desk.jobs.check_room(MB)
        with pytest.raises(FilmTooLarge, match="at most 1 MB"):
            desk.jobs.check_room(MB + 1)
        desk.free = 201 * MB
        with pytest.raises(StorageError, match="about 2 MB are needed, and 1 MB are free"):
            desk.jobs.check_room(MB)


def test_a_dub_or_an_edit_whose_results_would_find_no_room_is_refused(desk: Desk, film: Path) -> None:
    done = desk.dubbed(film)
    desk.free = 200 * MB
    with pytest.raises(StorageError, match="no room"):
        desk.submit(film)
    with pytest.raises(StorageError, match="no room"):
        desk.jobs.edit(done, 1, Edits({0: Edit(text="HI.")}))
    assert desk.folders == {done}
    assert desk.store.get(done).state == JobState.DONE


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("C:\\films\\talk.mp4", "talk.mp4"),
        ("../../etc/passwd", "passwd"),
        ("a\nb\x00c\u202e.mp4", "abc.mp4"),
        ("...", "film"),
        ("", "film"),
        ("мой фильм.mp4", "мой фильм.mp4"),
        ("\udcff.mp4", "?.mp4"),
        ("ä" * 300 + ".mp4", "ä" * 98 + ".mp4"),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_films_name_is_shown_as_it_was_given_but_for_what_is_no_name(given: str, plain: str) -> None:
    assert plain_name(given) == plain


def test_what_is_in_a_film_is_told_and_the_film_not_kept(shared: tuple[Desk, str], film: Path) -> None:
    desk, done = shared
    with desk.jobs.draft() as draft:
        draft.film.write_bytes(film.read_bytes())
        found = desk.jobs.inspect(draft, "a.mp4")
    assert (found["file"], found["duration_seconds"]) == ("a.mp4", pytest.approx(2.0, abs=0.1))
    assert [track["codec"] for track in (found["video"], *found["audio"])] == ["h264", "aac"]
    assert desk.folders == {done}


def test_sounds_and_pictures_of_one_visitor_are_looked_at_one_at_a_time_and_others_go_before(
    shared: tuple[Desk, str],
) -> None:
    desk, done = shared
    came: queue.Queue[str] = queue.Queue()

    def look(visitor: str) -> None:
        assert desk.jobs.outline(done, of_dub=visitor == "ann", visitor=visitor)
        assert desk.jobs.picture(done, visitor).path.stat().st_size
        came.put(visitor)

    with desk.looks.one("ann"):
        threading.Thread(target=look, args=("ann",), daemon=True).start()
        look("ben")
        assert came.get(timeout=PATIENCE) == "ben"
        assert came.empty()
    assert came.get(timeout=PATIENCE) == "ann"
    names = {path.name for path in desk.data.job(done).iterdir()}
    assert {"peaks-0.json", "peaks-1.json", "picture.jpg"} <= names
    assert not [name for name in names if name.startswith(("peaks", "picture")) and name.count(".") > 1]


def test_of_all_results_at_once_the_film_comes_last_as_it_takes_long(shared: tuple[Desk, str]) -> None:
    desk, done = shared
    names = [result.name for result in desk.jobs.everything(done)]
    assert names[-2:] == ["holiday.final.es.report.json", "holiday.final.es.mp4"]


@pytest.mark.parametrize("submits", [False, True])
def test_films_of_one_visitor_wait_to_be_looked_into_while_those_of_others_are(
    tmp_path: Path, film: Path, submits: bool
) -> None:
    done = threading.Event()

    def look(desk: Desk, visitor: str) -> None:
        with desk.jobs.draft() as draft:
            draft.film.write_bytes(film.read_bytes())
            if submits:
                desk.jobs.submit(draft, SPEC, visitor)
            else:
                desk.jobs.inspect(draft, "a.mp4", visitor)

    def ann(desk: Desk) -> None:
        look(desk, "ann")
        done.set()

    with closing(Desk(tmp_path)) as desk:
        waiting = threading.Thread(target=ann, args=(desk,), daemon=True)
        with desk.looks.one("ann"):
            waiting.start()
            look(desk, "ben")
            assert not done.wait(0.5)
        assert done.wait(PATIENCE)


def broken_films(folder: Path, film: Path) -> Iterator[Path]:
    """Films that ffmpeg refuses, each in another way and at another stage."""
    whole = film.read_bytes()
    folder.mkdir()
    late = films.film(folder / "late.mp4")
    half = len(whole) // 2
    contents = {
        "none": b"no film",
        "cut": late.read_bytes()[: late.stat().st_size // 2],
        "zeros": whole[:half] + bytes(half),
    }
    for name, content in contents.items():
        path = folder / f"{name}.bin"
        path.write_bytes(content)
        yield path


def test_no_path_of_the_server_reaches_a_user_whatever_ffmpeg_says(tmp_path: Path, film: Path) -> None:
    told: list[str] = []
    with closing(Desk(tmp_path / "data")) as desk:
        for path in broken_films(tmp_path / "films", film):
            try:
                job = desk.over(desk.submit(path))
            except VtError as error:
                message = error.message
            else:
                assert job.state is JobState.FAILED
                assert job.error is not None
                message = job.error
            for said in (str(message), Words("es").sentence(message), json.dumps(message.as_json())):
                assert str(tmp_path) not in said
                told.append(said)
        # What ffmpeg itself says of a file that it cannot open, as any stage may pass it on.
        with pytest.raises(ToolError) as raised, desk.jobs.draft() as draft:
            draft.film.write_bytes(b"no film")
            try:
                processes.run(Child(["ffprobe", "-v", "error", str(draft.film)], reads=[draft.film]))
            except ToolError as error:
                assert str(draft.film) in str(error)
                error.name_files({draft.film: "holiday.mkv"})
                raise
        assert str(tmp_path) not in str(raised.value)
        assert "holiday.mkv: Invalid data" in str(raised.value)
    assert all("holiday.final.mkv" in said for said in told)


# Out


def test_what_a_report_remarks_is_kept_with_its_values(shared: tuple[Desk, str]) -> None:
    desk, done = shared
    remarks = desk.jobs.remarks(done)
    assert [str(remark) for remark in remarks] == [*desk.jobs.report(done).notes]
    heard = next(remark for remark in remarks if remark.startswith("The film speaks English"))
    assert "El vídeo está en inglés" in Words("es").sentence(heard)
    for file in desk.data.results(done, 1).glob("remarks.json"):
        kept = file.read_bytes()
        file.unlink()
        assert [remark.template for remark in desk.jobs.remarks(done)] == [*desk.jobs.report(done).notes]
        file.write_bytes(kept)


@pytest.mark.soak
def test_the_report_is_given_as_its_file_has_it_with_what_a_newer_version_added(desk: Desk, film: Path) -> None:
    done = desk.dubbed(film)
    file = desk.jobs.report_file(done).path
    kept = json.loads(file.read_bytes()) | {"of_the_future": [1, {"x": None}]}
    file.write_text(json.dumps(kept), encoding="utf-8")
    assert desk.jobs.report_json(done) == kept
    assert desk.jobs.report(done).as_json() | {"of_the_future": kept["of_the_future"]} == kept


@pytest.mark.soak
def test_a_dub_whose_remarks_cannot_be_written_beside_the_report_is_kept(film: Path, tmp_path: Path) -> None:
    work = JobFolder(tmp_path).work

    def in_the_way(_: Progress) -> None:
        (work / "remarks.json").mkdir(exist_ok=True)

    executor = LocalExecutor(FakeFactory(ScriptedTranscriber(SCRIPT), ToneSynthesizer(0.02)))
    files = executor.run(asked(film, "es"), tmp_path, in_the_way, Cancel())
    assert all(file.is_file() for file in files)
    assert "film.es.report.json" in {file.name for file in files}


def test_results_come_under_the_films_own_name_and_with_their_types(shared: tuple[Desk, str]) -> None:
    desk, done = shared
    assert desk.store.get(done).request.file == "holiday.final.mkv"
    found = desk.jobs.film(done)
    assert (found.name, found.media_type) == ("holiday.final.es.mp4", "video/mp4")
    assert [stream["codec_type"] for stream in films.streams(found.path)[:3]] == ["video", "audio", "audio"]
    for language, said in (("en", "Good day."), ("es", "GOOD DAY.")):
        for ending, media_type in (("srt", "application/x-subrip"), ("vtt", "text/vtt")):
            file = desk.jobs.subtitles(done, language, ending)
            assert isinstance(file, ResultFile)
            assert (file.name, file.media_type) == (f"holiday.final.{language}.{ending}", media_type)
            assert said in file.path.read_text(encoding="utf-8")
    report = desk.jobs.dub_report(done)
    assert report.source.file == "holiday.final.mkv"
    assert [segment.text for segment in report.segments] == LINES
    assert (desk.jobs.lines(done).segments, desk.jobs.lines(done).version) == (report.segments, 1)


def test_a_result_that_there_is_not_is_told_from_a_job_that_there_is_not(shared: tuple[Desk, str]) -> None:
    desk, done = shared
    with pytest.raises(NoSuchResult, match=r"there are es\.srt, es\.vtt, es\.ass, en\.srt, .*both\.ass"):
        desk.jobs.subtitles(done, "fr", "srt")
    for unknown in (new_id(), "..", "../../etc/passwd", done.upper(), ""):
        for ask in (desk.jobs.film, desk.jobs.report, desk.jobs.lines, desk.jobs.remove, desk.jobs.cancel):
            with pytest.raises(JobNotFound):
                ask(unknown)


@pytest.mark.soak
def test_results_that_somebody_took_away_are_missed_in_a_sentence(desk: Desk, film: Path) -> None:
    done = desk.dubbed(film)
    for path in desk.data.results(done, 1).iterdir():
        path.unlink()
    desk.data.results(done, 1).rmdir()
    with pytest.raises(StorageError, match="removed from the disk"):
        desk.jobs.film(done)


@pytest.mark.soak
def test_results_that_are_damaged_are_told_of_in_a_sentence(desk: Desk, film: Path) -> None:
    done = desk.dubbed(film)
    report = desk.jobs.report_file(done).path
    report.write_bytes(report.read_bytes()[:100])
    for read in (desk.jobs.report, desk.jobs.report_json):
        with pytest.raises(StorageError, match="damaged: dub the film again"):
            read(done)
    report.unlink()
    report.mkdir()
    with pytest.raises(StorageError, match="cannot be read"):
        desk.jobs.report(done)


# Lines mended


def test_one_changed_line_is_all_that_is_spoken_again(desk: Desk, film: Path) -> None:
    done = desk.dubbed(film)
    before, spoken = desk.jobs.lines(done).segments, len(desk.voice.asked)
    desk.jobs.edit(done, 1, Edits({1: Edit(text="BUENAS.")}))
    assert desk.over(done).version == 2
    after = desk.jobs.lines(done).segments
    assert {text for text, _ in desk.voice.asked[spoken:]} == {"BUENAS."}
    assert desk.factory.heard.calls == 1
    assert [segment.text for segment in after] == [LINES[0], "BUENAS.", LINES[2]]
    assert [after[0], after[2]] == [before[0], before[2]]
    assert "BUENAS." in desk.jobs.subtitle_files(done)[0].path.read_text(encoding="utf-8")


@pytest.mark.soak
def test_edits_of_two_runs_add_up_and_a_new_source_text_is_translated(desk: Desk, film: Path) -> None:
    done = desk.dubbed(film)
    desk.jobs.edit(done, 1, Edits({0: Edit(text="HOLA."), 2: Edit(text="ADIÓS.")}))
    desk.over(done)
    desk.jobs.edit(done, 2, Edits({0: Edit(source_text="Well then."), 1: Edit(start=0.95)}))
    desk.over(done)
    lines = desk.jobs.lines(done).segments
    assert [line.text for line in lines] == ["WELL THEN.", LINES[1], "ADIÓS."]
    assert (lines[0].source_text, lines[1].start) == ("Well then.", 0.95)


@pytest.mark.soak
def test_an_emptied_line_is_silent(desk: Desk, film: Path) -> None:
    done = desk.dubbed(film)
    desk.jobs.edit(done, 1, Edits({1: Edit(text="")}))
    assert desk.over(done).state == JobState.DONE
    line = desk.jobs.lines(done).segments[1]
    assert (line.text, line.placed_end - line.placed_start) == ("", 0.0)
    sound = films.decoded(desk.jobs.film(done).path, 16_000)
    assert abs(sound[16_000 * 9 // 10 : 16_000 * 13 // 10]).max() < 50


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({3: Edit(text="x")}, "no line 3: the lines are 0 to 2"),
        ({-1: Edit(text="x")}, "no line -1"),
        ({0: Edit(text="x" * 2001)}, "2000 characters"),
        ({0: Edit(text="hi \ud800")}, "cannot be written or spoken"),
        ({0: Edit(source_text="hi \0")}, "cannot be written or spoken"),
        ({0: Edit(source_text="x" * 2001)}, "2000 characters"),
        ({1: Edit(start=1.4)}, "cannot last from 1.400"),
        ({1: Edit(start=0.1)}, "between its neighbours' starts"),
        ({1: Edit(start=1.6, end=1.7)}, "between its neighbours' starts"),
        ({1: Edit(end=99.0)}, r"before the film does \(2\.00\d s\)"),
        ({1: Edit(start=float("nan"))}, "cannot last from nan"),
        ({2: Edit(end=float("inf"))}, "cannot last from"),
    ],
)
def test_a_line_that_cannot_be_so_is_refused_and_nothing_runs(
    shared: tuple[Desk, str], changes: dict[int, Edit], said: str
) -> None:
    desk, done = shared
    with pytest.raises(InputError, match=said):
        desk.jobs.edit(done, 1, Edits(changes))
    assert desk.store.get(done).state == JobState.DONE


@pytest.mark.parametrize(
    ("lines", "speakers", "said"),
    [
        ({0: Edit(speaker=2)}, {}, "no speaker 2: the speakers are 0 to 0, and a line may be given to one more, 1"),
        ({0: Edit(speaker=1), 1: Edit(speaker=3)}, {}, "no speaker 3"),
        ({}, {1: SpeakerEdit("Anna")}, "no speaker 1"),
        ({}, {-1: SpeakerEdit("Anna")}, "no speaker -1"),
        ({}, {0: SpeakerEdit("  ")}, "one line of 1 to 80 characters"),
        ({}, {0: SpeakerEdit("x" * 81)}, "one line of 1 to 80 characters"),
        ({}, {0: SpeakerEdit("An\nna")}, "one line of 1 to 80 characters"),
        ({0: Edit(speaker=1)}, {0: SpeakerEdit("Anna"), 1: SpeakerEdit(" ANNA ")}, 'both be called "Anna"'),
        ({}, {0: SpeakerEdit(voice="nobody")}, "no voice nobody for this dub, which tone speaks"),
    ],
)
def test_a_speaker_that_cannot_be_so_is_refused_and_nothing_runs(
    shared: tuple[Desk, str], lines: dict[int, Edit], speakers: dict[int, SpeakerEdit], said: str
) -> None:
    desk, done = shared
    with pytest.raises(InputError, match=said):
        desk.jobs.edit(done, 1, Edits(lines, speakers))
    assert desk.store.get(done).state == JobState.DONE


@pytest.mark.soak
def test_two_neighbours_may_change_their_times_together(desk: Desk, film: Path) -> None:
    done = desk.dubbed(film)
    desk.jobs.edit(done, 1, Edits({1: Edit(start=1.6, end=1.7), 2: Edit(start=1.75)}))
    assert desk.over(done).version == 2


class Stumbling(ToneSynthesizer):
    """A voice that breaks at a certain text, as long as it is there, and waits where it is told to."""

    def __init__(self) -> None:
        super().__init__(0.02)
        self.stumbles_at = ""
        self.waits_at = ""
        self.waiting = threading.Event()

    def speak(self, lines: list[tuple[str, float]], cancel: Cancel) -> Iterator[Clip]:  # type: ignore[override]
        for (text, _), clip in zip(lines, super().speak(lines, cancel), strict=True):
            if text == self.stumbles_at:
                raise EngineError("The voice broke.")
            if text == self.waits_at:
                stopped = threading.Event()
                cancel.add(stopped.set)
                self.waiting.set()
                assert stopped.wait(PATIENCE)
                cancel.check()
            yield clip


@pytest.fixture
def stumbling(tmp_path: Path) -> Iterator[Desk]:
    with closing(Desk(tmp_path / "data", Stumbling())) as desk:
        yield desk


def _voice(desk: Desk) -> Stumbling:
    assert isinstance(desk.voice, Stumbling)
    return desk.voice


@pytest.mark.soak
def test_of_two_editors_one_is_told_that_the_job_is_busy_or_that_the_lines_are_others(
    stumbling: Desk, film: Path
) -> None:
    done = stumbling.dubbed(film)
    _voice(stumbling).waits_at = "FIRST."
    stumbling.jobs.edit(done, 1, Edits({0: Edit(text="FIRST.")}))
    assert _voice(stumbling).waiting.wait(PATIENCE)
    with pytest.raises(WrongState, match="running"):
        stumbling.jobs.edit(done, 1, Edits({0: Edit(text="SECOND.")}))
    assert stumbling.jobs.lines(done).segments[0].text == LINES[0]  # the old results, until there are new ones
    stumbling.jobs.cancel(done)
    assert stumbling.jobs.film(done).path.is_file()
    stumbling.jobs.edit(done, 1, Edits({1: Edit(text="THIRD.")}))
    with pytest.raises(WrongState, match=r"queued|running"):
        stumbling.jobs.edit(done, 1, Edits({0: Edit(text="SECOND.")}))
    assert stumbling.over(done).version == 2
    assert [line.text for line in stumbling.jobs.lines(done).segments] == [LINES[0], "THIRD.", LINES[2]]
    with pytest.raises(Outdated):
        stumbling.jobs.edit(done, 1, Edits({0: Edit(text="SECOND.")}))


@pytest.mark.soak
def test_an_edit_after_one_that_failed_begins_from_the_lines_that_were_seen(stumbling: Desk, film: Path) -> None:
    done = stumbling.dubbed(film)
    _voice(stumbling).stumbles_at = "BAD."
    stumbling.jobs.edit(done, 1, Edits({0: Edit(text="BAD.")}))
    failed = stumbling.over(done)
    assert (failed.state, failed.error, failed.version) == (JobState.FAILED, "The voice broke.", 1)
    stumbling.jobs.edit(done, 1, Edits({1: Edit(text="GOOD.")}))
    assert stumbling.over(done).state == JobState.DONE
    assert [line.text for line in stumbling.jobs.lines(done).segments] == [LINES[0], "GOOD.", LINES[2]]


def test_a_job_without_results_has_nothing_to_give_and_nothing_to_mend(stumbling: Desk, film: Path) -> None:
    _voice(stumbling).stumbles_at = LINES[1]
    failed = stumbling.over(stumbling.submit(film))
    assert (failed.state, failed.error) == (JobState.FAILED, "The voice broke.")
    asks: list[Callable[[], object]] = [
        lambda: stumbling.jobs.film(failed.id),
        lambda: stumbling.jobs.lines(failed.id),
        lambda: stumbling.jobs.report(failed.id),
        lambda: stumbling.jobs.edit(failed.id, 0, Edits({0: Edit(text="x")})),
        lambda: stumbling.jobs.edit(failed.id, 1, Edits({0: Edit(text="x")})),
    ]
    for ask in asks:
        with pytest.raises(WrongState, match="failed"):
            ask()


# Films used again


def test_a_second_language_needs_no_upload_no_space_and_no_listening(desk: Desk, film: Path) -> None:
    first = desk.dubbed(film)
    second = desk.again(first, JobSpec(file="", target_language="fr"))
    done = desk.over(second)
    assert (done.state, done.request.file) == (JobState.DONE, "holiday.final.mkv")
    assert desk.factory.heard.calls == 1
    assert desk.data.input(second).samefile(desk.data.input(first))
    assert desk.jobs.film(second).name == "holiday.final.fr.mp4"
    desk.jobs.remove(first)
    assert desk.jobs.film(second).path.is_file()
    assert desk.folders == {second}


def test_a_job_that_failed_is_taken_up_where_it_stood(stumbling: Desk, film: Path) -> None:
    voice = _voice(stumbling)
    voice.stumbles_at = LINES[1]
    failed = stumbling.over(stumbling.submit(film))
    assert failed.state == JobState.FAILED
    voice.stumbles_at = ""
    again = stumbling.over(stumbling.again(failed.id, SPEC))
    assert again.state == JobState.DONE
    assert stumbling.factory.heard.calls == 1
    spoken = [asked for asked in voice.asked if asked[0] != LINES[1]]
    assert len(spoken) == len(set(spoken))


def test_a_job_that_runs_lends_its_film_and_what_is_finished(stumbling: Desk, film: Path) -> None:
    _voice(stumbling).waits_at = LINES[1]
    running = stumbling.submit(film)
    assert _voice(stumbling).waiting.wait(PATIENCE)
    second = stumbling.again(running, JobSpec(file="", target_language="fr"))
    third = stumbling.again(second, JobSpec(file="", target_language="it"))  # of one that waits
    _voice(stumbling).waits_at = ""
    stumbling.jobs.remove(running)
    assert [stumbling.over(job_id).state for job_id in (second, third)] == [JobState.DONE] * 2
    assert stumbling.factory.heard.calls == 1


def test_of_a_job_that_is_none_no_film_is_taken(desk: Desk) -> None:
    for unknown in (new_id(), "../x"):
        with pytest.raises(JobNotFound):
            desk.again(unknown, SPEC)
    assert desk.folders == set()


# By whom


WISHED = {"voice": "ef_dora", "tts_engine": "kokoro", "translation_engine": "apertium"}
WISHES = Wishes("ef_dora", "kokoro", "apertium")


@pytest.mark.soak
def test_who_is_asked_for_serves_the_job_and_its_edits_and_is_told_of(desk: Desk, film: Path) -> None:
    asked = replace(SPEC, wishes=replace(WISHES, translation_engine=" apertium "))
    job = desk.over(desk.submit(film, asked))
    assert job.as_json()["request"]["options"] == WISHED
    desk.jobs.edit(job.id, 1, Edits({0: Edit("Bien.")}))
    assert desk.over(job.id).request.wishes == WISHES
    assert set(desk.factory.wished) == {WISHES}
    assert desk.over(desk.submit(film, replace(SPEC, wishes=Wishes("auto")))).request.wishes == NO_WISHES


@pytest.mark.soak
def test_the_number_of_speakers_is_kept_told_of_and_used_for_the_same_film_again(desk: Desk, film: Path) -> None:
    job = desk.over(desk.submit(film, replace(SPEC, speakers=2, mark_speakers=True)))
    assert job.as_json()["request"]["options"] == {"speakers": 2, "mark_speakers": True}
    assert JobSpec.from_json(job.request.as_json()) == job.request
    assert job.request.to_request(film, film).speakers == 2
    assert job.request.to_request(film, film).mark_speakers
    again = desk.store.get(desk.again(job.id, replace(SPEC, target_language="fr"))).request
    assert (again.speakers, again.mark_speakers) == (2, True)
    wrong = JobSpec.from_json(job.request.as_json() | {"options": {"speakers": "many", "mark_speakers": "many"}})
    assert (wrong.speakers, wrong.mark_speakers) == (None, False)


@pytest.mark.soak
def test_what_was_changed_in_the_speakers_of_a_film_holds_for_a_further_language(desk: Desk, film: Path) -> None:
    job = desk.dubbed(film)
    lines = {0: Edit("Bien.", speaker=1), 1: Edit(source_text="Good night.")}
    changes = Edits(lines, {0: SpeakerEdit("2"), 1: SpeakerEdit("Anna", "tone-es")})
    desk.jobs.edit(job, 1, changes)
    assert desk.over(job).mended == changes
    again = desk.over(desk.again(job, replace(SPEC, target_language="fr")))
    assert (again.state, again.mended) == (JobState.DONE, Edits({0: Edit(speaker=1)}, changes.speakers))
    report = desk.jobs.dub_report(again.id)
    assert [(one.label, one.voice) for one in report.speakers] == [("2", "tone"), ("Anna", "tone")]  # it has no other
    assert [(line.speaker, line.text) for line in report.segments] == [*zip((1, 0, 0), LINES, strict=True)]
    third = desk.over(desk.again(again.id, replace(SPEC, target_language="it")))
    assert third.mended == again.mended


@pytest.mark.soak
@pytest.mark.parametrize("other", [{"source_language": "pt"}, {"audio_track": 1}, {"speakers": 3}])
def test_what_was_changed_in_the_speakers_does_not_hold_where_the_film_is_heard_anew(
    desk: Desk, film: Path, other: dict[str, Any]
) -> None:
    job = desk.dubbed(film)
    desk.jobs.edit(job, 1, Edits({0: Edit(speaker=1)}))
    desk.over(job)
    again = desk.over(desk.again(job, replace(SPEC, target_language="fr", **other)))
    assert (again.state, again.edits) == (JobState.DONE, NO_EDITS)


@pytest.mark.soak
def test_how_a_film_is_made_up_is_kept_told_of_and_used_for_the_same_film_again(desk: Desk, film: Path) -> None:
    finish = Finish(Background.DUCK, literal=True, burn="es", karaoke=True, fit=Fit.PICTURE)
    job = desk.over(desk.submit(film, replace(SPEC, finish=finish)))
    options = {"background": "duck", "literal": True, "burn": "es", "karaoke": True, "fit": "picture"}
    assert job.as_json()["request"]["options"] == options
    assert JobSpec.from_json(json.loads(json.dumps(job.request.as_json()))) == job.request
    assert job.request.to_request(film, film).finish == finish
    again = desk.store.get(desk.again(job.id, replace(SPEC, target_language="fr"))).request
    assert again.finish == replace(finish, burn="fr")
    wrong = JobSpec.from_json(
        job.request.as_json() | {"options": {"background": 1, "literal": "many", "burn": 3, "fit": 4}}
    )
    assert wrong.finish == Finish()


@pytest.mark.parametrize("is_asked", [True, False])
@pytest.mark.soak
def test_words_light_up_in_the_ass_subtitles_of_a_job_that_was_asked_for_it(
    desk: Desk, film: Path, is_asked: bool
) -> None:
    job = desk.over(desk.submit(film, replace(SPEC, finish=Finish(burn="es", karaoke=is_asked)))).id
    for wish, is_lit in ((None, is_asked), (False, False), (True, True)):
        given = desk.jobs.subtitles(job, "both", "ass", karaoke=wish)
        assert isinstance(given, ResultText)
        assert (r"{\kf" in given.text) is is_lit
    assert isinstance(desk.jobs.subtitles(job, "es", "srt"), ResultFile)
    texts = [one.text for one in desk.jobs.everything(job) if isinstance(one, ResultText)]
    assert any(r"{\kf" in text for text in texts) is is_asked


@pytest.mark.parametrize(
    ("target", "named", "wanted"),
    [
        ("Spanish", {}, WISHED),
        ("fr", {}, {"tts_engine": "kokoro", "translation_engine": "apertium"}),
        ("es", {"voice": "em_alex"}, {"voice": "em_alex", "translation_engine": "apertium"}),
        ("es", {"tts_engine": "espeak-ng"}, {"tts_engine": "espeak-ng", "translation_engine": "apertium"}),
        ("es", {"voice": "auto", "translation_engine": "auto"}, {"translation_engine": "auto"}),
    ],
)
def test_a_film_that_is_used_again_keeps_what_was_asked_for_as_far_as_it_fits(
    desk: Desk, film: Path, target: str, named: dict[str, str], wanted: dict[str, str]
) -> None:
    first = desk.submit(film, replace(SPEC, wishes=WISHES))
    again = desk.again(first, replace(SPEC, target_language=target, wishes=Wishes(**named)))
    assert desk.store.get(again).request.as_json()["options"] == wanted


def test_a_film_that_is_used_again_with_all_wishes_said_takes_none_over(desk: Desk, film: Path) -> None:
    first = desk.submit(film, replace(SPEC, wishes=WISHES))
    with desk.jobs.draft() as draft:
        again = desk.jobs.reuse(draft, first, replace(SPEC, wishes=Wishes("em_alex")), keeps_wishes=False)
    assert again.wishes == Wishes("em_alex")


def test_a_wish_that_is_no_name_is_refused(desk: Desk, film: Path) -> None:
    with pytest.raises(InputError, match="voice has to be a name of at most 200 characters"):
        desk.submit(film, replace(SPEC, wishes=Wishes("x" * 201)))
