"""Tiny MMS voices of random weights in the hub's own file format: the real loading code runs on them in no time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LATIN = "ktheaoinsrldcumpgbvyfjqxzwáéíóúüñ' -"
"""An alphabet such as mms-tts-spa's: no digits, no capitals, the padding token a letter."""


def tiny_vits(
    folder: Path, language: str = "spa", vocabulary: str = LATIN, uroman: bool = False, as_bin: bool = False
) -> Path:
    """Write a voice as facebook/mms-tts-* have it, with weights in safetensors or a torch `.bin`; return its folder."""
    import torch
    from transformers import VitsConfig, VitsModel, logging

    silencing: Any = logging  # its functions have no types
    silencing.disable_progress_bar()
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    model = VitsModel(VitsConfig(vocab_size=len(vocabulary), **_SIZES))
    model.save_pretrained(folder)
    if as_bin:
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    write_tokenizer(folder, language, vocabulary, uroman)
    return folder


def write_tokenizer(folder: Path, language: str, vocabulary: str, uroman: bool = False) -> None:
    """Write a voice's files but its weights and config.json."""
    tokens = {"pad_token": vocabulary[0], "unk_token": "<unk>"}
    files = {
        "vocab.json": {char: number for number, char in enumerate(vocabulary)},
        "added_tokens.json": {"<unk>": len(vocabulary)},
        "special_tokens_map.json": tokens,
        "tokenizer_config.json": {
            "add_blank": True,
            "clean_up_tokenization_spaces": True,
            "is_uroman": uroman,
            "language": language,
            "model_max_length": int(1e30),
            "normalize": True,
            "phonemize": False,
            "tokenizer_class": "VitsTokenizer",
            **tokens,
        },
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=2), encoding="utf-8")


_SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "ffn_dim": 16,
    "flow_size": 16,
    "spectrogram_bins": 9,
    "upsample_initial_channel": 16,
    "upsample_rates": [8, 8, 2, 2],
    "upsample_kernel_sizes": [16, 16, 4, 4],
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1]],
    "duration_predictor_filter_channels": 16,
    "duration_predictor_num_flows": 2,
    "prior_encoder_num_flows": 2,
    "prior_encoder_num_wavenet_layers": 1,
    "posterior_encoder_num_wavenet_layers": 1,
}
