"""Runs jobs in the process of the server, with the models in its cache."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from vt.domain import Cancel, JobRequest, Progress
from vt.dubbing import line_takes, pipeline, report
from vt.dubbing.artifacts import Artifacts
from vt.dubbing.report import DubReport, Report
from vt.dubbing.services import DubbingServices
from vt.dubbing.track import HERE, PartEncoder
from vt.jobs import remarks
from vt.jobs.job_folder import JobFolder
from vt.jobs.speaking_ahead import Drafted, SpeakingAhead, drafts_of
from vt.system import folders
from vt.system.metrics import Metrics

_MOST_BYTES_OF_TAKES = 64 * 2**20
"""What the sounds of a job's earlier takes may take on the disk."""


class ExecutorServices(DubbingServices, Protocol):
    """Serves the models of a dub, and has metrics that count finished dubs."""

    @property
    def metrics(self) -> Metrics:
        """The metrics of the process."""
        ...


class LocalExecutor:
    """Runs each job in the thread that asks for it."""

    def __init__(
        self, services: ExecutorServices, ahead: SpeakingAhead | None = None, encoder: PartEncoder = HERE
    ) -> None:
        """Make one.

        Args:
            services: serve the models.
            ahead: speaks drafts of edits while no job runs; None: nothing does.
            encoder: encodes the parts of dubbed tracks.
        """
        self._services, self._ahead, self._encoder = services, ahead, encoder

    def run(
        self, request: JobRequest, folder: Path, on_progress: Callable[[Progress], None], cancel: Cancel
    ) -> Sequence[Path]:
        """Dub a film; see `Executor.run`."""
        with self._nothing_spoken_ahead(Drafted(folder, request), cancel):
            return self._run(request, JobFolder(folder), on_progress, cancel)

    def _nothing_spoken_ahead(self, draft: Drafted, cancel: Cancel) -> AbstractContextManager[None]:
        return self._ahead.set_aside(draft, cancel) if self._ahead else nullcontext()

    def _run(
        self, request: JobRequest, here: JobFolder, on_progress: Callable[[Progress], None], cancel: Cancel
    ) -> Sequence[Path]:
        work = here.work
        shutil.rmtree(work, ignore_errors=True)  # left by a run that died
        work.mkdir()
        try:
            artifacts = Artifacts(here.artifacts, beside=drafts_of(here))
            request = replace(request, longest_seconds=60 * self._services.settings.max_duration_minutes)
            result = pipeline.dub(request, self._services, work, on_progress, cancel, artifacts, encoder=self._encoder)
            report.write(result.files[-1], report.without_paths(result.report))  # it is read on other machines
            files = [*result.files, *_remarks(work, result.report.notes)]
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)  # at once: the disk may be full
            raise
        artifacts.take_over()
        folders.remove(here.drafts)
        artifacts.prune(line_takes.SOUNDS, _MOST_BYTES_OF_TAKES)
        self._count(result.report)
        return files

    def _count(self, told: Report) -> None:
        self._services.metrics.finished((stage.name, stage.seconds) for stage in told.stages)
        if isinstance(told, DubReport):
            self._services.metrics.dubbed(told.source.duration_seconds, told.total_seconds)


def _remarks(work: Path, notes: Sequence[str]) -> list[Path]:
    """Write the remarks beside the report; without them readers take those of the report, in English."""
    try:
        return [remarks.write(work, notes)]
    except OSError:
        return []
