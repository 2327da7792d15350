"""What an executor is: one method that sees a request through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from vt.domain import Cancel, JobRequest, Progress


class Executor(Protocol):
    """Runs requests, wherever that is."""

    def run(
        self, request: JobRequest, folder: Path, on_progress: Callable[[Progress], None], cancel: Cancel
    ) -> Sequence[Path]:
        """Dub a film in the job's `folder`, and return the finished files, which lie there.

        What was finished there before is not done again.

        Raises:
            VtError: as `vt.dubbing.pipeline.dub` does.
        """
        ...
