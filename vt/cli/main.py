"""The command line. Progress and results go to stdout; an error is one line on stderr."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from vt import __version__
from vt.cli import options, stopping, transcripts
from vt.errors import Cancelled, InputError, ToolError, VtError

if TYPE_CHECKING:
    from vt.cli.client import Client
    from vt.cli.telling import Teller
    from vt.domain import Cancel, JobRequest
    from vt.dubbing.pipeline import Result

DONE, FAILED, BAD_INPUT = 0, 1, 2


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        raise InputError("{message}. See `vt --help`.", message=f"{message[:1].upper()}{message[1:]}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code: 0 done, 2 the input is at fault, 1 anything else."""
    try:
        with stopping.heard() as cancel:
            return _run(argv, cancel)
    except InputError as error:
        return _complain(str(error), BAD_INPUT)
    except (VtError, OSError) as error:
        return _complain(error.in_full if isinstance(error, VtError) else str(error), FAILED)
    except KeyboardInterrupt:
        return _complain("Stopped; nothing was changed.", FAILED)
    except Exception as error:  # noqa: BLE001 (no traceback may reach a user)
        return _complain(f"An unexpected error, please report it: {type(error).__name__}: {error}", FAILED)


def _run(argv: Sequence[str] | None, cancel: Cancel) -> int:
    arguments = parser().parse_args([_path_of(word) for word in (sys.argv[1:] if argv is None else argv)])
    arguments.cancel = cancel
    if arguments.config:
        from vt.cli import config

        config.apply(arguments.config)
    with _stderr_discarded(arguments.verbose):
        return int(arguments.run(arguments))


def _path_of(word: str) -> str:
    """Return an argument; one that names a file with a leading dash gets `./`, so that it is not read as an option."""
    return f"./{word}" if word.startswith("-") and len(word) > 2 and Path(word).is_file() else word


def _complain(sentence: str, code: int) -> int:
    print(f"vt: {' '.join(sentence.split())}", file=sys.stderr)  # noqa: T201
    return code


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    made = _Parser(prog="vt", description="Dubs a video into another language, in time with the picture.")
    made.add_argument("--version", action="version", version=f"vt {__version__}")
    made.add_argument(
        "--config", type=Path, metavar="FILE", help="settings in TOML, for what the environment does not set"
    )
    commands = made.add_subparsers(title="commands", required=True, metavar="COMMAND")
    serve = commands.add_parser(
        "serve", help="serve the page and the routes", description="Serve the page and the routes at HOST and PORT."
    )
    serve.set_defaults(run=_serve, verbose=True)
    translate = commands.add_parser("translate", help="dub films", description="Dub films, and write their subtitles.")
    options.add_films(translate)
    options.add_dub(translate)
    translate.set_defaults(run=_translate)
    transcribe = commands.add_parser(
        "transcribe", help="write down films", description="Write down what is said in films, with its times."
    )
    options.add_films(transcribe)
    transcribe.add_argument(
        "--output-format",
        default=transcripts.DEFAULT,
        metavar="FORMATS",
        help=f"of {', '.join(transcripts.FORMATS)}, or all; default: {transcripts.DEFAULT}",
    )
    transcribe.set_defaults(run=_transcribe)
    speak = commands.add_parser("speak", help="speak a text", description="Speak a text into a sound file.")
    options.add_speech(speak)
    speak.set_defaults(run=_speak)
    _add_lists(commands)
    _add_report(commands)
    fetch = commands.add_parser("fetch", help="get models ahead of time", description="Download and convert models.")
    fetch.add_argument(
        "names",
        nargs="*",
        metavar="MODEL",
        help="a name, such as small, or bundled: those that need no hub; default: what a dub would want",
    )
    fetch.add_argument("-v", "--verbose", action="store_true", help="log to stderr")
    fetch.set_defaults(run=_fetch)
    _add_remote(commands)
    doctor = commands.add_parser("doctor", help="say what works here", description="Say what works here.")
    doctor.add_argument(
        "--repair",
        action="store_true",
        help="put the jobs whose folders are in VT_DATA_DIR back into their database; no server may run there",
    )
    doctor.add_argument("-v", "--verbose", action="store_true", help="log to stderr")
    doctor.set_defaults(run=_doctor)
    completion = commands.add_parser(
        "completion", help="complete commands in a shell", description="Print what completes commands in a shell."
    )
    completion.add_argument(
        "shell", choices=("bash", "zsh", "fish", "tcsh"), help="put this where your shell looks for it"
    )
    completion.set_defaults(run=_completion, verbose=False)
    return made


