"""What could serve a request here, best first: the one place that knows every engine by name."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vt import fetch, languages, machine, weights
from vt.cache import ModelSpec
from vt.domain import Cancel
from vt.engines import apertium, espeak, mms, nllb, nllb_conversion, whisper
from vt.engines.base import EngineInfo, Synthesizer, Transcriber, Translator
from vt.errors import LanguageError, ModelUnavailable, UnknownModel
from vt.ladder import Rung
from vt.languages import Language
from vt.offer import Offer
from vt.preparations import Preparations
from vt.settings import Settings
from vt.weights import Weights

AUTO = "auto"
_LONGEST_SHOWN = 80
_NO_GPU = "DEVICE is cuda, but no graphics processor was found."
_NLLB_AUTO = tuple(model for model in reversed(nllb_conversion.MODELS) if model.int8_bytes < 2_000_000_000)
"""What is tried where nobody names a model, the best first: at most 1.3B."""
_MMS_FILES = (*mms.FILES, *mms.WEIGHTS)


class Catalogue:
    """Makes the rungs of each stage's ladder from the settings."""

    def __init__(
        self, settings: Settings, gpus: Callable[[], int] = machine.gpus, source: fetch.Source | None = None
    ) -> None:
        """`source`: where models come from and are kept, if not where the settings say."""
        self.settings = settings
        self._gpus = gpus
        self._source = source or fetch.of(settings)
        self.preparations = Preparations()

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
        """Load the library of recognition, so that a model's size is the model's alone."""
        whisper.load_library()

    def stt(self, language: str, model: str | None = None) -> Sequence[Rung[Transcriber]]:
        """List what could hear `language` (or "auto"): the wanted model, smaller ones of the hub, the bundled one.

        Raises:
            LanguageError: there is no such language.
            ModelUnavailable: `model` is no name of a model.
        """
        code = language if language == AUTO else languages.get(language).code
        wanted = model or self.settings.whisper_model
        if wanted == AUTO:
            named = [] if self._is_embedded else [self._whisper(size) for size in whisper.LADDER]
        else:
            named = [self._whisper(wanted)]
        rungs = [self._hearing(files, at, code, wanted != AUTO) for files in named for at in self.devices]
        there = {files.name for files in named}
        last = [files for files in _bundled() if files.name not in there or files.lack()]
        return [*rungs, *(self._hearing(files, at, code, True) for files in last for at in self.devices)]

    def translation(self, source: str, target: str, model: str | None = None) -> Sequence[Rung[Translator]]:
        """List what could translate from `source` to `target`: the wanted model, smaller ones of the hub, Apertium.

        Raises:
            LanguageError: there is no such language.
            ModelUnavailable: `model` is no name of a model.
        """
        pair = languages.get(source), languages.get(target)
        wanted = model or self.settings.nllb_model
        if wanted == AUTO:
            named = [] if self._is_embedded else [self._nllb(known.source) for known in _NLLB_AUTO]
        else:
            named = [] if wanted == apertium.INFO.name else [self._nllb(wanted)]
        rungs = [self._translating(files, at, pair, wanted != AUTO) for files in named for at in self.devices]
        return [*rungs, _apertium(*pair)]

    def tts(self, language: str) -> Sequence[Rung[Synthesizer]]:
        """List what could speak `language`: an MMS voice, espeak-ng.

        Raises:
            LanguageError: there is no such language.
        """
        row = languages.get(language)
        if self._is_embedded and not self._has_own_voices:
            return [self._espeak(row)]
        return [*(self._speaking(row, at) for at in self.devices), self._espeak(row)]

    def named(self, name: str) -> Sequence[Rung[Any]]:
        """List what could be loaded for a name that came from outside: no path or hub id but those of the settings.

        Raises:
            UnknownModel: neither the engines' tables nor the settings have it.
        """
        settings = self.settings
        translators = {*(known.source for known in nllb_conversion.MODELS), settings.nllb_model} - {AUTO}
        listeners = {*whisper.SIZES, settings.whisper_model} - {AUTO}
        if name in listeners:
            return self.stt(AUTO, name)
        if name in translators:
            return self.translation("en", settings.preload_languages[0], name)
        for row in languages.ALL:
            if row.mms and name == self._voice(row):
                return self.tts(row.code)
        known = ", ".join([*whisper.SIZES, *sorted(translators), settings.mms_model])
        raise UnknownModel(f"No model goes by the name {_shown(name)} here. Known are: {known}.")

    def wanted(self) -> list[Rung[Any]]:
        """List the best model of each stage for a default request, whether or not it is here."""
        spoken = self.settings.preload_languages
        listening, translating = self.stt(AUTO), self.translation("en", spoken[0])
        return [listening[0], translating[0], *(self.tts(code)[0] for code in spoken)]

    def offers(self, *, reachable: bool) -> tuple[Offer, ...]:
        """List every language with the engines that serve it here, now; `reachable` says whether the hub answers."""
        pairs = apertium.pairs() if shutil.which("apertium") else {}
        froms, tos = {source for source, _ in pairs}, {target for _, target in pairs}
        hears_all, translates_all = self._hears_all(reachable), self._translates_all(reachable)
        bundled, speaks = bool(whisper.bundled_sizes()), not _espeak_lack()
        return tuple(
            Offer(
                row,
                hear=_which((whisper.INFO, bool(hears_all and row.whisper) or (bundled and row.code == "en"))),
                translate_from=_which(
                    (nllb.INFO, bool(translates_all and row.flores)), (apertium.INFO, row.code in froms)
                ),
                translate_to=_which((nllb.INFO, bool(translates_all and row.flores)), (apertium.INFO, row.code in tos)),
                speak=_which((mms.INFO, self._has_voice(row, reachable)), (espeak.INFO, bool(speaks and row.espeak))),
            )
            for row in languages.ALL
        )

    @property
    def engines(self) -> tuple[EngineInfo, ...]:
        """The facts about every engine, whether or not it is here."""
        return (whisper.INFO, nllb.INFO, apertium.INFO, mms.INFO, espeak.INFO)

    def missing(self) -> tuple[str, ...]:
        """Say, in a sentence each, for which stages there is no engine at all."""
        found = [lack] if (lack := whisper.bundled_lack()) else []
        if not shutil.which("apertium") or not apertium.pairs():
            found.append("Nothing here translates: install apertium and a language pair, such as apertium-eng-spa.")
        if lack := _espeak_lack():
            found.append(lack)
        return tuple(found)

    # What there is for all languages.

    @property
    def _is_embedded(self) -> bool:
        return self.settings.engines == "embedded"

    def _hears_all(self, reachable: bool) -> bool:
        rungs = self.stt(AUTO)
        return any(rung.detects and self._can_be_had(rung, reachable) for rung in rungs)

    def _translates_all(self, reachable: bool) -> bool:
        rungs = self.translation("en", "es")
        return any(self._can_be_had(rung, reachable) for rung in rungs if rung.info is nllb.INFO)

    def _has_voice(self, row: Language, reachable: bool) -> bool:
        if not row.mms or (self._is_embedded and not self._has_own_voices):
            return False
        return reachable or self._can_be_had(self._speaking(row, self.device), reachable)

    def _can_be_had(self, rung: Rung[Any], reachable: bool) -> bool:
        return not rung.unfit and not rung.obstacle() and (reachable or not rung.downloads)

    # Recognition.

    def _whisper(self, wanted: str) -> Weights:
        """Return the files of a model that somebody named: a size, a hub id or a folder."""
        if whisper.bundled(wanted):
            return _here(wanted)
        if wanted in whisper.REPOSITORIES:
            repository, _ = whisper.REPOSITORIES[wanted]
            return weights.of_hub(repository, wanted, whisper.FILES, self._source, self.preparations.told)
        if not weights.is_local(wanted):
            return weights.of_hub(wanted, weights.marked(wanted), whisper.FILES, self._source, self.preparations.told)
        if "/" not in wanted and not weights.is_folder(wanted):
            known = ", ".join(whisper.SIZES)
            raise ModelUnavailable(
                f"The recognition model {wanted} is not known: known are {known}, hub ids and folders on this machine."
            )
        return weights.local(wanted, lambda folder: _no_whisper(wanted, folder))

    def _hearing(self, files: Weights, device: str, code: str, insists: bool) -> Rung[Transcriber]:
        settings, folder = self.settings, files.here()
        english_only = _hears_english_only(files, folder)
        spec: ModelSpec[Transcriber] = ModelSpec(
            key=self._key("stt", f"{whisper.INFO.name}_{files.name}", device),
            kind="stt",
            name=files.name,
            device=device,
            load=lambda: whisper.Whisper(str(files.folder), settings.threads, settings.vad, device),
            estimated_bytes=_whisper_bytes(files.name, folder, device),
        )
        return Rung(
            whisper.INFO,
            spec,
            unfit=_unheard(files.name, code, english_only),
            obstacle=self._obstacle(files, device),
            downloads=files.downloads,
            insists=insists,
            prepare=self._shared(files, files.prepare) if files.obtain else None,
            download_bytes=whisper.REPOSITORIES.get(files.name, ("", 0))[1] * 10**6,
            language="en" if english_only else "" if code == AUTO else code,
            detects=not english_only,
        )

    # Translation.

    def _nllb(self, wanted: str) -> Weights:
        """Return the converted files of a model that somebody named: a hub id or a folder."""
        known = wanted in {model.source for model in nllb_conversion.MODELS}
        if not weights.is_local(wanted):
            name = Path(wanted).name if known else weights.marked(wanted)
            hub = weights.of_hub(wanted, name, nllb_conversion.FILES, self._source, self.preparations.told)
            return replace(hub, here=lambda: self._converted(name), obtain=lambda cancel: self._convert(hub, cancel))
        if "/" not in wanted and not weights.is_folder(wanted):
            names = ", ".join(model.source for model in nllb_conversion.MODELS)
            raise ModelUnavailable(
                f"The translation model {wanted} is not known: known are {names}, {apertium.INFO.name}, "
                "other hub ids and folders on this machine."
            )
        files = weights.local(wanted, lambda folder: _no_checkpoint(wanted, folder))
        if nllb_conversion.is_converted(files.folder):
            return files
        return replace(files, here=lambda: self._converted(files.name) or files.folder)

    def _converted(self, name: str) -> Path | None:
        folder = self._models / name
        return folder if nllb_conversion.is_converted(folder) else None

    @property
    def _models(self) -> Path:
        return self.settings.data_folder / "models"

    def _convert(self, checkpoint: Weights, cancel: Cancel) -> None:
        """Have a checkpoint converted, and downloaded first where it is not here."""
        checkpoint.prepare(cancel)
        target = self._models / checkpoint.name
        nllb_conversion.convert(checkpoint.folder, target, tell=self.preparations.told, cancel=cancel)

    def _translating(
        self, files: Weights, device: str, pair: tuple[Language, Language], insists: bool
    ) -> Rung[Translator]:
        source, target = pair
        threads = self.settings.threads

        def prepare(cancel: Cancel) -> None:
            if files.obtain:
                files.prepare(cancel)
            elif not nllb_conversion.is_converted(files.folder):
                self._convert(files, cancel)

        spec: ModelSpec[nllb.Nllb] = ModelSpec(
            key=self._key("translation", f"{nllb.INFO.name}_{files.name}", device),
            kind="translation",
            name=files.name,
            device=device,
            load=lambda: nllb.Nllb(files.folder, threads, device),
            estimated_bytes=_nllb_bytes(files),
        )
        return Rung(
            nllb.INFO,
            spec,
            unfit=_untranslated(pair),
            obstacle=self._obstacle(files, device),
            downloads=files.downloads,
            insists=insists,
            prepare=self._shared(files, prepare),
            download_bytes=_nllb_download(files.name),
            view=lambda model: model.between(source.flores, target.flores),
        )

    # Speech.

    @property
    def _has_own_voices(self) -> bool:
        """Whether the voices are in folders of this machine."""
        return weights.is_local(self.settings.mms_model.replace("{language}", "xxx"))

    def _voice(self, row: Language) -> str:
        return self.settings.mms_model.replace("{language}", row.mms)

    def _speaking(self, row: Language, device: str) -> Rung[Synthesizer]:
        wanted, threads = self._voice(row), self.settings.threads
        halved = self.settings.mms_precision == "bfloat16" and machine.has_bfloat16()
        if weights.is_local(wanted):
            files = weights.local(wanted, lambda folder: _no_voice(wanted, folder))
        else:
            ours = wanted == f"facebook/mms-tts-{row.mms}"
            name = Path(wanted).name if ours else weights.marked(wanted)
            files = weights.of_hub(wanted, name, _MMS_FILES, self._source, self.preparations.told)
        folder = files.here()
        spec: ModelSpec[Synthesizer] = ModelSpec(
            key=self._key("tts", f"{mms.INFO.name}_{files.name}", device),
            kind="tts",
            name=files.name,
            device=device,
            load=lambda: mms.Mms(files.folder, row.code, threads, device, bfloat16=halved),
            estimated_bytes=(mms.estimated_bytes(folder, device) if folder else 0) or mms.DOWNLOAD_BYTES,
        )
        unfit = None if row.mms else f"{row.name} cannot be spoken by MMS: it has no voice for it."
        return Rung(
            mms.INFO,
            spec,
            unfit=unfit,
            obstacle=self._obstacle(files, device),
            downloads=files.downloads,
            insists=True,
            prepare=self._shared(files, files.prepare) if files.obtain else None,
            download_bytes=mms.DOWNLOAD_BYTES,
        )

    def _espeak(self, row: Language) -> Rung[Synthesizer]:
        threads = self.settings.threads
        spec: ModelSpec[Synthesizer] = ModelSpec(
            key=espeak.INFO.name,
            kind="tts",
            name=row.espeak,
            device="cpu",
            load=lambda: espeak.Espeak(row.espeak, threads),
            estimated_bytes=0,
        )
        unfit = None if row.espeak else f"{row.name} cannot be spoken here: espeak-ng has no voice for it."
        return Rung(espeak.INFO, spec, is_process=True, unfit=unfit, obstacle=_espeak_lack)

    # All of them.

    def _shared(self, files: Weights, prepare: Callable[[Cancel], object]) -> Callable[[Cancel], None]:
        """Have a preparation done once for all who want the same files, whoever of them stops waiting."""
        return lambda cancel: self.preparations.run(files.name, prepare, cancel)

    def _obstacle(self, files: Weights, device: str) -> Callable[[], str | None]:
        return lambda: _NO_GPU if device == "cuda" and not self._gpus() else files.lack()

    def _key(self, kind: str, name: str, device: str) -> str:
        return f"{kind}_{name}_{device}_{self.settings.threads}_{'true' if self.settings.vad else 'false'}"


