"""Child processes: every program that vt starts runs within limits, in a sandbox, and is killed when cancelled."""

from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from vt.domain import Cancel
from vt.errors import Cancelled, StorageError, ToolError, ToolMissing, ToolStopped, TooManyRequests
from vt.system import sandbox, tracing
from vt.system.sandbox import CORES, MB, ChildLimits, Sandbox
from vt.translatable import Message, Value

TOOL = ChildLimits(seconds=60, cpu_seconds=60, memory=1024 * MB, file_bytes=64 * MB)
"""For a program that does little work."""
# By default, libraries reserve address space for each core when they are loaded. That alone would exceed the limit.
_LESS_MEMORY = {"MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}
_EXIT_WAIT_SECONDS = 2.0
_REPORT_SECONDS = 2.0
_CHUNK = 1 << 18


class Slots:
    """A semaphore that limits how many children run at a time; further calls wait. Any thread may call any method."""

    def __init__(self, count: int, patience: float) -> None:
        """`patience` is the most seconds that a call waits."""
        self._count, self._patience = count, patience
        self._taken = self._waiting = 0
        self._change = threading.Condition()

    @property
    def waiting(self) -> int:
        """How many calls wait for a slot now."""
        with self._change:
            return self._waiting

    @contextmanager
    def one(self, cancel: Cancel | None = None) -> Iterator[None]:
        """Hold a slot while the block runs.

        Raises:
            TooManyRequests: no slot became free in time.
            Cancelled: `cancel` was set meanwhile.
        """
        self._take(cancel or Cancel())
        try:
            yield
        finally:
            with self._change:
                self._taken -= 1
                self._change.notify_all()  # all: a single thread might be cancelled just now, and would wake no other

    def _take(self, cancel: Cancel) -> None:
        # A new function for each call: the threads of a job share one `Cancel`, which keeps its hooks in a set.
        def wake() -> None:
            with self._change:
                self._change.notify_all()

        cancel.add(wake)
        try:
            with self._change:
                free = self._wait_for_one(cancel)
                cancel.check()
                if not free:
                    raise TooManyRequests(
                        "Too much is at work here at this moment: try again in a while.", retry_after=30
                    )
                self._taken += 1
        finally:
            cancel.remove(wake)

    def _wait_for_one(self, cancel: Cancel) -> bool:
        """Wait for a free slot or for `cancel`; return False where the time is up. The caller holds the condition."""
        self._waiting += 1
        try:
            return self._change.wait_for(lambda: cancel.is_set or self._taken < self._count, self._patience)
        finally:
            self._waiting -= 1


WORK = Slots(2 * CORES + 2, patience=3600.0)
"""For the work of all jobs; enough that a single job never waits."""
PROBES = Slots(2 * CORES, patience=20.0)
"""For short examinations of a file, for which a user waits. Apart from jobs, so that neither delays the other."""


class Tally:
    """Counts running and ended children, for the metrics. Any thread may call any method."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()
        self._ended: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def running(self, program: str) -> Iterator[None]:
        """Count a child while the block runs."""
        with self._lock:
            self._running[program] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[program] -= 1

    @contextmanager
    def ending(self, program: str) -> Iterator[None]:
        """Count how a child ends: that follows from what the block raises."""
        how = "failed"
        try:
            yield
            how = "well"
        except Cancelled:
            how = "cancelled"
            raise
        except ToolStopped:
            how = "stopped"
            raise
        except TooManyRequests:
            how = "not started"
            raise
        finally:
            with self._lock:
                self._ended[program, how] += 1

    def counts(self) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
        """Return how many run, by program, and how many have ended, by program and way of ending."""
        with self._lock:
            return dict(self._running), dict(self._ended)


TALLY = Tally()
"""The count of this process."""


@dataclass(frozen=True, slots=True)
class Child:
    """A program that is to be run, with its limits, input and files."""

    argv: Sequence[str]
    """The program's name, and its arguments."""
    limits: ChildLimits = TOOL
    stdin: bytes = b""
    reads: Sequence[Path] = ()
    """The files that it may read, if the sandbox can hide other files."""
    writes: Sequence[Path] = ()
    """The files that it may write; missing ones are made first, empty."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables in addition to those that all children have."""
    purpose: str = ""
    """What it is for, in a few words that stand in the code: for traces."""

    @property
    def program(self) -> str:
        """The name of the program, without its folder."""
        return Path(self.argv[0]).name


OnLine = Callable[[str], None]
"""Is told of a line that a program writes, as soon as it is there. What it raises ends the program."""


def run(
    child: Child,
    cancel: Cancel | None = None,
    *,
    slots: Slots = WORK,
    box: Sandbox | None = None,
    on_line: OnLine | None = None,
) -> bytes:
    """Run a program to its end and return what it wrote to stdout.

    Args:
        child: the program.
        cancel: kills it.
        slots: limit how many run at a time.
        box: the sandbox; None: the strongest that works here.
        on_line: is told of each line of stdout, in this thread, while the program runs; they are not returned then.

    Raises:
        ToolError: the program is missing, or failed.
        ToolStopped: it was killed: it exceeded a limit, or the system or somebody ended it.
        StorageError: the disk is full, or a file cannot be made.
        TooManyRequests: too many programs run already.
        Cancelled: `cancel` was set; the program has been killed.
    """
    return run_both(child, cancel, slots=slots, box=box, on_line=on_line)[0]


def run_both(
    child: Child,
    cancel: Cancel | None = None,
    *,
    slots: Slots = WORK,
    box: Sandbox | None = None,
    on_line: OnLine | None = None,
) -> tuple[bytes, str]:
    """Run a program as `run` does and return its stdout and its stderr."""
    with TALLY.ending(child.program):
        return _run(child, cancel, slots, box, on_line)


def _run(
    child: Child, cancel: Cancel | None, slots: Slots, box: Sandbox | None, on_line: OnLine | None
) -> tuple[bytes, str]:
    program, limits = child.argv[0], child.limits
    for path in child.writes:
        _create_file(path)
    with slots.one(cancel), TALLY.running(child.program), traced(child) as span:
        process = start(child, box or sandbox.best())
        with killed_by(process, cancel):
            communication = _Communication(process, child, cancel, on_line)
            communication.run_to_end(span)
    if cancel:
        cancel.check()
    if process.returncode or _disk_is_full(communication.said):
        raise failure(program, process.returncode, communication.said, limits)
    return bytes(communication.output), communication.said


def traced(child: Child) -> AbstractContextManager[tracing.Span]:
    """Trace a child while the block runs."""
    return tracing.span(child.program, "child", purpose=child.purpose)


def _create_file(path: Path) -> None:
    try:
        path.touch()
    except OSError as error:
        raise StorageError("{file} cannot be written: {reason}.", file=path, reason=str(error.strerror)) from error


def start(child: Child, box: Sandbox) -> subprocess.Popen[bytes]:
    """Start a program by an argument list. Where it is missing, the `ToolMissing` says how to get it."""
    program = shutil.which(child.argv[0])
    if program is None:
        raise ToolMissing(
            "The program {program} is missing: install the packages that packages.txt lists.", program=child.argv[0]
        )
    # The kernel kills a child when the thread that started it ends, so this thread waits until the child has ended.
    return subprocess.Popen(
        box.command([str(Path(program).absolute()), *child.argv[1:]], child.limits, child.reads, child.writes),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**_LESS_MEMORY, **sandbox.inherited(), **child.environment},
        process_group=0,  # so that programs started by this one can be killed with it
    )


