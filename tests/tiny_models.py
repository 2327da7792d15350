"""Tiny models in the real file formats, built in seconds without a network: an NLLB that copies, and a Whisper."""

from __future__ import annotations

import io
import json
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

FLORES = (
    "arb_Arab", "deu_Latn", "eng_Latn", "fra_Latn", "hin_Deva", "jpn_Jpan", "spa_Latn", "tha_Thai", "zho_Hans",
)  # fmt: skip
"""The languages that the tiny NLLB knows."""
LINES = (
    "Hello, how are you today? The ship sails at dawn, and Dr. Smith is late again.",
    "Hola, ¿cómo estás? Él llegó ayer por la mañana; ¡qué alegría!",
    "你好，世界。今天天气很好！我们走吧？こんにちは、元気ですか。はい、とても元気です。",
    "مرحبا بالعالم، كيف حالك؟ أنا بخير۔",
    "नमस्ते दुनिया। आप कैसे हैं? मैं ठीक हूँ।",
    "สวัสดีชาวโลก วันนี้อากาศดีมาก",
    "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0 1 2 3 4 5 6 7 8 9 . , ; : ! ? - ' \" ( )",
)
"""All that the tiny NLLB's tokenizer has read: a character that is not here is unknown to it."""
SAID = "The ship sails at dawn. Nobody knows where it goes."
"""What the tiny Whisper hears, whatever the sound."""
_HEARING_WIDTH = 64
_CLOCK = 16
"""Of the sines, and of the cosines, so many turn fast enough to tell neighbouring places apart and are looked at."""
_SPAN = 4
"""Of every so many frequencies, counted from the fastest, the first quarter is too fast to hold a token's pattern."""
_SHARPNESS = 8.0
_LOUDNESS = 12.0
_DEPTH = 2.5
"""Of a token's pattern, beside which the places are weak: so the layers' norms are nearly the same everywhere."""


@dataclass(frozen=True)
class Size:
    """How large a model is to be."""

    width: int = 128
    layers: int = 1
    heads: int = 1
    inner: int = 16
    vocabulary: int | None = None
    """Rows of the matrix of tokens; None: a few more than there are tokens, as in the true models."""


def tiny_nllb(
    folder: Path,
    *,
    weights: str = "safetensors",
    tokenizers: Iterable[str] = ("sentencepiece", "json"),
    size: Size = Size(),
) -> Path:
    """Write an NLLB that translates every sentence into itself, in the hub's format, and return its folder.

    Its attention looks at the place in the source where it stands itself, and its last layer says the token found
    there: nothing is learnt, so nothing is left to chance. `weights`: "safetensors" or "bin".
    """
    import torch
    from transformers import M2M100Config, M2M100ForConditionalGeneration

    tokenizer = _nllb_tokenizer(folder, set(tokenizers))
    config = M2M100Config(
        vocab_size=size.vocabulary or len(tokenizer) + 3,
        d_model=size.width,
        encoder_layers=size.layers,
        decoder_layers=size.layers,
        encoder_attention_heads=size.heads,
        decoder_attention_heads=size.heads,
        encoder_ffn_dim=size.inner,
        decoder_ffn_dim=size.inner,
        max_position_embeddings=1024,
        scale_embedding=False,
        decoder_start_token_id=2,
    )
    model = M2M100ForConditionalGeneration(config)
    with torch.no_grad():
        _teach_to_copy(model, len(tokenizer), size)
    if weights == "safetensors":
        model.save_pretrained(folder)
    else:
        model.config.save_pretrained(folder)
        model.generation_config.save_pretrained(folder)
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder


def _nllb_tokenizer(folder: Path, wanted: set[str]) -> Any:  # noqa: ANN401 (transformers' own types are loose)
    import sentencepiece
    from transformers import NllbTokenizer

    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES * 5),
        model_writer=written,
        model_type="bpe",
        vocab_size=400,
        character_coverage=1.0,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    with tempfile.TemporaryDirectory() as place:
        pieces = Path(place) / "sentencepiece.bpe.model"
        pieces.write_bytes(written.getvalue())
        tokenizer = NllbTokenizer.from_pretrained(place, extra_special_tokens=list(FLORES))
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer.save_pretrained(folder)
        if "sentencepiece" in wanted:
            shutil.copy(pieces, folder)
    if "json" not in wanted:
        (folder / "tokenizer.json").unlink()
    return tokenizer


