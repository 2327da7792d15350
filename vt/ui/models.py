"""The tab Models: what is in memory, what may go, and how the service is doing."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import gradio as gr

from vt.services import Services
from vt.ui.endpoints import guarded
from vt.ui.shared import in_words
from vt.ui.words import label

_REFRESH_SECONDS = 2.0
_COLUMNS = ("Cache key", "Kind", "State", "MB", "In use", "Idle (s)", "Load (s)")
_KINDS = {"stt": "hears", "translation": "translates", "tts": "speaks"}
_PRIVATE: dict[str, Any] = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
"""Of the page's own events: scripts have endpoints."""


def build(services: Services, page: gr.Blocks) -> None:
    """Build the tab into the page."""
    health = gr.HTML()
    memory = gr.HTML()
    table = gr.Dataframe(
        headers=list(_COLUMNS), label=label("models_memory"), interactive=False, elem_id="vt-models", wrap=True
    )
    with gr.Row():
        token = gr.Textbox(
            label=label("models_token"), type="password", visible=services.settings.admin_token is not None
        )
    with gr.Row():
        chosen = gr.Dropdown(label=label("models_model"), choices=[], elem_id="vt-model")
        unload = gr.Button(label("models_unload"), elem_id="vt-unload")
    with gr.Row():
        preload = gr.Button(label("models_preload"), variant="primary", elem_id="vt-preload")
        clear = gr.Button(label("models_clear"), variant="stop", elem_id="vt-clear")
    effect = gr.HTML(elem_id="vt-effect")

    seen = [health, memory, table, chosen]

    def look(key: str | None) -> list[Any]:
        return _look(services, key)

    def preloading(secret: str, key: str | None, request: gr.Request) -> list[Any]:
        return [_act(services, request, secret, lambda: _preloaded(services)), *_look(services, key)]

    def clearing(secret: str, request: gr.Request) -> list[Any]:
        return [_act(services, request, secret, lambda: _cleared(services.clear())), *_look(services, None)]

    def unloading(secret: str, key: str | None, request: gr.Request) -> list[Any]:
        return [_act(services, request, secret, lambda: _unloaded(services, key)), *_look(services, None)]

    page.load(look, [chosen], seen, **_PRIVATE)
    gr.Timer(_REFRESH_SECONDS).tick(look, [chosen], seen, **_PRIVATE)
    preload.click(preloading, [token, chosen], [effect, *seen], **_PRIVATE)
    clear.click(clearing, [token], [effect, *seen], **_PRIVATE)
    unload.click(unloading, [token, chosen], [effect, *seen], **_PRIVATE)


def _act(services: Services, request: gr.Request, token: str, act: Callable[[], str]) -> str:
    with in_words():
        guarded(services, request, token)
        return f"<p role='status'>{html.escape(act())}</p>"


def _look(services: Services, chosen: str | None) -> list[Any]:
    """Return health, memory, table and choice as they are now."""
    cache = services.factory.get_model_status()
    keys = [model["cache_key"] for model in cache["models"]]
    kept = chosen if chosen in keys else next(iter(keys), None)
    return [_health(services), _memory(cache), _rows(cache), gr.Dropdown(choices=keys, value=kept)]


def _rows(cache: dict[str, Any]) -> list[list[Any]]:
    return [
        [
            model["cache_key"],
            _KINDS[model["model_type"]],
            model["state"],
            model["memory_usage_mb"],
            model["leases"],
            round(model["idle_seconds"]),
            model["load_time_seconds"],
        ]
        for model in cache["models"]
    ]


def _memory(cache: dict[str, Any]) -> str:
    used, budget = cache["total_memory_mb"], cache["budget_mb"]
    counts = f"{cache['hits']} hits, {cache['misses']} misses, {cache['loads']} loads, {cache['evictions']} evictions"
    return (
        f"<label class='vt-memory'>{used:.0f} of {budget:.0f} MB for models "
        f"<progress max='{budget:.0f}' value='{used:.0f}'></progress> <span>{counts}</span></label>"
    )


def _health(services: Services) -> str:
    health = services.health()
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in health["notes"])
    loading = [
        f"<li>{html.escape(model.name)}: {model.state}{html.escape(f' ({model.why})') if model.why else ''}</li>"
        for model in services.readiness()[1]
        if model.state != "ready"
    ]
    listed = f"<ul>{notes}{''.join(loading)}</ul>" if notes or loading else ""
    return f"<div class='vt-health vt-{health['status']}'><strong>{health['status']}</strong>{listed}</div>"


def _preloaded(services: Services) -> str:
    started = services.preload()
    if not started:
        return "Nothing is preloaded: MODEL_CACHE_ENABLED is false, so no model would stay."
    return "Preloading: " + ", ".join(f"{model.name} ({model.state})" for model in started)


def _unloaded(services: Services, key: str | None) -> str:
    found = services.evict(key) if key else None
    return _cleared(found) if found else "No such model is in memory any more."


def _cleared(found: dict[str, Any]) -> str:
    if found["retiring"]:
        return f"In use, goes with its last user: {', '.join(found['retiring'])}."
    if not found["freed"]:
        return "No model was in memory."
    return f"Unloaded: {', '.join(found['freed'])}. {found['freed_mb']:.0f} MB came back."
