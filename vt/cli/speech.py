"""The command `vt speak`: a text spoken into a file, or to stdout for another program."""

from __future__ import annotations

import argparse
import json
import os
import stat
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vt.errors import InputError, ToolError

if TYPE_CHECKING:
    from vt.domain import Cancel
    from vt.engines.candidate import Choice
    from vt.engines.protocols import Voice
    from vt.languages import Language
    from vt.models.services import TtsService

MOST_CHARACTERS = 20_000
"""Of a text; of English, about twenty minutes of speech."""
_MOST_BYTES = 4 * MOST_CHARACTERS
_MOST_SOUND_BYTES = 2 * 2**30
"""Some languages say much in 20,000 characters, and slow speech is four times as long; a WAV holds 4 GB."""
_STANDARD = "-"
"""Stands for stdin and for stdout."""
_PIPED_FORM = "wav"


class Speakers(Protocol):
    """Serves voices; see the methods of `AIServiceFactory` of the same names."""

    def tts_service(self, language: Language, *, cancel: Cancel, voice: str, engine: str) -> TtsService:
        """Return what speaks a language, its model resident."""
        ...

    def voices(self) -> Sequence[Voice]:
        """List the voices that may be chosen here."""
        ...

    def named_voice(self, voice_id: str) -> Voice:
        """Return the voice of an id."""
        ...

    def tell(self, hear: Callable[[str], object]) -> None:
        """Have `hear` told what takes long."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be spoken, and where to."""

    text: str
    form: str
    """One of `media.FORMATS`."""
    speed: float
    target: Path | None
    """None: stdout."""
    language: str
    """A code or a name; empty: that of the voice, or of the text."""
    voice: str
    engine: str


def wanted(arguments: argparse.Namespace) -> Wanted:
    """Return what the arguments ask for.

    Raises:
        InputError: one of them is at fault, or there is no text.
    """
    target = None if str(arguments.out) == _STANDARD else Path(arguments.out)
    if target is None and arguments.json:
        raise InputError("With -o - stdout takes the sound: --json would stand in its midst.")
    if target is None and sys.stdout.isatty():
        raise InputError("Sound is nothing for the screen: name a file with -o, or pipe it into a player.")
    if target and target.is_dir():
        raise InputError("{file} is a folder: name a file, such as hello.wav.", file=target)
    return Wanted(
        text=_text(arguments.text),
        form=_form(arguments.format, target),
        speed=_speed(arguments.speed),
        target=target,
        language=arguments.language,
        voice="" if arguments.voice == "auto" else arguments.voice,
        engine=arguments.tts_engine,
    )


def run(asked: Wanted, factory: Speakers, say: Callable[[str], None], cancel: Cancel) -> dict[str, Any]:
    """Speak, and return what is to be told of it.

    Args:
        asked: what is to be spoken.
        factory: serves the voice.
        say: is told what takes long, as a download; nothing where the sound goes to stdout.
        cancel: ends it.

    Raises:
        InputError: the language or the voice is at fault, or the file cannot be written.
        Cancelled: `cancel` was set.
        VtError: there is no voice, or it failed.
    """
    language = _language(asked, factory)
    if asked.target:
        factory.tell(say)
    service = factory.tts_service(language, cancel=cancel, voice=asked.voice, engine=asked.engine)
    if asked.target:
        _into_file(asked, asked.target, service, cancel)
    else:
        _speak(asked, service, cancel, _written_to_stdout)
    return _told(asked, language, service.choice, factory)


def lines(told: dict[str, Any], *, as_json: bool) -> list[str]:
    """Return the lines to print of what was spoken."""
    if as_json:
        return [json.dumps({"event": "result", "state": "done", **told}, ensure_ascii=False)]
    return [*told["notes"], *([told["file"]] if told["file"] else [])]


def cancelled_lines(*, as_json: bool) -> list[str]:
    """Return the lines to print where somebody has stopped it; the line on stderr is another."""
    return [json.dumps({"event": "result", "state": "cancelled"})] if as_json else []


