"""MMS-TTS through transformers' VITS: one small model for each of a thousand languages (Pratap et al. 2023)."""

from __future__ import annotations

import functools
import json
import os
import sys
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vt import languages
from vt.domain import Cancel, Clip
from vt.engines.candidate import Candidate
from vt.engines.definition import Site, TtsEngine
from vt.engines.model_spec import ModelSpec
from vt.engines.protocols import EngineInfo, Synthesizer, Voice
from vt.errors import Cancelled, EngineError, ModelUnavailable
from vt.languages import Language
from vt.media import levels
from vt.model_files import download, sources
from vt.model_files.sources import Weights
from vt.system import machine, torch_library
from vt.system.turns import Turns
from vt.text.normalization import normalized
from vt.text.splitting import pieces
from vt.translatable import Message

if TYPE_CHECKING:
    from numpy.typing import NDArray

INFO = EngineInfo(
    name="mms",
    kind="tts",
    licence="CC-BY-NC-4.0",
    source="https://huggingface.co/facebook/mms-tts",
    is_dear=True,
    needs="a download of 145 MB for each language",
    remark="The voice is MMS-TTS's: its licence (CC-BY-NC-4.0) allows no commercial use.",
)
FILES = ("config.json", "vocab.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
"""What a voice consists of, beside its weights; the last two are not in every repository."""
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""One of them, the first where there is a choice."""
DOWNLOAD_BYTES = 145_000_000
"""About; the voices differ by their alphabets alone."""
_NEEDED = FILES[:3]
_LONGEST = 300
"""Characters spoken at once, 20 s or so: work and memory grow with them."""
_PAUSE_SECONDS = 0.2
"""Between the parts of a longer line."""
_BESIDE_WEIGHTS = 120 * 2**20
"""What speaking `_LONGEST` characters takes for the time being, as measured."""
_ROMANIZER = 60 * 2**20
_KERNELS = "32"
"""oneDNN compiles a kernel for each length of each layer, and 1024 of them are kept, twice: hundreds of megabytes after
a hundred lines, of which hardly two are equally long. So many serve the layers of one line that are alike."""
_ONE_AT_A_TIME = Turns(1, sys.maxsize, 1.0)
"""torch's random numbers and their seed are the process's, so all voices share this."""


def load_library() -> tuple[Any, Any]:
    """Load the libraries alone: their 300 MB belong to the process, and no unloading of a voice gives them back."""
    # Read when torch first computes: by oneDNN, and by what stands between the two. What somebody has set stays.
    for variable in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        os.environ.setdefault(variable, _KERNELS)
    torch_library.import_ahead()
    from transformers import VitsModel, VitsTokenizer, logging

    silencing: Any = logging  # its functions have no types

    # They would write bars and advice to stderr, which belongs to the commands.
    silencing.set_verbosity_error()
    silencing.disable_progress_bar()
    return VitsModel, VitsTokenizer


def check_whole(folder: str | Path) -> None:
    """See that a folder holds everything that a voice is loaded from.

    Raises:
        ModelUnavailable: it does not; the sentence names what is missing.
    """
    folder = Path(folder)
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if _weights(folder) is None:
        missing.append(" or ".join(WEIGHTS))
    if missing:
        raise ModelUnavailable(
            "The MMS voice in {folder} cannot be loaded: {missing} missing.",
            folder=folder,
            missing=" and ".join(missing),
        )


def estimated_bytes(folder: str | Path, device: str = "cpu") -> int:  # noqa: ARG001 (float32 on every device)
    """Return what the voice in a folder will take in memory, as far as its files tell; 0 where it has no weights."""
    weights = _weights(Path(folder))
    if weights is None:
        return 0
    romanizer = _ROMANIZER if _is_romanized(Path(folder)) else 0
    return weights.stat().st_size + _BESIDE_WEIGHTS + romanizer


def _weights(folder: Path) -> Path | None:
    return next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)


def _is_romanized(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / "tokenizer_config.json").read_bytes()).get("is_uroman"))
    except (OSError, ValueError, AttributeError):
        return False


class Mms:
    """One voice. One call at a time: the seed of its random numbers is the process's.

    The number of threads is the process's as well: torch has one for all models. It is set at every load, always
    to the same.
    """

    def __init__(
        self,
        folder: str | Path,
        language_code: str,
        threads: int,
        device: str = "cpu",
        seed: int = 0,
        bfloat16: bool = False,
    ) -> None:
        """Load a voice from a folder; nothing is ever looked for on the hub.

        Args:
            folder: with the files as they are on the hub.
            language_code: as in the table of languages (es, sw): how numbers and symbols are said.
            threads: of the processor.
            device: cpu or cuda.
            seed: of the voice's small variations; the same line sounds the same wherever it stands.
            bfloat16: have the decoder, where nearly all of the work is, compute in that; on a processor only.

        Raises:
            ModelUnavailable: the folder is not whole, or what it holds is no such voice.
        """
        check_whole(folder)
        self._language, self._seed, self._device = language_code, seed, device
        self._cancel = Cancel()
        try:
            self._tokenizer, self._model = _loaded(Path(folder), threads, device)
            if bfloat16 and device == "cpu":
                _halve(self._model.decoder)
            self._romanized = _romanizer() if self._tokenizer.is_uroman else _unchanged
        except ModelUnavailable:
            raise
        except Exception as error:  # the libraries raise whatever a broken file makes them stumble over
            reason = " ".join(str(error).split())[:300]
            raise ModelUnavailable(
                "The MMS voice in {folder} cannot be loaded: {reason}", folder=folder, reason=reason
            ) from error
        # transformers would build a romanizer anew, for two seconds, at every line.
        self._tokenizer.is_uroman = False
        self._alphabet: dict[str, int] = dict(self._tokenizer.encoder)
        self._pace = float(self._model.config.speaking_rate)
        self._rate = int(self._model.config.sampling_rate)
        for module in self._model.modules():
            module.register_forward_pre_hook(self._check_cancel)

    def speak(self, lines: Sequence[tuple[str, float]], cancel: Cancel) -> Iterator[Clip]:
        """Yield a clip for each (text, rate), in order, silence at both ends taken off.

        A line in which the voice finds no letter that it knows (emoji, a foreign script) is an empty clip.

        Raises:
            EngineError: the library failed.
        """
        for text, rate in lines:
            cancel.check()
            with _ONE_AT_A_TIME.one(1.0, cancel):
                spoken = [self._spoken(tokens, rate, cancel) for tokens in self._tokens(text)]
            yield Clip(_joined(spoken, round(_PAUSE_SECONDS * self._rate)), self._rate)

    def close(self) -> None:
        """Let go of the model; whoever closes it collects the garbage."""
        self._model = self._tokenizer = None
        self._romanized = _unchanged

    def _check_cancel(self, *_: object) -> None:
        # Before every layer: a long line takes some seconds, a layer a fraction of one.
        self._cancel.check()

    def _tokens(self, text: str) -> list[list[int]]:
        """Return the tokens of each part of a line, without the parts that leave nothing to say."""
        plain = self._romanized(_known(normalized(text, self._language), self._alphabet))
        parts = pieces(plain, lambda part: len(part) <= _LONGEST) if len(plain) > _LONGEST else [plain]
        prepared = [self._tokenizer.prepare_for_tokenization(part)[0] for part in parts]
        return [self._interspersed(part) for part in prepared if any(map(_is_said, part))]

    def _interspersed(self, prepared: str) -> list[int]:
        """Return the tokens of a part, with token 0 between and around them where the voice was trained so.

        MMS's padding token is the first letter of its alphabet. transformers takes that one out of the text as a
        special token, and leaves out the zeros beside it.
        """
        letters = [self._alphabet[char] for char in prepared if char in self._alphabet]
        if not self._tokenizer.add_blank:
            return letters
        tokens = [0] * (2 * len(letters) + 1)
        tokens[1::2] = letters
        return tokens

    def _spoken(self, tokens: list[int], rate: float, cancel: Cancel) -> NDArray[np.int16]:
        import torch

        self._cancel = cancel
        self._model.speaking_rate = self._pace * rate
        graphics = [self._device] if self._device != "cpu" else []
        try:
            with torch.inference_mode(), torch.random.fork_rng(graphics):
                torch.manual_seed(self._seed)
                wave = self._model(torch.tensor([tokens], device=self._device)).waveform[0].float().cpu().numpy()
        except Cancelled:
            raise
        except (RuntimeError, ValueError, IndexError) as error:
            raise EngineError(
                "The MMS voice failed at a line: {reason}", reason=" ".join(str(error).split())[:300]
            ) from error
        return levels.trimmed(levels.to_int16(wave), self._rate)


def _loaded(folder: Path, threads: int, device: str) -> tuple[Any, Any]:
    model_class, tokenizer_class = load_library()
    import torch

    torch.set_num_threads(threads)
    tokenizer = tokenizer_class.from_pretrained(folder, local_files_only=True)
    model, told = model_class.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=(folder / WEIGHTS[0]).is_file(),
        weights_only=True,
        dtype=torch.float32,
        output_loading_info=True,
    )
    lacking = [*told["missing_keys"], *told["mismatched_keys"]]
    # transformers fills the gaps with random numbers, and such a voice only hisses.
    if lacking:
        raise ModelUnavailable(
            "The MMS voice in {folder} cannot be loaded: its weights lack {count} parts.",
            folder=folder,
            count=len(lacking),
        )
    model.posterior_encoder = None  # a fifth of the weights, and for training only
    model = model.eval().to(device)
    if device == "cpu":
        _lay_out(model.decoder)
    return tokenizer, model


def _lay_out(decoder: Any) -> None:  # noqa: ANN401 (a module of torch)
    """Let the decoder compute with a moment's channels side by side in memory, as oneDNN's fastest code wants them.

    Measured: 1.3 times as fast, to within 2e-5 of the same samples. torch has this order for pictures only, so the
    sound is given to it as a picture of one line; what lies between the convolutions keeps the order.
    """
    import torch

    kinds = torch.nn.Conv1d, torch.nn.ConvTranspose1d
    found: list[Any] = [module for module in decoder.modules() if isinstance(module, kinds)]
    for module in found:
        weight = module.weight.detach().unsqueeze(2).contiguous(memory_format=torch.channels_last)
        module.weight = torch.nn.Parameter(weight, requires_grad=False)
        module.forward = functools.partial(_convolved, module)


def _halve(decoder: Any) -> None:  # noqa: ANN401 (a module of torch)
    """Let the decoder compute in bfloat16: where the processor knows that, 1.75 times as fast.

    What is left of the sound differs by a log-spectral distance of 1.3 dB, with weights made by hand.
    """
    import torch

    plain = decoder.forward

    def forward(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 (torch's tensors)
        with torch.autocast("cpu", torch.bfloat16):
            return plain(*arguments, **named)

    decoder.forward = forward


def _convolved(module: Any, wave: Any) -> Any:  # noqa: ANN401 (torch's)
    """Return what a convolution of `_lay_out` makes of shape (1, channels, length)."""
    from torch.nn import functional

    picture = wave.unsqueeze(2)
    padding = (0, module.padding[0])
    if module.transposed:
        return functional.conv_transpose2d(picture, module.weight, module.bias, (1, module.stride[0]), padding).squeeze(
            2
        )
    return functional.conv2d(picture, module.weight, module.bias, 1, padding, (1, module.dilation[0])).squeeze(2)


def _romanizer() -> Callable[[str], str]:
    """Return uroman's function, without a language, as MMS's voices were trained and are run by their makers."""
    from uroman import Uroman  # type: ignore[import-untyped]

    uroman = Uroman()

    def romanized(text: str) -> str:
        return text if text.isascii() else str(uroman.romanize_string(text))

    return romanized


def _unchanged(text: str) -> str:
    return text


def _known(text: str, alphabet: dict[str, int]) -> str:
    """Return the text with each letter that the alphabet lacks in the form that it has: composed, apart, or bare."""
    return "".join(_nearest(char, alphabet) for char in unicodedata.normalize("NFC", text))


def _nearest(char: str, alphabet: dict[str, int]) -> str:
    if char.isascii() or char in alphabet or char.lower() in alphabet:
        return char
    if char in "’‘ʼ`´":
        return "'"
    apart = unicodedata.normalize("NFD", char)
    known = "".join(part for part in apart if part in alphabet or part.lower() in alphabet)
    return known or char


def _is_said(char: str) -> bool:
    return unicodedata.category(char)[0] in "LMN"


def _joined(parts: list[NDArray[np.int16]], pause: int) -> NDArray[np.int16]:
    between = np.zeros(pause, np.int16)
    joined = [piece for part in parts if len(part) for piece in (between, part)]
    return np.concatenate(joined[1:]) if joined else np.empty(0, np.int16)


class MmsEngine(TtsEngine):
    """How MMS voices are found: one model a language, from the hub or in folders that the settings name."""

    info = INFO

    def lack(self, site: Site) -> str | None:
        """Say that there is no voice here, where it would have to be downloaded first."""
        if missing := site.missing(INFO, "hub"):
            return missing
        here = bool(self.spoken(site, reachable=False))
        return None if here else "No MMS voice is here yet: vt fetch downloads one."

    def voices(self, site: Site) -> Sequence[Voice]:
        """List one voice a language, as far as the settings allow a download or name folders that are there."""
        return [_voice(site, row) for row in languages.ALL if self._serves(site, row)]

    def candidates(self, site: Site, language: Language, voice: str | None = None) -> Sequence[Candidate[Synthesizer]]:
        """List the voice of a language on each device; none where nothing may be downloaded."""
        del voice
        if site.is_embedded and not _has_own_voices(site):
            return []
        return [_candidate(site, language, device) for device in site.devices("tts")]

    def spoken(self, site: Site, *, reachable: bool) -> Collection[str]:
        """Return the codes of the languages whose voices are here, or may be fetched."""
        rows = [row for row in languages.ALL if self._serves(site, row)]
        device = site.device("tts")
        return {row.code for row in rows if reachable or site.can_be_had(_candidate(site, row, device), reachable)}

    def named(self, site: Site, name: str) -> Sequence[Candidate[Synthesizer]]:
        """List the voice that the settings call by a name."""
        for row in languages.ALL:
            if row.mms and name == _wanted(site, row):
                return self.candidates(site, row)
        return ()

    def names(self, site: Site) -> Sequence[str]:
        """List the pattern of the voices' names."""
        return (site.settings.mms_model,)

    def known(self, site: Site) -> Sequence[str]:
        """List the voices of all languages."""
        return [_wanted(site, row) for row in languages.ALL if self._serves(site, row)]

    def kept(self, site: Site) -> Sequence[str]:
        """List the voices of which something is on this machine."""
        if _has_own_voices(site):
            return [name for name in self.known(site) if sources.is_folder(name)]
        begun = download.begun(site.source)
        return [name for name in self.known(site) if name in begun]

    def _serves(self, site: Site, row: Language) -> bool:
        return bool(row.mms) and (not site.is_embedded or _has_own_voices(site))


def _has_own_voices(site: Site) -> bool:
    """Tell whether the voices are in folders of this machine."""
    return sources.is_local(site.settings.mms_model.replace("{language}", "xxx"))


def _wanted(site: Site, row: Language) -> str:
    return site.settings.mms_model.replace("{language}", row.mms)


def _voice(site: Site, row: Language) -> Voice:
    return Voice(Path(_wanted(site, row)).name, row, row.name, "", INFO.name, INFO.licence)


def _files(site: Site, row: Language) -> Weights:
    wanted = _wanted(site, row)
    if sources.is_local(wanted):
        return sources.local(wanted, lambda folder: _no_voice(wanted, folder))
    ours = wanted == f"facebook/mms-tts-{row.mms}"
    name = Path(wanted).name if ours else sources.marked(wanted)
    return sources.of_hub(wanted, name, (*FILES, *WEIGHTS), site.source, site.preparations.told)


def _obstacle(site: Site, files: Weights, device: str) -> Callable[[], str | None]:
    other = site.obstacle(files, device)
    return lambda: site.missing(INFO, "hub") or other()


def _candidate(site: Site, row: Language, device: str) -> Candidate[Synthesizer]:
    files, threads = _files(site, row), site.settings.threads
    halved = site.settings.mms_precision == "bfloat16" and machine.has_bfloat16()
    folder = files.here()
    spec: ModelSpec[Synthesizer] = ModelSpec(
        key=site.key("tts", INFO.name, files.name, device),
        kind="tts",
        name=files.name,
        device=device,
        load=lambda: Mms(files.folder, row.code, threads, device, bfloat16=halved),
        estimated_bytes=(estimated_bytes(folder, device) if folder else 0) or DOWNLOAD_BYTES,
    )
    return Candidate(
        INFO,
        spec,
        unfit=None if row.mms else Message("{language} cannot be spoken by MMS: it has no voice for it.", language=row),
        obstacle=_obstacle(site, files, device),
        downloads=files.downloads,
        insists=True,
        prepare=site.shared(files, files.prepare) if files.obtain else None,
        files=files,
        download_bytes=DOWNLOAD_BYTES,
    )


def _no_voice(wanted: str, folder: Path) -> str | None:
    return None if folder.is_dir() else f"The folder {wanted} of the MMS voice is not there."
