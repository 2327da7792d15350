"""The values that every room of vt speaks of. Times are seconds from the start of the film."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from vt import languages
from vt.errors import Cancelled, InputError
from vt.languages import AUTO, Language
from vt.translatable import Message

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word with its punctuation."""

    start: float
    end: float
    text: str
    probability: float = 1.0
    """The recogniser's own confidence, 0..1."""
    speaker: str = ""
    """Who says it: as captions name them, or their number as recognition found it; empty where nobody is named."""
    begins_turn: bool = False
    """True where captions mark that another person begins to speak, named or not."""
    overlaps: bool = False
    """True where somebody begins to speak with it while another is still speaking, as captions mark or was heard."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause of whoever speaks, inside a sentence."""

    start: float
    end: float
    characters: int
    """How much of the sentence is said before it."""


class Timed(NamedTuple):
    """When a part of a text is said. The parts of a text come in order, and together they are all of it."""

    start: float
    end: float
    letters: int
    """How long the part is: its signs, but for spaces."""

    @classmethod
    def of(cls, text: str, start: float, end: float) -> Timed:
        """Return when a text is said that is a part of another one."""
        return cls(start, end, len("".join(text.split())))


@dataclass(frozen=True, slots=True)
class Segment:
    """One sentence of the original, with the slot of time in which it was said."""

    id: int
    """From 0 in order of start."""
    start: float
    end: float
    text: str
    speaker: str = ""
    """Who says it: as captions name them, or their number as recognition found it; empty where nobody is named."""
    overlaps: bool = False
    """True where it began while somebody else was still speaking, as captions tell or was heard; its slot is behind
    theirs."""
    pauses: tuple[Pause, ...] = ()
    """Inside it, in order; as far as the times of its words tell."""
    words: tuple[Timed, ...] = ()
    """When each of its words is said; empty where that is not known."""
    confidence: float | None = None
    """The recogniser's own confidence, 0..1, the mean of its words; None where nobody recognised it."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A stretch of sound that is not spoken in the dub, and why."""

    start: float
    end: float
    text: str
    """What the recogniser took it for; empty where it was not asked."""
    reason: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said, sentence by sentence."""

    language: Language
    language_detected: bool
    """True where the recogniser found out the language by listening."""
    segments: tuple[Segment, ...]
    dropped: tuple[Dropped, ...] = ()
    overlapped_seconds: float = 0.0
    """For how long two or more speak at once, near the changes of speaker, where somebody listened for that."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A spoken line: mono sound at the speaker's native rate."""

    samples: NDArray[np.int16]
    """Shape (n,)."""
    sample_rate: int

    @property
    def seconds(self) -> float:
        """How long it sounds."""
        return len(self.samples) / self.sample_rate


@dataclass(frozen=True, slots=True)
class Line:
    """A line to be placed: the original's slot and the length of its translation, spoken untouched."""

    start: float
    end: float
    natural_seconds: float
    """Spoken at the base rate, not stretched."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a line of the dub goes, and how fast it is spoken."""

    start: float
    end: float
    slot_seconds: float
    room_seconds: float
    natural_seconds: float

    @property
    def seconds(self) -> float:
        """The placed length."""
        return self.end - self.start

    @property
    def tempo(self) -> float:
        """Natural length / placed length; 1.0 is untouched."""
        return self.natural_seconds / self.seconds if self.seconds > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Edit:
    """What somebody changed in one line by hand; None where it stays as it was found."""

    text: str | None = None
    """What is spoken instead; empty: nothing."""
    source_text: str | None = None
    """What was really said: translated again, where no `text` is given."""
    start: float | None = None
    end: float | None = None
    speaker: int | None = None
    """The id of who says it."""

    def over(self, before: Edit) -> Edit:
        """Return this edit on top of an older one; a new source text gets its own translation."""
        keeps_text = self.text is None and self.source_text is None
        return Edit(
            before.text if keeps_text else self.text,
            before.source_text if self.source_text is None else self.source_text,
            before.start if self.start is None else self.start,
            before.end if self.end is None else self.end,
            before.speaker if self.speaker is None else self.speaker,
        )

    def applied_to(self, segment: Segment) -> Segment:
        """Return a line as it is after the edit; `text`, which is spoken instead, is no part of it."""
        return replace(
            segment,
            text=segment.text if self.source_text is None else self.source_text,
            start=segment.start if self.start is None else self.start,
            end=segment.end if self.end is None else self.end,
            confidence=segment.confidence if self.source_text is None else None,
        )


