"""What routes and page do with jobs: take and check films, give results, and edit lines."""

from __future__ import annotations

import hashlib
import json
import mimetypes
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from vt import languages, media
from vt.domain import NO_EDITS, PREVIEW_SECONDS, Cancel, Edits, Finish, Job, JobSpec, JobState, Wishes
from vt.dubbing import carrying, first_lines, pipeline, report, subtitling
from vt.dubbing.artifacts import ArtifactReader, Artifacts
from vt.dubbing.report import DubbedLine, DubReport, Report, SpeakerUse
from vt.dubbing.services import RequestChecker
from vt.engines.definition import AUTO
from vt.errors import (
    FilmTooLarge,
    InputError,
    JobNotFound,
    MediaError,
    NoSuchResult,
    Outdated,
    StorageError,
    VtError,
    WrongState,
)
from vt.jobs import edit_checks, joined, new_lines, outlines, records, remarks
from vt.jobs.job_folder import JobFolder
from vt.jobs.new_lines import NewLine
from vt.jobs.page_copies import PageCopies
from vt.jobs.results import ResultFile, ResultText
from vt.jobs.speaking_ahead import Drafted, SpeakingAhead
from vt.jobs.store import ID, DataFolder, Store, Submission, new_id
from vt.jobs.takes import DubTakes
from vt.jobs.worker import Hear, Worker, file_names
from vt.settings import Settings
from vt.system import disk
from vt.system.processes import Slots
from vt.system.sandbox import CORES
from vt.translatable import Message
from vt.web.visitors import PerVisitorSemaphore

_T = TypeVar("_T")

MB = 2**20
_RESERVE = 200 * MB
"""Free disk that no job may use, for the database, the log and other programs."""
_WORK_BYTES_PER_SECOND = 300_000
"""The most that the files of a run take for a second of film: extracted sound, spoken lines, the dubbed track."""
_JOINING_SECONDS = 60.0
"""Whoever wants dubs in one file waits so long for those before them."""
_MOST_DRAFTED, _LONGEST_DRAFT, _DRAFT_BYTES = 8, 400, 32 * MB
"""So many lines, of so many characters each, are spoken before they are saved, and take far less of the disk."""
_LONGEST_NAME = 200
_LONGEST_KEY = 255
_KEPT_FORMS = ("srt", "vtt")
_TYPES = {
    ".mp4": "video/mp4",
    ".m4a": "audio/mp4",
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".ass": "text/x-ssa",
    ".json": "application/json",
}


@dataclass(slots=True)
class Draft:
    """A job that is not submitted yet: its folder exists, for the film, for subtitles and for a glossary."""

    id: str
    film: Path
    subtitles: Path
    glossary: Path
    edits: Edits = NO_EDITS
    """What is known by hand of the speakers of the film, from another dub of it."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a finished dub, as its report has them."""

    segments: tuple[DubbedLine, ...]
    version: int
    """The version of the results; an edit has to name it."""
    speakers: tuple[SpeakerUse, ...]
    """None where only one person speaks."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What somebody who waits for a job wants to know."""

    ahead: int
    """How many jobs run or come before it."""
    seconds: float | None
    """About how long it will be until it is done; None: not known."""


