"""The feed of progress: whoever listens hears of each change, a slow reader costs no memory, nobody stays behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from vt.domain import NO_EDITS, Job, JobSpec, JobState
from vt.errors import JobNotFound
from vt.jobs.progress_feed import Feed, follow

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WAITING = Job(
    "a", JobState.QUEUED, None, 0.0, None, NOW, NOW, JobSpec("film.mp4", "es"), 0, NO_EDITS, NO_EDITS, 0, 0, ""
)
RUNNING = replace(WAITING, state=JobState.RUNNING)
DONE = replace(WAITING, state=JobState.DONE, fraction=1.0, version=1)
PATIENCE = 30.0
"""Of what is at once: only a feed that hangs takes so long."""


class Source:
    """Jobs that change when they are told to, in another thread, as those of a worker do."""

    def __init__(self, *jobs: Job) -> None:
        self.jobs = {job.id: job for job in jobs}
        self.listeners: list[tuple[str, Callable[[Job], None]]] = []

    def get(self, job_id: str) -> Job:
        if job_id not in self.jobs:
            raise JobNotFound
        return self.jobs[job_id]

    @contextmanager
    def listening(self, job_id: str, hear: Callable[[Job], None]) -> Iterator[None]:
        known = (job_id, hear)
        self.listeners.append(known)
        try:
            yield
        finally:
            self.listeners.remove(known)

    def change(self, *jobs: Job) -> None:
        """Tell of these changes from a thread that has ended when this returns."""

        def tell() -> None:
            for job in jobs:
                self.jobs[job.id] = job
                for job_id, hear in list(self.listeners):
                    if job_id == job.id:
                        hear(job)

        teller = threading.Thread(target=tell)
        teller.start()
        teller.join()


async def read(look: Callable[[], Job]) -> Job:
    return look()


def at(fraction: float) -> Job:
    return replace(RUNNING, fraction=fraction)


def test_a_follower_hears_how_a_job_stands_then_of_each_change_and_last_that_it_is_over() -> None:
    async def scene() -> list[tuple[JobState, float]]:
        source, heard = Source(WAITING), []
        coming = [RUNNING, at(0.5), DONE]
        async for job in follow(source, "a", read):
            heard.append((job.state, job.fraction))
            if coming:
                source.change(coming.pop(0))
        assert source.listeners == []
        return heard

    assert asyncio.run(asyncio.wait_for(scene(), PATIENCE)) == [
        (JobState.QUEUED, 0.0), (JobState.RUNNING, 0.0), (JobState.RUNNING, 0.5), (JobState.DONE, 1.0),
    ]  # fmt: skip


def test_what_changes_while_a_follower_looks_is_not_missed() -> None:
    async def scene() -> list[JobState]:
        source = Source(WAITING)

        async def slow(look: Callable[[], Job]) -> Job:
            found = look()
            source.change(DONE)
            return found

        return [job.state async for job in follow(source, "a", slow)]

    assert asyncio.run(asyncio.wait_for(scene(), PATIENCE)) == [JobState.QUEUED, JobState.DONE]


def test_a_follower_of_a_job_that_is_over_hears_of_the_end_alone_and_of_none_that_there_is_none() -> None:
    async def scene() -> None:
        source = Source(DONE)
        assert [job async for job in follow(source, "a", read)] == [DONE]
        with pytest.raises(JobNotFound):
            await anext(follow(source, "b", read))
        assert source.listeners == []

    asyncio.run(scene())


def test_a_follower_with_patience_hears_of_a_job_again_and_again_while_nothing_changes() -> None:
    async def followed() -> list[JobState]:
        source, heard = Source(WAITING), list[JobState]()
        async for job in follow(source, "a", read, 0.01):
            heard.append(job.state)
            if len(heard) == 4:
                source.change(DONE)
        return heard

    heard = asyncio.run(asyncio.wait_for(followed(), PATIENCE))
    assert set(heard[:4]) == {JobState.QUEUED}
    assert heard[-1] is JobState.DONE


def test_a_reader_who_is_slow_hears_of_every_state_and_of_the_latest_progress_alone() -> None:
    async def scene() -> list[tuple[str, JobState, float]]:
        other = replace(RUNNING, id="b")
        source = Source(WAITING, other)
        with Feed(source, ["a", "b"]) as feed:
            source.change(
                RUNNING, *(at(step / 1000) for step in range(1000)), other, replace(RUNNING, fraction=1.0), DONE
            )
            changes = await feed.changes()
        return [(job.id, job.state, job.fraction) for job in changes]

    assert asyncio.run(asyncio.wait_for(scene(), PATIENCE)) == [
        ("b", JobState.RUNNING, 0.0), ("a", JobState.RUNNING, 1.0), ("a", JobState.DONE, 1.0),
    ]  # fmt: skip


def test_a_reader_who_waits_no_longer_than_it_may_gets_nothing_and_what_comes_later() -> None:
    async def scene() -> None:
        source = Source(WAITING)
        with Feed(source, ["a"]) as feed:
            assert await feed.changes(patience_seconds=0.0) == []
            source.change(RUNNING)
            assert await feed.changes() == [RUNNING]

    asyncio.run(asyncio.wait_for(scene(), PATIENCE))


def test_a_follower_who_leaves_or_is_cancelled_listens_no_longer() -> None:
    async def scene() -> None:
        source = Source(WAITING)
        async with aclosing(follow(source, "a", read)) as followed:
            assert await anext(followed) == WAITING
            assert len(source.listeners) == 1
        assert source.listeners == []

        async def whole() -> None:
            async for _ in follow(source, "a", read):
                began.set()

        began = asyncio.Event()
        task = asyncio.create_task(whole())
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert source.listeners == []

    asyncio.run(asyncio.wait_for(scene(), PATIENCE))
