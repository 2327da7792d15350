"""Programs that are fed piece by piece, and whose output is taken as soon as it is there."""

from __future__ import annotations

import os
import selectors
import subprocess
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from vt.domain import Cancel
from vt.errors import ToolStopped
from vt.system import sandbox
from vt.system.processes import TALLY, Child, Slots, failure, kill, killed_by, start, traced
from vt.system.sandbox import MB

_CHUNK = 1 << 16


def pipe(child: Child, pieces: Iterable[bytes], take: Callable[[bytes], object], cancel: Cancel, slots: Slots) -> None:
    """Run a program to its end, and feed it with pieces as they are made.

    Args:
        child: the program; its `stdin` is not used, and the time that the pieces take is not counted.
        pieces: are asked for in this thread, which has to live for as long as the program runs.
        take: is given the output as it comes, in another thread.
        cancel: kills it.
        slots: limit how many run at a time; not those that the making of the pieces needs.

    Raises:
        ToolError: the program is missing, or failed.
        ToolStopped: it was killed, or wrote more than it may.
        TooManyRequests: too many programs run already.
        Cancelled: `cancel` was set; the program has been killed.
    """
    program = child.program
    with TALLY.ending(program), slots.one(cancel), TALLY.running(program), traced(child):
        process = start(child, sandbox.best())
        with killed_by(process, cancel):
            output = _Output(process, child, take)
            output.begin()
            try:
                _feed(process, pieces)
                output.wait()
            finally:
                output.end()
        cancel.check()
        if output.trouble:
            raise output.trouble
        if process.returncode:
            raise failure(child.argv[0], process.returncode, output.said, child.limits)


def _feed(process: subprocess.Popen[bytes], pieces: Iterable[bytes]) -> None:
    """Write pieces to a program's stdin; one that has ended takes no more, and says why elsewhere."""
    assert process.stdin  # noqa: S101 (all three are pipes)
    try:
        for piece in pieces:
            process.stdin.write(piece)
            process.stdin.flush()
        process.stdin.close()
    except BrokenPipeError:
        return


@dataclass(slots=True)
class _Output:
    """What a program writes, taken in a thread of its own, so that neither waits for the other."""

    process: subprocess.Popen[bytes]
    child: Child
    take: Callable[[bytes], object]
    trouble: Exception | None = None
    """Why no more of it was taken."""
    _said: bytearray = field(default_factory=bytearray)
    _left: int = 0
    _thread: threading.Thread | None = None

    def begin(self) -> None:
        self._left = self.child.limits.output_bytes
        self._thread = threading.Thread(target=self._read_to_end, name="vt-pipe", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until the program has closed its output and ended; one that does not end soon is killed."""
        assert self._thread  # noqa: S101
        seconds = self.child.limits.seconds
        self._thread.join(seconds)
        try:
            self.process.wait(0 if self._thread.is_alive() else seconds)
        except subprocess.TimeoutExpired:
            raise ToolStopped(
                "{program} took longer than {seconds:.0f} seconds and was stopped.",
                program=self.child.argv[0],
                seconds=seconds,
            ) from None

    def end(self) -> None:
        """End what still runs; the pipes may be closed then, for nobody reads them any more."""
        if self._thread and self._thread.is_alive():
            kill(self.process)
            self._thread.join()

    @property
    def said(self) -> str:
        """The end of its stderr."""
        return self._said.decode(errors="replace")

    def _read_to_end(self) -> None:
        try:
            self._read()
        except Exception as error:  # noqa: BLE001 (it is raised where somebody waits for the program)
            self.trouble = error
            kill(self.process)

    def _read(self) -> None:
        assert self.process.stdout and self.process.stderr  # noqa: S101
        with selectors.DefaultSelector() as waiting:
            waiting.register(self.process.stdout, selectors.EVENT_READ, self._take)
            waiting.register(self.process.stderr, selectors.EVENT_READ, self._note)
            while waiting.get_map():
                for key, _ in waiting.select():
                    chunk = os.read(key.fd, _CHUNK)
                    if chunk:
                        key.data(chunk)
                    else:
                        waiting.unregister(key.fileobj)

    def _take(self, chunk: bytes) -> None:
        self._left -= len(chunk)
        if self._left < 0:
            most = f"{self.child.limits.output_bytes / MB:.0f} MB"
            raise ToolStopped(
                "{program} answered with more than {most} and was stopped.", program=self.child.argv[0], most=most
            )
        self.take(chunk)

    def _note(self, chunk: bytes) -> None:
        self._said += chunk
        del self._said[: -self.child.limits.said_bytes]
