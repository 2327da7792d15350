"""Model files come whole, once, with a word about it, and go on where they stopped; every refusal is a sentence."""

from __future__ import annotations

import errno
import itertools
import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub_server import HubServer, Trouble
from vt.domain import Cancel
from vt.errors import Cancelled, ModelUnavailable, StorageError, VtError
from vt.model_files import download
from vt.model_files.download import Source
from vt.settings import Settings
from vt.ui.words import Words

REPO = "owner/model"
PATTERNS = ("*.json", "*.txt", "*.safetensors", "*.bin")
WEIGHTS = bytes(range(256)) * 4096
"""One megabyte, in 16 blocks of the server."""
HALF = len(WEIGHTS) // 2
TOKEN = "hf_hushHushNobodyMayKnow"  # noqa: S105 (it opens nothing)
PATIENT = 60.0
"""Seconds that nothing here takes; waiting for longer is a failure."""


def no_wait(_seconds: float) -> None:
    """Go on at once."""


def write(folder: Path, **files: bytes) -> Path:
    """Write files, whose names have __ for the dot."""
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write(tmp_path / "model", config__json=b"{}", model__safetensors=WEIGHTS, vocabulary__txt=b"a\nb\n")


@pytest.fixture
def hub(model: Path) -> Iterator[HubServer]:
    with HubServer({REPO: model}) as server:
        yield server


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def source(hub: HubServer, cache: Path) -> Source:
    return at(hub.endpoint, cache)


def at(endpoint: str, cache: Path, **given: Any) -> Source:  # noqa: ANN401
    given = {"wait": no_wait, "connect_seconds": PATIENT, "stall_seconds": PATIENT, "tries": 3, **given}
    return Source(endpoint, folder=cache, **given)


def ours(source: Source) -> Path:
    """Return where the model's blobs are."""
    return source.cache / "models--owner--model" / "blobs"


def weights(folder: Path | None) -> bytes:
    assert folder is not None
    return (folder / "model.safetensors").read_bytes()


def real_client(hub: HubServer, cache: Path, **arguments: Any) -> Path:  # noqa: ANN401
    """Let huggingface_hub itself do it, as other programs do, in a process that the environment does not keep off."""
    given = {"endpoint": hub.endpoint, "cache_dir": str(cache), **arguments}
    script = "import json,sys;from huggingface_hub import *;print(snapshot_download(**json.loads(sys.argv[1])))"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    command = [sys.executable, "-c", script, json.dumps({"repo_id": REPO, **given})]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=kept, timeout=300)
    return Path(done.stdout.strip())


# What arrives.


def test_all_files_that_fit_arrive_with_their_contents(source: Source, model: Path) -> None:
    folder = download.download(REPO, PATTERNS, source)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
        file.name: file.read_bytes() for file in model.iterdir()
    }


def test_files_in_folders_arrive_there(source: Source, model: Path) -> None:
    write(model / "deep" / "er", notes__json=b"[]")
    assert (download.download(REPO, PATTERNS, source) / "deep" / "er" / "notes.json").read_bytes() == b"[]"


def test_what_is_complete_is_found_without_a_request(source: Source, hub: HubServer) -> None:
    first = download.download(REPO, PATTERNS, source)
    asked = len(hub.asked())
    assert download.present(REPO, PATTERNS, source) == first
    assert download.download(REPO, PATTERNS, source) == first
    assert len(hub.asked()) == asked


def test_other_programs_find_what_arrived_and_take_it_for_whole(hub: HubServer, source: Source) -> None:
    folder = download.download(REPO, PATTERNS, source)
    assert real_client(hub, source.cache, local_files_only=True) == folder
    asked = len(hub.asked("/resolve/"))
    assert real_client(hub, source.cache) == folder
    assert len(hub.asked("/resolve/")) == asked


