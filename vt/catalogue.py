"""What could serve a request here, best first: the one place that knows every engine by name."""

from __future__ import annotations

import functools
import hashlib
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vt import languages, machine
from vt.cache import ModelSpec
from vt.engines import apertium, espeak, whisper
from vt.engines.base import Synthesizer, Transcriber, Translator
from vt.errors import LanguageError, ModelUnavailable, UnknownModel
from vt.ladder import Rung
from vt.offer import Offer
from vt.settings import Settings

AUTO = "auto"
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_LONGEST_SHOWN = 80
_NO_GPU = "DEVICE is cuda, but no graphics processor was found."


class Catalogue:
    """Makes the rungs of each stage's ladder from the settings."""

    def __init__(self, settings: Settings, gpus: Callable[[], int] = machine.gpus) -> None:
        self.settings = settings
        self._gpus = gpus

    @property
    def devices(self) -> tuple[str, ...]:
        """What models run on, best first."""
        if self.settings.device == "cuda" or (self.settings.device == "auto" and self._gpus()):
            return ("cuda", "cpu")
        return ("cpu",)

    @property
    def device(self) -> str:
        """What models do run on."""
        return "cuda" if "cuda" in self.devices and self._gpus() else "cpu"

    def load_libraries(self) -> None:
        """Load the libraries of the engines that stay in memory, so that a model's size is the model's alone."""
        whisper.load_library()

    def stt(self, language: str, model: str | None = None) -> Sequence[Rung[Transcriber]]:
        """List what could hear `language` (or "auto"): the wanted model, then the bundled one.

        Raises:
            LanguageError: there is no such language.
            ModelUnavailable: `model` is no name of a model.
        """
        code = language if language == AUTO else languages.get(language).code
        wanted = model or self.settings.whisper_model
        named = [] if wanted in (AUTO, whisper.BUNDLED) else [self._whisper(wanted, at, code) for at in self.devices]
        return [*named, *(self._bundled(at, code) for at in self.devices)]

    def translation(self, source: str, target: str, model: str | None = None) -> Sequence[Rung[Translator]]:
        """List what could translate from `source` to `target`.

        Raises:
            LanguageError: there is no such language.
            ModelUnavailable: `model` is no name of a model.
        """
        if model not in (None, AUTO, apertium.INFO.name):
            raise ModelUnavailable(f"The translation model {model} is not known here: there is {apertium.INFO.name}.")
        return [_apertium(languages.get(source), languages.get(target))]

    def tts(self, language: str) -> Sequence[Rung[Synthesizer]]:
        """List what could speak `language`.

        Raises:
            LanguageError: there is no such language.
        """
        row, threads = languages.get(language), self.settings.threads
        spec: ModelSpec[Synthesizer] = ModelSpec(
            key=espeak.INFO.name,
            kind="tts",
            name=row.espeak,
            device="cpu",
            load=lambda: espeak.Espeak(row.espeak, threads),
            estimated_bytes=0,
        )
        unfit = None if row.espeak else f"{row.name} cannot be spoken here: espeak-ng has no voice for it."
        return [Rung(espeak.INFO, spec, is_process=True, unfit=unfit)]

    def named(self, name: str) -> Sequence[Rung[Any]]:
        """List what could be loaded for a name that came from outside: no path or hub id but those of the settings.

        Raises:
            UnknownModel: neither the engines' tables nor the settings have it.
        """
        if name in (*whisper.SIZES, self.settings.whisper_model):
            return self.stt(AUTO, name)
        known = ", ".join(dict.fromkeys((*whisper.SIZES, *({self.settings.whisper_model} - {AUTO}))))
        raise UnknownModel(f"No model goes by the name {_shown(name)} here. Known are: {known}.")

    def offers(self) -> tuple[Offer, ...]:
        """List every language with the engines that serve it here, now."""
        pairs = apertium.pairs() if shutil.which("apertium") else {}
        froms, tos = {source for source, _ in pairs}, {target for _, target in pairs}
        heard = {"en"} if not _bundled_lack() else set()
        speaks = bool(shutil.which("espeak-ng"))
        return tuple(
            Offer(
                row,
                hear=_if(row.code in heard, whisper.INFO.name),
                translate_from=_if(row.code in froms, apertium.INFO.name),
                translate_to=_if(row.code in tos, apertium.INFO.name),
                speak=_if(bool(speaks and row.espeak), espeak.INFO.name),
            )
            for row in languages.ALL
        )

    def missing(self) -> tuple[str, ...]:
        """Say, in a sentence each, for which stages there is no engine at all."""
        found = [lack] if (lack := _bundled_lack()) else []
        if not shutil.which("apertium") or not apertium.pairs():
            found.append("Nothing here translates: install apertium and a language pair, such as apertium-eng-spa.")
        if not shutil.which("espeak-ng"):
            found.append("Nothing here speaks: install espeak-ng.")
        return tuple(found)

    def _bundled(self, device: str, code: str) -> Rung[Transcriber]:
        lack = _bundled_lack()
        path = "" if lack else _bundled_path()
        return self._hearing(whisper.BUNDLED, path, device, code, lambda: lack, insists=True)

    def _whisper(self, wanted: str, device: str, code: str) -> Rung[Transcriber]:
        """Return the rung of a model that somebody named: a size, a hub id or a folder."""
        folder = str(Path(wanted).expanduser())
        if wanted in whisper.SIZES or (_HUB_ID.fullmatch(wanted) and not Path(folder).is_dir()):
            name = wanted if wanted in whisper.SIZES else _name(wanted)
            return self._hearing(name, "", device, code, lambda: _not_here(wanted), insists=True)
        if "/" not in wanted and not Path(folder).is_dir():
            known = ", ".join(whisper.SIZES)
            raise ModelUnavailable(
                f"The recognition model {wanted} is not known: known are {known}, and folders on this machine."
            )
        name = _name(str(Path(folder).resolve()))
        return self._hearing(name, folder, device, code, lambda: _folder_lack(wanted, folder), insists=True)

    def _hearing(
        self, name: str, path: str, device: str, code: str, lack: Callable[[], str | None], *, insists: bool = False
    ) -> Rung[Transcriber]:
        settings = self.settings

        def obstacle() -> str | None:
            return _NO_GPU if device == "cuda" and not self._gpus() else lack()

        spec: ModelSpec[Transcriber] = ModelSpec(
            key=self._key("stt", f"{whisper.INFO.name}_{name}", device),
            kind="stt",
            name=name,
            device=device,
            load=lambda: whisper.Whisper(path, settings.threads, settings.vad, device),
            estimated_bytes=_estimated(path, device),
        )
        unfit = _english_only(name, code) if path and code not in (AUTO, "en") else None
        return Rung(whisper.INFO, spec, unfit=unfit, obstacle=obstacle, insists=insists, language="en")

    def _key(self, kind: str, name: str, device: str) -> str:
        return f"{kind}_{name}_{device}_{self.settings.threads}_{'true' if self.settings.vad else 'false'}"