class killed_by:  # noqa: N801 (reads as a phrase in a with statement)
    """Kill a process and its children when `cancel` is set or the block is left, and close its pipes."""

    def __init__(self, process: subprocess.Popen[bytes], cancel: Cancel | None) -> None:
        self._process = process
        self._cancel = cancel

    def __enter__(self) -> None:
        if self._cancel:
            self._cancel.add(self._kill)

    def __exit__(self, *_: object) -> None:
        if self._cancel:
            self._cancel.remove(self._kill)
        was_running = self._process.poll() is None
        self._kill()
        if was_running and self._process.stderr:
            _wait_until_closed(self._process.stderr)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe and not pipe.closed:
                _close_quietly(pipe)
        self._process.wait()

    def _kill(self) -> None:
        kill(self._process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that `start` has started, and its children."""
    # Only until the process has been waited for is it certain that its number is not another process's.
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _wait_until_closed(pipe: IO[bytes]) -> None:
    """Wait until no process has the pipe open: processes inside a sandbox end a moment after it."""
    until = time.monotonic() + _EXIT_WAIT_SECONDS
    with selectors.DefaultSelector() as waiting:
        waiting.register(pipe, selectors.EVENT_READ)
        while (left := until - time.monotonic()) > 0:
            if waiting.select(left) and not os.read(pipe.fileno(), _CHUNK):
                return


def _close_quietly(pipe: IO[bytes]) -> None:
    # Closing a pipe flushes it, which fails where the process has ended. How it ended is reported elsewhere.
    try:
        pipe.close()
    except BrokenPipeError:
        return


def _cpu_seconds(pid: int) -> float:
    """Return the processor time, in seconds, of a process and its running descendants."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
        return sum(time.user + time.system for time in times)
    return 0.0


class _Communication:
    """Writes a process's stdin and reads its output until it ends, writes too much, or takes too long."""

    def __init__(
        self, process: subprocess.Popen[bytes], child: Child, cancel: Cancel | None, on_line: OnLine | None
    ) -> None:
        self.output = bytearray()
        self._on_line = on_line
        self._cancel, self._cpu_seconds_used, self._reported_at = cancel, 0.0, time.monotonic()
        self._process, self._program, self._limits = process, child.argv[0], child.limits
        self._until = time.monotonic() + child.limits.seconds
        self._stderr = bytearray()
        self._stdin_left = memoryview(child.stdin)

    @property
    def said(self) -> str:
        """The end of the process's stderr."""
        return self._stderr[-self._limits.said_bytes :].decode(errors="replace")

    def run_to_end(self, span: tracing.Span) -> None:
        """Write and read until the process has ended; what it has spent is added to its span."""
        process = self._process
        assert process.stdin and process.stdout and process.stderr  # noqa: S101
        os.set_blocking(process.stdin.fileno(), False)
        meter = tracing.Meter(span, process.pid)
        pause = tracing.LOOK_SECONDS if meter.is_on else _REPORT_SECONDS
        with selectors.DefaultSelector() as waiting:
            waiting.register(process.stdin, selectors.EVENT_WRITE, self._write_stdin)
            waiting.register(process.stdout, selectors.EVENT_READ, self._read_stdout)
            waiting.register(process.stderr, selectors.EVENT_READ, self._read_stderr)
            while waiting.get_map():
                for key, _ in waiting.select(min(pause, self._seconds_left())):
                    if not key.data(key.fd):
                        waiting.unregister(key.fileobj)
                        _close_quietly(key.fileobj)  # type: ignore[arg-type] # it is one of the three
                self._report_progress()
                meter.look()
        meter.look(last=True)
        try:
            process.wait(self._seconds_left())
        except subprocess.TimeoutExpired:
            raise self._too_long() from None

    def _report_progress(self) -> None:
        """Every few seconds, if the process has used the processor since, tell the job's watchdog that it works."""
        now = time.monotonic()
        if self._cancel is None or now - self._reported_at < _REPORT_SECONDS:
            return
        used, self._reported_at = _cpu_seconds(self._process.pid), now
        if used != self._cpu_seconds_used:
            self._cpu_seconds_used = used
            self._cancel.beat()

    def _seconds_left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise self._too_long()
        return left

    def _too_long(self) -> ToolStopped:
        return ToolStopped(
            "{program} took longer than {seconds:.0f} seconds and was stopped.",
            program=self._program,
            seconds=self._limits.seconds,
        )

    def _write_stdin(self, pipe: int) -> bool:
        """Write a part of stdin; False where all is written, or the process reads no more."""
        try:
            self._stdin_left = self._stdin_left[os.write(pipe, self._stdin_left[:_CHUNK]) :]
        except BrokenPipeError:
            return False
        return bool(self._stdin_left)

    def _read_stdout(self, pipe: int) -> bool:
        chunk = os.read(pipe, _CHUNK)
        self.output += chunk
        if len(self.output) > self._limits.output_bytes:
            most = _size(self._limits.output_bytes)
            raise ToolStopped(
                "{program} answered with more than {most} and was stopped.", program=self._program, most=most
            )
        if self._on_line:
            self._tell_lines(self._on_line)
        return bool(chunk)

    def _tell_lines(self, on_line: OnLine) -> None:
        """Tell of the lines that are whole by now, and keep none of them."""
        *lines, rest = self.output.split(b"\n")
        self.output = rest
        for line in lines:
            on_line(line.decode(errors="replace"))

    def _read_stderr(self, pipe: int) -> bool:
        chunk = os.read(pipe, _CHUNK)
        self._stderr += chunk
        if len(self._stderr) > 2 * self._limits.said_bytes:
            del self._stderr[: -self._limits.said_bytes]
        return bool(chunk)


_GENERIC = re.compile(r"Error initializing output stream|Conversion failed")  # what ffmpeg adds to every reason
_CRASH_SIGNALS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE}
_KILL_SIGNALS = {signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT}
_WROTE = "{program} wrote more than the {most} that it may, and was stopped."
_TOO_BUSY = "{program} took more than {seconds:.0f} seconds of processor time."
_ENDED = "{program} was ended by the system ({signal}), probably because memory ran out: free some, or try again later."
_NO_MEMORY = ("Cannot allocate memory", "std::bad_alloc", "MemoryError", "failed to map segment")


