"""Firefox Translations: small neural models, one a direction, all of them to or from English, on fxtranslate."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vt import languages
from vt.domain import Cancel
from vt.engines.candidate import Candidate
from vt.engines.definition import Site, TranslationEngine
from vt.engines.firefox_vocabulary import UNKNOWN, Source, Tokens
from vt.engines.model_spec import ModelSpec
from vt.engines.protocols import EngineInfo, Translator
from vt.engines.translation_routes import Hop
from vt.errors import EngineError, LanguageError, ModelUnavailable, ToolError
from vt.languages import Language
from vt.model_files import bundle, sources
from vt.model_files.sources import Weights
from vt.system import atomic_dirs, folders, machine, python_child, sandbox, tracing
from vt.system.atomic_dirs import Tell
from vt.system.processes import run
from vt.system.sandbox import MB, ChildLimits
from vt.text.splitting import has_words, joined, pieces
from vt.translatable import Message

if TYPE_CHECKING:
    from fxtranslate import Translator as Library

INFO = EngineInfo(
    name="firefox",
    kind="translation",
    licence="MPL-2.0",
    source="https://github.com/mozilla/translations",
    needs="the bundled model, or a download of 20 to 60 MB for each direction",
)
"""The licence is that of the library and of Mozilla's repositories of models; the model files themselves name none."""
HUB = "en"
"""Every model leads to or from this language."""
PUBLISHED = frozenset({
    "bg", "ca", "cs", "de", "el", "es", "et", "fi", "fr", "hu", "it", "lt", "nl", "pl", "pt", "ru", "sl", "tr", "uk",
})  # fmt: skip
"""Languages (codes of ours) that Mozilla has models for in both directions: what may be worth a fetch.

Source: https://github.com/mozilla/firefox-translations-models, README; there are more by now.
"""
LONGEST = 80
"""Tokens of one input. From about 100 on the models leave things out or go round in circles, as tried."""
_LARGEST_FILE = 512 * MB
_SMALLEST_MODEL = MB
_NEEDED_BYTES = 300 * MB
"""Of the disk, while a model is fetched: twice the largest, packed and unpacked."""
_FETCH_LIMITS = ChildLimits(3600, 600, memory=4096 * MB, file_bytes=_LARGEST_FILE)
_NETWORK = (
    "FXTRANSLATE_RECORDS_URL", "XDG_CACHE_HOME", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY",
    "http_proxy", "NO_PROXY", "no_proxy",
)  # fmt: skip
"""Variables that the library reads as it downloads."""
_NONE = b"none"
_THEIR_NAMES = {"no": ("nb", "no"), "zh": ("zh-Hans", "zh")}
"""How Mozilla may call a language whose code here is another."""
_UNFINISHED = (".download", ".partial")
_MEMORY = {"model": 1.7, "vocab": 16.0, "lex": 1.0}
"""Bytes in memory at work for a byte of a file, as measured: embeddings are held twice, vocabularies unpacked twice."""


def files(folder: Path) -> dict[str, Path]:
    """Return the files of a model by what they are: model, vocab (or srcvocab and trgvocab), and lex where it is there.

    Of two of a kind the last by name is taken. The names are those under which Mozilla publishes them.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        kind = path.name.partition(".")[0]
        if kind in {"model", "vocab", "srcvocab", "trgvocab", "lex"} and path.suffix in {".bin", ".spm"}:
            found[kind] = path
    return found


def missing(folder: Path) -> str | None:
    """Say in a sentence what a folder lacks that is to hold the model of one direction; None where it is whole."""
    if not folder.is_dir():
        return Message("The folder {folder} of a Firefox model is not there.", folder=folder)
    if any(path.name.endswith(_UNFINISHED) for path in folder.iterdir()):
        return Message("The Firefox model in {folder} is half downloaded: fetch it again.", folder=folder)
    found = files(folder)
    vocabularies = "vocab" in found or {"srcvocab", "trgvocab"} <= found.keys()
    if "model" not in found or not vocabularies:
        lack = "no model.*.bin" if "model" not in found else "no vocab.*.spm"
        return Message("The folder {folder} holds no whole Firefox model: {lack} is there.", folder=folder, lack=lack)
    sizes = {kind: path.stat().st_size for kind, path in found.items()}
    if max(sizes.values()) > _LARGEST_FILE:
        return Message("A file in {folder} is larger than any Firefox model.", folder=folder)
    if sizes["model"] < _SMALLEST_MODEL or not min(sizes.values()):
        return Message("The Firefox model in {folder} is not whole: fetch it again.", folder=folder)
    return None


def estimated_bytes(folder: Path) -> int:
    """Return what the model in a folder will take in memory at work; 0 where there is none."""
    found = files(folder)
    if "model" not in found:
        return 0
    return round(sum(_MEMORY.get(kind, _MEMORY["vocab"] / 2) * path.stat().st_size for kind, path in found.items()))


_OWN = threading.local()
"""The library's translator, in the one thread that may touch it: elsewhere it panics, even on being freed."""