@dataclass(frozen=True, slots=True)
class SpeakerEdit:
    """What somebody changed in one speaker by hand; None where it stays as it was found."""

    label: str | None = None
    """What the speaker is called."""
    voice: str | None = None
    """The id of the voice that speaks for them."""

    def over(self, before: SpeakerEdit) -> SpeakerEdit:
        """Return this edit on top of an older one."""
        return SpeakerEdit(
            before.label if self.label is None else self.label, before.voice if self.voice is None else self.voice
        )


@dataclass(frozen=True, slots=True)
class Added:
    """A line that somebody added by hand, or cut off from another; what is said in it is an edit."""

    after: int
    """The number of the line, as it was heard, behind which it comes; -1: before all of them."""
    start: float
    end: float


_OF_NO_LINE = _OF_SPEAKERS, _ADDED, _OF_PREVIEW = "speakers", "added", "of_preview"
"""What stands among the lines in the JSON of edits: speakers, added lines, and whether all is of a preview."""


@dataclass(frozen=True, slots=True)
class Edits:
    """All that somebody changed in a dub by hand."""

    lines: Mapping[int, Edit] = field(default_factory=dict)
    """By the id of the line."""
    speakers: Mapping[int, SpeakerEdit] = field(default_factory=dict)
    """By the id of the speaker."""
    added: tuple[Added, ...] = ()
    """In the order of the lines; the ids of lines are those with them."""
    of_preview: bool = False
    """Whether lines and speakers are those of the film's preview, and have to be found again in the whole film."""

    def over(self, before: Edits) -> Edits:
        """Return these edits on top of older ones."""
        lines = {line: edit.over(before.lines.get(line, Edit())) for line, edit in self.lines.items()}
        said = {one: edit.over(before.speakers.get(one, SpeakerEdit())) for one, edit in self.speakers.items()}
        is_of_preview = self.of_preview or before.of_preview
        return Edits({**before.lines, **lines}, {**before.speakers, **said}, self.added or before.added, is_of_preview)

    @property
    def of_speakers(self) -> Edits:
        """Those that say who speaks, and how they are called and sound: they hold for any language of the film."""
        said = {line: edit.speaker for line, edit in self.lines.items() if edit.speaker is not None}
        ids = dict(enumerate(self.heard(max(said, default=-1) + 1)))
        given = {ids[line]: Edit(speaker=speaker) for line, speaker in said.items()}
        lines = {line: edit for line, edit in given.items() if line is not None}
        return Edits(lines, self.speakers, of_preview=self.of_preview)

    def heard(self, count: int) -> list[int | None]:
        """Return, for each of at least so many lines, its number as it was heard; None for one that was added."""
        numbers: list[int | None] = [None] * sum(one.after < 0 for one in self.added)
        for number in range(count):
            numbers += [number, *([None] * sum(one.after == number for one in self.added))]
        return numbers

    def as_json(self) -> dict[str, Any]:
        """Return the edits as they are kept."""
        lines: dict[str, Any] = {str(line): _given(edit) for line, edit in self.lines.items()}
        said = {str(one): _given(edit) for one, edit in self.speakers.items()}
        added = [asdict(one) for one in self.added]
        more: dict[str, Any] = {_OF_SPEAKERS: said, _ADDED: added, _OF_PREVIEW: self.of_preview}
        return {**lines, **{name: value for name, value in more.items() if value}}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Edits:
        """Return the edits that `as_json` wrote."""
        said = kept.get(_OF_SPEAKERS, {})
        return cls(
            {int(line): Edit(**edit) for line, edit in kept.items() if line not in _OF_NO_LINE},
            {int(one): SpeakerEdit(**edit) for one, edit in said.items()},
            tuple(Added(**one) for one in kept.get(_ADDED, ())),
            kept.get(_OF_PREVIEW, False),
        )


