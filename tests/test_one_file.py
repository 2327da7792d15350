"""The dubs of one film in one file: every language has its sound and its subtitles, and nothing else is there twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.films import AAC, H264, PICTURE, ffmpeg, packets_md5, streams
from tests.test_batch import Noted, names, parsed, served, two_films, wanted
from vt import media
from vt.cli import batch, options
from vt.domain import Cancel, JobRequest
from vt.dubbing.pipeline import Result
from vt.errors import Cancelled, InputError, MediaError
from vt.media import Named, Soft
from vt.system import folders

TITLES = {"spa": "español", "fra": "français", "eng": "English"}
CHAPTERS = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=1\ntitle=First\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return two_films(tmp_path)


@pytest.fixture(scope="module")
def dubs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return two dubs of a film with a second sound track, subtitles of its own, a cover and a chapter."""
    folder = tmp_path_factory.mktemp("dubs")
    (folder / "chapters.txt").write_text(CHAPTERS)
    (folder / "own.srt").write_text("1\n00:00:00,200 --> 00:00:01,500\nOwn.\n")
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=64x36", "-frames:v", "1", folder / "cover.jpg")
    tones = [part for hertz in (300, 500) for part in ("-f", "lavfi", "-i", f"sine=f={hertz}:r=48000:d=2")]
    files: list[str | Path] = ["-i", folder / "own.srt", "-i", folder / "cover.jpg", "-i", folder / "chapters.txt"]
    maps = [part for number in range(5) for part in ("-map", str(number))]
    ffmpeg(
        *PICTURE, *tones, *files, *maps, "-map_chapters", "5", *H264, *AAC, "-c:v:1", "copy", "-c:s", "mov_text",
        "-disposition:v:1", "attached_pic", "-metadata:s:a:1", "language=deu", "-metadata:s:s:0", "language=deu",
        folder / "film.mp4",
    )  # fmt: skip
    info = media.probe(folder / "film.mp4")
    made = []
    for code, hertz in (("spa", 700), ("fra", 900)):
        ffmpeg("-f", "lavfi", "-i", f"sine=f={hertz}:r=48000:d=2", *AAC, folder / f"{code}.m4a")
        softs = []
        for language in (code, "eng"):
            text = folder / f"{language}.srt"
            text.write_text(f"1\n00:00:00,500 --> 00:00:01,500\nIn {language}.\n")
            softs.append(Soft(text, language, TITLES[language]))
        name, original = Named(code, f"{TITLES[code]} (dubbed)"), Named("eng", "English (original)")
        made.append(folder / f"film.{code}.mp4")
        media.mux(info, info.audio[0], folder / f"{code}.m4a", (name, original), softs, made[-1])
    return made


def kinds(found: list[dict[str, Any]], kind: str) -> list[tuple[str, str]]:
    return [
        (stream["tags"]["language"], stream["tags"]["handler_name"])
        for stream in found
        if stream["codec_type"] == kind and not stream["disposition"]["attached_pic"]
    ]


