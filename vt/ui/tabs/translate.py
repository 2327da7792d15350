"""The tab Translate: choose languages for a film, follow the job, watch the result, and edit its lines."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.events import Dependency

from vt import languages
from vt.domain import MOST_SPEAKERS, PREVIEW_SECONDS, Job, JobSpec, JobState, number_of_speakers
from vt.dubbing import glossing
from vt.errors import InputError, JobNotFound, WrongState
from vt.jobs.job_service import Jobs
from vt.services import Services
from vt.translatable import LanguageName
from vt.ui import fragments, language_search, line_routes, scripts, shared_pages, words
from vt.ui.gateway import uploads
from vt.ui.gateway.uploads import Owner
from vt.ui.progress import first_lines_of, outlook_of, to_follow
from vt.ui.shared import (
    PLAIN,
    QUIET,
    TRANSLATE,
    UPLOAD,
    Known,
    Memory,
    Row,
    Shared,
    Subject,
    Updates,
    event_value,
    listed,
    native,
    number,
    owner,
    remembered,
    text,
    told,
)
from vt.ui.tabs.finish import FinishChoice
from vt.ui.tabs.starting import Start, Started
from vt.ui.tabs.upload import UploadTab
from vt.ui.tabs.voices import VoiceChoice, heard_or_not, wishes
from vt.ui.words import Words, label

_AUTO = "auto"
_LONGEST_TYPED = 200
_MOST_AT_ONCE = 7
"""Languages beside the first."""


class TranslateTab:
    """The tab, and what it does."""

    def __init__(self, services: Services, shared: Shared, upload: UploadTab) -> None:
        """Build the tab into the page that is being built."""
        self._services, self._shared, self._upload = services, shared, upload
        self._follow = gr.HTML(None, html_template="", js_on_load=scripts.FOLLOW_JOBS, visible="hidden", **PLAIN)
        self._lost = gr.HTML(**PLAIN, visible=False, elem_id="vt-lost")
        self._undo = gr.HTML(**PLAIN, js_on_load=scripts.UNDO, elem_id="vt-undo")
        self._yours = gr.HTML(**PLAIN, js_on_load=scripts.PICK, elem_id="vt-yours")
        self._build_nothing()
        self._build_compose()
        self._build_job()

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
            self._search = gr.HTML(
                None, html_template="", js_on_load=scripts.SEARCH_LANGUAGE, visible="hidden", **PLAIN
            )
            self._words = gr.Dropdown(choices=[], label=label("what_is_said"), elem_id="vt-words", visible=False)
            self._voices = VoiceChoice(self._services)
            self._served = gr.HTML(**PLAIN, elem_id="vt-served")
            with gr.Accordion(label("options"), open=False, elem_id="vt-options"):
                self._also = gr.Dropdown(choices=[], multiselect=True, label=label("also"), elem_id="vt-also")
                self._voices.build_engines()
                with gr.Row():
                    self._track = gr.Dropdown(choices=[], label=label("audio_track"), elem_id="vt-track")
                    self._people = gr.Dropdown(choices=[], label=label("how_many_speakers"), elem_id="vt-people")
                self._marks = gr.Checkbox(label=label("mark_speakers"), elem_id="vt-marks")
                self._finish = FinishChoice()
                self._glossary = gr.File(
                    label=label("glossary"), height=130, elem_id="vt-glossary", elem_classes="vt-drop vt-small"
                )
                self._glossary_hint = gr.HTML(**PLAIN, elem_id="vt-glossary-hint")
            self._preview = gr.Checkbox(label=label("preview"), elem_id="vt-preview")
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
            self._progress = gr.HTML(**PLAIN, js_on_load=scripts.AT_WORK, visible=False, elem_id="vt-progress")
            self._cancel = gr.Button(label("cancel"), visible=False, size="sm", elem_id="vt-cancel")
            self._trouble = gr.HTML(**PLAIN, visible=False, elem_id="vt-trouble")
            self._black = gr.HTML(**PLAIN, js_on_load=scripts.BLACK_PICTURE, elem_id="vt-black")
            with gr.Column(visible=False, elem_id="vt-result") as self._result:
                self._lines = gr.HTML(None, html_template="", js_on_load=scripts.LINES, elem_id="vt-lines", **PLAIN)
                self._watch = gr.HTML(**PLAIN, elem_id="vt-watch")
            self._sharing = gr.HTML(**PLAIN, js_on_load=scripts.SHARE, visible=False, elem_id="vt-sharing")
            with gr.Row(elem_classes="vt-actions"):
                self._whole = gr.Button(
                    label("whole"), visible=False, variant="primary", elem_id="vt-whole", min_width=140
                )
                self._other = gr.Button(label("other_language"), elem_id="vt-other", min_width=140)
                self._new = gr.Button(label("other_film"), elem_id="vt-new", min_width=140)
                self._remove = gr.Button(label("remove"), elem_id="vt-remove", variant="stop", min_width=100)

    def wire(self, looked: Dependency) -> None:
        """Connect events with their handlers; `looked`: what is chosen on the tab Upload has been looked at."""
        shared, upload = self._shared, self._upload
        memory, every = shared.memory, self._every
        gr.on([self._to_upload.click, self._new.click], self._away, memory, [shared.tabs, *every], **QUIET)
        upload.go.click(self._to_languages, [memory, shared.subject], [shared.tabs, *every], **QUIET)
        self._back.click(self._step_back, [memory, shared.subject], [shared.tabs, *every], **QUIET)
        looked.then(self._composed, [memory, shared.subject], every, **QUIET)
        languages, wished = [self._source, self._target], self._voices.chosen
        offered = [self._served, self._start_trouble, *self._voices.everything]
        chosen = [shared.subject, *languages, *wished]
        inputs = [one.input for one in (*languages, *wished)]
        gr.on(inputs, self._engines, chosen, offered, trigger_mode="always_last", **QUIET)
        self._search.select(self._searched, chosen, [*languages, self._search, *offered], **QUIET)
        film = [upload.film, upload.subtitles, shared.subject]
        asked = [
            *film,
            *languages,
            self._also,
            self._words,
            self._track,
            self._people,
            self._marks,
            self._preview,
            memory,
            *wished,
            *self._finish.everything,
            self._glossary,
        ]
        self._start.click(self._begin, asked, [*every, *upload.everything], **QUIET | {"show_progress": "minimal"})
        self._follow.input(None, None, [self._progress, self._live], js=scripts.PROGRESS, **QUIET)
        self._follow.submit(self._changed, [memory, shared.subject], every, trigger_mode="always_last", **QUIET)
        self._cancel.click(self._stop, memory, every, **QUIET)
        self._other.click(self._again, memory, every, **QUIET)
        self._whole.click(self._dub_whole, memory, every, **QUIET)
        self._remove.click(self._forget, [memory, shared.subject], every, **QUIET)
        self._black.submit(self._copied, memory, [self._black, self._lost], **QUIET)
        self._black.select(self._copying, memory, [self._black, self._lost], **QUIET)
        self._undo.select(self._bring_back, [memory, shared.subject], every, **QUIET)
        self._sharing.select(self._share, memory, [self._sharing, self._lost], **QUIET)
        # A job is picked from the list, or named by the address of the page.
        gr.on([self._yours.select, memory.select], self._open, [memory, shared.subject], every, **QUIET)
        self._lines.submit(self._changed, [memory, shared.subject], every, **QUIET)
        self._lines.input(self._heard_or_not, None, self._trouble, **QUIET)
        self._glossary.upload(self._look_up_terms, self._glossary, self._start_trouble, **QUIET)
        self._glossary.clear(self._look_up_terms, self._glossary, self._start_trouble, **QUIET)
        self._voices.wire()

    @property
    def _every(self) -> list[Any]:
        """The components that a handler may change."""
        return [
            self._shared.memory, self._shared.subject, self._follow, self._lost, self._nothing,
            self._nothing_text, self._compose, self._film, self._source, self._target, self._also, self._words,
            self._served, *self._voices.everything, self._track, self._people, self._marks, *self._finish.everything,
            self._preview, self._start_trouble, self._job, self._job_head, self._live, self._progress, self._cancel,
            self._trouble, self._result, self._watch, self._lines, self._whole, self._other, self._new, self._remove,
            self._yours, self._undo, self._sharing, self._black, self._glossary, self._glossary_hint,
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
        seen = Known.of(self._jobs, memory, self._services.removals.waiting)
        found = seen.all
        job = next((job for job in found if job.id == memory.view), None)
        lost = bool(memory.view) and job is None
        is_foreign = memory.view in seen.of_others
        # A browser may have several users: what belongs to an account is kept there by nobody but the account.
        memory = replace(memory, jobs=tuple(job.id for job in seen.others), view=job.id if job else "")
        why = ("trouble_account", "of_account") if is_foreign else ("trouble_gone", "gone")
        gone = fragments.error(*map(said, why))
        kept = self._jobs.kept_seconds([job.id for job in found]) if found else {}
        rows = [(other, native(other.request.target_language)) for other in found]
        return {
            self._shared.memory: memory.kept(),
            self._follow: to_follow(said, found, memory.view),
            self._lost: gr.HTML(gone if lost else "", visible=lost),
            self._nothing: gr.Column(visible=job is None and subject is None),
            self._nothing_text: fragments.nothing_here(said("nothing_title"), said("nothing")),
            self._compose: gr.Column(visible=job is None and subject is not None),
            self._job: gr.Column(visible=job is not None),
            self._lines: None,
            self._yours: fragments.films(said, fragments.by_film(rows, kept), memory.view),
            self._undo: "",
            **(self._of_job(said, job) if job else {}),
        }

    def _of_job(self, said: Words, job: Job) -> Updates:
        over, target = job.state.is_over, native(job.request.target_language)
        updates: Updates = {
            self._job_head: fragments.job_head(said, job, target),
            self._cancel: gr.Button(visible=not over),
            self._other: gr.Button(label("other_language" if job.version else "try_again"), visible=over),
            self._whole: gr.Button(visible=over and bool(job.version) and job.request.preview),
            self._remove: gr.Button(visible=over),
            self._trouble: self._failure(said, job),
            self._result: gr.Column(visible=bool(job.version)),
            self._lines: line_routes.shown(job),
            self._sharing: self._shared_by(said, job.id) if job.version else gr.HTML("", visible=False),
            self._black: self._copy_of(said, job) if job.version else "",
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
        news, first = self._services.factory.news(), first_lines_of(self._jobs, job)
        shown = fragments.progress(said, job, None, news, outlook_of(self._jobs, job), first)
        return {self._progress: gr.HTML(shown, visible=True), self._live: fragments.step(said, job)}

    def _of_result(self, said: Words, job: Job) -> Updates:
        report = self._jobs.dub_report(job.id)
        has_picture = self._jobs.film(job.id).media_type.startswith("video/")
        remarks = fragments.notes(said, self._jobs.remarks(job.id)) + fragments.slowed(said, report.slowed)
        took = fragments.usage(said, report.engines.translation.usage)
        return {self._watch: fragments.downloads(said, job, report, has_picture) + remarks + took}

    # Handlers

    def _changed(self, kept: object, held: object, request: gr.Request) -> Updates:
        """Draw the tab again, because a job is no longer as the page shows it."""
        said, memory, subject = words.of(request), remembered(kept, request), Subject.of(held)

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

    def _to_languages(self, kept: object, held: object, request: gr.Request) -> Updates:
        """Go to the choice of languages for the chosen film, whichever job was looked at since."""
        memory, subject = remembered(kept, request), Subject.of(held)
        there = {self._shared.tabs: gr.Tabs(selected=TRANSLATE)}
        return {**there, **(self._composing(words.of(request), memory, subject) if subject else {})}

    def restored(self, said: Words, memory: Memory, subject: Subject | None) -> Updates:
        """Return the whole tab as a page had it before it was loaded anew."""
        if memory.view or subject is None:
            return self.shown(said, memory)
        return self._composing(said, memory, subject)

    def _composed(self, kept: object, held: object, request: gr.Request) -> Updates:
        """Show the choice of languages for a film, or hide it where no film is chosen any more."""
        said, memory, subject = words.of(request), remembered(kept, request), Subject.of(held)
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
        memory = remembered(kept, request).looking_at(subject.job_id)
        return {**self.shown(words.of(request), memory), self._shared.subject: None}

    def _begin(
        self,
        film: object,
        subtitles: object,
        held: object,
        source: object,
        target: object,
        also: object,
        told_by: object,
        track: object,
        people: object,
        marks: object,
        preview: object,
        kept: object,
        voice: object,
        tts_engine: object,
        translation_engine: object,
        background: object,
        literal: object,
        burn: object,
        karaoke: object,
        slows: object,
        glossary: object,
        request: gr.Request,
    ) -> Updates:
        said, subject = words.of(request), Subject.of(held)

        def submit() -> Updates:
            if not target:
                raise InputError(said("no_target"))
            heard, spoken = text(source or _AUTO, "source_language"), _targets(target, also)
            missing = next((code for code in spoken if self._missing(subject, heard, code)), None) if subject else None
            if subject and missing:
                gone = self._missing(subject, heard, missing) or missing
                why = said("language_gone", language=said.language_name(languages.get(gone)).capitalize())
                told_why = gr.HTML(fragments.error(said("trouble_start"), why), visible=True)
                return {**self._choices(said, subject), self._start_trouble: told_why}
            spec = JobSpec(
                "", spoken[0], heard,
                subtitles=text(told_by or "", "subtitles") or None,
                audio_track=number(track, "audio_track") if track else None,
                wishes=wishes((voice, tts_engine, translation_engine)),
                speakers=number_of_speakers(text(people or _AUTO, "speakers")),
                mark_speakers=marks is True,
                finish=self._finish.read(background, literal, burn, karaoke, slows, spoken[0]),
                preview=preview is True,
            )  # fmt: skip
            whose = owner(request)
            start = Start(self._services, subject, _films(subject, film, whose), subtitles, glossary, whose)
            started = start.started([spec, *(_in(spec, code) for code in spoken[1:])])
            return self._after(said, remembered(kept, request), started, whose)

        return told(said, "trouble_start", submit, self._start_trouble)

    def _after(self, said: Words, memory: Memory, started: Started, whose: Owner) -> Updates:
        """Show the jobs that were started, the first one open, and say which films were not; these stay chosen."""
        wrong = list(started.sentences(said))
        trouble = gr.HTML(fragments.error(said("trouble_start"), *wrong), visible=bool(wrong))
        if not started.jobs:
            return {self._start_trouble: trouble}
        for job in reversed(started.jobs):
            memory = memory.with_job(job.id)
        shown = {**self.shown(said, memory), **self._upload.left_with(said, whose, started.left)}
        return {**shown, self._lost: trouble}

    def _look_up_terms(self, glossary: object, request: gr.Request) -> Updates:
        """Say at once what is wrong with a glossary."""
        said, whose = words.of(request), owner(request)

        def look() -> Updates:
            glossing.read(uploads.own(glossary, whose) if glossary else None)
            return {self._start_trouble: gr.HTML("", visible=False)}

        return told(said, "trouble_start", look, self._start_trouble)

    def _stop(self, kept: object, request: gr.Request) -> Updates:
        said, memory = words.of(request), remembered(kept, request)

        def cancel() -> Updates:
            with suppress(WrongState):  # it has just ended
                self._jobs.cancel(memory.view)
            return self.shown(said, memory)

        return told(said, "trouble_job", cancel, self._lost)

    def _again(self, kept: object, request: gr.Request) -> Updates:
        """Show the choice of languages for the film of this job."""
        said, memory = words.of(request), remembered(kept, request)

        def compose() -> Updates:
            spec = self._jobs.get(memory.view).request
            subject = Subject(
                spec.file, 0.0, subtitles=spec.subtitles is not None, job_id=memory.view,
                source=spec.source_language, target=spec.target_language, speakers=spec.speakers or 0,
                marks=spec.mark_speakers, finish=spec.finish, glossary=spec.glossary, key=secrets.token_urlsafe(16),
            )  # fmt: skip
            return self._composing(said, memory, subject)

        return told(said, "trouble_start", compose, self._lost)

    def _dub_whole(self, kept: object, request: gr.Request) -> Updates:
        """Have the whole film of a preview dubbed, with the same choices; once, however often that is pressed."""
        said, memory, whose = words.of(request), remembered(kept, request), owner(request)

        def submit() -> Updates:
            spec = JobSpec("", self._jobs.get(memory.view).request.target_language)
            with self._services.probes.held(whose.address), self._jobs.draft() as draft:
                spec = self._jobs.reuse(draft, memory.view, spec)
                job = self._jobs.submit(draft, spec, whose.address, f"whole {memory.view}", whose.person)
            return self.shown(said, memory.with_job(job.id))

        return told(said, "trouble_start", submit, self._lost)

    def _forget(self, kept: object, held: object, request: gr.Request) -> Updates:
        """Have a job removed in a few seconds, in which that can be taken back; the page is without it at once."""
        said, memory = words.of(request), remembered(kept, request)
        if not memory.view:
            return {self._lost: gr.skip()}

        def remove() -> Updates:
            without = memory.without(memory.view)
            try:
                offer = fragments.undo(said, self._jobs.get(memory.view))
            except JobNotFound:
                return self.shown(said, without)
            uploads.drop(uploads.folder(), self._jobs.original(memory.view).path)
            self._services.removals.begin(memory.view)
            return {**self.restored(said, without, Subject.of(held)), self._undo: offer}

        return told(said, "trouble_job", remove, self._lost)

    def _bring_back(self, kept: object, held: object, picked: gr.EventData, request: gr.Request) -> Updates:
        """Let a job stay that was about to be removed, and show it; where it is too late, say so."""
        said, wanted = words.of(request), Memory.of({"view": event_value(picked, "job")}).view

        def bring() -> Updates:
            self._services.removals.take_back(wanted)
            return self.restored(said, remembered(kept, request).looking_at(wanted), Subject.of(held))

        return {**told(said, "trouble_gone", bring, self._lost), self._undo: ""}

    def _share(self, kept: object, pressed: gr.EventData, request: gr.Request) -> Updates:
        """Make or take back the link by which others may see the results."""
        said, job_id = words.of(request), Memory.of(kept).view

        def change() -> Updates:
            if event_value(pressed, "link") == "make":
                self._jobs.link(job_id)
            else:
                self._jobs.unlink(job_id)
            return {self._sharing: self._shared_by(said, job_id)}

        return told(said, "trouble_job", change, self._lost)

    def _copied(self, kept: object, request: gr.Request) -> Updates:
        """Have a copy of the dub made whose picture this browser can show."""
        said, job_id = words.of(request), Memory.of(kept).view

        def make() -> Updates:
            self._jobs.make_page_copy(job_id, owner(request).address)
            return {self._black: self._copy_of(said, self._jobs.get(job_id))}

        return told(said, "trouble_job", make, self._lost)

    def _copying(self, kept: object, request: gr.Request) -> Updates:
        """Look how far that copy is."""
        said, job_id = words.of(request), Memory.of(kept).view
        return told(said, "trouble_job", lambda: {self._black: self._copy_of(said, self._jobs.get(job_id))}, self._lost)

    def _copy_of(self, said: Words, job: Job) -> str:
        return fragments.black_picture(said, job, self._jobs.page_copy_state(job.id))

    def _shared_by(self, said: Words, job_id: str) -> gr.HTML:
        secret = self._jobs.link_of(job_id)
        return gr.HTML(fragments.sharing(said, shared_pages.address(secret) if secret else ""), visible=True)

    def _open(self, kept: object, held: object, picked: gr.EventData, request: gr.Request) -> Updates:
        wanted = Memory.of({"view": event_value(picked, "job")}).view
        said, memory = words.of(request), remembered(kept, request).looking_at(wanted)
        return told(said, "trouble_gone", lambda: self.restored(said, memory, Subject.of(held)), self._lost)

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
        source = next((one for one in (subject.source, _tagged(subject)) if one in _codes(heard)), _AUTO)
        target = _target(said, _codes(spoken), subject)
        tracks = [(said("track_auto"), 0), *((track, number) for number, track in enumerate(subject.tracks, 1))]
        hint = said("reused") if subject.job_id else self._expected(said, subject)
        return {
            self._film: fragments.film_line(subject.name, subject.seconds, hint),
            self._source: gr.Dropdown(choices=[(said("source_auto"), _AUTO), *_named(said, heard)], value=source),
            self._target: gr.Dropdown(choices=_named(said, spoken), value=target),
            self._also: gr.Dropdown(choices=_named(said, spoken), value=[]),
            self._words: self._sources_of_words(said, subject),
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
            # How long an earlier job's film is is not known here: a short one is dubbed whole.
            self._preview: gr.Checkbox(value=False, visible=bool(subject.job_id) or subject.seconds > PREVIEW_SECONDS),
            **self._finish.shown(said, subject.finish, subject.target),
            self._glossary: None,
            self._glossary_hint: fragments.small_print(
                said("glossary_from_job", file=subject.glossary) if subject.glossary else said("glossary_hint")
            ),
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
                # What was typed may be looked up at the same moment: what is said of it stays, whoever answers last.
                self._start_trouble: gr.skip(),
            }

        return told(said, "trouble_start", offer, self._start_trouble)

    def _expected(self, said: Words, subject: Subject) -> str:
        """Say about how long a dub takes, by those before it, and how many jobs are there already."""
        seconds, busy = self._jobs.expected_seconds(subject.seconds), self._jobs.busy()
        takes = "" if seconds is None else said("takes_about", time=fragments.duration(seconds))
        return " ".join(filter(None, (takes, said.counted("busy", busy) if busy else "")))

    def _sources_of_words(self, said: Words, subject: Subject) -> gr.Dropdown:
        """Return the choice of where the words of the film come from; it is there where there is a choice."""
        tracks = [(name, f"track:{place}") for place, _, name in (one.partition(": ") for one in subject.texts)]
        listening = [] if subject.is_silent else [(said("by_listening"), "")]
        choices = [*listening, *tracks]
        value = choices[0][1] if choices else ""
        return gr.Dropdown(choices=choices, value=value, visible=bool(tracks) and not subject.subtitles)

    def _searched(
        self,
        held: object,
        source: object,
        target: object,
        voice: object,
        tts_engine: object,
        translation_engine: object,
        sought: gr.EventData,
        request: gr.Request,
    ) -> Updates:
        """Choose the language that was typed into one of the two fields, or say that there is none of that name."""
        said, subject = words.of(request), Subject.of(held)
        typed = str(event_value(sought, "typed") or "")[:_LONGEST_TYPED]
        rows = self._services.languages()
        is_source = event_value(sought, "field") == "vt-source"
        offered = _spoken(rows) if not is_source else _heard(rows, subject) if subject else []
        found = language_search.find(typed, {row["code"]: _names(said, row) for row in offered})
        source, target = (found or source, target) if is_source else (source, found or target)
        chosen = self._engines(held, source, target, voice, tts_engine, translation_engine, request)
        field = self._source if is_source else self._target
        if found:
            quiet = {self._start_trouble: gr.HTML("", visible=False)}
            return {**chosen, **quiet, field: found, self._search: {"typed": typed, "found": found}}
        why = fragments.error(said("trouble_language"), said("no_such_language", typed=typed))
        told_why = {self._start_trouble: gr.HTML(why, visible=True), self._search: {"typed": typed, "found": ""}}
        return {**chosen, **told_why}

    def _who(
        self,
        said: Words,
        rows: Sequence[Row],
        source: object,
        target: object,
        by_text: bool,
        wanted: Sequence[object] = (),
    ) -> str:
        """Return which engine does what: those that the user chose, `wanted`, come first, then the operator's."""
        by_code = {row["code"]: row for row in rows}
        heard = by_code.get(str(source), {"hear": _any(rows, "hear"), "translate_from": _any(rows, "translate_from")})
        spoken = by_code.get(str(target), {"translate_to": (), "speak": ()})
        both = [name for name in spoken["translate_to"] if name in heard["translate_from"]]
        hears = (said("served_subtitles"),) if by_text else heard["hear"]
        own = self._services.settings.translation_engine, self._services.settings.tts_engine
        translates, speaks = (
            sorted(names, key=lambda name: (name not in wanted, name not in own)) for names in (both, spoken["speak"])
        )
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


