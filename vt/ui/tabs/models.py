"""The tab Models, for whoever runs the server: what serves each stage, models in memory and on the disk, failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from vt.errors import InputError, VtError
from vt.factory import Preloaded
from vt.services import Services
from vt.ui import fragments, scripts, words
from vt.ui.endpoints import guarded
from vt.ui.model_watch import ADDRESS
from vt.ui.shared import PLAIN, QUIET, Updates, event_value, text
from vt.ui.words import Words, label


class ModelsTab:
    """The tab. Whoever may not manage the models sees none of it but the field for the token."""

    def __init__(self, services: Services) -> None:
        """Build it into the page that is being built."""
        self._services = services
        self._gate = gr.HTML(**PLAIN, js_on_load=scripts.REFRESH_MODELS, address=ADDRESS)
        with gr.Row(visible=services.settings.admin_token is not None):
            self._token = gr.Textbox(label=label("models_token"), type="password", scale=4)
            self._unlock = gr.Button(label("models_unlock"), elem_id="vt-unlock", scale=1)
        with gr.Column(visible=False, elem_id="vt-managed") as self._room:
            self._build_state()
            self._build_memory()
            self._build_files()
            self._troubles = gr.HTML(**PLAIN)
            self._lists = gr.HTML(**PLAIN)
        self._wire()

    def _build_state(self) -> None:
        self._health = gr.HTML(**PLAIN)
        self._effect = gr.HTML(elem_id="vt-effect")
        self._stages = gr.HTML(**PLAIN)

    def _build_memory(self) -> None:
        self._memory = gr.HTML(**PLAIN)
        self._table = gr.HTML(**PLAIN, elem_id="vt-models")
        with gr.Row():
            self._chosen = gr.Dropdown(choices=[], label=label("models_model"), elem_id="vt-model")
            self._unload = gr.Button(label("models_unload"), elem_id="vt-unload")
        with gr.Row():
            self._preload = gr.Button(label("models_preload"), variant="primary", elem_id="vt-preload")
            self._clear = gr.Button(label("models_clear"), variant="stop", elem_id="vt-clear")

    def _build_files(self) -> None:
        self._downloads = gr.HTML(**PLAIN, js_on_load=scripts.MANAGE_MODELS, elem_id="vt-downloading")
        self._files = gr.HTML(**PLAIN, js_on_load=scripts.MANAGE_MODELS, elem_id="vt-files")
        with gr.Row():
            self._wanted = gr.Dropdown(choices=[], label=label("models_wanted"), elem_id="vt-wanted")
            self._fetch = gr.Button(label("models_download"), elem_id="vt-fetch")

    def _wire(self) -> None:
        held = [self._token, self._chosen]
        seen = [
            self._gate, self._room, self._health, self._stages, self._memory, self._table, self._chosen,
            self._downloads, self._files, self._troubles,
        ]  # fmt: skip
        whole = [*seen, self._wanted, self._lists]
        # Sent by its script while the tab is visible; what changes while one is under way must not be missed.
        self._gate.submit(self._looked, held, whole, trigger_mode="always_last", **QUIET)
        gr.on([self._unlock.click, self._token.submit], self._opened, held, whole, **QUIET)
        changed = [self._effect, *seen]
        self._preload.click(self._preloading, held, changed, **QUIET)
        self._clear.click(self._clearing, held, changed, **QUIET)
        self._unload.click(self._unloading, held, changed, **QUIET)
        self._fetch.click(self._fetching, [*held, self._wanted], changed, **QUIET)
        gr.on([self._downloads.select, self._files.select], self._managed, held, changed, **QUIET)

    # What is seen.

    def _looked(self, secret: object, key: object, event: gr.EventData, request: gr.Request) -> Updates:
        """Look again; what hardly ever changes is sent where the tab has just been opened."""
        return self._look(secret, key, request, whole=event_value(event, "opened") is True)

    def _opened(self, secret: object, key: object, request: gr.Request) -> Updates:
        return self._look(secret, key, request, whole=True)

    def _look(self, secret: object, chosen: object, request: gr.Request, *, whole: bool = False) -> Updates:
        """Return all that there is to be seen as it is now, or nothing but the reason why it is not to be seen."""
        said = words.of(request)
        try:
            guarded(self._services, request, text(secret or "", "token"))
        except VtError as error:
            return {self._gate: self._locked(said, error, secret), self._room: gr.Column(visible=False)}
        shown = {self._gate: "", self._room: gr.Column(visible=True), **self._state(said), **self._stored(said, chosen)}
        return {**shown, **self._offered(said)} if whole else shown

    def _locked(self, said: Words, error: VtError, secret: object) -> str:
        if secret or self._services.settings.admin_token is None:
            return fragments.error(said("trouble_models"), said.sentence(error.message))
        return fragments.small_print(said("models_locked"))

    def _state(self, said: Words) -> Updates:
        services = self._services
        stages = fragments.stages(said, services.factory.inventory.stages(), services.licences())
        return {
            self._health: _health(services, said),
            self._stages: stages,
            self._troubles: fragments.troubles(said, services.factory.troubles.latest()),
        }

    def _stored(self, said: Words, chosen: object) -> Updates:
        cache, disk = self._services.model_cache(), self._services.model_files()
        keys = [*dict.fromkeys(model["cache_key"] for model in cache["models"])]
        kept = next((key for key in keys if key == chosen), next(iter(keys), None))
        return {
            self._memory: fragments.memory(said, cache),
            self._table: fragments.models(said, cache),
            self._chosen: gr.Dropdown(choices=keys, value=kept),
            self._downloads: fragments.model_downloads(said, disk["models"]),
            self._files: fragments.model_files(said, disk["models"], disk["free_mb"]),
        }

    def _offered(self, said: Words) -> Updates:
        inventory = self._services.factory.inventory
        names = list(inventory.downloadable())
        lists = fragments.offered(said, inventory.pairs(), self._services.factory.voices())
        return {self._wanted: gr.Dropdown(choices=names, value=None), self._lists: lists}

    # What is done.

    def _preloading(self, secret: object, key: object, request: gr.Request) -> Updates:
        return self._act(secret, key, request, lambda said: _preloaded(self._services, said))

    def _clearing(self, secret: object, key: object, request: gr.Request) -> Updates:
        return self._act(secret, key, request, lambda said: _cleared(said, self._services.clear()))

    def _unloading(self, secret: object, key: object, request: gr.Request) -> Updates:
        return self._act(secret, key, request, lambda said: _unloaded(self._services, said, key))

    def _fetching(self, secret: object, key: object, wanted: object, request: gr.Request) -> Updates:
        return self._act(secret, key, request, lambda said: self._changed(said, "download", wanted))

    def _managed(self, secret: object, key: object, event: gr.EventData, request: gr.Request) -> Updates:
        act, name = event_value(event, "act"), event_value(event, "name")
        return self._act(secret, key, request, lambda said: self._changed(said, act, name))

    def _act(self, secret: object, key: object, request: gr.Request, act: Callable[[Words], str]) -> Updates:
        """Do what a button asks for, and say what came of it, or why it was refused."""
        said = words.of(request)
        try:
            guarded(self._services, request, text(secret or "", "token"))
            effect = fragments.action_result(act(said))
        except VtError as error:
            effect = fragments.error(said("trouble_models"), said.sentence(error.message))
        return {self._effect: effect, **self._look(secret, key, request)}

    def _changed(self, said: Words, act: object, wanted: object) -> str:
        """Download a model, end its download or remove it from the disk, and say what came of it.

        Raises:
            InputError: there is nothing of that kind to be done.
            VtError: as `Inventory` raises it.
        """
        name, services = text(wanted or "", "name"), self._services
        if not name:
            raise InputError("Choose a model first.")
        if act == "download":
            services.download(name)
            return said("models_download_began", model=name)
        if act == "stop":
            return said("models_download_stopped" if services.stop_download(name) else "models_no_download", model=name)
        if act == "remove":
            return said("models_removed", model=name, size=fragments.megabytes(said, services.remove_model(name)))
        raise InputError("There is nothing of that kind to be done with a model.")


def _health(services: Services, said: Words) -> str:
    health, queue = services.health(), services.queue()
    notes = [said.sentence(note) for note in health["notes"]]
    loading = [preload_text(said, model) for model in services.readiness()[1] if model.state != "ready"]
    about = said(
        "models_about", version=services.version, queued=queue.get("queued", 0), running=queue.get("running", 0)
    )
    return fragments.health(said, health["status"], notes + loading, about)


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
