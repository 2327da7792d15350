"""An OpenAI-compatible chat endpoint: questions over HTTP, each within bounds of time, size and number of tries.

The key travels in the header Authorization and nowhere else. What a server says of an error is neither shown nor
logged, because some servers repeat the key in it: its status has to do.
"""

from __future__ import annotations

import asyncio
import functools
import json
import ssl
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import SecretStr

from vt.domain import Cancel
from vt.errors import ModelUnavailable
from vt.translatable import Message, Value

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
Messages = Sequence[Mapping[str, str]]

_POLL_SECONDS = 0.2
"""How often it is looked whether the work is to end."""
_TURN_SECONDS = 0.05
_PASSING = {408, 425, 429, 500, 502, 503, 504, 529}
"""Statuses after which trying again may help."""
_MOST_TOKENS = 10**9
"""No answer takes so many: a server that says so is not believed."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How much an endpoint may take, in seconds and bytes."""

    connect_seconds: float = 10.0
    answer_seconds: float = 300.0
    """For a whole answer: a language model on a processor takes minutes for twenty lines."""
    probe_seconds: float = 10.0
    tries: int = 3
    pause_seconds: float = 1.0
    """Before the second try; twice as long before each further one."""
    longest_pause_seconds: float = 30.0
    """A server that wants to be left alone for longer is not waited for."""
    answer_bytes: int = 2**20
    at_once: int = 4
    """Questions under way at a time, over all jobs of the process."""