class Jobs:
    """The jobs of a server. Any thread may call any method; those that read a film or the disk may take a while."""

    def __init__(
        self,
        settings: Settings,
        checker: RequestChecker,
        data: DataFolder,
        store: Store,
        worker: Worker,
        free: Callable[[Path], int] = disk.free_bytes,
        looks: PerVisitorSemaphore | None = None,
        ahead: SpeakingAhead | None = None,
    ) -> None:
        """Serve the jobs of a worker.

        Args:
            settings: the limits.
            checker: checks whether the languages and engines of a request can be served.
            data: where the jobs' folders are.
            store: where the jobs are.
            worker: runs the jobs.
            free: returns how many bytes are free on the disk of a folder.
            looks: limits how many films of one visitor are examined at a time; None: half of all that may be.
            ahead: speaks drafts of edits; None: nothing does.
        """
        self._settings, self._checker = settings, checker
        self._data, self._store, self._worker = data, store, worker
        self._free, self._ahead = free, ahead
        self._copies = PageCopies(media.page_copy)
        self._joining = Slots(1, patience=_JOINING_SECONDS)
        self._looks = looks or PerVisitorSemaphore(CORES)  # `processes.PROBES` are twice as many

    # In

    @contextmanager
    def draft(self) -> Iterator[Draft]:
        """Make a folder for a film; it is removed with its content unless the draft is submitted."""
        job_id = new_id()
        folder = self._data.job(job_id)
        with disk_errors():
            folder.mkdir()
        try:
            with disk_errors():
                places = self._data.folder(job_id)
                yield Draft(job_id, places.film, places.subtitles, places.glossary)
        finally:
            with suppress(StorageError):  # if the database cannot be read, the next start removes the folder
                try:
                    self._store.get(job_id)
                except JobNotFound:
                    shutil.rmtree(folder, ignore_errors=True)

    def check_room(self, upload_bytes: int) -> None:
        """Raise, before a film is received, where it is too large or the disk has no room for it.

        Raises:
            FilmTooLarge: this server takes no film of this size.
            StorageError: the disk has no room for it.
        """
        if upload_bytes > self.upload_limit:
            raise self.too_large()
        self._check_disk(2 * upload_bytes)

    def check_reserve(self, folder: Path, more_bytes: int = 0) -> None:
        """Raise where a folder's disk would have less left than the reserve; also called while a film is received.

        Raises:
            StorageError: there is no room.
        """
        self._check_disk(more_bytes, folder)

    def too_large(self) -> FilmTooLarge:
        """Return the error for a film that is larger than the limit."""
        return FilmTooLarge(self._settings.max_upload_mb)

    @property
    def upload_limit(self) -> int:
        """The size in bytes of the largest film that is taken."""
        return self._settings.max_upload_mb * MB

    def submit(self, draft: Draft, spec: JobSpec, visitor: str = "", key: str = "", person: str = "") -> Job:
        """Check a job, and put it into the queue; the film is in the draft's folder.

        Where the visitor has sent the same under the same key before, the job that came of it is returned.

        Args:
            draft: holds the film.
            spec: what is to be done with it.
            visitor: the `key` of the `Visitor` whose limits the job counts for; empty: nobody's.
            key: the sender's own name for this request; empty: it has none.
            person: the key of whoever the job is to belong to; empty: to whoever knows its id.

        Raises:
            InputError: the film, the subtitles, the languages or the track are at fault, or the key is: it is too long,
                or was used for something else.
            ModelUnavailable: a stage has no model or engine.
            StorageError: the results would find no room.
            QueueFull: too many jobs wait already.
            TooManyJobs: too many of the visitor's wait and run already.
            TooMuchKept: too much is kept of the visitor's films already.
        """
        if len(key) > _LONGEST_KEY:
            raise InputError("A key of a request has at most {most} characters.", most=_LONGEST_KEY)
        spec, seconds = self._checked(draft, spec, visitor)
        with disk_errors():
            submission = Submission(key, _digest(draft, spec) if key else "", seconds, person)
        return self._worker.submit(draft.id, spec, visitor, draft.edits, submission)

    def reuse(self, draft: Draft, job_id: str, spec: JobSpec, *, keeps_wishes: bool = True) -> JobSpec:
        """Use another job's film, subtitles, glossary and artifacts; they are linked, and take no more space.

        Args:
            draft: gets the film, and what was changed by hand in its speakers where the same words will be heard; from
                a preview in the same language, all that was changed.
            job_id: of the other job.
            spec: what is asked for now.
            keeps_wishes: False: only the wishes in `spec` count, and an empty one means the best.

        Returns:
            The specification for that film. Subtitles, glossary, track, language and wishes that `spec` does not name
            are the other job's; its voice is used only for the same target language. Of a preview it is the whole film,
            unless `spec` asks for a preview too.

        Raises:
            JobNotFound: there is no such job.
        """
        job = self._store.get(job_id)
        try:
            disk.link_or_copy(self._data.input(job_id), draft.film)
            if job.request.has_subtitle_file and spec.subtitles is None:
                disk.link_or_copy(self._data.subtitles(job_id), draft.subtitles)
            if job.request.glossary and not spec.glossary:
                disk.link_or_copy(self._data.folder(job_id).glossary, draft.glossary)
        except FileNotFoundError:  # removed at this moment
            raise JobNotFound from None
        Artifacts(self._data.artifacts(draft.id)).adopt(self._data.artifacts(job_id))
        before = job.request
        wanted = replace(
            spec,
            file=before.file,
            subtitles=spec.subtitles or before.subtitles,
            glossary=spec.glossary or before.glossary,
            audio_track=spec.audio_track or before.audio_track,
            speakers=spec.speakers or (before.speakers if keeps_wishes else None),
            mark_speakers=spec.mark_speakers or (keeps_wishes and before.mark_speakers),
            finish=_finish(before, spec) if keeps_wishes else spec.finish,
            source_language=before.source_language if spec.source_language == "auto" else spec.source_language,
            wishes=_inherited(before, spec) if keeps_wishes else spec.wishes,
        )
        if not spec.has_subtitle_file:
            draft.edits = self._edits_for(wanted, job)
        return wanted

    def _edits_for(self, wanted: JobSpec, job: Job) -> Edits:
        """Return what holds in a new job of what was changed by hand in another one of the same film.

        Of a preview all of it holds in the whole film; else what was changed in the speakers.
        """
        edits, before = self._mended(job) if job.version else job.edits, job.request
        is_whole = before.preview and not wanted.preview
        if not _hears_the_same(replace(before, preview=before.preview and not is_whole), wanted):
            return NO_EDITS
        held = edits if is_whole and wanted.target == before.target else edits.of_speakers
        return replace(held, of_preview=is_whole or edits.of_preview)

    def _mended(self, job: Job) -> Edits:
        """Return the edits that the results of a job hold."""
        return carrying.settled(job.mended, ArtifactReader(self._data.artifacts(job.id)))

    def inspect(self, draft: Draft, name: str, visitor: str = "") -> dict[str, Any]:
        """Return what is in a film in the draft's folder; `visitor` is the key of the one who asks.

        Raises:
            MediaError: it is no film, or cannot be read.
        """
        spec = JobSpec(file=plain_name(name), target_language="")
        with self._naming_the_film(draft, spec), self._looks.one(visitor):
            info = media.probe(draft.film)
        return {
            "file": spec.file,
            "duration_seconds": round(info.seconds, 3),
            "video": _track(info.video) if info.video else None,
            "audio": [_track(track) | {"channels": track.channels} for track in info.audio],
            "subtitles": [_track(track) | {"is_text": media.holds_text(track)} for track in info.subtitles],
        }

    def _checked(self, draft: Draft, spec: JobSpec, visitor: str) -> tuple[JobSpec, float]:
        """Return what is asked for in its shortest form, and how many seconds of film are to be dubbed."""
        target = spec.target
        spec = replace(
            spec,
            file=plain_name(spec.file),
            subtitles=None if spec.subtitles is None else plain_name(spec.subtitles, "subtitles"),
            glossary=plain_name(spec.glossary, "glossary") if spec.glossary else "",
            target_language=target.code if target else "",
            source_language=_source_code(spec.source_language),
            wishes=_checked_wishes(spec.wishes),
        )
        limit = self._settings.max_duration_minutes
        asked = spec.to_request(draft.film, draft.subtitles, glossary=draft.glossary)
        request = replace(asked, longest_seconds=60 * limit)
        with self._naming_the_film(draft, spec), self._looks.one(visitor):
            seconds = pipeline.check(request, self._checker)
        if seconds > limit * 60:
            raise MediaError(
                "{file} is too long: it lasts {minutes:.1f} minutes, and this server takes at most {limit:g} "
                "(VT_MAX_DURATION_MINUTES).",
                file=spec.file,
                minutes=seconds / 60,
                limit=limit,
            )
        spec = replace(spec, preview=spec.preview and seconds > PREVIEW_SECONDS)
        seconds = min(seconds, PREVIEW_SECONDS) if spec.preview else seconds
        self._check_disk(int(1.1 * draft.film.stat().st_size + seconds * _WORK_BYTES_PER_SECOND))
        return spec, seconds

    @contextmanager
    def _naming_the_film(self, draft: Draft, spec: JobSpec) -> Iterator[None]:
        """Have errors name the film as its user called it."""
        try:
            yield
        except VtError as error:
            error.name_files(file_names(self._data, draft.id, spec))
            raise

    def _check_disk(self, needed: int, folder: Path | None = None) -> None:
        free = self._free(folder or self._data.path) - _RESERVE
        if needed > free:
            raise StorageError(
                "The disk has no room for this: about {needed:.0f} MB are needed, and {free:.0f} MB are free "
                "for it. Remove jobs that are over, or try a smaller film.",
                needed=needed / MB,
                free=max(0, free) / MB,
            )

    # What is told of the queue, of the time, and to others

    def outlook(self, job_id: str) -> Outlook:
        """Return what somebody who waits for a job wants to know.

        Raises:
            JobNotFound: there is no such job.
        """
        job, before, pace = self._store.get(job_id), self._store.ahead(job_id), self._store.pace()
        waited_for = [*before, job]
        if pace is None or not all(one.seconds for one in waited_for):
            return Outlook(len(before), None)
        left = [pace * one.seconds * (1 - one.fraction) for one in waited_for]
        return Outlook(len(before), sum(left[:-1]) / self._settings.jobs_at_once + left[-1])

    def busy(self) -> int:
        """Return how many jobs run or wait now."""
        return sum(count for state, count in self._store.counts().items() if not state.is_over)

    def expected_seconds(self, film_seconds: float) -> float | None:
        """Return about how long a dub of a film takes here, without the time it waits; None: not known yet."""
        pace = self._store.pace()
        return None if pace is None else pace * film_seconds

    def kept_seconds(self, job_ids: Sequence[str]) -> dict[str, float]:
        """Return for how long each of these jobs is still kept, should nobody touch it."""
        kept = 3600 * self._settings.retention_hours
        return {job_id: max(0.0, kept - past) for job_id, past in self._store.untouched_seconds(job_ids).items()}

    def link(self, job_id: str) -> str:
        """Return the secret of the link by which others may see the results of a job; it is made where there is none.

        Raises:
            JobNotFound: there is no such job.
        """
        return self._worker.link(job_id)

    def link_of(self, job_id: str) -> str:
        """Return the secret of a job's link; empty: it has none.

        Raises:
            JobNotFound: there is no such job.
        """
        return self._store.link_of(job_id)

    def unlink(self, job_id: str) -> None:
        """Have a job's link lead nowhere any more.

        Raises:
            JobNotFound: there is no such job.
        """
        self._worker.unlink(job_id)

    def linked(self, secret: str) -> Job:
        """Return the job that a link leads to.

        Raises:
            JobNotFound: it leads to none, or no longer.
        """
        if not ID.fullmatch(secret):
            raise JobNotFound
        return self._store.linked(secret)

    # While it runs

    def get(self, job_id: str) -> Job:
        """Return a job as it is now.

        Raises:
            JobNotFound: there is no such job.
        """
        return self._store.get(job_id)

    def of_person(self, person: str) -> list[str]:
        """Return the ids of the jobs that belong to a person, the newest first; none for an empty key."""
        return self._store.of_person(person) if person else []

    def page(self, limit: int, offset: int = 0) -> list[Job]:
        """Return at most `limit` jobs, the newest first, after `offset` others."""
        return self._store.page(limit, offset)

    def listening(self, job_id: str, hear: Hear) -> AbstractContextManager[None]:
        """Have `hear` called for each change of a job while the block runs; see `Worker.listening`."""
        return self._worker.listening(job_id, hear)

    def cancel(self, job_id: str) -> Job:
        """End a job for good, at once.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it is over.
        """
        return self._worker.cancel(job_id)

    def remove(self, job_id: str) -> None:
        """Remove a job with its folder; one that waits or runs is cancelled first.

        Raises:
            JobNotFound: there is no such job.
        """
        self._copies.stop(self._data.job(job_id))
        if self._ahead:
            self._ahead.stop(self._data.job(job_id))
        self._worker.remove(job_id)

    def announce_removal(self, job_id: str) -> None:
        """Note that a job is to be removed in a moment: if the server dies before, the next start removes it.

        Where the disk does not let that be noted, such a job stays until it expires.
        """
        with suppress(OSError):
            records.announce_removal(self._data.job(job_id))

    def withdraw_removal(self, job_id: str) -> None:
        """Forget that a job was to be removed.

        Raises:
            StorageError: the disk does not let that be forgotten.
        """
        with disk_errors():
            records.withdraw_removal(self._data.job(job_id))

    def first_lines(self, job_id: str) -> list[int]:
        """Return the numbers of the first lines that can be heard already, in order; none of a job that does not run.

        Raises:
            JobNotFound: there is no such job.
        """
        job = self._store.get(job_id)
        return first_lines.kept(self._first_lines(job_id)) if job.state is JobState.RUNNING else []

    def first_line(self, job_id: str, line: int) -> ResultFile:
        """Return one of the first lines of a dub that is being made, as its voice has spoken it.

        Raises:
            JobNotFound: there is no such job.
            NoSuchResult: it is none of those that can be heard now.
        """
        if line not in self.first_lines(job_id):
            raise NoSuchResult("This line cannot be heard now.")
        return _sound(self._first_lines(job_id), line)

    def _first_lines(self, job_id: str) -> Path:
        return self._data.folder(job_id).work / pipeline.FIRST_LINES

    def fresh_line(self, job_id: str, line: int) -> ResultFile | None:
        """Return a line as an edit has just had it spoken, while the rest of the dub is put together again.

        The database is not asked: so somebody who waits for the line may look for it often.

        Args:
            job_id: of a job that exists.
            line: its number, from 0, in the dub that is being made.

        Returns:
            The line without what is heard under it; None where it has not been spoken anew, or not yet.
        """
        fresh = _sound(self._data.folder(job_id).work / pipeline.FRESH_LINES, line)
        return fresh if fresh.path.exists() else None

    # Out

    def original(self, job_id: str) -> ResultFile:
        """Return the film as it was uploaded.

        Raises:
            JobNotFound: there is no such job.
        """
        name = self._store.get(job_id).request.file
        kind = mimetypes.guess_type(name)[0] or ""
        # With any other type, a browser might show or run the file instead of saving it.
        media_type = kind if kind.startswith(("video/", "audio/")) else "application/octet-stream"
        return ResultFile(self._data.input(job_id), name, media_type)

    def film(self, job_id: str) -> ResultFile:
        """Return the dubbed film, or sound.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it has no results yet.
        """
        job, names = self._finished(job_id, _names)
        found = [name for name in names if name.endswith((".mp4", ".m4a"))]
        if not found:
            raise NoSuchResult("The film was not dubbed, only written down: there are subtitles and a report.")
        return self._file(job, found[0].partition(".")[2])

    def subtitles(
        self, job_id: str, language: str, ending: str, *, karaoke: bool | None = None
    ) -> ResultFile | ResultText:
        """Return the subtitles in one language, or in `both`, as `srt`, `vtt` or `ass`.

        Those that lie with the film are files; all others are made from its report when they are asked for.

        Args:
            job_id: of the job.
            language: the code of one of its languages, or `both`.
            ending: the form.
            karaoke: whether words light up as they are spoken; None: in `ass`, where the job was asked for that.

        Raises:
            InputError: words cannot light up in that form.
            JobNotFound: there is no such job.
            WrongState: it has no results yet.
            NoSuchResult: it has subtitles, but not these.
        """
        job, (names, report) = self._finished(job_id, lambda *found: (_names(*found), _report(*found)))
        wanted = f"{language}.{ending}"
        if karaoke is None:
            karaoke = job.request.finish.karaoke and ending == subtitling.KARAOKE
        if not karaoke and ending in _KEPT_FORMS and wanted in {name.partition(".")[2] for name in names}:
            return self._file(job, wanted)
        sides = subtitling.of_report(report, mark_speakers=job.request.mark_speakers)
        if language not in sides.names or ending not in subtitling.FORMS:
            listed = ", ".join(f"{name}.{form}" for name in sides.names for form in subtitling.FORMS)
            raise NoSuchResult(
                "The job has no subtitles {language}.{ending}: there are {known}.",
                language=language,
                ending=ending,
                known=listed,
            )
        text = sides.written(language, ending, karaoke=karaoke)
        return ResultText(text, f"{job.request.stem}.{wanted}", _TYPES[f".{ending}"])

    def everything(self, job_id: str) -> list[ResultFile | ResultText]:
        """Return all results: the film, its subtitles in both languages and in both at a time, and the report.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it has no results yet.
            NoSuchResult: the film was only written down.
        """
        report = self.dub_report(job_id)
        sides = subtitling.of_report(report, mark_speakers=False)
        named = [(name, form) for name in sides.names for form in subtitling.FORMS]
        # The film comes last: it takes long to be sent, and newer results may replace all files meanwhile.
        return [
            *(self.subtitles(job_id, name, form) for name, form in named),
            self.report_file(job_id),
            self.film(job_id),
        ]

    def in_one_file(self, job_ids: Sequence[str], cancel: Cancel, visitor: str = "") -> ResultFile:
        """Return several dubs of one film in one file; it is made when it is first asked for, and kept with the first.

        Args:
            job_ids: of the dubs: the first gives the picture, and is what plays where nobody chooses.
            cancel: ends it.
            visitor: the key of the one who asks.

        Raises:
            InputError: they are too few or too many, or cannot share one file.
            JobNotFound: there is no such job.
            WrongState: one of them has no results yet.
            NoSuchResult: a film was only written down.
            StorageError: the disk has no room for it.
            TooManyRequests: others have theirs made.
            Cancelled: `cancel` was set.
        """
        if not 2 <= len(job_ids) <= joined.MOST:
            raise InputError("Name 2 to {most} dubs of one film.", most=joined.MOST)
        with disk_errors(), _or_removed():
            dubs = [self._dub(job_id) for job_id in job_ids]
            with self._looks.one(visitor):
                joined.check(dubs)
            place = joined.place(dubs)
            if not place.exists():
                with self._joining.one(cancel):
                    if not place.exists():
                        self._check_disk(2 * sum(dub.film.stat().st_size for dub in dubs))
                        joined.make(dubs, place, cancel)
        return ResultFile(place, joined.name(dubs), _TYPES[place.suffix])

    def _dub(self, job_id: str) -> joined.Dub:
        return joined.Dub(self._store.get(job_id), self._data.folder(job_id), self.film(job_id).path)

    def picture(self, job_id: str, visitor: str = "") -> ResultFile:
        """Return a small picture of the film; it is made when it is first asked for.

        Args:
            job_id: of the film.
            visitor: the key of the one who asks.

        Raises:
            JobNotFound: there is no such job.
            NoSuchResult: the film has no picture.
        """
        job, folder = self._store.get(job_id), self._data.folder(job_id)
        with disk_errors(), _or_removed():
            if not folder.picture.exists():
                with self._looks.one(visitor):
                    _make_picture(folder, job.seconds)
            size = folder.picture.stat().st_size
        if not size:
            raise NoSuchResult("The film has no picture.")
        return ResultFile(folder.picture, f"{job.request.stem}.jpg", "image/jpeg")

    def make_page_copy(self, job_id: str, visitor: str = "") -> None:
        """Have a copy of the dubbed film made that every browser can show, in the background.

        Args:
            job_id: of the dub.
            visitor: the key of the one who asks.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it has no results yet.
            StorageError: the disk has no room for it.
            TooManyRequests: too many are on their way.
        """
        job, film = self._store.get(job_id), self.film(job_id)
        with disk_errors(), _or_removed():
            size = film.path.stat().st_size
        self._check_disk(size)
        self._copies.begin(film.path, job.seconds, self._data.folder(job_id).page_copy(job.version), visitor)

    def page_copy_state(self, job_id: str) -> str:
        """Return how far that copy is: `done`, `running`, `failed` or `none`.

        Raises:
            JobNotFound: there is no such job.
        """
        return self._copies.state(self._data.folder(job_id).page_copy(self._store.get(job_id).version))

    def page_copy(self, job_id: str) -> ResultFile:
        """Return the copy of the dubbed film that every browser can show.

        Raises:
            JobNotFound: there is no such job.
            NoSuchResult: it has not been made.
        """
        job = self._store.get(job_id)
        place = self._data.folder(job_id).page_copy(job.version)
        if not place.exists():
            raise NoSuchResult("The copy for the page has not been made.")
        return ResultFile(place, f"{job.request.stem}.mp4", "video/mp4")

    def close(self) -> None:
        """Stop what is made in the background for the page."""
        self._copies.close()
        if self._ahead:
            self._ahead.close()

    def subtitle_files(self, job_id: str) -> list[ResultFile]:
        """Return the subtitles that lie with the film, those of the dub first.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it has no results yet.
        """
        job, report = self._finished(job_id, _report)
        sides = subtitling.of_report(report, mark_speakers=False)
        return [self._file(job, f"{language.code}.{form}") for language in sides.languages for form in _KEPT_FORMS]

    def report(self, job_id: str) -> Report:
        """Return the report of a dub or of a transcript.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it has no results yet.
        """
        return self._finished(job_id, _report)[1]

    def report_json(self, job_id: str) -> dict[str, Any]:
        """Return the report as it is in its file, including keys that this version does not know.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it has no results yet.
        """
        return self._finished(job_id, _report_json)[1]

    def remarks(self, job_id: str) -> list[Message]:
        """Return the remarks of the report, which can be translated.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it has no results yet.
        """
        return self._finished(job_id, _remarks)[1]

    def dub_report(self, job_id: str) -> DubReport:
        """Return the report of a dub.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it has no results yet.
            NoSuchResult: the film was only written down.
        """
        return _of_dub(self.report(job_id))

    def report_file(self, job_id: str) -> ResultFile:
        """Return the report as a file.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it has no results yet.
        """
        job, _ = self._finished(job_id, _names)
        return self._file(job, pipeline.report_name(job.request.target_language))

    def outline(self, job_id: str, *, of_dub: bool, visitor: str = "") -> list[int]:
        """Return the outline of a sound for a chart: the peak, 0..255, of each of many equal parts of the film.

        There are twenty parts a second, in long films fewer, and none where there is no sound that can be decoded. The
        first call measures it, which takes a moment.

        Args:
            job_id: of the dub.
            of_dub: whether it is the dub's, or that of the original's track that is dubbed.
            visitor: the key of the one who asks.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it has no results yet.
            NoSuchResult: the film was only written down.
            StorageError: it cannot be kept.
        """
        job = self._store.get(job_id)
        folder = self._data.folder(job_id)
        if not job.version:
            raise WrongState(job.state)
        kept = folder.peaks(job.version if of_dub else 0)
        if (found := outlines.read(kept)) is not None:
            return found
        with self._looks.one(visitor), disk_errors(), _or_removed():
            if of_dub:
                return outlines.of_dub(self.film(job_id).path, kept)
            seconds = self.report(job_id).source.duration_seconds if job.request.preview else None
            return outlines.of_original(job.request.to_request(folder.film, folder.subtitles), kept, seconds)

    def lines(self, job_id: str) -> Lines:
        """Return the lines as they are spoken.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it has no results yet.
            NoSuchResult: the film was only written down.
        """
        job, report = self._finished(job_id, _report)
        return Lines(_of_dub(report).segments, job.version, report.speakers)

    def takes(self, job_id: str) -> DubTakes:
        """Return what was spoken for each line, now and before edits.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it has no results yet.
            NoSuchResult: the film was only written down.
        """
        job, report = self._finished(job_id, _report)
        return DubTakes.of(_of_dub(report), self._mended(job), ArtifactReader(self._data.artifacts(job_id)))

    def edit(self, job_id: str, version: int, changes: Edits, visitor: str = "", new: Sequence[NewLine] = ()) -> Job:
        """Have parts of a finished dub done again. The old results stay until the new ones are there.

        Args:
            job_id: of the dub.
            version: of the results that the changes were made from.
            changes: what is to be otherwise.
            visitor: the `key` of the `Visitor` whose limits the job counts for from now on; empty: nobody's.
            new: lines that are added; the ids of those behind them move up.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it waits or runs, or has no results.
            Outdated: its results are of another version.
            InputError: a line, speaker or voice is unknown, or a new text, name or time is not possible.
            StorageError: new results would find no room beside the old ones.
            QueueFull: too many jobs wait already.
            TooManyJobs: too many of the visitor's wait and run already.
        """
        job = self._store.get(job_id)
        report = self._editable(job, version)
        edits = self._edits(job, report, changes, new)
        with disk_errors():
            film_bytes = self._data.input(job_id).stat().st_size
        again = len(report.segments) if changes.speakers else len(changes.lines) + len(new)
        self._check_disk(int(1.1 * film_bytes) + again * MB)
        return self._worker.edit(job_id, version, edits, visitor)

    def speak_ahead(self, job_id: str, version: int, changes: Edits, new: Sequence[NewLine] = ()) -> bool:
        """Have lines spoken that somebody may be about to save, so that `edit` with the same changes finds them spoken.

        Nothing is changed by that, and nothing else waits for it: it is done only while no job waits or runs, with a
        voice that is in memory, and for few lines that are not long.

        Args:
            job_id: of the dub.
            version: of the results that the changes were made from.
            changes: what may be otherwise.
            new: lines that may be added.

        Returns:
            Whether they are spoken now.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it waits or runs, or has no results.
            Outdated: its results are of another version.
            InputError: as `edit` does.
            TooManyRequests: the last draft of this job came just now.
        """
        job, folder = self._store.get(job_id), self._data.folder(job_id)
        if self._ahead is None or not _is_small(changes, new):
            return False
        self._ahead.check_rate(folder.path)
        edits = self._edits(job, self._editable(job, version), changes, new)
        if self.busy() or self._free(self._data.path) < _RESERVE + _DRAFT_BYTES:
            return False
        request = job.request.to_request(folder.film, folder.subtitles, edits, folder.glossary)
        return self._ahead.offer(Drafted(folder.path, request))

    def _editable(self, job: Job, version: int) -> DubReport:
        """Return the report of a dub that may be edited now; raises what `edit` raises."""
        if not job.state.is_over:
            raise WrongState(job.state)
        if job.version != version and job.version:
            raise Outdated
        return self.dub_report(job.id)

    def _edits(self, job: Job, report: DubReport, changes: Edits, new: Sequence[NewLine]) -> Edits:
        """Return all edits that a dub has after some changes.

        Raises:
            InputError: a line, speaker or voice is unknown, or a new text, name or time is not possible.
        """
        changes, before = edit_checks.checked(changes, report, self._checker.voices(), new), self._mended(job)
        if new:
            changes, before = new_lines.placed(new, edit_checks.starts(report.segments, changes), changes, before)
        return changes.over(before)

    def _finished(self, job_id: str, read: Callable[[Job, JobFolder], _T]) -> tuple[Job, _T]:
        """Return a job and what `read` returns from its results; again where newer results replace them meanwhile."""
        version = 0
        while True:
            job = self._store.get(job_id)
            if not job.version:
                raise WrongState(job.state)
            try:
                return job, read(job, self._data.folder(job_id))
            except FileNotFoundError as error:
                if job.version == version:
                    raise StorageError("The results have been removed from the disk: dub the film again.") from error
                version = job.version
            except OSError as error:
                raise StorageError(
                    "The results cannot be read ({reason}): check the disk.", reason=str(error.strerror)
                ) from error
            except ValueError as error:
                raise StorageError("The results are damaged: dub the film again.") from error

    def _file(self, job: Job, ending: str) -> ResultFile:
        path = self._data.folder(job.id).result(job.version, ending)
        return ResultFile(path, f"{job.request.stem}.{ending}", _TYPES[path.suffix])


