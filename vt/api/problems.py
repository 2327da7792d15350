"""Answers errors over HTTP in the form of RFC 9457."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from vt import errors
from vt.api import request_tracing
from vt.web.http_statuses import headers_of, status_of

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

_log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_DESCRIPTIONS = {
    400: "The request, or its body, is not of the form that this takes.",
    401: "VT_ADMIN_TOKEN is set, and the request names another token, or comes from this machine and names none.",
    403: "A page of another site had the request sent; or it needs a token, names none, and comes from elsewhere: from "
    "another machine, through a proxy, or to a server on a Space.",
    409: "The job's state does not allow this: the answer's `state` says which it is.",
    412: "The lines are of another version by now: read them again.",
    413: "The film, the subtitles or the body are larger than this server takes.",
    416: "The file has no such part.",
    421: "The request names a host that this server does not answer for: see VT_ALLOWED_HOSTS.",
    422: "What was asked for cannot be done: the answer says why.",
    428: "The request names no version in If-Match.",
    429: "More was asked for at a time than one visitor, or all of them, may: Retry-After says when to ask again.",
    503: "Not now: the answer's Retry-After says when to ask again.",
    507: "The data folder cannot be used, or its disk has no room.",
}
_LONGEST_PLACE = 100
_NO_JSON = "The request cannot be used: its body is no JSON."
_EXTRA = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": "5"},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "30"},
}


class Problem(BaseModel):
    """An error as RFC 9457 has it."""

    type: str = Field(
        "about:blank",
        description="Always about:blank: the status says what kind of problem it is.",
        examples=["about:blank"],
    )
    title: str = Field(description="The status in words.", examples=["Not Found"])
    status: int = Field(description="The HTTP status.", examples=[404])
    detail: str = Field(
        description="What is wrong and what to do, in a sentence for people.",
        examples=["No model of that key is in memory: GET /api/v1/models lists those that are."],
    )
    state: str | None = Field(None, description="Of the job, where it is what is wrong.", examples=["running"])


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the description of a route's problems for OpenAPI."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        int(status): {
            "description": _DESCRIPTIONS.get(status, HTTPStatus(status).phrase),
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Have every error of an application answered as a problem."""
    app.add_exception_handler(errors.VtError, _vt_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def problem(
    status: int, detail: str, headers: dict[str, str] | None = None, *, state: str | None = None
) -> JSONResponse:
    """Return a problem as a response; `state` is that of the job, where it is what is wrong."""
    known = HTTPStatus(status)
    found = Problem(type="about:blank", title=known.phrase, status=status, detail=detail, state=state)
    body = found.model_dump(exclude_none=True)
    return JSONResponse(body, status, {**_EXTRA.get(known, {}), **(headers or {})}, MEDIA_TYPE)


def replacing(sentences: Mapping[int, str], kind: str, scope: Scope, receive: Receive, send: Send) -> Send:
    """Return a `send` that replaces a library's error answers by problems.

    Args:
        sentences: for the problem, by the status that is replaced.
        kind: a part of the content type of such answers; answers of other types are passed on.
        scope: of the request.
        receive: of the request.
        send: of the request.
    """
    refused = False

    async def sent(message: Message) -> None:
        nonlocal refused
        if message["type"] == "http.response.start" and (sentence := sentences.get(message["status"])):
            headers = Headers(raw=message["headers"])
            if refused := kind in headers.get("content-type", ""):
                kept = {name: headers[name] for name in ("content-range", "allow") if name in headers}
                await problem(message["status"], sentence, kept)(scope, receive, send)
        if not refused:
            await send(message)

    return sent


async def _vt_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.VtError)  # noqa: S101 (FastAPI's own table of handlers says so)
    return of(error)


def of(error: errors.VtError) -> JSONResponse:
    """Return an error as a response."""
    request_tracing.note_reason(_snake_case(type(error).__name__))
    if isinstance(error, errors.StorageError):
        _log.warning("%s", error.in_full)
    state = error.state if isinstance(error, errors.WrongState) else None
    return problem(status_of(error), error.message.with_file_names({}), headers_of(error), state=state)


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, _NO_JSON)
    where = ".".join(str(part) for part in first["loc"] if part != "body")[:_LONGEST_PLACE] or "the body"
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"The request cannot be used: {where}: {first['msg']}.")


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    if isinstance(
        error.__cause__, (ValueError, RecursionError)
    ):  # the body is not JSON: FastAPI reports some of these as HTTPException
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, _NO_JSON)
    known = HTTPStatus(error.status_code)
    detail = error.detail if error.detail != known.phrase else f"{known.description or known.phrase}."
    return problem(error.status_code, detail, dict(error.headers or {}))


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    _log.error("%s %s failed", request.method, request.scope.get("route", request.url.path), exc_info=error)
    return problem(500, "The server met an unexpected error; its log says which. Please report it.")
