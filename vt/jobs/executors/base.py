"""The interface of executors: one method that runs a request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from vt.domain import Cancel, JobRequest, Progress


class Executor(Protocol):
    """Runs requests, here or on another machine."""

    def run(
        self, request: JobRequest, folder: Path, on_progress: Callable[[Progress], None], cancel: Cancel
    ) -> Sequence[Path]:
        """Dub a film in the job's `folder`, and return the finished files in it.

        Artifacts that are in the folder are used and not made again.

        Raises:
            VtError: as `vt.dubbing.pipeline.dub` does.
        """
        ...