def _is_small(changes: Edits, new: Sequence[NewLine]) -> bool:
    """Tell whether changes are of few short lines, and of no speaker, with whom many lines may change."""
    edits = [*changes.lines.values(), *(one.edit for one in new)]
    is_short = all(len(text) <= _LONGEST_DRAFT for edit in edits for text in (edit.text or "", edit.source_text or ""))
    return not changes.speakers and len(edits) <= _MOST_DRAFTED and is_short


def _sound(folder: Path, line: int) -> ResultFile:
    """Return a line that can be heard while its dub is made."""
    return ResultFile(first_lines.path(folder, line), f"{line + 1}.wav", "audio/wav")


def _make_picture(folder: JobFolder, seconds: float) -> None:
    """Make the small picture of a film, unless somebody else has just made it."""
    if folder.picture.exists():
        return
    new = folder.path / f"{folder.picture.name}.{new_id()}"
    new.write_bytes(media.thumbnail(folder.film, seconds))
    new.replace(folder.picture)


@contextmanager
def _or_removed() -> Iterator[None]:
    """Take a missing file for a sign that the job is being removed while the block runs."""
    try:
        yield
    except FileNotFoundError:
        raise JobNotFound from None


def _names(job: Job, folder: JobFolder) -> list[str]:
    return sorted(path.name for path in folder.results(job.version).iterdir())


