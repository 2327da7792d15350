"""Work that somebody waits for: done in a thread, answered whole or while it is done, and ended when they leave."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from vt.domain import Cancel
from vt.errors import Cancelled, VtError
from vt.system import disk

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_T = TypeVar("_T")
OnThread = Callable[[Callable[[], Any]], Coroutine[Any, Any, Any]]
"""Runs a function in a thread, and returns what that returns."""
Take = Callable[[bytes], None]
"""Adds to an answer; any thread may call it."""
_CLIENT_GONE = 499
"""nginx's status for a request whose client did not wait for the answer: nobody but the metrics sees it."""
_CHUNK = 1 << 16

_log = logging.getLogger(__name__)


async def answered(request: Request, on_thread: OnThread, work: Callable[[Cancel], Response]) -> Response:
    """Return what work in a thread answers; it is cancelled when the client leaves."""
    cancel = Cancel()
    async with _watched(request, cancel.set):
        try:
            found: Response = await on_thread(lambda: work(cancel))
        except Cancelled:
            return Response(status_code=_CLIENT_GONE)
        finally:
            cancel.set()  # the server may end before the work does
    return found


@asynccontextmanager
async def _watched(request: Request, left: Callable[[], object]) -> AsyncIterator[None]:
    """Call `left` when the client leaves while the block runs. The request has been read to its end."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        left()

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()


class _Making:
    """What a thread makes for an answer. It is kept on the disk until it is taken, so a slow client holds no model."""

    def __init__(self, on_thread: OnThread, work: Callable[[Take, Cancel], None]) -> None:
        self.cancel = Cancel()
        self._kept, self._size, self._lock = tempfile.TemporaryFile(), 0, threading.Lock()  # noqa: SIM115 (see `end`)
        self._loop, self._changed = asyncio.get_running_loop(), asyncio.Event()
        self._task = asyncio.create_task(on_thread(lambda: work(self._take, self.cancel)))
        self._task.add_done_callback(lambda _: self._changed.set())

    def _take(self, chunk: bytes) -> None:
        self.cancel.check()
        with self._lock, disk.translated():
            self._kept.seek(self._size)
            self._kept.write(chunk)
            self._size += len(chunk)
        self._loop.call_soon_threadsafe(self._changed.set)

    def leave(self) -> None:
        """End it: nobody takes any more."""
        self.cancel.set()
        self._changed.set()

    async def begun(self) -> None:
        """Wait until there is something, and raise what has kept the work from making anything."""
        await self._changed.wait()
        if self._task.done() and not self._size:
            self._task.result()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield what is made, to the end, and raise what the work raised."""
        at = 0
        while not self.cancel.is_set:
            self._changed.clear()
            if at < self._size:
                chunk = self._read(at)
                at += len(chunk)
                yield chunk
            elif self._task.done():
                self._task.result()
                return
            else:
                await self._changed.wait()

    def _read(self, at: int) -> bytes:
        with self._lock:
            self._kept.seek(at)
            return self._kept.read(_CHUNK)

    async def end(self) -> None:
        """Wait until the thread has ended."""
        self.leave()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()
        self._kept.close()


class Streamed(Response):
    """An answer that is sent while it is made."""

    def __init__(
        self,
        request: Request,
        making: _Making,
        media_type: str,
        headers: Mapping[str, str],
        trouble: Callable[[VtError], bytes] | None,
    ) -> None:
        super().__init__(None, media_type=media_type, headers=headers)
        del self.headers["content-length"]
        self._request, self._making, self._trouble = request, making, trouble

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; where the work fails on the way, it breaks off, or ends with what is said of the trouble."""
        del scope, receive
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async with _watched(self._request, self._making.leave):
                async for chunk in self._making.chunks():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except Cancelled:
            _log.debug("who waited for an answer has left")
        except VtError as error:
            _log.warning("an answer broke off: %s", error.in_full)
            if self._trouble:
                await send({"type": "http.response.body", "body": self._trouble(error), "more_body": False})
        finally:
            await self._making.end()


async def streamed(
    request: Request,
    on_thread: OnThread,
    work: Callable[[Take, Cancel], None],
    media_type: str,
    headers: Mapping[str, str],
    trouble: Callable[[VtError], bytes] | None = None,
) -> Response:
    """Return an answer that is sent while a thread makes it; the thread is told to end when the client leaves.

    Args:
        request: has been read to its end.
        on_thread: runs the work.
        work: makes the answer: it gives the bytes to its first argument.
        media_type: of the answer.
        headers: of the answer.
        trouble: returns what is sent last where the work fails once something was sent; None: the answer breaks off.

    Raises:
        VtError: the work failed before it had made anything.
    """
    making = _Making(on_thread, work)
    try:
        async with _watched(request, making.leave):
            await making.begun()
    except Cancelled:
        await making.end()
        return Response(status_code=_CLIENT_GONE)
    except BaseException:
        await making.end()
        raise
    return Streamed(request, making, media_type, headers, trouble)
