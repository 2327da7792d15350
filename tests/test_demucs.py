"""Demucs in ONNX's format, by a tiny model of the same inputs and outputs: found, loaded, and run over any length."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests import tiny_onnx
from tests.tiny_demucs import tiny_demucs
from tests.tiny_onnx import FLOAT, Node
from vt.domain import Cancel
from vt.engines.demucs import Demucs, segments
from vt.errors import Cancelled, ModelUnavailable
from vt.factory import AIServiceFactory
from vt.settings import Settings

Sound = NDArray[np.float32]
SEGMENT = 8192


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_demucs(tmp_path_factory.mktemp("demucs") / "htdemucs.onnx", SEGMENT)


def sound(count: int) -> tuple[Sound, Sound]:
    """Return noise that is opposite on both sides, and the same with a voice in the middle."""
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (2, count)).astype(np.float32)
    sides = np.stack([noise[0], -noise[0]], axis=1)
    return sides, sides + noise[1][:, None]


@pytest.mark.parametrize("count", [1, 100, SEGMENT - 1, SEGMENT, SEGMENT + 1, 5 * SEGMENT + 77])
@pytest.mark.parametrize("piece", [1000, SEGMENT, 3 * SEGMENT])
def test_the_voice_goes_and_all_else_stays_whatever_the_length(model: Path, count: int, piece: int) -> None:
    sides, mixed = sound(count)
    pieces = (mixed[at : at + piece] for at in range(0, count, piece))
    found = np.concatenate(list(Demucs(model, 1).without_voices(pieces, Cancel())))
    assert found.shape == mixed.shape
    assert np.allclose(found, sides, atol=1e-5)


def test_no_sound_gives_no_sound(model: Path) -> None:
    assert list(Demucs(model, 1).without_voices([], Cancel())) == []


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), max_size=12), st.integers(8, 40))
def test_segments_cover_every_sample_and_finish_each_once(lengths: list[int], length: int) -> None:
    step = length - length // 4
    whole = np.arange(sum(lengths), dtype=np.float32)
    edges = np.cumsum([0, *lengths])
    pieces = (np.stack([whole[a:b]] * 2, axis=1) for a, b in pairwise(edges))
    found = list(segments(pieces, length, step))
    assert sum(count for _, count in found) == len(whole)
    for number, (segment, count) in enumerate(found):
        assert segment.shape == (length, 2)
        assert np.array_equal(segment[:count, 0], whole[number * step :][:count])


def test_an_open_length_and_two_more_parts_are_taken_too(tmp_path: Path) -> None:
    sides, mixed = sound(1000)
    model = Demucs(tiny_demucs(tmp_path / "model.onnx", "samples", parts=6), 1)
    (found,) = model.without_voices([mixed], Cancel())
    assert np.allclose(found, sides, atol=1e-5)


def test_it_stops_when_it_is_cancelled(model: Path) -> None:
    cancel = Cancel()
    going = Demucs(model, 1).without_voices([sound(10 * SEGMENT)[1]], cancel)
    next(going)
    cancel.set()
    with pytest.raises(Cancelled):
        next(going)
    assert cancel.hook_count == 0


def test_another_model_a_broken_file_and_none_are_told_apart(tmp_path: Path) -> None:
    other = tiny_onnx.write(
        tmp_path / "other.onnx", [Node("Sin", ("x",), "y")], {}, [("x", FLOAT, [1, 2])], [("y", FLOAT, [1, 2])]
    )
    with pytest.raises(ModelUnavailable, match=r"another model than Demucs .* it takes x \[1, 2\]"):
        Demucs(other, 1)
    with pytest.raises(ModelUnavailable, match="another model than Demucs"):
        Demucs(tiny_demucs(tmp_path / "mono.onnx", channels=1), 1)
    with pytest.raises(ModelUnavailable, match="takes segments of 3 samples"):
        Demucs(tiny_demucs(tmp_path / "short.onnx", 3), 1)
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        Demucs(tmp_path / "broken.onnx", 1)
    with pytest.raises(ModelUnavailable, match="no such file"):
        Demucs(tmp_path / "absent.onnx", 1)


# How it is found


def factory(**more: object) -> AIServiceFactory:
    return AIServiceFactory(Settings(VT_ENGINES="embedded", CPU_THREADS=1, **more))  # type: ignore[arg-type]


def test_a_folder_that_the_settings_name_serves_and_is_kept_in_memory(model: Path) -> None:
    made = factory(VT_SEPARATION_MODEL=str(model.parent))
    made.check_separation()
    service = made.get_separation_service()
    sides, mixed = sound(3 * SEGMENT)
    assert np.allclose(np.concatenate(list(service.without_voices([mixed], Cancel()))), sides, atol=1e-5)
    (kept,) = made.get_model_status()["models"]
    assert kept["model_type"] == "separation"
    assert kept["cache_key"].startswith("separation_demucs_")
    made.close()


@pytest.mark.parametrize("wanted", ["", "somebody/htdemucs-onnx"])
def test_without_a_model_a_sentence_says_what_to_do(wanted: str) -> None:
    made = factory(VT_SEPARATION_MODEL=wanted)
    with pytest.raises(ModelUnavailable, match=r"set VT_SEPARATION_MODEL to a folder .* choose duck"):
        made.check_separation()
    made.close()


def test_a_folder_without_the_weights_is_refused_in_a_sentence(tmp_path: Path) -> None:
    for folder, sentence in [(tmp_path, "holds no model in ONNX's format"), (tmp_path / "none", "is not there")]:
        made = factory(VT_SEPARATION_MODEL=str(folder))
        with pytest.raises(ModelUnavailable, match=sentence):
            made.check_separation()
        made.close()
