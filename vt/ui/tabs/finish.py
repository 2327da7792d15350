"""How the dubbed film is made up: what is heard of the original, what yields where time is short, subtitles."""

from __future__ import annotations

from typing import Any

import gradio as gr

from vt.domain import BOTH, Background, Finish, Fit
from vt.languages import AUTO
from vt.ui.shared import Updates, text
from vt.ui.words import Words, label

_NOTHING, _DUB = "", "dub"


class FinishChoice:
    """The choices, and what is chosen."""

    def __init__(self) -> None:
        """Build the choices into the page that is being built."""
        with gr.Row():
            self._background = gr.Dropdown(choices=[], label=label("background"), elem_id="vt-background")
            self._burn = gr.Dropdown(choices=[], label=label("burn"), elem_id="vt-burn")
        self._literal = gr.Checkbox(label=label("literal"), elem_id="vt-literal")
        self._karaoke = gr.Checkbox(label=label("karaoke"), elem_id="vt-karaoke")
        self._slows = gr.Checkbox(label=label("fit_picture"), elem_id="vt-fit")

    @property
    def everything(self) -> list[Any]:
        """The components, in the order of what `read` takes."""
        return [self._background, self._literal, self._burn, self._karaoke, self._slows]

    def shown(self, said: Words, finish: Finish, target: str) -> Updates:
        """Return the choices with `finish` chosen; `target` is the language that it was chosen for."""
        backgrounds = [(said(f"background_{one}"), str(one)) for one in (AUTO, *Background)]
        burnt = [(said("burn_nothing"), _NOTHING), (said("burn_dub"), _DUB), (said("burn_both"), BOTH)]
        burn = _DUB if finish.burn and finish.burn == target else finish.burn
        return {
            self._background: gr.Dropdown(choices=backgrounds, value=str(finish.background or AUTO)),
            self._burn: gr.Dropdown(choices=burnt, value=burn if burn in (_DUB, BOTH) else _NOTHING),
            self._literal: gr.Checkbox(value=finish.literal),
            self._karaoke: gr.Checkbox(value=finish.karaoke),
            self._slows: gr.Checkbox(value=finish.slows_picture),
        }

    def read(
        self, background: object, literal: object, burn: object, karaoke: object, slows: object, target: str
    ) -> Finish:
        """Return what is chosen for a dub into `target`.

        Raises:
            InputError: a value is none of the choices.
        """
        burnt = text(burn or _NOTHING, "burn")
        named = {"background": text(background or "", "background"), "burn": target if burnt == _DUB else burnt}
        named["fit"] = Fit.PICTURE if slows is True else ""
        switches = {"literal": literal, "karaoke": karaoke}
        return Finish.of(named | {name: "true" if value is True else "" for name, value in switches.items()})
