"""The whole page: its tabs and endpoints, and how it is mounted into a server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import gradio as gr
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from vt.services import Services
from vt.ui import endpoints, fragments, job_files, model_watch, scripts, shared_pages, theme, words
from vt.ui.gateway import sign_in, uploads
from vt.ui.gateway.file_routes import Intake
from vt.ui.gateway.links import LinkRoute
from vt.ui.gateway.results import Results
from vt.ui.gateway.routes import Doors
from vt.ui.line_routes import LineRoutes
from vt.ui.progress import ProgressRoute
from vt.ui.shared import MODELS, PLAIN, QUIET, TRANSLATE, UPLOAD, Shared, Subject, Updates, owner, remembered, told
from vt.ui.tabs.models import ModelsTab
from vt.ui.tabs.translate import TranslateTab
from vt.ui.tabs.upload import UploadTab
from vt.ui.tabs.voices import offered
from vt.ui.words import Words, label
from vt.web import visitors

_STYLE = scripts.STATIC / "style.css"
_WORKERS = 16
"""How many calls run at a time. Jobs are not among them: the worker runs them."""
_MOST_SESSIONS = 200
"""Sessions whose state Gradio keeps: 140 kB each, up to 1.3 MB in an attack. A page works without its state, too."""
_SWEEP_SECONDS = 600.0
_RESULTS_SWEEP_SECONDS = 15.0


def make_page(services: Services) -> gr.Blocks:
    """Return the page with all its tabs and endpoints."""
    page = gr.Blocks(title="vt, the video translator", analytics_enabled=False)
    button = _sign_in_button() if sign_in.is_offered() else None
    with page:
        _build(services, page, button)
        endpoints.add(services)
    page.queue(api_open=False, default_concurrency_limit=_WORKERS)
    page.state_session_capacity = _MOST_SESSIONS
    # launch() sets these, mounting does not. Without them Gradio trusts every file as if the developer had named it.
    page.has_launched = page.is_running = True
    return page


def _build(services: Services, page: gr.Blocks, button: gr.LoginButton | None) -> None:
    head = gr.HTML(elem_id="vt-head", js_on_load=scripts.PAGE, **PLAIN)
    if button:
        button.render()  # type: ignore[no-untyped-call]
    memory = gr.HTML(
        None, html_template="", js_on_load=scripts.SAVE_MEMORY, visible="hidden", most_jobs=scripts.MOST_JOBS, **PLAIN
    )
    subject = gr.HTML(None, html_template="", js_on_load=scripts.SAVE_SUBJECT, visible="hidden", **PLAIN)
    with gr.Tabs(selected=UPLOAD, elem_id="vt-tabs") as tabs:
        shared = Shared(tabs, memory, subject)
        with gr.Tab(label("tab_upload"), id=UPLOAD):
            upload = UploadTab(services, shared)
        with gr.Tab(label("tab_translate"), id=TRANSLATE):
            translate = TranslateTab(services, shared, upload)
        with gr.Tab(label("tab_models"), id=MODELS):
            ModelsTab(services)
    translate.wire(upload.wire())

    def load(kept: object, request: gr.Request) -> Updates:
        said, known = words.of(request), remembered(kept, request)
        subject, place = Subject.of(_of(kept, "subject")), _of(kept, "place")
        top = fragments.head(said, may_manage=_may_manage(services, request))
        written: Updates = {head: top, **upload.written(said, is_known=bool(known.person))}
        if button:
            written[button] = _signing(said, request)
        tab = TRANSLATE if known.view or place == TRANSLATE else MODELS if place == MODELS else UPLOAD

        def shown() -> Updates:
            film = subject
            found = upload.restored(said, owner(request), subject) if subject and not subject.job_id else {}
            if found:
                film = Subject.of(found[shared.subject])
            here = known.looking_at(known.view)
            return {shared.subject: film and film.kept(), **found, **translate.restored(said, here, film)}

        if tab != UPLOAD:  # which is open already, unless somebody has gone elsewhere meanwhile
            written[tabs] = gr.Tabs(selected=tab)
        return {**written, **told(said, "trouble_job", shown, translate.trouble)}

    changed = [head, *([button] if button else []), tabs, *upload.texts, *upload.everything, *translate.everything]
    page.load(load, [memory], changed, js=scripts.LOAD_MEMORY, **QUIET)


def _sign_in_button() -> gr.LoginButton:
    """Return Gradio's button, by which it knows of sign-in; within a page it would get words and events of its own."""
    return gr.LoginButton(visible=False, icon=None, variant="secondary", size="sm", elem_id="vt-sign-in")