def _remarks(job: Job, folder: JobFolder) -> list[Message]:
    kept = remarks.read(folder.results(job.version))
    return kept if kept is not None else [Message(note) for note in _report(job, folder).notes]


def _report(job: Job, folder: JobFolder) -> Report:
    return report.read(_report_path(job, folder).read_bytes())


def _report_json(job: Job, folder: JobFolder) -> dict[str, Any]:
    return report.read_json(_report_path(job, folder).read_bytes())


def _report_path(job: Job, folder: JobFolder) -> Path:
    return folder.result(job.version, pipeline.report_name(job.request.target_language))


def _of_dub(found: Report) -> DubReport:
    if isinstance(found, DubReport):
        return found
    raise NoSuchResult("The film was not dubbed, only written down: there is no line to be spoken.")


def plain_name(name: str, default: str = "film") -> str:
    """Return a user's name for a file, made safe to show and save: no folders, no control characters, not too long."""
    last = re.split(r"[/\\]", name.encode("utf-8", "replace").decode())[-1]
    shown = "".join(char for char in last if char.isprintable()).strip().strip(".") or default
    stem, dot, ending = shown.rpartition(".")
    if len(shown.encode()) <= _LONGEST_NAME:
        return shown
    room = _LONGEST_NAME - len((dot + ending).encode()) if stem and len(ending) <= 10 else _LONGEST_NAME
    short = (stem if room < _LONGEST_NAME else shown).encode()[:room].decode(errors="ignore")
    return short + (dot + ending if room < _LONGEST_NAME else "")


