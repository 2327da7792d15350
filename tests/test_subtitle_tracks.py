"""A film's own subtitle tracks as the source, in place of a file, and the language of subtitles."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import vt
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from tests.films import AAC, H264, PICTURE, SOUND, ffmpeg, streams
from vt import languages, media
from vt.domain import JobRequest, JobSpec, Word, file_of_subtitles, subtitle_track
from vt.dubbing import pipeline, subtitle_source
from vt.engines.protocols import Heard
from vt.errors import LanguageError, SubtitleError
from vt.media import MediaInfo, Track
from vt.text import captions

ENGLISH = [("", "Hello there, my dear friend."), ("", "How are you, and where is the old house?")]
SPANISH = [("Ana", "Hola, mi querida amiga de la casa."), ("Luis", "¿Cómo estás hoy, y dónde está la casa?")]
TIMES = [(0.2, 0.9), (1.0, 1.8)]


def _srt(lines: list[tuple[str, str]]) -> str:
    cue = "{0}\n00:00:{1:06.3f} --> 00:00:{2:06.3f}\n{3}\n\n"
    return "".join(
        cue.format(at, *time, text) for at, (time, (_, text)) in enumerate(zip(TIMES, lines, strict=True), 1)
    )


def _ass(lines: list[tuple[str, str]]) -> str:
    row = "Dialogue: 0,0:00:{0:05.2f},0:00:{1:05.2f},Default,{2},0,0,0,,{{\\i1}}{3}"
    rows = [row.format(*time, *line) for time, line in zip(TIMES, lines, strict=True)]
    styles = "[V4+ Styles]\nFormat: Name, Fontname\nStyle: Default,Arial\n"
    return "\n".join(["[Script Info]\nScriptType: v4.00+\n", styles, "[Events]", *rows, ""])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films with subtitle tracks: an mkv with three, an mp4, and one in an encoding from before Unicode."""
    folder = tmp_path_factory.mktemp("tracks")
    (folder / "en.srt").write_text(_srt(ENGLISH))
    (folder / "es.ass").write_text(_ass(SPANISH))
    (folder / "none.vtt").write_text("WEBVTT\n\n00:00.200 --> 00:00.900\nOui.\n")
    inputs: list[str | Path] = ["-i", folder / "en.srt", "-i", folder / "es.ass", "-i", folder / "none.vtt"]
    tags = ["-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=spa", "-metadata:s:s:1", "title=Full"]
    maps = [part for at in range(5) for part in ("-map", str(at))]
    kinds = ["-c:s:0", "srt", "-c:s:1", "ass", "-c:s:2", "webvtt"]
    ffmpeg(*PICTURE, *SOUND, *inputs, *maps, *H264, *AAC, *kinds, *tags, folder / "film.mkv")
    ffmpeg("-i", folder / "film.mkv", "-map", "0:v", "-map", "0:a", "-map", "0:s:0", "-c", "copy", "-c:s", "mov_text",
           folder / "film.mp4")  # fmt: skip
    return folder


def _said(folder: Path, name: str, number: int) -> list[tuple[float, float, str, str]]:
    info = media.probe(folder / name)
    content = media.subtitle_text(info, media.subtitle_track(info, number), captions.MOST_BYTES)
    return [(round(at.start, 1), round(at.end, 1), at.speaker, at.text) for at in captions.read(content).utterances]


@pytest.mark.parametrize(
    ("name", "number", "lines"),
    [("film.mkv", 1, ENGLISH), ("film.mkv", 2, SPANISH), ("film.mp4", 1, ENGLISH)],
)
def test_a_text_track_is_read_with_its_times_and_speakers(
    folder: Path, name: str, number: int, lines: list[tuple[str, str]]
) -> None:
    assert _said(folder, name, number) == [(*time, *line) for time, line in zip(TIMES, lines, strict=True)]


def test_a_track_in_an_encoding_from_before_unicode_is_read(folder: Path) -> None:
    text = _srt([("", "Où est la maison de ma mère, déjà ?"), ("", "Elle est près du vieux château français.")])
    (folder / "old.srt").write_bytes(text.encode("utf-8"))
    ffmpeg(*PICTURE, "-i", folder / "old.srt", *H264, "-c:s", "srt", "-map", "0", "-map", "1", folder / "new.mkv")
    # ffmpeg writes no other encoding, but films have them: signs of one byte each take the place of those of two.
    content = (folder / "new.mkv").read_bytes()
    for sign in "ùèéâç":
        content = content.replace(sign.encode(), sign.encode("cp1252") + b" ")
    (folder / "old.mkv").write_bytes(content)
    texts = [text for *_, text in _said(folder, "old.mkv", 1)]
    assert ("mè re" in texts[0], "châ teau franç ais" in texts[1]) == (True, True)


def test_a_wrong_number_is_refused_with_the_tracks_that_there_are(folder: Path) -> None:
    info = media.probe(folder / "film.mkv")
    for number in (0, 4, 9999):
        with pytest.raises(SubtitleError) as raised:
            media.subtitle_track(info, number)
        assert f"has no subtitle track {number}: those that hold text are track:1 (eng, subrip), track:2 " in str(
            raised.value
        )


