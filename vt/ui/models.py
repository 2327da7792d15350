"""The tab Models: what is in memory, what may go, and how the service is doing."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import gradio as gr

from vt.services import Services
from vt.ui import words
from vt.ui.endpoints import guarded
from vt.ui.shared import in_words
from vt.ui.words import Words, label

_REFRESH_SECONDS = 2.0
_COLUMNS = ("key", "kind", "state", "size", "leases", "idle", "load")
_PRIVATE: dict[str, Any] = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
"""Of the page's own events: scripts have endpoints."""


def build(services: Services, page: gr.Blocks) -> None:
    """Build the tab into the page."""
    health = gr.HTML()
    memory = gr.HTML()
    table = gr.Dataframe(
        headers=_heads(Words("en")), label=label("models_memory"), interactive=False, elem_id="vt-models", wrap=True
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

    def look(key: str | None, request: gr.Request) -> list[Any]:
        return _look(words.of(request), services, key)

    def acting(act: Callable[[Words, str | None], str]) -> Callable[[str, str | None, gr.Request], list[Any]]:
        def acted(secret: str, key: str | None, request: gr.Request) -> list[Any]:
            said = words.of(request)
            with in_words(said):
                guarded(services, request, secret)
                effect = f"<p role='status'>{html.escape(act(said, key))}</p>"
            return [effect, *_look(said, services, key)]

        return acted

    page.load(look, [chosen], seen, **_PRIVATE)
    gr.Timer(_REFRESH_SECONDS).tick(look, [chosen], seen, **_PRIVATE)
    changed = [effect, *seen]
    preload.click(acting(lambda said, _: _preloaded(said, services)), [token, chosen], changed, **_PRIVATE)
    clear.click(acting(lambda said, _: _cleared(said, services.clear())), [token, chosen], changed, **_PRIVATE)
    unload.click(acting(lambda said, key: _unloaded(said, services, key)), [token, chosen], changed, **_PRIVATE)


def _look(said: Words, services: Services, chosen: str | None) -> list[Any]:
    """Return health, memory, table and choice as they are now."""
    cache = services.factory.get_model_status()
    keys = [model["cache_key"] for model in cache["models"]]
    kept = chosen if chosen in keys else next(iter(keys), None)
    table = gr.Dataframe(_rows(said, cache), headers=_heads(said))
    return [_health(said, services), _memory(said, cache), table, gr.Dropdown(choices=keys, value=kept)]


def _heads(said: Words) -> list[str]:
    return [said(f"models_{column}") for column in _COLUMNS]


def _rows(said: Words, cache: dict[str, Any]) -> list[list[Any]]:
    return [
        [
            model["cache_key"],
            said(f"kind_{model['model_type']}"),
            said(f"model_{model['state']}"),
            model["memory_usage_mb"],
            model["leases"],
            round(model["idle_seconds"]),
            model["load_time_seconds"],
        ]
        for model in cache["models"]
    ]


def _memory(said: Words, cache: dict[str, Any]) -> str:
    used, budget = f"{cache['total_memory_mb']:.0f}", f"{cache['budget_mb']:.0f}"
    counts = said("models_counts", **{name: cache[name] for name in ("hits", "misses", "loads", "evictions")})
    return (
        f"<label class='vt-memory'>{said('models_used', used=used, budget=budget)} "
        f"<progress max='{budget}' value='{used}'></progress> <span>{counts}</span></label>"
    )


def _health(said: Words, services: Services) -> str:
    health = services.health()
    notes = [said.sentence(note) for note in health["notes"]]
    for model in services.readiness()[1]:
        if model.state != "ready":
            why = f" ({said.sentence(model.why)})" if model.why else ""
            notes.append(f"{model.name}: {said(f'model_{model.state}')}{why}")
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    listed = f"<ul>{items}</ul>" if items else ""
    state = health["status"]
    return f"<div class='vt-health vt-{state}'><strong>{said(f'health_{state}')}</strong>{listed}</div>"


def _preloaded(said: Words, services: Services) -> str:
    started = services.preload()
    if not started:
        return said("models_uncached")
    return said(
        "models_preloading", models=", ".join(f"{model.name} ({said(f'model_{model.state}')})" for model in started)
    )


def _unloaded(said: Words, services: Services, key: str | None) -> str:
    found = services.evict(key) if key else None
    return _cleared(said, found) if found else said("models_gone")


def _cleared(said: Words, found: dict[str, Any]) -> str:
    if found["retiring"]:
        return said("models_retiring", models=", ".join(found["retiring"]))
    if not found["freed"]:
        return said("models_none")
    return said("models_unloaded", models=", ".join(found["freed"]), megabytes=f"{found['freed_mb']:.0f}")
