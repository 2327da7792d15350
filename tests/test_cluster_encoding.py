"""Parts of a track that machines of a cluster encode are those that are encoded here, and come here where none can."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.clusters import (
    PATIENCE,
    STATE,
    InThread,
    LocalHost,
    ScriptedHost,
    ScriptedNodes,
    ask,
    cluster,
    comes,
    ends_with,
    piece,
)
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from tests.sounds import pcm, speech
from vt import languages, media
from vt.cluster import encoding
from vt.cluster.encoding import RemoteEncoder
from vt.cluster.hosts import Hosts
from vt.cluster.nodes import HostLost, RemoteHost
from vt.cluster.pieces import Ask, Ended, Piece
from vt.domain import Cancel, Clip, Placement
from vt.dubbing import track
from vt.dubbing.artifacts import Artifacts, Json, fingerprint
from vt.dubbing.track import DubTrack, Level, PartEncoder, Spoken
from vt.errors import Cancelled, EngineError, ModelBusy, ToolMissing
from vt.media import SoundFormat
from vt.settings import Settings

RATE, FILM, STARTS = 24_000, 75.0, (1.0, 58.0, 63.5, 70.0)
VOICE: NDArray[np.float32] = np.sin(np.arange(RATE, dtype=np.float32) / 9).astype(np.float32) / np.float32(4)
PART = media.TrackPart(RATE, RATE, 0.0, media.LIMIT, 0, 2, 10, is_first=False)
LOOKS = 3
"""So often a part has looked whether there is room for it: then it has tried what there is to try."""


@dataclass(frozen=True)
class Chord:
    """A background of so many channels, each with a tone of its own."""

    channels: int

    @property
    def form(self) -> SoundFormat:
        return SoundFormat(48_000, self.channels)

    def name(self, first: int, last: int) -> Json:
        return [self.channels, first, last]

    def samples(self, first: int, last: int) -> Iterator[NDArray[np.float32]]:
        tones = np.arange(1, self.channels + 1, dtype=np.float32) / 30
        yield (np.sin(np.arange(first, last)[:, None] * tones) / 20).astype(np.float32)


class Factory(FakeFactory):
    """Serves no models, and has a data folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(ScriptedTranscriber([]), ToneSynthesizer(), settings=Settings(data_dir=folder))

    def get_model_status(self) -> dict[str, Any]:
        """Return what hosts are asked for now and then."""
        return dict(STATE)


def served(folder: Path) -> LocalHost:
    return LocalHost(Factory(folder))


def hosts_of(make: Callable[[], RemoteHost], *names: str) -> Any:  # noqa: ANN401 (a context manager)
    return cluster(ScriptedNodes(*(names or ("one", "two")), make=lambda _: make()))