def _with_tracks(info: MediaInfo, *codecs: str) -> MediaInfo:
    tracks = tuple(Track(index, codec, "fra", "", None) for index, codec in enumerate(codecs))
    return replace(info, subtitles=tracks)


def test_a_track_of_pictures_is_refused_with_those_that_hold_text(folder: Path) -> None:
    info = media.probe(folder / "film.mkv")
    with pytest.raises(
        SubtitleError, match=r"track 1 of .* holds pictures \(hdmv_pgs_subtitle\).* track:2 \(fra, ass\)"
    ):
        media.subtitle_track(_with_tracks(info, "hdmv_pgs_subtitle", "ass"), 1)
    for codecs in (["dvd_subtitle"], []):
        with pytest.raises(SubtitleError, match="has no subtitle track that holds text"):
            media.subtitle_track(_with_tracks(info, *codecs), 1)


def test_a_track_without_a_cue_is_refused(folder: Path) -> None:
    ffmpeg(*PICTURE, "-i", folder / "es.ass", "-map", "0", "-map", "1", "-t", "0.1", *H264, "-c:s", "copy",
           folder / "empty.mkv")  # fmt: skip
    info = media.probe(folder / "empty.mkv")
    with pytest.raises(SubtitleError, match=r"The subtitle track \(ass\) of .* is empty"):
        media.subtitle_text(info, info.subtitles[0], captions.MOST_BYTES)


def test_no_more_of_a_track_is_read_than_of_a_file(folder: Path) -> None:
    cue = "{0}\n00:{1:02}:{2:02},000 --> 01:00:00,000\n{0} " + "Hello there. " * 150 + "\n\n"
    (folder / "long.srt").write_text("".join(cue.format(at, *divmod(at, 60)) for at in range(1, 3000)))
    ffmpeg("-i", folder / "long.srt", "-c", "copy", folder / "long.mkv")
    info = media.probe(folder / "long.mkv")
    content = media.subtitle_text(info, info.subtitles[0], captions.MOST_BYTES)
    with pytest.raises(SubtitleError, match="5 MB are the most"):
        captions.read(content)


@pytest.mark.soak
def test_the_tag_of_a_track_tells_its_language_where_nobody_names_one(folder: Path, tmp_path: Path) -> None:
    request = JobRequest(folder / "film.mkv", None, subtitle_track=2)
    factory = FakeFactory(ScriptedTranscriber([]), ToneSynthesizer(0.02))
    report = pipeline.dub(request, factory, tmp_path).report
    assert (report.source.language, report.source.language_detected) == (languages.get("es"), False)
    assert [line.source_text for line in report.segments] == [text for _, text in SPANISH]


@pytest.mark.soak
def test_a_film_is_dubbed_from_its_own_subtitles(folder: Path) -> None:
    done = vt("translate", folder / "film.mkv", "--to", "en", "--subtitles", "track:2", "-o", "dub", cwd=folder)
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "dub" / "film.en.report.json").read_text())
    assert (report["engines"]["stt"], report["source"]["language"]) == (None, "es")
    wrong = vt("translate", folder / "film.mkv", "--to", "en", "--subtitles", "track:7", "-o", "dub2", cwd=folder)
    assert (wrong.returncode, "track:2 (spa, Full, ass)" in wrong.stderr) == (2, True)


# In encodings from before Unicode

RUSSIAN = [("", "Здравствуй, мой дорогой друг."), ("", "Как дела, и где стоит старый дом?")]


def _film_of_texts(target: Path, *tracks: tuple[str, bytes]) -> Path:
    """Make a film with these subtitles, each with the tag of its language, in whatever encoding they are."""
    inputs: list[str | Path] = [*PICTURE, *SOUND]
    tags: list[str] = []
    for at, (language, content) in enumerate(tracks):
        path = target.with_name(f"{target.stem}.{at}.srt")
        path.write_bytes(content)
        inputs += ["-i", path]
        tags += [f"-metadata:s:s:{at}", f"language={language}"]
    maps = [part for at in range(2 + len(tracks)) for part in ("-map", str(at))]
    ffmpeg(*inputs, *maps, *H264, *AAC, "-c:s", "copy", *tags, target)
    return target


def _dubbed(film: Path, folder: Path, track: int | None = None) -> pipeline.Result:
    heard = ScriptedTranscriber([Heard((Word(0.2, 0.9, "Hello"), Word(1.0, 1.8, " there.")))])
    request = JobRequest(film, languages.get("es"), subtitle_track=track)
    return pipeline.dub(request, FakeFactory(heard, ToneSynthesizer(0.02)), folder)


def _texts(film: Path) -> list[tuple[str, str]]:
    """Return the language and the text of each subtitle track, as a player reads them."""
    tags = [found["tags"]["language"] for found in streams(film) if found["codec_type"] == "subtitle"]
    return [
        (tag, ffmpeg("-i", film, "-map", f"0:s:{at}", "-f", "srt", "pipe:1").decode()) for at, tag in enumerate(tags)
    ]