@dataclass(slots=True)
class Meter:
    """What some questions have taken so far."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class UnusableAnswer(Exception):
    """An answer came, and is none; a smaller question may get one."""


class _Refused(Exception):
    """The server does not take the question (400, 422); the text is what it says of it, which is not shown."""


class _Later(Exception):
    """The server may answer later."""

    def __init__(self, why: Message, after: float | None = None) -> None:
        """`after`: in how many seconds, where the server says so."""
        super().__init__(why)
        self.why, self.after = why, after


@dataclass(slots=True)
class _Accepted:
    """What the server takes, as far as its answers have told."""

    schema: bool = True
    temperature: bool = True
    anything: bool = False
    """Whether it has answered any question."""


class Endpoint:
    """One model behind one address. Any thread may use it."""

    def __init__(self, url: str, model: str, key: SecretStr | None = None, patience: Patience | None = None) -> None:
        """`url` is the base address, such as http://127.0.0.1:11434/v1; no request is made yet."""
        self.model = model
        self.patience = patience or Patience()
        self._url, self._key = url, key
        self._accepted = _Accepted()
        self._turns = threading.BoundedSemaphore(self.patience.at_once)

    def probe(self, cancel: Cancel) -> None:
        """Look whether the server is there and takes the key; what else it answers is of no account.

        Raises:
            ModelUnavailable: it is not, or does not.
            Cancelled: `cancel` was set.
        """
        self.run([self._probe], cancel)

    def run(self, works: Sequence[Callable[[httpx.AsyncClient], Awaitable[T]]], cancel: Cancel) -> list[T]:
        """Do several pieces of work at the same time, and return what each of them has made.

        Raises:
            Cancelled: `cancel` was set; that is seen within a fraction of a second.
        """
        if not _is_in_a_loop():
            return self._run(works, cancel)
        with ThreadPoolExecutor(1, "vt-llm") as pool:  # as in a notebook: a thread has one loop at a time
            return pool.submit(self._run, works, cancel).result()

    def _run(self, works: Sequence[Callable[[httpx.AsyncClient], Awaitable[T]]], cancel: Cancel) -> list[T]:
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(self._together(works, cancel))
        finally:
            # Answers that were not read to their end are closed. Unlike asyncio.run this does not wait for a look-up of
            # a name, which nothing can interrupt.
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    async def _together(self, works: Sequence[Callable[[httpx.AsyncClient], Awaitable[T]]], cancel: Cancel) -> list[T]:
        async with self._client() as client:
            tasks = [asyncio.ensure_future(work(client)) for work in works]
            try:
                pending = set(tasks)
                while pending:
                    cancel.check()
                    _, pending = await asyncio.wait(pending, timeout=_POLL_SECONDS)
                cancel.check()
                return [task.result() for task in tasks]
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def ask(self, client: httpx.AsyncClient, messages: Messages, schema: Mapping[str, Any], meter: Meter) -> str:
        """Return what the model says; `meter` is told what that took.

        Args:
            client: as `run` hands it over.
            messages: the conversation, each with `role` and `content`.
            schema: of the answer (JSON Schema), for servers that keep to one.
            meter: counts also what failed.

        Raises:
            UnusableAnswer: there is none in what came.
            ModelUnavailable: the server does not serve: not there, too slow, busy for long, or refusing.
        """
        pause = self.patience.pause_seconds
        for left in reversed(range(self.patience.tries)):
            try:
                return await self._accepted_answer(client, messages, schema, meter)
            except _Later as later:
                wait = pause if later.after is None else later.after
                if not left or wait > self.patience.longest_pause_seconds:
                    raise ModelUnavailable(later.why) from None
                await asyncio.sleep(wait)
                pause = min(2 * pause, self.patience.longest_pause_seconds)
        raise AssertionError("the last try has returned or raised")

    async def _accepted_answer(
        self, client: httpx.AsyncClient, messages: Messages, schema: Mapping[str, Any], meter: Meter
    ) -> str:
        """Ask, and where the server refuses a part that is not needed, without that part."""
        while True:
            asked = _Accepted(self._accepted.schema, self._accepted.temperature)
            try:
                said = await self._answer(client, self._body(messages, schema, asked), meter)
            except _Refused as refusal:
                self._give_up_a_part(asked, str(refusal))
                continue
            self._accepted.anything = True
            return said

    def _body(self, messages: Messages, schema: Mapping[str, Any], asked: _Accepted) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.model, "messages": messages}
        if asked.temperature:
            body["temperature"] = 0
        if asked.schema:
            named = {"name": "translation", "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        return body

    def _give_up_a_part(self, asked: _Accepted, said: str) -> None:
        """Note which part of a refused question the server does not take.

        Raises:
            UnusableAnswer: it takes other questions, so this one is too large for it, or not to its liking.
            ModelUnavailable: it takes none.
        """
        if asked.temperature and (not asked.schema or "temperature" in said):
            self._accepted.temperature = False
        elif asked.schema:
            self._accepted.schema = False
        elif self._accepted.anything:
            raise UnusableAnswer
        else:
            raise ModelUnavailable(
                "The language model {model} does not take the questions of this program (400): check VT_LLM_URL and "
                "VT_LLM_MODEL.",
                model=self.model,
            )

    async def _answer(self, client: httpx.AsyncClient, body: Mapping[str, Any], meter: Meter) -> str:
        await self._turn()
        try:
            meter.calls += 1
            status, after, came = await self._posted(client, body)
        finally:
            self._turns.release()
        if status in (400, 422):
            raise _Refused(came.decode(errors="replace"))
        self._check(status, after)
        return _said(came, meter)

    async def _turn(self) -> None:
        """Wait until fewer questions are under way than may; threads of other jobs count, too."""
        while not self._turns.acquire(blocking=False):
            await asyncio.sleep(_TURN_SECONDS)

    async def _posted(self, client: httpx.AsyncClient, body: Mapping[str, Any]) -> tuple[int, float | None, bytes]:
        """Return the status, the seconds of Retry-After, and the body, which is read as far as it may be long."""
        import httpx

        try:
            async with (
                asyncio.timeout(self.patience.answer_seconds),
                client.stream("POST", f"{self._url}/chat/completions", json=body) as response,
            ):
                came = bytearray()
                generator = cast("AsyncGenerator[bytes]", response.aiter_raw())  # httpx names its iterator only
                async with aclosing(generator) as chunks:
                    async for chunk in chunks:
                        came += chunk
                        if len(came) > self.patience.answer_bytes:
                            raise UnusableAnswer
                return response.status_code, _retry_after(response.headers.get("Retry-After", "")), bytes(came)
        except (TimeoutError, httpx.ReadTimeout, httpx.WriteTimeout) as error:
            raise ModelUnavailable(
                "The language model {model} takes longer than {seconds:.0f} s for an answer.",
                model=self.model,
                seconds=self.patience.answer_seconds,
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise _Later(self._not_there()) from error

    async def _probe(self, client: httpx.AsyncClient) -> None:
        import httpx

        try:
            async with (
                asyncio.timeout(self.patience.probe_seconds),
                client.stream("GET", f"{self._url}/models") as response,
            ):
                status = response.status_code
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise ModelUnavailable(self._not_there()) from error
        if status in (401, 403) or 300 <= status < 400:  # else it has no list of models, or is busy
            self._check(status, None)

    def _check(self, status: int, after: float | None) -> None:
        """Raise where a status is no success."""
        if status in _PASSING:
            busy = "The server of the language model {model} is busy or has an error ({status})."
            raise _Later(Message(busy, model=self.model, status=status), after)
        if status == 413:
            raise UnusableAnswer
        if not 200 <= status < 300:
            raise ModelUnavailable(_refusal(self.model, status))

    def _not_there(self) -> Message:
        return Message("The server of the language model {model} does not answer: check VT_LLM_URL.", model=self.model)

    def _client(self) -> httpx.AsyncClient:
        import httpx

        headers = {"User-Agent": "vt", "Accept-Encoding": "identity"}  # nothing has to be unpacked within bounds
        if self._key:
            headers["Authorization"] = f"Bearer {self._key.get_secret_value()}"
        patience = httpx.Timeout(self.patience.answer_seconds, connect=self.patience.connect_seconds)
        try:
            return httpx.AsyncClient(headers=headers, timeout=patience, follow_redirects=False, verify=_trusted())
        except (OSError, ValueError, ImportError) as error:
            raise ModelUnavailable(
                "No connection can be made: check SSL_CERT_FILE and the proxies that are set."
            ) from error


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Return which certificates are trusted; to read them takes a while."""
    import httpx

    return httpx.create_ssl_context()


def _refusal(model: str, status: int) -> Message:
    values: dict[str, Value] = {"model": model, "status": status}
    if status in (401, 403):
        return Message(
            "The server of the language model {model} refuses the key ({status}): check VT_LLM_KEY.", **values
        )
    if 300 <= status < 400:
        return Message(
            "The server of the language model {model} sends elsewhere ({status}), which is not followed: VT_LLM_URL "
            "has to be its final address.",
            **values,
        )
    return Message(
        "The server knows no language model {model} ({status}): check VT_LLM_URL and VT_LLM_MODEL.", **values
    )


def _is_in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _retry_after(said: str) -> float | None:
    """Return in how many seconds to ask again, which a server says in seconds or as a date; None: it says nothing."""
    if said.strip().isdecimal():
        return float(said[:9])
    try:
        when = parsedate_to_datetime(said).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _said(came: bytes, meter: Meter) -> str:
    """Return the text of an answer, and count its tokens."""
    try:
        answer = json.loads(came)
        usage = answer.get("usage") or {}
        meter.prompt_tokens += _tokens(usage.get("prompt_tokens"))
        meter.completion_tokens += _tokens(usage.get("completion_tokens"))
        said = answer["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise UnusableAnswer from error
    if not isinstance(said, str):
        raise UnusableAnswer
    return said


def _tokens(told: object) -> int:
    return told if isinstance(told, int) and 0 <= told <= _MOST_TOKENS else 0
