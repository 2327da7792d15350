"""Shared by the tabs: the browser's memory, the chosen film, checks of values, and the display of errors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import gradio as gr
from gradio.components import Component

from vt import languages
from vt.domain import MOST_SPEAKERS, NO_FINISH, Finish, Job
from vt.errors import InputError, JobNotFound, VtError
from vt.jobs.job_service import Jobs
from vt.jobs.store import ID
from vt.ui import fragments
from vt.ui.gateway.uploads import Owner
from vt.ui.scripts import MOST_JOBS
from vt.ui.words import ENGLISH, Words

_log = logging.getLogger(__name__)

UPLOAD, TRANSLATE, MODELS = "upload", "translate", "models"
RAW: dict[str, Any] = {"preprocess": False}
"""Gradio passes on what the browser sent, unchanged; each function checks its values itself. Gradio's own preparation
would leave an empty file behind for each upload. It would also check a choice against what it offered in that session,
and it forgets sessions after an hour and when the server restarts."""
QUIET: dict[str, Any] = {"api_visibility": "private", "queue": False, "show_progress": "hidden", **RAW}
"""Options of the page's own events. Scripts use the endpoints instead."""

PLAIN: dict[str, Any] = {"apply_default_css": False}
"""Options of an element that is styled by style.css alone."""

MOST_FILMS = 8
"""How many films may be chosen at once: as many as jobs of one visitor may wait and run."""
_LONGEST, _LONGEST_KEY, _LONGEST_SECONDS = 200, 64, 1e11
Row = Mapping[str, Any]
"""A language, and which engines serve it."""
Updates = dict[Any, Any]
"""New values or properties, by their components."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a browser remembers between visits. It comes from outside, and is checked."""

    jobs: tuple[str, ...] = ()
    """The ids of its jobs, the newest first."""
    view: str = ""
    """The id of the job that is shown; empty: none."""
    person: str = ""
    """The key of whoever has signed in; the browser neither keeps it nor says it."""

    @classmethod
    def of(cls, kept: object, person: str = "") -> Memory:
        """Return the valid part of a browser's memory; `person`: the key of whoever has signed in."""
        known = kept if isinstance(kept, Mapping) else {}
        jobs, view = known.get("jobs"), known.get("view")
        found = jobs[:MOST_JOBS] if isinstance(jobs, list) else ()
        return cls(
            tuple(job for job in found if isinstance(job, str) and ID.fullmatch(job)),
            view if isinstance(view, str) and ID.fullmatch(view) else "",
            person,
        )

    def kept(self) -> dict[str, Any]:
        """Return it as JSON for the browser."""
        return {"jobs": list(self.jobs), "view": self.view}

    def with_job(self, job_id: str) -> Memory:
        """Return it with one more job, which is shown."""
        others = tuple(job for job in self.jobs if job != job_id)
        return replace(self, jobs=(job_id, *others)[:MOST_JOBS], view=job_id)

    def without(self, job_id: str) -> Memory:
        """Return it without a job."""
        others = tuple(job for job in self.jobs if job != job_id)
        return replace(self, jobs=others, view="" if self.view == job_id else self.view)

    def looking_at(self, job_id: str) -> Memory:
        """Return it with another job shown, or none; one that is new to it comes first."""
        return replace(self, view=job_id) if not job_id or job_id in self.jobs else self.with_job(job_id)


@dataclass(frozen=True, slots=True)
class Shared:
    """The components that several tabs read or change."""

    tabs: gr.Tabs
    memory: gr.HTML
    """Holds a `Memory`, in the browser."""
    subject: gr.HTML
    """Holds the `Subject` that is to be dubbed, or None. It is kept in the page, so that a restart does not lose it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A film that is to be dubbed: one that was uploaded, or that of an earlier job."""

    name: str
    seconds: float
    tracks: tuple[str, ...] = ()
    """Its sound tracks, in words."""
    language: str = ""
    """The language in the tags of the first one."""
    subtitles: bool = False
    """Whether subtitles are used in place of recognition."""
    job_id: str = ""
    """The job whose film it is; empty: an uploaded film."""
    source: str = "auto"
    target: str = ""
    """The source and target language of that job."""
    speakers: int = 0
    """How many people that job said to speak; 0: that was found out."""
    marks: bool = False
    """Whether its subtitles show who speaks."""
    finish: Finish = NO_FINISH
    """How its film is made up."""
    film: str = ""
    captions: str = ""
    """The paths of an uploaded film and of its subtitles, as their owner was told them."""
    more: tuple[str, ...] = ()
    """The paths of further films, which are dubbed with the same choices; `seconds` is the length of all then."""
    texts: tuple[str, ...] = ()
    """The film's own subtitle tracks that hold text, each as "number: in words"."""
    is_silent: bool = False
    """Whether it has no sound."""
    glossary: str = ""
    """The name of the glossary of that job; empty: it has none."""
    key: str = ""
    """Of the request that is made of it: pressed twice, Start makes one job."""

    @classmethod
    def of(cls, kept: object) -> Subject | None:
        """Return the subject that a page holds, or None. It comes from outside, and is checked."""
        known = kept if isinstance(kept, Mapping) else {}
        job_id, speakers = str(known.get("job_id", "")), known.get("speakers")
        finish = known.get("finish")
        if not known.get("name") or (job_id and not ID.fullmatch(job_id)):
            return None
        return cls(
            str(known["name"]),
            _seconds(known.get("seconds")),
            _texts(known.get("tracks")),
            language=str(known.get("language", "")),
            subtitles=known.get("subtitles") is True,
            job_id=job_id,
            source=str(known.get("source", "auto")),
            target=str(known.get("target", "")),
            speakers=int(speakers) if isinstance(speakers, int) and 1 <= speakers <= MOST_SPEAKERS else 0,
            marks=known.get("marks") is True,
            finish=Finish.from_json(finish if isinstance(finish, Mapping) else {}),
            film=str(known.get("film", "")),
            captions=str(known.get("captions", "")),
            more=_texts(known.get("more"))[: MOST_FILMS - 1],
            texts=_texts(known.get("texts")),
            is_silent=known.get("is_silent") is True,
            glossary=str(known.get("glossary", "")),
            key=str(known.get("key", ""))[:_LONGEST_KEY],
        )

    def kept(self) -> dict[str, Any]:
        """Return it as JSON for the page."""
        return asdict(self)


