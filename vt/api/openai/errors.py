"""Errors as OpenAI has them: {"error": {"message", "type", "param", "code"}}."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

_CODES = {
    HTTPStatus.UNAUTHORIZED: "invalid_api_key",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_exceeded",
    HTTPStatus.SERVICE_UNAVAILABLE: "server_overloaded",
}


class Refused(Exception):
    """A field of a request cannot be used."""

    def __init__(self, message: str, param: str, code: str = "invalid_value", status: int = 400) -> None:
        super().__init__(message)
        self.message, self.param, self.code, self.status = message, param, code, status


def install(app: FastAPI) -> None:
    """Have refusals answered; all other errors are problems, which `shape` makes those of OpenAI."""
    app.add_exception_handler(Refused, _refused)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)  # noqa: S101 (the table of handlers says so)
    return JSONResponse(body(error.status, error.message, error.param, error.code), error.status)


def shape(status: int, sentence: str) -> tuple[int, Mapping[str, Any]]:
    """Return the status and the body of an error; see `vt.api.error_shapes.Shape`.

    What cannot be used is 400 there, which clients raise as another error than 422.
    """
    status = HTTPStatus.BAD_REQUEST if status == HTTPStatus.UNPROCESSABLE_ENTITY else status
    return status, body(status, sentence, None, _CODES.get(HTTPStatus(status)))


def body(status: int, message: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Return the body of an error."""
    return {"error": {"message": message, "type": _type(status), "param": param, "code": code}}


def _type(status: int) -> str:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limit_error"
    return "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
