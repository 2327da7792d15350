"""The security headers of every answer: Content-Security-Policy and those that keep other sites out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    # The address of a film contains the id of its job, and whoever knows the id may use the job.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_OF_DOCUMENTS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), display-capture=()",
}
"""Browsers heed them in what they show in a window, and in no part of it."""
_PART = "default-src 'self'; object-src 'none'; "
"""For scripts and styles, of which a page has sixty: of them only a worker heeds a policy of its own."""
_NOT_A_PAGE = "default-src 'none'; media-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
"""For JSON, films and other files: the browser runs no scripts in them."""
# Gradio's page has an inline script, and uses eval for the scripts of elements.
_PAGE = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
    "object-src 'none'; frame-src 'none'; base-uri 'self'; form-action 'self'; "
)
# The page behind a link to share has no scripts.
_SHARED = (
    "default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; "
)
_CDN = "https://cdn.jsdelivr.net"
_DOCS = (
    f"default-src 'self'; script-src 'self' 'unsafe-inline' {_CDN}; style-src 'self' 'unsafe-inline' {_CDN}; "
    "img-src 'self' data: https://fastapi.tiangolo.com; object-src 'none'; base-uri 'none'; form-action 'none'; "
)
_PART_TYPES = ("text/javascript", "application/javascript", "text/css")
_GRADIO_PREFIX = "/gradio_api/"
_CORS_PREFIX = "access-control-"


class SecurityHeaders:
    """ASGI middleware that adds security headers to every answer, and removes Gradio's permissions for other sites."""

    def __init__(self, app: ASGIApp, *, on_spaces: bool) -> None:
        """`on_spaces`: the page is shown in a frame of huggingface.co."""
        self._app = app
        self._frames = "frame-ancestors 'self'" + (" https://huggingface.co https://*.hf.space" if on_spaces else "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""

        async def secured(message: Message) -> None:
            if message["type"].endswith("http.response.start"):
                self._secure(scope["path"], MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, secured)

    def _secure(self, path: str, headers: MutableHeaders) -> None:
        # Gradio allows pages of any site to read its answers, unless the host is a loopback name.
        for name in [name for name in headers if name.startswith(_CORS_PREFIX)]:
            del headers[name]
        is_part = headers.get("content-type", "").startswith(_PART_TYPES)
        headers.update(_ALWAYS if is_part else _ALWAYS | _OF_DOCUMENTS)
        headers["Content-Security-Policy"] = _policy(path, headers.get("content-type", "")) + self._frames


def _policy(path: str, content_type: str) -> str:
    if content_type.startswith(_PART_TYPES):
        return _PART
    if path.startswith(_GRADIO_PREFIX) or not content_type.startswith("text/html"):
        return _NOT_A_PAGE
    if path.startswith("/shared/"):
        return _SHARED
    return _DOCS if path.startswith("/docs") else _PAGE
