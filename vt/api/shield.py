"""What every answer tells a browser: where its content may be used, what it may load, and that it is what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    # An address of a film holds the id of its job, which is all that opens that.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), display-capture=()",
}
_ANSWER = "default-src 'none'; media-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
"""Of JSON, films and files: whatever they hold, nothing in them runs."""
# Gradio's page begins with a script of its own in it, and makes functions of the scripts that elements bring along.
_PAGE = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
    "object-src 'none'; frame-src 'none'; base-uri 'self'; form-action 'self'; "
)
_CDN = "https://cdn.jsdelivr.net"
_DOCS = (
    f"default-src 'self'; script-src 'self' 'unsafe-inline' {_CDN}; style-src 'self' 'unsafe-inline' {_CDN}; "
    "img-src 'self' data: https://fastapi.tiangolo.com; object-src 'none'; base-uri 'none'; form-action 'none'; "
)
_LOOKS = ("text/html", "text/javascript", "application/javascript")
_PAGES_OWN = "/gradio_api/"
_GRANTS = "access-control-"


class Shield:
    """An ASGI application in front of another one, whose answers it arms."""

    def __init__(self, app: ASGIApp, *, on_spaces: bool) -> None:
        """`on_spaces`: the page is shown in a frame of huggingface.co."""
        self._app = app
        self._frames = "frame-ancestors 'self'" + (" https://huggingface.co https://*.hf.space" if on_spaces else "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""

        async def armed(message: Message) -> None:
            if message["type"].endswith("http.response.start"):
                self._arm(scope["path"], MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, armed)

    def _arm(self, path: str, headers: MutableHeaders) -> None:
        # Gradio lets pages of any site read its answers where it is not asked for by a loopback name.
        for name in [name for name in headers if name.startswith(_GRANTS)]:
            del headers[name]
        headers.update(_ALWAYS)
        headers["Content-Security-Policy"] = _policy(path, headers.get("content-type", "")) + self._frames


def _policy(path: str, content_type: str) -> str:
    if path.startswith(_PAGES_OWN) or not content_type.startswith(_LOOKS):
        return _ANSWER
    return _DOCS if path.startswith("/docs") else _PAGE
