"""The routes that operators and scripts call: health, readiness, models, languages, metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, FastAPI, Path, Query, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Route

from vt.api import jobs, libre, openai, problems, request_tracing, schemas, voices
from vt.api.dependencies import ManagersRoute, OnThreads, Served, Threads
from vt.api.problems import documented
from vt.errors import SettingsError
from vt.services import Services
from vt.system import extras

if TYPE_CHECKING:
    from vt.api.mcp.face import Face

_DESCRIPTION = "Dubs films: the same video, speaking another language, in time with the picture."


def make_api(services: Services) -> FastAPI:
    """Return the application of all routes. Its lifespan has to be run: it is not, where it is only mounted.

    Raises:
        SettingsError: something is to be served whose package is not here.
    """
    threads = Threads()
    tools = _tools(services, threads) if services.settings.mcp else None
    app = FastAPI(
        title="vt, the video translator",
        version=services.version,
        description=_DESCRIPTION,
        redoc_url=None,
        lifespan=tools.running if tools else None,
    )
    app.state.services, app.state.threads = services, threads
    problems.install(app)
    app.add_middleware(request_tracing.RouteTracing)
    app.include_router(_system)
    for router in (voices.router, _models, _managed, jobs.router, jobs.for_managers):
        app.include_router(router)
    # The descriptions of these routes are those of the services whose shapes they have.
    app.mount("/v1", openai.make(services, app.state.threads))
    app.mount("/libre", libre.make(services, app.state.threads))
    if tools:
        app.router.routes.append(Route(tools.path, endpoint=tools))
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


def _tools(services: Services, threads: Threads) -> Face:
    try:
        from vt.api.mcp.face import Face
    except ImportError as error:
        raise SettingsError(
            "The environment variable VT_MCP is true, but the Python package mcp is not here: {command} brings it.",
            command=extras.command("mcp"),
        ) from error
    return Face(services, threads)


def _described(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI description, with problems in place of FastAPI's own form of errors."""
    if app.openapi_schema is None:
        schema = FastAPI.openapi(app)
        components = schema["components"]["schemas"]
        components["Problem"] = problems.Problem.model_json_schema()
        for name in ("HTTPValidationError", "ValidationError"):
            components.pop(name, None)
        for path in schema["paths"].values():
            for method, operation in path.items():
                _describe(method, operation)
        app.openapi_schema = schema
    return app.openapi_schema


def _describe(method: str, operation: dict[str, Any]) -> None:
    """Say of a route what it can answer, beside what it says itself."""
    answers = operation["responses"]
    # FastAPI expects it wherever a route has a parameter; those that can really answer it say so themselves.
    if "application/json" in answers.get("422", {}).get("content", {}):
        del answers["422"]
    # What stands in front of all routes refuses for itself.
    refusals = (400, 421) if method == "get" else (400, 403, 413, 421)
    for status, described in problems.documented(*refusals).items():
        answers.setdefault(str(status), described)
    operation["responses"] = dict(sorted(answers.items()))


_system = APIRouter(tags=["service"])
_models = APIRouter(prefix="/api/v1/models", tags=["models"])
_managed = APIRouter(prefix="/api/v1/models", tags=["models"], route_class=ManagersRoute)


_ModelName = Annotated[
    str, Query(description="As GET /api/v1/models/files lists it.", max_length=200, examples=["base"])
]


@_system.get("/", summary="What this is")
async def root(request: Request, services: Served) -> schemas.Root:
    """Say what this is and which routes there are; a browser gets the page here."""
    paths = request.app.openapi()["paths"]
    routes = [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]
    health = services.health()
    return schemas.Root(name="vt", version=services.version, status=health["status"], routes=routes, docs="/docs")


@_system.get("/health", summary="How the service is doing", responses={503: {"model": schemas.Health}})
async def health(services: Served, response: Response) -> schemas.Health:
    """Say how the service is doing; never waits for a model. 503 where no film can be dubbed."""
    found = services.health()
    response.status_code = 503 if found["status"] == "unhealthy" else 200
    return schemas.Health(**found)


@_system.get("/ready", summary="Whether the preload has ended", responses={503: {"model": schemas.Readiness}})
async def ready(services: Served, response: Response) -> schemas.Readiness:
    """Say whether the preload of the start has ended, with its models. 503 before."""
    is_ready, models = services.readiness()
    response.status_code = 200 if is_ready else 503
    return schemas.Readiness(status="ready" if is_ready else "loading", models=[_state(model) for model in models])


