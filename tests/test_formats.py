"""What docs/FORMATS.md says of each kind of film and of captions is so; no model takes part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.asking import asked
from tests.caption_kinds import KINDS_OF_CAPTIONS, CaptionKind, in_words
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from tests.film_kinds import KINDS_OF_FILMS, FilmKind
from tests.films import AAC, SOUND, ffmpeg, streams
from vt import media
from vt.domain import Cancel
from vt.dubbing import hearing, track_choice
from vt.errors import MediaError, SubtitleError
from vt.media import Named
from vt.text import captions

NAMED = (Named("spa", "español (dubbed)"), Named("eng", "English (original)"))

WRITTEN_ANEW = {"bin_data": "chapters", "": "timecode"}
"""Tracks that ffmpeg makes of what is no track."""


@pytest.fixture(scope="module")
def dub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dub") / "dub.m4a"
    ffmpeg(*SOUND, *AAC, path)
    return path


def made(kind: FilmKind, folder: Path) -> Path:
    """Make a film of a kind, or skip it where ffmpeg lacks what writes it."""
    try:
        return kind.make(folder)
    except AssertionError as error:
        if "Unknown encoder" in str(error):
            pytest.skip("the ffmpeg that is installed does not write this kind")
        raise


def dubbed(path: Path, dub: Path, kind: FilmKind) -> tuple[str, list[str]]:
    """Put a film together with its dub; return the tracks of the result beside the dub, and what is said."""
    nobody = FakeFactory(ScriptedTranscriber([]), ToneSynthesizer())
    found = hearing.examine(asked(path, "es", "en"), nobody, Cancel())
    assert found.track
    samples = media.extract(found.info, found.track, path.with_name("pcm"))
    assert int(np.abs(samples.astype(np.int32)).max()) > 500
    target = path.with_name("out.mp4")
    notes = media.mux(found.info, found.track, dub, NAMED, [], target)
    assert track_choice.number_of(found.info, found.track) == kind.track
    lengths = [found.info.seconds, len(samples) / media.SPEECH_RATE, media.probe(target).seconds]
    assert lengths == pytest.approx([kind.seconds] * 3, abs=0.1)
    return _kept(target), [*map(str, found.notes), *map(str, notes)]


def _kept(path: Path) -> str:
    names = [
        stream.get("codec_name", "") + " cover" * stream["disposition"]["attached_pic"] for stream in streams(path)
    ]
    names.remove("aac")  # the dub
    return ", ".join(WRITTEN_ANEW.get(name, name) for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS_OF_FILMS, ids=lambda kind: kind.name)
def test_of_every_kind_of_film_there_is_kept_and_said_what_the_table_says(
    tmp_path: Path, dub: Path, kind: FilmKind
) -> None:
    path = made(kind, tmp_path)
    if kind.kept:
        assert dubbed(path, dub, kind) == (kind.kept, list(kind.said))
        return
    with pytest.raises(MediaError) as raised:
        dubbed(path, dub, kind)
    assert str(raised.value).replace(str(path), "FILE") == " ".join(kind.said)


@pytest.mark.parametrize("kind", KINDS_OF_CAPTIONS, ids=lambda kind: kind.name)
def test_of_every_kind_of_captions_there_is_read_what_the_table_says(kind: CaptionKind) -> None:
    content = kind.content.encode() if isinstance(kind.content, str) else kind.content
    if not kind.spoken:
        with pytest.raises(SubtitleError) as raised:
            captions.read(content)
        assert str(raised.value) == kind.said
        return
    found = captions.read(content)
    assert in_words((line.speaker, line.text) for line in found.utterances) == kind.spoken
    assert " ".join(map(str, found.notes)) == kind.said


def test_no_two_kinds_have_one_name() -> None:
    for kinds in (KINDS_OF_FILMS, KINDS_OF_CAPTIONS):
        names = [(kind.group, kind.name) for kind in kinds]
        assert len(set(names)) == len(names) > 30