def _signing(said: Words, request: gr.Request) -> gr.Button:
    """Return the button by which somebody signs in, in a tab of its own, or out."""
    person = sign_in.person_of(request.request.scope) if request.request else None
    if person:
        return gr.Button(said("sign_out", name=person.name), link=sign_in.LOGOUT, link_target="_self", visible=True)
    # A frame's cookies are withheld by many browsers, so that nobody could come back into one.
    return gr.Button(said("sign_in"), link=sign_in.LOGIN, link_target="_blank", visible=True)


def _may_manage(services: Services, request: gr.Request) -> bool:
    """Tell whether models may be managed from where a page is: with a token from anywhere, without one from here."""
    is_local = request.request is not None and visitors.of(request.request.scope).is_local
    return services.settings.admin_token is not None or is_local


def _of(kept: object, name: str) -> object:
    """Return a value of what a browser remembers. It comes from outside: it may be anything."""
    return kept.get(name) if isinstance(kept, Mapping) else None


def mount_page(page: gr.Blocks, services: Services, app: FastAPI) -> Doors:
    """Mount the page into an application, at its root, with its routes; return the application with its guard."""
    app.include_router(job_files.routes(services))
    app.include_router(ProgressRoute(services).routes())
    app.include_router(LineRoutes(services, lambda said, report: offered(said, services, report)).routes())
    app.include_router(shared_pages.routes(services))
    app.include_router(model_watch.routes(services))
    app.include_router(Intake(services).routes())
    if services.takes_links:
        app.router.routes.append(LinkRoute(services).route())
    # This one allows no other site; without it Gradio would add one that allows some.
    app.add_middleware(CORSMiddleware)
    results = Results(page)
    app.router.lifespan_context = _sweeping(app.router.lifespan_context, services, results)
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        ssr_mode=False,
        theme=theme.make(),
        css_paths=[_STYLE],
        i18n=words.translations(),
        footer_links=[],
        run_history=False,
        show_error=False,
        app_kwargs={"middleware": [Middleware(sign_in.SignIn)]} if page.expects_oauth else None,
    )
    return Doors(app, page, results, embedded=services.settings.on_spaces, signs_in=page.expects_oauth)


def _sweeping(lifespan: Any, services: Services, results: Results) -> Any:  # noqa: ANN401 (Starlette's, which the state's type makes)
    """Return a lifespan that also removes uploads that became no job, and results that nobody fetches."""
    kept_seconds = min(uploads.KEPT_SECONDS, 3600 * services.settings.retention_hours)

    @asynccontextmanager
    async def swept(app: FastAPI) -> AsyncIterator[Any]:
        sweepers = [asyncio.create_task(_sweep(kept_seconds)), asyncio.create_task(_sweep_results(results))]
        try:
            async with lifespan(app) as state:
                yield state
        finally:
            for sweeper in sweepers:
                sweeper.cancel()
                with suppress(asyncio.CancelledError):
                    await sweeper

    return swept


async def _sweep(kept_seconds: float) -> None:
    while True:
        await asyncio.to_thread(uploads.sweep, uploads.folder(), time.time(), kept_seconds)
        await asyncio.sleep(_SWEEP_SECONDS)


async def _sweep_results(results: Results) -> None:
    while True:
        await results.sweep()
        await asyncio.sleep(_RESULTS_SWEEP_SECONDS)