def test_each_dub_has_its_sound_and_its_subtitles_and_all_else_is_there_once(dubs: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "all.mp4"
    media.join(dubs, target)
    found = streams(target)
    sounds = kinds(found, "audio")
    assert sounds[:3] == [
        ("spa", "español (dubbed)"), ("fra", "français (dubbed)"), ("eng", "English (original)")
    ]  # fmt: skip
    assert [language for language, _ in sounds[3:]] == ["deu"]
    assert [language for language, _ in kinds(found, "subtitle")] == ["spa", "fra", "eng", "deu"]
    assert [one["disposition"]["default"] for one in found if one["codec_type"] == "audio"] == [1, 0, 0, 0]
    assert [stream["disposition"]["attached_pic"] for stream in found if stream["codec_type"] == "video"] == [0, 1]
    assert packets_md5(target) == packets_md5(dubs[0])
    for track, hertz in enumerate((700, 900, 300, 500)):
        heard = ffmpeg("-i", target, "-map", f"0:a:{track}", "-ac", "1", "-ar", "8000", "-f", "s16le", "pipe:1")
        crossings = sum(a < 128 <= b for a, b in zip(heard[1:8001:2], heard[3:8003:2], strict=True))
        assert crossings == pytest.approx(hertz / 2, rel=0.1)  # of the signs of half a second's samples
    said = ffmpeg("-i", target, "-map", "0:s:1", "-f", "srt", "pipe:1").decode()
    assert "In fra." in said
    assert "First" in ffmpeg("-i", target, "-f", "ffmetadata", "pipe:1").decode()


def test_what_is_no_dub_is_refused_with_its_name(dubs: list[Path], tmp_path: Path) -> None:
    ffmpeg(*PICTURE, *H264, tmp_path / "mute.mp4")
    with pytest.raises(MediaError, match=r"mute\.mp4 has no sound"):
        media.join([dubs[0], tmp_path / "mute.mp4"], tmp_path / "all.mp4")
    assert not (tmp_path / "all.mp4").exists()


@pytest.mark.soak
def test_the_dubs_of_each_film_are_in_one_file_as_well(folder: Path) -> None:
    out, teller = folder / "out", Noted()
    requests = [request for request in wanted(folder) if request.source.name == "one.wav"]

    def run() -> bool:
        return batch.run(
            requests, (), served(), out, teller, lambda _, result, __: folders.deliver(result.files, out), one_file=True
        )

    assert run()
    assert "one.es+fr.m4a" in names(folder)
    assert [language for language, _ in kinds(streams(out / "one.es+fr.m4a"), "audio")][:2] == ["spa", "fra"]
    assert not any(name.startswith(".") for name in names(folder))


@pytest.mark.soak
def test_a_disk_that_is_full_when_the_dubs_are_put_together_leaves_them_and_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(media, "join", full)
    requests = [request for request in wanted(folder) if request.source.name == "one.wav"]
    out, teller = folder / "out", Noted()

    def deliver(_: object, result: Result, __: object) -> list[Path]:
        return folders.deliver(result.files, out)

    assert not batch.run(requests, (), served(), out, teller, deliver, one_file=True)
    assert {"one.es.m4a", "one.fr.m4a"} <= names(folder)
    monkeypatch.undo()
    again = Noted()
    assert batch.run(requests, (), served(), out, again, deliver, one_file=True)
    assert again.states == ["kept", "kept"]
    assert "one.es+fr.m4a" in names(folder)


def test_a_batch_that_is_stopped_after_its_dubs_puts_nothing_together(folder: Path) -> None:
    requests = [request for request in wanted(folder) if request.source.name == "one.wav"]
    out, cancel, teller = folder / "out", Cancel(), Noted()

    def deliver(request: JobRequest, result: Result, _: object) -> list[Path]:
        if request is requests[-1]:
            cancel.set()
        return folders.deliver(result.files, out)

    with pytest.raises(Cancelled, match="goes on where it was"):
        batch.run(requests, (), served(), out, teller, deliver, one_file=True, cancel=cancel)
    assert teller.states == ["done", "done"]
    assert "one.es+fr.m4a" not in names(folder)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--to", "es"), "Name several languages"),
        (("--to", "es,fr", "--burn", "es"), "share one picture"),
        (("--to", "es,fr", "--fit", "picture"), "share one picture"),
    ],
)
def test_what_one_file_cannot_be_made_of_is_refused(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        options.dubs(parsed("translate", folder / "one.wav", *arguments, "--one-file"))


def test_a_film_of_several_dubs_is_a_result_and_not_dubbed_again(folder: Path) -> None:
    for name in ("one.es+fr.wav", "one.es.wav"):
        (folder / name).write_bytes(b"")
    (folder / "one.es.report.json").write_bytes(b"")
    found = [request.source.name for request in options.dubs(parsed("translate", folder, "--to", "es"))]
    assert found == ["one.wav", "two.wav"]
