"""What the routes answer: the shapes of their JSON, described for OpenAPI."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Root(BaseModel):
    """What this is, and where to go on."""

    name: str = Field(examples=["vt"])
    version: str = Field(examples=["0.1.0"])
    status: str = Field(description="As in /health.", examples=["healthy"])
    routes: list[str] = Field(description="Every route, with its method.", examples=[["GET /health"]])
    docs: str = Field(description="Where the routes are described.", examples=["/docs"])


class FactoryHealth(BaseModel):
    """How the AI service factory is doing."""

    status: Literal["healthy", "degraded", "unhealthy"]
    cache_enabled: bool
    device: str = Field(description="What models run on.", examples=["cpu"])
    cached_models: int = Field(description="Models in memory.", examples=[1])
    memory_usage_mb: float = Field(description="What they take.", examples=[58.9])
    torch_cuda_available: bool


class TranslationHealth(BaseModel):
    """Whether films can be dubbed."""

    translation_service: Literal["healthy", "degraded", "unhealthy"]
    ffmpeg_available: bool
    hugging_face_token_configured: bool
    accepted_video_formats: list[str] = Field(examples=[["mp4", "mov"]])


class Health(BaseModel):
    """How the service is doing."""

    status: Literal["healthy", "degraded", "unhealthy"]
    ai_service_factory: FactoryHealth
    translation_service: TranslationHealth
    notes: list[str] = Field(description="Why the status is not better, in sentences.")


class ModelState(BaseModel):
    """One model of a preload."""

    cache_key: str = Field(
        description="Its cache key; of an engine that is no model in memory, its name.",
        examples=["stt_whisper_tiny.en_cpu_2_false"],
    )
    state: Literal["queued", "loading", "ready", "failed"]
    why: str | None = Field(None, description="Of a failed one: a sentence.")


class Readiness(BaseModel):
    """Whether the preload of the start has ended."""

    status: Literal["ready", "loading"]
    models: list[ModelState]


class Model(BaseModel):
    """One model in memory."""

    cache_key: str = Field(examples=["stt_whisper_tiny.en_cpu_2_false"])
    model_type: Literal["stt", "translation", "tts"]
    model_name: str = Field(examples=["tiny.en"])
    device: str = Field(examples=["cpu"])
    load_time_seconds: float = Field(examples=[0.312])
    memory_usage_mb: float = Field(examples=[58.9])
    state: Literal["loading", "ready", "retiring"] = Field(description="retiring: goes with its last lease.")
    leases: int = Field(description="How many use it now.")
    idle_seconds: float = Field(description="Since the last use ended.")


class ModelCache(BaseModel):
    """What is in memory, and what happened so far."""

    cache_enabled: bool
    preload_enabled: bool
    total_cached_models: int
    total_memory_mb: float
    device: str
    cpu_threads: int
    models: list[Model]
    budget_mb: float = Field(description="Memory for models.")
    hits: int = Field(description="Leases that found their model ready.")
    misses: int = Field(description="Leases that had to wait or to load.")
    loads: int
    evictions: int


class Models(BaseModel):
    """The state of the model cache at one moment."""

    status: Literal["success"]
    timestamp: str = Field(description="UTC, RFC 3339.", examples=["2026-01-01T12:00:00.000Z"])
    model_cache: ModelCache


class PreloadRequest(BaseModel):
    """Which models to load; none: the default ones."""

    model_config = {"extra": "forbid"}
    models: list[str] | None = Field(
        None,
        description="Names from the engines' tables or the settings; no paths, no other hub ids.",
        max_length=64,
        examples=[["tiny.en"]],
    )


class Preload(BaseModel):
    """A preload that has begun, or that was running and is joined."""

    status: Literal["accepted", "skipped"] = Field(description="skipped: MODEL_CACHE_ENABLED is false.")
    models: list[ModelState]


class Cleared(BaseModel):
    """What went, and what goes with its last lease."""

    status: Literal["success", "retiring"]
    freed: list[str] = Field(description="Cache keys.")
    freed_mb: float
    retiring: list[str] = Field(description="Cache keys of models that are in use.")


class LanguageRow(BaseModel):
    """One language, and the engines that serve it here, now."""

    code: str = Field(description="BCP 47 in its shortest form.", examples=["es"])
    name: str = Field(examples=["Spanish"])
    native_name: str = Field(examples=["Español"])
    hear: list[str] = Field(examples=[["whisper"]])
    translate_from: list[str] = Field(examples=[["apertium"]])
    translate_to: list[str] = Field(examples=[["apertium"]])
    speak: list[str] = Field(examples=[["espeak-ng"]])


class Languages(BaseModel):
    """Every language that vt knows."""

    languages: list[LanguageRow]
