"""What gradio_client calls by name: typed, described, and answered from the services."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.events import api

from vt.errors import InputError
from vt.services import Services
from vt.ui import film_endpoints
from vt.ui.shared import in_words, text
from vt.web import visitors
from vt.web.admin import admit

_MOST_MODELS = 100


def guarded(services: Services, request: gr.Request, token: str) -> None:
    """Check that a request may manage models.

    Raises:
        AdminRefused: it may not.
    """
    # Without Gradio's request nobody counts as local.
    visitor = visitors.of(request.request.scope) if request.request else visitors.Visitor()
    admit(services.settings, visitor, {name.lower(): value for name, value in request.headers.items()}, token or None)


def _names(models: object) -> list[str]:
    if not isinstance(models, list) or len(models) > _MOST_MODELS:
        raise InputError("models has to be a list of at most {most} names.", most=_MOST_MODELS)
    return [text(name, "The name of a model") for name in models]


def add(services: Services) -> None:
    """Add the endpoints to the page that is being built."""

    def health() -> dict[str, Any]:
        """Say how the service is doing."""
        return services.health()

    def models() -> dict[str, Any]:
        """Say which models are in memory."""
        return services.models()

    def languages() -> list[dict[str, Any]]:
        """List every language with the engines that hear, translate and speak it here, now."""
        return services.languages()

    def voices(language: str = "") -> list[dict[str, Any]]:
        """List the voices that may be chosen here, of one language or of all, with gender, engine and licence."""
        with in_words():
            return services.voices(text(language or "", "language"))

    def preload(request: gr.Request, models: list[str] | None = None, token: str = "") -> list[dict[str, Any]]:
        """Load models in the background: those of the names given, or the default ones. For managers of models."""
        with in_words():
            guarded(services, request, text(token or "", "token"))
            started = services.preload(None if models is None else _names(models))
        return [{"cache_key": model.name, "state": model.state, "why": model.why} for model in started]

    def clear_cache(request: gr.Request, cache_key: str = "", token: str = "") -> dict[str, Any]:
        """Free one model by its cache key, or every model. For managers of models."""
        with in_words():
            guarded(services, request, text(token or "", "token"))
            found = services.evict(text(cache_key, "cache_key")) if cache_key else services.clear()
        if found is None:
            raise gr.Error("No model of that key is in memory.", print_exception=False)
        return found

    film_endpoints.add(services)
    for function in (health, models, languages, voices, preload, clear_cache):
        api(function, api_name=function.__name__, queue=False)