def _teach_to_copy(model: Any, tokens: int, size: Size) -> None:  # noqa: ANN401
    """Set every weight by hand, so that the decoder says at each place what the encoder has read there."""
    import torch

    chance = torch.Generator().manual_seed(7)
    for parameter in model.parameters():
        if parameter.dim() > 1:  # next to nothing, but no zeros: the converter writes equal matrices once only
            parameter.normal_(std=1e-5, generator=chance)
    half = size.width // 2  # sines, then as many cosines, of falling frequency
    step = half // (_SPAN * _CLOCK)
    clock = torch.cat([torch.arange(_CLOCK) * step, torch.arange(_CLOCK) * step + half])
    slow = torch.zeros(size.width)
    slow[half // _SPAN : half - 2] = slow[half + half // _SPAN : -2] = 1.0
    model.model.shared.weight[:tokens] = _codes(tokens, slow)
    cross = model.model.decoder.layers[-1].encoder_attn
    for matrix in (cross.q_proj.weight, cross.k_proj.weight):
        matrix.zero_()
    for head in range(size.heads):
        rows = torch.arange(2 * _CLOCK) + head * size.width // size.heads
        for matrix in (cross.q_proj.weight, cross.k_proj.weight):
            matrix[rows, clock] = _SHARPNESS
            # A layer's norm takes a mean away that differs from place to place; the last sine, nearly 0, shows it.
            matrix[rows, half - 1] = -_SHARPNESS
    cross.v_proj.weight.copy_(torch.diag(slow))
    cross.out_proj.weight.copy_(torch.diag(slow * _LOUDNESS))


def _codes(tokens: int, slow: torch.Tensor) -> torch.Tensor:
    """Give each token a pattern of as many +1 as -1 in the slow half of the sines, and of the cosines."""
    import torch

    chance = torch.Generator().manual_seed(7)
    codes = torch.zeros(tokens, len(slow))
    for places in slow.nonzero().flatten().chunk(2):
        signs = torch.tensor([_DEPTH, -_DEPTH]).repeat(len(places) // 2)
        for row in codes:
            row[places] = signs[torch.randperm(len(places), generator=chance)]
    return codes


def tiny_whisper(folder: Path, *, multilingual: bool = True, language: str = "en", says: str = SAID) -> Path:
    """Write a Whisper in faster-whisper's format that hears the same in every window, and return its folder.

    At each place its decoder knows by heart what to say next, and first of all the language. The sound is listened to
    all the same, for the times of the words, which mean nothing.
    """
    import torch
    from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

    words = re.findall(r"\s?\w+|[^\w\s]", f" {says}")
    tokenizer = _whisper_tokenizer(words, multilingual)
    end = tokenizer.token_to_id("<|endoftext|>")
    config = WhisperConfig(
        vocab_size=51_865 if multilingual else 51_864,
        d_model=_HEARING_WIDTH,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        decoder_start_token_id=end + 1,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
    )
    torch.manual_seed(5)
    model = WhisperForConditionalGeneration(config)
    known = {code: tokenizer.token_to_id(f"<|{code}|>") for code in _languages()}
    about: Any = GenerationConfig  # transformers does not say what it takes
    model.generation_config = about(lang_to_id=known, suppress_tokens=[], begin_suppress_tokens=[])
    # What a recogniser begins with: start, language, task and "no times"; English-only ones have no second and third.
    prompt = [known[language], end, end] if multilingual else [end]
    said = [*prompt, *(tokenizer.token_to_id(_written(word)) for word in words)]
    with torch.no_grad():
        _teach_by_heart(model, said, end)
    _convert_whisper(model, tokenizer, folder)
    return folder


def _languages() -> tuple[str, ...]:
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    return tuple(LANGUAGES)[:99]  # the hundredth came with large-v3


def _written(word: str) -> str:
    """Write a word as a byte-level tokenizer does."""
    return word.replace(" ", "Ġ")


def _whisper_tokenizer(words: Iterable[str], multilingual: bool) -> Any:  # noqa: ANN401
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    known = sorted(pre_tokenizers.ByteLevel.alphabet())
    known += [word for word in dict.fromkeys(map(_written, words)) if word not in known]
    known += [f"Ġnothing{number}" for number in range(50_256 - len(known))]
    known += [""] * multilingual  # by which CTranslate2 tells the two kinds apart
    tokenizer = Tokenizer(models.BPE({word: number for number, word in enumerate(known)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    names = ["endoftext", "startoftranscript", *_languages(), "translate", "transcribe", "startoflm", "startofprev"]
    tokenizer.add_special_tokens([f"<|{name}|>" for name in (*names, "nospeech", "notimestamps")])
    return tokenizer


def _teach_by_heart(model: Any, said: list[int], end: int) -> None:  # noqa: ANN401
    import torch

    decoder = model.model.decoder
    for layer in decoder.layers:
        for last in (layer.self_attn.out_proj, layer.encoder_attn.out_proj, layer.fc2):
            last.weight.zero_()
            last.bias.zero_()
    tokens = sorted({*said, end})
    decoder.embed_tokens.weight.zero_()
    decoder.embed_tokens.weight[tokens] = _codes(len(tokens), torch.ones(_HEARING_WIDTH))
    places = torch.tensor(said + [end] * (decoder.embed_positions.weight.shape[0] - len(said)))
    decoder.embed_positions.weight.copy_(decoder.embed_tokens.weight[places] * 3)


def _convert_whisper(model: Any, tokenizer: Any, folder: Path) -> None:  # noqa: ANN401
    from ctranslate2.converters import TransformersConverter
    from transformers import PreTrainedTokenizerFast

    class Converter(TransformersConverter):  # type: ignore[misc] # ctranslate2 is untyped
        def load_tokenizer(self, *_: Any, **__: Any) -> Any:  # noqa: ANN401
            fast: Any = PreTrainedTokenizerFast
            return fast(tokenizer_object=tokenizer)

    with tempfile.TemporaryDirectory() as place:
        model.save_pretrained(place)
        Converter(place).convert(str(folder), quantization="int8", force=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    sound = {"feature_size": 80, "sampling_rate": 16_000, "hop_length": 160, "chunk_length": 30, "n_fft": 400}
    (folder / "preprocessor_config.json").write_text(json.dumps(sound), encoding="utf-8")