class Firefox:
    """A loaded model of one direction. The library holds Python's lock while it translates: more threads are no help.

    The same sentence always has the same translation.
    """

    def __init__(self, folder: Path, target: Language) -> None:
        """Load the model in a folder, which translates to the language `target`.

        Raises:
            ModelUnavailable: the folder holds no whole model, or it cannot be loaded.
        """
        if lack := missing(folder):
            raise ModelUnavailable(lack)
        self._script = target.flores.partition("_")[2]
        self._pool = ThreadPoolExecutor(1, "firefox")
        try:
            with _unavailable(folder):
                self._source = Source(_tokens_of(folder), LONGEST)
                self._pool.submit(_load, folder).result()
            machine.trim()  # the files have been read whole, and freed: their memory would stay with the process
        except BaseException:
            self._pool.shutdown()
            raise

    def translate(
        self, sentences: Sequence[str], cancel: Cancel, budgets: Sequence[float | None] | None = None
    ) -> Iterator[str]:
        """Yield a translation for each text, the only one there is. What holds no word comes back as it is.

        No input of the model holds two sentences, and none is longer than it can take.
        """
        del budgets
        for text in sentences:
            yield self._whole(text, cancel) if has_words(text) else text

    def _whole(self, text: str, cancel: Cancel) -> str:
        with tracing.span("translation", "piece", engine=INFO.name):
            return self._by_parts(text, cancel)

    def _by_parts(self, text: str, cancel: Cancel) -> str:
        done = []
        sound = text.encode("utf-8", "replace").decode()  # half a pair of surrogates is no text
        for part in pieces(" ".join(sound.split()), self._source.fits):
            cancel.check()
            done.append(self._source.translated(part, self._said) if has_words(part) else part)
        return joined(done, self._script)

    def _said(self, text: str) -> str:
        with _failing():
            # Where the model has nothing to say, the source is better than silence.
            return self._pool.submit(_translate, text).result().strip() or text

    def close(self) -> None:
        """Free the model, in the thread that made it."""
        self._pool.submit(_forget)
        self._pool.shutdown()


def _load(folder: Path) -> None:
    from fxtranslate import Translator

    found = {kind: path.read_bytes() for kind, path in files(folder).items()}
    source, target = found.get("vocab") or found["srcvocab"], found.get("vocab") or found["trgvocab"]
    # The shortlist of likely words makes it a fifth faster, and no worse by chrF.
    _OWN.translator = Translator(found["model"], source, target, found.get("lex"))


def _forget() -> None:
    del _OWN.translator


def _translate(text: str) -> str:
    translator: Library = _OWN.translator
    return translator.translate(text)


def _tokens_of(folder: Path) -> Tokens:
    from sentencepiece import SentencePieceProcessor

    found = files(folder)
    processor = SentencePieceProcessor(model_proto=(found.get("vocab") or found["srcvocab"]).read_bytes())
    unknown = processor.unk_id()
    return lambda text: [UNKNOWN if one == unknown else one for one in processor.encode(text)]


@contextmanager
def _unavailable(folder: Path) -> Iterator[None]:
    with _translated(
        lambda why: ModelUnavailable(
            "The Firefox model in {folder} cannot be loaded: {reason}", folder=folder, reason=why
        )
    ):
        yield


@contextmanager
def _failing() -> Iterator[None]:
    with _translated(lambda why: EngineError("Firefox's model failed while translating: {reason}", reason=why)):
        yield


@contextmanager
def _translated(told: Callable[[str], EngineError]) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the library is no Exception
        raise told(" ".join(str(error).split())[:300] or type(error).__name__) from error


# --- how it is found ---------------------------------------------------------------------------------------------


