"""The candidates for a request, best first, from all registered engines; it knows no engine by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from vt import languages
from vt.engines import registry, translation_routes
from vt.engines.candidate import Candidate
from vt.engines.definition import (
    AUTO,
    DiarizationEngine,
    OverlapEngine,
    SeparationEngine,
    Site,
    SttEngine,
    TranslationEngine,
    TtsEngine,
)
from vt.engines.protocols import (
    EngineInfo,
    OverlapFinder,
    Synthesizer,
    Transcriber,
    Translator,
    Voice,
    VoiceEmbedder,
    VoiceRemover,
)
from vt.engines.registry import AnyEngine, Table
from vt.engines.translation_routes import Hop, Route
from vt.errors import InputError, LanguageError, ModelUnavailable, SettingsError, UnknownModel
from vt.languages import Language
from vt.model_files import download, sources
from vt.model_files.preparation import Preparations
from vt.models import language_grades, selection
from vt.models.language_grades import LanguageGrade
from vt.models.language_support import Offer
from vt.models.selection import Listing, Refusals
from vt.settings import Settings
from vt.system import graphics
from vt.system.graphics import Cards
from vt.translatable import Message, joined

_D = TypeVar("_D", SttEngine, TranslationEngine, TtsEngine, DiarizationEngine, OverlapEngine, SeparationEngine)
_LONGEST_SHOWN = 80
_ROUTES = 4
"""How many routes are tried at most: they often fail for the same reason."""
_OTHERS = 3
"""How many further routes translate what would be too long by the best one."""
_LIGHT_BYTES = 256 * 2**20
"""A model of at most so much memory is loaded for a few sentences."""
_NEAR = 3
"""How many similar names an error names where a voice does not exist."""
_MOST_LISTED = 8
"""How many voices of a language an error names at most."""


class Catalogue:
    """Lists the candidates of each stage."""

    def __init__(
        self,
        settings: Settings,
        cards: Callable[[], Cards] = graphics.cards,
        source: download.Source | None = None,
        engines: Table = registry.BUILT_IN,
    ) -> None:
        """`source`: where models come from and are kept; None: where the settings say.

        Raises:
            SettingsError: the settings name an engine that is not in the table, or that they leave out for its licence.
        """
        self.settings = settings
        self.site = Site(settings, source or download.of(settings), cards)
        self._table = engines
        self._check("VT_TRANSLATION_ENGINE", settings.translation_engine, engines.translation)
        self._check("VT_TTS_ENGINE", settings.tts_engine, engines.tts)

    @property
    def preparations(self) -> Preparations:
        """Downloads and conversions in progress."""
        return self.site.preparations

    @property
    def device(self) -> str:
        """The device that models run on; of several graphics cards the first."""
        return next(iter(self.site.graphics), "cpu")

    def card_budgets(self) -> dict[str, int]:
        """Return how many bytes the models may take on each graphics card, by its device."""
        return self.site.card_budgets()

    def load_libraries(self) -> None:
        """Import the libraries for recognition first, so that their memory is not counted as that of a model."""
        for engine in self._table.stt:
            engine.load_library()

    def stt(self, language: Language | None, model: str | None = None) -> Sequence[Candidate[Transcriber]]:
        """List the candidates that recognise `language`: the wanted model, smaller ones, the bundled one.

        `language` is None where it is to be detected.

        Raises:
            ModelUnavailable: `model` is no name of a model.
        """
        engines = self._allowed(self._table.stt)
        return [one for engine in engines for one in engine.candidates(self.site, language, model)]

    def translation(
        self, source: Language, target: Language, model: str | None = None, engine: str = "", *, listening: bool = False
    ) -> Sequence[Candidate[Translator]]:
        """List the candidates that translate from `source` to `target`; those of `engine` first where it is named.

        `listening`: the sound is used, so that as the last resort an engine that translates sound may serve.

        Raises:
            LanguageError: no engine knows the pair.
            ModelUnavailable: `model` is no name of a model.
            UnknownModel: no engine goes by that name.
        """
        wanted = self._wanted(engine or self.settings.translation_engine, self._table.translation)
        ends = {"language_from": source, "language_to": target}
        unable = Message("{engine} does not translate {language_from} to {language_to} here.", engine=wanted, **ends)
        no_text_translator = Message("No text translator here knows {language_from} to {language_to}.", **ends)
        refusals = Refusals(
            wanted_cannot=self._missing_for(wanted, self._table.translation) or unable,
            nobody_can=Message("Nobody here translates {language_from} to {language_to}.", **ends),
            no_text_translator=selection.with_left_out(no_text_translator, self.left_out),
            left_out=self.left_out,
        )
        listings = self._translations(source, target, wanted, model, listening=listening)
        return selection.select(listings, wanted, refusals)

    def _translations(
        self, source: Language, target: Language, wanted: str, model: str | None, *, listening: bool
    ) -> list[Listing[Translator]]:
        """List what translates: single engines, routes over several engines, then those that translate sound."""
        found_routes = self._routes(source, target, wanted)
        along_routes = [
            Listing(frozenset(hop.engine for hop in route.hops), [self._route_candidate(route)])
            for route in found_routes
        ]
        alone: list[Listing[Translator]] = []
        of_sound: list[Listing[Translator]] = []
        for engine in self._translators(wanted):
            # An engine whose directions may be joined is listed by routes; where there are none, by its own candidates.
            if not engine.pairs(self.site) or not found_routes:
                candidates = engine.candidates(self.site, source, target, model)
                if not listening:
                    candidates = [selection.without_sound(one) for one in candidates]
                listing = Listing(frozenset({engine.info.name}), candidates)
                (of_sound if engine.info.listens else alone).append(listing)
        absent = self._absent_from_set_up(source, target)
        return selection.wanted_first([*alone, *absent, *along_routes, *of_sound], wanted)

    def _absent_from_set_up(self, source: Language, target: Language) -> list[Listing[Translator]]:
        """List candidates that would translate better, whose models set-up has not installed; `obstacle` says so."""
        absent = {
            Hop(engine.info.name, *pair): (engine, why)
            for engine in self._allowed(self._table.translation)
            for pair, why in engine.absent(self.site).items()
        }
        missing = translation_routes.worth_fetching(self.hops(), absent, source.code, target.code) if absent else ()
        return [Listing(frozenset({hop.engine}), [self._refused(hop, *absent[hop])]) for hop in missing]

    def _refused(self, hop: Hop, engine: TranslationEngine, why: str) -> Candidate[Translator]:
        return replace(engine.candidates(self.site, *hop.ends)[0], unfit=None, obstacle=lambda: why)

    def advice(self, taken: Sequence[Hop]) -> str:
        """Return a sentence on models that could be fetched for a better translation than the route taken."""
        if not taken or not set(taken) <= self.hops():
            return ""  # a single engine was taken: no route is better
        source, target = taken[0].source, taken[-1].target
        there = _hops(self._allowed(self._table.translation), self.site, fetchable=True)
        missing = translation_routes.worth_fetching(self.hops(), there, source, target)
        return translation_routes.advice(missing)

    def remedy(self, source: Language, target: Language) -> str:
        """Return a sentence on models by which a pair would be translated that nobody here translates."""
        there = _hops(self._allowed(self._table.translation), self.site, fetchable=True)
        missing = translation_routes.worth_fetching(self.hops(), there, source.code, target.code)
        return translation_routes.remedy(missing)

    def remedy_for_hearing(self) -> str:
        """Return a sentence on models that set-up should have put here, where none is here that hears."""
        absent = (engine.absent() for engine in self._allowed(self._table.stt))
        return next(filter(None, absent), "")

    def hops(self) -> set[Hop]:
        """Return the directions of engines here that may be joined to routes."""
        return _hops(self._allowed(self._table.translation), self.site, fetchable=False)

    def _routes(self, source: Language, target: Language, wanted: str) -> list[Route]:
        """Return the best routes; first those that use the requested engine only."""
        hops = self.hops()
        found = translation_routes.find(hops, source.code, target.code)
        if wanted != AUTO:
            own = [hop for hop in hops if hop.engine == wanted]
            found = list(dict.fromkeys([*translation_routes.find(own, source.code, target.code), *found]))
        return found[:_ROUTES]

    def _route_candidate(self, route: Route) -> Candidate[Translator]:
        """Return the candidate for a route: each hop by its engine's first candidate."""
        engines = {engine.info.name: engine for engine in self._table.translation}
        steps = [engines[hop.engine].candidates(self.site, *hop.ends)[0] for hop in route.hops]
        whole = steps[-1]
        for step in reversed(steps[:-1]):
            whole = step.followed(whole)
        return whole

    def other_translations(self, taken: Sequence[Hop]) -> list[Candidate[Translator]]:
        """List routes beside the one taken, best first, that are here, take little memory and are nearly as good."""
        if not taken or not set(taken) <= self.hops():
            return []  # what a single engine has made is not measured against any route
        routes = translation_routes.others(self.hops(), tuple(taken))[:_OTHERS]
        return [candidate for candidate in map(self._route_candidate, routes) if _is_at_hand(candidate)]

    def tts(self, language: Language, voice: str = "", engine: str = "") -> Sequence[Candidate[Synthesizer]]:
        """List the candidates that speak `language`; the named voice or engine first.

        Raises:
            LanguageError: the voice speaks another language, or no engine knows it.
            UnknownModel: there is no such voice or engine.
            InputError: the voice is another engine's.
        """
        wanted = self._wanted(engine or self.settings.tts_engine, self._table.tts)
        named = self._checked_voice(voice, language) if voice else None
        if named:
            if engine not in ("", AUTO, named.engine):
                raise InputError(
                    "The voice {voice} is one of {own}, not of {other}: name only one of them.",
                    voice=voice,
                    own=named.engine,
                    other=engine,
                )
            wanted = named.engine
        listings = [
            Listing(
                frozenset({one.info.name}),
                one.candidates(self.site, language, voice if named and one.info.name == wanted else None),
            )
            for one in self._allowed(self._table.tts)
        ]
        unable = Message("{engine} does not speak {language} here.", engine=wanted, language=language)
        refusals = Refusals(
            wanted_cannot=self._missing_for(wanted, self._table.tts) or unable,
            nobody_can=Message("Nobody here speaks {language}.", language=language),
            left_out=self.left_out,
        )
        return selection.select(selection.wanted_first(listings, wanted), wanted, refusals)

    def diarization(self) -> Sequence[Candidate[VoiceEmbedder]]:
        """List what could tell speakers apart, best first; nothing, where the settings leave it out."""
        return [one for engine in self._allowed(self._table.diarization) for one in engine.candidates(self.site)]

    def overlaps(self) -> Sequence[Candidate[OverlapFinder]]:
        """List what could hear where two speak at once, best first; nothing, where the settings leave it out."""
        return [one for engine in self._allowed(self._table.overlaps) for one in engine.candidates(self.site)]

    def separation(self) -> Sequence[Candidate[VoiceRemover]]:
        """List what could take voices out of sound, best first.

        Raises:
            ModelUnavailable: nothing could; the sentence says what to do.
        """
        engines = self._allowed(self._table.separation)
        found = [one for engine in engines for one in engine.candidates(self.site)]
        if found:
            return found
        lacks = (engine.lack(self.site) for engine in engines)
        raise ModelUnavailable(next(filter(None, lacks), None) or "Nothing here takes voices out of sound.")

    def voices(self) -> tuple[Voice, ...]:
        """List all voices that may be chosen here."""
        return tuple(voice for engine in self._allowed(self._table.tts) for voice in engine.voices(self.site))

    def voice(self, wanted: str, language: Language | None = None) -> Voice:
        """Return the voice of an id. The error for an unknown one names voices for `language`.

        Raises:
            UnknownModel: there is no such voice.
        """
        listed = self.voices()
        found = next((voice for voice in listed if voice.id == wanted), None)
        if found is None:
            known = {voice.id.casefold(): voice.id for voice in listed}
            own = [voice.id for voice in listed if voice.language == language]
            alike = difflib.get_close_matches(wanted[:_LONGEST_SHOWN].casefold(), known, _NEAR)
            near = [known[one] for one in alike] or own[:_NEAR]
            told = Message("Near are: {near}.", near=", ".join(near)) if near else Message("See the list of voices.")
            unknown = Message("No voice goes by the name {voice} here.", voice=_shown(wanted))
            raise UnknownModel(joined(unknown, told))
        return found

    def check_translation_engine(self, wanted: str) -> None:
        """Raise where no usable engine has this name; for requests whose languages are not known yet.

        Raises:
            UnknownModel: none does.
        """
        self._wanted(wanted or AUTO, self._table.translation)

    def named(self, name: str) -> Sequence[Candidate[Any]]:
        """List the candidates for a name from outside; paths and hub ids only where the settings have them.

        Raises:
            UnknownModel: it is in neither the engines' tables nor the settings.
        """
        engines = list(self._all())
        for engine in engines:
            if found := engine.named(self.site, name):
                return found
        known = ", ".join(name for engine in engines for name in engine.names(self.site))
        raise UnknownModel("No model goes by the name {name} here. Known are: {known}.", name=_shown(name), known=known)

    def known_names(self) -> Iterator[str]:
        """Yield every name that `named` knows, but for those that say where a folder lies on this machine."""
        for engine in self._all():
            yield from (name for name in engine.known(self.site) if not sources.is_path(name))

    def kept_models(self) -> Iterator[tuple[str, Candidate[Any]]]:
        """Yield the models that may be on this machine, each with its name; of a folder that is the one in reports."""
        for engine in self._all():
            for name in engine.kept(self.site):
                for candidate in engine.named(self.site, name)[:1]:
                    yield (candidate.spec.name if sources.is_path(name) else name), candidate

    def default_candidates(self) -> Mapping[str, Callable[[], Sequence[Candidate[Any]]]]:
        """Return for each stage what lists its candidates for a default request; what it raises says why none can."""
        return {
            "stt": lambda: self.stt(None),
            "translation": lambda: self.translation(*self.usual_pair),
            "tts": lambda: self.preloaded_tts(self.settings.preload_languages[0]),
            "diarization": lambda: _some(self.diarization()),
            "overlap": lambda: _some(self.overlaps()),
            "separation": self.separation,
        }

    def wanted(self) -> list[Candidate[Any]]:
        """List the best model of each stage for a default request, whether or not it is here, but none of a server."""
        spoken = self.settings.preload_languages
        listening = self.stt(None)
        translating = [one for one in self.translation(*self.usual_pair) if not one.info.is_remote]
        return [listening[0], *translating[:1], *(self.preloaded_tts(named)[0] for named in spoken)]

    def preloaded_tts(self, named: str) -> Sequence[Candidate[Synthesizer]]:
        """List the candidates that speak a language of the preload, which the settings name by code or name.

        Raises:
            LanguageError: there is no such language.
        """
        return self.tts(languages.get(named))

    def grades(self, *, reachable: bool) -> list[LanguageGrade]:
        """Return how good a dub from English into each language is here, now, the best first."""
        engines = {engine.name: engine for engine in self.engines}
        return language_grades.graded(self.offers(reachable=reachable), engines, self.hops(), languages.ENGLISH.code)

    @property
    def usual_pair(self) -> tuple[Language, Language]:
        """The source and target language of a default request.

        Raises:
            LanguageError: the settings name no language.
        """
        target = languages.get(self.settings.preload_languages[0])
        return languages.SPANISH if target == languages.ENGLISH else languages.ENGLISH, target

    def recognisers(self) -> tuple[str, ...]:
        """List the names of the recognition models that are here, each in place of the one of the settings."""
        named = {
            name: next(iter(engine.named(self.site, name)), None)
            for engine in self._allowed(self._table.stt)
            for name in engine.names(self.site)
        }
        return tuple(name for name, one in named.items() if one and self.site.can_be_had(one, reachable=False))

    def targets(self, *, reachable: bool) -> dict[str, frozenset[str]]:
        """Return into which languages texts are translated here, by the code of their own."""
        hops = self.hops()
        found = {source: translation_routes.reached(hops, source) for source in {hop.source for hop in hops}}
        for engine in self._translators(self.settings.translation_engine):
            if not engine.info.listens and not engine.pairs(self.site):
                sources, targets = engine.translated(self.site, reachable=reachable)
                for source in sources:
                    found.setdefault(source, set()).update(targets)
        return {source: frozenset(targets - {source}) for source, targets in found.items()}

    def offers(self, *, reachable: bool) -> tuple[Offer, ...]:
        """List every language with the engines that serve it here, now; `reachable` says whether the hub answers."""
        heard = [
            (engine.info.name, engine.heard(self.site, reachable=reachable))
            for engine in self._allowed(self._table.stt)
        ]
        ways = [
            (engine.info.name, engine.translated(self.site, reachable=reachable))
            for engine in self._translators(self.settings.translation_engine)
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
        engines = " and ".join(names)
        return Message("VT_LICENCES=commercial leaves out {engines}.", engines=engines) if names else None

    def missing(self) -> tuple[str, ...]:
        """Say, in a sentence each, for which stages there is no engine at all."""
        stages: tuple[Sequence[SttEngine | TranslationEngine | TtsEngine], ...] = (
            self._allowed(self._table.stt),
            [engine for engine in self._translators(self.settings.translation_engine) if not engine.info.listens],
            self._allowed(self._table.tts),
        )
        lacks = [[engine.lack(self.site) for engine in engines] for engines in stages]
        # The last engine of a stage is the easiest to install.
        return tuple(told[-1] for told in lacks if told and all(told) and told[-1])

    # Which engines, in which order.

    def _all(self) -> Iterator[AnyEngine]:
        yield from self._allowed(self._table.stt)
        yield from self._allowed(self._table.translation)
        yield from self._allowed(self._table.tts)
        yield from self._allowed(self._table.diarization)
        yield from self._allowed(self._table.overlaps)
        yield from self._allowed(self._table.separation)

    def _allowed(self, engines: Sequence[_D]) -> list[_D]:
        every = self.settings.licences == "any"
        return [engine for engine in engines if every or engine.info.commercial]

    def _translators(self, wanted: str) -> list[TranslationEngine]:
        """Return the engines that may serve who wants one of them, or "auto"; a server only where it is named."""
        engines = self._allowed(self._table.translation)
        return [engine for engine in engines if not engine.info.is_remote or engine.info.name == wanted]

    def _check(self, variable: str, wanted: str, engines: Sequence[_D]) -> None:
        """Raise where a variable names an engine that may not serve, or another machine that no setting describes."""
        try:
            self._wanted(wanted, engines)
        except UnknownModel as error:
            raise SettingsError("{variable}: {reason}", variable=variable, reason=error.message) from None
        remote = next((one for one in engines if one.info.name == wanted and one.info.is_remote), None)
        if remote and (lack := remote.lack(self.site)):
            raise SettingsError("{variable}={engine}: {reason}", variable=variable, engine=wanted, reason=lack)

    def _wanted(self, wanted: str, engines: Sequence[_D]) -> str:
        if refusal := _unknown(wanted, engines):
            raise UnknownModel(refusal)
        refused = [engine.info for engine in engines if engine.info.name == wanted and not engine.info.commercial]
        if refused and (left_out := self.left_out):
            raise UnknownModel("{engine} may not be used: {reason}", engine=wanted, reason=left_out)
        return wanted

    def _checked_voice(self, wanted: str, language: Language) -> Voice:
        """Return the named voice, after checking that it speaks the language."""
        found = self.voice(wanted, language)
        if found.language != language:
            own = [voice.id for voice in self.voices() if voice.language == language]
            listed = ", ".join(own[:_MOST_LISTED]) + ("" if len(own) <= _MOST_LISTED else " and others")
            raise LanguageError(
                "The voice {voice} speaks {language_spoken}, not {language_wanted}. Voices for "
                "{language_again}: {near}.",
                voice=wanted,
                language_spoken=found.language,
                language_wanted=language,
                language_again=language,
                near=listed or "none",
            )
        return found

    def _missing_for(self, wanted: str, engines: Sequence[_D]) -> str | None:
        """Say what has to be installed for the requested engine; None where nothing is missing."""
        return next((engine.lack(self.site) for engine in engines if engine.info.name == wanted), None)


def _some(candidates: Sequence[Candidate[Any]]) -> Sequence[Candidate[Any]]:
    """Return candidates, of which there have to be some.

    Raises:
        ModelUnavailable: there are none.
    """
    if not candidates:
        raise ModelUnavailable("The settings leave out all that could do this.")
    return candidates


def _is_at_hand(candidate: Candidate[Translator]) -> bool:
    """Tell whether nothing hinders a candidate, and all its models are small."""
    return not any(
        part.unfit or part.obstacle() or part.downloads or part.spec.estimated_bytes > _LIGHT_BYTES
        for part in candidate.parts
    )


def _hops(engines: Iterable[TranslationEngine], site: Site, *, fetchable: bool) -> set[Hop]:
    """Return the directions that engines here translate; with `fetchable` those whose models could be fetched."""
    ways = ((engine.info.name, engine.fetchable(site) if fetchable else engine.pairs(site)) for engine in engines)
    return {Hop(name, *pair) for name, pairs in ways for pair in pairs}


def _unknown(wanted: str, engines: Sequence[AnyEngine]) -> str | None:
    names = [engine.info.name for engine in engines]
    if wanted == AUTO or wanted in names:
        return None
    return f"no engine goes by the name {_shown(wanted)}: use {', '.join([AUTO, *names])}."


def _shown(name: str) -> str:
    return repr(name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}...")