@pytest.mark.parametrize(
    ("cache", "is_ours"),
    [("data/huggingface/hub", True), ("data/hub", True), ("data/.cache/huggingface/hub", False), ("other/hub", False)],
)
def test_what_is_not_noted_as_ours_is_removed_from_a_cache_in_the_data_folder_alone(
    tmp_path: Path, cache: str, is_ours: bool
) -> None:
    source = Source(folder=tmp_path / cache, data=tmp_path / "data")
    blob = ours(source) / ("a" * 64)
    link = ours(source).parent / "snapshots" / ("b" * 40) / "model.safetensors"
    for file in (blob, link):
        file.parent.mkdir(parents=True)
    blob.write_bytes(b"x" * 7)
    link.symlink_to(blob)
    assert download.own_bytes(REPO, source) == 7 * is_ours
    download.remove(REPO, source)
    assert blob.exists() is link.is_symlink() is ours(source).parent.exists() is not is_ours


def test_what_other_programs_downloaded_is_found_without_a_request(hub: HubServer, source: Source) -> None:
    folder = real_client(hub, source.cache)
    asked = len(hub.asked())
    assert download.download(REPO, PATTERNS, source) == folder
    assert len(hub.asked()) == asked


def test_what_another_program_downloaded_a_part_of_is_not_present_and_is_completed(
    hub: HubServer, source: Source
) -> None:
    folder = real_client(hub, source.cache, allow_patterns=["*.json"])
    assert download.present(REPO, PATTERNS, source) is None
    assert download.download(REPO, PATTERNS, source) == folder
    assert len(hub.asked("GET /owner/model/resolve/")) == 3
    assert weights(download.present(REPO, PATTERNS, source)) == WEIGHTS


def test_pickled_weights_and_other_libraries_weights_stay_where_there_are_safetensors(
    source: Source, model: Path
) -> None:
    write(model, pytorch_model__bin=b"pickle", flax_model__msgpack=b"f", tf_model__h5=b"t", rust_model__ot=b"r")
    write(model / "onnx", model__onnx=b"o", model__onnx_data=b"o")
    folder = download.download(REPO, ["*"], source)
    assert {file.name for file in folder.rglob("*") if file.is_file()} == {
        "config.json",
        "model.safetensors",
        "vocabulary.txt",
    }


