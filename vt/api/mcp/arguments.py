"""What each tool takes: checked, bounded, and described for whoever calls it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vt.domain import Background, Finish, Fit, JobSpec, Wishes
from vt.languages import AUTO

MOST_FILM_BYTES = 1_400_000
"""Of a film inside a call: in base64 it fits the limit of a request's body."""
MOST_WAIT_SECONDS = 50
"""Clients give up after a minute."""
MOST_CHARACTERS = 100_000
"""Of a text in an answer."""
_LONGEST_PLACE = 60

Word = Annotated[str, Field(max_length=200)]


class Arguments(BaseModel):
    """The arguments of a tool; any other is an error."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, title="arguments")


class Hearing(Arguments):
    """How a film is listened to."""

    source_language: Word = AUTO
    """The language spoken in the film, as a code or a name; auto: that is found out."""
    speakers: Annotated[int, Field(ge=1, le=12)] | None = None
    """How many people speak in the film; left out: that is found out."""

    def spec(self, file: str) -> JobSpec:
        """Return what is asked for, of a film of this name."""
        return JobSpec(file, "", self.source_language, speakers=self.speakers)


class Dubbing(Hearing):
    """How a film is dubbed."""

    target_language: Word
    """The language to speak, as a code or a name, such as es."""
    voice: Word = ""
    """The id of a voice, as list_voices names it; left out: the best. Of several speakers: 1=em_alex,2=ef_dora."""
    background: Background | Literal["auto"] = "auto"
    """What is heard of the original beside the dub: none; duck: all of it, quietly; keep: all but the voices."""
    fit: Fit | None = None
    """What yields where a line needs more time than there is: speech gets faster (default), or picture is slowed."""
    burn: Word = ""
    """The language whose subtitles are drawn into the picture, or both; left out: none."""
    preview: bool = False
    """Whether only the first minute is dubbed, as a trial; dub with from_job does the whole film then."""

    def spec(self, file: str) -> JobSpec:
        """Return what is asked for, of a film of this name."""
        finish = Finish.of({"background": self.background, "fit": self.fit or "", "burn": self.burn})
        return JobSpec(
            file,
            self.target_language.strip(),
            self.source_language,
            wishes=Wishes(self.voice),
            speakers=self.speakers,
            finish=finish,
            preview=self.preview,
        )


class Film(Arguments):
    """A film: inside the call, or that of a job."""

    film_base64: str = ""
    """A small video or audio file in base64, 1.4 MB at most. For a larger one call send_large_film."""
    file_name: Word = "film"
    """What the file is called, such as talk.mp4."""
    from_job: Word = ""
    """In place of film_base64: the id of a job whose film is used once more."""


class Dub(Dubbing, Film):
    """A film that is to be dubbed."""


class Transcribe(Hearing, Film):
    """A film that is to be written down."""


class LargeFilm(Dubbing):
    """How a film is dubbed that is sent by HTTP."""

    target_language: Word = ""
    """The language to speak; left out: the film is only written down."""


class OfJob(Arguments):
    """A job."""

    job_id: Word
    """The id that the job had when it was begun. Whoever knows it may use the job: tell it to nobody else."""


class Follow(OfJob):
    """A job that is followed for a while."""

    wait_seconds: Annotated[int, Field(ge=0, le=MOST_WAIT_SECONDS)] = 0
    """Answer only when the job is over, or after so many seconds; 0: at once."""


class Text(OfJob):
    """A text of a job."""

    language: Word = ""
    """One of the job's languages, or both; left out: the dub's, or of a transcript its own."""
    form: Literal["txt", "srt", "vtt"] = "txt"
    """txt: a line for each sentence; srt, vtt: subtitles, with times."""
    start: Annotated[int, Field(ge=0, le=10**8)] = 0
    """How many characters are left out at the beginning: those that came with earlier calls."""


class Nothing(Arguments):
    """No arguments."""


class Voices(Arguments):
    """The voices of a language."""

    language: Word
    """A code or a name, such as es."""


def sentence(error: ValidationError) -> str:
    """Say what is wrong with the arguments: the first of what is."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))[:_LONGEST_PLACE]
    if first["type"] == "extra_forbidden":
        return f"There is no argument {where}: the tool's description lists those that there are."
    if first["type"] == "missing":
        return f"The argument {where} is missing."
    return f"The argument {where} cannot be used: {first['msg'][:1].lower()}{first['msg'][1:]}."
