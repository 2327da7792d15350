"""Several dubs by one command: a film is heard once for all its languages, and nothing is done twice after a kill."""

from __future__ import annotations

import itertools
import json
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from vt import __version__
from vt.cli import one_file as joined
from vt.cli.telling import Outcome, State, Teller
from vt.domain import Cancel, JobRequest
from vt.dubbing import pipeline
from vt.dubbing.artifacts import Artifacts, fingerprint
from vt.dubbing.known_voices import KnownVoices
from vt.dubbing.services import DubbingServices
from vt.errors import Cancelled, InputError, VtError
from vt.system import folders

Deliver = Callable[[JobRequest, pipeline.Result, Path], Sequence[Path]]
"""Chooses and moves the files of a result to where the user wants them, and returns where they are."""
_PREFIX = ".vt-batch-"
_DONE, _KNOWN, _LOCK = "done.json", "known-voices.json", "lock"
_GOES_ON = "Stopped; the same command goes on where it was."
_KEPT_SECONDS = 7 * 86_400.0
"""What a batch has finished is kept for so long after it was last worked at."""


def run(
    requests: Sequence[JobRequest],
    named: Collection[Path],
    services: DubbingServices,
    out: Path,
    teller: Teller,
    deliver: Deliver,
    *,
    one_file: bool = False,
    cancel: Cancel | None = None,
) -> bool:
    """Do what is asked for, and tell whether all of it is done.

    A request that stands alone is refused or fails by an error, as does one that cannot be begun where its film was
    named. Of several others, one that fails does not stop those behind it.

    Args:
        requests: those of one film stand beside each other.
        named: the films that somebody named; the others were found in folders.
        services: serve the models.
        out: the folder for the results.
        teller: is told how far it is.
        deliver: is called with each result.
        one_file: put the dubs of each film into one file as well.
        cancel: ends all of it.

    Raises:
        InputError: a file or an argument is at fault, or the same command is at work already.
        VtError: the only request failed.
        Cancelled: one of several was stopped.
        KeyboardInterrupt: the only request was stopped.
    """
    cancel = cancel or Cancel()
    if len(requests) == 1:
        (request,) = requests
        try:
            with folders.work_folder(out) as folder:
                kept = Artifacts(folder / "pieces", lasting=False)
                outcome = _done(request, services, folder, teller, deliver, kept, cancel)
                teller.ended(outcome)
        except Cancelled as error:
            raise KeyboardInterrupt from error
        teller.result([outcome])
        return True
    refused = dict(_refused(requests, named, services))
    with _unfinished(out, requests) as unfinished:
        outcomes = [
            _tried(unfinished, number, refused, services, out, teller, deliver, cancel)
            for number in range(len(requests))
        ]
        if one_file:
            outcomes = _in_one_file(outcomes, out, teller, cancel)
        failed = {number for number, outcome in enumerate(outcomes) if outcome.state == State.FAILED}
        unfinished.is_over = failed <= refused.keys()  # what cannot be begun will not be gone on with
    teller.result(outcomes)
    return not failed


def _in_one_file(outcomes: Sequence[Outcome], out: Path, teller: Teller, cancel: Cancel) -> list[Outcome]:
    """Return the outcomes, those of a film whose dubs are all there with the file that holds them all."""
    told: list[Outcome] = []
    for _, found in itertools.groupby(outcomes, key=lambda outcome: outcome.request.source):
        dubs = list(found)
        try:
            cancel.check()
            films = () if any(dub.state == State.FAILED for dub in dubs) else (joined.made(dubs, out),)
        except (KeyboardInterrupt, Cancelled) as error:
            raise Cancelled(_GOES_ON) from error
        except (VtError, OSError) as error:
            dubs = [replace(dub, state=State.FAILED, sentence=_sentence(error)) for dub in dubs]
        else:
            for film in films:
                teller.say(str(film))
            dubs = [replace(dub, files=(*dub.files, *films)) for dub in dubs]
        told += dubs
    return told


def _refused(
    requests: Sequence[JobRequest], named: Collection[Path], services: DubbingServices
) -> Iterator[tuple[int, str]]:
    """Yield which requests cannot be begun, and why: rather than after the hours that those before them take.

    Raises:
        VtError: one of them is for a film that was named.
    """
    for number, request in enumerate(requests):
        try:
            pipeline.check(request, services)
        except VtError as error:
            if request.source in named:
                raise
            yield number, str(error)


def _tried(
    unfinished: _Unfinished,
    number: int,
    refused: dict[int, str],
    services: DubbingServices,
    out: Path,
    teller: Teller,
    deliver: Deliver,
    cancel: Cancel,
) -> Outcome:
    """Do one of several requests, unless it is done already or was refused; an error becomes an outcome."""
    request, before = unfinished.requests[number], unfinished.delivered(number)
    if before is not None:
        outcome = Outcome(request, State.KEPT, files=tuple(before))
    elif number in refused:
        outcome = Outcome(request, State.FAILED, sentence=refused[number])
    else:
        try:
            cancel.check()
            teller.begins(request, number, len(unfinished.requests))
            with folders.work_folder(out) as folder:
                kept, known = unfinished.artifacts(number), unfinished.known_voices
                outcome = _done(request, services, folder, teller, deliver, kept, cancel, known)
            unfinished.note(number, outcome.files)
        except (KeyboardInterrupt, Cancelled) as error:
            raise Cancelled(_GOES_ON) from error
        except (VtError, OSError) as error:
            outcome = Outcome(request, State.FAILED, sentence=_sentence(error))
    teller.ended(outcome)
    return outcome


