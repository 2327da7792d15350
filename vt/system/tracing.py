"""Where the time of a piece of work goes: spans of its threads and children, as a file that Perfetto and Chrome open.

Off costs a look at one variable. What is traced is told by names that stand in the code and by numbers, never by what
people wrote, said or called their files.

Source of the format: "Trace Event Format", JSON object format, by the authors of Chrome's trace viewer.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import Any

MOST_EVENTS = 200_000
"""Of a trace: about 40 MB as a file. What comes later is counted, and left out."""
LOOK_SECONDS = 0.05
"""How often is looked at what a child has spent."""
_TICKS = os.sysconf("SC_CLK_TCK")

Fact = str | int | float | bool


class Span:
    """Facts about a stretch of work, to which its end may add some."""

    __slots__ = ("facts",)

    def __init__(self, facts: dict[str, Fact]) -> None:
        self.facts = facts

    def add(self, **facts: Fact) -> None:
        """Add what is known only now."""
        self.facts.update(facts)


class _Nothing(Span):
    """Stands for every span while nothing is traced."""

    __slots__ = ()

    def add(self, **facts: Fact) -> None:
        """Keep nothing."""


_NOTHING = nullcontext(_Nothing({}))


class Trace:
    """The spans of one piece of work. Any thread may call any method."""

    def __init__(self, began_ns: int | None = None, most: int = MOST_EVENTS) -> None:
        """`began_ns`: when its time begins, by `time.perf_counter_ns`; None: now. `most`: events that it keeps."""
        self._began_ns = time.perf_counter_ns() if began_ns is None else began_ns
        self._most = most
        self._lock = threading.Lock()
        self._events: list[dict[str, Any]] = []
        self._threads: dict[tuple[int, str], int] = {}
        self._pairs = 0
        self.left_out = 0
        """How many events there was no room for."""

    def complete(self, name: str, kind: str, began_ns: int, facts: dict[str, Fact]) -> None:
        """Take what a thread began then, and has ended now."""
        ended_ns = time.perf_counter_ns()
        values = {"ph": "X", "name": name, "cat": kind, "ts": self._at(began_ns)}
        self._take({**values, "dur": (ended_ns - began_ns) / 1000, "args": facts})

    def pair(self, name: str, kind: str, began_ns: int, facts: dict[str, Fact]) -> None:
        """Take what began then and has ended now, beside whatever else its thread did: it need not nest with that."""
        with self._lock:
            self._pairs += 1
            number = self._pairs
        shared = {"name": name, "cat": kind, "id": number}
        self._take(
            {"ph": "b", **shared, "ts": self._at(began_ns), "args": facts},
            {"ph": "e", **shared, "ts": self._at(time.perf_counter_ns())},
        )

    def _at(self, moment_ns: int) -> float:
        """Return a moment in microseconds since the beginning."""
        return max(0, moment_ns - self._began_ns) / 1000

    def _take(self, *events: dict[str, Any]) -> None:
        thread = threading.current_thread()
        with self._lock:
            if len(self._events) + len(events) > self._most:
                self.left_out += len(events)
                return
            # A number of our own: the system gives the number of a thread that has ended to another one.
            number = self._threads.setdefault((thread.ident or 0, thread.name), len(self._threads) + 1)
            self._events += [{**event, "pid": os.getpid(), "tid": number} for event in events]

    def as_json(self) -> str:
        """Return the whole as a file."""
        with self._lock:
            threads = [_named("thread_name", name, number) for (_, name), number in self._threads.items()]
            events = [_named("process_name", "vt", 0), *threads, *self._events]
            other = {"left_out": self.left_out}
            return json.dumps({"traceEvents": events, "displayTimeUnit": "ms", "otherData": other})


def _named(what: str, name: str, thread: int) -> dict[str, Any]:
    return {"ph": "M", "name": what, "ts": 0, "pid": os.getpid(), "tid": thread, "args": {"name": name}}


_trace: ContextVar[Trace | None] = ContextVar("vt_trace", default=None)


@contextmanager
def into(trace: Trace) -> Iterator[None]:
    """Trace the block; other threads take part, where the function that they run was made by `logs.carried`."""
    token = _trace.set(trace)
    try:
        yield
    finally:
        _trace.reset(token)


def span(name: str, kind: str, **facts: Fact) -> AbstractContextManager[Span]:
    """Trace the block as one stretch of this thread, also where it raises. It must not yield from within a generator.

    Args:
        name: stands in the code, or is the name of a program or a model.
        kind: stage, child, load, piece or process.
        facts: what else is known; nothing that people wrote, said or called their files.
    """
    trace = _trace.get()
    return _NOTHING if trace is None else _spanned(trace, name, kind, facts)


@contextmanager
def _spanned(trace: Trace, name: str, kind: str, facts: dict[str, Fact]) -> Iterator[Span]:
    began_ns = time.perf_counter_ns()
    try:
        yield Span(facts)
    finally:
        trace.complete(name, kind, began_ns, facts)


class Use:
    """How long something is held: from its making to `end`, in whatever thread and order."""

    __slots__ = ("_began_ns", "_name", "_trace")

    def __init__(self, trace: Trace, name: str) -> None:
        self._trace, self._name, self._began_ns = trace, name, time.perf_counter_ns()

    def end(self) -> None:
        """Trace it."""
        self._trace.pair(self._name, "lease", self._began_ns, {})


def use(name: str) -> Use | None:
    """Begin to trace how long something is held; None where nothing is traced."""
    trace = _trace.get()
    return None if trace is None else Use(trace, name)


class Meter:
    """Looks now and then at what a child and its own children have spent, and adds that to the child's span.

    It cannot be asked at the end: a sandbox forgets what the program inside has spent as soon as that has ended. So
    what is told is up to `LOOK_SECONDS` old.
    """

    def __init__(self, span: Span, pid: int) -> None:
        self._span, self._pid, self._due = span, pid, 0.0
        self.is_on = _trace.get() is not None

    def look(self, *, last: bool = False) -> None:
        """Look, where something is traced and it is time for that, or the child has closed its output (`last`)."""
        now = time.monotonic()
        if self.is_on and (last or now >= self._due):
            self._due = now + LOOK_SECONDS
            spent = max(_spent(self._pid), float(self._span.facts.get("cpu_seconds", 0.0)))
            self._span.add(cpu_seconds=round(spent, 2))


def _spent(pid: int) -> float:
    """Return the processor seconds of a process and of those below it that run."""
    # Not by psutil, which looks at every process of the machine to find those below one.
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:  # it has ended
        return 0.0
    # The name in parentheses may hold anything; the time of those that have ended is in the third and fourth.
    own = sum(map(int, stat.rpartition(")")[2].split()[11:15])) / _TICKS
    return own + sum(_spent(int(child)) for child in children.split())
