"""Fills the templates of the page's fragments; the templates escape every value."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


def render(template: str, **values: object) -> str:
    """Return a fragment of the page as HTML.

    Args:
        template: the name of a file in the folder templates, without its ending.
        values: for the names in the template. A missing one is an error.
    """
    return _TEMPLATES.get_template(f"{template}.html").render(values)
