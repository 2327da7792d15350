"""The error tree: every error that vt raises on purpose, each with one plain sentence for the user.

VtError
├── InputError             the file or an argument is at fault; nothing was changed
│   ├── LinkError          the film behind a link cannot be had
│   ├── MediaError         the media file cannot be used
│   │   ├── NoSpeechError  the sound holds no speech
│   │   └── EmptyTrack     a sound track is there, but nothing is in it
│   ├── FilmTooLarge       the film is larger than this server takes
│   ├── SubtitleError      the subtitle file cannot be used
│   │   └── SubtitlesTooLarge  it is larger than any that is read
│   ├── GlossaryError      the glossary cannot be used
│   │   └── GlossaryTooLarge  it is larger than any that is read
│   ├── LanguageError      unknown language, or a pair that nobody here can serve
│   ├── UnknownModel       no model goes by that name here
│   ├── JobNotFound        there is no job of that id
│   ├── NoSuchResult       the job has results, but not this one
│   ├── UploadGone         the uploaded file has been swept, never came, or is somebody else's
│   ├── BadUpload          the request's body is no upload that can be used
│   └── BadCall            a call that no client of the page makes
│       ├── BrokenCall     its body cannot be read
│       ├── NoSuchCall     there is nothing of that name
│       ├── WrongMethod    it cannot be asked for with that HTTP method
│       ├── WrongType      its body is of another type
│       └── CallTooLarge   its body holds too much
├── WrongState             the job's state does not allow what was asked for
├── Outdated               somebody else has changed the lines since they were read
├── QueueFull              as many jobs are waiting as may wait
├── AdminRefused           models may not be managed from there
│   └── TokenRefused       the token is missing or wrong
├── TooManyRequests        the visitor, or all of them together, ask for more at a time than is served
│   ├── TooManyJobs        as many jobs of one visitor are waiting and running as may
│   ├── TooMuchKept        the films of one visitor's jobs take as much of the disk as they may
│   └── TooManyWaiting     as much as may of what a visitor has uploaded has not become a job
├── SettingsError          an environment variable has a value that cannot be used
├── EngineError            a model or engine failed
│   ├── ModelUnavailable   the model cannot be had: not installed, not found, not loadable
│   ├── ModelBusy          all memory is held by models in use; trying again later helps
│   ├── ModelInUse         its files are in use, and so cannot be removed
│   └── NotDownloaded      its files were not downloaded by vt, or not at all, and so are not removed by it
├── ToolError              an external program is missing or failed
│   ├── ToolMissing        it is not installed
│   └── ToolStopped        it was ended before its end, by a limit or by the system
├── StorageError           a folder cannot be written, or the disk is full
│   ├── FolderTaken        another process owns the data folder
│   └── DatabaseDamaged    what the database's file holds cannot be made out
└── Cancelled              the caller asked for the work to stop

An error is made of the English template of its sentence and of its values: `MediaError("{file} is empty.", file=path)`.
`str(error)` is the English sentence, and `error.message` what a face says in the language of its reader. A language
travels as a `Language`, a file as a `Path`, a number as a number: how they are written is up to the face.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vt.translatable import Message, Value


class VtError(Exception):
    """Base of all errors of vt. `str(error)` is one sentence that a user can act on."""

    def __init__(self, template: str, /, **values: Value) -> None:
        super().__init__(Message(template, **values))

    def __reduce__(self) -> tuple[Any, ...]:
        # Not by its arguments, as other exceptions: the constructors of the classes below take others.
        return _made_again, (type(self), self.args, self.__dict__)

    @property
    def message(self) -> Message:
        """The sentence with its template and its values."""
        message: Message = self.args[0]
        return message

    @property
    def in_full(self) -> str:
        """The sentence with what only concerns whoever runs this: for the log and the command line."""
        return str(self)

    def name_files(self, names: Mapping[Path, str]) -> None:
        """Say it with a user's own names for files in place of their paths here; see `Message.with_file_names`."""
        self.args = (self.message.with_file_names(names),)


def _made_again(kind: type[VtError], args: tuple[Any, ...], state: dict[str, Any]) -> VtError:
    """Return a copy of an error, or the error that was pickled."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class InputError(VtError):
    """The file or an argument is at fault."""


class LinkError(InputError):
    """The film behind a link cannot be had."""


class MediaError(InputError):
    """The media file cannot be used."""


class NoSpeechError(MediaError):
    """The sound holds no speech."""


class EmptyTrack(MediaError):
    """A sound track is there, but nothing is in it."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            "The sound track of {file} is empty: nothing was recorded, or it was lost where the file was made.",
            file=file,
        )


class FilmTooLarge(InputError):
    """The film is larger than this server takes."""

    def __init__(self, megabytes: int) -> None:
        super().__init__(
            "The film is too large: this server takes at most {limit} MB (VT_MAX_UPLOAD_MB).", limit=megabytes
        )


class SubtitleError(InputError):
    """The subtitle file cannot be used."""


class SubtitlesTooLarge(SubtitleError):
    """The subtitle file is larger than any that is read."""

    def __init__(self, megabytes: int) -> None:
        super().__init__("The subtitles are too large: {limit} MB are the most.", limit=megabytes)


class GlossaryError(InputError):
    """The glossary cannot be used."""


class GlossaryTooLarge(GlossaryError):
    """The glossary is larger than any that is read."""

    def __init__(self, kibibytes: int) -> None:
        super().__init__("The glossary is too large: {limit} KiB are the most.", limit=kibibytes)


