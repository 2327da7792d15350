"""The choice of a voice, with a button that plays a sample, and the choice of engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from vt.domain import WISHES, Wishes
from vt.dubbing.report import DubReport
from vt.dubbing.voice_samples import Samples
from vt.engines.protocols import Voice, is_commercial
from vt.services import Services
from vt.ui import fragments, scripts, words
from vt.ui.shared import PLAIN, QUIET, Row, Updates, event_value, text
from vt.ui.words import Words, label

_NOBODY = ""
"""The value where nothing is chosen: then the best is used."""
_LONGEST_TOLD = 500
"""Characters of what the browser says that it was told; the sentences of this server are shorter."""


class VoiceChoice:
    """The choice, and what it does."""

    def __init__(self, services: Services) -> None:
        """Build the choice of a voice into the page that is being built."""
        self._services = services
        with gr.Row(elem_classes="vt-voice"):
            self._voice = gr.Dropdown(choices=[], label=label("voice"), elem_id="vt-voice", scale=4, min_width=200)
            self._sample = gr.HTML(**PLAIN, js_on_load=scripts.HEAR_VOICE, elem_id="vt-hear")
        self._trouble = gr.HTML(**PLAIN, visible=False, elem_id="vt-voice-trouble")

    def build_engines(self) -> None:
        """Build the choice of engines, at another place of the page."""
        with gr.Row():
            self._translation = gr.Dropdown(choices=[], label=label("translation_engine"), elem_id="vt-translation")
            self._tts = gr.Dropdown(choices=[], label=label("tts_engine"), elem_id="vt-tts")

    def wire(self) -> None:
        """Connect the sample button with its handler. Who knows the languages handles the choice of a voice."""
        self._sample.input(self._pressed, None, self._trouble, **QUIET)

    @property
    def chosen(self) -> list[Any]:
        """The components that hold the wishes, in the order of `Wishes`."""
        return [self._voice, self._tts, self._translation]

    @property
    def everything(self) -> list[Any]:
        """The components that `offered` may change."""
        return [*self.chosen, self._sample, self._trouble]

    def offered(self, said: Words, rows: Sequence[Row], target: str | None) -> Updates:
        """Return the choices for a language, with nothing chosen; `rows`: which engines serve which language now."""
        return {
            **self.shown(said, rows, target, _NOBODY, _NOBODY),
            self._tts: gr.Dropdown(choices=self._engines(said, rows, "speak"), value=_NOBODY),
            self._translation: gr.Dropdown(choices=self._engines(said, rows, "translate_to"), value=_NOBODY),
        }

    def shown(self, said: Words, rows: Sequence[Row], target: object, voice: object, engine: object) -> Updates:
        """Return the voices for a language, of the chosen engine if there is one; a chosen voice stays if possible."""
        code, speaker = text(target or "", "target_language"), text(engine or _NOBODY, "tts_engine")
        there = next((row["speak"] for row in rows if row["code"] == code), ())
        spoken = self._services.spoken_by(code)
        listed = [one for one in spoken if one.engine in there and speaker in (_NOBODY, one.engine)]
        best = self._services.best_voice(code, speaker) if code else None
        here = next((one for one in listed if one.id == voice), None)
        choices = [(said("voice_best"), _NOBODY), *((voice_text(said, one), one.id) for one in listed)]
        return {
            self._voice: gr.Dropdown(choices=choices, value=here.id if here else _NOBODY),
            self._sample: fragments.sample(said, heard.id, voice_text(said, heard)) if (heard := here or best) else "",
            self._trouble: gr.HTML("", visible=False),
        }

    def speaker(self, target: object, voice: object, engine: object) -> str | None:
        """Return the chosen engine, or that of the chosen voice; None: neither is chosen."""
        found = (one.engine for one in self._services.spoken_by(str(target)) if one.id == voice)
        return str(engine) if engine else next(found, None)

    def _engines(self, said: Words, rows: Sequence[Row], what: str) -> list[tuple[str, str]]:
        there = {name for row in rows for name in row[what]}
        named = (
            (_joined(name, "" if is_commercial(licence) else said("non_commercial")), name)
            for name, licence in self._services.licences().items()  # the best comes first
            if name in there
        )
        return [(said("engine_best"), _NOBODY), *named]

    def _pressed(self, came: gr.EventData, request: gr.Request) -> gr.HTML:
        return heard_or_not(self._services.samples, came, request)


def heard_or_not(samples: Samples, came: gr.EventData, request: gr.Request) -> gr.HTML:
    """Return why a sample could not be played: what the server told the browser, or that it told nothing."""
    if event_value(came, "heard") is True:
        return gr.HTML("", visible=False)
    reader, said = words.of(request), event_value(came, "said")
    why = why_unheard(reader, samples, said)
    return gr.HTML(fragments.error(reader("trouble_voice"), why), visible=True)


def why_unheard(said: Words, samples: Samples, told: object) -> str:
    """Return why a voice could not be heard, not escaped; `told`: what the browser says that the server told it."""
    if not isinstance(told, str) or not told:
        return said("voice_failed")
    return said.sentence(samples.refusal(told) or told[:_LONGEST_TOLD])


def wishes(chosen: Sequence[object]) -> Wishes:
    """Return the wishes of a job for what is chosen.

    Raises:
        InputError: one of them is not text.
    """
    return Wishes(*(text(value or _NOBODY, name) for name, value in zip(WISHES, chosen, strict=True)))


def voice_text(said: Words, voice: Voice) -> str:
    """Return a voice in words, not escaped: its name, gender and engine, and whether commercial use is forbidden."""
    own = "" if voice.name == voice.language.name else voice.name  # an engine's only voice has no name of its own
    gender = said(f"gender_{voice.gender}") if voice.gender else ""
    return _joined(own, gender, voice.engine, "" if voice.commercial else said("non_commercial"))


def offered(said: Words, services: Services, report: DubReport) -> list[tuple[str, str]]:
    """Return the ids of the voices that may be chosen for the speakers of a dub, each with its description."""
    used = report.engines.tts.engine
    spoken = [one for one in services.spoken_by(report.target_language.code) if one.engine == used]
    return [(one.id, voice_text(said, one)) for one in spoken]


def _joined(*told: str) -> str:
    return " · ".join(filter(None, told))