def _names(said: Words, row: Row) -> list[str]:
    """Return what a language may be called: by itself, by the reader, and in English."""
    return [row["native_name"], said.language_name(LanguageName(row["code"], row["name"])), row["name"]]


def _tagged(subject: Subject) -> str:
    """Return the code of the language that the film's own tag names; empty: it names none."""
    found = languages.find(subject.language) if subject.language else None
    return found.code if found else ""


def _targets(first: object, also: object) -> list[str]:
    """Return the codes of the languages to speak, each once, the first one first.

    Raises:
        InputError: they are no codes, or too many.
    """
    more = also if isinstance(also, list) else []
    if len(more) > _MOST_AT_ONCE:
        raise InputError("A video can be dubbed into at most {most} languages at once.", most=_MOST_AT_ONCE + 1)
    return list(dict.fromkeys(text(code, "target_language") for code in (first, *more)))


def _films(subject: Subject | None, chosen: object, whose: Owner) -> list[str]:
    """Return the paths of the films to be dubbed; `chosen`: as the page holds them, in case it lost the subject.

    Raises:
        UploadGone: there is none.
    """
    if subject and (subject.job_id or subject.film):
        return [subject.film, *subject.more]
    return [str(uploads.own(film, whose)) for film in listed(chosen) or [None]]


def _in(spec: JobSpec, code: str) -> JobSpec:
    """Return the same for a further language: its subtitles are drawn, and its voice is its own."""
    burn = code if spec.finish.burn == spec.target_language else spec.finish.burn
    own = replace(spec.wishes, voice="", tts_engine="")
    return replace(spec, target_language=code, finish=replace(spec.finish, burn=burn), wishes=own)


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