def _given(edit: Edit | SpeakerEdit) -> dict[str, Any]:
    """Return what an edit changes."""
    return {name: value for name, value in asdict(edit).items() if value is not None}


NO_EDITS = Edits()


@dataclass(frozen=True, slots=True)
class Wishes:
    """By whom a dub is to be translated and spoken; empty: by the best that can be had."""

    voice: str = ""
    """The id of a voice; or those of several speakers, such as 1=em_alex,2=ef_dora."""
    tts_engine: str = ""
    translation_engine: str = ""

    @property
    def voices_of_speakers(self) -> dict[str, str]:
        """The ids of the voices by speaker, who is named by a label or a number from 1 on; none: one voice is for all.

        Raises:
            InputError: a speaker has no voice, or two.
        """
        if "=" not in self.voice:
            return {}
        pairs = [tuple(map(str.strip, part.split("="))) for part in self.voice.split(",")]
        found = dict(pair for pair in pairs if len(pair) == 2 and all(pair))
        if len(found) < len(pairs):
            raise InputError(
                "The voices of several speakers are named as in 1=em_alex,2=ef_dora, each speaker once, and not as "
                "in {wish}.",
                wish=self.voice,
            )
        return found

    @property
    def voices(self) -> tuple[str, ...]:
        """The ids of all voices that are wished for, each once.

        Raises:
            InputError: a speaker has no voice, or two.
        """
        return tuple(dict.fromkeys(self.voices_of_speakers.values())) or ((self.voice,) if self.voice else ())


NO_WISHES = Wishes()
WISHES = tuple(wish.name for wish in fields(Wishes))
"""The names of the options that say it."""


class Background(StrEnum):
    """What is heard of the original beside the dub."""

    NONE = "none"
    DUCK = "duck"
    """Its whole sound, far down while somebody speaks, and as loud as it was between the lines."""
    KEEP = "keep"
    """Its sound without the voices, which a separation model takes out."""


class Fit(StrEnum):
    """What yields where a line cannot be spoken in its time without haste."""

    SPEECH = "speech"
    """The line: it is spoken faster than is comfortable."""
    PICTURE = "picture"
    """The film: its picture, and all that goes with it, is slowed there a little."""


BOTH = "both"
"""Where a language is named: the film's and the dub's."""


@dataclass(frozen=True, slots=True)
class Finish:
    """How the dubbed film is made up, beside who translates and speaks it; empty: as most films need it."""

    background: Background | None = None
    """None: by what is heard between the lines of the original."""
    literal: bool = False
    """Whether every line is spoken in full: no shorter wording is chosen where the time is short."""
    burn: str = ""
    """The language whose subtitles are drawn into the picture, by code, or `both`; empty: none are."""
    karaoke: bool = False
    """Whether the words of those subtitles light up as they are spoken."""
    fit: Fit | None = None
    """None: the speech is fitted to the picture."""

    @property
    def slows_picture(self) -> bool:
        """Whether the picture may be slowed where a line would have to be hurried."""
        return self.fit == Fit.PICTURE

    @classmethod
    def of(cls, named: Mapping[str, str]) -> Finish:
        """Return what is named as text, by the names of the fields; an empty text names nothing.

        Raises:
            InputError: a value is none of those there are.
            LanguageError: the language to be drawn into the picture is unknown.
        """
        burn = named.get("burn", "")
        return cls(
            background=_background(named.get("background", "")),
            literal=is_yes(named.get("literal") or None),
            burn=burn if burn in ("", BOTH) else languages.get(burn).code,
            karaoke=is_yes(named.get("karaoke") or None),
            fit=_fit(named.get("fit", "")),
        )

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Finish:
        """Return what was kept, here or in another version: what is unknown here is left out."""
        background, burn, fit = kept.get("background"), kept.get("burn"), kept.get("fit")
        return cls(
            Background(background) if background in list(Background) else None,
            kept.get("literal") is True,
            burn if isinstance(burn, str) else "",
            kept.get("karaoke") is True,
            Fit(fit) if fit in list(Fit) else None,
        )

    def over(self, before: Finish) -> Finish:
        """Return this finish, with what it does not name as it was before."""
        return Finish(
            self.background or before.background,
            self.literal or before.literal,
            self.burn or before.burn,
            self.karaoke or before.karaoke,
            self.fit or before.fit,
        )


