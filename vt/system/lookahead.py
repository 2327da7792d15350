"""Runs work in threads, a limited number of items ahead of the consumer, and yields the results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

from vt.domain import Cancel
from vt.system import tracing
from vt.system.logs import carried

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


def _nothing() -> None:
    return None


def run_ahead(
    work: Callable[[_Item], _Made], items: Iterable[_Item], *, threads: int, ahead: int, name: str, cancel: Cancel
) -> Generator[_Made, None, None]:
    """Yield the result of `work` for each item, in the order of the items.

    Args:
        work: runs in the threads.
        items: are read one by one, as results are taken.
        threads: how many items are worked on at the same time.
        ahead: how many items, at most, are started before the first of their results is taken.
        name: of the threads.
        cancel: ends the work.

    Raises:
        Cancelled: `cancel` was set. In every case, all threads have ended when the generator has.
    """
    groups = ([item] for item in items)
    with closing(run_groups_ahead(work, groups, threads=threads, ahead=ahead, name=name, cancel=cancel)) as results:
        for (made,) in results:
            yield made


def run_groups_ahead(
    work: Callable[[_Item], _Made],
    groups: Iterable[Sequence[_Item]],
    *,
    threads: int,
    ahead: int,
    name: str,
    cancel: Cancel,
    leave: Callable[[], object] = _nothing,
) -> Generator[list[_Made], None, None]:
    """Yield the results of `work` for each group of items, in order; see `run_ahead`.

    `leave` is called at the end, before the threads are waited for; it may stop what still runs in them.
    """

    def traced(item: _Item) -> _Made:
        with tracing.span(name, "piece"):
            return work(item)

    waiting: deque[list[Future[_Made]]] = deque()
    with ThreadPoolExecutor(threads, name) as pool:
        try:
            for group in groups:
                cancel.check()
                waiting.append([pool.submit(carried(traced), item) for item in group])
                # Some items ahead keep the cores busy. The results of all items could fill the memory.
                while waiting and sum(map(len, waiting)) - len(waiting[0]) >= ahead:
                    yield _results(waiting.popleft(), cancel)
            while waiting:
                yield _results(waiting.popleft(), cancel)
        finally:
            leave()
            for future in (future for futures in waiting for future in futures):
                future.cancel()


def _results(futures: Sequence[Future[_Made]], cancel: Cancel) -> list[_Made]:
    made = [future.result() for future in futures]
    cancel.check()
    return made