@functools.cache
def _bundled_path() -> str:
    return whisper.bundled_path()


def _bundled_lack() -> str | None:
    try:
        _bundled_path()
    except ModelUnavailable as error:
        return str(error)
    return None


def _if(there: bool, name: str) -> tuple[str, ...]:
    return (name,) if there else ()


@functools.lru_cache(maxsize=64)
def _estimated(path: str, device: str) -> int:
    return whisper.estimated_bytes(path, device) if path else 0


def _shown(name: str) -> str:
    return repr(name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}...")


def _english_only(name: str, code: str) -> str:
    return (
        f"{languages.get(code).name} cannot be heard here: the recognition model {name} hears "
        "English only. A multilingual Whisper model, such as small, would be needed."
    )


def _not_here(wanted: str) -> str:
    return (
        f"The Whisper model {wanted} cannot be had: apart from the bundled {whisper.BUNDLED}, only models in folders "
        "of this machine are loaded."
    )


def _folder_lack(wanted: str, path: str) -> str | None:
    """Say what a folder lacks that is to hold a model."""
    if not Path(path).is_dir():
        return f"The folder {wanted} of the Whisper model is not there."
    if not whisper.is_english_only(path):
        return f"The folder {wanted} holds no English-only Whisper model in CTranslate2's format; others do not load."
    return None


def _name(whole: str) -> str:
    """Return a model's name for its key: the end of its path or hub id, and a mark of the whole."""
    last = re.sub(r"[^A-Za-z0-9._-]", "-", Path(whole).name)
    return f"{last}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def _apertium(source: languages.Language, target: languages.Language) -> Rung[Translator]:
    try:
        chain, unfit = apertium.chain(source, target), None
    except LanguageError as error:
        chain, unfit = (), str(error)
    spec: ModelSpec[Translator] = ModelSpec(
        key=apertium.INFO.name,
        kind="translation",
        name=" > ".join(chain),
        device="cpu",
        load=lambda: apertium.Apertium(chain),
        estimated_bytes=0,
    )
    return Rung(apertium.INFO, spec, is_process=True, unfit=unfit)
