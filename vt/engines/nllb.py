"""NLLB-200 through CTranslate2: translates between 200 languages, batched, in int8, without torch."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from vt import languages
from vt.domain import Cancel
from vt.engines import nllb_conversion
from vt.engines.candidate import Candidate
from vt.engines.definition import AUTO, Site, TranslationEngine
from vt.engines.model_spec import ModelSpec
from vt.engines.nllb_batches import LONGEST, batch_tokens, batches
from vt.engines.nllb_hypotheses import (
    SPACE,
    Hypothesis,
    chosen,
    hypothesis_count,
    is_runaway,
    most_tokens,
    shared_budget,
)
from vt.engines.protocols import EngineInfo, Translator
from vt.engines.translation_routes import Hop
from vt.errors import EngineError, LanguageError, ModelUnavailable
from vt.languages import Language
from vt.model_files import sources
from vt.model_files.sources import Weights
from vt.system import cuda, graphics, tracing
from vt.text.splitting import has_words, joined, pieces
from vt.translatable import Message

INFO = EngineInfo(
    name="nllb",
    kind="translation",
    licence="CC-BY-NC-4.0",
    source="https://huggingface.co/facebook/nllb-200-distilled-600M",
    remark="NLLB's weights are for non-commercial use only (CC-BY-NC-4.0).",
    heeds_lengths=True,
    needs="a download of 2.5 GB or more, converted once",
)
BEAM = 4
_COMPUTE = {"cpu": "int8", "cuda": "int8_float16"}
_AT_ONCE = 64
"""Lines that are sorted by length together; after these their translations are given out."""
_CODE = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}")
_PENALTIES = {"repetition_penalty": 1.2, "no_repeat_ngram_size": 3}
_BESIDE_WEIGHTS = 560 * 2**20
"""Tokenizer and vocabulary, and the working space of a batch, as measured."""


def memory_bytes(weights: int) -> int:
    """Return what a model with int8 weights of so many bytes takes in memory at work."""
    return weights + _BESIDE_WEIGHTS


def estimated_bytes(folder: Path) -> int:
    """Return what the converted model in a folder will take in memory at work; 0 where there is none."""
    weights = folder / "model.bin"
    return memory_bytes(weights.stat().st_size) if weights.is_file() else 0


Tokenizer = Callable[[str], list[str]]
"""Divides a text into the model's tokens."""


