"""What films are to be dubbed or written down, and how: the options of the command line, and the requests they make."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vt.errors import InputError

if TYPE_CHECKING:
    from vt.domain import JobRequest
    from vt.languages import Language

ENDINGS = {
    *("3gp", "avi", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "mxf", "ogv", "ts", "vob", "webm"),
    *("wmv", "aac", "aif", "aiff", "amr", "flac", "m4a", "mka", "mp3", "oga", "ogg", "opus", "wav", "wma"),
}
"""What the names of the films end in that are taken from a folder; a film that is named may be called anything."""
_MOST_FILMS = 10_000
_REPORT = ".report.json"


def _source(word: str) -> Path | str:
    """Return what is named: a path, or a link as it is."""
    from vt import links

    return word if links.is_link(word) else Path(word)


def add_films(command: argparse.ArgumentParser) -> None:
    """Add the options that say what is heard, and where the results go."""
    command.add_argument(
        "sources",
        nargs="+",
        metavar="VIDEO",
        type=_source,
        help="video or audio files, folders of them, or links to them; who speaks in several of them keeps a voice",
    )
    command.add_argument(
        "--cookies", type=Path, metavar="FILE", help="for links: cookies of the site, in Netscape's format"
    )
    command.add_argument("--from", dest="origin", default="auto", metavar="LANGUAGE", help="the language spoken")
    command.add_argument("-o", dest="out", type=Path, default=Path("out"), metavar="DIR", help="default: ./out")
    command.add_argument(
        "--subtitles",
        metavar="FILE",
        help="in place of recognition: SRT, WebVTT, ASS, TTML, SBV, LRC, or a transcript in JSON as Whisper and "
        "whisperX write it; or track:2 for the second subtitle track in the video",
    )
    command.add_argument(
        "--audio-track", type=int, metavar="N", help="which sound track is heard, from 1 (default: by its language)"
    )
    command.add_argument("--speakers", default="auto", metavar="N", help="how many speak, 1 to 12; default: auto")
    command.add_argument(
        "--mark-speakers", action="store_true", help="show in the subtitles where another person begins to speak"
    )
    command.add_argument("--json", action="store_true", help="one object a line, the last one the result")
    command.add_argument("-v", "--verbose", action="store_true", help="log to stderr")


def add_dub(command: argparse.ArgumentParser) -> None:
    """Add the options that say how a film is dubbed."""
    command.add_argument(
        "--to",
        required=True,
        action="append",
        metavar="LANGUAGE",
        help="the language to speak, such as es; es,fr for a dub in each: the film is heard once",
    )
    command.add_argument(
        "--voice",
        default="",
        metavar="ID",
        help="one of those that `vt voices es` lists; for several speakers 1=em_alex,2=ef_dora",
    )
    command.add_argument(
        "--background",
        default="",
        metavar="HOW",
        help="what is heard of the original: none; duck: its sound under the dub; keep: its sound without the voices; "
        "default: by what there is",
    )
    command.add_argument(
        "--burn", default="", metavar="LANGUAGE", help="draw the subtitles of a language, or both, into the picture"
    )
    command.add_argument("--karaoke", action="store_true", help="with --burn: light up its words as they are spoken")
    command.add_argument(
        "--literal", action="store_true", help="never choose a shorter wording where the time for a line is short"
    )
    command.add_argument(
        "--fit",
        default="",
        metavar="WHAT",
        help="what yields where a line needs more time than there is: speech (default), which gets faster, or picture, "
        "which is slowed there, so that the film gets a little longer",
    )
    command.add_argument(
        "--preview", action="store_true", help="dub only the first minute, as a trial: talk.preview.es.mp4"
    )
    command.add_argument(
        "--one-file",
        action="store_true",
        help="with several --to: all dubs of a film in one file too, each with its sound and subtitles: talk.es+fr.mp4",
    )
    command.add_argument(
        "--glossary",
        type=Path,
        metavar="FILE",
        help="terms that are always translated alike, or never: CSV or TSV with a term, its translation and, if it "
        "holds for one language alone, the code of that",
    )
    command.add_argument("--tts-engine", default="", metavar="NAME", help="who is to speak, such as espeak-ng")
    command.add_argument("--translation-engine", default="", metavar="NAME", help="who is to translate")
    command.add_argument(
        "--profile", type=Path, metavar="FILE", help="write where the time goes, for Perfetto or chrome://tracing"
    )


def add_speech(command: argparse.ArgumentParser) -> None:
    """Add the options that say what is spoken, and how."""
    command.add_argument(
        "text", nargs="*", metavar="TEXT", help="what is to be spoken; - or nothing: what is piped in, in UTF-8"
    )
    command.add_argument(
        "-o",
        dest="out",
        type=Path,
        required=True,
        metavar="FILE",
        help="where it is written; its ending names the format: wav, mp3, opus, flac, aac or pcm; -: to stdout",
    )
    command.add_argument("--language", default="", metavar="LANGUAGE", help="default: the voice's, or the text's own")
    command.add_argument("--voice", default="", metavar="ID", help="one of those that `vt voices es` lists")
    command.add_argument("--tts-engine", default="", metavar="NAME", help="who is to speak, such as espeak-ng")
    command.add_argument("--speed", type=float, default=1.0, metavar="TIMES", help="0.25 to 4; default: 1")
    command.add_argument("--format", default="", metavar="NAME", help="default: by the file's ending; of stdout: wav")
    command.add_argument("--json", action="store_true", help="one object a line, the last one the result")
    command.add_argument("-v", "--verbose", action="store_true", help="log to stderr")


def add_jobs(command: argparse.ArgumentParser) -> None:
    """Add the options that say what is to be done with the jobs of a server."""
    command.add_argument("id", nargs="?", default="", metavar="ID", help="only this one; default: all, for managers")
    wanted = command.add_mutually_exclusive_group()
    wanted.add_argument("--fetch", action="store_true", help="fetch its film, its subtitles and its report")
    wanted.add_argument("--cancel", action="store_true", help="end it")
    wanted.add_argument("--remove", action="store_true", help="remove it, with all that is kept of it")
    command.add_argument("-o", dest="out", type=Path, default=Path("out"), metavar="DIR", help="for --fetch: ./out")
    command.add_argument("--json", action="store_true", help="one object a line")


def dubs(arguments: argparse.Namespace) -> list[JobRequest]:
    """Return the dubs that are asked for: of each film in turn, one for each language.

    Raises:
        InputError: an argument or a file is at fault.
    """
    from vt.domain import Finish, Wishes
    from vt.dubbing import glossing

    glossing.read(arguments.glossary)
    targets = _targets(arguments.to)
    if len(targets) > 1 and arguments.voice:
        raise InputError("A voice speaks one language: name one language with --voice.")
    _check_one_file(arguments, len(targets))
    finish = {"background": arguments.background, "burn": arguments.burn, "fit": arguments.fit}
    wishes = Wishes(_voice(arguments.voice), arguments.tts_engine, arguments.translation_engine)
    finished = replace(Finish.of(finish), literal=arguments.literal, karaoke=arguments.karaoke)
    more = {"wishes": wishes, "preview": arguments.preview, "glossary": arguments.glossary}
    return [
        replace(request, target_language=target, finish=finished, **more)
        for request in transcripts(arguments)
        for target in targets
    ]


def _check_one_file(arguments: argparse.Namespace, languages: int) -> None:
    """Raise where one file is asked for, and there would be only one dub, or pictures that differ."""
    if not arguments.one_file:
        return
    if languages == 1:
        raise InputError("Name several languages with --one-file, such as --to es,fr.")
    if arguments.burn or arguments.fit == "picture":
        raise InputError("With --one-file all dubs share one picture: leave --burn and --fit picture out.")


def transcripts(arguments: argparse.Namespace) -> list[JobRequest]:
    """Return what is to be written down: of each film what is said in it.

    Raises:
        InputError: an argument or a file is at fault.
    """
    from vt import languages, media
    from vt.domain import JobRequest, number_of_speakers, subtitle_track

    track = subtitle_track(arguments.subtitles)
    films = list(_films(arguments.sources))
    first = JobRequest(
        source=films[0],
        target_language=None,
        source_language=languages.spoken(arguments.origin),
        subtitles=None if track is not None or arguments.subtitles is None else Path(arguments.subtitles),
        subtitle_track=track,
        audio_track=arguments.audio_track,
        speakers=number_of_speakers(arguments.speakers),
        mark_speakers=arguments.mark_speakers,
    )
    for film in films:
        media.check_readable(film)
    _check_together(films, first.subtitles)
    return [replace(first, source=film) for film in films]


def _targets(named: Sequence[str]) -> list[Language]:
    from vt import languages

    found = [languages.get(word.strip()) for one in named for word in one.split(",") if word.strip()]
    if not found:
        raise InputError("Name a language to speak with --to, such as es.")
    return list(dict.fromkeys(found))


def _films(sources: Sequence[Path]) -> Iterator[Path]:
    """Yield the films that are named, and those of the folders that are named, by their names.

    What lies beside a report of its own name is a result, and no film to be dubbed.
    """
    for source in sources:
        if not source.is_dir():
            yield source
            continue
        found = [path for path in source.iterdir() if _is_film(path)]
        if not found:
            raise InputError(
                "{file} is a folder without a film: name a video or audio file, or its folder.", file=source
            )
        if len(found) > _MOST_FILMS:
            raise InputError(
                "There are more than {most} films in {file}: name some of them.", most=_MOST_FILMS, file=source
            )
        yield from sorted(found)


def _is_film(path: Path) -> bool:
    return (
        path.suffix.lower().removeprefix(".") in ENDINGS
        and not path.name.startswith(".")
        and path.is_file()
        and not any(path.with_name(f"{stem}{_REPORT}").exists() for stem in (path.stem, _first_dub(path.stem)))
    )


def _first_dub(stem: str) -> str:
    """Return what the first of the dubs is called that are in one file of this name: talk.es for talk.es+fr."""
    name, _, languages = stem.rpartition(".")
    return f"{name}.{languages.partition('+')[0]}"


def _check_together(films: Sequence[Path], subtitles: Path | None) -> None:
    """Raise where the results of two films would have the same names, or one file says what is said in both."""
    if len(films) > 1 and subtitles:
        raise InputError("One file of subtitles ({file}) is one film's: name one film with it.", file=subtitles)
    seen: set[str] = set()
    for film in films:
        if film.stem in seen:
            raise InputError(
                "Two of the films are called {name}, so their results would be too: dub them into two folders, by -o.",
                name=film.stem,
            )
        seen.add(film.stem)


def _voice(named: str) -> str:
    """Return the id of a voice; empty for auto, which is the best one."""
    return "" if named == "auto" else named
