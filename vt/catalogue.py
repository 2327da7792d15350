"""What could serve a request here, best first: it orders what stands in the table of engines, none known by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from vt import fetch, languages, machine
from vt.engines import table
from vt.engines.base import Engine, EngineInfo, Synthesizer, Transcriber, Translator, Voice
from vt.engines.candidate import Candidate
from vt.engines.door import AUTO, Site, SttEngine, TranslationEngine, TtsEngine
from vt.engines.table import Table
from vt.errors import InputError, LanguageError, SettingsError, UnknownModel
from vt.languages import Language
from vt.offer import Offer
from vt.preparations import Preparations
from vt.settings import Settings

_E = TypeVar("_E", bound=Engine)
_D = TypeVar("_D", SttEngine, TranslationEngine, TtsEngine)
_LONGEST_SHOWN = 80
_NEAR = 3
"""So many voices are named to somebody who named none that there is."""
_MOST_LISTED = 8
"""Of the voices for a language in a sentence."""


class Catalogue:
    """Makes the candidates of each stage's ladder from the settings."""

    def __init__(
        self,
        settings: Settings,
        gpus: Callable[[], int] = machine.gpus,
        source: fetch.Source | None = None,
        engines: Table = table.BUILT_IN,
    ) -> None:
        """`source`: where models come from and are kept, if not where the settings say.

        Raises:
            SettingsError: the settings name an engine that is not in the table.
        """
        self.settings = settings
        self.site = Site(settings, source or fetch.of(settings), gpus)
        self._table = engines
        for variable, wanted, known in (
            ("VT_TRANSLATION_ENGINE", settings.translation_engine, engines.translation),
            ("VT_TTS_ENGINE", settings.tts_engine, engines.tts),
        ):
            if refusal := _unknown(wanted, known):
                raise SettingsError(f"{variable}: {refusal}")

    @property
    def preparations(self) -> Preparations:
        """Downloads and conversions under way."""
        return self.site.preparations

    @property
    def devices(self) -> tuple[str, ...]:
        """What models run on, best first."""
        return self.site.devices

    @property
    def device(self) -> str:
        """What models do run on."""
        return self.site.device

    def load_libraries(self) -> None:
        """Load what recognition needs, so that a model's size is the model's alone."""
        for engine in self._table.stt:
            engine.load_library()

    def stt(self, language: str, model: str | None = None) -> Sequence[Candidate[Transcriber]]:
        """List what could hear `language` (or "auto"): the wanted model, smaller ones of the hub, the bundled one.

        Raises:
            LanguageError: there is no such language.
            ModelUnavailable: `model` is no name of a model.
        """
        code = language if language == AUTO else languages.get(language).code
        return [one for engine in self._allowed(self._table.stt) for one in engine.candidates(self.site, code, model)]

    def translation(
        self, source: str, target: str, model: str | None = None, engine: str = ""
    ) -> Sequence[Candidate[Translator]]:
        """List what could translate from `source` to `target`, that of `engine` first where one is named.

        Raises:
            LanguageError: there is no such language.
            ModelUnavailable: `model` is no name of a model.
            UnknownModel: no engine goes by that name.
        """
        pair = languages.get(source), languages.get(target)
        wanted = self._wanted(engine or self.settings.translation_engine, self._table.translation)
        listed = [
            (one.info.name, one.candidates(self.site, *pair, model if one.names(self.site) else None))
            for one in self._ordered(self._table.translation, wanted)
        ]
        return self._checked(_fit(listed, wanted), f"translates {pair[0].name} to {pair[1].name}")

    def tts(self, language: str, voice: str = "", engine: str = "") -> Sequence[Candidate[Synthesizer]]:
        """List what could speak `language`, with the voice or by the engine that is named first.

        Raises:
            LanguageError: there is no such language, or the voice speaks another.
            UnknownModel: there is no such voice or engine.
            InputError: the voice is another engine's.
        """
        row = languages.get(language)
        wanted = self._wanted(engine or self.settings.tts_engine, self._table.tts)
        named = self._fitting(voice, row) if voice else None
        if named:
            if engine not in ("", AUTO, named.engine):
                raise InputError(f"The voice {voice} is one of {named.engine}, not of {engine}: name only one of them.")
            wanted = named.engine
        listed = [
            (one.info.name, one.candidates(self.site, row, voice if named and one.info.name == wanted else None))
            for one in self._ordered(self._table.tts, wanted)
        ]
        return self._checked(_fit(listed, wanted), f"speaks {row.name}")

    def voices(self) -> tuple[Voice, ...]:
        """List all voices that may be chosen here."""
        return tuple(voice for engine in self._allowed(self._table.tts) for voice in engine.voices(self.site))

    def voice(self, wanted: str, code: str = "") -> Voice:
        """Return the voice of an id; where there is none like it, a sentence names those for the language of `code`.

        Raises:
            UnknownModel: there is none.
        """
        listed = self.voices()
        found = next((voice for voice in listed if voice.id == wanted), None)
        if found is None:
            known = {voice.id.casefold(): voice.id for voice in listed}
            own = [voice.id for voice in listed if voice.language == code]
            alike = difflib.get_close_matches(wanted[:_LONGEST_SHOWN].casefold(), known, _NEAR)
            near = [known[one] for one in alike] or own[:_NEAR]
            told = f"Near are: {', '.join(near)}." if near else "See the list of voices."
            raise UnknownModel(f"No voice goes by the name {_shown(wanted)} here. {told}")
        return found

    def check_translation_engine(self, wanted: str) -> None:
        """Raise where no engine that may be used goes by a name; for whoever does not know the languages yet.

        Raises:
            UnknownModel: none does.
        """
        self._wanted(wanted or AUTO, self._table.translation)

    def named(self, name: str) -> Sequence[Candidate[Any]]:
        """List what could be loaded for a name that came from outside: no path or hub id but those of the settings.

        Raises:
            UnknownModel: neither the engines' tables nor the settings have it.
        """
        engines = list(self._all())
        for engine in engines:
            if found := engine.named(self.site, name):
                return found
        known = ", ".join(name for engine in engines for name in engine.names(self.site))
        raise UnknownModel(f"No model goes by the name {_shown(name)} here. Known are: {known}.")

    def wanted(self) -> list[Candidate[Any]]:
        """List the best model of each stage for a default request, whether or not it is here."""
        spoken = self.settings.preload_languages
        listening, translating = self.stt(AUTO), self.translation("en", spoken[0])
        return [listening[0], translating[0], *(self.tts(code)[0] for code in spoken)]

    def offers(self, *, reachable: bool) -> tuple[Offer, ...]:
        """List every language with the engines that serve it here, now; `reachable` says whether the hub answers."""
        heard = [
            (engine.info.name, engine.heard(self.site, reachable=reachable))
            for engine in self._allowed(self._table.stt)
        ]
        ways = [
            (engine.info.name, engine.translated(self.site, reachable=reachable))
            for engine in self._allowed(self._table.translation)
        ]
        spoken = [
            (engine.info.name, engine.spoken(self.site, reachable=reachable))
            for engine in self._allowed(self._table.tts)
        ]
        return tuple(
            Offer(
                row,
                hear=tuple(name for name, codes in heard if row.code in codes),
                translate_from=tuple(name for name, (sources, _) in ways if row.code in sources),
                translate_to=tuple(name for name, (_, targets) in ways if row.code in targets),
                speak=tuple(name for name, codes in spoken if row.code in codes),
            )
            for row in languages.ALL
        )

    @property
    def engines(self) -> tuple[EngineInfo, ...]:
        """The facts about every engine, whether or not it is here."""
        return self._table.infos

    @property
    def left_out(self) -> str | None:
        """Say which engines the settings leave out for their licences, where they do."""
        if self.settings.licences != "commercial":
            return None
        names = [f"{info.name} ({info.licence})" for info in self._table.infos if not info.commercial]
        return f"VT_LICENCES=commercial leaves out {' and '.join(names)}." if names else None

    def missing(self) -> tuple[str, ...]:
        """Say, in a sentence each, for which stages there is no engine at all."""
        stages: tuple[Sequence[SttEngine | TranslationEngine | TtsEngine], ...] = (
            self._allowed(self._table.stt),
            self._allowed(self._table.translation),
            self._allowed(self._table.tts),
        )
        lacks = [[engine.lack(self.site) for engine in engines] for engines in stages]
        # What the last of a stage lacks is what is most easily put right.
        return tuple(told[-1] for told in lacks if told and all(told) and told[-1])

    # Which engines, in which order.

    def _all(self) -> Iterator[SttEngine | TranslationEngine | TtsEngine]:
        yield from self._allowed(self._table.stt)
        yield from self._allowed(self._table.translation)
        yield from self._allowed(self._table.tts)

    def _allowed(self, engines: Sequence[_D]) -> list[_D]:
        every = self.settings.licences == "any"
        return [engine for engine in engines if every or engine.info.commercial]

    def _ordered(self, engines: Sequence[_D], wanted: str) -> list[_D]:
        """Return the engines that may serve, the wanted one first."""
        return sorted(self._allowed(engines), key=lambda engine: engine.info.name != wanted)

    def _wanted(self, wanted: str, engines: Sequence[_D]) -> str:
        if refusal := _unknown(wanted, engines):
            raise UnknownModel(refusal)
        refused = [engine.info for engine in engines if engine.info.name == wanted and not engine.info.commercial]
        if refused and self.settings.licences == "commercial":
            raise UnknownModel(f"{wanted} may not be used: {self.left_out}")
        return wanted

    def _fitting(self, wanted: str, row: Language) -> Voice:
        """Return the voice that is named, which has to speak a language."""
        found = self.voice(wanted, row.code)
        if found.language != row.code:
            own = [voice.id for voice in self.voices() if voice.language == row.code]
            listed = ", ".join(own[:_MOST_LISTED]) + ("" if len(own) <= _MOST_LISTED else " and others")
            raise LanguageError(
                f"The voice {wanted} speaks {languages.get(found.language).name}, not {row.name}. "
                f"Voices for {row.name}: {listed or 'none'}."
            )
        return found

    def _checked(self, found: Sequence[Candidate[_E]], does: str) -> Sequence[Candidate[_E]]:
        why = f" {self.left_out}" if self.left_out else ""
        if not found:
            raise LanguageError(f"Nobody here {does}.{why}")
        if all(candidate.unfit for candidate in found):
            last = replace(found[-1], unfit=f"{found[-1].unfit}{why}")
            return [*found[:-1], last]
        return found


def _fit(listed: Iterable[tuple[str, Sequence[Candidate[_E]]]], wanted: str) -> list[Candidate[_E]]:
    """Leave out who does not know the languages, unless nobody does or it was asked for by name."""
    every = [(name, candidate) for name, candidates in listed for candidate in candidates]
    able = [candidate for name, candidate in every if not candidate.unfit or name == wanted]
    return able if any(not candidate.unfit for candidate in able) else [candidate for _, candidate in every]


def _unknown(wanted: str, engines: Sequence[SttEngine | TranslationEngine | TtsEngine]) -> str | None:
    names = [engine.info.name for engine in engines]
    if wanted == AUTO or wanted in names:
        return None
    return f"no engine goes by the name {_shown(wanted)}: use {', '.join([AUTO, *names])}."


def _shown(name: str) -> str:
    return repr(name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}...")