def _background(named: str) -> Background | None:
    if named in ("", AUTO):
        return None
    if named not in list(Background):
        raise InputError(
            "What is heard of the original is one of auto, {known}, and not {named}.",
            known=", ".join(Background),
            named=named[:40],
        )
    return Background(named)


def _fit(named: str) -> Fit | None:
    if named == "":
        return None
    if named not in list(Fit):
        raise InputError(
            "What yields where a line needs more time is one of {known}, and not {named}.",
            known=", ".join(Fit),
            named=named[:40],
        )
    return Fit(named)


NO_FINISH = Finish()
FINISHES = tuple(one.name for one in fields(Finish))
"""The names of the options that say it."""
OPTIONS = (*WISHES, "speakers", "mark_speakers", *FINISHES, "preview", "glossary")
"""The names of all options of a job that nobody has to give."""


_SUBTITLE_TRACK = re.compile(r"track:(\d{1,4})")


def subtitle_track(named: str | None) -> int | None:
    """Return which of a film's own subtitle tracks is named in place of a file (`track:2`); None where none is."""
    found = _SUBTITLE_TRACK.fullmatch(named or "")
    return int(found[1]) if found else None


PREVIEW_SECONDS, PREVIEW_STEM = 60.0, ".preview"
"""How much of a film a preview dubs at most, and what its results have in their names."""
MOST_SPEAKERS = 12
"""Of a film: so many are told apart at most."""
_SWITCHES = dict.fromkeys(("true", "1", "yes", "on"), True) | dict.fromkeys(("false", "0", "no", "off"), False)
_SPEAKERS = re.compile(r"0?[1-9]|1[0-2]", re.ASCII)


def number_of_speakers(named: str | None) -> int | None:
    """Return how many people speak, where it is named as text; None where nobody says it, or with auto.

    Raises:
        InputError: it is no number from 1 to 12.
    """
    if named in (None, AUTO):
        return None
    if not _SPEAKERS.fullmatch(str(named)):
        raise InputError(
            "The number of speakers is neither auto nor a number from 1 to 12: {named}.", named=str(named)[:40]
        )
    return int(str(named))


def is_yes(named: str | None) -> bool:
    """Return whether an option is switched on, where that is named as text; None: it is not.

    Raises:
        InputError: it is neither true nor false.
    """
    told = (named or "false").strip().lower()
    if told not in _SWITCHES:
        raise InputError("An option is neither true nor false: {named}.", named=str(named)[:40])
    return _SWITCHES[told]


def file_of_subtitles(name: str) -> str:
    """Return the name of a subtitle file that came along, so that none is taken for a track of the film."""
    return name if subtitle_track(name) is None else name.replace(":", "_")


@dataclass(frozen=True, slots=True)
class JobRequest:
    """One dub that somebody asks for."""

    source: Path
    target_language: Language | None
    """None: nothing is translated or spoken, what is said is only written down."""
    source_language: Language | None = None
    """None: it is found out by listening."""
    subtitles: Path | None = None
    """A subtitle file in the source language, in place of recognition."""
    subtitle_track: int | None = None
    """Which of the film's own subtitle tracks stands in place of such a file, from 1."""
    audio_track: int | None = None
    """Which of the film's sound tracks is dubbed, from 1; where none is named, its tags and flags decide."""
    name: str = ""
    """What the user calls the film, where that is not the name of the file."""
    glossary: Path | None = None
    """A file of terms that are always translated alike, or never."""
    edits: Edits = NO_EDITS
    """What was changed by hand."""
    wishes: Wishes = NO_WISHES
    speakers: int | None = None
    """How many people speak in the film, 1..12; None: that is found out."""
    mark_speakers: bool = False
    """Whether the subtitles show where another person begins to speak."""
    finish: Finish = NO_FINISH
    preview: bool = False
    """Whether only the first minute is dubbed, as a trial."""
    stt_model: str | None = None
    """By which recognition model what is said is heard; None: the one of the settings."""
    prompt: str = ""
    """Words that may be said, as they are spelt, or what was said before; empty: nothing is known."""
    longest_seconds: float | None = None
    """How long the film may last, whatever it promises; None: as long as there is room for it."""

    @property
    def title(self) -> str:
        """The film's name as the user knows it."""
        return self.name or self.source.name

    @property
    def reads_subtitles(self) -> bool:
        """Whether subtitles, of a file or of a track of the film, stand in place of recognition."""
        return self.subtitles is not None or self.subtitle_track is not None


