"""What the tabs share: the browser's memory, the film that is chosen, and how a handler's failure is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from vt import languages
from vt.domain import Job
from vt.errors import InputError, JobNotFound, VtError
from vt.jobs import Jobs
from vt.store import ID
from vt.ui import parts
from vt.ui.scripts import MOST_JOBS
from vt.ui.uploads import Owner
from vt.ui.words import ENGLISH, Words

_log = logging.getLogger(__name__)

UPLOAD, TRANSLATE, MODELS = "upload", "translate", "models"
RAW: dict[str, Any] = {"preprocess": False}
"""Has Gradio hand over what the browser sent as it is. Its own preparation leaves an empty file behind for each that is
uploaded, and checks a choice against what it has offered in the browser's session, and forgets sessions: after an hour
of sleep, and when the server starts again. Each function checks what it is given."""
QUIET: dict[str, Any] = {"api_visibility": "private", "queue": False, "show_progress": "hidden", **RAW}
"""Options of the page's own events: scripts have endpoints."""

PLAIN: dict[str, Any] = {"apply_default_css": False}
"""Options of an element that has all of its looks from style.css."""

_LONGEST = 200
Row = Mapping[str, Any]
"""A language, and which engines serve it."""
Updates = dict[Any, Any]
"""By the component: what becomes of it."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a browser remembers from visit to visit. It comes from outside: it may be anything."""

    jobs: tuple[str, ...] = ()
    """The ids of its jobs, the latest first."""
    view: str = ""
    """The id of the job that is looked at; empty: none."""

    @classmethod
    def of(cls, kept: object) -> Memory:
        """Return what of a browser's memory can be used."""
        known = kept if isinstance(kept, Mapping) else {}
        jobs, view = known.get("jobs"), known.get("view")
        found = jobs[:MOST_JOBS] if isinstance(jobs, list) else ()
        return cls(
            tuple(job for job in found if isinstance(job, str) and ID.fullmatch(job)),
            view if isinstance(view, str) and ID.fullmatch(view) else "",
        )

    def kept(self) -> dict[str, Any]:
        """Return it as a browser keeps it."""
        return {"jobs": list(self.jobs), "view": self.view}

    def with_job(self, job_id: str) -> Memory:
        """Return it with one job more, which is looked at."""
        others = tuple(job for job in self.jobs if job != job_id)
        return Memory((job_id, *others)[:MOST_JOBS], job_id)

    def without(self, job_id: str) -> Memory:
        """Return it without a job."""
        return Memory(tuple(job for job in self.jobs if job != job_id), "" if self.view == job_id else self.view)

    def looking_at(self, job_id: str) -> Memory:
        """Return it with another job, or none, to be looked at."""
        return Memory(self.jobs, job_id)


@dataclass(frozen=True, slots=True)
class Shared:
    """The components that more than one tab reads or changes."""

    tabs: gr.Tabs
    memory: gr.HTML
    """Holds a `Memory`, in the browser."""
    subject: gr.HTML
    """Holds the `Subject` that is to be dubbed, or None: in the page itself, which outlives a restart of the server."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A film that is to be dubbed: one that was uploaded, or that of an earlier job."""

    name: str
    seconds: float
    tracks: tuple[str, ...] = ()
    """Its sound tracks, in words."""
    language: str = ""
    """What the first of them says that it speaks."""
    subtitles: bool = False
    """Whether subtitles say what is said in it."""
    job_id: str = ""
    """Whose film it is; empty: the uploaded one."""
    source: str = "auto"
    target: str = ""
    """The languages of that job."""

    @classmethod
    def of(cls, kept: object) -> Subject | None:
        """Return what a page holds. It comes from outside: it may be anything."""
        known = kept if isinstance(kept, Mapping) else {}
        job_id, tracks = str(known.get("job_id", "")), known.get("tracks")
        if not known.get("name") or (job_id and not ID.fullmatch(job_id)):
            return None
        return cls(
            str(known["name"]),
            known["seconds"] if isinstance(known.get("seconds"), int | float) else 0.0,
            tuple(map(str, tracks)) if isinstance(tracks, list) else (),
            language=str(known.get("language", "")),
            subtitles=known.get("subtitles") is True,
            job_id=job_id,
            source=str(known.get("source", "auto")),
            target=str(known.get("target", "")),
        )

    def kept(self) -> dict[str, Any]:
        """Return it as a page holds it."""
        return asdict(self)


def known(jobs: Jobs, memory: Memory) -> list[Job]:
    """Return those of a browser's jobs that still exist."""
    found = []
    for job_id in memory.jobs:
        try:
            found.append(jobs.get(job_id))
        except JobNotFound:
            continue
    return found


def native(code: str) -> str:
    """Return a language's name in that language."""
    return languages.get(code).native_name


def told(words: Words, what: str, act: Callable[[], Updates], place: Component) -> Updates:
    """Return what an act changes, or the trouble that it met, at its place on the page.

    Args:
        words: of the reader.
        what: the key of what could not be done.
        act: does it.
        place: where trouble is told.
    """
    try:
        return {place: gr.HTML("", visible=False), **act()}
    except VtError as error:
        sentence = words.sentence(str(error))
    except Exception:  # noqa: BLE001 (whatever it is, its text is not for the page)
        _log.error("the page met an unexpected error", exc_info=True)
        sentence = words("trouble_unexpected")
    return {place: gr.HTML(parts.trouble(words(what), sentence), visible=True)}


@contextmanager
def in_words(words: Words = ENGLISH) -> Iterator[None]:
    """Turn our errors into Gradio's: the sentence, and nothing else."""
    try:
        yield
    except VtError as error:
        raise gr.Error(words.sentence(str(error)), print_exception=False) from error


def owner(request: gr.Request) -> Owner:
    """Return whose uploads a call may use, and for whom its jobs count."""
    assert request.request is not None  # noqa: S101 (it is made of one for each call from outside)
    return Owner.of(request.request.scope)


def text(value: object, name: str, longest: int = _LONGEST) -> str:
    """Return a value from outside that has to be text.

    Raises:
        InputError: it is none, or longer than what it stands for can be.
    """
    if isinstance(value, str) and len(value) <= longest:
        return value
    raise InputError("{name} has to be text of at most {most} characters.", name=name, most=longest)


def number(value: object, name: str) -> int:
    """Return a value from outside that has to be a whole number.

    Raises:
        InputError: it is none.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise InputError("{name} has to be a whole number.", name=name)


def event_value(event: gr.EventData, name: str) -> object:
    """Return what an event of the page's scripts says, or None: it comes from outside, and may be anything."""
    said = event._data
    return said.get(name) if isinstance(said, Mapping) else None