@pytest.mark.soak
@pytest.mark.parametrize("encoding", ["cp1251", "koi8-u", "iso8859-5"])
def test_a_dub_keeps_the_films_own_subtitles_readable_whatever_encoding_they_were_in(
    tmp_path: Path, encoding: str
) -> None:
    film = _film_of_texts(
        tmp_path / "film.mkv", ("eng", _srt(ENGLISH).encode()), ("rus", _srt(RUSSIAN).encode(encoding))
    )
    result = _dubbed(film, tmp_path)
    *_, english, russian = _texts(result.files[0])
    assert (english[0], russian[0]) == ("eng", "rus")
    assert ENGLISH[1][1] in english[1]
    for _, line in RUSSIAN:
        assert line in russian[1]
    assert [line for line in russian[1].splitlines() if "-->" in line] == [
        line for line in english[1].splitlines() if "-->" in line
    ]
    assert not [note for note in result.report.notes if "left out" in note]


@pytest.mark.soak
def test_subtitles_whose_encoding_nobody_can_tell_are_left_out_with_a_note(tmp_path: Path) -> None:
    noise = bytes(range(0x81, 0xFF)) * 3
    film = _film_of_texts(
        tmp_path / "film.mkv", ("eng", _srt([("", "NOISE"), ("", "b")]).encode().replace(b"NOISE", noise))
    )
    result = _dubbed(film, tmp_path)
    assert [tag for tag, _ in _texts(result.files[0])] == ["spa", "eng"]  # those of the dub
    assert "A subtitle track was left out: the encoding of its text cannot be told." in result.report.notes


@pytest.mark.soak
def test_a_track_in_windows_1251_stands_in_place_of_recognition(tmp_path: Path) -> None:
    film = _film_of_texts(tmp_path / "film.mkv", ("rus", _srt(RUSSIAN).encode("cp1251")))
    result = _dubbed(film, tmp_path, track=1)
    assert [line.source_text for line in result.report.segments] == [line for _, line in RUSSIAN]
    assert "The subtitles are not in UTF-8: they were read as Windows-1251." in result.report.notes
    assert result.report.source.language == languages.get("ru")
    assert RUSSIAN[0][1] in _texts(result.files[0])[-1][1]


@pytest.mark.soak
def test_the_tag_of_a_track_tells_the_encoding_where_its_text_is_too_short(tmp_path: Path) -> None:
    for tag, text in (("ell", "Ναι."), ("rus", "Нет."), ("heb", "לא.")):
        encoding = {"ell": "cp1253", "rus": "cp1251", "heb": "cp1255"}[tag]
        film = _film_of_texts(tmp_path / f"{tag}.mkv", (tag, _srt([("", text), ("", text)]).encode(encoding)))
        folder = tmp_path / tag
        folder.mkdir()
        result = _dubbed(film, folder, track=1)
        assert text in " ".join(line.source_text for line in result.report.segments)


TEXT = "La casa de mi amigo es muy grande y tiene un jardín con muchas flores."


@pytest.mark.parametrize(
    ("declared", "text", "language", "by_text"),
    [
        ("spa", TEXT, "es", False),
        ("spanish", TEXT, "es", False),
        ("eng", TEXT, "es", True),  # as of a transcript that was translated
        ("und", TEXT, "es", True),
        ("", TEXT, "es", True),
        ("pol", "No.", "pl", False),
        ("hr", "Dobro jutro, kako ste danas, moj dragi prijatelju iz starog grada?", "hr", False),
    ],
)
def test_the_language_that_subtitles_name_counts_unless_their_text_is_surely_in_another(
    declared: str, text: str, language: str, by_text: bool
) -> None:
    found, is_detected, notes = subtitle_source.language_of(None, declared, text)
    assert (found.code, is_detected, len(notes)) == (language, by_text, 1)


def test_the_language_that_the_user_names_counts_whatever_the_text_says() -> None:
    found, is_detected, notes = subtitle_source.language_of(languages.get("fr"), "en", TEXT)
    assert (found.code, is_detected) == ("fr", False)
    assert notes == ["The subtitles look like Spanish, but French was named: check the dub."]
    with pytest.raises(LanguageError, match="cannot be told"):
        subtitle_source.language_of(None, "", "No.")


def test_a_track_is_named_in_place_of_a_file_and_no_file_is_taken_for_one(tmp_path: Path) -> None:
    assert [subtitle_track(name) for name in ("track:2", "track:0", "track:x", "a.srt", "", None)] == [
        2, 0, None, None, None, None,
    ]  # fmt: skip
    spec = JobSpec("film.mkv", "en", subtitles="track:2")
    request = spec.to_request(tmp_path / "film", tmp_path / "subtitles")
    assert (request.subtitles, request.subtitle_track, spec.has_subtitle_file) == (None, 2, False)
    named = JobSpec("film.mkv", "en", subtitles=file_of_subtitles("track:2"))
    request = named.to_request(tmp_path / "film", tmp_path / "subtitles")
    assert (request.subtitles, request.subtitle_track) == (tmp_path / "subtitles", None)