def _told(asked: Wanted, language: Language, choice: Choice, factory: Speakers) -> dict[str, Any]:
    return {
        "file": str(asked.target) if asked.target else None,
        "language": language.code,
        "engine": choice.info.name,
        "voice": choice.voice or _only_voice(language, choice, factory),
        "notes": [str(choice.fallback_reason)] if choice.fallback_reason else [],
    }


def _only_voice(language: Language, choice: Choice, factory: Speakers) -> str:
    """Return the id of the voice of a model that has only one."""
    ids = (voice.id for voice in factory.voices() if (voice.language, voice.engine) == (language, choice.info.name))
    return next(ids, choice.model)


def _language(asked: Wanted, factory: Speakers) -> Language:
    """Return the language that is named, or that of the voice that is named, or the text's own."""
    from vt import languages
    from vt.answers import speaking

    if asked.language:
        return languages.get(asked.language)
    return (
        factory.named_voice(asked.voice).language if asked.voice else speaking.language_of(asked.text, factory.voices())
    )


def _into_file(asked: Wanted, target: Path, service: TtsService, cancel: Cancel) -> None:
    """Speak into a file, which is there once all of it is spoken, and not before."""
    from vt import media
    from vt.system import folders

    with folders.work_folder(target.parent) as folder:
        spoken, whole = folder / "spoken", folder / "whole" / target.name
        whole.parent.mkdir()
        with spoken.open("wb") as file:
            _speak(asked, service, cancel, file.write)
        media.with_its_length(spoken, asked.form, whole, cancel)
        folders.deliver([whole], target.parent)


def _speak(asked: Wanted, service: TtsService, cancel: Cancel, take: Callable[[bytes], object]) -> None:
    from vt.answers import speaking

    speaking.speak_by(service, asked.text, asked.form, asked.speed, cancel, take, _MOST_SOUND_BYTES)


def _written_to_stdout(chunk: bytes) -> None:
    left = memoryview(chunk)
    try:
        while left:
            left = left[os.write(1, left) :]
    except OSError as error:
        raise ToolError("The sound cannot be written to stdout: {reason}.", reason=str(error.strerror)) from error


def _text(words: Sequence[str]) -> str:
    """Return what is to be spoken: the arguments, or what is piped in.

    Raises:
        InputError: it is no text, or too long.
    """
    from vt.text import splitting

    text = splitting.readable(_piped() if list(words) in ([], [_STANDARD]) else " ".join(words))
    if not text.strip():
        raise InputError("There is no text to speak.")
    if len(text) > MOST_CHARACTERS:
        raise InputError("The text is too long: {most} characters are the most.", most=MOST_CHARACTERS)
    return text


def _piped() -> str:
    if sys.stdin.isatty() or _is_nowhere(sys.stdin.fileno()):
        raise InputError("Name the text to speak, or pipe it in: echo Hello | vt speak - -o hello.wav.")
    said = sys.stdin.buffer.read(_MOST_BYTES + 1)
    if len(said) > _MOST_BYTES:
        raise InputError("The text is too long: {most} characters are the most.", most=MOST_CHARACTERS)
    try:
        return said.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("What is piped in cannot be read: it has to be text in UTF-8.") from error


def _is_nowhere(descriptor: int) -> bool:
    """Tell whether nothing is piped in, as from cron: that is /dev/null."""
    return stat.S_ISCHR(os.fstat(descriptor).st_mode)


def _form(named: str, target: Path | None) -> str:
    """Return the format that is named, or the one that the file's name ends in.

    Raises:
        InputError: there is no such format.
    """
    from vt import media

    form = (named or (target.suffix.removeprefix(".") if target else _PIPED_FORM)).lower()
    if form not in media.FORMATS:
        raise InputError(
            "There is no format {name} to speak in: the name of the file has to end in one of these, or --format to "
            "name it: {known}.",
            name=form[:40] or "without a name",
            known=", ".join(media.FORMATS),
        )
    return form


def _speed(speed: float) -> float:
    from vt.answers import speaking

    if not speaking.SLOWEST <= speed <= speaking.FASTEST:
        raise InputError(
            "The speed has to be a number from {least} to {most}: 1 is the voice's own.",
            least=speaking.SLOWEST,
            most=speaking.FASTEST,
        )
    return speed