class Stage(StrEnum):
    """The parts of a job, in the order in which they begin."""

    PROBE = "probe"
    EXTRACT = "extract"
    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"
    SPEAK = "speak"
    MIX = "mix"
    MUX = "mux"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is."""

    stage: Stage
    fraction: float
    """Of this stage, 0..1."""
    film_seconds: float = 0.0
    """Of the whole film, once that is known."""


@dataclass(slots=True)
class Cancel:
    """A switch that ends work from another thread: checked between items, and told to running processes."""

    _event: threading.Event = field(default_factory=threading.Event)
    _hooks: set[Callable[[], None]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    beats: int = 0
    """Signs of life: how often the work has come by here."""

    def set(self) -> None:
        """Ask for the end; hooks (such as killing a process) run in this thread."""
        with self._lock:
            self._event.set()
            hooks = list(self._hooks)
        for hook in hooks:
            hook()

    @property
    def is_set(self) -> bool:
        """Whether the end was asked for."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise `Cancelled` where the end was asked for."""
        self.beat()
        if self._event.is_set():
            raise Cancelled("The work was stopped on request.")

    def beat(self) -> None:
        """Show that the work goes on; of two at the same instant one may be lost, which nobody misses."""
        self.beats += 1

    def add(self, hook: Callable[[], None]) -> None:
        """Run `hook` at `set()`, at once where that has happened already."""
        with self._lock:
            self._hooks.add(hook)
            already = self._event.is_set()
        if already:
            hook()

    def remove(self, hook: Callable[[], None]) -> None:
        """Forget `hook`."""
        with self._lock:
            self._hooks.discard(hook)

    @property
    def hook_count(self) -> int:
        """How many hooks `set()` would run: of work that has ended, none is left."""
        with self._lock:
            return len(self._hooks)