def _here(size: str) -> Weights:
    return Weights(size, lambda: whisper.bundled(size))


def _bundled() -> list[Weights]:
    """Return the bundled models that are here, best first; or the best with what it lacks."""
    found = [_here(size) for size in whisper.bundled_sizes()]
    return found or [replace(_here(whisper.BUNDLED[0]), lack=whisper.bundled_lack)]


def _espeak_lack() -> str | None:
    return None if shutil.which("espeak-ng") else "Nothing here speaks: install espeak-ng."


def _which(*engines: tuple[EngineInfo, bool]) -> tuple[str, ...]:
    return tuple(info.name for info, serves in engines if serves)


@functools.lru_cache(maxsize=64)
def _words(folder: Path) -> int:
    return whisper.vocabulary(str(folder))


def _hears_english_only(files: Weights, folder: Path | None) -> bool:
    if files.name in whisper.SIZES:
        return whisper.hears_english_only(files.name)
    return folder is not None and _words(folder) <= whisper.ENGLISH_WORDS


def _whisper_bytes(name: str, folder: Path | None, device: str) -> int:
    if folder is None and name in whisper.REPOSITORIES:
        return whisper.memory_bytes(whisper.REPOSITORIES[name][1] * 10**6, device)
    return whisper.estimated_bytes(str(folder), device) if folder else 0


