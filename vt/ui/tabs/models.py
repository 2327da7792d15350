"""The tab Models: the models in memory, buttons to load and unload them, and the health of the service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from vt.errors import VtError
from vt.factory import Preloaded
from vt.services import Services
from vt.ui import fragments, scripts, words
from vt.ui.endpoints import guarded
from vt.ui.model_watch import ADDRESS
from vt.ui.shared import PLAIN, QUIET, text
from vt.ui.words import Words, label


def build(services: Services) -> None:
    """Build the tab into the page that is being built."""
    health = gr.HTML(**PLAIN, js_on_load=scripts.REFRESH_MODELS, address=ADDRESS)
    memory = gr.HTML(**PLAIN)
    table = gr.HTML(**PLAIN, elem_id="vt-models")
    with gr.Row():
        token = gr.Textbox(
            label=label("models_token"), type="password", visible=services.settings.admin_token is not None
        )
    with gr.Row():
        chosen = gr.Dropdown(choices=[], label=label("models_model"), elem_id="vt-model")
        unload = gr.Button(label("models_unload"), elem_id="vt-unload")
    with gr.Row():
        preload = gr.Button(label("models_preload"), variant="primary", elem_id="vt-preload")
        clear = gr.Button(label("models_clear"), variant="stop", elem_id="vt-clear")
    effect = gr.HTML(elem_id="vt-effect")

    seen = [health, memory, table, chosen]

    def look(key: object, request: gr.Request) -> list[Any]:
        return _look(services, words.of(request), key)

    def act(request: gr.Request, secret: object, key: object, do: Callable[[Words], str]) -> list[Any]:
        return [_act(services, request, secret, do), *look(key, request)]

    def preloading(secret: object, key: object, request: gr.Request) -> list[Any]:
        return act(request, secret, key, lambda said: _preloaded(services, said))

    def clearing(secret: object, request: gr.Request) -> list[Any]:
        return act(request, secret, None, lambda said: _cleared(said, services.clear()))

    def unloading(secret: object, key: object, request: gr.Request) -> list[Any]:
        return act(request, secret, None, lambda said: _unloaded(services, said, key))

    health.submit(look, [chosen], seen, **QUIET)  # sent by its script, while the tab is visible
    preload.click(preloading, [token, chosen], [effect, *seen], **QUIET)
    clear.click(clearing, [token], [effect, *seen], **QUIET)
    unload.click(unloading, [token, chosen], [effect, *seen], **QUIET)


def _act(services: Services, request: gr.Request, token: object, act: Callable[[Words], str]) -> str:
    """Do what a button asks for, and return what came of it, or why it was refused."""
    said = words.of(request)
    try:
        guarded(services, request, text(token or "", "token"))
        return fragments.action_result(act(said))
    except VtError as error:
        return fragments.error(said("trouble_models"), said.sentence(error.message))


def _look(services: Services, said: Words, chosen: object) -> list[Any]:
    """Return health, memory, table and choice as they are now."""
    cache = services.factory.get_model_status()
    keys = [model["cache_key"] for model in cache["models"]]
    kept = next((key for key in keys if key == chosen), next(iter(keys), None))
    choice = gr.Dropdown(choices=keys, value=kept)
    return [_health(services, said), fragments.memory(said, cache), fragments.models(said, cache), choice]


def _health(services: Services, said: Words) -> str:
    health = services.health()
    notes = [said.sentence(note) for note in health["notes"]]
    loading = [preload_text(said, model) for model in services.readiness()[1] if model.state != "ready"]
    return fragments.health(said, health["status"], notes + loading)


def preload_text(said: Words, model: Preloaded) -> str:
    """Return how far a model of a preload is, and of a failed one why, not escaped."""
    why = f" ({said.sentence(model.why)})" if model.why else ""
    return f"{model.name}: {said(f'model_{model.state}')}{why}"


def _preloaded(services: Services, said: Words) -> str:
    started = services.preload()
    if not started:
        return said("models_no_cache")
    return said("models_preloading", models=", ".join(preload_text(said, model) for model in started))


def _unloaded(services: Services, said: Words, key: object) -> str:
    found = services.evict(key) if isinstance(key, str) else None
    return _cleared(said, found) if found else said("models_gone")


def _cleared(said: Words, found: dict[str, Any]) -> str:
    if found["retiring"]:
        return said("models_retiring", models=", ".join(found["retiring"]))
    if not found["freed"]:
        return said("models_empty")
    return said("models_freed", models=", ".join(found["freed"]), megabytes=f"{found['freed_mb']:.0f}")
