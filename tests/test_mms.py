"""MMS: real loading and speaking, with tiny voices of random weights in the hub's own format."""

from __future__ import annotations

import gc
import json
import shutil
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny_voices import LATIN, tiny_vits
from vt.domain import Cancel, Clip
from vt.engines import mms
from vt.engines.mms import Mms
from vt.errors import Cancelled, ModelUnavailable

ROOT = Path(__file__).parent.parent
HANGUL_IN_LATIN = "nabcdefghijklmopqrstuvwyz '"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_vits(tmp_path_factory.mktemp("voice") / "mms-tts-spa")


@pytest.fixture(scope="module")
def voice(folder: Path) -> Iterator[Mms]:
    engine = Mms(folder, "es", threads=2)
    yield engine
    engine.close()


def said(engine: Mms, text: str, rate: float = 1.0) -> Clip:
    (clip,) = engine.speak([(text, rate)], Cancel())
    return clip


def model_of(engine: Mms) -> Any:  # noqa: ANN401 (transformers' VitsModel, which is loosely typed)
    """Return the model that speaks for an engine, as torch shows it to whoever watches its modules."""
    return watched(engine, "a")[0][0]


def tokens_of(engine: Mms, text: str) -> list[list[int]]:
    """Return the tokens of each part of a line, as the model gets them."""
    return [tokens.tolist()[0] for _, (tokens,) in watched(engine, text)]


def watched(engine: Mms, text: str) -> list[tuple[Any, tuple[Any, ...]]]:
    """Return the calls of the model that speaking a line takes: the model, and what it is given."""
    from torch.nn.modules.module import register_module_forward_pre_hook
    from transformers import VitsModel

    calls: list[tuple[Any, tuple[Any, ...]]] = []

    def watch(module: object, given: tuple[Any, ...]) -> None:
        if isinstance(module, VitsModel):
            calls.append((module, given))

    with register_module_forward_pre_hook(watch):
        said(engine, text)
    return calls


def test_importing_the_engine_loads_no_heavy_library() -> None:
    script = "import sys, vt.engines.mms\nprint({'torch', 'transformers', 'uroman', 'num2words'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"