def files(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


def dubbed(folder: Path, under: Chord | None, encoder: PartEncoder) -> dict[str, bytes]:
    """Return all artifacts of a track of several parts, and the track itself."""
    artifacts, lines = Artifacts(folder / "pieces"), []
    for seed, start in enumerate(STARTS):
        name = fingerprint(start)
        artifacts.put_clip("take", name, Clip(pcm(speech(2.0, RATE, -20, seed)), RATE))
        lines.append(Spoken(start, 2.0, "take", name))
    plan = [Placement(line.start, line.end, 2.0, 2.0, 2.0) for line in lines]
    borders = track.cuts(plan, FILM, RATE, under.form.rate if under else None)
    assert len(borders) == 3
    with DubTrack(borders, RATE, Level(-6.0), artifacts, background=under, encoder=encoder) as made:
        for line in lines:
            made.add(line)
        made.write(folder / "dub.m4a")
        made.settle()
    return {path.name: path.read_bytes() for path in (*(folder / "pieces").iterdir(), folder / "dub.m4a")}


# The same as here


@pytest.mark.parametrize("under", [None, Chord(2)])
def test_a_track_that_is_encoded_elsewhere_is_the_one_that_is_encoded_here(under: Chord | None, tmp_path: Path) -> None:
    for name in ("here", "elsewhere"):
        (tmp_path / name).mkdir()
    with hosts_of(lambda: served(tmp_path / "node")) as hosts:
        there = dubbed(tmp_path / "elsewhere", under, RemoteEncoder(hosts, processors=0))
        assert sum(state.done for state in hosts.states()) == 2
    assert there == dubbed(tmp_path / "here", under, track.HERE)
    assert files(tmp_path / "node") == []


def test_a_part_is_encoded_here_while_a_processor_is_free_and_else_by_a_host_with_room(tmp_path: Path) -> None:
    with hosts_of(lambda: served(tmp_path)) as hosts:
        encoder = RemoteEncoder(hosts, processors=1)
        with occupied(encoder):
            packets, loudness = encoder.encoded(PART, VOICE, None, None)
        assert loudness is not None
        assert encoder.encoded(PART, VOICE, None, None) == (packets, None)
    assert packets == media.encoded_part(PART, VOICE, None)


def test_as_many_parts_are_begun_as_hosts_have_room_for_and_two_more_but_never_many(tmp_path: Path) -> None:
    with hosts_of(lambda: served(tmp_path)) as hosts:
        assert RemoteEncoder(hosts).at_once == 6
    with hosts_of(lambda: served(tmp_path), *(f"node{number}" for number in range(9))) as hosts:
        assert RemoteEncoder(hosts).at_once == 16


# Where no host can


class Waits(Cancel):
    """Holds up whoever would tell it how the work is ended, which all do at their beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.goes_on = threading.Event(), threading.Event()

    def add(self, hook: Callable[[], None]) -> None:
        """Wait."""
        self.begun.set()
        assert self.goes_on.wait(PATIENCE)
        Cancel.add(self, hook)


@contextmanager
def occupied(encoder: RemoteEncoder) -> Iterator[Callable[[], None]]:
    """Give the encoder's one processor a part to do; yield what lets it end that, which happens at the end anyway."""
    waits = Waits()
    part = InThread(lambda: encoder.encoded(PART, VOICE, None, waits))
    assert waits.begun.wait(PATIENCE)
    try:
        yield waits.goes_on.set
    finally:
        waits.goes_on.set()
        part.result()


@contextmanager
def filled(hosts: Hosts) -> Iterator[None]:
    """Keep as many pieces under way as one host takes."""
    with ExitStack() as under_way:
        for _ in range(2):
            answers = under_way.enter_context(closing(hosts.stream(piece(ask(languages.SPANISH), 0, 1), Cancel())))
            assert next(answers) == 0
        yield


def dies(*_: object) -> Iterator[Any]:
    """Be lost before anything is answered."""
    raise HostLost("the machine is gone")


def refused(folder: Path) -> LocalHost:
    """Return a host whose data folder cannot be written."""
    (folder / "file").touch()
    return served(folder / "file")


@pytest.mark.parametrize(
    "make",
    [
        lambda _: ScriptedHost(dies),
        lambda _: ScriptedHost(ends_with(Ended(EngineError("It met an unexpected error.")))),
        lambda _: ScriptedHost(ends_with(Ended(MemoryError()))),
        refused,
    ],
    ids=["lost", "failed", "without memory", "without a disk"],
)
def test_what_no_host_can_encode_is_encoded_here(make: Callable[[Path], RemoteHost], tmp_path: Path) -> None:
    cancel = Cancel()
    with hosts_of(lambda: make(tmp_path), "one") as hosts:
        encoder = RemoteEncoder(hosts, processors=1)
        with occupied(encoder) as let_go:
            part = InThread(lambda: encoder.encoded(PART, VOICE, None, cancel))
            comes(lambda: cancel.beats > LOOKS)
            let_go()
            assert part.result() == (media.encoded_part(PART, VOICE, None), None)
        assert sum(state.done for state in hosts.states()) == 0


@pytest.mark.parametrize("has_one", [True, False])
def test_a_host_without_this_ffmpeg_encodes_nothing_and_is_not_asked_again(
    has_one: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = count()

    def version() -> str:
        if next(asked) == 0:
            return "ffmpeg version 1.0"  # here
        if has_one:
            return "ffmpeg version 2.0"
        raise ToolMissing("{program} is missing.", program="ffmpeg")

    monkeypatch.setattr(media, "encoder_version", version)
    with hosts_of(lambda: served(tmp_path), "one") as hosts:
        encoder = RemoteEncoder(hosts, processors=1)
        with occupied(encoder) as let_go:
            part = InThread(lambda: encoder.encoded(PART, VOICE, None, None))
            comes(lambda: not hosts.has_room(Ask("track")))
            let_go()
            assert part.result() == (media.encoded_part(PART, VOICE, None), None)
        assert hosts.has_room(Ask("stt"))
        assert [state.done for state in hosts.states()] == [0]


def test_a_part_whose_sound_is_too_large_is_never_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bed, cancel, nobody = tmp_path / "bed", Cancel(), ScriptedHost()
    bed.write_bytes(bytes(4 * RATE))
    part = replace(PART, channels=1)
    monkeypatch.setattr(encoding, "MOST_BYTES", VOICE.nbytes + 4 * RATE - 1)
    with hosts_of(lambda: nobody, "one") as hosts:
        encoder = RemoteEncoder(hosts, processors=1)
        with occupied(encoder) as let_go:
            made = InThread(lambda: encoder.encoded(part, VOICE, bed, cancel))
            comes(lambda: cancel.beats > LOOKS)
            let_go()
            assert made.result() == (media.encoded_part(part, VOICE, bed), None)
    assert nobody.done == []


def test_where_no_host_has_room_a_part_waits_for_this_machine_and_a_cancel_ends_that() -> None:
    cancel, busy = Cancel(), ScriptedHost()
    with hosts_of(lambda: busy, "one") as hosts, filled(hosts):
        encoder = RemoteEncoder(hosts, processors=1)
        with occupied(encoder):
            part = InThread(lambda: encoder.encoded(PART, VOICE, None, cancel))
            comes(lambda: cancel.beats > LOOKS)
            cancel.set()
            with pytest.raises(Cancelled):
                part.result()
        assert len(busy.done) == 2


def test_a_cancel_ends_a_part_that_a_host_is_at() -> None:
    cancel, begun = Cancel(), threading.Event()

    def hangs(_: Piece, ending: Cancel) -> Iterator[Any]:
        ended = threading.Event()
        ending.add(ended.set)
        begun.set()
        assert ended.wait(PATIENCE)
        ending.remove(ended.set)
        yield from ()

    with hosts_of(lambda: ScriptedHost(hangs), "one") as hosts:
        part = InThread(lambda: RemoteEncoder(hosts, processors=0).encoded(PART, VOICE, None, cancel))
        assert begun.wait(PATIENCE)
        cancel.set()
        with pytest.raises(Cancelled):
            part.result()
        assert [state.pieces for state in hosts.states()] == [0]
    assert cancel.hook_count == 0


def test_a_piece_that_does_not_wait_is_refused_at_once_where_no_host_has_room() -> None:
    with hosts_of(ScriptedHost, "one") as hosts, filled(hosts):
        with pytest.raises(ModelBusy):
            next(hosts.stream(piece(ask(languages.SPANISH), 0), Cancel(), waits=False))
        assert [state.pieces for state in hosts.states()] == [2]
