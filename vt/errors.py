"""The error tree: every error that vt raises on purpose, each with one plain sentence for the user.

VtError
├── InputError             the file or an argument is at fault; nothing was changed
│   ├── MediaError         the media file cannot be used
│   │   └── NoSpeechError  the sound holds no speech
│   ├── SubtitleError      the subtitle file cannot be used
│   ├── LanguageError      unknown language, or a pair that nobody here can serve
│   └── UnknownModel       no model goes by that name here
├── AdminRefused           models may not be managed from there
│   └── TokenRefused       the token is missing or wrong
├── TooManyRequests        the visitor, or all of them together, ask for more at a time than is served
├── SettingsError          an environment variable has a value that cannot be used
├── EngineError            a model or engine failed
│   ├── ModelUnavailable   the model cannot be had: not installed, not found, not loadable
│   └── ModelBusy          all memory is held by models in use; trying again later helps
├── ToolError              an external program is missing or failed
│   └── ToolStopped        it was ended before its end, by a limit or by the system
├── StorageError           a folder cannot be written, or the disk is full
└── Cancelled              the caller asked for the work to stop
"""

from pathlib import Path


class VtError(Exception):
    """Base of all errors of vt. `str(error)` is one sentence that a user can act on."""

    @property
    def in_full(self) -> str:
        """The sentence with what only concerns whoever runs this: for the log and the command line."""
        return str(self)


class InputError(VtError):
    """The file or an argument is at fault."""


class MediaError(InputError):
    """The media file cannot be used."""


class NoSpeechError(MediaError):
    """The sound holds no speech."""


class SubtitleError(InputError):
    """The subtitle file cannot be used."""


class LanguageError(InputError):
    """The language is unknown, or nobody here can serve the pair."""


class UnknownModel(InputError):
    """No model goes by that name here."""


class AdminRefused(VtError):
    """Models may not be managed from where the request comes."""


class TokenRefused(AdminRefused):
    """The token that the request needs is missing or wrong."""


class TooManyRequests(VtError):
    """The visitor, or all of them together, ask for more at a time than is served; trying again later helps."""

    def __init__(self, sentence: str, retry_after: int = 5) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after
        """In seconds: when to ask again."""


class SettingsError(VtError):
    """An environment variable has a value that cannot be used."""


class EngineError(VtError):
    """A model or engine failed."""


class ModelUnavailable(EngineError):
    """The model cannot be had here: not installed, not found, or not loadable."""


class ModelBusy(EngineError):
    """All of the model memory is held by models in use; trying again later helps."""


class ToolError(VtError):
    """An external program is missing or failed."""

    def __init__(self, sentence: str, said: str = "") -> None:
        super().__init__(sentence)
        self.said = said
        """All that the program wrote to stderr; for rooms that know how to read it, not for users."""


class ToolStopped(ToolError):
    """An external program was ended before its end: what it said till then is no judgement on what it was given."""

    def __init__(self, sentence: str, said: str = "", *, by_limit: bool = True) -> None:
        super().__init__(sentence, said)
        self.by_limit = by_limit
        """True where it wanted more than it may have; false where the system or somebody else ended it."""


class StorageError(VtError):
    """A folder cannot be written, or the disk is full."""

    def __init__(self, sentence: str, where: Path | None = None) -> None:
        super().__init__(sentence)
        self.where = where
        """The file or folder; for whoever runs this, not for users elsewhere."""

    @property
    def in_full(self) -> str:
        """The sentence with the place that it is about."""
        return f"{self} The place: {self.where}." if self.where else str(self)


class Cancelled(VtError):
    """The caller asked for the work to stop."""