def _add_lists(commands: argparse._SubParsersAction[_Parser]) -> None:
    """Add the commands that list something."""
    voices = commands.add_parser("voices", help="list the voices", description="List the voices that may be chosen.")
    voices.add_argument("language", nargs="?", default="", metavar="LANGUAGE", help="only the voices for this one")
    languages = commands.add_parser(
        "languages", help="list the languages", description="List who serves each language."
    )
    licences = commands.add_parser("licences", help="say what it is made of", description="List parts and licences.")
    for command, run in ((voices, _voices), (languages, _languages), (licences, _licences)):
        command.add_argument("--json", action="store_true", help="one object a line")
        command.add_argument("-v", "--verbose", action="store_true", help="log to stderr")
        command.set_defaults(run=run)


def _add_report(commands: argparse._SubParsersAction[_Parser]) -> None:
    command = commands.add_parser(
        "report", help="show a report", description="Show what a report says, as text or as a page for the browser."
    )
    command.add_argument("file", type=Path, metavar="FILE", help="talk.es.report.json, or the dubbed film beside it")
    command.add_argument("--json", action="store_true", help="as one JSON object on a line")
    command.add_argument(
        "--html",
        nargs="?",
        type=Path,
        const=Path(),
        metavar="PAGE",
        help="write a page with the timeline, both sounds and players; default: talk.es.report.html beside the report",
    )
    command.add_argument(
        "--subtitles", metavar="NAME", help="write further subtitles beside the report, such as es.ass or both.srt"
    )
    command.add_argument("--mark-speakers", action="store_true", help="show in them where another person speaks")
    command.add_argument("--karaoke", action="store_true", help="light up their words as they are spoken, in es.ass")
    command.add_argument("-v", "--verbose", action="store_true", help="log to stderr")
    command.set_defaults(run=_report)


def _add_remote(commands: argparse._SubParsersAction[_Parser]) -> None:
    """Add the commands that talk to a running server."""
    told = {
        "models": "say what a running server has in memory",
        "preload": "have a running server load models",
        "clear": "have a running server free its models",
    }
    for name, text in told.items():
        command = commands.add_parser(name, help=text, description=f"{text[:1].upper()}{text[1:]}.")
        if name != "models":
            what = "a model's name, such as small" if name == "preload" else "a cache key, as models lists them"
            command.add_argument("names", nargs="*", metavar="MODEL", help=f"{what}; default: all")
        command.add_argument("--url", default="", help="where it runs; default: this machine, at PORT")
        command.add_argument("-v", "--verbose", action="store_true", help="log to stderr")
        command.set_defaults(run=_remote, command=name)
    jobs = commands.add_parser("jobs", help="show the jobs of a running server", description="Show a server's jobs.")
    options.add_jobs(jobs)
    jobs.add_argument("--url", default="", help="where it runs; default: this machine, at PORT")
    jobs.add_argument("-v", "--verbose", action="store_true", help="log to stderr")
    jobs.set_defaults(run=_jobs)