def _nllb_bytes(files: Weights) -> int:
    folder = files.here()
    if folder and nllb_conversion.is_converted(folder):
        return nllb.estimated_bytes(folder)
    known = {Path(model.source).name: model.int8_bytes for model in nllb_conversion.MODELS}
    return nllb.memory_bytes(known.get(files.name, 0))


def _nllb_download(name: str) -> int:
    known = {Path(model.source).name: model.download_bytes for model in nllb_conversion.MODELS}
    return known.get(name, 0)


def _shown(name: str) -> str:
    return repr(name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}...")


def _unheard(model: str, code: str, english_only: bool) -> str | None:
    """Say why a model cannot hear a language, if it can't."""
    if code == AUTO or (english_only and code == "en") or (not english_only and languages.get(code).whisper):
        return None
    name = languages.get(code).name
    if not english_only:
        return f"{name} cannot be heard: no Whisper model knows it."
    return (
        f"{name} cannot be heard here: the recognition model {model} hears "
        "English only. A multilingual Whisper model, such as small, would be needed."
    )


def _untranslated(pair: tuple[Language, Language]) -> str | None:
    unknown = next((row for row in pair if not row.flores), None)
    return f"NLLB does not know {unknown.name}." if unknown else None


def _no_whisper(wanted: str, folder: Path) -> str | None:
    """Say what a folder lacks that is to hold a recognition model."""
    if not folder.is_dir():
        return f"The folder {wanted} of the Whisper model is not there."
    if whisper.vocabulary(str(folder)) < whisper.ENGLISH_WORDS:
        return f"The folder {wanted} holds no Whisper model in CTranslate2's format."
    return None


def _no_voice(wanted: str, folder: Path) -> str | None:
    return None if folder.is_dir() else f"The folder {wanted} of the MMS voice is not there."


def _no_checkpoint(wanted: str, folder: Path) -> str | None:
    """Say what a folder lacks that is to hold an NLLB, converted or not."""
    if not folder.is_dir():
        return f"The folder {wanted} of the NLLB model is not there."
    lack = None if nllb_conversion.is_converted(folder) else nllb_conversion.missing(folder)
    return f"The NLLB model in {wanted} cannot be used: {lack}." if lack else None


def _apertium(source: Language, target: Language) -> Rung[Translator]:
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
