"""The tab Upload: films are uploaded, and their tracks and lengths are shown."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
from gradio.events import Dependency

from vt.errors import InputError, MediaError, UploadGone, VtError
from vt.jobs.job_service import disk_errors, plain_name
from vt.services import Services
from vt.ui import fragments, scripts, words
from vt.ui.gateway import uploads
from vt.ui.gateway.uploads import Owner
from vt.ui.shared import MOST_FILMS, PLAIN, QUIET, Shared, Subject, Updates, event_value, listed, owner, told
from vt.ui.words import Words, label

_SAMPLE = Path(__file__).parents[3] / "samples" / "sense_and_sensibility.mp4"

_SUBTITLES = ".srt,.vtt,.ass,.ssa,.ttml,.dfxp,.xml,.sbv,.sub,.lrc,.json"
_GLOSSARIES = ".csv,.tsv,.tab,.txt"
_MOST_REFUSED, _LONGEST_REASON = 32, 500
"""Files of which the browser may say that they were not sent, and characters of each reason."""


@dataclass(frozen=True, slots=True)
class _Film:
    """An uploaded film, and what is in it."""

    path: Path
    found: Mapping[str, Any]

    @property
    def texts(self) -> list[tuple[int, Mapping[str, Any]]]:
        """Its subtitle tracks that hold text, with their numbers."""
        return [(number, track) for number, track in enumerate(self.found["subtitles"], 1) if track["is_text"]]

    @property
    def language(self) -> str:
        """The language in the tags of its first sound track; empty: none."""
        sounds = self.found["audio"]
        return (sounds[0]["language"] or "") if sounds else ""


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
                self._build_choice()
            with gr.Column(scale=3, min_width=280, elem_classes="vt-aside"):
                with gr.Column(elem_classes="vt-card vt-try", visible=sample.exists()):
                    self._sample_hint = gr.HTML(**PLAIN)
                    self._sample = gr.Button(label("sample"), size="sm", elem_id="vt-sample")
                self.subtitles = gr.File(
                    label=label("subtitles"), height=130, elem_id="vt-subtitles", elem_classes="vt-drop vt-small"
                )
                self._subtitles_hint = gr.HTML(**PLAIN)
                self._languages = gr.HTML(**PLAIN, elem_id="vt-languages")
                self._limits = gr.HTML(**PLAIN)

    def _build_choice(self) -> None:
        self.film = gr.File(
            label=label("film"), file_count="multiple", elem_id="vt-film", height=260, elem_classes="vt-drop"
        )
        is_here = self._services.takes_links
        asking: dict[str, Any] = {"js_on_load": scripts.FETCH_LINK if is_here else None, "most_films": MOST_FILMS}
        self._link = gr.HTML(visible=is_here, elem_id="vt-link", **asking, **PLAIN)
        self._sending = gr.HTML(**PLAIN, elem_id="vt-sending")
        most = self._services.settings.max_upload_mb * 2**20
        films = ",".join(f".{name}" for name in self._formats)
        accepted = {"#vt-film": f"video/*,audio/*,{films}", "#vt-subtitles": _SUBTITLES, "#vt-glossary": _GLOSSARIES}
        limits: dict[str, Any] = {"most_bytes": most, "most_films": MOST_FILMS, "accepted": accepted}
        self._refused = gr.HTML(
            None, html_template="", js_on_load=scripts.SEND_FILES, visible="hidden", **limits, **PLAIN
        )
        self._facts = gr.HTML(**PLAIN, visible=False, elem_id="vt-facts")
        self._trouble = gr.HTML(**PLAIN, visible=False, elem_id="vt-upload-trouble")
        self.go = gr.Button(label("to_translate"), variant="primary", size="lg", interactive=False, elem_id="vt-go")

    def wire(self) -> Dependency:
        """Connect events with their handlers, and return the event that what is chosen has been looked at."""
        given = [self.film, self.subtitles, self._refused]
        seen = [self.film, self._facts, self._trouble, self.go, self._shared.subject]
        laid = self._sample.click(self._lay_sample, None, [self.film, self._refused], **QUIET)
        chosen = [one for file in (self.film, self.subtitles) for one in (file.upload, file.clear)]
        chosen += [self.film.delete, self._refused.submit]
        fetched = self._link.select(self._add, self.film, [self.film, self._refused], **QUIET)
        for one in (laid, fetched):
            one.then(None, js=scripts.TELL_CHOSEN)  # has `_refused` submit, so that there is one event for all
        # Subtitles may be chosen while the film is looked at: both are looked at after that.
        looked: Dependency = gr.on(chosen, self._look, given, seen, trigger_mode="always_last", **QUIET)
        return looked

    @property
    def texts(self) -> list[gr.HTML]:
        """The components that `written` fills."""
        hints = [self._sample_hint, self._subtitles_hint, self._limits]
        return [self._head, *hints, self._link, self._sending, self._languages]

    def written(self, said: Words, *, is_known: bool = False) -> Updates:
        """Return the tab's own texts; `is_known`: somebody has signed in."""
        settings = self._services.settings
        sizes = (settings.max_upload_mb, settings.max_duration_minutes, settings.retention_hours)
        limits = fragments.limits(said, *sizes, self._formats, is_known=is_known)
        return {
            self._head: fragments.heading(said("upload_title"), said("upload_lead")),
            self._sample_hint: fragments.small_print(said("sample_hint")),
            self._subtitles_hint: fragments.small_print(said("subtitles_hint")),
            self._limits: limits,
            self._link: fragments.link_field(said) if self._services.takes_links else "",
            self._sending: fragments.sending(said),
            self._languages: fragments.languages_here(said, self._services.factory.grades()),
        }

    def restored(self, said: Words, whose: Owner, held: Subject) -> Updates:
        """Return the tab with the films that a page had before it was loaded anew; nothing where they have gone."""
        try:
            films = [self._inspected(said, whose, path) for path in (held.film, *held.more)]
            captions = uploads.own(held.captions, whose) if held.captions else None
            found = self._found(said, films, captions)
        except VtError:
            return {self._shared.subject: None}
        return {self.film: [str(film.path) for film in films], self.subtitles: captions and str(captions), **found}

    def left_with(self, said: Words, whose: Owner, films: Sequence[str]) -> Updates:
        """Return the tab with only these of its films left, by their paths; empty where none is."""
        emptied: Updates = {self.film: None, self.subtitles: None, **self._nothing(), self._trouble: _hidden()}
        if not films:
            return emptied
        return {**emptied, **self.restored(said, whose, Subject("", 0.0, film=films[0], more=tuple(films[1:])))}

    @property
    def everything(self) -> list[Any]:
        """The components that `restored` and `left_with` may change."""
        return [self.film, self.subtitles, self._facts, self._trouble, self.go]

    def _nothing(self) -> Updates:
        return {self._facts: _hidden(), self.go: gr.Button(interactive=False), self._shared.subject: None}

    def _look(self, films: object, subtitles: object, refused: object, request: gr.Request) -> Updates:
        """Look into the chosen films; those that cannot be used are told of, and left out where others can."""
        said, whose = words.of(request), owner(request)
        wrong = list(self._refusals(said, refused))

        def look() -> Updates:
            chosen = listed(films)
            alone = len(chosen) == 1
            good = [film for one in chosen if (film := self._or_told(said, whose, one, wrong, alone=alone))]
            left = {self.film: [str(film.path) for film in good]} if good and len(good) < len(chosen) else {}
            if not good:
                return left
            return {**left, **self._found(said, good, uploads.own(subtitles, whose) if subtitles else None)}

        updates = {**self._nothing(), **told(said, "trouble_file", look, self._trouble)}
        if wrong:
            updates[self._trouble] = gr.HTML(fragments.error(said("trouble_file"), *wrong), visible=True)
        return updates

    def _or_told(self, said: Words, whose: Owner, film: object, wrong: list[str], *, alone: bool) -> _Film | None:
        """Return what is in a film; where it cannot be used, alone or among others, add to `wrong` why."""
        try:
            found = self._inspected(said, whose, film)
            if alone or found.found["audio"]:
                return found
            raise MediaError(said("silent_among_others", file=found.path.name))
        except VtError as error:
            wrong.append(said.sentence(error.message))
            return None

    def _refusals(self, said: Words, refused: object) -> Iterator[str]:
        """Say why the browser did not send some files. What it tells comes from outside: it may be anything."""
        limit = self._services.settings.max_upload_mb
        for one in refused[:_MOST_REFUSED] if isinstance(refused, list) else ():
            known = one if isinstance(one, Mapping) else {}
            name, size, why = plain_name(str(known.get("file"))), known.get("megabytes"), known.get("why")
            if isinstance(size, int):
                yield said("too_large", file=name, megabytes=size, limit=limit)
            elif isinstance(why, str):
                yield f"{name}: {why[:_LONGEST_REASON] or said('upload_broken')}"
            else:
                yield said("too_many_films", file=name, most=MOST_FILMS)

    def _inspected(self, said: Words, whose: Owner, film: object) -> _Film:
        """Return what is in an uploaded film.

        Raises:
            VtError: it cannot be used.
        """
        jobs, uploaded = self._services.jobs, uploads.own(film, whose)
        with self._services.probes.held(whose.address), jobs.draft() as draft:
            uploads.take(uploaded, draft.film)
            found = jobs.inspect(draft, uploaded.name, whose.address)
        minutes, limit = found["duration_seconds"] / 60, self._services.settings.max_duration_minutes
        if minutes > limit:
            most = said.localized(f"{limit:g}")
            raise MediaError(said("too_long", file=found["file"], minutes=f"{minutes:.0f}", limit=most))
        return _Film(uploaded, found)

    def _found(self, said: Words, films: Sequence[_Film], captions: Path | None) -> Updates:
        """Return what is shown of one film, or of several."""
        if len(films) > 1 and captions:
            raise InputError(said("one_film_for_subtitles"))
        subject = _subject(said, films[0], captions) if len(films) == 1 else _together(films)
        can_go = not subject.is_silent or bool(captions or subject.texts)
        return {
            self._facts: gr.HTML(_facts(said, films, captions), visible=True),
            self.go: gr.Button(interactive=can_go),
            self._shared.subject: subject.kept() if can_go else None,
        }

    def _add(self, films: object, came: gr.EventData, request: gr.Request) -> Updates:
        """Choose a film that came by a link with those that are chosen already; `_look` says what is left out, and why.

        What did not come is named in place of the film, with the sentence that the server had for it.
        """
        whose, chosen = owner(request), []
        if not event_value(came, "film"):
            return {self._refused: [{name: event_value(came, name) for name in ("file", "why")}]}
        for film in (*listed(films), event_value(came, "film")):
            with suppress(UploadGone):
                chosen.append(uploads.own(film, whose))
        left_out = [{"file": film.name} for film in chosen[MOST_FILMS:]]
        return {self.film: [str(film) for film in chosen[:MOST_FILMS]] or None, self._refused: left_out}

    def _lay_sample(self, request: gr.Request) -> Updates:
        """Copy the sample to the uploads, as if it had been uploaded; `_look` says why it could not be done."""
        said, whose, name = words.of(request), owner(request), self._film_to_try.name
        try:
            with disk_errors():
                uploads.check(self._services.jobs, whose, self._film_to_try.stat().st_size)
                place = uploads.place(name, whose)
                shutil.copyfile(self._film_to_try, place)  # no link: a linked upload counts as taken by a job
        except VtError as error:
            return {self._refused: [{"file": name, "why": said.sentence(error.message)}]}
        return {self.film: [str(place)]}