class Nllb:
    """A loaded model, one for all languages. `between` gives the translator of a pair."""

    def __init__(self, folder: Path, threads: int, device: str = "cpu", *, beam: int = BEAM) -> None:
        """Load the converted model in a folder.

        Raises:
            ModelUnavailable: the folder holds no whole model, or it cannot be loaded.
        """
        import ctranslate2

        if device != "cpu":
            cuda.load_cublas()
        with _unavailable(folder):
            self._tokenize = tokenizer(folder)
            self._codes = frozenset(token for token in _vocabulary(folder) if _CODE.fullmatch(token))
            self._model: Any = ctranslate2.Translator(
                str(folder),
                device=graphics.kind(device),
                device_index=graphics.index(device),
                compute_type=_COMPUTE[graphics.kind(device)],
                intra_threads=threads,
                inter_threads=1,
            )
        if not self._codes:
            raise ModelUnavailable(
                "The model in {folder} is no NLLB: its vocabulary has no FLORES-200 language codes.", folder=folder
            )
        self.beam = beam
        self._device, self._threads = device, threads
        self._weights = (folder / "model.bin").stat().st_size

    def between(self, source: str, target: str) -> Pair:
        """Return the translator from one FLORES-200 code to another, such as eng_Latn, spa_Latn.

        Raises:
            LanguageError: the model does not know one of them.
        """
        for code in (source, target):
            if code not in self._codes:
                raise LanguageError("The translation model does not know {code}.", code=_named(code))
        return Pair(self, source, target)

    def fits(self, text: str) -> bool:
        """Tell whether a text is short enough for one input."""
        return len(self._tokenize(text)) <= LONGEST

    def translated(
        self,
        texts: Sequence[str],
        source: str,
        target: str,
        budgets: Sequence[float | None],
        cancel: Cancel,
        most_tokens: int | None = None,
    ) -> list[str]:
        """Translate texts of one sentence each, none of them empty; `most_tokens` at once, None: by the memory."""
        tokens = [self._tokenize(text) for text in texts]
        result = list(texts)
        # A text in a script that the model has never seen would be turned into anything at all.
        known = [index for index, one in enumerate(tokens) if not {SPACE, _UNKNOWN}.issuperset(one)]
        card = graphics.cards().memory(self._device)
        most = most_tokens or batch_tokens(self._weights, self._threads, card, self.beam)
        for places in batches([len(tokens[index]) for index in known], most):
            cancel.check()
            batch = [known[place] for place in places]
            found = self._hypotheses(
                [tokens[index] for index in batch], source, target, hypothesis_count(budgets, self.beam)
            )
            for index, hypotheses in zip(batch, found, strict=True):
                sound = [one for one in hypotheses if not is_runaway(one.tokens, tokens[index])]
                if not sound:
                    cancel.check()
                    (sound,) = self._hypotheses([tokens[index]], source, target, 1, **_PENALTIES)
                # Where the model has nothing to say, the source is better than silence.
                result[index] = chosen(sound, budgets[index]).text or texts[index]
        return result

    def _hypotheses(
        self, batch: Sequence[list[str]], source: str, target: str, several: int, **penalties: float
    ) -> list[list[Hypothesis]]:
        with _failing(), tracing.span("translation", "piece", engine=INFO.name, texts=len(batch)):
            found = self._model.translate_batch(
                [[source, *tokens, "</s>"] for tokens in batch],
                target_prefix=[[target]] * len(batch),
                beam_size=self.beam,
                num_hypotheses=several,
                return_scores=True,
                disable_unk=True,
                max_decoding_length=max(most_tokens(tokens) for tokens in batch),
                **penalties,
            )
        return [
            [Hypothesis(self._plain(tokens), score) for tokens, score in zip(one.hypotheses, one.scores, strict=True)]
            for one in found
        ]

    def _plain(self, tokens: Iterable[str]) -> tuple[str, ...]:
        return tuple(token for token in tokens if token not in self._codes and token not in _CONTROLS)

    def close(self) -> None:
        """Free the weights."""
        self._model.unload_model()


class Pair:
    """Translates from one language to another with a model that belongs to somebody else."""

    def __init__(self, model: Nllb, source: str, target: str) -> None:
        self._model = model
        self.source = source
        self.target = target

    def translate(
        self, sentences: Sequence[str], cancel: Cancel, budgets: Sequence[float] | None = None
    ) -> Iterator[str]:
        """Yield one translation for each text, in order. What holds no word comes back as it is.

        No input of the model holds two sentences: it would drop the second. `budgets` are the numbers of characters
        that the translations should not exceed, where an almost as good one allows; None: any length.
        """
        wished: list[float | None] = [None] * len(sentences) if budgets is None else list(budgets)
        for start in range(0, len(sentences), _AT_ONCE):
            cancel.check()
            part = slice(start, start + _AT_ONCE)
            yield from self._translated_texts(sentences[part], wished[part], cancel)

    def _translated_texts(self, texts: Sequence[str], budgets: Sequence[float | None], cancel: Cancel) -> Iterator[str]:
        divided = [pieces(text, self._model.fits) if has_words(text) else [] for text in texts]
        spoken = [[part for part in parts if has_words(part)] for parts in divided]
        shares = [
            share for parts, budget in zip(spoken, budgets, strict=True) for share in shared_budget(parts, budget)
        ]
        flat = [part for parts in spoken for part in parts]
        answers = iter(self._model.translated(flat, self.source, self.target, shares, cancel))
        script = self.target.partition("_")[2]
        for text, parts in zip(texts, divided, strict=True):
            done = [next(answers) if has_words(part) else part for part in parts]
            yield joined(done, script) if parts else text

    def close(self) -> None:
        """Keep the model: it serves other pairs too, and who loaded it closes it."""


_UNKNOWN = "<unk>"
_CONTROLS = {"<s>", "</s>", "<pad>", _UNKNOWN, "<mask>"}


def _named(code: str) -> str:
    if known := languages.find(code):
        return f"{known.name} ({code})"
    return f'the language "{code}"' if code else "this language"


