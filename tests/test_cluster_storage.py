"""Where sound lies while it travels to the hosts of a cluster: enclosed, in the cluster's store, or behind a URL."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.clusters import ScriptedNodes, cluster
from vt.cluster.storage import SMALL_BYTES, AtUrl, Enclosed, ObjectStore, Storage, Stored, UrlStorage, opened
from vt.errors import StorageError

NAMED = "bucket-of-somebody"
SMALL = np.arange(SMALL_BYTES // 2, dtype=np.int16)
LARGE = np.arange(SMALL_BYTES, dtype=np.int16)


def store() -> ObjectStore:
    return ScriptedNodes().store()


def folder(path: Path) -> UrlStorage:
    return UrlStorage(path.as_uri())


@pytest.fixture(params=["the cluster's store", "a URL"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return store() if request.param == "the cluster's store" else folder(tmp_path)


@pytest.mark.parametrize(
    "samples",
    [SMALL, LARGE, LARGE[::2], LARGE.astype(np.float32), LARGE.reshape(-1, 2), LARGE[:0]],
    ids=["small", "large", "every other", "of floats", "stereo", "empty"],
)
def test_sound_arrives_as_it_was_sent(storage: Storage, samples: NDArray[Any]) -> None:
    with storage.held(samples) as parcel:
        arrived = opened(pickle.loads(pickle.dumps(parcel)))  # noqa: S301 (our own)
        assert (arrived.dtype, arrived.shape) == (samples.dtype, samples.shape)
        assert np.array_equal(arrived, samples)


def test_a_store_that_takes_no_more_says_so_in_a_sentence() -> None:
    def full(_: NDArray[Any]) -> Any:  # noqa: ANN401 (a reference)
        raise OSError(28, NAMED)

    with pytest.raises(StorageError, match="storage of the cluster cannot be used") as raised:
        ObjectStore(full, lambda _: LARGE).held(LARGE).__enter__()
    assert NAMED not in str(raised.value)


def test_a_small_sound_travels_in_the_message(storage: Storage, tmp_path: Path) -> None:
    with storage.held(SMALL) as parcel:
        assert isinstance(parcel, Enclosed)
        assert list(tmp_path.iterdir()) == []


def test_a_large_sound_is_kept_in_the_clusters_store() -> None:
    nodes = ScriptedNodes()
    with nodes.store().held(LARGE) as parcel:
        assert isinstance(parcel, Stored)
        assert parcel.reference is LARGE
        assert nodes.stored == [len(LARGE)]


def test_a_large_sound_is_a_file_of_the_folder_while_it_is_held(tmp_path: Path) -> None:
    with folder(tmp_path / "not" / "yet" / "there").held(LARGE) as parcel:
        (file,) = (tmp_path / "not" / "yet" / "there").iterdir()
        assert np.array_equal(np.load(file), LARGE)
        assert isinstance(parcel, AtUrl)
        assert parcel.url.endswith(file.name)
    assert not file.exists()


def test_after_an_error_the_file_is_gone_too(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), folder(tmp_path).held(LARGE):
        assert len(list(tmp_path.iterdir())) == 1
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_somebody_removed_does_no_harm_to_the_work(tmp_path: Path) -> None:
    with folder(tmp_path).held(LARGE) as parcel:
        next(tmp_path.iterdir()).unlink()
        with pytest.raises(StorageError, match=r"cannot be used \(FileNotFoundError\): check VT_STORAGE_URL"):
            parcel.open()


def test_sounds_that_are_held_at_once_do_not_meet(tmp_path: Path) -> None:
    own = folder(tmp_path)
    with own.held(LARGE) as one, own.held(LARGE + 1) as other:
        assert np.array_equal(one.open() + 1, other.open())


@pytest.mark.parametrize("scheme", ["nonsense", "file"])
def test_a_url_that_cannot_be_used_is_an_error_whose_sentence_does_not_hold_it(scheme: str, tmp_path: Path) -> None:
    (tmp_path / NAMED).write_text("a file, and no folder")
    url = f"{scheme}://{tmp_path}/{NAMED}/below"
    with pytest.raises(StorageError) as caught, UrlStorage(url).held(LARGE):
        pytest.fail("nothing can be kept there")
    assert "check VT_STORAGE_URL" in str(caught.value)
    assert NAMED not in str(pickle.loads(pickle.dumps(caught.value)))  # noqa: S301 (our own)
    assert NAMED not in caught.value.in_full
    with pytest.raises(StorageError) as caught:
        AtUrl(f"{url}/a.npy").open()
    assert NAMED not in str(caught.value)


@pytest.mark.parametrize("content", ["objects", "pickled", "broken off", "nothing"])
def test_nothing_pickled_is_read_and_no_damaged_file(content: str, tmp_path: Path) -> None:
    file = tmp_path / "sound.npy"
    match content:
        case "objects":
            np.save(file, np.array([{"a": 1}], object), allow_pickle=True)
        case "pickled":
            file.write_bytes(pickle.dumps(LARGE))
        case "broken off":
            np.save(file, LARGE)
            file.write_bytes(file.read_bytes()[:1000])
        case _:
            file.write_bytes(b"")
    with pytest.raises(StorageError, match=r"cannot be used \((ValueError|EOFError)\)"):
        AtUrl(file.as_uri()).open()


def test_what_is_no_parcel_stays_as_it_is() -> None:
    lines = [("Hola.", 1.0)]
    assert opened(lines) is lines
    assert opened(None) is None


def test_hosts_keep_sound_where_the_settings_say(tmp_path: Path) -> None:
    with cluster(ScriptedNodes(), storage_url=tmp_path.as_uri()) as hosts:
        assert hosts.storage == folder(tmp_path)
    with cluster(ScriptedNodes()) as hosts:
        assert isinstance(hosts.storage, ObjectStore)
