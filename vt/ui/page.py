"""The page as a whole: its tabs, its endpoints, and how it is hung into a server."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from fastapi import FastAPI

from vt.services import Services
from vt.ui import endpoints, models

_STYLE = Path(__file__).with_name("style.css")
_WORKERS = 16
"""Light calls at a time; the long work has a queue of its own."""


def make_page(services: Services) -> gr.Blocks:
    """Return the page with all its tabs and endpoints."""
    page = gr.Blocks(title="vt, the video translator", analytics_enabled=False)
    with page:
        gr.HTML("<header class='vt-head'><h1>vt</h1><p>the same video, speaking another language</p></header>")
        with gr.Tab("Models", id="models"):
            models.build(services, page)
        endpoints.add(services)
    page.queue(api_open=False, default_concurrency_limit=_WORKERS)
    return page


def hang(page: gr.Blocks, app: FastAPI) -> FastAPI:
    """Hang the page into an application, at its root."""
    theme = gr.themes.Base(primary_hue="indigo", neutral_hue="slate", font=["system-ui", "sans-serif"])
    mounted: FastAPI = gr.mount_gradio_app(
        app, page, path="/", ssr_mode=False, theme=theme, css_paths=[_STYLE], footer_links=[], show_error=True
    )
    return mounted