def _seconds(held: object) -> float:
    """Return a length that a page holds; 0 where it is none, or one of thousands of years."""
    return float(held) if isinstance(held, int | float) and 0 <= held < _LONGEST_SECONDS else 0.0


def _texts(listed: object) -> tuple[str, ...]:
    return tuple(map(str, listed)) if isinstance(listed, list | tuple) else ()


def listed(files: object) -> list[object]:
    """Return the files that a page holds in one field, which is empty, or has one or several; at most `MOST_FILMS`."""
    several = files if isinstance(files, list) else [files]
    return [file for file in several if file][:MOST_FILMS]


@dataclass(frozen=True, slots=True)
class Known:
    """The jobs that a page shows, as they are now."""

    theirs: tuple[Job, ...]
    """Those that belong to whoever has signed in, the newest first."""
    others: tuple[Job, ...]
    """Those of the browser's that still exist, and belong to nobody."""
    of_others: frozenset[str]
    """The ids of those that the browser knows, and that belong to somebody else: they are not shown."""

    @classmethod
    def of(cls, jobs: Jobs, memory: Memory, going: Collection[str] = ()) -> Known:
        """Look up the jobs that a browser knows, and those of whoever has signed in there, but for `going`."""
        theirs = [job_id for job_id in jobs.of_person(memory.person) if job_id not in going]
        found = _existing(jobs, [job_id for job_id in (*memory.jobs, memory.view) if job_id and job_id not in theirs])
        return cls(
            tuple(_existing(jobs, _with(memory.view, theirs))),
            tuple(job for job in found if not job.kept.person and job.id in memory.jobs),
            frozenset(job.id for job in found if job.kept.person),
        )

    @property
    def all(self) -> list[Job]:
        """All that are shown, in their order."""
        return [*self.theirs, *self.others]


def _with(job_id: str, listed: list[str]) -> list[str]:
    """Return as many ids as a page shows, this one among them if it is in the list."""
    shown = listed[:MOST_JOBS]
    return shown if job_id in shown or job_id not in listed else [*shown[:-1], job_id]


def _existing(jobs: Jobs, ids: Iterable[str]) -> list[Job]:
    found = []
    for job_id in dict.fromkeys(ids):
        with suppress(JobNotFound):
            found.append(jobs.get(job_id))
    return found


def remembered(kept: object, request: gr.Request) -> Memory:
    """Return what a browser remembers, for whoever has signed in there."""
    return Memory.of(kept, owner(request).person)


def native(code: str) -> str:
    """Return a language's name in that language."""
    return languages.get(code).native_name


def told(words: Words, what: str, act: Callable[[], Updates], place: Component) -> Updates:
    """Call `act`, and return its updates of the page, or an update that shows its error.

    Args:
        words: in the language of the reader.
        what: the key of the error's heading.
        act: returns updates; may raise a `VtError`.
        place: the component that shows an error.
    """
    try:
        return {place: gr.HTML("", visible=False), **act()}
    except VtError as error:
        sentence = words.sentence(error.message)
    except Exception:  # noqa: BLE001 (the text of an unexpected error is not for the page)
        _log.error("the page met an unexpected error", exc_info=True)
        sentence = words("trouble_unexpected")
    return {place: gr.HTML(fragments.error(words(what), sentence), visible=True)}


@contextmanager
def in_words(words: Words = ENGLISH) -> Iterator[None]:
    """Turn our errors into Gradio's, which show only the sentence, while the block runs."""
    try:
        yield
    except VtError as error:
        raise gr.Error(words.sentence(error.message), print_exception=False) from error


def owner(request: gr.Request) -> Owner:
    """Return the owner of the uploads that a call may use; its jobs count for the same visitor."""
    assert request.request is not None  # noqa: S101 (each call from outside has one)
    return Owner.of(request.request.scope)


def text(value: object, name: str, longest: int = _LONGEST) -> str:
    """Return a value from outside that must be text.

    Raises:
        InputError: it is not text, or is too long.
    """
    if isinstance(value, str) and len(value) <= longest:
        return value
    raise InputError("{name} has to be text of at most {most} characters.", name=name, most=longest)


def number(value: object, name: str) -> int:
    """Return a value from outside that must be a whole number.

    Raises:
        InputError: it is not one.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise InputError("{name} has to be a whole number.", name=name)


def event_value(event: gr.EventData, name: str) -> object:
    """Return a value from an event of the page's scripts, or None. It comes from outside: it may be anything."""
    said = event._data
    return said.get(name) if isinstance(said, Mapping) else None