@contextmanager
def _stderr_discarded(verbose: bool) -> Iterator[None]:
    """Unless `verbose`, discard what libraries write to stderr while the block runs, native code included."""
    if verbose:
        logging.basicConfig(level=logging.INFO)
        yield
        return
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _serve(_: argparse.Namespace) -> NoReturn:
    """Become the server: it listens to signals and writes its log itself, and this process has nothing left to do."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "vt.server"])  # noqa: S606 (no shell: ourselves, and no arguments)


def _translate(arguments: argparse.Namespace) -> int:
    return _worked(arguments, options.dubs, _files, one_file=arguments.one_file, profile=arguments.profile)


def _files(request: JobRequest, result: Result, folder: Path) -> Sequence[Path]:
    """Return the files of a dub; those of a preview get names by which they do not replace those of the whole film."""
    from vt.domain import PREVIEW_STEM

    if not request.preview:
        return result.files
    stem = request.source.stem
    return [file.rename(folder / f"{stem}{PREVIEW_STEM}{file.name[len(stem) :]}") for file in result.files]


def _transcribe(arguments: argparse.Namespace) -> int:
    formats = transcripts.formats(arguments.output_format)
    return _worked(
        arguments,
        options.transcripts,
        lambda _, result, folder: transcripts.written(result, folder, formats, mark_speakers=arguments.mark_speakers),
    )


def _speak(arguments: argparse.Namespace) -> int:
    from vt.cli import speech, telling
    from vt.factory import get_ai_factory

    asked = speech.wanted(arguments)
    teller = telling.Json() if arguments.json else telling.Text()
    try:
        told = speech.run(asked, get_ai_factory(), teller.say, arguments.cancel)
    except (KeyboardInterrupt, Cancelled):
        for line in speech.cancelled_lines(as_json=arguments.json):
            _say(line)
        raise KeyboardInterrupt from None
    for line in speech.lines(told, as_json=arguments.json) if asked.target else ():
        _say(line)
    return DONE


def _worked(
    arguments: argparse.Namespace,
    wanted: Callable[[argparse.Namespace], Sequence[JobRequest]],
    chosen: Callable[[JobRequest, Result, Path], Sequence[Path]],
    *,
    one_file: bool = False,
    profile: Path | None = None,
) -> int:
    """Do what is asked for.

    Args:
        arguments: of the command.
        wanted: returns what they ask for.
        chosen: returns which files of a result the user gets, and writes them where they miss.
        one_file: put all dubs of a film into one file as well.
        profile: the file that is to tell where the time went; None: nothing is traced.
    """
    # Imported here, so that --help does not have to wait for it.
    from vt.cli import linked, profiling, telling

    teller = telling.Json() if arguments.json else telling.Text()
    requests: Sequence[JobRequest] = ()
    inputs = profiling.inputs(arguments)
    try:
        with profiling.written(profile, inputs, teller.say), linked.brought(arguments, teller):
            requests = wanted(arguments)
            return DONE if _all_done(arguments, requests, teller, chosen, one_file=one_file) else FAILED
    except (KeyboardInterrupt, Cancelled):
        teller.stopped(requests)
        raise


def _all_done(
    arguments: argparse.Namespace,
    requests: Sequence[JobRequest],
    teller: Teller,
    chosen: Callable[[JobRequest, Result, Path], Sequence[Path]],
    *,
    one_file: bool,
) -> bool:
    from vt.cli import batch
    from vt.factory import get_ai_factory
    from vt.system import folders, tracing

    inputs = [path for one in requests for path in (one.source, one.subtitles) if path]

    def deliver(request: JobRequest, result: Result, folder: Path) -> Sequence[Path]:
        return folders.deliver(chosen(request, result, folder), arguments.out, inputs)

    with tracing.span("find engines", "process"):
        factory = get_ai_factory()
    factory.tell(teller.say)
    return batch.run(
        requests,
        arguments.sources,
        factory,
        arguments.out,
        teller,
        deliver,
        one_file=one_file,
        cancel=arguments.cancel,
    )


def _report(arguments: argparse.Namespace) -> int:
    from vt.cli import report, report_page

    if arguments.karaoke and not arguments.subtitles:
        raise InputError("Words light up in subtitles: name these too, such as --subtitles es.ass.")
    file = report.of_film(arguments.file)
    told = report.read(file)
    if arguments.subtitles:
        how = {"mark_speakers": arguments.mark_speakers, "karaoke": arguments.karaoke}
        written = report.subtitles(told, arguments.subtitles, **how)
        _write(file.with_name(f"{report.stem_of_film(file, told)}.{arguments.subtitles}"), written)
    if arguments.html is not None:
        target = arguments.html if arguments.html.name else file.with_name(f"{report.stem(file)}.report.html")
        _write(target, report_page.page(file, told, target))
    if arguments.json:
        _say(json.dumps(told.as_json()))
    elif arguments.html is None and not arguments.subtitles:
        _say(report.as_text(told))
    return DONE


def _write(target: Path, text: str) -> None:
    """Write a file whole or not at all, and say where it is."""
    from vt.system import folders

    with folders.work_folder(target.parent) as folder:
        made = folder / target.name
        made.write_text(text, encoding="utf-8", errors="replace")
        folders.deliver([made], target.parent, [])
    _say(str(target))


def _doctor(arguments: argparse.Namespace) -> int:
    from vt import settings
    from vt.cli import doctor
    from vt.jobs import database_place, recovery

    if arguments.repair:
        known = settings.load()
        database = database_place.database(known)
        database_place.prepare(database, known)
        for line in recovery.repair(known.data_folder, database=database).told:
            _say(line)
        return DONE
    findings = []
    for finding in doctor.examine(settings.load()):
        findings.append(finding)
        mark = "ok     " if finding.works else "missing" if finding.needed else "note   "
        print(f"{mark}  {finding.name}: {finding.told}", flush=True)  # noqa: T201
    missing = [finding.name for finding in findings if finding.needed and not finding.works]
    if missing:
        raise ToolError("Missing here: {missing}. {remedy}", missing=", ".join(missing), remedy=doctor.remedy())
    return DONE


def _licences(arguments: argparse.Namespace) -> int:
    from vt.cli import display, licences

    found = licences.parts()
    _list(arguments, [part.as_json() for part in found], display.licences(found))
    return DONE


def _voices(arguments: argparse.Namespace) -> int:
    from vt import languages
    from vt.cli import display
    from vt.factory import get_ai_factory

    row = languages.get(arguments.language) if arguments.language else None
    factory = get_ai_factory()
    found = [voice for voice in factory.voices() if row is None or voice.language == row]
    _list(arguments, (voice.as_json() for voice in found), display.voices(found, factory.left_out()))
    return DONE


def _languages(arguments: argparse.Namespace) -> int:
    from vt.cli import display
    from vt.factory import get_ai_factory

    factory = get_ai_factory()
    offers = [offer for offer in factory.offers() if offer.serves]
    _list(arguments, (offer.as_json() for offer in offers), display.languages(offers, factory.left_out()))
    return DONE


def _list(arguments: argparse.Namespace, rows: Iterable[dict[str, Any]], table: str) -> None:
    """Print rows: for programs as one JSON object a line, or as a table for people."""
    for line in (json.dumps(row, ensure_ascii=False) for row in rows) if arguments.json else (table,):
        _say(line)


def _fetch(arguments: argparse.Namespace) -> int:
    from vt.cli import bundled

    names = [name for name in arguments.names if name != bundled.NAME]
    if len(names) < len(arguments.names):
        from vt import settings
        from vt.model_files.package_index import Index

        bundled.get(bundled.workshop(), Index(settings.load().package_index, _say).fetch, _say)
        if not names:
            return DONE
    from vt.factory import get_ai_factory

    factory = get_ai_factory()
    factory.tell(_say)
    for label in factory.fetch(names):
        _say(f"{label} is here.")
    return DONE


def _say(sentence: str) -> None:
    print(sentence, flush=True)  # noqa: T201


def _client(arguments: argparse.Namespace) -> Client:
    """Return what talks to the server that is named, or to the one of this machine."""
    from vt import settings
    from vt.cli.client import Client

    known = settings.load()
    token = known.admin_token.get_secret_value() if known.admin_token else None
    return Client(arguments.url or f"http://127.0.0.1:{known.port}", token)


def _jobs(arguments: argparse.Namespace) -> int:
    from vt.cli import server_jobs

    for line in server_jobs.run(arguments, _client(arguments)):
        _say(line)
    return DONE


def _completion(arguments: argparse.Namespace) -> int:
    import shtab

    _say(shtab.complete(parser(), shell=arguments.shell))
    return DONE


def _remote(arguments: argparse.Namespace) -> int:
    from vt.cli import display

    client = _client(arguments)
    if arguments.command == "models":
        print(display.models(client.models()))  # noqa: T201
    elif arguments.command == "preload":
        print(display.preloaded(client.preload(arguments.names)))  # noqa: T201
    else:
        for key in arguments.names or [None]:
            print(display.cleared(client.clear(key)))  # noqa: T201
    return DONE
