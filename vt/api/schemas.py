"""The JSON that the routes take and answer, described for OpenAPI."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator


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
    cache_enabled: bool = Field(examples=[True])
    device: str = Field(description="What models run on.", examples=["cpu"])
    cached_models: int = Field(description="Models in memory.", examples=[1])
    memory_usage_mb: float = Field(description="What they take.", examples=[58.9])
    torch_cuda_available: bool = Field(examples=[False])


class TranslationHealth(BaseModel):
    """Whether films can be dubbed."""

    translation_service: Literal["healthy", "degraded", "unhealthy"]
    ffmpeg_available: bool = Field(examples=[True])
    hugging_face_token_configured: bool = Field(examples=[False])
    accepted_video_formats: list[str] = Field(examples=[["mp4", "mov"]])


class Health(BaseModel):
    """How the service is doing."""

    status: Literal["healthy", "degraded", "unhealthy"]
    ai_service_factory: FactoryHealth
    translation_service: TranslationHealth
    notes: list[str] = Field(description="Why the status is not better, in sentences.", examples=[[]])


class ModelState(BaseModel):
    """One model of a preload."""

    cache_key: str = Field(
        description="Its cache key; of an engine that is no model in memory, its name.",
        examples=["stt_whisper_base_cpu_2_false"],
    )
    state: Literal["queued", "loading", "ready", "failed"]
    why: str | None = Field(None, description="Of a failed one: a sentence.", examples=[None])


class Readiness(BaseModel):
    """Whether the preload of the start has ended."""

    status: Literal["ready", "loading"]
    models: list[ModelState]


class Model(BaseModel):
    """One model in memory."""

    cache_key: str = Field(examples=["stt_whisper_base_cpu_2_false"])
    model_type: Literal["stt", "translation", "tts", "diarization", "separation"]
    model_name: str = Field(examples=["base"])
    device: str = Field(examples=["cpu"])
    load_time_seconds: float = Field(examples=[0.312])
    memory_usage_mb: float = Field(examples=[58.9])
    state: Literal["loading", "ready", "retiring"] = Field(description="retiring: goes with its last lease.")
    leases: int = Field(description="How many use it now.", examples=[0])
    idle_seconds: float = Field(description="Since the last use ended.", examples=[12.5])
    node: str | None = Field(
        None, description="The machine of a cluster that has it; of the server's own there is none.", examples=[None]
    )


class DeviceMemory(BaseModel):
    """The memory of a device, in megabytes: cpu is that of the machine."""

    device: str = Field(examples=["cpu"])
    used_mb: float = Field(description="What models take.", examples=[58.9])
    budget_mb: float = Field(description="What they may take.", examples=[4096.0])


class ModelCache(BaseModel):
    """What is in memory, and what happened so far."""

    cache_enabled: bool = Field(examples=[True])
    preload_enabled: bool = Field(examples=[True])
    total_cached_models: int = Field(examples=[1])
    total_memory_mb: float = Field(examples=[58.9])
    device: str = Field(examples=["cpu"])
    cpu_threads: int = Field(examples=[2])
    models: list[Model]
    budget_mb: float = Field(description="Memory of the machine for models.", examples=[4096.0])
    memory: list[DeviceMemory] = Field(description="The machine's, then that of each graphics card.")
    hits: int = Field(description="Leases that found their model ready.", examples=[17])
    misses: int = Field(description="Leases that had to wait or to load.", examples=[2])
    loads: int = Field(examples=[2])
    evictions: int = Field(examples=[1])


class Models(BaseModel):
    """The state of the model cache at one moment."""

    status: Literal["success"]
    timestamp: str = Field(description="UTC, RFC 3339.", examples=["2026-01-01T12:00:00.000Z"])
    model_cache: ModelCache


class _RequestBody(BaseModel):
    """The base of request bodies: unknown keys are an error, and too many keys are one error, not one for each."""

    model_config = {"extra": "forbid"}

    @model_validator(mode="before")
    @classmethod
    def _limit_keys(cls, sent: Any) -> Any:  # noqa: ANN401 (JSON)
        # Otherwise pydantic would make an error for each key too many, and the answer has only the first one.
        if isinstance(sent, dict) and len(sent) > len(cls.model_fields):
            raise ValueError(f"it may have {', '.join(cls.model_fields)}, and nothing else")
        return sent


class PreloadRequest(_RequestBody):
    """Which models to load; none: the default ones."""

    models: list[str] | None = Field(
        None,
        fail_fast=True,
        description="Names from the engines' tables or the settings; no paths, no other hub ids.",
        max_length=64,
        examples=[["base"]],
    )


class Preload(BaseModel):
    """A preload that has begun, or that was running and is joined."""

    status: Literal["accepted", "skipped"] = Field(description="skipped: MODEL_CACHE_ENABLED is false.")
    models: list[ModelState]


class Cleared(BaseModel):
    """What went, and what goes with its last lease."""

    status: Literal["success", "retiring"]
    freed: list[str] = Field(description="Cache keys.", examples=[["stt_whisper_base_cpu_2_false"]])
    freed_mb: float = Field(examples=[58.9])
    retiring: list[str] = Field(description="Cache keys of models that are in use.", examples=[[]])


class ModelFile(BaseModel):
    """One model that has a name here, and how much of it is on this machine."""

    name: str = Field(description="By which it is downloaded and removed.", examples=["base"])
    engine: str = Field(examples=["whisper"])
    model_type: Literal["stt", "translation", "tts", "diarization", "separation"]
    licence: str = Field(description="An SPDX expression.", examples=["MIT"])
    source: str = Field(description="Where it comes from.", examples=["https://github.com/openai/whisper"])
    state: Literal["here", "partial", "downloading", "absent"] = Field(
        description="partial: a download that broke off, and goes on from there."
    )
    disk_mb: float = Field(description="What it takes of the disk.", examples=[143.3])
    removable_mb: float = Field(
        description="What this program downloaded of that, and may remove; all of a cache in its data folder.",
        examples=[0.0],
    )
    memory_mb: float = Field(description="What it takes in memory: measured where it is there.", examples=[112.9])
    download_mb: float = Field(description="About what is to come; 0: nothing, or not known.", examples=[0.0])
    in_memory: bool = Field(examples=[False])
    progress: str | None = Field(description="How far its download is, as a sentence.", examples=[None])


class FreeSpace(BaseModel):
    """How much room the disks have, in megabytes."""

    data: float = Field(description="That of the data folder.", examples=[20480.0])
    models: float = Field(description="That of the downloaded models (HF_HOME).", examples=[20480.0])


class ModelFiles(BaseModel):
    """The models on the disk, and the room that is left."""

    models: list[ModelFile]
    free_mb: FreeSpace


class Removed(BaseModel):
    """What was removed from the disk."""

    name: str = Field(examples=["base"])
    freed_mb: float = Field(examples=[143.3])


class DownloadRequest(_RequestBody):
    """Which model to download."""

    name: str = Field(description="As in the list of files.", max_length=200, examples=["base"])


class Download(BaseModel):
    """A download that has begun, is on its way already or was cancelled."""

    name: str = Field(examples=["base"])
    status: Literal["accepted", "cancelled"]


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


class VoiceRow(BaseModel):
    """One voice that may be chosen."""

    id: str = Field(description="What a job names in its field voice.", examples=["espeak-ng-es"])
    language: str = Field(description="The code of what it speaks.", examples=["es"])
    name: str = Field(description="For people.", examples=["Spanish"])
    gender: Literal["female", "male", ""] = Field(description="Empty where that is not known.", examples=[""])
    engine: str = Field(description="Who speaks.", examples=["espeak-ng"])
    licence: str = Field(
        description="An SPDX expression; one with -NC- in it allows no commercial use.", examples=["GPL-3.0-or-later"]
    )


class Voices(BaseModel):
    """The voices that may be chosen here, the default one of each language first."""

    voices: list[VoiceRow]


class Request(BaseModel):
    """What was asked for."""

    file: str = Field(description="The film's name, as it was given.", examples=["talk.mp4"])
    target_language: str = Field(examples=["es"])
    source_language: str = Field(examples=["auto"])
    subtitles: str | None = Field(description="The name of the subtitle file that came along.", examples=[None])
    audio_track: int | None = Field(description="Which sound track is dubbed; null: by its language.", examples=[None])
    options: dict[str, Any] = Field(
        description="Further wishes, as far as there are any: voice, tts_engine, translation_engine, speakers, "
        "mark_speakers, background, literal, burn, karaoke, fit, preview, glossary (the name of its file).",
        examples=[{"voice": "espeak-ng-es"}],
    )


class Job(BaseModel):
    """One dub, as it stands."""

    id: str = Field(description="A secret: all that opens the job.", examples=["mfrggzdfmztwq2lknnwg23tpoa"])
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    stage: str | None = Field(description="The last stage that began; null before the first.", examples=["speak"])
    fraction: float = Field(description="How much of the whole job is done, 0 to 1.", examples=[0.62])
    error: str | None = Field(description="Why it failed, in a sentence.", examples=[None])
    created_at: str = Field(description="UTC, RFC 3339.", examples=["2026-01-01T12:00:00.000Z"])
    updated_at: str = Field(description="UTC, RFC 3339.", examples=["2026-01-01T12:01:00.000Z"])
    request: Request


class Jobs(BaseModel):
    """Some jobs, the newest first; their ids are cut short."""

    jobs: list[Job]


class Segment(BaseModel):
    """One line of a dub. Times are seconds from the start of the film."""

    id: int = Field(description="From 0, in order of start.", examples=[0])
    start: float = Field(description="When the original says it.", examples=[1.2])
    end: float = Field(examples=[3.4])
    source_text: str = Field(description="What the original says.", examples=["Good evening."])
    text: str = Field(description="What the dub says.", examples=["Buenas tardes."])
    slot_seconds: float = Field(description="How long the original takes.", examples=[2.2])
    room_seconds: float = Field(description="With the pause behind it.", examples=[2.9])
    natural_seconds: float = Field(description="How long the dub would take, not stretched.", examples=[2.1])
    tempo: float = Field(description="How much faster than that it is spoken.", examples=[1.0])
    placed_start: float = Field(description="When the dub says it.", examples=[1.2])
    placed_end: float = Field(examples=[3.3])
    overflow_seconds: float = Field(description="What it is short of at a tempo of 1.2.", examples=[0.0])
    speaker: int | None = Field(
        None, description="Who says it in the original; left out where only one person speaks.", examples=[0]
    )
    shortened: str | None = Field(
        None, description="The line in full, where there is no time for it; else left out.", examples=[None]
    )
    hurried: str | None = Field(
        None, description="Why its tempo is above 1.2; left out where it is not.", examples=["No shorter wording fits."]
    )
    source_words: list[tuple[float, float, int]] | None = Field(
        None,
        description="When each word of source_text is said: start, end, and length in letters; left out where unknown.",
        examples=[[[1.0, 1.4, 4]]],
    )
    phrases: list[tuple[float, float, int]] | None = Field(
        None,
        description="The same of the phrases of text; left out where it is said in one breath.",
        examples=[None],
    )
    confidence: float | None = Field(
        None,
        description="The recogniser's own confidence in source_text, 0 to 1; left out where nobody recognised it.",
        examples=[0.93],
    )


class Speaker(BaseModel):
    """One of several who speak in a film."""

    id: int = Field(
        description="From 0, in the order in which they begin to speak; those who were added last.", examples=[0]
    )
    label: str = Field(description="The name that captions or an edit give, or a number.", examples=["1"])
    seconds: float = Field(description="How long their lines last in the original.", examples=[34.5])
    voice: str = Field(description="The id of the voice that speaks for them.", examples=["ef_dora"])


class Segments(BaseModel):
    """All lines of a dub."""

    segments: list[Segment]
    speakers: list[Speaker] | None = Field(None, description="Left out where only one person speaks.", examples=[None])


class Take(BaseModel):
    """What was spoken for a line, now or before an edit."""

    id: str = Field(description="Of the take, among those of its line.", examples=["9f86d081884c7d65"])
    text: str = Field(description="What is said.", examples=["Buenas tardes."])
    voice: str = Field(description="The id of the voice that says it.", examples=["ef_dora"])
    speaker: int | None = Field(
        None, description="The id of who says it; left out where only one person speaks.", examples=[0]
    )
    seconds: float = Field(description="How long it lasts.", examples=[2.1])
    is_present: bool = Field(description="Whether the dub says it so now.", examples=[True])
    has_sound: bool = Field(
        description="Whether its sound is still kept: it can be heard, and an edit back to it speaks nothing again.",
        examples=[True],
    )


class Takes(BaseModel):
    """The takes of a line: at most eight, the one that was spoken last first."""

    takes: list[Take]


class Outline(BaseModel):
    """How loud a sound is, over the whole film."""

    peaks: list[int] = Field(
        description="The peak, 0 to 255, of each of many equal parts of the film: twenty a second, fewer in long "
        "films; none where there is no sound.",
        examples=[[0, 12, 200, 255]],
    )


def _without_surrogates(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:  # JSON can name half a character
        raise ValueError("it holds half of a character (a lone surrogate)") from None
    return text


Text = Annotated[str, AfterValidator(_without_surrogates)]


class Change(_RequestBody):
    """What is changed in one line; what is left out stays."""

    id: int = Field(description="Of the line.", ge=0, examples=[3])
    text: Text | None = Field(None, description="What is spoken instead; empty: nothing.", examples=["Buenas noches."])
    source_text: Text | None = Field(
        None, description="What was really said; it is translated again.", examples=["Good night."]
    )
    start: float | None = Field(None, ge=0, le=1e6, allow_inf_nan=False, description="In seconds.", examples=[1.25])
    end: float | None = Field(None, ge=0, le=1e6, allow_inf_nan=False, description="In seconds.", examples=[3.5])
    speaker: int | None = Field(
        None, ge=0, lt=10_000, description="Who says it; the id behind the last one adds a speaker.", examples=[1]
    )


class SpeakerChange(_RequestBody):
    """What is changed in one speaker; what is left out stays."""

    id: int = Field(description="Of the speaker; 0 where only one person speaks.", ge=0, lt=10_000, examples=[0])
    label: Text | None = Field(None, description="What the speaker is called.", examples=["Anna"])
    voice: Text | None = Field(
        None, description="The id of another voice of the same engine; only this speaker's lines are spoken again.",
        examples=["ef_dora"],
    )  # fmt: skip


class Addition(_RequestBody):
    """A line that is added; the ids of the lines behind it move up. To remove a line, empty both of its texts."""

    start: float = Field(ge=0, le=1e6, allow_inf_nan=False, description="In seconds.", examples=[1.25])
    end: float = Field(ge=0, le=1e6, allow_inf_nan=False, description="In seconds.", examples=[3.5])
    source_text: Text = Field("", description="What is said; translated where there is no text.", examples=["Hello."])
    text: Text = Field("", description="What is spoken.", examples=["Hola."])
    speaker: int | None = Field(
        None, ge=0, lt=10_000, description="Who says it; left out: whoever says the line before.", examples=[0]
    )


class Changes(_RequestBody):
    """Which lines and speakers are changed, each once, and which lines are added."""

    segments: list[Change] = Field([], fail_fast=True, max_length=10_000)
    added: list[Addition] = Field([], fail_fast=True, max_length=1000)
    speakers: list[SpeakerChange] = Field([], fail_fast=True, max_length=1000)

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.segments and not self.added and not self.speakers:
            raise ValueError("it names no line and no speaker")
        return self


class TrackInfo(BaseModel):
    """One track of a file."""

    codec: str = Field(examples=["aac"])
    language: str = Field(description="As it is tagged; empty where it is not.", examples=["eng"])
    title: str = Field(examples=[""])
    channels: int | None = Field(None, description="Of sound.", examples=[2])


class Inspection(BaseModel):
    """What is in a file."""

    file: str = Field(description="Its name, as it was given.", examples=["talk.mp4"])
    duration_seconds: float = Field(description="As its header has it.", examples=[93.4])
    video: TrackInfo | None = Field(
        description="The picture; none in a sound file.",
        examples=[{"codec": "h264", "language": "", "title": "", "channels": None}],
    )
    audio: list[TrackInfo]
    subtitles: list[TrackInfo]