def _sentence(error: VtError | OSError) -> str:
    return error.in_full if isinstance(error, VtError) else str(error)


def _done(
    request: JobRequest,
    services: DubbingServices,
    folder: Path,
    teller: Teller,
    deliver: Deliver,
    artifacts: Artifacts,
    cancel: Cancel,
    known_voices: KnownVoices | None = None,
) -> Outcome:
    began = time.monotonic()
    with teller.progress(request) as on_progress:
        result = pipeline.dub(
            request, services, folder, on_progress, artifacts=artifacts, cancel=cancel, known_voices=known_voices
        )
    files = tuple(deliver(request, result, folder))
    return Outcome(request, State.DONE, time.monotonic() - began, files, result.report)


class _Unfinished:
    """A batch that is not over: which of its requests are done, what else was finished, and who has which voice."""

    def __init__(self, folder: Path, requests: Sequence[JobRequest]) -> None:
        self.requests, self.is_over = requests, False
        self._folder = folder
        self._films = list(dict.fromkeys(request.source for request in requests))
        self._delivered = _files_by_number(self._read(_DONE))
        self.known_voices = KnownVoices.from_json(self._read(_KNOWN) or [])

    def delivered(self, number: int) -> list[Path] | None:
        """Return the files of a request that is done; None where it is not, or where they are gone."""
        files = [Path(name) for name in self._delivered.get(str(number), ())]
        return files if files and all(file.is_file() for file in files) else None

    def artifacts(self, number: int) -> Artifacts:
        """Return what was finished for the film of a request, in whatever language."""
        # A kill takes nothing from the disk, and a sync takes long.
        return Artifacts(self._pieces(number), lasting=False)

    def note(self, number: int, files: Sequence[Path]) -> None:
        """Note that a request is done; what was finished for its film goes with the last of its languages."""
        self._write(_KNOWN, self.known_voices.as_json())
        self._delivered[str(number)] = [str(file.absolute()) for file in files]
        self._write(_DONE, self._delivered)
        source = self.requests[number].source
        same = (at for at, request in enumerate(self.requests) if request.source == source)
        if all(str(at) in self._delivered for at in same):
            folders.remove(self._pieces(number))

    def _pieces(self, number: int) -> Path:
        return self._folder / f"pieces-{self._films.index(self.requests[number].source)}"

    def _read(self, name: str) -> Any:  # noqa: ANN401 (whatever was written)
        try:
            return json.loads((self._folder / name).read_text(encoding="ascii"))
        except (OSError, ValueError, RecursionError):
            return None  # it was not written yet, or the machine lost power: then it is done again

    def _write(self, name: str, value: object) -> None:
        new = self._folder / f"{name}.new"
        new.write_text(json.dumps(value), encoding="ascii")
        new.replace(self._folder / name)


def _files_by_number(said: object) -> dict[str, list[str]]:
    """Return the files of each request that is done, as far as what was read has their form: the rest is done again."""
    found = said.items() if isinstance(said, dict) else ()
    return {
        number: files
        for number, files in found
        if isinstance(files, list) and all(isinstance(name, str) for name in files)
    }


@contextmanager
def _unfinished(out: Path, requests: Sequence[JobRequest]) -> Iterator[_Unfinished]:
    """Open what is kept of a batch, and remove it where the batch is over at the end of the block.

    Raises:
        InputError: the folder cannot be written, or the same batch is at work.
    """
    folder = out / f"{_PREFIX}{_identity(requests)[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(out)
    except OSError as error:
        raise folders.unwritable(out, error) from error
    lock = FileLock(folder / _LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise InputError("The same command is at work already, with results in {folder}.", folder=out) from error
    try:
        unfinished = _Unfinished(folder, requests)
        yield unfinished
        if unfinished.is_over:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock.release()


def _identity(requests: Sequence[JobRequest]) -> str:
    """Return what the same command on the same films has again, and no other."""
    files = [path for one in requests for path in (one.source, one.glossary) if path]
    states = [repr((path.absolute(), *_state(path))) for path in dict.fromkeys(files)]
    return fingerprint(__version__, *states, *(repr(request) for request in requests))


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _sweep(out: Path) -> None:
    """Remove what nobody has gone on with for a week."""
    for folder in out.glob(f"{_PREFIX}*"):
        newest = max((path.stat().st_mtime for path in folder.rglob("*")), default=folder.stat().st_mtime)
        if time.time() - newest > _KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