def test_pickled_weights_come_where_there_are_no_others(source: Source, model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    assert (download.download(REPO, PATTERNS, source) / "pytorch_model.bin").read_bytes() == WEIGHTS


def test_an_empty_file_arrives_too(source: Source, model: Path) -> None:
    write(model, merges__txt=b"")
    assert (download.download(REPO, PATTERNS, source) / "merges.txt").read_bytes() == b""


# What is here.


def test_nothing_is_present_in_an_empty_cache(source: Source) -> None:
    assert download.present(REPO, PATTERNS, source) is None


@pytest.mark.parametrize("listed", [True, False], ids=["by a program that lists files", "by an older program"])
def test_a_link_that_leads_nowhere_is_no_present_model_and_is_mended(source: Source, listed: bool) -> None:
    folder = download.download(REPO, PATTERNS, source)
    (folder / "model.safetensors").resolve().unlink()
    forget(folder, listed)
    assert download.present(REPO, PATTERNS, source) is None
    assert weights(download.download(REPO, PATTERNS, source)) == WEIGHTS


def test_weights_that_were_cut_short_are_no_present_model_and_are_mended(source: Source) -> None:
    folder = download.download(REPO, PATTERNS, source)
    (folder / "model.safetensors").resolve().write_bytes(WEIGHTS[:HALF])
    assert download.present(REPO, PATTERNS, source) is None
    assert weights(download.download(REPO, PATTERNS, source)) == WEIGHTS


def test_without_a_list_of_its_files_a_model_needs_weights_and_all_of_their_parts(source: Source, model: Path) -> None:
    parts = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    write(model, model__safetensors__index__json=json.dumps(parts).encode())
    (model / "model-2.safetensors").write_bytes(b"second")
    folder = download.download(REPO, PATTERNS, source)
    forget(folder, listed=False)
    assert download.present(REPO, PATTERNS, source) == folder
    (folder / "model-2.safetensors").unlink()
    assert download.present(REPO, PATTERNS, source) is None
    (folder / "model.safetensors.index.json").unlink()
    assert download.present(REPO, PATTERNS, source) == folder
    (folder / "model.safetensors").unlink()
    assert download.present(REPO, PATTERNS, source) is None


def forget(folder: Path, listed: bool) -> None:
    if not listed:
        for listing in (folder.parents[1] / "trees").iterdir():
            listing.unlink()


@pytest.mark.parametrize("ref", [b"../../elsewhere", b"", b"\xff\xfe"])
def test_a_ref_that_is_no_commit_leads_nowhere(source: Source, ref: bytes) -> None:
    folder = download.download(REPO, PATTERNS, source)
    (folder.parents[1] / "refs" / "main").write_bytes(ref)
    assert download.present(REPO, PATTERNS, source) is None


# What is said.


def test_before_it_downloads_it_says_what_how_large_where_to_and_how_to_avoid_it(source: Source) -> None:
    said: list[str] = []
    download.download(REPO, PATTERNS, source, tell=said.append)
    for part in (REPO, "1.0 MB", source.endpoint, str(source.cache), "VT_ENGINES=embedded", "vt fetch"):
        assert part in said[0]
    assert said[-1].startswith(f"The model {REPO} is here: 1.0 MB")


def test_what_it_says_is_said_in_spanish_without_where_the_cache_lies(source: Source) -> None:
    said: list[str] = []
    download.download(REPO, PATTERNS, source, tell=said.append)
    first, *_, last = [Words("es").sentence(sentence) for sentence in said]
    assert first.startswith(f"Se descarga el modelo {REPO} de {source.endpoint}: 1,0 MB, en {source.cache.name}. Para")
    assert last.startswith(f"El modelo {REPO} ya está aquí: 1,0 MB en ")


def test_while_it_downloads_it_tells_how_far_every_few_seconds(hub: HubServer, cache: Path) -> None:
    said: list[str] = []
    ticks = itertools.count()
    download.download(REPO, PATTERNS, at(hub.endpoint, cache, clock=lambda: float(next(ticks))), tell=said.append)
    told = [re.fullmatch(r"owner/model: (\d\.\d) MB of 1\.0 MB \((\d+) %\)\.", line) for line in said[1:-1]]
    percents = [int(line[2]) for line in told if line]
    assert len(percents) == len(told) > 1
    assert percents == sorted(percents)
    assert len(percents) <= next(ticks) / 3


def test_the_log_has_one_line_at_the_beginning_and_one_at_the_end(
    source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="vt.model_files.download"):
        download.download(REPO, PATTERNS, source)
    lines = [record.getMessage() for record in caplog.records if record.name == "vt.model_files.download"]
    assert len(lines) == 2
    assert lines[0].startswith(f"Downloading the model {REPO}")
    assert lines[1].startswith(f"The model {REPO} is here")


# What breaks.


def test_a_broken_connection_goes_on_from_where_it_broke(source: Source, hub: HubServer) -> None:
    hub.troubles.append(Trouble("GET /store/", after=HALF))
    assert weights(download.download(REPO, PATTERNS, source)) == WEIGHTS
    first, second = hub.asked("GET /store/")
    assert "range" not in first.headers
    assert re.fullmatch(r"bytes=\d+-", second.headers["range"])
    assert second.headers["range"] != "bytes=0-"


def test_a_connection_that_keeps_breaking_ends_with_how_far_it_got_and_the_next_call_goes_on(
    source: Source, hub: HubServer
) -> None:
    # A quarter each time: with three tries, the third leaves three quarters.
    hub.troubles.append(Trouble("GET /store/", times=3, after=len(WEIGHTS) // 4))
    with pytest.raises(ModelUnavailable, match=r"stopped at 0\.[5-8] MB of 1\.0 MB: .* goes on from there") as caught:
        download.download(REPO, PATTERNS, source)
    assert caught.value.__cause__ is not None
    assert download.present(REPO, PATTERNS, source) is None
    said: list[str] = []
    assert weights(download.download(REPO, PATTERNS, source, tell=said.append)) == WEIGHTS
    assert "of which" in said[0]
    asked = hub.asked("GET /store/")
    assert len(asked) == 4
    assert int(asked[-1].headers["range"].removeprefix("bytes=").removesuffix("-")) >= HALF
    assert len(hub.asked("config.json")) == 1


def test_pauses_between_tries_grow(hub: HubServer, cache: Path) -> None:
    paused: list[float] = []
    hub.troubles.append(Trouble("GET /store/", times=9, after=0))
    with pytest.raises(ModelUnavailable):
        download.download(REPO, PATTERNS, at(hub.endpoint, cache, tries=6, wait=paused.append))
    assert paused == [1.0, 2.0, 4.0, 8.0, 8.0]


def test_tries_that_bring_much_do_not_count(hub: HubServer, cache: Path, model: Path) -> None:
    large = WEIGHTS * 8
    write(model, model__safetensors=large)
    hub.troubles.append(Trouble("GET /store/", times=3, after=2 * len(WEIGHTS)))
    assert weights(download.download(REPO, PATTERNS, at(hub.endpoint, cache, tries=2))) == large


def test_a_hub_that_sends_only_whole_files_is_put_up_with(source: Source, hub: HubServer) -> None:
    hub.ranges = False
    hub.troubles.append(Trouble("GET /store/", after=HALF))
    assert weights(download.download(REPO, PATTERNS, source)) == WEIGHTS


def test_an_error_of_the_hub_that_passes_is_waited_for(source: Source, hub: HubServer) -> None:
    hub.troubles += [Trouble("/api/", status=503), Trouble("GET /store/", status=502), Trouble("/resolve/", status=429)]
    assert weights(download.download(REPO, PATTERNS, source)) == WEIGHTS


def test_damaged_files_are_noticed_and_fetched_again(source: Source, hub: HubServer) -> None:
    hub.troubles += [Trouble("GET /store/", damage=True), Trouble("config.json", damage=True)]
    folder = download.download(REPO, PATTERNS, source)
    assert weights(folder) == WEIGHTS
    assert (folder / "config.json").read_bytes() == b"{}"


def test_files_that_only_come_damaged_are_an_error_and_nothing_of_them_is_kept(source: Source, hub: HubServer) -> None:
    hub.troubles.append(Trouble("GET /store/", times=3, damage=True))
    with pytest.raises(ModelUnavailable, match=r"model\.safetensors does not arrive undamaged"):
        download.download(REPO, PATTERNS, source)
    assert [file.stat().st_size for file in ours(source).glob("*.incomplete")] == [0]
    assert weights(download.download(REPO, PATTERNS, source)) == WEIGHTS


def test_what_was_begun_of_an_older_version_goes_once_the_newer_is_here(
    source: Source, hub: HubServer, model: Path
) -> None:
    hub.troubles.append(Trouble("GET /store/", times=3, after=HALF // 4))
    with pytest.raises(ModelUnavailable):
        download.download(REPO, PATTERNS, source)
    assert list(ours(source).glob("*.incomplete"))
    write(model, model__safetensors=WEIGHTS[::-1])
    assert weights(download.download(REPO, PATTERNS, source)) == WEIGHTS[::-1]
    assert not list(source.cache.rglob("*.incomplete"))


def test_a_newer_version_that_is_not_whole_yet_does_not_hide_the_older(
    source: Source, hub: HubServer, model: Path
) -> None:
    older = download.download(REPO, ["config.json"], source)
    write(model, config__json=b"{ }")
    hub.troubles.append(Trouble("GET /store/", times=3, after=HALF // 4))
    with pytest.raises(ModelUnavailable):
        download.download(REPO, PATTERNS, source)
    assert download.present(REPO, ["config.json"], source) == older
    newer = download.download(REPO, PATTERNS, source)
    assert newer != older
    assert download.present(REPO, ["config.json"], source) == newer


def test_a_silent_hub_is_not_waited_for_without_end(hub: HubServer, cache: Path) -> None:
    hub.troubles.append(Trouble("/api/", times=99, after=0, stall=True))
    with pytest.raises(ModelUnavailable, match="too slowly, or not at all"):
        download.download(REPO, PATTERNS, at(hub.endpoint, cache, stall_seconds=0.2))


@pytest.mark.soak
def test_a_line_that_falls_silent_midway_is_given_up_and_taken_up_again(hub: HubServer, cache: Path) -> None:
    hub.troubles.append(Trouble("GET /store/", after=HALF, stall=True))
    assert weights(download.download(REPO, PATTERNS, at(hub.endpoint, cache, stall_seconds=5.0, tries=9))) == WEIGHTS


def test_a_hub_out_of_reach_is_said_so(model: Path, cache: Path) -> None:
    with HubServer({REPO: model}) as closed:
        endpoint = closed.endpoint
    with pytest.raises(ModelUnavailable, match=f"{REPO} cannot be downloaded: the hub does not answer") as caught:
        download.download(REPO, PATTERNS, at(endpoint, cache))
    assert caught.value.__cause__ is not None
    assert not cache.exists()


# What is refused.


def refusal(source: Source, repo: str = REPO, kind: type[VtError] = ModelUnavailable) -> str:
    with pytest.raises(kind) as caught:
        download.download(repo, PATTERNS, source)
    return str(caught.value)


@pytest.mark.parametrize(
    "repo", ["", "a/b/c", "../../etc", "a--b", "owner/", "https://huggingface.co/owner/model", "ä"]
)
def test_what_cannot_be_a_hub_id_is_refused_without_a_request(source: Source, hub: HubServer, repo: str) -> None:
    assert "owner/name" in refusal(source, repo)
    with pytest.raises(ModelUnavailable):
        download.present(repo, PATTERNS, source)
    assert not hub.asked()


def test_a_model_that_does_not_exist_is_said_so_with_and_without_a_token(hub: HubServer, cache: Path) -> None:
    hub.tokens = {TOKEN: ()}
    assert "none of that name (if it is private, set HF_TOKEN)" in refusal(at(hub.endpoint, cache), "owner/other")
    with_token = refusal(at(hub.endpoint, cache, token=TOKEN), "owner/other")
    assert "none of that name (if it is private, the token may not read it)" in with_token


def test_a_gated_model_without_a_token_says_where_to_accept_its_licence(hub: HubServer, source: Source) -> None:
    hub.gated = {REPO}
    wanted = f"it is gated: accept its licence at {hub.endpoint}/{REPO} and set HF_TOKEN."
    assert refusal(source).endswith(wanted)


def test_a_gated_model_with_a_token_that_has_no_access_says_whose_access(hub: HubServer, cache: Path) -> None:
    hub.gated, hub.tokens = {REPO}, {TOKEN: ()}
    assert "it is gated, and the token in HF_TOKEN has no access" in refusal(at(hub.endpoint, cache, token=TOKEN))


def test_a_gated_model_with_access_arrives_and_no_other_host_sees_the_token(hub: HubServer, cache: Path) -> None:
    hub.gated, hub.tokens = {REPO}, {TOKEN: {REPO}}
    assert weights(download.download(REPO, PATTERNS, at(hub.endpoint, cache, token=TOKEN))) == WEIGHTS
    for request in hub.asked(f"/{REPO}/"):
        assert request.headers.get("authorization") == (None if "/store/" in request.path else f"Bearer {TOKEN}")
    assert {request.path.split("/")[1] for request in hub.asked()} == {"api", "owner", "store"}


def test_a_token_that_the_hub_does_not_know_is_said_so(hub: HubServer, cache: Path) -> None:
    assert "does not know the token in HF_TOKEN" in refusal(at(hub.endpoint, cache, token=TOKEN))


def test_a_token_with_impossible_characters_is_refused_before_it_is_sent(hub: HubServer, cache: Path) -> None:
    with pytest.raises(ModelUnavailable, match="characters that no token has") as caught:
        download.download(REPO, PATTERNS, at(hub.endpoint, cache, token=f"{TOKEN}\nX: y"))
    assert caught.value.__cause__ is None
    assert not hub.asked()


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble("/api/", status=401),
        Trouble("/resolve/", status=403),
        Trouble("/store/", 9, after=9),
        Trouble("/api/", 9, status=500),
    ],
    ids=["unknown", "forbidden", "broken", "error"],
)
def test_the_token_stands_in_no_message_and_no_log(
    hub: HubServer, cache: Path, trouble: Trouble, caplog: pytest.LogCaptureFixture
) -> None:
    hub.tokens = {TOKEN: ()}
    hub.troubles.append(trouble)
    source = at(hub.endpoint, cache, token=TOKEN)
    said: list[str] = []
    with caplog.at_level(logging.DEBUG), pytest.raises(ModelUnavailable) as caught:
        download.download(REPO, PATTERNS, source, tell=said.append)
    error: BaseException | None = caught.value
    while error is not None:
        said.append(f"{error} {error!r}")
        error = error.__cause__ or error.__context__
    assert TOKEN not in " ".join([*said, caplog.text, repr(source)])


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (403, "the hub does not allow it"),
        (429, "allows no more requests for now"),
        (500, r"the hub has an error \(500\)"),
        (418, r"the hub has an error \(418\)"),
    ],
)
def test_other_answers_of_the_hub_are_sentences_too(hub: HubServer, source: Source, status: int, words: str) -> None:
    hub.troubles.append(Trouble("/api/", times=9, status=status))
    assert re.search(words, refusal(source))


@pytest.mark.parametrize("text", [b"<html>Please log in</html>", b"[]", b"{}", b'{"sha": "../..", "siblings": []}'])
def test_something_else_than_a_hub_is_recognised(hub: HubServer, source: Source, text: bytes) -> None:
    hub.troubles.append(Trouble("/api/", times=9, text=text))
    assert "what answers there is not a model hub" in refusal(source)


@pytest.mark.parametrize(
    "odd",
    [
        {"rfilename": "../../evil.json"},
        {"rfilename": "/evil.json"},
        {"blobId": "../evil"},
        {"lfs": {"sha256": "../evil", "size": 2}},
    ],
)
def test_names_that_would_lead_out_of_the_cache_are_refused(
    hub: HubServer, source: Source, tmp_path: Path, odd: dict[str, Any]
) -> None:
    sibling = {"rfilename": "config.json", "size": 2, "blobId": "0" * 40, **odd}
    hub.troubles.append(Trouble("/api/", 9, text=json.dumps({"sha": "0" * 40, "siblings": [sibling]}).encode()))
    assert "not a model hub" in refusal(source)
    assert not list(tmp_path.rglob("*evil*"))


def test_a_model_without_any_of_the_files_says_which_are_missed(source: Source) -> None:
    with pytest.raises(ModelUnavailable, match=r"none of the files nothing\.here"):
        download.download(REPO, ["nothing.here"], source)


def test_settings_that_forbid_downloads_are_obeyed_but_what_is_here_is_found(hub: HubServer, source: Source) -> None:
    forbidding = at(hub.endpoint, source.cache, forbidden="HF_HUB_OFFLINE allows no downloads")
    assert refusal(forbidding) == f"The model {REPO} cannot be downloaded: HF_HUB_OFFLINE allows no downloads."
    assert not hub.asked()
    folder = download.download(REPO, PATTERNS, source)
    assert download.download(REPO, PATTERNS, forbidding) == folder


# The disk.


def test_a_model_that_does_not_fit_the_disk_is_refused_before_it_is_begun(hub: HubServer, cache: Path) -> None:
    said = refusal(at(hub.endpoint, cache, free_bytes=lambda _folder: len(WEIGHTS)), kind=StorageError)
    assert re.search(r"needs 1\.0 MB, and the disk of .* has 1\.0 MB left", said)
    assert not hub.asked("/resolve/")
    assert not cache.exists()


def test_what_is_here_already_needs_no_room(hub: HubServer, source: Source) -> None:
    hub.troubles.append(Trouble("GET /store/", times=3, after=HALF // 2))
    with pytest.raises(ModelUnavailable):
        download.download(REPO, PATTERNS, source)
    narrow = at(hub.endpoint, source.cache, free_bytes=lambda _folder: HALF)
    assert weights(download.download(REPO, PATTERNS, narrow)) == WEIGHTS


def test_a_disk_that_fills_up_midway_is_said_so(hub: HubServer, cache: Path) -> None:
    ticks = itertools.count(step=10)

    def full(said: str) -> None:
        if "%" in said:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    source = at(hub.endpoint, cache, clock=lambda: float(next(ticks)))
    with pytest.raises(StorageError, match=r"disk of .* is full, with .* of 1\.0 MB"):
        download.download(REPO, PATTERNS, source, tell=full)
    assert weights(download.download(REPO, PATTERNS, source)) == WEIGHTS


def test_a_cache_that_cannot_be_written_is_said_so(hub: HubServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    said = refusal(at(hub.endpoint, tmp_path / "file"), kind=StorageError)
    assert "cannot take the model" in said


def test_the_free_space_of_a_folder_that_does_not_exist_yet_is_its_disks(tmp_path: Path) -> None:
    assert download.free_bytes(tmp_path / "not" / "yet") > 0


# Several at once, and the end of it.


def test_two_downloads_at_once_fetch_each_file_once(hub: HubServer, source: Source) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hold(name: str, sent: int) -> None:
        if name == "model.safetensors" and not sent:
            begun.set()
            go_on.wait(PATIENT)

    hub.on_chunk = hold
    said: list[str] = []

    def second_waits(sentence: str) -> None:
        said.append(sentence)
        if "somebody else" in sentence:
            go_on.set()

    found: list[Path] = []
    first = together(lambda: found.append(download.download(REPO, PATTERNS, source)))
    assert begun.wait(PATIENT)
    slower = at(hub.endpoint, source.cache, wait=lambda _seconds: threading.Event().wait(0.01))
    found.append(download.download(REPO, PATTERNS, slower, tell=second_waits))
    first.join(PATIENT)
    assert len(found) == 2
    assert found[0] == found[1]
    assert weights(found[0]) == WEIGHTS
    assert len(hub.asked("GET /store/")) == len(hub.asked("config.json")) == 1
    assert any("somebody else" in sentence for sentence in said)
    assert not list(source.cache.rglob("*.incomplete"))


def together(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_cancel_stops_between_blocks_and_keeps_what_came(hub: HubServer, cache: Path) -> None:
    cancel, ticks = Cancel(), itertools.count(step=10)

    def enough(said: str) -> None:
        if "%" in said:
            cancel.set()

    source = at(hub.endpoint, cache, clock=lambda: float(next(ticks)))
    with pytest.raises(Cancelled):
        download.download(REPO, ["model.safetensors"], source, tell=enough, cancel=cancel)
    (partial,) = ours(source).glob("*.incomplete")
    assert 0 < partial.stat().st_size < len(WEIGHTS)


def test_a_cancel_cuts_a_silent_line(hub: HubServer, source: Source) -> None:
    cancel = Cancel()
    hub.troubles.append(Trouble("GET /store/", after=HALF, stall=True))
    arrived = threading.Event()
    hub.on_chunk = lambda _name, sent: arrived.set() if sent >= HALF - 2**16 else None
    caught: list[BaseException] = []

    def work() -> None:
        try:
            download.download(REPO, PATTERNS, at(hub.endpoint, source.cache, stall_seconds=3600), cancel=cancel)
        except Cancelled as error:
            caught.append(error)

    thread = together(work)
    assert arrived.wait(PATIENT)
    cancel.set()
    thread.join(PATIENT)
    assert len(caught) == 1


def test_a_cancel_before_it_begins_asks_nothing(hub: HubServer, source: Source) -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        download.download(REPO, PATTERNS, source, cancel=cancel)
    assert not hub.asked()


# The settings.


def test_the_source_follows_the_settings() -> None:
    source = download.of(
        Settings(hub_endpoint="http://mirror", hf_token=f" {TOKEN} ", hub_offline=False, engines="auto")
    )
    assert (source.endpoint, source.token, source.forbidden) == ("http://mirror", TOKEN, None)
    assert download.of(Settings(hf_token=None, hugging_face_token=TOKEN)).token == TOKEN
    assert download.of(Settings(engines="embedded")).forbidden == "VT_ENGINES=embedded allows no downloads"
    assert download.of(Settings(hub_offline=True, engines="auto")).forbidden == "HF_HUB_OFFLINE allows no downloads"


def test_without_a_folder_of_its_own_the_cache_is_the_one_that_hf_home_names(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGINGFACE_"))}
    script = "from vt.model_files.download import Source; print(Source().cache)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**kept, "HF_HOME": str(tmp_path)},
    )
    assert done.stdout.strip() == str(tmp_path / "hub")


def test_importing_the_room_loads_no_library() -> None:
    script = (
        "import sys; import vt.model_files.download; print(sorted({'httpx', 'huggingface_hub'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
