"""The tab Upload: a film is uploaded, and its tracks and length are shown."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
from gradio.events import Dependency

from vt.errors import MediaError, VtError
from vt.jobs.job_service import disk_errors, plain_name
from vt.services import Services
from vt.ui import fragments, scripts, words
from vt.ui.gateway import uploads
from vt.ui.gateway.uploads import Owner
from vt.ui.shared import PLAIN, QUIET, Shared, Subject, Updates, event_value, owner, told
from vt.ui.words import Words, label

_SAMPLE = Path(__file__).parents[3] / "samples" / "sense_and_sensibility.mp4"

_SUBTITLES = ".srt,.vtt,.ass,.ssa,.ttml,.dfxp,.xml,.sbv,.sub,.lrc,.json"


class UploadTab:
    """The tab, and what it does."""

    def __init__(self, services: Services, shared: Shared, sample: Path = _SAMPLE) -> None:
        """Build the tab into the page that is being built.

        Args:
            services: of the server.
            shared: what the tabs share.
            sample: a film to try; where it is not there, as in an installed package, nothing is said of it.
        """
        self._services, self._shared, self._film_to_try = services, shared, sample
        self._formats: list[str] = services.health()["translation_service"]["accepted_video_formats"]
        self._head = gr.HTML(**PLAIN)
        with gr.Row(elem_classes="vt-columns"):
            with gr.Column(scale=5, min_width=320):
                self.film = gr.File(label=label("film"), elem_id="vt-film", height=260, elem_classes="vt-drop")
                self._facts = gr.HTML(**PLAIN, visible=False, elem_id="vt-facts")
                self._trouble = gr.HTML(**PLAIN, visible=False, elem_id="vt-upload-trouble")
                self.go = gr.Button(
                    label("to_translate"), variant="primary", size="lg", interactive=False, elem_id="vt-go"
                )
            with gr.Column(scale=3, min_width=280, elem_classes="vt-aside"):
                with gr.Column(elem_classes="vt-card vt-try", visible=sample.exists()):
                    self._sample_hint = gr.HTML(**PLAIN)
                    self._sample = gr.Button(label("sample"), size="sm", elem_id="vt-sample")
                self.subtitles = gr.File(
                    label=label("subtitles"), height=130, elem_id="vt-subtitles", elem_classes="vt-drop vt-small"
                )
                self._subtitles_hint = gr.HTML(**PLAIN)
                most = services.settings.max_upload_mb * 2**20
                films = ",".join(f".{name}" for name in self._formats)
                accepted = {"#vt-film": f"video/*,audio/*,{films}", "#vt-subtitles": _SUBTITLES}
                self._limits = gr.HTML(js_on_load=scripts.GUARD, most_bytes=most, accepted=accepted, **PLAIN)

    def wire(self) -> list[Dependency]:
        """Connect events with their handlers, and return the events that a film has been chosen or removed."""
        given = [self.film, self.subtitles]
        seen = [self._facts, self._trouble, self.go, self._shared.subject]
        laid = self._sample.click(self._lay_sample, None, [self.film, self._trouble], **QUIET)
        chosen = [one for file in given for one in (file.upload, file.clear)]
        # Subtitles may be chosen while the film is looked at: both are looked at after that.
        looked: Dependency = gr.on(chosen, self._look, given, seen, trigger_mode="always_last", **QUIET)
        self._limits.submit(self._too_large, None, self._trouble, **QUIET)
        return [looked, laid.then(self._look, given, seen, **QUIET)]

    @property
    def texts(self) -> list[gr.HTML]:
        """The components that `written` fills."""
        return [self._head, self._sample_hint, self._subtitles_hint, self._limits]

    def written(self, said: Words) -> Updates:
        """Return the tab's own texts."""
        settings = self._services.settings
        limits = fragments.limits(
            said, settings.max_upload_mb, settings.max_duration_minutes, settings.retention_hours, self._formats
        )
        return {
            self._head: fragments.heading(said("upload_title"), said("upload_lead")),
            self._sample_hint: fragments.small_print(said("sample_hint")),
            self._subtitles_hint: fragments.small_print(said("subtitles_hint")),
            self._limits: limits,
        }

    def cleared(self) -> Updates:
        """Return the tab without a chosen file."""
        return {self.film: None, self.subtitles: None}

    def restored(self, said: Words, whose: Owner, held: Subject) -> Updates:
        """Return the tab with the film that a page had before it was loaded anew; nothing where that has gone."""
        try:
            film = uploads.own(held.film, whose)
            captions = uploads.own(held.captions, whose) if held.captions else None
            found = self._found(said, whose, film, captions)
        except VtError:
            return {self._shared.subject: None}
        return {self.film: str(film), self.subtitles: captions and str(captions), **found}

    @property
    def choice(self) -> list[Any]:
        """The components that `cleared` empties."""
        return [self.film, self.subtitles]

    @property
    def everything(self) -> list[Any]:
        """The components that `restored` may change."""
        return [*self.choice, self._facts, self._trouble, self.go]

    def _too_large(self, refused: gr.EventData, request: gr.Request) -> gr.HTML:
        """Say why the browser did not send a file."""
        said, limit = words.of(request), self._services.settings.max_upload_mb
        name, size = (event_value(refused, key) for key in ("file", "megabytes"))
        megabytes = size if isinstance(size, int) else "?"
        sentence = said("too_large", file=plain_name(str(name)), megabytes=megabytes, limit=limit)
        return gr.HTML(fragments.error(said("trouble_file"), sentence), visible=True)

    def _look(self, film: object, subtitles: object, request: gr.Request) -> Updates:
        said = words.of(request)
        nothing: Updates = {
            self._facts: gr.HTML(visible=False),
            self.go: gr.Button(interactive=False),
            self._shared.subject: None,
        }
        if film is None:
            return {**nothing, self._trouble: gr.HTML(visible=False)}

        def look() -> Updates:
            return self._found(said, owner(request), film, subtitles)

        return {**nothing, **told(said, "trouble_file", look, self._trouble)}

    def _found(self, said: Words, whose: Owner, film: object, subtitles: object) -> Updates:
        jobs, uploaded = self._services.jobs, uploads.own(film, whose)
        captions = uploads.own(subtitles, whose) if subtitles else None
        with self._services.probes.held(whose.address), jobs.draft() as draft:
            uploads.take(uploaded, draft.film)
            found = jobs.inspect(draft, uploaded.name, whose.address)
        minutes, limit = found["duration_seconds"] / 60, self._services.settings.max_duration_minutes
        if minutes > limit:
            most = said.localized(f"{limit:g}")
            raise MediaError(said("too_long", file=found["file"], minutes=f"{minutes:.0f}", limit=most))
        address = f"gradio_api/file={quote(str(uploaded))}"
        texts = [(number, track) for number, track in enumerate(found["subtitles"], 1) if track["is_text"]]
        is_silent = not found["audio"]
        subject = Subject(
            found["file"],
            found["duration_seconds"],
            tuple(fragments.track_text(said, number, track) for number, track in enumerate(found["audio"], 1)),
            language=(found["audio"][0]["language"] or "") if found["audio"] else "",
            subtitles=captions is not None,
            film=str(uploaded),
            captions=str(captions or ""),
            texts=tuple(f"{number}: {fragments.track_text(said, number, track)}" for number, track in texts),
            is_silent=is_silent,
            key=secrets.token_urlsafe(16),
        )
        shown = fragments.inspection(said, found, address, captions.name if captions else None)
        can_go = bool(captions or texts or not is_silent)
        return {
            self._facts: gr.HTML(shown, visible=True),
            self.go: gr.Button(interactive=can_go),
            self._shared.subject: subject.kept() if can_go else None,
        }

    def _lay_sample(self, request: gr.Request) -> Updates:
        """Copy the sample to the uploads, as if it had been uploaded, and return its path."""
        said, whose = words.of(request), owner(request)

        def lay() -> Updates:
            with disk_errors():
                uploads.check(self._services.jobs, whose, self._film_to_try.stat().st_size)
                place = uploads.place(self._film_to_try.name, whose)
                shutil.copyfile(self._film_to_try, place)  # no link: a linked upload counts as taken by a job
            return {self.film: str(place)}

        return told(said, "trouble_file", lay, self._trouble)
