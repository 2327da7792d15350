"""Checks what works on this machine: programs, engines, languages, memory; and says how to mend what does not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from vt import languages, media
from vt.engines import apertium, translation_routes, whisper
from vt.engines.candidate import Candidate
from vt.engines.translation_routes import Hop
from vt.errors import ToolMissing, VtError
from vt.jobs import database_place, recovery, store
from vt.languages import Language
from vt.model_files import bundle, hub
from vt.models.cache import ModelCache
from vt.models.catalogue import Catalogue
from vt.models.fallback import FallbackChain
from vt.settings import Settings
from vt.system import machine, processes, sandbox

_GIGABYTE = 1 << 30
_SCRIPTS = ("es", "ru", "ar", "hi", "ja")
"""Languages of the scripts that need fonts of different packages."""
Run = Callable[[list[str]], bytes]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    name: str
    works: bool
    told: str
    needed: bool = True
    """False where a dub is possible without it."""


@dataclass(frozen=True, slots=True)
class Served:
    """What can be done with one language here, now."""

    language: Language
    heard: bool
    from_english: str
    """The best route from English, such as pt (firefox) > es (apertium); empty where there is none."""
    into_english: str
    spoken: bool


def _run(argv: list[str]) -> bytes:
    return processes.run(processes.Child(argv, purpose="look what works"))


def examine(settings: Settings, run: Run = _run, obstacle: Callable[[], str | None] | None = None) -> Iterator[Finding]:
    """Check everything that a dub needs, and yield the findings."""
    for program, option in (("ffmpeg", "-version"), ("ffprobe", "-version"), ("espeak-ng", "--version")):
        yield _program(program, option, run)
    yield _rubberband(run)
    yield _burning()
    box = sandbox.best()
    yield Finding("sandbox", box.hides, f"{box.name}: {box.told}", needed=False)
    pairs = apertium.pairs()
    told = f"{len(pairs)} directions" if pairs else "no language pairs: install apertium-eng-spa or others"
    yield Finding("apertium", bool(pairs and shutil.which("apertium")), told)
    yield _whisper()
    catalogue = Catalogue(settings)
    yield from _languages(catalogue.hops())
    asked = obstacle or hub.of(settings).obstacle
    yield _hub(settings, asked)
    yield from _stages(settings, catalogue, asked)
    yield from _licences(catalogue)
    yield _memory(settings)
    yield _jobs(settings.data_folder, database_place.database(settings))


def remedy(*, is_clone: bool = bundle.IS_CLONE) -> str:
    """Return the sentence on what brings everything that a dub needs."""
    if is_clone:
        return "./scripts/demo installs what a dub needs."
    return f"{bundle.COMMAND} brings the models; {bundle.ROOT.parent / 'packages.txt'} lists Debian's packages."


def served(hops: Collection[Hop]) -> list[Served]:
    """Return English, and the languages that `hops` (without NLLB) translate from or into English."""
    rows = [_served(row, hops) for row in languages.ALL]
    return [row for row in rows if row.from_english or row.into_english or row.language == languages.ENGLISH]


def _served(row: Language, hops: Collection[Hop]) -> Served:
    return Served(row, bool(row.whisper), _route(hops, "en", row.code), _route(hops, row.code, "en"), bool(row.espeak))


def _route(hops: Collection[Hop], source: str, target: str) -> str:
    found = translation_routes.find(hops, source, target)
    return str(found[0]).partition(" > ")[2] if found else ""


def _program(program: str, option: str, run: Run) -> Finding:
    try:
        said = run([program, option]).decode(errors="replace").splitlines()
    except VtError as error:
        return Finding(program, False, str(error))
    return Finding(program, True, said[0].split(" Copyright")[0] if said else "there")


def _rubberband(run: Run) -> Finding:
    try:
        there = b" rubberband " in run(["ffmpeg", "-hide_banner", "-filters"])
    except VtError:
        there = False
    return Finding("time-stretch", there, "rubberband" if there else "this ffmpeg was built without rubberband")


def _burning() -> Finding:
    """Tell whether subtitles can be drawn into the picture, and of which scripts the letters are missing."""
    found, missing = list[str](), list[str]()
    try:
        media.check_renderer()
        for language in languages.ALL:
            try:
                found += [media.font_for(language).family] if language.code in _SCRIPTS else []
            except ToolMissing as error:
                missing.append(str(error))
    except VtError as error:
        missing = [str(error)]
    told = " ".join(missing) or f"drawn with {', '.join(dict.fromkeys(found))}"
    return Finding("subtitles in the picture", not missing, told, needed=False)


def _whisper() -> Finding:
    sizes = whisper.bundled_sizes()
    if not sizes:
        return Finding("whisper", False, whisper.bundled_lack() or "")
    hears = "English only" if whisper.hears_english_only(sizes[0]) else "99 languages"
    return Finding("whisper", True, f"{' and '.join(sizes)}, bundled, hears {hears}")


def _languages(hops: Collection[Hop]) -> Iterator[Finding]:
    rows = [row for row in served(hops) if row.from_english]
    spoken = " ".join(row.language.code for row in rows if row.spoken)
    yield Finding("dubs from English into", bool(spoken), spoken or "no language")
    silent = " ".join(row.language.code for row in rows if not row.spoken)
    if silent:
        yield Finding("translated, not spoken", False, f"{silent}: no voice here, so no dub", needed=False)


def _hub(settings: Settings, obstacle: Callable[[], str | None]) -> Finding:
    """Tell whether models can be downloaded."""
    there = obstacle()
    token = "with a token" if settings.token else "no token set"
    return Finding("hub", there is None, f"{there or 'it answers'}; {token}", needed=False)


def _stages(settings: Settings, catalogue: Catalogue, obstacle: Callable[[], str | None]) -> Iterator[Finding]:
    """Tell which engine serves each stage of a default request, and which better one could not be used."""
    cache = ModelCache(machine.model_budget(settings.cache_budget_mb))
    chain = FallbackChain(cache, obstacle, fallback=settings.fallback)
    spoken, (source, target) = settings.preload_languages, catalogue.usual_pair
    wishes: list[tuple[str, Callable[[], Sequence[Candidate[Any]]]]] = [
        ("hears", lambda: catalogue.stt(None)),
        (f"translates {source.code} to {target.code}", lambda: catalogue.translation(source, target)),
        *((f"speaks {code}", lambda code=code: catalogue.preloaded_tts(code)) for code in spoken),
    ]
    for name, candidates in wishes:
        yield _stage(name, candidates, chain, settings.hub_endpoint)


def _licences(catalogue: Catalogue) -> Iterator[Finding]:
    """Tell which engines are left out because of their licences."""
    if told := catalogue.left_out:
        yield Finding("licences", True, told, needed=False)


def _stage(
    name: str, candidates: Callable[[], Sequence[Candidate[Any]]], chain: FallbackChain, endpoint: str
) -> Finding:
    try:
        listed = candidates()
        candidate, choice = chain.choose(listed, load=False)
    except VtError as error:
        return Finding(name, False, str(error), needed=False)
    told = f"{candidate.info.name} {candidate.spec.name} ({candidate.info.licence})"
    if candidate.downloads:
        told += f": not here yet, to be downloaded from {endpoint}{_size(candidate)}"
    elif choice.fallback_reason:
        told += f" stands in: {choice.fallback_reason}"
        if listed[0].downloads:
            told += f" Wanted is {listed[0].spec.name} ({listed[0].info.licence}{_size(listed[0])})."
    return Finding(name, choice.fallback_reason is None, told, needed=False)


def _size(candidate: Candidate[Any]) -> str:
    return f", about {candidate.download_bytes / 10**6:.0f} MB" if candidate.download_bytes else ""


def _jobs(data_folder: Path, database: Path) -> Finding:
    """Tell whether a server could read its jobs; nothing is made or changed."""
    told = store.damage(database) if database.is_file() else None
    told = told or recovery.kept_aside(data_folder)
    apart = "" if database.is_relative_to(data_folder.absolute()) else f", their database in {database.parent}"
    return Finding("jobs", told is None, told or f"kept in {data_folder}{apart}", needed=False)


def _memory(settings: Settings) -> Finding:
    limit, free = machine.memory_limit(), psutil.virtual_memory().available
    told = f"{min(free, limit) / _GIGABYTE:.1f} of {limit / _GIGABYTE:.1f} GB free, {settings.threads} threads"
    return Finding("memory", min(free, limit) > _GIGABYTE, told, needed=False)