class FirefoxEngine(TranslationEngine):
    """How Firefox's models are found: bundled, or fetched by somebody into the data folder; one a direction."""

    info = INFO

    def lack(self, site: Site) -> str | None:
        """Say so where no model of any direction is here."""
        return None if _folders(site) else bundle.lack(f"firefox/{HUB}-pt")

    def pairs(self, site: Site) -> Collection[tuple[str, str]]:
        """Return the directions whose models are here."""
        return _folders(site)

    def absent(self, site: Site) -> Mapping[tuple[str, str], str]:
        """Return the bundled directions that are not here."""
        here = _folders(site)
        return {pair: bundle.lack(name) for name in _bundled() if (pair := _ends(name.rpartition("/")[2])) not in here}

    def fetchable(self, site: Site) -> Collection[tuple[str, str]]:
        """Return the directions that somebody could fetch; none where nothing may be downloaded."""
        if site.source.forbidden:
            return ()
        return {pair for other in PUBLISHED for pair in ((HUB, other), (other, HUB))}

    def candidates(
        self, site: Site, source: Language, target: Language, model: str | None = None
    ) -> Sequence[Candidate[Translator]]:
        """List the model of one direction; `model` is of no account."""
        del model
        here = _folders(site).get((source.code, target.code))
        return [_candidate(site, (source, target), here, None if here else _unfit(source, target))]

    def named(self, site: Site, name: str) -> Sequence[Candidate[Translator]]:
        """List the model of a direction that is named as in firefox:en-es; it is fetched where it is prepared.

        Raises:
            LanguageError: there is no such language, or neither is English.
        """
        engine, _, names = name.partition(":")
        if engine != INFO.name or "-" not in names:
            return ()
        source, _, target = names.partition("-")
        pair = languages.get(source), languages.get(target)
        _check(*pair)
        return [_candidate(site, pair, _folders(site).get((pair[0].code, pair[1].code)), None)]

    def names(self, site: Site) -> Sequence[str]:
        """List the pattern of the models' names."""
        del site
        return (f"{INFO.name}:{HUB}-es",)

    def known(self, site: Site) -> Sequence[str]:
        """List the directions whose models are here, and those that somebody could fetch."""
        return [f"{INFO.name}:{'-'.join(pair)}" for pair in sorted({*_folders(site), *self.fetchable(site)})]


def _folders(site: Site) -> dict[tuple[str, str], Path]:
    """Return the folders of all models that are here by what they translate from and to; fetched ones come first."""
    bundled = [place for name in _bundled() if (place := bundle.folder(name))]
    found: dict[tuple[str, str], Path] = {}
    for folder in (*bundled, *_fetched(site.settings.data_folder / "models" / INFO.name)):
        found[_ends(folder.name)] = folder
    return found


def _fetched(root: Path) -> list[Path]:
    """Return the folders of whole models below one; what somebody else's account keeps to itself is not here."""
    try:
        return [folder for folder in sorted(root.glob("*-*")) if missing(folder) is None]
    except OSError:
        return []


def _bundled() -> list[str]:
    return [name for name in bundle.MODELS if name.startswith(f"{INFO.name}/")]


def _ends(name: str) -> tuple[str, str]:
    source, _, target = name.partition("-")
    return source, target


def _loaded(folder: Path, target: Language) -> Firefox:
    if ours := bundle.at(folder):
        bundle.check(ours)
    return Firefox(folder, target)


def _unfit(source: Language, target: Language) -> str:
    return Message(
        "No model of Firefox's from {language_from} to {language_to} is here.", language_from=source, language_to=target
    )


def _candidate(
    site: Site, pair: tuple[Language, Language], here: Path | None, unfit: str | None
) -> Candidate[Translator]:
    """Return the candidate for one direction; `here` is the folder of its model, where there is one."""
    codes, forbidden = (pair[0].code, pair[1].code), site.source.forbidden
    name = "-".join(codes)
    folder = here or site.settings.data_folder / "models" / INFO.name / name
    files = Weights(
        f"{INFO.name}:{name}",
        lambda: None if missing(folder) else folder,
        obtain=lambda cancel: fetch(*pair, folder, site.preparations.told, cancel, forbidden),
        own=sources.built(folder),
    )
    spec: ModelSpec[Translator] = ModelSpec(
        key=site.key("translation", INFO.name, name, "cpu"),
        kind="translation",
        name=name,
        device="cpu",
        load=lambda: _loaded(folder, pair[1]),
        estimated_bytes=estimated_bytes(folder),
    )
    is_here = files.here() is not None
    return Candidate(
        INFO,
        spec,
        unfit=unfit,
        obstacle=lambda: None if is_here or not forbidden else _not_to_be_had(folder, forbidden),
        insists=True,
        prepare=None if is_here else site.shared(files, files.prepare),
        files=files,
        route=(Hop(INFO.name, *codes),),
    )


