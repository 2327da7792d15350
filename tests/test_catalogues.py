"""What floors below say, in each language of the page: the catalogues held against messages that real code makes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from babel.numbers import get_decimal_symbol

from tests import films, hostile
from tests.asking import asked, pair
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from tests.test_factory import settings
from tests.test_jobs import SCRIPT, SPEC, Desk
from tests.test_sound_translation import German
from tests.test_voice_samples import Endless, with_tones
from vt import languages, media
from vt.domain import NO_EDITS, Cancel, Edit, Edits, JobRequest, JobState, Wishes
from vt.dubbing import pipeline
from vt.dubbing.voice_samples import Samples
from vt.engines import apertium, espeak, mms, nllb, translation_routes, whisper_translation
from vt.engines.candidate import Candidate
from vt.errors import (
    FilmTooLarge,
    JobNotFound,
    Outdated,
    QueueFull,
    ToolStopped,
    TooManyJobs,
    TooManyWaiting,
    TooMuchKept,
    UploadGone,
    VtError,
    WrongState,
)
from vt.factory import AIServiceFactory
from vt.jobs.store import DEATHS, Store, new_id
from vt.jobs.watchdog import Patience, Watchdog
from vt.jobs.worker import message_for
from vt.media import Named
from vt.models.catalogue import Catalogue
from vt.system import processes
from vt.system.processes import Child, Slots
from vt.text import captions, identification
from vt.translatable import LanguageName, Message, joined
from vt.ui.translations import CATALOGUES
from vt.ui.words import Words
from vt.web.admin import admit
from vt.web.visitors import ConcurrencyLimit, Visitor

FILM = "holiday.mp4"
SRT = "1\n00:00:00,200 --> 00:00:01,000\n{text}\n"


def said(act: Callable[[], object]) -> str:
    """Return the message of the error that an act ends with."""
    with pytest.raises(VtError) as raised:
        act()
    return raised.value.message


def refusal(candidate: Candidate[Any]) -> str:
    assert candidate.unfit
    return candidate.unfit


def templates(message: str) -> Iterator[str]:
    """List the templates of a message, and of those that are values of it."""
    whole = Message(message)
    yield whole.template
    for value in whole.values.values():
        if isinstance(value, Message):
            yield from templates(value)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return films.film(tmp_path_factory.mktemp("film") / FILM, "-movflags", "+faststart")


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def of_films(folder: Path, film: Path) -> Iterator[str]:
    whole = film.read_bytes()
    yield said(lambda: media.probe(written(folder / "notes.mp4", "no film")))
    yield said(lambda: media.probe(written(folder / "list.mp4", "ffconcat version 1.0\nfile x.mp4\n")))
    yield said(lambda: media.probe(written(folder / "empty.mp4", b"")))
    late = films.film(folder / "late.mp4")
    yield said(lambda: media.probe(written(folder / "endless.mp4", late.read_bytes()[: late.stat().st_size // 2])))
    half = media.probe(written(folder / "half.mp4", whole[: len(whole) // 2]))
    yield said(lambda: media.extract(half, half.audio[0], folder / "half.pcm"))
    away = media.probe(film)
    yield said(lambda: media.extract(away, replace(away.audio[0], index=9), folder / "away.pcm"))
    lost = replace(away, audio=(replace(away.audio[0], index=9),))
    yield said(lambda: media.measured_seconds(lost))
    names = (Named("spa", "Español"), Named("eng", "English"))
    assert away.video
    blind = replace(away, video=replace(away.video, index=9))
    yield said(lambda: media.mux(blind, blind.audio[0], film, names, (), folder / "lost.mp4"))
    yield said(lambda: media.probe(hostile.of_many_tracks(folder / "many.mkv", 300)))
    more = media.probe(hostile.of_more_than_it_promises(folder / "more.mkv", 1.0, 90.0))
    yield said(lambda: media.extract(more, more.audio[0], folder / "more.pcm", longest=6.0))


def of_programs(folder: Path, film: Path) -> Iterator[str]:
    del folder
    computing = Child(["sh", "-c", "kill -XCPU $$"])
    with pytest.raises(ToolStopped) as stopped:
        processes.run(computing)
    yield media.unfit(film, stopped.value).message
    yield said(lambda: processes.run(Child(["sh", "-c", "kill -KILL $$"])))
    for patience in (Patience(standstill=0.0), Patience(at_least=0.0)):
        trouble = Watchdog(Cancel(), patience).trouble()
        assert trouble
        yield trouble
    slots = Slots(0, patience=0.0)
    yield said(lambda: processes.run(computing, slots=slots))


def of_requests(folder: Path, film: Path) -> Iterator[str]:
    factory = FakeFactory(ScriptedTranscriber(SCRIPT), ToneSynthesizer())
    nobody = FakeFactory(ScriptedTranscriber([]), ToneSynthesizer())
    request = asked(film, "es", "en")

    def with_subtitles(text: str, language: str = "en") -> JobRequest:
        return replace(request, subtitles=written(folder / "talk.srt", text), source_language=languages.get(language))

    silent = folder / "silent.mp4"
    films.ffmpeg("-i", film, "-an", "-c", "copy", silent)
    yield said(lambda: pipeline.check(replace(request, source=silent), factory))
    yield said(lambda: pipeline.check(replace(request, audio_track=7), factory))
    yield said(lambda: pipeline.dub(request, nobody, folder, lambda _: None))
    yield said(lambda: pipeline.check(with_subtitles(SRT.format(text="<i></i>")), factory))
    yield said(lambda: pipeline.check(with_subtitles("\n"), factory))
    yield said(lambda: captions.read(b"1\n00:00:01,000 --> soon\nWell.\n"))
    yield said(lambda: captions.read(SRT.format(text="well " * 500).encode()))
    yield said(lambda: captions.read(SRT.format(text="Well.").encode() + b"\n" * 500_001))
    yield said(lambda: captions.read(SRT.format(text="e").encode() + bytes(range(0x80, 0x100)) * 2))
    few = "".join(SRT.format(text=f"Well, {number}.\n") for number in range(20))
    mixed = captions.read(f"{few}9\n-00:00:01,000 --> 00:00:02,000\nÉh?\n\n9\n9 --> 9\nWell.\n".encode("cp1252"), "en")
    yield from mixed.notes
    yield said(lambda: captions.read("".join(SRT.format(text=f"Well, {n}.") for n in range(20_001)).encode()))
    yield said(lambda: captions.read("".join(SRT.format(text=f"{n} " * 400) for n in range(260)).encode()))
    yield said(lambda: pipeline.check(with_subtitles(" " * (captions.MOST_BYTES + 1)), factory))
    yield said(lambda: pipeline.dub(with_subtitles(SRT.replace("00:00:0", "00:09:0").format(text="Well.")), factory,
                                    folder, lambda _: None))  # fmt: skip
    late = with_subtitles(SRT.format(text="Well.") + "\n9\n00:09:00,000 --> 00:09:01,000\nBye.\n")
    yield from pipeline.dub(late, factory, folder, lambda _: None).report.notes
    yield said(lambda: identification.language_of("?"))


def of_languages(folder: Path, film: Path) -> Iterator[str]:
    yield refusal(Catalogue(settings()).translation(*pair("en", "ja"))[0])
    yield refusal(Catalogue(settings(translation_engine="firefox")).translation(*pair("es", "ca"))[0])
    commercial = Catalogue(settings(licences="commercial"))
    yield refusal(commercial.translation(*pair("en", "ja"))[-1])
    yield refusal(commercial.tts(languages.get("abi"))[-1])
    yield said(lambda: commercial.tts(languages.get("es"), engine="mms"))
    with closing(AIServiceFactory(settings(whisper_model="tiny.en"))) as factory:
        yield said(lambda: factory.check(*pair("en", "en")))
        yield said(lambda: factory.check(*pair("en", "gl")))
        tagged = folder / "tagged.mp4"
        films.ffmpeg("-i", film, "-c", "copy", "-metadata:s:a:0", "language=fra", tagged)
        yield said(lambda: pipeline.dub(asked(tagged, "es"), factory, folder, lambda _: None))
    english_only = FakeFactory(ScriptedTranscriber(SCRIPT), ToneSynthesizer(), detects=False)
    yield from pipeline.dub(asked(film, "es"), english_only, folder, lambda _: None).report.notes


def of_voices(folder: Path, film: Path) -> Iterator[str]:
    del folder, film
    with closing(with_tones(ToneSynthesizer(), downloads=True)) as factory:
        yield said(lambda: Samples(factory).of("tones-a"))
        yield said(lambda: Samples(factory).of("tones-d"))
        yield said(lambda: factory.voice(languages.get("fr"), Wishes(voice="tones-a")))
        yield said(lambda: factory.voice(languages.get("es"), Wishes(voice="tones-a", tts_engine="espeak-ng")))
    with closing(with_tones(Endless())) as factory:
        yield said(lambda: Samples(factory, patience_seconds=0.05).of("tones-a"))
    with closing(with_tones(ToneSynthesizer(0.0))) as factory:
        yield said(lambda: Samples(factory).of("tones-a"))


def of_jobs(folder: Path, film: Path) -> Iterator[str]:
    full = (QueueFull(), TooManyJobs(8), TooMuchKept(2**30), UploadGone(), TooManyWaiting(), FilmTooLarge(500))
    yield from (error.message for error in (*full, JobNotFound(), WrongState(JobState.RUNNING), Outdated()))
    with closing(Desk(folder / "short", max_duration_minutes=0.01)) as desk:
        yield said(lambda: desk.submit(film))
    with closing(Desk(folder / "desk")) as desk:
        done = desk.dubbed(film)
        yield said(lambda: desk.jobs.edit(done, 1, Edits({0: Edit("long " * 1000)})))
        yield said(lambda: desk.jobs.edit(done, 1, Edits({0: Edit("half \ud800")})))
        desk.free = 0
        yield said(lambda: desk.submit(film))
        report = desk.jobs.report_file(done).path
        report.write_text("{")
        yield said(lambda: desk.jobs.report(done))
        report.unlink()
        report.mkdir()
        yield said(lambda: desk.jobs.report(done))
    with closing(Store(folder / "vt.db")) as store:
        job_id = store.create(new_id(), SPEC, 1).id
        for _ in range(DEATHS):
            store.claim()
            store.died(job_id, 7)
        yield store.get(job_id).error or ""


def of_accidents(folder: Path, film: Path) -> Iterator[str]:
    """What comes of a job in whose middle something breaks that nobody foresaw."""

    def broken(error: Exception) -> Iterator[str]:
        class Voice(ToneSynthesizer):
            def speak(self, *_: object) -> None:  # type: ignore[override]
                raise error

        place = folder / type(error).__name__
        with closing(Desk(place, Voice())) as desk:
            yield desk.over(desk.submit(film)).error or ""

    yield from broken(KeyError("whatever"))
    yield from broken(MemoryError())
    yield message_for(MemoryError())
    yield from broken(OSError(28, "No space left on device"))


def of_remarks(folder: Path, film: Path) -> Iterator[str]:
    yield from (engine.INFO.remark for engine in (apertium, espeak, nllb, mms, whisper_translation))
    yield translation_routes.advice([translation_routes.Hop("firefox", "en", "es")])
    english = "Well now, this is a fine day, and I should like to say so in a good many words."
    spanish_text = "Pues bien, hoy hace un buen día y me gustaría decirlo con muchas palabras seguidas."
    factory = FakeFactory(ScriptedTranscriber(SCRIPT), ToneSynthesizer())
    request = asked(film, "es")
    for texts in (None, (None, english), (languages.get("en"), spanish_text)):
        place = folder / str(len(list(folder.iterdir())))
        place.mkdir()
        if texts:
            path = written(place / "talk.srt", SRT.format(text=texts[1]))
            request = replace(request, subtitles=path, source_language=texts[0])
        yield from pipeline.dub(request, factory, place, lambda _: None).report.notes
    webm, dub = folder / "film.mkv", folder / "dub.m4a"
    films.ffmpeg(*films.PICTURE, *films.SOUND, "-c:v", "libvpx", "-c:a", "pcm_s16le", webm)
    films.ffmpeg(*films.SOUND, *films.AAC, dub)
    info = media.probe(webm)
    info = replace(info, subtitles=(replace(info.audio[0], codec="dvd_subtitle"),), covers=(info.audio[0],))
    names = (Named("spa", "Español"), Named("eng", "English"))
    yield from media.mux(info, info.audio[0], dub, names, (), folder / "out.mp4")


def of_lines(folder: Path, film: Path) -> Iterator[str]:
    """What is said of lines that are kept, or translated from their sound."""

    def dubbed(
        served: FakeFactory, target: str, subtitles: Path | None = None, mended: Edit | None = None
    ) -> list[str]:
        source = "en" if subtitles else "de"
        edit = Edits({0: mended}) if mended else NO_EDITS
        request = asked(film, target, source, subtitles, edits=edit)
        place = folder / f"{len(list(folder.iterdir()))}"
        place.mkdir()
        return list(pipeline.dub(request, served, place).report.notes)

    kept = "El mar guarda los secretos de todos los pescadores."
    for text in (kept, f"{kept} {kept}"):
        path = written(folder / "talk.srt", SRT.format(text=text))
        yield from dubbed(FakeFactory(ScriptedTranscriber(SCRIPT), ToneSynthesizer()), "es", path)
    yield from dubbed(German("One.", ""), "en")
    yield from dubbed(German(""), "en")
    yield said(lambda: dubbed(German("One."), "en", mended=Edit(source_text="Der Hund schläft auf dem Sofa.")))


LOCAL = Visitor("127.0.0.1", is_local=True)


def of_managers(folder: Path, film: Path) -> Iterator[str]:
    del folder, film
    guarded = settings(admin_token="sesame")  # noqa: S106
    yield said(lambda: admit(guarded, LOCAL, {}, "wrong"))
    yield said(lambda: admit(guarded, LOCAL, {}))
    yield said(lambda: admit(guarded, Visitor("192.0.2.1"), {}))


def of_crowds(folder: Path, film: Path) -> Iterator[str]:
    del folder, film
    yield said(lambda: ConcurrencyLimit("films to be looked into", each=0, total=1).held("192.0.2.1").__enter__())
    yield said(lambda: ConcurrencyLimit("films to be looked into", each=1, total=0).held("192.0.2.1").__enter__())


SOURCES = (
    of_films, of_programs, of_requests, of_languages, of_voices, of_jobs, of_accidents, of_remarks, of_lines,
    of_managers, of_crowds,
)  # fmt: skip


@pytest.mark.soak
def test_what_the_code_says_is_said_in_the_language_of_every_catalogue(film: Path, tmp_path: Path) -> None:
    for source in SOURCES:
        folder = tmp_path / source.__name__
        folder.mkdir()
        for message in source(folder, film):
            assert message
            values = Message(message).values.items()
            assert all(isinstance(value, LanguageName) for name, value in values if name.startswith("language")), (
                message
            )
            for language, catalogue in CATALOGUES.items():
                for template in templates(message):
                    is_sentence = re.search(r"[a-z]{3} ", template)
                    assert not is_sentence or catalogue.get(template), f"{language}, not translated: {template}"
                assert Words(language).sentence(message) != message


@pytest.mark.parametrize("language", CATALOGUES)
def test_a_sentence_keeps_its_names_and_has_languages_and_numbers_as_its_reader_writes_them(language: str) -> None:
    words, point = Words(language), get_decimal_symbol(language)
    silent = Message("{file}: no speech found, so there is nothing to translate.", file=Path("/films/2.5.mp4"))
    assert words.sentence(silent) != silent
    assert "2.5.mp4" in words.sentence(silent)
    assert "/films" not in words.sentence(silent)
    heard = Message(
        "The film speaks {language}, as far as was heard (probability {probability:.2f}).",
        language=languages.get("fr"),
        probability=0.981,
    )
    french = languages.name_in("fr", language)
    assert french != "French"
    assert french in words.sentence(heard)
    assert f"0{point}98" in words.sentence(heard)
    assert words.sentence("Nobody knows this one.") == "Nobody knows this one."
    unknown = Message("Nobody knows {number:.1f} either.", number=1.5)
    assert words.sentence(unknown) == f"Nobody knows 1{point}5 either."
    cover = Message("A cover was left out: it is too large, or damaged.")
    assert words.sentence(cover) != cover
    assert words.sentence(joined(cover, heard)) == f"{words.sentence(cover)} {words.sentence(heard)}"


def test_a_sentence_in_the_language_of_the_code_is_left_alone() -> None:
    assert Words("en").sentence("The disk is full: free some space and try again.").startswith("The disk is full:")
