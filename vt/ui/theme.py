"""The theme of the page: neutral colours, light and dark, and one colour for what can be pressed."""

from __future__ import annotations

import gradio as gr
from gradio.themes.utils.colors import Color

_SYSTEM = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

_INK = Color("#f7f7f4", "#efefea", "#e2e2db", "#cfcfc6", "#a3a39a", "#74746c", "#575750", "#3a3b37", "#23252a",
             "#1a1c20", "#121417", name="ink")  # fmt: skip
_TEAL = Color("#edf8f6", "#d3efea", "#a9ded6", "#78c8bd", "#45aca0", "#1f8f83", "#0f766e", "#115e59", "#134e4a",
              "#123f3c", "#082f2c", name="teal")  # fmt: skip

_LOOK = {
    "body_background_fill": "*neutral_50",
    "body_background_fill_dark": "*neutral_950",
    "body_text_color": "*neutral_800",
    "body_text_color_dark": "#e7e8e4",
    "body_text_color_subdued": "*neutral_600",
    "body_text_color_subdued_dark": "#a5a8a3",
    "background_fill_primary": "#ffffff",
    "background_fill_primary_dark": "*neutral_900",
    "background_fill_secondary": "*neutral_50",
    "background_fill_secondary_dark": "*neutral_800",
    "border_color_primary": "*neutral_200",
    "border_color_primary_dark": "#33363c",
    "block_background_fill": "#ffffff",
    "block_background_fill_dark": "*neutral_900",
    "block_border_width": "1px",
    "block_border_color": "*neutral_200",
    "block_border_color_dark": "#33363c",
    "block_radius": "12px",
    "block_shadow": "none",
    "block_label_background_fill": "transparent",
    "block_label_background_fill_dark": "transparent",
    "block_label_border_width": "0px",
    "block_label_text_color": "*neutral_600",
    "block_label_text_color_dark": "#a5a8a3",
    "block_title_text_color": "*neutral_700",
    "block_title_text_color_dark": "#cfd1cc",
    "block_title_text_weight": "600",
    "input_background_fill": "#ffffff",
    "input_background_fill_dark": "#15171a",
    "input_border_color": "*neutral_300",
    "input_border_color_dark": "#3b3f46",
    "input_border_color_focus": "*primary_600",
    "input_border_color_focus_dark": "*primary_400",
    "input_border_width": "1px",
    "input_radius": "8px",
    "button_border_width": "1px",
    "button_large_radius": "10px",
    "button_small_radius": "8px",
    "button_large_text_weight": "600",
    "button_primary_background_fill": "*primary_600",
    "button_primary_background_fill_dark": "*primary_600",
    "button_primary_background_fill_hover": "*primary_700",
    "button_primary_background_fill_hover_dark": "*primary_500",
    "button_primary_text_color": "#ffffff",
    "button_primary_border_color": "transparent",
    "button_secondary_background_fill": "#ffffff",
    "button_secondary_background_fill_dark": "*neutral_800",
    "button_secondary_background_fill_hover": "*neutral_100",
    "button_secondary_background_fill_hover_dark": "#2d3036",
    "button_secondary_border_color": "*neutral_300",
    "button_secondary_border_color_dark": "#3b3f46",
    "button_secondary_text_color": "*neutral_800",
    "button_secondary_text_color_dark": "#e7e8e4",
    "slider_color": "*primary_600",
    "link_text_color": "*primary_700",
    "link_text_color_dark": "*primary_300",
    "panel_border_width": "0px",
}
"""Values by the names of Gradio's theme variables."""


def make() -> gr.themes.Base:
    """Return the theme; style.css has what Gradio has no variable for."""
    theme = gr.themes.Base(
        primary_hue=_TEAL,
        secondary_hue=_TEAL,
        neutral_hue=_INK,
        text_size="md",
        radius_size="md",
        font=_SYSTEM,
        font_mono=_MONO,
    )
    return theme.set(**_LOOK)