def failure(program: str, code: int, said: str, limits: ChildLimits = TOOL) -> ToolError | StorageError:
    """Return the error for a failed program, from its exit code and stderr."""
    if _disk_is_full(said):
        return StorageError("The disk is full: free some space and try again.")
    stopped = _stopped(program, code, said, limits)
    if stopped:
        message, by_limit = stopped
        return ToolStopped(message, said=said, by_limit=by_limit)
    lines = [line.strip() for line in said.splitlines() if line.strip() and not _GENERIC.match(line)]
    if lines:
        return ToolError("{program} failed: {reason}", said=said, program=program, reason=lines[-1][:300])
    return ToolError("{program} failed (exit code {code})", said=said, program=program, code=code)


def _stopped(program: str, code: int, said: str, limits: ChildLimits) -> tuple[Message, bool] | None:
    """Say what killed a program, and whether that was a limit; None where nothing did."""
    number = signal_of(code)
    wants_memory = limits.memory and any(word in said for word in _NO_MEMORY)
    memory, written = _size(limits.memory), _size(limits.file_bytes)
    name = signal.Signals(number or 1).name

    def of_program(template: str, **values: Value) -> Message:
        return Message(template, program=program, **values)

    reasons = [
        (wants_memory, of_program("{program} needed more memory than the {most} that it may take.", most=memory), True),
        ("File too large" in said or number == signal.SIGXFSZ, of_program(_WROTE, most=written), True),
        (number == signal.SIGXCPU, of_program(_TOO_BUSY, seconds=limits.cpu_seconds), True),
        (number in _CRASH_SIGNALS, of_program("{program} broke down ({signal}).", signal=name), True),
        (number in _KILL_SIGNALS, of_program(_ENDED, signal=name), False),
    ]
    return next(((message, by_limit) for is_so, message, by_limit in reasons if is_so), None)


def signal_of(code: int) -> int:
    """Return the signal that ended a process, or 0. A sandbox, like a shell, adds 128 to the signal of its program."""
    number = -code if code < 0 else code - 128
    return number if number in set(signal.Signals) else 0


def _size(count: int | None) -> str:
    return f"{(count or 0) / MB:.0f} MB"


def _disk_is_full(said: str) -> bool:
    # ffmpeg reports this but exits with 0 if only the last bytes of a file did not fit on the disk.
    return "No space left on device" in said or "Disk quota exceeded" in said