# --- fetching ----------------------------------------------------------------------------------------------------


def _not_to_be_had(folder: Path, forbidden: str) -> str:
    return Message("{lack} {reason}.", lack=missing(folder) or "", reason=forbidden)


def fetch(
    source: Language, target: Language, folder: Path, tell: Tell, cancel: Cancel, forbidden: str | None = None
) -> None:
    """Download the model of one direction into `folder`, unless it is there; only ever where somebody asks for it.

    The library's own discovery finds and verifies it; what lies in the library's own cache is taken from there. A
    child process does it, since a download in the library cannot be stopped. `folder` appears whole or not at all, and
    is made once, however many processes ask; a half one is made anew.

    Args:
        source: it or the target is English, as Mozilla has no other models.
        target: the other one.
        folder: of this direction alone.
        tell: is told what goes on.
        cancel: stops it.
        forbidden: why nothing may be downloaded, as half a sentence.

    Raises:
        LanguageError: there is no such model.
        ModelUnavailable: it cannot be downloaded.
        StorageError: the disk has no room.
        InputError: the folder around `folder` cannot be written.
        Cancelled: `cancel` was set; the child has been killed.
    """
    _check(source, target)
    ends = {"language_from": source, "language_to": target}
    name = Message("Firefox's model from {language_from} to {language_to}", **ends)
    if missing(folder) is None:
        tell(Message("Firefox's model from {language_from} to {language_to} is here already.", **ends))
        return
    if forbidden:
        raise ModelUnavailable("{name} is not here, and {forbidden}.", name=name, forbidden=forbidden)

    def make(half: Path) -> None:
        tell(Message("Downloading Firefox's model from {language_from} to {language_to}: 20 to 60 MB, once.", **ends))
        with folders.work_folder(folder.parent) as scratch:
            _download((source, target), name, scratch, cancel)
            for path in files(next(scratch.glob("*-*"))).values():
                path.rename(half / path.name)
        if lack := missing(half):
            raise ModelUnavailable("{name} did not arrive whole: {lack}", name=name, lack=lack)
        tell(Message("Firefox's model from {language_from} to {language_to} is here now.", **ends))

    atomic_dirs.build_dir_atomically(
        folder,
        make,
        is_complete=lambda made: missing(made) is None,
        needed_bytes=_NEEDED_BYTES,
        tell=tell,
        cancel=cancel,
    )


def _check(source: Language, target: Language) -> None:
    """Raise where neither language is English, or both are."""
    if (source.code == HUB) is (target.code == HUB):
        other = languages.SPANISH if source.code == HUB else source
        raise LanguageError(
            "Firefox's models lead to or from English only: fetch firefox:{code}-{hub} or firefox:{hub}-{code}.",
            code=other.code,
            hub=HUB,
        )


def _download(pair: tuple[Language, Language], name: str, scratch: Path, cancel: Cancel) -> None:
    given = {variable: os.environ[variable] for variable in _NETWORK if variable in os.environ}
    arguments = [pair[0].code, pair[1].code, str(scratch.absolute())]
    try:
        child = python_child.child(__name__, arguments, _FETCH_LIMITS, given)
        answer = run(child, cancel, box=sandbox.best(networked=True))
    except ToolError as error:
        raise ModelUnavailable(
            "{name} cannot be downloaded: {reason}", name=name, reason=python_child.reason(error)
        ) from error
    if answer.strip() == _NONE:
        raise LanguageError("{name} cannot be had: Mozilla publishes none.", name=name)


# --- in the child ------------------------------------------------------------------------------------------------


def _download_here(source: str, target: str, scratch: str) -> None:
    from fxtranslate import Cache, discovery

    # The library would go through a third language where there is no direct model; its list knows only direct ones.
    published = set(discovery.model_pairs(discovery.fetch_records_body()))
    wanted = [(one, other) for one in _names(source) for other in _names(target)]
    pair = next((names for names in wanted if names in published), None)
    if pair is None:
        sys.stdout.buffer.write(_NONE)
        return
    place = Path(scratch, "-".join(pair))
    place.mkdir()
    for name, _, path in Cache().pair_files(place.name):
        shutil.copyfile(path, place / name)
    discovery.add_models(*pair, cache_dir=scratch)


def _names(code: str) -> tuple[str, ...]:
    return _THEIR_NAMES.get(code, (code,))


def main(arguments: list[str]) -> int:
    """Download, in a process of its own; the last line on stderr says what went wrong."""
    return python_child.exit_code(lambda: _download_here(*arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
