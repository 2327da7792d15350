"""The tools served over HTTP, each request for itself: there are no sessions that would have to be kept."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp.types import Tool as ToolListed
from pydantic import ValidationError
from starlette.requests import Request

from vt.api import problems
from vt.api.body_limits import MOST_BYTES
from vt.api.dependencies import Threads
from vt.api.mcp import arguments
from vt.api.mcp.tools import TOOLS, Call, Told
from vt.errors import StorageError, VtError
from vt.services import Services
from vt.web import visitors
from vt.web.visitors import ConcurrencyLimit

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_log = logging.getLogger(__name__)
for _library in ("mcp", "sse_starlette"):  # below that they log what is asked and answered
    logging.getLogger(_library).setLevel(logging.WARNING)

_INSTRUCTIONS = (
    "This server dubs films into other languages, in time with the picture, and writes down what is said in them. dub "
    "and transcribe begin a job, get_job follows it and names the addresses of its results, get_text reads its words. "
    "Files above 1.4 MB are sent by HTTP: send_large_film says how. A job's id is a secret: whoever knows it may use "
    "the job."
)
_ONLY_POST = "Each request stands for itself here: POST is all there is."
_UNEXPECTED = "The server met an unexpected error; its log says which. Please report it."
_LONGEST_NAME = 60


class Face:
    """An ASGI application for one path; it answers while `running` is entered."""

    path = "/mcp"

    def __init__(self, services: Services, threads: Threads) -> None:
        self._services, self._threads = services, threads
        # Each holds a place among the requests with a body, which the page needs too.
        self._waits = ConcurrencyLimit("calls that wait for a job", each=8, total=64)
        self._server: Server[dict[str, Any]] = Server(
            "vt",
            version=services.version,
            title="vt, the video translator",
            instructions=_INSTRUCTIONS,
            on_list_tools=_listed,
            on_call_tool=self._called,
        )
        self._sessions: StreamableHTTPSessionManager | None = None

    @asynccontextmanager
    async def running(self, _: object = None) -> AsyncIterator[None]:
        """Answer while the block runs; at its end the calls that still wait are cancelled."""
        # Host and origin are checked before a request comes here, with what is known of proxies.
        sessions = StreamableHTTPSessionManager(self._server, stateless=True, max_request_body_size=MOST_BYTES)
        async with sessions.run():
            self._sessions = sessions
            try:
                yield
            finally:
                self._sessions = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        scope["route"] = self  # by its path the metrics count it
        if scope["method"] != "POST":  # a stream on which nothing would ever come, or the end of a session
            await problems.problem(405, _ONLY_POST, {"Allow": "POST"})(scope, receive, send)
        elif self._sessions is None:
            await problems.problem(503, "The server is about to begin or to end.")(scope, receive, send)
        else:
            await self._sessions.handle_request(scope, receive, send)

    async def _called(
        self, context: ServerRequestContext[dict[str, Any], Request], params: CallToolRequestParams
    ) -> CallToolResult:
        tool = TOOLS.get(params.name)
        if tool is None:
            asked, known = params.name[:_LONGEST_NAME], ", ".join(TOOLS)
            raise MCPError(INVALID_PARAMS, f"There is no tool {asked}: there are {known}.")
        try:
            return _answer(await tool.run(self._call(context), tool.arguments.model_validate(params.arguments or {})))
        except ValidationError as error:
            return _refusal(arguments.sentence(error))
        except VtError as error:
            if isinstance(error, StorageError):
                _log.warning("%s", error.in_full)
            return _refusal(str(error.message.with_file_names({})))
        except Exception:  # noqa: BLE001 (no traceback may reach a user)
            _log.exception("the tool %s failed", params.name)
            return _refusal(_UNEXPECTED)

    def _call(self, context: ServerRequestContext[dict[str, Any], Request]) -> Call:
        request, session = context.request, context.session
        assert request is not None  # noqa: S101 (all requests come over HTTP)

        async def on_progress(fraction: float, what: str) -> None:
            await session.report_progress(fraction, 1.0, what)

        base = f"{request.url.scheme}://{request.url.netloc}"
        visitor = visitors.of(request.scope).key
        return Call(self._services, self._threads, self._waits, visitor, base, on_progress)


async def _listed(_: object, __: PaginatedRequestParams | None) -> ListToolsResult:
    return ListToolsResult(
        tools=[
            ToolListed(
                name=name,
                title=tool.title,
                description=tool.description,
                input_schema=tool.arguments.model_json_schema(),
                annotations=ToolAnnotations(
                    title=tool.title, read_only_hint=tool.reads_only, destructive_hint=name == "cancel_job"
                ),
            )
            for name, tool in TOOLS.items()
        ]
    )


def _answer(told: Told) -> CallToolResult:
    if isinstance(told, str):
        return CallToolResult(content=[TextContent(text=told)])
    return CallToolResult(content=[TextContent(text=json.dumps(told, ensure_ascii=False))], structured_content=told)


def _refusal(sentence: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=sentence)], is_error=True)
