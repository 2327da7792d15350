"""Speaks edited lines of finished dubs ahead, while somebody still types: so the edit finds them spoken."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from vt.domain import Cancel, JobRequest
from vt.dubbing import line_takes, pipeline
from vt.dubbing.artifacts import Artifacts
from vt.dubbing.idle_services import IdleServices, VoiceServices
from vt.errors import TooManyRequests, VtError
from vt.jobs.job_folder import JobFolder

_log = logging.getLogger(__name__)

_MOST_BYTES = 4 * 2**20
"""What the sounds of a job's drafts may take on the disk, but for the newest: those of ten lines or so."""
EACH_SECONDS = 0.2
"""A job's drafts come no faster: nobody rests so often."""
_PATIENCE_SECONDS = 60.0
"""An edit waits no longer for what it needs to be spoken."""
_GOODBYE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Drafted:
    """A finished dub with edits that somebody may be about to save."""

    folder: Path
    """The job's."""
    request: JobRequest
    """With the edits."""


@dataclass(frozen=True, slots=True)
class _Work:
    """A draft that is being spoken."""

    draft: Drafted
    cancel: Cancel = field(default_factory=Cancel)


class SpeakingAhead:
    """Speaks one draft at a time for the whole server, and only while no job runs. Any thread may call any method.

    Of a job the newest draft takes the place of the one before; one of another job waits for nobody, but is not spoken.
    What is spoken is kept in a folder beside the job's artifacts, and not among them: so nothing that is never saved
    gets there, and a run has its folder for itself.

    `_changed` protects all fields. It is not held while anything is spoken.
    """

    def __init__(
        self,
        services: VoiceServices,
        clock: Callable[[], float] = time.monotonic,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        self.most_bytes = most_bytes
        self._services, self._clock = IdleServices(services), clock
        self._changed = threading.Condition()
        self._now: _Work | None = None
        self._next: _Work | None = None
        self._runs = 0
        """How many jobs run now."""
        self._is_closed = False
        self._came: dict[Path, float] = {}
        """When the latest draft of a job came, for those that came just now."""

    def check_rate(self, folder: Path) -> None:
        """Count a draft of the job in `folder`.

        Raises:
            TooManyRequests: its last one came just now.
        """
        with self._changed:
            now = self._clock()
            self._came = {one: at for one, at in self._came.items() if now - at < EACH_SECONDS}
            if folder in self._came:
                raise TooManyRequests(
                    "This server has too many {what} at once: try again in a moment.", what="drafts", retry_after=1
                )
            self._came[folder] = now

    def offer(self, draft: Drafted) -> bool:
        """Have a draft spoken in the background, and tell whether it is; it is not where something else is at work."""
        work = _Work(draft)
        with self._changed:
            if self._is_closed or self._runs or (self._now and self._now.draft.folder != draft.folder):
                return False
            if self._now is None:
                self._now = work
                threading.Thread(target=self._work, name="vt-ahead", daemon=True).start()
            elif self._now.draft == draft and not self._now.cancel.is_set:
                self._next = None
            else:
                self._now.cancel.set()
                self._next = work
        return True

    @contextmanager
    def set_aside(self, draft: Drafted, cancel: Cancel) -> Iterator[None]:
        """Speak nothing while a job runs in the block. It begins when nothing is spoken any more.

        Should just that be spoken which the job is about to speak, this is finished first, and anything else ended.

        Args:
            draft: what the job is to make.
            cancel: of the job.

        Raises:
            Cancelled: `cancel` was set.
        """
        with self._changed:
            self._runs += 1
            self._next = None
            if self._now and self._now.draft != draft:
                self._now.cancel.set()
        try:
            self._wait(_PATIENCE_SECONDS, cancel)
            self._end(lambda _: True)
            cancel.check()
            yield
        finally:
            with self._changed:
                self._runs -= 1

    def stop(self, folder: Path) -> None:
        """Speak nothing more of the job in `folder`, which is about to be removed."""
        self._end(lambda work: work.draft.folder == folder)

    def close(self) -> None:
        """Speak nothing more."""
        with self._changed:
            self._is_closed = True
        self._end(lambda _: True)

    @property
    def is_speaking(self) -> bool:
        """Whether a draft is being spoken now."""
        with self._changed:
            return self._now is not None

    def _end(self, is_meant: Callable[[_Work], bool]) -> None:
        """End what is spoken, if it is meant, and wait for that for a moment."""
        with self._changed:
            if self._now is None or not is_meant(self._now):
                return
            self._next = None
            self._now.cancel.set()
        self._wait(_GOODBYE_SECONDS, Cancel())

    def _wait(self, seconds: float, cancel: Cancel) -> None:
        """Wait until nothing is spoken, so many seconds at most; setting `cancel` ends that."""

        def wake() -> None:
            with self._changed:
                self._changed.notify_all()

        cancel.add(wake)
        try:
            with self._changed:
                self._changed.wait_for(lambda: self._now is None or cancel.is_set, seconds)
        finally:
            cancel.remove(wake)

    def _work(self) -> None:
        work = self._now
        while work is not None:
            self._speak(work)
            with self._changed:
                self._now, self._next = self._next, None
                work = self._now
                self._changed.notify_all()

    def _speak(self, work: _Work) -> None:
        """Speak a draft. Whatever goes wrong, the edit itself will tell; no word of the draft gets into the log."""
        folder = JobFolder(work.draft.folder)
        try:
            folder.drafts.mkdir(exist_ok=True)  # where the job has been removed, its folder is not made again
            artifacts = Artifacts(folder.drafts, beside=folder.artifacts)
            try:
                with artifacts.temporary_folder() as place:
                    pipeline.speak_ahead(work.draft.request, self._services, place, work.cancel, artifacts)
            finally:
                artifacts.prune(line_takes.SOUNDS, self.most_bytes)
        except (VtError, OSError) as error:
            _log.debug("a draft was not spoken ahead: %s", type(error).__name__)
        except Exception as error:  # noqa: BLE001 (the next draft must be spoken)
            _log.warning("a draft could not be spoken ahead: %s", type(error).__name__)


def drafts_of(folder: JobFolder) -> Path | None:
    """Return where what was spoken of a job's drafts is kept; None where nothing was."""
    with suppress(OSError):
        return folder.drafts if any(folder.drafts.iterdir()) else None
    return None