def _hidden() -> gr.HTML:
    return gr.HTML(visible=False)


def _facts(said: Words, films: Sequence[_Film], captions: Path | None) -> str:
    if len(films) > 1:
        return fragments.chosen(said, [(film.found["file"], film.found["duration_seconds"]) for film in films])
    address = f"gradio_api/file={quote(str(films[0].path))}"
    return fragments.inspection(said, films[0].found, address, captions.name if captions else None)


def _subject(said: Words, film: _Film, captions: Path | None) -> Subject:
    found = film.found
    return Subject(
        found["file"],
        found["duration_seconds"],
        tuple(fragments.track_text(said, number, track) for number, track in enumerate(found["audio"], 1)),
        language=film.language,
        subtitles=captions is not None,
        film=str(film.path),
        captions=str(captions or ""),
        texts=tuple(f"{number}: {fragments.track_text(said, number, track)}" for number, track in film.texts),
        is_silent=not found["audio"],
        key=secrets.token_urlsafe(16),
    )


def _together(films: Sequence[_Film]) -> Subject:
    """Return several films, for which only that can be chosen which holds for all of them."""
    first, languages = films[0], {film.language for film in films}
    return Subject(
        ", ".join(film.found["file"] for film in films),
        sum(film.found["duration_seconds"] for film in films),
        language=first.language if len(languages) == 1 else "",
        film=str(first.path),
        more=tuple(str(film.path) for film in films[1:]),
        key=secrets.token_urlsafe(16),
    )
