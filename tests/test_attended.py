"""Work that somebody waits for ends when they leave, whether or not its answer has begun."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from vt.api import attended
from vt.api.attended import Take
from vt.domain import Cancel
from vt.errors import Cancelled, EngineError

PATIENCE = 60


class Exchange:
    """One request, whose client leaves when it is told to."""

    def __init__(self) -> None:
        self.leaves = asyncio.Event()
        self.sent: list[dict[str, Any]] = []
        self.request = Request({"type": "http", "method": "GET", "headers": []}, self.receive)

    async def receive(self) -> dict[str, Any]:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:  # noqa: ANN401
        self.sent.append(message)

    async def answer(self, response: Response) -> bytes:
        await response({"type": "http"}, self.receive, self.send)
        return b"".join(message.get("body", b"") for message in self.sent)


async def on_thread(work: Any) -> Any:  # noqa: ANN401
    return await asyncio.to_thread(work)


def until_cancelled(cancel: Cancel) -> None:
    """Work, as an engine does, until somebody cancels it."""
    ended = threading.Event()
    cancel.add(ended.set)
    assert ended.wait(PATIENCE)
    cancel.remove(ended.set)
    cancel.check()


def test_who_leaves_before_the_answer_cancels_the_work() -> None:
    async def ask() -> int:
        exchange = Exchange()

        def work(cancel: Cancel) -> Response:
            exchange_left()
            until_cancelled(cancel)
            return PlainTextResponse("never")

        loop = asyncio.get_running_loop()

        def exchange_left() -> None:
            loop.call_soon_threadsafe(exchange.leaves.set)

        return (await attended.answered(exchange.request, on_thread, work)).status_code

    assert asyncio.run(ask()) == 499


def test_who_leaves_while_the_answer_comes_cancels_the_work() -> None:
    ends: list[str] = []

    async def ask() -> None:
        exchange = Exchange()

        def work(take: Take, cancel: Cancel) -> None:
            take(b"one")
            try:
                until_cancelled(cancel)
            except Cancelled:
                ends.append("cancelled")
                raise

        response = await attended.streamed(exchange.request, on_thread, work, "text/plain", {})
        answering = asyncio.create_task(exchange.answer(response))
        while not any(message.get("body") for message in exchange.sent):
            await asyncio.sleep(0)
        exchange.leaves.set()
        assert await answering == b"one"

    asyncio.run(ask())
    assert ends == ["cancelled"]


def test_an_answer_comes_whole_and_in_order_however_much_it_is() -> None:
    async def ask() -> bytes:
        exchange = Exchange()

        def work(take: Take, cancel: Cancel) -> None:
            for number in range(300):
                cancel.check()
                take(bytes([number % 251]) * 1000)

        return await exchange.answer(await attended.streamed(exchange.request, on_thread, work, "text/plain", {}))

    assert asyncio.run(ask()) == b"".join(bytes([number % 251]) * 1000 for number in range(300))


@pytest.mark.parametrize("begun", [False, True])
def test_work_that_fails_is_an_error_before_the_answer_and_is_told_of_within_it(begun: bool) -> None:
    async def ask() -> bytes:
        exchange = Exchange()

        def work(take: Take, _: Cancel) -> None:
            if begun:
                take(b"one ")
            raise EngineError("The voice failed.")

        told = await attended.streamed(
            exchange.request, on_thread, work, "text/plain", {}, lambda error: str(error).encode()
        )
        return await exchange.answer(told)

    if begun:
        assert asyncio.run(ask()) == b"one The voice failed."
    else:
        with pytest.raises(EngineError):
            asyncio.run(ask())
