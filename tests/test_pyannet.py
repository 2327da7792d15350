"""PyanNet: stretches in seconds of the film, whatever window they were heard in, and the rules of every engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tiny_pyannet import PAIR, write
from vt.domain import Cancel
from vt.engines import pyannet
from vt.engines.pyannet import PyanNet
from vt.errors import Cancelled, ModelUnavailable

SOUND = np.random.default_rng(0).normal(0, 1000, 25 * pyannet.RATE).astype(np.int16)


@pytest.fixture(scope="module")
def always(tmp_path_factory: pytest.TempPathFactory) -> PyanNet:
    """Return a network that hears two at once in every sound."""
    return PyanNet(write(tmp_path_factory.mktemp("pyannet") / pyannet.FILE, PAIR), 2)


def test_two_at_once_are_heard_from_end_to_end_of_each_window_in_seconds_of_the_film(always: PyanNet) -> None:
    starts = [0.0, 2.5, 9.0, 20.0, 40.0]
    found = list(always.overlaps(SOUND, starts, Cancel()))
    assert [len(one) for one in found] == [1] * 5
    for start, ((begin, end),) in zip(starts, found, strict=True):
        assert (begin, end) == pytest.approx((start, start + 10), abs=0.06)
    assert list(always.overlaps(SOUND, [], Cancel())) == []


def test_where_one_speaks_nothing_is_found(tmp_path: Path) -> None:
    alone = PyanNet(write(tmp_path / pyannet.FILE, 1), 1)
    assert list(alone.overlaps(SOUND, [0.0, 15.0], Cancel())) == [[], []]


def test_a_cancel_ends_the_work_between_two_batches(always: PyanNet) -> None:
    cancel = Cancel()
    found = always.overlaps(SOUND, [0.1 * at for at in range(50)], cancel)
    next(found)
    cancel.set()
    with pytest.raises(Cancelled):
        list(found)


def test_a_broken_file_or_another_network_is_a_sentence(tmp_path: Path) -> None:
    file = write(tmp_path / pyannet.FILE, PAIR)
    saved = torch.load(file, weights_only=True)
    del saved["state_dict"]["linear.1.weight"]
    torch.save(saved, tmp_path / "less.pt")
    (tmp_path / "none.pt").write_bytes(b"no file of torch")
    for wrong in ("less.pt", "none.pt", "missing.pt"):
        with pytest.raises(ModelUnavailable, match=r"^The segmentation model .* cannot be loaded: "):
            PyanNet(tmp_path / wrong, 1)
    assert pyannet.estimated_bytes(file, 2) > file.stat().st_size
    assert pyannet.estimated_bytes(tmp_path / "missing.pt", 2) == 0