def tokenizer(folder: Path) -> Tokenizer:
    """Load the tokenizer of a converted model. No text gives it tokens of languages, nor that of the end.

    Sentencepiece's file is a quarter of the other's size, and loads faster.

    Raises:
        FileNotFoundError: the folder holds neither file.
    """
    model = folder / "sentencepiece.bpe.model"
    if model.is_file():
        from sentencepiece import SentencePieceProcessor

        processor = SentencePieceProcessor(model_file=str(model))
        return lambda text: _pieces(processor, text)
    import tokenizers

    if not (folder / "tokenizer.json").is_file():
        raise FileNotFoundError("sentencepiece.bpe.model (or tokenizer.json) missing")
    fast = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    fast.encode_special_tokens = True  # a "</s>" in a subtitle is no end of the text
    return lambda text: list(fast.encode(text, add_special_tokens=False).tokens)


def _pieces(processor: Any, text: str) -> list[str]:  # noqa: ANN401 (sentencepiece is loosely typed)
    unknown = processor.unk_id()
    pairs = zip(processor.encode(text, out_type=str), processor.encode(text), strict=True)
    return [_UNKNOWN if number == unknown else piece for piece, number in pairs]


def _vocabulary(folder: Path) -> list[str]:
    listed, worded = folder / "shared_vocabulary.json", folder / "shared_vocabulary.txt"
    if listed.is_file():
        return [str(token) for token in json.loads(listed.read_bytes())]
    if not worded.is_file():
        raise FileNotFoundError("shared_vocabulary.json missing")
    return worded.read_text(encoding="utf-8").split("\n")


@contextmanager
def _unavailable(folder: Path) -> Iterator[None]:
    try:
        if not (folder / "model.bin").is_file():
            raise FileNotFoundError("model.bin missing")  # noqa: TRY301 (one sentence for all of them)
        yield
    except Exception as error:  # tokenizers raises no narrower one
        reason = " ".join(str(error).split())[:300]
        raise ModelUnavailable(
            "The NLLB model in {folder} cannot be loaded: {reason}", folder=folder, reason=reason
        ) from error


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise EngineError("NLLB failed while translating: {reason}", reason=str(error)) from error


_LADDER = tuple(model for model in reversed(nllb_conversion.MODELS) if model.int8_bytes < 2_000_000_000)
"""What is tried where nobody names a model, the best first: at most 1.3B."""


class NllbEngine(TranslationEngine):
    """How NLLB is found: on the hub or in a folder, and converted here."""

    info = INFO

    def candidates(
        self, site: Site, source: Language, target: Language, model: str | None = None
    ) -> Sequence[Candidate[Translator]]:
        """List the wanted model, or those of the hub that fit any memory, on each device.

        Raises:
            ModelUnavailable: `model` is no name of a model.
        """
        wanted = model or site.settings.nllb_model
        if wanted != AUTO:
            named = [_files(site, wanted)]
        else:
            named = [] if site.is_embedded else [_files(site, known.source) for known in _LADDER]
        pair = source, target
        devices = site.devices("translation")
        return [_candidate(site, files, at, pair, wanted != AUTO) for files in named for at in devices]

    def translated(self, site: Site, *, reachable: bool) -> tuple[Collection[str], Collection[str]]:
        """Return the codes of all languages that NLLB knows, both ways, where any of its models can be had."""
        try:
            found = self.candidates(site, languages.ENGLISH, languages.SPANISH)
        except ModelUnavailable:
            found = []
        there = any(site.can_be_had(candidate, reachable) for candidate in found)
        known = {row.code for row in languages.ALL if row.flores and there}
        return known, known

    def lack(self, site: Site) -> str | None:
        """Say that there is no NLLB here, where it would have to be downloaded first."""
        here = bool(self.translated(site, reachable=False)[0])
        if not here and (missing := site.missing(INFO, "hub")):
            return missing
        return None if here else "No NLLB model is here yet: vt fetch downloads one."

    def named(self, site: Site, name: str) -> Sequence[Candidate[Translator]]:
        """List what stands in the table of models, or in the settings, by a name."""
        if name not in self.names(site):
            return ()
        return self.candidates(site, languages.ENGLISH, languages.SPANISH, name)

    def names(self, site: Site) -> Sequence[str]:
        """List the models of the table, and that of the settings."""
        return sorted({*(known.source for known in nllb_conversion.MODELS), site.settings.nllb_model} - {AUTO})


