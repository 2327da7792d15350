"""What could serve a request here, best first: it orders what stands in the table of engines, none known by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from vt import fetch, languages, machine, routes
from vt.engines import table
from vt.engines.base import Engine, EngineInfo, Synthesizer, Transcriber, Translator, Voice
from vt.engines.candidate import Candidate
from vt.engines.door import AUTO, Site, SttEngine, TranslationEngine, TtsEngine
from vt.engines.table import Table
from vt.errors import InputError, LanguageError, SettingsError, UnknownModel
from vt.languages import Language
from vt.messages import Message, joined
from vt.offer import Offer
from vt.preparations import Preparations
from vt.routes import Hop, Route
from vt.settings import Settings

_E = TypeVar("_E", bound=Engine)
_D = TypeVar("_D", SttEngine, TranslationEngine, TtsEngine)
_LONGEST_SHOWN = 80
_Named = list[tuple[set[str], Sequence[Candidate[Translator]]]]
_ROUTES = 4
"""So many ways of translating are tried; all are for the same languages, and what hinders two hinders most."""
_NEAR = 3
"""So many voices are named to somebody who named none that there is."""
_MOST_LISTED = 8
"""Of the voices for a language in a sentence."""


class Catalogue:
    """Lists the candidates of each stage."""

    def __init__(
        self,
        settings: Settings,
        gpus: Callable[[], int] = machine.gpus,
        source: fetch.Source | None = None,
        engines: Table = table.BUILT_IN,
    ) -> None:
        """`source`: where models come from and are kept, if not where the settings say.

        Raises:
            SettingsError: the settings name an engine that is not in the table, or that they leave out for its licence.
        """
        self.settings = settings
        self.site = Site(settings, source or fetch.of(settings), gpus)
        self._table = engines
        self._check("VT_TRANSLATION_ENGINE", settings.translation_engine, engines.translation)
        self._check("VT_TTS_ENGINE", settings.tts_engine, engines.tts)

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
        self, source: str, target: str, model: str | None = None, engine: str = "", *, listening: bool = False
    ) -> Sequence[Candidate[Translator]]:
        """List what could translate from `source` to `target`, that of `engine` first where one is named.

        `listening`: the film is heard, so that an engine that translates sound may serve as well, as the last resort.

        Raises:
            LanguageError: there is no such language.
            ModelUnavailable: `model` is no name of a model.
            UnknownModel: no engine goes by that name.
        """
        pair = languages.get(source), languages.get(target)
        wanted = self._wanted(engine or self.settings.translation_engine, self._table.translation)
        listed = self._translating(*pair, wanted, model, listening=listening)
        ends = {"language_from": pair[0], "language_to": pair[1]}
        unread = Message("No text translator here knows {language_from} to {language_to}.", **ends)
        unable = Message("{engine} does not translate {language_from} to {language_to} here.", engine=wanted, **ends)
        absent = self._unlisted(listed, wanted, self._table.translation, unable)
        found = self._told(_fit(listed, wanted, self._with_left_out(unread)), absent)
        return self._checked(found, Message("Nobody here translates {language_from} to {language_to}.", **ends))

    def _translating(
        self, source: Language, target: Language, wanted: str, model: str | None, *, listening: bool
    ) -> list[tuple[str, Sequence[Candidate[Translator]]]]:
        """List the engines that go alone, the routes of those that may be joined, and who translates sound."""
        ways = self._routes(source, target, wanted)
        joined: _Named = [({hop.engine for hop in route.hops}, [self._along(route)]) for route in ways]
        alone: _Named = []
        last: _Named = []
        for engine in self._allowed(self._table.translation):
            # Where no way leads there, the one that may be joined says so.
            if not engine.pairs(self.site) or not ways:
                found = engine.candidates(self.site, source, target, model)
                entry = {engine.info.name}, found if listening else [_deaf(one) for one in found]
                (last if engine.info.listens else alone).append(entry)
        joined = [*self._set_back(source, target), *joined]
        listed = sorted([*alone, *joined, *last], key=lambda named: _unlike(named[0], wanted))
        return [(wanted if wanted in names else "", candidates) for names, candidates in listed]

    def _set_back(self, source: Language, target: Language) -> _Named:
        """Return who would translate better had set-up put its models here, with a sentence on that."""
        absent = {
            Hop(engine.info.name, *pair): (engine, why)
            for engine in self._allowed(self._table.translation)
            for pair, why in engine.absent(self.site).items()
        }
        missing = routes.worth_fetching(self.hops(), absent, source.code, target.code) if absent else ()
        return [({hop.engine}, [self._refused(hop, *absent[hop])]) for hop in missing]

    def _refused(self, hop: Hop, engine: TranslationEngine, why: str) -> Candidate[Translator]:
        ends = languages.get(hop.source), languages.get(hop.target)
        return replace(engine.candidates(self.site, *ends)[0], unfit=None, obstacle=lambda: why)

    def advice(self, taken: Sequence[Hop]) -> str:
        """Say in a sentence what somebody could fetch for a better translation than by the route that was taken."""
        if not taken or not set(taken) <= self.hops():
            return ""  # by an engine that goes alone: none is better
        source, target = taken[0].source, taken[-1].target
        there = _hops(self._allowed(self._table.translation), self.site, fetchable=True)
        missing = routes.worth_fetching(self.hops(), there, source, target)
        return routes.advice(missing)

    def hops(self) -> set[Hop]:
        """Return the steps from language to language that may be joined here."""
        return _hops(self._allowed(self._table.translation), self.site, fetchable=False)

    def _routes(self, source: Language, target: Language, wanted: str) -> list[Route]:
        """Return some routes over the engines whose directions may be joined: the wanted one's first."""
        hops = self.hops()
        found = routes.find(hops, source.code, target.code)
        if wanted != AUTO:
            own = [hop for hop in hops if hop.engine == wanted]
            found = list(dict.fromkeys([*routes.find(own, source.code, target.code), *found]))
        return found[:_ROUTES]

    def _along(self, route: Route) -> Candidate[Translator]:
        """Return what goes a route, hop by hop, each by its engine's first candidate."""
        engines = {engine.info.name: engine for engine in self._table.translation}
        steps = [
            engines[hop.engine].candidates(self.site, languages.get(hop.source), languages.get(hop.target))[0]
            for hop in route.hops
        ]
        whole = steps[-1]
        for step in reversed(steps[:-1]):
            whole = step.followed(whole)
        return whole

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
                raise InputError(
                    "The voice {voice} is one of {own}, not of {other}: name only one of them.",
                    voice=voice,
                    own=named.engine,
                    other=engine,
                )
            wanted = named.engine
        listed = [
            (one.info.name, one.candidates(self.site, row, voice if named and one.info.name == wanted else None))
            for one in self._ordered(self._table.tts, wanted)
        ]
        unable = Message("{engine} does not speak {language} here.", engine=wanted, language=row)
        absent = self._unlisted(listed, wanted, self._table.tts, unable)
        return self._checked(
            self._told(_fit(listed, wanted), absent), Message("Nobody here speaks {language}.", language=row)
        )

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
            told = Message("Near are: {near}.", near=", ".join(near)) if near else Message("See the list of voices.")
            unknown = Message("No voice goes by the name {voice} here.", voice=_shown(wanted))
            raise UnknownModel(joined(unknown, told))
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
        raise UnknownModel("No model goes by the name {name} here. Known are: {known}.", name=_shown(name), known=known)

    def wanted(self) -> list[Candidate[Any]]:
        """List the best model of each stage for a default request, whether or not it is here."""
        spoken = self.settings.preload_languages
        listening, translating = self.stt(AUTO), self.translation(*self.usual_pair)
        return [listening[0], translating[0], *(self.tts(code)[0] for code in spoken)]

    @property
    def usual_pair(self) -> tuple[str, str]:
        """From which language to which a default request translates."""
        target = self.settings.preload_languages[0]
        return "es" if languages.get(target).code == "en" else "en", target

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
        engines = " and ".join(names)
        return Message("VT_LICENCES=commercial leaves out {engines}.", engines=engines) if names else None

    def _with_left_out(self, sentence: str) -> str:
        """Add to a refusal what the settings leave out, for that may be why."""
        return joined(sentence, self.left_out) if self.left_out else sentence

    def missing(self) -> tuple[str, ...]:
        """Say, in a sentence each, for which stages there is no engine at all."""
        stages: tuple[Sequence[SttEngine | TranslationEngine | TtsEngine], ...] = (
            self._allowed(self._table.stt),
            [engine for engine in self._allowed(self._table.translation) if not engine.info.listens],
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

    def _check(self, variable: str, wanted: str, engines: Sequence[_D]) -> None:
        """Raise where a variable names an engine that may not serve."""
        try:
            self._wanted(wanted, engines)
        except UnknownModel as error:
            raise SettingsError("{variable}: {reason}", variable=variable, reason=error.message) from None

    def _wanted(self, wanted: str, engines: Sequence[_D]) -> str:
        if refusal := _unknown(wanted, engines):
            raise UnknownModel(refusal)
        refused = [engine.info for engine in engines if engine.info.name == wanted and not engine.info.commercial]
        if refused and (left_out := self.left_out):
            raise UnknownModel("{engine} may not be used: {reason}", engine=wanted, reason=left_out)
        return wanted

    def _fitting(self, wanted: str, row: Language) -> Voice:
        """Return the voice that is named, which has to speak a language."""
        found = self.voice(wanted, row.code)
        if found.language != row.code:
            own = [voice.id for voice in self.voices() if voice.language == row.code]
            listed = ", ".join(own[:_MOST_LISTED]) + ("" if len(own) <= _MOST_LISTED else " and others")
            raise LanguageError(
                "The voice {voice} speaks {language_spoken}, not {language_wanted}. Voices for "
                "{language_again}: {near}.",
                voice=wanted,
                language_spoken=languages.get(found.language),
                language_wanted=row,
                language_again=row,
                near=listed or "none",
            )
        return found

    def _unlisted(
        self, listed: Sequence[tuple[str, Sequence[Candidate[_E]]]], wanted: str, engines: Sequence[_D], unable: str
    ) -> str:
        """Say why somebody who was asked for is not even listed; empty where they are, or nobody was asked for."""
        if wanted == AUTO or any(name == wanted and found for name, found in listed):
            return ""
        engine = next(engine for engine in engines if engine.info.name == wanted)
        return engine.lack(self.site) or unable

    def _told(self, found: Sequence[Candidate[_E]], absent: str) -> Sequence[Candidate[_E]]:
        """Put a refusal before what is found, where whoever was asked for is absent: none takes a place silently."""
        return [replace(found[0], unfit=absent), *found] if absent and found else found

    def _checked(self, found: Sequence[Candidate[_E]], nobody: str) -> Sequence[Candidate[_E]]:
        if not found:
            raise LanguageError(self._with_left_out(nobody))
        if all(candidate.unfit for candidate in found):
            last = replace(found[-1], unfit=self._with_left_out(found[-1].unfit or nobody))
            return [*found[:-1], last]
        return found


def _fit(listed: Iterable[tuple[str, Sequence[Candidate[_E]]]], wanted: str, unread: str = "") -> list[Candidate[_E]]:
    """Leave out who does not know the languages, but who was asked for, or, where nobody does, the last.

    Who translates sound is a last resort, before which `unread` says that no text is translated.
    """
    every = [(name, candidate) for name, candidates in listed for candidate in candidates]
    able = [candidate for name, candidate in every if not candidate.unfit or name == wanted]
    reading = [candidate for _, candidate in every if not candidate.info.listens]
    if not able:
        return (reading or [candidate for _, candidate in every])[-1:]
    first = next((candidate for candidate in able if not candidate.unfit), able[0])
    if reading and first.info.listens and first.info.name != wanted:
        return [replace(reading[-1], unfit=unread), *(candidate for candidate in able if candidate.info.listens)]
    return able


def _unlike(engines: set[str], wanted: str) -> int:
    """Tell how little engines are what was asked for: 0 where it does all of the work, 2 where it does none."""
    return (engines != {wanted}) + (wanted not in engines) if wanted != AUTO else 0


def _hops(engines: Iterable[TranslationEngine], site: Site, *, fetchable: bool) -> set[Hop]:
    """Return the hops that engines can do, or whose models may be fetched."""
    ways = ((engine.info.name, engine.fetchable(site) if fetchable else engine.pairs(site)) for engine in engines)
    return {Hop(name, *pair) for name, pairs in ways for pair in pairs}


def _deaf(candidate: Candidate[_E]) -> Candidate[_E]:
    """Say of who translates sound that there is none."""
    if not candidate.info.listens:
        return candidate
    unfit = Message("{engine} translates what it hears, and here nothing is heard.", engine=candidate.info.name)
    return replace(candidate, unfit=unfit)


def _unknown(wanted: str, engines: Sequence[SttEngine | TranslationEngine | TtsEngine]) -> str | None:
    names = [engine.info.name for engine in engines]
    if wanted == AUTO or wanted in names:
        return None
    return f"no engine goes by the name {_shown(wanted)}: use {', '.join([AUTO, *names])}."


def _shown(name: str) -> str:
    return repr(name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}...")
