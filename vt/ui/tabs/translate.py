"""The tab Translate: choose languages for a film, follow the job, watch the result, and edit its lines."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.events import Dependency

from vt import languages
from vt.domain import MOST_SPEAKERS, Job, JobSpec, JobState, number_of_speakers
from vt.errors import InputError, JobNotFound, WrongState
from vt.jobs.job_service import Jobs
from vt.services import Services
from vt.translatable import LanguageName
from vt.ui import fragments, line_routes, scripts, words
from vt.ui.gateway import uploads
from vt.ui.gateway.uploads import Owner
from vt.ui.progress import to_follow
from vt.ui.shared import (
    PLAIN,
    QUIET,
    UPLOAD,
    Memory,
    Row,
    Shared,
    Subject,
    Updates,
    event_value,
    known,
    native,
    number,
    owner,
    text,
    told,
)
from vt.ui.tabs.finish import FinishChoice
from vt.ui.tabs.upload import UploadTab
from vt.ui.tabs.voices import VoiceChoice, heard_or_not, wishes
from vt.ui.words import Words, label

_AUTO = "auto"


class TranslateTab:
    """The tab, and what it does."""

    def __init__(self, services: Services, shared: Shared, upload: UploadTab) -> None:
        """Build the tab into the page that is being built."""
        self._services, self._shared, self._upload = services, shared, upload
        self._follow = gr.HTML(None, html_template="", js_on_load=scripts.FOLLOW_JOBS, visible="hidden", **PLAIN)
        self._lost = gr.HTML(**PLAIN, visible=False, elem_id="vt-lost")
        self._build_nothing()
        self._build_compose()
        self._build_job()
        self._yours = gr.HTML(**PLAIN, js_on_load=scripts.PICK, elem_id="vt-yours")

    def _build_nothing(self) -> None:
        with gr.Column(elem_classes="vt-narrow") as self._nothing:
            self._nothing_text = gr.HTML(**PLAIN)
            self._to_upload = gr.Button(label("to_upload"), variant="primary", size="lg", elem_id="vt-to-upload")

    def _build_compose(self) -> None:
        with gr.Column(visible=False, elem_classes="vt-narrow", elem_id="vt-compose") as self._compose:
            self._film = gr.HTML(**PLAIN)
            with gr.Row():
                self._source = gr.Dropdown(choices=[], label=label("source"), elem_id="vt-source")
                self._target = gr.Dropdown(choices=[], label=label("target"), elem_id="vt-target")
            self._voices = VoiceChoice(self._services)
            self._served = gr.HTML(**PLAIN, elem_id="vt-served")
            with gr.Accordion(label("options"), open=False, elem_id="vt-options"):
                self._voices.build_engines()
                with gr.Row():
                    self._track = gr.Dropdown(choices=[], label=label("audio_track"), elem_id="vt-track")
                    self._people = gr.Dropdown(choices=[], label=label("how_many_speakers"), elem_id="vt-people")
                self._marks = gr.Checkbox(label=label("mark_speakers"), elem_id="vt-marks")
                self._finish = FinishChoice()
            self._start_trouble = gr.HTML(**PLAIN, visible=False, elem_id="vt-start-trouble")
            with gr.Row(elem_classes="vt-actions"):
                self._back = gr.Button(label("back"), elem_id="vt-back", scale=1, min_width=96)
                self._start = gr.Button(
                    label("start"), variant="primary", size="lg", elem_id="vt-start", scale=4, min_width=160
                )

    def _build_job(self) -> None:
        with gr.Column(visible=False, elem_id="vt-job") as self._job:
            self._job_head = gr.HTML(**PLAIN)
            self._live = gr.HTML(**PLAIN, js_on_load=scripts.ANNOUNCE_CHANGES, elem_id="vt-live")
            self._progress = gr.HTML(**PLAIN, visible=False, elem_id="vt-progress")
            self._cancel = gr.Button(label("cancel"), visible=False, size="sm", elem_id="vt-cancel")
            self._trouble = gr.HTML(**PLAIN, visible=False, elem_id="vt-trouble")
            with gr.Column(visible=False, elem_id="vt-result") as self._result:
                self._lines = gr.HTML(None, html_template="", js_on_load=scripts.LINES, elem_id="vt-lines", **PLAIN)
                self._watch = gr.HTML(**PLAIN, elem_id="vt-watch")
            with gr.Row(elem_classes="vt-actions"):
                self._other = gr.Button(label("other_language"), elem_id="vt-other", min_width=140)
                self._new = gr.Button(label("other_film"), elem_id="vt-new", min_width=140)
                self._remove = gr.Button(label("remove"), elem_id="vt-remove", variant="stop", min_width=100)

    def wire(self, looked: Dependency) -> None:
        """Connect events with their handlers; `looked` is the event that a film has been chosen, or removed."""
        shared, upload = self._shared, self._upload
        memory, every = shared.memory, self._every
        gr.on([self._to_upload.click, self._new.click], self._away, memory, [shared.tabs, *every], **QUIET)
        self._back.click(self._step_back, [memory, shared.subject], [shared.tabs, *every], **QUIET)
        looked.then(self._composed, [memory, shared.subject], every, **QUIET)
        languages, wished = [self._source, self._target], self._voices.chosen
        gr.on([one.input for one in (*languages, *wished)], self._engines, [shared.subject, *languages, *wished],
              [self._served, self._start_trouble, *self._voices.everything], **QUIET)  # fmt: skip
        film = [upload.film, upload.subtitles, shared.subject]
        asked = [*film, *languages, self._track, self._people, self._marks, memory, *wished, *self._finish.everything]
        self._start.click(self._begin, asked, [*every, *upload.choice], **QUIET | {"show_progress": "minimal"})
        self._follow.input(None, None, [self._progress, self._live], js=scripts.PROGRESS, **QUIET)
        self._follow.submit(self._changed, [memory, shared.subject], every, trigger_mode="always_last", **QUIET)
        self._cancel.click(self._stop, memory, every, **QUIET)
        self._other.click(self._again, memory, every, **QUIET)
        self._remove.click(self._forget, memory, every, js=scripts.CONFIRM_REMOVAL, **QUIET)
        self._yours.select(self._open, memory, every, **QUIET)
        self._lines.submit(self._changed, [memory, shared.subject], every, **QUIET)
        self._lines.input(self._heard_or_not, None, self._trouble, **QUIET)
        self._voices.wire()

    @property
    def _every(self) -> list[Any]:
        """The components that a handler may change."""
        return [
            self._shared.memory, self._shared.subject, self._follow, self._lost, self._nothing,
            self._nothing_text, self._compose, self._film, self._source, self._target, self._served,
            *self._voices.everything, self._track, self._people, self._marks, *self._finish.everything,
            self._start_trouble, self._job, self._job_head, self._live, self._progress, self._cancel, self._trouble,
            self._result, self._watch, self._lines, self._other, self._new, self._remove, self._yours,
        ]  # fmt: skip

    @property
    def everything(self) -> list[Any]:
        """The components that `shown` may change."""
        return self._every

    @property
    def trouble(self) -> gr.HTML:
        """Where errors of the whole tab are shown."""
        return self._lost

    @property
    def _jobs(self) -> Jobs:
        return self._services.jobs

    # What is shown

    def shown(self, said: Words, memory: Memory, subject: Subject | None = None) -> Updates:
        """Return the whole tab: with a job, with a film for which languages are chosen, or with neither."""
        found = known(self._jobs, memory)
        job = next((job for job in found if job.id == memory.view), None)
        lost = bool(memory.view) and job is None
        memory = Memory(tuple(job.id for job in found), job.id if job else "")
        gone = fragments.error(said("trouble_gone"), said("gone"))
        rows = [(other, native(other.request.target_language)) for other in found]
        return {
            self._shared.memory: memory.kept(),
            self._follow: to_follow(found, memory.view),
            self._lost: gr.HTML(gone if lost else "", visible=lost),
            self._nothing: gr.Column(visible=job is None and subject is None),
            self._nothing_text: fragments.nothing_here(said("nothing_title"), said("nothing")),
            self._compose: gr.Column(visible=job is None and subject is not None),
            self._job: gr.Column(visible=job is not None),
            self._lines: None,
            self._yours: fragments.films(said, rows, memory.view),
            **(self._of_job(said, job) if job else {}),
        }

    def _of_job(self, said: Words, job: Job) -> Updates:
        over, target = job.state.is_over, native(job.request.target_language)
        updates: Updates = {
            self._job_head: fragments.job_head(said, job, target),
            self._cancel: gr.Button(visible=not over),
            self._other: gr.Button(label("other_language" if job.version else "try_again"), visible=over),
            self._remove: gr.Button(visible=over),
            self._trouble: self._failure(said, job),
            self._result: gr.Column(visible=bool(job.version)),
            self._lines: line_routes.shown(job),
            **self._progressed(said, job),
        }
        if job.version:
            updates |= self._of_result(said, job)
        return updates

    def _failure(self, said: Words, job: Job) -> gr.HTML:
        if job.state is JobState.FAILED:
            why = said.sentence(job.error) if job.error else said("trouble_unexpected")
            return gr.HTML(fragments.error(said("trouble_job"), why), visible=True)
        if job.state is JobState.CANCELLED:
            return gr.HTML(fragments.nothing_here(said("cancelled_title"), said("cancelled")), visible=True)
        return gr.HTML("", visible=False)

    def _progressed(self, said: Words, job: Job) -> Updates:
        if job.state.is_over:
            return {self._progress: gr.HTML("", visible=False), self._live: said(f"state_{job.state.value}")}
        shown = fragments.progress(said, job, None, self._services.factory.news())
        return {self._progress: gr.HTML(shown, visible=True), self._live: fragments.step(said, job)}

    def _of_result(self, said: Words, job: Job) -> Updates:
        report = self._jobs.dub_report(job.id)
        has_picture = self._jobs.film(job.id).media_type.startswith("video/")
        watch = fragments.downloads(said, job, report, has_picture) + fragments.notes(said, self._jobs.remarks(job.id))
        return {self._watch: watch}

    # Handlers

    def _changed(self, kept: object, held: object, request: gr.Request) -> Updates:
        """Draw the tab again, because a job is no longer as the page shows it."""
        said, memory, subject = words.of(request), Memory.of(kept), Subject.of(held)

        def look() -> Updates:
            shown = self.shown(said, memory, subject)
            if shown[self._shared.memory] == memory.kept():
                del shown[self._shared.memory]  # another handler may be changing it at this moment
            return shown

        return told(said, "trouble_job", look, self._lost)

    def _away(self, kept: object) -> Updates:
        """Go to the tab where a film is chosen."""
        del kept
        return {self._shared.tabs: gr.Tabs(selected=UPLOAD)}

    def _composed(self, kept: object, held: object, request: gr.Request) -> Updates:
        """Show the choice of languages for a film, or hide it where no film is chosen any more."""
        said, memory, subject = words.of(request), Memory.of(kept), Subject.of(held)
        if subject is None:
            return {self._lost: gr.skip()} if memory.view else self.shown(said, memory)
        return self._composing(said, memory, subject)

    def _composing(self, said: Words, memory: Memory, subject: Subject) -> Updates:
        shown = self.shown(said, memory.looking_at(""), subject)
        return {**shown, self._shared.subject: subject.kept(), **self._choices(said, subject)}

    def _step_back(self, kept: object, held: object, request: gr.Request) -> Updates:
        """Leave the choice of languages: back to the job that the film comes from, or to the choice of a film."""
        subject = Subject.of(held)
        if subject is None or not subject.job_id:
            return {self._shared.tabs: gr.Tabs(selected=UPLOAD)}
        memory = Memory.of(kept).looking_at(subject.job_id)
        return {**self.shown(words.of(request), memory), self._shared.subject: None}

    def _begin(
        self,
        film: object,
        subtitles: object,
        held: object,
        source: object,
        target: object,
        track: object,
        people: object,
        marks: object,
        kept: object,
        voice: object,
        tts_engine: object,
        translation_engine: object,
        background: object,
        literal: object,
        burn: object,
        request: gr.Request,
    ) -> Updates:
        said, subject = words.of(request), Subject.of(held)

        def submit() -> Updates:
            if not target:
                raise InputError(said("no_target"))
            spoken, heard = text(target, "target_language"), text(source or _AUTO, "source_language")
            if subject and (missing := self._missing(subject, heard, spoken)):
                why = said("language_gone", language=said.language_name(languages.get(missing)).capitalize())
                told_why = gr.HTML(fragments.error(said("trouble_start"), why), visible=True)
                return {**self._choices(said, subject), self._start_trouble: told_why}
            which = number(track, "audio_track") if track else None
            wished = wishes((voice, tts_engine, translation_engine))
            told_apart = number_of_speakers(text(people or _AUTO, "speakers"))
            finish = self._finish.read(background, literal, burn, spoken)
            spec = JobSpec("", spoken, heard, audio_track=which, wishes=wished, speakers=told_apart, finish=finish)
            spec = replace(spec, mark_speakers=marks is True)
            job = self._submitted(subject, spec, film, subtitles, owner(request))
            memory = Memory.of(kept).with_job(job.id)
            return {**self.shown(said, memory), self._shared.subject: None, **self._upload.cleared()}

        return told(said, "trouble_start", submit, self._start_trouble)

    def _submitted(self, subject: Subject | None, spec: JobSpec, film: object, subtitles: object, whose: Owner) -> Job:
        with self._services.probes.held(whose.address), self._jobs.draft() as draft:
            if subject and subject.job_id:
                spec = self._jobs.reuse(draft, subject.job_id, spec, keeps_wishes=False)
                return self._jobs.submit(draft, spec, whose.address)
            spec = uploads.fill(draft, spec, film, subtitles, whose)
            return self._jobs.submit(draft, spec, whose.address)

    def _stop(self, kept: object, request: gr.Request) -> Updates:
        said, memory = words.of(request), Memory.of(kept)

        def cancel() -> Updates:
            with suppress(WrongState):  # it has just ended
                self._jobs.cancel(memory.view)
            return self.shown(said, memory)

        return told(said, "trouble_job", cancel, self._lost)

    def _again(self, kept: object, request: gr.Request) -> Updates:
        """Show the choice of languages for the film of this job."""
        said, memory = words.of(request), Memory.of(kept)

        def compose() -> Updates:
            spec = self._jobs.get(memory.view).request
            subject = Subject(
                spec.file, 0.0, subtitles=spec.subtitles is not None, job_id=memory.view,
                source=spec.source_language, target=spec.target_language, speakers=spec.speakers or 0,
                marks=spec.mark_speakers, finish=spec.finish,
            )  # fmt: skip
            return self._composing(said, memory, subject)

        return told(said, "trouble_start", compose, self._lost)

    def _forget(self, kept: object, request: gr.Request) -> Updates:
        said, memory = words.of(request), Memory.of(kept)
        if not memory.view:
            return {self._lost: gr.skip()}

        def remove() -> Updates:
            with suppress(JobNotFound):
                uploads.remove(self._jobs, memory.view)
            return self.shown(said, memory.without(memory.view))

        return told(said, "trouble_job", remove, self._lost)

    def _open(self, kept: object, picked: gr.EventData, request: gr.Request) -> Updates:
        memory = Memory.of({**Memory.of(kept).kept(), "view": event_value(picked, "job")})
        said = words.of(request)
        return told(said, "trouble_gone", lambda: self.shown(said, memory), self._lost)

    def _heard_or_not(self, came: gr.EventData, request: gr.Request) -> gr.HTML:
        return heard_or_not(self._services.samples, came, request)

    # What can be chosen

    def _missing(self, subject: Subject, source: str, target: str) -> str | None:
        """Return a chosen language that was available when the page was loaded and no longer is; None: both are."""
        rows = self._services.languages()
        if target not in _codes(_spoken(rows)):
            return target
        return None if source == _AUTO or source in _codes(_heard(rows, subject)) else source

    def _choices(self, said: Words, subject: Subject) -> Updates:
        rows = self._services.languages()
        heard, spoken = _heard(rows, subject), _spoken(rows)
        source = subject.source if subject.source in _codes(heard) else _AUTO
        target = _target(said, _codes(spoken), subject)
        tracks = [(said("track_auto"), 0), *((track, number) for number, track in enumerate(subject.tracks, 1))]
        hint = said("reused") if subject.job_id else ""
        return {
            self._film: fragments.film_line(subject.name, subject.seconds, hint),
            self._source: gr.Dropdown(choices=[(said("source_auto"), _AUTO), *_named(said, heard)], value=source),
            self._target: gr.Dropdown(choices=_named(said, spoken), value=target),
            self._served: self._who(said, rows, source, target, subject.subtitles),
            **self._voices.offered(said, rows, target),
            self._track: gr.Dropdown(
                choices=tracks, value=None if subject.job_id else 0, visible=len(subject.tracks) > 1
            ),
            self._people: gr.Dropdown(
                choices=[(said("speakers_auto"), _AUTO), *((str(n), str(n)) for n in range(1, MOST_SPEAKERS + 1))],
                value=str(subject.speakers or _AUTO),
            ),
            self._marks: gr.Checkbox(value=subject.marks),
            **self._finish.shown(said, subject.finish, subject.target),
            self._start_trouble: gr.HTML("", visible=False),
        }

    def _engines(
        self,
        held: object,
        source: object,
        target: object,
        voice: object,
        tts_engine: object,
        translation_engine: object,
        request: gr.Request,
    ) -> Updates:
        """Show which engines serve the chosen languages, and offer the voices for them."""
        said, subject = words.of(request), Subject.of(held)
        told_by_text = subject is not None and subject.subtitles

        def offer() -> Updates:
            rows = self._services.languages()
            wanted = translation_engine, self._voices.speaker(target, voice, tts_engine)
            return {
                self._served: self._who(said, rows, source, target, told_by_text, wanted),
                **self._voices.shown(said, rows, target, voice, tts_engine),
            }

        return told(said, "trouble_start", offer, self._start_trouble)

    def _who(
        self,
        said: Words,
        rows: Sequence[Row],
        source: object,
        target: object,
        by_text: bool,
        wanted: Sequence[object] = (),
    ) -> str:
        """Return which engine does what; `wanted` are the engines that the user chose, which come first."""
        by_code = {row["code"]: row for row in rows}
        heard = by_code.get(str(source), {"hear": _any(rows, "hear"), "translate_from": _any(rows, "translate_from")})
        spoken = by_code.get(str(target), {"translate_to": (), "speak": ()})
        both = [name for name in spoken["translate_to"] if name in heard["translate_from"]]
        hears = (said("served_subtitles"),) if by_text else heard["hear"]
        translates, speaks = (sorted(names, key=lambda name: name not in wanted) for names in (both, spoken["speak"]))
        served = [("served_hear", hears), ("served_translate", translates), ("served_speak", speaks)]
        return fragments.engines_in_use(said, served, self._services.licences())


def _heard(rows: Sequence[Row], subject: Subject) -> list[Row]:
    """Return the languages that can be chosen as the film's."""
    return [row for row in rows if row["translate_from"] and (row["hear"] or subject.subtitles)]


def _spoken(rows: Sequence[Row]) -> list[Row]:
    """Return the languages that it can be dubbed into."""
    return [row for row in rows if row["translate_to"] and row["speak"]]


def _codes(rows: Sequence[Row]) -> list[str]:
    return [row["code"] for row in rows]


def _any(rows: Sequence[Row], what: str) -> list[str]:
    """Return the engines that serve at least one language, the best first."""
    return list(dict.fromkeys(name for row in rows for name in row[what]))


def _named(said: Words, rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Return languages by their own names, followed by their names in the reader's language: both can be searched."""

    def name(row: Row) -> str:
        own, readers = row["native_name"], said.language_name(LanguageName(row["code"], row["name"]))
        return own if own.casefold() == readers.casefold() else f"{own} · {readers}"

    return sorted(((name(row), row["code"]) for row in rows), key=lambda choice: choice[0].casefold())


def _target(said: Words, codes: Sequence[str], subject: Subject) -> str | None:
    """Return the proposed language: the reader's own where that makes sense, else Spanish, else the first."""
    taken = {subject.target, subject.source, subject.language[:2]}
    wished = [said.language] if said.language != "en" else []
    return next((code for code in (*wished, "es", "fr", *codes) if code in codes and code not in taken), None)