@pytest.mark.soak
def test_loading_and_speaking_write_nothing(folder: Path) -> None:
    script = (
        "import sys\nfrom vt.domain import Cancel\nfrom vt.engines.mms import Mms\n"
        "print(len(next(Mms(sys.argv[1], 'es', 1).speak([('hola', 1.0)], Cancel())).samples) > 0)"
    )
    argv = [sys.executable, "-W", "error", "-c", script, str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_a_line_is_sound_at_the_native_rate_of_the_voice(voice: Mms) -> None:
    clip = said(voice, "¡Hola! ¿Qué tal estás?")
    assert clip.sample_rate == 16_000
    assert clip.samples.dtype == np.int16
    assert clip.seconds > 0.3
    assert np.abs(clip.samples).max() > 1000


def test_a_higher_rate_makes_a_shorter_line(voice: Mms) -> None:
    lengths = [said(voice, "una casa muy grande y muy vieja", rate).seconds for rate in (0.8, 1.0, 1.2, 1.5)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > 1.3 * lengths[-1]


def test_a_line_sounds_the_same_alone_and_in_the_middle_of_others(voice: Mms, folder: Path) -> None:
    lines = [("buenos días", 1.0), ("son 24 personas", 1.1), ("hasta luego", 0.9)]
    among = list(voice.speak(lines, Cancel()))[1]
    assert np.array_equal(among.samples, said(voice, *lines[1]).samples)
    assert np.array_equal(among.samples, said(Mms(folder, "es", threads=2), *lines[1]).samples)


def test_the_decoder_computes_what_transformers_computes(folder: Path, voice: Mms) -> None:
    import torch
    from transformers import VitsModel

    library: Any = VitsModel
    plain, ours = library.from_pretrained(folder).eval().decoder, model_of(voice).decoder
    latent = torch.randn(1, 16, 40, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        assert torch.allclose(plain(latent), ours(latent), atol=1e-4)


def test_in_bfloat16_the_same_is_said_a_little_less_exactly(folder: Path, voice: Mms) -> None:
    halved = Mms(folder, "es", threads=2, bfloat16=True)
    exact, rough = said(voice, "buenos días").samples, said(halved, "buenos días").samples
    count = min(len(exact), len(rough))
    assert abs(len(exact) - len(rough)) <= 0.05 * len(exact)
    assert not np.array_equal(exact[:count], rough[:count])
    assert np.corrcoef(exact[:count], rough[:count])[0, 1] > 0.9


def test_another_seed_makes_another_sound(voice: Mms, folder: Path) -> None:
    other = said(Mms(folder, "es", threads=2, seed=7), "buenos días")
    assert not np.array_equal(other.samples, said(voice, "buenos días").samples)


def test_two_threads_that_speak_at_once_do_not_disturb_each_other(folder: Path) -> None:
    voices = [Mms(folder, "es", threads=2) for _ in range(2)]
    lines = [(f"una línea {number}", 1.0) for number in range(12)]
    alone = [clip.samples for clip in voices[0].speak(lines, Cancel())]
    heard: dict[int, list[Clip]] = {}

    def speak(number: int) -> None:
        heard[number] = list(voices[number].speak(lines, Cancel()))

    threads = [threading.Thread(target=speak, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for clips in heard.values():
        assert all(np.array_equal(clip.samples, samples) for clip, samples in zip(clips, alone, strict=True))
    assert len(heard) == 2


def test_speaking_leaves_the_random_numbers_of_the_process_alone(voice: Mms) -> None:
    import torch

    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    said(voice, "hola")
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("text", ["", " ", "…?!", "😀🎉", "漢字かな", "مرحبا", "\n\t"])
def test_a_line_without_a_letter_that_the_voice_knows_is_an_empty_clip(voice: Mms, text: str) -> None:
    clip = said(voice, text)
    assert (len(clip.samples), clip.sample_rate) == (0, 16_000)


def test_every_line_gives_a_clip_in_order(voice: Mms) -> None:
    lines = [("uno", 1.0), ("😀", 1.0), ("", 1.0), ("dos", 1.0), ("<unk> <pad>", 1.0), ("kkk", 1.0)]
    sounding = [len(clip.samples) > 0 for clip in voice.speak(lines, Cancel())]
    assert sounding == [True, False, False, True, True, True]


def test_numbers_are_spoken_as_words_though_the_alphabet_has_no_digits(voice: Mms) -> None:
    assert np.array_equal(said(voice, "24").samples, said(voice, "veinticuatro").samples)


def test_capitals_accents_and_apostrophes_find_their_way_into_the_alphabet(voice: Mms) -> None:
    for text, plain in [("ÁNIMO", "ánimo"), ("a\u0301nimo", "ánimo"), ("l’àvia", "l'avia"), ("Ça", "ca")]:
        assert np.array_equal(said(voice, text).samples, said(voice, plain).samples)


def test_the_padding_letter_is_spoken_as_often_as_it_stands_there(voice: Mms) -> None:
    # transformers' own tokenizer loses the blanks between two of them, and around one at an end.
    assert LATIN[0] == "k"
    assert tokens_of(voice, "kk k") == [[0, 0, 0, 0, 0, LATIN.index(" "), 0, 0, 0]]


def test_a_long_line_is_spoken_in_parts_with_all_of_its_words(voice: Mms) -> None:
    sentence = "la casa vieja estaba junto al camino, cerca del molino y del puente de piedra"
    line = f"{sentence}. " * 7
    assert len(line) > 500
    parts = tokens_of(voice, line)
    assert max(map(len, parts)) <= 2 * 300 + 1
    spoken = [LATIN[token] for part in parts for token in part[1::2] if LATIN[token] != " "]
    assert "".join(spoken) == (sentence * 7).replace(",", "").replace(" ", "")
    assert said(voice, line).seconds > 5 * said(voice, sentence).seconds


@pytest.mark.soak
def test_a_long_line_without_spaces_is_spoken_too(voice: Mms) -> None:
    lengths = [len(part) // 2 for part in tokens_of(voice, "ab" * 1000)]
    assert max(lengths) <= 300
    assert sum(lengths) == 2000


def test_cancel_ends_the_work_between_two_lines(voice: Mms) -> None:
    cancel = Cancel()
    clips = voice.speak([("uno", 1.0), ("dos", 1.0)], cancel)
    next(clips)
    cancel.set()
    with pytest.raises(Cancelled):
        next(clips)


def test_cancel_ends_the_work_in_the_midst_of_a_line(folder: Path) -> None:
    engine, cancel = Mms(folder, "es", threads=2), Cancel()
    reached: list[str] = []

    def stop(*_: object) -> None:
        reached.append("decoder")
        cancel.set()

    decoder = model_of(engine).decoder
    for layer in (decoder.conv_pre, decoder.conv_post):
        layer.register_forward_hook(stop)
    with pytest.raises(Cancelled):
        next(engine.speak([("hola", 1.0)], cancel))
    assert reached == ["decoder"]
    assert said(engine, "hola").seconds > 0


def test_after_a_cancelled_line_another_job_can_speak(voice: Mms) -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        next(voice.speak([("uno", 1.0)], cancel))
    assert said(voice, "uno").seconds > 0


@pytest.mark.parametrize(
    "missing", ["config.json", "vocab.json", "tokenizer_config.json", "model.safetensors or pytorch_model.bin"]
)
def test_a_half_downloaded_folder_is_refused_by_the_name_of_what_is_missing(
    folder: Path, tmp_path: Path, missing: str
) -> None:
    half = Path(shutil.copytree(folder, tmp_path / "half"))
    (half / missing.split(maxsplit=1)[0]).unlink()
    for attempt in (lambda: mms.check_whole(half), lambda: Mms(half, "es", threads=1)):
        with pytest.raises(ModelUnavailable, match=missing):
            attempt()


def _cut(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])


def _broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def _lacking(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith("decoder.conv_pre")}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def _other_alphabet(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": 99}))


@pytest.mark.parametrize("damage", [_cut, _broken_config, _lacking, _other_alphabet])
def test_a_damaged_voice_is_unavailable_rather_than_hissing(
    folder: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    damaged = Path(shutil.copytree(folder, tmp_path / "damaged"))
    damage(damaged)
    with pytest.raises(ModelUnavailable, match="MMS voice"):
        Mms(damaged, "es", threads=1)


def test_weights_in_torchs_own_format_sound_the_same(voice: Mms, tmp_path: Path) -> None:
    as_bin = Mms(tiny_vits(tmp_path / "bin", as_bin=True), "es", threads=2)
    assert np.array_equal(said(as_bin, "hola").samples, said(voice, "hola").samples)


def test_weights_that_would_run_code_are_refused(folder: Path, tmp_path: Path) -> None:
    import torch

    evil = Path(shutil.copytree(folder, tmp_path / "evil"))
    (evil / "model.safetensors").unlink()
    torch.save({"weight": _Touch(tmp_path / "ran")}, evil / "pytorch_model.bin")
    with pytest.raises(ModelUnavailable):
        Mms(evil, "es", threads=1)
    assert not (tmp_path / "ran").exists()


class _Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.soak
def test_a_voice_that_wants_latin_letters_gets_them(tmp_path: Path) -> None:
    folder = tiny_vits(tmp_path / "kor", "kor", HANGUL_IN_LATIN, uroman=True)
    engine = Mms(folder, "ko", threads=2)
    assert np.array_equal(said(engine, "한국어").samples, said(engine, "hangugeo").samples)
    assert said(engine, "24").seconds > 0
    assert mms.estimated_bytes(folder) > mms.estimated_bytes(tiny_vits(tmp_path / "spa"))


def test_sound_that_is_no_number_is_silence(folder: Path) -> None:
    import torch

    engine = Mms(folder, "es", threads=1)
    torch.nn.init.constant_(model_of(engine).decoder.conv_post.weight, float("nan"))
    assert len(said(engine, "hola").samples) == 0


def test_the_memory_is_known_before_the_voice_is_loaded(folder: Path, tmp_path: Path) -> None:
    assert mms.estimated_bytes(folder) > (folder / "model.safetensors").stat().st_size
    assert mms.estimated_bytes(tmp_path) == 0


def test_closing_lets_go_of_the_model(folder: Path) -> None:
    engine = Mms(folder, "es", threads=1)
    model = weakref.ref(model_of(engine))
    engine.close()
    gc.collect()
    assert model() is None


def test_the_licence_of_the_weights_is_told() -> None:
    assert mms.INFO.licence == "CC-BY-NC-4.0"
    assert "commercial" in mms.INFO.remark
