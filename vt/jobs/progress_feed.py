"""The feed of progress: what the worker tells of jobs, for listeners in an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, suppress
from types import TracebackType
from typing import Protocol

from vt.domain import Job

Read = Callable[[Callable[[], Job]], Awaitable[Job]]
"""Runs a function that may wait for the disk in another thread."""


class JobSource(Protocol):
    """What has jobs and tells of their changes."""

    def get(self, job_id: str) -> Job:
        """Return a job; JobNotFound: there is none."""

    def listening(self, job_id: str, hear: Callable[[Job], None]) -> AbstractContextManager[None]:
        """Have `hear` told of each change of a job while the block runs, by any thread."""


class Feed:
    """Listens to the changes of some jobs while its block runs. Made and used within one event loop."""

    def __init__(self, jobs: JobSource, job_ids: Iterable[str]) -> None:
        self._jobs, self._job_ids = jobs, tuple(job_ids)
        self._loop = asyncio.get_running_loop()
        self._untold: list[Job] = []
        self._changed = asyncio.Event()
        self._listening = ExitStack()

    def __enter__(self) -> Feed:
        with ExitStack() as listening:
            for job_id in self._job_ids:
                listening.enter_context(self._jobs.listening(job_id, self._hear))
            self._listening = listening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.close()

    async def changes(self, patience_seconds: float | None = None) -> list[Job]:
        """Return the jobs as they stood after each change since the last call, oldest first; wait for the first one.

        Progress that was not taken in time is replaced by later progress, so that a slow reader costs no memory.

        Args:
            patience_seconds: how long to wait; then the list is empty. None: for ever.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), patience_seconds)
        self._changed.clear()
        taken, self._untold = self._untold, []
        return taken

    def _hear(self, job: Job) -> None:
        """Take a change from the worker's thread into the event loop."""
        with suppress(RuntimeError):  # the loop has ended before the job
            self._loop.call_soon_threadsafe(self._put, job)

    def _put(self, job: Job) -> None:
        self._untold = [other for other in self._untold if not _is_replaced(other, job)] + [job]
        self._changed.set()


def _is_replaced(before: Job, after: Job) -> bool:
    return (before.id, before.state, before.version) == (after.id, after.state, after.version)


async def follow(
    jobs: JobSource, job_id: str, read: Read, patience_seconds: float | None = None
) -> AsyncGenerator[Job, None]:
    """Yield a job as it stands, then after each change, and last of all when it is over.

    Args:
        jobs: where it is.
        job_id: its id.
        read: runs the look into the database.
        patience_seconds: after so long without a change the job is yielded as it was; None: only changes are.

    Raises:
        JobNotFound: there is no such job.
    """
    with Feed(jobs, [job_id]) as feed:
        job = await read(lambda: jobs.get(job_id))
        yield job
        while not job.state.is_over:
            changed = await feed.changes(patience_seconds) or [job]
            for job in changed:
                yield job
                if job.state.is_over:
                    return
