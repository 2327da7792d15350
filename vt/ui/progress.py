"""The route by which an open page follows its jobs: one stream of server-sent events for all unfinished ones."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Annotated, Any
from urllib.parse import urlencode

import gradio as gr
from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException

from vt.domain import Job, JobState
from vt.errors import JobNotFound, StorageError, VtError
from vt.jobs.job_service import Jobs, Outlook
from vt.jobs.progress_feed import Feed
from vt.services import Services
from vt.ui import fragments, words
from vt.ui.scripts import MOST_JOBS
from vt.ui.words import Words
from vt.web import visitors
from vt.web.http_statuses import headers_of, status_of

_log = logging.getLogger(__name__)

_PATH = "films/progress"
_NEWS_SECONDS = 1.0
"""How often the view of a running job is updated with the progress of a download that it may wait for."""
_QUEUE_SECONDS = 5.0
"""How often it is looked which place in the queue a waiting job has."""
_SURE_SECONDS, _SURE_FRACTION = 3.0, 0.02
"""The end of a run is estimated after so many seconds and so much progress."""
_GONE = "gone"
"""The mark of a job that does not exist any more."""


def mark(job: Job) -> str:
    """Return a value that changes when more of the page than the job's progress has to be drawn again."""
    return f"{job.state.value}{job.version}"


def to_follow(said: Words, jobs: Sequence[Job], view: str) -> dict[str, Any] | None:
    """Return what a page needs to follow its jobs: the stream's address, and the marks; None: all are over.

    Args:
        said: the words of its reader.
        jobs: all jobs of the page.
        view: the id of the job that is shown.
    """
    marks = {job.id: mark(job) for job in jobs if not job.state.is_over}
    if not marks:
        return None
    address = f"{_PATH}?{urlencode({'view': view, 'job': list(marks)}, doseq=True)}"
    files = {job.id: f"{job.request.file} → {job.request.target_language}" for job in jobs if job.id in marks}
    told = {state.value: said(f"told_{state.value}") for state in (JobState.DONE, JobState.FAILED)}
    return {"address": address, "marks": marks, "files": files, "told": told}


class ProgressRoute:
    """The route, over the services of one server."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> APIRouter:
        """Return the route."""
        router = APIRouter(include_in_schema=False)
        router.get(f"/{_PATH}", response_class=EventSourceResponse, dependencies=[Depends(self._counted)])(self._stream)
        return router

    async def _counted(self, request: Request) -> AsyncIterator[None]:
        """Count the page as one follower until it has left."""
        try:
            with self._services.followers.held(visitors.of(request.scope).key):
                await to_thread.run_sync(lambda: self._services.jobs)  # the first one opens the database
                yield
        except VtError as error:
            if isinstance(error, StorageError):
                _log.warning("%s", error.in_full)
            raise HTTPException(status_of(error), error.message.with_file_names({}), headers_of(error)) from error

    async def _stream(
        self,
        request: Request,
        job: Annotated[list[str], Query(max_length=MOST_JOBS)],
        view: str = "",
    ) -> AsyncIterator[ServerSentEvent]:
        """Send the state of each job, then each change, until all of them are over."""
        said = words.of(gr.Request(request))
        jobs = await to_thread.run_sync(lambda: self._services.jobs)
        with Feed(jobs, job) as feed:
            try:
                known = await to_thread.run_sync(_look, jobs, job)
            except StorageError:  # the page comes again in a moment
                return
            for job_id in set(job) - set(known):
                yield ServerSentEvent(data={"job": job_id, "mark": _GONE})
            shown = _View(self._services, said, view)
            for told in await to_thread.run_sync(shown.told, list(known.values())):
                yield ServerSentEvent(data=told)
            while any(not one.state.is_over for one in known.values()):
                changed = await feed.changes(shown.patience)
                known.update({one.id: one for one in changed})
                for told in await to_thread.run_sync(shown.told, changed):
                    yield ServerSentEvent(data=told)


def _look(jobs: Jobs, job_ids: Sequence[str]) -> dict[str, Job]:
    """Return those of the jobs that exist, by their ids."""
    found = {}
    for job_id in job_ids:
        with suppress(JobNotFound):
            found[job_id] = jobs.get(job_id)
    return found


def outlook_of(jobs: Jobs, job: Job) -> Outlook | None:
    """Return what is told to somebody whose job waits; None: it does not wait, or that cannot be told now."""
    if job.state is JobState.QUEUED:
        with suppress(JobNotFound, StorageError):
            return jobs.outlook(job.id)
    return None


def first_lines_of(jobs: Jobs, job: Job) -> list[int]:
    """Return the numbers of the lines of a running job that can be heard already; of a dub that is mended, none."""
    if job.state is JobState.RUNNING and not job.version:
        with suppress(JobNotFound, StorageError):
            return jobs.first_lines(job.id)
    return []


class _View:
    """What a page shows of its jobs."""

    def __init__(self, services: Services, said: Words, job_id: str) -> None:
        self._services, self._said, self._job_id = services, said, job_id
        self._job: Job | None = None
        self._estimate = Estimate()
        self._html = ""

    @property
    def is_running(self) -> bool:
        return self._job is not None and self._job.state is JobState.RUNNING

    @property
    def patience(self) -> float | None:
        """How long nothing but time may pass before the view is drawn again; None: for ever."""
        waits = self._job is not None and self._job.state is JobState.QUEUED
        return _NEWS_SECONDS if self.is_running else _QUEUE_SECONDS if waits else None

    def told(self, changed: Sequence[Job]) -> list[dict[str, object]]:
        """Return the messages for jobs that changed, and one if the view of the shown job changed."""
        others = [job for job in changed if job.id != self._job_id]
        messages: list[dict[str, object]] = [{"job": job.id, "mark": mark(job)} for job in others]
        mine = [job for job in changed if job.id == self._job_id]
        self._job = job = mine[-1] if mine else self._job
        if job is None:
            return messages
        html = "" if job.state.is_over else self._drawn(job)
        if html != self._html or mine:
            self._html = html
            step = fragments.step(self._said, job)
            percent = {} if job.state.is_over else {"percent": round(100 * job.fraction)}
            messages.append({"job": job.id, "mark": mark(job), "html": html, "step": step, **percent})
        return messages

    def _drawn(self, job: Job) -> str:
        news, left = self._services.factory.news(), self._estimate.left_seconds(job)
        jobs = self._services.jobs
        return fragments.progress(self._said, job, left, news, outlook_of(jobs, job), first_lines_of(jobs, job))


class Estimate:
    """Estimates when a running job ends, from its progress since it was first seen running."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[int, float, float] | None = None
        """Version, time and fraction when it was first seen."""

    def left_seconds(self, job: Job) -> float | None:
        """Return about how many seconds the job still takes; None: not known yet."""
        if job.state is not JobState.RUNNING:
            self._first = None
            return None
        if self._first is None or self._first[0] != job.version:
            self._first = (job.version, self._clock(), job.fraction)
        _, since, fraction = self._first
        ran, done = self._clock() - since, job.fraction - fraction
        if ran < _SURE_SECONDS or done < _SURE_FRACTION:
            return None
        return (1 - job.fraction) * ran / done
