"""What ends a command from outside: Ctrl-C, and SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from vt.domain import Cancel


@contextmanager
def heard() -> Iterator[Cancel]:
    """Have both signals raise KeyboardInterrupt in the main thread, and set the switch that is yielded.

    Each alone can miss: Python drops what is raised while it ends a generator that nobody holds any more, and not all
    that waits looks at the switch. A thread sets it, for the handler may have interrupted whoever holds its lock.
    Ctrl-C that is ignored, as in a job that a shell has put into the background, stays so, and what is not Python's.
    """
    cancel = Cancel()

    def stop(*_: object) -> NoReturn:
        threading.Thread(target=cancel.set, name="vt-stop", daemon=True).start()
        raise KeyboardInterrupt

    found = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    kept = {number: before for number, before in found.items() if before not in (None, signal.SIG_IGN)}
    for number in kept:
        signal.signal(number, stop)
    try:
        yield cancel
    finally:
        for number, before in kept.items():
            signal.signal(number, before)