class LanguageError(InputError):
    """The language is unknown, or nobody here can serve the pair."""


class UnknownModel(InputError):
    """No model goes by that name here."""


class JobNotFound(InputError):
    """There is no job of that id."""

    def __init__(self) -> None:
        super().__init__("There is no such job: the address is wrong, or the job has been removed.")


class NoSuchResult(InputError):
    """The job has results, but not this one."""


class UploadGone(InputError):
    """The uploaded file has been swept, never came, or is somebody else's."""

    def __init__(self) -> None:
        super().__init__("The uploaded file is no longer here: upload it again.")


class BadUpload(InputError):
    """The request's body is no upload that can be used."""


class BadCall(InputError):
    """A call that no client of the page makes."""


class BrokenCall(BadCall):
    """The call's body cannot be read."""


class NoSuchCall(BadCall):
    """There is nothing of the name that is called."""


class WrongMethod(BadCall):
    """It cannot be asked for with that HTTP method."""


class WrongType(BadCall):
    """The call's body is of another type than it has to be."""


class CallTooLarge(BadCall):
    """The call's body holds too much."""


class WrongState(VtError):
    """The job's state does not allow what was asked for."""

    def __init__(self, state: str) -> None:
        super().__init__("The job is {state}, so this cannot be done with it now.", state=state)
        self.state = state
        """A `JobState`."""


class Outdated(VtError):
    """Somebody else has changed the lines since they were read."""

    def __init__(self) -> None:
        super().__init__("The lines have been changed by somebody else meanwhile: load them again, then edit.")


class QueueFull(VtError):
    """As many jobs are waiting as may wait."""

    def __init__(self) -> None:
        super().__init__("Too many jobs are waiting already: try again in some minutes.")


class AdminRefused(VtError):
    """Models may not be managed from where the request comes."""


class TokenRefused(AdminRefused):
    """The token that the request needs is missing or wrong."""


class TooManyRequests(VtError):
    """The visitor, or all of them together, ask for more at a time than is served; trying again later helps."""

    def __init__(self, template: str, /, *, retry_after: int = 5, **values: Value) -> None:
        super().__init__(template, **values)
        self.retry_after = retry_after
        """In seconds: when to ask again."""


class TooManyJobs(TooManyRequests):
    """As many jobs of one visitor are waiting and running as may."""

    def __init__(self, most: int) -> None:
        super().__init__(
            "Too many of your jobs are waiting or running ({count} are the most at a time): wait for one to end, or "
            "cancel one, then try again.",
            retry_after=60,
            count=most,
        )


class TooMuchKept(TooManyRequests):
    """The films of one visitor's jobs, those that are over too, take as much of the disk as they may."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(
            "The films of your jobs take too much room ({count} MB are the most that this server keeps of one "
            "visitor): remove jobs that are over, or wait until the server does, then try again.",
            retry_after=600,
            count=most_bytes // 2**20,
        )


class TooManyWaiting(TooManyRequests):
    """Of what a visitor has uploaded, as much as may has not become a job."""

    def __init__(self) -> None:
        super().__init__(
            "Too many of your uploads wait here already: start the jobs that they are for.", retry_after=600
        )


class SettingsError(VtError):
    """An environment variable has a value that cannot be used."""


class EngineError(VtError):
    """A model or engine failed."""


class ModelUnavailable(EngineError):
    """The model cannot be had here: not installed, not found, or not loadable."""


class ModelBusy(EngineError):
    """All of the model memory is held by models in use; trying again later helps."""


class ModelInUse(EngineError):
    """The model's files are in use, and so cannot be removed; trying again later helps."""

    def __init__(self, model: str) -> None:
        super().__init__("The model {model} is in use now: remove it when nothing uses it any more.", model=model)


class NotDownloaded(EngineError):
    """The model's files were not downloaded by vt, or not at all, and so are not removed by it."""

    def __init__(self, model: str) -> None:
        super().__init__("Of the model {model} nothing is here that was downloaded by this program.", model=model)


class ToolError(VtError):
    """An external program is missing or failed."""

    def __init__(self, template: str, /, *, said: str = "", **values: Value) -> None:
        super().__init__(template, **values)
        self.said = said
        """All that the program wrote to stderr; for rooms that know how to read it, not for users."""


class ToolMissing(ToolError):
    """An external program is not installed."""


class ToolStopped(ToolError):
    """An external program was ended before its end: what it said till then is no judgement on what it was given."""

    def __init__(self, template: str, /, *, said: str = "", by_limit: bool = True, **values: Value) -> None:
        super().__init__(template, said=said, **values)
        self.by_limit = by_limit
        """True where it wanted more than it may have; false where the system or somebody else ended it."""


class StorageError(VtError):
    """A folder cannot be written, or the disk is full."""

    def __init__(self, template: str, /, *, where: Path | None = None, **values: Value) -> None:
        super().__init__(template, **values)
        self.where = where
        """The file or folder; for whoever runs this, not for users elsewhere."""

    @property
    def in_full(self) -> str:
        """The sentence with the place that it is about."""
        return f"{self} The place: {self.where}." if self.where else str(self)


class FolderTaken(StorageError):
    """Another process owns the data folder."""


class DatabaseDamaged(StorageError):
    """What the database's file holds cannot be made out."""


class Cancelled(VtError):
    """The caller asked for the work to stop."""