def _source_code(wanted: str) -> str:
    spoken = languages.spoken(wanted)
    return spoken.code if spoken else languages.AUTO


def _checked_wishes(given: Wishes) -> Wishes:
    """Return the wishes without surrounding spaces; the voice "auto" becomes empty.

    Raises:
        InputError: one is too long to be a name.
    """
    for name, value in asdict(given).items():
        if len(value) > _LONGEST_NAME:
            raise InputError("{name} has to be a name of at most {most} characters.", name=name, most=_LONGEST_NAME)
    plain = Wishes(**{name: value.strip() for name, value in asdict(given).items()})
    return replace(plain, voice="") if plain.voice == AUTO else plain


def _inherited(before: JobSpec, spec: JobSpec) -> Wishes:
    """Return the wishes of a job; where it has none, those of the earlier job, as far as they fit."""
    old, new = before.wishes, spec.wishes
    if spec.target != before.target or new.tts_engine:
        old = replace(old, voice="")
    if new.voice:
        old = replace(old, tts_engine="")
    return Wishes(
        new.voice or old.voice,
        new.tts_engine or old.tts_engine,
        new.translation_engine or old.translation_engine,
    )


def _hears_the_same(one: JobSpec, other: JobSpec) -> bool:
    """Tell whether two jobs of one film have the same lines, by the same speakers."""
    first, second = (
        (spec.subtitles, spec.audio_track, spec.speakers, spec.preview, _source_code(spec.source_language))
        for spec in (one, other)
    )
    return first == second


def _finish(before: JobSpec, spec: JobSpec) -> Finish:
    """Return how a job's film is made up; what it does not name is as in the earlier job, for its own language."""
    old = before.finish
    if old.burn == before.target_language:
        old = replace(old, burn=spec.target_language)
    return spec.finish.over(old)


def _digest(draft: Draft, spec: JobSpec) -> str:
    """Return a digest of all that is asked for: the specification, the film, its subtitles and its glossary."""
    whole = hashlib.blake2b(json.dumps(spec.as_json()).encode(), digest_size=16)
    for file in (draft.film, draft.subtitles, draft.glossary):
        if file.exists():
            with file.open("rb") as content:
                whole.update(hashlib.file_digest(content, "blake2b").digest())
    return whole.hexdigest()


def _track(track: media.Track) -> dict[str, Any]:
    return {"codec": track.codec, "language": track.language, "title": track.title}


def disk_errors() -> AbstractContextManager[None]:
    """Turn errors of the data folder's disk into a `StorageError` while the block runs."""
    return disk.translated(
        lambda error: StorageError(
            "The data folder cannot be written ({reason}): check its disk.", reason=str(error.strerror)
        )
    )