def _files(site: Site, wanted: str) -> Weights:
    """Return the converted files of a model that somebody named: a hub id or a folder."""
    known = wanted in {model.source for model in nllb_conversion.MODELS}
    if not sources.is_local(wanted):
        name = Path(wanted).name if known else sources.marked(wanted)
        hub = sources.of_hub(wanted, name, nllb_conversion.FILES, site.source, site.preparations.told)
        return replace(
            hub,
            here=lambda: _converted(site, name),
            obtain=lambda cancel: _convert(site, hub, cancel),
            own=sources.built(_place(site, name)) + hub.own,
        )
    if "/" not in wanted and not sources.is_folder(wanted):
        names = ", ".join(model.source for model in nllb_conversion.MODELS)
        raise ModelUnavailable(
            "The translation model {model} is not known: known are {known}, other hub ids and folders on this machine.",
            model=wanted,
            known=names,
        )
    files = sources.local(wanted, lambda folder: _no_checkpoint(wanted, folder))
    if nllb_conversion.is_converted(files.folder):
        return files
    converted = sources.built(_place(site, files.name))
    return replace(files, here=lambda: _converted(site, files.name) or files.folder, own=converted)


def _place(site: Site, name: str) -> Path:
    return site.settings.data_folder / "models" / name


def _converted(site: Site, name: str) -> Path | None:
    folder = _place(site, name)
    return folder if nllb_conversion.is_converted(folder) else None


def _convert(site: Site, checkpoint: Weights, cancel: Cancel) -> None:
    """Have a checkpoint converted, and downloaded first where it is not here."""
    checkpoint.prepare(cancel)
    target = _place(site, checkpoint.name)
    nllb_conversion.convert(checkpoint.folder, target, tell=site.preparations.told, cancel=cancel)


def _obstacle(site: Site, files: Weights, device: str) -> Callable[[], str | None]:
    """Return what gives a sentence where it cannot be had; only to convert a checkpoint takes libraries of an extra."""
    other = site.obstacle(files, device)
    return lambda: (None if _is_converted(files) else site.missing(INFO, "hub")) or other()


def _is_converted(files: Weights) -> bool:
    folder = files.here()
    return folder is not None and nllb_conversion.is_converted(folder)


def _candidate(
    site: Site, files: Weights, device: str, pair: tuple[Language, Language], insists: bool
) -> Candidate[Translator]:
    source, target = pair
    threads = site.settings.threads

    def prepare(cancel: Cancel) -> None:
        if files.obtain:
            files.prepare(cancel)
        elif not _is_converted(files):
            _convert(site, files, cancel)

    spec: ModelSpec[Nllb] = ModelSpec(
        key=site.key("translation", INFO.name, files.name, device),
        kind="translation",
        name=files.name,
        device=device,
        load=lambda: Nllb(files.folder, threads, device),
        estimated_bytes=_bytes(files),
    )
    return Candidate(
        INFO,
        spec,
        unfit=_untranslated(pair),
        obstacle=_obstacle(site, files, device),
        downloads=files.downloads,
        insists=insists,
        prepare=site.shared(files, prepare),
        files=files,
        download_bytes=_known(files.name, "download_bytes"),
        view=lambda model: model.between(source.flores, target.flores),
        route=(Hop(INFO.name, source.code, target.code),),
    )


def _bytes(files: Weights) -> int:
    if _is_converted(files):
        return estimated_bytes(files.folder)
    return memory_bytes(_known(files.name, "int8_bytes"))


def _known(name: str, column: str) -> int:
    """Return a number from the table of models; 0 for those that it does not have."""
    row = next((model for model in nllb_conversion.MODELS if Path(model.source).name == name), None)
    return int(getattr(row, column)) if row else 0


def _untranslated(pair: tuple[Language, Language]) -> str | None:
    unknown = next((row for row in pair if not row.flores), None)
    return Message("NLLB does not know {language}.", language=unknown) if unknown else None


def _no_checkpoint(wanted: str, folder: Path) -> str | None:
    """Say what a folder lacks that is to hold an NLLB, converted or not."""
    if not folder.is_dir():
        return Message("The folder {folder} of the NLLB model is not there.", folder=Path(wanted))
    lack = None if nllb_conversion.is_converted(folder) else nllb_conversion.missing(folder)
    if not lack:
        return None
    return Message("The NLLB model in {folder} cannot be used: {reason}.", folder=Path(wanted), reason=lack)
