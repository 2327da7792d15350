"""CAM++: features as Kaldi has them, vectors that tell voices, and the rules of every engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import ROOT
from tests.tiny_campplus import write
from vt.domain import Cancel
from vt.engines import campplus
from vt.engines.campplus import CamPlusPlus, filter_banks
from vt.errors import Cancelled, ModelUnavailable
from vt.factory import AIServiceFactory
from vt.model_files import bundle
from vt.settings import Settings

KALDI = (
    (-8.827, 1.152, -12.052, -15.942, -15.775, -14.447),
    (-11.704, -13.565, -5.577, -14.684, -15.942, -13.798),
    (-13.966, -15.942, -14.147, -4.480, -15.533, -13.970),
)
"""What kaldi-native-fbank 1.23 makes of the sweep below: frames 0, 10 and 22, bands 0, 10, 20, 40, 60 and 79."""
MEASURED = """
import sys, numpy as np, psutil
from vt.domain import Cancel
from vt.engines.campplus import CamPlusPlus
import torch
torch.nn.functional.conv2d(torch.zeros(1, 1, 9, 9), torch.zeros(1, 1, 3, 3))
before = psutil.Process().memory_info().rss
model = CamPlusPlus(sys.argv[1], 2)
list(model.embed(np.zeros(64 * 16000, np.int16), [(at, at + 1.5) for at in range(60)], Cancel()))
print(psutil.Process().memory_info().rss - before)
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("campplus") / campplus.FILE)


def settings() -> Settings:
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    return Settings.model_validate({**defaults, "cpu_threads": 2, "engines": "embedded"})


def noise(seconds: float, seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.random.default_rng(seed).normal(0, 1000, int(seconds * campplus.RATE)).astype(np.int16)


def test_the_features_are_those_of_kaldi() -> None:
    second = np.arange(4000) / campplus.RATE
    sweep = (8000 * np.sin(2 * np.pi * (200 + 3000 * second) * second)).astype(np.int16)
    found = filter_banks(sweep)
    assert found.shape == (23, 80)
    assert np.abs(found[[0, 10, 22]][:, [0, 10, 20, 40, 60, 79]] - np.array(KALDI)).max() < 2e-3


def test_each_moment_has_a_vector_of_length_one_whatever_else_is_listened_to(file: Path) -> None:
    model, sound = CamPlusPlus(file, 2), noise(40)
    moments = [(float(at), at + 1.5) for at in range(20)] + [(39.9, 40.5), (12.0, 12.05), (45.0, 46.0)]
    vectors = np.stack(list(model.embed(sound, moments, Cancel())))
    assert vectors.shape == (23, campplus.SIZE)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-4)
    alone = np.stack(list(model.embed(sound, moments[3:4], Cancel())))
    assert float(alone[0] @ vectors[3]) > 0.999
    assert list(model.embed(sound, [], Cancel())) == []


def test_how_loud_a_voice_is_makes_no_difference(file: Path) -> None:
    model, sound = CamPlusPlus(file, 2), noise(2)
    loud, soft = (next(iter(model.embed(one, [(0.0, 1.5)], Cancel()))) for one in (sound, sound // 4))
    assert float(loud @ soft) > 0.99


def test_a_cancel_ends_the_work_between_two_batches(file: Path) -> None:
    cancel = Cancel()
    found = CamPlusPlus(file, 2).embed(noise(60), [(float(at), at + 1.5) for at in range(50)], cancel)
    next(found)
    cancel.set()
    with pytest.raises(Cancelled):
        list(found)


@pytest.mark.parametrize("content", [b"", b"no file of torch", b"PK\x03\x04 nor this one"])
def test_a_broken_file_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / campplus.FILE).write_bytes(content)
    with pytest.raises(ModelUnavailable, match=r"^The CAM\+\+ model .* cannot be loaded: "):
        CamPlusPlus(tmp_path / campplus.FILE, 2)
    with pytest.raises(ModelUnavailable):
        CamPlusPlus(tmp_path / "none.pt", 2)


def test_another_network_is_a_sentence(file: Path, tmp_path: Path) -> None:
    weights = torch.load(file, weights_only=True)
    del weights["xvector.block2.tdnnd7.linear1.weight"]
    torch.save(weights, tmp_path / "less.pt")
    with pytest.raises(ModelUnavailable, match="block2"):
        CamPlusPlus(tmp_path / "less.pt", 2)


@pytest.mark.soak
@pytest.mark.slow
def test_the_memory_is_known_before_to_a_quarter(file: Path) -> None:
    done = subprocess.run([sys.executable, "-c", MEASURED, file], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) == pytest.approx(campplus.estimated_bytes(file, 2), rel=0.25)
    assert campplus.estimated_bytes(file.with_name("none.pt"), 2) == 0


@pytest.mark.slow
def test_the_factory_keeps_the_model_under_its_key_and_frees_it_when_asked() -> None:
    if bundle.folder(campplus.NAME) is None:
        pytest.skip("set-up could not put CAM++ here")
    factory = AIServiceFactory(settings())
    try:
        service = factory.get_diarization_service()
        assert [vector.shape for vector in service.embed(noise(3), [(0.0, 1.5), (1.5, 3.0)], Cancel())] == [(192,)] * 2
        (model,) = factory.get_model_status()["models"]
        assert model["cache_key"] == "diarization_campplus_campplus-zh-en_cpu_2_false"
        assert (model["model_type"], model["leases"]) == ("diarization", 0)
        assert model["memory_usage_mb"] > 50
        factory.clear_cache()
        assert factory.get_model_status()["models"] == []
        assert len(list(service.embed(noise(2), [(0.0, 1.5)], Cancel()))) == 1
    finally:
        factory.close()