class JobState(StrEnum):
    """Where a job stands. One that is over is run again only where it has results that somebody edits."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """True where nobody works on the job nor will, unless it is edited."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What somebody asked for, in plain values: what is kept of a request, and shown again. It holds no paths."""

    file: str
    """The film's name as the user gave it; never the name of a file here."""
    target_language: str
    """Empty: what is said in the film is only written down."""
    source_language: str = "auto"
    subtitles: str | None = None
    """The name of the subtitle file that came along, or `track:2` for one of the film's own subtitle tracks; None
    where the film is listened to."""
    audio_track: int | None = None
    wishes: Wishes = NO_WISHES
    speakers: int | None = None
    """How many people speak in the film, 1..12; None: that is found out."""
    mark_speakers: bool = False
    """Whether the subtitles show where another person begins to speak."""
    finish: Finish = NO_FINISH
    preview: bool = False
    """Whether only the first minute is dubbed, as a trial."""
    glossary: str = ""
    """The name of the glossary that came along; empty where none did."""

    @property
    def stem(self) -> str:
        """How the names of its results begin."""
        return f"{Path(self.file).stem}{PREVIEW_STEM if self.preview else ''}"

    @property
    def has_subtitle_file(self) -> bool:
        """Whether a subtitle file came along."""
        return self.subtitles is not None and subtitle_track(self.subtitles) is None

    @property
    def target(self) -> Language | None:
        """The language to be spoken; None where nothing is.

        Raises:
            LanguageError: it is unknown.
        """
        return languages.get(self.target_language) if self.target_language else None

    def to_request(
        self, film: Path, subtitles: Path, edits: Edits = NO_EDITS, glossary: Path | None = None
    ) -> JobRequest:
        """Return the work that this asks for, with languages in place of their codes.

        Args:
            film: where the film is.
            subtitles: where the subtitles are, should some have come along.
            edits: what was changed by hand.
            glossary: where the glossary is, should one have come along.

        Raises:
            LanguageError: a language is unknown.
        """
        return JobRequest(
            source=film,
            target_language=self.target,
            source_language=languages.spoken(self.source_language),
            subtitles=subtitles if self.has_subtitle_file else None,
            subtitle_track=subtitle_track(self.subtitles),
            audio_track=self.audio_track,
            name=self.file,
            glossary=glossary if self.glossary else None,
            edits=edits,
            wishes=self.wishes,
            speakers=self.speakers,
            mark_speakers=self.mark_speakers,
            finish=self.finish,
            preview=self.preview,
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as it is kept and shown: under `options` only those wishes that name something."""
        shown = asdict(self)
        further = ("speakers", "mark_speakers", "preview", "glossary")
        options = shown.pop("wishes") | {name: shown.pop(name) for name in further}
        options |= shown.pop("finish")
        shown["options"] = {name: value for name, value in options.items() if value}
        return shown

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> JobSpec:
        """Return what `as_json` wrote, here or in another version: options that are unknown here are left out."""
        values = dict(kept)
        options = values.pop("options", {})
        known = {name: options[name] for name in WISHES if isinstance(options.get(name), str)}
        speakers = options.get("speakers")
        told = speakers if isinstance(speakers, int) and 1 <= speakers <= MOST_SPEAKERS else None
        marks = options.get("mark_speakers") is True
        finish, preview, glossary = Finish.from_json(options), options.get("preview") is True, options.get("glossary")
        return cls(
            **values,
            wishes=Wishes(**known),
            speakers=told,
            mark_speakers=marks,
            finish=finish,
            preview=preview,
            glossary=glossary if isinstance(glossary, str) else "",
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """What the server keeps of a job for itself."""

    submission: str = ""
    """A hash of the key under which it was sent, with its visitor; empty: there was none."""
    digest: str = ""
    """Of all that was asked for under that key."""
    link: str = ""
    """The secret of the link by which others may look at the results; empty: there is none."""
    touched_ms: int | None = None
    """The served time (see `Store`) at its last change; None: not known."""
    ran_ms: int = 0
    """How long its first run took; 0: not known."""
    person: str = ""
    """A hash of the account that it belongs to; empty: it belongs to whoever knows its id."""


@dataclass(frozen=True, slots=True)
class Job:
    """One dub in the queue, at work or finished, as it stood when it was read."""

    id: str
    """A secret: who has it may see and change the job."""
    state: JobState
    stage: Stage | None
    """The last stage that began; None before the first."""
    fraction: float
    """0..1."""
    error: Message | None
    """Why it failed: a sentence, which a face can say in its language."""
    created_at: datetime
    updated_at: datetime
    """In UTC, to the millisecond."""
    request: JobSpec
    version: int
    """Of the results: 0 before the first, and one more with each run that ends done."""
    edits: Edits
    """What the latest run is to change."""
    mended: Edits
    """The edits that the results hold."""
    deaths: int
    """How often in a row the server died on it without a new finished piece."""
    finished_pieces: int
    """How many there were at the last death."""
    visitor: str
    """For whom it counts: what stands for an address, and does not tell it; empty: for nobody."""
    seconds: float = 0.0
    """The film's length; 0: not known."""
    kept: Kept = Kept()

    def as_json(self) -> dict[str, Any]:
        """Return what its owner may see."""
        return {
            "id": self.id,
            "state": self.state.value,
            "stage": self.stage and self.stage.value,
            "fraction": self.fraction,
            "error": self.error,
            "created_at": _stamp(self.created_at),
            "updated_at": _stamp(self.updated_at),
            "request": self.request.as_json(),
        }


def _stamp(moment: datetime) -> str:
    """Return a moment in UTC in ISO 8601, such as 2026-01-01T12:00:00.000Z."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
