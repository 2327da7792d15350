"""An HTTP client for a running server, for the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from vt.errors import InputError, ToolError

if TYPE_CHECKING:
    import httpx

_CONNECT_SECONDS, _ANSWER_SECONDS = 5.0, 60.0
_BAD_REQUESTS = {404, 409, 422}
"""Statuses of requests that the caller can correct."""
_NO_CONTENT = 204


class Client:
    """Sends requests to one server, with its admin token where there is one."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """`url` such as http://127.0.0.1:8000.

        Raises:
            InputError: it is not an address of a server.
        """
        if not url.startswith(("http://", "https://")):
            raise InputError("{url} is no address of a server: it begins with http:// or https://.", url=url)
        self._url = url.rstrip("/")
        self._headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})

    def models(self) -> dict[str, Any]:
        """Return the state of the model cache; see `GET /api/v1/models`."""
        return self._request("GET", "/api/v1/models")

    def preload(self, names: list[str]) -> dict[str, Any]:
        """Begin to load models, the default ones where none is named."""
        return self._request("POST", "/api/v1/models/preload", {"models": names} if names else None)

    def clear(self, cache_key: str | None = None) -> dict[str, Any]:
        """Free one model, or all."""
        route = "/api/v1/models/cache"
        return self._request("DELETE", f"{route}/{quote(cache_key, safe='')}" if cache_key else route)

    def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs, the newest first, with their ids cut short; see `GET /api/v1/jobs`."""
        found: list[dict[str, Any]] = self._request("GET", "/api/v1/jobs")["jobs"]
        return found

    def job(self, job_id: str) -> dict[str, Any]:
        """Return where a job stands."""
        return self._request("GET", _route(job_id))

    def cancel_job(self, job_id: str) -> dict[str, Any]:
        """End a job, and return where it stands then."""
        return self._request("POST", f"{_route(job_id)}/cancel")

    def remove_job(self, job_id: str) -> None:
        """Remove a job."""
        self._request("DELETE", _route(job_id))

    def report(self, job_id: str) -> dict[str, Any]:
        """Return the report of a job that is done."""
        return self._request("GET", f"{_route(job_id)}/report")

    def fetch(self, job_id: str, result: str, folder: Path) -> Path:
        """Write a result of a job into a folder, by the name that the server gives it, and return the file.

        Args:
            job_id: of a job that is done.
            result: such as video, or subtitles/es.srt.
            folder: for it.
        """
        import httpx

        with (
            self._answers(),
            httpx.stream(
                "GET", f"{self._url}{_route(job_id)}/{result}", headers=self._headers, timeout=_timeout()
            ) as answer,
        ):
            if not answer.is_success:
                answer.read()
                raise self._refusal(answer)
            file = folder / file_name(answer.headers.get("Content-Disposition", ""), result)
            with file.open("wb") as opened:
                for part in answer.iter_bytes():
                    opened.write(part)
        return file

    def _request(self, method: str, route: str, body: object = None) -> dict[str, Any]:
        """Send a request and return the JSON object that comes back.

        Raises:
            InputError: the server refuses the request, and says why.
            ToolError: the server does not answer, or failed.
        """
        import httpx

        with self._answers():
            answer = httpx.request(method, f"{self._url}{route}", json=body, headers=self._headers, timeout=_timeout())
        if answer.is_success and answer.status_code == _NO_CONTENT:
            return {}
        said = _json(answer)
        if isinstance(said, dict) and answer.is_success:
            return said
        raise self._refusal(answer)

    @contextmanager
    def _answers(self) -> Iterator[None]:
        import httpx

        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ToolError(
                "No answer from {url}: {reason}. Is the server running there?", url=self._url, reason=str(error)
            ) from error

    def _refusal(self, answer: httpx.Response) -> InputError | ToolError:
        """Return the error that says what the server has against a request."""
        said = _json(answer)
        detail = said.get("detail") if isinstance(said, dict) else None
        sentence = f"{self._url} says: {detail or f'status {answer.status_code}, and nothing that vt understands'}"
        return (InputError if answer.status_code in _BAD_REQUESTS and detail else ToolError)(sentence)


def _timeout() -> httpx.Timeout:
    import httpx

    return httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)


def _json(answer: httpx.Response) -> Any:  # noqa: ANN401 (whatever it says)
    try:
        return answer.json()
    except ValueError:
        return None


def _route(job_id: str) -> str:
    return f"/api/v1/jobs/{quote(job_id, safe='')}"


def file_name(disposition: str, result: str) -> str:
    """Return the name that a server gives a file, without any folder; the end of its route where that is none."""
    header = EmailMessage()
    header["Content-Disposition"] = disposition or "inline"
    named = PurePosixPath((header.get_filename() or "").replace("\\", "/").replace("\0", "")).name
    return named if named not in ("", ".", "..") else PurePosixPath(result).name