@_system.get("/api/v1/languages", summary="What can be heard, translated and spoken")
async def languages(services: Served, threads: OnThreads) -> schemas.Languages:
    """List every language with the engines that hear it, translate from and to it, and speak it here, now."""
    rows = await threads.read(services.languages)
    return schemas.Languages(languages=[schemas.LanguageRow(**row) for row in rows])


@_system.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"example": "vt_model_hits_total 17.0"}}}},
)
async def metrics(services: Served, threads: OnThreads) -> Response:
    """Give all counters in Prometheus' text format."""
    told = await threads.read(services.factory.metrics.exposition)
    return Response(told, media_type="text/plain; version=0.0.4; charset=utf-8")


@_models.get("", summary="What is in memory", response_model_exclude_none=True)
async def models(services: Served) -> schemas.Models:
    """Say which models are in memory, what they take, and how often they were found there."""
    return schemas.Models(**services.models())


@_managed.post("/preload", summary="Load models ahead", status_code=202, responses=documented(401, 403, 422))
async def preload(
    services: Served, threads: OnThreads, request: Annotated[schemas.PreloadRequest | None, Body()] = None
) -> schemas.Preload:
    """Load models in the background; what is being loaded already is joined. For managers of models."""
    started = await threads.change(lambda: services.preload(request.models if request else None))
    status = "accepted" if services.settings.cache_enabled else "skipped"
    return schemas.Preload(status=status, models=[_state(model) for model in started])


@_managed.delete("/cache", summary="Free every model", responses=documented(401, 403))
async def clear(services: Served, threads: OnThreads) -> schemas.Cleared:
    """Free every model: at once where it is idle, else with its last user. For managers of models."""
    return schemas.Cleared(**await threads.change(services.clear))


@_managed.delete(
    "/cache/{cache_key}",
    summary="Free one model",
    responses={202: {"model": schemas.Cleared}, **documented(401, 403, 404, 422)},
)
async def evict(
    services: Served,
    threads: OnThreads,
    response: Response,
    cache_key: Annotated[
        str,
        Path(description="As in the list of models.", max_length=300, examples=["stt_whisper_base_cpu_2_false"]),
    ],
) -> schemas.Cleared:
    """Free one model; 202 where it is in use and goes with its last user. For managers of models."""
    found = await threads.change(lambda: services.evict(cache_key))
    if found is None:
        raise HTTPException(404, "No model of that key is in memory: GET /api/v1/models lists those that are.")
    response.status_code = 202 if found["retiring"] else 200
    return schemas.Cleared(**found)


@_managed.get("/files", summary="What is on the disk", responses=documented(401, 403))
async def files(services: Served, threads: OnThreads) -> schemas.ModelFiles:
    """List the models that are on this machine or could be, and the room that is left. For managers of models."""
    return schemas.ModelFiles(**await threads.read(services.model_files))


@_managed.delete("/files", summary="Remove a model from the disk", responses=documented(401, 403, 409, 422, 507))
async def remove(services: Served, threads: OnThreads, name: _ModelName) -> schemas.Removed:
    """Remove what this program has downloaded of a model, unless it is in use. For managers of models."""
    return schemas.Removed(name=name, freed_mb=await threads.change(lambda: services.remove_model(name)))


@_managed.post("/downloads", summary="Download a model", status_code=202, responses=documented(401, 403, 422, 503))
async def download(services: Served, threads: OnThreads, request: schemas.DownloadRequest) -> schemas.Download:
    """Have a model downloaded in the background, and loaded by nobody yet. For managers of models."""
    await threads.change(lambda: services.download(request.name))
    return schemas.Download(name=request.name, status="accepted")


@_managed.delete("/downloads", summary="Cancel a download", responses=documented(401, 403, 404, 422))
async def stop_download(services: Served, threads: OnThreads, name: _ModelName) -> schemas.Download:
    """End a download, for jobs that wait for it too; what has come stays. For managers of models."""
    if not await threads.change(lambda: services.stop_download(name)):
        raise HTTPException(404, "No model of that name is being downloaded.")
    return schemas.Download(name=name, status="cancelled")


def _state(model: Any) -> schemas.ModelState:  # noqa: ANN401
    return schemas.ModelState(cache_key=model.name, state=model.state, why=model.why)
