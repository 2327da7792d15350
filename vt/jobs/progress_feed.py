"""The feed of progress: passes the worker's changes of jobs to coroutines that wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, suppress
from types import TracebackType
from typing import Protocol

from vt.domain import Job

Read = Callable[[Callable[[], Job]], Awaitable[Job]]
"""Runs a function in another thread, as it may wait for the disk."""


class JobSource(Protocol):
    """Has jobs, and calls listeners for their changes."""

    def get(self, job_id: str) -> Job:
        """Return a job; JobNotFound: there is none."""

    def listening(self, job_id: str, hear: Callable[[Job], None]) -> AbstractContextManager[None]:
        """Have `hear` called for each change of a job while the block runs, by any thread."""


class Feed:
    """Collects the changes of some jobs while its block runs. It belongs to one event loop."""

    def __init__(self, jobs: JobSource, job_ids: Iterable[str]) -> None:
        self._jobs, self._job_ids = jobs, tuple(job_ids)
        self._loop = asyncio.get_running_loop()
        self._pending: list[Job] = []
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
        """Return a job for each change since the last call, oldest first; where there was none, wait for one.

        Of several changes of progress only the last one is kept, so that a slow reader costs no memory.

        Args:
            patience_seconds: how long to wait; after that the list is empty. None: no limit.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), patience_seconds)
        self._changed.clear()
        taken, self._pending = self._pending, []
        return taken

    def _hear(self, job: Job) -> None:
        """Pass a change from the worker's thread to the event loop."""
        with suppress(RuntimeError):  # the event loop has ended before the job
            self._loop.call_soon_threadsafe(self._put, job)

    def _put(self, job: Job) -> None:
        self._pending = [other for other in self._pending if not _is_replaced(other, job)] + [job]
        self._changed.set()


def _is_replaced(before: Job, after: Job) -> bool:
    return (before.id, before.state, before.version) == (after.id, after.state, after.version)


async def follow(
    jobs: JobSource, job_id: str, read: Read, patience_seconds: float | None = None
) -> AsyncGenerator[Job, None]:
    """Yield a job as it is now, then after each change, until it is over.

    Args:
        jobs: where it is.
        job_id: its id.
        read: runs the read of the database.
        patience_seconds: after so long without a change the same job is yielded again; None: only after changes.

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
