"""The HTTP status of each error: one table for the routes and for the page."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from vt import errors

STATUSES: Mapping[type[errors.VtError], HTTPStatus] = {
    errors.UnknownModel: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InputError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TokenRefused: HTTPStatus.UNAUTHORIZED,
    errors.AdminRefused: HTTPStatus.FORBIDDEN,
    errors.TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    errors.ModelBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ModelInUse: HTTPStatus.CONFLICT,
    errors.NotDownloaded: HTTPStatus.CONFLICT,
    errors.ModelUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ToolError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StorageError: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.BadUpload: HTTPStatus.BAD_REQUEST,
    errors.FilmTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.SubtitlesTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.GlossaryTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.NoSuchResult: HTTPStatus.NOT_FOUND,
    errors.JobNotFound: HTTPStatus.NOT_FOUND,
    errors.WrongState: HTTPStatus.CONFLICT,
    errors.Outdated: HTTPStatus.PRECONDITION_FAILED,
    errors.QueueFull: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.UploadGone: HTTPStatus.NOT_FOUND,
    errors.BrokenCall: HTTPStatus.BAD_REQUEST,
    errors.NoSuchCall: HTTPStatus.NOT_FOUND,
    errors.WrongMethod: HTTPStatus.METHOD_NOT_ALLOWED,
    errors.WrongType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.CallTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}
"""For an error that is not listed its nearest listed base class counts; without one it is 500."""


def status_of(error: errors.VtError) -> HTTPStatus:
    """Return the status of an error."""
    found = (STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    return next(found, HTTPStatus.INTERNAL_SERVER_ERROR)


def headers_of(error: errors.VtError) -> dict[str, str]:
    """Return the headers that go with the status of an error."""
    return {"Retry-After": str(error.retry_after)} if isinstance(error, errors.TooManyRequests) else {}
